//! The program is killed at its system calls: before each that changes something, and once what the machine has asked for
//! is recorded and nothing of it has been done. Which calls are tried is counted, not drawn.

#![allow(clippy::unwrap_used, reason = "a test")]

use crate::moment;
use crate::points::{self, Counter, MESSAGES, Point, new_world};
use crate::site_world::World;
use crate::tracer::{self, End, Verdict, changes};

/// Runs until a point, or to the end.
fn run(world: &World, until: Option<&Point>) -> (End, Counter) {
    let mut counter = Counter::default();
    let end = tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
        let point = counter.of(world, call);
        if point.is_some() && point.as_ref() == until { Verdict::Kill } else { Verdict::Go }
    });
    (end, counter)
}

fn check_end(world: &World) {
    world.finish();
    world.check_moved();
    world.check_replay();
}

#[test]
fn killed_at_each_step_and_started_again_it_comes_to_the_same_end() {
    if !points::can_trace() {
        return;
    }
    let world = new_world(&MESSAGES);
    let (end, counter) = run(&world, None);
    assert_eq!(end.code, Some(0), "{}", end.said);
    world.check_moved();
    let points = counter.points();
    let chosen = points::chosen(&points, points::wanted());
    points::say(&points, &chosen);
    let steps =
        ["copy: cluster", "host: recorded", "switch: head", "switch: directory", "switch: cluster", "purge: head"];
    for kind in steps {
        assert!(counter.counted.contains_key(kind), "no point is {kind}");
    }
    let reached = points::each(&chosen, |point| {
        let world = new_world(&MESSAGES);
        let (end, _) = run(&world, Some(point));
        assert!(end.killed || end.code == Some(0), "{point:?}: {}", end.said);
        if end.killed {
            moment::check(&world, point);
        }
        check_end(&world);
        end.killed
    });
    println!("{} of {} points tried, killed at {reached}", chosen.len(), points.len());
    // How often samples are recorded is not the same each time.
    assert!(reached * 10 >= chosen.len() * 9, "killed at {reached} of {}", chosen.len());
}

#[test]
fn killed_while_it_puts_a_user_back_it_does_so_at_the_next_start() {
    if !points::can_trace() {
        return;
    }
    // Its copy stands at the final place, and the directory still has the user at its head, held.
    let interrupted = || {
        // One on each head: no other switch is under way.
        let world = new_world(&[6, 5]);
        let mut placed = false;
        let end = tracer::run(&world.command(&["run", "--quiet"]), &mut |call| {
            let is_switch = call.thread == "switch";
            placed |= is_switch && call.name == "renameat2" && call.path.starts_with(world.path("nas-1"));
            let flips = placed && is_switch && changes(call) && call.path.starts_with(world.path("users.db"));
            if flips { Verdict::Kill } else { Verdict::Go }
        });
        assert!(end.killed, "{}", end.said);
        assert_eq!(world.held().len(), 1);
        world
    };
    let at_start = |point: &Point| point.kind.starts_with("host: ") && !point.kind.ends_with("recorded");
    let world = interrupted();
    let mut counter = Counter::default();
    let mut started = false;
    let end = tracer::run(&world.command(&["run"]), &mut |call| {
        started |= call.thread == "copy";
        if !started {
            counter.of(&world, call);
        }
        Verdict::Go
    });
    assert!(end.code == Some(0) && end.said.contains("put back"), "{}", end.said);
    let points: Vec<Point> = counter.points().into_iter().filter(at_start).collect();
    for kind in ["host: head", "host: cluster", "host: directory", "host: ledger"] {
        assert!(points.iter().any(|point| point.kind == kind), "{kind}: {points:?}");
    }
    let chosen = points::chosen(&points, points::wanted() / 2);
    let reached = points::each(&chosen, |point| {
        let world = interrupted();
        let (end, _) = run(&world, Some(point));
        if end.killed {
            moment::check(&world, point);
        }
        check_end(&world);
        end.killed
    });
    println!("{} of {} points tried, killed at {reached}", chosen.len(), points.len());
    assert!(reached * 10 >= chosen.len() * 9, "killed at {reached} of {}", chosen.len());
}
