//! What operators have ordered that outlasts their session, and stops of the machine that wait for a person.

use std::collections::BTreeSet;

use super::error::{LedgerError, Trouble};
use super::reader::Reader;
use crate::fleet::ClusterId;
use crate::live::wire;
use crate::migration::message::{Command, Event, Milestone, Order};

/// Orders of a session and its automatic stops, in their order.
const WORDS: &str = "SELECT seq, -1 AS n, 'operator', body FROM event WHERE session = ?1 AND kind = 'operator' \
    UNION ALL SELECT seq, n, 'announce', body FROM command WHERE session = ?1 AND kind = 'announce' ORDER BY 1, 2";

/// Whether anything else has happened in a session than that it began, and orders.
const WENT_ON: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE session = ?1 AND kind NOT IN ('started', 'operator'))";

/// Orders that protect mail, as far as they are in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    paused: bool,
    purges_held: bool,
    closed: BTreeSet<ClusterId>,
}

impl Reader {
    /// The orders that are in force after the last session and that the next one is given anew: a pause (also where the
    /// machine has stopped by itself), held purges, closed clusters.
    ///
    /// A session gives them to itself first of all. One that has ended before anything happened in it may not have come
    /// to that, so that what was in force before it still is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn standing_orders(&self) -> Result<Vec<Order>, LedgerError> {
        let mut sessions = Vec::new();
        for session in self.sessions()?.iter().rev() {
            sessions.push(session.number);
            if self.went_on(session.number)? {
                break;
            }
        }
        let mut standing = Standing::default();
        for session in sessions.into_iter().rev() {
            self.read("read its orders", |connection| {
                let mut select = connection.prepare(WORDS)?;
                let mut rows = select.query([session])?;
                while let Some(row) = rows.next()? {
                    let (kind, body): (String, String) = (row.get(2)?, row.get(3)?);
                    standing.take(&kind, &body)?;
                }
                Ok(())
            })?;
        }
        Ok(standing.orders())
    }

    fn went_on(&self, session: u16) -> Result<bool, LedgerError> {
        self.read("read its events", |connection| Ok(connection.query_row(WENT_ON, [session], |row| row.get(0))?))
    }
}

impl Standing {
    fn take(&mut self, kind: &str, body: &str) -> Result<(), Trouble> {
        if kind == "announce" {
            let command = wire::read_command(body)?;
            self.paused |= matches!(command, Command::Announce { milestone: Milestone::Stopped { .. }, .. });
        } else if let Event::Operator(order) = wire::read_event(body)? {
            self.ordered(order);
        }
        Ok(())
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Pause | Order::StopCohort(_) => self.paused = true,
            Order::Resume => self.paused = false,
            Order::HoldPurges => self.purges_held = true,
            Order::ResumePurges => self.purges_held = false,
            Order::CloseCluster(cluster) => _ = self.closed.insert(cluster),
            Order::OpenCluster(cluster) => _ = self.closed.remove(&cluster),
            // These are known from what has become of the mailboxes, or last as long as their session.
            Order::Cap { .. } | Order::Skip(_) | Order::Retry(_) | Order::MoveNow(_) | Order::EndSession => {}
        }
    }

    fn orders(self) -> Vec<Order> {
        let paused = self.paused.then_some(Order::Pause);
        let held = self.purges_held.then_some(Order::HoldPurges);
        held.into_iter().chain(self.closed.into_iter().map(Order::CloseCluster)).chain(paused).collect()
    }
}
