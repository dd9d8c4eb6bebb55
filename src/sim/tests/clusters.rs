//! Busy clusters slow copies down as busy heads do.

use crate::migration::plan::Law;
use crate::scenario::Scenario;
use crate::scenario::curve::{CurvePoint, LatencyCurve, preset};
use crate::sim::testing::{AS_OF, quiet, scenario};
use crate::sim::{RunId, simulate};
use crate::units::{Bytes, OpRate, Ops, Share, Span};

/// How busy stores were at each step, for copies whose operations all fall on the head, or all on their cluster, of 1,000
/// operations a second and a curve with a knee; and how long it all took.
fn seconds(streams: u16, on_cluster: bool, step: u64) -> f64 {
    let (mut plan, mut model) = quiet(4_000);
    model.population.size.median = Bytes::new(50_000_000);
    model.population.size.sigma = 0.0;
    model.population.message_mean = Bytes::new(100_000);
    model.population.activity = OpRate::per_second(0.0);
    let (none, some) = (Ops::new(0.0), Ops::new(8.0));
    (model.cost.head_per_message, model.cost.cluster_per_message) =
        if on_cluster { (none, some) } else { (some, none) };
    (model.cost.head_per_megabyte, model.cost.cluster_per_megabyte) = (none, none);
    model.load.step = Span::from_secs(step as i64);
    let knee = preset("specsfs2008-fas3140").expect("a curve");
    let flat = LatencyCurve::Points(vec![CurvePoint { utilisation: 1.0, response_ms: 1.0 }]);
    for head in &mut model.heads {
        head.latency = if on_cluster { flat.clone() } else { knee.clone() };
        head.capacity = OpRate::per_second(if on_cluster { 1e6 } else { 1_000.0 });
    }
    for cluster in &mut model.clusters {
        cluster.latency = if on_cluster { knee.clone() } else { flat.clone() };
        cluster.capacity = OpRate::per_second(if on_cluster { 1_000.0 } else { 1e6 });
    }
    for cluster in &mut plan.placement.clusters {
        (cluster.rated, cluster.full_at) = (Bytes::new(1 << 50), Share::ONE);
    }
    for head in &mut plan.heads {
        head.throttle.law = Law::Fixed { streams };
        head.throttle.max = streams;
    }
    let mut scenario: Scenario = scenario(plan, model);
    scenario.horizon = AS_OF + Span::from_secs(100 * 86_400);
    let outcome = simulate(&scenario, RunId { seed: 1, replication: 0 });
    outcome.reached[2].expect("all are emptied").since(AS_OF).secs()
}

#[test]
fn who_arrives_during_a_switch_was_not_placed() {
    // A mailbox of 10 MB fits on the first cluster, of which 59 of 70 MB are used; then its switch takes an hour, in which four
    // accounts of 1 MB arrive.
    let (mut plan, mut model) = quiet(2);
    let megabytes = |number: u64| Bytes::new(number * 1_000_000);
    (model.population.size.median, model.population.size.max, model.population.size.sigma) =
        (megabytes(10), megabytes(10), 0.0);
    (model.population.new_accounts_per_day, model.population.new_account_size) = (100.0, megabytes(1));
    (model.cost.lock, plan.copy.hold_at_most) = (Span::from_secs(3_600), Span::from_secs(7_200));
    (plan.placement.clusters[0].rated, plan.placement.clusters[0].full_at) = (megabytes(100), Share::from_ppm(700_000));
    model.clusters[0].used = megabytes(59);
    let threshold = plan.placement.clusters[0].full_at;
    let outcome = simulate(&scenario(plan, model), RunId { seed: 1, replication: 0 });
    let cluster = &outcome.clusters[0];
    assert_eq!(outcome.moved, 2);
    assert!(cluster.highest_placement > Share::from_ppm(689_000), "{cluster:?}");
    assert!(cluster.highest_placement <= threshold && cluster.final_fill > threshold, "{cluster:?}");
}

#[test]
fn a_busy_cluster_slows_its_copies_to_the_fixed_point_of_a_head_as_busy() {
    for streams in [1, 2, 4, 8, 16] {
        let head = seconds(streams, false, 300);
        let cluster = seconds(streams, true, 7);
        assert!((cluster / head - 1.0).abs() < 0.01, "{streams} streams: {cluster} s for {head} s");
        // The cluster's answer follows at the next step: of each head's copies the first ones do not wait, for a step at most.
        let coarse = seconds(streams, true, 300);
        assert!((coarse - head).abs() < 2.0 * 300.0 * f64::from(streams), "{streams} streams: {coarse} s for {head} s");
    }
}
