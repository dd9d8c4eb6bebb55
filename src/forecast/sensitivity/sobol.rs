//! Shares of a variance: first-order and total indices (Sobol 1993, Homma and Saltelli 1996).
//!
//! First order by the estimator of Saltelli et al. (Computer Physics Communications 181:259, 2010), total by that of Jansen (ibid. 117:35, 1999),
//! both of two samples of all inputs and, for each cause, the first sample with that cause taken from the second. Outputs are first held
//! against their common mean, which makes the first estimator much sharper and changes no expectation. Each row of the two samples is one point
//! of an Owen-scrambled Sobol sequence. The intervals are bootstrap percentiles over rows, as if they were drawn independently: the
//! sequence lies more evenly than that, and the intervals are wider than they need be, if anything.

use sobol_burley::{NUM_DIMENSIONS, sample};

use super::super::shares::{FEWEST, NotEstimable};
use super::{Part, bootstrap};
use crate::units::Share;

/// Inputs for which the sequence has dimensions, in both samples.
pub const MOST_INPUTS: usize = NUM_DIMENSIONS as usize / 2;
/// Rows that the sequence has.
pub const MOST_ROWS: u32 = 1 << 16;

/// A model's outputs for one row of the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// With all causes of the first sample.
    pub first: f64,
    /// With all causes of the second one.
    pub second: f64,
    /// With one cause of the second sample and all else of the first, by cause.
    pub mixed: Vec<f64>,
}

/// The numbers of all inputs in the first and in the second sample; each lies between 0 and 1, and is neither.
#[must_use]
pub fn row(number: u32, inputs: usize, seed: u64) -> [Vec<f64>; 2] {
    // Sixty-four bits in thirty-two: any of a sequence's scramblings is as good as another.
    let seed = (seed ^ (seed >> 32)) as u32;
    // Numbers come with 24 bits; the middle of each cell lies within the range.
    let at = |dimension: usize| f64::from(sample(number, dimension as u32, seed)) + 0.5 / f64::from(1 << 24);
    [(0..inputs).map(at).collect(), (inputs..2 * inputs).map(at).collect()]
}

/// The variance over both samples.
#[must_use]
pub fn variance(rows: &[Row]) -> f64 {
    let centre = centre(rows);
    let both = || rows.iter().flat_map(|row| [row.first - centre, row.second - centre]);
    let count = (2 * rows.len().max(1)) as f64;
    let mean = both().sum::<f64>() / count;
    both().map(|one| (one - mean).powi(2)).sum::<f64>() / count
}

/// By cause, its first-order and its total index.
///
/// # Errors
/// With too few rows, or outputs that are all the same.
pub fn indices(rows: &[Row], seed: u64, confidence: Share) -> Result<Vec<(Part, Part)>, NotEstimable> {
    if rows.len() < FEWEST as usize {
        return Err(NotEstimable::TooFew);
    }
    if variance(rows) <= 0.0 {
        return Err(NotEstimable::NoSpread);
    }
    let centre = centre(rows);
    let of = |cause: usize| {
        let outputs: Vec<[f64; 3]> =
            rows.iter().map(|row| [row.first, row.second, row.mixed[cause]].map(|output| output - centre)).collect();
        let seed = (seed.wrapping_add(cause as u64), 0x50b0_11d8);
        let part = |of: fn(&mut dyn Iterator<Item = [f64; 3]>) -> f64| {
            bootstrap(rows.len(), seed, confidence, &|rows| of(&mut rows.map(|row| outputs[row])))
        };
        (part(first_order), part(total))
    };
    Ok((0..rows[0].mixed.len()).map(of).collect())
}

/// The mean of all outputs.
fn centre(rows: &[Row]) -> f64 {
    let all = || rows.iter().flat_map(|row| [row.first, row.second].into_iter().chain(row.mixed.iter().copied()));
    all().sum::<f64>() / all().count().max(1) as f64
}

fn first_order(rows: &mut dyn Iterator<Item = [f64; 3]>) -> f64 {
    ratio(rows, |[first, second, mixed]| second * (mixed - first))
}

fn total(rows: &mut dyn Iterator<Item = [f64; 3]>) -> f64 {
    ratio(rows, |[first, _, mixed]| (first - mixed).powi(2) / 2.0)
}

/// The mean of something over the variance of both samples.
fn ratio(rows: &mut dyn Iterator<Item = [f64; 3]>, of: impl Fn([f64; 3]) -> f64) -> f64 {
    let (mut count, mut part, mut sum, mut squares) = (0.0, 0.0, 0.0, 0.0);
    for row in rows {
        let [first, second, _] = row;
        count += 1.0;
        part += of(row);
        sum += f64::midpoint(first, second);
        squares += f64::midpoint(first * first, second * second);
    }
    let mean = sum / count;
    part / count / (squares / count - mean * mean)
}
