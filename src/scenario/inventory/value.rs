//! One cell of an inventory, read: a size, a count, a load, an instant. Nothing is guessed.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::scenario::calendar;
use crate::scenario::problems::excerpt;
use crate::scenario::quantity::{self, Measure};
use crate::units::Time;

/// No mailbox is larger: 1 EB, as everywhere in a scenario.
const BYTES_MAX: f64 = 1e18;
/// Numbers from here on are not whole in a double.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Why a cell is not taken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wrong {
    /// In a few words, the same for all cells that are wrong in this way: what is counted.
    pub(crate) kind: &'static str,
    /// The value, and what is allowed.
    pub(crate) message: String,
}

impl Wrong {
    pub(crate) fn new(kind: &'static str, text: &str, allowed: &str) -> Self {
        let message =
            if text.is_empty() { format!("is empty, {allowed}") } else { format!("is {}, {allowed}", shown(text)) };
        Self { kind: if text.is_empty() { "empty" } else { kind }, message }
    }
}

/// A cell's text in quotes, as much as fits in a message. What would move a terminal's cursor is not shown.
pub(crate) fn shown(text: &str) -> String {
    format!("\"{}\"", excerpt(text).replace(|c: char| c.is_control() && c != '\t', "\u{fffd}"))
}

/// A size in bytes: a number in the column's unit (its size in bytes; bytes when it has none), or a number with a unit of its own.
pub(crate) fn bytes(text: &str, unit: Option<f64>) -> Result<u64, Wrong> {
    const ALLOWED: &str =
        "must be a size of 0 or more: a number in the column's unit, or one with its own such as 35 MB";
    if let (None, Some(whole)) = (unit, whole(text)) {
        return Ok(whole);
    }
    let value = match number(text) {
        Some(number) => number * unit.unwrap_or(1.0),
        None => quantity::parse(text, Measure::Bytes).map_err(|_| Wrong::new("not a size", text, ALLOWED))?,
    };
    if value < 0.0 {
        return Err(Wrong::new("negative", text, "must not be negative"));
    }
    if value > BYTES_MAX {
        return Err(Wrong::new("too large", text, "must be at most 1 EB"));
    }
    if unit.is_none() && value.fract() != 0.0 && number(text).is_some() {
        return Err(Wrong::new(
            "not whole",
            text,
            "must be a whole number of bytes: does the column count in another unit?",
        ));
    }
    Ok(value.round() as u64)
}

/// A number of messages.
pub(crate) fn messages(text: &str) -> Result<u32, Wrong> {
    const ALLOWED: &str = "must be a whole number from 0 to 4294967295";
    let whole = whole(text)
        .or_else(|| number(text).filter(|x| (0.0..WHOLE_MAX).contains(x) && x.fract() == 0.0).map(|x| x as u64));
    whole
        .and_then(|whole| u32::try_from(whole).ok())
        .ok_or_else(|| Wrong::new("not a number of messages", text, ALLOWED))
}

/// A user's load in millionths of an operation a second: a number in the column's unit (operations a second of one; op/s when it has none), or one
/// with a unit of its own.
pub(crate) fn activity(text: &str, unit: Option<f64>) -> Result<u32, Wrong> {
    const ALLOWED: &str =
        "must be a load from 0 to 4000 op/s: a number in the column's unit, or one with its own such as 90 op/h";
    let value = match number(text) {
        Some(number) => Some(number * unit.unwrap_or(1.0)),
        None => quantity::parse(text, Measure::OpRate).ok(),
    };
    let value = value.filter(|value| (0.0..=4_000.0).contains(value));
    value.map(|value| (value * 1e6).round() as u32).ok_or_else(|| Wrong::new("not a load", text, ALLOWED))
}

/// An instant, and whether its text says which by an offset from UTC.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> Result<(Time, bool), Wrong> {
    // One that daylight saving skips or repeats is taken as everywhere in a scenario.
    stamp(text, zone).map(|(time, kind)| (time, kind == Stamp::Offset))
}

/// How a text says which instant it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// By an offset from UTC.
    Offset,
    /// By local time.
    Local,
    /// By a local time that daylight saving skips or repeats.
    Doubtful,
}

/// An instant, and how its text says which.
pub(crate) fn stamp(text: &str, zone: &TimeZone) -> Result<(Time, Stamp), Wrong> {
    const ALLOWED: &str =
        "must be a date or an instant such as 2026-03-01, 2026-03-01T09:30:00 or 2026-03-01T09:30:00Z";
    let wrong = || Wrong::new("not an instant", text, ALLOWED);
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(wrong());
    }
    let year = text.get(..5).and_then(|year| year.strip_suffix('-')).and_then(|year| year.parse::<u16>().ok());
    if !year.is_some_and(|year| (1900..=2200).contains(&year)) {
        return Err(wrong());
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Ok((Time::from_unix_micros(stamp.as_microsecond()), Stamp::Offset));
    }
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    let (time, is_doubtful) = calendar::instant(zone, local);
    Ok((time, if is_doubtful { Stamp::Doubtful } else { Stamp::Local }))
}

/// A whole number that is nothing but digits: most cells.
fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.bytes().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// A finite number: digits, a point, an exponent.
pub(crate) fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if plain { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: Option<f64> = Some(1e6);

    #[test]
    fn sizes_are_in_the_columns_unit_or_in_their_own() {
        for (text, unit, expected) in [
            ("0", None, 0),
            ("123456789012345678", None, 123_456_789_012_345_678),
            ("35000000.0", None, 35_000_000),
            ("3.5e7", None, 35_000_000),
            ("35 MB", None, 35_000_000),
            ("1.5", MB, 1_500_000),
            ("2", MB, 2_000_000),
            ("1 KiB", MB, 1_024),
        ] {
            assert_eq!(bytes(text, unit), Ok(expected), "{text}");
        }
        for (text, kind) in [
            ("", "empty"),
            ("-5", "negative"),
            ("1.5", "not whole"),
            ("1,5", "not a size"),
            ("35 Mb", "not a size"),
            ("NaN", "not a size"),
            ("inf", "not a size"),
            ("1e999", "not a size"),
            ("1e19", "too large"),
            ("9999999999999999999", "too large"),
            ("0x10", "not a size"),
            ("é", "not a size"),
        ] {
            assert_eq!(bytes(text, None).map_err(|wrong| wrong.kind), Err(kind), "{text}");
        }
    }

    #[test]
    fn counts_and_loads_stay_within_their_columns() {
        assert_eq!([messages("4294967295"), messages("12.0")], [Ok(u32::MAX), Ok(12)]);
        for text in ["", "-1", "1.5", "4294967296", "many", "1e30", "NaN"] {
            assert!(messages(text).is_err(), "{text}");
        }
        for (text, unit) in [("0.03", None), ("108 op/h", None), ("108", Some(1.0 / 3_600.0))] {
            assert_eq!(activity(text, unit), Ok(30_000), "{text}");
        }
        for text in ["", "-1", "5000", "busy", "1 MB", "inf"] {
            assert!(activity(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_are_local_unless_they_say_otherwise() {
        let zone = TimeZone::get("America/Toronto").unwrap();
        let at = |seconds: i64| Time::from_unix_micros(seconds * 1_000_000);
        for (text, expected) in [
            ("2026-03-01T09:30:00Z", (at(1_772_357_400), true)),
            ("2026-03-01 04:30:00-05:00", (at(1_772_357_400), true)),
            ("2026-03-01T04:30:00", (at(1_772_357_400), false)),
            ("2026-03-01", (at(1_772_341_200), false)),
        ] {
            assert_eq!(instant(text, &zone), Ok(expected), "{text}");
        }
        for text in [
            "",
            "01/03/2026",
            "2026-02-30",
            "yesterday",
            "1772357400",
            "99999-01-01",
            "2026-03-01T25:00:00",
            "-2026-03-01",
        ] {
            assert!(instant(text, &zone).is_err(), "{text}");
        }
    }
}
