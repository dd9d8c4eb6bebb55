//! A small world of real Maildirs and a user database, for trying a plan with the real thing and without a mail server.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fleet::HeadId;
use crate::scenario::site::defaults::SCHEMA_SQLITE;
use crate::units::Bytes;

/// A line of a message's text.
const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog while the mailbox moves to new storage.\r\n";
/// Every so many-th message lies in a folder of its own, is new, or has a flag.
const FOLDER_EVERY: u32 = 5;
const NEW_EVERY: u32 = 11;

/// A mailbox to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its user's name.
    pub user: String,
    /// The head it lives on.
    pub head: HeadId,
    /// All its messages together.
    pub bytes: Bytes,
    /// How many messages.
    pub messages: u32,
}

impl Wanted {
    /// The path below its head's root.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("example.com").join(&self.user).join("Maildir")
    }
}

/// Makes a mailbox as a mail server would have left it: two folders, flags, an index of UIDs, dates in the past.
///
/// # Errors
/// What could not be written.
pub fn make(root: &Path, wanted: &Wanted, now: SystemTime) -> io::Result<()> {
    make_at(&root.join(wanted.path()), wanted, now)
}

/// The same at a place of one's own.
///
/// # Errors
/// What could not be written.
pub(super) fn make_at(maildir: &Path, wanted: &Wanted, now: SystemTime) -> io::Result<()> {
    for folder in ["", ".Sent"] {
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(folder).join(part))?;
        }
    }
    fs::write(maildir.join(".Sent/maildirfolder"), "")?;
    let mut uids = format!("3 V1 N{} G0123456789abcdef0123456789abcdef\n", wanted.messages + 1);
    let each = wanted.bytes.get().checked_div(u64::from(wanted.messages)).unwrap_or(0);
    let mut text = Vec::new();
    for number in 0..wanted.messages {
        fill(&mut text, &wanted.user, number, each);
        let base = format!("{}.M{number}P1.rehearsal,S={}", 1_300_000_000 + u64::from(number) * 3_600, text.len());
        let folder = if number % FOLDER_EVERY == 1 { ".Sent" } else { "" };
        let name = match number % NEW_EVERY {
            0 => format!("new/{base}"),
            1 | 4 => format!("cur/{base}:2,FS"),
            _ => format!("cur/{base}:2,S"),
        };
        let mut file = File::create_new(maildir.join(folder).join(name))?;
        file.write_all(&text)?;
        let age = Duration::from_hours(u64::from(wanted.messages - number));
        file.set_times(FileTimes::new().set_modified(now - age))?;
        if folder.is_empty() {
            use std::fmt::Write as _;
            let _ = writeln!(uids, "{} :{base}", number + 1);
        }
    }
    fs::write(maildir.join("dovecot-uidlist"), uids)
}

/// Makes the user database: name, store and path of everybody.
///
/// # Errors
/// What could not be written.
pub fn make_directory(file: &Path, users: impl Iterator<Item = (String, String, String)>) -> io::Result<()> {
    let made = || {
        let mut connection = rusqlite::Connection::open(file)?;
        connection.execute_batch(SCHEMA_SQLITE)?;
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare("INSERT INTO mailbox (name, home, path) VALUES (?1, ?2, ?3)")?;
        for user in users {
            insert.execute(user)?;
        }
        drop(insert);
        transaction.commit()
    };
    made().map_err(|error: rusqlite::Error| io::Error::other(error.to_string()))
}

/// The paths of whoever the user database has on one of these stores.
///
/// # Errors
/// What could not be read.
pub fn paths_on(file: &Path, stores: &[String]) -> io::Result<BTreeSet<PathBuf>> {
    let read = || {
        let connection = rusqlite::Connection::open(file)?;
        let mut users = connection.prepare("SELECT home, path FROM mailbox")?;
        let rows = users.query_map((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        rows.collect::<Result<Vec<_>, _>>()
    };
    let users = read().map_err(|error: rusqlite::Error| io::Error::other(error.to_string()))?;
    let there = users.into_iter().filter(|(home, _)| stores.contains(home));
    Ok(there.map(|(_, path)| PathBuf::from(path)).collect())
}

/// What a message was, and has to be after its move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Of its bytes.
    hash: blake3::Hash,
    /// What a client is told as the message's date.
    modified: SystemTime,
}

impl Content {
    /// Reads a message.
    ///
    /// # Errors
    /// What could not be read.
    pub fn of(message: &Path) -> io::Result<Self> {
        let modified = fs::metadata(message)?.modified()?;
        Ok(Self { hash: blake3::hash(&fs::read(message)?), modified })
    }
}

/// A message of about so many bytes.
fn fill(text: &mut Vec<u8>, user: &str, number: u32, bytes: u64) {
    text.clear();
    let _ = write!(
        text,
        "From: sender@example.com\r\nTo: {user}\r\nSubject: message {number}\r\nMessage-ID: <{number}.{user}@rehearsal>\r\n\r\n"
    );
    while (text.len() as u64) < bytes {
        let left = usize::try_from(bytes - text.len() as u64).unwrap_or(usize::MAX);
        text.extend_from_slice(&LINE[..LINE.len().min(left)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_other_bytes_or_another_date_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, date) = (folder.path().join("1.host"), SystemTime::UNIX_EPOCH + Duration::from_secs(1_300_000_000));
        let of = |text: &str, date: SystemTime| {
            fs::write(&path, text).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
            Content::of(&path).unwrap()
        };
        let first = of("mail", date);
        assert_eq!(first, of("mail", date));
        assert_ne!(first, of("mall", date));
        assert_ne!(first, of("mail", date + Duration::from_secs(1)));
    }

    #[test]
    fn a_mailbox_has_as_many_messages_and_bytes_as_wanted() {
        let root = tempfile::tempdir().unwrap();
        let wanted = Wanted { user: "alice".into(), head: HeadId(0), bytes: Bytes::new(55_000), messages: 55 };
        make(root.path(), &wanted, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        let mut found = (0, 0);
        for folder in ["cur", "new", ".Sent/cur", ".Sent/new"] {
            for entry in fs::read_dir(root.path().join(wanted.path()).join(folder)).unwrap() {
                let entry = entry.unwrap();
                let size = entry.metadata().unwrap().len();
                assert!(entry.file_name().to_string_lossy().contains(&format!(",S={size}")), "{entry:?}: {size}");
                found = (found.0 + 1, found.1 + size);
            }
        }
        assert_eq!(found, (55, 55_000));
    }
}
