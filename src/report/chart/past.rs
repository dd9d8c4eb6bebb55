//! The burn-down of an earlier forecast beside what has happened since, and what is forecast now.

use super::super::past::{Past, Said};
use super::super::wording::Calendar;
use super::burndown::{Axis, Burndown, HeadLine, Names};
use super::dates::Dates;
use super::{Drawing, Mark, Point, points, subtitle};
use crate::forecast::Forecast;
use crate::forecast::series::left_on_heads;
use crate::scenario::Scenario;
use crate::units::Time;

/// The chart; `None` without an earlier forecast.
pub(super) fn drawing(forecast: &Forecast, past: Option<&Past>) -> Option<Drawing> {
    burndown(forecast, past?).map(Drawing::Burndown)
}

fn burndown(forecast: &Forecast, past: &Past) -> Option<Burndown> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let day = |time: Time| time.since(past.as_of).days();
    let sure = |day: f64, value: f64| Point { day, low: value, middle: value, high: value };
    let said: Vec<Point> = past.said.iter().map(said_point).collect();
    let happened: Vec<Point> = past.happened.iter().map(|(at, left)| sure(day(*at), *left)).collect();
    let now = *happened.last()?;
    let ahead = points(&left_on_heads(&forecast.replications, forecast.settings.confidence), now.day + 1.0, 1.0);
    let ahead: Vec<Point> = std::iter::once(now).chain(ahead).collect();
    let last_day = [&said, &ahead].into_iter().map(|line| fallen(line)).fold(now.day, f64::max) * 1.04;
    let most = [&said, &happened, &ahead].into_iter().flatten().map(|point| point.high).fold(0.0, f64::max);
    if last_day <= 0.0 || most <= 0.0 {
        return None;
    }
    let line = |name: String, points: Vec<Point>| HeadLine { name, points };
    let mut lines =
        vec![line(format!("forecast of {}", calendar.long(past.as_of)), said), line("this forecast".to_owned(), ahead)];
    // Without a ledger nothing is known of the time since.
    if happened.len() > 1 {
        lines.push(line("what has happened".to_owned(), happened));
    }
    let from_then = Scenario { as_of: past.as_of, ..scenario.clone() };
    Some(Burndown {
        title: format!("{}: mailboxes still on the heads, as forecast and as it came", scenario.name),
        subtitle: subtitle(forecast, "all heads together; median and P10 to P90", ""),
        unit: "mailboxes".to_owned(),
        names: Names::InARow,
        lines,
        marks: vec![Mark { day: now.day, text: format!("{}: this forecast", calendar.short(scenario.as_of)) }],
        expectations: Vec::new(),
        axis: Axis::Dates(Dates::new(&from_then, last_day)),
        last_day,
        most,
    })
}

/// What has no range has no band.
fn said_point(one: &Said) -> Point {
    let (low, high) = one.range.unwrap_or((one.p50, one.p50));
    Point { day: one.day, low, middle: one.p50, high }
}

/// When even the upper line has come down to where it ends.
fn fallen(line: &[Point]) -> f64 {
    let end = line.last().map_or(0.0, |point| point.high);
    line.iter().find(|point| point.high <= end + 0.5).map_or(0.0, |point| point.day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{after, days_of, made_of, outcome, scenario};

    #[test]
    fn what_has_happened_has_a_line_where_a_ledger_tells_it() {
        let mut now = scenario();
        now.as_of = after(10.0);
        let forecast = made_of(&now, 100, &|r| outcome(r, days_of(r)));
        let said = |day: u32| Said { day: f64::from(day), p50: 1_000.0 - f64::from(day), range: Some((1.0, 2_000.0)) };
        let names = |happened: Vec<(Time, f64)>| {
            let past = Past::made(after(0.0), (1..30).map(said).collect(), happened);
            let chart = burndown(&forecast, &past).unwrap();
            assert!((chart.marks[0].day - 10.0).abs() < 1e-9 && chart.last_day > 28.0, "{chart:?}");
            chart.lines.into_iter().map(|line| line.name).collect::<Vec<_>>()
        };
        assert_eq!(names(vec![(after(10.0), 900.0)]), ["forecast of October 10", "this forecast"]);
        let told = names(vec![(after(0.0), 1_000.0), (after(10.0), 900.0)]);
        assert_eq!(told, ["forecast of October 10", "this forecast", "what has happened"]);
    }
}
