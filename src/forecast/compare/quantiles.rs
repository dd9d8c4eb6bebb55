//! Two numbers that are easily taken for each other: the difference of the quantiles of two sets of dates, and the quantile of
//! their differences, pair by pair. How much earlier the P80 is promised is the first; in how many of the futures it is how much
//! earlier is the second.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Dxsm;

use crate::forecast::quantile::{Estimate, LEVELS, When, estimable, estimate};
use crate::units::{Share, Time};

/// The levels at which dates are compared, rising: all at which a date can be asked for.
pub const COMPARED: [Share; LEVELS.len()] = LEVELS;

/// Resamples of the replications.
const RESAMPLES: usize = 2_000;
/// More replications than this take too long to draw again: there the interval of a difference is made of those of its two quantiles.
pub const RESAMPLED_MAX: usize = 20_000;

/// What is said of one level; in days, later where positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtLevel {
    /// The level.
    pub level: Share,
    /// The variant's quantile less that of the first case; none with too few replications, or where either is no date.
    pub difference_of_quantiles: Option<f64>,
    /// Its interval, also where only one of the two is a date; an end that depends on what lies beyond the horizon is infinite. None
    /// with too few replications, or where both ends would be.
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

/// Compares two sets of dates that end at one horizon, `bound`, replication by replication, at `COMPARED`.
#[must_use]
pub fn at_levels(
    before: &[When],
    after: &[When],
    bound: Time,
    confidence: Share,
    resamples: &Resamples,
) -> Vec<AtLevel> {
    let sides = [before, after].map(|side| Side::new(side.to_vec()));
    let possible = Possible::of(&sides);
    let is_same = before == after;
    let [of_before, of_after] = [0, 1].map(|side: usize| sides[side].quantiles(|_| 1));
    let intervals = if is_same {
        // Sets that are the same have no difference, whichever replications are drawn.
        [0; COMPARED.len()].map(|_| None)
    } else if resamples.counts.is_empty() {
        COMPARED.map(|level| of_both(&sides, level, bound, confidence))
    } else {
        bootstrap(&sides, bound, confidence, resamples)
    };
    let one = |(place, level): (usize, Share)| {
        let is_estimable = estimable(before.len(), level, confidence);
        let point = difference(&of_before[place], &of_after[place]).filter(|_| is_estimable);
        let interval = if is_same { point.map(|point| (point, point)) } else { intervals[place] };
        AtLevel {
            level,
            difference_of_quantiles: point,
            interval: interval.filter(|_| is_estimable),
            quantile_of_differences: possible.quantile(level, confidence),
        }
    };
    COMPARED.into_iter().enumerate().map(one).collect()
}

fn difference(before: &When, after: &When) -> Option<f64> {
    Some(after.time()?.since(before.time()?).days())
}

/// The least and the most that a difference can be where what is no date lies beyond the bound, nobody knows how far.
fn ends(before: When, after: When, bound: Time) -> (f64, f64) {
    match (before.time(), after.time()) {
        (Some(before), Some(after)) => {
            let days = after.since(before).days();
            (days, days)
        }
        (None, Some(after)) => (f64::NEG_INFINITY, after.since(bound).days()),
        (Some(before), None) => (bound.since(before).days(), f64::INFINITY),
        (None, None) => (f64::NEG_INFINITY, f64::INFINITY),
    }
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

    /// The quantiles at `COMPARED` where each replication counts so often.
    fn quantiles(&self, times: impl Fn(usize) -> u32) -> [When; COMPARED.len()] {
        let mut found = [When::Never; COMPARED.len()];
        let mut left = COMPARED.iter().map(|level| level.of_count(self.dates.len() as u64).max(1)).zip(&mut found);
        let mut next = left.next();
        let mut passed = 0_u64;
        for place in &self.order {
            passed += u64::from(times(*place));
            // One replication may be the quantile at several levels.
            while let Some((_, found)) = next.take_if(|(rank, _)| passed >= *rank) {
                *found = self.dates[*place];
                next = left.next();
            }
            if next.is_none() {
                break;
            }
        }
        found
    }
}

/// The percentile intervals by `COMPARED`: of the least that the difference can be in each resample, and of the most.
fn bootstrap(
    sides: &[Side; 2],
    bound: Time,
    confidence: Share,
    resamples: &Resamples,
) -> [Option<(f64, f64)>; COMPARED.len()] {
    let one = |counts: &Vec<u32>| [0, 1].map(|side: usize| sides[side].quantiles(|place| counts[place]));
    let all: Vec<[[When; COMPARED.len()]; 2]> = resamples.counts.iter().map(one).collect();
    let tail = (1.0 - confidence.fraction()) / 2.0;
    let rank = (all.len() as f64 * tail).floor() as usize;
    let mut place = 0;
    COMPARED.map(|_| {
        let (mut least, mut most): (Vec<f64>, Vec<f64>) =
            all.iter().map(|[before, after]| ends(before[place], after[place], bound)).unzip();
        place += 1;
        least.sort_unstable_by(f64::total_cmp);
        most.sort_unstable_by(f64::total_cmp);
        known(*least.get(rank)?, *most.get(most.len().checked_sub(rank + 1)?)?)
    })
}

/// From the order statistics that enclose either quantile: both do so at once with the confidence, whatever the two have in common
/// (Bonferroni). Wider than what pairs would tell.
fn of_both(sides: &[Side; 2], level: Share, bound: Time, confidence: Share) -> Option<(f64, f64)> {
    let doubt = 1.0 - confidence.fraction();
    let each = Share::from_ppm(((1.0 - doubt / 2.0) * 1e6).round().min(999_999.0) as u32);
    let sorted = |side: &Side| -> Vec<When> { side.order.iter().map(|place| side.dates[*place]).collect() };
    let [before, after] = [0, 1].map(|side: usize| estimate(&sorted(&sides[side]), level, each));
    let (before, after) = (before?, after?);
    known(ends(before.high, after.low, bound).0, ends(before.low, after.high, bound).1)
}

/// An interval of which at least one end is known.
fn known(low: f64, high: f64) -> Option<(f64, f64)> {
    (low.is_finite() || high.is_finite()).then_some((low, high))
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
