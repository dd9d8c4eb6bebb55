//! The chart of a measured load: means by the hour of the local week, and from P10 to P90 of the samples of each hour.

use super::burndown::{Axis, Burndown, HeadLine, Names};
use super::{Drawing, Mark, Picture, Point};
use crate::scenario::{HourOfWeek, HoursFit, LoadColumn, LoadSummary};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The chart; `None` when nothing could be fitted.
pub(in super::super) fn week(load: &LoadSummary, zone: &str) -> Option<Picture> {
    let is_mixed = load.columns.iter().any(|column| column.is_share != load.columns[0].is_share);
    let lines: Vec<HeadLine> =
        load.columns.iter().filter_map(|column| Some(line(column, column.hours.as_ref().ok()?, is_mixed))).collect();
    let most = lines.iter().flat_map(|line| &line.points).map(|point| point.high).fold(0.0, f64::max);
    if lines.is_empty() || most <= 0.0 {
        return None;
    }
    let unit = match load.columns.first() {
        _ if is_mixed => "times the mean",
        Some(column) if column.is_share => "% of capacity",
        Some(_) | None => "op/s",
    };
    let drawing = Drawing::Burndown(Burndown {
        title: format!("{}: load by the hour of the week", load.file),
        subtitle: format!(
            "mean, and P10 to P90 of {} samples; hours of {zone}",
            super::super::wording::count(load.samples as f64)
        ),
        unit: unit.to_owned(),
        names: Names::InARow,
        lines,
        marks: Vec::new(),
        expectations: Vec::new(),
        axis: Axis::Marks(
            (0_u8..).zip(DAYS).map(|(day, name)| Mark { day: f64::from(day), text: name.to_owned() }).collect(),
        ),
        last_day: 7.0,
        most,
    });
    Some(Picture {
        stem: "load",
        title: "Load by the hour of the week",
        description: "A line for each column of the file: the mean by the hour of the local week, within a band from P10 to P90.",
        drawing,
    })
}

fn line(column: &LoadColumn, fit: &HoursFit, is_mixed: bool) -> HeadLine {
    let factor = match (is_mixed, column.is_share) {
        (true, _) => 1.0 / fit.mean,
        (false, true) => 100.0,
        (false, false) => 1.0,
    };
    let count = fit.hours.len();
    // Hours lie at their middles; at both ends of the week the line is half way between its last and its first one.
    let between = |a: HourOfWeek, b: HourOfWeek| HourOfWeek {
        mean: f64::midpoint(a.mean, b.mean),
        low: f64::midpoint(a.low, b.low),
        high: f64::midpoint(a.high, b.high),
    };
    let end = between(fit.hours[count - 1], fit.hours[0]);
    let inner = fit.hours.iter().enumerate().map(|(hour, of)| ((hour as f64 + 0.5) / 24.0, *of));
    let all = [(0.0, end)].into_iter().chain(inner).chain([(count as f64 / 24.0, end)]);
    let points = all.map(|(day, hour)| Point {
        day,
        low: hour.low * factor,
        middle: hour.mean * factor,
        high: hour.high * factor,
    });
    HeadLine { name: column.name.clone(), points: points.collect() }
}
