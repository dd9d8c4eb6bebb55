//! What is wanted, as it is written: `all emptied P80`, and `minutes_above_objective_by_migration <= 600 with 90 %`.

use crate::forecast::cases::Measure;
use crate::forecast::quantile::LEVELS;
use crate::forecast::recommend::{Condition, Goal};
use crate::report::shown;
use crate::scenario::Scenario;
use crate::units::Share;

/// More would leave nothing of the confidence for each.
const CONDITIONS_MAX: usize = 8;

/// Reads the objective and the conditions, or says all that is wrong with them.
pub(super) fn read(objective: &str, conditions: &[String], scenario: &Scenario) -> Result<Goal, String> {
    let mut wrong = Vec::new();
    let objective = self::objective(objective, scenario).map_err(|problem| wrong.push(problem)).ok();
    let mut all: Vec<Condition> = Vec::new();
    for text in conditions {
        match condition(text) {
            Ok(one) if all.iter().any(|known| known.measure == one.measure && known.with == one.with) => {
                wrong.push(format!("--subject-to \"{}\": {} is bounded twice", shown(text), one.measure.name()));
            }
            Ok(one) => all.push(one),
            Err(problem) => wrong.push(format!("--subject-to \"{}\": {problem}", shown(text))),
        }
    }
    if conditions.len() > CONDITIONS_MAX {
        wrong.push(format!("--subject-to: there are {}, at most {CONDITIONS_MAX} are allowed", conditions.len()));
    }
    match objective {
        Some((milestone, level)) if wrong.is_empty() => Ok(Goal { milestone, level, conditions: all }),
        _ => Err(wrong.join("\n")),
    }
}

fn objective(text: &str, scenario: &Scenario) -> Result<(crate::migration::message::Milestone, Share), String> {
    let levels: Vec<String> = LEVELS.iter().map(|level| format!("P{:.0}", level.fraction() * 100.0)).collect();
    let text = text.trim();
    let (name, level) = match text.rsplit_once(' ').filter(|(_, last)| last.starts_with('P')) {
        Some((name, last)) => {
            let place = levels.iter().position(|level| level == last);
            let place = place.ok_or_else(|| {
                format!("--objective \"{}\": the level must be one of {}", shown(text), levels.join(", "))
            })?;
            (name.trim(), LEVELS[place])
        }
        None => (text, crate::forecast::quantile::P80),
    };
    let milestone = scenario.milestone_named(name).filter(|known| scenario.milestones.contains(known));
    let milestone = milestone.ok_or_else(|| {
        let known: Vec<String> =
            scenario.milestones.iter().map(|known| format!("\"{}\"", shown(&scenario.milestone_name(known)))).collect();
        format!(
            "--objective \"{}\": the scenario has no such milestone; it has {}; a level follows, such as \"all emptied P80\"",
            shown(text),
            known.join(", ")
        )
    })?;
    Ok((milestone, level))
}

fn condition(text: &str) -> Result<Condition, String> {
    const FORM: &str =
        "must be MEASURE <= NUMBER with PROBABILITY, such as \"minutes_above_objective_by_migration <= 600 with 90 %\"";
    let (name, rest) = text.split_once("<=").ok_or_else(|| FORM.to_owned())?;
    let (number, probability) = rest.split_once("with").ok_or_else(|| FORM.to_owned())?;
    let measure = Measure::named(name.trim()).ok_or_else(|| {
        let known: Vec<&str> = Measure::ALL.iter().map(|measure| measure.name()).collect();
        format!("no such measure; known are {}", known.join(", "))
    })?;
    let number = number.trim();
    let at_most = number.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let at_most = at_most
        .ok_or_else(|| format!("\"{}\" must be a number, 0 or more, in the measure's own unit", shown(number)))?;
    let probability = probability.trim();
    let percent = probability.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let percent = percent.filter(|percent| (1.0..=99.9).contains(percent));
    let percent = percent.ok_or_else(|| {
        format!(
            "\"{}\" must be a probability from 1 % to 99.9 %: of less or more, replications do not tell",
            shown(probability)
        )
    })?;
    Ok(Condition { measure, at_most, with: Share::from_ppm((percent * 1e4).round() as u32) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::quantile::{P50, P80};
    use crate::forecast::testing::scenario;
    use crate::migration::message::Milestone;

    const SLOW: &str = "minutes_above_objective_by_migration";

    #[test]
    fn a_goal_is_a_date_and_what_has_to_be_kept() {
        let conditions = [format!("{SLOW} <= 600 with 90 %"), "outage_hours<=0.5 with 95%".to_owned()];
        let goal = read("all emptied P50", &conditions, &scenario()).unwrap();
        assert_eq!((goal.milestone, goal.level, goal.conditions.len()), (Milestone::AllEmptied, P50, 2));
        let one = goal.conditions[1];
        assert_eq!((one.measure, one.at_most, one.with), (Measure::OutageHours, 0.5, Share::from_ppm(950_000)));
        assert_eq!(read("all emptied", &conditions, &scenario()).unwrap().level, P80);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = [
            "slow <= 5 with 90 %",
            "outage_hours < 5 with 90 %",
            "outage_hours <= -1 with 90 %",
            "outage_hours <= nan with 90 %",
            "outage_hours <= 1 with 100 %",
            "outage_hours <= 1 with 0.9",
            "outage_hours <= 1",
            "hold_hours <= 1 with 90 %",
            "hold_hours <= 2 with 90 %",
        ]
        .map(str::to_owned);
        let said = read("all done P81", &wrong, &scenario()).unwrap_err();
        insta::assert_snapshot!(said);
        let said = read("all done", &wrong[..1], &scenario()).unwrap_err();
        assert!(said.contains("no such milestone; it has") && said.contains("\"all emptied\""), "{said}");
    }
}
