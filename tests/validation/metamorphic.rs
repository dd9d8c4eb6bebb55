//! What has to follow when a scenario is changed in a way whose effect is a theorem; and where it is none, why.

use std::sync::Arc;

use drawdown::migration::message::Milestone;
use drawdown::scenario::Scenario;
use drawdown::sim::{Outcome, RunId, simulate};
use drawdown::units::{Bytes, Share, Span, Time};

use super::setup::read;

/// No feedback and no faults, unless it is asked for.
fn scenario(change: &[(&str, &str)]) -> Scenario {
    let mut text = r#"
name = "Theorems"
time_zone = "UTC"
as_of = 2026-01-05T00:00:00
horizon = "200 days"
[[head]]
name = "head-1"
capacity = "9000 op/s"
latency = { preset = "specsfs2008-fas3140" }
[[head]]
name = "head-2"
capacity = "9000 op/s"
latency = { preset = "specsfs2008-fas3140" }
[[cluster]]
name = "nas-1"
rated = "200 GB"
full_at = "40 %"
ingest = "10 GB/s"
capacity = "60000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[[cluster]]
name = "nas-2"
rated = "900 TB"
full_at = "40 %"
ingest = "10 GB/s"
capacity = "60000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[population]
mailboxes = 3_000
split = { head-1 = "50 %", head-2 = "50 %" }
size = { median = "60 MB", sigma = 1.2, max = "10 GB" }
message = { mean = "75 kB" }
activity = "1 op/s"
[load]
profile = "business-mail"
[cost]
[users]
objective = "10 ms"
[plan]
order = { heads = ["head-1", "head-2"] }
throttle = { law = "fixed", streams = 8 }
move = { stream = "10 MB/s", setup = "0 s", purge_after = "never" }
"#
    .to_owned();
    for (old, new) in change {
        assert!(text.contains(old), "the scenario has no {old:?}");
        text = text.replace(old, new);
    }
    read(&text)
}

fn run(scenario: &Scenario, seed: u64) -> Outcome {
    simulate(scenario, RunId { seed, replication: 0 })
}

fn all_emptied(scenario: &Scenario) -> usize {
    scenario.milestones.iter().position(|known| *known == Milestone::AllEmptied).unwrap()
}

fn emptied(scenario: &Scenario, seed: u64) -> Option<Time> {
    run(scenario, seed).reached[all_emptied(scenario)]
}

fn took(scenario: &Scenario, seed: u64) -> f64 {
    emptied(scenario, seed).expect("it finishes").since(scenario.as_of).secs()
}

#[test]
fn at_twice_the_speed_it_takes_half_the_time() {
    for seed in 0..5 {
        // One cluster for all: which cluster is next is asked of samples, which come when they come.
        let large = ("200 GB", "900 TB");
        let once = took(&scenario(&[large]), seed);
        let twice = took(&scenario(&[large, ("10 MB/s", "20 MB/s")]), seed);
        // Each end is rounded up to a microsecond.
        assert!((once / 2.0 - twice).abs() < 3_000.0 * 1e-6, "{once} s, {twice} s");
    }
}

#[test]
fn a_window_more_never_makes_it_earlier() {
    let windows = [
        "when = \"Mon-Fri 08:00-18:00\"\nstreams = 3",
        "when = \"daily 22:00-02:00\"\npause = true",
        "from = 2026-01-05T03:00:00\nuntil = 2026-01-06\nrate = \"5 MB/s\"",
        "when = \"Sat,Sun 00:00-12:00\"\nheads = [\"head-2\"]\nstreams = 1",
    ];
    for seed in 0..5 {
        let mut before = took(&scenario(&[]), seed);
        let mut all = String::new();
        for (number, window) in windows.iter().enumerate() {
            all = format!("{all}[[plan.window]]\nname = \"w{number}\"\n{window}\n");
            let with = took(&scenario(&[("[plan]\n", &format!("{all}[plan]\n"))]), seed);
            assert!(with >= before, "{before} s without, {with} s with {window:?}");
            before = with;
        }
    }
}

#[test]
fn more_of_a_link_never_makes_it_later() {
    let link = |megabytes_s: u32, stores: &str, traffic: &str| {
        format!(
            "[[link]]\nname = \"uplink\"\ncapacity = \"{megabytes_s} MB/s\"\nstores = [{stores}]\n{traffic}\n[plan]\n"
        )
    };
    let traffic = "[[link.traffic]]\nname = \"t\"\nload = \"30 %\"\nwhen = \"daily 22:00-06:00\"";
    for (stores, traffic) in [("\"head-1\"", ""), ("\"nas-2\"", traffic), ("\"head-2\", \"nas-1\"", traffic)] {
        for seed in 0..3 {
            let without = took(&scenario(&[]), seed);
            let mut before = f64::INFINITY;
            for megabytes_s in [15, 30, 50, 70, 80, 120] {
                let with = took(&scenario(&[("[plan]\n", &link(megabytes_s, stores, traffic))]), seed);
                assert!(
                    with <= before && with >= without,
                    "{before} s, {with} s at {megabytes_s} MB/s, {without} s without"
                );
                before = with;
            }
            // Eight streams of 10 MB/s go through 120 MB/s, of which at least 84 are left.
            assert!((before - without).abs() < 1e-9, "{before} s, {without} s without");
        }
    }
}

#[test]
fn a_larger_threshold_never_blocks() {
    for seed in 0..2 {
        let mut before: Option<(Option<Time>, u64)> = None;
        // The first cluster alone, and ever more of it: at first it does not hold all.
        for full_at in [10, 20, 40, 60, 80, 100] {
            let mut small = scenario(&[]);
            small.horizon = small.as_of + Span::from_secs(5 * 86_400);
            let clusters = &mut Arc::make_mut(&mut small.plan).placement.clusters;
            (clusters[0].rated, clusters[0].full_at) =
                (Bytes::new(1_000_000_000_000), Share::from_ppm(full_at * 10_000));
            clusters[1].rated = Bytes::new(1_000);
            let outcome = run(&small, seed);
            let now = (outcome.reached[all_emptied(&small)], outcome.moved);
            if let Some((date, moved)) = before {
                assert!(
                    now.1 >= moved && (now.0.is_some() || date.is_none()),
                    "{before:?}, then {now:?} at {full_at} %"
                );
            }
            before = Some(now);
        }
        assert!(before.is_some_and(|(date, _)| date.is_some()), "at last it holds all");
    }
}

#[test]
fn in_another_time_zone_every_date_is_later_by_as_much() {
    let window = "[[plan.window]]\nname = \"w\"\nwhen = \"Mon-Fri 08:00-18:00\"\nstreams = 3\n[plan]\n";
    for law in ["law = \"fixed\", streams = 8", "law = \"aimd\", utilisation = \"70 %\", max = 32"] {
        let here = scenario(&[("[plan]\n", window), ("law = \"fixed\", streams = 8", law)]);
        let there =
            scenario(&[("[plan]\n", window), ("law = \"fixed\", streams = 8", law), ("\"UTC\"", "\"Etc/GMT+5\"")]);
        for seed in 0..5 {
            let (here, there) = (run(&here, seed), run(&there, seed));
            for (here, there) in here.reached.iter().zip(&there.reached) {
                assert_eq!(here.map(|date| date + Span::from_secs(5 * 3_600)), *there);
            }
            assert_eq!((here.moved, here.steps), (there.moved, there.steps));
        }
    }
}

/// With feedback twice the speed does not halve the time: the throttle holds the load, not the speed.
#[test]
fn with_feedback_twice_the_speed_is_not_half_the_time() {
    let costly = ("[cost]", "[cost]\nhead_per_message = \"30 op\"");
    let law = ("law = \"fixed\", streams = 8", "law = \"aimd\", utilisation = \"60 %\", max = 64, start = 8");
    let once = took(&scenario(&[costly, law]), 1);
    let twice = took(&scenario(&[costly, law, ("10 MB/s", "20 MB/s")]), 1);
    assert!(twice > 0.7 * once, "{once} s, {twice} s");
}

/// With a guard that throws work away a pause can make it earlier. Copies take sixteen hours; with them the head is above
/// the guard's limit for ten hours of each working day, without them never. The pause keeps their work, the guard does not.
#[test]
fn with_a_guard_that_abandons_copies_a_pause_can_make_it_earlier() {
    let changes = [
        ("median = \"60 MB\", sigma = 1.2, max = \"10 GB\"", "median = \"576 GB\", sigma = 0.0, max = \"576 GB\""),
        ("200 GB", "9000 TB"),
        ("900 TB", "9000 TB"),
        ("activity = \"1 op/s\"", "activity = \"2.5 op/s\""),
        ("[cost]", "[cost]\nhead_per_stream = \"250 op/s\""),
        ("streams = 8", "streams = 8, abort_above = \"85 %\""),
    ];
    let moved = |windows: &str| {
        let plan = format!("{windows}[plan]\n");
        let mut scenario = scenario(&[&changes[..], &[("[plan]\n", &plan)]].concat());
        scenario.horizon = scenario.as_of + Span::from_secs(5 * 86_400);
        run(&scenario, 1).moved
    };
    let without = moved("");
    let with = moved("[[plan.window]]\nname = \"w\"\nwhen = \"Mon-Fri 09:00-21:00\"\npause = true\n");
    assert!(with > without, "{without} moved without the pause, {with} with it");
}
