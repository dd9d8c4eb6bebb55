//! What only the pass behind the fence does: it deletes, and it copies the files beside the messages.
//!
//! These files (lists of UIDs and keywords, indexes, subscriptions) change with every access and mean nothing until the
//! messages stand still, so no earlier pass looks at them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, renameat, unlinkat};

use super::super::dir::{self, Stamp};
use super::super::error::{MailError, Side};
use super::super::name::{Part, os};
use super::super::walk::{self, Folder, Seen, part_of};
use super::stream::{self, Source};
use super::{Copy, Job, Pass, TARGET};

/// A file beside the messages as it was when it was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Control {
    inode: u64,
    stamp: Stamp,
    /// Of its last change, which nobody can set back.
    changed: (i64, i64),
}

impl Copy {
    /// Removes folders, parts of folders and files beside the messages that the source has not.
    pub(super) fn remove_folders(
        &mut self,
        job: &Job<'_>,
        wanted: &[Folder],
        done: &mut Pass,
    ) -> Result<(), MailError> {
        let wanted: BTreeMap<&Path, &Folder> = wanted.iter().map(|folder| (&*folder.path, folder)).collect();
        // What lies deeper comes first.
        for folder in walk::folders(&job.target, TARGET)?.into_iter().rev() {
            let failed = |errno| Side::Target.failed(&folder.path)(errno);
            let kept = wanted.get(&*folder.path);
            for part in Part::ALL.into_iter().filter(|part| folder.has(*part)) {
                if kept.is_none_or(|kept| !kept.has(part)) {
                    self.remove_part(job, &folder, part, done)?;
                }
            }
            let handle = dir::open(&job.target, &folder.path).map_err(failed)?;
            for name in &folder.files {
                if kept.is_none_or(|kept| !kept.files.contains(name)) {
                    unlinkat(&handle, os(name), AtFlags::empty()).map_err(failed)?;
                    self.controls.remove(&folder.path.join(os(name)));
                    self.batch.touched(&folder.path);
                    done.deleted += 1;
                }
            }
            if let (None, Some(name)) = (kept, folder.path.file_name()) {
                let above = folder.path.parent().unwrap_or(Path::new(""));
                let parent = dir::open(&job.target, above).map_err(failed)?;
                // Files that are never copied may be left in it.
                dir::remove(&parent, name.as_encoded_bytes()).map_err(failed)?;
                self.held.forget_folder(&folder.path);
                self.batch.touched(above);
                done.deleted += 1;
            }
        }
        Ok(())
    }

    fn remove_part(&mut self, job: &Job<'_>, folder: &Folder, part: Part, done: &mut Pass) -> Result<(), MailError> {
        let failed = |errno| Side::Target.failed(part_of(&folder.path, part))(errno);
        if part != Part::Tmp {
            for (place, _) in walk::messages_of(&job.target, &folder.path, part, TARGET)? {
                self.held.forget(&folder.path, &place);
                done.deleted += 1;
            }
        }
        let handle = dir::open(&job.target, &folder.path).map_err(failed)?;
        dir::remove(&handle, part.name().as_bytes()).map_err(failed)?;
        self.batch.touched(&folder.path);
        done.deleted += 1;
        Ok(())
    }

    /// Removes the messages of a folder that the source has not, whoever put them there.
    pub(super) fn remove_messages(
        &mut self,
        job: &Job<'_>,
        folder: &Folder,
        wanted: &Seen,
        done: &mut Pass,
    ) -> Result<(), MailError> {
        for place in walk::messages(&job.target, folder, TARGET)?.into_keys() {
            if wanted.contains_key(&place) {
                continue;
            }
            let part = part_of(&folder.path, place.part);
            let failed = |errno| Side::Target.failed(place.shown(&folder.path))(errno);
            let handle = dir::open(&job.target, &part).map_err(failed)?;
            unlinkat(&handle, os(&place.name), AtFlags::empty()).map_err(failed)?;
            self.held.forget(&folder.path, &place);
            self.batch.touched(&part);
            done.deleted += 1;
        }
        Ok(())
    }

    /// Copies the files beside the messages of a folder, unless they are as they were when they were copied last.
    pub(super) fn files(&mut self, job: &Job<'_>, folder: &Folder, done: &mut Pass) -> Result<(), MailError> {
        if folder.files.is_empty() {
            return Ok(());
        }
        let from = dir::open(&job.source, &folder.path).map_err(Side::Source.failed(&folder.path))?;
        let to = dir::open(&job.target, &folder.path).map_err(Side::Target.failed(&folder.path))?;
        for name in &folder.files {
            let path: PathBuf = folder.path.join(os(name));
            let changed = || MailError::Differs { what: format!("{}: changed behind the fence", path.display()) };
            let stat = dir::look(&from, name).map_err(Side::Source.failed(&path))?.ok_or_else(changed)?;
            if dir::kind(&stat) != FileType::RegularFile {
                return Err(MailError::Special { what: path.display().to_string() });
            }
            let control = Control {
                inode: stat.st_ino,
                stamp: Stamp::of(&stat),
                changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            };
            if self.controls.get(&path) == Some(&control) {
                continue;
            }
            let source = Source::open(&from, name, &path)?.ok_or_else(changed)?;
            let temporary = self.batch.temporary();
            let work = (&mut *self.buffer, job.gate, &*path);
            stream::copy(&source, (&job.target, &temporary), true, work)?.ok_or_else(changed)?;
            renameat(&job.target, &*temporary, &to, os(name)).map_err(Side::Target.failed(&path))?;
            self.batch.touched(&folder.path);
            done.copied += 1;
            done.bytes += control.stamp.size;
            self.controls.insert(path, control);
        }
        Ok(())
    }
}
