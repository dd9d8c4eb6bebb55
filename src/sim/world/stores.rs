//! What the simulated world consists of: where each mailbox is, and the state of each head and cluster.

use crate::fleet::{ClusterId, Fleet, HeadId, Home, NO_GROUP};
use crate::migration::message::FullOf;
use crate::scenario::Scenario;
use crate::scenario::model::{Hazard, Probe};
use crate::sim::account::{HeadAccount, HeadStep};
use crate::sim::ahead::Ahead;
use crate::sim::cluster::ClusterState;
use crate::sim::draw::{Draws, Keyed, Purpose};
use crate::sim::health::Strikes;
use crate::sim::job::Lane;
use crate::sim::load::Noise;
use crate::sim::table::tables;

/// What is true of a mailbox, in one byte: the head or the cluster that it lives on in the lowest bits, or that it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(super) u8);

impl Place {
    pub(super) const MOVED: u8 = 0x80;
    pub(super) const FAILED: u8 = 0x40;
    pub(super) const STORE: u8 = 0x3f;
    pub(super) const GONE: Self = Self(0xff);

    #[inline]
    pub(super) fn of(home: Home) -> Self {
        home.as_cluster().map_or(Self(home.index() as u8), Self::moved_to)
    }

    /// It has moved to this cluster.
    #[inline]
    pub(super) const fn moved_to(cluster: ClusterId) -> Self {
        Self(Self::MOVED | cluster.0)
    }

    /// Whether it lives on this head.
    #[inline]
    pub(super) const fn is_on(self, head: HeadId) -> bool {
        self.0 & !Self::FAILED == head.0
    }

    /// The head it lives on.
    #[inline]
    pub(super) const fn head(self) -> Option<HeadId> {
        if self.0 & Self::MOVED == 0 { Some(HeadId(self.0 & Self::STORE)) } else { None }
    }

    /// The cluster it lives on.
    pub(super) const fn cluster(self) -> Option<ClusterId> {
        let moved = self.0 & (Self::MOVED | Self::FAILED) == Self::MOVED;
        if moved { Some(ClusterId(self.0 & Self::STORE)) } else { None }
    }

    /// Whether it lives on a head and the last attempt to move it has failed.
    pub(super) const fn has_failed(self) -> bool {
        self.0 & (Self::MOVED | Self::FAILED) == Self::FAILED
    }

    /// Whether it lives on this head and the last attempt to move it, if any, did not fail: one comparison of the byte.
    #[inline]
    pub(super) const fn unexcused_on(self, head: HeadId) -> bool {
        self.0 == head.0
    }
}

/// Groups of which some mailboxes live on a cluster and some on a head.
pub(super) fn split_groups(fleet: &Fleet, places: &[Place]) -> u32 {
    let count = fleet.group.iter().filter(|group| **group != NO_GROUP).max().map_or(0, |last| *last as usize + 1);
    let (mut moved, mut left) = (vec![false; count], vec![false; count]);
    for (group, place) in fleet.group.iter().zip(places).filter(|(group, _)| (**group as usize) < count) {
        let side = if place.head().is_some() { &mut left } else { &mut moved };
        side[*group as usize] |= *place != Place::GONE;
    }
    moved.iter().zip(&left).filter(|(moved, left)| **moved && **left).count() as u32
}

/// One head of the simulated world.
pub(super) struct HeadState {
    pub(super) lane: Lane,
    /// How far its mailboxes have been begun, and their old copies purged.
    pub(super) begun: Ahead,
    pub(super) purged: Ahead,
    /// Mailboxes that live here.
    pub(super) mailboxes: u32,
    /// What their users ask for, in millionths of an operation a second, mean of a week.
    pub(super) activity_micro_op_s: u64,
    /// What users ask of this head now, those of a failed partner included, in operations a second.
    pub(super) users: f64,
    /// Share of its mailboxes that nobody serves now.
    pub(super) down: f64,
    /// Operations that could not be served yet.
    pub(super) backlog: f64,
    /// Load that the backlog adds now.
    pub(super) repeated: f64,
    /// Old copies being removed.
    pub(super) purges: u32,
    /// Capacity now.
    pub(super) capacity: f64,
    /// For which streams and purges the sharing was last told the load; `None` after a step of the load.
    pub(super) told: Option<(u16, u32)>,
    pub(super) noise: Noise,
    pub(super) outages: Option<Strikes>,
    pub(super) brownouts: Option<Strikes>,
    pub(super) account: HeadAccount,
    /// How it was when it was looked at in this step of the load.
    pub(super) seen: Option<HeadStep>,
    pub(super) probe: ProbeDraws,
    /// Mailboxes that were set aside when it was emptied for the first time.
    pub(super) excused: Option<u32>,
}

impl HeadState {
    pub(super) fn out(&self) -> bool {
        self.outages.as_ref().is_some_and(Strikes::lasts)
    }
}

/// One cluster of the simulated world.
pub(super) struct ClusterSide {
    pub(super) state: ClusterState,
    pub(super) noise: Noise,
    pub(super) days: Vec<f32>,
    /// Fill with inodes at the end of each day; empty without a limit of them.
    pub(super) inode_days: Vec<f32>,
    pub(super) probe: ProbeDraws,
    pub(super) stalls: Option<Strikes>,
    /// What it was full of when that was announced.
    pub(super) filled_of: Option<FullOf>,
}

/// By what the samples of one store are wrong, and which of them are lost: draws by the number of the probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProbeDraws {
    error: Keyed,
    loss: Keyed,
    sigma: f64,
    lost_share: f64,
}

/// Where within their interval samples are taken: the clock of what asks the stores knows nothing of theirs.
pub(super) fn probe_phase(probe: &Probe, draws: Draws) -> f64 {
    probe.phase.unwrap_or_else(|| draws.keyed(Purpose::ProbePhase, "").unit(0))
}

impl ProbeDraws {
    fn new(probe: &Probe, draws: Draws, name: &str) -> Self {
        Self {
            error: draws.keyed(Purpose::Probe, name),
            loss: draws.keyed(Purpose::ProbeLoss, name),
            sigma: probe.noise_sigma,
            lost_share: probe.loss,
        }
    }

    /// Whether the sample of this probe never arrives.
    #[inline]
    pub(super) fn is_lost(&self, number: u64) -> bool {
        self.lost_share > 0.0 && self.loss.unit(number) < self.lost_share
    }

    /// The factors by which load and latency are wrong in this probe: lognormal with median 1.
    #[inline]
    pub(super) fn factors(&self, number: u64) -> (f64, f64) {
        if self.sigma == 0.0 {
            return (1.0, 1.0);
        }
        let tables = tables();
        let factor = |item| tables.exp(self.sigma * tables.normal(self.error.bits(item)));
        (factor(2 * number), factor(2 * number + 1))
    }
}

/// The heads as the scenario has them, without mailboxes.
pub(super) fn heads(scenario: &Scenario, draws: Draws) -> Vec<HeadState> {
    let model = &scenario.model;
    let head = |(place, head): (usize, &crate::scenario::model::HeadModel)| HeadState {
        lane: Lane::new(),
        begun: Ahead::default(),
        purged: Ahead::default(),
        mailboxes: 0,
        activity_micro_op_s: 0,
        users: 0.0,
        down: 0.0,
        backlog: 0.0,
        repeated: 0.0,
        purges: 0,
        capacity: head.capacity.ops_per_second(),
        told: None,
        noise: Noise::new(model.load.noise(place), model.load.step, draws.stream(Purpose::Noise, &head.name)),
        outages: head.outages.map(|hazard| Strikes::new(hazard, draws.stream(Purpose::Outage, &head.name))),
        brownouts: head
            .brownouts
            .map(|brownouts| Strikes::new(brownouts.hazard, draws.stream(Purpose::Brownout, &head.name))),
        account: HeadAccount::default(),
        seen: None,
        probe: ProbeDraws::new(&model.probe, draws, &head.name),
        excused: None,
    };
    model.heads.iter().enumerate().map(head).collect()
}

/// The clusters as the scenario has them, without mailboxes.
pub(super) fn clusters(scenario: &Scenario, draws: Draws) -> Vec<ClusterSide> {
    let model = &scenario.model;
    let plans = &scenario.plan.placement.clusters;
    let noise = model.load.noise_of_clusters();
    let side = |(cluster, plan): (&crate::scenario::model::ClusterModel, &_)| ClusterSide {
        state: ClusterState::new(
            cluster,
            plan,
            scenario.plan.placement.inodes_per_mailbox,
            cluster.in_service <= scenario.as_of,
        ),
        noise: Noise::new(noise, model.load.step, draws.stream(Purpose::Noise, &cluster.name)),
        filled_of: None,
        days: Vec::new(),
        inode_days: Vec::new(),
        probe: ProbeDraws::new(&model.probe, draws, &cluster.name),
        stalls: cluster.stalls.map(|stalls| {
            let hazard = Hazard { per_day: stalls.per_day, at_utilisation: 0.0, growth: 0.0, repair: stalls.lasts };
            Strikes::new(hazard, draws.stream(Purpose::Stall, &cluster.name))
        }),
    };
    model.clusters.iter().zip(plans).map(side).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::STORES_MAX;

    #[test]
    fn a_place_is_a_head_or_a_cluster_or_nowhere() {
        for store in 0..STORES_MAX as u8 {
            let (head, cluster) = (HeadId(store), ClusterId(store));
            let (on, moved) = (Place::of(Home::head(head)), Place::of(Home::cluster(cluster)));
            let failed = Place(on.0 | Place::FAILED);
            assert_eq!((on.head(), on.cluster(), on.has_failed()), (Some(head), None, false));
            assert_eq!((failed.head(), failed.cluster(), failed.has_failed()), (Some(head), None, true));
            assert_eq!((moved.head(), moved.cluster(), moved.has_failed()), (None, Some(cluster), false));
            assert_eq!(moved, Place::moved_to(cluster));
        }
        assert_eq!((Place::GONE.head(), Place::GONE.cluster(), Place::GONE.has_failed()), (None, None, false));
    }
}
