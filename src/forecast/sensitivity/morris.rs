//! Elementary effects: how far a model moves when one input after the other takes a step.
//!
//! Morris, Technometrics 33:161, 1991, with the mean of the effects' sizes of Campolongo, Cariboni and Saltelli, Environmental
//! Modelling & Software 22:1509, 2007. It tells inputs that matter from those that do not, with a few simulations an input; how much of a
//! variance each causes it does not tell.
//!
//! Of an input's probability there are four levels, where Morris has 0, 1/3, 2/3 and 1: a distribution without ends has no value there. The step
//! is as much longer than half of the whole as it is in his design: one of exactly half sees nothing of what comes back to itself after half,
//! as the second input of Ishigami's function does.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Dxsm;

use super::{Part, bootstrap};
use crate::units::Share;

/// With fewer trajectories nothing is said: no resampling of a handful holds a mean as often as it says, and of four not even their whole
/// range does.
pub const FEWEST: u32 = 8;
/// Levels of an input, as shares of its probability.
const LEVELS: [f64; 4] = [0.05, 0.35, 0.65, 0.95];
/// Levels of a step. Half of all of them: from each level there is one way to go, and all levels are as likely.
const JUMP: usize = LEVELS.len() / 2;

/// The share of an input's probability that a step goes.
pub const STEP: f64 = LEVELS[JUMP] - LEVELS[0];

/// A way through the inputs' space on which each of them takes one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// The points: one more than there are inputs.
    pub points: Vec<Vec<f64>>,
    /// The input that moves from one point to the next.
    pub moved: Vec<usize>,
}

/// What the steps of an input do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The mean of the effects' sizes (mu*): whether the input matters.
    pub size: Part,
    /// The mean of the effects (mu): which way, as the input rises.
    pub mean: Part,
    /// The standard deviation of the effects (sigma): whether it is another one elsewhere, since the model bends or the input acts with others.
    pub deviation: Part,
    /// Whether every effect goes one way: upwards, downwards, or is nothing.
    pub way: Way,
}

/// Where a model goes as an input rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Not one step has moved it.
    Nowhere,
    /// Never down.
    Up,
    /// Never up.
    Down,
    /// Up with some steps, down with others.
    Both,
}

/// So many ways, each with its start and its order drawn at random.
#[must_use]
pub fn trajectories(inputs: usize, count: u32, seed: u64) -> Vec<Trajectory> {
    let mut draws = Pcg64Dxsm::new(u128::from(seed), 0x0e1e_3e27);
    let at = |levels: &[usize]| levels.iter().map(|level| LEVELS[*level]).collect();
    let one = |_| {
        let mut levels: Vec<usize> = (0..inputs).map(|_| draws.random_range(0..LEVELS.len())).collect();
        let mut moved: Vec<usize> = (0..inputs).collect();
        moved.shuffle(&mut draws);
        let mut points = vec![at(&levels)];
        for input in &moved {
            levels[*input] = (levels[*input] + JUMP) % LEVELS.len();
            points.push(at(&levels));
        }
        Trajectory { points, moved }
    };
    (0..count).map(one).collect()
}

/// The effect of each input on a way, from the model's outputs at its points: what a step up does, divided by the step's length.
#[must_use]
pub fn effects(trajectory: &Trajectory, outputs: &[f64], step: f64) -> Vec<f64> {
    let mut effects = vec![0.0; trajectory.moved.len()];
    for (place, input) in trajectory.moved.iter().enumerate() {
        let (before, after) = (&trajectory.points[place], &trajectory.points[place + 1]);
        let moved = outputs[place + 1] - outputs[place];
        effects[*input] = if after[*input] > before[*input] { moved } else { -moved } / step;
    }
    effects
}

/// What the effects of one input say, with bootstrap intervals over the trajectories. That of the deviation is too narrow where there are few.
#[must_use]
pub fn effect(effects: &[f64], seed: u64, confidence: Share) -> Effect {
    let sizes: Vec<f64> = effects.iter().map(|one| one.abs()).collect();
    let deviation = |rows: &mut dyn Iterator<Item = usize>| {
        let sample: Vec<f64> = rows.map(|row| effects[row]).collect();
        let mean = sample.iter().sum::<f64>() / sample.len() as f64;
        (sample.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (sample.len() as f64 - 1.0)).sqrt()
    };
    let way = match (effects.iter().any(|one| *one > 0.0), effects.iter().any(|one| *one < 0.0)) {
        (false, false) => Way::Nowhere,
        (true, false) => Way::Up,
        (false, true) => Way::Down,
        (true, true) => Way::Both,
    };
    Effect {
        size: mean(&sizes, seed, confidence),
        mean: mean(effects, seed, confidence),
        deviation: bootstrap(effects.len(), (seed, STREAM), confidence, &deviation),
        way,
    }
}

/// Of the generator that resamples trajectories.
const STREAM: u128 = 0x3e5a_3b1e;

/// A mean with its bootstrap interval.
pub(super) fn mean(sample: &[f64], seed: u64, confidence: Share) -> Part {
    let of = |rows: &mut dyn Iterator<Item = usize>| rows.map(|row| sample[row]).sum::<f64>() / sample.len() as f64;
    bootstrap(sample.len(), (seed, STREAM), confidence, &of)
}
