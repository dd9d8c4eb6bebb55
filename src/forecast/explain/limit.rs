//! The limits of a scenario, each of which can be raised by one unit.
//!
//! A limit is raised in the checked scenario, after its uncertain inputs are drawn: what is uncertain stays so. What a law's gain was
//! worked out from (`Law::Integral`'s slope) stays as planned.

mod raise;

use std::sync::Arc;

use crate::migration::message::Binding;
use crate::scenario::Scenario;
use crate::units::Span;
use raise::{
    a_percent_more, a_point_more, an_hour_shorter, faster, higher, higher_floor, higher_target, more_streams, operator,
    shorter, throttles, window_limits, windows,
};

const MINUTE: Span = Span::from_secs(60);
const DAY: Span = Span::from_secs(86_400);

/// What may hold a date back. A store is named by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The most streams that a throttle's law allows, on every head.
    Streams,
    /// The fewest streams that a throttle's law goes down to, on every head.
    Floor,
    /// The level of load or latency that a law steers to or steps at, on every head.
    Target,
    /// The level above which a guard suspends all copies, on every head that has one.
    Guard,
    /// For how long a sample counts, on every head and for placement.
    SampleAge,
    /// What a head serves.
    Capacity(usize),
    /// What a cluster serves.
    ClusterCapacity(usize),
    /// One copy's own speed.
    Stream,
    /// One copy's own speed in messages.
    Messages,
    /// How many mailboxes of a head switch at once.
    Switches,
    /// The byte rate of the pace, on every head that has one.
    Pace,
    /// What other traffic leaves of a link.
    Link(usize),
    /// What a cluster takes in.
    Ingest(usize),
    /// How long the stalls of clusters last.
    Stalls,
    /// How many streams windows allow, where they allow some.
    WindowStreams,
    /// How many bytes windows let through, where they let some.
    WindowRate,
    /// How long windows hold.
    WindowHours,
    /// Up to where a cluster is filled.
    Threshold(usize),
    /// The same in inodes.
    InodeThreshold(usize),
    /// When a cluster enters service.
    InService(usize),
    /// How long waves soak.
    Soak,
    /// How long an operator takes to answer.
    Operator,
    /// How long a person takes to see to a mailbox that was set aside.
    Person,
    /// How long a mailbox waits after a failure before it is tried again.
    Backoff,
    /// When hand-scheduled mailboxes move.
    Scheduled,
    /// How long outages last.
    Repair,
}

/// Every limit of a scenario, in a fixed order.
#[must_use]
pub fn limits(scenario: &Scenario) -> Vec<Limit> {
    let (heads, clusters) = (scenario.heads.len(), scenario.clusters.len());
    let mut all = vec![Limit::Streams, Limit::Floor, Limit::Target, Limit::Guard, Limit::SampleAge];
    all.extend((0..heads).map(Limit::Capacity));
    all.extend((0..clusters).map(Limit::ClusterCapacity));
    all.extend([Limit::Stream, Limit::Messages, Limit::Switches, Limit::Pace]);
    all.extend((0..scenario.model.links.len()).map(Limit::Link));
    all.extend((0..clusters).map(Limit::Ingest));
    all.extend([Limit::Stalls, Limit::WindowStreams, Limit::WindowRate, Limit::WindowHours]);
    all.extend((0..clusters).map(Limit::Threshold));
    all.extend((0..clusters).map(Limit::InodeThreshold));
    all.extend((0..clusters).map(Limit::InService));
    all.extend([Limit::Soak, Limit::Operator, Limit::Person, Limit::Backoff, Limit::Scheduled, Limit::Repair]);
    all.retain(|limit| {
        let raised = limit.raised(scenario);
        raised.plan != scenario.plan || raised.model != scenario.model
    });
    all
}

impl Limit {
    /// The scenario with this limit raised by one unit; the same scenario where it has no such limit.
    #[must_use]
    pub fn raised(self, scenario: &Scenario) -> Scenario {
        let mut raised = scenario.clone();
        let as_of = scenario.as_of;
        let plan = Arc::make_mut(&mut raised.plan);
        let model = Arc::make_mut(&mut raised.model);
        match self {
            Self::Streams => throttles(plan, more_streams),
            Self::Floor => throttles(plan, higher_floor),
            Self::Target => throttles(plan, higher_target),
            Self::Guard => throttles(plan, |throttle| {
                throttle.pause_above = throttle.pause_above.map(higher);
                throttle.abort_above = throttle.abort_above.map(higher);
            }),
            Self::SampleAge => {
                throttles(plan, |throttle| throttle.sample_limit += MINUTE);
                plan.placement.sample_limit += MINUTE;
            }
            Self::Capacity(head) => a_percent_more(&mut model.heads[head].capacity),
            Self::ClusterCapacity(cluster) => a_percent_more(&mut model.clusters[cluster].capacity),
            Self::Stream => plan.copy.stream = faster(plan.copy.stream),
            Self::Messages => plan.copy.messages_per_ks = plan.copy.messages_per_ks.saturating_add(1_000),
            Self::Switches => plan.copy.switches = plan.copy.switches.saturating_add(1),
            Self::Pace => throttles(plan, |throttle| throttle.rate = faster(throttle.rate)),
            Self::Link(link) => {
                for (_, left) in &mut model.links[link].left {
                    *left = faster(*left);
                }
            }
            Self::Ingest(cluster) => {
                let ingest = &mut model.clusters[cluster].ingest;
                *ingest = faster(*ingest);
            }
            Self::Stalls => {
                for stalls in model.clusters.iter_mut().filter_map(|cluster| cluster.stalls.as_mut()) {
                    stalls.lasts.median_s *= 0.9;
                }
            }
            Self::WindowStreams => window_limits(plan, |limit| limit.streams = limit.streams.saturating_add(1)),
            Self::WindowRate => window_limits(plan, |limit| limit.rate = faster(limit.rate)),
            Self::WindowHours => windows(plan, an_hour_shorter),
            Self::Threshold(cluster) => {
                let share = &mut plan.placement.clusters[cluster].full_at;
                *share = a_point_more(*share);
            }
            Self::InodeThreshold(cluster) => {
                if let Some(inodes) = &mut plan.placement.clusters[cluster].inodes {
                    inodes.full_at = a_point_more(inodes.full_at);
                }
            }
            Self::InService(cluster) => {
                let at = &mut model.clusters[cluster].in_service;
                *at = (*at - DAY).max(as_of.min(*at));
            }
            Self::Soak => {
                for wave in &mut plan.order.waves {
                    wave.soak = shorter(wave.soak);
                }
            }
            Self::Operator => operator(plan, model),
            Self::Person => {
                if let Some(law) = &mut model.resolves_after {
                    law.median_s = (law.median_s - 3_600.0).max(law.median_s / 2.0);
                }
            }
            Self::Backoff if model.faults.transient + model.faults.switch > 0.0 => {
                for wait in [&mut plan.attempts.backoff, &mut plan.attempts.backoff_cap] {
                    *wait = Span::from_micros(wait.micros() / 10 * 9);
                }
            }
            Self::Backoff => {}
            Self::Scheduled => {
                for (_, at) in &mut plan.order.scheduled {
                    *at = (*at - DAY).max(as_of.min(*at));
                }
            }
            Self::Repair => {
                for hazard in model.heads.iter_mut().filter_map(|head| head.outages.as_mut()) {
                    hazard.repair.median_s *= 0.9;
                }
            }
        }
        raised
    }

    /// The causes of the account that it belongs to.
    #[must_use]
    pub const fn causes(self) -> &'static [Binding] {
        match self {
            Self::Streams => &[Binding::StreamCap, Binding::Mover],
            Self::Floor | Self::Target | Self::Guard => &[Binding::Throttle],
            Self::Capacity(_) | Self::ClusterCapacity(_) => &[Binding::Throttle, Binding::StreamCap],
            // A copy that waits for its stores works in between, at its own speed.
            Self::Stream | Self::Messages => &[Binding::Mover, Binding::StreamCap, Binding::Tail],
            // Copies that wait for their switches keep others from beginning.
            Self::Switches => &[Binding::Mover],
            Self::Pace | Self::Link(_) => &[Binding::Link],
            Self::Ingest(_) | Self::Stalls => &[Binding::Ingest],
            Self::WindowStreams | Self::WindowRate | Self::WindowHours => &[Binding::Window],
            Self::Threshold(_) | Self::InodeThreshold(_) => &[Binding::NoRoom],
            // A cluster that is not in service yet gives no samples: what goes there alone waits for one.
            Self::InService(_) => &[Binding::NoRoom, Binding::Outage],
            Self::Soak | Self::Operator => &[Binding::Paused],
            Self::Person | Self::Backoff | Self::Scheduled => &[Binding::Tail],
            // Old samples stop new moves as an outage does.
            Self::SampleAge | Self::Repair => &[Binding::Outage],
        }
    }

    /// The store that it is of, by its name; none where it is of the plan.
    #[must_use]
    pub fn store(self, scenario: &Scenario) -> Option<&str> {
        match self {
            Self::Capacity(head) => scenario.heads.get(head).map(String::as_str),
            Self::Link(link) => scenario.model.links.get(link).map(|link| link.name.as_str()),
            Self::ClusterCapacity(cluster)
            | Self::Ingest(cluster)
            | Self::Threshold(cluster)
            | Self::InodeThreshold(cluster)
            | Self::InService(cluster) => scenario.clusters.get(cluster).map(String::as_str),
            Self::Streams
            | Self::Floor
            | Self::Target
            | Self::Guard
            | Self::SampleAge
            | Self::Stream
            | Self::Messages
            | Self::Switches
            | Self::Pace
            | Self::Stalls
            | Self::WindowStreams
            | Self::WindowRate
            | Self::WindowHours
            | Self::Soak
            | Self::Operator
            | Self::Person
            | Self::Backoff
            | Self::Scheduled
            | Self::Repair => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::testing::{AS_OF, quiet, scenario};
    use crate::units::{Rate, Share};

    const HOUR: Span = Span::from_secs(3_600);

    #[test]
    fn a_scenario_has_the_limits_that_can_be_raised() {
        let (mut plan, mut model) = quiet(100);
        let all = limits(&scenario(plan.clone(), model.clone()));
        assert!(
            all.contains(&Limit::Streams) && all.contains(&Limit::Capacity(1)) && all.contains(&Limit::Threshold(2))
        );
        assert!(all.contains(&Limit::ClusterCapacity(2)));
        let of_plan = [Limit::Target, Limit::Pace, Limit::Messages, Limit::Soak, Limit::WindowRate];
        for missing in of_plan.into_iter().chain([Limit::Ingest(0), Limit::InService(0), Limit::Stalls]) {
            assert!(!all.contains(&missing), "{missing:?}");
        }
        model.clusters[1].in_service = AS_OF + HOUR;
        model.clusters[0].ingest = Rate::per_second(5);
        plan.heads[0].throttle.rate = Rate::per_second(7);
        plan.placement.clusters[0].full_at = Share::ONE;
        let scenario = scenario(plan, model);
        let all = limits(&scenario);
        assert!(all.contains(&Limit::InService(1)) && all.contains(&Limit::Ingest(0)) && all.contains(&Limit::Pace));
        assert!(!all.contains(&Limit::Threshold(0)) && !all.contains(&Limit::Ingest(1)));
        assert_eq!(Limit::InService(1).raised(&scenario).model.clusters[1].in_service, AS_OF, "not before the start");
    }
}
