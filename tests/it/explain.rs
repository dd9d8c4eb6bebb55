//! `explain`, through the program.

#![allow(clippy::unwrap_used, reason = "a test of a program")]

use std::fs;

use serde_json::Value;

use super::what_if::Stage;

fn limit<'a>(document: &'a Value, name: &str) -> &'a Value {
    let all = document["limits"].as_array().unwrap();
    all.iter().find(|one| one["limit"] == name).unwrap_or_else(|| panic!("no {name} in {document}"))
}

#[test]
fn it_names_what_binds_and_says_that_the_rest_does_not() {
    let stage = Stage::new();
    let mut words = vec!["explain", "small.toml", "--replications", "20", "--set", "head.head-1.capacity=400 op/s"];
    words.extend(["--set", "plan.throttle.sample_limit=2 h", "--set", "plan.placement.sample_limit=2 h"]);
    let document = stage.json(&words);
    assert_eq!(document["leading_cause"], "throttle", "{document}");
    let days = |one: &Value| one["shift"]["days"].as_f64().unwrap();
    let target = limit(&document, "target of the throttle");
    assert_eq!(target["verdict"], "earlier", "{target}");
    assert!(days(target) < 0.0 && target["shift"]["high_days"].as_f64().unwrap() < 0.0, "{target}");
    for ample in ["ingest of nas-1", "ingest of nas-2", "threshold of nas-1"] {
        let one = limit(&document, ample);
        assert_eq!((&one["verdict"], days(one)), (&"does not bind".into(), 0.0), "{one}");
    }
    let inputs = document["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), 2, "{inputs:?}");
    for input in inputs {
        let [low, high] = [0, 1].map(|end| days(&input["ends"][end]));
        assert!(low < 0.0 && high > 0.0, "larger mailboxes and dearer messages take longer: {input}");
    }
    let held = document["held"].as_array().unwrap();
    assert!(held[0]["head"].is_null() && held[1]["head"] == "head-1" && held.len() == 2);
    let sum: f64 = held[0]["days"].as_object().unwrap().values().map(|days| days.as_f64().unwrap()).sum();
    assert!((0.5..60.0).contains(&sum), "{sum}");
}

fn share<'a>(document: &'a Value, input: Option<&str>) -> &'a Value {
    let wanted: Vec<Value> = input.into_iter().map(Value::from).collect();
    let causes = document["shares"]["causes"].as_array().unwrap();
    causes
        .iter()
        .find(|one| one["inputs"] == Value::from(&wanted[..]))
        .unwrap_or_else(|| panic!("no {input:?} in {document}"))
}

#[test]
fn a_number_that_is_varied_joins_the_inputs_and_is_held_at_the_ends_that_are_given() {
    let stage = Stage::new();
    let settings = ["--set", "plan.throttle.sample_limit=2 h", "--set", "plan.placement.sample_limit=2 h"];
    let words = [&["explain", "small.toml", "--replications", "6"], &settings[..]].concat();
    let as_it_is = stage.json(&words);
    let vary = ["--vary", "head.head-1.capacity=90 op/s..400 op/s", "--morris=8", "--sobol=16"];
    let varied = stage.json(&[&words[..], &vary].concat());
    for part in ["held", "limits"] {
        assert_eq!(as_it_is[part], varied[part], "the scenario itself is what it was");
    }
    let inputs = varied["inputs"].as_array().unwrap();
    let of = |key: &str| inputs.iter().find(|one| one["keys"][0] == key).unwrap_or_else(|| panic!("no {key}"));
    let capacity = of("head.head-1.capacity");
    assert_eq!((inputs.len(), &capacity["varied"]), (3, &true.into()));
    let ends = [&capacity["ends"][0], &capacity["ends"][1]];
    assert_eq!((&ends[0]["value"], &ends[0]["level"]), (&"90 op/s".into(), &0.0.into()));
    assert_eq!((&ends[1]["value"], &ends[1]["level"]), (&"400 op/s".into(), &1.0.into()));
    assert_eq!(as_it_is["inputs"].as_array().unwrap().len(), 2);
    assert!(inputs.iter().filter(|one| one["varied"] == false).count() == 2, "{inputs:?}");
    let screened = varied["screening"]["inputs"].as_array().unwrap();
    assert_eq!((screened.len(), &varied["screening"]["trajectories"]), (3, &8.into()));
    let size = |key: &str| {
        let one = screened.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("no {key}"));
        one["mu_star"]["value"].as_f64().unwrap()
    };
    assert!(size("head.head-1.capacity") > 0.0, "{screened:?}");
    assert_eq!(varied["shares"]["rows"], 16);
    let total = |input| share(&varied, input)["in_all"]["value"].as_f64().unwrap();
    assert!(total(Some("head.head-1.capacity")) > 0.0 && total(None) >= 0.0, "{}", varied["shares"]);
    // What nothing is asked of is not there.
    assert!(as_it_is["screening"].is_null() && as_it_is["shares"].is_null());
}

#[test]
fn many_inputs_are_screened_in_place_of_a_tornado_unless_that_is_asked_for() {
    let stage = Stage::new();
    let keys = [
        ("plan.move.stream", "10 MB/s..20 MB/s"),
        ("plan.move.messages", "40 / s..80 / s"),
        ("plan.throttle.max", "12..24"),
        ("plan.throttle.every", "60 s..120 s"),
        ("head.head-1.capacity", "100 op/s..400 op/s"),
        ("cluster.nas-1.ingest", "1 GB/s..10 GB/s"),
        ("cluster.nas-2.ingest", "1 GB/s..10 GB/s"),
        ("cluster.nas-1.capacity", "40000 op/s..60000 op/s"),
        ("cluster.nas-2.capacity", "40000 op/s..60000 op/s"),
        ("plan.move.setup", "1 s..2 s"),
        ("plan.move.hold_at_most", "20 s..40 s"),
    ];
    let varied: Vec<String> = keys.iter().map(|(key, range)| format!("--vary={key}={range}")).collect();
    let mut words = vec!["explain", "small.toml", "--replications", "1"];
    words.extend(varied.iter().map(String::as_str));
    let document = stage.json(&words);
    assert_eq!(document["inputs"].as_array().unwrap().len(), 0);
    assert_eq!(document["screening"]["inputs"].as_array().unwrap().len(), 13, "two of them are the file's own");
    assert_eq!(document["screening"]["trajectories"], 20);
    let document = stage.json(&[&words[..], &["--tornado", "--morris=8"]].concat());
    assert_eq!(document["inputs"].as_array().unwrap().len(), 13);
    assert_eq!(document["screening"]["trajectories"], 8);
}

#[test]
fn what_cannot_be_varied_is_said_before_anything_is_simulated() {
    let stage = Stage::new();
    let said = stage.refused(&[
        "explain",
        "small.toml",
        "--vary",
        "plan.order.within=1..2",
        "--vary",
        "head.head-1.capacity=9 op/s..1 op/s:3",
    ]);
    assert!(said.contains("must be KEY=A..B here"), "{said}");
    let said = stage.refused(&[
        "explain",
        "small.toml",
        "--vary",
        "plan.order.within=1..2",
        "--vary",
        "plan.throttle.maxx=1..2",
    ]);
    assert!(said.contains("did you mean `max`") && said.contains("plan.order.within"), "{said}");
    let exact = ["explain", "small.toml", "--sobol", "--set", "cost.head_per_message=15 op"];
    let said = stage.refused(&[&exact[..], &["--set", "population.size.median=70 MB"]].concat());
    assert!(said.contains("nothing to hold against each other"), "{said}");
}

/// The scenario has a sample an hour, which counts for five minutes by default: nobody looks for that, and it is most of the time.
#[test]
fn samples_that_are_too_old_are_named() {
    let stage = Stage::new();
    let document = stage.json(&["explain", "small.toml", "--replications", "6"]);
    assert_eq!(document["leading_cause"], "outage", "{document}");
    assert_eq!(limit(&document, "age of samples")["verdict"], "earlier", "{document}");
}

#[test]
fn the_files_of_an_explanation_are_the_same_for_any_number_of_threads() {
    let stage = Stage::new();
    for threads in ["1", "2"] {
        let mut command = stage.command(&["explain", "small.toml", "--replications", "6", "--morris=8", "--sobol=16"]);
        let output = command.args(["--threads", threads, "--output", threads]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.starts_with("A small drain: what holds it back\n"), "{page}");
    }
    let charts = ["held", "tornado", "screening", "shares"].map(|stem| [format!("{stem}.svg"), format!("{stem}.png")]);
    let pages = ["explain.html", "explain.md", "explain.json"].map(str::to_owned);
    for name in pages.into_iter().chain(charts.into_iter().flatten()) {
        let read = |threads: &str| fs::read(stage.path(threads).join("small-explain").join(&name)).unwrap();
        assert_eq!(read("1"), read("2"), "{name}");
    }
}

#[test]
fn a_bad_scenario_is_refused_before_anything_is_simulated() {
    let stage = Stage::new();
    let said = stage.refused(&["explain", "small.toml", "--set", "plan.throttle.maxx=5"]);
    assert!(said.contains("did you mean `max`"), "{said}");
}
