//! Parity of the two worlds. What production has recorded of a migration with trouble in it is gone through once more in
//! the simulated world, which is told what came from outside and how long things took, never what was asked for: the same
//! has to be asked for again. And a forecast from a scenario's inputs has to contain what a migration then takes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use drawdown::fleet::{HeadId, MailboxId};
use drawdown::live::ledger::Ledger;
use drawdown::live::wire;
use drawdown::migration::message::{Command, EffectId, Event, Fault, Milestone, Order};
use drawdown::scenario::{ReadSettings, Scenario, Source};
use drawdown::sim::{Copies, Recording, Step, rerun};
use drawdown::units::{Span, Time};

use crate::site_world::{HEADS, World, ended, waits};

/// The steps of the only session of a ledger.
fn steps(world: &World) -> Vec<Step> {
    let mut steps = Vec::new();
    let reader = Ledger::read(&world.path("ledger.db")).unwrap();
    assert_eq!(reader.sessions().unwrap().len(), 1);
    reader
        .visit(1, &mut |recorded| {
            let commands = recorded.read_commands()?;
            steps.push(Step { at: recorded.at, event: recorded.event, commands });
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    steps
}

fn scenario(world: &World) -> Scenario {
    Source::read(&world.path("scenario.toml"), &ReadSettings::default()).unwrap().middle().clone()
}

/// A place in a mailbox on its head.
fn in_mailbox(world: &World, user: usize, name: &str) -> PathBuf {
    let wanted = &world.users[user];
    world.path(HEADS[wanted.head.index()]).join(wanted.path()).join("cur").join(name)
}

/// Mailboxes that cannot be read: one until it is put right, one for good. And one whose first switch backs out.
const PUT_RIGHT: usize = 4;
const UNREADABLE: usize = 8;
const BACKS_OUT: usize = 10;

/// A migration of two heads in four streams at most, with an operator who takes most of them away for a moment, load that
/// rises and falls, probes that answer nothing for a while, mailboxes that cannot be read, and a front end that fails once.
fn troubled() -> World {
    let world = World::of(&[100; 24]);
    for user in [PUT_RIGHT, UNREADABLE] {
        symlink("/etc/hostname", in_mailbox(&world, user, "link:2,S")).unwrap();
    }
    let (load, flush, tried) = (world.path("load"), world.path("flush"), world.path("tried"));
    fs::write(&load, "0.2 0.002\n").unwrap();
    let fails_once = format!(
        "if [ $1 = {} ] && [ ! -e {tried} ]; then touch {tried}; exit 1; fi\n",
        world.users[BACKS_OUT].user,
        tried = tried.display()
    );
    fs::write(&flush, fails_once).unwrap();
    let front_end = format!(
        "[[site.front_end]]\nname = \"imap-1\"\nflush = [\"sh\", \"{}\", \"{{user}}\"]\n\n[site.directory]",
        flush.display()
    );
    world.change(
        "scenario.toml",
        &[
            ("probe = { command = [\"echo\", \"0.2 0.002\"] }", &format!("probe = {{ command = [\"cat\", \"{}\"] }}", load.display())),
            ("[site.directory]", &front_end),
            ("overlap = \"none\"", "overlap = \"tail\""),
            (
                "law = \"fixed\", streams = 4",
                "law = \"steps\", table = [[\"0 %\", 4], [\"60 %\", 2]], max = 4, rate = \"600 kB/s\", every = \"1 s\", \
                 sample_limit = \"2 s\"",
            ),
        ],
    );
    let running = world.start();
    world.wait_until_moved(1);
    assert!(world.say(&["pace", "head-1", "1"]).status.success());
    sleep(Duration::from_secs(1));
    assert!(world.say(&["pace", "head-1", "plan"]).status.success());
    let user = world.users[PUT_RIGHT].user.clone();
    world.wait_for_trouble(&format!("copy of {user}"));
    fs::remove_file(in_mailbox(&world, PUT_RIGHT, "link:2,S")).unwrap();
    assert!(world.say(&["retry", &user]).status.success());
    fs::write(&load, "0.9 0.002\n").unwrap();
    let falls = |command: &Command| matches!(command, Command::SetPace { streams: 2, .. });
    let has_fallen = || steps(&world).iter().any(|step| step.commands.iter().any(falls));
    assert!(waits(Duration::from_secs(20), has_fallen), "the law steps down");
    fs::remove_file(&load).unwrap();
    sleep(Duration::from_millis(3_500));
    fs::write(&load, "0.3 0.002\n").unwrap();
    let (code, said) = ended(running);
    assert_eq!(code, Some(12), "one is set aside: {said}");
    world
}

/// The recording has in it what parity is to be shown for.
fn assert_is_troubled(steps: &[Step]) {
    let count = |wanted: &dyn Fn(&Event) -> bool| steps.iter().filter(|step| wanted(&step.event)).count();
    let failed = |event: &Event| matches!(event, Event::CopyFailed { fault: Fault::Permanent, .. });
    assert!(count(&failed) >= 2, "mailboxes that cannot be read");
    let backed_out = |event: &Event| matches!(event, Event::SwitchFailed { fault: Fault::Unreachable, .. });
    assert!(count(&backed_out) >= 1, "a switch that backs out");
    assert_eq!(count(&|event| matches!(event, Event::Operator(Order::Cap { .. }))), 2);
    assert_eq!(count(&|event| matches!(event, Event::Operator(Order::Retry(_)))), 1);
    let (mut paces, mut going, mut most, mut heads) = (BTreeSet::new(), BTreeSet::new(), 0, BTreeSet::new());
    let (mut sampled, mut without) = (steps[0].at, Span::ZERO);
    for step in steps {
        match &step.event {
            Event::CopyEnded { effect, .. } | Event::CopyFailed { effect, .. } => {
                going.remove(effect);
            }
            Event::HeadSampled { head: HeadId(0), .. } => {
                without = without.max(step.at.since(sampled));
                sampled = step.at;
            }
            _ => {}
        }
        for command in &step.commands {
            match command {
                Command::StartCopy { effect, from, .. } => {
                    going.insert(*effect);
                    heads.insert(*from);
                }
                Command::SetPace { streams, .. } => {
                    paces.insert(*streams);
                }
                _ => {}
            }
        }
        most = most.max(going.len());
    }
    assert!(most >= 4, "{most} copies at once");
    assert!(paces.is_superset(&BTreeSet::from([1, 2, 4])), "{paces:?}");
    assert_eq!(heads.len(), 2);
    assert!(without > Span::from_secs(2), "samples are missing for {without}");
}

/// A step as the ledger has it.
fn line(step: &Step) -> String {
    let event = match &step.event {
        Event::Started(_) => "started".to_owned(),
        other => wire::event(other),
    };
    let commands: Vec<String> = step.commands.iter().map(wire::command).collect();
    format!("{} {event} => {}", step.at.unix_micros(), commands.join(" "))
}

/// Where two lists of steps differ for the first time.
fn difference(given: &[Step], recorded: &[Step]) -> Option<String> {
    let longest = given.len().max(recorded.len());
    let shown = |step: Option<&Step>| step.map_or("nothing".to_owned(), line);
    let mut pairs = (0..longest).map(|number| (number, shown(given.get(number)), shown(recorded.get(number))));
    let (number, given, recorded) = pairs.find(|(_, given, recorded)| given != recorded)?;
    Some(format!("step {number}\n  recorded: {recorded}\n  given:    {given}"))
}

/// When each copy began and arrived, and each switch ended, by mailbox and attempt.
fn instants(steps: &[Step]) -> BTreeMap<(MailboxId, u8, &'static str), Time> {
    let mut jobs: BTreeMap<EffectId, (MailboxId, u8)> = BTreeMap::new();
    let mut found = BTreeMap::new();
    let mut note = |jobs: &BTreeMap<EffectId, (MailboxId, u8)>, effect: &EffectId, what, at| {
        if let Some((mailbox, attempt)) = jobs.get(effect) {
            found.insert((*mailbox, *attempt, what), at);
        }
    };
    for step in steps {
        match &step.event {
            Event::CopyEnded { effect, .. } | Event::CopyFailed { effect, .. } => {
                note(&jobs, effect, "copied", step.at);
            }
            Event::SwitchEnded { effect } | Event::SwitchFailed { effect, .. } => {
                note(&jobs, effect, "switched", step.at);
            }
            _ => {}
        }
        for command in &step.commands {
            if let Command::StartCopy { effect, mailbox, attempt, .. } = command {
                jobs.insert(*effect, (*mailbox, *attempt));
                note(&jobs, effect, "started", step.at);
            }
        }
    }
    found
}

fn announced(steps: &[Step], wanted: Milestone) -> Time {
    let of_it = |command: &Command| matches!(command, Command::Announce { milestone, .. } if *milestone == wanted);
    steps.iter().find(|step| step.commands.iter().any(of_it)).expect("the milestone").at
}

#[test]
fn the_simulated_world_asks_for_what_production_asked_for_when_things_take_as_long() {
    let world = troubled();
    let (steps, scenario) = (steps(&world), scenario(&world));
    assert_is_troubled(&steps);

    // As long as it took: the same steps at the same instants, byte for byte.
    let lasted = |steps: &[Step]| Recording::new(steps, Copies::Lasted).expect("a start");
    let again = rerun(&scenario, lasted(&steps));
    assert_eq!(difference(&again, &steps), None);
    // It is the recording that says so: without the operator's order other things are asked for.
    let is_order = |step: &Step| matches!(step.event, Event::Operator(Order::Cap { .. }));
    let without: Vec<Step> = steps.iter().filter(|step| !is_order(step)).cloned().collect();
    assert!(difference(&rerun(&scenario, lasted(&without)), &without).is_some());

    // As much work as each copy was let do: its end comes out of the world's own lanes and clocks.
    let worked = Recording::new(&steps, Copies::Worked).expect("a start");
    assert!(worked.suspended() >= 2, "{} copies were suspended", worked.suspended());
    let again = rerun(&scenario, worked);
    let (given, recorded) = (instants(&again), instants(&steps));
    assert_eq!(given.keys().collect::<Vec<_>>(), recorded.keys().collect::<Vec<_>>());
    let apart = |(key, at): (&_, &Time)| (*at).max(recorded[key]).since((*at).min(recorded[key]));
    let mut apart: Vec<Span> = given.iter().map(apart).collect();
    apart.sort_unstable();
    let (median, worst) = (apart[apart.len() / 2], apart[apart.len() - 1]);
    println!("instants are apart by {} us (median), {} us at worst", median.micros(), worst.micros());
    // A copy that has nothing left to ask its pace for ends though it is suspended, and the world's does not: what comes
    // after it may be later by as much as the pace was low.
    assert!(median < Span::from_micros(100_000) && worst < Span::from_secs(3), "{median} and {worst}: {apart:?}");
}

/// What a planner knows of a small migration whose pace is bytes a second: sizes to a tenth, how fast files can be made on a
/// busy machine hardly at all. The pace is what binds, so that how long it takes is a matter of the plan.
fn bound_by_its_pace() -> World {
    let world = World::of(&[30; 64]);
    world.change(
        "scenario.toml",
        &[
            (
                "size = { median = \"100 kB\", sigma = 0.5, max = \"1 GB\" }",
                "size = { median = { low = \"81 kB\", mid = \"90 kB\", high = \"99 kB\" }, sigma = 0.1, max = \"1 GB\" }",
            ),
            ("streams = 4", "streams = 4, rate = \"300 kB/s\""),
            (
                "stream = \"20 MB/s\"",
                "stream = \"20 MB/s\", messages = { low = \"10 / s\", mid = \"40 / s\", high = \"200 / s\" }, setup = \"50 ms\"",
            ),
            ("purge_rate = \"200 / s\"", "purge_rate = \"200 / s\"\nlock = \"100 ms\"\naudit = \"100 ms\""),
        ],
    );
    world
}

fn forecast(world: &World, more: &[&str]) -> serde_json::Value {
    let words = ["forecast", "--no-files", "--quiet", "--json", "--replications", "200", "--seed", "1"];
    let page = world.say(&[&words, more].concat());
    serde_json::from_slice(&page.stdout).unwrap_or_else(|_| panic!("{page:?}"))
}

/// When everything is off the heads, by a forecast: P5 and P95, in microseconds since 1970.
fn range(json: &serde_json::Value) -> [i64; 2] {
    let as_of: jiff::Timestamp = json["scenario"]["as_of"]["utc"].as_str().unwrap().parse().unwrap();
    let milestones = json["milestones"].as_array().unwrap();
    let all = milestones.iter().find(|milestone| milestone["name"] == "all emptied").expect("the milestone");
    [0.05, 0.95].map(|level| {
        let quantiles = all["quantiles"].as_array().unwrap();
        let found = quantiles.iter().find(|quantile| quantile["level"] == level).unwrap();
        let days = found["value"]["days_from_as_of"].as_f64().unwrap_or_else(|| panic!("{found}"));
        as_of.as_microsecond() + (days * 86_400e6) as i64
    })
}

#[test]
fn the_forecast_from_a_scenarios_inputs_contains_what_the_migration_takes() {
    let world = bound_by_its_pace();
    let as_of = scenario(&world).as_of.unix_micros();
    let [early, late] = range(&forecast(&world, &[])).map(|at| at - as_of);

    let running = world.start();
    world.wait_until_moved(34);
    let ledger = world.path("ledger.db").display().to_string();
    let half_way = forecast(&world, &["--from", &ledger]);
    let (code, said) = ended(running);
    assert_eq!(code, Some(0), "{said}");
    let steps = steps(&world);
    let end = announced(&steps, Milestone::AllEmptied);
    let took = end.since(steps[0].at).micros();
    let end = end.unix_micros();
    let [from_early, from_late] = range(&half_way);
    println!(
        "forecast {:.1} to {:.1} s, took {:.1} s; at half way its end {:.1} to {:.1} s from the real one",
        early as f64 / 1e6,
        late as f64 / 1e6,
        took as f64 / 1e6,
        (from_early - end) as f64 / 1e6,
        (from_late - end) as f64 / 1e6
    );
    assert!(took >= early && took <= late);
    // By the scenario a copy takes 0.8 s alone, and by the pace 1.2 s: whoever took its wait for slowness would find 0.67.
    let observed = half_way["observed"].as_array().unwrap().iter().filter_map(|line| line.as_str());
    let mut speeds =
        observed.filter_map(|line| line.split_once(" times the speed")?.0.rsplit_once(' ')?.1.parse::<f64>().ok());
    let speed = speeds.next().expect("a speed");
    assert!(speed > 0.7, "{speed}");
    // It starts at the next whole second, and what is on its way then begins anew: nothing in a migration of days, two to three
    // seconds here.
    assert!(end >= from_early - 3_000_000 && end <= from_late);
}
