//! Checked values of the file: defaults filled in, numbers parsed, every value with its key and its place.

use jiff::civil::DateTime;

use super::problems::Place;
use super::spread::{Bounds, Law};

/// A checked value.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The full key: `head.head-1.capacity`.
    pub(crate) key: String,
    /// Where it stands; for a default, where it could stand.
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Something wrong, which has been reported: whoever meets it reports nothing more.
    Bad,
    Text(String),
    Flag(bool),
    When(When),
    Number(Amount),
    List(Vec<Item>),
    Table(Vec<(String, Item)>),
    /// Which of several kinds, or of several variants, it is.
    Choice(usize, Box<Item>),
}

/// A local date or date-time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct When {
    pub(crate) at: DateTime,
    /// Whether the file gave a date alone.
    pub(crate) whole_day: bool,
}

/// A number with what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Amount {
    pub(crate) law: Law,
    pub(crate) bounds: Bounds,
    /// Low, middle and high as the file writes them, for uncertain numbers.
    pub(crate) written: [String; 3],
    /// P10 and P90, for uncertain numbers.
    pub(crate) tenths: [String; 2],
}

impl Amount {
    pub(crate) fn middle(&self) -> f64 {
        self.law.middle(self.bounds)
    }

    pub(crate) fn quantile(&self, u: f64) -> f64 {
        self.law.quantile(u, self.bounds)
    }

    pub(crate) const fn is_uncertain(&self) -> bool {
        !matches!(self.law, Law::Exact(_))
    }
}

impl Item {
    /// The value of a key of a table.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.table().iter().find(|entry| entry.0 == name).map(|entry| &entry.1)
    }

    pub(crate) fn table(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Table(entries) => entries,
            Value::Choice(_, inner) => inner.table(),
            Value::Bad | Value::Text(_) | Value::Flag(_) | Value::When(_) | Value::Number(_) | Value::List(_) => &[],
        }
    }

    pub(crate) fn list(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Choice(_, inner) => inner.list(),
            Value::Bad | Value::Text(_) | Value::Flag(_) | Value::When(_) | Value::Number(_) | Value::Table(_) => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Choice(_, inner) => inner.text(),
            Value::Bad | Value::Flag(_) | Value::When(_) | Value::Number(_) | Value::List(_) | Value::Table(_) => None,
        }
    }

    pub(crate) fn amount(&self) -> Option<&Amount> {
        match &self.value {
            Value::Number(amount) => Some(amount),
            Value::Choice(_, inner) => inner.amount(),
            Value::Bad | Value::Text(_) | Value::Flag(_) | Value::When(_) | Value::List(_) | Value::Table(_) => None,
        }
    }

    pub(crate) fn when(&self) -> Option<When> {
        match &self.value {
            Value::When(when) => Some(*when),
            Value::Choice(_, inner) => inner.when(),
            Value::Bad | Value::Text(_) | Value::Flag(_) | Value::Number(_) | Value::List(_) | Value::Table(_) => None,
        }
    }

    pub(crate) fn flag(&self) -> bool {
        matches!(self.value, Value::Flag(true))
    }

    /// Which kind of several was found.
    pub(crate) const fn choice(&self) -> Option<usize> {
        if let Value::Choice(which, _) = &self.value { Some(*which) } else { None }
    }

    pub(crate) fn is_bad(&self) -> bool {
        match &self.value {
            Value::Bad => true,
            Value::Choice(_, inner) => inner.is_bad(),
            Value::Text(_) | Value::Flag(_) | Value::When(_) | Value::Number(_) | Value::List(_) | Value::Table(_) => {
                false
            }
        }
    }

    /// Whether it is wrong, or anything in it.
    pub(crate) fn holds_bad(&self) -> bool {
        self.is_bad()
            || self.table().iter().any(|(_, item)| item.holds_bad())
            || self.list().iter().any(Self::holds_bad)
    }

    /// Shows every number in it to `see`.
    pub(crate) fn numbers<'a>(&'a self, see: &mut dyn FnMut(&'a Self, &'a Amount)) {
        match &self.value {
            Value::Number(amount) => see(self, amount),
            Value::List(items) => items.iter().for_each(|item| item.numbers(see)),
            Value::Table(entries) => entries.iter().for_each(|entry| entry.1.numbers(see)),
            Value::Choice(_, inner) => inner.numbers(see),
            Value::Bad | Value::Text(_) | Value::Flag(_) | Value::When(_) => {}
        }
    }
}
