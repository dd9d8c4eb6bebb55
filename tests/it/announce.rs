//! The status post through the binary: what is written, what is refused, and the template of the documentation.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;

use crate::coarse::COARSE;

/// Few mailboxes, gone from the heads soon after they have moved.
const SETTINGS: [&str; 8] = [
    "--set",
    "population.mailboxes=500",
    "--set",
    "plan.move.purge_after='1 day'",
    "--set",
    "forecast.chance_only=0",
    "--replications",
    "60",
];

fn announce(words: &[&str]) -> Command {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/opensrs-cluster-b.toml");
    let mut command = Command::cargo_bin("drawdown").expect("the program");
    command.arg("announce").arg(scenario).args(SETTINGS).args(COARSE).arg("--quiet").args(words);
    command
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("text")
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("text")
}

fn words(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_post_is_the_same_each_time_and_the_next_one_is_held_against_it() {
    let root = tempfile::tempdir().unwrap();
    let post = |round: &str, threads: &str| -> PathBuf {
        let output = root.path().join(round);
        let assert = announce(&["--threads", threads, "--output", &words(&output)]).assert().success();
        let folder = output.join("opensrs-cluster-b-announcement");
        let text = fs::read_to_string(folder.join("announcement.txt")).unwrap();
        assert_eq!(stdout(&assert), text);
        assert!(text.starts_with("OpenSRS Email Cluster B: where we are on October 10, 2012\n"), "{text}");
        assert!(text.contains("- head-1, which is moved first: about 40 % of its mailboxes have moved\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
        folder
    };
    let (one, two) = (post("one", "1"), post("two", "2"));
    for name in ["announcement.md", "announcement.txt", "announcement.json"] {
        assert_eq!(fs::read(one.join(name)).unwrap(), fs::read(two.join(name)).unwrap(), "{name}");
    }
    assert_eq!(fs::read_dir(&one).unwrap().count(), 3);
    // Five days later nothing has moved: everything is later. The earlier post may lie where the new one goes.
    let output = words(&root.path().join("one"));
    let later = ["--since", &output, "--output", &output, "--set", "as_of=2012-10-15T09:00:00", "--markdown"];
    let markdown = stdout(&announce(&later).assert().success());
    assert!(markdown.contains("\n## What has changed since our post of October 10\n"), "{markdown}");
    assert!(markdown.contains("later than we said") && !markdown.contains("Moved since then"), "{markdown}");
    assert_eq!(markdown, fs::read_to_string(one.join("announcement.md")).unwrap());
    // What is later cannot be an earlier post.
    let assert = announce(&["--since", &output, "--no-files"]).assert().code(2);
    assert_eq!(stderr(&assert), "--since: that post is 5.0 days later than the start of this forecast\n");
}

#[test]
fn what_is_wrong_is_told_at_once_and_nothing_is_written() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| words(&root.path().join(name));
    fs::write(path("bad.md"), "# {{ title }}\n{{ nothing }}\n").unwrap();
    fs::write(path("bad.txt.j2"), "{% for %}\n").unwrap();
    let output = path("output");
    let asked = ["--template", &path("bad.md"), "--template", &path("bad.txt.j2"), "--since", &path("none")];
    let told = stderr(&announce(&asked).args(["--output", &output]).assert().code(2));
    assert!(told.contains("bad.md:2: undefined value: `nothing` is undefined"), "{told}");
    assert!(told.contains("bad.txt.j2:1: syntax error"), "{told}");
    assert!(told.contains("--since: no earlier post and no forecast in "), "{told}");
    assert!(!Path::new(&output).exists());
    for every in ["11 days", "1 h", "soon"] {
        announce(&["--every", every, "--no-files"]).assert().code(2);
    }
    // A folder that holds anything else stays as it is.
    let folder = root.path().join("mine/opensrs-cluster-b-announcement");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let told = stderr(&announce(&["--output", &path("mine")]).assert().code(1));
    assert!(told.contains("holds notes.txt, which this command does not write: left as it is"), "{told}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

/// The example in docs/announce.md, as it stands there.
#[test]
fn the_documented_template_makes_a_post() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/announce.md")).unwrap();
    let template = document.split("```jinja\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let root = tempfile::tempdir().unwrap();
    let (file, output) = (root.path().join("post.md.j2"), words(&root.path().join("output")));
    fs::write(&file, template).unwrap();
    let asked = ["--template", &words(&file), "--output", &output, "--markdown"];
    let post = stdout(&announce(&asked).assert().success());
    assert!(
        post.starts_with(
            "# The mail storage on October 10, 2012\n\nWe have moved about 20 % of 500 mailboxes.\n- We expect head-1"
        ),
        "{post}"
    );
    assert!(post.ends_with("\nYou will hear from us by Saturday, October 20.\n"), "{post}");
    let second = stdout(&announce(&asked).args(["--since", &output]).assert().success());
    assert!(second.contains("\nSince October 10:\n- The dates are as they were.\n"), "{second}");
    // The text beside it is from the built-in template.
    let text = fs::read_to_string(Path::new(&output).join("opensrs-cluster-b-announcement/announcement.txt")).unwrap();
    assert!(text.contains("\nWHERE WE ARE\n"), "{text}");
}
