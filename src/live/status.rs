//! How a running migration stands: kept up with each step, for `status` and for those who watch.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire;
use crate::fleet::{ClusterId, HeadId};
use crate::migration::Migration;
use crate::migration::message::{Binding, Command, Event, Fault, Milestone, Order, Start, StopCause};
use crate::scenario::Scenario;
use crate::units::{Bytes, Inodes, Latency, Rate, Share, Time};

/// Faults and troubles that are kept.
const KEPT: usize = 8;

/// How a running migration stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The scenario's title.
    pub name: String,
    /// The number of the session.
    pub session: u16,
    /// The process that runs it.
    pub pid: u32,
    /// When the session began, microseconds since 1970.
    pub since_us: i64,
    /// When this was true, microseconds since 1970.
    pub at_us: i64,
    /// Mailboxes known.
    pub mailboxes: u64,
    /// Mailboxes moved in this session.
    pub moved: u64,
    /// Bytes moved in this session.
    pub moved_bytes: u64,
    /// Mailboxes that had been moved when the session began.
    pub moved_before: u64,
    /// Attempts that failed in this session.
    pub faults: u64,
    /// The same by the fault's name.
    pub faults_by: BTreeMap<String, u64>,
    /// How often the machine's clock was set in this session.
    pub clock_steps: u64,
    /// How long users were held in this session.
    pub holds: Holds,
    /// How the ledger keeps up.
    pub ledger: LedgerStatus,
    /// The right to change the directory.
    pub lease: LeaseStatus,
    /// Whether an operator has paused it, in this session or an earlier one.
    pub paused: bool,
    /// Why the migration has stopped by itself, in this session or an earlier one, and waits for `resume`; none while it has not.
    pub stopped: Option<String>,
    /// Whether an operator holds the purges.
    pub purges_held: bool,
    /// By head.
    pub heads: Vec<HeadStatus>,
    /// By cluster.
    pub clusters: Vec<ClusterStatus>,
    /// The last things that went wrong, the latest last.
    pub troubles: Vec<String>,
}

/// How a head stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeadStatus {
    /// Its name.
    pub name: String,
    /// Mailboxes that are still to leave it.
    pub left: u32,
    /// Mailboxes that wait for a person.
    pub set_aside: u32,
    /// Mailboxes that the plan leaves there.
    pub excluded: u32,
    /// Mailboxes that wait for their copy.
    pub waiting: u32,
    /// Copies under way, suspended ones included.
    pub copying: u16,
    /// Switches under way, and copies that wait for theirs.
    pub switching: u32,
    /// Moved mailboxes whose old copies are still there and will be removed.
    pub unpurged: u64,
    /// Old copies that stay there for a person: a stopped cohort's, and those that could not be removed.
    pub kept: u32,
    /// Copies that may progress; none before the first pace.
    pub streams: Option<u16>,
    /// Cap on the sum of their speeds in bytes a second; none without one.
    pub rate: Option<u64>,
    /// What binds it.
    pub binds: String,
    /// How long each cause has bound it in this session, in microseconds.
    pub bound_us: BTreeMap<String, i64>,
    /// Its load at the last sample, parts per million, and its latency, microseconds; none without a sample.
    pub load: Option<(u32, u32)>,
    /// When that was measured, microseconds since 1970.
    pub sampled_at_us: Option<i64>,
}

/// How a cluster stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterStatus {
    /// Its name.
    pub name: String,
    /// Whether an operator has closed it.
    pub closed: bool,
    /// Bytes on it at the last sample; none without a sample.
    pub used: Option<u64>,
    /// Bytes on their way to it.
    pub reserved: u64,
    /// Bytes up to which it is filled.
    pub threshold: u64,
    /// How it stands with inodes, where it has a limit of them.
    pub inodes: Option<InodeStatus>,
    /// Its load at the last sample, parts per million, and its latency, microseconds; none without a sample.
    pub load: Option<(u32, u32)>,
    /// When that was measured, microseconds since 1970.
    pub sampled_at_us: Option<i64>,
}

impl ClusterStatus {
    /// For people, to go on a line with: that an operator has closed it; empty where nobody has.
    #[must_use]
    pub const fn closed_shown(&self) -> &'static str {
        if self.closed { "; closed until `open-cluster`" } else { "" }
    }
}

/// How a cluster stands with inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InodeStatus {
    /// In use at the last sample; none without a sample, and where its file system has no count of them: then there is no
    /// limit.
    pub used: Option<u64>,
    /// For what is on its way to it.
    pub reserved: u64,
    /// Up to which it is filled.
    pub threshold: u64,
}

impl InodeStatus {
    /// For people: how far they are used up.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.used {
            Some(used) => format!("{:.1} % of its threshold", 100.0 * used as f64 / self.threshold.max(1) as f64),
            None => "not counted, no limit".to_owned(),
        }
    }
}

/// How long users were held: a histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holds {
    /// How many holds have ended, by the first of [`Holds::UP_TO_S`] that they were no longer than; longer ones are last.
    pub counts: [u64; Holds::UP_TO_S.len() + 1],
    /// All of them together, in microseconds.
    pub sum_us: u64,
    /// Those of them that were backed out.
    pub backed_out: u64,
}

impl Holds {
    /// Seconds: the upper ends of the histogram's parts.
    pub const UP_TO_S: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

    /// Counts a hold that has ended.
    pub fn add(&mut self, held: Duration, backed_out: bool) {
        let part = Self::UP_TO_S.iter().position(|most| held.as_secs_f64() <= *most).unwrap_or(Self::UP_TO_S.len());
        self.counts[part] += 1;
        self.sum_us += held.as_micros() as u64;
        self.backed_out += u64::from(backed_out);
    }
}

/// How the ledger keeps up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LedgerStatus {
    /// Events recorded in this session.
    pub events: u64,
    /// From the last event that happened until it was recorded, in microseconds.
    pub lag_us: u64,
    /// Time spent recording in this session, in microseconds.
    pub spent_us: u64,
}

/// The right to change the directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseStatus {
    /// Its fencing number; none before it was taken.
    pub fence: Option<i64>,
    /// When it runs out unless it is kept, microseconds since 1970 by the session's time.
    pub until_us: Option<i64>,
}

impl Status {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(scenario: &Scenario, session: u16, since: Time) -> Self {
        let head = |name: &String| HeadStatus { name: name.clone(), ..HeadStatus::default() };
        let clusters = scenario.clusters.iter().zip(&scenario.plan.placement.clusters);
        let cluster = |(name, plan): (&String, &crate::migration::plan::ClusterPlan)| ClusterStatus {
            name: name.clone(),
            threshold: plan.threshold().get(),
            inodes: plan
                .inodes
                .map(|inodes| InodeStatus { threshold: inodes.threshold().get(), ..InodeStatus::default() }),
            ..ClusterStatus::default()
        };
        Self {
            name: scenario.name.clone(),
            session,
            pid: std::process::id(),
            since_us: since.unix_micros(),
            heads: scenario.heads.iter().map(head).collect(),
            clusters: clusters.map(cluster).collect(),
            ..Self::default()
        }
    }

    /// Takes in a step of the machine.
    pub fn stepped(
        &mut self,
        machine: &Migration,
        now: Time,
        event: &Event,
        commands: &[Command],
        moving: &mut Moving,
    ) {
        self.at_us = now.unix_micros();
        self.mailboxes = machine.mailboxes() as u64;
        match event {
            Event::Started(start) => self.moved_before = moved(start),
            Event::CopyEnded { effect, bytes, .. } => moving.arrived(effect.slot(), *bytes),
            Event::SwitchEnded { effect } => {
                self.moved += 1;
                self.moved_bytes += moving.left(effect.slot()).get();
            }
            Event::CopyFailed { fault, .. } | Event::SwitchFailed { fault, .. } | Event::PurgeFailed { fault, .. } => {
                self.failed(*fault);
            }
            Event::HeadSampled { head, measured_at, utilisation, latency, .. } => {
                let head = &mut self.heads[head.index()];
                (head.load, head.sampled_at_us) = sampled(*measured_at, *utilisation, *latency);
            }
            Event::ClusterSampled { cluster, measured_at, used, inodes, utilisation, latency } => {
                let cluster = &mut self.clusters[cluster.index()];
                cluster.used = Some(used.get());
                if let Some(status) = &mut cluster.inodes {
                    status.used = inodes.get().map(Inodes::get);
                }
                (cluster.load, cluster.sampled_at_us) = sampled(*measured_at, *utilisation, *latency);
            }
            Event::ClockStepped { .. } => self.clock_steps += 1,
            Event::Operator(order) => self.ordered(*order),
            Event::Wake
            | Event::ClusterOpened { .. }
            | Event::ClusterClosed { .. }
            | Event::PurgeEnded { .. }
            | Event::MailboxFound { .. }
            | Event::MailboxGone { .. }
            | Event::MailboxChanged { .. }
            | Event::HeadAudited { .. } => {}
        }
        for command in commands {
            if let Command::Announce { milestone: Milestone::Stopped { why }, .. } = command {
                self.stays_stopped(*why);
            }
        }
        for (head, status) in self.heads.iter_mut().enumerate() {
            status.stepped(machine, HeadId(head as u8), now);
        }
        for (cluster, status) in self.clusters.iter_mut().enumerate() {
            let reserved = machine.reserved(ClusterId(cluster as u8));
            status.reserved = reserved.bytes.get();
            if let Some(inodes) = &mut status.inodes {
                inodes.reserved = reserved.inodes.get();
            }
        }
    }

    pub(super) fn ordered(&mut self, order: Order) {
        match order {
            Order::Pause | Order::StopCohort(_) => self.paused = true,
            Order::Resume => (self.paused, self.stopped) = (false, None),
            Order::HoldPurges => self.purges_held = true,
            Order::ResumePurges => self.purges_held = false,
            Order::CloseCluster(cluster) => self.clusters[cluster.index()].closed = true,
            Order::OpenCluster(cluster) => self.clusters[cluster.index()].closed = false,
            Order::Cap { .. } | Order::Skip(_) | Order::Retry(_) | Order::MoveNow(_) | Order::EndSession => {}
        }
    }

    /// It has stopped by itself in an earlier session, and nobody has said since that it goes on.
    pub fn stays_stopped(&mut self, why: StopCause) {
        self.stopped = Some(self.why_stopped(why));
    }

    fn why_stopped(&self, why: StopCause) -> String {
        match why {
            StopCause::FaultRate => "too many attempts failed".to_owned(),
            StopCause::VerifyFailed => "a copy differed from its source".to_owned(),
            StopCause::AuditFailed { head } => {
                format!("{} should be empty and is not", self.heads[head.index()].name)
            }
            StopCause::WaveGo => "a wave waits for a go".to_owned(),
        }
    }

    /// What waits for a person's word, to go on a sentence with; empty where nothing does.
    #[must_use]
    pub fn halt(&self) -> String {
        let purges = if self.purges_held { ", purges held" } else { "" };
        match (&self.stopped, self.paused) {
            (Some(why), _) => format!("{purges}, stopped until `resume`: {why}"),
            (None, true) => format!("{purges}, paused by an operator"),
            (None, false) => purges.to_owned(),
        }
    }

    fn failed(&mut self, fault: Fault) {
        self.faults += 1;
        *self.faults_by.entry(wire::fault_name(fault)).or_default() += 1;
    }

    /// Keeps what has gone wrong.
    pub fn trouble(&mut self, what: String) {
        if self.troubles.len() == KEPT {
            self.troubles.remove(0);
        }
        self.troubles.push(what);
    }

    /// Mailboxes on the old storage that wait for a person.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.heads.iter().map(|head| u64::from(head.set_aside)).sum()
    }

    /// Mailboxes that the plan leaves on the heads.
    #[must_use]
    pub fn excluded(&self) -> u64 {
        self.heads.iter().map(|head| u64::from(head.excluded)).sum()
    }

    /// Old copies that stay on the old storage for a person.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.heads.iter().map(|head| u64::from(head.kept)).sum()
    }

    /// Mailboxes that are still to leave the old storage.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.heads.iter().map(|head| u64::from(head.left)).sum()
    }
}

impl HeadStatus {
    fn stepped(&mut self, machine: &Migration, head: HeadId, now: Time) {
        self.left = machine.left(head);
        self.waiting = machine.waiting(head);
        self.set_aside = machine.set_aside(head);
        self.excluded = machine.excluded(head);
        self.copying = machine.copying(head);
        self.switching = self.left - self.waiting - u32::from(self.copying);
        self.unpurged = machine.unpurged(head);
        self.kept = machine.kept(head);
        let pace = machine.pace(head);
        self.streams = pace.map(|(streams, _)| streams);
        self.rate = pace.map(|(_, rate)| rate).filter(|rate| *rate != Rate::UNLIMITED).map(Rate::bytes_per_second);
        machine.binding(head).name().clone_into(&mut self.binds);
        for (cause, bound) in Binding::ALL.iter().zip(machine.bound(head, now)) {
            match self.bound_us.get_mut(cause.name()) {
                Some(known) => *known = bound.micros(),
                None => _ = self.bound_us.insert(cause.name().to_owned(), bound.micros()),
            }
        }
    }
}

/// Mailboxes that lived on a head once and live on a cluster when a session begins.
fn moved(start: &Start) -> u64 {
    let (fleet, heads) = (&start.facts.fleet, start.plan.heads.len());
    fleet.home.iter().zip(&fleet.origin).filter(|(home, origin)| home.is_cluster() && origin.index() < heads).count()
        as u64
}

fn sampled(measured_at: Time, utilisation: Share, latency: Latency) -> (Option<(u32, u32)>, Option<i64>) {
    (Some((utilisation.ppm(), latency.micros())), Some(measured_at.unix_micros()))
}

/// Sizes of what is on its way, by the slots of its effects.
#[derive(Clone, Debug, Default)]
pub struct Moving {
    sizes: Vec<Bytes>,
}

impl Moving {
    fn arrived(&mut self, slot: u16, bytes: Bytes) {
        let slot = usize::from(slot);
        if self.sizes.len() <= slot {
            self.sizes.resize(slot + 1, Bytes::ZERO);
        }
        self.sizes[slot] = bytes;
    }

    fn left(&mut self, slot: u16) -> Bytes {
        self.sizes.get_mut(usize::from(slot)).map_or(Bytes::ZERO, |size| std::mem::replace(size, Bytes::ZERO))
    }
}
