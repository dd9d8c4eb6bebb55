//! Locks on files that keep a second process from the same work.

use std::fs::{File, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a lock that somebody holds is asked for again.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often.
const STEP: Duration = Duration::from_millis(5);

/// Takes the lock of `file` for as long as the file stays open.
///
/// Between the moment at which a process starts a program and the one at which that program runs, the child holds all
/// files of its parent: a lock may outlive its holder by some milliseconds. So one that is held is asked for again for
/// a second.
///
/// # Errors
/// [`TryLockError::WouldBlock`] where somebody else holds it all that time; the file system's own error at once.
#[expect(clippy::disallowed_methods, reason = "whoever holds a lock is waited for, a second at most")]
pub(crate) fn take(file: &File) -> Result<(), TryLockError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(STEP),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_outlives_its_holder_for_a_moment_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.lock");
        let held = File::create(&path).unwrap();
        take(&held).unwrap();
        // As a child that has not yet begun its program does: the same open file once more.
        let child = held.try_clone().unwrap();
        drop(held);
        let ends = thread::spawn(move || {
            thread::park_timeout(Duration::from_millis(100));
            drop(child);
        });
        let next = File::open(&path).unwrap();
        assert!(matches!(next.try_lock(), Err(TryLockError::WouldBlock)));
        take(&next).unwrap();
        ends.join().unwrap();
        let another = File::open(&path).unwrap();
        assert!(matches!(take(&another), Err(TryLockError::WouldBlock)));
    }
}
