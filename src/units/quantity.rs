//! Sizes, rates, shares, response times and operations.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

use super::Span;

/// Microseconds in a second.
const MICROS: u64 = 1_000_000;

/// A number of bytes. Units in text are decimal: 1 MB is 10^6 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bytes(u64);

/// A transfer rate in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate(u64);

/// A share in parts per million; utilisation may exceed 1 (1,000,000 ppm) when more is asked than can be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Share(u32);

/// A response time in microseconds, at most 71 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Latency(u32);

/// Storage operations a second. It describes load; nothing is decided on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct OpRate(f64);

/// A number of storage operations, for costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ops(f64);

impl Bytes {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This many bytes.
    #[must_use]
    #[inline]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// This share of the bytes, rounded down.
    #[must_use]
    #[inline]
    pub const fn share(self, share: Share) -> Self {
        // A division of 128 bits costs as much as the rest of a placement.
        match self.0.checked_mul(share.0 as u64) {
            Some(product) => Self(product / 1_000_000),
            None => Self((self.0 as u128 * share.0 as u128 / 1_000_000) as u64),
        }
    }

    /// What is left after taking `other` away, zero when `other` is more.
    #[must_use]
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The part that these bytes are of `whole`, rounded up to a millionth; zero of nothing.
    #[must_use]
    #[inline]
    pub const fn of(self, whole: Self) -> Share {
        if whole.0 == 0 {
            return Share(0);
        }
        // Up to eighteen terabytes there is room in sixty-four bits, which divide in a fraction of the time.
        let parts = match self.0.checked_mul(1_000_000) {
            Some(product) => product.div_ceil(whole.0) as u128,
            None => (self.0 as u128 * 1_000_000).div_ceil(whole.0 as u128),
        };
        if parts > u32::MAX as u128 { Share(u32::MAX) } else { Share(parts as u32) }
    }
}

impl Add for Bytes {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Bytes {
    type Output = Self;
    /// # Panics
    /// When more is taken than there is: that is a mistake in our own accounts.
    #[inline]
    fn sub(self, other: Self) -> Self {
        match self.0.checked_sub(other.0) {
            Some(left) => Self(left),
            None => too_few(self.0, other.0),
        }
    }
}

/// Out of the way, so that a difference costs two instructions.
#[cold]
#[inline(never)]
#[track_caller]
fn too_few(there: u64, taken: u64) -> ! {
    panic!("taking {taken} bytes from {there}")
}

impl SubAssign for Bytes {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self(u64::MAX);
    /// Standing still.
    pub const ZERO: Self = Self(0);

    /// This many bytes a second.
    #[must_use]
    #[inline]
    pub const fn per_second(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes a second.
    #[must_use]
    #[inline]
    pub const fn bytes_per_second(self) -> u64 {
        self.0
    }

    /// What flows in `span` at this rate, rounded down; nothing in a negative span.
    #[must_use]
    #[inline]
    pub const fn over(self, span: Span) -> Bytes {
        let micros = if span.micros() > 0 { span.micros() as u64 } else { 0 };
        if let Some(product) = self.0.checked_mul(micros) {
            return Bytes(product / MICROS);
        }
        let bytes = self.0 as u128 * micros as u128 / MICROS as u128;
        if bytes > u64::MAX as u128 { Bytes(u64::MAX) } else { Bytes(bytes as u64) }
    }
}

impl Share {
    /// Nothing of it.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ONE: Self = Self(1_000_000);

    /// This many parts per million.
    #[must_use]
    #[inline]
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(ppm)
    }

    /// A share from a fraction, rounded up to a millionth, so that "above 80 %" means the same in both forms.
    #[must_use]
    #[inline]
    pub fn from_fraction_up(fraction: f64) -> Self {
        // A billionth of slack keeps 0.8 (0.8000000000000000444 as a double) at 800,000 parts.
        Self(ceiling(fraction * 1e6 - 1e-3))
    }

    /// Parts per million.
    #[must_use]
    #[inline]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// The share as a fraction of 1.
    #[must_use]
    #[inline]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// This share of a count, rounded up: 40 % of 3 is 2.
    #[must_use]
    #[inline]
    pub const fn of_count(self, count: u64) -> u64 {
        (count as u128 * self.0 as u128).div_ceil(1_000_000) as u64
    }
}

impl Latency {
    /// This many microseconds.
    #[must_use]
    #[inline]
    pub const fn from_micros(micros: u32) -> Self {
        Self(micros)
    }

    /// A latency from seconds, rounded up to a microsecond and capped at 71 minutes.
    #[must_use]
    #[inline]
    pub fn from_secs_up(seconds: f64) -> Self {
        Self(ceiling(seconds * 1e6 - 1e-3))
    }

    /// Microseconds.
    #[must_use]
    #[inline]
    pub const fn micros(self) -> u32 {
        self.0
    }

    /// Seconds.
    #[must_use]
    #[inline]
    pub fn secs(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// This share of the latency, rounded down.
    #[must_use]
    #[inline]
    pub const fn share(self, share: Share) -> Self {
        Self((self.0 as u64 * share.0 as u64 / 1_000_000) as u32)
    }
}

impl OpRate {
    /// This many operations a second.
    #[must_use]
    #[inline]
    pub const fn per_second(ops: f64) -> Self {
        Self(ops)
    }

    /// Operations a second.
    #[must_use]
    #[inline]
    pub const fn ops_per_second(self) -> f64 {
        self.0
    }
}

impl Ops {
    /// This many operations.
    #[must_use]
    #[inline]
    pub const fn new(ops: f64) -> Self {
        Self(ops)
    }

    /// The number of operations.
    #[must_use]
    #[inline]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The least whole number not below `x`, within the range of the type; zero for NaN. Without a call to the platform's
/// library: samples are rounded as often as anything happens.
#[inline]
fn ceiling(x: f64) -> u32 {
    let whole = x as u32;
    if f64::from(whole) < x { whole.saturating_add(1) } else { whole }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = f64::from(self.0) / 1e4;
        write!(f, "{percent} %")
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 5] = [
            (1_000_000_000_000_000, "PB"),
            (1_000_000_000_000, "TB"),
            (1_000_000_000, "GB"),
            (1_000_000, "MB"),
            (1_000, "kB"),
        ];
        match UNITS.iter().find(|(size, _)| self.0 >= *size) {
            Some((size, unit)) => write!(f, "{:.1} {unit}", self.0 as f64 / *size as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}
