//! Two numbers that are easily taken for each other: the difference of the quantiles of two sets of dates, and the quantile of
//! their differences, pair by pair. How much earlier the P80 is promised is the first; in how many of the futures it is how much
//! earlier is the second.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Dxsm;

use crate::forecast::quantile::{Estimate, P10, P50, P80, P90, When, estimable, estimate};
use crate::units::Share;

/// The levels at which dates are compared.
pub const COMPARED: [Share; 4] = [P10, P50, P80, P90];

/// Resamples of the replications.
const RESAMPLES: usize = 2_000;
/// With more replications than this there is no interval of a difference of quantiles: drawing them again takes too long.
pub const RESAMPLED_MAX: usize = 20_000;

/// What is said of one level; in days, later where positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtLevel {
    /// The level.
    pub level: Share,
    /// The variant's quantile less that of the first case; none with too few replications, or where either is no date.
    pub difference_of_quantiles: Option<f64>,
    /// Its bootstrap interval; none where that reaches beyond the horizon.
    pub interval: Option<(f64, f64)>,
    /// The quantile of the differences with its interval; none with too few replications, or where it depends on what lies
    /// beyond the horizon.
    pub quantile_of_differences: Option<Estimate<f64>>,
}

/// How often each replication stands in each resample. The same for all dates: pairs stay pairs.
#[derive(Debug)]
pub struct Resamples {
    counts: Vec<Vec<u32>>,
}

impl Resamples {
    /// For so many replications; always the same ones.
    #[must_use]
    pub fn new(replications: usize) -> Self {
        let mut generator = Pcg64Dxsm::seed_from_u64(replications as u64);
        let mut resample = || {
            let mut counts = vec![0_u32; replications];
            for _ in 0..replications {
                counts[generator.random_range(0..replications)] += 1;
            }
            counts
        };
        let resamples = if (1..=RESAMPLED_MAX).contains(&replications) { RESAMPLES } else { 0 };
        Self { counts: (0..resamples).map(|_| resample()).collect() }
    }
}

/// Compares two sets of dates that end at one horizon, replication by replication, at `COMPARED`.
#[must_use]
pub fn at_levels(before: &[When], after: &[When], confidence: Share, resamples: &Resamples) -> Vec<AtLevel> {
    let sides = [before, after].map(|side| Side::new(side.to_vec()));
    let possible = Possible::of(&sides);
    let differences = sides[0].dates.iter().zip(&sides[1].dates).all(|(before, after)| before == after);
    let one = |level: Share| {
        let count = before.len();
        let point = estimable(count, level, confidence)
            .then(|| difference(&sides[0].quantile(level, |_| 1)?, &sides[1].quantile(level, |_| 1)?))
            .flatten();
        let interval = point.and_then(|point| {
            // Sets that are the same have no difference, whichever replications are drawn.
            if differences { Some((point, point)) } else { bootstrap(&sides, level, confidence, resamples) }
        });
        AtLevel {
            level,
            difference_of_quantiles: point,
            interval,
            quantile_of_differences: possible.quantile(level, confidence),
        }
    };
    COMPARED.into_iter().map(one).collect()
}

fn difference(before: &When, after: &When) -> Option<f64> {
    Some(after.time()?.since(before.time()?).days())
}

/// One set of dates, and its replications in the order of their dates.
struct Side {
    dates: Vec<When>,
    order: Vec<usize>,
}

impl Side {
    fn new(dates: Vec<When>) -> Self {
        let mut order: Vec<usize> = (0..dates.len()).collect();
        order.sort_by_key(|place| (dates[*place], *place));
        Self { dates, order }
    }

    /// The quantile where each replication counts so often.
    fn quantile(&self, level: Share, times: impl Fn(usize) -> u32) -> Option<When> {
        let rank = level.of_count(self.dates.len() as u64).max(1);
        let mut passed = 0_u64;
        let at = self.order.iter().find(|place| {
            passed += u64::from(times(**place));
            passed >= rank
        });
        at.map(|place| self.dates[*place])
    }
}

/// The percentile interval.
fn bootstrap(sides: &[Side; 2], level: Share, confidence: Share, resamples: &Resamples) -> Option<(f64, f64)> {
    let one = |counts: &Vec<u32>| {
        let times = |place: usize| counts[place];
        difference(&sides[0].quantile(level, times)?, &sides[1].quantile(level, times)?)
    };
    let mut found = resamples.counts.iter().map(one).collect::<Option<Vec<f64>>>()?;
    found.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - confidence.fraction()) / 2.0;
    let low = (found.len() as f64 * tail).floor() as usize;
    let (low, high) = (found.get(low)?, found.get(found.len().checked_sub(low + 1)?)?);
    Some((*low, *high))
}

/// The least and the most that each difference can be, sorted: what lies beyond the horizon is not known.
struct Possible {
    least: Vec<f64>,
    most: Vec<f64>,
}

impl Possible {
    fn of(sides: &[Side; 2]) -> Self {
        let (mut least, mut most) = (Vec::new(), Vec::new());
        for (before, after) in sides[0].dates.iter().zip(&sides[1].dates) {
            let known = difference(before, after);
            // One date alone: the other is later than any.
            least.push(known.unwrap_or(f64::NEG_INFINITY));
            most.push(known.unwrap_or(f64::INFINITY));
            let at = least.len() - 1;
            match (before, after) {
                (When::At(_), When::AfterHorizon | When::Never) => least[at] = 0.0,
                (When::AfterHorizon | When::Never, When::At(_)) => most[at] = 0.0,
                _ => {}
            }
        }
        least.sort_unstable_by(f64::total_cmp);
        most.sort_unstable_by(f64::total_cmp);
        Self { least, most }
    }

    fn quantile(&self, level: Share, confidence: Share) -> Option<Estimate<f64>> {
        let (least, most) = (estimate(&self.least, level, confidence)?, estimate(&self.most, level, confidence)?);
        (least == most).then_some(least)
    }
}
