//! A connection to PostgreSQL in a thread of its own, so that a server that hangs keeps nobody waiting for ever.
//!
//! The library waits for the server without a limit. Who asks waits here only so long and then leaves the thread alone,
//! which may end much later. A gate makes sure that it commits nothing then: either the question was given up before
//! anything was committed, and will not be, or the commit was already on its way, and the answer is that nobody knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use postgres::{Client, Config, NoTls, Statement};

use super::super::error::DirectoryError;
use super::super::pool;
use super::super::statements::{Parameter, Which};

/// Threads that exist at once, those that hang included; beyond that nobody connects.
const MOST_SESSIONS: usize = 64;

/// What the thread has.
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) prepared: BTreeMap<Which, (Statement, Vec<Parameter>)>,
}

pub(super) struct Session {
    work: Sender<Work>,
    broken: bool,
}

type Work = Box<dyn FnOnce(&mut Connected) + Send>;

/// Decides between a commit and those who have stopped waiting for it.
pub(super) struct Gate(AtomicU8);

const OPEN: u8 = 0;
const COMMITTING: u8 = 1;
const ABANDONED: u8 = 2;

impl Gate {
    /// From now on a broken connection leaves the outcome unknown; false when nobody waits any more.
    pub(super) fn commit(&self) -> bool {
        self.0.compare_exchange(OPEN, COMMITTING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// True when nothing has been and nothing will be committed.
    fn abandon(&self) -> bool {
        self.0.compare_exchange(OPEN, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Session {
    /// Starts a thread, connects and prepares there. `alive` counts the threads.
    pub(super) fn start(
        config: Config,
        alive: &Arc<()>,
        limit: Duration,
        prepare: impl FnOnce(&mut Client) -> Result<BTreeMap<Which, (Statement, Vec<Parameter>)>, DirectoryError>
        + Send
        + 'static,
    ) -> Result<Self, DirectoryError> {
        if Arc::strong_count(alive) > MOST_SESSIONS {
            return Err(DirectoryError::Lost { why: format!("{MOST_SESSIONS} connections hang or are in use") });
        }
        let alive = Arc::clone(alive);
        let (work, queue) = channel::<Work>();
        let (tell, told) = channel();
        let started = thread::Builder::new().spawn(move || {
            // Nobody may be waiting any more; then the queue is closed, too.
            match connect(&config, prepare) {
                Err(error) => drop(tell.send(Err(error))),
                Ok(mut connected) => {
                    let _ = tell.send(Ok(()));
                    serve(&mut connected, &queue);
                }
            }
            drop(alive);
        });
        started.map_err(|error| DirectoryError::Lost { why: format!("no thread for a connection: {error}") })?;
        match told.recv_timeout(limit) {
            Ok(connected) => connected.map(|()| Self { work, broken: false }),
            Err(RecvTimeoutError::Timeout) => Err(DirectoryError::Lost { why: "connecting takes too long".to_owned() }),
            Err(RecvTimeoutError::Disconnected) => Err(DirectoryError::Lost { why: "connecting broke off".to_owned() }),
        }
    }

    /// Does something with the connection, and waits for it so long.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        which: Which,
        limit: Duration,
        work: impl FnOnce(&mut Connected, &Gate) -> Result<T, DirectoryError> + Send + 'static,
    ) -> Result<T, DirectoryError> {
        let gate = Arc::new(Gate(AtomicU8::new(OPEN)));
        let (tell, told) = channel();
        let passed = Arc::clone(&gate);
        let sent = self.work.send(Box::new(move |connected| {
            // Nobody may be waiting any more.
            let _ = tell.send(work(connected, &passed));
        }));
        let done = match sent.map(|()| told.recv_timeout(limit)) {
            Err(_) => Err(DirectoryError::Lost { why: "the connection is closed".to_owned() }),
            Ok(Ok(done)) => done,
            Ok(Err(RecvTimeoutError::Timeout)) if gate.abandon() => {
                self.broken = true;
                Err(DirectoryError::Busy { why: format!("no answer in {} s", limit.as_secs_f64()) })
            }
            Ok(Err(RecvTimeoutError::Disconnected)) if gate.abandon() => {
                Err(DirectoryError::Lost { why: "the connection broke off".to_owned() })
            }
            Ok(Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => Err(DirectoryError::Uncertain {
                statement: which.name(),
                why: format!("no answer in {} s", limit.as_secs_f64()),
            }),
        };
        self.broken |= matches!(done, Err(DirectoryError::Lost { .. } | DirectoryError::Uncertain { .. }));
        done
    }
}

impl pool::Connection for Session {
    fn usable(&self) -> bool {
        !self.broken
    }
}

fn connect(
    config: &Config,
    prepare: impl FnOnce(&mut Client) -> Result<BTreeMap<Which, (Statement, Vec<Parameter>)>, DirectoryError>,
) -> Result<Connected, DirectoryError> {
    let mut client = config.connect(NoTls).map_err(|error| super::unconnected(&error))?;
    let prepared = prepare(&mut client)?;
    Ok(Connected { client, prepared })
}

/// Until the session is dropped.
fn serve(connected: &mut Connected, queue: &Receiver<Work>) {
    while let Ok(work) = queue.recv() {
        work(connected);
    }
}
