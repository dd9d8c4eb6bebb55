use super::*;
use crate::sim::testing::quiet;
use crate::sim::transfer::Work;

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
    for slot in 0..2 {
        sharing.leave(Time::from_unix_micros(10), HEAD, AT, slot, &mut flow(900_000));
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
