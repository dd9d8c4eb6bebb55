//! Directories by handle: opened, listed, made, made durable, removed.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Uid, fchmod, fchown, fstat, mkdirat,
    openat, openat2, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::{Errno, Result};

use super::error::is_gone;
use super::name::os;

/// Directories within each other, at most.
const DEPTH: usize = 128;

/// Who owns something, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attr {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Attr {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid }
    }

    /// Gives these to something that has `now`, owner first: a change of owner takes bits of the mode away.
    pub(super) fn give(self, to: &OwnedFd, now: Self) -> Result<()> {
        let owned = (now.uid, now.gid) != (self.uid, self.gid);
        if owned {
            fchown(to, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))?;
        }
        if owned || now.mode != self.mode {
            fchmod(to, Mode::from_raw_mode(self.mode))?;
        }
        Ok(())
    }
}

/// What a file must have kept when its copy stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) attr: Attr,
    pub(super) size: u64,
    pub(super) seconds: i64,
    pub(super) nanos: i64,
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            attr: Attr::of(stat),
            size: stat.st_size as u64,
            seconds: stat.st_mtime,
            nanos: stat.st_mtime_nsec as i64,
        }
    }

    /// Whether a copy has this stamp, as far as its file system can keep it: some round times down.
    pub(super) fn is_kept_by(self, copy: Self) -> bool {
        let time = self.seconds == copy.seconds
            && [1, 100, 1000, 1_000_000, 1_000_000_000]
                .iter()
                .any(|grain| self.nanos - self.nanos % grain == copy.nanos);
        time && self.attr == copy.attr && self.size == copy.size
    }
}

/// An entry of a directory.
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: FileType,
    pub(super) inode: u64,
}

/// Opens a directory below a handle. No component may be a link, and none may lead out.
pub(super) fn open(at: &OwnedFd, path: &Path) -> Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(at, path, flags, Mode::empty(), inside)
}

/// Opens a file of a directory for reading, without a trace in its access time where that is allowed.
pub(super) fn open_file(at: &OwnedFd, name: &[u8]) -> Result<OwnedFd> {
    // A pipe put in the file's place must not make us wait.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(at, os(name), flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(at, os(name), flags, Mode::empty()),
        other => other,
    }
}

/// What stands under a name, itself and not what it points to. None: nothing does.
pub(super) fn look(at: &OwnedFd, name: &[u8]) -> Result<Option<Stat>> {
    match statat(at, os(name), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(errno) if is_gone(errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The entries of a directory, in its own order.
pub(super) fn list(dir: &OwnedFd) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match look(dir, name)? {
                Some(stat) => kind(&stat),
                None => continue,
            },
            known => known,
        };
        entries.push(Entry { name: name.to_vec(), kind, inode: entry.ino() });
    }
    Ok(entries)
}

/// Makes a directory unless it is there, with these attributes. True: something changed.
pub(super) fn make(at: &OwnedFd, name: &[u8], attr: Attr) -> Result<bool> {
    let made = match mkdirat(at, os(name), Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno),
    };
    let dir = open(at, Path::new(os(name)))?;
    let now = Attr::of(&fstat(&dir)?);
    attr.give(&dir, now)?;
    Ok(made || now != attr)
}

/// Makes a directory's entries durable.
pub(super) fn settle(dir: &OwnedFd) -> Result<()> {
    rustix::fs::fsync(dir)
}

/// Renames, and fails with `EXIST` when the new name is taken.
pub(super) fn rename_to_free(from: &OwnedFd, old: &[u8], to: &OwnedFd, new: &[u8]) -> Result<()> {
    match renameat_with(from, os(old), to, os(new), RenameFlags::NOREPLACE) {
        // NFS knows no such rename. What is left open is small: a directory replaces an empty directory and nothing else.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match look(to, new)? {
            Some(_) => Err(Errno::EXIST),
            None => renameat(from, os(old), to, os(new)),
        },
        other => other,
    }
}

/// Removes a directory with all that is in it.
pub(super) fn remove(at: &OwnedFd, name: &[u8]) -> Result<()> {
    let dir = open(at, Path::new(os(name)))?;
    empty(&dir, DEPTH)?;
    unlinkat(at, os(name), AtFlags::REMOVEDIR)
}

fn empty(dir: &OwnedFd, depth: usize) -> Result<()> {
    if depth == 0 {
        return Err(Errno::NAMETOOLONG);
    }
    for entry in list(dir)? {
        if entry.kind == FileType::Directory {
            empty(&open(dir, Path::new(os(&entry.name)))?, depth - 1)?;
            unlinkat(dir, os(&entry.name), AtFlags::REMOVEDIR)?;
        } else {
            unlinkat(dir, os(&entry.name), AtFlags::empty())?;
        }
    }
    Ok(())
}
