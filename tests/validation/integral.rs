//! The integral law on a published curve with a knee: before it, at it and in it; with old samples, noise, and a slope that
//! is believed three times too small.

use std::sync::Arc;

use drawdown::migration::message::Command;
use drawdown::migration::plan::Law;
use drawdown::scenario::Scenario;
use drawdown::scenario::curve::{LatencyCurve, preset};
use drawdown::sim::{RunId, TraceItem, trace};
use drawdown::units::{Latency, Share, Span};

use super::document;
use super::setup::{IDLE, Plain};

const PRESET: &str = "specsfs2008-fas3140";
/// What a stream adds to the head's utilisation.
const STREAM_LOAD: f64 = 0.004;
const PERIOD_S: f64 = 30.0;
const PERIODS: usize = 400;

#[derive(Clone, Copy)]
struct Trial {
    what: &'static str,
    /// Age of a sample when it arrives, periods.
    delay: u32,
    noise: f64,
    /// The slope that the law believes in, over the true one.
    believed: f64,
}

const TRIALS: [Trial; 6] = [
    Trial { what: "as it is", delay: 0, noise: 0.0, believed: 1.0 },
    Trial { what: "samples one period old", delay: 1, noise: 0.0, believed: 1.0 },
    Trial { what: "samples three periods old", delay: 3, noise: 0.0, believed: 1.0 },
    Trial { what: "5 % noise", delay: 0, noise: 0.05, believed: 1.0 },
    Trial { what: "slope believed a third of what it is", delay: 0, noise: 0.0, believed: 1.0 / 3.0 },
    Trial { what: "slope believed three times what it is", delay: 0, noise: 0.0, believed: 3.0 },
];

fn scenario(trial: Trial, contract_ms: f64, users: f64) -> Scenario {
    let throttle = format!(
        "law = \"integral\", latency = \"{contract_ms} ms\", stream_load = \"{} %\", max = 1500, every = \"30 s\"",
        STREAM_LOAD * trial.believed * 1e2
    );
    let plain = Plain {
        mailboxes: 2_000,
        size: "100 TB",
        activity: &format!("{} op/s", users * 1e4 / 2_000.0),
        head: &format!("capacity = \"10000 op/s\"\nlatency = {{ preset = \"{PRESET}\" }}"),
        cluster: &format!("ingest = \"1000 TB/s\"\n{IDLE}"),
        throttle: &throttle,
        step: "30 s",
        copying: "stream = \"1 MB/s\"",
        more: &format!(
            "[probe]\nevery = \"30 s\"\ndelay = \"{} s\"\nnoise = {}\n[cost]\nhead_per_stream = \"{} op/s\"",
            trial.delay * 30,
            trial.noise,
            STREAM_LOAD * 1e4
        ),
    };
    let mut scenario = plain.read();
    scenario.horizon = scenario.as_of + Span::from_secs_f64(PERIODS as f64 * PERIOD_S + 1.0);
    scenario
}

/// The true latency in each period, milliseconds, as its pace makes it.
fn latencies(scenario: &Scenario, curve: &LatencyCurve, users: f64) -> Vec<f64> {
    let streams = streams_by_period(scenario, PERIODS).into_iter();
    streams.map(|streams| curve.response_s(users + streams * STREAM_LOAD) * 1e3).collect()
}

/// The streams that are allowed in the middle of each period.
pub(crate) fn streams_by_period(scenario: &Scenario, periods: usize) -> Vec<f64> {
    let mut changes: Vec<(f64, f64)> = Vec::new();
    trace(scenario, RunId { seed: 3, replication: 0 }, &mut |row| {
        if let TraceItem::Command(Command::SetPace { streams, .. }) = row.item {
            changes.push((row.now.since(scenario.as_of).secs(), f64::from(*streams)));
        }
    });
    let at = |period: usize| {
        let end = (period as f64 + 0.5) * PERIOD_S;
        changes.iter().rev().find(|(at, _)| *at <= end).map_or(0.0, |(_, streams)| *streams)
    };
    (0..periods).map(at).collect()
}

#[test]
fn the_law_is_calm_before_at_and_in_the_knee() {
    let curve = preset(PRESET).unwrap();
    let mut rows = Vec::new();
    for trial in TRIALS {
        let mut cells = vec![trial.what.to_owned()];
        for aim in [0.4, 0.7, 0.9] {
            // A third of the load is the users'.
            let (users, contract) = (aim / 3.0, curve.response_s(aim) * 1e3 / 0.9);
            let seen = latencies(&scenario(trial, contract, users), &curve, users);
            let settled = &seen[PERIODS / 2..];
            let (low, high) =
                settled.iter().fold((f64::MAX, f64::MIN), |(low, high), one| (low.min(*one), high.max(*one)));
            let top = seen.iter().fold(0.0_f64, |top, one| top.max(*one));
            let within =
                seen.iter().rposition(|one| (one - 0.9 * contract).abs() > 0.05 * contract).map_or(0, |last| last + 1);
            let (cycle, over) = ((high - low) / contract, top / contract - 1.0);
            // What noise does is no cycle: it moves each sample by itself.
            let allowed = 0.05 + 4.0 * trial.noise;
            assert!(cycle <= allowed, "{}, at {aim}: {low} to {high} ms for {contract} ms", trial.what);
            // A slope believed a third of what it is makes the first step half as large again as the way.
            let first_step_overshoots = trial.believed < 0.5;
            assert!(
                over <= 6.0 * trial.noise || first_step_overshoots,
                "{}, at {aim}: {top} ms for {contract} ms",
                trial.what
            );
            assert!(trial.noise > 0.0 || within < PERIODS / 4, "{}, at {aim}: settled after {within}", trial.what);
            let settles = if trial.noise > 0.0 { "-".to_owned() } else { within.to_string() };
            cells.push(format!("{:.1} %; {:+.0} %; {settles}", cycle * 1e2, over * 1e2));
        }
        rows.push(cells);
    }
    document::shows("integral", &["", "u = 0.4", "u = 0.7", "u = 0.9"], &rows);
}

/// The table above is of the law's own making of slopes; a gain that is dead-beat far below the knee is not at it.
#[test]
fn one_slope_for_the_whole_curve_would_not_do() {
    let curve = preset(PRESET).unwrap();
    let (aim, users) = (0.9, 0.3);
    let contract = curve.response_s(aim) * 1e3 / 0.9;
    let mut scenario = scenario(TRIALS[0], contract, users);
    let flat = (curve.slope_s(0.4) * STREAM_LOAD * 1e6) as u32;
    if let Law::Integral { slope, gain, .. } = &mut Arc::make_mut(&mut scenario.plan).heads[0].throttle.law {
        (*slope, *gain) = (vec![(Latency::from_micros(0), Latency::from_micros(flat.max(1)))], Share::ONE);
    }
    let seen = latencies(&scenario, &curve, users);
    let settled = &seen[PERIODS / 2..];
    let (low, high) = settled.iter().fold((f64::MAX, f64::MIN), |(low, high), one| (low.min(*one), high.max(*one)));
    assert!((high - low) / contract > 0.10, "{low} to {high} ms for {contract} ms");
}
