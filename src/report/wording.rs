//! Dates, numbers and names as people say them, in the scenario's local time.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::standing;
use crate::forecast::MilestoneForecast;
use crate::forecast::compare::Variant;
use crate::forecast::quantile::{Estimate, When};
use crate::scenario::Scenario;
use crate::units::{Span, Time};

/// The date of what had happened before the forecast starts.
pub(super) const ALREADY: &str = "already";

/// Local dates of one scenario.
pub(super) struct Calendar<'a> {
    zone: &'a TimeZone,
    year: i16,
    /// The start, where something has moved before it.
    started: Option<Time>,
    horizon: Time,
}

impl<'a> Calendar<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let year = local(scenario.as_of, &scenario.time_zone).year();
        let moved = standing::by_head(scenario).iter().any(|head| head.moved() > 0.0);
        Self { zone: &scenario.time_zone, year, started: moved.then_some(scenario.as_of), horizon: scenario.horizon }
    }

    /// The same for a variant, which may start and end elsewhere.
    pub(super) fn of_variant(&self, variant: &Variant) -> Self {
        Self { started: variant.started, horizon: variant.horizon, ..*self }
    }

    /// "October 19", with the year when it is not the one the forecast starts in.
    pub(super) fn long(&self, time: Time) -> String {
        let day = self.local(time);
        if day.year() == self.year { say(&day, "%B %-d") } else { say(&day, "%B %-d, %Y") }
    }

    /// "Fri Oct 19".
    pub(super) fn with_weekday(&self, time: Time) -> String {
        let day = self.local(time);
        if day.year() == self.year { say(&day, "%a %b %-d") } else { say(&day, "%b %-d %Y") }
    }

    /// "Oct 19".
    pub(super) fn short(&self, time: Time) -> String {
        let day = self.local(time);
        if day.year() == self.year { say(&day, "%b %-d") } else { say(&day, "%b %-d %Y") }
    }

    /// "Oct 19 14:05".
    pub(super) fn with_clock(&self, time: Time) -> String {
        format!("{} {}", self.short(time), say(&self.local(time), "%H:%M"))
    }

    /// "2012-10-19 14:05:09".
    pub(super) fn stamp(&self, time: Time) -> String {
        say(&self.local(time), "%Y-%m-%d %H:%M:%S")
    }

    /// "October 17 to 21", "October 30 to November 2", or one day.
    pub(super) fn range(&self, from: When, to: When) -> String {
        let (When::At(first), When::At(last)) = (from, to) else {
            return format!("{} to {}", self.when(from), self.when(to));
        };
        let (a, b) = (self.local(first), self.local(last));
        if a.date() == b.date() {
            self.long(first)
        } else if (a.year(), a.month()) == (b.year(), b.month()) {
            let year = if b.year() == self.year { String::new() } else { say(&b, ", %Y") };
            format!("{} to {}{year}", say(&a, "%B %-d"), b.day())
        } else {
            format!("{} to {}", self.long(first), self.long(last))
        }
    }

    /// A date, or why there is none.
    pub(super) fn when(&self, when: When) -> String {
        match when {
            When::At(time) => self.long(time),
            When::AfterHorizon => format!("after {}", self.long(self.horizon)),
            When::Never => "never".into(),
        }
    }

    /// A cell of a table: a date, `> Feb 7` for later than the horizon, `never`, `already` for before
    /// the start, or `n/e` for not estimable.
    pub(super) fn cell(&self, estimate: Option<Estimate<When>>, weekday: bool) -> String {
        match estimate.map(|estimate| estimate.value) {
            None => "n/e".into(),
            Some(When::At(time)) if self.already(time) => ALREADY.into(),
            Some(When::At(time)) if weekday => self.with_weekday(time),
            Some(When::At(time)) => self.short(time),
            Some(When::AfterHorizon) => format!("> {}", self.short(self.horizon)),
            Some(When::Never) => "never".into(),
        }
    }

    /// Whether something had happened before the forecast starts: it is told at its first instant.
    pub(super) fn already(&self, time: Time) -> bool {
        self.started.is_some_and(|start| time <= start)
    }

    /// When a milestone was reached that had been reached before the forecast starts, in all replications: what few of them tell,
    /// too.
    pub(super) fn reached(&self, milestone: &MilestoneForecast) -> Option<Time> {
        milestone.latest?.time().filter(|time| self.already(*time))
    }

    /// Since when something has been true that had happened before the forecast starts: a ledger knows, nobody else does.
    pub(super) fn since(&self, time: Time) -> String {
        let known = self.started.is_some_and(|start| time < start);
        if known { format!("since {}", self.long(time)) } else { "since before the forecast starts".to_owned() }
    }

    fn local(&self, time: Time) -> ZonedDateTime {
        local(time, self.zone)
    }
}

/// An instant as a local date and time. The program's instants lie within the years that a calendar has.
pub(super) fn local(time: Time, zone: &TimeZone) -> ZonedDateTime {
    let stamp = Timestamp::from_microsecond(time.unix_micros()).unwrap_or(Timestamp::MAX);
    stamp.to_zoned_datetime(zone.clone())
}

/// The instant in UTC, as data files write it: `2012-10-19T18:05:09Z`.
pub(super) fn utc(time: Time) -> String {
    say(&local(time, &TimeZone::UTC), "%Y-%m-%dT%H:%M:%SZ")
}

/// The instant with its offset: `2012-10-19T14:05:09-04:00`.
pub(super) fn with_offset(time: Time, zone: &TimeZone) -> String {
    say(&local(time, zone), "%Y-%m-%dT%H:%M:%S%:z")
}

fn say(day: &ZonedDateTime, format: &str) -> String {
    day.strftime(format).to_string()
}

/// The larger side of an interval of dates: `±4 h`, `±1.2 d`; empty where an end is no date, or where every
/// replication agrees to the microsecond.
pub(super) fn plus_minus(estimate: Option<Estimate<When>>) -> String {
    let side = |estimate: Estimate<When>| {
        let (value, low, high) = (estimate.value.time()?, estimate.low.time()?, estimate.high.time()?);
        Some(value.since(low).max(high.since(value)))
    };
    match estimate.and_then(side) {
        None | Some(Span::ZERO) => String::new(),
        Some(side) if side.days() < 1.0 => format!("±{:.0} h", (side.secs() / 3_600.0).ceil().max(1.0)),
        Some(side) => format!("±{:.1} d", side.days()),
    }
}

/// A share in whole per cent; "under 1 %" and "over 99 %" where rounding would claim certainty.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.01 {
        "under 1 %".into()
    } else if share > 0.99 && share < 1.0 {
        "over 99 %".into()
    } else {
        format!("{:.0} %", share * 100.0)
    }
}

/// A whole number with commas: `400,000`.
pub(super) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if number <= -0.5 { format!("-{grouped}") } else { grouped }
}

/// "1 replication", "2,000 replications".
pub(super) fn replications(number: usize) -> String {
    format!("{} replication{}", count(number as f64), if number == 1 { "" } else { "s" })
}

/// A number to about three digits.
pub(super) fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => count(number),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 0.1 => format!("{number:.2}"),
        // What comes to nothing has no sign.
        size if size < 0.000_05 => "0.00".to_owned(),
        _ => format!("{number:.4}"),
    }
}

/// A text as a page or a picture may show it, on one line: without characters that cannot be seen but change what can.
#[must_use]
pub fn shown(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_gap =
        |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
    let plain = |letter: char| if is_gap(letter) { ' ' } else { letter };
    text.chars().filter(|letter| !turns(*letter)).map(plain).collect()
}

/// Breaks a text into lines of at most `width` characters at its spaces; a longer word stands alone, and a per cent sign
/// stays with its number.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(number) if word.starts_with('%') => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{AS_OF, after, scenario};

    #[test]
    fn dates_are_local_and_said_as_people_say_them() {
        let scenario = scenario();
        let calendar = Calendar::new(&scenario);
        let at = |days| When::At(after(days));
        assert_eq!(calendar.long(AS_OF), "October 10");
        assert_eq!(calendar.with_weekday(after(9.0)), "Fri Oct 19");
        assert_eq!(calendar.range(at(7.0), at(11.0)), "October 17 to 21");
        assert_eq!(calendar.range(at(20.0), at(23.0)), "October 30 to November 2");
        assert_eq!(calendar.range(at(7.0), at(7.1)), "October 17");
        assert_eq!(calendar.range(at(80.0), at(90.0)), "December 29 to January 8, 2013");
        assert_eq!(calendar.range(at(7.0), When::AfterHorizon), "October 17 to after December 9");
    }

    #[test]
    fn the_end_of_daylight_saving_moves_the_local_clock() {
        let scenario = scenario();
        let zone = &scenario.time_zone;
        // Toronto went back from 02:00 to 01:00 on November 4, 2012.
        assert_eq!(with_offset(after(24.0), zone), "2012-11-03T09:00:00-04:00");
        assert_eq!(with_offset(after(25.0), zone), "2012-11-04T08:00:00-05:00");
        assert_eq!(utc(after(25.0)), "2012-11-04T13:00:00Z");
    }

    #[test]
    fn numbers_are_grouped_and_certainty_is_not_claimed_by_rounding() {
        assert_eq!(
            (count(1_234_567.0), count(999.0), count(-1_000.0)),
            ("1,234,567".into(), "999".into(), "-1,000".into())
        );
        assert_eq!(
            (percent(0.999), percent(1.0), percent(0.001), percent(0.0)),
            ("over 99 %".into(), "100 %".into(), "under 1 %".into(), "0 %".into())
        );
    }

    #[test]
    fn nothing_invisible_is_shown() {
        assert_eq!(shown("head\u{202e}\u{61c}-1\n\0<b>\u{2028}"), "head-1  <b> ");
    }

    #[test]
    fn wrapped_lines_keep_the_width_and_the_words() {
        let text = "a planner reads this at eighty columns";
        let lines = wrap(text, 12);
        assert!(lines.iter().all(|line| line.chars().count() <= 12), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        assert_eq!(wrap("reads 40 % of it", 8), ["reads", "40 % of", "it"]);
    }
}
