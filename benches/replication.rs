//! One replication of the reference job, everything in it: population, core, simulated world. `cargo bench --bench
//! replication`; items are mailboxes, so the time of an item has to be the same for every number of them.

use std::path::Path;

use drawdown::scenario::{ReadSettings, Source};
use drawdown::sim::{RunId, Workspace, simulate_in};

fn main() {
    divan::main();
}

/// The reference job with another number of mailboxes; heads and clusters grow with it, so that the load stays the same.
fn source(mailboxes: usize) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/drain-reference.toml");
    let scale = mailboxes as f64 / 1e6;
    let mut overrides = vec![format!("population.mailboxes={mailboxes}")];
    for head in ["head-1", "head-2"] {
        overrides.push(format!("head.{head}.capacity=\"{} op/s\"", 10_000.0 * scale));
    }
    for cluster in ["nas-1", "nas-2", "nas-3"] {
        overrides.push(format!("cluster.{cluster}.rated=\"{} TB\"", 232.44 * scale));
    }
    // A stream weighs as much as before on a head that is smaller.
    overrides.push(format!("cost.head_per_stream=\"{} op/s\"", 50.0 * scale));
    match Source::read(&path, &ReadSettings { overrides, allow_path: false }) {
        Ok(source) => source,
        Err(problems) => panic!("{problems}"),
    }
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 10)]
fn a_mailbox_through_a_replication(bencher: divan::Bencher<'_, '_>, mailboxes: usize) {
    let source = source(mailboxes);
    let mut workspace = Workspace::default();
    let run = RunId { seed: 1, replication: 0 };
    bencher.counter(divan::counter::ItemsCount::new(mailboxes)).bench_local(|| {
        let outcome = simulate_in(source.middle(), run, &mut workspace);
        assert_eq!(outcome.moved, mailboxes as u64);
        outcome.steps
    });
}
