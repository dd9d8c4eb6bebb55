//! What is left on a head that should be empty.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::{Mover, Name};
use crate::fleet::HeadId;
use crate::live::directory::{Listed, Unusable, User, listed, overlap};
use crate::live::ledger::Named;
use crate::live::maildir::{self, Left};
use crate::units::Bytes;

/// What is left on a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Users whom the directory still sees there.
    pub users_left: u32,
    /// Folders there that hold mail.
    pub folders_left: u32,
    /// Those of the users whom this session does not know, with their sizes: made or renamed since it began.
    pub strangers: Vec<(Named, Bytes)>,
    /// The others of the users there: those whom this session knows.
    pub known: Vec<String>,
}

impl Mover {
    /// What is left on a head, other than what is `excused`. What those have left there who are `gone` is mail of nobody, and
    /// behind a fence too, which hides what is still to be purged from a look at the head.
    ///
    /// # Errors
    /// What could not be asked.
    pub fn audit(&self, head: HeadId, excused: &[Name], gone: &[Name]) -> Result<Audit, String> {
        let (store, root) = &self.heads[head.index()];
        let users: BTreeSet<&str> = excused.iter().map(|name| name.user.as_str()).collect();
        let Listed { users: found, unusable } = self.directory.list().map_err(|error| error.to_string())?;
        // Whoever it is cannot be moved, and keeps the head from being empty.
        let here = |row: &&Unusable| {
            row.may_be_on(std::slice::from_ref(store))
                && !row.name.as_ref().is_some_and(|name| users.contains(name.as_str()))
        };
        let unusable: Vec<&Unusable> = unusable.iter().filter(here).collect();
        if !unusable.is_empty() {
            self.journal.trouble("audit", &format!("users who may be on {store}: {}", listed::shown(&unusable)));
        }
        let paths: BTreeSet<PathBuf> = excused.iter().map(|name| name.path.clone()).collect();
        let left: Vec<&User> =
            found.iter().filter(|user| user.home == *store && !users.contains(user.name.as_str())).collect();
        let mut mail = maildir::folders_left(root, &paths).map_err(|error| error.to_string())?;
        for name in self.only_theirs(gone) {
            if maildir::has_old_copy(root, &name.path).unwrap_or(false) {
                mail.add(name.path.clone());
            }
        }
        self.tell_what_is_left(store, &left, &mail);
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let known: BTreeSet<&str> = known.iter().map(|name| name.user.as_str()).collect();
        // Whoever shares a mailbox with somebody there cannot move: a person sees that the head is not empty, and why.
        let mut shared = overlap::on_one_store(&found, std::slice::from_ref(store));
        let [heads, clusters] =
            [&self.heads, &self.clusters].map(|stores| stores.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        let taken = overlap::with_our_names(&found, &heads, &clusters);
        shared.extend(taken.into_iter().filter(|pair| [pair.outer, pair.inner].iter().any(|user| user.home == *store)));
        if !shared.is_empty() {
            self.journal.trouble("audit", &format!("users on {store} share mailboxes: {}", overlap::shown(&shared)));
        }
        let (here, strangers): (Vec<&User>, Vec<&User>) =
            left.iter().partition(|user| known.contains(user.name.as_str()));
        let here = here.into_iter().map(|user| user.name.clone()).collect();
        let strangers =
            strangers.into_iter().filter(|user| !shared.iter().any(|pair| [pair.outer, pair.inner].contains(user)));
        let strangers = strangers.map(|user| {
            // One without a Maildir yet has no size; its copy will tell.
            let totals = maildir::measure(root, Path::new(&user.path)).unwrap_or_default();
            (Named { name: user.name.clone(), path: user.path.clone() }, totals.bytes)
        });
        let users_left = u32::try_from(left.len() + unusable.len()).unwrap_or(u32::MAX);
        Ok(Audit { users_left, folders_left: mail.folders, strangers: strangers.collect(), known: here })
    }

    /// Those whose mailboxes nobody else has, as after a renaming.
    fn only_theirs<'n>(&self, gone: &'n [Name]) -> impl Iterator<Item = &'n Name> {
        let users: BTreeSet<&str> = gone.iter().map(|name| name.user.as_str()).collect();
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let others = known.iter().filter(|name| !gone.is_empty() && !users.contains(name.user.as_str()));
        let others: BTreeSet<PathBuf> = others.map(|name| name.path.clone()).collect();
        gone.iter().filter(move |name| !others.contains(&name.path))
    }

    /// Names the mail on a head that belongs to none of the users there: nobody moves it, and a person has to see to it.
    fn tell_what_is_left(&self, store: &str, users: &[&User], mail: &Left) {
        let of_nobody = |path: &&PathBuf| !users.iter().any(|user| path.starts_with(&user.path));
        let nobodys: Vec<String> = mail.first.iter().filter(of_nobody).map(|path| path.display().to_string()).collect();
        if nobodys.is_empty() {
            return;
        }
        let shown = nobodys.join(", ");
        let more = if mail.first.len() < mail.folders as usize {
            format!(", of {} in all", mail.folders)
        } else {
            String::new()
        };
        let why = format!(
            "{store} holds mail of nobody whom the directory has there: {shown}{more}; take it away, then `resume`"
        );
        self.journal.trouble("audit", &why);
    }
}
