//! Outages and brown-outs of a head: the hazard grows with total utilisation, and trouble strikes when the hazard
//! summed up reaches a number drawn beforehand.

use rand::distr::Distribution;
use rand_distr::{Exp1, StandardNormal};
use rand_pcg::Pcg64Dxsm;

use super::number::{exp, ln};
use crate::scenario::model::Hazard;
use crate::units::{Span, Time};

/// Mean events a day at a utilisation; the caller clamps it to what the curve knows.
#[inline]
pub(crate) fn rate_per_day(hazard: &Hazard, utilisation: f64) -> f64 {
    hazard.per_day * exp(hazard.growth * (utilisation - hazard.at_utilisation))
}

/// Mean repair in hours: that of a lognormal.
pub(crate) fn mean_repair_hours(hazard: &Hazard) -> f64 {
    hazard.repair.median_s * exp(0.5 * hazard.repair.sigma * hazard.repair.sigma) / 3_600.0
}

/// Strikes of one kind on one head. The k-th strike's threshold and repair are the k-th draws of its own stream.
#[derive(Clone, Debug)]
pub(crate) struct Strikes {
    hazard: Hazard,
    stream: Pcg64Dxsm,
    /// Hazard still to be summed up until the next strike.
    left: f64,
    /// The end of the present trouble.
    until: Option<Time>,
}

impl Strikes {
    /// No trouble yet.
    pub(crate) fn new(hazard: Hazard, mut stream: Pcg64Dxsm) -> Self {
        let left = Exp1.sample(&mut stream);
        Self { hazard, stream, left, until: None }
    }

    /// Whether trouble lasts.
    pub(crate) const fn lasts(&self) -> bool {
        self.until.is_some()
    }

    /// What it strikes by.
    pub(crate) const fn hazard(&self) -> &Hazard {
        &self.hazard
    }

    /// Sums up `days` of `rate` a day, or lets the present trouble end; says whether trouble strikes at `now`.
    pub(crate) fn pass(&mut self, now: Time, days: f64, rate: f64) -> bool {
        if let Some(until) = self.until {
            if now >= until {
                self.until = None;
            }
            return false;
        }
        self.left -= rate * days;
        if self.left > 0.0 {
            return false;
        }
        let z: f64 = StandardNormal.sample(&mut self.stream);
        let repair_s = exp(ln(self.hazard.repair.median_s.max(1e-6)) + self.hazard.repair.sigma * z);
        self.until = Some(now + Span::from_secs_f64(repair_s));
        self.left = Exp1.sample(&mut self.stream);
        true
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::scenario::model::Lognormal;
    use crate::sim::RunId;
    use crate::sim::draw::{Draws, Purpose};

    fn hazard() -> Hazard {
        Hazard { per_day: 2.0, at_utilisation: 0.7, growth: 6.0, repair: Lognormal { median_s: 60.0, sigma: 0.5 } }
    }

    fn strikes(rate: f64, replications: u32) -> f64 {
        let mut count = 0;
        for replication in 0..replications {
            let stream = Draws::new(RunId { seed: 1, replication }).stream(Purpose::Outage, "head");
            let mut outages = Strikes::new(hazard(), stream);
            let mut now = Time::default();
            for _ in 0..1_440 {
                now = now + Span::from_secs(60);
                count += u32::from(outages.pass(now, 1.0 / 1_440.0, rate));
            }
        }
        f64::from(count) / f64::from(replications)
    }

    #[test]
    fn the_hazard_is_the_stated_one_and_grows_exponentially() {
        assert!((rate_per_day(&hazard(), 0.7) - 2.0).abs() < 1e-12);
        assert!((rate_per_day(&hazard(), 0.8) / 2.0 - 0.6_f64.exp()).abs() < 1e-12);
    }

    #[test]
    fn as_many_strikes_come_as_the_hazard_says() {
        // A day at 2 a day, 3,000 times: mean 2, standard error 0.026; repairs take away two parts in a thousand.
        let mean = strikes(2.0, 3_000);
        assert!((mean - 2.0).abs() < 0.1, "mean {mean}");
        assert_eq!(strikes(0.0, 10), 0.0);
    }
}
