//! Which inputs move the awaited date: screening by elementary effects where there are many of them, and shares of the variance.
//!
//! An input is a number between 0 and 1, from which the scenario makes a value by the input's own distribution; what is correlated
//! is made of such numbers, which are independent. The date is counted in days since the start; one at or after the horizon,
//! or that is never reached, counts as the horizon, and how many do is told. Chance, the draws of the simulation itself, is one more
//! cause: what is compared with each other has the same replication's draws, and what chance does is found by drawing it anew.

pub mod morris;
pub mod sobol;

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::RngExt as _;
use rand_pcg::Pcg64Dxsm;
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use super::draw::uniform;
use super::explain::awaited_place;
use super::replicate::{Amount, Watch, replicate};
use super::shares::{Cause, CauseShare, NotEstimable};
use super::{Draw, Inputs};
use crate::sim::RunId;
use crate::units::Share;
use morris::Effect;

/// Resamples for an interval.
const RESAMPLES: usize = 1_000;
/// What is drawn a second time has the numbers of replications from here on, which no forecast reaches.
pub(super) const SECOND: u32 = 1 << 31;

/// An estimate with its bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The estimate; that of a share may lie outside of 0 and 1.
    pub value: f64,
    /// The low end of the interval.
    pub low: f64,
    /// The high end of the interval.
    pub high: f64,
}

/// What a screening has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Screening {
    /// Trajectories that are complete.
    pub trajectories: usize,
    /// Trajectories that were asked for.
    pub asked: usize,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// Simulations whose date counts as the horizon.
    pub bounded: usize,
    /// Whether some of the inputs are correlated.
    pub is_correlated: bool,
    /// The inputs, in the scenario's order, and chance.
    pub found: Result<Screened, NotEstimable>,
}

/// How the date moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Screened {
    /// By key, in days a step.
    pub inputs: Vec<(String, Effect)>,
    /// By how many days it moves, in the mean and either way, when all of chance is drawn anew.
    pub chance: Part,
}

/// The shares of the variance of a date.
#[derive(Clone, Debug, PartialEq)]
pub struct Indices {
    /// Rows of the sample that are complete.
    pub rows: usize,
    /// Rows that were asked for.
    pub asked: usize,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// Simulations whose date counts as the horizon.
    pub bounded: usize,
    /// Standard deviation of the date, in days.
    pub deviation_days: f64,
    /// By cause, chance last.
    pub causes: Result<Vec<CauseShare>, NotEstimable>,
}

/// Simulations of a screening.
#[must_use]
pub fn screening_size<W>(inputs: &Inputs<'_, W>, trajectories: u32) -> u32 {
    trajectories.saturating_mul(inputs.uncertain.iter().flatten().count() as u32 + 2)
}

/// Simulations of indices.
#[must_use]
pub fn indices_size<W>(inputs: &Inputs<'_, W>, rows: u32) -> u32 {
    rows.saturating_mul(inputs.uncertain.len() as u32 + 3)
}

/// Moves one input after the other, along so many trajectories. Each of them has a replication of its own, so that the means are
/// over chance too; at its end chance is drawn anew.
#[must_use]
pub fn screen<W: Default + Send>(inputs: &Inputs<'_, W>, trajectories: u32, watch: Watch<'_>) -> Screening {
    let settings = inputs.middle.forecast;
    let keys: Vec<&str> = inputs.uncertain.iter().flatten().map(String::as_str).collect();
    let walks = morris::trajectories(keys.len(), trajectories, settings.seed);
    let dates = Dates::new(inputs);
    let one = |number: u32, kept: &mut W| -> Vec<f64> {
        let walk = &walks[number as usize];
        let at = |point: &[f64], replication: u32, kept: &mut W| {
            let number = |key: &str| keys.iter().position(|known| *known == key).map(|place| point[place]);
            dates.of(&number, replication, kept)
        };
        let mut days: Vec<f64> = walk.points.iter().map(|point| at(point, number, kept)).collect();
        days.extend(walk.points.last().map(|last| at(last, number + SECOND, kept)));
        days
    };
    let done = replicate(Amount::exactly(trajectories), watch, &one, &|_| true);
    let many = done.done.len();
    let found = if many < morris::FEWEST as usize {
        Err(NotEstimable::TooFew)
    } else {
        let effects: Vec<Vec<f64>> =
            walks.iter().zip(&done.done).map(|(walk, days)| morris::effects(walk, days, 1.0)).collect();
        let of = |(place, key): (usize, &&str)| {
            let mine: Vec<f64> = effects.iter().map(|one| one[place]).collect();
            ((*key).to_owned(), morris::effect(&mine, settings.seed.wrapping_add(place as u64), settings.confidence))
        };
        let anew: Vec<f64> = done.done.iter().map(|days| (days[keys.len() + 1] - days[keys.len()]).abs()).collect();
        let chance = morris::mean(&anew, settings.seed, settings.confidence);
        Ok(Screened { inputs: keys.iter().enumerate().map(of).collect(), chance })
    };
    Screening {
        trajectories: many,
        asked: trajectories as usize,
        interrupted: done.interrupted,
        bounded: dates.bounded(),
        is_correlated: inputs.uncertain.iter().any(|keys| keys.len() > 1),
        found,
    }
}

/// Finds what each input, and chance, has in the variance of the date, from so many rows. Inputs that are correlated are one cause.
#[must_use]
pub fn indices<W: Default + Send>(inputs: &Inputs<'_, W>, rows: u32, watch: Watch<'_>) -> Indices {
    let settings = inputs.middle.forecast;
    let keys: Vec<(&str, usize)> = inputs
        .uncertain
        .iter()
        .enumerate()
        .flat_map(|(group, keys)| keys.iter().map(move |key| (key.as_str(), group)))
        .collect();
    let groups = inputs.uncertain.len();
    let dates = Dates::new(inputs);
    let one = |row: u32, kept: &mut W| {
        let [first, second] = sobol::row(row, keys.len(), settings.seed);
        // The causes of which the second sample's numbers are taken, by whether it is theirs.
        let mut at = |of_second: &dyn Fn(usize) -> bool| {
            let number = |key: &str| {
                let place = keys.iter().position(|(known, _)| *known == key)?;
                Some(if of_second(keys[place].1) { second[place] } else { first[place] })
            };
            dates.of(&number, if of_second(groups) { row + SECOND } else { row }, kept)
        };
        // Those with the same chance follow each other: a thread draws the same mailboxes only once.
        let of_first = at(&|_| false);
        let mixed = (0..=groups).map(|cause| at(&|known| known == cause)).collect();
        sobol::Row { first: of_first, second: at(&|_| true), mixed }
    };
    let done = replicate(Amount::exactly(rows), watch, &one, &|_| true);
    let found = sobol::indices(&done.done, settings.seed, settings.confidence);
    let causes = inputs.uncertain.iter().cloned().map(Cause::Inputs).chain([Cause::Chance]);
    let share = |(cause, (alone, in_all))| CauseShare { cause, alone, in_all };
    Indices {
        rows: done.done.len(),
        asked: rows as usize,
        interrupted: done.interrupted,
        bounded: dates.bounded(),
        deviation_days: sobol::variance(&done.done).sqrt(),
        causes: found.map(|found| causes.zip(found).map(share).collect()),
    }
}

/// Simulates the awaited date for some inputs.
struct Dates<'a, 'b, W> {
    inputs: &'a Inputs<'b, W>,
    place: Option<usize>,
    bounded: AtomicUsize,
}

impl<'a, 'b, W> Dates<'a, 'b, W> {
    fn new(inputs: &'a Inputs<'b, W>) -> Self {
        Self { inputs, place: awaited_place(inputs.middle), bounded: AtomicUsize::new(0) }
    }

    /// Days from the start to the date, with the numbers that are given and the draws of a replication for all else.
    fn of(&self, number: &dyn Fn(&str) -> Option<f64>, replication: u32, kept: &mut W) -> f64 {
        let middle = self.inputs.middle;
        let run = RunId { seed: middle.forecast.seed, replication };
        let draw: &Draw<'_> = &|key| number(key).unwrap_or_else(|| uniform(run, key));
        let outcome = (self.inputs.simulate)(&(self.inputs.realise)(draw), run, kept);
        let reached = self.place.and_then(|place| outcome.reached[place]);
        let date = reached.filter(|date| *date < middle.horizon);
        if date.is_none() {
            self.bounded.fetch_add(1, Ordering::Relaxed);
        }
        date.unwrap_or(middle.horizon).since(middle.as_of).days()
    }

    fn bounded(self) -> usize {
        self.bounded.into_inner()
    }
}

/// A statistic of rows with its percentile interval over resamples of them; it is given the numbers of the rows that it is of.
///
/// Resamples of few rows spread less than new rows would: the percentiles lie as much further out as makes a mean's interval as wide as
/// Student's (the expanded percentile interval; Hesterberg, The American Statistician 69:371, 2015).
pub(super) fn bootstrap(
    rows: usize,
    (seed, stream): (u64, u128),
    confidence: Share,
    statistic: &dyn Fn(&mut dyn Iterator<Item = usize>) -> f64,
) -> Part {
    let value = statistic(&mut (0..rows));
    let mut draws = Pcg64Dxsm::new(u128::from(seed), stream);
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| statistic(&mut (0..rows).map(|_| draws.random_range(0..rows))))
        .filter(|one| one.is_finite())
        .collect();
    resampled.sort_unstable_by(f64::total_cmp);
    let tail = expanded((1.0 - confidence.fraction()) / 2.0, rows);
    let at = |share: f64| {
        let place = (share * (resampled.len() as f64 - 1.0)).round();
        resampled.get(place as usize).copied().unwrap_or(value)
    };
    Part { value, low: at(tail), high: at(1.0 - tail) }
}

/// The share that a percentile leaves outside so that a mean of so many rows has on that side what `tail` says.
fn expanded(tail: f64, rows: usize) -> f64 {
    let rows = rows as f64;
    let Ok(student) = StudentsT::new(0.0, 1.0, rows - 1.0) else { return tail };
    Normal::standard().cdf(student.inverse_cdf(tail) * (rows / (rows - 1.0)).sqrt())
}

#[cfg(test)]
mod salib;
#[cfg(test)]
mod tests;
