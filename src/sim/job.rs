//! The jobs that the machine has asked for, in the slots of their effects, and which copies of a head may progress.

use super::transfer::Flow;
use crate::fleet::{ClusterId, HeadId, MailboxId, at_mut};
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
    /// Copying, until a recording says that it is over.
    Recorded,
}

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
    /// What its user asks for, in millionths of an operation a second.
    pub(crate) activity_micro_op_s: u32,
    /// How the present phase will fail, if it will.
    pub(crate) fault: Option<Fault>,
    /// From where.
    pub(crate) head: HeadId,
    /// To where.
    pub(crate) cluster: ClusterId,
    /// The place of the pair of both.
    pub(crate) pair: u16,
    /// The place of its mark there, while its work is under way.
    pub(crate) place: u16,
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
        activity_micro_op_s: 0,
        fault: None,
        head: HeadId(0),
        cluster: ClusterId(0),
        pair: 0,
        place: 0,
        attempt: 0,
        phase: Phase::Free,
        allowed: false,
    };

    /// The slot of a job that begins; `None` where its effect has been begun before: the effects of a slot come in their
    /// order.
    #[inline(always)]
    pub(crate) fn begin_in(jobs: &mut Vec<Self>, effect: EffectId) -> Option<&mut Self> {
        let slot = usize::from(effect.slot());
        if slot >= jobs.len() {
            Self::make_room(jobs, effect);
        }
        let job = at_mut(jobs, slot);
        if job.effect >= effect {
            return None;
        }
        assert!(job.phase == Phase::Free, "slot {slot} is taken by {:?}", job.effect);
        Some(job)
    }

    #[cold]
    fn make_room(jobs: &mut Vec<Self>, effect: EffectId) {
        assert!(effect.slot() < EffectId::NO_SLOT, "{effect:?} has no slot");
        jobs.resize(usize::from(effect.slot()) + 1, Self::FREE);
    }
}

/// Which copies of one head may progress: the `streams` that started earliest. Effects tell the order of the starts.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// How many may progress.
    pub(crate) allowed: u16,
    streams: u16,
    /// Those that may not, the earliest started last.
    suspended: Vec<EffectId>,
}

impl Lane {
    /// No copies, and none may progress before the first pace is told.
    pub(crate) const fn new() -> Self {
        Self { allowed: 0, streams: 0, suspended: Vec::new() }
    }

    /// A copy starts after all others; says whether it may progress.
    #[inline(always)]
    pub(crate) fn start(&mut self, effect: EffectId) -> bool {
        let goes = self.allowed < self.streams;
        if goes {
            self.allowed += 1;
        } else {
            self.suspend(effect);
        }
        goes
    }

    /// A copy has ended; `next_to_go` has to be asked after it.
    #[inline(always)]
    pub(crate) fn end(&mut self, effect: EffectId, allowed: bool) {
        if allowed {
            self.allowed -= 1;
        } else {
            self.suspended.retain(|other| *other != effect);
        }
    }

    /// Whether any copy may not progress.
    #[inline]
    pub(crate) const fn has_suspended(&self) -> bool {
        !self.suspended.is_empty()
    }

    /// Sets how many may progress; `excess` and `next_to_go` have to be asked after it.
    pub(crate) const fn set_streams(&mut self, streams: u16) {
        self.streams = streams;
    }

    /// The next suspended copy that may go on, the earliest started first.
    #[inline]
    pub(crate) fn next_to_go(&mut self) -> Option<EffectId> {
        if self.allowed >= self.streams || self.suspended.is_empty() {
            return None;
        }
        self.allowed += 1;
        self.suspended.pop()
    }

    /// How many more progress than may; each of them, the latest started first, has to be told to `halt`.
    pub(crate) const fn excess(&self) -> u16 {
        self.allowed.saturating_sub(self.streams)
    }

    /// A copy that could progress may not any more.
    pub(crate) fn halt(&mut self, effect: EffectId) {
        self.allowed -= 1;
        self.suspend(effect);
    }

    fn suspend(&mut self, effect: EffectId) {
        let place = self.suspended.partition_point(|other| *other > effect);
        self.suspended.insert(place, effect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_started_copies_progress(steps in prop::collection::vec((0_u8..4, 0_usize..20), 1..200)) {
            let mut lane = Lane::new();
            lane.set_streams(3);
            // Every copy in order of its start, and whether it was told that it may progress.
            let (mut copies, mut streams) = (Vec::<(EffectId, bool)>::new(), 3_usize);
            for (sequence, (kind, number)) in (1..).zip(steps) {
                match kind {
                    0 if !copies.is_empty() => {
                        let (effect, allowed) = copies.remove(number % copies.len());
                        lane.end(effect, allowed);
                    }
                    1 => {
                        streams = number % 6;
                        lane.set_streams(streams as u16);
                        let excess = usize::from(lane.excess());
                        for (effect, allowed) in copies.iter_mut().rev().filter(|(_, allowed)| *allowed).take(excess) {
                            *allowed = false;
                            lane.halt(*effect);
                        }
                    }
                    _ => {
                        let effect = EffectId::new(1, sequence, number as u16);
                        copies.push((effect, lane.start(effect)));
                    }
                }
                while let Some(effect) = lane.next_to_go() {
                    let copy = copies.iter_mut().find(|(other, _)| *other == effect).unwrap();
                    copy.1 = true;
                }
                for (rank, (_, allowed)) in copies.iter().enumerate() {
                    prop_assert_eq!(*allowed, rank < streams);
                }
                prop_assert_eq!(usize::from(lane.allowed), streams.min(copies.len()));
            }
        }
    }
}
