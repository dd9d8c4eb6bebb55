//! How a running migration stands: kept up with each step, for `status` and for those who watch.

use serde::{Deserialize, Serialize};

use crate::fleet::{ClusterId, HeadId};
use crate::migration::Migration;
use crate::migration::message::{Event, Order};
use crate::scenario::Scenario;
use crate::units::{Bytes, Time};

/// Faults and troubles that are kept.
const KEPT: usize = 8;

/// How a running migration stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Attempts that failed in this session.
    pub faults: u64,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// By head.
    pub heads: Vec<HeadStatus>,
    /// By cluster.
    pub clusters: Vec<ClusterStatus>,
    /// The last things that went wrong, the latest last.
    pub troubles: Vec<String>,
}

/// How a head stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeadStatus {
    /// Its name.
    pub name: String,
    /// Mailboxes that are still to leave it.
    pub left: u32,
    /// Mailboxes that wait for a person.
    pub set_aside: u32,
    /// Copies under way, suspended ones included.
    pub copying: u16,
    /// What binds it.
    pub binds: String,
    /// Its load at the last sample, parts per million, and its latency, microseconds; none without a sample.
    pub load: Option<(u32, u32)>,
}

/// How a cluster stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Its name.
    pub name: String,
    /// Bytes on it at the last sample; none without a sample.
    pub used: Option<u64>,
    /// Bytes on their way to it.
    pub reserved: u64,
    /// Bytes up to which it is filled.
    pub threshold: u64,
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
    pub fn stepped(&mut self, machine: &Migration, now: Time, event: &Event, moving: &mut Moving) {
        self.at_us = now.unix_micros();
        self.mailboxes = machine.mailboxes() as u64;
        match event {
            Event::CopyEnded { effect, bytes, .. } => moving.arrived(effect.slot(), *bytes),
            Event::SwitchEnded { effect } => {
                self.moved += 1;
                self.moved_bytes += moving.left(effect.slot()).get();
            }
            Event::CopyFailed { .. } | Event::SwitchFailed { .. } | Event::PurgeFailed { .. } => self.faults += 1,
            Event::HeadSampled { head, utilisation, latency, .. } => {
                self.heads[head.index()].load = Some((utilisation.ppm(), latency.micros()));
            }
            Event::ClusterSampled { cluster, used, .. } => self.clusters[cluster.index()].used = Some(used.get()),
            Event::Operator(Order::Pause | Order::StopCohort(_)) => self.paused = true,
            Event::Operator(Order::Resume) => self.paused = false,
            Event::Started(_)
            | Event::Wake
            | Event::ClusterOpened { .. }
            | Event::ClusterClosed { .. }
            | Event::PurgeEnded { .. }
            | Event::MailboxFound { .. }
            | Event::MailboxGone { .. }
            | Event::MailboxChanged { .. }
            | Event::HeadAudited { .. }
            | Event::Operator(_) => {}
        }
        for (head, status) in self.heads.iter_mut().enumerate() {
            let head = HeadId(head as u8);
            status.left = machine.left(head);
            status.set_aside = machine.set_aside(head);
            status.copying = machine.copying(head);
            machine.binding(head).name().clone_into(&mut status.binds);
        }
        for (cluster, status) in self.clusters.iter_mut().enumerate() {
            status.reserved = machine.reserved(ClusterId(cluster as u8)).get();
        }
    }

    /// Keeps what has gone wrong.
    pub fn trouble(&mut self, what: String) {
        if self.troubles.len() == KEPT {
            self.troubles.remove(0);
        }
        self.troubles.push(what);
    }

    /// Mailboxes that are still to leave the old storage.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.heads.iter().map(|head| u64::from(head.left)).sum()
    }
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
