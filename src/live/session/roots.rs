//! The roots of a scenario's stores. One that is out of service is no reason for the others to wait.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::OTHER_FILE_SYSTEM;
use crate::live::maildir::Root;
use crate::scenario::Scenario;
use crate::scenario::site::{Site, Store};

/// The stores' roots, by name.
#[derive(Debug)]
pub(in crate::live) struct Roots {
    pub(in crate::live) heads: Vec<(String, Root)>,
    pub(in crate::live) clusters: Vec<(String, Root)>,
}

impl Roots {
    /// Opens each; says which are out of service, and stay so for as long as the program runs.
    pub(in crate::live) fn open(scenario: &Scenario, site: &Site, say: &dyn Fn(&str)) -> Self {
        let open = |(name, store): (&String, &Store)| {
            let root = open(store).unwrap_or_else(|why| {
                let shown = store.root.display();
                say(&format!("{name} at {shown} is out of service until the next start: {why}"));
                Root::absent(&store.root)
            });
            (name.clone(), root)
        };
        Self {
            heads: scenario.heads.iter().zip(&site.heads).map(open).collect(),
            clusters: scenario.clusters.iter().zip(&site.clusters).map(open).collect(),
        }
    }
}

impl Roots {
    /// Treats these stores as out of service: they lie on other file systems than they did. Says so of each.
    pub(super) fn leave_out(&mut self, stores: &[String]) -> Vec<String> {
        let those = self.heads.iter_mut().chain(&mut self.clusters).filter(|(name, _)| stores.contains(name));
        let left = those.map(|(name, root)| {
            *root = root.out_of_service();
            format!("{name} is left alone: {OTHER_FILE_SYSTEM}")
        });
        left.collect()
    }
}

/// A mount point without its store is no store: what is not there may be on it.
fn open(store: &Store) -> io::Result<Root> {
    let root = Root::open(&store.root)?;
    if store.mount && not_mounted(&store.root)?.is_some() {
        return Err(io::Error::other("nothing is mounted there"));
    }
    Ok(root)
}

/// The folder on whose file system a root lies because nothing is mounted at it; `None` for one that something is mounted at.
pub(in crate::live) fn not_mounted(root: &Path) -> io::Result<Option<PathBuf>> {
    let root = fs::canonicalize(root)?;
    let device = fs::metadata(&root)?.dev();
    if device == fs::metadata("/")?.dev() {
        return Ok(Some(PathBuf::from("/")));
    }
    let Some(above) = root.parent() else { return Ok(None) };
    // A folder that is mounted at a second place has the device of the first one.
    let is_mounted = fs::metadata(above)?.dev() != device || begins_a_mount(&root);
    Ok((!is_mounted).then(|| above.to_owned()))
}

/// Whether the kernel says that something is mounted at this very folder (Linux 5.8; an older one says nothing).
fn begins_a_mount(folder: &Path) -> bool {
    let found = statx(CWD, folder, AtFlags::empty(), StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_at_which_nothing_is_mounted_is_known_wherever_it_lies() {
        let on_root = tempfile::tempdir().unwrap();
        if fs::metadata(on_root.path()).unwrap().dev() == fs::metadata("/").unwrap().dev() {
            assert_eq!(not_mounted(on_root.path()).unwrap(), Some("/".into()));
        }
        let memory = Path::new("/dev/shm");
        if fs::metadata(memory).is_ok_and(|found| found.dev() != fs::metadata("/").unwrap().dev()) {
            let folder = tempfile::tempdir_in(memory).unwrap();
            assert_eq!(not_mounted(folder.path()).unwrap(), Some(memory.to_owned()));
            let inner = folder.path().join("inner");
            fs::create_dir(&inner).unwrap();
            assert_eq!(not_mounted(&inner).unwrap(), Some(folder.path().to_owned()));
            assert_eq!(not_mounted(memory).unwrap(), None);
        }
        assert_eq!(not_mounted(Path::new("/proc")).unwrap(), None);
        assert!(not_mounted(&on_root.path().join("nowhere")).is_err());
    }
}
