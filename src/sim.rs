//! The simulated world: a `Host` over models and an event queue, in which the migration core moves mailboxes that do
//! not exist.

mod account;
mod ahead;
mod attempts;
mod bound;
mod cluster;
mod costs;
mod demand;
mod draw;
mod fill;
mod head;
mod health;
mod job;
mod load;
mod marks;
mod number;
mod population;
mod queue;
mod recording;
mod sharing;
mod standing;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod trace;
mod transfer;
mod world;

use std::sync::Arc;

use crate::fleet::Fleet;
use crate::host;
use crate::migration::message::{Binding, Command, Event};
use crate::migration::{Memory, Migration};
use crate::scenario::Scenario;
use crate::units::{Bytes, Share, Span, Time};
pub use draw::DRAW_SCHEME;
pub use recording::{Copies, Drawn, Outcomes, Recording, Step};
pub use trace::{TraceItem, TraceRow, trace};
pub use world::World;

/// Which replication: its result depends on the scenario and on these two numbers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// Keys every draw.
    pub seed: u64,
    /// Number of the replication, from 0.
    pub replication: u32,
}

/// What one replication came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which one.
    pub run: RunId,
    /// When each of the scenario's milestones was reached, if it was, by its place in `Scenario::milestones`.
    pub reached: Vec<Option<Time>>,
    /// What had bound the first unfinished head for most of the week before the horizon; `None` when everything was moved and
    /// purged. `NotItsTurn` where everything was moved, and old copies were still to be removed.
    pub unfinished: Option<Binding>,
    /// By head.
    pub heads: Vec<HeadOutcome>,
    /// By cluster.
    pub clusters: Vec<ClusterOutcome>,
    /// By link: for how long it held copies until all heads were emptied, or until the end.
    pub held_by_links: Vec<Span>,
    /// Mailboxes moved in this replication.
    pub moved: u64,
    /// Attempts that failed.
    pub faults: u64,
    /// Steps that the core took.
    pub steps: u64,
    /// Seconds for which users were locked out by switches, all together.
    pub locked_s: f64,
    /// What was left when 99 % had moved, if that was announced.
    pub last_part: Option<LastPart>,
    /// Groups of which some mailboxes had moved at the end and some were still on a head; counted where groups move whole.
    pub split_groups: u32,
    /// Mailboxes that waited for a person when all heads were emptied for the first time; at the end where they never were.
    pub excused: u32,
}

/// The share of all mailboxes after which the last part begins.
pub const LAST_PART_FROM: Share = Share::from_ppm(990_000);

/// What was left on the heads when 99 % of the mailboxes had moved, in sizes of the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastPart {
    /// How many.
    pub mailboxes: u32,
    /// Their sizes, all together.
    pub bytes: Bytes,
    /// The largest of them.
    pub largest: Bytes,
    /// Their messages.
    pub messages: u64,
    /// Those whose last attempt had failed.
    pub failed: u32,
    /// All mailboxes, wherever they are.
    pub all_mailboxes: u32,
    /// The sizes of all, wherever they are.
    pub all_bytes: Bytes,
}

/// What one replication came to on one head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadOutcome {
    /// Mailboxes left because they were set aside.
    pub set_aside: u32,
    /// Those that were set aside when it was emptied for the first time; at the end where it never was.
    pub excused: u32,
    /// How long each cause bound, by `Binding`.
    pub bound: [Span; Binding::COUNT],
    /// Minutes in which users waited longer than the objective.
    pub minutes_above: f64,
    /// The same without the migration's load at the same instants.
    pub minutes_above_alone: f64,
    /// Minutes in which more was asked of the head than it can serve.
    pub minutes_saturated: f64,
    /// Outages that struck.
    pub outages: u32,
    /// Mailbox-hours without service.
    pub mailbox_hours_down: f64,
    /// Hours in which it was out, and mailboxes of it with it.
    pub outage_hours: f64,
    /// Mailbox-hours on it: for as long as a mailbox has not moved, it is at risk.
    pub mailbox_hours_at_risk: f64,
    /// Expected mailbox-hours without service: hazard x mean repair x mailboxes still there, summed over the run.
    pub expected_mailbox_hours_down: f64,
    /// Expected outages: the hazard summed for as long as it has users.
    pub expected_outages: f64,
    /// The same from the load of the users alone.
    pub expected_outages_alone: f64,
    /// A row for each day since `as_of`, until the replication finished or the horizon.
    pub days: Vec<HeadDay>,
}

/// Means of one head over one day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeadDay {
    /// Mailboxes still on it at the end of the day.
    pub mailboxes: u32,
    /// Streams in use.
    pub streams: f32,
    /// Utilisation by users alone.
    pub user_utilisation: f32,
    /// Utilisation with the migration.
    pub utilisation: f32,
    /// Response time in milliseconds.
    pub latency_ms: f32,
    /// Response time without the migration, in milliseconds.
    pub latency_alone_ms: f32,
    /// Expected outages a day from the load of the users alone, for as long as it has any.
    pub hazard_alone: f32,
    /// Expected outages a day with the migration, for as long as it has users.
    pub hazard: f32,
    /// Expected mailbox-hours of outage a day: hazard x mean repair x mailboxes still there.
    pub expected_mailbox_hours_down: f32,
    /// Minutes for which each cause bound, by `Binding`.
    pub bound_minutes: [u16; Binding::COUNT],
}

/// What one replication came to on one cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterOutcome {
    /// The highest fill that a placement has led to, as a share of the rating.
    pub highest_placement: Share,
    /// The fill at the end, as a share of the rating, growth included.
    pub final_fill: Share,
    /// The fill at the end of each day since `as_of`, as a share of the rating.
    pub days: Vec<f32>,
    /// The same of its inodes, where it has a limit of them.
    pub inodes: Option<InodeOutcome>,
}

/// What came of a cluster's inodes in one replication, as shares of their rating.
#[derive(Clone, Debug, PartialEq)]
pub struct InodeOutcome {
    /// The highest fill that a placement has led to.
    pub highest_placement: Share,
    /// The fill at the end, new mail included.
    pub final_fill: Share,
    /// The fill at the end of each day since `as_of`.
    pub days: Vec<f32>,
    /// Whether they were what the cluster was full of when it refused for the first time.
    pub filled: bool,
}

/// Memory that one thread uses again from replication to replication.
#[derive(Debug, Default)]
pub struct Workspace {
    fleet: Arc<Fleet>,
    /// What that fleet was drawn from; none where it is only memory.
    drawn_from: Option<population::DrawnFrom>,
    pattern: population::Pattern,
    places: Vec<world::Place>,
    machine: Memory,
    daily: bound::DailyBound,
}

/// The mailboxes that a replication begins with, as facts about each.
#[must_use]
pub fn fleet(scenario: &Scenario, run: RunId) -> Fleet {
    let mut fleet = Fleet::default();
    population::draw(scenario, draw::Draws::new(run), &mut fleet, &mut population::Pattern::default());
    fleet
}

/// Runs one replication.
#[must_use]
pub fn simulate(scenario: &Scenario, run: RunId) -> Outcome {
    simulate_in(scenario, run, &mut Workspace::default())
}

/// Goes through a recorded session once more: the machine is asked anew, in a world in which everything comes and ends as
/// the recording has it. Gives the steps as they are now.
#[must_use]
pub fn rerun(scenario: &Scenario, recording: Recording) -> Vec<Step> {
    let mut world = World::recorded(scenario, recording);
    let mut steps = Vec::new();
    let Ok(_) = host::run_observed(&mut Migration::new(), &mut world, scenario.as_of, |_, at, event, commands| {
        steps.push(Step { at, event: event.clone(), commands: commands.to_vec() });
    });
    steps
}

/// Runs one replication in memory that was used before; the result is the same.
#[must_use]
pub fn simulate_in(scenario: &Scenario, run: RunId, workspace: &mut Workspace) -> Outcome {
    observed(scenario, run, workspace, |_, _, _, _| {})
}

/// The same with somebody who looks on.
#[inline(always)]
fn observed(
    scenario: &Scenario,
    run: RunId,
    workspace: &mut Workspace,
    mut look: impl FnMut(&Migration, Time, &Event, &[Command]),
) -> Outcome {
    let mut world = World::new(scenario, run, workspace);
    let mut machine = Migration::with_memory(std::mem::take(&mut workspace.machine));
    let daily = &mut workspace.daily;
    daily.begin(scenario.as_of, scenario.heads.len());
    let Ok(end) = host::run_observed(&mut machine, &mut world, scenario.as_of, |machine, now, event, commands| {
        daily.observe(machine, now);
        look(machine, now, event, commands);
    });
    let mut outcome = world.finish(&machine, end, workspace);
    workspace.daily.tell(&mut outcome);
    outcome.unfinished = outcome.unfinished.map(|now| {
        let left = scenario.plan.order.heads.iter().find(|head| machine.left(**head) > 0);
        left.and_then(|head| bound::lately(&outcome.heads[head.index()].days)).unwrap_or(now)
    });
    workspace.machine = machine.into_memory();
    outcome
}
