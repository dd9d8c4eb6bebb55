//! The charts of an explanation: what bound when, and what the uncertain inputs do.

use super::super::explain::{Explain, bar_name};
use super::super::what_if::words::days as days_said;
use super::super::wording::replications;
use super::dates::Dates;
use super::plot::Plot;
use super::sheet::{Body, MOST_PANELS, Panel, Sheet};
use super::tornado::{Bars, MOST_BARS, Tornado};
use super::{Drawing, Picture, first_of};
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::forecast::explain::held::Held;
use crate::migration::message::Binding;

/// The charts that it has, in the order of a page.
pub(in super::super) fn pictures(explain: &Explain) -> Vec<Picture> {
    let held = held(explain).map(|sheet| Picture {
        stem: "held",
        title: "What bound when",
        description: "A bar of the causes that bound, as shares of the time in which heads had their turn, and below it columns by local \
                      date: hours of each day for which each cause bound; for all heads together and for each. The tables have the numbers.",
        drawing: Drawing::Sheet(sheet),
    });
    let tornado = tornado(explain).map(|tornado| Picture {
        stem: "tornado",
        title: "What the uncertain inputs do",
        description: "Two bars for each uncertain input, from nothing to how much later the date comes, or earlier to the left, when \
                      the input is at its P10 and at its P90; the widest first. The table of the uncertain inputs has the numbers.",
        drawing: Drawing::Tornado(tornado),
    });
    held.into_iter().chain(tornado).collect()
}

fn incomplete(explain: &Explain) -> &'static str {
    if explain.explained.interrupted { "INCOMPLETE, " } else { "" }
}

fn held(explain: &Explain) -> Option<Sheet> {
    let explained = &explain.explained;
    let days = explained.all.hours_by_day.len();
    if days == 0 || explained.all.turn_days() <= 0.0 {
        return None;
    }
    let panel = |name: String, held: &Held| {
        let causes = held.causes();
        if causes.is_empty() {
            let notes = vec!["nothing: it never had its turn".to_owned()];
            return Panel { name, notes, body: Body::Nothing };
        }
        let stack = |day: &[f64; Binding::COUNT]| {
            causes.iter().map(|(cause, _)| (day[*cause as usize], *cause as usize)).collect::<Vec<_>>()
        };
        let stacks: Vec<Vec<(f64, usize)>> = held.hours_by_day.iter().map(stack).collect();
        let most = stacks.iter().map(|day| day.iter().map(|(hours, _)| hours).sum::<f64>()).fold(24.0, f64::max);
        let parts = causes.iter().map(|(cause, share)| (cause.name().to_owned(), *share, *cause as usize)).collect();
        let plot = Plot { unit: "hours of a day".into(), most, stacks, ..Plot::default() };
        Panel { name, notes: vec![format!("{:.1} days in turn", held.turn_days())], body: Body::Parts(parts, plot) }
    };
    let mut panels = Vec::new();
    let heads = explain.scenario.heads.iter().zip(&explained.heads);
    if explained.heads.len() > 1 {
        panels.push(panel("all heads together".into(), &explained.all));
    }
    panels.extend(heads.map(|(name, held)| panel(name.clone(), held)));
    let (panels, left_out) = first_of(panels, MOST_PANELS);
    let (incomplete, many) = (incomplete(explain), replications(explained.replications));
    Some(Sheet {
        title: format!("{}: what bound when", explain.scenario.name),
        subtitle: format!("{incomplete}means of {many}; local dates{left_out}"),
        key: Vec::new(),
        columns: if panels.len() > 1 { 2 } else { 1 },
        panels,
        days: (0.0, days as f64),
        dates: Dates::new(&explain.scenario, days as f64),
    })
}

fn tornado(explain: &Explain) -> Option<Tornado> {
    let each = explain.explained.swings.each;
    let swings = explain.swings();
    let known = |one: &MilestoneShift| {
        let is_known = !matches!(one.verdict, Verdict::InNeither | Verdict::TooFew);
        one.shift.filter(|_| is_known).map(|shift| (shift.days, shift.interval(each)))
    };
    let bars = swings.iter().filter_map(|swing| {
        let ends = [known(swing.ends[0])?, known(swing.ends[1])?];
        let [low, high] = explain.tenths(&swing.keys[0]);
        let said =
            |value: &str, (days, interval): (f64, (f64, f64))| format!("{value} {}", days_said(days, Some(interval)));
        let name = format!("{}: {}; {}", bar_name(swing.keys), said(&low, ends[0]), said(&high, ends[1]));
        Some(Bars { name, ends })
    });
    let bars: Vec<Bars> = bars.collect();
    if bars.is_empty() {
        return None;
    }
    let more = bars.len().saturating_sub(MOST_BARS);
    let left_out = if more > 0 { format!("; {more} more inputs are left out") } else { String::new() };
    let (incomplete, many) = (incomplete(explain), replications(explain.explained.replications));
    Some(Tornado {
        title: format!("{}: what the uncertain inputs do", explain.scenario.name),
        subtitle: format!(
            "{incomplete}{}, each input at its P10 and P90, the others at their draws; {many}; thin lines: intervals ({} together){left_out}",
            explain.main(),
            explain.explained.swings.confidence
        ),
        key: ["at P10".into(), "at P90".into()],
        unit: "days later (+) or earlier (-)".into(),
        bars: bars.into_iter().take(MOST_BARS).collect(),
    })
}
