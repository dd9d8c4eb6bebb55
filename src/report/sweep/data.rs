//! A sweep as JSON: the stable shape of `sweep.json` and of `--json`.

use serde::Serialize;

use super::Sweep;
use crate::forecast::cases::Measure;
use crate::forecast::quantile::LEVELS;
use crate::forecast::sweep::design::Axis;
use crate::forecast::sweep::{Mean, Point};
use crate::report::document::{QuantilePart, quantile_part};
use crate::sim::DRAW_SCHEME;

/// Version of the shape.
const SCHEMA_VERSION: u32 = 1;

/// A scenario at many values of some of its keys.
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
    /// Replications of each point.
    replications: u32,
    /// Whether it was ended early.
    incomplete: bool,
    /// The scenario's own name.
    scenario: String,
    /// Its file.
    file: String,
    /// SHA-256 of the resolved scenario that is varied.
    sha256: String,
    /// `grid` or `sobol`.
    design: &'static str,
    /// The milestone whose dates are told.
    milestone: String,
    /// Confidence of each interval, a share of 1.
    confidence: f64,
    /// What is varied.
    axes: Vec<AxisPart>,
    /// The points, in the design's order.
    points: Vec<PointPart>,
    /// Numbers of the points on the frontier of date against minutes above the objective, the earliest first.
    frontier: Vec<usize>,
    /// The number of its knee; null where it has none.
    knee: Option<usize>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AxisPart {
    /// The key.
    key: String,
    /// The first value.
    from: f64,
    /// The last value.
    to: f64,
    /// The unit of the values; empty for none.
    unit: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PointPart {
    /// By the axes.
    values: Vec<f64>,
    /// Days from the start until the milestone; dates at or after the horizon count as it.
    days: MeanPart,
    /// Replications that count as the horizon.
    counted_as_horizon: usize,
    /// Quantiles of the date.
    quantiles: Vec<QuantilePart>,
    /// What users go through.
    impact: Vec<ImpactPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SweepMeanPart"))]
struct MeanPart {
    /// The mean over the replications.
    mean: f64,
    /// Lower end of its interval; null with too few replications, or where the horizon cut some off and the mean is a lower bound.
    low: Option<f64>,
    /// Upper end of its interval.
    high: Option<f64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SweepImpactPart"))]
struct ImpactPart {
    /// What; its name ends in its unit.
    measure: &'static str,
    /// How much, all heads together.
    amount: MeanPart,
}

/// It as data.
#[must_use]
pub fn document(sweep: &Sweep) -> Document {
    let axis = |axis: &Axis| AxisPart { key: axis.key.clone(), from: axis.from, to: axis.to, unit: axis.unit.clone() };
    Document {
        schema_version: SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        command: sweep.command.clone(),
        warnings: sweep.warnings.clone(),
        seed: sweep.seed,
        draw_scheme: DRAW_SCHEME,
        replications: sweep.replications,
        incomplete: !sweep.is_complete(),
        scenario: sweep.scenario.name.clone(),
        file: sweep.file.clone(),
        sha256: sweep.sha256.clone(),
        design: if sweep.is_grid { "grid" } else { "sobol" },
        milestone: sweep.main(),
        confidence: sweep.scenario.forecast.confidence.fraction(),
        axes: sweep.axes.iter().map(axis).collect(),
        points: sweep.swept.points.iter().map(|one| point(sweep, one)).collect(),
        frontier: sweep.swept.frontier.clone(),
        knee: sweep.swept.knee,
    }
}

/// The JSON Schema of the document.
#[cfg(test)]
pub(in crate::report) fn schema() -> serde_json::Value {
    crate::report::schema::of::<Document>("A sweep of drawdown", SCHEMA_VERSION)
}

/// The document as text, indented, with a newline at its end.
///
/// # Errors
/// When a number cannot be written as JSON; ours can.
pub fn json(sweep: &Sweep) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&document(sweep)).map(|text| text + "\n")
}

fn point(sweep: &Sweep, point: &Point) -> PointPart {
    let impact = |(measure, mean): (Measure, &Mean)| ImpactPart { measure: measure.name(), amount: part(*mean) };
    let quantile = |(level, estimate): (&_, &_)| quantile_part(&sweep.scenario, *level, *estimate);
    PointPart {
        values: point.values.clone(),
        days: part(point.days),
        counted_as_horizon: point.bounded,
        quantiles: LEVELS.iter().zip(&point.quantiles).map(quantile).collect(),
        impact: Measure::ALL.into_iter().zip(&point.impact).map(impact).collect(),
    }
}

fn part(mean: Mean) -> MeanPart {
    let (low, high) = mean.interval.unzip();
    MeanPart { mean: mean.value, low, high }
}
