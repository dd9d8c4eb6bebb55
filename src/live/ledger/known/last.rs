//! What is known after all that was recorded, and how it is read from a ledger.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{InFlight, Known};
use crate::fleet::{Home, MailboxId};
use crate::live::ledger::error::LedgerError;
use crate::live::ledger::reader::Reader;
use crate::migration::message::{Facts, Fault};
use crate::migration::plan::Plan;
use crate::units::{Bytes, Time};

/// The state of things as the ledger has it. The user database knows better, for whatever was under way.
#[derive(Clone, Debug, PartialEq)]
pub struct LastKnown {
    /// The last session.
    pub session: u16,
    /// When its last event was recorded, or when it began.
    pub at: Time,
    /// Whether it ended as it should.
    pub clean_end: bool,
    /// The plan that it ran.
    pub plan: Arc<Plan>,
    /// How many mailboxes have been told of. An interrupted earlier program may have left names without an event: the facts have
    /// them after these, on their heads and without a size, and nothing was ever done about them.
    pub told: usize,
    /// Facts for a session to start from. Mailboxes deleted on their head are set aside as `Gone`: a row keeps its number.
    pub facts: Facts,
    /// Old copies of what was switched from then on are kept; never where no cohort was stopped.
    pub cohort: Time,
    /// Mailboxes on a head that no cluster could take: a session with a larger one asks again.
    pub too_large: Vec<MailboxId>,
    /// Mailboxes that have been deleted.
    pub gone: Vec<MailboxId>,
    /// Copies and switches without an end: to be reconciled with the user database.
    pub in_flight: Vec<InFlight>,
}

impl Reader {
    /// What is known after the last session; `None` before the first.
    ///
    /// # Errors
    /// When it cannot be read, or holds what cannot be.
    pub fn last_known(&self) -> Result<Option<LastKnown>, LedgerError> {
        let Some(last) = self.sessions()?.pop() else { return Ok(None) };
        let start = Arc::new(self.start(last.number)?);
        let mut known = Known::new(last.started_at, &start);
        self.visit_from(&start, &mut |recorded| {
            known.take(recorded.at, &recorded.event, &recorded.read_commands()?);
            Ok(ControlFlow::Continue(()))
        })?;
        let told = known.fleet.len();
        for (mailbox, head) in self.heads_from(told)? {
            known.mailbox_found(mailbox, Home::head(head), Bytes::ZERO);
            if known.fleet.len() != mailbox.index() + 1 {
                return Err(self.content(format!("nothing tells of mailbox {}, and its head is unknown", mailbox.0)));
            }
        }
        let mut known = known.finish(last.ended_at.is_some());
        // The session may not have come to giving itself what was in force before it.
        known.facts.clusters.closed = self.standing_orders()?.closed();
        Ok(Some(LastKnown { told, ..known }))
    }
}

impl Known {
    /// What is known by now.
    #[must_use]
    pub fn finish(self, clean_end: bool) -> LastKnown {
        let on_head = |mailbox: &&MailboxId| self.fleet.home[mailbox.index()].as_head().is_some();
        let gone = self.gone.iter().filter(on_head).map(|mailbox| (*mailbox, Fault::Gone));
        let mut set_aside: Vec<_> = self.set_aside.into_iter().chain(gone).collect();
        set_aside.sort_unstable();
        let (unpurged, stopped): (Vec<_>, Vec<_>) =
            self.old.into_iter().flatten().partition(|(_, switched)| *switched < self.cohort);
        let mut kept = self.kept;
        kept.extend(stopped.into_iter().map(|(mailbox, _)| mailbox));
        LastKnown {
            session: self.session,
            at: self.at,
            clean_end,
            plan: self.plan,
            told: self.fleet.len(),
            facts: Facts {
                fleet: Arc::new(self.fleet),
                set_aside,
                attempts: self.attempts.into_iter().filter(|(_, attempts)| *attempts > 0).collect(),
                unpurged,
                kept,
                open: self.open.into_iter().collect(),
                waves: self.waves,
                clusters: self.clusters,
            },
            cohort: self.cohort,
            too_large: self.too_large.into_iter().collect(),
            gone: self.gone.into_iter().collect(),
            in_flight: self.jobs.into_values().map(|(job, _)| job).collect(),
        }
    }
}
