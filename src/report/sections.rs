//! What holds the date back, load and risk, users, clusters, inputs, and how to repeat it.

use super::wording::{Calendar, count, figure, percent};
use super::{About, Block, Section, Tone, links, warn};
use crate::fleet::ClusterId;
use crate::forecast::quantile::Estimate;
use crate::forecast::series::{Direction, HeadSeries, Trend};
use crate::forecast::{Forecast, HeadForecast};
use crate::migration::message::{Binding, FullOf, Milestone};
use crate::migration::plan::Within;
use crate::scenario::{Note, NoteKind};
use crate::units::Share;

fn section(title: &str, blocks: Vec<Block>) -> Section {
    Section { title: title.into(), blocks }
}

pub(super) fn plain(text: impl Into<String>) -> Block {
    Block::Line(Tone::Plain, text.into())
}

fn by_head(forecast: &Forecast) -> impl Iterator<Item = (&String, &HeadForecast)> {
    forecast.scenario.heads.iter().zip(&forecast.heads)
}

/// Shares of the time that each cause bound.
pub(super) fn binding(forecast: &Forecast) -> Section {
    let line = |(name, head): (&String, &HeadForecast)| {
        let mut causes: Vec<(Binding, f64)> =
            Binding::ALL.into_iter().map(|cause| (cause, head.bound[cause as usize])).collect();
        causes.retain(|(_, share)| *share > 0.0);
        causes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let causes: Vec<String> =
            causes.iter().map(|(cause, share)| format!("{} {}", cause.name(), percent(*share))).collect();
        let causes = if causes.is_empty() { "nothing".into() } else { causes.join(", ") };
        plain(format!("{name}, {} in its turn: {causes}", head.turn))
    };
    section("What holds the date back", by_head(forecast).map(line).chain(links::lines(forecast)).collect())
}

/// The name of a quantity and its unit, as the page says it.
fn quantity(series: HeadSeries) -> &'static str {
    match series {
        HeadSeries::Mailboxes => "mailboxes",
        HeadSeries::Streams => "streams",
        HeadSeries::UserUtilisation => "load by users, %",
        HeadSeries::Utilisation => "load, %",
        HeadSeries::Latency => "response, ms",
        HeadSeries::LatencyAlone => "response, users, ms",
        HeadSeries::HazardAlone => "outages/day, users",
        HeadSeries::Hazard => "outages/day",
        HeadSeries::MailboxHoursDown => "mailbox-h down/day",
        HeadSeries::Bound(cause) => cause.name(),
    }
}

fn trend_row(name: &str, trend: &Trend) -> Vec<String> {
    let scale = match trend.series {
        HeadSeries::UserUtilisation | HeadSeries::Utilisation => 100.0,
        _ => 1.0,
    };
    let change = |value: f64| whole_signed(value * 100.0);
    let (low, high) = (change(trend.change.low), change(trend.change.high));
    let size = format!("{:.0} %", trend.change.value.abs() * 100.0);
    let verdict = match trend.direction {
        Direction::Falls => format!("falls {size}"),
        Direction::Rises => format!("rises {size}"),
        Direction::Stays => "stays".into(),
        Direction::Unclear => "unclear".into(),
    };
    vec![
        format!("{name} {}", quantity(trend.series)),
        figure(trend.first_week * scale),
        figure(trend.last_week * scale),
        verdict,
        format!("{low} to {high} %"),
    ]
}

/// To a whole number, and nothing is neither more nor less.
fn whole_signed(number: f64) -> String {
    let text = format!("{number:+.0}");
    if text == "-0" || text == "+0" { "0".into() } else { text }
}

/// Which load and which risk fall as mailboxes leave.
pub(super) fn trends(forecast: &Forecast) -> Section {
    let rows: Vec<_> = by_head(forecast)
        .flat_map(|(name, head)| head.trends.iter().map(move |trend| trend_row(name, trend)))
        .collect();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let header = ["", "first week", "last week", "", "interval"].map(str::to_owned).to_vec();
        blocks.push(Block::Table { header, rows });
        blocks.push(plain(
            "Means of the first week and of the last full week before the head is empty, median of the replications; the \
             change is the median of each replication's own change; stays: within 5 %; users: from their load alone. The \
             throttle refills what users free, so the total need not fall.",
        ));
    }
    for (name, head) in by_head(forecast) {
        let text = compared(&head.trends, forecast.replications.len());
        blocks.extend(text.map(|text| Block::Line(Tone::Doubt, format!("{name}: {text}"))));
        match head.trends.first() {
            None => blocks.push(plain(format!("{name}: no two full weeks to compare in enough replications."))),
            Some(trend) if trend.shared_days > 0 => blocks.push(plain(format!(
                "{name}: its two weeks have {} days in common, so a change is larger than it looks.",
                trend.shared_days
            ))),
            Some(_) => {}
        }
    }
    section("Load and risk as mailboxes leave", blocks)
}

/// On which of the replications a head's trends stand, where it is not on all of them.
fn compared(trends: &[Trend], all: usize) -> Option<String> {
    // What begins at nothing has no change and stands on fewer: the others tell for how many there were two weeks.
    let trend = trends.iter().max_by_key(|trend| trend.compared)?;
    let of = format!("of {} of {} replications", count(trend.compared as f64), count(all as f64));
    let is_fast = trend.compared + trend.not_emptied < all;
    let text = match (is_fast, trend.not_emptied > 0) {
        (false, false) => return None,
        (false, true) => "those emptied by the horizon; the others could change what is unclear.",
        (true, false) => "the slow ones; those that empty it sooner have no two weeks to compare.",
        (true, true) => {
            "neither the fastest, which have no two weeks to compare, nor those not emptied by the horizon, which could \
             change what is unclear."
        }
    };
    Some(format!("{of}, {text}"))
}

/// What users go through.
pub(super) fn users(forecast: &Forecast) -> Section {
    let row = |(name, head): (&String, &HeadForecast)| {
        let impact = &head.impact;
        vec![
            name.clone(),
            count(impact.minutes_above),
            count(impact.minutes_above_alone),
            figure(impact.expected_outages),
            figure(impact.expected_outages_alone),
            count(impact.mailbox_hours_down),
            figure(impact.set_aside),
        ]
    };
    let header = ["", "min slow", "without", "outages", "without", "mailbox-h down", "set aside"];
    let table = Block::Table { header: header.map(str::to_owned).to_vec(), rows: by_head(forecast).map(row).collect() };
    let objective = forecast.scenario.model.objective.secs() * 1e3;
    let all = forecast.replications.len().max(1) as f64;
    let locked: f64 = forecast.replications.iter().map(|one| one.outcome.locked_s).sum::<f64>() / all;
    let moved: f64 = forecast.replications.iter().map(|one| one.outcome.moved as f64).sum::<f64>() / all;
    // How many switches there were is not known: a switch that fails has locked its user out, too.
    let each = if moved > 0.0 { locked / moved } else { 0.0 };
    let text = format!(
        "Means of a replication. Minutes are slow above the objective of {objective} ms; those without the migration are at the \
         same instants. Outages are as expected. {} {} moved; for each its user is locked out for {} s, by failed switches too.",
        count(moved),
        if count(moved) == "1" { "mailbox is" } else { "mailboxes are" },
        figure(each),
    );
    let mut blocks = vec![table, plain(text)];
    if forecast.scenario.plan.order.within == Within::WholeGroups {
        let split = forecast.replications.iter().map(|one| f64::from(one.outcome.split_groups)).sum::<f64>() / all;
        blocks.push(plain(format!(
            "A group moves whole, one after the other on each head; at the end {} groups are split, some of their mailboxes \
             having moved and some not.",
            figure(split)
        )));
    }
    section("What users notice", blocks)
}

/// Placements against thresholds: of each cluster in bytes, and in inodes where it has a limit of them.
pub(super) fn clusters(forecast: &Forecast) -> Section {
    struct Fill<'a> {
        name: String,
        highest: Share,
        threshold: Share,
        end: Option<&'a Estimate<f64>>,
    }
    let mut fills = Vec::new();
    for (name, one) in forecast.scenario.clusters.iter().zip(&forecast.clusters) {
        let (highest, threshold, end) = (one.highest_placement, one.threshold, one.final_fill.as_ref());
        fills.push(Fill { name: name.clone(), highest, threshold, end });
        if let Some(one) = &one.inodes {
            let (highest, threshold, end) = (one.highest_placement, one.threshold, one.final_fill.as_ref());
            fills.push(Fill { name: format!("{name}, inodes"), highest, threshold, end });
        }
    }
    let shown = |share: Share| format!("{:.2} %", share.fraction() * 100.0);
    let above = fills.iter().filter(|fill| fill.highest > fill.threshold);
    let mut blocks: Vec<Block> = above
        .map(|Fill { name, highest, threshold, .. }| {
            let (highest, threshold) = (shown(*highest), shown(*threshold));
            Block::Line(Tone::Bad, format!("{name}: a placement led to {highest}, above its threshold of {threshold}"))
        })
        .collect();
    let nearest = fills.iter().max_by_key(|fill| i64::from(fill.highest.ppm()) - i64::from(fill.threshold.ppm()));
    if let (true, Some(Fill { name, highest, threshold, .. })) = (blocks.is_empty(), nearest) {
        let (highest, shown_threshold) = (shown(*highest), shown(*threshold));
        let text = if fills.iter().all(|fill| fill.threshold == *threshold) {
            format!("No placement above {shown_threshold}: highest {highest} ({name}).")
        } else {
            format!("No placement above its cluster's threshold; nearest: {name}, {highest} of {shown_threshold}.")
        };
        blocks.push(Block::Line(Tone::Good, text));
    }
    blocks.extend(full_of_inodes(forecast));
    let row = |Fill { name, highest, threshold, end }: &Fill<'_>| {
        let end = end.map_or("n/e".into(), |end| format!("{:.1} %", end.value * 100.0));
        vec![name.clone(), shown(*highest), shown(*threshold), end]
    };
    let header = ["", "highest placement", "threshold", "fill at the end, median"].map(str::to_owned).to_vec();
    blocks.push(Block::Table { header, rows: fills.iter().map(row).collect() });
    section("Clusters", blocks)
}

/// Which of a cluster's two limits fills it, where it has both and is full in any replication.
fn full_of_inodes(forecast: &Forecast) -> impl Iterator<Item = Block> {
    let clusters = forecast.scenario.clusters.iter().zip(&forecast.clusters).zip((0..).map(ClusterId));
    clusters.filter_map(|((name, one), cluster)| {
        let filled = one.inodes.as_ref()?.filled;
        let milestone = Milestone::ClusterFull { cluster, of: FullOf::Bytes };
        let full = forecast.milestones.iter().find(|known| known.milestone == milestone)?;
        let often = forecast.replications.len() as u32 - full.never.min(forecast.replications.len() as u32);
        let text = match (often, filled) {
            (0, _) => return None,
            (_, 0) => format!("{name} is full of bytes before it is full of inodes."),
            (often, filled) if filled >= often => format!("{name} is full of inodes before it is full of bytes."),
            (often, filled) => {
                let share = percent(f64::from(filled) / f64::from(often));
                format!(
                    "{name} is full of inodes before it is full of bytes in {share} of the replications that fill it."
                )
            }
        };
        Some(Block::Line(Tone::Plain, text))
    })
}

/// The uncertain inputs.
pub(super) fn inputs(forecast: &Forecast, about: &About) -> Section {
    let row = |input: &crate::scenario::UncertainInput| {
        vec![input.key.clone(), input.low.clone(), input.middle.clone(), input.high.clone()]
    };
    let mut blocks = Vec::new();
    if !about.uncertain.is_empty() {
        let header = ["drawn for each replication", "low", "middle", "high"].map(str::to_owned).to_vec();
        blocks.push(Block::Table { header, rows: about.uncertain.iter().map(row).collect() });
    }
    let calendar = Calendar::new(&forecast.scenario);
    blocks.push(plain(format!("The forecast starts {}.", calendar.stamp(forecast.scenario.as_of))));
    let inventory = about.inventory.iter().flat_map(|inventory| super::inventory(inventory, &forecast.scenario));
    blocks.extend(inventory.map(plain));
    let load = about.load.iter().flat_map(|load| super::load(load, &forecast.scenario));
    blocks.extend(load.map(plain));
    blocks.extend(about.observed.iter().map(plain));
    section("Inputs", blocks)
}

/// The assumptions, those chosen to fit marked as such.
pub(super) fn assumptions(about: &About) -> Section {
    let line = |note: &Note| {
        let fit = if note.chosen_to_fit { " [chosen so that the dates fit]" } else { "" };
        let source = if note.source.is_empty() { String::new() } else { format!(" ({})", note.source) };
        plain(format!("- {}{source}{fit}", note.text))
    };
    let assumed = about.notes.iter().filter(|note| note.kind == NoteKind::Assumption);
    section("Assumptions", assumed.map(line).collect())
}

/// What to be careful about.
pub(super) fn warnings(forecast: &Forecast, about: &About) -> Section {
    remarks(&warn::warnings(forecast, about))
}

/// The same where nothing but what was read gives cause.
pub(super) fn remarks(warnings: &[String]) -> Section {
    let blocks = warnings.iter().map(|text| Block::Line(Tone::Doubt, format!("- {text}")));
    section("Warnings", blocks.collect())
}

/// How to get the same numbers again.
pub(super) fn repeat(about: &About) -> Section {
    let hash: String = about.scenario_sha256.chars().take(12).collect();
    let blocks =
        vec![plain(about.command.clone()), plain(format!("Scenario {hash}, version {}.", env!("CARGO_PKG_VERSION")))];
    section("To repeat it", blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};
    use crate::report::{About, markdown, report, terminal};

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!([-0.4, 0.4, -24.4, 0.6].map(whole_signed), ["0", "0", "-24", "+1"]);
        assert_eq!([-0.000_04, -0.0, 0.0, -0.02].map(figure), ["0.00", "0.00", "0.00", "-0.0200"]);
    }

    /// As it reads on the terminal and in Markdown, however its lines are broken.
    fn pages(forecast: &Forecast) -> [String; 2] {
        let page = report(forecast, &About::default());
        [terminal::render(&page), markdown::render(&page)].map(|page| {
            let page = anstream::adapter::strip_str(&page).to_string();
            page.split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn trends_say_on_which_replications_they_stand() {
        // The first head is emptied after a third of the time: within a week in four of five replications.
        let told = |fast: f64, is_late: fn(u32) -> bool| {
            let days = move |r: u32| if r.is_multiple_of(5) { 30.0 } else { fast };
            made(100, &move |r| {
                let mut outcome = outcome(r, days(r));
                if is_late(r) {
                    outcome.reached[0] = None;
                }
                outcome
            })
        };
        let slow = "head-1: of 20 of 100 replications, the slow ones; those that empty it sooner have no two weeks";
        let both = "head-1: of 10 of 100 replications, neither the fastest,";
        let late = "head-1: of 90 of 100 replications, those emptied by the horizon;";
        let none: fn(u32) -> bool = |_| false;
        for (forecast, said) in [
            (told(18.0, none), slow),
            (told(18.0, |r| r.is_multiple_of(10)), both),
            (told(30.0, |r| r.is_multiple_of(10)), late),
        ] {
            for page in pages(&forecast) {
                assert!(page.contains(said), "{said}: {page}");
                assert!(page.contains("the change is the median of each replication's own change"), "{page}");
            }
        }
        assert!(pages(&told(30.0, none)).iter().all(|page| !page.contains("head-1: of ")));
    }

    #[test]
    fn a_lock_is_told_of_a_mailbox_and_not_of_a_switch() {
        // 800,000 s for 399,996 mailboxes, whose switches may have failed any number of times.
        for page in pages(&made(100, &|r| outcome(r, days_of(r)))) {
            let said =
                "399,996 mailboxes are moved; for each its user is locked out for 2.00 s, by failed switches too.";
            assert!(page.contains(said), "{page}");
            assert!(!page.contains("a switch locks"), "{page}");
        }
    }
}
