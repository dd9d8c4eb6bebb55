//! What has been recorded, in its order.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::error::{Doing as _, LedgerError, Trouble};
use super::{Named, Step, file, session};
use crate::fleet::{HeadId, MailboxId};
use crate::live::wire::{self, WireError};
use crate::migration::message::{Command, EffectId, Event, Start};
use crate::units::Time;

/// A ledger, open for reading.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    path: PathBuf,
}

/// What is known of a session without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its number, from 1.
    pub number: u16,
    /// When it began.
    pub started_at: Time,
    /// `CORE_VERSION` of the program that ran it.
    pub version: u32,
    /// The version of that program.
    pub program: String,
    /// The text of the scenario as it was resolved.
    pub scenario: String,
    /// Mailboxes known when it began.
    pub mailboxes: u32,
    /// Events recorded.
    pub events: u64,
    /// When it ended, if it ended as it should.
    pub ended_at: Option<Time>,
}

/// One recorded event, and what was asked for then.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its number within the session, from 1.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// The event; the first one with all its facts.
    pub event: Event,
    /// The event as it stands in the ledger.
    pub text: String,
    /// The commands as they stand there, in order.
    pub commands: Vec<String>,
}

impl Recorded {
    /// The commands.
    ///
    /// # Errors
    /// When one of the texts is no command.
    pub fn read_commands(&self) -> Result<Vec<Command>, WireError> {
        self.commands.iter().map(|text| wire::read_command(text)).collect()
    }
}

/// A step of a job, from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The job.
    pub effect: EffectId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// What was done.
    pub step: Step,
    /// When.
    pub at: Time,
    /// Whatever else was noted, as JSON.
    pub detail: Option<String>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        Ok(Self { connection: file::open_for_reading(path)?, path: path.to_path_buf() })
    }

    /// All sessions, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionRow>, LedgerError> {
        let columns = "SELECT number, started_at, version, program_version, scenario, mailboxes, ended_at, \
            (SELECT coalesce(max(seq), 0) FROM event WHERE session = number) FROM session ORDER BY number";
        self.read("read its sessions", |connection| {
            let mut select = connection.prepare(columns)?;
            let rows = select.query_map((), |row| {
                Ok(SessionRow {
                    number: row.get(0)?,
                    started_at: Time::from_unix_micros(row.get(1)?),
                    version: row.get(2)?,
                    program: row.get(3)?,
                    scenario: row.get(4)?,
                    mailboxes: row.get(5)?,
                    events: row.get::<_, i64>(7)? as u64,
                    ended_at: row.get::<_, Option<i64>>(6)?.map(Time::from_unix_micros),
                })
            });
            Ok(rows?.collect::<Result<_, _>>()?)
        })
    }

    /// When the last event of the last session was recorded, or when that began; `None` before the first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_at(&self) -> Result<Option<Time>, LedgerError> {
        let last = "SELECT coalesce((SELECT at FROM event WHERE session = number ORDER BY seq DESC LIMIT 1), started_at) \
            FROM session ORDER BY number DESC LIMIT 1";
        self.read("read its last event", |connection| {
            let found = connection.query_row(last, (), |row| row.get(0)).optional()?;
            Ok(found.map(Time::from_unix_micros))
        })
    }

    /// Who the mailboxes are, by `MailboxId`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn mailboxes(&self) -> Result<Vec<Named>, LedgerError> {
        self.read("read its mailboxes", |connection| {
            let mut select = connection.prepare("SELECT id, name, path FROM mailbox ORDER BY id")?;
            let mut rows = select.query(())?;
            let mut names: Vec<Named> = Vec::new();
            while let Some(row) = rows.next()? {
                // Their places are their numbers everywhere else.
                let id: i64 = row.get(0)?;
                if id != names.len() as i64 {
                    return Err(Trouble::Content(format!(
                        "mailbox {} is missing, {id} comes in its place",
                        names.len()
                    )));
                }
                names.push(Named { name: row.get(1)?, path: row.get(2)? });
            }
            Ok(names)
        })
    }

    /// On which heads the mailboxes from a number on were found.
    pub(super) fn heads_from(&self, first: usize) -> Result<Vec<(MailboxId, HeadId)>, LedgerError> {
        self.read("read its mailboxes", |connection| {
            let mut select = connection.prepare("SELECT id, head FROM mailbox WHERE id >= ?1 ORDER BY id")?;
            let rows = select.query_map([first as i64], |row| Ok((MailboxId(row.get(0)?), HeadId(row.get(1)?))));
            Ok(rows?.collect::<Result<_, _>>()?)
        })
    }

    /// What a session started from.
    ///
    /// # Errors
    /// When it cannot be read, when a newer program has written it, and when its parts do not fit together.
    pub fn start(&self, session: u16) -> Result<Start, LedgerError> {
        session::read(&self.connection, &self.path, session)
    }

    /// Shows the events of a session to `visit`, in order, until it has seen enough.
    ///
    /// # Errors
    /// When it cannot be read, when an event is missing or is none, and when `visit` finds a command that is none.
    pub fn visit(
        &self,
        session: u16,
        visit: &mut dyn FnMut(Recorded) -> Result<ControlFlow<()>, WireError>,
    ) -> Result<(), LedgerError> {
        let start = Arc::new(self.start(session)?);
        self.visit_from(&start, visit)
    }

    /// The same of a session whose start has been read already.
    pub(super) fn visit_from(
        &self,
        start: &Arc<Start>,
        visit: &mut dyn FnMut(Recorded) -> Result<ControlFlow<()>, WireError>,
    ) -> Result<(), LedgerError> {
        let session = start.session;
        let mut seq = 0;
        let visited = self.visit_rows(start, &mut seq, visit);
        visited
            .map_err(|trouble| LedgerError::new(&self.path, format!("read event {seq} of session {session}"), trouble))
    }

    fn visit_rows(
        &self,
        start: &Arc<Start>,
        seq: &mut i64,
        visit: &mut dyn FnMut(Recorded) -> Result<ControlFlow<()>, WireError>,
    ) -> Result<(), Trouble> {
        // Both tables as they are at one instant.
        let snapshot = self.connection.unchecked_transaction()?;
        let events = "SELECT seq, at, kind, body FROM event WHERE session = ?1 ORDER BY seq";
        let commands = "SELECT seq, body FROM command WHERE session = ?1 ORDER BY seq, n";
        let (mut events, mut commands) = (snapshot.prepare(events)?, snapshot.prepare(commands)?);
        let (mut events, mut commands) = (events.query([start.session])?, commands.query([start.session])?);
        let mut ahead: Option<(i64, String)> = None;
        let mut latest = Time::LONG_AGO;
        while let Some(row) = events.next()? {
            *seq += 1;
            let found: i64 = row.get(0)?;
            if found != *seq {
                return Err(Trouble::Content(format!("it is missing: event {found} comes next")));
            }
            let (kind, text): (String, String) = (row.get(2)?, row.get(3)?);
            let event = session::read_body(&kind, &text, start)?;
            let micros: i64 = row.get(1)?;
            if Timestamp::from_microsecond(micros).is_err() {
                return Err(Trouble::Content(format!("its instant is in no calendar: {micros}")));
            }
            let at = Time::from_unix_micros(micros);
            if at < latest {
                return Err(Trouble::Content("it lies before the one before it".into()));
            }
            latest = at;
            let mut recorded = Recorded { seq: *seq as u64, at, event, text, commands: Vec::new() };
            loop {
                if ahead.is_none() {
                    ahead =
                        commands.next()?.map(|row| Ok::<_, rusqlite::Error>((row.get(0)?, row.get(1)?))).transpose()?;
                }
                match ahead.take() {
                    Some((of, text)) if of == *seq => recorded.commands.push(text),
                    Some((of, _)) if of < *seq => {
                        return Err(Trouble::Content(format!("a command follows event {of}")));
                    }
                    later => {
                        ahead = later;
                        break;
                    }
                }
            }
            if visit(recorded)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The journal of the jobs of a session, in the order in which it was written.
    ///
    /// # Errors
    /// When it cannot be read, and when a step is none that this program knows.
    pub fn steps(&self, session: u16) -> Result<Vec<Noted>, LedgerError> {
        // The session is in the first bits of an effect's id.
        let bounds = super::effects_of(session);
        let columns = "SELECT effect, mailbox, step, at, detail FROM job WHERE effect BETWEEN ?1 AND ?2 ORDER BY rowid";
        self.read("read its journal", |connection| {
            let mut select = connection.prepare(columns)?;
            let mut rows = select.query(bounds)?;
            let mut steps = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(2)?;
                let step = Step::ALL.into_iter().find(|step| step.name() == name);
                steps.push(Noted {
                    effect: wire::read_effect(row.get::<_, i64>(0)? as u64),
                    mailbox: MailboxId(row.get(1)?),
                    step: step.ok_or_else(|| Trouble::Content(format!("no step of a job: {name:?}")))?,
                    at: Time::from_unix_micros(row.get(3)?),
                    detail: row.get(4)?,
                });
            }
            Ok(steps)
        })
    }

    /// How many messages each mailbox held when its copy came to its place, in any session, unless it was put back since.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn moved_with(&self) -> Result<BTreeMap<MailboxId, u32>, LedgerError> {
        self.read("read what has moved", |connection| {
            // An older program's `placed` does not say it; its `flip` does.
            let columns = "SELECT mailbox, step = 'backed_out', json_extract(detail, '$.messages') FROM job \
                           WHERE step IN ('placed', 'flip', 'backed_out') ORDER BY rowid";
            let mut select = connection.prepare(columns)?;
            let mut rows = select.query(())?;
            let mut moved = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let mailbox = MailboxId(row.get(0)?);
                if row.get(1)? {
                    moved.remove(&mailbox);
                } else if let Some(messages) = row.get::<_, Option<u32>>(2)? {
                    moved.insert(mailbox, messages);
                }
            }
            Ok(moved)
        })
    }

    /// It holds what cannot be.
    pub(super) fn content(&self, why: String) -> LedgerError {
        LedgerError::content(&self.path, "read it", why)
    }

    pub(super) fn read<T>(
        &self,
        doing: &str,
        read: impl FnOnce(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, LedgerError> {
        read(&self.connection).doing(&self.path, doing)
    }
}
