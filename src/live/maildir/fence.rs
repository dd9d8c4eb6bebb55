//! The source's place taken and given back, and its end.
//!
//! The mailbox stands beside its place, under a name with `.moving`, and a plain file stands in its place: whoever still
//! has the old path fails there rather than making the mailbox again. Where the file system can, both change places in
//! one step, and no moment is left in which nothing stands there.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, linkat, openat, renameat_with, unlinkat};
use rustix::io::{Errno, read, write};

use super::audit::{Totals, totals};
use super::dir;
use super::error::{MailError, Side};
use super::name::{MOVING, PURGING, os};
use super::root::Root;

/// A fence at a root that stands before nothing. A store may be full: another name for this one needs no room.
const SPARE: &str = ".drawdown-fence";
/// The whole content of a fence.
const TEXT: &str = "drawdown: this mailbox moves to other storage; its files stand beside this one\n";

/// A mailbox behind its fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Where its files are now, below the root.
    pub moving: PathBuf,
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Nothing,
    Mailbox,
    Fence,
    Other,
}

/// A place and the names beside it.
struct Site<'p> {
    root: &'p Root,
    parent: OwnedFd,
    path: &'p Path,
    plain: Vec<u8>,
    moving: Vec<u8>,
    purging: Vec<u8>,
}

/// Makes the fence that others are names of when there is no room for them. Fine when it is there.
///
/// # Errors
///
/// Whatever keeps it from being made: then a store that becomes full keeps its mailboxes until it has room.
pub fn keep_spare(root: &Root) -> Result<(), MailError> {
    let failed = |errno| Side::Source.failed(Path::new(SPARE))(errno);
    let top = root.handle().map_err(failed)?;
    if is_fence(top, SPARE.as_bytes()).map_err(failed)? {
        return Ok(());
    }
    let temporary = format!("{SPARE}.new").into_bytes();
    free(top, &temporary)
        .and_then(|()| write_fence(top, &temporary))
        .and_then(|()| dir::rename_to_free(top, &temporary, top, SPARE.as_bytes()))
        .and_then(|()| dir::settle(top))
        .map_err(failed)
}

/// Looks whether nothing stands where a mailbox is to be behind its fence: with its user held it would be found too late.
///
/// # Errors
///
/// `Taken` when something does; whatever keeps that from being seen.
pub fn can_be_fenced(root: &Root, path: &Path) -> Result<(), MailError> {
    let site = match Site::new(root, path) {
        Err(MailError::Gone) => return Ok(()),
        other => other?,
    };
    match site.stands()? {
        (Stand::Mailbox, Stand::Mailbox | Stand::Other) => {
            Err(MailError::Taken { what: root.shown(&path.with_file_name(os(&site.moving))) })
        }
        (Stand::Mailbox, Stand::Nothing | Stand::Fence) | (Stand::Nothing | Stand::Fence | Stand::Other, _) => Ok(()),
    }
}

/// Puts a mailbox behind a fence, durably. Fine when it is.
///
/// # Errors
///
/// `Gone` without a mailbox; `Differs` when a mailbox stands both at the place and behind the fence.
pub fn fence(root: &Root, path: &Path) -> Result<Fence, MailError> {
    let site = Site::new(root, path)?;
    match site.stands()? {
        (Stand::Fence, Stand::Mailbox) => {}
        (Stand::Mailbox, before @ (Stand::Nothing | Stand::Fence)) => {
            if before == Stand::Nothing {
                site.make_fence(&site.moving)?;
            }
            site.change_places()?;
        }
        // Interrupted where the two could not change places in one step.
        (Stand::Nothing, Stand::Mailbox) => site.make_fence(&site.plain)?,
        (Stand::Mailbox, Stand::Mailbox) => return Err(site.twice()),
        (Stand::Nothing | Stand::Fence, Stand::Nothing | Stand::Fence) => return Err(MailError::Gone),
        (Stand::Other, _) | (_, Stand::Other) => return Err(site.foreign()),
    }
    site.settle()?;
    Ok(Fence { moving: path.with_file_name(os(&site.moving)) })
}

/// Gives a mailbox its place back, durably: undoes `fence`. Fine when it has it.
///
/// # Errors
///
/// `Differs` when a mailbox was made again at the place: both are left as they are. `Gone` without a mailbox.
pub fn unfence(root: &Root, path: &Path) -> Result<(), MailError> {
    let site = Site::new(root, path)?;
    match site.stands()? {
        (Stand::Mailbox, Stand::Nothing) => {}
        (Stand::Mailbox, Stand::Fence) => site.unlink(&site.moving)?,
        (Stand::Fence, Stand::Mailbox) => {
            site.change_places()?;
            // There is none where the two could not change places in one step.
            if site.stand(&site.moving)? == Stand::Fence {
                site.unlink(&site.moving)?;
            }
        }
        (Stand::Nothing, Stand::Mailbox) => {
            match dir::rename_to_free(&site.parent, &site.moving, &site.parent, &site.plain) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Err(site.twice()),
                Err(errno) => return Err(site.failed(errno)),
            }
        }
        (Stand::Mailbox, Stand::Mailbox) => return Err(site.twice()),
        (Stand::Nothing | Stand::Fence, Stand::Nothing | Stand::Fence) => return Err(MailError::Gone),
        (Stand::Other, _) | (_, Stand::Other) => return Err(site.foreign()),
    }
    site.settle()
}

/// Whether a fence stands at a mailbox's place.
#[cfg(test)]
pub(super) fn is_fenced(root: &Root, path: &Path) -> Result<bool, MailError> {
    match Site::new(root, path) {
        Ok(site) => Ok(site.stand(&site.plain)? == Stand::Fence),
        Err(MailError::Gone) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the mailbox behind a fence and then the fence. Fine when both are gone; may be interrupted and called again.
/// `moved` is how many messages it held when it moved, where that is known.
///
/// # Errors
///
/// `Differs` when a mailbox stands at the place, or mail has come behind the fence since: nothing is removed then; and when
/// not even the folder is there in which both were, as where the store is not mounted. Whatever keeps an entry from being
/// removed.
pub fn purge(root: &Root, path: &Path, moved: Option<u32>) -> Result<Totals, MailError> {
    let site = match Site::new(root, path) {
        // A purge leaves the folder in which it has been.
        Err(MailError::Gone) => return Err(nowhere(path)),
        other => other?,
    };
    let (plain, moving) = site.stands()?;
    match (plain, moving) {
        (Stand::Nothing, Stand::Nothing) if root.is_bare()? => return Err(nowhere(path)),
        (Stand::Mailbox, Stand::Mailbox) => return Err(site.twice()),
        // A fence goes after its mailbox: without one, this is no mailbox whose time is over.
        (Stand::Mailbox, _) | (Stand::Nothing, Stand::Mailbox) => {
            return Err(MailError::Differs { what: format!("{}: not fenced", path.display()) });
        }
        (Stand::Other, _) | (_, Stand::Other) => return Err(site.foreign()),
        (Stand::Nothing | Stand::Fence, Stand::Nothing | Stand::Fence) | (Stand::Fence, Stand::Mailbox) => {}
    }
    if moving == Stand::Mailbox && site.stand(&site.purging)? != Stand::Nothing {
        // One becomes the other in one step: where both stand, one of them is something else.
        let what = format!("{}{PURGING} stands beside the old copy, and need not be ours", path.display());
        return Err(MailError::Differs { what });
    }
    let mut removed = site.remove_purging()?;
    if moving == Stand::Mailbox {
        site.refuse_late_mail(moved)?;
        // From here on nobody can mistake what is left for a mailbox.
        dir::rename_to_free(&site.parent, &site.moving, &site.parent, &site.purging)
            .map_err(|errno| site.failed(errno))?;
        site.settle()?;
        removed += site.remove_purging()?;
    } else if moving == Stand::Fence {
        site.unlink(&site.moving)?;
    }
    if plain == Stand::Fence {
        site.settle()?;
        site.unlink(&site.plain)?;
    }
    site.settle()?;
    Ok(removed)
}

/// Whether a fence stands at a mailbox's place and the mailbox behind it.
///
/// # Errors
///
/// Whatever keeps that from being seen.
pub fn is_behind_fence(root: &Root, path: &Path) -> Result<bool, MailError> {
    match Site::new(root, path) {
        Ok(site) => Ok(site.stands()? == (Stand::Fence, Stand::Mailbox)),
        Err(MailError::Gone) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a mailbox stands behind a fence, or is half removed there.
///
/// # Errors
///
/// Whatever keeps that from being seen; `Gone` where nothing at all is on the store, which may not be mounted.
pub fn has_old_copy(root: &Root, path: &Path) -> Result<bool, MailError> {
    let site = match Site::new(root, path) {
        Err(MailError::Gone) if root.is_bare()? => return Err(MailError::Gone),
        Err(MailError::Gone) => return Ok(false),
        other => other?,
    };
    let stands = site.stand(&site.moving)? == Stand::Mailbox || site.stand(&site.purging)? == Stand::Mailbox;
    if !stands && root.is_bare()? { Err(MailError::Gone) } else { Ok(stands) }
}

/// Whether one of our fences stands under a name.
pub(super) fn is_fence(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<bool> {
    let Some(stat) = dir::look(parent, name)? else { return Ok(false) };
    if dir::kind(&stat) != FileType::RegularFile || stat.st_mode & 0o777 != 0 || stat.st_size as usize != TEXT.len() {
        return Ok(false);
    }
    let mut text = [0; TEXT.len()];
    match dir::open_file(parent, name).and_then(|file| read(&file, &mut text)) {
        Ok(_) => Ok(text == TEXT.as_bytes()),
        // Its mode lets nobody but the superuser read it: the mode and the size have to do.
        Err(Errno::ACCESS) => Ok(true),
        Err(errno) => Err(errno),
    }
}

/// That nothing is there does not say that it was removed.
fn nowhere(path: &Path) -> MailError {
    let what = format!("{}: neither the old copy nor its folder is there: is the store mounted?", path.display());
    MailError::Differs { what }
}

/// Removes what an interruption may have left under a temporary name.
fn free(parent: &OwnedFd, temporary: &[u8]) -> rustix::io::Result<()> {
    match unlinkat(parent, os(temporary), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// A new file with a fence's text, durable but for its name.
fn write_fence(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(parent, os(name), flags, Mode::empty())?;
    let written = write(&file, TEXT.as_bytes())?;
    rustix::fs::fsync(&file)?;
    if written == TEXT.len() { Ok(()) } else { Err(Errno::NOSPC) }
}

impl<'p> Site<'p> {
    fn new(root: &'p Root, path: &'p Path) -> Result<Self, MailError> {
        let parent = root.parent(path, Side::Source)?;
        let plain = path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
        let with = |ending: &str| [&plain, ending.as_bytes()].concat();
        Ok(Self { root, parent, path, moving: with(MOVING), purging: with(PURGING), plain })
    }

    /// What stands at the place, and behind the fence.
    fn stands(&self) -> Result<(Stand, Stand), MailError> {
        Ok((self.stand(&self.plain)?, self.stand(&self.moving)?))
    }

    fn stand(&self, name: &[u8]) -> Result<Stand, MailError> {
        match dir::look(&self.parent, name).map_err(|errno| self.failed(errno))? {
            None => Ok(Stand::Nothing),
            Some(stat) if dir::kind(&stat) == FileType::Directory => Ok(Stand::Mailbox),
            Some(_) if is_fence(&self.parent, name).map_err(|errno| self.failed(errno))? => Ok(Stand::Fence),
            Some(_) => Ok(Stand::Other),
        }
    }

    /// A fence under a free name.
    fn make_fence(&self, name: &[u8]) -> Result<(), MailError> {
        // Written under another name: a fence whose text is cut short would not be known as one.
        let temporary = [name, b".fence"].concat();
        let made = free(&self.parent, &temporary).and_then(|()| match write_fence(&self.parent, &temporary) {
            Err(full @ (Errno::NOSPC | Errno::DQUOT)) => self.link_spare(&temporary).map_err(|_| full),
            other => other,
        });
        made.and_then(|()| dir::rename_to_free(&self.parent, &temporary, &self.parent, name)).map_err(|errno| {
            match errno {
                Errno::EXIST => self.twice(),
                other => self.failed(other),
            }
        })
    }

    fn link_spare(&self, name: &[u8]) -> rustix::io::Result<()> {
        free(&self.parent, name)?;
        let top = self.root.handle()?;
        if !is_fence(top, SPARE.as_bytes())? {
            return Err(Errno::NOENT);
        }
        linkat(top, SPARE, &self.parent, os(name), AtFlags::empty())
    }

    /// Lets the place and what stands behind the fence change places.
    fn change_places(&self) -> Result<(), MailError> {
        let exchanged =
            renameat_with(&self.parent, os(&self.plain), &self.parent, os(&self.moving), RenameFlags::EXCHANGE);
        match exchanged {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.change_places_in_steps(),
            other => other.map_err(|errno| self.failed(errno)),
        }
    }

    /// The same where the file system cannot exchange two names (NFS): an interruption leaves what `fence` and `unfence`
    /// know.
    fn change_places_in_steps(&self) -> Result<(), MailError> {
        let away = |old: &[u8], new: &[u8]| {
            dir::rename_to_free(&self.parent, old, &self.parent, new).map_err(|errno| match errno {
                Errno::EXIST => self.twice(),
                other => self.failed(other),
            })
        };
        if self.stand(&self.plain)? == Stand::Mailbox {
            self.unlink(&self.moving)?;
            away(&self.plain, &self.moving)?;
            self.make_fence(&self.plain)
        } else {
            self.unlink(&self.plain)?;
            away(&self.moving, &self.plain)
        }
    }

    /// Removes a fence; nothing else can be removed so.
    fn unlink(&self, name: &[u8]) -> Result<(), MailError> {
        if self.stand(name)? != Stand::Fence {
            return Err(self.foreign());
        }
        unlinkat(&self.parent, os(name), AtFlags::empty()).map_err(|errno| self.failed(errno))
    }

    /// Who had the mailbox's directory open before the fence, or cached as an NFS client does, delivers behind it.
    fn refuse_late_mail(&self, moved: Option<u32>) -> Result<(), MailError> {
        let Some(moved) = moved else { return Ok(()) };
        let found = self.totals_of(&self.moving)?.messages;
        if found <= moved {
            return Ok(());
        }
        let late = found - moved;
        let have = if late == 1 { "message has" } else { "messages have" };
        Err(MailError::Differs { what: format!("{late} {have} come behind its fence since it moved") })
    }

    fn totals_of(&self, name: &[u8]) -> Result<Totals, MailError> {
        totals(&dir::open(&self.parent, Path::new(os(name))).map_err(|errno| self.failed(errno))?)
    }

    fn remove_purging(&self) -> Result<Totals, MailError> {
        match self.stand(&self.purging)? {
            Stand::Nothing => return Ok(Totals::default()),
            Stand::Mailbox => {}
            Stand::Fence | Stand::Other => return Err(self.foreign()),
        }
        let there = self.totals_of(&self.purging)?;
        dir::remove(&self.parent, &self.purging).map_err(|errno| self.failed(errno))?;
        Ok(there)
    }

    fn settle(&self) -> Result<(), MailError> {
        dir::settle(&self.parent).map_err(|errno| self.failed(errno))
    }

    fn failed(&self, errno: Errno) -> MailError {
        Side::Source.failed(self.path)(errno)
    }

    fn twice(&self) -> MailError {
        let path = self.path.display();
        let what =
            format!("mailboxes stand both at {path} and behind its fence, at {path}{MOVING}: one has to be taken away");
        MailError::Differs { what }
    }

    fn foreign(&self) -> MailError {
        MailError::Differs { what: format!("{}: neither a mailbox nor a fence of ours", self.path.display()) }
    }
}
