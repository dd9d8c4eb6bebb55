//! Many replications turned into dates with ranges.
//!
//! A forecast knows the scenario and the simulation, and nothing of how it is shown. It is the same for any number of
//! threads.

pub mod cases;
pub mod compare;
pub mod draw;
pub mod expect;
pub mod explain;
pub mod multiple;
pub mod quantile;
pub mod recommend;
pub mod replicate;
pub mod sensitivity;
pub mod series;
pub mod shares;
pub mod shift;
pub mod since;
mod summary;
pub mod sweep;
#[cfg(test)]
pub(crate) mod testing;

use crate::migration::message::{Binding, Milestone};
use crate::migration::plan::InodePlan;
use crate::scenario::{ForecastSettings, Scenario};
use crate::sim::{Outcome, RunId};
use crate::units::{Share, Span};
use draw::uniform;
use expect::Expected;
use quantile::{Estimate, LEVELS, P80, When};
use replicate::{Amount, Batches, Watch, replicate};
use series::{DayQuantiles, HeadSeries, Trend};
use shares::Shares;

/// One replication: its outcome, and what of its scenario the outcome is held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Replication {
    /// What came of it.
    pub outcome: Outcome,
    /// Fill up to which its plan allows placements, by cluster, as a share of the rating.
    pub thresholds: Vec<Share>,
    /// The same for inodes, where it has a limit of them.
    pub inode_thresholds: Vec<Option<Share>>,
}

/// A forecast.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The scenario with every input at its middle.
    pub scenario: Scenario,
    /// How the forecast was made.
    pub settings: ForecastSettings,
    /// When it was enough.
    pub rule: StopRule,
    /// Dates, by the scenario's milestones.
    pub milestones: Vec<MilestoneForecast>,
    /// The planner's expectations.
    pub expectations: Vec<Expected>,
    /// By head.
    pub heads: Vec<HeadForecast>,
    /// By cluster.
    pub clusters: Vec<ClusterForecast>,
    /// By link: share of the time until all heads are emptied in which it held copies. Sums over all replications.
    pub links: Vec<f64>,
    /// Replications that had not finished by the horizon, by what held them.
    pub unfinished: Vec<(Binding, u32)>,
    /// The replications, in order.
    pub replications: Vec<Replication>,
    /// Whether inputs are uncertain, and what the dates are without that.
    pub widths: Widths,
    /// What causes the spread of the dates, where that was asked for.
    pub shares: Option<Shares>,
}

/// How the number of replications was decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StopRule {
    /// What was asked for.
    pub amount: Amount,
    /// The half-width of the last emptied milestone's P80, as it came out; `None` where it is not estimable or no date.
    pub half_width: Option<Span>,
    /// Whether that is within what the settings want.
    pub held: bool,
    /// Whether somebody ended the forecast before it was complete.
    pub interrupted: bool,
}

/// What is known about one milestone.
#[derive(Clone, Debug, PartialEq)]
pub struct MilestoneForecast {
    /// Which.
    pub milestone: Milestone,
    /// Quantiles by `LEVELS`; `None` where there are too few replications.
    pub quantiles: [Option<Estimate<When>>; LEVELS.len()],
    /// Replications that reached it.
    pub reached: u32,
    /// Replications that had not reached it when the horizon ended them.
    pub censored: u32,
    /// Replications that finished without it.
    pub never: u32,
    /// The earliest replication.
    pub earliest: Option<When>,
    /// The latest replication.
    pub latest: Option<When>,
}

impl MilestoneForecast {
    /// The quantile at one of `LEVELS`.
    #[must_use]
    pub fn at(&self, level: Share) -> Option<Estimate<When>> {
        LEVELS.iter().position(|known| *known == level).and_then(|place| self.quantiles[place])
    }

    /// The time between P10 and P90, when both are dates.
    #[must_use]
    pub fn width(&self) -> Option<Span> {
        let date = |level| self.at(level).and_then(|estimate| estimate.value.time());
        Some(date(quantile::P90)?.since(date(quantile::P10)?))
    }
}

/// What is known about one head.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadForecast {
    /// Share of the time in its turn, until it is emptied, that each cause bound; by `Binding`, and zero for
    /// `NotItsTurn`. Sums over all replications.
    pub bound: [f64; Binding::COUNT],
    /// How much of each day since `as_of` each cause bound, mean over the replications, by `Binding`; 0 for
    /// `NotItsTurn`.
    pub bound_by_day: Vec<[f64; Binding::COUNT]>,
    /// Mean time in its turn.
    pub turn: Span,
    /// Means of a replication.
    pub impact: Impact,
    /// Day by day: what is measured, and what bound at all.
    pub days: Vec<(HeadSeries, Vec<DayQuantiles>)>,
    /// Which load and which risk fall as mailboxes leave.
    pub trends: Vec<Trend>,
}

/// What users of a head go through: means of a replication, from `as_of` until it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impact {
    /// Minutes in which users waited longer than the objective.
    pub minutes_above: f64,
    /// The same without the migration's load at the same instants.
    pub minutes_above_alone: f64,
    /// Minutes in which more was asked of the head than it can serve.
    pub minutes_saturated: f64,
    /// Outages that struck.
    pub outages: f64,
    /// Outages expected from the hazard with the migration.
    pub expected_outages: f64,
    /// Outages expected from the hazard of the users' load alone.
    pub expected_outages_alone: f64,
    /// Mailbox-hours without service.
    pub mailbox_hours_down: f64,
    /// Mailboxes left because they were set aside.
    pub set_aside: f64,
}

/// What is known about one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterForecast {
    /// The placement nearest to its threshold, or above it: the fill that it led to.
    pub highest_placement: Share,
    /// The threshold in that replication.
    pub threshold: Share,
    /// The median fill at the end, growth included; `None` with too few replications.
    pub final_fill: Option<Estimate<f64>>,
    /// Fill day by day.
    pub days: Vec<DayQuantiles>,
    /// The same of its inodes, where it has a limit of them.
    pub inodes: Option<InodeForecast>,
}

/// What is known about the inodes of a cluster that has a limit of them.
#[derive(Clone, Debug, PartialEq)]
pub struct InodeForecast {
    /// The placement nearest to its threshold, or above it: the fill that it led to.
    pub highest_placement: Share,
    /// The threshold in that replication.
    pub threshold: Share,
    /// The median fill at the end, new mail included; `None` with too few replications.
    pub final_fill: Option<Estimate<f64>>,
    /// Fill day by day.
    pub days: Vec<DayQuantiles>,
    /// Replications in which they were what the cluster was full of when it refused for the first time.
    pub filled: u32,
}

/// The two widths of a forecast.
#[derive(Clone, Debug, PartialEq)]
pub enum Widths {
    /// No input is uncertain: chance is all there is.
    ChanceIsAll,
    /// The dates of replications with every input at its middle, by the scenario's milestones.
    Both {
        /// Replications of that second forecast.
        replications: u32,
        /// Its dates.
        chance_only: Vec<MilestoneForecast>,
    },
}

/// What a forecast is made of: scenarios drawn from the uncertain inputs, and a simulation of them. `W` is what a thread
/// keeps between replications.
pub struct Inputs<'a, W> {
    /// The scenario with every input at its middle.
    pub middle: &'a Scenario,
    /// The keys of all uncertain inputs, those that are correlated together.
    pub uncertain: Vec<Vec<String>>,
    /// The scenario with its uncertain inputs drawn: it is given a number between 0 and 1 for each key.
    pub realise: &'a (dyn Fn(&Draw<'_>) -> Scenario + Sync),
    /// Runs a replication.
    pub simulate: &'a (dyn Fn(&Scenario, RunId, &mut W) -> Outcome + Sync),
}

/// A number between 0 and 1 for each key.
pub type Draw<'a> = dyn Fn(&str) -> f64 + 'a;

/// What is asked for beside the scenario's own settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Replications in place of the stop rule.
    pub amount: Option<Amount>,
    /// Rows for the shares of the spread.
    pub shares: Option<u32>,
}

/// Makes the forecast.
#[must_use]
pub fn forecast<W: Default + Send>(inputs: &Inputs<'_, W>, asked: Asked, watch: Watch<'_>) -> Forecast {
    let (scenario, settings) = (inputs.middle, inputs.middle.forecast);
    let own = Amount { minimum: settings.minimum, batch: settings.batch, maximum: settings.maximum };
    let amount = asked.amount.unwrap_or(own);
    let uncertain = !inputs.uncertain.is_empty();
    let main = run(inputs, uncertain, amount, watch, &|done| holds(scenario, done));
    let widths = if uncertain {
        let count = settings.chance_only.min(amount.maximum);
        let chance = run(inputs, false, Amount::exactly(count), watch, &|_| true);
        let interrupted = chance.interrupted;
        Widths::Both {
            replications: chance.done.len() as u32,
            chance_only: if interrupted { Vec::new() } else { summary::milestones(scenario, &chance.done) },
        }
    } else {
        Widths::ChanceIsAll
    };
    let chance_cut = matches!(&widths, Widths::Both { chance_only, .. } if chance_only.is_empty());
    let shares = asked.shares.filter(|_| uncertain);
    let shares = shares.map(|rows| shares::shares(inputs, &main.done, rows, watch));
    let half_width = half_width(scenario, &main.done);
    let rule = StopRule {
        amount,
        half_width,
        held: half_width.is_some_and(|width| width <= settings.half_width),
        interrupted: main.interrupted || chance_cut || matches!(shares, Some(None)),
    };
    Forecast { shares: shares.flatten(), ..summary::summarise(scenario, main.done, rule, widths) }
}

/// As many replications as are asked for, and nothing made of them.
#[must_use]
pub fn replications<W: Default + Send>(inputs: &Inputs<'_, W>, count: u32, watch: Watch<'_>) -> Batches<Replication> {
    run(inputs, !inputs.uncertain.is_empty(), Amount::exactly(count), watch, &|_| true)
}

fn run<W: Default + Send>(
    inputs: &Inputs<'_, W>,
    draw: bool,
    amount: Amount,
    watch: Watch<'_>,
    enough: &dyn Fn(&[Replication]) -> bool,
) -> Batches<Replication> {
    let one = |replication: u32, kept: &mut W| {
        let run = RunId { seed: inputs.middle.forecast.seed, replication };
        let drawn = draw.then(|| (inputs.realise)(&|key| uniform(run, key)));
        let scenario = drawn.as_ref().unwrap_or(inputs.middle);
        let outcome = (inputs.simulate)(scenario, run, kept);
        let threshold = |cluster: &crate::migration::plan::ClusterPlan| cluster.threshold().of(cluster.rated);
        let clusters = &scenario.plan.placement.clusters;
        let thresholds = clusters.iter().map(threshold).collect();
        let inode_threshold = |plan: InodePlan| plan.threshold().of(plan.rated);
        let inode_thresholds = clusters.iter().map(|cluster| cluster.inodes.map(inode_threshold)).collect();
        Replication { outcome, thresholds, inode_thresholds }
    };
    replicate(amount, watch, &one, enough)
}

fn holds(scenario: &Scenario, done: &[Replication]) -> bool {
    half_width(scenario, done).is_some_and(|width| width <= scenario.forecast.half_width)
}

/// The larger side of the interval of the P80 of the day when all heads are empty.
fn half_width(scenario: &Scenario, done: &[Replication]) -> Option<Span> {
    let place = scenario.milestones.iter().position(|milestone| *milestone == Milestone::AllEmptied)?;
    let sample = summary::sample(done, place);
    let estimate = quantile::estimate(&sample, P80, scenario.forecast.confidence)?;
    let (value, low, high) = (estimate.value.time()?, estimate.low.time()?, estimate.high.time()?);
    Some(value.since(low).max(high.since(value)))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::testing::{after, days_of, exactly, made, made_of, outcome, scenario};
    use super::*;
    use crate::fleet::HeadId;
    use quantile::{P50, P90};

    #[test]
    fn dates_are_order_statistics_of_the_replications() {
        let forecast = made(101, &|r| outcome(r, days_of(r)));
        let all = forecast.milestones.last().unwrap();
        assert_eq!(all.at(P50).unwrap().value, When::At(after(27.0 + 50.0 / 25.0)));
        assert_eq!((all.reached, all.censored, all.never), (101, 0, 0));
        assert!(all.width().unwrap() > Span::from_secs(3 * 86_400));
    }

    #[test]
    fn a_quantile_beyond_the_horizon_is_no_date() {
        let simulate = |r: u32| {
            let mut outcome = outcome(r, days_of(r));
            if r.is_multiple_of(4) {
                *outcome.reached.last_mut().unwrap() = None;
                outcome.unfinished = Some(Binding::NoRoom);
            }
            outcome
        };
        let forecast = made(200, &simulate);
        let all = forecast.milestones.last().unwrap();
        assert!(all.at(P50).unwrap().value.time().is_some());
        assert_eq!(all.at(P90).unwrap().value, When::AfterHorizon);
        assert_eq!((all.reached, all.censored), (150, 50));
        assert_eq!(forecast.unfinished, [(Binding::NoRoom, 50)]);
        assert_eq!(forecast.rule.half_width, None);
    }

    #[test]
    fn a_cluster_that_never_fills_is_told_from_a_late_one() {
        let forecast = made(100, &|r| outcome(r, days_of(r)));
        let full = &forecast.milestones[3];
        assert_eq!((full.reached, full.censored, full.never), (90, 0, 10));
        assert_eq!(forecast.milestones[5].at(P50).unwrap().value, When::Never);
    }

    #[test]
    fn the_rule_stops_at_the_first_batch_that_is_sharp_enough() {
        let mut scenario = scenario();
        scenario.forecast.half_width = Span::from_secs(4 * 3_600);
        let stop = AtomicBool::new(false);
        let inputs = Inputs::<()> {
            middle: &scenario,
            uncertain: Vec::new(),
            realise: &|_| unreachable!("nothing is uncertain"),
            simulate: &|_, run, ()| outcome(run.replication, days_of(run.replication)),
        };
        let forecast = forecast(&inputs, Asked::default(), Watch { stop: &stop, progress: &|_, _| {} });
        let count = forecast.replications.len();
        assert!(forecast.rule.held && (300..1_000).contains(&count), "{count}: {:?}", forecast.rule);
        assert_eq!(forecast.widths, Widths::ChanceIsAll);
    }

    #[test]
    fn chance_alone_runs_with_every_input_at_its_middle() {
        let middle = scenario();
        let mut drawn = middle.clone();
        drawn.name = "drawn".into();
        let stop = AtomicBool::new(false);
        let inputs = Inputs::<()> {
            middle: &middle,
            uncertain: vec![vec!["a key".into()]],
            realise: &|_| drawn.clone(),
            simulate: &|scenario, run, ()| outcome(run.replication, if scenario.name == "drawn" { 30.0 } else { 20.0 }),
        };
        let forecast = forecast(&inputs, exactly(40), Watch { stop: &stop, progress: &|_, _| {} });
        assert_eq!(forecast.milestones.last().unwrap().at(P50).unwrap().value, When::At(after(30.0)));
        let Widths::Both { replications, chance_only } = &forecast.widths else { panic!("{:?}", forecast.widths) };
        assert_eq!(*replications, 40);
        assert_eq!(chance_only.last().unwrap().at(P50).unwrap().value, When::At(after(20.0)));
    }

    #[test]
    fn an_interrupted_forecast_keeps_its_rows_and_says_so() {
        let (scenario, stop) = (scenario(), AtomicBool::new(false));
        let inputs = Inputs::<()> {
            middle: &scenario,
            uncertain: Vec::new(),
            realise: &|_| scenario.clone(),
            simulate: &|_, run, ()| {
                stop.store(true, Ordering::Relaxed);
                outcome(run.replication, 30.0)
            },
        };
        let forecast = forecast(&inputs, Asked::default(), Watch { stop: &stop, progress: &|_, _| {} });
        assert!(forecast.rule.interrupted && !forecast.replications.is_empty());
    }

    #[test]
    fn time_before_a_heads_turn_holds_nothing_back() {
        let forecast = made(50, &|r| outcome(r, 30.0));
        let bound = forecast.heads[1].bound;
        assert!((bound[Binding::Throttle as usize] - 0.75).abs() < 1e-9);
        assert_eq!(bound[Binding::NotItsTurn as usize], 0.0);
        assert!((forecast.heads[1].turn.days() - 20.0).abs() < 1e-6);
    }

    #[test]
    fn the_worst_placement_of_all_replications_is_held_against_its_own_threshold() {
        let simulate = |r: u32| {
            let mut outcome = outcome(r, 30.0);
            outcome.clusters[0].highest_placement = Share::from_ppm(300_000 + r);
            outcome
        };
        let cluster = &made(10, &simulate).clusters[0];
        assert_eq!(
            (cluster.highest_placement, cluster.threshold),
            (Share::from_ppm(300_009), Share::from_ppm(400_000))
        );
        assert_eq!(cluster.final_fill.map(|fill| fill.value), Some(0.4009));
    }

    #[test]
    fn expectations_are_judged_by_their_own_milestone() {
        let forecast = made(200, &|r| outcome(r, days_of(r)));
        let expected = &forecast.expectations[0];
        assert_eq!(expected.expectation.milestone, Milestone::HeadEmptied { head: HeadId(0), set_aside: 0 });
        assert!((0.0..=1.0).contains(&expected.probability));
        let mut other = scenario();
        other.expectations[0].before = after(5.0);
        assert_eq!(made_of(&other, 200, &|r| outcome(r, days_of(r))).expectations[0].probability, 0.0);
    }
}
