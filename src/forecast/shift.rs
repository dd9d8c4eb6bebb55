//! How much later a date comes in one set of replications than in another, with an interval.
//!
//! The shift is one of restricted means (Royston and Parmar, BMC Med. Res. Methodol. 13:152, 2013): a date that lies at or
//! after a bound, or is never reached, counts as the bound. Where no date does, it is the shift of the plain means. It adds up
//! over steps from one set to the next, which a shift of quantiles does not; the intervals are Student's.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF as _, StudentsT};

use super::quantile::wilson;
use crate::units::{Share, Span, Time};

/// With fewer replications there is no interval.
pub const FEWEST: usize = 5;

/// A shift in days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Later where positive.
    pub days: f64,
    /// Standard error of `days`.
    pub error: f64,
    /// Degrees of freedom of `error`; without a bound where that is known exactly.
    pub freedom: f64,
    /// Replications, of both sets, whose date is the bound.
    pub bounded: usize,
}

/// What a shift means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// By more than the margin, and surely later.
    Later,
    /// By more than the margin, and surely earlier.
    Earlier,
    /// Within the margin for sure.
    Unchanged,
    /// None of these: it can be noise, or lies about the margin.
    WithinNoise,
    /// None of these, and some dates lie beyond the horizon: nobody knows how far.
    Open,
}

impl Change {
    /// The word in reports and data files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Later => "later",
            Self::Earlier => "earlier",
            Self::Unchanged => "unchanged",
            Self::WithinNoise => "unchanged within noise",
            Self::Open => "not known beyond the horizon",
        }
    }
}

impl Shift {
    /// No shift at all, known exactly.
    pub const NONE: Self = Self { days: 0.0, error: 0.0, freedom: f64::INFINITY, bounded: 0 };

    /// From one set to another that has the same random numbers, replication by replication, as far as both go; `None` with fewer
    /// than `FEWEST`.
    #[must_use]
    pub fn paired(before: &[Option<Time>], after: &[Option<Time>], bound: Time) -> Option<Self> {
        let bounded = at(before, bound) + at(after, bound);
        Some(Self { bounded, ..Self::of(&differences(before, after, bound))? })
    }

    /// The mean of some differences in days; `None` with fewer than `FEWEST`.
    #[must_use]
    pub fn of(differences: &[f64]) -> Option<Self> {
        if differences.len() < FEWEST {
            return None;
        }
        let (days, variance) = moments(differences);
        let count = differences.len() as f64;
        Some(Self { days, error: (variance / count).sqrt(), freedom: count - 1.0, bounded: 0 })
    }

    /// From one set to another that has nothing in common with it (Welch); `None` with fewer than `FEWEST` in either.
    #[must_use]
    pub fn unpaired(before: &[Option<Time>], after: &[Option<Time>], bound: Time) -> Option<Self> {
        if before.len().min(after.len()) < FEWEST {
            return None;
        }
        let side = |dates: &[Option<Time>]| {
            let days: Vec<f64> = dates.iter().map(|date| restricted(*date, bound).since(bound).days()).collect();
            let (mean, variance) = moments(&days);
            let error = (variance / days.len() as f64).sqrt();
            Self { days: mean, error, freedom: (days.len() - 1) as f64, bounded: at(dates, bound) }
        };
        let (before, after) = (side(before), side(after));
        Some(Self { days: -before.days, ..before }.and(after))
    }

    /// This one and then another that does not depend on it; the degrees of freedom are Welch's and Satterthwaite's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (one, two) = (self.error * self.error, other.error * other.error);
        let sum = one + two;
        let freedom =
            if sum > 0.0 { sum * sum / (one * one / self.freedom + two * two / other.freedom) } else { f64::INFINITY };
        Self { days: self.days + other.days, error: sum.sqrt(), freedom, bounded: self.bounded + other.bounded }
    }

    /// Whether not one replication has moved.
    #[must_use]
    pub fn is_exactly_none(&self) -> bool {
        self.days == 0.0 && self.error == 0.0
    }

    /// Student's interval.
    #[must_use]
    pub fn interval(&self, confidence: Share) -> (f64, f64) {
        if self.error <= 0.0 {
            return (self.days, self.days);
        }
        let upper = 0.5 + confidence.fraction() / 2.0;
        // A very large number of degrees of freedom stands for none: its quantiles are those of the normal law.
        let student =
            StudentsT::new(0.0, 1.0, self.freedom.clamp(1.0, 1e6)).map_or(f64::INFINITY, |law| law.inverse_cdf(upper));
        (self.days - student * self.error, self.days + student * self.error)
    }

    /// How probable a shift this far from none is where there is none (Student, both sides).
    #[must_use]
    pub fn p_value(&self) -> f64 {
        if self.is_exactly_none() {
            return 1.0;
        }
        if self.error <= 0.0 {
            return 0.0;
        }
        let law = StudentsT::new(0.0, 1.0, self.freedom.clamp(1.0, 1e6));
        law.map_or(1.0, |law| 2.0 * law.cdf(-(self.days / self.error).abs()))
    }

    /// What it means.
    #[must_use]
    pub fn change(&self, confidence: Share, margin: Span) -> Change {
        let (low, high) = self.interval(confidence);
        let margin = margin.days();
        if low > 0.0 && self.days >= margin && self.days > 0.0 {
            Change::Later
        } else if high < 0.0 && self.days <= -margin {
            Change::Earlier
        } else if low >= -margin && high <= margin && (self.bounded == 0 || self.is_exactly_none()) {
            // What lies beyond the bound may have moved.
            Change::Unchanged
        } else if self.bounded > 0 {
            Change::Open
        } else {
            Change::WithinNoise
        }
    }
}

/// Whether surely fewer replications are done by the bound than were done by the margin before it: then the date has surely become
/// later, by more than the margin at some level, however far beyond the bound it lies. `are_pairs` where replications have the same
/// random numbers: then those that differ decide (`McNemar`, exact), else Wilson's intervals.
#[must_use]
pub fn fewer_reach(
    before: &[Option<Time>],
    after: &[Option<Time>],
    bound: Time,
    confidence: Share,
    margin: Span,
    are_pairs: bool,
) -> bool {
    let was = |date: &Option<Time>| date.is_some_and(|date| date < bound && bound.since(date) >= margin);
    let is = |date: &Option<Time>| date.is_some_and(|date| date < bound);
    if !are_pairs {
        let (were, are) =
            (before.iter().filter(|date| was(date)).count(), after.iter().filter(|date| is(date)).count());
        return wilson(are, after.len(), confidence).1 < wilson(were, before.len(), confidence).0;
    }
    let pairs = || before.iter().zip(after).map(|(before, after)| (was(before), is(after)));
    let lost = pairs().filter(|pair| *pair == (true, false)).count() as u64;
    let won = pairs().filter(|pair| *pair == (false, true)).count() as u64;
    let law = Binomial::new(0.5, lost + won);
    lost > 0 && law.is_ok_and(|law| law.sf(lost - 1) <= (1.0 - confidence.fraction()) / 2.0)
}

/// By how many days each date comes later than before, as far as both go; dates from the bound on count as the bound.
#[must_use]
pub fn differences(before: &[Option<Time>], after: &[Option<Time>], bound: Time) -> Vec<f64> {
    let pairs = before.iter().zip(after);
    pairs.map(|(before, after)| restricted(*after, bound).since(restricted(*before, bound)).days()).collect()
}

fn restricted(date: Option<Time>, bound: Time) -> Time {
    date.map_or(bound, |date| date.min(bound))
}

fn at(dates: &[Option<Time>], bound: Time) -> usize {
    dates.iter().filter(|date| restricted(**date, bound) == bound).count()
}

/// Mean and variance of a sample of at least two; exactly none where all of it is one number, of which sums leave a little.
fn moments(sample: &[f64]) -> (f64, f64) {
    if sample.iter().all(|one| one.total_cmp(&sample[0]).is_eq()) {
        return (sample[0], 0.0);
    }
    let count = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / count;
    let squares: f64 = sample.iter().map(|one| (one - mean) * (one - mean)).sum();
    (mean, squares / (count - 1.0))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_distr::{Distribution as _, Gamma};
    use rand_pcg::Pcg64Dxsm;

    use super::*;
    use crate::forecast::testing::after;

    const SURE: Share = Share::from_ppm(990_000);
    const MARGIN: Span = Span::from_secs(6 * 3_600);

    fn dates(days: &[f64]) -> Vec<Option<Time>> {
        days.iter().map(|days| Some(after(*days))).collect()
    }

    /// Skewed, as dates are: a standard deviation of three days.
    fn drawn(seed: u64, count: usize, later: f64) -> Vec<Option<Time>> {
        let law = Gamma::new(4.0, 1.5).unwrap();
        let mut generator = Pcg64Dxsm::seed_from_u64(seed);
        (0..count).map(|_| Some(after(20.0 + later + law.sample(&mut generator)))).collect()
    }

    #[test]
    fn the_same_dates_have_not_moved_at_all() {
        let same = drawn(1, 200, 0.0);
        let shift = Shift::paired(&same, &same, after(60.0)).unwrap();
        assert_eq!((shift.days, shift.interval(SURE)), (0.0, (0.0, 0.0)));
        assert_eq!(shift.change(SURE, MARGIN), Change::Unchanged);
        assert_eq!(shift.change(SURE, Span::ZERO), Change::Unchanged);
    }

    #[test]
    fn differences_that_are_all_the_same_leave_no_doubt() {
        for days in [0.1, 1.0 / 3.0, 2.7] {
            let shift = Shift::of(&[days; 7]).unwrap();
            assert_eq!((shift.days, shift.error, shift.interval(SURE)), (days, 0.0, (days, days)));
        }
    }

    #[test]
    fn pairs_tell_what_their_spread_would_hide() {
        let before = drawn(2, 50, 0.0);
        let moved: Vec<_> = before.iter().map(|date| date.map(|date| date + Span::from_secs(86_400))).collect();
        let shift = Shift::paired(&before, &moved, after(90.0)).unwrap();
        assert!((shift.days - 1.0).abs() < 1e-9, "{shift:?}");
        assert_eq!(shift.change(SURE, MARGIN), Change::Later);
        assert_eq!(Shift::paired(&moved, &before, after(90.0)).unwrap().change(SURE, MARGIN), Change::Earlier);
        let apart = Shift::unpaired(&before, &moved, after(90.0)).unwrap();
        assert!((apart.days - 1.0).abs() < 1e-9 && apart.change(SURE, MARGIN) == Change::WithinNoise, "{apart:?}");
    }

    /// A textbook case: Welch's t for two samples, worked out by hand.
    #[test]
    fn students_intervals_are_the_known_ones() {
        let shift = Shift::paired(&dates(&[1.0, 2.0, 3.0, 4.0, 5.0]), &dates(&[2.0, 4.0, 4.0, 6.0, 6.0]), after(60.0));
        // Differences 1, 2, 1, 2, 1: mean 1.4, variance 0.3, error 0.2449; t(4, 97.5 %) = 2.7764.
        let shift = shift.unwrap();
        let (low, high) = shift.interval(Share::from_ppm(950_000));
        assert!((low - (1.4 - 2.776_445 * 0.06_f64.sqrt())).abs() < 1e-4, "{low}");
        assert!((high - (1.4 + 2.776_445 * 0.06_f64.sqrt())).abs() < 1e-4, "{high}");
        let one = dates(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let two = dates(&[2.0, 6.0, 4.0, 8.0, 10.0]);
        // Variances 2.5 and 10, both over 5: (0.5 + 2)^2 / ((0.25 + 4) / 4).
        assert!((Shift::unpaired(&one, &two, after(60.0)).unwrap().freedom - 5.882_353).abs() < 1e-5);
    }

    #[test]
    fn a_date_beyond_the_bound_counts_as_the_bound_and_is_told() {
        let before = [Some(after(10.0)), Some(after(20.0)), None, Some(after(12.0)), Some(after(12.0))];
        let later = [Some(after(11.0)), None, None, Some(after(13.0)), Some(after(13.0))];
        let shift = Shift::paired(&before, &later, after(25.0)).unwrap();
        assert!((shift.days - (1.0 + 5.0 + 0.0 + 1.0 + 1.0) / 5.0).abs() < 1e-9, "{shift:?}");
        assert_eq!(shift.bounded, 3);
        assert_eq!(Shift::paired(&before[..4], &later, after(25.0)), None, "too few");
    }

    #[test]
    fn intervals_hold_what_they_say() {
        let holds = |paired: bool| {
            (0..2_000_u64)
                .filter(|seed| {
                    let (one, two) = (drawn(seed * 2, 40, 0.0), drawn(seed * 2 + 1, 40, 0.7));
                    let shift = if paired {
                        Shift::paired(&one, &two, after(900.0))
                    } else {
                        Shift::unpaired(&one, &two, after(900.0))
                    };
                    let (low, high) = shift.unwrap().interval(Share::from_ppm(900_000));
                    low <= 0.7 && 0.7 <= high
                })
                .count() as f64
                / 2_000.0
        };
        // 90 %, give or take three standard errors of the count.
        assert!(
            (holds(true) - 0.9).abs() < 0.022 && (holds(false) - 0.9).abs() < 0.022,
            "{} {}",
            holds(true),
            holds(false)
        );
    }
}
