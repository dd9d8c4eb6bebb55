//! What an event changes: one short function a kind of event.

use super::Session;
use super::attempt::{self, Verdict};
use super::due::sooner;
use super::gate::Gate;
use super::jobs::{Job, Stage};
use super::lane::Emptied;
use super::mailbox::Phase;
use super::message::{Command, EffectId, Event, Fault, Limit, Milestone, Reason, StopCause};
use super::purge::{foresees, purge_wake};
use super::throttle::{Guard, Sample};
use crate::fleet::{ClusterId, HeadId, Home, MailboxId, at_mut};
use crate::units::{Bytes, InodesUsed, Span, Time};

impl Session {
    /// Takes an event in, unless it begins a session; says whether it has. What is said of heads and clusters that the plan
    /// does not know changes nothing.
    #[inline(always)]
    pub(super) fn react(&mut self, now: Time, event: &Event, out: &mut Vec<Command>) -> bool {
        #[cfg(test)]
        self.check_gates();
        match *event {
            Event::CopyEnded { effect, bytes, messages, limit } => {
                self.copy_ended(now, effect, (bytes, messages), limit, out);
            }
            Event::SwitchEnded { effect } => self.switch_ended(now, effect, out),
            Event::PurgeEnded { effect } => self.purge_ended(now, effect, out),
            Event::HeadSampled { head, measured_at, utilisation, latency, held_by } => {
                self.head_sampled(now, head, Sample { measured_at, utilisation, latency }, held_by, out);
            }
            Event::ClusterSampled { cluster, measured_at, used, inodes, utilisation, latency } => {
                self.cluster_sampled(now, cluster, Sample { measured_at, utilisation, latency }, (used, inodes), out);
            }
            Event::Started(_) => return false,
            Event::Wake
            | Event::ClusterOpened { .. }
            | Event::ClusterClosed { .. }
            | Event::CopyFailed { .. }
            | Event::SwitchFailed { .. }
            | Event::PurgeFailed { .. }
            | Event::MailboxFound { .. }
            | Event::MailboxGone { .. }
            | Event::MailboxChanged { .. }
            | Event::HeadAudited { .. }
            | Event::ClockStepped { .. }
            | Event::Operator(_) => self.react_rarely(now, event, out),
        }
        true
    }

    /// Takes in an event of a kind that is rare.
    #[inline(never)]
    fn react_rarely(&mut self, now: Time, event: &Event, out: &mut Vec<Command>) {
        match *event {
            Event::CopyFailed { effect, fault } => self.copy_failed(now, effect, fault, out),
            Event::SwitchFailed { effect, fault } => self.switch_failed(now, effect, fault, out),
            Event::PurgeFailed { effect, fault } => self.purge_failed(now, effect, fault, out),
            Event::ClusterOpened { cluster } => self.cluster_in_service(now, cluster, true, out),
            Event::ClusterClosed { cluster } => self.cluster_in_service(now, cluster, false, out),
            Event::MailboxFound { mailbox, home, bytes } => self.mailbox_found(now, mailbox, home, bytes, out),
            Event::MailboxGone { mailbox } => self.mailbox_gone(now, mailbox, out),
            Event::MailboxChanged { mailbox, bytes } => {
                if self.mailboxes.knows(mailbox) {
                    self.mailboxes.set_bytes(mailbox, bytes);
                }
            }
            Event::HeadAudited { head, users_left, folders_left } => {
                self.head_audited(now, head, users_left == 0 && folders_left == 0, out);
            }
            Event::ClockStepped { .. } => self.clock_stepped(now, out),
            Event::Operator(order) => self.ordered(now, order, out),
            // A session has begun already; what a wake-up is for is found by looking at what is due; the others are not rare.
            Event::Started(_)
            | Event::Wake
            | Event::CopyEnded { .. }
            | Event::SwitchEnded { .. }
            | Event::PurgeEnded { .. }
            | Event::HeadSampled { .. }
            | Event::ClusterSampled { .. } => {}
        }
    }

    #[inline(always)]
    fn copy_ended(
        &mut self,
        now: Time,
        effect: EffectId,
        (bytes, messages): (Bytes, u32),
        limit: Limit,
        out: &mut Vec<Command>,
    ) {
        let paused = self.paused();
        let Self { lanes, jobs, clusters, mailboxes, waves, .. } = self;
        let Some(job) = jobs.find(effect, Stage::Copying) else { return };
        let from = job.head;
        let lane = at_mut(lanes, from.index());
        lane.note_limit(limit);
        if job.abandoned.is_some() {
            return self.abandoned_copy_ended(now, effect, out);
        }
        let takes = clusters.room_taken(bytes, messages);
        let holds = clusters.correct(now, job.cluster, job.reserved, takes);
        job.reserved = takes;
        // What nothing stands in the way of switches at once; the rest waits for its turn, or has outgrown its cluster.
        if holds && !paused && lane.ready.is_empty() && lane.switching < self.switches {
            job.stage = Stage::Switching;
            lane.switching += 1;
            mailboxes.set_phase(job.mailbox, Phase::Switching);
            out.push(Command::Switch { effect });
        } else {
            job.stage = Stage::Copied;
            lane.ready.push_back(effect);
        }
        // Nearly always the next mailbox's copy takes this one's place, while what bound goes on to bind.
        if lane.is_steady(now)
            && lane.copying == lane.gate.streams
            && lane.account.binding() == lane.gate.full
            && waves.admits()
            && jobs.has_room()
            && let Some(mailbox) = lane.queue.peek_order()
            && let Some(untouched) = mailboxes.untouched(mailbox)
            && let bytes = untouched.bytes
            && let reserved = clusters.need(bytes, || untouched.messages())
            && let Some(to) = clusters.place_as_before(now, reserved, self.opened)
        {
            untouched.start_copy();
            lane.replace_copy(to);
            lane.queue.bring_in(mailboxes);
            waves.begin();
            self.sequence += 1;
            let effect = |slot| EffectId::new(self.number, self.sequence, slot);
            let effect = jobs.start_copy(effect, mailbox, from, (to, reserved));
            out.push(Command::StartCopy { effect, mailbox, from, to, attempt: 1, bytes });
            return;
        }
        lane.copying -= 1;
        self.fill(now, from, out);
    }

    #[cold]
    fn abandoned_copy_ended(&mut self, now: Time, effect: EffectId, out: &mut Vec<Command>) {
        if let Some(job) = self.jobs.find(effect, Stage::Copying).copied()
            && let Some(why) = job.abandoned
        {
            self.lanes[job.head.index()].copying -= 1;
            self.give_up(now, &job, why, out);
            self.after_an_end(now, job.head, out);
        }
    }

    #[inline(always)]
    fn switch_ended(&mut self, now: Time, effect: EffectId, out: &mut Vec<Command>) {
        let Some(job) = self.jobs.take(effect, Stage::Switching) else { return };
        let (head, mailbox) = (job.head, job.mailbox);
        // An attempt is a copy and its switch: only now has it come off.
        self.faults.pass();
        self.clusters.commit(job.cluster, job.reserved);
        let lane = at_mut(&mut self.lanes, head.index());
        lane.switching -= 1;
        lane.jobs_on[job.cluster.index()] -= 1;
        let reached = lane.shares.add() | self.shares.add();
        self.waves.end();
        if let Some(purge_after) = self.purge_after {
            self.mailboxes.set_moved(mailbox);
            let due = now + purge_after;
            lane.purges.push(due, mailbox);
            if !foresees(self.wake, due) {
                self.wake = (purge_wake(due), Reason::Purge);
            }
        } else {
            self.mailboxes.set_phase(mailbox, Phase::Settled);
        }
        if reached || lane.goes_on_at_an_end() {
            self.after_an_end(now, head, out);
        }
    }

    /// What may follow once a job has ended: a share reached, an empty head, the next copy.
    #[inline(never)]
    fn after_an_end(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        self.announce_shares(head, out);
        if self.lanes[head.index()].waiting == 0 {
            self.check_emptied(head, out);
        }
        let lane = &self.lanes[head.index()];
        // What waits apart holds no other head up once all else has gone.
        self.unsettled |= lane.waiting > 0 && lane.waiting <= lane.queue.apart();
        // A closed gate, or what held the copy that has ended: what bound before the end may bind no more.
        if lane.may_start() || lane.gate.is_closed() || !lane.is_bound_as_before() {
            self.fill(now, head, out);
        }
    }

    #[cold]
    fn copy_failed(&mut self, now: Time, effect: EffectId, fault: Fault, out: &mut Vec<Command>) {
        let Some(job) = self.jobs.find(effect, Stage::Copying).copied() else { return };
        self.lanes[job.head.index()].copying -= 1;
        self.give_up(now, &job, attempt::cause(job.abandoned, fault), out);
        self.after_an_end(now, job.head, out);
        self.unsettled = true;
    }

    #[cold]
    fn switch_failed(&mut self, now: Time, effect: EffectId, fault: Fault, out: &mut Vec<Command>) {
        let Some(job) = self.jobs.find(effect, Stage::Switching).copied() else { return };
        self.lanes[job.head.index()].switching -= 1;
        self.give_up(now, &job, attempt::cause(job.abandoned, fault), out);
        self.after_an_end(now, job.head, out);
        self.unsettled = true;
    }

    /// Ends a job that did not get its mailbox moved, and decides what becomes of the mailbox.
    #[cold]
    pub(super) fn give_up(&mut self, now: Time, job: &Job, fault: Fault, out: &mut Vec<Command>) {
        self.jobs.end(job.effect);
        self.clusters.release(job.cluster, job.reserved);
        let counts = attempt::counts(fault);
        let failed = self.mailboxes.attempts(job.mailbox).saturating_add(u8::from(counts));
        self.mailboxes.set_attempts(job.mailbox, failed);
        let lane = &mut self.lanes[job.head.index()];
        lane.jobs_on[job.cluster.index()] -= 1;
        if fault == Fault::Unreachable {
            // Whatever the last sample said is no longer true.
            lane.drop_sample();
        }
        match attempt::verdict(&self.plan.attempts, fault, failed) {
            Verdict::RetryAfter(wait) | Verdict::Blameless(wait) => {
                self.mailboxes.set_phase(job.mailbox, Phase::BackingOff);
                lane.waiting += 1;
                lane.queue.push_retry(now + wait, job.mailbox, fault == Fault::NoRoom);
                lane.gate = Gate::CLOSED;
                self.wake = sooner(self.wake, (now + wait, Reason::Retry));
                if fault == Fault::NoRoom {
                    self.withdraw(job.mailbox);
                }
            }
            Verdict::SetAside => self.set_aside(job.mailbox, job.head, out),
            Verdict::Forget => self.forget(job.mailbox, job.head),
        }
        if fault == Fault::VerifyFailed {
            self.stop(now, StopCause::VerifyFailed, out);
        } else if counts && self.faults.fail(&self.plan.attempts) {
            self.stop(now, StopCause::FaultRate, out);
        }
    }

    /// A mailbox was deleted: it has left the old storage too.
    fn forget(&mut self, mailbox: MailboxId, head: HeadId) {
        self.mailboxes.set_phase(mailbox, Phase::Gone);
        if self.mailboxes.begun(mailbox) {
            self.waves.end();
        }
        self.lanes[head.index()].shares.add();
        self.shares.add();
    }

    fn mailbox_gone(&mut self, now: Time, mailbox: MailboxId, out: &mut Vec<Command>) {
        if !self.mailboxes.knows(mailbox) {
            return;
        }
        let Some(head) = self.mailboxes.head(mailbox) else {
            // A moved mailbox's old copy is purged all the same.
            if self.mailboxes.phase(mailbox) != Phase::Moved {
                self.mailboxes.set_phase(mailbox, Phase::Gone);
            }
            return;
        };
        match self.mailboxes.phase(mailbox) {
            Phase::Waiting | Phase::BackingOff => {
                let lane = &mut self.lanes[head.index()];
                lane.waiting -= 1;
                lane.queue.remove_dated(mailbox);
                lane.gate = Gate::CLOSED;
                self.forget(mailbox, head);
            }
            Phase::Copying | Phase::Switching => {
                if let Some(job) = self.jobs.of_mailbox(mailbox) {
                    match job.stage {
                        Stage::Copied => self.drop_copied(now, &job, Fault::Gone, out),
                        Stage::Copying => self.abandon(job.effect, Fault::Gone, out),
                        // Its own end says which of the two came first; a switch that fails is not tried again.
                        Stage::Switching => self.jobs.doom(job.effect, Fault::Gone),
                        Stage::Free | Stage::Purging => {}
                    }
                }
            }
            Phase::SetAside => {
                self.lanes[head.index()].set_aside -= 1;
                self.mailboxes.set_phase(mailbox, Phase::Gone);
                self.lanes[head.index()].shares.add();
                self.shares.add();
                self.beyond_help.remove(&mailbox);
                self.check_purged(head, out);
            }
            Phase::Excluded => {
                self.mailboxes.set_phase(mailbox, Phase::Gone);
                self.lanes[head.index()].excluded -= 1;
                self.check_purged(head, out);
            }
            Phase::Settled => self.mailboxes.set_phase(mailbox, Phase::Gone),
            Phase::Moved | Phase::Gone => {}
        }
        self.after_an_end(now, head, out);
        self.unsettled = true;
    }

    /// Gives up a job whose copy has ended and whose switch was not yet asked for.
    pub(super) fn drop_copied(&mut self, now: Time, job: &Job, why: Fault, out: &mut Vec<Command>) {
        self.lanes[job.head.index()].ready.retain(|effect| *effect != job.effect);
        out.push(Command::Abandon { effect: job.effect, why });
        self.give_up(now, job, why, out);
    }

    fn mailbox_found(&mut self, now: Time, mailbox: MailboxId, home: Home, bytes: Bytes, out: &mut Vec<Command>) {
        if mailbox.index() != self.mailboxes.len() {
            return;
        }
        if home.as_head().is_some_and(|head| head.index() >= self.lanes.len()) {
            return;
        }
        let mailbox = self.mailboxes.add(home, bytes);
        let Some(head) = home.as_head() else { return };
        let lane = &mut self.lanes[head.index()];
        lane.waiting += 1;
        lane.queue.push_last(mailbox);
        lane.emptied = Emptied::No;
        lane.purges.done = false;
        lane.shares.found();
        self.shares.found();
        (self.all_emptied, self.decommissioned) = (false, false);
        self.refresh(now, head, out);
    }

    /// Nothing new begins before samples have come that were measured since; what is under way goes on.
    fn clock_stepped(&mut self, now: Time, out: &mut Vec<Command>) {
        self.samples_since = now;
        self.clusters.doubt_samples(now);
        for lane in &mut self.lanes {
            lane.drop_sample();
        }
        self.refresh_all(now, out);
        self.unsettled = true;
    }

    fn head_sampled(
        &mut self,
        now: Time,
        head: HeadId,
        sample: Sample,
        held_by: Option<Limit>,
        out: &mut Vec<Command>,
    ) {
        let Some(lane) = self.lanes.get_mut(head.index()) else { return };
        let known = lane.sample.map_or(Time::LONG_AGO, |last| last.measured_at + Span::TICK);
        if sample.measured_at < known.max(self.samples_since) {
            return;
        }
        // The worst of the stores that this head's moves touch governs.
        let worst = self.clusters.worst(sample, &lane.jobs_on);
        let plan = &self.plan.heads[head.index()].throttle;
        lane.set_sample(sample);
        lane.note_limit_of_running(held_by);
        let (used, streams) = (lane.uses_throttle(sample.measured_at), lane.throttle.streams());
        let newest_above = |level| self.clusters.newest_above(level, sample, &lane.jobs_on);
        if lane.throttle.sampled(plan, now, worst, newest_above, used) == Guard::Abort {
            lane.gate = Gate::CLOSED;
            self.abandon_copies(head, out);
        }
        let (paused, purges_held) = (self.paused(), self.holds_purges());
        let lane = &mut self.lanes[head.index()];
        if lane.gate.is_closed() || lane.throttle.streams() != streams {
            return self.refresh(now, head, out);
        }
        // Nearly always the pace stays what it is, and so does the next wake-up, unless it waits for a sample's age.
        lane.keep_gate_open(paused, purges_held);
        self.unsettled |= self.wake.1 == Reason::SampleAge || lane.fresh_until < self.wake.0;
        self.use_pace(now, head, out);
    }

    fn cluster_sampled(
        &mut self,
        now: Time,
        cluster: ClusterId,
        sample: Sample,
        used: (Bytes, InodesUsed),
        out: &mut Vec<Command>,
    ) {
        if cluster.index() >= self.clusters.len() {
            return;
        }
        self.clusters.sampled(now, cluster, sample, used);
        self.set_intake(out);
        for head in 0..self.lanes.len() {
            self.fill(now, HeadId(head as u8), out);
        }
    }

    fn cluster_in_service(&mut self, now: Time, cluster: ClusterId, in_service: bool, out: &mut Vec<Command>) {
        if cluster.index() >= self.clusters.len() {
            return;
        }
        self.clusters.set_in_service(cluster, in_service);
        self.set_intake(out);
        self.refresh_all(now, out);
    }

    fn head_audited(&mut self, now: Time, head: HeadId, clean: bool, out: &mut Vec<Command>) {
        let Some(lane) = self.lanes.get_mut(head.index()) else { return };
        lane.audits = lane.audits.saturating_sub(1);
        if lane.emptied != Emptied::Asked || lane.audits > 0 {
            return;
        }
        if lane.left() > 0 {
            lane.emptied = Emptied::No;
            return;
        }
        if !clean {
            lane.emptied = Emptied::No;
            self.stop(now, StopCause::AuditFailed { head }, out);
            return;
        }
        lane.emptied = Emptied::Yes;
        let set_aside = lane.set_aside;
        self.announce(Milestone::HeadEmptied { head, set_aside }, out);
        if !self.all_emptied && self.lanes.iter().all(|lane| lane.emptied == Emptied::Yes) {
            self.all_emptied = true;
            self.announce(Milestone::AllEmptied, out);
        }
        self.check_purged(head, out);
        self.refresh(now, head, out);
    }
}
