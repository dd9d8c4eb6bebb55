//! What has happened, written before anything is done about it: one file, which `docs/ledger.md` describes for other
//! programs.
//!
//! One process writes it, and holds its lock for as long as it lives; anybody whom the file's owner lets may read it
//! meanwhile. A session begins with all that is known then, so that each can be read, and replayed, by itself.
//!
//! | room | holds |
//! |---|---|
//! | `file` | who may open it, and its tables |
//! | `writer` | what is to be written, and the one place that writes it |
//! | `session` | the facts that a session starts from, as rows |
//! | `reader` | sessions, events and commands in their order |
//! | `known` | what is where after all that has been recorded |
//! | `stores` | on which file systems they lay |
//! | `orders` | which orders are still in force |
//! | `observed` | how long copies and switches took, and what the probes said |
//! | `replay` | the recorded events through the core once more |

mod error;
mod file;
mod known;
mod observed;
mod orders;
mod reader;
mod replay;
mod session;
mod stores;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::fleet::{Home, MailboxId};
use crate::live::wire;
use crate::migration::message::{Command, EffectId, Event, Start};
use crate::units::Time;
use error::Doing as _;
use writer::{Row, Writer};

pub use error::{LedgerError, Trouble};
pub use known::{InFlight, Known, LastKnown, Stage};
pub use observed::{ClusterSample, CopySeen, HeadSample, Observations, SwitchSeen};
pub use orders::StandingOrders;
pub use reader::{Noted, Reader, Recorded, SessionRow};
pub use replay::{Difference, Replayed};

/// The last session that an effect's id has room for.
const SESSION_MAX: u16 = (1 << 14) - 1;

/// A mailbox as the site knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The user's name in the directory.
    pub name: String,
    /// Its folder, below the root of the store that it lives on; of who has moved that below its head's, where the old copy is.
    pub path: String,
}

/// What a session begins with.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// What is where, and what is to be done.
    pub start: &'a Start,
    /// Who the mailboxes of the start are, by `MailboxId`: those that the ledger knows already, then new ones.
    pub mailboxes: &'a [Named],
    /// The text of the scenario as it was resolved.
    pub scenario: &'a str,
    /// The version of the program.
    pub program: &'a str,
}

/// Something that the host did in the world for one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// One pass over all of its files is done.
    Bulk,
    /// A pass over what had changed is done.
    Delta,
    /// Its user is held.
    Hold,
    /// Nobody can deliver into the old place any more.
    Fence,
    /// The copy is complete, verified and in its place.
    Placed,
    /// The directory names the new home, and its user is served there.
    Flip,
    /// The old copy is gone.
    Purged,
    /// All has been put back as it was.
    BackedOut,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Bulk, Self::Delta, Self::Hold, Self::Fence, Self::Placed, Self::Flip, Self::Purged, Self::BackedOut];

    /// The name in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Delta => "delta",
            Self::Hold => "hold",
            Self::Fence => "fence",
            Self::Placed => "placed",
            Self::Flip => "flip",
            Self::Purged => "purged",
            Self::BackedOut => "backed_out",
        }
    }

    /// Whether nothing hangs on it after a crash: a copy is looked through again anyway, the directory knows who is held and
    /// who was flipped, and the head shows its fences. What stands on a cluster nothing else tells to be ours.
    const fn can_wait(self) -> bool {
        match self {
            Self::Bulk | Self::Delta | Self::Hold | Self::Fence | Self::Flip => true,
            Self::Placed | Self::Purged | Self::BackedOut => false,
        }
    }
}

/// The ledger, open for writing: there is one at a time.
#[derive(Debug)]
pub struct Ledger {
    writer: Arc<Writer>,
    behind: Option<JoinHandle<()>>,
    /// The session that was begun last, in this process or an earlier one; 0 before the first.
    session: u16,
    /// Whether it was begun here.
    begun: bool,
    seq: i64,
    mailboxes: u32,
    /// Rows of mailboxes that were found and of which no event has told yet.
    found: BTreeMap<MailboxId, Row>,
    /// Given back last.
    _lock: File,
}

impl Ledger {
    /// Opens a ledger for writing, and makes it where there is none; only its owner may read it.
    ///
    /// # Errors
    /// When another process has it open for writing, when it is something else or was written by a newer program, and when
    /// the system refuses.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let lock = file::lock(path)?;
        let connection = file::open(path)?;
        let count = "SELECT (SELECT coalesce(max(number), 0) FROM session), (SELECT count(*) FROM mailbox)";
        let counts = connection.query_row(count, (), |row| Ok((row.get(0)?, row.get(1)?)));
        let (session, mailboxes) = counts.doing(path, "read it")?;
        let writer = Arc::new(Writer::new(path, connection));
        let shared = Arc::clone(&writer);
        let behind = thread::Builder::new().name("ledger".into()).spawn(move || shared.write_behind());
        let behind = Some(behind.doing(path, "write to it")?);
        Ok(Self { writer, behind, session, begun: false, seq: 0, mailboxes, found: BTreeMap::new(), _lock: lock })
    }

    /// Takes a ledger's lock alone, as whoever writes it does: for what has to be done where it is damaged.
    ///
    /// # Errors
    /// When another process has it, and when the system refuses.
    pub fn lock(path: &Path) -> Result<Lock, LedgerError> {
        file::lock(path).map(|file| Lock { _file: file })
    }

    /// Opens a ledger for reading, also while another process writes it.
    ///
    /// # Errors
    /// When there is none, when it is something else or was written by a newer program, and when the system refuses.
    pub fn read(path: &Path) -> Result<Reader, LedgerError> {
        Reader::open(path)
    }

    /// The number of the session that begins next.
    ///
    /// # Errors
    /// When there have been as many as an effect's id has room for.
    pub fn next_session(&self) -> Result<u16, LedgerError> {
        if self.session >= SESSION_MAX {
            let why = format!("there have been {SESSION_MAX} of them");
            return Err(LedgerError::content(self.writer.path(), "begin a session", why));
        }
        Ok(self.session + 1)
    }

    /// Begins a session: writes what it starts from. `Event::Started` is recorded after it, as every other event.
    ///
    /// # Errors
    /// When it cannot be written, and when a mailbox that the ledger knows comes under another name.
    ///
    /// # Panics
    /// When the start has another number than `next_session`, or not as many mailboxes as there are names.
    pub fn begin_session(&mut self, now: Time, new: &NewSession<'_>) -> Result<(), LedgerError> {
        let number = self.next_session()?;
        assert!(new.start.session == number, "session {} begins, and {number} is the next", new.start.session);
        let (rows, names) = (new.start.facts.fleet.len(), new.mailboxes.len());
        assert!(rows == names, "{rows} mailboxes with {names} names");
        self.writer.with("begin a session", |connection| session::write(connection, now, new))?;
        (self.session, self.begun, self.seq) = (number, true, 0);
        // Of whoever was found before and never told of, the next audit tells again.
        self.found.clear();
        self.mailboxes = rows as u32;
        Ok(())
    }

    /// Records an event and what the machine asks for then. It is durable when this returns, except for a sample or a
    /// wake-up after which nothing is asked for: that is written with the next event, at the latest after a second.
    ///
    /// # Errors
    /// When it cannot be written, or something before it could not: nothing may be done then.
    ///
    /// # Panics
    /// When no session has begun.
    pub fn record(&mut self, now: Time, event: &Event, commands: &[Command]) -> Result<(), LedgerError> {
        self.record_all(&[(now, event, commands)])
    }

    /// Records several events, each with what was asked for then, as one.
    ///
    /// # Errors
    /// As `record`; none of them is written then.
    ///
    /// # Panics
    /// When no session has begun.
    pub fn record_all(&mut self, steps: &[(Time, &Event, &[Command])]) -> Result<(), LedgerError> {
        assert!(self.begun, "an event before a session has begun");
        let session = self.session;
        let mut rows = Vec::with_capacity(2 * steps.len());
        for (now, event, commands) in steps {
            self.seq += 1;
            let (seq, at) = (self.seq, now.unix_micros());
            // A name without its event would be a mailbox that the facts have not.
            if let Event::MailboxFound { mailbox, .. } = event {
                rows.extend(self.found.remove(mailbox));
            }
            rows.push(Row::Event { session, seq, at, kind: wire::event_kind(event), body: session::body(event) });
            rows.extend(commands.iter().enumerate().map(|(n, command)| Row::Command {
                session,
                seq,
                n: n as i64,
                effect: effect_column(command.effect()),
                kind: wire::command_kind(command),
                body: wire::command(command),
            }));
        }
        self.writer.enter(rows)?;
        if steps.iter().all(|(_, event, commands)| commands.is_empty() && can_wait(event)) {
            return Ok(());
        }
        self.writer.commit()
    }

    /// Gives a mailbox that has been found its number: the next one. It is written with the event that tells of it.
    ///
    /// # Errors
    /// When nothing more can be written.
    ///
    /// # Panics
    /// When no session has begun.
    pub fn add_mailbox(&mut self, named: &Named, home: Home) -> Result<MailboxId, LedgerError> {
        assert!(self.begun, "a mailbox before a session has begun");
        let id = self.mailboxes;
        let (name, path, head) = (named.name.clone(), named.path.clone(), home.as_head().map(|head| head.0));
        self.writer.can_go_on()?;
        self.found.insert(MailboxId(id), Row::Mailbox { id, name, head, path, session: self.session });
        self.mailboxes += 1;
        Ok(MailboxId(id))
    }

    /// What writes down the steps of jobs, from any thread.
    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal { writer: Arc::clone(&self.writer) }
    }

    /// Notes that the session has ended as it should: nothing was under way any more.
    ///
    /// # Errors
    /// When it cannot be written.
    ///
    /// # Panics
    /// When no session has begun.
    pub fn end_session(&mut self, now: Time) -> Result<(), LedgerError> {
        assert!(self.begun, "a session that has not begun ends");
        self.begun = false;
        self.writer.enter([Row::End { session: self.session, at: now.unix_micros() }])?;
        self.writer.commit()
    }

    /// Makes durable what has been recorded and takes nothing more in; dropping a ledger does the same and tells no errors.
    #[cfg(test)]
    fn close(self) -> Result<(), LedgerError> {
        self.writer.close()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.writer.close();
        if let Some(behind) = self.behind.take() {
            let _ = behind.join();
        }
    }
}

/// A ledger's lock, for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Writes down the steps of jobs.
#[derive(Clone, Debug)]
pub struct Journal {
    writer: Arc<Writer>,
}

impl Journal {
    /// Notes a step that was done, with whatever else may be of use later (`Null` for nothing). It is durable when this
    /// returns, or, of most steps, with whatever comes next, at the latest within a second.
    ///
    /// # Errors
    /// When it cannot be written, or something before it could not: nothing may be done then.
    pub fn note(
        &self,
        now: Time,
        effect: EffectId,
        mailbox: MailboxId,
        step: Step,
        detail: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        let detail = (!detail.is_null()).then(|| detail.to_string());
        let (effect, mailbox, at) = (effect_column(effect), mailbox.0, now.unix_micros());
        self.writer.enter([Row::Step { effect, mailbox, step: step.name(), at, detail }])?;
        if step.can_wait() { Ok(()) } else { self.writer.commit() }
    }
}

/// Whether an event, where nothing is asked for after it, may be lost with the machine: the next one tells as much.
const fn can_wait(event: &Event) -> bool {
    matches!(event, Event::Wake | Event::HeadSampled { .. } | Event::ClusterSampled { .. })
}

/// An effect's id as a column: the same 64 bits, which the database takes for a signed number.
fn effect_column(effect: EffectId) -> i64 {
    wire::effect_number(effect) as i64
}

/// The first and the last id that an effect of a session can have, as columns.
fn effects_of(session: u16) -> [i64; 2] {
    let (first, next) = (EffectId::new(session, 0, 0), EffectId::new(1, 0, 0));
    let last = wire::effect_number(first) + (wire::effect_number(next) - 1);
    [effect_column(first), last as i64]
}
