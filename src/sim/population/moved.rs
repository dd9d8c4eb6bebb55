//! What has moved before the start, where nobody says which mailboxes those were.

use crate::fleet::{ClusterId, Fleet, Home, MailboxId, count};
use crate::migration::plan::{PlacementPlan, Plan, Within};
use crate::scenario::Scenario;
use crate::scenario::model::Model;
use crate::units::{Bytes, Room, Time};

/// Settles the share of each head that has moved already: the first in the plan's order, on the clusters in service,
/// filled one after the other to their thresholds.
pub(super) fn settle(scenario: &Scenario, fleet: &mut Fleet) {
    let (plan, model) = (&scenario.plan, &scenario.model);
    if model.population.moved.iter().all(|share| share.ppm() == 0) {
        return;
    }
    let mut fill = Fill::new(model, plan, scenario.as_of);
    let mut excluded = plan.order.excluded.clone();
    excluded.sort_unstable();
    for head in &plan.order.heads {
        let share = model.population.moved[head.index()];
        if share.ppm() == 0 {
            continue;
        }
        let all = count(&fleet.origin, |origin| origin == head);
        let moved = share.of_count(u64::from(all)) as usize;
        let may_move =
            |row: &u32| fleet.origin[*row as usize] == *head && excluded.binary_search(&MailboxId(*row)).is_err();
        // Rows come in the order of the inventory: then the first are enough.
        let enough = if plan.order.within == Within::Inventory { moved } else { fleet.len() };
        let mut rows: Vec<u32> = (0..fleet.len() as u32).filter(may_move).take(enough).collect();
        let moved = moved.min(rows.len());
        sort_first(plan, fleet, &mut rows, moved);
        for row in &rows[..moved] {
            match fill.place(fleet.bytes[*row as usize], fleet.messages[*row as usize]) {
                Some(cluster) => fleet.home[*row as usize] = Home::cluster(cluster),
                None => return,
            }
        }
    }
}

/// Brings the first `count` rows of the plan's order to the front, in that order.
fn sort_first(plan: &Plan, fleet: &Fleet, rows: &mut [u32], count: usize) {
    if plan.order.within == Within::Inventory {
        // Rows come in that order.
        return;
    }
    let key = |row: &u32| {
        let at = *row as usize;
        let rank = match plan.order.within {
            Within::Inventory => 0,
            Within::Smallest => fleet.bytes[at].get(),
            Within::Largest => u64::MAX - fleet.bytes[at].get(),
            Within::Busiest => u64::MAX - u64::from(fleet.activity_micro_op_s[at]),
            Within::Idlest => u64::from(fleet.activity_micro_op_s[at]),
            Within::Group | Within::WholeGroups => fleet.group.get(at).copied().map_or(0, u64::from),
        };
        (rank, *row)
    };
    if count > 0 && count < rows.len() {
        rows.select_nth_unstable_by_key(count - 1, key);
    }
    rows[..count].sort_unstable_by_key(key);
}

/// Sequential filling to the thresholds.
pub(super) struct Fill<'a> {
    plan: &'a PlacementPlan,
    /// In the order of filling: what is on each, and what it may be filled to.
    clusters: Vec<(ClusterId, Room, Room)>,
    at: usize,
}

/// Two that place every mailbox alike.
impl PartialEq for Fill<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.plan.inodes_per_mailbox == other.plan.inodes_per_mailbox
            && self.clusters == other.clusters
            && self.at == other.at
    }
}

impl<'a> Fill<'a> {
    pub(super) fn new(model: &Model, plan: &'a Plan, at: Time) -> Self {
        let models = model.clusters.iter().zip(&plan.placement.clusters).enumerate();
        let clusters = models
            .filter(|(_, (model, _))| model.in_service <= at)
            .map(|(place, (model, plan))| {
                let used = Room { bytes: model.used, inodes: model.inodes_used };
                (ClusterId(place as u8), used, plan.limit())
            })
            .collect();
        Self { plan: &plan.placement, clusters, at: 0 }
    }

    fn place(&mut self, bytes: Bytes, messages: u32) -> Option<ClusterId> {
        let takes = self.plan.takes(bytes, messages);
        while let Some((cluster, used, limit)) = self.clusters.get_mut(self.at) {
            if (*used + takes).is_within(*limit) {
                *used += takes;
                return Some(*cluster);
            }
            self.at += 1;
        }
        None
    }
}
