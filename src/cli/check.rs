//! `drawdown check`.

pub(super) mod baseline;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::forecast::{self, Made, stem, stop_on_interrupt};
use super::{Done, Failure, ScenarioArguments, told};
use crate::forecast::expect::Verdict;
use crate::report::gate::{self, Doubt, Earlier, Gate};
use crate::report::published::Published;
use crate::report::terminal;
use crate::scenario::parse_span;
use crate::units::Span;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown check my.toml
  drawdown check my.toml --junit check.xml --summary check.md --inconclusive pass
  drawdown check my.toml --baseline published --output new --fail-if-later

Exit codes: 0 all expectations met, 10 one is not met, 11 nobody can say yet, 12 ended early; 2 a scenario is bad, or expects nothing.
Where GITHUB_STEP_SUMMARY names a file, the summary is added to it.")]
pub(super) struct Arguments {
    /// The scenario files; each has `[[expect]]`, or there is `--baseline`
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// Change a key of each file, for example plan.throttle.max=48
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Seed in place of the files'
    #[arg(long)]
    seed: Option<u64>,
    /// Exactly this many replications, in place of the files' stop rules
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    replications: Option<u32>,
    /// Threads to simulate on; the result does not depend on it [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// What an expectation counts as that the replications cannot tell [default: exit code 11]
    #[arg(long, value_name = "AS")]
    inconclusive: Option<Inconclusive>,
    /// Write the verdicts as `JUnit` XML, a case an expectation
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the summary as Markdown
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    earlier: Against,
    /// Start from where a running migration stands: its ledger; with one scenario
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "LEDGER")]
    from: Option<PathBuf>,
    /// Where the folders of the forecasts' files go
    #[arg(long, default_value = "output")]
    output: PathBuf,
    /// Print JSON in place of the page
    #[arg(long)]
    json: bool,
    /// Write no forecasts' files
    #[arg(long)]
    no_files: bool,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    reading: Reading,
}

/// What a forecast is held against.
#[derive(Clone, Debug, Args)]
struct Against {
    /// Hold each forecast against the one published last: the folder with the scenarios' folders, as `--output` was then
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,
    /// With `--baseline`: a date that has moved by less is where it was
    #[arg(long, value_name = "SPAN", default_value = "6 h", value_parser = parse_span)]
    margin: Span,
    /// With `--baseline`: a date that has surely become later is an expectation not met
    #[arg(long, requires = "baseline")]
    fail_if_later: bool,
}

/// What is let pass when scenarios are read.
#[derive(Clone, Copy, Debug, Args)]
struct Reading {
    /// Leave out rows of inventories that have problems
    #[arg(long)]
    skip_bad_rows: bool,
    /// Let `extends`, an inventory and samples of the load lead out of the scenario's folder
    #[arg(long)]
    allow_path: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Inconclusive {
    Pass,
    Fail,
}

impl Arguments {
    fn of(&self, scenario: &Path) -> forecast::Arguments {
        forecast::Arguments {
            scenario: ScenarioArguments {
                scenario: scenario.to_owned(),
                overrides: self.overrides.clone(),
                seed: self.seed,
                skip_bad_rows: self.reading.skip_bad_rows,
                allow_path: self.reading.allow_path,
            },
            replications: self.replications,
            shares: None,
            threads: self.threads,
            #[cfg(target_os = "linux")]
            from: self.from.clone(),
            // What is held against what was published says more.
            baseline: None,
            output: self.output.clone(),
            json: false,
            no_files: self.no_files,
            quiet: self.quiet,
        }
    }

    fn doubt(&self) -> Doubt {
        match self.inconclusive {
            None => Doubt::Stays,
            Some(Inconclusive::Pass) => Doubt::Passes,
            Some(Inconclusive::Fail) => Doubt::Fails,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let earlier = refuse(arguments)?;
    let stop = stop_on_interrupt()?;
    let mut all: Vec<Made> = Vec::new();
    let mut unwritten: Result<(), Failure> = Ok(());
    let mut interrupted = false;
    for (scenario, earlier) in arguments.scenarios.iter().zip(&earlier) {
        if !arguments.quiet && arguments.scenarios.len() > 1 {
            writeln!(told::stderr(), "{}", scenario.display())?;
        }
        let asked = arguments.of(scenario);
        let mut made = forecast::make(&asked, earlier.as_ref(), &stop)?;
        interrupted = made.forecast.rule.interrupted;
        if let Some(earlier) = earlier.as_ref().filter(|_| !interrupted) {
            made.about.comparison = baseline::compare(&asked, &made, earlier, arguments.earlier.margin, &stop)?;
            interrupted = made.about.comparison.is_none();
        }
        // Last: it may take the place of the earlier one, which stays until all is known.
        let is_cut = interrupted && !made.forecast.rule.interrupted;
        if !arguments.no_files && !is_cut {
            // What has been simulated is told, whether or not it could be written.
            let written = made.write(&arguments.output, scenario).map(drop);
            unwritten = unwritten.and(written);
        }
        all.push(made);
        if interrupted {
            break;
        }
    }
    let gates: Vec<Gate<'_>> = all
        .iter()
        .zip(&earlier)
        .map(|(made, earlier)| Gate {
            file: &made.about.file,
            forecast: &made.forecast,
            earlier: match (&made.about.comparison, earlier) {
                (Some(comparison), _) => Earlier::Compared(comparison),
                (None, Some(_)) => Earlier::Interrupted,
                (None, None) if arguments.earlier.baseline.is_some() => Earlier::First,
                (None, None) => Earlier::NotAsked,
            },
            may_not_be_later: arguments.earlier.fail_if_later,
            warnings: &made.about.warnings,
        })
        .collect();
    let published = publish(arguments, &gates);
    unwritten.and(published)?;
    let cut = if interrupted { Done::Incomplete } else { Done::Complete };
    Ok(done(&gates, arguments.doubt()).max(cut))
}

/// All that is wrong with what is asked for, before the first forecast is made; what was published of each scenario.
fn refuse(arguments: &Arguments) -> Result<Vec<Option<Published>>, Failure> {
    let mut wrong = Vec::new();
    let mut earlier = Vec::new();
    let mut folders: BTreeMap<String, &Path> = BTreeMap::new();
    for path in &arguments.scenarios {
        if let Some(other) = folders.insert(stem(path), path) {
            let (one, other) = (other.display(), path.display());
            wrong.push(format!("{one} and {other} would both write the folder \"{}\"", stem(path)));
        }
        match arguments.of(path).scenario.read_telling(None) {
            Ok(source) if source.middle().expectations.is_empty() && arguments.earlier.baseline.is_none() => {
                wrong.push(format!("{}: it has no `[[expect]]`: there is nothing to check", path.display()));
            }
            Ok(_) => {}
            Err(Failure::Input(problems)) => wrong.push(problems),
            Err(failure) => return Err(failure),
        }
        // Before anything is written: it may be the folder that is written to.
        let published = arguments.earlier.baseline.as_ref().map_or(Ok(None), |folder| baseline::read(folder, path));
        earlier.push(published.unwrap_or_else(|trouble| {
            wrong.push(trouble);
            None
        }));
    }
    if let Some(baseline) = arguments.earlier.baseline.as_ref().filter(|_| arguments.earlier.fail_if_later) {
        let same = || Some(baseline.canonicalize().ok()? == arguments.output.canonicalize().ok()?);
        if !arguments.no_files && same() == Some(true) {
            let text = "--fail-if-later: --baseline and --output are one folder: what has failed once would pass when it is run again";
            wrong.push(text.to_owned());
        }
    }
    #[cfg(target_os = "linux")]
    if arguments.from.is_some() && arguments.scenarios.len() > 1 {
        wrong.push("--from: a ledger is of one scenario".to_owned());
    }
    wrong.dedup();
    if wrong.is_empty() { Ok(earlier) } else { Err(Failure::Input(wrong.join("\n"))) }
}

/// Writes what was asked for, and prints the page whether or not that could be written.
fn publish(arguments: &Arguments, gates: &[Gate<'_>]) -> Result<(), Failure> {
    let mut written = Ok(());
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| Failure::Run(format!("{}: {error}", path.display())))
    };
    if let Some(path) = &arguments.junit {
        let text = gate::junit(gates, arguments.doubt()).map_err(|error| Failure::Run(error.to_string()));
        written = text.and_then(|text| write(path, &text));
    }
    let summary = gate::markdown(gates);
    if let Some(path) = &arguments.summary {
        written = written.and(write(path, &summary));
    }
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        let path = Path::new(&path);
        let added = OpenOptions::new().append(true).create(true).open(path);
        let added = added.and_then(|mut file| file.write_all(summary.as_bytes()));
        written = written.and(added.map_err(|error| Failure::Run(format!("{}: {error}", path.display()))));
    }
    let page = if arguments.json {
        serde_json::to_string_pretty(&gate::document(gates)).map_err(io::Error::from)? + "\n"
    } else {
        terminal::render(&gate::report(gates))
    };
    let printed = told::page().write_all(page.as_bytes());
    written?;
    Ok(printed?)
}

/// The worst of all: one that is not met stays so when a forecast was ended early; what was not reached can say nothing.
fn done(gates: &[Gate<'_>], doubt: Doubt) -> Done {
    let verdicts = gates.iter().flat_map(|gate| {
        let interrupted = gate.forecast.rule.interrupted.then_some(Done::Incomplete);
        let verdict = |verdict| match doubt.resolve(verdict) {
            Verdict::Pass => Done::Complete,
            Verdict::Fail => Done::NotMet,
            Verdict::Inconclusive => Done::Inconclusive,
        };
        gate.verdicts().map(verdict).chain(interrupted)
    });
    verdicts.max().unwrap_or(Done::Complete)
}
