//! Scenarios for tests, built in code.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::fleet::{ClusterId, HeadId};
use crate::migration::message::{FullOf, Milestone};
use crate::migration::plan::{
    AttemptPlan, ClusterPlan, CopyPlan, HeadPlan, Law, OrderPlan, Overlap, Placement, PlacementPlan, Plan,
    ThrottlePlan, Windows, Within,
};
use crate::scenario::curve::preset;
use crate::scenario::model::{ClusterModel, Cost, Faults, HeadModel, Load, Model, Population, Probe, SizeLaw};
use crate::scenario::{ForecastSettings, Scenario};
use crate::units::{Bytes, Inodes, Latency, OpRate, Ops, Rate, Share, Span, Time};

/// 2012-10-10 13:00 UTC.
pub(crate) const AS_OF: Time = Time::from_unix_micros(1_349_874_000_000_000);

const fn percent(percent: u32) -> Share {
    Share::from_ppm(percent * 10_000)
}

/// A quiet world: two heads and three clusters, constant load, no noise, faults, growth or trouble; a fixed throttle of 16.
pub(crate) fn quiet(mailboxes: u32) -> (Plan, Model) {
    let total = Bytes::new(u64::from(mailboxes) * 200_000_000);
    (plan(total), model(mailboxes))
}

/// A scenario of a plan and a model.
pub(crate) fn scenario(plan: Plan, model: Model) -> Scenario {
    let heads: Vec<_> = model.heads.iter().map(|head| head.name.clone()).collect();
    let clusters: Vec<_> = model.clusters.iter().map(|cluster| cluster.name.clone()).collect();
    let mut milestones: Vec<_> =
        (0..heads.len()).map(|head| Milestone::HeadEmptied { head: HeadId(head as u8), set_aside: 0 }).collect();
    milestones.push(Milestone::AllEmptied);
    milestones.extend(
        (0..clusters.len()).map(|place| Milestone::ClusterFull { cluster: ClusterId(place as u8), of: FullOf::Bytes }),
    );
    Scenario {
        name: "test".into(),
        time_zone: TimeZone::UTC,
        offsets: vec![(Time::from_unix_micros(0), Span::ZERO)],
        as_of: AS_OF,
        horizon: AS_OF + Span::from_secs(200 * 86_400),
        heads,
        clusters,
        plan: Arc::new(plan),
        model: Arc::new(model),
        milestones,
        forecast: ForecastSettings {
            seed: 1,
            minimum: 1,
            batch: 1,
            maximum: 1,
            half_width: Span::from_secs(3_600),
            chance_only: 0,
            confidence: percent(95),
        },
        expectations: Vec::new(),
        price: None,
        facts: None,
        reached: Vec::new(),
        standing: Vec::new(),
        named: std::sync::Arc::default(),
    }
}

fn plan(total: Bytes) -> Plan {
    let head = HeadPlan {
        throttle: ThrottlePlan {
            law: Law::Fixed { streams: 16 },
            min: 1,
            max: 64,
            rate: Rate::UNLIMITED,
            every: Span::from_secs(60),
            sample_limit: Span::from_secs(600),
            pause_above: None,
            abort_above: None,
        },
        windows: Windows::default(),
    };
    let cluster = ClusterPlan {
        rated: total,
        full_at: percent(40),
        reserve: Bytes::ZERO,
        assumed_intake: Rate::ZERO,
        inodes: None,
    };
    Plan {
        heads: vec![head; 2],
        order: OrderPlan {
            heads: vec![HeadId(0), HeadId(1)],
            within: Within::Inventory,
            overlap: Overlap::None,
            excluded: Vec::new(),
            scheduled: Vec::new(),
            waves: Vec::new(),
        },
        placement: PlacementPlan {
            rule: Placement::Sequential,
            clusters: vec![cluster; 3],
            slack: Share::ZERO,
            sample_limit: Span::from_secs(3_600),
            reopen_below: percent(1),
            inodes_per_mailbox: Inodes::ZERO,
        },
        copy: CopyPlan {
            stream: Rate::per_second(20_000_000),
            messages_per_ks: u32::MAX,
            setup: Span::from_secs(2),
            hold_at_most: Span::from_secs(60),
            purge_after: None,
            purge_streams: 2,
            switches: 16,
        },
        attempts: AttemptPlan {
            limit: 3,
            backoff: Span::from_secs(600),
            backoff_cap: Span::from_secs(86_400),
            fault_rate: Share::ONE,
            fault_window: 64,
            wait_for_person: false,
        },
        milestones: Vec::new(),
    }
}

fn model(mailboxes: u32) -> Model {
    let head = |name: &str| HeadModel {
        name: name.into(),
        capacity: OpRate::per_second(9_000.0),
        latency: preset("specsfs2008-fas3140").unwrap(),
        outages: None,
        brownouts: None,
        failover: None,
    };
    let cluster = |name: &str| ClusterModel {
        name: name.into(),
        ingest: Rate::UNLIMITED,
        capacity: OpRate::per_second(60_000.0),
        latency: preset("specsfs2008-fas3160").unwrap(),
        in_service: AS_OF,
        stalls: None,
        used: Bytes::ZERO,
        inodes_used: Inodes::ZERO,
    };
    Model {
        heads: vec![head("head-1"), head("head-2")],
        clusters: vec![cluster("nas-1"), cluster("nas-2"), cluster("nas-3")],
        population: Population {
            mailboxes,
            bytes: None,
            split: vec![percent(50); 2],
            moved: vec![Share::ZERO; 2],
            size: SizeLaw { median: Bytes::new(40_000_000), sigma: 1.8, max: Bytes::new(20_000_000_000), tail: None },
            message_mean: Bytes::new(75_000),
            message_sigma: 0.0,
            activity: OpRate::per_second(0.0),
            measured_activity: None,
            activity_sigma: 0.0,
            activity_size_correlation: 0.0,
            new_accounts_per_day: 0.0,
            new_account_size: Bytes::new(1_000_000),
            growth_per_day: 0.0,
            deletions_per_day: 0.0,
            groups: 0,
        },
        load: Load {
            profile: vec![1.0; 2_016],
            noise_sigma: 0.0,
            noise_correlation: Span::from_secs(10_800),
            step: Span::from_secs(60),
            measured: None,
            holidays: Vec::new(),
        },
        backups: Vec::new(),
        links: Vec::new(),
        cost: Cost {
            head_per_message: Ops::new(0.0),
            head_per_message_growth: Ops::new(0.0),
            head_per_megabyte: Ops::new(0.0),
            head_per_stream: OpRate::per_second(0.0),
            cluster_per_message: Ops::new(0.0),
            cluster_per_megabyte: Ops::new(0.0),
            purge_per_message: Ops::new(2.0),
            purge_rate: 200.0,
            change_per_day: 0.0,
            lock: Span::ZERO,
            lock_per_thousand: Span::ZERO,
            switch: Span::ZERO,
            audit: Span::from_secs(60),
            slow_above: u32::MAX,
            slow_extra: 0.0,
        },
        probe: Probe {
            every: Span::from_secs(60),
            clusters_every: Span::from_secs(60),
            phase: Some(0.0),
            delay: Span::ZERO,
            noise_sigma: 0.0,
            loss: 0.0,
        },
        faults: Faults { transient: 0.0, permanent: 0.0, switch: 0.0 },
        operator_after: Span::from_secs(3_600),
        resolves_after: None,
        objective: Latency::from_micros(10_000),
    }
}
