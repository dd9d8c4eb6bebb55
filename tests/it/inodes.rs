//! Clusters that are full of files before they are full of bytes: closed forms, the report, and what is wrong with a limit.

use drawdown::fleet::ClusterId;
use drawdown::migration::message::{FullOf, Milestone};
use drawdown::scenario::{ReadSettings, Source, starter};
use drawdown::sim::{self, Outcome, RunId};
use drawdown::units::{Inodes, Share};

/// Mailboxes of 1,000 messages of 100 kB each, and twenty inodes more for their folders; two clusters with room for all bytes.
const FILES: &str = r#"
name = "Files"
time_zone = "UTC"
as_of = 2026-01-05T00:00:00
horizon = "30 days"
[[head]]
name = "head-1"
capacity = "1000000000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[[cluster]]
name = "nas-1"
rated = "900 TB"
full_at = "40 %"
ingest = "10 GB/s"
capacity = "1000000000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[[cluster]]
name = "nas-2"
rated = "900 TB"
full_at = "40 %"
ingest = "10 GB/s"
capacity = "1000000000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[population]
mailboxes = 2_000
split = { head-1 = "100 %" }
size = { median = "100 MB", sigma = 0.0, max = "100 MB" }
message = { mean = "100 kB" }
activity = "0 op/s"
[load]
profile = "flat"
[users]
objective = "10 ms"
[plan]
order = { heads = ["head-1"] }
placement = { rule = "sequential", slack = "0 %" }
throttle = { law = "fixed", streams = 8 }
move = { stream = "10 MB/s", setup = "0 s", purge_after = "never" }
"#;

/// A limit for 1,000 of them, at the threshold of bytes.
const LIMIT: &str = "cluster.nas-1.inodes=2550000";

fn read(overrides: &[&str]) -> Result<Source, String> {
    let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
    let settings = ReadSettings { overrides, allow_path: false };
    Source::from_text("files.toml", FILES, &settings).map_err(|problems| problems.to_string())
}

fn good(overrides: &[&str]) -> Source {
    read(overrides).unwrap_or_else(|problems| panic!("{problems}"))
}

fn run(source: &Source) -> Outcome {
    sim::simulate(source.middle(), RunId { seed: 1, replication: 0 })
}

fn reached(source: &Source, outcome: &Outcome, milestone: Milestone) -> bool {
    let place = source.middle().milestones.iter().position(|known| *known == milestone).expect("a milestone");
    outcome.reached[place].is_some()
}

const FIRST_FULL: Milestone = Milestone::ClusterFull { cluster: ClusterId(0), of: FullOf::Bytes };
const SECOND_OPENED: Milestone = Milestone::ClusterOpened { cluster: ClusterId(1) };

#[test]
fn a_cluster_takes_as_many_mailboxes_as_it_has_inodes_for_and_the_next_one_the_rest() {
    let source = good(&[LIMIT]);
    let outcome = run(&source);
    let inodes = outcome.clusters[0].inodes.as_ref().expect("a limit");
    // 1,020 of 2,550,000 are 400 millionths.
    let placed = inodes.final_fill.ppm() / 400;
    assert_eq!(inodes.final_fill.ppm() % 400, 0, "{inodes:?}");
    // Until the next sample what has just moved may count twice: it is never more, and a few less.
    assert!((960..=1_000).contains(&placed), "{placed}");
    assert!(inodes.filled && inodes.highest_placement <= Share::from_ppm(400_000), "{inodes:?}");
    assert_eq!(outcome.moved, 2_000);
    assert!(reached(&source, &outcome, FIRST_FULL) && reached(&source, &outcome, SECOND_OPENED));
    assert!(outcome.clusters[1].inodes.is_none());
    // The bytes are those of as many mailboxes, on both.
    let bytes: u32 = outcome.clusters.iter().map(|cluster| cluster.final_fill.ppm()).sum();
    assert!((222..=224).contains(&bytes), "2,000 of 100 MB are 222 millionths of 900 TB: {bytes}");
}

#[test]
fn what_is_on_a_cluster_already_and_a_threshold_of_its_own_leave_less() {
    let placed = |more: &[&str]| {
        let overrides: Vec<&str> = [LIMIT].iter().chain(more).copied().collect();
        let outcome = run(&good(&overrides));
        let inodes = outcome.clusters[0].inodes.clone().expect("a limit");
        (inodes.final_fill.ppm(), inodes.highest_placement.ppm())
    };
    // A quarter of what may be filled is there already.
    let (fill, highest) = placed(&["cluster.nas-1.inodes_used=255000"]);
    assert!((384_000..=400_000).contains(&fill) && highest <= 400_000, "{fill} {highest}");
    let (fill, highest) = placed(&["cluster.nas-1.inodes_full_at=10 %"]);
    assert!((84_000..=100_000).contains(&fill) && highest <= 100_000, "{fill} {highest}");
    // Folders of a thousand directories each: half as many mailboxes.
    let (fill, _) = placed(&["population.inodes_per_mailbox=1040"]);
    assert!((368_000..=400_000).contains(&fill), "{fill}");
    // What has moved before the start fills it in the plan's order, too.
    let moved = good(&[LIMIT, "population.moved={ head-1 = '75 %' }"]);
    let outcome = run(&moved);
    assert_eq!(outcome.clusters[0].inodes.as_ref().expect("a limit").final_fill, Share::from_ppm(400_000));
    assert_eq!(outcome.moved, 500);
}

#[test]
fn a_limit_that_never_binds_changes_nothing_but_what_is_told_of_it() {
    let settings = |more: &[&str]| {
        let overrides = ["population.mailboxes=2000", "horizon=60 days"].iter().chain(more);
        ReadSettings { overrides: overrides.map(|&setting| setting.to_owned()).collect(), allow_path: false }
    };
    let read = |more: &[&str]| Source::from_text("starter", starter(), &settings(more)).expect("a scenario");
    let (free, with) = (read(&[]), read(&["cluster.nas-1.inodes=90000000000000"]));
    for replication in 0..3 {
        let of = |source: &Source| {
            let outcome = sim::simulate(source.middle(), RunId { seed: 3, replication });
            let clusters = outcome.clusters.iter().cloned();
            let clusters = clusters.map(|cluster| sim::ClusterOutcome { inodes: None, ..cluster }).collect();
            Outcome { clusters, ..outcome }
        };
        assert_eq!(of(&free), of(&with));
    }
}

#[test]
fn a_plan_for_which_there_are_too_few_inodes_is_refused_before_anything_is_simulated() {
    let both = [LIMIT, "cluster.nas-2.inodes=2400000"];
    let problems = read(&both).expect_err("60,000 too few");
    assert!(
        problems.contains(
            "too few inodes: needs 60000 inodes more by 2026-02-04 (2000 mailboxes of 1020 inodes on average"
        ),
        "{problems}"
    );
    // With what is there, and with the second one at a higher threshold, there are enough.
    assert!(read(&[&both[..], &["cluster.nas-2.inodes_full_at=50 %"]].concat()).is_ok());
    assert!(
        read(&[&both[..], &["cluster.nas-1.inodes_used=500000", "cluster.nas-2.inodes_full_at=50 %"]].concat())
            .is_err()
    );
    // New mail is a warning: the migration may end before.
    let grows = good(&[LIMIT, "cluster.nas-2.inodes=2560000", "population.growth=1 % / day"]);
    let warnings: Vec<String> = grows.warnings().iter().map(|problem| problem.message.clone()).collect();
    assert!(
        warnings.iter().any(|told| told.contains("with new mail and new accounts until 2026-02-04")),
        "{warnings:?}"
    );
    let moved = read(&[LIMIT, "population.moved={ head-1 = '75 %' }", "cluster.nas-2.in_service=2026-01-20"]);
    let problems = moved.expect_err("only the first is in service");
    assert!(problems.contains("the mailboxes already moved take 1.5 million inodes"), "{problems}");
}

#[test]
fn a_limit_that_makes_no_sense_is_refused_with_its_place() {
    let wrong = |set: &[&str]| read(set).expect_err("a problem");
    for (set, told) in [
        (&["cluster.nas-1.inodes=0"][..], "cluster.nas-1.inodes: is 0, must be between 1 and"),
        (&["cluster.nas-1.inodes=1.5"], "cluster.nas-1.inodes"),
        (&["cluster.nas-1.inodes='40 TB'"], "cluster.nas-1.inodes"),
        (&["cluster.nas-1.inodes_used=10"], "cluster.nas-1.inodes_used: needs inodes"),
        (&["cluster.nas-1.inodes_full_at=40 %"], "cluster.nas-1.inodes_full_at: needs inodes"),
        (
            &[LIMIT, "cluster.nas-1.inodes_used=2550001"],
            "is 2550001, more than the 2550000 that the cluster is rated for",
        ),
        (&[LIMIT, "cluster.nas-1.inodes_full_at=140 %"], "cluster.nas-1.inodes_full_at"),
        (&["cluster.nas-1.inodes=2"], "inodes leave room for no file below their threshold"),
        (&["population.inodes_per_mailbox=-1"], "population.inodes_per_mailbox"),
    ] {
        let problems = wrong(set);
        assert!(problems.contains(told), "{set:?}: {problems}");
    }
    // An uncertain rating is drawn as any other number is.
    let source = good(&["cluster.nas-1.inodes={ low = 2000000, high = 3000000 }"]);
    let drawn = source.realise(&mut |_| 0.25);
    assert_eq!(drawn.plan.placement.clusters[0].inodes.map(|plan| plan.rated), Some(Inodes::new(2_250_000)));
}
