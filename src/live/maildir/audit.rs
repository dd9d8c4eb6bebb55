//! What is there, and what has been left behind.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::dir;
use super::error::{MailError, Side, is_gone};
use super::fence::is_fence;
use super::name::{MOVING, PURGING, Part, is_no_message, os, stated_size};
use super::root::{OURS, Root};
use super::walk::{self, Ground, part_of};
use crate::units::Bytes;

/// What a mailbox holds. A message with two names counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The messages' sizes.
    pub bytes: Bytes,
    /// Its messages.
    pub messages: u32,
    /// Its folders that can hold messages.
    pub folders: u32,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.messages += other.messages;
        self.folders += other.folders;
    }
}

impl Totals {
    /// Counts a message of this size.
    pub(super) fn count(&mut self, size: u64) {
        self.messages += 1;
        self.bytes += Bytes::new(size);
    }
}

/// Messages and bytes of a mailbox that may be in use, by the sizes that names state (`,S=`), by the files' sizes where
/// they state none. A stated size is the message's: compressed files are smaller.
///
/// # Errors
///
/// `Gone` without a mailbox; whatever keeps a folder from being listed.
pub fn measure(root: &Root, path: &Path) -> Result<Totals, MailError> {
    totals(&root.mailbox(path, Side::Source)?)
}

/// Whether a mailbox stands at a place.
///
/// # Errors
///
/// Whatever keeps that from being seen.
pub fn is_there(root: &Root, path: &Path) -> Result<bool, MailError> {
    let parent = match root.parent(path, Side::Source) {
        Err(MailError::Gone) => return Ok(false),
        other => other?,
    };
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let found = dir::look(&parent, name).map_err(Side::Source.failed(path))?;
    Ok(found.is_some_and(|stat| dir::kind(&stat) == FileType::Directory))
}

/// The messages in a mailbox that was made again at the old place; 0 if the fence alone is there, or nothing.
///
/// # Errors
///
/// Whatever keeps a folder from being listed.
pub fn stray(root: &Root, path: &Path) -> Result<u32, MailError> {
    let parent = match root.parent(path, Side::Source) {
        Err(MailError::Gone) => return Ok(0),
        other => other?,
    };
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    match dir::look(&parent, name).map_err(Side::Source.failed(path))? {
        Some(stat) if dir::kind(&stat) == FileType::Directory => Ok(measure(root, path)?.messages),
        _ => Ok(0),
    }
}

/// Folders that hold mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// How many they are.
    pub folders: u32,
    /// The first ones that were found, below the store's root.
    pub first: Vec<PathBuf>,
}

impl Left {
    /// Counts one more.
    pub fn add(&mut self, path: PathBuf) {
        self.folders = self.folders.saturating_add(1);
        if self.first.len() < NAMED {
            self.first.push(path);
        }
    }
}

/// So many are told by their names.
const NAMED: usize = 8;

/// Folders with messages anywhere below a root, other than behind a fence, in the mailboxes `except`, and in what this program
/// has put at the root. Links are not followed.
///
/// # Errors
///
/// Whatever keeps a directory from being listed.
pub fn folders_left(root: &Root, except: &BTreeSet<PathBuf>) -> Result<Left, MailError> {
    let mut left = Left::default();
    let top = root.handle().map_err(Side::Source.failed(""))?;
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let failed = |errno| Side::Source.failed(&path)(errno);
        let entries = match dir::open(top, &path).and_then(|handle| Ok((dir::list(&handle)?, handle))) {
            Ok(entries) => entries,
            Err(errno) if is_gone(errno) => continue,
            Err(errno) => return Err(failed(errno)),
        };
        let (entries, handle) = entries;
        let mut mail = false;
        for entry in entries.iter().filter(|entry| entry.kind == FileType::Directory) {
            match Part::named(&entry.name) {
                Some(Part::Tmp) => {}
                Some(part) => mail |= has_mail(top, &part_of(&path, part))?,
                // What an interrupted preflight has left is nobody's mail.
                None if path.as_os_str().is_empty() && entry.name.starts_with(OURS) => {}
                None if is_fenced_off(&handle, &entry.name).map_err(failed)? => {}
                None => waiting.extend(Some(path.join(os(&entry.name))).filter(|inner| !except.contains(inner))),
            }
        }
        if mail {
            left.add(path);
        }
    }
    Ok(left)
}

/// What a mailbox holds whose directory is open.
pub(super) fn totals(mailbox: &OwnedFd) -> Result<Totals, MailError> {
    let ground = Ground { side: Side::Source, live: true };
    let mut totals = Totals::default();
    for folder in walk::folders(mailbox, ground)? {
        totals.folders += u32::from(folder.is_mail());
        let mut last: Option<(Part, OwnedFd)> = None;
        for place in walk::messages(mailbox, &folder, ground)?.keys() {
            if let Some(size) = stated_size(&place.name) {
                totals.count(size);
                continue;
            }
            let path = part_of(&folder.path, place.part);
            let handle = match last {
                Some((part, handle)) if part == place.part => handle,
                _ => match dir::open(mailbox, &path) {
                    Ok(handle) => handle,
                    Err(errno) if is_gone(errno) => break,
                    Err(errno) => return Err(Side::Source.failed(path)(errno)),
                },
            };
            // One that was renamed or expunged since is not worth a second listing.
            if let Some(stat) = dir::look(&handle, &place.name).map_err(Side::Source.failed(path))? {
                totals.count(stat.st_size as u64);
            }
            last = Some((place.part, handle));
        }
    }
    Ok(totals)
}

fn has_mail(root: &OwnedFd, path: &Path) -> Result<bool, MailError> {
    match dir::open(root, path).and_then(|handle| dir::list(&handle)) {
        Ok(entries) => Ok(entries.iter().any(|entry| !is_no_message(&entry.name))),
        Err(errno) if is_gone(errno) => Ok(false),
        Err(errno) => Err(Side::Source.failed(path)(errno)),
    }
}

/// Whether a directory is a mailbox behind its fence, and no folder that happens to be called so.
fn is_fenced_off(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<bool> {
    let plain = [MOVING, PURGING].iter().find_map(|ending| name.strip_suffix(ending.as_bytes()));
    match plain {
        Some(plain) => is_fence(parent, plain),
        None => Ok(false),
    }
}
