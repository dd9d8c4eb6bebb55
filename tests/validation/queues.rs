//! Queues whose mean times are known. Copies are asked of the simulated world at random instants, and its own event loop,
//! its sharing and its queue for streams do the rest: nothing here simulates.

use std::sync::Arc;

use drawdown::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use drawdown::host::Host as _;
use drawdown::migration::message::{Command, EffectId, Event, Facts};
use drawdown::scenario::Scenario;
use drawdown::sim::{RunId, Workspace, World};
use drawdown::units::{Bytes, Rate, Span, Time};
use rand::SeedableRng as _;
use rand_distr::{Distribution as _, Exp1, LogNormal, Pareto};
use rand_pcg::Pcg64Dxsm;

use super::document;
use super::setup::{IDLE, Plain};

/// Mean time of a job alone, seconds.
const ALONE_S: f64 = 10.0;
/// Bytes per second of a copy alone.
const STREAM: f64 = 100e6;
/// The first jobs find an emptier queue than later ones.
const WARM_UP: usize = 10;

/// A job: when it comes, and how long it takes alone, seconds.
#[derive(Clone, Copy)]
struct Job {
    at: f64,
    alone: f64,
}

fn jobs(count: usize, load: f64, servers: u32, mut size: impl FnMut(&mut Pcg64Dxsm) -> f64) -> Vec<Job> {
    let mut random = Pcg64Dxsm::seed_from_u64(20_260_105);
    let mut at = 0.0;
    let mean = ALONE_S / load / f64::from(servers);
    let job = |_| {
        at += mean * <Exp1 as rand_distr::Distribution<f64>>::sample(&Exp1, &mut random);
        Job { at, alone: ALONE_S * size(&mut random) }
    };
    (0..count).map(job).collect()
}

/// A head and a cluster that take in so much together, and what else the file says.
fn scenario(jobs: &[Job], ingest: &str, more: &str) -> Scenario {
    let plain = Plain {
        mailboxes: 1,
        size: "1 GB",
        activity: "0 op/s",
        head: IDLE,
        cluster: &format!("ingest = \"{ingest}\"\n{IDLE}"),
        throttle: "law = \"fixed\", streams = 1",
        step: "60 s",
        copying: "stream = \"100 MB/s\"",
        more,
    };
    let mut scenario = plain.read();
    let rows = jobs.len();
    let bytes = jobs.iter().map(|job| Bytes::new((job.alone * STREAM) as u64)).collect();
    let (home, origin) = (vec![Home::head(HeadId(0)); rows], vec![HeadId(0); rows]);
    let (messages, activity_micro_op_s) = (vec![0; rows], vec![0; rows]);
    let fleet = Fleet { bytes, messages, activity_micro_op_s, origin, home, group: Vec::new() };
    let facts = Facts { fleet: Arc::new(fleet), open: vec![ClusterId(0)], ..Facts::default() };
    scenario.facts = Some(Arc::new(facts));
    scenario
}

/// How long each job was there, seconds: from its coming to the end of its copy, of which so many go on at once.
fn times_there(scenario: &Scenario, jobs: &[Job], servers: u16) -> Vec<f64> {
    let mut world = World::new(scenario, RunId { seed: 1, replication: 0 }, &mut Workspace::default());
    let after = |seconds: f64| scenario.as_of + Span::from_secs_f64(seconds);
    let Ok((mut now, started)) = world.wait(scenario.as_of);
    assert!(matches!(started, Event::Started(_)));
    let pace = Command::SetPace {
        effect: EffectId::new(1, 1, EffectId::NO_SLOT),
        head: HeadId(0),
        streams: servers,
        rate: Rate::UNLIMITED,
    };
    let Ok(()) = world.perform(now, &pace);
    let (mut sequence, mut come, mut gone) = (1, 0, 0);
    let mut free: Vec<u16> = (0..8_000).rev().collect();
    let mut of_slot = vec![0; free.len()];
    let mut there = vec![0.0; jobs.len()];
    while gone < jobs.len() {
        let next = jobs.get(come).map_or(Time::NEVER, |job| after(job.at));
        let event;
        Ok((now, event)) = world.wait(next);
        match event {
            Event::Wake if now == next => {
                sequence += 1;
                let slot = free.pop().expect("fewer jobs are there than slots");
                of_slot[usize::from(slot)] = come;
                let (effect, mailbox) = (EffectId::new(1, sequence, slot), MailboxId(come as u32));
                let bytes = Bytes::new((jobs[come].alone * STREAM) as u64);
                let copy = Command::StartCopy { effect, mailbox, from: HeadId(0), to: ClusterId(0), attempt: 1, bytes };
                let Ok(()) = world.perform(now, &copy);
                come += 1;
            }
            Event::CopyEnded { effect, .. } => {
                let job = of_slot[usize::from(effect.slot())];
                there[job] = now.since(after(jobs[job].at)).secs();
                let Ok(()) = world.perform(now, &Command::Switch { effect });
                gone += 1;
            }
            Event::SwitchEnded { effect } => free.push(effect.slot()),
            Event::HeadSampled { .. } | Event::ClusterSampled { .. } | Event::Wake => {}
            other => panic!("{other:?}"),
        }
    }
    there
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// The mean, and the standard deviation of it, from means of twenty parts, since jobs near each other are alike.
fn mean_with_error(values: &[f64]) -> (f64, f64) {
    const PARTS: usize = 20;
    let means: Vec<f64> = values.chunks_exact(values.len() / PARTS).map(|part| mean(part.iter().copied())).collect();
    let all = mean(means.iter().copied());
    let variance = mean(means.iter().map(|part| (part - all).powi(2))) * PARTS as f64 / (PARTS - 1) as f64;
    (all, (variance / PARTS as f64).sqrt())
}

fn row(what: &str, servers: u32, load: f64, theory: f64, (simulated, error): (f64, f64)) -> Vec<String> {
    let said = format!("{what}, {servers} streams, load {load}: {simulated} +- {error}, theory {theory}");
    assert!((simulated - theory).abs() < 3.5 * error, "{said}");
    // An error so large that everything passed would test nothing.
    assert!(error < 0.1 * theory, "{said}");
    let cells = [what.to_owned(), servers.to_string(), format!("{load:.1}"), format!("{theory:.3}")];
    [&cells[..], &[format!("{simulated:.3} ± {:.3}", 2.0 * error)]].concat()
}

const HEAD: [&str; 5] = ["law of sizes", "streams", "load", "time there over time alone: theory", "simulated"];

/// Sizes over their mean.
type Law = Box<dyn FnMut(&mut Pcg64Dxsm) -> f64>;
type NamedLaw = (&'static str, fn() -> Law);

/// What copies share: what the cluster takes in, and what else the file says.
type Shared = (&'static str, &'static str);

const INGEST: Shared = ("100 MB/s", "");
const LINK: Shared = ("1000 TB/s", "[[link]]\nname = \"uplink\"\ncapacity = \"0.8 Gbit/s\"\nstores = [\"cluster\"]");

/// Copies that share one cluster's ingest, or one link, equally: a job of size x is there for x / (1 - load), whatever the law of sizes.
fn sharing(count: usize) -> Vec<Vec<String>> {
    let laws: [(Shared, NamedLaw); 5] = [
        (INGEST, ("all alike", || Box::new(|_| 1.0))),
        (INGEST, ("exponential", || Box::new(|random| Exp1.sample(random)))),
        (INGEST, ("lognormal, sigma 1", || Box::new(move |random| LogNormal::new(-0.5, 1.0).unwrap().sample(random)))),
        (INGEST, ("Pareto, index 2.5", || Box::new(move |random| Pareto::new(0.6, 2.5).unwrap().sample(random)))),
        (LINK, ("exponential, over a link", || Box::new(|random| Exp1.sample(random)))),
    ];
    let mut rows = Vec::new();
    for ((ingest, more), (what, law)) in laws {
        for load in [0.5, 0.8] {
            let jobs = jobs(count, load, 1, law());
            let there = times_there(&scenario(&jobs, ingest, more), &jobs, 4_096);
            let skip = jobs.len() / WARM_UP;
            let slowdowns: Vec<f64> =
                there.iter().zip(&jobs).skip(skip).map(|(there, job)| there / job.alone).collect();
            rows.push(row(what, 1, load, 1.0 / (1.0 - load), mean_with_error(&slowdowns)));
        }
    }
    rows
}

#[test]
fn copies_that_share_are_a_processor_sharing_queue() {
    sharing(10_000);
}

#[test]
#[ignore = "minutes unless optimised: cargo test --profile dev --test validation -- --include-ignored"]
fn a_million_copies_that_share_are_a_processor_sharing_queue() {
    document::shows("sharing", &HEAD, &sharing(1_000_000));
}

/// Copies that wait for a stream, in the order of their coming, are M/M/c; of one stream M/M/1.
fn streams(counts: [usize; 2]) -> Vec<Vec<String>> {
    // R/S of evidence: by Erlang's C formula.
    let table = [(0.8, [5.000, 2.778, 1.746, 1.286]), (0.9, [10.0, 5.263, 2.969, 1.877])];
    let mut rows = Vec::new();
    for ((load, theories), count) in table.into_iter().zip(counts) {
        for (servers, theory) in [1_u16, 2, 4, 8].into_iter().zip(theories) {
            let jobs = jobs(count, load, u32::from(servers), |random| Exp1.sample(random));
            let there = times_there(&scenario(&jobs, "1000 TB/s", ""), &jobs, servers);
            first_come_first_served(&jobs, &there, servers);
            // What theory says of all sizes together, with the sizes that were drawn taken out: waiting does not hang on them.
            let waits: Vec<f64> =
                there.iter().zip(&jobs).map(|(there, job)| (there - job.alone) / ALONE_S + 1.0).collect();
            let skip = jobs.len() / WARM_UP;
            rows.push(row("exponential", u32::from(servers), load, theory, mean_with_error(&waits[skip..])));
        }
    }
    rows
}

#[test]
fn copies_that_wait_for_a_stream_are_a_queue_with_so_many_servers() {
    streams([10_000, 20_000]);
}

#[test]
#[ignore = "minutes unless optimised: cargo test --profile dev --test validation -- --include-ignored"]
fn a_million_copies_that_wait_for_a_stream_are_a_queue_with_so_many_servers() {
    document::shows("streams", &HEAD, &streams([1_000_000; 2]));
}

/// Each job by itself: it begins when the first stream is free (Kiefer and Wolfowitz).
fn first_come_first_served(jobs: &[Job], there: &[f64], servers: u16) {
    let mut free_at = vec![0.0_f64; usize::from(servers)];
    for (number, (job, there)) in jobs.iter().zip(there).enumerate() {
        let first = free_at.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        let end = free_at[first].max(job.at) + job.alone;
        free_at[first] = end;
        assert!((end - job.at - there).abs() < 0.1, "job {number} is there for {there} s, not {} s", end - job.at);
    }
}
