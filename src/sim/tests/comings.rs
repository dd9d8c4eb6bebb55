//! What comes to the clusters and leaves them, and what stays behind on the heads.

use std::collections::{BTreeMap, BTreeSet};

use super::run;
use crate::fleet::ClusterId;
use crate::migration::message::{Command, Event};
use crate::migration::plan::{InodePlan, Law, Plan};
use crate::scenario::Scenario;
use crate::scenario::model::Model;
use crate::sim::testing::{AS_OF, quiet, scenario};
use crate::sim::{TraceItem, trace};
use crate::units::{Bytes, Inodes, OpRate, Share, Span};

const DAY: Span = Span::from_secs(86_400);
const SIZE: u64 = 40_000_000;

/// So many mailboxes of one size, over hours of load that is constant.
fn alike(mailboxes: u32, change: impl FnOnce(&mut Plan, &mut Model)) -> Scenario {
    let (mut plan, mut model) = quiet(mailboxes);
    model.population.size.sigma = 0.0;
    model.population.size.median = Bytes::new(SIZE);
    model.load.step = Span::from_secs(600);
    (model.probe.every, model.probe.clusters_every) = (Span::from_secs(600), Span::from_secs(600));
    change(&mut plan, &mut model);
    scenario(plan, model)
}

/// What the samples of the clusters have said last: bytes, inodes where they count, and utilisation.
fn last_samples(scenario: &Scenario) -> BTreeMap<ClusterId, (u64, u64, f64)> {
    let mut last = BTreeMap::new();
    let _ = trace(scenario, run(0), &mut |row| {
        if let TraceItem::Event(Event::ClusterSampled { cluster, used, inodes, utilisation, .. }) = row.item {
            let inodes = Option::<Inodes>::from(*inodes).map_or(0, Inodes::get);
            last.insert(*cluster, (used.get(), inodes, utilisation.fraction()));
        }
    });
    last
}

#[test]
fn new_accounts_wait_for_the_first_cluster_and_are_there_when_it_opens() {
    let mut scenario = alike(10, |plan, model| {
        plan.heads.iter_mut().for_each(|head| head.throttle.law = Law::Fixed { streams: 0 });
        plan.placement.clusters.iter_mut().for_each(|cluster| cluster.rated = Bytes::new(1_000_000_000_000));
        model.clusters.iter_mut().for_each(|cluster| cluster.in_service = AS_OF + DAY.times(10));
        model.population.new_accounts_per_day = 1_000.0;
        model.population.new_account_size = Bytes::new(10_000_000);
        model.population.activity = OpRate::per_second(1.0);
    });
    scenario.horizon = AS_OF + DAY.times(20);
    let (mut open, mut first) = (false, None);
    let outcome = trace(&scenario, run(0), &mut |row| match row.item {
        TraceItem::Event(Event::ClusterOpened { cluster: ClusterId(0) }) => open = true,
        TraceItem::Event(Event::ClusterSampled { cluster: ClusterId(0), used, .. }) if open && first.is_none() => {
            first = Some(used.get() as f64 / 1e7);
        }
        TraceItem::Event(_) | TraceItem::Command(_) => {}
    });
    // Ten days of a thousand each, with a standard deviation of a hundred; and ten days more.
    assert!(first.is_some_and(|accounts| (accounts / 10_000.0 - 1.0).abs() < 0.05), "{first:?}");
    let fill = outcome.clusters[0].final_fill.fraction();
    assert!((fill / 0.2 - 1.0).abs() < 0.04, "{fill}");
}

#[test]
fn an_old_copy_is_purged_as_it_was_left() {
    // 533 messages each, at 200 a second. In thirty days a mailbox more than doubles.
    let scenario = alike(200, |plan, model| {
        plan.copy.purge_after = Some(DAY.times(30));
        model.population.growth_per_day = 0.03;
    });
    let (mut begun, mut purges) = (BTreeMap::new(), 0);
    let _ = trace(&scenario, run(0), &mut |row| match row.item {
        TraceItem::Command(Command::Purge { effect, batch, .. }) => {
            begun.insert(*effect, (row.now, batch.mailboxes().len()));
        }
        TraceItem::Event(Event::PurgeEnded { effect }) => {
            let (at, mailboxes) = begun[effect];
            let expected_s = 533.0 / 200.0 * mailboxes as f64;
            let took_s = row.now.since(at).secs();
            assert!((took_s / expected_s - 1.0).abs() < 2e-3, "{mailboxes}: {took_s} s, not {expected_s} s");
            purges += 1;
        }
        TraceItem::Event(_) | TraceItem::Command(_) => {}
    });
    assert!(purges > 2, "{purges} purges");
}

#[test]
fn who_is_deleted_after_the_move_leaves_the_cluster_with_all_that_has_grown() {
    const MAILBOXES: f64 = 5_000.0;
    for growth in [0.0_f64, 0.01] {
        let mut scenario = alike(10_000, |plan, model| {
            plan.heads.iter_mut().for_each(|head| head.throttle.law = Law::Fixed { streams: 0 });
            plan.placement.inodes_per_mailbox = Inodes::new(20);
            plan.placement.clusters[0].inodes = Some(InodePlan {
                rated: Inodes::new(100_000_000),
                full_at: Share::from_ppm(400_000),
                assumed_a_day: Inodes::ZERO,
            });
            model.population.moved = vec![Share::ONE, Share::ZERO];
            model.population.activity = OpRate::per_second(1.0);
            model.population.growth_per_day = growth;
            model.population.deletions_per_day = 100.0;
        });
        scenario.horizon = AS_OF + DAY.times(10);
        let (bytes, inodes, utilisation) = last_samples(&scenario)[&ClusterId(0)];
        // Of a thousand draws half meet those who have moved, some of them twice.
        let live = (utilisation * 60_000.0).round();
        assert!((4_400.0..4_600.0).contains(&live), "{live} of {MAILBOXES}");
        let grown = (1.0 + growth / 144.0).powi(1_440);
        let expected = live * SIZE as f64 * grown;
        assert!((bytes as f64 / expected - 1.0).abs() < 1e-4, "{growth}: {bytes} bytes, not {expected}");
        let expected = live * (20.0 + 533.0 * grown);
        assert!((inodes as f64 / expected - 1.0).abs() < 1e-3, "{growth}: {inodes} inodes, not {expected}");
    }
}

#[test]
fn who_has_moved_and_is_deleted_leaves_an_old_copy_that_is_purged() {
    let scenario = alike(2_000, |plan, model| {
        plan.copy.purge_after = Some(DAY.times(20));
        model.population.deletions_per_day = 100.0;
    });
    let (mut begun, mut moved) = (BTreeMap::new(), BTreeSet::new());
    let (mut gone, mut purged) = ([0, 0], 0);
    let (mut sampled, mut live) = (BTreeMap::new(), 0);
    let outcome = trace(&scenario, run(0), &mut |row| match row.item {
        TraceItem::Command(Command::StartCopy { effect, mailbox, .. }) => _ = begun.insert(*effect, *mailbox),
        TraceItem::Command(Command::Purge { batch, .. }) => purged += batch.mailboxes().len() as u64,
        TraceItem::Event(Event::SwitchEnded { effect }) => _ = moved.insert(begun[effect]),
        TraceItem::Event(Event::MailboxGone { mailbox }) => gone[usize::from(moved.contains(mailbox))] += 1,
        TraceItem::Event(Event::ClusterSampled { cluster, used, .. }) => {
            sampled.insert(*cluster, used.get());
            live = moved.len() as u64 - gone[1];
        }
        TraceItem::Event(_) | TraceItem::Command(_) => {}
    });
    // As many draws as mailboxes: one in e is never drawn.
    assert!(gone[0] < 20 && (1_140..1_380).contains(&gone[1]), "{gone:?} before and after the move");
    assert_eq!((outcome.moved, outcome.unfinished), (2_000 - gone[0], None));
    assert_eq!(purged, outcome.moved, "whoever has moved has left an old copy");
    assert_eq!(sampled.values().sum::<u64>(), live * SIZE);
}
