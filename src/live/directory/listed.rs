//! Everybody whom the list gives, and the rows of it that cannot be used: one of them is no reason for the others to wait.

use std::fmt;

use super::statements::{Cell, Which};
use super::{DirectoryError, User};

/// Rows that are named, at most.
const NAMED: usize = 3;

/// What the list gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Every user whose row can be used, in the order of the names' bytes.
    pub users: Vec<User>,
    /// The other rows.
    pub unusable: Vec<Unusable>,
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Whose it is, where that can be read.
    pub name: Option<String>,
    /// The store that it names, where that can be read.
    pub home: Option<String>,
    /// What is wrong with it.
    pub error: DirectoryError,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)
    }
}

impl Unusable {
    /// Whether it may be that of somebody who lives on one of these stores.
    #[must_use]
    pub fn may_be_on(&self, stores: &[String]) -> bool {
        self.home.as_ref().is_none_or(|home| stores.contains(home))
    }
}

/// A user from a row, or what is wrong with it.
pub(super) fn read(which: Which, cells: [Cell; User::COLUMNS]) -> Result<User, Unusable> {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) if !text.is_empty() => Some(text.clone()),
        Cell::Null | Cell::Text(_) | Cell::Whole(_) | Cell::Other(_) => None,
    };
    let (name, home) = (text(&cells[0]), text(&cells[1]));
    User::read(which, cells).map_err(|error| Unusable { name, home, error })
}

/// Parts the rows; whoever is there twice cannot be used either.
pub(super) fn parted(rows: Vec<Result<User, Unusable>>) -> Listed {
    let mut listed = Listed::default();
    for row in rows {
        match row {
            Ok(user) => listed.users.push(user),
            Err(row) => listed.unusable.push(row),
        }
    }
    // Databases have orders of their own.
    listed.users.sort_by(|one, other| one.name.cmp(&other.name));
    let twice: Vec<String> = listed
        .users
        .chunk_by(|one, other| one.name == other.name)
        .filter(|same| same.len() > 1)
        .map(|same| same[0].name.clone())
        .collect();
    listed.users.retain(|user| twice.binary_search(&user.name).is_err());
    listed.unusable.extend(twice.into_iter().map(|name| {
        let error = Which::List.answer(format!("{name:?} is there twice"));
        // Nobody can say which of the stores it is.
        Unusable { name: Some(name), home: None, error }
    }));
    listed
}

/// Some of them, in words.
#[must_use]
pub fn shown(rows: &[&Unusable]) -> String {
    let some: Vec<String> = rows.iter().take(NAMED).map(ToString::to_string).collect();
    let more = rows.len().saturating_sub(NAMED);
    if more == 0 { some.join("; ") } else { format!("{}; and {more} more", some.join("; ")) }
}
