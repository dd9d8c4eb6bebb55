//! What of the plan is never uncertain: the order, the waves, and when windows hold.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::calendar::{Recurrence, Stretch, WHEN_ALLOWED};
use super::format_plan::WITHIN;
use super::frame::{Edge, instant};
use super::inventory::Inventory;
use super::item::{Amount, Item};
use super::reader::{Reader, share};
use crate::fleet::{HeadId, MailboxId};
use crate::migration::plan::{Go, OrderPlan, Overlap, Wave, Within};
use crate::units::{Share, Time};

/// What time a calendar is laid out for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) as_of: Time,
    /// A forecast looks no further.
    pub(crate) horizon: Time,
    /// A run may.
    pub(crate) end: Time,
}

/// The order in which mailboxes move; what is wrong goes to the reader.
pub(crate) fn order(
    file: &Item,
    (zone, horizon): (&TimeZone, Time),
    heads: &[String],
    inventory: Option<&Inventory>,
    reader: &mut Reader<'_>,
) -> OrderPlan {
    const WITHINS: [Within; 7] = [
        Within::Inventory,
        Within::Smallest,
        Within::Largest,
        Within::Busiest,
        Within::Idlest,
        Within::Group,
        Within::WholeGroups,
    ];
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
    let mailboxes = Mailboxes::new(file, inventory);
    let excluded = order.get("excluded").map(Item::list).unwrap_or_default();
    plan.excluded = excluded.iter().filter_map(|item| mailboxes.find(item, reader)).collect();
    plan.excluded.sort_unstable();
    plan.excluded.dedup();
    for item in order.get("scheduled").map(Item::list).unwrap_or_default() {
        reader.section();
        let at = instant(zone, item.get("at"), reader, Edge::Start);
        if let Some(given) = item.get("at").filter(|_| at >= horizon) {
            let text = given.place.excerpt();
            reader.warning(given, format!("is {text}, which lies after the horizon: until then it does not move"));
        }
        let Some(named) = item.get("mailbox") else { continue };
        if let Some(mailbox) = mailboxes.find(named, reader) {
            if plan.scheduled.iter().any(|scheduled| scheduled.0 == mailbox) {
                reader.problem(named, format!("is {}, which has a date of its own already", named.place.excerpt()));
            }
            if plan.excluded.binary_search(&mailbox).is_ok() {
                let text = format!("is {}, which is excluded: it would never move", named.place.excerpt());
                reader.problem(named, text);
            }
            plan.scheduled.push((mailbox, at));
        }
    }
    plan.scheduled.sort_by_key(|scheduled| (scheduled.1, scheduled.0));
    waves(order, &mut plan, reader);
    plan
}

/// The mailboxes that a plan can name.
struct Mailboxes<'a> {
    inventory: Option<&'a Inventory>,
    /// How many there are; `None` when that is not known.
    count: Option<f64>,
    /// There is an inventory, and it could not be read: that has been told.
    is_unknown: bool,
}

/// In an inventory of more mailboxes no name is looked for that may be meant.
const SUGGESTED_FROM: usize = 100_000;

impl<'a> Mailboxes<'a> {
    fn new(file: &Item, inventory: Option<&'a Inventory>) -> Self {
        let population = file.get("population");
        let drawn = population.and_then(|population| population.get("mailboxes")).and_then(Item::amount);
        let is_unknown = inventory.is_none() && population.is_some_and(|item| item.get("inventory").is_some());
        let count = inventory.map(|inventory| inventory.names.len() as f64);
        let count = count.or_else(|| drawn.map(Amount::middle)).filter(|_| !is_unknown);
        Self { inventory, count, is_unknown }
    }

    /// The mailbox of a number or, in an inventory, of a name; what there is not is reported.
    fn find(&self, item: &Item, reader: &mut Reader<'_>) -> Option<MailboxId> {
        let Some(name) = item.text() else {
            let number = reader.value(item);
            if self.count.is_some_and(|count| number >= count) {
                reader.problem(item, format!("is {number}, mailboxes have numbers from 0 and there are fewer"));
            }
            return Some(MailboxId(number as u32));
        };
        let Some(inventory) = self.inventory else {
            if !self.is_unknown {
                reader
                    .problem(item, format!("is \"{name}\": mailboxes have names in an inventory alone, else numbers"));
            }
            return None;
        };
        let found = inventory.names.find(name);
        if found.is_none() {
            let file = &inventory.summary.file;
            let near = if inventory.names.len() <= SUGGESTED_FROM { inventory.nearest(name) } else { None };
            let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
            reader.problem(item, format!("is \"{name}\", which no row of {file} is called{near}"));
        }
        found
    }
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
    if list.list().iter().any(|item| item.text().is_none_or(|name| !heads.iter().any(|head| head == name))) {
        // A misspelt head has been reported; that it is missing is the same mistake.
        return;
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
    let ends_early = |wave: &Wave| wave.share < Share::ONE;
    if let Some(item) =
        order.get("waves").filter(|_| plan.within == Within::WholeGroups && plan.waves.iter().any(ends_early))
    {
        reader.warning(
            item,
            "count mailboxes and not groups: one may end within a group, which is split for as long as it soaks",
        );
    }
}

/// When each window holds, in its term, and for which heads.
pub(crate) fn windows(
    file: &Item,
    zone: &TimeZone,
    term: Term,
    heads: &[String],
    reader: &mut Reader<'_>,
) -> Vec<(Vec<Stretch>, Vec<bool>)> {
    let mut windows = Vec::new();
    for item in file.get("plan").and_then(|plan| plan.get("window")).map(Item::list).unwrap_or_default() {
        reader.section();
        let applies = applies_to(item, heads, reader);
        windows.push((stretches(item, zone, term, reader), applies));
        limits_something(item, reader);
    }
    windows
}

/// Which heads an entry of the calendar is about: all of them, or those that it names.
pub(crate) fn applies_to(item: &Item, heads: &[String], reader: &mut Reader<'_>) -> Vec<bool> {
    let Some(list) = item.get("heads") else { return vec![true; heads.len()] };
    let mut applies = vec![false; heads.len()];
    for name in list.list() {
        if let Some(head) = reader.place_of(name, "head", heads) {
            applies[usize::from(head)] = true;
        }
    }
    applies
}

/// When an entry of the calendar holds, in its term: by a rule, or once.
pub(crate) fn stretches(item: &Item, zone: &TimeZone, term: Term, reader: &mut Reader<'_>) -> Vec<Stretch> {
    let Term { as_of: from, end: until, .. } = term;
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
                reader.problem(last, "must lie after `from`");
            } else if end <= from {
                let text = last.place.excerpt();
                reader.warning(last, format!("is {text}, which lies before as_of: it is over, and has no effect"));
            } else if start >= term.horizon {
                let text = first.place.excerpt();
                reader.warning(
                    first,
                    format!("is {text}, which lies after the horizon: it has no effect on the forecast"),
                );
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
