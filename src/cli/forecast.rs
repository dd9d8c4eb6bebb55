//! `drawdown forecast`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::progress::{self, Progress};
use super::{Done, Failure, ScenarioArguments};
use crate::forecast::draw::uniform;
use crate::forecast::replicate::{Amount, Watch};
use crate::forecast::{Forecast, Inputs, Widths, forecast};
use crate::report::files::{self, RunFacts, sha256};
use crate::report::{About, document, report, terminal};
use crate::scenario::{Scenario, Source};
use crate::sim::{self, Workspace};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Exactly this many replications, in place of the file's stop rule
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    replications: Option<u32>,
    /// Threads to simulate on; the result does not depend on it [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Start from where a running migration stands: its ledger
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "LEDGER")]
    from: Option<PathBuf>,
    /// Where the folder of the forecast's files goes
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
    let (source, start) = read(arguments)?;
    let stop = stop_on_interrupt()?;
    let (forecast, facts) = simulate(arguments, &source, &start, &stop)?;
    let mut about = About { observed: start.lines(), ..about(arguments, &source) };
    if start.is_observed() {
        // A ledger knows better.
        about.inventory = None;
    }
    about.uncertain.retain(|input| !start.replaces(&input.key));
    let page = if arguments.json {
        document::json(&forecast, &about).map_err(io::Error::from)?
    } else {
        terminal::render(&report(&forecast, &about))
    };
    let folder = if arguments.no_files {
        None
    } else {
        let stem = arguments.scenario.scenario.file_stem().unwrap_or_default().to_string_lossy();
        let written = files::write(&arguments.output, &stem, &forecast, &about, &facts);
        Some(written.map_err(|error| Failure::Run(format!("{}: {error}", arguments.output.display())))?)
    };
    let printed = anstream::stdout().write_all(page.as_bytes());
    if !arguments.quiet {
        measurements(&forecast, &facts, folder.as_deref());
    }
    printed?;
    Ok(if forecast.rule.interrupted { Done::Incomplete } else { Done::Complete })
}

/// From where the forecast starts.
#[derive(Default)]
struct Beginning {
    #[cfg(target_os = "linux")]
    observed: Option<super::from::Observed>,
}

impl Beginning {
    #[cfg(target_os = "linux")]
    fn apply(&self, mut scenario: Scenario) -> Scenario {
        if let Some(observed) = &self.observed {
            observed.apply(&mut scenario);
        }
        scenario
    }

    #[cfg(not(target_os = "linux"))]
    fn apply(&self, scenario: Scenario) -> Scenario {
        scenario
    }

    #[cfg(target_os = "linux")]
    fn replaces(&self, key: &str) -> bool {
        self.observed.as_ref().is_some_and(|observed| observed.replaces(key))
    }

    #[cfg(not(target_os = "linux"))]
    fn replaces(&self, _key: &str) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    const fn is_observed(&self) -> bool {
        self.observed.is_some()
    }

    #[cfg(not(target_os = "linux"))]
    const fn is_observed(&self) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    fn lines(&self) -> Vec<String> {
        self.observed.as_ref().map(|observed| observed.lines.clone()).unwrap_or_default()
    }

    #[cfg(not(target_os = "linux"))]
    fn lines(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The scenario, and what a ledger knows better.
fn read(arguments: &Arguments) -> Result<(Source, Beginning), Failure> {
    let watch = (!arguments.quiet).then(progress::reading);
    let source = arguments.scenario.read_telling(watch.as_ref())?;
    #[cfg(target_os = "linux")]
    if let Some(ledger) = &arguments.from {
        let observed = super::from::Observed::read(ledger, &source)?;
        let mut later = arguments.scenario.clone();
        later.overrides.push(observed.as_of(source.middle()));
        return Ok((later.read_telling(watch.as_ref())?, Beginning { observed: Some(observed) }));
    }
    Ok((source, Beginning::default()))
}

/// The forecast of a migration from where its ledger says that it stands, with a few replications on one thread: the
/// machine has something better to do.
#[cfg(target_os = "linux")]
pub(super) fn from_ledger(
    scenario: &ScenarioArguments,
    ledger: &Path,
    replications: u32,
    stop: &AtomicBool,
) -> Result<Forecast, Failure> {
    let arguments = Arguments {
        scenario: scenario.clone(),
        replications: Some(replications),
        threads: Some(1),
        from: Some(ledger.to_owned()),
        output: PathBuf::new(),
        json: false,
        no_files: true,
        quiet: true,
    };
    let (source, start) = read(&arguments)?;
    Ok(simulate(&arguments, &source, &start, stop)?.0)
}

fn simulate(
    arguments: &Arguments,
    source: &Source,
    start: &Beginning,
    stop: &AtomicBool,
) -> Result<(Forecast, RunFacts), Failure> {
    let mut middle = start.apply(source.middle().clone());
    middle.forecast.seed = arguments.scenario.seed.unwrap_or(middle.forecast.seed);
    let threads = usize::from(arguments.threads.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::Run(error.to_string()))?;
    let progress = Progress::new(arguments.quiet);
    let watch = Watch { stop, progress: &|done, planned| progress.show(done, planned) };
    let inputs = Inputs::<Workspace> {
        middle: &middle,
        uncertain: !source.uncertain().is_empty(),
        realise: &|run| start.apply(source.realise(&mut |key| uniform(run, key))),
        simulate: &sim::simulate_in,
    };
    let start = progress::now();
    let amount = arguments.replications.map(Amount::exactly);
    let forecast = pool.install(|| forecast(&inputs, amount, watch));
    progress.finish();
    let cpu_s = progress::cpu_s();
    let facts = RunFacts {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s,
        cpu_per_mailbox_and_replication_ns: cpu_s.and_then(|cpu_s| per_mailbox(&middle, &forecast, cpu_s)),
        threads: pool.current_num_threads(),
    };
    Ok((forecast, facts))
}

/// Ctrl-C, a wish of the system's to end (`SIGTERM`) or of a terminal that goes away ends what is under way in order; a second
/// one ends the program at once. What else sets the flag does not count.
pub(super) fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        flag.store(true, Ordering::Relaxed);
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::Run(error.to_string()))?;
    Ok(stop)
}

fn all_replications(forecast: &Forecast) -> f64 {
    let chance = match &forecast.widths {
        Widths::ChanceIsAll => 0,
        Widths::Both { replications, .. } => *replications,
    };
    forecast.replications.len() as f64 + f64::from(chance)
}

fn per_mailbox(scenario: &Scenario, forecast: &Forecast, cpu_s: f64) -> Option<f64> {
    let work = all_replications(forecast) * f64::from(scenario.model.population.mailboxes);
    (work > 0.0).then(|| cpu_s * 1e9 / work)
}

fn about(arguments: &Arguments, source: &Source) -> About {
    let path = &arguments.scenario.scenario;
    About {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        command: command(arguments),
        scenario_sha256: sha256(source.resolved().as_bytes()),
        uncertain: source.uncertain().to_vec(),
        observed: Vec::new(),
        inventory: source.inventory().cloned(),
        load: source.load().cloned(),
        notes: source.notes().to_vec(),
        warnings: source.warnings().iter().map(ToString::to_string).collect(),
    }
}

/// The command that gives these numbers again, from the same folder. The folders of an absolute path are this machine's
/// affair and stay unnamed.
fn command(arguments: &Arguments) -> String {
    let scenario = &arguments.scenario;
    let mut words = vec!["drawdown".into(), "forecast".into()];
    let path = &scenario.scenario;
    let named = if path.is_relative() { path.as_os_str() } else { path.file_name().unwrap_or_default() };
    words.push(quoted(&named.to_string_lossy()));
    // What is set of a site changes no number, and names this machine's paths.
    let first = |setting: &str| setting.split(['.', '=']).next().map(|key| key.trim_matches([' ', '"']).to_owned());
    let about_site = |setting: &&String| first(setting).as_deref() == Some("site");
    for setting in scenario.overrides.iter().filter(|setting| !about_site(setting)) {
        words.extend(["--set".into(), quoted(setting)]);
    }
    #[cfg(target_os = "linux")]
    if let Some(ledger) = &arguments.from {
        let named = if ledger.is_relative() { ledger.as_os_str() } else { ledger.file_name().unwrap_or_default() };
        words.extend(["--from".into(), quoted(&named.to_string_lossy())]);
    }
    words.extend(scenario.seed.iter().flat_map(|seed| ["--seed".into(), seed.to_string()]));
    words.extend(arguments.replications.iter().flat_map(|count| ["--replications".into(), count.to_string()]));
    if scenario.skip_bad_rows {
        words.push("--skip-bad-rows".into());
    }
    if scenario.allow_path {
        words.push("--allow-path".into());
    }
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn measurements(forecast: &Forecast, facts: &RunFacts, folder: Option<&Path>) {
    let mailboxes = forecast.scenario.model.population.mailboxes;
    let mut text =
        format!("{} replications of {mailboxes} mailboxes in {:.1} s", all_replications(forecast), facts.wall_s);
    // Writing to a string cannot fail.
    if let (Some(cpu_s), Some(each)) = (facts.cpu_s, facts.cpu_per_mailbox_and_replication_ns) {
        let _ = write!(text, "; CPU {cpu_s:.1} s, {each:.0} ns a mailbox and replication");
    }
    if let Some(folder) = folder {
        let _ = write!(text, "; files in {}", folder.display());
    }
    // A reader that has gone away is no reason to fail.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("plan.seed=7"), "plan.seed=7");
        assert_eq!(quoted("stream=\"12 MB/s\""), "'stream=\"12 MB/s\"'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
