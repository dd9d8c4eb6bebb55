//! What counts as an attempt, what becomes of one that a person has given up, and which pace counts as used.

use super::desk::{A, Desk, HEAD};
use super::plans::{at, percent, plain};
use crate::fleet::MailboxId;
use crate::migration::Phase;
use crate::migration::message::{Command, Event, Fault, Limit, Milestone, Order, StopCause};
use crate::migration::plan::{Law, Level};
use crate::units::{Bytes, Latency, Share};

fn slow(desk: &mut Desk, second: i64, micros: u32) {
    let (utilisation, latency) = (percent(10), Latency::from_micros(micros));
    let measured_at = at(second);
    desk.tell(second, Event::HeadSampled { head: HEAD, measured_at, utilisation, latency, held_by: None });
}

#[test]
fn attempts_that_all_fail_at_their_switch_stop_the_machine() {
    let mut plan = plain(1);
    (plan.attempts.fault_window, plan.attempts.fault_rate) = (4, percent(60));
    let mut desk = Desk::open(plan);
    desk.sample(0, 10);
    let mut copies = desk.started_copies();
    for attempt in 1..=4 {
        let effect = copies.remove(0);
        desk.copied(2 * attempt, effect, Limit::Own);
        copies.extend(desk.started_copies());
        desk.tell(2 * attempt + 1, Event::SwitchFailed { effect, fault: Fault::Transient });
        assert_eq!(desk.announced(Milestone::Stopped { why: StopCause::FaultRate }), attempt == 4);
        copies.extend(desk.started_copies());
    }
}

#[test]
fn who_is_skipped_while_the_switch_is_under_way_stays_if_it_fails() {
    let switching = || {
        let mut desk = Desk::open(plain(1));
        desk.sample(0, 10);
        let effect = desk.started_copies()[0];
        desk.copied(1, effect, Limit::Own);
        assert!(desk.said.contains(&Command::Switch { effect }));
        desk.order(2, Order::Skip(MailboxId(0)));
        (desk, effect)
    };
    let (mut desk, effect) = switching();
    desk.tell(3, Event::SwitchFailed { effect, fault: Fault::Transient });
    assert_eq!(desk.machine.phase(MailboxId(0)), Some(Phase::SetAside));
    let (mut desk, effect) = switching();
    desk.tell(3, Event::SwitchEnded { effect });
    assert_eq!(desk.machine.phase(MailboxId(0)), Some(Phase::Settled), "it has moved");
    // Who thinks better of it in time has it tried again.
    let (mut desk, effect) = switching();
    desk.order(2, Order::Retry(MailboxId(0)));
    desk.tell(3, Event::SwitchFailed { effect, fault: Fault::Transient });
    assert_eq!(desk.machine.phase(MailboxId(0)), Some(Phase::BackingOff));
}

#[test]
fn a_pace_that_is_not_used_up_does_not_rise() {
    let aimd = Law::Aimd { target: Level::Utilisation(percent(90)), start: 2, hysteresis: Share::ONE };
    // While the guard suspends all copies.
    let mut plan = plain(1);
    plan.heads[0].throttle.law = aimd.clone();
    plan.heads[0].throttle.max = 48;
    plan.heads[0].throttle.pause_above = Some(Level::Latency(Latency::from_micros(5_000)));
    let mut desk = Desk::open(plan.clone());
    desk.sample(0, 10);
    let before = desk.machine.pace(HEAD).unwrap().0;
    for minute in 1..=10 {
        slow(&mut desk, 60 * minute, 6_000);
        assert_eq!(desk.machine.pace(HEAD).unwrap().0, 0);
    }
    slow(&mut desk, 660, 1_000);
    assert!(desk.machine.pace(HEAD).unwrap().0 <= before + 1, "{:?}", desk.machine.pace(HEAD));
    // While copies wait for their switches.
    plan.heads[0].throttle.pause_above = None;
    plan.copy.switches = 1;
    let mut desk = Desk::open(plan);
    desk.sample(0, 10);
    for effect in desk.started_copies() {
        desk.copied(1, effect, Limit::Own);
    }
    let before = desk.machine.pace(HEAD).unwrap().0;
    for minute in 1..=10 {
        for effect in desk.started_copies() {
            desk.copied(60 * minute - 1, effect, Limit::Own);
        }
        desk.fill(60 * minute, A, 0);
        desk.sample(60 * minute, 10);
    }
    assert!(desk.machine.pace(HEAD).unwrap().0 <= before + 2, "{:?}", desk.machine.pace(HEAD));
}

#[test]
fn a_cluster_that_is_sampled_less_often_than_the_head_halves_the_pace_once_for_each_of_its_samples() {
    let mut plan = plain(1);
    let target = Level::Latency(Latency::from_micros(4_000));
    plan.heads[0].throttle.law = Law::Aimd { target, start: 8, hysteresis: Share::ONE };
    let mut desk = Desk::open(plan);
    let mut paces = Vec::new();
    for minute in 0..6 {
        if minute % 3 == 0 {
            let (measured_at, latency) = (at(60 * minute), Latency::from_micros(5_000));
            let (used, inodes, utilisation) = (Bytes::ZERO, None.into(), Share::ZERO);
            desk.tell(
                60 * minute,
                Event::ClusterSampled { cluster: A, measured_at, used, inodes, utilisation, latency },
            );
        }
        slow(&mut desk, 60 * minute, 1_000);
        paces.push(desk.machine.pace(HEAD).map(|(streams, _)| streams));
    }
    assert_eq!(paces, [4, 4, 4, 2, 2, 2].map(Some));
}
