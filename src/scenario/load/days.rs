//! Whole measured days, to be drawn by weekday.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::scenario::measured::{MeasuredDay, SLOTS_IN_DAY, weekday};
use crate::units::{Span, Time};

/// Five minutes: one slot of a day.
const SLOT_S: i64 = 300;
/// Of a day, a stretch of so many missing slots is bridged: an hour, so that the day on which clocks go on is whole.
const BRIDGED: usize = 12;
/// Each weekday needs so many days: one alone would be the same day again and again.
const DAYS_MIN: usize = 2;

/// The days that can be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct DaysFit {
    /// Mean over the week, each weekday counting alike: operations a second, or a share of the capacity.
    pub mean: f64,
    /// The days, in order.
    pub days: Arc<[MeasuredDay]>,
    /// How many there are of each weekday, Monday first.
    pub by_weekday: [usize; 7],
    /// Days that are begun or have gaps of more than an hour, and are left out.
    pub left_out: usize,
}

/// Samples of one column and the local clocks they were taken by.
pub(crate) struct Samples<'a> {
    pub(crate) at: &'a [Time],
    pub(crate) values: &'a [f64],
    /// Offsets from UTC, each from its instant on.
    pub(crate) offsets: &'a [(Time, Span)],
    pub(crate) interval: Span,
}

/// Sums of what was measured in each slot of a day.
struct Sums {
    sums: Vec<f64>,
    counts: Vec<u32>,
}

/// Cuts the samples into local days. A sample holds from its instant on, for one interval or until the next.
///
/// # Errors
/// Why that cannot be done.
pub(crate) fn days(samples: &Samples<'_>) -> Result<DaysFit, String> {
    let sums = by_day(samples);
    let all = sums.len();
    let days: Vec<(i64, Vec<f64>)> =
        sums.into_iter().filter_map(|(number, day)| Some((number, bridged(&day)?))).collect();
    let mut by_weekday = [0; 7];
    let mut means = [0.0; 7];
    for (number, values) in &days {
        by_weekday[weekday(*number)] += 1;
        means[weekday(*number)] += values.iter().sum::<f64>() / SLOTS_IN_DAY as f64;
    }
    if let Some(scarce) = (0..7).find(|day| by_weekday[*day] < DAYS_MIN) {
        let (name, count) = (super::fit::hour_name(24 * scarce), by_weekday[scarce]);
        let name = name.get(..3).unwrap_or_default();
        return Err(format!(
            "has {count} whole days that are a {name}: needs {DAYS_MIN} or more of each weekday, without gaps of more than an hour"
        ));
    }
    let mean = (0..7).map(|day| means[day] / by_weekday[day] as f64).sum::<f64>() / 7.0;
    if mean <= 0.0 {
        return Err("is zero at all times".to_owned());
    }
    let left_out = all - days.len();
    let weights = |values: Vec<f64>| values.into_iter().map(|value| (value / mean) as f32).collect();
    let days = days.into_iter().map(|(number, values)| MeasuredDay { number, weights: weights(values) }).collect();
    Ok(DaysFit { mean, days, by_weekday, left_out })
}

fn by_day(samples: &Samples<'_>) -> BTreeMap<i64, Sums> {
    let mut days: BTreeMap<i64, Sums> = BTreeMap::new();
    let mut change = 0;
    let seconds = |time: Time| time.unix_micros().div_euclid(1_000_000);
    for (place, (at, value)) in samples.at.iter().zip(samples.values).enumerate() {
        if value.is_nan() {
            continue;
        }
        let next = samples.at.get(place + 1).copied().unwrap_or(Time::NEVER);
        let end = (*at + samples.interval).min(next);
        let first = seconds(*at).div_euclid(SLOT_S);
        // The slots that begin while it holds; at least the one in which it was taken.
        let last = (seconds(end) - 1).div_euclid(SLOT_S).max(first);
        for slot in first..=last {
            let instant = Time::from_unix_micros(slot * SLOT_S * 1_000_000);
            while samples.offsets.get(change + 1).is_some_and(|(from, _)| *from <= instant) {
                change += 1;
            }
            let offset = samples.offsets.get(change).map_or(0, |(_, offset)| offset.micros() / 1_000_000);
            let local = slot * SLOT_S + offset;
            let day = days
                .entry(local.div_euclid(86_400))
                .or_insert_with(|| Sums { sums: vec![0.0; SLOTS_IN_DAY], counts: vec![0; SLOTS_IN_DAY] });
            let of_day = (local.rem_euclid(86_400) / SLOT_S) as usize;
            day.sums[of_day] += value;
            day.counts[of_day] += 1;
        }
    }
    days
}

/// The values of a day, short gaps bridged by straight lines; `None` where a gap is too long.
fn bridged(day: &Sums) -> Option<Vec<f64>> {
    let known = |slot: &usize| day.counts[*slot] > 0;
    let value = |slot: usize| day.sums[slot] / f64::from(day.counts[slot]);
    let mut values = Vec::with_capacity(SLOTS_IN_DAY);
    while values.len() < SLOTS_IN_DAY {
        let at = values.len();
        if known(&at) {
            values.push(value(at));
            continue;
        }
        let next = (at..SLOTS_IN_DAY).find(known);
        let end = next.unwrap_or(SLOTS_IN_DAY);
        if end - at > BRIDGED {
            return None;
        }
        let before = values.last().copied().or_else(|| next.map(value))?;
        let after = next.map_or(before, value);
        let missing = (end - at + 1) as f64;
        values.extend((1..=end - at).map(|step| before + (after - before) * step as f64 / missing));
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::calendar;
    use jiff::tz::TimeZone;

    const HOUR_S: i64 = 3_600;

    /// Samples every so many seconds from Monday 2026-03-02 05:00 UTC on, which is midnight in Toronto.
    fn at(count: i64, every_s: i64) -> Vec<Time> {
        let start = Time::from_unix_micros(1_772_427_600_000_000);
        (0..count).map(|step| start + Span::from_secs(step * every_s)).collect()
    }

    fn cut(at: &[Time], values: &[f64], every_s: i64) -> Result<DaysFit, String> {
        let zone = TimeZone::get("America/Toronto").unwrap();
        let offsets = calendar::offsets(&zone, at[0], at[at.len() - 1]);
        days(&Samples { at, values, offsets: &offsets, interval: Span::from_secs(every_s) })
    }

    #[test]
    fn days_are_those_of_local_clocks_when_clocks_go_on() {
        // Toronto's clocks go on by an hour on Sunday 2026-03-08. Each sample is its local hour.
        let at = at(3 * 7 * 24, HOUR_S);
        let zone = TimeZone::get("America/Toronto").unwrap();
        let values: Vec<f64> = at.iter().map(|at| f64::from(calendar::local(&zone, *at).hour()) + 1.0).collect();
        let fit = cut(&at, &values, HOUR_S).unwrap();
        assert_eq!(
            (fit.by_weekday, fit.left_out),
            ([3; 7], 1),
            "the last hour of the last day is cut off by the change"
        );
        for day in &*fit.days {
            let at_noon = f64::from(day.weights[12 * 12]) * fit.mean;
            assert!((at_noon - 13.0).abs() < 1e-3, "day {}: {at_noon}", day.number);
        }
        // The hour that was skipped lies between its neighbours.
        let skipped = fit.days.iter().find(|day| day.number == 20_520).unwrap();
        assert!((f64::from(skipped.weights[2 * 12 + 6]) * fit.mean - 3.0).abs() < 0.3);
    }

    #[test]
    fn a_day_with_a_long_gap_is_left_out_and_a_short_gap_is_bridged() {
        let at = at(15 * 288, 300);
        let mut values = vec![2.0; at.len()];
        values[288 + 100..288 + 112].fill(f64::NAN);
        values[3 * 288 + 100..3 * 288 + 113].fill(f64::NAN);
        let fit = cut(&at, &values, 300);
        let failed = fit.unwrap_err();
        assert!(failed.contains("1 whole days that are a Thu"), "{failed}");
        values[3 * 288 + 100] = 2.0;
        let fit = cut(&at, &values, 300).unwrap();
        assert!(fit.days.iter().all(|day| day.weights.iter().all(|weight| (weight - 1.0).abs() < 1e-6)));
    }

    #[test]
    fn weights_have_mean_one_over_a_week_of_all_weekdays_alike() {
        // Mondays are twice as busy, and there is one more of them. A week later clocks do not change any more.
        let later = Span::from_secs(7 * 86_400 - HOUR_S);
        let at: Vec<Time> = at(15 * 288, 300).into_iter().map(|at| at + later).collect();
        let values: Vec<f64> = (0..at.len()).map(|step| if step / 288 % 7 == 0 { 200.0 } else { 100.0 }).collect();
        let fit = cut(&at, &values, 300).unwrap();
        assert_eq!(fit.by_weekday[0], 3);
        assert!((fit.mean - 800.0 / 7.0).abs() < 1e-6, "{}", fit.mean);
    }
}
