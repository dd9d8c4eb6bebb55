//! The cases of a what-if: read, simulated, and told apart.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::super::forecast::Arguments;
use super::super::progress::{self, Progress};
use super::super::simulate::{self, Beginning};
use super::super::{Failure, ScenarioArguments};
use super::Common;
use crate::forecast::cases::{self, Case, Run};
use crate::forecast::replicate::{Batches, Watch};
use crate::report::comparison::ChangedKey;
use crate::report::files::sha256;
use crate::report::shown;
use crate::report::what_if::About;
use crate::scenario::difference::Differences;
use crate::scenario::{Scenario, Source};
use crate::sim::{self, Workspace};

/// A case that is asked for.
pub(in super::super) struct Asked {
    /// What it is called.
    pub(in super::super) name: String,
    /// Its file.
    pub(in super::super) path: PathBuf,
    /// Settings over the file.
    pub(in super::super) overrides: Vec<String>,
}

/// A case that has been read.
pub(in super::super) struct Read {
    pub(in super::super) name: String,
    pub(in super::super) path: PathBuf,
    pub(in super::super) source: Source,
    start: Beginning,
}

/// What was simulated.
pub(super) struct Simulated {
    /// The cases with every input at its middle, and with what a ledger knows better.
    pub(super) scenarios: Vec<Scenario>,
    /// By replication and case.
    pub(super) runs: Vec<Vec<Run>>,
    pub(super) interrupted: bool,
}

/// Says of each case what is dubious in it; gives what was said.
pub(in super::super) fn warn(cases: &[Read]) -> Vec<String> {
    let all: Vec<_> =
        cases.iter().map(|case| (shown(&case.name), simulate::remarks(&case.source, &case.start))).collect();
    let said = remarks(&all);
    progress::warn(&said);
    said
}

/// The remarks of all cases, none twice. What is not true of the first case is said with the names of those of which it is.
fn remarks(all: &[(String, Vec<String>)]) -> Vec<String> {
    let Some(((_, of_first), others)) = all.split_first() else { return Vec::new() };
    let mut more: Vec<(Vec<&str>, &String)> = Vec::new();
    for (name, remark) in others.iter().flat_map(|(name, remarks)| remarks.iter().map(move |remark| (name, remark))) {
        match more.iter_mut().find(|(_, known)| *known == remark) {
            _ if of_first.contains(remark) => {}
            Some((names, _)) => names.push(name),
            None => more.push((vec![name], remark)),
        }
    }
    let more = more.into_iter().map(|(names, remark)| format!("{}: {remark}", names.join(", ")));
    of_first.iter().cloned().chain(more).collect()
}

/// Reads all cases, and says all at once what is wrong with them.
pub(in super::super) fn read(common: &Common, asked: &[Asked]) -> Result<Vec<Read>, Failure> {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for one in asked {
        match simulate::read(&arguments(common, one)) {
            Ok((source, start)) => {
                cases.push(Read { name: one.name.clone(), path: one.path.clone(), source, start });
            }
            // What is wrong with the scenario itself is wrong with each of its variants.
            Err(Failure::Input(problems)) if cases.is_empty() && one.path == asked[asked.len() - 1].path => {
                return Err(Failure::Input(problems));
            }
            Err(Failure::Input(problems)) => wrong.push(format!("{}:\n{}", shown(&one.name), problems.trim_end())),
            Err(failure) => return Err(failure),
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(Failure::Input(wrong.join("\n"))) }
}

fn arguments(common: &Common, asked: &Asked) -> Arguments {
    Arguments {
        scenario: ScenarioArguments {
            scenario: asked.path.clone(),
            overrides: asked.overrides.clone(),
            seed: common.seed,
            skip_bad_rows: common.reading.skip_bad_rows,
            allow_path: common.reading.allow_path,
        },
        replications: None,
        shares: None,
        threads: common.threads,
        baseline: None,
        #[cfg(target_os = "linux")]
        from: common.from.clone(),
        output: common.output.clone(),
        json: false,
        no_files: true,
        quiet: common.quiet,
    }
}

/// Simulates all cases, on as many threads as are asked for.
pub(super) fn simulate(
    common: &Common,
    cases: &[Read],
    seed: u64,
    replications: u32,
    stop: &AtomicBool,
) -> Result<Simulated, Failure> {
    let all: Vec<&Read> = cases.iter().collect();
    let progress = Progress::new(common.quiet);
    let watch = Watch { stop, progress: &|done, planned| progress.show(done, planned) };
    let done = simulate_from(common, &all, seed, (0, replications), watch)?;
    progress.finish();
    let scenarios = cases.iter().map(Read::middle).collect();
    Ok(Simulated { runs: done.done, interrupted: done.interrupted, scenarios })
}

/// Simulates so many replications of some cases from one number on.
pub(in super::super) fn simulate_from(
    common: &Common,
    cases: &[&Read],
    seed: u64,
    replications: (u32, u32),
    watch: Watch<'_>,
) -> Result<Batches<Vec<Run>>, Failure> {
    let scenarios: Vec<Scenario> = cases.iter().map(|case| case.middle()).collect();
    let realise: Vec<_> = cases
        .iter()
        .map(|case| move |draw: &crate::forecast::Draw<'_>| case.start.apply(case.source.realise(&mut |key| draw(key))))
        .collect();
    let all: Vec<Case<'_>> = cases
        .iter()
        .zip(&scenarios)
        .zip(&realise)
        .map(|((case, middle), realise)| Case { middle, is_uncertain: !case.source.uncertain().is_empty(), realise })
        .collect();
    let threads = usize::from(common.threads.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::Run(error.to_string()))?;
    Ok(pool.install(|| cases::simulate_from::<Workspace>(&all, seed, replications, &sim::simulate_in, watch)))
}

impl Read {
    /// The scenario with every input at its middle, and with what a ledger knows better.
    pub(in super::super) fn middle(&self) -> Scenario {
        self.start.apply(self.source.middle().clone())
    }
}

/// What a case is, held against the first one.
pub(in super::super) fn about(base: &Read, case: &Read, twin: Option<&Read>) -> Result<About, Failure> {
    let differences = Differences::between(base.source.resolved(), case.source.resolved());
    let differences = differences.map_err(|problems| Failure::Input(problems.to_string()))?;
    let key = |one: &crate::scenario::difference::Difference| ChangedKey {
        key: shown(&one.key),
        before: one.before.as_deref().map(shown),
        after: one.after.as_deref().map(shown),
    };
    let mut changes: Vec<ChangedKey> = differences.keys.iter().map(key).collect();
    let (one, other) = (base.source.middle(), case.source.middle());
    let mut notes = Vec::new();
    if one.model.objective != other.model.objective {
        // No date depends on it, and all that is said of slow minutes does.
        let said = |scenario: &Scenario| Some(format!("{} ms", scenario.model.objective.secs() * 1e3));
        changes.push(ChangedKey { key: "users.objective".into(), before: said(one), after: said(other) });
        notes.push(
            "it has another objective: its minutes slow are counted against its own, and differ by that, too"
                .to_owned(),
        );
    }
    if base.source.resolved() == case.source.resolved() {
        notes.push("it changes nothing: it is the same scenario".to_owned());
    } else if changes.is_empty() && differences.contents.is_empty() {
        notes.push("it changes only what neither a date nor a user depends on".to_owned());
    }
    notes.extend(twin.map(|twin| format!("it is the same as {}", twin.name)));
    notes.extend(differences.contents.iter().map(|key| format!("the file of {key} has other contents")));
    let zone = |scenario: &Scenario| scenario.time_zone.iana_name().unwrap_or("UTC").to_owned();
    if zone(one) != zone(other) {
        let (own, told) = (zone(other), zone(one));
        notes.push(format!("its own time zone is {own}: its dates are told in that of {}, {told}", shown(&base.name)));
    }
    notes.extend(fewer_pairs(one, other));
    Ok(About { name: shown(&case.name), sha256: sha256(case.source.resolved().as_bytes()), changes, notes })
}

/// What takes replications of one number apart: the same draws then stand for something else.
fn fewer_pairs(base: &Scenario, other: &Scenario) -> Vec<String> {
    let (one, two) = (&base.model.population, &other.model.population);
    let mut notes = Vec::new();
    if one.mailboxes != two.mailboxes || base.facts.is_some() != other.facts.is_some() {
        notes.push(format!(
            "it has another population ({} and {} mailboxes): mailboxes of one number have the same draws, not the same place",
            one.mailboxes, two.mailboxes
        ));
    } else if one.split != two.split {
        notes.push("its mailboxes lie on the heads in other shares: which of them lies where differs".to_owned());
    }
    let is_told = |scenario: &Scenario| scenario.facts.as_ref().is_some_and(|facts| !facts.fleet.home.is_empty());
    let has_moved = one.moved.iter().chain(&two.moved).any(|share| share.ppm() > 0) && !is_told(base);
    let (order, other_order) = (&base.plan.order, &other.plan.order);
    if has_moved && (order.within != other_order.within || order.heads != other_order.heads) {
        notes.push(
            "what has moved before the start is taken by the plan's own order: with another one, other mailboxes are left".to_owned(),
        );
    }
    if base.as_of != other.as_of {
        notes.push(
            "it starts at another instant: noise, new accounts and outages of one number come at other times"
                .to_owned(),
        );
    }
    if base.model.load.step != other.model.load.step {
        notes.push("its load has steps of another length: noise of one number differs".to_owned());
    }
    if base.horizon != other.horizon {
        notes.push("it has another horizon: dates from the earlier one on count as it, on both sides".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_names_the_variants_of_which_alone_it_is_true() {
        let case =
            |name: &str, remarks: &[&str]| (name.to_owned(), remarks.iter().map(|one| (*one).to_owned()).collect());
        let all = [case("as it is", &["old"]), case("a", &["old", "short"]), case("b", &["short", "late"])];
        assert_eq!(remarks(&all), ["old", "a, b: short", "b: late"]);
    }
}
