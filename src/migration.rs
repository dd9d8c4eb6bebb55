//! The migration core: every decision about the migration, pure and deterministic.
//!
//! No I/O, clock, generator, thread or log: time is an argument, and the same events give the same commands. Production
//! and simulation run this unchanged.

pub mod message;
pub mod plan;

use crate::units::Time;
use message::{Command, Event, Next};

/// The machine.
#[derive(Debug, Default)]
pub struct Migration {}

impl Migration {
    /// A machine that waits for `Started`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one event and says what is to be done about it.
    pub fn step(&mut self, now: Time, event: &Event, out: &mut Vec<Command>) -> Next {
        let _ = (now, event, out);
        todo!("the machine")
    }
}
