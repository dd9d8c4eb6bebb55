//! What is wrong with the rows of an inventory: all of it counted, the first of it in words.

use std::collections::BTreeMap;

use super::value::Wrong;
use crate::scenario::problems::{Problem, ROWS_SHOWN};

/// What is wrong, as far as a file has been read.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// The file, as messages name it.
    file: String,
    /// Bad rows are left out, as was asked for, and counted.
    pub(crate) skip: bool,
    shown: Vec<Problem>,
    /// How many problems each column has of each kind.
    kinds: BTreeMap<(String, &'static str), u64>,
    problems: u64,
    /// Rows with a problem.
    rows: u64,
    last_row: u64,
    /// The whole file cannot be used, whatever is skipped.
    fatal: bool,
}

/// What came of a file.
pub(crate) struct Found {
    pub(crate) problems: Vec<Problem>,
    /// Problems beyond those.
    pub(crate) more: u64,
}

impl Trouble {
    pub(crate) fn new(file: String, skip: bool) -> Self {
        Self { file, skip, shown: Vec::new(), kinds: BTreeMap::new(), problems: 0, rows: 0, last_row: 0, fatal: false }
    }

    /// A problem of the whole file.
    pub(crate) fn of_file(&mut self, message: impl Into<String>) {
        self.fatal = true;
        self.problems += 1;
        self.shown.push(Problem::of_file(&self.file, message));
    }

    /// A problem of the whole file, with a name that may be meant.
    pub(crate) fn of_header(&mut self, message: impl Into<String>, suggestion: Option<String>) {
        self.of_file(message);
        if let Some(problem) = self.shown.last_mut() {
            problem.suggestion = suggestion;
        }
    }

    /// A problem of a row: as a whole, or of one of its columns.
    pub(crate) fn of_row(&mut self, row: u64, column: Option<&str>, wrong: &Wrong) {
        self.problems += 1;
        self.rows += u64::from(row != self.last_row);
        self.last_row = row;
        let counted = self.kinds.entry((column.unwrap_or_default().to_owned(), wrong.kind)).or_default();
        *counted += 1;
        if !self.skip && self.shown.len() < ROWS_SHOWN {
            let place = column.map_or_else(String::new, |column| format!(", column \"{column}\""));
            self.shown.push(Problem::of_file(&self.file, format!("row {row}{place}: {}", wrong.message)));
        }
    }

    /// For what comes later in the file and is read meanwhile.
    pub(crate) fn ahead(&self) -> Self {
        Self::new(self.file.clone(), self.skip)
    }

    /// Takes in what was found later in the file, as if it had been told here from the beginning.
    pub(crate) fn append(&mut self, later: Self) {
        let ends = later.shown.len().saturating_sub(usize::from(later.fatal));
        for (place, problem) in later.shown.into_iter().enumerate() {
            // What ends the reading is the last of them, and is always said.
            if place >= ends || self.shown.len() < ROWS_SHOWN {
                self.shown.push(problem);
            }
        }
        for (kind, counted) in later.kinds {
            *self.kinds.entry(kind).or_default() += counted;
        }
        self.problems += later.problems;
        self.rows += later.rows;
        self.last_row = self.last_row.max(later.last_row);
        self.fatal |= later.fatal;
    }

    /// Rows that have a problem.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the file cannot be used.
    pub(crate) const fn is_bad(&self) -> bool {
        self.fatal || !self.skip && self.problems > 0
    }

    /// What is wrong, by how often: `bytes negative 12, head unknown 3`.
    pub(crate) fn reasons(&self) -> Vec<(String, u64)> {
        let named = |((column, kind), count): (&(String, &'static str), &u64)| {
            let name = if column.is_empty() { (*kind).to_owned() } else { format!("{column} {kind}") };
            (name, *count)
        };
        let mut reasons: Vec<(String, u64)> = self.kinds.iter().map(named).collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        reasons
    }

    /// The problems, at the end. Where there are more than are shown, a first line says what they are.
    pub(crate) fn finish(self) -> Found {
        let reasons: Vec<String> = self.reasons().iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let mut problems = self.shown;
        let more = if self.skip { 0 } else { self.problems - problems.len() as u64 };
        if more > 0 {
            let text = format!("{} rows have problems: {}", self.rows, reasons.join(", "));
            problems.insert(0, Problem::of_file(&self.file, text));
            // The line of counts is no problem of its own.
            return Found { problems, more: more - 1 };
        }
        Found { problems, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with rows from one on, and whether the reading ends there.
    fn tell(trouble: &mut Trouble, rows: std::ops::Range<u64>, ends: bool) {
        for row in rows.clone() {
            let wrong = |kind| Wrong { kind, message: format!("is {kind}") };
            trouble.of_row(row, Some("bytes"), &wrong("negative"));
            if row % 3 == 0 {
                trouble.of_row(row, None, &wrong("short"));
            }
        }
        if ends {
            trouble.of_file(format!("row {} is where reading ends", rows.end));
        }
    }

    #[test]
    fn what_is_found_ahead_is_told_as_if_it_had_been_read_in_its_turn() {
        for skip in [false, true] {
            for (first, second, ends) in [(2, 5, false), (2, 500, true), (500, 3, true), (0, 7, false), (7, 0, false)] {
                let mut at_once = Trouble::new("x.csv".into(), skip);
                tell(&mut at_once, 1..1 + first, false);
                tell(&mut at_once, 1 + first..1 + first + second, ends);
                let mut pieces = Trouble::new("x.csv".into(), skip);
                tell(&mut pieces, 1..1 + first, false);
                let mut ahead = pieces.ahead();
                tell(&mut ahead, 1 + first..1 + first + second, ends);
                pieces.append(ahead);
                assert_eq!(format!("{pieces:?}"), format!("{at_once:?}"), "{skip} {first} {second} {ends}");
            }
        }
    }
}
