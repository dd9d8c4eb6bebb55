//! A whole forecast on all cores, and what is made of it. `cargo bench --bench forecast`.

mod reference;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use divan::Bencher;
use divan::counter::ItemsCount;
use drawdown::forecast::replicate::{Amount, Watch};
use drawdown::forecast::{Asked, Forecast, Inputs, forecast};
use drawdown::report::files::{self, RunFacts};
use drawdown::report::{About, document, report, terminal};
use drawdown::scenario::Source;
use drawdown::sim::{Workspace, simulate_in};

fn main() {
    divan::main();
}

fn forecast_of(source: &Source, replications: u32) -> Forecast {
    let inputs = Inputs::<Workspace> {
        middle: source.middle(),
        uncertain: source.uncertain_together(),
        realise: &|draw| source.realise(&mut |key| draw(key)),
        simulate: &simulate_in,
    };
    let stop = AtomicBool::new(false);
    let asked = Asked { amount: Some(Amount::exactly(replications)), shares: None };
    forecast(&inputs, asked, Watch { stop: &stop, progress: &|_, _| {} })
}

/// A thousand replications; items are mailboxes.
#[divan::bench(args = [100_000], sample_count = 3, sample_size = 1)]
fn the_reference_job_a_thousand_times(bencher: Bencher<'_, '_>, mailboxes: usize) {
    let source = reference::source(mailboxes);
    bencher.counter(ItemsCount::new(1_000 * mailboxes)).bench_local(|| forecast_of(&source, 1_000));
}

/// The founding case with an eightieth of everything, so that the forecast itself is there soon.
fn founding() -> (Forecast, About) {
    let source = reference::read("opensrs-cluster-b.toml", vec!["population.mailboxes=10000".to_owned()]);
    let forecast = forecast_of(&source, 200);
    let about = About {
        file: "opensrs-cluster-b.toml".to_owned(),
        resolved: source.resolved().to_owned(),
        uncertain: source.uncertain().to_vec(),
        notes: source.notes().to_vec(),
        ..About::default()
    };
    (forecast, about)
}

#[divan::bench(sample_count = 20)]
fn the_report_in_a_terminal(bencher: Bencher<'_, '_>) {
    let (forecast, about) = founding();
    bencher.bench_local(|| terminal::render(&report(&forecast, &about)));
}

#[divan::bench(sample_count = 20)]
fn the_report_as_json(bencher: Bencher<'_, '_>) {
    let (forecast, about) = founding();
    bencher.bench_local(|| document::json(&forecast, &about));
}

/// Pages, charts and data.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn all_files(bencher: Bencher<'_, '_>) {
    let (forecast, about) = founding();
    let run = RunFacts { wall_s: 1.0, cpu_s: None, cpu_per_mailbox_and_replication_ns: None, threads: 1 };
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("{error}"),
    };
    bencher.bench_local(|| -> std::io::Result<PathBuf> {
        files::write(folder.path(), "founding", &forecast, &about, &run)
    });
}
