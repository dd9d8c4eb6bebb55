//! The course of a migration: what its ledger says has happened, and what a forecast says may come.

use std::path::Path;

use crate::forecast::Forecast;
use crate::forecast::quantile::{P10, P50, P90};
use crate::forecast::series::left_on_heads;
use crate::live::ledger::Ledger;
use crate::migration::message::Milestone;
use crate::report::{About, Block, report};
use crate::units::{Span, Time};

/// Points of the past that are kept: more than a terminal has columns.
const POINTS: usize = 400;
/// A forecast that ends within so many days is drawn straight to its dates: it has hardly any daily values.
const FEW_DAYS: f64 = 3.0;

/// A curve: seconds since 1970 and mailboxes left.
pub(super) type Curve = Vec<(f64, f64)>;

/// What has happened and what may come.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Course {
    /// When the ledger was read up to.
    pub(super) as_of: Time,
    /// What has happened.
    pub(super) past: Curve,
    /// What one in ten replications is below, the median, what one in ten is above.
    pub(super) fan: [Curve; 3],
    /// The dates, a sentence each.
    pub(super) dates: Vec<String>,
    /// How many replications they stand on.
    pub(super) replications: usize,
}

/// Mailboxes left on the heads, from the first switch that the ledger knows.
pub(super) fn past(ledger: &Path) -> Result<Curve, String> {
    let read = || {
        let reader = Ledger::read(ledger)?;
        let Some(known) = reader.last_known()? else { return Ok(Curve::new()) };
        let mut switched = Vec::new();
        let mut begun = known.at;
        for session in reader.sessions()? {
            begun = begun.min(session.started_at);
            let seen = reader.observations(session.number)?;
            switched.extend(seen.switches.iter().filter(|switch| switch.fault.is_none()).map(|switch| switch.ended_at));
        }
        let left = known.facts.fleet.home.iter().filter(|home| !home.is_cluster()).count();
        let course = course(begun, &switched, known.at, left as f64);
        Ok(course.into_iter().map(|(at, left)| (secs(at), left)).collect())
    };
    read().map_err(|error: crate::live::ledger::LedgerError| error.to_string())
}

/// Backwards from what is left now: mailboxes that come or are deleted meanwhile are not told apart.
pub(in crate::cli) fn course(begun: Time, switched: &[Time], now: Time, left: f64) -> Vec<(Time, f64)> {
    let (count, every) = (switched.len(), switched.len().div_ceil(POINTS).max(1));
    let mut course = vec![(begun, left + count as f64)];
    let points = switched.iter().enumerate().skip(every - 1).step_by(every);
    course.extend(points.map(|(place, at)| (*at, left + (count - 1 - place) as f64)));
    course.push((now, left));
    course
}

pub(super) fn secs(time: Time) -> f64 {
    time.unix_micros() as f64 / 1e6
}

impl Course {
    /// Puts both together.
    pub(super) fn new(past: Curve, forecast: &Forecast) -> Self {
        let left = past.last().map_or(0.0, |(_, left)| *left);
        let answer = report(forecast, &About::default()).sections.into_iter().next();
        let lines = answer.into_iter().flat_map(|section| section.blocks);
        let dates = lines.filter_map(|block| match block {
            Block::Line(_, line) => Some(line),
            Block::Table { .. } => None,
        });
        Self {
            as_of: forecast.scenario.as_of,
            past,
            fan: fan(forecast, left),
            dates: dates.collect(),
            replications: forecast.replications.len(),
        }
    }
}

fn fan(forecast: &Forecast, left: f64) -> [Curve; 3] {
    let now = forecast.scenario.as_of;
    let all = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied);
    let end = |level| all.and_then(|one| one.at(level)?.value.time());
    // What comes after, purges and soak, is not drawn.
    let last_day = end(P90).map_or(f64::INFINITY, |end| end.since(now).days());
    let mut fan = [(); 3].map(|()| vec![(secs(now), left)]);
    if last_day <= FEW_DAYS {
        for (curve, level) in fan.iter_mut().zip([P10, P50, P90]) {
            curve.extend(end(level).map(|end| (secs(end), 0.0)));
        }
        return fan;
    }
    let daily = left_on_heads(&forecast.replications, forecast.settings.confidence);
    for day in daily.iter().take_while(|day| f64::from(day.day) < last_day) {
        let at = secs(now + Span::from_secs(86_400 * (i64::from(day.day) + 1)));
        for (curve, value) in fan.iter_mut().zip([day.p10, day.p50, day.p90]) {
            curve.extend(value.map(|value| (at, value)));
        }
    }
    fan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_ends_with_what_is_left_and_begins_with_what_there_was() {
        let time = |secs: i64| Time::from_unix_micros(secs * 1_000_000);
        let switched: Vec<Time> = (1..=1_000).map(time).collect();
        let past = course(time(0), &switched, time(1_200), 50.0);
        assert_eq!((past[0], past[past.len() - 1]), ((time(0), 1_050.0), (time(1_200), 50.0)));
        assert!(past.len() <= POINTS + 2, "{}", past.len());
        let is_on_it = |(at, left): &(Time, f64)| secs(*at) > 1_000.0 || (*left + secs(*at) - 1_050.0).abs() < 1e-9;
        assert!(past.iter().all(is_on_it), "{past:?}");
        assert_eq!(course(time(7), &[], time(9), 3.0), [(time(7), 3.0), (time(9), 3.0)]);
    }
}
