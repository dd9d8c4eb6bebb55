//! How the keys of the file format are described: one description drives checking, suggestions, defaults and the schema.

use super::quantity::Measure;

/// A table of the format: its keys in groups, so that tables can share some.
pub(crate) struct Table {
    /// What it describes, for messages: "a head".
    pub(crate) what: &'static str,
    pub(crate) keys: &'static [&'static [Key]],
}

/// A key of a table.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) need: Need,
    /// One sentence for the schema.
    pub(crate) doc: &'static str,
}

/// What happens when a key is missing.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    Required,
    /// Required where its table does not have another key.
    Unless(&'static str),
    Optional,
    /// The default, as the file would say it.
    Text(&'static str),
    Number(f64),
    Flag(bool),
    /// A table or list with nothing in it: its own defaults.
    Empty,
}

/// What a value may be.
pub(crate) enum Kind {
    Text,
    /// A name that other keys use: letters, digits, `-` and `_`.
    Name,
    Flag,
    /// A local date or date-time.
    When,
    Word(&'static [&'static str]),
    Number(Number),
    List(&'static Self),
    Pair(&'static Self, &'static Self),
    Table(&'static Table),
    /// `[[head]]`: tables that are told apart by `name`.
    Named(&'static Table),
    /// `[[expect]]`: tables that are told apart by their number.
    Tables(&'static Table),
    /// A table whose keys are names of heads.
    ByHead(&'static Self),
    /// A table whose keys depend on one of them.
    Tagged(&'static Tagged),
    /// The first kind that fits.
    Choice(&'static [Self]),
}

impl Kind {
    /// The keys of a table that is not told by a name, a head or a tag.
    pub(crate) const fn table(&self) -> Option<&'static Table> {
        match self {
            Self::Table(table) => Some(table),
            Self::Text
            | Self::Name
            | Self::Flag
            | Self::When
            | Self::Word(_)
            | Self::Number(_)
            | Self::List(_)
            | Self::Pair(..)
            | Self::Named(_)
            | Self::Tables(_)
            | Self::ByHead(_)
            | Self::Tagged(_)
            | Self::Choice(_) => None,
        }
    }
}

/// Tables told apart by a word.
pub(crate) struct Tagged {
    pub(crate) tag: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) variants: &'static [(&'static str, &'static Table)],
}

/// A number's measure and what of it is allowed.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) measure: Measure,
    pub(crate) min: f64,
    /// Whether `min` itself is too small.
    pub(crate) above_min: bool,
    pub(crate) max: f64,
    /// Whether it must be one value: a range would have no meaning.
    pub(crate) single: bool,
}

impl Number {
    const fn new(measure: Measure, max: f64) -> Self {
        Self { measure, min: 0.0, above_min: false, max, single: false }
    }

    /// Zero is not allowed.
    pub(crate) const fn positive(mut self) -> Kind {
        self.above_min = true;
        Kind::Number(self)
    }

    /// Zero is allowed.
    pub(crate) const fn kind(self) -> Kind {
        Kind::Number(self)
    }

    pub(crate) const fn single(mut self) -> Self {
        self.single = true;
        self
    }

    pub(crate) const fn from(mut self, min: f64) -> Self {
        self.min = min;
        self
    }

    pub(crate) const fn to(mut self, max: f64) -> Self {
        self.max = max;
        self
    }

    /// What is allowed, for messages.
    pub(crate) fn allowed(&self) -> String {
        let show = |value| self.measure.show(value);
        let most = show(self.max);
        if self.above_min {
            format!("above {} and at most {most}", show(self.min))
        } else {
            format!("between {} and {most}", show(self.min))
        }
    }
}

/// A share of at most 100 %.
pub(crate) const fn share() -> Number {
    Number::new(Measure::Share, 1.0)
}

/// A size, at most 1 EB.
pub(crate) const fn bytes() -> Number {
    Number::new(Measure::Bytes, 1e18)
}

/// A rate, at most 1 EB/s.
pub(crate) const fn rate() -> Number {
    Number::new(Measure::Rate, 1e18)
}

/// The rate of a network link, in bytes or bits, at most 1 EB/s.
pub(crate) const fn link_rate() -> Number {
    Number::new(Measure::LinkRate, 1e18)
}

/// A load, at most 10^9 op/s.
pub(crate) const fn op_rate() -> Number {
    Number::new(Measure::OpRate, 1e9)
}

/// A cost, at most 10^9 operations.
pub(crate) const fn ops() -> Number {
    Number::new(Measure::Ops, 1e9)
}

/// A time, at most 50 years.
pub(crate) const fn span() -> Number {
    Number::new(Measure::Span, 50.0 * 365.0 * 86_400.0)
}

/// A response time, at most one hour.
pub(crate) const fn latency() -> Number {
    Number::new(Measure::Span, 3_600.0)
}

/// A frequency, at most a million a second.
pub(crate) const fn frequency() -> Number {
    Number::new(Measure::Frequency, 86_400e6)
}

/// A change over time, at most 100 % a day.
pub(crate) const fn growth() -> Number {
    Number::new(Measure::Growth, 1.0)
}

/// A number without a unit.
pub(crate) const fn plain(min: f64, max: f64) -> Number {
    Number { measure: Measure::Plain, min, above_min: false, max, single: false }
}

/// A whole number.
pub(crate) const fn count(min: f64, max: f64) -> Number {
    Number { measure: Measure::Count, min, above_min: false, max, single: false }
}

/// A key that must be there.
pub(crate) const fn need(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, need: Need::Required, doc }
}

/// A key that must be there unless another one is.
pub(crate) const fn unless(other: &'static str, name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, need: Need::Unless(other), doc }
}

/// A key that may be missing.
pub(crate) const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, need: Need::Optional, doc }
}

/// A key with a default.
pub(crate) const fn or(name: &'static str, kind: Kind, default: Need, doc: &'static str) -> Key {
    Key { name, kind, need: default, doc }
}

impl Table {
    /// All keys, in the order of their description.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().flat_map(|group| group.iter())
    }
}

impl Tagged {
    pub(crate) fn variant(&self, word: &str) -> Option<&'static Table> {
        self.variants.iter().find(|variant| variant.0 == word).map(|variant| variant.1)
    }
}
