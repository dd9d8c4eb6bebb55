//! Orders of an operator that are in force when a simulation begins.

use crate::fleet::ClusterId;
use crate::migration::message::{Milestone, Order};
use crate::sim::testing::{AS_OF, quiet, scenario};
use crate::sim::{RunId, simulate};
use crate::units::{Bytes, Span};

#[test]
fn what_an_operator_has_ordered_before_the_start_is_taken_back_by_nobody() {
    let (mut plan, mut model) = quiet(40);
    (model.load.step, model.population.size.sigma) = (Span::from_secs(600), 0.0);
    plan.copy.purge_after = Some(Span::from_secs(3_600));
    for cluster in &mut plan.placement.clusters {
        cluster.rated = Bytes::new(1 << 50);
    }
    let mut scenario = scenario(plan, model);
    scenario.horizon = AS_OF + Span::from_secs(2 * 86_400);
    let opened = |cluster| Milestone::ClusterOpened { cluster: ClusterId(cluster) };
    scenario.milestones = vec![Milestone::AllEmptied, Milestone::Decommissioned, opened(0), opened(1)];
    let mut reached = |standing: &[Order]| -> Vec<bool> {
        scenario.standing = standing.to_vec();
        let outcome = simulate(&scenario, RunId { seed: 1, replication: 0 });
        outcome.reached.iter().map(Option::is_some).collect()
    };
    assert_eq!(reached(&[]), [true, true, true, false]);
    assert_eq!(reached(&[Order::CloseCluster(ClusterId(0))]), [true, true, false, true]);
    assert_eq!(reached(&[Order::HoldPurges]), [true, false, true, false]);
}
