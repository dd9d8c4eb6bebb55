//! What is odd about a series without being wrong: gaps, zeros, spikes.

use super::fit::High;
use crate::units::{Span, Time};

/// Gaps and spikes that are named; all are counted.
const SHOWN: usize = 5;
/// From this part of an interval more than one on, a sample is missing.
const LATE: f64 = 1.5;
/// Intervals that are taken: hours of the week need samples of an hour, and clocks have seconds.
const INTERVALS_S: (f64, f64) = (1.0, 3_600.0);

/// A time without samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the first missing sample was due.
    pub from: Time,
    /// When the next one there is was taken.
    pub until: Time,
}

/// A sample far above what its hour of the week has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// When it was taken.
    pub at: Time,
    /// What was asked for: operations a second, or a share of the capacity.
    pub value: f64,
    /// What that hour of the week has.
    pub expected: f64,
}

/// The gaps of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many there are.
    pub count: u64,
    /// How many samples they lack.
    pub missing: u64,
    /// The longest ones, the longest first.
    pub longest: Vec<Gap>,
}

/// The time between two samples: the median.
///
/// # Errors
/// When there are too few samples, or they are too far apart.
pub(crate) fn interval(at: &[Time]) -> Result<Span, String> {
    let mut between: Vec<i64> = at.windows(2).map(|pair| pair[1].since(pair[0]).micros()).collect();
    if between.is_empty() {
        return Err(format!("has {} samples: needs two weeks of them", at.len()));
    }
    let middle = between.len() / 2;
    let interval = Span::from_micros(*between.select_nth_unstable(middle).1);
    if !(INTERVALS_S.0..=INTERVALS_S.1).contains(&interval.secs()) {
        let seconds = interval.secs();
        return Err(format!("has samples that are {seconds} s apart: between 1 s and 1 h is allowed"));
    }
    Ok(interval)
}

/// The place of each sample on the grid of the interval.
pub(crate) fn grid(at: &[Time], interval: Span) -> Vec<usize> {
    let Some(first) = at.first() else { return Vec::new() };
    let place = |at: &Time| (at.since(*first).secs() / interval.secs()).round() as usize;
    at.iter().map(place).collect()
}

/// The times in which a column has no sample.
pub(crate) fn gaps(at: &[Time], values: &[f64], interval: Span) -> Gaps {
    let mut gaps = Gaps::default();
    let (Some(first), Some(last)) = (at.first(), at.last()) else { return gaps };
    let mut all = Vec::new();
    // As if there had been a sample before the first row, so that a column that begins later has a gap there.
    let mut before = *first - interval;
    let known = at.iter().zip(values).filter(|(_, value)| !value.is_nan()).map(|(at, _)| *at);
    for at in known.chain([*last + interval]) {
        let steps = at.since(before).secs() / interval.secs();
        if steps > LATE {
            gaps.count += 1;
            gaps.missing += steps.round() as u64 - 1;
            all.push(Gap { from: before + interval, until: at });
        }
        before = at;
    }
    all.sort_by_key(|gap| (std::cmp::Reverse(gap.until.since(gap.from)), gap.from));
    all.truncate(SHOWN);
    gaps.longest = all;
    gaps
}

/// The highest spikes.
pub(crate) fn highest(at: &[Time], values: &[f64], spikes: &[High]) -> Vec<Spike> {
    let spike = |high: &High| Spike { at: at[high.at], value: values[high.at], expected: high.expected };
    spikes.iter().take(SHOWN).map(spike).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: &[i64]) -> Vec<Time> {
        seconds.iter().map(|seconds| Time::from_unix_micros(seconds * 1_000_000)).collect()
    }

    #[test]
    fn gaps_are_missing_rows_and_empty_cells() {
        let at = at(&[0, 300, 600, 900, 2_400, 2_700, 3_010]);
        let interval = interval(&at).unwrap();
        assert_eq!(interval, Span::from_secs(300));
        let values = [1.0, f64::NAN, 1.0, 1.0, 1.0, 1.0, f64::NAN];
        let gaps = gaps(&at, &values, interval);
        assert_eq!((gaps.count, gaps.missing), (3, 1 + 4 + 1));
        assert_eq!(gaps.longest[0], Gap { from: at[3] + interval, until: at[4] });
        assert_eq!(grid(&at, interval), [0, 1, 2, 3, 8, 9, 10]);
    }

    #[test]
    fn samples_must_be_neither_alone_nor_far_apart() {
        assert!(interval(&at(&[0])).is_err());
        assert!(interval(&[]).is_err());
        assert!(interval(&at(&[0, 7_200, 14_400])).unwrap_err().contains("7200 s apart"));
    }
}
