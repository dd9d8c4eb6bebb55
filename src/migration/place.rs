//! To which cluster: the order of filling, thresholds, reservations.

use super::fill::Cluster;
use super::level::Levels;
use super::message::FullOf;
use super::plan::{Level, Placement, PlacementPlan};
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
    /// Nowhere now, but smaller ones may go: what is open has too little left for one of its size, or could never take it.
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
    /// Renewed where the least filled cluster is asked for; apart, so that what every step touches stays close together.
    levels: Box<Levels>,
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
            levels: Box::new(Levels::new(plan)),
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

    /// Reserves `need` where `place` would, if there is ample room for it and something has been placed there before:
    /// `opened` has a bit for each such cluster.
    #[inline(always)]
    pub(super) fn place_as_before(&mut self, now: Time, need: Room, opened: u64) -> Option<ClusterId> {
        let cluster = self.list.get_mut(self.first)?;
        let usual = self.rule == Placement::Sequential && opened >> (self.first % STORES_MAX) & 1 != 0;
        if usual && cluster.reserve_amply(now, need) {
            return Some(ClusterId(self.first as u8));
        }
        self.place_least_filled_as_before(now, need, opened)
    }

    #[inline(never)]
    fn place_least_filled_as_before(&mut self, now: Time, need: Room, opened: u64) -> Option<ClusterId> {
        if self.rule != Placement::LeastFilled {
            return None;
        }
        let place = self.least_filled_amply(now, need).filter(|place| opened >> (place % STORES_MAX) & 1 != 0)?;
        self.reserve(place, need);
        Some(ClusterId(place as u8))
    }

    fn reserve(&mut self, place: usize, need: Room) {
        self.list[place].reserve(need);
        self.levels.note(place);
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
            Choice::At(cluster) => self.reserve(cluster.index(), need),
            // Those that have refused it and are not full may take smaller ones, as may those that were not asked.
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
            cluster.refuse(now, with);
            self.newly_full |= 1 << place;
        }
        Choice::NoRoom
    }

    /// The least filled cluster with `need`, where each that takes mailboxes has ample room for it and a sample that counts:
    /// as nearly always. Of those filled alike the first.
    #[inline]
    fn least_filled_amply(&mut self, now: Time, need: Room) -> Option<usize> {
        self.levels.renew(|place| self.list[place].standing());
        let lowest = self.levels.lowest(need)?;
        let fill = self.list[lowest].fill_if_fresh(now, need)?;
        let most = self.levels.most_within(fill, need);
        let mut best = (fill, lowest);
        for (place, level) in self.levels.list().iter().enumerate() {
            if *level <= most && place != lowest {
                best = best.min((self.list[place].fill_if_fresh(now, need)?, place));
            }
        }
        Some(best.1)
    }

    fn least_filled(&mut self, now: Time, need: Room) -> Choice {
        match self.least_filled_amply(now, need) {
            Some(place) => Choice::At(ClusterId(place as u8)),
            None => self.least_filled_of_all(now, need),
        }
    }

    /// The same with each cluster asked; those that refuse and have little left are full from then on.
    fn least_filled_of_all(&mut self, now: Time, need: Room) -> Choice {
        let mut stale = false;
        let mut best: Option<(Share, usize)> = None;
        for (place, cluster) in self.list.iter_mut().enumerate() {
            if !cluster.takes() || !cluster.could_take(need) {
                continue;
            }
            if !cluster.fresh(now) {
                stale = true;
                continue;
            }
            let with = cluster.estimate(now) + need;
            if !cluster.allows(with) {
                cluster.refuse(now, with);
                self.levels.note(place);
                self.newly_full |= 1 << place;
                continue;
            }
            let fill = cluster.fill_with(with);
            if best.is_none_or(|(least, _)| fill < least) {
                best = Some((fill, place));
            }
        }
        self.levels.renew_ample(self.list.iter().map(Cluster::standing));
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
        self.levels.note(cluster.index());
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
        self.levels.note(cluster.index());
    }

    /// Turns a reservation into something that lives there: its level stays what it is.
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
        self.levels.note(id.index());
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
        self.levels.note(id.index());
        self.first = 0;
    }

    pub(super) fn set_closed(&mut self, id: ClusterId, closed: bool) {
        self.list[id.index()].set_closed(closed);
        self.levels.note(id.index());
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

    /// Where new accounts go best: to the first cluster that takes mailboxes and has refused none, as `filled` says with a
    /// bit for each; where there is none, on to `now`, or to the first that takes mailboxes.
    pub(super) fn intake(&self, filled: u64, now: Option<ClusterId>) -> Option<ClusterId> {
        let open = || self.list.iter().enumerate().filter(|(_, cluster)| cluster.takes()).map(|(place, _)| place);
        let unfilled = open().find(|place| filled >> place & 1 == 0);
        let first =
            unfilled.or_else(|| now.map(ClusterId::index).filter(|now| self.list[*now].takes())).or(open().next());
        first.map(|place| ClusterId(place as u8))
    }

    /// Whether a cluster has refused since the caller last asked.
    #[inline]
    pub(super) fn any_newly_full(&self) -> bool {
        self.newly_full != 0
    }

    /// A cluster that has refused since the caller last asked, and what it was full of.
    #[inline]
    pub(super) fn take_newly_full(&mut self) -> Option<(ClusterId, FullOf)> {
        if self.newly_full == 0 {
            return None;
        }
        let place = self.newly_full.trailing_zeros();
        self.newly_full &= self.newly_full - 1;
        Some((ClusterId(place as u8), self.list[place as usize].full_of().unwrap_or_default()))
    }

    /// The worst of `sample` and the last samples of the clusters that concern a head.
    pub(super) fn worst(&self, sample: Sample, jobs_on: &[u16; STORES_MAX]) -> Sample {
        let mut worst = sample;
        self.each_concerned(jobs_on, |sample| worst = worst.worst(sample));
        worst
    }

    /// When the newest of the same samples that are above a level was measured.
    #[cold]
    pub(super) fn newest_above(&self, level: Level, sample: Sample, jobs_on: &[u16; STORES_MAX]) -> Time {
        let mut newest = Time::LONG_AGO;
        let mut look = |sample: Sample| {
            if sample.above(level) {
                newest = newest.max(sample.measured_at);
            }
        };
        look(sample);
        self.each_concerned(jobs_on, look);
        newest
    }

    /// The last samples of the clusters that concern a head: those that its jobs go to, and the first one that takes
    /// mailboxes.
    #[inline(always)]
    fn each_concerned(&self, jobs_on: &[u16; STORES_MAX], mut look: impl FnMut(Sample)) {
        let mut open = false;
        for (place, cluster) in self.list.iter().enumerate() {
            let first = !open && cluster.takes();
            open |= first;
            if (first || jobs_on[place] > 0)
                && let Some(sample) = cluster.sample
            {
                look(sample);
            }
        }
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
mod tests;
