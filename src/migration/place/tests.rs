use super::super::plan::{ClusterPlan, InodePlan};
use super::*;
use crate::units::{Latency, Rate, Span};
use proptest::prelude::*;

fn plan(rule: Placement) -> PlacementPlan {
    let cluster = ClusterPlan {
        rated: Bytes::new(1_000),
        full_at: Share::from_ppm(400_000),
        reserve: Bytes::ZERO,
        assumed_intake: Rate::ZERO,
        inodes: None,
    };
    PlacementPlan {
        rule,
        clusters: vec![cluster; 2],
        slack: Share::ZERO,
        sample_limit: Span::from_secs(60),
        reopen_below: Share::from_ppm(10_000),
        inodes_per_mailbox: Inodes::ZERO,
    }
}

fn second(seconds: i64) -> Time {
    Time::from_unix_micros(0) + Span::from_secs(seconds)
}

fn sample(at: i64) -> Sample {
    Sample { measured_at: second(at), utilisation: Share::ZERO, latency: Latency::default() }
}

fn of(bytes: u64) -> Room {
    Room { bytes: Bytes::new(bytes), inodes: Inodes::ZERO }
}

fn open(rule: Placement) -> Clusters {
    let mut clusters = Clusters::new(second(0), &plan(rule), &[ClusterId(0), ClusterId(1)]);
    clusters.sampled(second(0), ClusterId(0), sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
    clusters.sampled(second(0), ClusterId(1), sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
    clusters
}

const A: ClusterId = ClusterId(0);
const B: ClusterId = ClusterId(1);

#[test]
fn sequential_placement_fills_to_the_byte_and_not_one_more() {
    let mut clusters = open(Placement::Sequential);
    assert_eq!(clusters.place(second(1), of(400)), Choice::At(A));
    assert_eq!(clusters.take_newly_full(), None);
    assert_eq!(clusters.place(second(1), of(1)), Choice::At(B));
    assert_eq!(clusters.take_newly_full(), Some((A, FullOf::Bytes)));
    assert_eq!(clusters.take_newly_full(), None);
}

#[test]
fn a_cluster_with_less_left_than_it_reopens_at_closes_at_its_first_refusal() {
    let mut clusters = open(Placement::Sequential);
    clusters.place(second(1), of(391));
    assert_eq!(clusters.place(second(1), of(10)), Choice::At(B));
    assert_eq!(clusters.take_newly_full(), Some((A, FullOf::Bytes)));
    clusters.commit(A, of(391));
    clusters.sampled(second(2), A, sample(2), (Bytes::new(391), InodesUsed::UNKNOWN));
    assert_eq!(clusters.place(second(2), of(5)), Choice::At(B), "the sample at 2 s may miss what was committed");
    clusters.sampled(second(3), A, sample(3), (Bytes::new(391), InodesUsed::UNKNOWN));
    assert!(!clusters.takes(A));
    clusters.sampled(second(4), A, sample(4), (Bytes::new(390), InodesUsed::UNKNOWN));
    assert_eq!(clusters.place(second(4), of(10)), Choice::At(A));
}

#[test]
fn what_is_too_much_for_the_room_that_is_left_closes_nothing_before_little_is_left() {
    for rule in [Placement::Sequential, Placement::LeastFilled] {
        let mut clusters = open(rule);
        assert_eq!(
            (clusters.place(second(1), of(300)), clusters.place(second(1), of(300))),
            (Choice::At(A), Choice::At(B))
        );
        // Both have refused, and what is smaller goes where it would have gone.
        assert_eq!(clusters.place(second(1), of(101)), Choice::NoRoomForIt, "{rule:?}");
        assert_eq!(clusters.take_newly_full(), Some((A, FullOf::Bytes)), "{rule:?}");
        assert_eq!(clusters.place(second(1), of(91)), Choice::At(A), "{rule:?}");
        assert_eq!(clusters.place(second(1), of(91)), Choice::At(B), "{rule:?}");
        assert_eq!(clusters.place(second(1), of(10)), Choice::NoRoom, "{rule:?}");
        assert!(!clusters.takes(A) && !clusters.takes(B), "{rule:?}");
    }
}

#[test]
fn clusters_that_reopen_at_their_threshold_close_at_any_refusal() {
    let plan = PlacementPlan { reopen_below: Share::ZERO, ..plan(Placement::Sequential) };
    let mut clusters = Clusters::new(second(0), &plan, &[A]);
    clusters.sampled(second(0), A, sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
    clusters.place(second(1), of(300));
    assert_eq!(clusters.place(second(1), of(101)), Choice::NoRoom);
    assert!(!clusters.takes(A));
}

#[test]
fn what_was_committed_after_a_late_sample_was_measured_still_counts() {
    let mut clusters = open(Placement::Sequential);
    clusters.place(second(1), of(100));
    clusters.sampled(second(10), A, sample(10), (Bytes::ZERO, InodesUsed::UNKNOWN));
    clusters.commit(A, of(100));
    clusters.sampled(second(20), A, sample(10), (Bytes::ZERO, InodesUsed::UNKNOWN));
    assert_eq!(clusters.estimate(second(20), A), of(100));
    clusters.sampled(second(30), A, sample(25), (Bytes::new(100), InodesUsed::UNKNOWN));
    assert_eq!(clusters.estimate(second(30), A), of(100));
}

#[test]
fn samples_much_later_than_their_interval_still_show_what_was_committed() {
    let mut clusters = open(Placement::Sequential);
    clusters.place(second(1), of(100));
    clusters.commit(A, of(100));
    for at in 100..400 {
        let used = Bytes::new(if at >= 102 { 100 } else { 0 });
        clusters.sampled(second(at), A, sample(at - 100), (used, InodesUsed::UNKNOWN));
    }
    assert_eq!(clusters.estimate(second(399), A), of(100));
}

#[test]
fn a_mailbox_larger_than_one_cluster_goes_to_a_larger_one_and_closes_nothing() {
    let mut plan = plan(Placement::Sequential);
    plan.clusters[0].rated = Bytes::new(100);
    let mut clusters = Clusters::new(second(0), &plan, &[A, B]);
    clusters.sampled(second(0), A, sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
    clusters.sampled(second(0), B, sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
    assert_eq!(clusters.place(second(1), of(41)), Choice::At(B));
    assert_eq!(clusters.place(second(1), of(40)), Choice::At(A));
}

#[test]
fn a_sample_from_before_the_session_says_nothing() {
    let mut clusters = Clusters::new(second(10), &plan(Placement::Sequential), &[A, B]);
    clusters.sampled(second(12), A, sample(9), (Bytes::ZERO, InodesUsed::UNKNOWN));
    assert_eq!(clusters.place(second(12), of(1)), Choice::Stale);
    clusters.sampled(second(12), A, sample(10), (Bytes::ZERO, InodesUsed::UNKNOWN));
    assert_eq!(clusters.place(second(12), of(1)), Choice::At(A));
}

#[test]
fn an_old_sample_stops_placement_and_opens_no_other_cluster() {
    let mut clusters = open(Placement::Sequential);
    assert_eq!(clusters.place(second(61), of(1)), Choice::Stale);
    clusters.sampled(second(61), A, sample(61), (Bytes::ZERO, InodesUsed::UNKNOWN));
    assert_eq!(clusters.place(second(61), of(1)), Choice::At(A));
}

#[test]
fn least_filled_evens_the_shares_out_and_lists_what_is_full() {
    let mut clusters = open(Placement::LeastFilled);
    let places: Vec<Choice> = (0..5).map(|_| clusters.place(second(1), of(196))).collect();
    assert_eq!(places, [Choice::At(A), Choice::At(B), Choice::At(A), Choice::At(B), Choice::NoRoom]);
    assert_eq!(
        (clusters.take_newly_full(), clusters.take_newly_full()),
        (Some((A, FullOf::Bytes)), Some((B, FullOf::Bytes)))
    );
}

#[test]
fn a_copy_that_outgrew_its_room_does_not_fit_any_more() {
    let mut clusters = open(Placement::Sequential);
    clusters.place(second(1), of(390));
    assert!(!clusters.correct(second(1), A, of(390), of(401)));
    assert!(clusters.correct(second(1), A, of(401), of(400)));
    assert_eq!(clusters.reserved(A), of(400));
}

#[test]
fn a_mailbox_larger_than_every_threshold_closes_no_cluster() {
    let mut clusters = open(Placement::Sequential);
    assert_eq!(clusters.place(second(1), of(401)), Choice::TooLarge);
    assert!(clusters.takes(A) && clusters.takes(B));
}

/// What happens to clusters of least-filled placement between two questions.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Place(u64, u32),
    Grow(u64),
    Commit,
    Release,
    Sample(u8, u64),
    Wait(i64),
    Close(u8, bool),
    Serve(u8, bool),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        6 => (prop_oneof![0..60_u64, 0..5_000_u64], 0..30_u32).prop_map(|(bytes, messages)| Turn::Place(bytes, messages)),
        1 => (0..80_u64).prop_map(Turn::Grow),
        2 => Just(Turn::Commit),
        1 => Just(Turn::Release),
        4 => (any::<u8>(), 0..900_u64).prop_map(|(cluster, used)| Turn::Sample(cluster, used)),
        2 => (0..40_i64).prop_map(Turn::Wait),
        1 => (any::<u8>(), prop::bool::weighted(0.2)).prop_map(|(cluster, closed)| Turn::Close(cluster, closed)),
        1 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(cluster, serves)| Turn::Serve(cluster, serves)),
    ]
}

proptest! {
    /// The short way finds what asking every cluster finds, refuses nobody where that refuses somebody, and the levels are
    /// what they would be if they were worked out anew.
    #[test]
    fn the_least_filled_is_the_one_that_asking_every_cluster_finds(
        sizes in prop::collection::vec((prop::sample::select(vec![0, 500, 2_500, 2_501, 90_000]), 0..3_u64), 1..12),
        (counts_inodes, slack) in (any::<bool>(), 0..200_000_u32),
        turns in prop::collection::vec(turn(), 1..120),
    ) {
        let cluster = |&(rated, intake): &(u64, u64)| ClusterPlan {
            rated: Bytes::new(rated),
            assumed_intake: Rate::per_second(intake),
            inodes: counts_inodes.then_some(InodePlan {
                rated: Inodes::new(rated / 10),
                full_at: Share::from_ppm(500_000),
                assumed_a_day: Inodes::new(intake * 1_000),
            }),
            ..plan(Placement::LeastFilled).clusters[0]
        };
        let clusters = sizes.iter().map(cluster).collect();
        let all: Vec<ClusterId> = (0..sizes.len()).map(|place| ClusterId(place as u8)).collect();
        let plan = PlacementPlan { clusters, slack: Share::from_ppm(slack), ..plan(Placement::LeastFilled) };
        let mut clusters = Clusters::new(second(0), &plan, &all);
        let (mut at, mut placed) = (0, Vec::<(ClusterId, Room)>::new());
        for turn in turns {
            let id = |cluster: u8| all[usize::from(cluster) % all.len()];
            match turn {
                Turn::Place(bytes, messages) => {
                    let need = clusters.need(Bytes::new(bytes), || messages);
                    let mut asked = clusters.clone();
                    let found = asked.least_filled_of_all(second(at), need);
                    if let Some(place) = clusters.least_filled_amply(second(at), need) {
                        prop_assert_eq!(found, Choice::At(ClusterId(place as u8)));
                        prop_assert_eq!(asked.newly_full, clusters.newly_full);
                    }
                    if let Choice::At(cluster) = clusters.place(second(at), need) {
                        prop_assert_eq!(found, Choice::At(cluster));
                        placed.push((cluster, need));
                    }
                }
                Turn::Grow(bytes) => {
                    if let Some((cluster, reserved)) = placed.last_mut() {
                        let takes = Room { bytes: reserved.bytes + Bytes::new(bytes), ..*reserved };
                        clusters.correct(second(at), *cluster, *reserved, takes);
                        *reserved = takes;
                    }
                }
                Turn::Commit => {
                    placed.pop().into_iter().for_each(|(cluster, reserved)| clusters.commit(cluster, reserved));
                }
                Turn::Release => {
                    placed.pop().into_iter().for_each(|(cluster, reserved)| clusters.release(cluster, reserved));
                }
                Turn::Sample(cluster, used) => {
                    let inodes = if used % 7 == 0 { InodesUsed::UNKNOWN } else { InodesUsed::known(Inodes::new(used / 20)) };
                    clusters.sampled(second(at), id(cluster), sample(at), (Bytes::new(used), inodes));
                }
                Turn::Wait(seconds) => at += seconds,
                Turn::Close(cluster, closed) => clusters.set_closed(id(cluster), closed),
                Turn::Serve(cluster, serves) => clusters.set_in_service(id(cluster), serves),
            }
            let standings: Vec<_> = clusters.list.iter().map(Cluster::standing).collect();
            clusters.levels.renew(|place| standings[place]);
            let mut anew = Levels::new(&plan);
            anew.renew(|place| standings[place]);
            prop_assert_eq!(clusters.levels.list(), anew.list());
            prop_assert!(clusters.levels.ample().is_within(anew.ample()));
        }
    }
}
