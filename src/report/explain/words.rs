//! Causes, limits and verdicts in words.

use super::{Explain, Tone};
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::forecast::explain::limit::Limit;
use crate::migration::message::Binding;
use crate::migration::plan::{Law, Level};
use crate::report::lengths::span;
use crate::report::wording::{figure, percent};
use crate::scenario::Scenario;

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
        Limit::Switches => "switches at once",
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
        Limit::Switches => "1 switch more".into(),
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
    if one.verdict == Verdict::Open {
        return "not known".into();
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
        Verdict::Open => "not known beyond the horizon",
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
    let (least, most) = (span((-high).max(0.0)), span(-low));
    format!("{} earlier ({} together: {least} to {most})", span(-shift.days), values.confidence)
}
