//! The jobs under way: a fixed number of slots, found by the effect's id without a search.

use super::message::{EffectId, Fault};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::units::{Bytes, Time};

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing: the slot is free.
    Free,
    /// Copying to the cluster.
    Copying,
    /// Copied; the switch waits for its turn.
    Copied,
    /// Switching.
    Switching,
    /// Purging an old copy.
    Purging,
}

/// One job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) effect: EffectId,
    pub(super) reserved: Bytes,
    pub(super) mailbox: MailboxId,
    pub(super) head: HeadId,
    pub(super) cluster: ClusterId,
    pub(super) stage: Stage,
    /// Given up, and why; its end is still to come.
    pub(super) abandoned: Option<Fault>,
    /// When the grace of the old copy ended, for a purge.
    pub(super) due: Time,
}

/// All jobs.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    slots: Vec<Job>,
    free: Vec<u16>,
}

impl Jobs {
    /// Slots for as many jobs as the plan can have under way, bounded by what an effect id can name.
    pub(super) fn new(most: usize) -> Self {
        let most = most.min(usize::from(EffectId::NO_SLOT));
        let empty = Job {
            effect: EffectId::new(0, 0, EffectId::NO_SLOT),
            reserved: Bytes::ZERO,
            mailbox: MailboxId(0),
            head: HeadId(0),
            cluster: ClusterId(0),
            stage: Stage::Free,
            abandoned: None,
            due: Time::NEVER,
        };
        Self { slots: vec![empty; most], free: (0..most as u16).rev().collect() }
    }

    /// The slot that the next job will take.
    #[inline]
    pub(super) fn next_slot(&self) -> Option<u16> {
        self.free.last().copied()
    }

    /// Starts a job in `next_slot`.
    #[inline]
    pub(super) fn start(&mut self, job: Job) {
        let slot = self.free.pop();
        assert_eq!(slot, Some(job.effect.slot()), "a job starts in the slot that its effect names");
        self.slots[usize::from(job.effect.slot())] = job;
    }

    /// The job of an effect that has not ended; `None` for late and unknown ids.
    #[inline]
    pub(super) fn find(&mut self, effect: EffectId, stage: Stage) -> Option<&mut Job> {
        let job = self.slots.get_mut(usize::from(effect.slot()))?;
        (job.effect == effect && job.stage == stage).then_some(job)
    }

    /// Ends the job of an effect, if it has not ended, and gives it back.
    #[inline]
    pub(super) fn take(&mut self, effect: EffectId, stage: Stage) -> Option<Job> {
        let job = self.find(effect, stage)?;
        let ended = *job;
        job.stage = Stage::Free;
        self.free.push(effect.slot());
        Some(ended)
    }

    /// Ends a job: its id is unknown from now on.
    #[inline]
    pub(super) fn end(&mut self, effect: EffectId) {
        let job = &mut self.slots[usize::from(effect.slot())];
        assert!(job.effect == effect && job.stage != Stage::Free, "{effect:?} has ended already");
        job.stage = Stage::Free;
        self.free.push(effect.slot());
    }

    /// Notes what a job that fails has failed for.
    pub(super) fn doom(&mut self, effect: EffectId, why: Fault) {
        self.slots[usize::from(effect.slot())].abandoned = Some(why);
    }

    /// All jobs under way, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.slots.iter().filter(|job| job.stage != Stage::Free)
    }

    /// The job that moves a mailbox. Looks at every slot: for orders and deletions only.
    pub(super) fn of_mailbox(&self, mailbox: MailboxId) -> Option<Job> {
        self.iter().find(|job| job.mailbox == mailbox && job.stage != Stage::Purging).copied()
    }
}
