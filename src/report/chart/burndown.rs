//! The burn-down chart: mailboxes still on each head over local dates, median and P10 to P90.
//!
//! Many heads get a panel each.

mod draw;

use super::super::standing;
use super::super::wording::Calendar;
use super::dates::{Dates, HOURS_BELOW};
use super::plot::Plot;
use super::sheet::{Body, MOST_PANELS, Panel, Sheet, Sign};
use super::{Drawing, Mark, Point, days_since, first_of, points, subtitle};
use crate::fleet::HeadId;
use crate::forecast::Forecast;
use crate::forecast::quantile::{P10, P50, P90};
use crate::forecast::series::HeadSeries;
use crate::migration::message::Milestone;
use crate::units::Time;

/// Lines on one chart; there are as many colours.
const MOST_LINES: usize = 4;
/// Labels above a chart.
const MOST_MARKS: usize = 12;
/// What lies closer together than this share of the axis has one label.
const ONE_MOMENT: f64 = 0.01;

/// What the chart shows, in days since its start and mailboxes.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Burndown {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// What the upright axis counts.
    pub(super) unit: String,
    pub(super) names: Names,
    pub(super) lines: Vec<HeadLine>,
    pub(super) marks: Vec<Mark>,
    pub(super) expectations: Vec<Mark>,
    pub(super) axis: Axis,
    pub(super) last_day: f64,
    pub(super) most: f64,
}

/// What stands below the axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Axis {
    Dates(Dates),
    Marks(Vec<Mark>),
}

/// Where the names of the lines stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Beside each line, where it has fallen a little.
    BesideLines,
    /// In rows above the plot.
    InARow,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeadLine {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// The chart of a forecast; `None` when there are too few replications for any median.
pub(super) fn drawing(forecast: &Forecast) -> Option<Drawing> {
    if forecast.scenario.heads.len() > MOST_LINES {
        return panels(forecast).map(Drawing::Sheet);
    }
    burndown(forecast).map(Drawing::Burndown)
}

fn burndown(forecast: &Forecast) -> Option<Burndown> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let lines = lines(forecast);
    // A date that lies much later would leave no room for the lines.
    let end = end(forecast, &lines);
    let farthest = (end * 3.0).max((end * 7.0).min(7.0));
    let expectations: Vec<Mark> = forecast
        .expectations
        .iter()
        .filter(|one| !one.has_passed)
        .map(|one| {
            let name = scenario.milestone_name(&one.expectation.milestone);
            // The date and the verdict first: where there is little room, the name is cut.
            let text = format!("{}, expected by {}: {name}", one.verdict.name(), one.expectation.by);
            Mark { day: days_since(scenario, one.expectation.before), text }
        })
        .filter(|mark| mark.day <= days_since(scenario, scenario.horizon) && mark.day <= farthest)
        .collect();
    let expected = expectations.iter().map(|mark| mark.day).fold(0.0, f64::max);
    let last_day = end.max(expected) * 1.04;
    let most = highest(&lines);
    if lines.is_empty() || last_day <= 0.0 || most <= 0.0 {
        return None;
    }
    Some(Burndown {
        title: format!("{}: mailboxes still on each head", scenario.name),
        subtitle: subtitle(forecast, "median and P10 to P90", ""),
        unit: "mailboxes".to_owned(),
        names: Names::BesideLines,
        lines,
        marks: marks(forecast, &calendar, last_day),
        expectations,
        axis: Axis::Dates(Dates::new(scenario, last_day)),
        last_day,
        most,
    })
}

/// When everything is off the old storage in nine of ten replications, or the last day that is known.
fn end(forecast: &Forecast, lines: &[HeadLine]) -> f64 {
    let all = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied);
    let emptied = all.and_then(|one| Some(days_since(&forecast.scenario, one.at(P90)?.value.time()?)));
    emptied.unwrap_or_else(|| lines.iter().flat_map(|line| &line.points).map(|point| point.day).fold(0.0, f64::max))
}

fn highest(lines: &[HeadLine]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|point| point.high).fold(0.0, f64::max)
}

/// The heads that still have mailboxes.
fn lines(forecast: &Forecast) -> Vec<HeadLine> {
    let standings = standing::by_head(&forecast.scenario);
    let line = |(head, standing): (usize, &standing::Standing)| {
        let start = standing.left;
        let mut all = vec![Point { day: 0.0, low: start, middle: start, high: start }];
        let (_, days) = forecast.heads[head].days.iter().find(|(series, _)| *series == HeadSeries::Mailboxes)?;
        all.extend(points(days, 1.0, 1.0));
        let name = forecast.scenario.heads[head].clone();
        (start > 0.0 && all.len() > 1).then(|| HeadLine { name, points: to_the_end(forecast, head, &all) })
    };
    standings.iter().enumerate().filter_map(line).collect()
}

/// The series is known at the ends of days of 24 hours, and a head is emptied within one: from that date on each quantile has
/// what it has at the end of that day.
fn to_the_end(forecast: &Forecast, head: usize, days: &[Point]) -> Vec<Point> {
    let emptied = Milestone::HeadEmptied { head: HeadId(head as u8), set_aside: 0 };
    let known = forecast.milestones.iter().find(|one| one.milestone == emptied);
    let date = |level| Some(days_since(&forecast.scenario, known?.at(level)?.value.time()?)).filter(|day| *day > 0.0);
    let with_end = |level, of: fn(&Point) -> f64| {
        let mut knots: Vec<(f64, f64)> = days.iter().map(|point| (point.day, of(point))).collect();
        if let Some(day) = date(level)
            && let Some(next) = knots.iter().position(|knot| knot.0 > day)
        {
            knots.insert(next, (day, knots[next].1));
        }
        knots
    };
    let low = with_end(P10, |point| point.low);
    let middle = with_end(P50, |point| point.middle);
    let high = with_end(P90, |point| point.high);
    let mut all: Vec<f64> = [&low, &middle, &high].into_iter().flatten().map(|knot| knot.0).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    let point = |day| Point { day, low: between(&low, day), middle: between(&middle, day), high: between(&high, day) };
    all.into_iter().map(point).collect()
}

/// The value on a day, on the straight line between its neighbours.
fn between(knots: &[(f64, f64)], day: f64) -> f64 {
    let after = knots.iter().position(|knot| knot.0 >= day).unwrap_or(knots.len() - 1);
    let ((from, a), (to, b)) = (knots[after.max(1) - 1], knots[after]);
    if to > from { a + (b - a) * (day - from) / (to - from) } else { b }
}

fn panels(forecast: &Forecast) -> Option<Sheet> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let lines = lines(forecast);
    let most = highest(&lines) * 1.08;
    let last_day = end(forecast, &lines) * 1.04;
    if most <= 0.0 || last_day <= 0.0 {
        return None;
    }
    let panel = |mut line: HeadLine| {
        let of_head = |milestone: &Milestone| matches!(milestone, Milestone::HeadEmptied { head, .. } if scenario.heads[head.index()] == line.name);
        let emptied = forecast.milestones.iter().find(|one| of_head(&one.milestone)).and_then(|one| one.at(P50));
        let time = emptied.and_then(|estimate| estimate.value.time()).filter(|time| !calendar.already(*time));
        let expected = forecast.expectations.iter().filter(|one| of_head(&one.expectation.milestone));
        let expected = expected.map(|one| format!("expected by {}: {}", one.expectation.by, one.verdict.name()));
        let notes = [format!("emptied: {}", calendar.cell(emptied, false))].into_iter().chain(expected).collect();
        line.points.retain(|point| point.day <= last_day);
        let uprights = time.map(|time| days_since(scenario, time)).into_iter().collect();
        let plot = Plot { unit: "mailboxes".into(), most, band: line.points, uprights, ..Plot::default() };
        Panel { name: line.name, notes, body: Body::Plot(plot) }
    };
    let (panels, left_out) = first_of(lines.into_iter().map(panel).collect(), MOST_PANELS);
    Some(Sheet {
        title: format!("{}: mailboxes still on each head", scenario.name),
        subtitle: subtitle(forecast, "median and P10 to P90", &left_out),
        key: vec![(Sign::Band, "mailboxes on the head".into()), (Sign::Upright, "emptied (median)".into())],
        panels,
        columns: 3,
        days: (0.0, last_day),
        dates: Dates::new(scenario, last_day),
    })
}

/// Medians of what people wait for; those of one moment share a label. Where there are too many, clusters go first.
fn marks(forecast: &Forecast, calendar: &Calendar<'_>, last_day: f64) -> Vec<Mark> {
    let head = |milestone: &Milestone| matches!(milestone, Milestone::HeadEmptied { .. } | Milestone::AllEmptied);
    let cluster =
        |milestone: &Milestone| matches!(milestone, Milestone::ClusterFull { .. } | Milestone::ClusterOpened { .. });
    let all = marks_of(forecast, calendar, last_day, &|milestone| head(milestone) || cluster(milestone));
    if all.len() <= MOST_MARKS { all } else { marks_of(forecast, calendar, last_day, &head) }
}

fn marks_of(
    forecast: &Forecast,
    calendar: &Calendar<'_>,
    last_day: f64,
    wanted: &dyn Fn(&Milestone) -> bool,
) -> Vec<Mark> {
    // What is one moment hangs on how far the axis goes.
    let moment = (last_day * ONE_MOMENT).min(0.2);
    let said = |time| if last_day < HOURS_BELOW { calendar.with_clock(time) } else { calendar.short(time) };
    let scenario = &forecast.scenario;
    let mut dated: Vec<(Time, String)> = forecast
        .milestones
        .iter()
        .filter(|one| wanted(&one.milestone))
        .filter_map(|one| Some((one.at(P50)?.value.time()?, scenario.milestone_name(&one.milestone))))
        .filter(|(time, _)| !calendar.already(*time))
        .collect();
    // Stable: milestones of one instant stay in the scenario's order.
    dated.sort_by_key(|(time, _)| *time);
    let mut groups: Vec<(Time, Vec<String>)> = Vec::new();
    for (time, name) in dated {
        match groups.last_mut() {
            Some((first, names)) if time.since(*first).days() < moment => names.push(name),
            _ => groups.push((time, vec![name])),
        }
    }
    let mark = |(time, names): (Time, Vec<String>)| Mark {
        day: days_since(scenario, time),
        // The date first: where there is little room, the names are cut.
        text: format!("{}: {}", said(time), names.join(", ")),
    };
    groups.into_iter().map(mark).collect()
}
#[cfg(test)]
mod tests {
    use super::super::Paper;
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};

    #[test]
    fn milestones_of_one_moment_share_a_label() {
        let chart = burndown(&made(100, &|r| outcome(r, days_of(r)))).unwrap();
        assert!(
            chart.marks.iter().any(|mark| mark.text.ends_with(": head-2 emptied, all emptied")),
            "{:?}",
            chart.marks
        );
    }

    #[test]
    fn a_head_that_is_emptied_within_a_day_has_a_line_until_then() {
        let forecast = made(100, &|r| outcome(r, 1.0));
        let chart = burndown(&forecast).unwrap();
        let first = &chart.lines[0].points;
        assert!(first.len() == 3 && (first[1].day - 1.0 / 3.0).abs() < 1e-6, "{first:?}");
        assert!(first[1].middle < 1.0 && first[1].high < 1.0, "{first:?}");
    }

    #[test]
    fn milestones_of_a_few_hours_have_labels_of_their_own_with_the_time_of_day() {
        let chart = burndown(&made(100, &|r| outcome(r, 4.0 / 24.0))).unwrap();
        let marks: Vec<&str> = chart.marks.iter().map(|mark| mark.text.as_str()).collect();
        assert!(marks.iter().any(|text| text.ends_with(": head-1 emptied")), "{marks:?}");
        assert!(marks.contains(&"Oct 10 13:00: head-2 emptied, all emptied"), "{marks:?}");
        assert!(chart.last_day < 1.5, "an expectation in ten days leaves room for hours: {}", chart.last_day);
    }

    #[test]
    fn too_few_replications_give_no_chart() {
        assert_eq!(burndown(&made(3, &|r| outcome(r, days_of(r)))), None);
    }

    #[test]
    fn the_same_forecast_gives_the_same_picture() {
        let forecast = made(40, &|r| outcome(r, days_of(r)));
        let pictures = super::super::pictures(&forecast, None);
        assert_eq!(pictures.len(), 6);
        for picture in &pictures {
            let svg = picture.svg(Paper::FILE).unwrap();
            assert_eq!(svg, picture.svg(Paper::FILE).unwrap());
            assert!(svg.contains("A small migration: "), "{}", picture.stem);
        }
        let svg = pictures[0].svg(Paper::FILE).unwrap();
        assert!(svg.contains("head-1") && svg.contains("expected by 2012-10-20"));
        let png = pictures[0].png().unwrap();
        assert!(png.starts_with(b"\x89PNG") && png == pictures[0].png().unwrap());
    }
}
