//! One replication, event by event: the way to look into a scenario.

use super::{Outcome, RunId, Workspace};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{Binding, Command, EffectId, Event};
use crate::scenario::Scenario;
use crate::units::Time;

/// An event, or a command that followed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TraceItem<'a> {
    /// What the machine has learnt.
    Event(&'a Event),
    /// What it asked for then.
    Command(&'a Command),
}

/// One line of a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceRow<'a> {
    /// When.
    pub now: Time,
    /// What, with all its details.
    pub item: TraceItem<'a>,
    /// Its name in the protocol.
    pub kind: &'static str,
    /// The head concerned.
    pub head: Option<HeadId>,
    /// The mailbox concerned.
    pub mailbox: Option<MailboxId>,
    /// The cluster concerned.
    pub cluster: Option<ClusterId>,
    /// The effect.
    pub effect: Option<EffectId>,
    /// What binds each head after the step.
    pub bindings: &'a [Binding],
}

/// Runs one replication and shows every event and every command to `observe`, in order.
pub fn trace(scenario: &Scenario, run: RunId, observe: &mut dyn FnMut(&TraceRow<'_>)) -> Outcome {
    let mut jobs = Jobs::default();
    let mut bindings = Vec::with_capacity(scenario.heads.len());
    super::observed(scenario, run, &mut Workspace::default(), |machine, now, event, commands| {
        bindings.clear();
        bindings.extend((0..scenario.heads.len()).map(|head| machine.binding(HeadId(head as u8))));
        observe(&jobs.event_row(now, event, &bindings));
        for command in commands {
            observe(&jobs.command_row(now, command, &bindings));
        }
    })
}

/// Who and where each job is: events name only its effect.
#[derive(Default)]
struct Jobs {
    slots: Vec<Option<(MailboxId, HeadId, Option<ClusterId>)>>,
}

impl Jobs {
    fn event_row<'a>(&self, now: Time, event: &'a Event, bindings: &'a [Binding]) -> TraceRow<'a> {
        let (mut head, mut mailbox, mut cluster, mut effect) = (None, None, None, None);
        let kind = match event {
            Event::Started(_) => "Started",
            Event::Wake => "Wake",
            Event::Operator(_) => "Operator",
            Event::ClockStepped { .. } => "ClockStepped",
            Event::HeadSampled { head: of, .. } => (head = Some(*of), "HeadSampled").1,
            Event::HeadAudited { head: of, .. } => (head = Some(*of), "HeadAudited").1,
            Event::ClusterSampled { cluster: of, .. } => (cluster = Some(*of), "ClusterSampled").1,
            Event::ClusterOpened { cluster: of } => (cluster = Some(*of), "ClusterOpened").1,
            Event::ClusterClosed { cluster: of } => (cluster = Some(*of), "ClusterClosed").1,
            Event::MailboxFound { mailbox: of, .. } => (mailbox = Some(*of), "MailboxFound").1,
            Event::MailboxGone { mailbox: of } => (mailbox = Some(*of), "MailboxGone").1,
            Event::MailboxChanged { mailbox: of, .. } => (mailbox = Some(*of), "MailboxChanged").1,
            Event::CopyEnded { effect: of, .. } => (effect = Some(*of), "CopyEnded").1,
            Event::CopyFailed { effect: of, .. } => (effect = Some(*of), "CopyFailed").1,
            Event::SwitchEnded { effect: of } => (effect = Some(*of), "SwitchEnded").1,
            Event::SwitchFailed { effect: of, .. } => (effect = Some(*of), "SwitchFailed").1,
            Event::PurgeEnded { effect: of } => (effect = Some(*of), "PurgeEnded").1,
            Event::PurgeFailed { effect: of, .. } => (effect = Some(*of), "PurgeFailed").1,
        };
        if let Some((of, from, to)) = effect.and_then(|effect| self.find(effect)) {
            (mailbox, head, cluster) = (Some(of), Some(from), to);
        }
        TraceRow { now, item: TraceItem::Event(event), kind, head, mailbox, cluster, effect, bindings }
    }

    fn command_row<'a>(&mut self, now: Time, command: &'a Command, bindings: &'a [Binding]) -> TraceRow<'a> {
        let effect = command.effect();
        let (kind, known) = match *command {
            Command::StartCopy { mailbox, from, to, .. } => {
                self.put(effect, (mailbox, from, Some(to)));
                ("StartCopy", self.find(effect))
            }
            Command::Purge { batch, from, .. } => {
                // Named by the first of them.
                let first = batch.mailboxes().first().copied().unwrap_or(MailboxId(0));
                self.put(effect, (first, from, None));
                ("Purge", self.find(effect))
            }
            Command::Switch { .. } => ("Switch", self.find(effect)),
            Command::Abandon { .. } => ("Abandon", self.find(effect)),
            Command::SetPace { .. } => ("SetPace", None),
            Command::SetIntake { .. } => ("SetIntake", None),
            Command::SetAside { .. } => ("SetAside", None),
            Command::Audit { .. } => ("Audit", None),
            Command::Announce { .. } => ("Announce", None),
        };
        let mut row = TraceRow {
            now,
            item: TraceItem::Command(command),
            kind,
            head: known.map(|(_, head, _)| head),
            mailbox: known.map(|(mailbox, _, _)| mailbox),
            cluster: known.and_then(|(_, _, cluster)| cluster),
            effect: Some(effect),
            bindings,
        };
        if let Command::SetPace { head, .. } | Command::Audit { head, .. } = *command {
            row.head = Some(head);
        }
        if let Command::SetIntake { cluster, .. } = *command {
            row.cluster = Some(cluster);
        }
        if let Command::SetAside { mailbox, .. } = *command {
            row.mailbox = Some(mailbox);
        }
        row
    }

    fn put(&mut self, effect: EffectId, job: (MailboxId, HeadId, Option<ClusterId>)) {
        let slot = usize::from(effect.slot());
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, None);
        }
        self.slots[slot] = Some(job);
    }

    fn find(&self, effect: EffectId) -> Option<(MailboxId, HeadId, Option<ClusterId>)> {
        self.slots.get(usize::from(effect.slot())).copied().flatten()
    }
}
