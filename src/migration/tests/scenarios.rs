//! The rules as a story each: a plan, a world without trouble, and what must come of it.

use std::sync::Arc;

use super::dice::Dice;
use super::plans::{at, fleet, percent, plain, secs};
use super::world::{Live, World};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::Phase;
use crate::migration::message::{Command, FullOf, Milestone, Order, StopCause};
use crate::migration::plan::{
    Go, InodePlan, Overlap, Placement, Plan, ShareMilestone, Wave, WindowLimit, Windows, Within,
};
use crate::units::{Bytes, Inodes, Time};

fn world(plan: Plan, rows: &[(u8, u64)]) -> World {
    World::new(Arc::new(plan), &fleet(rows), Dice::listed(Vec::new()))
}

/// Runs to the end in a world without trouble.
fn finished(plan: Plan, rows: &[(u8, u64)]) -> World {
    let mut world = world(plan, rows);
    assert!(world.run(20_000), "not finished by {:?}", world.now);
    world
}

/// Mailboxes in the order in which their copies were started, and when.
fn starts(world: &World) -> Vec<(Time, u32)> {
    let mut starts = Vec::new();
    for (at, _, commands) in &world.log {
        for command in commands {
            if let Command::StartCopy { mailbox, .. } = command {
                starts.push((*at, mailbox.0));
            }
        }
    }
    starts
}

fn order(world: &World) -> Vec<u32> {
    starts(world).into_iter().map(|(_, mailbox)| mailbox).collect()
}

fn announced(world: &World) -> Vec<(Time, Milestone)> {
    let mut said = Vec::new();
    for (at, _, commands) in &world.log {
        for command in commands {
            if let Command::Announce { milestone, .. } = command {
                said.push((*at, *milestone));
            }
        }
    }
    said
}

fn when(world: &World, milestone: Milestone) -> Time {
    let found = announced(world).into_iter().find(|(_, said)| *said == milestone);
    found.unwrap_or_else(|| panic!("{milestone:?} was not announced: {:?}", announced(world))).0
}

fn emptied(head: u8) -> Milestone {
    Milestone::HeadEmptied { head: HeadId(head), set_aside: 0 }
}

#[test]
fn the_second_head_begins_when_the_first_is_empty() {
    let rows = [(0, 1), (1, 1), (0, 1), (1, 1)];
    let world = finished(plain(2), &rows);
    assert_eq!(order(&world), [0, 2, 1, 3]);
    assert!(starts(&world)[2].0 >= when(&world, emptied(0)));
}

#[test]
fn with_overlap_the_second_head_begins_when_fewer_wait_than_streams() {
    let mut plan = plain(2);
    plan.order.overlap = Overlap::Tail;
    let world = finished(plan, &[(0, 1), (0, 1), (0, 1), (0, 1), (1, 1)]);
    let of_second = starts(&world).iter().find(|(_, mailbox)| *mailbox == 4).unwrap().0;
    assert!(of_second < when(&world, emptied(0)));
    assert!(of_second >= starts(&world)[2].0);
}

#[test]
fn the_heads_follow_the_plan_and_not_their_numbers() {
    let mut plan = plain(2);
    plan.order.heads.reverse();
    assert_eq!(order(&finished(plan, &[(0, 1), (1, 1)])), [1, 0]);
}

#[test]
fn a_head_is_drained_in_each_of_the_orders() {
    // Activities 0, 2, 4, 1 and groups 0, 1, 2, 0, as `fleet` gives them.
    let rows = [(0, 20), (0, 10), (0, 40), (0, 30)];
    let orders = [
        (Within::Inventory, [0, 1, 2, 3]),
        (Within::Smallest, [1, 0, 3, 2]),
        (Within::Largest, [2, 3, 0, 1]),
        (Within::Busiest, [2, 1, 3, 0]),
        (Within::Idlest, [0, 3, 1, 2]),
        (Within::Group, [0, 3, 1, 2]),
    ];
    for (within, expected) in orders {
        let mut plan = plain(1);
        plan.order.within = within;
        assert_eq!(order(&finished(plan, &rows)), expected, "{within:?}");
    }
}

#[test]
fn a_mailbox_scheduled_by_hand_moves_at_its_date_and_holds_no_other_head_up() {
    let mut plan = plain(2);
    plan.order.scheduled = vec![(MailboxId(0), at(7_200)), (MailboxId(3), at(3))];
    let world = finished(plan, &[(0, 1), (0, 1), (1, 1), (1, 1)]);
    let starts = starts(&world);
    let of = |mailbox| starts.iter().find(|(_, other)| *other == mailbox).unwrap().0;
    assert_eq!(of(0), at(7_200));
    assert_eq!(of(3), at(3), "it does not wait for its head's turn");
    assert!(of(2) < at(600), "the second head waits only for what has no date of its own");
}

#[test]
fn an_excluded_mailbox_stays_and_its_head_counts_as_emptied() {
    let mut plan = plain(1);
    plan.order.excluded = vec![MailboxId(1), MailboxId(9)];
    let world = finished(plan, &[(0, 1), (0, 1), (0, 1)]);
    assert_eq!(order(&world), [0, 2]);
    assert_eq!(world.live[&MailboxId(1)], Live::Head(HeadId(0)));
    when(&world, emptied(0));
}

#[test]
fn a_wave_soaks_before_the_rest_follows_by_itself() {
    let mut plan = plain(2);
    plan.order.overlap = Overlap::Tail;
    plan.order.waves = vec![Wave { share: percent(50), soak: secs(600), go: Go::Automatic }];
    let world = finished(plan, &[(0, 1), (0, 1), (1, 1), (1, 1)]);
    let moved = when(&world, Milestone::WaveMoved { wave: 0 });
    assert_eq!(starts(&world)[2].0, moved + secs(600));
}

#[test]
fn a_wave_may_wait_for_the_operator() {
    let mut plan = plain(1);
    plan.order.waves = vec![Wave { share: percent(10), soak: secs(600), go: Go::Operator }];
    let world = finished(plan, &[(0, 1); 10]);
    let asked = when(&world, Milestone::Stopped { why: StopCause::WaveGo });
    assert_eq!(asked, when(&world, Milestone::WaveMoved { wave: 0 }) + secs(600));
    assert_eq!(starts(&world)[1].0, asked + secs(60), "the world's operator answers after a minute");
}

#[test]
fn a_wave_without_mailboxes_begins_the_next_one() {
    let mut plan = plain(1);
    let wave = |share| Wave { share: percent(share), soak: secs(10), go: Go::Automatic };
    plan.order.waves = vec![wave(0), wave(0), wave(50), wave(50)];
    let world = finished(plan, &[(0, 1); 4]);
    for wave in 0..4 {
        when(&world, Milestone::WaveMoved { wave });
    }
}

#[test]
fn a_wave_whose_last_mailbox_is_skipped_has_moved() {
    let mut plan = plain(1);
    plan.order.waves = vec![Wave { share: percent(50), soak: secs(600), go: Go::Automatic }];
    let mut world = world(plan, &[(0, 1); 2]);
    while world.copying(HeadId(0)) == 0 {
        world.run(1);
    }
    world.order(Order::Skip(MailboxId(0)));
    assert!(world.run(1_000));
    when(&world, Milestone::WaveMoved { wave: 0 });
    assert_eq!(world.machine.phase(MailboxId(0)), Some(Phase::SetAside));
}

#[test]
fn a_window_that_closes_suspends_copies_and_one_that_opens_lets_them_go_on() {
    let closed = WindowLimit { streams: 0, ..WindowLimit::OPEN };
    let mut plan = plain(1);
    plan.heads[0].windows = Windows { changes: vec![(at(6), closed), (at(4_000), WindowLimit::OPEN)], end: None };
    let world = finished(plan, &[(0, 1); 8]);
    let paces = world.log.iter().flat_map(|(at, _, commands)| commands.iter().map(move |c| (*at, *c)));
    let paces: Vec<_> = paces
        .filter_map(|(at, c)| if let Command::SetPace { streams, .. } = c { Some((at, streams)) } else { None })
        .collect();
    assert_eq!(paces, [(at(0), 2), (at(6), 0), (at(4_000), 2)]);
    assert!(starts(&world).iter().all(|(start, _)| *start < at(6) || *start >= at(4_000)));
}

#[test]
fn nothing_starts_at_the_instant_at_which_a_window_closes() {
    let closed = WindowLimit { streams: 0, ..WindowLimit::OPEN };
    let mut plan = plain(1);
    // The first copies end after 5 s, just when the window closes.
    plan.heads[0].windows = Windows { changes: vec![(at(5), closed), (at(900), WindowLimit::OPEN)], end: None };
    let world = finished(plan, &[(0, 1); 4]);
    assert!(starts(&world).iter().all(|(start, _)| *start < at(5) || *start >= at(900)), "{:?}", starts(&world));
}

#[test]
fn past_the_calendars_end_nothing_moves_and_it_was_announced_a_week_before() {
    let week = secs(7 * 86_400);
    let end = at(7 * 86_400 + 7_200);
    let mut plan = plain(2);
    for head in &mut plan.heads {
        head.windows = Windows { changes: Vec::new(), end: Some(end) };
    }
    plan.order.scheduled = vec![(MailboxId(0), end + secs(60))];
    let mut world = world(plan, &[(0, 1), (0, 1)]);
    assert!(!world.run(80_000));
    assert!(world.now > end + secs(3_600));
    assert_eq!(order(&world), [1]);
    let warnings: Vec<_> = announced(&world).into_iter().filter(|(_, said)| *said == Milestone::WindowsEnd).collect();
    assert_eq!(warnings, [(end - week, Milestone::WindowsEnd)], "once, for all heads");
}

#[test]
fn clusters_fill_one_after_the_other_and_new_accounts_follow() {
    let mut plan = plain(1);
    plan.milestones = vec![ShareMilestone { head: None, share: percent(50) }];
    let world = finished(plan, &[(0, 400); 4]);
    let on = |cluster| world.live.values().filter(|live| **live == Live::Cluster(ClusterId(cluster))).count();
    assert_eq!((on(0), on(1)), (2, 2));
    assert!(world.fill(ClusterId(0)) <= percent(40));
    let full = when(&world, Milestone::ClusterFull { cluster: ClusterId(0), of: FullOf::Bytes });
    let intakes = world.log.iter().flat_map(|(at, _, commands)| commands.iter().map(move |c| (*at, *c)));
    let intakes: Vec<_> = intakes
        .filter_map(|(at, c)| if let Command::SetIntake { cluster, .. } = c { Some((at, cluster.0)) } else { None })
        .collect();
    assert_eq!(intakes, [(at(0), 0), (full, 1)]);
    when(&world, Milestone::ShareMoved { share: percent(50) });
}

#[test]
fn a_cluster_can_be_full_of_inodes_long_before_it_is_full_of_bytes() {
    let mut plan = plain(1);
    plan.placement.inodes_per_mailbox = Inodes::new(4);
    let limit = InodePlan { rated: Inodes::new(25), full_at: percent(40), assumed_a_day: Inodes::ZERO };
    plan.placement.clusters[0].inodes = Some(limit);
    // Each takes an inode for its message and four for its folders: two fit below ten.
    let world = finished(plan, &[(0, 1); 6]);
    let on = |cluster| world.live.values().filter(|live| **live == Live::Cluster(ClusterId(cluster))).count();
    assert!(on(0) <= 2 && on(0) + on(1) == 6, "{} and {}", on(0), on(1));
    when(&world, Milestone::ClusterFull { cluster: ClusterId(0), of: FullOf::Inodes });
}

#[test]
fn least_filled_placement_spreads_the_mailboxes() {
    let mut plan = plain(1);
    plan.placement.rule = Placement::LeastFilled;
    let world = finished(plan, &[(0, 100); 6]);
    assert_eq!(world.used(ClusterId(0)).bytes, Bytes::new(300));
    assert_eq!(world.used(ClusterId(1)).bytes, Bytes::new(300));
}

#[test]
fn a_mailbox_too_large_for_every_cluster_is_set_aside_and_the_head_still_empties() {
    let world = finished(plain(1), &[(0, 2_000), (0, 10)]);
    assert_eq!(world.machine.phase(MailboxId(0)), Some(Phase::SetAside));
    when(&world, Milestone::HeadEmptied { head: HeadId(0), set_aside: 1 });
    // No attempt has failed that could have told of it.
    let commands = world.log.iter().flat_map(|(.., commands)| commands);
    let said: Vec<_> = commands.filter(|command| matches!(command, Command::SetAside { .. })).collect();
    assert!(matches!(said[..], [Command::SetAside { mailbox: MailboxId(0), .. }]), "{said:?}");
}

#[test]
fn milestones_come_in_their_order() {
    let mut plan = plain(1);
    plan.copy.purge_after = Some(secs(3_600));
    plan.milestones = vec![ShareMilestone { head: Some(HeadId(0)), share: percent(100) }];
    let world = finished(plan, &[(0, 1); 3]);
    let said: Vec<Milestone> = announced(&world).into_iter().map(|(_, said)| said).collect();
    let head = HeadId(0);
    assert_eq!(
        said,
        [
            Milestone::ClusterOpened { cluster: ClusterId(0) },
            Milestone::HeadShareMoved { head, share: percent(100) },
            emptied(0),
            Milestone::AllEmptied,
            Milestone::HeadPurged { head },
            Milestone::Decommissioned,
        ]
    );
}

#[test]
fn old_copies_of_a_stopped_cohort_are_kept_and_the_earlier_ones_purged() {
    let mut plan = plain(1);
    plan.copy.purge_after = Some(secs(3_600));
    let mut world = world(plan, &[(0, 1); 6]);
    while world.old.values().filter(|(_, switched)| switched.is_some()).count() < 4 {
        world.run(1);
    }
    let cohort = world.old.values().filter_map(|(_, switched)| *switched).max().unwrap();
    world.order(Order::StopCohort(cohort));
    assert!(!world.run(200), "it waits for a resume");
    world.order(Order::Resume);
    assert!(world.run(2_000));
    assert!(!world.old.is_empty() && world.old.values().all(|(_, switched)| switched.unwrap() >= cohort));
}

#[test]
fn held_purges_wait_until_they_are_let_go() {
    let mut plan = plain(1);
    plan.copy.purge_after = Some(secs(60));
    let mut world = world(plan, &[(0, 1); 3]);
    // After the world's own operator has been through.
    while world.now < at(31) {
        world.run(1);
    }
    world.order(Order::HoldPurges);
    let kept = world.old.len();
    assert!(kept > 0 && !world.run(500));
    assert_eq!(world.old.len(), kept);
    world.order(Order::ResumePurges);
    assert!(world.run(500) && world.old.is_empty());
}
