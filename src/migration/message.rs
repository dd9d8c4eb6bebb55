//! The protocol on one page: what the machine can learn (`Event`) and what it can ask for (`Command`).
//!
//! Trouble in the world is an event, not an error. Every command carries the id of its effect, and a host performs an
//! id at most once, or idempotently. Every `StartCopy`, `Switch` and `Purge` ends in exactly one event, also after
//! `Abandon`; abandoning a job whose copy has ended and whose switch was not yet asked for ends nothing more.
//! A purge needs no switch, and a job keeps one effect id from its copy through its switch.

mod cause;
mod effect;
mod milestone;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::{ClusterPlan, PlacementPlan, Plan};
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::units::{Bytes, InodesUsed, Latency, Rate, Share, Span, Time};
pub use cause::{Binding, Fault, Limit, Reason};
pub use effect::{Batch, EffectId};
pub use milestone::{FullOf, Milestone, StopCause};

/// The version of the decisions taken by this core; a replay of other decisions is told by it.
pub const CORE_VERSION: u32 = 8;

/// Everything a session starts from: what the user database, the ledger and the disks say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Number of this session, from 1.
    pub session: u16,
    /// `CORE_VERSION` of the program that recorded the event.
    pub version: u32,
    /// What is to be done.
    pub plan: Arc<Plan>,
    /// What is where.
    pub facts: Facts,
}

/// What is where when a session starts. Copies of an earlier session that were under way are reconciled before: they
/// are either still on their head or already on their cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Sizes, homes and activity of all mailboxes.
    pub fleet: Arc<Fleet>,
    /// Mailboxes that wait for a person.
    pub set_aside: Vec<(MailboxId, Fault)>,
    /// Failed attempts so far, where there are any.
    pub attempts: Vec<(MailboxId, u8)>,
    /// Moved mailboxes whose old copy still has to be purged, with the instant of their switch, in order of time.
    pub unpurged: Vec<(MailboxId, Time)>,
    /// Moved mailboxes whose old copy is there and stays: their cohort was stopped in an earlier session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<MailboxId>,
    /// Clusters that are in service.
    pub open: Vec<ClusterId>,
    /// How far earlier sessions have come with the plan's waves; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waves: Option<WavesSoFar>,
    /// What is known of the clusters from before.
    #[serde(default, skip_serializing_if = "ClustersSoFar::is_none")]
    pub clusters: ClustersSoFar,
}

/// What operators and earlier sessions have left of the clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClustersSoFar {
    /// Those that an operator has closed, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<ClusterId>,
    /// Those that have been full, by number, and of what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filled: Vec<(ClusterId, FullOf)>,
    /// Where new accounts went last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<ClusterId>,
}

impl ClustersSoFar {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Forgets that clusters have been full which have got more room since: `before` is by what they were.
    pub fn plan_anew(&mut self, before: &PlacementPlan, plan: &PlacementPlan) {
        let limit =
            |plan: &PlacementPlan, cluster: ClusterId| plan.clusters.get(cluster.index()).map(ClusterPlan::limit);
        self.filled.retain(|(cluster, of)| match (limit(before, *cluster), limit(plan, *cluster)) {
            (Some(before), Some(limit)) => match of {
                FullOf::Bytes => limit.bytes <= before.bytes,
                FullOf::Inodes => limit.inodes <= before.inodes,
            },
            _ => false,
        });
    }
}

/// How far a migration has come with the waves of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WavesSoFar {
    /// Mailboxes that the migration has to move, of which the waves are shares: those on the heads when it began.
    pub mailboxes: u64,
    /// Mailboxes that have moved since; `None` by a program that did not count them, and took those for moved that did not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<u64>,
    /// The last wave whose mailboxes have all moved, counted from 0, and when that was announced.
    pub moved: Option<(u8, Time)>,
    /// Whether an operator has said go after it.
    pub go: bool,
}

/// What the machine can learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The first event of every session.
    Started(Arc<Start>),
    /// The time that the machine asked to be woken at has come.
    Wake,
    /// What a probe says of a head; the sample is as old as `measured_at`.
    HeadSampled {
        /// The head.
        head: HeadId,
        /// When it was measured.
        measured_at: Time,
        /// Busy share of its capacity, rounded up.
        utilisation: Share,
        /// Mean response time.
        latency: Latency,
        /// What holds most of the copies back that are under way from it, where there are any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_by: Option<Limit>,
    },
    /// What a probe says of a cluster.
    ClusterSampled {
        /// The cluster.
        cluster: ClusterId,
        /// When it was measured.
        measured_at: Time,
        /// Bytes really on it: moves, new accounts, growth of those who live there.
        used: Bytes,
        /// Inodes really in use on it, where its file system has a count of them.
        #[serde(default, skip_serializing_if = "InodesUsed::is_unknown")]
        inodes: InodesUsed,
        /// Busy share of its capacity, rounded up.
        utilisation: Share,
        /// Mean response time.
        latency: Latency,
    },
    /// A cluster is in service.
    ClusterOpened {
        /// The cluster.
        cluster: ClusterId,
    },
    /// A cluster is out of service for new placements.
    ClusterClosed {
        /// The cluster.
        cluster: ClusterId,
    },
    /// A copy is complete and verified, except for what changes until the switch.
    CopyEnded {
        /// The job.
        effect: EffectId,
        /// Bytes now at the target.
        bytes: Bytes,
        /// Messages now at the target.
        messages: u32,
        /// What held the copy back for most of its time.
        limit: Limit,
    },
    /// A copy did not complete; nothing is left at the target.
    CopyFailed {
        /// The job.
        effect: EffectId,
        /// Why.
        fault: Fault,
    },
    /// The mailbox lives on the cluster now.
    SwitchEnded {
        /// The job.
        effect: EffectId,
    },
    /// The mailbox still lives on the head; nothing is left at the target.
    SwitchFailed {
        /// The job.
        effect: EffectId,
        /// Why.
        fault: Fault,
    },
    /// The old copies are gone.
    PurgeEnded {
        /// The purge.
        effect: EffectId,
    },
    /// One of the old copies, or a part of it, is still there.
    PurgeFailed {
        /// The purge.
        effect: EffectId,
        /// Why.
        fault: Fault,
    },
    /// A mailbox that the facts did not know; its row is the next free one.
    MailboxFound {
        /// Its row: the number of mailboxes known so far.
        mailbox: MailboxId,
        /// Where it lives.
        home: Home,
        /// Its size.
        bytes: Bytes,
    },
    /// A mailbox was deleted by its owner.
    MailboxGone {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// A waiting mailbox has another size than the facts say.
    MailboxChanged {
        /// The mailbox.
        mailbox: MailboxId,
        /// Its size now.
        bytes: Bytes,
    },
    /// The answer to `Audit`.
    HeadAudited {
        /// The head.
        head: HeadId,
        /// Users that the database still has there, other than those set aside or excluded.
        users_left: u32,
        /// Folders on it that still hold mail of such users.
        folders_left: u32,
    },
    /// The clock of the machine that runs the migration was set by more than a few seconds. The session's own time goes on
    /// as it was; but when a sample was measured is no longer sure, and what it was measured with may be as wrong.
    ClockStepped {
        /// Forward if positive.
        by: Span,
    },
    /// An order of the operator.
    Operator(Order),
}

/// What an operator can order while the migration runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Start nothing more and suspend all copies.
    Pause,
    /// Go on: after a pause, an automatic stop, or to let the next wave begin.
    Resume,
    /// At most this many streams on the head, whatever the throttle allows.
    Cap {
        /// The head.
        head: HeadId,
        /// Streams; `u16::MAX` lifts the cap.
        streams: u16,
    },
    /// Leave this mailbox where it is.
    Skip(MailboxId),
    /// Try a mailbox that was set aside or skipped again.
    Retry(MailboxId),
    /// Move this mailbox before all others.
    MoveNow(MailboxId),
    /// Place nothing more on the cluster.
    CloseCluster(ClusterId),
    /// Place on the cluster again.
    OpenCluster(ClusterId),
    /// Purge nothing until told otherwise.
    HoldPurges,
    /// Purge again.
    ResumePurges,
    /// Stop a cohort: no purge of what was switched at this instant or later, and no more moves until `Resume`.
    StopCohort(Time),
    /// End the session: the machine asks for nothing more and is finished.
    EndSession,
}

/// What the machine can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Copy a mailbox to a cluster while its user goes on working.
    StartCopy {
        /// The job.
        effect: EffectId,
        /// The mailbox.
        mailbox: MailboxId,
        /// Where it lives.
        from: HeadId,
        /// Where it shall live.
        to: ClusterId,
        /// Which attempt this is, from 1.
        attempt: u8,
        /// Its size as far as the machine knows.
        bytes: Bytes,
    },
    /// Make the copy the mailbox: lock, last delta, verify, flip, unlock.
    Switch {
        /// The job.
        effect: EffectId,
    },
    /// Give the job up unless it has already committed.
    Abandon {
        /// The job.
        effect: EffectId,
        /// Why, for the record.
        why: Fault,
    },
    /// Remove the old copies of some moved mailboxes, one after the other. One that is gone already is no fault; where one
    /// cannot be removed the purge has failed, and the machine asks for each of them again by itself.
    Purge {
        /// The purge.
        effect: EffectId,
        /// The mailboxes.
        batch: Batch,
        /// The head that holds the old copies.
        from: HeadId,
    },
    /// The pace from now on: a contract on the copies under way.
    SetPace {
        /// This command.
        effect: EffectId,
        /// The head.
        head: HeadId,
        /// Copies that may progress; the others are suspended, latest started first, and keep their work.
        streams: u16,
        /// Cap on the sum of their speeds.
        rate: Rate,
    },
    /// Provision new accounts on this cluster from now on.
    SetIntake {
        /// This command.
        effect: EffectId,
        /// The cluster.
        cluster: ClusterId,
    },
    /// Leave this mailbox where it is, in front of a person: it is larger than any cluster could ever take. What has failed
    /// for good is set aside without a word, since its end says so.
    SetAside {
        /// This command.
        effect: EffectId,
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// Look whether the head is truly empty.
    Audit {
        /// This command.
        effect: EffectId,
        /// The head.
        head: HeadId,
    },
    /// Something that people wait for has happened.
    Announce {
        /// This command.
        effect: EffectId,
        /// What.
        milestone: Milestone,
    },
}

impl Command {
    /// The effect's id.
    #[must_use]
    #[inline]
    pub const fn effect(&self) -> EffectId {
        match *self {
            Self::StartCopy { effect, .. }
            | Self::Switch { effect }
            | Self::Abandon { effect, .. }
            | Self::Purge { effect, .. }
            | Self::SetPace { effect, .. }
            | Self::SetIntake { effect, .. }
            | Self::SetAside { effect, .. }
            | Self::Audit { effect, .. }
            | Self::Announce { effect, .. } => effect,
        }
    }
}

/// What the loop has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for an event, at the latest until this instant, which lies ahead.
    Wait {
        /// The instant.
        until: Time,
        /// What will be due then.
        why: Reason,
    },
    /// Nothing is left to be done in this session.
    Finished,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_small_enough_to_travel_in_registers() {
        assert!(size_of::<Event>() <= 32, "{}", size_of::<Event>());
        assert!(size_of::<Command>() <= 32, "{}", size_of::<Command>());
    }
}
