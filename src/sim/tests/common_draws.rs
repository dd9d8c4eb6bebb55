//! Common random numbers: whatever is added to a scenario, what was there before keeps its draws.

use std::collections::BTreeMap;

use super::*;
use crate::migration::message::Fault;
use crate::migration::plan::{WindowLimit, Windows};
use crate::scenario::model::{HeadModel, Stalls};

/// A change, and by how much the numbers of heads and clusters rise.
type Added = (&'static str, fn(&mut Scenario), u8, u8);

/// What a planner tries: each of it leaves two heads and three clusters as they were, by name.
const ADDED: [Added; 7] = [
    ("nothing", |_| {}, 0, 0),
    ("a head before the others", add_head, 1, 0),
    ("a cluster before the others", add_cluster, 0, 1),
    ("a window", add_window, 0, 0),
    ("another law", change_law, 0, 0),
    ("a longer horizon", |scenario| scenario.horizon = scenario.horizon + Span::from_secs(5 * 86_400), 0, 0),
    (
        "all of it",
        |scenario| {
            add_head(scenario);
            add_cluster(scenario);
            add_window(scenario);
            change_law(scenario);
        },
        1,
        1,
    ),
];

fn add_head(scenario: &mut Scenario) {
    let mut plan = (*scenario.plan).clone();
    let mut model = (*scenario.model).clone();
    plan.heads.insert(0, plan.heads[0].clone());
    plan.order.heads = (0..plan.heads.len() as u8).map(HeadId).collect();
    for head in &mut model.heads {
        if let Some(failover) = &mut head.failover {
            failover.partner += 1;
        }
    }
    model.heads.insert(0, HeadModel { name: "head-0".into(), failover: None, ..model.heads[0].clone() });
    model.population.split.insert(0, Share::ZERO);
    model.population.moved.insert(0, Share::ZERO);
    scenario.heads.insert(0, "head-0".into());
    scenario.plan = Arc::new(plan);
    scenario.model = Arc::new(model);
    scenario.milestones.clear();
}

fn add_cluster(scenario: &mut Scenario) {
    let mut plan = (*scenario.plan).clone();
    let mut model = (*scenario.model).clone();
    plan.placement.clusters.insert(0, plan.placement.clusters[0]);
    let first = model.clusters[0].clone();
    model.clusters.insert(0, crate::scenario::model::ClusterModel { name: "nas-0".into(), ..first });
    scenario.clusters.insert(0, "nas-0".into());
    scenario.plan = Arc::new(plan);
    scenario.model = Arc::new(model);
    scenario.milestones.clear();
}

fn add_window(scenario: &mut Scenario) {
    let narrow = WindowLimit { streams: 3, rate: Rate::UNLIMITED };
    let day = |day: i64| AS_OF + Span::from_secs(86_400).times(day);
    let changes: Vec<_> =
        (0..40).flat_map(|at| [(day(2 * at), narrow), (day(2 * at + 1), WindowLimit::OPEN)]).collect();
    for head in &mut Arc::make_mut(&mut scenario.plan).heads {
        head.windows = Windows { changes: changes.clone(), end: Some(day(400)) };
    }
}

fn change_law(scenario: &mut Scenario) {
    for head in &mut Arc::make_mut(&mut scenario.plan).heads {
        head.throttle.law = Law::Fixed { streams: 12 };
    }
}

/// Everything in it that is drawn.
fn drawn(mailboxes: u32) -> Scenario {
    let mut scenario = lively(mailboxes);
    scenario.horizon = AS_OF + Span::from_secs(12 * 86_400);
    let model = Arc::make_mut(&mut scenario.model);
    model.population.deletions_per_day = 20.0;
    model.population.new_accounts_per_day = 30.0;
    for head in &mut model.heads {
        for hazard in head.outages.iter_mut().chain(head.brownouts.iter_mut().map(|brownouts| &mut brownouts.hazard)) {
            hazard.per_day = 15.0;
        }
    }
    model.faults.transient = 0.1;
    model.faults.permanent = 0.01;
    for cluster in &mut model.clusters {
        cluster.stalls = Some(Stalls {
            per_day: 1.0,
            lasts: Lognormal { median_s: 3_600.0, sigma: 0.5 },
            ingest: Share::from_ppm(500_000),
        });
    }
    scenario
}

/// Nothing can move, so that whatever differs is drawn otherwise.
fn frozen() -> Scenario {
    let mut scenario = drawn(400);
    for cluster in &mut Arc::make_mut(&mut scenario.model).clusters {
        cluster.in_service = AS_OF + Span::from_secs(400 * 86_400);
    }
    scenario
}

/// What the probes said of the stores that were there before, and which mailboxes were deleted, until the shorter horizon.
fn told(scenario: &Scenario, heads: u8, clusters: u8) -> Vec<(Time, Event)> {
    let mut workspace = Workspace::default();
    let mut world = World::new(scenario, run(3), &mut workspace);
    let mut told = Vec::new();
    let end = AS_OF + Span::from_secs(12 * 86_400);
    let Ok(_) = host::run_observed(&mut Migration::new(), &mut world, scenario.as_of, |_, at, event, _| {
        let mut event = event.clone();
        match &mut event {
            Event::HeadSampled { head, .. } if head.0 >= heads => head.0 -= heads,
            Event::ClusterSampled { cluster, .. } if cluster.0 >= clusters => cluster.0 -= clusters,
            Event::MailboxGone { .. } => {}
            _ => return,
        }
        told.extend((at < end).then_some((at, event)));
    });
    told
}

#[test]
fn what_is_added_changes_no_noise_outage_deletion_or_sample_of_what_was_there() {
    let base = frozen();
    let (first, before) = (told(&base, 0, 0), simulate(&base, run(3)));
    let of = |wanted: fn(&Event) -> bool| first.iter().filter(|(_, event)| wanted(event)).count();
    assert!(of(|event| matches!(event, Event::MailboxGone { .. })) > 100, "hardly anything was deleted");
    assert!(of(|event| matches!(event, Event::HeadSampled { .. })) > 10_000, "hardly any sample arrived");
    assert!(before.heads[0].outages > 0 && before.heads[1].outages > 0, "nothing struck: {:?}", before.heads);
    for (name, add, heads, clusters) in ADDED {
        let mut scenario = frozen();
        add(&mut scenario);
        // A cluster that is added is as closed as the others.
        for cluster in &mut Arc::make_mut(&mut scenario.model).clusters {
            cluster.in_service = AS_OF + Span::from_secs(400 * 86_400);
        }
        let found = told(&scenario, heads, clusters);
        let differs = first.iter().zip(&found).find(|(one, other)| one != other);
        assert!(differs.is_none() && found.len() == first.len(), "{name}: {differs:?}");
        let after = simulate(&scenario, run(3));
        for (one, other) in before.heads.iter().zip(&after.heads[usize::from(heads)..]) {
            // What binds is the plan's doing, which was changed.
            let drawn = |days: &[HeadDay]| -> Vec<HeadDay> {
                days.iter().map(|day| HeadDay { bound_minutes: [0; Binding::COUNT], ..*day }).collect()
            };
            assert_eq!(drawn(&one.days), drawn(&other.days[..one.days.len()]), "{name}");
        }
    }
}

/// How each attempt on each mailbox ended by itself: what an outage or the operator ended is left out.
fn attempts(scenario: &Scenario) -> BTreeMap<(MailboxId, u8), Option<Fault>> {
    let mut workspace = Workspace::default();
    let mut world = World::new(scenario, run(3), &mut workspace);
    let (mut begun, mut ended) = (BTreeMap::new(), BTreeMap::new());
    let Ok(_) = host::run_observed(&mut Migration::new(), &mut world, scenario.as_of, |_, _, event, commands| {
        for command in commands {
            if let Command::StartCopy { effect, mailbox, attempt, .. } = command {
                begun.insert(*effect, (*mailbox, *attempt));
            }
        }
        match event {
            Event::CopyEnded { effect, .. } => drop(ended.insert(begun[effect], None)),
            Event::CopyFailed { effect, fault: fault @ (Fault::Transient | Fault::Permanent) } => {
                ended.insert(begun[effect], Some(*fault));
            }
            _ => {}
        }
    });
    ended
}

#[test]
fn what_is_added_changes_no_mailbox_and_no_attempt_on_one() {
    let base = drawn(1_500);
    let (fleet, known) = (fleet_of(&base, run(3)), attempts(&base));
    assert!(known.values().flatten().count() > 20, "hardly anything failed");
    for (name, add, ..) in ADDED {
        let mut scenario = drawn(1_500);
        add(&mut scenario);
        let other = fleet_of(&scenario, run(3));
        assert_eq!((&fleet.bytes, &fleet.messages), (&other.bytes, &other.messages), "{name}");
        assert_eq!(fleet.activity_micro_op_s, other.activity_micro_op_s, "{name}");
        let found = attempts(&scenario);
        let both = known.iter().filter_map(|(key, one)| Some((key, one, found.get(key)?)));
        let common = both.clone().count();
        assert!(2 * common > known.len(), "{name}: {common} attempts in common with {}", known.len());
        for (key, one, other) in both {
            assert_eq!(one, other, "{name}: {key:?}");
        }
    }
}

#[test]
fn variants_share_a_fleet_only_where_it_is_the_same() {
    let moved = |within: Within| {
        let mut scenario = drawn(800);
        Arc::make_mut(&mut scenario.plan).order.within = within;
        Arc::make_mut(&mut scenario.model).population.moved[0] = Share::from_ppm(300_000);
        scenario
    };
    let changed = |change: fn(&mut Scenario)| {
        let mut scenario = drawn(800);
        change(&mut scenario);
        scenario
    };
    let larger = |scenario: &mut Scenario| {
        Arc::make_mut(&mut scenario.model).population.size.median = Bytes::new(60_000_000);
    };
    let cases = [
        (drawn(800), true),
        (changed(change_law), true),
        (changed(add_window), true),
        (changed(larger), false),
        (moved(Within::Largest), false),
        (moved(Within::Smallest), false),
    ];
    let known = population::DrawnFrom::new(&cases[0].0, run(2));
    for (case, shares) in &cases {
        assert_eq!(known.gives(case, run(2)), *shares);
        assert!(!known.gives(case, run(1)), "another replication has the same fleet");
        let fleets = [fleet_of(&cases[0].0, run(2)), fleet_of(case, run(2))];
        assert_eq!(fleets[0] == fleets[1], *shares);
    }
    let largest_first = population::DrawnFrom::new(&cases[4].0, run(2));
    assert!(largest_first.gives(&moved(Within::Largest), run(2)) && !largest_first.gives(&cases[5].0, run(2)));
    // In one memory, one after the other, and as if each were alone.
    let mut workspace = Workspace::default();
    for number in [1, 2] {
        let alone: Vec<_> = cases.iter().map(|(case, _)| simulate(case, run(number))).collect();
        for (at, ((case, _), alone)) in cases.iter().zip(&alone).chain(cases.iter().zip(&alone)).enumerate() {
            let found = simulate_in(case, run(number), &mut workspace);
            assert_eq!(found, *alone, "case {at} of replication {number}");
        }
    }
}
