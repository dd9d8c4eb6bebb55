//! The world in which everything comes and ends as a recording has it. What is asked for, and in which order, is the
//! machine's business as ever; what mailboxes, copies and clusters go through is this world's.

use std::sync::Arc;

use super::{Place, World};
use crate::fleet::{ClusterId, Fleet, HeadId, MailboxId, NO_GROUP};
use crate::migration::message::{EffectId, Event, Fault, Order};
use crate::scenario::Scenario;
use crate::sim::job::{Job, Phase};
use crate::sim::recording::{Asked, Copies, Ended, Outcomes, Recording};
use crate::sim::transfer::{Flow, Work};
use crate::sim::{RunId, Workspace};
use crate::units::{Span, Time};

impl<'s> World<'s, Recording> {
    /// The world as a recorded session began in it. The scenario has the heads, the clusters and the plan of the session;
    /// what its model says of loads, costs and faults is not looked at.
    #[must_use]
    pub fn recorded(scenario: &'s Scenario, recording: Recording) -> Self {
        let (start, begins) = (Arc::clone(&recording.start), recording.begins);
        let run = RunId { seed: 0, replication: 0 };
        let fleet = Arc::clone(&start.facts.fleet);
        let mut world = Self::with(scenario, run, &mut Workspace::default(), fleet, &start.facts.set_aside, recording);
        for (place, cluster) in world.clusters.iter_mut().enumerate() {
            cluster.state.in_service = start.facts.open.contains(&ClusterId(place as u8));
        }
        (world.start, world.now, world.setup) = (begins, begins, Span::ZERO);
        world.tell(Event::Started(start));
        world
    }
}

impl<O: Outcomes> World<'_, O> {
    /// `wait` where a recording says what comes.
    #[cold]
    pub(super) fn wait_recorded(&mut self, until: Time) -> (Time, Event) {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return (self.now, event);
            }
            self.refresh_heads();
            self.sharing.settle(self.now);
            let (pair, copy_at) = self.sharing.first_due();
            let copy_at = Time::from_unix_micros(copy_at);
            let (at, is_wake) = self.outcomes.recording().map_or((until, true), |recording| recording.next(until));
            let next = at.min(copy_at).min(self.setup_at);
            if next >= self.scenario.horizon {
                self.now = self.scenario.horizon;
                self.ended = true;
                return (self.now, Event::Operator(Order::EndSession));
            }
            assert!(next >= self.now, "the world goes back from {:?} to {next:?}", self.now);
            self.now = next;
            let event = if self.setup_at == next {
                self.end_setup();
                None
            } else if at == next && is_wake && copy_at > next {
                Some(Event::Wake)
            } else if at == next && !is_wake {
                self.pass_recorded()
            } else {
                self.end_copy(pair)
            };
            if let Some(event) = event {
                return (next, event);
            }
        }
    }

    /// What the recording has next.
    fn pass_recorded(&mut self) -> Option<Event> {
        let event = self.outcomes.recording()?.pop()?;
        match event {
            Event::CopyEnded { effect, bytes, messages, .. } => {
                let job = &mut self.jobs[usize::from(effect.slot())];
                job.phase = Phase::Copied;
                self.clusters[job.cluster.index()].state.add_copy(bytes, messages);
            }
            Event::CopyFailed { effect, fault } => self.failed(effect.slot(), fault),
            Event::SwitchEnded { effect }
            | Event::SwitchFailed { effect, .. }
            | Event::PurgeEnded { effect }
            | Event::PurgeFailed { effect, .. } => return Some(self.end_job(effect.slot())),
            Event::ClusterOpened { cluster } => self.clusters[cluster.index()].state.in_service = true,
            Event::ClusterClosed { cluster } => self.clusters[cluster.index()].state.in_service = false,
            Event::MailboxGone { mailbox } => self.places[mailbox.index()] = Place::GONE,
            Event::MailboxFound { mailbox, home, bytes } if mailbox.index() == self.places.len() => {
                let fleet: &mut Fleet = Arc::make_mut(&mut self.fleet);
                fleet.bytes.push(bytes);
                fleet.messages.push(0);
                fleet.activity_micro_op_s.push(0);
                fleet.home.push(home);
                fleet.origin.push(home.as_head().unwrap_or(HeadId(u8::MAX)));
                if !fleet.group.is_empty() {
                    fleet.group.push(NO_GROUP);
                }
                self.places.push(Place::of(home));
                if let Some(head) = home.as_head() {
                    self.heads[head.index()].mailboxes += 1;
                }
            }
            Event::Started(_)
            | Event::Wake
            | Event::HeadSampled { .. }
            | Event::ClusterSampled { .. }
            | Event::MailboxFound { .. }
            | Event::MailboxChanged { .. }
            | Event::HeadAudited { .. }
            | Event::ClockStepped { .. }
            | Event::Operator(_) => {}
        }
        Some(event)
    }

    /// A copy begins whose end a recording knows; of one that it does not know the end never comes.
    #[cold]
    pub(super) fn start_recorded(&mut self, effect: EffectId, mailbox: MailboxId, head: HeadId, cluster: ClusterId) {
        let (now, row) = (self.now, mailbox.index());
        let Some(recording) = self.outcomes.recording() else { return };
        let ended = recording.take(Asked::Copy(mailbox));
        let (mut bytes, mut messages, mut fault) = (self.fleet.bytes[row], self.fleet.messages[row], None);
        match ended.as_ref().map(|ended| &ended.event) {
            Some(Event::CopyEnded { bytes: all, messages: each, .. }) => (bytes, messages) = (*all, *each),
            Some(Event::CopyFailed { fault: why, .. }) => fault = Some(*why),
            Some(other) => unreachable!("a copy ends with {other:?}"),
            None => {}
        }
        let mut job = Job {
            effect,
            bytes,
            mailbox,
            messages,
            activity_micro_op_s: self.fleet.activity_micro_op_s[row],
            fault,
            head,
            cluster,
            phase: Phase::Recorded,
            ..Job::FREE
        };
        if let (Copies::Lasted, Some(ended)) = (recording.copies, &ended) {
            recording.enter(now, ended, of_effect(&ended.event, effect));
        } else if let (Copies::Worked, Some(ended)) = (recording.copies, &ended) {
            job.flow = Flow { work: work(ended, fault), ..Flow::NONE };
            job.pair = self.sharing.pair(head, cluster);
            job.phase = Phase::SettingUp;
            job.allowed = self.heads[head.index()].lane.start(effect);
            if job.allowed {
                self.sharing.enter(head, cluster, job.pair, &job.flow);
            }
            self.setups.push((now, effect));
            self.setup_at = now;
        }
        self.jobs[usize::from(effect.slot())] = job;
    }

    /// A switch or a purge begins: when and how it ends the recording knows.
    #[cold]
    pub(super) fn end_as_recorded(&mut self, effect: EffectId, asked: Asked) {
        let now = self.now;
        let Some(recording) = self.outcomes.recording() else { return };
        let Some(ended) = recording.take(asked) else { return };
        recording.enter(now, &ended, of_effect(&ended.event, effect));
        let job = &mut self.jobs[usize::from(effect.slot())];
        job.fault = fault_of(&ended.event);
        if job.phase == Phase::Purging && job.fault.is_none() {
            self.heads[job.head.index()].purges += 1;
        }
    }

    /// A head is looked over.
    #[cold]
    pub(super) fn audit_as_recorded(&mut self, head: HeadId) {
        let now = self.now;
        let Some(recording) = self.outcomes.recording() else { return };
        if let Some(ended) = recording.take(Asked::Audit(head)) {
            recording.enter(now, &ended, ended.event.clone());
        }
    }

    /// Whether a recording says when this ends, even where it is given up.
    pub(super) fn ends_as_recorded(&mut self, phase: Phase) -> bool {
        self.outcomes.recording().is_some() && matches!(phase, Phase::Recorded | Phase::Switching | Phase::Purging)
    }
}

/// The work of a copy that was let progress for so long; of one that was given up nobody knows how much it would have been.
fn work(ended: &Ended, fault: Option<Fault>) -> Work {
    match fault {
        Some(Fault::Abandoned) => Work::from_micros(f64::MAX),
        _ => Work::from_micros(ended.worked.micros() as f64),
    }
}

/// How a job fails by its last event, if it does.
fn fault_of(event: &Event) -> Option<Fault> {
    if let Event::CopyFailed { fault, .. } | Event::SwitchFailed { fault, .. } | Event::PurgeFailed { fault, .. } =
        event
    {
        Some(*fault)
    } else {
        None
    }
}

/// The same end of another effect.
fn of_effect(event: &Event, of: EffectId) -> Event {
    let mut event = event.clone();
    if let Event::CopyEnded { effect, .. }
    | Event::CopyFailed { effect, .. }
    | Event::SwitchEnded { effect }
    | Event::SwitchFailed { effect, .. }
    | Event::PurgeEnded { effect }
    | Event::PurgeFailed { effect, .. } = &mut event
    {
        *effect = of;
    }
    event
}
