//! What has happened beside what an earlier forecast had said.

use super::published::Published;
use super::standing;
use super::wording::{Calendar, count};
use super::{Block, Section, Tone};
use crate::forecast::Forecast;
use crate::forecast::quantile::{P50, When};
use crate::forecast::series::DayQuantiles;
use crate::migration::message::Milestone;
use crate::scenario::Scenario;
use crate::units::{Span, Time};

/// A date that comes out by less than this has come as it was said.
const NEAR: Span = Span::from_secs(2 * 3_600);

/// An earlier forecast, and what has happened since.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// When it started.
    pub(super) as_of: Time,
    /// Mailboxes that it had left on all heads, at the ends of its days.
    pub(super) said: Vec<Said>,
    /// Its median of the day when all heads are empty.
    all_emptied: Option<When>,
    /// Mailboxes that were left, since it started; the last one now.
    pub(super) happened: Vec<(Time, f64)>,
}

/// Mailboxes left that a forecast had said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said {
    /// Days since the forecast's start.
    pub(super) day: f64,
    pub(super) p50: f64,
    /// P10 and P90; none with too few replications for both.
    pub(super) range: Option<(f64, f64)>,
}

impl Past {
    /// An earlier forecast of a scenario beside how many mailboxes were left when, as a ledger has it, where there is one. None
    /// where no time has passed since, or where that forecast does not tell what it had left.
    #[must_use]
    pub fn new(published: &Published, course: &[(Time, f64)], scenario: &Scenario) -> Option<Self> {
        let as_of = published.dates.as_of;
        let said: Vec<Said> = published.left.iter().map_while(Said::of).collect();
        if as_of >= scenario.as_of || said.is_empty() {
            return None;
        }
        let left = standing::by_head(scenario).iter().map(|head| head.left).sum();
        let mut happened: Vec<(Time, f64)> = course.iter().filter(|(at, _)| *at >= as_of).copied().collect();
        // A ledger that begins before it: how many were left when the forecast started.
        let before = course.iter().rev().find(|(at, _)| *at < as_of);
        if let Some((_, left)) = before.filter(|_| happened.first().is_none_or(|(at, _)| *at > as_of)) {
            happened.insert(0, (as_of, *left));
        }
        happened.retain(|(at, _)| *at < scenario.as_of);
        happened.push((scenario.as_of, left));
        let all_emptied = published.medians.get(&scenario.milestone_name(&Milestone::AllEmptied)).copied().flatten();
        Some(Self { as_of, said, all_emptied, happened })
    }

    #[cfg(test)]
    pub(super) fn made(as_of: Time, said: Vec<Said>, happened: Vec<(Time, f64)>) -> Self {
        Self { as_of, said, all_emptied: None, happened }
    }

    fn now(&self) -> (Time, f64) {
        self.happened.last().copied().unwrap_or((self.as_of, 0.0))
    }

    /// What it had said of a day, on the straight line between its days; of its first day nothing.
    fn on(&self, day: f64) -> Option<Said> {
        let after = self.said.iter().position(|said| said.day >= day);
        match after {
            Some(0) => self.said.first().filter(|first| first.day <= day).copied(),
            Some(next) => Some(self.said[next - 1].towards(self.said[next], day)),
            None => self.said.last().copied(),
        }
    }

    /// The day on which its median had no more left than this.
    fn day_of(&self, left: f64) -> Option<f64> {
        let next = self.said.iter().position(|said| said.p50 <= left)?;
        // Before the end of its first day it fell as it did after.
        let from = next.max(1) - 1;
        let (one, two) = (self.said.get(from)?, self.said.get(from + 1)?);
        let slope = (two.p50 - one.p50) / (two.day - one.day);
        Some(if slope < 0.0 { (one.day + (left - one.p50) / slope).max(0.0) } else { self.said[next].day })
    }

    /// Whether what is left now lies within what it had said of this day; none within its first day, or where it had no range.
    pub(super) fn within_range(&self) -> Option<bool> {
        let (now, left) = self.now();
        self.on(now.since(self.as_of).days()).and_then(|said| said.holds(left))
    }

    /// By how much it is ahead of that forecast; negative where it is behind. None where that cannot be said.
    pub(super) fn ahead(&self) -> Option<Span> {
        let (now, left) = self.now();
        // Where nothing was to move any more, or not for a while, as many are left on many days.
        if self.on(now.since(self.as_of).days()).is_some_and(|said| (said.p50 - left).abs() < 0.5) {
            return Some(Span::ZERO);
        }
        let day = self.day_of(left)?;
        Some(Span::from_secs_f64(day * 86_400.0) - now.since(self.as_of))
    }
}

impl Said {
    /// Half a mailbox is none.
    fn holds(&self, left: f64) -> Option<bool> {
        self.range.map(|(low, high)| left >= low - 0.5 && left <= high + 0.5)
    }

    fn of(day: &DayQuantiles) -> Option<Self> {
        Some(Self { day: f64::from(day.day) + 1.0, p50: day.p50?, range: day.p10.zip(day.p90) })
    }

    fn towards(self, other: Self, day: f64) -> Self {
        let share = (day - self.day) / (other.day - self.day);
        let between = |a: f64, b: f64| a + (b - a) * share;
        let range = self.range.zip(other.range);
        Self {
            day,
            p50: between(self.p50, other.p50),
            range: range.map(|(one, two)| (between(one.0, two.0), between(one.1, two.1))),
        }
    }
}

/// Whether it is ahead of what had been forecast or behind, and by how much.
pub(super) fn section(forecast: &Forecast, past: Option<&Past>) -> Section {
    let blocks = past.map(|past| vec![Block::Line(Tone::Plain, sentence(forecast, past))]);
    Section { title: "Beside what had been forecast".into(), blocks: blocks.unwrap_or_default() }
}

fn sentence(forecast: &Forecast, past: &Past) -> String {
    let calendar = Calendar::new(&forecast.scenario);
    let (now, left) = past.now();
    let then = calendar.long(past.as_of);
    let day = now.since(past.as_of).days();
    let standing = match past.on(day) {
        None => format!("The forecast of {then} is less than a day old: too early to tell how it has come out."),
        Some(said) => {
            let way = match past.ahead() {
                Some(ahead) if ahead > NEAR => format!("{ahead} ahead of it"),
                Some(ahead) if Span::ZERO - ahead > NEAR => format!("{} behind it", Span::ZERO - ahead),
                Some(_) => "as it said".to_owned(),
                None => "further than it ever came".to_owned(),
            };
            let (range, is_within) = match said.range {
                Some((low, high)) => (
                    format!("80 %: {} to {}", count(low), count(high)),
                    if said.holds(left) == Some(true) { ", within its range" } else { ", outside its range" },
                ),
                None => ("median; too few replications for a range".to_owned(), ""),
            };
            format!(
                "The forecast of {then} had {} left on the heads by now ({range}); there are {}: {way}{is_within}.",
                mailboxes(said.p50),
                count(left),
            )
        }
    };
    let all = forecast.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied);
    let present = all.and_then(|one| one.at(P50)).map(|estimate| estimate.value);
    let dates = match (past.all_emptied, present) {
        (Some(before), Some(present)) => {
            let present = match present {
                When::At(time) if calendar.already(time) => "it has happened".to_owned(),
                other => format!("now it is {}", calendar.when(other)),
            };
            format!(" Everything was to be off the old storage {} (median); {present}.", calendar.when(before))
        }
        _ => String::new(),
    };
    standing + &dates
}

fn mailboxes(number: f64) -> String {
    let number = count(number);
    let ending = if number == "1" { "" } else { "es" };
    format!("{number} mailbox{ending}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::forecast::series::left_on_heads;
    use crate::forecast::since::Dates;
    use crate::forecast::testing::{after, days_of, made, made_of, outcome, scenario};
    use crate::units::Share;

    fn published(forecast: &Forecast) -> Published {
        let median = |one: &crate::forecast::MilestoneForecast| {
            (forecast.scenario.milestone_name(&one.milestone), one.at(P50).map(|estimate| estimate.value))
        };
        Published {
            version: "0.1.0".into(),
            draw_scheme: 1,
            seed: 1,
            command: String::new(),
            incomplete: false,
            resolved: String::new(),
            state_sha256: None,
            dates: Dates::of(&forecast.scenario, &forecast.replications),
            medians: forecast.milestones.iter().map(median).collect(),
            left: left_on_heads(&forecast.replications, forecast.settings.confidence),
        }
    }

    /// The scenario ten days later, when so much has moved of the two heads.
    fn later(moved: [u32; 2]) -> Scenario {
        let mut scenario = scenario();
        scenario.as_of = after(10.0);
        Arc::make_mut(&mut scenario.model).population.moved = moved.map(Share::from_ppm).to_vec();
        scenario
    }

    fn told(moved: [u32; 2], course: &[(Time, f64)]) -> (Past, String) {
        told_of(200, moved, course)
    }

    /// The same beside a forecast of so many replications.
    fn told_of(replications: u32, moved: [u32; 2], course: &[(Time, f64)]) -> (Past, String) {
        let before = made(replications, &|r| outcome(r, days_of(r)));
        let scenario = later(moved);
        let past = Past::new(&published(&before), course, &scenario).unwrap();
        let now = made_of(&scenario, 200, &|r| outcome(r, days_of(r) + 1.0));
        let said = sentence(&now, &past);
        (past, said)
    }

    #[test]
    fn it_is_ahead_or_behind_by_the_days_between_the_median_and_what_has_happened() {
        // Two heads of 200,000, the first to be empty after 29 / 3 days in the median.
        let (past, said) = told([1_000_000, 0], &[]);
        let median = past.on(10.0).unwrap();
        assert!((195_000.0..200_001.0).contains(&median.p50), "{median:?}");
        assert!(said.starts_with("The forecast of October 10 had 19"), "{said}");
        assert!(said.contains("there are 200,000: ") && said.contains("within its range."), "{said}");
        assert!(
            said.ends_with("Everything was to be off the old storage November 8 (median); now it is November 9."),
            "{said}"
        );
        let (past, said) = told([500_000, 0], &[]);
        let behind = -past.ahead().unwrap().days();
        assert!((4.5..6.0).contains(&behind), "{behind}");
        assert!(said.contains(" days behind it, outside its range."), "{said}");
        let (past, said) = told([1_000_000, 500_000], &[]);
        assert!((8.0..11.0).contains(&past.ahead().unwrap().days()), "{said}");
        assert!(said.contains(" days ahead of it, outside its range."), "{said}");
    }

    #[test]
    fn a_median_of_few_replications_is_no_range() {
        // Six of them have a median, and fewer than 36 no P10.
        let (past, said) = told_of(20, [1_000_000, 0], &[]);
        assert!(said.contains("by now (median; too few replications for a range); there are 200,000: "), "{said}");
        assert!(!said.contains("80 %") && !said.contains("its range"), "{said}");
        assert_eq!(past.within_range(), None);
        assert_eq!(told([1_000_000, 0], &[]).0.within_range(), Some(true));
    }

    #[test]
    fn what_the_ledger_tells_of_the_time_since_is_kept_and_no_more() {
        let course: Vec<(Time, f64)> =
            (-3..=9).map(|day| (after(f64::from(day)), 400_000.0 - f64::from(day))).collect();
        let (past, _) = told([500_000, 0], &course);
        assert_eq!(past.happened.first(), Some(&(after(0.0), 400_000.0)));
        assert_eq!(past.happened.last(), Some(&(after(10.0), 300_000.0)));
        assert!(past.happened.is_sorted_by_key(|(at, _)| *at), "{:?}", past.happened);
        let late = [(after(-3.0), 9.0), (after(4.0), 8.0)];
        assert_eq!(told([500_000, 0], &late).0.happened[0], (after(0.0), 9.0));
    }

    #[test]
    fn what_has_long_been_done_as_it_was_forecast_is_not_behind() {
        let said = |day: f64, left: f64| Said { day, p50: left, range: Some((left, left)) };
        let past = |left| {
            Past::made(after(0.0), vec![said(1.0, 9.0), said(2.0, 0.0), said(9.0, 0.0)], vec![(after(9.0), left)])
        };
        assert_eq!(past(0.0).ahead(), Some(Span::ZERO));
        assert_eq!(past(9.0).ahead(), Some(Span::ZERO - Span::from_secs(8 * 86_400)));
    }

    #[test]
    fn no_time_and_little_time_tell_nothing() {
        let before = published(&made(200, &|r| outcome(r, days_of(r))));
        assert_eq!(Past::new(&before, &[], &scenario()), None);
        let mut soon = scenario();
        soon.as_of = after(0.5);
        let past = Past::new(&before, &[], &soon).unwrap();
        let said = sentence(&made_of(&soon, 200, &|r| outcome(r, days_of(r))), &past);
        assert!(said.starts_with("The forecast of October 10 is less than a day old"), "{said}");
    }
}
