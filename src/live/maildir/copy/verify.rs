//! Comparison: content read back before the hold, everything else inside it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::syncfs;

use super::super::audit::Totals;
use super::super::dir::{self, Stamp};
use super::super::error::{Gate, MailError, Open, Side, is_gone};
use super::super::name::{Place, os};
use super::super::walk::{self, Folder, Ground, Seen, part_of};
use super::stream::{self, CHUNK};
use super::{Copy, TARGET};

/// Nobody works in the source any more.
const SOURCE: Ground = Ground { side: Side::Source, live: false };

/// Both sides of a mailbox.
struct Trees {
    source: OwnedFd,
    target: OwnedFd,
}

impl Copy {
    /// Reads every copy back that has not been read back yet, past the page cache, and compares it with what was read at
    /// the source. To be done before the hold: what is read here is not read there.
    ///
    /// # Errors
    ///
    /// `Differs` for a copy with other content or none; the next `delta` copies it again.
    pub fn rehash(&mut self, gate: &dyn Gate) -> Result<(), MailError> {
        let target = self.to.mailbox(&self.arriving, Side::Target)?;
        // Only what has been written leaves the page cache. What an earlier, interrupted copy left may not have been, and a
        // sync for each file would ask the disk to flush each time.
        if self.unsynced {
            syncfs(&target).map_err(Side::Target.failed(&self.arriving))?;
            self.unsynced = false;
        }
        let mut last: Option<(PathBuf, OwnedFd)> = None;
        for (folder, place) in self.held.unverified() {
            let Some(wanted) = self.held.get(&folder, &place).map(|message| message.hash) else { continue };
            let part = part_of(&folder, place.part);
            let handle = match last {
                Some((path, handle)) if path == part => handle,
                _ => dir::open(&target, &part).map_err(Side::Target.failed(&part))?,
            };
            let shown = place.shown(&folder);
            let there = dir::look(&handle, &place.name).map_err(Side::Target.failed(&shown))?.is_some();
            let side = (Side::Target, &*shown);
            if !there || stream::reread(&handle, &place.name, side, &mut self.buffer, gate)? != wanted {
                self.held.forget(&folder, &place);
                return Err(differs(&shown, "not the content that was read at the source"));
            }
            self.held.verified(&folder, &place);
            last = Some((part, handle));
        }
        Ok(())
    }

    /// Compares both sides while nobody works in either: names (with them flags), sizes, times, owners and modes of all
    /// messages, the content of those that `rehash` has not read back, the content of all files beside the messages.
    ///
    /// # Errors
    ///
    /// `Differs` with the first difference, whichever side it is on; `Stopped` by the gate.
    pub fn verify(&self, gate: &dyn Gate) -> Result<Totals, MailError> {
        let trees = Trees {
            source: self.from.mailbox(&self.path, Side::Source)?,
            target: self.to.mailbox(&self.arriving, Side::Target)?,
        };
        let ours = walk::folders(&trees.source, SOURCE)?;
        let theirs = walk::folders(&trees.target, TARGET)?;
        let mut buffer = vec![0; CHUNK];
        let mut totals = Totals::default();
        let paths = |folders: &[Folder]| folders.iter().map(|folder| folder.path.clone()).collect::<Vec<_>>();
        same_names(&paths(&ours), &paths(&theirs))?;
        for (source, target) in ours.iter().zip(&theirs) {
            if (source.attr, source.parts) != (target.attr, target.parts) {
                return Err(differs(&source.path, "other owner, mode or parts"));
            }
            let files =
                |folder: &Folder| folder.files.iter().map(|name| folder.path.join(os(name))).collect::<Vec<_>>();
            same_names(&files(source), &files(target))?;
            let counted = self.verify_messages(&trees, (source, target), (&mut buffer, gate))?;
            totals += counted;
            verify_files(&trees, source, &mut buffer)?;
        }
        Ok(totals)
    }

    fn verify_messages(
        &self,
        trees: &Trees,
        (source, target): (&Folder, &Folder),
        (buffer, gate): (&mut [u8], &dyn Gate),
    ) -> Result<Totals, MailError> {
        let ours = walk::messages(&trees.source, source, SOURCE)?;
        let theirs = walk::messages(&trees.target, target, TARGET)?;
        let shown = |seen: &Seen| seen.keys().map(|place| place.shown(&source.path)).collect::<Vec<_>>();
        if ours.keys().ne(theirs.keys()) {
            same_names(&shown(&ours), &shown(&theirs))?;
        }
        let mut totals = Totals { folders: u32::from(source.is_mail()), ..Totals::default() };
        let mut last: Option<(PathBuf, Trees)> = None;
        for place in ours.keys() {
            gate.pass(0)?;
            let part = part_of(&source.path, place.part);
            let both = match last {
                Some((path, both)) if path == part => both,
                _ => trees.below(&part)?,
            };
            totals.count(self.verify_message(&both, &source.path, place, buffer)?);
            last = Some((part, both));
        }
        Ok(totals)
    }

    /// Compares one message; its size.
    fn verify_message(&self, both: &Trees, folder: &Path, place: &Place, buffer: &mut [u8]) -> Result<u64, MailError> {
        let shown = place.shown(folder);
        let (inode, source) = stamp(&both.source, &place.name, (Side::Source, &shown))?;
        let (_, target) = stamp(&both.target, &place.name, (Side::Target, &shown))?;
        if !source.is_kept_by(target) {
            return Err(differs(&shown, "other size, time, owner or mode"));
        }
        let known = self.held.get(folder, place).filter(|known| known.inode == inode && known.stamp == source);
        if known.is_some_and(|known| known.verified) {
            return Ok(source.size);
        }
        let wanted = match known {
            Some(known) => known.hash,
            None => stream::reread(&both.source, &place.name, (Side::Source, &shown), buffer, &Open)?,
        };
        if stream::reread(&both.target, &place.name, (Side::Target, &shown), buffer, &Open)? != wanted {
            return Err(differs(&shown, "other content"));
        }
        Ok(source.size)
    }
}

impl Trees {
    fn below(&self, path: &Path) -> Result<Self, MailError> {
        let source = dir::open(&self.source, path).map_err(Side::Source.failed(path))?;
        let target = dir::open(&self.target, path).map_err(Side::Target.failed(path))?;
        Ok(Self { source, target })
    }
}

fn verify_files(trees: &Trees, folder: &Folder, buffer: &mut [u8]) -> Result<(), MailError> {
    if folder.files.is_empty() {
        return Ok(());
    }
    let both = trees.below(&folder.path)?;
    for name in &folder.files {
        let path = folder.path.join(os(name));
        let (_, source) = stamp(&both.source, name, (Side::Source, &path))?;
        let (_, target) = stamp(&both.target, name, (Side::Target, &path))?;
        if !source.is_kept_by(target) {
            return Err(differs(&path, "other size, time, owner or mode"));
        }
        let ours = stream::reread(&both.source, name, (Side::Source, &path), buffer, &Open)?;
        if stream::reread(&both.target, name, (Side::Target, &path), buffer, &Open)? != ours {
            return Err(differs(&path, "other content"));
        }
    }
    Ok(())
}

fn stamp(at: &OwnedFd, name: &[u8], (side, shown): (Side, &Path)) -> Result<(u64, Stamp), MailError> {
    match dir::look(at, name) {
        Ok(Some(stat)) => Ok((stat.st_ino, Stamp::of(&stat))),
        Ok(None) => Err(differs(shown, "gone while it was compared")),
        Err(errno) if is_gone(errno) => Err(differs(shown, "gone while it was compared")),
        Err(errno) => Err(side.failed(shown)(errno)),
    }
}

/// The first name that only one of two sorted lists has.
fn same_names(ours: &[PathBuf], theirs: &[PathBuf]) -> Result<(), MailError> {
    let only =
        |these: &[PathBuf], those: &[PathBuf]| these.iter().find(|path| those.binary_search(path).is_err()).cloned();
    if let Some(path) = only(ours, theirs) {
        return Err(differs(&path, "not at the target"));
    }
    match only(theirs, ours) {
        Some(path) => Err(differs(&path, "not at the source")),
        None => Ok(()),
    }
}

fn differs(path: &Path, how: &str) -> MailError {
    MailError::Differs { what: format!("{}: {how}", path.display()) }
}
