//! The copy's way into its place at the target, and back.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, unlinkat};
use rustix::io::{Errno, read, write};

use super::dir;
use super::error::{MailError, Side};
use super::name::{PLACED, os};
use super::root::Root;

/// Puts an arrived copy in its place, durably. Fine when it is there already and nothing arrives any more.
///
/// # Errors
///
/// `Taken` when something stands at the place, `Gone` when neither is there.
pub fn place(root: &Root, arriving: &Path, path: &Path) -> Result<(), MailError> {
    let from = root.parent(arriving, Side::Target)?;
    let to = root.parent(path, Side::Target)?;
    let names = [arriving, path].map(|one| one.file_name().unwrap_or_default().as_encoded_bytes());
    let failed = |errno| Side::Target.failed(path)(errno);
    let is_dir = |stat: Option<rustix::fs::Stat>| stat.is_some_and(|stat| dir::kind(&stat) == FileType::Directory);
    let arrived = is_dir(dir::look(&from, names[0]).map_err(failed)?);
    let there = dir::look(&to, names[1]).map_err(failed)?;
    match (arrived, there) {
        (true, None) => match dir::rename_to_free(&from, names[0], &to, names[1]) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(taken(root, path)),
            Err(errno) => return Err(failed(errno)),
        },
        // It was renamed before, perhaps without time to become durable.
        (false, Some(stat)) if dir::kind(&stat) == FileType::Directory => {}
        (_, Some(_)) => return Err(taken(root, path)),
        (false, None) => return Err(MailError::Gone),
    }
    dir::settle(&to).map_err(failed)?;
    dir::settle(&from).map_err(failed)
}

/// Looks whether a place is free for a copy, or has a mark, so that what stands there may be ours and is looked at again when
/// nothing else can come there.
///
/// # Errors
///
/// `Taken` when something stands there; whatever keeps it from being looked at.
pub fn is_free(root: &Root, path: &Path) -> Result<(), MailError> {
    let (parent, mark) = match mark_of(root, path) {
        Err(MailError::Gone) => return Ok(()),
        other => other?,
    };
    let failed = |errno| Side::Target.failed(path)(errno);
    let there = dir::look(&parent, path.file_name().unwrap_or_default().as_encoded_bytes()).map_err(failed)?;
    let free = there.is_none() || dir::look(&parent, &mark).map_err(failed)?.is_some();
    if free { Ok(()) } else { Err(taken(root, path)) }
}

/// Whether a copy, or something like one, stands where one is to arrive.
///
/// # Errors
///
/// Whatever keeps that from being seen.
pub fn has_arrived(root: &Root, arriving: &Path) -> Result<bool, MailError> {
    let parent = match root.parent(arriving, Side::Target) {
        Err(MailError::Gone) => return Ok(false),
        other => other?,
    };
    let name = arriving.file_name().unwrap_or_default().as_encoded_bytes();
    Ok(dir::look(&parent, name).map_err(Side::Target.failed(arriving))?.is_some())
}

/// Takes a copy out of its place again, durably: undoes `place`.
///
/// # Errors
///
/// As for `place`.
pub fn take_back(root: &Root, path: &Path, arriving: &Path) -> Result<(), MailError> {
    place(root, path, arriving)
}

/// Begins a mark's text; the epoch of the user who does not live there yet follows.
const TEXT: &str = "drawdown: a copy of a mailbox that has not moved yet, of epoch ";

/// Marks a free place, durably, before a copy is put there: whoever finds the user at this epoch elsewhere knows that nobody
/// lives in what stands there then.
///
/// # Errors
///
/// `Taken` when something stands at the place; whatever keeps the mark from being written.
pub fn mark_placed(root: &Root, path: &Path, epoch: i64) -> Result<(), MailError> {
    let (parent, mark) = mark_of(root, path)?;
    let temporary = [&mark[..], b".new"].concat();
    let failed = |errno| Side::Target.failed(path)(errno);
    let there = dir::look(&parent, path.file_name().unwrap_or_default().as_encoded_bytes()).map_err(failed)?;
    if there.is_some() {
        return Err(taken(root, path));
    }
    remove_file(&parent, &temporary).map_err(failed)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let text = format!("{TEXT}{epoch}\n");
    let made = openat(&parent, os(&temporary), flags, Mode::RUSR | Mode::WUSR).and_then(|file| {
        let written = write(&file, text.as_bytes())?;
        rustix::fs::fsync(&file)?;
        if written == text.len() { Ok(()) } else { Err(Errno::NOSPC) }
    });
    made.and_then(|()| remove_file(&parent, &mark))
        .and_then(|()| dir::rename_to_free(&parent, &temporary, &parent, &mark))
        .map_err(failed)?;
    dir::settle(&parent).map_err(failed)
}

/// Removes a mark. Fine without one.
///
/// # Errors
///
/// Whatever keeps it from being removed.
pub fn unmark_placed(root: &Root, path: &Path) -> Result<(), MailError> {
    let (parent, mark) = match mark_of(root, path) {
        Err(MailError::Gone) => return Ok(()),
        other => other?,
    };
    let failed = |errno| Side::Target.failed(path)(errno);
    for name in [[&mark[..], b".new"].concat(), mark] {
        remove_file(&parent, &name).map_err(failed)?;
    }
    dir::settle(&parent).map_err(failed)
}

/// Removes what stands at a place whose mark has this epoch, the mark last. Fine without such a mark: then what stands there
/// is somebody's.
///
/// # Errors
///
/// As for `discard`.
pub fn unplace(root: &Root, path: &Path, epoch: i64) -> Result<(), MailError> {
    let (parent, mark) = match mark_of(root, path) {
        Err(MailError::Gone) => return Ok(()),
        other => other?,
    };
    let failed = |errno| Side::Target.failed(path)(errno);
    match dir::look(&parent, &mark).map_err(failed)? {
        Some(stat) if dir::kind(&stat) == FileType::RegularFile => {}
        Some(_) | None => return Ok(()),
    }
    let mut text = [0; 128];
    let length = dir::open_file(&parent, &mark).and_then(|file| read(&file, &mut text)).map_err(failed)?;
    if text[..length] == *format!("{TEXT}{epoch}\n").as_bytes() {
        discard(root, path)?;
    }
    unmark_placed(root, path)
}

fn mark_of(root: &Root, path: &Path) -> Result<(OwnedFd, Vec<u8>), MailError> {
    let parent = root.parent(path, Side::Target)?;
    Ok((parent, [path.file_name().unwrap_or_default().as_encoded_bytes(), PLACED.as_bytes()].concat()))
}

fn remove_file(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
    match unlinkat(parent, os(name), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Removes a directory with all that is in it, such as an unfinished copy. Fine when it is missing.
///
/// # Errors
///
/// `Special` when something else than a directory stands there; whatever keeps an entry from being removed.
pub fn discard(root: &Root, path: &Path) -> Result<(), MailError> {
    let parent = match root.parent(path, Side::Target) {
        Err(MailError::Gone) => return Ok(()),
        other => other?,
    };
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let failed = |errno| Side::Target.failed(path)(errno);
    match dir::look(&parent, name).map_err(failed)? {
        None => return Ok(()),
        Some(stat) if dir::kind(&stat) == FileType::Directory => dir::remove(&parent, name).map_err(failed)?,
        Some(_) => return Err(MailError::Special { what: path.display().to_string() }),
    }
    dir::settle(&parent).map_err(failed)
}

fn taken(root: &Root, path: &Path) -> MailError {
    MailError::Taken { what: root.shown(path) }
}
