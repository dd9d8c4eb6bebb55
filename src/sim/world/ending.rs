//! What a replication came to, and what is left of it at an audit.

use super::{World, stores};
use crate::fleet::{HeadId, MailboxId};
use crate::migration::Migration;
use crate::migration::message::{Binding, FullOf};
use crate::migration::plan::Within;
use crate::sim::cluster::ClusterState;
use crate::sim::recording::Outcomes;
use crate::sim::{ClusterOutcome, InodeOutcome, Outcome, Workspace};
use crate::units::Time;

impl<O: Outcomes> World<'_, O> {
    /// What the replication came to; gives the memory back to the workspace.
    pub(crate) fn finish(mut self, machine: &Migration, end: Time, workspace: &mut Workspace) -> Outcome {
        self.refresh_heads();
        self.close_accounts(end);
        let order = &self.scenario.plan.order.heads;
        let unfinished = order.iter().find(|head| machine.left(**head) > 0).or_else(|| order.last());
        let unfinished = unfinished.filter(|_| self.ended).map(|head| match machine.binding(*head) {
            // Nothing of it is left to be moved: where somebody is waited for, that is it.
            Binding::NotItsTurn if self.waits_for_person(machine) => Binding::Paused,
            binding => binding,
        });
        let mut heads = Vec::with_capacity(self.heads.len());
        for (place, head) in self.heads.drain(..).enumerate() {
            let id = HeadId(place as u8);
            let mut outcome = head.account.into_outcome();
            outcome.set_aside = machine.set_aside(id);
            outcome.excused = head.excused.unwrap_or(outcome.set_aside);
            outcome.bound = machine.bound(id, end);
            heads.push(outcome);
        }
        let clusters = self.clusters.drain(..).map(|cluster| ClusterOutcome {
            highest_placement: cluster.state.highest_placement(),
            final_fill: cluster.state.fill(),
            days: cluster.days,
            inodes: inode_outcome(&cluster.state, cluster.inode_days, cluster.filled_of),
        });
        let split_groups = if self.scenario.plan.order.within == Within::WholeGroups {
            stores::split_groups(&self.fleet, &self.places)
        } else {
            0
        };
        let set_aside: u32 = heads.iter().map(|head| head.set_aside).sum();
        let outcome = Outcome {
            run: self.run,
            reached: self.reached,
            unfinished,
            heads,
            clusters: clusters.collect(),
            held_by_links: self.held_until_emptied.unwrap_or_else(|| self.sharing.held_by_links(end)),
            moved: self.moved,
            faults: self.faults,
            steps: self.steps,
            locked_s: self.locked.secs(),
            last_part: self.last_part,
            split_groups,
            excused: self.excused.unwrap_or(set_aside),
        };
        workspace.fleet = self.fleet;
        workspace.drawn_from = self.drawn_from;
        workspace.places = self.places;
        outcome
    }

    /// Whether nothing but mailboxes for which a person is waited for are left.
    fn waits_for_person(&self, machine: &Migration) -> bool {
        let mut heads = (0..self.scenario.heads.len()).map(|head| HeadId(head as u8));
        self.scenario.plan.attempts.wait_for_person
            && heads.clone().all(|head| machine.left(head) == 0)
            && heads.any(|head| machine.set_aside(head) > 0)
    }

    /// Mailboxes that are still on the heads now that these count as emptied, without those that the plan leaves there.
    #[cold]
    pub(super) fn waiting_for_person(&self) -> u32 {
        let mut excluded = self.scenario.plan.order.excluded.clone();
        excluded.sort_unstable();
        excluded.dedup();
        let is_here =
            |mailbox: &&MailboxId| self.places.get(mailbox.index()).is_some_and(|place| place.head().is_some());
        let kept = excluded.iter().filter(is_here).count() as u32;
        self.heads.iter().map(|head| head.mailboxes).sum::<u32>().saturating_sub(kept)
    }

    /// Mailboxes on a head that nothing excuses: neither excluded, nor failed at the last attempt, nor set aside by the core
    /// as too large for every cluster.
    #[cold]
    pub(super) fn users_left(&self, head: HeadId) -> u32 {
        /// Mailboxes that are looked at together.
        const PLACES: usize = 1_024;
        let mut excluded = self.scenario.plan.order.excluded.clone();
        excluded.sort_unstable();
        let mut left = 0;
        for (block, places) in self.places.chunks(PLACES).enumerate() {
            // When a head is audited hardly anybody is left on it: most blocks hold nobody, which is quickly seen.
            if !places.iter().fold(false, |any, place| any | place.unexcused_on(head)) {
                continue;
            }
            for (row, _) in (block * PLACES..).zip(places).filter(|(_, place)| place.unexcused_on(head)) {
                let mailbox = MailboxId(row as u32);
                left += u32::from(!self.too_large.contains(&mailbox) && excluded.binary_search(&mailbox).is_err());
            }
        }
        left
    }
}

/// What came of a cluster's inodes, where it has a limit of them.
fn inode_outcome(state: &ClusterState, days: Vec<f32>, filled_of: Option<FullOf>) -> Option<InodeOutcome> {
    Some(InodeOutcome {
        highest_placement: state.highest_inode_placement()?,
        final_fill: state.inode_fill()?,
        days,
        filled: filled_of == Some(FullOf::Inodes),
    })
}

#[cfg(test)]
mod tests {
    use crate::migration::message::Milestone;
    use crate::sim::testing::{quiet, scenario};
    use crate::sim::{RunId, simulate};
    use crate::units::{Bytes, Rate};

    #[test]
    fn a_mailbox_that_has_outgrown_every_cluster_is_excused_at_the_audit() {
        // One on each head, which a cluster could take now; the second one begins a day later, and is larger by then.
        let (mut plan, mut model) = quiet(2);
        let threshold = plan.placement.clusters[0].threshold();
        let size = &mut model.population.size;
        (size.sigma, size.median) = (0.0, Bytes::new(threshold.get() / 1_000 * 999));
        size.max = size.median;
        model.population.growth_per_day = 0.02;
        plan.copy.stream = Rate::per_second(threshold.get() / 86_400);
        let scenario = scenario(plan, model);
        let outcome = simulate(&scenario, RunId { seed: 1, replication: 0 });
        let emptied = scenario.milestones.iter().zip(&outcome.reached).find(|(one, _)| **one == Milestone::AllEmptied);
        assert!(emptied.is_some_and(|(_, at)| at.is_some()), "{:?}", outcome.unfinished);
        assert_eq!((outcome.moved, outcome.heads[1].set_aside), (1, 1));
    }
}
