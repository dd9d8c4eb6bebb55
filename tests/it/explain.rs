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
        let mut command = stage.command(&["explain", "small.toml", "--replications", "6"]);
        let output = command.args(["--threads", threads, "--output", threads]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.starts_with("A small drain: what holds it back\n"), "{page}");
    }
    let names = ["explain.html", "explain.md", "explain.json", "held.svg", "held.png", "tornado.svg", "tornado.png"];
    for name in names {
        let read = |threads: &str| fs::read(stage.path(threads).join("small-explain").join(name)).unwrap();
        assert_eq!(read("1"), read("2"), "{name}");
    }
}

#[test]
fn a_bad_scenario_is_refused_before_anything_is_simulated() {
    let stage = Stage::new();
    let said = stage.refused(&["explain", "small.toml", "--set", "plan.throttle.maxx=5"]);
    assert!(said.contains("did you mean `max`"), "{said}");
}
