//! Expectations as gates, for people who read a line each and for pipelines.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::comparison::Comparison;
use super::wording::{count, percent};
use super::{Block, Report, Section, Tone, comparison, markdown, rows};
use crate::forecast::Forecast;
use crate::forecast::expect::{Expected, Verdict};
use crate::forecast::shift::Change;

/// One scenario's forecast, held against what the scenario expects.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// The scenario's file, without its folders.
    pub file: &'a str,
    /// The forecast.
    pub forecast: &'a Forecast,
    /// The forecast held against an earlier one, where there is one.
    pub comparison: Option<&'a Comparison>,
    /// Whether there should have been an earlier one, and none was published.
    pub is_first: bool,
    /// Whether a date that has become later is a failure.
    pub may_not_be_later: bool,
}

impl Gate<'_> {
    /// The dates that have become later, where none may.
    #[must_use]
    pub fn too_late(&self) -> Vec<&str> {
        let comparison = self.comparison.filter(|_| self.may_not_be_later);
        comparison.iter().flat_map(|one| one.since.that(Change::Later)).map(|(name, _)| name).collect()
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

/// The gates as a page: the worst first, then the dates of each scenario.
#[must_use]
pub fn report(gates: &[Gate<'_>]) -> Report {
    let all = || gates.iter().flat_map(|gate| &gate.forecast.expectations);
    let of = |wanted| all().filter(|expected| expected.verdict == wanted).count();
    let (passed, failed, doubtful) = (of(Verdict::Pass), of(Verdict::Fail), of(Verdict::Inconclusive));
    let tone = match (failed, doubtful) {
        (0, 0) => Tone::Good,
        (0, _) => Tone::Doubt,
        (_, _) => Tone::Bad,
    };
    let expectations = if all().count() == 1 { "expectation" } else { "expectations" };
    let mut counts = vec![format!("{passed} of {} {expectations} met", all().count())];
    counts.extend((failed > 0).then(|| format!("{failed} not met")));
    counts.extend((doubtful > 0).then(|| format!("{doubtful} inconclusive")));
    let mut first = Vec::new();
    if all().next().is_some() {
        first.push(Block::Line(tone, counts.join(", ")));
    }
    let compared = || gates.iter().filter_map(|gate| Some((gate, gate.comparison?)));
    let of = |gate: &Gate<'_>| if gates.len() > 1 { format!("{}: ", gate.file) } else { String::new() };
    first.extend(
        compared()
            .map(|(gate, one)| Block::Line(comparison::tone(one), format!("{}{}", of(gate), comparison::line(one)))),
    );
    first.extend(gates.iter().filter(|gate| gate.is_first).map(|gate| {
        Block::Line(Tone::Plain, format!("{}no forecast was published before: nothing to compare with", of(gate)))
    }));
    let mut sections = vec![Section { title: String::new(), blocks: first }];
    for gate in gates {
        let replications = count(gate.forecast.replications.len() as f64);
        let mut blocks = vec![Block::Line(Tone::Plain, format!("{}: {replications} replications", gate.file))];
        blocks.extend(rows::expectations(gate.forecast).blocks);
        blocks.extend(rows::answer(gate.forecast).blocks.into_iter().map(|block| match block {
            Block::Line(Tone::Strong, text) => Block::Line(Tone::Plain, text),
            other => other,
        }));
        sections.push(Section { title: gate.forecast.scenario.name.clone(), blocks });
        sections.extend(gate.comparison.map(|one| comparison::section(one, gate.forecast)));
    }
    Report { title: "Dates expected".into(), sections }
}

/// The gates as Markdown, for the summary of a pipeline.
#[must_use]
pub fn markdown(gates: &[Gate<'_>]) -> String {
    markdown::render(&report(gates))
}

/// The gates in the format that pipelines take from tests: a suite a scenario, a case an expectation.
///
/// # Errors
/// When it cannot be written as XML; ours can.
pub fn junit(gates: &[Gate<'_>], doubt: Doubt) -> Result<String, quick_junit::SerializeError> {
    let mut report = quick_junit::Report::new("drawdown");
    for gate in gates {
        let mut suite = TestSuite::new(gate.file);
        for expected in &gate.forecast.expectations {
            suite.add_test_case(case(gate, expected, doubt));
        }
        suite.add_test_cases(gate.comparison.map(|comparison| comparison_case(gate, comparison)));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(gate: &Gate<'_>, expected: &Expected, doubt: Doubt) -> TestCase {
    let found = found(expected);
    let mut status = match doubt.resolve(expected.verdict) {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::skipped(),
    };
    if doubt.resolve(expected.verdict) != Verdict::Pass {
        status.set_message(format!("{}: {found}", expected.verdict.name()));
    }
    let mut case = TestCase::new(name(gate.forecast, expected), status);
    case.set_classname(gate.file).set_system_out(found);
    case
}

fn comparison_case(gate: &Gate<'_>, comparison: &Comparison) -> TestCase {
    let line = comparison::line(comparison);
    let mut status = TestCaseStatus::success();
    if !gate.too_late().is_empty() {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(line.clone());
    }
    let mut case = TestCase::new("no date later than in the last forecast", status);
    case.set_classname(gate.file).set_system_out(line);
    case
}

fn name(forecast: &Forecast, expected: &Expected) -> String {
    let milestone = forecast.scenario.milestone_name(&expected.expectation.milestone);
    format!("{milestone} by {}", expected.expectation.by)
}

fn found(expected: &Expected) -> String {
    format!(
        "in time in {} of the replications ({:.1} to {:.1} %), wanted {}",
        percent(expected.probability),
        expected.low * 100.0,
        expected.high * 100.0,
        expected.expectation.probability,
    )
}

/// The gates as JSON.
#[derive(Debug, Serialize)]
pub struct Document {
    schema_version: u32,
    version: &'static str,
    gates: Vec<GatePart>,
}

#[derive(Debug, Serialize)]
struct GatePart {
    file: String,
    scenario: String,
    replications: usize,
    incomplete: bool,
    expectations: Vec<ExpectationPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_last_forecast: Option<comparison::ComparisonPart>,
}

#[derive(Debug, Serialize)]
struct ExpectationPart {
    milestone: String,
    by: String,
    wanted: f64,
    probability: f64,
    low: f64,
    high: f64,
    verdict: &'static str,
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
    };
    let gate = |gate: &Gate<'_>| GatePart {
        file: gate.file.to_owned(),
        scenario: gate.forecast.scenario.name.clone(),
        replications: gate.forecast.replications.len(),
        incomplete: gate.forecast.rule.interrupted,
        expectations: gate.forecast.expectations.iter().map(|expected| part(gate.forecast, expected)).collect(),
        since_last_forecast: gate.comparison.map(comparison::document),
    };
    Document { schema_version: 1, version: env!("CARGO_PKG_VERSION"), gates: gates.iter().map(gate).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made_of, outcome, scenario};
    use crate::migration::message::Milestone;
    use crate::scenario::Expectation;
    use crate::units::Share;

    /// One expectation that is met, one that is not, and one that 100 replications cannot tell.
    fn forecast() -> Forecast {
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
        let gates = [Gate {
            file: "small.toml",
            forecast: &forecast,
            comparison: None,
            is_first: false,
            may_not_be_later: false,
        }];
        insta::assert_snapshot!("gates_page", super::super::terminal::render(&report(&gates)).replace('\x1b', "ESC"));
        insta::assert_snapshot!("gates_markdown", markdown(&gates));
        insta::assert_snapshot!("gates_junit", junit(&gates, Doubt::Stays).unwrap());
        insta::assert_snapshot!("gates_json", serde_json::to_string_pretty(&document(&gates)).unwrap());
    }

    #[test]
    fn doubt_counts_as_is_asked_for() {
        let forecast = forecast();
        let gates = [Gate {
            file: "small.toml",
            forecast: &forecast,
            comparison: None,
            is_first: false,
            may_not_be_later: false,
        }];
        let count = |doubt, what: &str| junit(&gates, doubt).unwrap().matches(what).count();
        assert_eq!((count(Doubt::Stays, "<failure"), count(Doubt::Stays, "<skipped")), (1, 1));
        assert_eq!((count(Doubt::Fails, "<failure"), count(Doubt::Fails, "<skipped")), (2, 0));
        assert_eq!((count(Doubt::Passes, "<failure"), count(Doubt::Passes, "<skipped")), (1, 0));
    }
}
