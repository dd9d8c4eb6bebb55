//! What holds a date back: in words, as data, as a page, and as charts.

mod data;
mod files;
mod inputs;
mod words;

#[cfg(test)]
pub(super) use data::schema;
pub use data::{document, json};
pub use files::write;
pub(super) use inputs::{
    Swing, all_parts, indices, inputs, ranked, screening, share, share_interval, too_much, whole_percent,
};
pub(super) use words::bar_name;

use super::lengths::shifted_by;
use super::what_if::words::signed_amount;
use super::wording::{Calendar, count, percent, replications};
use super::{Block, Report, Section, Tone, sections};
use crate::forecast::cases::Measure;
use crate::forecast::compare::{Compared, MeasureShift, MilestoneShift, Variant, Verdict};
use crate::forecast::explain::held::Held;
use crate::forecast::explain::limit::Limit;
use crate::forecast::explain::{Explained, HeldInput, awaited};
use crate::forecast::quantile::P50;
use crate::forecast::sensitivity::{Indices, Screening};
use crate::migration::message::Binding;
use crate::scenario::{Scenario, UncertainInput};
use crate::units::Span;

/// What holds a scenario's dates back, with what is said besides.
#[derive(Clone, Debug)]
pub struct Explain {
    /// The scenario with every input at its middle.
    pub scenario: Scenario,
    /// Its file, without its folders.
    pub file: String,
    /// SHA-256 of its resolved text, in hexadecimal.
    pub sha256: String,
    /// Its uncertain inputs, and those that are varied.
    pub uncertain: Vec<UncertainInput>,
    /// What was found.
    pub explained: Explained,
    /// What a screening of the inputs has found, where there was one.
    pub screening: Option<Screening>,
    /// The shares of the spread, where they were asked for.
    pub indices: Option<Indices>,
    /// Keys every draw.
    pub seed: u64,
    /// Replications of each case that were asked for.
    pub asked: u32,
    /// The command that gives these numbers again.
    pub command: String,
    /// What is dubious in what was read.
    pub warnings: Vec<String>,
}

fn days(one: &MilestoneShift) -> f64 {
    one.shift.map_or(0.0, |shift| shift.days)
}

impl Explain {
    pub(super) fn main(&self) -> String {
        awaited(&self.scenario)
    }

    /// Whether anything of it was ended early.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.explained.interrupted
            || self.screening.as_ref().is_some_and(|one| one.interrupted)
            || self.indices.as_ref().is_some_and(|one| one.interrupted)
    }

    /// The inputs, what moves the date most first.
    pub(super) fn swings(&self) -> Vec<Swing<'_>> {
        let main = self.main();
        let shift = |variant: &'_ Variant| variant.milestones.iter().position(|one| one.dates.name == main);
        let pairs = self.explained.inputs.iter().zip(self.explained.swings.variants.chunks_exact(2));
        let mut swings: Vec<Swing<'_>> = pairs
            .filter_map(|(input, ends)| {
                Some(Swing {
                    input,
                    ends: [&ends[0].milestones[shift(&ends[0])?], &ends[1].milestones[shift(&ends[1])?]],
                })
            })
            .collect();
        swings.sort_by(|one, other| other.size().total_cmp(&one.size()));
        swings
    }

    /// What an input is at the two ends at which it was held.
    pub(super) fn ends(&self, input: &HeldInput) -> [String; 2] {
        let known = self.uncertain.iter().find(|known| known.key == input.keys[0]);
        known.map_or_else(Default::default, |known| {
            if input.is_varied() { [known.low.clone(), known.high.clone()] } else { known.tenths.clone() }
        })
    }

    /// The limits, what a unit more of is worth most first; what does not bind last.
    fn ranked(&self) -> Vec<(Limit, &MilestoneShift, &MeasureShift)> {
        let main = self.main();
        let slow =
            |variant: &'_ Variant| variant.impact.iter().position(|one| one.measure == Measure::MinutesAboveCaused);
        let all = self.explained.limits.iter().zip(&self.explained.values.variants);
        let mut ranked: Vec<_> = all
            .filter_map(|(limit, variant)| {
                let date = variant.milestones.iter().find(|one| one.dates.name == main)?;
                Some((*limit, date, &variant.impact[slow(variant)?]))
            })
            .collect();
        let order = |one: &MilestoneShift| match one.verdict {
            Verdict::Less => 0,
            Verdict::More => 1,
            Verdict::NotSure => 2,
            Verdict::Open => 3,
            Verdict::TooFew => 4,
            Verdict::InNeither => 5,
            Verdict::SameByHorizon => 6,
            Verdict::Same => 7,
        };
        ranked.sort_by(|(_, one, _), (_, other, _)| {
            order(one).cmp(&order(other)).then(days(other).abs().total_cmp(&days(one).abs()))
        });
        ranked
    }

    pub(super) fn calendar(&self) -> Calendar<'_> {
        Calendar::new(&self.scenario)
    }

    /// The local date of a day since the start.
    fn day(&self, day: usize) -> String {
        self.calendar().short(self.scenario.as_of + Span::from_secs(86_400).times(day as i64))
    }
}

/// The whole of it as plain rows, the answer first.
#[must_use]
pub fn report(explain: &Explain) -> Report {
    let sections = vec![
        answer(explain),
        limits(explain),
        inputs(explain),
        screening(explain),
        indices(explain),
        by_time(explain),
        by_head(explain),
        certainty(explain),
        sections::remarks(&explain.warnings),
        repeat(explain),
    ];
    let sections = sections.into_iter().filter(|section| !section.blocks.is_empty()).collect();
    Report { title: format!("{}: what holds it back", explain.scenario.name), sections }
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

/// What holds the date back most, and what has bound for how long.
pub(super) fn answer(explain: &Explain) -> Section {
    let explained = &explain.explained;
    let mut blocks = Vec::new();
    if explain.is_incomplete() {
        blocks.push(Block::Line(Tone::Bad, format!("INCOMPLETE: ended early, after {}", cut_off(explain))));
    }
    let (tone, text) = words::headline(explain);
    blocks.push(Block::Line(tone, text));
    for (cause, many) in &explained.unfinished {
        let share = percent(f64::from(*many) / explained.replications as f64);
        let horizon = explain.calendar().long(explain.scenario.horizon);
        blocks.push(Block::Line(
            Tone::Bad,
            format!("{share} of the replications are not done by {horizon}: {}", words::unfinished(*cause)),
        ));
    }
    if explained.set_aside > 0.0 {
        let many = if explained.set_aside < 1.0 { "under 1".to_owned() } else { count(explained.set_aside) };
        let text = format!(
            "Mailboxes set aside for a person, mean of the replications: {many}; heads count as emptied but for them"
        );
        blocks.push(Block::Line(Tone::Doubt, text));
    }
    if let Some(dates) = explained.values.base.iter().find(|one| one.name == explain.main()) {
        blocks.push(plain(format!("{}: {} (P50)", explain.main(), explain.calendar().cell(dates.at(P50), false))));
    }
    let row = |(cause, share): (Binding, f64)| {
        let days = explained.all.days[cause as usize];
        let mostly = explained.all.mostly(cause);
        let mostly =
            mostly.map_or_else(String::new, |(from, to)| format!("{} to {}", explain.day(from), explain.day(to)));
        vec![cause.name().to_owned(), percent(share), format!("{days:.1} d"), mostly]
    };
    let rows: Vec<_> = explained.all.causes().into_iter().map(row).collect();
    if !rows.is_empty() {
        blocks.push(Block::Table { header: header(&["what bound", "share", "time", "mostly"]), rows });
        let meant = |(cause, _): (Binding, f64)| plain(format!("- {}: {}", cause.name(), words::cause(cause)));
        blocks.extend(explained.all.causes().into_iter().map(meant));
        blocks.push(plain(
            "Of the time in which heads had their turn, all heads together, mean of the replications; at every moment exactly one \
             cause binds a head. Mostly: where the middle 80 % of that time lies.",
        ));
    }
    section("", blocks)
}

/// What is complete of the parts that were ended early: "5 replications of 20, and 0 of 400 trajectories".
fn cut_off(explain: &Explain) -> String {
    let explained = &explain.explained;
    let mut parts = Vec::new();
    if explained.interrupted {
        parts.push(format!("{} of {}", replications(explained.replications), count(f64::from(explain.asked))));
    }
    let part =
        |done: usize, asked: usize, what: &str| format!("{} of {} {what}", count(done as f64), count(asked as f64));
    let screening = explain.screening.iter().filter(|one| one.interrupted);
    parts.extend(screening.map(|one| part(one.trajectories, one.asked, "trajectories")));
    let indices = explain.indices.iter().filter(|one| one.interrupted);
    parts.extend(indices.map(|one| part(one.rows, one.asked, "rows")));
    parts.join(", and ")
}

/// What one unit more of each limit is worth.
pub(super) fn limits(explain: &Explain) -> Section {
    let each = explain.explained.values.each;
    let row = |(limit, date, slow): (Limit, &MilestoneShift, &MeasureShift)| {
        let known = !matches!(date.verdict, Verdict::InNeither | Verdict::TooFew);
        let shift = date.shift.filter(|_| known).map_or_else(String::new, |shift| shifted_by(&shift, each));
        let slow = slow
            .difference
            .map_or_else(String::new, |it| if it.is_exactly_none() { "0".into() } else { signed_amount(it.days) });
        vec![
            words::limit(limit, &explain.scenario),
            words::unit(limit, &explain.scenario),
            shift,
            slow,
            words::verdict(date, explain.explained.replications),
        ]
    };
    let ranked = explain.ranked();
    let bounded = ranked.iter().any(|(_, date, _)| {
        date.shift.is_some_and(|shift| shift.bounded > 0) && !matches!(date.verdict, Verdict::Same | Verdict::InNeither)
    });
    let unfinished = ranked.iter().map(|(_, _, slow)| slow.unfinished).max().unwrap_or(0);
    let rows: Vec<Vec<String>> = ranked.into_iter().map(row).collect();
    if rows.is_empty() {
        return section("", Vec::new());
    }
    let names = header(&["limit", "one unit", "shift", "minutes slow", "verdict"]);
    let mut blocks = vec![Block::Table { header: names, rows }];
    blocks.push(plain(format!(
        "Shift of {}: mean over the replications, with and without the unit, on the same random numbers, and its interval ({} \
         together). Minutes slow: by the migration, more or fewer. What does not bind moves the date by exactly nothing, in every \
         replication; it may bind once something else is raised.",
        explain.main(),
        explain.explained.values.confidence
    )));
    if bounded {
        blocks.push(Block::Line(
            Tone::Doubt,
            "- Some dates lie at or after the horizon, or are never reached, and count as it: shifts that are earlier or later may be \
             larger, and all others may also go the other way."
                .into(),
        ));
    }
    if unfinished > 0 {
        let text = format!(
            "- {} of a limit, with the unit or without, not finished by the horizon: minutes slow that come later are not counted.",
            replications(unfinished)
        );
        blocks.push(Block::Line(Tone::Doubt, text));
    }
    section("What one unit more is worth", blocks)
}

/// The longest table of stretches.
const MOST_ROWS: usize = 16;

/// What has bound when.
pub(super) fn by_time(explain: &Explain) -> Section {
    let held = &explain.explained.all;
    let causes: Vec<Binding> = held.causes().into_iter().map(|(cause, _)| cause).collect();
    let days = held.hours_by_day.len();
    let Some(length) =
        [1, 7, 28].into_iter().find(|length| days.div_ceil(*length) <= MOST_ROWS).or(Some(days.div_ceil(MOST_ROWS)))
    else {
        return section("", Vec::new());
    };
    if causes.is_empty() {
        return section("", Vec::new());
    }
    let row = |(number, stretch): (usize, &[[f64; Binding::COUNT]])| {
        let hours = |cause: Binding| stretch.iter().map(|day| day[cause as usize]).sum::<f64>();
        let mut row = vec![explain.day(number * length)];
        row.extend(causes.iter().map(|cause| match hours(*cause) {
            hours if hours <= 0.0 => String::new(),
            hours => format!("{hours:.1}"),
        }));
        row
    };
    let rows = held.hours_by_day.chunks(length).enumerate().map(row).collect();
    let mut names = vec!["from".to_owned()];
    names.extend(causes.iter().map(|cause| cause.name().to_owned()));
    let each = if length == 1 { "day".to_owned() } else { format!("{length} days") };
    let text = format!("Hours of each {each} in which it bound a head, all heads together, mean of the replications.");
    section("What bound when", vec![Block::Table { header: names, rows }, plain(text)])
}

/// What has bound each head.
pub(super) fn by_head(explain: &Explain) -> Section {
    let row = |(name, held): (&String, &Held)| {
        let causes: Vec<String> =
            held.causes().iter().map(|(cause, share)| format!("{} {}", cause.name(), percent(*share))).collect();
        let said = if causes.is_empty() { "nothing".into() } else { causes.join(", ") };
        plain(format!("- {name}, {:.1} days in its turn: {said}", held.turn_days()))
    };
    let heads: Vec<_> = explain.scenario.heads.iter().zip(&explain.explained.heads).map(row).collect();
    section("Head by head", if heads.len() > 1 { heads } else { Vec::new() })
}

/// How sure it is.
pub(super) fn certainty(explain: &Explain) -> Section {
    let Explained { replications: done, values, swings, .. } = &explain.explained;
    let cases = 1 + values.variants.len() + swings.variants.len();
    let of = |compared: &Compared, what: &str| match compared.variants.len() {
        0 => String::new(),
        many => format!(
            " The verdicts of the {many} {what} hold together with {} (Holm), and so do their intervals (Bonferroni: each with {:.2} %).",
            compared.confidence,
            compared.each.fraction() * 100.0
        ),
    };
    let text = format!(
        "{} of each of {cases} cases, all with the same random numbers.{}{}",
        replications(*done),
        of(values, "limits"),
        of(swings, "ends of inputs")
    );
    section("How sure this is", vec![plain(text)])
}

/// How to get the same numbers again.
pub(super) fn repeat(explain: &Explain) -> Section {
    let hash: String = explain.sha256.chars().take(12).collect();
    let text = format!("Scenario {hash}, seed {}, version {}.", explain.seed, env!("CARGO_PKG_VERSION"));
    section("To repeat it", vec![plain(explain.command.clone()), plain(text)])
}

#[cfg(test)]
mod tests;
