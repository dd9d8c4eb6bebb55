//! What an operator's orders change.

use super::Session;
use super::jobs::Stage;
use super::lane::Emptied;
use super::mailbox::Phase;
use super::message::{Command, Fault, Order, Reason};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::units::Time;

impl Session {
    /// Carries an order out. Orders about things that do not exist change nothing.
    pub(super) fn ordered(&mut self, now: Time, order: Order, out: &mut Vec<Command>) {
        match order {
            Order::Pause => self.paused_by_operator = true,
            Order::Resume => self.resume(out),
            Order::Cap { head, streams } => {
                if let Some(lane) = self.lanes.get_mut(head.index()) {
                    lane.operator_cap = streams;
                }
            }
            Order::Skip(mailbox) => self.skip(now, mailbox, out),
            Order::Retry(mailbox) => self.retry(mailbox),
            Order::MoveNow(mailbox) => self.move_now(mailbox),
            Order::CloseCluster(cluster) => self.set_closed(cluster, true, out),
            Order::OpenCluster(cluster) => self.set_closed(cluster, false, out),
            Order::HoldPurges => self.purges_held = true,
            Order::ResumePurges => self.purges_held = false,
            Order::StopCohort(since) => {
                self.cohort = self.cohort.min(since);
                self.paused_by_operator = true;
            }
            Order::EndSession => {
                // Whatever comes next finds the session's end due.
                (self.ended, self.wake) = (true, (Time::LONG_AGO, Reason::Idle));
                return;
            }
        }
        self.refresh_all(now, out);
    }

    fn resume(&mut self, out: &mut Vec<Command>) {
        self.paused_by_operator = false;
        if self.stopped.take().is_some() {
            self.faults.reset();
            for head in 0..self.lanes.len() {
                self.check_emptied(HeadId(head as u8), out);
            }
        }
        self.waves.go();
    }

    fn skip(&mut self, now: Time, mailbox: MailboxId, out: &mut Vec<Command>) {
        if !self.mailboxes.knows(mailbox) {
            return;
        }
        let Some(head) = self.mailboxes.head(mailbox) else { return };
        match self.mailboxes.phase(mailbox) {
            Phase::Waiting | Phase::BackingOff => {
                let lane = &mut self.lanes[head.index()];
                lane.waiting -= 1;
                lane.queue.remove_dated(mailbox);
                self.set_aside(mailbox, head, out);
            }
            Phase::Copying | Phase::Switching => {
                if let Some(job) = self.jobs.of_mailbox(mailbox) {
                    match job.stage {
                        Stage::Copied => self.drop_copied(now, &job, Fault::Skipped, out),
                        Stage::Copying => self.abandon(job.effect, Fault::Skipped, out),
                        // A switch that comes off has moved it; one that fails is not tried again.
                        Stage::Switching if job.abandoned != Some(Fault::Gone) => {
                            self.jobs.doom(job.effect, Fault::Skipped);
                        }
                        Stage::Free | Stage::Switching | Stage::Purging => {}
                    }
                }
            }
            // Nothing to skip.
            Phase::Moved | Phase::Settled | Phase::SetAside | Phase::Excluded | Phase::Gone => {}
        }
    }

    fn retry(&mut self, mailbox: MailboxId) {
        if !self.mailboxes.knows(mailbox) {
            return;
        }
        if matches!(self.mailboxes.phase(mailbox), Phase::Copying | Phase::Switching)
            && let Some(job) = self.jobs.of_mailbox(mailbox)
            && job.abandoned == Some(Fault::Skipped)
        {
            // Skipped, and its copy has not ended yet: then it is tried again as after any copy that was given up.
            self.jobs.doom(job.effect, Fault::Abandoned);
        }
        if self.mailboxes.phase(mailbox) != Phase::SetAside {
            return;
        }
        let Some(head) = self.mailboxes.head(mailbox) else { return };
        self.mailboxes.set_phase(mailbox, Phase::Waiting);
        self.mailboxes.set_attempts(mailbox, 0);
        self.beyond_help.remove(&mailbox);
        if self.mailboxes.begun(mailbox) {
            self.waves.reopen();
        }
        let lane = &mut self.lanes[head.index()];
        lane.set_aside -= 1;
        lane.waiting += 1;
        lane.emptied = Emptied::No;
        lane.purges.done = false;
        lane.queue.push_urgent(mailbox);
        (self.all_emptied, self.decommissioned) = (false, false);
    }

    fn move_now(&mut self, mailbox: MailboxId) {
        if !self.mailboxes.knows(mailbox) {
            return;
        }
        let Some(head) = self.mailboxes.head(mailbox) else { return };
        if matches!(self.mailboxes.phase(mailbox), Phase::Waiting | Phase::BackingOff) {
            self.mailboxes.set_phase(mailbox, Phase::Waiting);
            let queue = &mut self.lanes[head.index()].queue;
            queue.remove_dated(mailbox);
            queue.push_front(mailbox);
        }
    }

    fn set_closed(&mut self, cluster: ClusterId, closed: bool, out: &mut Vec<Command>) {
        if cluster.index() < self.plan.placement.clusters.len() {
            self.clusters.set_closed(cluster, closed);
            self.set_intake(out);
        }
    }
}
