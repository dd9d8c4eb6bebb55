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

    /// A scenario with more in it draws what was there as before.
    #[test]
    fn more_in_a_file_changes_no_other_draw() {
        use crate::scenario::{ReadSettings, Source};
        let text = include_str!("../../scenarios/opensrs-cluster-b.toml");
        let more = format!(
            "{text}\n[[plan.window]]\nname = \"nights\"\nwhen = \"daily 22:00-06:00\"\nstreams = {{ low = 20, high = 40 }}\n\n\
             [[cluster]]\nname = \"nas-0\"\nrated = \"48 TB\"\nfull_at = \"40 %\"\ningest = {{ low = \"300 MB/s\", high = \"400 MB/s\" }}\n\
             capacity = \"60000 op/s\"\nlatency = {{ preset = \"specsfs2008-fas3160\" }}\n"
        );
        let set = |settings: &[&str]| ReadSettings {
            overrides: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            ..ReadSettings::default()
        };
        let read = |text: &str, settings: &[&str]| {
            Source::from_text("a scenario", text, &set(settings)).unwrap_or_else(|problems| panic!("{problems}"))
        };
        let base = read(text, &[]);
        let others = [
            read(&more, &[]),
            read(text, &["plan.throttle={ law = \"fixed\", streams = { low = 10, high = 20 } }"]),
            read(text, &["head.head-1.capacity={ low = \"8000 op/s\", high = \"9000 op/s\" }"]),
        ];
        for replication in 0..20 {
            let run = RunId { seed: 1, replication };
            let drawn = |source: &Source| source.realise(&mut |key| uniform(run, key));
            let (one, mut seen) = (drawn(&base), 0);
            for other in &others {
                let other = drawn(other);
                assert_eq!(one.model.population, other.model.population);
                assert_eq!(one.model.cost, other.model.cost);
                seen += u32::from(one.model.population != base.middle().model.population);
            }
            assert!(seen > 0, "nothing was drawn");
        }
    }
}
