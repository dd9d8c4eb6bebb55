//! Draws the fleet that a replication begins with. Draws are keyed by mailbox: another head, another order or another
//! share already moved changes no mailbox's size, messages, activity or group.

use super::draw::{Draws, Keyed, Purpose};
use super::number::{self, exp, ln, normal_quantiles, whole};
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::migration::plan::{Plan, Within};
use crate::scenario::Scenario;
use crate::scenario::model::Population;
use crate::units::{Bytes, Share, Time};

/// Rows that are copied at once when heads are assigned.
const BLOCK: usize = 4_096;

/// The entity whose draws these are.
const ENTITY: &str = "population";

/// Draws the fleet into `fleet`, whose memory is used again.
pub(crate) fn draw(scenario: &Scenario, draws: Draws, fleet: &mut Fleet) {
    let population = &scenario.model.population;
    draw_sizes(population, draws, fleet);
    assign_heads(population, fleet);
    settle_moved(scenario, fleet);
}

fn draw_sizes(population: &Population, draws: Draws, fleet: &mut Fleet) {
    let count = population.mailboxes as usize;
    let law = MailboxDraw::new(population, draws);
    fleet.bytes.clear();
    fleet.messages.clear();
    fleet.activity_micro_op_s.clear();
    fleet.bytes.reserve_exact(count);
    fleet.messages.reserve_exact(count);
    fleet.activity_micro_op_s.reserve_exact(count);
    let mut block = Block::default();
    for from in (0..count).step_by(number::BLOCK) {
        law.draw(from as u64, number::BLOCK.min(count - from), &mut block);
        fleet.bytes.extend(block.bytes.iter().map(|bytes| Bytes::new(whole(*bytes))));
        fleet.messages.extend(block.messages.iter().map(|messages| whole(*messages).min(u64::from(u32::MAX)) as u32));
        fleet.activity_micro_op_s.extend(block.activity.iter().map(|activity| whole(*activity) as u32));
    }
    fleet.group.clear();
    if population.groups > 0 {
        let groups = draws.keyed(Purpose::Group, ENTITY);
        let of = |row: u64| ((u128::from(groups.bits(row)) * u128::from(population.groups)) >> 64) as u32;
        fleet.group.extend((0..count as u64).map(of));
    }
}

/// What is drawn for a block of rows. Each draw goes through the whole block before the next, so that the compiler works
/// on several rows at once.
#[derive(Default)]
struct Block {
    bytes: Vec<f64>,
    /// The size's place as a standard normal number, for what is correlated with it.
    size_z: Vec<f64>,
    messages: Vec<f64>,
    activity: Vec<f64>,
}

/// The laws of a mailbox's size, messages and activity, and the draws behind them.
struct MailboxDraw {
    sizes: Keyed,
    median_log: f64,
    sigma: f64,
    max: f64,
    body: f64,
    tail_from: f64,
    tail_power: f64,
    means: Keyed,
    message_log: f64,
    message_sigma: f64,
    activities: Keyed,
    activity: f64,
    spread: f64,
    along: f64,
    across: f64,
}

impl MailboxDraw {
    fn new(population: &Population, draws: Draws) -> Self {
        let law = &population.size;
        let (sigma, along) = (population.message_sigma, population.activity_size_correlation);
        Self {
            sizes: draws.keyed(Purpose::Size, ENTITY),
            median_log: ln(law.median.get().max(1) as f64),
            sigma: law.sigma,
            max: law.max.get() as f64,
            body: 1.0 - law.tail.map_or(0.0, |tail| tail.share.fraction()),
            tail_from: law.tail.map_or(0.0, |tail| tail.from.get() as f64),
            tail_power: law.tail.map_or(0.0, |tail| -1.0 / tail.alpha),
            means: draws.keyed(Purpose::MessageSize, ENTITY),
            // The mean over all messages is the harmonic mean over mailboxes: half the variance above it lies the median.
            message_log: ln(population.message_mean.get().max(1) as f64) + 0.5 * sigma * sigma,
            message_sigma: sigma,
            activities: draws.keyed(Purpose::Activity, ENTITY),
            activity: population.activity.ops_per_second() * 1e6,
            spread: population.activity_sigma,
            along,
            across: (1.0 - along * along).max(0.0).sqrt(),
        }
    }

    fn draw(&self, from: u64, rows: usize, block: &mut Block) {
        for column in [&mut block.bytes, &mut block.size_z, &mut block.messages, &mut block.activity] {
            column.resize(rows, 0.0);
        }
        self.draw_bytes(from, block);
        self.draw_messages(from, block);
        self.draw_activity(from, block);
    }

    /// Sizes: lognormal, above the body's share of a Pareto tail.
    fn draw_bytes(&self, from: u64, block: &mut Block) {
        let Block { bytes, size_z, .. } = block;
        self.sizes.units(from, bytes);
        if self.body >= 1.0 {
            size_z.copy_from_slice(bytes);
            normal_quantiles(size_z);
            for (bytes, z) in bytes.iter_mut().zip(&*size_z) {
                *bytes = exp(self.median_log + self.sigma * z).min(self.max);
            }
            return;
        }
        for (z, p) in size_z.iter_mut().zip(&*bytes) {
            *z = if *p < self.body { p / self.body } else { *p };
        }
        normal_quantiles(size_z);
        for (bytes, z) in bytes.iter_mut().zip(&*size_z) {
            let size = exp(self.median_log + self.sigma * z);
            let above = (1.0 - *bytes) / (1.0 - self.body);
            *bytes = if *bytes < self.body { size } else { self.tail_from * exp(self.tail_power * ln(above)) };
            *bytes = bytes.min(self.max);
        }
    }

    fn draw_messages(&self, from: u64, block: &mut Block) {
        let Block { bytes, messages, .. } = block;
        if self.message_sigma > 0.0 {
            self.means.units(from, messages);
            normal_quantiles(messages);
        }
        for (messages, bytes) in messages.iter_mut().zip(bytes) {
            let count = *bytes * exp(-(self.message_log + self.message_sigma * *messages));
            // Nothing at all is in no message; anything else is in one at least.
            *messages = if *bytes < 0.5 { 0.0 } else { count.max(1.0) };
        }
    }

    fn draw_activity(&self, from: u64, block: &mut Block) {
        let Block { size_z, activity, .. } = block;
        if self.spread == 0.0 {
            return activity.fill(self.activity);
        }
        if self.across > 0.0 {
            self.activities.units(from, activity);
            normal_quantiles(activity);
        }
        for (activity, z) in activity.iter_mut().zip(size_z) {
            let log = self.spread * (self.along * *z + self.across * *activity) - 0.5 * self.spread * self.spread;
            *activity = self.activity * exp(log);
        }
    }
}

/// Gives each row to the head that is furthest behind its share: exact counts, evenly interleaved, without chance.
fn assign_heads(population: &Population, fleet: &mut Fleet) {
    let count = fleet.bytes.len();
    let pattern = interleave(&population.split);
    fleet.origin.clear();
    fleet.origin.reserve_exact(count);
    while fleet.origin.len() < count {
        let rest = count - fleet.origin.len();
        fleet.origin.extend_from_slice(&pattern[..rest.min(pattern.len())]);
    }
    fleet.home.clear();
    fleet.home.reserve_exact(count);
    fleet.home.extend(fleet.origin.iter().map(|head| Home::head(*head)));
}

/// The heads of as many rows as it takes until all shares are met exactly: from there on it begins again.
fn interleave(split: &[Share]) -> Vec<HeadId> {
    let shares: Vec<i64> = split.iter().map(|share| i64::from(share.ppm())).collect();
    let whole: i64 = shares.iter().sum();
    let mut behind = vec![0_i64; shares.len()];
    let mut pattern = Vec::new();
    loop {
        let mut next = 0;
        for (head, share) in shares.iter().enumerate() {
            behind[head] += share;
            if behind[head] > behind[next] {
                next = head;
            }
        }
        behind[next] -= whole;
        pattern.push(HeadId(next as u8));
        if behind.iter().all(|behind| *behind == 0) {
            return pattern.repeat(BLOCK.div_ceil(pattern.len()));
        }
    }
}

/// Settles the share of each head that has moved already: the first in the plan's order, on the clusters in service,
/// filled one after the other to their thresholds.
fn settle_moved(scenario: &Scenario, fleet: &mut Fleet) {
    let (plan, model) = (&scenario.plan, &scenario.model);
    if model.population.moved.iter().all(|share| share.ppm() == 0) {
        return;
    }
    let mut fill = Fill::new(scenario, scenario.as_of);
    let mut excluded = plan.order.excluded.clone();
    excluded.sort_unstable();
    for head in &plan.order.heads {
        let share = model.population.moved[head.index()];
        if share.ppm() == 0 {
            continue;
        }
        let of_head = |row: &u32| fleet.origin[*row as usize] == *head;
        let mut rows: Vec<u32> = (0..fleet.len() as u32).filter(of_head).collect();
        let moved = share.of_count(rows.len() as u64) as usize;
        rows.retain(|row| excluded.binary_search(&MailboxId(*row)).is_err());
        let moved = moved.min(rows.len());
        sort_first(plan, fleet, &mut rows, moved);
        for row in &rows[..moved] {
            match fill.place(fleet.bytes[*row as usize]) {
                Some(cluster) => fleet.home[*row as usize] = Home::cluster(cluster),
                None => return,
            }
        }
    }
}

/// Brings the first `count` rows of the plan's order to the front, in that order.
fn sort_first(plan: &Plan, fleet: &Fleet, rows: &mut [u32], count: usize) {
    if plan.order.within == Within::Inventory {
        // Rows come in that order.
        return;
    }
    let key = |row: &u32| {
        let at = *row as usize;
        let rank = match plan.order.within {
            Within::Inventory => 0,
            Within::Smallest => fleet.bytes[at].get(),
            Within::Largest => u64::MAX - fleet.bytes[at].get(),
            Within::Busiest => u64::MAX - u64::from(fleet.activity_micro_op_s[at]),
            Within::Idlest => u64::from(fleet.activity_micro_op_s[at]),
            Within::Group => fleet.group.get(at).copied().map_or(0, u64::from),
        };
        (rank, *row)
    };
    if count > 0 && count < rows.len() {
        rows.select_nth_unstable_by_key(count - 1, key);
    }
    rows[..count].sort_unstable_by_key(key);
}

/// Sequential filling to the thresholds.
struct Fill {
    clusters: Vec<(ClusterId, u64, u64)>,
    at: usize,
}

impl Fill {
    fn new(scenario: &Scenario, at: Time) -> Self {
        let models = scenario.model.clusters.iter().zip(&scenario.plan.placement.clusters).enumerate();
        let clusters = models
            .filter(|(_, (model, _))| model.in_service <= at)
            .map(|(place, (model, plan))| (ClusterId(place as u8), model.used.get(), plan.threshold().get()))
            .collect();
        Self { clusters, at: 0 }
    }

    fn place(&mut self, bytes: Bytes) -> Option<ClusterId> {
        while let Some((cluster, used, threshold)) = self.clusters.get_mut(self.at) {
            if *used + bytes.get() <= *threshold {
                *used += bytes.get();
                return Some(*cluster);
            }
            self.at += 1;
        }
        None
    }
}
