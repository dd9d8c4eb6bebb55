//! The power goes: what has not been asked to be durable is lost, on all storage at once or on one.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::thread::sleep;
use std::time::Duration;

use crate::images::{self, cut_power};
use crate::moment;
use crate::points::{self, Counter, MESSAGES, Point, hurried};
use crate::site_world::{World, ended, mail, waits};
use crate::tracer::{self, End, Verdict, When};

/// Megabytes for the ledger and so on, the head, the cluster.
const SIZES: [u64; 3] = [24, 16, 16];

fn new_world() -> World {
    hurried(World::on_images(&MESSAGES, 3_000, SIZES))
}

fn run(world: &World, until: Option<&Point>) -> (End, Counter) {
    let mut counter = Counter::default();
    let end = tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
        let point = counter.of(world, call);
        if point.is_some() && point.as_ref() == until { Verdict::Kill } else { Verdict::Go }
    });
    (end, counter)
}

#[test]
fn a_power_cut_at_any_step_loses_nothing() {
    if !points::can_trace() || !images::can_mount() {
        return;
    }
    let world = new_world();
    let (end, counter) = run(&world, None);
    assert_eq!(end.code, Some(0), "{}", end.said);
    let points = counter.points();
    let chosen = points::chosen(&points, points::wanted());
    points::say(&points, &chosen);
    let reached = points::each(&chosen, |point| {
        let world = new_world();
        let (end, _) = run(&world, Some(point));
        if end.killed {
            cut_power(&world.images);
            moment::check(&world, point);
        }
        world.finish();
        world.check_moved();
        world.check_replay();
        // What is said to be done is as durable as it was said.
        cut_power(&world.images);
        world.check_moved();
        end.killed
    });
    println!("{} of {} points tried, cut at {reached}", chosen.len(), points.len());
    assert!(reached * 10 >= chosen.len() * 9, "cut at {reached} of {}", chosen.len());
}

#[test]
fn a_power_cut_shows_it_where_the_cluster_only_says_that_it_has_synced() {
    // Otherwise the cut would prove nothing of the program's syncs.
    if !points::can_trace() || !images::can_mount() {
        return;
    }
    // One on each head: no other copy is under way.
    let world = hurried(World::on_images(&[6, 5], 3_000, SIZES));
    let mut placed = false;
    let end = tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
        if call.when == When::After {
            return Verdict::Go;
        }
        let at_cluster = call.path.starts_with(world.path("nas-1"));
        placed |= at_cluster && call.thread == "switch" && call.name == "renameat2";
        match call.name {
            "fsync" | "syncfs" if at_cluster => Verdict::Pretend,
            "write" | "pwrite64" if placed && call.path.starts_with(world.path("users.db")) => Verdict::Kill,
            _ => Verdict::Go,
        }
    });
    assert!(end.killed, "{}", end.said);
    let [before, after] = [(); 2].map(|()| {
        let found = mail(&[world.path("nas-1")]);
        cut_power(&world.images);
        found
    });
    assert_eq!(before.len(), 6, "the copy was there: {:?}", before.keys());
    assert!(after.values().filter(|text| text.len() == 3_000).count() < 6, "it has been cut: {:?}", after.keys());
    world.finish();
    world.check_moved();
}

#[test]
fn a_cluster_or_a_head_that_loses_its_power_under_way_loses_nothing() {
    if !images::can_mount() {
        return;
    }
    // Side by side: each of them mostly waits.
    std::thread::scope(|scope| {
        for store in [1, 2] {
            scope.spawn(move || (0..3).for_each(|moved| loses_its_power(store, moved)));
        }
    });
}

fn loses_its_power(store: usize, moved: i64) {
    let world = World::on_images(&[6; 12], 3_000, SIZES);
    let mut running = world.start();
    world.wait_until_moved(moved);
    world.images[store].cut_power();
    // Nothing is to be expected of it any more but that it does no harm, and that it ends when it is told to.
    sleep(Duration::from_secs(4));
    let status = world.status();
    if status.is_null() {
        let (code, said) = ended(running);
        assert_eq!(code, Some(0), "it may have been through before, and nothing else: {said}");
    } else {
        assert_eq!(status["heads"][0]["set_aside"], 0, "no mailbox is to blame: {status}");
        running.kill().unwrap();
        ended(running);
    }
    cut_power(&world.images[store..=store]);
    moment::check(&world, &(store, moved));
    world.finish();
    world.check_moved();
    world.check_replay();
}

#[test]
fn a_head_that_cannot_be_written_is_waited_for() {
    if !images::can_mount() {
        return;
    }
    let world = World::on_images(&[10; 24], 3_000, SIZES);
    let running = world.start();
    world.wait_until_moved(1);
    assert!(waits(Duration::from_secs(10), || world.images[1].remount("ro")));
    world.wait_for_trouble("read-only");
    sleep(Duration::from_secs(2));
    let status = world.status();
    assert_eq!(status["heads"][0]["set_aside"], 0, "no mailbox is to blame: {status}");
    assert!(world.images[1].remount("rw"));
    let (code, said) = ended(running);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
    world.check_replay();
}
