//! A sweep in words, as data, as tables, as a page, and as charts.

mod data;
mod files;
mod table;

#[cfg(test)]
pub(super) use data::schema;
pub use data::{document, json};
pub use files::write;

use super::what_if::words::amount;
use super::wording::{Calendar, count, percent, replications};
use super::{Block, Report, Section, Tone, sections};
use crate::forecast::explain::awaited;
use crate::forecast::sweep::design::Axis;
use crate::forecast::sweep::{Mean, Point, Swept};
use crate::scenario::Scenario;
use crate::units::Span;

/// A sweep with what is said besides.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The scenario that is varied, with every input at its middle.
    pub scenario: Scenario,
    /// Its file, without its folders.
    pub file: String,
    /// SHA-256 of its resolved text, in hexadecimal.
    pub sha256: String,
    /// What is varied.
    pub axes: Vec<Axis>,
    /// Whether every value stands with every other.
    pub is_grid: bool,
    /// What the points have come to.
    pub swept: Swept,
    /// Points that were asked for.
    pub asked: usize,
    /// Replications of each.
    pub replications: u32,
    /// Keys every draw.
    pub seed: u64,
    /// The command that gives these numbers again.
    pub command: String,
    /// What is dubious in what was read.
    pub warnings: Vec<String>,
}

impl Sweep {
    pub(super) fn is_complete(&self) -> bool {
        self.swept.points.len() == self.asked
    }

    pub(super) fn main(&self) -> String {
        awaited(&self.scenario)
    }

    /// "plan.throttle.max=48, plan.move.stream=12 MB/s".
    pub(super) fn said(&self, point: &Point) -> String {
        let one = |(axis, value): (&Axis, &f64)| format!("{}={}", axis.key, axis.written(*value));
        self.axes.iter().zip(&point.values).map(one).collect::<Vec<_>>().join(", ")
    }

    /// The local date of the mean of a point's days; "from" the horizon where some of its dates count as that.
    pub(super) fn date(&self, point: &Point) -> String {
        let time = self.scenario.as_of + Span::from_secs_f64(point.days.value * 86_400.0);
        let date = Calendar::new(&self.scenario).short(time);
        if point.bounded > 0 { format!("{date} or later") } else { date }
    }
}

/// Points in the page's table; all of them stand in the files.
const MOST_ROWS: usize = 60;

/// The whole of it as plain rows, the answer first.
#[must_use]
pub fn report(sweep: &Sweep) -> Report {
    let sections = vec![
        answer(sweep),
        frontier(sweep),
        points(sweep),
        method(sweep),
        sections::remarks(&sweep.warnings),
        repeat(sweep),
    ];
    let sections = sections.into_iter().filter(|section| !section.blocks.is_empty()).collect();
    Report { title: format!("{}: sweep", sweep.scenario.name), sections }
}

fn section(title: &str, blocks: Vec<Block>) -> Section {
    Section { title: title.into(), blocks }
}

fn plain(text: impl Into<String>) -> Block {
    Block::Line(Tone::Plain, text.into())
}

/// The earliest point, the one that costs users least, and the knee between them.
pub(super) fn answer(sweep: &Sweep) -> Section {
    let swept = &sweep.swept;
    let mut blocks = Vec::new();
    if !sweep.is_complete() {
        let (done, asked) = (count(swept.points.len() as f64), count(sweep.asked as f64));
        blocks.push(Block::Line(Tone::Bad, format!("INCOMPLETE: ended early, after {done} of {asked} points")));
    }
    let said = |place: usize| {
        let point = &swept.points[place];
        format!("{}: {}, {} minutes slow by the migration", sweep.said(point), sweep.date(point), minutes(point))
    };
    let horizon = || Calendar::new(&sweep.scenario).long(sweep.scenario.horizon);
    let (Some(first), Some(last)) = (swept.frontier.first(), swept.frontier.last()) else {
        let text = if swept.points.is_empty() {
            "No point was completed".to_owned()
        } else {
            format!("At no point are all replications done by {}: give a longer horizon", horizon())
        };
        blocks.push(Block::Line(Tone::Doubt, text));
        return section("", blocks);
    };
    blocks.push(Block::Line(Tone::Strong, format!("Earliest with {}", said(*first))));
    match (first == last, swept.knee) {
        (true, _) => blocks.push(plain("No point costs users less: date and users want the same here.")),
        (false, knee) => {
            blocks.push(plain(format!("Least for users with {}", said(*last))));
            blocks.push(match knee {
                Some(knee) => Block::Line(Tone::Strong, format!("Knee of the frontier: {}", said(knee))),
                None if swept.frontier.len() < 3 => {
                    plain("The frontier has these two points alone: one with a knee has three at least.")
                }
                None => plain("The frontier has no knee: nowhere does a day cost users much less than elsewhere."),
            });
        }
    }
    let beyond = swept.points.iter().filter(|point| point.bounded > 0).count();
    if beyond > 0 {
        let text = format!(
            "{} of {} points have replications that are not done by the horizon, {}: nobody knows when they are, nor what users go \
             through until then, and the points are left out of this",
            count(beyond as f64),
            count(swept.points.len() as f64),
            horizon()
        );
        blocks.push(Block::Line(Tone::Doubt, text));
    }
    section("", blocks)
}

/// Columns: what is varied, by the end of its key where that is its own, and then more.
fn names(sweep: &Sweep, more: &[&str]) -> Vec<String> {
    let end = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let ends: Vec<String> = sweep.axes.iter().map(|axis| end(&axis.key)).collect();
    let name = |(axis, end): (&Axis, &String)| {
        let is_alone = ends.iter().filter(|known| *known == end).count() == 1 && !more.contains(&end.as_str());
        if is_alone { end.clone() } else { axis.key.clone() }
    };
    sweep.axes.iter().zip(&ends).map(name).chain(more.iter().map(|name| (*name).to_owned())).collect()
}

fn values(sweep: &Sweep, point: &Point) -> Vec<String> {
    sweep.axes.iter().zip(&point.values).map(|(axis, value)| axis.written(*value)).collect()
}

/// Days with the half of their interval, or how many they are at least.
fn days(point: &Point) -> String {
    let Mean { value, interval } = point.days;
    match interval {
        _ if point.bounded > 0 => format!("at least {value:.2}"),
        Some((low, high)) => format!("{value:.2} ± {:.2}", (high - low) / 2.0),
        None => format!("{value:.2}"),
    }
}

/// Minutes slow by the migration, or how many they are at least.
fn minutes(point: &Point) -> String {
    let minutes = amount(point.minutes().value);
    if point.unfinished > 0 { format!("at least {minutes}") } else { minutes }
}

/// What nobody would give up for another point.
pub(super) fn frontier(sweep: &Sweep) -> Section {
    let swept = &sweep.swept;
    let row = |place: &usize| {
        let point = &swept.points[*place];
        let mark = if swept.knee == Some(*place) { "knee" } else { "" };
        let more = [sweep.date(point), days(point), minutes(point), mark.to_owned()];
        [values(sweep, point), more.to_vec()].concat()
    };
    if swept.frontier.len() < 2 {
        return section("", Vec::new());
    }
    let header = names(sweep, &["date", "days", "minutes slow", ""]);
    let rows = swept.frontier.iter().map(row).collect();
    let text = "Points that no other one is earlier than without costing users more. Minutes slow: above the users' objective, by the \
                migration, all heads together.";
    section("Date against users", vec![Block::Table { header, rows }, plain(text)])
}

/// The points.
pub(super) fn points(sweep: &Sweep) -> Section {
    let row = |point: &Point| {
        let beyond = if point.bounded > 0 {
            percent(point.bounded as f64 / f64::from(sweep.replications))
        } else {
            String::new()
        };
        let more = [sweep.date(point), days(point), minutes(point), beyond];
        [values(sweep, point), more.to_vec()].concat()
    };
    let all = &sweep.swept.points;
    let rows: Vec<_> = all.iter().take(MOST_ROWS).map(row).collect();
    if rows.is_empty() {
        return section("", Vec::new());
    }
    let header = names(sweep, &["date", "days", "minutes slow", "not done"]);
    let mut blocks = vec![Block::Table { header, rows }];
    if all.len() > MOST_ROWS {
        let more = count((all.len() - MOST_ROWS) as f64);
        blocks.push(plain(format!("{more} more points stand in sweep.csv and sweep.parquet.")));
    }
    section("Points", blocks)
}

/// How the numbers come about.
pub(super) fn method(sweep: &Sweep) -> Section {
    let confidence = sweep.scenario.forecast.confidence;
    let laid = if sweep.is_grid { "every value with every other" } else { "an Owen-scrambled Sobol sequence" };
    let text = format!(
        "{} points: {laid}; {} of each, all with the same random numbers. Days: mean from the start until {}, and half of \
         its interval (Student, {confidence}, each point for itself); points differ by less than these say, since they are paired.",
        count(sweep.asked as f64),
        replications(sweep.replications as usize),
        sweep.main()
    );
    let knee = "The knee is the point of the frontier that lies farthest below the straight line between its two ends, when days and \
                minutes are each measured in the frontier's own range: before it a day is dear, after it cheap. Another range of values \
                moves it.";
    section("How to read it", vec![plain(text), plain(knee)])
}

/// How to get the same numbers again.
pub(super) fn repeat(sweep: &Sweep) -> Section {
    let hash: String = sweep.sha256.chars().take(12).collect();
    let text = format!("Scenario {hash}, seed {}, version {}.", sweep.seed, env!("CARGO_PKG_VERSION"));
    section("To repeat it", vec![plain(sweep.command.clone()), plain(text)])
}

#[cfg(test)]
mod tests;
