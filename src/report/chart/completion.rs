//! The chart of completion dates: how the simulations' dates are distributed over days, a panel a milestone people wait for.

use super::super::rows::sentence;
use super::super::wording::{Calendar, percent};
use super::dates::Dates;
use super::plot::{Bar, Plot};
use super::sheet::{Body, MOST_PANELS, Panel, Sheet, Sign};
use super::{days_since, first_of};
use crate::forecast::quantile::{P10, P50, P90, When, estimable};
use crate::forecast::{Forecast, MilestoneForecast};
use crate::migration::message::Milestone;

/// Over more days than this bars are of weeks.
const MOST_DAYS: f64 = 75.0;
/// The axis is never shorter, in days.
const FEWEST_DAYS: f64 = 10.0;

/// The sheet; `None` when nothing is emptied in any replication, or all was before the start.
pub(super) fn sheet(forecast: &Forecast) -> Option<Sheet> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let waited = |milestone: &Milestone| matches!(milestone, Milestone::HeadEmptied { .. } | Milestone::AllEmptied);
    let places: Vec<usize> = (0..scenario.milestones.len()).filter(|at| waited(&scenario.milestones[*at])).collect();
    let reached: Vec<Vec<f64>> = places.iter().map(|place| dated(forecast, *place, &calendar)).collect();
    let first = reached.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let last = reached.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    if first > last {
        return None;
    }
    let spare = ((FEWEST_DAYS - (last - first)) / 2.0).max(1.0);
    let days = ((first - spare).max(0.0), last + spare);
    let dates = Dates::new(scenario, days.1);
    let by_weeks = days.1 - days.0 > MOST_DAYS;
    let bars: Vec<Vec<Bar>> = places
        .iter()
        .zip(&reached)
        .map(|(place, days)| bars(&forecast.milestones[*place], days, &edges(&dates, by_weeks), forecast))
        .collect();
    let most = bars.iter().flatten().map(|bar| bar.value).fold(0.0, f64::max) * 1.08;
    let panel = |(place, bars): (&usize, Vec<Bar>)| {
        let milestone = &forecast.milestones[*place];
        let middle = milestone.at(P50).and_then(|estimate| estimate.value.time());
        let body = if bars.is_empty() {
            Body::Nothing
        } else {
            let triangle = middle.map(|time| days_since(scenario, time));
            let unit = if by_weeks { "% of the simulations, a week" } else { "% of the simulations, a day" };
            Body::Plot(Plot { unit: unit.into(), most, bars, triangle, ..Plot::default() })
        };
        let mut notes = vec![sentence(forecast, milestone, &calendar)];
        notes.extend(without_date(forecast, milestone, &calendar));
        Panel { name: scenario.milestone_name(&milestone.milestone), notes, body }
    };
    let (panels, left_out) = first_of(places.iter().zip(bars).map(panel).collect(), MOST_PANELS);
    Some(Sheet {
        title: format!("{}: when it is done", scenario.name),
        subtitle: super::subtitle(forecast, "dates of the simulations", &left_out),
        key: key(forecast),
        columns: if panels.len() > 4 { 2 } else { 1 },
        panels,
        days,
        dates,
    })
}

/// What the signs say. Too few replications for a range: all bars are alike.
fn key(forecast: &Forecast) -> Vec<(Sign, String)> {
    let is_known = |level| estimable(forecast.replications.len(), level, forecast.settings.confidence);
    let mut key: Vec<(Sign, String)> = if is_known(P10) && is_known(P90) {
        vec![(Sign::Full, "from P10 to P90 (80 %)".into()), (Sign::Faint, "earlier or later".into())]
    } else {
        vec![(Sign::Faint, "replications, too few for a range".into())]
    };
    if is_known(P50) {
        key.push((Sign::Triangle, "median".into()));
    }
    key
}

/// The dates of a milestone that lie ahead of the start, in days since it.
fn dated(forecast: &Forecast, place: usize, calendar: &Calendar<'_>) -> Vec<f64> {
    let reached = forecast.replications.iter().filter_map(|replication| replication.outcome.reached[place]);
    reached.filter(|time| !calendar.already(*time)).map(|time| days_since(&forecast.scenario, time)).collect()
}

/// Where one bar ends and the next one begins: local midnights, of every day or of every seventh.
fn edges(dates: &Dates, by_weeks: bool) -> Vec<f64> {
    let every = if by_weeks { 7 } else { 1 };
    let mut edges: Vec<f64> = dates.midnights().iter().step_by(every).map(|midnight| midnight.day).collect();
    if let [.., before, last] = edges[..] {
        // The last week may be cut by the end of the list.
        edges.push(2.0 * last - before);
    }
    edges
}

fn bars(milestone: &MilestoneForecast, dated: &[f64], edges: &[f64], forecast: &Forecast) -> Vec<Bar> {
    let all = forecast.replications.len() as f64;
    let day = |level| match milestone.at(level).map(|estimate| estimate.value) {
        Some(When::At(time)) => Some(days_since(&forecast.scenario, time)),
        Some(When::AfterHorizon | When::Never) => Some(f64::INFINITY),
        None => None,
    };
    let range = day(P10).zip(day(P90));
    let bar = |edge: &[f64]| {
        let (from, to) = (edge[0], edge[1]);
        let within = dated.iter().filter(|day| (from..to).contains(*day)).count() as f64;
        let is_full = range.is_some_and(|(low, high)| low < to && from <= high);
        (within > 0.0).then_some(Bar { from, to, value: within / all * 100.0, is_full })
    };
    edges.windows(2).filter_map(bar).collect()
}

/// How many simulations have no date, where the sentence above does not say it.
fn without_date(forecast: &Forecast, milestone: &MilestoneForecast, calendar: &Calendar<'_>) -> Option<String> {
    let has_median = milestone.at(P50).is_none_or(|estimate| estimate.value.time().is_some());
    let share = percent(f64::from(milestone.censored) / forecast.replications.len() as f64);
    let horizon = calendar.when(When::AfterHorizon);
    (milestone.censored > 0 && has_median).then(|| format!("{share} of the simulations: {horizon}, or not at all"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};
    use crate::migration::message::Binding;

    fn plots(sheet: &Sheet) -> Vec<&Plot> {
        let plot = |panel: &'_ Panel| matches!(panel.body, Body::Plot(_));
        let plots = sheet.panels.iter().filter(|panel| plot(panel));
        plots.map(|panel| if let Body::Plot(plot) = &panel.body { plot } else { unreachable!() }).collect()
    }

    #[test]
    fn every_simulation_with_a_date_is_in_one_bar() {
        let sheet = sheet(&made(100, &|r| outcome(r, days_of(r)))).unwrap();
        assert_eq!(sheet.panels.len(), 3);
        for plot in plots(&sheet) {
            let sum: f64 = plot.bars.iter().map(|bar| bar.value).sum();
            assert!((sum - 100.0).abs() < 1e-9, "{plot:?}");
            assert!(plot.bars.iter().all(|bar| bar.value <= plot.most));
        }
        // Two days of October, in Toronto's midnights: 15 h after a start at 09:00.
        let first = plots(&sheet)[0].bars[0];
        assert!((first.from.fract() - 15.0 / 24.0).abs() < 1e-9, "{first:?}");
    }

    #[test]
    fn without_a_range_all_bars_are_alike_and_the_key_names_none() {
        for (number, expected) in [
            (1, &["replications, too few for a range"][..]),
            (12, &["replications, too few for a range", "median"]),
            (100, &["from P10 to P90 (80 %)", "earlier or later", "median"]),
        ] {
            let sheet = sheet(&made(number, &|r| outcome(r, days_of(r)))).unwrap();
            let told: Vec<&str> = sheet.key.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(told, expected, "{number} replications");
            let has_full = plots(&sheet).iter().flat_map(|plot| &plot.bars).any(|bar| bar.is_full);
            assert_eq!(has_full, number == 100, "{number} replications");
        }
    }

    #[test]
    fn what_has_no_date_is_told_and_not_drawn() {
        let late = |r: u32| {
            let mut outcome = outcome(r, days_of(r));
            if r.is_multiple_of(4) {
                *outcome.reached.last_mut().unwrap() = None;
                outcome.unfinished = Some(Binding::NoRoom);
            }
            outcome
        };
        let sheet = sheet(&made(100, &late)).unwrap();
        let all = sheet.panels.last().unwrap();
        assert_eq!(all.notes[1], "25 % of the simulations: after December 9, or not at all");
        let sum: f64 = plots(&sheet)[2].bars.iter().map(|bar| bar.value).sum();
        assert!((sum - 75.0).abs() < 1e-9);
        let never = |r: u32| {
            let mut outcome = late(r);
            outcome.reached = vec![None; outcome.reached.len()];
            outcome
        };
        assert_eq!(super::sheet(&made(100, &never)), None);
    }
}
