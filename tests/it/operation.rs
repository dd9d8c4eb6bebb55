//! What people do with a migration around its run, through the program: checks, a dry run, a stopped cohort, metrics, logs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use drawdown::live::ledger::Ledger;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::site_world::{CLUSTERS, HEADS, World, ended, entries, mail, waits};

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A run with the checks that it begins with.
fn start(world: &World) -> Child {
    world.plain("scenario.toml", &["run", "--quiet"]).spawn().unwrap()
}

/// Every file and folder below the stores.
pub(crate) fn stores(world: &World) -> Vec<PathBuf> {
    let mut found: Vec<_> = HEADS.iter().chain(&CLUSTERS).flat_map(|store| entries(&world.path(store))).collect();
    found.sort();
    found
}

#[test]
fn a_preflight_moves_a_mailbox_of_its_own_from_each_head_to_each_cluster_and_back() {
    let world = World::new(4, 2);
    let before = stores(&world);
    // What a preflight that was killed has left.
    let left = world.path("head-1").join(".drawdown-preflight-4000000000/Maildir/cur");
    fs::create_dir_all(left).unwrap();
    let output = world.say(&["preflight"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}");
    for way in ["head-1 to nas-1", "head-2 to nas-2"] {
        let line = format!("good  test move, {way} and back: 24 messages there and back; held, fenced, verified");
        assert!(said.contains(&line), "{said}");
    }
    assert_eq!(stores(&world), before, "nothing is left of it");
    assert_eq!(world.held(), Vec::<String>::new());
    assert!(!world.path("ledger.db").exists(), "a preflight makes no ledger");
}

#[test]
fn a_test_user_moves_in_the_sites_own_directory_and_comes_back_as_it_was() {
    let world = World::new(4, 30);
    world.change("scenario.toml", &[("[site]\n", "[site]\ntest_user = \"user-002\"\n")]);
    let output = world.say(&["preflight"]);
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("good  test user user-002: 30 messages there and back"), "{said}");
    let row = "SELECT home, state, epoch FROM mailbox WHERE name = 'user-002'";
    let found: (String, String, i64) =
        world.users().query_row(row, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!(found, ("head-1".to_owned(), "ok".to_owned(), 2));
    assert!(mail(&HEADS.map(|head| world.path(head))) == world.before, "its mail is as it was");
    assert_eq!(mail(&CLUSTERS.map(|cluster| world.path(cluster))).len(), 0);
    // One that nobody knows is told, and nothing else is tried with it.
    world.change("scenario.toml", &[("user-002", "nobody")]);
    let output = world.say(&["preflight"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("BAD   test user nobody: the directory does not know it"));
}

#[test]
fn a_test_move_that_a_front_end_stops_is_bad_and_is_backed_out() {
    let world = World::new(2, 2);
    let front = "[site.directory]\n";
    let refuses = "[[site.front_end]]\nname = \"imap-1\"\nflush = [\"true\", \"{user}\"]\nkick = [\"false\", \"{user}\"]\n\
                   who = [\"echo\", \"{user} imap 1\"]\n";
    world
        .change("scenario.toml", &[(front, &format!("{refuses}{front}")), ("ledger = ", "drain = \"1 s\"\nledger = ")]);
    let before = stores(&world);
    let output = world.say(&["preflight"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("BAD   test move, head-1 to nas-1 and back: switch of drawdown-preflight-nobody: "),
        "{said}"
    );
    assert_eq!(stores(&world), before);
}

#[test]
fn a_run_begins_only_after_its_preflight_and_leaves_nobody_held_when_it_does_not() {
    let world = World::new(6, 3);
    let (code, said) = ended(start(&world));
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
    let preflight = |world: &World| {
        let reader = Ledger::read(&world.path("ledger.db")).unwrap();
        let last = reader.sessions().unwrap().len();
        let connection = rusqlite::Connection::open(world.path("ledger.db")).unwrap();
        let scenario = "SELECT scenario FROM session WHERE number = ?1";
        let scenario: String = connection.query_row(scenario, [last as i64], |row| row.get(0)).unwrap();
        scenario.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(preflight(&world), "# preflight: passed");
    // A store that is gone: it does not begin, and says what has failed.
    fs::rename(world.path("nas-2"), world.path("elsewhere")).unwrap();
    let users = world.users();
    users.execute("UPDATE mailbox SET state = 'hold', fence = 0 WHERE name = 'user-001'", ()).unwrap();
    let (code, said) = ended(start(&world));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("BAD   nas-2 at") && said.contains("checks failed: the migration cannot begin"), "{said}");
    // It has looked after who was held on the others.
    assert!(said.contains("nas-2 at") && said.contains("is out of service until the next start"), "{said}");
    assert!(said.contains("user-001 was left held at nas-1: put back and released"), "{said}");
    users.execute("UPDATE mailbox SET state = 'hold', fence = 0 WHERE name = 'user-001'", ()).unwrap();
    fs::rename(world.path("elsewhere"), world.path("nas-2")).unwrap();
    world.change("scenario.toml", &[("\"0.2 0.002\"", "\"much\"")]);
    let (code, said) = ended(start(&world));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("BAD   probe of head-1") && said.contains("user-001 was left held"), "{said}");
    assert_eq!(world.held(), Vec::<String>::new());
    world.change("scenario.toml", &[("\"much\"", "\"0.2 0.002\"")]);
    let (code, said) = ended(world.command(&["run", "--quiet", "--skip-preflight"]).spawn().unwrap());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(preflight(&world), "# preflight: skipped");
    world.check_replay();
}

#[test]
fn what_is_dubious_in_a_scenario_is_said_before_a_migration_begins() {
    let world = World::new(2, 1);
    let late = "expect=[{ milestone = 'all emptied', by = 2099-01-01, probability = '80 %' }]";
    let runs = [&["preflight"][..], &["run", "--dry-run"], &["run", "--quiet", "--log", "json"], &["run", "--quiet"]];
    for words in runs {
        let output = world.say(&[words, &["--set", late]].concat());
        let said = text(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        assert_eq!(said.matches("which lies after the horizon").count(), 1, "{words:?}: {said}");
    }
    assert!(!text(&world.say(&["run", "--quiet"]).stderr).contains("warning: "));
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let world = World::new(6, 3);
    let users = world.users();
    users.execute("UPDATE mailbox SET state = 'hold', fence = 0 WHERE name = 'user-003'", ()).unwrap();
    let before = (stores(&world), fs::read(world.path("users.db")).unwrap());
    let output = world.say(&["run", "--dry-run"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said} {}", text(&output.stderr));
    assert!(said.contains("user-003 is held at head-2: it would be put back and released"), "{said}");
    assert!(said.contains("head-1: 4 streams may progress\n"), "{said}");
    assert!(said.contains("copy user-000, ") && said.contains("head-2 is bound by: not its turn"), "{said}");
    assert!(said.contains("  1. user-000, ") && said.contains("  6. user-005, "), "{said}");
    assert!(said.contains("to nas-1 from head-1: 3 mailboxes, ") && !said.contains("HELD BACK"), "{said}");
    assert!((stores(&world), fs::read(world.path("users.db")).unwrap()) == before, "nothing is touched");
    assert!(!world.path("ledger.db").exists() && !world.path("socket").exists());
    let lease: i64 = users.query_row("SELECT count(*) FROM drawdown_lease", (), |row| row.get(0)).unwrap();
    assert_eq!(lease, 0, "no lease is taken");
    drop(users);
    // The real run does the same, in the same order as far as there is one.
    world.finish();
    world.check_moved();
    let after = text(&world.say(&["run", "--dry-run"]).stdout);
    assert!(after.contains("MOVES, in this order\n") && !after.contains("  1. "), "{after}");
}

#[test]
fn a_dry_run_names_what_is_held_back_and_why() {
    let world = World::new(4, 3);
    world.change("scenario.toml", &[("\"0.2 0.002\"", "\"much\"")]);
    let said = text(&world.say(&["run", "--dry-run"]).stdout);
    assert!(said.contains("no sample: head-1: the probe printed \"much\""), "{said}");
    assert!(said.contains("2 on head-1, two weeks ahead still bound by: outage: user-000, user-002"), "{said}");
}

#[test]
fn a_stopped_cohort_keeps_its_old_copies_and_nothing_more_moves() {
    let world = World::new(40, 60);
    world.change("scenario.toml", &[("purge_after = \"1 s\"", "purge_after = \"15 s\"")]);
    let child = world.start();
    world.wait_until_moved(4);
    for (since, why) in [
        ("yesterday", "must be a time such as"),
        ("2026-11-25", "must be a time such as"),
        ("2999-01-01T00:00", "lies ahead"),
    ] {
        let refused = world.say(&["stop-cohort", "--since", since]);
        assert_eq!(refused.status.code(), Some(2), "{since}: {refused:?}");
        assert!(text(&refused.stderr).contains(why), "{since}: {refused:?}");
    }
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(23);
    let stopped = world.say(&["stop-cohort", "--since", &yesterday.to_string()]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(text(&stopped.stdout).contains("are kept"), "{stopped:?}");
    assert!(waits(Duration::from_secs(30), || world.status()["paused"] == true), "{}", world.status());
    // Who was switching when it came still ends; copies that have arrived wait.
    std::thread::sleep(Duration::from_secs(4));
    let moved = world.status()["moved"].clone();
    std::thread::sleep(Duration::from_secs(16));
    assert_eq!(world.status()["moved"], moved, "nothing more moves");
    // On a busy machine the order may come when the second head has its turn already.
    let stands = |path: &&PathBuf| path.to_string_lossy().ends_with(".moving");
    let kept =
        || HEADS.iter().map(|head| entries(&world.path(head)).iter().filter(stands).count()).sum::<usize>() as u64;
    assert_eq!(Some(kept()), moved.as_u64(), "each old copy is still there, though its grace is over");
    assert!(world.say(&["stop"]).status.success());
    let (code, said) = ended(child);
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("ended before all was done: ") && said.contains(" mailboxes left, "), "{said}");
    // A later session, which goes on with the rest, keeps them too.
    let child = world.start();
    assert!(waits(Duration::from_secs(20), || world.say(&["resume"]).status.success()));
    let (code, said) = ended(child);
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains(&format!("{moved} old cop")) && said.contains("still on the heads"), "{said}");
    assert_eq!(Some(kept()), moved.as_u64(), "all else has moved and is purged");
    world.check_replay();
}

#[test]
fn metrics_are_told_while_it_runs_and_only_then() {
    let world = World::new(20, 40);
    // Free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.change("scenario.toml", &[("[site]\n", &format!("[site]\nmetrics = {{ listen = \"{address}\" }}\n"))]);
    let child = start(&world);
    let page = || {
        let mut stream = TcpStream::connect(address).ok()?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        Some(page)
    };
    let number = |page: &str, series: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.parse::<f64>().ok()
    };
    let mut last = String::new();
    let told = waits(Duration::from_secs(30), || {
        last = page().unwrap_or_default();
        number(&last, "drawdown_moves_total").is_some_and(|moves| moves >= 3.0)
    });
    assert!(told, "{last}");
    let moves = number(&last, "drawdown_moves_total").unwrap();
    assert!(number(&last, "drawdown_hold_seconds_count").is_some_and(|holds| holds >= moves), "{last}");
    assert!(number(&last, "drawdown_ledger_events_total").is_some_and(|events| events > moves), "{last}");
    assert!(number(&last, "drawdown_lease_expiry_timestamp_seconds").is_some(), "{last}");
    assert_eq!(number(&last, "drawdown_head_utilisation_ratio{head=\"head-1\"}"), Some(0.2), "{last}");
    assert!(!last.contains("user-0"), "no mailbox is named");
    assert_eq!(ended(child).0, Some(0));
    assert!(TcpStream::connect(address).is_err(), "nobody answers after the end");
    world.check_moved();
}

#[test]
fn a_log_of_json_says_who_was_held_and_for_how_long() {
    let world = World::new(6, 5);
    let output = world.plain("scenario.toml", &["run", "--log", "json"]).output().unwrap();
    let log = text(&output.stderr);
    assert!(output.status.success(), "{log}");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let mut flipped: Vec<&str> = of("flip").iter().filter_map(|line| line["user"].as_str()).collect();
    flipped.sort_unstable();
    assert_eq!(flipped, (0..6).map(|number| format!("user-00{number}")).collect::<Vec<_>>());
    assert!(of("flip").iter().all(|line| line["held_s"].as_f64().is_some_and(|held| held > 0.0)), "{log}");
    // A move can be followed by its effect.
    let effect = &of("flip")[0]["effect"];
    let steps: Vec<_> =
        lines.iter().filter(|line| line["effect"] == *effect).map(|line| line["event"].clone()).collect();
    for step in ["start_copy", "bulk", "copy_ended", "switch", "hold", "fence", "placed", "flip", "switch_ended"] {
        assert!(steps.iter().any(|seen| seen == step), "{step} is missing from {steps:?}");
    }
    assert!(lines.iter().all(|line| line["time"].is_string() && line["level"] == "info"), "{log}");
}

#[test]
fn a_run_waits_for_nobody_who_does_not_read_what_it_says() {
    for words in [&["run", "--log", "json"][..], &["run"]] {
        let world = World::new(6, 5);
        // Full from the start: the first line of the program finds no place.
        let (_unread, mut full) = std::io::pipe().unwrap();
        full.write_all("x".repeat(65_536).as_bytes()).unwrap();
        let child = world.plain("scenario.toml", words).stderr(full).spawn().unwrap();
        let (code, said) = ended(child);
        assert_eq!(code, Some(0), "{words:?}: {said}");
        world.check_moved();
    }
}

#[test]
fn a_run_whose_messages_nobody_can_read_any_more_goes_on() {
    let world = World::new(4, 3);
    let (gone, pipe) = std::io::pipe().unwrap();
    drop(gone);
    let child = world.plain("scenario.toml", &["run"]).stderr(pipe).spawn().unwrap();
    assert_eq!(ended(child).0, Some(0));
    world.check_moved();
}

#[test]
fn orders_are_taken_again_when_there_are_files_for_them() {
    let world = World::new(40, 60);
    let child = world.start();
    world.wait_until_moved(1);
    assert!(world.say(&["pause"]).status.success());
    // Switches under way end; copies wait, those that have arrived too.
    let calm = waits(Duration::from_mins(1), || {
        (0..4).all(|_| {
            std::thread::sleep(Duration::from_millis(150));
            world.held().is_empty()
        })
    });
    assert!(calm, "{}", world.status());
    let pid = Some(Pid::from_child(&child));
    let before = getrlimit(Resource::Nofile);
    let limit = |current| prlimit(pid, Resource::Nofile, Rlimit { current, ..before }).unwrap();
    limit(Some(3));
    let _nobody_answers = UnixStream::connect(world.path("socket")).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    limit(before.current);
    assert!(waits(Duration::from_secs(30), || world.say(&["resume"]).status.success()), "nobody answers any more");
    let (code, said) = ended(child);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
}

#[test]
fn a_closed_cluster_takes_nothing_new_and_held_purges_wait_until_they_are_let_go() {
    let world = World::new(40, 60);
    let child = world.start();
    assert!(waits(Duration::from_secs(30), || world.say(&["pause"]).status.success()));
    assert_eq!(world.say(&["close-cluster", "nas-9"]).status.code(), Some(2));
    for words in
        [&["close-cluster", "nas-2"][..], &["open-cluster", "nas-2"], &["close-cluster", "nas-1"], &["hold-purges"]]
    {
        assert!(world.say(words).status.success(), "{words:?}");
    }
    assert!(world.say(&["resume"]).status.success());
    world.wait_until_moved(40);
    std::thread::sleep(Duration::from_secs(3));
    let moving = || {
        let found = HEADS.iter().flat_map(|head| entries(&world.path(head)));
        found.filter(|path| path.to_string_lossy().ends_with(".moving")).count()
    };
    // What was on its way already has gone on.
    let there = "SELECT count(*) FROM mailbox WHERE home = 'nas-2'";
    let there: i64 = world.users().query_row(there, (), |row| row.get(0)).unwrap();
    assert!(there >= 20 && moving() >= 20, "{there} on the other cluster, {} old copies", moving());
    assert!(world.say(&["resume-purges"]).status.success());
    let (code, said) = ended(child);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(moving(), 0);
    world.check_moved();
}

#[test]
fn orders_that_protect_mail_outlast_a_kill_and_a_start_that_fails() {
    let world = World::new(8, 2);
    let hour = ("purge_after = \"1 s\"", "purge_after = \"1 h\"");
    let socket = world.path("socket").display().to_string();
    world.change("scenario.toml", &[hour]);
    world.change("no-socket.toml", &[(&format!("socket = \"{socket}\""), &format!("socket = \"{socket}/nowhere\""))]);
    let mut child = world.start();
    world.wait_until_moved(1);
    for words in [&["pause"][..], &["hold-purges"], &["close-cluster", "nas-2"]] {
        assert!(world.say(words).status.success(), "{words:?}");
    }
    let in_force = || {
        let status = world.status();
        status["paused"] == true && status["purges_held"] == true && status["clusters"][1]["closed"] == true
    };
    assert!(waits(Duration::from_secs(30), in_force), "{}", world.status());
    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..2 {
        let output = world.command_of("no-socket.toml", &["run", "--quiet"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains("socket/nowhere: "), "{output:?}");
    }
    let child = world.command(&["run"]).spawn().unwrap();
    assert!(waits(Duration::from_secs(30), in_force), "{}", world.status());
    let sessions = Ledger::read(&world.database("ledger.db")).unwrap().sessions().unwrap();
    assert_eq!(sessions.len(), 2, "what cannot begin leaves nothing behind");
    assert!(world.say(&["stop"]).status.success());
    let (code, said) = ended(child);
    assert_eq!(code, Some(12), "{said}");
    for words in ["until `drawdown resume-purges`", "before `drawdown resume`", "on nas-2 as before, until"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
