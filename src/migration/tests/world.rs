//! A naive world for the machine: maps of what is where, and an agenda of what will happen. It performs what the machine
//! asks for, with delays and faults from the dice, and causes trouble of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::dice::Dice;
use super::oracle::Oracle;
use super::plans::{percent, secs};
use crate::fleet::{ClusterId, Fleet, HeadId, MailboxId};
use crate::migration::message::{
    Batch, Command, EffectId, Event, Fault, Limit, Milestone, Next, Order, StopCause, WavesSoFar,
};
use crate::migration::plan::Plan;
use crate::migration::{Migration, Phase};
use crate::units::{Bytes, Inodes, Latency, Room, Share, Time};

/// Where a mailbox truly lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Live {
    Head(HeadId),
    Cluster(ClusterId),
    Gone,
}

/// What a job is truly at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Copying,
    Copied,
    Switching,
    Purging,
}

/// A job that the machine has not yet heard the end of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) mailbox: MailboxId,
    pub(super) from: HeadId,
    pub(super) to: ClusterId,
    pub(super) doing: Doing,
    pub(super) abandoned: bool,
    /// What must be reserved for it.
    pub(super) reserved: Room,
}

#[derive(Clone, Debug)]
pub(super) enum Agenda {
    SampleHead(HeadId),
    SampleCluster(ClusterId),
    End(EffectId),
    Deliver(Event),
    Audit(HeadId),
    Trouble,
    Operator,
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) plan: Arc<Plan>,
    pub(super) machine: Migration,
    pub(super) live: BTreeMap<MailboxId, Live>,
    pub(super) bytes: BTreeMap<MailboxId, Bytes>,
    pub(super) messages: BTreeMap<MailboxId, u32>,
    /// As many messages as the machine knows of: none of one that was found, before its copy has ended.
    pub(super) known_messages: BTreeMap<MailboxId, u32>,
    /// Old copies still on a head, and when the machine heard of the switch.
    pub(super) old: BTreeMap<MailboxId, (HeadId, Option<Time>)>,
    /// What was switched to each cluster, and when it truly was: for the fill that a sample cannot know.
    pub(super) committed: Vec<(Time, ClusterId, Room)>,
    pub(super) delivered: BTreeMap<ClusterId, Room>,
    pub(super) jobs: BTreeMap<EffectId, Job>,
    /// What each purge ever asked for removes.
    pub(super) purging: BTreeMap<EffectId, Batch>,
    pub(super) in_service: BTreeSet<ClusterId>,
    /// Mailboxes that the facts of this session know, and groups of which some had moved from a head.
    pub(super) in_facts: usize,
    pub(super) begun_groups: BTreeSet<(HeadId, u32)>,
    /// Clusters that an operator has closed.
    pub(super) closed: BTreeSet<ClusterId>,
    pub(super) oracle: Oracle,
    pub(super) agenda: BTreeMap<(Time, u64), Agenda>,
    pub(super) log: Vec<(Time, Event, Vec<Command>)>,
    pub(super) dice: Dice,
    ticket: u64,
    pub(super) session: u16,
    /// How far the waves have come, whatever session it was.
    pub(super) waves: Option<WavesSoFar>,
    pub(super) next: Next,
    /// Ends of jobs that have been told, to be said again.
    pub(super) said: Vec<Event>,
}

impl World {
    pub(super) fn new(plan: Arc<Plan>, fleet: &Fleet, dice: Dice) -> Self {
        let clusters = (0..plan.placement.clusters.len() as u8).map(ClusterId);
        let mut world = Self {
            now: Time::default(),
            machine: Migration::new(),
            live: fleet.ids().map(|id| (id, Live::Head(fleet.origin[id.index()]))).collect(),
            bytes: fleet.ids().map(|id| (id, fleet.bytes[id.index()])).collect(),
            messages: fleet.ids().map(|id| (id, fleet.messages[id.index()])).collect(),
            known_messages: BTreeMap::new(),
            old: BTreeMap::new(),
            committed: Vec::new(),
            delivered: BTreeMap::new(),
            jobs: BTreeMap::new(),
            purging: BTreeMap::new(),
            in_service: clusters.collect(),
            closed: BTreeSet::new(),
            in_facts: 0,
            begun_groups: BTreeSet::new(),
            oracle: Oracle::new(&plan),
            agenda: BTreeMap::new(),
            log: Vec::new(),
            dice,
            ticket: 0,
            session: 0,
            waves: None,
            next: Next::Wait { until: Time::NEVER, why: crate::migration::message::Reason::Idle },
            said: Vec::new(),
            plan,
        };
        for head in 0..world.plan.heads.len() {
            world.plan_in(0, Agenda::SampleHead(HeadId(head as u8)));
        }
        for cluster in world.in_service.clone() {
            world.plan_in(0, Agenda::SampleCluster(cluster));
        }
        world.plan_in(30, Agenda::Trouble);
        world.begin_session();
        world
    }

    /// Lets things happen until the machine is finished, or until so many steps have been taken; says which.
    pub(super) fn run(&mut self, steps: usize) -> bool {
        for _ in 0..steps {
            let until = match self.next {
                Next::Finished => return true,
                Next::Wait { until, .. } => until,
            };
            match self.agenda.first_key_value() {
                Some((&(time, _), _)) if time <= until => {
                    let ((time, _), what) = self.agenda.pop_first().unwrap();
                    self.now = self.now.max(time);
                    self.happen(what);
                }
                _ => {
                    assert!(until < Time::NEVER, "nothing will ever happen again");
                    self.now = until;
                    self.tell(Event::Wake);
                }
            }
        }
        self.next == Next::Finished
    }

    pub(super) fn order(&mut self, order: Order) {
        match order {
            Order::CloseCluster(cluster) => _ = self.closed.insert(cluster),
            Order::OpenCluster(cluster) => _ = self.closed.remove(&cluster),
            _ => {}
        }
        self.tell(Event::Operator(order));
    }

    /// Tells the machine of an event, does what it asks for, and lets the oracle look at both.
    pub(super) fn tell(&mut self, event: Event) {
        let mut commands = Vec::new();
        Oracle::hear(self, &event);
        self.next = self.machine.step(self.now, &event, &mut commands);
        self.log.push((self.now, event, commands.clone()));
        for command in commands {
            Oracle::judge(self, &command);
            self.perform(command);
        }
        let next = self.next;
        Oracle::look(self, next);
    }

    pub(super) fn plan_in(&mut self, seconds: i64, what: Agenda) {
        self.ticket += 1;
        self.agenda.insert((self.now + secs(seconds), self.ticket), what);
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::StartCopy { effect, mailbox, from, to, bytes, .. } => {
                let reserved = self.need(mailbox, bytes);
                let doing = Doing::Copying;
                self.jobs.insert(effect, Job { mailbox, from, to, doing, abandoned: false, reserved });
                self.end_in(effect, &[5, 1, 60, 300]);
            }
            Command::Switch { effect } => {
                self.jobs.get_mut(&effect).unwrap().doing = Doing::Switching;
                self.end_in(effect, &[2, 1, 20]);
            }
            Command::Purge { effect, batch, from } => {
                let (to, doing, reserved) = (ClusterId(0), Doing::Purging, Room::ZERO);
                let mailbox = batch.mailboxes()[0];
                self.jobs.insert(effect, Job { mailbox, from, to, doing, abandoned: false, reserved });
                self.purging.insert(effect, batch);
                self.end_in(effect, &[2, 1, 20]);
            }
            Command::Abandon { effect, .. } => {
                let job = self.jobs.get_mut(&effect).unwrap();
                job.abandoned = true;
                if job.doing == Doing::Copied {
                    self.jobs.remove(&effect);
                }
            }
            Command::Audit { head, .. } => {
                let delay = i64::from(self.dice.pick(&[1, 30]));
                self.plan_in(delay, Agenda::Audit(head));
            }
            // A person looks at a machine that has stopped by itself a minute later.
            Command::Announce { milestone: Milestone::Stopped { .. }, .. } => self.plan_in(60, Agenda::Operator),
            Command::SetPace { .. }
            | Command::SetIntake { .. }
            | Command::SetAside { .. }
            | Command::Announce { .. } => {}
        }
    }

    fn end_in(&mut self, effect: EffectId, seconds: &[i64]) {
        let seconds = self.dice.pick(seconds);
        self.plan_in(seconds, Agenda::End(effect));
    }

    fn happen(&mut self, what: Agenda) {
        match what {
            Agenda::SampleHead(head) => {
                if !self.dice.once_in(8) {
                    let measured_at = self.now - secs(i64::from(self.dice.pick(&[0, 5, 40])));
                    let utilisation = percent(self.dice.pick(&[10, 10, 70, 80, 81, 90, 91, 96]));
                    let latency = Latency::from_micros(self.dice.pick(&[1_000, 1_000, 9_500, 12_000]));
                    let held_by = self.dice.pick(&[None, Some(Limit::Own), Some(Limit::Link), Some(Limit::Ingest)]);
                    self.tell(Event::HeadSampled { head, measured_at, utilisation, latency, held_by });
                }
                let gap = i64::from(self.dice.pick(&[60, 30, 60, 400]));
                self.plan_in(gap, Agenda::SampleHead(head));
            }
            Agenda::SampleCluster(cluster) => {
                let used = self.used(cluster);
                let inodes = Some(used.inodes).filter(|_| !self.dice.once_in(12));
                let sample = Event::ClusterSampled {
                    cluster,
                    measured_at: self.now,
                    used: used.bytes,
                    inodes: inodes.into(),
                    utilisation: percent(self.dice.pick(&[10, 10, 85])),
                    latency: Latency::from_micros(1_000),
                };
                if !self.dice.once_in(8) {
                    let late = i64::from(self.dice.pick(&[0, 0, 20, 200]));
                    self.plan_in(late, Agenda::Deliver(sample));
                }
                let gap = i64::from(self.dice.pick(&[60, 60, 900]));
                self.plan_in(gap, Agenda::SampleCluster(cluster));
            }
            Agenda::End(effect) => self.end(effect),
            Agenda::Deliver(event) => self.tell(event),
            Agenda::Audit(head) => {
                let left = self.live.iter().filter(|(id, live)| {
                    let stays = matches!(self.machine.phase(**id), Some(Phase::SetAside | Phase::Excluded));
                    **live == Live::Head(head) && !stays
                });
                let (users_left, folders_left) = (left.count() as u32, u32::from(self.dice.once_in(6)));
                self.tell(Event::HeadAudited { head, users_left, folders_left });
            }
            Agenda::Operator => self.order(Order::Resume),
            Agenda::Trouble => self.trouble(),
        }
    }

    /// A job comes to its end in the world; the machine hears of it now or later.
    fn end(&mut self, effect: EffectId) {
        let Some(job) = self.jobs.get(&effect).copied() else { return };
        let gone = self.live[&job.mailbox] == Live::Gone;
        let faults = [
            Fault::Transient,
            Fault::Permanent,
            Fault::Unreachable,
            Fault::VerifyFailed,
            Fault::HoldTooLong,
            Fault::NoRoom,
        ];
        let fails = self.dice.once_in(5);
        let fault = if gone { Fault::Gone } else { self.dice.pick(&faults) };
        let event = match job.doing {
            Doing::Copying if job.abandoned && !self.dice.once_in(2) => {
                Event::CopyFailed { effect, fault: Fault::Abandoned }
            }
            Doing::Copying if fails || gone => Event::CopyFailed { effect, fault },
            Doing::Copying => {
                let grown = self.bytes[&job.mailbox].share(percent(self.dice.pick(&[0, 0, 5, 30])));
                *self.bytes.get_mut(&job.mailbox).unwrap() += grown;
                let messages = self.messages.get_mut(&job.mailbox).unwrap();
                *messages += self.dice.pick(&[0, 0, 1, 6]);
                let messages = *messages;
                let limit = self.dice.pick(&[Limit::Own, Limit::Head, Limit::Pace, Limit::Ingest]);
                Event::CopyEnded { effect, bytes: self.bytes[&job.mailbox], messages, limit }
            }
            Doing::Switching if fails || gone => Event::SwitchFailed { effect, fault },
            Doing::Switching => {
                self.commit(&job);
                Event::SwitchEnded { effect }
            }
            Doing::Purging if fails => Event::PurgeFailed { effect, fault: self.dice.pick(&faults) },
            Doing::Purging => {
                for mailbox in self.purging[&effect].mailboxes() {
                    self.old.remove(mailbox);
                }
                Event::PurgeEnded { effect }
            }
            Doing::Copied => return,
        };
        let late = i64::from(self.dice.pick(&[0, 0, 0, 90]));
        if self.dice.once_in(10) {
            self.plan_in(late + 7, Agenda::Deliver(event.clone()));
        }
        self.said.push(event.clone());
        if late == 0 { self.tell(event) } else { self.plan_in(late, Agenda::Deliver(event)) }
    }

    pub(super) fn commit(&mut self, job: &Job) {
        assert_eq!(self.live[&job.mailbox], Live::Head(job.from), "{job:?} moves what does not live there");
        self.live.insert(job.mailbox, Live::Cluster(job.to));
        self.old.insert(job.mailbox, (job.from, None));
        self.committed.push((self.now, job.to, job.reserved));
    }

    /// What is truly on a cluster.
    pub(super) fn used(&self, cluster: ClusterId) -> Room {
        let there = self.live.iter().filter(|(_, live)| **live == Live::Cluster(cluster));
        let mailboxes = there.fold(Room::ZERO, |sum, (id, _)| sum + self.takes(self.bytes[id], self.messages[id]));
        mailboxes + self.delivered.get(&cluster).copied().unwrap_or_default()
    }

    /// What a mailbox takes; inodes count only where some cluster has a limit of them.
    pub(super) fn takes(&self, bytes: Bytes, messages: u32) -> Room {
        let placement = &self.plan.placement;
        let counts = placement.clusters.iter().any(|cluster| cluster.inodes.is_some());
        let each = placement.inodes_per_mailbox.get() + u64::from(messages);
        Room { bytes, inodes: Inodes::new(if counts { each } else { 0 }) }
    }

    /// What must be reserved for a mailbox of which the machine knows so many bytes.
    pub(super) fn need(&self, mailbox: MailboxId, bytes: Bytes) -> Room {
        let (slack, messages) = (self.plan.placement.slack, self.known_messages[&mailbox]);
        let more = (u64::from(messages) * u64::from(slack.ppm()) / 1_000_000) as u32;
        self.takes(bytes + bytes.share(slack), messages + more)
    }

    /// Whether a stop was announced that only a person ends.
    pub(super) fn is_stop(milestone: Milestone) -> bool {
        matches!(milestone, Milestone::Stopped { why } if why != StopCause::WaveGo)
    }

    /// Share of a cluster's rating in use.
    pub(super) fn fill(&self, cluster: ClusterId) -> Share {
        self.used(cluster).bytes.of(self.plan.placement.clusters[cluster.index()].rated)
    }
}
