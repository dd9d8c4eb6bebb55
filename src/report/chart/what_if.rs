//! The chart of a what-if: by how much each date moves in each variant.

use super::super::what_if::WhatIf;
use super::super::what_if::words::days as days_said;
use super::super::wording::replications;
use super::forest::{Forest, MOST_ROWS, Row};
use super::{Drawing, Picture};
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::migration::message::Milestone;

/// The charts that it has.
pub(in super::super) fn pictures(what_if: &WhatIf) -> Vec<Picture> {
    let shifts = forest(what_if).map(|forest| Picture {
        stem: "shifts",
        title: "By how much dates move",
        description: "A dot for each variant, within its interval: how much later the date comes, or earlier to the left of the upright \
                      line; first the day on which everything is off the old storage, then those on which heads are. The table of milestones has the numbers.",
        drawing: Drawing::Forest(forest),
    });
    shifts.into_iter().collect()
}

fn is_known(one: &MilestoneShift) -> bool {
    !matches!(one.verdict, Verdict::InNeither | Verdict::TooFew)
}

/// The awaited date, then those of heads that any variant moves. Other dates follow from these, or are no date at all in some cases: one that
/// is never reached would take the whole axis.
fn forest(what_if: &WhatIf) -> Option<Forest> {
    let (compared, main) = (&what_if.compared, what_if.main());
    let moves = |name: &str| {
        let all = compared.variants.iter().filter_map(|variant| variant.milestone(name));
        all.filter(|one| is_known(one)).any(|one| one.shift.is_some_and(|shift| !shift.is_exactly_none()))
    };
    let heads = what_if.scenario.milestones.iter().filter(|one| matches!(one, Milestone::HeadEmptied { .. }));
    let others: Vec<String> =
        heads.map(|one| what_if.scenario.milestone_name(one)).filter(|name| moves(name)).collect();
    let mut rows = Vec::new();
    for name in std::iter::once(&main).chain(&others) {
        for (about, variant) in what_if.cases() {
            let Some(one) = variant.milestone(name).filter(|one| is_known(one)) else { continue };
            let Some(shift) = one.shift else { continue };
            let interval = shift.interval(compared.each);
            let said = days_said(shift.days, Some(interval));
            rows.push(Row { name: format!("{name}, {}: {said}", about.name), shift: shift.days, interval });
        }
    }
    if rows.is_empty() {
        return None;
    }
    let more = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let left_out = if more > 0 { format!("; {more} more are left out") } else { String::new() };
    let incomplete = if what_if.interrupted { "INCOMPLETE, " } else { "" };
    Some(Forest {
        title: format!("{}: by how much dates move", what_if.scenario.name),
        subtitle: format!(
            "{incomplete}against {}, mean of {} and interval ({}){left_out}",
            what_if.base,
            replications(compared.replications),
            what_if.confidence()
        ),
        unit: "days later (+) or earlier (-)".into(),
        rows,
    })
}
