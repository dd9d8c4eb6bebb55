//! A scenario file, read and checked: from it come the middle scenario and every draw of its uncertain numbers.

use std::path::Path;
use std::sync::Arc;

use super::check::Checker;
use super::correlate::{self, Correlation};
use super::files::{self, Folder};
use super::format::FILE;
use super::frame::Frame;
use super::inventory::InventorySummary;
use super::item::{Amount, Item};
use super::links::{self, LOW_END};
use super::load::LoadSummary;
use super::notes::{self, Note};
use super::number;
use super::problems::{Problem, Problems};
use super::reader::{Reader, share};
use super::site::Site;
use super::tree::{Data, Entry, Node};
use super::{ForecastSettings, Scenario, build_model, build_plan, build_site, feasible, overrides, price};

/// How a scenario is read.
#[derive(Clone, Debug, Default)]
pub struct ReadSettings {
    /// Settings over the file, each `key=value`.
    pub overrides: Vec<String>,
    /// Whether `extends`, an inventory and samples of the load may lead out of the scenario's folder.
    pub allow_path: bool,
}

/// Who is told how far an inventory has been read.
#[derive(Clone)]
pub struct Watch(Arc<Tell>);

/// Takes the file's name, how much has been read, and how much there is.
type Tell = dyn Fn(&str, u64, u64) + Send + Sync;

impl Watch {
    /// `tell` gets the file's name as the scenario has it, how much has been read, and how much there is.
    pub fn new(tell: impl Fn(&str, u64, u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, file: &str, done: u64, all: u64) {
        (self.0)(file, done, all);
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

/// A number that the file does not know exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncertainInput {
    /// The full key.
    pub key: String,
    /// The low end, as written; P10 of a distribution.
    pub low: String,
    /// The middle, as written.
    pub middle: String,
    /// The high end, as written; P90 of a distribution.
    pub high: String,
    /// `uniform`, `triangular`, `lognormal` or `normal`.
    pub law: &'static str,
    /// P10 and P90 of what is drawn.
    pub tenths: [String; 2],
}

/// What is done about an inventory beside the scenario.
pub(crate) enum Beside<'a> {
    /// It is read, from the scenario's folder if that has one.
    Read { folder: Option<&'a Folder>, watch: Option<&'a Watch> },
    /// It is left alone, and what it says is not known.
    Leave,
}

/// A scenario that has been read and checked, with all that is uncertain in it.
#[derive(Clone, Debug)]
pub struct Source {
    file: Item,
    frame: Frame,
    middle: Scenario,
    site: Option<Site>,
    uncertain: Vec<UncertainInput>,
    correlations: Vec<Correlation>,
    notes: Vec<Note>,
    resolved: String,
    warnings: Vec<Problem>,
}

impl Source {
    /// Reads a file, everything that it extends, and the settings over it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &Path, settings: &ReadSettings) -> Result<Self, Problems> {
        Self::read_watched(path, settings, None)
    }

    /// Reads a file, and tells `watch` how far its inventory has been read.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read_watched(path: &Path, settings: &ReadSettings, watch: Option<&Watch>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let (node, folder) = files::load(path, settings.allow_path, &mut problems).unzip();
        Self::finish(node, &Beside::Read { folder: folder.as_ref(), watch }, problems, settings)
    }

    /// Reads a file for what it says besides its inventory and samples of its load, which are not opened: what its population comes to, and which
    /// mailboxes its plan names, is then not known.
    ///
    /// # Errors
    /// Everything else that is wrong with it.
    pub fn read_without_inventory(path: &Path, settings: &ReadSettings) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let node = files::load(path, settings.allow_path, &mut problems).map(|loaded| loaded.0);
        Self::finish(node, &Beside::Leave, problems, settings)
    }

    /// Reads a text that stands in no folder; `name` stands for it in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_text(name: &str, text: &str, settings: &ReadSettings) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let node = files::load_text(name, text, &mut problems);
        Self::finish(node, &Beside::Read { folder: None, watch: None }, problems, settings)
    }

    /// Reads a text as if it stood beside a file: what it names is looked for there.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_text_beside(path: &Path, text: &str, settings: &ReadSettings) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let (node, folder) = files::load_text_beside(path, text, settings.allow_path, &mut problems).unzip();
        Self::finish(node, &Beside::Read { folder: folder.as_ref(), watch: None }, problems, settings)
    }

    /// The scenario with every uncertain number at its middle.
    #[must_use]
    pub const fn middle(&self) -> &Scenario {
        &self.middle
    }

    /// The scenario with every uncertain number drawn once: `uniform` gives a number between 0 and 1 for a full key,
    /// independent of those of other keys.
    pub fn realise(&self, uniform: &mut dyn FnMut(&str) -> f64) -> Scenario {
        if self.uncertain.is_empty() {
            return self.middle.clone();
        }
        let mut draw = |item: &Item, amount: &Amount| {
            if amount.is_uncertain() {
                amount.quantile(correlate::uniform(&self.correlations, &item.key, uniform))
            } else {
                amount.middle()
            }
        };
        let mut reader = Reader::new(&mut draw);
        assemble(&self.file, &self.frame, &mut reader).unwrap_or_else(|| self.middle.clone())
    }

    /// The same where something besides the file tells some numbers: what is correlated with them follows them no more.
    #[must_use]
    pub fn told_by(mut self, is_told: &dyn Fn(&str) -> bool) -> Self {
        correlate::leave_out(&mut self.correlations, is_told);
        self
    }

    /// Every number that the file does not know exactly, in its order.
    #[must_use]
    pub fn uncertain(&self) -> &[UncertainInput] {
        &self.uncertain
    }

    /// The keys of all uncertain numbers, those that are correlated together.
    #[must_use]
    pub fn uncertain_together(&self) -> Vec<Vec<String>> {
        let mut all: Vec<Vec<String>> = Vec::new();
        for input in &self.uncertain {
            let together = self.correlations.iter().find(|one| one.keys.contains(&input.key));
            match together.and_then(|one| all.iter_mut().find(|known| one.keys.contains(&known[0]))) {
                Some(known) => known.push(input.key.clone()),
                None => all.push(vec![input.key.clone()]),
            }
        }
        all
    }

    /// What the file says about its own numbers: facts, and assumptions.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Where the migration really happens, when the file says so. Nothing of it is opened, executed or connected to here.
    #[must_use]
    pub const fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// The whole scenario as canonical TOML: inherited and overridden keys in place, sorted, without comments. Without
    /// the site, which changes no forecast and is nobody else's business.
    #[must_use]
    pub fn resolved(&self) -> &str {
        &self.resolved
    }

    /// What an inventory has told, where the scenario has one.
    #[must_use]
    pub fn inventory(&self) -> Option<&InventorySummary> {
        self.frame.inventory.as_ref().map(|inventory| &inventory.summary)
    }

    /// What a file of samples has told about the load, where the scenario has one.
    #[must_use]
    pub fn load(&self) -> Option<&LoadSummary> {
        self.frame.load.as_deref()
    }

    /// What is allowed but dubious.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    fn finish(
        node: Option<Node>,
        beside: &Beside<'_>,
        mut problems: Vec<Problem>,
        settings: &ReadSettings,
    ) -> Result<Self, Problems> {
        let Some(mut node) = node else { return Err(Problems::new(problems)) };
        if !problems.is_empty() {
            // A broken file would only give problems that follow from the break.
            return Err(Problems::new(problems));
        }
        for setting in &settings.overrides {
            overrides::apply(&mut node, setting, &mut problems);
        }
        name_the_law(&mut node);
        let mut checker = Checker::new(&node);
        let file = checker.table(&FILE, &node, "", None);
        problems.append(&mut checker.problems);
        let mut draw = |_: &Item, amount: &Amount| amount.middle();
        let mut reader = Reader::new(&mut draw);
        let frame = Frame::read(&file, beside, &mut reader);
        let notes = notes::read(&file, &mut reader);
        let mut uncertain = uncertain(&file);
        let drawn: Vec<&str> = uncertain.iter().map(|input| input.key.as_str()).collect();
        let mut correlations = correlate::read(&file, &drawn, &mut reader);
        let middle = assemble(&file, &frame, &mut reader);
        let site = build_site::site(&file, &frame, &mut reader);
        let (mut found, warnings, unshown) = (reader.problems, reader.warnings, reader.unshown);
        problems.append(&mut found);
        let Some(middle) = middle.filter(|_| problems.is_empty()) else {
            return Err(Problems::new(problems).and_more(unshown));
        };
        let mut draw = |_: &Item, amount: &Amount| amount.middle();
        let mut reader = Reader::new(&mut draw);
        feasible::check(&middle, &file, &mut reader);
        problems.append(&mut reader.problems);
        let mut warnings: Vec<Problem> = warnings.into_iter().chain(reader.warnings).collect();
        if problems.is_empty() {
            check_ends(&file, &frame, &mut problems);
        }
        if problems.is_empty() {
            warnings.extend(links::dubious_draws(&file, &frame));
            warnings.extend(number::dubious(&file));
        }
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        files::take(&mut node, "site");
        if let Some(inventory) = &frame.inventory {
            name_the_content(&mut node, "population", "inventory_sha256", &inventory.summary.sha256);
        }
        if let Some(load) = &frame.load {
            name_the_content(&mut node, "load", "csv_sha256", &load.sha256);
        }
        let resolved = toml::to_string(&node.canonical()).unwrap_or_default();
        let is_told = |key: &str| {
            frame.inventory.as_ref().is_some_and(|inventory| inventory.replaces(key))
                || frame.load.as_ref().is_some_and(|load| load.replaces(key))
        };
        uncertain.retain(|input| !is_told(&input.key));
        correlate::leave_out(&mut correlations, &is_told);
        Ok(Self { file, frame, middle, site, uncertain, correlations, notes, resolved, warnings })
    }
}

/// The resolved scenario says which file beside it was read, by its content.
fn name_the_content(file: &mut Node, table: &str, key: &str, sha256: &str) {
    let Some(table) = file.get_mut(table) else { return };
    files::take(table, key);
    let place = table.place.clone();
    if let Data::Table(entries) = &mut table.data {
        let node = Node { place: place.clone(), data: Data::Text(sha256.to_owned()) };
        entries.push(Entry { name: key.to_owned(), name_place: place, node });
    }
}

/// A head's own throttle without a law has the law of all heads.
fn name_the_law(file: &mut Node) {
    let Some(plan) = file.get_mut("plan") else { return };
    let law = plan.get("throttle").and_then(|throttle| throttle.get("law")).cloned();
    let (Some(law), Some(table)) = (law, plan.get_mut("throttle_for")) else { return };
    if let Data::Table(heads) = &mut table.data {
        for head in heads {
            let place = head.name_place.clone();
            if let Data::Table(entries) = &mut head.node.data
                && !entries.iter().any(|entry| entry.name == "law")
            {
                entries.push(Entry { name: "law".to_owned(), name_place: place, node: law.clone() });
            }
        }
    }
}

fn assemble(file: &Item, frame: &Frame, reader: &mut Reader<'_>) -> Option<Scenario> {
    let model = build_model::model(file, frame, reader);
    let plan = build_plan::plan(file, frame, &model, reader)?;
    let forecast = forecast_settings(file, reader)?;
    let facts = frame.inventory.as_ref().map(|known| Arc::new(known.facts(plan.copy.purge_after, frame.as_of)));
    Some(Scenario {
        name: frame.name.clone(),
        time_zone: frame.zone.clone(),
        offsets: frame.offsets.clone(),
        as_of: frame.as_of,
        horizon: frame.horizon,
        heads: frame.heads.clone(),
        clusters: frame.clusters.clone(),
        plan: Arc::new(plan),
        model: Arc::new(model),
        milestones: frame.milestones.clone(),
        forecast,
        expectations: frame.expectations.clone(),
        price: price::read(file, &frame.milestones, reader),
        facts,
        reached: Vec::new(),
        standing: Vec::new(),
        named: frame.named.clone(),
    })
}

fn forecast_settings(file: &Item, reader: &mut Reader<'_>) -> Option<ForecastSettings> {
    reader.section();
    let item = file.get("forecast")?;
    let settings = ForecastSettings {
        seed: reader.number(item, "seed") as u64,
        minimum: reader.count(item, "minimum"),
        batch: reader.count(item, "batch"),
        maximum: reader.count(item, "maximum"),
        half_width: reader.span(item, "half_width"),
        chance_only: reader.count(item, "chance_only"),
        confidence: share(reader.number(item, "confidence")),
    };
    if settings.minimum > settings.maximum {
        let message = format!("minimum is {}, above maximum, which is {}", settings.minimum, settings.maximum);
        reader.problem(item, message);
    }
    Some(settings)
}

/// A range must not lead to a scenario that would be refused: both ends of all ranges are tried.
fn check_ends(file: &Item, frame: &Frame, problems: &mut Vec<Problem>) {
    for u in [LOW_END, 1.0 - LOW_END] {
        let mut draw = |_: &Item, amount: &Amount| amount.quantile(u);
        let mut reader = Reader::new(&mut draw);
        assemble(file, frame, &mut reader);
        problems.extend(reader.problems.into_iter().map(|problem| {
            let end = if u < 0.5 { "low" } else { "high" };
            Problem { message: format!("with all ranges at their {end} end: {}", problem.message), ..problem }
        }));
    }
}

fn uncertain(file: &Item) -> Vec<UncertainInput> {
    let mut inputs = Vec::new();
    file.numbers(&mut |item, amount| {
        if amount.is_uncertain() {
            let [low, middle, high] = amount.written.clone();
            let (key, law, tenths) = (item.key.clone(), amount.law.name(), amount.tenths.clone());
            inputs.push(UncertainInput { key, low, middle, high, law, tenths });
        }
    });
    inputs
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
