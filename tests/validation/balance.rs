//! What is conserved is conserved, at every event of random scenarios.

use std::collections::BTreeMap;

use drawdown::fleet::{ClusterId, HeadId, MailboxId};
use drawdown::migration::message::{Command, EffectId, Event};
use drawdown::scenario::Scenario;
use drawdown::sim::{RunId, TraceItem, TraceRow, trace};
use drawdown::units::{Bytes, Span, Time};
use proptest::prelude::*;

use super::setup::read;

/// What goes on, by what has been said alone, and how mail grows.
#[derive(Default)]
struct Ledger {
    /// Sizes at the start, and by what share all mail grows at each step of the load.
    sizes: Vec<Bytes>,
    growth: f64,
    step: Span,
    as_of: Time,
    /// Steps so far, and by how much a mailbox has grown.
    steps: i64,
    grown: f64,
    /// Bytes on each cluster that grow: those of mailboxes that live there.
    living: Vec<f64>,
    /// Copies under way, and the size that each has to have in the end.
    copying: BTreeMap<EffectId, (MailboxId, HeadId, ClusterId, f64)>,
    copied: BTreeMap<EffectId, (MailboxId, ClusterId, Bytes)>,
    moved: BTreeMap<MailboxId, Bytes>,
    /// Deleted before they moved.
    gone: u64,
    /// Bytes that copies have brought to each cluster, and that deletions have taken from it.
    brought: Vec<u64>,
    deleted: Vec<u64>,
    /// Where those live who have moved.
    lives_on: BTreeMap<MailboxId, ClusterId>,
    pace: Vec<u16>,
    sampled: usize,
    copies_ended: u64,
}

impl Ledger {
    fn of(scenario: &Scenario, run: RunId) -> Self {
        let (clusters, model) = (scenario.clusters.len(), &scenario.model);
        Self {
            sizes: drawdown::sim::fleet(scenario, run).bytes,
            growth: model.population.growth_per_day * model.load.step.days(),
            step: model.load.step,
            as_of: scenario.as_of,
            grown: 1.0,
            living: vec![0.0; clusters],
            brought: vec![0; clusters],
            deleted: vec![0; clusters],
            ..Self::default()
        }
    }

    /// Bytes that should be on a cluster now: what lives there, and copies whose switch is still to come.
    fn on(&self, cluster: ClusterId) -> f64 {
        let waiting = self.copied.values().filter(|copy| copy.1 == cluster).map(|copy| copy.2.get() as f64);
        self.living[cluster.index()] + waiting.sum::<f64>()
    }

    fn see(&mut self, row: &TraceRow<'_>) {
        while self.as_of + self.step.times(self.steps + 1) <= row.now {
            self.steps += 1;
            self.grown *= 1.0 + self.growth;
            self.living.iter_mut().for_each(|bytes| *bytes *= 1.0 + self.growth);
        }
        match row.item {
            TraceItem::Event(event) => self.event(event),
            TraceItem::Command(command) => self.command(command),
        }
    }

    fn command(&mut self, command: &Command) {
        match *command {
            Command::StartCopy { effect, mailbox, from, to, .. } => {
                let under_way = self.copying.values().any(|copy| copy.0 == mailbox)
                    || self.copied.values().any(|copy| copy.0 == mailbox);
                assert!(!under_way && !self.moved.contains_key(&mailbox), "{mailbox:?} is moved twice");
                let size = self.sizes[mailbox.index()].get() as f64 * self.grown;
                self.copying.insert(effect, (mailbox, from, to, size));
            }
            Command::SetPace { head, streams, .. } => {
                self.pace.resize(self.pace.len().max(head.index() + 1), 0);
                self.pace[head.index()] = streams;
            }
            // A copy that is abandoned after its end is dropped at once.
            Command::Abandon { effect, .. } => self.drop_copied(effect),
            _ => {}
        }
    }

    fn drop_copied(&mut self, effect: EffectId) {
        if let Some((_, cluster, bytes)) = self.copied.remove(&effect) {
            self.brought[cluster.index()] -= bytes.get();
        }
    }

    fn event(&mut self, event: &Event) {
        match *event {
            Event::CopyEnded { effect, bytes, .. } => {
                let (mailbox, _, cluster, size) = self.copying.remove(&effect).expect("a copy that ends has begun");
                assert!((bytes.get() as f64 - size).abs() <= 1.0, "{mailbox:?}: {bytes:?}, of {size} at its start");
                self.brought[cluster.index()] += bytes.get();
                self.copied.insert(effect, (mailbox, cluster, bytes));
                self.copies_ended += 1;
            }
            Event::CopyFailed { effect, .. } => {
                assert!(self.copying.remove(&effect).is_some(), "a copy that fails has begun");
            }
            Event::SwitchEnded { effect } => {
                let (mailbox, cluster, bytes) = self.copied.remove(&effect).expect("a switch that ends has its copy");
                self.living[cluster.index()] += bytes.get() as f64;
                assert!(self.moved.insert(mailbox, bytes).is_none(), "{mailbox:?} has moved twice");
                self.lives_on.insert(mailbox, cluster);
            }
            Event::SwitchFailed { effect, .. } => self.drop_copied(effect),
            Event::ClusterSampled { cluster, used, .. } => {
                // The part of a byte by which they have grown is not on the disk, and does not grow there.
                let (bytes, on) = (used.get() as f64, self.on(cluster));
                assert!(
                    (on - bytes).abs() <= self.grown + 1e-12 * on,
                    "{cluster:?}: {bytes} bytes, {on} by the ledger"
                );
                if self.growth <= 0.0 {
                    let at = cluster.index();
                    assert_eq!(used.get(), self.brought[at] - self.deleted[at], "bytes on {cluster:?}");
                }
                self.sampled += 1;
            }
            Event::MailboxGone { mailbox } => match self.lives_on.remove(&mailbox) {
                Some(cluster) => {
                    // Its whole bytes, with all that it would have grown by since the start.
                    let (at, bytes) = (cluster.index(), self.sizes[mailbox.index()].get() as f64 * self.grown);
                    self.living[at] = (self.living[at] - bytes.round()).max(0.0);
                    self.deleted[at] += bytes.round() as u64;
                }
                None => self.gone += 1,
            },
            _ => {}
        }
    }
}

fn scenario(numbers: &Numbers) -> Scenario {
    let Numbers { mailboxes, sigma, transient, switch, streams, law, deletions, outages, overlap, rule, link, growth } =
        numbers;
    let throttle = match law {
        0 => format!("law = \"fixed\", streams = {streams}"),
        1 => format!("law = \"aimd\", utilisation = \"70 %\", start = {streams}, max = 64"),
        _ => format!("law = \"steps\", table = [[\"0 %\", {streams}], [\"80 %\", 1]], interpolate = true, max = 64"),
    };
    let overlap = if *overlap { "tail" } else { "none" };
    let rule = if *rule { "sequential" } else { "least-filled" };
    let link = match link {
        0 => String::new(),
        megabytes_s => format!(
            "[[link]]\nname = \"uplink\"\ncapacity = \"{megabytes_s} MB/s\"\nstores = [\"head-1\", \"nas-2\"]\n\
             traffic = [{{ name = \"nightly\", load = \"100 %\", when = \"daily 22:00-02:00\" }}]"
        ),
    };
    read(&format!(
        r#"
name = "Balance"
time_zone = "UTC"
as_of = 2026-01-05T00:00:00
horizon = "40 days"
[[head]]
name = "head-1"
capacity = "3000 op/s"
latency = {{ preset = "specsfs2008-fas3140" }}
health = {{ outages = "{outages} / day", at_utilisation = "50 %", growth = 3.0, repair = {{ median = "30 min", sigma = 0.5 }} }}
[[head]]
name = "head-2"
capacity = "4000 op/s"
latency = {{ preset = "specsfs2008-fas3160" }}
[[cluster]]
name = "nas-1"
rated = "200 GB"
full_at = "50 %"
ingest = "100 MB/s"
capacity = "20000 op/s"
latency = {{ preset = "specsfs2008-fas6240-16" }}
[[cluster]]
name = "nas-2"
rated = "10 TB"
full_at = "80 %"
ingest = "60 MB/s"
capacity = "20000 op/s"
latency = {{ preset = "specsfs2008-fas6240-20" }}
[population]
mailboxes = {mailboxes}
split = {{ head-1 = "60 %", head-2 = "40 %" }}
size = {{ median = "60 MB", sigma = {sigma}, max = "5 GB" }}
message = {{ mean = "75 kB", sigma = 0.5 }}
activity = "1 op/s"
deletions = "{deletions} / day"
growth = "{growth} % / day"
[load]
profile = "business-mail"
noise = {{ sigma = 0.2, correlation = "1 h" }}
[cost]
head_per_message = "12 op"
cluster_per_message = "6 op"
purge_per_message = "2 op"
purge_rate = "300 / s"
lock = "1 s"
switch = "4 s"
audit = "60 s"
[probe]
every = "60 s"
noise = 0.05
loss = "2 %"
[faults]
transient = "{transient} %"
permanent = "0.3 %"
switch = "{switch} %"
[users]
objective = "10 ms"
[plan]
order = {{ heads = ["head-1", "head-2"], overlap = "{overlap}" }}
placement = "{rule}"
throttle = {{ {throttle} }}
move = {{ stream = "10 MB/s", messages = "80 / s", setup = "2 s", purge_after = "1 day" }}
attempts = {{ fault_rate = "90 %" }}
{link}
"#
    ))
}

#[derive(Clone, Debug)]
struct Numbers {
    mailboxes: u32,
    sigma: f64,
    transient: u32,
    switch: u32,
    streams: u32,
    law: u32,
    deletions: u32,
    outages: u32,
    overlap: bool,
    rule: bool,
    /// MB/s of a link; 0 for none.
    link: u32,
    /// Per cent a day.
    growth: f64,
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let first = (50_u32..800, 0.2_f64..1.8, 0_u32..20, 0_u32..20, 1_u32..40);
    let second = (0_u32..3, 0_u32..40, 0_u32..6, any::<bool>(), any::<bool>(), prop_oneof![Just(0), 20_u32..200]);
    let third = prop_oneof![Just(0.0), 0.01_f64..3.0];
    (first, second, third).prop_map(
        |((mailboxes, sigma, transient, switch, streams), (law, deletions, outages, overlap, rule, link), growth)| {
            Numbers {
                mailboxes,
                sigma,
                transient,
                switch,
                streams,
                law,
                deletions,
                outages,
                overlap,
                rule,
                link,
                growth,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 8 } else { 40 }, ..ProptestConfig::default() })]
    #[test]
    fn mailboxes_bytes_and_streams_balance_at_every_event(numbers in numbers(), seed in 0_u64..1_000) {
        let scenario = scenario(&numbers);
        let run = RunId { seed, replication: 0 };
        let mut ledger = Ledger::of(&scenario, run);
        let outcome = trace(&scenario, run, &mut |row| ledger.see(row));
        prop_assert!(ledger.sampled > 10);
        prop_assert_eq!(ledger.moved.len() as u64, outcome.moved);
        let bytes: u64 = ledger.moved.values().map(|bytes| bytes.get()).sum();
        let waiting: u64 = ledger.copied.values().map(|(_, _, bytes)| bytes.get()).sum();
        prop_assert_eq!(bytes + waiting, ledger.brought.iter().sum::<u64>());
        for (cluster, plan) in outcome.clusters.iter().zip(&scenario.plan.placement.clusters) {
            prop_assert!(cluster.highest_placement <= plan.full_at, "{:?} of {:?}", cluster.highest_placement, plan.full_at);
        }
        if outcome.unfinished.is_none() {
            let aside: u32 = outcome.heads.iter().map(|head| head.set_aside).sum();
            prop_assert_eq!(outcome.moved + ledger.gone + u64::from(aside), u64::from(numbers.mailboxes));
        }
    }
}
