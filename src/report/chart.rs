//! The charts of a forecast, as SVG and PNG and for a page.
//!
//! A chart is first what it shows, as numbers and words, and then drawn on a paper of some width.

mod burndown;
mod canvas;
mod completion;
mod dates;
mod explain;
mod forest;
mod graph;
mod past;
mod plot;
mod print;
mod sheet;
mod stores;
mod strips;
mod sweep;
mod tornado;
mod week;
mod what_if;

use std::io;

use super::past::Past;
use super::wording::replications;
use crate::forecast::Forecast;
use crate::forecast::quantile::{P90, estimable};
use crate::forecast::series::DayQuantiles;
use crate::scenario::Scenario;
use crate::units::Time;
use burndown::Burndown;
use canvas::Draw;
pub(super) use canvas::Paper;
pub(super) use explain::pictures as of_explain;
use forest::Forest;
use graph::Graph;
use sheet::Sheet;
pub(super) use sweep::pictures as of_sweep;
use tornado::Tornado;
pub(super) use week::week;
pub(super) use what_if::pictures as of_what_if;

/// The names of all charts that a forecast may have.
pub(super) const STEMS: [&str; 7] = ["burndown", "completion", "fill", "load", "pace", "risk", "past"];

/// How high a part of a chart is at most, by its width: with its headings it fits a page of paper.
const PART_HIGHEST: f64 = 1.15;

/// One chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    /// Its files' name without the ending, and its place on a page.
    pub(super) stem: &'static str,
    /// What it shows.
    pub(super) title: &'static str,
    /// The same for somebody who cannot see it: what lies where, and where the numbers stand.
    pub(super) description: &'static str,
    drawing: Drawing,
}

#[derive(Clone, Debug, PartialEq)]
enum Drawing {
    Burndown(Burndown),
    Sheet(Sheet),
    Tornado(Tornado),
    Graph(Graph),
    Forest(Forest),
}

/// The charts that a forecast has, in the order of a page; those of which too few replications tell anything are left out.
pub(super) fn pictures(forecast: &Forecast, past: Option<&Past>) -> Vec<Picture> {
    let sheet = Drawing::Sheet;
    let all = [
        (
            STEMS[0],
            "Mailboxes still on each head",
            "Lines over local dates that fall as mailboxes leave: the median, within a band from P10 to P90. Upright lines \
             mark when heads are emptied and clusters open and fill up, triangles the dates expected. The dates stand in the \
             table of dates.",
            burndown::drawing(forecast),
        ),
        (
            STEMS[1],
            "When it is done",
            "Bars by local date for every head and for all: in how many per cent of the simulations it is emptied then, those \
             from P10 to P90 darker where there are enough for a range. The dates stand in the table of dates.",
            completion::sheet(forecast).map(sheet),
        ),
        (
            STEMS[2],
            "Fill of the clusters",
            "A line over local dates for each cluster: its fill, the median within a band from P10 to P90, below the dashed \
             level at which it is full. The table of clusters has the numbers.",
            stores::fill(forecast).map(sheet),
        ),
        (
            STEMS[3],
            "Load and response of the heads",
            "Lines over local dates for each head: load, and response time against the users' objective, with the migration \
             and from users alone. The table of load and risk compares the first and the last week.",
            stores::load(forecast).map(sheet),
        ),
        (
            STEMS[4],
            "Pace, and what bound it",
            "A line over local dates for each head: copies that progress at once. Beside it a bar of what bound the head, as \
             shares of the time in its turn, and the same by day; the shares stand in words under what holds the date back.",
            stores::pace(forecast).map(sheet),
        ),
        (
            STEMS[5],
            "Risk of outages",
            "Lines over local dates for each head: outages expected a day with the migration and from users alone, and \
             mailbox-hours of outage expected a day. The table of load and risk compares the first and the last week.",
            stores::risk(forecast).map(sheet),
        ),
        (
            STEMS[6],
            "As forecast, and as it came",
            "Lines over local dates that fall as mailboxes leave all heads: the median of the earlier forecast within a band \
             from P10 to P90, what has happened since, and the median of this forecast within its band. The sentence before \
             the chart says how far they are apart.",
            past::drawing(forecast, past),
        ),
    ];
    let picture = |(stem, title, description, drawing): (_, _, _, Option<Drawing>)| {
        Some(Picture { stem, title, description, drawing: drawing? })
    };
    all.into_iter().filter_map(picture).collect()
}

impl Picture {
    /// What stands below its title.
    pub(super) fn subtitle(&self) -> &str {
        match &self.drawing {
            Drawing::Burndown(burndown) => &burndown.subtitle,
            Drawing::Sheet(sheet) => &sheet.subtitle,
            Drawing::Tornado(tornado) => &tornado.subtitle,
            Drawing::Graph(graph) => &graph.subtitle,
            Drawing::Forest(forest) => &forest.subtitle,
        }
    }

    /// The chart as SVG.
    ///
    /// # Errors
    /// When it cannot be drawn: the font is missing.
    pub(super) fn svg(&self, paper: Paper) -> io::Result<String> {
        print::svg(self.drawn(), paper)
    }

    /// The same in parts, one below the other, between which a page of paper may end.
    ///
    /// # Errors
    /// When it cannot be drawn: the font is missing.
    pub(super) fn svg_in_parts(&self, paper: Paper) -> io::Result<Vec<String>> {
        match &self.drawing {
            Drawing::Sheet(sheet) => {
                let parts = sheet.parts(paper, paper.width() * PART_HIGHEST);
                parts.iter().map(|part| print::svg(part, paper)).collect()
            }
            Drawing::Burndown(_) | Drawing::Tornado(_) | Drawing::Graph(_) | Drawing::Forest(_) => {
                Ok(vec![self.svg(paper)?])
            }
        }
    }

    /// The chart as PNG, for a file of its own.
    ///
    /// # Errors
    /// When it cannot be drawn: the font is missing.
    pub(super) fn png(&self) -> io::Result<Vec<u8>> {
        print::png(self.drawn(), Paper::FILE)
    }

    fn drawn(&self) -> &dyn Draw {
        match &self.drawing {
            Drawing::Burndown(burndown) => burndown,
            Drawing::Sheet(sheet) => sheet,
            Drawing::Tornado(tornado) => tornado,
            Drawing::Graph(graph) => graph,
            Drawing::Forest(forest) => forest,
        }
    }
}

/// A quantity on a day, in days since the forecast's start.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    day: f64,
    low: f64,
    middle: f64,
    high: f64,
}

/// Something that is named at a day.
#[derive(Clone, Debug, PartialEq)]
struct Mark {
    day: f64,
    text: String,
}

/// The days of which a median is known, `after` the beginning of each. Too few replications for a range: the band is as thin
/// as the line.
fn points(days: &[DayQuantiles], after: f64, factor: f64) -> Vec<Point> {
    let point = |day: &DayQuantiles| {
        let middle = day.p50?;
        let (low, high) = (day.p10.unwrap_or(middle), day.p90.unwrap_or(middle));
        let [low, middle, high] = [low, middle, high].map(|value| value * factor);
        Some(Point { day: f64::from(day.day) + after, low, middle, high })
    };
    days.iter().map_while(point).collect()
}

fn days_since(scenario: &Scenario, time: Time) -> f64 {
    time.since(scenario.as_of).days()
}

/// The first ones, and a sentence about the others.
fn first_of<T>(mut all: Vec<T>, most: usize) -> (Vec<T>, String) {
    let left_out = all.len().saturating_sub(most);
    all.truncate(most);
    let told = if left_out > 0 { format!("; {left_out} more panels are left out") } else { String::new() };
    (all, told)
}

/// What the numbers of a chart are.
fn subtitle(forecast: &Forecast, what: &str, more: &str) -> String {
    let incomplete = if forecast.rule.interrupted { "INCOMPLETE, " } else { "" };
    let number = forecast.replications.len();
    let ranged = estimable(number, P90, forecast.settings.confidence);
    let few = if ranged { "" } else { " (too few for a range)" };
    format!("{incomplete}{what}; {}{few}; local dates{more}", replications(number))
}
