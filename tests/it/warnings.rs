//! What is dubious in a scenario, and what was left out of its inventory: every command says it, and no post does.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use drawdown::scenario::{ReadSettings, Source, starter};

const DUBIOUS: &str = "my.toml:55:40: plan.order.within: has no effect in a forecast without --from";
const LEFT_OUT: &str = "mailboxes.csv: 1 of 61 rows left out, as asked for (bytes not a size 1)";

/// Seldom enough for a program that is not optimised.
const PROBE: &str = "[probe]\nevery = \"4 min\"\nclusters_every = \"10 min\"\n";

/// The starter with an inventory of which one row is bad, and with groups that no mailbox has.
fn write(folder: &Path) {
    let mut rows = "mailbox,head,bytes\nbad@x,head-1,35 Mb\n".to_owned();
    for number in 0..60 {
        // Writing to a string cannot fail.
        let _ = writeln!(rows, "u{number}@x,head-1,35 MB");
    }
    fs::write(folder.join("mailboxes.csv"), rows).expect("a folder of its own");
    let (before, rest) = starter().split_once("[population]\n").expect("the starter has one");
    let rest = rest.split_once("[load]").expect("the starter has one").1;
    let text = format!(
        "{before}[population]\ninventory = \"mailboxes.csv\"\nskip_bad_rows = true\nmessage = {{ mean = \"75 kB\" }}\nactivity = {{ low = \"0.02 op/s\", high = \"0.04 op/s\" }}\n[load]\nstep = \"30 min\"{rest}\n{PROBE}"
    );
    let text = text.replace("within = \"inventory\"", "within = \"whole-groups\"").replace("120 days", "20 days");
    fs::write(folder.join("my.toml"), &text).expect("a folder of its own");
    fs::write(folder.join("other.toml"), text).expect("a folder of its own");
}

fn drawdown(folder: &Path, words: &[&str]) -> [String; 2] {
    let mut command = Command::cargo_bin("drawdown").expect("the program");
    command.env_remove("GITHUB_STEP_SUMMARY").env_remove("CLICOLOR_FORCE").current_dir(folder).args(words);
    let output = command.output().expect("it runs");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"))
}

#[test]
fn every_command_says_what_is_dubious_and_what_was_left_out_once_and_when_it_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let forecast = ["--replications", "4", "--quiet"];
    let no_files = ["--replications", "4", "--quiet", "--no-files"];
    let all: [(&[&str], &[&str]); 9] = [
        (&["forecast", "my.toml"], &forecast),
        (&["check", "my.toml"], &forecast),
        (&["announce", "my.toml"], &forecast),
        (&["what-if", "my.toml", "--set", "plan.throttle.max=20"], &no_files),
        (&["compare", "my.toml", "other.toml"], &no_files),
        (&["explain", "my.toml", "--no-files"], &["--replications", "8", "--quiet"]),
        (&["sweep", "my.toml", "--vary", "plan.throttle.max=20..30:2"], &no_files),
        (
            &["recommend", "my.toml", "--subject-to", "mailbox_hours_at_risk <= 1e6 with 50 %", "--budget", "40"],
            &["--quiet", "--no-files"],
        ),
        (&["trace", "my.toml", "--limit", "1"], &[]),
    ];
    for (words, more) in all {
        let [_, stderr] = drawdown(folder.path(), &[words, more].concat());
        for said in [DUBIOUS, LEFT_OUT] {
            assert_eq!(stderr.matches(&format!("warning: {said}")).count(), 1, "{words:?}: {said}\n{stderr}");
        }
    }
}

#[test]
fn gates_carry_the_warnings_in_every_form_and_posts_in_none() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let words = ["check", "my.toml", "--replications", "4", "--no-files", "--junit", "j.xml", "--summary", "s.md"];
    let json = drawdown(folder.path(), &[&words[..], &["--json"]].concat())[0].clone();
    let [page, _] = drawdown(folder.path(), &words);
    let file = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for text in [json, page.replace("\n  ", " "), file("j.xml"), file("s.md")] {
        assert!(text.contains("plan.order.within: has no effect") && text.contains("1 of 61 rows left out"), "{text}");
    }
    let [post, _] = drawdown(folder.path(), &["announce", "my.toml", "--replications", "4"]);
    let published = ["md", "txt", "json"].map(|ending| file(&format!("output/my-announcement/announcement.{ending}")));
    for text in [&post, &published[0], &published[1], &published[2]] {
        assert!(!text.contains("within") && !text.contains("left out"), "{text}");
    }
}

#[test]
fn pages_of_variants_and_of_what_holds_dates_back_have_the_warnings() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let more = ["--replications", "4", "--quiet"];
    let all: [(&[&str], &str, &str); 5] = [
        (&["what-if", "my.toml", "--set", "plan.throttle.max=20"], "my-what-if", "what-if"),
        (&["compare", "my.toml", "other.toml"], "my-compare", "what-if"),
        (&["explain", "my.toml"], "my-explain", "explain"),
        (&["sweep", "my.toml", "--vary", "plan.throttle.max=20..30:2"], "my-sweep", "sweep"),
        (
            &["recommend", "my.toml", "--subject-to", "mailbox_hours_at_risk <= 1e6 with 50 %", "--budget", "16"],
            "my-recommend",
            "recommend",
        ),
    ];
    for (words, below, name) in all {
        let [page, _] = drawdown(folder.path(), &[words, &more].concat());
        let file = |ending: &str| {
            let path = folder.path().join("output").join(below).join(format!("{name}.{ending}"));
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let published = [("md", "## Warnings"), ("html", "id=\"warnings\""), ("json", "\"warnings\": [")];
        let published = published.map(|(ending, title)| (file(ending), title));
        for (text, title) in published.iter().map(|(text, title)| (text, *title)).chain([(&page, "WARNINGS")]) {
            let said = text.replace("\n  ", " ");
            assert!(said.contains(title), "{words:?}: {title}");
            assert!(said.contains("has no effect") && said.contains("1 of 61 rows left out"), "{words:?}: {title}");
        }
    }
}

#[test]
fn reports_are_the_same_bytes_wherever_the_scenario_lies() {
    let folder = tempfile::tempdir().unwrap();
    let places = ["one", "two"].map(|name| folder.path().join(name));
    let reports = places.map(|place| {
        fs::create_dir(&place).unwrap();
        write(&place);
        let path = place.join("my.toml");
        let output = place.join("output");
        let words = ["forecast", path.to_str().unwrap(), "--replications", "4", "--output", output.to_str().unwrap()];
        drawdown(folder.path(), &words);
        ["report.md", "report.html", "forecast.json"]
            .map(|name| fs::read_to_string(output.join("my").join(name)).unwrap())
    });
    assert_eq!(reports[0], reports[1]);
    let here = folder.path().to_str().unwrap();
    for text in &reports[0] {
        assert!(text.contains("1 of 61 rows left out") && !text.contains(here) && !text.contains("^^^"), "{text}");
    }
}

#[test]
fn a_date_expected_after_the_horizon_is_warned_of_and_its_verdict_says_why_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    // Ten days of a pace at which nothing is through by then.
    let words = ["check", "my.toml", "--replications", "4", "--no-files", "--quiet", "--set", "horizon=10 days"];
    let late = "expect=[{ milestone = 'decommissioned', by = 2027-02-28, probability = '80 %' }]";
    let [page, stderr] = drawdown(folder.path(), &[&words[..], &["--set", late]].concat());
    assert!(stderr.contains("is 2027-02-28, which lies after the horizon"), "{stderr}");
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(", the horizon lies before that date"), "{page}");
}

type Case<'a> = (&'a Path, &'a [&'a str], Option<(&'a str, &'a str)>);

#[test]
fn a_mailbox_whose_copy_takes_longer_than_a_forecast_follows_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let drawn = folder.path().join("drawn.toml");
    fs::write(&drawn, starter()).unwrap();
    let known = folder.path().join("my.toml");
    let told = |path: &Path, settings: &[&str]| {
        let alone = ["cost.change=0 % / day", "plan.move.messages=1000 / s"];
        let overrides = alone.iter().chain(settings).map(|&setting| setting.to_owned()).collect();
        let source = Source::read(path, &ReadSettings { overrides, allow_path: false }).expect("a scenario");
        let warnings = source.warnings().iter().map(|problem| (problem.key.clone(), problem.message.clone()));
        warnings.filter(|(_, message)| message.contains("a forecast takes that for 50.9 days")).collect::<Vec<_>>()
    };
    // Of the two the smaller one has more messages than the plan's pace copies in that time.
    let counted = folder.path().join("counted.toml");
    let text = fs::read_to_string(&known).unwrap().replace("mailboxes.csv", "counted.csv");
    fs::write(&counted, text).unwrap();
    fs::write(
        folder.path().join("counted.csv"),
        "mailbox,head,bytes,messages\na@x,head-1,5 GB,9\nb@x,head-1,5 MB,500000\n",
    )
    .unwrap();
    // 20 GB at the most; one of 35 MB where all are alike, and in the inventory.
    let cases: [Case<'_>; 11] = [
        (&drawn, &[], None),
        (&drawn, &["plan.move.stream=4.6 kB/s"], None),
        (&drawn, &["plan.move.stream=4.5 kB/s"], Some(("stream", "a mailbox of 20.0 GB takes 51.4 days"))),
        (&drawn, &["plan.move.stream=4.6 kB/s", "cost.change=1 % / day"], Some(("stream", "takes 75.6 days"))),
        (&drawn, &["plan.move.messages=0.1 / s"], None),
        (
            &drawn,
            &["plan.move.messages=0.1 / s", "population.message.mean=40 kB"],
            Some(("messages", "takes 57.9 days")),
        ),
        (&drawn, &["plan.move.stream=4 kB/s", "population.size.sigma=0.0"], None),
        (&known, &["plan.move.stream=8 B/s"], None),
        (&known, &["plan.move.stream=7 B/s"], Some(("stream", "a mailbox of 35.0 MB takes 57.9 days"))),
        (&counted, &["plan.move.messages=0.2 / s"], None),
        (&counted, &["plan.move.messages=0.1 / s"], Some(("messages", "a mailbox of 5.0 MB takes 57.9 days"))),
    ];
    for (path, settings, expected) in cases {
        let told = told(path, settings);
        assert_eq!(told.len(), usize::from(expected.is_some()), "{settings:?}: {told:?}");
        if let Some((key, message)) = expected {
            assert_eq!(told[0].0, format!("plan.move.{key}"), "{settings:?}");
            assert!(told[0].1.contains(message), "{settings:?}: {told:?}");
        }
    }
}

#[test]
fn a_distribution_of_which_much_is_cut_off_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let warned = |setting: &str| {
        let words = ["trace", "my.toml", "--limit", "1", "--set", setting];
        drawdown(folder.path(), &words)[1].contains(" % of this distribution lie outside what is allowed here")
    };
    assert!(warned("cost.head_per_message={ mean = '10 op', sd = '20 op' }"));
    assert!(!warned("cost.head_per_message={ mean = '10 op', sd = '2 op' }"));
}
