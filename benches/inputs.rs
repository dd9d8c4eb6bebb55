//! What comes before the first event: a scenario and an inventory that are read, and a population that is drawn.
//! `cargo bench --bench inputs`.

mod reference;

use std::fmt::Write as _;
use std::fs;

use divan::Bencher;
use divan::counter::ItemsCount;
use drawdown::scenario::{ReadSettings, Source};
use drawdown::sim::{self, RunId};

fn main() {
    divan::main();
}

#[divan::bench(args = ["drain-reference.toml", "opensrs-cluster-b.toml", "measured-load.toml"])]
fn a_scenario(name: &str) -> Source {
    reference::read(name, Vec::new())
}

/// A scenario's uncertain inputs are drawn anew for each replication.
#[divan::bench]
fn a_scenario_with_its_inputs_drawn(bencher: Bencher<'_, '_>) {
    let source = reference::read("opensrs-cluster-b.toml", Vec::new());
    bencher.bench_local(|| source.realise(&mut |_| 0.3));
}

/// Items are rows.
#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 5, sample_size = 1)]
fn an_inventory(bencher: Bencher<'_, '_>, rows: usize) {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("{error}"),
    };
    let mut text = String::from("mailbox,head,bytes,messages,activity\n");
    for row in 0..rows {
        let (head, bytes) = (1 + row % 2, 1_000_003 * (1 + row % 97));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "user{row}@example.org,head-{head},{bytes},{},0.009", bytes / 75_000);
    }
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/drain-reference.toml");
    let scenario = "extends = \"drain-reference.toml\"\n[population]\ninventory = \"inventory.csv\"\n";
    let path = folder.path().join("scenario.toml");
    let made = fs::copy(base, folder.path().join("drain-reference.toml"))
        .and_then(|_| fs::write(folder.path().join("inventory.csv"), text))
        .and_then(|()| fs::write(&path, scenario));
    assert!(made.is_ok(), "{made:?}");
    let settings = ReadSettings { overrides: Vec::new(), allow_path: false };
    bencher.counter(ItemsCount::new(rows)).bench_local(|| {
        let source = Source::read(&path, &settings);
        assert!(source.as_ref().is_ok_and(|source| source.inventory().is_some()), "{:?}", source.err());
    });
}

/// Items are mailboxes. What their users ask for is the same for all.
#[divan::bench(args = [10_000, 1_000_000], sample_count = 20)]
fn a_population(bencher: Bencher<'_, '_>, mailboxes: usize) {
    draw(bencher, &reference::source(mailboxes), mailboxes);
}

/// The same where that and the mean size of a message are drawn, too.
#[divan::bench(sample_count = 20)]
fn a_population_of_the_founding_case(bencher: Bencher<'_, '_>) {
    let source = reference::read("opensrs-cluster-b.toml", Vec::new());
    draw(bencher, &source, source.middle().model.population.mailboxes as usize);
}

fn draw(bencher: Bencher<'_, '_>, source: &Source, mailboxes: usize) {
    let run = RunId { seed: 1, replication: 0 };
    bencher.counter(ItemsCount::new(mailboxes)).bench_local(|| sim::fleet(source.middle(), run));
}
