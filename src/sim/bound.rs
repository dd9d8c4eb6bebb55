//! What bound each head on each day, read off the machine as it goes.

use super::{HeadDay, HeadOutcome, Outcome};
use crate::fleet::HeadId;
use crate::migration::Migration;
use crate::migration::message::Binding;
use crate::units::{Span, Time};

const DAY: Span = Span::from_secs(86_400);

const WEEK_MINUTES: u32 = 7 * 24 * 60;

/// What bound a head for most of its last week in its turn. A whole week, so that windows weigh as they do: what binds at one
/// instant is a matter of the hour at which somebody lets the horizon end.
pub(super) fn lately(days: &[HeadDay]) -> Option<Binding> {
    let (mut minutes, mut passed) = ([0_u32; Binding::COUNT], 0);
    for day in days.iter().rev() {
        if passed >= WEEK_MINUTES {
            break;
        }
        for (sum, bound) in minutes.iter_mut().zip(day.bound_minutes) {
            (*sum, passed) = (*sum + u32::from(bound), passed + u32::from(bound));
        }
    }
    let causes = Binding::ALL.into_iter().filter(|cause| *cause != Binding::NotItsTurn && minutes[*cause as usize] > 0);
    // Of several alike the first counts.
    causes.rev().max_by_key(|cause| minutes[*cause as usize])
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn day(minutes: &[(Binding, u16)]) -> HeadDay {
        let mut day = HeadDay::default();
        for (cause, bound) in minutes {
            day.bound_minutes[*cause as usize] = *bound;
        }
        day
    }

    #[test]
    fn the_last_week_tells_what_holds_a_head_and_not_its_last_minute() {
        let (mover, window, turn) = (Binding::Mover, Binding::Window, Binding::NotItsTurn);
        let work = day(&[(mover, 1_000), (window, 440)]);
        // It ends on a day of rest, after an hour of it; what was long before says nothing.
        let mut days = vec![day(&[(Binding::Outage, 1_440)]); 20];
        days.extend(vec![work; 7]);
        days.push(day(&[(window, 60)]));
        assert_eq!(lately(&days), Some(mover));
        // One that has its turn since yesterday.
        let mut days = vec![day(&[(turn, 1_440)]); 9];
        days.push(day(&[(turn, 1_400), (window, 40)]));
        assert_eq!(lately(&days), Some(window));
        assert_eq!(lately(&[day(&[(turn, 1_440)])]), None);
        assert_eq!(lately(&[]), None);
        assert_eq!(lately(&[day(&[(window, 720), (mover, 720)])]), Some(mover), "of two alike the first counts");
    }
}
