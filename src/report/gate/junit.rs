//! Gates in the format that pipelines take from tests.
//!
//! There is no one standard of it. What is written is valid by the schema of Jenkins' xUnit plugin, `junit-10.xsd`, which is
//! Surefire's; a test holds it against that. Nothing in it is a time: two runs give the same bytes.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Doubt, Earlier, Gate, NOT_LATER};
use crate::forecast::Forecast;
use crate::forecast::expect::{Expected, Verdict};
use crate::report::comparison;
use crate::report::rows::came_out;

/// The case of a forecast that is not whole.
const WHOLE: &str = "the forecast was not ended early";

/// A suite a scenario, a case an expectation, and one of the comparison with the last forecast where that was asked for.
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
        suite.add_test_cases(comparison_case(gate, doubt));
        suite.add_test_cases(cut_case(gate));
        let warnings = gate.warnings();
        if !warnings.is_empty() {
            suite.set_system_out(warnings.join("\n"));
        }
        report.add_test_suite(suite);
    }
    report.to_string().map(|text| without_skipped_in_all(&text, report.skipped))
}

/// Schemas allow the number of skipped cases of a suite, and not of all suites.
fn without_skipped_in_all(text: &str, skipped: usize) -> String {
    text.replacen(&format!(" skipped=\"{skipped}\""), "", 1)
}

fn case(gate: &Gate<'_>, expected: &Expected, doubt: Doubt) -> TestCase {
    let found = found(expected, gate.forecast);
    let mut status = status(Some(doubt.resolve(expected.verdict)));
    if doubt.resolve(expected.verdict) != Verdict::Pass {
        status.set_message(format!("{}: {found}", expected.verdict.name()));
    }
    named(gate, &name(gate.forecast, expected), status, found)
}

/// A first forecast has nothing to be later than: that is skipped, and no failure.
fn comparison_case(gate: &Gate<'_>, doubt: Doubt) -> Option<TestCase> {
    let (mut status, line) = match gate.earlier {
        Earlier::NotAsked => return None,
        Earlier::First => (TestCaseStatus::skipped(), super::FIRST.to_owned()),
        Earlier::Interrupted => (TestCaseStatus::non_success(NonSuccessKind::Error), super::INTERRUPTED.to_owned()),
        Earlier::Compared(comparison) => {
            (status(gate.not_later().map(|verdict| doubt.resolve(verdict))), comparison::line(comparison))
        }
    };
    if !matches!(status, TestCaseStatus::Success { .. }) {
        status.set_message(line.clone());
    }
    Some(named(gate, NOT_LATER, status, line))
}

/// A forecast that was ended early ends the program with 12: it is green nowhere.
fn cut_case(gate: &Gate<'_>) -> Option<TestCase> {
    let rule = &gate.forecast.rule;
    let line = format!(
        "INCOMPLETE: ended early, after {} of at most {} replications",
        gate.forecast.replications.len(),
        rule.amount.maximum
    );
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(line.clone());
    rule.interrupted.then(|| named(gate, WHOLE, status, line))
}

fn status(verdict: Option<Verdict>) -> TestCaseStatus {
    match verdict {
        None | Some(Verdict::Pass) => TestCaseStatus::success(),
        Some(Verdict::Fail) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Some(Verdict::Inconclusive) => TestCaseStatus::skipped(),
    }
}

fn named(gate: &Gate<'_>, name: &str, status: TestCaseStatus, said: String) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(gate.file).set_system_out(said);
    case
}

fn name(forecast: &Forecast, expected: &Expected) -> String {
    let milestone = forecast.scenario.milestone_name(&expected.expectation.milestone);
    format!("{milestone} by {}", expected.expectation.by)
}

fn found(expected: &Expected, forecast: &Forecast) -> String {
    let came_out = came_out(expected, forecast);
    if expected.has_passed || expected.has_happened { came_out } else { format!("in time {came_out}") }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::forecast::Forecast;
    use crate::forecast::shift::Change;
    use crate::forecast::since::Found;
    use crate::report::comparison::Comparison;
    use crate::report::comparison::tests::compared;
    use crate::report::gate::tests::forecast;

    static WARNINGS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();

    const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/junit/junit-10.xsd");

    /// What `xmllint` has to say against a file; none where it is not installed, unless the environment says that it is.
    fn invalid(junit: &str) -> Option<String> {
        let mut command = Command::new("xmllint");
        command.args(["--nonet", "--noout", "--schema", SCHEMA, "-"]);
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                assert!(std::env::var_os("DRAWDOWN_TEST_XMLLINT").is_none(), "xmllint: {error}");
                println!("skipped: xmllint cannot be run: {error}");
                return None;
            }
        };
        child.stdin.take().unwrap().write_all(junit.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        Some(if output.status.success() { String::new() } else { said })
    }

    fn gate<'a>(forecast: &'a Forecast, earlier: Earlier<'a>) -> Gate<'a> {
        Gate { file: "small.toml", forecast, earlier, may_not_be_later: true, warnings: &[] }
    }

    /// Gates of every kind: each verdict of an expectation and of the comparison, a forecast that was ended early, none at all.
    fn all<'a>(forecast: &'a Forecast, cut: &'a Forecast, comparison: &'a Comparison) -> Vec<Gate<'a>> {
        let warnings: &[String] = WARNINGS.get_or_init(|| vec!["one <warning>".to_owned(), "another".to_owned()]);
        vec![
            Gate { warnings, ..gate(forecast, Earlier::NotAsked) },
            gate(forecast, Earlier::First),
            gate(forecast, Earlier::Interrupted),
            gate(forecast, Earlier::Compared(comparison)),
            Gate { may_not_be_later: false, ..gate(forecast, Earlier::Compared(comparison)) },
            gate(cut, Earlier::NotAsked),
        ]
    }

    fn cut() -> Forecast {
        let mut cut = forecast();
        cut.rule.interrupted = true;
        cut
    }

    #[test]
    fn every_file_is_valid_by_the_common_schema() {
        let (forecast, cut, (_, comparison)) = (forecast(), cut(), compared());
        let gates = all(&forecast, &cut, &comparison);
        for doubt in [Doubt::Stays, Doubt::Passes, Doubt::Fails] {
            let text = junit(&gates, doubt).unwrap();
            assert!(invalid(&text).is_none_or(|wrong| wrong.is_empty()), "{}\n{text}", invalid(&text).unwrap());
            // What is not of the schema is found.
            let other = text.replacen("<testsuites ", "<testsuites skipped=\"1\" ", 1);
            assert!(invalid(&other).is_none_or(|wrong| wrong.contains("'skipped' is not allowed")), "{other}");
        }
        let none = junit(&[], Doubt::Stays).unwrap();
        assert!(invalid(&none).is_none_or(|wrong| wrong.is_empty()), "{none}");
    }

    #[test]
    fn a_comparison_that_there_is_not_has_a_case_too() {
        let (forecast, cut, (_, comparison)) = (forecast(), cut(), compared());
        let case_of = |gate: Gate<'_>, name: &str| {
            let text = junit(&[gate], Doubt::Stays).unwrap();
            let from = text.find(&format!("<testcase name=\"{name}\""));
            from.map(|from| text[from..].split_once("</testcase>").unwrap().0.to_owned())
        };
        assert_eq!(case_of(gate(&forecast, Earlier::NotAsked), NOT_LATER), None);
        let first = case_of(gate(&forecast, Earlier::First), NOT_LATER).unwrap();
        assert!(first.contains("<skipped message=\"No forecast was published before"), "{first}");
        let interrupted = case_of(gate(&forecast, Earlier::Interrupted), NOT_LATER).unwrap();
        assert!(interrupted.contains("<error message=\"INCOMPLETE: the comparison "), "{interrupted}");
        let later = case_of(gate(&forecast, Earlier::Compared(&comparison)), NOT_LATER).unwrap();
        assert!(later.contains("<failure message=\"Since the last forecast "), "{later}");
        let mut open = comparison.clone();
        for one in &mut open.since.milestones {
            if let Found::Moved(moved) = &mut one.found {
                (moved.change, moved.shift.bounded, moved.not_done) = (Change::Open, 8, [(2, 60), (6, 60)]);
            }
        }
        let gate_of_open = gate(&forecast, Earlier::Compared(&open));
        assert_eq!(gate_of_open.not_later(), Some(Verdict::Inconclusive));
        let line = comparison::line(&open);
        assert!(line.contains("of all emptied nobody knows: 10 % of the replications"), "{line}");
        let said = |gates: &[Gate<'_>]| {
            let page = crate::report::gate::markdown(gates);
            (page, serde_json::to_value(crate::report::gate::document(gates)).unwrap())
        };
        let (page, document) = said(&[gate(&forecast, Earlier::Compared(&comparison))]);
        assert!(page.contains("1 of 4 expectations met, 2 not met, 1 inconclusive"), "{page}");
        assert!(page.contains("fail: no date later than in the last forecast"), "{page}");
        assert_eq!(document["gates"][0]["not_later"], "fail");
        let (page, document) = said(&[gate_of_open]);
        assert!(page.contains("inconclusive: no date later than in the last forecast"), "{page}");
        assert_eq!(document["gates"][0]["not_later"], "inconclusive");
        let only_told = Gate { may_not_be_later: false, ..gate(&forecast, Earlier::Compared(&comparison)) };
        let (page, document) = said(&[only_told]);
        assert!(page.contains("1 of 3 expectations met") && !page.contains("no date later than"), "{page}");
        assert!(document["gates"][0].get("not_later").is_none(), "{document}");
        let only_told = case_of(only_told, NOT_LATER).unwrap();
        assert!(!only_told.contains("message="), "{only_told}");
        assert_eq!(case_of(gate(&forecast, Earlier::NotAsked), WHOLE), None);
        let ended = case_of(gate(&cut, Earlier::NotAsked), WHOLE).unwrap();
        assert!(ended.contains("<error message=\"INCOMPLETE: ended early, after 100 of at most "), "{ended}");
    }

    #[test]
    fn doubt_counts_as_is_asked_for() {
        let forecast = forecast();
        let gates = [gate(&forecast, Earlier::NotAsked)];
        let count = |doubt, what: &str| junit(&gates, doubt).unwrap().matches(what).count();
        assert_eq!((count(Doubt::Stays, "<failure"), count(Doubt::Stays, "<skipped")), (1, 1));
        assert_eq!((count(Doubt::Fails, "<failure"), count(Doubt::Fails, "<skipped")), (2, 0));
        assert_eq!((count(Doubt::Passes, "<failure"), count(Doubt::Passes, "<skipped")), (1, 0));
    }
}
