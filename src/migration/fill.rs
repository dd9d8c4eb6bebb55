//! How full a cluster may be: one cluster's last sample, what was committed to it since, and what is reserved.
//!
//! A fill estimate never forgets anything that may be on its way: the last sample, what was committed since it was
//! measured, all reservations, and the intake and growth assumed for its age. What a sample already shows may be
//! counted twice until the next one: the error is always on the side of too full.
//!
//! All of it is counted in bytes and in inodes together; a cluster without a limit of inodes has one that is never reached.

use super::level::Standing;
use super::message::FullOf;
use super::plan::ClusterPlan;
use super::throttle::Sample;
use crate::units::{Bytes, Inodes, InodesUsed, Rate, Room, Share, Span, Time};

/// Past states of the committed total that are kept to find what was committed before a late sample was measured.
const CHECKPOINTS: usize = 8;

/// One cluster.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    limits: Limits,
    /// What the plan says of its inodes; it holds only while samples tell how many are in use.
    inode_limits: [Inodes; 3],
    counts_inodes: bool,
    assumed_intake: Rate,
    assumed_inodes_a_day: Inodes,
    sample_limit: Span,
    in_service: bool,
    closed: bool,
    refused: Refused,
    pub(super) sample: Option<Sample>,
    /// Until when the last sample counts, and until when it does for placing more; long ago where nothing may be placed.
    fresh_until: Time,
    open_until: Time,
    /// All that was ever committed here, and what of it the last sample cannot have missed.
    committed: Room,
    committed_in_sample: Room,
    /// A ring of past states of `committed`, and the place of the newest.
    checkpoints: [(Time, Room); CHECKPOINTS],
    newest: usize,
    /// What is in flight to it.
    reserved: Room,
    /// What may live here: the last sample, and what was committed since.
    living: Room,
}

/// What a cluster has refused since it was last open, and what it was full of then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Nothing,
    /// One that was too large for what is left; smaller ones may go there.
    Large(FullOf),
    /// One with little left: it takes no more.
    Any(FullOf),
}

/// How far it may be filled.
#[derive(Clone, Copy, Debug)]
struct Limits {
    threshold: Room,
    /// One that was full takes mailboxes again at this or less.
    reopen_at: Room,
    /// Below this there is room whatever intake is assumed before a sample is too old.
    ample_below: Room,
}

impl Limits {
    fn set_inodes(&mut self, [threshold, reopen_at, ample_below]: [Inodes; 3]) {
        (self.threshold.inodes, self.reopen_at.inodes, self.ample_below.inodes) = (threshold, reopen_at, ample_below);
    }
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
        let inode_limits = plan.inodes.map_or([Inodes::UNLIMITED; 3], |inodes| {
            let (threshold, most_intake) = (inodes.threshold(), inodes.assumed_a_day.daily_over(sample_limit));
            let reopen_at = threshold.saturating_sub(inodes.rated.share(reopen_below));
            let ample_below = Inodes::new(threshold.get() + 1).saturating_sub(most_intake);
            [threshold, reopen_at, ample_below]
        });
        let bytes = |bytes| Room { bytes, inodes: Inodes::UNLIMITED };
        let mut limits = Limits {
            threshold: bytes(plan.threshold()),
            reopen_at: bytes(plan.threshold().saturating_sub(plan.rated.share(reopen_below))),
            ample_below: bytes(ample_below),
        };
        limits.set_inodes(inode_limits);
        Self {
            limits,
            inode_limits,
            counts_inodes: plan.inodes.is_some(),
            assumed_intake: plan.assumed_intake,
            assumed_inodes_a_day: plan.inodes.map_or(Inodes::ZERO, |inodes| inodes.assumed_a_day),
            sample_limit,
            in_service: false,
            closed: false,
            refused: Refused::Nothing,
            sample: None,
            fresh_until: Time::LONG_AGO,
            open_until: Time::LONG_AGO,
            committed: Room::ZERO,
            committed_in_sample: Room::ZERO,
            checkpoints: [(Time::default(), Room::ZERO); CHECKPOINTS],
            newest: 0,
            reserved: Room::ZERO,
            living: Room::ZERO,
        }
    }

    /// Takes in a sample, unless it is older than the last; says whether a full cluster opens again with it.
    pub(super) fn sampled(&mut self, now: Time, sample: Sample, (bytes, inodes): (Bytes, InodesUsed)) -> bool {
        if self.sample.is_some_and(|last| last.measured_at > sample.measured_at) {
            return false;
        }
        // Both times and totals only grow: the newest state from before the sample is the largest.
        let newest = self.checkpoints[self.newest % CHECKPOINTS];
        let counted = if newest.0 <= sample.measured_at { newest.1 } else { self.committed_before(sample.measured_at) };
        // Both units were counted at the same instants, so that the later state is the larger in both.
        if self.committed_in_sample.is_within(counted) {
            self.committed_in_sample = counted;
        }
        // Far enough apart that the oldest one lies before what a sample as late as this one can show.
        let delay = now.since(sample.measured_at).micros();
        if now.since(newest.0).micros() >= delay / (CHECKPOINTS as i64 / 2) {
            self.newest = (self.newest + 1) % CHECKPOINTS;
            self.checkpoints[self.newest] = (now, self.committed);
        }
        self.sample = Some(sample);
        if self.counts_inodes {
            // A file system that makes inodes as it needs them has no limit.
            let is_known = !inodes.is_unknown();
            self.limits.set_inodes(if is_known { self.inode_limits } else { [Inodes::UNLIMITED; 3] });
        }
        let used = Room { bytes, inodes: inodes.get().unwrap_or_default() };
        self.living = used + (self.committed - self.committed_in_sample);
        self.fresh_until = sample.measured_at + self.sample_limit;
        let opens = self.is_full() && self.estimate(now).is_within(self.limits.reopen_at);
        if opens {
            self.refused = Refused::Nothing;
        }
        self.renew();
        opens
    }

    /// What had surely been committed at an instant before the newest checkpoint.
    #[inline(never)]
    fn committed_before(&self, at: Time) -> Room {
        let mut back = (1..CHECKPOINTS).map(|back| self.checkpoints[self.newest.wrapping_sub(back) % CHECKPOINTS]);
        back.find(|(then, _)| *then <= at).map_or(Room::ZERO, |(_, committed)| committed)
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

    /// It has refused a mailbox, with which it would hold so much, and takes no more; but where more is free than it takes
    /// to open again, smaller ones may still go there: a large one that the next sample would let ask again, and be refused
    /// again, holds nobody up.
    pub(super) fn refuse(&mut self, now: Time, with: Room) {
        let Limits { reopen_at, threshold, .. } = self.limits;
        let of = if with.bytes > threshold.bytes { FullOf::Bytes } else { FullOf::Inodes };
        let is_full = reopen_at == threshold || !self.estimate(now).is_within(reopen_at);
        self.refused = if is_full { Refused::Any(of) } else { Refused::Large(of) };
        self.renew();
    }

    /// What it was full of when it last refused, if it has since it was last open.
    pub(super) fn full_of(&self) -> Option<FullOf> {
        match self.refused {
            Refused::Nothing => None,
            Refused::Large(of) | Refused::Any(of) => Some(of),
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        matches!(self.refused, Refused::Any(_))
    }

    /// Whether this much would fit if nothing else were there.
    #[inline]
    pub(super) fn could_take(&self, need: Room) -> bool {
        need.is_within(self.limits.threshold)
    }

    /// How full it would be of what it may be filled with.
    pub(super) fn fill_with(&self, with: Room) -> Share {
        with.of(self.limits.threshold)
    }

    /// How full it would be with `need`, of what it may be filled with; nobody knows where its sample does not count.
    #[inline]
    pub(super) fn fill_if_fresh(&self, now: Time, need: Room) -> Option<Share> {
        (now <= self.open_until).then(|| self.fill_with(self.estimate(now) + need))
    }

    /// Where it stands, if it takes mailboxes at all.
    #[inline]
    pub(super) fn standing(&self) -> Option<Standing> {
        let there = self.living + self.reserved;
        let Limits { ample_below, threshold, .. } = self.limits;
        let ample = ample_below.saturating_sub(there);
        self.takes().then_some(Standing { there, ample, limits_inodes: threshold.inodes != Inodes::UNLIMITED })
    }

    /// Whether this much is within its threshold.
    #[inline]
    pub(super) fn allows(&self, with: Room) -> bool {
        with.is_within(self.limits.threshold)
    }

    /// Keeps room for what will be in flight to it.
    #[inline]
    pub(super) fn reserve(&mut self, need: Room) {
        self.reserved += need;
    }

    /// Keeps the room only where it is open and there is enough of it whatever the sample's age; says whether it has.
    #[inline(always)]
    pub(super) fn reserve_amply(&mut self, now: Time, need: Room) -> bool {
        let fits = now <= self.open_until && (self.living + self.reserved + need).is_below(self.limits.ample_below);
        if fits {
            self.reserve(need);
        }
        fits
    }

    /// Corrects a reservation to what is truly in flight; says whether everything stays within the threshold.
    #[inline(always)]
    pub(super) fn correct(&mut self, now: Time, reserved: Room, takes: Room) -> bool {
        self.reserved = self.reserved - reserved + takes;
        self.holds(now)
    }

    /// Gives a reservation back.
    pub(super) fn release(&mut self, reserved: Room) {
        self.reserved -= reserved;
    }

    /// Turns a reservation into something that lives here.
    #[inline]
    pub(super) fn commit(&mut self, reserved: Room) {
        self.reserved -= reserved;
        self.committed += reserved;
        self.living += reserved;
    }

    /// What is reserved: exactly what is in flight to it.
    pub(super) fn reserved(&self) -> Room {
        self.reserved
    }

    /// Whether mailboxes may be placed here as far as is known.
    #[inline]
    pub(super) fn takes(&self) -> bool {
        self.in_service && !self.closed && !self.is_full()
    }

    /// Whether the last sample is not older than its limit.
    #[inline]
    pub(super) fn fresh(&self, now: Time) -> bool {
        now <= self.fresh_until
    }

    /// How full it may be by now, everything on its way included.
    #[inline]
    pub(super) fn estimate(&self, now: Time) -> Room {
        let age = self.sample.map_or(Span::ZERO, |sample| now.since(sample.measured_at));
        let inodes = self.assumed_inodes_a_day.daily_over(age);
        self.living + self.reserved + Room { bytes: self.assumed_intake.over(age), inodes }
    }

    /// Whether it stays within its threshold with everything on its way.
    #[inline]
    pub(super) fn holds(&self, now: Time) -> bool {
        let ample = (self.living + self.reserved).is_below(self.limits.ample_below);
        (now <= self.fresh_until && ample) || self.holds_narrowly(now)
    }

    #[cold]
    fn holds_narrowly(&self, now: Time) -> bool {
        self.allows(self.estimate(now))
    }
}
