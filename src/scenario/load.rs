//! A measured load: a file with the users' load of each head over time, in place of a profile and noise that are assumed.
//!
//! | room | holds |
//! |---|---|
//! | `gather` | from what the scenario says to what was fitted |
//! | `columns` | which column of the file is which, and in which unit |
//! | `series` | the rows, checked |
//! | `look` | gaps, and the distance of samples |
//! | `fit` | means by the hour of the local week, and the noise around them; spikes |
//! | `days` | whole days to be drawn by weekday |
//! | `apply` | from what was fitted to the model |
//!
//! How a file is taken apart, and how what is wrong with it is told, is the inventory's.

mod apply;
mod columns;
mod days;
mod fit;
mod gather;
mod look;
mod series;

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::files::Folder;
use super::inventory::trouble::Trouble;
use super::item::Item;
use super::problems::{Problem, Problems};
use super::reader::Reader;
use crate::units::{Span, Time};
use columns::{Wanted, Wishes};
pub use days::DaysFit;
pub use fit::{HourOfWeek, HoursFit};
use gather::Request;
pub use look::{Gap, Gaps, Spike};

/// More of a column may be missing without a warning.
const MISSING_MAX: f64 = 0.1;

/// What becomes of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadFit {
    /// Means by the hour of the week, with noise.
    Hours,
    /// Measured days, drawn by weekday.
    Days,
}

impl LoadFit {
    /// The word of it in a scenario.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hours => "hours",
            Self::Days => "days",
        }
    }
}

/// Whose load was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadLevel {
    /// Only its course over time is taken: how much users ask for, the population says.
    Population,
    /// That of the mailboxes that are on a head at the start: how much they ask for, too, is what was measured.
    Measured,
    /// The same of those that had moved before, too.
    MeasuredWithMoved,
}

/// What a file of samples has told.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadSummary {
    /// The file, as the scenario names it.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// What becomes of the samples.
    pub fit: LoadFit,
    /// Whose load it is.
    pub level: LoadLevel,
    /// Rows.
    pub samples: u64,
    /// When the first one was taken.
    pub from: Time,
    /// When the last one was taken.
    pub until: Time,
    /// The time between two of them: the median.
    pub interval: Span,
    /// By head, or one for all of them.
    pub columns: Vec<LoadColumn>,
    /// Columns that were not read.
    pub unread: Vec<String>,
}

/// What a column has told.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadColumn {
    /// The head, or `all`.
    pub name: String,
    /// What the file calls it.
    pub header: String,
    /// Whether its numbers are shares of the head's capacity, and not operations a second.
    pub is_share: bool,
    /// The highest sample.
    pub max: f64,
    /// Samples of nothing at all.
    pub zeros: u64,
    /// Times without samples.
    pub gaps: Gaps,
    /// Samples far above their hour of the week; they are kept.
    pub spikes: u64,
    /// The highest of them.
    pub highest: Vec<Spike>,
    /// Means by the hour of the week with their noise, or why they cannot be had.
    pub hours: Result<HoursFit, String>,
    /// Days to be drawn, or why there are not enough.
    pub days: Result<DaysFit, String>,
}

impl LoadColumn {
    /// Its mean over a week, as the fit has it; zero where there is none.
    #[must_use]
    pub fn mean(&self, fit: LoadFit) -> f64 {
        match fit {
            LoadFit::Hours => self.hours.as_ref().map_or(0.0, |hours| hours.mean),
            LoadFit::Days => self.days.as_ref().map_or(0.0, |days| days.mean),
        }
    }
}

/// How a file of samples is read without a scenario.
#[derive(Clone, Debug)]
pub struct LoadWishes {
    /// Local time, for the hours of the week, and for instants without an offset from UTC.
    pub zone: TimeZone,
    /// The column of instants; `time` or `timestamp` when nothing is said.
    pub time: Option<String>,
    /// The unit of columns whose names do not end in one: `op/s` or `%`.
    pub unit: Option<String>,
    /// What stands between the values.
    pub separator: char,
}

/// Reads a file of samples without a scenario: each column but that of the instants is a load.
///
/// # Errors
/// Everything that is wrong with it, by row and column.
pub fn read_load(path: &Path, wishes: &LoadWishes) -> Result<LoadSummary, Problems> {
    let columns = Wishes { time: wishes.time.clone(), zone: None, wanted: Wanted::Every, unit: wishes.unit.clone() };
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let request = Request {
        file,
        path: path.to_owned(),
        separator: wishes.separator as u8,
        wishes: columns,
        fit: LoadFit::Hours,
        level: LoadLevel::Population,
    };
    let mut trouble = Trouble::new(path.display().to_string(), false);
    match request.read(&wishes.zone, &mut trouble) {
        Some(summary) if !trouble.is_bad() => Ok(summary),
        Some(_) | None => {
            let found = trouble.finish();
            Err(Problems::new(found.problems).and_more(found.more))
        }
    }
}

/// Reads the samples that `[load]` names, if it names any; what is wrong goes to the reader.
pub(crate) fn read(
    file: &Item,
    heads: &[String],
    zone: &TimeZone,
    folder: Option<&Folder>,
    reader: &mut Reader<'_>,
) -> Option<Arc<LoadSummary>> {
    let load = file.get("load")?;
    let item = load.get("csv")?;
    reader.section();
    let before = reader.problems.len();
    let request = Request::of(load, item, heads, folder, reader)?;
    if reader.problems.len() > before || heads.is_empty() || load.holds_bad() {
        return None;
    }
    let mut trouble = Trouble::new(request.path.display().to_string(), false);
    let found = request.read(zone, &mut trouble);
    if let Some(summary) = &found {
        for column in &summary.columns {
            let failed = match request.fit {
                LoadFit::Hours => column.hours.as_ref().err(),
                LoadFit::Days => column.days.as_ref().err(),
            };
            if let Some(message) = failed {
                trouble.of_file(format!("column \"{}\" {message}", column.header));
            }
        }
    }
    let found = found.filter(|_| !trouble.is_bad());
    if let Some(summary) = &found {
        compare_hash(load, summary, reader);
        warn(load, summary, &request, reader);
    }
    let mut problems = trouble.finish();
    reader.unshown += problems.more;
    reader.problems.append(&mut problems.problems);
    found.map(Arc::new)
}

fn compare_hash(load: &Item, summary: &LoadSummary, reader: &mut Reader<'_>) {
    let Some(item) = load.get("csv_sha256") else { return };
    let Some(wanted) = item.text() else { return };
    if !wanted.eq_ignore_ascii_case(&summary.sha256) {
        let file = &summary.file;
        reader.problem(item, format!("is not what {file} has: {}; the file has changed", summary.sha256));
    }
}

fn warn(load: &Item, summary: &LoadSummary, request: &Request, reader: &mut Reader<'_>) {
    // What is inherited from another file may have been meant for that one.
    let here = load.get("csv").map(|csv| &csv.place.source);
    for key in ["profile", "noise"] {
        if let Some(item) = load.get(key).filter(|item| Some(&item.place.source) == here) {
            reader.warning(item, format!("has no effect: {} says how the load goes up and down", summary.file));
        }
    }
    let shown = request.path.display().to_string();
    for column in &summary.columns {
        let there = summary.samples + column.gaps.missing;
        let missing = column.gaps.missing as f64 / there.max(1) as f64;
        if missing > MISSING_MAX {
            let text = format!("column \"{}\" lacks {:.0} % of its samples", column.header, missing * 100.0);
            reader.warnings.push(Problem::of_file(&shown, text));
        }
    }
}
