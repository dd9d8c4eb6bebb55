//! Max-min fair speeds under caps on sums: progressive filling. All pairs speed up together; a pair stops where its own
//! limit is reached, or where a store that it touches, or a link that it uses, can take no more.

/// A pair that wants to go as fast as it can.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Demand {
    /// Place of the pair.
    pub(crate) pair: usize,
    /// Place of its head among the caps.
    pub(crate) head: usize,
    /// Place of its cluster among the caps.
    pub(crate) cluster: usize,
    /// The links that it uses, a bit each: their places among the links.
    pub(crate) links: u64,
    /// Bytes a second at full speed.
    pub(crate) bytes_s: f64,
    /// The fastest that it could go, as a share of full speed.
    pub(crate) own: f64,
    /// The answer.
    pub(crate) speed: f64,
    /// The place of the cap that stopped it, when that was not its own limit.
    pub(crate) held_by: Option<usize>,
}

impl Demand {
    /// Adds the same to all caps that it is under; those of links come from `links_from` on.
    #[inline]
    fn add_to_caps(&self, all: &mut [f64], links_from: usize, more: f64) {
        all[self.head] += more;
        all[self.cluster] += more;
        let mut links = self.links;
        while links != 0 {
            all[links_from + links.trailing_zeros() as usize] += more;
            links &= links - 1;
        }
    }

    /// Whether it is under the cap at this place.
    #[inline]
    fn is_under(&self, cap: usize, links_from: usize) -> bool {
        cap == self.head || cap == self.cluster || (cap >= links_from && self.links >> (cap - links_from) & 1 == 1)
    }
}

/// Memory for filling, used again each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    frozen: Vec<f64>,
    rising: Vec<f64>,
    open: Vec<bool>,
}

/// Fills `demands` under `caps`: bytes a second that each store and each link lets through, infinite for no limit. The places
/// from `links_from` on are links.
pub(crate) fn fill(demands: &mut [Demand], caps: &[f64], links_from: usize, scratch: &mut Scratch) {
    let Scratch { frozen, rising, open } = scratch;
    frozen.resize(caps.len(), 0.0);
    frozen.fill(0.0);
    rising.resize(caps.len(), 0.0);
    open.resize(demands.len(), true);
    open.fill(true);
    // Each round freezes every pair under a cap, or at least one pair at its own limit.
    for _ in 0..=demands.len() {
        rising.fill(0.0);
        let mut least_own = f64::INFINITY;
        for (place, demand) in demands.iter().enumerate() {
            if open[place] {
                demand.add_to_caps(rising, links_from, demand.bytes_s);
                least_own = least_own.min(demand.own);
            }
        }
        let (mut tightest, mut level) = (None, f64::INFINITY);
        for (cap, limit) in caps.iter().enumerate() {
            if rising[cap] > 0.0 && limit.is_finite() {
                let at = ((limit - frozen[cap]) / rising[cap]).max(0.0);
                if at < level {
                    (tightest, level) = (Some(cap), at);
                }
            }
        }
        let any_below = least_own <= level;
        let mut any_left = false;
        for (place, demand) in demands.iter_mut().enumerate() {
            if !open[place] {
                continue;
            }
            if demand.own <= level {
                (demand.speed, demand.held_by) = (demand.own, None);
            } else if let Some(cap) = tightest
                && !any_below
                && demand.is_under(cap, links_from)
            {
                (demand.speed, demand.held_by) = (level, tightest);
            } else {
                any_left = true;
                continue;
            }
            open[place] = false;
            demand.add_to_caps(frozen, links_from, demand.bytes_s * demand.speed);
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
        Demand { pair, head, cluster, links: 0, bytes_s, own, speed: 0.0, held_by: None }
    }

    fn assert_speeds(demands: &[Demand], expected: &[f64]) {
        let speeds: Vec<f64> = demands.iter().map(|demand| demand.speed).collect();
        assert!(speeds.iter().zip(expected).all(|(speed, expected)| (speed - expected).abs() < 1e-12), "{speeds:?}");
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
        fill(&mut demands, &[100.0, f64::INFINITY, 60.0, f64::INFINITY], 4, &mut Scratch::default());
        assert_speeds(&demands, &[0.3, 0.7, 0.3, 0.5]);
        assert_eq!(demands.map(|demand| demand.held_by), [Some(2), Some(0), Some(2), None]);
    }

    #[test]
    fn a_link_is_shared_by_the_pairs_that_use_it_and_what_another_cap_holds_is_left_to_the_rest() {
        // Heads 0 and 1, the second paced at 20, into clusters 2 and 3; a link (4) that the first three pairs use.
        let on_link = |demand| Demand { links: 1, ..demand };
        let mut demands = [
            on_link(demand(0, 0, 2, 100.0, 1.0)),
            on_link(demand(1, 0, 3, 50.0, 1.0)),
            on_link(demand(2, 1, 2, 100.0, 1.0)),
            demand(3, 1, 3, 100.0, 1.0),
        ];
        let caps = [f64::INFINITY, 20.0, f64::INFINITY, f64::INFINITY, 85.0];
        fill(&mut demands, &caps, 4, &mut Scratch::default());
        // The paced head takes 10 of the 85; 75 are left for 150.
        assert_speeds(&demands, &[0.5, 0.5, 0.1, 0.1]);
        assert_eq!(demands.map(|demand| demand.held_by), [Some(4), Some(4), Some(1), Some(1)]);
    }

    #[test]
    fn what_stands_still_lets_nothing_through() {
        let mut demands = [Demand { links: 2, ..demand(0, 0, 1, 100.0, 1.0) }, demand(1, 0, 1, 100.0, 0.8)];
        fill(&mut demands, &[f64::INFINITY, f64::INFINITY, 10.0, 0.0], 2, &mut Scratch::default());
        assert_speeds(&demands, &[0.0, 0.8]);
        assert_eq!(demands.map(|demand| demand.held_by), [Some(3), None]);
    }

    const STEPS: u32 = 4_000;

    /// The obvious way: all rise by a little at a time, until their own limit or until a cap would be passed, which then
    /// stops all that are under it.
    fn slowly(demands: &[Demand], caps: &[f64], links_from: usize) -> Vec<f64> {
        let (mut speeds, mut open) = (vec![0.0; demands.len()], vec![true; demands.len()]);
        for step in 1..=STEPS {
            let level = f64::from(step) / f64::from(STEPS);
            for (at, demand) in demands.iter().enumerate().filter(|(_, demand)| demand.own < level) {
                (speeds[at], open[at]) = (if open[at] { demand.own } else { speeds[at] }, false);
            }
            for (cap, most) in caps.iter().enumerate() {
                let under: Vec<usize> =
                    (0..demands.len()).filter(|at| demands[*at].is_under(cap, links_from)).collect();
                let next = |at: &usize| demands[*at].bytes_s * if open[*at] { level } else { speeds[*at] };
                if under.iter().map(next).sum::<f64>() > *most {
                    for at in under {
                        open[at] = false;
                    }
                }
            }
            for (speed, _) in speeds.iter_mut().zip(&open).filter(|(_, open)| **open) {
                *speed = level;
            }
        }
        speeds
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn speeds_are_those_of_all_rising_slowly_together(
            pairs in prop::collection::vec((0_usize..3, 0_usize..4, 0_u64..4, 1.0_f64..10.0, 0.05_f64..1.0), 1..12),
            caps in prop::collection::vec(0.5_f64..20.0, 9),
        ) {
            let mut demands: Vec<_> = pairs.iter().enumerate()
                .map(|(pair, (head, cluster, links, bytes_s, own))| {
                    Demand { links: *links, ..demand(pair, *head, 3 + cluster, *bytes_s, *own) }
                })
                .collect();
            fill(&mut demands, &caps, 7, &mut Scratch::default());
            let slow = slowly(&demands, &caps, 7);
            for (demand, slow) in demands.iter().zip(&slow) {
                prop_assert!((demand.speed - slow).abs() < 0.02, "{slow} slowly, {demand:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_cap_is_passed_and_every_pair_is_stopped_by_something_on_which_none_is_faster(
            pairs in prop::collection::vec((0_usize..3, 0_usize..4, 0_u64..4, 1.0_f64..100.0, 0.05_f64..1.0), 1..12),
            caps in prop::collection::vec(1.0_f64..200.0, 9),
        ) {
            let mut demands: Vec<_> = pairs.iter().enumerate()
                .map(|(pair, (head, cluster, links, bytes_s, own))| {
                    Demand { links: *links, ..demand(pair, *head, 3 + cluster, *bytes_s, *own) }
                })
                .collect();
            fill(&mut demands, &caps, 7, &mut Scratch::default());
            let under = |cap: usize| demands.iter().filter(move |d| d.is_under(cap, 7));
            let through = |cap: usize| -> f64 { under(cap).map(|d| d.bytes_s * d.speed).sum() };
            for (cap, most) in caps.iter().enumerate() {
                prop_assert!(through(cap) <= most * (1.0 + 1e-9), "{cap}: {} over {most}", through(cap));
            }
            for d in &demands {
                // A cap that is full and lets nobody else go faster: what makes speeds max-min fair.
                let holds = |cap: usize| {
                    through(cap) >= caps[cap] * (1.0 - 1e-9) && under(cap).all(|other| other.speed <= d.speed + 1e-9)
                };
                let is_held = (0..caps.len()).any(|cap| d.is_under(cap, 7) && holds(cap));
                prop_assert!((d.speed - d.own).abs() < 1e-9 || is_held, "{d:?} could go faster");
                prop_assert_eq!(d.held_by.is_none(), (d.speed - d.own).abs() < 1e-12, "{:?}", d);
            }
        }
    }
}
