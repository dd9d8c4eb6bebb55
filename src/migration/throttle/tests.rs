//! The laws, step by step.

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

/// A sample of one store alone.
fn seen(measured_at: Time, micros: u32) -> [Sample; 1] {
    [Sample { measured_at, ..latency(micros) }]
}

impl Throttle {
    /// Tells it of the last samples of all stores.
    fn told<const N: usize>(&mut self, plan: &ThrottlePlan, now: Time, stores: [Sample; N], used: bool) -> Guard {
        let worst = stores.into_iter().reduce(Sample::worst).expect("a sample");
        let measured_above = |level| stores.iter().filter(move |sample| sample.above(level)).map(|one| one.measured_at);
        self.sampled(plan, now, worst, |level| measured_above(level).max().expect("the worst is above"), used)
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
        throttle.told(&plan, minute(at as i64), seen(minute(at as i64), micros), true);
        paces.push(throttle.streams());
    }
    assert_eq!(paces, [9, 10, 10, 10, 5, 2, 1, 1]);
}

/// What each minute's sample of a quiet head, with that of a cluster which is sampled once in three, leads to: of the six
/// samples the cluster's first one is above everything, and the second as the caller says.
fn beside_a_cluster(plan: &ThrottlePlan, second_micros: u32) -> Vec<(u16, Guard)> {
    let full = |sample: Sample| Sample {
        utilisation: Share::from_ppm(u32::from(sample.latency.micros() > 1_000) * 990_000),
        ..sample
    };
    let mut throttle = Throttle::new(plan, minute(0));
    let step = |at| {
        let cluster = if at < 3 {
            Sample { measured_at: minute(0), ..latency(9_000) }
        } else {
            Sample { measured_at: minute(3), ..latency(second_micros) }
        };
        let head = Sample { measured_at: minute(at), ..latency(1_000) };
        let guard = throttle.told(plan, minute(at), [full(head), full(cluster)], true);
        (throttle.streams(), guard)
    };
    (0..6).map(step).collect()
}

#[test]
fn aimd_halves_once_for_a_sample_however_many_of_other_stores_come_before_the_next() {
    let levels = [Level::Latency(Latency::from_micros(4_000)), Level::Utilisation(Share::from_ppm(800_000))];
    for target in levels {
        let plan = plan(Law::Aimd { target, start: 40, hysteresis: Share::ONE });
        let paces = |second| beside_a_cluster(&plan, second).into_iter().map(|(pace, _)| pace).collect::<Vec<_>>();
        assert_eq!(paces(9_000), [20, 20, 20, 10, 10, 10], "{target:?}");
        assert_eq!(paces(1_000), [20, 20, 20, 21, 22, 23], "{target:?}");
    }
}

#[test]
fn a_sample_that_is_seen_twice_is_one_look_above_the_limit() {
    let levels = [Level::Latency(Latency::from_micros(4_000)), Level::Utilisation(Share::from_ppm(800_000))];
    for limit in levels {
        for pause_above in [None, Some(limit)] {
            let plan = ThrottlePlan { pause_above, abort_above: Some(limit), ..plan(Law::Fixed { streams: 8 }) };
            let looks = |second| {
                beside_a_cluster(&plan, second).into_iter().map(|(_, guard)| guard == Guard::Abort).collect::<Vec<_>>()
            };
            assert_eq!(looks(9_000), [false, false, false, true, false, false], "{limit:?}");
            assert_eq!(looks(1_000), [false; 6], "{limit:?}");
        }
    }
}

#[test]
fn samples_from_before_the_pause_say_nothing_of_whether_it_has_helped() {
    let limit = |micros| Some(Level::Latency(Latency::from_micros(micros)));
    let plan = ThrottlePlan { pause_above: limit(4_000), abort_above: limit(6_000), ..aimd() };
    let at = |seconds| Time::default() + Span::from_secs(seconds);
    let told = |throttle: &mut Throttle, seconds, measured_at, micros| {
        throttle.told(&plan, at(seconds), seen(at(measured_at), micros), true)
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
        throttle.told(&plan, minute(0) + Span::from_secs(second), seen(minute(0), 1_000), true);
    }
    assert_eq!(throttle.streams(), 9);
}

#[test]
fn samples_that_jitter_around_the_beat_are_not_skipped_every_other_time() {
    let plan = aimd();
    let mut throttle = Throttle::new(&plan, minute(0));
    for beat in 0..20 {
        let early = Span::from_micros(if beat % 2 == 0 { 0 } else { 100_000 });
        throttle.told(&plan, minute(beat) - early, seen(minute(beat), 1_000), true);
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
            throttle.told(&plan, minute(at), seen(minute(at), 1_000), false);
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
        throttle.told(&plan, minute(at as i64), seen(minute(at as i64), micros), true);
        paused.push(throttle.streams() == 0);
    }
    assert_eq!(paused, [false, true, true, true, false]);
}

#[test]
fn copies_are_abandoned_at_the_second_look_above_the_limit_not_at_the_first() {
    let mut plan = aimd();
    plan.abort_above = Some(Level::Utilisation(Share::from_ppm(400_000)));
    let mut throttle = Throttle::new(&plan, minute(0));
    assert_eq!(throttle.told(&plan, minute(0), seen(minute(0), 1), true), Guard::Clear);
    assert_eq!(throttle.told(&plan, minute(1), seen(minute(1), 1), true), Guard::Abort);
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
    let mut shown = 0;
    for at in 0..3 {
        shown = 5_800 + 141 * throttle.pace_milli / MILLI;
        throttle.told(&plan, minute(at), seen(Time::default(), shown), true);
    }
    assert!(shown.abs_diff(9_000) <= 1, "{shown}");
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
    throttle.told(&plan, minute(1), seen(minute(1), store(1).latency.micros()), true);
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
            let sample = seen(minute(at - age), store(paces[measured as usize]).latency.micros());
            throttle.told(&plan, minute(at), sample, true);
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
