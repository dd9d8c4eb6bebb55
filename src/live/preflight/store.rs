//! One store: what a move does there is tried, and its probe is asked.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::{Checks, Verdict};
use crate::live::clock::Clock;
use crate::live::maildir::Root;
use crate::live::probe::{Probe, ProbeError};
use crate::live::session::not_mounted;
use crate::scenario::site::Store;
use crate::units::{Span, Time};

/// A store whose clock differs by more than this from ours makes dates that are worth a look.
const SKEW: Span = Span::from_secs(5);

pub(super) fn look_at_store(name: &str, store: &Store, timeout: Span) -> Checks {
    let mut checks = Checks(Vec::new());
    let what = format!("{name} at {}", store.root.display());
    if store.mount
        && let Ok(Some(folder)) = not_mounted(&store.root)
    {
        let found = format!(
            "lies on the file system of `{}`, so nothing is mounted there; `mount = false` in its store says that it is \
             meant so",
            folder.display()
        );
        checks.add(what, Verdict::Bad, found);
        return checks;
    }
    match Root::open(&store.root).and_then(|_| try_rights(&store.root)) {
        Ok(skew) if skew > SKEW || Span::ZERO - skew > SKEW => {
            checks.add(&what, Verdict::Doubt, format!("can be worked on; its clock is {skew} ahead of this machine's"));
        }
        Ok(_) => {
            checks.add(&what, Verdict::Good, "files are made, dated, linked, renamed, synced and removed");
        }
        Err(error) => {
            checks.add(what, Verdict::Bad, error);
            return checks;
        }
    }
    let mut probe = Probe::new(store, timeout);
    let mut sample = probe.sample();
    if let Err(ProbeError::Missing(_)) = sample {
        std::thread::park_timeout(std::time::Duration::from_secs(1));
        sample = probe.sample();
    }
    match sample {
        Ok(found) => {
            let (load, latency) = (found.utilisation, found.latency.secs() * 1e3);
            let age = if found.age > Span::ZERO { format!(", {} ago", found.age) } else { String::new() };
            checks.add(format!("probe of {name}"), Verdict::Good, format!("load {load}, {latency:.2} ms{age}"));
        }
        Err(error) => checks.add(format!("probe of {name}"), Verdict::Bad, error),
    }
    checks
}

/// Stores that are to have file systems of their own, and share one: each with an earlier one.
pub(super) fn sharing<'a>(stores: &[(&'a String, &Store)]) -> Vec<(&'a String, &'a String)> {
    let mut first: BTreeMap<u64, &String> = BTreeMap::new();
    let mut shared = Vec::new();
    for (name, store) in stores.iter().filter(|(_, store)| store.mount) {
        let Ok(found) = fs::metadata(&store.root) else { continue };
        match first.entry(found.dev()) {
            Entry::Vacant(free) => _ = free.insert(name),
            Entry::Occupied(other) => shared.push((*name, *other.get())),
        }
    }
    shared
}

/// Does with files of its own what a move does with others', and says by how much the store's clock is ahead of ours.
fn try_rights(root: &Path) -> io::Result<Span> {
    let folder = tempfile::Builder::new().prefix(".drawdown-preflight-").tempdir_in(root)?;
    let [one, two, three] = ["one", "two", "three"].map(|name| folder.path().join(name));
    fs::write(&one, "drawdown")?;
    let ours = Clock::start(Time::LONG_AGO).now();
    let file = fs::File::options().write(true).open(&one)?;
    let found = file.metadata()?;
    let theirs = Time::from_unix_micros(found.mtime() * 1_000_000 + found.mtime_nsec() / 1_000);
    file.set_times(fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH))?;
    file.sync_all()?;
    fs::hard_link(&one, &two)?;
    fs::create_dir(&three)?;
    fs::rename(&two, folder.path().join("four"))?;
    fs::File::open(folder.path())?.sync_all()?;
    folder.close()?;
    Ok(theirs.since(ours))
}

/// Does as owner of nothing what a move does: what belongs to a mailbox's owner is made, read, dated, linked and removed.
///
/// # Errors
/// What could not be done, in words.
pub(super) fn try_owner(root: &Path, owner: Owner) -> Result<(), String> {
    let folder = tempfile::Builder::new().prefix(".drawdown-preflight-").tempdir_in(root).map_err(|e| e.to_string())?;
    let (file, inner) = (folder.path().join("file"), folder.path().join("inner"));
    let make = || {
        fs::write(&file, "drawdown")?;
        fs::create_dir(&inner)
    };
    make().map_err(|error| error.to_string())?;
    let found = fs::metadata(&file).map_err(|error| error.to_string())?;
    let ours = Owner { uid: found.uid(), gid: found.gid() };
    owner.give(&file).map_err(|error| format!("a file cannot be given to {owner}: {error}"))?;
    let work = || {
        owner.give(&inner)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o700))?;
        let open = fs::File::options().read(true).write(true).open(&file)?;
        open.set_times(fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH))?;
        fs::hard_link(&file, inner.join("link"))?;
        fs::rename(&file, inner.join("file"))?;
        ours.give(&inner.join("file"))?;
        ours.give(&inner)
    };
    let worked = work().map_err(|error: io::Error| format!("what belongs to {owner} cannot be worked on: {error}"));
    worked.and_then(|()| folder.close().map_err(|error| error.to_string()))
}

/// Whose files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner {
    fn give(self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::site::{FillProbe, LoadProbe};

    #[test]
    fn rights_are_tried_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let skew = try_rights(root.path()).unwrap();
        assert!(skew < SKEW && Span::ZERO - skew < SKEW, "{skew}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(try_rights(&root.path().join("nowhere")).is_err());
    }

    #[test]
    fn stores_that_share_a_file_system_are_told_unless_it_is_meant_so() {
        let folder = tempfile::tempdir().unwrap();
        let store = |root: &Path, mount| Store {
            root: root.to_owned(),
            mount,
            probe: LoadProbe::Unmeasured,
            fill: FillProbe::FileSystem,
        };
        let (here, proc) = (folder.path(), Path::new("/proc"));
        let stores = [store(here, true), store(proc, true), store(here, false), store(here, true)];
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let site: Vec<_> = names.iter().zip(&stores).collect();
        assert_eq!(sharing(&site), [(&names[3], &names[0])]);
    }

    #[test]
    fn files_are_given_to_their_owner_or_it_is_said_that_they_cannot_be() {
        let root = tempfile::tempdir().unwrap();
        let own = fs::metadata(root.path()).unwrap();
        let tried = |uid, gid| try_owner(root.path(), Owner { uid, gid });
        assert_eq!(tried(own.uid(), own.gid()), Ok(()));
        let others = tried(own.uid() + 1234, own.gid());
        if rustix::process::geteuid().is_root() {
            assert_eq!(others, Ok(()));
        } else {
            assert!(others.unwrap_err().starts_with("a file cannot be given to "));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
