//! The ledger as host and workers share it, and what people are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::journal::{Journal, Step};
use super::ledger::{self, Ledger, LedgerError, Named};
use super::status::Status;
use crate::fleet::{Home, MailboxId};
use crate::migration::message::{Command, EffectId, Event};
use crate::units::Time;

/// Writes down what happens.
#[derive(Debug)]
pub struct Recorder {
    ledger: Mutex<Ledger>,
    steps: ledger::Journal,
    clock: Clock,
    status: Arc<Mutex<Status>>,
}

impl Recorder {
    /// Over a ledger in which a session has begun.
    #[must_use]
    pub fn new(ledger: Ledger, clock: Clock, status: Arc<Mutex<Status>>) -> Self {
        Self { steps: ledger.journal(), ledger: Mutex::new(ledger), clock, status }
    }

    /// Records an event and what the machine asks for then.
    ///
    /// # Errors
    /// When it cannot be written: nothing may be done then.
    pub fn record(&self, now: Time, event: &Event, commands: &[Command]) -> Result<(), LedgerError> {
        self.ledger().record(now, event, commands)
    }

    /// Gives a mailbox that has been found its number; it is written with the event that tells of it.
    ///
    /// # Errors
    /// When nothing more can be written.
    pub fn add_mailbox(&self, named: &Named, home: Home) -> Result<MailboxId, LedgerError> {
        self.ledger().add_mailbox(named, home)
    }

    /// Notes that the session has ended as it should.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_session(&self, now: Time) -> Result<(), LedgerError> {
        self.ledger().end_session(now)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Recorder {
    fn step(&self, effect: EffectId, mailbox: MailboxId, step: Step) -> Result<(), LedgerError> {
        self.steps.note(self.clock.now(), effect, mailbox, step.name(), &step.detail())
    }

    fn trouble(&self, doing: &str, why: &str) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).trouble(format!("{doing}: {why}"));
    }
}
