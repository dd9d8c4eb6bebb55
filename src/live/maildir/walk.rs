//! The folders and messages of a mailbox, Maildir++ and nested alike.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, fstat};

use super::dir::{self, Attr};
use super::error::{MailError, Side, is_gone};
use super::name::{Part, Place, is_no_message, os, stays_behind};

/// A directory of a mailbox other than `cur`, `new` and `tmp`.
#[derive(Debug)]
pub(super) struct Folder {
    /// Below the mailbox; empty for the mailbox itself.
    pub(super) path: PathBuf,
    pub(super) attr: Attr,
    /// By `Part::ALL`; none where there is no such directory.
    pub(super) parts: [Option<Attr>; 3],
    /// The regular files beside the messages.
    pub(super) files: BTreeSet<Vec<u8>>,
}

impl Folder {
    pub(super) fn has(&self, part: Part) -> bool {
        self.parts[part as usize].is_some()
    }

    /// It can hold messages.
    pub(super) fn is_mail(&self) -> bool {
        Part::MAIL.iter().any(|part| self.has(*part))
    }
}

/// The messages of a folder, by place, with their inodes.
pub(super) type Seen = BTreeMap<Place, u64>;

/// The tree that is walked: which side it is on, and whether somebody works in it, so that what has just been listed may
/// be gone.
#[derive(Clone, Copy)]
pub(super) struct Ground {
    pub(super) side: Side,
    pub(super) live: bool,
}

/// The folders of a mailbox by path. Links, devices, pipes and sockets are refused.
pub(super) fn folders(mailbox: &OwnedFd, ground: Ground) -> Result<Vec<Folder>, MailError> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        match dir::open(mailbox, &path) {
            Ok(handle) => found.push(folder(&handle, path, &mut waiting, ground)?),
            Err(errno) if is_gone(errno) && ground.live => {}
            Err(errno) => return Err(ground.side.failed(path)(errno)),
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// The messages of a folder.
pub(super) fn messages(mailbox: &OwnedFd, folder: &Folder, ground: Ground) -> Result<Seen, MailError> {
    let mut seen = Seen::new();
    for part in Part::MAIL.into_iter().filter(|part| folder.has(*part)) {
        seen.extend(messages_of(mailbox, &folder.path, part, ground)?);
    }
    Ok(seen)
}

/// The messages of a part of a folder. A directory among messages is refused: nobody would see that it stayed behind.
pub(super) fn messages_of(
    mailbox: &OwnedFd,
    folder: &Path,
    part: Part,
    ground: Ground,
) -> Result<Vec<(Place, u64)>, MailError> {
    let path = part_of(folder, part);
    let entries = match dir::open(mailbox, &path).and_then(|handle| dir::list(&handle)) {
        Ok(entries) => entries,
        Err(errno) if is_gone(errno) && ground.live => return Ok(Vec::new()),
        Err(errno) => return Err(ground.side.failed(path)(errno)),
    };
    let mut messages = Vec::with_capacity(entries.len());
    for entry in entries.into_iter().filter(|entry| !is_no_message(&entry.name)) {
        if entry.kind != FileType::RegularFile {
            return Err(MailError::Special { what: path.join(os(&entry.name)).display().to_string() });
        }
        messages.push((Place { name: entry.name, part }, entry.inode));
    }
    Ok(messages)
}

fn folder(handle: &OwnedFd, path: PathBuf, waiting: &mut Vec<PathBuf>, ground: Ground) -> Result<Folder, MailError> {
    let failed = |errno| ground.side.failed(&path)(errno);
    let attr = Attr::of(&fstat(handle).map_err(failed)?);
    let mut parts = [None; 3];
    let mut files = BTreeSet::new();
    for entry in dir::list(handle).map_err(failed)? {
        match (entry.kind, Part::named(&entry.name)) {
            (FileType::Directory, Some(part)) => {
                parts[part as usize] = dir::look(handle, &entry.name).map_err(failed)?.map(|stat| Attr::of(&stat));
            }
            (FileType::Directory, None) => waiting.push(path.join(os(&entry.name))),
            _ if stays_behind(&entry.name) => {}
            (FileType::RegularFile, _) => {
                files.insert(entry.name);
            }
            _ => return Err(MailError::Special { what: path.join(os(&entry.name)).display().to_string() }),
        }
    }
    Ok(Folder { path, attr, parts, files })
}

/// The directory of a part of a folder.
pub(super) fn part_of(folder: &Path, part: Part) -> PathBuf {
    folder.join(part.name())
}
