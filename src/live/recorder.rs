//! The ledger as host and workers share it, and what people are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::directory::Lease;
use super::journal::{Journal, Step};
use super::ledger::{self, Ledger, LedgerError, Named};
use super::log::Log;
use super::status::{LeaseStatus, Status};
use crate::fleet::{Home, MailboxId};
use crate::migration::message::{Command, EffectId, Event};
use crate::units::{Span, Time};

/// Writes down what happens.
#[derive(Debug)]
pub struct Recorder {
    ledger: Mutex<Ledger>,
    steps: ledger::Journal,
    clock: Clock,
    status: Arc<Mutex<Status>>,
    log: Option<Arc<Log>>,
}

impl Recorder {
    /// Over a ledger in which a session has begun.
    #[must_use]
    pub fn new(ledger: Ledger, clock: Clock, status: Arc<Mutex<Status>>) -> Self {
        Self { steps: ledger.journal(), ledger: Mutex::new(ledger), clock, status, log: None }
    }

    /// What is recorded is logged, too.
    #[must_use]
    pub fn with_log(self, log: Option<Arc<Log>>) -> Self {
        Self { log, ..self }
    }

    /// Records an event and what the machine asks for then.
    ///
    /// # Errors
    /// When it cannot be written: nothing may be done then.
    pub fn record(&self, now: Time, event: &Event, commands: &[Command]) -> Result<(), LedgerError> {
        let began = self.clock.now();
        self.ledger().record(now, event, commands)?;
        let (ended, mut status) = (self.clock.now(), self.status());
        status.ledger.events += 1;
        status.ledger.lag_us = micros(ended.since(now));
        status.ledger.spent_us += micros(ended.since(began));
        drop(status);
        if let Some(log) = &self.log {
            log.recorded(now, event, commands);
        }
        Ok(())
    }

    /// Gives a mailbox that has been found its number; it is written with the event that tells of it.
    ///
    /// # Errors
    /// When nothing more can be written.
    pub fn add_mailbox(&self, named: &Named, home: Home) -> Result<MailboxId, LedgerError> {
        let mailbox = self.ledger().add_mailbox(named, home)?;
        if let Some(log) = &self.log {
            log.know([named.name.clone()]);
        }
        Ok(mailbox)
    }

    /// Notes that the session has ended as it should.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_session(&self, now: Time) -> Result<(), LedgerError> {
        self.ledger().end_session(now)
    }

    /// Tells of the lease as it is now.
    pub(super) fn leased(&self, lease: &Lease) {
        let (fence, until) = (lease.fence().number(), lease.until().unix_micros());
        self.status().lease = LeaseStatus { fence: Some(fence), until_us: Some(until) };
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Recorder {
    fn step(&self, effect: EffectId, mailbox: MailboxId, step: Step) -> Result<(), LedgerError> {
        match step {
            Step::Flip { held, .. } => self.status().holds.add(held, false),
            Step::BackedOut { held } => self.status().holds.add(held, true),
            Step::Bulk { .. }
            | Step::Arrived { .. }
            | Step::Hold
            | Step::Fence
            | Step::Placed { .. }
            | Step::Purged { .. } => {}
        }
        let now = self.clock.now();
        self.steps.note(now, effect, mailbox, step.name(), &step.detail())?;
        if let Some(log) = &self.log {
            log.step(now, effect, mailbox, &step);
        }
        Ok(())
    }

    fn trouble(&self, doing: &str, why: &str) {
        self.status().trouble(format!("{doing}: {why}"));
        if let Some(log) = &self.log {
            log.trouble(self.clock.now(), doing, why);
        }
    }
}

fn micros(span: Span) -> u64 {
    u64::try_from(span.micros()).unwrap_or(0)
}
