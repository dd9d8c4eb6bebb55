//! What a pass does with one folder and with one message.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blake3::Hash;
use rustix::fs::{AtFlags, FileType, renameat, unlinkat};

use super::super::dir::{self, Stamp};
use super::super::error::{MailError, Side, is_gone};
use super::super::name::{Part, Place, os};
use super::super::walk::{self, Folder, part_of};
use super::batch::Staged;
use super::held::{Message, Whereabouts};
use super::stream::{self, Source};
use super::{Copy, Job, Kind, Pass, TARGET};

/// A folder's directories with messages, on both sides.
struct Sides {
    folder: Arc<Path>,
    source: [Option<OwnedFd>; 2],
    target: [Option<OwnedFd>; 2],
}

impl Sides {
    fn source(&self, part: Part) -> &OwnedFd {
        self.source[part as usize].as_ref().expect("messages are listed in parts that are there")
    }

    fn target(&self, part: Part) -> &OwnedFd {
        self.target[part as usize].as_ref().expect("a part is made before messages are copied to it")
    }
}

impl Copy {
    /// Brings a folder of the target up to date.
    pub(super) fn folder(&mut self, job: &Job<'_>, folder: &Folder, done: &mut Pass) -> Result<(), MailError> {
        if !folder.is_mail() {
            return if job.kind == Kind::Final { self.files(job, folder, done) } else { Ok(()) };
        }
        let Some(sides) = sides(job, folder)? else { return Ok(()) };
        if self.held.folder(&folder.path).found.is_none() {
            let found = walk::messages(&job.target, folder, TARGET)?;
            let messages = self.held.folder(&folder.path);
            messages.found = Some(found.into_keys().filter(|place| !messages.at.contains_key(place)).collect());
        }
        let seen = walk::messages(&job.source, folder, job.source_ground())?;
        // Where inodes are in order on the medium, files mostly are; the order of a listing is that of a hash.
        let mut order: Vec<_> = seen.iter().collect();
        order.sort_unstable_by_key(|(_, inode)| **inode);
        for (place, inode) in order {
            let held = self.held.get(&folder.path, place);
            if job.kind == Kind::Final && held.is_some_and(|held| held.inode == *inode) {
                continue;
            }
            job.gate.pass(0)?;
            self.message(job, &sides, place, &seen, done)?;
            if self.batch.is_full() {
                self.commit(job)?;
            }
        }
        if job.kind == Kind::Final {
            // What is deleted next may be what a link waits for.
            self.commit(job)?;
            self.remove_messages(job, folder, &seen, done)?;
            self.files(job, folder, done)?;
        } else {
            self.held.folder(&folder.path).set_aside(&seen);
        }
        Ok(())
    }

    fn message(
        &mut self,
        job: &Job<'_>,
        sides: &Sides,
        place: &Place,
        seen: &walk::Seen,
        done: &mut Pass,
    ) -> Result<(), MailError> {
        let shown = place.shown(&sides.folder);
        let stat = dir::look(sides.source(place.part), &place.name).map_err(Side::Source.failed(&shown))?;
        let Some(stat) = stat else { return skip(job, &shown, done) };
        if dir::kind(&stat) != FileType::RegularFile {
            return Err(MailError::Special { what: shown.display().to_string() });
        }
        let stamp = Stamp::of(&stat);
        match self.held.folder(&sides.folder).whereabouts(place, stat.st_ino, stamp, seen) {
            Whereabouts::Here => Ok(()),
            Whereabouts::Under(old) => {
                self.vacate(job, sides, place)?;
                self.rename(job, sides, &old, place)?;
                if let Some(message) = self.held.forget(&sides.folder, &old) {
                    self.held.put(&sides.folder, place.clone(), message);
                }
                done.renamed += 1;
                Ok(())
            }
            Whereabouts::Nowhere => {
                self.vacate(job, sides, place)?;
                let Some(source) = Source::open(sides.source(place.part), &place.name, &shown)? else {
                    return skip(job, &shown, done);
                };
                if stat.st_nlink == 1 && self.take_over(job, sides, place, &source, done)? {
                    return Ok(());
                }
                if stat.st_nlink > 1 && self.link(job, sides, place, &source, done)? {
                    return Ok(());
                }
                self.fetch(job, sides, place, &source, done)
            }
        }
    }

    /// Before another message gets a place at the target: links that wait for what is there are made first, and no later one
    /// relies on it. Mail servers give no name twice, so this is rare.
    fn vacate(&mut self, job: &Job<'_>, sides: &Sides, place: &Place) -> Result<(), MailError> {
        if self.batch.links_to(&sides.folder, place) {
            self.commit(job)?;
        }
        self.held.forget(&sides.folder, place);
        Ok(())
    }

    fn rename(&mut self, job: &Job<'_>, sides: &Sides, old: &Place, new: &Place) -> Result<(), MailError> {
        if self.batch.links_to(&sides.folder, old) {
            self.commit(job)?;
        }
        let failed = |errno| Side::Target.failed(old.shown(&sides.folder))(errno);
        renameat(sides.target(old.part), os(&old.name), sides.target(new.part), os(&new.name)).map_err(failed)?;
        self.batch.touched(&part_of(&sides.folder, old.part));
        self.batch.touched(&part_of(&sides.folder, new.part));
        Ok(())
    }

    /// Copies a message.
    fn fetch(
        &mut self,
        job: &Job<'_>,
        sides: &Sides,
        place: &Place,
        source: &Source,
        done: &mut Pass,
    ) -> Result<(), MailError> {
        let shown = place.shown(&sides.folder);
        let temporary = self.batch.temporary();
        let durable = job.kind != Kind::Bulk;
        let work = (&mut *self.buffer, job.gate, &*shown);
        let Some(hash) = stream::copy(source, (&job.target, &temporary), durable, work)? else {
            unlinkat(&job.target, &*temporary, AtFlags::empty()).map_err(Side::Target.failed(&shown))?;
            return skip(job, &shown, done);
        };
        done.copied += 1;
        done.bytes += source.stamp.size;
        self.batch.stage(staged(temporary, sides, place, (source, hash), None));
        Ok(())
    }

    /// Gives a copy that is there a further name, if the message is another name of what was copied. Inodes are used again,
    /// so the content decides.
    fn link(
        &mut self,
        job: &Job<'_>,
        sides: &Sides,
        place: &Place,
        source: &Source,
        done: &mut Pass,
    ) -> Result<bool, MailError> {
        let (inode, stamp) = (source.inode, source.stamp);
        let known = self.batch.links(inode, stamp).or_else(|| self.held.links(inode, stamp));
        let Some((folder, other, hash)) = known else { return Ok(false) };
        let shown = place.shown(&sides.folder);
        if source.read(&mut self.buffer, job.gate, &shown, |_| Ok(()))? != Some(hash) {
            return Ok(false);
        }
        done.copied += 1;
        done.bytes += stamp.size;
        let temporary = self.batch.temporary();
        self.batch.stage(staged(temporary, sides, place, (source, hash), Some((folder, other))));
        Ok(true)
    }

    /// Takes over what an earlier copy left of a message, if it looks the same: the source is read for its hash, and
    /// `rehash` compares the target's content with it.
    fn take_over(
        &mut self,
        job: &Job<'_>,
        sides: &Sides,
        place: &Place,
        source: &Source,
        done: &mut Pass,
    ) -> Result<bool, MailError> {
        for left in self.held.folder(&sides.folder).left(place) {
            let shown = left.shown(&sides.folder);
            let stat = dir::look(sides.target(left.part), &left.name).map_err(Side::Target.failed(&shown))?;
            let same = stat.is_some_and(|stat| stat.st_nlink == 1 && source.stamp.is_kept_by(Stamp::of(&stat)));
            if !same {
                continue;
            }
            let Some(hash) = source.read(&mut self.buffer, job.gate, &shown, |_| Ok(()))? else { return Ok(false) };
            done.bytes += source.stamp.size;
            if left == *place {
                done.found += 1;
            } else {
                self.rename(job, sides, &left, place)?;
                done.renamed += 1;
            }
            if let Some(found) = &mut self.held.folder(&sides.folder).found {
                found.remove(&left);
            }
            let message = Message { inode: source.inode, stamp: source.stamp, hash, verified: false };
            self.held.put(&sides.folder, place.clone(), message);
            self.unsynced = true;
            return Ok(true);
        }
        Ok(false)
    }
}

fn staged(
    temporary: String,
    sides: &Sides,
    place: &Place,
    (source, hash): (&Source, Hash),
    link: Option<(Arc<Path>, Place)>,
) -> Staged {
    let message = Message { inode: source.inode, stamp: source.stamp, hash, verified: false };
    Staged { temporary, folder: Arc::clone(&sides.folder), place: place.clone(), message, link }
}

/// A message that is gone or changing is for the next pass; behind the fence nothing may move.
fn skip(job: &Job<'_>, shown: &Path, done: &mut Pass) -> Result<(), MailError> {
    if job.kind == Kind::Final {
        return Err(MailError::Differs { what: format!("{}: changed behind the fence", shown.display()) });
    }
    done.skipped += 1;
    Ok(())
}

/// Opens a folder's directories; none when the folder has been removed since it was listed.
fn sides(job: &Job<'_>, folder: &Folder) -> Result<Option<Sides>, MailError> {
    let mut sides = Sides { folder: folder.path.as_path().into(), source: [None, None], target: [None, None] };
    for part in Part::MAIL.into_iter().filter(|part| folder.has(*part)) {
        let path: PathBuf = part_of(&folder.path, part);
        match dir::open(&job.source, &path) {
            Ok(handle) => sides.source[part as usize] = Some(handle),
            Err(errno) if is_gone(errno) && job.kind != Kind::Final => return Ok(None),
            Err(errno) => return Err(Side::Source.failed(&path)(errno)),
        }
        sides.target[part as usize] = Some(dir::open(&job.target, &path).map_err(Side::Target.failed(&path))?);
    }
    Ok(Some(sides))
}
