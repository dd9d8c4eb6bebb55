//! Old copies: when they may be purged, what is purged now, and that all are gone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::Session;
use super::attempt::{self, Verdict};
use super::due::{Due, sooner};
use super::jobs::Stage;
use super::lane::{Emptied, Lane};
use super::mailbox::{Mailboxes, Phase, block_after};
use super::message::{Batch, Command, EffectId, Fault, Milestone, Reason};
use crate::fleet::{HeadId, MailboxId};
use crate::units::{Span, Time};

/// Old copies of one head.
#[derive(Clone, Debug)]
pub(super) struct Purges {
    /// When the grace of each ends: in that order, since all are kept equally long. Each mailbox moves once, and what has
    /// been taken stays where it is.
    due: Vec<(Time, MailboxId)>,
    /// How many of them have been taken, and when the grace of the next one ends; never where none is left.
    taken: usize,
    next: Time,
    /// When that next one is looked at.
    looks: Time,
    /// The places of failed ones, and when to try again.
    retries: BinaryHeap<Reverse<(Time, u32)>>,
    pub(super) running: u16,
    /// Old copies that stay: a stopped cohort's, and those that could not be purged.
    pub(super) kept: u32,
    pub(super) done: bool,
}

/// Old copies that are next to each other in `Purges::due`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    first: u32,
    count: u8,
}

impl Run {
    pub(super) const NONE: Self = Self { first: 0, count: 0 };

    fn places(self) -> Range<usize> {
        self.first as usize..self.first as usize + usize::from(self.count)
    }
}

impl Purges {
    /// With room for so many, in memory in which nothing is: a step allocates nothing.
    pub(super) fn new(room: u32, mut due: Vec<(Time, MailboxId)>) -> Self {
        due.reserve_exact(room as usize);
        Self {
            due,
            taken: 0,
            next: Time::NEVER,
            looks: Time::NEVER,
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
            self.await_next(due);
        }
    }

    #[inline]
    fn await_next(&mut self, due: Time) {
        (self.next, self.looks) = (due, purge_wake(due));
    }

    /// The memory of what was due.
    pub(super) fn into_due(self) -> Vec<(Time, MailboxId)> {
        self.due
    }

    /// The mailboxes of a run.
    #[inline]
    pub(super) fn mailboxes(&self, run: Run) -> impl Iterator<Item = MailboxId> {
        self.due[run.places()].iter().map(|(_, mailbox)| *mailbox)
    }

    /// The next old copies that may be purged by their date: one that has failed by itself, others as many as go together.
    fn pop(&mut self, now: Time) -> Option<Run> {
        if let Some(&Reverse((at, first))) = self.retries.peek()
            && at <= now
        {
            self.retries.pop();
            return Some(Run { first, count: 1 });
        }
        if self.next > now {
            return None;
        }
        let waiting = self.due[self.taken..].iter().take(Batch::MOST);
        let count = waiting.take_while(|(due, _)| *due <= now).count();
        let run = Run { first: self.taken as u32, count: count as u8 };
        self.taken += count;
        self.await_next(self.due.get(self.taken).map_or(Time::NEVER, |(due, _)| *due));
        Some(run)
    }

    /// Brings in what will be read of the block that a run has just reached, if it has.
    fn bring_in(&self, run: Run, mailboxes: &Mailboxes) {
        if let Some(block) = block_after(&self.due, run.places()) {
            mailboxes.bring_in_purges(block);
        }
    }

    /// Keeps those of a run for ever whose grace ends at `from` or later: they are its last ones.
    fn keep(&mut self, run: Run, from: Time) -> Run {
        let kept = self.due[run.places()].iter().filter(|(due, _)| *due >= from).count();
        self.kept += kept as u32;
        Run { count: run.count - kept as u8, ..run }
    }

    /// Old copies whose purge has not begun.
    pub(super) fn left(&self) -> u64 {
        (self.due.len() - self.taken + self.retries.len()) as u64
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.due.len() && self.retries.is_empty() && self.running == 0
    }

    /// Whether old copies may be purged by their date that are not yet looked at.
    #[cfg(test)]
    pub(super) fn waits_for_the_minute(&self, now: Time) -> bool {
        self.next <= now && now < self.looks && self.retries.peek().is_none_or(|Reverse((at, _))| *at > now)
    }

    /// When the next old copy is looked at, where that is before `limit`; otherwise any time from `limit` on.
    #[inline(always)]
    pub(super) fn next_due(&self, limit: Time) -> Time {
        let first = if self.next < limit { self.looks } else { Time::NEVER };
        self.retries.peek().map_or(first, |Reverse((at, _))| first.min(*at))
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
    pub(super) fn purge_ended(&mut self, now: Time, effect: EffectId, out: &mut Vec<Command>) {
        let Some(job) = self.jobs.take(effect, Stage::Purging) else { return };
        let (head, run) = (job.head, job.run);
        let purges = &mut self.lanes[head.index()].purges;
        for mailbox in purges.mailboxes(run) {
            self.mailboxes.set_phase(mailbox, Phase::Settled);
        }
        purges.running -= 1;
        let last = purges.next == Time::NEVER;
        self.purge(now, head, out);
        if last {
            self.check_purged(head, out);
        }
    }

    /// Tries the old copies of a purge that has failed again, each by itself: one of them may be to blame.
    #[cold]
    pub(super) fn purge_failed(&mut self, now: Time, effect: EffectId, fault: Fault, out: &mut Vec<Command>) {
        let Some(job) = self.jobs.take(effect, Stage::Purging) else { return };
        let (head, run) = (job.head, job.run);
        let purges = &mut self.lanes[head.index()].purges;
        purges.running -= 1;
        // An attempt counts against a mailbox that was alone.
        let counts = u8::from(attempt::counts(fault) && run.count == 1);
        for place in run.places() {
            let (_, mailbox) = purges.due[place];
            let failed = self.mailboxes.attempts(mailbox).saturating_add(counts);
            self.mailboxes.set_attempts(mailbox, failed);
            let verdict = match attempt::verdict(&self.plan.attempts, fault, failed) {
                Verdict::SetAside | Verdict::Forget if run.count > 1 => {
                    Verdict::Blameless(attempt::backoff(&self.plan.attempts, 1))
                }
                verdict => verdict,
            };
            match verdict {
                Verdict::RetryAfter(wait) | Verdict::Blameless(wait) => {
                    purges.retries.push(Reverse((now + wait, place as u32)));
                }
                Verdict::SetAside => purges.kept += 1,
                Verdict::Forget => self.mailboxes.set_phase(mailbox, Phase::Settled),
            }
        }
        self.purge(now, head, out);
        self.check_purged(head, out);
        self.unsettled = true;
    }

    /// Removes old copies whose date has come, as many at once as the plan allows, while the head is well enough.
    #[inline(always)]
    pub(super) fn purge(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        let lane = &self.lanes[head.index()];
        let purges = &lane.purges;
        // Nearly always nothing is due, nor will it be before the next wake-up; or nothing is left.
        let idle = if purges.next < Time::NEVER {
            purges.next > now && (purges.next > self.wake.0 || self.wake <= (purges.looks, Reason::Purge))
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
            let Some(mut run) = purges.pop(now) else { break };
            purges.bring_in(run, mailboxes);
            if self.cohort != Time::NEVER {
                // By when they were switched.
                run = purges.keep(run, self.cohort + purge_after);
                if run.count == 0 {
                    continue;
                }
            }
            purges.running += 1;
            *sequence += 1;
            let effect = |slot| EffectId::new(self.number, *sequence, slot);
            let effect = jobs.start_purge(effect, head, run);
            out.push(Command::Purge { effect, batch: Batch::new(purges.mailboxes(run)), from: head });
        }
        if purges.next > now {
            self.await_purges(now, head, out);
        }
    }

    /// No old copy is due any more: says when the next one is, or that all are gone.
    fn await_purges(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        let due = self.lanes[head.index()].purges.next_due(Time::NEVER);
        if due > now && due < Time::NEVER {
            self.wake = sooner(self.wake, (due, Reason::Purge));
        }
        self.check_purged(head, out);
    }

    /// Announces a head whose old copies are gone, and on which nobody waits for a person for whom the plan waits.
    pub(super) fn check_purged(&mut self, head: HeadId, out: &mut Vec<Command>) {
        let waits = self.waits_for_person_on(head);
        let lane = &mut self.lanes[head.index()];
        let gone = lane.emptied == Emptied::Yes && lane.purges.is_empty() && lane.purges.kept == 0;
        if !gone || waits || self.purge_after.is_none() {
            return;
        }
        if !lane.purges.done {
            lane.purges.done = true;
            self.announce(Milestone::HeadPurged { head }, out);
        }
        // With a mailbox on it no head can be given away, whoever has left it there: a fault, a person, or the plan.
        let is_free = |lane: &Lane| lane.purges.done && lane.set_aside == 0 && lane.excluded == 0;
        if !self.decommissioned && self.lanes.iter().all(is_free) {
            self.decommissioned = true;
            self.announce(Milestone::Decommissioned, out);
        }
    }
}
