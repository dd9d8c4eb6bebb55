//! What is on a cluster, and how busy it is.

use crate::fleet::ClusterId;
use crate::migration::plan::ClusterPlan;
use crate::scenario::model::ClusterModel;
use crate::units::{Bytes, Share};

/// One cluster of the simulated world.
#[derive(Clone, Debug)]
pub(crate) struct ClusterState {
    /// Bytes that belong to nobody who grows, and copies whose switch is still to come.
    still: u64,
    /// Bytes of those who live here.
    resident: u64,
    /// The part of a byte by which residents have grown.
    fraction: f64,
    /// What those who live here ask for, in millionths of an operation a second, mean of a week.
    pub(crate) activity_micro_op_s: u64,
    /// Utilisation and response time as of the last step of the load.
    pub(crate) utilisation: f64,
    pub(crate) response_s: f64,
    /// Whether mailboxes can be placed here.
    pub(crate) in_service: bool,
    rated: Bytes,
    highest_placement: Bytes,
}

impl ClusterState {
    /// As the scenario has it at the start, without mailboxes.
    pub(crate) fn new(model: &ClusterModel, plan: &ClusterPlan, in_service: bool) -> Self {
        Self {
            still: model.used.get(),
            resident: 0,
            fraction: 0.0,
            activity_micro_op_s: 0,
            utilisation: 0.0,
            response_s: model.latency.response_s(0.0),
            in_service,
            rated: plan.rated,
            highest_placement: Bytes::ZERO,
        }
    }

    /// Bytes on it.
    pub(crate) fn used(&self) -> Bytes {
        Bytes::new(self.still + self.resident)
    }

    /// Bytes on it as a share of its rating.
    pub(crate) fn fill(&self) -> Share {
        self.used().of(self.rated)
    }

    /// The highest fill that a placement has led to.
    pub(crate) fn highest_placement(&self) -> Share {
        self.highest_placement.of(self.rated)
    }

    /// Whether so much more fits at all.
    #[inline]
    pub(crate) fn fits(&self, bytes: Bytes) -> bool {
        self.still + self.resident + bytes.get() <= self.rated.get()
    }

    /// A copy is complete.
    #[inline]
    pub(crate) fn add_copy(&mut self, bytes: Bytes) {
        self.still += bytes.get();
    }

    /// A complete copy is taken away again.
    pub(crate) fn drop_copy(&mut self, bytes: Bytes, cluster: ClusterId) {
        assert!(self.still >= bytes.get(), "{cluster:?}: taking {bytes:?} of a copy from {} bytes", self.still);
        self.still -= bytes.get();
    }

    /// A copy becomes the mailbox: from now on it grows, and its user is served here.
    #[inline]
    pub(crate) fn switch(&mut self, bytes: Bytes, activity_micro_op_s: u32) {
        self.still -= bytes.get();
        self.settle(bytes, u64::from(activity_micro_op_s));
        self.highest_placement = self.highest_placement.max(self.used());
    }

    /// Somebody lives here who did not before: those moved before the start, or a new account.
    pub(crate) fn settle(&mut self, bytes: Bytes, activity_micro_op_s: u64) {
        self.resident += bytes.get();
        self.activity_micro_op_s += activity_micro_op_s;
    }

    /// Those who live here grow by this share of their size.
    pub(crate) fn grow(&mut self, share: f64) {
        let growth = self.resident as f64 * share + self.fraction;
        self.resident += growth as u64;
        self.fraction = growth.fract();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::curve::preset;
    use crate::units::{OpRate, Rate, Time};

    fn cluster() -> ClusterState {
        let model = ClusterModel {
            name: "nas".into(),
            ingest: Rate::UNLIMITED,
            capacity: OpRate::per_second(1_000.0),
            latency: preset("specsfs2008-fas3160").unwrap(),
            in_service: Time::default(),
            stalls: None,
            used: Bytes::new(100),
        };
        let plan = ClusterPlan {
            rated: Bytes::new(1_000),
            full_at: Share::from_ppm(400_000),
            reserve: Bytes::ZERO,
            assumed_intake: Rate::ZERO,
        };
        ClusterState::new(&model, &plan, true)
    }

    #[test]
    fn only_those_who_live_there_grow() {
        let mut cluster = cluster();
        cluster.add_copy(Bytes::new(200));
        cluster.grow(0.5);
        assert_eq!(cluster.used(), Bytes::new(300));
        cluster.switch(Bytes::new(200), 7);
        assert_eq!(cluster.highest_placement(), Share::from_ppm(300_000));
        cluster.grow(0.5);
        assert_eq!(cluster.used(), Bytes::new(400));
        assert_eq!(cluster.activity_micro_op_s, 7);
    }

    #[test]
    fn growth_of_less_than_a_byte_is_not_lost() {
        let mut cluster = cluster();
        cluster.settle(Bytes::new(10), 0);
        for _ in 0..1_000 {
            cluster.grow(1e-4);
        }
        assert_eq!(cluster.used(), Bytes::new(111));
    }
}
