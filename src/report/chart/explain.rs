//! The charts of an explanation: what bound when, and what the uncertain inputs do.

use super::super::explain::{Explain, all_parts, bar_name, ranked, share, share_interval};
use super::super::lengths::Scale;
use super::super::shares::name as cause_name;
use super::super::wording::{count, percent, replications};
use super::dates::Dates;
use super::plot::Plot;
use super::sheet::{Body, MOST_PANELS, Panel, Sheet};
use super::tornado::{Bars, MOST_BARS, Tornado};
use super::what_if::most_of as farthest;
use super::{Drawing, Picture, first_of};
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::forecast::explain::held::Held;
use crate::forecast::sensitivity::Part;
use crate::forecast::sensitivity::morris::{Effect, STEP};
use crate::forecast::shares::CauseShare;
use crate::forecast::shift::Shift;
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
        description: "Two bars for each uncertain or varied input, from nothing to how much later the date comes, or earlier to the left, \
                      when the input is at its low and at its high end; the widest first. The table of the uncertain inputs has the numbers.",
        drawing: Drawing::Tornado(tornado),
    });
    let screening = screening(explain).map(|bars| Picture {
        stem: "screening",
        title: "Which inputs matter",
        description: "Two bars for each input, and for chance one: the mean size of its effects on the date, and their standard deviation; \
                      the largest first. The table of the inputs that matter has the numbers.",
        drawing: Drawing::Tornado(bars),
    });
    let shares = shares(explain).map(|bars| Picture {
        stem: "shares",
        title: "What spreads the date",
        description: "Two bars for each input and for chance: its share of the variance of the date alone, and with all others; the \
                      largest first. The table of what spreads the date has the numbers.",
        drawing: Drawing::Tornado(bars),
    });
    held.into_iter().chain(tornado).chain(screening).chain(shares).collect()
}

fn incomplete(explain: &Explain) -> &'static str {
    if explain.is_incomplete() { "INCOMPLETE, " } else { "" }
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
    // What is not known beyond the horizon has no bar, as what does not move at all, and says why.
    let known = |one: &MilestoneShift| {
        let is_known = !matches!(one.verdict, Verdict::InNeither | Verdict::TooFew);
        let (why, is_drawn) = match one.verdict {
            Verdict::SameByHorizon => (Some("the same as far as the horizon"), true),
            Verdict::Open => (Some("not known beyond the horizon"), false),
            Verdict::More | Verdict::Less | Verdict::Same | Verdict::NotSure | Verdict::InNeither | Verdict::TooFew => {
                (None, true)
            }
        };
        let drawn = |shift: Shift| if is_drawn { (shift.days, shift.interval(each)) } else { (0.0, (0.0, 0.0)) };
        one.shift.filter(|_| is_known).map(|shift| (why, drawn(shift)))
    };
    let shifts = swings.iter().flat_map(|swing| swing.ends).filter_map(known);
    let scale = Scale::up_to(shifts.map(|(_, (days, interval))| farthest(days, interval)).fold(0.0, f64::max));
    let drawn =
        |(days, (low, high)): (f64, (f64, f64))| (scale.of_days(days), (scale.of_days(low), scale.of_days(high)));
    let bars = swings.iter().filter_map(|swing| {
        let ends = [known(swing.ends[0])?, known(swing.ends[1])?];
        let [low, high] = explain.ends(swing.input);
        let said = |value: &str, (why, (days, interval)): (Option<&str>, (f64, (f64, f64)))| {
            let moved = why.map_or_else(|| scale.shift(days, interval), str::to_owned);
            format!("{value} {moved}")
        };
        let name = format!("{}: {}; {}", bar_name(&swing.input.keys), said(&low, ends[0]), said(&high, ends[1]));
        Some(Bars { name, ends: ends.map(|(_, end)| drawn(end)) })
    });
    let bars: Vec<Bars> = bars.collect();
    if bars.is_empty() {
        return None;
    }
    let (bars, left_out) = most_of(bars);
    let is_varied = swings.iter().any(|swing| swing.input.is_varied());
    let (ends, key) = if is_varied {
        ("at its ends (P10 and P90 where it is uncertain)", ["at its low end", "at its high end"])
    } else {
        ("at its P10 and P90", ["at P10", "at P90"])
    };
    let (incomplete, many) = (incomplete(explain), replications(explain.explained.replications));
    Some(Tornado {
        title: format!("{}: what the uncertain inputs do", explain.scenario.name),
        subtitle: format!(
            "{incomplete}{}, each input {ends}, the others at their draws; {many}; thin lines: intervals ({} together){left_out}",
            explain.main(),
            explain.explained.swings.confidence
        ),
        key: key.map(str::to_owned),
        unit: format!("{} later (+) or earlier (-)", scale.name()),
        is_signed: true,
        bars,
    })
}

/// As many bars as are drawn, and a word about the others.
fn most_of(mut bars: Vec<Bars>) -> (Vec<Bars>, String) {
    let more = bars.len().saturating_sub(MOST_BARS);
    bars.truncate(MOST_BARS);
    (bars, if more > 0 { format!("; {more} more are left out") } else { String::new() })
}

fn screening(explain: &Explain) -> Option<Tornado> {
    let screening = explain.screening.as_ref()?;
    let screened = screening.found.as_ref().ok()?;
    let scale = Scale::of(&all_parts(screened));
    let bar = |part: Part| (scale.of_days(part.value), (scale.of_days(part.low), scale.of_days(part.high)));
    let said = |part: Part| format!("{} {} ({})", scale.value(part), scale.unit(), scale.interval(part));
    let input = |(key, effect): &(String, Effect)| Bars {
        name: format!("{key}: mu* {}; sigma {}", said(effect.size), said(effect.deviation)),
        ends: [bar(effect.size), bar(effect.deviation)],
    };
    let (mut bars, left_out) = most_of(ranked(screened).into_iter().map(input).collect());
    let chance = screened.chance;
    bars.push(Bars {
        name: format!("chance, drawn anew: mean size {}", said(chance)),
        ends: [bar(chance), (0.0, (0.0, 0.0))],
    });
    Some(Tornado {
        title: format!("{}: which inputs matter", explain.scenario.name),
        subtitle: format!(
            "{}{}, elementary effects of steps of {} of each input's probability, from {} trajectories; thin lines: intervals ({} each){left_out}",
            incomplete(explain),
            explain.main(),
            percent(STEP),
            count(screening.trajectories as f64),
            explain.explained.swings.confidence
        ),
        key: ["mu*, the mean size".into(), "sigma".into()],
        unit: format!("{} by which the date moves", scale.name()),
        is_signed: false,
        bars,
    })
}

fn shares(explain: &Explain) -> Option<Tornado> {
    let indices = explain.indices.as_ref()?;
    let mut causes: Vec<&CauseShare> = indices.causes.as_ref().ok()?.iter().collect();
    causes.sort_by(|one, other| other.in_all.value.total_cmp(&one.in_all.value));
    let bar = |part: Part| (part.value * 100.0, (part.low * 100.0, part.high * 100.0));
    let said = |part: Part| format!("{} ({})", share(part), share_interval(part));
    let cause = |one: &&CauseShare| Bars {
        name: format!("{}: alone {}; with all {}", cause_name(&one.cause), said(one.alone), said(one.in_all)),
        ends: [bar(one.alone), bar(one.in_all)],
    };
    let (bars, left_out) = most_of(causes.iter().map(cause).collect());
    Some(Tornado {
        title: format!("{}: what spreads the date", explain.scenario.name),
        subtitle: format!(
            "{}{}, Sobol's indices from {} rows; thin lines: intervals ({} each){left_out}",
            incomplete(explain),
            explain.main(),
            count(indices.rows as f64),
            explain.explained.swings.confidence
        ),
        key: ["alone".into(), "with all others".into()],
        unit: "% of the date's variance".into(),
        is_signed: false,
        bars,
    })
}
