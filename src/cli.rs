//! The command line: one short function a subcommand.
//!
//! Data goes to stdout, messages and progress to stderr. Exit codes: 0 done, 1 run error, 2 bad usage or scenario, 10 an
//! expectation is not met, 11 nobody can say yet, 12 incomplete; of several, 2 before 1, 10, 12 and 11. This is the only layer that looks at a clock.

mod announce;
mod check;
#[cfg(target_os = "linux")]
mod dry_run;
mod explain;
mod forecast;
#[cfg(target_os = "linux")]
mod from;
#[cfg(target_os = "linux")]
mod inventory;
#[cfg(target_os = "linux")]
mod operate;
mod profile;
mod progress;
mod publish;
mod recommend;
mod rehearse;
#[cfg(target_os = "linux")]
mod replay;
#[cfg(target_os = "linux")]
mod run;
mod simulate;
mod sweep;
mod told;
mod trace;
#[cfg(target_os = "linux")]
mod watch;
mod what_if;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::report;
use crate::scenario::{self, ReadSettings, Source, Watch};

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(name = "drawdown", version, about, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  drawdown forecast scenarios/opensrs-cluster-b.toml
  drawdown forecast my.toml --set plan.move.stream='\"20 MB/s\"' --seed 7
  drawdown check my.toml --junit check.xml
  drawdown what-if my.toml --set plan.throttle.max=64
  drawdown compare plan-a.toml plan-b.toml
  drawdown recommend my.toml --subject-to 'minutes_above_objective_by_migration <= 600 with 90 %'
  drawdown explain my.toml
  drawdown sweep my.toml --vary plan.throttle.max=8..64:8
  drawdown announce my.toml --since posts/last-week
  drawdown trace my.toml --replication 3 --limit 100
  drawdown new my.toml && drawdown validate my.toml

Exit codes: 0 done, 1 run error, 2 bad usage or scenario, 10 an expectation is not met, 11 inconclusive, 12 incomplete.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulate a scenario many times and print when the migration will be done
    Forecast(forecast::Arguments),
    /// Hold forecasts against the dates that their scenarios expect: a gate for pipelines
    Check(check::Arguments),
    /// What would move the dates, by how much, and what it would do to the users: variants of a scenario, paired
    WhatIf(what_if::Arguments),
    /// Hold scenarios against the first of them, paired on the same random numbers
    Compare(what_if::CompareArguments),
    /// Search for the plan with the earliest date that keeps what users are promised
    Recommend(recommend::Arguments),
    /// What holds the date back: what has bound for how long, what one unit more of each limit is worth
    Explain(explain::Arguments),
    /// A scenario at many values of some of its keys: dates, users, and the frontier between them
    Sweep(sweep::Arguments),
    /// Write the status post for those whose mailboxes move: where we are, what is next, the dates, what has changed
    Announce(announce::Arguments),
    /// Try the plan on real Maildirs, made in a temporary folder, with everything but a mail server
    #[cfg(target_os = "linux")]
    Rehearse(rehearse::Arguments),
    /// Check the scenario's site before a run: rights, room, probes, the directory, front ends
    #[cfg(target_os = "linux")]
    Preflight(run::PreflightArguments),
    /// Run the migration on the scenario's site
    #[cfg(target_os = "linux")]
    Run(run::Arguments),
    /// Release users whom an interrupted session has left held
    #[cfg(target_os = "linux")]
    Release(run::ReleaseArguments),
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    Operate(operate::Word),
    /// Watch a running migration: how it stands, its course, and the forecast from there
    #[cfg(target_os = "linux")]
    Watch(watch::Arguments),
    /// Show one replication event by event
    Trace(trace::Arguments),
    /// Run what a migration has recorded through the core once more
    #[cfg(target_os = "linux")]
    Replay(replay::Arguments),
    /// Make an inventory, a row for each mailbox, from Maildirs or from another program's export
    #[cfg(target_os = "linux")]
    Inventory(inventory::Arguments),
    /// Fit a measured load: means by the hour of the week, noise, days; as a page, a chart and TOML to paste
    Profile(profile::Arguments),
    /// Check scenario files
    #[command(after_help = "Example:\n  drawdown validate scenarios/*.toml")]
    Validate {
        /// The files
        #[arg(required = true)]
        scenarios: Vec<PathBuf>,
        /// Leave out rows of an inventory that have problems
        #[arg(long)]
        skip_bad_rows: bool,
        /// Let `extends`, an inventory and samples of the load lead out of the scenario's folder
        #[arg(long)]
        allow_path: bool,
    },
    /// Write a commented scenario to start from
    #[command(after_help = "Example:\n  drawdown new my.toml && drawdown validate my.toml")]
    New {
        /// The file to write; it must not exist
        #[arg(default_value = "scenario.toml")]
        path: PathBuf,
    },
    /// Print the JSON Schema of a file: of scenarios, of `forecast.json`, `what-if.json`, `recommend.json`, `explain.json`, `sweep.json` or
    /// `announcement.json`, or of what `check --json` prints
    #[command(after_help = "Example:\n  drawdown schema what-if > what-if.schema.json")]
    Schema {
        /// Of what
        #[arg(default_value = "scenario")]
        of: Shape,
    },
    /// Print a completion script
    #[command(
        after_help = "Example:\n  drawdown completions bash > ~/.local/share/bash-completion/completions/drawdown"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What has a shape that other programs read.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    Scenario,
    Forecast,
    Check,
    WhatIf,
    Recommend,
    Announcement,
    Explain,
    Sweep,
}

/// Which scenario, and with what changed.
#[derive(Clone, Debug, Args)]
struct ScenarioArguments {
    /// The scenario file
    scenario: PathBuf,
    /// Change a key of the file, for example head.head-1.capacity='"8000 op/s"'
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Seed in place of the file's
    #[arg(long)]
    seed: Option<u64>,
    /// Leave out rows of the inventory that have problems; the forecast says how many and why
    #[arg(long)]
    skip_bad_rows: bool,
    /// Let `extends`, an inventory and samples of the load lead out of the scenario's folder
    #[arg(long)]
    allow_path: bool,
}

impl ScenarioArguments {
    fn settings(&self) -> ReadSettings {
        let mut overrides = self.overrides.clone();
        overrides.extend(self.skip_bad_rows.then(|| SKIP_BAD_ROWS.to_owned()));
        ReadSettings { overrides, allow_path: self.allow_path }
    }

    /// What is let pass when it is read.
    const fn reading(&self) -> what_if::Reading {
        what_if::Reading { skip_bad_rows: self.skip_bad_rows, allow_path: self.allow_path }
    }

    fn read(&self) -> Result<Source, Failure> {
        self.read_telling(Some(&progress::reading()))
    }

    /// Reads it, and tells somebody how far an inventory has been read.
    fn read_telling(&self, watch: Option<&Watch>) -> Result<Source, Failure> {
        let source = Source::read_watched(&self.scenario, &self.settings(), watch);
        source.map_err(|problems| Failure::Input(problems.to_string()))
    }

    /// Reads it for its names and its site: the inventory, which may be large, is not opened.
    #[cfg(target_os = "linux")]
    fn read_without_inventory(&self) -> Result<Source, Failure> {
        let source = Source::read_without_inventory(&self.scenario, &self.settings());
        source.map_err(|problems| Failure::Input(problems.to_string()))
    }
}

/// The setting that `--skip-bad-rows` stands for.
const SKIP_BAD_ROWS: &str = "population.skip_bad_rows=true";

/// How the program ends when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    Complete,
    /// More replications would tell whether an expectation is met.
    Inconclusive,
    Incomplete,
    /// An expectation is not met.
    NotMet,
}

/// Why the program cannot do what it was asked for.
#[derive(Debug)]
enum Failure {
    /// Bad usage or scenario.
    Input(String),
    /// Trouble while running.
    Run(String),
    /// The same, and a log has told why.
    Logged,
    /// Nobody reads stdout any more: not an error.
    ClosedPipe,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Run(error.to_string()),
        }
    }
}

/// Runs the program on its arguments.
#[must_use]
pub fn main() -> ExitCode {
    refuse_to_die_of_large_files();
    match run(Cli::parse()) {
        Ok(Done::Complete) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Ok(Done::Inconclusive) => ExitCode::from(11),
        Ok(Done::Incomplete) => ExitCode::from(12),
        Ok(Done::NotMet) => ExitCode::from(10),
        Err(Failure::Run(message)) => complain(&message, 1),
        Err(Failure::Logged) => ExitCode::from(1),
        Err(Failure::Input(message)) => complain(&message, 2),
    }
}

/// Where files may have no more than so many bytes (`LimitFSIZE`, `ulimit -f`) a write that would go beyond it fails, rather than
/// a signal ending the program without a word. All threads have this from the first one.
fn refuse_to_die_of_large_files() {
    #[cfg(unix)]
    {
        let mut blocked = nix::sys::signal::SigSet::empty();
        blocked.add(nix::sys::signal::Signal::SIGXFSZ);
        // No system refuses it; one that did would end the program as ever.
        let _ = blocked.thread_block();
    }
}

/// Says what is wrong on stderr, as far as anybody listens.
fn complain(message: &str, code: u8) -> ExitCode {
    let _ = writeln!(anstream::stderr(), "{}", message.trim_end());
    ExitCode::from(code)
}

fn run(cli: Cli) -> Result<Done, Failure> {
    match cli.command {
        Command::Forecast(arguments) => forecast::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::WhatIf(arguments) => what_if::run(&arguments),
        Command::Compare(arguments) => what_if::run_compare(&arguments),
        Command::Recommend(arguments) => recommend::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Announce(arguments) => announce::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Rehearse(arguments) => rehearse::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Preflight(arguments) => run::preflight(&arguments),
        #[cfg(target_os = "linux")]
        Command::Run(arguments) => run::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Release(arguments) => run::release(&arguments),
        #[cfg(target_os = "linux")]
        Command::Operate(word) => operate::run(&word),
        #[cfg(target_os = "linux")]
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Replay(arguments) => replay::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Inventory(arguments) => inventory::run(&arguments),
        Command::Profile(arguments) => profile::run(&arguments),
        Command::Validate { scenarios, skip_bad_rows, allow_path } => validate(&scenarios, skip_bad_rows, allow_path),
        Command::New { path } => new(&path),
        Command::Schema { of } => schema(of),
        Command::Completions { shell } => completions(shell),
    }
}

fn validate(scenarios: &[PathBuf], skip_bad_rows: bool, allow_path: bool) -> Result<Done, Failure> {
    let mut wrong = Vec::new();
    for path in scenarios {
        let scenario = path.clone();
        let arguments = ScenarioArguments { scenario, overrides: Vec::new(), seed: None, skip_bad_rows, allow_path };
        match arguments.read() {
            Ok(source) => {
                for warning in source.warnings() {
                    writeln!(told::stderr(), "{warning}")?;
                }
                for line in
                    source.inventory().iter().flat_map(|inventory| report::inventory(inventory, source.middle()))
                {
                    writeln!(told::stderr(), "{line}")?;
                }
                for line in source.load().iter().flat_map(|load| report::load(load, source.middle())) {
                    writeln!(told::stderr(), "{line}")?;
                }
                writeln!(told::stdout(), "{}: good", path.display())?;
            }
            Err(Failure::Input(problems)) => wrong.push(problems),
            Err(failure) => return Err(failure),
        }
    }
    if wrong.is_empty() { Ok(Done::Complete) } else { Err(Failure::Input(wrong.join("\n"))) }
}

fn new(path: &Path) -> Result<Done, Failure> {
    match write_new(path, scenario::starter().as_bytes()) {
        Ok(()) => {
            let shown = path.display();
            writeln!(told::stderr(), "{shown}: written; change it, then: drawdown validate {shown}")?;
            Ok(Done::Complete)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::Input(format!("{}: exists already and is left as it is", path.display())))
        }
        Err(error) => Err(Failure::Run(format!("{}: {error}", path.display()))),
    }
}

/// Writes a file that must not exist: whole, or there is none.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Said before anything is written.
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut fresh = tempfile::Builder::new();
    fresh.prefix(".drawdown-");
    // A temporary file is for its owner alone; this one is as readable as others.
    #[cfg(unix)]
    fresh.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = fresh.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

fn schema(of: Shape) -> Result<Done, Failure> {
    let published = match of {
        Shape::Scenario => {
            let text = serde_json::to_string_pretty(&scenario::schema());
            writeln!(told::stdout(), "{}", text.map_err(|error| Failure::Run(error.to_string()))?)?;
            return Ok(Done::Complete);
        }
        Shape::Forecast => report::schema::FORECAST,
        Shape::Check => report::schema::CHECK,
        Shape::WhatIf => report::schema::WHAT_IF,
        Shape::Recommend => report::schema::RECOMMEND,
        Shape::Announcement => report::schema::ANNOUNCEMENT,
        Shape::Explain => report::schema::EXPLAIN,
        Shape::Sweep => report::schema::SWEEP,
    };
    told::stdout().write_all(published.as_bytes())?;
    Ok(Done::Complete)
}

fn completions(shell: clap_complete::Shell) -> Result<Done, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "drawdown", &mut script);
    told::stdout().write_all(&script)?;
    Ok(Done::Complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
