//! Old copies: when they may be purged, what is purged now, and that all are gone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Session;
use super::jobs::Stage;
use super::lane::{Due, Emptied};
use super::mailbox::{Mailboxes, Phase, block_at};
use super::message::{Command, EffectId, Milestone, Reason};
use crate::fleet::{HeadId, MailboxId};
use crate::units::{Span, Time};

/// Old copies of one head that wait to be purged.
#[derive(Clone, Debug)]
pub(super) struct Purges {
    /// In order of their dates, since all are kept equally long; each mailbox moves once, so none are removed.
    due: Vec<(Time, MailboxId)>,
    /// How many of them have been taken, and when the grace of the next one ends; never where none is left.
    taken: usize,
    next: Time,
    /// Failed ones: when to try again, and when their grace ended.
    retries: BinaryHeap<Reverse<(Time, Time, MailboxId)>>,
    pub(super) running: u16,
    /// Old copies that stay: a stopped cohort's, and those that could not be purged.
    pub(super) kept: u32,
    pub(super) done: bool,
}

impl Purges {
    /// With room for so many: a step allocates nothing.
    pub(super) fn new(room: u32) -> Self {
        Self {
            due: Vec::with_capacity(room as usize),
            taken: 0,
            next: Time::NEVER,
            retries: BinaryHeap::new(),
            running: 0,
            kept: 0,
            done: false,
        }
    }

    /// An old copy may be purged from `due` on, which lies no earlier than those of all before it.
    #[inline(always)]
    pub(super) fn push(&mut self, due: Time, mailbox: MailboxId) {
        self.due.push((due, mailbox));
        if self.next == Time::NEVER {
            self.next = due;
        }
    }

    /// Tries again at `at` to purge an old copy whose grace ended at `due`.
    pub(super) fn retry(&mut self, at: Time, due: Time, mailbox: MailboxId) {
        self.retries.push(Reverse((at, due, mailbox)));
    }

    /// Takes the next one whose grace ends, of those never tried; one must be left.
    #[inline(always)]
    fn take(&mut self) -> (Time, MailboxId) {
        let first = self.due[self.taken];
        self.taken += 1;
        self.next = self.due.get(self.taken).map_or(Time::NEVER, |(due, _)| *due);
        first
    }

    /// Brings in what will be read of the block that has just been reached, if one has.
    #[inline(always)]
    fn bring_in(&self, mailboxes: &Mailboxes) {
        if let Some(block) = block_at(&self.due, self.taken) {
            mailboxes.bring_in_purges(block);
        }
    }

    /// The next old copy that may be purged by its date, and when its grace ended.
    fn pop(&mut self, now: Time) -> Option<(Time, MailboxId)> {
        if let Some(&Reverse((at, due, mailbox))) = self.retries.peek()
            && at <= now
        {
            self.retries.pop();
            return Some((due, mailbox));
        }
        (self.next <= now).then(|| self.take())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.due.len() && self.retries.is_empty() && self.running == 0
    }

    /// When the next old copy is looked at, where that is before `limit`; otherwise any time from `limit` on.
    #[inline(always)]
    pub(super) fn next_due(&self, limit: Time) -> Time {
        let first = if self.next < limit { purge_wake(self.next) } else { Time::NEVER };
        self.retries.peek().map_or(first, |Reverse((at, ..))| first.min(*at))
    }
}

/// When an old copy whose grace ends at `due` is looked at: on the minute. After days of grace nothing hangs on seconds,
/// and the copies of one minute need one wake-up.
#[inline]
pub(super) fn purge_wake(due: Time) -> Time {
    due.rounded_up(Span::from_secs(60))
}

/// Whether the next wake-up is early enough for an old copy whose grace ends at `due`.
#[inline]
pub(super) fn foresees(wake: Due, due: Time) -> bool {
    due > wake.0 || wake <= (purge_wake(due), Reason::Purge)
}

impl Session {
    #[inline(never)]
    pub(super) fn purge_ended(&mut self, now: Time, effect: EffectId, out: &mut Vec<Command>) {
        let Some(job) = self.jobs.find(effect, Stage::Purging) else { return };
        let head = job.head;
        self.mailboxes.set_phase(job.mailbox, Phase::Settled);
        let lane = &mut self.lanes[head.index()];
        let purges = &mut lane.purges;
        let next = purges.next;
        if next < Time::NEVER && now <= lane.gate.purges_until && purges.retries.is_empty() {
            // Nearly always the next one takes the place of the one that has ended, or has to wait for its date.
            if next <= now && purges.running == self.purge_streams {
                let (due, mailbox) = purges.take();
                self.sequence += 1;
                let effect = EffectId::new(self.number, self.sequence, effect.slot());
                (job.effect, job.mailbox, job.due) = (effect, mailbox, due);
                out.push(Command::Purge { effect, mailbox, from: head });
                purges.bring_in(&self.mailboxes);
                if purges.next <= now {
                    return;
                }
            } else {
                purges.running -= 1;
                self.jobs.end(effect);
            }
            let next = purges.next;
            if next > now && next < Time::NEVER {
                if !foresees(self.wake, next) {
                    self.wake = (purge_wake(next), Reason::Purge);
                }
                return;
            }
        } else {
            purges.running -= 1;
            self.jobs.end(effect);
        }
        self.purge(now, head, out);
        if next == Time::NEVER {
            self.check_purged(head, out);
        }
    }

    /// Removes old copies whose date has come, as many at once as the plan allows, while the head is well enough.
    #[inline(always)]
    pub(super) fn purge(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        let lane = &self.lanes[head.index()];
        let purges = &lane.purges;
        // Nearly always nothing is due, nor will it be before the next wake-up; or nothing is left.
        let idle = if purges.next < Time::NEVER {
            purges.next > now && foresees(self.wake, purges.next)
        } else {
            purges.done || purges.running > 0 || lane.emptied != Emptied::Yes
        };
        if !idle || !purges.retries.is_empty() {
            self.purge_due(now, head, out);
        }
    }

    #[inline(never)]
    fn purge_due(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        let Some(purge_after) = self.purge_after else { return };
        let paused = self.paused() || self.purges_held;
        let Self { lanes, jobs, sequence, mailboxes, .. } = self;
        let lane = &mut lanes[head.index()];
        let well = lane.streams > 0 && lane.fresh(now);
        if paused || !well {
            return;
        }
        let purges = &mut lane.purges;
        while purges.running < self.purge_streams {
            if !jobs.has_room() {
                return;
            }
            let Some((due, mailbox)) = purges.pop(now) else { break };
            purges.bring_in(mailboxes);
            // When it was switched.
            if due - purge_after >= self.cohort {
                purges.kept += 1;
                continue;
            }
            purges.running += 1;
            *sequence += 1;
            let effect = |slot| EffectId::new(self.number, *sequence, slot);
            let effect = jobs.start_purge(effect, mailbox, head, due);
            out.push(Command::Purge { effect, mailbox, from: head });
        }
        if purges.next > now {
            self.await_purges(now, head, out);
        }
    }

    /// No old copy is due any more: says when the next one is, or that all are gone.
    fn await_purges(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        let due = self.lanes[head.index()].purges.next_due(Time::NEVER);
        if due > now && due < Time::NEVER {
            self.wake = self.wake.min((due, Reason::Purge));
        }
        self.check_purged(head, out);
    }

    /// Announces a head whose old copies are gone.
    pub(super) fn check_purged(&mut self, head: HeadId, out: &mut Vec<Command>) {
        let lane = &mut self.lanes[head.index()];
        let gone = lane.emptied == Emptied::Yes && lane.purges.is_empty() && lane.purges.kept == 0;
        if !gone || lane.purges.done || self.purge_after.is_none() {
            return;
        }
        lane.purges.done = true;
        self.announce(Milestone::HeadPurged { head }, out);
        if self.lanes.iter().all(|lane| lane.purges.done) {
            self.announce(Milestone::Decommissioned, out);
        }
    }
}
