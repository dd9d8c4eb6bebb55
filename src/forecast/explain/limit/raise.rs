//! By how much one unit raises each part of a plan or a model.

use crate::migration::plan::{Go, Law, Level, Plan, ThrottlePlan, WindowLimit, Windows};
use crate::scenario::model::Model;
use crate::units::{Latency, OpRate, Rate, Share, Span};

const MEGABYTE: u64 = 1_000_000;
const HOUR: Span = Span::from_secs(3_600);
/// A percentage point, in parts per million.
const POINT: u32 = 10_000;
/// Half a millisecond, in microseconds.
const HALF_MILLISECOND: u32 = 500;

pub(super) fn throttles(plan: &mut Plan, change: impl Fn(&mut ThrottlePlan)) {
    plan.heads.iter_mut().for_each(|head| change(&mut head.throttle));
}

pub(super) fn windows(plan: &mut Plan, change: impl Fn(&mut Windows)) {
    plan.heads.iter_mut().for_each(|head| change(&mut head.windows));
}

/// Changes what windows allow, where they allow some.
pub(super) fn window_limits(plan: &mut Plan, change: impl Fn(&mut WindowLimit)) {
    windows(plan, |windows| {
        windows.changes.iter_mut().map(|(_, limit)| limit).filter(|limit| limit.streams > 0).for_each(&change);
    });
}

pub(super) fn a_percent_more(capacity: &mut OpRate) {
    *capacity = OpRate::per_second(capacity.ops_per_second() * 1.01);
}

pub(super) fn more_streams(throttle: &mut ThrottlePlan) {
    match &mut throttle.law {
        Law::Fixed { streams } => *streams = streams.saturating_add(1),
        Law::Steps { table, .. } => {
            // A step that pauses goes on pausing.
            for (_, streams) in table.iter_mut().filter(|(_, streams)| *streams > 0) {
                *streams = streams.saturating_add(1);
            }
        }
        Law::Aimd { .. } | Law::Integral { .. } => {}
    }
    throttle.max = throttle.max.saturating_add(1);
}

/// One stream more, up to the most; the first pace is not below it.
pub(super) fn higher_floor(throttle: &mut ThrottlePlan) {
    let floor = throttle.min.saturating_add(1).min(throttle.max);
    match &mut throttle.law {
        Law::Fixed { .. } | Law::Steps { .. } => return,
        Law::Aimd { start, .. } | Law::Integral { start, .. } => *start = floor.max(*start),
    }
    throttle.min = floor;
}

pub(super) fn higher_target(throttle: &mut ThrottlePlan) {
    match &mut throttle.law {
        Law::Fixed { .. } => {}
        Law::Steps { table, .. } => table.iter_mut().for_each(|(level, _)| *level = higher(*level)),
        Law::Aimd { target, .. } => *target = higher(*target),
        Law::Integral { contract, .. } => *contract = higher_latency(*contract),
    }
}

/// A percentage point or half a millisecond more.
pub(super) const fn higher(level: Level) -> Level {
    match level {
        Level::Utilisation(share) => Level::Utilisation(a_point_more(share)),
        Level::Latency(latency) => Level::Latency(higher_latency(latency)),
    }
}

const fn higher_latency(latency: Latency) -> Latency {
    Latency::from_micros(latency.micros().saturating_add(HALF_MILLISECOND))
}

/// Never more than all of it, unless it was that already.
pub(super) const fn a_point_more(share: Share) -> Share {
    let whole = Share::ONE.ppm();
    let more = share.ppm().saturating_add(POINT);
    if share.ppm() >= whole {
        share
    } else if more > whole {
        Share::ONE
    } else {
        Share::from_ppm(more)
    }
}

pub(super) fn faster(rate: Rate) -> Rate {
    if rate == Rate::UNLIMITED { rate } else { Rate::per_second(rate.bytes_per_second() + MEGABYTE) }
}

/// An hour less, and half of what is shorter than two.
pub(super) fn shorter(span: Span) -> Span {
    let half = Span::from_micros(span.micros() / 2);
    (span - HOUR).max(half)
}

pub(super) fn operator(plan: &Plan, model: &mut Model) {
    let faults = model.faults;
    let may_stop = faults.transient + faults.permanent + faults.switch > 0.0;
    if may_stop || plan.order.waves.iter().any(|wave| wave.go == Go::Operator) {
        model.operator_after = shorter(model.operator_after);
    }
}

/// Each time that a limit is followed by a looser one, that one comes an hour earlier; a limit of less than an hour is gone.
pub(super) fn an_hour_shorter(windows: &mut Windows) {
    let is_looser = |after: WindowLimit, before: WindowLimit| {
        after.streams >= before.streams && after.rate >= before.rate && after != before
    };
    let changes = &mut windows.changes;
    for place in 1..changes.len() {
        let (from, before) = changes[place - 1];
        let (at, after) = changes[place];
        if is_looser(after, before) {
            changes[place].0 = (at - HOUR).max(from);
        }
    }
    // Of two at one instant the later one holds.
    let mut place = 0;
    while place + 1 < changes.len() {
        if changes[place].0 == changes[place + 1].0 {
            changes.remove(place);
        } else {
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::testing::AS_OF;

    #[test]
    fn a_window_ends_an_hour_earlier_each_time_and_a_short_one_is_gone() {
        let at = |hours: i64| AS_OF + HOUR.times(hours);
        let limit = |streams| WindowLimit { streams, ..WindowLimit::OPEN };
        let open = WindowLimit::OPEN;
        let changes = vec![(at(0), limit(0)), (at(5), open), (at(10), limit(4)), (at(11), limit(8)), (at(15), open)];
        let mut windows = Windows { changes, end: None };
        an_hour_shorter(&mut windows);
        assert_eq!(windows.changes, [(at(0), limit(0)), (at(4), open), (at(10), limit(8)), (at(14), open)]);
    }
}
