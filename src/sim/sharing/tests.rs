use super::*;
use proptest::prelude::*;

use crate::scenario::model::LinkModel;
use crate::sim::testing::quiet;
use crate::sim::transfer::Work;
use crate::units::Span;

/// Copies on one pair, entered and under way from the beginning, and how fast they go.
fn busy(asking_milli_op_s: &[u64]) -> (Sharing, f64) {
    let (_, model) = quiet(10);
    let mut sharing = Sharing::new(&model, Rate::per_second(10), 4);
    sharing.set_head(HEAD, 4_000.0, 9_000.0);
    for (slot, asking) in asking_milli_op_s.iter().enumerate() {
        sharing.enter(HEAD, CLUSTER, AT, &flow(*asking));
        sharing.join(Time::default(), HEAD, AT, slot as u16, &flow(*asking));
    }
    sharing.settle(Time::default());
    let share = sharing.pairs[usize::from(AT)].share;
    (sharing, share)
}

fn flow(head_milli_op_s: u64) -> Flow {
    Flow { work: Work::from_micros(1e6), head_milli_op_s, cluster_milli_op_s: 0, bytes_s: 1 }
}

const HEAD: HeadId = HeadId(0);
const CLUSTER: ClusterId = ClusterId(1);
const AT: u16 = 1;

#[test]
fn a_copy_like_the_one_it_follows_changes_no_speed_and_any_other_does() {
    for (next, alike) in [(900_000, true), (900_005, true), (901_000, false), (450_000, false)] {
        let (mut sharing, before) = busy(&[900_000; 3]);
        sharing.leave(Time::from_unix_micros(10), HEAD, AT, 0, &mut flow(900_000));
        sharing.quit(HEAD, CLUSTER, AT, &flow(900_000));
        sharing.enter(HEAD, CLUSTER, AT, &flow(next));
        sharing.settle(Time::from_unix_micros(10));
        let after = sharing.pairs[usize::from(AT)].share;
        assert_eq!(after.to_bits() == before.to_bits(), alike, "{next}: {before} and {after}");
        let (_, anew) = busy(&[900_000, 900_000, next]);
        assert!((after / anew - 1.0).abs() < 1e-5, "{next}: {after} for {anew}");
    }
    // What else the head is asked for changes the speed of the same copies.
    let (mut sharing, before) = busy(&[900_000; 3]);
    sharing.set_head(HEAD, 5_000.0, 9_000.0);
    sharing.settle(Time::from_unix_micros(10));
    assert!(sharing.pairs[usize::from(AT)].share < before);
}

#[test]
fn a_copy_that_asks_for_nothing_is_not_as_slow_as_those_before_it() {
    let (mut sharing, before) = busy(&[900_000; 2]);
    assert!(before < 0.9, "{before}");
    for place in 0..2 {
        sharing.leave(Time::from_unix_micros(10), HEAD, AT, place, &mut flow(900_000));
        sharing.quit(HEAD, CLUSTER, AT, &flow(900_000));
    }
    sharing.settle(Time::from_unix_micros(10));
    sharing.enter(HEAD, CLUSTER, AT, &flow(0));
    sharing.join(Time::from_unix_micros(20), HEAD, AT, 0, &flow(0));
    sharing.settle(Time::from_unix_micros(20));
    assert_eq!(sharing.first_due(), (usize::from(AT), 1_000_020));
}

#[test]
fn the_last_copy_takes_its_load_with_it() {
    let (_, model) = quiet(10);
    let mut sharing = Sharing::new(&model, Rate::per_second(10), 4);
    let (head, cluster) = (HeadId(0), ClusterId(1));
    let mut flow = Flow { work: Work::from_micros(1e6), head_milli_op_s: 9_000, cluster_milli_op_s: 0, bytes_s: 1 };
    sharing.set_head(head, 900.0, 9_000.0);
    let at = sharing.pair(head, cluster);
    sharing.enter(head, cluster, at, &flow);
    sharing.join(Time::default(), head, at, 0, &flow);
    sharing.settle(Time::default());
    let busy = sharing.utilisation(head);
    assert!(busy > 0.1 && busy < 0.101, "{busy}");
    sharing.leave(Time::from_unix_micros(10), head, at, 0, &mut flow);
    sharing.quit(head, cluster, at, &flow);
    sharing.settle(Time::from_unix_micros(10));
    assert!((sharing.utilisation(head) - 0.1).abs() < 1e-12);
}

/// Two heads and three clusters; copies never go faster than 10 bytes a second.
fn with_link(link: Option<(&[u8], &[u8], u64)>) -> Sharing {
    let (_, mut model) = quiet(10);
    model.links.extend(link.map(|(heads, clusters, _)| LinkModel {
        name: "uplink".into(),
        heads: heads.iter().map(|head| HeadId(*head)).collect(),
        clusters: clusters.iter().map(|cluster| ClusterId(*cluster)).collect(),
        left: Vec::new(),
    }));
    let mut sharing = Sharing::new(&model, Rate::per_second(10), 8);
    if let Some((_, _, left)) = link {
        sharing.set_link(0, Rate::per_second(left));
    }
    for head in [HeadId(0), HeadId(1)] {
        sharing.set_head(head, 4_000.0, 9_000.0);
    }
    sharing
}

/// A copy from a head to a cluster, under way from now on.
fn copy(sharing: &mut Sharing, now: i64, (head, cluster): (u8, u8), slot: u16, flow: &Flow) {
    let at = sharing.pair(HeadId(head), ClusterId(cluster));
    sharing.enter(HeadId(head), ClusterId(cluster), at, flow);
    sharing.join(Time::from_unix_micros(now), HeadId(head), at, slot, flow);
}

#[test]
fn a_link_holds_the_pairs_on_it_once_each_and_lets_them_go() {
    let bytes = |bytes_s| Flow { bytes_s, ..flow(0) };
    let mut sharing = with_link(Some((&[0], &[1], 15)));
    // Three of four pairs use the link, one of them with both ends: together they ask for 30.
    for (slot, pair) in [(0, 0), (0, 1), (1, 1), (1, 2)].into_iter().enumerate() {
        copy(&mut sharing, 0, pair, slot as u16, &bytes(10));
    }
    let speeds = |sharing: &mut Sharing| {
        sharing.settle(Time::default());
        [0, 1, 4, 5].map(|at| (sharing.pairs[at].share, sharing.pairs[at].limit))
    };
    let (held, free) = ((0.5, Limit::Link), (1.0, Limit::Own));
    assert_eq!(speeds(&mut sharing), [held, held, held, free]);
    sharing.set_link(0, Rate::ZERO);
    assert_eq!(speeds(&mut sharing), [(0.0, Limit::Link), (0.0, Limit::Link), (0.0, Limit::Link), free]);
    sharing.set_link(0, Rate::per_second(30));
    assert_eq!(speeds(&mut sharing), [free; 4]);
    // The cluster lets through less than the link: it is the one that holds.
    sharing.set_link(0, Rate::per_second(29));
    sharing.set_ingest(ClusterId(1), Rate::per_second(4));
    let ingest = (0.2, Limit::Ingest);
    assert_eq!(speeds(&mut sharing), [free, ingest, ingest, free]);
}

#[test]
fn copies_that_end_at_one_instant_were_all_held_by_what_held_them_until_then() {
    // Each asks for 10: a link of 15 holds three of them, and not the last one by itself.
    let flow = Flow { bytes_s: 10, ..flow(0) };
    let mut sharing = with_link(Some((&[0], &[1], 15)));
    for slot in 0..3 {
        copy(&mut sharing, 0, (0, 1), slot, &flow);
    }
    sharing.settle(Time::default());
    let (at, due) = sharing.first_due();
    let end = Time::from_unix_micros(due);
    for place in 0..3 {
        assert_eq!(sharing.first_due(), (at, due));
        let job = Job { head: HEAD, cluster: CLUSTER, place, flow, ..Job::FREE };
        assert_eq!(sharing.end_first(end, at, &job), Limit::Link, "copy {place}");
        sharing.settle(end);
    }
    // The one that comes after them is alone.
    copy(&mut sharing, due, (0, 1), 3, &flow);
    sharing.settle(end);
    let (at, due) = sharing.first_due();
    let job = Job { head: HEAD, cluster: CLUSTER, place: 0, flow, ..Job::FREE };
    assert_eq!(sharing.end_first(Time::from_unix_micros(due), at, &job), Limit::Own);
}

proptest! {
    #[test]
    fn a_link_that_holds_nobody_changes_no_speed_in_its_last_digit(
        steps in prop::collection::vec(
            (0_u8..8, 0_u8..2, 0_u8..3, prop::sample::select(vec![450_000_u64, 900_000, 900_004, 900_007, 1_800_000]), 1_u64..=8),
            1..120,
        ),
    ) {
        // At most eight copies of at most 8 bytes a second: never more than 64, though as many streams may ask for 80.
        let mut with = with_link(Some((&[1], &[0, 2], 64)));
        let mut without = with_link(None);
        let (mut set_up, mut going) = (Vec::<(u8, u8, u16, Flow)>::new(), Vec::<(u8, u8, u16, Flow)>::new());
        for (number, (kind, head, cluster, asking, bytes_s)) in (0_u16..).zip(steps) {
            let now = Time::from_unix_micros(i64::from(number) * 50);
            match kind {
                0 => {
                    let load = 3_000.0 + asking as f64 * 1e-3;
                    for sharing in [&mut with, &mut without] {
                        sharing.set_head(HeadId(head), load, 9_000.0);
                    }
                }
                1 if !going.is_empty() => {
                    let (head, cluster, place, flow) = going.swap_remove(asking as usize % going.len());
                    for sharing in [&mut with, &mut without] {
                        let at = sharing.pair(HeadId(head), ClusterId(cluster));
                        sharing.leave(now, HeadId(head), at, place, &mut flow.clone());
                        sharing.quit(HeadId(head), ClusterId(cluster), at, &flow);
                    }
                }
                2 => with.set_link(0, Rate::per_second(64 + asking % 16)),
                3 | 4 if !set_up.is_empty() => {
                    let (head, cluster, slot, flow) = set_up.swap_remove(asking as usize % set_up.len());
                    let [place, other] = [&mut with, &mut without].map(|sharing| {
                        let at = sharing.pair(HeadId(head), ClusterId(cluster));
                        sharing.join(now, HeadId(head), at, slot, &flow)
                    });
                    prop_assert_eq!(place, other);
                    going.push((head, cluster, place, flow));
                }
                _ if set_up.len() + going.len() < 8 => {
                    let flow = Flow { work: Work::from_micros(1e9), bytes_s, ..flow(asking) };
                    for sharing in [&mut with, &mut without] {
                        let at = sharing.pair(HeadId(head), ClusterId(cluster));
                        sharing.enter(HeadId(head), ClusterId(cluster), at, &flow);
                    }
                    set_up.push((head, cluster, number, flow));
                }
                _ => {}
            }
            with.settle(now);
            without.settle(now);
            prop_assert_eq!(with.first_due(), without.first_due());
            for (with, without) in with.pairs.iter().zip(&without.pairs) {
                prop_assert_eq!((with.share.to_bits(), with.limit), (without.share.to_bits(), without.limit));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_single_pair_under_caps_goes_as_fast_as_one_of_many(
        copies in 1_u16..8,
        asking in prop::sample::select(vec![0_u64, 2_000, 300_000, 2_500_000]),
        users in 0.0..9_500.0_f64,
        (rate, ingest, left) in (1_u64..90, 1_u64..90, 1_u64..90),
        wait_s in prop::sample::select(vec![0.0, 1e-4]),
    ) {
        let mut sharing = with_link(Some((&[0], &[], left)));
        sharing.set_head(HeadId(0), users, 9_000.0);
        sharing.set_rate(HeadId(0), Rate::per_second(rate));
        sharing.set_ingest(CLUSTER, Rate::per_second(ingest));
        sharing.set_wait(CLUSTER, wait_s);
        let flow = Flow { work: Work::from_micros(1e9), head_milli_op_s: asking, cluster_milli_op_s: asking / 2, bytes_s: 10 };
        for slot in 0..copies {
            copy(&mut sharing, 0, (0, 1), slot, &flow);
        }
        prop_assert_eq!(sharing.only_pair(), Some((0, 1)));
        let now = Time::from_unix_micros(10);
        let mut anew = sharing.clone();
        let capped = sharing.find_only_capped(now, 0, 1);
        prop_assert_eq!(capped, u64::from(copies) * 10 > rate.min(ingest).min(left));
        prop_assert_eq!(capped, anew.is_tight());
        if capped {
            anew.find_capped(now);
            let (found, expected) = (&sharing.pairs[usize::from(AT)], &anew.pairs[usize::from(AT)]);
            prop_assert!((found.share - expected.share).abs() < 1e-5, "{} for {}", found.share, expected.share);
            // At the very point where a head and a cap hold alike either may be named.
            let level = rate.min(ingest).min(left) as f64 / (f64::from(copies) * 10.0);
            if (expected.share - level).abs() < 1e-12 || (expected.share - level).abs() > 1e-4 {
                prop_assert_eq!(found.limit, expected.limit);
            }
            prop_assert_eq!(sharing.held_by_links(now + Span::TICK), anew.held_by_links(now + Span::TICK));
            prop_assert!((sharing.utilisation(HEAD) - anew.utilisation(HEAD)).abs() < 1e-5);
        }
    }
}
