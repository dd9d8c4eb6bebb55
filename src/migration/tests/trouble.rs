//! What goes wrong in the world, and what its operator orders.

use super::plans::secs;
use super::world::{Agenda, Live, World};
use crate::fleet::{ClusterId, HeadId, Home, MailboxId};
use crate::migration::Phase;
use crate::migration::message::{Event, Next, Order};
use crate::units::{Bytes, Inodes, Room};

impl World {
    /// One thing goes wrong, or an operator orders something; in the end everything is let go on.
    pub(super) fn trouble(&mut self) {
        if self.dice.is_spent() {
            return self.calm();
        }
        let gap = i64::from(self.dice.pick(&[60, 5, 300, 1_800]));
        self.plan_in(gap, Agenda::Trouble);
        let mailbox = MailboxId(self.dice.roll(self.live.len() as u32 + 1));
        let head = HeadId(self.dice.roll(self.plan.heads.len() as u32) as u8);
        let cluster = ClusterId(self.dice.roll(self.plan.placement.clusters.len() as u32) as u8);
        let knows = self.live.contains_key(&mailbox);
        match self.dice.roll(28) {
            1 => self.order(Order::Pause),
            2 | 3 => self.order(Order::Resume),
            4 => {
                let streams = self.dice.pick(&[u16::MAX, 0, 1, 3]);
                self.order(Order::Cap { head, streams });
            }
            5 => self.order(Order::Skip(mailbox)),
            6 => self.order(Order::Retry(mailbox)),
            7 => self.order(Order::MoveNow(mailbox)),
            8 => self.order(Order::CloseCluster(cluster)),
            9 => self.order(Order::OpenCluster(cluster)),
            10 => self.order(Order::HoldPurges),
            11 => self.order(Order::ResumePurges),
            12 => {
                let since = self.now - secs(i64::from(self.dice.pick(&[0, 600])));
                self.order(Order::StopCohort(since));
            }
            13 => {
                let (bytes, inodes) = (u64::from(self.dice.roll(30)), u64::from(self.dice.roll(8)));
                *self.delivered.entry(cluster).or_default() +=
                    Room { bytes: Bytes::new(bytes), inodes: Inodes::new(inodes) };
            }
            14 => {
                let mailbox = MailboxId(self.live.len() as u32);
                let bytes = Bytes::new(u64::from(self.dice.roll(50)));
                self.live.insert(mailbox, Live::Head(head));
                self.bytes.insert(mailbox, bytes);
                let messages = self.dice.roll(9);
                self.messages.insert(mailbox, messages);
                self.known_messages.insert(mailbox, 0);
                self.tell(Event::MailboxFound { mailbox, home: Home::head(head), bytes });
            }
            15 | 16 if knows => {
                self.live.insert(mailbox, Live::Gone);
                self.tell(Event::MailboxGone { mailbox });
            }
            17 if matches!(self.live.get(&mailbox), Some(Live::Head(_))) => {
                let bytes = Bytes::new(u64::from(self.dice.roll(60)));
                self.bytes.insert(mailbox, bytes);
                self.tell(Event::MailboxChanged { mailbox, bytes });
            }
            18 => {
                self.in_service.remove(&cluster);
                self.tell(Event::ClusterClosed { cluster });
            }
            19 | 20 => {
                self.in_service.insert(cluster);
                self.tell(Event::ClusterOpened { cluster });
            }
            21 => {
                // Something long over is said again.
                let which = self.dice.roll(self.said.len() as u32 + 1) as usize;
                if let Some(event) = self.said.get(which).filter(|event| !self.is_open(event)).cloned() {
                    self.tell(event);
                }
            }
            22 => self.begin_session(),
            23 => {
                let by = secs(i64::from(self.dice.pick(&[6, 3_600])) * if self.dice.once_in(2) { -1 } else { 1 });
                self.tell(Event::ClockStepped { by });
            }
            24 => self.end_session(),
            25 => {
                // Whoever comes to live on a cluster by other ways.
                let mailbox = MailboxId(self.live.len() as u32);
                let bytes = Bytes::new(u64::from(self.dice.roll(5)));
                self.live.insert(mailbox, Live::Cluster(cluster));
                self.bytes.insert(mailbox, bytes);
                self.messages.insert(mailbox, 1);
                self.known_messages.insert(mailbox, 0);
                self.tell(Event::MailboxFound { mailbox, home: Home::cluster(cluster), bytes });
            }
            26 => {
                // Two orders in one breath, and of the same mailbox.
                let pick =
                    |n| [Order::Skip(mailbox), Order::Retry(mailbox), Order::MoveNow(mailbox), Order::Skip(mailbox)][n];
                let (one, other) = (self.dice.roll(4) as usize, self.dice.roll(4) as usize);
                self.order(pick(one));
                self.order(pick(other));
            }
            _ => {}
        }
    }

    /// Mailboxes that wait for a person who can do something about them.
    pub(super) fn set_aside(&self) -> impl Iterator<Item = MailboxId> {
        let beyond =
            move |id: &MailboxId| self.machine.session.as_ref().is_some_and(|session| session.beyond_help.contains(id));
        let aside = move |id: &MailboxId| self.machine.phase(*id) == Some(Phase::SetAside) && !beyond(id);
        self.live.keys().copied().filter(move |id| aside(id))
    }

    /// An operator ends the session, and another one begins.
    fn end_session(&mut self) {
        self.order(Order::EndSession);
        for event in [Event::Wake, Event::Operator(Order::Resume)] {
            self.tell(event);
            assert_eq!(self.next, Next::Finished, "a session that was ended");
            assert!(self.log.last().is_some_and(|(_, _, commands)| commands.is_empty()), "{:?}", self.log.last());
        }
        self.begin_session();
    }

    fn is_open(&self, event: &Event) -> bool {
        match event {
            Event::CopyEnded { effect, .. }
            | Event::CopyFailed { effect, .. }
            | Event::SwitchEnded { effect }
            | Event::SwitchFailed { effect, .. }
            | Event::PurgeEnded { effect }
            | Event::PurgeFailed { effect, .. } => self.jobs.contains_key(effect),
            _ => false,
        }
    }

    /// Nothing goes wrong any more, and the operator lets everything go on.
    fn calm(&mut self) {
        for cluster in (0..self.plan.placement.clusters.len() as u8).map(ClusterId) {
            self.in_service.insert(cluster);
            self.tell(Event::ClusterOpened { cluster });
            self.order(Order::OpenCluster(cluster));
        }
        for head in (0..self.plan.heads.len() as u8).map(HeadId) {
            self.order(Order::Cap { head, streams: u16::MAX });
        }
        let aside: Vec<MailboxId> = self.set_aside().collect();
        if self.plan.attempts.wait_for_person {
            for mailbox in aside {
                self.order(Order::Retry(mailbox));
            }
        }
        self.order(Order::ResumePurges);
        self.order(Order::Resume);
    }
}
