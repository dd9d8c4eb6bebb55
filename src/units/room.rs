//! What files take of a file system: bytes, and inodes, of which each file and each directory has one.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

use super::{Bytes, Share, Span};

/// Microseconds in a day.
const DAY: u128 = 86_400_000_000;

/// A number of inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Inodes(u64);

impl Inodes {
    /// None.
    pub const ZERO: Self = Self(0);
    /// More than there can be: no limit.
    pub const UNLIMITED: Self = Self(u64::MAX);

    /// This many inodes.
    #[must_use]
    #[inline]
    pub const fn new(inodes: u64) -> Self {
        Self(inodes)
    }

    /// The number of inodes.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// This share of them, rounded down.
    #[must_use]
    #[inline]
    pub const fn share(self, share: Share) -> Self {
        Self(Bytes::new(self.0).share(share).get())
    }

    /// The part that these are of `whole`, rounded up to a millionth; zero of nothing, and of no limit.
    #[must_use]
    #[inline]
    pub const fn of(self, whole: Self) -> Share {
        if whole.0 == u64::MAX { Share::ZERO } else { Bytes::new(self.0).of(Bytes::new(whole.0)) }
    }

    /// What comes in `span` at so many a day, rounded up; nothing in a negative span.
    #[must_use]
    #[inline]
    pub const fn daily_over(self, span: Span) -> Self {
        if self.0 == 0 || span.micros() <= 0 {
            return Self::ZERO;
        }
        let inodes = (self.0 as u128 * span.micros() as u128).div_ceil(DAY);
        if inodes > u64::MAX as u128 { Self(u64::MAX) } else { Self(inodes as u64) }
    }

    /// What is left after taking `other` away, none when `other` is more.
    #[must_use]
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Inodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1_000_000.. => write!(f, "{:.1} million inodes", self.0 as f64 / 1e6),
            few => write!(f, "{few} inodes"),
        }
    }
}

/// The inodes in use as a sample tells them, which may not know: in six bytes, so that an event stays as small as it is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<Inodes>", into = "Option<Inodes>")]
pub struct InodesUsed([u16; 3]);

impl InodesUsed {
    /// The file system has no count of them.
    pub const UNKNOWN: Self = Self([u16::MAX; 3]);
    const MOST: u64 = (1 << 48) - 2;

    /// So many; from 281 million million on as if there were no more.
    #[must_use]
    pub const fn known(inodes: Inodes) -> Self {
        let inodes = if inodes.0 > Self::MOST { Self::MOST } else { inodes.0 };
        Self([inodes as u16, (inodes >> 16) as u16, (inodes >> 32) as u16])
    }

    /// How many, if that is known.
    #[must_use]
    #[inline]
    pub const fn get(self) -> Option<Inodes> {
        let [low, middle, high] = self.0;
        let inodes = low as u64 | (middle as u64) << 16 | (high as u64) << 32;
        if inodes > Self::MOST { None } else { Some(Inodes(inodes)) }
    }

    /// Whether the sample does not say.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub const fn is_unknown(&self) -> bool {
        self.get().is_none()
    }
}

impl Default for InodesUsed {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl From<Option<Inodes>> for InodesUsed {
    fn from(inodes: Option<Inodes>) -> Self {
        inodes.map_or(Self::UNKNOWN, Self::known)
    }
}

impl From<InodesUsed> for Option<Inodes> {
    fn from(used: InodesUsed) -> Self {
        used.get()
    }
}

impl fmt::Debug for InodesUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// What something takes of a cluster, or what a cluster has, in both of its units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Room {
    /// In bytes.
    pub bytes: Bytes,
    /// In inodes.
    pub inodes: Inodes,
}

impl Room {
    /// None.
    pub const ZERO: Self = Self { bytes: Bytes::ZERO, inodes: Inodes::ZERO };
    /// More of both than anything needs.
    pub const ANY: Self = Self { bytes: Bytes::new(u64::MAX), inodes: Inodes::UNLIMITED };

    /// Whether so much is within a limit in both units.
    #[must_use]
    #[inline]
    pub fn is_within(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.inodes <= limit.inodes
    }

    /// Whether so much is less than a limit in both units.
    #[must_use]
    #[inline]
    pub fn is_below(self, limit: Self) -> bool {
        self.bytes < limit.bytes && self.inodes < limit.inodes
    }

    /// This, or a limit's part where there is less of it.
    #[must_use]
    #[inline]
    pub fn at_most(self, limit: Self) -> Self {
        Self { bytes: self.bytes.min(limit.bytes), inodes: self.inodes.min(limit.inodes) }
    }

    /// What is left of both after taking `other` away, none of what `other` has more of.
    #[must_use]
    #[inline]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), inodes: self.inodes.saturating_sub(other.inodes) }
    }

    /// The larger of the two parts that this is of `whole`.
    #[must_use]
    #[inline]
    pub fn of(self, whole: Self) -> Share {
        self.bytes.of(whole.bytes).max(self.inodes.of(whole.inodes))
    }
}

impl Add for Room {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        // Every mailbox goes through some of these sums, and no file system has so many inodes that they could overflow.
        Self { bytes: self.bytes + other.bytes, inodes: Inodes(self.inodes.0.wrapping_add(other.inodes.0)) }
    }
}

impl AddAssign for Room {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Room {
    type Output = Self;
    /// # Panics
    /// When more is taken than there is: that is a mistake in our own accounts.
    #[inline]
    fn sub(self, other: Self) -> Self {
        let Some(inodes) = self.inodes.0.checked_sub(other.inodes.0) else {
            too_few(self.inodes.0, other.inodes.0);
        };
        Self { bytes: self.bytes - other.bytes, inodes: Inodes(inodes) }
    }
}

/// Out of the way, so that a difference costs two instructions.
#[cold]
#[inline(never)]
#[track_caller]
fn too_few(there: u64, taken: u64) -> ! {
    panic!("taking {taken} inodes from {there}")
}

impl SubAssign for Room {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sample_knows_comes_back_and_what_it_does_not_stays_unknown() {
        for inodes in [0, 1, 65_535, 65_536, 4_294_967_296, (1 << 48) - 2] {
            assert_eq!(InodesUsed::known(Inodes(inodes)).get(), Some(Inodes(inodes)));
        }
        assert_eq!(InodesUsed::known(Inodes::UNLIMITED).get(), Some(Inodes((1 << 48) - 2)));
        assert_eq!((InodesUsed::default().get(), InodesUsed::from(None).is_unknown()), (None, true));
        assert!(size_of::<InodesUsed>() == 6 && align_of::<InodesUsed>() == 2);
    }

    #[test]
    fn a_days_inodes_come_evenly_and_are_rounded_up() {
        let daily = Inodes(86_400);
        let seconds = [-1, 0, 1, 60].map(|seconds| daily.daily_over(Span::from_secs(seconds)).get());
        assert_eq!(seconds, [0, 0, 1, 60]);
        assert_eq!(Inodes(1).daily_over(Span::TICK), Inodes(1));
        assert_eq!(Inodes::ZERO.daily_over(Span::from_secs(10)), Inodes::ZERO);
        assert_eq!(Inodes::UNLIMITED.daily_over(Span::from_secs(1_000_000)), Inodes::UNLIMITED);
    }

    #[test]
    fn both_units_have_to_fit_and_the_fuller_one_tells_how_full_it_is() {
        let room = |bytes, inodes| Room { bytes: Bytes::new(bytes), inodes: Inodes(inodes) };
        let limit = room(100, 10);
        assert!(room(100, 10).is_within(limit) && !room(101, 1).is_within(limit) && !room(1, 11).is_within(limit));
        assert!(room(99, 9).is_below(limit) && !room(99, 10).is_below(limit) && !room(100, 9).is_below(limit));
        assert_eq!(room(10, 5).of(limit), Share::from_ppm(500_000));
        assert_eq!(room(10, 5).of(room(100, u64::MAX)), Share::from_ppm(100_000));
        assert_eq!(room(3, 4) + room(1, 1) - room(2, 2), room(2, 3));
    }

    #[test]
    #[should_panic(expected = "taking 2 inodes from 1")]
    fn taking_more_inodes_than_there_are_is_our_mistake() {
        let room = |inodes| Room { bytes: Bytes::ZERO, inodes: Inodes(inodes) };
        let _ = room(1) - room(2);
    }
}
