//! What has changed since an earlier forecast, and what each cause of it does to the dates.
//!
//! From the recorded dates to the present ones there are two steps. The earlier scenario simulated anew, by this program and from
//! the state that holds now, differs from the recorded dates by the program's version and by the progress made meanwhile; the
//! present scenario differs from that one by its inputs. Each input's part is what putting it back alone takes from the present
//! dates, and what all of them do together beyond the sum is their interaction. All parts add up to the whole.

use std::collections::BTreeMap;

use super::Replication;
use super::shift::{Change, Shift, differences, fewer_reach};
use crate::scenario::Scenario;
use crate::units::{Share, Span, Time};

/// When milestones were reached, by replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dates {
    /// Where the forecast starts.
    pub as_of: Time,
    /// Where the forecast ends.
    pub horizon: Time,
    /// The milestones' names, in the scenario's order.
    pub order: Vec<String>,
    /// By milestone and replication; none where it was not reached.
    pub by_milestone: BTreeMap<String, Vec<Option<Time>>>,
}

impl Dates {
    /// The dates of some replications of a scenario.
    #[must_use]
    pub fn of(scenario: &Scenario, replications: &[Replication]) -> Self {
        let order: Vec<String> = scenario.milestones.iter().map(|one| scenario.milestone_name(one)).collect();
        let dates = |place: usize| replications.iter().map(|one| one.outcome.reached[place]).collect();
        let by_milestone = order.iter().cloned().zip((0..order.len()).map(dates)).collect();
        Self { as_of: scenario.as_of, horizon: scenario.horizon, order, by_milestone }
    }

    /// Replications.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_milestone.values().map(Vec::len).max().unwrap_or(0)
    }

    fn get(&self, milestone: &str) -> Option<&[Option<Time>]> {
        self.by_milestone.get(milestone).map(Vec::as_slice)
    }
}

/// Everything that was simulated for a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    /// What was published.
    pub recorded: &'a Dates,
    /// The earlier scenario, simulated anew with the seed of what was published.
    pub repeated: &'a Dates,
    /// The same with the present seed.
    pub earlier: &'a Dates,
    /// The present forecast.
    pub now: &'a Dates,
    /// The present scenario with one of its changes put back, for each of them; none where that is no scenario.
    pub without: &'a [Option<Dates>],
    /// Whether the program draws as it did.
    pub same_draws: bool,
    /// Whether the present seed is the one of what was published.
    pub same_seed: bool,
}

impl Steps<'_> {
    /// What had been reached when the present forecast starts, which does not know when: with a ledger it does. Whether it may have
    /// come later than in the earlier forecast, whose mean lies before that by more than a margin.
    fn has_been_reached(&self, name: &str, margin: Span) -> Option<bool> {
        let start = self.now.as_of;
        let is_reached = self.now.get(name)?.iter().all(|date| *date == Some(start));
        let was: Vec<Time> = self.recorded.get(name)?.iter().filter_map(|date| *date).collect();
        // Of an empty mean nothing follows.
        let mean = was.iter().map(|date| start.since(*date).days()).sum::<f64>() / was.len() as f64;
        (self.recorded.as_of < start && is_reached).then_some(mean > margin.days())
    }

    fn is_in_neither(&self, name: &str, bound: Time) -> bool {
        let beyond = |date: &Option<Time>| date.is_none_or(|date| date >= bound);
        [self.recorded, self.now].iter().all(|one| one.get(name).is_some_and(|dates| dates.iter().all(beyond)))
    }
}

/// One milestone.
#[derive(Clone, Debug, PartialEq)]
pub struct MilestoneSince {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub found: Found,
}

/// What became of a milestone.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// It is in both.
    Moved(Box<Moved>),
    /// It was not in the earlier forecast.
    New,
    /// It is not in this one any more.
    Removed,
    /// It has been reached since: it lies before the present forecast starts, which does not know when.
    Reached {
        /// Whether that may have been later than the earlier forecast had it.
        may_be_late: bool,
    },
    /// No replication of either reaches it by the horizon.
    InNeither,
    /// It is in both, and too little is known of it to compare.
    NotComparable,
}

/// How a date has moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// By how much, the draws of another seed left out.
    pub shift: Shift,
    /// What that means.
    pub change: Change,
    /// Replications that do not reach it by the horizon, of so many, earlier and now.
    pub not_done: [(usize, usize); 2],
    /// Of it, what comes from the program's version and the progress made meanwhile.
    pub program_and_state: Shift,
    /// Of it, what comes from each changed input alone; none where it cannot be put back alone.
    pub inputs: Vec<Option<Shift>>,
    /// Of it, what the changed inputs do together beyond the sum of `inputs`.
    pub together: Shift,
    /// What another seed does: chance, and no part of the shift; none where the seed is the same.
    pub other_seed: Option<Shift>,
}

/// A present forecast held against an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct Since {
    /// Confidence of all intervals.
    pub confidence: Share,
    /// A shift below this is none.
    pub margin: Span,
    /// By milestone: those of the present scenario, then those that are gone.
    pub milestones: Vec<MilestoneSince>,
}

impl Since {
    /// Compares.
    #[must_use]
    pub fn of(steps: Steps<'_>, confidence: Share, margin: Span) -> Self {
        let bound = [steps.repeated, steps.earlier, steps.now]
            .into_iter()
            .chain(steps.without.iter().flatten())
            .fold(steps.recorded.horizon, |bound, dates| bound.min(dates.horizon));
        let now = steps.now.order.iter().map(|name| MilestoneSince {
            name: name.clone(),
            found: if steps.recorded.get(name).is_none() {
                Found::New
            } else if let Some(may_be_late) = steps.has_been_reached(name, margin) {
                Found::Reached { may_be_late }
            } else if steps.is_in_neither(name, bound) {
                Found::InNeither
            } else {
                moved(steps, name, bound, confidence, margin)
                    .map_or(Found::NotComparable, |it| Found::Moved(Box::new(it)))
            },
        });
        let gone = steps.recorded.order.iter().filter(|name| steps.now.get(name).is_none());
        let gone = gone.map(|name| MilestoneSince { name: name.clone(), found: Found::Removed });
        Self { confidence, margin, milestones: now.chain(gone).collect() }
    }

    /// The milestones that have moved in a certain way.
    pub fn that(&self, change: Change) -> impl Iterator<Item = (&str, &Moved)> {
        self.milestones.iter().filter_map(move |one| match &one.found {
            Found::Moved(moved) if moved.change == change => Some((one.name.as_str(), &**moved)),
            Found::Moved(_)
            | Found::New
            | Found::Removed
            | Found::Reached { .. }
            | Found::InNeither
            | Found::NotComparable => None,
        })
    }

    /// Whether no date has moved, none is new and none is gone.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        let is_still = |found: &Found| matches!(found, Found::InNeither | Found::Reached { may_be_late: false });
        let still = self.milestones.iter().filter(|one| is_still(&one.found)).count();
        let unchanged = self.that(Change::Unchanged).count();
        unchanged > 0 && unchanged + still == self.milestones.len()
    }
}

fn moved(steps: Steps<'_>, name: &str, bound: Time, confidence: Share, margin: Span) -> Option<Moved> {
    let (recorded, repeated) = (steps.recorded.get(name)?, steps.repeated.get(name)?);
    let (earlier, now) = (steps.earlier.get(name)?, steps.now.get(name)?);
    let pairs = steps.same_seed && steps.same_draws;
    // The parts add up where all stand on the same replications.
    let (first, count) = if pairs {
        let count = recorded.len().min(earlier.len()).min(now.len());
        (count, count)
    } else {
        (recorded.len().min(repeated.len()), earlier.len().min(now.len()))
    };
    let program_and_state = if steps.same_draws {
        Shift::paired(&recorded[..first], &repeated[..first], bound)
    } else {
        Shift::unpaired(recorded, repeated, bound)
    }?;
    let (earlier, now) = (&earlier[..count], &now[..count]);
    let by_inputs = Shift::paired(earlier, now, bound)?;
    let shift = if pairs {
        Shift::paired(&recorded[..count], now, bound)?
    } else if steps.same_seed {
        // Both steps stand on the same replications in their middle: the two ends do not depend on each other.
        Shift { days: program_and_state.days + by_inputs.days, ..Shift::unpaired(recorded, now, bound)? }
    } else {
        program_and_state.and(by_inputs)
    };
    let mut rest = differences(earlier, now, bound);
    let mut inputs = Vec::with_capacity(steps.without.len());
    for without in steps.without {
        let dates = without.as_ref().and_then(|dates| dates.get(name)).filter(|dates| dates.len() >= count);
        let Some(dates) = dates else {
            inputs.push(None);
            continue;
        };
        let alone = differences(&dates[..count], now, bound);
        rest.iter_mut().zip(&alone).for_each(|(rest, alone)| *rest -= alone);
        inputs.push(Shift::of(&alone));
    }
    // One change alone is all there is: nothing is left but what sums of numbers leave.
    let together = if matches!(inputs[..], [] | [Some(_)]) { Shift::NONE } else { Shift::of(&rest)? };
    let other_seed = (!steps.same_seed).then(|| Shift::unpaired(repeated, earlier, bound)).flatten();
    let is_beyond = |date: &&Option<Time>| date.is_none_or(|date| date >= bound);
    let not_done = [recorded, now].map(|dates| (dates.iter().filter(is_beyond).count(), dates.len()));
    let change = match shift.change(confidence, margin) {
        Change::Later => Change::Later,
        // Fewer that are done by the horizon are later, whatever those do that are done.
        Change::Earlier | Change::Unchanged | Change::WithinNoise | Change::Open
            if fewer_reach(recorded, now, bound, confidence, margin, pairs) =>
        {
            Change::Later
        }
        // How far beyond the horizon the others lie may turn the mean. What lay there before can only make it more sure.
        Change::Earlier if not_done[1].0 > 0 => Change::Open,
        change @ (Change::Earlier | Change::Unchanged | Change::WithinNoise | Change::Open) => change,
    };
    Some(Moved { shift, change, not_done, program_and_state, inputs, together, other_seed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{after, scenario};

    const SURE: Share = Share::from_ppm(990_000);
    const MARGIN: Span = Span::from_secs(6 * 3_600);

    /// Twenty replications, of which number `r` comes after `20 + r / 4` days and these.
    fn dates(milestones: &[(&str, f64)]) -> Dates {
        let column = |days: f64| (0..20).map(|r| Some(after(20.0 + f64::from(r) / 4.0 + days))).collect();
        Dates {
            as_of: scenario().as_of,
            horizon: scenario().horizon,
            order: milestones.iter().map(|(name, _)| (*name).to_owned()).collect(),
            by_milestone: milestones.iter().map(|(name, days)| ((*name).to_owned(), column(*days))).collect(),
        }
    }

    fn found<'a>(since: &'a Since, name: &str) -> &'a Found {
        &since.milestones.iter().find(|one| one.name == name).unwrap().found
    }

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let (recorded, earlier, now) = (dates(&[("all", 0.0)]), dates(&[("all", 0.5)]), dates(&[("all", 4.5)]));
        // Put back alone, one takes 2 days and the other 1; together they make 4.
        let without = [Some(dates(&[("all", 2.5)])), Some(dates(&[("all", 3.5)])), None];
        let steps = Steps {
            recorded: &recorded,
            repeated: &earlier,
            earlier: &earlier,
            now: &now,
            without: &without,
            same_draws: true,
            same_seed: true,
        };
        let since = Since::of(steps, SURE, MARGIN);
        let Found::Moved(moved) = found(&since, "all") else { panic!("{since:?}") };
        assert!((moved.shift.days - 4.5).abs() < 1e-9 && moved.change == Change::Later, "{moved:?}");
        let inputs: Vec<f64> = moved.inputs.iter().flatten().map(|shift| shift.days).collect();
        assert!((inputs[0] - 2.0).abs() < 1e-9 && (inputs[1] - 1.0).abs() < 1e-9 && moved.inputs[2].is_none());
        assert!((moved.together.days - 1.0).abs() < 1e-9, "{moved:?}");
        let sum = moved.program_and_state.days + inputs.iter().sum::<f64>() + moved.together.days;
        assert!((sum - moved.shift.days).abs() < 1e-9);
    }

    #[test]
    fn nothing_changed_is_exactly_nothing_and_what_comes_and_goes_is_named() {
        let (recorded, now) = (dates(&[("all", 0.0), ("gone", 0.0)]), dates(&[("new", 0.0), ("all", 0.0)]));
        let steps = Steps {
            recorded: &recorded,
            repeated: &now,
            earlier: &now,
            now: &now,
            without: &[],
            same_draws: true,
            same_seed: true,
        };
        let since = Since::of(steps, SURE, MARGIN);
        assert_eq!((found(&since, "new"), found(&since, "gone")), (&Found::New, &Found::Removed));
        let Found::Moved(moved) = found(&since, "all") else { panic!("{since:?}") };
        assert_eq!((moved.shift.days, moved.shift.error, moved.together.days), (0.0, 0.0, 0.0));
        assert!(!since.is_unchanged());
        let same = Since::of(Steps { recorded: &now, ..steps }, SURE, MARGIN);
        assert!(same.is_unchanged());
    }

    #[test]
    fn what_lies_behind_or_beyond_has_not_moved() {
        let (recorded, mut now) = (dates(&[("all", 0.0), ("far", 900.0)]), dates(&[("all", -20.0), ("far", 950.0)]));
        now.by_milestone.insert("all".into(), vec![Some(after(3.0)); 20]);
        now.as_of = after(3.0);
        let steps = Steps {
            recorded: &recorded,
            repeated: &now,
            earlier: &now,
            now: &now,
            without: &[],
            same_draws: true,
            same_seed: true,
        };
        let since = Since::of(steps, SURE, MARGIN);
        let reached = Found::Reached { may_be_late: false };
        assert_eq!((found(&since, "all"), found(&since, "far")), (&reached, &Found::InNeither));
        assert!(!since.is_unchanged());
        // It was to come before that, and nobody knows whether it did.
        let late = Dates { as_of: after(40.0), ..now.clone() };
        let late = Dates { by_milestone: [("all".into(), vec![Some(after(40.0)); 20])].into(), ..late };
        let late = Since::of(Steps { now: &late, repeated: &late, earlier: &late, ..steps }, SURE, MARGIN);
        assert_eq!(found(&late, "all"), &Found::Reached { may_be_late: true });
        // A ledger knows.
        let known = Dates {
            as_of: after(50.0),
            by_milestone: [("all".into(), vec![Some(after(40.0)); 20])].into(),
            ..now.clone()
        };
        let known = Since::of(Steps { now: &known, repeated: &known, earlier: &known, ..steps }, SURE, MARGIN);
        assert!(matches!(found(&known, "all"), Found::Moved(moved) if moved.change == Change::Later), "{known:?}");
        // The same dates, from the same start: they are dates like any other.
        let same = Since::of(Steps { recorded: &now, ..steps }, SURE, MARGIN);
        assert!(matches!(found(&same, "all"), Found::Moved(moved) if moved.change == Change::Unchanged), "{same:?}");
    }

    /// Of 200 replications the first ones, so many, lie beyond the horizon.
    fn cut(beyond: usize) -> Dates {
        let mut dates = dates(&[("all", 0.0)]);
        let column = (0..200).map(|r| (r >= beyond).then(|| after(20.0 + r as f64 / 50.0))).collect();
        dates.by_milestone.insert("all".into(), column);
        dates
    }

    #[test]
    fn more_that_never_comes_is_later_and_what_lies_beyond_the_horizon_is_not_unchanged() {
        let change = |recorded: &Dates, now: &Dates, same_draws: bool| {
            let steps = Steps { recorded, repeated: now, earlier: now, now, without: &[], same_draws, same_seed: true };
            let since = Since::of(steps, SURE, Span::from_secs(20 * 86_400));
            let Found::Moved(moved) = found(&since, "all") else { panic!("{since:?}") };
            (moved.change, moved.not_done)
        };
        for pairs in [true, false] {
            assert_eq!(change(&cut(30), &cut(90), pairs), (Change::Later, [(30, 200), (90, 200)]), "{pairs}");
            assert_eq!(change(&cut(30), &cut(32), pairs).0, Change::Open, "{pairs}");
            assert_eq!(change(&cut(90), &cut(30), pairs).0, Change::Open, "{pairs}");
        }
        assert_eq!(change(&cut(30), &cut(30), true).0, Change::Unchanged, "exactly the same");
    }

    #[test]
    fn earlier_as_far_as_the_horizon_hides_neither_that_fewer_are_done_by_then_nor_what_is_not_known() {
        // Of 200 replications the first ones, so many, lie beyond the horizon, and the others come after so many days.
        let made = |beyond: usize, days: f64| {
            let mut dates = dates(&[("all", 0.0)]);
            let column = (0..200).map(|r| (r >= beyond).then(|| after(days + r as f64 / 50.0))).collect();
            dates.by_milestone.insert("all".into(), column);
            dates
        };
        let change = |recorded: &Dates, now: &Dates, same_draws: bool| {
            let steps = Steps { recorded, repeated: now, earlier: now, now, without: &[], same_draws, same_seed: true };
            let Found::Moved(moved) = found(&Since::of(steps, SURE, MARGIN), "all").clone() else { panic!() };
            assert!(moved.shift.days < -10.0, "{moved:?}");
            moved.change
        };
        for pairs in [true, false] {
            assert_eq!(change(&made(0, 50.0), &made(40, 20.0), pairs), Change::Later, "{pairs}: fewer are done");
            assert_eq!(change(&made(3, 50.0), &made(3, 20.0), pairs), Change::Open, "{pairs}: three may be anywhere");
            assert_eq!(change(&made(3, 50.0), &made(0, 20.0), pairs), Change::Earlier, "{pairs}: all are done");
        }
    }

    #[test]
    fn another_way_of_drawing_takes_the_pairs_apart() {
        let (recorded, now) = (dates(&[("all", 0.0)]), dates(&[("all", 1.0)]));
        let steps = Steps {
            recorded: &recorded,
            repeated: &now,
            earlier: &now,
            now: &now,
            without: &[],
            same_draws: false,
            same_seed: true,
        };
        let since = Since::of(steps, SURE, MARGIN);
        let Found::Moved(moved) = found(&since, "all") else { panic!("{since:?}") };
        assert!(moved.shift.error > 0.3 && moved.change == Change::WithinNoise, "{moved:?}");
    }
}
