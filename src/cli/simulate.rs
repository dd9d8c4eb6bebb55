//! Simulations of a scenario, from its own start or from where a ledger says that its migration stands.

use std::sync::atomic::AtomicBool;

use super::forecast::{Arguments, all_replications};
use super::progress::{self, Progress};
use super::{Failure, ScenarioArguments};
use crate::forecast::expect::Expected;
use crate::forecast::replicate::{Amount, Watch};
use crate::forecast::since::Dates;
use crate::forecast::{Asked, Forecast, Inputs, forecast, replications};
use crate::report::{self, files::RunFacts};
use crate::scenario::{Problem, ReadSettings, Scenario, Source};
use crate::sim::{self, Workspace};
use crate::units::Time;

/// From where the forecast starts.
#[derive(Default)]
pub(super) struct Beginning {
    #[cfg(target_os = "linux")]
    observed: Option<super::from::Observed>,
}

impl Beginning {
    #[cfg(target_os = "linux")]
    pub(super) fn apply(&self, mut scenario: Scenario) -> Scenario {
        if let Some(observed) = &self.observed {
            observed.apply(&mut scenario);
        }
        scenario
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn apply(&self, scenario: Scenario) -> Scenario {
        scenario
    }

    #[cfg(target_os = "linux")]
    pub(super) fn replaces(&self, key: &str) -> bool {
        self.observed.as_ref().is_some_and(|observed| observed.replaces(key))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn replaces(&self, _key: &str) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    pub(super) const fn is_observed(&self) -> bool {
        self.observed.is_some()
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) const fn is_observed(&self) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    pub(super) fn lines(&self) -> Vec<String> {
        self.observed.as_ref().map(|observed| observed.lines.clone()).unwrap_or_default()
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn lines(&self) -> Vec<String> {
        Vec::new()
    }

    /// What holds a running migration back still, as its ledger has it.
    #[cfg(target_os = "linux")]
    fn in_force(&self) -> Option<String> {
        self.observed.as_ref().and_then(|observed| observed.in_force.clone())
    }

    #[cfg(not(target_os = "linux"))]
    const fn in_force(&self) -> Option<String> {
        None
    }

    /// How many mailboxes were left on the heads when, as a ledger has told.
    #[cfg(target_os = "linux")]
    pub(super) fn course(&self) -> &[(Time, f64)] {
        self.observed.as_ref().map_or(&[], |observed| &observed.course)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) const fn course(&self) -> &[(Time, f64)] {
        &[]
    }

    /// What was expected by dates before a ledger's end, and how it has come out.
    #[cfg(target_os = "linux")]
    fn judged(&self, forecast: &Forecast) -> Vec<Expected> {
        self.observed.as_ref().map(|observed| observed.judged(forecast)).unwrap_or_default()
    }

    #[cfg(not(target_os = "linux"))]
    const fn judged(&self, _forecast: &Forecast) -> Vec<Expected> {
        Vec::new()
    }

    /// SHA-256 of the state that a ledger has told.
    #[cfg(target_os = "linux")]
    pub(super) fn sha256(&self) -> Result<Option<String>, Failure> {
        let sha256 = self.observed.as_ref().map(super::from::Observed::sha256).transpose();
        sha256.map_err(|error| Failure::Run(error.to_string()))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) const fn sha256(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }
}

/// The scenario, and what a ledger knows better.
pub(super) fn read(arguments: &Arguments) -> Result<(Source, Beginning), Failure> {
    let watch = (!arguments.quiet).then(progress::reading);
    let from_file = |later: &[String]| {
        let mut scenario: ScenarioArguments = arguments.scenario.clone();
        scenario.overrides.extend_from_slice(later);
        scenario.read_telling(watch.as_ref())
    };
    begin(arguments, &from_file)
}

/// What has to be said of a scenario whoever works with it. What was left out of an inventory a ledger has, or has not.
pub(super) fn remarks(source: &Source, start: &Beginning) -> Vec<String> {
    let mut remarks = report::remarks(source, !start.is_observed());
    remarks.extend(start.in_force());
    remarks
}

/// Reads a scenario with some settings more, and the ledger where there is one.
fn begin(
    arguments: &Arguments,
    read: &dyn Fn(&[String]) -> Result<Source, Failure>,
) -> Result<(Source, Beginning), Failure> {
    let source = read(&[])?;
    #[cfg(target_os = "linux")]
    if let Some(ledger) = &arguments.from {
        let observed = super::from::Observed::read(ledger, &source)?;
        let later = observed.settings(source.middle());
        let source = read(&later)?.told_by(&|key| observed.replaces(key));
        return Ok((source, Beginning { observed: Some(observed) }));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = arguments;
    Ok((source, Beginning::default()))
}

/// The forecast of a scenario.
pub(super) fn simulate(
    arguments: &Arguments,
    source: &Source,
    start: &Beginning,
    stop: &AtomicBool,
) -> Result<(Forecast, RunFacts), Failure> {
    let asked = Asked { amount: arguments.replications.map(Amount::exactly), shares: arguments.shares };
    let began = progress::now();
    let (mut forecast, threads) =
        with_inputs(arguments, (source, start), arguments.scenario.seed, stop, &|inputs, watch| {
            forecast(inputs, asked, watch)
        })?;
    let judged = start.judged(&forecast);
    forecast.expectations.splice(..0, judged);
    let cpu_s = progress::cpu_s();
    let work = all_replications(&forecast) * f64::from(forecast.scenario.model.population.mailboxes);
    let facts = RunFacts {
        wall_s: began.elapsed().as_secs_f64(),
        cpu_s,
        cpu_per_mailbox_and_replication_ns: cpu_s.filter(|_| work > 0.0).map(|cpu_s| cpu_s * 1e9 / work),
        threads,
    };
    Ok((forecast, facts))
}

/// A resolved scenario in the place of the file's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant<'a> {
    pub(super) resolved: &'a str,
    pub(super) seed: u64,
    pub(super) replications: u32,
}

/// SHA-256 of the files that a variant names, where they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    pub(super) inventory: Option<String>,
    pub(super) load: Option<String>,
}

/// The dates of a variant; none where it was interrupted.
pub(super) fn dates(
    arguments: &Arguments,
    variant: Variant<'_>,
    beside: &Beside,
    stop: &AtomicBool,
) -> Result<Option<Dates>, Failure> {
    let from_text = |later: &[String]| {
        // What was set over the file is in the text already.
        let settings = ReadSettings { overrides: later.to_vec(), allow_path: arguments.scenario.allow_path };
        let source = Source::from_text_beside(&arguments.scenario.scenario, variant.resolved, &settings);
        // Where it stands in a text that nobody sees helps nobody.
        let said = |one: &Problem| {
            if one.key.is_empty() { one.message.clone() } else { format!("{} {}", one.key, one.message) }
        };
        source.map_err(|problems| Failure::Input(problems.list().first().map_or_else(String::new, said)))
    };
    let (source, start) = begin(arguments, &from_text)?;
    let is_other = |wanted: &Option<String>, found: Option<&String>| wanted.is_some() && wanted.as_ref() != found;
    if is_other(&beside.inventory, source.inventory().map(|one| &one.sha256))
        || is_other(&beside.load, source.load().map(|one| &one.sha256))
    {
        return Err(Failure::Input("another file lies where its inventory or its load should be".to_owned()));
    }
    let (done, _) = with_inputs(arguments, (&source, &start), Some(variant.seed), stop, &|inputs, watch| {
        replications(inputs, variant.replications, watch)
    })?;
    Ok((!done.interrupted).then(|| Dates::of(source.middle(), &done.done)))
}

/// Does something with what a scenario is simulated from, on as many threads as are asked for, and shows how far it is; the threads are
/// told too.
pub(super) fn with_inputs<R: Send>(
    arguments: &Arguments,
    (source, start): (&Source, &Beginning),
    seed: Option<u64>,
    stop: &AtomicBool,
    work: &(dyn Fn(&Inputs<'_, Workspace>, Watch<'_>) -> R + Sync),
) -> Result<(R, usize), Failure> {
    let progress = Progress::new(arguments.quiet);
    let watch = Watch { stop, progress: &|done, planned| progress.show(done, planned) };
    let result = on_inputs(arguments, (source, start), seed, &|inputs| work(inputs, watch))?;
    progress.finish();
    Ok(result)
}

/// The same for work that shows by itself how far it is.
pub(super) fn on_inputs<R: Send>(
    arguments: &Arguments,
    (source, start): (&Source, &Beginning),
    seed: Option<u64>,
    work: &(dyn Fn(&Inputs<'_, Workspace>) -> R + Sync),
) -> Result<(R, usize), Failure> {
    let mut middle = start.apply(source.middle().clone());
    middle.forecast.seed = seed.unwrap_or(middle.forecast.seed);
    let threads = usize::from(arguments.threads.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::Run(error.to_string()))?;
    let inputs = Inputs::<Workspace> {
        middle: &middle,
        uncertain: uncertain(source, start),
        realise: &|draw| start.apply(source.realise(&mut |key| draw(key))),
        simulate: &sim::simulate_in,
    };
    let result = pool.install(|| work(&inputs));
    Ok((result, pool.current_num_threads()))
}

/// The keys of what is uncertain, those that are correlated together: not of what a ledger knows better.
pub(super) fn uncertain(source: &Source, start: &Beginning) -> Vec<Vec<String>> {
    let mut uncertain = source.uncertain_together();
    for keys in &mut uncertain {
        keys.retain(|key| !start.replaces(key));
    }
    uncertain.retain(|keys| !keys.is_empty());
    uncertain
}
