//! The planner's expectations as gates: pass, fail, or inconclusive.

use super::quantile::{When, exact};
use crate::scenario::Expectation;
use crate::units::{Share, Time};

/// What an expectation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval is at or above the wanted probability.
    Pass,
    /// The whole interval is below it.
    Fail,
    /// The interval straddles it: more replications would tell.
    Inconclusive,
}

impl Verdict {
    /// The word in reports and data files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// How probable an expected date is.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// What is expected.
    pub expectation: Expectation,
    /// Share of the replications that were in time.
    pub probability: f64,
    /// Exact interval of the probability (Clopper-Pearson), lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Pass, fail, or inconclusive.
    pub verdict: Verdict,
    /// Whether its date has passed before the forecast starts: what happened is known, and nothing was simulated for it.
    pub has_passed: bool,
    /// Whether its milestone had been reached before the forecast starts, and so in time, its date being still ahead.
    pub has_happened: bool,
}

/// Judges an expectation by when its milestone came in each replication of a forecast that starts at `start`. What had been
/// reached by then is a fact, of which more replications would tell no more.
///
/// A date past the horizon leaves censored replications undecided: the interval then reaches from all of them being too
/// late to all of them being in time. The interval is the exact one, so that with 95 % confidence no more than 2.5 % of the
/// forecasts fail what is true, and no more pass what is not, however close to certainty the wanted probability lies.
#[must_use]
pub fn judge(
    expectation: &Expectation,
    sample: &[When],
    (start, horizon): (Time, Time),
    confidence: Share,
) -> Expected {
    let had_come = |when: &When| when.time().is_some_and(|time| time <= start && time < expectation.before);
    if !sample.is_empty() && sample.iter().all(had_come) {
        return Expected {
            expectation: expectation.clone(),
            probability: 1.0,
            low: 1.0,
            high: 1.0,
            verdict: Verdict::Pass,
            has_passed: false,
            has_happened: true,
        };
    }
    let horizon_first = expectation.before > horizon;
    let in_time = sample.iter().filter(|when| when.time().is_some_and(|time| time < expectation.before)).count();
    let open = if horizon_first { sample.iter().filter(|when| **when == When::AfterHorizon).count() } else { 0 };
    let low = exact(in_time, sample.len(), confidence).0;
    let high = exact(in_time + open, sample.len(), confidence).1;
    let wanted = expectation.probability.fraction();
    let verdict = if low >= wanted {
        Verdict::Pass
    } else if high < wanted {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    };
    let probability = if sample.is_empty() { 0.0 } else { in_time as f64 / sample.len() as f64 };
    Expected {
        expectation: expectation.clone(),
        probability,
        low,
        high,
        verdict,
        has_passed: false,
        has_happened: false,
    }
}

/// Judges an expectation whose date has passed, by when its milestone was reached, if it was.
#[must_use]
pub fn judge_past(expectation: &Expectation, reached: Reached) -> Expected {
    let (low, high, verdict) = match reached {
        Reached::At(time) if time < expectation.before => (1.0, 1.0, Verdict::Pass),
        Reached::At(_) | Reached::NotYet => (0.0, 0.0, Verdict::Fail),
        Reached::NobodyKnowsWhen => (0.0, 1.0, Verdict::Inconclusive),
    };
    Expected {
        expectation: expectation.clone(),
        probability: low,
        low,
        high,
        verdict,
        has_passed: true,
        has_happened: false,
    }
}

/// When a milestone was reached that an expectation waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Then.
    At(Time),
    /// Not before the forecast starts.
    NotYet,
    /// It was reached before anybody wrote down when.
    NobodyKnowsWhen,
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::migration::message::Milestone;

    const SURE: Share = Share::from_ppm(950_000);
    /// Where a forecast starts and ends, with the date ahead of its end, and beyond it.
    const AHEAD: (Time, Time) = (Time::from_unix_micros(0), Time::from_unix_micros(1_000));
    const CUT: (Time, Time) = (Time::from_unix_micros(0), Time::from_unix_micros(50));

    fn expectation(wanted_ppm: u32) -> Expectation {
        Expectation {
            milestone: Milestone::AllEmptied,
            before: Time::from_unix_micros(100),
            by: "1970-01-01".into(),
            probability: Share::from_ppm(wanted_ppm),
        }
    }

    fn sample(in_time: usize, too_late: usize, censored: usize) -> Vec<When> {
        let at = |micros, count| std::iter::repeat_n(When::At(Time::from_unix_micros(micros)), count);
        at(99, in_time).chain(at(100, too_late)).chain(std::iter::repeat_n(When::AfterHorizon, censored)).collect()
    }

    #[test]
    fn the_verdict_follows_the_interval() {
        for (in_time, verdict) in [(90, Verdict::Pass), (80, Verdict::Inconclusive), (60, Verdict::Fail)] {
            let expected = judge(&expectation(800_000), &sample(in_time, 100 - in_time, 0), AHEAD, SURE);
            assert_eq!(expected.verdict, verdict, "{expected:?}");
        }
    }

    /// The chance of every count, summed over those that get the wrong verdict. By Wilson's interval 99 % of 200 failed in 5.2 %.
    #[test]
    fn a_wrong_verdict_is_no_likelier_than_half_of_what_the_confidence_leaves() {
        use statrs::distribution::{Binomial, Discrete};
        for wanted_ppm in [10_000, 100_000, 500_000, 800_000, 900_000, 950_000, 980_000, 990_000, 995_000, 999_000] {
            let expectation = expectation(wanted_ppm);
            for count in [5, 20, 50, 100, 200, 300] {
                let law = Binomial::new(expectation.probability.fraction(), count as u64).unwrap();
                let (mut failed, mut passed) = (0.0, 0.0);
                for in_time in 0..=count {
                    let chance = law.pmf(in_time as u64);
                    match judge(&expectation, &sample(in_time, count - in_time, 0), AHEAD, SURE).verdict {
                        // Wrong where the truth is just what is wanted, and where it is a hair below.
                        Verdict::Fail => failed += chance,
                        Verdict::Pass => passed += chance,
                        Verdict::Inconclusive => {}
                    }
                }
                assert!(
                    failed <= 0.025 && passed <= 0.025,
                    "{wanted_ppm} ppm of {count}: {failed} fail, {passed} pass"
                );
            }
        }
    }

    #[test]
    fn the_first_instant_that_is_too_late_is_too_late() {
        assert_eq!(judge(&expectation(500_000), &sample(0, 10, 0), AHEAD, SURE).probability, 0.0);
        assert_eq!(judge(&expectation(500_000), &sample(10, 0, 0), AHEAD, SURE).probability, 1.0);
    }

    #[test]
    fn censored_replications_are_late_for_a_date_before_the_horizon() {
        assert_eq!(judge(&expectation(500_000), &sample(10, 0, 90), AHEAD, SURE).verdict, Verdict::Fail);
    }

    #[test]
    fn censored_replications_decide_nothing_about_a_date_past_the_horizon() {
        assert_eq!(judge(&expectation(500_000), &sample(10, 0, 90), CUT, SURE).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn without_a_replication_nothing_is_known() {
        assert_eq!(judge(&expectation(500_000), &[], AHEAD, SURE).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_had_happened_when_the_forecast_starts_is_no_matter_of_chance() {
        let started = (Time::from_unix_micros(99), Time::from_unix_micros(1_000));
        let known = judge(&expectation(990_000), &sample(3, 0, 0), started, SURE);
        assert_eq!((known.verdict, known.low, known.has_happened), (Verdict::Pass, 1.0, true));
        // In one of them it has not.
        assert!(!judge(&expectation(990_000), &sample(3, 1, 0), started, SURE).has_happened);
        assert_eq!(judge(&expectation(990_000), &sample(3, 0, 0), AHEAD, SURE).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_is_past_is_judged_by_what_happened() {
        let verdict = |reached| judge_past(&expectation(800_000), reached).verdict;
        assert_eq!(verdict(Reached::At(Time::from_unix_micros(99))), Verdict::Pass);
        assert_eq!(verdict(Reached::At(Time::from_unix_micros(100))), Verdict::Fail);
        assert_eq!(verdict(Reached::NotYet), Verdict::Fail);
        assert_eq!(verdict(Reached::NobodyKnowsWhen), Verdict::Inconclusive);
    }
}
