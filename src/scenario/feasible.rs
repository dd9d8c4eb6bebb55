//! Whether a plan can work at all: said before anything is simulated.

use statrs::distribution::{ContinuousCDF, Normal};

use super::Scenario;
use super::item::Item;
use super::model::{Model, Population, SizeLaw};
use super::reader::Reader;
use crate::migration::plan::{Windows, Within};
use crate::units::{Bytes, Inodes, Rate, Share, Time};

/// What has moved already and takes more than this share of the room does not fit in some replications.
const NEARLY: f64 = 0.95;

/// The expected size of a mailbox, in bytes.
pub(crate) fn mean_size(law: &SizeLaw) -> f64 {
    let max = law.max.get() as f64;
    let body = mean_capped_lognormal(law.median.get() as f64, law.sigma, max);
    match law.tail {
        None => body,
        Some(tail) => {
            let share = tail.share.fraction();
            share * mean_capped_pareto(tail.from.get() as f64, tail.alpha, max) + (1.0 - share) * body
        }
    }
}

/// The sizes of all mailboxes, in bytes: as expected, or as an inventory has them.
fn all_bytes(population: &Population) -> f64 {
    let drawn = || mean_size(&population.size) * f64::from(population.mailboxes);
    population.bytes.map_or_else(drawn, |bytes| bytes.get() as f64)
}

fn mean_capped_lognormal(median: f64, sigma: f64, max: f64) -> f64 {
    if sigma <= 0.0 {
        return median.min(max);
    }
    let normal = Normal::standard();
    let cut = (max / median).ln() / sigma;
    let below = median * (sigma * sigma / 2.0).exp() * normal.cdf(cut - sigma);
    below + max * (1.0 - normal.cdf(cut))
}

fn mean_capped_pareto(from: f64, alpha: f64, max: f64) -> f64 {
    if max <= from {
        return max;
    }
    let above = (from / max).powf(alpha);
    let below = if (alpha - 1.0).abs() < 1e-9 {
        from * (max / from).ln()
    } else {
        alpha * from / (alpha - 1.0) * (1.0 - (from / max).powf(alpha - 1.0))
    };
    below + max * above
}

/// What new accounts and growth bring in, all together.
pub(crate) fn intake(model: &Model) -> Rate {
    let population = &model.population;
    let accounts = population.new_accounts_per_day * population.new_account_size.get() as f64;
    let growth = population.growth_per_day * all_bytes(population);
    Rate::per_second(((accounts + growth) / 86_400.0).ceil() as u64)
}

/// The messages of all mailboxes, as expected.
fn all_messages(population: &Population) -> f64 {
    all_bytes(population) / population.message_mean.get().max(1) as f64
}

/// The inodes that new accounts and new mail bring in, all together: a day's.
pub(crate) fn intake_of_inodes(model: &Model, per_mailbox: Inodes) -> Inodes {
    let population = &model.population;
    let of_each = population.new_account_size.get() as f64 / population.message_mean.get().max(1) as f64;
    let accounts = population.new_accounts_per_day * (of_each + per_mailbox.get() as f64);
    Inodes::new((accounts + population.growth_per_day * all_messages(population)).ceil() as u64)
}

/// Checks a complete scenario.
pub(crate) fn check(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    reader.section();
    room(scenario, file, reader);
    room_in_inodes(scenario, file, reader);
    moved_room(scenario, file, reader);
    windows(scenario, file, reader);
    load(scenario, file, reader);
    groups(scenario, file, reader);
    switches(scenario, file, reader);
    super::guards::check(scenario, file, reader);
    super::long_copies::check(scenario, file, reader);
}

fn terabytes(bytes: f64) -> String {
    Bytes::new(bytes.ceil() as u64).to_string()
}

/// Room below the thresholds of the clusters that are in service at an instant.
fn room_at(scenario: &Scenario, at: Time) -> f64 {
    let clusters = scenario.plan.placement.clusters.iter().zip(&scenario.model.clusters);
    let in_service = clusters.filter(|(_, model)| model.in_service <= at);
    in_service.map(|(plan, model)| plan.threshold().saturating_sub(model.used).get() as f64).sum()
}

fn room(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let Some(clusters) = file.get("cluster") else { return };
    let population = &scenario.model.population;
    let excluded = scenario.plan.order.excluded.len() as f64;
    let mean = all_bytes(population) / f64::from(population.mailboxes.max(1));
    let needed = mean * (f64::from(population.mailboxes) - excluded).max(0.0);
    let room = room_at(scenario, scenario.horizon);
    let horizon = super::calendar::local(&scenario.time_zone, scenario.horizon).date();
    let sum = format!(
        "{} mailboxes of {} on average, {} below the thresholds",
        population.mailboxes,
        terabytes(mean),
        terabytes(room)
    );
    if needed > room {
        reader.problem(clusters, format!("too small: needs {} more by {horizon} ({sum})", terabytes(needed - room)));
        return;
    }
    let days = scenario.horizon.since(scenario.as_of).days();
    let grown = needed * (population.growth_per_day * days)
        + population.new_accounts_per_day * days * population.new_account_size.get() as f64;
    if needed + grown > room {
        let more = terabytes(needed + grown - room);
        reader.warning(
            clusters,
            format!("with growth and new accounts until {horizon} they need {more} more, unless the migration ends early ({sum})"),
        );
    }
    let largest = population.size.max.get() as f64 * (1.0 + scenario.plan.placement.slack.fraction());
    if !scenario.plan.placement.clusters.iter().any(|cluster| cluster.threshold().get() as f64 >= largest) {
        reader.warning(clusters, format!("a mailbox of the largest size, {}, fits in none", population.size.max));
    }
}

/// The inodes below the thresholds of the clusters that are in service at an instant; `None` where one has no limit, or where
/// there is none: what that means for bytes is told.
fn inode_room_at(scenario: &Scenario, at: Time) -> Option<Inodes> {
    let clusters = scenario.plan.placement.clusters.iter().zip(&scenario.model.clusters);
    let in_service = clusters.filter(|(_, model)| model.in_service <= at);
    let rooms = in_service.map(|(plan, model)| Some(plan.inodes?.threshold().saturating_sub(model.inodes_used).get()));
    let rooms: Vec<u64> = rooms.collect::<Option<_>>()?;
    (!rooms.is_empty()).then(|| Inodes::new(rooms.iter().sum()))
}

/// Clusters can be full of files long before they are full of bytes.
fn room_in_inodes(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let Some((clusters, room)) = file.get("cluster").zip(inode_room_at(scenario, scenario.horizon)) else { return };
    let population = &scenario.model.population;
    let per_mailbox = scenario.plan.placement.inodes_per_mailbox;
    let mean = all_messages(population) / f64::from(population.mailboxes.max(1)) + per_mailbox.get() as f64;
    let excluded = scenario.plan.order.excluded.len() as f64;
    let needed = mean * (f64::from(population.mailboxes) - excluded).max(0.0);
    let shown = |inodes: f64| Inodes::new(inodes.ceil() as u64).to_string();
    let horizon = super::calendar::local(&scenario.time_zone, scenario.horizon).date();
    let sum = format!(
        "{} mailboxes of {} on average, messages and {} for each mailbox's folders; {room} below the thresholds",
        population.mailboxes,
        shown(mean),
        per_mailbox.get()
    );
    let room = room.get() as f64;
    if needed > room {
        let message = format!("too few inodes: needs {} more by {horizon} ({sum})", shown(needed - room));
        return reader.problem(clusters, message);
    }
    let grown =
        intake_of_inodes(&scenario.model, per_mailbox).get() as f64 * scenario.horizon.since(scenario.as_of).days();
    if needed + grown > room {
        let more = shown(needed + grown - room);
        reader.warning(
            clusters,
            format!(
                "with new mail and new accounts until {horizon} they need {more} more, unless the migration ends early ({sum})"
            ),
        );
    }
}

/// The part of all bytes that a share of the mailboxes has which moves first, as expected. Where activity hangs on size, busy ones are
/// taken for as large as others.
fn bytes_of_first(population: &Population, within: Within, share: f64) -> f64 {
    if population.bytes.is_some() {
        // An inventory has no law.
        return share;
    }
    let law = &population.size;
    // What the smallest have is the most, over all caps, of the mean that is capped there less the cap's part of all others.
    let of_smallest = |share: f64| {
        let at = |cap: f64| mean_size(&SizeLaw { max: Bytes::new(cap as u64), ..*law }) - cap * (1.0 - share);
        let (mut low, mut high) = (0.0, law.max.get() as f64);
        for _ in 0..120 {
            let (one, two) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if at(one) < at(two) { low = one } else { high = two }
        }
        (at(f64::midpoint(low, high)) / mean_size(law)).clamp(0.0, 1.0)
    };
    match within {
        Within::Smallest => of_smallest(share),
        Within::Largest => 1.0 - of_smallest(1.0 - share),
        Within::Inventory | Within::Busiest | Within::Idlest | Within::Group | Within::WholeGroups => share,
    }
}

fn moved_room(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let population = &scenario.model.population;
    let within = scenario.plan.order.within;
    let heads = || population.split.iter().zip(&population.moved);
    let share: f64 = heads().map(|(split, moved)| split.fraction() * moved.fraction()).sum();
    let bytes = |moved: &Share| bytes_of_first(population, within, moved.fraction());
    let moved = all_bytes(population) * heads().map(|(split, moved)| split.fraction() * bytes(moved)).sum::<f64>();
    let room = room_at(scenario, scenario.as_of);
    let Some(item) = file.get("population").and_then(|population| population.get("moved")) else { return };
    // What an inventory says is where it is, whatever the thresholds are.
    let is_known = scenario.facts.as_ref().is_some_and(|facts| !facts.fleet.home.is_empty());
    if moved > room && !is_known {
        let message = format!(
            "the mailboxes already moved hold {}, the clusters in service at as_of have room for {}",
            terabytes(moved),
            terabytes(room)
        );
        reader.problem(item, message);
    } else if moved > room * NEARLY && !is_known {
        let message = format!(
            "the mailboxes already moved hold {} on average, of {} for which the clusters in service at as_of have room: where a replication \
             draws more, what does not fit is still on its head",
            terabytes(moved),
            terabytes(room)
        );
        reader.warning(item, message);
    }
    let (per_mailbox, room) = (scenario.plan.placement.inodes_per_mailbox, inode_room_at(scenario, scenario.as_of));
    let moved = (all_messages(population) + per_mailbox.get() as f64 * f64::from(population.mailboxes)) * share;
    if let Some(room) = room.filter(|room| moved > room.get() as f64 && !is_known) {
        let moved = Inodes::new(moved.ceil() as u64);
        let message =
            format!("the mailboxes already moved take {moved}, the clusters in service at as_of have room for {room}");
        reader.problem(item, message);
    }
}

/// Whether moving is ever allowed before the horizon.
fn ever_open(windows: &Windows, from: Time, until: Time) -> bool {
    let mut since = from;
    let mut open = true;
    for (at, limit) in &windows.changes {
        if open && *at > since {
            return true;
        }
        if *at >= until {
            return false;
        }
        (since, open) = ((*at).max(from), limit.streams > 0);
    }
    open && since < until
}

fn windows(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let Some(item) = file.get("plan").and_then(|plan| plan.get("window")) else { return };
    for (name, head) in scenario.heads.iter().zip(&scenario.plan.heads) {
        if !ever_open(&head.windows, scenario.as_of, scenario.horizon) {
            reader.problem(item, format!("never allow a stream on {name} before the horizon"));
        }
    }
}

fn load(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let heads = file.get("head").map(Item::list).unwrap_or_default();
    for ((at, item), peak) in heads.iter().enumerate().zip(super::asked::peak_utilisation(scenario)) {
        let saturation = scenario.model.heads[at].latency.saturation();
        if peak >= saturation {
            let percent = (peak * 100.0).round();
            reader.warning(item, format!("its users alone ask for {percent} % of its capacity at the weekly peak"));
        }
    }
}

/// A switch that locks its user out for longer than the plan allows backs out.
fn switches(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let (lock, most) = (scenario.model.cost.lock, scenario.plan.copy.hold_at_most);
    let Some(item) = file.get("plan").and_then(|plan| plan.get("move")).and_then(|copy| copy.get("hold_at_most"))
    else {
        return;
    };
    if lock > most {
        let message =
            format!("is {most}, and a switch locks its user out for {lock} (cost.lock): every switch would back out");
        reader.problem(item, message);
    }
}

/// Groups that are kept together need groups.
fn groups(scenario: &Scenario, file: &Item, reader: &mut Reader<'_>) {
    let order = file.get("plan").and_then(|plan| plan.get("order"));
    let Some(within) = order.and_then(|order| order.get("within")) else { return };
    let by_group = matches!(scenario.plan.order.within, Within::Group | Within::WholeGroups);
    if by_group && scenario.model.population.groups == 0 {
        let none = "has no effect in a forecast without --from: no mailbox has a group; give population.groups, or an inventory with a column of them";
        reader.warning(within, none);
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::migration::plan::WindowLimit;
    use crate::scenario::model::ParetoTail;

    fn law(median: u64, sigma: f64, max: u64, tail: Option<ParetoTail>) -> SizeLaw {
        SizeLaw { median: Bytes::new(median), sigma, max: Bytes::new(max), tail }
    }

    #[test]
    fn the_mean_size_agrees_with_adding_up_quantiles() {
        let tail = ParetoTail { share: Share::from_ppm(100_000), from: Bytes::new(1_000_000), alpha: 1.5 };
        for law in
            [law(1_000, 0.0, 10_000, None), law(1_000, 1.6, 100_000, None), law(1_000, 1.6, 20_000_000, Some(tail))]
        {
            let n = 1_000_000;
            let quantile = |u: f64| {
                let body = law.median.get() as f64 * (law.sigma * Normal::standard().inverse_cdf(u)).exp();
                let body = body.min(law.max.get() as f64);
                law.tail.map_or(body, |tail| {
                    let pareto = tail.from.get() as f64 * (1.0 - u).powf(-1.0 / tail.alpha);
                    tail.share.fraction() * pareto.min(law.max.get() as f64) + (1.0 - tail.share.fraction()) * body
                })
            };
            let mean = (0..n).map(|i| quantile((f64::from(i) + 0.5) / f64::from(n))).sum::<f64>() / f64::from(n);
            assert!((mean_size(&law) / mean - 1.0).abs() < 2e-3, "{} {mean}", mean_size(&law));
        }
    }

    #[test]
    fn what_moves_first_has_its_own_part_of_the_bytes() {
        let tail = ParetoTail { share: Share::from_ppm(50_000), from: Bytes::new(1_000_000_000), alpha: 1.4 };
        let population = Population {
            size: law(35_000_000, 1.6, 20_000_000_000, Some(tail)),
            ..crate::scenario::build_model::empty_population()
        };
        // The slow twin: drawn sizes, sorted.
        let mut random = rand_pcg::Pcg64Dxsm::new(3, 5);
        let normal = Normal::standard();
        let mut sizes: Vec<f64> = (0..200_000)
            .map(|_| {
                let (which, u): (f64, f64) = (random.random(), random.random_range(1e-9..1.0));
                let body = 35e6 * (1.6 * normal.inverse_cdf(u)).exp();
                (if which < 0.05 { 1e9 * u.powf(-1.0 / 1.4) } else { body }).min(20e9)
            })
            .collect();
        sizes.sort_by(f64::total_cmp);
        let all: f64 = sizes.iter().sum();
        for share in [0.0, 0.1, 0.4, 0.9, 1.0] {
            let count = (share * 200_000.0) as usize;
            let (first, last) = (sizes[..count].iter().sum::<f64>(), sizes[200_000 - count..].iter().sum::<f64>());
            for (within, part) in [(Within::Smallest, first), (Within::Largest, last), (Within::Group, all * share)] {
                let found = bytes_of_first(&population, within, share);
                assert!((found - part / all).abs() < 0.01, "{within:?} {share}: {found} for {}", part / all);
            }
        }
    }

    #[test]
    fn a_calendar_that_always_pauses_is_never_open() {
        let closed = WindowLimit { streams: 0, rate: Rate::UNLIMITED };
        let at = |seconds: i64| Time::from_unix_micros(seconds * 1_000_000);
        let windows = |changes| Windows { changes, end: Some(at(100)) };
        assert!(ever_open(&Windows::default(), at(0), at(10)));
        assert!(!ever_open(&windows(vec![(at(-5), closed)]), at(0), at(10)));
        assert!(!ever_open(&windows(vec![(at(-5), closed), (at(10), WindowLimit::OPEN)]), at(0), at(10)));
        assert!(ever_open(&windows(vec![(at(-5), closed), (at(9), WindowLimit::OPEN)]), at(0), at(10)));
        assert!(ever_open(&windows(vec![(at(5), closed)]), at(0), at(10)));
    }
}
