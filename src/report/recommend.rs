//! A recommended plan: in words, as data, and as files.

mod data;

pub use data::json;
#[cfg(test)]
pub(super) use data::schema;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::files::write_folder;
use super::what_if::{self, WhatIf};
use super::wording::{Calendar, count, percent, replications};
use super::{Block, Report, Section, Tone, html, markdown, sections};
use crate::forecast::compare::{Dated, MilestoneShift, Verdict as Sure};
use crate::forecast::quantile::When;
use crate::forecast::recommend::{Goal, Judged, Verdict};

/// What a search for a plan came to.
#[derive(Clone, Debug)]
pub struct Recommendation {
    /// The plan as it is and the best that were found, on fresh random numbers.
    pub what_if: WhatIf,
    /// What was wanted.
    pub goal: Goal,
    /// What the fresh numbers say, by case: first of the plan as it is.
    pub judged: Vec<Judged>,
    /// The cases of the best that were found, best first by the search.
    pub order: Vec<usize>,
    /// The case that is recommended.
    pub chosen: Option<usize>,
    /// Its plan, to be pasted.
    pub plan: Option<String>,
    /// How it was searched for.
    pub search: SearchFacts,
}

/// How a plan was searched for.
#[derive(Clone, Debug)]
pub struct SearchFacts {
    /// Simulations that were allowed.
    pub budget: u32,
    /// Simulations that it took.
    pub simulations: u32,
    /// Plans that were simulated.
    pub looked_at: u32,
    /// Plans that there are.
    pub grid: u64,
    /// Plans with which the scenario could not be simulated at all.
    pub refused: u32,
    /// Keys the search's draws.
    pub seed: u64,
    /// What was not varied, and why.
    pub notes: Vec<String>,
}

impl Recommendation {
    /// Whether more replications might tell of one of the best, where none is recommended: that it keeps the conditions, or is earlier
    /// than the plan as it is.
    #[must_use]
    pub fn may_be(&self) -> bool {
        self.order.iter().any(|case| matches!(self.judged[*case].verdict, Verdict::NotSure | Verdict::Keeps))
    }

    /// The best, and at the end the plan as it is where it is none of them.
    fn shown(&self) -> impl Iterator<Item = usize> {
        let as_it_is = (!self.order.contains(&0)).then_some(0);
        self.order.iter().copied().chain(as_it_is)
    }

    fn name(&self, case: usize) -> &str {
        match case.checked_sub(1) {
            None => &self.what_if.base,
            Some(variant) => &self.what_if.variants[variant].name,
        }
    }

    fn milestone(&self) -> String {
        self.what_if.scenario.milestone_name(&self.goal.milestone)
    }

    fn level(&self) -> String {
        format!("P{:.0}", self.goal.level.fraction() * 100.0)
    }

    fn shift(&self, case: usize) -> Option<&MilestoneShift> {
        self.what_if.compared.variants.get(case.checked_sub(1)?)?.milestone(&self.milestone())
    }

    fn dates(&self, case: usize) -> Option<&Dated> {
        let name = self.milestone();
        let of_base = || self.what_if.compared.base.iter().find(|one| one.name == name);
        if case == 0 { of_base() } else { self.shift(case).map(|one| &one.dates) }
    }

    fn date(&self, case: usize, calendar: &Calendar<'_>) -> String {
        self.dates(case).map_or_else(String::new, |dates| calendar.cell(dates.at(self.goal.level), false))
    }

    /// "all emptied by Nov 8 (P80)".
    fn said(&self, case: usize) -> String {
        let (calendar, milestone, level) = (Calendar::new(&self.what_if.scenario), self.milestone(), self.level());
        match self.dates(case).and_then(|dates| dates.at(self.goal.level)).map(|it| it.value) {
            None => format!("{milestone} at a {level} that too few replications do not tell"),
            Some(When::At(time)) if calendar.already(time) => format!("{milestone} already"),
            Some(When::At(time)) => format!("{milestone} by {} ({level})", calendar.short(time)),
            Some(when @ (When::AfterHorizon | When::Never)) => format!("{milestone} {} ({level})", calendar.when(when)),
        }
    }

    /// Whether none of the plans that were checked is done by the horizon in so many replications as the goal's level is.
    fn is_never_done(&self) -> bool {
        self.shown().all(|case| self.judged[case].verdict == Verdict::NotReached)
    }
}

/// The `[plan]` of a resolved scenario, to be pasted in place of the file's own.
#[must_use]
pub fn plan(resolved: &str) -> String {
    let table: toml::Table = resolved.parse().unwrap_or_default();
    let plan = table.into_iter().filter(|(key, _)| key == "plan").collect::<toml::Table>();
    toml::to_string(&plan).unwrap_or_default()
}

/// The whole of it as plain rows, the answer first.
#[must_use]
pub fn report(known: &Recommendation) -> Report {
    let mut sections =
        vec![answer(known), what_if::users(&known.what_if), what_if::changes(&known.what_if), search(known)];
    sections.extend([sections::remarks(&known.what_if.warnings), what_if::repeat(&known.what_if)]);
    let sections = sections.into_iter().filter(|section| !section.blocks.is_empty()).collect();
    Report { title: format!("{}: recommended plan", known.what_if.scenario.name), sections }
}

fn plain(text: impl Into<String>) -> Block {
    Block::Line(Tone::Plain, text.into())
}

/// What is recommended, and how sure that is.
pub(super) fn answer(known: &Recommendation) -> Section {
    let mut blocks = Vec::new();
    if known.what_if.interrupted {
        blocks.push(Block::Line(Tone::Bad, "INCOMPLETE: ended early".into()));
    }
    let (tone, text) = headline(known);
    blocks.push(Block::Line(tone, text));
    let calendar = Calendar::new(&known.what_if.scenario);
    let mut header = vec![known.milestone(), known.level(), "shift".into()];
    let conditions = known.goal.conditions.len();
    header.extend(
        (1..=conditions).map(|number| if conditions == 1 { "kept in".into() } else { format!("({number}) kept in") }),
    );
    header.push("verdict".into());
    let rows = known.shown().map(|case| row(known, case, &calendar)).collect();
    blocks.push(Block::Table { header, rows });
    for (number, condition) in known.goal.conditions.iter().enumerate() {
        let number = if conditions == 1 { "Condition".to_owned() } else { format!("({})", number + 1) };
        blocks.push(plain(format!(
            "{number}: {} at most {} in a replication, in at least {} of them.",
            condition.measure.name(),
            condition.at_most,
            condition.with
        )));
    }
    blocks.extend(known.shown().filter_map(|case| cut_off(known, case)).map(|text| Block::Line(Tone::Doubt, text)));
    blocks.extend(may_stay(known).map(|text| Block::Line(Tone::Doubt, text)));
    blocks.extend(cost(known).map(|text| Block::Line(Tone::Doubt, text)));
    blocks.push(plain(format!(
        "From {} that the search has not seen; intervals of all plans and conditions together: {}. Shift: against the \
         plan as it is, paired.",
        replications(known.what_if.compared.replications),
        known.what_if.compared.confidence
    )));
    Section { title: String::new(), blocks }
}

/// In how many replications nobody knows whether a plan keeps a condition, where there are some.
fn cut_off(known: &Recommendation, case: usize) -> Option<String> {
    let unknown = known.judged[case].kept.iter().map(|kept| kept.unknown).fold(0.0, f64::max);
    (unknown > 0.0).then(|| {
        format!(
            "{}: {} of the replications are not finished by the horizon, and keep a condition only so far; nobody knows whether they \
             would have kept it.",
            known.name(case),
            percent(unknown)
        )
    })
}

/// That the plan as it is may do as well, where nobody is sure that it breaks anything and the recommended one is not surely earlier.
fn may_stay(known: &Recommendation) -> Option<String> {
    let case = known.chosen.filter(|case| *case > 0 && known.judged[0].verdict == Verdict::NotSure)?;
    let name = known.name(case);
    let held = match known.shift(case) {
        Some(one) if one.verdict == Sure::Less => return None,
        Some(one) if one.verdict == Sure::More => {
            format!("the mean date with {name} is {}", what_if::words::moved_by(&known.what_if, one))
        }
        _ => format!("{name} is not surely earlier"),
    };
    Some(format!("The plan as it is may keep what was asked for, too, and {held}: more replications tell."))
}

/// What the recommended plan surely takes more of, and nothing bounds.
fn cost(known: &Recommendation) -> Option<String> {
    let variant = known.what_if.compared.variants.get(known.chosen?.checked_sub(1)?)?;
    let is_bounded = |measure| known.goal.conditions.iter().any(|condition| condition.measure == measure);
    let more = variant.impact.iter().filter(|one| one.verdict == Sure::More && !is_bounded(one.measure));
    let said: Vec<String> = more
        .filter_map(|one| {
            let by = what_if::words::signed_amount(one.difference?.days);
            Some(format!("{} ({by})", what_if::words::measure(one.measure)))
        })
        .collect();
    (!said.is_empty()).then(|| format!("More than as it is, and bounded by no condition: {}.", said.join(", ")))
}

fn row(known: &Recommendation, case: usize, calendar: &Calendar<'_>) -> Vec<String> {
    let judged = &known.judged[case];
    let shift = known.shift(case).map_or_else(String::new, |one| {
        // Without a verdict of its own a shift would say which way the date moves.
        if one.verdict == Sure::Open { "not known".into() } else { what_if::shift(one, known.what_if.compared.each) }
    });
    let mut cells = vec![known.name(case).to_owned(), known.date(case, calendar), shift];
    cells.extend(judged.kept.iter().map(|kept| {
        let (low, high) = kept.interval;
        format!("{} ({} to {})", percent(kept.share), percent(low), percent(high))
    }));
    let recommended = known.chosen == Some(case);
    let word = match judged.verdict {
        Verdict::Keeps if recommended => "recommended",
        verdict => verdict_name(verdict),
    };
    cells.push(word.to_owned());
    cells
}

const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Keeps => "keeps",
        Verdict::NotSure => "not sure",
        Verdict::Breaks => "breaks",
        Verdict::NotReached => "not reached",
    }
}

fn headline(known: &Recommendation) -> (Tone, String) {
    let plans = count(f64::from(known.search.looked_at));
    match known.chosen {
        Some(0) => (
            Tone::Strong,
            format!(
                "The plan as it is keeps what was asked for, and nothing surely earlier that surely keeps it was found among {plans} \
                 plans: {}",
                known.said(0)
            ),
        ),
        Some(case) => {
            let by = known.shift(case).filter(|one| matches!(one.verdict, Sure::Less | Sure::More));
            let by = by.map_or_else(String::new, |one| {
                format!(", the mean date {}", what_if::words::moved_by(&known.what_if, one))
            });
            let checked = known.order.len();
            let which = if checked == 1 { "the best".into() } else { format!("the first of the {checked} best") };
            let text = format!(
                "{}: {}{by}; of {plans} plans {which} by the search that surely keeps what was asked for",
                known.name(case),
                known.said(case)
            );
            (Tone::Strong, text)
        }
        None if known.is_never_done() => {
            let horizon = Calendar::new(&known.what_if.scenario).long(known.what_if.scenario.horizon);
            let text = format!(
                "With no plan that was checked is {} reached by {horizon} in {} of the replications: give a longer horizon",
                known.milestone(),
                percent(known.goal.level.fraction())
            );
            (Tone::Bad, text)
        }
        None if known.judged[0].verdict == Verdict::Keeps => {
            let others = known.order.iter().filter(|case| **case > 0 && known.judged[**case].verdict == Verdict::Keeps);
            let names: Vec<&str> = others.map(|case| known.name(*case)).collect();
            let text = format!(
                "The plan as it is keeps what was asked for, and so does {}: {} are too few for a {} to tell which is earlier",
                names.join(", and "),
                replications(known.what_if.compared.replications),
                known.level()
            );
            (Tone::Doubt, text)
        }
        None if known.may_be() => (
            Tone::Doubt,
            format!("Of {plans} plans none surely keeps what was asked for, and more replications might tell of one"),
        ),
        None => {
            (Tone::Bad, format!("None of {plans} plans was found to keep what was asked for; the nearest come first"))
        }
    }
}

/// How it was searched for.
pub(super) fn search(known: &Recommendation) -> Section {
    let facts = &known.search;
    let mut blocks = vec![plain(format!(
        "{} of {} plans were looked at, in {} simulations of {} allowed, with seed {}: rounds of sequential halving on the same random \
         numbers, then what lies next to the two best. The search ranks by the share of replications in which the conditions are \
         kept, as far as that is below what the check needs to be sure of them, then by the mean date. It finds a good plan and promises no best one.",
        count(f64::from(facts.looked_at)),
        count(facts.grid as f64),
        count(f64::from(facts.simulations)),
        count(f64::from(facts.budget)),
        facts.seed
    ))];
    if facts.refused > 0 {
        let text =
            format!("- {} plans were left out: with them the scenario could not end.", count(f64::from(facts.refused)));
        blocks.push(plain(text));
    }
    blocks.extend(facts.notes.iter().map(|note| plain(format!("- {note}."))));
    Section { title: "How it was searched for".into(), blocks }
}

/// The files that a recommendation writes.
const NAMES: [&str; 4] = ["recommend.html", "recommend.md", "recommend.json", "plan.toml"];

/// Writes all files to `root`/`stem` and returns that folder; a plan only where one is recommended.
///
/// # Errors
/// When a file cannot be written, or the folder holds something that is not from a recommendation; the folder is untouched then.
pub fn write(root: &Path, stem: &str, known: &Recommendation) -> io::Result<PathBuf> {
    let mut text = markdown::render(&report(known));
    if let Some(plan) = &known.plan {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## The plan\n\n```toml\n{plan}```\n");
    }
    let mut contents = vec![html::recommend(known).into_bytes(), text.into_bytes(), json(known)?.into_bytes()];
    contents.extend(known.plan.as_ref().map(|plan| plan.clone().into_bytes()));
    let files: Vec<(String, Vec<u8>)> = NAMES.iter().map(|name| (*name).to_owned()).zip(contents).collect();
    write_folder(root, stem, &files, &|name| NAMES.iter().any(|known| *name == **known))
}

#[cfg(test)]
mod tests;
