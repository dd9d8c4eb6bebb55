//! Why a ledger cannot be used.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::live::wire::WireError;

/// A ledger that cannot be opened, read or written. Where something cannot be written, nothing may be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerError {
    /// The ledger's file.
    pub path: PathBuf,
    /// What was to be done with it: `write 2 events`.
    pub doing: String,
    /// What stands in the way.
    pub trouble: Trouble,
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Another process has it open for writing, by its number where that is known.
    InUse(Option<u32>),
    /// The file is something else.
    NotALedger,
    /// It was written by a newer program: its version, and the newest that this program knows.
    Newer(i64, i64),
    /// The disk is full.
    Full,
    /// The system refuses.
    System(String),
    /// The database refuses.
    Database(String),
    /// What stands in it cannot be.
    Content(String),
    /// An earlier write has failed, or the ledger was closed: nothing more is taken in.
    Closed,
}

impl LedgerError {
    pub(super) fn new(path: &Path, doing: impl Into<String>, trouble: Trouble) -> Self {
        Self { path: path.to_path_buf(), doing: doing.into(), trouble }
    }

    pub(super) fn content(path: &Path, doing: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::new(path, doing, Trouble::Content(why.to_string()))
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::System(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::NotADatabase) => Self::NotALedger,
            Some(ErrorCode::DatabaseCorrupt) => Self::Content(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Self::Content(error.to_string())
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, doing, trouble } = self;
        write!(f, "{}: cannot {doing}: {trouble}", path.display())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(Some(process)) => write!(f, "process {process} is running a migration with it"),
            Self::InUse(None) => f.write_str("another process is running a migration with it"),
            Self::NotALedger => f.write_str("it is no ledger of this program"),
            Self::Newer(found, known) => {
                write!(f, "a newer program has written it (version {found}; this one knows up to {known})")
            }
            Self::Full => f.write_str("its disk is full"),
            Self::System(why) | Self::Database(why) | Self::Content(why) => f.write_str(why),
            Self::Closed => f.write_str("it takes nothing more in since it was closed or could not be written"),
        }
    }
}

impl std::error::Error for LedgerError {}

/// Says what was to be done when it did not succeed.
pub(super) trait Doing<T> {
    fn doing(self, path: &Path, doing: &str) -> Result<T, LedgerError>;
}

impl<T, E: Into<Trouble>> Doing<T> for Result<T, E> {
    fn doing(self, path: &Path, doing: &str) -> Result<T, LedgerError> {
        self.map_err(|error| LedgerError::new(path, doing, error.into()))
    }
}
