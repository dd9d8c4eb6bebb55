//! What is on a cluster, in bytes and in inodes, and how busy it is.
//!
//! A mailbox takes an inode a message and some for its directories and index files. Mail grows in both units alike: a day's
//! growth is as large a share of the messages as of the bytes. Left out are folders that users make or remove, files that are
//! written beside the mail for a moment, snapshots, and messages that share a file.

use crate::fleet::ClusterId;
use crate::migration::plan::{ClusterPlan, InodePlan};
use crate::scenario::model::ClusterModel;
use crate::units::{Bytes, Inodes, Share};

/// One cluster of the simulated world.
#[derive(Clone, Debug)]
pub(crate) struct ClusterState {
    /// Bytes that belong to nobody who grows, and copies whose switch is still to come.
    still: u64,
    /// Bytes of those who live here.
    resident: u64,
    /// The part of a byte by which residents have grown.
    fraction: f64,
    /// Inodes of what belongs to nobody who grows: of others, of directories and index files, of copies before their switch.
    still_inodes: u64,
    /// Messages of those who live here, an inode each, and the part of one by which they have grown.
    resident_messages: u64,
    message_fraction: f64,
    inodes_per_mailbox: u64,
    /// The limit of inodes, where it has one.
    inodes: Option<InodePlan>,
    /// What those who live here ask for, in millionths of an operation a second, mean of a week.
    pub(crate) activity_micro_op_s: u64,
    /// Utilisation and response time as of the last step of the load.
    pub(crate) utilisation: f64,
    pub(crate) response_s: f64,
    /// Whether mailboxes can be placed here.
    pub(crate) in_service: bool,
    rated: Bytes,
    highest_placement: Bytes,
    highest_inodes: u64,
}

impl ClusterState {
    /// As the scenario has it at the start, without mailboxes.
    pub(crate) fn new(model: &ClusterModel, plan: &ClusterPlan, inodes_per_mailbox: Inodes, in_service: bool) -> Self {
        Self {
            still: model.used.get(),
            resident: 0,
            fraction: 0.0,
            still_inodes: model.inodes_used.get(),
            resident_messages: 0,
            message_fraction: 0.0,
            inodes_per_mailbox: inodes_per_mailbox.get(),
            inodes: plan.inodes,
            activity_micro_op_s: 0,
            utilisation: 0.0,
            response_s: model.latency.response_s(0.0),
            in_service,
            rated: plan.rated,
            highest_placement: Bytes::ZERO,
            highest_inodes: 0,
        }
    }

    /// Bytes on it.
    pub(crate) fn used(&self) -> Bytes {
        Bytes::new(self.still + self.resident)
    }

    /// Bytes on it as a share of its rating.
    pub(crate) fn fill(&self) -> Share {
        self.used().of(self.rated)
    }

    /// Inodes in use on it, where it has a limit of them.
    pub(crate) fn inodes_used(&self) -> Option<Inodes> {
        self.inodes.map(|_| Inodes::new(self.still_inodes + self.resident_messages))
    }

    /// The same as a share of its rating.
    pub(crate) fn inode_fill(&self) -> Option<Share> {
        Some(self.inodes_used()?.of(self.inodes?.rated))
    }

    /// The highest fill with inodes that a placement has led to.
    pub(crate) fn highest_inode_placement(&self) -> Option<Share> {
        self.inodes.map(|plan| Inodes::new(self.highest_inodes).of(plan.rated))
    }

    /// The highest fill that a placement has led to.
    pub(crate) fn highest_placement(&self) -> Share {
        self.highest_placement.of(self.rated)
    }

    /// Whether so much more fits at all.
    #[inline]
    pub(crate) fn fits(&self, bytes: Bytes, messages: u32) -> bool {
        self.still + self.resident + bytes.get() <= self.rated.get()
            && (self.inodes.is_none() || self.fits_in_inodes(messages))
    }

    #[cold]
    fn fits_in_inodes(&self, messages: u32) -> bool {
        let with = self.still_inodes + self.resident_messages + self.inodes_of(messages);
        self.inodes.is_none_or(|plan| with <= plan.rated.get())
    }

    /// What a mailbox takes; nothing where nobody counts.
    #[inline]
    fn inodes_of(&self, messages: u32) -> u64 {
        if self.inodes.is_none() { 0 } else { u64::from(messages) + self.inodes_per_mailbox }
    }

    /// A copy is complete.
    #[inline]
    pub(crate) fn add_copy(&mut self, bytes: Bytes, messages: u32) {
        self.still += bytes.get();
        self.still_inodes += self.inodes_of(messages);
    }

    /// A complete copy is taken away again.
    pub(crate) fn drop_copy(&mut self, bytes: Bytes, messages: u32, cluster: ClusterId) {
        assert!(self.still >= bytes.get(), "{cluster:?}: taking {bytes:?} of a copy from {} bytes", self.still);
        let (there, inodes) = (self.still_inodes, self.inodes_of(messages));
        assert!(there >= inodes, "{cluster:?}: taking {inodes} inodes of a copy from {there}");
        self.still -= bytes.get();
        self.still_inodes -= inodes;
    }

    /// A copy is to become the mailbox. Its placement has led to what is here now: whoever is created or grows while it is switched
    /// was not placed.
    #[inline]
    pub(crate) fn place(&mut self) {
        self.highest_placement = self.highest_placement.max(self.used());
        if self.inodes.is_some() {
            self.highest_inodes = self.highest_inodes.max(self.still_inodes + self.resident_messages);
        }
    }

    /// A copy becomes the mailbox: from now on it grows, and its user is served here.
    #[inline]
    pub(crate) fn switch(&mut self, bytes: Bytes, messages: u32, activity_micro_op_s: u32) {
        self.still -= bytes.get();
        self.settle(bytes, 0, u64::from(activity_micro_op_s));
        if self.inodes.is_some() {
            self.switch_messages(u64::from(messages));
        }
    }

    #[cold]
    fn switch_messages(&mut self, messages: u64) {
        self.still_inodes -= messages;
        self.resident_messages += messages;
    }

    /// Mail lives here that did not before: of those moved before the start, or of new accounts. What it takes besides an inode
    /// a message is for `add_mailboxes`.
    pub(crate) fn settle(&mut self, bytes: Bytes, messages: u64, activity_micro_op_s: u64) {
        self.resident += bytes.get();
        self.resident_messages += messages;
        self.activity_micro_op_s += activity_micro_op_s;
    }

    /// The directories and index files of so many mailboxes are here that came without a copy.
    pub(crate) fn add_mailboxes(&mut self, mailboxes: u64) {
        self.still_inodes += mailboxes * self.inodes_per_mailbox;
    }

    /// A mailbox that lives here is deleted. Its size is what has come of that at the start: with what has grown during its
    /// copy, which did not grow here, it may be somewhat more than is left of all.
    pub(crate) fn remove(&mut self, bytes: Bytes, messages: u64, activity_micro_op_s: u32) {
        self.resident = self.resident.saturating_sub(bytes.get());
        self.activity_micro_op_s -= u64::from(activity_micro_op_s);
        if self.inodes.is_some() {
            self.resident_messages = self.resident_messages.saturating_sub(messages);
            self.still_inodes -= self.inodes_per_mailbox;
        }
    }

    /// Those who live here grow by this share of their size.
    pub(crate) fn grow(&mut self, share: f64) {
        let growth = self.resident as f64 * share + self.fraction;
        self.resident += growth as u64;
        self.fraction = growth.fract();
        let messages = self.resident_messages as f64 * share + self.message_fraction;
        self.resident_messages += messages as u64;
        self.message_fraction = messages.fract();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::curve::preset;
    use crate::units::{OpRate, Rate, Time};

    fn cluster() -> ClusterState {
        let model = ClusterModel {
            name: "nas".into(),
            ingest: Rate::UNLIMITED,
            capacity: OpRate::per_second(1_000.0),
            latency: preset("specsfs2008-fas3160").unwrap(),
            in_service: Time::default(),
            stalls: None,
            used: Bytes::new(100),
            inodes_used: Inodes::new(10),
        };
        let plan = ClusterPlan {
            rated: Bytes::new(1_000),
            full_at: Share::from_ppm(400_000),
            reserve: Bytes::ZERO,
            assumed_intake: Rate::ZERO,
            inodes: Some(InodePlan {
                rated: Inodes::new(100),
                full_at: Share::from_ppm(400_000),
                assumed_a_day: Inodes::ZERO,
            }),
        };
        ClusterState::new(&model, &plan, Inodes::new(3), true)
    }

    #[test]
    fn only_those_who_live_there_grow() {
        let mut cluster = cluster();
        cluster.add_copy(Bytes::new(200), 4);
        cluster.grow(0.5);
        assert_eq!(cluster.used(), Bytes::new(300));
        cluster.place();
        // A new account while it is switched.
        cluster.settle(Bytes::new(50), 0, 0);
        cluster.switch(Bytes::new(200), 4, 7);
        assert_eq!(cluster.highest_placement(), Share::from_ppm(300_000));
        cluster.grow(0.5);
        assert_eq!(cluster.used(), Bytes::new(475));
        assert_eq!(cluster.activity_micro_op_s, 7);
    }

    #[test]
    fn inodes_are_those_of_messages_which_grow_and_of_folders_which_do_not() {
        let mut cluster = cluster();
        cluster.add_copy(Bytes::new(1), 20);
        cluster.add_mailboxes(2);
        assert_eq!(cluster.inodes_used(), Some(Inodes::new(10 + 20 + 3 + 2 * 3)));
        cluster.grow(0.5);
        assert_eq!(cluster.inodes_used(), Some(Inodes::new(39)), "a copy does not grow before its switch");
        cluster.place();
        cluster.switch(Bytes::new(1), 20, 0);
        assert_eq!(
            (cluster.inode_fill(), cluster.highest_inode_placement()),
            (Some(Share::from_ppm(390_000)), Some(Share::from_ppm(390_000)))
        );
        cluster.grow(0.5);
        assert_eq!(cluster.inodes_used(), Some(Inodes::new(49)));
        assert!(cluster.fits(Bytes::ZERO, 48) && !cluster.fits(Bytes::ZERO, 49), "with its folders it takes 51 or 52");
        cluster.add_copy(Bytes::ZERO, 5);
        cluster.drop_copy(Bytes::ZERO, 5, ClusterId(0));
        assert_eq!(cluster.inodes_used(), Some(Inodes::new(49)));
    }

    #[test]
    fn who_is_deleted_takes_what_has_grown_and_the_folders_along() {
        let mut cluster = cluster();
        cluster.add_copy(Bytes::new(200), 40);
        cluster.switch(Bytes::new(200), 40, 7);
        cluster.grow(0.5);
        cluster.remove(Bytes::new(300), 60, 7);
        assert_eq!((cluster.used(), cluster.inodes_used()), (Bytes::new(100), Some(Inodes::new(10))));
        assert_eq!(cluster.activity_micro_op_s, 0);
        // One that has grown during its copy is told to be larger than it was here.
        cluster.add_copy(Bytes::new(200), 40);
        cluster.switch(Bytes::new(200), 40, 7);
        cluster.remove(Bytes::new(201), 41, 7);
        assert_eq!((cluster.used(), cluster.inodes_used()), (Bytes::new(100), Some(Inodes::new(10))));
    }

    #[test]
    fn growth_of_less_than_a_byte_is_not_lost() {
        let mut cluster = cluster();
        cluster.settle(Bytes::new(10), 0, 0);
        for _ in 0..1_000 {
            cluster.grow(1e-4);
        }
        assert_eq!(cluster.used(), Bytes::new(111));
    }
}
