//! Uncertain numbers that are high or low together.
//!
//! A Gaussian copula: each number keeps its own law, and the normal scores of those named together have one correlation.
//! The first of them has the draw that it would have alone.

use statrs::distribution::{ContinuousCDF, Normal};

use super::check::nearest;
use super::item::Item;
use super::reader::Reader;

/// Numbers that are drawn together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Correlation {
    /// Their full keys.
    pub(crate) keys: Vec<String>,
    /// The lower Cholesky factor of the correlations, row by row.
    factor: Vec<Vec<f64>>,
}

impl Correlation {
    fn new(keys: Vec<String>, correlation: f64) -> Self {
        let factor = factor(keys.len(), correlation);
        Self { keys, factor }
    }

    /// The number for one of the keys, from the independent ones of all.
    fn uniform(&self, place: usize, independent: &mut dyn FnMut(&str) -> f64) -> f64 {
        if place == 0 {
            return independent(&self.keys[0]);
        }
        let normal = Normal::standard();
        let row = self.factor[place].iter().zip(&self.keys);
        let score: f64 = row.map(|(weight, key)| weight * normal.inverse_cdf(independent(key))).sum();
        normal.cdf(score).clamp(1e-15, 1.0 - 1e-15)
    }
}

/// The number in (0, 1) for a key, correlated where the file says so.
pub(crate) fn uniform(all: &[Correlation], key: &str, independent: &mut dyn FnMut(&str) -> f64) -> f64 {
    let place = |one: &Correlation| one.keys.iter().position(|known| known == key);
    match all.iter().find_map(|one| Some((one, place(one)?))) {
        Some((one, place)) => one.uniform(place, independent),
        None => independent(key),
    }
}

/// Takes out the numbers that something else than the file tells: nothing is drawn for them, and so nothing follows them. Those that are left
/// have one correlation still, for which the factor of fewer of them is the first rows of the same one; the first of them has the draw
/// that it would have alone.
pub(crate) fn leave_out(all: &mut [Correlation], is_told: &dyn Fn(&str) -> bool) {
    for one in all {
        one.keys.retain(|key| !is_told(key));
    }
}

/// Lower triangular, its product with its own transpose being ones with `correlation` beside the diagonal.
fn factor(size: usize, correlation: f64) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(size);
    for _ in 0..size {
        let mut row: Vec<f64> = Vec::with_capacity(size);
        for above in &rows {
            let known: f64 = row.iter().zip(above).map(|(one, other)| one * other).sum();
            let own = above[row.len()];
            // Zero where those above say all there is to say.
            row.push(if own > 1e-9 { (correlation - known) / own } else { 0.0 });
        }
        let rest = 1.0 - row.iter().map(|weight| weight * weight).sum::<f64>();
        row.push(rest.max(0.0).sqrt());
        rows.push(row);
    }
    rows
}

/// Reads what is said to be correlated; `uncertain` are the keys for which something is drawn.
pub(crate) fn read(file: &Item, uncertain: &[&str], reader: &mut Reader<'_>) -> Vec<Correlation> {
    let mut all: Vec<Correlation> = Vec::new();
    for table in file.get("correlation").map(Item::list).unwrap_or_default() {
        reader.section();
        let Some(list) = table.get("inputs") else { continue };
        let mut keys: Vec<String> = Vec::new();
        for item in list.list() {
            let Some(key) = item.text() else { continue };
            if !uncertain.contains(&key) {
                let near = nearest(key, uncertain.iter().copied());
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                reader.problem(
                    item,
                    format!("is \"{key}\", for which nothing is drawn: it is no range of this file{near}"),
                );
            } else if keys.iter().chain(all.iter().flat_map(|one| &one.keys)).any(|known| known == key) {
                reader.problem(item, format!("is \"{key}\", whose correlation is given twice"));
            } else {
                keys.push(key.to_owned());
            }
        }
        if list.list().len() < 2 {
            reader.problem(list, "needs two inputs at the least");
        }
        let correlation = reader.number(table, "correlation");
        let least = -1.0 / (list.list().len().max(2) - 1) as f64;
        if let Some(item) = table.get("correlation")
            && correlation < least
        {
            let count = list.list().len();
            reader.problem(
                item,
                format!("is {correlation}: {count} numbers cannot all have less than {least:.4} with each other"),
            );
        }
        all.push(Correlation::new(keys, correlation));
    }
    all
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand_pcg::Pcg64Dxsm;

    use super::*;

    /// Uniform numbers without pattern, by key.
    fn draws(round: u64) -> impl FnMut(&str) -> f64 {
        move |key| {
            let stream = key.bytes().fold(round, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            Pcg64Dxsm::new(u128::from(round), u128::from(stream)).random_range(1e-12..1.0)
        }
    }

    #[test]
    fn normal_scores_have_the_correlation_and_each_number_stays_uniform() {
        for (count, correlation) in [(2, 0.8), (2, -0.6), (2, 1.0), (2, -1.0), (3, 0.5), (3, -0.5), (4, 1.0)] {
            let keys: Vec<String> = (0..count).map(|number| format!("key-{number}")).collect();
            let all = [Correlation::new(keys.clone(), correlation)];
            let normal = Normal::standard();
            let rounds = 4_000;
            let scores: Vec<Vec<f64>> = (0..rounds)
                .map(|round| keys.iter().map(|key| normal.inverse_cdf(uniform(&all, key, &mut draws(round)))).collect())
                .collect();
            for one in 0..count {
                let mean = scores.iter().map(|row| row[one]).sum::<f64>() / rounds as f64;
                let square = scores.iter().map(|row| row[one] * row[one]).sum::<f64>() / rounds as f64;
                assert!(mean.abs() < 0.06 && (square - 1.0).abs() < 0.1, "{mean} {square}");
                for other in 0..one {
                    let found = scores.iter().map(|row| row[one] * row[other]).sum::<f64>() / rounds as f64;
                    assert!((found - correlation).abs() < 0.07, "{count} with {correlation}: {found}");
                }
            }
        }
    }

    #[test]
    fn what_is_left_of_correlated_numbers_has_the_same_correlation() {
        let keys = ["a", "b", "c"].map(str::to_owned);
        let mut all = [Correlation::new(keys.to_vec(), 0.7)];
        leave_out(&mut all, &|key| key == "a");
        let pair = [Correlation::new(keys[1..].to_vec(), 0.7)];
        for round in 0..20 {
            for key in &keys {
                let [one, other] = [&all, &pair].map(|all| uniform(all, key, &mut draws(round)).to_bits());
                assert_eq!(one, other, "{key}");
            }
        }
        assert_eq!(uniform(&all, "b", &mut draws(3)).to_bits(), draws(3)("b").to_bits());
    }

    #[test]
    fn whoever_is_named_nowhere_or_first_has_the_draw_of_its_own() {
        let all = [Correlation::new(vec!["a".into(), "b".into()], 0.9)];
        for key in ["a", "c"] {
            assert_eq!(uniform(&all, key, &mut draws(3)).to_bits(), draws(3)(key).to_bits());
        }
        assert_ne!(uniform(&all, "b", &mut draws(3)).to_bits(), draws(3)("b").to_bits());
    }
}
