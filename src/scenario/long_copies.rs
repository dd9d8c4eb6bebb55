//! Copies that would take longer than the simulator can follow one.

use super::Scenario;
use super::item::Item;
use super::model::{LONGEST_COPY, Population};
use super::reader::Reader;
use crate::units::{Bytes, Span};

/// Warns where the largest mailbox would be one. In how many replications it is drawn at all is not asked.
pub(super) fn check(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let Some(item) = file.get("plan").and_then(|plan| plan.get("move")) else { return };
    let (largest, (takes, holds)) = longest(scenario);
    if takes > LONGEST_COPY {
        reader.warning(
            item.get(holds).unwrap_or(item),
            format!(
                "a mailbox of {largest} takes {takes} on idle stores; a forecast takes that for {LONGEST_COPY}, \
                 so that its dates may be too early"
            ),
        );
    }
}

/// The mailbox whose copy takes longest: of those that are known, or the largest that may be drawn.
fn longest(scenario: &Scenario) -> (Bytes, (Span, &'static str)) {
    let population = &scenario.model.population;
    let drawn = |size: Bytes| size.get() as f64 / population.message_mean.get().max(1) as f64;
    let of = |size: Bytes, messages: f64| (size, takes(scenario, size, messages));
    let known = scenario.facts.as_ref().map(|facts| &facts.fleet);
    let rows = known.into_iter().flat_map(|fleet| fleet.bytes.iter().zip(&fleet.messages));
    let longest = rows.map(|(size, messages)| of(*size, f64::from(*messages))).max_by_key(|(_, (takes, _))| *takes);
    longest.unwrap_or_else(|| {
        let size = largest(population);
        of(size, drawn(size))
    })
}

/// The largest mailbox that may be drawn, or that an inventory has.
fn largest(population: &Population) -> Bytes {
    let law = &population.size;
    let are_alike = population.bytes.is_none() && law.sigma <= 0.0 && law.tail.is_none();
    if are_alike { law.median.min(law.max) } else { law.max }
}

/// How long the copy of such a mailbox takes by itself, as the simulator has it, and which key of the plan holds it.
fn takes(scenario: &Scenario, size: Bytes, messages: f64) -> (Span, &'static str) {
    let (model, copy) = (&scenario.model, &scenario.plan.copy);
    let by_bytes = size.get() as f64 / copy.stream.bytes_per_second().max(1) as f64;
    let by_messages =
        if copy.messages_per_ks == u32::MAX { 0.0 } else { messages * 1e3 / f64::from(copy.messages_per_ks) };
    let (mut seconds, holds) = if by_messages > by_bytes { (by_messages, "messages") } else { (by_bytes, "stream") };
    let slow = messages - f64::from(model.cost.slow_above);
    if slow > 0.0 && model.cost.slow_above != u32::MAX {
        seconds *= 1.0 + slow / messages * model.cost.slow_extra;
    }
    seconds *= 1.0 + (model.cost.change_per_day / 86_400.0 * seconds).min(1.0);
    (Span::from_secs_f64(seconds), holds)
}
