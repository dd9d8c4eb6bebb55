//! What binds, and what the throttle makes of it.

use super::desk::{A, B, Desk, HEAD, aimd};
use super::plans::{at, percent, plain};
use crate::fleet::{HeadId, MailboxId};
use crate::migration::message::{Binding, Event, Fault, Limit, Order};
use crate::migration::plan::{WindowLimit, Windows};
use crate::units::{Latency, Rate};

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

/// A head with so many mailboxes that it never comes to its end, whose throttle aims far above what a sample says.
fn climbing() -> Desk {
    let mut plan = aimd();
    plan.heads[0].throttle.max = 64;
    Desk::with(plan, &[(0, 1); 100])
}

/// Samples of a second each, from one on, that say what holds the copies.
fn samples(desk: &mut Desk, seconds: std::ops::Range<i64>, held_by: Limit) {
    for second in seconds {
        let (utilisation, latency) = (percent(10), Latency::from_micros(1_000));
        let (measured_at, held_by) = (at(second), Some(held_by));
        desk.tell(second, Event::HeadSampled { head: HEAD, measured_at, utilisation, latency, held_by });
        desk.fill(second, A, 0);
    }
}

#[test]
fn bytes_that_cannot_go_faster_bind_below_the_throttles_cap_too_and_its_pace_does_not_wind_up() {
    for (limit, binding) in
        [(Limit::Link, Binding::Link), (Limit::Pace, Binding::Link), (Limit::Ingest, Binding::Ingest)]
    {
        let mut desk = climbing();
        samples(&mut desk, 0..2, Limit::Own);
        assert_eq!(desk.binding(), Binding::Throttle, "{limit:?}");
        samples(&mut desk, 2..4, limit);
        assert_eq!(desk.binding(), binding);
        let before = desk.machine.pace(HEAD);
        samples(&mut desk, 4..1_000, limit);
        assert_eq!((desk.binding(), desk.machine.pace(HEAD)), (binding, before));
        // Once they can go again, the pace climbs as it would have.
        samples(&mut desk, 1_000..1_200, Limit::Own);
        assert_eq!(desk.binding(), Binding::Throttle, "{limit:?}");
        assert!(desk.machine.pace(HEAD) > before, "{limit:?}");
    }
}

#[test]
fn a_byte_rate_that_the_calendar_has_lowered_is_a_window() {
    let mut plan = plain(1);
    let limit = WindowLimit { rate: Rate::per_second(10), ..WindowLimit::OPEN };
    plan.heads[0].windows = Windows { changes: vec![(at(0), limit), (at(10), WindowLimit::OPEN)], end: None };
    let mut desk = Desk::open(plan);
    samples(&mut desk, 0..2, Limit::Pace);
    assert_eq!(desk.binding(), Binding::Window);
    samples(&mut desk, 10..12, Limit::Pace);
    assert_eq!(desk.binding(), Binding::Link);
}

#[test]
fn a_pace_rises_where_samples_age_out_just_before_the_next_one_and_not_by_what_shows_it_unused() {
    // Samples count for three minutes, and each comes ten seconds after it was measured.
    let climbs = |measured: i64| {
        let mut desk = climbing();
        desk.sample(0, 10);
        let mut under_way = desk.started_copies();
        let mut last = 0;
        for _ in 0..5 {
            let second = last + 180;
            last = second + measured;
            desk.tell(second + 1, Event::Wake);
            assert_eq!(desk.binding(), Binding::Outage);
            // One of those under way ends meanwhile, and none begins in its place.
            desk.copied(second + 5, under_way.remove(0), Limit::Own);
            assert!(desk.started_copies().is_empty());
            let (utilisation, latency, measured_at) = (percent(10), Latency::from_micros(1_000), at(last));
            desk.tell(second + 10, Event::HeadSampled { head: HEAD, measured_at, utilisation, latency, held_by: None });
            under_way.extend(desk.started_copies());
            desk.fill(second + 10, A, 0);
            desk.fill(second + 10, B, 0);
            under_way.extend(desk.started_copies());
        }
        desk.machine.pace(HEAD).map_or(0, |(streams, _)| streams)
    };
    assert!(climbs(0) >= climbs(9) + 4, "{} {}", climbs(0), climbs(9));
}

#[test]
fn a_head_that_no_longer_answers_is_what_binds_though_all_streams_are_used() {
    let mut desk = Desk::open(plain(1));
    desk.sample(0, 10);
    let effect = desk.started_copies()[0];
    desk.copied(1, effect, Limit::Own);
    assert_eq!((desk.binding(), desk.machine.copying(HEAD)), (Binding::Mover, 2));
    desk.tell(2, Event::SwitchFailed { effect, fault: Fault::Unreachable });
    assert_eq!((desk.binding(), desk.machine.copying(HEAD)), (Binding::Outage, 2));
}

#[test]
fn a_head_that_moves_by_hand_alone_is_bound_by_its_turn_however_few_streams_it_has() {
    for streams in [2, 1] {
        let mut desk = Desk::with(plain(2), &[(0, 100), (1, 100), (1, 100)]);
        let next = HeadId(1);
        desk.order(1, Order::Cap { head: next, streams });
        let (measured_at, utilisation, latency) = (at(1), percent(10), Latency::from_micros(1_000));
        desk.tell(1, Event::HeadSampled { head: next, measured_at, utilisation, latency, held_by: None });
        desk.order(2, Order::MoveNow(MailboxId(1)));
        assert_eq!((desk.started_copies().len(), desk.machine.binding(next)), (1, Binding::NotItsTurn), "{streams}");
    }
}

#[test]
fn a_copy_that_was_given_up_tells_what_held_it_though_more_are_under_way_than_may_be() {
    let mut desk = Desk::open(aimd());
    desk.sample(0, 10);
    let first = desk.started_copies()[0];
    desk.copied(1, first, Limit::Ingest);
    desk.sample(60, 85);
    assert_eq!((desk.binding(), desk.machine.copying(HEAD)), (Binding::Ingest, 4));
    desk.order(61, Order::Skip(MailboxId(1)));
    let given_up = desk.abandoned()[0];
    desk.copied(62, given_up, Limit::Own);
    assert_eq!((desk.binding(), desk.machine.copying(HEAD)), (Binding::Throttle, 3));
}
