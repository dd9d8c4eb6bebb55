//! When the next one may begin: the next head beside those that wait apart.

use super::desk::{A, B, Desk, HEAD};
use super::plans::{at, percent, plain};
use crate::fleet::HeadId;
use crate::migration::message::{Binding, Command, Event, Fault, Limit};
use crate::migration::plan::Overlap;
use crate::units::Latency;

const NEXT: HeadId = HeadId(1);

impl Desk {
    fn sample_next(&mut self, second: i64) {
        let (measured_at, utilisation, latency) = (at(second), percent(10), Latency::from_micros(1_000));
        self.tell(second, Event::HeadSampled { head: NEXT, measured_at, utilisation, latency, held_by: None });
    }

    fn begins_on(&self, head: HeadId) -> bool {
        self.said.iter().any(|command| matches!(command, Command::StartCopy { from, .. } if *from == head))
    }
}

#[test]
fn the_next_head_begins_once_all_have_moved_but_those_that_wait_for_room_however_many_they_are() {
    let mut desk = Desk::with(plain(2), &[(0, 100), (0, 100), (0, 100), (1, 100)]);
    desk.sample_next(1);
    desk.sample(1, 10);
    // As many as there are streams.
    let effects = desk.started_copies();
    desk.tell(2, Event::CopyFailed { effect: effects[0], fault: Fault::NoRoom });
    let effect = desk.started_copies()[0];
    desk.tell(2, Event::CopyFailed { effect: effects[1], fault: Fault::NoRoom });
    desk.copied(3, effect, Limit::Own);
    assert_eq!(desk.machine.binding(NEXT), Binding::NotItsTurn, "one is still being switched");
    desk.tell(4, Event::SwitchEnded { effect });
    assert!(desk.begins_on(NEXT), "{:?}", desk.said);
}

#[test]
fn with_overlap_those_that_wait_for_room_are_no_part_of_the_tail() {
    let mut plan = plain(2);
    plan.order.overlap = Overlap::Tail;
    // The first two need a cluster that has taken nothing yet.
    let mut rows = [(0, 100); 7];
    (rows[0].1, rows[1].1, rows[6].0) = (900, 900, 1);
    let mut desk = Desk::with(plan, &rows);
    desk.fill(0, A, 200);
    desk.fill(0, B, 200);
    desk.sample_next(1);
    desk.sample(1, 10);
    let effects = desk.started_copies();
    assert_eq!((effects.len(), desk.machine.waiting(HEAD)), (2, 4), "two of them for room");
    assert!(!desk.begins_on(NEXT));
    desk.copied(2, effects[0], Limit::Own);
    assert!(desk.begins_on(HEAD) && desk.begins_on(NEXT), "one waits for its turn, two streams: {:?}", desk.said);
}
