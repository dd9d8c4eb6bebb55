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
    sample_limit: Span,
    /// Below this there is room whatever intake is assumed before a sample is too old.
    ample_below: Bytes,
    in_service: bool,
    closed: bool,
    /// Whether it has refused since it was last open.
    full: bool,
    pub(super) sample: Option<Sample>,
    /// Until when the last sample counts, and until when it does for placing more; long ago where nothing may be placed.
    fresh_until: Time,
    open_until: Time,
    /// All bytes ever committed here, and what of them the last sample cannot have missed.
    committed: Bytes,
    committed_in_sample: Bytes,
    /// A ring of past states of `committed`, and the place of the newest.
    checkpoints: [(Time, Bytes); CHECKPOINTS],
    newest: usize,
    /// What is in flight to it.
    reserved: Bytes,
    /// What may live here: the last sample, and what was committed since.
    living: Bytes,
}

impl Cluster {
    /// An empty one that is not in service; one that was full opens again `reopen_below` below its threshold, and a
    /// sample counts for `sample_limit`.
    pub(super) fn new(plan: &ClusterPlan, reopen_below: Share, sample_limit: Span) -> Self {
        let most_intake = plan.assumed_intake.over(sample_limit);
        let ample_below = match plan.threshold() {
            threshold if threshold < most_intake => Bytes::ZERO,
            threshold => threshold - most_intake + Bytes::new(1),
        };
        Self {
            threshold: plan.threshold(),
            reopen_at: plan.threshold().saturating_sub(plan.rated.share(reopen_below)),
            assumed_intake: plan.assumed_intake,
            sample_limit,
            ample_below,
            in_service: false,
            closed: false,
            full: false,
            sample: None,
            fresh_until: Time::LONG_AGO,
            open_until: Time::LONG_AGO,
            committed: Bytes::ZERO,
            committed_in_sample: Bytes::ZERO,
            checkpoints: [(Time::default(), Bytes::ZERO); CHECKPOINTS],
            newest: 0,
            reserved: Bytes::ZERO,
            living: Bytes::ZERO,
        }
    }

    /// Takes in a sample, unless it is older than the last; says whether a full cluster opens again with it.
    pub(super) fn sampled(&mut self, now: Time, sample: Sample, used: Bytes) -> bool {
        if self.sample.is_some_and(|last| last.measured_at > sample.measured_at) {
            return false;
        }
        // Both times and totals only grow: the newest state from before the sample is the largest.
        let newest = self.checkpoints[self.newest % CHECKPOINTS];
        let counted = if newest.0 <= sample.measured_at { newest.1 } else { self.committed_before(sample.measured_at) };
        self.committed_in_sample = self.committed_in_sample.max(counted);
        // Far enough apart that the oldest one lies before what a sample as late as this one can show.
        let delay = now.since(sample.measured_at).micros();
        if now.since(newest.0).micros() >= delay / (CHECKPOINTS as i64 / 2) {
            self.newest = (self.newest + 1) % CHECKPOINTS;
            self.checkpoints[self.newest] = (now, self.committed);
        }
        self.sample = Some(sample);
        self.living = used + (self.committed - self.committed_in_sample);
        self.fresh_until = sample.measured_at + self.sample_limit;
        let opens = self.full && self.estimate(now) <= self.reopen_at;
        self.full &= !opens;
        self.renew();
        opens
    }

    /// What had surely been committed at an instant before the newest checkpoint.
    #[inline(never)]
    fn committed_before(&self, at: Time) -> Bytes {
        let mut back = (1..CHECKPOINTS).map(|back| self.checkpoints[self.newest.wrapping_sub(back) % CHECKPOINTS]);
        back.find(|(then, _)| *then <= at).map_or(Bytes::ZERO, |(_, committed)| committed)
    }

    /// Works out anew until when mailboxes may be placed.
    fn renew(&mut self) {
        self.open_until = if self.takes() { self.fresh_until } else { Time::LONG_AGO };
    }

    /// Nothing more is placed before the next sample.
    pub(super) fn doubt_sample(&mut self) {
        self.fresh_until = Time::LONG_AGO;
        self.renew();
    }

    pub(super) fn set_in_service(&mut self, in_service: bool) {
        self.in_service = in_service;
        self.renew();
    }

    pub(super) fn set_closed(&mut self, closed: bool) {
        self.closed = closed;
        self.renew();
    }

    /// It has refused a mailbox.
    pub(super) fn refuse(&mut self) {
        self.full = true;
        self.renew();
    }

    /// Keeps room for what will be in flight to it.
    #[inline]
    pub(super) fn reserve(&mut self, need: Bytes) {
        self.reserved += need;
    }

    /// Keeps the room only where it is open and there is enough of it whatever the sample's age; says whether it has.
    #[inline(always)]
    pub(super) fn reserve_amply(&mut self, now: Time, need: Bytes) -> bool {
        let fits = now <= self.open_until && self.living + self.reserved + need < self.ample_below;
        if fits {
            self.reserve(need);
        }
        fits
    }

    /// Corrects a reservation to what is truly in flight; says whether everything stays within the threshold.
    #[inline(always)]
    pub(super) fn correct(&mut self, now: Time, reserved: Bytes, bytes: Bytes) -> bool {
        self.reserved = self.reserved - reserved + bytes;
        self.holds(now)
    }

    /// Gives a reservation back.
    pub(super) fn release(&mut self, reserved: Bytes) {
        self.reserved -= reserved;
    }

    /// Turns a reservation into something that lives here.
    #[inline]
    pub(super) fn commit(&mut self, reserved: Bytes) {
        self.reserved -= reserved;
        self.committed += reserved;
        self.living += reserved;
    }

    /// Bytes reserved: exactly what is in flight to it.
    pub(super) fn reserved(&self) -> Bytes {
        self.reserved
    }

    /// Whether mailboxes may be placed here as far as is known.
    #[inline]
    pub(super) fn takes(&self) -> bool {
        self.in_service && !self.closed && !self.full
    }

    /// Whether the last sample is not older than its limit.
    #[inline]
    pub(super) fn fresh(&self, now: Time) -> bool {
        now <= self.fresh_until
    }

    /// How full it may be by now, everything on its way included.
    #[inline]
    pub(super) fn estimate(&self, now: Time) -> Bytes {
        let age = self.sample.map_or(Span::ZERO, |sample| now.since(sample.measured_at));
        self.living + self.reserved + self.assumed_intake.over(age)
    }

    /// Whether it stays within its threshold with everything on its way.
    #[inline]
    pub(super) fn holds(&self, now: Time) -> bool {
        (now <= self.fresh_until && self.living + self.reserved < self.ample_below) || self.holds_narrowly(now)
    }

    #[cold]
    fn holds_narrowly(&self, now: Time) -> bool {
        self.estimate(now) <= self.threshold
    }
}
