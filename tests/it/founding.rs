//! The founding case and its back-cast, whole populations: what a forecast of them must show, for several seeds.

use std::path::Path;
use std::sync::OnceLock;

use drawdown::fleet::{ClusterId, HeadId};
use drawdown::forecast::cases::{self, Case};
use drawdown::forecast::compare::{Compared, Verdict, compare};
use drawdown::forecast::replicate::Watch;
use drawdown::migration::message::{FullOf, Milestone};
use drawdown::scenario::{ReadSettings, Scenario, Source};
use drawdown::sim::{Outcome, RunId, Workspace, simulate_in};
use drawdown::units::{Share, Span, Time};
use jiff::Timestamp;

fn source(name: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    Source::read(&path, &ReadSettings::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Replications of several seeds with uncertain inputs drawn, so that no seed's luck carries a test.
fn outcomes(source: &Source, seeds: std::ops::Range<u64>, replications: u32) -> Vec<Outcome> {
    let mut workspace = Workspace::default();
    let mut outcomes = Vec::new();
    for seed in seeds {
        for replication in 0..replications {
            let run = RunId { seed, replication };
            let scenario = source.realise(&mut |key| drawdown::forecast::draw::uniform(run, key));
            outcomes.push(simulate_in(&scenario, run, &mut workspace));
        }
    }
    outcomes
}

/// The founding case by its own seed: five replications for all tests of it, which take most of their time; CI
/// asks more of the optimised program.
fn founding() -> &'static (Source, Vec<Outcome>) {
    static FOUNDING: OnceLock<(Source, Vec<Outcome>)> = OnceLock::new();
    FOUNDING.get_or_init(|| {
        let source = source("opensrs-cluster-b.toml");
        let outcomes = outcomes(&source, 1..2, 5);
        (source, outcomes)
    })
}

fn reached(scenario: &Scenario, outcome: &Outcome, milestone: Milestone) -> Option<Time> {
    let place = scenario.milestones.iter().position(|known| *known == milestone).expect("a milestone of the scenario");
    outcome.reached[place]
}

fn median(scenario: &Scenario, outcomes: &[Outcome], milestone: Milestone) -> Time {
    let never = Time::NEVER;
    let mut times: Vec<Time> = outcomes.iter().map(|o| reached(scenario, o, milestone).unwrap_or(never)).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// The first instant of a local day.
fn day(scenario: &Scenario, date: &str) -> Time {
    let date: jiff::civil::Date = date.parse().expect("a date");
    let midnight =
        scenario.time_zone.to_ambiguous_zoned_datetime(date.at(0, 0, 0, 0)).compatible().expect("a midnight");
    Time::from_unix_micros(Timestamp::from(&midnight).as_microsecond())
}

const HEAD_1: Milestone = Milestone::HeadEmptied { head: HeadId(0), set_aside: 0 };

#[test]
fn the_founding_case_comes_out_in_the_windows_of_the_post() {
    let (source, outcomes) = founding();
    assert_windows(source.middle(), outcomes);
}

#[test]
#[ignore = "long without optimisation; CI runs it: cargo test --profile dev --test it founding -- --include-ignored"]
fn the_founding_case_comes_out_in_the_windows_of_the_post_for_any_seed() {
    let source = source("opensrs-cluster-b.toml");
    for seed in [1, 2, 99] {
        let outcomes = outcomes(&source, seed..seed + 1, 20);
        assert_windows(source.middle(), &outcomes);
        assert_order(source.middle(), &outcomes);
    }
}

fn assert_windows(scenario: &Scenario, outcomes: &[Outcome]) {
    let seed = outcomes[0].run.seed;
    let first = median(scenario, outcomes, HEAD_1);
    let (from, until) = (day(scenario, "2012-10-18"), day(scenario, "2012-10-21"));
    assert!(from <= first && first < until, "seed {seed}: head-1 is empty at {first:?}");
    let all = median(scenario, outcomes, Milestone::AllEmptied);
    let (from, until) = (day(scenario, "2012-11-01"), day(scenario, "2012-11-16"));
    assert!(from <= all && all < until, "seed {seed}: everything is off at {all:?}");
}

#[test]
fn no_placement_goes_above_the_threshold_and_the_clusters_open_one_after_the_other() {
    let (source, outcomes) = founding();
    assert_order(source.middle(), outcomes);
}

fn assert_order(scenario: &Scenario, outcomes: &[Outcome]) {
    for outcome in outcomes {
        for cluster in &outcome.clusters {
            assert!(cluster.highest_placement <= Share::from_ppm(400_000), "{:?}: {cluster:?}", outcome.run);
        }
        let at = |milestone| reached(scenario, outcome, milestone);
        for next in 1..3 {
            let (opened, full) = (Milestone::ClusterOpened { cluster: ClusterId(next) }, ClusterId(next - 1));
            let full = at(Milestone::ClusterFull { cluster: full, of: FullOf::Bytes });
            assert!(at(opened).is_some() && full <= at(opened), "{:?}: nas-{} opens too early", outcome.run, next + 1);
        }
        assert_eq!(outcome.unfinished, None, "{:?}", outcome.run);
    }
}

#[test]
fn the_same_inputs_started_with_nothing_moved_reach_the_posts_share_by_its_day() {
    let source = source("opensrs-cluster-b-backcast.toml");
    let scenario = source.middle();
    let outcomes = outcomes(&source, 1..2, 3);
    let share = Milestone::HeadShareMoved { head: HeadId(0), share: Share::from_ppm(400_000) };
    let reached = median(scenario, &outcomes, share);
    assert!(reached < day(scenario, "2012-10-11"), "40 % of head-1 at {reached:?}");
    assert!(reached > day(scenario, "2012-10-10") - Span::from_secs(4 * 86_400), "{reached:?} is long before the post");
}

#[test]
fn user_load_and_expected_outage_fall_as_mailboxes_leave() {
    let outcome = &founding().1[0];
    let head = &outcome.heads[1];
    let emptied = head.days.iter().position(|day| day.mailboxes < 1_000).expect("head-2 is emptied");
    let week = |days: &[drawdown::sim::HeadDay], of: fn(&drawdown::sim::HeadDay) -> f32| -> f32 {
        days.iter().map(of).sum::<f32>() / days.len() as f32
    };
    let (first, last) = (&head.days[..7], &head.days[emptied - 7..emptied]);
    for of in [
        (|day| day.user_utilisation) as fn(&drawdown::sim::HeadDay) -> f32,
        |day| day.hazard_alone,
        |day| day.expected_mailbox_hours_down,
    ] {
        assert!(week(last, of) < 0.5 * week(first, of), "{} to {}", week(first, of), week(last, of));
    }
}

/// The founding case and some changes of it, on the same random numbers.
fn compared(changes: &[&[&str]], replications: u32) -> Compared {
    let read = |changes: &[&str]| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/opensrs-cluster-b.toml");
        let overrides = changes.iter().map(|change| (*change).to_owned()).collect();
        Source::read(&path, &ReadSettings { overrides, ..ReadSettings::default() })
            .unwrap_or_else(|why| panic!("{why}"))
    };
    let sources: Vec<Source> = std::iter::once(&[][..]).chain(changes.iter().copied()).map(read).collect();
    let realise: Vec<_> = sources
        .iter()
        .map(|source| move |draw: &drawdown::forecast::Draw<'_>| source.realise(&mut |key| draw(key)))
        .collect();
    let all: Vec<Case<'_>> = sources
        .iter()
        .zip(&realise)
        .map(|(source, realise)| Case { middle: source.middle(), is_uncertain: true, realise })
        .collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let watch = Watch { stop: &stop, progress: &|_, _| {} };
    let runs = cases::simulate::<Workspace>(&all, 1, replications, &simulate_in, watch);
    let scenarios: Vec<&Scenario> = sources.iter().map(Source::middle).collect();
    compare(&scenarios, &runs.done, scenarios[0].forecast.confidence)
}

#[test]
#[ignore = "long without optimisation; CI runs it: cargo test --profile dev --test it founding -- --include-ignored"]
fn the_founding_case_with_five_percent_more_capacity_is_surely_earlier_and_what_does_not_bind_moves_nothing() {
    let more = ["head.head-1.capacity=\"9450 op/s\"", "head.head-2.capacity=\"9450 op/s\""];
    let compared =
        compared(&[&more, &[], &["cluster.nas-3.full_at=\"50 %\"", "cluster.nas-1.ingest=\"500 MB/s\""]], 100);
    let more = compared.variants[0].milestone("all emptied").expect("a milestone of the case");
    assert_eq!(more.verdict, Verdict::Less, "{more:?}");
    assert!(more.effective.is_some_and(|effective| effective > 200.0), "pairs are worth little: {more:?}");
    for same in &compared.variants[1..] {
        for one in &same.milestones {
            assert!(matches!(one.verdict, Verdict::Same | Verdict::InNeither), "{one:?}");
            assert!(one.shift.is_some_and(|shift| shift.is_exactly_none()), "{one:?}");
        }
        assert!(same.impact.iter().all(|one| one.verdict == Verdict::Same), "{:?}", same.impact);
    }
}
