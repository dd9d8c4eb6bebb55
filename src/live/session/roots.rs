//! The roots of a scenario's stores. One that is out of service is no reason for the others to wait.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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

/// A mount point without its store is no store: what is not there may be on it.
fn open(store: &Store) -> io::Result<Root> {
    let root = Root::open(&store.root)?;
    if store.mount && is_on_root(&store.root)? {
        return Err(io::Error::other("nothing is mounted there"));
    }
    Ok(root)
}

/// Whether a folder lies on the file system of `/`.
pub(in crate::live) fn is_on_root(folder: &Path) -> io::Result<bool> {
    Ok(fs::metadata(folder)?.dev() == fs::metadata("/")?.dev())
}
