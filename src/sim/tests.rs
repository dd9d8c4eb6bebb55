//! The world and the migration core together, in scenarios built in code.

mod clusters;
mod comings;
mod common_draws;
mod impact;
mod sampling;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use super::draw::Draws;
use super::testing::{AS_OF, quiet, scenario};
use super::*;
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::migration::message::{Binding, Command, Event, Facts, Limit};
use crate::migration::plan::{Law, Level, Within};
use crate::scenario::model::{Brownouts, Failover, Hazard, Lognormal, ParetoTail};
use crate::units::{Bytes, Latency, OpRate, Ops, Rate};

fn run(replication: u32) -> RunId {
    RunId { seed: 42, replication }
}

fn fleet_of(scenario: &Scenario, run: RunId) -> Fleet {
    let mut fleet = Fleet::default();
    population::draw(scenario, Draws::new(run), &mut fleet, &mut population::Pattern::default());
    fleet
}

/// A world with everything in it that can go wrong, small enough for tests.
pub(super) fn lively(mailboxes: u32) -> Scenario {
    let (mut plan, mut model) = quiet(mailboxes);
    plan.copy.purge_after = Some(Span::from_secs(3 * 86_400));
    for head in &mut plan.heads {
        head.throttle.law = Law::Aimd {
            target: Level::Utilisation(Share::from_ppm(800_000)),
            start: 8,
            hysteresis: Share::from_ppm(950_000),
        };
    }
    plan.placement.slack = Share::from_ppm(100_000);
    for cluster in &mut plan.placement.clusters {
        cluster.reserve = cluster.rated.share(Share::from_ppm(20_000));
    }
    model.population.activity = OpRate::per_second(2_500.0 / f64::from(mailboxes) * 2.0);
    model.population.activity_sigma = 1.0;
    model.population.activity_size_correlation = 0.3;
    model.population.message_sigma = 0.8;
    model.population.deletions_per_day = f64::from(mailboxes) * 0.01;
    model.population.new_accounts_per_day = f64::from(mailboxes) * 0.001;
    model.population.growth_per_day = 0.001;
    model.load.noise_sigma = 0.1;
    model.cost.head_per_message = Ops::new(18.0);
    model.cost.cluster_per_message = Ops::new(8.0);
    model.cost.lock = Span::from_secs(2);
    model.cost.switch = Span::from_secs(5);
    model.faults = crate::scenario::model::Faults { transient: 0.02, permanent: 0.002, switch: 0.01 };
    model.probe = crate::scenario::model::Probe {
        every: Span::from_secs(60),
        clusters_every: Span::from_secs(90),
        phase: None,
        delay: Span::from_secs(5),
        noise_sigma: 0.05,
        loss: 0.02,
    };
    let hazard =
        Hazard { per_day: 2.0, at_utilisation: 0.7, growth: 6.0, repair: Lognormal { median_s: 1_800.0, sigma: 0.8 } };
    for (place, head) in model.heads.iter_mut().enumerate() {
        head.outages = Some(hazard);
        head.brownouts = Some(Brownouts { hazard, capacity: Share::from_ppm(600_000) });
        head.failover = Some(Failover { partner: 1 - place as u8, share: Share::from_ppm(500_000) });
    }
    scenario(plan, model)
}

#[test]
fn with_constant_load_and_a_fixed_throttle_completion_is_total_work_over_rate() {
    let (mut plan, mut model) = quiet(20_000);
    model.population.size.max = Bytes::new(400_000_000);
    model.cost.head_per_message = Ops::new(0.0);
    plan.order.within = Within::Largest;
    let scenario = scenario(plan, model);
    let fleet = fleet_of(&scenario, run(0));
    let outcome = simulate(&scenario, run(0));
    let work = |head: u8| -> f64 {
        let rows = fleet.ids().filter(|id| fleet.origin[id.index()] == HeadId(head));
        rows.map(|id| 2.0 + fleet.bytes[id.index()].get() as f64 / 20e6).sum()
    };
    let first = outcome.reached[0].expect("head 1 is emptied").since(AS_OF).secs() - 60.0;
    assert!((first / (work(0) / 16.0) - 1.0).abs() < 1e-3, "{first} s against {} s", work(0) / 16.0);
    let second = outcome.reached[1].expect("head 2 is emptied").since(AS_OF).secs() - 60.0 - (first + 60.0);
    assert!((second / (work(1) / 16.0) - 1.0).abs() < 4e-3, "{second} s against {} s", work(1) / 16.0);
    assert_eq!(outcome.moved, 20_000);
    assert_eq!(outcome.unfinished, None);
}

#[test]
fn samples_show_the_utilisation_and_latency_of_the_closed_form() {
    let (plan, mut model) = quiet(2_000);
    // 1,000 mailboxes a head at 3 op/s: 3,000 of 9,000 op/s.
    model.population.activity = OpRate::per_second(3.0);
    let scenario = scenario(plan, model);
    let curve = &scenario.model.heads[1].latency;
    let expected = (Share::from_fraction_up(1.0 / 3.0), Latency::from_secs_up(curve.response_s(1.0 / 3.0)));
    let mut samples = 0;
    let _ = trace(&scenario, run(0), &mut |row| {
        if let TraceItem::Event(Event::HeadSampled { head: HeadId(1), utilisation, latency, .. }) = row.item {
            // Until its own turn head 2 has its users alone.
            if samples < 5 {
                assert_eq!((*utilisation, *latency), expected);
            }
            samples += 1;
        }
    });
    assert!(samples > 5, "{samples} samples");
}

#[test]
fn the_same_run_gives_the_same_result_whatever_memory_it_uses() {
    let scenario = lively(3_000);
    let mut workspace = Workspace::default();
    let first: Vec<_> = (0..3).map(|number| simulate_in(&scenario, run(number), &mut workspace)).collect();
    for number in [2, 0, 1] {
        assert_eq!(simulate(&scenario, run(number)), first[number as usize], "replication {number}");
    }
    assert_ne!(first[0].reached, first[1].reached);
    assert_eq!(trace(&scenario, run(1), &mut |_| {}), first[1]);
}

#[test]
fn a_lively_world_loses_no_mailbox_and_places_none_above_a_threshold() {
    for replication in 0..4 {
        let scenario = lively(4_000);
        let (mut gone, mut moved) = (0_u64, BTreeSet::new());
        let (mut open, mut of) = (BTreeSet::new(), BTreeMap::new());
        let outcome = trace(&scenario, run(replication), &mut |row| match row.item {
            TraceItem::Event(Event::MailboxGone { mailbox }) => gone += u64::from(!moved.contains(mailbox)),
            TraceItem::Event(Event::SwitchEnded { effect }) => assert!(moved.insert(of[effect]), "{effect:?}"),
            TraceItem::Event(Event::CopyEnded { effect, .. } | Event::CopyFailed { effect, .. }) => {
                assert!(open.remove(effect), "{effect:?} ends twice, or never began");
            }
            TraceItem::Command(Command::StartCopy { effect, mailbox, .. }) => {
                assert!(open.insert(*effect));
                of.insert(*effect, *mailbox);
            }
            TraceItem::Event(_) | TraceItem::Command(_) => {}
        });
        let set_aside: u64 = outcome.heads.iter().map(|head| u64::from(head.set_aside)).sum();
        assert_eq!(outcome.unfinished, None, "replication {replication} of seed 42");
        assert!(open.is_empty(), "{open:?} never ended");
        assert_eq!(outcome.moved, moved.len() as u64);
        assert_eq!(outcome.moved + gone + set_aside, 4_000, "replication {replication} of seed 42");
        for (cluster, plan) in outcome.clusters.iter().zip(&scenario.plan.placement.clusters) {
            assert!(cluster.highest_placement <= plan.full_at, "{cluster:?}");
        }
        assert!(outcome.faults > 0);
    }
}

#[test]
fn an_outage_stops_samples_fails_copies_and_counts_mailbox_hours() {
    let (plan, mut model) = quiet(4_000);
    model.heads[0].outages = Some(Hazard {
        per_day: 200.0,
        at_utilisation: 0.0,
        growth: 0.0,
        repair: Lognormal { median_s: 600.0, sigma: 0.0 },
    });
    let scenario = scenario(plan, model);
    let mut unreachable = 0;
    let outcome = trace(&scenario, run(0), &mut |row| {
        if let TraceItem::Event(Event::CopyFailed { fault, .. }) = row.item {
            assert_eq!(*fault, crate::migration::message::Fault::Unreachable);
            unreachable += 1;
        }
    });
    assert!(outcome.heads[0].outages > 0 && unreachable > 0, "{} outages", outcome.heads[0].outages);
    assert_eq!(outcome.heads[1].outages, 0);
    assert!(outcome.heads[0].mailbox_hours_down > 0.0);
    assert_eq!(outcome.moved, 4_000);
}

#[test]
fn the_load_of_a_failed_head_lands_on_its_partner() {
    let (plan, mut model) = quiet(2_000);
    model.population.activity = OpRate::per_second(1.0);
    // It breaks in its first minute and stays broken.
    let repair = Lognormal { median_s: 100.0 * 86_400.0, sigma: 0.0 };
    model.heads[0].outages = Some(Hazard { per_day: 1e6, at_utilisation: 0.0, growth: 0.0, repair });
    model.heads[0].failover = Some(Failover { partner: 1, share: Share::from_ppm(500_000) });
    let mut scenario = scenario(plan, model);
    scenario.horizon = AS_OF + Span::from_secs(3 * 86_400);
    let outcome = simulate(&scenario, run(0));
    // 1,000 users of its own and half of those that have not moved in the first minute, on 9,000 op/s.
    let left = f64::from(outcome.heads[0].days[1].mailboxes);
    assert!(left > 800.0 && left < 1_000.0, "{left} mailboxes");
    let partner = f64::from(outcome.heads[1].days[1].user_utilisation);
    assert!((partner - (1_000.0 + 0.5 * left) / 9_000.0).abs() < 1e-6, "{partner}");
    let down = outcome.heads[0].mailbox_hours_down;
    assert!((down / (0.5 * left * 72.0) - 1.0).abs() < 0.01, "{down} mailbox-hours");
}

#[test]
fn a_group_is_finished_before_another_of_its_head_begins() {
    let (mut plan, mut model) = quiet(3_000);
    plan.order.within = Within::WholeGroups;
    model.population.groups = 60;
    model.faults = crate::scenario::model::Faults { transient: 0.1, permanent: 0.02, switch: 0.05 };
    let scenario = scenario(plan, model);
    let fleet = fleet_of(&scenario, run(0));
    // By head: the groups that have begun, in order, and how often the next one was another.
    let mut begun: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
    let outcome = trace(&scenario, run(0), &mut |row| {
        if let TraceItem::Command(Command::StartCopy { mailbox, from, .. }) = row.item {
            let group = fleet.group[mailbox.index()];
            let begun = &mut begun[from.index()];
            if begun.last() != Some(&group) {
                assert!(!begun.contains(&group), "group {group} goes on after another of {from:?} has begun");
                begun.push(group);
            }
        }
    });
    assert!(begun.iter().all(|begun| begun.len() == 60 && begun.is_sorted()), "{begun:?}");
    let set_aside: u32 = outcome.heads.iter().map(|head| head.set_aside).sum();
    assert!(set_aside > 20 && outcome.split_groups > 10, "{set_aside} {}", outcome.split_groups);
    assert_eq!(outcome.moved + u64::from(set_aside), 3_000, "nothing is left behind");
}

#[test]
fn nothing_is_placed_on_a_cluster_before_it_enters_service() {
    let (plan, mut model) = quiet(2_000);
    let opens = [0, 6, 12].map(|hours| AS_OF + Span::from_secs(hours * 3_600));
    for (cluster, opens) in model.clusters.iter_mut().zip(opens) {
        cluster.in_service = opens;
    }
    let scenario = scenario(plan, model);
    let mut used = [0_u32; 3];
    let outcome = trace(&scenario, run(0), &mut |row| {
        if let TraceItem::Command(Command::StartCopy { to, .. }) = row.item {
            assert!(row.now >= opens[to.index()], "{to:?} at {:?}", row.now);
            used[to.index()] += 1;
        }
    });
    assert!(used.iter().all(|copies| *copies > 0), "{used:?}");
    assert_eq!(outcome.moved, 2_000);
    let no_room: f64 = outcome.heads.iter().map(|head| head.bound[Binding::NoRoom as usize].secs()).sum();
    assert!(no_room > 10.0 * 3_600.0, "{no_room} s without room");
}

#[test]
fn a_heavy_tail_has_its_share_and_its_index() {
    let (plan, mut model) = quiet(50_000);
    let from = Bytes::new(1_000_000_000);
    model.population.size.median = Bytes::new(1_000_000);
    model.population.size.sigma = 0.5;
    model.population.size.max = Bytes::new(u64::MAX / 4);
    model.population.size.tail = Some(ParetoTail { share: Share::from_ppm(100_000), from, alpha: 2.0 });
    let fleet = fleet_of(&scenario(plan, model), run(3));
    let mut tail: Vec<_> = fleet.bytes.iter().filter(|bytes| **bytes >= from).collect();
    tail.sort_unstable();
    // Five standard deviations of the count are 335; the median of the tail lies at from x sqrt(2).
    assert!((4_665..5_335).contains(&tail.len()), "{}", tail.len());
    let median = tail[tail.len() / 2].get() as f64 / 1e9;
    assert!((median / 2.0_f64.sqrt() - 1.0).abs() < 0.04, "{median} GB");
}

#[test]
fn cluster_ingest_and_the_pace_cap_what_flows() {
    for capped in [Limit::Ingest, Limit::Pace] {
        let (mut plan, mut model) = quiet(2_000);
        // 16 streams of 20 MB/s would be 320 MB/s.
        model.population.size.sigma = 0.0;
        plan.copy.setup = Span::ZERO;
        if capped == Limit::Ingest {
            model.clusters[0].ingest = Rate::per_second(50_000_000);
        } else {
            plan.heads[0].throttle.rate = Rate::per_second(50_000_000);
        }
        let scenario = scenario(plan, model);
        let mut held = 0;
        let outcome = trace(&scenario, run(0), &mut |row| {
            if let TraceItem::Event(Event::CopyEnded { limit, .. }) = row.item {
                held += u32::from(*limit == capped);
            }
        });
        let seconds = outcome.reached[0].expect("head 1 is emptied").since(AS_OF).secs() - 60.0;
        assert!((seconds / (1_000.0 * 40e6 / 50e6) - 1.0).abs() < 0.01, "{capped:?}: {seconds} s");
        assert!(held >= 980, "{capped:?}: {held}");
    }
}

#[test]
fn a_busy_head_slows_its_copies_down() {
    let (mut plan, mut model) = quiet(2_000);
    plan.copy.setup = Span::ZERO;
    model.population.size.sigma = 0.0;
    model.population.activity = OpRate::per_second(7.0);
    model.cost.head_per_message = Ops::new(18.0);
    let scenario = scenario(plan, model);
    let outcome = simulate(&scenario, run(0));
    let idle_s = 1_000.0 * 2.0 / 16.0;
    let seconds = outcome.reached[0].expect("head 1 is emptied").since(AS_OF).secs() - 60.0;
    assert!(seconds > 1.5 * idle_s, "{seconds} s against {idle_s} s on an idle head");
    assert!(outcome.heads[0].bound[Binding::StreamCap as usize] > Span::from_secs(60));
}

#[test]
fn another_head_changes_no_mailbox() {
    let (plan, model) = quiet(5_000);
    let two = fleet_of(&scenario(plan.clone(), model.clone()), run(7));
    let (mut plan, mut model) = (plan, model);
    plan.heads.push(plan.heads[0].clone());
    plan.order.heads.push(HeadId(2));
    plan.order.within = Within::Largest;
    model.heads.push(crate::scenario::model::HeadModel { name: "head-3".into(), ..model.heads[0].clone() });
    model.population.split = vec![Share::from_ppm(400_000), Share::from_ppm(300_000), Share::from_ppm(300_000)];
    model.population.moved = vec![Share::from_ppm(100_000), Share::ZERO, Share::ZERO];
    let three = fleet_of(&scenario(plan, model), run(7));
    assert_eq!((&two.bytes, &two.messages), (&three.bytes, &three.messages));
    assert_eq!(two.activity_micro_op_s, three.activity_micro_op_s);
    let on = |fleet: &Fleet, head: u8| fleet.origin.iter().filter(|origin| **origin == HeadId(head)).count();
    assert_eq!((on(&two, 0), on(&two, 1)), (2_500, 2_500));
    assert_eq!((on(&three, 0), on(&three, 1), on(&three, 2)), (2_000, 1_500, 1_500));
}

#[test]
fn a_population_has_the_stated_means() {
    let (plan, mut model) = quiet(200_000);
    model.population.activity = OpRate::per_second(0.03);
    model.population.activity_sigma = 1.0;
    model.population.activity_size_correlation = 0.5;
    model.population.message_sigma = 0.8;
    model.population.groups = 10;
    let fleet = fleet_of(&scenario(plan, model), run(0));
    let count = fleet.len() as f64;
    let activity = fleet.activity_micro_op_s.iter().map(|activity| f64::from(*activity)).sum::<f64>() / count;
    assert!((activity / 30_000.0 - 1.0).abs() < 0.015, "mean activity {activity}");
    let mut sizes: Vec<_> = fleet.bytes.iter().map(|bytes| bytes.get()).collect();
    sizes.sort_unstable();
    assert!((sizes[100_000] as f64 / 40e6 - 1.0).abs() < 0.02, "median size {}", sizes[100_000]);
    let bytes: f64 = fleet.bytes.iter().map(|bytes| bytes.get() as f64).sum();
    let messages: f64 = fleet.messages.iter().map(|messages| f64::from(*messages)).sum();
    assert!((bytes / messages / 75_000.0 - 1.0).abs() < 0.05, "mean message {}", bytes / messages);
    assert!((0..10).all(|group| {
        let members = fleet.group.iter().filter(|of| **of == group).count();
        (19_000..21_000).contains(&members)
    }));
}

#[test]
fn activity_has_the_stated_mean_whatever_law_the_sizes_have() {
    let (plan, mut model) = quiet(200_000);
    model.population.activity = OpRate::per_second(0.03);
    model.population.activity_sigma = 1.0;
    model.population.activity_size_correlation = 0.8;
    let mean = |scenario: &Scenario| {
        let fleet = fleet_of(scenario, run(0));
        fleet.activity_micro_op_s.iter().map(|activity| f64::from(*activity)).sum::<f64>() / fleet.len() as f64
    };
    let with = |facts: Option<Vec<Bytes>>, tail: Option<ParetoTail>| {
        let mut scenario = scenario(plan.clone(), model.clone());
        Arc::make_mut(&mut scenario.model).population.size.tail = tail;
        scenario.facts = facts.map(|bytes| {
            let origin = vec![HeadId(0); bytes.len()];
            Arc::new(Facts { fleet: Arc::new(Fleet { bytes, origin, ..Fleet::default() }), ..Facts::default() })
        });
        mean(&scenario)
    };
    let tail = ParetoTail { share: Share::from_ppm(50_000), from: Bytes::new(1_000_000_000), alpha: 2.0 };
    let two_kinds = (0..200_000).map(|row| Bytes::new(if row % 20 == 0 { 1_000_000_000 } else { 1_000_000 })).collect();
    let alike = vec![Bytes::new(35_000_000); 200_000];
    let found = [with(None, Some(tail)), with(Some(two_kinds), None), with(Some(alike), None)];
    assert!(found.iter().all(|mean| (mean / 30_000.0 - 1.0).abs() < 0.02), "{found:?}");
}

#[test]
fn what_has_moved_already_is_the_first_of_the_plans_order_and_fills_clusters_in_turn() {
    let (mut plan, mut model) = quiet(1_000);
    plan.order.within = Within::Smallest;
    plan.order.excluded = vec![MailboxId(0)];
    model.population.moved = vec![Share::from_ppm(400_000), Share::ZERO];
    model.population.size.max = Bytes::new(1_000_000_000);
    plan.placement.clusters[0].rated = Bytes::new(2_000_000_000);
    let scenario = scenario(plan, model);
    let fleet = fleet_of(&scenario, run(0));
    let of_head = |id: &MailboxId| fleet.origin[id.index()] == HeadId(0);
    let moved: Vec<_> = fleet.ids().filter(|id| fleet.home[id.index()].as_cluster().is_some()).collect();
    assert_eq!(moved.len(), 200);
    assert!(moved.iter().all(of_head));
    let largest = moved.iter().map(|id| fleet.bytes[id.index()]).max();
    let left = fleet.ids().filter(of_head).filter(|id| fleet.home[id.index()] == Home::head(HeadId(0)));
    let smallest = left.filter(|id| id.0 != 0).map(|id| fleet.bytes[id.index()]).min();
    assert!(largest <= smallest, "{largest:?} {smallest:?}");
    let first = Home::cluster(ClusterId(0));
    let on_first: u64 =
        moved.iter().filter(|id| fleet.home[id.index()] == first).map(|id| fleet.bytes[id.index()].get()).sum();
    assert!(on_first <= 800_000_000 && on_first > 700_000_000, "{on_first}");
}

#[test]
fn heads_and_clusters_have_the_same_days_wherever_the_horizon_lies() {
    let (mut plan, mut model) = quiet(1_000);
    plan.copy.stream = Rate::per_second(100);
    model.load.step = Span::from_secs(7 * 60);
    for (minutes, days) in [(1_439, 1), (1_440, 1), (1_442, 1), (1_443, 2), (2_900, 3)] {
        let mut scenario = scenario(plan.clone(), model.clone());
        scenario.horizon = AS_OF + Span::from_secs(minutes * 60);
        let outcome = simulate(&scenario, run(0));
        assert_eq!(outcome.heads.iter().map(|head| head.days.len()).collect::<Vec<_>>(), [days; 2], "{minutes}");
        assert_eq!(
            outcome.clusters.iter().map(|cluster| cluster.days.len()).collect::<Vec<_>>(),
            [days; 3],
            "{minutes}"
        );
    }
}

#[test]
fn what_bound_by_day_adds_up_to_what_bound() {
    let outcome = simulate(&lively(3_000), run(1));
    for head in &outcome.heads {
        assert!(head.days.len() > 3, "{} days", head.days.len());
        for cause in Binding::ALL {
            let minutes: u64 = head.days.iter().map(|day| u64::from(day.bound_minutes[cause as usize])).sum();
            assert_eq!(minutes, (head.bound[cause as usize].secs() / 60.0).floor() as u64, "{}", cause.name());
        }
        for day in &head.days[..head.days.len() - 1] {
            // Each cause by whole minutes, and the day's end at the first step after it.
            let all: u32 = day.bound_minutes.iter().map(|minutes| u32::from(*minutes)).sum();
            assert!(all.abs_diff(1_440) <= Binding::COUNT as u32 + 2, "{all} minutes");
        }
    }
    // The second head waits for the first, and is empty before the first day ends.
    let [first, second] = [0, 1].map(|head| outcome.reached[head].unwrap().since(AS_OF).secs() / 60.0);
    let not_its_turn = f64::from(outcome.heads[1].days[0].bound_minutes[Binding::NotItsTurn as usize]);
    assert!(first > 60.0 && (first + 1_440.0 - second - not_its_turn).abs() < 3.0, "{first} {second} {not_its_turn}");
}
