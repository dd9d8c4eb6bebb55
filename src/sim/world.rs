//! The simulated world: what the machine asks for happens here, in virtual time, and trouble comes back as events.
//!
//! Events of one instant come in this order: what follows at once from a command or a strike; the calendar (the load's
//! step, probes, arrivals of samples, then openings, deletions, audits and the operator in the order they were entered);
//! set-ups that end (a copy then begins); copies that end, by head, cluster, mark and slot; switches and purges that
//! end, by slot; and `Wake` last, only when nothing else comes.

mod beginning;
mod calendar;
mod ending;
mod failures;
mod intake;
mod moves;
mod person;
mod recorded;
mod stores;
mod turns;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use super::attempts::AttemptDraws;
use super::costs::Costs;
use super::demand::Demand;
use super::draw::{Draws, Keyed, Purpose};
use super::job::Job;
use super::population::{self, DrawnFrom};
use super::queue::{Fifo, SortedKeys};
use super::recording::{Drawn, Outcomes};
use super::sharing::Sharing;
use super::standing::Backups;
use super::{LAST_PART_FROM, LastPart, RunId, Workspace};
use crate::fleet::{ClusterId, Fleet, HeadId, MailboxId};
use crate::host::Host;
use crate::migration::message::{CORE_VERSION, Command, EffectId, Event, Facts, Fault, Milestone, Order, Start};
use crate::scenario::Scenario;
use crate::units::{Span, Time};
use beginning::reached_before;
use calendar::Agenda;
use intake::Intake;
use person::Resolved;
pub(crate) use stores::Place;
use stores::{ClusterSide, HeadState};

/// The world of one replication. It can be driven without the machine, too: whatever is asked of it happens. How things
/// end is drawn, or known from a recording.
pub struct World<'s, O = Drawn> {
    scenario: &'s Scenario,
    outcomes: O,
    run: RunId,
    draws: Draws,
    attempts: AttemptDraws,
    resolved: Resolved,
    /// Mailboxes that no cluster could take, as the core has said.
    too_large: BTreeSet<MailboxId>,
    start: Time,
    now: Time,
    fleet: Arc<Fleet>,
    /// What it was drawn from, if it was.
    drawn_from: Option<DrawnFrom>,
    places: Vec<Place>,
    heads: Vec<HeadState>,
    clusters: Vec<ClusterSide>,
    sharing: Sharing,
    /// Heads whose load has changed since the sharing was told, a bit each: told once an instant.
    changed: u64,
    jobs: Vec<Job>,
    costs: Costs,
    /// The heads, a bit each, whose copies weigh on them by their number.
    streams_weigh: u64,
    setup: Span,
    /// Set-ups all take equally long, so that the first to begin is the first to end.
    setups: Fifo<(Time, EffectId)>,
    setup_at: Time,
    timers: SortedKeys,
    timer_at: Time,
    /// Room to put a head's copies in order.
    going: Vec<EffectId>,
    ready: VecDeque<Event>,
    demand: Demand<'s>,
    backups: Backups<'s>,
    tick_at: Time,
    ticked_at: Time,
    /// When the heads are looked at within the step of the load, draws by its number, and how many steps there were.
    look_at: Time,
    looks: Keyed,
    steps_of_load: u64,
    day_ends: Time,
    probe_at: Time,
    probe_number: u64,
    /// Where within their interval samples are taken.
    probe_phase: f64,
    cluster_probe_at: Time,
    cluster_probe_number: u64,
    samples: VecDeque<(Time, Event)>,
    /// When the first of them arrives.
    sample_at: Time,
    agenda: BTreeMap<(Time, u64), Agenda>,
    entered: u64,
    /// When the first entry of the agenda is due.
    entry_at: Time,
    calendar_at: Time,
    /// By how much a mailbox has grown since the start.
    growth: f64,
    growth_of_step: f64,
    /// How large a mailbox was a grace before now, as a share of what it is now.
    before_grace: f64,
    intake: Intake,
    reached: Vec<Option<Time>>,
    moved: u64,
    faults: u64,
    steps: u64,
    locked: Span,
    ended: bool,
    /// What was left on the heads when 99 % had moved.
    last_part: Option<LastPart>,
    /// By link, for how long it had held copies when all heads were emptied for the first time.
    held_until_emptied: Option<Vec<Span>>,
    /// Mailboxes that waited for a person when all heads were emptied for the first time.
    excused: Option<u32>,
}

impl<'s> World<'s> {
    /// The world as the scenario has it at `as_of`.
    #[must_use]
    pub fn new(scenario: &'s Scenario, run: RunId, workspace: &mut Workspace) -> Self {
        let draws = Draws::new(run);
        let mut fleet = std::mem::take(&mut workspace.fleet);
        let drawn_from = workspace.drawn_from.take().filter(|known| known.gives(scenario, run));
        // Variants of a scenario share the fleet of a replication where nothing that it is drawn from differs.
        if drawn_from.is_none() {
            // Somebody else may still hold the last replication's fleet: then this one gets memory of its own.
            if Arc::get_mut(&mut fleet).is_none() {
                fleet = Arc::default();
            }
            if let Some(fleet) = Arc::get_mut(&mut fleet) {
                population::draw(scenario, draws, fleet, &mut workspace.pattern);
            }
        }
        let set_aside = scenario.facts.as_ref().map_or(&[][..], |facts| &facts.set_aside);
        let mut world = Self::with(scenario, run, workspace, fleet, set_aside, Drawn);
        world.drawn_from = Some(drawn_from.unwrap_or_else(|| DrawnFrom::new(scenario, run)));
        world.enter_fixed_dates();
        for (mailbox, _) in set_aside.iter().filter(|(_, fault)| *fault != Fault::Gone) {
            world.wait_for_person(*mailbox);
        }
        let started = world.started();
        world.tell(started);
        // As a session of production is given them.
        for order in &scenario.standing {
            world.tell(Event::Operator(*order));
        }
        world
    }

    fn started(&self) -> Event {
        let open = (0..self.clusters.len()).filter(|cluster| self.clusters[*cluster].state.in_service);
        let known = self.scenario.facts.as_deref().cloned().unwrap_or_default();
        let facts = Facts {
            fleet: Arc::clone(&self.fleet),
            open: open.map(|cluster| ClusterId(cluster as u8)).collect(),
            ..known
        };
        let plan = Arc::clone(&self.scenario.plan);
        Event::Started(Arc::new(Start { session: 1, version: CORE_VERSION, plan, facts }))
    }
}

impl<'s, O: Outcomes> World<'s, O> {
    /// A world with these mailboxes, some of which wait for a person. Nothing is to come yet but the load's steps and the probes.
    fn with(
        scenario: &'s Scenario,
        run: RunId,
        workspace: &mut Workspace,
        fleet: Arc<Fleet>,
        set_aside: &[(MailboxId, Fault)],
        outcomes: O,
    ) -> Self {
        let draws = Draws::new(run);
        let mut places = std::mem::take(&mut workspace.places);
        places.clear();
        places.extend(fleet.home.iter().map(|home| Place::of(*home)));
        // Room for what the plan usually has under way at once: the event loop allocates nothing.
        let copies =
            scenario.plan.heads.iter().map(|head| usize::from(head.throttle.ceiling())).sum::<usize>().min(4_096);
        let mut world = Self {
            run,
            draws,
            attempts: AttemptDraws::new(&scenario.model.faults, draws),
            resolved: Resolved::default(),
            too_large: BTreeSet::new(),
            start: scenario.as_of,
            now: scenario.as_of,
            fleet,
            drawn_from: None,
            places,
            heads: stores::heads(scenario, draws),
            clusters: stores::clusters(scenario, draws),
            sharing: Sharing::new(&scenario.model, scenario.plan.copy.stream, copies),
            changed: 0,
            jobs: Vec::with_capacity(2 * copies),
            costs: Costs::new(&scenario.plan.copy, &scenario.model.cost),
            streams_weigh: if scenario.model.cost.head_per_stream.ops_per_second() > 0.0 { u64::MAX } else { 0 },
            setup: scenario.plan.copy.setup,
            setups: Fifo::with_capacity(2 * copies),
            setup_at: Time::NEVER,
            timers: SortedKeys::with_capacity(2 * copies),
            timer_at: Time::NEVER,
            going: Vec::with_capacity(copies),
            ready: VecDeque::new(),
            demand: Demand::new(scenario, draws),
            backups: Backups::new(scenario),
            tick_at: scenario.as_of,
            ticked_at: scenario.as_of,
            look_at: Time::NEVER,
            looks: draws.keyed(Purpose::Look, ""),
            steps_of_load: 0,
            day_ends: scenario.as_of + Span::from_secs(86_400),
            probe_at: scenario.as_of,
            probe_number: 0,
            probe_phase: stores::probe_phase(&scenario.model.probe, draws),
            cluster_probe_at: scenario.as_of,
            cluster_probe_number: 0,
            samples: VecDeque::new(),
            sample_at: Time::NEVER,
            agenda: BTreeMap::new(),
            entered: 0,
            entry_at: Time::NEVER,
            calendar_at: scenario.as_of,
            growth: 1.0,
            growth_of_step: scenario.model.population.growth_per_day * scenario.model.load.step.days(),
            before_grace: moves::before_grace(scenario),
            intake: Intake::default(),
            reached: reached_before(scenario),
            moved: 0,
            faults: 0,
            steps: 0,
            locked: Span::ZERO,
            ended: false,
            last_part: None,
            held_until_emptied: None,
            excused: None,
            scenario,
            outcomes,
        };
        world.count_mailboxes();
        for (mailbox, fault) in set_aside {
            world.set_aside_before(*mailbox, *fault);
        }
        world
    }

    /// What is asked for so rarely that it must not stand in the way of moves.
    #[cold]
    #[inline(never)]
    fn perform_rarely(&mut self, command: &Command) {
        match *command {
            Command::SetIntake { cluster, .. } => self.intake.cluster = Some(cluster),
            Command::SetAside { mailbox, .. } => _ = self.too_large.insert(mailbox),
            Command::Audit { head, .. } if self.outcomes.recording().is_some() => self.audit_as_recorded(head),
            Command::Audit { head, .. } => self.enter(self.now + self.scenario.model.cost.audit, Agenda::Audit(head)),
            Command::Announce { milestone, .. } => self.announced(milestone),
            Command::StartCopy { .. }
            | Command::Switch { .. }
            | Command::Abandon { .. }
            | Command::Purge { .. }
            | Command::SetPace { .. } => unreachable!("{command:?} is not rare"),
        }
    }

    fn announced(&mut self, milestone: Milestone) {
        // Whoever has recorded it has recorded, too, what the operator did about it.
        if let Milestone::Stopped { .. } = milestone
            && self.outcomes.recording().is_none()
        {
            self.enter(self.now + self.scenario.model.operator_after, Agenda::Operator(Order::Resume));
        }
        if milestone == Milestone::AllEmptied && self.held_until_emptied.is_none() {
            // What people look at later may be copied after that.
            self.held_until_emptied = Some(self.sharing.held_by_links(self.now));
            self.excused = Some(self.waiting_for_person());
        }
        if let Milestone::HeadEmptied { head, set_aside } = milestone {
            self.heads[head.index()].excused.get_or_insert(set_aside);
        }
        if milestone == (Milestone::ShareMoved { share: LAST_PART_FROM }) {
            self.look_at_last_part();
        }
        // Whatever had to be set aside, the head is emptied of all that can move; and whatever a cluster is full of, it is full.
        if let Milestone::ClusterFull { cluster, of } = milestone {
            self.clusters[cluster.index()].filled_of = Some(of);
        }
        let milestone = milestone.as_asked_for();
        let places = self.scenario.milestones.iter().zip(&mut self.reached);
        for (_, reached) in places.filter(|(asked, reached)| **asked == milestone && reached.is_none()) {
            *reached = Some(self.now);
        }
    }

    /// Tells the sharing what else the heads are asked for, where that has changed.
    #[inline]
    fn refresh_heads(&mut self) {
        while self.changed != 0 {
            let head = self.changed.trailing_zeros() as u8;
            self.changed &= self.changed - 1;
            self.refresh_head(HeadId(head));
        }
    }

    #[inline(always)]
    fn refresh_head(&mut self, head: HeadId) {
        let state = &mut self.heads[head.index()];
        let now = (state.lane.allowed, state.purges);
        // A copy that starts as another ends leaves the load as it was.
        if state.told != Some(now) {
            state.told = Some(now);
            self.tell_load(head);
        }
    }

    #[inline(never)]
    fn tell_load(&mut self, head: HeadId) {
        let state = &self.heads[head.index()];
        let streams = f64::from(state.lane.allowed) * self.costs.stream_op_s;
        let purges = f64::from(state.purges) * self.costs.purge_op_s;
        self.sharing.set_head(head, state.users + state.repeated + streams + purges, state.capacity);
    }

    /// Time goes by.
    #[inline(always)]
    fn pass_to(&mut self, next: Time) {
        assert!(next >= self.now, "the world goes back from {:?} to {next:?}", self.now);
        self.now = next;
    }
}

impl<O: Outcomes> Host for World<'_, O> {
    type Error = Infallible;

    #[inline]
    fn record(&mut self, _now: Time, _event: &Event, _commands: &[Command]) -> Result<(), Infallible> {
        self.steps += 1;
        Ok(())
    }

    #[inline(always)]
    fn perform(&mut self, _now: Time, command: &Command) -> Result<(), Infallible> {
        match *command {
            Command::StartCopy { effect, mailbox, from, to, attempt, .. } => {
                self.start_copy(effect, mailbox, from, to, attempt);
            }
            Command::Switch { effect } => self.switch(effect),
            Command::Abandon { effect, .. } => self.abandon(effect),
            Command::Purge { effect, batch, from } => self.purge(effect, batch.mailboxes(), from),
            Command::SetPace { head, streams, rate, .. } => self.set_pace(head, streams, rate),
            Command::SetIntake { .. } | Command::SetAside { .. } | Command::Audit { .. } | Command::Announce { .. } => {
                self.perform_rarely(command);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn wait(&mut self, until: Time) -> Result<(Time, Event), Infallible> {
        if self.outcomes.recording().is_some() {
            return Ok(self.wait_recorded(until));
        }
        loop {
            if (self.changed != 0) | self.sharing.is_unsettled() {
                self.refresh_heads();
                self.sharing.settle(self.now);
            }
            let (pair, copy_at) = self.sharing.first_due();
            let copy_at = Time::from_unix_micros(copy_at);
            let next = copy_at.min(self.setup_at).min(self.timer_at);
            if until < next || self.calendar_at <= next {
                // Rarely, so that nothing of it stands in the way of what is frequent.
                if until < self.calendar_at {
                    self.now = until;
                    return Ok((until, Event::Wake));
                }
                self.pass_to(self.calendar_at);
                if let Some(event) = self.pass_calendar() {
                    return Ok((self.now, event));
                }
                continue;
            }
            self.pass_to(next);
            if self.setup_at == next {
                self.end_setup();
            } else if copy_at == next {
                if let Some(event) = self.end_copy(pair) {
                    return Ok((next, event));
                }
            } else if let Some(event) = self.end_timer() {
                return Ok((next, event));
            }
        }
    }
}
