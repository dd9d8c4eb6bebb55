//! A recommendation as JSON: the stable shape of `recommend.json` and of `--json`.

use serde::Serialize;

use super::{Recommendation, verdict_name};
use crate::forecast::recommend::Judged;
use crate::report::what_if;

/// Version of the shape.
const SCHEMA_VERSION: u32 = 1;

/// The earliest plan that was found to keep some conditions.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document {
    /// Fields are only added while this stays.
    schema_version: u32,
    /// What was to be early.
    objective: ObjectivePart,
    /// What had to be kept.
    conditions: Vec<ConditionPart>,
    /// The name of the recommended plan; null where none surely keeps the conditions, or where too few replications tell which of those that do is the earliest.
    recommended: Option<String>,
    /// The recommended `[plan]` as TOML, to be pasted in place of the file's own.
    plan: Option<String>,
    /// Best first, as the search ranks them; `as it is` last where it is none of the best.
    plans: Vec<PlanPart>,
    /// How it was searched for.
    search: SearchPart,
    /// The plan as it is and the best that were found, on random numbers that the search has not seen.
    checked: what_if::Document,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ObjectivePart {
    /// The milestone.
    milestone: String,
    /// The level of its dates, a share of 1.
    level: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ConditionPart {
    /// What; its name ends in its unit.
    measure: &'static str,
    /// At most so much in one replication, all heads together.
    at_most: f64,
    /// In at least this share of the replications.
    with: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PlanPart {
    /// Its name here and in `checked`.
    name: String,
    /// `keeps`, `not sure`, `breaks` or `not reached`.
    verdict: &'static str,
    /// By condition.
    kept: Vec<KeptPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct KeptPart {
    /// The share of the replications in which it is kept to their end.
    share: f64,
    /// The share that keeps it as far as the horizon, which cut them off.
    unknown: f64,
    /// Lower end of its interval; all plans and conditions together.
    low: f64,
    /// Upper end.
    high: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SearchPart {
    /// Simulations that were allowed.
    budget: u32,
    /// Simulations that it took.
    simulations: u32,
    /// Plans that were simulated.
    looked_at: u32,
    /// Plans that there are.
    plans: u64,
    /// Plans that were left out: with them the scenario could not be simulated.
    refused: u32,
    /// Keys the search's draws.
    seed: u64,
    /// What was not varied, and why.
    notes: Vec<String>,
}

/// The JSON Schema of the document.
#[cfg(test)]
pub(in crate::report) fn schema() -> serde_json::Value {
    crate::report::schema::of::<Document>("A recommended plan of drawdown", SCHEMA_VERSION)
}

/// The document as text, indented, with a newline at its end.
///
/// # Errors
/// When a number cannot be written as JSON; ours can.
pub fn json(known: &Recommendation) -> serde_json::Result<String> {
    let facts = &known.search;
    let document = Document {
        schema_version: SCHEMA_VERSION,
        objective: ObjectivePart { milestone: known.milestone(), level: known.goal.level.fraction() },
        conditions: known
            .goal
            .conditions
            .iter()
            .map(|one| ConditionPart { measure: one.measure.name(), at_most: one.at_most, with: one.with.fraction() })
            .collect(),
        recommended: known.chosen.map(|case| known.name(case).to_owned()),
        plan: known.plan.clone(),
        plans: known.shown().map(|case| plan(known.name(case), &known.judged[case])).collect(),
        search: SearchPart {
            budget: facts.budget,
            simulations: facts.simulations,
            looked_at: facts.looked_at,
            plans: facts.grid,
            refused: facts.refused,
            seed: facts.seed,
            notes: facts.notes.clone(),
        },
        checked: what_if::document(&known.what_if),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn plan(name: &str, judged: &Judged) -> PlanPart {
    let kept = |one: &crate::forecast::recommend::Kept| KeptPart {
        share: one.share,
        unknown: one.unknown,
        low: one.interval.0,
        high: one.interval.1,
    };
    PlanPart {
        name: name.to_owned(),
        verdict: verdict_name(judged.verdict),
        kept: judged.kept.iter().map(kept).collect(),
    }
}
