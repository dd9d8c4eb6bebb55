//! How busy a head is with its users and the copies that wait for it: the fixed point between the two.
//!
//! A copy is a closed-loop client. Each of its operations takes as much longer than on an idle head as the response
//! time has grown, so a busy head slows its copies down, and slowed copies ask less of it. What this leaves out: users
//! are an open load, they do not ask less while they wait.

use crate::scenario::curve::LatencyCurve;

/// The copies of one pair, as the head sees them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mover {
    /// What they ask of the head at full speed, in operations a second.
    pub(crate) load: f64,
    /// The same of one copy in the mean.
    pub(crate) per_copy: f64,
    /// What waiting for the cluster adds to one second of work.
    pub(crate) cluster_wait: f64,
    /// They may not go faster than this share of full speed.
    pub(crate) ceiling: f64,
    /// The answer: their speed as a share of full speed.
    pub(crate) speed: f64,
}

impl Mover {
    #[inline]
    fn own_speed(&self, wait_s: f64) -> f64 {
        1.0 / (1.0 + self.per_copy * wait_s + self.cluster_wait)
    }
}

/// Finds the utilisation at which the head's load is what the copies ask for at that utilisation, and their speeds.
///
/// `fixed` is the load that does not depend on speeds, in operations a second like `capacity`; `warm` is where to begin
/// to look. The excess load falls with utilisation, so the only root is bracketed, and Newton's steps that leave the
/// bracket are halved instead. At saturation the copies share what the fixed load leaves over.
pub(crate) fn solve(curve: &LatencyCurve, capacity: f64, fixed: f64, warm: f64, movers: &mut [Mover]) -> f64 {
    let asked: f64 = movers.iter().map(|mover| mover.load).sum();
    let mut low = fixed / capacity;
    if asked == 0.0 {
        // Copies that ask nothing of the head never wait for it.
        for mover in movers {
            mover.speed = mover.own_speed(0.0).min(mover.ceiling);
        }
        return low;
    }
    let idle_s = curve.response_s(0.0);
    let saturation = curve.saturation();
    if low >= saturation {
        for mover in movers {
            mover.speed = 0.0;
        }
        return low;
    }
    let mut high = ((fixed + asked) / capacity).min(saturation);
    let mut at = warm.clamp(low, high);
    // Newton's steps end after two or three from a warm start; the bracket bounds the rest.
    for _ in 0..60 {
        let (excess, slope) = excess(curve, capacity, fixed, idle_s, at, movers);
        if excess > 0.0 {
            low = at;
        } else {
            high = at;
        }
        let newton = at - excess / slope;
        let next = if newton >= low && newton <= high { newton } else { 0.5 * (low + high) };
        let moved = (next - at).abs();
        at = next;
        // The error left after a step of Newton's is of the order of its square: below the millionth that a speed resolves.
        if moved < 1e-4 {
            break;
        }
    }
    leftover(curve, capacity, fixed, idle_s, at, movers)
}

/// Load above what `at` stands for, and how it changes with utilisation.
#[inline]
fn excess(curve: &LatencyCurve, capacity: f64, fixed: f64, idle_s: f64, at: f64, movers: &[Mover]) -> (f64, f64) {
    let (response_s, rise_s) = curve.response_and_slope_s(at);
    let wait_s = response_s - idle_s;
    let (mut excess, mut slope) = (fixed - at * capacity, -capacity);
    for mover in movers {
        let own = mover.own_speed(wait_s);
        excess += mover.load * own.min(mover.ceiling);
        if own < mover.ceiling {
            slope -= mover.load * own * own * mover.per_copy * rise_s;
        }
    }
    (excess, slope)
}

/// Sets the speeds at the utilisation found; where the response is clamped they share what is left over.
fn leftover(curve: &LatencyCurve, capacity: f64, fixed: f64, idle_s: f64, at: f64, movers: &mut [Mover]) -> f64 {
    let wait_s = curve.response_s(at) - idle_s;
    let mut load = 0.0;
    for mover in movers.iter_mut() {
        mover.speed = mover.own_speed(wait_s).min(mover.ceiling);
        load += mover.load * mover.speed;
    }
    let room = curve.saturation() * capacity - fixed;
    if load > room {
        for mover in movers.iter_mut() {
            mover.speed *= room / load;
        }
        load = room;
    }
    (fixed + load) / capacity
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::scenario::curve::preset;

    fn mover(load: f64, per_copy: f64) -> Mover {
        Mover { load, per_copy, cluster_wait: 0.0, ceiling: 1.0, speed: 0.0 }
    }

    #[test]
    fn load_and_speed_agree_with_the_curve_at_the_solved_point() {
        let curve = preset("specsfs2008-fas3140").unwrap();
        for users in [0.0, 3_000.0, 6_000.0, 8_500.0] {
            for warm in [0.0, 0.5, 1.0] {
                let mut movers = [mover(2_000.0, 250.0), mover(900.0, 300.0)];
                let u = solve(&curve, 9_000.0, users, warm, &mut movers);
                let wait_s = curve.response_s(u) - curve.response_s(0.0);
                for mover in movers {
                    let expected = 1.0 / (1.0 + mover.per_copy * wait_s);
                    assert!((mover.speed - expected).abs() < 1e-7, "{users} from {warm}: {mover:?}");
                }
                let load = users + movers.iter().map(|mover| mover.load * mover.speed).sum::<f64>();
                assert!((load / 9_000.0 - u).abs() < 1e-12, "{users} from {warm}: {u}");
            }
        }
    }

    #[test]
    fn copies_get_only_what_a_saturated_head_leaves_over() {
        let curve = preset("specsfs2008-fas3140").unwrap();
        let full = curve.saturation() * 1_000.0;
        let mut movers = [mover(5e6, 10.0)];
        let u = solve(&curve, 1_000.0, full - 50.0, 0.5, &mut movers);
        assert!((movers[0].load * movers[0].speed - 50.0).abs() < 1e-6, "{movers:?}");
        assert!((u - curve.saturation()).abs() < 1e-9);
        let u = solve(&curve, 1_000.0, full + 300.0, 0.5, &mut movers);
        assert_eq!(movers[0].speed, 0.0);
        assert!(u > curve.saturation());
    }

    #[test]
    fn a_ceiling_holds_and_relieves_the_head() {
        let curve = preset("specsfs2008-fas3140").unwrap();
        let (mut free, mut held) = ([mover(4_000.0, 200.0)], [Mover { ceiling: 0.2, ..mover(4_000.0, 200.0) }]);
        let (busy, relieved) =
            (solve(&curve, 9_000.0, 4_000.0, 0.4, &mut free), solve(&curve, 9_000.0, 4_000.0, 0.4, &mut held));
        assert_eq!(held[0].speed, 0.2);
        assert!((relieved - 4_800.0 / 9_000.0).abs() < 1e-9);
        assert!(relieved < busy);
    }
}
