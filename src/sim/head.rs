//! How busy a head is with its users and the copies that wait for it: the fixed point between the two.
//!
//! A copy is a closed-loop client. Each of its operations takes as much longer than on an idle head as the response
//! time has grown, so a busy head slows its copies down, and slowed copies ask less of it. What this leaves out: users
//! are an open load, they do not ask less while they wait.

use crate::scenario::curve::{LatencyCurve, Response};

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
    pub(crate) fn own_speed(&self, wait_s: f64) -> f64 {
        1.0 / (1.0 + self.per_copy * wait_s + self.cluster_wait)
    }
}

/// A step that is shorter than this share of the way to the knee's limit needs no second look at the curve: the series of
/// the response around its beginning, whose terms left out are of the fourth order, gives speeds to a hundred-thousandth.
const SERIES: f64 = 0.06;
/// So often a single pair looks at the curve before its root is searched for within a bracket.
const LOOKS: usize = 4;
/// For curves with kinks no series reaches beyond the next one: there a utilisation found is off by less than this.
const CLOSE: f64 = 1e-7;
/// A step so short lands on its root, whether a ceiling begins to hold within it or not.
const KINK: f64 = 1e-9;

/// One head: its curve, what it is asked for besides copies, and where its fixed point was last found.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    curve: LatencyCurve,
    idle_s: f64,
    saturation: f64,
    /// How far the series reaches at most, as a share of the way to where the curve has no bound.
    series: f64,
    limit: f64,
    /// Operations a second that it can serve, and how much of it one of them is.
    capacity: f64,
    share: f64,
    /// Load that does not depend on the copies' speeds, in operations a second.
    fixed: f64,
    /// Utilisation with the copies last solved for.
    pub(crate) utilisation: f64,
    /// Where the search begins, and the response there.
    warm: (f64, Response),
}

/// Load above what a utilisation stands for, and its derivatives.
struct Excess {
    value: f64,
    slope: f64,
    bend: f64,
    third: f64,
}

impl Excess {
    /// Householder's step of third order towards the root: its error is of the fourth.
    #[inline]
    fn step(&self) -> f64 {
        let Self { value, slope, bend, third } = *self;
        let over = value * (6.0 * slope * slope - 3.0 * value * bend);
        let under = 6.0 * slope * (slope * slope - value * bend) + value * value * third;
        -over / under
    }
}

impl Station {
    /// An idle head.
    pub(crate) fn new(curve: LatencyCurve, capacity: f64) -> Self {
        let idle = curve.response(0.0);
        let (series, limit) = match curve {
            LatencyCurve::Knee { limit, .. } => (SERIES, limit),
            LatencyCurve::Points(_) => (0.0, 0.0),
        };
        Self {
            idle_s: idle.seconds,
            saturation: curve.saturation(),
            series,
            limit,
            capacity,
            share: 1.0 / capacity,
            fixed: 0.0,
            utilisation: 0.0,
            warm: (0.0, idle),
            curve,
        }
    }

    /// Response time above that of the idle head at the utilisation found last, in seconds.
    #[inline]
    pub(crate) fn wait_s(&self) -> f64 {
        self.curve.response_s(self.utilisation) - self.idle_s
    }

    /// Sets what is asked of it besides copies, and its capacity, in operations a second.
    #[inline]
    pub(crate) fn set_load(&mut self, fixed: f64, capacity: f64) {
        self.fixed = fixed;
        if self.capacity.to_bits() != capacity.to_bits() {
            (self.capacity, self.share) = (capacity, 1.0 / capacity);
        }
    }

    /// The bits of what `set_load` was told last.
    #[inline]
    pub(crate) fn load_bits(&self) -> (u64, u64) {
        (self.fixed.to_bits(), self.capacity.to_bits())
    }

    /// What is left over for copies when it is as busy as it can be, in operations a second; below zero where nothing is.
    pub(crate) fn room(&self) -> f64 {
        self.saturation * self.capacity - self.fixed
    }

    /// Utilisation without copies.
    #[inline]
    pub(crate) fn alone(&self) -> f64 {
        self.fixed * self.share
    }

    /// Finds the utilisation at which the head's load is what the copies ask for at that utilisation, and their speeds.
    ///
    /// The excess load falls with utilisation, so the only root is bracketed. One step of Householder's from where the
    /// curve was last asked is mostly enough, the series around there giving the response at its end; longer steps ask the
    /// curve again, and those that leave the bracket are halved instead. At saturation the copies share what the fixed
    /// load leaves over.
    #[inline]
    pub(crate) fn solve(&mut self, movers: &mut impl AsMut<[Mover]>) {
        let movers = movers.as_mut();
        let asked: f64 = movers.iter().map(|mover| mover.load).sum();
        let mut low = self.alone();
        if asked == 0.0 || low >= self.saturation {
            // Copies that ask nothing of the head never wait for it.
            for mover in movers {
                mover.speed = if asked == 0.0 { mover.own_speed(0.0).min(mover.ceiling) } else { 0.0 };
            }
            self.utilisation = low;
            return;
        }
        let mut high = ((self.fixed + asked) * self.share).min(self.saturation);
        let (mut at, mut response) = self.warm;
        if at < low || at > high {
            at = at.clamp(low, high);
            response = self.curve.response(at);
        }
        // The bracket bounds what the steps leave.
        for _ in 0..60 {
            let excess = self.excess(at, response, movers);
            let step = excess.step();
            let inside = at + step >= low && at + step <= high;
            if inside && step.abs() < self.series * (self.limit - at) {
                // The search begins again where the curve itself was asked, so that nothing adds up.
                let held = held(movers);
                set_speeds(movers, response.seconds_at_distance(step) - self.idle_s);
                // Where a ceiling begins or ceases to hold on the way, the step is one of another slope: then on from its end.
                if held == self::held(movers) || step.abs() < KINK {
                    break;
                }
            }
            if excess.value.abs() < CLOSE * self.capacity || low + f64::EPSILON > high {
                break;
            }
            if excess.value > 0.0 {
                low = at;
            } else {
                high = at;
            }
            at = if inside { at + step } else { 0.5 * (low + high) };
            response = self.curve.response(at);
        }
        self.warm = (at, response);
        self.leave_over(movers);
    }

    /// `solve` for the copies of a single pair without a ceiling; gives their speed. Where one step from where the curve was
    /// last asked is enough, as nearly always, it is taken right here.
    ///
    /// With the response as its series `w(d)`, load and utilisation agree where `(F - u C) (a + p w) + L` is zero: the
    /// excess load times what a second of work takes, which needs no division and has the same root.
    #[inline]
    pub(crate) fn solve_one(&mut self, mover: Mover) -> f64 {
        let still = 1.0 + mover.cluster_wait;
        let (mut at, mut response) = self.warm;
        for _ in 0..LOOKS {
            let step = self.excess_of_one(at, &response, &mover, still).step();
            let to = at + step;
            if to < self.alone() || to >= self.saturation {
                break;
            }
            if step.abs() < self.series * (self.limit - at) {
                let speed = 1.0 / (still + mover.per_copy * (response.seconds_at_distance(step) - self.idle_s));
                let load = self.fixed + mover.load * speed;
                if load > self.saturation * self.capacity || speed > 1.0 {
                    break;
                }
                (self.utilisation, self.warm) = (load * self.share, (at, response));
                return speed;
            }
            (at, response) = (to, self.curve.response(to));
        }
        let mut only = [mover];
        self.solve(&mut only);
        only[0].speed
    }

    /// The excess of a single pair, times what a second of its work takes.
    #[inline]
    fn excess_of_one(&self, at: f64, response: &Response, mover: &Mover, still: f64) -> Excess {
        let takes = still + mover.per_copy * (response.seconds - self.idle_s);
        let free = self.fixed - at * self.capacity;
        let (rise, bend, third) =
            (mover.per_copy * response.slope_s, mover.per_copy * response.bend_s, mover.per_copy * response.third_s);
        Excess {
            value: free * takes + mover.load,
            slope: free * rise - self.capacity * takes,
            bend: free * bend - 2.0 * self.capacity * rise,
            third: free * third - 3.0 * self.capacity * bend,
        }
    }

    /// Sets the copies' speeds at a utilisation; says by how much they then ask for more than it stands for.
    #[inline]
    fn excess(&self, at: f64, response: Response, movers: &mut [Mover]) -> Excess {
        let wait_s = response.seconds - self.idle_s;
        let mut excess =
            Excess { value: self.fixed - at * self.capacity, slope: -self.capacity, bend: 0.0, third: 0.0 };
        for mover in movers {
            let own = mover.own_speed(wait_s);
            mover.speed = own.min(mover.ceiling);
            excess.value += mover.load * mover.speed;
            if own < mover.ceiling {
                // The derivatives of 1 / (1 + p w + c), w being the response at the utilisation.
                let (load, relative) = (mover.load * own, mover.per_copy * own);
                let rise = relative * response.slope_s;
                let bend = relative * response.bend_s;
                let third = relative * response.third_s;
                excess.slope -= load * rise;
                excess.bend += load * (2.0 * rise * rise - bend);
                excess.third -= load * (6.0 * rise * (rise * rise - bend) + third);
            }
        }
        excess
    }

    /// Where the response is clamped the copies share what is left over.
    #[inline]
    fn leave_over(&mut self, movers: &mut [Mover]) {
        let load: f64 = movers.iter().map(|mover| mover.load * mover.speed).sum();
        let room = self.room();
        if load > room {
            for mover in movers.iter_mut() {
                mover.speed *= room / load;
            }
            // Exactly, so that its time counts as saturated: a product of the capacity and its inverse may lie a bit below 1.
            self.utilisation = self.saturation;
            return;
        }
        self.utilisation = (self.fixed + load) * self.share;
    }
}

/// Pairs that their ceilings hold.
#[inline]
fn held(movers: &[Mover]) -> usize {
    movers.iter().filter(|mover| mover.speed >= mover.ceiling).count()
}

/// The copies' speeds at a response time so much above that of the idle head.
#[inline]
fn set_speeds(movers: &mut [Mover], wait_s: f64) {
    for mover in movers {
        mover.speed = mover.own_speed(wait_s).min(mover.ceiling);
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
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
}
