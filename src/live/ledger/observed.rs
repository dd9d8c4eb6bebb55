//! How long copies and switches took and what the probes said: what a forecast's model is measured against.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::Value;

use super::Step;
use super::error::LedgerError;
use super::reader::Reader;
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{Command, EffectId, Event, Fault, Limit, Milestone};
use crate::units::{Bytes, Inodes, Latency, Share, Span, Time};

/// What a session has seen, each list in the order of the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observations {
    /// Copies that have ended.
    pub copies: Vec<CopySeen>,
    /// Switches that have ended.
    pub switches: Vec<SwitchSeen>,
    /// Samples of heads.
    pub heads: Vec<HeadSample>,
    /// Samples of clusters.
    pub clusters: Vec<ClusterSample>,
    /// Milestones as they were announced, and when.
    pub milestones: Vec<(Milestone, Time)>,
}

/// A copy that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopySeen {
    /// The job.
    pub effect: EffectId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// From which head.
    pub from: HeadId,
    /// To which cluster.
    pub to: ClusterId,
    /// Which attempt it was, from 1.
    pub attempt: u8,
    /// Bytes that have come to the target; as many as were expected where it failed.
    pub bytes: Bytes,
    /// Messages that have come to the target; none where it failed.
    pub messages: u32,
    /// When it was asked for.
    pub started_at: Time,
    /// When its end was told.
    pub ended_at: Time,
    /// How long it has worked, waiting for its pace not counted, where it arrived and the journal tells.
    pub worked: Option<Span>,
    /// What held it back, or what it failed of.
    pub result: Result<Limit, Fault>,
}

/// A switch that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchSeen {
    /// The job.
    pub effect: EffectId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// When it was asked for.
    pub started_at: Time,
    /// When its end was told.
    pub ended_at: Time,
    /// How long the user was held, where the journal tells.
    pub held: Option<Span>,
    /// What it failed of.
    pub fault: Option<Fault>,
}

/// A sample of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSample {
    /// The head.
    pub head: HeadId,
    /// When it was measured.
    pub measured_at: Time,
    /// When it was told.
    pub at: Time,
    /// Busy share of its capacity.
    pub utilisation: Share,
    /// Mean response time.
    pub latency: Latency,
}

/// A sample of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterSample {
    /// The cluster.
    pub cluster: ClusterId,
    /// When it was measured.
    pub measured_at: Time,
    /// When it was told.
    pub at: Time,
    /// Bytes on it.
    pub used: Bytes,
    /// Inodes in use on it, where its file system has a count of them.
    pub inodes: Option<Inodes>,
    /// Busy share of its capacity.
    pub utilisation: Share,
    /// Mean response time.
    pub latency: Latency,
}

impl Reader {
    /// What a session has seen.
    ///
    /// # Errors
    /// When it cannot be read, or holds what cannot be.
    pub fn observations(&self, session: u16) -> Result<Observations, LedgerError> {
        let (holds, worked) = self.jobs(session)?;
        let mut watch = Watch { holds, worked, ..Watch::default() };
        self.visit(session, &mut |recorded| {
            watch.take_event(recorded.at, &recorded.event);
            for command in recorded.read_commands()? {
                watch.take_command(recorded.at, command);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(watch.seen)
    }

    /// How long each job held its user, from the hold until whatever ended it, and how long each copy that arrived worked.
    fn jobs(&self, session: u16) -> Result<(Spans, Spans), LedgerError> {
        let mut since = BTreeMap::new();
        let (mut holds, mut worked) = (Spans::new(), Spans::new());
        for noted in self.steps(session)? {
            match noted.step {
                Step::Hold => {
                    since.insert(noted.effect, noted.at);
                }
                Step::Flip | Step::BackedOut => {
                    if let Some(held_at) = since.get(&noted.effect) {
                        holds.insert(noted.effect, noted.at.since(*held_at));
                    }
                }
                Step::Delta => {
                    let detail = noted.detail.and_then(|detail| serde_json::from_str::<Value>(&detail).ok());
                    if let Some(seconds) = detail.and_then(|detail| detail.get("worked_s")?.as_f64()) {
                        worked.insert(noted.effect, Span::from_secs_f64(seconds));
                    }
                }
                Step::Bulk | Step::Fence | Step::Placed | Step::Purged => {}
            }
        }
        Ok((holds, worked))
    }
}

/// A span of time for each job.
type Spans = BTreeMap<EffectId, Span>;

/// Waits for the ends of what has begun.
#[derive(Default)]
struct Watch {
    holds: Spans,
    worked: Spans,
    copies: BTreeMap<EffectId, CopySeen>,
    switches: BTreeMap<EffectId, SwitchSeen>,
    /// Who a job's mailbox is, from its copy until the end of its switch.
    jobs: BTreeMap<EffectId, MailboxId>,
    seen: Observations,
}

impl Watch {
    fn take_event(&mut self, at: Time, event: &Event) {
        match *event {
            Event::CopyEnded { effect, bytes, messages, limit } => self.copy_over(at, effect, |copy| {
                (copy.bytes, copy.messages, copy.result) = (bytes, messages, Ok(limit));
            }),
            Event::CopyFailed { effect, fault } => {
                self.jobs.remove(&effect);
                self.copy_over(at, effect, |copy| copy.result = Err(fault));
            }
            Event::SwitchEnded { effect } => self.switch_over(at, effect, None),
            Event::SwitchFailed { effect, fault } => self.switch_over(at, effect, Some(fault)),
            Event::HeadSampled { head, measured_at, utilisation, latency, .. } => {
                self.seen.heads.push(HeadSample { head, measured_at, at, utilisation, latency });
            }
            Event::ClusterSampled { cluster, measured_at, used, inodes, utilisation, latency } => {
                let inodes = inodes.get();
                self.seen.clusters.push(ClusterSample { cluster, measured_at, at, used, inodes, utilisation, latency });
            }
            Event::Started(_)
            | Event::Wake
            | Event::ClusterOpened { .. }
            | Event::ClusterClosed { .. }
            | Event::PurgeEnded { .. }
            | Event::PurgeFailed { .. }
            | Event::MailboxFound { .. }
            | Event::MailboxGone { .. }
            | Event::MailboxChanged { .. }
            | Event::HeadAudited { .. }
            | Event::ClockStepped { .. }
            | Event::Operator(_) => {}
        }
    }

    fn take_command(&mut self, at: Time, command: Command) {
        match command {
            Command::StartCopy { effect, mailbox, from, to, attempt, bytes } => {
                let (messages, result) = (0, Err(Fault::Abandoned));
                let (started_at, ended_at) = (at, at);
                let copy = CopySeen {
                    effect,
                    mailbox,
                    from,
                    to,
                    attempt,
                    bytes,
                    messages,
                    started_at,
                    ended_at,
                    worked: None,
                    result,
                };
                self.copies.insert(effect, copy);
                self.jobs.insert(effect, mailbox);
            }
            Command::Switch { effect } => {
                if let Some(&mailbox) = self.jobs.get(&effect) {
                    let held = self.holds.get(&effect).copied();
                    let switch = SwitchSeen { effect, mailbox, started_at: at, ended_at: at, held, fault: None };
                    self.switches.insert(effect, switch);
                }
            }
            Command::Abandon { .. }
            | Command::Purge { .. }
            | Command::SetPace { .. }
            | Command::SetIntake { .. }
            | Command::SetAside { .. }
            | Command::Audit { .. } => {}
            Command::Announce { milestone, .. } => self.seen.milestones.push((milestone, at)),
        }
    }

    fn copy_over(&mut self, at: Time, effect: EffectId, tell: impl FnOnce(&mut CopySeen)) {
        if let Some(mut copy) = self.copies.remove(&effect) {
            copy.ended_at = at;
            tell(&mut copy);
            copy.worked = copy.result.is_ok().then(|| self.worked.get(&effect).copied()).flatten();
            self.seen.copies.push(copy);
        }
    }

    fn switch_over(&mut self, at: Time, effect: EffectId, fault: Option<Fault>) {
        self.jobs.remove(&effect);
        if let Some(switch) = self.switches.remove(&effect) {
            self.seen.switches.push(SwitchSeen { ended_at: at, fault, ..switch });
        }
    }
}
