//! Speeds where a cap on bytes may bind: the pace's rate on a head, a cluster's ingest, what is left of a link.

use super::{Sharing, own_limit};
use crate::migration::message::Limit;
use crate::sim::fill::{Demand, fill};
use crate::units::{Rate, Time};

/// Caps and latency relieve each other: so often they are weighed against each other at one instant.
const ROUNDS: usize = 4;

impl Sharing {
    /// The head and the cluster of all copies, where they are all on one pair.
    pub(super) fn only_pair(&self) -> Option<(usize, usize)> {
        let mut only = None;
        for (place, head) in self.heads.iter().enumerate() {
            if head.active != 0 {
                if only.is_some() || !head.active.is_power_of_two() {
                    return None;
                }
                only = Some((place, head.active.trailing_zeros() as usize));
            }
        }
        only
    }

    /// The speed of the only pair, if a cap is less than what its copies could take at full speed: says whether one is. All
    /// copies are held alike, so that the least cap is their ceiling, and the head is solved for once.
    pub(super) fn find_only_capped(&mut self, now: Time, head: usize, cluster: usize) -> bool {
        let at = head * self.clusters.len() + cluster;
        let bytes_s = self.pairs[at].bytes_s;
        let links = self.links_of(head, cluster);
        let stores = [(self.heads[head].rate, Limit::Pace), (self.clusters[cluster].ingest, Limit::Ingest)];
        let (mut least, mut by) = if stores[1].0 < stores[0].0 { stores[1] } else { stores[0] };
        let mut held_by = None;
        for (link, side) in self.links.iter().enumerate() {
            if links >> link & 1 == 1 && side.left < least {
                (least, by, held_by) = (side.left, Limit::Link, Some(link));
            }
        }
        if bytes_s <= least.bytes_per_second() {
            return false;
        }
        let level = least.bytes_per_second() as f64 / bytes_s as f64;
        let mover = super::mover(&self.pairs[at], self.clusters[cluster].wait_s, level);
        let side = &mut self.heads[head];
        side.solved = side.station.load_bits();
        let mut movers = [mover];
        side.station.solve(&mut movers);
        let is_held = movers[0].speed >= level;
        for (place, link) in self.links.iter_mut().enumerate() {
            link.set_holds(now, is_held && held_by == Some(place));
        }
        let pair = &mut self.pairs[at];
        let speed = movers[0].speed;
        pair.run(now, speed, if is_held { by } else { own_limit(speed) });
        self.due.set(at, pair.due());
        (self.dirty, self.affected, self.capped) = (0, 0, true);
        true
    }

    /// Speeds where a cap on bytes may bind: latency and caps in turn, ending with the caps, which therefore hold.
    #[cold]
    pub(super) fn find_capped(&mut self, now: Time) {
        self.ceilings.resize(self.pairs.len(), 1.0);
        self.ceilings.fill(1.0);
        let (clusters_from, links_from) = (self.heads.len(), self.heads.len() + self.clusters.len());
        self.list_caps();
        for _ in 0..ROUNDS {
            self.demand();
            fill(&mut self.demands, &self.caps, links_from, &mut self.scratch);
            let mut changed = 0.0_f64;
            for demand in &self.demands {
                let ceiling = if demand.held_by.is_some() { demand.speed } else { 1.0 };
                changed = changed.max((ceiling - self.ceilings[demand.pair]).abs());
                self.ceilings[demand.pair] = ceiling;
            }
            if changed < 1e-7 {
                break;
            }
        }
        for (place, link) in self.links.iter_mut().enumerate() {
            let mut holds = false;
            for demand in &self.demands {
                holds |= demand.held_by == Some(links_from + place);
            }
            link.set_holds(now, holds);
        }
        let limit = |cap: usize| match cap {
            _ if cap < clusters_from => Limit::Pace,
            _ if cap < links_from => Limit::Ingest,
            _ => Limit::Link,
        };
        for Demand { pair: at, speed, own, held_by, .. } in &self.demands {
            let pair = &mut self.pairs[*at];
            pair.run(now, *speed, held_by.map_or(own_limit(*own), limit));
            self.due.set(*at, pair.due());
        }
        (self.dirty, self.affected, self.capped) = (0, 0, true);
    }

    /// What heads, clusters and links let through, in that order, in bytes a second.
    fn list_caps(&mut self) {
        let limit = |rate: Rate| if rate == Rate::UNLIMITED { f64::INFINITY } else { rate.bytes_per_second() as f64 };
        self.caps.clear();
        for head in &self.heads {
            self.caps.push(limit(head.rate));
        }
        for cluster in &self.clusters {
            self.caps.push(limit(cluster.ingest));
        }
        for link in &self.links {
            self.caps.push(limit(link.left));
        }
    }

    /// What every pair under way could do at the latencies under the present ceilings.
    fn demand(&mut self) {
        self.demands.clear();
        for head in 0..self.heads.len() {
            self.solve_head(head, true);
            let side = &self.heads[head];
            let wait_s = side.station.wait_s();
            let mut active = side.active;
            for mover in &self.movers {
                let cluster = active.trailing_zeros() as usize;
                active &= active - 1;
                let pair = head * self.clusters.len() + cluster;
                // What the pair could do at this latency without its ceiling: the ceiling may rise again.
                let own = if mover.speed < mover.ceiling { mover.speed } else { mover.own_speed(wait_s) };
                self.demands.push(Demand {
                    pair,
                    head,
                    cluster: self.heads.len() + cluster,
                    links: self.links_of(head, cluster),
                    bytes_s: self.pairs[pair].bytes_s as f64,
                    own,
                    speed: 0.0,
                    held_by: None,
                });
            }
        }
    }

    /// How many copies fit under the least cap at full speed: so many need no look at the caps.
    pub(super) fn count_free_copies(&mut self) {
        let stores = self.heads.iter().map(|head| head.rate).chain(self.clusters.iter().map(|cluster| cluster.ingest));
        let least = stores.chain(self.links.iter().map(|link| link.left)).min().unwrap_or(Rate::UNLIMITED);
        let each = self.stream.bytes_per_second().saturating_add(1);
        self.free_copies = if least == Rate::UNLIMITED { u64::MAX } else { least.bytes_per_second() / each };
    }

    /// Whether some store, or some link, is asked for more bytes than it lets through.
    pub(super) fn is_tight(&self) -> bool {
        let width = self.clusters.len();
        for (head, side) in self.heads.iter().enumerate() {
            if side.active == 0 {
                continue;
            }
            let mut asked = 0;
            for pair in &self.pairs[head * width..][..width] {
                asked += pair.bytes_s;
            }
            if asked > side.rate.bytes_per_second() {
                return true;
            }
        }
        for (cluster, side) in self.clusters.iter().enumerate() {
            let mut asked = 0;
            for head in 0..self.heads.len() {
                asked += self.pairs[head * width + cluster].bytes_s;
            }
            if asked > side.ingest.bytes_per_second() {
                return true;
            }
        }
        self.is_link_tight()
    }
}
