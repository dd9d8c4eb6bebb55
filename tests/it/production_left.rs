//! What is left when a run ends, or ends badly: who is held, who is still on a head, and what that is called.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use drawdown::live::maildir::Root;
use rustix::process::{Pid, Signal, kill_process};

use crate::site_world::{World, ended, waits};

const SECOND: Duration = Duration::from_secs(1);

const BEGUN: &str = "SELECT count(*) FROM mailbox WHERE home LIKE 'nas-%' OR state = 'hold'";

/// Each user is held for about so long.
fn hold_for(world: &World, seconds: &str) {
    let front_end =
        format!("[[site.front_end]]\nname = \"imap-1\"\nflush = [\"sleep\", \"{seconds}\"]\n\n[site.directory]");
    world.change("scenario.toml", &[("[site.directory]", &front_end)]);
}

/// Killed while somebody is held; who that is.
fn killed_in_a_hold(world: &World) -> Vec<String> {
    let mut run = world.start();
    assert!(waits(30 * SECOND, || !world.held().is_empty()));
    run.kill().unwrap();
    run.wait().unwrap();
    let held = world.held();
    assert!(!held.is_empty());
    held
}

fn head_of(world: &World, user: &str) -> (String, String) {
    let row = "SELECT home, path FROM mailbox WHERE name = ?1";
    world.users().query_row(row, [user], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn what_is_left_is_an_exit_code_whoever_reads_and_a_line_of_a_log() {
    let world = World::new(2, 2);
    let (home, path) = head_of(&world, "user-001");
    fs::remove_dir_all(world.path(&home).join(path)).unwrap();
    let mut unread = world.command(&["run", "--quiet"]).spawn().unwrap();
    drop(unread.stderr.take());
    assert_eq!(ended(unread).0, Some(12), "whoever read stderr has gone, the mailbox has not");
    let logged = world.command(&["run", "--log", "json"]).output().unwrap();
    assert_eq!(logged.status.code(), Some(12));
    let log = String::from_utf8(logged.stderr).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let last = lines.last().unwrap()["text"].as_str().unwrap();
    assert_eq!(last, "1 mailbox is set aside: still on the heads, and served there");
    fs::remove_file(world.path("users.db")).unwrap();
    let failed = world.command(&["run", "--log", "json"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let log = String::from_utf8(failed.stderr).unwrap();
    assert!(
        !log.is_empty() && log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{log}"
    );
}

#[test]
fn whom_the_directory_has_at_a_head_is_not_forgotten_because_no_maildir_is_there() {
    let world = World::new(6, 3);
    let (home, path) = head_of(&world, "user-002");
    fs::remove_dir_all(world.path(&home).join(path)).unwrap();
    let (code, said) = ended(world.start());
    assert_eq!(code, Some(12), "not everybody has left: {said}");
    assert!(said.contains("1 mailbox is set aside"), "{said}");
    assert!(said.contains("all emptied but for 1 set aside"), "{said}");
    assert!(!said.contains("decommissioned"), "{said}");
    assert_eq!(head_of(&world, "user-002").0, home);
    assert_eq!(world.held(), Vec::<String>::new());
}

#[test]
fn where_the_file_says_that_somebody_sees_to_what_was_set_aside_the_run_waits_for_that() {
    let world = World::new(6, 3);
    world.change(
        "scenario.toml",
        &[("[users]", "[operator]\nresolves_after = { median = \"1 day\", sigma = 0.5 }\n[users]")],
    );
    let (home, path) = head_of(&world, "user-002");
    let (maildir, away) = (world.path(&home).join(path), world.path("away"));
    fs::rename(&maildir, &away).unwrap();
    let mut run = world.start();
    let left = || {
        let status = world.status();
        (status["heads"][0]["left"].as_u64(), status["heads"][0]["set_aside"].as_u64(), status["moved"].as_u64())
    };
    assert!(waits(60 * SECOND, || left() == (Some(0), Some(1), Some(5))), "{:?}", world.status());
    // Well past the grace: the other old copies are gone.
    std::thread::sleep(3 * SECOND);
    assert!(run.try_wait().unwrap().is_none(), "it waits");
    fs::rename(&away, &maildir).unwrap();
    assert!(world.say(&["retry", "user-002"]).status.success());
    let (code, said) = ended(run);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 mailbox is set aside, and waited for") && said.contains("decommissioned"), "{said}");
    world.check_moved();
    assert_eq!(world.check_replay(), 1);
}

#[test]
fn a_run_that_was_told_to_stop_ends_in_order_whatever_signal_comes_then() {
    let world = World::new(24, 5);
    hold_for(&world, "1");
    let run = world.start();
    assert!(waits(30 * SECOND, || !world.held().is_empty()));
    let mut stop = world.command(&["stop"]).spawn().unwrap();
    std::thread::sleep(SECOND / 2);
    signal(&run, Signal::TERM);
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    assert!(stop.wait().unwrap().success());
    assert_eq!(world.held(), Vec::<String>::new());
}

fn signal(run: &Child, signal: Signal) {
    kill_process(Pid::from_child(run), signal).unwrap();
}

#[test]
fn nobody_is_held_any_more_once_it_was_told_to_stop() {
    let world = World::new(24, 5);
    hold_for(&world, "1");
    let run = world.start();
    world.wait_until_moved(2);
    // Whose switch is under way, or has ended.
    let begun = || world.users().query_row(BEGUN, (), |row| row.get::<_, i64>(0)).unwrap();
    let before = begun();
    assert!(world.say(&["stop"]).status.success(), "it waits for the end");
    let after = begun();
    assert_eq!(world.held(), Vec::<String>::new());
    assert_eq!(ended(run).0, Some(12));
    // One may have begun between the look and the word.
    assert!(after <= before + 2, "{before} before, {after} after it");
}

#[test]
fn who_is_held_by_hand_keeps_nobody_else_held() {
    let world = World::new(12, 5);
    hold_for(&world, "1");
    let held = killed_in_a_hold(&world);
    world.users().execute("UPDATE mailbox SET state = 'hold' WHERE name = 'user-011'", ()).unwrap();
    let released = world.say(&["release"]);
    let told = String::from_utf8_lossy(&released.stdout).into_owned();
    assert!(held.iter().all(|user| told.contains(&format!("{user}: released"))), "{told}");
    assert_eq!(released.status.code(), Some(1), "one still is");
    assert!(String::from_utf8_lossy(&released.stderr).contains("user-011 is still held"));
    assert_eq!(world.held(), ["user-011"]);
}

#[test]
fn whose_maildir_was_removed_while_it_was_held_is_free_again() {
    let world = World::new(12, 5);
    hold_for(&world, "1");
    let held = killed_in_a_hold(&world);
    let (home, path) = head_of(&world, &held[0]);
    fs::remove_dir_all(world.path(&home).join(path)).unwrap();
    let released = world.say(&["release"]);
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    assert_eq!(world.held(), Vec::<String>::new());
}

#[test]
fn a_row_that_cannot_be_used_keeps_nobody_else_held_or_from_moving() {
    let world = World::new(12, 5);
    hold_for(&world, "1");
    let held = killed_in_a_hold(&world);
    let odd = "INSERT INTO mailbox (name, home, path) VALUES ('old', ?1, '../old')";
    let why = "the answer to list cannot be used: user \"old\": the path \"../old\" must lead below";
    // On a head it has to be seen to before anything begins; whoever is held is free even so.
    world.users().execute(odd, ["head-1"]).unwrap();
    let preflight = String::from_utf8(world.say(&["preflight"]).stdout).unwrap();
    assert!(preflight.contains(&format!("BAD   rows of the directory: {why}")), "{preflight}");
    let released = world.say(&["release"]);
    assert!(released.status.success(), "{released:?}");
    assert!(String::from_utf8_lossy(&released.stdout).contains(&format!("{}: released", held[0])), "{released:?}");
    assert_eq!(world.held(), Vec::<String>::new());
    let (code, said) = ended(world.start());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("users who may be on the heads: {why}")), "{said}");
    world.users().execute("UPDATE mailbox SET home = 'archive' WHERE name = 'old'", ()).unwrap();
    let preflight = String::from_utf8(world.say(&["preflight"]).stdout).unwrap();
    assert!(preflight.contains(&format!("look  rows of the directory: {why}")), "{preflight}");
    let (code, said) = ended(world.start());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(why) && said.contains("decommissioned"), "{said}");
    world.users().execute("DELETE FROM mailbox WHERE name = 'old'", ()).unwrap();
    world.check_moved();
}

#[test]
fn held_users_are_released_before_anything_is_checked() {
    let world = World::new(12, 5);
    hold_for(&world, "1");
    let held = killed_in_a_hold(&world);
    // A check that cannot pass, and takes its time.
    world.change("scenario.toml", &[("flush = [\"sleep\", \"1\"]", "flush = [\"false\"]")]);
    let run = world.plain("scenario.toml", &["run", "--quiet"]).spawn().unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(1), "{said}");
    let free = said.find("put back and released").expect(&said);
    assert!(said.find("BAD").is_none_or(|bad| free < bad), "{said}");
    assert!(held.iter().all(|user| said.contains(user)), "{said}");
    assert_eq!(world.held(), Vec::<String>::new());
}

#[test]
fn an_automatic_stop_says_why_and_outlasts_a_restart() {
    let world = World::new(12, 5);
    // The account was deleted long ago, its Maildir was not: nobody has it moved.
    let orphan = world.path("head-1/example.com/old-user");
    let cur = orphan.join("Maildir/cur");
    fs::create_dir_all(&cur).unwrap();
    fs::write(cur.join("1.x:2,S"), "a message").unwrap();
    let mut run = world.start();
    let stopped = || world.status()["stopped"] == "head-1 should be empty and is not";
    assert!(waits(30 * SECOND, stopped), "{}", world.status());
    world.wait_for_trouble("head-1 holds mail of nobody whom the directory has there: example.com/old-user/Maildir; ");
    let page = String::from_utf8(world.say(&["status"]).stdout).unwrap();
    assert!(page.contains("left, stopped until `resume`: head-1 should be empty and is not"), "{page}");
    run.kill().unwrap();
    run.wait().unwrap();
    let run = world.start();
    assert!(waits(30 * SECOND, || world.status()["paused"] == true), "{}", world.status());
    fs::remove_dir_all(orphan).unwrap();
    assert!(world.say(&["resume"]).status.success());
    let (code, said) = ended(run);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
}

#[test]
fn what_users_who_are_deleted_during_the_run_leave_on_a_head_is_mail_of_nobody() {
    let world = World::new(24, 5);
    hold_for(&world, "1");
    let mut run = world.start();
    world.wait_until_moved(1);
    let users = world.users();
    users.execute("DELETE FROM mailbox WHERE name = 'user-020'", ()).unwrap();
    users.execute("UPDATE mailbox SET home = 'archive' WHERE name = 'user-022'", ()).unwrap();
    world.wait_for_trouble("the directory has the user at archive, which is none of the scenario's stores");
    world.wait_for_trouble("head-1 holds mail of nobody whom the directory has there: example.com/user-020/Maildir");
    let head = &world.status()["heads"][0];
    assert_eq!((head["left"].as_u64(), head["set_aside"].as_u64()), (Some(0), Some(1)), "{head}");
    // A later session knows of both.
    run.kill().unwrap();
    run.wait().unwrap();
    let run = world.start();
    assert!(waits(30 * SECOND, || world.status()["paused"] == true), "{}", world.status());
    world.wait_for_trouble("user-022 is set aside: the directory has it at archive, ");
    fs::remove_dir_all(world.path("head-1/example.com/user-020")).unwrap();
    assert!(world.say(&["resume"]).status.success());
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("1 mailbox is set aside") && !said.contains("decommissioned"), "{said}");
}

#[test]
fn a_mailbox_whose_place_is_taken_is_set_aside_before_it_is_copied_and_the_others_move() {
    let world = World::new(12, 5);
    let (home, path) = head_of(&world, "user-000");
    let place = world.path("nas-1").join(path);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("file"), "somebody else's").unwrap();
    let (code, said) = ended(world.command(&["run", "--log", "text"]).spawn().unwrap());
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains(&format!("{}: something stands there already", place.display())), "{said}");
    assert!(said.contains("1 mailbox is set aside") && !said.contains("stopped"), "{said}");
    assert_eq!(head_of(&world, "user-000").0, home);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "nothing has been done about it");
    let moved = "SELECT count(*) FROM mailbox WHERE home LIKE 'nas-%' AND state = 'ok'";
    assert_eq!(world.users().query_row(moved, (), |row| row.get::<_, i64>(0)).unwrap(), 11);
    let epoch = "SELECT epoch FROM mailbox WHERE name = 'user-000'";
    assert_eq!(world.users().query_row(epoch, (), |row| row.get::<_, i64>(0)).unwrap(), 0, "nobody was held for it");
}

#[test]
fn a_mailbox_beside_which_another_stands_in_the_fences_way_is_set_aside_and_nobody_held_for_it() {
    let world = World::new(12, 5);
    let old = world.path("head-1/example.com/user-000/Maildir.moving");
    fs::create_dir_all(old.join("cur")).unwrap();
    let (code, said) = ended(world.command(&["run", "--log", "text"]).spawn().unwrap());
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains(&format!("{}: something stands there already", old.display())), "{said}");
    assert!(said.contains("1 mailbox is set aside") && !said.contains("stopped"), "{said}");
    assert_eq!(world.held(), Vec::<String>::new());
    assert!(maildir(&world, "user-000").is_dir() && old.is_dir());
}

#[test]
fn who_is_held_when_another_mailbox_comes_in_the_fences_way_is_free_again() {
    let world = World::new(12, 5);
    hold_for(&world, "1");
    let mut run = world.start();
    assert!(waits(30 * SECOND, || !world.held().is_empty()));
    let mut there = Vec::new();
    for user in world.held() {
        let mut old = maildir(&world, &user).into_os_string();
        old.push(".moving");
        // Who is past the fence has a mailbox there already.
        there.extend(fs::create_dir(&old).is_ok().then_some(user));
    }
    assert!(!there.is_empty());
    assert!(waits(20 * SECOND, || there.iter().all(|user| !world.held().contains(user))), "{}", world.status());
    assert!(there.iter().all(|user| maildir(&world, user).is_dir()));
    assert!(world.say(&["stop"]).status.success());
    assert!(waits(30 * SECOND, || run.try_wait().unwrap().is_some()));
}

/// Killed while somebody is held whose mailbox stands behind its fence; who that is, at head-1.
fn killed_behind_a_fence(world: &World) -> String {
    hold_for(world, "1");
    let user = killed_in_a_hold(world)[0].clone();
    let maildir = maildir(world, &user);
    if maildir.is_dir() {
        let (home, path) = head_of(world, &user);
        drawdown::live::maildir::fence(&Root::open(&world.path(&home)).unwrap(), path.as_ref()).unwrap();
    }
    assert!(maildir.is_file());
    user
}

fn maildir(world: &World, user: &str) -> PathBuf {
    let (home, path) = head_of(world, user);
    world.path(&home).join(path)
}

#[test]
fn who_is_held_on_a_head_that_is_not_there_stays_held_and_keeps_nobody_else_held() {
    // Its mount point with nothing mounted, and nothing at all.
    for is_empty in [true, false] {
        let world = World::new(12, 5);
        let user = killed_behind_a_fence(&world);
        let (home, _) = head_of(&world, &user);
        let other = if home == "head-1" { "user-011" } else { "user-010" };
        world.users().execute("UPDATE mailbox SET state = 'hold', fence = 0 WHERE name = ?1", [other]).unwrap();
        fs::rename(world.path(&home), world.path("away")).unwrap();
        if is_empty {
            fs::create_dir(world.path(&home)).unwrap();
        }
        let released = world.say(&["release"]);
        assert_eq!(released.status.code(), Some(1), "{released:?}");
        let why =
            if is_empty { format!("there is nothing at all at {home}") } else { format!("its home {home} is out") };
        let said = String::from_utf8_lossy(&released.stderr).into_owned();
        assert!(said.contains(&format!("{user} is still held: {why}")), "{said}");
        let held = world.held();
        assert!(held.contains(&user) && !held.iter().any(|held| held == other), "{held:?}");
        if is_empty {
            fs::remove_dir_all(world.path(&home)).unwrap();
        }
        fs::rename(world.path("away"), world.path(&home)).unwrap();
        assert!(world.say(&["release"]).status.success());
        assert_eq!(world.held(), Vec::<String>::new());
        assert!(maildir(&world, &user).is_dir());
    }
}

#[test]
fn a_head_that_is_not_there_keeps_no_other_one_from_being_emptied() {
    let world = World::new(6, 3);
    fs::rename(world.path("head-2"), world.path("away")).unwrap();
    let mut run = world.start();
    world.wait_until_moved(3);
    assert!(run.try_wait().unwrap().is_none(), "it waits for the other one");
    assert!(world.say(&["stop"]).status.success());
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    fs::rename(world.path("away"), world.path("head-2")).unwrap();
    world.finish();
    world.check_moved();
}

#[test]
fn who_is_held_at_a_store_that_the_scenario_does_not_name_stays_held() {
    let world = World::new(6, 3);
    let elsewhere = "UPDATE mailbox SET state = 'hold', fence = 0, home = 'head-9' WHERE name = 'user-000'";
    world.users().execute(elsewhere, ()).unwrap();
    let released = world.say(&["release"]);
    let said = String::from_utf8_lossy(&released.stderr).into_owned();
    assert!(said.contains("user-000 is still held: its home head-9 is none of this scenario's stores"), "{said}");
    let run = world.start();
    // Its files keep its head from being empty.
    world.wait_until_moved(2);
    assert!(world.say(&["stop"]).status.success());
    ended(run);
    assert_eq!(world.held(), ["user-000"]);
}

#[test]
fn who_is_free_and_stands_behind_a_fence_is_put_back_unless_the_mailbox_has_moved() {
    let world = World::new(6, 3);
    let (home, path) = head_of(&world, "user-000");
    drawdown::live::maildir::fence(&Root::open(&world.path(&home)).unwrap(), path.as_ref()).unwrap();
    let released = world.say(&["release"]);
    assert!(String::from_utf8_lossy(&released.stdout).contains("user-000: released"), "{released:?}");
    assert!(maildir(&world, "user-000").is_dir());
    // Its newer mailbox is on a cluster, whatever the directory says.
    world.change("scenario.toml", &[("purge_after = \"1 s\"", "purge_after = \"1 h\"")]);
    let run = world.start();
    world.wait_until_moved(6);
    assert!(world.say(&["stop"]).status.success());
    ended(run);
    world.users().execute("UPDATE mailbox SET home = 'head-1', epoch = 2 WHERE name = 'user-000'", ()).unwrap();
    for _ in 0..2 {
        assert!(world.say(&["release"]).status.success());
        assert!(maildir(&world, "user-000").is_file());
        // It takes the directory's word for where the user lives.
        let run = world.start();
        assert!(waits(30 * SECOND, || world.path("socket").exists() && world.say(&["stop"]).status.success()));
        ended(run);
        assert!(maildir(&world, "user-000").is_file());
    }
}
