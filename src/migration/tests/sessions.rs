//! How a session begins in the test's world: from facts, as a host finds them after whatever has ended the one before.

use std::sync::Arc;

use super::plans::group_of;
use super::world::{Agenda, Doing, Live, World};
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId, NO_GROUP};
use crate::migration::Phase;
use crate::migration::message::{CORE_VERSION, ClustersSoFar, Event, Facts, Fault, FullOf, Start, WavesSoFar};

use crate::units::Time;

impl World {
    /// Starts a session from what is truly where; what was under way is reconciled one way or the other.
    pub(super) fn begin_session(&mut self) {
        for (_, job) in std::mem::take(&mut self.jobs) {
            let there = self.live[&job.mailbox] == Live::Head(job.from);
            if job.doing == Doing::Switching && there && self.dice.roll(2) == 1 {
                self.commit(&job);
            }
            if job.doing == Doing::Purging && self.dice.roll(2) == 1 {
                self.old.remove(&job.mailbox);
            }
        }
        self.agenda.retain(|_, what| !matches!(what, Agenda::Audit(_)));
        self.session += 1;
        let mut fleet = Fleet::default();
        for (id, live) in &self.live {
            let home = match live {
                Live::Head(head) => Home::head(*head),
                // What is gone needs a row and must not be moved.
                Live::Gone => Home::cluster(ClusterId(0)),
                Live::Cluster(cluster) => Home::cluster(*cluster),
            };
            fleet.bytes.push(self.bytes[id]);
            fleet.messages.push(self.messages[id]);
            fleet.activity_micro_op_s.push(id.0 * 7 % 5);
            let origin = self.old.get(id).map(|(head, _)| *head).or(home.as_head());
            fleet.origin.push(origin.unwrap_or(HeadId(0)));
            fleet.home.push(home);
            fleet.group.push(group_of(*id));
        }
        self.in_facts = fleet.len();
        let moved = fleet.ids().filter(|id| fleet.home[id.index()].is_cluster() && group_of(*id) != NO_GROUP);
        self.begun_groups = moved.map(|id| (fleet.origin[id.index()], group_of(id))).collect();
        self.known_messages = self.messages.clone();
        let aside = self
            .live
            .iter()
            .filter(|(id, live)| matches!(live, Live::Head(_)) && self.machine.phase(**id) == Some(Phase::SetAside));
        let now = self.now;
        for (_, switched) in self.old.values_mut() {
            switched.get_or_insert(now);
        }
        let kept: Vec<MailboxId> = self.old.keys().copied().filter(|id| self.keeps(*id)).collect();
        self.oracle.kept.extend(kept);
        let unpurged = self.old.iter().filter(|(id, _)| !self.oracle.kept.contains(id));
        let mut unpurged: Vec<(MailboxId, Time)> = unpurged.filter_map(|(id, (_, at))| Some((*id, (*at)?))).collect();
        unpurged.sort_by_key(|(id, at)| (*at, *id));
        let facts = Facts {
            set_aside: aside.map(|(id, _)| (*id, Fault::Permanent)).collect(),
            attempts: self.attempts(),
            unpurged,
            kept: self.old.keys().copied().filter(|id| self.oracle.kept.contains(id)).collect(),
            open: self.in_service.iter().copied().collect(),
            fleet: Arc::new(fleet),
            waves: self.waves.map(|waves| WavesSoFar { over: Some(self.committed.len() as u64), ..waves }),
            clusters: self.clusters_so_far(),
        };
        let excused = |id: &MailboxId| {
            self.plan.order.excluded.contains(id) || facts.set_aside.iter().any(|(aside, _)| aside == id)
        };
        let waiting =
            self.live.iter().filter(|(id, live)| matches!(live, Live::Head(_)) && !excused(id)).count() as u64;
        self.waves.get_or_insert(WavesSoFar { mailboxes: waiting, over: None, moved: None, go: false });
        let (session, plan) = (self.session, Arc::clone(&self.plan));
        self.tell(Event::Started(Arc::new(Start { session, version: CORE_VERSION, plan, facts })));
    }

    /// Failed attempts as an earlier session has left them, if they are remembered.
    fn attempts(&mut self) -> Vec<(MailboxId, u8)> {
        let Some(session) = self.machine.session.as_ref().filter(|_| self.dice.once_in(2)) else { return Vec::new() };
        let all = self.live.keys().map(|id| (*id, session.mailboxes.attempts(*id)));
        all.filter(|(_, attempts)| *attempts > 0).collect()
    }

    /// What operators and earlier sessions have left of the clusters, if it is remembered.
    fn clusters_so_far(&mut self) -> ClustersSoFar {
        let Some(session) = self.machine.session.as_ref().filter(|_| self.dice.once_in(2)) else {
            self.closed.clear();
            return ClustersSoFar::default();
        };
        let clusters = (0..self.plan.placement.clusters.len() as u8).map(ClusterId);
        let filled = clusters.filter(|cluster| session.filled >> cluster.index() & 1 != 0);
        ClustersSoFar {
            closed: self.closed.iter().copied().collect(),
            filled: filled.map(|cluster| (cluster, FullOf::Bytes)).collect(),
            intake: session.intake,
        }
    }
}
