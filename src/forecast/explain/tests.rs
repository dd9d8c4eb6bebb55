//! Scenarios built so that each cause binds in turn: the right one is named, and what does not bind is worth exactly nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::fleet::{HeadId, MailboxId};
use crate::forecast::testing::scenario as forecast_scenario;
use crate::migration::plan::{Go, Law, Level, Plan, Wave, WindowLimit, Windows};
use crate::scenario::Scenario;
use crate::scenario::curve::{CurvePoint, LatencyCurve};
use crate::scenario::model::{Hazard, LinkModel, Lognormal, Model, Stalls};
use crate::sim::testing::{AS_OF, quiet, scenario};
use crate::sim::{Workspace, simulate_in};
use crate::units::{Bytes, OpRate, Ops, Rate, Share, Span};

const HOUR: Span = Span::from_secs(3_600);
const DAY: Span = Span::from_secs(86_400);
const ALL: &str = "all emptied";

/// A quiet world of few mailboxes that takes a day or two, changed.
fn world(change: impl FnOnce(&mut Plan, &mut Model)) -> Scenario {
    let (mut plan, mut model) = quiet(600);
    model.population.size.sigma = 0.05;
    model.population.size.median = Bytes::new(10_000_000_000);
    model.load.step = HOUR;
    model.probe.every = Span::from_secs(600);
    model.probe.clusters_every = Span::from_secs(600);
    for head in &mut plan.heads {
        head.throttle.law = Law::Fixed { streams: 4 };
        head.throttle.every = Span::from_secs(600);
        head.throttle.sample_limit = HOUR;
    }
    for cluster in &mut plan.placement.clusters {
        cluster.rated = Bytes::new(20_000_000_000_000);
    }
    change(&mut plan, &mut model);
    let mut scenario = scenario(plan, model);
    scenario.horizon = AS_OF + DAY.times(40);
    scenario
}

fn curve(points: &[(f64, f64)]) -> LatencyCurve {
    let point =
        |(utilisation, response_ms): &(f64, f64)| CurvePoint { utilisation: *utilisation, response_ms: *response_ms };
    LatencyCurve::Points(points.iter().map(point).collect())
}

fn explained(
    scenario: &Scenario,
    uncertain: Vec<Vec<String>>,
    realise: &(dyn Fn(&Draw<'_>) -> Scenario + Sync),
) -> Explained {
    let stop = AtomicBool::new(false);
    let inputs = Inputs::<Workspace> { middle: scenario, uncertain, realise, simulate: &simulate_in };
    explain(&inputs, Some(&[]), 5, Watch { stop: &stop, progress: &|_, _| {} })
}

/// What is named: the cause that bound longest, and its limit that is worth most.
fn named(scenario: &Scenario) -> (Binding, Option<Limit>, Explained) {
    let found = explained(scenario, Vec::new(), &|_| unreachable!("nothing is uncertain"));
    let cause = found.leading().expect("something bound").0;
    let limit = found.best(ALL, Some(cause)).map(|(limit, _)| limit);
    (cause, limit, found)
}

fn verdict(found: &Explained, wanted: Limit) -> Verdict {
    let (_, one) =
        found.worth(ALL).find(|(limit, _)| *limit == wanted).unwrap_or_else(|| panic!("{wanted:?} is no limit"));
    assert_eq!(one.verdict == Verdict::Same, one.shift.is_some_and(|shift| shift.is_exactly_none()), "{wanted:?}");
    one.verdict
}

#[test]
fn copies_at_their_own_speed_want_more_streams_or_faster_ones() {
    let scenario = world(|plan, model| {
        plan.heads[0].throttle.rate = Rate::per_second(10_000_000_000);
        model.clusters[0].ingest = Rate::per_second(10_000_000_000);
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::Mover, Some(Limit::Streams)), "{:?}", found.all.causes());
    assert_eq!(verdict(&found, Limit::Stream), Verdict::Less);
    // 4 streams of 20 MB/s: one more of each is worth a fifth and a twenty-first of the time.
    let days = |wanted: Limit| found.worth(ALL).find(|(limit, _)| *limit == wanted).unwrap().1.shift.unwrap().days;
    let turn = found.all.turn_days();
    assert!((days(Limit::Streams) / turn + 0.2).abs() < 0.01, "{} of {turn}", days(Limit::Streams));
    assert!((days(Limit::Stream) / turn + 1.0 / 21.0).abs() < 0.01, "{} of {turn}", days(Limit::Stream));
    for ample in [Limit::Pace, Limit::Ingest(0), Limit::Capacity(0), Limit::Threshold(0), Limit::Threshold(2)] {
        assert_eq!(verdict(&found, ample), Verdict::Same, "{ample:?}");
    }
}

#[test]
fn switches_that_come_one_after_the_other_want_another_at_once() {
    let scenario = world(|plan, model| {
        plan.copy.switches = 1;
        model.cost.switch = Span::from_secs(600);
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::Mover, Some(Limit::Switches)), "{:?}", found.all.causes());
    let worth = found.worth(ALL).find(|(limit, _)| *limit == Limit::Switches).unwrap().1.shift.unwrap().days;
    assert!((worth / found.all.turn_days() + 0.5).abs() < 0.05, "two at once take half as long: {worth}");
    // Sixteen at once are more than there are copies.
    let (_, _, found) = named(&world(|_, _| {}));
    assert_eq!(verdict(&found, Limit::Switches), Verdict::Same);
}

#[test]
fn streams_that_a_busy_head_slows_want_more_of_them() {
    let scenario = world(|_, model| {
        model.population.activity = OpRate::per_second(10.0);
        model.cost.head_per_message = Ops::new(18.0);
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::StreamCap, Some(Limit::Streams)), "{:?}", found.all.causes());
}

#[test]
fn a_head_that_is_as_busy_as_it_may_be_wants_capacity_or_another_target() {
    let scenario = world(|plan, model| {
        model.population.activity = OpRate::per_second(10.0);
        model.cost.head_per_message = Ops::new(30.0);
        for head in &mut plan.heads {
            head.throttle.law = Law::Aimd {
                target: Level::Utilisation(Share::from_ppm(600_000)),
                start: 2,
                hysteresis: Share::from_ppm(950_000),
            };
        }
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!(cause, Binding::Throttle, "{:?}", found.all.causes());
    // At its busiest the law is as low as it may go: then its floor is what a unit more is worth most of.
    assert!(matches!(limit, Some(Limit::Target | Limit::Capacity(_) | Limit::Floor)), "{limit:?}");
    assert_eq!(verdict(&found, Limit::Target), Verdict::Less);
    assert_eq!(verdict(&found, Limit::Streams), Verdict::Same, "the law never goes up to 64");
}

#[test]
fn streams_that_a_busy_cluster_slows_want_its_capacity_and_not_the_heads() {
    let scenario = world(|_, model| {
        model.cost.cluster_per_message = Ops::new(5.0);
        model.load.step = Span::from_secs(600);
        for cluster in &mut model.clusters {
            cluster.capacity = OpRate::per_second(3_000.0);
            cluster.latency = curve(&[(0.5, 1.0), (1.0, 1.1)]);
        }
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::StreamCap, Some(Limit::ClusterCapacity(0))), "{:?}", found.all.causes());
    // It is as busy as it can be: what is done in a day is what it serves.
    let days = found.best(ALL, None).unwrap().1.shift.unwrap().days;
    assert!((days / found.all.turn_days() + 0.01).abs() < 0.003, "{days} of {}", found.all.turn_days());
    for ample in [Limit::Capacity(0), Limit::ClusterCapacity(2)] {
        assert_eq!(verdict(&found, ample), Verdict::Same, "{ample:?}");
    }
}

#[test]
fn copies_that_wait_for_an_idle_head_between_their_own_messages_want_faster_ones() {
    let scenario = world(|plan, model| {
        plan.copy.messages_per_ks = 40_000;
        model.population.message_mean = Bytes::new(200_000);
        model.population.activity = OpRate::per_second(1.0);
        model.cost.head_per_message = Ops::new(6.0);
        model.heads.iter_mut().for_each(|head| head.latency = curve(&[(0.001, 1.0), (0.002, 3.0), (1.0, 3.001)]));
    });
    let (cause, _, found) = named(&scenario);
    assert_eq!(cause, Binding::StreamCap, "{:?}", found.all.causes());
    let mut against_it = found.worth(ALL).filter(|(limit, _)| limit.causes().contains(&cause));
    assert!(against_it.any(|(limit, one)| limit == Limit::Messages && one.verdict == Verdict::Less));
}

#[test]
fn clusters_whose_intake_stalls_want_shorter_stalls() {
    let scenario = world(|_, model| {
        let lasts = Lognormal { median_s: 7_200.0, sigma: 0.3 };
        model.load.step = Span::from_secs(600);
        model.clusters[0].ingest = Rate::per_second(10_000_000_000);
        model.clusters[0].stalls = Some(Stalls { per_day: 20.0, lasts, ingest: Share::ZERO });
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::Ingest, Some(Limit::Stalls)), "{:?}", found.all.causes());
    assert_eq!(verdict(&found, Limit::Ingest(0)), Verdict::Same, "nothing of it is left in a stall");
}

#[test]
fn clusters_that_take_in_little_are_named() {
    let scenario = world(|_, model| {
        for cluster in &mut model.clusters {
            cluster.ingest = Rate::per_second(30_000_000);
        }
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::Ingest, Some(Limit::Ingest(0))), "{:?}", found.all.causes());
    assert_eq!(verdict(&found, Limit::Ingest(2)), Verdict::Same);
    assert_ne!(verdict(&found, Limit::Streams), Verdict::Less, "more streams share the same 30 MB/s");
}

#[test]
fn a_narrow_link_is_told_from_a_narrow_pace() {
    let link = |rate| LinkModel {
        name: "uplink".into(),
        heads: vec![HeadId(0), HeadId(1)],
        clusters: Vec::new(),
        left: vec![(AS_OF, Rate::per_second(rate))],
    };
    let of_link = world(|_, model| model.links = vec![link(30_000_000)]);
    let (cause, limit, found) = named(&of_link);
    assert_eq!((cause, limit), (Binding::Link, Some(Limit::Link(0))), "{:?}", found.all.causes());
    let of_pace = world(|plan, model| {
        model.links = vec![link(30_000_000_000)];
        plan.heads.iter_mut().for_each(|head| head.throttle.rate = Rate::per_second(30_000_000));
    });
    let (cause, limit, found) = named(&of_pace);
    assert_eq!((cause, limit), (Binding::Link, Some(Limit::Pace)), "{:?}", found.all.causes());
    assert_eq!(verdict(&found, Limit::Link(0)), Verdict::Same);
}

#[test]
fn closed_windows_are_named() {
    let scenario = world(|plan, _| {
        let closed = WindowLimit { streams: 0, ..WindowLimit::OPEN };
        let changes = (0..40).flat_map(|day: i64| {
            let at = |hour: i64| AS_OF + HOUR.times(day * 24 + hour);
            [(at(0), closed), (at(16), WindowLimit::OPEN)]
        });
        let windows = Windows { changes: changes.collect(), end: None };
        plan.heads.iter_mut().for_each(|head| head.windows = windows.clone());
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::Window, Some(Limit::WindowHours)), "{:?}", found.all.causes());
}

#[test]
fn windows_that_let_few_bytes_through_want_more_of_them() {
    let scenario = world(|plan, _| {
        let slow = WindowLimit { rate: Rate::per_second(30_000_000), ..WindowLimit::OPEN };
        let windows = Windows { changes: vec![(AS_OF, slow)], end: None };
        plan.heads.iter_mut().for_each(|head| head.windows = windows.clone());
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::Window, Some(Limit::WindowRate)), "{:?}", found.all.causes());
}

#[test]
fn too_low_a_threshold_is_told_from_hardware_that_comes_late() {
    // All mailboxes come to 6.01 TB: a point short of what fits, and nothing else to go to.
    let full = world(|plan, model| {
        plan.placement.clusters.truncate(1);
        model.clusters.truncate(1);
        plan.placement.clusters[0].full_at = Share::from_ppm(296_000);
    });
    let (cause, limit, found) = named(&full);
    assert_eq!((cause, limit), (Binding::NoRoom, Some(Limit::Threshold(0))), "{:?}", found.all.causes());
    assert_eq!(found.unfinished, [(Binding::NoRoom, 5)]);
    let late = world(|plan, model| {
        plan.placement.clusters[0].full_at = Share::from_ppm(150_000);
        model.clusters[1].in_service = AS_OF + DAY.times(12);
        model.clusters[2].in_service = AS_OF + DAY.times(30);
    });
    let (cause, limit, found) = named(&late);
    assert_eq!(limit, Some(Limit::InService(1)), "{cause:?} {:?}", found.all.causes());
    assert!(matches!(cause, Binding::NoRoom | Binding::Outage), "{cause:?}");
    assert_eq!(verdict(&found, Limit::InService(2)), Verdict::Same, "the second one has room for all");
}

#[test]
fn a_soak_is_told_from_an_operator_who_lets_wait() {
    let waves = |go, soak| vec![Wave { share: Share::from_ppm(100_000), soak, go }];
    let soaks = world(|plan, _| plan.order.waves = waves(Go::Automatic, DAY.times(5)));
    let (cause, limit, found) = named(&soaks);
    assert_eq!((cause, limit), (Binding::Paused, Some(Limit::Soak)), "{:?}", found.all.causes());
    let days = found.best(ALL, None).unwrap().1.shift.unwrap().days;
    assert!(days < -1.0 / 24.0 + 0.01, "{days}");
    let waits = world(|plan, model| {
        plan.order.waves = waves(Go::Operator, Span::ZERO);
        model.operator_after = DAY.times(5);
    });
    let (cause, limit, found) = named(&waits);
    assert_eq!((cause, limit), (Binding::Paused, Some(Limit::Operator)), "{:?}", found.all.causes());
}

#[test]
fn a_date_set_by_hand_is_told_from_a_wait_after_failures() {
    let by_hand = world(|plan, _| plan.order.scheduled = vec![(MailboxId(0), AS_OF + DAY.times(20))]);
    let (cause, limit, found) = named(&by_hand);
    assert_eq!((cause, limit), (Binding::Tail, Some(Limit::Scheduled)), "{:?}", found.all.causes());
    let days = found.best(ALL, None).unwrap().1.shift.unwrap().days;
    assert!((days + 1.0).abs() < 0.01, "a day earlier is a day: {days}");
    let fails = world(|plan, model| {
        model.faults.transient = 0.05;
        plan.attempts.backoff = DAY.times(5);
        plan.attempts.backoff_cap = DAY.times(5);
    });
    let (cause, limit, found) = named(&fails);
    assert_eq!((cause, limit), (Binding::Tail, Some(Limit::Backoff)), "{:?}", found.all.causes());
}

#[test]
fn whoever_is_set_aside_is_told_of_and_holds_no_date_back() {
    let scenario = world(|_, model| {
        model.faults.permanent = 0.05;
        model.resolves_after = Some(Lognormal { median_s: 8.0 * 86_400.0, sigma: 0.0 });
    });
    let (_, _, found) = named(&scenario);
    assert_eq!(verdict(&found, Limit::Person), Verdict::Same);
    let left = world(|_, model| model.faults.permanent = 0.05);
    let (cause, _, found) = named(&left);
    assert!((10.0..60.0).contains(&found.set_aside), "{}", found.set_aside);
    assert_eq!(cause, Binding::Mover);
}

#[test]
fn heads_that_are_often_out_are_named() {
    let scenario = world(|_, model| {
        let repair = Lognormal { median_s: 20.0 * 3_600.0, sigma: 0.1 };
        for head in &mut model.heads {
            head.outages = Some(Hazard { per_day: 2.0, at_utilisation: 0.5, growth: 0.0, repair });
        }
    });
    let (cause, limit, found) = named(&scenario);
    assert_eq!((cause, limit), (Binding::Outage, Some(Limit::Repair)), "{:?}", found.all.causes());
}

#[test]
fn an_uncertain_input_swings_the_date_and_one_that_binds_nothing_does_not() {
    let middle = world(|_, _| {});
    let realise = |draw: &Draw<'_>| {
        let mut drawn = middle.clone();
        Arc::make_mut(&mut drawn.plan).copy.stream = Rate::per_second(15_000_000 + (draw("speed") * 1e7) as u64);
        Arc::make_mut(&mut drawn.model).clusters[2].ingest =
            Rate::per_second(1_000_000 + (draw("ingest") * 1e6) as u64);
        drawn
    };
    let found = explained(&middle, vec![vec!["speed".into()], vec!["ingest".into()]], &realise);
    let shift = |place: usize| found.swings.variants[place].milestone(ALL).unwrap();
    assert_eq!(found.swings.variants.len(), 4);
    let (slow, fast) = (shift(0).shift.unwrap().days, shift(1).shift.unwrap().days);
    assert!(slow > 0.0 && fast < 0.0, "{slow} {fast}");
    assert_eq!([shift(2).verdict, shift(3).verdict], [Verdict::Same; 2], "nothing gets as far as the third cluster");
    // The limits are raised in each drawn scenario: what is uncertain stays so.
    assert_eq!(verdict(&found, Limit::Streams), Verdict::Less);
}

#[test]
fn a_varied_number_is_held_at_its_ends_and_the_scenario_keeps_the_files() {
    let middle = world(|_, _| {});
    let with_speed = |megabytes: f64| {
        let mut drawn = middle.clone();
        Arc::make_mut(&mut drawn.plan).copy.stream = Rate::per_second((megabytes * 1e6) as u64);
        drawn
    };
    let of_file = |draw: &Draw<'_>| with_speed(19.0 + 2.0 * draw("speed"));
    let varied = [Varied { key: "speed".into(), realise: &|draw| with_speed(10.0 + 30.0 * draw("speed")) }];
    let stop = AtomicBool::new(false);
    let found = |uncertain: Vec<Vec<String>>, realise: &(dyn Fn(&Draw<'_>) -> Scenario + Sync), held| {
        let inputs = Inputs::<Workspace> { middle: &middle, uncertain, realise, simulate: &simulate_in };
        let found = explain(&inputs, held, 5, Watch { stop: &stop, progress: &|_, _| {} });
        let many = 1 + found.limits.len() + found.swings.variants.len();
        assert_eq!(cases(&inputs, held) as usize, many);
        found
    };
    let keys = || vec![vec!["speed".to_owned()]];
    let of_exact = found(Vec::new(), &|_| middle.clone(), Some(&varied));
    let of_range = found(keys(), &of_file, Some(&varied));
    for found in [&of_exact, &of_range] {
        assert_eq!(found.inputs, [HeldInput { keys: vec!["speed".into()], levels: [0.0, 1.0] }]);
        let days = |place: usize| found.swings.variants[place].milestone(ALL).unwrap().shift.unwrap().days;
        let turn = found.all.turn_days();
        // From 20 MB/s to 10 takes as long again, to 40 half as long.
        assert!((days(0) / turn - 1.0).abs() < 0.03 && (days(1) / turn + 0.5).abs() < 0.03, "{} {}", days(0), days(1));
    }
    let turn = |found: &Explained| found.all.turn_days();
    assert!((turn(&of_exact) / turn(&of_range) - 1.0).abs() < 0.05, "the scenario itself is that of the file");
    let none = found(keys(), &of_file, None);
    assert!(none.inputs.is_empty() && none.swings.variants.is_empty() && !none.limits.is_empty());
}

#[test]
fn nothing_can_be_said_of_no_replications() {
    let scenario = forecast_scenario();
    let stop = AtomicBool::new(true);
    let inputs = Inputs::<()> {
        middle: &scenario,
        uncertain: Vec::new(),
        realise: &|_| unreachable!("nothing is uncertain"),
        simulate: &|_, _, ()| unreachable!("it was ended before it began"),
    };
    let found = explain(&inputs, None, 5, Watch { stop: &stop, progress: &|_, _| {} });
    assert!(found.interrupted && found.leading().is_none() && found.best(ALL, None).is_none());
}
