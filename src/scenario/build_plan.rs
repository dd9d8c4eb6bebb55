//! Builds the plan: what the migration core is told.

use super::build_model;
use super::curve::LatencyCurve;
use super::format_plan::{PLACEMENTS, THROTTLE};
use super::frame::Frame;
use super::item::Item;
use super::model::Model;
use super::reader::{Reader, share};
use crate::migration::plan::{
    AttemptPlan, ClusterPlan, CopyPlan, HeadPlan, InodePlan, Law, Level, Placement, PlacementPlan, Plan, ThrottlePlan,
    WindowLimit, Windows,
};
use crate::units::{Inodes, Latency, Rate, Share, Span, Time};

/// Builds the plan with one value for each number.
pub(crate) fn plan(file: &Item, frame: &Frame, model: &Model, reader: &mut Reader<'_>) -> Option<Plan> {
    let item = file.get("plan")?;
    let limits = window_limits(item, reader);
    let heads: Option<Vec<HeadPlan>> = (0..frame.heads.len())
        .map(|head| {
            let windows = windows(frame, head, &limits);
            throttle(file, item, frame, head, reader).map(|throttle| HeadPlan { throttle, windows })
        })
        .collect();
    Some(Plan {
        heads: heads?,
        order: frame.order.clone(),
        placement: placement(file, item, model, reader),
        copy: copy(item, reader)?,
        attempts: attempts(item, model, reader)?,
        milestones: frame.shares.clone(),
    })
}

fn window_limits(plan: &Item, reader: &mut Reader<'_>) -> Vec<WindowLimit> {
    let windows = plan.get("window").map(Item::list).unwrap_or_default();
    let limit = |item: &Item| {
        reader.section();
        if item.get("pause").is_some_and(Item::flag) {
            return WindowLimit { streams: 0, rate: Rate::UNLIMITED };
        }
        WindowLimit {
            streams: reader.number_if_any(item, "streams").map_or(u16::MAX, |streams| streams as u16),
            rate: reader.number_if_any(item, "rate").map_or(Rate::UNLIMITED, super::reader::rate),
        }
    };
    windows.iter().map(limit).collect()
}

/// The limits of one head over time: where windows overlap, each part takes the tightest.
fn windows(frame: &Frame, head: usize, limits: &[WindowLimit]) -> Windows {
    let mut edges: Vec<(Time, usize, bool)> = Vec::new();
    for (window, (stretches, applies)) in frame.windows.iter().enumerate() {
        if applies[head] && window < limits.len() {
            for &(start, end) in stretches {
                edges.extend([(start, window, true), (end, window, false)]);
            }
        }
    }
    if edges.is_empty() {
        return Windows::default();
    }
    edges.sort_unstable();
    let mut open = vec![0_u32; limits.len()];
    let mut changes: Vec<(Time, WindowLimit)> = Vec::with_capacity(edges.len());
    for (at, turn) in edges.iter().enumerate() {
        if turn.2 {
            open[turn.1] += 1;
        } else {
            open[turn.1] -= 1;
        }
        if edges.get(at + 1).is_some_and(|next| next.0 == turn.0) {
            continue;
        }
        let tight = limits.iter().zip(&open).filter(|(_, open)| **open > 0).map(|(limit, _)| limit);
        let limit = tight.fold(WindowLimit::OPEN, |tightest, limit| WindowLimit {
            streams: tightest.streams.min(limit.streams),
            rate: tightest.rate.min(limit.rate),
        });
        if changes.last().map_or(WindowLimit::OPEN, |last| last.1) != limit {
            changes.push((turn.0, limit));
        }
    }
    Windows { changes, end: Some(frame.calendar_end) }
}

/// The keys of a head's throttle: its own ones, then those of all heads.
struct ThrottleKeys<'a> {
    own: Option<&'a Item>,
    shared: &'a Item,
}

impl<'a> ThrottleKeys<'a> {
    /// The table that has the key.
    fn of(&self, name: &str) -> Option<&'a Item> {
        let shared = || self.shared.get(name).map(|_| self.shared);
        self.own.filter(|own| own.get(name).is_some()).or_else(shared)
    }

    fn get(&self, name: &str) -> Option<&'a Item> {
        self.of(name).and_then(|table| table.get(name))
    }

    fn number(&self, name: &str, reader: &mut Reader<'_>) -> f64 {
        reader.number(self.of(name).unwrap_or(self.shared), name)
    }
}

fn throttle(file: &Item, plan: &Item, frame: &Frame, head: usize, reader: &mut Reader<'_>) -> Option<ThrottlePlan> {
    reader.section();
    let shared = plan.get("throttle")?;
    let own = plan.get("throttle_for").and_then(|table| table.get(&frame.heads[head]));
    let chosen = own.unwrap_or(shared);
    reader.distrust(Some(chosen));
    reader.distrust(Some(shared));
    let which = chosen.choice().unwrap_or_default();
    let word = THROTTLE.variants.get(which).map_or("fixed", |variant| variant.0);
    // Another law shares no keys with that of all heads: it says all of its own.
    let shared = if shared.choice() == chosen.choice() { shared } else { chosen };
    let keys = ThrottleKeys { own, shared };
    let (min, max) = if word == "fixed" {
        let streams = keys.number("streams", reader) as u16;
        (streams, streams)
    } else {
        (fewest(&keys, reader), keys.number("max", reader) as u16)
    };
    let most = keys.get("max").or_else(|| keys.get("streams")).unwrap_or(chosen);
    if min > max {
        reader.problem(most, format!("min is {min}, above max, which is {max}"));
    }
    if max == 0 {
        reader.problem(most, "never allows a stream: the most streams are 0");
    }
    // Where the limits are wrong, that `start` lies outside them is no other mistake.
    let limits = if min > max || max == 0 { (0, u16::MAX) } else { (min, max) };
    let min = min.min(max);
    let law = law(word, &keys, chosen, limits, file, head, reader);
    let throttle = ThrottlePlan {
        law,
        min,
        max,
        rate: keys.get("rate").map_or(Rate::UNLIMITED, |item| super::reader::rate(reader.value(item))),
        every: Span::from_secs_f64(keys.number("every", reader)),
        sample_limit: Span::from_secs_f64(keys.number("sample_limit", reader)),
        pause_above: keys.get("pause_above").map(|item| level(item, reader)),
        abort_above: keys.get("abort_above").map(|item| level(item, reader)),
    };
    check_sampling(file, chosen, "every", throttle.sample_limit, "moving", reader);
    Some(throttle)
}

/// The fewest streams: as given; else 1, or 0 where a step says that nothing moves.
fn fewest(keys: &ThrottleKeys<'_>, reader: &mut Reader<'_>) -> u16 {
    match (keys.get("min"), keys.get("table")) {
        (None, Some(table)) => u16::from(!steps(table, reader).iter().any(|step| step.1 == 0)),
        (Some(_) | None, _) => keys.number("min", reader) as u16,
    }
}

/// The rows of a table of steps.
fn steps(table: &Item, reader: &mut Reader<'_>) -> Vec<(Level, u16)> {
    let pairs = table.list().iter().filter_map(|pair| Some((pair.list().first()?, pair.list().get(1)?)));
    pairs.map(|(load, streams)| (level(load, reader), reader.value(streams) as u16)).collect()
}

fn law(
    word: &str,
    keys: &ThrottleKeys<'_>,
    item: &Item,
    (min, max): (u16, u16),
    file: &Item,
    head: usize,
    reader: &mut Reader<'_>,
) -> Law {
    let start = match keys.get("start") {
        Some(given) => {
            let start = reader.value(given) as u16;
            if !(min..=max).contains(&start) {
                reader.problem(given, format!("start is {start}, must lie between min, {min}, and max, {max}"));
            }
            start.clamp(min, max)
        }
        None => min,
    };
    match word {
        "steps" => {
            // One that is missing, or no list, has been reported.
            let given = keys.get("table").filter(|table| !table.is_bad());
            let table = given.map_or_else(Vec::new, |table| steps(table, reader));
            if let Some(given) = given {
                check_steps(given, &table, min, reader);
            }
            Law::Steps { table, interpolate: keys.get("interpolate").is_some_and(Item::flag) }
        }
        "aimd" => {
            let target = aimd_target(keys, item, reader);
            Law::Aimd { target, start, hysteresis: share(keys.number("hysteresis", reader)) }
        }
        "integral" => {
            let stream_load = keys.number("stream_load", reader);
            let curve = file.get("head").and_then(|heads| heads.list().get(head));
            let curve = curve.map(|head| build_model::curve(head, reader));
            Law::Integral {
                contract: Latency::from_secs_up(keys.number("latency", reader)),
                aim: share(keys.number("aim", reader)),
                start,
                gain: share(keys.number("gain", reader)),
                slope: curve.map_or_else(Vec::new, |curve| slope_table(&curve, stream_load)),
            }
        }
        _ => Law::Fixed { streams: max },
    }
}

fn aimd_target(keys: &ThrottleKeys<'_>, item: &Item, reader: &mut Reader<'_>) -> Level {
    // A head's own target in other terms stands in place of the shared one.
    let own = keys.own.filter(|own| own.get("latency").is_some() || own.get("utilisation").is_some());
    let table = own.unwrap_or(keys.shared);
    match (table.get("latency"), table.get("utilisation")) {
        (Some(latency), None) => Level::Latency(Latency::from_secs_up(reader.value(latency))),
        (None, Some(utilisation)) => Level::Utilisation(share(reader.value(utilisation))),
        (Some(_), Some(_)) | (None, None) => {
            reader.problem(item, "needs one target: either `latency` or `utilisation`");
            Level::Utilisation(Share::ONE)
        }
    }
}

fn check_steps(item: &Item, table: &[(Level, u16)], min: u16, reader: &mut Reader<'_>) {
    if table.is_empty() {
        reader.problem(item, "is empty, at least one step is needed");
    }
    let rises = |pair: &[(Level, u16)]| match (pair[0].0, pair[1].0) {
        (Level::Utilisation(a), Level::Utilisation(b)) => a < b,
        (Level::Latency(a), Level::Latency(b)) => a < b,
        (Level::Utilisation(_), Level::Latency(_)) | (Level::Latency(_), Level::Utilisation(_)) => false,
    };
    if !table.windows(2).all(rises) {
        reader.problem(item, "steps must rise in load, all as utilisation or all as latency");
    }
    if !table.is_empty() && table.iter().all(|step| step.1 == 0) {
        reader.problem(item, "never allows a stream: every step is 0");
    }
    // Above `max` a step is capped, which is gentler than it says; a floor would move more than it says.
    for (row, step) in item.list().iter().zip(table).filter(|(_, step)| step.1 < min) {
        let streams = row.list().get(1).unwrap_or(row);
        reader.problem(streams, format!("is {}, below min, which is {min}", step.1));
    }
}

/// Warns where samples come so seldom, by the probe's key `every`, that `what` would stop before each.
fn check_sampling(file: &Item, item: &Item, every: &str, limit: Span, what: &str, reader: &mut Reader<'_>) {
    let Some(probe) = file.get("probe") else { return };
    let every = probe.get(every).or_else(|| probe.get("every")).map_or(0.0, |item| reader.value(item));
    let age = every + reader.number(probe, "delay");
    if limit.secs() <= age {
        let age = Span::from_secs_f64(age);
        let arrives = format!("a sample can be {age} old before the next one arrives");
        // What is measured when no copy is under way any more shows no pace that is used up.
        let unused = if limit.secs() < every && what == "moving" { ", and the pace could hardly rise" } else { "" };
        reader.warning(item, format!("sample_limit is {limit}, but {arrives}: {what} would stop in between{unused}"));
    }
}

fn level(item: &Item, reader: &mut Reader<'_>) -> Level {
    let value = reader.value(item);
    match item.choice() {
        Some(0) | None => Level::Utilisation(share(value)),
        Some(_) => Level::Latency(Latency::from_secs_up(value)),
    }
}

/// Rising latency, and what one stream more adds there: the slope of the head's curve times what a stream adds to its
/// utilisation, at every fortieth of the way to saturation.
fn slope_table(curve: &LatencyCurve, stream_load: f64) -> Vec<(Latency, Latency)> {
    const STEPS: u32 = 40;
    let mut table: Vec<(Latency, Latency)> = Vec::with_capacity(STEPS as usize);
    for step in 0..STEPS {
        let utilisation = curve.saturation() * f64::from(step) / f64::from(STEPS);
        let latency = Latency::from_secs_up(curve.response_s(utilisation));
        // At least a microsecond: a flat curve says that a stream adds nothing, and the law divides by it.
        let added = Latency::from_secs_up((curve.slope_s(utilisation) * stream_load).max(1e-6));
        if table.last().is_none_or(|last| last.0 < latency) {
            table.push((latency, added));
        }
    }
    table
}

fn placement(file: &Item, plan: &Item, model: &Model, reader: &mut Reader<'_>) -> PlacementPlan {
    const RULES: [Placement; 2] = [Placement::Sequential, Placement::LeastFilled];
    reader.section();
    let item = plan.get("placement");
    let word = item.and_then(|item| item.text().or_else(|| item.get("rule").and_then(Item::text)));
    let rule = word.and_then(|word| PLACEMENTS.iter().position(|known| *known == word)).unwrap_or_default();
    let table = item.filter(|item| item.get("slack").is_some());
    let (slack, sample_limit, reopen_below) = match table {
        Some(table) => {
            (reader.share(table, "slack"), reader.span(table, "sample_limit"), reader.share(table, "reopen_below"))
        }
        // The same as the table's defaults.
        None => (Share::from_ppm(50_000), Span::from_secs(900), Share::from_ppm(10_000)),
    };
    check_sampling(file, table.unwrap_or(plan), "clusters_every", sample_limit, "placement", reader);
    let intake = super::feasible::intake(model);
    let inodes_per_mailbox = inodes_per_mailbox(file, reader);
    let clusters = file.get("cluster").map(Item::list).unwrap_or_default();
    let clusters = clusters.iter().map(|item| {
        reader.section();
        let cluster = ClusterPlan {
            rated: reader.bytes(item, "rated"),
            full_at: reader.share(item, "full_at"),
            reserve: reader.bytes(item, "reserve"),
            assumed_intake: reader.number_if_any(item, "assumed_intake").map_or(intake, super::reader::rate),
            inodes: inodes(item, inodes_per_mailbox, model, reader),
        };
        if cluster.reserve >= cluster.rated.share(cluster.full_at) {
            reader.problem(item, format!("reserve is {}, which leaves no room below the threshold", cluster.reserve));
        }
        cluster
    });
    let clusters: Vec<ClusterPlan> = clusters.collect();
    let counts = clusters.iter().any(|cluster| cluster.inodes.is_some());
    // Where they do not count, the plan is what it is without them.
    let inodes_per_mailbox = if counts { inodes_per_mailbox } else { Inodes::ZERO };
    PlacementPlan { rule: RULES[rule], clusters, slack, sample_limit, reopen_below, inodes_per_mailbox }
}

fn inodes_per_mailbox(file: &Item, reader: &mut Reader<'_>) -> Inodes {
    file.get("population").map_or(Inodes::ZERO, |population| reader.inodes(population, "inodes_per_mailbox"))
}

/// A cluster's limit of inodes, where it has one.
fn inodes(cluster: &Item, per_mailbox: Inodes, model: &Model, reader: &mut Reader<'_>) -> Option<InodePlan> {
    if cluster.get("inodes").is_none() {
        for key in ["inodes_full_at", "inodes_used"] {
            if let Some(item) = cluster.get(key) {
                reader.problem(item, "needs inodes, the number that the cluster is rated for");
            }
        }
        return None;
    }
    let full_at = if cluster.get("inodes_full_at").is_some() { "inodes_full_at" } else { "full_at" };
    let plan = InodePlan {
        rated: reader.inodes(cluster, "inodes"),
        full_at: reader.share(cluster, full_at),
        assumed_a_day: super::feasible::intake_of_inodes(model, per_mailbox),
    };
    let used = cluster.get("inodes_used").map(|item| (item, Inodes::new(reader.value(item).round() as u64)));
    if let Some((item, used)) = used.filter(|(_, used)| *used > plan.rated) {
        reader.problem(
            item,
            format!("is {}, more than the {} that the cluster is rated for", used.get(), plan.rated.get()),
        );
    }
    if plan.threshold() == Inodes::ZERO {
        reader.problem(cluster, "inodes leave room for no file below their threshold");
    }
    Some(plan)
}

fn copy(plan: &Item, reader: &mut Reader<'_>) -> Option<CopyPlan> {
    reader.section();
    let item = plan.get("move")?;
    let purge_after = item.get("purge_after")?;
    reader.distrust(Some(purge_after));
    let per_thousand_seconds = |per_day: f64| (per_day / 86.4).round().clamp(1.0, f64::from(u32::MAX)) as u32;
    Some(CopyPlan {
        stream: reader.rate(item, "stream"),
        messages_per_ks: reader.number_if_any(item, "messages").map_or(u32::MAX, per_thousand_seconds),
        setup: reader.span(item, "setup"),
        hold_at_most: reader.span(item, "hold_at_most"),
        purge_after: purge_after.amount().is_some().then(|| Span::from_secs_f64(reader.value(purge_after))),
        purge_streams: reader.number(item, "purge_streams") as u16,
        switches: reader.number(item, "switches") as u16,
    })
}

fn attempts(plan: &Item, model: &Model, reader: &mut Reader<'_>) -> Option<AttemptPlan> {
    reader.section();
    let item = plan.get("attempts")?;
    let attempts = AttemptPlan {
        limit: reader.number(item, "limit") as u8,
        backoff: reader.span(item, "backoff"),
        backoff_cap: reader.span(item, "backoff_cap"),
        fault_rate: reader.share(item, "fault_rate"),
        fault_window: reader.number(item, "fault_window") as u8,
        // Whoever says that somebody sees to them waits for that, simulated or not.
        wait_for_person: model.resolves_after.is_some(),
    };
    if attempts.backoff_cap < attempts.backoff {
        reader.problem(item, "backoff_cap is shorter than backoff");
    }
    Some(attempts)
}
