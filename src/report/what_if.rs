//! What variants of a scenario do to its dates and to its users: in words, as data, and as a page.

mod data;
mod files;
pub(super) mod words;

#[cfg(test)]
pub(super) use data::schema;
pub use data::{Document, document, json};
pub use files::write;

use super::comparison::ChangedKey;
use super::lengths::{shifted, shifted_by};
use super::wording::{Calendar, count, percent, replications};
use super::{Block, Report, Section, Tone, aside, sections};
use crate::forecast::compare::quantiles::AtLevel;
use crate::forecast::compare::{Compared, Dated, MeasureShift, MilestoneShift, Variant, Verdict};
use crate::forecast::quantile::{P50, P80, P90};
use crate::forecast::shift::Shift;
use crate::migration::message::Milestone;
use crate::scenario::Scenario;
use crate::units::Share;

/// Cases held against each other, with what is said besides.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// `what-if` or `compare`.
    pub kind: &'static str,
    /// What the first case is called.
    pub base: String,
    /// The first case.
    pub scenario: Scenario,
    /// Its file, without its folders.
    pub file: String,
    /// SHA-256 of its resolved text, in hexadecimal.
    pub sha256: String,
    /// The statistics.
    pub compared: Compared,
    /// What the other cases are, in the same order.
    pub variants: Vec<About>,
    /// Keys every draw.
    pub seed: u64,
    /// Replications that were asked for.
    pub asked: u32,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// The command that gives these numbers again.
    pub command: String,
    /// What is dubious in what was read.
    pub warnings: Vec<String>,
}

/// What a case is.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name.
    pub name: String,
    /// SHA-256 of its resolved text, in hexadecimal.
    pub sha256: String,
    /// What is changed.
    pub changes: Vec<ChangedKey>,
    /// What a reader has to know of it.
    pub notes: Vec<String>,
}

impl WhatIf {
    /// The milestone that people wait for.
    pub(super) fn main(&self) -> String {
        self.scenario.milestone_name(&Milestone::AllEmptied)
    }

    pub(super) fn cases(&self) -> impl Iterator<Item = (&About, &Variant)> {
        self.variants.iter().zip(&self.compared.variants)
    }

    fn base_dates(&self, milestone: &str) -> Option<&Dated> {
        self.compared.base.iter().find(|one| one.name == milestone)
    }

    /// Whether in any case so many mailboxes are set aside that what is said of everything would be wrong without them.
    pub(super) fn tells_aside(&self) -> bool {
        let all = self.compared.variants.iter().map(|variant| variant.aside).chain([self.compared.base_aside]);
        all.into_iter().any(|number| aside::is_much(number, &self.scenario))
    }

    /// "95 %", or "95 % together" where several intervals hold at once.
    pub(super) fn confidence(&self) -> String {
        let together = if self.variants.len() > 1 { " together" } else { "" };
        format!("{}{together}", self.compared.confidence)
    }
}

/// The whole of it as plain rows, the answer first.
#[must_use]
pub fn report(what_if: &WhatIf) -> Report {
    let sections = vec![
        answer(what_if),
        milestones(what_if),
        quantiles(what_if),
        users(what_if),
        changes(what_if),
        certainty(what_if),
        sections::remarks(&what_if.warnings),
        repeat(what_if),
    ];
    let sections = sections.into_iter().filter(|section| !section.blocks.is_empty()).collect();
    let doing = if what_if.kind == "compare" { "compared" } else { "what if" };
    Report { title: format!("{}: {doing}", what_if.scenario.name), sections }
}

fn section(title: &str, blocks: Vec<Block>) -> Section {
    Section { title: title.into(), blocks }
}

fn plain(text: impl Into<String>) -> Block {
    Block::Line(Tone::Plain, text.into())
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What everybody asks: when everything is off the old storage, case by case.
pub(super) fn answer(what_if: &WhatIf) -> Section {
    let mut blocks = Vec::new();
    if what_if.interrupted {
        let done = replications(what_if.compared.replications);
        let text = format!("INCOMPLETE: ended early, after {done} of {}", count(f64::from(what_if.asked)));
        blocks.push(Block::Line(Tone::Bad, text));
    }
    let (tone, text) = words::headline(what_if);
    blocks.push(Block::Line(tone, text));
    let main = what_if.main();
    let calendar = Calendar::new(&what_if.scenario);
    let base = what_if.base_dates(&main).map_or_else(String::new, |dates| cell(dates, P50, &calendar));
    let mut rows = vec![vec![what_if.base.clone(), base, String::new(), String::new(), String::new()]];
    for (about, variant) in what_if.cases() {
        rows.push(match variant.milestone(&main) {
            Some(one) => row(&about.name, one, what_if, &calendar.of_variant(variant)),
            None => {
                vec![about.name.clone(), String::new(), String::new(), String::new(), "not in it".into()]
            }
        });
    }
    let mut names = header(&[&main, "P50", "shift", "earlier", "verdict"]);
    if what_if.tells_aside() {
        names.push("set aside".into());
        let variants = what_if.compared.variants.iter().map(|variant| variant.aside);
        for (row, number) in rows.iter_mut().zip([what_if.compared.base_aside].into_iter().chain(variants)) {
            row.push(count(number));
        }
    }
    blocks.push(Block::Table { header: names, rows });
    blocks.push(plain(format!(
        "Shift: of the means, replication by replication, with its interval ({}). Earlier: share of the replications in which \
         the date comes earlier than as it is.",
        what_if.confidence()
    )));
    let notes = what_if.variants.iter().flat_map(|about| about.notes.iter().map(move |note| (&about.name, note)));
    blocks.extend(notes.map(|(name, note)| Block::Line(Tone::Doubt, format!("- {name}: {note}"))));
    section("", blocks)
}

fn cell(dates: &Dated, level: Share, calendar: &Calendar<'_>) -> String {
    calendar.cell(dates.at(level), false)
}

fn row(name: &str, one: &MilestoneShift, what_if: &WhatIf, calendar: &Calendar<'_>) -> Vec<String> {
    vec![
        name.to_owned(),
        cell(&one.dates, P50, calendar),
        shift(one, what_if.compared.each),
        earlier(one, what_if),
        words::date_verdict(one.verdict).to_owned(),
    ]
}

pub(super) fn shift(one: &MilestoneShift, each: Share) -> String {
    match (one.verdict, one.shift) {
        (Verdict::InNeither | Verdict::TooFew, _) | (_, None) => String::new(),
        (_, Some(shift)) => shifted_by(&shift, each),
    }
}

/// The share of the replications in which the variant's date is earlier.
fn earlier(one: &MilestoneShift, what_if: &WhatIf) -> String {
    let all = what_if.compared.replications;
    if all == 0 || one.verdict == Verdict::InNeither {
        return String::new();
    }
    let share = |part: usize| percent(part as f64 / all as f64);
    match one.order.unknown {
        0 => share(one.order.earlier),
        unknown => format!("{} to {}", share(one.order.earlier), share(one.order.earlier + unknown)),
    }
}

/// Every milestone, variant by variant.
pub(super) fn milestones(what_if: &WhatIf) -> Section {
    let calendar = Calendar::new(&what_if.scenario);
    let mut blocks = Vec::new();
    for (about, variant) in what_if.cases() {
        let its_own = calendar.of_variant(variant);
        let date = |name: &str| what_if.base_dates(name).map_or_else(String::new, |dates| cell(dates, P50, &calendar));
        let row = |one: &MilestoneShift| {
            vec![
                one.dates.name.clone(),
                date(&one.dates.name),
                cell(&one.dates, P50, &its_own),
                shift(one, what_if.compared.each),
                earlier(one, what_if),
                words::date_verdict(one.verdict).to_owned(),
            ]
        };
        let names = header(&[&about.name, "before", "P50", "shift", "earlier", "verdict"]);
        blocks.push(Block::Table { header: names, rows: variant.milestones.iter().map(row).collect() });
        for (those, whose) in [(&variant.missing, &what_if.base), (&variant.added, &about.name)] {
            if !those.is_empty() {
                blocks.push(plain(format!("Of {whose} alone, and not compared: {}.", those.join(", "))));
            }
        }
        blocks.extend(variant.milestones.iter().filter_map(bounded));
    }
    section("Milestones", blocks)
}

/// What a shift does not know, where it matters.
fn bounded(one: &MilestoneShift) -> Option<Block> {
    let dates = one.shift?.bounded;
    let meant = match one.verdict {
        Verdict::InNeither | Verdict::Same => return None,
        Verdict::Less | Verdict::More => "the shift may be larger",
        Verdict::SameByHorizon | Verdict::NotSure | Verdict::Open | Verdict::TooFew => {
            "the shift is one as far as the horizon, and may really be larger, or go the other way"
        }
    };
    (dates > 0).then(|| {
        let text = format!(
            "- {}: {} of its dates, of both cases together, lie at or after the horizon, or are never reached, and count as the \
             horizon: {meant}.",
            one.dates.name,
            count(dates as f64)
        );
        Block::Line(Tone::Doubt, text)
    })
}

/// Differences of quantiles and quantiles of differences: two things.
pub(super) fn quantiles(what_if: &WhatIf) -> Section {
    let main = what_if.main();
    let mut rows = Vec::new();
    for (about, variant) in what_if.cases() {
        let Some(one) = variant.milestone(&main).filter(|one| one.verdict != Verdict::InNeither) else { continue };
        let shown = one.levels.iter().filter(|at| [P50, P80, P90].contains(&at.level));
        rows.extend(shown.map(|at| level_row(&about.name, at)));
    }
    if rows.is_empty() {
        return section("", Vec::new());
    }
    let text = "A promise is kept with the difference of the quantiles: by so much the P80 moves. The quantile of the differences \
                says in how many of the futures it is by how much: in 80 % of them the shift is at most its P80.";
    let names = header(&["", "", "difference of quantiles", "quantile of differences"]);
    section(&format!("Two ways to say how much: {main}"), vec![Block::Table { header: names, rows }, plain(text)])
}

fn level_row(name: &str, at: &AtLevel) -> Vec<String> {
    let difference = match (at.difference_of_quantiles, at.interval) {
        (Some(days), Some((low, high))) => shifted(days, Some((low, high))),
        (Some(days), None) => format!("{}, no interval", shifted(days, None)),
        // One of the two lies beyond the horizon: a bound alone.
        (None, Some((low, _))) if low.is_finite() => format!("n/e ({} or later)", shifted(low, None)),
        (None, Some((_, high))) => format!("n/e ({} or earlier)", shifted(high, None)),
        (None, None) => "n/e".into(),
    };
    let of_differences =
        at.quantile_of_differences.map_or_else(|| "n/e".into(), |it| shifted(it.value, Some((it.low, it.high))));
    let level = format!("P{:.0}", at.level.fraction() * 100.0);
    vec![name.to_owned(), level, difference, of_differences]
}

/// What users go through.
pub(super) fn users(what_if: &WhatIf) -> Section {
    let mut blocks = Vec::new();
    for (about, variant) in what_if.cases() {
        let row = |(one, before): (&MeasureShift, &f64)| {
            vec![
                words::measure(one.measure).to_owned(),
                words::amount(*before),
                words::amount(one.mean),
                one.difference.map_or_else(String::new, |it| difference(&it, what_if.compared.each)),
                words::measure_verdict(one.verdict).to_owned(),
            ]
        };
        let rows = variant.impact.iter().zip(&what_if.compared.base_impact).map(row).collect();
        blocks
            .push(Block::Table { header: header(&[&about.name, "before", "with it", "difference", "verdict"]), rows });
        blocks.extend(cut_off(&about.name, variant));
    }
    let objective = what_if.scenario.model.objective.secs() * 1e3;
    let changes_it = what_if.variants.iter().any(|about| about.changes.iter().any(|key| key.key == "users.objective"));
    let of_each = if changes_it { ", or of a variant's own where it has another" } else { "" };
    blocks.push(plain(format!(
        "Means of a replication, all heads together, until it ends. Minutes slow: above the objective of {objective} ms{of_each}; by the \
         migration: less those that are slow at the same instant without its load. At risk: mailboxes still on a head, hour by \
         hour. Down: those on a head while it is out, as it came in the replications, and as expected from the hazard, which \
         has less chance in it. Held: locked out by switches. k: thousands, M: millions."
    )));
    section("What users notice", blocks)
}

/// That amounts are not whole, where they are not.
fn cut_off(name: &str, variant: &Variant) -> Option<Block> {
    let unfinished = variant.impact.iter().map(|one| one.unfinished).max().filter(|cut| *cut > 0)?;
    let text = format!(
        "- {name}: {}, with it or without, {} not finished by the horizon: what users would go through later is in no amount, and \
         none of the differences is sure.",
        replications(unfinished),
        if unfinished == 1 { "is" } else { "are" }
    );
    Some(Block::Line(Tone::Doubt, text))
}

fn difference(shift: &Shift, each: Share) -> String {
    if shift.is_exactly_none() {
        return "0".into();
    }
    let (low, high) = shift.interval(each);
    let number = words::signed_amount;
    format!("{} ({} to {})", number(shift.days), number(low), number(high))
}

/// What is changed, variant by variant.
pub(super) fn changes(what_if: &WhatIf) -> Section {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".into());
    let mut rows = Vec::new();
    for about in &what_if.variants {
        let mut name = about.name.as_str();
        for key in &about.changes {
            rows.push(vec![name.to_owned(), key.key.clone(), value(&key.before), value(&key.after)]);
            name = "";
        }
    }
    let names = header(&["", "key", "before", "with it"]);
    section("What is changed", if rows.is_empty() { Vec::new() } else { vec![Block::Table { header: names, rows }] })
}

/// How the numbers come about, and how sure they are.
pub(super) fn certainty(what_if: &WhatIf) -> Section {
    let compared = &what_if.compared;
    let main = what_if.main();
    let row = |(about, variant): (&About, &Variant)| {
        let one = variant.milestone(&main)?;
        let effective = match (one.effective, one.verdict) {
            (Some(effective), _) => count(effective),
            (None, Verdict::Same | Verdict::More | Verdict::Less) => "exact".into(),
            (None, _) => String::new(),
        };
        let factor = one.effective.map_or_else(String::new, |it| {
            format!("x {}", super::wording::figure(it / compared.replications.max(1) as f64))
        });
        Some(vec![about.name.clone(), count(compared.replications as f64), effective, factor])
    };
    let rows: Vec<Vec<String>> = what_if.cases().filter_map(row).collect();
    let names = header(&["", "replications", "effective", ""]);
    let mut blocks = vec![Block::Table { header: names, rows }];
    blocks.push(plain(
        "All cases have the same random numbers, replication by replication. Effective: so many independent replications of each \
         case would give an interval of the shift as narrow.",
    ));
    blocks.push(plain(match what_if.variants.len() {
        0 | 1 => format!("The verdict and each interval hold with {} (Student, paired).", compared.confidence),
        several => format!(
            "For each milestone and each measure, the verdicts of the {several} variants hold together with {} (Holm), and so do \
             their intervals (Bonferroni: each with {:.2} %). Holm sees more: a verdict may be sure where its interval just \
             touches 0.",
            compared.confidence,
            compared.each.fraction() * 100.0
        ),
    }));
    section("How sure this is", blocks)
}

/// How to get the same numbers again.
pub(super) fn repeat(what_if: &WhatIf) -> Section {
    let hash: String = what_if.sha256.chars().take(12).collect();
    let text = format!("Scenario {hash}, seed {}, version {}.", what_if.seed, env!("CARGO_PKG_VERSION"));
    section("To repeat it", vec![plain(what_if.command.clone()), plain(text)])
}

#[cfg(test)]
pub(super) mod tests;
