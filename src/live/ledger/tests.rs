//! Tests of the ledger.

mod later;
mod so_far;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::fleet::{ClusterId, Fleet, HeadId};
use crate::live::wire::arbitrary::{any_plan, any_start};
use crate::migration::message::Facts;
use crate::units::{Bytes, Latency, Share, Span};

fn at(seconds: i64) -> Time {
    Time::from_unix_micros(0) + Span::from_secs(seconds)
}

fn ledger_in(folder: &TempDir) -> PathBuf {
    folder.path().join("some.ledger")
}

fn names(count: usize) -> Vec<Named> {
    (0..count).map(|row| Named { name: format!("user{row}@example.com"), path: format!("u/{row}") }).collect()
}

/// A start with mailboxes that all live on one head.
fn start(session: u16, mailboxes: usize) -> Start {
    let plan = any_plan().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let fleet = Fleet {
        bytes: vec![Bytes::new(1_000); mailboxes],
        messages: vec![10; mailboxes],
        activity_micro_op_s: vec![30_000; mailboxes],
        origin: vec![HeadId(0); mailboxes],
        home: vec![Home::head(HeadId(0)); mailboxes],
        group: Vec::new(),
    };
    let facts = Facts { fleet: Arc::new(fleet), ..Facts::default() };
    Start { session, version: 1, plan: Arc::new(plan), facts }
}

fn begin(ledger: &mut Ledger, mailboxes: usize) -> Arc<Start> {
    let start = Arc::new(start(ledger.next_session().unwrap(), mailboxes));
    let names = names(mailboxes);
    let new = NewSession { start: &start, mailboxes: &names, scenario: "name = \"x\"", program: "0.1.0" };
    ledger.begin_session(at(0), &new).unwrap();
    ledger.record(at(0), &Event::Started(Arc::clone(&start)), &[]).unwrap();
    start
}

fn sample(seconds: i64) -> Event {
    let (utilisation, latency) = (Share::ONE, Latency::from_micros(5));
    Event::HeadSampled { head: HeadId(0), measured_at: at(seconds), utilisation, latency, held_by: None }
}

fn effect(sequence: u64) -> EffectId {
    EffectId::new(1, sequence, 0)
}

fn copy(sequence: u64, mailbox: u32) -> Command {
    Command::StartCopy {
        effect: effect(sequence),
        mailbox: MailboxId(mailbox),
        from: HeadId(0),
        to: ClusterId(1),
        attempt: 1,
        bytes: Bytes::new(1_000),
    }
}

/// Every event of the session, with the number of its commands.
fn events(path: &Path, session: u16) -> Vec<(String, usize)> {
    let mut seen = Vec::new();
    Ledger::read(path)
        .unwrap()
        .visit(session, &mut |recorded| {
            seen.push((wire::event_kind(&recorded.event).to_owned(), recorded.commands.len()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    seen
}

fn pause(millis: u64) {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_millis(millis));
}

#[test]
fn only_the_owner_may_read_a_ledger_and_what_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&ledger_in(&folder)).unwrap();
    begin(&mut ledger, 3);
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        files += 1;
    }
    assert!(files >= 3, "only {files} files");
    drop(ledger);
    let path = ledger_in(&folder);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Ledger::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "taken back");
}

#[test]
fn one_writes_and_others_read_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 3);
    let refused = Ledger::open(&path).unwrap_err();
    assert_eq!(refused.trouble, Trouble::InUse(Some(std::process::id())));
    assert!(refused.to_string().contains("is running a migration with it"), "{refused}");
    let reader = Ledger::read(&path).unwrap();
    assert_eq!(reader.sessions().unwrap()[0].events, 1);
    ledger.record(at(1), &Event::Wake, &[copy(1, 0)]).unwrap();
    assert_eq!(reader.sessions().unwrap()[0].events, 2);
    ledger.end_session(at(2)).unwrap();
    ledger.close().unwrap();
    assert_eq!(reader.sessions().unwrap()[0].ended_at, Some(at(2)));
    assert_eq!(Ledger::open(&path).unwrap().next_session(), Ok(2));
    assert_eq!(Ledger::read(&path).unwrap().sessions().unwrap().len(), 1, "read when nobody writes");
}

#[test]
fn what_is_no_ledger_or_a_newer_one_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    assert!(matches!(Ledger::read(&path).unwrap_err().trouble, Trouble::System(_)), "there is none");
    drop(Ledger::open(&path).unwrap());
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    for error in [Ledger::open(&path).unwrap_err(), Ledger::read(&path).unwrap_err()] {
        assert_eq!(error.trouble, Trouble::Newer(2, 1));
        assert!(error.to_string().contains("a newer program has written it (version 2"), "{error}");
    }
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "a text that is long enough to be taken for the first page of something else".repeat(9)).unwrap();
    for path in [&other, &text] {
        let before = fs::read(path).unwrap();
        assert_eq!(Ledger::open(path).unwrap_err().trouble, Trouble::NotALedger, "{}", path.display());
        assert_eq!(Ledger::read(path).unwrap_err().trouble, Trouble::NotALedger, "{}", path.display());
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

#[test]
fn an_instant_that_no_calendar_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 2);
    drop(ledger);
    Connection::open(&path).unwrap().execute_batch("UPDATE event SET at = 9223372036854775807").unwrap();
    let said = Ledger::read(&path).unwrap().replay(1).unwrap_err().to_string();
    assert!(said.contains("read event 1 of session 1: its instant is in no calendar: 9223372036854775807"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_session_starts_again_from_what_it_started_from(mut any in any_start()) {
        let folder = tempfile::tempdir().unwrap();
        let path = ledger_in(&folder);
        let mut ledger = Ledger::open(&path).unwrap();
        any.session = 1;
        let names = names(any.facts.fleet.len());
        let new = NewSession { start: &any, mailboxes: &names, scenario: "x = 1", program: "0.1.0" };
        ledger.begin_session(at(5), &new).unwrap();
        let any = Arc::new(any);
        ledger.record(at(5), &Event::Started(Arc::clone(&any)), &[]).unwrap();
        let reader = Ledger::read(&path).unwrap();
        prop_assert_eq!(reader.mailboxes().unwrap(), names);
        prop_assert_eq!(&reader.start(1).unwrap(), &*any);
        let mut started = Vec::new();
        reader.visit(1, &mut |recorded| Ok((started.push(recorded.event), ControlFlow::Continue(())).1)).unwrap();
        prop_assert_eq!(started, vec![Event::Started(any)]);
    }
}

#[test]
fn what_asks_for_nothing_is_written_in_order_and_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 2);
    ledger.record(at(1), &sample(1), &[]).unwrap();
    ledger.record(at(2), &sample(2), &[copy(1, 0), copy(2, 1)]).unwrap();
    let seen = events(&path, 1);
    assert_eq!(seen.iter().map(|event| event.1).collect::<Vec<_>>(), [0, 0, 2]);
    ledger.record(at(3), &sample(3), &[]).unwrap();
    for _ in 0..100 {
        if events(&path, 1).len() == 4 {
            return;
        }
        pause(20);
    }
    panic!("not written in two seconds");
}

#[test]
fn steps_come_from_many_threads_and_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 4);
    thread::scope(|scope| {
        for thread in 0..4_u32 {
            let journal = ledger.journal();
            scope.spawn(move || {
                for turn in 0..25 {
                    let (effect, mailbox) = (effect(u64::from(thread) + 1), MailboxId(thread));
                    journal.note(at(turn), effect, mailbox, Step::Delta, &json!({ "turn": turn })).unwrap();
                    journal.note(at(turn), effect, mailbox, Step::Placed, &Value::Null).unwrap();
                }
            });
        }
    });
    let steps = Ledger::read(&path).unwrap().steps(1).unwrap();
    assert_eq!(steps.len(), 200);
    let of_one: Vec<_> = steps.iter().filter(|step| step.mailbox == MailboxId(2)).collect();
    assert_eq!(of_one.len(), 50);
    assert!(of_one.is_sorted_by_key(|step| step.at));
    assert_eq!(of_one[48].detail.as_deref(), Some(r#"{"turn":24}"#));
    assert_eq!((of_one[49].step, &of_one[49].detail), (Step::Placed, &None));
    let journal = ledger.journal();
    drop(ledger);
    let late = journal.note(at(99), effect(1), MailboxId(0), Step::Flip, &Value::Null);
    assert_eq!(late.unwrap_err().trouble, Trouble::Closed);
}

#[test]
fn mailboxes_keep_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 2);
    let found = Named { name: "new@example.com".into(), path: "n/1".into() };
    let id = ledger.add_mailbox(&found, Home::cluster(ClusterId(1))).unwrap();
    assert_eq!(id, MailboxId(2));
    let event = Event::MailboxFound { mailbox: id, home: Home::cluster(ClusterId(1)), bytes: Bytes::new(9) };
    ledger.record(at(1), &event, &[]).unwrap();
    assert_eq!(Ledger::read(&path).unwrap().mailboxes().unwrap()[id.index()], found);
    let known = Ledger::read(&path).unwrap().last_known().unwrap().unwrap();
    assert_eq!(known.facts.fleet.home[2], Home::cluster(ClusterId(1)));
    let next = start(2, 3);
    let mut begin_as = |mailboxes: &[Named]| {
        let new = NewSession { start: &next, mailboxes, scenario: "", program: "0.1.0" };
        ledger.begin_session(at(2), &new)
    };
    let error = begin_as(&names(3)).unwrap_err();
    assert!(error.to_string().contains(r#"mailbox 2 is "new@example.com""#), "{error}");
    let mut right = names(2);
    right.push(Named { path: "moved/1".into(), ..found });
    begin_as(&right).unwrap();
    assert_eq!(Ledger::read(&path).unwrap().mailboxes().unwrap(), right);
}

/// An audit finds so many on the first head, the first number of theirs being 2.
fn find(ledger: &mut Ledger, count: usize) -> Vec<MailboxId> {
    let found = names(2 + count).split_off(2);
    found.iter().map(|named| ledger.add_mailbox(named, Home::head(HeadId(0))).unwrap()).collect()
}

#[test]
fn a_name_is_written_with_the_event_that_tells_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 2);
    let found = find(&mut ledger, 3);
    let named = || Ledger::read(&path).unwrap().mailboxes().unwrap().len();
    // Somebody else's commit: a kill now must not leave names without events.
    ledger.journal().note(at(1), effect(1), MailboxId(0), Step::Placed, &Value::Null).unwrap();
    assert_eq!(named(), 2);
    for (told, mailbox) in found.into_iter().enumerate() {
        let event = Event::MailboxFound { mailbox, home: Home::head(HeadId(0)), bytes: Bytes::new(9) };
        ledger.record(at(2), &event, &[]).unwrap();
        assert_eq!(named(), 3 + told);
    }
    // Those of whom nothing was told are found again, under the same numbers.
    find(&mut ledger, 4);
    ledger.end_session(at(3)).unwrap();
    begin(&mut ledger, 5);
    assert_eq!(ledger.add_mailbox(&names(6)[5], Home::head(HeadId(0))).unwrap(), MailboxId(5));
}

#[test]
fn names_that_an_earlier_program_wrote_without_events_are_mailboxes_of_their_heads() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 2);
    let found = find(&mut ledger, 3);
    let told = Event::MailboxFound { mailbox: found[0], home: Home::head(HeadId(0)), bytes: Bytes::new(9) };
    let rows: Vec<Row> = std::mem::take(&mut ledger.found).into_values().collect();
    ledger.writer.enter(rows).unwrap();
    ledger.record(at(1), &told, &[]).unwrap();
    drop(ledger);
    let reader = Ledger::read(&path).unwrap();
    let known = reader.last_known().unwrap().unwrap();
    assert_eq!((known.told, known.facts.fleet.len(), reader.mailboxes().unwrap().len()), (3, 5, 5));
    assert_eq!(known.facts.fleet.home, [Home::head(HeadId(0)); 5]);
    assert_eq!(known.facts.fleet.bytes[2..], [Bytes::new(9), Bytes::ZERO, Bytes::ZERO]);
    assert_eq!(events(&path, 1).len(), 2);
    // The next session has them all.
    let mut ledger = Ledger::open(&path).unwrap();
    assert_eq!(begin(&mut ledger, 5).session, 2);
}

#[test]
fn a_full_disk_stops_everything_and_leaves_whole_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 2);
    let limit = |connection: &mut Connection| {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", pages + 8, |_| Ok(()))?;
        Ok(())
    };
    ledger.writer.with("limit it", limit).unwrap();
    let commands = [copy(1, 0), copy(2, 1)];
    let mut written = 0;
    let error = loop {
        match ledger.record(at(written + 1), &sample(written), &commands) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(written > 10, "{written}");
    assert_eq!(error.trouble, Trouble::Full);
    assert!(error.to_string().ends_with("cannot write 1 x event, 2 x command: its disk is full"), "{error}");
    // Whoever comes next hears the same, also where nothing would have to be durable at once.
    assert_eq!(ledger.record(at(written + 2), &sample(9), &[]).unwrap_err(), error);
    let step = ledger.journal().note(at(9), effect(1), MailboxId(0), Step::Flip, &Value::Null);
    assert_eq!(step.unwrap_err(), error);
    assert_eq!(ledger.close().unwrap_err(), error);
    let seen = events(&path, 1);
    assert_eq!(seen.len() as i64, written + 1);
    assert!(seen[1..].iter().all(|(kind, commands)| kind == "head_sampled" && *commands == 2));
    // With room again, another session begins.
    let mut ledger = Ledger::open(&path).unwrap();
    assert_eq!(begin(&mut ledger, 2).session, 2);
}
