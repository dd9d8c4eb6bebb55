//! `drawdown check --baseline DIR`: the forecast held against the one that was published last.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::super::Failure;
use super::super::forecast::{Arguments, Made, stem};
use super::super::simulate::{Beside, Variant, dates};
use crate::forecast::Forecast;
use crate::forecast::since::{Dates, Since, Steps};
use crate::migration::message::Milestone;
use crate::report::comparison::{ChangedInput, ChangedKey, Comparison};
use crate::report::published::Published;
use crate::report::shown;
use crate::scenario::difference::{Difference, Differences};
use crate::sim::DRAW_SCHEME;
use crate::units::{Share, Span};

/// Of all intervals of shifts.
const CONFIDENCE: Share = Share::from_ppm(990_000);
/// From so many changed inputs on, those of one table stand together: each of them takes a simulation of its own.
const INPUTS_MAX: usize = 16;

/// What was published of a scenario; none where nothing was.
pub(in crate::cli) fn read(folder: &Path, scenario: &Path) -> Result<Option<Published>, String> {
    if !folder.is_dir() {
        return Err(format!("--baseline: {} is no folder", folder.display()));
    }
    if folder.join("manifest.json").exists() {
        return Err(format!("--baseline: {} is the folder of one scenario; give the one above it", folder.display()));
    }
    let folder = folder.join(stem(scenario));
    let published = Published::read(&folder).map_err(|trouble| trouble.to_string())?;
    if let Some(published) = &published {
        // What is wrong with it is told before anything is simulated.
        Differences::between(&published.resolved, &published.resolved)
            .map_err(|problems| format!("{}: {problems}", folder.join("scenario.toml").display()))?;
    }
    Ok(published)
}

/// Holds a forecast against a published one; none where it was interrupted.
pub(super) fn compare(
    arguments: &Arguments,
    made: &Made,
    published: &Published,
    margin: Span,
    stop: &AtomicBool,
) -> Result<Option<Comparison>, Failure> {
    let differences = Differences::between(&published.resolved, &made.about.resolved);
    let differences = differences.map_err(|problems| Failure::Input(problems.to_string()))?;
    let known = Known { arguments, made, published, differences: &differences, stop };
    let groups = known.groups();
    let mut comparison = Comparison {
        since: Since { confidence: CONFIDENCE, margin, milestones: Vec::new() },
        earlier: known.earlier(),
        main: made.forecast.scenario.milestone_name(&Milestone::AllEmptied),
        counted: counted(&made.forecast),
        was: published.medians.clone(),
        program_and_state: known.program_and_state(),
        inputs: groups.iter().map(changed).collect(),
        notes: known.notes(),
    };
    match known.simulate(&groups) {
        Ok(Some(sets)) => {
            let steps = Steps {
                recorded: &published.dates,
                repeated: sets.repeated.as_ref().unwrap_or(&sets.earlier),
                earlier: &sets.earlier,
                now: &sets.now,
                without: &sets.without,
                same_draws: published.draw_scheme == DRAW_SCHEME,
                same_seed: known.same_seed(),
            };
            comparison.since = Since::of(steps, CONFIDENCE, margin);
        }
        Ok(None) => return Ok(None),
        Err(Failure::Input(problem)) => {
            // What was recorded is a pair of what is now all the same, where both have the same draws; only the parts are unknown.
            comparison
                .notes
                .push(format!("The scenario of the last forecast cannot be simulated any more: {}.", shown(&problem)));
            comparison.program_and_state = "all that has changed".into();
            comparison.inputs.clear();
            let now = Dates::of(&made.forecast.scenario, &made.forecast.replications);
            let steps = Steps {
                recorded: &published.dates,
                repeated: &now,
                earlier: &now,
                now: &now,
                without: &[],
                same_draws: published.draw_scheme == DRAW_SCHEME && known.same_seed(),
                same_seed: true,
            };
            comparison.since = Since::of(steps, CONFIDENCE, margin);
        }
        Err(failure) => return Err(failure),
    }
    Ok(Some(comparison))
}

/// The dates that may not come later: those that people wait for, and what is expected.
fn counted(forecast: &Forecast) -> Vec<String> {
    let scenario = &forecast.scenario;
    let waited_for =
        |milestone: &&Milestone| !matches!(milestone, Milestone::ClusterOpened { .. } | Milestone::ClusterFull { .. });
    let expected = forecast.expectations.iter().map(|one| &one.expectation.milestone);
    let all = scenario.milestones.iter().filter(waited_for).chain(expected);
    all.map(|milestone| scenario.milestone_name(milestone)).collect()
}

/// A change that is told and put back as one.
struct Group<'a> {
    name: String,
    keys: Vec<&'a Difference>,
}

fn changed(group: &Group<'_>) -> ChangedInput {
    let key = |one: &&Difference| ChangedKey {
        key: shown(&one.key),
        before: one.before.as_deref().map(shown),
        after: one.after.as_deref().map(shown),
    };
    ChangedInput { name: shown(&group.name), keys: group.keys.iter().map(key).collect() }
}

/// The dates that a comparison stands on.
struct Sets {
    now: Dates,
    earlier: Dates,
    /// With the seed of what was published, where that is another one.
    repeated: Option<Dates>,
    without: Vec<Option<Dates>>,
}

#[derive(Clone, Copy)]
struct Known<'a> {
    arguments: &'a Arguments,
    made: &'a Made,
    published: &'a Published,
    differences: &'a Differences,
    stop: &'a AtomicBool,
}

impl<'a> Known<'a> {
    const fn same_seed(&self) -> bool {
        self.published.seed == self.made.forecast.settings.seed
    }

    fn has_state(&self) -> bool {
        self.published.state_sha256.is_some() || self.made.about.state_sha256.is_some()
    }

    fn state_changed(&self) -> bool {
        self.published.state_sha256 != self.made.about.state_sha256
    }

    fn earlier(&self) -> String {
        let published = self.published;
        format!("version {}, {} replications", published.version, published.dates.count())
    }

    /// The changes of the scenario, each with what belongs to it.
    fn groups(&self) -> Vec<Group<'a>> {
        let differences: &'a Differences = self.differences;
        // Where a ledger tells the state, it tells the start too.
        let keys = differences.keys.iter().filter(|one| !(self.has_state() && one.key == "as_of"));
        let is_progress = |one: &&Difference| one.key == "as_of" || one.key.starts_with("population.moved");
        let (progress, others): (Vec<_>, Vec<_>) = keys.partition(is_progress);
        let mut groups: Vec<Group<'a>> = Vec::new();
        let single = progress.len() == 1;
        if !progress.is_empty() {
            let name = if single { progress[0].key.clone() } else { "progress made meanwhile".to_owned() };
            groups.push(Group { name, keys: progress });
        }
        if others.len() <= INPUTS_MAX {
            groups.extend(others.into_iter().map(|one| Group { name: one.key.clone(), keys: vec![one] }));
            return groups;
        }
        for one in others {
            let table = one.key.split('.').next().unwrap_or_default();
            match groups.iter_mut().find(|group| group.name == table) {
                Some(group) => group.keys.push(one),
                None => groups.push(Group { name: table.to_owned(), keys: vec![one] }),
            }
        }
        for group in &mut groups {
            if is_progress(&group.keys[0]) {
                continue;
            }
            group.name = match &group.keys[..] {
                [one] => one.key.clone(),
                several => format!("{} keys of {}", several.len(), group.name),
            };
        }
        groups
    }

    /// What sets the recorded dates apart from those of the same scenario now.
    fn program_and_state(&self) -> String {
        let contents = self.differences.contents.iter().map(|key| format!("the file of {key}"));
        let ledger = self.state_changed().then(|| "progress in the ledger".to_owned());
        let state: Vec<String> = ledger.into_iter().chain(contents).collect();
        let version = env!("CARGO_PKG_VERSION");
        let other_program = self.published.version != version || self.published.draw_scheme != DRAW_SCHEME;
        let program = if self.published.version == version {
            format!("the program: it draws otherwise, scheme {} -> {DRAW_SCHEME}", self.published.draw_scheme)
        } else {
            format!("the program: version {} -> {version}", self.published.version)
        };
        match (state.is_empty(), other_program) {
            (true, true) => program,
            (true, false) => "the program: the same version".to_owned(),
            (false, true) => format!("{}, and {program}: not told apart", state.join(", ")),
            (false, false) => state.join(", "),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.published.draw_scheme != DRAW_SCHEME {
            notes.push(format!(
                "The program draws otherwise than it did (scheme {} -> {DRAW_SCHEME}): replications of one number have nothing in \
                 common, and the interval of the program's part is that of unpaired samples.",
                self.published.draw_scheme
            ));
        }
        if self.published.incomplete {
            notes.push("The last forecast was ended early.".to_owned());
        }
        if self.made.forecast.scenario.horizon < self.published.dates.horizon {
            notes.push("The horizon is earlier than it was: dates after it count as it, on both sides.".to_owned());
        }
        if !self.same_seed() {
            let (was, is) = (self.published.seed, self.made.forecast.settings.seed);
            notes.push(format!("Seed {was} -> {is}: the earlier scenario was simulated with both."));
        }
        for key in &self.differences.contents {
            notes.push(format!(
                "The file of {key} has other contents. The earlier ones are not published: what they do stands with the program."
            ));
        }
        notes
    }

    /// What the files beside the scenario have to hold, where both name the same ones: the text alone does not say where they
    /// are when another file named them.
    fn beside(&self) -> Beside {
        let is_same = |key: &str| self.differences.keys.iter().all(|one| one.key != key);
        let about = &self.made.about;
        Beside {
            inventory: about
                .inventory
                .as_ref()
                .filter(|_| is_same("population.inventory"))
                .map(|one| one.sha256.clone()),
            load: about.load.as_ref().filter(|_| is_same("load.csv")).map(|one| one.sha256.clone()),
        }
    }

    /// Simulates what is needed, no set twice.
    fn simulate(&self, groups: &[Group<'_>]) -> Result<Option<Sets>, Failure> {
        let forecast = &self.made.forecast;
        let now = Dates::of(&forecast.scenario, &forecast.replications);
        let seed = forecast.settings.seed;
        let replications = now.count() as u32;
        let text = self.differences.earlier();
        let earlier = if groups.is_empty() {
            now.clone()
        } else {
            self.say("the scenario of the last forecast");
            let variant = Variant { resolved: &text, seed, replications };
            let Some(dates) = dates(self.arguments, variant, &self.beside(), self.stop)? else { return Ok(None) };
            dates
        };
        let repeated = if self.same_seed() {
            None
        } else {
            self.say("the scenario of the last forecast, with its seed");
            let replications = self.published.dates.count() as u32;
            let variant = Variant { resolved: &text, seed: self.published.seed, replications };
            let Some(dates) = dates(self.arguments, variant, &self.beside(), self.stop)? else { return Ok(None) };
            Some(dates)
        };
        let mut without = Vec::new();
        for group in groups {
            if groups.len() == 1 {
                // The only change put back is the earlier scenario.
                without.push(Some(earlier.clone()));
                continue;
            }
            self.say(&format!("without the change of {}", group.name));
            let resolved = self.differences.with_put_back(&group.keys);
            let variant = Variant { resolved: &resolved, seed, replications };
            match dates(self.arguments, variant, &self.beside(), self.stop) {
                Ok(Some(dates)) => without.push(Some(dates)),
                Ok(None) => return Ok(None),
                // Alone it makes no scenario: another change belongs to it.
                Err(Failure::Input(_)) => without.push(None),
                Err(failure) => return Err(failure),
            }
        }
        Ok(Some(Sets { now, earlier, repeated, without }))
    }

    fn say(&self, what: &str) {
        if !self.arguments.quiet {
            // A reader that has gone away is no reason to stop.
            let _ = writeln!(io::stderr(), "comparing: {}", shown(what));
        }
    }
}
