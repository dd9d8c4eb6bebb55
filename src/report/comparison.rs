//! A forecast held against an earlier one, in words and as data.

use super::lengths::{shifted_by, span};
use std::collections::BTreeMap;

mod data;

use serde::Serialize;

pub use data::{ComparisonPart, document};

use super::wording::{Calendar, count, percent};
use super::{About, Block, Section, Tone};
use crate::forecast::Forecast;
use crate::forecast::quantile::{P50, When};
use crate::forecast::shift::{Change, Shift};
use crate::forecast::since::{Found, MilestoneSince, Moved, Since};
use crate::migration::message::Milestone;
use crate::units::Span;

/// A forecast held against an earlier one.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// How the dates have moved.
    pub since: Since,
    /// What the earlier one is: its version, its replications.
    pub earlier: String,
    /// The milestone that people wait for.
    pub main: String,
    /// The milestones that may not come later: those that people wait for, and what is expected. That a cluster opens or is
    /// full later is often good news.
    pub counted: Vec<String>,
    /// Its medians, by milestone.
    pub was: BTreeMap<String, Option<When>>,
    /// What the part of the program and of the state stands for.
    pub program_and_state: String,
    /// The changed inputs, in the order of their parts.
    pub inputs: Vec<ChangedInput>,
    /// What else a reader has to know.
    pub notes: Vec<String>,
}

/// A change of the scenario: a key, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedInput {
    /// For people: `plan.throttle.max`, `8 keys of plan`.
    pub name: String,
    /// The keys, each with what it was and what it is.
    pub keys: Vec<ChangedKey>,
}

/// One changed key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangedKey {
    /// The full key.
    pub key: String,
    /// What it was; none where it was not there.
    pub before: Option<String>,
    /// What it is; none where it is not there any more.
    pub after: Option<String>,
}

impl ChangedInput {
    fn said(&self) -> String {
        match &self.keys[..] {
            [one] => {
                let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".into());
                format!("{}: {} -> {}", self.name, value(&one.before), value(&one.after))
            }
            _ => self.name.clone(),
        }
    }
}

impl Comparison {
    /// The dates that people wait for and that have become later.
    pub fn later(&self) -> impl Iterator<Item = &str> {
        self.since.that(Change::Later).map(|(name, _)| name).filter(|name| self.is_counted(name))
    }

    /// Whether nothing can be said of the milestone that people wait for.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let main = self.since.milestones.iter().find(|one| one.name == self.main);
        main.is_none_or(|one| matches!(one.found, Found::InNeither | Found::NotComparable | Found::New))
    }

    /// Whether a date that people wait for may have become later where nobody knows: beyond the horizon, or before the start.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.since.that(Change::Open).any(|(name, _)| self.is_counted(name)) || self.may_be_late().next().is_some()
    }

    /// The dates that people wait for and that have come, nobody knows whether later than they were expected.
    fn may_be_late(&self) -> impl Iterator<Item = &str> {
        let late = |one: &&MilestoneSince| matches!(one.found, Found::Reached { may_be_late: true });
        let names = self.since.milestones.iter().filter(late).map(|one| one.name.as_str());
        names.filter(|name| self.is_counted(name))
    }

    fn has_come(&self, name: &str) -> bool {
        let of = |one: &MilestoneSince| one.name == name && matches!(one.found, Found::Reached { .. });
        self.since.milestones.iter().any(of)
    }

    fn is_counted(&self, name: &str) -> bool {
        self.counted.iter().any(|counted| counted == name)
    }

    /// Of the dates that people wait for and that have moved in a way, the foremost, or else the last one.
    fn foremost(&self, change: Change) -> Option<(&str, &Moved)> {
        let all = || self.since.that(change).filter(|(name, _)| self.is_counted(name));
        all().find(|(name, _)| *name == self.main).or_else(|| all().last())
    }

    fn of_main(&self) -> Option<&Moved> {
        self.since.milestones.iter().find_map(|one| match &one.found {
            Found::Moved(moved) if one.name == self.main => Some(&**moved),
            _ => None,
        })
    }

    /// Whether all is exactly as it was, by the same program from the same files.
    fn is_exactly_the_same(&self) -> bool {
        self.inputs.is_empty() && self.since.that(Change::Unchanged).all(|(_, moved)| moved.shift.is_exactly_none())
    }
}

/// How all of it is meant: bad where a date that people wait for has become later.
#[must_use]
pub fn tone(comparison: &Comparison) -> Tone {
    if comparison.later().next().is_some() {
        Tone::Bad
    } else if comparison.is_open() || comparison.is_cut_off() {
        Tone::Doubt
    } else if comparison.since.is_unchanged() || comparison.foremost(Change::Earlier).is_some() {
        Tone::Good
    } else {
        Tone::Doubt
    }
}

/// One line that says it all.
#[must_use]
pub fn line(comparison: &Comparison) -> String {
    let (since, main) = (&comparison.since, &comparison.main);
    let earlier = &comparison.earlier;
    if let Some(one) = since.milestones.iter().find(|one| one.name == *main && comparison.is_open()) {
        let why = match one.found {
            Found::InNeither => "is reached by the horizon in neither",
            Found::New => "was no part of the earlier one",
            _ => "cannot be compared",
        };
        return format!("Since the last forecast ({earlier}): {main} {why}.");
    }
    if since.is_unchanged() {
        let by = if comparison.is_exactly_the_same() {
            String::new()
        } else {
            format!(" by {} or more", margin(since.margin))
        };
        return format!("No date has moved{by} since the last forecast ({earlier}).");
    }
    let said = |change: Change| {
        let (name, moved) = comparison.foremost(change)?;
        let more = match since.that(change).filter(|(name, _)| comparison.is_counted(name)).count() {
            0 | 1 => String::new(),
            many => format!(", {} more {}", many - 1, change.name()),
        };
        Some(format!("{name} {}{more}", shifted(moved, since)))
    };
    let open = comparison.foremost(Change::Open);
    let open = open.map(|(name, moved)| format!("of {name} nobody knows: {}", not_done(moved)));
    let mut parts: Vec<String> = [Change::Later, Change::Earlier].into_iter().filter_map(said).collect();
    parts.extend(open);
    parts.extend(
        comparison
            .may_be_late()
            .next()
            .map(|name| format!("{name} has been reached, nobody knows when: perhaps later than it was expected")),
    );
    if parts.is_empty() && comparison.has_come(main) {
        parts.push(format!("{main} has been reached"));
    }
    if parts.is_empty() {
        parts.push(match comparison.of_main().map(|moved| moved.change) {
            Some(Change::Unchanged) => format!("{main} is where it was"),
            _ => format!("{main} has not surely moved"),
        });
    }
    format!("Since the last forecast ({earlier}): {}.", parts.join("; "))
}

fn shifted(moved: &Moved, since: &Since) -> String {
    let (low, high) = moved.shift.interval(since.confidence);
    let side = moved.change.name();
    if moved.change == Change::Later && low <= 0.0 {
        return format!("{side} beyond the horizon: {}", not_done(moved));
    }
    let beyond =
        if moved.shift.bounded > 0 { format!(", as far as the horizon; {}", not_done(moved)) } else { String::new() };
    // The smaller number first, whichever way it has moved.
    let (least, most) = if low.abs() <= high.abs() { (low, high) } else { (high, low) };
    format!(
        "{side} by {} ({}: {} to {}){beyond}",
        span(moved.shift.days.abs()),
        since.confidence,
        span(least.abs()),
        span(most.abs())
    )
}

/// How many do not reach a date by the horizon.
fn not_done(moved: &Moved) -> String {
    let [(were, of), (are, all)] = moved.not_done;
    let share = |part: usize, all: usize| percent(part as f64 / all.max(1) as f64);
    format!(
        "{} of the replications are not done by the horizon, {} in the last forecast",
        share(are, all),
        share(were, of)
    )
}

/// What has moved, and why.
#[must_use]
pub fn section(comparison: &Comparison, forecast: &Forecast) -> Section {
    let since = &comparison.since;
    let mut blocks = vec![Block::Line(tone(comparison), line(comparison))];
    if !(comparison.is_exactly_the_same() && since.is_unchanged()) {
        let shown: Vec<&MilestoneSince> = since.milestones.iter().filter(|one| is_shown(one, forecast)).collect();
        let header = ["", "was", "is", "shift", ""].map(str::to_owned).to_vec();
        let rows = shown.iter().map(|one| row(one, comparison, forecast)).collect();
        blocks.push(Block::Table { header, rows });
        let hidden = since.milestones.len() - shown.len();
        if hidden > 0 {
            blocks.push(Block::Line(Tone::Plain, stayed(comparison, hidden, forecast)));
        }
        blocks.extend(causes(comparison));
    }
    blocks.extend(comparison.notes.iter().map(|note| Block::Line(Tone::Plain, format!("- {note}"))));
    Section { title: "Since the last forecast".into(), blocks }
}

/// What the others have done, so many, that are not shown: nothing, or too little.
fn stayed(comparison: &Comparison, hidden: usize, forecast: &Forecast) -> String {
    let all = || comparison.since.milestones.iter().filter(|one| !is_shown(one, forecast));
    let has_moved = |one: &MilestoneSince| matches!(&one.found, Found::Moved(moved) if !moved.shift.is_exactly_none());
    let (others, have, are) = if hidden == 1 { ("other", "has", "is") } else { ("others", "have", "are") };
    let unmoved = all().filter(|one| matches!(one.found, Found::Moved(_))).count();
    let moved = if all().any(has_moved) {
        format!("moved by less than {}", margin(comparison.since.margin))
    } else {
        "not moved".to_owned()
    };
    let hidden_said = count(hidden as f64);
    match unmoved {
        0 => format!("{hidden_said} {others} {are} reached by the horizon in neither."),
        _ if unmoved == hidden => format!("{hidden_said} {others} {have} {moved}."),
        _ => format!("{hidden_said} {others} {have} {moved}, or {are} reached by the horizon in neither."),
    }
}

/// The same of what a report is about; nothing where it is held against no earlier forecast.
pub(super) fn section_of(about: &About, forecast: &Forecast) -> Section {
    let nothing = || Section { title: String::new(), blocks: Vec::new() };
    about.comparison.as_ref().map_or_else(nothing, |comparison| section(comparison, forecast))
}

/// Whatever has not stayed as it was, and what people wait for.
fn is_shown(one: &MilestoneSince, forecast: &Forecast) -> bool {
    let is_main = || {
        let main = |milestone: &&Milestone| matches!(milestone, Milestone::HeadEmptied { .. } | Milestone::AllEmptied);
        let scenario = &forecast.scenario;
        scenario.milestones.iter().filter(main).any(|milestone| scenario.milestone_name(milestone) == one.name)
    };
    let still = match &one.found {
        Found::Moved(moved) => moved.change == Change::Unchanged,
        Found::InNeither => true,
        Found::Reached { .. } | Found::New | Found::Removed | Found::NotComparable => false,
    };
    !still || is_main()
}

fn row(one: &MilestoneSince, comparison: &Comparison, forecast: &Forecast) -> Vec<String> {
    let calendar = Calendar::new(&forecast.scenario);
    let cell = |when: Option<When>| {
        when.map_or("n/e".into(), |when| match when {
            When::At(time) => calendar.short(time),
            When::AfterHorizon | When::Never => calendar.when(when),
        })
    };
    let was = comparison.was.get(&one.name).map_or(String::new(), |was| cell(*was));
    let known = forecast.milestones.iter().find(|known| forecast.scenario.milestone_name(&known.milestone) == one.name);
    let is = known.map_or(String::new(), |known| cell(known.at(P50).map(|estimate| estimate.value)));
    let (shift, word) = match &one.found {
        Found::Moved(moved) => (part(&moved.shift, &comparison.since), moved.change.name()),
        Found::New => (String::new(), "new"),
        Found::Removed => (String::new(), "removed"),
        Found::Reached { .. } => (String::new(), "reached since"),
        Found::InNeither => (String::new(), "not reached in either"),
        Found::NotComparable => (String::new(), "not comparable"),
    };
    vec![one.name.clone(), was, is, shift, word.into()]
}

/// Why the date that people wait for is where it is.
fn causes(comparison: &Comparison) -> Vec<Block> {
    let since = &comparison.since;
    let main = comparison.of_main().map(|moved| (comparison.main.as_str(), moved));
    let Some((name, moved)) = main.or_else(|| comparison.foremost(Change::Later)) else { return Vec::new() };
    let mut rows = vec![vec![comparison.program_and_state.clone(), part(&moved.program_and_state, since)]];
    for (input, shift) in comparison.inputs.iter().zip(&moved.inputs) {
        let said = shift.as_ref().map_or("not alone: see together".into(), |shift| part(shift, since));
        rows.push(vec![input.said(), said]);
    }
    if comparison.inputs.len() > 1 {
        rows.push(vec!["the changes together, beyond their sum".into(), part(&moved.together, since)]);
    }
    rows.push(vec!["all of it".into(), part(&moved.shift, since)]);
    let mut blocks = vec![Block::Table { header: vec![format!("what moves {name}"), "shift".into()], rows }];
    if let Some(other) = &moved.other_seed {
        let text =
            format!("- Another seed, which is chance and left out of the shift, does {} more.", part(other, since));
        blocks.push(Block::Line(Tone::Plain, text));
    }
    if moved.shift.bounded > 0 {
        let text = format!(
            "- {} dates of {name}, of both forecasts together, lie at or after the horizon and count as it: the shift may be larger.",
            count(moved.shift.bounded as f64)
        );
        blocks.push(Block::Line(Tone::Doubt, text));
    }
    blocks
}

fn part(shift: &Shift, since: &Since) -> String {
    shifted_by(shift, since.confidence)
}

fn margin(margin: Span) -> String {
    span(margin.days())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::forecast::since::{Dates, Steps};
    use crate::forecast::testing::{days_of, made, outcome};
    use crate::report::{Report, markdown, terminal};
    use crate::units::Share;

    fn changed(key: &str, before: Option<&str>, after: Option<&str>) -> ChangedKey {
        ChangedKey { key: key.into(), before: before.map(str::to_owned), after: after.map(str::to_owned) }
    }

    /// A forecast two days later than the one before it, by a changed throttle and a cluster that is new.
    pub(in crate::report) fn compared() -> (Forecast, Comparison) {
        let (before, now) = (made(60, &|r| outcome(r, days_of(r))), made(60, &|r| outcome(r, days_of(r) + 2.0)));
        let without = made(60, &|r| outcome(r, days_of(r) + 0.4 + f64::from(r % 3) / 10.0));
        let dates = |forecast: &Forecast| Dates::of(&forecast.scenario, &forecast.replications);
        let (before, after, without) = (dates(&before), dates(&now), dates(&without));
        let steps = Steps {
            recorded: &before,
            repeated: &before,
            earlier: &before,
            now: &after,
            without: &[Some(without), None],
            same_draws: true,
            same_seed: true,
        };
        let medians = before.order.iter().map(|name| (name.clone(), Some(When::AfterHorizon))).collect();
        let comparison = Comparison {
            since: Since::of(steps, Share::from_ppm(990_000), Span::from_secs(6 * 3_600)),
            earlier: "version 0.1.0, 60 replications".into(),
            main: "all emptied".into(),
            counted: vec!["head-1 emptied".into(), "head-2 emptied".into(), "all emptied".into()],
            was: medians,
            program_and_state: "the program: the same version".into(),
            inputs: vec![
                ChangedInput {
                    name: "plan.throttle.max".into(),
                    keys: vec![changed("plan.throttle.max", Some("48"), Some("24"))],
                },
                ChangedInput {
                    name: "cluster.nas-2".into(),
                    keys: vec![changed("cluster.nas-2", None, Some("<b>a table</b>"))],
                },
            ],
            notes: vec!["Seed 1 -> 2: the earlier scenario was simulated with both.".into()],
        };
        (now, comparison)
    }

    #[test]
    fn each_form_says_what_has_moved_and_why() {
        let (forecast, comparison) = compared();
        assert_eq!(tone(&comparison), Tone::Bad);
        let report = Report { title: "Dates expected".into(), sections: vec![section(&comparison, &forecast)] };
        insta::assert_snapshot!("comparison_page", terminal::render(&report).replace('\x1b', "ESC"));
        insta::assert_snapshot!("comparison_markdown", markdown::render(&report));
        insta::assert_snapshot!("comparison_json", serde_json::to_string_pretty(&document(&comparison)).unwrap());
    }

    #[test]
    fn a_part_has_the_unit_that_its_interval_can_be_read_in() {
        let since = compared().1.since;
        let shift = |days, error| Shift { days, error, freedom: 1e6, bounded: 0 };
        assert_eq!(part(&Shift::NONE, &since), "0");
        assert_eq!(part(&shift(0.1, 0.01), &since), "+2.4 h (+1.8 to +3.0)");
        assert_eq!(part(&shift(-3.0, 0.1), &since), "-3.0 d (-3.3 to -2.7)");
    }
}
