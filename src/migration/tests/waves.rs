//! What counts in a wave: those that find no room, without which it goes on, and what earlier sessions have moved.

use std::sync::Arc;

use super::desk::{A, B, Desk, HEAD};
use super::plans::{at, fleet, percent, plain};
use crate::fleet::{HeadId, Home, MailboxId};
use crate::migration::message::{
    Binding, Command, EffectId, Event, Facts, Fault, Limit, Milestone, Next, Order, WavesSoFar,
};
use crate::migration::plan::{Go, Overlap, Plan, Wave};
use crate::units::{Latency, Span};

const MOVED: Milestone = Milestone::WaveMoved { wave: 0 };

fn of_one_wave(heads: u8, share: u32) -> Plan {
    let mut plan = plain(heads);
    plan.order.waves = vec![Wave { share: percent(share), soak: Span::from_secs(3_600), go: Go::Automatic }];
    plan
}

impl Desk {
    /// Mailboxes whose copies the last step has begun.
    fn begun(&self) -> Vec<u32> {
        let start = |command: &Command| match command {
            Command::StartCopy { mailbox, .. } => Some(mailbox.0),
            _ => None,
        };
        self.said.iter().filter_map(start).collect()
    }

    /// Copies and switches what is under way, one after the other, until nothing more begins; says whether the wave has moved.
    fn moves(&mut self, second: i64, mut under_way: Vec<EffectId>) -> bool {
        let mut moved = false;
        while let Some(effect) = under_way.pop() {
            self.copied(second, effect, Limit::Own);
            under_way.extend(self.started_copies());
            self.tell(second, Event::SwitchEnded { effect });
            under_way.extend(self.started_copies());
            moved |= self.announced(MOVED);
        }
        moved
    }

    fn sampled(&mut self, second: i64) {
        self.fill(second, A, 400);
        self.fill(second, B, 0);
        self.sample(second, 10);
    }
}

#[test]
fn a_wave_goes_on_without_one_that_finds_no_room_and_the_soak_holds_that_one() {
    let mut desk = Desk::open(of_one_wave(1, 40));
    desk.sample(1, 10);
    let effects = desk.started_copies();
    desk.tell(2, Event::CopyFailed { effect: effects[0], fault: Fault::NoRoom });
    assert_eq!(desk.begun(), [2]);
    let under_way = vec![effects[1], desk.started_copies()[0]];
    assert!(desk.moves(3, under_way), "four others are the wave");
    assert_eq!(desk.machine.left(HEAD), 6);
    // A minute later it is tried again: in the soak.
    desk.sampled(62);
    let next = desk.tell(62, Event::Wake);
    assert_eq!((desk.begun(), desk.binding()), (vec![], Binding::Paused), "{next:?}");
    desk.sampled(3_600);
    assert_eq!(desk.begun(), [0; 0]);
    desk.tell(3_603, Event::Wake);
    assert_eq!(desk.begun(), [0, 5], "it goes ahead of the order");
}

#[test]
fn one_that_is_too_large_for_what_is_left_waits_for_the_soak_as_well() {
    // The first one, of 900, needs a cluster that has taken nothing yet.
    let mut rows = [(0, 100); 10];
    rows[0].1 = 900;
    let mut desk = Desk::with(of_one_wave(1, 40), &rows);
    desk.fill(0, A, 500);
    desk.fill(0, B, 500);
    desk.sample(1, 10);
    assert_eq!(desk.begun(), [1, 2]);
    let under_way = desk.started_copies();
    assert!(desk.moves(2, under_way));
    desk.fill(50, B, 0);
    desk.tell(61, Event::Wake);
    assert_eq!(desk.begun(), [0; 0], "there is room for it, in the middle of a soak");
    // A person may want it all the same.
    desk.order(62, Order::MoveNow(MailboxId(0)));
    assert_eq!(desk.begun(), [0]);
    let effect = desk.started_copies()[0];
    desk.copied(63, effect, Limit::Own);
    desk.tell(64, Event::SwitchEnded { effect });
    desk.sampled(3_601);
    desk.tell(3_602, Event::Wake);
    assert_eq!(desk.begun(), [5, 6]);
}

#[test]
fn those_that_the_soak_holds_are_all_that_is_left() {
    let mut desk = Desk::with(of_one_wave(1, 50), &[(0, 100), (0, 100)]);
    desk.sample(1, 10);
    assert_eq!(desk.begun(), [0]);
    let effect = desk.started_copies()[0];
    desk.tell(2, Event::CopyFailed { effect, fault: Fault::NoRoom });
    assert_eq!(desk.begun(), [1]);
    let under_way = desk.started_copies();
    assert!(desk.moves(3, under_way));
    assert_eq!(desk.binding(), Binding::NoRoom);
    desk.sample(62, 10);
    desk.tell(62, Event::Wake);
    assert_eq!((desk.begun(), desk.binding()), (vec![], Binding::Paused));
    desk.order(63, Order::Skip(MailboxId(0)));
    assert_eq!((desk.machine.left(HEAD), desk.machine.set_aside(HEAD)), (0, 1));
    let next = desk.tell(64, Event::HeadAudited { head: HEAD, users_left: 0, folders_left: 0 });
    assert_eq!(next, Next::Finished);
}

#[test]
fn another_head_takes_the_place_in_the_wave_at_once() {
    let mut plan = of_one_wave(2, 25);
    plan.order.overlap = Overlap::Tail;
    let mut desk = Desk::with(plan, &[(0, 100), (1, 100), (1, 100), (1, 100)]);
    let (head, measured_at) = (HeadId(1), at(1));
    let (utilisation, latency) = (percent(10), Latency::from_micros(1_000));
    desk.sample(1, 10);
    assert_eq!(desk.begun(), [0]);
    let effect = desk.started_copies()[0];
    desk.tell(1, Event::HeadSampled { head, measured_at, utilisation, latency, held_by: None });
    assert_eq!(desk.begun(), [0; 0], "the wave is of one mailbox");
    desk.tell(2, Event::CopyFailed { effect, fault: Fault::NoRoom });
    assert_eq!(desk.begun(), [1]);
    let under_way = desk.started_copies();
    assert!(desk.moves(3, under_way));
}

#[test]
fn one_that_is_tried_again_in_a_soak_and_finds_no_room_lets_nobody_in() {
    let mut desk = Desk::open(of_one_wave(1, 20));
    desk.sample(1, 10);
    let effects = desk.started_copies();
    desk.tell(2, Event::CopyFailed { effect: effects[0], fault: Fault::Permanent });
    assert!(desk.moves(3, vec![effects[1]]), "one has moved, the other one is set aside");
    desk.order(4, Order::Retry(MailboxId(0)));
    assert_eq!(desk.begun(), [0]);
    let effect = desk.started_copies()[0];
    desk.tell(5, Event::CopyFailed { effect, fault: Fault::NoRoom });
    assert_eq!(desk.begun(), [0; 0]);
    desk.sampled(65);
    desk.tell(66, Event::Wake);
    assert_eq!((desk.begun(), desk.binding()), (vec![], Binding::Paused));
    desk.sampled(3_602);
    desk.tell(3_603, Event::Wake);
    assert_eq!(desk.begun(), [0, 2]);
}

/// A session in which four of ten are a wave, of which some have moved; of the rows some are set aside.
fn later(rows: usize, moved: usize, set_aside: &[(u32, Fault)], so_far: WavesSoFar) -> Desk {
    let mut fleet = fleet(&vec![(0, 100); rows]);
    fleet.home[..moved].fill(Home::cluster(A));
    let set_aside = set_aside.iter().map(|(row, fault)| (MailboxId(*row), *fault)).collect();
    let waves = Some(so_far);
    let facts = Facts { fleet: Arc::new(fleet), open: vec![A, B], set_aside, waves, ..Facts::default() };
    let mut desk = Desk::started(of_one_wave(1, 40), facts);
    desk.sample(1, 10);
    desk
}

#[test]
fn a_later_session_counts_what_has_moved_and_not_what_no_longer_waits() {
    let so_far = |over| WavesSoFar { mailboxes: 10, over: Some(over), moved: None, go: false };
    // Whoever was deleted or skipped is no part of the wave.
    let away = [(1, Fault::Gone), (2, Fault::Gone), (3, Fault::Skipped), (4, Fault::Skipped)];
    let mut desk = later(10, 1, &away, so_far(1));
    assert_eq!(desk.begun(), [5, 6]);
    let under_way = desk.started_copies();
    assert!(desk.moves(2, under_way));
    assert_eq!(desk.machine.left(HEAD), 2, "four have moved");
    // One of eleven was set aside when the migration began, and waits by now.
    assert_eq!(later(11, 3, &[], so_far(3)).begun(), [3]);
    // One that is set aside is tried again: it begins once.
    let mut desk = later(10, 2, &[(2, Fault::Permanent)], so_far(2));
    let mut under_way = desk.started_copies();
    desk.order(2, Order::Retry(MailboxId(2)));
    assert!(under_way.len() == 2 && desk.begun().is_empty());
    let effect = under_way.remove(0);
    desk.copied(3, effect, Limit::Own);
    assert_eq!(desk.begun(), [2]);
    under_way.extend(desk.started_copies());
    desk.tell(3, Event::SwitchEnded { effect });
    assert!(desk.moves(4, under_way));
    assert_eq!(desk.machine.left(HEAD), 5);
}

#[test]
fn a_soak_of_fewer_than_the_wave_had_outlasts_its_session_too() {
    // One of the four was set aside.
    let so_far = WavesSoFar { mailboxes: 10, over: Some(3), moved: Some((0, at(-600))), go: false };
    let mut desk = later(10, 3, &[(3, Fault::Permanent)], so_far);
    assert_eq!((desk.begun(), desk.binding()), (vec![], Binding::Paused));
    desk.sampled(2_999);
    desk.tell(3_000, Event::Wake);
    assert_eq!(desk.begun(), [4, 5]);
}
