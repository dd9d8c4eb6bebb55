//! Content: read in chunks, hashed in the same stream, written.

use std::os::fd::OwnedFd;
use std::path::Path;

use blake3::{Hash, Hasher};
use rustix::fs::{
    Advice, FileType, Mode, OFlags, SeekFrom, Timespec, Timestamps, fadvise, fstat, fsync, ftruncate, futimens, openat,
    seek,
};
use rustix::io::{Errno, read, write};

use super::super::dir::{self, Attr, Stamp};
use super::super::error::{Gate, MailError, Side, Stopped, is_gone};
use super::super::name::os;

/// Read and written at once; the longest piece of work between two questions to the gate.
pub(super) const CHUNK: usize = 256 * 1024;

/// A file that has been read at the source.
pub(super) struct Source {
    handle: OwnedFd,
    pub(super) inode: u64,
    pub(super) stamp: Stamp,
}

impl Source {
    /// Opens a file; none when it is gone.
    pub(super) fn open(at: &OwnedFd, name: &[u8], shown: &Path) -> Result<Option<Self>, MailError> {
        let failed = |errno| Side::Source.failed(shown)(errno);
        let handle = match dir::open_file(at, name) {
            Ok(handle) => handle,
            Err(errno) if is_gone(errno) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        let stat = fstat(&handle).map_err(failed)?;
        if dir::kind(&stat) != FileType::RegularFile {
            return Err(MailError::Special { what: shown.display().to_string() });
        }
        Ok(Some(Self { handle, inode: stat.st_ino, stamp: Stamp::of(&stat) }))
    }

    /// Reads it from its beginning to its end. None when it changed under our eyes.
    pub(super) fn read(
        &self,
        buffer: &mut [u8],
        gate: &dyn Gate,
        shown: &Path,
        each: impl FnMut(&[u8]) -> Result<(), MailError>,
    ) -> Result<Option<Hash>, MailError> {
        // It may have been read before.
        seek(&self.handle, SeekFrom::Start(0)).map_err(Side::Source.failed(shown))?;
        let (hash, length) = read_through(&self.handle, self.stamp.size, buffer, gate, (Side::Source, shown), each)?;
        let now = Stamp::of(&fstat(&self.handle).map_err(Side::Source.failed(shown))?);
        Ok((length == self.stamp.size && now == self.stamp).then_some(hash))
    }
}

/// Copies an open file to a new name, with its owner, mode and time; durable only if asked. None when the source changed
/// meanwhile.
pub(super) fn copy(
    source: &Source,
    (to, temporary): (&OwnedFd, &str),
    durable: bool,
    (buffer, gate, shown): (&mut [u8], &dyn Gate, &Path),
) -> Result<Option<Hash>, MailError> {
    let failed = |errno| Side::Target.failed(shown)(errno);
    let stamp = source.stamp;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(stamp.attr.mode & 0o700);
    let target = openat(to, temporary, flags, mode).map_err(failed)?;
    let mut hole = false;
    let hash = source.read(buffer, gate, shown, |chunk| {
        // What is empty over a whole chunk stays a hole. Compared with itself, one byte on: as fast as memory in every build.
        hole = chunk.len() == CHUNK && chunk[0] == 0 && chunk[1..] == chunk[..CHUNK - 1];
        if hole {
            return seek(&target, SeekFrom::Current(CHUNK as i64)).map(|_| ()).map_err(failed);
        }
        write_all(&target, chunk).map_err(failed)
    })?;
    let Some(hash) = hash else { return Ok(None) };
    if hole {
        ftruncate(&target, stamp.size).map_err(failed)?;
    }
    let written = fstat(&target).map_err(failed)?;
    if written.st_size as u64 != stamp.size {
        let what = format!("{}: {} bytes written of {}", shown.display(), written.st_size, stamp.size);
        return Err(MailError::Differs { what });
    }
    stamp.attr.give(&target, Attr::of(&written)).map_err(failed)?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: stamp.seconds, tv_nsec: stamp.nanos },
    };
    futimens(&target, &times).map_err(failed)?;
    if durable {
        fsync(&target).map_err(failed)?;
    } else {
        // What is to be dropped is written first: the disk begins now and not when the whole batch is waited for.
        fadvise(&target, 0, None, Advice::DontNeed).map_err(failed)?;
    }
    Ok(Some(hash))
}

/// The hash of a file as its medium has it: what the page cache holds is dropped before, as far as it has been written.
pub(super) fn reread(
    at: &OwnedFd,
    name: &[u8],
    (side, shown): (Side, &Path),
    buffer: &mut [u8],
    gate: &dyn Gate,
) -> Result<Hash, MailError> {
    let failed = |errno| side.failed(shown)(errno);
    let handle = dir::open_file(at, name).map_err(failed)?;
    let stat = fstat(&handle).map_err(failed)?;
    if dir::kind(&stat) != FileType::RegularFile {
        return Err(MailError::Special { what: os(name).display().to_string() });
    }
    if side == Side::Target {
        fadvise(&handle, 0, None, Advice::DontNeed).map_err(failed)?;
    }
    Ok(read_through(&handle, stat.st_size as u64, buffer, &Uncounted(gate), (side, shown), |_| Ok(()))?.0)
}

/// A gate that is asked as ever, but for no bytes: those read back were counted when they were copied, and a pace is one of
/// the mailboxes' bytes, each once, as forecasts take it.
struct Uncounted<'a>(&'a dyn Gate);

impl Gate for Uncounted<'_> {
    fn pass(&self, _bytes: u64) -> Result<(), Stopped> {
        self.0.pass(0)
    }
}

fn read_through(
    from: &OwnedFd,
    expected: u64,
    buffer: &mut [u8],
    gate: &dyn Gate,
    (side, shown): (Side, &Path),
    mut each: impl FnMut(&[u8]) -> Result<(), MailError>,
) -> Result<(Hash, u64), MailError> {
    let mut hasher = Hasher::new();
    let mut length = 0;
    loop {
        let ahead = expected.saturating_sub(length).min(buffer.len() as u64);
        if ahead > 0 || length == 0 {
            gate.pass(ahead)?;
        }
        let count = fill(from, buffer).map_err(side.failed(shown))?;
        hasher.update(&buffer[..count]);
        length += count as u64;
        if count > 0 {
            each(&buffer[..count])?;
        }
        // A file that grows for ever must not keep us.
        if count < buffer.len() || length > expected {
            return Ok((hasher.finalize(), length));
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(from: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(from, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
