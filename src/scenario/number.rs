//! Reads a number: one value, a range, or a distribution; checks each against what its key allows.

use super::check::shown;
use super::item::{Amount, Item};
use super::keys::Number;
use super::problems::Problem;
use super::quantity::{self, Measure};
use super::spread::{Bounds, Law};
use super::tree::{Data, Node};

/// The keys of the forms of a range.
pub(crate) const RANGE_KEYS: [&str; 7] = ["low", "mid", "high", "median", "sigma", "mean", "sd"];

const FORMS: &str = "{ low, mid, high }, { low, high }, { median, sigma } or { mean, sd }";

/// Reads a number; `None` when it is wrong, which has been reported then.
pub(crate) fn read(number: &Number, node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<Amount> {
    let bounds = Bounds { min: number.min, max: number.max, whole: number.measure == Measure::Count };
    let Data::Table(entries) = &node.data else {
        let value = value(number, node, key, problems)?;
        return Some(Amount {
            law: Law::Exact(value),
            bounds,
            written: Default::default(),
            tenths: Default::default(),
        });
    };
    if number.single {
        problems.push(Problem::at(&node.place, key, "is a range, must be a single value here"));
        return None;
    }
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    let part = |name: &str| node.get(name).unwrap_or(node);
    let ends = |problems: &mut Vec<Problem>, names: &[&str]| -> Option<Vec<f64>> {
        // All of them are read before any is given up: each may have its own problem.
        let values: Vec<_> =
            names.iter().map(|name| value(number, part(name), &format!("{key}.{name}"), problems)).collect();
        values.into_iter().collect()
    };
    let law = match names.as_slice() {
        ["high", "low"] => {
            let values = ends(problems, &["low", "high"])?;
            Law::Uniform { low: values[0], high: values[1] }
        }
        ["high", "low", "mid"] => {
            let values = ends(problems, &["low", "mid", "high"])?;
            Law::Triangular { low: values[0], mid: values[1], high: values[2] }
        }
        ["median", "sigma"] => {
            let median = ends(problems, &["median"])?[0];
            let sigma = sigma(part("sigma"), &format!("{key}.sigma"), problems)?;
            if median <= 0.0 {
                problems.push(Problem::at(&part("median").place, key, "the median of a lognormal must be above 0"));
                return None;
            }
            Law::Lognormal { median, sigma }
        }
        ["mean", "sd"] => {
            let mean = ends(problems, &["mean"])?[0];
            Law::Normal { mean, sd: deviation(number.measure, part("sd"), &format!("{key}.sd"), problems)? }
        }
        _ => {
            let message = format!("is a table with {}; a range is one of {FORMS}", names.join(", "));
            problems.push(Problem::at(&node.place, key, message));
            return None;
        }
    };
    let rises = match law {
        Law::Uniform { low, high } => low <= high,
        Law::Triangular { low, mid, high } => low <= mid && mid <= high,
        Law::Exact(_) | Law::Lognormal { .. } | Law::Normal { .. } => true,
    };
    if !rises {
        let message = format!("is {}, must rise from low to high", node.place.excerpt());
        problems.push(Problem::at(&node.place, key, message));
        return None;
    }
    let tenths = [0.1, 0.9].map(|u| number.measure.show(law.quantile(u, bounds)));
    Some(Amount { law, bounds, written: written(&law, bounds, number.measure, node), tenths })
}

/// More than this share of a distribution cut off is told.
const MUCH_CUT: f64 = 0.05;

/// The distributions of which much lies outside what their keys allow.
pub(crate) fn dubious(file: &Item) -> Vec<Problem> {
    let mut found = Vec::new();
    file.numbers(&mut |item, amount| {
        let cut = amount.law.cut_off(amount.bounds);
        if cut > MUCH_CUT {
            let percent = (cut * 100.0).round();
            let message = format!("{percent} % of this distribution lie outside what is allowed here, and are cut off");
            found.push(Problem::at(&item.place, &item.key, message));
        }
    });
    found
}

/// Low, middle and high: as the file has them, or P10, median and P90 of a distribution. Where one is cut off, its middle is that of what is
/// drawn, and not what the file says of the whole.
fn written(law: &Law, bounds: Bounds, measure: Measure, node: &Node) -> [String; 3] {
    let as_written = |name: &str| match node.get(name).map(|part| (&part.data, part)) {
        Some((Data::Text(text), _)) => Some(text.clone()),
        Some((_, part)) => Some(shown(part)),
        None => None,
    };
    let show = |value: f64| measure.show(value);
    let low = as_written("low").unwrap_or_else(|| show(law.quantile(0.1, bounds)));
    let of_file = || ["mid", "median", "mean"].into_iter().find_map(as_written);
    let middle = if law.is_cut_off(bounds) { None } else { of_file() };
    let high = as_written("high").unwrap_or_else(|| show(law.quantile(0.9, bounds)));
    [low, middle.unwrap_or_else(|| show(law.middle(bounds))), high]
}

/// One value of the number, within its bounds.
fn value(number: &Number, node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<f64> {
    let result = bare_or_text(number.measure, node).and_then(|value| {
        let too_small = value < number.min || (number.above_min && value <= number.min);
        match (too_small, value > number.max) {
            (false, false) => Ok(value),
            (true, _) if value < 0.0 && number.min >= 0.0 => {
                Err(format!("is {}, must not be negative; allowed is {}", shown(node), number.allowed()))
            }
            (true, _) | (_, true) => Err(format!("is {}, must be {}", shown(node), number.allowed())),
        }
    });
    result.map_err(|message| problems.push(Problem::at(&node.place, key, message))).ok()
}

fn bare_or_text(measure: Measure, node: &Node) -> Result<f64, String> {
    let allowed = measure.example();
    match &node.data {
        Data::Text(text) if !measure.is_bare() => quantity::parse(text, measure),
        Data::Whole(whole) if measure.is_bare() => Ok(*whole as f64),
        Data::Float(float) if measure.is_bare() => finite(*float, node)
            .and_then(|value| if measure == Measure::Count { whole(value, node, allowed) } else { Ok(value) }),
        Data::Float(float) if !float.is_finite() => finite(*float, node),
        Data::Whole(_) | Data::Float(_) => Err(format!("is {}, a bare number; needs {allowed}", shown(node))),
        Data::Text(_) | Data::Flag(_) | Data::When(_) | Data::List(_) | Data::Table(_) => {
            Err(format!("is {}, needs {allowed}", shown(node)))
        }
    }
}

/// A count: "50.000" is fifty to the language, and fifty thousand to those who write thousands with points.
fn whole(value: f64, node: &Node, allowed: &str) -> Result<f64, String> {
    let text = node.place.excerpt();
    // A default stands in the place of its table, whose text is no number.
    let places = text.split_once('.').filter(|_| text.parse() == Ok(value)).map_or("", |(_, places)| places);
    let is_zeros = places.len() > 1 && places.bytes().all(|digit| digit == b'0');
    if value.fract() != 0.0 {
        Err(format!("is {}, needs {allowed}", shown(node)))
    } else if is_zeros {
        let thousands = text.replace('.', "_");
        let or = if places.len() == 3 { format!(" or {thousands}") } else { String::new() };
        Err(format!("is {text}, needs a whole number: {value}{or}"))
    } else {
        Ok(value)
    }
}

fn finite(value: f64, node: &Node) -> Result<f64, String> {
    let text = node.place.excerpt();
    if value.is_finite() {
        Ok(value)
    } else if value.is_nan() {
        Err(format!("is {text}, not a number"))
    } else if text.contains("inf") {
        Err(format!("is {text}, must be finite"))
    } else {
        Err(format!("is {text}, too large to be a number"))
    }
}

/// A standard deviation of a logarithm.
fn sigma(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<f64> {
    value(&super::keys::plain(0.0, 5.0), node, key, problems)
}

/// A standard deviation: of the number's own measure, zero or more.
fn deviation(measure: Measure, node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<f64> {
    let measure = if measure == Measure::Count { Measure::Plain } else { measure };
    let any = Number { measure, min: 0.0, above_min: false, max: 1e18, single: true };
    value(&any, node, key, problems)
}
