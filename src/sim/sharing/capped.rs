//! Speeds where a cap on bytes may bind: the pace's rate on a head, a cluster's ingest, what is left of a link.

use super::{Sharing, own_limit};
use crate::migration::message::Limit;
use crate::sim::fill::{Demand, fill};
use crate::sim::transfer::Pair;
use crate::units::{Rate, Time};

/// Caps and latency relieve each other: so often they are weighed against each other at one instant.
const ROUNDS: usize = 4;

impl Sharing {
    /// Speeds where a cap on bytes may bind: latency and caps in turn, ending with the caps, which therefore hold.
    #[cold]
    pub(super) fn find_capped(&mut self, now: Time) {
        self.ceilings.clear();
        self.ceilings.resize(self.pairs.len(), 1.0);
        let limit = |rate: Rate| if rate == Rate::UNLIMITED { f64::INFINITY } else { rate.bytes_per_second() as f64 };
        let heads = self.heads.iter().map(|head| limit(head.rate));
        self.caps.clear();
        self.caps.extend(heads.chain(self.clusters.iter().map(|cluster| limit(cluster.ingest))));
        let (clusters_from, links_from) = (self.heads.len(), self.caps.len());
        self.caps.extend(self.links.iter().map(|link| limit(link.left)));
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
            let holds = |demand: &Demand| demand.held_by == Some(links_from + place);
            link.set_holds(now, self.demands.iter().any(holds));
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
        let over = |pairs: &mut dyn Iterator<Item = &Pair>, cap: Rate| {
            pairs.map(|pair| pair.bytes_s).sum::<u64>() > cap.bytes_per_second()
        };
        let heads = self.heads.iter().zip(self.pairs.chunks(width));
        let of_cluster = |place: usize| self.pairs.iter().skip(place).step_by(width);
        heads.into_iter().any(|(head, pairs)| head.active != 0 && over(&mut pairs.iter(), head.rate))
            || self.clusters.iter().enumerate().any(|(place, side)| over(&mut of_cluster(place), side.ingest))
            || self.is_link_tight()
    }
}
