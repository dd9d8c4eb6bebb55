//! Which copy goes how fast: pairs, heads, clusters and links together. Speeds are found lazily, once an instant, and only
//! where something has changed.

mod capped;
mod clusters;
mod links;

use super::fill::{Demand, Scratch};
use super::head::{Mover, Station};
use super::job::Job;
use super::queue::{Dues, NEVER};
use super::transfer::{Flow, Pair};
use crate::fleet::{self, ClusterId, HeadId, at_mut};
use crate::migration::message::Limit;
use crate::scenario::model::Model;
use crate::units::{Rate, Time};
use links::LinkSide;

/// A pair slowed below this by the busy head or cluster is held by it.
const HELD_BELOW: f64 = 0.9;

#[derive(Clone, Debug)]
struct HeadSide {
    station: Station,
    /// The bits of the load and capacity for which the speeds were last found.
    solved: (u64, u64),
    /// The clusters to which copies are under way or being set up, a bit each.
    active: u64,
    /// What its copies ask of it and of their clusters at full speed, in thousandths of an operation a second.
    asking_milli_op_s: u64,
    rate: Rate,
}

impl HeadSide {
    /// A copy on one of its pairs asks for nothing any more; says whether any of its copies had asked for anything.
    #[inline(always)]
    fn quit(&mut self, pair: &mut Pair, cluster: ClusterId, flow: &Flow) -> bool {
        let asked = self.asking_milli_op_s > 0;
        self.asking_milli_op_s -= flow.asks_milli_op_s();
        pair.quit(flow);
        if pair.is_empty() {
            pair.rest();
            self.active &= !(1 << cluster.0);
        }
        asked
    }
}

#[derive(Clone, Debug)]
struct ClusterSide {
    ingest: Rate,
    station: Station,
    /// Response time above that of an idle cluster, in seconds.
    wait_s: f64,
}

/// All copies under way, and how fast they go.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    heads: Vec<HeadSide>,
    clusters: Vec<ClusterSide>,
    links: Vec<LinkSide>,
    /// By head, then by cluster.
    pairs: Vec<Pair>,
    due: Dues,
    /// A bit a head whose speeds have to be found anew ...
    dirty: u64,
    /// ... and of these a bit for each where something else has changed than its copies: its load or capacity, a cluster's
    /// response, a cap.
    affected: u64,
    /// Copies whose work is under way, and how many of them no cap on bytes can ever hold.
    copies: u64,
    free_copies: u64,
    stream: Rate,
    /// Whether caps bound when the speeds were last found.
    capped: bool,
    movers: Vec<Mover>,
    demands: Vec<Demand>,
    ceilings: Vec<f64>,
    caps: Vec<f64>,
    scratch: Scratch,
}

impl Sharing {
    /// Idle stores, for copies that are never faster than `stream`, at most `copies` between a head and a cluster at once.
    pub(crate) fn new(model: &Model, stream: Rate, copies: usize) -> Self {
        let head = |head: &crate::scenario::model::HeadModel| HeadSide {
            station: Station::new(head.latency.clone(), head.capacity.ops_per_second()),
            solved: (0, 0),
            active: 0,
            asking_milli_op_s: 0,
            rate: Rate::UNLIMITED,
        };
        let cluster = |cluster: &crate::scenario::model::ClusterModel| ClusterSide {
            ingest: cluster.ingest,
            station: Station::new(cluster.latency.clone(), cluster.capacity.ops_per_second()),
            wait_s: 0.0,
        };
        let pairs = model.heads.len() * model.clusters.len();
        let mut made = Self {
            heads: model.heads.iter().map(head).collect(),
            clusters: model.clusters.iter().map(cluster).collect(),
            links: model.links.iter().map(LinkSide::new).collect(),
            pairs: (0..pairs).map(|_| Pair::new(copies)).collect(),
            due: Dues::new(pairs),
            dirty: 0,
            affected: 0,
            copies: 0,
            free_copies: 0,
            stream,
            capped: false,
            movers: Vec::with_capacity(model.clusters.len()),
            demands: Vec::with_capacity(pairs),
            ceilings: Vec::with_capacity(pairs),
            caps: Vec::with_capacity(model.heads.len() + model.clusters.len() + model.links.len()),
            scratch: Scratch::default(),
        };
        made.count_free_copies();
        made
    }

    /// The place of the pair of a head and a cluster.
    #[inline(always)]
    pub(crate) fn pair(&self, head: HeadId, cluster: ClusterId) -> u16 {
        (head.index() * self.clusters.len() + cluster.index()) as u16
    }

    /// A copy begins its set-up, or goes on after a pause: from now on it asks for operations.
    #[inline(always)]
    pub(crate) fn enter(&mut self, head: HeadId, cluster: ClusterId, at: u16, flow: &Flow) {
        at_mut(&mut self.pairs, usize::from(at)).enter(flow);
        let side = at_mut(&mut self.heads, head.index());
        side.active |= 1 << cluster.0;
        side.asking_milli_op_s += flow.asks_milli_op_s();
        self.dirty |= u64::from(side.asking_milli_op_s > 0) << head.0;
    }

    /// A copy asks for nothing any more: it is suspended or given up.
    pub(crate) fn quit(&mut self, head: HeadId, cluster: ClusterId, at: u16, flow: &Flow) {
        let at = usize::from(at);
        let pair = at_mut(&mut self.pairs, at);
        let asked = at_mut(&mut self.heads, head.index()).quit(pair, cluster, flow);
        self.dirty |= u64::from(asked) << head.0;
        if pair.is_empty() {
            self.due.set(at, NEVER);
        }
    }

    /// The work of a copy that has entered begins, or goes on; gives the place of its mark.
    #[inline(always)]
    pub(crate) fn join(&mut self, now: Time, head: HeadId, at: u16, slot: u16, flow: &Flow) -> u16 {
        let pair = at_mut(&mut self.pairs, usize::from(at));
        self.copies += 1;
        let (place, first) = pair.join(now, slot, flow);
        if first {
            self.due.set(usize::from(at), pair.due());
        }
        self.weigh_caps(head);
        place
    }

    /// The work of a copy is broken off; what remains of it stays in `flow`. `quit` has to follow.
    pub(crate) fn leave(&mut self, now: Time, head: HeadId, at: u16, place: u16, flow: &mut Flow) {
        let pair = at_mut(&mut self.pairs, usize::from(at));
        pair.leave(now, place, flow);
        self.copies -= 1;
        self.due.set(usize::from(at), pair.due());
        self.weigh_caps(head);
    }

    /// The pair whose copy ends first, and when, in microseconds.
    #[inline(always)]
    pub(crate) fn first_due(&self) -> (usize, i64) {
        self.due.first()
    }

    /// The slot of the copy that ends first on a pair, if there is any.
    #[inline(always)]
    pub(crate) fn first(&self, at: usize) -> Option<u16> {
        fleet::at(&self.pairs, at).first()
    }

    /// The first copy of a pair ends now; says what held the pair until now.
    #[inline(always)]
    pub(crate) fn end_first(&mut self, now: Time, at: usize, job: &Job) -> Limit {
        let pair = at_mut(&mut self.pairs, at);
        let Job { head, cluster, place, flow, .. } = job;
        pair.end(now, *place, flow);
        self.copies -= 1;
        let limit = pair.has_held(now);
        let asked = at_mut(&mut self.heads, head.index()).quit(pair, *cluster, flow);
        self.dirty |= u64::from(asked) << head.0;
        // Where speeds are found anew, so is when the next copy ends.
        if pair.is_empty() {
            self.due.set(at, NEVER);
        } else if !asked {
            self.due.set(at, pair.due());
        }
        self.weigh_caps(*head);
        limit
    }

    /// Work has begun or is over: where caps may bind, speeds have to be found anew. Elsewhere they hang on what copies
    /// ask for alone.
    #[inline(always)]
    fn weigh_caps(&mut self, head: HeadId) {
        if self.capped || self.copies > self.free_copies {
            self.dirty |= 1 << head.0;
        }
    }

    /// Sets the load of a head that does not depend on the speed of copies, in operations a second, and its capacity.
    #[inline]
    pub(crate) fn set_head(&mut self, head: HeadId, fixed: f64, capacity: f64) {
        let side = at_mut(&mut self.heads, head.index());
        side.station.set_load(fixed, capacity);
        // A purge that begins as another ends leaves the load as it was: nothing has to be found anew.
        let asked = side.asking_milli_op_s > 0 && side.solved != (fixed.to_bits(), capacity.to_bits());
        self.affect(u64::from(asked) << head.0);
    }

    /// Sets the pace's cap on a head's bytes.
    pub(crate) fn set_rate(&mut self, head: HeadId, rate: Rate) {
        if self.heads[head.index()].rate != rate {
            self.heads[head.index()].rate = rate;
            self.count_free_copies();
            self.affect(1 << head.0);
        }
    }

    /// Sets what a cluster can take in.
    pub(crate) fn set_ingest(&mut self, cluster: ClusterId, ingest: Rate) {
        if self.clusters[cluster.index()].ingest != ingest {
            self.clusters[cluster.index()].ingest = ingest;
            self.count_free_copies();
            self.affect(self.heads_at(cluster));
        }
    }

    /// The heads that have copies into a cluster, a bit each.
    fn heads_at(&self, cluster: ClusterId) -> u64 {
        let touches = |(place, head): (usize, &HeadSide)| (head.active >> cluster.0 & 1) << place;
        self.heads.iter().enumerate().map(touches).sum()
    }

    /// Notes heads, a bit each, whose speeds hang on something that has changed, other than their copies.
    #[inline]
    fn affect(&mut self, heads: u64) {
        self.affected |= heads;
        self.dirty |= heads;
    }

    /// Utilisation of a head, copies included, as of the last `settle`.
    #[inline]
    pub(crate) fn utilisation(&self, head: HeadId) -> f64 {
        let HeadSide { station, asking_milli_op_s, .. } = &self.heads[head.index()];
        // Where no copy asks for anything, none waits, and nothing is solved for.
        if *asking_milli_op_s == 0 { station.alone() } else { station.utilisation }
    }

    /// What holds the largest part of a head's copies, if there are any.
    pub(crate) fn holds_most(&self, head: HeadId) -> Option<Limit> {
        let width = self.clusters.len();
        let pairs = self.pairs[head.index() * width..][..width].iter().filter(|pair| !pair.is_empty());
        // Of several alike the first counts.
        pairs.rev().max_by_key(|pair| pair.copies()).map(|pair| pair.limit)
    }

    /// Whether something has changed on which speeds depend.
    #[inline(always)]
    pub(crate) fn is_unsettled(&self) -> bool {
        self.dirty != 0
    }

    /// Finds the speeds of all pairs where something has changed, and when their next copies end.
    #[inline]
    pub(crate) fn settle(&mut self, now: Time) {
        if self.is_unsettled() {
            self.find_speeds(now);
        }
    }

    #[inline(never)]
    fn find_speeds(&mut self, now: Time) {
        if self.copies > self.free_copies {
            let capped = match self.only_pair() {
                Some((head, cluster)) => self.find_only_capped(now, head, cluster),
                None if self.is_tight() => {
                    self.find_capped(now);
                    true
                }
                None => false,
            };
            if capped {
                return;
            }
        }
        if self.capped {
            // Where caps stop binding, pairs of other heads may speed up too.
            self.capped = false;
            self.links.iter_mut().for_each(|link| link.set_holds(now, false));
            self.affect(u64::MAX >> (64 - self.heads.len()));
        }
        let (mut heads, affected) = (self.dirty, self.affected);
        (self.dirty, self.affected) = (0, 0);
        while heads != 0 {
            let head = heads.trailing_zeros() as usize;
            heads &= heads - 1;
            let active = self.heads[head].active;
            if self.heads[head].asking_milli_op_s == 0 {
                self.go_at_full_speed(now, head);
            } else if active.is_power_of_two() {
                // Filling in sequence, a head's copies nearly always go to one cluster.
                let alike = affected >> head & 1 == 0;
                self.find_only_pair(now, head, active.trailing_zeros() as usize, alike);
            } else {
                self.find_pairs(now, head);
            }
        }
    }

    /// The speed of a head's only pair. Where nothing but its copies has changed, and they ask for what they asked for when
    /// it was last found, it is what it was: as long as messages bind, one copy is like another.
    #[inline]
    fn find_only_pair(&mut self, now: Time, head: usize, cluster: usize, alike: bool) {
        let at = head * self.clusters.len() + cluster;
        let pair = at_mut(&mut self.pairs, at);
        if !alike || !pair.asks_as_found() {
            let mover = mover(pair, self.clusters[cluster].wait_s, 1.0);
            let side = &mut self.heads[head];
            side.solved = side.station.load_bits();
            let speed = side.station.solve_one(mover);
            pair.run(now, speed, own_limit(speed));
            pair.found_alone();
        }
        self.due.set(at, pair.due());
    }

    /// The speeds of a head's pairs, where no cap binds.
    #[inline(never)]
    fn find_pairs(&mut self, now: Time, head: usize) {
        self.solve_head(head, false);
        let mut active = self.heads[head].active;
        for mover in &self.movers {
            let at = head * self.clusters.len() + active.trailing_zeros() as usize;
            active &= active - 1;
            let pair = at_mut(&mut self.pairs, at);
            pair.run(now, mover.speed, own_limit(mover.speed));
            self.due.set(at, pair.due());
        }
    }

    /// Copies that ask nothing of any store, and that no cap holds, wait for nobody.
    fn go_at_full_speed(&mut self, now: Time, head: usize) {
        let mut active = self.heads[head].active;
        while active != 0 {
            let at = head * self.clusters.len() + active.trailing_zeros() as usize;
            active &= active - 1;
            self.pairs[at].run(now, 1.0, Limit::Own);
            self.due.set(at, self.pairs[at].due());
        }
    }

    /// Solves one head's fixed point into `movers`, one for each of its active pairs.
    #[inline(never)]
    fn solve_head(&mut self, head: usize, capped: bool) {
        let Self { heads, clusters, pairs, movers, .. } = self;
        let side = &mut heads[head];
        let from = head * clusters.len();
        movers.clear();
        let mut active = side.active;
        while active != 0 {
            let place = active.trailing_zeros() as usize;
            active &= active - 1;
            let ceiling = if capped { self.ceilings[from + place] } else { 1.0 };
            movers.push(mover(&pairs[from + place], clusters[place].wait_s, ceiling));
        }
        side.solved = side.station.load_bits();
        side.station.solve(movers);
    }
}

/// One over a whole number; up to some number from a table, since the search for speeds waits for each of its divisions.
#[inline]
fn reciprocal(number: u32) -> f64 {
    const TABLE: [f64; 128] = {
        let mut table = [f64::INFINITY; 128];
        let mut number = 1;
        while number < 128 {
            table[number] = 1.0 / number as f64;
            number += 1;
        }
        table
    };
    TABLE.get(number as usize).map_or_else(|| 1.0 / f64::from(number), |value| *value)
}

/// What holds a pair that no cap holds.
#[inline]
fn own_limit(speed: f64) -> Limit {
    if speed < HELD_BELOW { Limit::Head } else { Limit::Own }
}

/// A pair's copies as the head sees them, with the cluster's response time so much above that of an idle one.
#[inline]
fn mover(pair: &Pair, cluster_wait_s: f64, ceiling: f64) -> Mover {
    let copies = reciprocal(pair.copies);
    let load = pair.head_milli_op_s as i64 as f64 * 1e-3;
    Mover {
        load,
        per_copy: load * copies,
        cluster_wait: pair.cluster_milli_op_s as i64 as f64 * 1e-3 * copies * cluster_wait_s,
        ceiling,
        speed: 1.0,
    }
}

#[cfg(test)]
mod tests;
