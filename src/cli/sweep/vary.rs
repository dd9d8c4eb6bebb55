//! What is varied, as it is written: `plan.throttle.max=8..64:8`, `plan.move.stream=6 MB/s..20 MB/s:5`.

use crate::forecast::sweep::design::{Axis, Design};
use crate::scenario::{same_unit, split_path};

/// Values of one key.
const STEPS_MAX: u32 = 1_000;
/// More points take too long for anybody.
const POINTS_MAX: u64 = 10_000;
/// As many dimensions as one sequence of points fills well.
const AXES_MAX: usize = 16;

/// All axes and how points are laid; or all that is wrong.
pub(super) fn design(written: &[String], points: Option<u32>) -> Result<(Vec<Axis>, Design), String> {
    let (mut axes, mut wrong) = (Vec::<Axis>::new(), Vec::new());
    for text in written {
        match axis(text, points.is_some()) {
            Ok(one) if axes.iter().any(|known| is_same_key(&known.key, &one.key)) => {
                wrong.push(format!("--vary \"{text}\": {} is varied twice", one.key));
            }
            Ok(one) if unfit(&one.key).is_some() => {
                let why = unfit(&one.key).unwrap_or_default();
                wrong.push(format!("--vary \"{text}\": {} cannot be swept: {why}", one.key));
            }
            Ok(one) => axes.push(one),
            Err(problem) => wrong.push(format!("--vary \"{text}\": {problem}")),
        }
    }
    if axes.len() > AXES_MAX {
        wrong.push(format!("{} keys are varied, at most {AXES_MAX} are allowed", axes.len()));
    }
    let design = points.map_or(Design::Grid, Design::Sobol);
    if wrong.is_empty() && design.count(&axes) > POINTS_MAX {
        let many = match design.count(&axes) {
            u64::MAX => "far too many".to_owned(),
            count => count.to_string(),
        };
        wrong.push(format!(
            "that is {many} points, at most {POINTS_MAX} are allowed: fewer values, or --points for a sequence"
        ));
    }
    if wrong.is_empty() { Ok((axes, design)) } else { Err(wrong.join("\n")) }
}

/// Ranges of which no single value is asked for; or all that is wrong.
pub(in super::super) fn ranges(written: &[String]) -> Result<Vec<Axis>, String> {
    let (mut axes, mut wrong) = (Vec::<Axis>::new(), Vec::new());
    for text in written {
        let has_steps = text.rsplit_once("..").is_some_and(|(_, end)| end.contains(':'));
        match axis(text, true) {
            _ if has_steps => wrong.push(format!("--vary \"{text}\": says how many values, must be KEY=A..B here")),
            Ok(one) if axes.iter().any(|known| is_same_key(&known.key, &one.key)) => {
                wrong.push(format!("--vary \"{text}\": {} is varied twice", one.key));
            }
            Ok(one) => axes.push(one),
            Err(problem) => wrong.push(format!("--vary \"{text}\": {problem}")),
        }
    }
    if wrong.is_empty() { Ok(axes) } else { Err(wrong.join("\n")) }
}

/// Whether two spellings are of one key: parts may stand in quotes.
fn is_same_key(one: &str, other: &str) -> bool {
    one == other || split_path(one).is_some_and(|path| split_path(other) == Some(path))
}

/// Why points with different values of a key could not be held against each other; none where they can.
fn unfit(key: &str) -> Option<&'static str> {
    match split_path(key)?.first()?.as_str() {
        "horizon" => Some("all points are told as far as one horizon"),
        "forecast" => Some("it says how points are simulated and told, and that has to be the same for all of them"),
        "users" => Some("it is what minutes are counted against, and has to be the same for all points"),
        _ => None,
    }
}

fn axis(text: &str, is_sequence: bool) -> Result<Axis, String> {
    const GRID: &str =
        "must be KEY=A..B:N, such as plan.throttle.max=8..64:8 or \"plan.move.stream=6 MB/s..20 MB/s:5\"";
    const RANGE: &str = "must be KEY=A..B, such as plan.throttle.max=8..64 or \"plan.move.stream=6 MB/s..20 MB/s\"";
    let form = if is_sequence { RANGE } else { GRID };
    let (key, values) = text.split_once('=').ok_or_else(|| format!("has no value, it {form}"))?;
    let (from, rest) = values.split_once("..").ok_or_else(|| format!("has no range, it {form}"))?;
    let (to, steps) = match rest.rsplit_once(':') {
        Some((to, steps)) => {
            let many = steps.trim().parse::<u32>().ok().filter(|steps| (2..=STEPS_MAX).contains(steps));
            (to, many.ok_or_else(|| format!("has {} values, must have 2 to {STEPS_MAX}", steps.trim()))?)
        }
        // A sequence lays its points by itself.
        None if is_sequence => (rest, 2),
        None => return Err(format!("does not say how many values, it {form}")),
    };
    let key = key.trim();
    if key.is_empty() {
        return Err(format!("has no key, it {form}"));
    }
    let (from, to) = (quantity(from)?, quantity(to)?);
    if !from.unit.is_empty() && !to.unit.is_empty() && !same_unit(&from.unit, &to.unit) {
        return Err(format!("goes from {} to {}: both ends must have one unit", from.unit, to.unit));
    }
    // A unit at one end counts for both.
    let unit = if to.unit.is_empty() { from.unit } else { to.unit };
    if from.value >= to.value {
        return Err(format!("goes from {} to {}, must rise", from.value, to.value));
    }
    let is_whole = unit.is_empty() && from.is_whole && to.is_whole;
    Ok(Axis { key: key.to_owned(), from: from.value, to: to.value, steps, unit, is_whole })
}

struct Quantity {
    value: f64,
    unit: String,
    is_whole: bool,
}

fn quantity(text: &str) -> Result<Quantity, String> {
    let text = text.trim().trim_matches(['"', '\'']).trim();
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || "+-._".contains(letter))).unwrap_or(text.len());
    let (digits, unit) = (text[..end].replace('_', ""), text[end..].trim().to_owned());
    let value = digits.parse::<f64>().ok().filter(|value| value.is_finite());
    let value =
        value.ok_or_else(|| format!("has \"{text}\" for an end, must be a number, with its unit if it has one"))?;
    Ok(Quantity { value, unit, is_whole: !digits.contains('.') })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn ranges_are_read_with_their_units() {
        let written = [
            "plan.throttle.max=8..64:8",
            "plan.move.stream=6..20 MB/s:5",
            "a.b=4.0 ms..8 ms:3",
            "c=0.5..2:4",
            "d=0.6 MB/s..1.2:2",
        ];
        let (axes, design) = design(&owned(&written), None).unwrap();
        assert_eq!(design, Design::Grid);
        let known: Vec<_> =
            axes.iter().map(|axis| (axis.from, axis.to, axis.steps, axis.unit.as_str(), axis.is_whole)).collect();
        assert_eq!(
            known,
            [
                (8.0, 64.0, 8, "", true),
                (6.0, 20.0, 5, "MB/s", false),
                (4.0, 8.0, 3, "ms", false),
                (0.5, 2.0, 4, "", false),
                (0.6, 1.2, 2, "MB/s", false)
            ]
        );
        let (_, sequence) = super::design(&owned(&["a=1..9"]), Some(32)).unwrap();
        assert_eq!(sequence, Design::Sobol(32));
    }

    #[test]
    fn a_unit_may_be_spelt_in_two_ways() {
        for (written, unit) in [
            ("a=1 day..3 days:3", "days"),
            ("a=1 h..2 hours:2", "hours"),
            ("a=1/d..3 / day:2", "/ day"),
            ("a=1 MB/s..3 MB / s:2", "MB / s"),
        ] {
            let (axes, _) = design(&owned(&[written]), None).unwrap();
            assert_eq!((axes[0].from, axes[0].unit.as_str()), (1.0, unit), "{written}");
        }
        for written in ["a=1 h..2 days:2", "a=1 MB..2 GB:2", "a=1 MB/s..2 MB:2", "a=1 MB/s..2 MB/h:2"] {
            assert!(design(&owned(&[written]), None).unwrap_err().contains("one unit"), "{written}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let written = [
            "a",
            "b=1",
            "c=1..2",
            "d=2..1:3",
            "e=1 ms..2 s:3",
            "f=x..2:3",
            "g=1..2:1",
            "h=1..2:2",
            "h=1..3:2",
            "=1..2:2",
        ];
        let wrong = design(&owned(&written), None).unwrap_err();
        assert_eq!(wrong.lines().count(), 9, "{wrong}");
        for part in [
            "has no range",
            "how many values",
            "must rise",
            "one unit",
            "\"x\"",
            "2 to 1000",
            "varied twice",
            "has no key",
        ] {
            assert!(wrong.contains(part), "{part} is not in {wrong}");
        }
        let spelt = owned(&["a.b=1..2:2", "a.\"b\"=1..3:2"]);
        assert!(design(&spelt, None).unwrap_err().contains("varied twice"));
        for key in ["horizon", "forecast.seed", "users.objective", "\"users\".objective"] {
            let wrong = design(&owned(&[&format!("{key}=1..2:2")]), None).unwrap_err();
            assert!(wrong.contains("cannot be swept"), "{wrong}");
        }
        let wrong = ranges(&owned(&["a=1..2:3", "b=1", "c=1..2", "c=2..3"])).unwrap_err();
        assert_eq!(wrong.lines().count(), 3, "{wrong}");
        assert!(wrong.contains("how many values, must be KEY=A..B here") && wrong.contains("varied twice"), "{wrong}");
        let wide = owned(&["a=1..1000:1000", "b=1..1000:1000"]);
        assert!(design(&wide, None).unwrap_err().contains("1000000 points"));
        // Eight times 256 values are 2^64.
        let wide: Vec<String> = (0..8).map(|key| format!("a{key}=1..256:256")).collect();
        assert!(design(&wide, None).unwrap_err().contains("far too many points"));
    }
}
