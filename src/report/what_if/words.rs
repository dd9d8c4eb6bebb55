//! Verdicts, measures and amounts of a what-if in words.

use super::{About, Tone, Variant, WhatIf};
use crate::forecast::cases::Measure;
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::report::aside;
use crate::report::lengths::span;
use crate::report::wording::{Calendar, count, figure, percent};
use crate::units::Time;

/// What a verdict says about a date.
pub(super) const fn date_verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::More => "later",
        Verdict::Less => "earlier",
        Verdict::Same => "the same",
        Verdict::SameByHorizon => "same by horizon",
        Verdict::NotSure => "not sure",
        Verdict::Open => "not known",
        Verdict::InNeither => "in neither",
        Verdict::TooFew => "too few",
    }
}

/// What a verdict says about an amount.
pub(super) const fn measure_verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::More => "more",
        Verdict::Less => "less",
        Verdict::Same => "the same",
        Verdict::SameByHorizon => "same by horizon",
        Verdict::NotSure | Verdict::Open => "not sure",
        Verdict::InNeither => "in neither",
        Verdict::TooFew => "too few",
    }
}

/// A measure in a table's first column.
pub(in super::super) const fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::MinutesAboveCaused => "minutes slow by migration",
        Measure::MinutesAbove => "minutes slow in all",
        Measure::OutageHours => "outage hours",
        Measure::MailboxHoursOut => "mailbox-h down",
        Measure::MailboxHoursOutExpected => "mailbox-h down, expected",
        Measure::MailboxHoursAtRisk => "mailbox-h at risk",
        Measure::HoldHours => "hours held",
    }
}

/// An amount to about three digits; nothing is `0`, and what is large stands in thousands or millions.
pub(in crate::report) fn amount(number: f64) -> String {
    match number.abs() {
        0.0 => "0".into(),
        large if large >= 1e6 => format!("{} M", figure(number / 1e6)),
        large if large >= 1e4 => format!("{} k", figure(number / 1e3)),
        _ => figure(number),
    }
}

/// The same with its sign.
pub(in crate::report) fn signed_amount(number: f64) -> String {
    let text = amount(number);
    // What comes to nothing has no sign.
    let is_nothing = text.chars().all(|letter| !matches!(letter, '1'..='9'));
    if number > 0.0 && !is_nothing { format!("+{text}") } else { text }
}

/// The answer in a sentence, and how it is meant.
pub(super) fn headline(what_if: &WhatIf) -> (Tone, String) {
    let main = what_if.main();
    let shifts: Vec<(&str, &MilestoneShift, Time)> = what_if
        .cases()
        .filter_map(|(about, variant): (&About, &Variant)| {
            Some((about.name.as_str(), variant.milestone(&main)?, variant.horizon))
        })
        .collect();
    match &shifts[..] {
        [] => (Tone::Doubt, format!("No variant has the milestone \"{main}\"")),
        [(name, one, horizon)] => (tone(one.verdict), of_one(what_if, name, one, *horizon)),
        several => of_several(what_if, several),
    }
}

const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Less | Verdict::More | Verdict::Same => Tone::Strong,
        Verdict::SameByHorizon | Verdict::NotSure | Verdict::Open | Verdict::InNeither | Verdict::TooFew => Tone::Doubt,
    }
}

/// "everything is off the old storage" with a variant, and for how many that is not so, where they are many with it or without.
fn off(what_if: &WhatIf, name: &str) -> String {
    let with = what_if.cases().find(|(about, _)| about.name == name).map_or(0.0, |(_, variant)| variant.aside);
    let base = what_if.compared.base_aside;
    if !what_if.tells_aside() || with.max(base) < 0.5 {
        return "everything is off the old storage".into();
    }
    let but_for = aside::but_for_about;
    if with < 0.5 {
        return format!("everything ({}: {}) is off the old storage", what_if.base, but_for(base));
    }
    let before =
        if count(with) == count(base) { String::new() } else { format!(" ({}: {})", what_if.base, count(base)) };
    format!("everything, {}{before}, is off the old storage", but_for(with))
}

/// What a variant does whose own replications end at `horizon`.
fn of_one(what_if: &WhatIf, name: &str, one: &MilestoneShift, horizon: Time) -> String {
    let off = off(what_if, name);
    let by = || Calendar::new(&what_if.scenario).long(what_if.scenario.horizon.min(horizon));
    match one.verdict {
        Verdict::Less | Verdict::More => format!("With {name} {off} {}", moved_by(what_if, one)),
        Verdict::Same => format!("{name} moves nothing: {off} at the same instant in every replication"),
        Verdict::SameByHorizon => {
            let share = percent(one.order.unknown as f64 / what_if.compared.replications.max(1) as f64);
            format!(
                "{name} moves nothing before {}, and nobody knows what it does later: {share} of the replications are not done by \
                 then, with it or without",
                by()
            )
        }
        Verdict::NotSure => {
            let replications = what_if.compared.replications;
            format!("{name}: {replications} replications do not tell whether it moves the date when {off}")
        }
        Verdict::Open => {
            let share = |part: usize| percent(part as f64 / what_if.compared.replications.max(1) as f64);
            let order = one.order;
            format!(
                "{name}: which way it moves the date when {off} is not known beyond the horizon: earlier in {} of the replications, later \
                 in {}; in {} it lies beyond {}, with it or without, and nobody knows how far",
                share(order.earlier),
                share(order.later),
                share(order.unknown + order.earlier_by_more + order.later_by_more),
                by()
            )
        }
        Verdict::InNeither => {
            format!("{name}: in no replication {off} by {}, with it or without", by())
        }
        Verdict::TooFew => format!("{name}: too few replications to say anything"),
    }
}

/// "1.8 d earlier (95 %: 1.5 d to 2.1 d)".
pub(in super::super) fn moved_by(what_if: &WhatIf, one: &MilestoneShift) -> String {
    let Some(shift) = one.shift else { return String::new() };
    let (low, high) = shift.interval(what_if.compared.each);
    let (least, most) = if low.abs() <= high.abs() { (low, high) } else { (high, low) };
    // An interval that holds nothing, too, has no end on the other side of it.
    let least = if least.signum() == most.signum() { least.abs() } else { 0.0 };
    let (least, most) = (span(least), span(most.abs()));
    let side = date_verdict(one.verdict);
    format!("{} {side} ({}: {least} to {most})", span(shift.days.abs()), what_if.confidence())
}

fn of_several(what_if: &WhatIf, several: &[(&str, &MilestoneShift, Time)]) -> (Tone, String) {
    let that = |wanted: Verdict| several.iter().filter(move |(_, one, _)| one.verdict == wanted);
    let size = |one: &MilestoneShift| one.shift.map_or(0.0, |shift| shift.days);
    let first = that(Verdict::Less).min_by(|(_, a, _), (_, b, _)| size(a).total_cmp(&size(b)));
    let counted = |verdict: Verdict, said: &str| match that(verdict).count() {
        0 => None,
        some => Some(format!("{some} {said}")),
    };
    let counts: Vec<String> = [
        counted(Verdict::Less, "surely earlier"),
        counted(Verdict::More, "surely later"),
        counted(Verdict::Same, "exactly the same"),
        counted(Verdict::SameByHorizon, "the same as far as the horizon"),
        counted(Verdict::NotSure, "not sure"),
        counted(Verdict::Open, "not known beyond the horizon"),
        counted(Verdict::InNeither, "not reached by the horizon"),
        counted(Verdict::TooFew, "with too few replications"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let counts = format!("{} variants: {}", several.len(), counts.join(", "));
    match first {
        Some((name, one, _)) => {
            let off = off(what_if, name);
            (Tone::Strong, format!("Soonest with {name}: {off} {}. {counts}", moved_by(what_if, one)))
        }
        None => (Tone::Doubt, format!("No variant is surely earlier. {counts}")),
    }
}
