//! What the ledger knows of earlier sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::refuse::clock_behind;
use super::{Accepted, SessionError, failed};
use crate::fleet::{ClusterId, MailboxId};
use crate::live::clock::Clock;
use crate::live::ledger::{LastKnown, Ledger, Named, StandingOrders, Step};
use crate::migration::message::{Event, Milestone, Order, StopCause};
use crate::scenario::Scenario;

/// What the ledger knows of earlier sessions.
#[derive(Debug, Default)]
pub(in crate::live) struct Past {
    /// Who has which number.
    pub(in crate::live) names: Vec<Named>,
    /// How things stood.
    pub(in crate::live) known: Option<LastKnown>,
    /// Switches that had a copy in, or on the way to, its final place.
    pub(super) placed: BTreeMap<MailboxId, ClusterId>,
    /// Orders of earlier sessions that are still in force.
    standing: StandingOrders,
    /// How many messages each mailbox held that was switched and not put back.
    pub(super) switched: BTreeMap<MailboxId, u32>,
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
        let mut names = reader.mailboxes().map_err(problem)?;
        let rows = known.facts.fleet.len();
        if names.len() < rows {
            let why = format!("its last session had {rows} mailboxes, and it names {}", names.len());
            return Err(failed("the ledger")(&format!("{}: it is damaged: {why}", ledger.display())));
        }
        // While a session runs one may have been found since.
        names.truncate(rows);
        Ok(Self {
            names,
            placed: in_place.map(|job| (job.mailbox, job.to)).collect(),
            standing: reader.standing_orders().map_err(problem)?,
            switched: reader.moved_with().map_err(problem)?,
            known: Some(known),
        })
    }

    /// Orders of earlier sessions that are still in force, as the next one is given them.
    pub(in crate::live) fn standing(&self) -> impl Iterator<Item = Event> {
        self.standing.orders.iter().copied().map(Event::Operator)
    }

    /// Why the migration has stopped by itself, where nobody has said since that it goes on.
    pub(super) const fn stopped(&self) -> Option<StopCause> {
        self.standing.stopped
    }

    /// The session's time, by which nothing lies ahead: the ledger's where the system's clock is behind it by no more than
    /// two machines may differ, the system's own where somebody has found that right.
    pub(in crate::live) fn go_on(
        &mut self,
        scenario: &Scenario,
        clock: Clock,
        accepted: Accepted,
    ) -> Result<Clock, SessionError> {
        let Some(known) = &mut self.known else { return Ok(clock) };
        let Some(why) = clock_behind(scenario, known.at, clock.now()) else { return Ok(clock.not_before(known.at)) };
        if !accepted.clock {
            return Err(SessionError(why));
        }
        let now = clock.now();
        for (_, switched) in &mut known.facts.unpurged {
            *switched = now.min(*switched);
        }
        Ok(clock)
    }

    /// Says in words which orders are still in force, and what ends each.
    pub(super) fn tell_standing(&self, scenario: &Scenario, say: &dyn Fn(&str)) {
        for order in &self.standing.orders {
            match order {
                Order::Pause => {
                    let stopped = |why| scenario.milestone_name(&Milestone::Stopped { why });
                    let halt = self.standing.stopped.map_or_else(|| "paused".to_owned(), stopped);
                    say(&format!("{halt}, as before: nothing begins before `drawdown resume`"));
                }
                Order::HoldPurges => say("old copies are kept as before, until `drawdown resume-purges`"),
                Order::CloseCluster(cluster) => {
                    let name = &scenario.clusters[cluster.index()];
                    say(&format!("nothing is placed on {name} as before, until `drawdown open-cluster`"));
                }
                Order::Resume
                | Order::Cap { .. }
                | Order::Skip(_)
                | Order::Retry(_)
                | Order::MoveNow(_)
                | Order::OpenCluster(_)
                | Order::ResumePurges
                | Order::StopCohort(_)
                | Order::EndSession => {}
            }
        }
    }

    /// Whose mailbox has moved, as the ledger knows, wherever the directory has them now.
    pub(super) fn moved(&self) -> BTreeSet<&str> {
        self.switched.keys().filter_map(|mailbox| self.names.get(mailbox.index())).map(|named| &*named.name).collect()
    }

    /// Where copies were to arrive whose jobs have no end in the ledger.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = (MailboxId, ClusterId)> {
        self.known.iter().flat_map(|known| &known.in_flight).map(|job| (job.mailbox, job.to))
    }

    pub(super) fn placed_on(&self, user: &str) -> Option<ClusterId> {
        let row = self.names.iter().position(|named| named.name == user)?;
        self.placed.get(&MailboxId(u32::try_from(row).ok()?)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::HeadId;
    use crate::live::status::Status;
    use crate::scenario::{ReadSettings, Source, starter};

    #[test]
    fn a_stop_that_outlasts_a_restart_is_said_with_its_reason() {
        let source = Source::from_text("starter", starter(), &ReadSettings::default()).expect("a scenario");
        let scenario = source.middle();
        let said = |stopped| {
            let standing = StandingOrders { orders: vec![Order::Pause], stopped, caps: vec![] };
            let said = std::cell::RefCell::new(String::new());
            Past { standing, ..Past::default() }.tell_standing(scenario, &|text| said.borrow_mut().push_str(text));
            said.into_inner()
        };
        assert_eq!(said(None), "paused, as before: nothing begins before `drawdown resume`");
        assert_eq!(
            said(Some(StopCause::VerifyFailed)),
            "stopped: a copy differed from its source, as before: nothing begins before `drawdown resume`"
        );
        let mut status = Status::new(scenario, 2, crate::units::Time::from_unix_micros(0));
        status.stays_stopped(StopCause::AuditFailed { head: HeadId(0) });
        // As the session gives itself the pause.
        status.ordered(Order::Pause);
        let why = format!(", stopped until `resume`: {} should be empty and is not", scenario.heads[0]);
        assert_eq!((status.halt(), status.stopped.is_some()), (why, true));
        status.ordered(Order::Resume);
        assert_eq!((status.halt(), status.stopped), (String::new(), None));
    }
}
