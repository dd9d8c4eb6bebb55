//! One mailbox's way as it mostly goes: set-up, copy, switch, purge.

use super::{Place, World};
use crate::fleet::{ClusterId, HeadId, MailboxId, at, at_mut};
use crate::migration::message::{EffectId, Event, Fault};
use crate::scenario::Scenario;
use crate::sim::costs::Switching;
use crate::sim::job::{Job, Phase};
use crate::sim::number::{exp, ln, whole_of_positive};
use crate::sim::queue::Key;
use crate::sim::recording::{Asked, Outcomes};
use crate::units::{Bytes, Span, Time};

/// How long it takes at the least to learn that a head does not answer: without it nothing would pass between attempts.
pub(super) const TIMEOUT: Span = Span::from_secs(1);

/// How large a mailbox was when it moved, as a share of what it is when its old copy may be purged.
pub(super) fn before_grace(scenario: &Scenario) -> f64 {
    let step = scenario.model.load.step;
    let steps = scenario.plan.copy.purge_after.map_or(0, |grace| grace.micros() / step.micros());
    exp(-(steps as f64) * ln(1.0 + scenario.model.population.growth_per_day * step.days()))
}

impl<O: Outcomes> World<'_, O> {
    #[inline(always)]
    pub(super) fn start_copy(
        &mut self,
        effect: EffectId,
        mailbox: MailboxId,
        head: HeadId,
        cluster: ClusterId,
        attempt: u8,
    ) {
        let Some(job) = Job::begin_in(&mut self.jobs, effect) else { return };
        if self.outcomes.recording().is_some() {
            return self.start_recorded(effect, mailbox, head, cluster);
        }
        let number = self.resolved.attempt(mailbox, attempt);
        let row = mailbox.index();
        let state = at_mut(&mut self.heads, head.index());
        if state.out() || !at(&self.places, row).is_on(head) {
            return self.refuse(effect, mailbox, head, cluster);
        }
        state.begun.copy(row, &self.fleet);
        let allowed = state.lane.start(effect);
        let bytes = at(&self.fleet.bytes, row).get() as i64 as f64 * self.growth;
        let messages = f64::from(*at(&self.fleet.messages, row)) * self.growth;
        // All columns are read where mailboxes come in their order: later, they come as they end.
        let activity_micro_op_s = *at(&self.fleet.activity_micro_op_s, row);
        let (fault, part) = self.attempts.copy(mailbox.0, number);
        let flow = self.costs.flow(bytes, messages, part);
        let pair = self.sharing.pair(head, cluster);
        if allowed {
            self.sharing.enter(head, cluster, pair, &flow);
            // One that starts as another ends leaves the load as it was told.
            if state.told == Some((state.lane.allowed, state.purges)) {
                self.changed &= !(1 << head.0);
            } else {
                self.changed |= self.streams_weigh & (1 << head.0);
            }
        }
        *job = Job {
            effect,
            bytes: Bytes::new(whole_of_positive(bytes)),
            flow,
            mailbox,
            messages: whole_of_positive(messages) as u32,
            activity_micro_op_s,
            fault,
            head,
            cluster,
            pair,
            place: 0,
            attempt,
            phase: Phase::SettingUp,
            allowed,
        };
        let set_up = self.now + self.setup;
        self.setup_at = self.setup_at.min(set_up);
        self.setups.push((set_up, effect));
    }

    #[inline(always)]
    pub(super) fn end_setup(&mut self) {
        let Some((_, effect)) = self.setups.pop() else { return };
        self.setup_at = self.setups.peek().map_or(Time::NEVER, |(at, _)| at);
        let slot = effect.slot();
        let job = at_mut(&mut self.jobs, usize::from(slot));
        if job.effect != effect || job.phase != Phase::SettingUp {
            return;
        }
        if job.allowed {
            job.phase = Phase::Flowing;
            job.place = self.sharing.join(self.now, job.head, job.pair, slot, &job.flow);
        } else {
            job.phase = Phase::Suspended;
        }
    }

    #[inline(always)]
    pub(super) fn end_copy(&mut self, pair: usize) -> Option<Event> {
        let job = at_mut(&mut self.jobs, usize::from(self.sharing.first(pair)?));
        let limit = self.sharing.end_first(self.now, pair, job);
        // Read before the phase is written: a processor cannot read at once what it has just written a part of.
        let Job { effect, head, cluster, bytes, messages, fault, .. } = *job;
        job.phase = Phase::Copied;
        let lane = &mut at_mut(&mut self.heads, head.index()).lane;
        lane.end(effect, true);
        if lane.has_suspended() {
            self.take_turns(head);
        }
        self.changed |= self.streams_weigh & (1 << head.0);
        let state = &mut at_mut(&mut self.clusters, cluster.index()).state;
        let fault = fault.or_else(|| (!state.fits(bytes, messages)).then_some(Fault::NoRoom));
        if let Some(fault) = fault {
            self.failed(effect.slot(), fault);
            return Some(Event::CopyFailed { effect, fault });
        }
        state.add_copy(bytes, messages);
        Some(Event::CopyEnded { effect, bytes, messages, limit })
    }

    #[inline(always)]
    pub(super) fn switch(&mut self, effect: EffectId) {
        let slot = effect.slot();
        let of_effect = |job: &&mut Job| job.effect == effect && job.phase == Phase::Copied;
        let Some(job) = self.jobs.get_mut(usize::from(slot)).filter(of_effect) else { return };
        at_mut(&mut self.clusters, job.cluster.index()).state.place();
        if self.outcomes.recording().is_some() {
            job.phase = Phase::Switching;
            let mailbox = job.mailbox;
            return self.end_as_recorded(effect, Asked::Switch(mailbox));
        }
        let Switching { mut wait, mut lock, mut too_long } = self.costs.switch(job.messages);
        // Whose mailbox a person has seen to has agreed to be held for as long as it takes.
        if too_long && self.resolved.has_seen(job.mailbox) {
            Switching { wait, lock, too_long } = self.costs.switch_in_full(job.messages);
        }
        let mut fault = too_long.then_some(Fault::HoldTooLong);
        if at(&self.heads, job.head.index()).out() {
            fault = Some(Fault::Unreachable);
            wait = wait.max(TIMEOUT);
        } else if self.attempts.switch(job.mailbox.0, self.resolved.attempt(job.mailbox, job.attempt)) {
            fault = fault.or(Some(Fault::Transient));
        }
        self.locked += lock;
        (job.phase, job.fault) = (Phase::Switching, fault);
        self.set_timer(wait, slot);
    }

    pub(super) fn purge(&mut self, effect: EffectId, mailboxes: &[MailboxId], head: HeadId) {
        let Some(job) = Job::begin_in(&mut self.jobs, effect) else { return };
        let slot = effect.slot();
        let state = &mut self.heads[head.index()];
        let (mut messages, mut first) = (0.0, MailboxId(0));
        // Old copies are as large as they were when their users left, which is a grace ago, or before the start.
        let growth = (self.growth * self.before_grace).max(1.0);
        for mailbox in mailboxes {
            state.purged.purge(mailbox.index(), &self.fleet);
            messages += f64::from(self.fleet.messages[mailbox.index()]) * growth;
            first = *mailbox;
        }
        let out = state.out();
        let fault = out.then_some(Fault::Unreachable);
        *job = Job { effect, mailbox: first, fault, head, phase: Phase::Purging, ..Job::FREE };
        if self.outcomes.recording().is_some() {
            return self.end_as_recorded(effect, Asked::Purge(mailboxes.first().copied().unwrap_or(first)));
        }
        if out {
            self.set_timer(TIMEOUT, slot);
        } else {
            self.set_timer(self.costs.purge(messages), slot);
            self.heads[head.index()].purges += 1;
            self.changed |= 1 << head.0;
        }
    }

    /// A switch, a purge, or the wait of something refused is over.
    #[inline(always)]
    pub(super) fn end_timer(&mut self) -> Option<Event> {
        let slot = self.timers.pop()?.slot();
        self.timer_at = self.timers.peek().map_or(Time::NEVER, |key| self.time_of(key));
        Some(self.end_job(slot))
    }

    /// A job whose end has no work of its own is over.
    #[inline(always)]
    pub(super) fn end_job(&mut self, slot: u16) -> Event {
        let job = at_mut(&mut self.jobs, usize::from(slot));
        let Job {
            effect, mailbox, head, cluster, bytes, messages, activity_micro_op_s: activity, fault, phase, ..
        } = *job;
        match (phase, fault) {
            (Phase::Switching, None) => {
                job.phase = Phase::Free;
                *at_mut(&mut self.places, mailbox.index()) = Place::moved_to(cluster);
                let state = at_mut(&mut self.heads, head.index());
                state.mailboxes -= 1;
                state.activity_micro_op_s -= u64::from(activity);
                at_mut(&mut self.clusters, cluster.index()).state.switch(bytes, messages, activity);
                self.moved += 1;
                Event::SwitchEnded { effect }
            }
            (Phase::Purging, None) => {
                job.phase = Phase::Free;
                self.heads[head.index()].purges -= 1;
                self.changed |= 1 << head.0;
                Event::PurgeEnded { effect }
            }
            (Phase::Switching, Some(fault)) => {
                self.clusters[cluster.index()].state.drop_copy(bytes, messages, cluster);
                self.failed(slot, fault);
                Event::SwitchFailed { effect, fault }
            }
            (Phase::Purging, Some(fault)) => {
                job.phase = Phase::Free;
                Event::PurgeFailed { effect, fault }
            }
            (Phase::Refused, fault) => {
                job.phase = Phase::Free;
                let fault = fault.unwrap_or(Fault::Unreachable);
                self.count_fault(fault);
                Event::CopyFailed { effect, fault }
            }
            (
                Phase::Free | Phase::SettingUp | Phase::Flowing | Phase::Suspended | Phase::Copied | Phase::Recorded,
                _,
            ) => unreachable!("slot {slot} has a timer while {phase:?}"),
        }
    }

    #[inline(always)]
    pub(super) fn set_timer(&mut self, wait: Span, slot: u16) {
        let at = (self.now + wait).since(self.start).micros();
        // Keys reach 71 years; what takes longer is as good as never.
        let key = Key::new((at as u64).min((1 << 51) - 1), slot);
        self.timers.push(key);
        self.timer_at = self.timer_at.min(self.time_of(key));
    }

    #[cold]
    pub(super) fn remove_timer(&mut self, slot: u16) {
        self.timers.remove(slot);
        self.timer_at = self.timers.peek().map_or(Time::NEVER, |key| self.time_of(key));
    }

    #[inline(always)]
    fn time_of(&self, key: Key) -> Time {
        self.start + Span::from_micros(key.order() as i64)
    }
}
