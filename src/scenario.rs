//! The checked scenario: what the planner decides (`Plan`), what the simulation needs (`Model`), and what the forecast
//! is asked for. Later layers cannot meet a bad value.

pub(crate) mod asked;
mod build_model;
mod build_plan;
mod build_probe;
mod build_site;
mod calendar;
mod check;
mod columns;
mod correlate;
pub mod curve;
pub mod difference;
mod feasible;
mod files;
mod format;
mod format_inventory;
mod format_links;
mod format_load;
mod format_plan;
mod format_site;
mod frame;
mod frame_plan;
mod guards;
mod inventory;
mod item;
mod keys;
mod links;
mod load;
mod long_copies;
pub mod measured;
mod merge;
mod milestones;
pub mod model;
mod named;
mod notes;
mod number;
pub mod occasions;
mod overrides;
mod price;
mod problems;
mod profile;
mod quantity;
mod reader;
mod schema;
mod secret;
pub mod site;
mod site_sql;
mod source;
mod spread;
mod syntax;
mod tree;

pub use columns::column_name;
pub use inventory::{ExportColumns, Exported, InventoryColumn, InventoryHead, InventorySummary, read_export};
pub use load::{
    DaysFit, Gap, Gaps, HourOfWeek, HoursFit, LoadColumn, LoadFit, LoadLevel, LoadSummary, LoadWishes, Spike, read_load,
};
pub use notes::{Note, NoteKind};
pub use overrides::split_path;
pub use price::Price;
pub use problems::{Place, Problem, Problems, SourceText};
pub use quantity::{parse_span, same_unit};
pub use schema::schema;
pub use source::{ReadSettings, Source, UncertainInput, Watch};

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::fleet::MailboxId;
use crate::migration::message::{Facts, Milestone, Order};
use crate::migration::plan::Plan;
use crate::units::{Share, Span, Time};
use model::Model;

/// A scenario with one value for each number: the middle of the file's ranges, or one draw of them.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The scenario's title, as the file gives it.
    pub name: String,
    /// Local time of the people who wait.
    pub time_zone: TimeZone,
    /// Changes of the offset from UTC between `as_of` and a year past the horizon: each holds from its instant, the
    /// first one from before `as_of`. For hour-of-week curves without a look-up of rules in the simulation.
    pub offsets: Vec<(Time, Span)>,
    /// When the forecast starts.
    pub as_of: Time,
    /// A replication that has not finished by then is censored.
    pub horizon: Time,
    /// Names of the heads, by `HeadId`.
    pub heads: Vec<String>,
    /// Names of the clusters, by `ClusterId`.
    pub clusters: Vec<String>,
    /// What the core does.
    pub plan: Arc<Plan>,
    /// What the simulated world does.
    pub model: Arc<Model>,
    /// The milestones whose dates are asked for, in the order of the report. `HeadEmptied` stands here with zero set
    /// aside and means the first time the head is emptied, whatever was set aside.
    pub milestones: Vec<Milestone>,
    /// How the forecast is made.
    pub forecast: ForecastSettings,
    /// What the planner expects.
    pub expectations: Vec<Expectation>,
    /// What the old storage costs while it is kept, if the file says.
    pub price: Option<Price>,
    /// What is where at `as_of`, as an inventory or a running migration's ledger has it; none: the population is drawn. A
    /// column of its fleet that is empty is not known, and drawn.
    pub facts: Option<Arc<Facts>>,
    /// When milestones were reached before `as_of`, as a running migration's ledger has it, and still are.
    pub reached: Vec<(Milestone, Time)>,
    /// Orders of an operator that are in force at `as_of`, as a running migration's ledger has them; nobody takes them back.
    pub standing: Vec<Order>,
    /// Names of the mailboxes that the plan's order names, by their rows in the inventory; empty without an inventory.
    pub named: Arc<[(MailboxId, String)]>,
}

/// A commented file to start from; it is a valid scenario.
#[must_use]
pub const fn starter() -> &'static str {
    include_str!("scenario/starter.toml")
}

/// How a forecast is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastSettings {
    /// Keys every draw.
    pub seed: u64,
    /// At least this many replications.
    pub minimum: u32,
    /// Replications in a batch; the stop rule looks after each.
    pub batch: u32,
    /// At most this many.
    pub maximum: u32,
    /// Stop when the interval of the last milestone's P80 is no wider than this on either side.
    pub half_width: Span,
    /// Replications of the second, chance-alone forecast, with every uncertain input at its middle.
    pub chance_only: u32,
    /// Confidence of all intervals.
    pub confidence: Share,
}

/// A date that the planner expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What is waited for.
    pub milestone: Milestone,
    /// The first instant that is too late: the end of the expected local day, or the given instant.
    pub before: Time,
    /// The date as people read it: `2012-10-20`.
    pub by: String,
    /// The probability wanted.
    pub probability: Share,
}
