use std::f64::consts::PI;
use std::sync::atomic::AtomicBool;

use super::super::testing::{after, outcome, scenario};
use super::*;
use crate::forecast::shares::FEWEST;
use crate::scenario::Scenario;
use morris::{Trajectory, Way};

pub(super) const CONFIDENCE: Share = Share::from_ppm(950_000);

/// Ishigami's function of numbers between 0 and 1; a is 7, b is 0.1.
pub(super) fn ishigami(point: &[f64]) -> f64 {
    let [one, two, three] = [point[0], point[1], point[2]].map(|u| PI * (2.0 * u - 1.0));
    one.sin() + 7.0 * two.sin().powi(2) + 0.1 * three.powi(4) * one.sin()
}

const G: [f64; 8] = [0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0];

/// Sobol's g-function.
pub(super) fn g(point: &[f64]) -> f64 {
    point.iter().zip(G).map(|(x, a)| ((4.0 * x - 2.0).abs() + a) / (1.0 + a)).product()
}

/// Its first-order and total indices, by formula.
fn g_indices() -> Vec<(f64, f64)> {
    let own = G.map(|a| 1.0 / (3.0 * (1.0 + a) * (1.0 + a)));
    let all: f64 = own.iter().map(|one| 1.0 + one).product();
    own.iter().map(|one| (one / (all - 1.0), one * all / (1.0 + one) / (all - 1.0))).collect()
}

/// Morris' own function of twenty inputs, of which the first ten matter.
pub(super) fn morris_function(point: &[f64]) -> f64 {
    let w = |at: usize| {
        let x = point[at];
        if matches!(at, 2 | 4 | 6) { 2.0 * (1.1 * x / (x + 0.1) - 0.5) } else { 2.0 * (x - 0.5) }
    };
    let sign = |at: usize| if at.is_multiple_of(2) { 1.0 } else { -1.0 };
    let mut sum = 0.0;
    for one in 0..20 {
        sum += if one < 10 { 20.0 } else { sign(one + 1) } * w(one);
        for two in one + 1..20 {
            sum += if two < 6 { -15.0 } else { sign(one + two) } * w(one) * w(two);
            for three in two + 1..5 {
                sum -= 10.0 * w(one) * w(two) * w(three);
                sum += (three + 1..4).map(|four| 5.0 * w(one) * w(two) * w(three) * w(four)).sum::<f64>();
            }
        }
    }
    sum
}

/// A model's outputs for the rows of both samples.
pub(super) fn rows(model: &dyn Fn(&[f64]) -> f64, inputs: usize, count: u32, seed: u64) -> Vec<sobol::Row> {
    let row = |number| {
        let [first, second] = sobol::row(number, inputs, seed);
        let mixed = |input: usize| {
            let mut point = first.clone();
            point[input] = second[input];
            model(&point)
        };
        sobol::Row { first: model(&first), second: model(&second), mixed: (0..inputs).map(mixed).collect() }
    };
    (0..count).map(row).collect()
}

/// The effects of each input along some trajectories.
pub(super) fn effects(model: &dyn Fn(&[f64]) -> f64, walks: &[Trajectory], step: f64) -> Vec<Vec<f64>> {
    let of = |walk: &Trajectory| {
        let outputs: Vec<f64> = walk.points.iter().map(|point| model(point)).collect();
        morris::effects(walk, &outputs, step)
    };
    let all: Vec<Vec<f64>> = walks.iter().map(of).collect();
    (0..walks[0].moved.len()).map(|input| all.iter().map(|one| one[input]).collect()).collect()
}

fn near(found: &[f64], wanted: &[f64], within: f64) {
    let off = found.iter().zip(wanted).map(|(found, wanted)| (found - wanted).abs()).fold(0.0, f64::max);
    assert!(found.len() == wanted.len() && off < within, "{found:?}, not {wanted:?}");
}

#[test]
fn ishigamis_function_has_its_analytic_indices() {
    let rows = rows(&ishigami, 3, 4_096, 1);
    let found = sobol::indices(&rows, 1, CONFIDENCE).unwrap();
    near(&found.iter().map(|one| one.0.value).collect::<Vec<_>>(), &[0.3139, 0.4424, 0.0], 0.01);
    near(&found.iter().map(|one| one.1.value).collect::<Vec<_>>(), &[0.5576, 0.4424, 0.2437], 0.01);
    assert!((sobol::variance(&rows) - 13.844_6).abs() < 0.2, "{}", sobol::variance(&rows));
    for (alone, in_all) in found {
        for part in [alone, in_all] {
            assert!(part.low <= part.value && part.value <= part.high && part.high - part.low < 0.2, "{part:?}");
        }
    }
}

#[test]
fn sobols_g_function_has_its_analytic_indices() {
    let found = sobol::indices(&rows(&g, 8, 2_048, 3), 1, CONFIDENCE).unwrap();
    let wanted = g_indices();
    assert!((wanted[0].0 - 0.7165).abs() < 1e-3, "the formula itself: {wanted:?}");
    for (found, wanted) in found.iter().zip(wanted) {
        near(&[found.0.value, found.1.value], &[wanted.0, wanted.1], 0.01);
    }
}

/// The intervals take rows as independent, which a Sobol sequence's are not: they may be too wide, and not too narrow.
#[test]
fn intervals_contain_the_truth_at_least_about_as_often_as_they_say() {
    let wanted = [(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)];
    let repeats = 60;
    let mut hits = [0_u32; 2];
    for seed in 0..repeats {
        let found = sobol::indices(&rows(&ishigami, 3, 128, u64::from(seed) * 7 + 1), 1, CONFIDENCE).unwrap();
        for (found, wanted) in found.iter().zip(wanted) {
            hits[0] += u32::from(found.0.low <= wanted.0 && wanted.0 <= found.0.high);
            hits[1] += u32::from(found.1.low <= wanted.1 && wanted.1 <= found.1.high);
        }
    }
    assert!(hits.iter().all(|hit| *hit * 100 >= 88 * 3 * repeats), "{hits:?} of {}", 3 * repeats);
}

#[test]
fn samples_lie_within_the_range_and_have_nothing_in_common() {
    let all: Vec<[Vec<f64>; 2]> = (0..64).map(|number| sobol::row(number, 3, 5)).collect();
    for [first, second] in &all {
        assert!(first.len() == 3 && first.iter().chain(second).all(|u| 0.0 < *u && *u < 1.0) && first != second);
    }
    for sample in 0..2 {
        for input in 0..3 {
            for quarter in 0..4 {
                let is_in = |one: &&[Vec<f64>; 2]| (one[sample][input] * 4.0) as u32 == quarter;
                assert_eq!(all.iter().filter(is_in).count(), 16);
            }
        }
    }
}

#[test]
fn each_input_takes_one_step_on_a_trajectory() {
    for walk in morris::trajectories(7, 50, 3) {
        let mut moved = walk.moved.clone();
        moved.sort_unstable();
        assert_eq!(moved, (0..7).collect::<Vec<_>>());
        for (place, input) in walk.moved.iter().enumerate() {
            for other in 0..7 {
                let step = (walk.points[place + 1][other] - walk.points[place][other]).abs();
                assert!((step - if other == *input { morris::STEP } else { 0.0 }).abs() < 1e-12);
            }
        }
        assert!(walk.points.iter().flatten().all(|u| [0.05, 0.35, 0.65, 0.95].contains(u)));
    }
    assert_eq!(morris::trajectories(4, 20, 9)[..5], morris::trajectories(4, 5, 9));
    assert_ne!(morris::trajectories(4, 5, 9), morris::trajectories(4, 5, 8));
}

#[test]
fn a_straight_model_has_its_slopes_and_nothing_else() {
    let walks = morris::trajectories(3, 12, 1);
    let found = effects(&|x| 3.0 * x[0] - 2.0 * x[1], &walks, morris::STEP);
    let found: Vec<Effect> = found.iter().map(|one| morris::effect(one, 1, CONFIDENCE)).collect();
    near(&found.iter().map(|one| one.mean.value).collect::<Vec<_>>(), &[3.0, -2.0, 0.0], 1e-12);
    near(&found.iter().map(|one| one.size.value).collect::<Vec<_>>(), &[3.0, 2.0, 0.0], 1e-12);
    assert!(found.iter().all(|one| one.deviation.value < 1e-9 && one.deviation.high < 1e-9), "{found:?}");
    assert_eq!(found.iter().map(|one| one.way).collect::<Vec<_>>(), [Way::Up, Way::Down, Way::Nowhere]);
}

/// Of x y the effect of x is y, which has four values: its mean and its deviation are known.
#[test]
fn inputs_that_act_together_show_in_the_deviation() {
    let walks = morris::trajectories(2, 4_000, 1);
    let found = effects(&|x| (x[0] - 0.5) * (x[1] - 0.5), &walks, morris::STEP);
    for one in found {
        let one = morris::effect(&one, 1, CONFIDENCE);
        near(&[one.mean.value, one.size.value, one.deviation.value], &[0.0, 0.3, 0.112_5_f64.sqrt()], 0.02);
        assert_eq!(one.way, Way::Both);
        assert!(one.size.low < 0.3 && 0.3 < one.size.high && one.size.high - one.size.low < 0.02, "{one:?}");
    }
}

#[test]
fn morris_own_function_has_its_ten_inputs_that_matter() {
    let found = effects(&morris_function, &morris::trajectories(20, 20, 1), morris::STEP);
    let found: Vec<Effect> = found.iter().map(|one| morris::effect(one, 1, CONFIDENCE)).collect();
    let least = found[..10].iter().map(|one| one.size.low).fold(f64::INFINITY, f64::min);
    let most = found[10..].iter().map(|one| one.size.high).fold(0.0, f64::max);
    assert!(least > 2.0 * most, "{least} {most}");
    // The eighth to the tenth are straight, the first to the seventh bend or act with others.
    for (place, one) in found[..10].iter().enumerate() {
        let is_straight = one.deviation.value < 0.3 * one.size.value;
        assert_eq!(is_straight, place >= 7, "{place}: {one:?}");
    }
}

/// The screening and the indices of a date that a formula gives, in days, of the inputs' numbers and of chance's.
fn found(
    groups: &[&[&str]],
    (trajectories, count): (u32, u32),
    day: &(dyn Fn(&[f64], f64) -> Option<f64> + Sync),
) -> (Screening, Indices) {
    let (middle, stop) = (scenario(), AtomicBool::new(false));
    let uncertain: Vec<Vec<String>> =
        groups.iter().map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()).collect();
    let simulate = |scenario: &Scenario, run: RunId, (): &mut ()| {
        let drawn: Vec<f64> = scenario.name.split(' ').filter_map(|word| word.parse().ok()).collect();
        let mut outcome = outcome(run.replication, 30.0);
        *outcome.reached.last_mut().unwrap() = day(&drawn, uniform(run, "chance")).map(after);
        outcome
    };
    let realise = |draw: &Draw<'_>| {
        let drawn: Vec<String> = uncertain.iter().flatten().map(|key| format!("{:.17}", draw(key))).collect();
        Scenario { name: drawn.join(" "), ..middle.clone() }
    };
    let inputs = Inputs { middle: &middle, uncertain: uncertain.clone(), realise: &realise, simulate: &simulate };
    let watch = Watch { stop: &stop, progress: &|_, _| {} };
    (screen(&inputs, trajectories, watch), indices(&inputs, count, watch))
}

#[test]
fn chance_is_a_cause_like_any_other() {
    // Ishigami's third input is chance.
    let (screening, indices) = found(&[&["one"], &["two"]], (200, 4_096), &|drawn, chance| {
        Some(20.0 + ishigami(&[drawn[0], drawn[1], chance]))
    });
    let causes = indices.causes.unwrap();
    let of = |part: fn(&CauseShare) -> f64| causes.iter().map(part).collect::<Vec<_>>();
    near(&of(|one| one.alone.value), &[0.3139, 0.4424, 0.0], 0.03);
    near(&of(|one| one.in_all.value), &[0.5576, 0.4424, 0.2437], 0.03);
    assert_eq!(causes[2].cause, Cause::Chance);
    assert!((indices.deviation_days - 13.844_6_f64.sqrt()).abs() < 0.05, "{}", indices.deviation_days);
    assert_eq!((indices.rows, indices.bounded, indices.interrupted), (4_096, 0, false));
    let screened = screening.found.unwrap();
    assert_eq!(screened.inputs.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    // The second input comes back to itself after half of its range: a step of that would see nothing.
    assert!(screened.inputs.iter().all(|one| one.1.size.low > 0.5) && screened.chance.low > 0.0, "{screened:?}");
}

/// How often, in per cent, the intervals of so many trajectories hold the mean size of the effects of which `draw` gives one, and their
/// deviation: of 300 samples.
fn holds(many: usize, draw: &dyn Fn(&mut Pcg64Dxsm) -> f64) -> [f64; 2] {
    let mut random = Pcg64Dxsm::new(11, many as u128);
    let all: Vec<f64> = (0..60_000).map(|_| draw(&mut random)).collect();
    let mean = |of: &dyn Fn(f64) -> f64| all.iter().map(|one| of(*one)).sum::<f64>() / all.len() as f64;
    let (size, middle) = (mean(&f64::abs), mean(&|one| one));
    let deviation = mean(&|one| (one - middle).powi(2)).sqrt();
    let mut held = [0.0; 2];
    for trial in 0..300 {
        let sample: Vec<f64> = (0..many).map(|_| draw(&mut random)).collect();
        let effect = morris::effect(&sample, trial, CONFIDENCE);
        for (held, (part, truth)) in held.iter_mut().zip([(effect.size, size), (effect.deviation, deviation)]) {
            *held += f64::from(u8::from(part.low <= truth && truth <= part.high)) / 3.0;
        }
    }
    held
}

#[test]
fn the_fewest_trajectories_hold_a_mean_nearly_as_often_as_they_say() {
    let normal = |random: &mut Pcg64Dxsm| (0..12).map(|_| random.random_range(-0.5..0.5)).sum::<f64>();
    let always_up = |random: &mut Pcg64Dxsm| 3.0 + normal(random);
    let skewed = |random: &mut Pcg64Dxsm| -random.random_range(1e-12..1.0_f64).ln();
    let few = morris::FEWEST as usize;
    for (many, draw, least) in [
        (few, &always_up as &dyn Fn(&mut Pcg64Dxsm) -> f64, [92.0, 72.0]),
        (few, &skewed, [86.0, 50.0]),
        (20, &skewed, [89.0, 66.0]),
    ] {
        let held = holds(many, draw);
        println!("{many}: {held:?}");
        assert!(held.iter().zip(least).all(|(held, least)| *held >= least), "{many}: {held:?} for {least:?}");
    }
}

#[test]
fn what_does_nothing_has_effects_and_a_total_share_of_exactly_nothing() {
    let (screening, indices) = found(&[&["one"], &["two"]], (30, 64), &|drawn, chance| Some(20.0 + drawn[0] + chance));
    let screened = screening.found.unwrap();
    assert_eq!(screened.inputs[1].1.way, Way::Nowhere);
    assert_eq!(screened.inputs[0].1.way, Way::Up);
    assert!((screened.inputs[0].1.size.value - morris::STEP).abs() < 1e-6, "days a step: {screened:?}");
    let causes = indices.causes.unwrap();
    assert!(
        causes[1].in_all.value == 0.0 && causes[0].in_all.value > 0.3 && causes[2].in_all.value > 0.3,
        "{causes:?}"
    );
}

#[test]
fn correlated_inputs_are_one_cause_of_the_variance_and_each_is_screened() {
    let (screening, indices) =
        found(&[&["a", "b"], &["c"]], (20, 512), &|drawn, _| Some(20.0 + drawn[0] + drawn[1] + drawn[2]));
    assert_eq!(screening.found.unwrap().inputs.len(), 3);
    let causes = indices.causes.unwrap();
    assert_eq!(causes[0].cause, Cause::Inputs(vec!["a".into(), "b".into()]));
    near(&causes.iter().map(|one| one.alone.value).collect::<Vec<_>>(), &[2.0 / 3.0, 1.0 / 3.0, 0.0], 0.03);
}

#[test]
fn too_few_and_no_spread_are_said_and_dates_beyond_the_horizon_are_counted() {
    let (screening, indices) = found(&[&["one"]], (morris::FEWEST - 1, FEWEST - 1), &|drawn, _| Some(20.0 + drawn[0]));
    assert_eq!(screening.found, Err(NotEstimable::TooFew));
    assert_eq!(indices.causes, Err(NotEstimable::TooFew));
    let (screening, indices) = found(&[&["one"]], (8, 16), &|_, _| None);
    assert_eq!(indices.causes, Err(NotEstimable::NoSpread));
    assert_eq!((screening.bounded, indices.bounded), (8 * 3, 16 * 4), "all of them");
    assert_eq!(screening.found.unwrap().inputs[0].1.way, Way::Nowhere);
}

#[test]
fn what_is_said_of_the_size_is_what_is_simulated() {
    let (middle, stop) = (scenario(), AtomicBool::new(false));
    let uncertain = vec![vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]];
    let many = AtomicUsize::new(0);
    let simulate = |_: &Scenario, run: RunId, (): &mut ()| {
        many.fetch_add(1, Ordering::Relaxed);
        outcome(run.replication, 30.0)
    };
    let inputs = Inputs { middle: &middle, uncertain, realise: &|_| middle.clone(), simulate: &simulate };
    let watch = Watch { stop: &stop, progress: &|_, _| {} };
    let _ = screen(&inputs, 6, watch);
    assert_eq!(many.swap(0, Ordering::Relaxed), screening_size(&inputs, 6) as usize);
    let _ = indices(&inputs, 17, watch);
    assert_eq!(many.load(Ordering::Relaxed), indices_size(&inputs, 17) as usize);
}
