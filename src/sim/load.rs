//! What users ask for: the weekly profile in local time, and noise that is correlated over time.

use rand::distr::Distribution;
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Dxsm;

use super::number::exp;
use crate::scenario::measured::NoiseLaw;
use crate::units::{Span, Time};

const DAY_US: i64 = 86_400_000_000;
const WEEK_US: i64 = 7 * DAY_US;
/// 1970-01-01 was a Thursday: three days after the week's first.
const EPOCH_IN_WEEK_US: i64 = 3 * DAY_US;
const STEP_US: i64 = 300_000_000;

/// Local time of the week; it moves forward only.
#[derive(Clone, Debug)]
pub(crate) struct WeekClock {
    offsets: Vec<(Time, Span)>,
    at: usize,
}

impl WeekClock {
    /// A clock with the zone's changes of offset, as `Scenario::offsets` holds them.
    pub(crate) fn new(offsets: &[(Time, Span)]) -> Self {
        Self { offsets: offsets.to_vec(), at: 0 }
    }

    /// The number of the local five minutes since Monday 00:00.
    pub(crate) fn five_minutes(&mut self, now: Time) -> usize {
        ((self.local_us(now) + EPOCH_IN_WEEK_US).rem_euclid(WEEK_US) / STEP_US) as usize
    }

    /// The number of the local day since 1970-01-01.
    pub(crate) fn day(&mut self, now: Time) -> i64 {
        self.local_us(now).div_euclid(DAY_US)
    }

    fn local_us(&mut self, now: Time) -> i64 {
        while self.offsets.get(self.at + 1).is_some_and(|(from, _)| *from <= now) {
            self.at += 1;
        }
        let offset = self.offsets.get(self.at).map_or(0, |(_, offset)| offset.micros());
        now.unix_micros() + offset
    }
}

/// Noise of a store's user load: the exponential of an Ornstein-Uhlenbeck process, with mean 1, stationary from the start.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    stream: Pcg64Dxsm,
    sigma: f64,
    keep: f64,
    renew: f64,
    log: f64,
}

impl Noise {
    /// Noise for steps of this length, from a stream of its own.
    pub(crate) fn new(law: NoiseLaw, step: Span, mut stream: Pcg64Dxsm) -> Self {
        let sigma = law.sigma;
        let correlation_s = law.correlation.secs();
        let keep = if correlation_s > 0.0 { exp(-step.secs() / correlation_s) } else { 0.0 };
        let first: f64 = StandardNormal.sample(&mut stream);
        Self { stream, sigma, keep, renew: sigma * (1.0 - keep * keep).sqrt(), log: sigma * first }
    }

    /// The factor for the next step.
    pub(crate) fn next(&mut self) -> f64 {
        if self.sigma == 0.0 {
            return 1.0;
        }
        let factor = exp(self.log - 0.5 * self.sigma * self.sigma);
        let fresh: f64 = StandardNormal.sample(&mut self.stream);
        self.log = self.keep * self.log + self.renew * fresh;
        factor
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::sim::RunId;
    use crate::sim::draw::{Draws, Purpose};

    const STEP: Span = Span::from_secs(600);

    fn law(sigma: f64) -> NoiseLaw {
        NoiseLaw { sigma, correlation: Span::from_secs(3_600) }
    }

    #[test]
    fn the_clock_of_the_week_follows_daylight_saving() {
        // 2012-11-04 06:00 UTC: in Toronto 02:00 of summer time becomes 01:00.
        let change = Time::from_unix_micros(1_352_008_800_000_000);
        let hour = 3_600;
        let offsets = [(Time::from_unix_micros(0), Span::from_secs(-4 * hour)), (change, Span::from_secs(-5 * hour))];
        let mut clock = WeekClock::new(&offsets);
        // That day was a Sunday.
        let sunday = 6 * 288;
        assert_eq!(clock.five_minutes(change - Span::from_secs(300)), sunday + 2 * 12 - 1);
        assert_eq!(clock.five_minutes(change), sunday + 12);
        assert_eq!(clock.five_minutes(change + Span::from_secs(23 * hour)), 0);
    }

    #[test]
    fn noise_has_mean_one_and_the_stated_spread_and_correlation() {
        let stream = Draws::new(RunId { seed: 3, replication: 0 }).stream(Purpose::Noise, "head");
        let mut noise = Noise::new(law(0.3), STEP, stream);
        let factors: Vec<f64> = (0..400_000).map(|_| noise.next()).collect();
        let n = factors.len() as f64;
        let mean = factors.iter().sum::<f64>() / n;
        let logs: Vec<f64> = factors.iter().map(|factor| factor.ln() + 0.045).collect();
        let variance = logs.iter().map(|log| log * log).sum::<f64>() / n;
        let lagged = logs.windows(7).map(|window| window[0] * window[6]).sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 0.01, "mean {mean}");
        assert!((variance.sqrt() - 0.3).abs() < 0.01, "spread {}", variance.sqrt());
        assert!((lagged / variance - (-1.0_f64).exp()).abs() < 0.03, "correlation {}", lagged / variance);
    }

    #[test]
    fn no_noise_is_a_factor_of_one() {
        let stream = Draws::new(RunId { seed: 3, replication: 0 }).stream(Purpose::Noise, "head");
        assert_eq!(Noise::new(law(0.0), STEP, stream).next(), 1.0);
    }
}
