//! A run under a real Dovecot, with mail coming in by LMTP and people at work by IMAP, loses nothing.
//!
//! Needs `dovecot` with IMAP, LMTP and the SQLite driver, `ps`, and root; elsewhere it says so and does nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for programs")]

mod imap;
mod lmtp;
mod traffic;
mod truth;
mod world;

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use traffic::Happened;
use truth::Expected;
use world::{World, waits};

/// How fast a copy goes on, in bytes per second: so slow that there is traffic on every mailbox while it moves.
const STREAM: u32 = 400_000;
/// After the run, for what would still use an old place.
const AFTERWARDS: Duration = Duration::from_secs(2);

#[test]
fn a_run_under_a_mail_server_loses_nothing() {
    if !world::available() {
        return;
    }
    let world = World::new(20, STREAM);
    truth::fill(&world);
    let (expected, happened) = traffic::during(&world, truth::survey(&world), || {
        world.finish(world.start(), Duration::from_mins(4));
        std::thread::sleep(AFTERWARDS);
    });
    check(&world, &expected, &happened);
}

#[test]
fn killed_under_a_mail_server_it_loses_nothing() {
    if !world::available() {
        return;
    }
    let kills: u32 = std::env::var("DRAWDOWN_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut random = SmallRng::seed_from_u64(7);
    let world = World::new(20, STREAM);
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
    check(&world, &expected, &happened);
}

#[test]
#[ignore = "takes minutes"]
fn a_mailbox_of_many_messages_loses_nothing() {
    if !world::available() {
        return;
    }
    let messages = std::env::var("DRAWDOWN_TEST_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let world = World::new(2, 100_000_000);
    truth::fill_files(&world, messages);
    let before = truth::survey(&world);
    let there: usize = before.values().map(|mailbox| mailbox.messages.len()).sum();
    assert_eq!(there, messages as usize);
    let (expected, happened) = traffic::during(&world, before, || {
        world.finish(world.start(), Duration::from_mins(15));
    });
    check(&world, &expected, &happened);
}

fn check(world: &World, expected: &Expected, happened: &Happened) {
    let (holds, failed) = world.holds();
    println!("{happened:#?}");
    for (what, spans) in ["held", "until the fence", "behind it"].iter().zip(&holds) {
        let median = spans.get(spans.len() / 2).map(|span| span.secs());
        let worst = spans.last().map(|span| span.secs());
        println!("{} switches, {what}: median {median:?} s, worst {worst:?} s", spans.len());
    }
    println!("{failed} switches backed out");
    let wrong = truth::differences(world, expected);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(happened.errors.is_empty(), "{}", happened.errors.join("\n"));
    world.check_moved();
}
