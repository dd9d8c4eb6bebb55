//! How much of the spread of a date each uncertain input causes, and how much is chance.
//!
//! Sobol indices by pick-freeze (Sobol 1993, Homma and Saltelli 1996) with the estimator of Janon et al. (ESAIM: P&S 18,
//! 2014). Chance, the draws of the simulation itself, is an input like any other. Two samples of everything, and for each
//! cause a third one that has this cause of the second sample and all else of the first: from the second and the third,
//! which have nothing else in common, comes what the cause does alone; from the first and the third, which have all but
//! it in common, what it does with all others. Inputs that are correlated are one cause.

use super::draw::uniform;
use super::replicate::{Amount, Watch, replicate};
use super::sensitivity::{Part, SECOND, bootstrap};
use super::{Inputs, Replication};
use crate::migration::message::Milestone;
use crate::scenario::Scenario;
use crate::sim::{Outcome, RunId};
use crate::units::{Share, Span, Time};

/// With fewer rows nothing can be said.
pub const FEWEST: u32 = 16;

/// What causes a spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The draws of the simulation: load, faults, outages, sizes.
    Chance,
    /// An uncertain input, or several that are correlated.
    Inputs(Vec<String>),
}

/// What one cause does.
#[derive(Clone, Debug, PartialEq)]
pub struct CauseShare {
    /// Which.
    pub cause: Cause,
    /// Of the variance, what would go in the mean if this were known (first-order index).
    pub alone: Part,
    /// Of the variance, what would stay if all else were known (total index).
    pub in_all: Part,
}

/// Why there are no shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotEstimable {
    /// So many of the simulations have no date.
    NoDate(u32),
    /// Every simulation has the same date.
    NoSpread,
    /// Fewer than `FEWEST` rows.
    TooFew,
}

/// The shares of one milestone's spread.
#[derive(Clone, Debug, PartialEq)]
pub struct MilestoneShares {
    /// Which.
    pub milestone: Milestone,
    /// Standard deviation of its date.
    pub deviation: Span,
    /// By cause, chance last.
    pub causes: Result<Vec<CauseShare>, NotEstimable>,
}

/// The shares of the spread of all dates by which something is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// Rows of the samples.
    pub rows: u32,
    /// Simulations besides those of the forecast.
    pub extra: u32,
    /// By milestone.
    pub milestones: Vec<MilestoneShares>,
}

/// Simulates what is needed beside a forecast's own replications, which are the first sample; none where it was
/// interrupted, or where no input is uncertain.
pub(super) fn shares<W: Default + Send>(
    inputs: &Inputs<'_, W>,
    first: &[Replication],
    rows: u32,
    watch: Watch<'_>,
) -> Option<Shares> {
    let scenario = inputs.middle;
    let causes = inputs.uncertain.len() as u32 + 1;
    let rows = rows.min(first.len() as u32).min(SECOND - 1);
    if inputs.uncertain.is_empty() {
        return None;
    }
    let milestones: Vec<usize> = (0..scenario.milestones.len())
        .filter(|place| matches!(scenario.milestones[*place], Milestone::HeadEmptied { .. } | Milestone::AllEmptied))
        .collect();
    let dates = |outcome: &Outcome| milestones.iter().map(|place| outcome.reached[*place]).collect::<Vec<_>>();
    // The second sample, then each cause of it in the first one.
    let samples = causes + 1;
    let one = |number: u32, kept: &mut W| {
        let (row, sample) = (number / samples, number % samples);
        let run = |is_second: bool| RunId {
            seed: scenario.forecast.seed,
            replication: row + if is_second { SECOND } else { 0 },
        };
        let of_second = |cause: u32| sample == 0 || sample == cause + 1;
        let draw = |key: &str| {
            let cause = inputs.uncertain.iter().position(|keys| keys.iter().any(|known| known == key));
            uniform(run(cause.is_some_and(|cause| of_second(cause as u32))), key)
        };
        let drawn = (inputs.realise)(&draw);
        dates(&(inputs.simulate)(&drawn, run(of_second(causes - 1)), kept))
    };
    let extra = rows * samples;
    let done = replicate(Amount::exactly(extra), watch, &one, &|_| true);
    if done.interrupted {
        return None;
    }
    let of_milestone = |(place, milestone): (usize, &usize)| {
        let column = |sample: u32| -> Vec<Option<Time>> {
            (0..rows).map(|row| done.done[(row * samples + sample) as usize][place]).collect()
        };
        let own: Vec<Option<Time>> =
            first[..rows as usize].iter().map(|replication| replication.outcome.reached[*milestone]).collect();
        let columns: Vec<Vec<Option<Time>>> = (0..samples).map(column).collect();
        estimate(scenario, scenario.milestones[*milestone], &own, &columns, &inputs.uncertain)
    };
    Some(Shares { rows, extra, milestones: milestones.iter().enumerate().map(of_milestone).collect() })
}

fn estimate(
    scenario: &Scenario,
    milestone: Milestone,
    first: &[Option<Time>],
    others: &[Vec<Option<Time>>],
    uncertain: &[Vec<String>],
) -> MilestoneShares {
    let days = |dates: &[Option<Time>]| -> Vec<f64> {
        dates.iter().flatten().map(|date| date.since(scenario.as_of).days()).collect()
    };
    let (first_days, others_days): (Vec<f64>, Vec<Vec<f64>>) =
        (days(first), others.iter().map(|one| days(one)).collect());
    let all = || first_days.iter().chain(others_days.iter().flatten());
    let missing = first.len() * (others.len() + 1) - all().count();
    let mean = all().sum::<f64>() / all().count().max(1) as f64;
    let variance = all().map(|day| (day - mean).powi(2)).sum::<f64>() / all().count().max(1) as f64;
    let deviation = Span::from_secs_f64(variance.sqrt() * 86_400.0);
    let causes = if missing > 0 {
        Err(NotEstimable::NoDate(missing as u32))
    } else if first.len() < FEWEST as usize {
        Err(NotEstimable::TooFew)
    } else if variance <= 0.0 {
        Err(NotEstimable::NoSpread)
    } else {
        let causes = uncertain.iter().cloned().map(Cause::Inputs).chain([Cause::Chance]);
        let confidence = scenario.forecast.confidence;
        let one = |(place, cause): (usize, Cause)| {
            let third = others_days[place + 1].as_slice();
            let seed = scenario.forecast.seed.wrapping_add(place as u64);
            let alone = part(&others_days[0], third, seed, confidence);
            let with_the_rest = part(&first_days, third, seed, confidence);
            let in_all =
                Part { value: 1.0 - with_the_rest.value, low: 1.0 - with_the_rest.high, high: 1.0 - with_the_rest.low };
            CauseShare { cause, alone, in_all }
        };
        Ok(causes.enumerate().map(one).collect())
    };
    MilestoneShares { milestone, deviation, causes }
}

/// What two columns that share some causes and no others say these do: the estimate, and its bootstrap interval over rows.
fn part(one: &[f64], other: &[f64], seed: u64, confidence: Share) -> Part {
    bootstrap(one.len(), (seed, 0x5ba2_e500), confidence, &|rows| closed(rows.map(|row| (one[row], other[row]))))
}

/// The share of the variance that two columns have in common, from their pairs.
fn closed(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut count, mut sum, mut squares, mut product) = (0.0, 0.0, 0.0, 0.0);
    let mut origin = None;
    for (one, other) in pairs {
        // Far from zero the differences of squares would lose their digits.
        let origin = *origin.get_or_insert(one);
        let (one, other) = (one - origin, other - origin);
        count += 1.0;
        sum += f64::midpoint(one, other);
        squares += f64::midpoint(one * one, other * other);
        product += one * other;
    }
    let mean = sum / count;
    let variance = squares / count - mean * mean;
    (product / count - mean * mean) / variance
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;
    use std::sync::atomic::AtomicBool;

    use super::super::Draw;
    use super::super::testing::{after, outcome, scenario};
    use super::*;

    /// The shares of a date that a formula gives, in days, of the inputs' uniform numbers and of chance's.
    fn shares_of(inputs: usize, rows: u32, day: &(dyn Fn(&[f64], f64) -> Option<f64> + Sync)) -> MilestoneShares {
        let (middle, stop) = (scenario(), AtomicBool::new(false));
        let keys: Vec<Vec<String>> = (0..inputs).map(|number| vec![format!("input-{number}")]).collect();
        let simulate = |scenario: &Scenario, run: RunId, (): &mut ()| {
            let drawn: Vec<f64> = scenario.name.split(' ').filter_map(|word| word.parse().ok()).collect();
            let day = day(&drawn, uniform(run, "chance"));
            let mut outcome = outcome(run.replication, 30.0);
            *outcome.reached.last_mut().unwrap() = day.map(after);
            outcome
        };
        let realise = |draw: &Draw<'_>| {
            let drawn: Vec<String> = keys.iter().map(|keys| format!("{:.17}", draw(&keys[0]))).collect();
            Scenario { name: drawn.join(" "), ..middle.clone() }
        };
        let inputs = Inputs { middle: &middle, uncertain: keys.clone(), realise: &realise, simulate: &simulate };
        let watch = Watch { stop: &stop, progress: &|_, _| {} };
        let first: Vec<Replication> = (0..rows)
            .map(|replication| {
                let run = RunId { seed: middle.forecast.seed, replication };
                let outcome = simulate(&realise(&|key| uniform(run, key)), run, &mut ());
                Replication { outcome, thresholds: Vec::new(), inode_thresholds: Vec::new() }
            })
            .collect();
        shares(&inputs, &first, rows, watch).unwrap().milestones.pop().unwrap()
    }

    fn near(found: &[f64], wanted: &[f64], within: f64) {
        let off = found.iter().zip(wanted).map(|(found, wanted)| (found - wanted).abs()).fold(0.0, f64::max);
        assert!(found.len() == wanted.len() && off < within, "{found:?}, not {wanted:?}");
    }

    #[test]
    fn ishigamis_function_has_its_published_shares() {
        // Chance is the third of its inputs.
        let day = |drawn: &[f64], chance: f64| {
            let [one, two, three] = [drawn[0], drawn[1], chance].map(|u| PI * (2.0 * u - 1.0));
            Some(20.0 + one.sin() + 7.0 * two.sin().powi(2) + 0.1 * three.powi(4) * one.sin())
        };
        let found = shares_of(2, 8_192, &day);
        let causes = found.causes.unwrap();
        let of = |part: fn(&CauseShare) -> f64| causes.iter().map(part).collect::<Vec<_>>();
        near(&of(|one| one.alone.value), &[0.3139, 0.4424, 0.0], 0.03);
        near(&of(|one| one.in_all.value), &[0.5576, 0.4424, 0.2437], 0.03);
        assert!((found.deviation.days() - 13.845_f64.sqrt()).abs() < 0.06, "{}", found.deviation);
        for one in &causes {
            for part in [one.alone, one.in_all] {
                assert!(part.low < part.value && part.value < part.high && part.high - part.low < 0.08, "{part:?}");
            }
        }
        assert_eq!(causes[2].cause, Cause::Chance);
    }

    #[test]
    fn intervals_contain_the_truth_about_as_often_as_they_say() {
        // Three independent causes that add up: one half, a third, a sixth.
        let truth: [f64; 3] = [0.5, 1.0 / 3.0, 1.0 / 6.0];
        let mut hits = [0_u32; 3];
        let repeats = 60;
        for repeat in 0..repeats {
            let seed = f64::from(repeat) * 0.017_3;
            let day = |drawn: &[f64], chance: f64| {
                let shifted = |u: f64| (u + seed).fract() * 12.0_f64.sqrt();
                let [one, two, three] = [drawn[0], drawn[1], chance].map(shifted);
                Some(30.0 + one * truth[0].sqrt() + two * truth[1].sqrt() + three * truth[2].sqrt())
            };
            let causes = shares_of(2, 60, &day).causes.unwrap();
            for (hit, (one, truth)) in hits.iter_mut().zip(causes.iter().zip(truth)) {
                *hit += u32::from(one.alone.low <= truth && truth <= one.alone.high);
            }
        }
        assert!(hits.iter().all(|hit| *hit * 100 >= 80 * repeats), "{hits:?} of {repeats}");
    }

    #[test]
    fn what_has_no_date_or_no_spread_has_no_shares() {
        let constant = shares_of(1, 20, &|_, _| Some(25.0));
        assert_eq!((constant.causes, constant.deviation), (Err(NotEstimable::NoSpread), Span::ZERO));
        let some = shares_of(1, 40, &|drawn, _| (drawn[0] < 0.9).then_some(20.0 + drawn[0]));
        assert!(matches!(some.causes, Err(NotEstimable::NoDate(count)) if (1..40).contains(&count)), "{some:?}");
        let few = shares_of(1, FEWEST - 1, &|drawn, _| Some(20.0 + drawn[0]));
        assert_eq!(few.causes, Err(NotEstimable::TooFew));
    }

    #[test]
    fn an_input_that_does_nothing_has_a_share_of_exactly_nothing_with_the_others() {
        let causes = shares_of(2, 50, &|drawn, chance| Some(20.0 + drawn[0] + chance)).causes.unwrap();
        assert!(causes[1].in_all.value.abs() < 1e-9, "{:?}", causes[1]);
        assert!(causes[0].in_all.value > 0.3 && causes[2].in_all.value > 0.3);
    }
}
