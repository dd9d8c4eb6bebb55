//! To which cluster: the order of filling, thresholds, reservations.

use super::fill::Cluster;
use super::message::FullOf;
use super::plan::{Placement, PlacementPlan};
use super::throttle::Sample;
use crate::fleet::{ClusterId, STORES_MAX, at_mut};
use crate::units::{Bytes, Inodes, InodesUsed, Room, Share, Time};

/// Where a mailbox can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// There.
    At(ClusterId),
    /// Nowhere now: every cluster in service is closed or full.
    NoRoom,
    /// Nowhere now, but smaller ones may go: what is open could never take one of its size, and what could is not open.
    NoRoomForIt,
    /// Nowhere now: the cluster whose turn it is has no fresh sample.
    Stale,
    /// Nowhere ever: it is larger than any cluster's threshold.
    TooLarge,
}

/// All clusters, in the order of filling.
#[derive(Clone, Debug)]
pub(super) struct Clusters {
    list: Vec<Cluster>,
    rule: Placement,
    slack: Share,
    /// When the session began, or the clock was last set: samples from before do not count.
    since: Time,
    /// The first cluster that may take a mailbox, for sequential filling; earlier ones are full, closed or not in service.
    first: usize,
    /// Whether some cluster has a limit of inodes, and what a mailbox takes of them besides one a message.
    counts_inodes: bool,
    inodes_per_mailbox: Inodes,
    /// Clusters that have refused since the caller last asked, a bit each.
    newly_full: u64,
}

const _: () = assert!(STORES_MAX <= 64, "a bit for each cluster in `newly_full`");

impl Clusters {
    pub(super) fn new(now: Time, plan: &PlacementPlan, open: &[ClusterId]) -> Self {
        let mut clusters: Vec<Cluster> =
            plan.clusters.iter().map(|cluster| Cluster::new(cluster, plan.reopen_below, plan.sample_limit)).collect();
        for id in open {
            clusters[id.index()].set_in_service(true);
        }
        Self {
            list: clusters,
            rule: plan.rule,
            slack: plan.slack,
            since: now,
            first: 0,
            counts_inodes: plan.counts_inodes(),
            inodes_per_mailbox: plan.inodes_per_mailbox,
            newly_full: 0,
        }
    }

    /// The room that is reserved for a mailbox of this size; its messages are asked for where inodes count.
    #[inline(always)]
    pub(super) fn need(&self, bytes: Bytes, messages: impl FnOnce() -> u32) -> Room {
        let bytes = if self.slack == Share::ZERO { bytes } else { bytes + bytes.share(self.slack) };
        let takes = self.room_taken(bytes, if self.counts_inodes { messages() } else { 0 });
        if self.counts_inodes { takes + self.slack_of(takes) } else { takes }
    }

    /// The inodes of what may come meanwhile: as many messages more, by share, as bytes.
    fn slack_of(&self, takes: Room) -> Room {
        let messages = takes.inodes.saturating_sub(self.inodes_per_mailbox);
        Room { bytes: Bytes::ZERO, inodes: messages.share(self.slack) }
    }

    /// What a mailbox takes whose copy has ended.
    #[inline(always)]
    pub(super) fn room_taken(&self, bytes: Bytes, messages: u32) -> Room {
        let inodes = if self.counts_inodes {
            Inodes::new(self.inodes_per_mailbox.get().saturating_add(u64::from(messages)))
        } else {
            Inodes::ZERO
        };
        Room { bytes, inodes }
    }

    /// The messages of a mailbox that takes so much; none where inodes do not count.
    pub(super) fn messages_of(&self, takes: Room) -> u32 {
        u32::try_from(takes.inodes.saturating_sub(self.inodes_per_mailbox).get()).unwrap_or(u32::MAX)
    }

    /// Reserves `need` on the cluster that took the last one, where sequential filling has ample room for it there and
    /// something has been placed before: `opened` has a bit for each such cluster.
    #[inline(always)]
    pub(super) fn place_as_before(&mut self, now: Time, need: Room, opened: u64) -> Option<ClusterId> {
        let cluster = self.list.get_mut(self.first)?;
        let usual = self.rule == Placement::Sequential && opened >> (self.first % STORES_MAX) & 1 != 0;
        (usual && cluster.reserve_amply(now, need)).then_some(ClusterId(self.first as u8))
    }

    /// Chooses a cluster with room for `need` and reserves it.
    #[inline]
    pub(super) fn place(&mut self, now: Time, need: Room) -> Choice {
        if !self.list.iter().any(|cluster| cluster.could_take(need)) {
            return Choice::TooLarge;
        }
        let choice = match self.rule {
            Placement::Sequential => self.first_with_room(now, need),
            Placement::LeastFilled => self.least_filled(now, need),
        };
        match choice {
            Choice::At(cluster) => self.list[cluster.index()].reserve(need),
            // A cluster that has refused it is full by now; one that still takes mailboxes was not asked.
            Choice::NoRoom if self.list.iter().any(Cluster::takes) => return Choice::NoRoomForIt,
            Choice::NoRoom | Choice::NoRoomForIt | Choice::Stale | Choice::TooLarge => {}
        }
        choice
    }

    #[inline]
    fn first_with_room(&mut self, now: Time, need: Room) -> Choice {
        while self.list.get(self.first).is_some_and(|cluster| !cluster.takes()) {
            self.first += 1;
        }
        for (place, cluster) in self.list.iter_mut().enumerate().skip(self.first) {
            // What could never fit in there does not close it for the others.
            if !cluster.takes() || !cluster.could_take(need) {
                continue;
            }
            if !cluster.fresh(now) {
                return Choice::Stale;
            }
            let with = cluster.estimate(now) + need;
            if cluster.allows(with) {
                return Choice::At(ClusterId(place as u8));
            }
            cluster.refuse(with);
            self.newly_full |= 1 << place;
        }
        Choice::NoRoom
    }

    fn least_filled(&mut self, now: Time, need: Room) -> Choice {
        let mut stale = false;
        let mut best: Option<(Share, usize)> = None;
        for (place, cluster) in self.list.iter_mut().enumerate() {
            if best.is_some_and(|(least, _)| cluster.is_amply_open_and_fuller(now, need, least)) {
                continue;
            }
            if !cluster.takes() || !cluster.could_take(need) {
                continue;
            }
            if !cluster.fresh(now) {
                stale = true;
                continue;
            }
            let with = cluster.estimate(now) + need;
            if !cluster.allows(with) {
                cluster.refuse(with);
                self.newly_full |= 1 << place;
                continue;
            }
            let fill = cluster.fill_with(with);
            if best.is_none_or(|(least, _)| fill < least) {
                best = Some((fill, place));
            }
        }
        match best {
            Some((_, place)) => Choice::At(ClusterId(place as u8)),
            None if stale => Choice::Stale,
            None => Choice::NoRoom,
        }
    }

    /// Corrects a reservation to the true size once the copy has shown it.
    /// Says whether the cluster stays within its threshold with everything on its way.
    #[inline]
    pub(super) fn correct(&mut self, now: Time, cluster: ClusterId, reserved: Room, takes: Room) -> bool {
        at_mut(&mut self.list, cluster.index()).correct(now, reserved, takes)
    }

    /// Looks again before a switch: whether the cluster stays within its threshold with everything on its way.
    #[inline]
    pub(super) fn holds(&self, now: Time, cluster: ClusterId) -> bool {
        self.list[cluster.index()].holds(now)
    }

    /// Gives a reservation back.
    pub(super) fn release(&mut self, cluster: ClusterId, reserved: Room) {
        self.list[cluster.index()].release(reserved);
    }

    /// Turns a reservation into something that lives there.
    #[inline]
    pub(super) fn commit(&mut self, cluster: ClusterId, reserved: Room) {
        at_mut(&mut self.list, cluster.index()).commit(reserved);
    }

    /// Takes in a sample. One older than the last is ignored, and so is one from before the session: it may miss what an
    /// earlier session has committed since, of which this one knows nothing.
    pub(super) fn sampled(&mut self, now: Time, id: ClusterId, sample: Sample, used: (Bytes, InodesUsed)) {
        if sample.measured_at >= self.since && self.list[id.index()].sampled(now, sample, used) {
            self.first = 0;
        }
    }

    /// No sample from before `now` says where anything may be placed; what is known of the fill is kept.
    pub(super) fn doubt_samples(&mut self, now: Time) {
        self.since = now;
        for cluster in &mut self.list {
            cluster.doubt_sample();
        }
    }

    pub(super) fn set_in_service(&mut self, id: ClusterId, in_service: bool) {
        self.list[id.index()].set_in_service(in_service);
        self.first = 0;
    }

    pub(super) fn set_closed(&mut self, id: ClusterId, closed: bool) {
        self.list[id.index()].set_closed(closed);
        self.first = 0;
    }

    /// How many clusters there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether mailboxes may be placed there as far as is known.
    #[inline]
    pub(super) fn takes(&self, id: ClusterId) -> bool {
        self.list[id.index()].takes()
    }

    /// The first cluster that takes mailboxes.
    pub(super) fn first_open(&self) -> Option<ClusterId> {
        self.list.iter().position(Cluster::takes).map(|place| ClusterId(place as u8))
    }

    /// Whether a cluster has refused since the caller last asked.
    #[inline]
    pub(super) fn any_newly_full(&self) -> bool {
        self.newly_full != 0
    }

    /// A cluster that has refused for the first time since it was open, once for each refusal, and what it is full of.
    #[inline]
    pub(super) fn take_newly_full(&mut self) -> Option<(ClusterId, FullOf)> {
        if self.newly_full == 0 {
            return None;
        }
        let place = self.newly_full.trailing_zeros();
        self.newly_full &= self.newly_full - 1;
        Some((ClusterId(place as u8), self.list[place as usize].full_of().unwrap_or_default()))
    }

    /// The worst of `sample` and the last samples of the clusters that concern a head: those that its jobs go to, and the
    /// first one that takes mailboxes.
    pub(super) fn worst(&self, sample: Sample, jobs_on: &[u16; STORES_MAX]) -> Sample {
        let (mut worst, mut open) = (sample, false);
        for (place, cluster) in self.list.iter().enumerate() {
            let first = !open && cluster.takes();
            open |= first;
            if (first || jobs_on[place] > 0)
                && let Some(sample) = cluster.sample
            {
                worst = worst.worst(sample);
            }
        }
        worst
    }

    /// What is reserved on a cluster: exactly what is in flight to it.
    pub(super) fn reserved(&self, id: ClusterId) -> Room {
        self.list[id.index()].reserved()
    }

    /// How full a cluster may be by now, everything on its way included.
    pub(super) fn estimate(&self, now: Time, id: ClusterId) -> Room {
        self.list[id.index()].estimate(now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::ClusterPlan;
    use super::*;
    use crate::units::{Latency, Rate, Span};

    fn plan(rule: Placement) -> PlacementPlan {
        let cluster = ClusterPlan {
            rated: Bytes::new(1_000),
            full_at: Share::from_ppm(400_000),
            reserve: Bytes::ZERO,
            assumed_intake: Rate::ZERO,
            inodes: None,
        };
        PlacementPlan {
            rule,
            clusters: vec![cluster; 2],
            slack: Share::ZERO,
            sample_limit: Span::from_secs(60),
            reopen_below: Share::from_ppm(10_000),
            inodes_per_mailbox: Inodes::ZERO,
        }
    }

    fn second(seconds: i64) -> Time {
        Time::from_unix_micros(0) + Span::from_secs(seconds)
    }

    fn sample(at: i64) -> Sample {
        Sample { measured_at: second(at), utilisation: Share::ZERO, latency: Latency::default() }
    }

    fn of(bytes: u64) -> Room {
        Room { bytes: Bytes::new(bytes), inodes: Inodes::ZERO }
    }

    fn open(rule: Placement) -> Clusters {
        let mut clusters = Clusters::new(second(0), &plan(rule), &[ClusterId(0), ClusterId(1)]);
        clusters.sampled(second(0), ClusterId(0), sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
        clusters.sampled(second(0), ClusterId(1), sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
        clusters
    }

    const A: ClusterId = ClusterId(0);
    const B: ClusterId = ClusterId(1);

    #[test]
    fn sequential_placement_fills_to_the_byte_and_not_one_more() {
        let mut clusters = open(Placement::Sequential);
        assert_eq!(clusters.place(second(1), of(400)), Choice::At(A));
        assert_eq!(clusters.take_newly_full(), None);
        assert_eq!(clusters.place(second(1), of(1)), Choice::At(B));
        assert_eq!(clusters.take_newly_full(), Some((A, FullOf::Bytes)));
        assert_eq!(clusters.take_newly_full(), None);
    }

    #[test]
    fn a_cluster_closes_at_its_first_refusal_and_reopens_one_percent_below() {
        let mut clusters = open(Placement::Sequential);
        clusters.place(second(1), of(300));
        assert_eq!(clusters.place(second(1), of(200)), Choice::At(B));
        clusters.commit(A, of(300));
        clusters.sampled(second(2), A, sample(2), (Bytes::new(300), InodesUsed::UNKNOWN));
        assert_eq!(clusters.place(second(2), of(50)), Choice::At(B), "the sample at 2 s may miss what was committed");
        clusters.sampled(second(3), A, sample(3), (Bytes::new(391), InodesUsed::UNKNOWN));
        assert!(!clusters.takes(A));
        clusters.sampled(second(4), A, sample(4), (Bytes::new(390), InodesUsed::UNKNOWN));
        assert_eq!(clusters.place(second(4), of(10)), Choice::At(A));
    }

    #[test]
    fn what_was_committed_after_a_late_sample_was_measured_still_counts() {
        let mut clusters = open(Placement::Sequential);
        clusters.place(second(1), of(100));
        clusters.sampled(second(10), A, sample(10), (Bytes::ZERO, InodesUsed::UNKNOWN));
        clusters.commit(A, of(100));
        clusters.sampled(second(20), A, sample(10), (Bytes::ZERO, InodesUsed::UNKNOWN));
        assert_eq!(clusters.estimate(second(20), A), of(100));
        clusters.sampled(second(30), A, sample(25), (Bytes::new(100), InodesUsed::UNKNOWN));
        assert_eq!(clusters.estimate(second(30), A), of(100));
    }

    #[test]
    fn samples_much_later_than_their_interval_still_show_what_was_committed() {
        let mut clusters = open(Placement::Sequential);
        clusters.place(second(1), of(100));
        clusters.commit(A, of(100));
        for at in 100..400 {
            let used = Bytes::new(if at >= 102 { 100 } else { 0 });
            clusters.sampled(second(at), A, sample(at - 100), (used, InodesUsed::UNKNOWN));
        }
        assert_eq!(clusters.estimate(second(399), A), of(100));
    }

    #[test]
    fn a_mailbox_larger_than_one_cluster_goes_to_a_larger_one_and_closes_nothing() {
        let mut plan = plan(Placement::Sequential);
        plan.clusters[0].rated = Bytes::new(100);
        let mut clusters = Clusters::new(second(0), &plan, &[A, B]);
        clusters.sampled(second(0), A, sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
        clusters.sampled(second(0), B, sample(0), (Bytes::ZERO, InodesUsed::UNKNOWN));
        assert_eq!(clusters.place(second(1), of(41)), Choice::At(B));
        assert_eq!(clusters.place(second(1), of(40)), Choice::At(A));
    }

    #[test]
    fn a_sample_from_before_the_session_says_nothing() {
        let mut clusters = Clusters::new(second(10), &plan(Placement::Sequential), &[A, B]);
        clusters.sampled(second(12), A, sample(9), (Bytes::ZERO, InodesUsed::UNKNOWN));
        assert_eq!(clusters.place(second(12), of(1)), Choice::Stale);
        clusters.sampled(second(12), A, sample(10), (Bytes::ZERO, InodesUsed::UNKNOWN));
        assert_eq!(clusters.place(second(12), of(1)), Choice::At(A));
    }

    #[test]
    fn an_old_sample_stops_placement_and_opens_no_other_cluster() {
        let mut clusters = open(Placement::Sequential);
        assert_eq!(clusters.place(second(61), of(1)), Choice::Stale);
        clusters.sampled(second(61), A, sample(61), (Bytes::ZERO, InodesUsed::UNKNOWN));
        assert_eq!(clusters.place(second(61), of(1)), Choice::At(A));
    }

    #[test]
    fn least_filled_evens_the_shares_out_and_lists_what_is_full() {
        let mut clusters = open(Placement::LeastFilled);
        let places: Vec<Choice> = (0..5).map(|_| clusters.place(second(1), of(190))).collect();
        assert_eq!(places, [Choice::At(A), Choice::At(B), Choice::At(A), Choice::At(B), Choice::NoRoom]);
        assert_eq!(
            (clusters.take_newly_full(), clusters.take_newly_full()),
            (Some((A, FullOf::Bytes)), Some((B, FullOf::Bytes)))
        );
    }

    #[test]
    fn a_copy_that_outgrew_its_room_does_not_fit_any_more() {
        let mut clusters = open(Placement::Sequential);
        clusters.place(second(1), of(390));
        assert!(!clusters.correct(second(1), A, of(390), of(401)));
        assert!(clusters.correct(second(1), A, of(401), of(400)));
        assert_eq!(clusters.reserved(A), of(400));
    }

    #[test]
    fn a_mailbox_larger_than_every_threshold_closes_no_cluster() {
        let mut clusters = open(Placement::Sequential);
        assert_eq!(clusters.place(second(1), of(401)), Choice::TooLarge);
        assert!(clusters.takes(A) && clusters.takes(B));
    }
}
