//! The migration itself, through the program, on real Maildirs in a folder of the test's own: no mail server, no root.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use drawdown::live::ledger::Ledger;

use crate::site_world::{HEADS, World, ended, entries, waits};

#[test]
fn a_run_moves_everything_and_says_so() {
    let world = World::new(12, 20);
    let said = world.finish();
    for milestone in ["head-1 emptied", "head-2 emptied", "all emptied", "decommissioned"] {
        assert!(said.contains(milestone), "{said}");
    }
    world.check_moved();
    assert_eq!(world.check_replay(), 1);
    // Once more there is nothing to do.
    world.finish();
    world.check_moved();
}

#[test]
fn killed_at_any_moment_and_started_again_it_comes_to_the_same_end() {
    let kills: u32 = std::env::var("DRAWDOWN_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut killed = 0;
    let mut seed = 0x9e37_79b9_u32;
    while killed < kills {
        let world = World::new(10, 40);
        for _ in 0..8 {
            let mut child = world.start();
            // Somewhere between the start and the end: a different moment each time.
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let after = Duration::from_millis(u64::from(seed >> 22));
            if waits(after, || child.try_wait().unwrap().is_some()) {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        world.finish();
        world.check_moved();
        world.check_replay();
    }
}

#[test]
fn a_second_run_is_refused_and_the_operator_is_obeyed() {
    let world = World::new(40, 60);
    let mut child = world.start();
    let socket = world.path("socket");
    assert!(waits(Duration::from_secs(20), || socket.exists()), "it answers");
    assert!(world.say(&["pause"]).status.success());
    let second = world.say(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let why = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(why.contains("ledger"), "{why}");
    // The word has been passed on; the machine takes it in when it comes to it.
    assert!(waits(Duration::from_secs(20), || world.status()["paused"] == true), "{}", world.status());
    assert!(waits(Duration::from_secs(20), || {
        let text = world.say(&["status"]).stdout;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("40 mailboxes left, paused by an operator") || text.contains("paused")
    }));
    // Paused it stays, over a stop and a start.
    assert!(world.say(&["stop"]).status.success());
    assert!(waits(Duration::from_secs(20), || child.try_wait().unwrap().is_some()));
    assert_eq!(child.wait().unwrap().code(), Some(12), "it has not finished");
    let mut child = world.start();
    assert!(waits(Duration::from_secs(20), || socket.exists()));
    let left = || {
        let status = world.say(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["heads"].as_array().map(|heads| heads.iter().filter_map(|head| head["left"].as_u64()).sum::<u64>())
    };
    let before = left();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(left(), before, "it is still paused");
    assert_eq!(world.say(&["pace", "head-9", "3"]).status.code(), Some(2));
    assert_eq!(world.say(&["skip", "nobody"]).status.code(), Some(2));
    assert!(world.say(&["skip", "user-001"]).status.success());
    assert!(world.say(&["resume"]).status.success());
    assert!(waits(Duration::from_mins(1), || left().is_none_or(|left| left == 0)));
    let _ = world.say(&["retry", "user-001"]);
    let ended = waits(Duration::from_mins(1), || child.try_wait().unwrap().is_some());
    if !ended {
        child.kill().unwrap();
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(ended, "{said}");
    assert!(child.wait().unwrap().success(), "{said}");
    world.check_replay();
}

#[test]
fn a_user_who_was_left_held_is_released_without_a_run() {
    let world = World::new(2, 3);
    let users = rusqlite::Connection::open(world.path("users.db")).unwrap();
    users.execute("UPDATE mailbox SET state = 'hold', fence = 0 WHERE name = 'user-001'", ()).unwrap();
    let output = world.say(&["release"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("user-001: released"), "{said} {output:?}");
    let held: i64 = users.query_row("SELECT count(*) FROM mailbox WHERE state = 'hold'", (), |row| row.get(0)).unwrap();
    assert_eq!(held, 0);
    drop(users);
    world.finish();
    world.check_moved();
}

#[test]
fn a_forecast_starts_from_where_the_ledger_ends() {
    let world = World::new(40, 30);
    let mut child = world.start();
    let moved = || {
        let status = world.say(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["moved"].as_u64().unwrap_or(0)
    };
    assert!(waits(Duration::from_mins(1), || moved() >= 10));
    let _ = world.say(&["stop"]);
    assert!(waits(Duration::from_secs(20), || child.try_wait().unwrap().is_some()));
    let known = Ledger::read(&world.path("ledger.db")).unwrap().last_known().unwrap().expect("a session");
    let left = known.facts.fleet.home.iter().filter(|home| !home.is_cluster()).count();
    assert!(left > 0 && left <= 30, "{left} are left");
    let ledger = world.path("ledger.db").display().to_string();
    let page = world.say(&["forecast", "--from", &ledger, "--replications", "40", "--no-files", "--quiet"]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("From the ledger: 40 mailboxes, {left} still on the heads")), "{page}");
    assert!(words.contains("Still the scenario's: load"), "{page}");
    let json = world.say(&["forecast", "--from", &ledger, "--replications", "40", "--no-files", "--quiet", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["observed"].as_array().map(|lines| !lines.is_empty()), Some(true), "{json}");
    // A date that has passed is no error: what happened is told, and what lies ahead is simulated.
    let scenario = std::fs::read_to_string(world.path("scenario.toml")).unwrap();
    let as_of = scenario.lines().find_map(|line| line.strip_prefix("as_of = ")).unwrap();
    let date = |by: &str, milestone: &str| format!("{{ milestone = '{milestone}', by = {by}, probability = '80 %' }}");
    let passed = date(&as_of.replace("T00:00:00", "T00:00:01"), "all emptied");
    let expect = format!("expect=[{passed}, {}]", date("2190-01-01", "all emptied"));
    let words = ["--from", &ledger, "--replications", "40", "--no-files", "--quiet", "--json", "--set", &expect];
    let check = world.say(&[&["check"][..], &words[..]].concat());
    assert_eq!(check.status.code(), Some(10), "{check:?}");
    let json: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let found = &json["gates"][0]["expectations"];
    let of = |place: usize| (found[place]["verdict"].as_str().unwrap(), found[place]["has_passed"].as_bool().unwrap());
    assert_eq!((of(0), of(1)), (("fail", true), ("pass", false)), "{found}");
    let page = world.say(&[&["forecast"][..], &words[..6], &words[7..]].concat());
    let page = String::from_utf8_lossy(&page.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("T00:00:01: the day has passed, and it was not in time"), "{page}");
    // A ledger without a session, and one that is none.
    let nothing = world.say(&["forecast", "--from", &world.path("users.db").display().to_string(), "--no-files"]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    world.finish();
    world.check_moved();
}

#[test]
fn a_forecast_from_a_ledger_is_held_against_an_earlier_one_and_tells_the_progress() {
    let world = World::new(40, 30);
    let child = world.start();
    world.wait_until_moved(10);
    let _ = world.say(&["stop"]);
    assert_eq!(ended(child).0, Some(12));
    let (ledger, output) =
        (world.path("ledger.db").display().to_string(), world.path("published").display().to_string());
    let common = ["--from", &ledger, "--replications", "40", "--quiet"];
    let published = world.say(&[&["forecast", "--output", &output][..], &common[..]].concat());
    assert!(published.status.success(), "{published:?}");
    let check = || {
        let words = ["check", "--no-files", "--json", "--baseline", &output];
        let said = world.say(&[&words[..], &common[..]].concat());
        assert!(said.status.success(), "{said:?}");
        let document: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        document["gates"][0]["since_last_forecast"].clone()
    };
    // The post of the same state, and after the end the one that follows it.
    let posts = world.path("posts").display().to_string();
    let post = |words: &[&str]| {
        let said = world.say(&[&["announce", "--output", &posts][..], words, &common[..]].concat());
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    let first = post(&[]);
    assert!(first.contains("We post again by ") && !first.contains("No mailbox has moved yet"), "{first}");
    let same = check();
    assert_eq!(same["program_and_state"], "the program: the same version");
    let of_all = |since: &serde_json::Value| {
        let all = since["milestones"].as_array().unwrap();
        all.iter().find(|one| one["name"] == "all emptied").unwrap().clone()
    };
    assert_eq!(
        (&of_all(&same)["found"], &of_all(&same)["shift"]["days"]),
        (&"unchanged".into(), &0.0.into()),
        "{same}"
    );
    world.finish();
    let last = post(&["--since", &posts]);
    assert!(last.contains("\nAll mailboxes are off the old storage. The migration is done.\n"), "{last}");
    assert!(
        last.contains("\n- Moved since then: ") && last.contains("- All mailboxes are off the old storage now."),
        "{last}"
    );
    assert!(last.ends_with("\nThis is our last post about this migration.\n"), "{last}");
    // What is over is told with the day on which it was, which the ledger knows.
    let page = world.say(&[&["forecast", "--no-files"][..], &common[..]].concat());
    let page = String::from_utf8_lossy(&page.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    for subject in ["head-1 has been empty", "head-2 has been empty", "Everything has been off the old storage"] {
        assert!(page.contains(&format!("{subject} since ")), "{page}");
    }
    assert!(!page.contains("since before the forecast"), "{page}");
    let later = check();
    assert_eq!(later["program_and_state"], "progress in the ledger");
    assert_eq!(later["inputs"], serde_json::json!([]), "the start is the ledger's");
    assert_ne!(of_all(&later)["shift"]["days"], 0.0, "{later}");
}

#[test]
fn the_preflight_names_what_is_wrong_and_leaves_nothing_behind() {
    let world = World::new(4, 2);
    let before = entries(&world.path("nas-1")).len();
    let good = world.say(&["preflight"]);
    let said = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success(), "{said} {good:?}");
    assert!(said.contains("good  directory: 4 users: 2 on head-1, 2 on head-2"), "{said}");
    assert!(said.contains("look  front ends: none"), "{said}");
    assert_eq!(entries(&world.path("nas-1")).len(), before);
    std::fs::remove_dir(world.path("nas-2")).unwrap();
    let bad = world.say(&["preflight"]);
    let said = String::from_utf8_lossy(&bad.stdout).into_owned();
    assert_eq!(bad.status.code(), Some(1));
    assert!(said.contains("BAD   nas-2 at"), "{said}");
}

#[test]
fn paths_may_end_with_a_slash_as_postfix_writes_them() {
    let world = World::new(4, 3);
    world.users().execute("UPDATE mailbox SET path = './' || path || '/'", ()).unwrap();
    world.finish();
    world.check_moved();
}

#[test]
fn the_old_copy_of_a_user_who_is_deleted_after_the_move_is_removed_by_the_next_session() {
    let world = World::new(12, 40);
    world.change("scenario.toml", &[("purge_after = \"1 s\"", "purge_after = \"1 h\"")]);
    let child = world.start();
    world.wait_until_moved(1);
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(child).0, Some(12));
    let users = world.users();
    users.execute("DELETE FROM mailbox WHERE home LIKE 'nas-%'", ()).unwrap();
    world.change("scenario.toml", &[("purge_after = \"1 h\"", "purge_after = \"1 s\"")]);
    let (code, said) = ended(world.command(&["run", "--accept-plan"]).spawn().unwrap());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("decommissioned") && !said.contains("set aside"), "{said}");
    // But for the fence that each head keeps for when it is full.
    let counts = |path: &PathBuf| path.is_file() && !path.ends_with(".drawdown-fence");
    let left: Vec<_> = HEADS.iter().flat_map(|head| entries(&world.path(head))).filter(counts).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_an_interrupted_preflight_has_left_is_removed_at_the_next_start() {
    let world = World::new(4, 2);
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let left = world.path("head-1").join(format!(".drawdown-preflight-{}", child.id()));
    std::fs::create_dir_all(left.join("Maildir/cur")).unwrap();
    std::fs::write(left.join("Maildir/cur/1.host:2,"), "a test message").unwrap();
    world.finish();
    assert!(!left.exists());
    world.check_moved();
}
