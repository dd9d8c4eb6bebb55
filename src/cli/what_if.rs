//! `drawdown what-if` and `drawdown compare`: variants on the same random numbers as the scenario that they vary.

pub(super) mod cases;
mod variant;

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::forecast::{quoted, stem, stop_on_interrupt};
use super::publish::{self, below};
use super::{Done, Failure, progress};
use crate::forecast::compare::compare;
use crate::report::files::sha256;
use crate::report::terminal;
use crate::report::what_if::{self, About, WhatIf};
use cases::{Asked, Read};

/// Replications where nobody says how many.
const REPLICATIONS: u32 = 100;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown what-if my.toml --set plan.throttle.max=64
  drawdown what-if my.toml --set head.head-1.capacity='9450 op/s' --set head.head-2.capacity='9450 op/s' --replications 200
  drawdown what-if my.toml --variant 'night: plan.throttle.max=64' \\
    --variant 'largest first: plan.order.within=largest' --variant 'late: cluster.nas-3.in_service=2012-11-01'

Each variant is simulated with the random numbers of the scenario itself: what does not bind moves a date by exactly 0.
Exit codes: 0 done, 2 bad usage or scenario, 12 ended early.")]
pub(super) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
    /// What is changed: a key of the file with its value, such as plan.throttle.max=64; all of them are one variant
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// A variant with a name, and several changes with commas between them; may be given several times
    #[arg(long = "variant", value_name = "NAME: KEY=VALUE,...")]
    variants: Vec<String>,
    /// Change a key for the scenario itself, and so for every variant
    #[arg(long = "base", value_name = "KEY=VALUE")]
    base: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown compare plan-a.toml plan-b.toml
  drawdown compare plan-a.toml plan-b.toml plan-c.toml --replications 200 --json

Each scenario is held against the first one, on the random numbers of the first one's seed. What both have by the same name
(heads, clusters, mailboxes by number, uncertain keys) has the same draws.
Exit codes: 0 done, 2 bad usage or scenario, 12 ended early.")]
pub(super) struct CompareArguments {
    /// The scenario files; the first one is what the others are held against
    #[arg(required = true, num_args = 2..)]
    scenarios: Vec<PathBuf>,
    /// Change a key of each file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Common {
    /// Replications of each case [default: 100]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) replications: Option<u32>,
    /// Seed of all cases, in place of the file's
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Threads to simulate on; the result does not depend on it [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(super) threads: Option<u16>,
    /// Start from where a running migration stands: its ledger
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "LEDGER")]
    pub(super) from: Option<PathBuf>,
    /// Where the folder of the files goes
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
    #[command(flatten)]
    pub(super) reading: Reading,
}

impl Common {
    /// The words of a command that give the same again.
    pub(super) fn words(&self, replications: u32) -> Vec<String> {
        #[cfg(target_os = "linux")]
        let from = self.from.as_deref();
        #[cfg(not(target_os = "linux"))]
        let from = None;
        self.reading.words(from, self.seed, replications)
    }
}

/// What is let pass when scenarios are read.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Reading {
    /// Leave out rows of inventories that have problems
    #[arg(long)]
    pub(super) skip_bad_rows: bool,
    /// Let `extends`, an inventory and samples of the load lead out of the scenario's folder
    #[arg(long)]
    pub(super) allow_path: bool,
}

impl Reading {
    /// The words that end a command which gives the same again.
    pub(super) fn words(self, from: Option<&Path>, seed: Option<u64>, replications: u32) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(from.iter().flat_map(|ledger| ["--from".to_owned(), file_word(ledger)]));
        words.extend(seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
        words.extend(["--replications".to_owned(), replications.to_string()]);
        words.extend(self.skip_bad_rows.then(|| "--skip-bad-rows".to_owned()));
        words.extend(self.allow_path.then(|| "--allow-path".to_owned()));
        words
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let variants = variant::all(&arguments.overrides, &arguments.variants).map_err(Failure::Input)?;
    let case = |name: &str, changes: &[String]| Asked {
        name: name.to_owned(),
        path: arguments.scenario.clone(),
        overrides: arguments.base.iter().chain(changes).cloned().collect(),
    };
    let mut asked = vec![case(variant::AS_IT_IS, &[])];
    asked.extend(variants.iter().map(|variant| case(&variant.name, &variant.changes)));
    let mut words = vec![file_word(&arguments.scenario)];
    words.extend(arguments.base.iter().flat_map(|setting| ["--base".to_owned(), quoted(setting)]));
    words.extend(arguments.overrides.iter().flat_map(|setting| ["--set".to_owned(), quoted(setting)]));
    words.extend(arguments.variants.iter().flat_map(|variant| ["--variant".to_owned(), quoted(variant)]));
    let folder = format!("{}-what-if", stem(&arguments.scenario));
    make(&arguments.common, &Work { kind: "what-if", asked, words, folder })
}

pub(super) fn run_compare(arguments: &CompareArguments) -> Result<Done, Failure> {
    let case =
        |(path, name): (&PathBuf, String)| Asked { name, path: path.clone(), overrides: arguments.overrides.clone() };
    let asked: Vec<Asked> = arguments.scenarios.iter().zip(names(&arguments.scenarios)).map(case).collect();
    let word = |one: &Asked| {
        let is_named_by_folders = one.path.is_absolute() && one.name != stem(&one.path);
        if is_named_by_folders { quoted(&one.name) } else { file_word(&one.path) }
    };
    let mut words: Vec<String> = asked.iter().map(word).collect();
    words.extend(arguments.overrides.iter().flat_map(|setting| ["--set".to_owned(), quoted(setting)]));
    let names: Vec<&String> = asked.iter().map(|one| &one.name).collect();
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(Failure::Input(format!("{} is given twice", twice.1)));
    }
    let folder = format!("{}-compare", stem(&arguments.scenarios[0]));
    make(&arguments.common, &Work { kind: "compare", asked, words, folder })
}

/// What scenarios are called: by their files, and those whose files have one name by their folders, too. Of an absolute path these
/// are as few as tell it apart: the others are this machine's affair.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let tail = |path: &Path, parts: usize| -> PathBuf {
        let all: Vec<_> = path.components().collect();
        all[all.len().saturating_sub(parts)..].iter().collect()
    };
    let name = |(at, path): (usize, &PathBuf)| {
        let others = || paths.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other);
        if others().all(|other| stem(other) != stem(path)) {
            return stem(path);
        }
        if path.is_relative() {
            return path.display().to_string();
        }
        let tails = (1..=path.components().count()).map(|parts| (parts, tail(path, parts)));
        let alone = |(parts, own): &(usize, PathBuf)| others().all(|other| tail(other, *parts) != *own);
        let told = { tails }.find(alone).map_or_else(|| tail(path, 1), |(_, own)| own);
        told.display().to_string()
    };
    paths.iter().enumerate().map(name).collect()
}

/// What is to be compared, and what it is called.
struct Work {
    kind: &'static str,
    asked: Vec<Asked>,
    /// Of the command: what stands before what both commands have in common.
    words: Vec<String>,
    folder: String,
}

fn make(common: &Common, work: &Work) -> Result<Done, Failure> {
    let cases = cases::read(common, &work.asked)?;
    let warnings = cases::warn(&cases);
    let base = &cases[0];
    let seed = common.seed.unwrap_or(base.source.middle().forecast.seed);
    let replications = common.replications.unwrap_or(REPLICATIONS);
    let stop = stop_on_interrupt()?;
    let began = progress::now();
    let simulated = cases::simulate(common, &cases, seed, replications, &stop)?;
    let scenarios: Vec<_> = simulated.scenarios.iter().collect();
    let confidence = scenarios[0].forecast.confidence;
    let known = WhatIf {
        kind: work.kind,
        base: base.name.clone(),
        file: base.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256: sha256(base.source.resolved().as_bytes()),
        compared: compare(&scenarios, &simulated.runs, confidence),
        variants: about(&cases)?,
        seed,
        asked: replications,
        interrupted: simulated.interrupted,
        command: command(common, work, replications),
        warnings,
        scenario: simulated.scenarios[0].clone(),
    };
    publish(common, &known, &work.folder, began.elapsed().as_secs_f64())?;
    Ok(if known.interrupted { Done::Incomplete } else { Done::Complete })
}

/// What each case but the first is, and what has to be said of it.
fn about(cases: &[Read]) -> Result<Vec<About>, Failure> {
    let mut all: Vec<About> = Vec::new();
    for (at, case) in cases.iter().enumerate().skip(1) {
        let twin = cases[1..at].iter().find(|other| other.source.resolved() == case.source.resolved());
        all.push(cases::about(&cases[0], case, twin)?);
    }
    Ok(all)
}

fn publish(common: &Common, known: &WhatIf, folder: &str, wall_s: f64) -> Result<(), Failure> {
    let page = if common.json {
        what_if::json(known).map_err(io::Error::from)?
    } else {
        terminal::render(&what_if::report(known))
    };
    let write = || what_if::write(&common.output, folder, known).map_err(below(&common.output));
    publish::publish(&page, (!common.no_files).then(write), |folder| {
        if !common.quiet {
            let cases = known.variants.len() + 1;
            let text = format!("{} replications of {cases} cases in {wall_s:.1} s", known.compared.replications);
            progress::say_done(&text, folder);
        }
    })
}

/// A file as the command names it: the folders of an absolute path are this machine's affair.
pub(super) fn file_word(path: &Path) -> String {
    let named = if path.is_relative() { path.as_os_str() } else { path.file_name().unwrap_or_default() };
    quoted(&named.to_string_lossy())
}

/// The command that gives these numbers again, from the same folder.
fn command(common: &Common, work: &Work, replications: u32) -> String {
    let mut words = vec!["drawdown".to_owned(), work.kind.to_owned()];
    words.extend_from_slice(&work.words);
    words.extend(common.words(replications));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_name_are_told_apart_by_as_few_folders_as_that_takes() {
        let named = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(
            named(&["/home/me/a/x.toml", "/home/me/b/x.toml", "/home/me/y.toml"]),
            ["a/x.toml", "b/x.toml", "y"]
        );
        assert_eq!(named(&["/q/a/v/x.toml", "/q/b/v/x.toml"]), ["a/v/x.toml", "b/v/x.toml"]);
        assert_eq!(named(&["a/x.toml", "/q/b/x.toml"]), ["a/x.toml", "b/x.toml"]);
        assert_eq!(named(&["/q/x.toml", "/q/x.toml"]), ["x.toml", "x.toml"], "one file, given twice");
    }
}
