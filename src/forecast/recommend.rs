//! The earliest date under conditions: a search over a grid of plans with a stated budget, and what it takes to check its answer.
//!
//! The search is sequential halving (Karnin, Koren, Somekh, ICML 2013) on common random numbers: each round simulates all plans
//! that are left in some more replications, and keeps the better half. A first stage spreads plans over the whole grid, a second
//! one looks at what lies next to the best. What it finds has been chosen for looking good on these replications, so that its numbers
//! say too much: they are told anew on replications that the search has not seen (`judge`). Nothing here promises the best
//! plan of all.

mod judge;

pub use judge::{Judged, Kept, Verdict, choose, fewest, fewest_for_level, judge};

use super::Draw;
use super::cases::{Measure, Run};
use crate::migration::message::Milestone;
use crate::scenario::Scenario;
use crate::units::{Share, Time};

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// As early as possible.
    pub milestone: Milestone,
    /// At this level of its dates.
    pub level: Share,
    /// What has to be kept.
    pub conditions: Vec<Condition>,
}

/// Something that users go through stays within bounds, with a probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// What.
    pub measure: Measure,
    /// At most so much in one replication, in the measure's unit.
    pub at_most: f64,
    /// In at least this share of the replications.
    pub with: Share,
}

impl Condition {
    fn is_within(&self, run: &Run) -> bool {
        run.impact.get(self.measure) <= self.at_most
    }

    /// In how many of some replications it is kept to their end.
    #[must_use]
    pub fn kept(&self, runs: &[Run]) -> usize {
        runs.iter().filter(|run| run.is_finished && self.is_within(run)).count()
    }

    /// In how many it is kept as far as the horizon, which cut them off: nobody knows what would have come.
    #[must_use]
    pub fn unknown(&self, runs: &[Run]) -> usize {
        runs.iter().filter(|run| !run.is_finished && self.is_within(run)).count()
    }
}

/// A plan: which of its choices each dimension of the grid takes.
pub type Point = Vec<usize>;

/// Replications of which a plan's first look consists.
const FIRST_LOOK: u32 = 4;
/// Plans that a first stage spreads over the grid, at the most.
const PLANS_MAX: usize = 256;
/// The first stage's part of the budget.
const FIRST_STAGE: f64 = 0.6;
/// Plans that come out of a search, at the most.
pub const FINALISTS: usize = 3;

/// A plan that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Where on the grid it lies.
    pub point: Point,
    /// Replications `0, 1, ...` of it.
    pub runs: Vec<Run>,
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// All plans that were looked at.
    pub tried: Vec<Tried>,
    /// The best of them, best first, by their place in `tried`.
    pub best: Vec<usize>,
    /// Simulations that it took.
    pub simulations: u32,
    /// Whether somebody ended it early.
    pub interrupted: bool,
}

/// Simulates replications from one number on, so many of them, of some plans: by replication and plan. Fewer replications than asked
/// for where somebody has ended it.
pub type Simulate<'a, E> = dyn FnMut(&[&Point], u32, u32) -> Result<Vec<Vec<Run>>, E> + 'a;

/// A search for the earliest date under conditions.
pub struct Search<'a, E> {
    /// What is wanted.
    pub goal: &'a Goal,
    /// The milestone's place in `Run::dates`, which is the same for all plans.
    pub place: usize,
    /// When replications begin, and where those end that do not finish.
    pub bounds: (Time, Time),
    /// How many choices each dimension has.
    pub sizes: &'a [usize],
    /// A plan that is looked at whatever else is: the plan as it is.
    pub origin: &'a Point,
    /// Numbers between 0 and 1 by key, for the spread over the grid.
    pub uniform: &'a Draw<'a>,
    /// Whether a plan can be simulated at all.
    pub allows: &'a mut dyn FnMut(&Point) -> bool,
    /// How plans are simulated.
    pub simulate: &'a mut Simulate<'a, E>,
}

impl<E> Search<'_, E> {
    /// Looks for it with `budget` simulations at the most.
    ///
    /// # Errors
    /// Those of the simulation.
    pub fn run(mut self, budget: u32) -> Result<Found, E> {
        let mut found = Found::default();
        let first = (f64::from(budget) * FIRST_STAGE) as u32;
        let spread = self.spread(plans_for(first));
        let alive = self.halve(&mut found, spread, first)?;
        let near = if found.interrupted { Vec::new() } else { self.neighbours(&found, &alive) };
        let rest = budget - found.simulations;
        let near = near.into_iter().take(plans_for(rest)).collect();
        let kept = self.halve(&mut found, near, rest)?;
        let mut best: Vec<usize> = alive.into_iter().chain(kept).collect();
        best.sort_unstable();
        best.dedup();
        self.rank(&found, &mut best);
        best.truncate(FINALISTS);
        found.best = best;
        Ok(found)
    }

    /// Plans spread over the grid so that each dimension has its choices equally often (a Latin hypercube), the origin first.
    fn spread(&mut self, plans: usize) -> Vec<Point> {
        let mut points = vec![self.origin.clone(); plans];
        for (dimension, size) in self.sizes.iter().enumerate() {
            let mut order: Vec<usize> = (1..plans).collect();
            let number = |plan: usize| (self.uniform)(&format!("recommend {dimension} {plan}"));
            order.sort_by(|a, b| number(*a).total_cmp(&number(*b)));
            for (rank, plan) in order.into_iter().enumerate() {
                points[plan][dimension] = rank * size / (plans - 1).max(1);
            }
        }
        let mut different: Vec<Point> = Vec::new();
        for point in points {
            let is_origin = point == *self.origin;
            if !different.contains(&point) && (is_origin || (self.allows)(&point)) {
                different.push(point);
            }
        }
        different
    }

    /// What lies one step beside the two best, along each dimension, and has not been looked at.
    fn neighbours(&mut self, found: &Found, best: &[usize]) -> Vec<Point> {
        let mut near: Vec<Point> = Vec::new();
        for place in best.iter().take(2) {
            let point = &found.tried[*place].point;
            for (dimension, size) in self.sizes.iter().enumerate() {
                let at = point[dimension];
                for step in [at.checked_sub(1), (at + 1 < *size).then_some(at + 1)].into_iter().flatten() {
                    let mut beside = point.clone();
                    beside[dimension] = step;
                    let known = found.tried.iter().any(|tried| tried.point == beside);
                    if !known && !near.contains(&beside) && (self.allows)(&beside) {
                        near.push(beside);
                    }
                }
            }
        }
        near
    }

    /// Looks at plans in rounds, each with an equal part of the budget, and halves them; gives the last ones, best first.
    fn halve(&mut self, found: &mut Found, points: Vec<Point>, budget: u32) -> Result<Vec<usize>, E> {
        let first = found.tried.len();
        found.tried.extend(points.into_iter().map(|point| Tried { point, runs: Vec::new() }));
        let mut alive: Vec<usize> = (first..found.tried.len()).collect();
        if alive.is_empty() {
            return Ok(alive);
        }
        let rounds = rounds(alive.len());
        let mut left = budget;
        for round in 0..rounds {
            let each = left / (rounds - round) / alive.len() as u32;
            if each == 0 {
                break;
            }
            left -= self.look(found, &alive, each)?;
            self.rank(found, &mut alive);
            if found.interrupted {
                break;
            }
            if round + 1 < rounds {
                alive.truncate(alive.len().div_ceil(2).max(FINALISTS));
            }
        }
        alive.retain(|place| !found.tried[*place].runs.is_empty());
        Ok(alive)
    }

    /// So many replications more of plans that have had equally many.
    fn look(&mut self, found: &mut Found, alive: &[usize], each: u32) -> Result<u32, E> {
        let from = alive.first().map_or(0, |place| found.tried[*place].runs.len()) as u32;
        let points: Vec<&Point> = alive.iter().map(|place| &found.tried[*place].point).collect();
        let rows = (self.simulate)(&points, from, each)?;
        found.interrupted |= rows.len() < each as usize;
        let simulations = (rows.len() * alive.len()) as u32;
        for row in rows {
            for (place, run) in alive.iter().zip(row) {
                found.tried[*place].runs.push(run);
            }
        }
        found.simulations += simulations;
        Ok(simulations)
    }

    /// Best first, on the replications that all of them have had.
    fn rank(&self, found: &Found, places: &mut [usize]) {
        let common = places.iter().map(|place| found.tried[*place].runs.len()).min().unwrap_or(0);
        let score = |place: &usize| self.score(&found.tried[*place].runs[..common]);
        places.sort_by(|a, b| {
            let (one, other) = (score(a), score(b));
            one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)).then(one.2.total_cmp(&other.2)).then(a.cmp(b))
        });
    }

    /// How far a plan is from keeping the conditions: in shares of replications, and then in amounts; and then its mean date, which
    /// says more of few replications than a quantile does.
    fn score(&self, runs: &[Run]) -> (f64, f64, f64) {
        let all = runs.len().max(1) as f64;
        let (mut lacking, mut excess) = (0.0, 0.0);
        for condition in &self.goal.conditions {
            let lacks = condition.with.fraction() - condition.kept(runs) as f64 / all;
            if lacks > 0.0 {
                lacking += lacks;
                let over = |run: &Run| (run.impact.get(condition.measure) - condition.at_most).max(0.0);
                excess += runs.iter().map(over).sum::<f64>() / all / condition.at_most.max(1.0);
            }
        }
        let (start, end) = self.bounds;
        let days = |run: &Run| run.dates[self.place].time().unwrap_or(end).min(end).since(start).days();
        (lacking, excess, runs.iter().map(days).sum::<f64>() / all)
    }
}

/// So many times are plans halved until one is left.
fn rounds(plans: usize) -> u32 {
    plans.next_power_of_two().trailing_zeros().max(1)
}

/// The most plans of which each can have a first look in each round.
fn plans_for(budget: u32) -> usize {
    let fits = |plans: usize| budget >= FIRST_LOOK * plans as u32 * rounds(plans);
    (2..=PLANS_MAX).take_while(|plans| fits(*plans)).last().unwrap_or(1)
}

/// The place of the goal's milestone among those of a scenario.
#[must_use]
pub fn place(scenario: &Scenario, goal: &Goal) -> Option<usize> {
    scenario.milestones.iter().position(|milestone| *milestone == goal.milestone)
}

#[cfg(test)]
mod tests;
