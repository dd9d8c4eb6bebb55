//! The ledger's file: who may open it, and what tables it has.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;

use super::error::{Doing as _, LedgerError, Trouble};
use crate::lock;

/// The version of the tables.
pub(super) const SCHEMA: i64 = 1;

/// `DRWD`: what the first bytes of the file say that it is.
const APPLICATION: i64 = 0x4452_5744;

/// Only the owner may read what mailboxes there are.
const MODE: u32 = 0o600;

/// How long to wait for a reader that keeps the file locked, or for the writer while it starts.
const BUSY: Duration = Duration::from_secs(10);

/// Pages that may lie in the write-ahead file after a checkpoint, in bytes.
const WAL_BYTES: i64 = 64 << 20;

/// Memory for pages, in thousands of bytes: a session begins with hundreds of thousands of rows in one transaction, which
/// would otherwise be written more than once.
const CACHE_KB: i64 = 64_000;

const TABLES: &str = "
CREATE TABLE session (
    number INTEGER PRIMARY KEY, started_at INTEGER NOT NULL, version INTEGER NOT NULL, form INTEGER NOT NULL,
    program_version TEXT NOT NULL, scenario TEXT NOT NULL, plan_json TEXT NOT NULL, open_clusters TEXT NOT NULL,
    mailboxes INTEGER NOT NULL, groups INTEGER NOT NULL, ended_at INTEGER, clean_end INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, head INTEGER, path TEXT NOT NULL,
    first_session INTEGER NOT NULL REFERENCES session (number)
) STRICT;
CREATE TABLE session_mailbox (
    session INTEGER NOT NULL REFERENCES session (number), id INTEGER NOT NULL REFERENCES mailbox (id),
    origin INTEGER NOT NULL, home TEXT NOT NULL, bytes INTEGER NOT NULL, messages INTEGER NOT NULL,
    activity_micro_op_s INTEGER NOT NULL, grp INTEGER, attempts INTEGER NOT NULL, set_aside TEXT,
    unpurged_at INTEGER, unpurged_place INTEGER,
    PRIMARY KEY (session, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE event (
    session INTEGER NOT NULL REFERENCES session (number), seq INTEGER NOT NULL, at INTEGER NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE command (
    session INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, effect INTEGER NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (session, seq, n), FOREIGN KEY (session, seq) REFERENCES event (session, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE job (
    effect INTEGER NOT NULL, mailbox INTEGER NOT NULL REFERENCES mailbox (id), step TEXT NOT NULL,
    at INTEGER NOT NULL, detail TEXT
) STRICT;
CREATE INDEX job_effect ON job (effect);
CREATE INDEX job_mailbox ON job (mailbox);
";

/// Takes the lock of a ledger for as long as the file that it gives back stays open.
pub(super) fn lock(path: &Path) -> Result<File, LedgerError> {
    const DOING: &str = "take its lock";
    let beside = beside(path, ".lock");
    let mut options = OpenOptions::new();
    // A link in its place would lead this process's hand to somebody else's file.
    let no_link = OFlags::NOFOLLOW.bits() as i32;
    options.read(true).write(true).create(true).truncate(false).mode(MODE).custom_flags(no_link);
    let mut file = options.open(&beside).doing(&beside, DOING)?;
    match lock::take(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder);
            let holder = read.ok().and_then(|_| holder.trim().parse().ok());
            return Err(LedgerError::new(path, "open it for writing", Trouble::InUse(holder)));
        }
        Err(TryLockError::Error(error)) => return Err(LedgerError::new(&beside, DOING, error.into())),
    }
    // For the message above alone: the lock itself is the system's.
    let note = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    note.doing(&beside, DOING)?;
    Ok(file)
}

/// Opens the file for writing; makes it, or its tables, where there are none. The lock is taken before.
pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    create(path).doing(path, "make it")?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).doing(path, "open it")?;
    connection.busy_timeout(BUSY).doing(path, "open it")?;
    if version(&connection, path)?.is_none() {
        make_tables(&connection).doing(path, "make its tables")?;
    }
    let set = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";
    connection
        .execute_batch(set)
        .and_then(|()| connection.pragma_update(None, "journal_size_limit", WAL_BYTES))
        .and_then(|()| connection.pragma_update(None, "cache_size", -CACHE_KB))
        .doing(path, "set it up")?;
    Ok(connection)
}

/// Opens the file for reading alone.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, LedgerError> {
    const DOING: &str = "read it";
    // The database's own message does not tell a missing file from one that may not be read.
    File::open(path).doing(path, DOING)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).doing(path, DOING)?;
    connection.busy_timeout(BUSY).doing(path, DOING)?;
    match version(&connection, path)? {
        Some(_) => Ok(connection),
        None => Err(LedgerError::new(path, DOING, Trouble::NotALedger)),
    }
}

/// Makes an empty file that only its owner may read, before the database could make one that others may.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(file) => {
            file.sync_all()?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::set_permissions(path, Permissions::from_mode(MODE))
        }
        Err(error) => Err(error),
    }
}

/// The version of the file's tables; `None` for an empty file.
fn version(connection: &Connection, path: &Path) -> Result<Option<i64>, LedgerError> {
    const DOING: &str = "open it";
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).doing(path, DOING);
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get::<_, i64>(0));
    let (application, version, tables) =
        (pragma("application_id")?, pragma("user_version")?, tables.doing(path, DOING)?);
    match (application, version) {
        (0, 0) if tables == 0 => Ok(None),
        (APPLICATION, SCHEMA) => Ok(Some(version)),
        (APPLICATION, newer) if newer > SCHEMA => Err(LedgerError::new(path, DOING, Trouble::Newer(newer, SCHEMA))),
        _ => Err(LedgerError::new(path, DOING, Trouble::NotALedger)),
    }
}

/// All or nothing: a file without tables is made again, one with half of them would be nobody's.
fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", SCHEMA)?;
    connection.execute_batch("COMMIT")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
