use super::*;
use crate::forecast::cases::{Measure, Run};
use crate::forecast::sweep::design::Design;
use crate::forecast::sweep::{Simulated, swept};
use crate::forecast::testing::{days_of, outcome, scenario};
use crate::report::{chart, html, markdown, terminal};

fn axis(key: &str, (from, to): (f64, f64), steps: u32, unit: &str) -> Axis {
    Axis { key: key.into(), from, to, steps, unit: unit.into(), is_whole: unit.is_empty() }
}

/// The more streams and the faster each, the earlier, by less and less, and the more minutes.
fn known(axes: Vec<Axis>, design: Design, done: usize) -> Sweep {
    let scenario = scenario();
    let points = design.points(&axes, 1);
    let run = |values: &[f64], r: u32| {
        let speed: f64 = values.iter().sum();
        let mut outcome = outcome(r, days_of(r) + 60.0 / speed);
        outcome.heads[0].minutes_above += (speed * speed / 10.0).round() + f64::from(r % 3);
        Run::of(&outcome)
    };
    let simulated: Vec<Simulated> = points
        .iter()
        .take(done)
        .map(|values| Simulated { values: values.clone(), runs: (0..12).map(|r| run(values, r)).collect() })
        .collect();
    let place = scenario.milestones.len() - 1;
    Sweep {
        swept: swept(&scenario, place, &simulated),
        scenario,
        file: "small.toml".into(),
        sha256: "cd".repeat(32),
        asked: points.len(),
        is_grid: design == Design::Grid,
        axes,
        replications: 12,
        seed: 1,
        command: "drawdown sweep small.toml --vary plan.throttle.max=8..64:5 --replications 12".into(),
        warnings: Vec::new(),
    }
}

fn streams() -> Axis {
    axis("plan.throttle.max", (8.0, 64.0), 5, "")
}

fn speed() -> Axis {
    axis("plan.move.stream", (6.0, 20.0), 3, "MB/s")
}

fn stems(sweep: &Sweep) -> Vec<&'static str> {
    chart::of_sweep(sweep).iter().map(|one| one.stem).collect()
}

#[test]
fn the_page_names_the_earliest_point_the_cheapest_and_the_knee() {
    let one = known(vec![streams()], Design::Grid, 99);
    insta::assert_snapshot!("page", terminal::render(&report(&one)).replace('\x1b', "ESC"));
    insta::assert_snapshot!("markdown", markdown::render(&report(&one)));
    assert_eq!(one.swept.frontier, [4, 3, 2, 1, 0]);
    assert!(one.swept.knee.is_some_and(|knee| (1..4).contains(&knee)), "{:?}", one.swept.knee);
}

#[test]
fn one_key_has_lines_two_have_maps_and_a_sequence_has_the_frontier() {
    let two = vec![streams(), speed()];
    assert_eq!(stems(&known(vec![streams()], Design::Grid, 99)), ["values", "frontier"]);
    assert_eq!(stems(&known(two.clone(), Design::Grid, 99)), ["values", "frontier"]);
    assert_eq!(stems(&known(two.clone(), Design::Sobol(8), 99)), ["frontier"]);
    assert_eq!(stems(&known(two.clone(), Design::Grid, 7)), ["frontier"], "a map of what is not complete has holes");
    assert!(stems(&known(two, Design::Grid, 0)).is_empty());
}

#[test]
fn what_the_horizon_cut_off_is_a_lower_bound_and_no_sure_number() {
    let scenario = scenario();
    let run = |point: usize, r: u32| {
        let mut run = Run::of(&outcome(r, days_of(r) - point as f64));
        if point == 0 {
            let last = run.dates.len() - 1;
            (run.dates[last], run.is_finished) = (crate::forecast::quantile::When::AfterHorizon, false);
        }
        run
    };
    let mut sweep = known(vec![streams()], Design::Grid, 99);
    let simulated: Vec<Simulated> = (0..5)
        .map(|point| Simulated { values: vec![point as f64], runs: (0..12).map(|r| run(point, r)).collect() })
        .collect();
    sweep.swept = swept(&scenario, scenario.milestones.len() - 1, &simulated);
    let page = terminal::render(&report(&sweep));
    assert!(page.matches("at least ").count() == 2 && !page.contains("± 0.00"), "{page}");
    for picture in chart::of_sweep(&sweep) {
        let svg = picture.svg(chart::Paper::FILE).unwrap();
        assert!(svg.contains("a hollow dot"), "{}", picture.stem);
    }
}

#[test]
fn a_frontier_of_two_points_is_too_short_for_a_knee() {
    let mut sweep = known(vec![streams()], Design::Grid, 2);
    (sweep.asked, sweep.swept.knee) = (2, None);
    assert_eq!(sweep.swept.frontier.len(), 2);
    let page = terminal::render(&report(&sweep));
    assert!(page.contains("these two points alone") && !page.contains("no knee"), "{page}");
}

#[test]
fn a_sweep_that_was_ended_says_so() {
    let cut = known(vec![streams()], Design::Grid, 2);
    let text = terminal::render(&report(&cut));
    assert!(text.contains("INCOMPLETE: ended early, after 2 of 5 points"), "{text}");
    let nothing = known(vec![streams()], Design::Grid, 0);
    assert!(terminal::render(&report(&nothing)).contains("No point was completed"));
}

#[test]
fn the_document_fits_its_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for done in [0, 2, 99] {
        let text = json(&known(vec![streams(), speed()], Design::Grid, done)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let problems: Vec<String> = validator.iter_errors(&value).map(|one| one.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn the_table_has_a_row_a_point_and_the_browser_page_its_charts() {
    let mut two = known(vec![streams(), speed()], Design::Grid, 99);
    let frame = table::points(&two).unwrap();
    assert_eq!(frame.height(), 15);
    let names: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
    for name in ["plan.throttle.max", "plan.move.stream (MB/s)", "mean_days", "mean_days_low", "p50_utc", "is_knee"] {
        assert!(names.iter().any(|known| known == name), "{name} is not in {names:?}");
    }
    assert!(Measure::ALL.iter().all(|measure| names.iter().any(|known| known == measure.name())));
    two.scenario.name = "<b>drain</b>".into();
    let page = html::sweep(&two, &chart::of_sweep(&two)).unwrap();
    assert!(page.contains("&lt;b&gt;drain") && !page.contains("<b>drain"));
    for part in ["values-wide", "frontier-phone", "id=\"points\"", "id=\"repeat\""] {
        assert!(page.contains(part), "{part}");
    }
}
