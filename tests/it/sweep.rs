//! `sweep`, through the program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test of a program")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::what_if::Stage;

const FILES: [&str; 9] = [
    "sweep.html",
    "sweep.md",
    "sweep.json",
    "sweep.parquet",
    "sweep.csv",
    "values.svg",
    "values.png",
    "frontier.svg",
    "frontier.png",
];

/// What the tests sweep over: two keys, so that there are maps.
const WORDS: [&str; 8] = [
    "sweep",
    "small.toml",
    "--vary",
    "plan.throttle.latency=3 ms..9 ms:3",
    "--vary",
    "plan.throttle.max=4..24:3",
    "--replications",
    "6",
];

/// The file in which a sweep that is under way is kept.
fn partial(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root).ok()?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "partial"))
}

#[test]
fn a_sweep_that_is_killed_and_started_again_gives_the_same_bytes_as_one_that_ran_through() {
    let stage = Stage::new();
    let through = stage.command(&WORDS).args(["--output", "through", "--quiet", "--threads", "2"]).output().unwrap();
    assert!(through.status.success(), "{}", String::from_utf8_lossy(&through.stderr));
    assert_eq!(partial(&stage.path("through")), None, "nothing is left beside the folder");

    let root = stage.path("killed");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_drawdown"))
        .current_dir(stage.path(""))
        .args(WORDS)
        .args(["--output", "killed", "--quiet", "--threads", "1"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let lines = || partial(&root).and_then(|path| fs::read_to_string(path).ok()).map_or(0, |text| text.lines().count());
    while lines() < 2 {
        assert!(began.elapsed() < Duration::from_mins(2), "it has kept nothing for two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!root.join("small-sweep").exists(), "it was done before it was killed");
    let kept = lines();
    assert!((2..9).contains(&kept), "{kept}");
    // As if it had been killed within a line.
    let path = partial(&root).unwrap();
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 7]).unwrap();

    let again = stage.command(&WORDS).args(["--output", "killed"]).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.success() && said.contains("were done before"), "{said}");
    assert_eq!(again.stdout, through.stdout);
    for name in FILES {
        let read = |root: &str| fs::read(stage.path(root).join("small-sweep").join(name)).unwrap();
        assert_eq!(read("killed"), read("through"), "{name}");
    }
    assert_eq!(partial(&root), None);
}

#[test]
fn what_makes_it_earlier_costs_users_more() {
    let stage = Stage::new();
    let settings = [
        "head.head-1.capacity=400 op/s",
        "users.objective=6 ms",
        "plan.throttle.sample_limit=2 h",
        "plan.placement.sample_limit=2 h",
    ];
    let set = |word: &'static str| settings.into_iter().flat_map(move |setting| [word, setting]);
    let words = ["sweep", "small.toml", "--replications", "10", "--vary", "plan.throttle.latency=3 ms..9 ms:4"];
    let document = stage.json(&words.into_iter().chain(set("--set")).collect::<Vec<_>>());
    let points = document["points"].as_array().unwrap();
    let values: Vec<f64> = points.iter().map(|point| point["values"][0].as_f64().unwrap()).collect();
    assert_eq!(values, [3.0, 5.0, 7.0, 9.0]);
    let days: Vec<f64> = points.iter().map(|point| point["days"]["mean"].as_f64().unwrap()).collect();
    let minutes = |point: &Value| {
        let all = point["impact"].as_array().unwrap();
        let one = all.iter().find(|one| one["measure"] == "minutes_above_objective_by_migration").unwrap();
        one["amount"]["mean"].as_f64().unwrap()
    };
    assert!(days.is_sorted_by(|one, other| one > other), "{days:?}");
    assert!(points.is_sorted_by(|one, other| minutes(one) < minutes(other)), "{points:?}");
    let frontier = document["frontier"].as_array().unwrap();
    assert_eq!(*frontier, [3, 2, 1, 0], "the earliest first, and each of them is on it");
    // The same points as variants of a what-if: one way of simulating, two commands.
    let words = ["what-if", "small.toml", "--replications", "10", "--set", "plan.throttle.latency=9 ms"];
    let variant = stage.json(&words.into_iter().chain(set("--base")).collect::<Vec<_>>())["variants"][0].clone();
    let mean = variant["impact"].as_array().unwrap()[0]["mean"].as_f64().unwrap();
    assert!((mean - minutes(&points[3])).abs() < 1e-9, "{mean} for {}", minutes(&points[3]));
}

#[test]
fn a_sequence_fills_several_keys_with_few_points() {
    let stage = Stage::new();
    let mut words = vec!["sweep", "small.toml", "--replications", "2", "--points", "8"];
    words.extend(["--vary", "plan.throttle.latency=3 ms..9 ms", "--vary", "plan.throttle.max=4..24"]);
    words.extend(["--vary", "head.head-1.capacity=90 op/s..120 op/s"]);
    let document = stage.json(&words);
    let points = document["points"].as_array().unwrap();
    assert_eq!((document["design"].as_str(), points.len()), (Some("sobol"), 8));
    let low =
        |axis: usize, middle: f64| points.iter().filter(|one| one["values"][axis].as_f64().unwrap() < middle).count();
    assert_eq!((low(0, 6.0), low(2, 105.0)), (4, 4), "half of them in each half");
    assert!(points.iter().all(|one| one["values"][1].as_f64().unwrap().fract() == 0.0), "streams are whole");
}

#[test]
fn all_that_is_wrong_with_a_sweep_is_said_before_it_begins() {
    let stage = Stage::new();
    let said = stage.refused(&["sweep", "small.toml", "--vary", "a=1", "--vary", "b=2..1:3"]);
    assert!(said.contains("has no range") && said.contains("must rise"), "{said}");
    let said = stage.refused(&["sweep", "small.toml", "--vary", "plan.throttle.maxx=8..64:8"]);
    assert!(said.contains("did you mean `max`"), "{said}");
    let said = stage.refused(&["sweep", "small.toml", "--vary", "head.head-1.capacity=-5 op/s..5 op/s:3"]);
    assert!(said.contains("must not be negative") && said.contains("must be above 0"), "{said}");
}
