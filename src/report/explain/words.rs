//! Causes, limits and verdicts in words.

use super::{Explain, Tone};
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::forecast::explain::limit::Limit;
use crate::forecast::sensitivity::Part;
use crate::forecast::shift::Shift;
use crate::migration::message::Binding;
use crate::migration::plan::{Law, Level};
use crate::report::comparison::{shifted_by, signed, span};
use crate::report::wording::{figure, percent};
use crate::scenario::Scenario;
use crate::units::Share;

/// What a cause is.
pub(super) const fn cause(cause: Binding) -> &'static str {
    match cause {
        Binding::Throttle => "a store is as busy as the throttle lets it be",
        Binding::StreamCap => "too few streams, each slowed by the busy head",
        Binding::Mover => "the copies' own speed and number",
        Binding::Link => "the pace's rate, or a link",
        Binding::Ingest => "what clusters take in",
        Binding::Window => "the calendar of windows",
        Binding::NoRoom => "no cluster has room",
        Binding::Outage => "stores that are out or give no samples",
        Binding::Tail => "a few mailboxes: large, dated by hand, or tried again",
        Binding::Paused => "a soak, an operator, or an automatic stop",
        Binding::NotItsTurn => "another head is drained first",
    }
}

/// Why a replication is not done by the horizon.
pub(super) const fn unfinished(why: Binding) -> &'static str {
    match why {
        // Nothing is left that could have its turn.
        Binding::NotItsTurn => "all is moved, and old copies are still to be removed",
        _ => cause(why),
    }
}

/// What a limit is called.
pub(super) fn limit(limit: Limit, scenario: &Scenario) -> String {
    let what = match limit {
        Limit::Streams => "streams of the throttle",
        Limit::Floor => "fewest streams",
        Limit::Target => "target of the throttle",
        Limit::Guard => "guard of the throttle",
        Limit::SampleAge => "age of samples",
        Limit::Capacity(_) => "capacity of",
        Limit::Stream => "speed of a copy",
        Limit::Messages => "messages of a copy",
        Limit::Pace => "rate of the pace",
        Limit::Link(_) => "link",
        Limit::Ingest(_) => "ingest of",
        Limit::WindowStreams => "streams in windows",
        Limit::WindowHours => "hours of windows",
        Limit::Threshold(_) => "threshold of",
        Limit::InodeThreshold(_) => "inode threshold of",
        Limit::InService(_) => "start of service of",
        Limit::Soak => "soak of waves",
        Limit::Operator => "answer of an operator",
        Limit::Person => "work on what is set aside",
        Limit::Backoff => "waits after failures",
        Limit::Scheduled => "dates set by hand",
        Limit::Repair => "repair of heads",
    };
    limit.store(scenario).map_or_else(|| what.to_owned(), |store| format!("{what} {store}"))
}

/// One unit of it.
pub(super) fn unit(limit: Limit, scenario: &Scenario) -> String {
    match limit {
        Limit::Streams | Limit::Floor | Limit::WindowStreams => "1 stream more".into(),
        Limit::Target => target(scenario).into(),
        Limit::Guard => "0.5 ms or 1 point higher".into(),
        Limit::Capacity(head) => {
            let capacity = scenario.model.heads[head].capacity.ops_per_second();
            format!("1 % more ({} op/s)", figure(capacity / 100.0))
        }
        Limit::Stream | Limit::Pace | Limit::Link(_) | Limit::Ingest(_) => "1 MB/s more".into(),
        Limit::Messages => "1 a second more".into(),
        Limit::WindowHours => "each ends 1 h earlier".into(),
        Limit::Threshold(_) | Limit::InodeThreshold(_) => "1 point higher".into(),
        Limit::InService(_) | Limit::Scheduled => "1 day earlier".into(),
        Limit::SampleAge => "count 1 min longer".into(),
        Limit::Soak | Limit::Operator => "1 h shorter".into(),
        Limit::Person => "1 h sooner".into(),
        Limit::Backoff | Limit::Repair => "10 % shorter".into(),
    }
}

/// What a target is raised by, in the terms that the laws have.
fn target(scenario: &Scenario) -> &'static str {
    let is_latency = |law: &Law| match law {
        Law::Aimd { target, .. } => Some(matches!(target, Level::Latency(_))),
        Law::Steps { table, .. } => table.first().map(|(level, _)| matches!(level, Level::Latency(_))),
        Law::Integral { .. } => Some(true),
        Law::Fixed { .. } => None,
    };
    let terms: Vec<bool> = scenario.plan.heads.iter().filter_map(|head| is_latency(&head.throttle.law)).collect();
    match (terms.contains(&true), terms.contains(&false)) {
        (true, false) => "0.5 ms higher",
        (false, _) => "1 point higher",
        (true, true) => "0.5 ms or 1 point higher",
    }
}

/// What a verdict says about a limit, of so many replications.
pub(super) fn verdict(one: &MilestoneShift, replications: usize) -> String {
    if one.verdict == Verdict::SameByHorizon {
        return format!("not reached in {}", percent(one.order.unknown as f64 / replications.max(1) as f64));
    }
    verdict_name(one.verdict).to_owned()
}

/// The same in data files.
pub(super) const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Less => "earlier",
        Verdict::More => "later",
        Verdict::Same => "does not bind",
        Verdict::SameByHorizon => "same by horizon",
        Verdict::NotSure => "not sure",
        Verdict::InNeither => "not reached",
        Verdict::TooFew => "too few",
    }
}

/// What inputs are called in a chart and a table.
pub(in crate::report) fn bar_name(keys: &[String]) -> String {
    match keys {
        [first, others @ ..] if !others.is_empty() => format!("{first} (+ {})", others.len()),
        _ => keys.concat(),
    }
}

/// The unit in which some amounts of days are told, for all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) struct Scale {
    unit: &'static str,
    each: f64,
}

impl Scale {
    /// Days, or hours or minutes where all amounts are below one of the larger unit, and there are any.
    pub(in crate::report) fn of(parts: &[Part]) -> Self {
        Self::up_to(parts.iter().map(|part| part.value.abs().max(part.high.abs())).fold(0.0, f64::max))
    }

    /// The same where the largest amount is so many days.
    pub(in crate::report) fn up_to(most: f64) -> Self {
        let units = [("min", 1_440.0, HOUR), ("h", 24.0, 1.0), ("d", 1.0, f64::INFINITY)];
        let unit = units.into_iter().find(|(_, _, below)| most > 0.0 && most < *below);
        unit.map_or(Self { unit: "d", each: 1.0 }, |(unit, each, _)| Self { unit, each })
    }

    /// Its name.
    pub(in crate::report) fn name(self) -> &'static str {
        match self.unit {
            "min" => "minutes",
            "h" => "hours",
            _ => "days",
        }
    }

    /// Its sign.
    pub(in crate::report) const fn unit(self) -> &'static str {
        self.unit
    }

    /// So many days in it.
    pub(in crate::report) fn of_days(self, days: f64) -> f64 {
        days * self.each
    }

    /// So much later or earlier, with its interval.
    pub(in crate::report) fn shift(self, days: f64, (low, high): (f64, f64)) -> String {
        if days == 0.0 && low == 0.0 && high == 0.0 {
            return "0".into();
        }
        let number = |days: f64| signed(self.of_days(days));
        format!("{} {} ({} to {})", number(days), self.unit, number(low), number(high))
    }

    /// The same as a text, without its sign.
    pub(in crate::report) fn number(self, days: f64) -> String {
        figure(self.of_days(days))
    }

    /// An estimate.
    pub(in crate::report) fn value(self, part: Part) -> String {
        self.number(part.value)
    }

    /// Its interval.
    pub(in crate::report) fn interval(self, part: Part) -> String {
        format!("{} to {}", self.number(part.low), self.number(part.high))
    }
}

/// The answer in a sentence, and how it is meant.
pub(super) fn headline(explain: &Explain) -> (Tone, String) {
    let explained = &explain.explained;
    let main = explain.main();
    let Some((binding, share)) = explained.leading() else {
        let said =
            if explained.replications == 0 { "No replication was completed" } else { "Nothing holds the date back" };
        return (Tone::Doubt, format!("{said}: no head had its turn"));
    };
    let first = format!("Mostly {} ({} of the time): {}", binding.name(), percent(share), cause(binding));
    let named = |(of, one): (Limit, &MilestoneShift)| {
        let what = format!("{}, {}", limit(of, &explain.scenario), unit(of, &explain.scenario));
        format!("{what}: {}", gain(one, explain))
    };
    let of_cause = explained.best(&main, Some(binding));
    let of_all = explained.best(&main, None).filter(|(of, _)| of_cause.is_none_or(|(known, _)| known != *of));
    let text = match (of_cause, of_all) {
        (Some(one), Some(other)) => {
            format!("{first}. Worth most against it: {}. Of all: {}", named(one), named(other))
        }
        (Some(one), None) => format!("{first}. Worth most: {}", named(one)),
        (None, Some(other)) => format!("{first}. No unit of its limits surely helps. Of all: {}", named(other)),
        (None, None) => format!("{first}. No unit of any limit surely brings the date forward"),
    };
    (Tone::Strong, text)
}

/// "2.1 h earlier (95 % together: 1.5 h to 2.7 h)".
fn gain(one: &MilestoneShift, explain: &Explain) -> String {
    let Some(shift) = one.shift else { return String::new() };
    let values = &explain.explained.values;
    let (low, high) = shift.interval(values.each);
    let (least, most) = (lasting((-high).max(0.0)), lasting(-low));
    format!("{} earlier ({} together: {least} to {most})", lasting(-shift.days), values.confidence)
}

/// A unit is often worth minutes.
fn lasting(days: f64) -> String {
    if days < HOUR { format!("{:.1} min", days * 1_440.0) } else { span(days) }
}

/// An hour in days.
const HOUR: f64 = 1.0 / 24.0;

/// A shift with its interval, in minutes where all of it is below an hour.
pub(super) fn moved(shift: &Shift, each: Share) -> String {
    let (low, high) = shift.interval(each);
    let is_small = shift.days.abs().max(low.abs()).max(high.abs()) < HOUR;
    if shift.is_exactly_none() || !is_small {
        return shifted_by(shift, each);
    }
    let [days, low, high] = [shift.days, low, high].map(|days| signed(days * 1_440.0));
    format!("{days} min ({low} to {high})")
}
