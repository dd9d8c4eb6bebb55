//! `statvfs`: how full the file system at a store's root is.

use std::path::Path;
use std::{fs, io};

use rustix::fs::{StatVfs, statvfs};

use super::ProbeError;
use crate::units::{Bytes, Inodes};

/// How full a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) used: Bytes,
    pub(super) capacity: Bytes,
    /// How many are in use; `None` where the file system has no count of them.
    pub(super) inodes_used: Option<Inodes>,
    pub(super) inodes_free: u64,
}

/// Reads it. `expected` is the file system seen at the first reading: where a store is no longer mounted the folder
/// belongs to another one, whose fill would mislead.
///
/// # Errors
/// The root cannot be reached, or another file system stands there.
pub(super) fn read(root: &Path, expected: &mut Option<u64>) -> Result<Fill, ProbeError> {
    let failed = |why: String| ProbeError::Failed(format!("{}: {why}", root.display()));
    let state = statvfs(root).map_err(|error| failed(error.to_string()))?;
    if *expected.get_or_insert(state.f_fsid) != state.f_fsid {
        return Err(failed(
            "another file system stands there than at the start: is the store still mounted?".to_owned(),
        ));
    }
    fill(&state).ok_or_else(|| failed("its file system has no size".to_owned()))
}

/// The sizes of all files below a folder, and how many files and folders they are. What vanishes meanwhile does not count.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn below(root: &Path) -> Result<(Bytes, Inodes), ProbeError> {
    let failed = |error: io::Error| ProbeError::Failed(format!("{}: {error}", root.display()));
    let mut folders = vec![root.to_owned()];
    let (mut bytes, mut inodes) = (0, 0);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            // Gone since it was listed, or a file in its place: nobody's folder any more.
            Err(error) if is_gone(&error) && folder != root => continue,
            other => other.map_err(failed)?,
        };
        for entry in entries.filter_map(Result::ok) {
            match entry.metadata() {
                Ok(found) if found.is_dir() => {
                    inodes += 1;
                    folders.push(entry.path());
                }
                Ok(found) => {
                    inodes += 1;
                    bytes += found.len();
                }
                Err(_) => {}
            }
        }
    }
    Ok((Bytes::new(bytes), Inodes::new(inodes)))
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn fill(state: &StatVfs) -> Option<Fill> {
    let bytes = |blocks: u64| Bytes::new(blocks.saturating_mul(state.f_frsize));
    let capacity = bytes(state.f_blocks);
    let used = bytes(state.f_blocks.saturating_sub(state.f_bfree));
    // Some file systems make inodes as they need them, and say that there are none.
    let is_fixed = state.f_files > 0;
    let inodes_free = if is_fixed { state.f_ffree } else { u64::MAX };
    let inodes_used = is_fixed.then(|| Inodes::new(state.f_files.saturating_sub(state.f_ffree)));
    (capacity > Bytes::ZERO).then_some(Fill { used, capacity, inodes_used, inodes_free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_the_system_has_a_size_and_something_in_it() {
        let mut seen = None;
        let fill = read(Path::new("/"), &mut seen).unwrap();
        assert!(seen.is_some() && fill.used > Bytes::ZERO && fill.used <= fill.capacity, "{fill:?}");
    }

    #[test]
    fn another_file_system_at_the_root_is_an_error() {
        let mut seen = None;
        read(Path::new("/"), &mut seen).unwrap();
        let mut other = seen.map(|id| id.wrapping_add(1));
        assert!(matches!(read(Path::new("/"), &mut other), Err(ProbeError::Failed(why)) if why.contains("mounted")));
    }

    #[test]
    fn roots_that_are_missing_or_have_no_size_are_errors() {
        assert!(matches!(read(Path::new("/nowhere/at-all"), &mut None), Err(ProbeError::Failed(_))));
        assert!(matches!(read(Path::new("/proc"), &mut None), Err(ProbeError::Failed(why)) if why.contains("no size")));
    }

    #[test]
    fn used_is_all_that_is_not_free_and_a_lack_of_inodes_is_no_limit() {
        let mut state = statvfs("/").unwrap();
        (state.f_frsize, state.f_bsize) = (4_096, 1_048_576);
        (state.f_blocks, state.f_bfree, state.f_bavail) = (1_000, 400, 350);
        (state.f_files, state.f_ffree) = (100, 30);
        let inodes_used = Some(Inodes::new(70));
        let expected =
            Fill { used: Bytes::new(600 * 4_096), capacity: Bytes::new(4_096_000), inodes_used, inodes_free: 30 };
        assert_eq!(fill(&state), Some(expected));
        (state.f_files, state.f_ffree) = (0, 0);
        assert_eq!(fill(&state).map(|fill| (fill.inodes_free, fill.inodes_used)), Some((u64::MAX, None)));
        // A file system that is being changed may say that more is free than there is.
        state.f_bfree = 2_000;
        assert_eq!(fill(&state).map(|fill| fill.used), Some(Bytes::ZERO));
    }
}
