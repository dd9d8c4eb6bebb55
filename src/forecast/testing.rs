//! A small hand-made scenario and outcomes for tests of the forecast and of what shows it.

use std::sync::atomic::AtomicBool;

use jiff::tz::TimeZone;

use super::replicate::{Amount, Watch};
use super::{Asked, Forecast, Inputs, Replication, forecast};
use crate::fleet::{ClusterId, HeadId};
use crate::migration::message::{Binding, FullOf, Milestone};
use crate::scenario::{Expectation, ForecastSettings, Scenario};
use crate::sim::testing::{self, quiet};
use crate::sim::{ClusterOutcome, HeadDay, HeadOutcome, Outcome, RunId};
use crate::units::{Bytes, Share, Span, Time};

/// 2012-10-10 09:00 in Toronto.
pub(crate) const AS_OF: Time = testing::AS_OF;
const DAY: Span = Span::from_secs(86_400);

pub(crate) fn after(days: f64) -> Time {
    AS_OF + Span::from_secs_f64(days * 86_400.0)
}

pub(crate) fn scenario() -> Scenario {
    let cluster = |at: u8| {
        (
            Milestone::ClusterOpened { cluster: ClusterId(at) },
            Milestone::ClusterFull { cluster: ClusterId(at), of: FullOf::Bytes },
        )
    };
    let ((opened_1, full_1), (opened_2, full_2)) = (cluster(0), cluster(1));
    let emptied = |head| Milestone::HeadEmptied { head: HeadId(head), set_aside: 0 };
    let (mut plan, mut model) = quiet(400_000);
    plan.placement.clusters.truncate(2);
    for cluster in &mut plan.placement.clusters {
        cluster.rated = Bytes::new(48_000_000_000_000);
    }
    model.clusters.truncate(2);
    Scenario {
        name: "A small migration".into(),
        time_zone: TimeZone::get("America/Toronto").unwrap(),
        offsets: vec![(AS_OF, Span::from_secs(-4 * 3_600))],
        horizon: AS_OF + DAY.times(60),
        milestones: vec![emptied(0), emptied(1), opened_1, full_1, opened_2, full_2, Milestone::AllEmptied],
        forecast: ForecastSettings {
            seed: 1,
            minimum: 200,
            batch: 100,
            maximum: 1_000,
            half_width: Span::from_secs(6 * 3_600),
            chance_only: 100,
            confidence: Share::from_ppm(950_000),
        },
        expectations: vec![Expectation {
            milestone: emptied(0),
            before: Time::from_unix_micros(1_350_792_000_000_000),
            by: "2012-10-20".into(),
            probability: Share::from_ppm(800_000),
        }],
        ..testing::scenario(plan, model)
    }
}

/// Of the part of a day in which a head has its turn, the throttle binds three quarters and the calendar the last one.
fn bound_minutes((begins, ends): (f64, f64), from: f64, until: f64) -> [u16; Binding::COUNT] {
    let turn = (ends.min(until) - begins.max(from)).max(0.0) * 1_440.0;
    let mut minutes = [0; Binding::COUNT];
    minutes[Binding::Throttle as usize] = (turn * 0.75) as u16;
    minutes[Binding::Window as usize] = (turn * 0.25) as u16;
    minutes[Binding::NotItsTurn as usize] = ((ends.min(until) - begins) * 1_440.0 - turn) as u16;
    minutes
}

/// A head drained from `from` to `until`, in days since the start, whose load falls with its mailboxes.
fn head(from: f64, until: f64) -> HeadOutcome {
    let left = |day: u32| (1.0 - ((f64::from(day) + 1.0 - from) / (until - from)).clamp(0.0, 1.0)) * 200_000.0;
    let day = |day: u32| {
        let share = (left(day) / 200_000.0) as f32;
        HeadDay {
            mailboxes: left(day) as u32,
            streams: if f64::from(day) >= from { 8.0 } else { 0.0 },
            user_utilisation: 0.6 * share,
            utilisation: 0.78,
            latency_ms: 4.0,
            latency_alone_ms: 1.0 + 2.0 * share,
            hazard_alone: 0.05 * share,
            hazard: 0.1,
            expected_mailbox_hours_down: 1_000.0 * share,
            bound_minutes: bound_minutes((f64::from(day), f64::from(day) + 1.0), from, until),
        }
    };
    let mut bound = [Span::ZERO; Binding::COUNT];
    bound[Binding::Throttle as usize] = Span::from_secs_f64((until - from) * 86_400.0 * 0.75);
    bound[Binding::Window as usize] = Span::from_secs_f64((until - from) * 86_400.0 * 0.25);
    bound[Binding::NotItsTurn as usize] = Span::from_secs_f64(from * 86_400.0);
    HeadOutcome {
        set_aside: 2,
        excused: 2,
        bound,
        minutes_above: 30.0,
        minutes_above_alone: 12.0,
        outages: 1,
        expected_outages: 0.8,
        expected_outages_alone: 0.5,
        mailbox_hours_down: 1_500.0,
        days: (0..until.ceil() as u32).map(day).collect(),
        ..HeadOutcome::default()
    }
}

/// A replication in which the heads are emptied after a third of, and after, this many days.
pub(crate) fn outcome(replication: u32, days: f64) -> Outcome {
    let cluster = |fill: u32, days: f64| ClusterOutcome {
        highest_placement: Share::from_ppm(fill),
        final_fill: Share::from_ppm(fill + 1_000),
        days: (1..=days.ceil() as u32).map(|day| fill as f32 / 1e6 * day as f32 / days.ceil() as f32).collect(),
        inodes: None,
    };
    let spill = (replication % 10 != 3).then(|| after(days * 0.6));
    Outcome {
        run: RunId { seed: 1, replication },
        reached: vec![
            Some(after(days / 3.0)),
            Some(after(days)),
            Some(after(0.001)),
            spill,
            spill,
            None,
            Some(after(days)),
        ],
        unfinished: None,
        heads: vec![head(0.0, days / 3.0), head(days / 3.0, days)],
        clusters: vec![cluster(399_900, days), cluster(250_000, days)],
        held_by_links: Vec::new(),
        moved: 399_996,
        faults: 12,
        steps: 4_000_000,
        locked_s: 800_000.0,
        last_part: None,
        split_groups: 0,
        excused: 4,
    }
}

/// A replication whose migration ends after this many days.
pub(crate) fn replication(replication: u32, days: u32) -> Replication {
    Replication {
        outcome: outcome(replication, f64::from(days)),
        thresholds: vec![Share::from_ppm(400_000); 2],
        inode_thresholds: vec![None; 2],
    }
}

/// Days until everything is moved in a replication: 27 to 31, in an order that is not sorted.
pub(crate) fn days_of(replication: u32) -> f64 {
    27.0 + f64::from(replication * 37 % 101) / 25.0
}

pub(crate) fn exactly(count: u32) -> Asked {
    Asked { amount: Some(Amount::exactly(count)), ..Asked::default() }
}

/// A forecast of `count` hand-made replications.
pub(crate) fn made(count: u32, simulate: &(dyn Fn(u32) -> Outcome + Sync)) -> Forecast {
    made_of(&scenario(), count, simulate)
}

pub(crate) fn made_of(scenario: &Scenario, count: u32, simulate: &(dyn Fn(u32) -> Outcome + Sync)) -> Forecast {
    let stop = AtomicBool::new(false);
    let watch = Watch { stop: &stop, progress: &|_, _| {} };
    let inputs = Inputs::<()> {
        middle: scenario,
        uncertain: Vec::new(),
        realise: &|_| scenario.clone(),
        simulate: &|_, run, ()| simulate(run.replication),
    };
    forecast(&inputs, exactly(count), watch)
}
