//! What people wait for, and why a machine stops by itself.

use serde::{Deserialize, Serialize};

use crate::fleet::{ClusterId, HeadId};
use crate::units::Share;

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
    pub(super) fn is_bytes(&self) -> bool {
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
