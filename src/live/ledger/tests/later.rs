//! What is known later: what was observed, which orders are still in force, where the stores lay.

use std::collections::BTreeMap;

use super::*;
use crate::migration::message::{Fault, Limit, Milestone, Order};

#[test]
fn copies_and_switches_are_observed_with_how_long_they_took() {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    begin(&mut ledger, 2);
    let (done, failed) = (effect(1), effect(2));
    ledger.record(at(10), &sample(9), &[copy(1, 0), copy(2, 1)]).unwrap();
    let ended = Event::CopyEnded { effect: done, bytes: Bytes::new(1_100), messages: 11, limit: Limit::Head };
    let journal = ledger.journal();
    journal.note(at(39), done, MailboxId(0), Step::Delta, &json!({ "worked_s": 12.5, "took_s": 29 })).unwrap();
    ledger.record(at(40), &ended, &[Command::Switch { effect: done }]).unwrap();
    ledger.record(at(41), &Event::CopyFailed { effect: failed, fault: Fault::Permanent }, &[]).unwrap();
    let note = |at, step| journal.note(at, done, MailboxId(0), step, &Value::Null).unwrap();
    note(at(42), Step::Hold);
    note(at(43) + Span::from_micros(250_000), Step::Flip);
    ledger.record(at(44), &Event::SwitchEnded { effect: done }, &[]).unwrap();
    let reader = Ledger::read(&path).unwrap();
    let seen = reader.observations(1).unwrap();
    assert_eq!(seen.heads.len(), 1);
    let copies: Vec<_> = seen.copies.iter().map(|copy| (copy.mailbox.0, copy.bytes.get(), copy.result)).collect();
    assert_eq!(copies, [(0, 1_100, Ok(Limit::Head)), (1, 1_000, Err(Fault::Permanent))]);
    assert_eq!(seen.copies[0].ended_at.since(seen.copies[0].started_at), Span::from_secs(30));
    let worked: Vec<_> = seen.copies.iter().map(|copy| copy.worked).collect();
    assert_eq!(worked, [Some(Span::from_micros(12_500_000)), None]);
    let [switch] = seen.switches[..] else { panic!("{:?}", seen.switches) };
    assert_eq!((switch.held, switch.fault), (Some(Span::from_micros(1_250_000)), None));
    let known = reader.last_known().unwrap().unwrap();
    assert_eq!(known.facts.fleet.home, [Home::cluster(ClusterId(1)), Home::head(HeadId(0))]);
    assert_eq!(known.facts.set_aside, [(MailboxId(1), Fault::Permanent)]);
    assert_eq!(known.facts.unpurged, [(MailboxId(0), at(44))]);
    assert_eq!((known.in_flight.len(), known.clean_end), (0, false));
}

/// What goes on after a session's start: its orders, and perhaps more.
fn goes_on(ledger: &mut Ledger, orders: &[Order], samples: i64) {
    begin(ledger, 2);
    for order in orders {
        ledger.record(at(1), &Event::Operator(*order), &[]).unwrap();
    }
    for second in 0..samples {
        ledger.record(at(2 + second), &sample(2 + second), &[]).unwrap();
    }
}

#[test]
fn orders_that_protect_mail_stay_in_force_until_they_are_taken_back() {
    let folder = TempDir::new().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    let told = || Ledger::read(&path).unwrap().standing_orders().unwrap();
    let standing = || told().orders;
    assert_eq!(standing(), []);
    let close = Order::CloseCluster(ClusterId(1));
    let all = [Order::HoldPurges, close, Order::Pause];
    goes_on(&mut ledger, &[Order::Pause, close, Order::Cap { head: HeadId(0), streams: 1 }, Order::HoldPurges], 3);
    assert_eq!(standing(), all);
    assert_eq!(told().caps, [(HeadId(0), 1)]);
    // A session that has written what it starts from, and could not go on.
    let start = Arc::new(start(ledger.next_session().unwrap(), 2));
    let names = names(2);
    let new = NewSession { start: &start, mailboxes: &names, scenario: "name = \"x\"", program: "0.1.0" };
    ledger.begin_session(at(9), &new).unwrap();
    assert_eq!(standing(), all, "before its first event");
    assert_eq!(told().caps, [], "a cap is its session's");
    // One that was killed while it gave itself the orders.
    goes_on(&mut ledger, &[Order::HoldPurges], 0);
    assert_eq!(standing(), all, "before all of them");
    goes_on(&mut ledger, &[Order::HoldPurges, close, Order::Pause, Order::Resume, Order::OpenCluster(ClusterId(1))], 1);
    assert_eq!(standing(), [Order::HoldPurges]);
    goes_on(&mut ledger, &[Order::HoldPurges, Order::ResumePurges], 1);
    assert_eq!(standing(), []);
    // It has stopped by itself.
    let why = crate::migration::message::StopCause::VerifyFailed;
    let stopped = Command::Announce { effect: effect(9), milestone: Milestone::Stopped { why } };
    ledger.record(at(10), &Event::Wake, &[stopped]).unwrap();
    let stop = StandingOrders { orders: vec![Order::Pause], stopped: Some(why), caps: vec![] };
    assert_eq!(told(), stop);
    // It stays stopped over sessions that are given the pause, and whatever else is ordered, until somebody says go.
    goes_on(&mut ledger, &[Order::Pause], 3);
    assert_eq!(told(), stop);
    goes_on(&mut ledger, &[], 0);
    goes_on(&mut ledger, &[Order::Pause, Order::Pause], 1);
    assert_eq!(told(), stop);
    ledger.record(at(11), &Event::Operator(Order::Resume), &[]).unwrap();
    assert_eq!(told(), StandingOrders::default());
    ledger.record(at(12), &Event::Operator(Order::Pause), &[]).unwrap();
    let paused = StandingOrders { orders: vec![Order::Pause], stopped: None, caps: vec![] };
    assert_eq!(told(), paused);
    goes_on(&mut ledger, &[Order::Pause], 1);
    assert_eq!(told(), paused, "what it had stopped for is over");
}

#[test]
fn a_cap_is_in_force_until_it_is_taken_back_or_its_session_ends() {
    let folder = TempDir::new().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    let caps = || Ledger::read(&path).unwrap().standing_orders().unwrap().caps;
    let cap = |head, streams| Order::Cap { head: HeadId(head), streams };
    goes_on(&mut ledger, &[cap(0, 4), cap(1, 2), cap(0, 3), cap(1, u16::MAX)], 1);
    assert_eq!(caps(), [(HeadId(0), 3)]);
    // As it ends, it lets nothing begin any more.
    ledger.record(at(8), &Event::Operator(cap(0, 0)), &[]).unwrap();
    ledger.end_session(at(9)).unwrap();
    assert_eq!(caps(), []);
}

#[test]
fn file_systems_of_the_stores_are_known_once_they_are_noted() {
    let folder = TempDir::new().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    let read = || Ledger::read(&path).unwrap();
    assert_eq!((read().stores().unwrap(), read().last_at().unwrap()), (BTreeMap::new(), None));
    let noted = |head: u64| BTreeMap::from([("head-1".to_owned(), head), ("nas-1".to_owned(), u64::MAX)]);
    for head in [1, 2] {
        ledger.note_stores(&noted(head)).unwrap();
        assert_eq!(read().stores().unwrap(), noted(head));
    }
    begin(&mut ledger, 2);
    assert_eq!(read().last_at().unwrap(), Some(at(0)));
    ledger.record(at(7), &Event::Operator(Order::Pause), &[]).unwrap();
    assert_eq!(read().last_at().unwrap(), Some(at(7)));
    drop(ledger);
    Ledger::open(&path).unwrap();
}
