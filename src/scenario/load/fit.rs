//! Means by the hour of the local week, and the noise around them.
//!
//! A sample `x` is taken as `m(t) e^(r - sigma^2/2)`: `m` runs along a straight line within each hour of the week, whose mean is
//! the measured one, `r` is normal with standard deviation `sigma` and correlation `e^(-lag/correlation)`. What is left out: trends
//! and seasons, noise that changes with the hour, noise on two time scales.

use std::sync::Arc;

use crate::scenario::measured::NoiseLaw;
use crate::scenario::profile::{self, HOURS};
use crate::units::Span;

const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;
/// 1970-01-01 was a Thursday: three days after the week's first.
const EPOCH_IN_WEEK_S: i64 = 3 * DAY_S;
/// Each hour of the week must have been seen in so many weeks: one alone says nothing about noise.
const WEEKS_MIN: u32 = 2;
/// Lags are looked at up to this part of the series.
const LAGS: usize = 8;
/// A residual this many standard deviations, as the median tells them, above the median is a spike ...
const SPIKE: f64 = 6.0;
/// ... if the load is twice as high as expected, too.
const SPIKE_TIMES: f64 = 2.0;
/// Noise is taken to go no faster than this many correlation times in the interval of the samples: what is as good as independent
/// from one to the next may be faster by far, and would have to be as much wilder for their spread.
const FASTEST: f64 = 4.0;
/// What a median absolute deviation of normal numbers is multiplied by to give their standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;

/// Samples of one column on a grid.
pub(crate) struct Samples<'a> {
    /// Local seconds since 1970-01-01 of each sample.
    pub(crate) local_s: &'a [i64],
    /// Its number on the grid of the interval.
    pub(crate) grid: &'a [usize],
    /// Its value; not a number where there is none.
    pub(crate) values: &'a [f64],
    pub(crate) interval: Span,
}

/// One hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HourOfWeek {
    /// Mean of its samples.
    pub mean: f64,
    /// A tenth of them lie below.
    pub low: f64,
    /// A tenth of them lie above.
    pub high: f64,
}

/// What was fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct HoursFit {
    /// Mean over the week, each hour counting alike: operations a second, or a share of the capacity.
    pub mean: f64,
    /// The 168 hours of the local week from Monday 00:00.
    pub hours: Vec<HourOfWeek>,
    /// Weights of five minutes, mean 1.
    pub profile: Arc<[f64]>,
    /// The noise around them.
    pub noise: NoiseLaw,
}

/// A sample far above what its hour of the week has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct High {
    /// Which sample.
    pub(crate) at: usize,
    pub(crate) expected: f64,
}

/// Fits hour-of-week means and the noise around them; also says which samples are spikes, which are kept.
///
/// # Errors
/// Why that cannot be done.
pub(crate) fn hours(samples: &Samples<'_>) -> Result<(HoursFit, Vec<High>), String> {
    let (hours, weeks) = by_hour(samples)?;
    let mean = hours.iter().map(|hour| hour.mean).sum::<f64>() / HOURS as f64;
    if mean <= 0.0 {
        return Err("is zero at all times".to_owned());
    }
    let means: Vec<f64> = hours.iter().map(|hour| hour.mean / mean).collect();
    let profile: Arc<[f64]> = profile::weekly(&means).into();
    // A sample is the mean of the interval that begins with it.
    let slots = (samples.interval.secs() / 300.0).round().max(1.0) as usize;
    let expected = |at: usize| {
        let first = five_minutes(samples.local_s[at]);
        mean * (first..first + slots).map(|slot| profile[slot % profile.len()]).sum::<f64>() / slots as f64
    };
    let residuals: Vec<f64> = (0..samples.values.len())
        .map(|at| {
            let (value, expected) = (samples.values[at], expected(at));
            // Where nothing is asked for there is no logarithm.
            if value > 0.0 && expected > 0.0 { (value / expected).ln() } else { f64::NAN }
        })
        .collect();
    let spikes = spikes(samples.values, &residuals, &expected);
    let noise = noise(samples, &residuals, weeks)?;
    Ok((HoursFit { mean, hours, profile, noise }, spikes))
}

/// The number of the local five minutes since Monday 00:00.
fn five_minutes(local_s: i64) -> usize {
    ((local_s + EPOCH_IN_WEEK_S).rem_euclid(WEEK_S) / 300) as usize
}

/// The hours of the week, and in how many weeks one of them was seen in the mean.
fn by_hour(samples: &Samples<'_>) -> Result<(Vec<HourOfWeek>, f64), String> {
    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); HOURS];
    // The week in which a cell was last seen, and in how many it was.
    let mut seen = vec![(i64::MIN, 0_u32); HOURS];
    for (local_s, value) in samples.local_s.iter().zip(samples.values).filter(|(_, value)| !value.is_nan()) {
        let hour = five_minutes(*local_s) / 12;
        cells[hour].push(*value);
        let week = (local_s + EPOCH_IN_WEEK_S).div_euclid(WEEK_S);
        if seen[hour].0 != week {
            seen[hour] = (week, seen[hour].1 + 1);
        }
    }
    let scarce: Vec<usize> = (0..HOURS).filter(|hour| seen[*hour].1 < WEEKS_MIN).collect();
    if let Some(first) = scarce.first() {
        let name = hour_name(*first);
        return Err(format!(
            "has {} hours of the week with samples of fewer than {WEEKS_MIN} weeks, the first of them {name}: hours need \
             {WEEKS_MIN} weeks or more without long gaps",
            scarce.len()
        ));
    }
    let weeks = seen.iter().map(|cell| f64::from(cell.1)).sum::<f64>() / HOURS as f64;
    let hour = |cell: &mut Vec<f64>| {
        let mean = cell.iter().sum::<f64>() / cell.len() as f64;
        cell.sort_unstable_by(f64::total_cmp);
        let part = |share: f64| cell[((cell.len() - 1) as f64 * share).round() as usize];
        HourOfWeek { mean, low: part(0.1), high: part(0.9) }
    };
    Ok((cells.iter_mut().map(hour).collect(), weeks))
}

/// An hour of the week in words: `Mon 08:00`.
pub(crate) fn hour_name(hour: usize) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    format!("{} {:02}:00", DAYS[hour / 24 % 7], hour % 24)
}

/// The standard deviation of the residuals and their correlation time.
fn noise(samples: &Samples<'_>, residuals: &[f64], weeks: f64) -> Result<NoiseLaw, String> {
    let known = || residuals.iter().copied().filter(|residual| !residual.is_nan());
    let count = known().count() as f64;
    let middle = known().sum::<f64>() / count.max(1.0);
    let variance = known().map(|residual| (residual - middle).powi(2)).sum::<f64>() / count.max(1.0);
    if variance < 1e-12 {
        return Ok(NoiseLaw { sigma: 0.0, correlation: samples.interval });
    }
    let slots = samples.grid.last().map_or(0, |last| last + 1);
    let mut line = vec![f64::NAN; slots];
    for (at, residual) in samples.grid.iter().zip(residuals) {
        line[*at] = residual - middle;
    }
    let correlation = |lag: usize| {
        let pairs = line.iter().zip(line.get(lag..).unwrap_or_default()).filter(|(a, b)| !a.is_nan() && !b.is_nan());
        let (sum, count) = pairs.fold((0.0, 0_u64), |(sum, count), (a, b)| (sum + a * b, count + 1));
        if count > 0 { sum / count as f64 / variance } else { 0.0 }
    };
    let lags = lags(&correlation, slots / LAGS).ok_or_else(|| {
        format!(
            "has noise that is still correlated after {:.0} days, as a trend or a season has: give a shorter series, or draw days",
            samples.interval.times((slots / LAGS) as i64).days()
        )
    })?;
    let interval_s = samples.interval.secs();
    let correlation_s = interval_s / intervals_in_correlation(lags);
    let sample_variance = mean_variance(interval_s, correlation_s);
    // The means have been taken from the same weeks, so that they follow the noise by a part of one week in all.
    let followed = mean_variance(interval_s.max(3_600.0), correlation_s) / sample_variance / weeks;
    let sigma = (variance / (1.0 - followed) / sample_variance).sqrt();
    Ok(NoiseLaw { sigma, correlation: Span::from_secs_f64(correlation_s) })
}

/// The variance of the mean of so long a stretch of noise with this correlation time, as a part of the noise's own.
fn mean_variance(stretch_s: f64, correlation_s: f64) -> f64 {
    let length = stretch_s / correlation_s;
    2.0 * (length + (-length).exp_m1()) / (length * length)
}

/// How many correlation times of the noise a sample's interval has, whose means are correlated by 1/e after `lags` of them: the
/// means are so for longer than the noise itself is, and what goes faster than they are taken they do not tell.
fn intervals_in_correlation(lags: f64) -> f64 {
    // The correlation of the means of two intervals next to each other; it falls by e to the power of -`length` with each one more.
    let next = |length: f64| (length.cosh() - 1.0) * (-length).exp() / (length + (-length).exp_m1());
    let after =
        |length: f64| if lags < 1.0 { next(length).powf(lags) } else { next(length) * (-(lags - 1.0) * length).exp() };
    let (mut low, mut high) = (1e-6_f64, FASTEST);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if after(middle) > (-1.0_f64).exp() {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The lag at which correlation falls to 1/e, along an exponential between the two lags around it; `None` beyond the last lag.
fn lags(correlation: &impl Fn(usize) -> f64, last: usize) -> Option<f64> {
    let low = (-1.0_f64).exp();
    let (mut above, mut below) = (0, 1);
    while correlation(below) > low {
        above = below;
        if below >= last {
            return None;
        }
        below = (2 * below).min(last);
    }
    while below - above > 1 {
        let middle = usize::midpoint(above, below);
        if correlation(middle) > low {
            above = middle;
        } else {
            below = middle;
        }
    }
    // Correlation that has gone at the first lag, as that of independent samples, is taken as a hundredth.
    let log = |lag: usize| if lag == 0 { 0.0 } else { correlation(lag).max(0.01).ln() };
    let (from, to) = (log(above), log(below));
    Some(above as f64 + (from + 1.0) / (from - to))
}

/// Samples far above their hour, the highest first.
fn spikes(values: &[f64], residuals: &[f64], expected: &impl Fn(usize) -> f64) -> Vec<High> {
    let mut sorted: Vec<f64> = residuals.iter().copied().filter(|residual| !residual.is_nan()).collect();
    let Some(middle) = median(&mut sorted) else { return Vec::new() };
    let mut away: Vec<f64> = sorted.iter().map(|residual| (residual - middle).abs()).collect();
    let limit = middle + (SPIKE * MAD_TO_SIGMA * median(&mut away).unwrap_or(0.0)).max(SPIKE_TIMES.ln());
    let high = |at: usize| High { at, expected: expected(at) };
    let mut found: Vec<High> = (0..values.len()).filter(|at| residuals[*at] > limit).map(high).collect();
    found.sort_by(|a, b| residuals[b.at].total_cmp(&residuals[a.at]).then(a.at.cmp(&b.at)));
    found
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::distr::Distribution;
    use rand_distr::StandardNormal;
    use rand_pcg::Pcg64Dxsm;

    const STEP_S: i64 = 300;

    /// Weeks of samples, each the mean of its interval, around a sine of the day, with noise of this spread and correlation time.
    fn made_every(step_s: i64, weeks: i64, sigma: f64, correlation_s: f64) -> (Vec<i64>, Vec<f64>) {
        const PARTS: i64 = 60;
        let mut stream = Pcg64Dxsm::seed_from_u64(7);
        let mut normal = || -> f64 { StandardNormal.sample(&mut stream) };
        let keep = (-(step_s as f64) / PARTS as f64 / correlation_s).exp();
        let mut log = sigma * normal();
        // 1970-01-05 was a Monday.
        let local_s: Vec<i64> = (0..weeks * WEEK_S / step_s).map(|step| 4 * DAY_S + step * step_s).collect();
        let curve = |at: f64| 1_000.0 * (1.0 + 0.5 * (std::f64::consts::TAU * (at / 86_400.0 - 0.625)).cos());
        let mut value = |at: &i64| {
            let part = |part: i64| {
                let value = curve((at + part * step_s / PARTS) as f64) * (log - 0.5 * sigma * sigma).exp();
                log = keep * log + sigma * (1.0 - keep * keep).sqrt() * normal();
                value
            };
            (0..PARTS).map(part).sum::<f64>() / PARTS as f64
        };
        let values = local_s.iter().map(&mut value).collect();
        (local_s, values)
    }

    /// The same every five minutes.
    fn made(weeks: i64, sigma: f64, correlation_s: f64) -> (Vec<i64>, Vec<f64>) {
        made_every(STEP_S, weeks, sigma, correlation_s)
    }

    fn fitted(local_s: &[i64], values: &[f64]) -> Result<(HoursFit, Vec<High>), String> {
        let step_s = local_s[1] - local_s[0];
        let grid: Vec<usize> = local_s.iter().map(|at| ((at - local_s[0]) / step_s) as usize).collect();
        hours(&Samples { local_s, grid: &grid, values, interval: Span::from_secs(step_s) })
    }

    #[test]
    fn the_fit_finds_the_mean_the_spread_and_the_correlation_time_that_a_series_was_made_with() {
        for (sigma, correlation_s) in [(0.1, 10_800.0), (0.25, 3_600.0), (0.4, 900.0)] {
            let (local_s, values) = made(40, sigma, correlation_s);
            let (fit, _) = fitted(&local_s, &values).unwrap();
            assert!((fit.mean / 1_000.0 - 1.0).abs() < 0.01, "mean {}", fit.mean);
            assert!((fit.noise.sigma / sigma - 1.0).abs() < 0.03, "sigma {} of {sigma}", fit.noise.sigma);
            let found = fit.noise.correlation.secs();
            assert!((found / correlation_s - 1.0).abs() < 0.12, "correlation {found} of {correlation_s}");
            // The sine's highest hour is the one around 15:00 of each day.
            let ratio = fit.hours[2 * 24 + 15].mean / fit.hours[2 * 24 + 3].mean;
            assert!((ratio / (1.5 / 0.5) - 1.0).abs() < 0.15, "{ratio}");
        }
    }

    #[test]
    fn the_means_of_hours_are_those_of_the_samples() {
        let (local_s, values) = made(4, 0.3, 1_800.0);
        let (fit, _) = fitted(&local_s, &values).unwrap();
        for (hour, measured) in fit.hours.iter().enumerate() {
            let along: f64 = fit.profile[hour * 12..(hour + 1) * 12].iter().sum::<f64>() / 12.0;
            assert!((along * fit.mean / measured.mean - 1.0).abs() < 1e-6, "hour {hour}");
        }
    }

    #[test]
    fn few_weeks_do_not_make_the_noise_small() {
        // With three weeks a third of the noise is in the means.
        let found: Vec<f64> = [3, 40]
            .map(|weeks| made(weeks, 0.2, 900.0))
            .iter()
            .map(|(at, x)| fitted(at, x).unwrap().0.noise.sigma)
            .collect();
        assert!((found[0] / found[1] - 1.0).abs() < 0.03, "{found:?}");
    }

    #[test]
    fn hourly_samples_tell_the_noise_within_their_hours() {
        for (sigma, correlation_s) in [(0.3, 1_800.0), (0.2, 10_800.0)] {
            let (local_s, values) = made_every(3_600, 60, sigma, correlation_s);
            let noise = fitted(&local_s, &values).unwrap().0.noise;
            assert!((noise.sigma / sigma - 1.0).abs() < 0.05, "sigma {} of {sigma}", noise.sigma);
            let found = noise.correlation.secs();
            assert!((found / correlation_s - 1.0).abs() < 0.2, "correlation {found} of {correlation_s}");
        }
    }

    #[test]
    fn independent_samples_keep_their_spread_with_few_weeks_too() {
        let mut stream = Pcg64Dxsm::seed_from_u64(11);
        let mut value = || -> f64 { (0.3 * Distribution::<f64>::sample(&StandardNormal, &mut stream)).exp() };
        for weeks in [3, 40] {
            let local_s: Vec<i64> = (0..weeks * 168).map(|hour| 4 * DAY_S + hour * 3_600).collect();
            let values: Vec<f64> = local_s.iter().map(|_| value()).collect();
            let noise = fitted(&local_s, &values).unwrap().0.noise;
            let of_samples = noise.sigma * mean_variance(3_600.0, noise.correlation.secs()).sqrt();
            assert!((of_samples / 0.3 - 1.0).abs() < 0.06, "{weeks} weeks: {of_samples}");
        }
    }

    #[test]
    fn a_load_without_noise_has_none() {
        let (local_s, _) = made(2, 0.0, 900.0);
        let (fit, spikes) = fitted(&local_s, &vec![5.0; local_s.len()]).unwrap();
        assert!(fit.noise.sigma < 1e-6 && spikes.is_empty());
        assert!(fit.profile.iter().all(|weight| (weight - 1.0).abs() < 1e-9));
    }

    #[test]
    fn a_job_of_one_hour_makes_no_spikes_and_no_noise_beside_it() {
        let (local_s, mut values) = made(8, 0.1, 3_600.0);
        let at_two = |at: &i64| (at / 3_600).rem_euclid(24) == 2;
        for (_, value) in local_s.iter().zip(&mut values).filter(|(at, _)| at_two(at)) {
            *value *= 15.0;
        }
        let (fit, spikes) = fitted(&local_s, &values).unwrap();
        assert!(spikes.is_empty(), "{} spikes", spikes.len());
        assert!((fit.noise.sigma / 0.1 - 1.0).abs() < 0.15, "{}", fit.noise.sigma);
    }

    #[test]
    fn spikes_are_found_and_missing_samples_do_no_harm() {
        let (local_s, mut values) = made(6, 0.1, 3_600.0);
        values[5_000] *= 6.0;
        values[9_000] *= 4.0;
        values[100..130].fill(f64::NAN);
        values[200] = 0.0;
        let (fit, spikes) = fitted(&local_s, &values).unwrap();
        assert_eq!(spikes.iter().map(|spike| spike.at).collect::<Vec<_>>(), [5_000, 9_000]);
        assert!((fit.noise.sigma / 0.1 - 1.0).abs() < 0.15, "{}", fit.noise.sigma);
    }

    #[test]
    fn what_cannot_be_fitted_is_told() {
        let (local_s, values) = made(1, 0.1, 3_600.0);
        assert!(fitted(&local_s, &values).unwrap_err().contains("168 hours of the week"));
        let (local_s, _) = made(8, 0.1, 3_600.0);
        assert!(fitted(&local_s, &vec![0.0; local_s.len()]).unwrap_err().contains("zero at all times"));
        let rising: Vec<f64> = local_s.iter().map(|at| (*at as f64 / 1e6).exp()).collect();
        assert!(fitted(&local_s, &rising).is_err_and(|why| why.contains("trend")));
    }
}
