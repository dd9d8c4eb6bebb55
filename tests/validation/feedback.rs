//! A migration whose speed follows the load, and whose moves change the load: two closed forms.

use drawdown::migration::message::Event;
use drawdown::scenario::Scenario;
use drawdown::sim::{RunId, TraceItem, trace};

use super::document;
use super::setup::{IDLE, Plain};

const MAILBOXES: u32 = 200_000;
const PAIRS: [(f64, f64); 7] = [(0.2, 0.7), (0.3, 0.5), (0.4, 0.6), (0.5, 0.7), (0.6, 0.7), (0.6, 0.9), (0.7, 0.8)];
/// At no load at all.
const STREAMS: u32 = 800;
/// Of one mailbox, seconds.
const MOVE_S: f64 = 2.0;

/// When each mailbox had moved, seconds from the start.
fn moved(scenario: &Scenario) -> Vec<f64> {
    let mut times = Vec::new();
    trace(scenario, RunId { seed: 1, replication: 0 }, &mut |row| {
        if let TraceItem::Event(Event::SwitchEnded { .. }) = row.item {
            times.push(row.now.since(scenario.as_of).secs());
        }
    });
    assert_eq!(times.len(), scenario.model.population.mailboxes as usize);
    times
}

/// A pace on the straight line from `STREAMS` without load to none at the cap.
fn scenario(mailboxes: u32, cap: f64, head: &str, cluster: &str) -> Scenario {
    let throttle = format!(
        "law = \"steps\", table = [[\"0 %\", {STREAMS}], [\"{} %\", 0]], interpolate = true, min = 0, max = {STREAMS}, \
         every = \"1 s\"",
        cap * 1e2
    );
    let plain = Plain {
        mailboxes,
        size: "50 MB",
        activity: "1 op/s",
        head,
        cluster: &format!("ingest = \"1000 TB/s\"\n{cluster}"),
        throttle: &throttle,
        step: "1 s",
        copying: "stream = \"25 MB/s\"",
        more: "[probe]\nevery = \"1 s\"",
    };
    plain.read()
}

/// Share moved a second for a headroom of one.
fn rate(cap: f64) -> f64 {
    f64::from(STREAMS) / (cap * f64::from(MAILBOXES) * MOVE_S)
}

fn busy(mailboxes: u32, load: f64) -> String {
    let capacity = f64::from(mailboxes) / load;
    format!("capacity = \"{capacity:.0} op/s\"\nlatency = {{ points = [[\"100 %\", \"1 ms\"]] }}")
}

fn row(load: f64, cap: f64, closed: f64, simulated: f64) -> Vec<String> {
    let off = simulated / closed - 1.0;
    assert!(off.abs() < 0.01, "load {load}, cap {cap}: {simulated} s, {closed} s by the closed form");
    let cells = [format!("{load:.2}"), format!("{cap:.2}"), format!("{closed:.1} s"), format!("{simulated:.1} s")];
    [&cells[..], &[format!("{:+.2} %", off * 1e2)]].concat()
}

const HEAD: [&str; 5] = ["load", "cap", "closed form", "simulated", "off by"];

fn source(load: f64, cap: f64) -> Vec<String> {
    let closed = (cap / (cap - load)).ln() / (rate(cap) * load);
    let times = moved(&scenario(MAILBOXES, cap, &busy(MAILBOXES, load), IDLE));
    row(load, cap, closed, *times.last().unwrap())
}

fn target(load: f64, cap: f64) -> Vec<String> {
    let closed = -(1.0 - load / cap).ln() / (rate(cap) * load);
    let times = moved(&scenario(MAILBOXES, cap, IDLE, &busy(MAILBOXES, load)));
    row(load, cap, closed, *times.last().unwrap())
}

#[test]
fn a_migration_that_relieves_its_source_takes_as_long_as_the_closed_form_says() {
    source(0.6, 0.7);
}

#[test]
#[ignore = "minutes unless optimised: cargo test --profile dev --test validation -- --include-ignored"]
fn a_source_that_is_relieved_is_drained_ever_faster() {
    document::shows("source", &HEAD, &PAIRS.map(|(load, cap)| source(load, cap)));
}

#[test]
#[ignore = "minutes unless optimised: cargo test --profile dev --test validation -- --include-ignored"]
fn a_target_that_fills_is_filled_ever_slower() {
    document::shows("target", &HEAD, &PAIRS.map(|(load, cap)| target(load, cap)));
}

/// What a progress bar would say that looks at the speed between half a per cent and two, over what comes true.
#[test]
#[ignore = "minutes unless optimised: cargo test --profile dev --test validation -- --include-ignored"]
fn a_constant_rate_estimate_is_wrong_by_as_much_as_the_closed_form_says() {
    let (load, cap, shares) = (0.6_f64, 0.7_f64, [0.005_f64, 0.02]);
    // So many that the first copies, which all begin and end together, are few of those looked at.
    let mailboxes = 2_000_000;
    let [first, second] = shares.map(|share| (share * f64::from(mailboxes)) as usize - 1);
    let between = shares[1] - shares[0];
    let mut rows = Vec::new();
    let source = moved(&scenario(mailboxes, cap, &busy(mailboxes, load), IDLE));
    let target = moved(&scenario(mailboxes, cap, IDLE, &busy(mailboxes, load)));
    // Time from the one share to the other, over that to the end: both in units of 1 / (k load).
    let headroom = [shares.map(|share| cap - load * (1.0 - share)), shares.map(|share| cap - load * share)];
    let closed = [
        (headroom[0][1] / headroom[0][0]).ln() / between / (cap / (cap - load)).ln(),
        (headroom[1][1] / headroom[1][0]).ln() / between / (1.0 - load / cap).ln(),
    ];
    let limits = [load / (cap - load) / (cap / (cap - load)).ln(), -load / cap / (1.0 - load / cap).ln()];
    for (place, (what, times)) in [("source", source), ("target", target)].into_iter().enumerate() {
        let simulated = (times[second] - times[first]) / between / times.last().unwrap();
        let off = simulated / closed[place] - 1.0;
        assert!(off.abs() < 0.02, "{what}: {simulated} x, {} x by the closed form", closed[place]);
        let numbers = [limits[place], closed[place], simulated].map(|number| format!("{number:.2} x"));
        rows.push([&[what.to_owned()], &numbers[..]].concat());
    }
    assert!((limits[0] - 3.1).abs() < 0.05, "{}", limits[0]);
    let head = ["what changes the load", "at the very start", "from 0.5 to 2 %", "simulated"];
    document::shows("bias", &head, &rows);
}
