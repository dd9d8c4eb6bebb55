//! The shape of `forecast.json`, from which its JSON Schema is made: what a comment says of a field, the schema says.

use serde::Serialize;

/// The whole document.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Version of this shape: fields are only ever added while it stays the same.
    pub(super) schema_version: u32,
    /// Version of the program.
    pub(super) version: &'static str,
    /// Version of the decisions of the migration core.
    pub(super) core_version: u32,
    /// The command that gives these numbers again.
    pub(super) command: String,
    /// What was simulated.
    pub(super) scenario: ScenarioPart,
    /// What all random draws are keyed by.
    pub(super) seed: u64,
    /// How often it was simulated.
    pub(super) replications: usize,
    /// Whether somebody ended the forecast early.
    pub(super) incomplete: bool,
    /// How the number of replications was decided.
    pub(super) stop_rule: RulePart,
    /// The dates.
    pub(super) milestones: Vec<MilestonePart>,
    /// The planner's expectations as gates.
    pub(super) expectations: Vec<ExpectationPart>,
    /// Replications that the horizon ended, by what held them.
    pub(super) unfinished: Vec<CausePart>,
    /// The old storage.
    pub(super) heads: Vec<HeadPart>,
    /// The new hardware.
    pub(super) clusters: Vec<ClusterPart>,
    /// How long each link held copies, where the scenario has links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) links: Vec<super::super::links::LinkPart>,
    /// The dates with every uncertain input at its middle; null when no input is uncertain.
    pub(super) chance_only: Option<ChancePart>,
    /// What is drawn for each replication.
    pub(super) uncertain_inputs: Vec<InputPart>,
    /// What causes the spread of the dates, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shares_of_the_spread: Option<super::super::shares::SharesPart>,
    /// What an inventory has told in place of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inventory: Option<super::super::inventory::Part>,
    /// What samples of the load have told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load: Option<super::super::load::Part>,
    /// What was taken from a ledger in place of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) observed: Vec<String>,
    /// What has happened beside what the forecast published last had said, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beside_last_forecast: Option<PastPart>,
    /// By how much the dates have moved since the forecast that was published last, and why, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since_last_forecast: Option<super::super::comparison::ComparisonPart>,
    /// What is left when 99 % have moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_percent: Option<super::super::ending::LastPartMeans>,
    /// What the old storage costs until it is gone, where the scenario says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<super::super::ending::PricePart>,
    /// Facts and assumptions of the scenario.
    pub(super) notes: Vec<NotePart>,
    /// What to be careful about.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ScenarioPart {
    /// Its title.
    pub(super) name: String,
    /// Its file, without folders.
    pub(super) file: String,
    /// SHA-256 of the resolved scenario, in hexadecimal.
    pub(super) sha256: String,
    /// IANA name of the zone of all local times.
    pub(super) time_zone: String,
    /// When the forecast starts.
    pub(super) as_of: Instant,
    /// How far it looks.
    pub(super) horizon: Instant,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Instant {
    /// In UTC: `2012-10-19T18:05:09Z`.
    pub(super) utc: String,
    /// In the scenario's zone, with its offset.
    pub(super) local: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RulePart {
    /// So many replications at the least.
    pub(super) minimum: u32,
    /// So many more, until the rule holds.
    pub(super) batch: u32,
    /// No more than these.
    pub(super) maximum: u32,
    /// The half-width at which it is enough, in days.
    pub(super) wanted_half_width_days: f64,
    /// Half-width of the interval of P80 of everything being off, in days; null where that is no date.
    pub(super) half_width_days: Option<f64>,
    /// Whether the wanted half-width was reached.
    pub(super) held: bool,
    /// Of all intervals, a share of 1.
    pub(super) confidence: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct MilestonePart {
    /// Its name.
    pub(super) name: String,
    /// Replications that reached it.
    pub(super) reached: u32,
    /// Replications that had not reached it at the horizon.
    pub(super) censored: u32,
    /// Replications that finished without it.
    pub(super) never: u32,
    /// Its date at several levels.
    pub(super) quantiles: Vec<QuantilePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct QuantilePart {
    /// A share of 1.
    pub(super) level: f64,
    /// Whether there are enough replications for this level.
    pub(super) estimable: bool,
    /// The quantile.
    pub(super) value: Option<WhenPart>,
    /// Lower end of its interval.
    pub(super) low: Option<WhenPart>,
    /// Upper end of its interval.
    pub(super) high: Option<WhenPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum WhenPart {
    /// A date, and how many days of 24 hours it lies after the forecast's start.
    Date { utc: String, local: String, days_from_as_of: f64 },
    /// Not by the horizon.
    AfterHorizon,
    /// Not at all: the replication finished without it.
    Never,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ExpectationPart {
    /// Which milestone is expected.
    pub(super) milestone: String,
    /// By when, as the scenario says it.
    pub(super) by: String,
    /// Wanted probability, a share of 1.
    pub(super) wanted: f64,
    /// Share of the replications that were in time.
    pub(super) probability: f64,
    /// Lower end of its exact interval (Clopper-Pearson).
    pub(super) low: f64,
    /// Upper end of its exact interval (Clopper-Pearson).
    pub(super) high: f64,
    /// `pass`, `fail` or `inconclusive`.
    pub(super) verdict: &'static str,
    /// Whether its date lies before the forecast's start: what happened is known, and stands in place of the replications.
    pub(super) has_passed: bool,
}

/// What an earlier forecast had said, and what has happened since.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PastPart {
    /// When that forecast started.
    pub(super) as_of: Instant,
    /// Mailboxes that it had left on all heads.
    pub(super) said: Vec<SaidPart>,
    /// Mailboxes that were left; the last one when the present forecast starts.
    pub(super) happened: Vec<HappenedPart>,
    /// Days by which it is ahead of that forecast's median, negative where it is behind; null where that cannot be said.
    pub(super) ahead_days: Option<f64>,
    /// Whether what is left lies within P10 to P90 of that forecast; null within its first day, or
    /// where it had no range.
    pub(super) within_range: Option<bool>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SaidPart {
    /// Days since that forecast's start.
    pub(super) day: f64,
    /// P10 of the mailboxes left; null where that forecast had too few replications for a range.
    pub(super) p10: Option<f64>,
    /// Their median.
    pub(super) p50: f64,
    /// Their P90; null likewise.
    pub(super) p90: Option<f64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct HappenedPart {
    /// When.
    pub(super) utc: String,
    /// So many were left.
    pub(super) mailboxes: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CausePart {
    /// What held the first unfinished head.
    pub(super) cause: &'static str,
    /// In so many.
    pub(super) replications: u32,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SharePart {
    /// What bound.
    pub(super) cause: &'static str,
    /// Of the time in its turn, a share of 1.
    pub(super) share: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct HeadPart {
    /// Its name.
    pub(super) name: String,
    /// Mean time in its turn, in days.
    pub(super) turn_days: f64,
    /// What bound, over the time in its turn.
    pub(super) bound: Vec<SharePart>,
    /// Minutes in which users waited longer than the objective; mean of a replication.
    pub(super) minutes_above_objective: f64,
    /// The same without the migration's load.
    pub(super) minutes_above_objective_without_migration: f64,
    /// Minutes in which more was asked of it than it can serve.
    pub(super) minutes_saturated: f64,
    /// Outages that struck; mean of a replication.
    pub(super) outages: f64,
    /// Outages expected from the hazard; mean of a replication.
    pub(super) expected_outages: f64,
    /// The same without the migration's load.
    pub(super) expected_outages_without_migration: f64,
    /// Mailbox-hours without service; mean of a replication.
    pub(super) mailbox_hours_down: f64,
    /// Mailboxes left because they were set aside; mean of a replication.
    pub(super) set_aside: f64,
    /// Which load and which risk fall as mailboxes leave.
    pub(super) trends: Vec<TrendPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct TrendPart {
    /// The quantity, as the columns of `series` name it.
    pub(super) quantity: &'static str,
    /// Median of the first week's mean.
    pub(super) first_week: f64,
    /// Median of the last full week's mean before it is empty.
    pub(super) last_week: f64,
    /// Relative change, -1 for a fall to nothing.
    pub(super) change: f64,
    /// Lower end of its interval.
    pub(super) change_low: f64,
    /// Upper end of its interval.
    pub(super) change_high: f64,
    /// `falls`, `stays`, `rises` or `unclear`.
    pub(super) direction: &'static str,
    /// Days that the two weeks have in common.
    pub(super) shared_days: u32,
    /// Replications of which it is told: those in which the head was emptied, and had two different weeks.
    pub(super) compared: usize,
    /// Replications in which the head was not empty at the horizon: `unclear` where they could change the direction.
    pub(super) not_emptied: usize,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ClusterPart {
    /// Its name.
    pub(super) name: String,
    /// The placement nearest to its threshold, or above it: the fill it led to, a share of the rating.
    pub(super) highest_placement: f64,
    /// Its threshold in that replication, a share of the rating.
    pub(super) threshold: f64,
    /// Whether all placements kept within it.
    pub(super) placements_within_threshold: bool,
    /// Median fill at the end, a share of the rating; null with too few replications.
    pub(super) final_fill_p50: Option<f64>,
    /// The same of its inodes, where it has a limit of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inodes: Option<InodePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct InodePart {
    /// The placement nearest to its threshold, or above it: the fill it led to, a share of the rated inodes.
    pub(super) highest_placement: f64,
    /// Its threshold in that replication, a share of the rated inodes.
    pub(super) threshold: f64,
    /// Whether all placements kept within it.
    pub(super) placements_within_threshold: bool,
    /// Median fill at the end, a share of the rated inodes; null with too few replications.
    pub(super) final_fill_p50: Option<f64>,
    /// Replications in which inodes were what it was full of when it refused a mailbox for the first time.
    pub(super) filled: u32,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ChancePart {
    /// So many.
    pub(super) replications: u32,
    /// Their dates.
    pub(super) milestones: Vec<MilestonePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct InputPart {
    /// The key of the scenario.
    pub(super) key: String,
    /// Its low end, as written.
    pub(super) low: String,
    /// Its middle, as written.
    pub(super) middle: String,
    /// Its high end, as written.
    pub(super) high: String,
    /// How it is distributed.
    pub(super) law: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NotePart {
    /// `fact` or `assumption`.
    pub(super) kind: &'static str,
    /// The keys it speaks of.
    pub(super) keys: Vec<String>,
    /// What it says.
    pub(super) text: String,
    /// Where that is from.
    pub(super) source: String,
    /// Whether the number was chosen so that the dates fit.
    pub(super) chosen_to_fit: bool,
}
