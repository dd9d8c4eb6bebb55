//! Measured loads: good files become courses, odd ones are refused with every row and column that is wrong, none makes the program
//! panic.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use drawdown::scenario::measured::Course;
use drawdown::scenario::{ReadSettings, Scenario, Source, starter};
use drawdown::sim::{self, RunId};
use polars::prelude::{
    Column, DataFrame, Int64Chunked, IntoColumn, IntoSeries, NamedFrom, ParquetWriter, Series, TimeUnit, TimeZone,
};
use proptest::prelude::*;

use crate::coarse::COARSE;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Weeks of hourly samples from Monday 2026-11-02 00:00 in Toronto on: each hour twice as busy as the one before noon.
fn samples(weeks: u32, header: &str, row: impl Fn(u32) -> String) -> String {
    let mut text = format!("{header}\n");
    for hour in 0..weeks * 168 {
        let (day, of_day) = (hour / 24, hour % 24);
        let date = jiff::civil::date(2026, 11, 2) + jiff::Span::new().days(i64::from(day));
        writeln!(text, "{date}T{of_day:02}:00:00-05:00,{}", row(hour)).expect("a string");
    }
    text
}

fn load(hour: u32) -> f64 {
    if hour % 24 >= 12 { 200.0 } else { 100.0 }
}

fn good() -> String {
    samples(3, "time,head-1 (op/s)", |hour| load(hour).to_string())
}

/// The starter with samples, in a folder of its own.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(file: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("base.toml"), starter()).expect("a file");
        fs::write(folder.path().join("samples.csv"), file).expect("a file");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn read(&self, keys: &str, overrides: &[&str]) -> Result<Source, String> {
        let text = format!("extends = \"base.toml\"\n[load]\ncsv = \"samples.csv\"\n{keys}\n");
        fs::write(self.path().join("scenario.toml"), text).expect("a file");
        let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
        let settings = ReadSettings { overrides, allow_path: false };
        let read = Source::read(&self.path().join("scenario.toml"), &settings);
        read.map_err(|problems| problems.to_string().replace(&format!("{}/", self.path().display()), ""))
    }

    fn good(&self, keys: &str) -> Scenario {
        self.read(keys, &[]).unwrap_or_else(|problems| panic!("{problems}")).middle().clone()
    }

    fn refused(&self, keys: &str) -> String {
        self.read(keys, &[]).err().unwrap_or_else(|| panic!("{keys}: not refused"))
    }
}

fn head(scenario: &Scenario) -> (f64, &Course) {
    let measured = scenario.model.load.measured.as_ref().expect("a measured load");
    (measured.heads[0].mean.ops_per_second(), &measured.heads[0].course)
}

#[test]
fn samples_become_hours_of_the_week_in_the_scenarios_zone() {
    let stage = Stage::new(good().as_bytes());
    let scenario = stage.good("fit = \"hours\"");
    let (mean, course) = head(&scenario);
    assert!((mean - 150.0).abs() < 1e-9, "{mean}");
    let Course::Hours { profile, noise } = course else { panic!("{course:?}") };
    let of = |hour: usize| profile[hour * 12..(hour + 1) * 12].iter().sum::<f64>() / 12.0;
    assert!((of(3) * mean - 100.0).abs() < 0.01 && (of(24 * 4 + 20) * mean - 200.0).abs() < 0.01);
    assert!(noise.sigma < 0.2, "{noise:?}");
    // The same instants, the other side of the ocean.
    let source = stage.read("fit = \"hours\"", &["time_zone=\"Europe/Berlin\""]).expect("a scenario");
    let (_, course) = head(source.middle());
    let Course::Hours { profile, .. } = course else { panic!("{course:?}") };
    let at_noon = profile[12 * 12..13 * 12].iter().sum::<f64>() / 12.0;
    assert!((at_noon * mean - 100.0).abs() < 0.01, "noon in Berlin is six in the morning in Toronto");
}

#[test]
fn samples_become_days_and_a_choice_must_be_stated() {
    let stage = Stage::new(good().as_bytes());
    let scenario = stage.good("fit = \"days\"");
    let (_, course) = head(&scenario);
    let Course::Days(days) = course else { panic!("{course:?}") };
    assert_eq!(days.len(), 21);
    assert!(stage.refused("").contains("load: needs `fit` beside csv"));
    assert!(stage.refused("fit = \"day\"").contains("must be one of hours, days (did you mean `days`?)"));
    assert!(stage.refused("fit = \"days\"\nlevels = 1").contains("did you mean `level`?"));
}

#[test]
fn the_level_is_the_populations_or_what_was_measured() {
    let stage = Stage::new(good().as_bytes());
    let asked = |keys: &str, overrides: &[&str]| {
        let source = stage.read(keys, overrides).unwrap_or_else(|problems| panic!("{problems}"));
        let fleet = sim::fleet(source.middle(), RunId { seed: 1, replication: 0 });
        let left = |row: &usize| fleet.home[*row].as_head().is_some();
        let ops = |row: usize| f64::from(fleet.activity_micro_op_s[row]) * 1e-6;
        let all: f64 = (0..fleet.len()).map(ops).sum();
        (all, (0..fleet.len()).filter(left).map(ops).sum::<f64>(), source.uncertain().len())
    };
    let moved = ["population.moved.head-1=40 %"];
    let (all, _, uncertain) = asked("fit = \"hours\"", &moved);
    assert!((all / (50_000.0 * 0.03) - 1.0).abs() < 0.02, "{all}");
    let (_, left, fewer) = asked("fit = \"hours\"\nlevel = \"measured\"", &moved);
    assert!((left / 150.0 - 1.0).abs() < 1e-3, "{left}");
    assert_eq!(uncertain - 1, fewer, "what users ask for is no longer drawn");
    let (all, left, _) = asked("fit = \"days\"\nlevel = \"measured-with-moved\"", &moved);
    assert!((all / 150.0 - 1.0).abs() < 1e-3 && (left / 90.0 - 1.0).abs() < 1e-2, "{all} {left}");
}

#[test]
fn those_who_are_left_ask_for_what_was_measured_in_whatever_order_the_others_have_moved() {
    let stage = Stage::new(good().as_bytes());
    for order in ["inventory", "busiest", "idlest", "smallest"] {
        let order = format!("plan.order.within={order}");
        let source = stage.read("fit = \"hours\"\nlevel = \"measured\"", &["population.moved.head-1=40 %", &order]);
        let fleet = sim::fleet(source.expect("a scenario").middle(), RunId { seed: 1, replication: 0 });
        let left = fleet.home.iter().zip(&fleet.activity_micro_op_s).filter(|(home, _)| home.as_head().is_some());
        let left: f64 = left.map(|(_, activity)| f64::from(*activity) * 1e-6).sum();
        assert!((left / 150.0 - 1.0).abs() < 1e-3, "{order}: {left}");
    }
}

#[test]
fn one_column_for_all_heads_is_shared_by_their_mailboxes() {
    let stage = Stage::new(samples(3, "time,load (op/s)", |hour| load(hour).to_string()).as_bytes());
    let two = fs::read_to_string(Path::new(ROOT).join("scenarios/measured-load.toml")).expect("the example");
    fs::write(stage.path().join("base.toml"), two).expect("a file");
    let scenario = stage.good("level = \"measured\"");
    let fleet = sim::fleet(&scenario, RunId { seed: 1, replication: 0 });
    let of = |head: u8| -> f64 {
        let here = fleet.origin.iter().zip(&fleet.activity_micro_op_s).filter(|(origin, _)| origin.0 == head);
        here.map(|(_, activity)| f64::from(*activity) * 1e-6).sum()
    };
    // Activity spreads over mailboxes, so that a thousand of them are only near their mean.
    assert!((of(0) / (0.53 * 150.0) - 1.0).abs() < 0.15, "{}", of(0));
    assert!((of(1) / (0.47 * 150.0) - 1.0).abs() < 0.15, "{}", of(1));
}

#[test]
fn a_share_of_the_capacity_follows_the_capacity() {
    let file = samples(3, "timestamp;load (%)", |hour| (load(hour) / 10.0).to_string()).replace("00,", "00;");
    let stage = Stage::new(file.as_bytes());
    let source =
        stage.read("fit = \"hours\"\nseparator = \";\"", &["head.head-1.capacity=1000 op/s"]).expect("a scenario");
    assert!((head(source.middle()).0 - 150.0).abs() < 1e-9);
}

#[test]
fn names_and_units_may_be_other_peoples() {
    let file = samples(3, "When,Server A,Server B", |hour| format!("{},7", load(hour) * 60.0)).replace("-05:00", "");
    let stage = Stage::new(file.as_bytes());
    let columns = "fit = \"hours\"\n[load.columns]\ntime = { column = \"When\", zone = \"America/Toronto\" }\n\
                   heads = { head-1 = { column = \"Server A\", unit = \"op/min\" } }";
    let source = stage.read(columns, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!((head(source.middle()).0 - 150.0).abs() < 1e-9);
    assert_eq!(source.load().map(|load| load.unread.clone()), Some(vec!["Server B".to_owned()]));
    assert!(source.resolved().contains("csv_sha256"));
}

#[test]
fn what_is_wrong_with_a_file_is_told_all_at_once() {
    let ok = "2026-11-02T00:00:00Z,1";
    let hours = "fit = \"hours\"";
    for (file, expected) in [
        (String::new(), "samples.csv: is empty: needs a header and a row for each sample"),
        ("time;head-1 (op/s)\n2026-11-02T00:00:00Z;1\n".into(), "load.separator = \";\""),
        (format!("time,head-1\n{ok}\n"), "has a column \"head-1\" without a unit"),
        (format!("time,head-1 (kB)\n{ok}\n"), "in \"kB\", which is no unit of a load: must be op/s or %"),
        (format!("time,head1 (op/s)\n{ok}\n"), "has a column \"head1 (op/s)\" of no head: heads are head-1"),
        (format!("time,head1 (op/s)\n{ok}\n"), "has no column for head-1"),
        (format!("when,head-1 (op/s)\n{ok}\n"), "has no column called time or timestamp"),
        (format!("time,head-1 (%),head-1 (%)\n{ok},1\n"), "has two columns called \"head-1 (%)\""),
        (format!("time,head-1 (%)\n{ok}\n"), "has 1 samples: needs two weeks of them"),
        (format!("time,head-1 (%)\n{ok},2\n"), "row 2: has 3 values, the header has 2 columns"),
        (
            format!("time,head-1 (%)\n{ok}\n2026-11-02T00:00:00Z,2\n"),
            "row 3, column \"time\": is \"2026-11-02T00:00:00Z\", which row 2 has already",
        ),
        (format!("time,head-1 (%)\n{ok}\n2026-11-01T00:00:00Z,2\n"), "which is before row 2: instants must rise"),
        (
            format!("time,head-1 (%)\n{ok}\n2026-11-02T10:00:00,2\n"),
            "with an offset from UTC (row 2) and without one (row 3)",
        ),
        (
            "time,head-1 (%)\n2026-11-01T01:30:00,2\n".into(),
            "which daylight saving skips or repeats: give instants with an offset from UTC",
        ),
        ("time,head-1 (%)\n2026-03-08T02:30:00,2\n".into(), "which daylight saving skips or repeats"),
        (
            "time,head-1 (%)\nyesterday,2\n".into(),
            "row 2, column \"time\": is \"yesterday\", must be a date or an instant",
        ),
        (
            "time,head-1 (%)\n2026-11-02T00:00:00Z,-2\n".into(),
            "row 2, column \"head-1 (%)\": is \"-2\", must not be negative",
        ),
        ("time,head-1 (%)\n2026-11-02T00:00:00Z,NaN\n".into(), "is \"NaN\", must be a number"),
        ("time,head-1 (%)\n2026-11-02T00:00:00Z,2000\n".into(), "is \"2000\", must be at most 1000 %"),
        ("time,head-1 (%)\n2026-11-02T00:00:00Z,\"2\n".into(), "opens a quote that is never closed"),
        ("time,head-1 (%)\n2026-11-02T00:00:00Z,1\"2\n".into(), "has a quote within a text"),
        ("time,head-1 (%)\n2026-11-02T00:00Z,\n2026-11-02T01:00Z,\n".into(), "column \"head-1 (%)\" is empty"),
        ("PAR1 this was cut off".into(), "is a Parquet file that is cut off"),
    ] {
        let problems = Stage::new(file.as_bytes()).refused(hours);
        assert!(problems.contains(expected), "{file}\n{problems}");
    }
    let many = samples(1, "time,head-1 (%)", |hour| if hour < 100 { "x".into() } else { "-1".into() });
    let problems = Stage::new(many.as_bytes()).refused(hours);
    assert!(
        problems.contains("168 rows have problems: head-1 (%) not a number 100, head-1 (%) negative 68"),
        "{problems}"
    );
    assert!(problems.contains("row 51, column") && !problems.contains("row 52, column"), "{problems}");
    assert!(problems.contains("168 problems, the first 51 of them above"), "{problems}");
}

#[test]
fn a_file_that_is_too_short_or_stands_elsewhere_is_refused() {
    let stage = Stage::new(samples(1, "time,head-1 (%)", |_| "50".into()).as_bytes());
    assert!(stage.refused("fit = \"hours\"").contains("168 hours of the week with samples of fewer than 2 weeks"));
    assert!(stage.refused("fit = \"days\"").contains("1 whole days that are a Mon"));
    let outside = stage.read("fit = \"days\"", &["load.csv=\"../samples.csv\""]).expect_err("outside");
    assert!(outside.contains("leaves the scenario's folder"), "{outside}");
    let missing = stage.read("fit = \"days\"", &["load.csv=\"no.csv\""]).expect_err("missing");
    assert!(missing.contains("cannot be read"), "{missing}");
    let hash = stage.read("fit = \"days\"\ncsv_sha256 = \"00\"", &["load.csv=\"samples.csv\""]).expect_err("short");
    assert!(hash.contains("1 whole days"), "{hash}");
    let text = starter().replacen("[load]\n", "[load]\ncsv = \"a.csv\"\nfit = \"days\"\n", 1);
    let read = Source::from_text("text", &text, &ReadSettings::default()).expect_err("no folder");
    assert!(read.to_string().contains("a text without a folder cannot have a file of samples"));
}

#[test]
fn parquet_tells_the_same_as_csv() {
    let stage = Stage::new(good().as_bytes());
    let from_csv = stage.good("fit = \"hours\"").model.load.clone();
    let start: jiff::Timestamp = "2026-11-02T00:00:00-05:00".parse().expect("an instant");
    let at: Vec<i64> = (0..3 * 168).map(|hour| start.as_microsecond() + hour * 3_600_000_000).collect();
    // A cast would forget the zone.
    let times = Int64Chunked::new("time".into(), at).into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    let loads: Vec<f64> = (0..3 * 168).map(load).collect();
    let columns: Vec<Column> =
        vec![times.into_series().into_column(), Series::new("head-1 (op/s)".into(), loads).into_column()];
    let mut frame = DataFrame::new_infer_height(columns).expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).expect("Parquet");
    let whole = Stage::new(&bytes);
    assert!(whole.good("fit = \"hours\"").model.load == from_csv);
    for cut in [4, 12, bytes.len() / 2, bytes.len() - 1] {
        let problems = Stage::new(&bytes[..cut]).refused("fit = \"hours\"");
        assert!(problems.contains("cut off"), "{cut}: {problems}");
    }
}

#[test]
fn gaps_and_spikes_are_told_and_what_is_measured_stands_in_the_forecast() {
    let mut lines: Vec<String> =
        samples(4, "time,head-1 (op/s)", |hour| (load(hour) * (1.0 + 0.01 * f64::from(hour % 7))).to_string())
            .lines()
            .map(str::to_owned)
            .collect();
    lines[300] = lines[300].replace(",1", ",9");
    lines.drain(400..405);
    let stage = Stage::new(lines.join("\n").as_bytes());
    let source = stage.read("fit = \"hours\"", &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let said = drawdown::report::load(source.load().expect("samples"), source.middle()).join("\n");
    for expected in ["1 gap with 5 missing samples; longest: 5.0 h from 2026-11-18", "1 spike, kept", "measured were 1"]
    {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn what_the_population_asks_for_is_that_of_those_who_are_left() {
    let stage = Stage::new(good().as_bytes());
    // 50,000 mailboxes ask for 1,500 op/s: those who are left ask for Phi(0.253 - 1) of it, or Phi(0.253 + 1).
    for (within, asked) in [("busiest", "341"), ("inventory", "900"), ("idlest", "1,342")] {
        let overrides = [
            "population.moved.head-1=40 %",
            &format!("plan.order.within={within}"),
            "population.activity={ mean = \"0.03 op/s\", spread = 1.0 }",
        ];
        let source = stage.read("fit = \"hours\"", &overrides).unwrap_or_else(|problems| panic!("{problems}"));
        let said = drawdown::report::load(source.load().expect("samples"), source.middle()).join("\n");
        assert!(said.contains(&format!("its mailboxes ask for {asked} op/s")), "{within}: {said}");
    }
}

/// The program on this project's own example.
fn program(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("drawdown").expect("the program");
    command.current_dir(ROOT).args(arguments).output().expect("output")
}

#[test]
fn the_example_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |threads: &str, fit: &str| {
        let output = folder.path().join(format!("{threads}-{fit}"));
        let words = [
            "forecast",
            "scenarios/measured-load.toml",
            "--set",
            &format!("load.fit={fit}"),
            "--replications",
            "6",
            "--threads",
            threads,
            "--output",
            &output.to_string_lossy(),
        ];
        let done = program(&[&words[..], &COARSE].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let read = |name: &str| fs::read(output.join("measured-load").join(name)).expect("a file");
        (read("forecast.json"), read("replications.csv"), done.stdout)
    };
    for fit in ["days", "hours"] {
        let (one, two) = (run("1", fit), run("3", fit));
        assert!(one == two, "{fit}");
        let page = String::from_utf8_lossy(&one.2).into_owned();
        assert!(page.contains("1,003 samples of the load") && page.contains("head-2: 2 gaps with 6"), "{page}");
    }
}

#[test]
fn what_profile_prints_is_taken_by_a_scenario() {
    let shown = program(&["profile", "scenarios/measured-load.csv", "--zone", "America/Toronto", "--toml"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let fitted = String::from_utf8(shown.stdout).expect("text");
    let (before, rest) = starter().split_once("[load]\n").expect("a load");
    let (_, after) = rest.split_once("[cost]\n").expect("a cost");
    let text = format!("{before}{fitted}\n[cost]\n{after}");
    let source = Source::from_text("pasted", &text, &ReadSettings::default());
    let source = source.unwrap_or_else(|problems| panic!("{problems}\n{fitted}"));
    let load = &source.middle().model.load;
    assert!((load.noise_sigma - 0.13).abs() < 0.03, "{}", load.noise_sigma);
    assert!((load.profile.iter().sum::<f64>() / 2_016.0 - 1.0).abs() < 1e-9);
}

#[test]
fn profile_shows_a_page_a_chart_and_what_to_paste_and_names_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().to_string_lossy().into_owned();
    let shown = program(&["profile", "scenarios/measured-load.csv", "--zone", "America/Toronto", "--output", &output]);
    let page = String::from_utf8_lossy(&shown.stdout).into_owned();
    for expected in ["head-1", "csv = \"measured-load.csv\"", "[load.columns.heads]", "1 spike, kept", "fit = \"days\""]
    {
        assert!(page.to_lowercase().contains(&expected.to_lowercase()), "{expected}\n{page}");
    }
    let of = |name: &str| fs::read(folder.path().join("measured-load-profile").join(name)).expect("a file");
    assert!(of("profile.png").starts_with(b"\x89PNG") && of("profile.svg").starts_with(b"<svg"));
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, "time,a (op/s)\n2026-11-02T00:00Z,-1\n2026-11-02T00:00Z,x\n").expect("a file");
    let refused = program(&["profile", &bad.to_string_lossy()]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("row 2, column \"a (op/s)\"") && told.contains("2 problems"), "{told}");
}

#[test]
fn profile_names_its_own_options_and_writes_its_files_for_a_reader_who_has_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for (text, option) in [
        ("when,a (op/s)\n2026-11-02T00:00Z,1\n", "say which it is by --time;"),
        ("time,a\n2026-11-02T00:00Z,1\n", "say its unit by --unit"),
        ("time;a (op/s)\n2026-11-02T00:00Z;1\n", "say so: --separator ';'"),
    ] {
        fs::write(path("bad.csv"), text).expect("a file");
        let told = String::from_utf8_lossy(&program(&["profile", &path("bad.csv")]).stderr).into_owned();
        assert!(told.contains(option), "{told}");
    }
    let mut profile = std::process::Command::new(assert_cmd::cargo::cargo_bin!("drawdown"));
    profile.current_dir(ROOT).args(["profile", "scenarios/measured-load.csv", "--output", &path("")]);
    let mut profile = profile.stdout(std::process::Stdio::piped()).spawn().expect("the program");
    drop(profile.stdout.take());
    assert!(profile.wait().expect("an end").success());
    assert!(folder.path().join("measured-load-profile/profile.toml").exists());
}

#[test]
fn a_column_that_was_refused_is_not_looked_for() {
    let stage = Stage::new(good().as_bytes());
    let problems = stage.refused("fit = \"hours\"\n[load.columns.heads]\nhead-1 = { colum = \"head-1 (op/s)\" }");
    assert!(problems.contains("did you mean") && !problems.contains("has no column"), "{problems}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in "(time|head-1 \\(%\\)|load|,|;|\"|\n|\r|\t| |\\PC|[0-9]|2026-11-0[0-9]T0[0-9]:00(Z|-05:00)?|-|NaN|\u{feff}){0,60}") {
        let stage = Stage::new(text.as_bytes());
        let _ = stage.read("fit = \"hours\"", &[]);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), is_parquet in any::<bool>()) {
        if is_parquet {
            bytes.splice(0..0, *b"PAR1");
            bytes.extend_from_slice(b"PAR1");
        }
        let _ = Stage::new(&bytes).read("fit = \"days\"", &[]);
    }
}
