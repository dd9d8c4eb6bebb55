//! A store's root, and the only way to what lies below it.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::dir;
use super::error::{MailError, Side};

/// Begins the names of what this program puts at a root.
pub(super) const OURS: &[u8] = b".drawdown-";

/// A store's root, as a directory handle. Nothing below is ever reached by a path that could leave it.
#[derive(Clone)]
pub struct Root {
    /// None of a store that is out of service.
    handle: Option<Arc<OwnedFd>>,
    /// For messages alone.
    name: PathBuf,
}

impl fmt::Debug for Root {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Root({})", self.name.display())
    }
}

impl Root {
    /// Opens the root of a store.
    ///
    /// # Errors
    ///
    /// It is not a directory or cannot be opened, or the kernel is older than 5.6 and cannot keep a path below it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = openat(rustix::fs::CWD, path, flags, Mode::empty())?;
        match dir::open(&handle, Path::new("")) {
            Ok(_) => Ok(Self { handle: Some(Arc::new(handle)), name: path.to_owned() }),
            Err(Errno::NOSYS) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the kernel has no openat2 (Linux 5.6): no path can be kept below a root",
            )),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The root of a store that is out of service for as long as this program runs: nothing can be reached below it.
    #[must_use]
    pub fn absent(path: &Path) -> Self {
        Self { handle: None, name: path.to_owned() }
    }

    /// The same store, out of service.
    #[must_use]
    pub fn out_of_service(&self) -> Self {
        Self::absent(&self.name)
    }

    /// Whether the store is out of service.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.handle.is_none()
    }

    /// Whether the store as a whole still works: a file system that has been shut down by its errors, or whose device is
    /// gone, cannot make anything durable, while one with a bad block can.
    #[must_use]
    pub fn works(&self) -> bool {
        matches!(self.handle().and_then(rustix::fs::fsync), Ok(()) | Err(Errno::ROFS | Errno::INVAL))
    }

    /// A path below it, for messages.
    pub(in crate::live) fn shown(&self, path: &Path) -> String {
        self.name.join(path).display().to_string()
    }

    /// Whether nothing is there but what this program or the making of a file system leaves, as at a mount point at which
    /// nothing is mounted.
    ///
    /// # Errors
    ///
    /// Whatever keeps the root from being listed.
    pub fn is_bare(&self) -> Result<bool, MailError> {
        let listed =
            self.handle().and_then(|handle| dir::open(handle, Path::new(""))).and_then(|handle| dir::list(&handle));
        let entries = listed.map_err(Side::Source.failed(&self.name))?;
        Ok(entries.iter().all(|entry| entry.name.starts_with(OURS) || entry.name == b"lost+found"))
    }

    /// The handle of the root itself; `NODEV` where the store is out of service.
    pub(super) fn handle(&self) -> rustix::io::Result<&OwnedFd> {
        self.handle.as_deref().ok_or(Errno::NODEV)
    }

    /// Opens a directory below the root; a mailbox that is not there is `Gone`.
    pub(super) fn mailbox(&self, path: &Path, side: Side) -> Result<OwnedFd, MailError> {
        checked(path)?;
        self.handle().and_then(|handle| dir::open(handle, path)).map_err(|errno| match errno {
            Errno::NOENT => MailError::Gone,
            other => side.failed(path)(other),
        })
    }

    /// Opens the directory that holds `path`; `Gone` when it is not there.
    pub(super) fn parent(&self, path: &Path, side: Side) -> Result<OwnedFd, MailError> {
        checked(path)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        self.handle().and_then(|handle| dir::open(handle, parent)).map_err(|errno| match errno {
            Errno::NOENT => MailError::Gone,
            other => side.failed(parent)(other),
        })
    }
}

/// Refuses a path that is empty, absolute or goes up.
pub(super) fn checked(path: &Path) -> Result<(), MailError> {
    let inside = path.components().all(|component| matches!(component, Component::Normal(_)));
    if inside && path.file_name().is_some() {
        return Ok(());
    }
    Err(MailError::Io {
        what: format!("'{}'", path.display()),
        source: io::Error::new(io::ErrorKind::InvalidInput, "not a path below the store's root"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_below_the_root_is_taken() {
        for (path, taken) in [
            ("example.com/alice/Maildir", true),
            ("a", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a/../../b", false),
            ("/etc", false),
        ] {
            assert_eq!(checked(Path::new(path)).is_ok(), taken, "{path}");
        }
    }
}
