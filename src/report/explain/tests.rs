use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::forecast::Inputs;
use crate::forecast::explain::explain as find;
use crate::forecast::replicate::Watch;
use crate::forecast::sensitivity::morris::{Effect, Way};
use crate::forecast::sensitivity::{Part, Screened};
use crate::forecast::shares::{Cause, CauseShare, NotEstimable};
use crate::forecast::shift::Shift;
use crate::forecast::testing::{days_of, outcome, scenario};
use crate::report::{chart, html, markdown, terminal};
use crate::units::Rate;

/// A scenario in which a faster copy brings the date forward and nothing else does; its one input is the copies' speed.
fn known(uncertain: bool) -> Explain {
    known_by(uncertain, 40)
}

/// The same from so many replications.
fn known_by(uncertain: bool, replications: u32) -> Explain {
    let mut middle = scenario();
    Arc::make_mut(&mut middle.plan).copy.stream = Rate::per_second(20_000_000);
    Arc::make_mut(&mut middle.model).clusters[1].in_service = middle.as_of + Span::from_secs(86_400).times(3);
    let stop = AtomicBool::new(false);
    let realise = |draw: &crate::forecast::Draw<'_>| {
        let mut drawn = middle.clone();
        let speed = 18_000_000 + (draw("plan.move.stream") * 4e6) as u64;
        Arc::make_mut(&mut drawn.plan).copy.stream = Rate::per_second(speed);
        drawn
    };
    let simulate = |scenario: &Scenario, run: crate::sim::RunId, (): &mut ()| {
        let speed = scenario.plan.copy.stream.bytes_per_second() as f64 / 20e6;
        let noise = f64::from(run.replication % 7) / 100.0;
        outcome(run.replication, days_of(run.replication) - (speed - 1.0) * (2.0 + noise))
    };
    let keys = vec!["plan.move.stream".to_owned()];
    let inputs = Inputs::<()> {
        middle: &middle,
        uncertain: if uncertain { vec![keys] } else { Vec::new() },
        realise: &realise,
        simulate: &simulate,
    };
    let explained = find(&inputs, Some(&[]), replications, Watch { stop: &stop, progress: &|_, _| {} });
    Explain {
        scenario: middle.clone(),
        file: "small.toml".into(),
        sha256: "cd".repeat(32),
        uncertain: vec![UncertainInput {
            key: "plan.move.stream".into(),
            low: "18 MB/s".into(),
            middle: "20 MB/s".into(),
            high: "22 MB/s".into(),
            law: "uniform",
            tenths: ["18.4 MB/s".into(), "21.6 MB/s".into()],
        }],
        explained,
        screening: None,
        indices: None,
        seed: 1,
        asked: 40,
        command: "drawdown explain small.toml --replications 40".into(),
        warnings: Vec::new(),
    }
}

/// The same with its input varied, screened and held against chance.
fn varied() -> Explain {
    let mut known = known(true);
    known.explained.inputs[0].levels = [0.0, 1.0];
    let part = |value: f64| Part { value, low: value * 0.8, high: value * 1.3 };
    let effect =
        |days: f64, way| Effect { size: part(days.abs()), mean: part(days), deviation: part(days.abs() / 3.0), way };
    known.screening = Some(Screening {
        trajectories: 20,
        asked: 20,
        interrupted: false,
        bounded: 0,
        is_correlated: true,
        found: Ok(Screened {
            inputs: vec![
                ("population.size.median".into(), effect(0.0, Way::Nowhere)),
                ("plan.move.stream".into(), effect(-0.35, Way::Down)),
            ],
            chance: part(0.6),
        }),
    });
    let share = |cause, alone, in_all| CauseShare { cause, alone: part(alone), in_all: part(in_all) };
    known.indices = Some(Indices {
        rows: 128,
        asked: 128,
        interrupted: false,
        bounded: 3,
        deviation_days: 1.4,
        causes: Ok(vec![
            share(Cause::Inputs(vec!["plan.move.stream".into()]), 0.12, 0.2),
            share(Cause::Chance, 0.72, 0.9),
        ]),
    });
    known
}

#[test]
fn the_inputs_are_told_with_what_was_varied_screened_and_shared() {
    let known = varied();
    insta::assert_snapshot!("inputs", markdown::render(&report(&known)));
    let pictures = chart::of_explain(&known);
    assert_eq!(pictures.iter().map(|one| one.stem).collect::<Vec<_>>(), ["held", "tornado", "screening", "shares"]);
    let page = html::explain(&known, &pictures).unwrap();
    for part in ["id=\"screening\"", "id=\"shares\"", "screening-wide", "shares-phone"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn too_few_rows_and_an_early_end_are_said() {
    let mut known = varied();
    let (screening, indices) = (known.screening.as_mut().unwrap(), known.indices.as_mut().unwrap());
    (screening.trajectories, screening.interrupted, screening.found) = (2, true, Err(NotEstimable::TooFew));
    (indices.rows, indices.causes) = (3, Err(NotEstimable::TooFew));
    let text = terminal::render(&report(&known));
    for part in [
        "INCOMPLETE: ended early, after 2 of 20 trajectories",
        "not estimable: 2 trajectories",
        "not estimable: 3 rows",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(chart::of_explain(&known).len(), 2);
}

#[test]
fn inputs_that_are_too_many_to_be_held_are_said_to_be_screened() {
    let mut known = varied();
    known.explained.inputs.clear();
    known.explained.swings.variants.clear();
    let text = terminal::render(&report(&known));
    assert!(text.contains("too many to hold each at its ends"), "{text}");
}

#[test]
fn the_page_answers_in_its_first_lines() {
    let known = known(true);
    insta::assert_snapshot!("page", terminal::render(&report(&known)).replace('\x1b', "ESC"));
    insta::assert_snapshot!("markdown", markdown::render(&report(&known)));
}

#[test]
fn the_document_fits_its_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut few = varied();
    few.screening.as_mut().unwrap().found = Err(NotEstimable::TooFew);
    for known in [known(true), known(false), varied(), few] {
        let value: serde_json::Value = serde_json::from_str(&json(&known).unwrap()).unwrap();
        let problems: Vec<String> = validator.iter_errors(&value).map(|one| one.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn the_browser_page_has_the_answer_the_charts_and_no_markup_of_the_scenario() {
    let mut known = known(true);
    known.scenario.name = "<b>drain</b>".into();
    let pictures = chart::of_explain(&known);
    assert_eq!(pictures.iter().map(|one| one.stem).collect::<Vec<_>>(), ["held", "tornado"]);
    let page = html::explain(&known, &pictures).unwrap();
    assert!(page.contains("&lt;b&gt;drain") && !page.contains("<b>drain"));
    for part in [
        "id=\"limits\"",
        "id=\"inputs\"",
        "id=\"when\"",
        "id=\"repeat\"",
        "held-wide",
        "tornado-phone",
        "does not bind",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn without_uncertain_inputs_there_is_no_tornado() {
    let known = known(false);
    assert_eq!(chart::of_explain(&known).iter().map(|one| one.stem).collect::<Vec<_>>(), ["held"]);
    assert!(inputs(&known).blocks.is_empty());
}

#[test]
fn a_limit_that_may_hold_what_lies_beyond_the_horizon_is_not_said_not_to_bind() {
    let mut known = known(false);
    let main = known.main();
    for variant in &mut known.explained.values.variants {
        let all = variant.milestones.iter_mut().filter(|one| one.dates.name == main);
        for one in all.filter(|one| one.verdict == Verdict::Same) {
            one.verdict = Verdict::SameByHorizon;
            one.order.unknown = 14;
        }
    }
    let text = markdown::render(&report(&known));
    assert!(text.contains("| not reached in 35 % |") && !text.contains("| does not bind |"), "{text}");
    let data: serde_json::Value = serde_json::from_str(&json(&known).unwrap()).unwrap();
    let open = data["limits"].as_array().unwrap().iter().filter(|one| one["verdict"] == "same by horizon");
    assert!(open.clone().count() > 0 && open.clone().all(|one| one["unknown"] == 14), "{data}");
}

#[test]
fn an_input_that_is_the_same_as_far_as_the_horizon_says_so_in_the_chart() {
    let mut known = known(true);
    let main = known.main();
    for variant in &mut known.explained.swings.variants {
        for one in variant.milestones.iter_mut().filter(|one| one.dates.name == main) {
            (one.verdict, one.shift) = (Verdict::SameByHorizon, one.shift.map(|shift| Shift { days: 0.0, ..shift }));
        }
    }
    let pictures = chart::of_explain(&known);
    let tornado = pictures.iter().find(|one| one.stem == "tornado").unwrap();
    let svg = tornado.svg(chart::Paper::FILE).unwrap();
    // The name may be in two lines.
    assert!(svg.contains("the horizon"), "{svg}");
}

#[test]
fn replications_that_are_not_done_are_told_with_what_held_them() {
    let mut known = known(false);
    known.explained.unfinished = vec![(Binding::NoRoom, 10)];
    let text = terminal::render(&report(&known));
    assert!(
        text.contains("25 % of the replications are not done by") && text.contains("no cluster has room"),
        "{text}"
    );
}

#[test]
fn too_few_replications_are_not_said_to_show_that_nothing_helps() {
    let said = words::headline(&known_by(false, 3)).1;
    assert!(said.ends_with("The replications are too few to say what a unit of any limit is worth"), "{said}");
    assert!(!words::headline(&known_by(false, 40)).1.contains("too few to say"));
}
