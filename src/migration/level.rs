//! How full the clusters are at the least, side by side: of many, the least filled is found without asking each.

use super::plan::{ClusterPlan, InodePlan, PlacementPlan};
use crate::fleet::STORES_MAX;
use crate::units::{Bytes, Inodes, Room, Share};

/// Levels count in so many parts of a threshold, a power of two.
const PARTS_BITS: u32 = 36;

/// Above so many times its threshold a cluster is as full as that.
const MOST_BITS: u32 = 20;

/// A level stands above its cluster's place, so that the least of the numbers tells both.
const PLACE_BITS: u32 = 6;

const _: () = assert!(PARTS_BITS + MOST_BITS + PLACE_BITS < u64::BITS && STORES_MAX <= 1 << PLACE_BITS);

/// The level of a cluster which takes nothing: it is never the least filled.
const SHUT: u64 = u64::MAX;

/// Where a cluster that takes mailboxes stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// What lives there, and what is reserved.
    pub(super) there: Room,
    /// It has room for less than this, whatever its sample's age.
    pub(super) ample: Room,
    /// Whether its inodes have a limit as far as is known.
    pub(super) limits_inodes: bool,
}

/// The levels of all clusters, in their order: how full each is of its threshold, rounded down, the fuller of the two units;
/// and below that, its place.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    list: Vec<u64>,
    /// Clusters whose level says what was so before, a bit each.
    changed: u64,
    /// Each cluster that takes mailboxes has room for less than this; perhaps for more.
    ample: Room,
    /// Those of the thresholds in bytes and in inodes.
    inverses: Vec<[Inverse; 2]>,
    /// By how much anything raises any level at the least: that of the largest threshold.
    largest: Inverse,
}

impl Levels {
    /// To be renewed before anything is asked of them.
    pub(super) fn new(plan: &PlacementPlan) -> Self {
        let inodes = |inodes: Option<Inodes>| inodes.map_or(Inverse::NONE, |inodes| Inverse::of(inodes.get()));
        let bytes = plan.clusters.iter().map(ClusterPlan::threshold);
        let both = plan.clusters.iter().zip(bytes.clone()).map(|(cluster, bytes)| {
            [Inverse::of(bytes.get()), inodes(cluster.inodes.as_ref().map(InodePlan::threshold))]
        });
        let largest = Inverse::of(bytes.max().unwrap_or(Bytes::ZERO).get());
        Self {
            list: vec![SHUT; plan.clusters.len()],
            changed: (0..plan.clusters.len()).fold(0, |changed, place| changed | 1 << place),
            ample: Room::ANY,
            inverses: both.collect(),
            // Where inodes count, a mailbox may raise a level by less than its bytes do.
            largest: if plan.counts_inodes() { Inverse::NONE } else { largest },
        }
    }

    /// Something has changed of where a cluster stands.
    #[inline(always)]
    pub(super) fn note(&mut self, place: usize) {
        self.changed |= 1 << (place % u64::BITS as usize);
    }

    /// Brings the levels up to date. What a cluster has ample room for counts at once where that is less than before, and else
    /// when `renew_ample` is asked for.
    #[inline]
    pub(super) fn renew(&mut self, standing: impl Fn(usize) -> Option<Standing>) {
        while self.changed != 0 {
            let place = self.changed.trailing_zeros() as usize;
            self.changed &= self.changed - 1;
            self.list[place] = match standing(place) {
                None => SHUT,
                Some(Standing { there, ample, limits_inodes }) => {
                    self.ample = self.ample.at_most(ample);
                    let [bytes, inodes] = self.inverses[place];
                    let level = bytes.parts(there.bytes.get());
                    let level = if limits_inodes { level.max(inodes.parts(there.inodes.get())) } else { level };
                    level << PLACE_BITS | place as u64
                }
            };
        }
    }

    /// Finds out anew what all have ample room for.
    pub(super) fn renew_ample(&mut self, standings: impl Iterator<Item = Option<Standing>>) {
        self.ample = standings.flatten().fold(Room::ANY, |least, standing| least.at_most(standing.ample));
    }

    /// The levels, as they were last renewed; to be held against `most_within`.
    #[inline]
    pub(super) fn list(&self) -> &[u64] {
        &self.list
    }

    #[cfg(test)]
    pub(super) fn ample(&self) -> Room {
        self.ample
    }

    /// The lowest, if there is any and no cluster could refuse `need`.
    #[inline]
    pub(super) fn lowest(&self, need: Room) -> Option<usize> {
        let mut least = SHUT;
        for level in &self.list {
            least = least.min(*level);
        }
        (least < SHUT && need.is_below(self.ample)).then_some((least % (1 << PLACE_BITS)) as usize)
    }

    /// The level above which a cluster is filled to more than a share with `need`.
    #[inline]
    pub(super) fn most_within(&self, share: Share, need: Room) -> u64 {
        let most = parts_of(share).saturating_sub(self.largest.parts(need.bytes.get()));
        most << PLACE_BITS | ((1 << PLACE_BITS) - 1)
    }
}

/// A share in parts, rounded down; shares above one count as one.
#[inline]
fn parts_of(share: Share) -> u64 {
    (u64::from(share.min(Share::ONE).ppm()) << PARTS_BITS) / u64::from(Share::ONE.ppm())
}

/// What turns amounts into parts of a whole: a factor, all of whose bits count, and where its point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inverse {
    factor: u64,
    shift: u32,
}

impl Inverse {
    /// That of nothing, of which everything is no part, and of no limit.
    pub(super) const NONE: Self = Self { factor: 0, shift: 0 };

    /// That of a whole, rounded down.
    pub(super) fn of(whole: u64) -> Self {
        let shift = whole.checked_ilog2().unwrap_or(0);
        let factor = ((1_u128 << (u64::BITS + shift)) - 1).checked_div(u128::from(whole));
        factor.map_or(Self::NONE, |factor| Self { factor: factor as u64, shift })
    }

    /// An amount in parts of the whole, rounded down, up to `MOST_BITS`.
    #[inline]
    pub(super) fn parts(self, amount: u64) -> u64 {
        let parts = (u128::from(amount) * u128::from(self.factor)) >> (u64::BITS + self.shift - PARTS_BITS);
        parts.min(1 << (PARTS_BITS + MOST_BITS)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_level_is_never_above_the_share_and_hardly_below_it(
            amount in prop_oneof![0..1_000_000_u64, any::<u64>()], whole in prop_oneof![1..1_000_000_u64, any::<u64>()],
        ) {
            let share = Bytes::new(amount).of(Bytes::new(whole));
            let level = Inverse::of(whole).parts(amount);
            if share <= Share::ONE {
                prop_assert!(level <= parts_of(share), "{level} of {share:?}");
                // A share is rounded up to a millionth, and a level down to far less.
                let below = Share::from_ppm(share.ppm().saturating_sub(2));
                prop_assert!(level >= parts_of(below), "{level} of {share:?}");
            } else {
                prop_assert!(level >= parts_of(Share::from_ppm(999_999)), "{level} of {share:?}");
            }
        }
    }

    #[test]
    fn everything_is_no_part_of_nothing() {
        assert_eq!(Inverse::of(0).parts(u64::MAX), 0);
        assert_eq!(Inverse::of(1).parts(u64::MAX), 1 << (PARTS_BITS + MOST_BITS));
        assert_eq!(Inverse::of(u64::MAX).parts(u64::MAX), (1 << PARTS_BITS) - 1);
    }
}
