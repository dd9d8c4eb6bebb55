use super::*;
use crate::forecast::cases::Run;
use crate::forecast::compare::compare;
use crate::forecast::testing::{after, days_of, outcome, scenario};
use crate::migration::message::Binding;
use crate::report::{chart, html, markdown, terminal};
use crate::units::Time;

pub(in crate::report) fn what_if(names: &[(&str, f64)]) -> WhatIf {
    let scenario = scenario();
    let case = |r: u32, by: f64| {
        let mut outcome = outcome(r, days_of(r) + by * (0.8 + f64::from(r % 5) / 10.0));
        outcome.heads[0].minutes_above += by * f64::from(r % 3);
        Run::of(&outcome)
    };
    let runs: Vec<Vec<Run>> = (0..60)
        .map(|r| std::iter::once(0.0).chain(names.iter().map(|(_, by)| *by)).map(|by| case(r, by)).collect())
        .collect();
    let compared = compare(&vec![&scenario; names.len() + 1], &runs, scenario.forecast.confidence);
    let about = |(name, by): &(&str, f64)| About {
        name: (*name).to_owned(),
        sha256: "ab".repeat(32),
        changes: vec![ChangedKey {
            key: "plan.throttle.max".into(),
            before: Some("48".into()),
            after: Some("64".into()),
        }],
        notes: if *by == 0.0 { vec!["it changes nothing: it is the same scenario".into()] } else { Vec::new() },
    };
    WhatIf {
        kind: "what-if",
        base: "as it is".into(),
        scenario,
        file: "small.toml".into(),
        sha256: "cd".repeat(32),
        compared,
        variants: names.iter().map(about).collect(),
        seed: 1,
        asked: 60,
        interrupted: false,
        command: "drawdown what-if small.toml --replications 60".into(),
        warnings: Vec::new(),
    }
}

#[test]
fn the_page_answers_in_its_first_lines() {
    let known = what_if(&[("night at 64", -1.5), ("nothing", 0.0), ("<b>late</b>", 0.8)]);
    insta::assert_snapshot!("several_page", terminal::render(&report(&known)).replace('\x1b', "ESC"));
    insta::assert_snapshot!("several_markdown", markdown::render(&report(&known)));
}

#[test]
fn one_variant_is_told_in_a_sentence() {
    let headline = |by: f64| words::headline(&what_if(&[("x", by)])).1;
    assert_eq!(headline(-1.5), "With x everything is off the old storage 1.5 d earlier (95 %: 1.4 d to 1.6 d)");
    assert!(headline(2.0).contains("2.0 d later"), "{}", headline(2.0));
    assert_eq!(
        headline(0.0),
        "x moves nothing: everything is off the old storage at the same instant in every replication"
    );
}

#[test]
fn nothing_claims_everything_where_much_is_set_aside() {
    let scenario = scenario();
    let told = |base: u32, with: u32, names: &[(&str, f64)]| {
        let mut known = what_if(names);
        let run = |r: u32, by: f64, aside: u32| {
            let mut outcome = outcome(r, days_of(r) + by * (0.8 + f64::from(r % 5) / 10.0));
            outcome.excused = aside;
            Run::of(&outcome)
        };
        let variants = |r: u32| names.iter().map(move |(_, by)| run(r, *by, with));
        let runs: Vec<Vec<Run>> =
            (0..60).map(|r| std::iter::once(run(r, 0.0, base)).chain(variants(r)).collect()).collect();
        known.compared = compare(&vec![&scenario; names.len() + 1], &runs, scenario.forecast.confidence);
        known
    };
    let headline = |base, with| words::headline(&told(base, with, &[("x", -1.5)])).1;
    let ends = "off the old storage 1.5 d earlier (95 %: 1.4 d to 1.6 d)";
    let but_for = "but for about 12,000 mailboxes that wait for a person";
    assert_eq!(headline(12_000, 12_000), format!("With x everything, {but_for}, is {ends}"));
    assert_eq!(headline(9_000, 12_000), format!("With x everything, {but_for} (as it is: 9,000), is {ends}"));
    assert_eq!(headline(12_000, 0), format!("With x everything (as it is: {but_for}) is {ends}"));
    // Of 400,000 so few need no word there.
    assert_eq!(headline(3_000, 300), format!("With x everything is {ends}"));
    let several = told(9_000, 12_000, &[("x", -1.5), ("y", 0.8)]);
    let page = markdown::render(&report(&several));
    assert!(page.contains(&format!("Soonest with x: everything, {but_for} (as it is: 9,000), is off")), "{page}");
    assert!(page.contains("| verdict | set aside |") && page.contains("| earlier | 12,000 |"), "{page}");
    let written = serde_json::to_value(document(&several)).unwrap();
    assert_eq!(
        (&written["base"]["set_aside"], &written["variants"][1]["set_aside"]),
        (&9_000.0.into(), &12_000.0.into())
    );
}

/// The same dates, of which each case sees those before its own horizon.
#[test]
fn each_case_has_its_own_horizon_and_what_lies_beyond_it_is_not_said_to_be_the_same() {
    let mut known = what_if(&[("x", 0.0)]);
    let (long, mut short) = (scenario(), scenario());
    short.horizon = after(28.0);
    let run = |r: u32, horizon: Time| {
        let mut outcome = outcome(r, days_of(r));
        outcome.reached = outcome.reached.iter().map(|date| date.filter(|date| *date < horizon)).collect();
        outcome.unfinished = outcome.reached.last().unwrap().is_none().then_some(Binding::Throttle);
        Run::of(&outcome)
    };
    let runs: Vec<Vec<Run>> = (0..60).map(|r| vec![run(r, long.horizon), run(r, short.horizon)]).collect();
    known.compared = compare(&[&long, &short], &runs, long.forecast.confidence);
    let page = terminal::render(&report(&known));
    let first = page.split("MILESTONES").next().unwrap();
    assert!(first.contains("x moves nothing before November 7, and nobody knows"), "{first}");
    assert!(first.contains("> Nov 7") && first.contains("same by horizon"), "{first}");
    assert!(!page.contains("at the same instant in every replication"), "{page}");
    let written = serde_json::to_value(document(&known)).unwrap();
    let verdict = written["variants"][0]["milestones"].as_array().unwrap().last().unwrap()["verdict"].clone();
    assert_eq!(verdict, "same by horizon");
}

/// Where late replications are cut off, the mean as far as the horizon may go the other way than the true one.
#[test]
fn a_shift_that_the_horizon_cuts_off_is_no_answer() {
    let mut known = what_if(&[("x", -1.5)]);
    let scenario = scenario();
    let run = |r: u32, by: f64, cut: u32| {
        let mut outcome = outcome(r, 50.0 + by);
        if r % 20 < cut {
            *outcome.reached.last_mut().unwrap() = None;
            outcome.unfinished = Some(Binding::Throttle);
        }
        Run::of(&outcome)
    };
    let runs: Vec<Vec<Run>> = (0..60).map(|r| vec![run(r, 0.0, 0), run(r, -30.0, 9)]).collect();
    known.compared = compare(&[&scenario, &scenario], &runs, scenario.forecast.confidence);
    let page = markdown::render(&report(&known)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        page.contains("is not known beyond the horizon: earlier in 55 % of the replications, later in 45 %"),
        "{page}"
    );
    assert!(page.contains("or go the other way") && !page.contains("the shift may be larger."), "{page}");
    let written = serde_json::to_value(document(&known)).unwrap();
    let verdict = written["variants"][0]["milestones"].as_array().unwrap().last().unwrap()["verdict"].clone();
    assert_eq!(verdict, "not known beyond the horizon");
    let chart = chart::of_what_if(&known);
    assert!(chart.iter().all(|one| !one.svg(chart::Paper::FILE).unwrap().contains("all emptied, x")));
}

#[test]
fn what_is_written_is_as_its_schema_says() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let written = serde_json::to_value(document(&what_if(&[("x", -1.5), ("y", 0.0)]))).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let mut less = written.clone();
    less["variants"][0].as_object_mut().unwrap().remove("milestones");
    assert!(!validator.is_valid(&less));
}

#[test]
fn the_html_page_needs_nothing_else_and_what_a_variant_is_called_is_text() {
    let known = what_if(&[("<script>alert(1)</script>", -1.5), ("y", 0.0)]);
    let page = html::what_if(&known, &chart::of_what_if(&known)).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script"), "a name became markup");
    assert!(!page.contains("http://") && !page.contains("https://"), "the page loads something");
    for part in ["answer", "milestones", "quantiles", "users", "changes", "certainty", "repeat"] {
        assert!(page.contains(&format!("id=\"{part}\"")), "no part {part}");
    }
    assert!(page.contains("shifts-wide") && page.contains("shifts-phone"));
}

#[test]
fn the_chart_has_the_awaited_date_first_and_no_date_that_nothing_moves() {
    let names = |known: &WhatIf| -> Vec<String> {
        let pictures = chart::of_what_if(known);
        pictures
            .iter()
            .flat_map(|one| one.svg(chart::Paper::FILE).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    };
    let has = |lines: &[String], text: &str| lines.iter().any(|line| line.contains(text));
    let moved = names(&what_if(&[("x", -1.5), ("y", 0.0)]));
    assert!(has(&moved, "all emptied, x: ") && has(&moved, "all emptied, y: 0") && has(&moved, "head-1 emptied, x: "));
    let same = names(&what_if(&[("y", 0.0)]));
    assert!(has(&same, "all emptied, y: 0") && !has(&same, "head-1 emptied"));
    let mut open = what_if(&[("x", -1.5), ("y", 0.0)]);
    for one in &mut open.compared.variants[1].milestones {
        one.verdict = Verdict::SameByHorizon;
    }
    let open = names(&open);
    assert!(
        has(&open, "all emptied, x: ") && !has(&open, "all emptied, y"),
        "a dot at nothing would say more than is known"
    );
    // The subtitle is in several lines.
    assert!(has(&open, "not drawn"));
    let mut none = what_if(&[("y", 0.0)]);
    none.compared.variants[0].milestones.clear();
    assert!(chart::of_what_if(&none).is_empty());
}

#[test]
fn the_folder_is_complete_and_a_strangers_file_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = write(root.path(), "small-what-if", &what_if(&[("x", 1.0)])).unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 5);
    write(root.path(), "small-what-if", &what_if(&[("y", 1.0)])).unwrap();
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    let refused = write(root.path(), "small-what-if", &what_if(&[("x", 1.0)])).unwrap_err();
    assert!(refused.to_string().contains("which this command does not write"), "{refused}");
}
