//! `drawdown explain`: what holds the date back.

mod varied;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::forecast::{Arguments as ForecastArguments, quoted, stem, stop_on_interrupt};
use super::progress::{self, Progress};
use super::publish::{self, below};
use super::what_if::file_word;
use super::{Done, Failure, ScenarioArguments, simulate};
use crate::forecast::explain::{self as finding, Explained, Varied};
use crate::forecast::replicate::Watch;
use crate::forecast::sensitivity::{self, Indices, Screening, morris, sobol};
use crate::report::explain::{self, Explain};
use crate::report::files::sha256;
use crate::report::terminal;
use crate::scenario::Scenario;
use varied::Sources;

/// Replications of each case where nobody says how many.
const REPLICATIONS: u32 = 20;
/// More inputs than these are screened, and not held one by one, where nobody says otherwise.
const MANY: usize = 12;
/// Trajectories of a screening where nobody says how many.
const TRAJECTORIES: u32 = 20;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown explain my.toml
  drawdown explain my.toml --replications 100
  drawdown explain my.toml --set plan.throttle.max=64 --json --no-files
  drawdown explain my.toml --vary plan.throttle.max=16..64 --vary 'plan.move.stream=6 MB/s..20 MB/s'
  drawdown explain my.toml --vary plan.throttle.max=16..64 --morris --sobol=256

Says what has bound each head for how long, what one unit more of each limit would be worth (a stream, a MB/s, a point of a
threshold, hardware a day earlier, an hour less of a window), and how far each uncertain input moves the date.
Every case has the same random numbers: a limit that does not bind moves the date by exactly 0.
--vary adds numbers that the file knows exactly, between two ends that you give. More than 12 inputs are screened (--morris)
in place of the tornado, unless --tornado asks for it. --sobol says how much of the date's spread each input causes.
Exit codes: 0 done, 2 bad usage or scenario, 12 ended early.")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    #[command(flatten)]
    inputs: InputArguments,
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

/// What is asked of the inputs.
#[derive(Debug, Args)]
struct InputArguments {
    /// A number to vary besides the file's uncertain ones, and its ends; may be given several times
    #[arg(long = "vary", value_name = "KEY=A..B")]
    vary: Vec<String>,
    /// Hold each input at its ends, however many there are
    #[arg(long)]
    tornado: bool,
    /// Screen the inputs by Morris' elementary effects [default where asked without a number: 20]
    #[arg(long, value_name = "TRAJECTORIES", num_args = 0..=1, require_equals = true, default_missing_value = "20")]
    #[arg(value_parser = clap::value_parser!(u32).range(i64::from(morris::FEWEST)..=10_000))]
    morris: Option<u32>,
    /// Shares of the spread, Sobol's indices, from so many rows; powers of two are best [default where asked without a number: 128]
    #[arg(long, value_name = "ROWS", num_args = 0..=1, require_equals = true, default_missing_value = "128")]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=i64::from(sobol::MOST_ROWS)))]
    sobol: Option<u32>,
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
struct Work {
    replications: u32,
    has_tornado: bool,
    trajectories: Option<u32>,
    rows: Option<u32>,
}

impl Work {
    fn of(arguments: &Arguments, sources: &Sources) -> Result<Self, Failure> {
        let inputs = &arguments.inputs;
        let many = sources.inputs().iter().flatten().count();
        if many == 0 && (inputs.morris.is_some() || inputs.sobol.is_some()) {
            let message = "no number of the scenario is uncertain and none is varied (--vary): there is nothing to hold against each other";
            return Err(Failure::Input(message.to_owned()));
        }
        if inputs.sobol.is_some() && many > sobol::MOST_INPUTS {
            let message = format!("--sobol takes at most {} inputs, there are {many}: screen them", sobol::MOST_INPUTS);
            return Err(Failure::Input(message));
        }
        let is_many = many > MANY;
        Ok(Self {
            replications: arguments.replications.unwrap_or(REPLICATIONS),
            has_tornado: !is_many || inputs.tornado,
            trajectories: inputs.morris.or(is_many.then_some(TRAJECTORIES)),
            rows: inputs.sobol,
        })
    }
}

/// What was found.
struct Found {
    explained: Explained,
    screening: Option<Screening>,
    indices: Option<Indices>,
    scenario: Scenario,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let of_forecast = forecast_arguments(arguments);
    let sources = Sources::read(&of_forecast, &arguments.inputs.vary)?;
    let work = Work::of(arguments, &sources)?;
    let warnings = simulate::remarks(&sources.file.0, &sources.file.1);
    progress::warn(&warnings);
    let stop = stop_on_interrupt()?;
    let began = progress::now();
    let found = simulate_all(arguments, work, &sources, &stop)?;
    let path = &arguments.scenario.scenario;
    let known = Explain {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256: sha256(sources.file.0.resolved().as_bytes()),
        uncertain: sources.all().0.uncertain().to_vec(),
        explained: found.explained,
        screening: found.screening,
        indices: found.indices,
        seed: found.scenario.forecast.seed,
        scenario: found.scenario,
        asked: work.replications,
        command: command(arguments, work.replications),
        warnings,
    };
    publish(arguments, &known, began.elapsed().as_secs_f64())?;
    Ok(if known.is_incomplete() { Done::Incomplete } else { Done::Complete })
}

fn simulate_all(arguments: &Arguments, work: Work, sources: &Sources, stop: &AtomicBool) -> Result<Found, Failure> {
    let of_forecast = forecast_arguments(arguments);
    let seed = arguments.scenario.seed;
    let (file, all) = (&sources.file, sources.all());
    let progress = Progress::counting(arguments.quiet, "simulations");
    let realise = sources.realise();
    let varied: Vec<Varied<'_>> =
        realise.iter().map(|(key, realise)| Varied { key: key.clone(), realise: &**realise }).collect();
    let held = work.has_tornado.then_some(&varied[..]);
    let ((cases, size, scenario), _) = simulate::on_inputs(&of_forecast, (&file.0, &file.1), seed, &|inputs| {
        let cases = finding::cases(inputs, held);
        (cases, cases.saturating_mul(work.replications), inputs.middle.clone())
    })?;
    let (sizes, _) = simulate::on_inputs(&of_forecast, (&all.0, &all.1), seed, &|inputs| {
        let screening = work.trajectories.map_or(0, |many| sensitivity::screening_size(inputs, many));
        [screening, work.rows.map_or(0, |many| sensitivity::indices_size(inputs, many))]
    })?;
    let total = size.saturating_add(sizes[0]).saturating_add(sizes[1]);
    if !arguments.quiet {
        budget(work, cases, (size, sizes), total);
    }
    let show = |before: u32, each: u32| {
        let progress = &progress;
        move |done: u32, _: u32| progress.show(before.saturating_add(done.saturating_mul(each)), total)
    };
    let (explained, _) = simulate::on_inputs(&of_forecast, (&file.0, &file.1), seed, &|inputs| {
        let watch = Watch { stop, progress: &show(0, cases) };
        finding::explain(inputs, held, work.replications, watch)
    })?;
    let screen = |many: u32| {
        simulate::on_inputs(&of_forecast, (&all.0, &all.1), seed, &|inputs| {
            sensitivity::screen(inputs, many, Watch { stop, progress: &show(size, sizes[0] / many) })
        })
    };
    let screening = work.trajectories.map(screen).transpose()?;
    let index = |many: u32| {
        simulate::on_inputs(&of_forecast, (&all.0, &all.1), seed, &|inputs| {
            let progress = &show(size + sizes[0], sizes[1] / many);
            sensitivity::indices(inputs, many, Watch { stop, progress })
        })
    };
    let indices = work.rows.map(index).transpose()?;
    progress.finish();
    Ok(Found { explained, screening: screening.map(|one| one.0), indices: indices.map(|one| one.0), scenario })
}

/// Says on stderr what will be simulated.
fn budget(work: Work, cases: u32, (size, sizes): (u32, [u32; 2]), total: u32) {
    let mut parts = vec![format!("{size} of {cases} cases, {} times each", work.replications)];
    parts.extend(work.trajectories.map(|many| format!("{} of {many} trajectories", sizes[0])));
    parts.extend(work.rows.map(|many| format!("{} of {many} rows", sizes[1])));
    // A reader that has gone away is no reason to fail.
    let _ = writeln!(io::stderr(), "{total} simulations: {}", parts.join(", "));
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
    let folder = format!("{}-explain", stem(&arguments.scenario.scenario));
    let write = || explain::write(&arguments.output, &folder, known).map_err(below(&arguments.output));
    publish::publish(&page, (!arguments.no_files).then(write), |folder| {
        if !arguments.quiet {
            measurements(known, folder, wall_s);
        }
    })
}

fn measurements(known: &Explain, folder: Option<&Path>, wall_s: f64) {
    let explained = &known.explained;
    let cases = 1 + explained.limits.len() + 2 * explained.inputs.len();
    let mut parts = vec![format!("{} replications of {cases} cases", explained.replications)];
    parts.extend(known.screening.iter().map(|one| format!("{} trajectories", one.trajectories)));
    parts.extend(known.indices.iter().map(|one| format!("{} rows", one.rows)));
    progress::say_done(&format!("{} in {wall_s:.1} s", parts.join(", ")), folder);
}

/// The command that gives these numbers again, from the same folder.
fn command(arguments: &Arguments, replications: u32) -> String {
    let (scenario, inputs) = (&arguments.scenario, &arguments.inputs);
    let mut words = vec!["drawdown".to_owned(), "explain".to_owned(), file_word(&scenario.scenario)];
    words.extend(scenario.overrides.iter().flat_map(|setting| ["--set".to_owned(), quoted(setting)]));
    words.extend(inputs.vary.iter().flat_map(|vary| ["--vary".to_owned(), quoted(vary)]));
    words.extend(inputs.tornado.then(|| "--tornado".to_owned()));
    words.extend(inputs.morris.iter().map(|many| format!("--morris={many}")));
    words.extend(inputs.sobol.iter().map(|many| format!("--sobol={many}")));
    #[cfg(target_os = "linux")]
    let from = arguments.from.as_deref();
    #[cfg(not(target_os = "linux"))]
    let from = None;
    words.extend(scenario.reading().words(from, scenario.seed, replications));
    words.join(" ")
}
