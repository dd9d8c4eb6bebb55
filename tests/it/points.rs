//! The system calls at which a run can be disturbed: counted, named, and chosen from.
//!
//! `DRAWDOWN_TEST_KILL_POINTS` is how many of them a test tries, `all` for every one; otherwise a dozen.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Component;
use std::sync::Mutex;
use std::thread;

use crate::images::Image;
use crate::site_world::World;
use crate::tracer::{self, Call, When, changes};

/// Points tried when nothing else is said.
const FEW: usize = 12;
/// Where many points are tried, all of a kind that has no more than this.
const ALL_OF: u32 = 12;
/// Worlds at once: they mostly wait.
const AT_ONCE: usize = 4;

/// In each mailbox.
pub(crate) const MESSAGES: [u32; 3] = [6, 5, 4];

/// One moment at which a program can be killed, or a call of it fail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) kind: String,
    /// From 1, among those of its kind.
    pub(crate) number: u32,
}

/// Counts the points of a run.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) counted: BTreeMap<String, u32>,
}

impl Counter {
    /// The point that a call is, if it is one.
    pub(crate) fn of(&mut self, world: &World, call: &Call) -> Option<Point> {
        let kind = kind(world, call)?;
        let number = self.counted.entry(kind.clone()).or_default();
        *number += 1;
        Some(Point { kind, number: *number })
    }

    pub(crate) fn points(&self) -> Vec<Point> {
        let of = |(kind, count): (&String, &u32)| {
            let kind = kind.clone();
            (1..=*count).map(move |number| Point { kind: kind.clone(), number })
        };
        self.counted.iter().flat_map(of).collect()
    }
}

/// Which thread is about to change what; none for a call that is no point.
fn kind(world: &World, call: &Call) -> Option<String> {
    if !changes(call) {
        return None;
    }
    let below = call.path.strip_prefix(world.path("")).ok()?;
    let Some(Component::Normal(first)) = below.components().next() else { return None };
    let first = first.to_string_lossy();
    let what = match first.split(['.', '-']).next()? {
        "head" => "head",
        "nas" => "cluster",
        "ledger" => "ledger",
        "users" => "directory",
        _ => return None,
    };
    let thread = if call.thread.starts_with("drawdown") { "host" } else { &call.thread };
    match call.when {
        When::Before => Some(format!("{thread}: {what}")),
        // What is to be done is durable by now.
        When::After if (thread, what) == ("host", "ledger") && ["fsync", "fdatasync"].contains(&call.name) => {
            Some("host: recorded".to_owned())
        }
        When::After => None,
    }
}

pub(crate) fn new_world(messages: &[u32]) -> World {
    hurried(World::of(messages))
}

/// With less to wait for.
pub(crate) fn hurried(world: World) -> World {
    world.change(
        "scenario.toml",
        &[("streams = 4", "streams = 2"), ("purge_after = \"1 s\"", "purge_after = \"200 ms\"")],
    );
    world.images.iter().for_each(Image::sync);
    world
}

/// As many of the points as are wanted, evenly; of a kind that has few, all.
pub(crate) fn chosen(points: &[Point], wanted: usize) -> Vec<Point> {
    let mut of_kind: BTreeMap<&str, u32> = BTreeMap::new();
    for point in points {
        *of_kind.entry(&point.kind).or_default() += 1;
    }
    let rare = |point: &Point| wanted > 10 * FEW && of_kind[&*point.kind] <= ALL_OF;
    let (mut all, others): (Vec<Point>, Vec<Point>) = points.iter().cloned().partition(rare);
    let wanted = wanted.saturating_sub(all.len()).min(others.len());
    all.extend((0..wanted).map(|place| others[place * others.len() / wanted].clone()));
    all
}

pub(crate) fn wanted() -> usize {
    match std::env::var("DRAWDOWN_TEST_KILL_POINTS") {
        Ok(text) if text == "all" => usize::MAX,
        Ok(text) => text.parse().unwrap(),
        Err(_) => FEW,
    }
}

/// Does something for each point, several at once; how many were reached.
///
/// How often a run writes depends on its timing, so another run may come to its end before a late point: an earlier one
/// of that kind is tried in its place.
pub(crate) fn each(points: &[Point], try_one: impl Fn(&Point) -> bool + Sync) -> usize {
    let (left, reached) = (Mutex::new(points.iter()), Mutex::new(0));
    let is_reached = |point: &Point| {
        let told = Told(point);
        let is_reached = try_one(point);
        std::mem::forget(told);
        if !is_reached {
            println!("not reached: {point:?}");
        }
        is_reached
    };
    let reached_or_earlier = |point: &Point| {
        let numbers =
            std::iter::successors(Some(point.number), |number| Some(number / 2)).take_while(|number| *number > 0);
        numbers.map(|number| Point { kind: point.kind.clone(), number }).any(|point| is_reached(&point))
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(point) = left.lock().unwrap().next() else { return };
                    *reached.lock().unwrap() += usize::from(reached_or_earlier(point));
                }
            });
        }
    });
    reached.into_inner().unwrap()
}

/// Says at which point a test has failed.
struct Told<'p>(&'p Point);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        eprintln!("failed at {:?}", self.0);
    }
}

/// Says which points are tried.
pub(crate) fn say(points: &[Point], chosen: &[Point]) {
    let mut of_kind: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for point in points {
        of_kind.entry(&point.kind).or_default().1 += 1;
    }
    for point in chosen {
        of_kind.entry(&point.kind).or_default().0 += 1;
    }
    for (kind, (tried, all)) in of_kind {
        println!("{kind}: {tried} of {all} points");
    }
}

/// Whether programs can be traced here. Where points are asked for by the environment, they have to.
pub(crate) fn can_trace() -> bool {
    let why = tracer::denied();
    let Some(why) = why else { return true };
    assert!(std::env::var_os("DRAWDOWN_TEST_KILL_POINTS").is_none(), "{why}");
    println!("skipped: {why}");
    false
}
