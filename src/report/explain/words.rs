//! Causes, limits and verdicts in words.

use super::{Explain, Tone};
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::forecast::explain::limit::Limit;
use crate::migration::message::Binding;
use crate::migration::plan::{Law, Level};
use crate::report::lengths::span;
use crate::report::wording::{figure, percent};
use crate::scenario::Scenario;
use crate::units::{OpRate, Time};

/// What a cause is.
pub(super) const fn cause(cause: Binding) -> &'static str {
    match cause {
        Binding::Throttle => "a store is as busy as the throttle lets it be",
        Binding::StreamCap => "all streams are in use, each slowed by a store, head or cluster, that answers slowly",
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
        Limit::Capacity(_) | Limit::ClusterCapacity(_) => "capacity of",
        Limit::Stream => "speed of a copy",
        Limit::Messages => "messages of a copy",
        Limit::Switches => "switches at once",
        Limit::Pace => "rate of the pace",
        Limit::Link(_) => "link",
        Limit::Ingest(_) => "ingest of",
        Limit::Stalls => "stalls of clusters",
        Limit::WindowStreams => "streams in windows",
        Limit::WindowRate => "rate in windows",
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
        Limit::Capacity(head) => a_percent_more(scenario.model.heads[head].capacity),
        Limit::ClusterCapacity(cluster) => a_percent_more(scenario.model.clusters[cluster].capacity),
        Limit::Stream | Limit::Pace | Limit::Link(_) | Limit::Ingest(_) | Limit::WindowRate => "1 MB/s more".into(),
        Limit::Messages => "1 a second more".into(),
        Limit::Switches => "1 switch more".into(),
        Limit::WindowHours => "each ends 1 h earlier".into(),
        Limit::Threshold(_) | Limit::InodeThreshold(_) => "1 point higher".into(),
        Limit::SampleAge => "count 1 min longer".into(),
        Limit::InService(cluster) => {
            let starts = |scenario: &Scenario| vec![scenario.model.clusters[cluster].in_service];
            format!("{} earlier", less(limit, scenario, |one| since_start(one, &starts(one))))
        }
        Limit::Scheduled => {
            let dates =
                |scenario: &Scenario| scenario.plan.order.scheduled.iter().map(|(_, at)| *at).collect::<Vec<_>>();
            format!("{} earlier", less(limit, scenario, |one| since_start(one, &dates(one))))
        }
        Limit::Soak => {
            let soaks = |one: &Scenario| one.plan.order.waves.iter().map(|wave| wave.soak.days()).collect();
            format!("{} shorter", less(limit, scenario, soaks))
        }
        Limit::Operator => {
            format!("{} shorter", less(limit, scenario, |one| vec![one.model.operator_after.days()]))
        }
        Limit::Person => {
            let medians = |one: &Scenario| one.model.resolves_after.iter().map(|law| law.median_s / 86_400.0).collect();
            format!("{} sooner", less(limit, scenario, medians))
        }
        Limit::Backoff | Limit::Stalls | Limit::Repair => "10 % shorter".into(),
    }
}

fn a_percent_more(capacity: OpRate) -> String {
    format!("1 % more ({} op/s)", figure(capacity.ops_per_second() / 100.0))
}

fn since_start(scenario: &Scenario, dates: &[Time]) -> Vec<f64> {
    dates.iter().map(|at| at.since(scenario.as_of).days()).collect()
}

/// By how much a unit of a limit cuts some lengths or dates, in days: by less than the whole unit where there is less to cut.
fn less(limit: Limit, scenario: &Scenario, days: impl Fn(&Scenario) -> Vec<f64>) -> String {
    let (before, after) = (days(scenario), days(&limit.raised(scenario)));
    let cuts = before.iter().zip(&after).map(|(before, after)| before - after).filter(|cut| *cut > 0.0);
    let (least, most) = cuts.fold((f64::INFINITY, 0.0_f64), |(least, most), cut| (least.min(cut), most.max(cut)));
    let said = |days: f64| {
        let wholes = [(1.0, "1 day"), (1.0 / 24.0, "1 h")];
        let whole = wholes.into_iter().find(|(whole, _)| (days - whole).abs() < 1e-9);
        whole.map_or_else(|| span(days), |(_, text)| text.to_owned())
    };
    if most - least > 1e-9 { format!("{} to {}", said(least), said(most)) } else { said(most) }
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
        (None, None) if explained.worth(&main).all(|(_, one)| one.verdict == Verdict::TooFew) => {
            format!("{first}. The replications are too few to say what a unit of any limit is worth")
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fleet::MailboxId;
    use crate::sim::testing::{AS_OF, quiet, scenario};
    use crate::units::Span;

    #[test]
    fn a_slow_store_is_not_said_to_be_the_head() {
        let scenario = scenario(quiet(100).0, quiet(100).1);
        let of_cluster = Limit::ClusterCapacity(1);
        assert_eq!(
            [limit(of_cluster, &scenario), unit(of_cluster, &scenario)],
            ["capacity of nas-2", "1 % more (600 op/s)"]
        );
        assert!(cause(Binding::StreamCap).contains("a store, head or cluster"));
    }

    #[test]
    fn what_is_cut_by_less_than_a_unit_is_said_so() {
        let mut scenario = scenario(quiet(100).0, quiet(100).1);
        let hours = |hours: f64| Span::from_secs_f64(hours * 3_600.0);
        let mut said = |operator: f64, service: f64, dates: &[f64]| {
            let model = Arc::make_mut(&mut scenario.model);
            (model.operator_after, model.clusters[1].in_service) = (hours(operator), AS_OF + hours(service));
            model.faults.transient = 0.01;
            let scheduled = dates.iter().zip(0..).map(|(date, number)| (MailboxId(number), AS_OF + hours(*date)));
            Arc::make_mut(&mut scenario.plan).order.scheduled = scheduled.collect();
            [Limit::Operator, Limit::InService(1), Limit::Scheduled].map(|limit| unit(limit, &scenario))
        };
        assert_eq!(said(3.0, 48.0, &[30.0]), ["1 h shorter", "1 day earlier", "1 day earlier"]);
        assert_eq!(said(0.5, 2.0, &[6.0, 30.0]), ["15.0 min shorter", "2.0 h earlier", "6.0 h to 1 day earlier"]);
    }
}
