//! Groups that move whole: where each begins in a lane's order, and which one is under way. Within a head only: a group that
//! lives on two heads is two groups.

use std::collections::BTreeSet;

use super::mailbox::{Mailboxes, Phase};
use crate::fleet::{Fleet, HeadId, MailboxId, NO_GROUP};

/// The groups of an order, one to be finished before another begins. Mailboxes without a group come last and wait for one
/// another no more than in any other order.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    /// Where each begins in the order, rising.
    starts: Vec<u32>,
    /// Which one is under way, or was last.
    current: usize,
}

impl Groups {
    /// The groups of an order that has them one after the other.
    pub(super) fn new(fleet: &Fleet, order: &[MailboxId]) -> Self {
        let group = |id: &MailboxId| fleet.group.get(id.index()).copied().unwrap_or(NO_GROUP);
        let begins = |place: &usize| *place == 0 || group(&order[*place]) != group(&order[*place - 1]);
        Self { starts: (0..order.len()).filter(begins).map(|place| place as u32).collect(), current: 0 }
    }

    /// Whether the mailbox at this place of the order has to wait until the groups before it are finished: until each of their
    /// mailboxes has moved or been set aside. Costs a look at those groups where another is about to begin.
    pub(super) fn holds(&mut self, order: &[MailboxId], place: usize, mailboxes: &Mailboxes) -> bool {
        let next = self.starts.partition_point(|start| *start as usize <= place).saturating_sub(1);
        if next == self.current {
            return false;
        }
        // Those between that have begun by a person's word or ahead of their turn are to be finished as well.
        let end = self.starts.get(next).map_or(order.len(), |start| *start as usize);
        let begin = self.starts.get(self.current).map_or(end, |start| *start as usize);
        let is_under_way = |id: &MailboxId| match mailboxes.phase(*id) {
            Phase::Waiting | Phase::BackingOff | Phase::Copying | Phase::Switching => true,
            Phase::Moved | Phase::Settled | Phase::SetAside | Phase::Excluded | Phase::Gone => false,
        };
        if order[begin..end.min(place)].iter().any(is_under_way) {
            return true;
        }
        self.current = next;
        false
    }
}

/// Puts a head's groups first of which a mailbox has moved from there already; the order is otherwise kept.
pub(super) fn begun_first(fleet: &Fleet, head: HeadId, order: &mut [MailboxId]) {
    let facts = fleet.home.iter().zip(&fleet.origin).zip(&fleet.group);
    let moved = facts.filter(|((home, origin), group)| home.is_cluster() && **origin == head && **group != NO_GROUP);
    let begun: BTreeSet<u32> = moved.map(|(_, group)| *group).collect();
    order.sort_by_key(|id| !fleet.group.get(id.index()).is_some_and(|group| begun.contains(group)));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fleet::{ClusterId, Home};
    use crate::units::Bytes;

    fn fleet(groups: &[u32], moved: &[u32]) -> Arc<Fleet> {
        let home = |row: u32| {
            if moved.contains(&row) { Home::cluster(ClusterId(0)) } else { Home::head(HeadId(0)) }
        };
        let rows = groups.len();
        Arc::new(Fleet {
            bytes: vec![Bytes::new(1); rows],
            messages: vec![1; rows],
            activity_micro_op_s: vec![0; rows],
            origin: vec![HeadId(0); rows],
            home: (0..rows as u32).map(home).collect(),
            group: groups.to_vec(),
        })
    }

    #[test]
    fn a_group_waits_until_the_one_before_it_is_over_whatever_became_of_its_mailboxes() {
        let fleet = fleet(&[1, 1, 2, 3, NO_GROUP, NO_GROUP], &[]);
        let mut mailboxes = Mailboxes::new(&fleet, Vec::new());
        let order: Vec<MailboxId> = (0..6).map(MailboxId).collect();
        let mut groups = Groups::new(&fleet, &order);
        assert!(!groups.holds(&order, 0, &mailboxes));
        mailboxes.set_phase(MailboxId(0), Phase::Moved);
        assert!(!groups.holds(&order, 1, &mailboxes));
        for (phase, holds) in
            [(Phase::Copying, true), (Phase::BackingOff, true), (Phase::Switching, true), (Phase::SetAside, false)]
        {
            mailboxes.set_phase(MailboxId(1), phase);
            assert_eq!(groups.holds(&order, 2, &mailboxes), holds, "{phase:?}");
        }
        // The only mailbox of a group has been deleted: the next group need not wait for it.
        mailboxes.set_phase(MailboxId(2), Phase::Gone);
        assert!(!groups.holds(&order, 3, &mailboxes));
        mailboxes.set_phase(MailboxId(3), Phase::Settled);
        assert!(!groups.holds(&order, 4, &mailboxes));
        mailboxes.set_phase(MailboxId(4), Phase::Copying);
        assert!(!groups.holds(&order, 5, &mailboxes), "those without a group do not wait for each other");
    }

    #[test]
    fn groups_that_have_begun_come_first() {
        let fleet = fleet(&[1, 2, 1, 2, 3, 3], &[3]);
        let mut order = [0, 2, 1, 4, 5].map(MailboxId);
        begun_first(&fleet, HeadId(0), &mut order);
        assert_eq!(order, [1, 0, 2, 4, 5].map(MailboxId));
        // What has moved from another head has begun nothing here.
        let mut order = [0, 2, 1, 4, 5].map(MailboxId);
        begun_first(&fleet, HeadId(1), &mut order);
        assert_eq!(order, [0, 2, 1, 4, 5].map(MailboxId));
    }

    #[test]
    fn a_group_that_has_begun_ahead_of_its_turn_is_finished_before_the_next_one_too() {
        let fleet = fleet(&[1, 2, 3], &[]);
        let mut mailboxes = Mailboxes::new(&fleet, Vec::new());
        let order = [0, 1, 2].map(MailboxId);
        let mut groups = Groups::new(&fleet, &order);
        mailboxes.set_phase(MailboxId(0), Phase::Moved);
        for (phase, holds) in [(Phase::Copying, true), (Phase::BackingOff, true), (Phase::Moved, false)] {
            mailboxes.set_phase(MailboxId(1), phase);
            assert_eq!(groups.holds(&order, 2, &mailboxes), holds, "{phase:?}");
        }
    }
}
