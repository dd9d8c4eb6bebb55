//! `recommend`, through the program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test of a program")]

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::what_if::Stage;

const AT_RISK: &str = "mailbox_hours_at_risk";

/// A third of the mailboxes on a third of the head.
fn stage() -> Stage {
    let stage = Stage::new();
    let text = fs::read_to_string(stage.path("small.toml")).unwrap();
    let small = text.replace("mailboxes = 1500", "mailboxes = 500").replace("\"100 op/s\"", "\"34 op/s\"");
    assert_ne!(text, small);
    stage.write("small.toml", &small);
    stage
}

/// Recommends under a bound on hours at risk, with some words more.
fn recommend(stage: &Stage, at_most: f64, (budget, fresh): (u32, u32), words: &[&str]) -> Output {
    let bound = format!("{AT_RISK} <= {at_most} with 80 %");
    let mut command = stage.command(&["recommend", "small.toml", "--subject-to", &bound, "--quiet"]);
    command.args(["--budget", &budget.to_string(), "--replications", &fresh.to_string()]).args(words).output().unwrap()
}

/// A case's date at P80 and mean hours at risk, from fresh replications.
fn of_case(case: &Value) -> (String, f64) {
    let milestones = case["milestones"].as_array().unwrap();
    let all = milestones.iter().find(|one| one["name"] == "all emptied").unwrap();
    let p80 = all["quantiles"].as_array().unwrap().iter().find(|one| one["level"] == 0.8).unwrap();
    let risk = case["impact"].as_array().unwrap().iter().find(|one| one["measure"] == AT_RISK).unwrap();
    (p80["value"]["utc"].as_str().unwrap().to_owned(), risk["mean"].as_f64().unwrap())
}

/// The recommended case, as the fresh replications have it.
fn recommended(document: &Value) -> &Value {
    let name = &document["recommended"];
    let variants = document["checked"]["variants"].as_array().unwrap();
    variants.iter().find(|one| one["name"] == *name).unwrap_or_else(|| panic!("{name} is no variant"))
}

#[test]
fn the_plan_keeps_what_the_plan_as_it_is_does_not() {
    let stage = stage();
    // As it is, mailboxes of this head are at risk for 80,000 hours in all.
    let output = recommend(&stage, 65_000.0, (64, 45), &["--json", "--no-files"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ((date, risk), (before, risk_before)) =
        (of_case(recommended(&document)), of_case(&document["checked"]["base"]));
    assert!(risk <= 65_000.0 && risk_before > 65_000.0 && date < before, "{risk} {risk_before} {date} {before}");
    let plans = document["plans"].as_array().unwrap();
    let of = |name: &Value| plans.iter().find(|one| one["name"] == *name).unwrap();
    assert_eq!(of(&document["recommended"])["verdict"], "keeps");
    assert!(of(&document["recommended"])["kept"][0]["low"].as_f64().unwrap() >= 0.8, "{plans:?}");
    assert_eq!(of(&"as it is".into())["verdict"], "breaks", "{plans:?}");
    let search = &document["search"];
    assert!(search["simulations"].as_u64().unwrap() <= 64 && search["looked_at"].as_u64().unwrap() >= 4, "{search}");
    // Neither search nor check know each other's random numbers.
    assert_ne!(search["seed"], document["checked"]["seed"]);
}

#[test]
fn the_plan_can_be_pasted_and_gives_the_same_dates() {
    let stage = stage();
    let output = recommend(&stage, 500_000.0, (64, 45), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = String::from_utf8(output.stdout).unwrap();
    let plan = fs::read_to_string(stage.path("output/small-recommend/plan.toml")).unwrap();
    assert!(page.ends_with(&plan) && plan.contains("[plan"), "{page}");
    let known: Value =
        serde_json::from_slice(&fs::read(stage.path("output/small-recommend/recommend.json")).unwrap()).unwrap();
    let promised = recommended(&known);
    let text = fs::read_to_string(stage.path("small.toml")).unwrap();
    let (before, rest) = text.split_once("[plan]").unwrap();
    let (_, after) = rest.split_once("[forecast]").unwrap();
    stage.write("pasted.toml", &format!("{before}{plan}\n[forecast]{after}"));
    let seed = known["checked"]["seed"].to_string();
    let compared = stage.json(&["compare", "small.toml", "pasted.toml", "--seed", &seed, "--replications", "45"]);
    assert_eq!(of_case(&compared["variants"][0]), of_case(promised));
}

#[test]
fn what_cannot_be_kept_is_said() {
    let stage = stage();
    // A mailbox that has to be moved is there for longer than that.
    let bound = "mailbox_hours_at_risk <= 1 with 90 %";
    let words = [
        "recommend",
        "small.toml",
        "--subject-to",
        bound,
        "--budget",
        "16",
        "--replications",
        "30",
        "--quiet",
        "--no-files",
    ];
    let output = stage.command(&words).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(10), "{page}");
    assert!(page.contains("None of") && page.contains("breaks") && !page.contains("[plan"), "{page}");
}

#[test]
fn the_files_are_the_same_for_any_number_of_threads() {
    let stage = stage();
    for threads in ["1", "2"] {
        let output = recommend(&stage, 65_000.0, (32, 12), &["--threads", threads, "--output", threads]);
        assert!(output.status.code() < Some(12) && output.status.code() != Some(2));
    }
    let mut names: Vec<_> =
        fs::read_dir(stage.path("1/small-recommend")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let read = |threads: &str| fs::read(stage.path(threads).join("small-recommend").join(&name)).unwrap();
        assert_eq!(read("1"), read("2"), "{name:?}");
    }
}

#[test]
fn what_is_asked_for_wrongly_is_refused() {
    let stage = Stage::new();
    let said = stage.refused(&["recommend", "small.toml", "--subject-to", "slow <= 5", "--objective", "all done"]);
    assert!(said.contains("must be MEASURE <= NUMBER") && said.contains("no such milestone"), "{said}");
    let said = stage.refused(&["recommend", "small.toml"]);
    assert!(said.contains("--subject-to"), "{said}");
}
