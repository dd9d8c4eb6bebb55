//! Inventories through the command line: forecasts from one, and `drawdown inventory` that makes one.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use drawdown::scenario::starter;

use crate::coarse::COARSE;

fn drawdown(folder: &Path, arguments: &[&str]) -> Assert {
    let mut command = Command::cargo_bin("drawdown").expect("the program");
    command.current_dir(folder).args(arguments).assert()
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("text")
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("text")
}

fn example() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["inventory.toml", "inventory.csv"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
        fs::copy(from, folder.path().join(name)).expect("the example");
    }
    folder
}

#[test]
fn a_forecast_says_what_came_from_the_file_and_is_the_same_for_any_number_of_threads() {
    let folder = example();
    let forecast = |threads: &str, output: &str| {
        let arguments =
            ["forecast", "inventory.toml", "--replications", "8", "--quiet", "--threads", threads, "--output", output];
        stdout(&drawdown(folder.path(), &[&arguments[..], &COARSE].concat()).success())
    };
    let page = forecast("1", "one");
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("400 mailboxes, 50.4 GB. head-1: 200 mailboxes,"), "{page}");
    assert!(flat.contains("48 of them moved already") && flat.contains("bytes (Size (MB)) in MB"), "{page}");
    assert!(flat.contains("Not in the file: activity, drawn from population.activity."), "{page}");
    assert!(!page.contains('@'), "reports carry no names: {page}");
    assert_eq!(page, forecast("2", "two"));
    let read = |run: &str, file: &str| fs::read(folder.path().join(run).join("inventory").join(file)).unwrap();
    for file in ["forecast.json", "replications.csv", "series.csv", "manifest.json"] {
        assert!(read("one", file) == read("two", file), "{file} differs");
    }
    let manifest: serde_json::Value = serde_json::from_slice(&read("one", "manifest.json")).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&read("one", "forecast.json")).unwrap();
    assert_eq!(manifest["inventory_sha256"], document["inventory"]["sha256"]);
    assert_eq!(document["inventory"]["heads"][0]["moved"], 48);
}

#[test]
fn bad_rows_exit_with_2_or_are_left_out_as_the_report_then_says() {
    let folder = example();
    let path = folder.path().join("inventory.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}new@example.org,example.org,head-3,-1,5,,\nshort,row\n")).unwrap();
    let assert = drawdown(folder.path(), &["validate", "inventory.toml"]).code(2);
    assert!(stderr(&assert).ends_with("3 problems\n"), "{}", stderr(&assert));
    let arguments = ["forecast", "inventory.toml", "--replications", "4", "--quiet", "--no-files", "--skip-bad-rows"];
    let page = stdout(&drawdown(folder.path(), &arguments).success());
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("Left out of the file, as asked for: 2 rows with problems"), "{page}");
    assert!(flat.contains("drawdown forecast inventory.toml --replications 4 --skip-bad-rows"), "{page}");
}

#[test]
#[cfg(target_os = "linux")]
fn maildirs_become_rows_that_a_scenario_can_be_forecast_from() {
    let folder = tempfile::tempdir().unwrap();
    for (user, messages) in [("example.org/ann", 3), ("example.org/bob", 0), ("example.net/cy/Maildir", 1)] {
        let maildir = folder.path().join("mail").join(user);
        for part in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"] {
            fs::create_dir_all(maildir.join(part)).unwrap();
        }
        for number in 0..messages {
            fs::write(maildir.join(format!("cur/{number}.host:2,S")), "12345").unwrap();
            fs::write(maildir.join(format!(".Sent/new/{number}.host,S=70")), "1234567").unwrap();
        }
    }
    // What a migration leaves behind a fence, and while it removes it, is no mailbox.
    for old in ["example.org/dan.moving/cur", "example.org/dan.moving/new", "example.net/eve/Maildir.purging/cur"] {
        fs::create_dir_all(folder.path().join("mail").join(old)).unwrap();
    }
    fs::write(folder.path().join("mail/example.org/dan"), "a fence").unwrap();
    let write = ["inventory", "head-1=mail", "--names", "address", "--output", "boxes.csv"];
    let said = stderr(&drawdown(folder.path(), &write).success());
    assert!(said.contains("mail: 2 old copies of a migration (*.moving, *.purging) are left out"), "{said}");
    let text = fs::read_to_string(folder.path().join("boxes.csv")).unwrap();
    let rows = "ann@example.org,head-1,225,6\nbob@example.org,head-1,0,0\ncy@example.net,head-1,75,2\n";
    assert_eq!(text, format!("mailbox,head,bytes,messages\n{rows}"));
    // What is there is not written over.
    drawdown(folder.path(), &write).code(2);
    fs::write(folder.path().join("base.toml"), starter()).unwrap();
    let scenario = "extends = \"base.toml\"\n[population]\ninventory = \"boxes.csv\"\n";
    fs::write(folder.path().join("scenario.toml"), scenario).unwrap();
    drawdown(folder.path(), &["validate", "scenario.toml"]).success();
}

#[test]
#[cfg(target_os = "linux")]
fn exports_become_rows_and_what_is_wrong_with_them_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let status = "username\tmailbox\tmessages\tvsize\nann\tINBOX\t2\t100\nann\tSent\t1\t50\nbob\tINBOX\t0\t0\n";
    fs::write(folder.path().join("status.tsv"), status).unwrap();
    fs::write(folder.path().join("vendor.csv"), "User;Size (kB)\n\"d, e\";1.5\n").unwrap();
    let assert = drawdown(folder.path(), &["inventory", "head-1=status.tsv"]).success();
    assert_eq!(stdout(&assert), "mailbox,head,bytes,messages\nann,head-1,150,3\nbob,head-1,0,0\n");
    let vendor = ["inventory", "head-2=vendor.csv", "--mailbox", "User", "--bytes", "Size (kB)", "--separator", ";"];
    let assert = drawdown(folder.path(), &vendor).success();
    assert_eq!(stdout(&assert), "mailbox,head,bytes\n\"d, e\",head-2,1500\n");
    fs::write(folder.path().join("semicolons.csv"), "mailbox;bytes\nann;5\n").unwrap();
    let said = stderr(&drawdown(folder.path(), &["inventory", "head-1=semicolons.csv"]).code(2));
    assert!(said.contains("say so: --separator ';'\n1 problem"), "{said}");
    fs::write(folder.path().join("bad.csv"), "mailbox,bytes\nann,-1\n,5\n").unwrap();
    let assert =
        drawdown(folder.path(), &["inventory", "head-1=bad.csv", "head-2=status.tsv", "head-3=status.tsv"]).code(2);
    let said = stderr(&assert);
    assert!(said.contains("bad.csv: row 2, column \"bytes\": is \"-1\"") && said.contains("row 3"), "{said}");
    assert!(said.contains("ann: is on head-2 and on head-3"), "{said}");
    drawdown(folder.path(), &["inventory", "head-1=nowhere"]).code(2);
    drawdown(folder.path(), &["inventory", "nowhere"]).code(2);
}
