//! Where every mailbox stands: four bytes each, beside the immutable facts.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use crate::fleet::{Fleet, HeadId, Home, MailboxId, at, at_mut};
use crate::units::{Bytes, Time};

/// Where a mailbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// On a head, to be moved.
    Waiting,
    /// On a head, to be tried again after a wait.
    BackingOff,
    /// On a head, while a job copies it.
    Copying,
    /// On a head, while a job switches it.
    Switching,
    /// On a cluster; the old copy is still on its head.
    Moved,
    /// On a cluster, and nowhere else.
    Settled,
    /// On a head, for a person to look at.
    SetAside,
    /// On a head, and to stay there.
    Excluded,
    /// Deleted.
    Gone,
}

const _: () = assert!(Phase::Waiting as u8 == 0, "a mailbox that nothing has happened to is all zeros");

/// Mailboxes whose columns come from memory together: one by one, each costs a wait for memory; of a block, the waits pass
/// together.
const BLOCK: usize = 64;

/// As much as a block of what comes after these places of a list, if one of them is the last of a block: for lists that are
/// gone through once.
#[inline(always)]
pub(super) fn block_after<T>(list: &[T], places: Range<usize>) -> Option<&[T]> {
    if places.start / BLOCK == places.end / BLOCK { None } else { list[places.end..].chunks(BLOCK).next() }
}

/// Where one mailbox stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    phase: Phase,
    attempts: u8,
    changed: bool,
    begun: bool,
}

/// A mailbox that waits, has never been tried, and is as the facts have it.
pub(super) struct Untouched<'a> {
    state: &'a mut State,
    pub(super) bytes: Bytes,
    messages: &'a [u32],
    row: usize,
}

impl Untouched<'_> {
    /// Its messages; none where nobody knows.
    #[inline]
    pub(super) fn messages(&self) -> u32 {
        self.messages.get(self.row).copied().unwrap_or_default()
    }

    /// Its first job begins to copy it.
    #[inline]
    pub(super) fn start_copy(self) {
        (self.state.phase, self.state.begun) = (Phase::Copying, true);
    }
}

/// All mailboxes.
#[derive(Clone, Debug, Default)]
pub(super) struct Mailboxes {
    fleet: Arc<Fleet>,
    states: Vec<State>,
    /// Homes of mailboxes found after the session began, by row beyond the fleet's.
    found: Vec<Home>,
    /// Sizes that differ from the fleet's: bytes and messages.
    changed: BTreeMap<MailboxId, (Bytes, u32)>,
}

impl Mailboxes {
    /// All of a fleet, in memory in which nothing is.
    pub(super) fn new(fleet: &Arc<Fleet>, mut states: Vec<State>) -> Self {
        states.reserve_exact(fleet.len());
        states.resize(fleet.len(), State { phase: Phase::Waiting, attempts: 0, changed: false, begun: false });
        for (state, home) in states.iter_mut().zip(&fleet.home) {
            if home.is_cluster() {
                state.phase = Phase::Settled;
            }
        }
        Self { fleet: Arc::clone(fleet), states, found: Vec::new(), changed: BTreeMap::new() }
    }

    pub(super) fn into_states(self) -> Vec<State> {
        self.states
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn knows(&self, mailbox: MailboxId) -> bool {
        mailbox.index() < self.states.len()
    }

    #[inline]
    pub(super) fn phase(&self, mailbox: MailboxId) -> Phase {
        self.states[mailbox.index()].phase
    }

    #[inline]
    pub(super) fn set_phase(&mut self, mailbox: MailboxId, phase: Phase) {
        at_mut(&mut self.states, mailbox.index()).phase = phase;
    }

    /// Failed attempts so far.
    #[inline]
    pub(super) fn attempts(&self, mailbox: MailboxId) -> u8 {
        self.states[mailbox.index()].attempts
    }

    pub(super) fn set_attempts(&mut self, mailbox: MailboxId, attempts: u8) {
        self.states[mailbox.index()].attempts = attempts;
    }

    /// Whether a job for it has been started in this session, and it has not had to wait for room since.
    #[inline]
    pub(super) fn begun(&self, mailbox: MailboxId) -> bool {
        self.states[mailbox.index()].begun
    }

    /// It is as one that has not begun in this session; says whether it had.
    pub(super) fn withdraw(&mut self, mailbox: MailboxId) -> bool {
        std::mem::take(&mut at_mut(&mut self.states, mailbox.index()).begun)
    }

    /// A job begins to copy it: says which attempt that is, from 1, and whether it is the first job of this session.
    #[inline]
    pub(super) fn start_copy(&mut self, mailbox: MailboxId) -> (u8, bool) {
        let state = at_mut(&mut self.states, mailbox.index());
        state.phase = Phase::Copying;
        let begins = !std::mem::replace(&mut state.begun, true);
        (state.attempts.saturating_add(1), begins)
    }

    /// A mailbox, if it waits, has never been tried, and is as the facts have it: nearly every one.
    #[inline(always)]
    pub(super) fn untouched(&mut self, mailbox: MailboxId) -> Option<Untouched<'_>> {
        let state = at_mut(&mut self.states, mailbox.index());
        let State { phase, attempts, changed, begun } = *state;
        if u32::from_le_bytes([phase as u8, attempts, u8::from(changed), u8::from(begun)]) != 0 {
            return None;
        }
        let row = mailbox.index();
        Some(Untouched { state, bytes: *at(&self.fleet.bytes, row), messages: &self.fleet.messages, row })
    }

    /// Brings in what will be read of mailboxes that are to be copied.
    #[inline(never)]
    pub(super) fn bring_in_copies(&self, block: &[MailboxId]) {
        let read = |id: &MailboxId| {
            let bytes = self.fleet.bytes.get(id.index()).map_or(0, |bytes| bytes.get());
            bytes ^ self.states.get(id.index()).map_or(0, |state| u64::from(state.attempts))
        };
        black_box(block.iter().fold(0, |all, id| all ^ read(id)));
    }

    /// The same of mailboxes whose old copies are to be purged.
    #[inline(never)]
    pub(super) fn bring_in_purges(&self, block: &[(Time, MailboxId)]) {
        let read = |id: &MailboxId| self.states.get(id.index()).map_or(0, |state| state.attempts);
        black_box(block.iter().fold(0, |all, (_, id)| all ^ read(id)));
    }

    /// It lives on its cluster; the attempts that its old copy's purge may take are its own.
    #[inline]
    pub(super) fn set_moved(&mut self, mailbox: MailboxId) {
        let state = at_mut(&mut self.states, mailbox.index());
        (state.phase, state.attempts) = (Phase::Moved, 0);
    }

    /// The size as far as is known.
    #[inline]
    pub(super) fn bytes(&self, mailbox: MailboxId) -> Bytes {
        if self.states[mailbox.index()].changed {
            return self.changed[&mailbox].0;
        }
        self.fleet.bytes[mailbox.index()]
    }

    /// The messages as far as is known; none of a mailbox that was found later, until its copy tells.
    #[inline]
    pub(super) fn messages(&self, mailbox: MailboxId) -> u32 {
        if self.states[mailbox.index()].changed {
            return self.changed[&mailbox].1;
        }
        self.fleet.messages.get(mailbox.index()).copied().unwrap_or_default()
    }

    /// It has another size than is known; its messages are taken to be as many.
    pub(super) fn set_bytes(&mut self, mailbox: MailboxId, bytes: Bytes) {
        self.set_size(mailbox, bytes, self.messages(mailbox));
    }

    pub(super) fn set_size(&mut self, mailbox: MailboxId, bytes: Bytes, messages: u32) {
        self.states[mailbox.index()].changed = true;
        self.changed.insert(mailbox, (bytes, messages));
    }

    /// The head that it lived on when the facts were taken.
    pub(super) fn head(&self, mailbox: MailboxId) -> Option<HeadId> {
        let row = mailbox.index();
        let home = self.fleet.home.get(row).copied().or_else(|| self.found.get(row - self.fleet.len()).copied());
        home.and_then(Home::as_head)
    }

    /// Adds a mailbox that the facts did not know.
    pub(super) fn add(&mut self, home: Home, bytes: Bytes) -> MailboxId {
        let mailbox = MailboxId(self.states.len() as u32);
        let phase = if home.as_cluster().is_some() { Phase::Settled } else { Phase::Waiting };
        self.states.push(State { phase, attempts: 0, changed: false, begun: false });
        self.found.push(home);
        self.set_bytes(mailbox, bytes);
        mailbox
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_brought_in_where_one_ends_and_the_last_may_be_short() {
        let list: Vec<usize> = (0..2 * BLOCK + 2).collect();
        let blocks: Vec<_> = (0..list.len()).filter_map(|place| block_after(&list, place..place + 1)).collect();
        assert_eq!(blocks, [&list[BLOCK..2 * BLOCK], &list[2 * BLOCK..]]);
        let list = &list[..BLOCK + 2];
        let after: Vec<_> = [0..4, 60..63, 60..64, 62..65, 65..66].map(|places| block_after(list, places)).into();
        assert_eq!(after, [None, None, Some(&list[64..]), Some(&list[65..]), None]);
        assert_eq!(block_after(list, BLOCK - 1..BLOCK + 2), None, "nothing is left");
    }

    #[test]
    fn mailboxes_that_the_fleet_does_not_know_are_no_trouble_to_bring_in() {
        let mut mailboxes = Mailboxes::default();
        let found = mailboxes.add(Home::head(HeadId(0)), Bytes::new(1));
        mailboxes.bring_in_copies(&[found, MailboxId(7)]);
        mailboxes.bring_in_purges(&[(Time::NEVER, found), (Time::NEVER, MailboxId(7))]);
    }
}
