//! Load over the local week: weights of five minutes, mean 1.

use super::model::Load;

/// Five-minute weights in a week.
pub(crate) const WEIGHTS: usize = 2_016;
const WEIGHTS_IN_HOUR: usize = 12;
const WEIGHTS_IN_DAY: usize = 288;
/// Hours in a week.
pub(crate) const HOURS: usize = 168;

/// Mail of businesses over a day, in per cent of the day's volume by hour, from the hour after midnight: 5.5 % or more
/// in each hour from 11:00 to 19:00 and 1.2 % in the one from 04:00, as a measured mail service has it; the other hours
/// lie between them on a smooth line and are an assumption.
const BUSINESS_HOURS: [f64; 24] = [
    2.4, 1.9, 1.5, 1.3, 1.2, 1.5, 2.3, 3.4, 4.5, 5.1, 5.4, 5.7, 5.8, 5.9, 6.2, 6.3, 6.2, 6.0, 5.7, 5.4, 5.0, 4.3, 3.7,
    3.0,
];
/// Weekends against weekdays: measured as lower, by how much is an assumption.
const BUSINESS_WEEKEND: f64 = 0.45;

/// The same load at any time.
pub(crate) fn flat() -> Vec<f64> {
    vec![1.0; WEIGHTS]
}

/// The load of a mail service for businesses.
pub(crate) fn business_mail() -> Vec<f64> {
    hourly(&BUSINESS_HOURS, BUSINESS_WEEKEND)
}

/// A daily sine with its maximum at `peak_hour`.
pub(crate) fn sine(amplitude: f64, peak_hour: f64) -> Vec<f64> {
    let weight = |at: usize| {
        let hour = (at % WEIGHTS_IN_DAY) as f64 / WEIGHTS_IN_HOUR as f64 + 0.5 / WEIGHTS_IN_HOUR as f64;
        1.0 + amplitude * (std::f64::consts::TAU * (hour - peak_hour) / 24.0).cos()
    };
    normalised((0..WEIGHTS).map(weight).collect())
}

/// Straight lines between the middles of hours; the factor of weekends changes at midnight along the same lines.
pub(crate) fn hourly(hours: &[f64; 24], weekend: f64) -> Vec<f64> {
    let hour_of_week = |hour: usize| {
        let hour = hour % HOURS;
        hours[hour % 24] * if hour / 24 >= 5 { weekend } else { 1.0 }
    };
    through(hour_of_week)
}

/// A straight line in each hour of the week such that it has its mean, of 168 from Monday 00:00 on. The lines are as steep as the
/// hours around them ask for, and stay between their means (van Leer's limiter, 1977): beside a job that begins at two o'clock the
/// hours are as they were measured. A single line through the week that keeps all means would swing there, down to nothing.
pub(crate) fn weekly(means: &[f64]) -> Vec<f64> {
    let weight = |at: usize| {
        let hour = at / WEIGHTS_IN_HOUR;
        let rise = rise(means[(hour + HOURS - 1) % HOURS], means[hour], means[(hour + 1) % HOURS]);
        let along = ((at % WEIGHTS_IN_HOUR) as f64 + 0.5) / WEIGHTS_IN_HOUR as f64 - 0.5;
        means[hour] + along * rise
    };
    normalised((0..WEIGHTS).map(weight).collect())
}

/// By how much an hour rises from its begin to its end, between the means of the hours before and after it.
fn rise(before: f64, own: f64, after: f64) -> f64 {
    let (from, to) = (own - before, after - own);
    if from * to <= 0.0 {
        return 0.0;
    }
    (0.5 * (from + to)).abs().min(2.0 * from.abs()).min(2.0 * to.abs()).copysign(from)
}

/// Straight lines between the middles of the hours of the week.
fn through(hour_of_week: impl Fn(usize) -> f64) -> Vec<f64> {
    let weight = |at: usize| {
        // In hours since the middle of the last hour of the week before.
        let since = (at as f64 + 0.5) / WEIGHTS_IN_HOUR as f64 + 0.5;
        let left = since.floor();
        let along = since - left;
        let before = hour_of_week(left as usize + 167);
        before + along * (hour_of_week(left as usize) - before)
    };
    normalised((0..WEIGHTS).map(weight).collect())
}

fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    if mean > 0.0 {
        for weight in &mut weights {
            *weight /= mean;
        }
    }
    // What rounding leaves of the mean goes to one weight, so that the week's load is exact.
    let rest = weights.len() as f64 - weights.iter().sum::<f64>();
    if let Some(first) = weights.iter_mut().find(|weight| **weight > 0.5) {
        *first += rest;
    }
    weights
}

/// The highest weight of a head's load, for checks of what it must carry.
pub(crate) fn peak(load: &Load, head: usize) -> f64 {
    match &load.measured {
        Some(measured) => measured.peak(head),
        None => load.profile.iter().copied().fold(0.0, f64::max),
    }
}

/// The lowest weight of a head's load.
pub(crate) fn trough(load: &Load, head: usize) -> f64 {
    match &load.measured {
        Some(measured) => measured.trough(head),
        None => load.profile.iter().copied().fold(f64::INFINITY, f64::min),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weights: &[f64]) {
        assert_eq!(weights.len(), WEIGHTS);
        let mean = weights.iter().sum::<f64>() / WEIGHTS as f64;
        assert!((mean - 1.0).abs() < 1e-12, "{mean}");
        assert!(weights.iter().all(|weight| *weight >= 0.0));
    }

    #[test]
    fn every_profile_has_mean_one() {
        check(&flat());
        check(&business_mail());
        check(&sine(0.5556, 15.0));
        check(&hourly(
            &[
                0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0,
                0.0, 0.0, 0.0, 0.0,
            ],
            0.0,
        ));
    }

    #[test]
    fn business_mail_has_the_measured_hours() {
        let weights = business_mail();
        let day = &weights[WEIGHTS_IN_DAY..2 * WEIGHTS_IN_DAY];
        let total: f64 = day.iter().sum();
        let share = |hour: usize| day[hour * 12..(hour + 1) * 12].iter().sum::<f64>() / total;
        assert!((11..19).all(|hour| share(hour) >= 0.055), "{:?}", (11..19).map(share).collect::<Vec<_>>());
        assert!((share(4) - 0.012).abs() < 0.001, "{}", share(4));
        let weekend: f64 = weights[5 * WEIGHTS_IN_DAY..6 * WEIGHTS_IN_DAY].iter().sum();
        assert!(weekend < 0.6 * total);
    }

    #[test]
    fn a_week_of_hours_keeps_the_mean_of_each() {
        let hours: Vec<f64> =
            (0..HOURS).map(|hour| if hour % 24 == 9 { 3.0 } else { 1.0 + 0.2 * (hour % 5) as f64 }).collect();
        let mean = hours.iter().sum::<f64>() / HOURS as f64;
        let weights = weekly(&hours);
        check(&weights);
        for (hour, wanted) in hours.iter().enumerate() {
            let found = weights[hour * 12..(hour + 1) * 12].iter().sum::<f64>() / 12.0 * mean;
            assert!((found / wanted - 1.0).abs() < 1e-6, "hour {hour}: {found} of {wanted}");
        }
    }

    #[test]
    fn beside_a_step_the_week_is_as_it_was_measured() {
        // A job of one hour in the night that makes the load twenty times as high.
        let hours: Vec<f64> = (0..HOURS).map(|hour| if hour % 24 == 2 { 20.0 } else { 1.0 }).collect();
        let mean = hours.iter().sum::<f64>() / HOURS as f64;
        for (at, weight) in weekly(&hours).iter().enumerate() {
            let wanted = hours[at / 12];
            assert!((weight * mean / wanted - 1.0).abs() < 1e-9, "{at}: {} of {wanted}", weight * mean);
        }
    }

    #[test]
    fn lines_follow_a_curve_and_stay_between_the_hours_around_them() {
        let curve = |hour: f64| 1.0 + 0.5 * (std::f64::consts::TAU * (hour - 15.0) / 24.0).cos();
        let hours: Vec<f64> = (0..HOURS).map(|hour| curve(hour as f64 + 0.5)).collect();
        for (at, weight) in weekly(&hours).iter().enumerate() {
            let wanted = curve((at as f64 + 0.5) / 12.0);
            assert!((weight - wanted).abs() < 0.02, "{at}: {weight} of {wanted}");
            let hour = at / 12;
            let around = [(hour + 167) % HOURS, hour, (hour + 1) % HOURS].map(|hour| hours[hour]);
            let [low, high] = [f64::min, f64::max].map(|of| around.iter().copied().reduce(of).unwrap());
            assert!((low - 1e-9..=high + 1e-9).contains(weight), "{at}: {weight} between {low} and {high}");
        }
    }

    #[test]
    fn a_sine_peaks_at_its_hour() {
        let weights = sine(0.5, 15.0);
        let top = weights.iter().copied().fold(0.0, f64::max);
        assert!((weights[15 * 12] - top).abs() < 1e-3);
        assert!((weights[3 * 12] - 0.5).abs() < 1e-3);
    }
}
