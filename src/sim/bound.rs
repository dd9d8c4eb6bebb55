//! What bound each head on each day, read off the machine as it goes.

use super::{HeadOutcome, Outcome};
use crate::fleet::HeadId;
use crate::migration::Migration;
use crate::migration::message::Binding;
use crate::units::{Span, Time};

const DAY: Span = Span::from_secs(86_400);

/// How long each cause had bound each head when each day ended. It is looked at in the first step after a day's end, so that
/// a day is wrong by at most the time between two steps: a minute or so.
#[derive(Clone, Debug, Default)]
pub(super) struct DailyBound {
    day_ends: Time,
    heads: usize,
    /// By day and head.
    until: Vec<[Span; Binding::COUNT]>,
}

impl DailyBound {
    /// Forgets what was; a replication begins.
    pub(super) fn begin(&mut self, start: Time, heads: usize) {
        self.until.clear();
        (self.day_ends, self.heads) = (start + DAY, heads);
    }

    #[inline(always)]
    pub(super) fn observe(&mut self, machine: &Migration, now: Time) {
        if now >= self.day_ends {
            self.end_days(machine, now);
        }
    }

    #[cold]
    fn end_days(&mut self, machine: &Migration, now: Time) {
        while now >= self.day_ends {
            self.until.extend((0..self.heads).map(|head| machine.bound(HeadId(head as u8), now)));
            self.day_ends = self.day_ends + DAY;
        }
    }

    /// Cuts the time for which each cause has bound into days. The last day has all that is left.
    pub(super) fn tell(&self, outcome: &mut Outcome) {
        for (place, head) in outcome.heads.iter_mut().enumerate() {
            let HeadOutcome { days, bound, .. } = head;
            let last = days.len().saturating_sub(1);
            let mut before = [0; Binding::COUNT];
            for (number, day) in days.iter_mut().enumerate() {
                let known = self.until.get(number * self.heads + place).filter(|_| number < last);
                // Whole minutes of the sum, so that the days add up to it.
                let until = known.unwrap_or(bound).map(|span| (span.secs() / 60.0).floor() as u64);
                day.bound_minutes = std::array::from_fn(|cause| until[cause].saturating_sub(before[cause]) as u16);
                before = until;
            }
        }
    }
}
