//! What an effect is known by, and the mailboxes of a purge.

use serde::{Deserialize, Serialize};

use crate::fleet::MailboxId;

/// Identifies an effect: session, sequence and the job's slot, packed so that looking a job up needs no search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId(u64);

impl EffectId {
    const SLOT_BITS: u32 = 13;
    const SESSION_BITS: u32 = 14;
    /// The slot of effects that belong to no job.
    pub const NO_SLOT: u16 = (1 << Self::SLOT_BITS) - 1;

    /// Packs an effect id: at most 16,383 sessions, 10^11 effects in each, 8,191 jobs at once.
    #[must_use]
    #[inline]
    pub const fn new(session: u16, sequence: u64, slot: u16) -> Self {
        Self(
            ((session as u64) << (64 - Self::SESSION_BITS))
                | (sequence << Self::SLOT_BITS)
                | (slot as u64 & Self::NO_SLOT as u64),
        )
    }

    /// The session that asked for it.
    #[must_use]
    #[inline]
    pub const fn session(self) -> u16 {
        (self.0 >> (64 - Self::SESSION_BITS)) as u16
    }

    /// Its number within the session, from 1.
    #[must_use]
    #[inline]
    pub const fn sequence(self) -> u64 {
        (self.0 << Self::SESSION_BITS) >> (Self::SESSION_BITS + Self::SLOT_BITS)
    }

    /// The job's slot, below the plan's bound on jobs at once; `NO_SLOT` for effects without a job.
    #[must_use]
    #[inline]
    pub const fn slot(self) -> u16 {
        (self.0 as u16) & Self::NO_SLOT
    }
}

/// Mailboxes whose old copies one purge removes: one or more, as many as a command has room for. After days of grace
/// nothing hangs on seconds, and a purge for each mailbox would be a third of all that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<MailboxId>", into = "Vec<MailboxId>")]
pub struct Batch {
    mailboxes: [MailboxId; Self::MOST],
    count: u8,
}

impl Batch {
    /// How many there can be.
    pub const MOST: usize = 4;

    /// The first of these mailboxes, `MOST` at most.
    #[must_use]
    #[inline]
    pub fn new(mailboxes: impl IntoIterator<Item = MailboxId>) -> Self {
        let mut batch = Self { mailboxes: [MailboxId(0); Self::MOST], count: 0 };
        for mailbox in mailboxes {
            let Some(place) = batch.mailboxes.get_mut(usize::from(batch.count)) else { break };
            *place = mailbox;
            batch.count += 1;
        }
        batch
    }

    /// The mailboxes.
    #[must_use]
    #[inline]
    pub fn mailboxes(&self) -> &[MailboxId] {
        &self.mailboxes[..usize::from(self.count)]
    }
}

impl From<Batch> for Vec<MailboxId> {
    fn from(batch: Batch) -> Self {
        batch.mailboxes().to_vec()
    }
}

impl TryFrom<Vec<MailboxId>> for Batch {
    type Error = String;

    fn try_from(mailboxes: Vec<MailboxId>) -> Result<Self, String> {
        let (count, most) = (mailboxes.len(), Self::MOST);
        if count > most {
            return Err(format!("{count} mailboxes in one purge, {most} at most"));
        }
        Ok(Self::new(mailboxes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_id_gives_back_what_was_packed() {
        for (session, sequence, slot) in [(1, 1, 0), (16_383, 99_999_999_999, 8_190), (7, 123_456, EffectId::NO_SLOT)] {
            let effect = EffectId::new(session, sequence, slot);
            assert_eq!((effect.session(), effect.sequence(), effect.slot()), (session, sequence, slot));
        }
    }
}
