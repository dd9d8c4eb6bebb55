//! The forecast as JSON: the stable shape of `forecast.json` and of `--json`.
//!
//! Fields are only ever added while `schema_version` stays the same. Every number's name ends in its unit unless it is a
//! count, a share of 1, or a probability.

mod shape;

use shape::{
    CausePart, ChancePart, ClusterPart, ExpectationPart, HappenedPart, HeadPart, InodePart, InputPart, Instant,
    MilestonePart, NotePart, PastPart, RulePart, SaidPart, ScenarioPart, SharePart, TrendPart, WhenPart,
};

pub use shape::Document;
pub(super) use shape::QuantilePart;

use super::past::{Past, Said};
use super::wording::{utc, with_offset};
use super::{About, comparison, ending, inventory, links, load, shares, warn};
use crate::forecast::expect::Expected;
use crate::forecast::quantile::{Estimate, LEVELS, When};
use crate::forecast::series::Trend;
use crate::forecast::{ClusterForecast, Forecast, HeadForecast, InodeForecast, MilestoneForecast, Widths};
use crate::migration::message::{Binding, CORE_VERSION};
use crate::scenario::{NoteKind, Scenario};
use crate::units::{Share, Span, Time};

/// Version of the shape.
pub const SCHEMA_VERSION: u32 = 1;

/// The document of a forecast.
#[must_use]
pub fn document(forecast: &Forecast, about: &About) -> Document {
    let scenario = &forecast.scenario;
    let milestones = |list: &[MilestoneForecast]| list.iter().map(|one| milestone(scenario, one)).collect();
    Document {
        schema_version: SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        core_version: CORE_VERSION,
        command: about.command.clone(),
        scenario: scenario_part(scenario, about),
        seed: forecast.settings.seed,
        replications: forecast.replications.len(),
        incomplete: forecast.rule.interrupted,
        stop_rule: rule(forecast),
        milestones: milestones(&forecast.milestones),
        expectations: forecast.expectations.iter().map(|one| expectation(scenario, one)).collect(),
        unfinished: forecast
            .unfinished
            .iter()
            .map(|(cause, replications)| CausePart { cause: cause.name(), replications: *replications })
            .collect(),
        heads: scenario.heads.iter().zip(&forecast.heads).map(|(name, one)| head(name, one)).collect(),
        clusters: scenario.clusters.iter().zip(&forecast.clusters).map(|(name, one)| cluster(name, one)).collect(),
        links: links::parts(forecast),
        chance_only: match &forecast.widths {
            Widths::ChanceIsAll => None,
            Widths::Both { replications, chance_only } => {
                Some(ChancePart { replications: *replications, milestones: milestones(chance_only) })
            }
        },
        uncertain_inputs: inputs(about),
        shares_of_the_spread: forecast.shares.as_ref().map(|known| shares::part(known, scenario)),
        inventory: about.inventory.as_ref().map(|known| inventory::part(known, &scenario.heads)),
        load: about.load.as_ref().map(load::part),
        observed: about.observed.clone(),
        beside_last_forecast: about.past.as_ref().map(|past| past_part(scenario, past)),
        since_last_forecast: about.comparison.as_ref().map(comparison::document),
        last_percent: ending::last_part_means(forecast),
        price: ending::price_part(forecast),
        notes: notes(about),
        warnings: warn::warnings(forecast, about),
    }
}

/// The JSON Schema of the document.
#[cfg(test)]
pub(super) fn schema() -> serde_json::Value {
    super::schema::of::<Document>("A forecast of drawdown", SCHEMA_VERSION)
}

/// The document as text, indented, with a newline at its end.
///
/// # Errors
/// When a number cannot be written as JSON; ours can.
pub fn json(forecast: &Forecast, about: &About) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&document(forecast, about)).map(|text| text + "\n")
}

fn instant(scenario: &Scenario, time: Time) -> Instant {
    Instant { utc: utc(time), local: with_offset(time, &scenario.time_zone) }
}

fn scenario_part(scenario: &Scenario, about: &About) -> ScenarioPart {
    ScenarioPart {
        name: scenario.name.clone(),
        file: about.file.clone(),
        sha256: about.scenario_sha256.clone(),
        time_zone: scenario.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        as_of: instant(scenario, scenario.as_of),
        horizon: instant(scenario, scenario.horizon),
    }
}

fn rule(forecast: &Forecast) -> RulePart {
    let rule = &forecast.rule;
    RulePart {
        minimum: rule.amount.minimum,
        batch: rule.amount.batch,
        maximum: rule.amount.maximum,
        wanted_half_width_days: forecast.settings.half_width.days(),
        half_width_days: rule.half_width.map(Span::days),
        held: rule.held,
        confidence: forecast.settings.confidence.fraction(),
    }
}

fn milestone(scenario: &Scenario, one: &MilestoneForecast) -> MilestonePart {
    MilestonePart {
        name: scenario.milestone_name(&one.milestone),
        reached: one.reached,
        censored: one.censored,
        never: one.never,
        quantiles: LEVELS
            .iter()
            .zip(&one.quantiles)
            .map(|(level, estimate)| quantile_part(scenario, *level, *estimate))
            .collect(),
    }
}

/// A quantile of dates, in a scenario's local time.
pub(super) fn quantile_part(scenario: &Scenario, level: Share, estimate: Option<Estimate<When>>) -> QuantilePart {
    QuantilePart {
        level: level.fraction(),
        estimable: estimate.is_some(),
        value: estimate.map(|estimate| when(scenario, estimate.value)),
        low: estimate.map(|estimate| when(scenario, estimate.low)),
        high: estimate.map(|estimate| when(scenario, estimate.high)),
    }
}

fn when(scenario: &Scenario, when: When) -> WhenPart {
    match when {
        When::At(time) => {
            let Instant { utc, local } = instant(scenario, time);
            WhenPart::Date { utc, local, days_from_as_of: time.since(scenario.as_of).days() }
        }
        When::AfterHorizon => WhenPart::AfterHorizon,
        When::Never => WhenPart::Never,
    }
}

fn expectation(scenario: &Scenario, one: &Expected) -> ExpectationPart {
    ExpectationPart {
        milestone: scenario.milestone_name(&one.expectation.milestone),
        by: one.expectation.by.clone(),
        wanted: one.expectation.probability.fraction(),
        probability: one.probability,
        low: one.low,
        high: one.high,
        verdict: one.verdict.name(),
        has_passed: one.has_passed,
    }
}

fn head(name: &str, one: &HeadForecast) -> HeadPart {
    let share = |cause: Binding| SharePart { cause: cause.name(), share: one.bound[cause as usize] };
    HeadPart {
        name: name.to_owned(),
        turn_days: one.turn.days(),
        bound: Binding::ALL.into_iter().filter(|cause| *cause != Binding::NotItsTurn).map(share).collect(),
        minutes_above_objective: one.impact.minutes_above,
        minutes_above_objective_without_migration: one.impact.minutes_above_alone,
        minutes_saturated: one.impact.minutes_saturated,
        outages: one.impact.outages,
        expected_outages: one.impact.expected_outages,
        expected_outages_without_migration: one.impact.expected_outages_alone,
        mailbox_hours_down: one.impact.mailbox_hours_down,
        set_aside: one.impact.set_aside,
        trends: one.trends.iter().map(trend).collect(),
    }
}

fn trend(one: &Trend) -> TrendPart {
    TrendPart {
        quantity: super::table::head_column(one.series),
        first_week: one.first_week,
        last_week: one.last_week,
        change: one.change.value,
        change_low: one.change.low,
        change_high: one.change.high,
        direction: one.direction.name(),
        shared_days: one.shared_days,
        compared: one.compared,
        not_emptied: one.not_emptied,
    }
}

fn cluster(name: &str, one: &ClusterForecast) -> ClusterPart {
    ClusterPart {
        name: name.to_owned(),
        highest_placement: one.highest_placement.fraction(),
        threshold: one.threshold.fraction(),
        placements_within_threshold: one.highest_placement <= one.threshold,
        final_fill_p50: one.final_fill.map(|fill| fill.value),
        inodes: one.inodes.as_ref().map(inodes),
    }
}

fn inodes(one: &InodeForecast) -> InodePart {
    InodePart {
        highest_placement: one.highest_placement.fraction(),
        threshold: one.threshold.fraction(),
        placements_within_threshold: one.highest_placement <= one.threshold,
        final_fill_p50: one.final_fill.map(|fill| fill.value),
        filled: one.filled,
    }
}

fn past_part(scenario: &Scenario, past: &Past) -> PastPart {
    let said = |said: &Said| {
        let (p10, p90) = said.range.unzip();
        SaidPart { day: said.day, p10, p50: said.p50, p90 }
    };
    let happened = |&(at, mailboxes): &(Time, f64)| HappenedPart { utc: utc(at), mailboxes };
    PastPart {
        as_of: instant(scenario, past.as_of),
        said: past.said.iter().map(said).collect(),
        happened: past.happened.iter().map(happened).collect(),
        ahead_days: past.ahead().map(Span::days),
        within_range: past.within_range(),
    }
}

fn inputs(about: &About) -> Vec<InputPart> {
    let part = |input: &crate::scenario::UncertainInput| InputPart {
        key: input.key.clone(),
        low: input.low.clone(),
        middle: input.middle.clone(),
        high: input.high.clone(),
        law: input.law.to_string(),
    };
    about.uncertain.iter().map(part).collect()
}

fn notes(about: &About) -> Vec<NotePart> {
    let part = |note: &crate::scenario::Note| NotePart {
        kind: match note.kind {
            NoteKind::Fact => "fact",
            NoteKind::Assumption => "assumption",
        },
        keys: note.keys.clone(),
        text: note.text.clone(),
        source: note.source.clone(),
        chosen_to_fit: note.chosen_to_fit,
    };
    about.notes.iter().map(part).collect()
}
