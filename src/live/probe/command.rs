//! A program that says how a store is loaded, where no counter of this machine can.

use super::Load;
use crate::live::command;
use crate::units::{Latency, Share, Span};

/// The highest utilisation that makes sense; above stand percentages.
pub(super) const UTILISATION_MAX: f64 = 2.0;
/// The highest latency that makes sense, in seconds.
pub(super) const LATENCY_MAX_S: f64 = 3_600.0;

/// Reads `0.62 0.0041`: utilisation as a fraction, up to 2 for more than can be served, and latency in seconds.
///
/// # Errors
/// It is anything else.
pub(super) fn parse(output: &str) -> Result<Load, String> {
    let mut fields = output.split_ascii_whitespace().map(|field| field.parse::<f64>().ok());
    let shown: String = output.trim().chars().take(80).collect();
    let (Some(Some(utilisation)), Some(Some(latency)), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(format!("the probe printed {shown:?}, must be two numbers: `0.62 0.0041`"));
    };
    // Not a number lies in no range.
    if !(0.0..=UTILISATION_MAX).contains(&utilisation) {
        return Err(format!("the probe printed {shown:?}: utilisation must lie between 0 and {UTILISATION_MAX}"));
    }
    if !(0.0..=LATENCY_MAX_S).contains(&latency) {
        return Err(format!("the probe printed {shown:?}: latency must lie between 0 and {LATENCY_MAX_S} seconds"));
    }
    Ok(Load {
        utilisation: Share::from_fraction_up(utilisation),
        latency: Latency::from_secs_up(latency),
        age: Span::ZERO,
    })
}

/// The load that a program prints, within `timeout`.
///
/// # Errors
/// It cannot be started, does not end in time, ends with a failure, or prints no load.
pub(super) fn ask(argv: &[String], timeout: Span) -> Result<Load, String> {
    let program = argv.first().map_or("", String::as_str);
    match command::run(argv, timeout) {
        Ok(output) => parse(&output.text),
        Err(error @ command::CommandError::Start { .. }) => Err(error.to_string()),
        Err(error) => Err(format!("{program} {error}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_numbers_are_a_load() {
        let load =
            Load { utilisation: Share::from_ppm(620_000), latency: Latency::from_micros(4_100), age: Span::ZERO };
        assert_eq!(parse("0.62 0.0041\n"), Ok(load));
        assert_eq!(parse("0 0"), Ok(Load::default()));
        assert_eq!(parse("1.3\t1e-3").unwrap().utilisation, Share::from_ppm(1_300_000));
    }

    #[test]
    fn anything_else_is_an_error_that_shows_it() {
        for output in [
            "",
            "0.5",
            "0.5 0.1 0.1",
            "NaN 0.1",
            "0.1 NaN",
            "-0.1 0.1",
            "0.1 -1",
            "62 0.0041",
            "inf 1",
            "0.1 1e9",
            "a b",
            "0,5 0,1",
        ] {
            let error = parse(output).unwrap_err();
            assert!(error.contains(&format!("{output:?}")), "{error}");
        }
        assert!(parse(&"x".repeat(1_000)).unwrap_err().len() < 200);
    }

    #[test]
    fn a_program_says_its_load_and_one_that_fails_is_named_and_quoted() {
        let shell = |script: &str| ask(&["/bin/sh", "-c", script].map(str::to_owned), Span::from_secs(20));
        assert_eq!(shell("echo 0.5 0.001").map(|load| load.utilisation), Ok(Share::from_ppm(500_000)));
        assert_eq!(shell("echo no array >&2; exit 3"), Err("/bin/sh ended with status 3: no array".to_owned()));
        assert!(shell("printf '\\377 1'").unwrap_err().contains("must be two numbers"));
        let nowhere = ask(&["/nowhere/load".to_owned()], Span::from_secs(20)).unwrap_err();
        assert!(nowhere.starts_with("`/nowhere/load` cannot be started: No such file"), "{nowhere}");
        let late = ask(&["/bin/sleep", "600"].map(str::to_owned), Span::from_secs_f64(0.2)).unwrap_err();
        assert_eq!(late, "/bin/sleep had not ended after 0.2 s and was killed");
    }

    proptest! {
        #[test]
        fn no_output_makes_the_reader_panic(output in "([0-9.eE+-]{1,6}|NaN|inf| |\\PC){0,8}") {
            let _ = parse(&output);
        }
    }
}
