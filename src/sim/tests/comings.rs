//! What comes to the clusters besides copies, and what stays behind on the heads.

use std::collections::BTreeMap;

use super::run;
use crate::fleet::ClusterId;
use crate::migration::message::{Command, Event};
use crate::migration::plan::{Law, Plan};
use crate::scenario::Scenario;
use crate::scenario::model::Model;
use crate::sim::testing::{AS_OF, quiet, scenario};
use crate::sim::{TraceItem, trace};
use crate::units::{Bytes, OpRate, Span};

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
