//! The burn-down chart: mailboxes still on each head over local dates, median and P10 to P90, as SVG and PNG.

mod draw;
mod week;

use jiff::ToSpan as _;

use super::wording::{Calendar, local};
use crate::forecast::Forecast;
use crate::forecast::quantile::{P50, P90, estimable};
use crate::forecast::series::HeadSeries;
use crate::migration::message::Milestone;
use crate::units::Time;
pub(super) use week::week;

/// Width of the SVG; the PNG is twice as large.
const WIDTH: u32 = 1_200;
/// Height of the SVG.
const HEIGHT: u32 = 700;

/// What the chart shows, in days since the forecast's start and mailboxes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Burndown {
    title: String,
    subtitle: String,
    /// What the upright axis counts.
    unit: String,
    names: Names,
    lines: Vec<HeadLine>,
    marks: Vec<Mark>,
    expectations: Vec<Mark>,
    ticks: Vec<Mark>,
    last_day: f64,
    most: f64,
}

/// Where the names of the lines stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Beside each line, where it has fallen a little.
    BesideLines,
    /// In a row above the plot.
    InARow,
}

#[derive(Clone, Debug, PartialEq)]
struct HeadLine {
    name: String,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    day: f64,
    low: f64,
    middle: f64,
    high: f64,
}

#[derive(Clone, Debug, PartialEq)]
struct Mark {
    day: f64,
    text: String,
}

/// The chart of a forecast; `None` when there are too few replications for any median.
pub(super) fn burndown(forecast: &Forecast) -> Option<Burndown> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let lines: Vec<HeadLine> = (0..scenario.heads.len()).filter_map(|head| line(forecast, head)).collect();
    let days = |time: Time| time.since(scenario.as_of).days();
    let all = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied);
    let emptied = all.and_then(|one| Some(days(one.at(P90)?.value.time()?)));
    let drawn = lines.iter().flat_map(|line| &line.points).map(|point| point.day).fold(0.0, f64::max);
    let expectations: Vec<Mark> = forecast
        .expectations
        .iter()
        .map(|one| {
            let name = scenario.milestone_name(&one.expectation.milestone);
            let text = format!("{name} expected by {} ({})", one.expectation.by, one.verdict.name());
            Mark { day: days(one.expectation.before), text }
        })
        .filter(|mark| mark.day <= days(scenario.horizon))
        .collect();
    let expected = expectations.iter().map(|mark| mark.day).fold(0.0, f64::max);
    let last_day = emptied.unwrap_or(drawn).max(expected) * 1.04;
    let most = lines.iter().flat_map(|line| &line.points).map(|point| point.high).fold(0.0, f64::max);
    if lines.is_empty() || last_day <= 0.0 || most <= 0.0 {
        return None;
    }
    let incomplete = if forecast.rule.interrupted { "INCOMPLETE, " } else { "" };
    let count = forecast.replications.len();
    let ranged = estimable(count, P90, forecast.settings.confidence);
    let shown = if ranged { "median and P10 to P90" } else { "median (too few for a range)" };
    Some(Burndown {
        title: format!("{}: mailboxes still on each head", scenario.name),
        subtitle: format!("{incomplete}{shown} of {count} replications; local dates"),
        unit: "mailboxes".to_owned(),
        names: Names::BesideLines,
        lines,
        marks: marks(forecast, &calendar),
        expectations,
        ticks: ticks(forecast, &calendar, last_day),
        last_day,
        most,
    })
}

fn line(forecast: &Forecast, head: usize) -> Option<HeadLine> {
    let population = &forecast.scenario.model.population;
    let there = population.split[head].fraction() * (1.0 - population.moved[head].fraction());
    let start = f64::from(population.mailboxes) * there;
    let (_, days) = forecast.heads[head].days.iter().find(|(series, _)| *series == HeadSeries::Mailboxes)?;
    let mut points = vec![Point { day: 0.0, low: start, middle: start, high: start }];
    for day in days {
        let middle = day.p50?;
        // Too few replications for a range: the band is as thin as the line.
        let (low, high) = (day.p10.unwrap_or(middle), day.p90.unwrap_or(middle));
        points.push(Point { day: f64::from(day.day) + 1.0, low, middle, high });
    }
    (points.len() > 1).then(|| HeadLine { name: forecast.scenario.heads[head].clone(), points })
}

/// Medians of what people wait for; those of one moment share a label.
fn marks(forecast: &Forecast, calendar: &Calendar<'_>) -> Vec<Mark> {
    let scenario = &forecast.scenario;
    let mut dated: Vec<(Time, String)> = forecast
        .milestones
        .iter()
        .filter(|one| {
            matches!(
                one.milestone,
                Milestone::HeadEmptied { .. }
                    | Milestone::AllEmptied
                    | Milestone::ClusterFull { .. }
                    | Milestone::ClusterOpened { .. }
            )
        })
        .filter_map(|one| Some((one.at(P50)?.value.time()?, scenario.milestone_name(&one.milestone))))
        .filter(|(time, _)| !calendar.already(*time))
        .collect();
    // Stable: milestones of one instant stay in the scenario's order.
    dated.sort_by_key(|(time, _)| *time);
    let mut groups: Vec<(Time, Vec<String>)> = Vec::new();
    for (time, name) in dated {
        match groups.last_mut() {
            Some((first, names)) if time.since(*first).days() < 0.2 => names.push(name),
            _ => groups.push((time, vec![name])),
        }
    }
    let mark = |(time, names): (Time, Vec<String>)| Mark {
        day: time.since(scenario.as_of).days(),
        text: format!("{}: {}", names.join(", "), calendar.short(time)),
    };
    groups.into_iter().map(mark).collect()
}

/// Local midnights: each day, each Monday, or each first of a month, whichever leaves room for the labels.
fn ticks(forecast: &Forecast, calendar: &Calendar<'_>, last_day: f64) -> Vec<Mark> {
    let scenario = &forecast.scenario;
    let mut date = local(scenario.as_of, &scenario.time_zone).date();
    let mut ticks = Vec::new();
    for _ in 0..=last_day.ceil() as u32 {
        let Ok(tomorrow) = date.checked_add(1.day()) else { break };
        date = tomorrow;
        let wanted = if last_day <= 14.0 {
            true
        } else if last_day <= 100.0 {
            date.weekday() == jiff::civil::Weekday::Monday
        } else {
            date.day() == 1
        };
        let Ok(midnight) = date.to_zoned_datetime(scenario.time_zone.clone()) else { break };
        let time = Time::from_unix_micros(midnight.timestamp().as_microsecond());
        let day = time.since(scenario.as_of).days();
        if wanted && day <= last_day {
            ticks.push(Mark { day, text: calendar.with_weekday(time) });
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};

    #[test]
    fn milestones_of_one_moment_share_a_label() {
        let chart = burndown(&made(100, &|r| outcome(r, days_of(r)))).unwrap();
        assert!(
            chart.marks.iter().any(|mark| mark.text.contains("head-2 emptied, all emptied: ")),
            "{:?}",
            chart.marks
        );
        assert!(chart.ticks.iter().all(|tick| tick.text.starts_with("Mon ")), "{:?}", chart.ticks);
    }

    #[test]
    fn too_few_replications_give_no_chart() {
        assert_eq!(burndown(&made(3, &|r| outcome(r, days_of(r)))), None);
    }

    #[test]
    fn the_same_forecast_gives_the_same_picture() {
        let chart = burndown(&made(40, &|r| outcome(r, days_of(r)))).unwrap();
        let svg = chart.svg().unwrap();
        assert_eq!(svg, chart.svg().unwrap());
        assert!(svg.contains("head-1") && svg.contains("expected by 2012-10-20"));
        let png = chart.png().unwrap();
        assert!(png.starts_with(b"\x89PNG") && png == chart.png().unwrap());
    }
}
