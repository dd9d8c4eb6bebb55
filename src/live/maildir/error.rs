//! What goes wrong with a mailbox's files, and the gate that each piece of work passes.

use std::fmt;
use std::io;
use std::path::Path;

use rustix::io::Errno;

/// Asked before each piece of work.
pub trait Gate: Sync {
    /// Waits while the job is suspended or these bytes have to wait.
    ///
    /// # Errors
    ///
    /// The job is to stop.
    fn pass(&self, bytes: u64) -> Result<(), Stopped>;
}

/// The job was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// A gate that always lets pass.
#[derive(Clone, Copy, Debug)]
pub struct Open;

impl Gate for Open {
    fn pass(&self, _bytes: u64) -> Result<(), Stopped> {
        Ok(())
    }
}

/// Why a step on a mailbox's files failed. `what` is a path below a store's root or below the mailbox.
#[derive(Debug)]
pub enum MailError {
    /// The job was abandoned.
    Stopped,
    /// The whole mailbox is not there.
    Gone,
    /// The store is full, or its quota is.
    NoRoom,
    /// The store cannot be written.
    ReadOnly,
    /// The source's medium does not give a file's content or a directory back.
    SourceUnreadable {
        /// Which file or directory.
        what: String,
    },
    /// Neither a regular file nor a directory stands where one is expected: a link, a device, a pipe.
    Special {
        /// Which entry.
        what: String,
    },
    /// Two things that have to agree do not.
    Differs {
        /// What differs, and how.
        what: String,
    },
    /// Something stands at the place of a copy on its cluster, and it is none of ours.
    Taken {
        /// Its path.
        what: String,
    },
    /// Anything else that the operating system says.
    Io {
        /// Where.
        what: String,
        /// What it says.
        source: io::Error,
    },
}

impl fmt::Display for MailError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => write!(out, "the job was stopped"),
            Self::Gone => write!(out, "the mailbox is not there"),
            Self::NoRoom => write!(out, "no room on the store"),
            Self::ReadOnly => write!(out, "the store is read-only"),
            Self::SourceUnreadable { what } => write!(out, "{what}: the source cannot be read"),
            Self::Special { what } => write!(out, "{what}: not a regular file or directory"),
            Self::Differs { what } => write!(out, "{what}"),
            Self::Taken { what } => write!(out, "{what}: something stands there already; move it away, then `retry`"),
            Self::Io { what, source } => write!(out, "{what}: {source}"),
        }
    }
}

impl std::error::Error for MailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Stopped
            | Self::Gone
            | Self::NoRoom
            | Self::ReadOnly
            | Self::SourceUnreadable { .. }
            | Self::Special { .. }
            | Self::Differs { .. }
            | Self::Taken { .. } => None,
        }
    }
}

impl From<Stopped> for MailError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// From where an error came: a medium's error is the source's trouble or the target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
}

impl Side {
    /// The error of a system call on `what`.
    pub(super) fn failed(self, what: impl AsRef<Path>) -> impl FnOnce(Errno) -> MailError {
        move |errno| {
            let shown = what.as_ref().display().to_string();
            match errno {
                // A full head has no room for a fence; whether a cluster has some is another matter.
                // Nor is there any for a file that is larger than the system allows.
                Errno::NOSPC | Errno::DQUOT | Errno::FBIG if self == Self::Target => MailError::NoRoom,
                Errno::ROFS => MailError::ReadOnly,
                Errno::LOOP => MailError::Special { what: shown },
                Errno::IO | Errno::UCLEAN | Errno::BADMSG | Errno::REMOTEIO if self == Self::Source => {
                    MailError::SourceUnreadable { what: shown }
                }
                _ => MailError::Io { what: shown, source: errno.into() },
            }
        }
    }
}

/// Nothing has this name any more; an NFS server says it in its own way of a file that was open or cached.
pub(super) fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::STALE)
}
