//! Intervals of quantiles: their ranks, and how often they hold the truth.

use std::sync::atomic::AtomicBool;

use drawdown::forecast::quantile::{estimable, estimate, ranks, wilson};
use drawdown::forecast::replicate::{Amount, Watch, replicate};
use drawdown::units::Share;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Dxsm;

use super::document;

const CONFIDENCE: Share = Share::from_ppm(950_000);

fn percent(level: u32) -> Share {
    Share::from_ppm(level * 10_000)
}

#[test]
fn ranks_are_those_of_the_binomial() {
    let known = [(1_000, 50, 469, 532), (1_000, 85, 828, 873), (1_000, 95, 936, 964), (10_000, 95, 9_457, 9_543)];
    let mut rows = Vec::new();
    for (count, level, low, high) in known {
        let found = ranks(count, percent(level), CONFIDENCE).unwrap();
        assert_eq!((found.low, found.high), (low, high), "P{level} of {count}");
        rows.push(vec![
            count.to_string(),
            format!("P{level}"),
            format!("{low} / {high}"),
            format!("{} / {}", found.low, found.high),
        ]);
    }
    document::shows("ranks", &["n", "quantile", "known ranks", "ours"], &rows);
}

#[test]
fn the_smallest_samples_are_those_known() {
    let mut rows = Vec::new();
    for (level, smallest) in [(50, 6), (80, 17), (85, 23), (90, 36), (95, 72), (99, 368)] {
        let ours = (1..1_000).find(|count| estimable(*count, percent(level), CONFIDENCE)).unwrap();
        assert_eq!(ours, smallest, "P{level}");
        rows.push(vec![format!("P{level}"), smallest.to_string(), ours.to_string()]);
    }
    document::shows("smallest", &["quantile", "known smallest n", "ours"], &rows);
}

/// An interval of a quantile holds it in at least the stated share of samples; it cannot do so exactly, since ranks are whole.
#[test]
#[ignore = "minutes unless optimised: cargo test --profile dev --test validation -- --include-ignored"]
fn intervals_hold_the_truth_as_often_as_they_say() {
    const TRIALS: u32 = 20_000;
    let mut random = Pcg64Dxsm::seed_from_u64(1);
    let mut rows = Vec::new();
    for (count, level) in [(40, 50), (200, 10), (200, 50), (200, 80), (200, 90), (1_000, 80)] {
        let truth = f64::from(level) / 1e2;
        let mut held = 0;
        for _ in 0..TRIALS {
            let mut sample: Vec<f64> = (0..count).map(|_| random.random()).collect();
            sample.sort_by(f64::total_cmp);
            let found = estimate(&sample, percent(level), CONFIDENCE).unwrap();
            held += u32::from(found.low <= truth && truth <= found.high);
        }
        let share = f64::from(held) / f64::from(TRIALS);
        assert!((0.945..0.985).contains(&share), "P{level} of {count}: {share}");
        rows.push(vec![format!("P{level}"), count.to_string(), "95 %".into(), format!("{:.1} %", share * 1e2)]);
    }
    for (count, chance) in [(200, 0.5), (200, 0.8), (200, 0.95)] {
        let mut held = 0;
        for _ in 0..TRIALS {
            let hits = (0..count).filter(|_| random.random::<f64>() < chance).count();
            let (low, high) = wilson(hits, count, CONFIDENCE);
            held += u32::from(low <= chance && chance <= high);
        }
        let share = f64::from(held) / f64::from(TRIALS);
        assert!((0.93..0.97).contains(&share), "a probability of {chance}: {share}");
        rows.push(vec![
            format!("a probability of {chance} (Wilson)"),
            count.to_string(),
            "95 %".into(),
            format!("{:.1} %", share * 1e2),
        ]);
    }
    document::shows("coverage", &["of", "n", "stated", "held the truth"], &rows);
}

/// To stop when the interval is narrow enough favours samples that look narrower than they are: least from 200 on, in
/// batches.
#[test]
#[ignore = "minutes unless optimised: cargo test --profile dev --test validation -- --include-ignored"]
fn stopping_by_the_width_costs_little_of_the_coverage() {
    const TRIALS: u64 = 400;
    let stop = AtomicBool::new(false);
    let watch = Watch { stop: &stop, progress: &|_, _| {} };
    let level = percent(80);
    let mut rows = Vec::new();
    for (minimum, batch) in [(20, 1), (200, 100)] {
        let (mut held, mut used) = (0, 0);
        for trial in 0..TRIALS {
            let one = |number: u32, (): &mut ()| -> f64 {
                Pcg64Dxsm::seed_from_u64((trial << 32) | u64::from(number)).random()
            };
            let sorted = |done: &[f64]| {
                let mut sample = done.to_vec();
                sample.sort_by(f64::total_cmp);
                sample
            };
            let narrow = |done: &[f64]| {
                estimate(&sorted(done), level, CONFIDENCE)
                    .is_some_and(|found| (found.value - found.low).max(found.high - found.value) <= 0.05)
            };
            let amount = Amount { minimum, batch, maximum: 2_000 };
            let done = replicate(amount, watch, &one, &narrow).done;
            used += done.len();
            let found = estimate(&sorted(&done), level, CONFIDENCE).unwrap();
            held += u32::from(found.low <= 0.8 && 0.8 <= found.high);
        }
        let share = f64::from(held) / TRIALS as f64;
        rows.push((minimum, batch, used as f64 / TRIALS as f64, share));
    }
    let (every, ours) = (rows[0].3, rows[1].3);
    assert!(ours > 0.935, "{ours}");
    assert!(every < ours, "{every} after every replication, {ours} in batches");
    let cells = rows.iter().map(|(minimum, batch, used, share)| {
        vec![minimum.to_string(), batch.to_string(), format!("{used:.0}"), format!("{:.1} %", share * 1e2)]
    });
    let head = ["at least", "batch", "replications used, mean", "held the truth (stated 95 %)"];
    document::shows("stopping", &head, &cells.collect::<Vec<_>>());
}
