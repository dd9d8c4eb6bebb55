//! What is to be written, and the one place that writes it: whoever has to wait for its own rows writes those of all others
//! with them, so that many threads share the cost of making a transaction durable.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::error::{LedgerError, Trouble};

/// What nobody waits for is written at the latest after this time; with the time that writing takes, within a second.
const LATEST: Duration = Duration::from_millis(500);

/// A row to be written.
#[derive(Debug)]
pub(super) enum Row {
    Event { session: u16, seq: i64, at: i64, kind: &'static str, body: String },
    Command { session: u16, seq: i64, n: i64, effect: i64, kind: &'static str, body: String },
    Step { effect: i64, mailbox: u32, step: &'static str, at: i64, detail: Option<String> },
    Mailbox { id: u32, name: String, head: Option<u8>, path: String, session: u16 },
    End { session: u16, at: i64 },
}

/// What all who write share.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    queue: Mutex<Queue>,
    entered: Condvar,
    connection: Mutex<Connection>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order in which they were entered, which is the order in which they are written.
    rows: Vec<Row>,
    /// How many rows were ever entered, and how many of them are durable.
    entered: u64,
    written: u64,
    /// What was wrong with the first write that failed: what came after it would leave a hole.
    failed: Option<LedgerError>,
    closed: bool,
}

impl Writer {
    pub(super) fn new(path: &Path, connection: Connection) -> Self {
        Self {
            path: path.to_path_buf(),
            queue: Mutex::default(),
            entered: Condvar::new(),
            connection: Mutex::new(connection),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether rows can be entered.
    pub(super) fn can_go_on(&self) -> Result<(), LedgerError> {
        if self.queue()?.closed { Err(self.closed()) } else { Ok(()) }
    }

    /// Enters rows, to be written together, after all that were entered before.
    pub(super) fn enter(&self, rows: impl IntoIterator<Item = Row>) -> Result<(), LedgerError> {
        let mut queue = self.queue()?;
        if queue.closed {
            return Err(self.closed());
        }
        let before = queue.rows.len();
        queue.rows.extend(rows);
        queue.entered += (queue.rows.len() - before) as u64;
        drop(queue);
        self.entered.notify_all();
        Ok(())
    }

    /// Returns when all that was entered so far is durable.
    pub(super) fn commit(&self) -> Result<(), LedgerError> {
        let wanted = self.queue()?.entered;
        let mut connection = self.connection()?;
        let rows = {
            let mut queue = self.queue()?;
            if queue.written >= wanted {
                return Ok(());
            }
            std::mem::take(&mut queue.rows)
        };
        let result = write(&mut connection, &rows);
        let mut queue = self.queue()?;
        match result {
            Ok(()) => {
                queue.written += rows.len() as u64;
                Ok(())
            }
            Err(error) => {
                let failed = LedgerError::new(&self.path, format!("write {}", told(&rows)), error.into());
                queue.failed = Some(failed.clone());
                Err(failed)
            }
        }
    }

    /// Works on the file itself, after all that was entered has been written.
    pub(super) fn with<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, LedgerError> {
        self.commit()?;
        let mut connection = self.connection()?;
        work(&mut connection).map_err(|trouble| LedgerError::new(&self.path, doing, trouble))
    }

    /// Writes what nobody waits for, until the ledger is closed.
    pub(super) fn write_behind(&self) {
        while let Ok(mut queue) = self.queue() {
            while queue.rows.is_empty() && !queue.closed && queue.failed.is_none() {
                match self.entered.wait(queue) {
                    Ok(woken) => queue = woken,
                    Err(_) => return,
                }
            }
            if queue.closed {
                return;
            }
            let waited = self.entered.wait_timeout_while(queue, LATEST, |queue| !queue.closed);
            drop(waited);
            // Whoever writes next is told what went wrong here.
            let _ = self.commit();
        }
    }

    /// Makes durable what was entered, and takes nothing more in.
    pub(super) fn close(&self) -> Result<(), LedgerError> {
        if let Ok(mut queue) = self.queue.lock() {
            queue.closed = true;
        }
        self.entered.notify_all();
        self.commit()
    }

    /// # Errors
    /// When a write has failed.
    fn queue(&self) -> Result<MutexGuard<'_, Queue>, LedgerError> {
        // A thread that fell over while it held the lock may have taken rows with it.
        let queue = self.queue.lock().map_err(|_| self.closed())?;
        match &queue.failed {
            Some(failed) => Err(failed.clone()),
            None => Ok(queue),
        }
    }

    fn connection(&self) -> Result<MutexGuard<'_, Connection>, LedgerError> {
        self.connection.lock().map_err(|_| self.closed())
    }

    fn closed(&self) -> LedgerError {
        LedgerError::new(&self.path, "write to it", Trouble::Closed)
    }
}

/// Writes rows in one transaction, durable when this returns.
fn write(connection: &mut Connection, rows: &[Row]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut event = transaction.prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let mut command = transaction.prepare("INSERT INTO command VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let mut job = transaction.prepare("INSERT INTO job VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for row in rows {
            match row {
                Row::Event { session, seq, at, kind, body } => event.execute(params![session, seq, at, kind, body])?,
                Row::Command { session, seq, n, effect, kind, body } => {
                    command.execute(params![session, seq, n, effect, kind, body])?
                }
                Row::Step { effect, mailbox, step, at, detail } => {
                    job.execute(params![effect, mailbox, step, at, detail])?
                }
                Row::Mailbox { id, name, head, path, session } => transaction.execute(
                    "INSERT INTO mailbox VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id, name, head, path, session],
                )?,
                Row::End { session, at } => transaction.execute(
                    "UPDATE session SET ended_at = ?2, clean_end = 1 WHERE number = ?1",
                    params![session, at],
                )?,
            };
        }
    }
    transaction.commit()
}

/// What rows are, in words.
fn told(rows: &[Row]) -> String {
    let count = |test: fn(&Row) -> bool| rows.iter().filter(|row| test(row)).count();
    let counts = [
        (count(|row| matches!(row, Row::Event { .. })), "event"),
        (count(|row| matches!(row, Row::Command { .. })), "command"),
        (count(|row| matches!(row, Row::Step { .. })), "step"),
        (count(|row| matches!(row, Row::Mailbox { .. })), "mailbox"),
        (count(|row| matches!(row, Row::End { .. })), "end of a session"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} x {what}")).collect::<Vec<_>>().join(", ")
}
