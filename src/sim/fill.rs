//! Max-min fair speeds under caps on sums: progressive filling. All pairs speed up together; a pair stops where its own
//! limit is reached, or where a store that it touches can take no more.

use crate::migration::message::Limit;

/// A pair that wants to go as fast as it can.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Demand {
    /// Place of the pair.
    pub(crate) pair: usize,
    /// Place of its head among the stores.
    pub(crate) head: usize,
    /// Place of its cluster among the stores.
    pub(crate) cluster: usize,
    /// Bytes a second at full speed.
    pub(crate) bytes_s: f64,
    /// The fastest that it could go, as a share of full speed.
    pub(crate) own: f64,
    /// The answer.
    pub(crate) speed: f64,
    /// What stopped it, when that was not its own limit.
    pub(crate) held_by: Option<Limit>,
}

/// Memory for filling, used again each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    frozen: Vec<f64>,
    rising: Vec<f64>,
    open: Vec<bool>,
}

/// Fills `demands` under `caps`: bytes a second that each store lets through, infinite for no limit. The places on from
/// `clusters_from` are clusters, those before are heads.
pub(crate) fn fill(demands: &mut [Demand], caps: &[f64], clusters_from: usize, scratch: &mut Scratch) {
    let Scratch { frozen, rising, open } = scratch;
    frozen.clear();
    frozen.resize(caps.len(), 0.0);
    open.clear();
    open.resize(demands.len(), true);
    // Each round freezes every pair of a store, or at least one pair at its own limit.
    for _ in 0..=demands.len() {
        rising.clear();
        rising.resize(caps.len(), 0.0);
        for (demand, _) in demands.iter().zip(&*open).filter(|(_, open)| **open) {
            rising[demand.head] += demand.bytes_s;
            rising[demand.cluster] += demand.bytes_s;
        }
        let level_of = |store: usize| ((caps[store] - frozen[store]) / rising[store]).max(0.0);
        let tightest = (0..caps.len()).filter(|store| rising[*store] > 0.0 && caps[*store].is_finite());
        let (store, level) = tightest
            .map(|store| (Some(store), level_of(store)))
            .fold((None, f64::INFINITY), |least, next| if next.1 < least.1 { next } else { least });
        let any_below = demands.iter().zip(&*open).any(|(demand, open)| *open && demand.own <= level);
        let mut any_left = false;
        for (demand, open) in demands.iter_mut().zip(&mut *open).filter(|(_, open)| **open) {
            let touches = Some(demand.head) == store || Some(demand.cluster) == store;
            if demand.own <= level {
                (demand.speed, demand.held_by) = (demand.own, None);
            } else if !any_below && touches {
                let limit = if store.is_some_and(|store| store >= clusters_from) { Limit::Ingest } else { Limit::Pace };
                (demand.speed, demand.held_by) = (level, Some(limit));
            } else {
                any_left = true;
                continue;
            }
            *open = false;
            frozen[demand.head] += demand.bytes_s * demand.speed;
            frozen[demand.cluster] += demand.bytes_s * demand.speed;
        }
        if !any_left {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn demand(pair: usize, head: usize, cluster: usize, bytes_s: f64, own: f64) -> Demand {
        Demand { pair, head, cluster, bytes_s, own, speed: 0.0, held_by: None }
    }

    #[test]
    fn a_tight_cluster_holds_its_pairs_and_frees_others() {
        // Two heads (places 0 and 1, the first paced at 100) into two clusters (2 and 3, the first takes 60).
        let mut demands = [
            demand(0, 0, 2, 100.0, 1.0),
            demand(1, 0, 3, 100.0, 0.9),
            demand(2, 1, 2, 100.0, 1.0),
            demand(3, 1, 3, 50.0, 0.5),
        ];
        fill(&mut demands, &[100.0, f64::INFINITY, 60.0, f64::INFINITY], 2, &mut Scratch::default());
        let speeds = demands.map(|demand| demand.speed);
        for (speed, expected) in speeds.into_iter().zip([0.3, 0.7, 0.3, 0.5]) {
            assert!((speed - expected).abs() < 1e-12, "{speeds:?}");
        }
        let held = demands.map(|demand| demand.held_by);
        assert_eq!(held, [Some(Limit::Ingest), Some(Limit::Pace), Some(Limit::Ingest), None]);
    }

    proptest! {
        #[test]
        fn no_cap_is_passed_and_every_pair_is_stopped_by_something(
            pairs in prop::collection::vec((0_usize..3, 0_usize..4, 1.0_f64..100.0, 0.05_f64..1.0), 1..12),
            caps in prop::collection::vec(1.0_f64..200.0, 7),
        ) {
            let mut demands: Vec<_> = pairs.iter().enumerate()
                .map(|(pair, (head, cluster, bytes_s, own))| demand(pair, *head, 3 + cluster, *bytes_s, *own)).collect();
            fill(&mut demands, &caps, 3, &mut Scratch::default());
            let through = |store: usize| -> f64 {
                demands.iter().filter(|d| d.head == store || d.cluster == store).map(|d| d.bytes_s * d.speed).sum()
            };
            for (store, cap) in caps.iter().enumerate() {
                prop_assert!(through(store) <= cap * (1.0 + 1e-9), "{store}: {} over {cap}", through(store));
            }
            for d in &demands {
                let full = |store: usize| through(store) >= caps[store] * (1.0 - 1e-9);
                prop_assert!((d.speed - d.own).abs() < 1e-9 || full(d.head) || full(d.cluster), "{d:?} could go faster");
            }
        }
    }
}
