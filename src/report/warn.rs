//! What a reader of the forecast should be careful about.

use super::wording::percent;
use super::{About, aside, inventory};
use crate::forecast::{Forecast, MilestoneForecast, Widths};
use crate::migration::message::{Binding, Milestone};
use crate::scenario::{Problem, Source};
use crate::units::Share;

/// A range narrower than this share of the time left claims more than a model can know.
const NARROW: f64 = 0.05;

/// What every command that works on a scenario says of it: what is dubious in the file, and, where its inventory says which
/// mailboxes there are, what of that was left out.
#[must_use]
pub fn remarks(source: &Source, from_inventory: bool) -> Vec<String> {
    let dubious = source.warnings().iter().map(Problem::without_folders);
    dubious.chain(source.inventory().filter(|_| from_inventory).and_then(inventory::left_out)).collect()
}

/// The warnings, the scenario reader's last.
pub(super) fn warnings(forecast: &Forecast, about: &About) -> Vec<String> {
    let mut warnings = Vec::new();
    if forecast.rule.interrupted {
        warnings.push("INCOMPLETE: ended before all replications had run; the stop rule was not applied".to_owned());
    }
    if !forecast.rule.held && !forecast.rule.interrupted {
        warnings.push("the stop rule did not hold: the quantiles are less sharp than the scenario asks for".to_owned());
    }
    // Where old copies alone are left, only the dates of their removal are missing, and stand in the table as such.
    let moves = forecast.unfinished.iter().filter(|(cause, _)| *cause != Binding::NotItsTurn);
    let late: u32 = moves.map(|(_, count)| count).sum();
    if late > 0 {
        let share = percent(f64::from(late) / forecast.replications.len() as f64);
        warnings.push(format!(
            "{share} of the replications had not finished by the horizon: they count as later than every date"
        ));
    }
    warnings.extend(aside::warning(forecast));
    warnings.extend(overfull(forecast));
    warnings.extend(forecast.milestones.iter().filter_map(|milestone| narrow(forecast, milestone, about)));
    warnings.extend(about.warnings.iter().cloned());
    warnings
}

/// Clusters that hold more at the end than there is of them: thresholds hold for placements, and mail grows after its own.
fn overfull(forecast: &Forecast) -> impl Iterator<Item = String> {
    let of = |name: &str, what: &str, ends: Vec<Share>| {
        let (all, above) = (ends.len(), ends.iter().filter(|end| **end > Share::ONE).count());
        let highest = ends.into_iter().max().filter(|_| above > 0)?;
        let (share, highest) = (percent(above as f64 / all as f64), percent(highest.fraction()));
        Some(format!(
            "{name}: ends above 100 % of its rated {what} in {share} of the replications, at {highest} at the most; thresholds hold for \
             placements, and mailboxes grow after theirs"
        ))
    };
    forecast.scenario.clusters.iter().enumerate().flat_map(move |(cluster, name)| {
        let outcomes = || forecast.replications.iter().map(move |one| &one.outcome.clusters[cluster]);
        let bytes = outcomes().map(|outcome| outcome.final_fill).collect();
        let inodes = outcomes().filter_map(|outcome| Some(outcome.inodes.as_ref()?.final_fill)).collect();
        [of(name, "size", bytes), of(name, "inodes", inodes)].into_iter().flatten()
    })
}

fn narrow(forecast: &Forecast, milestone: &MilestoneForecast, about: &About) -> Option<String> {
    if !matches!(milestone.milestone, Milestone::HeadEmptied { .. } | Milestone::AllEmptied) {
        return None;
    }
    let left = milestone.at(crate::forecast::quantile::P50)?.value.time()?.since(forecast.scenario.as_of);
    let width = milestone.width()?;
    if width.secs() >= NARROW * left.secs() {
        return None;
    }
    let held = match &forecast.widths {
        Widths::ChanceIsAll => "every input of the scenario was held fixed, so this is chance alone".to_owned(),
        Widths::Both { .. } => {
            let drawn: Vec<&str> = about.uncertain.iter().map(|input| input.key.as_str()).collect();
            format!("every input was held fixed except {}", drawn.join(", "))
        }
    };
    let name = forecast.scenario.milestone_name(&milestone.milestone);
    Some(format!("{name}: P10 to P90 is {width}, under 5 % of the time left; {held}"))
}
