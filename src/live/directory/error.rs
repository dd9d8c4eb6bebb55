//! Why a question to the directory has no answer.

use std::fmt;
use std::path::PathBuf;

/// Why a question to the directory has no answer. Secrets are in none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryError {
    /// No row was changed: the user's epoch or state is not what was thought, or the lease is somebody else's. A fault,
    /// never simply tried again.
    Refused {
        /// The statement's name.
        statement: &'static str,
        /// Whom it was for; none for the lease.
        user: Option<String>,
    },
    /// More than one row would have been changed; it was rolled back.
    TooMany {
        /// The statement's name.
        statement: &'static str,
        /// The rows.
        rows: u64,
    },
    /// The database or the way to it is gone. Nothing was changed; the next call connects anew.
    Lost {
        /// What the library or the system says.
        why: String,
    },
    /// The database is there but did not answer in time: a lock, a deadlock, too much to do. Nothing was changed.
    Busy {
        /// What the database says.
        why: String,
    },
    /// The connection broke while a change was being committed: it has happened or not.
    Uncertain {
        /// The statement's name.
        statement: &'static str,
        /// What the library says.
        why: String,
    },
    /// The database does not do it, for another reason: a constraint, a permission, a type. Nothing was changed.
    Failed {
        /// The statement's name.
        statement: &'static str,
        /// What the database says.
        why: String,
    },
    /// A statement of the site cannot be what it should be.
    Statement {
        /// The statement's name.
        statement: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The connection string cannot be used.
    Settings {
        /// What is wrong with it.
        why: String,
    },
    /// The password's file cannot be used.
    Password {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The database's answer cannot be understood.
    Answer {
        /// The statement's name.
        statement: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl DirectoryError {
    /// Nothing was changed and a later try may well succeed.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Busy { .. })
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { statement, user: Some(user) } => {
                write!(f, "{statement} of {user:?} refused: its epoch or state has changed, or the lease is lost")
            }
            Self::Refused { statement, user: None } => write!(f, "{statement} refused: the lease is somebody else's"),
            Self::TooMany { statement, rows } => {
                write!(f, "{statement} would have changed {rows} rows instead of one and was rolled back")
            }
            Self::Lost { why } => write!(f, "the directory cannot be reached: {why}"),
            Self::Busy { why } => write!(f, "the directory did not answer in time: {why}"),
            Self::Uncertain { statement, why } => {
                write!(
                    f,
                    "the connection broke while {statement} was being committed, and it is not known whether it was: {why}"
                )
            }
            Self::Failed { statement, why } => write!(f, "{statement} failed: {why}"),
            Self::Statement { statement, why } => write!(f, "site.directory.{statement}: {why}"),
            Self::Settings { why } => write!(f, "site.directory: {why}"),
            Self::Password { file, why } => write!(f, "the password file {}: {why}", file.display()),
            Self::Answer { statement, why } => write!(f, "the answer to {statement} cannot be used: {why}"),
        }
    }
}

impl std::error::Error for DirectoryError {}
