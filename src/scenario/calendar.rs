//! Local time compiled into instants: dates, windows, changes of the offset from UTC. Daylight saving is right.

use jiff::civil::{Date, DateTime, Time as TimeOfDay, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::units::{Span, Time};

/// A stretch of time in which a window holds.
pub(crate) type Stretch = (Time, Time);

/// The instant of a local date and time; one that daylight saving skips or repeats is taken as people mean it: the
/// skipped hour as if clocks had gone on, the repeated one the first time. `true` when it was such a one.
pub(crate) fn instant(zone: &TimeZone, local: DateTime) -> (Time, bool) {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let dubious = ambiguous.is_ambiguous();
    let micros = ambiguous.compatible().map_or(0, Timestamp::as_microsecond);
    (Time::from_unix_micros(micros), dubious)
}

/// The first instant at which local clocks show this date and time, or a later one: where daylight saving skips it, the
/// instant of the change; where it repeats it, the first one.
fn reached(zone: &TimeZone, local: DateTime) -> Time {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let taken = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.compatible(),
        // By the offset that holds after it, the time lies before the change.
        AmbiguousOffset::Gap { .. } => {
            ambiguous.earlier().map(|before| zone.following(before).next().map_or(before, |change| change.timestamp()))
        }
    };
    Time::from_unix_micros(taken.map_or(0, Timestamp::as_microsecond))
}

/// The local date and time at an instant.
pub(crate) fn local(zone: &TimeZone, at: Time) -> DateTime {
    zone.to_datetime(Timestamp::from_microsecond(at.unix_micros()).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Changes of the offset from UTC: the one that holds at `from`, then each until `until`.
pub(crate) fn offsets(zone: &TimeZone, from: Time, until: Time) -> Vec<(Time, Span)> {
    let timestamp = |time: Time| Timestamp::from_microsecond(time.unix_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
    let span = |offset: jiff::tz::Offset| Span::from_secs(i64::from(offset.seconds()));
    // A day earlier, so that a mailbox's Monday is known before the first instant too.
    let start = from - Span::from_secs(86_400);
    let mut changes = vec![(start, span(zone.to_offset(timestamp(start))))];
    for transition in zone.following(timestamp(start)) {
        let at = Time::from_unix_micros(transition.timestamp().as_microsecond());
        if at > until {
            break;
        }
        changes.push((at, span(transition.offset())));
    }
    changes
}

/// Days that come again, and an interval of the day that may pass midnight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Recurrence {
    days: Days,
    start: TimeOfDay,
    /// `None` is midnight at the end of the day.
    end: Option<TimeOfDay>,
}

/// Which days.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Days {
    /// Of the week, by days since Monday.
    OfWeek([bool; 7]),
    /// Of the year: from a month and day to another one, that one included; perhaps past the end of the year.
    OfYear { first: (i8, i8), last: (i8, i8) },
}

impl Days {
    fn hold(self, date: Date) -> bool {
        match self {
            Self::OfWeek(days) => days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())],
            Self::OfYear { first, last } => {
                let day = (date.month(), date.day());
                if first <= last { first <= day && day <= last } else { day >= first || day <= last }
            }
        }
    }
}

/// What `when` allows, for messages.
pub(crate) const WHEN_ALLOWED: &str = "must be days and, if it is not the whole day, a time: \"Mon-Fri 08:00-18:00\", \"daily \
                                       22:00-06:00\", \"Sat,Sun\", \"yearly 12-24..01-02\"";

impl Recurrence {
    /// Reads `Mon-Fri 08:00-18:00`; `None` when it is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let days = match words.next()? {
            yearly if yearly.eq_ignore_ascii_case("yearly") => parse_days_of_year(words.next()?)?,
            days => Days::OfWeek(parse_days(days)?),
        };
        let (start, end) = match words.next() {
            None => (TimeOfDay::midnight(), None),
            Some(times) => {
                let (start, end) = times.split_once('-')?;
                let end = if end == "24:00" { None } else { Some(parse_time(end)?) };
                (parse_time(start)?, end)
            }
        };
        let nothing = end == Some(start);
        (words.next().is_none() && !nothing).then_some(Self { days, start, end })
    }

    /// Every stretch that touches the time between two instants. An interval that passes midnight belongs to the day
    /// on which it begins. It begins and ends when local clocks first show its times or later ones, so that one within the
    /// hour that daylight saving skips is none on that day.
    pub(crate) fn stretches(&self, zone: &TimeZone, from: Time, until: Time) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        // Two days earlier: one for the time zone, one for an interval that passes midnight.
        let Ok(mut date) = local(zone, from).date().checked_sub(2.days()) else { return stretches };
        loop {
            let Ok(tomorrow) = date.tomorrow() else { return stretches };
            let start = reached(zone, DateTime::from_parts(date, self.start));
            if start >= until {
                return stretches;
            }
            if self.days.hold(date) {
                let end = reached(zone, self.end_of(date, tomorrow));
                if end > from && end > start {
                    stretches.push((start, end.min(until)));
                }
            }
            date = tomorrow;
        }
    }

    fn end_of(&self, date: Date, tomorrow: Date) -> DateTime {
        match self.end {
            None => DateTime::from_parts(tomorrow, TimeOfDay::midnight()),
            Some(end) if end > self.start => DateTime::from_parts(date, end),
            Some(end) => DateTime::from_parts(tomorrow, end),
        }
    }
}

/// Reads a time of day: `08:00`.
pub(crate) fn parse_time(text: &str) -> Option<TimeOfDay> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    TimeOfDay::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Reads days of every year: `12-25`, or `12-24..01-02`.
fn parse_days_of_year(text: &str) -> Option<Days> {
    let day = |text: &str| {
        let (month, day) = text.split_once('-')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let (month, day) = (digits(month).then(|| month.parse().ok())??, digits(day).then(|| day.parse().ok())??);
        // In a leap year every day exists that exists in any year.
        Date::new(2_024, month, day).ok().map(|date| (date.month(), date.day()))
    };
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    Some(Days::OfYear { first: day(first)?, last: day(last)? })
}

fn parse_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    if text.eq_ignore_ascii_case("daily") {
        return Some([true; 7]);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (parse_day(first)?, parse_day(last)?);
        days[day] = true;
        while day != last {
            day = (day + 1) % 7;
            days[day] = true;
        }
    }
    Some(days)
}

fn parse_day(text: &str) -> Option<usize> {
    const NAMES: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let day = NAMES.iter().find(|name| text.eq_ignore_ascii_case(name.0))?.1;
    Some(usize::from(day.to_monday_zero_offset().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toronto() -> TimeZone {
        TimeZone::get("America/Toronto").unwrap()
    }

    fn at(text: &str) -> Time {
        instant(&toronto(), text.parse().unwrap()).0
    }

    #[test]
    fn the_night_that_daylight_saving_ends_is_an_hour_longer() {
        let nightly = Recurrence::parse("daily 22:00-06:00").unwrap();
        let stretches = nightly.stretches(&toronto(), at("2012-11-02T12:00"), at("2012-11-05T12:00"));
        let hours: Vec<f64> = stretches.iter().map(|(start, end)| end.since(*start).secs() / 3_600.0).collect();
        assert_eq!(hours, [8.0, 9.0, 8.0]);
        assert_eq!(stretches[1].0, at("2012-11-03T22:00"));
    }

    type Case = (&'static str, &'static str, &'static str, &'static [(i64, i64)]);

    #[test]
    fn an_interval_begins_and_ends_when_clocks_first_show_its_times_or_later_ones() {
        let of = |zone: &str, text: &str, day: &str| {
            let zone = TimeZone::get(zone).unwrap();
            let from = instant(&zone, format!("{day}T00:00").parse().unwrap()).0;
            let until = from + Span::from_secs(20 * 3_600);
            let rule = Recurrence::parse(text).unwrap();
            let minutes = |at: Time| at.since(from).micros() / 60_000_000;
            let stretches = rule.stretches(&zone, from, until);
            stretches.into_iter().map(|(start, end)| (minutes(start), minutes(end))).collect::<Vec<_>>()
        };
        // In Toronto 02:00 becomes 03:00 two hours after midnight, and 02:00 becomes 01:00 in autumn; Lord Howe's clocks go by
        // half an hour, those of Santiago skip midnight itself.
        let cases: [Case; 15] = [
            ("America/Toronto", "2013-03-10", "daily 02:30-06:00", &[(120, 300)]),
            ("America/Toronto", "2013-03-10", "daily 02:00-06:00", &[(120, 300)]),
            ("America/Toronto", "2013-03-10", "daily 03:00-06:00", &[(120, 300)]),
            ("America/Toronto", "2013-03-10", "daily 02:30-03:15", &[(120, 135)]),
            ("America/Toronto", "2013-03-10", "daily 01:00-02:30", &[(60, 120)]),
            ("America/Toronto", "2013-03-10", "daily 02:10-02:40", &[]),
            ("America/Toronto", "2013-03-10", "daily 02:00-03:00", &[]),
            ("America/Toronto", "2013-03-10", "Sun 02:30-06:00", &[(120, 300)]),
            ("America/Toronto", "2013-11-03", "daily 01:30-03:00", &[(90, 240)]),
            ("America/Toronto", "2013-11-03", "daily 00:30-01:30", &[(30, 90)]),
            ("America/Toronto", "2013-11-03", "daily 01:15-01:45", &[(75, 105)]),
            ("America/Toronto", "2013-11-03", "daily 02:30-04:00", &[(210, 300)]),
            ("Australia/Lord_Howe", "2013-10-06", "daily 02:15-06:00", &[(120, 330)]),
            ("America/Santiago", "2013-09-08", "daily 00:30-06:00", &[(0, 300)]),
            ("America/Santiago", "2013-09-08", "Sun 00:00-06:00", &[(0, 300)]),
        ];
        for (zone, day, text, expected) in cases {
            assert_eq!(of(zone, text, day), expected, "{zone} {day} {text}");
        }
    }

    #[test]
    fn an_interval_past_midnight_belongs_to_its_first_day() {
        let friday = Recurrence::parse("Fri 22:00-06:00").unwrap();
        let stretches = friday.stretches(&toronto(), at("2012-10-08T00:00"), at("2012-10-22T00:00"));
        assert_eq!(stretches.len(), 2);
        assert_eq!(stretches[0], (at("2012-10-12T22:00"), at("2012-10-13T06:00")));
    }

    #[test]
    fn an_interval_under_way_at_the_start_counts() {
        let nightly = Recurrence::parse("daily 22:00-06:00").unwrap();
        let stretches = nightly.stretches(&toronto(), at("2012-10-10T01:00"), at("2012-10-10T12:00"));
        assert_eq!(stretches, [(at("2012-10-09T22:00"), at("2012-10-10T06:00"))]);
    }

    #[test]
    fn days_may_be_lists_and_ranges_and_go_round() {
        let days = |text| Recurrence::parse(text).map(|recurrence| recurrence.days);
        let of_week = |days| Some(Days::OfWeek(days));
        assert_eq!(days("Sat,Sun"), of_week([false, false, false, false, false, true, true]));
        assert_eq!(days("Fri-Mon"), of_week([true, false, false, false, true, true, true]));
        for wrong in
            ["", "Mo", "Mon-", "Mon 8-18", "Mon 08:00-25:00", "Mon 08:00-08:00", "Mon 08:00-18:00 x", "08:00-18:00"]
        {
            assert_eq!(days(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_of_the_year_come_every_year_and_go_past_its_end() {
        let days = |text: &str, from: &str, until: &str| {
            let rule = Recurrence::parse(text).unwrap_or_else(|| panic!("{text}"));
            let stretches = rule.stretches(&toronto(), at(from), at(until));
            stretches.iter().map(|(start, _)| local(&toronto(), *start).date().to_string()).collect::<Vec<_>>()
        };
        let year_end = days("yearly 12-30..01-02", "2012-12-01T00:00", "2013-12-31T12:00");
        let expected = ["2012-12-30", "2012-12-31", "2013-01-01", "2013-01-02", "2013-12-30", "2013-12-31"];
        assert_eq!(year_end, expected);
        assert_eq!(days("yearly 02-29", "2011-06-01T00:00", "2017-01-01T00:00"), ["2012-02-29", "2016-02-29"]);
        let evening = Recurrence::parse("yearly 12-24 18:00-24:00").unwrap();
        let stretches = evening.stretches(&toronto(), at("2012-12-01T00:00"), at("2013-01-01T00:00"));
        assert_eq!(stretches, [(at("2012-12-24T18:00"), at("2012-12-25T00:00"))]);
        for wrong in [
            "yearly",
            "yearly 13-01",
            "yearly 02-30",
            "yearly 1-2",
            "yearly 12-24..",
            "yearly 12-24..01-02 x",
            "yearly Mon",
        ] {
            assert_eq!(Recurrence::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn offsets_change_when_daylight_saving_ends() {
        let changes = offsets(&toronto(), at("2012-10-10T09:00"), at("2012-12-01T00:00"));
        let hours: Vec<f64> = changes.iter().map(|change| change.1.secs() / 3_600.0).collect();
        assert_eq!(hours, [-4.0, -5.0]);
        assert_eq!(changes[1].0, at("2012-11-04T01:00") + Span::from_secs(3_600));
    }

    #[test]
    fn a_skipped_local_time_is_known_as_dubious() {
        assert!(instant(&toronto(), "2013-03-10T02:30".parse().unwrap()).1);
        assert!(!instant(&toronto(), "2013-03-11T02:30".parse().unwrap()).1);
    }
}
