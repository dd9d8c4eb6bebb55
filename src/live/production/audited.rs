//! What a look at a head has found: who has come since the session began, and who is there again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::PoisonError;

use super::{LiveError, Production};
use crate::fleet::{HeadId, Home, MailboxId};
use crate::live::ledger::Named;
use crate::live::mover::{Audit, Name};
use crate::migration::message::Event;
use crate::units::Bytes;

/// So many are told by their names.
const NAMED: usize = 8;

impl Production {
    /// Whoever has come to a head since the session began is told of first: then it is not empty, and they move, too.
    pub(super) fn audited(&mut self, head: HeadId, audit: &Audit) -> Result<(), LiveError> {
        let mut strangers: BTreeMap<&str, &(Named, Bytes)> =
            audit.strangers.iter().map(|stranger| (stranger.0.name.as_str(), stranger)).collect();
        if !strangers.is_empty() {
            // An audit that was asked for during another one finds the same.
            let known = self.mover.names.read().unwrap_or_else(PoisonError::into_inner);
            known.iter().for_each(|name| _ = strangers.remove(name.user.as_str()));
        }
        for (named, bytes) in strangers.into_values() {
            let home = Home::head(head);
            let mailbox = self.recorder.add_mailbox(named, home)?;
            let name = Name { user: named.name.clone(), path: PathBuf::from(&named.path) };
            self.mover.names.write().unwrap_or_else(PoisonError::into_inner).push(name);
            self.ready.push_back(Event::MailboxFound { mailbox, home, bytes: *bytes });
        }
        self.tell_who_is_back(head, &audit.known);
        let Audit { users_left, folders_left, .. } = *audit;
        self.ready.push_back(Event::HeadAudited { head, users_left, folders_left });
        Ok(())
    }

    /// Names those of the users whom the directory has at a head who were gone, had moved, or lived at another head: this
    /// session has done with them there, and a person has to see to it.
    fn tell_who_is_back(&self, head: HeadId, users: &[String]) {
        if users.is_empty() {
            return;
        }
        let names = self.mover.names.read().unwrap_or_else(PoisonError::into_inner);
        let rows: BTreeMap<&str, MailboxId> = names.iter().map(|name| &*name.user).zip((0..).map(MailboxId)).collect();
        let was = |user: &String| Some(format!("{user} ({})", self.was(head, *rows.get(user.as_str())?)?));
        let back: Vec<String> = users.iter().filter_map(was).collect();
        drop(names);
        if back.is_empty() {
            return;
        }
        let store = &self.mover.heads[head.index()].0;
        let first = back.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if back.len() > NAMED { format!(", of {} in all", back.len()) } else { String::new() };
        let why = format!(
            "the directory has users at {store} whom this session does not move from there: {first}{more}; where that is \
             right, `stop`, start again, then `resume`: the next session moves them; otherwise set the directory right, then \
             `resume`"
        );
        self.mover.journal.trouble("audit", &why);
    }

    /// What is known of somebody whom the directory has at a head; nothing of one who is still to leave it.
    fn was(&self, head: HeadId, mailbox: MailboxId) -> Option<String> {
        let known = self.known();
        let home = known.home(mailbox)?;
        match (home.as_head(), home.as_cluster()) {
            _ if known.is_gone(mailbox) => Some("was gone".to_owned()),
            (Some(other), _) if other != head => Some(format!("was at {}", self.mover.heads[other.index()].0)),
            (_, Some(cluster)) => Some(format!("has moved to {}", self.mover.clusters[cluster.index()].0)),
            (Some(_) | None, None) => None,
        }
    }
}
