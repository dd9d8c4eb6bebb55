//! Which mailbox next: the order within a head, and what goes before it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::due::{Due, NOTHING_DUE};
use super::group::Groups;
use super::mailbox::{Mailboxes, block_after};
use super::message::Reason;
use super::plan::Within;
use crate::fleet::{Fleet, MailboxId};
use crate::units::Time;

/// Puts mailboxes of one head in the plan's order; ties go to the lower row.
pub(crate) fn sort(within: Within, fleet: &Fleet, rows: &mut [MailboxId]) {
    let activity = |row: usize| u64::from(fleet.activity_micro_op_s[row]);
    match within {
        Within::Inventory => rows.sort_unstable(),
        Within::Smallest => sort_by(rows, |row| fleet.bytes[row].get()),
        Within::Largest => sort_by(rows, |row| u64::MAX - fleet.bytes[row].get()),
        Within::Busiest => sort_by(rows, |row| u64::MAX - activity(row)),
        Within::Idlest => sort_by(rows, activity),
        // Those without any first.
        Within::Group | Within::WholeGroups => {
            sort_by(rows, |row| fleet.group.get(row).map_or(0, |group| u64::from(*group) + 1));
        }
    }
}

/// Sorts by rank and row, as one number: a comparison of two is an instruction or two.
fn sort_by(rows: &mut [MailboxId], rank: impl Fn(usize) -> u64) {
    rows.sort_unstable_by_key(|id| u128::from(rank(id.index())) << u32::BITS | u128::from(id.0));
}

/// What waits on one head. Entries may be out of date: the mailbox's own phase says whether it still waits.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// The plan's order, and how much of it has been taken.
    order: Vec<MailboxId>,
    taken: usize,
    /// Where groups are to move whole.
    groups: Option<Groups>,
    /// Ahead of the order: ordered by hand, scheduled and due, or to be tried again.
    urgent: VecDeque<MailboxId>,
    /// Ahead of the order, but not of the waves: they have waited for room, and have not begun.
    after_room: VecDeque<MailboxId>,
    retries: BinaryHeap<Reverse<Retry>>,
    /// Retries that wait for room.
    for_room: u32,
    /// By falling date.
    scheduled: Vec<(Time, MailboxId)>,
    /// The earliest of both, kept: it is asked for far more often than it changes.
    dated: Due,
}

/// When a mailbox is tried again, which one, and whether it waits for room.
type Retry = (Time, MailboxId, bool);

/// Where in a queue a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Ahead of the order and of the waves.
    Urgent,
    /// Ahead of the order, after a wait for room.
    AfterRoom,
    /// Next in the plan's order.
    Order,
}

impl Queue {
    pub(super) fn new(order: Vec<MailboxId>, mut scheduled: Vec<(Time, MailboxId)>) -> Self {
        scheduled.sort_unstable_by(|a, b| b.cmp(a));
        let mut queue = Self {
            order,
            taken: 0,
            groups: None,
            urgent: VecDeque::new(),
            after_room: VecDeque::new(),
            retries: BinaryHeap::new(),
            for_room: 0,
            scheduled,
            dated: NOTHING_DUE,
        };
        queue.renew_dated();
        queue
    }

    /// The same queue, whose order has groups that move whole.
    pub(super) fn with_whole_groups(mut self, fleet: &Fleet) -> Self {
        self.groups = Some(Groups::new(fleet, &self.order));
        self
    }

    /// Whether a group is finished before another begins.
    #[inline]
    pub(super) const fn has_whole_groups(&self) -> bool {
        self.groups.is_some()
    }

    /// Whether the next candidate of the order has to wait until the group before its own is finished.
    #[inline]
    pub(super) fn waits_for_a_group(&mut self, mailboxes: &Mailboxes) -> bool {
        let (order, taken) = (&self.order, self.taken);
        self.groups.as_mut().is_some_and(|groups| groups.holds(order, taken, mailboxes))
    }

    /// The memory of the plan's order.
    pub(super) fn into_order(self) -> Vec<MailboxId> {
        self.order
    }

    fn renew_dated(&mut self) {
        let retry = self.retries.peek().map_or(NOTHING_DUE, |Reverse((due, ..))| (*due, Reason::Retry));
        let scheduled = self.scheduled.last().map_or(NOTHING_DUE, |(due, _)| (*due, Reason::Schedule));
        self.dated = retry.min(scheduled);
    }

    /// Whether anything may go ahead of the plan's order.
    #[inline]
    pub(super) fn has_ahead(&self) -> bool {
        !self.urgent.is_empty() || !self.after_room.is_empty()
    }

    /// The next candidate ahead of the plan's order and of the waves.
    #[inline]
    pub(super) fn peek_urgent(&self) -> Option<MailboxId> {
        self.urgent.front().copied()
    }

    /// The next of those that have waited for room.
    #[inline]
    pub(super) fn peek_after_room(&self) -> Option<MailboxId> {
        self.after_room.front().copied()
    }

    /// Takes the candidate from its place.
    #[inline]
    pub(super) fn pop(&mut self, place: Place) {
        match place {
            Place::Urgent => _ = self.urgent.pop_front(),
            Place::AfterRoom => _ = self.after_room.pop_front(),
            Place::Order => self.pop_order(),
        }
    }

    /// The next candidate of the plan's order.
    #[inline]
    pub(super) fn peek_order(&self) -> Option<MailboxId> {
        self.order.get(self.taken).copied()
    }

    #[inline]
    pub(super) fn pop_order(&mut self) {
        // The candidate was there to be looked at, so this does not pass the order's length.
        self.taken = self.taken.wrapping_add(1);
    }

    /// Brings in what will be read of the order's block that the mailbox taken last has led to, if it has.
    #[inline(always)]
    pub(super) fn bring_in(&self, mailboxes: &Mailboxes) {
        if let Some(block) = block_after(&self.order, self.taken.wrapping_sub(1)..self.taken) {
            mailboxes.bring_in_copies(block);
        }
    }

    pub(super) fn push_urgent(&mut self, mailbox: MailboxId) {
        self.urgent.push_back(mailbox);
    }

    pub(super) fn push_after_room(&mut self, mailbox: MailboxId) {
        self.after_room.push_back(mailbox);
    }

    pub(super) fn push_front(&mut self, mailbox: MailboxId) {
        self.urgent.push_front(mailbox);
    }

    pub(super) fn push_last(&mut self, mailbox: MailboxId) {
        self.order.push(mailbox);
    }

    /// Puts a mailbox where it waits after a failure, perhaps because there was no room for it.
    pub(super) fn push_retry(&mut self, due: Time, mailbox: MailboxId, for_room: bool) {
        self.retries.push(Reverse((due, mailbox, for_room)));
        self.for_room += u32::from(for_room);
        self.renew_dated();
    }

    /// A mailbox whose wait after a failure is over, and whether it was for room.
    pub(super) fn pop_retry(&mut self, now: Time) -> Option<(MailboxId, bool)> {
        let &Reverse((due, mailbox, for_room)) = self.retries.peek()?;
        if due > now {
            return None;
        }
        self.retries.pop();
        self.for_room -= u32::from(for_room);
        self.renew_dated();
        Some((mailbox, for_room))
    }

    /// A mailbox scheduled by hand whose date has come.
    pub(super) fn pop_scheduled(&mut self, now: Time) -> Option<MailboxId> {
        let &(due, mailbox) = self.scheduled.last()?;
        if due > now {
            return None;
        }
        self.scheduled.pop();
        self.renew_dated();
        Some(mailbox)
    }

    /// Removes a mailbox from what waits for a date: it is gone, set aside, or moves now. For orders and deletions only.
    pub(super) fn remove_dated(&mut self, mailbox: MailboxId) {
        self.retries.retain(|Reverse((_, id, _))| *id != mailbox);
        self.for_room = self.retries.iter().filter(|Reverse((.., for_room))| *for_room).count() as u32;
        self.scheduled.retain(|(_, id)| *id != mailbox);
        self.renew_dated();
    }

    /// Mailboxes whose date of their own is still to come.
    #[inline]
    pub(super) fn scheduled(&self) -> u32 {
        self.scheduled.len() as u32
    }

    /// Mailboxes for which there was no room, until they are tried again.
    #[inline]
    pub(super) fn for_room(&self) -> u32 {
        self.for_room
    }

    /// Mailboxes that wait for a date of their own, or for room that others do not need.
    #[inline]
    pub(super) fn apart(&self) -> u32 {
        self.scheduled() + self.for_room
    }

    /// When the first mailbox that waits for a date is due, and for which reason.
    #[inline]
    pub(super) fn next_dated(&self) -> Due {
        self.dated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{HeadId, Home};
    use crate::units::Bytes;

    fn fleet() -> Fleet {
        Fleet {
            bytes: [30, 10, 20, 10].map(Bytes::new).into(),
            messages: vec![1; 4],
            activity_micro_op_s: vec![5, 7, 5, 1],
            origin: vec![HeadId(0); 4],
            home: vec![Home::head(HeadId(0)); 4],
            group: vec![2, 1, 2, 1],
        }
    }

    #[test]
    fn every_order_is_a_table_and_ties_go_to_the_lower_row() {
        let orders = [
            (Within::Inventory, [0, 1, 2, 3]),
            (Within::Smallest, [1, 3, 2, 0]),
            (Within::Largest, [0, 2, 1, 3]),
            (Within::Busiest, [1, 0, 2, 3]),
            (Within::Idlest, [3, 0, 2, 1]),
            (Within::Group, [1, 3, 0, 2]),
            (Within::WholeGroups, [1, 3, 0, 2]),
        ];
        for (within, expected) in orders {
            let mut rows: Vec<MailboxId> = fleet().ids().collect();
            rows.reverse();
            sort(within, &fleet(), &mut rows);
            assert_eq!(rows, expected.map(MailboxId), "{within:?}");
        }
    }
}
