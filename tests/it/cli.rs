//! The command line through the binary: exit codes, files, and that they do not depend on the number of threads.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;

use crate::coarse::COARSE;

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name)
}

fn drawdown() -> Command {
    let mut command = Command::cargo_bin("drawdown").expect("the program");
    command.env_remove("CLICOLOR_FORCE");
    command
}

/// A forecast of a small population, so that a test takes no time.
fn forecast(folder: &Path, more: &[&str]) -> Assert {
    let mut command = drawdown();
    command.arg("forecast").arg(scenario("opensrs-cluster-b.toml"));
    command.args(["--set", "population.mailboxes=2000", "--replications", "24", "--quiet", "--output"]).arg(folder);
    command.args(COARSE).args(more).assert()
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("text")
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("text")
}

#[test]
fn a_forecast_prints_its_answer_and_writes_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let assert = forecast(folder.path(), &[]).success();
    let page = stdout(&assert);
    assert!(page.lines().any(|line| line.starts_with("head-1 is empty ")), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    assert!(!page.contains('\x1b'), "colour without a terminal");
    let written = folder.path().join("opensrs-cluster-b");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(written.join("manifest.json")).unwrap()).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let size = fs::metadata(written.join(file["name"].as_str().unwrap())).unwrap().len();
        assert_eq!(file["size_bytes"], size, "{file}");
    }
}

#[test]
fn the_files_are_the_same_bytes_for_any_number_of_threads() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    forecast(one.path(), &["--threads", "1"]).success();
    forecast(two.path(), &["--threads", "2"]).success();
    let mut compared = 0;
    for entry in fs::read_dir(one.path().join("opensrs-cluster-b")).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "run.json" {
            let read = |folder: &Path| fs::read(folder.join("opensrs-cluster-b").join(&name)).unwrap();
            assert!(read(one.path()) == read(two.path()), "{} differs", name.display());
            compared += 1;
        }
    }
    assert!(compared >= 6, "only {compared} files");
}

#[test]
fn the_shares_of_the_spread_are_told_where_they_are_asked_for() {
    let texts = ["1", "2"].map(|threads| {
        let folder = tempfile::tempdir().unwrap();
        let together =
            "correlation=[{ inputs = ['cost.head_per_message', 'population.size.median'], correlation = 0.7 }]";
        let small = ["plan.move.purge_after='1 h'", "forecast.chance_only=0", together];
        let mut words = vec!["--threads", threads, "--shares", "16"];
        words.extend(small.into_iter().flat_map(|setting| ["--set", setting]));
        let page = stdout(&forecast(folder.path(), &words).success());
        assert!(page.contains("WHAT SPREADS THE LAST DATE"), "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        fs::read_to_string(folder.path().join("opensrs-cluster-b/forecast.json")).unwrap()
    });
    assert!(texts[0] == texts[1], "it depends on the number of threads");
    let json: serde_json::Value = serde_json::from_str(&texts[0]).unwrap();
    assert!(json["command"].as_str().unwrap().contains(" --shares 16"), "{}", json["command"]);
    let shares = &json["shares_of_the_spread"];
    assert_eq!((&shares["rows"], shares["milestones"].as_array().unwrap().len()), (&16.into(), 3));
    for milestone in shares["milestones"].as_array().unwrap() {
        let causes = milestone["causes"].as_array().unwrap();
        let inputs: Vec<_> = causes.iter().map(|cause| cause["inputs"].as_array().unwrap().len()).collect();
        assert_eq!(inputs, [2, 1, 0], "{milestone}");
    }
}

#[test]
fn json_goes_to_stdout_and_no_files_means_none() {
    let folder = tempfile::tempdir().unwrap();
    let assert = forecast(folder.path(), &["--json", "--no-files", "--seed", "5"]).success();
    let document: serde_json::Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert_eq!((&document["schema_version"], &document["seed"]), (&1.into(), &5.into()));
    assert_eq!(document["replications"], 24);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_with_strange_files_is_a_run_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("opensrs-cluster-b")).unwrap();
    fs::write(folder.path().join("opensrs-cluster-b/notes.txt"), "mine").unwrap();
    let assert = forecast(folder.path(), &[]).code(1);
    assert!(stderr(&assert).contains("notes.txt"), "{}", stderr(&assert));
}

#[test]
fn bad_usage_and_bad_scenarios_exit_with_2() {
    drawdown().assert().code(2);
    drawdown().arg("predict").assert().code(2);
    drawdown().args(["forecast", "no-such-file.toml"]).assert().code(2);
    let folder = tempfile::tempdir().unwrap();
    forecast(folder.path(), &["--threads", "0"]).code(2);
    let assert = forecast(folder.path(), &["--set", "population.mailboxs=3"]).code(2);
    assert!(stderr(&assert).contains("mailboxs") && stdout(&assert).is_empty(), "{}", stderr(&assert));
}

#[test]
fn help_names_every_subcommand_and_exits_with_0() {
    let assert = drawdown().arg("--help").assert().success();
    for name in ["forecast", "trace", "validate", "new", "schema", "completions"] {
        assert!(stdout(&assert).contains(name), "{name} is missing");
    }
    drawdown().args(["forecast", "--help"]).assert().success();
}

#[test]
fn the_help_of_every_subcommand_has_an_example_of_it() {
    let help = stdout(&drawdown().arg("--help").assert().success());
    let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> =
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let help = stdout(&drawdown().args([name, "--help"]).assert().success());
        let example = help.split("Example").nth(1).unwrap_or_default();
        assert!(example.contains(&format!("drawdown {name} ")), "{name}: {help}");
    }
}

#[test]
fn validate_says_which_file_is_good() {
    let assert = drawdown().arg("validate").arg(scenario("constant-rate.toml")).assert().success();
    assert!(stdout(&assert).ends_with("constant-rate.toml: good\n"));
    drawdown().arg("validate").arg(scenario("../Cargo.toml")).assert().code(2);
}

#[test]
fn a_trace_writes_one_event_a_line_as_text_and_csv() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("trace.csv");
    let mut command = drawdown();
    command.arg("trace").arg(scenario("opensrs-cluster-b.toml")).args(["--set", "population.mailboxes=2000"]);
    let assert = command.args(["--limit", "50", "--csv"]).arg(&csv).assert().success();
    let text = stdout(&assert);
    assert_eq!(text.lines().count(), 50, "{text}");
    assert!(text.starts_with("2012-10-10 "), "{text}");
    let rows = fs::read_to_string(csv).unwrap();
    assert_eq!(rows.lines().count(), 51);
    assert!(rows.starts_with("time_utc,time_local,event,commands,binds\n"));
}

#[test]
fn completions_are_a_script() {
    let assert = drawdown().args(["completions", "bash"]).assert().success();
    assert!(stdout(&assert).contains("drawdown"));
}

#[test]
fn a_new_scenario_is_good_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    drawdown().arg("new").arg(&path).assert().success();
    drawdown().arg("validate").arg(&path).assert().success();
    fs::write(&path, "mine").unwrap();
    drawdown().arg("new").arg(&path).assert().code(2);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

/// The program where a file may have no more than a block or two: what is written then fails as on a full disk.
#[cfg(unix)]
fn with_small_files(folder: &Path, words: &[&str]) -> Assert {
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", "ulimit -f 1; exec \"$@\"", "sh"]);
    command.arg(assert_cmd::cargo::cargo_bin!("drawdown")).args(words).assert()
}

#[test]
#[cfg(unix)]
fn a_file_that_cannot_be_written_whole_is_not_there_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let assert = with_small_files(folder.path(), &["new", "mine.toml"]).code(1);
    assert!(stderr(&assert).starts_with("mine.toml: "), "{}", stderr(&assert));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is in the way of the next attempt");
    let path = scenario("constant-rate.toml");
    let words = ["trace", &path.to_string_lossy(), "--limit", "500", "--csv", "rows.csv"];
    let assert = with_small_files(folder.path(), &words).code(1);
    assert!(stderr(&assert).contains("rows.csv: "), "{}", stderr(&assert));
}

#[test]
fn a_forecast_that_cannot_be_written_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let assert = forecast(&file, &[]).code(1);
    assert!(stdout(&assert).contains("head-1 is empty "), "{}", stdout(&assert));
    assert!(stderr(&assert).contains("file: "), "{}", stderr(&assert));
}

#[test]
fn the_schema_is_json() {
    let assert = drawdown().arg("schema").assert().success();
    let schema: serde_json::Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert!(schema.is_object());
}

#[test]
#[cfg(unix)]
fn an_interrupted_forecast_keeps_what_is_complete_and_exits_with_12() {
    let folder = tempfile::tempdir().unwrap();
    // Interrupted after a second, and once: without `--foreground` the signal may come to the group a second time.
    let mut command = Command::new("timeout");
    command
        .args(["--foreground", "--preserve-status", "--signal=INT", "1"])
        .arg(assert_cmd::cargo::cargo_bin!("drawdown"));
    command.arg("forecast").arg(scenario("opensrs-cluster-b.toml")).arg("--output").arg(folder.path());
    command.args(["--set", "population.mailboxes=2000", "--replications", "1000000"]);
    let assert = command.assert().code(12);
    assert!(stdout(&assert).contains("INCOMPLETE"), "{}", stdout(&assert));
    // The bar goes to stderr, or what stands for it where there is no terminal.
    assert!(!stderr(&assert).contains("panicked"), "{}", stderr(&assert));
    let document = fs::read(folder.path().join("opensrs-cluster-b/forecast.json")).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["incomplete"], true);
}

#[test]
fn a_reader_who_has_seen_enough_does_not_cut_the_file_short() {
    let folder = tempfile::tempdir().unwrap();
    let trace = |csv: &str| {
        let mut trace = std::process::Command::new(assert_cmd::cargo::cargo_bin!("drawdown"));
        trace.arg("trace").arg(scenario("constant-rate.toml")).args(["--set", "population.mailboxes=5000"]);
        trace.arg("--csv").arg(folder.path().join(csv));
        trace.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        trace
    };
    let whole = trace("whole.csv").output().unwrap();
    assert!(whole.status.success(), "{}", whole.status);
    let mut cut = trace("cut.csv").spawn().unwrap();
    std::io::Read::read_exact(&mut cut.stdout.take().unwrap(), &mut [0; 64]).unwrap();
    let cut = cut.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&cut.stderr), "");
    assert!(cut.status.success(), "{}", cut.status);
    let read = |csv: &str| std::fs::read(folder.path().join(csv)).unwrap();
    assert!(read("whole.csv") == read("cut.csv"), "the file has {} bytes", read("cut.csv").len());
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut trace = std::process::Command::new(assert_cmd::cargo::cargo_bin!("drawdown"))
        .arg("trace")
        .arg(scenario("constant-rate.toml"))
        .args(["--set", "population.mailboxes=5000"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 64];
    std::io::Read::read_exact(&mut trace.stdout.take().unwrap(), &mut first).unwrap();
    // The pipe is closed now, with most of the trace unread.
    let ended = trace.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert!(ended.status.success(), "{}", ended.status);
}
