//! `drawdown sweep`: a scenario at many values of some of its keys.

mod partial;
pub(super) mod vary;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::forecast::{Arguments as ForecastArguments, quoted, stem, stop_on_interrupt};
use super::progress::{self, Progress};
use super::publish::{below, publish};
use super::simulate::{self, Beginning};
use super::what_if::file_word;
use super::{Done, Failure, ScenarioArguments};
use crate::forecast::cases::{self, Case, Run};
use crate::forecast::replicate::Watch;
use crate::forecast::sweep::design::{Axis, Design};
use crate::forecast::sweep::{Simulated, swept};
use crate::migration::message::{CORE_VERSION, Milestone};
use crate::report::files::sha256;
use crate::report::sweep::{self, Sweep};
use crate::report::terminal;
use crate::scenario::{Scenario, Source};
use crate::sim::{self, DRAW_SCHEME, Workspace};
use partial::Partial;

/// Replications of each point where nobody says how many.
const REPLICATIONS: u32 = 20;
/// Problems of points that are said; the others are mostly the same.
const PROBLEMS_SAID: usize = 5;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown sweep my.toml --vary plan.throttle.max=8..64:8
  drawdown sweep my.toml --vary 'plan.throttle.latency=3 ms..8 ms:6' --vary 'plan.move.stream=6 MB/s..20 MB/s:8'
  drawdown sweep my.toml --points 64 --vary plan.throttle.max=8..64 --vary 'plan.throttle.latency=3 ms..8 ms' \\
    --vary 'head.head-1.capacity=8000 op/s..10000 op/s'

KEY=A..B:N is N values from A to B. Two ends that are whole and have no unit give whole values: write 1.0..4.0:7 for others.
Several keys are a full grid, or a Sobol sequence of --points. All points have the same random numbers.
A sweep that is stopped or killed goes on where it stood when the same command is given again.
Exit codes: 0 done, 2 bad usage or scenario, 12 ended early.")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// A key and its values; may be given several times
    #[arg(long = "vary", value_name = "KEY=A..B:N", required = true)]
    vary: Vec<String>,
    /// So many points of a Sobol sequence in place of the full grid
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    points: Option<u32>,
    /// Replications of each point [default: 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    replications: Option<u32>,
    /// Threads to simulate on; the result does not depend on it [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Start from where a running migration stands: its ledger
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "LEDGER")]
    from: Option<PathBuf>,
    #[command(flatten)]
    writing: Writing,
    /// Print JSON in place of the page
    #[arg(long)]
    json: bool,
    /// No progress and no measurements on stderr
    #[arg(long, short)]
    quiet: bool,
}

/// What is written where.
#[derive(Debug, Args)]
struct Writing {
    /// Begin anew, and forget what is done of this sweep
    #[arg(long)]
    fresh: bool,
    /// Where the folder of the files goes
    #[arg(long, default_value = "output")]
    output: PathBuf,
    /// Write no files: what is done is not kept either
    #[arg(long)]
    no_files: bool,
}

/// What is to be simulated.
struct Work {
    axes: Vec<Axis>,
    design: Design,
    points: Vec<Vec<f64>>,
    replications: u32,
    seed: u64,
    /// What all of it depends on, hashed.
    name: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let (axes, design) = vary::design(&arguments.vary, arguments.points).map_err(Failure::Input)?;
    let read = simulate::read(&of_forecast(arguments, Vec::new()))?;
    let warnings = simulate::remarks(&read.0, &read.1);
    progress::warn(&warnings);
    let (source, start) = read;
    let scenario = start.apply(source.middle().clone());
    let seed = arguments.scenario.seed.unwrap_or(scenario.forecast.seed);
    let replications = arguments.replications.unwrap_or(REPLICATIONS);
    let points = design.points(&axes, seed);
    let mut work = Work { axes, design, points, replications, seed, name: String::new() };
    work.name = check(arguments, &work, &source, &start)?;
    let stop = stop_on_interrupt()?;
    let began = progress::now();
    let stem = format!("{}-sweep", stem(&arguments.scenario.scenario));
    let mut partial = if arguments.writing.no_files {
        Partial::none()
    } else {
        // The message names the file.
        Partial::open(&arguments.writing.output, &stem, &work.name, replications, arguments.writing.fresh)?
    };
    let before = partial.done().len();
    let is_complete = simulate_all(arguments, &work, &mut partial, &stop)?;
    let milestone = place_of_main(&scenario)?;
    let simulated: Vec<Simulated> = work
        .points
        .iter()
        .zip(partial.done())
        .map(|(values, runs)| Simulated { values: values.clone(), runs: runs.clone() })
        .collect();
    let known = Sweep {
        file: arguments.scenario.scenario.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256: sha256(source.resolved().as_bytes()),
        swept: swept(&scenario, milestone, &simulated),
        scenario,
        asked: work.points.len(),
        is_grid: work.design == Design::Grid,
        axes: work.axes,
        replications,
        seed,
        command: command(arguments, replications),
        warnings,
    };
    let page = if arguments.json {
        sweep::json(&known).map_err(io::Error::from)?
    } else {
        terminal::render(&sweep::report(&known))
    };
    let output = &arguments.writing.output;
    let write = || {
        let folder = sweep::write(output, &stem, &known).map_err(below(output))?;
        // What is kept of it is in the folder now.
        partial.remove()?;
        Ok(folder)
    };
    publish(&page, (!arguments.writing.no_files && is_complete).then(write), |folder| {
        if !arguments.quiet {
            measurements(&known, before, began.elapsed().as_secs_f64(), folder);
        }
    })?;
    Ok(if is_complete { Done::Complete } else { Done::Incomplete })
}

fn place_of_main(scenario: &Scenario) -> Result<usize, Failure> {
    let place = scenario.milestones.iter().position(|one| *one == Milestone::AllEmptied);
    place.ok_or_else(|| Failure::Run("the scenario has no day on which all is emptied".to_owned()))
}

fn of_forecast(arguments: &Arguments, settings: Vec<String>) -> ForecastArguments {
    let mut scenario = arguments.scenario.clone();
    scenario.overrides.extend(settings);
    ForecastArguments {
        scenario,
        replications: None,
        shares: None,
        threads: arguments.threads,
        baseline: None,
        #[cfg(target_os = "linux")]
        from: arguments.from.clone(),
        output: arguments.writing.output.clone(),
        json: false,
        no_files: true,
        quiet: true,
    }
}

fn read(arguments: &Arguments, work: &Work, point: &[f64]) -> Result<(Source, Beginning), Failure> {
    let settings = work.axes.iter().zip(point).map(|(axis, value)| axis.setting(*value)).collect();
    simulate::read(&of_forecast(arguments, settings))
}

/// Reads every point before any is simulated, says what is wrong with them, and gives what the sweep depends on a name.
fn check(arguments: &Arguments, work: &Work, source: &Source, start: &Beginning) -> Result<String, Failure> {
    let mut all = vec![
        format!("drawdown {} {DRAW_SCHEME} {CORE_VERSION}", env!("CARGO_PKG_VERSION")),
        format!("{} {} {:?} {:?}", work.seed, work.replications, work.axes, work.design),
        sha256(source.resolved().as_bytes()),
        start.sha256()?.unwrap_or_default(),
    ];
    let (mut wrong, mut known, mut bad) = (Vec::new(), Vec::<String>::new(), 0_usize);
    for point in &work.points {
        match read(arguments, work, point) {
            Ok((source, _)) => all.push(sha256(source.resolved().as_bytes())),
            Err(Failure::Input(problems)) => {
                bad += 1;
                let problems = problems.trim_end().to_owned();
                if wrong.len() < PROBLEMS_SAID && !known.contains(&problems) {
                    wrong.push(format!("{}:\n{problems}", said(&work.axes, point)));
                    known.push(problems);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    if bad > known.len() {
        wrong.push(format!("{bad} of {} points have problems; these are the first", work.points.len()));
    }
    if wrong.is_empty() { Ok(sha256(all.join("\n").as_bytes())) } else { Err(Failure::Input(wrong.join("\n"))) }
}

/// "plan.throttle.max=48, plan.move.stream=12 MB/s".
fn said(axes: &[Axis], point: &[f64]) -> String {
    let one = |(axis, value): (&Axis, &f64)| format!("{}={}", axis.key, axis.written(*value));
    axes.iter().zip(point).map(one).collect::<Vec<_>>().join(", ")
}

/// Simulates the points that are not done, one after the other; says whether all are.
fn simulate_all(arguments: &Arguments, work: &Work, partial: &mut Partial, stop: &AtomicBool) -> Result<bool, Failure> {
    let threads = usize::from(arguments.threads.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::Run(error.to_string()))?;
    let progress = Progress::new(arguments.quiet);
    let first = partial.done().len();
    let all = (work.points.len() - first) as u32 * work.replications;
    for (place, point) in work.points.iter().enumerate().skip(first) {
        let before = (place - first) as u32 * work.replications;
        let runs = one(arguments, work, point, (&pool, stop), &|done| progress.show(before + done, all))?;
        let Some(runs) = runs else {
            progress.finish();
            return Ok(false);
        };
        partial.push(&work.name, runs)?;
    }
    progress.finish();
    Ok(true)
}

/// The replications of a point; none where somebody ended it.
fn one(
    arguments: &Arguments,
    work: &Work,
    point: &[f64],
    (pool, stop): (&rayon::ThreadPool, &AtomicBool),
    tell: &(dyn Fn(u32) + Sync),
) -> Result<Option<Vec<Run>>, Failure> {
    let (source, start) = read(arguments, work, point)?;
    let middle = start.apply(source.middle().clone());
    let realise = |draw: &crate::forecast::Draw<'_>| start.apply(source.realise(&mut |key| draw(key)));
    let case = Case { middle: &middle, is_uncertain: !source.uncertain().is_empty(), realise: &realise };
    // Threads end in any order: what is shown never falls.
    let most = Mutex::new(0);
    let progress = |done: u32, _: u32| {
        if let Ok(mut most) = most.lock()
            && done > *most
        {
            *most = done;
            tell(done);
        }
    };
    let watch = Watch { stop, progress: &progress };
    let done =
        pool.install(|| cases::simulate::<Workspace>(&[case], work.seed, work.replications, &sim::simulate_in, watch));
    Ok((!done.interrupted).then(|| done.done.into_iter().flatten().collect()))
}

fn measurements(known: &Sweep, before: usize, wall_s: f64, folder: Option<&Path>) {
    let done = known.swept.points.len();
    let mut text = format!("{} replications of {} points in {wall_s:.1} s", known.replications, done - before);
    if before > 0 {
        text = format!("{text}; {before} were done before");
    }
    if let Some(cpu_s) = progress::cpu_s() {
        text = format!("{text}; CPU {cpu_s:.1} s");
    }
    if done < known.asked {
        text = format!("{text}; the same command goes on with point {}", done + 1);
    }
    if let Some(folder) = folder {
        text = format!("{text}; files in {}", folder.display());
    }
    // A reader that has gone away is no reason to fail.
    let _ = writeln!(io::stderr(), "{text}");
}

/// The command that gives these numbers again, from the same folder.
fn command(arguments: &Arguments, replications: u32) -> String {
    let scenario = &arguments.scenario;
    let mut words = vec!["drawdown".to_owned(), "sweep".to_owned(), file_word(&scenario.scenario)];
    words.extend(scenario.overrides.iter().flat_map(|setting| ["--set".to_owned(), quoted(setting)]));
    words.extend(arguments.vary.iter().flat_map(|vary| ["--vary".to_owned(), quoted(vary)]));
    words.extend(arguments.points.iter().flat_map(|points| ["--points".to_owned(), points.to_string()]));
    #[cfg(target_os = "linux")]
    let from = arguments.from.as_deref();
    #[cfg(not(target_os = "linux"))]
    let from = None;
    words.extend(scenario.reading().words(from, scenario.seed, replications));
    words.join(" ")
}
