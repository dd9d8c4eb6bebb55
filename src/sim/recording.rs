//! A session as some host has recorded it, for the simulated world to go through once more: what came from outside, and
//! how long everything took and how it ended. What was asked for is not in it, but as what the durations belong to: that
//! has to be asked for again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::fleet::{HeadId, MailboxId};
use crate::migration::message::{Command, EffectId, Event, Start};
use crate::units::{Span, Time};

/// One step of a session: what has happened, and what was asked for then.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub at: Time,
    /// What the machine has learnt.
    pub event: Event,
    /// What it asked for.
    pub commands: Vec<Command>,
}

/// What a recording tells of its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// How long each took, suspended or not: they end when they ended.
    Lasted,
    /// How long each was let progress: that is their work, and the world's own lanes and clocks say when it is done.
    Worked,
}

/// Where it comes from how things end that the machine has asked for.
pub trait Outcomes {
    /// The recording that tells it, if one does.
    fn recording(&mut self) -> Option<&mut Recording>;
}

/// From the scenario's models and the replication's draws.
#[derive(Clone, Copy, Debug)]
pub struct Drawn;

impl Outcomes for Drawn {
    #[inline(always)]
    fn recording(&mut self) -> Option<&mut Recording> {
        None
    }
}

impl Outcomes for Recording {
    fn recording(&mut self) -> Option<&mut Recording> {
        Some(self)
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    Copy(MailboxId),
    Switch(MailboxId),
    /// Named by the first of its mailboxes.
    Purge(MailboxId),
    Audit(HeadId),
}

/// How something ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) took: Span,
    /// Of a copy: for how long it was let progress.
    pub(super) worked: Span,
    /// With the effect's id as it was.
    pub(super) event: Event,
    /// Number of the step: of what happens at one instant the earlier one comes first here, too.
    pub(super) number: u64,
}

/// When something comes: the instant, and the number of the step.
pub(super) type Place = (Time, u64);

/// A recorded session.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(super) start: Arc<Start>,
    pub(super) begins: Time,
    pub(super) copies: Copies,
    /// How things ended, of each in the order in which they were asked for.
    ended: BTreeMap<Asked, VecDeque<Ended>>,
    /// When the host woke the machine, in order.
    wakes: Vec<Place>,
    /// What is to come: from outside, and the ends of what is under way.
    coming: BTreeMap<Place, Event>,
}

impl Recording {
    /// A recording of these steps; none where they do not begin with a start.
    #[must_use]
    pub fn new(steps: &[Step], copies: Copies) -> Option<Self> {
        let Step { at, event: Event::Started(start), .. } = steps.first()? else { return None };
        let recording = Self {
            start: Arc::clone(start),
            begins: *at,
            copies,
            ended: BTreeMap::new(),
            wakes: Vec::new(),
            coming: BTreeMap::new(),
        };
        let mut listener = Listener::new(recording);
        for (number, step) in (0..).zip(steps) {
            listener.hear(number, step);
        }
        Some(listener.recording)
    }

    /// How many attempts to copy were suspended for a while.
    #[must_use]
    pub fn suspended(&self) -> usize {
        let copies = self.ended.iter().filter(|(asked, _)| matches!(asked, Asked::Copy(_)));
        copies.flat_map(|(_, ended)| ended).filter(|ended| ended.worked < ended.took).count()
    }

    /// How the next of these ended; `None` where it did not, or was never asked for.
    pub(super) fn take(&mut self, asked: Asked) -> Option<Ended> {
        self.ended.get_mut(&asked)?.pop_front()
    }

    /// Enters what is to come of something begun now.
    pub(super) fn enter(&mut self, now: Time, ended: &Ended, event: Event) {
        self.coming.insert((now + ended.took, ended.number), event);
    }

    /// When the next thing comes, and whether that is the wake-up for `until`: it comes as late as the host woke the
    /// machine then. Where the world says when copies are done nothing is late: the instants are others.
    pub(super) fn next(&self, until: Time) -> (Time, bool) {
        let woken = match self.copies {
            Copies::Lasted => self.wakes.get(self.wakes.partition_point(|(at, _)| *at < until)).copied(),
            Copies::Worked => Some((until, u64::MAX)),
        };
        let coming = self.coming.first_key_value().map(|(place, _)| *place);
        match (coming, woken) {
            (Some(coming), Some(woken)) if coming < woken => (coming.0, false),
            (_, Some(woken)) => (woken.0, true),
            (Some(coming), None) => (coming.0, false),
            (None, None) => (Time::NEVER, true),
        }
    }

    /// Takes what comes next.
    pub(super) fn pop(&mut self) -> Option<Event> {
        self.coming.pop_first().map(|(_, event)| event)
    }
}

/// A job under way while a recording is read.
#[derive(Clone, Copy, Debug)]
struct Going {
    asked: Asked,
    since: Time,
    head: Option<HeadId>,
    worked: Span,
}

/// Reads steps, and finds out how long what took.
struct Listener {
    recording: Recording,
    now: Time,
    going: BTreeMap<EffectId, Going>,
    /// By head: when it is to be looked over, of each request.
    audits: BTreeMap<HeadId, VecDeque<Time>>,
    /// By head: how many copies may progress.
    streams: BTreeMap<HeadId, usize>,
    /// Who a job's mailbox is.
    mailboxes: BTreeMap<EffectId, MailboxId>,
}

impl Listener {
    fn new(recording: Recording) -> Self {
        let now = recording.begins;
        Self {
            recording,
            now,
            going: BTreeMap::new(),
            audits: BTreeMap::new(),
            streams: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
        }
    }

    fn hear(&mut self, number: u64, step: &Step) {
        self.pass(step.at);
        match &step.event {
            Event::Started(_) => {}
            Event::Wake => self.recording.wakes.push((step.at, number)),
            Event::CopyEnded { effect, .. }
            | Event::CopyFailed { effect, .. }
            | Event::SwitchEnded { effect }
            | Event::SwitchFailed { effect, .. }
            | Event::PurgeEnded { effect }
            | Event::PurgeFailed { effect, .. } => {
                if let Some(Going { asked, since, worked, .. }) = self.going.remove(effect) {
                    self.note(asked, since, worked, number, &step.event);
                }
            }
            Event::HeadAudited { head, .. } => {
                if let Some(since) = self.audits.get_mut(head).and_then(VecDeque::pop_front) {
                    self.note(Asked::Audit(*head), since, Span::ZERO, number, &step.event);
                }
            }
            Event::HeadSampled { .. }
            | Event::ClusterSampled { .. }
            | Event::ClusterOpened { .. }
            | Event::ClusterClosed { .. }
            | Event::MailboxFound { .. }
            | Event::MailboxGone { .. }
            | Event::MailboxChanged { .. }
            | Event::ClockStepped { .. }
            | Event::Operator(_) => {
                self.recording.coming.insert((step.at, number), step.event.clone());
            }
        }
        for command in &step.commands {
            self.ask(command);
        }
    }

    fn note(&mut self, asked: Asked, since: Time, worked: Span, number: u64, event: &Event) {
        let ended = Ended { took: self.now.since(since), worked, event: event.clone(), number };
        self.recording.ended.entry(asked).or_default().push_back(ended);
    }

    fn ask(&mut self, command: &Command) {
        let (effect, since) = (command.effect(), self.now);
        let mut begin = |asked, head| {
            self.going.entry(effect).or_insert(Going { asked, since, head, worked: Span::ZERO });
        };
        match *command {
            Command::StartCopy { mailbox, from, .. } => {
                begin(Asked::Copy(mailbox), Some(from));
                self.mailboxes.insert(effect, mailbox);
            }
            Command::Switch { .. } => {
                if let Some(mailbox) = self.mailboxes.get(&effect) {
                    begin(Asked::Switch(*mailbox), None);
                }
            }
            Command::Purge { batch, .. } => {
                if let Some(first) = batch.mailboxes().first() {
                    begin(Asked::Purge(*first), None);
                }
            }
            Command::Audit { head, .. } => self.audits.entry(head).or_default().push_back(since),
            Command::SetPace { head, streams, .. } => {
                self.streams.insert(head, usize::from(streams));
            }
            Command::Abandon { .. }
            | Command::SetIntake { .. }
            | Command::SetAside { .. }
            | Command::Announce { .. } => {}
        }
    }

    /// Time goes on: of each head's copies those that started first have worked, as many as its pace allows.
    fn pass(&mut self, now: Time) {
        let passed = now.since(self.now);
        self.now = now;
        let mut left = self.streams.clone();
        for going in self.going.values_mut() {
            let Some(left) = going.head.and_then(|head| left.get_mut(&head)).filter(|left| **left > 0) else {
                continue;
            };
            *left -= 1;
            going.worked += passed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Home;
    use crate::migration::message::{Fault, Order};
    use crate::migration::plan::{Law, Level};
    use crate::scenario::Scenario;
    use crate::sim::testing::{quiet, scenario};
    use crate::sim::tests::lively;
    use crate::sim::{RunId, TraceItem, rerun, trace};
    use crate::units::{Bytes, OpRate, Rate, Share};

    /// What one replication comes to, step by step.
    fn steps(scenario: &Scenario, replication: u32) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        trace(scenario, RunId { seed: 42, replication }, &mut |row| match row.item {
            TraceItem::Event(event) => {
                steps.push(Step { at: row.now, event: event.clone(), commands: Vec::new() });
            }
            TraceItem::Command(command) => steps.last_mut().expect("an event").commands.push(*command),
        });
        steps
    }

    fn assert_same(given: &[Step], recorded: &[Step]) {
        for (number, (given, recorded)) in given.iter().zip(recorded).enumerate() {
            assert_eq!(given, recorded, "step {number}");
        }
        assert_eq!(given.len(), recorded.len());
    }

    #[test]
    fn a_recorded_simulation_comes_out_the_same_step_by_step() {
        let mut scenario = lively(2_000);
        for head in &mut Arc::make_mut(&mut scenario.model).heads {
            head.outages.as_mut().expect("outages").per_day = 100.0;
        }
        let (mut transient, mut unreachable) = (0, 0);
        for replication in 0..4 {
            let steps = steps(&scenario, replication);
            for step in &steps {
                let Event::CopyFailed { fault, .. } = step.event else { continue };
                transient += u32::from(fault == Fault::Transient);
                unreachable += u32::from(fault == Fault::Unreachable);
            }
            let recording = Recording::new(&steps, Copies::Lasted).expect("a start");
            assert_same(&rerun(&scenario, recording), &steps);
        }
        assert!(transient > 50 && unreachable > 5, "{transient} and {unreachable} faults to go through");
    }

    /// Copies that wait for nobody but the pace, which rises and falls.
    fn paced() -> Scenario {
        let (mut plan, mut model) = quiet(1_000);
        (plan.copy.setup, plan.copy.stream) = (Span::ZERO, Rate::per_second(1_000_000));
        for head in &mut plan.heads {
            let level = |percent: u32| Level::Utilisation(Share::from_ppm(percent * 10_000));
            head.throttle.law = Law::Steps { table: vec![(level(10), 24), (level(60), 2)], interpolate: true };
        }
        model.population.activity = OpRate::per_second(9.0);
        (model.load.noise_sigma, model.load.noise_correlation) = (0.3, Span::from_secs(120));
        (model.cost.switch, model.faults.transient) = (Span::from_secs(5), 0.02);
        scenario(plan, model)
    }

    #[test]
    fn what_a_copy_was_let_do_is_done_when_the_lanes_have_let_it() {
        let scenario = paced();
        let steps = steps(&scenario, 0);
        let recording = Recording::new(&steps, Copies::Worked).expect("a start");
        assert!(recording.suspended() > 50, "{} copies had to wait", recording.suspended());
        assert_same(&rerun(&scenario, recording), &steps);
    }

    #[test]
    fn what_the_recording_does_not_know_never_ends() {
        let scenario = scenario(quiet(20).0, quiet(20).1);
        let mut steps = steps(&scenario, 0);
        // Somebody who was not there, found after the first sample.
        let (mailbox, home) = (MailboxId(20), Home::head(HeadId(0)));
        let found = Event::MailboxFound { mailbox, home, bytes: Bytes::new(5) };
        steps.insert(3, Step { at: steps[2].at, event: found, commands: Vec::new() });
        let again = rerun(&scenario, Recording::new(&steps, Copies::Lasted).expect("a start"));
        let asked = |command: &Command| matches!(command, Command::StartCopy { mailbox: of, .. } if *of == mailbox);
        assert!(again.iter().any(|step| step.commands.iter().any(asked)), "it is to be moved, too");
        let last = again.last().expect("an end");
        assert_eq!((last.at, &last.event), (scenario.horizon, &Event::Operator(Order::EndSession)));
    }

    #[test]
    fn a_recording_begins_with_a_start() {
        let wake = Step { at: Time::default(), event: Event::Wake, commands: Vec::new() };
        assert!(Recording::new(&[wake], Copies::Lasted).is_none());
        assert!(Recording::new(&[], Copies::Lasted).is_none());
    }
}
