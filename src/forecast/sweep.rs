//! A scenario at many values of some of its keys: when it is done, what users go through, and which of the points nobody would give
//! up for another.
//!
//! All points have the same random numbers, replication by replication. The date of a point is a restricted mean, as a shift is (see
//! `shift`): a date at or after the horizon counts as it, and how many do is told.

pub mod design;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::cases::{Measure, Run};
use super::quantile::{Estimate, LEVELS, When, estimate};
use super::shift::FEWEST;
use crate::scenario::Scenario;
use crate::units::{Share, Time};

/// A point that has been simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// Its values, by the keys that are varied.
    pub values: Vec<f64>,
    /// Its replications.
    pub runs: Vec<Run>,
}

/// What a point has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its values, by the keys that are varied.
    pub values: Vec<f64>,
    /// Days from the start until the awaited milestone.
    pub days: Mean,
    /// Quantiles of its date, by `LEVELS`.
    pub quantiles: [Option<Estimate<When>>; LEVELS.len()],
    /// Replications whose date lies at or after the horizon, or is never reached: with any of them the mean of the days is a lower bound.
    pub bounded: usize,
    /// Replications that the horizon cut off: with any of them what users go through is a lower bound.
    pub unfinished: usize,
    /// What users go through, by `Measure::ALL`.
    pub impact: [Mean; Measure::COUNT],
    /// Whether no other point is done earlier without costing users more, and all of its replications are done.
    pub is_on_frontier: bool,
}

impl Point {
    /// What it costs users: minutes above the latency objective that the migration causes.
    #[must_use]
    pub fn minutes(&self) -> Mean {
        Measure::ALL
            .iter()
            .position(|one| *one == Measure::MinutesAboveCaused)
            .map_or(Mean::default(), |at| self.impact[at])
    }
}

/// A mean with its interval; none with too few replications, nor where the mean is a lower bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Student's interval.
    pub interval: Option<(f64, f64)>,
}

impl Mean {
    fn of(sample: &[f64], confidence: Share) -> Self {
        let count = sample.len() as f64;
        if sample.is_empty() {
            return Self::default();
        }
        let value = sample.iter().sum::<f64>() / count;
        if sample.len() < FEWEST {
            return Self { value, interval: None };
        }
        let variance = sample.iter().map(|one| (one - value).powi(2)).sum::<f64>() / (count - 1.0);
        let law = StudentsT::new(0.0, 1.0, count - 1.0);
        let times = law.map_or(f64::INFINITY, |law| law.inverse_cdf(0.5 + confidence.fraction() / 2.0));
        let half = if variance > 0.0 { times * (variance / count).sqrt() } else { 0.0 };
        Self { value, interval: Some((value - half, value + half)) }
    }
}

/// What a sweep has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Swept {
    /// The points, in the design's order.
    pub points: Vec<Point>,
    /// The points on the frontier, the earliest first; of those whose replications are all done by the horizon.
    pub frontier: Vec<usize>,
    /// Where the frontier bends most.
    pub knee: Option<usize>,
}

/// Makes of simulated points what is told of them; `milestone` is the place of the awaited one.
#[must_use]
pub fn swept(scenario: &Scenario, milestone: usize, simulated: &[Simulated]) -> Swept {
    let mut points: Vec<Point> = simulated.iter().map(|one| point(scenario, milestone, one)).collect();
    let costs: Vec<(f64, f64)> = points.iter().map(|point| (point.days.value, point.minutes().value)).collect();
    // What the horizon cut off costs users, and lasts, longer than is known: nobody can exchange it for anything.
    let known: Vec<usize> = (0..points.len()).filter(|place| points[*place].bounded == 0).collect();
    let of_known: Vec<(f64, f64)> = known.iter().map(|place| costs[*place]).collect();
    let frontier: Vec<usize> = frontier(&of_known).into_iter().map(|place| known[place]).collect();
    for place in &frontier {
        points[*place].is_on_frontier = true;
    }
    let knee = knee(&costs, &frontier);
    Swept { points, frontier, knee }
}

fn point(scenario: &Scenario, milestone: usize, simulated: &Simulated) -> Point {
    let confidence = scenario.forecast.confidence;
    let mut dates: Vec<When> = simulated.runs.iter().map(|run| run.dates[milestone]).collect();
    let restricted = |when: &When| when.time().map_or(scenario.horizon, |date: Time| date.min(scenario.horizon));
    let days: Vec<f64> = dates.iter().map(|when| restricted(when).since(scenario.as_of).days()).collect();
    let bounded = dates.iter().filter(|when| restricted(when) >= scenario.horizon).count();
    let unfinished = simulated.runs.iter().filter(|run| !run.is_finished).count();
    // Student's interval would say how sure a number is that is not the one which is asked for.
    let mean = |sample: &[f64], cut_off: usize| {
        let mean = Mean::of(sample, confidence);
        Mean { interval: mean.interval.filter(|_| cut_off == 0), ..mean }
    };
    let of = |measure: Measure| -> Vec<f64> { simulated.runs.iter().map(|run| run.impact.get(measure)).collect() };
    dates.sort_unstable();
    Point {
        values: simulated.values.clone(),
        days: mean(&days, bounded),
        quantiles: LEVELS.map(|level| estimate(&dates, level, confidence)),
        bounded,
        unfinished,
        impact: Measure::ALL.map(|measure| mean(&of(measure), unfinished)),
        is_on_frontier: false,
    }
}

/// The points that no other one is better than in both costs, or as good in one and better in the other; by the first cost. Of
/// points that cost the same the first one counts.
#[must_use]
pub fn frontier(costs: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|one, other| {
        let (a, b) = (costs[*one], costs[*other]);
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(one.cmp(other))
    });
    let mut least = f64::INFINITY;
    order.retain(|place| {
        let is_better = costs[*place].1 < least;
        least = least.min(costs[*place].1);
        is_better
    });
    order
}

/// The point of a frontier that lies farthest below the straight line between its ends, both costs measured in the frontier's own
/// range: there the exchange of one for the other turns (Das, Structural Optimization 18:107, 1999). None where there are fewer
/// than three points, or none lies below.
#[must_use]
pub fn knee(costs: &[(f64, f64)], frontier: &[usize]) -> Option<usize> {
    let (first, last) = (costs[*frontier.first()?], costs[*frontier.last()?]);
    let (width, height) = (last.0 - first.0, first.1 - last.1);
    if frontier.len() < 3 || width <= 0.0 || height <= 0.0 {
        return None;
    }
    // On the line both scaled costs add up to 1.
    let below = |place: usize| 1.0 - (costs[place].0 - first.0) / width - (costs[place].1 - last.1) / height;
    let farthest = frontier.iter().copied().max_by(|one, other| below(*one).total_cmp(&below(*other)))?;
    (below(farthest) > 1e-9).then_some(farthest)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, outcome, scenario};

    #[test]
    fn the_frontier_is_what_no_point_beats() {
        let costs = [(5.0, 1.0), (1.0, 9.0), (2.0, 3.0), (3.0, 3.0), (2.0, 4.0), (5.0, 1.0), (6.0, 0.9), (1.0, 9.5)];
        let found = frontier(&costs);
        assert_eq!(found, [1, 2, 0, 6]);
        // The slow twin: nobody beats these, and somebody beats each of the others or is the same.
        let beats = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 <= b.1 && a != b;
        for place in 0..costs.len() {
            let is_beaten = costs.iter().any(|other| beats(*other, costs[place]));
            let is_twin = costs[..place].contains(&costs[place]);
            assert_eq!(found.contains(&place), !is_beaten && !is_twin, "{place}");
        }
        assert_eq!(knee(&costs, &found), Some(2));
    }

    #[test]
    fn a_straight_frontier_and_a_short_one_have_no_knee() {
        let line = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)];
        assert_eq!(knee(&line, &frontier(&line)), None);
        assert_eq!(knee(&line[..2], &frontier(&line[..2])), None);
        assert_eq!(knee(&[], &frontier(&[])), None);
        let hollow = [(1.0, 3.0), (2.0, 2.9), (3.0, 1.0)];
        assert_eq!(knee(&hollow, &frontier(&hollow)), None, "it lies above the line");
    }

    #[test]
    fn a_point_has_the_mean_of_its_days_and_counts_what_lies_beyond_the_horizon() {
        let scenario = scenario();
        let place = scenario.milestones.len() - 1;
        let mut runs: Vec<Run> = (0..10).map(|r| Run::of(&outcome(r, days_of(r)))).collect();
        let all = |runs: &[Run]| swept(&scenario, place, &[Simulated { values: vec![1.0], runs: runs.to_vec() }]);
        let mean =
            runs.iter().map(|run| run.dates[place].time().unwrap().since(scenario.as_of).days()).sum::<f64>() / 10.0;
        let found = all(&runs);
        assert!((found.points[0].days.value - mean).abs() < 1e-9 && found.points[0].bounded == 0);
        let (low, high) = found.points[0].days.interval.unwrap();
        assert!(low < mean && mean < high);
        runs[0].dates[place] = When::AfterHorizon;
        let found = all(&runs);
        assert!(found.points[0].bounded == 1 && found.points[0].days.value > mean);
        assert_eq!(found.points[0].days.interval, None, "a lower bound has none");
        assert!(found.points[0].unfinished == 0 && found.points[0].minutes().interval.is_some());
        let mut cut = runs.clone();
        cut[0].is_finished = false;
        let found_cut = all(&cut);
        assert!(found_cut.points[0].unfinished == 1 && found_cut.points[0].minutes().interval.is_none());
        assert!(found.frontier.is_empty() && found.knee.is_none(), "what is not done is exchanged for nothing");
        let whole: Vec<Run> = (0..10).map(|r| Run::of(&outcome(r, days_of(r)))).collect();
        let simulated = [runs.clone(), whole].map(|runs| Simulated { values: vec![1.0], runs });
        let found = swept(&scenario, place, &simulated);
        assert_eq!(found.frontier, [1]);
        assert!(!found.points[0].is_on_frontier && found.points[1].is_on_frontier);
        assert_eq!(all(&runs[..3]).points[0].days.interval, None);
        assert_eq!(Mean::of(&[], Share::from_ppm(950_000)).value, 0.0);
    }
}
