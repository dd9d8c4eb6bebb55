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

    fn above(&self, level: Level) -> bool {
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
    paused: bool,
    /// When the guard's pause began.
    paused_at: Time,
    looks_above_abort: u8,
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
            paused: false,
            paused_at: Time::LONG_AGO,
            looks_above_abort: 0,
        }
    }

    /// Streams that the law and its guard allow.
    pub(super) fn streams(&self) -> u16 {
        if self.paused { 0 } else { (self.pace_milli / MILLI) as u16 }
    }

    /// Takes in a new sample. `used` says whether this throttle's own pace was what held the copies back since the last
    /// decision: a pace that nothing uses does not rise, or it would have wound up when a window ends.
    pub(super) fn sampled(&mut self, plan: &ThrottlePlan, now: Time, worst: Sample, used: bool) -> Guard {
        self.guard(plan, now, worst);
        // At less than one stream nothing could ever use the pace, and old copies would wait for their purge for ever.
        let used = used || self.pace_milli < MILLI;
        let early = Span::from_micros(plan.every.micros() / EARLY);
        if now + early >= self.next_decision && self.may_decide(&plan.law, worst) {
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

    /// Whether the sample shows what the law has to know. The integral law corrects the state that it sees by the whole
    /// distance: to correct it again before the correction can be seen would swing the further the older samples are. The
    /// others take steps of their own size, or none that depends on the pace.
    fn may_decide(&self, law: &Law, worst: Sample) -> bool {
        match law {
            Law::Integral { .. } => worst.measured_at > self.changed_at,
            Law::Fixed { .. } | Law::Steps { .. } | Law::Aimd { .. } => true,
        }
    }

    fn guard(&mut self, plan: &ThrottlePlan, now: Time, worst: Sample) {
        let was_paused = self.paused;
        if let Some(limit) = plan.pause_above {
            let value = worst.in_terms_of(limit);
            self.paused = value > number(limit) || (self.paused && value > part(number(limit), RESUME_AT));
            if self.paused && !was_paused {
                self.paused_at = now;
            }
        }
        // What was measured before the pause says nothing of whether the pause has helped.
        if was_paused && worst.measured_at <= self.paused_at {
            return;
        }
        let above_abort = plan.abort_above.is_some_and(|limit| worst.above(limit));
        self.looks_above_abort = if above_abort { self.looks_above_abort + 1 } else { 0 };
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
mod tests {
    use super::*;
    use crate::units::Rate;

    fn plan(law: Law) -> ThrottlePlan {
        ThrottlePlan {
            law,
            min: 1,
            max: 48,
            rate: Rate::UNLIMITED,
            every: Span::from_secs(60),
            sample_limit: Span::from_secs(180),
            pause_above: None,
            abort_above: None,
        }
    }

    fn aimd() -> ThrottlePlan {
        plan(Law::Aimd {
            target: Level::Latency(Latency::from_micros(4_000)),
            start: 8,
            hysteresis: Share::from_ppm(900_000),
        })
    }

    fn latency(micros: u32) -> Sample {
        Sample {
            measured_at: Time::default(),
            utilisation: Share::from_ppm(500_000),
            latency: Latency::from_micros(micros),
        }
    }

    fn minute(minutes: i64) -> Time {
        Time::default() + Span::from_secs(60 * minutes)
    }

    #[test]
    fn aimd_adds_one_below_halves_above_and_holds_between() {
        let plan = aimd();
        let mut throttle = Throttle::new(&plan, minute(0));
        let mut paces = Vec::new();
        for (at, micros) in [3_000, 3_000, 3_700, 4_000, 4_001, 4_001, 4_001, 4_001].into_iter().enumerate() {
            throttle.sampled(&plan, minute(at as i64), latency(micros), true);
            paces.push(throttle.streams());
        }
        assert_eq!(paces, [9, 10, 10, 10, 5, 2, 1, 1]);
    }

    #[test]
    fn samples_from_before_the_pause_say_nothing_of_whether_it_has_helped() {
        let limit = |micros| Some(Level::Latency(Latency::from_micros(micros)));
        let plan = ThrottlePlan { pause_above: limit(4_000), abort_above: limit(6_000), ..aimd() };
        let at = |seconds| Time::default() + Span::from_secs(seconds);
        let told = |throttle: &mut Throttle, seconds, measured_at, micros| {
            let sample = Sample { measured_at: at(measured_at), ..latency(micros) };
            throttle.sampled(&plan, at(seconds), sample, true)
        };
        // Ninety seconds old when they come: two more from before the pause are on their way.
        let mut throttle = Throttle::new(&plan, at(0));
        assert_eq!(told(&mut throttle, 90, 0, 7_000), Guard::Clear);
        assert_eq!(throttle.streams(), 0, "paused");
        assert_eq!(told(&mut throttle, 150, 60, 7_000), Guard::Clear, "from before the pause");
        assert_eq!(told(&mut throttle, 180, 90, 7_000), Guard::Clear, "of its very instant");
        // The pause has not helped: one look more, the second in a row.
        assert_eq!(told(&mut throttle, 210, 120, 7_000), Guard::Abort);
        // It has helped.
        let mut throttle = Throttle::new(&plan, at(0));
        told(&mut throttle, 90, 0, 7_000);
        told(&mut throttle, 150, 60, 7_000);
        assert_eq!(told(&mut throttle, 210, 120, 5_000), Guard::Clear);
        assert_eq!(told(&mut throttle, 270, 180, 7_000), Guard::Clear, "not in a row");
    }

    #[test]
    fn a_law_decides_once_in_its_interval_however_many_samples_come() {
        let plan = aimd();
        let mut throttle = Throttle::new(&plan, minute(0));
        for second in 0..=59 {
            throttle.sampled(&plan, minute(0) + Span::from_secs(second), latency(1_000), true);
        }
        assert_eq!(throttle.streams(), 9);
    }

    #[test]
    fn samples_that_jitter_around_the_beat_are_not_skipped_every_other_time() {
        let plan = aimd();
        let mut throttle = Throttle::new(&plan, minute(0));
        for beat in 0..20 {
            let early = Span::from_micros(if beat % 2 == 0 { 0 } else { 100_000 });
            throttle.sampled(&plan, minute(beat) - early, latency(1_000), true);
        }
        assert!(throttle.streams() >= 8 + 18, "{}", throttle.streams());
    }

    #[test]
    fn a_pace_that_nothing_uses_does_not_wind_up() {
        let integral = Law::Integral {
            contract: Latency::from_micros(4_000),
            aim: Share::from_ppm(900_000),
            start: 8,
            gain: Share::from_ppm(500_000),
            slope: vec![(Latency::from_micros(1_000), Latency::from_micros(100))],
        };
        for plan in [aimd(), plan(integral)] {
            let mut throttle = Throttle::new(&plan, minute(0));
            for at in 0..100 {
                throttle.sampled(&plan, minute(at), latency(1_000), false);
            }
            assert_eq!(throttle.streams(), 8, "{:?}", plan.law);
        }
    }

    #[test]
    fn the_guard_pauses_above_its_limit_and_goes_on_only_well_below() {
        let mut plan = aimd();
        plan.pause_above = Some(Level::Latency(Latency::from_micros(8_000)));
        let mut throttle = Throttle::new(&plan, minute(0));
        let mut paused = Vec::new();
        for (at, micros) in [8_000, 8_001, 7_900, 7_201, 7_200].into_iter().enumerate() {
            throttle.sampled(&plan, minute(at as i64), latency(micros), true);
            paused.push(throttle.streams() == 0);
        }
        assert_eq!(paused, [false, true, true, true, false]);
    }

    #[test]
    fn copies_are_abandoned_at_the_second_look_above_the_limit_not_at_the_first() {
        let mut plan = aimd();
        plan.abort_above = Some(Level::Utilisation(Share::from_ppm(400_000)));
        let mut throttle = Throttle::new(&plan, minute(0));
        assert_eq!(throttle.sampled(&plan, minute(0), latency(1), true), Guard::Clear);
        assert_eq!(throttle.sampled(&plan, minute(1), latency(1), true), Guard::Abort);
    }

    #[test]
    fn steps_take_the_last_one_reached_and_interpolate_between_when_asked() {
        let level = |percent: u32| Level::Utilisation(Share::from_ppm(percent * 10_000));
        let table = vec![(level(20), 40), (level(60), 20), (level(80), 0)];
        let at = |percent: u32, interpolate| {
            let sample = Sample { utilisation: Share::from_ppm(percent * 10_000), ..latency(0) };
            step(&table, interpolate, sample) / MILLI
        };
        assert_eq!([at(10, false), at(20, false), at(59, false), at(60, false), at(99, false)], [40, 40, 40, 20, 0]);
        assert_eq!([at(10, true), at(40, true), at(41, true), at(70, true), at(99, true)], [40, 30, 29, 10, 0]);
    }

    #[test]
    fn the_integral_law_settles_on_its_aim_in_one_step_at_a_relative_gain_of_one() {
        let law = Law::Integral {
            contract: Latency::from_micros(10_000),
            aim: Share::from_ppm(900_000),
            start: 1,
            gain: Share::ONE,
            slope: vec![(Latency::from_micros(0), Latency::from_micros(141))],
        };
        let plan = plan(law);
        let mut throttle = Throttle::new(&plan, minute(0));
        // The plant of Aqueduct's first store, its unit taken as a tenth of a stream: latency = 5.80 ms + 0.141 ms x streams.
        let mut seen = 0;
        for at in 0..3 {
            seen = 5_800 + 141 * throttle.pace_milli / MILLI;
            throttle.sampled(&plan, minute(at), latency(seen), true);
        }
        assert!(seen.abs_diff(9_000) <= 1, "{seen}");
    }

    /// A store with the latency `1 / (1 - u)` milliseconds, of which a stream takes a hundredth, and its integral law.
    fn knee(gain: Share) -> (ThrottlePlan, impl Fn(u16) -> Sample) {
        let latency_us = |hundredths: u32| 100_000 / (100 - hundredths.min(99));
        let row = |hundredths: u32| {
            let room = 100 - hundredths;
            (Latency::from_micros(latency_us(hundredths)), Latency::from_micros(100_000 / (room * room)))
        };
        let slope = (0..19).map(|row| 5 * row).map(row).collect();
        let contract = Latency::from_micros(latency_us(80));
        let law = Law::Integral { contract, aim: Share::ONE, start: 1, gain, slope };
        let plan = ThrottlePlan { max: 400, ..plan(law) };
        (plan, move |streams: u16| latency(latency_us(u32::from(streams))))
    }

    #[test]
    fn the_integral_law_does_not_overshoot_a_knee_that_it_comes_to_from_far_below() {
        let (plan, store) = knee(Share::ONE);
        let mut throttle = Throttle::new(&plan, minute(0));
        throttle.sampled(&plan, minute(1), Sample { measured_at: minute(1), ..store(1) }, true);
        // By the slope at the start it would have been 391 streams.
        assert!((77..=84).contains(&throttle.streams()), "{}", throttle.streams());
    }

    #[test]
    fn the_integral_law_does_not_correct_twice_what_it_has_seen_once() {
        let (plan, store) = knee(Share::from_ppm(500_000));
        for age in [0, 1, 3, 8] {
            let mut throttle = Throttle::new(&plan, minute(0));
            let mut paces = vec![throttle.streams()];
            for at in 0..100 {
                // The pace decided on at an instant shows in samples measured after it.
                let measured = (at - age).max(0);
                let sample = Sample { measured_at: minute(at - age), ..store(paces[measured as usize]) };
                throttle.sampled(&plan, minute(at), sample, true);
                paces.push(throttle.streams());
            }
            assert!(paces.iter().all(|pace| *pace <= 81), "{age} periods old: {paces:?}");
            assert!(paces[90..].iter().all(|pace| (77..=81).contains(pace)), "{age} periods old: {paces:?}");
        }
    }

    #[test]
    fn the_worst_sample_is_as_old_as_the_one_whose_latency_governs() {
        let (old, new) = (latency(3_000), Sample { measured_at: minute(5), ..latency(2_000) });
        assert_eq!(old.worst(new).measured_at, old.measured_at);
        assert_eq!(new.worst(old).measured_at, old.measured_at);
        assert_eq!(new.worst(latency(1_000)).measured_at, new.measured_at);
    }
}
