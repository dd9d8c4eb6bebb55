//! The answer and the dates.

use super::wording::{ALREADY, Calendar, count, percent, plus_minus, replications};
use super::{Block, Section, Tone, aside};
use crate::fleet::MailboxId;
use crate::forecast::expect::{Expected, Verdict};
use crate::forecast::quantile::{P10, P50, P80, P90, When};
use crate::forecast::{Forecast, MilestoneForecast, Widths};
use crate::migration::message::{Binding, Milestone};
use crate::migration::plan::ClusterPlan;
use crate::scenario::Scenario;
use crate::sim::Outcome;

/// The first lines: when each head is empty, when all are, when each cluster opens and is full.
pub(super) fn answer(forecast: &Forecast) -> Section {
    let calendar = Calendar::new(&forecast.scenario);
    let mut blocks = Vec::new();
    if forecast.rule.interrupted {
        let done = replications(forecast.replications.len());
        blocks.push(Block::Line(Tone::Bad, format!("INCOMPLETE: ended early, after {done}")));
    }
    for milestone in ordered(forecast) {
        let tone = match milestone.milestone {
            Milestone::HeadEmptied { .. } | Milestone::AllEmptied => Tone::Strong,
            _ => Tone::Plain,
        };
        blocks.push(Block::Line(tone, sentence(forecast, milestone, &calendar)));
    }
    Section { title: String::new(), blocks }
}

/// Heads, all, and then clusters.
fn ordered(forecast: &Forecast) -> impl Iterator<Item = &MilestoneForecast> {
    let rank = |milestone: &Milestone| match milestone {
        Milestone::HeadEmptied { .. } => Some(0),
        Milestone::AllEmptied => Some(1),
        Milestone::ClusterOpened { .. } | Milestone::ClusterFull { .. } => Some(2),
        _ => None,
    };
    (0..3).flat_map(move |wanted| {
        forecast.milestones.iter().filter(move |milestone| rank(&milestone.milestone) == Some(wanted))
    })
}

/// At what share of its rating a cluster is full: of bytes, and of inodes where it has a limit of them.
fn full_at(plan: &ClusterPlan) -> String {
    match plan.inodes {
        None => plan.full_at.to_string(),
        Some(inodes) if inodes.full_at == plan.full_at => format!("{} of its bytes or inodes", plan.full_at),
        Some(inodes) => format!("{} of its bytes or {} of its inodes", plan.full_at, inodes.full_at),
    }
}

fn subject(forecast: &Forecast, milestone: Milestone) -> (String, &'static str) {
    let scenario = &forecast.scenario;
    let all_of = |name: &str| all_of(name, forecast, milestone);
    match milestone {
        Milestone::HeadEmptied { head, .. } => {
            (format!("{} is empty", all_of(&scenario.heads[head.index()])), "is not emptied")
        }
        Milestone::AllEmptied => (format!("{} is off the old storage", all_of("Everything")), "is not reached"),
        Milestone::ClusterOpened { cluster } => {
            (format!("{} takes its first mailbox", scenario.clusters[cluster.index()]), "is not needed")
        }
        Milestone::ClusterFull { cluster, .. } => {
            let full_at = full_at(&scenario.plan.placement.clusters[cluster.index()]);
            (format!("{} is full ({full_at})", scenario.clusters[cluster.index()]), "does not happen")
        }
        other => (scenario.milestone_name(&other), "does not happen"),
    }
}

/// "Everything", or "Everything, but for about 1,902 mailboxes that wait for a person,".
fn all_of(name: &str, forecast: &Forecast, milestone: Milestone) -> String {
    let but_for = aside::but_for(forecast, milestone);
    but_for.map_or_else(|| name.to_owned(), |but_for| format!("{name}, {but_for},"))
}

/// A milestone in a sentence.
pub(super) fn sentence(forecast: &Forecast, milestone: &MilestoneForecast, calendar: &Calendar<'_>) -> String {
    let (subject, otherwise) = subject(forecast, milestone.milestone);
    let never = match milestone.never {
        0 => String::new(),
        some => format!("; {otherwise} in {}", percent(f64::from(some) / forecast.replications.len() as f64)),
    };
    match milestone.at(P50).map(|estimate| estimate.value) {
        None => few(&subject, otherwise, milestone, forecast),
        Some(When::Never) if milestone.never as usize == forecast.replications.len() => {
            format!("{subject}: {otherwise} in any replication")
        }
        Some(When::Never) => format!("{subject}: {otherwise} {}", in_of(milestone.never, forecast)),
        Some(When::AfterHorizon) => {
            let horizon = calendar.when(When::AfterHorizon);
            format!("{subject} {horizon}, or not at all, {}", in_of(milestone.censored + milestone.never, forecast))
        }
        Some(When::At(time)) if calendar.already(time) => {
            format!("{} {}", already(&subject), calendar.since(time))
        }
        Some(When::At(time)) => {
            format!("{subject} {} ({}{never})", calendar.long(time), range(milestone, calendar))
        }
    }
}

/// "in 33 % of the replications", "in every replication".
fn in_of(part: u32, forecast: &Forecast) -> String {
    let all = forecast.replications.len();
    if part as usize == all {
        "in every replication".to_owned()
    } else {
        format!("in {} of the replications", percent(f64::from(part) / all as f64))
    }
}

/// The range around a median that is a date.
fn range(milestone: &MilestoneForecast, calendar: &Calendar<'_>) -> String {
    match (milestone.at(P10), milestone.at(P90)) {
        (Some(low), Some(high)) if high.value == When::Never => format!("80 %: {} or later", calendar.when(low.value)),
        (Some(low), Some(high)) => format!("80 %: {}", calendar.range(low.value, high.value)),
        _ => "too few replications for a range".to_owned(),
    }
}

/// Whether the answer is a date with a range.
pub(super) fn is_dated(forecast: &Forecast) -> bool {
    let all = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied);
    let has = |level| all.and_then(|one| one.at(level)).is_some_and(|estimate| estimate.value.time().is_some());
    has(P10) && has(P50) && has(P90) && all.is_none_or(|one| one.earliest != one.latest)
}

/// The answer in one sentence, for people who know nothing of the forecast.
pub(super) fn headline(forecast: &Forecast) -> String {
    let calendar = Calendar::new(&forecast.scenario);
    let Some(all) = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied) else {
        return "This forecast does not ask when all mailboxes are off the old storage".to_owned();
    };
    let off = format!("{} are off the old storage", all_of("All mailboxes", forecast, all.milestone));
    match all.at(P50).map(|estimate| estimate.value) {
        None => few(&off, "some stay", all, forecast),
        Some(When::Never) => {
            format!("Some mailboxes stay on the old storage {}", in_of(all.never, forecast))
        }
        Some(When::AfterHorizon) => format!(
            "Mailboxes are still on the old storage on {}, as far as this forecast looks, {}",
            calendar.long(forecast.scenario.horizon),
            in_of(all.censored + all.never, forecast)
        ),
        Some(When::At(time)) if calendar.already(time) => format!("{} {}", already(&off), calendar.since(time)),
        Some(When::At(time)) => format!("{off} by {} ({})", calendar.long(time), range(all, &calendar)),
    }
}

/// Which mailboxes stay although all others are off the old storage; none where some have no date, or none stays.
pub(super) fn staying(forecast: &Forecast) -> Option<String> {
    let all = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied)?;
    all.at(P50)?.value.time()?;
    let aside = forecast.heads.iter().map(|head| head.impact.set_aside).sum::<f64>().round() as usize;
    let excluded = excluded(&forecast.scenario);
    let mailboxes = |number: usize| format!("{} mailbox{}", count(number as f64), if number == 1 { "" } else { "es" });
    let stay = if aside + excluded == 1 { "stays" } else { "stay" };
    match (aside, excluded) {
        (0, 0) => None,
        (_, 0) => Some(format!("About {} set aside {stay} on the heads.", mailboxes(aside))),
        (0, _) => Some(format!("{} excluded by the plan {stay} on the heads.", mailboxes(excluded))),
        (_, _) => Some(format!(
            "About {} set aside, and {} excluded by the plan, {stay} on the heads.",
            mailboxes(aside),
            count(excluded as f64)
        )),
    }
}

/// Mailboxes that the plan leaves on the heads: what has moved before is excluded from nothing.
pub(super) fn excluded(scenario: &Scenario) -> usize {
    let is_left = |mailbox: &&MailboxId| {
        let home = scenario.facts.as_ref().and_then(|facts| facts.fleet.home.get(mailbox.index()));
        home.is_none_or(|home| !home.is_cluster())
    };
    scenario.plan.order.excluded.iter().filter(is_left).count()
}

/// What has happened already, said of the time since.
fn already(subject: &str) -> String {
    let of_the_present =
        [(" takes its first mailbox", " has been taking mailboxes"), (" is ", " has been "), (" are ", " have been ")];
    let now = of_the_present.iter().find(|(now, _)| subject.contains(now));
    now.map_or_else(|| format!("{subject}: reached"), |(now, since)| subject.replacen(now, since, 1))
}

/// What few replications have shown of a milestone, of which no median follows.
fn few(subject: &str, otherwise: &str, milestone: &MilestoneForecast, forecast: &Forecast) -> String {
    let calendar = Calendar::new(&forecast.scenario);
    if let Some(time) = calendar.reached(milestone) {
        return format!("{} {}", already(subject), calendar.since(time));
    }
    let of = match forecast.replications.len() {
        1 => "in the only replication; a range needs more of them".to_owned(),
        all => format!("in {}, too few for a median", replications(all)),
    };
    match (milestone.earliest, milestone.latest) {
        (Some(When::Never), Some(When::Never)) => format!("{subject}: {otherwise} {of}"),
        (Some(earliest), Some(latest)) if earliest == latest => format!("{subject} {} {of}", calendar.when(earliest)),
        (Some(earliest), Some(latest)) => format!("{subject} {} {of}", calendar.range(earliest, latest)),
        _ => format!("{subject}: no replication has been run"),
    }
}

/// The table of all milestones, and how sure it is.
pub(super) fn dates(forecast: &Forecast) -> Section {
    let calendar = Calendar::new(&forecast.scenario);
    let row = |milestone: &MilestoneForecast| {
        let name = forecast.scenario.milestone_name(&milestone.milestone);
        if calendar.reached(milestone).is_some() {
            // However few replications there are: it is a fact.
            return [&*name, ALREADY, ALREADY, "", ALREADY, "", ALREADY].map(str::to_owned).to_vec();
        }
        vec![
            name,
            calendar.cell(milestone.at(P10), false),
            calendar.cell(milestone.at(P50), true),
            plus_minus(milestone.at(P50)),
            calendar.cell(milestone.at(P80), true),
            plus_minus(milestone.at(P80)),
            calendar.cell(milestone.at(P90), false),
        ]
    };
    let header = ["milestone", "P10", "P50", "±", "P80", "±", "P90"].map(str::to_owned).to_vec();
    let mut blocks = vec![Block::Table { header, rows: forecast.milestones.iter().map(row).collect() }];
    let confidence = forecast.settings.confidence;
    let legend = format!(
        "Local time, {}. P80: 80 % of the replications are done by then. ±: {confidence} interval of the quantile itself, \
         larger side. n/e: not estimable, too few replications. never: finished without it.",
        zone_name(&forecast.scenario),
    );
    blocks.push(Block::Line(Tone::Plain, legend));
    let undone = |one: &&MilestoneForecast| {
        one.milestone == Milestone::Decommissioned && one.latest.is_some_and(|latest| latest == When::Never)
    };
    if forecast.milestones.iter().any(|one| undone(&one)) {
        let why = "decommissioned: never while mailboxes are left on the old storage, set aside for a person or excluded: \
                   they are still served from it.";
        blocks.push(Block::Line(Tone::Plain, why.into()));
    }
    blocks.extend(rule(forecast));
    blocks.extend(widths(forecast));
    Section { title: "Dates".into(), blocks }
}

fn zone_name(scenario: &Scenario) -> String {
    scenario.time_zone.iana_name().unwrap_or("UTC").to_owned()
}

fn rule(forecast: &Forecast) -> Vec<Block> {
    let rule = &forecast.rule;
    let done = replications(forecast.replications.len());
    let is_fixed = rule.amount.minimum >= rule.amount.maximum;
    let (least, most) = (count(f64::from(rule.amount.minimum)), count(f64::from(rule.amount.maximum)));
    let came = rule.half_width.map_or("is not estimable".into(), |width| format!("is known to ±{width}"));
    let wanted = forecast.settings.half_width;
    let amount = match (rule.interrupted, is_fixed) {
        (true, true) => format!("{done} of the {most} asked for; ended early"),
        (true, false) => format!("{done} of at least {least} and at most {most}; ended early"),
        (false, true) => format!("{done}, as asked for"),
        (false, false) => {
            let batch = rule.amount.batch;
            format!("{done}: at least {least}, then batches of {batch} until the rule holds, at most {most}")
        }
    };
    // What was interrupted was not judged.
    let (tone, verdict) = match (rule.interrupted, rule.held) {
        (true, _) => (Tone::Doubt, ""),
        (false, true) => (Tone::Plain, ": the rule held"),
        (false, false) => (Tone::Doubt, ": the rule did not hold"),
    };
    let text = format!("{amount}. P80 of everything being off {came}, wanted ±{wanted}{verdict}.");
    let mut blocks = vec![Block::Line(tone, text)];
    for (cause, number) in &forecast.unfinished {
        let share = in_of(*number, forecast);
        blocks.push(if *cause == Binding::NotItsTurn {
            // Only then: nothing is left that could have its turn.
            let text = format!("All is moved, and not all old copies are removed by the horizon {share}.");
            Block::Line(Tone::Doubt, text)
        } else {
            let text = format!("Not finished by the horizon {share}, held by: {}.", cause.name());
            Block::Line(Tone::Bad, text)
        });
    }
    blocks.extend(waits_for_person(forecast).map(|text| Block::Line(Tone::Bad, text)));
    blocks
}

/// What keeps dates back that do not come before somebody has seen to mailboxes that were set aside.
fn waits_for_person(forecast: &Forecast) -> Option<String> {
    let aside = |outcome: &Outcome| outcome.heads.iter().any(|head| head.set_aside > 0);
    let outcomes = forecast.replications.iter().map(|replication| &replication.outcome);
    if forecast.scenario.plan.attempts.wait_for_person {
        let waits = |outcome: &&Outcome| outcome.unfinished == Some(Binding::Paused) && aside(outcome);
        let number = outcomes.filter(waits).count() as u32;
        return (number > 0)
            .then(|| format!("At the horizon mailboxes set aside wait for a person {}.", in_of(number, forecast)));
    }
    // Whoever asks for the last mailbox asks for those, too.
    let is_share = |one: &&MilestoneForecast| {
        matches!(one.milestone, Milestone::ShareMoved { .. } | Milestone::HeadShareMoved { .. }) && one.never > 0
    };
    let kept: Vec<&MilestoneForecast> = forecast.milestones.iter().filter(is_share).collect();
    let most = kept.iter().map(|one| one.never).max()?;
    let finished = outcomes.filter(|outcome| outcome.unfinished.is_none() && aside(outcome)).count() as u32;
    (finished > 0).then(|| {
        let names: Vec<String> = kept.iter().map(|one| forecast.scenario.milestone_name(&one.milestone)).collect();
        format!(
            "{}: never {}, since mailboxes that were set aside stay where they are; [operator] resolves_after says \
             after how long somebody sees to them.",
            names.join(", "),
            in_of(most, forecast),
        )
    })
}

fn widths(forecast: &Forecast) -> Vec<Block> {
    let width = |milestones: &[MilestoneForecast]| {
        let all = milestones.iter().find(|milestone| milestone.milestone == Milestone::AllEmptied)?;
        all.width()
    };
    let say = |width: Option<crate::units::Span>| width.map_or("not estimable".into(), |width| format!("{width}"));
    let main = say(width(&forecast.milestones));
    let text = match &forecast.widths {
        Widths::ChanceIsAll => {
            format!("P10 to P90 of everything being off: {main}. No input is uncertain, so this is chance alone.")
        }
        Widths::Both { replications: 0, .. } => {
            format!(
                "P10 to P90 of everything being off: {main} with uncertain inputs; from chance alone it was not asked."
            )
        }
        Widths::Both { replications: number, chance_only } => format!(
            "P10 to P90 of everything being off: {main} with uncertain inputs; {} from chance alone \
             ({} with every input at its middle).",
            say(width(chance_only)),
            replications(*number as usize),
        ),
    };
    vec![Block::Line(Tone::Plain, text)]
}

/// How an expectation has come out: in how many replications, or what happened where its date has passed.
pub(super) fn came_out(expected: &Expected, forecast: &Forecast) -> String {
    let said = match expected.verdict {
        Verdict::Pass => "the day has passed, and it was in time",
        Verdict::Fail => "the day has passed, and it was not in time",
        Verdict::Inconclusive => "the day has passed, and it has happened, but nobody wrote down when",
    };
    if expected.has_passed {
        return said.to_owned();
    }
    if expected.has_happened {
        return "it has happened, and in time".to_owned();
    }
    let but_for = aside::but_for(forecast, expected.expectation.milestone);
    let is_cut = expected.verdict == Verdict::Inconclusive && expected.expectation.before > forecast.scenario.horizon;
    format!(
        "in {} of the replications ({:.1} to {:.1} %), wanted {}{}{}",
        percent(expected.probability),
        expected.low * 100.0,
        expected.high * 100.0,
        expected.expectation.probability,
        but_for.map_or_else(String::new, |but_for| format!(", {but_for}")),
        if is_cut { ", the horizon lies before that date" } else { "" },
    )
}

/// How a verdict is meant.
pub(super) const fn tone_of(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Fail => Tone::Bad,
        Verdict::Inconclusive => Tone::Doubt,
    }
}

/// The planner's expectations.
pub(super) fn expectations(forecast: &Forecast) -> Section {
    let line = |expected: &Expected| {
        let is_but_for = aside::but_for(forecast, expected.expectation.milestone).is_some();
        let is_met = expected.verdict == Verdict::Pass;
        let tone = if is_met && is_but_for { Tone::Doubt } else { tone_of(expected.verdict) };
        let text = format!(
            "{}: {} by {}{} {}",
            expected.verdict.name(),
            forecast.scenario.milestone_name(&expected.expectation.milestone),
            expected.expectation.by,
            if expected.has_passed || expected.has_happened { ":" } else { "" },
            came_out(expected, forecast),
        );
        Block::Line(tone, text)
    };
    Section { title: "Expectations".into(), blocks: forecast.expectations.iter().map(line).collect() }
}
