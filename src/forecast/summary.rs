//! From a list of replications to what is known about milestones, heads and clusters.

use super::quantile::{Estimate, LEVELS, P50, When, estimate};
use super::series::{AfterEnd, DayQuantiles, HeadSeries, bound_by_day, days, emptied_after, trend};
use super::{
    ClusterForecast, Forecast, HeadForecast, Impact, InodeForecast, MilestoneForecast, Replication, StopRule, Widths,
    expect,
};
use crate::migration::message::{Binding, Milestone};
use crate::scenario::Scenario;
use crate::sim::{HeadDay, HeadOutcome};
use crate::units::{Share, Span};

/// Puts a forecast together.
pub(super) fn summarise(scenario: &Scenario, done: Vec<Replication>, rule: StopRule, widths: Widths) -> Forecast {
    let heads = (0..scenario.heads.len()).map(|head| head_forecast(scenario, &done, head)).collect();
    let clusters = (0..scenario.clusters.len()).map(|cluster| cluster_forecast(scenario, &done, cluster)).collect();
    Forecast {
        settings: scenario.forecast,
        rule,
        milestones: milestones(scenario, &done),
        expectations: expectations(scenario, &done),
        heads,
        clusters,
        links: (0..scenario.model.links.len()).map(|link| held_share(scenario, &done, link)).collect(),
        unfinished: unfinished(&done),
        widths,
        shares: None,
        scenario: scenario.clone(),
        replications: done,
    }
}

/// When a milestone came, sorted over the replications.
pub(super) fn sample(done: &[Replication], milestone: usize) -> Vec<When> {
    let mut sample: Vec<When> = done.iter().map(|replication| when(replication, milestone)).collect();
    sample.sort_unstable();
    sample
}

fn when(replication: &Replication, milestone: usize) -> When {
    match (replication.outcome.reached[milestone], replication.outcome.unfinished) {
        (Some(time), _) => When::At(time),
        (None, Some(_)) => When::AfterHorizon,
        (None, None) => When::Never,
    }
}

/// The dates of all milestones.
pub(super) fn milestones(scenario: &Scenario, done: &[Replication]) -> Vec<MilestoneForecast> {
    let one = |(place, milestone): (usize, &Milestone)| {
        let sample = sample(done, place);
        let count = |wanted: fn(&When) -> bool| sample.iter().filter(|when| wanted(when)).count() as u32;
        MilestoneForecast {
            milestone: *milestone,
            quantiles: LEVELS.map(|level| estimate(&sample, level, scenario.forecast.confidence)),
            reached: count(|when| when.time().is_some()),
            censored: count(|when| *when == When::AfterHorizon),
            never: count(|when| *when == When::Never),
            earliest: sample.first().copied(),
            latest: sample.last().copied(),
        }
    };
    scenario.milestones.iter().enumerate().map(one).collect()
}

fn expectations(scenario: &Scenario, done: &[Replication]) -> Vec<expect::Expected> {
    let judge = |expectation: &crate::scenario::Expectation| {
        let place = place(scenario, expectation.milestone)?;
        let within = (scenario.as_of, scenario.horizon);
        Some(expect::judge(expectation, &sample(done, place), within, scenario.forecast.confidence))
    };
    scenario.expectations.iter().filter_map(judge).collect()
}

fn place(scenario: &Scenario, wanted: Milestone) -> Option<usize> {
    scenario.milestones.iter().position(|milestone| *milestone == wanted)
}

fn unfinished(done: &[Replication]) -> Vec<(Binding, u32)> {
    let count = |cause| done.iter().filter(|replication| replication.outcome.unfinished == Some(cause)).count() as u32;
    Binding::ALL.into_iter().map(|cause| (cause, count(cause))).filter(|(_, count)| *count > 0).collect()
}

fn head_forecast(scenario: &Scenario, done: &[Replication], head: usize) -> HeadForecast {
    let confidence = scenario.forecast.confidence;
    let emptied = Milestone::HeadEmptied { head: crate::fleet::HeadId(head as u8), set_aside: 0 };
    let emptied = emptied_after(done, place(scenario, emptied), scenario.as_of);
    let outcomes: Vec<&HeadOutcome> = done.iter().map(|replication| &replication.outcome.heads[head]).collect();
    let (bound, turn) = binding_shares(&outcomes);
    let daily: Vec<&[HeadDay]> = outcomes.iter().map(|outcome| &outcome.days[..]).collect();
    let bound_at_all = Binding::ALL.into_iter().filter(|cause| bound[*cause as usize] > 0.0).map(HeadSeries::Bound);
    let series = |series: HeadSeries| {
        let values: Vec<Vec<f64>> =
            outcomes.iter().map(|outcome| outcome.days.iter().map(|day| series.of(day)).collect()).collect();
        let after_end = if series == HeadSeries::Mailboxes { AfterEnd::Stays } else { AfterEnd::Nothing };
        (series, days(&values, after_end, confidence))
    };
    HeadForecast {
        bound,
        turn,
        impact: impact(&outcomes),
        bound_by_day: bound_by_day(&daily),
        days: HeadSeries::MEASURED.into_iter().chain(bound_at_all).map(series).collect(),
        trends: HeadSeries::LOAD_AND_RISK
            .into_iter()
            .filter_map(|series| trend(series, done, head, &emptied, confidence))
            .collect(),
    }
}

/// Shares of the time in which it was the head's turn, and that time's mean. A head that is empty, or waits for another,
/// is bound by `NotItsTurn`, so what is left is the time in which something held its date back.
fn binding_shares(outcomes: &[&HeadOutcome]) -> ([f64; Binding::COUNT], Span) {
    let mut seconds = [0.0; Binding::COUNT];
    for outcome in outcomes {
        for cause in Binding::ALL {
            if cause != Binding::NotItsTurn {
                seconds[cause as usize] += outcome.bound[cause as usize].secs();
            }
        }
    }
    let all: f64 = seconds.iter().sum();
    if all <= 0.0 {
        return (seconds, Span::ZERO);
    }
    (seconds.map(|seconds| seconds / all), Span::from_secs_f64(all / outcomes.len() as f64))
}

fn impact(outcomes: &[&HeadOutcome]) -> Impact {
    let mean = |of: fn(&HeadOutcome) -> f64| {
        let sum: f64 = outcomes.iter().map(|outcome| of(outcome)).sum();
        if outcomes.is_empty() { 0.0 } else { sum / outcomes.len() as f64 }
    };
    Impact {
        minutes_above: mean(|head| head.minutes_above),
        minutes_above_alone: mean(|head| head.minutes_above_alone),
        minutes_saturated: mean(|head| head.minutes_saturated),
        outages: mean(|head| f64::from(head.outages)),
        expected_outages: mean(|head| head.expected_outages),
        expected_outages_alone: mean(|head| head.expected_outages_alone),
        mailbox_hours_down: mean(|head| head.mailbox_hours_down),
        set_aside: mean(|head| f64::from(head.set_aside)),
    }
}

/// The share of the time until all heads are emptied, or until the horizon, in which a link held copies.
fn held_share(scenario: &Scenario, done: &[Replication], link: usize) -> f64 {
    let emptied = emptied_after(done, place(scenario, Milestone::AllEmptied), scenario.as_of);
    let all: f64 = emptied.iter().map(|after| after.unwrap_or(scenario.horizon.since(scenario.as_of)).secs()).sum();
    let held: f64 = done.iter().map(|replication| replication.outcome.held_by_links[link].secs()).sum();
    if all > 0.0 { held / all } else { 0.0 }
}

fn cluster_forecast(scenario: &Scenario, done: &[Replication], cluster: usize) -> ClusterForecast {
    let confidence = scenario.forecast.confidence;
    let fills = done.iter().map(|replication| {
        let outcome = &replication.outcome.clusters[cluster];
        (outcome.highest_placement, replication.thresholds[cluster], outcome.final_fill, &outcome.days[..])
    });
    let Fill { highest_placement, threshold, at_end: final_fill, days } = fill(fills, confidence);
    ClusterForecast {
        highest_placement,
        threshold,
        final_fill,
        days,
        inodes: inode_forecast(done, cluster, confidence),
    }
}

/// The same of inodes, where the cluster has a limit of them.
fn inode_forecast(done: &[Replication], cluster: usize, confidence: Share) -> Option<InodeForecast> {
    let known = done.iter().filter_map(|replication| {
        replication.outcome.clusters[cluster].inodes.as_ref().zip(replication.inode_thresholds[cluster])
    });
    let known: Vec<_> = known.collect();
    if known.is_empty() {
        return None;
    }
    let filled = known.iter().filter(|(outcome, _)| outcome.filled).count() as u32;
    let fills = known
        .iter()
        .map(|(outcome, threshold)| (outcome.highest_placement, *threshold, outcome.final_fill, &outcome.days[..]));
    let Fill { highest_placement, threshold, at_end: final_fill, days } = fill(fills, confidence);
    Some(InodeForecast { highest_placement, threshold, final_fill, days, filled })
}

/// How full a cluster becomes, in one of its units.
struct Fill {
    highest_placement: Share,
    threshold: Share,
    at_end: Option<Estimate<f64>>,
    days: Vec<DayQuantiles>,
}

/// From each replication's highest placement, threshold, fill at the end, and fills day by day.
fn fill<'a>(fills: impl Iterator<Item = (Share, Share, Share, &'a [f32])> + Clone, confidence: Share) -> Fill {
    // Thresholds may be uncertain inputs: the worst placement is the one nearest to, or furthest above, its own.
    let worst = fills.clone().max_by_key(|(fill, threshold, ..)| i64::from(fill.ppm()) - i64::from(threshold.ppm()));
    let (highest_placement, threshold) = worst.map_or((Share::ZERO, Share::ZERO), |worst| (worst.0, worst.1));
    let mut ends: Vec<f64> = fills.clone().map(|(_, _, end, _)| end.fraction()).collect();
    ends.sort_unstable_by(f64::total_cmp);
    let values: Vec<Vec<f64>> = fills.map(|(.., days)| days.iter().map(|fill| f64::from(*fill)).collect()).collect();
    Fill {
        highest_placement,
        threshold,
        at_end: estimate(&ends, P50, confidence),
        days: days(&values, AfterEnd::Stays, confidence),
    }
}
