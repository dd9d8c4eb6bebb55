//! Which attempts fail: drawn by mailbox and attempt, whenever they are made.

use super::draw::{Draws, Keyed, Purpose};
use crate::migration::message::Fault;
use crate::scenario::model::Faults;

/// The draws behind attempts, and the shares of them that fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptDraws {
    faults: Faults,
    permanent: Keyed,
    transient: Keyed,
    switch: Keyed,
}

impl AttemptDraws {
    /// The draws of a replication.
    pub(crate) fn new(faults: &Faults, draws: Draws) -> Self {
        let keyed = |purpose| draws.keyed(purpose, "mailboxes");
        Self {
            faults: *faults,
            permanent: keyed(Purpose::Permanent),
            transient: keyed(Purpose::Transient),
            switch: keyed(Purpose::Switch),
        }
    }

    /// Whether an attempt to copy will fail, and after which part of its work.
    #[inline]
    pub(crate) fn copy(&self, mailbox: u32, attempt: u32) -> (Option<Fault>, f64) {
        let Faults { permanent, transient, .. } = self.faults;
        // What a person has seen to does not come again.
        if permanent > 0.0 && attempt < AFTER_PERSON {
            let draw = self.permanent.unit(u64::from(mailbox));
            if draw < permanent {
                return (Some(Fault::Permanent), draw / permanent);
            }
        }
        if transient > 0.0 {
            let draw = self.transient.unit(item_of(mailbox, attempt));
            if draw < transient {
                return (Some(Fault::Transient), draw / transient);
            }
        }
        (None, 1.0)
    }

    /// Whether the switch of an attempt will back out.
    #[inline]
    pub(crate) fn switch(&self, mailbox: u32, attempt: u32) -> bool {
        self.faults.switch > 0.0 && self.switch.unit(item_of(mailbox, attempt)) < self.faults.switch
    }
}

/// Attempts from this one on come after a person has seen to the mailbox, and as many later after each further time.
pub(crate) const AFTER_PERSON: u32 = 1 << 8;

/// The number of an attempt on a mailbox.
#[inline]
pub(crate) const fn item_of(mailbox: u32, attempt: u32) -> u64 {
    ((attempt as u64) << 32) | mailbox as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::RunId;

    #[test]
    fn as_many_attempts_fail_as_the_shares_say_and_permanent_ones_stay() {
        let faults = Faults { permanent: 0.02, transient: 0.1, switch: 0.05 };
        let draws = AttemptDraws::new(&faults, Draws::new(RunId { seed: 5, replication: 1 }));
        let n = 100_000;
        let mut counts = [0_u32; 3];
        for mailbox in 0..n {
            let (fault, part) = draws.copy(mailbox, 1);
            assert!((0.0..=1.0).contains(&part));
            counts[0] += u32::from(fault == Some(Fault::Permanent));
            counts[1] += u32::from(fault == Some(Fault::Transient));
            counts[2] += u32::from(draws.switch(mailbox, 1));
            if fault == Some(Fault::Permanent) {
                assert_eq!(draws.copy(mailbox, 2).0, fault);
                assert_ne!(draws.copy(mailbox, AFTER_PERSON + 1).0, fault);
            }
        }
        // Five standard deviations: 220, 470 and 340.
        for (count, expected, spread) in [(counts[0], 2_000, 220), (counts[1], 9_800, 470), (counts[2], 5_000, 340)] {
            assert!(count.abs_diff(expected) < spread, "{count} for {expected}");
        }
    }
}
