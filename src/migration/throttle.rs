//! How fast: the laws that turn samples into a pace, and the guards above them.
//!
//! A law decides on new samples only, never twice on the same one, and at most once in the plan's interval. The integral
//! law waits for a sample of what its last change has led to. The worst of the stores that a move touches governs. Nothing
//! here knows of mailboxes.

use super::plan::{Law, Level, ThrottlePlan};
use crate::units::{Latency, Share, Span, Time};

/// The guard's pause ends at a sample that is not above this share of `pause_above`: no flutter around the limit.
const RESUME_AT: Share = Share::from_ppm(900_000);
/// Samples in a row above `abort_above` before copies are abandoned.
const ABORT_LOOKS: u8 = 2;
/// A decision may come this part of the interval before its beat: samples that come a little early are not skipped.
const EARLY: i64 = 64;
/// The pace is kept in thousandths of a stream: the integral law moves by less than one.
const MILLI: u32 = 1_000;

/// What a probe said of one store, or the worst of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) measured_at: Time,
    pub(super) utilisation: Share,
    pub(super) latency: Latency,
}

impl Sample {
    /// The worse of both, term by term; as old as the one whose latency it has.
    #[inline]
    pub(super) fn worst(self, other: Self) -> Self {
        let governs = (self.latency, self.measured_at) >= (other.latency, other.measured_at);
        Self {
            measured_at: if governs { self.measured_at } else { other.measured_at },
            utilisation: self.utilisation.max(other.utilisation),
            latency: self.latency.max(other.latency),
        }
    }

    /// The sample's number in the terms of `level`.
    fn in_terms_of(&self, level: Level) -> u32 {
        match level {
            Level::Utilisation(_) => self.utilisation.ppm(),
            Level::Latency(_) => self.latency.micros(),
        }
    }

    pub(super) fn above(&self, level: Level) -> bool {
        self.in_terms_of(level) > number(level)
    }
}

fn number(level: Level) -> u32 {
    match level {
        Level::Utilisation(share) => share.ppm(),
        Level::Latency(latency) => latency.micros(),
    }
}

fn part(number: u32, share: Share) -> u32 {
    Latency::from_micros(number).share(share).micros()
}

/// Whether copies go on after a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// They go on.
    Clear,
    /// They are to be abandoned.
    Abort,
}

/// The throttle of one head.
#[derive(Clone, Debug)]
pub(super) struct Throttle {
    pace_milli: u32,
    next_decision: Time,
    /// When a decision last changed the number of streams.
    changed_at: Time,
    /// When the newest sample above the target was measured on which the pace was halved.
    halved_on: Time,
    paused: bool,
    /// When the guard's pause began.
    paused_at: Time,
    looks_above_abort: u8,
    /// When the newest of the samples was measured that these looks were at.
    looked_at: Time,
}

impl Throttle {
    pub(super) fn new(plan: &ThrottlePlan, now: Time) -> Self {
        let start = match plan.law {
            Law::Fixed { streams } => streams,
            Law::Steps { .. } => plan.min,
            Law::Aimd { start, .. } | Law::Integral { start, .. } => start.clamp(plan.min, plan.max),
        };
        Self {
            pace_milli: u32::from(start) * MILLI,
            next_decision: now,
            changed_at: Time::LONG_AGO,
            halved_on: Time::LONG_AGO,
            paused: false,
            paused_at: Time::LONG_AGO,
            looks_above_abort: 0,
            looked_at: Time::LONG_AGO,
        }
    }

    /// Streams that the law and its guard allow.
    pub(super) fn streams(&self) -> u16 {
        if self.paused { 0 } else { (self.pace_milli / MILLI) as u16 }
    }

    /// Takes in a new sample. `newest_above` says when the newest sample above a level was measured that the worst is taken
    /// of. `used` says whether this throttle's own pace was what held the copies back since the last decision: a pace that
    /// nothing uses does not rise, or it would have wound up when a window ends.
    pub(super) fn sampled(
        &mut self,
        plan: &ThrottlePlan,
        now: Time,
        worst: Sample,
        newest_above: impl Fn(Level) -> Time,
        used: bool,
    ) -> Guard {
        self.guard(plan, now, worst, &newest_above);
        // At less than one stream nothing could ever use the pace, and old copies would wait for their purge for ever.
        let used = used || self.pace_milli < MILLI;
        let early = Span::from_micros(plan.every.micros() / EARLY);
        if now + early >= self.next_decision && self.may_decide(&plan.law, worst, &newest_above) {
            let next = decide(plan, self.pace_milli, worst, used);
            if next / MILLI != self.pace_milli / MILLI {
                self.changed_at = now;
            }
            self.pace_milli = next;
            // On the plan's own beat, so that samples which jitter around it are not skipped every other time.
            let late = now.since(self.next_decision);
            let beats = if late < plan.every { 1 } else { late.micros() / plan.every.micros().max(1) + 1 };
            self.next_decision = self.next_decision + plan.every.times(beats);
        }
        if self.looks_above_abort >= ABORT_LOOKS {
            self.looks_above_abort = 0;
            return Guard::Abort;
        }
        Guard::Clear
    }

    /// Whether the samples show what the law has to know. The integral law corrects the state that it sees by the whole
    /// distance: to correct it again before the correction can be seen would swing the further the older samples are. The
    /// others take steps of their own size, or none that depends on the pace; but AIMD halves once for a sample, and not each
    /// time that another store's arrives before the next one of the store that is above the target.
    fn may_decide(&mut self, law: &Law, worst: Sample, newest_above: impl Fn(Level) -> Time) -> bool {
        match law {
            Law::Integral { .. } => worst.measured_at > self.changed_at,
            Law::Aimd { target, .. } if worst.above(*target) => {
                let newest = newest_above(*target);
                let is_new = newest > self.halved_on;
                self.halved_on = newest.max(self.halved_on);
                is_new
            }
            Law::Fixed { .. } | Law::Steps { .. } | Law::Aimd { .. } => true,
        }
    }

    fn guard(&mut self, plan: &ThrottlePlan, now: Time, worst: Sample, newest_above: impl Fn(Level) -> Time) {
        let was_paused = self.paused;
        if let Some(limit) = plan.pause_above {
            let value = worst.in_terms_of(limit);
            self.paused = value > number(limit) || (self.paused && value > part(number(limit), RESUME_AT));
            if self.paused && !was_paused {
                self.paused_at = now;
            }
        }
        let Some(measured_at) = plan.abort_above.filter(|level| worst.above(*level)).map(newest_above) else {
            self.looks_above_abort = 0;
            return;
        };
        // What was measured before the pause says nothing of whether the pause has helped; and a cluster's last sample is
        // the same one until its next.
        let is_old = was_paused && measured_at <= self.paused_at;
        if !is_old && measured_at > self.looked_at {
            (self.looks_above_abort, self.looked_at) = (self.looks_above_abort + 1, measured_at);
        }
    }
}

/// The law: the next pace, in thousandths of a stream, within the plan's bounds.
fn decide(plan: &ThrottlePlan, pace_milli: u32, worst: Sample, used: bool) -> u32 {
    let (floor, ceiling) = (u32::from(plan.min) * MILLI, u32::from(plan.max) * MILLI);
    let next = match &plan.law {
        Law::Fixed { streams } => return u32::from(*streams) * MILLI,
        Law::Steps { table, interpolate } => step(table, *interpolate, worst),
        Law::Aimd { target, hysteresis, .. } => {
            let value = worst.in_terms_of(*target);
            if value > number(*target) {
                pace_milli / 2
            } else if used && value < part(number(*target), *hysteresis) {
                pace_milli + MILLI
            } else {
                pace_milli
            }
        }
        Law::Integral { contract, aim, gain, slope, .. } => {
            let distance_milli = distance_milli(slope, worst.latency, contract.share(*aim));
            let change = i64::from(gain.ppm()).saturating_mul(distance_milli) / 1_000_000;
            let next = i64::from(pace_milli).saturating_add(if used { change } else { change.min(0) });
            next.clamp(i64::from(floor), i64::from(ceiling)) as u32
        }
    };
    next.clamp(floor, ceiling)
}

/// The pace of a table of steps, in thousandths of a stream; interpolated ones are whole streams too, rounded down.
fn step(table: &[(Level, u16)], interpolate: bool, worst: Sample) -> u32 {
    let Some(&(first, first_streams)) = table.first() else { return 0 };
    let value = worst.in_terms_of(first);
    let after = table.partition_point(|(level, _)| number(*level) <= value);
    if after == 0 {
        return u32::from(first_streams) * MILLI;
    }
    let (low, low_streams) = table[after - 1];
    let streams = match table.get(after) {
        Some(&(high, high_streams)) if interpolate => {
            let along = i64::from(value - number(low));
            let across = i64::from(number(high) - number(low)).max(1);
            i64::from(low_streams) + ((i64::from(high_streams) - i64::from(low_streams)) * along).div_euclid(across)
        }
        _ => i64::from(low_streams),
    };
    streams as u32 * MILLI
}

/// By how many thousandths of a stream the pace is away from the one that leads from one latency to another: the error
/// over the slope, row by row, since a curve that bends upwards is left far behind by its slope at the start. Between two
/// latencies the slope counts as the geometric mean of both ends', which is exact for a knee `s / (1 - u/c)`.
fn distance_milli(table: &[(Latency, Latency)], from: Latency, to: Latency) -> i64 {
    let (low, high) = (from.min(to), from.max(to));
    let first = table.partition_point(|(at, _)| *at <= low);
    let between = table[first..].iter().map(|(at, _)| *at).take_while(|at| *at < high);
    let (mut distance, mut reached) = (0, low);
    for next in between.chain([high]) {
        let slope = (slope_at(table, reached) * slope_at(table, next)).isqrt();
        distance += i64::from(MILLI) * i64::from(next.micros() - reached.micros()) / slope;
        reached = next;
    }
    if from <= to { distance } else { -distance }
}

/// What one more stream adds at this latency, in microseconds, at least one; straight lines between the table's rows.
fn slope_at(table: &[(Latency, Latency)], latency: Latency) -> i64 {
    let after = table.partition_point(|(at, _)| *at <= latency);
    let micros = |row: (Latency, Latency)| (i64::from(row.0.micros()), i64::from(row.1.micros()));
    let slope = match (table.get(after.wrapping_sub(1)).copied(), table.get(after).copied()) {
        (Some(low), Some(high)) => {
            let ((low_at, low_slope), (high_at, high_slope)) = (micros(low), micros(high));
            let along = i64::from(latency.micros()) - low_at;
            low_slope + (high_slope - low_slope) * along / (high_at - low_at).max(1)
        }
        (Some(only), None) | (None, Some(only)) => micros(only).1,
        (None, None) => 1,
    };
    slope.max(1)
}

#[cfg(test)]
mod tests;
