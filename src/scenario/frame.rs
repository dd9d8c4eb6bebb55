//! What of a scenario is never uncertain: names, dates, the calendar, the order, the milestones. Built once.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::Expectation;
use super::calendar::{self, Stretch};
use super::columns::{tell_apart, tell_kinds_apart, tell_milestones_apart};
use super::format::HORIZON_DAYS;
use super::frame_plan::{Term, order, windows};
use super::inventory::{Fixed, Inventory};
use super::item::{Item, When};
use super::links::{self, LinkFrame};
use super::load::{self, LoadSummary};
use super::milestones::{self, Names, Unknown};
use super::occasions::Occasions;
use super::profile;
use super::reader::Reader;
use super::source::Beside;
use crate::fleet::{MailboxId, STORES_MAX};
use crate::migration::message::Milestone;
use crate::migration::plan::{OrderPlan, ShareMilestone};
use crate::units::{Share, Span, Time};

/// The certain part of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) zone: TimeZone,
    pub(crate) offsets: Vec<(Time, Span)>,
    pub(crate) as_of: Time,
    pub(crate) horizon: Time,
    /// The end of the calendar: a year past the horizon.
    pub(crate) calendar_end: Time,
    pub(crate) heads: Vec<String>,
    pub(crate) clusters: Vec<String>,
    /// When each cluster enters service.
    pub(crate) in_service: Vec<Time>,
    /// Which stores are behind which link.
    pub(crate) links: Vec<LinkFrame>,
    /// The mailboxes, where a file has them.
    pub(crate) inventory: Option<Arc<Inventory>>,
    pub(crate) order: OrderPlan,
    /// Names of the mailboxes that the order names, where there is an inventory.
    pub(crate) named: Arc<[(MailboxId, String)]>,
    pub(crate) profile: Vec<f64>,
    /// What was measured of the load, where a file has it.
    pub(crate) load: Option<Arc<LoadSummary>>,
    /// By window: when it holds, and for which heads.
    pub(crate) windows: Vec<(Vec<Stretch>, Vec<bool>)>,
    /// When holidays and backups are.
    pub(crate) occasions: Occasions,
    pub(crate) milestones: Vec<Milestone>,
    /// Shares of progress that the core announces.
    pub(crate) shares: Vec<ShareMilestone>,
    pub(crate) expectations: Vec<Expectation>,
}

const DAY: Span = Span::from_secs(86_400);

impl Frame {
    /// Reads it, with the inventory beside the scenario; what is wrong goes to the reader.
    pub(crate) fn read(file: &Item, beside: &Beside<'_>, reader: &mut Reader<'_>) -> Self {
        reader.section();
        let zone = time_zone(file, reader);
        let as_of = start(file, &zone, reader);
        let horizon = horizon(file, &zone, as_of, reader);
        let calendar_end = horizon + DAY.times(366);
        let term = Term { as_of, horizon, end: calendar_end };
        let heads = names(file, "head", reader);
        let clusters = names(file, "cluster", reader);
        if let Some(list) = file.get("cluster") {
            tell_kinds_apart(list, &heads, reader);
        }
        let in_service = in_service(file, &zone, as_of, horizon, reader);
        let links = links::read(file, &zone, term, (&heads, &clusters), reader);
        let fixed = Fixed { heads: &heads, clusters: &clusters, in_service: &in_service, zone: &zone, as_of };
        let inventory = match beside {
            Beside::Read { folder, watch } => Inventory::read(file, &fixed, *folder, *watch, reader).map(Arc::new),
            Beside::Leave => None,
        };
        let load = match beside {
            Beside::Read { folder, .. } => load::read(file, &heads, &zone, *folder, reader),
            Beside::Leave => None,
        };
        let order = order(file, (&zone, horizon), &heads, inventory.as_deref(), reader);
        let windows = windows(file, &zone, term, &heads, reader);
        let occasions = Occasions::read(file, &zone, term, &heads, reader);
        let asked = asked(file, &heads, &clusters, reader);
        let purges = file.get("plan").and_then(|plan| plan.get("move")).and_then(|copy| copy.get("purge_after"));
        let purges = purges.and_then(Item::text) != Some("never");
        let expectations =
            expectations(file, &zone, (as_of, horizon), Names { heads: &heads, clusters: &clusters }, purges, reader);
        let wanted: Vec<Milestone> =
            asked.into_iter().chain(expectations.iter().map(|expected| expected.milestone)).collect();
        if let Some(list) = file.get("head") {
            tell_milestones_apart(&wanted, &heads, list, reader);
        }
        let milestones = milestones::all(&wanted, &order.heads, clusters.len(), purges);
        Self {
            name: file.get("name").and_then(Item::text).unwrap_or_default().to_owned(),
            offsets: calendar::offsets(&zone, as_of, calendar_end),
            zone,
            as_of,
            horizon,
            calendar_end,
            heads,
            clusters,
            in_service,
            links,
            named: named(inventory.as_deref(), &order),
            inventory,
            order,
            profile: load_profile(file, reader),
            load,
            windows,
            occasions,
            shares: shares(&milestones),
            milestones,
            expectations,
        }
    }
}

fn named(inventory: Option<&Inventory>, order: &OrderPlan) -> Arc<[(MailboxId, String)]> {
    let Some(inventory) = inventory else { return Arc::default() };
    let ids = order.excluded.iter().copied().chain(order.scheduled.iter().map(|(id, _)| *id));
    ids.filter_map(|id| Some((id, inventory.names.name(id)?))).collect()
}

fn shares(milestones: &[Milestone]) -> Vec<ShareMilestone> {
    let mut shares = Vec::new();
    for milestone in milestones {
        match *milestone {
            Milestone::HeadShareMoved { head, share } => shares.push(ShareMilestone { head: Some(head), share }),
            Milestone::ShareMoved { share } => shares.push(ShareMilestone { head: None, share }),
            Milestone::HeadEmptied { .. }
            | Milestone::HeadPurged { .. }
            | Milestone::ClusterOpened { .. }
            | Milestone::ClusterFull { .. }
            | Milestone::AllEmptied
            | Milestone::Decommissioned
            | Milestone::WaveMoved { .. }
            | Milestone::Stopped { .. }
            | Milestone::WindowsEnd => {}
        }
    }
    shares
}

fn time_zone(file: &Item, reader: &mut Reader<'_>) -> TimeZone {
    let name = reader.text(file, "time_zone");
    TimeZone::get(name).unwrap_or_else(|_| {
        if let Some(item) = file.get("time_zone") {
            let message = format!("is \"{name}\", must be an IANA time zone such as \"America/Toronto\" or \"UTC\"");
            reader.problem(item, message);
        }
        TimeZone::UTC
    })
}

/// Whether a date without a time means its beginning or its end.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Edge {
    Start,
    End,
}

/// The instant of a local date; one that is missing or wrong gives 1970 and is not reported again.
pub(crate) fn instant(zone: &TimeZone, item: Option<&Item>, reader: &mut Reader<'_>, edge: Edge) -> Time {
    reader.distrust(item);
    let Some((item, When { at, whole_day })) = item.and_then(|item| Some((item, item.when()?))) else {
        return Time::default();
    };
    let end_of_day = whole_day && edge == Edge::End;
    let at = if end_of_day { at.checked_add(jiff::Span::new().days(1)).unwrap_or(at) } else { at };
    let (time, dubious) = calendar::instant(zone, at);
    if dubious {
        let taken = calendar::local(zone, time);
        reader.warning(item, format!("is {at}, which the change of daylight saving skips or repeats; taken as {taken}, the first one if there are two"));
    }
    time
}

/// When the forecast starts: after time does.
fn start(file: &Item, zone: &TimeZone, reader: &mut Reader<'_>) -> Time {
    let item = file.get("as_of");
    let as_of = instant(zone, item, reader, Edge::Start);
    if let Some(item) = item.filter(|_| as_of < Time::default()) {
        reader.problem(item, format!("is {}, must not lie before 1970 (UTC)", item.place.excerpt()));
    }
    as_of.max(Time::default())
}

fn horizon(file: &Item, zone: &TimeZone, as_of: Time, reader: &mut Reader<'_>) -> Time {
    let item = file.get("horizon");
    reader.distrust(item);
    let Some(item) = item else { return as_of + DAY };
    let horizon = match item.amount() {
        Some(amount) => as_of + Span::from_secs_f64(amount.middle()),
        None => instant(zone, Some(item), reader, Edge::End),
    };
    if horizon <= as_of {
        reader.problem(item, format!("is {}, must be after as_of", item.place.excerpt()));
    } else if horizon > as_of + DAY.times(i64::from(HORIZON_DAYS)) {
        reader.problem(item, format!("is {}, at most ten years after as_of", item.place.excerpt()));
    } else {
        return horizon;
    }
    // What depends on it is still checked, with a horizon that is certainly allowed.
    as_of + DAY
}

fn names(file: &Item, list: &str, reader: &mut Reader<'_>) -> Vec<String> {
    let Some(item) = file.get(list) else { return Vec::new() };
    reader.section();
    reader.distrust(Some(item));
    let count = item.list().len();
    if count == 0 {
        reader.problem(item, format!("there is no {list}, at least one is needed"));
    }
    if count > STORES_MAX {
        reader.problem(item, format!("there are {count}, at most {STORES_MAX} are allowed"));
    }
    tell_apart(item, list, reader);
    let name = |entry: &Item| entry.get("name").and_then(Item::text).unwrap_or_default().to_owned();
    item.list().iter().take(STORES_MAX).map(name).collect()
}

fn in_service(file: &Item, zone: &TimeZone, as_of: Time, horizon: Time, reader: &mut Reader<'_>) -> Vec<Time> {
    let Some(clusters) = file.get("cluster") else { return Vec::new() };
    let mut dates = Vec::new();
    for cluster in clusters.list() {
        reader.section();
        dates.push(match cluster.get("in_service") {
            None => as_of,
            Some(item) => instant(zone, Some(item), reader, Edge::Start),
        });
        late(cluster, &dates, as_of, reader);
    }
    reader.section();
    let given = clusters.list().iter().filter_map(|cluster| cluster.get("in_service"));
    for item in [file.get("as_of"), file.get("horizon")].into_iter().flatten().chain(given) {
        reader.distrust(Some(item));
    }
    if !dates.is_empty() && dates.iter().all(|date| *date >= horizon) {
        reader.problem(clusters, "no cluster enters service before the horizon: nothing could ever move");
    }
    dates
}

/// A delay says how uncertain a date is that lies ahead.
fn late(cluster: &Item, dates: &[Time], as_of: Time, reader: &mut Reader<'_>) {
    let Some(delay) = cluster.get("delay") else { return };
    if cluster.get("in_service").is_none() {
        reader.problem(delay, "needs `in_service`, the date from which it counts");
    } else if dates.last().is_some_and(|date| *date <= as_of) {
        reader.problem(delay, "has no meaning: the cluster is in service at as_of");
    }
}

fn load_profile(file: &Item, reader: &mut Reader<'_>) -> Vec<f64> {
    reader.section();
    let Some(item) = file.get("load").and_then(|load| load.get("profile")) else { return profile::flat() };
    reader.distrust(Some(item));
    if let Some(word) = item.text() {
        return if word == "flat" { profile::flat() } else { profile::business_mail() };
    }
    if let Some(sine) = item.get("sine") {
        let peak = reader.text(sine, "peak");
        let time = calendar::parse_time(peak);
        if let (None, Some(at)) = (time, sine.get("peak")) {
            reader.problem(at, format!("is \"{peak}\", must be a time of day such as \"15:00\""));
        }
        let hour = time.map_or(0.0, |time| f64::from(time.hour()) + f64::from(time.minute()) / 60.0);
        return profile::sine(reader.number(sine, "amplitude"), hour);
    }
    if let Some(week) = item.get("week") {
        return weekly(week, reader);
    }
    let Some(hours) = item.get("hours") else { return profile::flat() };
    let weights: Vec<f64> = hours.list().iter().map(|weight| reader.value(weight)).collect();
    match <[f64; 24]>::try_from(weights.as_slice()) {
        Ok(weights) if weights.iter().sum::<f64>() > 0.0 => profile::hourly(&weights, reader.number(item, "weekend")),
        Ok(_) => {
            reader.problem(hours, "are all zero, at least one must be above 0");
            profile::flat()
        }
        Err(_) => {
            reader.problem(hours, format!("has {} weights, must have 24", weights.len()));
            profile::flat()
        }
    }
}

fn weekly(week: &Item, reader: &mut Reader<'_>) -> Vec<f64> {
    let weights: Vec<f64> = week.list().iter().map(|weight| reader.value(weight)).collect();
    if weights.len() != profile::HOURS {
        reader.problem(week, format!("has {} weights, must have {}", weights.len(), profile::HOURS));
    } else if weights.iter().sum::<f64>() <= 0.0 {
        reader.problem(week, "are all zero, at least one must be above 0");
    } else {
        return profile::weekly(&weights);
    }
    profile::flat()
}

fn milestone(item: &Item, names: Names<'_>, reader: &mut Reader<'_>) -> Option<Milestone> {
    reader.section();
    let text = item.text()?;
    match milestones::parse(text, names) {
        Ok(milestone) => return Some(milestone),
        Err(Unknown::Head(name)) => reader.unknown(item, "head", &name, names.heads),
        Err(Unknown::Cluster(name)) => reader.unknown(item, "cluster", &name, names.clusters),
        Err(Unknown::Form) => reader.problem(item, format!("is \"{text}\"; {}", milestones::ALLOWED)),
    }
    None
}

fn asked(file: &Item, heads: &[String], clusters: &[String], reader: &mut Reader<'_>) -> Vec<Milestone> {
    let list = file.get("forecast").and_then(|forecast| forecast.get("milestones")).map(Item::list).unwrap_or_default();
    list.iter().filter_map(|item| milestone(item, Names { heads, clusters }, reader)).collect()
}

fn expectations(
    file: &Item,
    zone: &TimeZone,
    (as_of, horizon): (Time, Time),
    names: Names<'_>,
    purges: bool,
    reader: &mut Reader<'_>,
) -> Vec<Expectation> {
    let mut expectations = Vec::new();
    for item in file.get("expect").map(Item::list).unwrap_or_default() {
        let Some((wanted, by)) = item.get("milestone").zip(item.get("by")) else { continue };
        let expected = milestone(wanted, names, reader);
        let is_purge = matches!(expected, Some(Milestone::HeadPurged { .. } | Milestone::Decommissioned));
        if is_purge && !purges {
            reader.problem(wanted, "never happens: plan.move.purge_after is \"never\"");
        }
        reader.section();
        let before = instant(zone, Some(by), reader, Edge::End);
        reader.distrust(file.get("as_of"));
        if before <= as_of {
            reader.problem(by, format!("is {}, which lies before as_of", by.place.excerpt()));
        } else if before > horizon {
            let text = by.place.excerpt();
            reader
                .warning(by, format!("is {text}, which lies after the horizon: what comes later than that stays open"));
        }
        let probability = reader.share(item, "probability");
        // As long as it could come too late, no number of replications gives an interval that ends at 1.
        if let Some(stated) = item.get("probability").filter(|_| probability >= Share::ONE) {
            let text = stated.place.excerpt();
            reader.problem(
                stated,
                format!("is {text}: no number of replications is sure of that, and it would never pass; give less, such as \"99.9 %\""),
            );
        }
        if let (Some(milestone), Some(when)) = (expected, by.when()) {
            let by = if when.whole_day { when.at.date().to_string() } else { when.at.to_string() };
            expectations.push(Expectation { milestone, before, by, probability });
        }
    }
    expectations
}
