//! What operators have ordered that outlasts their session, and stops of the machine that wait for a person.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{LedgerError, Trouble};
use super::reader::Reader;
use crate::fleet::{ClusterId, HeadId};
use crate::live::wire;
use crate::migration::message::{Command, Event, Milestone, Order, StopCause};

/// Orders of a session and its automatic stops, in their order.
const WORDS: &str = "SELECT seq, -1 AS n, 'operator', body FROM event WHERE session = ?1 AND kind = 'operator' \
    UNION ALL SELECT seq, n, 'announce', body FROM command WHERE session = ?1 AND kind = 'announce' ORDER BY 1, 2";

/// Whether anything else has happened in a session than that it began, and orders.
const WENT_ON: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE session = ?1 AND kind NOT IN ('started', 'operator'))";

/// Orders that are in force after the last session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandingOrders {
    /// Those that the next session is given anew.
    pub orders: Vec<Order>,
    /// Why the migration has stopped by itself, where that is what a pause among them is for.
    pub stopped: Option<StopCause>,
    /// Heads whose streams are capped, where the last session has not ended: a cap lasts as long as its session.
    pub caps: Vec<(HeadId, u16)>,
}

impl StandingOrders {
    /// The clusters that are closed, by number.
    #[must_use]
    pub fn closed(&self) -> Vec<ClusterId> {
        let closed = |order: &Order| if let Order::CloseCluster(cluster) = order { Some(*cluster) } else { None };
        self.orders.iter().filter_map(closed).collect()
    }
}

/// Whether the migration goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Halt {
    /// As a session starts: it does.
    #[default]
    Untold,
    /// A person has said that it does.
    Resumed,
    /// It is paused, and has been told nothing else in its session: the pause may be an earlier session's.
    Paused,
    /// A person has paused it since one said that it goes on.
    PausedAnew,
    /// It has stopped by itself.
    Stopped(StopCause),
}

/// Orders that protect mail, as far as they are in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    halt: Halt,
    purges_held: bool,
    closed: BTreeSet<ClusterId>,
    caps: BTreeMap<HeadId, u16>,
}

impl Reader {
    /// The orders that are in force after the last session and that the next one is given anew: a pause (also where the
    /// machine has stopped by itself), held purges, closed clusters. Beside them the caps of a session that has not ended.
    ///
    /// A session gives them to itself first of all. One that has ended before anything happened in it may not have come
    /// to that, so that what was in force before it still is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn standing_orders(&self) -> Result<StandingOrders, LedgerError> {
        let mut sessions = Vec::new();
        let all = self.sessions()?;
        let mut earlier = all.iter().rev();
        for session in earlier.by_ref() {
            sessions.push(session.number);
            if self.went_on(session.number)? {
                break;
            }
        }
        let mut standing = Standing::default();
        for session in sessions.into_iter().rev() {
            self.take_orders(session, &mut standing)?;
        }
        // A session is given the pause and not what it is for: that is in the one that has stopped.
        let mut earlier = earlier.map(|session| session.number);
        while let (Halt::Paused, Some(session)) = (standing.halt, earlier.next()) {
            let mut before = Standing::default();
            self.take_orders(session, &mut before)?;
            standing.halt = match before.halt {
                Halt::Stopped(why) => Halt::Stopped(why),
                Halt::Untold if !self.went_on(session)? => Halt::Paused,
                Halt::Paused => Halt::Paused,
                Halt::Untold | Halt::Resumed | Halt::PausedAnew => Halt::PausedAnew,
            };
        }
        if all.last().is_some_and(|session| session.ended_at.is_some()) {
            standing.caps.clear();
        }
        Ok(standing.finish())
    }

    fn take_orders(&self, session: u16, standing: &mut Standing) -> Result<(), LedgerError> {
        standing.caps.clear();
        self.read("read its orders", |connection| {
            let mut select = connection.prepare(WORDS)?;
            let mut rows = select.query([session])?;
            while let Some(row) = rows.next()? {
                let (kind, body): (String, String) = (row.get(2)?, row.get(3)?);
                standing.take(&kind, &body)?;
            }
            Ok(())
        })
    }

    fn went_on(&self, session: u16) -> Result<bool, LedgerError> {
        self.read("read its events", |connection| Ok(connection.query_row(WENT_ON, [session], |row| row.get(0))?))
    }
}

impl Standing {
    fn take(&mut self, kind: &str, body: &str) -> Result<(), Trouble> {
        if kind == "announce" {
            if let Command::Announce { milestone: Milestone::Stopped { why }, .. } = wire::read_command(body)? {
                self.halt = Halt::Stopped(why);
            }
        } else if let Event::Operator(order) = wire::read_event(body)? {
            self.ordered(order);
        }
        Ok(())
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Pause | Order::StopCohort(_) => self.halt = self.halt.paused(),
            Order::Resume => self.halt = Halt::Resumed,
            Order::HoldPurges => self.purges_held = true,
            Order::ResumePurges => self.purges_held = false,
            Order::CloseCluster(cluster) => _ = self.closed.insert(cluster),
            Order::OpenCluster(cluster) => _ = self.closed.remove(&cluster),
            Order::Cap { head, streams: u16::MAX } => _ = self.caps.remove(&head),
            Order::Cap { head, streams } => _ = self.caps.insert(head, streams),
            // These are known from what has become of the mailboxes, or are of their session.
            Order::Skip(_) | Order::Retry(_) | Order::MoveNow(_) | Order::EndSession => {}
        }
    }

    fn finish(self) -> StandingOrders {
        let (paused, stopped) = match self.halt {
            Halt::Untold | Halt::Resumed => (None, None),
            Halt::Paused | Halt::PausedAnew => (Some(Order::Pause), None),
            Halt::Stopped(why) => (Some(Order::Pause), Some(why)),
        };
        let held = self.purges_held.then_some(Order::HoldPurges);
        let closed = self.closed.into_iter().map(Order::CloseCluster);
        let orders = held.into_iter().chain(closed).chain(paused).collect();
        StandingOrders { orders, stopped, caps: self.caps.into_iter().collect() }
    }
}

impl Halt {
    /// A person has paused it, too: what it has stopped for is so still.
    const fn paused(self) -> Self {
        match self {
            Self::Untold | Self::Paused => Self::Paused,
            Self::Resumed | Self::PausedAnew => Self::PausedAnew,
            Self::Stopped(why) => Self::Stopped(why),
        }
    }
}
