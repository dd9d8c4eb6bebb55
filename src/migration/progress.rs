//! How far it is: counts, milestones, and the time that each cause has bound.

use super::message::{Binding, Milestone};
use super::plan::ShareMilestone;
use crate::fleet::HeadId;
use crate::units::{Share, Span, Time};

/// Time accounted to what bound a head, exactly one cause at every moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    binding: Binding,
    /// What bound before that.
    before: Binding,
    since: Time,
    bound: [Span; Binding::COUNT],
}

impl Account {
    pub(super) fn new(now: Time) -> Self {
        let none = Binding::NotItsTurn;
        Self { binding: none, before: none, since: now, bound: [Span::ZERO; Binding::COUNT] }
    }

    #[inline]
    pub(super) fn set(&mut self, now: Time, binding: Binding) {
        if binding != self.binding {
            self.bound[self.binding as usize] += now.since(self.since);
            (self.before, self.binding, self.since) = (self.binding, binding, now);
        }
    }

    #[inline]
    pub(super) fn binding(&self) -> Binding {
        self.binding
    }

    /// What bound before what binds now.
    pub(super) fn bound_before(&self) -> Binding {
        self.before
    }

    pub(super) fn bound(&self, now: Time) -> [Span; Binding::COUNT] {
        let mut bound = self.bound;
        bound[self.binding as usize] += now.since(self.since);
        bound
    }
}

/// Shares of progress of one head, or of all of them.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    head: Option<HeadId>,
    /// Mailboxes that lived there before the migration.
    mailboxes: u64,
    /// Those that have left the old storage: moved, or deleted meanwhile.
    left: u64,
    /// Shares still to be announced with the count that reaches them, by falling count.
    ahead: Vec<(u64, Share)>,
    next: u64,
}

impl Shares {
    pub(super) fn new(head: Option<HeadId>, milestones: &[ShareMilestone], mailboxes: u64, left: u64) -> Self {
        let mine = milestones.iter().filter(|milestone| milestone.head == head);
        let mut ahead: Vec<(u64, Share)> = mine.map(|m| (m.share.of_count(mailboxes), m.share)).collect();
        ahead.sort_unstable_by(|a, b| b.cmp(a));
        let next = ahead.last().map_or(u64::MAX, |(count, _)| *count);
        Self { head, mailboxes, left, ahead, next }
    }

    /// One more has left; says whether a share has been reached that was not yet announced.
    #[inline]
    pub(super) fn add(&mut self) -> bool {
        // No count of mailboxes comes near the end of this range.
        self.left = self.left.wrapping_add(1);
        self.is_reached()
    }

    /// A mailbox was found that the facts did not know.
    pub(super) fn found(&mut self) {
        self.mailboxes += 1;
        let mailboxes = self.mailboxes;
        for (count, share) in &mut self.ahead {
            *count = share.of_count(mailboxes);
        }
        self.next = self.ahead.last().map_or(u64::MAX, |(count, _)| *count);
    }

    /// Whether a share has been reached that was not yet announced.
    #[inline]
    pub(super) const fn is_reached(&self) -> bool {
        self.left >= self.next
    }

    /// A share that has been reached and not yet been announced.
    pub(super) fn take_reached(&mut self) -> Option<Milestone> {
        if !self.is_reached() {
            return None;
        }
        let (_, share) = self.ahead.pop()?;
        self.next = self.ahead.last().map_or(u64::MAX, |(count, _)| *count);
        Some(match self.head {
            Some(head) => Milestone::HeadShareMoved { head, share },
            None => Milestone::ShareMoved { share },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_accounted_to_exactly_one_cause() {
        let at = |seconds| Time::from_unix_micros(0) + Span::from_secs(seconds);
        let mut account = Account::new(at(0));
        account.set(at(3), Binding::Throttle);
        account.set(at(5), Binding::Throttle);
        account.set(at(7), Binding::Tail);
        let bound = account.bound(at(10));
        assert_eq!(bound[Binding::Throttle as usize], Span::from_secs(4));
        assert_eq!(bound.iter().fold(Span::ZERO, |sum, span| sum + *span), Span::from_secs(10));
    }

    #[test]
    fn a_share_is_announced_once_when_its_count_is_reached() {
        let half = ShareMilestone { head: None, share: Share::from_ppm(500_000) };
        let mut shares = Shares::new(None, &[half], 3, 0);
        shares.add();
        assert_eq!(shares.take_reached(), None);
        shares.add();
        assert_eq!(shares.take_reached(), Some(Milestone::ShareMoved { share: half.share }));
        assert_eq!(shares.take_reached(), None);
    }
}
