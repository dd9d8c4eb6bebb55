//! One mailbox's way: set-up, copy, switch, purge, and every way in which they fail.

use super::{Place, World};
use crate::fleet::{ClusterId, HeadId, MailboxId, at, at_mut};
use crate::migration::message::{EffectId, Event, Fault};
use crate::sim::costs::Switching;
use crate::sim::job::{Job, Phase};
use crate::sim::number::whole_of_positive;
use crate::sim::queue::Key;
use crate::sim::recording::{Asked, Outcomes};
use crate::units::{Bytes, Rate, Span, Time};

/// How long it takes at the least to learn that a head does not answer: without it nothing would pass between attempts.
const TIMEOUT: Span = Span::from_secs(1);

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
            attempt,
            phase: Phase::SettingUp,
            allowed,
        };
        let set_up = self.now + self.setup;
        self.setup_at = self.setup_at.min(set_up);
        self.setups.push((set_up, effect));
    }

    /// Begins a copy that cannot be made: the machine will be told after a while.
    #[cold]
    fn refuse(&mut self, effect: EffectId, mailbox: MailboxId, head: HeadId, cluster: ClusterId) {
        let why = if self.heads[head.index()].out() { Fault::Unreachable } else { Fault::Gone };
        let (fault, phase) = (Some(why), Phase::Refused);
        self.jobs[usize::from(effect.slot())] = Job { effect, mailbox, fault, head, cluster, phase, ..Job::FREE };
        self.set_timer(self.setup.max(TIMEOUT), effect.slot());
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
            self.sharing.join(self.now, job.head, job.pair, slot, &job.flow);
        } else {
            job.phase = Phase::Suspended;
        }
    }

    #[inline(always)]
    pub(super) fn end_copy(&mut self, pair: usize) -> Option<Event> {
        let jobs = &mut self.jobs;
        let copied = |slot| {
            let job = at_mut(jobs, usize::from(slot));
            job.phase = Phase::Copied;
            *job
        };
        let (job, limit) = self.sharing.end_first(self.now, pair, copied)?;
        let Job { effect, head, cluster, bytes, messages, fault, .. } = job;
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
        if self.outcomes.recording().is_some() {
            job.phase = Phase::Switching;
            let mailbox = job.mailbox;
            return self.end_as_recorded(effect, Asked::Switch(mailbox));
        }
        let Switching { mut wait, lock, too_long } = self.costs.switch(job.messages);
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
        for mailbox in mailboxes {
            state.purged.purge(mailbox.index(), &self.fleet);
            messages += f64::from(self.fleet.messages[mailbox.index()]) * self.growth;
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
                *at_mut(&mut self.places, mailbox.index()) = Place(Place::MOVED);
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

    pub(super) fn abandon(&mut self, effect: EffectId) {
        let slot = effect.slot();
        let of_effect = |job: &&Job| job.effect == effect && job.phase != Phase::Free;
        if let Some((head, phase)) = self.jobs.get(usize::from(slot)).filter(of_effect).map(|job| (job.head, job.phase))
            && !self.ends_as_recorded(phase)
        {
            self.break_off(slot, Fault::Abandoned);
            self.take_turns(head);
        }
    }

    /// Ends a job now, whatever it is doing; the machine is told unless it waits for nothing. `take_turns` has to follow.
    #[cold]
    pub(super) fn break_off(&mut self, slot: u16, fault: Fault) {
        let Job { effect, head, cluster, pair, bytes, messages, phase, allowed, .. } = self.jobs[usize::from(slot)];
        let event = match phase {
            Phase::Free => return,
            Phase::Recorded => unreachable!("a recording says when slot {slot} ends"),
            Phase::SettingUp | Phase::Flowing | Phase::Suspended => {
                let flow = &mut self.jobs[usize::from(slot)].flow;
                if phase == Phase::Flowing {
                    self.sharing.leave(self.now, head, pair, slot, flow);
                }
                if allowed {
                    self.sharing.quit(head, cluster, pair, flow);
                }
                self.heads[head.index()].lane.end(effect, allowed);
                Some(Event::CopyFailed { effect, fault })
            }
            Phase::Refused => {
                self.remove_timer(slot);
                Some(Event::CopyFailed { effect, fault })
            }
            Phase::Copied => {
                self.clusters[cluster.index()].state.drop_copy(bytes, messages, cluster);
                None
            }
            Phase::Switching => {
                self.remove_timer(slot);
                self.clusters[cluster.index()].state.drop_copy(bytes, messages, cluster);
                Some(Event::SwitchFailed { effect, fault })
            }
            Phase::Purging => {
                self.remove_timer(slot);
                self.heads[head.index()].purges -= u32::from(self.jobs[usize::from(slot)].fault.is_none());
                Some(Event::PurgeFailed { effect, fault })
            }
        };
        self.jobs[usize::from(slot)].phase = Phase::Free;
        self.changed |= 1 << head.0;
        if let Some(event) = event {
            if !matches!(event, Event::PurgeFailed { .. }) {
                self.count_fault(fault);
            }
            self.tell(event);
        }
    }

    /// An attempt to move a mailbox has failed, neither for its owner's sake nor the machine's own.
    #[cold]
    fn count_fault(&mut self, fault: Fault) {
        self.faults += u64::from(fault != Fault::Abandoned && fault != Fault::Gone);
    }

    /// A head stops answering: all that is under way on it fails, except what waits for its switch.
    pub(super) fn strike(&mut self, head: HeadId) {
        for slot in (0..self.jobs.len() as u16).rev() {
            let job = &self.jobs[usize::from(slot)];
            if job.head == head && job.phase != Phase::Copied && job.phase != Phase::Refused {
                self.break_off(slot, Fault::Unreachable);
            }
        }
        self.take_turns(head);
    }

    /// The owner deletes a mailbox, if it is still on a head.
    pub(super) fn delete(&mut self, mailbox: MailboxId) {
        let Some(head) = self.places[mailbox.index()].head() else { return };
        self.places[mailbox.index()] = Place::GONE;
        let state = &mut self.heads[head.index()];
        state.mailboxes -= 1;
        state.activity_micro_op_s -= u64::from(self.fleet.activity_micro_op_s[mailbox.index()]);
        self.tell(Event::MailboxGone { mailbox });
        let of_it = |job: &Job| job.mailbox == mailbox && job.phase != Phase::Free && job.phase != Phase::Purging;
        if let Some(slot) = self.jobs.iter().position(of_it) {
            self.break_off(slot as u16, Fault::Gone);
            self.take_turns(head);
        }
    }

    pub(super) fn set_pace(&mut self, head: HeadId, streams: u16, rate: Rate) {
        self.sharing.set_rate(head, rate);
        let lane = &mut self.heads[head.index()].lane;
        lane.set_streams(streams);
        if lane.excess() > 0 {
            self.suspend_latest(head);
        }
        self.take_turns(head);
    }

    /// Suspends the copies that started latest, as many as go too many.
    #[cold]
    fn suspend_latest(&mut self, head: HeadId) {
        let mut going = std::mem::take(&mut self.going);
        let goes =
            |job: &&Job| job.allowed && job.head == head && matches!(job.phase, Phase::SettingUp | Phase::Flowing);
        going.clear();
        going.extend(self.jobs.iter().filter(goes).map(|job| job.effect));
        going.sort_unstable();
        let excess = usize::from(self.heads[head.index()].lane.excess());
        for &effect in going.iter().rev().take(excess) {
            self.heads[head.index()].lane.halt(effect);
            let job = &mut self.jobs[usize::from(effect.slot())];
            job.allowed = false;
            // A set-up goes on; what it may do then is asked at its end.
            if job.phase == Phase::Flowing {
                job.phase = Phase::Suspended;
                self.sharing.leave(self.now, head, job.pair, effect.slot(), &mut job.flow);
            }
            self.sharing.quit(head, job.cluster, job.pair, &job.flow);
        }
        self.going = going;
    }

    /// Lets suspended copies of a head go on, as many as its pace allows.
    #[inline(never)]
    fn take_turns(&mut self, head: HeadId) {
        while let Some(effect) = self.heads[head.index()].lane.next_to_go() {
            let job = &mut self.jobs[usize::from(effect.slot())];
            job.allowed = true;
            self.sharing.enter(head, job.cluster, job.pair, &job.flow);
            if job.phase == Phase::Suspended {
                job.phase = Phase::Flowing;
                self.sharing.join(self.now, head, job.pair, effect.slot(), &job.flow);
            }
        }
        self.changed |= 1 << head.0;
    }

    pub(super) fn failed(&mut self, slot: u16, fault: Fault) {
        self.count_fault(fault);
        let job = &mut self.jobs[usize::from(slot)];
        job.phase = Phase::Free;
        let own = match fault {
            Fault::Transient | Fault::Permanent | Fault::VerifyFailed | Fault::HoldTooLong | Fault::Skipped => true,
            Fault::Unreachable | Fault::NoRoom | Fault::Abandoned | Fault::Gone => false,
        };
        let place = &mut self.places[job.mailbox.index()];
        if place.head().is_some() {
            place.0 = (place.0 & Place::HEAD) | if own { Place::FAILED } else { 0 };
        }
        if own {
            let (mailbox, attempt) = (job.mailbox, job.attempt);
            self.may_need_person(mailbox, fault, attempt);
        }
    }

    #[inline(always)]
    fn set_timer(&mut self, wait: Span, slot: u16) {
        let at = (self.now + wait).since(self.start).micros();
        // Keys reach 71 years; what takes longer is as good as never.
        let key = Key::new((at as u64).min((1 << 51) - 1), slot);
        self.timers.push(key);
        self.timer_at = self.timer_at.min(self.time_of(key));
    }

    #[cold]
    fn remove_timer(&mut self, slot: u16) {
        self.timers.remove(slot);
        self.timer_at = self.timers.peek().map_or(Time::NEVER, |key| self.time_of(key));
    }

    #[inline(always)]
    fn time_of(&self, key: Key) -> Time {
        self.start + Span::from_micros(key.order() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host as _;
    use crate::migration::message::Command;
    use crate::sim::testing::{AS_OF, quiet, scenario};
    use crate::sim::{RunId, Workspace};
    use crate::units::Ops;

    /// Seconds after the start.
    fn at(seconds: i64) -> Time {
        AS_OF + Span::from_secs(seconds)
    }

    /// When each copy ends, by slot, if nothing but time goes by until then.
    fn ends(world: &mut World<'_>, until: i64) -> Vec<(u16, Span)> {
        let mut ended = Vec::new();
        loop {
            let Ok((now, event)) = world.wait(at(until));
            match event {
                Event::Wake => return ended,
                Event::CopyEnded { effect, .. } => ended.push((effect.slot(), now.since(AS_OF))),
                _ => {}
            }
        }
    }

    #[test]
    fn a_lower_pace_suspends_the_copies_that_started_latest_and_they_keep_their_work() {
        // Each of the mailboxes takes 100 s in a stream of its own, whatever else goes on.
        let (mut plan, mut model) = quiet(64);
        (plan.copy.setup, model.cost.head_per_message) = (Span::ZERO, Ops::new(0.0));
        model.population.size.sigma = 0.0;
        model.population.size.max = model.population.size.median;
        plan.copy.stream = Rate::per_second(model.population.size.median.get() / 100);
        let scenario = scenario(plan, model);
        let mut world = World::new(&scenario, RunId { seed: 1, replication: 0 }, &mut Workspace::default());
        let rows = world.fleet.home.iter().zip(0..).filter(|(home, _)| home.as_head() == Some(HeadId(0)));
        let mailboxes: Vec<MailboxId> = rows.map(|(_, row)| MailboxId(row)).take(4).collect();
        let do_it = |world: &mut World<'_>, command: Command| {
            let Ok(()) = world.perform(world.now, &command);
        };
        let pace = |streams| {
            let effect = EffectId::new(1, 1, EffectId::NO_SLOT);
            Command::SetPace { effect, head: HeadId(0), streams, rate: Rate::UNLIMITED }
        };
        do_it(&mut world, pace(4));
        // One each ten seconds, in slots that tell nothing of their order.
        for (mailbox, (slot, begins)) in mailboxes.iter().zip([(2, 0), (0, 10), (3, 20), (1, 30)]) {
            assert_eq!(ends(&mut world, begins), []);
            let (effect, bytes) = (EffectId::new(1, 2 + begins as u64, slot), world.fleet.bytes[mailbox.index()]);
            let (mailbox, from, to) = (*mailbox, HeadId(0), ClusterId(0));
            do_it(&mut world, Command::StartCopy { effect, mailbox, from, to, attempt: 1, bytes });
        }
        // Of four one may go on, then three, then two: always those that began first.
        for (second, streams) in [(40, 1), (60, 3), (70, 2)] {
            assert_eq!(ends(&mut world, second), []);
            do_it(&mut world, pace(streams));
        }
        let ended = ends(&mut world, 1_000);
        // Worked until 70: 70, 40 and 30 of 100 s, and 10 of the last, which waits since 40.
        let secs: Vec<(u16, i64)> = ended.iter().map(|(slot, after)| (*slot, after.secs().round() as i64)).collect();
        assert_eq!(secs, [(2, 100), (0, 130), (3, 170), (1, 220)]);
    }
}
