//! The axis of local dates below a chart.

use jiff::civil::{Date, Weekday};
use jiff::{RoundMode, ToSpan as _, Unit, ZonedDateTime, ZonedDateTimeRound};

use super::super::wording::{Calendar, local};
use super::Mark;
use super::canvas::{TEXT, width};
use crate::scenario::Scenario;
use crate::units::Time;

/// No axis has more days than this; where a horizon lies later, its end stays without labels.
const MOST: u32 = 20_000;
/// Below so many days the time of day is told.
pub(super) const HOURS_BELOW: f64 = 5.0;
/// Below so many days minutes are told.
const MINUTES_BELOW: f64 = 0.25;
/// Minutes from one label to the next, where the time of day is told.
const MINUTES: [i16; 11] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];

/// Fewer labels than this tell no distance.
const FEWEST_LABELS: usize = 2;
/// More labels than this are a crowd, however much room there is.
const MOST_LABELS: usize = 10;

/// Pixels between two labels, at the least.
const APART: f64 = 4.0;

/// Where labels stand, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    /// The first and the last day of the axis.
    pub(super) axis: (f64, f64),
    /// What no label goes beyond.
    pub(super) within: (f64, f64),
}

impl Room {
    /// As many dates of this year as there are, at the most.
    fn most(&self, weekdays: bool) -> usize {
        let sample = if weekdays { "Wed Oct 29" } else { "Oct 29" };
        ((self.axis.1 - self.axis.0) / (width(sample, TEXT) + 14.0)).floor().max(1.0) as usize
    }

    /// The middle of a label that belongs to a place.
    pub(super) fn middle(&self, x: f64, text: &str) -> f64 {
        self.middle_of(x, width(text, TEXT) / 2.0)
    }

    fn middle_of(&self, x: f64, half: f64) -> f64 {
        x.min(self.within.1 - half).max(self.within.0 + half)
    }

    /// Whether no label lies on the one before it: those that tell the year, or date and time, are wider than others.
    fn holds(&self, marks: &[Mark], (from, to): (f64, f64)) -> bool {
        let (left, right) = self.axis;
        let edges = marks.iter().map(|mark| {
            let half = width(&mark.text, TEXT) / 2.0;
            let middle = self.middle_of(left + (mark.day - from) / (to - from) * (right - left), half);
            (middle - half, middle + half)
        });
        let edges: Vec<(f64, f64)> = edges.collect();
        edges.windows(2).all(|two| two[0].1 + APART <= two[1].0)
    }
}

/// The local midnights of a scenario, in days since the forecast's start.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dates {
    midnights: Vec<Instant>,
    /// Full hours, or full minutes where the axis is short.
    clock: Vec<Instant>,
}

/// A full minute of the local clock, where a label may stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Instant {
    pub(super) day: f64,
    date: Date,
    /// Since midnight, by the clock.
    minutes: i16,
    weekday: String,
    short: String,
}

impl Instant {
    fn new(zoned: &ZonedDateTime, scenario: &Scenario, calendar: &Calendar<'_>) -> Self {
        let time = Time::from_unix_micros(zoned.timestamp().as_microsecond());
        Self {
            day: time.since(scenario.as_of).days(),
            date: zoned.date(),
            minutes: i16::from(zoned.hour()) * 60 + i16::from(zoned.minute()),
            weekday: calendar.with_weekday(time),
            short: calendar.short(time),
        }
    }

    fn date(&self, with_weekday: bool) -> &str {
        if with_weekday { &self.weekday } else { &self.short }
    }
}

impl Dates {
    /// All midnights from the day of the start to the first one after `last_day`.
    pub(super) fn new(scenario: &Scenario, last_day: f64) -> Self {
        let calendar = Calendar::new(scenario);
        let start = local(scenario.as_of, &scenario.time_zone);
        let mut midnights: Vec<Instant> = Vec::new();
        let mut date = start.date();
        for _ in 0..MOST {
            let Ok(midnight) = date.to_zoned_datetime(scenario.time_zone.clone()) else { break };
            let midnight = Instant::new(&midnight, scenario, &calendar);
            let day = midnight.day;
            // A zone that changed sides of the date line has left a day out: its midnight is that of the next one.
            if midnights.last().is_none_or(|before| before.day < day) {
                midnights.push(midnight);
            }
            let Ok(tomorrow) = date.checked_add(1.day()) else { break };
            if day > last_day {
                break;
            }
            date = tomorrow;
        }
        let clock = if last_day < HOURS_BELOW { clock(&start, last_day, scenario, &calendar) } else { Vec::new() };
        Self { midnights, clock }
    }

    /// All midnights, in order.
    pub(super) fn midnights(&self) -> &[Instant] {
        &self.midnights
    }

    /// The labels from one day to another: hours, days, Mondays, or beginnings of months, the closest of which there is room
    /// for, and which are more than one.
    pub(super) fn ticks(&self, (from, to): (f64, f64), room: Room, weekdays: bool) -> Vec<Mark> {
        let within = |at: &&Instant| (from..=to).contains(&at.day);
        let most = room.most(weekdays).min(MOST_LABELS);
        let steps_of_minutes: &[i16] = if to - from < HOURS_BELOW { &MINUTES } else { &[] };
        let by_clock = steps_of_minutes.iter().map(|every| {
            let those = self.clock.iter().filter(within).filter(|at| at.minutes % every == 0);
            those.collect::<Vec<_>>()
        });
        let month = |date: Date, every: i8| date.day() == 1 && (date.month() - 1) % every == 0;
        let steps_of_days: [&dyn Fn(usize, Date) -> bool; 12] = [
            &|_, _| true,
            &|place, _| place % 2 == 0,
            &|place, _| place % 3 == 0,
            &|_, date| date.weekday() == Weekday::Monday,
            &|_, date| date.weekday() == Weekday::Monday && date.iso_week_date().week() % 2 == 0,
            &|_, date| month(date, 1),
            &|_, date| month(date, 2),
            &|_, date| month(date, 3),
            &|_, date| month(date, 6),
            &|_, date| month(date, 12),
            &|_, date| month(date, 12) && date.year() % 2 == 0,
            &|_, date| month(date, 12) && date.year() % 5 == 0,
        ];
        let days: Vec<(usize, &Instant)> = self.midnights.iter().enumerate().filter(|(_, at)| within(at)).collect();
        let by_days = steps_of_days.iter().map(|wanted| {
            let those = days.iter().filter(|(place, at)| wanted(*place, at.date));
            those.map(|(_, at)| *at).collect::<Vec<_>>()
        });
        let mut few = None;
        for those in by_clock.chain(by_days).filter(|those| !those.is_empty() && those.len() <= most) {
            // Where there is no room for each to tell the year, the first of it does.
            let [each, once] = [false, true].map(|once| labels(&those, weekdays, 2 * those.len() <= most, once));
            let fits = |marks: &Vec<Mark>| room.holds(marks, (from, to));
            let Some(marks) = Some(each).filter(fits).or_else(|| Some(once).filter(fits)) else { continue };
            if those.len() >= FEWEST_LABELS {
                return marks;
            }
            few.get_or_insert(marks);
        }
        // One label is better than none.
        few.unwrap_or_default()
    }
}

/// From the start's full hour to the last day: each hour, or each minute of a short axis.
fn clock(start: &ZonedDateTime, last_day: f64, scenario: &Scenario, calendar: &Calendar<'_>) -> Vec<Instant> {
    let (unit, each, every) =
        if last_day < MINUTES_BELOW { (Unit::Minute, 1.minute(), 1_440.0) } else { (Unit::Hour, 1.hour(), 24.0) };
    let mut clock = Vec::new();
    let Ok(mut at) = start.round(ZonedDateTimeRound::new().smallest(unit).mode(RoundMode::Trunc)) else { return clock };
    for _ in 0..=(last_day * every) as u32 + 1 {
        clock.push(Instant::new(&at, scenario, calendar));
        let Ok(next) = at.checked_add(each) else { break };
        at = next;
    }
    clock
}

/// Midnights are labelled with their dates, other instants with the clock; the first label tells its date in any case. Where there is not
/// room for twice as many labels (`has_room`), it takes that of the second one. With `once` only the first
/// date of another year tells it.
fn labels(instants: &[&Instant], weekdays: bool, has_room: bool, once: bool) -> Vec<Mark> {
    let is_midnight = |place: usize| instants.get(place).is_some_and(|at| at.minutes == 0);
    let is_within_day = |place: usize| instants.get(place).is_some_and(|at| at.minutes != 0);
    // The date of a midnight close by says enough of the first label too.
    let has_both = is_within_day(0) && !is_midnight(1);
    let date = |place: usize, at: &Instant| {
        let (text, year) = (at.date(weekdays), at.date.year());
        let tells = |before: &&Instant| before.minutes == 0 && before.date.year() == year;
        let is_told = once && instants.iter().take(place).any(tells);
        if is_told { text.strip_suffix(&format!(" {year}")).unwrap_or(text) } else { text }.to_owned()
    };
    let label = |(place, at): (usize, &&Instant)| {
        let clock = format!("{:02}:{:02}", at.minutes / 60, at.minutes % 60);
        let text = match (place, at.minutes) {
            (_, 0) => date(place, at),
            (0, _) if has_both => format!("{} {clock}", date(place, at)),
            (1, _) if has_both && !has_room && instants.len() > FEWEST_LABELS => return None,
            (_, _) => clock,
        };
        Some(Mark { day: at.day, text })
    };
    instants.iter().enumerate().filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::scenario;

    /// Room for so many dates of this year.
    fn room(most: usize, weekdays: bool) -> Room {
        let sample = if weekdays { "Wed Oct 29" } else { "Oct 29" };
        let right = most as f64 * (width(sample, TEXT) + 14.0);
        Room { axis: (0.0, right), within: (-8.0, right + 6.0) }
    }

    #[test]
    fn as_many_dates_are_told_as_there_is_room_for() {
        let dates = Dates::new(&scenario(), 60.0);
        let told = |to: f64, most: usize| -> Vec<String> {
            dates.ticks((0.0, to), room(most, true), true).into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(told(4.0, 8), ["Thu Oct 11", "Fri Oct 12", "Sat Oct 13", "Sun Oct 14"]);
        assert_eq!(told(30.0, 8), ["Mon Oct 15", "Mon Oct 22", "Mon Oct 29", "Mon Nov 5"]);
        assert_eq!(told(60.0, 3), ["Thu Nov 1", "Sat Dec 1"]);
        let hours = Dates::new(&scenario(), 0.5);
        let told: Vec<String> =
            hours.ticks((0.0, 0.5), room(5, false), false).into_iter().map(|tick| tick.text).collect();
        assert_eq!(told, ["Oct 10 09:00", "15:00", "18:00", "21:00"]);
    }

    #[test]
    fn days_of_hours_are_told_by_date() {
        let dates = Dates::new(&scenario(), 2.0);
        let told = |from: f64, most: usize| -> Vec<String> {
            dates.ticks((from, 2.0), room(most, false), false).into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(told(0.0, 8), ["Oct 10 12:00", "Oct 11", "06:00", "12:00", "18:00", "Oct 12", "06:00"]);
        assert_eq!(told(0.5, 4), ["Oct 11", "12:00", "Oct 12"]);
    }

    #[test]
    fn no_axis_is_left_without_a_distance() {
        let dates = Dates::new(&scenario(), 400.0);
        let told = |from: f64, to: f64, most: usize| -> Vec<String> {
            dates.ticks((from, to), room(most, false), false).into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(told(0.0, 10.0, 6), ["Oct 12", "Oct 14", "Oct 16", "Oct 18", "Oct 20"]);
        assert_eq!(told(0.0, 12.0, 4), ["Oct 13", "Oct 16", "Oct 19", "Oct 22"]);
        for most in 4..12 {
            for tenths in (10..4_000).step_by(9) {
                let to = f64::from(tenths) / 10.0;
                let marks = told(0.0, to, most);
                assert!(marks.len() <= most && (marks.len() >= 2 || to < 2.7), "{to} days, {most}: {marks:?}");
            }
        }
    }

    #[test]
    fn from_minutes_to_years_there_are_four_to_ten_labels() {
        let scenario = scenario();
        // Each a tenth longer than the one before, from ten minutes to ten years.
        let mut last_day = 10.0 / 1_440.0;
        while last_day < 3_653.0 {
            let dates = Dates::new(&scenario, last_day);
            for most in [10, 11, 14, 20] {
                let marks = dates.ticks((0.0, last_day), room(most, true), true);
                assert!((4..=10).contains(&marks.len()), "{last_day} days, {most}: {marks:?}");
            }
            last_day *= 1.1;
        }
        let told = |hours: f64| -> Vec<String> {
            let dates = Dates::new(&scenario, hours / 24.0);
            dates.ticks((0.0, hours / 24.0), room(11, false), false).into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(told(0.5), ["Oct 10 09:00", "09:10", "09:15", "09:20", "09:25", "09:30"]);
        assert_eq!(told(4.0), ["Oct 10 09:00", "10:00", "10:30", "11:00", "11:30", "12:00", "12:30", "13:00"]);
        assert_eq!(told(80.0)[..3], ["12:00", "Oct 11", "12:00"]);
    }

    #[test]
    fn dates_of_the_next_year_lie_on_none_before_them() {
        let mut scenario = scenario();
        scenario.as_of =
            Time::from_unix_micros("2012-12-20T14:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let dates = Dates::new(&scenario, 18.0);
        let room = Room { axis: (30.0, 530.0), within: (22.0, 536.0) };
        let marks = dates.ticks((0.0, 18.0), room, false);
        let texts: Vec<&str> = marks.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(texts, ["Dec 23", "Dec 26", "Dec 29", "Jan 1 2013", "Jan 4", "Jan 7"]);
        let edges = marks.iter().map(|mark| {
            let (middle, half) =
                (room.middle(30.0 + mark.day / 18.0 * 500.0, &mark.text), width(&mark.text, TEXT) / 2.0);
            (middle - half, middle + half)
        });
        let edges: Vec<(f64, f64)> = edges.collect();
        assert!(edges.windows(2).all(|two| two[0].1 < two[1].0), "{edges:?}");
    }

    #[test]
    fn a_day_that_a_zone_leaves_out_has_no_midnight() {
        let mut scenario = scenario();
        scenario.time_zone = jiff::tz::TimeZone::get("Pacific/Apia").unwrap();
        scenario.as_of =
            Time::from_unix_micros("2011-12-28T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let dates = Dates::new(&scenario, 5.0);
        let days: Vec<String> = dates.midnights().iter().map(|midnight| midnight.date.to_string()).collect();
        assert_eq!(days[..5], ["2011-12-27", "2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]);
        assert!(dates.midnights().windows(2).all(|two| two[0].day < two[1].day), "{dates:?}");
    }
}
