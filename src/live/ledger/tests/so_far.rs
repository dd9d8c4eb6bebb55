//! What a session leaves to the next one besides its mailboxes: how far the waves are, and what is known of the clusters.

use super::*;
use crate::migration::message::{ClustersSoFar, FullOf, Limit, Milestone, Order, WavesSoFar};
use crate::migration::plan::{Go, Plan, Wave};

/// Begins a session from a start.
fn begin_from(ledger: &mut Ledger, start: &Arc<Start>) {
    let names = names(start.facts.fleet.len());
    let new = NewSession { start, mailboxes: &names, scenario: "name = \"x\"", program: "0.1.0" };
    ledger.begin_session(at(0), &new).unwrap();
    ledger.record(at(0), &Event::Started(Arc::clone(start)), &[]).unwrap();
}

#[test]
fn the_next_session_knows_of_clusters_and_waves() {
    let folder = TempDir::new().unwrap();
    let path = ledger_in(&folder);
    let mut ledger = Ledger::open(&path).unwrap();
    let mut first = start(1, 3);
    let mut plan = Plan::clone(&first.plan);
    plan.order.excluded.clear();
    plan.order.waves = vec![Wave { share: Share::ONE, soak: Span::from_secs(1), go: Go::Automatic }];
    first.plan = Arc::new(plan);
    begin_from(&mut ledger, &Arc::new(first.clone()));
    let full = Milestone::ClusterFull { cluster: ClusterId(0), of: FullOf::Inodes };
    let intake = Command::SetIntake { effect: effect(1), cluster: ClusterId(1) };
    let commands = [intake, Command::Announce { effect: effect(2), milestone: full }, copy(5, 0)];
    ledger.record(at(1), &Event::Wake, &commands).unwrap();
    let effect = effect(5);
    let copied = Event::CopyEnded { effect, bytes: Bytes::new(7), messages: 1, limit: Limit::Own };
    ledger.record(at(2), &copied, &[Command::Switch { effect }]).unwrap();
    ledger.record(at(3), &Event::SwitchEnded { effect }, &[]).unwrap();
    ledger.record(at(4), &Event::Operator(Order::CloseCluster(ClusterId(1))), &[]).unwrap();
    let known = || Ledger::read(&path).unwrap().last_known().unwrap().unwrap();
    let clusters = ClustersSoFar {
        closed: vec![ClusterId(1)],
        filled: vec![(ClusterId(0), FullOf::Inodes)],
        intake: Some(ClusterId(1)),
    };
    let waves = Some(WavesSoFar { mailboxes: 3, over: Some(1), moved: None, go: false });
    assert_eq!((&known().facts.clusters, known().facts.waves), (&clusters, waves));
    // A session that nothing happens in leaves the same, and is read as it was written.
    let next = Arc::new(Start { session: 2, facts: known().facts, ..first });
    begin_from(&mut ledger, &next);
    assert_eq!(Ledger::read(&path).unwrap().start(2).unwrap(), *next);
    assert_eq!((&known().facts.clusters, known().facts.waves), (&clusters, waves));
    ledger.record(at(9), &Event::Operator(Order::OpenCluster(ClusterId(1))), &[]).unwrap();
    ledger.record(at(9), &sample(9), &[]).unwrap();
    assert_eq!(known().facts.clusters, ClustersSoFar { closed: Vec::new(), ..clusters });
}

#[test]
fn a_count_that_an_earlier_program_did_not_keep_goes_on_from_what_waits() {
    let mut start = start(3, 4);
    let mut plan = Plan::clone(&start.plan);
    plan.order.excluded.clear();
    plan.order.waves = vec![Wave { share: Share::ONE, soak: Span::from_secs(1), go: Go::Automatic }];
    start.plan = Arc::new(plan);
    start.facts.waves = Some(WavesSoFar { mailboxes: 10, over: None, moved: None, go: false });
    let over = Known::new(at(0), &start).finish(true).facts.waves.and_then(|waves| waves.over);
    assert_eq!(over, Some(6));
}
