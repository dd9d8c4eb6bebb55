//! Cases held against the first of them, replication by replication.
//!
//! A shift is one of restricted means (see `shift`): a date at or after the earlier horizon of the two, or that is never reached,
//! counts as that horizon, and how many do is told. What depends on the order of dates alone (shares, quantiles) is given where it
//! is the same whatever lies beyond the horizon, and else not at all.
//!
//! Which way a mean moves is said only where nothing that lies beyond the horizon can turn it. A pair with both dates before it
//! has its difference; one with a single date before it has a known sign and differs by at least what counts; one with neither
//! may differ by anything. So a mean is surely less where it is as it counts and no pair may be more than that, and the reverse.

pub mod quantiles;

use super::cases::{Measure, Run};
use super::multiple::{bonferroni, holm};
use super::quantile::{Estimate, LEVELS, When, estimate, wilson};
use super::shift::Shift;
use crate::scenario::Scenario;
use crate::units::{Share, Time};
use quantiles::{AtLevel, Resamples, at_levels};

/// Cases held against the first of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Confidence of the verdicts, and of the intervals, of all variants together.
    pub confidence: Share,
    /// Confidence of each interval of its own, by Bonferroni.
    pub each: Share,
    /// Replications of each case.
    pub replications: usize,
    /// The first case: its dates, by its milestones.
    pub base: Vec<Dated>,
    /// The first case: means of what users go through, by `Measure::ALL`.
    pub base_impact: [f64; Measure::COUNT],
    /// The first case: mailboxes that were set aside, mean of the replications.
    pub base_aside: f64,
    /// The other cases.
    pub variants: Vec<Variant>,
}

/// The dates of a milestone in one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated {
    /// The milestone's name.
    pub name: String,
    /// Quantiles by `LEVELS`; `None` where there are too few replications. Their intervals stand each for itself.
    pub quantiles: [Option<Estimate<When>>; LEVELS.len()],
}

impl Dated {
    /// The quantile at one of `LEVELS`.
    #[must_use]
    pub fn at(&self, level: Share) -> Option<Estimate<When>> {
        LEVELS.iter().position(|known| *known == level).and_then(|place| self.quantiles[place])
    }
}

/// A case held against the first one.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The milestones that both have, in the first one's order.
    pub milestones: Vec<MilestoneShift>,
    /// Milestones of the first case alone.
    pub missing: Vec<String>,
    /// Milestones of this case alone.
    pub added: Vec<String>,
    /// What users go through, by `Measure::ALL`.
    pub impact: Vec<MeasureShift>,
    /// Mailboxes that waited for a person when all heads counted as emptied, mean of the replications.
    pub aside: f64,
    /// Its start, where something has moved before it.
    pub started: Option<Time>,
    /// Where its own replications end: what is not reached by then is later.
    pub horizon: Time,
}

impl Variant {
    /// A milestone by its name.
    #[must_use]
    pub fn milestone(&self, name: &str) -> Option<&MilestoneShift> {
        self.milestones.iter().find(|one| one.dates.name == name)
    }
}

/// What a difference means, for all variants together (Holm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Surely more, for dates: later.
    More,
    /// Surely less, for dates: earlier.
    Less,
    /// Not one replication differs.
    Same,
    /// Not one replication is known to differ, and what lies beyond the horizon may.
    SameByHorizon,
    /// It can be chance.
    NotSure,
    /// It would be sure as far as the horizon, and what lies beyond may turn it.
    Open,
    /// No replication of either reaches it by the horizon.
    InNeither,
    /// Too few replications.
    TooFew,
}

/// How a milestone moves.
#[derive(Clone, Debug, PartialEq)]
pub struct MilestoneShift {
    /// Its dates in the variant.
    pub dates: Dated,
    /// By how much it comes later; none with too few replications.
    pub shift: Option<Shift>,
    /// What that means.
    pub verdict: Verdict,
    /// In which replications it comes earlier and later.
    pub order: Order,
    /// So many independent replications of either case would give an interval as narrow; none where pairs leave no doubt at all.
    pub effective: Option<f64>,
    /// By `quantiles::COMPARED`.
    pub levels: Vec<AtLevel>,
}

/// Replications by the order of their two dates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Order {
    /// The variant's is earlier.
    pub earlier: usize,
    /// The variant's is later.
    pub later: usize,
    /// Both are at one instant, or never.
    pub same: usize,
    /// Both lie beyond the horizon: nobody knows.
    pub unknown: usize,
    /// Of those that are earlier: the first case's date is not before the horizon, and by how much more nobody knows.
    pub earlier_by_more: usize,
    /// Of those that are later: the variant's date is not before the horizon, and by how much more nobody knows.
    pub later_by_more: usize,
    /// Wilson's interval of the share that is earlier: from its low end with all that is unknown not earlier to its high end
    /// with all of that earlier.
    pub earlier_share: (f64, f64),
}

/// How something that users go through differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasureShift {
    /// What.
    pub measure: Measure,
    /// Mean of the variant.
    pub mean: f64,
    /// The mean of the differences, its `days` being of the measure's own unit; none with too few replications.
    pub difference: Option<Shift>,
    /// Replications that the horizon cut off in either case: what users would have gone through later is in no amount, and nobody
    /// can be sure which way the amounts differ.
    pub unfinished: usize,
    /// What that means.
    pub verdict: Verdict,
}

/// Holds the cases of some replications against the first one.
#[must_use]
pub fn compare(scenarios: &[&Scenario], runs: &[Vec<Run>], confidence: Share) -> Compared {
    let variants = scenarios.len().saturating_sub(1);
    // A share has six places: no confidence is rounded up.
    let each = Share::from_ppm((bonferroni(confidence, variants) * 1e6).round().min(999_999.0) as u32);
    let settings = Settings { each, resamples: Resamples::new(runs.len()) };
    let base = Side { scenario: scenarios[0], runs: runs.iter().map(|cases| &cases[0]).collect() };
    let side = |case: usize| Side { scenario: scenarios[case], runs: runs.iter().map(|cases| &cases[case]).collect() };
    let mut compared = Compared {
        confidence,
        each,
        replications: runs.len(),
        base: base.dated(),
        base_impact: Measure::ALL.map(|measure| base.mean(measure)),
        base_aside: base.aside(),
        variants: (1..scenarios.len()).map(|case| variant(&base, &side(case), &settings)).collect(),
    };
    judge(&mut compared);
    compared
}

struct Settings {
    each: Share,
    resamples: Resamples,
}

/// One case.
struct Side<'a> {
    scenario: &'a Scenario,
    runs: Vec<&'a Run>,
}

impl Side<'_> {
    fn names(&self) -> Vec<String> {
        self.scenario.milestones.iter().map(|one| self.scenario.milestone_name(one)).collect()
    }

    /// The start, where something has moved before it: what had happened by then is told as of that instant.
    fn started(&self) -> Option<Time> {
        let facts = self.scenario.facts.as_ref().filter(|facts| !facts.fleet.home.is_empty());
        let has_moved = match facts {
            Some(facts) => facts.fleet.home.iter().any(|home| home.is_cluster()),
            None => self.scenario.model.population.moved.iter().any(|share| share.ppm() > 0),
        };
        has_moved.then_some(self.scenario.as_of)
    }

    fn dates(&self, milestone: usize) -> Vec<When> {
        self.runs.iter().map(|run| run.dates[milestone]).collect()
    }

    fn dated(&self) -> Vec<Dated> {
        let one = |(place, name)| {
            let mut dates = self.dates(place);
            dates.sort_unstable();
            let confidence = self.scenario.forecast.confidence;
            Dated { name, quantiles: LEVELS.map(|level| estimate(&dates, level, confidence)) }
        };
        self.names().into_iter().enumerate().map(one).collect()
    }

    fn mean(&self, measure: Measure) -> f64 {
        self.mean_of(&|run| run.impact.get(measure))
    }

    fn aside(&self) -> f64 {
        self.mean_of(&|run| f64::from(run.set_aside))
    }

    fn mean_of(&self, number: &dyn Fn(&Run) -> f64) -> f64 {
        let sum: f64 = self.runs.iter().map(|run| number(run)).sum();
        if self.runs.is_empty() { 0.0 } else { sum / self.runs.len() as f64 }
    }
}

fn variant(base: &Side<'_>, other: &Side<'_>, settings: &Settings) -> Variant {
    let (known, names) = (base.names(), other.names());
    let bound = base.scenario.horizon.min(other.scenario.horizon);
    let starts = [base.started(), other.started()];
    let mut milestones = Vec::new();
    for dates in other.dated() {
        let place = |names: &[String]| names.iter().position(|name| *name == dates.name);
        if let (Some(here), Some(there)) = (place(&known), place(&names)) {
            let pair = Pair::of(&base.dates(here), &other.dates(there), bound, starts);
            milestones.push((here, pair.milestone(dates, settings)));
        }
    }
    milestones.sort_by_key(|(here, _)| *here);
    let without = |all: &[String], those: &[String]| all.iter().filter(|name| !those.contains(name)).cloned().collect();
    let pairs = || base.runs.iter().zip(&other.runs);
    let unfinished = pairs().filter(|(before, after)| !(before.is_finished && after.is_finished)).count();
    let measure = |measure: Measure| {
        let differences: Vec<f64> =
            pairs().map(|(before, after)| after.impact.get(measure) - before.impact.get(measure)).collect();
        let (mean, difference) = (other.mean(measure), Shift::of(&differences));
        MeasureShift { measure, mean, difference, unfinished, verdict: Verdict::TooFew }
    };
    Variant {
        milestones: milestones.into_iter().map(|(_, milestone)| milestone).collect(),
        missing: without(&known, &names),
        added: without(&names, &known),
        impact: Measure::ALL.into_iter().map(measure).collect(),
        aside: other.aside(),
        started: other.started(),
        horizon: other.scenario.horizon,
    }
}

/// The dates of one milestone in two cases, replication by replication, as far as both cases look.
struct Pair {
    before: Vec<When>,
    after: Vec<When>,
    bound: Time,
}

impl Pair {
    /// Of two horizons the earlier one ends both: a date that only one of the cases could see says nothing of the other. What had happened
    /// before either starts is told at two instants where the starts are two, and is the same all the same.
    fn of(before: &[When], after: &[When], bound: Time, starts: [Option<Time>; 2]) -> Self {
        let cut = |when: &When| match when {
            When::At(time) if *time >= bound => When::AfterHorizon,
            When::At(_) | When::AfterHorizon | When::Never => *when,
        };
        let had_happened =
            |when: &When, start: Option<Time>| when.time().zip(start).is_some_and(|(at, start)| at <= start);
        let alike = |(before, after): (&When, &When)| {
            let is_past = had_happened(before, starts[0]) && had_happened(after, starts[1]);
            cut(if is_past { before } else { after })
        };
        Self { before: before.iter().map(cut).collect(), after: before.iter().zip(after).map(alike).collect(), bound }
    }

    fn milestone(&self, dates: Dated, settings: &Settings) -> MilestoneShift {
        let times = |side: &[When]| side.iter().map(|when| when.time()).collect::<Vec<Option<Time>>>();
        let (before, after) = (times(&self.before), times(&self.after));
        let shift = Shift::paired(&before, &after, self.bound);
        let verdict =
            if before.iter().chain(&after).all(Option::is_none) { Verdict::InNeither } else { Verdict::TooFew };
        MilestoneShift {
            dates,
            verdict,
            order: self.order(settings.each),
            effective: shift
                .and_then(|shift| effective(&shift, Shift::unpaired(&before, &after, self.bound)?, before.len())),
            shift,
            levels: at_levels(&self.before, &self.after, self.bound, settings.each, &settings.resamples),
        }
    }

    fn order(&self, confidence: Share) -> Order {
        let mut order = Order::default();
        for (before, after) in self.before.iter().zip(&self.after) {
            match (before, after) {
                (When::AfterHorizon, When::AfterHorizon | When::Never) | (When::Never, When::AfterHorizon) => {
                    order.unknown += 1;
                }
                _ if after < before => {
                    order.earlier += 1;
                    order.earlier_by_more += usize::from(before.time().is_none());
                }
                _ if after > before => {
                    order.later += 1;
                    order.later_by_more += usize::from(after.time().is_none());
                }
                _ => order.same += 1,
            }
        }
        let count = self.before.len();
        let (low, _) = wilson(order.earlier, count, confidence);
        let (_, high) = wilson(order.earlier + order.unknown, count, confidence);
        Order { earlier_share: (low, high), ..order }
    }
}

/// The variance of independent samples over that of pairs, in replications; none where pairs leave no doubt.
fn effective(paired: &Shift, unpaired: Shift, count: usize) -> Option<f64> {
    let ratio = (unpaired.error / paired.error).powi(2);
    (paired.error > 0.0).then_some(ratio * count as f64)
}

/// Gives the verdicts: Holm over the variants, for each milestone and each measure by itself.
fn judge(compared: &mut Compared) {
    let alpha = 1.0 - compared.confidence.fraction();
    let names: Vec<String> = compared.base.iter().map(|one| one.name.clone()).collect();
    for name in names {
        let all = compared.variants.iter_mut().flat_map(|one| &mut one.milestones);
        let those = all.filter(|one| one.dates.name == name && one.verdict != Verdict::InNeither);
        let differences = those.map(|one| Difference {
            shift: one.shift,
            may_be_less: one.order.unknown + one.order.earlier_by_more > 0,
            may_be_more: one.order.unknown + one.order.later_by_more > 0,
            verdict: &mut one.verdict,
        });
        judge_together(differences.collect(), alpha);
    }
    for place in 0..Measure::COUNT {
        let all = compared.variants.iter_mut().map(|one| &mut one.impact[place]);
        let differences = all.map(|one| Difference {
            shift: one.difference,
            may_be_less: one.unfinished > 0,
            may_be_more: one.unfinished > 0,
            verdict: &mut one.verdict,
        });
        judge_together(differences.collect(), alpha);
        let all = compared.variants.iter_mut().map(|one| &mut one.impact[place]);
        for one in all.filter(|one| one.verdict == Verdict::Open) {
            one.verdict = Verdict::NotSure;
        }
    }
}

/// What is judged together with others.
struct Difference<'a> {
    shift: Option<Shift>,
    /// Whether some pairs may be less than they count, nobody knows by how much.
    may_be_less: bool,
    /// Whether some may be more.
    may_be_more: bool,
    verdict: &'a mut Verdict,
}

fn judge_together(differences: Vec<Difference<'_>>, alpha: f64) {
    let known: Vec<(Shift, Difference<'_>)> =
        differences.into_iter().filter_map(|one| Some((one.shift?, one))).collect();
    let p_values: Vec<f64> = known.iter().map(|(shift, _)| shift.p_value()).collect();
    for ((shift, one), p) in known.into_iter().zip(holm(&p_values)) {
        *one.verdict = if shift.is_exactly_none() {
            if one.may_be_less || one.may_be_more { Verdict::SameByHorizon } else { Verdict::Same }
        } else if p > alpha {
            Verdict::NotSure
        } else if shift.days > 0.0 {
            // Counting for less than they are, pairs could only make it more sure.
            if one.may_be_less { Verdict::Open } else { Verdict::More }
        } else if one.may_be_more {
            Verdict::Open
        } else {
            Verdict::Less
        };
    }
}

#[cfg(test)]
mod tests;
