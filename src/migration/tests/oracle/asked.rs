//! What the oracle asks of the world.

use super::super::plans::{group_of, secs};
use super::super::world::{Doing, Live, World};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::Phase;
use crate::migration::message::{Command, Event};
use crate::units::{Inodes, Room, Time};

impl World {
    pub(in crate::migration::tests) fn copying(&self, head: HeadId) -> usize {
        self.jobs.values().filter(|job| job.from == head && job.doing == Doing::Copying).count()
    }

    pub(in crate::migration::tests) fn on_head(&self, head: HeadId) -> impl Iterator<Item = MailboxId> {
        self.live.iter().filter(move |(_, live)| **live == Live::Head(head)).map(|(id, _)| *id)
    }

    /// Whether a mailbox waits apart while no cluster that takes mailboxes has room for it.
    pub(super) fn is_turned_away(&self, mailbox: MailboxId) -> bool {
        let Some(session) =
            self.machine.session.as_ref().filter(|_| self.machine.phase(mailbox) == Some(Phase::BackingOff))
        else {
            return false;
        };
        let (clusters, mailboxes) = (&session.clusters, &session.mailboxes);
        let need = clusters.need(mailboxes.bytes(mailbox), || mailboxes.messages(mailbox));
        let has_room = |cluster: ClusterId| {
            let plan = self.plan.placement.clusters[cluster.index()];
            let with = clusters.estimate(self.now, cluster) + need;
            let is_counted = self.oracle.cluster_samples.get(&cluster).is_some_and(|(.., inodes)| *inodes);
            let inodes = plan.inodes.filter(|_| is_counted).map_or(Inodes::UNLIMITED, |inodes| inodes.threshold());
            clusters.takes(cluster) && with.is_within(Room { bytes: plan.threshold(), inodes })
        };
        !(0..self.plan.placement.clusters.len() as u8).map(ClusterId).any(has_room)
    }

    /// Whether all that is still to leave a head waits for room.
    pub(super) fn gives_way(&self, head: HeadId) -> bool {
        let stays = |id: &MailboxId| matches!(self.machine.phase(*id), Some(Phase::SetAside | Phase::Excluded));
        let for_room = |id| self.oracle.for_room.contains(&id) || self.is_turned_away(id);
        let waits = |id: MailboxId| self.machine.phase(id) == Some(Phase::BackingOff) && for_room(id);
        let mut left = self.on_head(head).filter(|id| !stays(id)).peekable();
        left.peek().is_some() && left.all(waits)
    }

    /// Whether a mailbox's old copy belongs to a stopped cohort.
    pub(in crate::migration::tests) fn keeps(&self, mailbox: MailboxId) -> bool {
        let switched = self.old.get(&mailbox).and_then(|(_, switched)| *switched);
        self.oracle.kept.contains(&mailbox) || switched.is_some_and(|switched| switched >= self.oracle.cohort)
    }

    /// No group that comes earlier in the order is unfinished where one begins.
    pub(super) fn assert_whole_groups(&self, mailbox: MailboxId, from: HeadId, command: &Command) {
        if mailbox.index() >= self.in_facts {
            return;
        }
        let group = group_of(mailbox);
        let rank = |group| (!self.begun_groups.contains(&(from, group)), group);
        for id in self.on_head(from).filter(|id| *id != mailbox && id.index() < self.in_facts) {
            let under_way = matches!(
                self.machine.phase(id),
                Some(Phase::Waiting | Phase::BackingOff | Phase::Copying | Phase::Switching)
            );
            let by_hand = self.oracle.urgent.contains(&id);
            let earlier = under_way && !by_hand && rank(group_of(id)) < rank(group);
            assert!(!earlier, "{command:?} of group {group} before {id:?} of {} has moved", group_of(id));
        }
    }

    /// Whether a copy of the mailbox has been started in this session before.
    pub(super) fn started_before(&self, mailbox: MailboxId) -> bool {
        let session = self.log.iter().rposition(|(_, event, _)| matches!(event, Event::Started(_))).unwrap_or(0);
        // The last entry is the step being judged.
        let before = &self.log[session..self.log.len() - 1];
        let of_mailbox =
            |command: &Command| matches!(command, Command::StartCopy { mailbox: other, .. } if *other == mailbox);
        before.iter().any(|(_, _, commands)| commands.iter().any(of_mailbox))
    }

    /// Days since the epoch of the test, for limits on how long it may run.
    pub(in crate::migration::tests) fn older_than_days(&self, days: i64) -> bool {
        self.now > Time::default() + secs(days * 86_400)
    }
}
