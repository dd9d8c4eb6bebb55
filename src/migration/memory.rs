//! Memory of a session that is over, for the next one: it would otherwise be given back and asked for again, page by page.
//! What a session decides does not hang on it.

use super::Session;
use super::mailbox::State;
use crate::fleet::MailboxId;
use crate::units::Time;

/// Memory of a session that is over, without what was in it.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub(super) states: Vec<State>,
    /// By head.
    pub(super) lanes: Vec<LaneMemory>,
}

/// Memory of a lane: for its queue, and for its old copies.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneMemory {
    pub(super) order: Vec<MailboxId>,
    pub(super) due: Vec<(Time, MailboxId)>,
}

impl Memory {
    /// The memory of a session.
    pub(super) fn of(session: Session) -> Self {
        let mut lanes: Vec<LaneMemory> = session.lanes.into_iter().map(LaneMemory::of).collect();
        for lane in &mut lanes {
            lane.order.clear();
            lane.due.clear();
        }
        let mut states = session.mailboxes.into_states();
        states.clear();
        Self { states, lanes }
    }
}

impl LaneMemory {
    fn of(lane: super::lane::Lane) -> Self {
        Self { order: lane.queue.into_order(), due: lane.purges.into_due() }
    }
}
