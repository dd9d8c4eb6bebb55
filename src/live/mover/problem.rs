//! Why a copy or a switch cannot be finished, and what the machine is told of it.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use crate::live::directory::DirectoryError;
use crate::live::front::FrontError;
use crate::live::ledger::LedgerError;
use crate::live::maildir::MailError;
use crate::migration::message::Fault;

/// What the machine is told of trouble with files.
pub(super) fn fault(error: &MailError) -> Fault {
    match error {
        MailError::Stopped => Fault::Abandoned,
        MailError::Gone => Fault::Gone,
        MailError::NoRoom => Fault::NoRoom,
        MailError::ReadOnly => Fault::Unreachable,
        MailError::SourceUnreadable { .. } | MailError::Special { .. } | MailError::Taken { .. } => Fault::Permanent,
        MailError::Differs { .. } => Fault::VerifyFailed,
        // A cluster's has a word of its own: it is the head that has no room, not even for a fence. No mailbox is to blame.
        MailError::Io { source, .. } if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Fault::Unreachable
        }
        MailError::Io { .. } => Fault::Transient,
    }
}

/// Why a switch cannot be finished.
#[derive(Debug)]
pub(super) enum Problem {
    Mail(MailError),
    Directory(DirectoryError),
    Front(FrontError),
    Ledger(LedgerError),
    /// The directory knows the user no more, or not there.
    Gone,
    /// The place where the copy would go is somebody else's.
    Claimed(String),
    /// The user has been held for longer than the plan allows.
    TooLong(Duration),
    /// Passes behind the fence go on finding changes.
    Unquiet,
    /// It hung for so long that the machine was told it failed.
    GivenUp,
    /// Another instance may be at work by now.
    LeaseLost,
    /// A mistake of ours.
    Panicked,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(error) => write!(f, "{error}"),
            Self::Directory(error) => write!(f, "{error}"),
            Self::Front(error) => write!(f, "{error}"),
            Self::Ledger(error) => write!(f, "{error}"),
            Self::Gone => f.write_str("the directory does not know the user at its head any more"),
            Self::Claimed(what) => write!(f, "{what}: one of the two needs another path, then `retry`"),
            Self::TooLong(held) => {
                write!(f, "it was held for {:.1} s, longer than the plan allows", held.as_secs_f64())
            }
            Self::GivenUp => f.write_str("it hung, and was given up"),
            Self::LeaseLost => f.write_str("the lease has run out"),
            Self::Panicked => f.write_str("the program has made a mistake; it has said on stderr where"),
            Self::Unquiet => f.write_str("it still changes behind its fence"),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<MailError> for Problem {
    fn from(error: MailError) -> Self {
        Self::Mail(error)
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<FrontError> for Problem {
    fn from(error: FrontError) -> Self {
        Self::Front(error)
    }
}
