//! The axis of local dates below a chart.

use jiff::civil::Weekday;
use jiff::{ToSpan as _, Unit};

use super::super::wording::{Calendar, local};
use super::Mark;
use crate::scenario::Scenario;
use crate::units::Time;

/// No axis has more days than this; where a horizon lies later, its end stays without labels.
const MOST: u32 = 20_000;
/// Below so many days hours are told.
const HOURS_BELOW: f64 = 2.5;

/// The local midnights of a scenario, in days since the forecast's start.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dates {
    midnights: Vec<Midnight>,
    hours: Vec<Mark>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Midnight {
    pub(super) day: f64,
    date: jiff::civil::Date,
    weekday: String,
    short: String,
}

impl Dates {
    /// All midnights from the day of the start to the first one after `last_day`.
    pub(super) fn new(scenario: &Scenario, last_day: f64) -> Self {
        let calendar = Calendar::new(scenario);
        let since = |zoned: &jiff::ZonedDateTime| {
            let time = Time::from_unix_micros(zoned.timestamp().as_microsecond());
            (time, time.since(scenario.as_of).days())
        };
        let start = local(scenario.as_of, &scenario.time_zone);
        let mut midnights = Vec::new();
        let mut date = start.date();
        for _ in 0..MOST {
            let Ok(midnight) = date.to_zoned_datetime(scenario.time_zone.clone()) else { break };
            let (time, day) = since(&midnight);
            let (weekday, short) = (calendar.with_weekday(time), calendar.short(time));
            midnights.push(Midnight { day, date, weekday, short });
            let Ok(tomorrow) = date.checked_add(1.day()) else { break };
            if day > last_day {
                break;
            }
            date = tomorrow;
        }
        let mut hours = Vec::new();
        if last_day < HOURS_BELOW
            && let Ok(mut hour) = start.round(Unit::Hour)
        {
            for _ in 0..=(HOURS_BELOW * 24.0) as u32 {
                let text = hour.strftime("%H:%M").to_string();
                hours.push(Mark { day: since(&hour).1, text });
                let Ok(next) = hour.checked_add(1.hour()) else { break };
                hour = next;
            }
        }
        Self { midnights, hours }
    }

    /// All midnights, in order.
    pub(super) fn midnights(&self) -> &[Midnight] {
        &self.midnights
    }

    /// At most `most` labels from one day to another: hours, days, Mondays, or beginnings of months, whichever are most.
    pub(super) fn ticks(&self, from: f64, to: f64, most: usize, weekdays: bool) -> Vec<Mark> {
        let within = |day: f64| (from..=to).contains(&day);
        if to - from < HOURS_BELOW {
            for every in [1, 2, 3, 6, 12, 24] {
                let wanted = |mark: &&Mark| {
                    within(mark.day) && mark.text[..2].parse::<u32>().is_ok_and(|hour: u32| hour.is_multiple_of(every))
                };
                let marks: Vec<Mark> = self.hours.iter().filter(wanted).cloned().collect();
                if marks.len() <= most {
                    return marks;
                }
            }
        }
        let month = |date: &jiff::civil::Date, every: i8| date.day() == 1 && (date.month() - 1) % every == 0;
        let wanted: [&dyn Fn(&jiff::civil::Date) -> bool; 7] = [
            &|_| true,
            &|date| date.weekday() == Weekday::Monday,
            &|date| date.weekday() == Weekday::Monday && date.iso_week_date().week() % 2 == 0,
            &|date| month(date, 1),
            &|date| month(date, 3),
            &|date| month(date, 12),
            &|date| month(date, 12) && date.year() % 5 == 0,
        ];
        let marks = |wanted: &dyn Fn(&jiff::civil::Date) -> bool| -> Vec<Mark> {
            let those = self.midnights.iter().filter(|midnight| within(midnight.day) && wanted(&midnight.date));
            let text = |midnight: &Midnight| if weekdays { midnight.weekday.clone() } else { midnight.short.clone() };
            those.map(|midnight| Mark { day: midnight.day, text: text(midnight) }).collect()
        };
        wanted.into_iter().map(marks).find(|marks| marks.len() <= most).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::scenario;

    #[test]
    fn as_many_dates_are_told_as_there_is_room_for() {
        let dates = Dates::new(&scenario(), 60.0);
        let told = |to: f64, most: usize| -> Vec<String> {
            dates.ticks(0.0, to, most, true).into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(told(4.0, 8), ["Thu Oct 11", "Fri Oct 12", "Sat Oct 13", "Sun Oct 14"]);
        assert_eq!(told(30.0, 8), ["Mon Oct 15", "Mon Oct 22", "Mon Oct 29", "Mon Nov 5"]);
        assert_eq!(told(60.0, 3), ["Thu Nov 1", "Sat Dec 1"]);
        let hours = Dates::new(&scenario(), 0.5);
        let told: Vec<String> = hours.ticks(0.0, 0.5, 5, false).into_iter().map(|tick| tick.text).collect();
        assert_eq!(told, ["09:00", "12:00", "15:00", "18:00", "21:00"]);
    }
}
