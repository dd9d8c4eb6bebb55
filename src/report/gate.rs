//! Expectations as gates, for people who read a line each and for pipelines.

mod junit;

use serde::Serialize;

pub use junit::junit;

use super::comparison::Comparison;
use super::wording::replications;
use super::{Block, Report, Section, Tone, aside, comparison, markdown, rows};
use crate::forecast::Forecast;
use crate::forecast::expect::{Expected, Verdict};

/// One scenario's forecast, held against what the scenario expects.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// The scenario's file, without its folders.
    pub file: &'a str,
    /// The forecast.
    pub forecast: &'a Forecast,
    /// The earlier forecast that it is held against.
    pub earlier: Earlier<'a>,
    /// Whether a date that has become later is a failure.
    pub may_not_be_later: bool,
    /// What is dubious in the scenario, and what was left out of its inventory.
    pub warnings: &'a [String],
}

/// What a forecast is held against.
#[derive(Clone, Copy, Debug)]
pub enum Earlier<'a> {
    /// Nothing: it was not asked for.
    NotAsked,
    /// Nothing: no forecast was published before.
    First,
    /// It was ended before it was through.
    Interrupted,
    /// An earlier forecast.
    Compared(&'a Comparison),
}

impl<'a> Gate<'a> {
    /// The comparison, where there is one.
    #[must_use]
    pub const fn comparison(&self) -> Option<&'a Comparison> {
        match self.earlier {
            Earlier::Compared(comparison) => Some(comparison),
            Earlier::NotAsked | Earlier::First | Earlier::Interrupted => None,
        }
    }

    /// What its readers should be careful about: what it was given, and what its forecast shows.
    fn warnings(&self) -> Vec<String> {
        self.warnings.iter().cloned().chain(aside::warning(self.forecast)).collect()
    }

    /// What decides how the program ends: of each expectation, and of no date being later where that is asked for.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> + use<'a> {
        self.forecast.expectations.iter().map(|expected| expected.verdict).chain(self.not_later())
    }

    /// Where no date may become later: whether that is so.
    #[must_use]
    pub fn not_later(&self) -> Option<Verdict> {
        let comparison = self.comparison().filter(|_| self.may_not_be_later)?;
        Some(if comparison.later().next().is_some() {
            Verdict::Fail
        } else if comparison.is_open() || comparison.is_cut_off() {
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        })
    }
}

/// What an expectation that cannot be told counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// As itself.
    Stays,
    /// As met.
    Passes,
    /// As not met.
    Fails,
}

impl Doubt {
    /// What a verdict counts as.
    #[must_use]
    pub const fn resolve(self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Self::Passes, Verdict::Inconclusive) => Verdict::Pass,
            (Self::Fails, Verdict::Inconclusive) => Verdict::Fail,
            (_, verdict) => verdict,
        }
    }
}

/// What is asked for where no date may become later.
const NOT_LATER: &str = "no date later than in the last forecast";
/// What is said where nothing was published before.
const FIRST: &str = "No forecast was published before: nothing to compare with.";
/// What is said where the comparison was ended before it was through.
const INTERRUPTED: &str = "INCOMPLETE: the comparison with the last forecast was ended early.";

/// The gates as a page: the worst first, then the dates of each scenario.
#[must_use]
pub fn report(gates: &[Gate<'_>]) -> Report {
    let verdicts: Vec<Verdict> = gates.iter().flat_map(Gate::verdicts).collect();
    let of = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    let (passed, failed, doubtful) = (of(Verdict::Pass), of(Verdict::Fail), of(Verdict::Inconclusive));
    let tone = match (failed, doubtful) {
        (0, 0) => Tone::Good,
        (0, _) => Tone::Doubt,
        (_, _) => Tone::Bad,
    };
    let expectations = if verdicts.len() == 1 { "expectation" } else { "expectations" };
    let mut counts = vec![format!("{passed} of {} {expectations} met", verdicts.len())];
    counts.extend((failed > 0).then(|| format!("{failed} not met")));
    counts.extend((doubtful > 0).then(|| format!("{doubtful} inconclusive")));
    let mut first = Vec::new();
    if !verdicts.is_empty() {
        first.push(Block::Line(tone, counts.join(", ")));
    }
    let of = |gate: &Gate<'_>| if gates.len() > 1 { format!("{}: ", gate.file) } else { String::new() };
    first.extend(gates.iter().filter_map(|gate| {
        let (tone, text) = match gate.earlier {
            Earlier::NotAsked => return None,
            Earlier::First => (Tone::Plain, FIRST.to_owned()),
            Earlier::Interrupted => (Tone::Bad, INTERRUPTED.to_owned()),
            Earlier::Compared(comparison) => (comparison::tone(comparison), comparison::line(comparison)),
        };
        Some(Block::Line(tone, format!("{}{text}", of(gate))))
    }));
    let mut sections = vec![Section { title: String::new(), blocks: first }];
    for gate in gates {
        let replications = replications(gate.forecast.replications.len());
        let mut blocks = vec![Block::Line(Tone::Plain, format!("{}: {replications}", gate.file))];
        blocks.extend(gate.warnings().iter().map(|text| Block::Line(Tone::Doubt, format!("Warning: {text}"))));
        blocks.extend(rows::expectations(gate.forecast).blocks);
        blocks.extend(gate.not_later().map(not_later));
        blocks.extend(rows::answer(gate.forecast).blocks.into_iter().map(|block| match block {
            Block::Line(Tone::Strong, text) => Block::Line(Tone::Plain, text),
            other => other,
        }));
        sections.push(Section { title: gate.forecast.scenario.name.clone(), blocks });
        sections.extend(gate.comparison().map(|one| comparison::section(one, gate.forecast)));
    }
    Report { title: "Dates expected".into(), sections }
}

/// A verdict like that of an expectation: it decides how the program ends just as well.
fn not_later(verdict: Verdict) -> Block {
    Block::Line(rows::tone_of(verdict), format!("{}: {NOT_LATER}", verdict.name()))
}

/// The gates as Markdown, for the summary of a pipeline.
#[must_use]
pub fn markdown(gates: &[Gate<'_>]) -> String {
    markdown::render(&report(gates))
}

/// The gates as JSON.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Version of this shape: fields are only ever added while it stays the same.
    schema_version: u32,
    /// Version of the program.
    version: &'static str,
    /// A scenario each.
    gates: Vec<GatePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct GatePart {
    /// The scenario's file, without folders.
    file: String,
    /// The scenario's title.
    scenario: String,
    /// How often it was simulated.
    replications: usize,
    /// Whether somebody ended the forecast early.
    incomplete: bool,
    /// What is dubious in the scenario, what was left out of its inventory, and what the dates excuse.
    warnings: Vec<String>,
    /// What is expected, and what came of it.
    expectations: Vec<ExpectationPart>,
    /// `compared`, `none was published`, `the comparison was ended early` or `not asked for`.
    last_forecast: &'static str,
    /// Whether no date has become later, where that was asked for and there is something to compare with: `pass`, `fail` or
    /// `inconclusive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_later: Option<&'static str>,
    /// What has changed since the forecast that was published last.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_last_forecast: Option<comparison::ComparisonPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ExpectationPart {
    /// Which milestone.
    milestone: String,
    /// By when, as the scenario says it.
    by: String,
    /// Wanted probability, a share of 1.
    wanted: f64,
    /// Share of the replications that were in time.
    probability: f64,
    /// Lower end of its exact interval (Clopper-Pearson).
    low: f64,
    /// Upper end of its exact interval (Clopper-Pearson).
    high: f64,
    /// `pass`, `fail` or `inconclusive`.
    verdict: &'static str,
    /// Whether its date lies before the forecast's start: what happened is known, and stands in place of the replications.
    has_passed: bool,
}

/// Version of the gates' shape.
const SCHEMA_VERSION: u32 = 1;

/// The JSON Schema of the gates' document.
#[cfg(test)]
pub(in crate::report) fn schema() -> serde_json::Value {
    crate::report::schema::of::<Document>("Gates of drawdown", SCHEMA_VERSION)
}

/// The gates as a document.
#[must_use]
pub fn document(gates: &[Gate<'_>]) -> Document {
    let part = |forecast: &Forecast, expected: &Expected| ExpectationPart {
        milestone: forecast.scenario.milestone_name(&expected.expectation.milestone),
        by: expected.expectation.by.clone(),
        wanted: expected.expectation.probability.fraction(),
        probability: expected.probability,
        low: expected.low,
        high: expected.high,
        verdict: expected.verdict.name(),
        has_passed: expected.has_passed,
    };
    let gate = |gate: &Gate<'_>| GatePart {
        file: gate.file.to_owned(),
        scenario: gate.forecast.scenario.name.clone(),
        replications: gate.forecast.replications.len(),
        incomplete: gate.forecast.rule.interrupted,
        warnings: gate.warnings(),
        expectations: gate.forecast.expectations.iter().map(|expected| part(gate.forecast, expected)).collect(),
        last_forecast: match gate.earlier {
            Earlier::NotAsked => "not asked for",
            Earlier::First => "none was published",
            Earlier::Interrupted => "the comparison was ended early",
            Earlier::Compared(_) => "compared",
        },
        not_later: gate.not_later().map(Verdict::name),
        since_last_forecast: gate.comparison().map(comparison::document),
    };
    Document {
        schema_version: SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        gates: gates.iter().map(gate).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made_of, outcome, scenario};
    use crate::migration::message::Milestone;
    use crate::scenario::Expectation;
    use crate::units::Share;

    /// One expectation that is met, one that is not, and one that 100 replications cannot tell.
    pub(super) fn forecast() -> Forecast {
        let mut scenario = scenario();
        scenario.name = "A <b>bold</b> & \"quoted\" name".into();
        let by = |days: f64, by: &str, wanted: u32| Expectation {
            milestone: Milestone::AllEmptied,
            before: crate::forecast::testing::after(days),
            by: by.into(),
            probability: Share::from_ppm(wanted),
        };
        scenario.expectations =
            vec![by(40.0, "2012-11-18", 900_000), by(28.0, "2012-11-06", 900_000), by(29.0, "2012-11-07", 500_000)];
        made_of(&scenario, 100, &|r| outcome(r, days_of(r)))
    }

    #[test]
    fn each_form_says_the_same() {
        let forecast = forecast();
        let warnings = ["small.toml:3:1: head.head-1: its users alone ask for 120 % <of it>".to_owned()];
        let gates = [Gate {
            file: "small.toml",
            forecast: &forecast,
            earlier: Earlier::NotAsked,
            may_not_be_later: false,
            warnings: &warnings,
        }];
        insta::assert_snapshot!("gates_page", super::super::terminal::render(&report(&gates)).replace('\x1b', "ESC"));
        insta::assert_snapshot!("gates_markdown", markdown(&gates));
        insta::assert_snapshot!("gates_junit", junit(&gates, Doubt::Stays).unwrap());
        insta::assert_snapshot!("gates_json", serde_json::to_string_pretty(&document(&gates)).unwrap());
    }
}
