//! One replication of the reference job, everything in it: population, core, simulated world. `cargo bench --bench
//! replication`; items are mailboxes, so the time of an item has to be the same for every number of them.

mod reference;

use divan::Bencher;
use divan::counter::ItemsCount;
use drawdown::sim::{RunId, Workspace, simulate_in};

fn main() {
    divan::main();
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 10)]
fn a_mailbox_through_a_replication(bencher: Bencher<'_, '_>, mailboxes: usize) {
    replicate(bencher, mailboxes);
}

#[divan::bench(args = [10_000_000], sample_count = 3)]
fn a_mailbox_through_a_large_replication(bencher: Bencher<'_, '_>, mailboxes: usize) {
    replicate(bencher, mailboxes);
}

fn replicate(bencher: Bencher<'_, '_>, mailboxes: usize) {
    let source = reference::source(mailboxes);
    let mut workspace = Workspace::default();
    let run = RunId { seed: 1, replication: 0 };
    bencher.counter(ItemsCount::new(mailboxes)).bench_local(|| {
        let outcome = simulate_in(source.middle(), run, &mut workspace);
        assert_eq!(outcome.moved, mailboxes as u64);
        outcome.steps
    });
}
