//! The end of an old copy: only of one to which no mail has come since its mailbox moved.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Mover;
use super::problem::Problem;
use crate::fleet::{HeadId, MailboxId};
use crate::live::journal::Step;
use crate::live::maildir::{self, MailError};
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
    /// Removes the old copy of a mailbox, unless mail has come to the old place, or behind its fence, since.
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
            let stray = maildir::stray(root, &name.path)?;
            if stray > 0 {
                let what = format!("{stray} messages have come to the old place since it moved");
                return Err(MailError::Differs { what }.into());
            }
            let totals = maildir::purge(root, &name.path, self.moved.messages(mailbox))?;
            Ok(self.journal.step(effect, mailbox, Step::Purged { totals })?)
        };
        purge().map_err(|problem: Problem| self.fault_of(&name, from, "purge", &problem, &[root]))
    }
}
