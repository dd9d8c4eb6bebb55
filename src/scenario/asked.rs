//! What the users of each head ask for at the start: those of the mailboxes that are still on it.

use statrs::distribution::{ContinuousCDF, Normal};

use super::Scenario;
use super::model::{Population, SizeLaw};
use crate::fleet::{Fleet, HeadId, MailboxId};
use crate::migration::order;
use crate::migration::plan::Within;

/// Into so many parts of equal number the law of sizes is cut.
const PARTS: u32 = 4_096;

/// Mailboxes are taken for no further than this from the middle of their sizes, in standard deviations, as in the simulation.
const FURTHEST: f64 = 4.0;

/// Operations a second by head, in the mean over a week, as expected.
pub(crate) fn at_start(scenario: &Scenario) -> Vec<f64> {
    let population = &scenario.model.population;
    // Once for all heads: there may be millions of mailboxes.
    let known = scenario.facts.as_ref().map(|facts| BySize::new(population, &facts.fleet));
    let of_head = |head| match &known {
        Some(known) => Drawn::of_known(scenario, known, head),
        None => Drawn::of(scenario, head),
    };
    let drawn: Vec<Drawn> = (0..scenario.heads.len()).map(of_head).collect();
    let Some(measured) = &population.measured_activity else { return drawn.iter().map(|drawn| drawn.left).collect() };
    // What is drawn then tells how the mailboxes share what was measured.
    let counted = |drawn: &Drawn| if measured.with_moved { drawn.all } else { drawn.left };
    let part = |of: f64, all: f64| if all > 0.0 { of / all } else { 0.0 };
    if measured.is_sum {
        let (wanted, all) = (measured.by_head.iter().sum::<f64>(), drawn.iter().map(counted).sum());
        return drawn.iter().map(|drawn| wanted * part(drawn.left, all)).collect();
    }
    drawn.iter().zip(&measured.by_head).map(|(drawn, wanted)| wanted * part(drawn.left, counted(drawn))).collect()
}

/// What each head's users ask for at the peak of the week, as a part of its capacity.
pub(crate) fn peak_utilisation(scenario: &Scenario) -> Vec<f64> {
    let model = &scenario.model;
    let of_head = |(head, asked): (usize, f64)| {
        asked * super::profile::peak(&model.load, head) / model.heads[head].capacity.ops_per_second()
    };
    at_start(scenario).into_iter().enumerate().map(of_head).collect()
}

/// What the population asks for of a head, in operations a second.
struct Drawn {
    all: f64,
    /// By mailboxes that have not moved yet.
    left: f64,
}

impl Drawn {
    fn of(scenario: &Scenario, head: usize) -> Self {
        let population = &scenario.model.population;
        let count = f64::from(population.mailboxes) * population.split.get(head).map_or(0.0, |split| split.fraction());
        let moved = population.moved.get(head).map_or(0.0, |moved| moved.fraction());
        let all = count * population.activity.ops_per_second();
        Self { all, left: all * (1.0 - part_of_first(population, scenario.plan.order.within, moved)) }
    }

    /// Where it is known which mailboxes there are.
    fn of_known(scenario: &Scenario, by_size: &BySize<'_>, head: usize) -> Self {
        let population = &scenario.model.population;
        let within = scenario.plan.order.within;
        let BySize { fleet, is_known, .. } = *by_size;
        let is_here = |id: &MailboxId| fleet.origin[id.index()] == HeadId(head as u8);
        let mut rows: Vec<MailboxId> = (0..fleet.origin.len() as u32).map(MailboxId).filter(is_here).collect();
        let activity = |id: &MailboxId| {
            if is_known { f64::from(fleet.activity_micro_op_s[id.index()]) } else { by_size.part(id.index()) }
        };
        let asked = |rows: &[MailboxId]| rows.iter().map(activity).sum::<f64>();
        let all = asked(&rows);
        let moved = population.moved.get(head).copied().unwrap_or_default();
        let by_activity = matches!(within, Within::Busiest | Within::Idlest);
        let left = if !fleet.home.is_empty() {
            rows.retain(|id| fleet.home[id.index()].as_head().is_some());
            asked(&rows)
        } else if moved.ppm() == 0 {
            all
        } else if by_activity && !is_known {
            all * (1.0 - part_of_first(population, within, moved.fraction()))
        } else {
            order::sort(within, fleet, &mut rows);
            let count = moved.of_count(rows.len() as u64).min(rows.len() as u64) as usize;
            asked(&rows[count..])
        };
        let each = if is_known { 1e-6 } else { population.activity.ops_per_second() };
        Self { all: all * each, left: left * each }
    }
}

/// How much more than the mean the users of mailboxes of known sizes ask for, as expected.
struct BySize<'a> {
    fleet: &'a Fleet,
    /// Whether it is known what they ask for.
    is_known: bool,
    /// By how much the logarithm of the activity rises with each standard deviation of the sizes'.
    along: f64,
    middle: f64,
    deviation: f64,
    /// Keeps the mean.
    factor: f64,
}

impl<'a> BySize<'a> {
    fn new(population: &Population, fleet: &'a Fleet) -> Self {
        let along = population.activity_sigma * population.activity_size_correlation;
        let is_known = fleet.activity_micro_op_s.iter().any(|activity| *activity > 0);
        let mut by_size = Self { fleet, is_known, along, middle: 0.0, deviation: 0.0, factor: 1.0 };
        if is_known || along == 0.0 || fleet.bytes.is_empty() {
            return by_size;
        }
        let (rows, count) = (0..fleet.bytes.len(), fleet.bytes.len() as f64);
        by_size.middle = rows.clone().map(|row| by_size.log(row)).sum::<f64>() / count;
        by_size.deviation =
            (rows.clone().map(|row| (by_size.log(row) - by_size.middle).powi(2)).sum::<f64>() / count).sqrt();
        by_size.factor = count / rows.map(|row| by_size.part(row)).sum::<f64>();
        by_size
    }

    fn log(&self, row: usize) -> f64 {
        (self.fleet.bytes[row].get() as f64).max(1.0).ln()
    }

    fn part(&self, row: usize) -> f64 {
        if self.deviation <= 1e-6 {
            return 1.0;
        }
        let place = (self.log(row) - self.middle) / self.deviation;
        self.factor * (self.along * place.clamp(-FURTHEST, FURTHEST)).exp()
    }
}

/// The part of what all users ask for that those of a share of the mailboxes ask for which moves first, as expected.
fn part_of_first(population: &Population, within: Within, share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return share.clamp(0.0, 1.0);
    }
    // The logarithm of a lognormal number that is weighed by itself is normal, too, higher by its variance.
    let normal = Normal::standard();
    let of_idlest = |share: f64| normal.cdf(normal.inverse_cdf(share) - population.activity_sigma);
    match within {
        Within::Idlest => of_idlest(share),
        Within::Busiest => 1.0 - of_idlest(1.0 - share),
        Within::Smallest => part_of_smallest(population, share),
        Within::Largest => 1.0 - part_of_smallest(population, 1.0 - share),
        Within::Inventory | Within::Group | Within::WholeGroups => share,
    }
}

/// The same of the smallest. Activity hangs on the normal number that a mailbox's size is drawn from, and in a tail larger ones need
/// not have the larger size: parts of the law are put in the order of their sizes, each with what is asked for in it.
fn part_of_smallest(population: &Population, share: f64) -> f64 {
    let along = population.activity_sigma * population.activity_size_correlation;
    if along == 0.0 {
        return share;
    }
    let normal = Normal::standard();
    let below = |part: u32| normal.cdf(normal.inverse_cdf(f64::from(part) / f64::from(PARTS)) - along);
    let part = |at: u32| {
        let middle = (f64::from(at) + 0.5) / f64::from(PARTS);
        (quantile(&population.size, middle), below(at + 1) - below(at))
    };
    let mut parts: Vec<(u64, f64)> = (0..PARTS).map(part).collect();
    parts.sort_unstable_by_key(|(size, _)| *size);
    let (mut wanted, mut found) = (share * f64::from(PARTS), 0.0);
    // Of equal sizes those move first that come first in the inventory, whatever they ask for.
    for alike in parts.chunk_by(|one, other| one.0 == other.0) {
        let taken = (wanted / alike.len() as f64).clamp(0.0, 1.0);
        found += taken * alike.iter().map(|(_, asked)| asked).sum::<f64>();
        wanted -= alike.len() as f64;
    }
    found
}

/// The size in bytes that belongs to a probability within (0, 1), as the simulation draws it.
fn quantile(law: &SizeLaw, probability: f64) -> u64 {
    let body = 1.0 - law.tail.map_or(0.0, |tail| tail.share.fraction());
    let size = match law.tail {
        Some(tail) if probability >= body => {
            tail.from.get() as f64 * ((1.0 - probability) / (1.0 - body)).powf(-1.0 / tail.alpha)
        }
        Some(_) | None => {
            law.median.get() as f64 * (law.sigma * Normal::standard().inverse_cdf(probability / body)).exp()
        }
    };
    size.min(law.max.get() as f64).round() as u64
}
