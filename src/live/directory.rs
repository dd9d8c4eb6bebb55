//! The database that says who lives where: hold, flip, release, and the lease that allows them.
//!
//! It is the authority. A change is one statement in one transaction that names the user's epoch and the lease's fencing
//! number, and has changed one row or nothing. The statements are the site's, or those of
//! [`defaults`](crate::scenario::site::defaults).
//!
//! Every question opens a connection if there is none, and gives an error if that fails; the next one tries again.

mod error;
mod lease;
pub mod listed;
pub mod overlap;
mod pool;
mod postgres;
mod sqlite;
mod statements;

pub use error::DirectoryError;
pub use lease::Lease;
pub use listed::{Listed, Unusable};

use std::fmt;
use std::path::{Component, Path};
use std::sync::atomic::AtomicI64;

use self::postgres::Postgres;
use self::sqlite::Sqlite;
use self::statements::{Cell, Changed, Parameter, Value, Values, Which};
use super::command::duration;
use crate::scenario::site;
use crate::units::Span;

/// A connected directory, to be shared by threads.
pub struct Directory {
    database: Box<dyn Database>,
    has_intake: bool,
    /// The highest fencing number that was given here.
    highest_fence: AtomicI64,
}

/// A user as the directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The mailbox's name.
    pub name: String,
    /// The name of the store where it lives.
    pub home: String,
    /// Its place below that store's root: relative, names alone, each parted from the next by one slash.
    pub path: String,
    /// How often it has moved; every change names it.
    pub epoch: i64,
    /// Whether it is held.
    pub state: State,
    /// The group that it belongs to, where the list has a column of them and something is in it.
    pub group: Option<String>,
}

/// Whether a user may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As ever.
    Ok,
    /// Held: logins wait and deliveries are put off.
    Hold,
}

/// A fencing number: of two leases the later one has the higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(i64);

/// What a database has to do for a directory.
trait Database: Send + Sync {
    /// The rows that a query gives, in the database's order.
    fn read(&self, which: Which, values: &Values) -> Result<Vec<Result<User, Unusable>>, DirectoryError>;

    /// Does a change in a transaction of its own, which is rolled back when it concerns more than one row.
    fn change(&self, which: Which, values: &Values) -> Result<Changed, DirectoryError>;

    /// For messages, without secrets.
    fn describe(&self) -> String;
}

impl Directory {
    /// Connects and checks every statement: that the database understands it, that it asks for the values without which
    /// it would be wrong, and for no others. An answer may take `timeout`, the whole list twenty times as long.
    ///
    /// # Errors
    /// There is no connection, or a statement, the connection string or the password's file is not as it must be.
    pub fn connect(directory: &site::Directory, timeout: Span) -> Result<Self, DirectoryError> {
        let (statements, timeout) = (&directory.statements, duration(timeout));
        let database: Box<dyn Database> = match &directory.database {
            site::Database::Sqlite(file) => Box::new(Sqlite::connect(file, statements, timeout)?),
            site::Database::Postgres { connection, password_file } => {
                Box::new(Postgres::connect(connection, password_file.as_deref(), statements, timeout)?)
            }
        };
        Ok(Self { database, has_intake: statements.intake.is_some(), highest_fence: AtomicI64::new(0) })
    }

    /// Everybody, and the rows that cannot be used.
    ///
    /// # Errors
    /// The directory does not answer.
    pub fn list(&self) -> Result<Listed, DirectoryError> {
        Ok(listed::parted(self.database.read(Which::List, &Values::new())?))
    }

    /// One user; none when there is nobody of that name.
    ///
    /// # Errors
    /// The directory does not answer, or gives more than one row, or one that cannot be used.
    pub fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        let mut users = self.database.read(Which::User, &Values::from([(Parameter::User, text(name))]))?;
        match users.len() {
            0 | 1 => users.pop().transpose().map_err(|row| row.error),
            rows => Err(Which::User.answer(format!("{rows} rows for {name:?}"))),
        }
    }

    /// Holds a user. By the default statements holding a held user again succeeds, under the same or a later fencing
    /// number, but never over a hold that somebody has set by hand.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] when the user or the lease is not what was thought; otherwise the directory does not
    /// answer.
    pub fn hold(&self, user: &User, fence: Fence) -> Result<(), DirectoryError> {
        self.change(Which::Hold, Some(user), &values(user, fence))
    }

    /// Moves a user whom this lease holds, and ends the hold; the epoch is one higher then.
    ///
    /// # Errors
    /// As [`hold`](Self::hold), also when the user is not held. After [`DirectoryError::Uncertain`] do not just look at
    /// the user, because the change may still be on its way: [`release`](Self::release) with the same `user` settles it.
    /// If that succeeds the flip has not happened and cannot any more; if it is refused, the user tells.
    pub fn flip(&self, user: &User, to: &str, fence: Fence) -> Result<(), DirectoryError> {
        let mut values = values(user, fence);
        values.push((Parameter::To, text(to)));
        self.change(Which::Flip, Some(user), &values)
    }

    /// Ends a hold where the user is, also one of an earlier lease. By the default statements ending a hold that has
    /// ended already succeeds.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub fn release(&self, user: &User, fence: Fence) -> Result<(), DirectoryError> {
        self.change(Which::Release, Some(user), &values(user, fence))
    }

    /// Sends new accounts to a store from now on; false when the site has no statement for that.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub fn intake(&self, home: &str) -> Result<bool, DirectoryError> {
        if self.has_intake {
            self.change(Which::Intake, None, &Values::from([(Parameter::Home, text(home))]))?;
        }
        Ok(self.has_intake)
    }

    /// Which database it is, for messages: without a password.
    #[must_use]
    pub fn describe(&self) -> String {
        self.database.describe()
    }

    fn change(&self, which: Which, user: Option<&User>, values: &Values) -> Result<(), DirectoryError> {
        match self.database.change(which, values)?.rows {
            0 => Err(DirectoryError::Refused { statement: which.name(), user: user.map(|user| user.name.clone()) }),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Directory").field(&self.describe()).finish()
    }
}

impl Fence {
    /// A number that was given, as the ledger keeps it.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// As a number.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }
}

impl User {
    /// A user from name, store, path, epoch and state, and perhaps a group.
    fn read(which: Which, cells: [Cell; User::COLUMNS]) -> Result<Self, DirectoryError> {
        let [name, home, path, epoch, state, group] = cells;
        let name = filled(which, "?", "name", name)?;
        let home = filled(which, &name, "store", home)?;
        let path = filled(which, &name, "path", path)?;
        let wrong = |why: String| which.answer(format!("user {name:?}: {why}"));
        let path = below(&path).ok_or_else(|| {
            wrong(format!("the path {path:?} must lead below the store's root: relative, not empty, without `..`"))
        })?;
        let epoch = match epoch {
            Cell::Whole(number) => number,
            Cell::Null | Cell::Text(_) | Cell::Other(_) => {
                return Err(wrong(format!("the epoch is {}, must be a whole number", shown(&epoch))));
            }
        };
        let state = match &state {
            Cell::Text(word) if word == "ok" => State::Ok,
            Cell::Text(word) if word == "hold" => State::Hold,
            Cell::Null | Cell::Text(_) | Cell::Whole(_) | Cell::Other(_) => {
                return Err(wrong(format!("the state is {}, must be \"ok\" or \"hold\"", shown(&state))));
            }
        };
        let group = match group {
            Cell::Null => None,
            Cell::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Cell::Whole(number) => Some(number.to_string()),
            Cell::Other(_) => {
                return Err(wrong(format!("the group is {}, must be a text or a whole number", shown(&group))));
            }
        };
        Ok(Self { name, home, path, epoch, state, group })
    }

    /// The columns of a list that has groups.
    const COLUMNS: usize = 6;
}

fn filled(which: Which, user: &str, column: &str, cell: Cell) -> Result<String, DirectoryError> {
    match cell {
        Cell::Text(text) if !text.is_empty() && !text.contains('\0') => Ok(text),
        Cell::Null | Cell::Text(_) | Cell::Whole(_) | Cell::Other(_) => {
            Err(which.answer(format!("user {user:?}: the {column} is {}, must be a text", shown(&cell))))
        }
    }
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Text(text) => format!("{text:?}"),
        Cell::Whole(number) => number.to_string(),
        Cell::Other(what) => what.clone(),
    }
}

/// A path that stays below the root that it is joined to, by names alone: what is written `./a//b/` elsewhere, a slash at its
/// end saying that it is a Maildir, is `a/b` here, where paths are compared and names are put at their ends.
fn below(path: &str) -> Option<String> {
    let mut names = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}

fn values(user: &User, fence: Fence) -> Values {
    Values::from([
        (Parameter::User, text(&user.name)),
        (Parameter::Home, text(&user.home)),
        (Parameter::Epoch, Value::Whole(user.epoch)),
        (Parameter::Fence, Value::Whole(fence.number())),
    ])
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[cfg(test)]
mod tests;
