//! A small Maildir and a slow, obvious twin of the comparison; the tests are below.

mod attacks;
mod passes;
mod places;
mod random;
mod speed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Timespec, Timestamps};

use super::{Copy, Gate, MailError, Open, Pass, Root, Stopped, Totals, fence};

const PATH: &str = "example.com/alice/Maildir";
const ARRIVING: &str = "example.com/alice/Maildir.arriving";
const MOVING: &str = "example.com/alice/Maildir.moving";

/// A case of a table: its name, or where, and what is done there.
type Deed = (&'static str, fn(&Path));

/// Two stores, the first with a mailbox.
struct Stores {
    _dir: tempfile::TempDir,
    old: PathBuf,
    new: PathBuf,
    from: Root,
    to: Root,
}

impl Stores {
    /// A mailbox with an empty inbox.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::create_dir(&old).unwrap();
        fs::create_dir(&new).unwrap();
        let stores = Self { from: Root::open(&old).unwrap(), to: Root::open(&new).unwrap(), old, new, _dir: dir };
        fs::create_dir_all(stores.source()).unwrap();
        stores.make_folder("");
        stores
    }

    fn source(&self) -> PathBuf {
        self.old.join(PATH)
    }

    fn target(&self) -> PathBuf {
        self.new.join(ARRIVING)
    }

    fn copy(&self) -> Copy {
        Copy::new(&self.from, &self.to, Path::new(PATH), Path::new(ARRIVING))
    }

    fn make_folder(&self, folder: &str) {
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(self.source().join(folder).join(part)).unwrap();
        }
    }

    /// Writes a file of the mailbox, with a time of its own.
    fn write(&self, path: &str, content: &[u8]) {
        let path = self.source().join(path);
        fs::write(&path, content).unwrap();
        set_time(&path, 1_500_000_000 + content.len() as i64, 123_456_789);
    }

    fn rename(&self, old: &str, new: &str) {
        fs::rename(self.source().join(old), self.source().join(new)).unwrap();
    }

    /// All that is left to do once the live passes are over.
    fn finish(&self, copy: &mut Copy) -> (Pass, Totals) {
        fence(&self.from, Path::new(PATH)).unwrap();
        let done = copy.finish(Path::new(MOVING), &Open).unwrap();
        let again = copy.finish(Path::new(MOVING), &Open).unwrap();
        assert_eq!((again.changes(), again.bytes), (0, 0), "{again:?}");
        (done, copy.verify(&Open).unwrap())
    }

    fn assert_same(&self) {
        assert_eq!(difference(tree(&self.old.join(MOVING)), &tree(&self.target())), []);
    }
}

fn set_time(path: &Path, seconds: i64, nanos: i64) {
    let file = fs::File::open(path).unwrap();
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos };
    rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time }).unwrap();
}

/// What an entry of a tree is: for a file its content, time, attributes and the names that it shares its inode with.
#[derive(Debug, PartialEq, Eq)]
enum Twin {
    Dir(u32, u32, u32),
    File { size: u64, content: blake3::Hash, time: (i64, i64), attr: (u32, u32, u32), names: BTreeSet<PathBuf> },
    Else,
}

/// Everything below a directory that has to arrive, read the slow way.
fn tree(root: &Path) -> BTreeMap<PathBuf, Twin> {
    let mut entries = Vec::new();
    collect(root, root, &mut entries);
    let mut names: BTreeMap<u64, BTreeSet<PathBuf>> = BTreeMap::new();
    for (path, meta) in &entries {
        names.entry(meta.ino()).or_default().insert(path.clone());
    }
    let twin = |path: &Path, meta: &fs::Metadata| {
        let attr = (meta.mode() & 0o7777, meta.uid(), meta.gid());
        if meta.is_dir() {
            Twin::Dir(attr.0, attr.1, attr.2)
        } else if meta.is_file() {
            let content = blake3::hash(&fs::read(root.join(path)).unwrap());
            // Links are kept between messages; another file is copied for each of its names.
            let mail = path.parent().is_some_and(|dir| dir.ends_with("cur") || dir.ends_with("new"));
            let names = if mail { names[&meta.ino()].clone() } else { BTreeSet::new() };
            Twin::File { size: meta.len(), content, time: (meta.mtime(), meta.mtime_nsec()), attr, names }
        } else {
            Twin::Else
        }
    };
    entries.iter().map(|(path, meta)| (path.clone(), twin(path, meta))).collect()
}

/// The entries that two trees do not share.
fn difference(one: BTreeMap<PathBuf, Twin>, other: &BTreeMap<PathBuf, Twin>) -> Vec<(PathBuf, Twin)> {
    let more = other.keys().filter(|path| !one.contains_key(*path)).map(|path| (path.clone(), Twin::Else));
    let more: Vec<_> = more.collect();
    one.into_iter().filter(|(path, twin)| other.get(path) != Some(twin)).chain(more).collect()
}

fn collect(root: &Path, dir: &Path, into: &mut Vec<(PathBuf, fs::Metadata)>) {
    into.push((dir.strip_prefix(root).unwrap().to_owned(), fs::symlink_metadata(dir).unwrap()));
    if dir.ends_with("tmp") {
        return;
    }
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let name = entry.file_name().into_string().unwrap();
        let message = dir.ends_with("cur") || dir.ends_with("new");
        let behind =
            name.starts_with(".temp.") || name.starts_with(".nfs") || (!message && name.as_bytes().ends_with(b".lock"));
        if meta.is_dir() {
            collect(root, &entry.path(), into);
        } else if !behind {
            into.push((entry.path().strip_prefix(root).unwrap().to_owned(), meta));
        }
    }
}

/// A gate that lets so many bytes pass and then stops the job.
struct Budget(AtomicU64);

impl Gate for Budget {
    fn pass(&self, bytes: u64) -> Result<(), Stopped> {
        let left = self.0.load(Ordering::Relaxed);
        if left < bytes {
            return Err(Stopped);
        }
        self.0.store(left - bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// A gate of a job that is to stop.
struct Closed;

impl Gate for Closed {
    fn pass(&self, _bytes: u64) -> Result<(), Stopped> {
        Err(Stopped)
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !root {
        println!("skipped: only the superuser can give files away");
    }
    root
}
