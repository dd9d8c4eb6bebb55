//! One mailbox's way: set-up, copy, switch, purge, and every way in which they fail.

use super::{Place, World};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{EffectId, Event, Fault};
use crate::sim::draw::attempt_of;
use crate::sim::job::{Job, Phase, Turn};
use crate::sim::queue::Key;
use crate::sim::transfer::{Flow, Work};
use crate::units::{Bytes, Rate, Span, Time};

/// How long it takes at the least to learn that a head does not answer: without it nothing would pass between attempts.
const TIMEOUT: Span = Span::from_secs(1);

impl World<'_> {
    #[inline]
    pub(super) fn start_copy(
        &mut self,
        effect: EffectId,
        mailbox: MailboxId,
        head: HeadId,
        cluster: ClusterId,
        attempt: u8,
    ) {
        let slot = effect.slot();
        let row = mailbox.index();
        let bytes = Bytes::new((self.fleet.bytes[row].get() as f64 * self.growth) as u64);
        let messages = (f64::from(self.fleet.messages[row]) * self.growth) as u32;
        let (fault, part) = self.copy_fault(mailbox, attempt);
        let flow = self.flow(bytes, messages, part);
        let job = Job {
            effect,
            bytes,
            flow,
            mailbox,
            messages,
            fault,
            head,
            cluster,
            attempt,
            phase: Phase::SettingUp,
            ..Job::FREE
        };
        self.put(slot, job);
        let setup = self.scenario.plan.copy.setup;
        let refused = match self.places[row].head() {
            _ if self.heads[head.index()].out() => Some(Fault::Unreachable),
            Some(home) if home == head => None,
            Some(_) | None => Some(Fault::Gone),
        };
        if refused.is_some() {
            let job = &mut self.jobs[usize::from(slot)];
            (job.phase, job.fault) = (Phase::Refused, refused);
            self.set_timer(setup.max(TIMEOUT), slot);
            return;
        }
        self.heads[head.index()].lane.push(&mut self.jobs, slot);
        self.setups.push_back((self.now + setup, effect));
        self.take_turns(head);
    }

    /// Whether this attempt will fail, and after which part of its work.
    #[inline]
    fn copy_fault(&self, mailbox: MailboxId, attempt: u8) -> (Option<Fault>, f64) {
        let faults = &self.scenario.model.faults;
        if faults.permanent > 0.0 {
            let draw = self.attempts.permanent.unit(u64::from(mailbox.0));
            if draw < faults.permanent {
                return (Some(Fault::Permanent), draw / faults.permanent);
            }
        }
        if faults.transient > 0.0 {
            let draw = self.attempts.transient.unit(attempt_of(mailbox.0, attempt));
            if draw < faults.transient {
                return (Some(Fault::Transient), draw / faults.transient);
            }
        }
        (None, 1.0)
    }

    /// What a copy asks for: its own limit is the slower of bytes and messages; its operations spread evenly over it.
    #[inline]
    fn flow(&self, bytes: Bytes, messages: u32, part: f64) -> Flow {
        let (plan, cost) = (&self.scenario.plan.copy, &self.scenario.model.cost);
        let (size, count) = (bytes.get() as f64, f64::from(messages));
        let by_bytes = size / plan.stream.bytes_per_second() as f64;
        let by_messages =
            if plan.messages_per_ks == u32::MAX { 0.0 } else { count * 1_000.0 / f64::from(plan.messages_per_ks) };
        let mut alone_s = by_bytes.max(by_messages);
        if messages > cost.slow_above {
            let slow = f64::from(messages - cost.slow_above) / count;
            alone_s *= 1.0 + slow * cost.slow_extra;
        }
        // What changes during the copy is copied again; the copy's length is taken from what it needs alone.
        alone_s *= 1.0 + (cost.change_per_day * alone_s / 86_400.0).min(1.0);
        if alone_s <= 0.0 {
            return Flow::NONE;
        }
        let a_second = 1.0 / alone_s;
        let megabytes = size * 1e-6;
        let head = count * cost.head_per_message.get() + megabytes * cost.head_per_megabyte.get();
        let cluster = count * cost.cluster_per_message.get() + megabytes * cost.cluster_per_megabyte.get();
        Flow {
            work: Work::from_micros(alone_s * part * 1e6),
            head_milli_op_s: (head * a_second * 1e3) as u64,
            cluster_milli_op_s: (cluster * a_second * 1e3) as u64,
            bytes_s: (size * a_second) as u64,
        }
    }

    #[inline]
    pub(super) fn end_setup(&mut self) {
        let Some((_, effect)) = self.setups.pop_front() else { return };
        let slot = effect.slot();
        let job = &mut self.jobs[usize::from(slot)];
        if job.effect != effect || job.phase != Phase::SettingUp {
            return;
        }
        if job.allowed {
            job.phase = Phase::Flowing;
            self.sharing.join(self.now, job.head, job.cluster, slot, &job.flow);
        } else {
            job.phase = Phase::Suspended;
        }
    }

    #[inline]
    pub(super) fn end_copy(&mut self, pair: usize) -> Option<Event> {
        let slot = self.sharing.pop(self.now, pair)?;
        let Job { effect, head, cluster, flow, bytes, messages, fault, .. } = self.jobs[usize::from(slot)];
        let limit = self.sharing.ended(self.now, head, cluster, &flow);
        self.heads[head.index()].lane.remove(&mut self.jobs, slot);
        self.take_turns(head);
        let state = &mut self.clusters[cluster.index()].state;
        let fault = fault.or_else(|| (!state.fits(bytes)).then_some(Fault::NoRoom));
        if let Some(fault) = fault {
            self.failed(slot, fault);
            return Some(Event::CopyFailed { effect, fault });
        }
        state.add_copy(bytes);
        self.jobs[usize::from(slot)].phase = Phase::Copied;
        Some(Event::CopyEnded { effect, bytes, messages, limit })
    }

    #[inline]
    pub(super) fn switch(&mut self, effect: EffectId) {
        let slot = effect.slot();
        let Some(job) = self.find(effect).filter(|job| job.phase == Phase::Copied) else { return };
        let (plan, model) = (&self.scenario.plan.copy, &self.scenario.model);
        let names = model.cost.lock_per_thousand.micros() as f64 * f64::from(job.messages) * 1e-3;
        let lock = model.cost.lock + Span::from_micros(names as i64);
        let mut wait = model.cost.switch + lock.min(plan.hold_at_most);
        let mut fault = (lock > plan.hold_at_most).then_some(Fault::HoldTooLong);
        if self.heads[job.head.index()].out() {
            fault = Some(Fault::Unreachable);
            wait = wait.max(TIMEOUT);
        } else if model.faults.switch > 0.0
            && self.attempts.switch.unit(attempt_of(job.mailbox.0, job.attempt)) < model.faults.switch
        {
            fault = fault.or(Some(Fault::Transient));
        }
        self.locked += lock.min(plan.hold_at_most);
        let job = &mut self.jobs[usize::from(slot)];
        (job.phase, job.fault) = (Phase::Switching, fault);
        self.set_timer(wait, slot);
    }

    pub(super) fn purge(&mut self, effect: EffectId, mailbox: MailboxId, head: HeadId) {
        let slot = effect.slot();
        let out = self.heads[head.index()].out();
        let fault = out.then_some(Fault::Unreachable);
        let messages = f64::from(self.fleet.messages[mailbox.index()]) * self.growth;
        self.put(slot, Job { effect, mailbox, head, fault, phase: Phase::Purging, ..Job::FREE });
        if out {
            self.set_timer(TIMEOUT, slot);
        } else {
            self.set_timer(Span::from_secs_f64(messages / self.scenario.model.cost.purge_rate), slot);
            self.heads[head.index()].purges += 1;
            self.changed |= 1 << head.0;
        }
    }

    /// A switch, a purge, or the wait of something refused is over.
    #[inline]
    pub(super) fn end_timer(&mut self) -> Option<Event> {
        let slot = self.timers.pop()?.slot();
        let Job { effect, mailbox, head, cluster, bytes, fault, phase, .. } = self.jobs[usize::from(slot)];
        match (phase, fault) {
            (Phase::Switching, None) => {
                self.jobs[usize::from(slot)].phase = Phase::Free;
                let activity = self.fleet.activity_micro_op_s[mailbox.index()];
                self.places[mailbox.index()] = Place(Place::MOVED);
                let state = &mut self.heads[head.index()];
                state.mailboxes -= 1;
                state.activity_micro_op_s -= u64::from(activity);
                self.clusters[cluster.index()].state.switch(bytes, activity);
                self.moved += 1;
                Some(Event::SwitchEnded { effect })
            }
            (Phase::Purging, None) => {
                self.jobs[usize::from(slot)].phase = Phase::Free;
                self.heads[head.index()].purges -= 1;
                self.changed |= 1 << head.0;
                Some(Event::PurgeEnded { effect })
            }
            (Phase::Switching, Some(fault)) => {
                self.clusters[cluster.index()].state.drop_copy(bytes, cluster);
                self.failed(slot, fault);
                Some(Event::SwitchFailed { effect, fault })
            }
            (Phase::Purging, Some(fault)) => {
                self.jobs[usize::from(slot)].phase = Phase::Free;
                Some(Event::PurgeFailed { effect, fault })
            }
            (Phase::Refused, fault) => {
                self.jobs[usize::from(slot)].phase = Phase::Free;
                Some(Event::CopyFailed { effect, fault: fault.unwrap_or(Fault::Unreachable) })
            }
            (Phase::Free | Phase::SettingUp | Phase::Flowing | Phase::Suspended | Phase::Copied, _) => {
                unreachable!("slot {slot} has a timer while {phase:?}")
            }
        }
    }

    pub(super) fn abandon(&mut self, effect: EffectId) {
        if self.find(effect).is_some() {
            self.break_off(effect.slot(), Fault::Abandoned);
        }
    }

    /// Ends a job now, whatever it is doing; the machine is told unless it waits for nothing.
    #[cold]
    pub(super) fn break_off(&mut self, slot: u16, fault: Fault) {
        let Job { effect, head, cluster, bytes, phase, .. } = self.jobs[usize::from(slot)];
        let event = match phase {
            Phase::Free => return,
            Phase::SettingUp | Phase::Flowing | Phase::Suspended => {
                if phase == Phase::Flowing {
                    let job = &mut self.jobs[usize::from(slot)];
                    self.sharing.leave(self.now, head, cluster, slot, &mut job.flow);
                }
                self.heads[head.index()].lane.remove(&mut self.jobs, slot);
                Some(Event::CopyFailed { effect, fault })
            }
            Phase::Refused => {
                self.timers.remove(slot);
                Some(Event::CopyFailed { effect, fault })
            }
            Phase::Copied => {
                self.clusters[cluster.index()].state.drop_copy(bytes, cluster);
                None
            }
            Phase::Switching => {
                self.timers.remove(slot);
                self.clusters[cluster.index()].state.drop_copy(bytes, cluster);
                Some(Event::SwitchFailed { effect, fault })
            }
            Phase::Purging => {
                self.timers.remove(slot);
                self.heads[head.index()].purges -= u32::from(self.jobs[usize::from(slot)].fault.is_none());
                Some(Event::PurgeFailed { effect, fault })
            }
        };
        self.jobs[usize::from(slot)].phase = Phase::Free;
        self.take_turns(head);
        self.ready.extend(event);
    }

    /// A head stops answering: all that is under way on it fails, except what waits for its switch.
    pub(super) fn strike(&mut self, head: HeadId) {
        // Nobody takes the turn of a copy that fails in the same instant.
        for slot in (0..self.jobs.len() as u16).rev() {
            let job = &self.jobs[usize::from(slot)];
            if job.head == head && job.phase != Phase::Copied && job.phase != Phase::Refused {
                self.break_off(slot, Fault::Unreachable);
            }
        }
    }

    /// The owner deletes a mailbox, if it is still on a head.
    pub(super) fn delete(&mut self, mailbox: MailboxId) {
        let Some(head) = self.places[mailbox.index()].head() else { return };
        self.places[mailbox.index()] = Place::GONE;
        let state = &mut self.heads[head.index()];
        state.mailboxes -= 1;
        state.activity_micro_op_s -= u64::from(self.fleet.activity_micro_op_s[mailbox.index()]);
        self.ready.push_back(Event::MailboxGone { mailbox });
        let of_it = |job: &Job| job.mailbox == mailbox && job.phase != Phase::Free && job.phase != Phase::Purging;
        if let Some(slot) = self.jobs.iter().position(of_it) {
            self.break_off(slot as u16, Fault::Gone);
        }
    }

    pub(super) fn set_pace(&mut self, head: HeadId, streams: u16, rate: Rate) {
        self.heads[head.index()].lane.set_streams(streams);
        self.sharing.set_rate(head, rate);
        self.take_turns(head);
    }

    /// Lets the first copies of a head progress, as many as its pace allows, and suspends the others.
    #[inline]
    fn take_turns(&mut self, head: HeadId) {
        while let Some(turn) = self.heads[head.index()].lane.next_turn(&mut self.jobs) {
            let (Turn::Goes(slot) | Turn::Waits(slot)) = turn;
            let job = &mut self.jobs[usize::from(slot)];
            match (turn, job.phase) {
                (Turn::Goes(_), Phase::Suspended) => {
                    job.phase = Phase::Flowing;
                    self.sharing.join(self.now, head, job.cluster, slot, &job.flow);
                }
                (Turn::Waits(_), Phase::Flowing) => {
                    job.phase = Phase::Suspended;
                    self.sharing.leave(self.now, head, job.cluster, slot, &mut job.flow);
                }
                // A set-up goes on; what it may do then is asked at its end.
                (Turn::Goes(_) | Turn::Waits(_), _) => {}
            }
        }
        self.changed |= 1 << head.0;
    }

    fn failed(&mut self, slot: u16, fault: Fault) {
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
    }

    #[inline]
    fn put(&mut self, slot: u16, job: Job) {
        assert!(slot < EffectId::NO_SLOT, "{:?} has no slot", job.effect);
        if usize::from(slot) >= self.jobs.len() {
            self.jobs.resize(usize::from(slot) + 1, Job::FREE);
        }
        let old = &mut self.jobs[usize::from(slot)];
        assert!(old.phase == Phase::Free, "slot {slot} is taken by {:?}", old.effect);
        *old = job;
    }

    #[inline]
    fn find(&self, effect: EffectId) -> Option<Job> {
        self.jobs
            .get(usize::from(effect.slot()))
            .copied()
            .filter(|job| job.effect == effect && job.phase != Phase::Free)
    }

    #[inline]
    fn set_timer(&mut self, wait: Span, slot: u16) {
        let at = (self.now + wait).since(self.scenario.as_of).micros();
        // Keys reach 71 years; what takes longer is as good as never.
        self.timers.push(Key::new((at as u64).min((1 << 51) - 1), slot));
    }

    #[inline]
    pub(super) fn time_of(&self, key: Key) -> Time {
        self.scenario.as_of + Span::from_micros(key.order() as i64)
    }
}
