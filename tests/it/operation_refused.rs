//! What a migration does not begin with: scenarios, directories and stores that it would do harm with, and what it says of them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use drawdown::live::ledger::Ledger;

use crate::images;
use crate::operation::{stores, text};
use crate::site_world::{HEADS, World, ended, entries, mail, waits};

#[test]
fn users_who_share_a_mailbox_are_refused_before_anything_moves() {
    let world = World::new(4, 2);
    let alias = "INSERT INTO mailbox (name, home, path) SELECT 'postmaster', home, path || ?1 FROM mailbox \
                 WHERE name = 'user-000'";
    for (below, said) in [("/", "postmaster and user-000 are both at "), ("/.Inner", "that of postmaster at ")] {
        world.users().execute(alias, [below]).unwrap();
        let preflight = world.say(&["preflight"]);
        let bad = format!("BAD   mailboxes of their own: shared on the heads: {said}");
        assert!(text(&preflight.stdout).contains(&bad), "{preflight:?}");
        for words in [&["run", "--dry-run"][..], &["run", "--quiet"]] {
            let output = world.say(words);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(
                text(&output.stderr).contains(&format!("users on the heads share mailboxes: {said}")),
                "{output:?}"
            );
        }
        assert!(mail(&HEADS.map(|head| world.path(head))) == world.before, "nothing has been touched");
        world.users().execute("DELETE FROM mailbox WHERE name = 'postmaster'", ()).unwrap();
    }
    // On another head it may be meant so: they cannot both come to one cluster.
    world.users().execute(&alias.replace("SELECT 'postmaster', home", "SELECT 'postmaster', 'head-2'"), [""]).unwrap();
    let said = text(&world.say(&["preflight"]).stdout);
    assert!(
        said.contains("look  mailboxes of their own: they cannot both come to one cluster: postmaster and"),
        "{said}"
    );
}

#[test]
fn a_mailbox_with_a_name_that_a_move_needs_is_refused_before_anything_moves() {
    let world = World::new(4, 2);
    let beside = "INSERT INTO mailbox (name, home, path) SELECT 'other', ?1, path || ?2 FROM mailbox \
                  WHERE name = 'user-000'";
    for (home, ending) in [("nas-1", ".arriving"), ("head-1", ".purging"), ("head-2", ".moving/Maildir")] {
        world.users().execute(beside, [home, ending]).unwrap();
        let preflight = world.say(&["preflight"]);
        let bad = "BAD   mailboxes of their own: names that a move needs for itself: other is at ";
        assert!(text(&preflight.stdout).contains(bad), "{preflight:?}");
        for words in [&["run", "--dry-run"][..], &["run", "--quiet"]] {
            let output = world.say(words);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(text(&output.stderr).contains("names that a move needs for itself: other is at "), "{output:?}");
        }
        assert!(mail(&HEADS.map(|head| world.path(head))) == world.before, "nothing has been touched");
        world.users().execute("DELETE FROM mailbox WHERE name = 'other'", ()).unwrap();
    }
}

#[test]
fn a_directory_that_knows_nobody_of_the_ledger_is_refused() {
    let world = World::new(12, 40);
    let child = world.start();
    world.wait_until_moved(1);
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(child).0, Some(12));
    let (users, before) = (world.users(), stores(&world));
    users.execute_batch("CREATE TABLE away AS SELECT * FROM mailbox; DELETE FROM mailbox").unwrap();
    for words in [&["run", "--quiet", "--skip-preflight"][..], &["run", "--dry-run"]] {
        let output = world.say(words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let why = "the directory knows none of the 12 users whom this ledger has";
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
    assert!(stores(&world) == before, "nothing has been touched");
    users.execute_batch("INSERT INTO mailbox SELECT * FROM away").unwrap();
    world.finish();
    world.check_moved();
}

#[test]
fn stores_that_have_changed_places_since_the_ledgers_last_session_are_refused() {
    let world = World::new(12, 40);
    let child = world.start();
    world.wait_until_moved(1);
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(child).0, Some(12));
    world.change(
        "swapped.toml",
        &[
            ("[[head]]\nname = \"head-1\"", "[[head]]\nname = \"head-?\""),
            ("[[head]]\nname = \"head-2\"", "[[head]]\nname = \"head-1\""),
        ],
    );
    let swapped = fs::read_to_string(world.path("swapped.toml")).unwrap();
    fs::write(world.path("swapped.toml"), swapped.replace("head-?", "head-2")).unwrap();
    let before = (stores(&world), fs::read(world.path("users.db")).unwrap());
    let from = world.path("ledger.db").display().to_string();
    for words in [
        &["run", "--quiet"][..],
        &["run", "--quiet", "--skip-preflight"],
        &["run", "--dry-run"],
        &["release"],
        &["forecast", "--no-files", "--from", &from],
    ] {
        let output = world.plain("swapped.toml", words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
        let why = "the heads are head-2, head-1, those of the ledger's last session head-1, head-2: ";
        assert!(text(&output.stderr).contains(why), "{words:?}: {output:?}");
    }
    let said = text(&world.plain("swapped.toml", &["preflight"]).output().unwrap().stdout);
    assert!(said.contains("BAD   ledger ") && said.contains("the heads are head-2, head-1"), "{said}");
    assert!((stores(&world), fs::read(world.path("users.db")).unwrap()) == before, "nothing is touched");
    world.finish();
    world.check_moved();
}

#[test]
fn a_damaged_ledger_is_bad_and_keeps_nobody_held() {
    let world = World::new(4, 2);
    world.finish();
    let ledger = world.path("ledger.db");
    let hold = |user: &str| {
        let sql = "UPDATE mailbox SET state = 'hold', fence = 0 WHERE name = ?1";
        world.users().execute(sql, [user]).unwrap();
    };
    let open = || rusqlite::Connection::open(&ledger).unwrap();
    open().execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM mailbox WHERE id = 2").unwrap();
    for damage in 0..2 {
        hold("user-000");
        let preflight = world.say(&["preflight"]);
        assert!(text(&preflight.stdout).contains("BAD   ledger "), "{preflight:?}");
        let released = world.say(&["release"]);
        assert!(released.status.success(), "{released:?}");
        assert!(text(&released.stdout).contains("user-000: released"), "{released:?}");
        assert_eq!(world.held(), Vec::<String>::new());
        for words in [&["run", "--dry-run"][..], &["run", "--quiet"]] {
            let output = world.say(words);
            let said = text(&output.stderr);
            let why = if damage == 0 { "mailbox 2 is missing" } else { "ledger.db: " };
            assert!(output.status.code() == Some(1) && said.contains(why) && !said.contains("panicked"), "{output:?}");
        }
        if damage > 0 {
            continue;
        }
        // And now with half of it.
        open().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let length = fs::metadata(&ledger).unwrap().len();
        fs::File::options().write(true).open(&ledger).unwrap().set_len(length / 2).unwrap();
    }
}

#[test]
fn a_store_that_is_not_mounted_is_bad_unless_it_is_meant_so() {
    let world = World::new(4, 2);
    let device = |path: &std::path::Path| fs::metadata(path).unwrap().dev();
    if device(&world.path("nas-1")) == device("/".as_ref()) {
        let root = format!("root = \"{}\"\n", world.path("nas-1").display());
        world.change("unmounted.toml", &[(&format!("{root}mount = false\n"), &root)]);
        let before = entries(&world.path("nas-1"));
        let output = world.plain("unmounted.toml", &["preflight"]).output().unwrap();
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let bad = format!("BAD   nas-1 at {}: lies on the file system of `/`", world.path("nas-1").display());
        assert!(said.contains(&bad) && said.matches("BAD").count() == 1, "{said}");
        assert_eq!(entries(&world.path("nas-1")), before);
    }
    // One with a file system of its own, but nothing on it.
    let memory = std::path::Path::new("/dev/shm");
    let Some(empty) = tempfile::tempdir_in(memory).ok().filter(|folder| device(folder.path()) != device("/".as_ref()))
    else {
        return eprintln!("skipped: no folder in {}", memory.display());
    };
    let head = |root: &std::path::Path| format!("root = \"{}\"\nmount = ", root.display());
    world.change(
        "empty.toml",
        &[(&format!("{}false", head(&world.path("head-1"))), &format!("{}true", head(empty.path())))],
    );
    let output = world.plain("empty.toml", &["preflight"]).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("BAD   mailboxes on head-1: ") && said.contains(" is empty, and 2 users live there"),
        "{said}"
    );
}

#[test]
fn a_cluster_that_is_not_mounted_is_bad_where_mount_points_lie_on_a_file_system_of_their_own() {
    if !images::can_mount() {
        return;
    }
    // The second cluster is a folder of the file system at which the first one is mounted.
    let world = World::on_images(&[2; 4], 3_000, [72, 40, 64]);
    let root = |store: &str| format!("root = \"{}\"\n", world.path(store).display());
    world.change("unmounted.toml", &[(&format!("{}mount = false\n", root("nas-2")), &root("nas-2"))]);
    let output = world.plain("unmounted.toml", &["run"]).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let above = world.path("nas-2").parent().unwrap().canonicalize().unwrap();
    let bad =
        format!("BAD   nas-2 at {}: lies on the file system of `{}`", world.path("nas-2").display(), above.display());
    assert!(said.contains(&bad) && said.matches("BAD").count() == 1, "{said}");
    assert!(mail(&HEADS.map(|head| world.path(head))) == world.before, "nothing has moved");
    world.change("mounted.toml", &[(&format!("{}mount = false\n", root("nas-1")), &root("nas-1"))]);
    let said = text(&world.plain("mounted.toml", &["preflight"]).output().unwrap().stdout);
    assert!(said.contains("good  nas-1 at ") && !said.contains("BAD"), "{said}");
}

/// A ledger with a session that was stopped after somebody had moved.
fn stopped_after_a_move(purge_after: &str) -> World {
    let world = World::new(12, 40);
    world.change("scenario.toml", &[("purge_after = \"1 s\"", &format!("purge_after = \"{purge_after}\""))]);
    let child = world.start();
    world.wait_until_moved(1);
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(child).0, Some(12));
    world
}

/// A run with these words says no, and why.
fn refused(world: &World, scenario: &str, words: &[&str], why: &str) {
    let output = world.plain(scenario, words).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{words:?}: {output:?}");
    assert!(format!("{}{}", text(&output.stdout), text(&output.stderr)).contains(why), "{words:?}: {output:?}");
}

#[test]
fn a_clock_that_is_behind_the_ledger_is_refused_until_somebody_has_looked_at_it() {
    let world = stopped_after_a_move("1 h");
    let before = stores(&world);
    // As its session would have left it, had the clock been five hours ahead.
    let ahead = "UPDATE event SET at = at + 18000000000; UPDATE session SET started_at = started_at + 18000000000";
    let ledger = rusqlite::Connection::open(world.database("ledger.db")).unwrap();
    ledger.execute_batch(ahead).unwrap();
    drop(ledger);
    refused(&world, "scenario.toml", &["preflight"], "BAD   clock: this machine says ");
    for words in [&["run", "--quiet"][..], &["run", "--quiet", "--skip-preflight"], &["run", "--dry-run"]] {
        refused(&world, "scenario.toml", words, "5.0 h later: set the clock, or, where it is right");
    }
    assert_eq!(stores(&world), before, "nothing is touched");
    let child = world.command(&["run", "--quiet", "--accept-clock"]).spawn().unwrap();
    assert!(waits(Duration::from_secs(30), || world.status()["session"] == 2), "{}", world.status());
    let since = world.status()["since_us"].as_i64().unwrap();
    let now = jiff::Timestamp::now().as_microsecond();
    assert!((now - since).abs() < 600_000_000, "it runs by the machine's clock: {since}, {now}");
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(child).0, Some(12));
    // From then on the ledger and the machine agree.
    let dry = world.plain("scenario.toml", &["run", "--dry-run"]).output().unwrap();
    assert!(dry.status.success(), "{dry:?}");
    let from = world.path("ledger.db").display().to_string();
    let forecast = world
        .plain("scenario.toml", &["forecast", "--no-files", "--replications", "20", "--from", &from])
        .output()
        .unwrap();
    assert!(forecast.status.code() != Some(101) && forecast.status.code() != Some(1), "{forecast:?}");
    // The first session's samples have kept their own dates.
    let replayed = Ledger::read(&world.database("ledger.db")).unwrap().replay(2).unwrap();
    assert!(replayed.differences.is_empty(), "{:?}", replayed.differences);
}

#[test]
fn old_copies_go_no_sooner_than_was_planned_before_somebody_has_accepted_that() {
    let world = stopped_after_a_move("1 h");
    world.change("sooner.toml", &[("purge_after = \"1 h\"", "purge_after = \"1 s\"")]);
    world.change("later.toml", &[("purge_after = \"1 h\"", "purge_after = \"2 h\"")]);
    let why = "old copies are to be purged after 1.0 s, and in the ledger's last session it was after 60.0 min: ";
    for words in [&["run", "--quiet"][..], &["run", "--quiet", "--skip-preflight"], &["run", "--dry-run"]] {
        refused(&world, "sooner.toml", words, why);
    }
    for (scenario, words) in
        [("later.toml", &["run", "--dry-run"][..]), ("sooner.toml", &["run", "--dry-run", "--accept-plan"])]
    {
        let output = world.plain(scenario, words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
}

#[test]
fn a_store_on_another_file_system_than_in_the_last_session_is_refused() {
    if !images::can_mount() {
        return;
    }
    let mut world = World::on_images(&[40; 12], 3_000, [72, 40, 64]);
    let stop = |world: &World, child| {
        assert!(world.say(&["stop"]).status.success());
        assert_eq!(ended(child).0, Some(12));
    };
    let child = world.start();
    world.wait_until_moved(1);
    stop(&world, child);
    // The image at the first cluster is the last one.
    drop(world.images.pop());
    let before = stores(&world);
    refused(&world, "scenario.toml", &["preflight"], "BAD   file system of nas-1: on another file system than when");
    let why = "nas-1: on another file system than when the last session began: mount it, or";
    refused(&world, "scenario.toml", &["run", "--quiet", "--skip-preflight"], why);
    refused(&world, "scenario.toml", &["run", "--dry-run"], why);
    assert_eq!(stores(&world), before, "nothing is touched");
    let child = world.command(&["run", "--quiet", "--accept-stores"]).spawn().unwrap();
    assert!(waits(Duration::from_secs(30), || world.status()["session"] == 2), "{}", world.status());
    stop(&world, child);
}

#[test]
fn without_the_right_to_give_files_to_their_owners_the_preflight_is_bad() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: not root, nobody else's mail can be made");
    }
    let world = World::new(4, 2);
    let said = text(&world.say(&["preflight"]).stdout);
    assert!(said.contains("good  owners of the mail: files on each store are given to 0:0, and back"), "{said}");
    let nobody = 65_534;
    for path in entries(&world.path("")).iter().chain([&world.path("")]) {
        std::os::unix::fs::chown(path, Some(nobody), Some(nobody)).unwrap();
    }
    let root = world.path("head-1");
    let maildir = entries(&root).into_iter().find(|path| path.ends_with("Maildir")).unwrap();
    std::os::unix::fs::chown(maildir, Some(1234), Some(1234)).unwrap();
    let mut command = world.plain("scenario.toml", &["preflight"]);
    let Ok(output) = command.uid(nobody).gid(nobody).output() else {
        return eprintln!("skipped: nobody may not run the program where it lies");
    };
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let bad = "BAD   owners of the mail: head-1: a file cannot be given to 1234:1234: Operation not permitted";
    assert!(said.contains(bad), "{said} {output:?}");
}
