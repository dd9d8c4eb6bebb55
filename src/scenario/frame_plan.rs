//! What of the plan is never uncertain: the order, the waves, and when windows hold.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::calendar::{Recurrence, Stretch, WHEN_ALLOWED};
use super::format_plan::WITHIN;
use super::frame::{Edge, instant};
use super::item::Item;
use super::reader::{Reader, share};
use crate::fleet::{HeadId, MailboxId};
use crate::migration::plan::{Go, OrderPlan, Overlap, Wave, Within};
use crate::units::Time;

/// The order in which mailboxes move; what is wrong goes to the reader.
pub(crate) fn order(file: &Item, zone: &TimeZone, heads: &[String], reader: &mut Reader<'_>) -> OrderPlan {
    const WITHINS: [Within; 6] =
        [Within::Inventory, Within::Smallest, Within::Largest, Within::Busiest, Within::Idlest, Within::Group];
    reader.section();
    let mut plan = OrderPlan {
        heads: Vec::new(),
        within: Within::Inventory,
        overlap: Overlap::None,
        excluded: Vec::new(),
        scheduled: Vec::new(),
        waves: Vec::new(),
    };
    let Some(order) = file.get("plan").and_then(|plan| plan.get("order")) else { return plan };
    head_order(file, order, heads, &mut plan, reader);
    let within =
        order.get("within").and_then(Item::text).and_then(|word| WITHIN.iter().position(|known| *known == word));
    plan.within = within.map_or(Within::Inventory, |at| WITHINS[at]);
    if order.get("overlap").and_then(Item::text) == Some("tail") {
        plan.overlap = Overlap::Tail;
    }
    let mailboxes = file.get("population").and_then(|population| population.get("mailboxes")).and_then(Item::amount);
    let mailbox = |item: &Item, reader: &mut Reader<'_>| {
        let number = reader.value(item);
        if mailboxes.is_some_and(|amount| number >= amount.middle()) {
            reader.problem(item, format!("is {number}, mailboxes have numbers from 0 and there are fewer"));
        }
        MailboxId(number as u32)
    };
    plan.excluded =
        order.get("excluded").map(Item::list).unwrap_or_default().iter().map(|item| mailbox(item, reader)).collect();
    for item in order.get("scheduled").map(Item::list).unwrap_or_default() {
        reader.section();
        let at = instant(zone, item.get("at"), reader, Edge::Start);
        if let Some(number) = item.get("mailbox") {
            plan.scheduled.push((mailbox(number, reader), at));
        }
    }
    plan.excluded.sort_unstable();
    plan.excluded.dedup();
    plan.scheduled.sort_by_key(|scheduled| (scheduled.1, scheduled.0));
    waves(order, &mut plan, reader);
    plan
}

fn head_order(file: &Item, order: &Item, heads: &[String], plan: &mut OrderPlan, reader: &mut Reader<'_>) {
    let Some(list) = order.get("heads") else { return };
    reader.distrust(Some(list));
    reader.distrust(file.get("head"));
    for item in list.list() {
        let Some(head) = reader.place_of(item, "head", heads).map(HeadId) else { continue };
        if plan.heads.contains(&head) {
            reader.problem(item, format!("names {} twice", heads[head.index()]));
        } else {
            plan.heads.push(head);
        }
    }
    let named: BTreeSet<HeadId> = plan.heads.iter().copied().collect();
    let missing: Vec<&str> = (0..heads.len())
        .filter(|at| !named.contains(&HeadId(*at as u8)) && !heads[*at].is_empty())
        .map(|at| heads[at].as_str())
        .collect();
    if !missing.is_empty() {
        reader.problem(list, format!("nobody drains {}: name every head", missing.join(", ")));
    }
}

fn waves(order: &Item, plan: &mut OrderPlan, reader: &mut Reader<'_>) {
    let mut before = 0.0;
    let waves = order.get("waves").map(Item::list).unwrap_or_default();
    if let (true, Some(item)) = (waves.len() > 255, order.get("waves")) {
        reader.problem(item, format!("there are {}, at most 255 are allowed", waves.len()));
    }
    for item in waves.iter().take(255) {
        reader.section();
        let part = reader.number(item, "share");
        if part <= before {
            reader.problem(item, "a wave's share counts the earlier ones in, so shares must rise");
        }
        before = part;
        let go = if item.get("go").and_then(Item::text) == Some("operator") { Go::Operator } else { Go::Automatic };
        plan.waves.push(Wave { share: share(part), soak: reader.span(item, "soak"), go });
    }
}

/// When each window holds, between two instants, and for which heads.
pub(crate) fn windows(
    file: &Item,
    zone: &TimeZone,
    (from, until): (Time, Time),
    heads: &[String],
    reader: &mut Reader<'_>,
) -> Vec<(Vec<Stretch>, Vec<bool>)> {
    let mut windows = Vec::new();
    for item in file.get("plan").and_then(|plan| plan.get("window")).map(Item::list).unwrap_or_default() {
        reader.section();
        let applies = match item.get("heads") {
            None => vec![true; heads.len()],
            Some(list) => {
                let mut applies = vec![false; heads.len()];
                for name in list.list() {
                    if let Some(head) = reader.place_of(name, "head", heads) {
                        applies[usize::from(head)] = true;
                    }
                }
                applies
            }
        };
        windows.push((window_stretches(item, zone, from, until, reader), applies));
        limits_something(item, reader);
    }
    windows
}

fn window_stretches(item: &Item, zone: &TimeZone, from: Time, until: Time, reader: &mut Reader<'_>) -> Vec<Stretch> {
    match (item.get("when"), item.get("from"), item.get("until")) {
        (Some(when), None, None) => {
            let text = reader.text(item, "when");
            if let Some(recurrence) = Recurrence::parse(text) {
                return recurrence.stretches(zone, from, until);
            }
            reader.problem(when, format!("is \"{text}\", {WHEN_ALLOWED}"));
            Vec::new()
        }
        (None, Some(first), Some(last)) => {
            let start = instant(zone, Some(first), reader, Edge::Start);
            let end = instant(zone, Some(last), reader, Edge::End);
            if end <= start {
                reader.problem(last, "a window must end after it begins");
            }
            if end > from && start < until && start < end { vec![(start, end.min(until))] } else { Vec::new() }
        }
        (Some(_) | None, _, _) => {
            reader.problem(item, "needs either `when`, or `from` and `until`");
            Vec::new()
        }
    }
}

fn limits_something(item: &Item, reader: &mut Reader<'_>) {
    let pauses = item.get("pause").is_some_and(Item::flag);
    let limits = ["streams", "rate"].iter().filter(|name| item.get(name).is_some()).count();
    match (pauses, limits) {
        (false, 0) => reader.problem(item, "limits nothing: needs `streams`, `rate` or `pause = true`"),
        (true, 1..) => reader.problem(item, "pauses, so that `streams` and `rate` have no meaning"),
        (false, _) | (true, 0) => {}
    }
}
