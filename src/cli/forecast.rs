//! `drawdown forecast`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use super::check::baseline;
use super::publish::{below, publish};
use super::simulate::{self, Beginning, read, simulate};
use super::{Done, Failure, ScenarioArguments, progress, told};
use crate::forecast::{Forecast, Widths};
use crate::report::files::{self, RunFacts, sha256};
use crate::report::published::Published;
use crate::report::{About, Past, document, report, terminal};
use crate::scenario::Source;

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown forecast my.toml
  drawdown forecast my.toml --set plan.throttle.max=64 --replications 400 --no-files
  drawdown forecast my.toml --from /var/lib/drawdown/ledger.db --baseline output")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) scenario: ScenarioArguments,
    /// Exactly this many replications, in place of the file's stop rule
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) replications: Option<u32>,
    /// Tell how much of the spread of the dates each uncertain input causes, from so many rows of simulations: each row
    /// takes one for every uncertain input, and two more; at most as many as there are replications
    #[arg(
        long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "100",
        value_parser = clap::value_parser!(u32).range(16..=1_000_000),
    )]
    pub(super) shares: Option<u32>,
    /// Threads to simulate on; the result does not depend on it [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(super) threads: Option<u16>,
    /// Start from where a running migration stands: its ledger
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "LEDGER")]
    pub(super) from: Option<PathBuf>,
    /// Show what has happened beside what the forecast published last had said: the folder with the scenarios' folders, as
    /// `--output` was then
    #[arg(long, value_name = "DIR")]
    pub(super) baseline: Option<PathBuf>,
    /// Where the folder of the forecast's files goes
    #[arg(long, default_value = "output")]
    pub(super) output: PathBuf,
    /// Print JSON in place of the page
    #[arg(long)]
    pub(super) json: bool,
    /// Write no files
    #[arg(long)]
    pub(super) no_files: bool,
    /// No progress and no measurements on stderr
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// A forecast, with what a report says besides and what it took.
pub(super) struct Made {
    pub(super) forecast: Forecast,
    pub(super) about: About,
    pub(super) facts: RunFacts,
}

/// Makes the forecast.
pub(super) fn make(arguments: &Arguments, published: Option<&Published>, stop: &AtomicBool) -> Result<Made, Failure> {
    make_from(arguments, read(arguments)?, published, stop)
}

/// Makes it of a scenario that has been read.
pub(super) fn make_from(
    arguments: &Arguments,
    from: (Source, Beginning),
    published: Option<&Published>,
    stop: &AtomicBool,
) -> Result<Made, Failure> {
    let warnings = simulate::remarks(&from.0, &from.1);
    progress::warn(&warnings);
    let (source, start) = from;
    let (forecast, facts) = simulate(arguments, &source, &start, stop)?;
    let mut about =
        About { observed: start.lines(), state_sha256: start.sha256()?, warnings, ..about(arguments, &source) };
    if start.is_observed() {
        // A ledger knows better.
        about.inventory = None;
    }
    about.uncertain.retain(|input| !start.replaces(&input.key));
    about.past = published.and_then(|published| Past::new(published, start.course(), &forecast.scenario));
    Ok(Made { forecast, about, facts })
}

/// The name of the folder below the output's.
pub(super) fn stem(scenario: &Path) -> String {
    scenario.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl Made {
    /// Writes all files of the forecast.
    pub(super) fn write(&self, output: &Path, scenario: &Path) -> Result<PathBuf, Failure> {
        let written = files::write(output, &stem(scenario), &self.forecast, &self.about, &self.facts);
        written.map_err(below(output))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    // What is wrong with the scenario comes before anything else.
    let from = read(arguments)?;
    let published = arguments.baseline.as_ref().map(|folder| baseline::read(folder, &arguments.scenario.scenario));
    let published = published.transpose().map_err(Failure::Input)?;
    let stop = stop_on_interrupt()?;
    let made = make_from(arguments, from, published.as_ref().and_then(Option::as_ref), &stop)?;
    if let Some(published) = published.as_ref().filter(|_| made.about.past.is_none()) {
        no_past(published.as_ref(), &made.forecast)?;
    }
    let Made { forecast, about, facts } = &made;
    let page = if arguments.json {
        document::json(forecast, about).map_err(io::Error::from)?
    } else {
        terminal::render(&report(forecast, about))
    };
    let began = progress::now();
    let written = (!arguments.no_files).then(|| made.write(&arguments.output, &arguments.scenario.scenario));
    let took = began.elapsed();
    publish(&page, written, |folder| {
        if !arguments.quiet {
            measurements(forecast, facts, folder.map(|folder| (folder, took)));
        }
    })?;
    Ok(if forecast.rule.interrupted { Done::Incomplete } else { Done::Complete })
}

/// Why nothing is shown beside an earlier forecast.
fn no_past(published: Option<&Published>, forecast: &Forecast) -> io::Result<()> {
    let why = match published {
        None => "nothing was published of this scenario",
        Some(published) if published.dates.as_of >= forecast.scenario.as_of => {
            "no time has passed since the forecast published last"
        }
        Some(_) => "the forecast published last does not tell how many mailboxes it had left",
    };
    writeln!(told::stderr(), "--baseline: {why}: nothing stands beside it")
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
        shares: None,
        threads: Some(1),
        from: Some(ledger.to_owned()),
        baseline: None,
        output: PathBuf::new(),
        json: false,
        no_files: true,
        quiet: true,
    };
    let (source, start) = read(&arguments)?;
    Ok(simulate(&arguments, &source, &start, stop)?.0)
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

/// All that were simulated.
pub(super) fn all_replications(forecast: &Forecast) -> f64 {
    let chance = match &forecast.widths {
        Widths::ChanceIsAll => 0,
        Widths::Both { replications, .. } => *replications,
    };
    let extra = forecast.shares.as_ref().map_or(0, |shares| shares.extra);
    forecast.replications.len() as f64 + f64::from(chance) + f64::from(extra)
}

fn about(arguments: &Arguments, source: &Source) -> About {
    let path = &arguments.scenario.scenario;
    About {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        command: command(arguments),
        scenario_sha256: sha256(source.resolved().as_bytes()),
        resolved: source.resolved().to_owned(),
        state_sha256: None,
        uncertain: source.uncertain().to_vec(),
        observed: Vec::new(),
        inventory: source.inventory().cloned(),
        past: None,
        comparison: None,
        load: source.load().cloned(),
        notes: source.notes().to_vec(),
        warnings: Vec::new(),
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
    words.extend(arguments.shares.iter().flat_map(|rows| ["--shares".into(), rows.to_string()]));
    if scenario.skip_bad_rows {
        words.push("--skip-bad-rows".into());
    }
    if scenario.allow_path {
        words.push("--allow-path".into());
    }
    words.join(" ")
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// What it took, on stderr.
pub(super) fn measurements(forecast: &Forecast, facts: &RunFacts, files: Option<(&Path, Duration)>) {
    let mailboxes = forecast.scenario.model.population.mailboxes;
    let mut text =
        format!("{} replications of {mailboxes} mailboxes in {:.1} s", all_replications(forecast), facts.wall_s);
    // Writing to a string cannot fail.
    if let (Some(cpu_s), Some(each)) = (facts.cpu_s, facts.cpu_per_mailbox_and_replication_ns) {
        let _ = write!(text, "; CPU {cpu_s:.1} s, {each:.0} ns a mailbox and replication");
    }
    if let Some((folder, took)) = files {
        let _ = write!(text, "; files in {}, made in {:.1} s", folder.display(), took.as_secs_f64());
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
