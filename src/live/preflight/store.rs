//! One store: what a move does there is tried, and its probe is asked.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Checks, Verdict};
use crate::live::clock::Clock;
use crate::live::maildir::Root;
use crate::live::probe::{Probe, ProbeError};
use crate::scenario::site::Store;
use crate::units::{Span, Time};

/// A store whose clock differs by more than this from ours makes dates that are worth a look.
const SKEW: Span = Span::from_secs(5);

pub(super) fn look_at_store(name: &str, store: &Store, timeout: Span) -> Checks {
    let mut checks = Checks(Vec::new());
    let what = format!("{name} at {}", store.root.display());
    if store.mount && is_on_root(&store.root).is_ok_and(|is_on_root| is_on_root) {
        let found = "lies on the file system of `/`, so nothing is mounted there; `mount = false` in its store says that \
                     it is meant so";
        checks.add(what, Verdict::Bad, found);
        return checks;
    }
    match Root::open(&store.root).and_then(|_| try_rights(&store.root)) {
        Ok(skew) if skew > SKEW || Span::ZERO - skew > SKEW => {
            checks.add(&what, Verdict::Doubt, format!("can be worked on; its clock is {skew} ahead of this machine's"));
        }
        Ok(_) => {
            checks.add(&what, Verdict::Good, "files are made, owned, dated, linked, renamed, synced and removed");
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

/// Whether a folder lies on the file system of `/`.
fn is_on_root(folder: &Path) -> io::Result<bool> {
    Ok(fs::metadata(folder)?.dev() == fs::metadata("/")?.dev())
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
    std::os::unix::fs::chown(&one, Some(file.metadata()?.uid()), Some(file.metadata()?.gid()))?;
    fs::hard_link(&one, &two)?;
    fs::create_dir(&three)?;
    fs::rename(&two, folder.path().join("four"))?;
    fs::File::open(folder.path())?.sync_all()?;
    folder.close()?;
    Ok(theirs.since(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_tried_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let skew = try_rights(root.path()).unwrap();
        assert!(skew < SKEW && Span::ZERO - skew < SKEW, "{skew}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(try_rights(&root.path().join("nowhere")).is_err());
    }
}
