//! Draws the fleet that a replication begins with. Draws are keyed by mailbox: another head, another order or another
//! share already moved changes no mailbox's size, messages, activity or group.

mod moved;

use std::sync::Arc;

use super::RunId;
use super::draw::{Draws, Keyed, Purpose};
use super::number::{exp, ln, whole};
use super::table::{Tables, probability, tables};
use crate::fleet::{Fleet, HeadId, Home};
use crate::migration::message::Facts;
use crate::migration::plan::Plan;
use crate::scenario::Scenario;
use crate::scenario::model::{Model, Population};
use crate::units::{Bytes, Share, Time};

/// Rows that are copied at once when heads are assigned.
const BLOCK: usize = 4_096;

/// Rows that are drawn together.
const DRAWN: usize = 64;

/// The entity whose draws these are.
const ENTITY: &str = "population";

/// What a fleet was drawn from.
#[derive(Debug)]
pub(crate) struct DrawnFrom {
    run: RunId,
    as_of: Time,
    plan: Arc<Plan>,
    model: Arc<Model>,
    facts: Option<Arc<Facts>>,
}

impl DrawnFrom {
    /// For the fleet of this scenario and replication.
    pub(crate) fn new(scenario: &Scenario, run: RunId) -> Self {
        let (plan, model) = (Arc::clone(&scenario.plan), Arc::clone(&scenario.model));
        Self { run, as_of: scenario.as_of, plan, model, facts: scenario.facts.clone() }
    }

    /// Whether another scenario's fleet is the same one, since whatever it depends on is the same.
    pub(crate) fn gives(&self, scenario: &Scenario, run: RunId) -> bool {
        let same_facts = match (&self.facts, &scenario.facts) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let (order, other) = (&self.plan.order, &scenario.plan.order);
        let is_settled = || {
            let same_order = order.heads == other.heads && order.within == other.within;
            let filled = moved::Fill::new(&self.model, &self.plan, self.as_of);
            same_order
                && order.excluded == other.excluded
                && filled == moved::Fill::new(&scenario.model, &scenario.plan, scenario.as_of)
        };
        self.run == run && same_facts && self.model.population == scenario.model.population && is_settled()
    }
}

/// Draws the fleet into `fleet`, whose memory is used again, as is the pattern of the heads where it stays the same.
pub(crate) fn draw(scenario: &Scenario, draws: Draws, fleet: &mut Fleet, pattern: &mut Pattern) {
    let population = &scenario.model.population;
    if let Some(facts) = &scenario.facts {
        recall(population, &facts.fleet, draws, fleet);
        if facts.fleet.home.is_empty() {
            moved::settle(scenario, fleet);
        }
        scale_activity(population, fleet);
        return;
    }
    draw_mailboxes(population, draws, fleet);
    assign_heads(pattern.of(&population.split, fleet.bytes.len()), fleet);
    moved::settle(scenario, fleet);
    scale_activity(population, fleet);
}

/// Lets the mailboxes of each head together ask for what was measured there: what is drawn tells how they share it.
fn scale_activity(population: &Population, fleet: &mut Fleet) {
    let Some(measured) = &population.measured_activity else { return };
    let mut asked = vec![0_u64; measured.by_head.len()];
    for ((activity, origin), home) in fleet.activity_micro_op_s.iter().zip(&fleet.origin).zip(&fleet.home) {
        // One that was never on a head is in no measurement of it.
        if (measured.with_moved || home.as_head().is_some())
            && let Some(asked) = asked.get_mut(origin.index())
        {
            *asked += u64::from(*activity);
        }
    }
    let factor = |wanted: f64, asked: u64| if asked > 0 { wanted * 1e6 / asked as f64 } else { 1.0 };
    let of_all = factor(measured.by_head.iter().sum(), asked.iter().sum());
    let by_head = measured.by_head.iter().zip(&asked);
    let factors: Vec<f64> =
        by_head.map(|(wanted, asked)| if measured.is_sum { of_all } else { factor(*wanted, *asked) }).collect();
    for (activity, origin) in fleet.activity_micro_op_s.iter_mut().zip(&fleet.origin) {
        if let Some(factor) = factors.get(origin.index()) {
            *activity = nearest(f64::from(*activity) * factor);
        }
    }
}

/// Takes the fleet of a ledger or an inventory, and draws what that does not know by the laws of the scenario: what users ask
/// for, correlated with the sizes as they are, and columns that are empty.
fn recall(population: &Population, known: &Fleet, draws: Draws, fleet: &mut Fleet) {
    fleet.clone_from(known);
    let rows = known.len();
    if known.home.is_empty() {
        fleet.home.extend(known.origin.iter().map(|head| Home::head(*head)));
    }
    if known.group.is_empty() {
        draw_groups(population, draws, rows, fleet);
    }
    let draws_messages = known.messages.is_empty();
    let draws_activity = known.activity_micro_op_s.iter().all(|activity| *activity == 0);
    if !draws_messages && !draws_activity {
        return;
    }
    fleet.messages.resize(rows, 0);
    fleet.activity_micro_op_s.resize(rows, 0);
    let law = MailboxDraw::new(population, draws);
    let scores =
        if draws_activity && law.along != 0.0 { Scores::of_sizes(&known.bytes, law.along) } else { Scores::NONE };
    let columns = fleet.messages.iter_mut().zip(&mut fleet.activity_micro_op_s).zip(&fleet.bytes);
    for (row, ((messages, activity), bytes)) in (0..rows as u64).zip(columns) {
        let size = bytes.get() as f64;
        if draws_messages {
            *messages = law.messages(row, size);
        }
        if draws_activity {
            *activity = law.activity_of(row, scores.of(size), scores.factor);
        }
    }
}

/// Where sizes that are known lie among each other, for what is correlated with them.
struct Scores {
    /// Mean of the logarithms of sizes, and what one standard deviation of them is divided by.
    middle: f64,
    per_log: f64,
    /// Keeps the mean of what is correlated, whatever the law of the sizes is.
    factor: f64,
}

impl Scores {
    /// Nothing is correlated with sizes.
    const NONE: Self = Self { middle: 0.0, per_log: 0.0, factor: 1.0 };

    /// For what goes along with them by `along` for each standard deviation.
    fn of_sizes(sizes: &[Bytes], along: f64) -> Self {
        let count = sizes.len().max(1) as f64;
        let log = |size: &Bytes| ln((size.get() as f64).max(1.0));
        let middle = sizes.iter().map(log).sum::<f64>() / count;
        let variance = sizes.iter().map(|size| (log(size) - middle).powi(2)).sum::<f64>() / count;
        let per_log = if variance > 1e-12 { variance.sqrt().recip() } else { 0.0 };
        let mut scores = Self { middle, per_log, factor: 1.0 };
        let goes_along = |size: &Bytes| exp(along * scores.of(size.get() as f64));
        let mean = sizes.iter().map(goes_along).sum::<f64>() / count;
        // What a law of two normal numbers expects of the part that goes along.
        scores.factor = exp(0.5 * along * along) / mean;
        scores
    }

    /// The place of a size, in standard deviations; none lies more than four of them from the middle.
    fn of(&self, size: f64) -> f64 {
        ((ln(size.max(1.0)) - self.middle) * self.per_log).clamp(-4.0, 4.0)
    }
}

fn draw_mailboxes(population: &Population, draws: Draws, fleet: &mut Fleet) {
    let rows = population.mailboxes as usize;
    let law = MailboxDraw::new(population, draws);
    fleet.bytes.clear();
    fleet.messages.clear();
    fleet.activity_micro_op_s.clear();
    fleet.bytes.reserve_exact(rows);
    fleet.messages.reserve_exact(rows);
    fleet.activity_micro_op_s.reserve_exact(rows);
    // In blocks, so that each column is written from one end to the other, once; and in a block one column after the other:
    // what is drawn for a row hangs on itself, and the shorter it is, the more rows a processor draws at once.
    let (mut sizes, mut all_bytes) = ([(0.0, 0.0); DRAWN], [Bytes::ZERO; DRAWN]);
    let (mut all_messages, mut activities) = ([0; DRAWN], [0; DRAWN]);
    for first in (0..rows).step_by(DRAWN) {
        let numbers = first as u64..;
        for (row, size) in numbers.clone().zip(&mut sizes) {
            *size = law.size(row);
        }
        for (bytes, (size, _)) in all_bytes.iter_mut().zip(&sizes) {
            *bytes = Bytes::new(whole(*size));
        }
        for (row, (messages, (size, _))) in numbers.clone().zip(all_messages.iter_mut().zip(&sizes)) {
            *messages = law.messages(row, *size);
        }
        for (row, (activity, (_, z))) in numbers.zip(activities.iter_mut().zip(&sizes)) {
            *activity = law.activity(row, *z);
        }
        let count = DRAWN.min(rows - first);
        fleet.bytes.extend_from_slice(&all_bytes[..count]);
        fleet.messages.extend_from_slice(&all_messages[..count]);
        fleet.activity_micro_op_s.extend_from_slice(&activities[..count]);
    }
    draw_groups(population, draws, rows, fleet);
}

fn draw_groups(population: &Population, draws: Draws, rows: usize, fleet: &mut Fleet) {
    fleet.group.clear();
    if population.groups > 0 {
        let groups = draws.keyed(Purpose::Group, ENTITY);
        let of = |row: u64| ((u128::from(groups.bits(row)) * u128::from(population.groups)) >> 64) as u32;
        fleet.group.extend((0..rows as u64).map(of));
    }
}

/// The laws of a mailbox's size, messages and activity, and the draws behind them.
struct MailboxDraw {
    tables: &'static Tables,
    sizes: Keyed,
    median_log: f64,
    sigma: f64,
    max: f64,
    tail: Option<Tail>,
    means: Keyed,
    /// Messages a byte: the logarithm of the median, its spread, and the number where there is no spread.
    per_byte_log: f64,
    message_sigma: f64,
    per_byte: f64,
    activities: Keyed,
    /// In millionths of an operation a second: the mean, and the whole number of it where there is no spread.
    activity: f64,
    activity_of_all: u32,
    activity_log: f64,
    along: f64,
    across: f64,
}

/// The largest mailboxes, where they have a law of their own.
struct Tail {
    /// The share of mailboxes below it.
    body: f64,
    from_log: f64,
    power: f64,
}

impl MailboxDraw {
    fn new(population: &Population, draws: Draws) -> Self {
        let law = &population.size;
        let message_sigma = population.message_sigma;
        // The mean over all messages is the harmonic mean over mailboxes: half the variance above it lies the median.
        let per_byte_log = -(ln(population.message_mean.get().max(1) as f64) + 0.5 * message_sigma * message_sigma);
        let activity = population.activity.ops_per_second() * 1e6;
        let (spread, correlation) = (population.activity_sigma, population.activity_size_correlation);
        Self {
            tables: tables(),
            sizes: draws.keyed(Purpose::Size, ENTITY),
            median_log: ln(law.median.get().max(1) as f64),
            sigma: law.sigma,
            max: law.max.get() as f64,
            tail: law.tail.map(|tail| Tail {
                body: 1.0 - tail.share.fraction(),
                from_log: ln(tail.from.get().max(1) as f64),
                power: -1.0 / tail.alpha,
            }),
            means: draws.keyed(Purpose::MessageSize, ENTITY),
            per_byte_log,
            message_sigma,
            per_byte: exp(per_byte_log),
            activities: draws.keyed(Purpose::Activity, ENTITY),
            activity,
            activity_of_all: nearest(activity),
            // The mean of a lognormal law lies half the variance above its median.
            activity_log: -0.5 * spread * spread,
            along: spread * correlation,
            across: spread * (1.0 - correlation * correlation).max(0.0).sqrt(),
        }
    }

    /// Bytes, and their place as a standard normal number, for what is correlated with it: lognormal, above the body's
    /// share of a Pareto tail.
    #[inline]
    fn size(&self, row: u64) -> (f64, f64) {
        let bits = self.sizes.bits(row);
        let Some(tail) = &self.tail else {
            let z = self.tables.normal(bits);
            return (self.lognormal_size(z), z);
        };
        let p = probability(bits);
        // The place among all, whichever law its size has: that of the body's law alone is no standard normal number.
        let place = self.tables.normal(bits);
        if p < tail.body {
            return (self.lognormal_size(self.tables.normal_quantile(p / tail.body)), place);
        }
        let above = (1.0 - p) / (1.0 - tail.body);
        let size = self.tables.exp(tail.from_log + tail.power * ln(above));
        (size.min(self.max), place)
    }

    #[inline]
    fn lognormal_size(&self, z: f64) -> f64 {
        let size = self.tables.exp(self.median_log + self.sigma * z);
        if size < self.max { size } else { self.max }
    }

    #[inline]
    fn messages(&self, row: u64, bytes: f64) -> u32 {
        let per_byte = if self.message_sigma > 0.0 {
            let z = self.tables.normal(self.means.bits(row));
            self.tables.exp(self.per_byte_log + self.message_sigma * z)
        } else {
            self.per_byte
        };
        let count = bytes * per_byte;
        // Nothing at all is in no message; anything else is in one at least.
        if bytes < 0.5 { 0 } else { nearest(if count > 1.0 { count } else { 1.0 }) }
    }

    #[inline]
    fn activity(&self, row: u64, size_z: f64) -> u32 {
        self.activity_of(row, size_z, 1.0)
    }

    /// The same, `factor` times as much.
    #[inline]
    fn activity_of(&self, row: u64, size_z: f64, factor: f64) -> u32 {
        if self.activity_log == 0.0 {
            return self.activity_of_all;
        }
        let own = if self.across > 0.0 { self.tables.normal(self.activities.bits(row)) } else { 0.0 };
        nearest(factor * self.activity * self.tables.exp(self.along * size_z + self.across * own + self.activity_log))
    }
}

/// The nearest whole number to one that is not negative; the largest there is for more.
#[inline]
fn nearest(x: f64) -> u32 {
    (x + 0.5) as u32
}

/// Gives each row to a head, as the pattern says and from its beginning again.
fn assign_heads(pattern: &[HeadId], fleet: &mut Fleet) {
    let count = fleet.bytes.len();
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

/// The heads of rows: each row belongs to the head that is furthest behind its share. Exact counts, evenly interleaved, without
/// chance, and so the same in every replication.
#[derive(Debug, Default)]
pub(crate) struct Pattern {
    split: Vec<Share>,
    rows: usize,
    heads: Vec<HeadId>,
}

impl Pattern {
    /// The heads of so many rows. There are fewer where all shares are met exactly before: from there on it begins again.
    fn of(&mut self, split: &[Share], rows: usize) -> &[HeadId] {
        if self.split != split || self.rows != rows {
            *self = Self { split: split.to_vec(), rows, heads: interleave(split, rows) };
        }
        &self.heads
    }
}

fn interleave(split: &[Share], rows: usize) -> Vec<HeadId> {
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
        if pattern.len() >= rows {
            return pattern;
        }
        if behind.iter().all(|behind| *behind == 0) {
            return pattern.repeat(BLOCK.div_ceil(pattern.len()));
        }
    }
}

#[cfg(test)]
mod tests;
