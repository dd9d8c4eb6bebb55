//! Small fleets and plans: one plain plan that tests vary, and random ones.

use std::sync::Arc;

use super::dice::Dice;
use crate::fleet::{Fleet, HeadId, Home, MailboxId, NO_GROUP};
use crate::migration::plan::{
    AttemptPlan, ClusterPlan, CopyPlan, Go, HeadPlan, InodePlan, Law, Level, OrderPlan, Overlap, Placement,
    PlacementPlan, Plan, ShareMilestone, ThrottlePlan, Wave, WindowLimit, Windows, Within,
};
use crate::units::{Bytes, Inodes, Latency, Rate, Share, Span, Time};

pub(super) fn at(seconds: i64) -> Time {
    Time::default() + secs(seconds)
}

pub(super) fn secs(seconds: i64) -> Span {
    Span::from_secs(seconds)
}

pub(super) fn percent(percent: u32) -> Share {
    Share::from_ppm(percent * 10_000)
}

/// Mailboxes of these sizes on these heads.
pub(super) fn fleet(rows: &[(u8, u64)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (row, (head, bytes)) in rows.iter().enumerate() {
        fleet.bytes.push(Bytes::new(*bytes));
        fleet.messages.push(1);
        fleet.activity_micro_op_s.push((row * 7 % 5) as u32);
        fleet.origin.push(HeadId(*head));
        fleet.home.push(Home::head(HeadId(*head)));
        fleet.group.push(group_of(MailboxId(row as u32)));
    }
    fleet
}

/// The group of a mailbox, if it has one.
pub(super) fn group_of(mailbox: MailboxId) -> u32 {
    match mailbox.0 % 8 {
        7 => NO_GROUP,
        row => row % 3,
    }
}

/// Two streams a head, two clusters of 1,000 bytes each, no purges, nothing special.
pub(super) fn plain(heads: u8) -> Plan {
    let throttle = ThrottlePlan {
        law: Law::Fixed { streams: 2 },
        min: 1,
        max: 8,
        rate: Rate::UNLIMITED,
        every: secs(60),
        sample_limit: secs(180),
        pause_above: None,
        abort_above: None,
    };
    let cluster = ClusterPlan {
        rated: Bytes::new(2_500),
        full_at: percent(40),
        reserve: Bytes::ZERO,
        assumed_intake: Rate::ZERO,
        inodes: None,
    };
    Plan {
        heads: (0..heads).map(|_| HeadPlan { throttle: throttle.clone(), windows: Windows::default() }).collect(),
        order: OrderPlan {
            heads: (0..heads).map(HeadId).collect(),
            within: Within::Inventory,
            overlap: Overlap::None,
            excluded: Vec::new(),
            scheduled: Vec::new(),
            waves: Vec::new(),
        },
        placement: PlacementPlan {
            rule: Placement::Sequential,
            clusters: vec![cluster; 2],
            slack: Share::ZERO,
            sample_limit: secs(600),
            reopen_below: percent(1),
            inodes_per_mailbox: Inodes::ZERO,
        },
        copy: CopyPlan {
            stream: Rate::UNLIMITED,
            messages_per_ks: u32::MAX,
            setup: Span::ZERO,
            hold_at_most: secs(30),
            purge_after: None,
            purge_streams: 1,
            switches: 4,
        },
        attempts: AttemptPlan {
            limit: 3,
            backoff: secs(60),
            backoff_cap: secs(600),
            fault_rate: percent(100),
            fault_window: 64,
            wait_for_person: false,
        },
        milestones: Vec::new(),
    }
}

/// A random plan for a random fleet; whether its clusters have room for everything.
pub(super) fn random(dice: &mut Dice) -> (Arc<Plan>, Arc<Fleet>, bool) {
    let heads = 1 + dice.roll(3) as u8;
    let count = 1 + dice.pick(&[4, 12, 0, 30, 80]) + dice.roll(8);
    let rows: Vec<(u8, u64)> =
        (0..count).map(|_| (dice.roll(u32::from(heads)) as u8, dice.pick(&[10_u64, 1, 40, 97]))).collect();
    let mut fleet = fleet(&rows);
    for messages in &mut fleet.messages {
        *messages = dice.pick(&[1, 0, 4, 13]);
    }
    let fleet = Arc::new(fleet);
    let total: u64 = rows.iter().map(|(_, bytes)| bytes).sum();
    let roomy = !dice.once_in(3);
    let mut plan = plain(heads);
    for head in &mut plan.heads {
        head.throttle.law = law(dice);
        head.throttle.min = dice.roll(2) as u16;
        head.throttle.pause_above = dice.once_in(2).then_some(Level::Utilisation(percent(90)));
        head.throttle.abort_above = dice.once_in(2).then_some(Level::Utilisation(percent(95)));
        head.windows = windows(dice);
    }
    plan.order = order(dice, heads, count);
    plan.placement.rule = dice.pick(&[Placement::Sequential, Placement::LeastFilled]);
    plan.placement.slack = dice.pick(&[Share::ZERO, percent(10), percent(25)]);
    let room = if roomy { total * 20 + 10_000 } else { total / 2 + 20 };
    let rated = Bytes::new(room * 5 / 2 + 1);
    let intake = dice.pick(&[Rate::ZERO, Rate::per_second(1)]);
    let cluster =
        ClusterPlan { rated, full_at: percent(40), reserve: Bytes::ZERO, assumed_intake: intake, inodes: None };
    plan.placement.clusters = vec![cluster; 1 + dice.roll(3) as usize];
    plan.placement.inodes_per_mailbox = Inodes::new(dice.pick(&[0, 3]));
    let all: u64 = fleet.messages.iter().map(|messages| u64::from(*messages) + 3).sum();
    for cluster in &mut plan.placement.clusters {
        let rated = Inodes::new(if roomy { all * 100 + 10_000 } else { all * 2 + 40 });
        let assumed_a_day = Inodes::new(dice.pick(&[0, 3_000]));
        cluster.inodes = dice.once_in(2).then_some(InodePlan { rated, full_at: percent(40), assumed_a_day });
    }
    plan.copy.purge_after = dice.pick(&[None, Some(Span::ZERO), Some(secs(3_600)), Some(secs(86_400))]);
    plan.copy.purge_streams = 1 + dice.roll(2) as u16;
    plan.copy.switches = 1 + dice.roll(3) as u16;
    plan.attempts.backoff = dice.pick(&[secs(60), Span::ZERO, secs(5)]);
    plan.attempts.fault_rate = dice.pick(&[percent(100), percent(50)]);
    plan.attempts.fault_window = dice.pick(&[64, 4, 8]);
    plan.attempts.wait_for_person = dice.once_in(3);
    plan.milestones = vec![
        ShareMilestone { head: None, share: percent(50) },
        ShareMilestone { head: Some(HeadId(0)), share: percent(100) },
    ];
    (Arc::new(plan), fleet, roomy)
}

fn law(dice: &mut Dice) -> Law {
    let (target, start) = (Level::Utilisation(percent(80)), 1 + dice.roll(6) as u16);
    match dice.roll(5) {
        0 => Law::Fixed { streams: start },
        1 => Law::Aimd { target, start, hysteresis: percent(95) },
        2 => Law::Integral {
            contract: Latency::from_micros(10_000),
            aim: percent(90),
            start,
            gain: percent(50),
            slope: vec![(Latency::from_micros(1_000), Latency::from_micros(500))],
        },
        steps => {
            let level = |at: u32| Level::Utilisation(percent(at));
            Law::Steps { table: vec![(level(20), 6), (level(60), 3), (level(85), 0)], interpolate: steps == 4 }
        }
    }
}

fn windows(dice: &mut Dice) -> Windows {
    let limits = [
        WindowLimit::OPEN,
        WindowLimit { streams: 0, ..WindowLimit::OPEN },
        WindowLimit { streams: 1, rate: Rate::per_second(5) },
    ];
    let mut instant = 0;
    let changes = (0..dice.roll(6)).map(|_| {
        instant += i64::from(60 * (1 + dice.roll(60)));
        (at(instant), dice.pick(&limits))
    });
    let mut changes: Vec<_> = changes.collect();
    changes.push((at(instant + 600), WindowLimit::OPEN));
    Windows { changes, end: dice.pick(&[None, Some(at(86_400 * 40)), Some(at(86_400 * 3))]) }
}

fn order(dice: &mut Dice, heads: u8, mailboxes: u32) -> OrderPlan {
    let withins = [
        Within::Inventory,
        Within::Smallest,
        Within::Largest,
        Within::Busiest,
        Within::Idlest,
        Within::Group,
        Within::WholeGroups,
        Within::WholeGroups,
    ];
    let mut order: Vec<HeadId> = (0..heads).map(HeadId).collect();
    if dice.once_in(2) {
        order.reverse();
    }
    let mailbox = |dice: &mut Dice| MailboxId(dice.roll(mailboxes));
    let wave = |dice: &mut Dice, share| Wave {
        share: percent(share),
        soak: dice.pick(&[secs(600), Span::ZERO]),
        go: dice.pick(&[Go::Automatic, Go::Operator]),
    };
    OrderPlan {
        heads: order,
        within: dice.pick(&withins),
        overlap: dice.pick(&[Overlap::None, Overlap::Tail]),
        excluded: (0..dice.roll(3)).map(|_| mailbox(dice)).collect(),
        scheduled: (0..dice.roll(3)).map(|_| (mailbox(dice), at(i64::from(dice.roll(90_000))))).collect(),
        waves: (0..dice.roll(4)).map(|n| wave(dice, [0, 10, 10, 60][n as usize])).collect(),
    }
}
