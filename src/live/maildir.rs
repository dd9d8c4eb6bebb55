//! One mailbox's files: copied, compared, fenced, removed. Never outside its roots.

/// The job was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Asked before each piece of work.
pub trait Gate: Sync {
    /// Waits while the job is suspended or its bytes have to wait.
    ///
    /// # Errors
    /// When the job is to stop.
    fn pass(&self, bytes: u64) -> Result<(), Stopped>;
}
