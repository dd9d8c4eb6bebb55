//! The jobs that the machine has asked for, in the slots of their effects, and which copies of a head may progress.

use super::transfer::Flow;
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{EffectId, Fault};
use crate::units::Bytes;

/// What is happening to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing: the slot is free.
    Free,
    /// It cannot be done, and the machine will be told after a while.
    Refused,
    /// Connecting and listing.
    SettingUp,
    /// Copying.
    Flowing,
    /// The pace does not let it progress.
    Suspended,
    /// Copied; the switch was not yet asked for.
    Copied,
    /// Switching.
    Switching,
    /// Its old copy is being removed.
    Purging,
}

/// No slot.
pub(crate) const NONE: u16 = u16::MAX;

/// A job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Its effect, the same from copy through switch.
    pub(crate) effect: EffectId,
    /// True size when the copy began.
    pub(crate) bytes: Bytes,
    /// What is left of the copy.
    pub(crate) flow: Flow,
    /// Which mailbox.
    pub(crate) mailbox: MailboxId,
    /// Messages when the copy began.
    pub(crate) messages: u32,
    /// Neighbours among the head's copies, in order of their start.
    pub(crate) before: u16,
    /// The next one.
    pub(crate) after: u16,
    /// How the present phase will fail, if it will.
    pub(crate) fault: Option<Fault>,
    /// From where.
    pub(crate) head: HeadId,
    /// To where.
    pub(crate) cluster: ClusterId,
    /// Which attempt, from 1.
    pub(crate) attempt: u8,
    /// What is happening.
    pub(crate) phase: Phase,
    /// Whether the pace lets it progress.
    pub(crate) allowed: bool,
}

impl Job {
    /// A free slot.
    pub(crate) const FREE: Self = Self {
        effect: EffectId::new(0, 0, EffectId::NO_SLOT),
        bytes: Bytes::ZERO,
        flow: Flow::NONE,
        mailbox: MailboxId(0),
        messages: 0,
        before: NONE,
        after: NONE,
        fault: None,
        head: HeadId(0),
        cluster: ClusterId(0),
        attempt: 0,
        phase: Phase::Free,
        allowed: false,
    };
}

/// The copies of one head in order of their start. The first `streams` of them may progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    first: u16,
    last: u16,
    /// The last one that may progress.
    boundary: u16,
    /// How many may progress.
    pub(crate) allowed: u16,
    streams: u16,
}

/// What a change of a lane did to one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It may progress.
    Goes(u16),
    /// It may not.
    Waits(u16),
}

impl Lane {
    /// No copies, and no limit before the first pace is told.
    pub(crate) const fn new() -> Self {
        Self { first: NONE, last: NONE, boundary: NONE, allowed: 0, streams: u16::MAX }
    }

    /// Adds the copy that starts now; `next_turn` has to be asked after it.
    #[inline]
    pub(crate) fn push(&mut self, jobs: &mut [Job], slot: u16) {
        let job = &mut jobs[usize::from(slot)];
        (job.before, job.after, job.allowed) = (self.last, NONE, false);
        match self.last {
            NONE => self.first = slot,
            last => jobs[usize::from(last)].after = slot,
        }
        self.last = slot;
    }

    /// Takes a copy out; `next_turn` has to be asked after it.
    #[inline]
    pub(crate) fn remove(&mut self, jobs: &mut [Job], slot: u16) {
        let Job { before, after, allowed, .. } = jobs[usize::from(slot)];
        if allowed {
            self.allowed -= 1;
            if self.boundary == slot {
                self.boundary = before;
            }
        }
        match before {
            NONE => self.first = after,
            before => jobs[usize::from(before)].after = after,
        }
        match after {
            NONE => self.last = before,
            after => jobs[usize::from(after)].before = before,
        }
    }

    /// Sets how many may progress; `next_turn` has to be asked after it.
    pub(crate) const fn set_streams(&mut self, streams: u16) {
        self.streams = streams;
    }

    /// The next copy that has to go or to wait, until the first `streams` go: latest started wait first, earliest
    /// started go first.
    #[inline]
    pub(crate) fn next_turn(&mut self, jobs: &mut [Job]) -> Option<Turn> {
        if self.allowed > self.streams {
            let slot = self.boundary;
            let job = &mut jobs[usize::from(slot)];
            job.allowed = false;
            self.boundary = job.before;
            self.allowed -= 1;
            return Some(Turn::Waits(slot));
        }
        let next = if self.boundary == NONE { self.first } else { jobs[usize::from(self.boundary)].after };
        if self.allowed == self.streams || next == NONE {
            return None;
        }
        jobs[usize::from(next)].allowed = true;
        self.boundary = next;
        self.allowed += 1;
        Some(Turn::Goes(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_started_copies_progress(steps in prop::collection::vec((0_u8..4, 0_usize..20), 1..200)) {
            let (mut lane, mut jobs) = (Lane::new(), Vec::<Job>::new());
            let (mut order, mut streams) = (Vec::<u16>::new(), 3_usize);
            lane.set_streams(3);
            for (kind, number) in steps {
                match kind {
                    0 if !order.is_empty() => {
                        let slot = order.remove(number % order.len());
                        lane.remove(&mut jobs, slot);
                        jobs[usize::from(slot)].allowed = false;
                    }
                    1 => {
                        streams = number % 6;
                        lane.set_streams(streams as u16);
                    }
                    _ => {
                        jobs.push(Job::FREE);
                        order.push(jobs.len() as u16 - 1);
                        lane.push(&mut jobs, order[order.len() - 1]);
                    }
                }
                while lane.next_turn(&mut jobs).is_some() {}
                for (rank, slot) in order.iter().enumerate() {
                    prop_assert_eq!(jobs[usize::from(*slot)].allowed, rank < streams);
                }
                prop_assert_eq!(usize::from(lane.allowed), streams.min(order.len()));
            }
        }
    }
}
