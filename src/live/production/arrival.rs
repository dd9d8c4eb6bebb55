//! What comes in at the host's door, and why the host cannot go on.

use crate::fleet::{HeadId, MailboxId};
use crate::live::ledger::LedgerError;
use crate::live::mover::{Arrived, Audit, Look};
use crate::live::probe::{Sampled, StoreId};
use crate::migration::message::{EffectId, Event, Fault, Limit, Order};

/// Why the host cannot go on.
#[derive(Debug)]
pub enum LiveError {
    /// Nothing may be done that is not recorded.
    Ledger(LedgerError),
    /// Another instance has taken over, or may have.
    LeaseLost(Loss),
    /// The system gives no more threads.
    Worker(std::io::Error),
}

/// How a lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The directory refuses it: another instance has it.
    TakenOver,
    /// The directory has not answered before it ran out.
    RanOut,
}

impl std::fmt::Display for LiveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ledger(error) => write!(f, "{error}; nothing more is done, what is under way ends or is backed out"),
            Self::LeaseLost(Loss::TakenOver) => {
                f.write_str("the lease is lost: another instance has taken over, this one does nothing more")
            }
            Self::LeaseLost(Loss::RanOut) => f.write_str(
                "the lease is lost: it ran out without an answer of the directory, so that another instance may take over; \
                 this one does nothing more",
            ),
            Self::Worker(error) => write!(f, "no worker can be started: {error}"),
        }
    }
}

impl std::error::Error for LiveError {}

impl From<LedgerError> for LiveError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// What comes in from workers, probes and operators.
#[derive(Debug)]
pub enum Arrival {
    /// A copy has arrived, or not; and what held it back.
    Copied(EffectId, Result<Box<Arrived>, Fault>, Limit),
    /// A copy that had arrived and was given up is removed.
    Discarded(EffectId),
    /// A switch is over.
    Switched(EffectId, Result<(), Fault>),
    /// A purge is over.
    Purged(EffectId, Result<(), Fault>),
    /// A head has been looked over.
    Audited(HeadId, Audit),
    /// Those who are set aside have been looked for.
    LookedFor(Vec<(MailboxId, Look)>),
    /// A store has been asked.
    Sampled(Sampled),
    /// An operator wants something.
    Ordered(Order),
    /// The lease is lost.
    LeaseLost(Loss),
}

/// What a sample tells the machine; `held_by` says what holds the copies of a head back that are under way.
pub(super) fn sample_event(sampled: &Sampled, held_by: impl FnOnce(HeadId) -> Option<Limit>) -> Event {
    let Sampled { store, measured_at, reading } = sampled;
    match *store {
        StoreId::Head(head) => Event::HeadSampled {
            head,
            measured_at: *measured_at,
            utilisation: reading.utilisation,
            latency: reading.latency,
            held_by: held_by(head),
        },
        StoreId::Cluster(cluster) => Event::ClusterSampled {
            cluster,
            measured_at: *measured_at,
            used: reading.used,
            inodes: reading.inodes_used.into(),
            utilisation: reading.utilisation,
            latency: reading.latency,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_ran_out_is_not_told_as_taken_over() {
        let told = LiveError::LeaseLost(Loss::RanOut).to_string();
        assert!(
            told.contains("ran out without an answer of the directory") && !told.contains("has taken over"),
            "{told}"
        );
        assert!(LiveError::LeaseLost(Loss::TakenOver).to_string().contains("another instance has taken over"));
    }
}
