//! Numbers with units: `"40 %"`, `"160 TB"`, `"0.5 / week"`. Units are part of a value; a bare number is refused.

use crate::units::Span;

/// What a number measures, and so which units it may have. Values are kept in the base unit named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// A fraction of 1.
    Share,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    Rate,
    /// Bytes a second of a network link, which is commonly told in bits.
    LinkRate,
    /// Operations a second.
    OpRate,
    /// Operations.
    Ops,
    /// Seconds.
    Span,
    /// Events a day.
    Frequency,
    /// A fraction of 1 a day.
    Growth,
    /// A number without a unit.
    Plain,
    /// A whole number without a unit.
    Count,
}

/// A unit: its name, and its size in base units as a multiplier and a divisor, both exact.
type Unit = (&'static str, f64, f64);

const SHARES: &[Unit] = &[("%", 1.0, 100.0)];
const BYTES: &[Unit] = &[
    ("B", 1.0, 1.0),
    ("kB", 1e3, 1.0),
    ("MB", 1e6, 1.0),
    ("GB", 1e9, 1.0),
    ("TB", 1e12, 1.0),
    ("PB", 1e15, 1.0),
    ("EB", 1e18, 1.0),
    ("KiB", 1024.0, 1.0),
    ("MiB", 1_048_576.0, 1.0),
    ("GiB", 1_073_741_824.0, 1.0),
    ("TiB", 1_099_511_627_776.0, 1.0),
    ("PiB", 1_125_899_906_842_624.0, 1.0),
];
/// Networks are told in bits, eight to a byte; spelt out, so that nobody takes one for the other.
const BITS: &[Unit] = &[("kbit", 1e3, 8.0), ("Mbit", 1e6, 8.0), ("Gbit", 1e9, 8.0), ("Tbit", 1e12, 8.0)];
const OPS: &[Unit] = &[("op", 1.0, 1.0), ("kop", 1e3, 1.0)];
const SPANS: &[Unit] = &[
    ("us", 1.0, 1e6),
    ("µs", 1.0, 1e6),
    ("ms", 1.0, 1e3),
    ("s", 1.0, 1.0),
    ("second", 1.0, 1.0),
    ("seconds", 1.0, 1.0),
    ("min", 60.0, 1.0),
    ("minute", 60.0, 1.0),
    ("minutes", 60.0, 1.0),
    ("h", 3_600.0, 1.0),
    ("hour", 3_600.0, 1.0),
    ("hours", 3_600.0, 1.0),
    ("d", 86_400.0, 1.0),
    ("day", 86_400.0, 1.0),
    ("days", 86_400.0, 1.0),
    ("week", 604_800.0, 1.0),
    ("weeks", 604_800.0, 1.0),
];
const NOTHING: &[Unit] = &[("", 1.0, 1.0)];
const SECONDS_IN_DAY: f64 = 86_400.0;

/// What stands above and below the line in a measure's unit.
struct Form {
    above: &'static [Unit],
    /// Further units that may stand there.
    or: &'static [Unit],
    /// Whether `/ time` follows, and how many seconds the base unit's time has.
    per_seconds: Option<f64>,
}

impl Measure {
    const fn form(self) -> Form {
        let (above, per_seconds) = match self {
            Self::Share => (SHARES, None),
            Self::Bytes => (BYTES, None),
            Self::Rate | Self::LinkRate => (BYTES, Some(1.0)),
            Self::OpRate => (OPS, Some(1.0)),
            Self::Ops => (OPS, None),
            Self::Span => (SPANS, None),
            Self::Frequency => (NOTHING, Some(SECONDS_IN_DAY)),
            Self::Growth => (SHARES, Some(SECONDS_IN_DAY)),
            Self::Plain | Self::Count => (NOTHING, None),
        };
        let or = if matches!(self, Self::LinkRate) { BITS } else { &[] };
        Form { above, or, per_seconds }
    }

    /// Whether its values stand without a unit, as TOML numbers.
    pub(crate) const fn is_bare(self) -> bool {
        matches!(self, Self::Plain | Self::Count)
    }

    /// What it is, with an example, for messages and the schema.
    pub(crate) const fn example(self) -> &'static str {
        match self {
            Self::Share => "a share such as \"40 %\"",
            Self::Bytes => "a size such as \"160 TB\" or \"35 MB\"",
            Self::Rate => "a rate such as \"6 MB/s\"",
            Self::LinkRate => "a rate such as \"800 MB/s\" or \"10 Gbit/s\"",
            Self::OpRate => "a load such as \"9000 op/s\"",
            Self::Ops => "a cost such as \"18 op\"",
            Self::Span => "a time such as \"10 ms\", \"3 h\" or \"7 days\"",
            Self::Frequency => "a frequency such as \"0.5 / week\" or \"300 / day\"",
            Self::Growth => "a share of change over time such as \"0.1 % / day\"",
            Self::Plain => "a number such as 0.8",
            Self::Count => "a whole number such as 12",
        }
    }

    /// A value in base units, as people write it.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Share => format!("{} %", trim(value * 100.0)),
            Self::Bytes => scaled(value, BYTES),
            Self::Rate | Self::LinkRate => format!("{}/s", scaled(value, BYTES)),
            Self::OpRate => format!("{} op/s", trim(value)),
            Self::Ops => format!("{} op", trim(value)),
            Self::Span => show_span(value),
            Self::Frequency => show_frequency(value),
            Self::Growth => format!("{} % / day", trim(value * 100.0)),
            Self::Plain | Self::Count => trim(value),
        }
    }

    /// A pattern of the text form, for the schema.
    pub(crate) fn pattern(self) -> String {
        let joined = |units: &mut dyn Iterator<Item = &Unit>| units.map(|unit| unit.0).collect::<Vec<_>>().join("|");
        let form = self.form();
        let above = joined(&mut form.above.iter().chain(form.or));
        let number = r"[+-]?[0-9][0-9_]*(\.[0-9_]+)?([eE][+-]?[0-9]+)?";
        let per = form.per_seconds.map_or_else(String::new, |_| format!(r"\s*/\s*({})", joined(&mut SPANS.iter())));
        format!(r"^\s*{number}\s*({above}){per}\s*$")
    }
}

/// Whether two texts of a unit are of the same one: `day` and `days`, `/d` and `/ day`.
#[must_use]
pub fn same_unit(one: &str, other: &str) -> bool {
    let sizes = |text: &str| SPANS.iter().find(|unit| unit.0 == text).map(|unit| (unit.1, unit.2));
    let is_same = |one: &str, other: &str| {
        let (one, other) = (one.trim(), other.trim());
        one == other || sizes(one).is_some_and(|size| sizes(other) == Some(size))
    };
    one.split('/').count() == other.split('/').count()
        && one.split('/').zip(other.split('/')).all(|(one, other)| is_same(one, other))
}

fn scaled(value: f64, units: &[Unit]) -> String {
    let decimal = units.iter().filter(|unit| !unit.0.ends_with("iB"));
    let unit = decimal.rev().find(|unit| value.abs() >= unit.1).unwrap_or(&units[0]);
    format!("{} {}", trim(value / unit.1), unit.0)
}

fn show_span(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    let (size, unit) = [(86_400.0, "days"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms")]
        .into_iter()
        .find(|(size, _)| seconds.abs() >= *size)
        .unwrap_or((1e-6, "us"));
    format!("{} {unit}", trim(seconds / size))
}

/// A number with four significant digits at the least, without trailing zeros.
/// Times a day; a second, where it is often and that makes a round number.
fn show_frequency(per_day: f64) -> String {
    let thousandths = per_day / SECONDS_IN_DAY * 1e3;
    if per_day >= SECONDS_IN_DAY / 10.0 && (thousandths - thousandths.round()).abs() < 1e-9 * thousandths {
        format!("{} / s", trim(thousandths.round() / 1e3))
    } else {
        format!("{} / day", trim(per_day))
    }
}

fn trim(value: f64) -> String {
    let rounded = format!("{value:.4e}").parse::<f64>().unwrap_or(value);
    if (value - value.round()).abs() < 1e-9 && value.abs() < 1e15 {
        format!("{}", value.round())
    } else {
        format!("{rounded}")
    }
}

/// Reads a number with its unit; the value is in base units. The error says what is wrong and what is allowed.
pub(crate) fn parse(text: &str, measure: Measure) -> Result<f64, String> {
    let text = text.trim();
    let (digits, unit) = split_number(text);
    let allowed = measure.example();
    if digits.is_empty() {
        return Err(match text.trim_start_matches(['+', '-']).to_ascii_lowercase() {
            word if word.starts_with("nan") => format!("is \"{text}\", not a number; needs {allowed}"),
            word if word.starts_with("inf") => format!("is \"{text}\", must be finite; needs {allowed}"),
            _ => format!("is \"{text}\", needs {allowed}"),
        });
    }
    let number: f64 = digits.replace('_', "").parse().map_err(|_| format!("is \"{text}\", needs {allowed}"))?;
    if !number.is_finite() {
        return Err(format!("is \"{text}\", too large to be a number"));
    }
    let form = measure.form();
    let (above, below) = match unit.split_once('/') {
        Some((above, below)) => (above.trim(), Some(below.trim())),
        None => (unit, None),
    };
    let wrong = || format!("is \"{text}\", needs {allowed}{}", hint(unit, above, measure));
    let mut units = form.above.iter().chain(form.or);
    let (_, multiply, divide) = units.find(|known| known.0 == above).ok_or_else(wrong)?;
    let value = number * multiply / divide;
    match (form.per_seconds, below) {
        (None, None) => Ok(value),
        (Some(base), Some(below)) => {
            let (_, multiply, divide) = SPANS.iter().find(|known| known.0 == below).ok_or_else(wrong)?;
            Ok(value * base * divide / multiply)
        }
        (None, Some(_)) | (Some(_), None) => Err(wrong()),
    }
}

/// Reads a span of time as scenarios write it, from nothing to ten years: `6 h`, `1.5 days`.
///
/// # Errors
/// What is wrong with it and what is allowed.
pub fn parse_span(text: &str) -> Result<Span, String> {
    let seconds = parse(text, Measure::Span)?;
    let most = 3_650.0 * 86_400.0;
    if (0.0..=most).contains(&seconds) {
        Ok(Span::from_secs_f64(seconds))
    } else {
        Err(format!("is \"{}\", must be from 0 s to 3650 days", text.trim()))
    }
}

/// Splits `1.5e3 MB/s` after the number.
fn split_number(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let digits_from = |mut at: usize| {
        while at < bytes.len() && (bytes[at].is_ascii_digit() || bytes[at] == b'_') {
            at += 1;
        }
        at
    };
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let mut end = digits_from(sign);
    if end == sign {
        return ("", text);
    }
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits_from(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits_from(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    (&text[..end], text[end..].trim())
}

/// Why a unit that looks right is not.
fn hint(unit: &str, above: &str, measure: Measure) -> String {
    const SPELLINGS: [&str; 14] =
        ["b", "kb", "Kb", "Mb", "Gb", "Tb", "Pb", "bit", "kbit", "Mbit", "Gbit", "Tbit", "Mibit", "Gibit"];
    let counts_bits = SPELLINGS.contains(&above) || above.ends_with("bps");
    if counts_bits && measure == Measure::LinkRate {
        return format!("; \"{above}\" is not clear: bits are written \"Mbit/s\" or \"Gbit/s\", bytes \"MB/s\"");
    }
    if counts_bits {
        return format!("; \"{above}\" counts bits, here bytes are meant: \"MB\", \"TB\"");
    }
    if above == "KB" {
        return "; write \"kB\" for 1000 bytes or \"KiB\" for 1024".to_owned();
    }
    let units = measure.form().above;
    if let Some(known) = units.iter().find(|known| known.0.eq_ignore_ascii_case(above) && known.0 != above) {
        return format!("; write \"{}\"", known.0);
    }
    if unit.is_empty() && !measure.is_bare() {
        return "; the unit is missing".to_owned();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_decimal_unless_they_say_otherwise() {
        let cases = [
            ("40 %", Measure::Share, 0.4),
            ("160 TB", Measure::Bytes, 160e12),
            ("1 TiB", Measure::Bytes, 1_099_511_627_776.0),
            ("6 MB/s", Measure::Rate, 6e6),
            ("6 MB / min", Measure::Rate, 1e5),
            ("0.5 / week", Measure::Frequency, 0.5 / 7.0),
            ("60 / s", Measure::Frequency, 5_184_000.0),
            ("18op", Measure::Ops, 18.0),
            ("1e3 op/s", Measure::OpRate, 1000.0),
            ("10 ms", Measure::Span, 0.01),
            ("0.25 days", Measure::Span, 21_600.0),
            ("0.1 % / day", Measure::Growth, 0.001),
            ("400_000 B", Measure::Bytes, 400_000.0),
        ];
        for (text, measure, expected) in cases {
            let value = parse(text, measure).unwrap();
            assert!((value - expected).abs() <= 1e-12 * expected, "{text}: {value}");
        }
    }

    #[test]
    fn bits_are_not_bytes() {
        assert!(parse("4 Tb", Measure::Bytes).unwrap_err().contains("bits"));
        assert!(parse("100 Mbps", Measure::Rate).unwrap_err().contains("bits"));
        assert!(parse("10 Gbit/s", Measure::Rate).unwrap_err().contains("here bytes are meant"));
    }

    #[test]
    fn links_may_be_told_in_bits_a_second_and_only_as_they_are_spelt_out() {
        for (text, expected) in
            [("1 Gbit/s", 125e6), ("100Mbit / s", 12.5e6), ("6 MB/s", 6e6), ("1 Tbit/min", 125e9 / 60.0)]
        {
            let value = parse(text, Measure::LinkRate).unwrap();
            assert!((value / expected - 1.0).abs() < 1e-12, "{text}: {value}");
        }
        for text in ["1 Gb/s", "10 Gbps", "1 gbit/s", "1 Gbit", "1 Mib/s"] {
            assert!(parse(text, Measure::LinkRate).is_err(), "{text}");
        }
        assert!(parse("10 Gbps", Measure::LinkRate).unwrap_err().contains("bits are written \"Mbit/s\""));
        assert!(Measure::LinkRate.pattern().contains("|Gbit|") && !Measure::Rate.pattern().contains("bit"));
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        for text in ["NaN %", "inf TB", "-inf TB", "1e999 B", "", "%", "4", "4 %/s", "four %", ". %", "4e %", "4 % %"] {
            assert!(parse(text, Measure::Share).is_err(), "{text}");
        }
    }

    #[test]
    fn a_shown_value_reads_back() {
        for (measure, value) in [
            (Measure::Bytes, 160e12),
            (Measure::Share, 0.375),
            (Measure::Span, 5400.0),
            (Measure::Frequency, 0.25),
            (Measure::Rate, 12.5e6),
            (Measure::Growth, 0.001),
        ] {
            let shown = measure.show(value);
            assert!((parse(&shown, measure).unwrap() / value - 1.0).abs() < 1e-4, "{shown}");
        }
    }
}
