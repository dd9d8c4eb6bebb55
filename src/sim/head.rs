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

    /// Whether a step no longer than `reach` leads to the root. Far from it the step of third order may be short, too, or none
    /// at all, where the curve bends: Newton's is not short there, and beside the root both are nearly the same.
    #[inline]
    fn is_near(&self, step: f64, reach: f64) -> bool {
        step.abs() < reach && self.value.abs() < 2.0 * reach * self.slope.abs()
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
            let reach = self.series * (self.limit - at);
            let is_near = excess.is_near(step, reach);
            if inside && is_near {
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
            // A short step that does not lead to the root leads nowhere.
            at = if inside && (is_near || step.abs() >= reach) { at + step } else { 0.5 * (low + high) };
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
            let excess = self.excess_of_one(at, &response, &mover, still);
            let step = excess.step();
            let to = at + step;
            if to < self.alone() || to >= self.saturation {
                break;
            }
            if excess.is_near(step, self.series * (self.limit - at)) {
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
mod tests;
