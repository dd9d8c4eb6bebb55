//! Gates through the binary: exit codes, what is published, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use assert_cmd::Command;
use assert_cmd::assert::Assert;

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name)
}

fn check(words: &[&str]) -> Command {
    let mut command = Command::cargo_bin("drawdown").expect("the program");
    command.env_remove("GITHUB_STEP_SUMMARY").env_remove("CLICOLOR_FORCE").arg("check");
    command.arg(scenario("opensrs-cluster-b.toml"));
    command.args(["--set", "population.mailboxes=500", "--set", "forecast.chance_only=0", "--quiet"]);
    command.args(["--set", "plan.move.purge_after='1 h'"]).args(words);
    command
}

/// What a scenario expects, as a setting over its file.
fn expect(all: &[(&str, &str, &str)]) -> String {
    let one = |(milestone, by, wanted): &(&str, &str, &str)| {
        format!("{{ milestone = '{milestone}', by = {by}, probability = '{wanted}' }}")
    };
    format!("expect=[{}]", all.iter().map(one).collect::<Vec<_>>().join(", "))
}

const MET: (&str, &str, &str) = ("all emptied", "2012-12-31", "50 %");
/// No cluster is ever full with so few mailboxes.
const NOT_MET: (&str, &str, &str) = ("nas-1 full", "2012-11-30", "90 %");
/// So few replications cannot tell.
const UNSURE: (&str, &str, &str) = ("all emptied", "2012-12-31", "99.9 %");

#[test]
fn a_verdict_is_one_though_nobody_reads_it() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_drawdown"));
    command.arg("check").arg(scenario("constant-rate.toml")).args(["--no-files", "--set", "population.mailboxes=100"]);
    command.args([
        "--quiet",
        "--replications",
        "12",
        "--set",
        &expect(&[("all emptied", "2012-10-01T00:00:01", "50 %")]),
    ]);
    let mut unread = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    drop((unread.stdout.take(), unread.stderr.take()));
    assert_eq!(unread.wait().expect("its end").code(), Some(10));
}

fn code(all: &[(&str, &str, &str)], words: &[&str]) -> (i32, Assert) {
    let setting = expect(all);
    let assert = check(&["--no-files", "--replications", "12", "--set", &setting]).args(words).assert();
    (assert.get_output().status.code().expect("it ends by itself"), assert)
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("text")
}

#[test]
fn the_exit_code_is_the_worst_of_all() {
    assert_eq!(code(&[MET], &[]).0, 0);
    assert_eq!(code(&[MET, UNSURE], &[]).0, 11);
    assert_eq!(code(&[MET, UNSURE], &["--inconclusive", "pass"]).0, 0);
    assert_eq!(code(&[MET, UNSURE], &["--inconclusive", "fail"]).0, 10);
    let (code, assert) = code(&[UNSURE, NOT_MET, MET], &[]);
    assert_eq!(code, 10);
    let page = stdout(&assert);
    let first = "1 of 3 expectations met, 1 not met, 1 inconclusive";
    assert_eq!(page.lines().nth(2), Some(first), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}

#[test]
fn a_verdict_that_cannot_be_written_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("none/check.xml").to_string_lossy().into_owned();
    let summary = folder.path().join("check.md");
    let (code, assert) = code(&[MET], &["--junit", &junit, "--summary", &summary.to_string_lossy()]);
    assert_eq!(code, 1);
    assert!(stdout(&assert).contains("1 of 1 expectation met"), "{}", stdout(&assert));
    assert!(summary.exists(), "what can be written is");
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("check.xml: "));
}

#[test]
fn what_is_published_is_the_same_each_time_and_added_to_a_step_summary() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let publish = |round: &str| {
        let setting = expect(&[MET, UNSURE]);
        let words = ["--replications", "12", "--set", &setting, "--output"];
        let mut command = check(&words);
        command.arg(path(round)).arg("--junit").arg(path(&format!("{round}.xml")));
        command.arg("--summary").arg(path(&format!("{round}.md"))).env("GITHUB_STEP_SUMMARY", path("step.md"));
        command.assert().code(11);
    };
    fs::write(path("step.md"), "before\n").unwrap();
    publish("one");
    publish("two");
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    assert_eq!((read("one.xml"), read("one.md")), (read("two.xml"), read("two.md")));
    assert_eq!(read("step.md"), format!("before\n{}{}", read("one.md"), read("two.md")));
    assert!(read("one.xml").contains("tests=\"2\" skipped=\"1\" errors=\"0\" failures=\"0\""), "{}", read("one.xml"));
    assert!(read("one.md").starts_with("# Dates expected\n\n**1 of 2 expectations met, 1 inconclusive**\n"));
    let report = read("one/opensrs-cluster-b/report.md");
    assert!(report.starts_with("# OpenSRS Email Cluster B\n") && report == read("two/opensrs-cluster-b/report.md"));
}

#[test]
fn nothing_to_check_is_an_error_and_never_a_pass() {
    let nothing = check(&["--set", "expect=[]"]).assert().code(2);
    let said = String::from_utf8(nothing.get_output().stderr.clone()).unwrap();
    assert!(said.contains("it has no `[[expect]]`: there is nothing to check"), "{said}");
    let setting = expect(&[("head-9 emptied", "2012-12-31", "50 %")]);
    check(&["--set", &setting]).assert().code(2);
    // Two that would write one folder, and one that is not there: all is said at once, and nothing is simulated.
    let folder = tempfile::tempdir().unwrap();
    fs::copy(scenario("constant-rate.toml"), folder.path().join("opensrs-cluster-b.toml")).unwrap();
    let both = check(&[]).arg(folder.path().join("opensrs-cluster-b.toml")).arg("none.toml").assert().code(2);
    let said = String::from_utf8(both.get_output().stderr.clone()).unwrap();
    assert!(said.contains("would both write the folder \"opensrs-cluster-b\"") && said.contains("none.toml"), "{said}");
}
