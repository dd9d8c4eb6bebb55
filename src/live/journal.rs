//! What workers do in the world for an effect, step by step: for the ledger, for `status`, and for the next session.

use std::fmt::Debug;
use std::time::Duration;

use serde_json::{Value, json};

use super::ledger::{self, LedgerError};
use super::maildir::{Pass, Totals};
use crate::fleet::MailboxId;
use crate::migration::message::EffectId;

/// Takes in steps from any worker.
pub trait Journal: Debug + Send + Sync {
    /// A step has been done, or, of `Placed`, is about to be.
    ///
    /// # Errors
    /// When it cannot be written: then nothing more may be done but backing out.
    fn step(&self, effect: EffectId, mailbox: MailboxId, step: Step) -> Result<(), LedgerError>;

    /// Something has gone wrong: for people.
    fn trouble(&self, doing: &str, why: &str);
}

/// A step of a move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// The first pass of a copy is done.
    Bulk {
        /// How long it has worked, waiting for its pace not counted.
        worked: Duration,
        /// How long it took.
        took: Duration,
        /// What it did.
        pass: Pass,
    },
    /// The copy has arrived, its content read back, and waits for its switch.
    Arrived {
        /// How long it has worked, waiting for its pace not counted.
        worked: Duration,
        /// How long it took.
        took: Duration,
        /// What it holds.
        totals: Totals,
    },
    /// The user is held.
    Hold,
    /// The source is fenced.
    Fence,
    /// The copy goes to its final place now.
    Placed {
        /// What it holds, as the source does behind its fence.
        totals: Totals,
    },
    /// The user lives at the new place.
    Flip {
        /// The user was held for so long.
        held: Duration,
        /// What has moved.
        totals: Totals,
    },
    /// The user is back where it was, free again.
    BackedOut {
        /// The user was held for so long.
        held: Duration,
    },
    /// The old copy is removed.
    Purged {
        /// What was removed.
        totals: Totals,
    },
}

impl Step {
    /// Its name in the ledger.
    #[must_use]
    pub const fn name(&self) -> ledger::Step {
        match self {
            Self::Bulk { .. } => ledger::Step::Bulk,
            Self::Arrived { .. } => ledger::Step::Delta,
            Self::Hold => ledger::Step::Hold,
            Self::Fence => ledger::Step::Fence,
            Self::Placed { .. } => ledger::Step::Placed,
            Self::Flip { .. } => ledger::Step::Flip,
            Self::BackedOut { .. } => ledger::Step::BackedOut,
            Self::Purged { .. } => ledger::Step::Purged,
        }
    }

    /// What else the ledger keeps of it.
    #[must_use]
    pub fn detail(&self) -> Value {
        match self {
            Self::Bulk { worked, took, pass } => json!({
                "worked_s": seconds(*worked), "took_s": seconds(*took),
                "copied": pass.copied, "bytes": pass.bytes, "found": pass.found, "skipped": pass.skipped,
            }),
            Self::Arrived { worked, took, totals } => json!({
                "worked_s": seconds(*worked), "took_s": seconds(*took),
                "bytes": totals.bytes.get(), "messages": totals.messages, "folders": totals.folders,
            }),
            Self::Hold | Self::Fence => Value::Null,
            Self::Flip { held, totals } => json!({
                "held_s": seconds(*held), "bytes": totals.bytes.get(), "messages": totals.messages,
            }),
            Self::BackedOut { held } => json!({ "held_s": seconds(*held) }),
            Self::Placed { totals } | Self::Purged { totals } => {
                json!({ "bytes": totals.bytes.get(), "messages": totals.messages })
            }
        }
    }
}

/// To the microsecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
