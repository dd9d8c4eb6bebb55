//! Copies that an earlier session has left where they were to arrive. The next attempt takes over what stands on the cluster
//! that it goes to; on another one nobody would look for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Mover, Name, arriving};
use crate::fleet::{ClusterId, MailboxId};
use crate::live::maildir;

/// On which cluster each mailbox's copy was to arrive.
#[derive(Debug, Default)]
pub struct Left(Mutex<BTreeMap<MailboxId, ClusterId>>);

impl Left {
    /// As the last session has left them.
    #[must_use]
    pub fn known(copies: impl IntoIterator<Item = (MailboxId, ClusterId)>) -> Self {
        Self(Mutex::new(copies.into_iter().collect()))
    }

    fn take(&self, mailbox: MailboxId) -> Option<ClusterId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&mailbox)
    }
}

impl Mover {
    /// Removes what was left of those who do not move in this session.
    pub fn remove_left_of(&self, mailboxes: impl IntoIterator<Item = MailboxId>) {
        for mailbox in mailboxes {
            if let Some(cluster) = self.left.take(mailbox)
                && let Some(name) = self.name(mailbox)
            {
                self.remove_left_on(cluster, &name);
            }
        }
    }

    /// Removes what was left of a mailbox's copy, but on the cluster to which it goes now.
    pub(super) fn remove_left(&self, mailbox: MailboxId, to: ClusterId, name: &Name) {
        if let Some(cluster) = self.left.take(mailbox).filter(|cluster| *cluster != to) {
            self.remove_left_on(cluster, name);
        }
    }

    fn remove_left_on(&self, cluster: ClusterId, name: &Name) {
        let Some((store, root)) = self.clusters.get(cluster.index()) else { return };
        // An account may have been made with that very name meanwhile.
        if !self.has_lease() || self.neighbours.claim(&self.directory, store, name, true).is_err() {
            return;
        }
        let arriving = arriving(&name.path);
        if let Err(error) = maildir::discard(root, &arriving) {
            let why = format!("what an earlier session has left at {} stays: {error}", root.shown(&arriving));
            self.journal.trouble(&format!("copy of {}", name.user), &why);
        }
        self.neighbours.give_back(store, name);
    }
}
