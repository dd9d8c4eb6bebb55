//! Several scenarios on the same random numbers: replication after replication, all of them in each.
//!
//! Every draw is keyed by name (see `sim::draw` and `forecast::draw`), so that the cases of one replication have all draws in
//! common that they have at all. They follow each other on one thread: what one of them has drawn, its population above all, the
//! next one uses again where nothing that it depends on differs.

use super::Draw;
use super::draw::uniform;
use super::quantile::When;
use super::replicate::{Amount, Batches, Watch, replicate};
use crate::scenario::Scenario;
use crate::sim::{HeadOutcome, Outcome, RunId};

/// A scenario among others.
pub struct Case<'a> {
    /// The scenario with every input at its middle.
    pub middle: &'a Scenario,
    /// Whether it has uncertain inputs.
    pub is_uncertain: bool,
    /// The scenario with its uncertain inputs drawn: it is given a number between 0 and 1 for each key.
    pub realise: &'a (dyn Fn(&Draw<'_>) -> Scenario + Sync),
}

/// What one replication of a case came to, as far as cases are held against each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// When each of the case's milestones was reached, by its place in `Scenario::milestones`.
    pub dates: Vec<When>,
    /// What users went through.
    pub impact: Impact,
    /// Mailboxes that were left on the heads because they were set aside.
    pub set_aside: u32,
    /// Whether it came to its end; else the horizon cut it off, and `impact` is the least that users go through.
    pub is_finished: bool,
}

/// What is measured of what users go through, in one replication and over all heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Minutes in which users of a head waited longer than the objective.
    MinutesAbove,
    /// Of these, those that the migration has caused: less those in which they would have at the same instant without it.
    MinutesAboveCaused,
    /// Hours in which a head was out while mailboxes lived on it.
    OutageHours,
    /// Mailbox-hours on a head that was out.
    MailboxHoursOut,
    /// The same as expected from the hazard, the mean repair and the mailboxes still there: without the luck of the draw.
    MailboxHoursOutExpected,
    /// Mailbox-hours on the heads: how long how many mailboxes were at risk.
    MailboxHoursAtRisk,
    /// Hours for which switches locked users out.
    HoldHours,
}

impl Measure {
    /// How many there are.
    pub const COUNT: usize = 7;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::MinutesAboveCaused,
        Self::MinutesAbove,
        Self::OutageHours,
        Self::MailboxHoursOut,
        Self::MailboxHoursOutExpected,
        Self::MailboxHoursAtRisk,
        Self::HoldHours,
    ];

    /// The measure that has this name in data files.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// The name in data files, with its unit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MinutesAbove => "minutes_above_objective",
            Self::MinutesAboveCaused => "minutes_above_objective_by_migration",
            Self::OutageHours => "outage_hours",
            Self::MailboxHoursOut => "mailbox_hours_down",
            Self::MailboxHoursOutExpected => "expected_mailbox_hours_down",
            Self::MailboxHoursAtRisk => "mailbox_hours_at_risk",
            Self::HoldHours => "hold_hours",
        }
    }
}

/// What users went through in one replication, by `Measure`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impact([f64; Measure::COUNT]);

impl Impact {
    fn of(outcome: &Outcome) -> Self {
        let sum = |of: fn(&HeadOutcome) -> f64| outcome.heads.iter().map(of).sum::<f64>();
        let mut impact = Self::default();
        for measure in Measure::ALL {
            impact.0[measure as usize] = match measure {
                Measure::MinutesAbove => sum(|head| head.minutes_above),
                Measure::MinutesAboveCaused => sum(|head| head.minutes_above - head.minutes_above_alone),
                Measure::OutageHours => sum(|head| head.outage_hours),
                Measure::MailboxHoursOut => sum(|head| head.mailbox_hours_down),
                Measure::MailboxHoursOutExpected => sum(|head| head.expected_mailbox_hours_down),
                Measure::MailboxHoursAtRisk => sum(|head| head.mailbox_hours_at_risk),
                Measure::HoldHours => outcome.locked_s / 3_600.0,
            };
        }
        impact
    }

    /// One measure of this size, and nothing else.
    #[cfg(test)]
    pub(crate) fn with(measure: Measure, amount: f64) -> Self {
        let mut impact = Self::default();
        impact.0[measure as usize] = amount;
        impact
    }

    /// All measures, by `Measure`.
    #[must_use]
    pub const fn all(&self) -> &[f64; Measure::COUNT] {
        &self.0
    }

    /// The same back.
    #[must_use]
    pub const fn from_all(all: [f64; Measure::COUNT]) -> Self {
        Self(all)
    }

    /// One measure.
    #[must_use]
    pub const fn get(&self, measure: Measure) -> f64 {
        self.0[measure as usize]
    }
}

impl Run {
    /// What is kept of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let when = |reached: &Option<crate::units::Time>| match (*reached, outcome.unfinished) {
            (Some(time), _) => When::At(time),
            (None, Some(_)) => When::AfterHorizon,
            (None, None) => When::Never,
        };
        Self {
            dates: outcome.reached.iter().map(when).collect(),
            impact: Impact::of(outcome),
            set_aside: outcome.heads.iter().map(|head| head.set_aside).sum(),
            is_finished: outcome.unfinished.is_none(),
        }
    }
}

/// How a scenario is simulated; `W` is what a thread keeps between simulations.
pub type Simulate<'a, W> = dyn Fn(&Scenario, RunId, &mut W) -> Outcome + Sync + 'a;

/// Replications `0, 1, ...` of every case, with the draws of one seed: a run for each case, in their order.
#[must_use]
pub fn simulate<W: Default + Send>(
    cases: &[Case<'_>],
    seed: u64,
    replications: u32,
    simulate: &Simulate<'_, W>,
    watch: Watch<'_>,
) -> Batches<Vec<Run>> {
    simulate_from(cases, seed, (0, replications), simulate, watch)
}

/// The same from one replication on, so many of them: what was simulated earlier need not be again.
#[must_use]
pub fn simulate_from<W: Default + Send>(
    cases: &[Case<'_>],
    seed: u64,
    replications: (u32, u32),
    simulate: &Simulate<'_, W>,
    watch: Watch<'_>,
) -> Batches<Vec<Run>> {
    simulate_keeping(cases, seed, replications, simulate, &|_, outcome| Run::of(&outcome), watch)
}

/// The same, keeping what `keep` makes of a case, by its place, and its outcome.
#[must_use]
pub fn simulate_keeping<W: Default + Send, T: Send>(
    cases: &[Case<'_>],
    seed: u64,
    (first, replications): (u32, u32),
    simulate: &Simulate<'_, W>,
    keep: &(dyn Fn(usize, Outcome) -> T + Sync),
    watch: Watch<'_>,
) -> Batches<Vec<T>> {
    let one = |number: u32, kept: &mut W| {
        let run = RunId { seed, replication: first.saturating_add(number) };
        let of_case = |(place, case): (usize, &Case<'_>)| {
            let drawn = case.is_uncertain.then(|| (case.realise)(&|key| uniform(run, key)));
            keep(place, simulate(drawn.as_ref().unwrap_or(case.middle), run, kept))
        };
        cases.iter().enumerate().map(of_case).collect()
    };
    replicate(Amount::exactly(replications), watch, &one, &|_| true)
}
