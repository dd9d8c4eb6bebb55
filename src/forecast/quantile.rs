//! Quantiles of a sample with intervals that assume nothing about its distribution.
//!
//! The interval of a quantile is a pair of order statistics whose ranks come from the binomial distribution; each tail
//! holds at most half of what the confidence leaves. Where a sample is too small for such a pair there is no estimate:
//! "not estimable", never a number.

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF, Normal};

use crate::units::{Share, Time};

/// The levels at which dates are given.
pub const LEVELS: [Share; 8] = [
    Share::from_ppm(50_000),
    Share::from_ppm(100_000),
    Share::from_ppm(250_000),
    Share::from_ppm(500_000),
    Share::from_ppm(750_000),
    Share::from_ppm(800_000),
    Share::from_ppm(900_000),
    Share::from_ppm(950_000),
];

/// The 10 % level.
pub const P10: Share = Share::from_ppm(100_000);
/// The median.
pub const P50: Share = Share::from_ppm(500_000);
/// The 80 % level.
pub const P80: Share = Share::from_ppm(800_000);
/// The 90 % level.
pub const P90: Share = Share::from_ppm(900_000);

/// When something happens in a replication; the order is that of a sorted sample: a censored date is later than every
/// date, and what never happens comes after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// At this instant.
    At(Time),
    /// Not by the horizon, at which the replication had not finished.
    AfterHorizon,
    /// Not at all: the replication finished without it.
    Never,
}

impl When {
    /// The instant, if there is one.
    #[must_use]
    pub const fn time(self) -> Option<Time> {
        match self {
            Self::At(time) => Some(time),
            Self::AfterHorizon | Self::Never => None,
        }
    }
}

/// A quantile and the interval that holds the true one with the stated confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate<T> {
    /// The order statistic at the quantile's rank.
    pub value: T,
    /// Lower end of the interval.
    pub low: T,
    /// Upper end of the interval.
    pub high: T,
}

/// Ranks, from 1, of the order statistics that enclose a quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Rank of the lower end.
    pub low: usize,
    /// Rank of the upper end.
    pub high: usize,
}

/// Whether a sample of `count` is large enough for an interval of the quantile.
#[must_use]
pub fn estimable(count: usize, level: Share, confidence: Share) -> bool {
    let p = level.fraction();
    let outside = p.max(1.0 - p).powi(i32::try_from(count).unwrap_or(i32::MAX));
    outside <= tail(confidence)
}

/// The equal-tailed interval of a quantile, as ranks; `None` when the sample is too small.
#[must_use]
pub fn ranks(count: usize, level: Share, confidence: Share) -> Option<Ranks> {
    if !estimable(count, level, confidence) {
        return None;
    }
    let below = Binomial::new(level.fraction(), count as u64).ok()?;
    let tail = tail(confidence);
    // The quantile lies below the order statistic of rank r when fewer than r of the sample lie below the quantile.
    let low = last_where(count, |rank| below.cdf(rank as u64 - 1) <= tail)?;
    let high = first_where(count, |rank| below.sf(rank as u64 - 1) <= tail)?;
    Some(Ranks { low, high })
}

/// The quantile of a sorted sample with its interval; `None` when the sample is too small.
#[must_use]
pub fn estimate<T: Copy + PartialOrd>(sorted: &[T], level: Share, confidence: Share) -> Option<Estimate<T>> {
    let Ranks { low, high } = ranks(sorted.len(), level, confidence)?;
    Some(Estimate { value: at_level(sorted, level)?, low: sorted[low - 1], high: sorted[high - 1] })
}

/// The quantile of a sorted sample without an interval; `None` when the sample is too small for one.
#[must_use]
pub fn point<T: Copy + PartialOrd>(sorted: &[T], level: Share, confidence: Share) -> Option<T> {
    if estimable(sorted.len(), level, confidence) { at_level(sorted, level) } else { None }
}

/// Wilson's interval for a probability of which `successes` of `trials` are a sample; `(0, 1)` without trials.
#[must_use]
pub fn wilson(successes: usize, trials: usize, confidence: Share) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let z = Normal::standard().inverse_cdf(1.0 - tail(confidence));
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let scale = 1.0 + z * z / n;
    let middle = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the formula meets 0 and 1 but for rounding.
    let low = if successes == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if successes == trials { 1.0 } else { (middle + half).min(1.0) };
    (low, high)
}

/// The exact interval for a probability (Clopper and Pearson, Biometrika 26, 1934); `(0, 1)` without trials.
///
/// Neither end is on the wrong side of the truth more often than half of what the confidence leaves, whatever the truth is: that
/// is what a verdict has to hold to. Wilson's interval, which is narrower, does so only on average, and not near 0 and 1.
#[must_use]
pub fn exact(successes: usize, trials: usize, confidence: Share) -> (f64, f64) {
    let tail = tail(confidence);
    let (kept, others) = (successes as f64, (trials - successes) as f64);
    let end = |a: f64, b: f64, at: f64| Beta::new(a, b).expect("both counts are above 0").inverse_cdf(at);
    let low = if successes == 0 { 0.0 } else { end(kept, others + 1.0, tail) };
    let high = if successes == trials { 1.0 } else { end(kept + 1.0, others, 1.0 - tail) };
    (low, high)
}

/// What either tail of an equal-tailed interval may hold.
fn tail(confidence: Share) -> f64 {
    (1.0 - confidence.fraction()) / 2.0
}

/// The order statistic of rank `ceil(level x count)`, the sample's inverse distribution function.
fn at_level<T: Copy + PartialOrd>(sorted: &[T], level: Share) -> Option<T> {
    debug_assert!(sorted.is_sorted(), "the sample is not sorted");
    let rank = level.of_count(sorted.len() as u64) as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The largest rank at which `holds`, which stops holding once and for all as ranks rise.
fn last_where(count: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut yes, mut no) = (0, count + 1);
    while no - yes > 1 {
        let middle = usize::midpoint(yes, no);
        if holds(middle) { yes = middle } else { no = middle }
    }
    (yes > 0).then_some(yes)
}

/// The smallest rank at which `holds`, which goes on holding as ranks rise.
fn first_where(count: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut no, mut yes) = (0, count + 1);
    while yes - no > 1 {
        let middle = usize::midpoint(yes, no);
        if holds(middle) { yes = middle } else { no = middle }
    }
    (yes <= count).then_some(yes)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Dxsm;

    use super::*;

    const SURE: Share = Share::from_ppm(950_000);

    fn percent(percent: u32) -> Share {
        Share::from_ppm(percent * 10_000)
    }

    #[test]
    fn ranks_are_those_of_the_binomial_tables() {
        for (count, level, low, high) in
            [(1_000, 50, 469, 532), (1_000, 85, 828, 873), (1_000, 95, 936, 964), (10_000, 95, 9_457, 9_543)]
        {
            assert_eq!(ranks(count, percent(level), SURE), Some(Ranks { low, high }), "P{level} of {count}");
        }
    }

    #[test]
    fn a_sample_below_the_smallest_size_gives_no_number() {
        for (level, smallest) in [(50, 6), (80, 17), (85, 23), (90, 36), (95, 72), (99, 368)] {
            assert_eq!(ranks(smallest - 1, percent(level), SURE), None, "P{level} of {}", smallest - 1);
            assert!(ranks(smallest, percent(level), SURE).is_some(), "P{level} of {smallest}");
            assert_eq!(estimate(&vec![1; smallest - 1], percent(level), SURE), None);
            assert_eq!(point(&vec![1; smallest - 1], percent(level), SURE), None);
        }
        assert_eq!(estimate::<u8>(&[], P50, SURE), None);
    }

    #[test]
    fn low_levels_mirror_high_ones() {
        let (low, high) = (ranks(1_000, percent(5), SURE).unwrap(), ranks(1_000, percent(95), SURE).unwrap());
        assert_eq!((low.low, low.high), (1_001 - high.high, 1_001 - high.low));
        assert_eq!(ranks(71, percent(5), SURE), None);
    }

    #[test]
    fn a_censored_date_is_later_than_every_date_and_never_is_later_still() {
        let mut sample = vec![When::Never, When::AfterHorizon, When::At(Time::NEVER), When::At(Time::default())];
        sample.sort_unstable();
        assert_eq!(sample, [When::At(Time::default()), When::At(Time::NEVER), When::AfterHorizon, When::Never]);
    }

    #[test]
    fn wilson_intervals_are_those_of_the_textbook() {
        // Newcombe, Statistics in Medicine 17 (1998), table I: 81/263, 15/148, 0/20, 1/29.
        for (successes, trials, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let (a, b) = wilson(successes, trials, SURE);
            assert!((a - low).abs() < 6e-5 && (b - high).abs() < 6e-5, "{successes}/{trials}: {a} {b}");
        }
        assert_eq!(wilson(0, 0, SURE), (0.0, 1.0));
        assert_eq!(wilson(20, 20, SURE).1, 1.0);
    }

    #[test]
    fn exact_intervals_are_those_of_the_textbook() {
        // The same table, and the closed forms where all or none succeed.
        for (successes, trials, low, high) in
            [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)]
        {
            let (a, b) = exact(successes, trials, SURE);
            assert!((a - low).abs() < 6e-5 && (b - high).abs() < 6e-5, "{successes}/{trials}: {a} {b}");
        }
        assert_eq!(exact(0, 0, SURE), (0.0, 1.0));
        for trials in [1, 20, 200, 100_000] {
            let (low, high) = exact(trials, trials, SURE);
            assert!((low - 0.025_f64.powf(1.0 / trials as f64)).abs() < 1e-9, "{trials}: {low}");
            assert_eq!(high, 1.0);
        }
    }

    #[test]
    fn exact_intervals_end_where_the_tail_is_what_it_may_be() {
        for trials in [1_u64, 7, 100, 2_000, 100_000] {
            for successes in [0, 1, trials / 3, trials / 2, trials - trials / 100 - 1, trials] {
                let (low, high) = exact(successes as usize, trials as usize, SURE);
                let law = |p: f64| Binomial::new(p, trials).unwrap();
                if successes > 0 {
                    let tail = law(low).sf(successes - 1);
                    assert!((tail - 0.025).abs() < 1e-7, "{successes}/{trials}: {tail} at {low}");
                }
                if successes < trials {
                    let tail = law(high).cdf(successes);
                    assert!((tail - 0.025).abs() < 1e-7, "{successes}/{trials}: {tail} at {high}");
                }
            }
        }
    }

    #[test]
    fn intervals_cover_the_true_quantile_as_often_as_they_say() {
        let mut generator = Pcg64Dxsm::seed_from_u64(7);
        let (trials, count) = (4_000, 300);
        let mut covered = [0_u32; 3];
        for _ in 0..trials {
            let mut sample: Vec<f64> = (0..count).map(|_| generator.next_u64() as f64 / u64::MAX as f64).collect();
            sample.sort_unstable_by(f64::total_cmp);
            for (covered, level) in covered.iter_mut().zip([P50, P80, P90]) {
                let estimate = estimate(&sample, level, SURE).unwrap();
                let truth = level.fraction();
                *covered += u32::from(estimate.low <= truth && truth <= estimate.high);
            }
        }
        for covered in covered {
            let share = f64::from(covered) / f64::from(trials);
            assert!((0.935..0.975).contains(&share), "covered in {share}");
        }
    }

    proptest! {
        #[test]
        fn an_interval_encloses_its_quantile(mut sample in prop::collection::vec(0_i64..1_000, 1..400), level in 1_u32..100) {
            sample.sort_unstable();
            if let Some(estimate) = estimate(&sample, percent(level), SURE) {
                prop_assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
            }
        }

        #[test]
        fn ranks_are_the_tightest_with_that_confidence(count in 1_usize..600, level in 1_u32..100) {
            let below = Binomial::new(f64::from(level) / 100.0, count as u64).unwrap();
            // The slow twin: every rank in turn.
            let low = (1..=count).rev().find(|rank| below.cdf(*rank as u64 - 1) <= 0.025);
            let high = (1..=count).find(|rank| below.sf(*rank as u64 - 1) <= 0.025);
            let expected = low.zip(high).map(|(low, high)| Ranks { low, high });
            prop_assert_eq!(ranks(count, percent(level), SURE), expected);
        }

        #[test]
        fn quantiles_rise_with_their_level(mut sample in prop::collection::vec(0_i64..1_000, 72..300)) {
            sample.sort_unstable();
            let values: Vec<_> = LEVELS.iter().map(|level| estimate(&sample, *level, SURE).unwrap().value).collect();
            prop_assert!(values.is_sorted());
        }
    }
}
