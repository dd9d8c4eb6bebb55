//! What is asked of a directory, in the words of its site: which values a statement takes, and that they are bound.
//!
//! It knows no database, except that PostgreSQL numbers its parameters: a small reader replaces `:name` there, and leaves
//! alone what is text, a quoted name, a comment or a cast.

use super::error::DirectoryError;
use crate::scenario::site::Statements;

/// A statement of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    List,
    User,
    Hold,
    Flip,
    Release,
    TakeLease,
    KeepLease,
    EndLease,
    Intake,
}

/// A value that a statement can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parameter {
    User,
    Home,
    To,
    Epoch,
    Fence,
    Owner,
    Now,
    Until,
}

/// A value to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
}

/// The values of one call, each parameter once. They are eight at most.
pub(super) type Values = Vec<(Parameter, Value)>;

/// What a change has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// Rows changed, or given where the statement is a query.
    pub(super) rows: u64,
    /// The first column of the first row, if it gives rows.
    pub(super) first: Option<Cell>,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Whole(i64),
    /// Something else, by its type's name.
    Other(String),
}

impl Which {
    pub(super) const ALL: [Self; 9] = [
        Self::List,
        Self::User,
        Self::Hold,
        Self::Flip,
        Self::Release,
        Self::TakeLease,
        Self::KeepLease,
        Self::EndLease,
        Self::Intake,
    ];

    /// Its key in the site's file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::User => "user",
            Self::Hold => "hold",
            Self::Flip => "flip",
            Self::Release => "release",
            Self::TakeLease => "take_lease",
            Self::KeepLease => "keep_lease",
            Self::EndLease => "end_lease",
            Self::Intake => "intake",
        }
    }

    pub(super) fn text(self, statements: &Statements) -> Option<&str> {
        match self {
            Self::List => Some(&statements.list),
            Self::User => Some(&statements.user),
            Self::Hold => Some(&statements.hold),
            Self::Flip => Some(&statements.flip),
            Self::Release => Some(&statements.release),
            Self::TakeLease => Some(&statements.take_lease),
            Self::KeepLease => Some(&statements.keep_lease),
            Self::EndLease => Some(&statements.end_lease),
            Self::Intake => statements.intake.as_deref(),
        }
    }

    /// Values without which it cannot be right.
    fn needed(self) -> &'static [Parameter] {
        use Parameter::{Epoch, Fence, Home, Now, Owner, To, Until, User};
        match self {
            Self::List => &[],
            Self::User => &[User],
            Self::Hold | Self::Release => &[User, Epoch, Fence],
            Self::Flip => &[User, To, Epoch, Fence],
            Self::TakeLease => &[Owner, Now, Until],
            Self::KeepLease => &[Fence, Until],
            Self::EndLease => &[Fence],
            Self::Intake => &[Home],
        }
    }

    /// Values that it may ask for besides.
    fn optional(self) -> &'static [Parameter] {
        match self {
            Self::Hold | Self::Flip | Self::Release => &[Parameter::Home],
            Self::KeepLease | Self::EndLease => &[Parameter::Owner],
            Self::List | Self::User | Self::TakeLease | Self::Intake => &[],
        }
    }

    /// How many columns it gives at least and at most; changes may give any or none.
    pub(super) fn columns(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::List | Self::User => 5..=6,
            Self::TakeLease => 1..=usize::MAX,
            Self::Hold | Self::Flip | Self::Release | Self::KeepLease | Self::EndLease | Self::Intake => 0..=usize::MAX,
        }
    }

    pub(super) fn changes(self) -> bool {
        !matches!(self, Self::List | Self::User)
    }

    /// The parameters with these names, which a statement contains.
    ///
    /// # Errors
    /// A name is not known here, or one is missing.
    pub(super) fn parameters<'a>(
        self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Parameter>, DirectoryError> {
        let known = || self.needed().iter().chain(self.optional()).copied();
        let mut found = Vec::new();
        for name in names {
            let Some(parameter) = known().find(|parameter| parameter.name() == name) else {
                let known = known().map(|parameter| format!(":{}", parameter.name())).collect::<Vec<_>>();
                let known = if known.is_empty() { "no values".to_owned() } else { known.join(", ") };
                return Err(self.wrong(format!("there is no `:{name}` for it; it takes {known}")));
            };
            found.push(parameter);
        }
        match self.needed().iter().find(|parameter| !found.contains(parameter)) {
            Some(missing) => Err(self.wrong(format!("it does not ask for `:{}`", missing.name()))),
            None => Ok(found),
        }
    }

    pub(super) fn check_columns(self, count: usize) -> Result<(), DirectoryError> {
        if self.columns().contains(&count) {
            return Ok(());
        }
        Err(self.wrong(match self {
            Self::TakeLease => "it gives no fencing number (`RETURNING`)".to_owned(),
            _ => format!("it gives {count} columns instead of name, store, path, epoch and state, and perhaps a group"),
        }))
    }

    pub(super) fn wrong(self, why: impl Into<String>) -> DirectoryError {
        DirectoryError::Statement { statement: self.name(), why: why.into() }
    }

    pub(super) fn answer(self, why: impl Into<String>) -> DirectoryError {
        DirectoryError::Answer { statement: self.name(), why: why.into() }
    }
}

impl Parameter {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Home => "home",
            Self::To => "to",
            Self::Epoch => "epoch",
            Self::Fence => "fence",
            Self::Owner => "owner",
            Self::Now => "now",
            Self::Until => "until",
        }
    }

    pub(super) fn is_text(self) -> bool {
        match self {
            Self::User | Self::Home | Self::To | Self::Owner => true,
            Self::Epoch | Self::Fence | Self::Now | Self::Until => false,
        }
    }
}

/// A statement with `$1`, `$2` and so on for its names, and the names in that order, each once.
///
/// # Errors
/// The statement numbers parameters itself.
pub(super) fn numbered(text: &str) -> Result<(String, Vec<String>), &'static str> {
    let mut names: Vec<String> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let name = name_after_colon(rest);
        let length = match name {
            Some(name) => {
                let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
                    names.push(name.to_owned());
                    names.len() - 1
                });
                out.push('$');
                out.push_str(&(place + 1).to_string());
                rest = &rest[1 + name.len()..];
                continue;
            }
            None if is_name_start(first) => word(rest),
            None if first == '$' && rest[1..].starts_with(|letter: char| letter.is_ascii_digit()) => {
                return Err("it numbers a parameter (`$1`); write `:user` and so on");
            }
            None => quoted(rest).unwrap_or(if rest.starts_with("::") { 2 } else { first.len_utf8() }),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    Ok((out, names))
}

fn is_name_start(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_' || !letter.is_ascii()
}

fn is_name_part(letter: char) -> bool {
    is_name_start(letter) || letter.is_ascii_digit()
}

fn name_after_colon(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix(':')?;
    let end = after.find(|letter| !is_name_part(letter)).unwrap_or(after.len());
    after.starts_with(is_name_start).then(|| &after[..end])
}

/// The length of a word, in which `$` is a letter; with the text that follows when `E` makes that one with backslashes.
fn word(rest: &str) -> usize {
    let end = rest.find(|letter| !is_name_part(letter) && letter != '$').unwrap_or(rest.len());
    let escapes = rest[..end].eq_ignore_ascii_case("e") && rest[end..].starts_with('\'');
    if escapes { end + enclosed(&rest[end..], '\'', true) } else { end }
}

/// The length of the text, quoted name or comment that begins here. One that does not end goes on to the end: the
/// database will say so.
fn quoted(rest: &str) -> Option<usize> {
    match rest.chars().next()? {
        '\'' => Some(enclosed(rest, '\'', false)),
        '"' => Some(enclosed(rest, '"', false)),
        '-' if rest.starts_with("--") => Some(rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => Some(comment(rest)),
        '$' => dollar_quoted(rest),
        _ => None,
    }
}

/// Up to the quote that closes; a doubled one does not.
fn enclosed(rest: &str, quote: char, escapes: bool) -> usize {
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((place, letter)) = letters.next() {
        if escapes && letter == '\\' {
            letters.next();
        } else if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            return place + 1;
        }
    }
    rest.len()
}

/// Comments nest in PostgreSQL.
fn comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut place = 0;
    while place < rest.len() {
        let here = &rest.as_bytes()[place..];
        if here.starts_with(b"/*") {
            depth += 1;
            place += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return place;
            }
        } else {
            place += 1;
        }
    }
    rest.len()
}

fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag = rest[1..].find(|letter| !is_name_part(letter)).map(|end| &rest[1..=end])?;
    let opens = rest[1 + tag.len()..].starts_with('$') && !tag.starts_with(|letter: char| letter.is_ascii_digit());
    let fence = &rest[..tag.len() + 2];
    opens.then(|| rest[fence.len()..].find(fence).map_or(rest.len(), |end| end + 2 * fence.len()))
}

#[cfg(test)]
mod tests;
