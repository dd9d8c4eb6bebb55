//! Guards and targets of a throttle that contradict each other, or the stores that they watch.

use super::Scenario;
use super::asked;
use super::item::Item;
use super::reader::Reader;
use crate::migration::plan::{Law, Level, ThrottlePlan};
use crate::units::Latency;

/// A pause ends at a sample that is not above this share of its limit.
const RESUME_AT: f64 = 0.9;

/// Checks the guards and the target of every head; one that several heads share is told of once.
pub(super) fn check(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let Some(plan) = file.get("plan") else { return };
    let mut told: Vec<&str> = Vec::new();
    let asked = asked::at_start(scenario);
    for (head, name) in scenario.heads.iter().enumerate() {
        let throttle = &scenario.plan.heads[head].throttle;
        let own = plan.get("throttle_for").and_then(|table| table.get(name));
        let item = |key: &str| {
            own.and_then(|own| own.get(key)).or_else(|| plan.get("throttle").and_then(|shared| shared.get(key)))
        };
        let mut tell_once = |key: &str, tell: &mut dyn FnMut(&Item, &mut Reader<'_>)| {
            let Some(item) = item(key).filter(|item| !told.contains(&item.key.as_str())) else { return };
            let reported = reader.problems.len() + reader.warnings.len();
            tell(item, reader);
            if reader.problems.len() + reader.warnings.len() > reported {
                told.push(&item.key);
            }
        };
        let guards = [("pause_above", throttle.pause_above), ("abort_above", throttle.abort_above)];
        for (key, limit) in guards.into_iter().filter_map(|(key, limit)| Some((key, limit?))) {
            tell_once(key, &mut |item, reader| guard(scenario, head, throttle, (item, key, limit), reader));
        }
        let quiet = asked[head] * super::profile::trough(&scenario.model.load, head);
        let key = if let Some(Level::Utilisation(_)) = target(throttle) { "utilisation" } else { "latency" };
        tell_once(key, &mut |item, reader| out_of_reach(scenario, head, throttle, (item, quiet), reader));
    }
}

/// Warns of a target that the stores do not meet even where nothing is copied: the pace falls to the fewest streams.
fn out_of_reach(
    scenario: &Scenario,
    head: usize,
    throttle: &ThrottlePlan,
    (item, quiet_op_s): (&Item, f64),
    reader: &mut Reader<'_>,
) {
    let Some(aim) = target(throttle).filter(|_| throttle.min < throttle.max) else { return };
    let fewest = if throttle.min == 0 { "no copy".to_owned() } else { format!("the fewest streams, {}", throttle.min) };
    match aim {
        Level::Latency(most) => {
            let (store, idle_s) = slowest_at_rest(scenario, head);
            if most.secs() < idle_s {
                let (aim, idle) = (ms(most.secs()), ms(idle_s));
                reader.warning(item, format!("aims at {aim}, below the {idle} of {store} at rest: the pace falls to {fewest}, and stays there"));
            } else if let Law::Aimd { hysteresis, start, .. } = throttle.law
                && start < throttle.max
                && most.share(hysteresis).secs() <= idle_s
            {
                let (aim, idle) = (ms(most.secs()), ms(idle_s));
                reader.warning(item, format!("is {aim}, and the pace rises only below {hysteresis} of that: {store} is at {idle} at rest, so that it never does"));
            }
        }
        Level::Utilisation(most) => {
            let quiet = quiet_op_s / scenario.model.heads[head].capacity.ops_per_second();
            if most.fraction() < quiet {
                let (name, percent) = (&scenario.heads[head], (quiet * 100.0).round());
                reader.warning(
                    item,
                    format!(
                        "aims at {most}, and the users of {name} alone ask for {percent} % of it even in the quietest hour of the week: \
                         the pace falls to {fewest}, until enough have moved"
                    ),
                );
            }
        }
    }
}

fn guard(
    scenario: &Scenario,
    head: usize,
    throttle: &ThrottlePlan,
    (item, key, limit): (&Item, &str, Level),
    reader: &mut Reader<'_>,
) {
    let what = if key == "pause_above" { "paused" } else { "abandoned" };
    if let Level::Latency(most) = limit {
        let (store, idle_s) = slowest_at_rest(scenario, head);
        let (shown, idle) = (ms(most.secs()), ms(idle_s));
        if most.secs() < idle_s {
            let message = format!("is {shown}, below the {idle} of {store} at rest: every copy would be {what}");
            return reader.problem(item, message);
        }
        if key == "pause_above" && most.secs() * RESUME_AT < idle_s {
            let message = format!(
                "is {shown}, and a pause ends below nine tenths of that: {store} is at {idle} at rest, so that it would never end"
            );
            return reader.warning(item, message);
        }
    }
    if let Some(target) = target(throttle).filter(|target| is_at_or_below(limit, *target)) {
        let (limit, target) = (shown(limit), shown(target));
        reader.warning(
            item,
            format!("is {limit}, not above what the law aims at, {target}: copies would be {what} again and again"),
        );
    }
}

/// The store with the longest response to a single operation among the head and the cluster that is best at it: wherever a
/// mailbox goes, it cannot be better.
fn slowest_at_rest(scenario: &Scenario, head: usize) -> (&str, f64) {
    let own = (scenario.heads[head].as_str(), scenario.model.heads[head].latency.response_s(0.0));
    let clusters = scenario.clusters.iter().zip(&scenario.model.clusters);
    let at_rest = clusters.map(|(name, cluster)| (name.as_str(), cluster.latency.response_s(0.0)));
    match at_rest.min_by(|one, other| one.1.total_cmp(&other.1)) {
        Some(best) if best.1 > own.1 => best,
        Some(_) | None => own,
    }
}

/// What the law steers to.
fn target(throttle: &ThrottlePlan) -> Option<Level> {
    match &throttle.law {
        Law::Aimd { target, .. } => Some(*target),
        Law::Integral { contract, aim, .. } => Some(Level::Latency(contract.share(*aim))),
        Law::Fixed { .. } | Law::Steps { .. } => None,
    }
}

/// Levels in different terms are not compared.
fn is_at_or_below(limit: Level, target: Level) -> bool {
    match (limit, target) {
        (Level::Latency(limit), Level::Latency(target)) => limit <= target,
        (Level::Utilisation(limit), Level::Utilisation(target)) => limit <= target,
        (Level::Latency(_), Level::Utilisation(_)) | (Level::Utilisation(_), Level::Latency(_)) => false,
    }
}

fn shown(level: Level) -> String {
    match level {
        Level::Latency(latency) => ms(Latency::secs(latency)),
        Level::Utilisation(share) => share.to_string(),
    }
}

fn ms(seconds: f64) -> String {
    format!("{} ms", (seconds * 1e5).round() / 100.0)
}
