//! Mail that grows on a cluster while mailboxes are placed there: what samples do not show yet must not take it above its
//! threshold.

use std::sync::Arc;

use drawdown::scenario::Scenario;
use drawdown::sim::{RunId, simulate};
use drawdown::units::{Bytes, Rate, Share, Span};

use super::document;
use super::setup::{IDLE, Plain};

const GROWTH_A_DAY: f64 = 0.03;
const RATED: Bytes = Bytes::new(300_000_000_000);
const FULL_AT: Share = Share::from_ppm(400_000);

/// 200 GB, of which 120 GB fit and 116 GB are there already; one slow stream, so that more grows than comes; no
/// slack in what is reserved, so that nothing else covers it.
fn scenario(samples_every: &str, assumed: bool) -> Scenario {
    let plain = Plain {
        mailboxes: 20_000,
        size: "10 MB",
        // And the next keys of the same table.
        activity: &format!("0 op/s\"\nmoved = {{ head = \"58 %\" }}\ngrowth = \"{} % / day", GROWTH_A_DAY * 1e2),
        head: IDLE,
        cluster: &format!("ingest = \"1 TB/s\"\n{IDLE}"),
        throttle: "law = \"fixed\", streams = 1",
        step: "15 min",
        copying: "stream = \"10 kB/s\"",
        more: &format!(
            "placement = {{ rule = \"sequential\", slack = \"0 %\", sample_limit = \"3 h\" }}\n\
             [probe]\nclusters_every = \"{samples_every}\""
        ),
    };
    let mut scenario = plain.read();
    scenario.horizon = scenario.as_of + Span::from_secs(4 * 86_400);
    let cluster = &mut Arc::make_mut(&mut scenario.plan).placement.clusters[0];
    (cluster.rated, cluster.full_at) = (RATED, FULL_AT);
    if !assumed {
        cluster.assumed_intake = Rate::ZERO;
    }
    scenario
}

#[test]
fn what_grows_between_samples_is_assumed_and_takes_no_placement_above_the_threshold_by_more_than_a_step() {
    // Growth comes with the load's steps: a whole step's at once, and samples between two steps know nothing of the next.
    let step_ppm = GROWTH_A_DAY / 96.0 * f64::from(FULL_AT.ppm());
    let mut rows = Vec::new();
    for (samples_every, assumed) in [("1 min", true), ("7 min", true), ("50 min", true), ("50 min", false)] {
        let outcome = simulate(&scenario(samples_every, assumed), RunId { seed: 1, replication: 0 });
        let cluster = &outcome.clusters[0];
        let above = f64::from(cluster.highest_placement.ppm()) - f64::from(FULL_AT.ppm());
        let told =
            format!("samples every {samples_every}, growth assumed: {assumed}: {above} ppm, a step's {step_ppm}");
        assert_eq!(above <= step_ppm, assumed, "{told}");
        // A cluster that has refused reopens only 1 % of its rating below.
        assert!(above >= -10_000.0, "it is filled: {told}");
        assert!(cluster.final_fill > FULL_AT, "growth goes on: {told}");
        rows.push(vec![
            samples_every.to_owned(),
            if assumed { "as the plan does" } else { "nothing" }.to_owned(),
            format!("{:+.3} %", above / 1e4),
            format!("{:+.1} %", (f64::from(cluster.final_fill.ppm()) - f64::from(FULL_AT.ppm())) / 1e4),
        ]);
    }
    document::shows(
        "growth",
        &[
            "a sample every",
            "growth assumed between samples",
            "highest placement over the threshold",
            "four days after the start",
        ],
        &rows,
    );
}
