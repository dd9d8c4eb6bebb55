//! What production records, by the real core in the simulated world: it replays, it says what is where at the end, and it
//! is whole after a crash.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use assert_cmd::Command as Program;
use drawdown::fleet::{Fleet, Home};
use drawdown::live::ledger::{Ledger, Named, NewSession, Replayed};
use drawdown::live::wire;
use drawdown::migration::message::{Command, Event, Start};
use drawdown::scenario::{ReadSettings, Scenario, Source};
use drawdown::sim::{self, Outcome, RunId, TraceItem};
use drawdown::units::{Bytes, Time};
use tempfile::TempDir;

/// One step of a simulation.
type Step = (Time, Event, Vec<Command>);

/// The founding case with few mailboxes, and enough trouble that there is something to judge.
fn scenario() -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/opensrs-cluster-b.toml");
    let changes = [
        "population.mailboxes=3000",
        "plan.move.purge_after=\"1 day\"",
        "faults.transient=\"5 %\"",
        "faults.permanent=\"1 %\"",
        "faults.switch=\"2 %\"",
    ];
    let overrides = changes.map(str::to_owned).to_vec();
    Source::read(&path, &ReadSettings { overrides, allow_path: false }).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Everything that one replication learns and asks for.
fn simulate(scenario: &Scenario) -> (Vec<Step>, Outcome) {
    let mut steps: Vec<Step> = Vec::new();
    let outcome = sim::trace(scenario, RunId { seed: 7, replication: 0 }, &mut |row| match row.item {
        TraceItem::Event(event) => steps.push((row.now, event.clone(), Vec::new())),
        TraceItem::Command(command) => steps.last_mut().expect("an event before its commands").2.push(*command),
    });
    (steps, outcome)
}

fn names(count: usize) -> Vec<Named> {
    (0..count).map(|row| Named { name: format!("user{row}@example.com"), path: format!("u/{row}") }).collect()
}

fn start(steps: &[Step]) -> Arc<Start> {
    match &steps[0].1 {
        Event::Started(start) => Arc::clone(start),
        other => panic!("a session starts with {other:?}"),
    }
}

/// A ledger of a whole simulation, several steps at once so that it takes no time.
fn record(folder: &TempDir, source: &Source, steps: &[Step]) -> PathBuf {
    let path = folder.path().join("some.ledger");
    let mut ledger = Ledger::open(&path).expect("a good ledger");
    let start = start(steps);
    let mut names = names(start.facts.fleet.len());
    let new = NewSession { start: &start, mailboxes: &names, scenario: source.resolved(), program: "0.1.0" };
    ledger.begin_session(steps[0].0, &new).expect("a good ledger");
    for several in steps.chunks(500) {
        for (_, event, _) in several {
            if let Event::MailboxFound { mailbox, home, .. } = event {
                names.push(Named { name: format!("new{}@example.com", mailbox.0), path: format!("n/{}", mailbox.0) });
                assert_eq!(ledger.add_mailbox(&names[mailbox.index()], *home), Ok(*mailbox));
            }
        }
        let several: Vec<_> = several.iter().map(|(now, event, commands)| (*now, event, &commands[..])).collect();
        ledger.record_all(&several).expect("a good ledger");
    }
    ledger.end_session(steps[steps.len() - 1].0).expect("a good ledger");
    path
}

fn replay(path: &Path) -> Replayed {
    Ledger::read(path).expect("a good ledger").replay(1).expect("a good ledger")
}

fn drawdown(path: &Path) -> assert_cmd::assert::Assert {
    Program::cargo_bin("drawdown").expect("the program").arg("replay").arg(path).assert()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn what_was_recorded_replays_and_says_what_is_where() {
    let source = scenario();
    let (steps, outcome) = simulate(source.middle());
    let folder = tempfile::tempdir().unwrap();
    let path = record(&folder, &source, &steps);
    let replayed = replay(&path);
    assert_eq!(replayed.differences, []);
    let commands: usize = steps.iter().map(|step| step.2.len()).sum();
    assert_eq!((replayed.events, replayed.commands), (steps.len() as u64, commands as u64));
    assert!(outcome.moved > 1_000 && outcome.faults > 50, "{} moved, {} faults", outcome.moved, outcome.faults);

    let known = Ledger::read(&path).unwrap().last_known().unwrap().unwrap();
    let on_clusters = |fleet: &Fleet| fleet.home.iter().filter(|home| home.is_cluster()).count() as u64;
    let (before, after) = (start(&steps).facts.fleet.clone(), known.facts.fleet);
    let found_there = after.home[before.len()..].iter().filter(|home| home.is_cluster()).count() as u64;
    assert_eq!(on_clusters(&after) - on_clusters(&before) - found_there, outcome.moved);
    let set_aside: u32 = outcome.heads.iter().map(|head| head.set_aside).sum();
    let waiting = known.facts.set_aside.iter().filter(|(mailbox, _)| known.gone.binary_search(mailbox).is_err());
    assert_eq!(waiting.count(), set_aside as usize);
    assert!(known.clean_end);
    assert_eq!(known.in_flight, []);

    let seen = Ledger::read(&path).unwrap().observations(1).unwrap();
    assert_eq!(seen.switches.iter().filter(|switch| switch.fault.is_none()).count() as u64, outcome.moved);
    assert!(seen.copies.iter().all(|copy| copy.ended_at > copy.started_at), "a copy takes time");

    let assert = drawdown(&path).success();
    let told = text(&assert.get_output().stdout);
    assert!(told.starts_with("session 1: ") && told.ends_with(", all the same\n"), "{told}");
}

#[test]
fn a_changed_command_is_shown_with_both_sides() {
    let source = scenario();
    let (steps, _) = simulate(source.middle());
    let folder = tempfile::tempdir().unwrap();
    // As if the core had asked for something else at its tenth copy.
    let mut changed = steps[..400].to_vec();
    let mut copies = changed.iter_mut().enumerate().flat_map(|(at, step)| step.2.iter_mut().map(move |one| (at, one)));
    let (at, command) = copies.by_ref().filter(|(_, one)| matches!(one, Command::StartCopy { .. })).nth(9).unwrap();
    let right = *command;
    let Command::StartCopy { bytes, .. } = command else { unreachable!("a copy") };
    *bytes = Bytes::new(bytes.get() + 1);
    let wrong = *command;
    drop(copies);
    let path = record(&folder, &source, &changed);
    let [difference] = &replay(&path).differences[..] else { panic!("{:?}", replay(&path)) };
    assert_eq!(difference.seq, at as u64 + 1);
    assert_eq!(difference.recorded, Some(wire::command(&wrong)));
    assert_eq!(difference.given, Some(wire::command(&right)));
    let assert = drawdown(&path).code(1);
    let told = text(&assert.get_output().stdout);
    assert!(told.contains(&format!("recorded: {}\n", wire::command(&wrong))), "{told}");
    assert!(told.contains(&format!("given:    {}\n", wire::command(&right))), "{told}");
    assert!(text(&assert.get_output().stderr).contains("1 of 1 sessions differ"));
}

#[test]
fn a_replay_of_what_is_no_ledger_or_no_session_is_a_run_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = drawdown(&folder.path().join("none.ledger")).code(1);
    assert!(text(&missing.get_output().stderr).contains("none.ledger: cannot read it: "));
    let path = folder.path().join("some.ledger");
    drop(Ledger::open(&path).unwrap());
    drawdown(&path).success().stdout("");
    let mut program = Program::cargo_bin("drawdown").expect("the program");
    let assert = program.arg("replay").arg(&path).args(["--session", "3"]).assert().code(1);
    assert!(text(&assert.get_output().stderr).contains("there is no session 3"));
}

/// A session of as many mailboxes as the founding case has, and each step for itself, as production records it.
#[test]
#[ignore = "says how fast a ledger is on this disk: run it by name with --no-capture"]
fn what_a_record_costs() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("some.ledger");
    let source = scenario();
    let (steps, _) = simulate(source.middle());
    let mut start = Start::clone(&start(&steps));
    let rows = 400_000;
    let cycle = |row: usize| row % start.facts.fleet.len();
    let column = |row: usize| start.facts.fleet.origin[cycle(row)];
    start.facts.fleet = Arc::new(Fleet {
        bytes: vec![Bytes::new(75_000_000); rows],
        messages: vec![1_000; rows],
        activity_micro_op_s: vec![30_000; rows],
        home: (0..rows).map(|row| Home::head(column(row))).collect(),
        origin: (0..rows).map(column).collect(),
        group: Vec::new(),
    });
    let mut ledger = Ledger::open(&path).unwrap();
    let names = names(rows);
    let new = NewSession { start: &start, mailboxes: &names, scenario: source.resolved(), program: "0.1.0" };
    let mut clock = jiff::Timestamp::now();
    let mut lap = || {
        let before = std::mem::replace(&mut clock, jiff::Timestamp::now());
        clock.duration_since(before).as_secs_f64()
    };
    ledger.begin_session(steps[0].0, &new).unwrap();
    println!("{rows} mailboxes: {:.2} s", lap());
    let some = &steps[1..2_001];
    for (now, event, commands) in some {
        ledger.record(*now, event, commands).unwrap();
    }
    let seconds = lap();
    let commands: usize = some.iter().map(|step| step.2.len()).sum();
    println!("{} events, {commands} commands one by one: {seconds:.2} s", some.len());
    let rest = &steps[2_001..];
    for several in rest.chunks(100) {
        let several: Vec<_> = several.iter().map(|(now, event, commands)| (*now, event, &commands[..])).collect();
        ledger.record_all(&several).unwrap();
    }
    println!("{} events by hundreds: {:.2} s", rest.len(), lap());
    let reader = Ledger::read(&path).unwrap();
    lap();
    reader.start(1).unwrap();
    println!("reading the start: {:.2} s", lap());
    reader.last_known().unwrap().unwrap();
    println!("what is known last: {:.2} s", lap());
}

const CRASH: &str = "DRAWDOWN_TEST_LEDGER";

/// Not a test by itself: records a simulation over and over, each step for itself, until it is killed.
#[test]
#[ignore = "the part of the next test that is killed"]
fn the_writer_that_is_killed() {
    let Some(path) = std::env::var_os(CRASH) else { return };
    let source = scenario();
    let (steps, _) = simulate(source.middle());
    let mut ledger = Ledger::open(Path::new(&path)).unwrap();
    let start = start(&steps);
    let names = names(start.facts.fleet.len());
    let new = NewSession { start: &start, mailboxes: &names, scenario: source.resolved(), program: "0.1.0" };
    ledger.begin_session(steps[0].0, &new).unwrap();
    for (now, event, commands) in &steps {
        ledger.record(*now, event, commands).unwrap();
    }
}

#[test]
fn a_killed_writer_leaves_whole_steps() {
    let source = scenario();
    let (steps, _) = simulate(source.middle());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.ledger");
    let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::the_writer_that_is_killed", "--ignored"])
        .env(CRASH, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (_keep, never) = mpsc::channel::<()>();
    let events = || {
        let reader = Ledger::read(&path).ok()?;
        Some(reader.sessions().ok()?.first()?.events)
    };
    for _ in 0..3_000 {
        if events().is_some_and(|events| events > 200) {
            break;
        }
        let _ = never.recv_timeout(Duration::from_millis(10));
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    // Whoever starts again finds the lock free, and every step whole.
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.next_session(), Ok(2));
    let mut whole = 0;
    Ledger::read(&path)
        .unwrap()
        .visit(1, &mut |recorded| {
            let (now, _, commands) = &steps[whole];
            assert_eq!(recorded.at, *now);
            assert_eq!(recorded.read_commands()?, *commands, "event {}", recorded.seq);
            whole += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert!(whole > 200 && whole < steps.len(), "{whole} of {} steps", steps.len());
    assert_eq!(replay(&path).differences, []);
    assert!(!Ledger::read(&path).unwrap().last_known().unwrap().unwrap().clean_end);
    fs::remove_file(&path).unwrap();
}
