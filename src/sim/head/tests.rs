//! The fixed point of a head, against what it must be.

use super::*;
use crate::scenario::curve::{CurvePoint, preset};
use proptest::prelude::*;

fn mover(load: f64, per_copy: f64) -> Mover {
    Mover { load, per_copy, cluster_wait: 0.0, ceiling: 1.0, speed: 0.0 }
}

fn solve(station: &mut Station, fixed: f64, movers: &mut impl AsMut<[Mover]>) -> f64 {
    station.set_load(fixed, station.capacity);
    station.solve(movers);
    station.utilisation
}

#[test]
fn a_ceiling_that_holds_at_one_end_of_a_step_alone_is_seen() {
    let fine = preset("specsfs2008-fas3140").unwrap();
    let slow = |station: &mut Station, ceiling| {
        let mut movers = [Mover { ceiling, ..mover(300.0, 250.0) }];
        solve(station, 1_305.260_673_234_708_7, &mut movers);
        movers[0].speed
    };
    let free = slow(&mut Station::new(fine.clone(), 9_000.0), 1.0);
    assert!(free < 0.95, "{free}");
    for far in [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05] {
        for ceiling in [free - far, free + far] {
            let found = slow(&mut Station::new(fine.clone(), 9_000.0), ceiling);
            assert!((found - free.min(ceiling)).abs() < 1e-5, "{found} of {free} under {ceiling}");
        }
    }
}

#[test]
fn a_full_head_is_saturated_whatever_its_capacity_is() {
    for capacity in (1..100).map(|hundreds| f64::from(hundreds) * 100.0) {
        let points = [(0.5, 1.0), (1.0, 10.0)];
        let points = points.map(|(utilisation, response_ms)| CurvePoint { utilisation, response_ms });
        let mut station = Station::new(LatencyCurve::Points(points.to_vec()), capacity);
        assert_eq!(solve(&mut station, 7.0, &mut [mover(1e6, 1e4)]), station.saturation, "{capacity}");
    }
}

#[test]
fn load_and_speed_agree_with_the_curve_at_the_solved_point() {
    let kinks = [(0.0, 1.0), (0.5, 2.0), (0.7, 9.0), (1.0, 11.0)];
    let points = kinks.map(|(utilisation, response_ms)| CurvePoint { utilisation, response_ms });
    for curve in [preset("specsfs2008-fas3140").unwrap(), LatencyCurve::Points(points.to_vec())] {
        let mut station = Station::new(curve.clone(), 9_000.0);
        // From each of the loads to each of the others, the search beginning where the last one ended.
        let loads = [0.0, 3_000.0, 8_500.0, 10.0, 6_000.0, 2_000.0, 4_321.0, 8_899.0, 0.0];
        for users in loads {
            let mut movers = [mover(2_000.0, 250.0), mover(900.0, 300.0)];
            let u = solve(&mut station, users, &mut movers);
            let wait_s = curve.response_s(u) - curve.response_s(0.0);
            let load = users + movers.iter().map(|mover| mover.load * mover.speed).sum::<f64>();
            assert!((load / 9_000.0 - u).abs() < 1e-12, "{users}: {u}");
            if u < curve.saturation() {
                for mover in movers {
                    let expected = 1.0 / (1.0 + mover.per_copy * wait_s);
                    assert!((mover.speed - expected).abs() < 1e-5, "{users}: {mover:?}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn copies_that_come_and_go_one_by_one_are_followed_as_if_searched_for_anew(
        steps in prop::collection::vec((0.0..900.0_f64, 0_usize..3, -120.0..120.0_f64), 1..60),
    ) {
        let curve = preset("specsfs2008-fas3140").unwrap();
        let mut station = Station::new(curve.clone(), 9_000.0);
        let (mut users, mut copies) = (4_000.0_f64, [3.0, 0.0, 8.0]);
        for (rate, pair, change) in steps {
            users = (users + change).clamp(0.0, 8_000.0);
            copies[pair] = (copies[pair] + if rate > 450.0 { 1.0_f64 } else { -1.0 }).clamp(0.0, 30.0);
            let mut movers = [900.0, 500.0, rate].map(|rate| mover(0.0, rate));
            for (mover, copies) in movers.iter_mut().zip(copies) {
                mover.load = mover.per_copy * copies;
            }
            if copies == [0.0; 3] {
                // Nobody waits.
                continue;
            }
            let mut exact = movers;
            let u = solve(&mut station, users, &mut movers);
            // Bisection, slow and obvious.
            let (mut low, mut high) = (0.0, curve.saturation());
            for _ in 0..60 {
                let at = 0.5 * (low + high);
                let wait_s = curve.response_s(at) - curve.response_s(0.0);
                set_speeds(&mut exact, wait_s);
                let load = users + exact.iter().map(|mover| mover.load * mover.speed).sum::<f64>();
                if load > at * 9_000.0 { low = at } else { high = at }
            }
            prop_assume!(high < curve.saturation());
            prop_assert!((u - high).abs() < 1e-5, "{u} for {high}");
            for (mover, exact) in movers.iter().zip(exact) {
                prop_assert!((mover.speed / exact.speed - 1.0).abs() < 5e-5, "{mover:?} for {exact:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_single_pair_is_followed_like_any_other(
        steps in prop::collection::vec((200.0..1_500.0_f64, 1_u32..40, -300.0..300.0_f64, 0.0..0.5_f64), 1..60),
    ) {
        let curve = preset("specsfs2008-fas3140").unwrap();
        let mut station = Station::new(curve.clone(), 9_000.0);
        let mut users = 4_000.0_f64;
        for (per_copy, copies, change, cluster_wait) in steps {
            users = (users + change).clamp(0.0, 12_000.0);
            let mover = Mover { cluster_wait, ..mover(per_copy * f64::from(copies), per_copy) };
            station.set_load(users, 9_000.0);
            let speed = station.solve_one(mover);
            let u = station.utilisation;
            if users >= curve.saturation() * 9_000.0 {
                prop_assert!(speed.abs() < f64::EPSILON, "{speed} at {u}");
                continue;
            }
            // Bisection, slow and obvious.
            let (mut low, mut high) = (0.0, curve.saturation());
            for _ in 0..60 {
                let at = 0.5 * (low + high);
                let load = users + mover.load * mover.own_speed(curve.response_s(at) - curve.response_s(0.0));
                if load > at * 9_000.0 { low = at } else { high = at }
            }
            prop_assume!(high < curve.saturation() - 1e-9);
            let expected = mover.own_speed(curve.response_s(high) - curve.response_s(0.0));
            prop_assert!((u - high).abs() < 1e-5, "{u} for {high}");
            prop_assert!((speed / expected - 1.0).abs() < 5e-5, "{speed} for {expected}");
        }
    }
}

/// Where nearly all copies end at once the search begins far from its root, and a step of third order from there may be short.
#[test]
fn a_short_step_far_from_the_root_is_not_taken_for_the_root() {
    let curve = preset("specsfs2008-fas3140").unwrap();
    for later in 0..400 {
        let (mut station, mut other) = (Station::new(curve.clone(), 9_000.0), Station::new(curve.clone(), 9_000.0));
        // (1,226 op/s a copy, 38 copies), then one of 200.
        let many = mover(1_225.954_284_635_492 * 38.0, 1_225.954_284_635_492);
        for station in [&mut station, &mut other] {
            station.set_load(4_000.0, 9_000.0);
            station.solve_one(many);
        }
        let users = 3_600.0 + f64::from(later);
        let one = Mover { cluster_wait: 0.477_960_375_681_604_07, ..mover(200.0, 200.0) };
        station.set_load(users, 9_000.0);
        let speed = station.solve_one(one);
        let mut alike = [one];
        other.set_load(users, 9_000.0);
        other.solve(&mut alike);
        let fits = |utilisation: f64, speed: f64| {
            let expected = one.own_speed(curve.response_s(utilisation) - curve.response_s(0.0));
            (speed / expected - 1.0).abs() < 5e-5 && (utilisation * 9_000.0 - users - 200.0 * speed).abs() < 0.1
        };
        assert!(fits(station.utilisation, speed), "{users}: {speed} at {}", station.utilisation);
        assert!(fits(other.utilisation, alike[0].speed), "{users}: {alike:?} at {}", other.utilisation);
    }
}

#[test]
fn copies_get_only_what_a_saturated_head_leaves_over() {
    let curve = preset("specsfs2008-fas3140").unwrap();
    let full = curve.saturation() * 1_000.0;
    let mut station = Station::new(curve.clone(), 1_000.0);
    let mut movers = [mover(5e6, 10.0)];
    let u = solve(&mut station, full - 50.0, &mut movers);
    assert!((movers[0].load * movers[0].speed - 50.0).abs() < 1e-6, "{movers:?}");
    assert!((u - curve.saturation()).abs() < 1e-9);
    let u = solve(&mut station, full + 300.0, &mut movers);
    assert_eq!(movers[0].speed, 0.0);
    assert!(u > curve.saturation());
}

#[test]
fn a_ceiling_holds_and_relieves_the_head() {
    let curve = preset("specsfs2008-fas3140").unwrap();
    let (mut free, mut held) = ([mover(4_000.0, 200.0)], [Mover { ceiling: 0.2, ..mover(4_000.0, 200.0) }]);
    let mut station = Station::new(curve, 9_000.0);
    let busy = solve(&mut station, 4_000.0, &mut free);
    let relieved = solve(&mut station, 4_000.0, &mut held);
    assert_eq!(held[0].speed, 0.2);
    assert!((relieved - 4_800.0 / 9_000.0).abs() < 1e-9);
    assert!(relieved < busy);
}
