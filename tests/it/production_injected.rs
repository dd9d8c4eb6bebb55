//! Calls of the program fail as a broken disk or a full one lets them fail: any of them, once.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;

use crate::moment;
use crate::points::{self, Counter, MESSAGES, Point, new_world};
use crate::site_world::{World, mail};
use crate::tracer::{self, Call, End, Verdict, When};

/// Runs with one call failing; says whether it has come to that.
fn run(world: &World, fails: &Point, errno: Errno) -> (End, bool) {
    let (mut counter, mut failed) = (Counter::default(), None);
    let end = tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
        if counter.of(world, call).as_ref() == Some(fails) {
            failed = Some(Since::of(call));
            return Verdict::Fail(errno);
        }
        if let Some(since) = &mut failed {
            since.look(call);
        }
        Verdict::Go
    });
    (end, failed.is_some())
}

/// What a copy has done since a sync of it failed: what was written before may never reach the disk, whatever a later sync
/// says.
struct Since {
    mailbox: Option<PathBuf>,
    made: u32,
    named: u32,
}

impl Since {
    fn of(call: &Call) -> Self {
        let syncs = call.name == "syncfs" && call.thread == "copy";
        Self { mailbox: syncs.then(|| call.path.clone()), made: 0, named: 0 }
    }

    fn look(&mut self, call: &Call) {
        let concerned = self.mailbox.as_ref().is_some_and(|mailbox| call.path.starts_with(mailbox));
        if call.when == When::After || !concerned {
            return;
        }
        let part = call.path.parent().and_then(|part| part.file_name()).unwrap_or_default();
        self.made += u32::from(call.name == "openat" && part != "cur" && part != "new");
        self.named += u32::from(call.name.starts_with("renameat") && (part == "cur" || part == "new"));
        assert!(self.named <= self.made, "{}: named though its content may not be there", call.path.display());
    }
}

fn points_of(messages: &[u32]) -> Vec<Point> {
    let world = new_world(messages);
    let mut counter = Counter::default();
    let end = tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
        counter.of(&world, call);
        Verdict::Go
    });
    assert_eq!(end.code, Some(0), "{}", end.said);
    counter.points().into_iter().filter(|point| !point.kind.ends_with("recorded")).collect()
}

#[test]
fn whatever_fails_once_is_tried_again_and_loses_nothing() {
    if !points::can_trace() {
        return;
    }
    let mut points = points_of(&MESSAGES);
    // A start without its lease is no start, and the ledger has a test of its own.
    points.retain(|point| !point.kind.ends_with("ledger") && !point.kind.starts_with("host"));
    let chosen = points::chosen(&points, points::wanted());
    points::say(&points, &chosen);
    let reached = points::each(&chosen, |point| {
        let world = new_world(&MESSAGES);
        // What a head's disk does not give back is nothing to try again; anything else is.
        let errno = if point.kind.ends_with("head") { Errno::ENOMEM } else { Errno::EIO };
        let (end, failed) = run(&world, point, errno);
        assert_eq!(end.code, Some(0), "{point:?}: {}", end.said);
        world.check_moved();
        world.check_replay();
        failed
    });
    println!("{} of {} points tried, failed at {reached}", chosen.len(), points.len());
    assert!(reached * 10 >= chosen.len() * 9, "failed at {reached} of {}", chosen.len());
}

#[test]
fn a_copy_that_has_its_place_but_not_for_good_is_taken_back() {
    if !points::can_trace() {
        return;
    }
    let world = new_world(&MESSAGES);
    let (mut placed, mut failed) = (false, false);
    let end = tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
        let at_cluster = call.thread == "switch" && call.path.starts_with(world.path("nas-1"));
        placed |= at_cluster && call.name == "renameat2" && call.when == When::After;
        if at_cluster && placed && !failed && call.name == "fsync" && call.when == When::Before {
            failed = true;
            return Verdict::Fail(Errno::EIO);
        }
        Verdict::Go
    });
    assert!(end.code == Some(0) && failed, "{}", end.said);
    world.check_moved();
}

#[test]
fn a_ledger_that_cannot_be_written_ends_the_run_before_anything_is_done_that_it_does_not_have() {
    if !points::can_trace() {
        return;
    }
    let points: Vec<Point> = points_of(&MESSAGES).into_iter().filter(|point| point.kind.ends_with("ledger")).collect();
    let chosen = points::chosen(&points, points::wanted() / 2);
    points::say(&points, &chosen);
    let reached = points::each(&chosen, |point| {
        let world = new_world(&MESSAGES);
        let errno = if point.number % 2 == 0 { Errno::ENOSPC } else { Errno::EIO };
        let (end, failed) = run(&world, point, errno);
        if end.code == Some(0) {
            // Only its log could not be folded into it, at the end.
            world.check_moved();
        } else {
            assert_eq!(end.code, Some(1), "{point:?}: {}", end.said);
            assert!(end.said.contains("ledger"), "{point:?}: {}", end.said);
            moment::check(&world, point);
            assert_eq!(world.held(), Vec::<String>::new(), "{point:?}: {}", end.said);
        }
        world.finish();
        world.check_moved();
        world.check_replay();
        failed
    });
    println!("{} of {} points tried, failed at {reached}", chosen.len(), points.len());
    assert!(reached * 10 >= chosen.len() * 9, "failed at {reached} of {}", chosen.len());
}

#[test]
fn a_message_that_cannot_be_read_sets_its_mailbox_aside_and_the_others_move() {
    if !points::can_trace() {
        return;
    }
    let world = new_world(&[6; 5]);
    let broken = mail(&[world.path("head-1")]).into_keys().find(|name| name.contains("user-002")).unwrap();
    let path = world.path("head-1").join(&broken);
    let is_broken = AtomicBool::new(true);
    thread::scope(|scope| {
        let end = scope.spawn(|| {
            tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
                let fails = call.name == "read" && call.path == path && is_broken.load(Ordering::Relaxed);
                if fails && call.when == When::Before { Verdict::Fail(Errno::EIO) } else { Verdict::Go }
            })
        });
        world.wait_for_trouble("the source cannot be read");
        world.wait_until_moved(4);
        let status = world.status();
        assert_eq!((&status["heads"][0]["set_aside"], &status["heads"][0]["left"]), (&1.into(), &0.into()), "{status}");
        assert!(path.exists() && world.held().is_empty(), "it is served where it was");
        is_broken.store(false, Ordering::Relaxed);
        assert!(world.say(&["retry", "user-002"]).status.success());
        let end = end.join().unwrap();
        assert_eq!(end.code, Some(0), "{}", end.said);
    });
    world.check_moved();
    world.check_replay();
}
