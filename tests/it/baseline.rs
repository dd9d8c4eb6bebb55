//! `check --baseline`: forecasts held against published ones, through the program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test of a program")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use drawdown::report::files::sha256;
use serde_json::Value;
use tempfile::TempDir;

/// Eight streams of about 1.8 kB/s: a week or so, by chance a day more or less.
const SCENARIO: &str = r#"
name = "A week"
time_zone = "UTC"
as_of = 2012-10-01T00:00:00
horizon = "60 days"

[[head]]
name = "head-1"
capacity = "10000 op/s"
latency = { preset = "specsfs2008-fas3140" }

[[cluster]]
name = "nas-1"
rated = "10 TB"
full_at = "80 %"
ingest = "10 GB/s"
capacity = "100000 op/s"
latency = { points = [["100 %", "1 ms"]] }

[population]
mailboxes = 100
split = { head-1 = "100 %" }
size = { median = "50 MB", sigma = 0.8, max = "500 MB" }
message = { mean = "100 kB" }
activity = "0.04 op/s"

[load]
profile = "flat"
step = "1 h"

[probe]
every = "2 h"
clusters_every = "2 h"

[cost]
purge_rate = "200 / s"

[faults]
transient = "5 %"

[users]
objective = "10 ms"

[plan]
order = { heads = ["head-1"] }
throttle = { law = "fixed", streams = 8 }
move = { stream = { low = "1.5 kB/s", mid = "1.8 kB/s", high = "2 kB/s" }, purge_after = "1 h" }

[forecast]
seed = 1
minimum = 40
batch = 40
maximum = 40
chance_only = 0
"#;

struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("week.toml"), SCENARIO).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::cargo_bin("drawdown").unwrap();
        command.env_remove("GITHUB_STEP_SUMMARY").env_remove("CLICOLOR_FORCE").current_dir(self.folder.path());
        command.args(words);
        command
    }

    /// Publishes a forecast.
    fn publish(&self, to: &str, sets: &[&str]) {
        let mut command = self.command(&["forecast", "week.toml", "--quiet", "--output", to]);
        command.args(sets.iter().flat_map(|set| ["--set", set]));
        command.assert().success();
    }

    fn check(&self, baseline: &str, words: &[&str], sets: &[&str]) -> Command {
        let mut command = self.command(&["check", "week.toml", "--quiet", "--output", "new", "--baseline", baseline]);
        command.args(words);
        command.args(sets.iter().flat_map(|set| ["--set", set]));
        command
    }

    fn json(&self, baseline: &str, sets: &[&str]) -> Value {
        let assert = self.check(baseline, &["--json", "--no-files"], sets).assert().success();
        serde_json::from_slice(&assert.get_output().stdout).unwrap()
    }
}

fn milestone<'a>(document: &'a Value, name: &str) -> &'a Value {
    let all = document["gates"][0]["since_last_forecast"]["milestones"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name} in {document}"))
}

fn days(part: &Value) -> f64 {
    part["days"].as_f64().unwrap_or_else(|| panic!("{part}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn nothing_changed_is_exactly_nothing_and_one_line() {
    let stage = Stage::new();
    stage.publish("published", &[]);
    let assert = stage.check("published", &[], &[]).assert().success();
    let page = text(&assert.get_output().stdout);
    let line = "No date has moved since the last forecast (version 0.1.0, 40 replications).";
    assert_eq!(page.lines().nth(2), Some(line), "{page}");
    assert!(!page.contains("why"), "{page}");
    let document = stage.json("published", &[]);
    for one in document["gates"][0]["since_last_forecast"]["milestones"].as_array().unwrap() {
        if one["name"] == "nas-1 full" {
            assert_eq!(one["found"], "not reached in either");
            continue;
        }
        assert_eq!((&one["found"], days(&one["shift"])), (&"unchanged".into(), 0.0), "{one}");
        assert_eq!((one["shift"]["low_days"].as_f64(), one["shift"]["high_days"].as_f64()), (Some(0.0), Some(0.0)));
    }
    // Twice the same bytes; what was written is a baseline itself.
    let again = stage.check("new", &[], &[]).assert().success();
    assert_eq!(text(&again.get_output().stdout), page);
}

#[test]
fn a_forecast_shows_what_has_happened_beside_what_had_been_forecast() {
    let stage = Stage::new();
    let forecast = |words: &[&str]| {
        let mut command = stage.command(&["forecast", "week.toml", "--quiet", "--output", "new"]);
        let output = command.args(words).assert().success().get_output().clone();
        let said = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        (said, text(&output.stderr))
    };
    let later = ["--set", "as_of=2012-10-04T00:00:00", "--set", "population.moved={ head-1 = '10 %' }"];
    let with_baseline = [&later[..], &["--baseline", "published"]].concat();
    fs::create_dir(stage.path("published")).unwrap();
    // After what is dubious in the scenario: its probes are seldom.
    let said = forecast(&with_baseline).1;
    let why = "\n--baseline: nothing was published of this scenario: nothing stands beside it\n";
    assert!(said.starts_with("warning: week.toml:") && said.ends_with(why), "{said}");
    stage.publish("published", &[]);
    let (page, _) = forecast(&with_baseline);
    assert!(page.contains("BESIDE WHAT HAD BEEN FORECAST The forecast of October 1 had "), "{page}");
    assert!(page.contains("; there are 90: ") && page.contains(" days behind it, outside its range."), "{page}");
    assert!(page.contains("Everything was to be off the old storage October "), "{page}");
    let read = |name: &str| fs::read_to_string(stage.path("new/week").join(name)).unwrap();
    assert!(
        read("report.html").contains("As forecast, and as it came")
            && read("past.svg").contains("forecast of October 1")
    );
    assert!(read("report.md").contains("\n## Beside what had been forecast\n"));
    // A gate's report has it too, and one without an earlier forecast leaves nothing of it behind.
    let sets = ["as_of=2012-10-04T00:00:00", "population.moved={ head-1 = '10 %' }"];
    fs::remove_file(stage.path("new/week/past.svg")).unwrap();
    stage.check("published", &[], &sets).assert().success();
    assert!(read("past.svg").contains("forecast of October 1"));
    let _ = forecast(&later);
    assert!(!stage.path("new/week/past.svg").exists());
    let said = forecast(&["--baseline", "published"]).1;
    let why = "\n--baseline: no time has passed since the forecast published last: nothing stands beside it\n";
    assert!(said.ends_with(why), "{said}");
    stage.command(&["forecast", "week.toml", "--baseline", "published/week"]).assert().code(2);
}

#[test]
fn a_day_is_called_whatever_the_seeds_and_nothing_is_not() {
    let stage = Stage::new();
    let (mut called, mut called_wrongly) = (0, 0);
    for seed in 0..12 {
        let published = format!("published-{seed}");
        stage.publish(&published, &[&format!("forecast.seed={}", 100 + seed)]);
        let present = format!("forecast.seed={}", 200 + seed);
        let later = stage.json(&published, &[&present, "cluster.nas-1.in_service=2012-10-02"]);
        let moved = milestone(&later, "all emptied");
        called += u32::from(moved["found"] == "later");
        assert!(moved["other_seed"]["days"].as_f64().is_some_and(|days| days != 0.0), "{moved}");
        let same = stage.json(&published, &[&present]);
        let found = &milestone(&same, "all emptied")["found"];
        called_wrongly += u32::from(found == "later" || found == "earlier");
    }
    assert!(called >= 11 && called_wrongly <= 1, "called in {called} of 12, wrongly in {called_wrongly}");
}

#[test]
fn the_causes_add_up_to_the_whole() {
    let stage = Stage::new();
    stage.publish("published", &[]);
    let sets =
        ["population.mailboxes=120", "plan.throttle.streams=6", "faults.transient='10 %'", "users.objective='12 ms'"];
    let document = stage.json("published", &sets);
    let since = &document["gates"][0]["since_last_forecast"];
    let names: Vec<&str> =
        since["inputs"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["population.mailboxes", "faults.transient", "plan.throttle.streams"]);
    assert_eq!(since["inputs"][2]["keys"][0]["before"], "8");
    let moved = milestone(&document, "all emptied");
    assert_eq!(moved["found"], "later");
    let parts: Vec<f64> = moved["inputs"].as_array().unwrap().iter().map(days).collect();
    // A fifth more mailboxes, and a third more time for each, at about a week.
    assert!(parts[0] > 1.0 && parts[2] > 2.0 && parts[1] > 0.0 && parts[1] < parts[0], "{parts:?}");
    let sum = parts.iter().sum::<f64>() + days(&moved["together"]) + days(&moved["program_and_state"]);
    assert!((sum - days(&moved["shift"])).abs() < 1e-9, "{moved}");
    // The forecast's own files have it too, of the same shape.
    let written = stage.check("published", &["--json"], &sets).assert().success();
    let gates: Value = serde_json::from_slice(&written.get_output().stdout).unwrap();
    let read = |name: &str| fs::read_to_string(stage.path("new/week").join(name)).unwrap();
    let forecast: Value = serde_json::from_str(&read("forecast.json")).unwrap();
    assert_eq!(forecast["since_last_forecast"], gates["gates"][0]["since_last_forecast"]);
    let schema = stage.command(&["schema", "forecast"]).assert().success();
    let schema: Value = serde_json::from_slice(&schema.get_output().stdout).unwrap();
    assert!(jsonschema::is_valid(&schema, &forecast));
    assert!(read("report.html").contains("plan.throttle.streams: 8 -&gt; 6"));
    assert!(read("report.md").contains("\n## Since the last forecast\n"));
    // Both at once: more than the one and the other.
    assert!((days(&moved["program_and_state"])).abs() < 1e-12 && days(&moved["together"]).abs() > 0.1, "{moved}");
    let page = text(&stage.check("published", &[], &sets).assert().success().get_output().stdout);
    assert!(page.contains("plan.throttle.streams: 8 -> 6") && page.contains("SINCE THE LAST FORECAST"), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}

#[test]
fn later_fails_where_that_is_asked_for() {
    let stage = Stage::new();
    stage.publish("published", &[]);
    let later = ["plan.throttle.streams=6"];
    stage.check("published", &[], &later).assert().code(0);
    let words = ["--fail-if-later", "--junit", "check.xml", "--summary", "check.md"];
    stage.check("published", &words, &later).assert().code(10);
    let junit = fs::read_to_string(stage.path("check.xml")).unwrap();
    assert!(junit.contains("no date later than in the last forecast") && junit.contains("failures=\"1\""), "{junit}");
    let summary = fs::read_to_string(stage.path("check.md")).unwrap();
    assert!(summary.contains("all emptied later by"), "{summary}");
    stage.check("published", &words, &["plan.throttle.streams=10"]).assert().code(0);
    stage.check("published", &["--fail-if-later", "--margin", "30 days"], &later).assert().code(0);
    stage.check("published", &["--margin", "soon"], &later).assert().code(2);
    // In one folder, what has failed once would pass when it is run again.
    let mut one =
        stage.command(&["check", "week.toml", "--baseline", "published", "--output", "published", "--fail-if-later"]);
    let said = text(&one.assert().code(2).get_output().stderr);
    assert!(said.contains("--baseline and --output are one folder"), "{said}");
}

#[test]
fn what_is_reached_or_never_reached_is_no_delay_and_no_proof_of_none() {
    let stage = Stage::new();
    let asked = "forecast.milestones=['20 % moved']";
    stage.publish("published", &[asked]);
    // Three days later all is on plan: what lies behind is not late.
    let progress = ["as_of=2012-10-04T00:00:00", "population.moved={ head-1 = '42 %' }", asked];
    let words = ["--fail-if-later", "--margin", "3 days", "--json"];
    let said = stage.check("published", &words, &progress).assert().code(0);
    let document: Value = serde_json::from_slice(&said.get_output().stdout).unwrap();
    assert_eq!(milestone(&document, "20 % moved")["found"], "reached since");
    assert_eq!(document["gates"][0]["since_last_forecast"]["inputs"][0]["name"], "progress made meanwhile");
    // A horizon that hides every date proves nothing.
    let hidden = ["horizon='2 days'", "plan.throttle.streams=1"];
    let said = stage.check("published", &["--fail-if-later"], &hidden).assert().code(11);
    let page = text(&said.get_output().stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("all emptied is reached by the horizon in neither"), "{page}");
    assert!(page.contains("The horizon is earlier than it was"), "{page}");
    stage.check("published", &["--fail-if-later", "--inconclusive", "pass"], &hidden).assert().code(0);
}

#[test]
fn what_is_only_expected_is_compared_like_any_other_date() {
    let stage = Stage::new();
    let expect = "expect=[{ milestone = '40 % moved', by = 2012-12-01, probability = '50 %' }]";
    stage.publish("published", &[expect]);
    let said = stage.check("published", &["--json", "--no-files"], &[expect, "plan.throttle.streams=5"]).assert();
    let document: Value = serde_json::from_slice(&said.code(0).get_output().stdout).unwrap();
    assert_eq!(milestone(&document, "40 % moved")["found"], "later");
}

#[test]
fn an_earlier_scenario_that_is_none_any_more_still_has_its_dates() {
    let stage = Stage::new();
    stage.publish("published", &[]);
    let folder = stage.path("published/week");
    forge(&folder, "scenario.toml", "[users]", "[users]\nunheard_of = 3");
    let page = text(&stage.check("published", &[], &["plan.throttle.streams=6"]).assert().code(0).get_output().stdout);
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("all emptied later by") && page.contains("all that has changed"), "{page}");
    assert!(page.contains("cannot be simulated any more") && page.contains("unheard_of"), "{page}");
    forge(&folder, "scenario.toml", "[users]", "[users");
    let said = text(&stage.check("published", &[], &[]).assert().code(2).get_output().stderr);
    assert!(said.contains("scenario.toml: ") && said.contains("not valid TOML"), "{said}");
    let said = text(&stage.check("published/week", &[], &[]).assert().code(2).get_output().stderr);
    assert!(said.contains("is the folder of one scenario"), "{said}");
}

#[test]
fn stores_that_come_and_go_are_named() {
    let stage = Stage::new();
    stage.publish("published", &[]);
    let cluster = r#"cluster=[{ name = "nas-7", rated = "10 TB", full_at = "80 %", ingest = "10 GB/s",
        capacity = "100000 op/s", latency = { points = [["100 %", "1 ms"]] } }]"#;
    let document = stage.json("published", &[cluster]);
    assert_eq!(milestone(&document, "nas-7 opened")["found"], "new");
    assert_eq!(milestone(&document, "nas-1 opened")["found"], "removed");
    // Neither makes a scenario alone: there would be no cluster, or two.
    let moved = milestone(&document, "all emptied");
    assert_eq!(moved["inputs"].as_array().unwrap().len(), 2);
    let sum: f64 = moved["inputs"].as_array().unwrap().iter().filter(|part| !part.is_null()).map(days).sum();
    let all = sum + days(&moved["together"]) + days(&moved["program_and_state"]);
    assert!((all - days(&moved["shift"])).abs() < 1e-9, "{moved}");
}

/// Changes a file and what the manifest says of it.
fn forge(folder: &Path, name: &str, from: &str, to: &str) {
    let hash = |text: &str| sha256(text.as_bytes());
    let before = fs::read_to_string(folder.join(name)).unwrap();
    let after = before.replace(from, to);
    assert_ne!(before, after);
    fs::write(folder.join(name), &after).unwrap();
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    fs::write(folder.join("manifest.json"), manifest.replace(&hash(&before), &hash(&after))).unwrap();
}

#[test]
fn another_program_and_other_draws_are_told() {
    let stage = Stage::new();
    stage.publish("published", &[]);
    let folder = stage.path("published/week");
    forge(&folder, "manifest.json", "\"version\": \"0.1.0\"", "\"version\": \"0.0.9\"");
    // As if that version had been a day faster.
    forge(&folder, "replications.csv", ",2012-10-0", ",2012-09-0");
    let document = stage.json("published", &[]);
    let since = &document["gates"][0]["since_last_forecast"];
    assert_eq!(since["program_and_state"], "the program: version 0.0.9 -> 0.1.0");
    let moved = milestone(&document, "all emptied");
    assert!(days(&moved["program_and_state"]) > 1.0 && moved["shift"] == moved["program_and_state"], "{moved}");
    forge(&folder, "manifest.json", "\"draw_scheme\": 1", "\"draw_scheme\": 0");
    let page = text(&stage.check("published", &[], &[]).assert().success().get_output().stdout);
    assert!(page.contains("draws otherwise than it did (scheme 0 -> 1)"), "{page}");
}

#[test]
fn what_cannot_be_compared_with_is_said_before_anything_is_simulated() {
    let stage = Stage::new();
    let said = |assert: assert_cmd::assert::Assert| text(&assert.get_output().stderr);
    let missing = said(stage.check("nowhere", &[], &[]).assert().code(2));
    assert!(missing.contains("--baseline: nowhere is no folder"), "{missing}");
    fs::create_dir(stage.path("empty")).unwrap();
    let first = stage.check("empty", &["--fail-if-later"], &[]).assert().code(0);
    let page = text(&first.get_output().stdout);
    assert!(page.contains("No forecast was published before: nothing to compare with"), "{page}");
    stage.publish("published", &[]);
    let rows = stage.path("published/week/replications.csv");
    fs::write(&rows, fs::read_to_string(&rows).unwrap().replacen("2012", "2011", 1)).unwrap();
    let damaged = said(stage.check("published", &[], &[]).assert().code(2));
    assert!(damaged.contains("replications.csv: is not the file that manifest.json names"), "{damaged}");
    assert!(!stage.path("new/week/run.json").exists() || first.get_output().status.success());
}
