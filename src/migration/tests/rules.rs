//! The rules of pace, faults and time, one event at a time: what the machine answers, and what binds.

use std::sync::Arc;

use super::plans::{at, fleet, percent, plain};
use crate::fleet::{ClusterId, HeadId, Home, MailboxId};
use crate::migration::message::{
    Binding, CORE_VERSION, Command, EffectId, Event, Facts, Fault, FullOf, Limit, Milestone, Next, Order, Start,
    StopCause,
};
use crate::migration::plan::{InodePlan, Law, Level, Plan, WindowLimit, Windows};
use crate::migration::{Migration, Phase};
use crate::units::{Bytes, Inodes, InodesUsed, Latency, Room, Share, Span, Time};

const HEAD: HeadId = HeadId(0);
const A: ClusterId = ClusterId(0);
const B: ClusterId = ClusterId(1);

/// A machine told one event at a time.
struct Desk {
    machine: Migration,
    now: Time,
    said: Vec<Command>,
}

impl Desk {
    /// Ten mailboxes of 100 bytes on one head; both clusters are open and sampled.
    fn open(plan: Plan) -> Self {
        Self::with(plan, &[(0, 100); 10])
    }

    fn with(plan: Plan, rows: &[(u8, u64)]) -> Self {
        let facts = Facts { fleet: Arc::new(fleet(rows)), open: vec![A, B], ..Facts::default() };
        Self::started(plan, facts)
    }

    fn started(plan: Plan, facts: Facts) -> Self {
        let mut desk = Self { machine: Migration::new(), now: at(0), said: Vec::new() };
        let start = Start { session: 1, version: CORE_VERSION, plan: Arc::new(plan), facts };
        desk.tell(0, Event::Started(Arc::new(start)));
        desk.fill(0, A, 0);
        desk.fill(0, B, 0);
        desk
    }

    #[allow(clippy::needless_pass_by_value, reason = "every caller makes the event on the spot")]
    fn tell(&mut self, second: i64, event: Event) -> Next {
        self.now = at(second);
        self.said.clear();
        self.machine.step(self.now, &event, &mut self.said)
    }

    fn fill(&mut self, second: i64, cluster: ClusterId, used: u64) {
        self.fill_both(second, cluster, used, None);
    }

    fn fill_both(&mut self, second: i64, cluster: ClusterId, used: u64, inodes: Option<u64>) {
        let (utilisation, latency, measured_at) = (Share::ZERO, Latency::default(), at(second));
        let (used, inodes) = (Bytes::new(used), inodes.map(Inodes::new).into());
        self.tell(second, Event::ClusterSampled { cluster, measured_at, used, inodes, utilisation, latency });
    }

    fn sample(&mut self, second: i64, utilisation: u32) {
        let (latency, utilisation) = (Latency::from_micros(1_000), percent(utilisation));
        self.tell(
            second,
            Event::HeadSampled { head: HEAD, measured_at: at(second), utilisation, latency, held_by: None },
        );
    }

    fn order(&mut self, second: i64, order: Order) {
        self.tell(second, Event::Operator(order));
    }

    fn started_copies(&self) -> Vec<EffectId> {
        let starts = self.said.iter().filter(|command| matches!(command, Command::StartCopy { .. }));
        starts.map(Command::effect).collect()
    }

    fn pace(&self) -> Option<u16> {
        self.said.iter().find_map(|command| match command {
            Command::SetPace { streams, .. } => Some(*streams),
            _ => None,
        })
    }

    fn announced(&self, milestone: Milestone) -> bool {
        self.said
            .iter()
            .any(|command| matches!(command, Command::Announce { milestone: said, .. } if *said == milestone))
    }

    fn abandoned(&self) -> Vec<EffectId> {
        self.said.iter().filter(|command| matches!(command, Command::Abandon { .. })).map(Command::effect).collect()
    }

    fn copied(&mut self, second: i64, effect: EffectId, limit: Limit) {
        self.tell(second, Event::CopyEnded { effect, bytes: Bytes::new(100), messages: 1, limit });
    }

    fn binding(&self) -> Binding {
        self.machine.binding(HEAD)
    }
}

fn aimd() -> Plan {
    let mut plan = plain(1);
    let target = Level::Utilisation(percent(80));
    plan.heads[0].throttle.law = Law::Aimd { target, start: 4, hysteresis: percent(90) };
    plan.heads[0].throttle.pause_above = Some(Level::Utilisation(percent(90)));
    plan.heads[0].throttle.abort_above = Some(Level::Utilisation(percent(95)));
    plan
}

#[test]
fn what_is_said_of_stores_that_the_plan_does_not_know_changes_nothing() {
    let mut desk = Desk::open(plain(1));
    desk.sample(1, 10);
    let (head, cluster, measured_at) = (HeadId(9), ClusterId(9), at(2));
    let (utilisation, latency, used) = (percent(10), Latency::from_micros(1_000), Bytes::ZERO);
    let strangers = [
        Event::HeadSampled { head, measured_at, utilisation, latency, held_by: None },
        Event::ClusterSampled { cluster, measured_at, used, inodes: InodesUsed::UNKNOWN, utilisation, latency },
        Event::ClusterOpened { cluster },
        Event::ClusterClosed { cluster },
        Event::HeadAudited { head, users_left: 0, folders_left: 0 },
        Event::MailboxFound { mailbox: MailboxId(10), home: Home::head(head), bytes: Bytes::new(1) },
        Event::Operator(Order::Cap { head, streams: 1 }),
        Event::Operator(Order::CloseCluster(cluster)),
    ];
    for event in strangers {
        let known = desk.machine.mailboxes();
        desk.tell(2, event.clone());
        assert_eq!(desk.said, [], "{event:?}");
        assert_eq!(desk.machine.mailboxes(), known, "{event:?}");
    }
}

#[test]
fn nothing_starts_before_the_first_sample() {
    let mut desk = Desk::open(plain(1));
    assert_eq!((desk.binding(), desk.started_copies().len()), (Binding::Outage, 0));
    desk.sample(1, 10);
    assert_eq!(desk.started_copies().len(), 2);
}

#[test]
fn a_stale_sample_stops_new_moves_at_the_instant_it_becomes_too_old() {
    let mut desk = Desk::open(plain(1));
    desk.sample(0, 10);
    let copy = desk.started_copies()[0];
    let next = desk.tell(1, Event::Wake);
    assert!(matches!(next, Next::Wait { until, .. } if until > at(180) && until < at(181)), "{next:?}");
    desk.tell(181, Event::Wake);
    assert_eq!(desk.binding(), Binding::Outage);
    desk.copied(182, copy, Limit::Own);
    assert!(desk.started_copies().is_empty());
    assert!(desk.said.contains(&Command::Switch { effect: copy }), "what is copied may still switch");
    desk.sample(183, 10);
    assert_eq!(desk.started_copies().len(), 1);
}

#[test]
fn the_pace_is_never_exceeded_and_zero_suspends_all() {
    let mut desk = Desk::open(aimd());
    desk.sample(0, 75);
    assert_eq!((desk.pace(), desk.started_copies().len()), (None, 4), "75 % is within the hysteresis");
    desk.sample(60, 85);
    assert_eq!((desk.pace(), desk.started_copies().len()), (Some(2), 0));
    assert_eq!(desk.binding(), Binding::Throttle);
    desk.sample(120, 91);
    assert_eq!(desk.pace(), Some(0));
    assert!(desk.abandoned().is_empty());
}

#[test]
fn the_abort_guard_abandons_copies_at_the_second_look_and_they_are_tried_again() {
    let mut desk = Desk::open(aimd());
    desk.sample(0, 75);
    let copies = desk.started_copies();
    desk.sample(60, 96);
    assert!(desk.abandoned().is_empty());
    desk.sample(120, 96);
    assert_eq!(desk.abandoned(), copies);
    for effect in &copies {
        desk.tell(121, Event::CopyFailed { effect: *effect, fault: Fault::Abandoned });
    }
    assert_eq!((desk.machine.copying(HEAD), desk.machine.left(HEAD)), (0, 10));
    desk.sample(170, 10);
    desk.tell(181, Event::Wake);
    desk.sample(182, 10);
    assert!(desk.machine.copying(HEAD) > 0);
    assert_eq!(desk.machine.phase(MailboxId(9)), Some(Phase::Waiting));
}

#[test]
fn a_verify_that_fails_stops_the_machine_until_a_person_resumes() {
    let mut desk = Desk::open(plain(1));
    desk.sample(0, 10);
    let effect = desk.started_copies()[0];
    desk.tell(1, Event::SwitchFailed { effect, fault: Fault::VerifyFailed });
    assert!(desk.said.is_empty(), "no switch was asked for");
    desk.tell(2, Event::CopyFailed { effect, fault: Fault::VerifyFailed });
    assert!(desk.announced(Milestone::Stopped { why: StopCause::VerifyFailed }));
    assert_eq!((desk.pace(), desk.binding(), desk.machine.set_aside(HEAD)), (Some(0), Binding::Paused, 1));
    desk.order(3, Order::Resume);
    assert_eq!((desk.pace(), desk.started_copies().len()), (Some(2), 1));
}

#[test]
fn too_many_faults_stop_the_machine() {
    let mut plan = plain(1);
    (plan.attempts.fault_window, plan.attempts.fault_rate) = (4, percent(50));
    let mut desk = Desk::open(plan);
    desk.sample(0, 10);
    let mut copies = desk.started_copies();
    for attempt in 1..=4 {
        let effect = copies.remove(0);
        desk.tell(attempt, Event::CopyFailed { effect, fault: Fault::Transient });
        assert_eq!(desk.announced(Milestone::Stopped { why: StopCause::FaultRate }), attempt == 4);
        copies.extend(desk.started_copies());
    }
    assert!(desk.started_copies().is_empty());
}

#[test]
fn an_audit_that_finds_users_stops_and_is_repeated_after_resume() {
    let mut desk = Desk::with(plain(1), &[(0, 1)]);
    desk.sample(0, 10);
    let effect = desk.started_copies()[0];
    desk.tell(1, Event::CopyEnded { effect, bytes: Bytes::new(1), messages: 1, limit: Limit::Own });
    desk.tell(2, Event::SwitchEnded { effect });
    let audits = |desk: &Desk| desk.said.iter().filter(|c| matches!(c, Command::Audit { .. })).count();
    assert_eq!(audits(&desk), 1);
    desk.tell(3, Event::HeadAudited { head: HEAD, users_left: 0, folders_left: 1 });
    assert!(desk.announced(Milestone::Stopped { why: StopCause::AuditFailed { head: HEAD } }));
    desk.order(4, Order::Resume);
    assert_eq!(audits(&desk), 1);
    let next = desk.tell(5, Event::HeadAudited { head: HEAD, users_left: 0, folders_left: 0 });
    assert!(desk.announced(Milestone::AllEmptied));
    assert_eq!(next, Next::Finished);
}

#[test]
fn the_last_mailbox_deleted_while_its_copy_is_given_up_leaves_an_empty_head() {
    for copied in [false, true] {
        let mut desk = Desk::with(plain(1), &[(0, 1)]);
        desk.sample(0, 10);
        let effect = desk.started_copies()[0];
        desk.tell(1, Event::MailboxGone { mailbox: MailboxId(0) });
        assert_eq!(desk.abandoned(), [effect]);
        let (bytes, messages, limit) = (Bytes::new(1), 1, Limit::Own);
        desk.tell(
            2,
            if copied {
                Event::CopyEnded { effect, bytes, messages, limit }
            } else {
                Event::CopyFailed { effect, fault: Fault::Transient }
            },
        );
        assert_eq!(desk.machine.phase(MailboxId(0)), Some(Phase::Gone));
        assert!(desk.said.iter().any(|c| matches!(c, Command::Audit { .. })), "copied: {copied}");
    }
}

#[test]
fn no_room_is_a_state_that_ends_when_a_cluster_opens() {
    let mut desk = Desk::open(plain(1));
    desk.tell(0, Event::ClusterClosed { cluster: B });
    desk.fill(1, A, 950);
    desk.sample(1, 10);
    assert!(desk.announced(Milestone::ClusterFull { cluster: A, of: FullOf::Bytes }));
    assert_eq!(desk.binding(), Binding::NoRoom);
    desk.tell(2, Event::ClusterOpened { cluster: B });
    assert_eq!(desk.started_copies().len(), 2);
    assert!(desk.said.contains(&Command::SetIntake { effect: desk.said[0].effect(), cluster: B }), "{:?}", desk.said);
}

#[test]
fn a_full_cluster_takes_mailboxes_again_one_percent_below_and_is_not_announced_twice() {
    let mut desk = Desk::open(plain(1));
    desk.tell(0, Event::ClusterClosed { cluster: B });
    desk.fill(1, A, 950);
    desk.sample(1, 10);
    desk.fill(2, A, 976);
    assert_eq!(desk.binding(), Binding::NoRoom);
    desk.fill(3, A, 850);
    assert_eq!(desk.started_copies().len(), 1, "one fits, the second is refused");
    assert!(!desk.announced(Milestone::ClusterFull { cluster: A, of: FullOf::Bytes }));
}

/// Clusters of 100 inodes that may be filled with 40, for mailboxes that take eleven each.
fn of_few_inodes() -> Plan {
    let mut plan = plain(1);
    plan.placement.inodes_per_mailbox = Inodes::new(10);
    for cluster in &mut plan.placement.clusters {
        let (rated, full_at) = (Inodes::new(100), percent(40));
        cluster.inodes = Some(InodePlan { rated, full_at, assumed_a_day: Inodes::ZERO });
    }
    plan
}

#[test]
fn what_holds_copies_that_never_end_is_told_by_samples_and_otherwise_by_those_that_end() {
    let sample = |second, held_by| Event::HeadSampled {
        head: HEAD,
        measured_at: at(second),
        utilisation: percent(10),
        latency: Latency::from_micros(1_000),
        held_by,
    };
    let mut desk = Desk::open(plain(1));
    desk.sample(0, 10);
    let [first, second] = desk.started_copies()[..] else { panic!("two streams") };
    assert_eq!(desk.binding(), Binding::Mover);
    // None ends: what holds those that run is what binds.
    desk.tell(1, sample(1, Some(Limit::Link)));
    assert_eq!(desk.binding(), Binding::Link);
    desk.tell(2, sample(2, None));
    assert_eq!(desk.binding(), Binding::Link, "a sample that says nothing changes nothing");
    desk.copied(3, first, Limit::Ingest);
    assert_eq!(desk.binding(), Binding::Ingest);
    // One that has ended since the last sample has told more: it is about all of its time.
    desk.tell(4, sample(4, Some(Limit::Own)));
    assert_eq!(desk.binding(), Binding::Ingest);
    desk.tell(5, sample(5, Some(Limit::Own)));
    assert_eq!(desk.binding(), Binding::Mover);
    desk.copied(6, second, Limit::Head);
    assert_eq!(desk.binding(), Binding::StreamCap);
}

#[test]
fn a_cluster_full_of_inodes_is_full_and_says_of_what() {
    let mut desk = Desk::open(of_few_inodes());
    desk.tell(0, Event::ClusterClosed { cluster: B });
    desk.fill_both(1, A, 0, Some(18));
    desk.sample(1, 10);
    let effect = desk.started_copies()[0];
    assert_eq!(desk.started_copies().len(), 2, "to the inode: 18 and twice 11");
    assert_eq!(desk.machine.reserved(A), Room { bytes: Bytes::new(200), inodes: Inodes::new(22) });
    // With what has come since, one that has grown by a message does not fit any more, and neither does the next.
    desk.fill_both(2, A, 0, Some(19));
    desk.tell(3, Event::CopyEnded { effect, bytes: Bytes::new(1), messages: 2, limit: Limit::Own });
    assert_eq!(desk.abandoned(), [effect]);
    assert!(desk.announced(Milestone::ClusterFull { cluster: A, of: FullOf::Inodes }));
    assert_eq!(desk.binding(), Binding::NoRoom);
}

#[test]
fn a_cluster_whose_file_system_does_not_count_inodes_has_no_limit_of_them() {
    let mut desk = Desk::open(of_few_inodes());
    desk.fill_both(1, A, 0, Some(39));
    desk.fill_both(1, B, 0, Some(39));
    desk.sample(1, 10);
    assert_eq!((desk.started_copies().len(), desk.binding()), (0, Binding::NoRoom));
    desk.fill(2, A, 0);
    assert_eq!(desk.started_copies().len(), 2);
}

#[test]
fn a_mailbox_of_more_inodes_than_any_cluster_takes_is_set_aside() {
    let mut facts = Facts { fleet: Arc::new(fleet(&[(0, 1), (0, 1)])), open: vec![A, B], ..Facts::default() };
    Arc::make_mut(&mut facts.fleet).messages = vec![31, 30];
    let mut desk = Desk::started(of_few_inodes(), facts);
    desk.fill_both(1, A, 0, Some(0));
    desk.fill_both(1, B, 0, Some(0));
    desk.sample(1, 10);
    assert_eq!(desk.machine.phase(MailboxId(0)), Some(Phase::SetAside));
    assert_eq!(desk.machine.phase(MailboxId(1)), Some(Phase::Copying));
}

#[test]
fn room_that_is_gone_when_the_switch_is_due_is_not_used() {
    let mut desk = Desk::open(plain(1));
    desk.sample(0, 10);
    let effect = desk.started_copies()[0];
    desk.order(1, Order::Pause);
    desk.copied(2, effect, Limit::Own);
    desk.fill(3, A, 950);
    desk.order(4, Order::Resume);
    assert_eq!(desk.abandoned(), [effect]);
    assert!(!desk.said.contains(&Command::Switch { effect }));
    assert_eq!(desk.machine.phase(MailboxId(0)), Some(Phase::BackingOff));
}

/// A mailbox for which a store has no room, whatever the samples say, is tried again and again; heads behind it go on.
#[test]
fn a_mailbox_that_waits_for_room_holds_no_other_head_up() {
    let next = HeadId(1);
    for (fault, gives_way) in [(Fault::NoRoom, true), (Fault::Unreachable, false), (Fault::Transient, false)] {
        let mut desk = Desk::with(plain(2), &[(0, 100), (0, 100), (1, 100)]);
        desk.sample(0, 10);
        let [first, second] = desk.started_copies()[..] else { panic!("both begin") };
        desk.tell(1, Event::CopyFailed { effect: first, fault });
        assert_eq!(desk.machine.binding(next), Binding::NotItsTurn, "another copy is still under way");
        desk.copied(2, second, Limit::Own);
        desk.tell(3, Event::SwitchEnded { effect: second });
        let (measured_at, utilisation, latency) = (at(4), percent(10), Latency::from_micros(1_000));
        desk.tell(4, Event::HeadSampled { head: next, measured_at, utilisation, latency, held_by: None });
        assert_eq!(desk.started_copies().len(), usize::from(gives_way), "{fault:?}");
        if !gives_way {
            continue;
        }
        assert_eq!((desk.binding(), desk.machine.left(HEAD)), (Binding::NoRoom, 1));
        // It goes ahead of the order when its wait is over, and nothing was said of an empty head.
        desk.sample(70, 10);
        let [again] = desk.started_copies()[..] else { panic!("it is tried again: {:?}", desk.said) };
        desk.tell(71, Event::CopyFailed { effect: again, fault });
        assert_eq!((desk.binding(), desk.machine.set_aside(HEAD)), (Binding::NoRoom, 0), "and again");
        desk.sample(140, 10);
        let [again] = desk.started_copies()[..] else { panic!("it is tried again: {:?}", desk.said) };
        desk.copied(141, again, Limit::Own);
        desk.tell(142, Event::SwitchEnded { effect: again });
        assert!(
            desk.said.iter().any(|command| matches!(command, Command::Audit { head: HEAD, .. })),
            "{:?}",
            desk.said
        );
    }
}

#[test]
fn what_binds_is_named() {
    let held = [
        (Limit::Own, Binding::Mover),
        (Limit::Head, Binding::StreamCap),
        (Limit::Pace, Binding::Link),
        (Limit::Link, Binding::Link),
        (Limit::Ingest, Binding::Ingest),
    ];
    for (limit, expected) in held {
        let mut desk = Desk::open(plain(1));
        desk.sample(0, 10);
        let effect = desk.started_copies()[0];
        desk.copied(1, effect, limit);
        assert_eq!(desk.binding(), expected, "{limit:?}");
    }
    let mut desk = Desk::open(plain(1));
    desk.sample(0, 10);
    desk.order(1, Order::Cap { head: HEAD, streams: 1 });
    assert_eq!(desk.binding(), Binding::Paused);
    desk.order(2, Order::Cap { head: HEAD, streams: u16::MAX });
    desk.order(3, Order::Pause);
    assert_eq!((desk.binding(), desk.pace()), (Binding::Paused, Some(0)));

    let mut plan = plain(1);
    let limit = WindowLimit { streams: 1, ..WindowLimit::OPEN };
    plan.heads[0].windows = Windows { changes: vec![(at(0), limit)], end: None };
    let mut desk = Desk::open(plan);
    desk.sample(0, 10);
    assert_eq!((desk.binding(), desk.started_copies().len()), (Binding::Window, 1));

    let mut desk = Desk::with(plain(2), &[(0, 1), (1, 1)]);
    desk.sample(0, 10);
    assert_eq!((desk.binding(), desk.machine.binding(HeadId(1))), (Binding::Tail, Binding::NotItsTurn));
}

#[test]
fn a_new_session_goes_on_from_facts() {
    let mut fleet = fleet(&[(0, 10); 4]);
    fleet.home[0] = Home::cluster(A);
    let mut plan = plain(1);
    plan.copy.purge_after = Some(crate::units::Span::from_secs(100));
    plan.order.excluded = vec![MailboxId(1)];
    let aside = |row| (MailboxId(row), Fault::Permanent);
    let facts = Facts {
        fleet: Arc::new(fleet),
        set_aside: vec![aside(1), aside(2), aside(2)],
        attempts: vec![(MailboxId(3), 2)],
        unpurged: vec![(MailboxId(0), at(-50))],
        kept: Vec::new(),
        open: vec![A, B],
    };
    let mut desk = Desk::started(plan, facts);
    assert_eq!((desk.machine.left(HEAD), desk.machine.set_aside(HEAD)), (1, 1), "excluded counts before set aside");
    desk.sample(1, 10);
    let attempt =
        desk.said.iter().find_map(|c| if let Command::StartCopy { attempt, .. } = c { Some(*attempt) } else { None });
    assert_eq!(attempt, Some(3));
    let effect = desk.started_copies()[0];
    desk.tell(60, Event::Wake);
    assert!(
        desk.said.iter().any(|c| matches!(c, Command::Purge { batch, .. } if batch.mailboxes() == [MailboxId(0)])),
        "{:?}",
        desk.said
    );
    desk.tell(61, Event::CopyFailed { effect, fault: Fault::Transient });
    assert_eq!(desk.machine.set_aside(HEAD), 2, "the third failure is the last one");
    let late = EffectId::new(0, 7, 0);
    desk.tell(62, Event::SwitchEnded { effect: late });
    assert!(desk.said.is_empty(), "an effect of another session");
}

#[test]
fn a_head_on_which_an_earlier_session_has_kept_old_copies_is_not_purged() {
    for kept in [vec![], vec![MailboxId(1)]] {
        let mut fleet = fleet(&[(0, 10), (0, 10)]);
        fleet.home.fill(Home::cluster(A));
        let mut plan = plain(1);
        plan.copy.purge_after = Some(crate::units::Span::from_secs(100));
        let count = kept.len() as u32;
        let facts = Facts { fleet: Arc::new(fleet), kept, open: vec![A, B], ..Facts::default() };
        let mut desk = Desk::started(plan, facts);
        assert_eq!(desk.machine.kept(HEAD), count);
        desk.sample(1, 10);
        let emptied = Event::HeadAudited { head: HEAD, users_left: 0, folders_left: 0 };
        desk.tell(2, emptied);
        let purged = desk.announced(Milestone::HeadPurged { head: HEAD });
        assert_eq!(purged, count == 0, "{:?}", desk.said);
    }
}

#[test]
fn old_copies_are_purged_a_few_at_a_time_and_each_by_itself_after_a_fault() {
    let mut fleet = fleet(&[(0, 10); 7]);
    fleet.home[..6].fill(Home::cluster(A));
    let mut plan = plain(1);
    (plan.copy.purge_after, plan.copy.purge_streams) = (Some(crate::units::Span::from_secs(100)), 2);
    let backoff = plan.attempts.backoff.micros() / 1_000_000;
    let unpurged = (0..6).map(|row| (MailboxId(row), at(-50))).collect();
    let facts = Facts { fleet: Arc::new(fleet), unpurged, open: vec![A, B], ..Facts::default() };
    let mut desk = Desk::started(plan, facts);
    desk.sample(1, 10);
    desk.tell(60, Event::Wake);
    let batches = |said: &[Command]| -> Vec<(EffectId, Vec<u32>)> {
        let batch = |command: &Command| match command {
            Command::Purge { effect, batch, .. } => Some((*effect, batch.mailboxes().iter().map(|id| id.0).collect())),
            _ => None,
        };
        said.iter().filter_map(batch).collect()
    };
    let first = batches(&desk.said);
    assert_eq!(first.iter().map(|(_, rows)| rows.clone()).collect::<Vec<_>>(), [vec![0, 1, 2, 3], vec![4, 5]]);
    // Whatever it was, one of the four may be to blame: the others are not set aside with it.
    desk.tell(61, Event::PurgeFailed { effect: first[0].0, fault: Fault::Permanent });
    desk.tell(62, Event::PurgeEnded { effect: first[1].0 });
    assert!((4..6).all(|row| desk.machine.phase(MailboxId(row)) == Some(Phase::Settled)));
    desk.sample(61 + backoff, 10);
    let mut again = batches(&desk.said);
    while let Some((effect, rows)) = again.pop() {
        assert_eq!(rows.len(), 1, "{rows:?}");
        let (fault, blamed) = (Fault::Permanent, rows == [2]);
        let end = if blamed { Event::PurgeFailed { effect, fault } } else { Event::PurgeEnded { effect } };
        desk.tell(62 + backoff, end);
        again.extend(batches(&desk.said));
    }
    let settled: Vec<bool> = (0..4).map(|row| desk.machine.phase(MailboxId(row)) == Some(Phase::Settled)).collect();
    assert_eq!(settled, [true, true, false, true]);
}

#[test]
fn an_ended_session_asks_for_nothing_more() {
    let mut desk = Desk::open(plain(1));
    desk.order(0, Order::EndSession);
    desk.sample(1, 10);
    assert!(desk.said.is_empty());
    assert_eq!(desk.tell(2, Event::Wake), Next::Finished);
}

#[test]
fn a_clock_that_was_set_stops_new_moves_until_samples_are_fresh() {
    let mut desk = Desk::open(plain(1));
    desk.sample(1, 10);
    let going = desk.started_copies();
    assert!(!going.is_empty());
    let next = desk.tell(10, Event::ClockStepped { by: Span::from_secs(-3_600) });
    assert_eq!((desk.said.as_slice(), desk.binding()), (&[][..], Binding::Outage));
    assert!(matches!(next, Next::Wait { until, .. } if until > at(10)));
    // What is under way ends and switches; nothing takes its place.
    desk.copied(11, going[0], Limit::Own);
    assert_eq!(desk.said, [Command::Switch { effect: going[0] }]);
    desk.tell(12, Event::SwitchEnded { effect: going[0] });
    assert_eq!((desk.started_copies(), desk.binding()), (vec![], Binding::Outage));
    // A sample that was on its way says nothing, whenever it comes.
    let late = |measured_at| {
        let (utilisation, latency) = (percent(10), Latency::from_micros(1_000));
        Event::HeadSampled { head: HEAD, measured_at, utilisation, latency, held_by: None }
    };
    desk.tell(13, late(at(9)));
    assert_eq!((desk.started_copies(), desk.binding()), (vec![], Binding::Outage));
    // Nor is the head enough: nobody knows yet how full the clusters are.
    desk.tell(14, late(at(10)));
    assert_eq!(desk.started_copies(), []);
    let (utilisation, latency, used) = (Share::ZERO, Latency::default(), Bytes::new(100));
    let inodes = InodesUsed::UNKNOWN;
    desk.tell(15, Event::ClusterSampled { cluster: A, measured_at: at(9), used, inodes, utilisation, latency });
    assert_eq!(desk.started_copies(), []);
    desk.fill(16, A, 100);
    assert_eq!(desk.started_copies().len(), 1);
}

/// A machine whose plan waits for persons, all done and purged but for what is set aside: of three mailboxes the first, which
/// cannot be read, and the last, which no cluster can ever take.
fn all_but_set_aside() -> Desk {
    let mut plan = plain(1);
    plan.copy.purge_after = Some(Span::from_secs(60));
    plan.attempts.wait_for_person = true;
    let mut desk = Desk::with(plan, &[(0, 100), (0, 100), (0, 1_000_000)]);
    desk.sample(1, 10);
    let effects = desk.started_copies();
    desk.tell(2, Event::CopyFailed { effect: effects[0], fault: Fault::Permanent });
    desk.copied(3, effects[1], Limit::Own);
    let switch = effects[1];
    desk.tell(4, Event::SwitchEnded { effect: switch });
    assert_eq!((desk.machine.left(HEAD), desk.machine.set_aside(HEAD)), (0, 2));
    assert_eq!(desk.audited(5), Next::Wait { until: at(120), why: crate::migration::message::Reason::Purge });
    assert!(
        desk.announced(Milestone::HeadEmptied { head: HEAD, set_aside: 2 }) && desk.announced(Milestone::AllEmptied)
    );
    assert_ne!(desk.purged(120), Next::Finished);
    assert!(!desk.announced(Milestone::HeadPurged { head: HEAD }) && !desk.announced(Milestone::Decommissioned));
    desk
}

impl Desk {
    fn audited(&mut self, second: i64) -> Next {
        self.tell(second, Event::HeadAudited { head: HEAD, users_left: 0, folders_left: 0 })
    }

    /// Takes a sample when the grace is over, and ends the purge that is asked for then.
    fn purged(&mut self, second: i64) -> Next {
        self.sample(second, 10);
        let purge = self.said.iter().find(|command| matches!(command, Command::Purge { .. })).map(Command::effect);
        self.tell(second + 1, Event::PurgeEnded { effect: purge.expect("a purge") })
    }
}

#[test]
fn it_is_not_over_before_a_person_has_seen_to_what_was_set_aside() {
    let mut desk = all_but_set_aside();
    desk.fill(199, A, 200);
    desk.sample(199, 10);
    desk.order(200, Order::Retry(MailboxId(0)));
    let effect = desk.started_copies()[0];
    desk.copied(201, effect, Limit::Own);
    desk.tell(202, Event::SwitchEnded { effect });
    assert_ne!(desk.audited(203), Next::Finished);
    // The one that no cluster can take is nobody's to help in this session.
    assert_eq!(desk.purged(300), Next::Finished);
    assert!(desk.announced(Milestone::HeadPurged { head: HEAD }) && desk.announced(Milestone::Decommissioned));
}

#[test]
fn a_mailbox_that_was_set_aside_and_is_deleted_is_waited_for_no_longer() {
    let mut desk = all_but_set_aside();
    assert_eq!(desk.tell(200, Event::MailboxGone { mailbox: MailboxId(0) }), Next::Finished);
    assert!(desk.announced(Milestone::Decommissioned));
}

#[test]
fn who_was_deleted_before_the_start_is_not_waited_for() {
    let mut plan = plain(1);
    plan.attempts.wait_for_person = true;
    let facts = |fault| Facts {
        fleet: Arc::new(fleet(&[(0, 100)])),
        set_aside: vec![(MailboxId(0), fault)],
        ..Facts::default()
    };
    assert_eq!(Desk::started(plan.clone(), facts(Fault::Gone)).audited(1), Next::Finished);
    assert_ne!(Desk::started(plan, facts(Fault::Permanent)).audited(1), Next::Finished);
}
