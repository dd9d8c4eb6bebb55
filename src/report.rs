//! The forecast as people and programs read it: plain rows, a terminal page, data files, a chart.
//!
//! Only this layer knows polars and plotters. Nothing here holds wall time, host, path or number of threads, except
//! `run.json`.

pub mod announcement;
mod aside;
mod chart;
pub mod comparison;
pub mod document;
mod ending;
pub mod explain;
pub mod files;
pub mod gate;
mod html;
mod inventory;
mod lengths;
mod links;
mod load;
pub mod markdown;
mod past;
pub mod published;
pub mod recommend;
mod rows;
pub mod schema;
mod sections;
mod shares;
mod spoken;
mod standing;
pub mod sweep;
pub mod table;
pub mod terminal;
pub mod trace;
mod warn;
pub mod what_if;
mod wording;

use std::io;

use crate::forecast::Forecast;

use crate::scenario::{InventorySummary, LoadSummary, Note, UncertainInput};
use comparison::Comparison;
pub use inventory::sentences as inventory;
pub use load::{page as load_page, sentences as load, toml as load_toml};
pub use past::Past;
pub use warn::remarks;
pub use wording::shown;

/// What a report says besides the forecast itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Name of the scenario file, without its folders.
    pub file: String,
    /// The command that repeats the forecast.
    pub command: String,
    /// SHA-256 of the resolved scenario, in hexadecimal.
    pub scenario_sha256: String,
    /// The resolved scenario itself.
    pub resolved: String,
    /// SHA-256 of the state that a ledger has told, in hexadecimal; none without a ledger.
    pub state_sha256: Option<String>,
    /// The inputs that are drawn anew for every replication.
    pub uncertain: Vec<UncertainInput>,
    /// What was taken from a ledger in place of the file, a sentence each.
    pub observed: Vec<String>,
    /// What an inventory has told in place of the file.
    pub inventory: Option<InventorySummary>,
    /// An earlier forecast, and what has happened since.
    pub past: Option<Past>,
    /// By how much the dates have moved since an earlier forecast, and why.
    pub comparison: Option<Comparison>,
    /// What samples of the load have told.
    pub load: Option<LoadSummary>,
    /// Facts and assumptions of the file.
    pub notes: Vec<Note>,
    /// What the scenario's reader found doubtful.
    pub warnings: Vec<String>,
}

/// How a line is meant; colour shows it where there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As any other.
    Plain,
    /// The answer.
    Strong,
    /// As wanted.
    Good,
    /// Not as wanted.
    Bad,
    /// To be looked at.
    Doubt,
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Line(Tone, String),
    /// A table; the first column is text, the others are set to the right.
    Table {
        /// Names of the columns.
        header: Vec<String>,
        /// A cell a column.
        rows: Vec<Vec<String>>,
    },
}

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its heading; empty for the answer at the top.
    pub title: String,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A page as plain rows, the answer first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The scenario's name.
    pub title: String,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// Puts the forecast into words.
#[must_use]
pub fn report(forecast: &Forecast, about: &About) -> Report {
    let sections = vec![
        rows::answer(forecast),
        rows::dates(forecast),
        past::section(forecast, about.past.as_ref()),
        comparison::section_of(about, forecast),
        rows::expectations(forecast),
        shares::section(forecast),
        sections::binding(forecast),
        sections::trends(forecast),
        ending::last_part(forecast),
        sections::users(forecast),
        sections::clusters(forecast),
        ending::price(forecast),
        sections::inputs(forecast, about),
        sections::assumptions(about),
        sections::warnings(forecast, about),
        sections::repeat(about),
    ];
    let sections = sections.into_iter().filter(|section| !section.blocks.is_empty()).collect();
    Report { title: forecast.scenario.name.clone(), sections }
}

/// The chart of a measured load by the hour of the week, in the zone of this name, as SVG and PNG; `None` when nothing could be
/// fitted.
///
/// # Errors
/// When it cannot be drawn: the font is missing.
pub fn load_chart(load: &LoadSummary, zone: &str) -> io::Result<Option<(String, Vec<u8>)>> {
    let Some(chart) = chart::week(load, zone) else { return Ok(None) };
    Ok(Some((chart.svg(chart::Paper::FILE)?, chart.png()?)))
}

#[cfg(test)]
mod tests;
