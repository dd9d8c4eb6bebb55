//! The jobs under way: a fixed number of slots, found by the effect's id without a search.

use super::message::{EffectId, Fault};
use super::purge::Run;
use crate::fleet::{ClusterId, HeadId, MailboxId, at_mut};
use crate::units::Room;

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
    /// Room kept on the cluster, for a copy.
    pub(super) reserved: Room,
    pub(super) mailbox: MailboxId,
    pub(super) head: HeadId,
    pub(super) cluster: ClusterId,
    pub(super) stage: Stage,
    /// Given up, and why; its end is still to come.
    pub(super) abandoned: Option<Fault>,
    /// The old copies, for a purge.
    pub(super) run: Run,
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
            reserved: Room::ZERO,
            mailbox: MailboxId(0),
            head: HeadId(0),
            cluster: ClusterId(0),
            stage: Stage::Free,
            abandoned: None,
            run: Run::NONE,
        };
        Self { slots: vec![empty; most], free: (0..most as u16).rev().collect() }
    }

    /// Whether another job can start.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Starts to copy a mailbox in a free slot, from which `effect` makes the job's id; only what this kind of job needs is
    /// written. Whether there is room is asked before: nothing may have been reserved for a job that cannot start.
    #[inline(always)]
    pub(super) fn start_copy(
        &mut self,
        effect: impl FnOnce(u16) -> EffectId,
        mailbox: MailboxId,
        head: HeadId,
        (cluster, reserved): (ClusterId, Room),
    ) -> EffectId {
        let job = self.start(effect, Stage::Copying);
        (job.mailbox, job.head, job.cluster, job.reserved) = (mailbox, head, cluster, reserved);
        job.effect
    }

    /// The same to purge a run of old copies.
    #[inline(always)]
    pub(super) fn start_purge(&mut self, effect: impl FnOnce(u16) -> EffectId, head: HeadId, run: Run) -> EffectId {
        let job = self.start(effect, Stage::Purging);
        (job.head, job.run) = (head, run);
        job.effect
    }

    #[inline(always)]
    fn start(&mut self, effect: impl FnOnce(u16) -> EffectId, stage: Stage) -> &mut Job {
        let Some(slot) = self.free.pop() else { no_slot(stage) };
        let job = at_mut(&mut self.slots, usize::from(slot));
        (job.effect, job.stage, job.abandoned) = (effect(slot), stage, None);
        job
    }

    /// The job of an effect that has not ended; `None` for late and unknown ids.
    #[inline]
    pub(super) fn find(&mut self, effect: EffectId, stage: Stage) -> Option<&mut Job> {
        let job = self.slots.get_mut(usize::from(effect.slot()))?;
        (job.effect == effect && job.stage == stage).then_some(job)
    }

    /// Ends the job of an effect, if it has not ended, and gives it back.
    #[inline]
    pub(super) fn take(&mut self, effect: EffectId, stage: Stage) -> Option<&Job> {
        let job = self.slots.get_mut(usize::from(effect.slot()))?;
        if job.effect != effect || job.stage != stage {
            return None;
        }
        job.stage = Stage::Free;
        self.free.push(effect.slot());
        Some(job)
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

/// Out of the way, so that starting a job writes nothing for the sake of this message.
#[cold]
#[inline(never)]
fn no_slot(stage: Stage) -> ! {
    panic!("a job starts where there is no slot: {stage:?}")
}
