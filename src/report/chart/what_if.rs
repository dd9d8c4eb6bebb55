//! The chart of a what-if: by how much each date moves in each variant.

use super::super::lengths::{Scale, shifted};
use super::super::what_if::WhatIf;
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

/// Whether a shift has a place on the axis. What is known only as far as the horizon has none: a dot would say which way the date moves, or that
/// nothing does.
fn is_known(one: &MilestoneShift) -> bool {
    !matches!(one.verdict, Verdict::InNeither | Verdict::TooFew | Verdict::SameByHorizon | Verdict::Open)
}

/// The size of the farthest of a shift and the ends of its interval.
pub(super) fn most_of(days: f64, (low, high): (f64, f64)) -> f64 {
    days.abs().max(low.abs()).max(high.abs())
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
    let (mut rows, mut same, mut open) = (Vec::new(), 0_usize, 0_usize);
    for name in std::iter::once(&main).chain(&others) {
        for (about, variant) in what_if.cases() {
            let Some(one) = variant.milestone(name) else { continue };
            same += usize::from(one.verdict == Verdict::SameByHorizon);
            open += usize::from(one.verdict == Verdict::Open);
            if !is_known(one) {
                continue;
            }
            let Some(shift) = one.shift else { continue };
            let interval = shift.interval(compared.each);
            rows.push(Row { name: format!("{name}, {}", about.name), shift: shift.days, interval });
        }
    }
    if rows.is_empty() {
        return None;
    }
    let more = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    // What is drawn has one unit, of hours or minutes where nothing is a day. What is said of a row has its own, as in the tables: in days, some
    // hours would be nothing.
    let scale = Scale::up_to(rows.iter().map(|row| most_of(row.shift, row.interval)).fold(0.0, f64::max));
    for row in &mut rows {
        row.name = format!("{}: {}", row.name, shifted(row.shift, Some(row.interval)));
        row.shift = scale.of_days(row.shift);
        row.interval = (scale.of_days(row.interval.0), scale.of_days(row.interval.1));
    }
    let left_out = if more > 0 { format!("; {more} more are left out") } else { String::new() };
    let not_drawn = |many: usize, why: &str| match many {
        0 => String::new(),
        1 => format!("; 1 is {why}, and not drawn"),
        many => format!("; {many} are {why}, and not drawn"),
    };
    let same = not_drawn(same, "the same as far as the horizon");
    let open = not_drawn(open, "not known beyond the horizon");
    let incomplete = if what_if.interrupted { "INCOMPLETE, " } else { "" };
    Some(Forest {
        title: format!("{}: by how much dates move", what_if.scenario.name),
        subtitle: format!(
            "{incomplete}against {}, mean of {} and interval ({}){same}{open}{left_out}",
            what_if.base,
            replications(compared.replications),
            what_if.confidence()
        ),
        unit: format!("{} later (+) or earlier (-)", scale.name()),
        rows,
    })
}
