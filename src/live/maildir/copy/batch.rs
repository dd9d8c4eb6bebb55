//! Copies get their final names in batches, after their content is durable and before their directories are.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blake3::Hash;
use rustix::fs::{AtFlags, linkat, renameat, syncfs, unlinkat};

use super::super::dir::{self, Stamp};
use super::super::error::{MailError, Side, is_gone};
use super::super::name::{Place, STAGED, os};
use super::super::walk::part_of;
use super::held::Message;
use super::{Copy, Job, Kind};

/// Files in a batch, at most: what an interruption costs, against a flush of the disk for each batch.
const FILES: usize = 1_024;
/// Bytes after which a batch is full.
const BYTES: u64 = 128_000_000;

/// A copy that waits for its name.
pub(super) struct Staged {
    pub(super) temporary: String,
    pub(super) folder: Arc<Path>,
    pub(super) place: Place,
    pub(super) message: Message,
    /// What it is to be a further name of; nothing has been written then.
    pub(super) link: Option<(Arc<Path>, Place)>,
}

/// What waits for its name, and the directories that are not durable yet.
#[derive(Default)]
pub(super) struct Batch {
    staged: Vec<Staged>,
    bytes: u64,
    /// Below the mailbox.
    touched: BTreeSet<PathBuf>,
    /// What its temporary names begin with, after what all begin with.
    number: i64,
    names: u64,
}

/// Temporary files to be removed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of this copy's instance.
    Ours,
    /// Those of earlier instances, too.
    All,
}

impl Batch {
    pub(super) fn number(&mut self, number: i64) {
        self.number = number;
    }

    /// A name below the mailbox's own directory that no reader of a Maildir looks at.
    pub(super) fn temporary(&mut self) -> String {
        self.names += 1;
        format!("{}{}", self.prefix(), self.names)
    }

    fn prefix(&self) -> String {
        format!("{STAGED}{}-", self.number)
    }

    pub(super) fn touched(&mut self, dir: &Path) {
        if !self.touched.contains(dir) {
            self.touched.insert(dir.to_owned());
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.staged.len() >= FILES || self.bytes >= BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    pub(super) fn stage(&mut self, staged: Staged) {
        self.bytes += staged.message.stamp.size;
        self.staged.push(staged);
    }

    /// A staged copy of an inode of the source that still looks like this.
    pub(super) fn links(&self, inode: u64, stamp: Stamp) -> Option<(Arc<Path>, Place, Hash)> {
        let same = |staged: &&Staged| staged.message.inode == inode && staged.message.stamp == stamp;
        self.staged.iter().find(same).map(|one| (Arc::clone(&one.folder), one.place.clone(), one.message.hash))
    }

    /// Whether something staged is to be a further name of this.
    pub(super) fn links_to(&self, folder: &Path, place: &Place) -> bool {
        let links = self.staged.iter().filter_map(|staged| staged.link.as_ref());
        links.into_iter().any(|(at, name)| **at == *folder && name == place)
    }

    /// Forgets what has no final name, and removes it.
    pub(super) fn abandon(&mut self, target: &OwnedFd, whose: Whose) -> Result<(), MailError> {
        self.staged.clear();
        self.bytes = 0;
        let begins = if whose == Whose::Ours { self.prefix() } else { STAGED.to_owned() };
        let failed = |errno| Side::Target.failed("temporary files")(errno);
        for entry in dir::list(target).map_err(failed)? {
            if entry.name.starts_with(begins.as_bytes()) {
                unlinkat(target, os(&entry.name), AtFlags::empty()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Makes the directories durable whose entries changed.
    pub(super) fn settle(&mut self, target: &OwnedFd) -> Result<(), MailError> {
        while let Some(path) = self.touched.first() {
            match dir::open(target, path).and_then(|handle| dir::settle(&handle)) {
                Ok(()) => {}
                // Removed since.
                Err(errno) if is_gone(errno) => {}
                Err(errno) => return Err(Side::Target.failed(path)(errno)),
            }
            self.touched.pop_first();
        }
        Ok(())
    }
}

impl Copy {
    /// Gives all staged copies their names, durably.
    pub(super) fn commit(&mut self, job: &Job<'_>) -> Result<(), MailError> {
        if !self.batch.is_empty() && job.kind == Kind::Bulk {
            syncfs(&job.target).map_err(Side::Target.failed(&self.arriving))?;
        }
        // Files come folder by folder.
        let mut last: Option<(PathBuf, OwnedFd)> = None;
        for staged in std::mem::take(&mut self.batch.staged) {
            let part = part_of(&staged.folder, staged.place.part);
            let handle = match last {
                Some((path, handle)) if path == part => handle,
                _ => dir::open(&job.target, &part).map_err(Side::Target.failed(&part))?,
            };
            self.name(job, &handle, staged)?;
            self.batch.touched(&part);
            last = Some((part, handle));
        }
        self.batch.bytes = 0;
        self.batch.settle(&job.target)
    }

    fn name(&mut self, job: &Job<'_>, part: &OwnedFd, staged: Staged) -> Result<(), MailError> {
        let failed = |errno| Side::Target.failed(staged.place.shown(&staged.folder))(errno);
        if let Some((folder, place)) = &staged.link {
            let other = dir::open(&job.target, &part_of(folder, place.part)).map_err(failed)?;
            linkat(&other, os(&place.name), &job.target, &*staged.temporary, AtFlags::empty()).map_err(failed)?;
        }
        renameat(&job.target, &*staged.temporary, part, os(&staged.place.name)).map_err(failed)?;
        if staged.link.is_some() {
            // Renaming one name of a file to another name of the same file does nothing at all.
            match unlinkat(&job.target, &*staged.temporary, AtFlags::empty()) {
                Err(errno) if !is_gone(errno) => return Err(failed(errno)),
                _ => {}
            }
        }
        self.held.put(&staged.folder, staged.place, staged.message);
        Ok(())
    }
}
