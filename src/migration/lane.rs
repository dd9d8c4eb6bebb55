//! One head's lane: its queue, its pace, its jobs, its purges. It computes; the machine decides.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::mailbox::{Mailboxes, Phase};
use super::message::{Binding, EffectId, Limit, Reason};
use super::order::{Queue, Waves};
use super::plan::{HeadPlan, Overlap, ThrottlePlan, WindowLimit};
use super::progress::{Account, Shares};
use super::throttle::{Sample, Throttle, fresh_until};
use super::window::Cursor;
use crate::fleet::{ClusterId, MailboxId, STORES_MAX};
use crate::units::{Rate, Span, Time};

/// Whether a head counts as emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// Mailboxes that can move are still there.
    No,
    /// None is left as far as we know; the audit is under way.
    Asked,
    /// The audit found none.
    Yes,
}

/// The pace last asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) streams: u16,
    pub(super) rate: Rate,
}

/// One head's lane.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) turn: bool,
    pub(super) pace: Option<Pace>,
    pub(super) copying: u16,
    pub(super) switching: u16,
    /// Waiting or backing off.
    pub(super) waiting: u32,
    pub(super) set_aside: u32,
    pub(super) queue: Queue,
    /// Copied, and waiting for their turn to switch.
    pub(super) ready: VecDeque<EffectId>,
    pub(super) throttle: Throttle,
    pub(super) cursor: Cursor,
    pub(super) window: WindowLimit,
    pub(super) operator_cap: u16,
    pub(super) sample: Option<Sample>,
    pub(super) held_by: Limit,
    pub(super) account: Account,
    pub(super) shares: Shares,
    pub(super) emptied: Emptied,
    pub(super) purges: Purges,
    /// Jobs under way to each cluster: whose samples concern this head.
    pub(super) jobs_on: [u16; STORES_MAX],
}

/// Old copies of one head that wait to be purged.
#[derive(Clone, Debug, Default)]
pub(super) struct Purges {
    /// In order of their dates, since all are kept equally long.
    pub(super) due: VecDeque<(Time, MailboxId)>,
    /// Failed ones: when to try again, and when their grace ended.
    pub(super) retries: BinaryHeap<Reverse<(Time, Time, MailboxId)>>,
    pub(super) running: u16,
    /// Old copies that stay: a stopped cohort's, and those that could not be purged.
    pub(super) kept: u32,
    pub(super) done: bool,
}

impl Purges {
    /// Tries again at `at` to purge an old copy whose grace ended at `due`.
    pub(super) fn retry(&mut self, at: Time, due: Time, mailbox: MailboxId) {
        self.retries.push(Reverse((at, due, mailbox)));
    }

    /// The next old copy that may be purged by its date, and when its grace ended.
    pub(super) fn pop(&mut self, now: Time) -> Option<(Time, MailboxId)> {
        if let Some(&Reverse((at, due, mailbox))) = self.retries.peek()
            && at <= now
        {
            self.retries.pop();
            return Some((due, mailbox));
        }
        match self.due.front() {
            Some(&(due, _)) if due <= now => self.due.pop_front(),
            _ => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty() && self.retries.is_empty() && self.running == 0
    }

    /// When the next old copy is looked at.
    pub(super) fn next_due(&self) -> Option<Time> {
        let retry = self.retries.peek().map(|Reverse((at, ..))| *at);
        let first = self.due.front().map(|(due, _)| purge_wake(*due));
        retry.into_iter().chain(first).min()
    }
}

/// When an old copy whose grace ends at `due` is looked at: on the minute. After days of grace nothing hangs on seconds,
/// and the copies of one minute need one wake-up.
pub(super) fn purge_wake(due: Time) -> Time {
    due.rounded_up(Span::from_secs(60))
}

/// An instant at which something is due, and what.
pub(super) type Due = (Time, Reason);

/// No instant at which anything is due.
pub(super) const NOTHING_DUE: Due = (Time::NEVER, Reason::Idle);

impl Lane {
    pub(super) fn new(plan: &HeadPlan, now: Time, queue: Queue, shares: Shares) -> Self {
        Self {
            turn: false,
            pace: None,
            copying: 0,
            switching: 0,
            waiting: 0,
            set_aside: 0,
            queue,
            ready: VecDeque::with_capacity(usize::from(plan.throttle.ceiling())),
            throttle: Throttle::new(&plan.throttle, now),
            cursor: Cursor::default(),
            window: WindowLimit::OPEN,
            operator_cap: u16::MAX,
            sample: None,
            held_by: Limit::Own,
            account: Account::new(now),
            shares,
            emptied: Emptied::No,
            purges: Purges::default(),
            jobs_on: [0; STORES_MAX],
        }
    }

    /// The candidate's copy to a cluster begins.
    #[inline]
    pub(super) fn start_copy(&mut self, to: ClusterId, urgent: bool) {
        if urgent {
            self.queue.pop_urgent();
        } else {
            self.queue.pop_order();
        }
        self.waiting -= 1;
        self.copying += 1;
        self.jobs_on[to.index()] += 1;
    }

    /// Mailboxes that are still to leave the head.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.waiting + u32::from(self.copying) + u32::from(self.switching) + self.ready.len() as u32
    }

    /// Whether nothing is still to leave the head.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0 && self.left() == 0
    }

    /// Whether so few wait that the next head may be near its turn.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        self.waiting < u32::from(self.pace.map_or(0, |pace| pace.streams)) + self.queue.scheduled()
    }

    /// Whether the next head may begin. Mailboxes that wait for a date of their own hold no other head up.
    pub(super) fn gives_way(&self, overlap: Overlap) -> bool {
        let by_hand = self.queue.scheduled();
        let empty = self.emptied == Emptied::Yes || (by_hand > 0 && self.left() <= by_hand);
        match overlap {
            Overlap::None => empty,
            Overlap::Tail => {
                let streams = self.pace.map_or(0, |pace| pace.streams);
                empty || self.waiting.saturating_sub(by_hand) < u32::from(streams)
            }
        }
    }

    /// The pace that throttle, calendar and operator allow now.
    pub(super) fn allowed(&mut self, now: Time, plan: &HeadPlan, paused: bool) -> Pace {
        self.window = self.cursor.limit(&plan.windows, now);
        let streams = self.throttle.streams().min(self.window.streams).min(self.operator_cap);
        Pace { streams: if paused { 0 } else { streams }, rate: plan.throttle.rate.min(self.window.rate) }
    }

    pub(super) fn fresh(&self, now: Time, plan: &ThrottlePlan) -> bool {
        fresh_until(self.sample, plan.sample_limit).is_some_and(|until| now <= until)
    }

    /// Whether all permitted streams are used.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.copying >= self.pace.map_or(0, |pace| pace.streams)
    }

    /// What keeps the lane from starting anything at all, if something does.
    #[inline]
    pub(super) fn blocked(&self, now: Time, plan: &ThrottlePlan, paused: bool) -> Option<Binding> {
        if self.is_empty() || (!self.turn && self.queue.peek_urgent().is_none()) {
            Some(Binding::NotItsTurn)
        } else if paused {
            Some(Binding::Paused)
        } else if !self.fresh(now, plan) {
            Some(Binding::Outage)
        } else if self.is_full() {
            Some(self.cap(plan))
        } else if !self.ready.is_empty() {
            Some(Binding::Mover)
        } else {
            None
        }
    }

    /// Which cap it is that all permitted streams are used up to.
    pub(super) fn cap(&self, plan: &ThrottlePlan) -> Binding {
        let throttle = self.throttle.streams();
        if self.operator_cap < throttle.min(self.window.streams) {
            Binding::Paused
        } else if self.window.streams < throttle {
            Binding::Window
        } else if throttle < plan.ceiling() || throttle == 0 {
            Binding::Throttle
        } else {
            match self.held_by {
                Limit::Own => Binding::Mover,
                Limit::Head => Binding::StreamCap,
                Limit::Pace | Limit::Link => Binding::Link,
                Limit::Ingest => Binding::Ingest,
            }
        }
    }

    /// Whether the throttle's own pace is what holds the copies back.
    pub(super) fn uses_throttle(&self) -> bool {
        let own = self.pace.is_some_and(|pace| pace.streams == self.throttle.streams());
        let held = match self.account.binding() {
            Binding::Throttle | Binding::StreamCap | Binding::Mover | Binding::Link | Binding::Ingest => true,
            Binding::Window
            | Binding::NoRoom
            | Binding::Outage
            | Binding::Tail
            | Binding::Paused
            | Binding::NotItsTurn => false,
        };
        own && held
    }

    /// The next mailbox, and whether it goes ahead of the order; or what keeps it.
    #[inline]
    pub(super) fn candidate(&mut self, mailboxes: &Mailboxes, waves: &Waves) -> Result<(MailboxId, bool), Binding> {
        while let Some(mailbox) = self.queue.peek_urgent() {
            if mailboxes.phase(mailbox) == Phase::Waiting {
                return Ok((mailbox, true));
            }
            self.queue.pop_urgent();
        }
        if !self.turn {
            return Err(Binding::NotItsTurn);
        }
        while let Some(mailbox) = self.queue.peek_order() {
            if mailboxes.phase(mailbox) == Phase::Waiting {
                return if waves.admits() { Ok((mailbox, false)) } else { Err(Binding::Paused) };
            }
            self.queue.pop_order();
        }
        Err(Binding::Tail)
    }

    /// The next thing of this lane that is due.
    pub(super) fn next_due(&self, now: Time, plan: &HeadPlan) -> Due {
        let mut next = NOTHING_DUE;
        let mut consider = |due: Option<Time>, why| {
            if let Some(due) = due {
                next = next.min((due, why));
            }
        };
        consider(self.queue.next_retry(), Reason::Retry);
        consider(self.queue.next_scheduled(), Reason::Schedule);
        consider(self.cursor.next_change(&plan.windows, now), Reason::Window);
        // What is due but may not be purged now is taken up when that changes, which is an event.
        consider(self.purges.next_due().filter(|due| *due > now), Reason::Purge);
        if self.left() > 0 && self.account.binding() != Binding::Outage {
            let stale = fresh_until(self.sample, plan.throttle.sample_limit).map(|until| until + Span::TICK);
            consider(stale.filter(|stale| *stale > now), Reason::SampleAge);
        }
        next
    }
}
