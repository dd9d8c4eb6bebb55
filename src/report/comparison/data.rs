//! A comparison as data.

use serde::Serialize;

use super::{ChangedKey, Comparison};
use crate::forecast::shift::Shift;
use crate::forecast::since::{Found, MilestoneSince};

/// The comparison as data.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ComparisonPart {
    /// What the earlier forecast is.
    earlier: String,
    /// Of all intervals, a share of 1.
    confidence: f64,
    /// A shift below this is none, in days.
    margin_days: f64,
    /// The present milestones, then those that are gone.
    milestones: Vec<MilestonePart>,
    /// What has changed in the scenario.
    inputs: Vec<InputPart>,
    /// What `program_and_state` of a milestone stands for.
    program_and_state: String,
    /// What else a reader has to know.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct InputPart {
    /// A key, or what several have in common.
    name: String,
    /// The keys that were put back together.
    keys: Vec<ChangedKey>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MilestonePart {
    /// Its name.
    name: String,
    /// `later`, `earlier`, `unchanged`, `unchanged within noise`, `not known beyond the horizon` (some dates lie there, and
    /// those before it do not tell), `new`, `removed`, `reached since`, `not reached in either` or `not comparable`.
    found: &'static str,
    /// By how much it comes later: all parts but that of another seed.
    shift: Option<ShiftPart>,
    /// Of it, what the program's version and the progress made do.
    program_and_state: Option<ShiftPart>,
    /// In the order of the comparison's inputs.
    inputs: Vec<Option<ShiftPart>>,
    /// Of it, what the inputs do together beyond their sum.
    together: Option<ShiftPart>,
    /// What another seed does, which is chance; null with the same seed.
    other_seed: Option<ShiftPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShiftPart {
    /// Later where positive; a difference of means.
    days: f64,
    /// Lower end of its interval.
    low_days: f64,
    /// Upper end of its interval.
    high_days: f64,
    /// Dates, of both sets, that lie at or after the horizon and count as it.
    counted_as_horizon: usize,
}

/// The comparison as data.
#[must_use]
pub fn document(comparison: &Comparison) -> ComparisonPart {
    let since = &comparison.since;
    let shift = |shift: &Shift| {
        let (low_days, high_days) = shift.interval(since.confidence);
        ShiftPart { days: shift.days, low_days, high_days, counted_as_horizon: shift.bounded }
    };
    let milestone = |one: &MilestoneSince| {
        let (found, moved) = match &one.found {
            Found::Moved(moved) => (moved.change.name(), Some(moved)),
            Found::New => ("new", None),
            Found::Removed => ("removed", None),
            Found::Reached { .. } => ("reached since", None),
            Found::InNeither => ("not reached in either", None),
            Found::NotComparable => ("not comparable", None),
        };
        MilestonePart {
            name: one.name.clone(),
            found,
            shift: moved.map(|moved| shift(&moved.shift)),
            program_and_state: moved.map(|moved| shift(&moved.program_and_state)),
            inputs: moved.iter().flat_map(|moved| &moved.inputs).map(|part| part.as_ref().map(&shift)).collect(),
            together: moved.map(|moved| shift(&moved.together)),
            other_seed: moved.and_then(|moved| moved.other_seed.as_ref().map(shift)),
        }
    };
    ComparisonPart {
        earlier: comparison.earlier.clone(),
        confidence: since.confidence.fraction(),
        margin_days: since.margin.days(),
        milestones: since.milestones.iter().map(milestone).collect(),
        inputs: comparison
            .inputs
            .iter()
            .map(|input| InputPart { name: input.name.clone(), keys: input.keys.clone() })
            .collect(),
        program_and_state: comparison.program_and_state.clone(),
        notes: comparison.notes.clone(),
    }
}
