//! Fair sharing in virtual time. All copies between one head and one cluster progress at one speed factor, so progress
//! is kept once for the pair: a clock that runs at that speed. A copy ends when the clock reaches its mark. A change of
//! speed costs O(pairs), never O(copies).
//!
//! Progress is work: the time that the copy would take alone on idle stores, in 2^-20 microseconds. It is integral and
//! only the real end is rounded, up, so nothing drifts.

use super::marks::Marks;
use super::number::{whole, whole_of_positive};
use super::queue::{Key, NEVER, SLOT_BITS};
use crate::migration::message::Limit;
use crate::scenario::model::LONGEST_COPY;
use crate::units::Time;

/// Binary digits of a microsecond of work, and of a speed.
const FRACTION: u32 = 20;
/// The clock is set back when it passes this.
const REBASE_ABOVE: u64 = 1 << 62;
const _: () = assert!(REBASE_ABOVE >> FRACTION == LONGEST_COPY.micros() as u64, "what scenarios are warned of");

/// Work of a copy: its time at full speed, at most `LONGEST_COPY`, about 50.9 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Work(u64);

/// A speed as a share of full speed: work done in a unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Speed(u32);

impl Work {
    /// The work that takes so many microseconds alone, zero or more; copies that would take longer than `LONGEST_COPY` are
    /// taken as that: a scenario that may have one is warned of.
    #[inline]
    pub(crate) fn from_micros(micros: f64) -> Self {
        // In steps of what a mark can hold.
        let steps = whole_of_positive(micros * f64::from(1_u32 << (FRACTION - SLOT_BITS)));
        Self(steps.min(REBASE_ABOVE >> SLOT_BITS) << SLOT_BITS)
    }
}

impl Speed {
    /// Full speed.
    pub(crate) const FULL: Self = Self(1 << FRACTION);

    /// A speed from a share within 0 and 1, never above it.
    #[inline]
    pub(crate) fn from_share(share: f64) -> Self {
        Self(whole(share * f64::from(1_u32 << FRACTION) - 0.5) as u32)
    }
}

/// What a copy brings with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// What is left to be done.
    pub(crate) work: Work,
    /// What it asks of the head at full speed, in thousandths of an operation a second.
    pub(crate) head_milli_op_s: u64,
    /// What it asks of the cluster at full speed.
    pub(crate) cluster_milli_op_s: u64,
    /// Bytes a second at full speed.
    pub(crate) bytes_s: u64,
}

impl Flow {
    /// Nothing to be done.
    pub(crate) const NONE: Self = Self { work: Work(0), head_milli_op_s: 0, cluster_milli_op_s: 0, bytes_s: 0 };

    /// What it asks of both stores together at full speed, in thousandths of an operation a second.
    #[inline]
    pub(crate) fn asks_milli_op_s(&self) -> u64 {
        self.head_milli_op_s + self.cluster_milli_op_s
    }
}

/// What the copies of a pair ask for together: how many there are, and thousandths of an operation a second at full speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    copies: u32,
    head_milli_op_s: u64,
    cluster_milli_op_s: u64,
}

/// A pair whose copies ask for so small a part more or less of what they asked for keeps its speed, which is found to a
/// hundred-thousandth.
const ALIKE: u64 = 100_000;

/// All copies under way between one head and one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    clock: u64,
    at: i64,
    speed: Speed,
    marks: Marks,
    /// Copies that ask for operations: those whose work is under way, and those being set up.
    pub(crate) copies: u32,
    /// Sum over its copies, as in `Flow`.
    pub(crate) head_milli_op_s: u64,
    /// Sum over its copies.
    pub(crate) cluster_milli_op_s: u64,
    /// Sum over the copies whose work is under way.
    pub(crate) bytes_s: u64,
    /// What its copies asked for when its speed was last found, if they were alone on their head.
    found: Option<Asked>,
    /// Its speed as it was found, as a share of full speed.
    pub(crate) share: f64,
    /// What holds it ...
    pub(crate) limit: Limit,
    /// ... found last at this instant, in microseconds, and what held it until then.
    found_at: i64,
    held_before: Limit,
}

impl Pair {
    /// A pair without copies, with room for as many as may be under way.
    pub(crate) fn new(copies: usize) -> Self {
        Self {
            clock: 0,
            at: 0,
            speed: Speed::FULL,
            marks: Marks::with_capacity(copies),
            copies: 0,
            head_milli_op_s: 0,
            cluster_milli_op_s: 0,
            bytes_s: 0,
            found: None,
            share: 1.0,
            limit: Limit::Own,
            found_at: i64::MIN,
            held_before: Limit::Own,
        }
    }

    /// Whether there is no copy, not even one being set up.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.copies == 0
    }

    /// Copies under way and being set up.
    pub(crate) fn copies(&self) -> u32 {
        self.copies
    }

    /// A copy asks for operations from now on.
    #[inline(always)]
    pub(crate) fn enter(&mut self, flow: &Flow) {
        self.copies += 1;
        self.head_milli_op_s += flow.head_milli_op_s;
        self.cluster_milli_op_s += flow.cluster_milli_op_s;
    }

    /// A copy asks for nothing any more.
    #[inline(always)]
    pub(crate) fn quit(&mut self, flow: &Flow) {
        self.copies -= 1;
        self.head_milli_op_s -= flow.head_milli_op_s;
        self.cluster_milli_op_s -= flow.cluster_milli_op_s;
    }

    /// The work of a copy begins, or goes on; gives the place of its mark, and says whether it will be the first to end.
    #[inline(always)]
    pub(crate) fn join(&mut self, now: Time, slot: u16, flow: &Flow) -> (u16, bool) {
        if self.marks.is_empty() {
            // Nobody depends on the clock: starting again at zero keeps it small.
            self.clock = 0;
            self.at = now.unix_micros();
        } else {
            self.advance(now);
        }
        self.bytes_s += flow.bytes_s;
        self.marks.add(Key::new((self.clock + flow.work.0).div_ceil(1 << SLOT_BITS), slot))
    }

    /// The work of a copy is broken off: takes its mark from its place and leaves in `flow` what was still to be done.
    pub(crate) fn leave(&mut self, now: Time, place: u16, flow: &mut Flow) {
        self.advance(now);
        let mark = self.marks.take(place).order() << SLOT_BITS;
        // Real ends are rounded up, so the clock may have passed a mark within the microsecond.
        flow.work = Work(mark.saturating_sub(self.clock));
        self.bytes_s -= flow.bytes_s;
    }

    /// The copy that ends first, if there is any.
    #[inline(always)]
    pub(crate) fn first(&self) -> Option<u16> {
        self.marks.first().map(Key::slot)
    }

    /// The first copy ends at `now`, as `due` has told.
    #[inline(always)]
    pub(crate) fn end(&mut self, now: Time, place: u16, flow: &Flow) {
        self.advance(now);
        self.marks.take(place);
        self.bytes_s -= flow.bytes_s;
    }

    /// Whether the copies, alone on their head, ask for what they asked for when their speed was last found.
    #[inline]
    pub(crate) fn asks_as_found(&self) -> bool {
        let Some(found) = self.found else { return false };
        found.copies == self.copies
            && found.head_milli_op_s.abs_diff(self.head_milli_op_s) <= found.head_milli_op_s / ALIKE
            && found.cluster_milli_op_s.abs_diff(self.cluster_milli_op_s) <= found.cluster_milli_op_s / ALIKE
    }

    /// Notes that the speed was found for what the copies ask for now, alone on their head.
    #[inline]
    pub(crate) fn found_alone(&mut self) {
        let Self { copies, head_milli_op_s, cluster_milli_op_s, .. } = *self;
        self.found = Some(Asked { copies, head_milli_op_s, cluster_milli_op_s });
    }

    /// From now on the copies progress at this share of their full speed, held by `limit`.
    #[inline]
    pub(crate) fn run(&mut self, now: Time, share: f64, limit: Limit) {
        if self.found_at != now.unix_micros() {
            (self.found_at, self.held_before) = (now.unix_micros(), self.limit);
        }
        (self.share, self.limit, self.found) = (share, limit, None);
        self.set_speed(now, Speed::from_share(share));
    }

    /// What has held the copies that end at `now`. Of several that end at one instant the last ones have few beside them: what
    /// would hold those from then on has held nobody.
    #[inline(always)]
    pub(crate) fn has_held(&self, now: Time) -> Limit {
        if self.found_at == now.unix_micros() { self.held_before } else { self.limit }
    }

    /// No copy is left: what slowed them went with them.
    #[inline]
    pub(crate) fn rest(&mut self) {
        (self.share, self.limit, self.found, self.speed) = (1.0, Limit::Own, None, Speed::FULL);
    }

    #[inline]
    fn set_speed(&mut self, now: Time, speed: Speed) {
        if speed != self.speed {
            self.advance(now);
            self.speed = speed;
        }
    }

    /// The first instant, in microseconds, at which a copy has ended; `NEVER` without copies, or while they stand still.
    #[inline(always)]
    pub(crate) fn due(&self) -> i64 {
        let Some(first) = self.marks.first() else { return NEVER };
        let left = (first.order() << SLOT_BITS).saturating_sub(self.clock);
        if left == 0 {
            return self.at;
        }
        if self.speed == Speed::FULL {
            return self.at + ((left - 1) >> FRACTION) as i64 + 1;
        }
        match self.speed {
            Speed(0) => NEVER,
            // Rounded up; what is left is more than nothing, and less than what the sum has room for.
            Speed(speed) => (self.at + ((left - 1) / u64::from(speed)) as i64 + 1).min(NEVER),
        }
    }

    #[inline(always)]
    fn advance(&mut self, now: Time) {
        let now = now.unix_micros();
        let elapsed = (now - self.at) as u64;
        self.at = now;
        // It passes the first mark by less than a microsecond's work: the copy ends then. Without marks it says nothing.
        self.clock = self.clock.wrapping_add(elapsed.wrapping_mul(u64::from(self.speed.0)));
        if self.clock > REBASE_ABOVE {
            self.rebase();
        }
    }

    #[cold]
    fn rebase(&mut self) {
        let Some(first) = self.marks.first() else {
            self.clock = 0;
            return;
        };
        // Not below the first mark: the clock may have passed it within the microsecond.
        let by = (self.clock.min(first.order() << SLOT_BITS) >> SLOT_BITS) << SLOT_BITS;
        self.clock -= by;
        self.marks.rebase(by);
    }
}

#[cfg(test)]
mod tests;
