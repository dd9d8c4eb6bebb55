//! `what-if` and `compare`, through the program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test of a program")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A head that is busy and a throttle that follows its latency: what is capacity binds, and what is ample does not.
const SCENARIO: &str = r#"
name = "A small drain"
time_zone = "UTC"
as_of = 2012-10-01T00:00:00
horizon = "60 days"

[[head]]
name = "head-1"
capacity = "100 op/s"
latency = { preset = "specsfs2008-fas3140" }
health = { outages = "0.5 / week", at_utilisation = "70 %", growth = 6.0, repair = { median = "2 h", sigma = 0.8 } }

[[cluster]]
name = "nas-1"
rated = "400 GB"
full_at = "80 %"
ingest = "10 GB/s"
capacity = "100000 op/s"
latency = { points = [["100 %", "1 ms"]] }

[[cluster]]
name = "nas-2"
rated = "400 GB"
full_at = "80 %"
ingest = "10 GB/s"
capacity = "100000 op/s"
latency = { points = [["100 %", "1 ms"]] }

[population]
mailboxes = 1500
split = { head-1 = "100 %" }
size = { median = { low = "60 MB", mid = "70 MB", high = "80 MB" }, sigma = 1.0, max = "500 MB" }
message = { mean = "100 kB", sigma = 0.5 }
activity = { mean = "0.03 op/s", spread = 1.0 }
deletions = "2 / day"

[load]
profile = "business-mail"
noise = { sigma = 0.1, correlation = "3 h" }
step = "1 h"

[probe]
every = "1 h"
phase = "0 %"
clusters_every = "1 h"
noise = 0.03

[cost]
head_per_message = { low = "12 op", mid = "15 op", high = "18 op" }
lock = "1 s"
purge_rate = "200 / s"

[faults]
transient = "2 %"

[users]
objective = "10 ms"

[plan]
order = { heads = ["head-1"] }
throttle = { law = "aimd", latency = "4 ms", start = 2, min = 1, max = 24, every = "1 h" }
move = { stream = "10 MB/s", purge_after = "1 day" }

[forecast]
seed = 5
"#;

pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("small.toml"), SCENARIO).unwrap();
        Self { folder }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::cargo_bin("drawdown").unwrap();
        command.current_dir(self.folder.path()).args(words);
        command
    }

    /// What it prints as data.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let output = self.command(words).args(["--json", "--no-files", "--quiet"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What it says when it refuses.
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(!self.path("output").exists(), "something was written");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn milestone<'a>(document: &'a Value, variant: usize, name: &str) -> &'a Value {
    let all = document["variants"][variant]["milestones"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

fn days(shifted: &Value) -> f64 {
    shifted["shift"]["days"].as_f64().unwrap()
}

#[test]
fn what_binds_moves_the_date_and_what_does_not_moves_it_by_exactly_nothing() {
    let stage = Stage::new();
    let document = stage.json(&[
        "what-if",
        "small.toml",
        "--replications",
        "40",
        "--variant",
        "more capacity: head.head-1.capacity=105 op/s",
        "--variant",
        "the same: plan.throttle.max=24",
        "--variant",
        "ample ingest: cluster.nas-1.ingest=20 GB/s, cluster.nas-2.ingest=20 GB/s",
        "--variant",
        "a window that is never open: plan.throttle.max=24,head.head-1.capacity=100 op/s",
    ]);
    let more = milestone(&document, 0, "all emptied");
    assert_eq!(more["verdict"], "earlier", "{more}");
    assert!(more["shift"]["high_days"].as_f64().unwrap() < 0.0, "{more}");
    assert!(more["effective_replications"].as_f64().unwrap() > 40.0, "{more}");
    for same in 1..4 {
        for one in document["variants"][same]["milestones"].as_array().unwrap() {
            assert!(one["verdict"] == "same" || one["verdict"] == "in neither", "{same}: {one}");
            assert!(days(one) == 0.0 && one["shift"]["error_days"] == 0.0, "{same}: {one}");
        }
        for one in document["variants"][same]["impact"].as_array().unwrap() {
            assert_eq!((&one["verdict"], one["difference"].as_f64()), (&"same".into(), Some(0.0)), "{same}: {one}");
        }
    }
    let notes = |variant: usize| document["variants"][variant]["notes"].to_string();
    assert!(notes(1).contains("it changes nothing") && !notes(2).contains("it changes nothing"));
    assert!(notes(3).contains("it is the same as the same"), "{}", notes(3));
    assert_eq!(document["variants"][2]["changes"].as_array().unwrap().len(), 2);
}

#[test]
fn users_are_told_what_it_costs_them() {
    let stage = Stage::new();
    let words = ["what-if", "small.toml", "--replications", "30", "--set", "plan.throttle.latency=8 ms"];
    let document = stage.json(&words);
    let impact = document["variants"][0]["impact"].as_array().unwrap();
    let of = |name: &str| impact.iter().find(|one| one["measure"] == name).unwrap();
    assert_eq!(impact.len(), 7);
    // A busier head is emptied sooner, so that fewer mailbox-hours are at risk, and is expected to break more often meanwhile.
    assert_eq!(of("mailbox_hours_at_risk")["verdict"], "less", "{impact:?}");
    assert_eq!(of("expected_mailbox_hours_down")["verdict"], "more", "{impact:?}");
    let mean = |name: &str| of(name)["mean"].as_f64().unwrap();
    assert!(0.0 < mean("minutes_above_objective_by_migration"), "{impact:?}");
    assert!(mean("minutes_above_objective_by_migration") < mean("minutes_above_objective"), "{impact:?}");
    let base = document["base"]["impact"].as_array().unwrap();
    let at_risk = base.iter().find(|one| one["measure"] == "mailbox_hours_at_risk").unwrap()["mean"].as_f64().unwrap();
    assert!((1_500.0..1_500.0 * 24.0 * 60.0).contains(&at_risk), "{at_risk}");
}

#[test]
fn the_files_are_the_same_for_any_number_of_threads() {
    let stage = Stage::new();
    for threads in ["1", "2"] {
        let words = ["what-if", "small.toml", "--set", "plan.throttle.max=12", "--replications", "12"];
        let mut command = stage.command(&words);
        let output = command.args(["--threads", threads, "--output", threads]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.starts_with("A small drain: what if\n"), "{page}");
    }
    for name in ["what-if.html", "what-if.md", "what-if.json", "shifts.svg", "shifts.png"] {
        let read = |threads: &str| fs::read(stage.path(threads).join("small-what-if").join(name)).unwrap();
        assert_eq!(read("1"), read("2"), "{name}");
    }
}

#[test]
fn scenarios_with_other_heads_are_compared_in_what_they_share() {
    let stage = Stage::new();
    let more = SCENARIO.replace("[[cluster]]\nname = \"nas-2\"", "[[cluster]]\nname = \"nas-9\"");
    stage.write("other.toml", &more.replace("mailboxes = 1500", "mailboxes = 1400"));
    let document = stage.json(&["compare", "small.toml", "other.toml", "--replications", "20"]);
    let variant = &document["variants"][0];
    assert_eq!(variant["name"], "other");
    assert_eq!(variant["milestones_missing"], serde_json::json!(["nas-2 opened", "nas-2 full"]));
    assert_eq!(variant["milestones_added"], serde_json::json!(["nas-9 opened", "nas-9 full"]));
    assert!(variant["notes"].to_string().contains("another population (1500 and 1400 mailboxes)"), "{variant}");
    assert_eq!(milestone(&document, 0, "all emptied")["verdict"], "earlier");
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_nothing_is_written() {
    let stage = Stage::new();
    let said = stage.refused(&[
        "what-if",
        "small.toml",
        "--variant",
        "typo: plan.throttle.maxx=5",
        "--variant",
        "bad value: head.head-1.capacity=0 op/s",
        "--variant",
        "no head: head.head-7.capacity=5 op/s",
    ]);
    for part in ["typo:", "did you mean `max`", "bad value:", "must be above 0", "no head:", "head-7"] {
        assert!(said.contains(part), "{part:?} not in {said}");
    }
    let said =
        stage.refused(&["what-if", "small.toml", "--variant", "a: b=1", "--variant", "a: c=1", "--variant", "x"]);
    assert!(said.contains("two are called \"a\"") && said.contains("has no name"), "{said}");
    assert!(stage.refused(&["what-if", "small.toml"]).contains("nothing is to be changed"));
    assert!(stage.refused(&["compare", "small.toml", "gone.toml"]).contains("gone.toml"));
    assert!(stage.refused(&["compare", "small.toml", "small.toml"]).contains("given twice"));
    let said = stage.refused(&["what-if", "gone.toml", "--set", "a=1", "--variant", "b: c=1"]);
    assert_eq!(said.matches("gone.toml").count(), 1, "{said}");
}

#[test]
fn the_documented_commands_are_there() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/what-if.md")).unwrap();
    assert!(text.lines().filter(|line| line.starts_with("$ cargo run")).count() >= 3);
}

#[test]
fn what_has_been_simulated_is_told_though_its_files_cannot_be_written() {
    let stage = Stage::new();
    stage.write("file", "mine");
    let few = ["--replications", "16", "--quiet", "--output", "file"];
    for words in [
        &["what-if", "small.toml", "--set", "plan.throttle.max=12"][..],
        &["explain", "small.toml"],
        &["recommend", "small.toml", "--subject-to", "mailbox_hours_at_risk <= 90000 with 50 %", "--budget", "64"],
    ] {
        let output = stage.command(words).args(few).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let (page, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(page.starts_with("A small drain: "), "{words:?}: {page}");
        assert!(said.lines().any(|line| line.starts_with("file")), "{words:?}: {said}");
    }
}
