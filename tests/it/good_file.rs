//! One good file with the keys that the project's scenarios do not use: what each of them comes to.

use drawdown::fleet::{ClusterId, HeadId, MailboxId};
use drawdown::migration::message::Milestone;
use drawdown::migration::plan::{Go, Law, Level, Overlap, Placement, WindowLimit, Within};
use drawdown::scenario::curve::{CurvePoint, LatencyCurve};
use drawdown::scenario::{ReadSettings, Scenario, Source};
use drawdown::sim::{RunId, simulate};
use drawdown::units::{Bytes, Inodes, Rate, Share, Span, Time};

fn read() -> Scenario {
    let source = Source::from_text("every-key.toml", include_str!("every-key.toml"), &ReadSettings::default());
    source.unwrap_or_else(|problems| panic!("{problems}")).middle().clone()
}

const fn percent(percent: u32) -> Share {
    Share::from_ppm(percent * 10_000)
}

/// An instant in Berlin, by seconds after 2026-03-27 11:00 UTC.
fn at(seconds: i64) -> Time {
    Time::from_unix_micros(1_774_609_200_000_000) + Span::from_secs(seconds)
}

#[test]
fn heads_have_curves_of_their_own_and_trouble() {
    let model = read().model;
    let head = &model.heads[0];
    let knee = LatencyCurve::Knee { offset_ms: 0.5, linear_ms: 1.0, knee_ms: 0.8, limit: 1.2 };
    assert_eq!(head.latency, knee);
    let outages = head.outages.unwrap();
    assert!((outages.per_day - 1.0 / 7.0).abs() < 1e-12 && (outages.at_utilisation - 0.6).abs() < 1e-12);
    let brownouts = head.brownouts.unwrap();
    assert!((brownouts.hazard.per_day - 2.0 / 7.0).abs() < 1e-12);
    assert!((brownouts.hazard.repair.median_s - 1_200.0).abs() < 1e-9);
    assert_eq!(brownouts.capacity, percent(70));
    let failover = head.failover.unwrap();
    assert_eq!((failover.partner, failover.share), (1, percent(80)));
    let points = [(0.1, 1.0), (0.9, 9.0)].map(|(utilisation, response_ms)| CurvePoint { utilisation, response_ms });
    assert_eq!(model.heads[1].latency, LatencyCurve::Points(points.to_vec()));
    assert!(model.heads[1].outages.is_none() && model.heads[1].failover.is_none());
}

#[test]
fn clusters_keep_a_reserve_and_hold_something_already() {
    let scenario = read();
    let cluster = &scenario.plan.placement.clusters[0];
    assert_eq!(cluster.threshold(), Bytes::new(9_000_000_000_000));
    assert_eq!(cluster.assumed_intake, Rate::per_second(2_000_000));
    assert_eq!(scenario.model.clusters[0].used, Bytes::new(500_000_000_000));
    // Full at a share of its own of the inodes; new mail is assumed to come as it does in the population.
    let inodes = cluster.inodes.expect("a limit of inodes");
    assert_eq!((inodes.rated, inodes.threshold()), (Inodes::new(40_000_000), Inodes::new(18_000_000)));
    assert_eq!(inodes.assumed_a_day, Inodes::ZERO);
    assert_eq!(scenario.model.clusters[0].inodes_used, Inodes::new(2_000_000));
    assert_eq!(scenario.plan.placement.inodes_per_mailbox, Inodes::new(24));
    assert_eq!(scenario.plan.placement.clusters[1].limit().inodes, Inodes::UNLIMITED);
    // April 1 begins at 22:00 UTC the day before: daylight saving has begun on March 29.
    assert_eq!(scenario.model.clusters[1].in_service, at((4 * 24 + 11) * 3_600));
}

#[test]
fn the_population_has_a_tail_and_the_load_an_hour_by_hour_profile() {
    let model = read().model;
    let tail = model.population.size.tail.unwrap();
    assert_eq!((tail.share, tail.from), (percent(1), Bytes::new(2_000_000_000)));
    assert!((tail.alpha - 1.5).abs() < 1e-12);
    assert_eq!(model.population.groups, 500);
    let profile = &model.load.profile;
    let (night, day, saturday) = (profile[3 * 12], profile[9 * 12], profile[5 * 288 + 9 * 12]);
    assert!((day / night - 4.0).abs() < 1e-9 && (saturday / day - 0.5).abs() < 1e-9);
    assert!((profile.iter().sum::<f64>() / 2_016.0 - 1.0).abs() < 1e-9);
}

#[test]
fn the_order_has_waves_dates_by_hand_and_exclusions() {
    let order = read().plan.order.clone();
    assert_eq!(order.heads, [HeadId(1), HeadId(0)]);
    assert_eq!((order.within, order.overlap), (Within::Group, Overlap::Tail));
    assert_eq!(order.excluded, [MailboxId(7), MailboxId(9)]);
    // 20:00 in summer time is 18:00 UTC, six days and seven hours on.
    assert_eq!(order.scheduled, [(MailboxId(11), at((6 * 24 + 7) * 3_600))]);
    let waves: Vec<_> = order.waves.iter().map(|wave| (wave.share, wave.soak, wave.go)).collect();
    let days = |days: i64| Span::from_secs(days * 86_400);
    assert_eq!(waves, [(percent(1), days(2), Go::Operator), (percent(10), days(1), Go::Automatic)]);
}

#[test]
fn placement_throttle_and_attempts_are_read_in_full() {
    let plan = read().plan;
    assert_eq!((plan.placement.rule, plan.placement.slack), (Placement::LeastFilled, percent(8)));
    assert_eq!((plan.placement.sample_limit, plan.placement.reopen_below), (Span::from_secs(600), percent(2)));
    let steps = [(0, 32), (50, 16), (80, 2)].map(|(level, streams)| (Level::Utilisation(percent(level)), streams));
    let throttle = &plan.heads[1].throttle;
    assert_eq!(throttle.law, Law::Steps { table: steps.to_vec(), interpolate: true });
    assert_eq!((throttle.min, throttle.max, throttle.rate), (1, 32, Rate::per_second(300_000_000)));
    assert_eq!(throttle.pause_above, Some(Level::Utilisation(percent(95))));
    assert_eq!(throttle.abort_above, Some(Level::Utilisation(percent(99))));
    // Another law for one head takes nothing over from the first.
    assert_eq!(plan.heads[0].throttle.law, Law::Fixed { streams: 5 });
    assert_eq!(plan.copy.purge_after, None);
    let attempts = &plan.attempts;
    assert_eq!((attempts.limit, attempts.fault_rate, attempts.fault_window), (3, percent(20), 32));
    assert_eq!((attempts.backoff, attempts.backoff_cap), (Span::from_secs(300), Span::from_secs(3_600)));
}

#[test]
fn a_freeze_holds_both_heads_and_a_backup_one_of_them() {
    let scenario = read();
    let limit = |head: usize, when: Time| {
        let changes = &scenario.plan.heads[head].windows.changes;
        let after = changes.partition_point(|(from, _)| *from <= when);
        after.checked_sub(1).map_or(WindowLimit::OPEN, |place| changes[place].1)
    };
    // March 28 and 29 in Berlin: from 23:00 UTC on the 27th to 22:00 on the 29th, an hour less than two days.
    let (begins, ends) = (at(12 * 3_600), at((12 + 47) * 3_600));
    for head in [0, 1] {
        assert_ne!(limit(head, begins - Span::TICK).streams, 0);
        assert_eq!((limit(head, begins).streams, limit(head, ends - Span::TICK).streams), (0, 0));
        assert_ne!(limit(head, ends).streams, 0);
    }
    let backup = at((12 + 47 + 1) * 3_600);
    assert_eq!(limit(1, backup).rate, Rate::per_second(50_000_000));
    assert_eq!(limit(0, backup), WindowLimit::OPEN);
}

#[test]
fn a_link_has_its_stores_and_what_other_traffic_leaves() {
    let scenario = read();
    let link = &scenario.model.links[0];
    assert_eq!((&link.heads[..], &link.clusters[..]), (&[HeadId(0)][..], &[ClusterId(0)][..]));
    // 117.5 MB/s in the middle, without 1 MB/s always and two fifths from 23:00, which at first is 22:00 UTC.
    let left = |seconds: i64| link.left_at(at(seconds)).0;
    let (night, day) = (Rate::per_second(69_500_000), Rate::per_second(116_500_000));
    assert_eq!((left(0), left(11 * 3_600 - 1), left(11 * 3_600), left(13 * 3_600)), (day, day, night, day));
    // April 10 at 08:00 in summer time is 06:00 UTC.
    let restore = (14 * 24 - 5) * 3_600;
    assert_eq!((left(restore - 1), left(restore)), (day, Rate::per_second(86_500_000)));
    assert_eq!((left(restore + 12 * 3_600 - 1), left(restore + 12 * 3_600)), (Rate::per_second(86_500_000), day));
}

#[test]
fn a_scenario_with_all_of_it_runs_to_its_end() {
    let scenario = read();
    let asked = Milestone::HeadShareMoved { head: HeadId(0), share: percent(40) };
    let place = scenario.milestones.iter().position(|milestone| *milestone == asked).unwrap();
    let outcome = simulate(&scenario, RunId { seed: 1, replication: 0 });
    assert_eq!(outcome.unfinished, None);
    assert!(outcome.reached[place].is_some());
    // All but the two that are excluded.
    assert_eq!(outcome.moved, 19_998);
    let highest = outcome.clusters.iter().map(|cluster| cluster.highest_placement).max().unwrap();
    assert!(highest <= percent(50), "{highest:?}");
}
