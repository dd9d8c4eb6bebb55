//! `drawdown check --baseline DIR`: the forecast held against the one that was published last.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::super::Failure;
use super::super::forecast::{Arguments, Made, stem};
use super::super::simulate::{Variant, dates};
use crate::forecast::since::{Dates, Found, MilestoneSince, Since, Steps};
use crate::migration::message::Milestone;
use crate::report::comparison::{ChangedInput, ChangedKey, Comparison};
use crate::report::published::Published;
use crate::scenario::difference::{Difference, Differences};
use crate::sim::DRAW_SCHEME;
use crate::units::{Share, Span};

/// Of all intervals of shifts.
const CONFIDENCE: Share = Share::from_ppm(990_000);
/// From so many changed inputs on, those of one table stand together: each of them takes a simulation of its own.
const INPUTS_MAX: usize = 16;

/// What was published of a scenario; none where nothing was.
pub(super) fn read(folder: &Path, scenario: &Path) -> Result<Option<Published>, String> {
    if !folder.is_dir() {
        return Err(format!("--baseline: {} is no folder", folder.display()));
    }
    Published::read(&folder.join(stem(scenario))).map_err(|trouble| trouble.to_string())
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
        Err(Failure::Input(problems)) => {
            // The earlier scenario is none that this program can read.
            comparison
                .notes
                .push(format!("The scenario of the last forecast cannot be simulated any more: {problems}"));
            let names = made.forecast.scenario.milestones.iter().map(|one| made.forecast.scenario.milestone_name(one));
            let milestone = |name| MilestoneSince { name, found: Found::NotComparable };
            comparison.since.milestones = names.map(milestone).collect();
        }
        Err(failure) => return Err(failure),
    }
    Ok(Some(comparison))
}

/// A change that is told and put back as one.
struct Group<'a> {
    name: String,
    keys: Vec<&'a Difference>,
}

fn changed(group: &Group<'_>) -> ChangedInput {
    let key =
        |one: &&Difference| ChangedKey { key: one.key.clone(), before: one.before.clone(), after: one.after.clone() };
    ChangedInput { name: group.name.clone(), keys: group.keys.iter().map(key).collect() }
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
            if group.keys.len() > 1 && group.keys[0].key != group.name && !is_progress(&group.keys[0]) {
                group.name = format!("{} keys of {}", group.keys.len(), group.name);
            }
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
        let program = format!("the program: version {} -> {version}", self.published.version);
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
            let Some(dates) = dates(self.arguments, variant, self.stop)? else { return Ok(None) };
            dates
        };
        let repeated = if self.same_seed() {
            None
        } else {
            self.say("the scenario of the last forecast, with its seed");
            let replications = self.published.dates.count() as u32;
            let variant = Variant { resolved: &text, seed: self.published.seed, replications };
            let Some(dates) = dates(self.arguments, variant, self.stop)? else { return Ok(None) };
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
            match dates(self.arguments, variant, self.stop) {
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
            let _ = writeln!(io::stderr(), "comparing: {what}");
        }
    }
}
