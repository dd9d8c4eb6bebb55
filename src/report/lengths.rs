//! Lengths of time, and shifts of dates, as people say them: in minutes, hours or days, whichever fits the largest of what
//! stands together.

use super::wording::figure;
use crate::forecast::sensitivity::Part;
use crate::forecast::shift::Shift;
use crate::units::Share;

/// An hour in days.
const HOUR: f64 = 1.0 / 24.0;

/// The unit in which some amounts of days are told, for all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    unit: &'static str,
    each: f64,
}

impl Scale {
    /// Days, or hours or minutes where all amounts are below one of the larger unit, and there are any.
    pub(super) fn of(parts: &[Part]) -> Self {
        Self::up_to(parts.iter().map(|part| part.value.abs().max(part.high.abs())).fold(0.0, f64::max))
    }

    /// The same where the largest amount is so many days.
    pub(super) fn up_to(most: f64) -> Self {
        let units = [("min", 1_440.0, HOUR), ("h", 24.0, 1.0), ("d", 1.0, f64::INFINITY)];
        let unit = units.into_iter().find(|(_, _, below)| most > 0.0 && most < *below);
        unit.map_or(Self { unit: "d", each: 1.0 }, |(unit, each, _)| Self { unit, each })
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self.unit {
            "min" => "minutes",
            "h" => "hours",
            _ => "days",
        }
    }

    /// Its sign.
    pub(super) const fn unit(self) -> &'static str {
        self.unit
    }

    /// So many days in it.
    pub(super) fn of_days(self, days: f64) -> f64 {
        days * self.each
    }

    /// So much later or earlier, with its interval.
    pub(super) fn shift(self, days: f64, (low, high): (f64, f64)) -> String {
        if days == 0.0 && low == 0.0 && high == 0.0 {
            return "0".into();
        }
        let number = |days: f64| signed(self.of_days(days));
        format!("{} {} ({})", number(days), self.unit, self.range((low, high)))
    }

    /// An interval of a shift, of which one end may be infinite.
    fn range(self, (low, high): (f64, f64)) -> String {
        let number = |days: f64| signed(self.of_days(days));
        match (low.is_finite(), high.is_finite()) {
            (true, false) => format!("{} or later", number(low)),
            (false, true) => format!("{} or earlier", number(high)),
            (true, true) | (false, false) => format!("{} to {}", number(low), number(high)),
        }
    }

    /// The same as a text, without its sign.
    pub(super) fn number(self, days: f64) -> String {
        figure(self.of_days(days))
    }

    /// An estimate.
    pub(super) fn value(self, part: Part) -> String {
        self.number(part.value)
    }

    /// Its interval.
    pub(super) fn interval(self, part: Part) -> String {
        format!("{} to {}", self.number(part.low), self.number(part.high))
    }
}

/// A shift in days, or with an interval: `+1.2 d (+0.9 to +1.5)`, `-14.0 min`; `0` where it is exactly nothing.
pub(super) fn shifted(days: f64, interval: Option<(f64, f64)>) -> String {
    let (low, high) = interval.unwrap_or((days, days));
    let finite = |days: f64| if days.is_finite() { days.abs() } else { 0.0 };
    let scale = Scale::up_to(days.abs().max(finite(low)).max(finite(high)));
    match interval {
        Some(interval) => scale.shift(days, interval),
        None if days == 0.0 => "0".into(),
        None => format!("{} {}", signed(scale.of_days(days)), scale.unit),
    }
}

/// The same of a shift that was estimated.
pub(super) fn shifted_by(shift: &Shift, confidence: Share) -> String {
    if shift.is_exactly_none() { "0".into() } else { shifted(shift.days, Some(shift.interval(confidence))) }
}

/// To a tenth, and nothing is neither more nor less.
pub(super) fn signed(number: f64) -> String {
    let text = format!("{number:+.1}");
    if text == "-0.0" || text == "+0.0" { "0.0".into() } else { text }
}

/// So many days, to a tenth of the unit; `0` where it is exactly nothing.
pub(super) fn span(days: f64) -> String {
    if days == 0.0 {
        return "0".into();
    }
    let scale = Scale::up_to(days.abs());
    format!("{:.1} {}", scale.of_days(days), scale.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_fits_the_largest_of_what_stands_together() {
        let minutes = |minutes: f64| minutes / 1_440.0;
        assert_eq!(shifted(minutes(-2.0), Some((minutes(-3.0), minutes(-1.0)))), "-2.0 min (-3.0 to -1.0)");
        assert_eq!(shifted(minutes(-2.0), Some((minutes(-90.0), minutes(1.0)))), "0.0 h (-1.5 to 0.0)");
        assert_eq!(shifted(0.5, Some((0.25, 1.5))), "+0.5 d (+0.2 to +1.5)");
        assert_eq!(
            [shifted(minutes(30.0), None), shifted(0.25, None), shifted(-3.0, None)],
            ["+30.0 min", "+6.0 h", "-3.0 d"]
        );
        assert_eq!([shifted(0.0, None), shifted(0.0, Some((0.0, 0.0)))], ["0", "0"]);
        assert_eq!([minutes(2.0), 0.25, 3.0, 0.0].map(span), ["2.0 min", "6.0 h", "3.0 d", "0"]);
    }
}
