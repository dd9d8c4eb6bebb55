//! How busy a cluster is with its users and the copies into it: the fixed point between the two, as of a step of the load.
//!
//! Its copies wait for it as they wait for their head: a busy cluster slows them down, and slowed they ask less of it. What
//! they wait for at their heads is taken as it stands; heads are solved with what the clusters answered last. One after the
//! other, step by step, both come to the point at which all agree, since what each side answers changes by less than what
//! it was told.

use super::{ClusterSide, HeadSide, Sharing, mover};
use crate::fleet::{ClusterId, HeadId};
use crate::sim::head::Mover;

/// A pair that is slower than its waits explain by more than this share is held by something else: speeds are found to a
/// hundred-thousandth, and what is held by so little might as well not be.
const EXPLAINED: f64 = 1e-3;
/// Copies stand still where they wait so long, in seconds, for each operation.
const STANDSTILL_S: f64 = 1e9;

impl Sharing {
    /// A step of the load begins, in which users ask so many operations a second of a cluster: finds its utilisation, copies
    /// included, and by how much they wait for it.
    pub(crate) fn pass_cluster(&mut self, cluster: ClusterId, users: f64, capacity: f64) -> f64 {
        let place = cluster.index();
        let mut movers = std::mem::take(&mut self.movers);
        movers.clear();
        movers.extend((0..self.heads.len()).filter_map(|head| self.mover_at(HeadId(head as u8), cluster)));
        let side = &mut self.clusters[place];
        side.station.set_load(users, capacity);
        side.station.solve(&mut movers);
        let wait_s = wait_of(side, &movers);
        let utilisation = side.station.utilisation;
        self.movers = movers;
        self.set_wait(cluster, wait_s);
        utilisation
    }

    /// The copies of a pair as their cluster sees them.
    fn mover_at(&self, head: HeadId, cluster: ClusterId) -> Option<Mover> {
        let HeadSide { station, asking_milli_op_s, .. } = &self.heads[head.index()];
        let pair = &self.pairs[usize::from(self.pair(head, cluster))];
        if pair.copies == 0 {
            return None;
        }
        let wait_s = self.clusters[cluster.index()].wait_s;
        let seen_by_head = mover(pair, wait_s, 1.0);
        let at_head = if *asking_milli_op_s == 0 { 0.0 } else { seen_by_head.per_copy * station.wait_s() };
        let load = pair.cluster_milli_op_s as i64 as f64 * 1e-3;
        let explained = 1.0 / (1.0 + at_head + seen_by_head.cluster_wait);
        Some(Mover {
            load,
            per_copy: load / f64::from(pair.copies),
            cluster_wait: at_head,
            // Whatever else holds them goes on to hold them.
            ceiling: if pair.share < explained * (1.0 - EXPLAINED) { pair.share } else { 1.0 },
            speed: 1.0,
        })
    }

    /// Sets by how much a cluster's response time is above that of an idle one.
    pub(super) fn set_wait(&mut self, cluster: ClusterId, wait_s: f64) {
        let side = &mut self.clusters[cluster.index()];
        if side.wait_s.to_bits() != wait_s.to_bits() {
            side.wait_s = wait_s;
            self.affect(self.heads_at(cluster));
        }
    }
}

/// How long the copies wait for a cluster that has been solved: as its curve says, or, where they would then ask for more than
/// users leave over, until they no longer do.
fn wait_of(side: &ClusterSide, movers: &[Mover]) -> f64 {
    let asks = |wait_s: f64| -> f64 {
        movers.iter().map(|mover| mover.load * mover.own_speed(wait_s).min(mover.ceiling)).sum()
    };
    let (curve_s, room) = (side.station.wait_s(), side.station.room());
    if asks(curve_s) <= room * (1.0 + f64::EPSILON * 16.0) || asks(0.0) == 0.0 {
        return curve_s;
    }
    let (mut low, mut high) = (curve_s, curve_s.max(1e-3));
    while asks(high) > room && high < STANDSTILL_S {
        (low, high) = (high, high * 4.0);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if asks(middle) > room { low = middle } else { high = middle }
    }
    high.min(STANDSTILL_S)
}
