//! The reference job with another number of mailboxes.

use std::path::Path;

use drawdown::scenario::{ReadSettings, Source};

/// Heads, clusters and the weight of a stream grow with the mailboxes, so that the load stays the same.
pub(crate) fn source(mailboxes: usize) -> Source {
    let scale = mailboxes as f64 / 1e6;
    let mut overrides = vec![format!("population.mailboxes={mailboxes}")];
    for head in ["head-1", "head-2"] {
        overrides.push(format!("head.{head}.capacity=\"{} op/s\"", 10_000.0 * scale));
    }
    for cluster in ["nas-1", "nas-2", "nas-3"] {
        overrides.push(format!("cluster.{cluster}.rated=\"{} TB\"", 232.44 * scale));
    }
    overrides.push(format!("cost.head_per_stream=\"{} op/s\"", 50.0 * scale));
    read("drain-reference.toml", overrides)
}

/// One of the scenarios with some settings.
pub(crate) fn read(name: &str, overrides: Vec<String>) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    match Source::read(&path, &ReadSettings { overrides, allow_path: false }) {
        Ok(source) => source,
        Err(problems) => panic!("{problems}"),
    }
}
