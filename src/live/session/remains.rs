//! What preflights that were interrupted have left on the stores.

use std::fs;
use std::io;
use std::path::Path;

/// Begins the name of a folder that a preflight makes on a store; its process's number follows.
pub(in crate::live) const RESERVED: &str = ".drawdown-preflight-";

/// Removes what preflights that were killed have left on a store: folders with the numbers of processes that are none of ours.
///
/// # Errors
/// Whatever keeps one from being removed.
pub(in crate::live) fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(RESERVED)?.parse::<u32>().ok());
        if process.is_some_and(|process| !is_ours(process)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether a process of this number runs this program. Numbers come again: after weeks one may be anybody's.
fn is_ours(process: u32) -> bool {
    let name = |process: &str| fs::read(Path::new("/proc").join(process).join("comm")).ok();
    name(&process.to_string()).is_some_and(|theirs| name("self").is_none_or(|ours| ours == theirs))
}

/// Removes a folder; fine without one.
///
/// # Errors
/// Whatever keeps it from being removed.
pub(in crate::live) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_preflight_has_left_is_removed_and_a_running_ones_is_not() {
        let root = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = root.path().join(format!("{RESERVED}{}", child.id()));
        child.wait().unwrap();
        let lives = root.path().join(format!("{RESERVED}{}", std::process::id()));
        let others = root.path().join(format!("{RESERVED}mine"));
        for folder in [&dead, &lives, &others] {
            fs::create_dir_all(folder.join("Maildir/cur")).unwrap();
        }
        // A number that came again.
        let again = root.path().join(format!("{RESERVED}1"));
        fs::create_dir_all(again.join("Maildir/cur")).unwrap();
        sweep(root.path()).unwrap();
        assert!(!again.exists());
        assert!(!dead.exists() && lives.exists() && others.exists());
    }
}
