//! The recorded events through the core once more: it must ask for what was recorded, byte for byte.

use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use super::error::LedgerError;
use super::reader::Reader;
use crate::live::wire;
use crate::migration::Migration;
use crate::migration::message::CORE_VERSION;
use crate::units::Time;

/// Events with differences that are told: what follows the first one follows from it.
const TOLD: usize = 3;

/// What a replay of one session came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The session.
    pub session: u16,
    /// `CORE_VERSION` of the program that recorded it.
    pub version: u32,
    /// Events that were gone through, up to the last difference told.
    pub events: u64,
    /// Commands recorded with them.
    pub commands: u64,
    /// The first differences.
    pub differences: Vec<Difference>,
}

/// An event after which the core does not ask for what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The event's number within its session.
    pub seq: u64,
    /// When it happened.
    pub at: Time,
    /// The event.
    pub event: String,
    /// The first command that differs, as recorded; `None` where fewer were recorded.
    pub recorded: Option<String>,
    /// The same as given by this core; `None` where it gives fewer.
    pub given: Option<String>,
}

impl Replayed {
    /// Whether this program takes its decisions as the one that recorded them.
    #[must_use]
    pub const fn same_version(&self) -> bool {
        self.version == CORE_VERSION
    }
}

impl Reader {
    /// Runs the recorded events of a session through the core, until a few of them have differed.
    ///
    /// # Errors
    /// When the ledger cannot be read, or holds what is no event.
    pub fn replay(&self, session: u16) -> Result<Replayed, LedgerError> {
        let mut machine = Migration::new();
        let start = Arc::new(self.start(session)?);
        let version = start.version;
        let mut replayed = Replayed { session, version, events: 0, commands: 0, differences: Vec::new() };
        let mut given = Vec::new();
        let mut impossible = None;
        self.visit_from(&start, &mut |recorded| {
            given.clear();
            if let Err(why) = possible(|| machine.step(recorded.at, &recorded.event, &mut given)) {
                impossible = Some(format!("event {} of session {session} cannot have happened: {why}", recorded.seq));
                return Ok(ControlFlow::Break(()));
            }
            replayed.events += 1;
            replayed.commands += recorded.commands.len() as u64;
            let given: Vec<String> = given.iter().map(wire::command).collect();
            let longest = given.len().max(recorded.commands.len());
            if let Some(place) = (0..longest).find(|place| given.get(*place) != recorded.commands.get(*place)) {
                replayed.differences.push(Difference {
                    seq: recorded.seq,
                    at: recorded.at,
                    recorded: recorded.commands.get(place).cloned(),
                    given: given.get(place).cloned(),
                    event: recorded.text,
                });
            }
            let enough = replayed.differences.len() >= TOLD;
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        impossible.map_or(Ok(replayed), |why| Err(self.content(why)))
    }
}

/// What the core makes of an event. It counts on events that can happen, and asserts it: of a file that was damaged, or written by
/// somebody else, that is the file's trouble and not the core's.
fn possible<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(step)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("the core does not take it").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_core_asserts_is_said_of_the_ledger() {
        assert_eq!(possible(|| 3), Ok(3));
        let refused = |left: u64| possible(move || assert!(left > 5, "5 of {left}"));
        assert_eq!(refused(3), Err("5 of 3".to_owned()));
    }
}
