//! Which copy goes how fast: pairs, heads and clusters together. Speeds are found lazily, once an instant, and only
//! where something has changed.

use super::fill::{Demand, Scratch, fill};
use super::head::{Mover, solve};
use super::queue::{NEVER, WinnerTree};
use super::transfer::{Flow, Pair, Speed};
use crate::fleet::{ClusterId, HeadId};
use crate::migration::message::Limit;
use crate::scenario::curve::LatencyCurve;
use crate::scenario::model::Model;
use crate::units::{Rate, Time};

/// A pair slowed below this by the busy head or cluster is held by it.
const HELD_BELOW: f64 = 0.9;
/// Caps and latency relieve each other: so often they are weighed against each other at one instant.
const ROUNDS: usize = 4;

/// What a head is asked for besides copies.
#[derive(Clone, Debug)]
struct HeadSide {
    curve: LatencyCurve,
    capacity: f64,
    fixed: f64,
    /// The bits of the load and capacity for which the speeds were last found.
    solved: (u64, u64),
    utilisation: f64,
    bytes_s: u64,
    /// What its copies ask of it at full speed, in thousandths of an operation a second.
    copies_milli_op_s: u64,
    rate: Rate,
}

#[derive(Clone, Debug)]
struct ClusterSide {
    bytes_s: u64,
    ingest: Rate,
    /// Response time above that of an idle cluster, in seconds.
    wait_s: f64,
}

/// All copies under way, and how fast they go.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    heads: Vec<HeadSide>,
    clusters: Vec<ClusterSide>,
    pairs: Vec<Pair>,
    speeds: Vec<f64>,
    limits: Vec<Limit>,
    due: WinnerTree,
    /// A bit a head whose speeds have to be found anew ...
    dirty: u64,
    /// ... and a bit a head whose load or capacity is not the one that they were found for.
    reloaded: u64,
    /// Stores that are asked for more bytes than they let through.
    tight: u32,
    movers: Vec<Mover>,
    places: Vec<usize>,
    demands: Vec<Demand>,
    ceilings: Vec<f64>,
    caps: Vec<f64>,
    scratch: Scratch,
}

impl Sharing {
    /// Idle stores.
    pub(crate) fn new(model: &Model) -> Self {
        let head = |head: &crate::scenario::model::HeadModel| HeadSide {
            curve: head.latency.clone(),
            capacity: head.capacity.ops_per_second(),
            fixed: 0.0,
            solved: (0, 0),
            utilisation: 0.0,
            bytes_s: 0,
            copies_milli_op_s: 0,
            rate: Rate::UNLIMITED,
        };
        let cluster = |cluster: &crate::scenario::model::ClusterModel| ClusterSide {
            bytes_s: 0,
            ingest: cluster.ingest,
            wait_s: 0.0,
        };
        let pairs = model.heads.len() * model.clusters.len();
        Self {
            heads: model.heads.iter().map(head).collect(),
            clusters: model.clusters.iter().map(cluster).collect(),
            pairs: vec![Pair::new(); pairs],
            speeds: vec![1.0; pairs],
            limits: vec![Limit::Own; pairs],
            due: WinnerTree::new(pairs),
            dirty: 0,
            reloaded: 0,
            tight: 0,
            movers: Vec::with_capacity(model.clusters.len()),
            places: Vec::with_capacity(model.clusters.len()),
            demands: Vec::with_capacity(pairs),
            ceilings: Vec::with_capacity(pairs),
            caps: Vec::with_capacity(model.heads.len() + model.clusters.len()),
            scratch: Scratch::default(),
        }
    }

    /// A copy begins or goes on.
    #[inline]
    pub(crate) fn join(&mut self, now: Time, head: HeadId, cluster: ClusterId, slot: u16, flow: &Flow) {
        let pair = self.pair(head, cluster);
        self.pairs[pair].join(now, slot, flow);
        self.heads[head.index()].copies_milli_op_s += flow.head_milli_op_s;
        self.change_bytes(head, cluster, |bytes_s| bytes_s + flow.bytes_s);
        self.changed(now, head, pair);
    }

    /// A copy is suspended or given up; its remaining work stays in `flow`.
    pub(crate) fn leave(&mut self, now: Time, head: HeadId, cluster: ClusterId, slot: u16, flow: &mut Flow) {
        let pair = self.pair(head, cluster);
        self.pairs[pair].leave(now, slot, flow);
        self.heads[head.index()].copies_milli_op_s -= flow.head_milli_op_s;
        self.change_bytes(head, cluster, |bytes_s| bytes_s - flow.bytes_s);
        self.changed(now, head, pair);
    }

    /// The pair whose copy ends first, and when, in microseconds.
    #[inline]
    pub(crate) fn first_due(&self) -> (usize, i64) {
        self.due.first()
    }

    /// Takes out the copy that ends now on the pair; `ended` has to be told what it had asked for.
    #[inline]
    pub(crate) fn pop(&mut self, now: Time, pair: usize) -> Option<u16> {
        self.pairs[pair].pop(now)
    }

    /// What the copy that ended had asked for; says what held its pair.
    #[inline]
    pub(crate) fn ended(&mut self, now: Time, head: HeadId, cluster: ClusterId, flow: &Flow) -> Limit {
        let pair = self.pair(head, cluster);
        self.pairs[pair].forget(flow);
        self.heads[head.index()].copies_milli_op_s -= flow.head_milli_op_s;
        self.change_bytes(head, cluster, |bytes_s| bytes_s - flow.bytes_s);
        let limit = self.limits[pair];
        self.changed(now, head, pair);
        limit
    }

    /// Sets the load of a head that does not depend on the speed of copies, in operations a second, and its capacity.
    #[inline]
    pub(crate) fn set_head(&mut self, head: HeadId, fixed: f64, capacity: f64) {
        let side = &mut self.heads[head.index()];
        if side.fixed.to_bits() != fixed.to_bits() || side.capacity.to_bits() != capacity.to_bits() {
            (side.fixed, side.capacity) = (fixed, capacity);
            // A purge that begins as another ends leaves the load as it was: nothing has to be found anew.
            let asked = side.copies_milli_op_s > 0 && side.solved != (fixed.to_bits(), capacity.to_bits());
            self.reloaded = self.reloaded & !(1 << head.0) | u64::from(asked) << head.0;
        }
    }

    /// Sets the pace's cap on a head's bytes.
    pub(crate) fn set_rate(&mut self, head: HeadId, rate: Rate) {
        let side = &mut self.heads[head.index()];
        let limit = rate.bytes_per_second();
        let (before, after) = (side.bytes_s > side.rate.bytes_per_second(), side.bytes_s > limit);
        side.rate = rate;
        self.tight = self.tight + u32::from(after) - u32::from(before);
        self.dirty |= if self.tight > 0 || before { self.all() } else { 1 << head.0 };
    }

    /// Sets by how much a cluster's response time is above that of an idle one.
    pub(crate) fn set_wait(&mut self, cluster: ClusterId, wait_s: f64) {
        let side = &mut self.clusters[cluster.index()];
        if side.wait_s.to_bits() != wait_s.to_bits() {
            side.wait_s = wait_s;
            self.dirty = self.all();
        }
    }

    /// Utilisation of a head, copies included, as of the last `settle`.
    #[inline]
    pub(crate) fn utilisation(&self, head: HeadId) -> f64 {
        let side = &self.heads[head.index()];
        // Where no copy asks anything of the head, none waits for it, and nothing is solved for.
        if side.copies_milli_op_s == 0 { side.fixed / side.capacity } else { side.utilisation }
    }

    /// What all copies into a cluster ask of it at their present speeds, in operations a second.
    pub(crate) fn cluster_load(&self, cluster: ClusterId) -> f64 {
        let pairs = (0..self.heads.len()).map(|head| head * self.clusters.len() + cluster.index());
        pairs.map(|pair| self.pairs[pair].cluster_milli_op_s as f64 * 1e-3 * self.speeds[pair]).sum()
    }

    /// Finds the speeds of all pairs where something has changed, and when their next copies end.
    #[inline]
    pub(crate) fn settle(&mut self, now: Time) {
        if self.dirty | self.reloaded != 0 {
            self.find_speeds(now);
        }
    }

    fn find_speeds(&mut self, now: Time) {
        if self.tight > 0 {
            self.find_capped(now);
            return;
        }
        let mut heads = self.dirty | self.reloaded;
        while heads != 0 {
            let head = heads.trailing_zeros() as usize;
            heads &= heads - 1;
            self.solve_head(head, false);
            for at in 0..self.places.len() {
                let (pair, own) = (self.places[at], self.movers[at].speed);
                self.speeds[pair] = own;
                self.limits[pair] = if own < HELD_BELOW { Limit::Head } else { Limit::Own };
                self.set_speed(now, pair);
            }
        }
        (self.dirty, self.reloaded) = (0, 0);
    }

    /// Solves one head's fixed point into `movers`, with `places` telling their pairs.
    fn solve_head(&mut self, head: usize, capped: bool) {
        self.movers.clear();
        self.places.clear();
        for (place, cluster) in self.clusters.iter().enumerate() {
            let at = head * self.clusters.len() + place;
            let pair = &self.pairs[at];
            if pair.is_empty() {
                continue;
            }
            let copies = 1.0 / pair.len() as f64;
            let load = pair.head_milli_op_s as f64 * 1e-3;
            self.places.push(at);
            self.movers.push(Mover {
                load,
                per_copy: load * copies,
                cluster_wait: pair.cluster_milli_op_s as f64 * 1e-3 * copies * cluster.wait_s,
                ceiling: if capped { self.ceilings[at] } else { 1.0 },
                speed: 1.0,
            });
        }
        let side = &mut self.heads[head];
        side.solved = (side.fixed.to_bits(), side.capacity.to_bits());
        side.utilisation = solve(&side.curve, side.capacity, side.fixed, side.utilisation, &mut self.movers);
    }

    /// Speeds where a cap on bytes may bind: latency and caps in turn, ending with the caps, which therefore hold.
    #[cold]
    fn find_capped(&mut self, now: Time) {
        self.ceilings.clear();
        self.ceilings.resize(self.pairs.len(), 1.0);
        let limit = |rate: Rate| if rate == Rate::UNLIMITED { f64::INFINITY } else { rate.bytes_per_second() as f64 };
        let heads = self.heads.iter().map(|head| limit(head.rate));
        self.caps.clear();
        self.caps.extend(heads.chain(self.clusters.iter().map(|cluster| limit(cluster.ingest))));
        for _ in 0..ROUNDS {
            self.demands.clear();
            for head in 0..self.heads.len() {
                self.solve_head(head, true);
                let side = &self.heads[head];
                let wait_s = side.curve.response_s(side.utilisation) - side.curve.response_s(0.0);
                for (pair, mover) in self.places.iter().zip(&self.movers) {
                    // What the pair could do at this latency without its ceiling: the ceiling may rise again.
                    let free = 1.0 / (1.0 + mover.per_copy * wait_s + mover.cluster_wait);
                    let own = if mover.speed < mover.ceiling { mover.speed } else { free };
                    self.demands.push(Demand {
                        pair: *pair,
                        head,
                        cluster: self.heads.len() + pair % self.clusters.len(),
                        bytes_s: self.pairs[*pair].bytes_s as f64,
                        own,
                        speed: 0.0,
                        held_by: None,
                    });
                }
            }
            fill(&mut self.demands, &self.caps, self.heads.len(), &mut self.scratch);
            let mut changed = 0.0_f64;
            for demand in &self.demands {
                let ceiling = if demand.held_by.is_some() { demand.speed } else { 1.0 };
                changed = changed.max((ceiling - self.ceilings[demand.pair]).abs());
                self.ceilings[demand.pair] = ceiling;
                self.speeds[demand.pair] = demand.speed;
                let own = if demand.own < HELD_BELOW { Limit::Head } else { Limit::Own };
                self.limits[demand.pair] = demand.held_by.unwrap_or(own);
            }
            if changed < 1e-7 {
                break;
            }
        }
        for head in 0..self.heads.len() {
            self.apply(now, head);
        }
        (self.dirty, self.reloaded) = (0, 0);
    }

    /// Sets the speeds found for a head's pairs, and their due times.
    fn apply(&mut self, now: Time, head: usize) {
        let clusters = self.clusters.len();
        for at in head * clusters..(head + 1) * clusters {
            if !self.pairs[at].is_empty() {
                self.set_speed(now, at);
            }
        }
    }

    #[inline]
    fn set_speed(&mut self, now: Time, place: usize) {
        let pair = &mut self.pairs[place];
        pair.set_speed(now, Speed::from_share(self.speeds[place]));
        self.due.set(place, pair.due());
    }

    #[inline]
    fn change_bytes(&mut self, head: HeadId, cluster: ClusterId, change: impl Fn(u64) -> u64) {
        let was_tight = self.tight > 0;
        let side = &mut self.heads[head.index()];
        let limit = side.rate.bytes_per_second();
        let before = side.bytes_s > limit;
        side.bytes_s = change(side.bytes_s);
        self.tight = self.tight + u32::from(side.bytes_s > limit) - u32::from(before);
        let side = &mut self.clusters[cluster.index()];
        let limit = side.ingest.bytes_per_second();
        let before = side.bytes_s > limit;
        side.bytes_s = change(side.bytes_s);
        self.tight = self.tight + u32::from(side.bytes_s > limit) - u32::from(before);
        if was_tight {
            // Where caps stop binding, pairs of other heads may speed up too.
            self.dirty = self.all();
        }
    }

    /// A pair's copies have changed. Those that ask nothing of any store and that no cap can hold need no solving: they
    /// go at full speed, and only the pair's own due time is new.
    #[inline]
    fn changed(&mut self, now: Time, head: HeadId, place: usize) {
        let pair = &mut self.pairs[place];
        let asked = self.heads[head.index()].copies_milli_op_s + pair.cluster_milli_op_s;
        if asked > 0 || self.tight > 0 || self.dirty & (1 << head.0) != 0 || self.speeds[place] < 1.0 {
            self.dirty |= 1 << head.0;
            if pair.is_empty() {
                self.due.set(place, NEVER);
            }
            return;
        }
        pair.set_speed(now, Speed::FULL);
        self.due.set(place, pair.due());
    }

    const fn all(&self) -> u64 {
        u64::MAX >> (64 - self.heads.len())
    }

    #[inline]
    fn pair(&self, head: HeadId, cluster: ClusterId) -> usize {
        head.index() * self.clusters.len() + cluster.index()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::testing::quiet;
    use crate::sim::transfer::Work;

    #[test]
    fn the_last_copy_takes_its_load_with_it() {
        let (_, model) = quiet(10);
        let mut sharing = Sharing::new(&model);
        let (head, cluster) = (HeadId(0), ClusterId(1));
        let mut flow = Flow { work: Work::from_micros(1e6), head_milli_op_s: 9_000, cluster_milli_op_s: 0, bytes_s: 1 };
        sharing.set_head(head, 900.0, 9_000.0);
        sharing.join(Time::default(), head, cluster, 0, &flow);
        sharing.settle(Time::default());
        let busy = sharing.utilisation(head);
        assert!(busy > 0.1 && busy < 0.101, "{busy}");
        sharing.leave(Time::from_unix_micros(10), head, cluster, 0, &mut flow);
        sharing.settle(Time::from_unix_micros(10));
        assert!((sharing.utilisation(head) - 0.1).abs() < 1e-12);
    }
}
