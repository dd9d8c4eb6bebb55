//! Reads checked values into typed ones, drawing what is uncertain, and collects what is wrong between keys.

use super::check::unknown_name;
use super::item::{Amount, Item};
use super::problems::Problem;
use crate::units::{Bytes, Inodes, Latency, OpRate, Ops, Rate, Share, Span};

/// A reading under way.
pub(crate) struct Reader<'a> {
    draw: &'a mut dyn FnMut(&Item, &Amount) -> f64,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    /// Problems that are counted and not told one by one.
    pub(crate) unshown: u64,
    /// Whether a value was met since the last `section` that is known to be wrong: what follows from it is not reported.
    tainted: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(draw: &'a mut dyn FnMut(&Item, &Amount) -> f64) -> Self {
        Self { draw, problems: Vec::new(), warnings: Vec::new(), unshown: 0, tainted: false }
    }

    /// Begins a part of the file that can be judged on its own.
    pub(crate) fn section(&mut self) {
        self.tainted = false;
    }

    /// Reports a problem, unless it follows from one that has been reported.
    pub(crate) fn problem(&mut self, at: &Item, message: impl Into<String>) {
        if !self.tainted {
            self.problems.push(Problem::at(&at.place, &at.key, message));
        }
    }

    /// Reports something dubious.
    pub(crate) fn warning(&mut self, at: &Item, message: impl Into<String>) {
        if !self.tainted {
            self.warnings.push(Problem::at(&at.place, &at.key, message));
        }
    }

    /// Reports a name that nothing has.
    pub(crate) fn unknown(&mut self, at: &Item, what: &str, name: &str, known: &[String]) {
        // Where one of them is not well named, it may be the one that is meant.
        if !self.tainted && !known.iter().any(String::is_empty) {
            self.problems.push(unknown_name(&at.place, &at.key, what, name, known));
        }
    }

    /// The place of a name in a list of names; an unknown one is reported.
    pub(crate) fn place_of(&mut self, item: &Item, what: &str, known: &[String]) -> Option<u8> {
        let Some(name) = item.text() else {
            self.tainted = true;
            return None;
        };
        let place = known.iter().position(|candidate| candidate == name);
        if place.is_none() {
            self.unknown(item, what, name, known);
        }
        place.map(|place| place as u8)
    }

    /// A number that the format requires or has a default for, in base units.
    pub(crate) fn number(&mut self, table: &Item, name: &str) -> f64 {
        self.number_if_any(table, name).unwrap_or_else(|| {
            self.tainted = true;
            1.0
        })
    }

    /// A number that may be missing.
    pub(crate) fn number_if_any(&mut self, table: &Item, name: &str) -> Option<f64> {
        let item = table.get(name)?;
        Some(self.value(item))
    }

    /// The value of a number itself.
    pub(crate) fn value(&mut self, item: &Item) -> f64 {
        let Some(amount) = item.amount() else {
            self.tainted = true;
            return 1.0;
        };
        (self.draw)(item, amount)
    }

    pub(crate) fn share(&mut self, table: &Item, name: &str) -> Share {
        share(self.number(table, name))
    }

    pub(crate) fn bytes(&mut self, table: &Item, name: &str) -> Bytes {
        Bytes::new(self.number(table, name).round() as u64)
    }

    pub(crate) fn inodes(&mut self, table: &Item, name: &str) -> Inodes {
        Inodes::new(self.number(table, name).round() as u64)
    }

    pub(crate) fn rate(&mut self, table: &Item, name: &str) -> Rate {
        rate(self.number(table, name))
    }

    pub(crate) fn op_rate(&mut self, table: &Item, name: &str) -> OpRate {
        OpRate::per_second(self.number(table, name))
    }

    pub(crate) fn ops(&mut self, table: &Item, name: &str) -> Ops {
        Ops::new(self.number(table, name))
    }

    pub(crate) fn span(&mut self, table: &Item, name: &str) -> Span {
        Span::from_secs_f64(self.number(table, name))
    }

    pub(crate) fn latency(&mut self, table: &Item, name: &str) -> Latency {
        Latency::from_secs_up(self.number(table, name))
    }

    pub(crate) fn count(&mut self, table: &Item, name: &str) -> u32 {
        self.number(table, name) as u32
    }

    /// A text that the format requires or has a default for.
    pub(crate) fn text<'i>(&mut self, table: &'i Item, name: &str) -> &'i str {
        table.get(name).and_then(Item::text).unwrap_or_else(|| {
            self.tainted = true;
            ""
        })
    }

    /// Remembers that a part of the table is known to be wrong, so that nothing is concluded from it.
    pub(crate) fn distrust(&mut self, item: Option<&Item>) {
        if item.is_none_or(Item::is_bad) {
            self.tainted = true;
        }
    }
}

/// A share from a fraction: up to the next millionth.
pub(crate) fn share(fraction: f64) -> Share {
    Share::from_fraction_up(fraction)
}

/// A rate from bytes a second.
pub(crate) fn rate(bytes_per_second: f64) -> Rate {
    Rate::per_second(bytes_per_second.round() as u64)
}
