//! A what-if as JSON: the stable shape of `what-if.json` and of `--json`.

use serde::Serialize;

use super::{About, ChangedKey, WhatIf};
use crate::forecast::cases::Measure;
use crate::forecast::compare::quantiles::AtLevel;
use crate::forecast::compare::{Dated, MeasureShift, MilestoneShift, Variant, Verdict};
use crate::forecast::quantile::{Estimate, LEVELS, When};
use crate::forecast::shift::Shift;
use crate::report::document::{QuantilePart, quantile_part};
use crate::scenario::Scenario;
use crate::sim::DRAW_SCHEME;
use crate::units::Share;

/// Version of the shape.
const SCHEMA_VERSION: u32 = 1;

/// Cases held against the first of them, replication by replication.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Fields are only added while this stays.
    schema_version: u32,
    /// Version of the program.
    version: &'static str,
    /// `what-if` or `compare`.
    kind: &'static str,
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
    /// Confidence of the verdicts (Holm) and of the intervals (Bonferroni) of all variants together, a share of 1.
    confidence: f64,
    /// Confidence of each interval of a shift, a share, or a difference, by itself.
    confidence_of_each: f64,
    /// The first case.
    base: BasePart,
    /// The others.
    variants: Vec<VariantPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BasePart {
    /// What it is called here.
    name: String,
    /// The scenario's own name.
    scenario: String,
    /// Its file.
    file: String,
    /// SHA-256 of the resolved scenario.
    sha256: String,
    /// Its dates.
    milestones: Vec<DatedPart>,
    /// Means of what users go through.
    impact: Vec<MeanPart>,
    /// Mailboxes left because they were set aside; mean of a replication.
    set_aside: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DatedPart {
    /// The milestone.
    name: String,
    /// Quantiles, each with an interval of its own.
    quantiles: Vec<QuantilePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MeanPart {
    /// What; its name ends in its unit.
    measure: &'static str,
    /// Mean of a replication, all heads together.
    mean: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct VariantPart {
    /// Its name.
    name: String,
    /// SHA-256 of the resolved scenario.
    sha256: String,
    /// Keys that differ from the first case's.
    changes: Vec<ChangedKey>,
    /// The milestones that both have.
    milestones: Vec<ShiftedPart>,
    /// Milestones of the first case alone.
    milestones_missing: Vec<String>,
    /// Milestones of this case alone.
    milestones_added: Vec<String>,
    /// What users go through.
    impact: Vec<ImpactPart>,
    /// Mailboxes left because they were set aside; mean of a replication.
    set_aside: f64,
    /// What a reader has to know.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShiftedPart {
    /// The milestone.
    name: String,
    /// `earlier`, `later`, `same` (not one replication differs), `same by horizon` (not one is known to differ, and some
    /// reach it by the horizon in neither case), `not sure` (it can be chance), `not known beyond the horizon` (what lies beyond it may turn
    /// the shift), `in neither` or `too few`.
    verdict: &'static str,
    /// The paired shift of means; null with too few replications.
    shift: Option<ShiftPart>,
    /// Replications by the order of the two dates.
    order: OrderPart,
    /// So many independent replications of each case would give an interval as narrow; null where there is no doubt at all.
    effective_replications: Option<f64>,
    /// The variant's dates.
    quantiles: Vec<QuantilePart>,
    /// Differences of quantiles, and quantiles of differences.
    levels: Vec<LevelPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShiftPart {
    /// Later where positive; a difference of means.
    days: f64,
    /// Lower end of its interval.
    low_days: f64,
    /// Upper end of its interval.
    high_days: f64,
    /// Standard error.
    error_days: f64,
    /// Dates, of both cases, that lie at or after the earlier horizon or are never reached, and count as that horizon.
    counted_as_horizon: usize,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OrderPart {
    /// Replications in which the variant's date is earlier.
    earlier: usize,
    /// Replications in which it is later.
    later: usize,
    /// Replications in which both are the same.
    same: usize,
    /// Replications in which both lie beyond the horizon.
    unknown: usize,
    /// Lower end of the interval of the share that is earlier.
    earlier_share_low: f64,
    /// Upper end; all that is unknown counted as earlier.
    earlier_share_high: f64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LevelPart {
    /// The level, a share of 1.
    level: f64,
    /// The variant's quantile less that of the first case; null where it is not estimable.
    difference_of_quantiles: Option<RangePart>,
    /// The quantile of the differences of each replication; null where it is not estimable.
    quantile_of_differences: Option<RangePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RangePart {
    /// Later where positive.
    days: f64,
    /// Lower end of its interval; null where there is none, or it depends on what lies beyond the horizon.
    low_days: Option<f64>,
    /// Upper end of its interval; null likewise.
    high_days: Option<f64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ImpactPart {
    /// What; its name ends in its unit.
    measure: &'static str,
    /// Mean of a replication of the variant.
    mean: f64,
    /// The mean of the differences; null with too few replications.
    difference: Option<f64>,
    /// Lower end of its interval.
    low: Option<f64>,
    /// Upper end of its interval.
    high: Option<f64>,
    /// Replications that the horizon cut off in either case: the amounts are not whole, and no verdict is `less` or `more`.
    unfinished: usize,
    /// `less`, `more`, `same`, `same by horizon`, `not sure` or `too few`.
    verdict: &'static str,
}

/// It as data.
#[must_use]
pub fn document(what_if: &WhatIf) -> Document {
    let compared = &what_if.compared;
    let scenario = &what_if.scenario;
    let mean = |(measure, mean): (Measure, &f64)| MeanPart { measure: measure.name(), mean: *mean };
    Document {
        schema_version: SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        kind: what_if.kind,
        command: what_if.command.clone(),
        warnings: what_if.warnings.clone(),
        seed: what_if.seed,
        draw_scheme: DRAW_SCHEME,
        replications: compared.replications,
        incomplete: what_if.interrupted,
        confidence: compared.confidence.fraction(),
        confidence_of_each: compared.each.fraction(),
        base: BasePart {
            name: what_if.base.clone(),
            scenario: scenario.name.clone(),
            file: what_if.file.clone(),
            sha256: what_if.sha256.clone(),
            milestones: compared.base.iter().map(|one| dated(one, scenario)).collect(),
            impact: Measure::ALL.into_iter().zip(&compared.base_impact).map(mean).collect(),
            set_aside: compared.base_aside,
        },
        variants: what_if.cases().map(|(about, one)| variant(about, one, scenario, compared.each)).collect(),
    }
}

/// The JSON Schema of the document.
#[cfg(test)]
pub(in crate::report) fn schema() -> serde_json::Value {
    crate::report::schema::of::<Document>("A what-if of drawdown", SCHEMA_VERSION)
}

/// The document as text, indented, with a newline at its end.
///
/// # Errors
/// When a number cannot be written as JSON; ours can.
pub fn json(what_if: &WhatIf) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&document(what_if)).map(|text| text + "\n")
}

fn dated(one: &Dated, scenario: &Scenario) -> DatedPart {
    DatedPart { name: one.name.clone(), quantiles: quantiles(&one.quantiles, scenario) }
}

fn quantiles(known: &[Option<Estimate<When>>], scenario: &Scenario) -> Vec<QuantilePart> {
    LEVELS.iter().zip(known).map(|(level, estimate)| quantile_part(scenario, *level, *estimate)).collect()
}

fn variant(about: &About, one: &Variant, scenario: &Scenario, each: Share) -> VariantPart {
    VariantPart {
        name: about.name.clone(),
        sha256: about.sha256.clone(),
        changes: about.changes.clone(),
        milestones: one.milestones.iter().map(|one| shifted(one, scenario, each)).collect(),
        milestones_missing: one.missing.clone(),
        milestones_added: one.added.clone(),
        impact: one.impact.iter().map(|one| impact(one, each)).collect(),
        set_aside: one.aside,
        notes: about.notes.clone(),
    }
}

fn shifted(one: &MilestoneShift, scenario: &Scenario, each: Share) -> ShiftedPart {
    let shift = |shift: Shift| {
        let (low_days, high_days) = shift.interval(each);
        let (days, error_days, counted_as_horizon) = (shift.days, shift.error, shift.bounded);
        ShiftPart { days, low_days, high_days, error_days, counted_as_horizon }
    };
    let (earlier_share_low, earlier_share_high) = one.order.earlier_share;
    ShiftedPart {
        name: one.dates.name.clone(),
        verdict: match one.verdict {
            Verdict::Less => "earlier",
            Verdict::More => "later",
            Verdict::Same => "same",
            Verdict::SameByHorizon => "same by horizon",
            Verdict::NotSure => "not sure",
            Verdict::Open => "not known beyond the horizon",
            Verdict::InNeither => "in neither",
            Verdict::TooFew => "too few",
        },
        shift: one.shift.map(shift),
        order: OrderPart {
            earlier: one.order.earlier,
            later: one.order.later,
            same: one.order.same,
            unknown: one.order.unknown,
            earlier_share_low,
            earlier_share_high,
        },
        effective_replications: one.effective,
        quantiles: quantiles(&one.dates.quantiles, scenario),
        levels: one.levels.iter().map(level).collect(),
    }
}

fn level(at: &AtLevel) -> LevelPart {
    let difference = |days: f64| {
        let (low, high) = at.interval.unzip();
        let known = |end: Option<f64>| end.filter(|days| days.is_finite());
        RangePart { days, low_days: known(low), high_days: known(high) }
    };
    let quantile = |it: Estimate<f64>| RangePart { days: it.value, low_days: Some(it.low), high_days: Some(it.high) };
    LevelPart {
        level: at.level.fraction(),
        difference_of_quantiles: at.difference_of_quantiles.map(difference),
        quantile_of_differences: at.quantile_of_differences.map(quantile),
    }
}

fn impact(one: &MeasureShift, each: Share) -> ImpactPart {
    let (low, high) = one.difference.map(|shift| shift.interval(each)).unzip();
    ImpactPart {
        measure: one.measure.name(),
        mean: one.mean,
        difference: one.difference.map(|shift| shift.days),
        low,
        high,
        unfinished: one.unfinished,
        verdict: match one.verdict {
            Verdict::Less => "less",
            Verdict::More => "more",
            Verdict::Same => "same",
            Verdict::SameByHorizon => "same by horizon",
            Verdict::NotSure | Verdict::Open | Verdict::InNeither => "not sure",
            Verdict::TooFew => "too few",
        },
    }
}
