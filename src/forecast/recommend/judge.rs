//! What fresh replications say of the plans that a search has found, and how many of them it takes.

use super::{FINALISTS, Goal};
use crate::forecast::cases::Run;
use crate::forecast::compare::Compared;
use crate::forecast::multiple::bonferroni;
use crate::forecast::quantile::{When, estimable, exact};
use crate::units::Share;

impl Goal {
    /// The same with conditions that have to be kept in so many replications that `fresh` ones of each of the best can tell that they are
    /// kept with the probabilities asked for. A search that ranked by these alone would bring plans that lie just on them, of which
    /// no check can be sure.
    #[must_use]
    pub fn with_margin(&self, fresh: u32, confidence: Share) -> Self {
        let each = each(self, FINALISTS + 1, confidence);
        let mut goal = self.clone();
        for condition in &mut goal.conditions {
            let bar = condition.with;
            let tells = |kept: u32| exact(kept as usize, fresh as usize, each).0 >= bar.fraction();
            // Where even all of them could not tell, all of them is nearest to it.
            let needed = first_where(fresh.max(1), tells).unwrap_or(fresh.max(1));
            let share = (f64::from(needed) / f64::from(fresh.max(1)) * 1e6).floor() as u32;
            condition.with = bar.max(Share::from_ppm(share));
        }
        goal
    }
}

/// What fresh replications say of a plan and its conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It surely keeps all of them.
    Keeps,
    /// More replications would tell.
    NotSure,
    /// It surely does not keep one of them.
    Breaks,
    /// Surely in too few replications for the goal's level is the date reached by the horizon.
    NotReached,
}

/// How a condition does in fresh replications.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// The replications in which it is kept to their end, as a share.
    pub share: f64,
    /// The replications that keep it as far as the horizon, which cut them off, as a share.
    pub unknown: f64,
    /// The exact interval of the share (Clopper-Pearson): from its low end with all that is unknown not kept to its high end with all of that kept.
    pub interval: (f64, f64),
}

/// What fresh replications say of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// By the goal's conditions.
    pub kept: Vec<Kept>,
    /// All together.
    pub verdict: Verdict,
}

/// Judges a plan on replications that the search has not seen. The intervals of all `plans` that are judged beside each other, and of all
/// conditions, hold together with `confidence` (Bonferroni).
#[must_use]
pub fn judge(goal: &Goal, place: usize, runs: &[Run], plans: usize, confidence: Share) -> Judged {
    let each = each(goal, plans, confidence);
    let kept: Vec<Kept> = goal
        .conditions
        .iter()
        .map(|condition| {
            let (kept, unknown) = (condition.kept(runs), condition.unknown(runs));
            let share = |part: usize| part as f64 / runs.len().max(1) as f64;
            let interval = (exact(kept, runs.len(), each).0, exact(kept + unknown, runs.len(), each).1);
            Kept { share: share(kept), unknown: share(unknown), interval }
        })
        .collect();
    let bars = || goal.conditions.iter().map(|condition| condition.with.fraction()).zip(&kept);
    let reached = runs.iter().filter(|run| matches!(run.dates[place], When::At(_))).count();
    let verdict = if runs.is_empty() {
        Verdict::NotSure
    } else if exact(reached, runs.len(), each).1 < goal.level.fraction() {
        Verdict::NotReached
    } else if bars().any(|(bar, kept)| kept.interval.1 < bar) {
        Verdict::Breaks
    } else if (reached as f64) < goal.level.fraction() * runs.len() as f64 {
        // There is no date at that level, and more replications might have one.
        Verdict::NotSure
    } else if bars().all(|(bar, kept)| kept.interval.0 >= bar) {
        Verdict::Keeps
    } else {
        Verdict::NotSure
    };
    Judged { kept, verdict }
}

/// The case to recommend: the first, in the search's `order`, that surely keeps the conditions. Where the plan as it is, case 0, keeps
/// them, another one has to be surely earlier at the goal's level: nobody changes a plan for nothing. Where it keeps them and so does
/// another one, and the replications are too few to tell anything of that level, none.
#[must_use]
pub fn choose(goal: &Goal, milestone: &str, judged: &[Judged], order: &[usize], compared: &Compared) -> Option<usize> {
    let keeps = |case: usize| judged.get(case).is_some_and(|one| one.verdict == Verdict::Keeps);
    let mut others = order.iter().copied().filter(|case| *case > 0 && keeps(*case));
    if !keeps(0) {
        return others.next();
    }
    if !estimable(compared.replications, goal.level, compared.each) {
        return others.next().is_none().then_some(0);
    }
    others.find(|case| is_earlier(goal, milestone, *case, compared)).or(Some(0))
}

/// Whether a case is surely earlier than the first at the goal's level.
fn is_earlier(goal: &Goal, milestone: &str, case: usize, compared: &Compared) -> bool {
    let one = compared.variants.get(case - 1).and_then(|variant| variant.milestone(milestone));
    let at = one.and_then(|one| one.levels.iter().find(|at| at.level == goal.level));
    at.and_then(|at| at.interval).is_some_and(|(_, high)| high < 0.0)
}

fn each(goal: &Goal, plans: usize, confidence: Share) -> Share {
    let all = plans.max(1) * goal.conditions.len().max(1);
    Share::from_ppm((bonferroni(confidence, all) * 1e6).round().min(999_999.0) as u32)
}

/// More replications are not thought of.
const MOST: u32 = 1 << 20;

/// The fewest fresh replications that could say for sure that the conditions are kept: all of them would have to keep them.
#[must_use]
pub fn fewest(goal: &Goal, confidence: Share) -> u32 {
    // The plan as it is is judged beside the best.
    let each = each(goal, FINALISTS + 1, confidence);
    let strictest = goal.conditions.iter().map(|condition| condition.with).max().unwrap_or(Share::ZERO);
    let tells = |count: u32| exact(count as usize, count as usize, each).0 >= strictest.fraction();
    first_where(MOST, tells).unwrap_or(MOST)
}

/// The fewest fresh replications of which the dates of the best, and of the plan as it is, can be held against each other at the goal's
/// level.
#[must_use]
pub fn fewest_for_level(goal: &Goal, confidence: Share) -> u32 {
    let each = Share::from_ppm((bonferroni(confidence, FINALISTS) * 1e6).round() as u32);
    first_where(MOST, |count| estimable(count as usize, goal.level, each)).unwrap_or(MOST)
}

/// The least number from 1 to `most` at which `holds`, which goes on holding as numbers rise.
fn first_where(most: u32, holds: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut no, mut yes) = (0, most + 1);
    while yes - no > 1 {
        let middle = no.midpoint(yes);
        if holds(middle) { yes = middle } else { no = middle }
    }
    (yes <= most).then_some(yes)
}
