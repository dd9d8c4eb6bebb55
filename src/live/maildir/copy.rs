//! One mailbox on its way: live passes, the pass behind the fence, comparison.

mod batch;
mod finish;
mod held;
mod message;
mod stream;
mod verify;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::fstat;

use super::audit::Totals;
use super::dir::{self, Attr};
use super::error::{Gate, MailError, Side};
use super::name::Part;
use super::root::{Root, checked};
use super::walk::{self, Folder, Ground};
use batch::{Batch, Whose};
use finish::Control;
use held::Held;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Messages and other files copied, hard links among them.
    pub copied: u32,
    /// Messages whose copies got another name, because of flags or because they are no longer new.
    pub renamed: u32,
    /// Files and folders removed at the target.
    pub deleted: u32,
    /// Directories made, or given other attributes.
    pub folders: u32,
    /// Messages of an earlier, interrupted copy that were found complete; no change of the target.
    pub found: u32,
    /// Messages that were gone or changed before they could be read; the next pass sees to them.
    pub skipped: u32,
    /// Bytes read at the source.
    pub bytes: u64,
}

impl Pass {
    /// How much the target changed: what the next pass may expect is less.
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.copied + self.renamed + self.deleted + self.folders
    }
}

impl AddAssign for Pass {
    fn add_assign(&mut self, other: Self) {
        self.copied += other.copied;
        self.renamed += other.renamed;
        self.deleted += other.deleted;
        self.folders += other.folders;
        self.found += other.found;
        self.skipped += other.skipped;
        self.bytes += other.bytes;
    }
}

/// One mailbox on its way. After an error the same passes may be tried again: what had its final name counts, what had
/// not is removed. A new one over an interrupted copy takes over what it finds complete.
///
/// The mailbox's messages are held in memory by name, about 250 bytes each.
pub struct Copy {
    from: Root,
    to: Root,
    path: PathBuf,
    arriving: PathBuf,
    held: Held,
    /// The files beside the messages that the final pass copied, by path.
    controls: BTreeMap<PathBuf, Control>,
    batch: Batch,
    buffer: Vec<u8>,
    /// What an earlier copy left under temporary names has been removed.
    swept: bool,
    /// What an earlier copy left has been taken over, and may not be durable.
    unsynced: bool,
}

impl fmt::Debug for Copy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Copy({} to {})", self.path.display(), self.arriving.display())
    }
}

/// Which pass: who else works in the source, and how copies become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The mailbox is in use; one `syncfs` for a batch.
    Bulk,
    /// The mailbox is in use; few files, each with its `fsync`.
    Delta,
    /// Nobody else works in the source, and whatever is not there goes at the target.
    Final,
}

/// A pass under way.
struct Job<'g> {
    source: OwnedFd,
    target: OwnedFd,
    kind: Kind,
    gate: &'g dyn Gate,
}

impl Job<'_> {
    fn source_ground(&self) -> Ground {
        Ground { side: Side::Source, live: self.kind != Kind::Final }
    }
}

/// Nobody but us works at the target.
const TARGET: Ground = Ground { side: Side::Target, live: false };

impl Copy {
    /// A mailbox at `path` below one store's root that is to arrive at `arriving` below the other's. Nothing is touched yet.
    #[must_use]
    pub fn new(from: &Root, to: &Root, path: &Path, arriving: &Path) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            path: path.to_owned(),
            arriving: arriving.to_owned(),
            held: Held::default(),
            controls: BTreeMap::new(),
            batch: Batch::default(),
            buffer: vec![0; stream::CHUNK],
            swept: false,
            unsynced: false,
        }
    }

    /// Names its temporary files by a number of its instance's own: one that was stopped, and wakes up while another one
    /// works in the same place, gives no file of that one's a name, and removes none.
    #[must_use]
    pub fn numbered(mut self, number: i64) -> Self {
        self.batch.number(number);
        self
    }

    /// Copies the messages of all folders while the mailbox is in use.
    ///
    /// # Errors
    ///
    /// Whatever stops a copy; no partial file has a final name then.
    pub fn bulk(&mut self, gate: &dyn Gate) -> Result<Pass, MailError> {
        self.pass(Kind::Bulk, gate)
    }

    /// Follows what has changed since: copies what is new and renames copies whose messages have other names. Never
    /// deletes: a listing of a folder in use can miss a message that is being renamed.
    ///
    /// # Errors
    ///
    /// As for `bulk`.
    pub fn delta(&mut self, gate: &dyn Gate) -> Result<Pass, MailError> {
        self.pass(Kind::Delta, gate)
    }

    /// The last pass, from the place behind the fence: follows what has changed, deletes what is gone, copies all other
    /// files. Nobody else may work there. A second call changes nothing.
    ///
    /// A message that is held under the same name with the same inode is not looked at again; `verify` does.
    ///
    /// # Errors
    ///
    /// As for `bulk`; and anything that changes meanwhile.
    pub fn finish(&mut self, fenced: &Path, gate: &dyn Gate) -> Result<Pass, MailError> {
        fenced.clone_into(&mut self.path);
        self.pass(Kind::Final, gate)
    }

    /// What is held at the target so far; a message with two names counts twice.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.held.totals()
    }

    fn pass(&mut self, kind: Kind, gate: &dyn Gate) -> Result<Pass, MailError> {
        let source = self.from.mailbox(&self.path, Side::Source)?;
        let target = self.arrive(&source, gate)?;
        let job = Job { source, target, kind, gate };
        let mut done = Pass::default();
        let outcome = self.walk(&job, &mut done);
        if outcome.is_err() {
            // What cannot be removed now is swept before the next pass.
            self.swept = self.batch.abandon(&job.target, Whose::Ours).is_ok();
        }
        outcome.map(|()| done)
    }

    fn walk(&mut self, job: &Job<'_>, done: &mut Pass) -> Result<(), MailError> {
        if !self.swept {
            self.batch.abandon(&job.target, Whose::All)?;
            self.swept = true;
        }
        self.held.forget_index();
        let folders = walk::folders(&job.source, job.source_ground())?;
        self.held.keep_folders(&folders.iter().map(|folder| &*folder.path).collect());
        if job.kind == Kind::Final {
            self.remove_folders(job, &folders, done)?;
        }
        for folder in &folders {
            self.make_folder(job, folder, done)?;
        }
        for folder in &folders {
            job.gate.pass(0)?;
            self.folder(job, folder, done)?;
        }
        self.commit(job)
    }

    /// The target's directory, made with those above it as they are at the source. The gate is asked before each that is
    /// made: one of them is made durable before the next, which takes long enough for a program to be stopped there, and to
    /// wake up when the mailbox has been moved by another one.
    fn arrive(&mut self, source: &OwnedFd, gate: &dyn Gate) -> Result<OwnedFd, MailError> {
        checked(&self.path)?;
        checked(&self.arriving)?;
        let failed = |errno| Side::Target.failed(&self.arriving)(errno);
        let alike = self.path.components().count() == self.arriving.components().count();
        let mut at = self.to.handle().and_then(|top| dir::open(top, Path::new(""))).map_err(failed)?;
        let mut above = PathBuf::new();
        for (step, model) in
            self.arriving.components().zip(self.path.components().map(Some).chain(std::iter::repeat(None)))
        {
            above.extend(model);
            let name = step.as_os_str().as_encoded_bytes();
            if dir::look(&at, name).map_err(failed)?.is_none() {
                let like = if alike { self.from.handle().and_then(|top| dir::open(top, &above)).ok() } else { None };
                let attr = Attr::of(&fstat(like.as_ref().unwrap_or(source)).map_err(failed)?);
                gate.pass(0)?;
                dir::make(&at, name, attr).map_err(failed)?;
                dir::settle(&at).map_err(failed)?;
            }
            at = dir::open(&at, Path::new(step.as_os_str())).map_err(failed)?;
        }
        Ok(at)
    }

    /// The folder's directories at the target, as they are at the source.
    fn make_folder(&mut self, job: &Job<'_>, folder: &Folder, done: &mut Pass) -> Result<(), MailError> {
        let failed = |errno| Side::Target.failed(&folder.path)(errno);
        let above = folder.path.parent().unwrap_or(Path::new(""));
        let handle = if let Some(name) = folder.path.file_name() {
            let parent = dir::open(&job.target, above).map_err(failed)?;
            if dir::make(&parent, name.as_encoded_bytes(), folder.attr).map_err(failed)? {
                done.folders += 1;
                self.batch.touched(above);
            }
            dir::open(&parent, Path::new(name)).map_err(failed)?
        } else {
            let now = Attr::of(&fstat(&job.target).map_err(failed)?);
            folder.attr.give(&job.target, now).map_err(failed)?;
            done.folders += u32::from(now != folder.attr);
            dir::open(&job.target, Path::new("")).map_err(failed)?
        };
        for part in Part::ALL {
            let Some(attr) = folder.parts[part as usize] else { continue };
            if dir::make(&handle, part.name().as_bytes(), attr).map_err(failed)? {
                done.folders += 1;
                self.batch.touched(&folder.path);
            }
        }
        Ok(())
    }
}
