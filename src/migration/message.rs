//! The protocol on one page: what the machine can learn (`Event`) and what it can ask for (`Command`).
//!
//! Trouble in the world is an event, not an error. Every command carries the id of its effect, and a host performs an
//! id at most once, or idempotently. Every `StartCopy`, `Switch` and `Purge` ends in exactly one event, also after
//! `Abandon`; abandoning a job whose copy has ended and whose switch was not yet asked for ends nothing more.
//! A purge needs no switch, and a job keeps one effect id from its copy through its switch.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::units::{Bytes, InodesUsed, Latency, Rate, Share, Span, Time};

/// The version of the decisions taken by this core; a replay of other decisions is told by it.
pub const CORE_VERSION: u32 = 2;

/// Identifies an effect: session, sequence and the job's slot, packed so that looking a job up needs no search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId(u64);

impl EffectId {
    const SLOT_BITS: u32 = 13;
    const SESSION_BITS: u32 = 14;
    /// The slot of effects that belong to no job.
    pub const NO_SLOT: u16 = (1 << Self::SLOT_BITS) - 1;

    /// Packs an effect id: at most 16,383 sessions, 10^11 effects in each, 8,191 jobs at once.
    #[must_use]
    #[inline]
    pub const fn new(session: u16, sequence: u64, slot: u16) -> Self {
        Self(
            ((session as u64) << (64 - Self::SESSION_BITS))
                | (sequence << Self::SLOT_BITS)
                | (slot as u64 & Self::NO_SLOT as u64),
        )
    }

    /// The session that asked for it.
    #[must_use]
    #[inline]
    pub const fn session(self) -> u16 {
        (self.0 >> (64 - Self::SESSION_BITS)) as u16
    }

    /// Its number within the session, from 1.
    #[must_use]
    #[inline]
    pub const fn sequence(self) -> u64 {
        (self.0 << Self::SESSION_BITS) >> (Self::SESSION_BITS + Self::SLOT_BITS)
    }

    /// The job's slot, below the plan's bound on jobs at once; `NO_SLOT` for effects without a job.
    #[must_use]
    #[inline]
    pub const fn slot(self) -> u16 {
        (self.0 as u16) & Self::NO_SLOT
    }
}

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
    /// Clusters that are in service.
    pub open: Vec<ClusterId>,
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

/// Mailboxes whose old copies one purge removes: one or more, as many as a command has room for. After days of grace
/// nothing hangs on seconds, and a purge for each mailbox would be a third of all that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<MailboxId>", into = "Vec<MailboxId>")]
pub struct Batch {
    mailboxes: [MailboxId; Self::MOST],
    count: u8,
}

impl Batch {
    /// How many there can be.
    pub const MOST: usize = 4;

    /// The first of these mailboxes, `MOST` at most.
    #[must_use]
    pub fn new(mailboxes: impl IntoIterator<Item = MailboxId>) -> Self {
        let mut batch = Self { mailboxes: [MailboxId(0); Self::MOST], count: 0 };
        for (place, mailbox) in batch.mailboxes.iter_mut().zip(mailboxes) {
            *place = mailbox;
            batch.count += 1;
        }
        batch
    }

    /// The mailboxes.
    #[must_use]
    #[inline]
    pub fn mailboxes(&self) -> &[MailboxId] {
        &self.mailboxes[..usize::from(self.count)]
    }
}

impl From<Batch> for Vec<MailboxId> {
    fn from(batch: Batch) -> Self {
        batch.mailboxes().to_vec()
    }
}

impl TryFrom<Vec<MailboxId>> for Batch {
    type Error = String;

    fn try_from(mailboxes: Vec<MailboxId>) -> Result<Self, String> {
        let (count, most) = (mailboxes.len(), Self::MOST);
        if count > most {
            return Err(format!("{count} mailboxes in one purge, {most} at most"));
        }
        Ok(Self::new(mailboxes))
    }
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
            | Self::Audit { effect, .. }
            | Self::Announce { effect, .. } => effect,
        }
    }
}

/// Points in a migration that people wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Milestone {
    /// This share of one head's mailboxes has moved.
    HeadShareMoved {
        /// The head.
        head: HeadId,
        /// Of the mailboxes that lived there before the migration.
        share: Share,
    },
    /// Every mailbox that can move has left the head.
    HeadEmptied {
        /// The head.
        head: HeadId,
        /// Mailboxes still there because they were set aside.
        set_aside: u32,
    },
    /// The old copies on the head are gone.
    HeadPurged {
        /// The head.
        head: HeadId,
    },
    /// The first placement on a cluster.
    ClusterOpened {
        /// The cluster.
        cluster: ClusterId,
    },
    /// A cluster refused a placement for the first time: it has reached its threshold.
    ClusterFull {
        /// The cluster.
        cluster: ClusterId,
        /// What it is full of.
        #[serde(default, skip_serializing_if = "FullOf::is_bytes")]
        of: FullOf,
    },
    /// This share of all mailboxes has moved.
    ShareMoved {
        /// Of the mailboxes that lived on the heads before the migration.
        share: Share,
    },
    /// All heads are emptied.
    AllEmptied,
    /// All old copies are gone too.
    Decommissioned,
    /// A wave has moved; the soak begins.
    WaveMoved {
        /// Number of the wave, from 0.
        wave: u8,
    },
    /// The machine has stopped by itself and waits for a person.
    Stopped {
        /// Why.
        why: StopCause,
    },
    /// The calendar of windows ends within a week; past its end nothing moves.
    WindowsEnd,
}

/// What a cluster is full of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FullOf {
    /// Bytes.
    #[default]
    Bytes,
    /// Inodes: files and directories.
    Inodes,
}

impl FullOf {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    fn is_bytes(&self) -> bool {
        *self == Self::Bytes
    }
}

/// Why the machine stopped by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StopCause {
    /// Too many of the last attempts failed.
    FaultRate,
    /// A copy differed from its source.
    VerifyFailed,
    /// An audit found users or mail that the facts did not know.
    AuditFailed {
        /// The head.
        head: HeadId,
    },
    /// A wave has soaked and waits for a go.
    WaveGo,
}

/// What went wrong with one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Something that may not happen again.
    Transient,
    /// Something about this mailbox that another attempt will meet again.
    Permanent,
    /// The head or the cluster did not answer; the mailbox itself is not to blame.
    Unreachable,
    /// The copy differs from its source.
    VerifyFailed,
    /// The user would have been locked out for longer than the plan allows.
    HoldTooLong,
    /// The copy grew past the room that was left.
    NoRoom,
    /// The machine gave the job up.
    Abandoned,
    /// An operator said to leave it.
    Skipped,
    /// The mailbox was deleted meanwhile.
    Gone,
}

/// What holds a copy back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Limit {
    /// Its own stream and message rate.
    Own,
    /// Waiting for the busy head.
    Head,
    /// The byte rate of the pace.
    Pace,
    /// A link between the stores.
    Link,
    /// What the cluster can take in.
    Ingest,
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

/// Why the machine asked to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The throttle decides again.
    Throttle,
    /// A sample becomes too old.
    SampleAge,
    /// A window begins or ends.
    Window,
    /// A failed mailbox is tried again.
    Retry,
    /// An old copy may be purged.
    Purge,
    /// A wave has soaked.
    Soak,
    /// A mailbox scheduled by hand is due.
    Schedule,
    /// Nothing is due: only an event can change anything.
    Idle,
}

/// What binds a head's migration at a moment: exactly one of these, and its time is accounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Binding {
    /// The throttle holds the pace below the plan's cap.
    Throttle,
    /// All permitted streams are used, each slowed by the busy head: more streams would help.
    StreamCap,
    /// All permitted streams are used, each at its own full speed: faster copies or more streams would help.
    Mover,
    /// The byte rate of the pace or a link between the stores.
    Link,
    /// What the clusters can take in.
    Ingest,
    /// The calendar.
    Window,
    /// No cluster has room.
    NoRoom,
    /// The head or its clusters do not answer, or no fresh sample says how they are.
    Outage,
    /// Fewer mailboxes are left than streams.
    Tail,
    /// An operator, an automatic stop, a wave that soaks, or mailboxes set aside, for a person, when all else is done.
    Paused,
    /// Another head is drained first, or this one is empty.
    NotItsTurn,
}

impl Binding {
    /// How many there are.
    pub const COUNT: usize = 11;
    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Throttle,
        Self::StreamCap,
        Self::Mover,
        Self::Link,
        Self::Ingest,
        Self::Window,
        Self::NoRoom,
        Self::Outage,
        Self::Tail,
        Self::Paused,
        Self::NotItsTurn,
    ];

    /// The name in reports and data files.
    #[must_use]
    #[inline]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::StreamCap => "stream cap",
            Self::Mover => "mover",
            Self::Link => "link",
            Self::Ingest => "cluster ingest",
            Self::Window => "window",
            Self::NoRoom => "no room",
            Self::Outage => "outage",
            Self::Tail => "tail",
            Self::Paused => "paused",
            Self::NotItsTurn => "not its turn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_id_gives_back_what_was_packed() {
        for (session, sequence, slot) in [(1, 1, 0), (16_383, 99_999_999_999, 8_190), (7, 123_456, EffectId::NO_SLOT)] {
            let effect = EffectId::new(session, sequence, slot);
            assert_eq!((effect.session(), effect.sequence(), effect.slot()), (session, sequence, slot));
        }
    }

    #[test]
    fn messages_stay_small_enough_to_travel_in_registers() {
        assert!(size_of::<Event>() <= 32, "{}", size_of::<Event>());
        assert!(size_of::<Command>() <= 32, "{}", size_of::<Command>());
    }
}
