//! Instants and spans of time.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// An instant: microseconds since 1970-01-01 00:00 UTC. The program's dates lie within years 1900 to 2200.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(i64);

/// A length of time in microseconds; negative only as the difference of two instants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(i64);

impl Time {
    /// Later than every date that the program can reach.
    pub const NEVER: Self = Self(i64::MAX);
    /// Earlier than every date that the program can reach.
    pub const LONG_AGO: Self = Self(i64::MIN);

    /// The instant this many microseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    #[inline]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    #[inline]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    #[must_use]
    #[inline]
    pub fn unix_seconds(self) -> f64 {
        self.0 as f64 / MICROS as f64
    }

    /// The time from `earlier` until this instant; negative when `earlier` is later.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> Span {
        Span(difference(self.0, earlier.0))
    }

    /// The first instant from this one on that is a whole number of steps after 1970-01-01 00:00 UTC.
    #[must_use]
    #[inline]
    pub const fn rounded_up(self, step: Span) -> Self {
        let past = self.0.rem_euclid(step.0);
        if past == 0 { self } else { Self(self.0.saturating_add(step.0 - past)) }
    }
}

impl Add<Span> for Time {
    type Output = Self;
    #[inline]
    fn add(self, span: Span) -> Self {
        Self(sum(self.0, span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    #[inline]
    fn sub(self, span: Span) -> Self {
        Self(difference(self.0, span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The shortest step of time: one microsecond.
    pub const TICK: Self = Self(1);

    /// A span of this many microseconds.
    #[must_use]
    #[inline]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// A span of whole seconds.
    #[must_use]
    #[inline]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds * MICROS)
    }

    /// A span of seconds, rounded to the nearest microsecond; saturates at the ends of the range, NaN is zero.
    #[must_use]
    #[inline]
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * MICROS as f64).round() as i64)
    }

    /// Microseconds.
    #[must_use]
    #[inline]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds.
    #[must_use]
    #[inline]
    pub fn secs(self) -> f64 {
        self.0 as f64 / MICROS as f64
    }

    /// Days of 24 hours.
    #[must_use]
    #[inline]
    pub fn days(self) -> f64 {
        self.secs() / 86_400.0
    }

    /// This span a whole number of times over; saturates.
    #[must_use]
    #[inline]
    pub const fn times(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Add for Span {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(sum(self.0, other.0))
    }
}

impl AddAssign for Span {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(difference(self.0, other.0))
    }
}

/// The sum, or the end of the range that it passes; the end is out of the way, so that a sum costs two instructions.
#[inline]
const fn sum(a: i64, b: i64) -> i64 {
    match a.checked_add(b) {
        Some(sum) => sum,
        None => end_of_range(b > 0),
    }
}

/// The difference, or the end of the range that it passes.
#[inline]
const fn difference(a: i64, b: i64) -> i64 {
    match a.checked_sub(b) {
        Some(difference) => difference,
        None => end_of_range(b < 0),
    }
}

#[cold]
#[inline(never)]
const fn end_of_range(upper: bool) -> i64 {
    if upper { i64::MAX } else { i64::MIN }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.secs();
        if seconds >= 2.0 * 86_400.0 {
            write!(f, "{:.1} days", seconds / 86_400.0)
        } else if seconds >= 2.0 * 3_600.0 {
            write!(f, "{:.1} h", seconds / 3_600.0)
        } else if seconds >= 120.0 {
            write!(f, "{:.1} min", seconds / 60.0)
        } else {
            write!(f, "{seconds:.1} s")
        }
    }
}
