//! What users go through: what is the migration's doing, and what is expected of outages.

use std::sync::Arc;

use crate::migration::plan::Law;
use crate::scenario::Scenario;
use crate::scenario::model::{Failover, Hazard, Lognormal, Model};
use crate::sim::testing::{AS_OF, quiet, scenario};
use crate::sim::{Outcome, RunId, simulate};
use crate::units::{Latency, OpRate, Rate, Share, Span};

const DAY: Span = Span::from_secs(86_400);

/// A fortnight of a plan with so many streams, over heads that are as busy as the model says.
fn fortnight(streams: u16, change: impl FnOnce(&mut Model)) -> Scenario {
    let (mut plan, mut model) = quiet(400);
    plan.heads.iter_mut().for_each(|head| head.throttle.law = Law::Fixed { streams });
    plan.copy.stream = Rate::per_second(10_000);
    model.load.step = Span::from_secs(300);
    (model.probe.every, model.probe.clusters_every) = (Span::from_secs(600), Span::from_secs(600));
    model.objective = Latency::from_micros(2_000);
    change(&mut model);
    let mut scenario = scenario(plan, model);
    scenario.horizon = AS_OF + DAY.times(14);
    scenario
}

fn replication(scenario: &Scenario, replication: u32) -> Outcome {
    simulate(scenario, RunId { seed: 1, replication })
}

fn hazard(per_day: f64) -> Hazard {
    Hazard { per_day, at_utilisation: 0.5, growth: 0.0, repair: Lognormal { median_s: 7_200.0, sigma: 0.3 } }
}

#[test]
fn what_users_ask_for_again_is_their_own_and_not_the_migrations() {
    // Of five steps two ask for half as much again as the head can serve, and copies cost nothing.
    let overloaded = |model: &mut Model| {
        model.population.activity = OpRate::per_second(0.5);
        for (step, weight) in model.load.profile.iter_mut().enumerate() {
            *weight = if step / 12 % 5 < 2 { 1.5 } else { 0.3 };
        }
        for head in &mut model.heads {
            head.capacity = OpRate::per_second(100.0);
            head.outages = Some(Hazard { growth: 6.0, ..hazard(0.1) });
        }
    };
    for streams in [0, 1] {
        let outcome = replication(&fortnight(streams, overloaded), 0);
        let head = &outcome.heads[1];
        assert!(head.minutes_above > 1_000.0, "{streams}: {}", head.minutes_above);
        assert!((head.minutes_above - head.minutes_above_alone).abs() < 1e-9, "{streams}: {head:?}");
        assert!((head.expected_outages - head.expected_outages_alone).abs() < 1e-9, "{streams}: {head:?}");
    }
}

#[test]
fn whom_the_partner_serves_is_not_expected_to_be_down() {
    let paired = |model: &mut Model| {
        model.load.step = Span::from_secs(900);
        // The partner is always there.
        model.heads[0].outages = Some(hazard(1.0));
        model.heads[0].failover = Some(Failover { partner: 1, share: Share::from_ppm(750_000) });
    };
    let scenario = fortnight(0, paired);
    let (mut down, mut expected, mut by_day) = (0.0, 0.0, 0.0);
    for number in 0..60 {
        let outcome = replication(&scenario, number);
        for head in &outcome.heads {
            (down, expected) = (down + head.mailbox_hours_down, expected + head.expected_mailbox_hours_down);
            by_day += head.days.iter().map(|day| f64::from(day.expected_mailbox_hours_down)).sum::<f64>();
        }
    }
    // Some 800 outages; while a head is out none is expected.
    assert!((expected / down - 1.0).abs() < 0.1, "{expected} expected, {down} seen");
    assert!((by_day / expected - 1.0).abs() < 1e-3, "{by_day} by day, {expected} in all");
}

#[test]
fn where_the_partner_is_out_as_well_nobody_is_served() {
    // Both break in the first step and stay broken.
    let repair = Lognormal { median_s: 100.0 * DAY.secs(), sigma: 0.0 };
    let scenario = fortnight(0, |model| {
        for (place, head) in model.heads.iter_mut().enumerate() {
            head.outages = Some(Hazard { repair, ..hazard(1e6) });
            head.failover = Some(Failover { partner: 1 - place as u8, share: Share::from_ppm(750_000) });
        }
    });
    for head in &replication(&scenario, 0).heads {
        let hours = 14.0 * 24.0 - 300.0 / 3_600.0;
        assert!((head.mailbox_hours_down / (200.0 * hours) - 1.0).abs() < 1e-9, "{}", head.mailbox_hours_down);
        assert!((head.outage_hours / hours - 1.0).abs() < 1e-9, "{}", head.outage_hours);
    }
}

#[test]
fn what_becomes_of_a_head_without_users_is_nobodys_outage() {
    // Empty within a few hours. A week later purges ask the heads for more than they can serve.
    let mut scenario = fortnight(16, |model| {
        model.population.size.sigma = 0.0;
        for head in &mut model.heads {
            head.capacity = OpRate::per_second(100.0);
            head.outages = Some(hazard(1.0));
        }
    });
    let copy = &mut Arc::make_mut(&mut scenario.plan).copy;
    (copy.stream, copy.purge_after) = (Rate::per_second(200_000), Some(DAY.times(7)));
    let outcomes: Vec<_> = (0..10).map(|number| replication(&scenario, number)).collect();
    let heads: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.heads).collect();
    let outages: u32 = heads.iter().map(|head| head.outages).sum();
    let expected: f64 = heads.iter().map(|head| head.expected_outages).sum();
    let alone: f64 = heads.iter().map(|head| head.expected_outages_alone).sum();
    let saturated: f64 = heads.iter().map(|head| head.minutes_saturated).sum();
    assert!(outcomes.iter().all(|outcome| outcome.moved == 400));
    assert!(outages < 10, "{outages} outages of 20 heads");
    assert!(expected > 0.0 && expected < 2.0 && alone < 2.0, "{expected} expected, {alone} without the migration");
    assert!(saturated < 1e-9, "{saturated} minutes");
}
