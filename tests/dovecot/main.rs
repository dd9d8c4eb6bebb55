//! A run under a real Dovecot, with mail coming in by LMTP and people at work by IMAP, loses nothing.
//!
//! Needs `dovecot` with IMAP, LMTP and the drivers for SQLite and PostgreSQL, PostgreSQL itself, and root; elsewhere it
//! says so and does nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for programs")]

mod holds;
mod imap;
mod lmtp;
mod postgres;
mod traffic;
mod truth;
mod world;

use std::process::Child;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use rustix::process::{Pid, Signal, kill_process};
use traffic::Happened;
use truth::Expected;
use world::{Database, World, waits};

/// How fast a copy goes on, in bytes per second: so slow that there is traffic on every mailbox while it moves.
const STREAM: u32 = 400_000;
/// What does not come about within this does not come about.
const PATIENCE: Duration = Duration::from_secs(90);
/// After the run, for what would still use an old place.
const AFTERWARDS: Duration = Duration::from_secs(2);

#[test]
fn a_run_under_a_mail_server_loses_nothing() {
    runs_and_loses_nothing(Database::Sqlite);
}

#[test]
fn with_postgres_a_run_under_a_mail_server_loses_nothing() {
    runs_and_loses_nothing(Database::Postgres);
}

#[test]
fn killed_under_a_mail_server_it_loses_nothing() {
    is_killed_and_loses_nothing(Database::Sqlite);
}

#[test]
fn with_postgres_killed_under_a_mail_server_it_loses_nothing() {
    is_killed_and_loses_nothing(Database::Postgres);
}

/// Another instance, with a ledger of its own, takes over while one is stopped in the middle of a flip.
#[test]
fn with_postgres_an_instance_that_is_stopped_in_a_flip_does_nothing_twice() {
    if !world::available(Database::Postgres) {
        return;
    }
    let world = World::new(Database::Postgres, 20, STREAM);
    let limits = ("timeout = \"20 s\"", "timeout = \"6 s\"\nlease = \"8 s\"");
    world.change("scenario.toml", &[limits]);
    world.change("other.toml", &[("/ledger.db", &format!("/{}", holds::OTHER)), ("/socket", "/other.socket")]);
    truth::fill(&world);
    let (expected, happened) = traffic::during(&world, truth::survey(&world), || {
        let mut first = world.start();
        assert!(waits(PATIENCE, || world.count("home LIKE 'nas-%'") > 2));
        world.postgres().sql(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN new; END $$; \
             CREATE TRIGGER slow BEFORE UPDATE ON mailbox FOR EACH ROW WHEN (old.home <> new.home) EXECUTE FUNCTION slow()",
        );
        let flipping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        assert!(waits(PATIENCE, || world.postgres().count(flipping) > 0));
        signal(&first, Signal::STOP);
        // It waits until the server has ended the change that was open.
        world.postgres().sql("DROP TRIGGER slow ON mailbox");
        assert!(world.placed() > 0 && world.count("state = 'hold'") > 0, "nobody was between two places");
        std::thread::sleep(Duration::from_secs(10));
        world.finish(world.start_of("other.toml"), Duration::from_mins(4));
        signal(&first, Signal::CONT);
        assert!(waits(PATIENCE, || first.try_wait().unwrap().is_some()));
        assert_eq!(first.wait().unwrap().code(), Some(1), "{}", world.said());
        assert!(world.said().contains("another instance has taken over"), "{}", world.said());
        std::thread::sleep(AFTERWARDS);
    });
    check(&world, &expected, &happened, true);
}

fn signal(process: &Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).unwrap();
}

fn runs_and_loses_nothing(database: Database) {
    if !world::available(database) {
        return;
    }
    let world = World::new(database, 20, STREAM);
    truth::fill(&world);
    let (expected, happened) = traffic::during(&world, truth::survey(&world), || {
        world.finish(world.start(), Duration::from_mins(4));
        std::thread::sleep(AFTERWARDS);
    });
    check(&world, &expected, &happened, false);
}

fn is_killed_and_loses_nothing(database: Database) {
    if !world::available(database) {
        return;
    }
    let kills: u32 = std::env::var("DRAWDOWN_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut random = SmallRng::seed_from_u64(7);
    let world = World::new(database, 20, STREAM);
    truth::fill(&world);
    let (expected, happened) = traffic::during(&world, truth::survey(&world), || {
        for _ in 0..kills {
            let mut run = world.start();
            let after = Duration::from_millis(random.random_range(200..4_000));
            if waits(after, || run.try_wait().unwrap().is_some()) {
                break;
            }
            run.kill().unwrap();
            run.wait().unwrap();
        }
        world.finish(world.start(), Duration::from_mins(4));
        std::thread::sleep(AFTERWARDS);
    });
    check(&world, &expected, &happened, false);
}

/// A hold grows with the names of a mailbox's files, not with what is in them: these are as small as messages can be.
#[test]
fn a_mailbox_of_many_messages_loses_nothing() {
    if !world::available(Database::Sqlite) {
        return;
    }
    let messages = std::env::var("DRAWDOWN_TEST_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let world = World::new(Database::Sqlite, 2, 100_000_000);
    // A session ends only with its command, which takes long in such a mailbox.
    world.change(
        "scenario.toml",
        &[("hold_at_most = \"20 s\"", "hold_at_most = \"120 s\""), ("drain = \"15 s\"", "drain = \"90 s\"")],
    );
    truth::fill_files(&world, messages);
    let before = truth::survey(&world);
    let there: usize = before.values().map(|mailbox| mailbox.messages.len()).sum();
    assert_eq!(there, messages as usize);
    let (expected, happened) = traffic::during(&world, before, || {
        world.finish(world.start(), Duration::from_mins(15));
    });
    check(&world, &expected, &happened, false);
}

/// A kick's signal makes a command fail that waits for a lock, with this in Dovecot's log: any `doveadm kick` does it.
fn was_interrupted(world: &World, error: &str) -> bool {
    let Some((user, said)) = error.split_once(": ") else { return false };
    said.starts_with("NO [SERVERBUG]") && world.complained(&[&format!("imap({user})"), "Interrupted system call"])
}

fn check(world: &World, expected: &Expected, happened: &Happened, lost_its_lease: bool) {
    println!("{happened:#?}");
    holds::show(world);
    let unexplained = holds::unexplained(world, &happened.unavailable);
    println!("{} logins refused, not explained: {unexplained:#?}", happened.unavailable.len());
    let wrong = truth::differences(world, expected);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let errors: Vec<&String> = happened.errors.iter().filter(|error| !was_interrupted(world, error)).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    world.check_moved(lost_its_lease);
}
