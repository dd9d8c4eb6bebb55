//! What holds a date back: the time that each cause has bound, what one unit more of each limit is worth, and how far each uncertain
//! or varied input moves the date.
//!
//! All of it is simulated on the same random numbers, replication by replication (see `cases`): a limit that does not bind moves
//! every date by exactly nothing.

pub mod held;
pub mod limit;

use super::cases::{Case, Run, simulate_keeping};
use super::compare::{Compared, MilestoneShift, Variant, Verdict, compare};
use super::replicate::Watch;
use super::{Draw, Inputs};
use crate::migration::message::{Binding, Milestone};
use crate::scenario::Scenario;
use crate::sim::{HeadOutcome, Outcome};
use held::Held;
use limit::{Limit, limits};

/// The levels at which an uncertain input is held, all else at its draw.
const TENTHS: [f64; 2] = [0.1, 0.9];
/// Those of a number that somebody varies: the ends that were given.
const ENDS: [f64; 2] = [0.0, 1.0];

/// A number that somebody varies. The scenario itself has it as its file does.
pub struct Varied<'a> {
    /// Its key.
    pub key: String,
    /// The scenario with this number anywhere between two ends, and all else as the file has it.
    pub realise: &'a (dyn Fn(&Draw<'_>) -> Scenario + Sync),
}

/// An input that was held at both of its ends.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldInput {
    /// Its key; several where they are correlated: the first one is held, and the others follow it, each with its own draw besides.
    pub keys: Vec<String>,
    /// The levels of its distribution at which it was held.
    pub levels: [f64; 2],
}

impl HeldInput {
    /// Whether somebody varies it, so that its ends are those that were given.
    #[must_use]
    pub fn is_varied(&self) -> bool {
        self.levels[0] <= 0.0
    }
}

/// What holds a scenario's dates back.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Replications of each case.
    pub replications: usize,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// What has bound all heads together.
    pub all: Held,
    /// What has bound each head.
    pub heads: Vec<Held>,
    /// Replications that had not finished by the horizon, by what held them.
    pub unfinished: Vec<(Binding, u32)>,
    /// Mailboxes that are left because they are set aside, mean of the replications: no date waits for them.
    pub set_aside: f64,
    /// The scenario's limits.
    pub limits: Vec<Limit>,
    /// The scenario with one unit more of each of them, in the same order, against the scenario.
    pub values: Compared,
    /// Its uncertain inputs and those that are varied; none where they were not to be held.
    pub inputs: Vec<HeldInput>,
    /// The scenario with each of them at both of its levels, in the same order, against the scenario.
    pub swings: Compared,
}

impl Explained {
    /// The cause that has bound longest, with its share of the time in which heads had their turn.
    #[must_use]
    pub fn leading(&self) -> Option<(Binding, f64)> {
        self.all.causes().first().copied()
    }

    /// What a unit more of each limit does to a milestone, in the order of the limits.
    pub fn worth<'a>(&'a self, milestone: &'a str) -> impl Iterator<Item = (Limit, &'a MilestoneShift)> {
        let of = |(limit, variant): (&Limit, &'a Variant)| Some((*limit, variant.milestone(milestone)?));
        self.limits.iter().zip(&self.values.variants).filter_map(of)
    }

    /// Of the limits of a cause, or of all, the one whose unit surely brings a milestone forward by the most.
    #[must_use]
    pub fn best<'a>(&'a self, milestone: &'a str, cause: Option<Binding>) -> Option<(Limit, &'a MilestoneShift)> {
        let belongs = |limit: Limit| cause.is_none_or(|cause| limit.causes().contains(&cause));
        let days = |one: &MilestoneShift| one.shift.map_or(0.0, |shift| shift.days);
        self.worth(milestone)
            .filter(|(limit, one)| belongs(*limit) && one.verdict == Verdict::Less)
            .min_by(|(_, one), (_, other)| days(one).total_cmp(&days(other)))
    }
}

/// What is kept of a simulation.
struct Kept {
    run: Run,
    /// Of the scenario itself alone.
    base: Option<(Vec<HeadOutcome>, Option<Binding>)>,
}

impl Kept {
    fn of(place: usize, outcome: Outcome) -> Self {
        let run = Run::of(&outcome);
        Self { run, base: (place == 0).then_some((outcome.heads, outcome.unfinished)) }
    }
}

/// How a scenario comes from draws.
type Realise<'a> = Box<dyn Fn(&Draw<'_>) -> Scenario + Sync + 'a>;

/// How many cases are simulated in each replication.
#[must_use]
pub fn cases<W>(inputs: &Inputs<'_, W>, varied: Option<&[Varied<'_>]>) -> u32 {
    (1 + limits(inputs.middle).len() + 2 * held_inputs(inputs, varied).len()) as u32
}

/// Finds what holds the scenario's dates back, with so many replications of each case. Its uncertain inputs are held at their ends, and
/// those that are `varied` as well; where that is none, no input is held.
#[must_use]
pub fn explain<W: Default + Send>(
    inputs: &Inputs<'_, W>,
    varied: Option<&[Varied<'_>]>,
    replications: u32,
    watch: Watch<'_>,
) -> Explained {
    let scenario = inputs.middle;
    let (limits, held) = (limits(scenario), held_inputs(inputs, varied));
    let middles: Vec<Scenario> = limits.iter().map(|limit| limit.raised(scenario)).collect();
    let realise: Vec<Realise<'_>> = realisations(inputs, &limits, &held, varied.unwrap_or_default());
    let middle_of = |place: usize| place.checked_sub(1).and_then(|place| middles.get(place)).unwrap_or(scenario);
    let until = 1 + limits.len();
    let is_uncertain = |place: usize| place >= until || !inputs.uncertain.is_empty();
    let cases: Vec<Case<'_>> = realise
        .iter()
        .enumerate()
        .map(|(place, realise)| Case { middle: middle_of(place), is_uncertain: is_uncertain(place), realise })
        .collect();
    let seed = scenario.forecast.seed;
    let done = simulate_keeping(&cases, seed, (0, replications), inputs.simulate, &Kept::of, watch);
    let (mut runs, mut bases, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for kept in done.done {
        let mut mine = Vec::with_capacity(kept.len());
        for one in kept {
            mine.push(one.run);
            if let Some((heads, end)) = one.base {
                bases.push(heads);
                ends.push(end);
            }
        }
        runs.push(mine);
    }
    let between = |from: usize, to: usize| {
        let those: Vec<Vec<Run>> =
            runs.iter().map(|all| all[..1].iter().chain(&all[from..to]).cloned().collect()).collect();
        compare(&vec![scenario; 1 + to - from], &those, scenario.forecast.confidence)
    };
    let count = |cause| ends.iter().filter(|end| **end == Some(cause)).count() as u32;
    Explained {
        replications: runs.len(),
        interrupted: done.interrupted,
        all: Held::of_all(&bases),
        heads: (0..scenario.heads.len()).map(|head| Held::of_head(&bases, head)).collect(),
        unfinished: Binding::ALL.into_iter().map(|cause| (cause, count(cause))).filter(|(_, many)| *many > 0).collect(),
        set_aside: bases.iter().flatten().map(|head| f64::from(head.excused)).sum::<f64>() / bases.len().max(1) as f64,
        values: between(1, until),
        swings: between(until, realise.len()),
        limits,
        inputs: held.clone(),
    }
}

/// What is held: a number that is uncertain in the file and varied besides is held where somebody wants it.
fn held_inputs<W>(inputs: &Inputs<'_, W>, varied: Option<&[Varied<'_>]>) -> Vec<HeldInput> {
    let Some(varied) = varied else { return Vec::new() };
    let is_varied = |keys: &&Vec<String>| varied.iter().any(|one| keys.contains(&one.key));
    let of_file = inputs.uncertain.iter().filter(|keys| !is_varied(keys));
    let of_file = of_file.map(|keys| HeldInput { keys: keys.clone(), levels: TENTHS });
    of_file.chain(varied.iter().map(|one| HeldInput { keys: vec![one.key.clone()], levels: ENDS })).collect()
}

/// The scenario, then each limit raised, then each input at its ends.
fn realisations<'a, W>(
    inputs: &'a Inputs<'_, W>,
    limits: &[Limit],
    held: &'a [HeldInput],
    varied: &'a [Varied<'_>],
) -> Vec<Realise<'a>> {
    let mut all: Vec<Realise<'a>> = vec![Box::new(|draw| (inputs.realise)(draw))];
    for limit in limits.iter().copied() {
        all.push(Box::new(move |draw| limit.raised(&(inputs.realise)(draw))));
    }
    for input in held {
        let key = &input.keys[0];
        let own = varied.iter().find(|one| one.key == *key).map(|one| one.realise);
        let realise = own.unwrap_or(inputs.realise);
        for level in input.levels {
            all.push(Box::new(move |draw| realise(&|drawn| if drawn == key { level } else { draw(drawn) })));
        }
    }
    all
}

/// Where the milestone that people wait for stands among the scenario's.
#[must_use]
pub fn awaited_place(scenario: &Scenario) -> Option<usize> {
    scenario.milestones.iter().position(|one| *one == Milestone::AllEmptied)
}

/// The milestone that people wait for.
#[must_use]
pub fn awaited(scenario: &Scenario) -> String {
    scenario.milestone_name(&Milestone::AllEmptied)
}

#[cfg(test)]
mod tests;
