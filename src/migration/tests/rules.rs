//! The rules of pace, faults and time, one event at a time: what the machine answers.

use std::sync::Arc;

use super::desk::{A, B, Desk, HEAD, aimd, of_few_inodes};
use super::plans::{at, fleet, percent, plain};
use crate::fleet::{ClusterId, HeadId, Home, MailboxId};
use crate::migration::Phase;
use crate::migration::message::{
    Binding, Command, EffectId, Event, Facts, Fault, FullOf, Limit, Milestone, Next, Order, StopCause,
};
use crate::migration::plan::Placement;
use crate::units::{Bytes, Inodes, InodesUsed, Latency, Room, Share, Span};

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
    desk.fill(1, A, 976);
    desk.sample(1, 10);
    assert!(desk.announced(Milestone::ClusterFull { cluster: A, of: FullOf::Bytes }));
    assert_eq!(desk.binding(), Binding::NoRoom);
    desk.tell(2, Event::ClusterOpened { cluster: B });
    assert_eq!(desk.started_copies().len(), 2);
    assert!(desk.said.contains(&Command::SetIntake { effect: desk.said[0].effect(), cluster: B }), "{:?}", desk.said);
}

#[test]
fn new_accounts_leave_a_cluster_that_has_refused_even_where_it_still_takes_small_mailboxes() {
    let mut desk = Desk::with(plain(1), &[(0, 500), (0, 100), (0, 100)]);
    desk.tell(0, Event::ClusterClosed { cluster: B });
    desk.fill(1, A, 600);
    desk.sample(1, 10);
    assert!(desk.announced(Milestone::ClusterFull { cluster: A, of: FullOf::Bytes }));
    assert_eq!(desk.started_copies().len(), 2);
    let to = |desk: &Desk| {
        desk.said.iter().find_map(|c| if let Command::SetIntake { cluster, .. } = c { Some(*cluster) } else { None })
    };
    assert_eq!(to(&desk), None, "there is no other");
    desk.tell(2, Event::ClusterOpened { cluster: B });
    assert_eq!(to(&desk), Some(B));
}

#[test]
fn a_full_cluster_takes_mailboxes_again_one_percent_below_and_is_not_announced_twice() {
    let mut desk = Desk::open(plain(1));
    desk.tell(0, Event::ClusterClosed { cluster: B });
    desk.fill(1, A, 990);
    desk.sample(1, 10);
    desk.fill(2, A, 976);
    assert_eq!(desk.binding(), Binding::NoRoom);
    desk.fill(3, A, 890);
    assert_eq!(desk.started_copies().len(), 1, "one fits, the second is refused");
    assert!(!desk.announced(Milestone::ClusterFull { cluster: A, of: FullOf::Bytes }));
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

#[test]
fn a_mailbox_too_large_for_what_is_left_keeps_no_smaller_one_from_going() {
    for rule in [Placement::Sequential, Placement::LeastFilled] {
        let mut plan = plain(1);
        plan.placement.rule = rule;
        let mut desk = Desk::with(plan, &[(0, 500), (0, 100), (0, 100)]);
        // Both are far from full, and have no room for the large one.
        for second in [1, 61, 121] {
            desk.fill(second, A, 600);
            desk.fill(second, B, 600);
            desk.sample(second, 10);
            for effect in desk.started_copies() {
                desk.copied(second + 1, effect, Limit::Own);
                desk.tell(second + 2, Event::SwitchEnded { effect });
            }
        }
        let phases = [0, 1, 2].map(|id| desk.machine.phase(MailboxId(id)).unwrap());
        assert_eq!(phases, [Phase::BackingOff, Phase::Settled, Phase::Settled], "{rule:?}");
        assert_eq!((desk.binding(), desk.machine.left(HEAD)), (Binding::NoRoom, 1), "{rule:?}");
    }
}

/// A mailbox for which a store has no room, whatever the samples say, is tried again and again; heads behind it go on.
#[test]
fn a_mailbox_that_only_a_cluster_to_come_can_take_waits_apart_and_the_others_go_on() {
    for rule in [Placement::Sequential, Placement::LeastFilled] {
        let mut plan = plain(2);
        plan.placement.rule = rule;
        // At most 400 bytes fit in the first one, which is open; 1,000 in the second one.
        plan.placement.clusters[0].rated = Bytes::new(1_000);
        let facts = Facts {
            fleet: Arc::new(fleet(&[(0, 500), (0, 100), (0, 100), (1, 100)])),
            open: vec![A],
            ..Facts::default()
        };
        let mut desk = Desk::started(plan, facts);
        desk.sample(1, 10);
        assert_eq!(desk.machine.phase(MailboxId(0)), Some(Phase::BackingOff), "{rule:?}");
        let effects = desk.started_copies();
        assert_eq!(effects.len(), 2, "{rule:?}: the two behind it");
        for effect in effects {
            desk.copied(2, effect, Limit::Own);
            desk.tell(3, Event::SwitchEnded { effect });
        }
        // The next head has its turn, and what waits is told as room that is missing.
        assert_eq!((desk.binding(), desk.machine.left(HEAD)), (Binding::NoRoom, 1), "{rule:?}");
        let (utilisation, latency, measured_at) = (percent(10), Latency::default(), at(4));
        desk.tell(4, Event::HeadSampled { head: HeadId(1), measured_at, utilisation, latency, held_by: None });
        assert_eq!(desk.started_copies().len(), 1, "{rule:?}");
        // Once there is room it goes, before all others.
        desk.tell(5, Event::ClusterOpened { cluster: B });
        let mut second = 5;
        while desk.machine.phase(MailboxId(0)) != Some(Phase::Copying) {
            second += 60;
            assert!(second < 2_000, "{rule:?}");
            desk.fill(second, B, 0);
            desk.sample(second, 10);
        }
    }
}

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
