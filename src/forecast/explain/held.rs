//! The accounted time: what has bound a head when, and all heads together.

use crate::migration::message::Binding;
use crate::sim::{HeadDay, HeadOutcome};

/// Means over replications of the time that each cause has bound, by `Binding`; nothing for `NotItsTurn`, which holds no date back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// Days in all.
    pub days: [f64; Binding::COUNT],
    /// Hours of each day since the start.
    pub hours_by_day: Vec<[f64; Binding::COUNT]>,
}

impl Held {
    /// One head.
    #[must_use]
    pub fn of_head(replications: &[Vec<HeadOutcome>], place: usize) -> Self {
        let mut held = Self::default();
        for heads in replications {
            for cause in causes() {
                held.days[cause as usize] += heads[place].bound[cause as usize].days() / replications.len() as f64;
            }
        }
        let daily: Vec<&[HeadDay]> = replications.iter().map(|heads| &heads[place].days[..]).collect();
        held.hours_by_day = hours_by_day(&daily);
        // Old copies are purged long after nothing holds the date back any more.
        while held.hours_by_day.last().is_some_and(|day| day.iter().all(|hours| *hours <= 0.0)) {
            held.hours_by_day.pop();
        }
        held
    }

    /// The heads together: their times added up.
    #[must_use]
    pub fn of_all(replications: &[Vec<HeadOutcome>]) -> Self {
        let heads = replications.first().map_or(0, Vec::len);
        let mut all = Self::default();
        for one in (0..heads).map(|head| Self::of_head(replications, head)) {
            let longest = all.hours_by_day.len().max(one.hours_by_day.len());
            all.hours_by_day.resize(longest, [0.0; Binding::COUNT]);
            for cause in causes() {
                all.days[cause as usize] += one.days[cause as usize];
                for (sum, day) in all.hours_by_day.iter_mut().zip(&one.hours_by_day) {
                    sum[cause as usize] += day[cause as usize];
                }
            }
        }
        all
    }

    /// Days in which anything has bound.
    #[must_use]
    pub fn turn_days(&self) -> f64 {
        self.days.iter().sum()
    }

    /// The causes that have bound at all, the longest first, with their share of the time.
    #[must_use]
    pub fn causes(&self) -> Vec<(Binding, f64)> {
        let all = self.turn_days();
        let share = |cause: Binding| (cause, self.days[cause as usize] / all);
        let mut causes: Vec<(Binding, f64)> =
            causes().filter(|one| self.days[*one as usize] > 0.0).map(share).collect();
        causes.sort_by(|one, other| other.1.total_cmp(&one.1));
        causes
    }

    /// The days since the start between which the middle 80 % of a cause's time lies.
    #[must_use]
    pub fn mostly(&self, cause: Binding) -> Option<(usize, usize)> {
        let hours: Vec<f64> = self.hours_by_day.iter().map(|day| day[cause as usize]).collect();
        let all: f64 = hours.iter().sum();
        let at = |share: f64| {
            let mut sum = 0.0;
            hours.iter().position(|hours| {
                sum += hours;
                sum >= all * share
            })
        };
        if all > 0.0 { at(0.1).zip(at(0.9)) } else { None }
    }
}

/// Hours, not shares of a day: the day on which a replication ends is a short one, and its hours count as those that it has.
fn hours_by_day(heads: &[&[HeadDay]]) -> Vec<[f64; Binding::COUNT]> {
    let longest = heads.iter().map(|days| days.len()).max().unwrap_or(0);
    let mut hours = vec![[0.0; Binding::COUNT]; longest];
    for days in heads {
        for (sum, day) in hours.iter_mut().zip(*days) {
            for cause in causes() {
                sum[cause as usize] += f64::from(day.bound_minutes[cause as usize]) / 60.0 / heads.len() as f64;
            }
        }
    }
    hours
}

fn causes() -> impl Iterator<Item = Binding> {
    Binding::ALL.into_iter().filter(|cause| *cause != Binding::NotItsTurn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    /// A head that a cause binds for some whole days, and another one after it.
    fn head(first: (Binding, usize), then: (Binding, usize)) -> HeadOutcome {
        let mut outcome = HeadOutcome::default();
        for (cause, days) in [first, then] {
            outcome.bound[cause as usize] += Span::from_secs(86_400).times(days as i64);
            for _ in 0..days {
                let mut day = HeadDay::default();
                day.bound_minutes[cause as usize] = 1_440;
                outcome.days.push(day);
            }
        }
        outcome
    }

    #[test]
    fn heads_add_up_and_waiting_for_another_holds_nothing_back() {
        let (throttle, waits) = (Binding::Throttle, Binding::NotItsTurn);
        let one = vec![head((throttle, 4), (Binding::Tail, 1)), head((waits, 5), (throttle, 5))];
        let two = vec![head((throttle, 6), (Binding::Tail, 1)), head((waits, 7), (throttle, 7))];
        let all = Held::of_all(&[one, two]);
        assert!((all.days[throttle as usize] - 11.0).abs() < 1e-9 && (all.turn_days() - 12.0).abs() < 1e-9, "{all:?}");
        let causes = all.causes();
        assert_eq!(causes.iter().map(|one| one.0).collect::<Vec<_>>(), [throttle, Binding::Tail]);
        assert!((causes[0].1 - 11.0 / 12.0).abs() < 1e-9);
        // One of the two replications is at its tail then, and the other one's first head at its throttle.
        let day = all.hours_by_day[4];
        assert!((day[Binding::Tail as usize] - 12.0).abs() < 1e-9 && (day[throttle as usize] - 12.0).abs() < 1e-9);
        assert_eq!(all.mostly(Binding::Tail), Some((4, 6)));
        assert_eq!(all.mostly(Binding::Window), None);
        let ends = Held::of_all(&[vec![head((throttle, 2), (waits, 9))]]);
        assert_eq!(ends.hours_by_day.len(), 2, "days in which nothing bound any more");
    }

    #[test]
    fn the_days_of_a_cause_add_up_to_its_days_in_all_however_short_the_last_one_is() {
        let half_a_day = |days: usize| {
            let (throttle, tail) = (Binding::Throttle, Binding::Tail);
            let mut outcome = head((throttle, days), (tail, 0));
            outcome.bound[tail as usize] += Span::from_secs(43_200);
            let mut day = HeadDay::default();
            day.bound_minutes[tail as usize] = 720;
            outcome.days.push(day);
            outcome
        };
        let held = Held::of_all(&[vec![half_a_day(1)], vec![half_a_day(2)]]);
        for cause in causes() {
            let hours: f64 = held.hours_by_day.iter().map(|day| day[cause as usize]).sum();
            assert!((hours / 24.0 - held.days[cause as usize]).abs() < 1e-9, "{}: {held:?}", cause.name());
        }
        assert!((held.hours_by_day[1][Binding::Tail as usize] - 6.0).abs() < 1e-9, "{held:?}");
    }
}
