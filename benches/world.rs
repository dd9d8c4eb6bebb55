//! The simulated world by itself: copies and switches one after the other without the machine, so that what its event queue and
//! its fair sharing cost shows. `cargo bench --bench world`; items are mailboxes.

use std::fmt::Write as _;

use divan::Bencher;
use divan::counter::ItemsCount;
use drawdown::fleet::{ClusterId, HeadId, MailboxId};
use drawdown::host::Host;
use drawdown::migration::message::{Command, EffectId, Event};
use drawdown::scenario::{ReadSettings, Scenario, Source};
use drawdown::sim::{RunId, Workspace, World};
use drawdown::units::{Bytes, Rate, Time};

const MAILBOXES: usize = 100_000;
const RUN: RunId = RunId { seed: 1, replication: 0 };

fn main() {
    divan::main();
}

/// Ends of copies at their own speed in one queue: what more of them at once cost.
#[divan::bench(args = [1, 8, 64, 256, 1024], sample_count = 10)]
fn event_queue(bencher: Bencher<'_, '_>, streams: usize) {
    drive(bencher, &site(1, 1, "100 GB/s", "0 op"), streams);
}

/// 64 copies, between which one cluster's ingest is shared.
#[divan::bench(args = [1, 2, 12], sample_count = 10)]
fn fair_sharing_of_an_ingest(bencher: Bencher<'_, '_>, heads: usize) {
    drive(bencher, &site(heads, 1, "400 MB/s", "0 op"), 64);
}

/// 64 copies that wait for operations of their heads and clusters.
#[divan::bench(args = [(1, 1), (2, 3), (12, 20)], sample_count = 10)]
fn fair_sharing_of_busy_heads(bencher: Bencher<'_, '_>, (heads, clusters): (usize, usize)) {
    drive(bencher, &site(heads, clusters, "100 GB/s", "2 op"), 64);
}

/// So many heads and clusters, without users.
fn site(heads: usize, clusters: usize, ingest: &str, op: &str) -> Scenario {
    let mut text = format!(
        "name = \"World\"\ntime_zone = \"UTC\"\nas_of = 2012-10-01T00:00:00\nhorizon = \"400 days\"\n\
         cost = {{ head_per_message = \"{op}\", cluster_per_message = \"{op}\" }}\n"
    );
    let (mut order, mut split) = (Vec::new(), Vec::new());
    for head in 0..heads {
        order.push(format!("\"head-{head}\""));
        // In steps of 0.0001 %, which add up.
        let others = 1_000_000 / heads;
        let ppm = if head == 0 { 1_000_000 - others * (heads - 1) } else { others };
        split.push(format!("head-{head} = \"{:.4} %\"", ppm as f64 * 1e-4));
        let _ = write!(
            text,
            "[[head]]\nname = \"head-{head}\"\ncapacity = \"{} op/s\"\nlatency = {{ preset = \"specsfs2008-fas3140\" }}\n",
            60_000 / heads
        );
    }
    for cluster in 0..clusters {
        let _ = write!(
            text,
            "[[cluster]]\nname = \"nas-{cluster}\"\nrated = \"1000 TB\"\nfull_at = \"40 %\"\ningest = \"{ingest}\"\n\
             capacity = \"100000 op/s\"\nlatency = {{ preset = \"specsfs2008-fas3160\" }}\n"
        );
    }
    let _ = write!(
        text,
        "[population]\nmailboxes = {MAILBOXES}\nsplit = {{ {} }}\nsize = {{ median = \"40 MB\", sigma = 1.8, max = \"10 TB\" }}\nmessage = {{ mean = \"75 kB\" }}\n\
         activity = \"0.000001 op/s\"\n[load]\nprofile = \"flat\"\n[probe]\nevery = \"60 s\"\n\
         [users]\nobjective = \"10 ms\"\n[plan]\norder = {{ heads = [{}] }}\nplacement = \"sequential\"\n\
         throttle = {{ law = \"fixed\", streams = 64 }}\nmove = {{ stream = \"20 MB/s\", setup = \"2 s\", purge_after = \"never\" }}\n",
        split.join(", "),
        order.join(", ")
    );
    let settings = ReadSettings { overrides: Vec::new(), allow_path: false };
    match Source::from_text("world.toml", &text, &settings) {
        Ok(source) => source.middle().clone(),
        Err(problems) => panic!("{problems}"),
    }
}

/// Moves all mailboxes of a site, so many at once, in the order of their rows and to one cluster after the other.
fn drive(bencher: Bencher<'_, '_>, scenario: &Scenario, streams: usize) {
    let origin = drawdown::sim::fleet(scenario, RUN).origin;
    let mut workspace = Workspace::default();
    bencher
        .counter(ItemsCount::new(MAILBOXES))
        .with_inputs(|| World::new(scenario, RUN, &mut workspace))
        .bench_local_values(|world| {
            Driver { world, origin: &origin, clusters: scenario.clusters.len(), begun: 0 }.run(streams)
        });
}

/// Asks in the machine's place.
struct Driver<'s, 'a> {
    world: World<'s>,
    origin: &'a [HeadId],
    clusters: usize,
    begun: usize,
}

impl Driver<'_, '_> {
    fn run(mut self, streams: usize) -> Time {
        let mut now = Time::default();
        for head in 0..=self.origin.iter().map(|head| head.0).max().unwrap_or_default() {
            let (effect, streams) = (EffectId::new(1, 1, EffectId::NO_SLOT), streams as u16);
            self.ask(now, &Command::SetPace { effect, head: HeadId(head), streams, rate: Rate::UNLIMITED });
        }
        let mut moved = 0;
        let mut idle: Vec<u16> = (0..streams as u16).collect();
        while moved < MAILBOXES {
            // Nothing happens before the world has told what it begins with.
            let Ok((at, event)) = self.world.wait(Time::NEVER);
            now = at;
            match event {
                Event::Started(_) => idle.drain(..).for_each(|slot| self.begin(now, slot)),
                Event::CopyEnded { effect, .. } => self.ask(now, &Command::Switch { effect }),
                Event::SwitchEnded { effect } => {
                    moved += 1;
                    self.begin(now, effect.slot());
                }
                _ => {}
            }
        }
        now
    }

    fn begin(&mut self, now: Time, slot: u16) {
        let row = self.begun;
        let Some(from) = self.origin.get(row).copied() else { return };
        self.begun += 1;
        let effect = EffectId::new(1, 2 + row as u64, slot);
        let (mailbox, to) = (MailboxId(row as u32), ClusterId((row % self.clusters) as u8));
        self.ask(now, &Command::StartCopy { effect, mailbox, from, to, attempt: 1, bytes: Bytes::ZERO });
    }

    fn ask(&mut self, now: Time, command: &Command) {
        let Ok(()) = self.world.perform(now, command);
    }
}
