//! An explanation as JSON: the stable shape of `explain.json` and of `--json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::inputs::{few_trajectories, ranked};
use super::{Explain, Swing, words};
use crate::forecast::compare::{MeasureShift, MilestoneShift, Verdict};
use crate::forecast::explain::held::Held;
use crate::forecast::explain::limit::Limit;
use crate::forecast::sensitivity::morris::{Effect, STEP, Way};
use crate::forecast::sensitivity::{Indices, Screening};
use crate::migration::message::Binding;
use crate::report::shares::{CausePart, IndexPart, reason};
use crate::sim::DRAW_SCHEME;
use crate::units::Share;

/// Version of the shape.
const SCHEMA_VERSION: u32 = 1;

/// What holds the date back on which everything is off the old storage.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Fields are only added while this stays.
    schema_version: u32,
    /// Version of the program.
    version: &'static str,
    /// The command that gives these numbers again.
    command: String,
    /// What is dubious in what was read.
    warnings: Vec<String>,
    /// Keys every draw.
    seed: u64,
    /// Version of what is drawn.
    draw_scheme: u32,
    /// Replications of each case.
    replications: usize,
    /// Whether it was ended early.
    incomplete: bool,
    /// The scenario's own name.
    scenario: String,
    /// Its file.
    file: String,
    /// SHA-256 of the resolved scenario.
    sha256: String,
    /// The milestone whose shifts are told.
    milestone: String,
    /// The cause that has bound longest; null where nothing has.
    leading_cause: Option<&'static str>,
    /// Replications that were not done by the horizon, by what held them.
    unfinished: BTreeMap<&'static str, u32>,
    /// Mailboxes that are left because they are set aside, mean of the replications; no date waits for them.
    set_aside: f64,
    /// What has bound all heads together, then each head.
    held: Vec<HeldPart>,
    /// Confidence of all limits' verdicts (Holm) and intervals (Bonferroni) together, and the same of all inputs'; a share of 1.
    confidence: f64,
    /// What one unit more of each limit does.
    limits: Vec<LimitPart>,
    /// What each uncertain or varied input does at its ends; empty where they are too many, and screened.
    inputs: Vec<InputPart>,
    /// Elementary effects of the inputs (Morris); null where they were not screened.
    screening: Option<ScreeningPart>,
    /// Shares of the variance of the date (Sobol's indices); null where they were not asked for.
    shares: Option<SharesPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ScreeningPart {
    /// Trajectories, each with one step of every input and a replication of its own.
    trajectories: usize,
    /// Of an input's probability, how much a step takes; effects are by step, and not divided by it.
    step: f64,
    /// Simulations whose date lies at or after the horizon or is never reached, and counts as the horizon.
    counted_as_horizon: usize,
    /// Why there are no effects; null where there are.
    not_estimable: Option<String>,
    /// The inputs, by the mean size of their effects. Of those that are correlated, the first takes the others along.
    inputs: Vec<EffectPart>,
    /// Mean size of what the date moves, in days, when all of chance is drawn anew; null where there are no effects.
    chance_days: Option<IndexPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EffectPart {
    /// Its key.
    key: String,
    /// Mean of the effects' sizes, in days.
    mu_star: IndexPart,
    /// Mean of the effects, in days: later where positive, as the input rises.
    mu: IndexPart,
    /// Standard deviation of the effects, in days.
    sigma: IndexPart,
    /// As the input rises: `later`, `earlier`, `both` (with some steps later, with others earlier), or `nothing` (not one step moves it).
    direction: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SharesPart {
    /// Rows of the two samples.
    rows: usize,
    /// Of the date, in days.
    standard_deviation_days: f64,
    /// Simulations whose date lies at or after the horizon or is never reached, and counts as the horizon.
    counted_as_horizon: usize,
    /// Why there are no shares; null where there are.
    not_estimable: Option<String>,
    /// By cause, chance last.
    causes: Vec<CausePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HeldPart {
    /// The head; null for all of them, their times added up.
    head: Option<String>,
    /// Days for which each cause has bound, mean of the replications.
    days: BTreeMap<&'static str, f64>,
    /// The same by day since the start, in hours of that day.
    hours_by_day: Vec<BTreeMap<&'static str, f64>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LimitPart {
    /// The limit.
    limit: String,
    /// The head, cluster or link that it is of; null where it is the plan's.
    store: Option<String>,
    /// What one unit of it is.
    unit: String,
    /// The causes that it belongs to.
    causes: Vec<&'static str>,
    /// `earlier`, `later`, `does not bind` (not one replication differs), `same by horizon` (not one is known to
    /// differ, and some reach it by the horizon neither with the unit nor without), `not sure`, `not known beyond the horizon` (what
    /// lies beyond it may turn the shift), `not reached` or `too few`.
    verdict: &'static str,
    /// Replications that reach the date by the horizon neither with the unit nor without: nobody knows.
    unknown: usize,
    /// By how much the date comes later; null where nothing is known.
    shift: Option<MovedPart>,
    /// By how many minutes more users wait longer than the objective because of the migration; null with too few replications.
    minutes_above_objective_by_migration: Option<f64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MovedPart {
    /// Later where positive; a difference of means.
    days: f64,
    /// Lower end of its interval.
    low_days: f64,
    /// Upper end of its interval.
    high_days: f64,
    /// Dates, with the unit and without, that lie at or after the horizon or are never reached, and count as the horizon.
    counted_as_horizon: usize,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct InputPart {
    /// Its key; several where they are correlated: the first one is held, the others follow it.
    keys: Vec<String>,
    /// Whether it was varied between two ends that were given; what is uncertain in the file goes from its P10 to its P90.
    varied: bool,
    /// At its low and at its high end.
    ends: Vec<EndPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EndPart {
    /// The level, a share of 1: 0 and 1 for what is varied.
    level: f64,
    /// What the input is there.
    value: String,
    /// `earlier`, `later`, `does not bind`, `same by horizon`, `not sure`, `not reached` or `too few`.
    verdict: &'static str,
    /// Replications that reach the date by the horizon neither with the input held there nor without: nobody knows.
    unknown: usize,
    /// Against the date with the input's own draw.
    shift: Option<MovedPart>,
}

/// It as data.
#[must_use]
pub fn document(explain: &Explain) -> Document {
    let explained = &explain.explained;
    let heads = explain.scenario.heads.iter().zip(&explained.heads);
    Document {
        schema_version: SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        command: explain.command.clone(),
        warnings: explain.warnings.clone(),
        seed: explain.seed,
        draw_scheme: DRAW_SCHEME,
        replications: explained.replications,
        incomplete: explain.is_incomplete(),
        scenario: explain.scenario.name.clone(),
        file: explain.file.clone(),
        sha256: explain.sha256.clone(),
        milestone: explain.main(),
        leading_cause: explained.leading().map(|(cause, _)| cause.name()),
        unfinished: explained.unfinished.iter().map(|(cause, many)| (cause.name(), *many)).collect(),
        set_aside: explained.set_aside,
        held: std::iter::once(held_part(None, &explained.all))
            .chain(heads.map(|(name, one)| held_part(Some(name), one)))
            .collect(),
        confidence: explained.values.confidence.fraction(),
        limits: explain
            .ranked()
            .into_iter()
            .map(|(limit, date, slow)| limit_part(explain, limit, date, slow))
            .collect(),
        inputs: explain.swings().iter().map(|swing| input(explain, swing)).collect(),
        screening: explain.screening.as_ref().map(screening),
        shares: explain.indices.as_ref().map(shares),
    }
}

/// The JSON Schema of the document.
#[cfg(test)]
pub(in crate::report) fn schema() -> serde_json::Value {
    crate::report::schema::of::<Document>("An explanation of drawdown", SCHEMA_VERSION)
}

/// The document as text, indented, with a newline at its end.
///
/// # Errors
/// When a number cannot be written as JSON; ours can.
pub fn json(explain: &Explain) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&document(explain)).map(|text| text + "\n")
}

fn held_part(name: Option<&String>, held: &Held) -> HeldPart {
    let causes: Vec<Binding> = held.causes().into_iter().map(|(cause, _)| cause).collect();
    let named =
        |amounts: &[f64; Binding::COUNT]| causes.iter().map(|cause| (cause.name(), amounts[*cause as usize])).collect();
    HeldPart {
        head: name.cloned(),
        days: named(&held.days),
        hours_by_day: held.hours_by_day.iter().map(named).collect(),
    }
}

fn limit_part(explain: &Explain, limit: Limit, date: &MilestoneShift, slow: &MeasureShift) -> LimitPart {
    LimitPart {
        limit: words::limit(limit, &explain.scenario),
        store: limit.store(&explain.scenario).map(str::to_owned),
        unit: words::unit(limit, &explain.scenario),
        causes: limit.causes().iter().map(|cause| cause.name()).collect(),
        verdict: words::verdict_name(date.verdict),
        unknown: date.order.unknown,
        shift: moved(date, explain.explained.values.each),
        minutes_above_objective_by_migration: slow.difference.map(|shift| shift.days),
    }
}

fn input(explain: &Explain, swing: &Swing<'_>) -> InputPart {
    let values = explain.ends(swing.input);
    let each = explain.explained.swings.each;
    let end = |((level, value), one): ((f64, String), &&MilestoneShift)| EndPart {
        level,
        value,
        verdict: words::verdict_name(one.verdict),
        unknown: one.order.unknown,
        shift: moved(one, each),
    };
    let ends = swing.input.levels.into_iter().zip(values).zip(&swing.ends).map(end).collect();
    InputPart { keys: swing.input.keys.clone(), varied: swing.input.is_varied(), ends }
}

fn screening(screening: &Screening) -> ScreeningPart {
    let found = screening.found.as_ref();
    let effect = |(key, effect): &(String, Effect)| EffectPart {
        key: key.clone(),
        mu_star: effect.size.into(),
        mu: effect.mean.into(),
        sigma: effect.deviation.into(),
        direction: match effect.way {
            Way::Up => "later",
            Way::Down => "earlier",
            Way::Both => "both",
            Way::Nowhere => "nothing",
        },
    };
    ScreeningPart {
        trajectories: screening.trajectories,
        step: STEP,
        counted_as_horizon: screening.bounded,
        not_estimable: found.is_err().then(|| few_trajectories(screening.trajectories)),
        inputs: found.map(|found| ranked(found).into_iter().map(effect).collect()).unwrap_or_default(),
        chance_days: found.ok().map(|found| found.chance.into()),
    }
}

fn shares(indices: &Indices) -> SharesPart {
    SharesPart {
        rows: indices.rows,
        standard_deviation_days: indices.deviation_days,
        counted_as_horizon: indices.bounded,
        not_estimable: indices.causes.as_ref().err().map(|why| reason(*why, indices.rows as u32)),
        causes: indices.causes.iter().flatten().map(CausePart::from).collect(),
    }
}

fn moved(one: &MilestoneShift, each: Share) -> Option<MovedPart> {
    let is_known = !matches!(one.verdict, Verdict::InNeither | Verdict::TooFew);
    one.shift.filter(|_| is_known).map(|shift| {
        let (low_days, high_days) = shift.interval(each);
        MovedPart { days: shift.days, low_days, high_days, counted_as_horizon: shift.bounded }
    })
}
