//! How full a cluster may be: one cluster's last sample, what was committed to it since, and what is reserved.
//!
//! A fill estimate never forgets anything that may be on its way: the last sample, what was committed since it was
//! measured, all reservations, and the intake and growth assumed for its age. Bytes that a sample already shows may be
//! counted twice until the next one: the error is always on the side of too full.

use super::plan::ClusterPlan;
use super::throttle::Sample;
use crate::units::{Bytes, Rate, Share, Span, Time};

/// Past states of the committed total that are kept to find what was committed before a late sample was measured.
const CHECKPOINTS: usize = 8;

/// One cluster.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) threshold: Bytes,
    reopen_at: Bytes,
    assumed_intake: Rate,
    pub(super) in_service: bool,
    pub(super) closed: bool,
    /// Whether it has refused since it was last open.
    pub(super) full: bool,
    pub(super) sample: Option<Sample>,
    used: Bytes,
    /// All bytes ever committed here, and what of them the last sample cannot have missed.
    committed: Bytes,
    committed_in_sample: Bytes,
    /// A ring of past states of `committed`, and the place of the newest.
    checkpoints: [(Time, Bytes); CHECKPOINTS],
    newest: usize,
    /// What is in flight to it.
    pub(super) reserved: Bytes,
}

impl Cluster {
    /// An empty one that is not in service; one that was full opens again `reopen_below` below its threshold.
    pub(super) fn new(plan: &ClusterPlan, reopen_below: Share) -> Self {
        Self {
            threshold: plan.threshold(),
            reopen_at: plan.threshold().saturating_sub(plan.rated.share(reopen_below)),
            assumed_intake: plan.assumed_intake,
            in_service: false,
            closed: false,
            full: false,
            sample: None,
            used: Bytes::ZERO,
            committed: Bytes::ZERO,
            committed_in_sample: Bytes::ZERO,
            checkpoints: [(Time::default(), Bytes::ZERO); CHECKPOINTS],
            newest: 0,
            reserved: Bytes::ZERO,
        }
    }

    /// Takes in a sample, unless it is older than the last; says whether a full cluster opens again with it.
    pub(super) fn sampled(&mut self, now: Time, sample: Sample, used: Bytes) -> bool {
        if self.sample.is_some_and(|last| last.measured_at > sample.measured_at) {
            return false;
        }
        let before = self.checkpoints.iter().filter(|(at, _)| *at <= sample.measured_at);
        let counted = before.map(|(_, committed)| *committed).max().unwrap_or_default();
        self.committed_in_sample = self.committed_in_sample.max(counted);
        // Far enough apart that the oldest one lies before what a sample as late as this one can show.
        let delay = now.since(sample.measured_at).micros();
        if now.since(self.checkpoints[self.newest].0).micros() >= delay / (CHECKPOINTS as i64 / 2) {
            self.newest = (self.newest + 1) % CHECKPOINTS;
            self.checkpoints[self.newest] = (now, self.committed);
        }
        self.sample = Some(sample);
        self.used = used;
        let opens = self.full && self.estimate(now) <= self.reopen_at;
        self.full &= !opens;
        opens
    }

    /// Turns a reservation into something that lives here.
    #[inline]
    pub(super) fn commit(&mut self, reserved: Bytes) {
        self.reserved -= reserved;
        self.committed += reserved;
    }

    /// Whether mailboxes may be placed here as far as is known.
    #[inline]
    pub(super) fn takes(&self) -> bool {
        self.in_service && !self.closed && !self.full
    }

    /// Whether the last sample is not older than this.
    #[inline]
    pub(super) fn fresh(&self, now: Time, limit: Span) -> bool {
        self.sample.is_some_and(|sample| now <= sample.measured_at + limit)
    }

    /// How full it may be by now, everything on its way included.
    #[inline]
    pub(super) fn estimate(&self, now: Time) -> Bytes {
        let age = self.sample.map_or(Span::ZERO, |sample| now.since(sample.measured_at));
        self.used + (self.committed - self.committed_in_sample) + self.reserved + self.assumed_intake.over(age)
    }
}
