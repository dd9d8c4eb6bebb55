//! What people are told on stdout and stderr. A reader who leaves, such as `head` or a log collector that has ended, changes
//! neither what a command does nor how it ends: a verdict is one, whoever reads it.

use std::io::{self, ErrorKind, Write};

/// A stream for people. What nobody reads any more counts as written.
pub(super) struct Told<W>(W);

pub(super) fn stdout() -> Told<io::Stdout> {
    Told(io::stdout())
}

pub(super) fn stderr() -> Told<io::Stderr> {
    Told(io::stderr())
}

/// Stdout for pages with colours, where it shows them.
pub(super) fn page() -> Told<anstream::AutoStream<io::Stdout>> {
    Told(anstream::stdout())
}

/// "1 mailbox is", "2 mailboxes are".
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

impl<W: Write> Write for Told<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that fails in one way.
    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_who_has_left_is_no_error_and_a_full_disk_is() {
        let mut unread = Told(Failing(ErrorKind::BrokenPipe));
        assert!(unread.write_all(b"10 of 12 are met").is_ok() && unread.flush().is_ok());
        let mut full = Told(Failing(ErrorKind::StorageFull));
        assert!(full.write_all(b"10 of 12 are met").is_err() && full.flush().is_err());
    }
}
