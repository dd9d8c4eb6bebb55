//! Copies in virtual time, against one that goes through all of them.

use super::*;
use proptest::prelude::*;

/// The obvious way: every copy has its own remaining work, and each event goes through all of them.
#[derive(Default)]
struct Twin {
    copies: Vec<(u16, u64)>,
    at: i64,
    speed: u64,
}

impl Twin {
    fn advance(&mut self, now: i64) {
        for (_, left) in &mut self.copies {
            *left = left.saturating_sub((now - self.at) as u64 * self.speed);
        }
        self.at = now;
    }

    fn due(&self) -> i64 {
        let ends = self.copies.iter().map(|(_, left)| match (*left, self.speed) {
            (0, _) => self.at,
            (_, 0) => NEVER,
            (left, speed) => self.at + left.div_ceil(speed) as i64,
        });
        ends.min().unwrap_or(NEVER)
    }

    fn pop(&mut self, now: i64) -> u16 {
        // Of several that are over within the same microsecond the pair knows which was first; here any may be.
        self.advance(now);
        let place = self.copies.iter().position(|(_, left)| *left == 0).expect("a copy is over");
        self.copies.remove(place).0
    }
}

fn time(micros: i64) -> Time {
    Time::from_unix_micros(micros)
}

fn flow(work: u64) -> Flow {
    Flow { work: Work(work), head_milli_op_s: work % 97, cluster_milli_op_s: work % 31, bytes_s: work % 1_009 }
}

/// Work in whole steps of what a mark can hold, so that the twin needs no rounding of its own.
fn whole(micros: u64, steps: u64) -> u64 {
    (micros << FRACTION) + (steps << SLOT_BITS)
}

proptest! {
    #[test]
    fn virtual_time_gives_the_same_ends_as_copies_with_their_own_work(
        steps in prop::collection::vec((0_u8..6, 0_u64..3_000, 0_u64..128, 0_i64..700), 1..200),
    ) {
        let (mut pair, mut twin) = (Pair::new(4), Twin { speed: 1 << FRACTION, ..Twin::default() });
        // By slot, with the place of its mark.
        let mut flows = Vec::<(Flow, u16)>::new();
        let mut now = 0;
        for (kind, size, part, gap) in steps {
            // Everything that ends before the next step ends at the same microsecond in both.
            let next = now + gap;
            while twin.due() <= next {
                prop_assert_eq!(pair.due(), twin.due());
                now = twin.due();
                let ended = pair.first().unwrap();
                let (flow, place) = flows[usize::from(ended)];
                pair.end(time(now), place, &flow);
                let first = twin.pop(now);
                if first != ended {
                    // A tie within the microsecond: take the same one out of the twin.
                    let place = twin.copies.iter().position(|(slot, left)| *slot == ended && *left == 0);
                    prop_assert!(place.is_some(), "slot {ended} has not ended in the twin");
                    twin.copies[place.unwrap()].0 = first;
                }
            }
            now = next;
            prop_assert_eq!(pair.due(), twin.due());
            twin.advance(now);
            match kind {
                0 => {
                    let speed = size as u32 * 349;
                    pair.set_speed(time(now), Speed(speed));
                    twin.speed = u64::from(speed);
                }
                1 if !twin.copies.is_empty() => {
                    let (slot, left) = twin.copies.swap_remove(part as usize % twin.copies.len());
                    let (flow, place) = &mut flows[usize::from(slot)];
                    pair.leave(time(now), *place, flow);
                    prop_assert_eq!(flow.work.0, left);
                }
                _ => {
                    let slot = flows.len() as u16;
                    let flow = flow(whole(size, part));
                    // Between marks the clock is rounded up to what a mark can hold; align both.
                    pair.advance(time(now));
                    let start = if pair.marks.is_empty() { 0 } else { pair.clock };
                    let mark = (start + flow.work.0).div_ceil(1 << SLOT_BITS) << SLOT_BITS;
                    flows.push((flow, pair.join(time(now), slot, &flow).0));
                    twin.copies.push((slot, mark - start));
                }
            }
            prop_assert_eq!(pair.marks.len(), twin.copies.len());
            let sum: u64 = twin.copies.iter().map(|(slot, _)| flows[usize::from(*slot)].0.bytes_s).sum();
            prop_assert_eq!(pair.bytes_s, sum);
        }
    }
}

#[test]
fn copies_that_end_within_the_same_microsecond_end_in_order_of_marks_then_slots() {
    let mut pair = Pair::new(4);
    let copies = [(4, 100), (2, 100), (1, 101)].map(|(slot, part)| (slot, flow(whole(9, part))));
    let places = copies.map(|(slot, flow)| pair.join(time(0), slot, &flow).0);
    for next in [1, 0, 2] {
        assert_eq!((pair.due(), pair.first()), (10, Some(copies[next].0)));
        pair.end(time(10), places[next], &copies[next].1);
    }
}

#[test]
fn work_of_more_than_fifty_days_is_taken_as_that() {
    let day = 86_400e6;
    assert!(Work::from_micros(49.0 * day) < Work::from_micros(50.0 * day));
    for days in [60.0, 250.0, 1e9, f64::INFINITY] {
        assert_eq!(Work::from_micros(days * day), Work(REBASE_ABOVE), "{days} days");
    }
}

#[test]
fn a_suspended_copy_keeps_its_work() {
    let (mut pair, mut copy) = (Pair::new(4), flow(whole(100, 0)));
    pair.join(time(0), 0, &copy);
    pair.set_speed(time(40), Speed::from_share(0.5));
    pair.leave(time(60), 0, &mut copy);
    assert_eq!(copy.work, Work(whole(50, 0)));
    assert_eq!(pair.due(), NEVER);
    pair.join(time(1_000), 0, &copy);
    assert_eq!(pair.due(), 1_100);
}

#[test]
fn the_clock_is_rebased_without_moving_any_end() {
    let mut pair = Pair::new(4);
    let long = REBASE_ABOVE >> FRACTION;
    pair.join(time(0), 0, &flow(REBASE_ABOVE));
    pair.join(time(long as i64 - 10), 1, &flow(REBASE_ABOVE));
    assert_eq!(pair.due(), long as i64);
    assert_eq!(pair.first(), Some(0));
    pair.end(time(long as i64), 0, &flow(REBASE_ABOVE));
    pair.set_speed(time(long as i64 + 5), Speed::from_share(0.5));
    assert!(pair.clock < REBASE_ABOVE, "the clock stands at {}", pair.clock);
    let left = long as i64 - 15;
    assert_eq!(pair.due(), long as i64 + 5 + 2 * left);
}

#[test]
fn at_no_speed_nothing_ends() {
    let mut pair = Pair::new(4);
    pair.join(time(0), 0, &flow(whole(5, 0)));
    pair.set_speed(time(1), Speed(0));
    assert_eq!(pair.due(), NEVER);
    pair.set_speed(time(100), Speed::FULL);
    assert_eq!(pair.due(), 104);
}
