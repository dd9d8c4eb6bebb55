//! Pages and documents of hand-made forecasts, whole.

use std::sync::atomic::AtomicBool;

use super::{About, document, report, terminal};
use crate::forecast::replicate::{Amount, Watch};
use crate::forecast::testing::{after, days_of, exactly, made, made_of, outcome, scenario};
use crate::forecast::{Forecast, Inputs, forecast};
use crate::migration::message::Binding;
use crate::migration::plan::InodePlan;
use crate::scenario::{Note, NoteKind, UncertainInput};
use crate::sim::InodeOutcome;
use crate::units::{Inodes, Share};

pub(super) fn about() -> About {
    let note = |text: &str, chosen_to_fit| Note {
        kind: NoteKind::Assumption,
        keys: vec!["population.activity".into()],
        text: text.into(),
        source: "info-cyrus, January 2009".into(),
        chosen_to_fit,
    };
    About {
        resolved: "name = \"A small migration\"\n".into(),
        state_sha256: None,
        file: "small.toml".into(),
        command: "drawdown forecast small.toml --seed 1 --replications 200".into(),
        scenario_sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".into(),
        inventory: None,
        past: None,
        comparison: None,
        load: None,
        observed: Vec::new(),
        uncertain: vec![UncertainInput {
            key: "population.activity.mean".into(),
            low: "0.025 op/s".into(),
            middle: "0.03 op/s".into(),
            high: "0.036 op/s".into(),
            law: "triangular",
            tenths: ["0.027 op/s".into(), "0.033 op/s".into()],
        }],
        notes: vec![
            note("A user asks for 0.03 op/s in the mean of a week", true),
            note("Growth is 0.1 % a day", false),
        ],
        warnings: vec!["small.toml:3:1: the horizon is short".into()],
    }
}

/// A forecast whose uncertain inputs spread what chance alone does not.
pub(super) fn uncertain() -> Forecast {
    let (middle, stop) = (scenario(), AtomicBool::new(false));
    let mut drawn = middle.clone();
    drawn.name = "drawn".into();
    let inputs = Inputs::<()> {
        middle: &middle,
        uncertain: vec![vec!["population.activity.mean".into()]],
        realise: &|_| drawn.clone(),
        simulate: &|scenario, run, ()| {
            let spread = if scenario.name == "drawn" { 1.0 } else { 0.1 };
            outcome(run.replication, 29.0 + (days_of(run.replication) - 29.0) * spread)
        },
    };
    forecast(&inputs, exactly(200), Watch { stop: &stop, progress: &|_, _| {} })
}

fn page(forecast: &Forecast, about: &About) -> String {
    let page = anstream::adapter::strip_str(&terminal::render(&report(forecast, about))).to_string();
    for line in page.lines() {
        assert!(line.chars().count() <= terminal::WIDTH, "longer than 80 columns: {line}");
        assert_eq!(line, line.trim_end(), "a line ends in spaces");
    }
    page
}

#[test]
fn the_page_answers_in_its_first_lines() {
    insta::assert_snapshot!(page(&uncertain(), &about()));
}

#[test]
fn one_replication_gives_no_quantile() {
    insta::assert_snapshot!(page(&made(1, &|r| outcome(r, days_of(r))), &About::default()));
}

#[test]
fn censored_and_interrupted_is_said_at_the_top() {
    let simulate = |r: u32| {
        let mut outcome = outcome(r, days_of(r));
        if r.is_multiple_of(3) {
            *outcome.reached.last_mut().unwrap() = None;
            outcome.reached[1] = None;
            outcome.unfinished = Some(if r.is_multiple_of(2) { Binding::NoRoom } else { Binding::Window });
        }
        outcome.clusters[0].highest_placement = Share::from_ppm(400_100 + r);
        outcome
    };
    let mut forecast = made(120, &simulate);
    forecast.rule.interrupted = true;
    forecast.rule.amount = Amount::exactly(2_000);
    insta::assert_snapshot!(page(&forecast, &About::default()));
}

#[test]
fn old_copies_that_are_left_when_all_is_moved_are_told_as_that() {
    let simulate = |r: u32| {
        let mut outcome = outcome(r, days_of(r));
        outcome.unfinished = r.is_multiple_of(2).then_some(Binding::NotItsTurn);
        outcome
    };
    let page = page(&made(120, &simulate), &About::default());
    assert!(page.contains("All is moved, and not all old copies are removed by the horizon in 50 %"), "{page}");
    assert!(!page.contains("not its turn") && !page.contains("later than every date"), "{page}");
}

#[test]
fn the_document_keeps_its_shape() {
    let text = document::json(&uncertain(), &about()).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    // One milestone with all its quantiles shows the shape of all.
    value["milestones"].as_array_mut().unwrap().truncate(1);
    value["chance_only"]["milestones"].as_array_mut().unwrap().truncate(0);
    value["heads"].as_array_mut().unwrap().truncate(1);
    value["heads"][0]["trends"].as_array_mut().unwrap().truncate(1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn what_is_written_is_as_its_schema_says() {
    let validator = jsonschema::validator_for(&document::schema()).unwrap();
    let written = serde_json::to_value(document::document(&uncertain(), &about())).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    // A field that is missing, and one of another kind, are wrong.
    let mut less = written.clone();
    less.as_object_mut().unwrap().remove("milestones");
    assert!(!validator.is_valid(&less));
    let mut other = written;
    other["seed"] = "one".into();
    assert!(!validator.is_valid(&other));
}

#[test]
fn a_comparison_stands_in_the_document_and_on_the_page() {
    let (forecast, comparison) = super::comparison::tests::compared();
    let said = |day: u32| super::past::Said { day: f64::from(day), p50: 100.0, range: Some((90.0, 110.0)) };
    let as_of = forecast.scenario.as_of;
    let past = super::Past::made(as_of, (1..4).map(said).collect(), vec![(as_of, 120.0)]);
    let about = About { comparison: Some(comparison), past: Some(past), ..about() };
    let written = serde_json::to_value(document::document(&forecast, &about)).unwrap();
    let validator = jsonschema::validator_for(&document::schema()).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let since = &written["since_last_forecast"];
    assert_eq!(since["inputs"][0]["keys"][0]["after"], "24", "{since}");
    let past = &written["beside_last_forecast"];
    assert_eq!(past["happened"][0]["mailboxes"], 120.0, "{past}");
    assert_eq!(past["said"].as_array().map(Vec::len), Some(3), "{past}");
    // Without an earlier forecast neither is there, and a part that lacks something is wrong.
    let without = serde_json::to_value(document::document(&forecast, &self::about())).unwrap();
    assert!(without.get("since_last_forecast").is_none() && without.get("beside_last_forecast").is_none());
    let mut less = written;
    less["since_last_forecast"]["milestones"][0].as_object_mut().unwrap().remove("found");
    assert!(!validator.is_valid(&less));
    let text = page(&forecast, &about);
    assert!(text.contains("SINCE THE LAST FORECAST") && text.contains("plan.throttle.max: 48 -> 24"), "{text}");
}

/// A forecast in which the first cluster is full of inodes before it is full of bytes in every second replication.
pub(super) fn of_few_inodes() -> Forecast {
    let mut scenario = scenario();
    let limit =
        InodePlan { rated: Inodes::new(1_000_000_000), full_at: Share::from_ppm(350_000), assumed_a_day: Inodes::ZERO };
    std::sync::Arc::make_mut(&mut scenario.plan).placement.clusters[0].inodes = Some(limit);
    made_of(&scenario, 200, &|r| {
        let mut outcome = outcome(r, days_of(r));
        let fill = &mut outcome.clusters[0];
        let days = fill.days.iter().map(|day| day * 0.85).collect();
        let share = Share::from_ppm(349_900);
        fill.inodes = Some(InodeOutcome { highest_placement: share, final_fill: share, days, filled: r % 2 == 0 });
        outcome
    })
}

#[test]
fn a_cluster_with_a_limit_of_inodes_says_how_full_it_is_of_them() {
    let forecast = of_few_inodes();
    let text = anstream::adapter::strip_str(&terminal::render(&report(&forecast, &about()))).to_string();
    // As it reads, however its lines are broken.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "nas-1 is full (40 % of its bytes or 35 % of its inodes)",
        "nas-1 is full of inodes before it is full of bytes in",
        "nas-1, inodes",
        "No placement above its cluster's threshold; nearest: nas-1, inodes, 34.99 % of 35.00 %.",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let document = serde_json::to_value(document::document(&forecast, &about())).unwrap();
    let inodes = &document["clusters"][0]["inodes"];
    assert_eq!((&inodes["threshold"], &inodes["filled"]), (&0.35.into(), &100.into()), "{inodes}");
    assert_eq!(inodes["placements_within_threshold"], true);
    assert!(document["clusters"][1].get("inodes").is_none());
    let validator = jsonschema::validator_for(&document::schema()).unwrap();
    assert!(validator.is_valid(&document));
}

#[test]
fn what_had_happened_is_a_fact_however_few_replications_there_are() {
    let mut scenario = scenario();
    std::sync::Arc::make_mut(&mut scenario.model).population.moved = vec![Share::ONE; 2];
    scenario.expectations[0].probability = Share::from_ppm(999_000);
    let forecast = made_of(&scenario, 3, &|r| {
        let mut outcome = outcome(r, days_of(r));
        outcome.reached[0] = Some(after(-2.0));
        *outcome.reached.last_mut().unwrap() = Some(after(-1.0));
        outcome
    });
    let page = page(&forecast, &About::default());
    assert!(page.contains("Everything has been off the old storage since October 9\n"), "{page}");
    assert!(page.contains("head-1 has been empty since October 8\n"), "{page}");
    let row = page.lines().find(|line| line.starts_with("all emptied ")).unwrap();
    assert_eq!(row.split_whitespace().filter(|cell| *cell == "already").count(), 4, "{row}");
    assert!(page.contains("pass: head-1 emptied by 2012-10-20: it has happened, and in time"), "{page}");
    // Of what has not happened, few replications say no more than before.
    assert!(page.contains("head-2 is empty November 6 to 9 in 3 replications, too few for a median"), "{page}");
}

#[test]
fn what_comes_after_the_horizon_or_never_is_counted_together() {
    let forecast = made(40, &|r| {
        let mut outcome = outcome(r, days_of(r));
        outcome.reached[5] = None;
        outcome.unfinished = (!r.is_multiple_of(8)).then_some(Binding::Throttle);
        outcome
    });
    let page = page(&forecast, &About::default());
    assert!(page.contains("nas-2 is full (40 %) after December 9, or not at all, in every replication"), "{page}");
}

#[test]
fn a_cluster_that_ends_above_its_rating_is_warned_of() {
    let scenario = scenario();
    let ending = |fill: u32| {
        let forecast = made_of(&scenario, 200, &|r| {
            let mut outcome = outcome(r, days_of(r));
            outcome.clusters[1].final_fill = Share::from_ppm(if r % 2 == 0 { fill } else { 400_000 });
            outcome
        });
        super::warn::warnings(&forecast, &about())
    };
    let told = |warnings: Vec<String>| warnings.into_iter().filter(|one| one.contains("rated")).collect::<Vec<_>>();
    assert_eq!(told(ending(1_000_000)), Vec::<String>::new());
    let [one] = <[String; 1]>::try_from(told(ending(3_982_000))).unwrap();
    assert!(
        one.starts_with("nas-2: ends above 100 % of its rated size in 50 % of the replications, at 398 % at the most"),
        "{one}"
    );
}
