//! `/proc/pressure/io`: the share of the time in which at least one task waited for a disk, whichever.

use super::{Load, ProbeError, anew, busy_share};
use crate::units::Span;

/// The time since the machine started in which some task waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stalled(Span);

/// Reads the line that begins with `some`.
///
/// # Errors
/// There is none, or it is not understood.
pub(super) fn parse(text: &str) -> Result<Stalled, String> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "));
    let total = line.and_then(|line| line.split_ascii_whitespace().find_map(|field| field.strip_prefix("total=")));
    let micros = total.and_then(|total| total.parse::<i64>().ok()).filter(|micros| *micros >= 0);
    let short: String = text.chars().take(120).collect();
    micros.map(Span::from_micros).map(Stalled).ok_or_else(|| format!("/proc/pressure/io is not understood: {short:?}"))
}

/// The load between two readings; it has no latency.
///
/// # Errors
/// The counter has begun anew.
pub(super) fn between(before: Stalled, now: Stalled, elapsed: Span) -> Result<Load, ProbeError> {
    if now.0 < before.0 {
        return Err(anew("the pressure on the disks"));
    }
    Ok(Load { utilisation: busy_share(now.0 - before.0, elapsed)?, ..Load::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::Share;

    /// Linux 6.18.
    const TEXT: &str = "some avg10=0.29 avg60=0.08 avg300=0.33 total=88489416
full avg10=0.24 avg60=0.06 avg300=0.23 total=56694614
";

    #[test]
    fn the_share_of_stalled_time_is_that_of_some_tasks() {
        let before = parse(TEXT).unwrap();
        assert_eq!(before, Stalled(Span::from_micros(88_489_416)));
        let now = Stalled(before.0 + Span::from_secs(3));
        assert_eq!(between(before, now, Span::from_secs(10)).unwrap().utilisation, Share::from_ppm(300_000));
        assert_eq!(between(before, now, Span::from_secs(1)).unwrap().utilisation, Share::ONE);
        assert!(matches!(between(now, before, Span::from_secs(10)), Err(ProbeError::Missing(_))));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "full avg10=0 total=1",
            "some avg10=0.1",
            "some total=-1",
            "some total=99999999999999999999",
            "some total=x",
        ] {
            assert!(parse(text).unwrap_err().contains("is not understood"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(some |total=|[0-9]{1,20}|\\PC|\n){0,20}") {
            let _ = parse(&text);
        }
    }
}
