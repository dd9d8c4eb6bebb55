//! Builds the model: everything that only the simulation needs.

use super::curve::{CurvePoint, LatencyCurve, PRESETS, preset};
use super::frame::Frame;
use super::inventory::{Field, Inventory};
use super::item::Item;
use super::links;
use super::load::LoadSummary;
use super::model::{
    Brownouts, ClusterModel, Cost, Failover, Faults, Hazard, HeadModel, Load, Lognormal, Model, ParetoTail, Population,
    Probe, SizeLaw, Stalls,
};
use super::reader::{Reader, share};
use crate::units::{Inodes, Latency, OpRate, Span};

/// Messages a second of a purge stream when nothing is ever purged, so that the number has no effect.
const PURGE_RATE_UNUSED: f64 = 1.0;

/// Builds the model with one value for each number.
pub(crate) fn model(file: &Item, frame: &Frame, reader: &mut Reader<'_>) -> Model {
    let heads: Vec<HeadModel> = list(file, "head").iter().map(|item| head(item, frame, reader)).collect();
    let clusters = list(file, "cluster").iter().zip(&frame.in_service);
    let clusters = clusters.map(|(item, in_service)| {
        reader.section();
        ClusterModel {
            name: item.get("name").and_then(Item::text).unwrap_or_default().to_owned(),
            ingest: reader.rate(item, "ingest"),
            capacity: reader.op_rate(item, "capacity"),
            latency: curve(item, reader),
            in_service: *in_service + reader.number_if_any(item, "delay").map_or(Span::ZERO, Span::from_secs_f64),
            stalls: item.get("stalls").map(|stalls| self::stalls(stalls, reader)),
            used: reader.bytes(item, "used"),
            inodes_used: item.get("inodes_used").map_or(Inodes::ZERO, |_| reader.inodes(item, "inodes_used")),
        }
    });
    let clusters = clusters.collect();
    let load = load(file, frame, &heads, reader);
    let backups = frame.occasions.backups(file, &heads, reader);
    frame.occasions.warn_of_missed(file, frame.as_of, load.step, reader);
    reader.section();
    let operator_after = file.get("operator").map_or(Span::ZERO, |operator| reader.span(operator, "answers_after"));
    let resolves = file.get("operator").and_then(|operator| operator.get("resolves_after"));
    let resolves_after = resolves.map(|law| lognormal(law, reader));
    let objective = file.get("users").map_or(Latency::default(), |users| reader.latency(users, "objective"));
    Model {
        population: population_at_level(file, frame, &load, reader),
        heads,
        clusters,
        load,
        backups,
        links: links::links(file, frame, reader),
        cost: cost(file, reader),
        probe: probe(file, reader),
        faults: faults(file, reader),
        operator_after,
        resolves_after,
        objective,
    }
}

fn list<'a>(file: &'a Item, name: &str) -> &'a [Item] {
    file.get(name).map(Item::list).unwrap_or_default()
}

fn head(item: &Item, frame: &Frame, reader: &mut Reader<'_>) -> HeadModel {
    reader.section();
    let name = item.get("name").and_then(Item::text).unwrap_or_default().to_owned();
    let capacity = reader.op_rate(item, "capacity");
    let latency = curve(item, reader);
    let health = item.get("health");
    let brownouts = health.and_then(|health| health.get("brownouts")).map(|item| {
        reader.section();
        Brownouts { hazard: hazard(item, "rate", reader), capacity: reader.share(item, "capacity") }
    });
    let failover = health.and_then(|health| health.get("failover")).and_then(|item| {
        reader.section();
        let partner = reader.place_of(item.get("to")?, "head", &frame.heads)?;
        if frame.heads[usize::from(partner)] == name {
            reader.problem(item, "a head cannot take over its own load");
        }
        Some(Failover { partner, share: reader.share(item, "share") })
    });
    let outages = health.filter(|health| health.get("outages").is_some()).map(|health| {
        reader.section();
        for needed in ["at_utilisation", "growth", "repair"] {
            if health.get(needed).is_none() {
                reader.problem(health, format!("`outages` needs `{needed}` too"));
            }
        }
        hazard(health, "outages", reader)
    });
    HeadModel { name, capacity, latency, outages, brownouts, failover }
}

fn hazard(item: &Item, rate: &str, reader: &mut Reader<'_>) -> Hazard {
    let repair = match item.get("repair") {
        Some(repair) => lognormal(repair, reader),
        None => Lognormal { median_s: 1.0, sigma: 0.0 },
    };
    Hazard {
        per_day: reader.number(item, rate),
        at_utilisation: reader.number(item, "at_utilisation"),
        growth: reader.number(item, "growth"),
        repair,
    }
}

fn lognormal(law: &Item, reader: &mut Reader<'_>) -> Lognormal {
    Lognormal { median_s: reader.number(law, "median"), sigma: reader.number(law, "sigma") }
}

fn stalls(item: &Item, reader: &mut Reader<'_>) -> Stalls {
    let lasts = item.get("lasts");
    let mut part = |name| lasts.map_or(1.0, |lasts| reader.number(lasts, name));
    let lasts = Lognormal { median_s: part("median"), sigma: part("sigma") };
    Stalls { per_day: reader.number(item, "rate"), lasts, ingest: reader.share(item, "ingest") }
}

/// The latency curve of a store.
pub(crate) fn curve(store: &Item, reader: &mut Reader<'_>) -> LatencyCurve {
    let flat = || LatencyCurve::Points(vec![CurvePoint { utilisation: 1.0, response_ms: 1.0 }]);
    let item = store.get("latency");
    reader.distrust(item);
    let Some(item) = item else { return flat() };
    if let Some(name) = item.get("preset") {
        let known = preset(reader.text(item, "preset"));
        if known.is_none() {
            let names: Vec<String> = PRESETS.iter().map(|&name| name.to_owned()).collect();
            reader.unknown(name, "latency preset", name.text().unwrap_or_default(), &names);
        }
        return known.unwrap_or_else(flat);
    }
    if let Some(list) = item.get("points") {
        return points(list, reader);
    }
    let knee = LatencyCurve::Knee {
        offset_ms: reader.number(item, "offset") * 1e3,
        linear_ms: reader.number(item, "linear") * 1e3,
        knee_ms: reader.number(item, "knee") * 1e3,
        limit: reader.number(item, "limit"),
    };
    if knee.response_s(0.0) <= 0.0 {
        reader.problem(item, "gives no response time above 0 at rest: offset + knee must be above 0");
    }
    knee
}

fn points(list: &Item, reader: &mut Reader<'_>) -> LatencyCurve {
    let points: Vec<CurvePoint> = list
        .list()
        .iter()
        .map(|pair| {
            let mut part = |at: usize| pair.list().get(at).map_or(0.0, |item| reader.value(item));
            CurvePoint { utilisation: part(0), response_ms: part(1) * 1e3 }
        })
        .collect();
    if points.is_empty() {
        reader.problem(list, "is empty, at least one point is needed");
    }
    if points.windows(2).any(|pair| pair[1].utilisation <= pair[0].utilisation) {
        reader.problem(list, "the utilisation of the points must rise");
    }
    if points.windows(2).any(|pair| pair[1].response_ms < pair[0].response_ms) {
        reader.warning(list, "the response falls while utilisation rises");
    }
    let curve = LatencyCurve::Points(points);
    // The last line goes on up to there.
    let (end, response) = (curve.saturation(), curve.response_s(curve.saturation()));
    if response <= 0.0 && !list.list().is_empty() {
        let (end, response) = (end * 100.0, response * 1e3);
        reader.problem(list, format!("the last line comes to {response:.1} ms at {end:.0} %: it must stay above 0"));
    }
    curve
}

fn population(file: &Item, frame: &Frame, reader: &mut Reader<'_>) -> Population {
    reader.section();
    let Some(item) = file.get("population") else { return empty_population() };
    reader.distrust(Some(item));
    let known = frame.inventory.as_deref();
    // An inventory that could not be read has been reported, and nobody knows what it says.
    let is_unread = known.is_none() && item.get("inventory").is_some();
    let (mailboxes, split) = match known {
        Some(known) => (known.summary.mailboxes as u32, known.split()),
        None if is_unread => (1, Vec::new()),
        None => {
            let split = by_head(item, "split", frame, reader);
            check_split(item, file, &split, reader);
            (reader.count(item, "mailboxes"), split.into_iter().map(share).collect())
        }
    };
    reader.section();
    let moved = known.and_then(Inventory::moved_shares);
    let moved = moved.unwrap_or_else(|| by_head(item, "moved", frame, reader).into_iter().map(share).collect());
    let (activity, activity_sigma, activity_size_correlation) = activity(item, known, reader);
    let size = match (known, item.get("size")) {
        (Some(known), _) => known.size,
        (None, Some(size)) => size_law(size, reader),
        (None, None) => empty_population().size,
    };
    let (message_mean, message_sigma) = match (known.and_then(|known| known.message_mean), item.get("message")) {
        (Some(mean), _) => (mean, 0.0),
        (None, Some(message)) => (reader.bytes(message, "mean"), reader.number(message, "sigma")),
        (None, None) => (empty_population().message_mean, 0.0),
    };
    needed(item, "message", Field::Messages, known, reader);
    reader.section();
    Population {
        mailboxes,
        bytes: known.map(|known| known.summary.bytes),
        split,
        moved,
        size,
        message_mean,
        message_sigma,
        activity: OpRate::per_second(activity),
        measured_activity: None,
        activity_sigma,
        activity_size_correlation,
        new_accounts_per_day: reader.number(item, "new_accounts"),
        new_account_size: reader.bytes(item, "new_account_size"),
        growth_per_day: reader.number(item, "growth"),
        deletions_per_day: deletions(item, mailboxes, known, reader),
        groups: match known.filter(|known| known.has(Field::Group)) {
            Some(known) => known.groups,
            None => reader.count(item, "groups"),
        },
    }
}

/// Deletions a day. Each that falls on a mailbox is an event of the simulation: more of them than mailboxes would take its time for
/// nothing.
fn deletions(item: &Item, mailboxes: u32, known: Option<&Inventory>, reader: &mut Reader<'_>) -> f64 {
    reader.section();
    let a_day = reader.number(item, "deletions");
    if known.is_none() {
        reader.distrust(item.get("mailboxes"));
    }
    if let Some(at) = item.get("deletions").filter(|_| a_day > f64::from(mailboxes)) {
        let message = format!(
            "comes to {a_day:.0} a day, of {mailboxes} mailboxes: must be at most as many a day as there are mailboxes"
        );
        reader.problem(at, message);
    }
    reader.section();
    a_day
}

/// The activity of users: its mean in operations a second, its spread, and its correlation with size.
fn activity(item: &Item, known: Option<&Inventory>, reader: &mut Reader<'_>) -> (f64, f64, f64) {
    reader.section();
    if let Some(mean) = known.and_then(|known| known.activity).filter(|mean| mean.ops_per_second() > 0.0) {
        return (mean.ops_per_second(), 0.0, 0.0);
    }
    needed(item, "activity", Field::Activity, known, reader);
    match item.get("activity") {
        Some(activity) if activity.amount().is_some() => (reader.value(activity), 0.0, 0.0),
        Some(activity) => (
            reader.number(activity, "mean"),
            reader.number(activity, "spread"),
            reader.number(activity, "size_correlation"),
        ),
        None => (0.0, 0.0, 0.0),
    }
}

/// A key must be there when the inventory does not say what it is for.
fn needed(item: &Item, key: &str, field: Field, known: Option<&Inventory>, reader: &mut Reader<'_>) {
    let Some(known) = known else { return };
    if !known.has(field) && item.get(key).is_none() {
        let (file, name) = (&known.summary.file, field.name());
        reader.problem(item, format!("needs `{key}`: {file} has no column {name}, so that it is drawn"));
    }
}

/// Stands in for a population that is missing, which has been reported.
pub(super) fn empty_population() -> Population {
    let size =
        SizeLaw { median: crate::units::Bytes::new(1), sigma: 0.0, max: crate::units::Bytes::new(1), tail: None };
    Population {
        mailboxes: 1,
        bytes: None,
        split: Vec::new(),
        moved: Vec::new(),
        size,
        message_mean: crate::units::Bytes::new(1),
        message_sigma: 0.0,
        activity: OpRate::default(),
        measured_activity: None,
        activity_sigma: 0.0,
        activity_size_correlation: 0.0,
        new_accounts_per_day: 0.0,
        new_account_size: crate::units::Bytes::ZERO,
        growth_per_day: 0.0,
        deletions_per_day: 0.0,
        groups: 0,
    }
}

fn by_head(item: &Item, name: &str, frame: &Frame, reader: &mut Reader<'_>) -> Vec<f64> {
    let table = item.get(name);
    reader.distrust(table);
    let mut value = |head: &String| table.and_then(|table| table.get(head)).map_or(0.0, |item| reader.value(item));
    frame.heads.iter().map(&mut value).collect()
}

fn check_split(item: &Item, file: &Item, split: &[f64], reader: &mut Reader<'_>) {
    reader.distrust(file.get("head"));
    // A head whose name was refused has its share all the same.
    for head in list(file, "head") {
        reader.distrust(head.get("name"));
    }
    let sum: f64 = split.iter().sum();
    let Some(table) = item.get("split") else { return };
    if (sum - 1.0).abs() > 1e-5 {
        let percent = (sum * 1e6).round() / 1e4;
        reader.problem(table, format!("adds up to {percent} %, must be 100 %"));
    }
}

fn size_law(item: &Item, reader: &mut Reader<'_>) -> SizeLaw {
    reader.section();
    let law = SizeLaw {
        median: reader.bytes(item, "median"),
        sigma: reader.number(item, "sigma"),
        max: reader.bytes(item, "max"),
        tail: item.get("tail").map(|tail| ParetoTail {
            share: reader.share(tail, "share"),
            from: reader.bytes(tail, "from"),
            alpha: reader.number(tail, "alpha"),
        }),
    };
    if law.max < law.median {
        reader.problem(item, format!("max is {}, less than the median of {}", law.max, law.median));
    }
    if let (Some(tail), Some(at)) = (law.tail, item.get("tail"))
        && tail.from > law.max
    {
        reader.problem(at, format!("begins at {}, above the largest mailbox of {}", tail.from, law.max));
    }
    law
}

/// The population, asking for as much as was measured where the scenario says so.
fn population_at_level(file: &Item, frame: &Frame, load: &Load, reader: &mut Reader<'_>) -> Population {
    let mut population = population(file, frame, reader);
    if let (Some(summary), Some(measured)) = (&frame.load, &load.measured) {
        summary.set_level(measured, &mut population);
    }
    population
}

fn load(file: &Item, frame: &Frame, heads: &[HeadModel], reader: &mut Reader<'_>) -> Load {
    reader.section();
    let item = file.get("load");
    let noise = item.and_then(|load| load.get("noise"));
    Load {
        profile: frame.profile.clone(),
        noise_sigma: noise.map_or(0.0, |noise| reader.number(noise, "sigma")),
        noise_correlation: noise.map_or(Span::from_secs(3_600), |noise| reader.span(noise, "correlation")),
        step: item.map_or(Span::from_secs(300), |load| reader.span(load, "step")),
        measured: frame.load.as_deref().map(|summary: &LoadSummary| {
            let capacities: Vec<OpRate> = heads.iter().map(|head| head.capacity).collect();
            summary.measured(&capacities)
        }),
        holidays: frame.occasions.holidays(file, reader),
    }
}

fn cost(file: &Item, reader: &mut Reader<'_>) -> Cost {
    reader.section();
    let nothing = file;
    let item = file.get("cost").unwrap_or(nothing);
    let purge_after = file.get("plan").and_then(|plan| plan.get("move")).and_then(|copy| copy.get("purge_after"));
    let never = purge_after.and_then(Item::text) == Some("never");
    let purge_per_day = reader.number_if_any(item, "purge_rate");
    reader.distrust(purge_after);
    if purge_per_day.is_none() && !never {
        reader.problem(item, "needs `purge_rate`, since old copies are purged: messages that one purge stream removes");
    }
    Cost {
        head_per_message: reader.ops(item, "head_per_message"),
        head_per_message_growth: reader.ops(item, "head_per_message_growth"),
        head_per_megabyte: reader.ops(item, "head_per_megabyte"),
        head_per_stream: reader.op_rate(item, "head_per_stream"),
        cluster_per_message: reader.ops(item, "cluster_per_message"),
        cluster_per_megabyte: reader.ops(item, "cluster_per_megabyte"),
        purge_per_message: reader.ops(item, "purge_per_message"),
        purge_rate: purge_per_day.map_or(PURGE_RATE_UNUSED, |per_day| per_day / 86_400.0),
        change_per_day: reader.number(item, "change"),
        lock: reader.span(item, "lock"),
        lock_per_thousand: reader.span(item, "lock_per_thousand"),
        switch: reader.span(item, "switch"),
        audit: reader.span(item, "audit"),
        slow_above: reader.number_if_any(item, "slow_above").map_or(u32::MAX, |messages| messages as u32),
        slow_extra: reader.number(item, "slow_extra"),
    }
}

fn probe(file: &Item, reader: &mut Reader<'_>) -> Probe {
    reader.section();
    let item = file.get("probe").unwrap_or(file);
    let every = reader.span(item, "every");
    Probe {
        every,
        clusters_every: reader.number_if_any(item, "clusters_every").map_or(every, Span::from_secs_f64),
        phase: reader.number_if_any(item, "phase"),
        delay: reader.span(item, "delay"),
        noise_sigma: reader.number(item, "noise"),
        loss: reader.number(item, "loss"),
    }
}

fn faults(file: &Item, reader: &mut Reader<'_>) -> Faults {
    reader.section();
    let item = file.get("faults").unwrap_or(file);
    let faults = Faults {
        transient: reader.number(item, "transient"),
        permanent: reader.number(item, "permanent"),
        switch: reader.number(item, "switch"),
    };
    if faults.transient + faults.permanent >= 1.0 {
        reader.problem(item, "transient and permanent faults add up to 100 % or more: nothing would ever move");
    }
    faults
}
