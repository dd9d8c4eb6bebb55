//! Several verdicts at once: the chance of a single wrong one among them stays what was asked for.

use crate::units::Share;

/// Confidence of each of several intervals that hold together with the confidence asked for (Bonferroni).
#[must_use]
pub fn bonferroni(confidence: Share, intervals: usize) -> f64 {
    1.0 - (1.0 - confidence.fraction()) / intervals.max(1) as f64
}

/// The p-values as Holm adjusts them (Scandinavian Journal of Statistics 6, 1979): what is at or below one less the confidence
/// is significant, for all of them together.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        least = least.max(p_values[place] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[place] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As R gives it: `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")`.
    #[test]
    fn adjusted_p_values_are_those_of_r() {
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, known) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - known).abs() < 1e-12, "{found} for {known}");
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.7, 0.9]), [1.0, 1.0]);
    }

    #[test]
    fn one_interval_keeps_its_confidence_and_ten_share_what_it_leaves() {
        let sure = Share::from_ppm(950_000);
        assert!((bonferroni(sure, 1) - 0.95).abs() < 1e-12 && (bonferroni(sure, 10) - 0.995).abs() < 1e-12);
    }
}
