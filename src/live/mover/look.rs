//! A look for those who are set aside: in the directory, and at their heads.
//!
//! Both have to say that they are gone: of a directory that has lost its rows the Maildirs are still there, and of a head that is
//! not mounted the directory still knows who lives on it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::{Mover, Name};
use crate::fleet::{Home, MailboxId};
use crate::live::directory::DirectoryError;
use crate::live::ledger::Known;
use crate::live::maildir;

/// Of those who should be there so many are asked for, at most, before nobody is taken for gone.
const WITNESSES: usize = 8;

/// What a look for somebody who is set aside has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The directory has them at their head still, or where nobody can look.
    There,
    /// The directory does not have them there any more, and nothing of theirs is at their head.
    Missing,
    /// The directory does not have them there, and that cannot be all: what a person has to see to.
    Unsure(String),
}

impl Mover {
    /// Looks for each of these, who are set aside; for nobody where the directory does not answer.
    #[must_use]
    pub fn look_for(&self, aside: &[MailboxId], known: &Mutex<Known>) -> Vec<(MailboxId, Look)> {
        // The next look asks again; what else depends on the directory tells of it.
        self.look(aside, known).unwrap_or_default()
    }

    fn look(&self, aside: &[MailboxId], known: &Mutex<Known>) -> Result<Vec<(MailboxId, Look)>, DirectoryError> {
        let mut found = Vec::new();
        for &mailbox in aside {
            let home = known.lock().unwrap_or_else(PoisonError::into_inner).home(mailbox);
            if let (Some(home), Some(name)) = (home, self.name(mailbox)) {
                found.push((mailbox, self.look_at(&name, home)?));
            }
        }
        let is_there = found.iter().any(|(_, look)| *look == Look::There);
        if found.iter().any(|(_, look)| *look == Look::Missing) && !is_there && !self.knows_anybody(known)? {
            let why = "it knows none of the users whom it is asked for: nobody is taken for gone";
            found.retain(|(_, look)| *look != Look::Missing);
            let first = aside.first().map(|mailbox| (*mailbox, Look::Unsure(why.to_owned())));
            found.extend(first);
        }
        Ok(found)
    }

    fn look_at(&self, name: &Name, home: Home) -> Result<Look, DirectoryError> {
        let Some((store, root)) = home.as_head().and_then(|head| self.heads.get(head.index())) else {
            return Ok(Look::There);
        };
        let is_ours = |home: &str| self.heads.iter().chain(&self.clusters).any(|(store, _)| store == home);
        let user = self.directory.user(&name.user)?;
        let whereabouts = match &user {
            None => "the directory does not know them any more".to_owned(),
            Some(user) if user.home == *store || !is_ours(&user.home) => return Ok(Look::There),
            Some(user) => format!("the directory has them at {}", user.home),
        };
        let is_there = |path: &Path| Ok(maildir::is_there(root, path)? || maildir::has_old_copy(root, path)?);
        let left = match is_there(&name.path) {
            Ok(false) => return Ok(Look::Missing),
            Ok(true) => "their mailbox is still there".to_owned(),
            Err(maildir::MailError::Gone) => "there is nothing at all: is it mounted?".to_owned(),
            Err(error) => format!("nobody can look there: {error}"),
        };
        Ok(Look::Unsure(format!(
            "{} is set aside on {store}, {whereabouts}, and {left} ({}); take it away, or set the directory right; where \
             somebody else has it by now, `stop` and start again",
            name.user,
            name.path.display()
        )))
    }

    /// Whether the directory knows any of those who should be in it.
    fn knows_anybody(&self, known: &Mutex<Known>) -> Result<bool, DirectoryError> {
        let others: Vec<MailboxId> = known.lock().unwrap_or_else(PoisonError::into_inner).others().collect();
        if others.is_empty() {
            return Ok(!self.directory.list()?.users.is_empty());
        }
        for mailbox in others.iter().step_by(others.len().div_ceil(WITNESSES)) {
            if let Some(name) = self.name(*mailbox)
                && self.directory.user(&name.user)?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
