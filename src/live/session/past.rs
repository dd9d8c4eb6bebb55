//! What the ledger knows of earlier sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use super::{SessionError, failed};
use crate::fleet::{ClusterId, MailboxId};
use crate::live::ledger::{LastKnown, Ledger, LedgerError, Named, Reader, Step};
use crate::migration::message::{Command, Event, Milestone, Order};

/// What the ledger knows of earlier sessions.
#[derive(Debug, Default)]
pub(in crate::live) struct Past {
    /// Who has which number.
    pub(in crate::live) names: Vec<Named>,
    /// How things stood.
    pub(in crate::live) known: Option<LastKnown>,
    /// Switches that had a copy in, or on the way to, its final place.
    pub(super) placed: BTreeMap<MailboxId, ClusterId>,
    /// How many messages each mailbox held that was switched and not put back.
    pub(super) switched: BTreeMap<MailboxId, u32>,
    /// Whether an operator had paused the migration, or it had stopped by itself.
    paused: bool,
}

impl Past {
    pub(in crate::live) fn read(ledger: &Path) -> Result<Self, SessionError> {
        let reader = Ledger::read(ledger).map_err(|error| failed("the ledger")(&error))?;
        let problem = |error| failed("the ledger")(&error);
        let Some(known) = reader.last_known().map_err(problem)? else { return Ok(Self::default()) };
        let steps = reader.steps(known.session).map_err(problem)?;
        let placed: BTreeSet<_> =
            steps.iter().filter(|step| step.step == Step::Placed).map(|step| step.effect).collect();
        let in_place = known.in_flight.iter().filter(|job| placed.contains(&job.effect));
        Ok(Self {
            names: reader.mailboxes().map_err(problem)?,
            placed: in_place.map(|job| (job.mailbox, job.to)).collect(),
            switched: reader.moved_with().map_err(problem)?,
            paused: paused(&reader, known.session).map_err(problem)?,
            known: Some(known),
        })
    }

    /// Whether an operator had paused the migration.
    pub(in crate::live) const fn paused(&self) -> bool {
        self.paused
    }

    /// Whose mailbox has moved, as the ledger knows, wherever the directory has them now.
    pub(super) fn moved(&self) -> BTreeSet<&str> {
        self.switched.keys().filter_map(|mailbox| self.names.get(mailbox.index())).map(|named| &*named.name).collect()
    }

    pub(super) fn placed_on(&self, user: &str) -> Option<ClusterId> {
        let row = self.names.iter().position(|named| named.name == user)?;
        self.placed.get(&MailboxId(u32::try_from(row).ok()?)).copied()
    }
}

/// Whether an operator's last word in a session was to pause, or the machine stopped by itself since.
fn paused(reader: &Reader, session: u16) -> Result<bool, LedgerError> {
    let mut paused = false;
    reader.visit(session, &mut |recorded| {
        match recorded.event {
            Event::Operator(Order::Pause | Order::StopCohort(_)) => paused = true,
            Event::Operator(Order::Resume) => paused = false,
            _ => {}
        }
        let announced = recorded.commands.iter().any(|command| command.contains("announce"));
        if announced && recorded.read_commands()?.iter().any(stops) {
            paused = true;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(paused)
}

fn stops(command: &Command) -> bool {
    matches!(command, Command::Announce { milestone: Milestone::Stopped { .. }, .. })
}
