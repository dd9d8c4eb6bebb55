//! The copy's way into its place at the target, and back.

use std::path::Path;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::dir;
use super::error::{MailError, Side};
use super::root::Root;

/// Puts an arrived copy in its place, durably. Fine when it is there already and nothing arrives any more.
///
/// # Errors
///
/// `Differs` when something stands at the place, `Gone` when neither is there.
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
            Err(Errno::EXIST) => return Err(taken(path)),
            Err(errno) => return Err(failed(errno)),
        },
        // It was renamed before, perhaps without time to become durable.
        (false, Some(stat)) if dir::kind(&stat) == FileType::Directory => {}
        (_, Some(_)) => return Err(taken(path)),
        (false, None) => return Err(MailError::Gone),
    }
    dir::settle(&to).map_err(failed)?;
    dir::settle(&from).map_err(failed)
}

/// Takes a copy out of its place again, durably: undoes `place`.
///
/// # Errors
///
/// As for `place`.
pub fn take_back(root: &Root, path: &Path, arriving: &Path) -> Result<(), MailError> {
    place(root, path, arriving)
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

fn taken(path: &Path) -> MailError {
    MailError::Differs { what: format!("{}: the place is taken", path.display()) }
}
