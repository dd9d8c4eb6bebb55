//! `drawdown explain`: what holds the date back.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::forecast::{Arguments as ForecastArguments, quoted, stem, stop_on_interrupt};
use super::what_if::file_word;
use super::{Done, Failure, ScenarioArguments, progress, simulate};
use crate::forecast::explain::explain;
use crate::report::explain::{self, Explain};
use crate::report::files::sha256;
use crate::report::terminal;

/// Replications of each case where nobody says how many.
const REPLICATIONS: u32 = 20;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown explain my.toml
  drawdown explain my.toml --replications 100
  drawdown explain my.toml --set plan.throttle.max=64 --json --no-files

Says what has bound each head for how long, what one unit more of each limit would be worth (a stream, a MB/s, a point of a
threshold, hardware a day earlier, an hour less of a window), and how far each uncertain input moves the date.
Every case has the same random numbers: a limit that does not bind moves the date by exactly 0.
Exit codes: 0 done, 2 bad usage or scenario, 12 ended early.")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Replications of each case [default: 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    replications: Option<u32>,
    /// Threads to simulate on; the result does not depend on it [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Start from where a running migration stands: its ledger
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "LEDGER")]
    from: Option<PathBuf>,
    /// Where the folder of the files goes
    #[arg(long, default_value = "output")]
    output: PathBuf,
    /// Print JSON in place of the page
    #[arg(long)]
    json: bool,
    /// Write no files
    #[arg(long)]
    no_files: bool,
    /// No progress and no measurements on stderr
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let of_forecast = forecast_arguments(arguments);
    let (source, start) = simulate::read(&of_forecast)?;
    let replications = arguments.replications.unwrap_or(REPLICATIONS);
    let stop = stop_on_interrupt()?;
    let began = progress::now();
    let seed = arguments.scenario.seed;
    let (explained, _) = simulate::with_inputs(&of_forecast, (&source, &start), seed, &stop, &|inputs, watch| {
        (explain(inputs, replications, watch), inputs.middle.clone())
    })?;
    let (explained, scenario) = explained;
    let path = &arguments.scenario.scenario;
    let known = Explain {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256: sha256(source.resolved().as_bytes()),
        uncertain: source.uncertain().to_vec(),
        explained,
        seed: scenario.forecast.seed,
        scenario,
        asked: replications,
        command: command(arguments, replications),
    };
    publish(arguments, &known, began.elapsed().as_secs_f64())?;
    Ok(if known.explained.interrupted { Done::Incomplete } else { Done::Complete })
}

fn forecast_arguments(arguments: &Arguments) -> ForecastArguments {
    ForecastArguments {
        scenario: arguments.scenario.clone(),
        replications: arguments.replications,
        shares: None,
        threads: arguments.threads,
        baseline: None,
        #[cfg(target_os = "linux")]
        from: arguments.from.clone(),
        output: arguments.output.clone(),
        json: arguments.json,
        no_files: arguments.no_files,
        quiet: arguments.quiet,
    }
}

fn publish(arguments: &Arguments, known: &Explain, wall_s: f64) -> Result<(), Failure> {
    let page = if arguments.json {
        explain::json(known).map_err(io::Error::from)?
    } else {
        terminal::render(&explain::report(known))
    };
    let written = if arguments.no_files {
        None
    } else {
        let folder = format!("{}-explain", stem(&arguments.scenario.scenario));
        let written = explain::write(&arguments.output, &folder, known);
        Some(written.map_err(|error| Failure::Run(format!("{}: {error}", arguments.output.display())))?)
    };
    let printed = anstream::stdout().write_all(page.as_bytes());
    if !arguments.quiet {
        let explained = &known.explained;
        let cases = 1 + explained.limits.len() + 2 * explained.inputs.len();
        let text = format!("{} replications of {cases} cases in {wall_s:.1} s", explained.replications);
        progress::say_done(&text, written.as_deref());
    }
    Ok(printed?)
}

/// The command that gives these numbers again, from the same folder.
fn command(arguments: &Arguments, replications: u32) -> String {
    let scenario = &arguments.scenario;
    let mut words = vec!["drawdown".to_owned(), "explain".to_owned(), file_word(&scenario.scenario)];
    words.extend(scenario.overrides.iter().flat_map(|setting| ["--set".to_owned(), quoted(setting)]));
    #[cfg(target_os = "linux")]
    if let Some(ledger) = &arguments.from {
        words.extend(["--from".to_owned(), file_word(ledger)]);
    }
    words.extend(scenario.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    words.extend(["--replications".to_owned(), replications.to_string()]);
    words.extend(scenario.skip_bad_rows.then(|| "--skip-bad-rows".to_owned()));
    words.extend(scenario.allow_path.then(|| "--allow-path".to_owned()));
    words.join(" ")
}
