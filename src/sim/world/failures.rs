//! How a mailbox's way ends before its end: given up, struck, deleted, failed.

use super::moves::TIMEOUT;
use super::{Place, World};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{EffectId, Event, Fault};
use crate::sim::job::{Job, Phase};
use crate::sim::number::whole_of_positive;
use crate::sim::recording::Outcomes;
use crate::units::Bytes;

impl<O: Outcomes> World<'_, O> {
    /// Begins a copy that cannot be made: the machine will be told after a while.
    #[cold]
    pub(super) fn refuse(&mut self, effect: EffectId, mailbox: MailboxId, head: HeadId, cluster: ClusterId) {
        let why = if self.heads[head.index()].out() { Fault::Unreachable } else { Fault::Gone };
        let (fault, phase) = (Some(why), Phase::Refused);
        self.jobs[usize::from(effect.slot())] = Job { effect, mailbox, fault, head, cluster, phase, ..Job::FREE };
        self.set_timer(self.setup.max(TIMEOUT), effect.slot());
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
        let Job { effect, head, cluster, pair, place, bytes, messages, phase, allowed, .. } =
            self.jobs[usize::from(slot)];
        let event = match phase {
            Phase::Free => return,
            Phase::Recorded => unreachable!("a recording says when slot {slot} ends"),
            Phase::SettingUp | Phase::Flowing | Phase::Suspended => {
                let flow = &mut self.jobs[usize::from(slot)].flow;
                if phase == Phase::Flowing {
                    self.sharing.leave(self.now, head, pair, place, flow);
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

    /// The owner deletes a mailbox, wherever it lives.
    pub(super) fn delete(&mut self, mailbox: MailboxId) {
        if let Some(cluster) = self.places[mailbox.index()].cluster() {
            return self.delete_moved(mailbox, cluster);
        }
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

    /// The same of one that has moved: its cluster is rid of it, and its old copy is purged in its turn all the same.
    #[cold]
    fn delete_moved(&mut self, mailbox: MailboxId, cluster: ClusterId) {
        let row = mailbox.index();
        self.places[row] = Place::GONE;
        let bytes = self.fleet.bytes[row].get() as f64 * self.growth;
        let messages = f64::from(self.fleet.messages[row]) * self.growth;
        let activity_micro_op_s = self.fleet.activity_micro_op_s[row];
        let state = &mut self.clusters[cluster.index()].state;
        state.remove(Bytes::new(whole_of_positive(bytes)), whole_of_positive(messages), activity_micro_op_s);
        self.tell(Event::MailboxGone { mailbox });
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
            place.0 = (place.0 & Place::STORE) | if own { Place::FAILED } else { 0 };
        }
        if own {
            let (mailbox, attempt) = (job.mailbox, job.attempt);
            self.may_need_person(mailbox, fault, attempt);
        }
    }

    /// An attempt to move a mailbox has failed, neither for its owner's sake nor the machine's own.
    #[cold]
    pub(super) fn count_fault(&mut self, fault: Fault) {
        self.faults += u64::from(fault != Fault::Abandoned && fault != Fault::Gone);
    }
}
