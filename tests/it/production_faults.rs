//! Trouble in the world around a run, through the program: what becomes of the mailboxes, what people are told, and what
//! they have to do. `docs/faults.md` is the table of it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::site_world::{World, ended, entries, waits};

const SECOND: Duration = Duration::from_secs(1);

/// A file system in memory, mounted for as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    /// None where the system does not allow it: then the test says so.
    fn new(at: &Path, options: &str) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "drawdown-test"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        println!("skipped: no file system can be mounted here");
        None
    }

    /// Whether other options have been taken.
    fn remount(&self, options: &str) -> bool {
        let options = format!("remount,{options}");
        Command::new("mount").args(["-o", &options]).arg(&self.0).output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// A program that is ended with the test.
struct Running(Option<Child>);

impl Running {
    fn start(world: &World) -> Self {
        Self(Some(world.start()))
    }

    fn ended(mut self) -> (Option<i32>, String) {
        ended(self.0.take().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.0.as_ref().unwrap()), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Each user is held for a while: the front end takes its time.
fn hold_for(world: &World, seconds: &str, site: &str) {
    let front_end =
        format!("[[site.front_end]]\nname = \"imap-1\"\nflush = [\"sleep\", \"{seconds}\"]\n\n[site.directory]");
    let site = format!("[site]\n{site}");
    world.change("scenario.toml", &[("[site.directory]", &front_end), ("[site]\n", &site)]);
}

fn assert_moved(world: &World, running: Running) {
    let (code, said) = running.ended();
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
    world.check_replay();
}

/// No message at the target has its final name and less than its content.
fn assert_nothing_partial(store: &Path) {
    for path in entries(store) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(size) = name.split(",S=").nth(1).filter(|_| !name.starts_with(".temp.")) {
            let size: u64 = size.split(':').next().unwrap().parse().unwrap();
            let found = path.metadata().map_or(size, |data| data.len());
            assert_eq!(found, size, "{}", path.display());
        }
    }
}

#[test]
fn a_cluster_without_room_keeps_one_mailbox_waiting_and_lets_the_others_go_on() {
    // The first one needs 12 MB, each of the others 60 kB.
    let world = World::of(&[vec![4_000], vec![20; 9]].concat());
    let Some(cluster) = Mounted::new(&world.path("nas-1"), "size=8m") else { return };
    let running = Running::start(&world);
    world.wait_for_trouble("copy of user-000: no room");
    // Those of the next head, too: what waits for room holds nobody up.
    world.wait_until_moved(9);
    let status = world.status();
    assert_eq!(status["heads"][0]["left"], 1, "{status}");
    assert_eq!(status["heads"][0]["set_aside"], 0, "it is tried again by itself: {status}");
    assert_nothing_partial(&world.path("nas-1"));
    assert!(entries(&world.path("head-1")).len() > 4_000, "it stays where it is");
    assert_eq!(world.held(), Vec::<String>::new());
    assert!(cluster.remount("size=40m"));
    assert_moved(&world, running);
}

#[test]
fn a_read_only_cluster_is_waited_for() {
    let world = World::new(24, 10);
    let Some(cluster) = Mounted::new(&world.path("nas-1"), "size=40m") else { return };
    hold_for(&world, "0.1", "");
    let running = Running::start(&world);
    world.wait_until_moved(2);
    assert!(waits(10 * SECOND, || cluster.remount("ro")), "nobody writes to it for a moment");
    world.wait_for_trouble("read-only");
    sleep(3 * SECOND);
    let status = world.status();
    let set_aside =
        status["heads"].as_array().unwrap().iter().filter_map(|head| head["set_aside"].as_u64()).sum::<u64>();
    assert_eq!(set_aside, 0, "no mailbox is to blame: {status}");
    assert!(cluster.remount("rw"));
    assert_moved(&world, running);
}

#[test]
fn a_user_database_that_is_gone_for_a_while_leaves_nobody_held() {
    let world = World::new(24, 5);
    hold_for(&world, "0.4", "timeout = \"1 s\"\n");
    let running = Running::start(&world);
    world.wait_until_moved(2);
    assert!(waits(10 * SECOND, || !world.held().is_empty()));
    fs::rename(world.path("users.db"), world.path("away")).unwrap();
    sleep(8 * SECOND);
    let status = world.status();
    assert!(status["troubles"].to_string().contains("users.db"), "{status}");
    fs::rename(world.path("away"), world.path("users.db")).unwrap();
    assert_moved(&world, running);
    assert_eq!(world.held(), Vec::<String>::new());
}

#[test]
fn a_user_database_that_is_locked_for_a_while_sets_nobody_aside() {
    let world = World::new(24, 5);
    hold_for(&world, "0.4", "timeout = \"1 s\"\n");
    let running = Running::start(&world);
    world.wait_until_moved(2);
    assert!(waits(10 * SECOND, || !world.held().is_empty()));
    let users = world.users();
    assert!(waits(10 * SECOND, || users.execute_batch("BEGIN EXCLUSIVE").is_ok()));
    sleep(9 * SECOND);
    users.execute_batch("ROLLBACK").unwrap();
    drop(users);
    assert_moved(&world, running);
}

#[test]
fn a_probe_that_hangs_stops_new_moves_until_it_comes_back() {
    let world = World::new(40, 5);
    hold_for(&world, "0.2", "timeout = \"1 s\"\n");
    let hang = world.path("hang");
    let script = format!("if [ -e {} ]; then sleep 1000; fi; echo 0.2 0.002", hang.display());
    let probe = format!("probe = {{ command = [\"sh\", \"-c\", \"{script}\"] }}");
    world.change(
        "scenario.toml",
        &[
            ("probe = { command = [\"echo\", \"0.2 0.002\"] }", &probe),
            ("law = \"fixed\", streams = 4", "law = \"fixed\", streams = 1, sample_limit = \"1 s\""),
        ],
    );
    let running = Running::start(&world);
    world.wait_until_moved(2);
    fs::write(&hang, "").unwrap();
    sleep(3 * SECOND);
    let moved = world.status()["moved"].as_u64();
    sleep(2 * SECOND);
    let status = world.status();
    assert_eq!(status["moved"].as_u64(), moved, "{status}");
    assert!(status["moved"].as_u64() < Some(40), "too fast for this test: {status}");
    let heads = status["heads"].as_array().unwrap();
    let at_work = heads.iter().find(|head| head["left"].as_u64() > Some(0)).expect("a head with mailboxes");
    assert_eq!(at_work["binds"], "outage", "{status}");
    world.wait_for_trouble("probe of head-1: ");
    fs::remove_file(&hang).unwrap();
    assert_moved(&world, running);
}

#[test]
fn a_deleted_mailbox_and_a_renamed_one_hold_nothing_up() {
    let mut world = World::new(30, 5);
    hold_for(&world, "0.1", "");
    let running = Running::start(&world);
    world.wait_until_moved(1);
    let users = world.users();
    users.execute("DELETE FROM mailbox WHERE name = 'user-028'", ()).unwrap();
    fs::remove_dir_all(world.path("head-1/example.com/user-028")).unwrap();
    users.execute("UPDATE mailbox SET name = 'user-renamed' WHERE name = 'user-029'", ()).unwrap();
    drop(users);
    world.before.retain(|name, _| !name.contains("user-028"));
    assert_moved(&world, running);
}

#[test]
fn a_full_ledger_ends_the_run_and_loses_nothing() {
    let world = World::new(40, 5);
    fs::create_dir(world.path("ledger")).unwrap();
    let Some(_disk) = Mounted::new(&world.path("ledger"), "size=24m") else { return };
    world.change("scenario.toml", &[("/ledger.db", "/ledger/ledger.db")]);
    hold_for(&world, "0.1", "");
    let running = Running::start(&world);
    world.wait_until_moved(2);
    let mut filler = fs::File::create(world.path("ledger/filler")).unwrap();
    while filler.write_all(&[0; 4_096]).is_ok() {}
    while filler.write_all(&[0]).is_ok() {}
    let (code, said) = running.ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ledger.db") && said.contains("full"), "{said}");
    drop(filler);
    fs::remove_file(world.path("ledger/filler")).unwrap();
    let released = world.say(&["release"]);
    assert!(released.status.success(), "{released:?}");
    assert_eq!(world.held(), Vec::<String>::new());
    world.finish();
    world.check_moved();
}

#[test]
fn an_instance_that_wakes_up_after_another_has_taken_over_does_nothing_more() {
    let world = World::new(12, 20);
    hold_for(&world, "0.5", "lease = \"6 s\"\n");
    world.change("other.toml", &[("/ledger.db", "/other.db"), ("/socket", "/other.socket")]);
    let first = Running::start(&world);
    // One that holds a lock of the database in a file would stop everybody.
    let stopped = waits(20 * SECOND, || {
        if world.held().is_empty() {
            return false;
        }
        first.signal(Signal::STOP);
        sleep(SECOND / 10);
        let is_free = world.users().execute_batch("PRAGMA busy_timeout = 100; BEGIN EXCLUSIVE; ROLLBACK").is_ok();
        let stays = is_free && !world.held().is_empty();
        if !stays {
            first.signal(Signal::CONT);
            sleep(SECOND / 20);
        }
        stays
    });
    assert!(stopped);
    // Nobody takes over before the lease has run out.
    let early = world.command_of("other.toml", &["run"]).output().unwrap();
    let why = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(early.status.code() == Some(1) && why.contains("lease"), "{why}");
    sleep(8 * SECOND);
    let second = world.command_of("other.toml", &["run", "--quiet"]).spawn().unwrap();
    let (code, said) = ended(second);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
    first.signal(Signal::CONT);
    let (code, said) = first.ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another instance has taken over"), "{said}");
    world.check_moved();
}
