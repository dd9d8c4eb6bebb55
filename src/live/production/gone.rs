//! Who waits for a person, and need not any more: their users were deleted, or moved by hand, and so were their mailboxes.
//!
//! Nothing else asks for them again: no copy of theirs begins before an operator says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Arrival, LiveError, Production};
use crate::fleet::MailboxId;
use crate::live::mover::Look;
use crate::migration::message::Event;
use crate::units::{Span, Time};

/// Between two looks.
const EVERY: Span = Span::from_secs(5);
/// So many are looked for at once, in turn: each is a question to the directory.
const AT_ONCE: usize = 64;

/// Of those who are set aside, who seemed to be gone.
#[derive(Debug)]
pub(super) struct Watched {
    /// When the next look is due; none while one is under way.
    next: Option<Time>,
    /// The last one who was looked for.
    last: Option<MailboxId>,
    /// Who was missing when last looked for: what is seen once may be half of a change.
    missing: BTreeSet<MailboxId>,
    /// What people have been told of who is missing in the directory alone.
    told: BTreeMap<MailboxId, String>,
}

impl Watched {
    pub(super) fn new(now: Time) -> Self {
        Self { next: Some(now + EVERY), last: None, missing: BTreeSet::new(), told: BTreeMap::new() }
    }
}

impl Production {
    /// Looks for those who are set aside, some at a time.
    pub(super) fn look_for_gone(&mut self, now: Time) -> Result<(), LiveError> {
        if self.closes_by.is_some() || self.watched.next.is_none_or(|next| now < next) {
            return Ok(());
        }
        let aside: BTreeSet<MailboxId> = self.known().aside().collect();
        self.watched.missing.retain(|mailbox| aside.contains(mailbox));
        self.watched.told.retain(|mailbox, _| aside.contains(mailbox));
        let after = aside.iter().filter(|mailbox| self.watched.last.is_none_or(|last| **mailbox > last));
        let turn: Vec<MailboxId> = after.chain(&aside).copied().take(AT_ONCE.min(aside.len())).collect();
        self.watched.next = Some(now + EVERY);
        let Some(last) = turn.last().copied() else { return Ok(()) };
        (self.watched.last, self.watched.next) = (Some(last), None);
        let (mover, known) = (Arc::clone(&self.mover), self.recorded());
        self.work("look", move |sender| {
            let _ = sender.send(Arrival::LookedFor(mover.look_for(&turn, &known)));
        })
    }

    /// Who is missing twice in a row is gone. Where it is not sure a person has to see to it.
    pub(super) fn looked_for(&mut self, found: Vec<(MailboxId, Look)>) {
        self.watched.next = Some(self.now() + EVERY);
        for (mailbox, look) in found {
            let was_missing = self.watched.missing.remove(&mailbox);
            match look {
                Look::There => _ = self.watched.told.remove(&mailbox),
                Look::Missing if was_missing => {
                    // An operator may have said `retry` meanwhile.
                    let is_aside = self.known().aside().any(|aside| aside == mailbox);
                    self.ready.extend(is_aside.then_some(Event::MailboxGone { mailbox }));
                }
                Look::Missing => _ = self.watched.missing.insert(mailbox),
                Look::Unsure(why) => {
                    if self.watched.told.get(&mailbox) != Some(&why) {
                        self.mover.journal.trouble("the directory", &why);
                        self.watched.told.insert(mailbox, why);
                    }
                }
            }
        }
    }
}
