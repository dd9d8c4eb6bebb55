//! The draws of uncertain inputs: one uniform number a replication and key.

use sha2::{Digest, Sha256};

use crate::sim::RunId;

/// A number in (0, 1) that depends on the seed, the replication and the input's key alone, so that one input more in the
/// file changes no other draw.
#[must_use]
pub fn uniform(run: RunId, key: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(b"uncertain input\0");
    hash.update(run.seed.to_le_bytes());
    hash.update(run.replication.to_le_bytes());
    hash.update(key.as_bytes());
    let digest = hash.finalize();
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    // 52 bits and a half: neither 0 nor 1, both exact in a double.
    ((bits >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_and_differ_by_seed_replication_and_key() {
        let draw = |seed, replication, key| uniform(RunId { seed, replication }, key);
        let sample: Vec<f64> = (0..2_000).map(|r| draw(1, r, "population.activity")).collect();
        let mean = sample.iter().sum::<f64>() / 2_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!(sample.iter().all(|u| 0.0 < *u && *u < 1.0));
        assert_ne!(draw(1, 0, "a"), draw(2, 0, "a"));
        assert_ne!(draw(1, 0, "a"), draw(1, 0, "b"));
        assert_eq!(draw(1, 0, "a"), draw(1, 0, "a"));
    }
}
