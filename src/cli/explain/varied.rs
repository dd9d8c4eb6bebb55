//! The scenario with numbers of it varied: read once as it is, once for each of them between its ends, and once for all of them.

use super::super::Failure;
use super::super::forecast::Arguments;
use super::super::simulate::{self, Beginning};
use super::super::sweep::vary;
use crate::forecast::Draw;
use crate::forecast::sweep::design::Axis;
use crate::scenario::{Scenario, Source};

/// A scenario, and where it starts.
type Read = (Source, Beginning);

/// What makes a scenario of draws.
type Realise<'a> = Box<dyn Fn(&Draw<'_>) -> Scenario + Sync + 'a>;

/// A scenario, and what is varied of it.
pub(super) struct Sources {
    /// As the file has it.
    pub(super) file: Read,
    /// What is varied, each alone.
    each: Vec<(Axis, Read)>,
    /// All of it varied at once; none where it is one number or nothing.
    all: Option<Read>,
}

impl Sources {
    /// Reads all of them; says at once all that is wrong with what is varied.
    pub(super) fn read(arguments: &Arguments, written: &[String]) -> Result<Self, Failure> {
        let axes = vary::ranges(written).map_err(Failure::Input)?;
        let file = simulate::read(arguments)?;
        let varying = |axes: &[Axis]| {
            let mut arguments = arguments.clone();
            arguments.scenario.overrides.extend(axes.iter().map(Axis::range));
            simulate::read(&arguments)
        };
        let (mut each, mut wrong) = (Vec::new(), Vec::new());
        for axis in axes {
            match varying(std::slice::from_ref(&axis)) {
                Ok(read) => {
                    wrong.extend(problem(&axis.key, &read));
                    each.push((axis, read));
                }
                Err(Failure::Input(problems)) => wrong.push(problems.trim_end().to_owned()),
                Err(failure) => return Err(failure),
            }
        }
        if !wrong.is_empty() {
            return Err(Failure::Input(wrong.join("\n")));
        }
        let axes: Vec<Axis> = each.iter().map(|one| one.0.clone()).collect();
        let all = if axes.len() > 1 { Some(varying(&axes)?) } else { None };
        Ok(Self { file, each, all })
    }

    /// The scenario with all that is varied between its ends.
    pub(super) fn all(&self) -> &Read {
        self.all.as_ref().or_else(|| self.each.first().map(|one| &one.1)).unwrap_or(&self.file)
    }

    /// All inputs, those that are correlated together.
    pub(super) fn inputs(&self) -> Vec<Vec<String>> {
        let (source, start) = self.all();
        simulate::uncertain(source, start)
    }

    /// How the scenario comes from draws with one number varied, by its key.
    pub(super) fn realise(&self) -> Vec<(String, Realise<'_>)> {
        let mut all: Vec<(String, Realise<'_>)> = Vec::new();
        for (axis, (source, start)) in &self.each {
            let realise = move |draw: &Draw<'_>| start.apply(source.realise(&mut |key| draw(key)));
            all.push((axis.key.clone(), Box::new(realise)));
        }
        all
    }
}

/// Why a number cannot be varied though the file may have a range for it.
fn problem(key: &str, (source, start): &Read) -> Option<String> {
    let why = if start.replaces(key) {
        "the ledger tells it, whatever the file says"
    } else if !source.uncertain().iter().any(|input| input.key == key) {
        "nothing is drawn for it: an inventory or a measured load tells it, or it has another name in full"
    } else if source.uncertain_together().iter().any(|keys| keys.len() > 1 && keys.iter().any(|known| known == key)) {
        "it is correlated with other inputs of the file, which is not true of all of its range"
    } else {
        return None;
    };
    Some(format!("--vary {key}: cannot be varied: {why}"))
}
