//! The end of an old copy: only of one to which no mail has come since its mailbox moved.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::problem::Problem;
use super::{Mover, Name};
use crate::fleet::{HeadId, MailboxId};
use crate::live::journal::Step;
use crate::live::maildir::{self, MailError, Root};
use crate::migration::message::{EffectId, Fault};

/// How many messages each mailbox held when its copy came to its place, as far as that is known.
#[derive(Debug, Default)]
pub struct Moved(Mutex<BTreeMap<MailboxId, u32>>);

impl Moved {
    /// As earlier sessions have left it.
    #[must_use]
    pub fn known(messages: BTreeMap<MailboxId, u32>) -> Self {
        Self(Mutex::new(messages))
    }

    pub(super) fn note(&self, mailbox: MailboxId, messages: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(mailbox, messages);
    }

    fn messages(&self, mailbox: MailboxId) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&mailbox).copied()
    }
}

impl Mover {
    /// Removes the old copy of a mailbox, unless its user is back there, or mail has come there since, to the place or behind
    /// the fence.
    ///
    /// # Errors
    /// What went wrong; it can be asked for again.
    pub fn purge(&self, effect: EffectId, mailbox: MailboxId, from: HeadId) -> Result<(), Fault> {
        let name = self.name(mailbox).ok_or(Fault::Gone)?;
        let root = &self.heads[from.index()].1;
        let purge = || {
            if !self.has_lease() {
                return Err(Problem::LeaseLost);
            }
            self.refuse_last_copy(&name, from)?;
            let stray = maildir::stray(root, &name.path)?;
            if stray > 0 {
                let have = if stray == 1 { "message has" } else { "messages have" };
                let what = format!("{stray} {have} come to the old place since it moved");
                return Err(MailError::Differs { what }.into());
            }
            let totals = maildir::purge(root, &name.path, self.moved.messages(mailbox))?;
            Ok(self.journal.step(effect, mailbox, Step::Purged { totals })?)
        };
        purge().map_err(|problem: Problem| self.fault_of(&name, from, "purge", &problem, &self.stores_of_purge(from)))
    }

    /// Looks at where the directory has the user now: whom somebody has moved back, or a database that was restored, may have
    /// nothing but the old copy, and so may one whose new one is not there.
    fn refuse_last_copy(&self, name: &Name, from: HeadId) -> Result<(), Problem> {
        let store = &self.heads[from.index()].0;
        let Some(user) = self.directory.user(&name.user)? else {
            // Of one who is deleted the old copy goes, too.
            return Ok(());
        };
        let differs = |what: String| Err(MailError::Differs { what }.into());
        if user.home == *store {
            return differs(format!("the directory has the user at {store} again, so that its old copy there stays"));
        }
        let mut stores = self.clusters.iter().chain(&self.heads);
        let Some((home, root)) = stores.find(|(home, _)| *home == user.home) else {
            return differs(format!(
                "the directory has the user at {}, which is none of the scenario's stores, so that its old copy stays",
                user.home
            ));
        };
        if maildir::is_there(root, Path::new(&user.path))? {
            return Ok(());
        }
        differs(format!(
            "the directory has the user at {home}, and there is no Maildir there: its old copy may be the last"
        ))
    }

    /// The stores on which a purge hangs: a failing one is no fault of the mailbox.
    fn stores_of_purge(&self, from: HeadId) -> Vec<&Root> {
        let clusters = self.clusters.iter().map(|(_, root)| root);
        std::iter::once(&self.heads[from.index()].1).chain(clusters).collect()
    }
}
