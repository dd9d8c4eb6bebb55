//! The report as one page that needs nothing else: no network, no script, light and dark, on paper and on a telephone.
//!
//! What a scenario says is text and never markup: every text goes through maud's escaping, and nothing that comes from a
//! scenario becomes a link, a style or the name of an element. A content security policy forbids what should not be there.

mod parts;

use std::io;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Paper, Picture};
use super::explain::{self, Explain};
use super::recommend::{self, Recommendation};
use super::sweep::{self, Sweep};
use super::what_if::{self, WhatIf};
use super::wording::shown;
use super::{About, Block, Section, Tone, comparison, ending, past, rows, sections, shares};
use crate::forecast::Forecast;

const STYLE: &str = include_str!("html/style.css");
/// Nothing is loaded and nothing runs; the style stands in the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// A part of the page.
struct Part {
    /// Its place for links within the page.
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// The page.
///
/// # Errors
/// When a chart cannot be drawn: the font is missing.
pub(super) fn render(forecast: &Forecast, about: &About, pictures: &[Picture]) -> io::Result<String> {
    let parts: Vec<Part> = parts(forecast, about, pictures)?.into_iter().flatten().collect();
    Ok(page(&forecast.scenario.name, "forecast", &answer(forecast), &parts, "forecast.json"))
}

/// The page of an explanation.
///
/// # Errors
/// When a chart cannot be drawn: the font is missing.
pub(super) fn explain(known: &Explain, pictures: &[Picture]) -> io::Result<String> {
    let part = |id, title, section: Section, stems: &[&str]| -> io::Result<Option<Part>> {
        let figures = figures(pictures, stems)?;
        let body = html! { (blocks(&section)) (figures) };
        Ok((!section.blocks.is_empty()).then_some(Part { id, title, body }))
    };
    let parts = [
        part("limits", "What one unit more is worth", explain::limits(known), &[])?,
        part("inputs", "What the uncertain inputs do", explain::inputs(known), &["tornado"])?,
        part("screening", "Which inputs matter", explain::screening(known), &["screening"])?,
        part("shares", "What spreads the date", explain::indices(known), &["shares"])?,
        part("when", "What bound when", explain::by_time(known), &["held"])?,
        part("heads", "Head by head", explain::by_head(known), &[])?,
        part("certainty", "How sure this is", explain::certainty(known), &[])?,
        part("warnings", "Warnings", sections::remarks(&known.warnings), &[])?,
        part("repeat", "To repeat it", explain::repeat(known), &[])?,
    ];
    let parts: Vec<Part> = parts.into_iter().flatten().collect();
    let answer = answer_of(&explain::answer(known), "What has bound");
    Ok(page(&known.scenario.name, "explain", &answer, &parts, "explain.json"))
}

/// The page of a sweep.
///
/// # Errors
/// When a chart cannot be drawn: the font is missing.
pub(super) fn sweep(known: &Sweep, pictures: &[Picture]) -> io::Result<String> {
    let part = |id, title, section: Section, stems: &[&str]| -> io::Result<Option<Part>> {
        let figures = figures(pictures, stems)?;
        let body = html! { (figures) (blocks(&section)) };
        Ok((!section.blocks.is_empty()).then_some(Part { id, title, body }))
    };
    // Without a frontier of several points its chart stands with the points.
    let has_frontier = !sweep::frontier(known).blocks.is_empty();
    let (first, then): (&[&str], &[&str]) =
        if has_frontier { (&["frontier"], &["values"]) } else { (&[], &["values", "frontier"]) };
    let parts = [
        part("frontier", "Date against users", sweep::frontier(known), first)?,
        part("points", "Points", sweep::points(known), then)?,
        part("method", "How to read it", sweep::method(known), &[])?,
        part("warnings", "Warnings", sections::remarks(&known.warnings), &[])?,
        part("repeat", "To repeat it", sweep::repeat(known), &[])?,
    ];
    let parts: Vec<Part> = parts.into_iter().flatten().collect();
    let answer = answer_of(&sweep::answer(known), "");
    Ok(page(&known.scenario.name, "sweep", &answer, &parts, "sweep.json"))
}

/// The page of a what-if.
///
/// # Errors
/// When a chart cannot be drawn: the font is missing.
pub(super) fn what_if(known: &WhatIf, pictures: &[Picture]) -> io::Result<String> {
    let part = |id, title, section: Section, stems: &[&str]| -> io::Result<Option<Part>> {
        let figures = figures(pictures, stems)?;
        let body = html! { (blocks(&section)) (figures) };
        Ok((!section.blocks.is_empty()).then_some(Part { id, title, body }))
    };
    let parts = [
        part("milestones", "Milestones", what_if::milestones(known), &["shifts"])?,
        part("quantiles", "Two ways to say how much", what_if::quantiles(known), &[])?,
        part("users", "What users notice", what_if::users(known), &[])?,
        part("changes", "What is changed", what_if::changes(known), &[])?,
        part("certainty", "How sure this is", what_if::certainty(known), &[])?,
        part("warnings", "Warnings", sections::remarks(&known.warnings), &[])?,
        part("repeat", "To repeat it", what_if::repeat(known), &[])?,
    ];
    let parts: Vec<Part> = parts.into_iter().flatten().collect();
    let answer = answer_of(&what_if::answer(known), "When everything is off the old storage");
    Ok(page(&known.scenario.name, known.kind, &answer, &parts, "what-if.json"))
}

/// The page of a recommended plan.
#[must_use]
pub(super) fn recommend(known: &Recommendation) -> String {
    let plan = known.plan.as_ref().map(|plan| Part {
        id: "plan",
        title: "The plan",
        body: html! { p { "In place of the file's own " code { "[plan]" } ":" } pre tabindex="0" { @for line in plan.lines() { (shown(line)) "\n" } } },
    });
    let part = |id, title, section: Section| {
        (!section.blocks.is_empty()).then(|| Part { id, title, body: html! { (blocks(&section)) } })
    };
    let parts: Vec<Part> = [
        plan,
        part("users", "What users notice", what_if::users(&known.what_if)),
        part("changes", "What is changed", what_if::changes(&known.what_if)),
        part("search", "How it was searched for", recommend::search(known)),
        part("warnings", "Warnings", sections::remarks(&known.what_if.warnings)),
        part("repeat", "To repeat it", what_if::repeat(&known.what_if)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let answer = answer_of(&recommend::answer(known), "The best plans that were found");
    page(&known.what_if.scenario.name, "recommended plan", &answer, &parts, "recommend.json")
}

/// An answer at the top of a page, with a caption for its table.
fn answer_of(answer: &Section, caption: &str) -> Markup {
    html! {
        section id="answer" aria-label="The answer" {
            @for block in &answer.blocks {
                @match block {
                    Block::Line(Tone::Strong, text) => p.answer { (as_text(text)) "." },
                    Block::Line(tone, text) => {
                        @let body = text.strip_prefix("- ").unwrap_or(text).to_owned();
                        (one(&Block::Line(*tone, body), ""))
                    }
                    Block::Table { .. } => (one(block, caption)),
                }
            }
        }
    }
}

/// A page: its answer, what stands in it, and its parts.
fn page(name: &str, kind: &str, answer: &Markup, parts: &[Part], numbers: &str) -> String {
    let name = as_text(name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (name) ": " (kind) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#answer" { "To the answer" }
                header { h1 { (name) } }
                main {
                    (answer)
                    nav aria-label="Contents" {
                        ul { @for part in parts { li { a href={ "#" (part.id) } { (part.title) } } } }
                    }
                    @for part in parts {
                        section id=(part.id) aria-labelledby={ (part.id) "-title" } {
                            h2 id={ (part.id) "-title" } { (part.title) }
                            (part.body)
                        }
                    }
                }
                footer { p.quiet { "Made by drawdown " (env!("CARGO_PKG_VERSION")) ". The numbers stand in " (numbers) "." } }
            }
        }
    };
    page.into_string()
}

/// The parts in the order in which somebody asks; one that has nothing to say is left out.
fn parts(forecast: &Forecast, about: &About, pictures: &[Picture]) -> io::Result<Vec<Option<Part>>> {
    // What has happened stands at the beginning, not among the inputs.
    let apart = About { observed: Vec::new(), ..about.clone() };
    let drawn = |stems: &[&str]| figures(pictures, stems);
    let after = |sections: &[Section], stems: &[&str]| -> io::Result<Markup> {
        let figures = drawn(stems)?;
        Ok(html! { @for section in sections { (blocks(section)) } (figures) })
    };
    let part = |id, title, sections: &[Section], stems: &[&str]| -> io::Result<Option<Part>> {
        let is_empty = sections.iter().all(|section| section.blocks.is_empty());
        Ok((!is_empty).then_some(Part { id, title, body: after(sections, stems)? }))
    };
    Ok(vec![
        Some(Part { id: "progress", title: "Where it stands", body: parts::progress(forecast, about) }),
        part("past", "Beside what had been forecast", &[past::section(forecast, about.past.as_ref())], &["past"])?,
        part("since", "Since the last forecast", &[comparison::section_of(about, forecast)], &[])?,
        part("dates", "Milestones", &[rows::dates(forecast)], &["burndown", "completion"])?,
        part("expectations", "Dates expected", &[rows::expectations(forecast)], &[])?,
        part("binding", "What holds the date back", &[sections::binding(forecast)], &["pace"])?,
        part("spread", "What spreads the last date", &[shares::section(forecast)], &[])?,
        part("users", "Risks: what users notice", &[sections::users(forecast)], &[])?,
        part("risk", "Risks: load and outages", &[sections::trends(forecast)], &["load", "risk"])?,
        part("last", "The last 1 %", &[ending::last_part(forecast)], &[])?,
        part("clusters", "Clusters", &[sections::clusters(forecast)], &["fill"])?.map(|part| {
            // When each opens and is full: with many clusters too much for the beginning.
            let dates = lines(&rows::answer(forecast).blocks, Tone::Plain);
            Part { body: html! { (dates) (part.body) }, ..part }
        }),
        part("price", "What the old storage costs", &[ending::price(forecast)], &[])?,
        part("inputs", "Inputs", &[sections::inputs(forecast, &apart)], &[])?,
        parts::notes(about).map(|body| Part { id: "notes", title: "Assumptions and facts", body }),
        part("warnings", "Warnings", &[sections::warnings(forecast, about)], &[])?,
        Some(Part { id: "repeat", title: "To repeat it", body: parts::repeat(forecast, about) }),
    ])
}

/// The answer in a sentence, with what must not be missed before it and the other dates after it.
fn answer(forecast: &Forecast) -> Markup {
    let answer = rows::answer(forecast).blocks;
    let is_bad = |block: &&Block| matches!(block, Block::Line(Tone::Bad, _));
    let unfinished = rows::dates(forecast).blocks;
    let plain = "The date is the median: half of the simulations are done by then. In 80 % of them it comes within the range, \
                 in 10 % earlier and in 10 % later.";
    html! {
        section id="answer" aria-label="The answer" {
            @for block in answer.iter().filter(is_bad) { (one(block, "")) }
            p.answer id="the-answer" { (as_text(&rows::headline(forecast))) "." }
            @if let Some(staying) = rows::staying(forecast) { p.doubt { (as_text(&staying)) } }
            @for block in unfinished.iter().filter(is_bad) { (one(block, "")) }
            (lines(&answer, Tone::Strong))
            @if rows::is_dated(forecast) { p.quiet { (plain) } }
        }
    }
}

/// Those of the lines that are meant so, as a list.
fn lines(blocks: &[Block], wanted: Tone) -> Markup {
    let line = |block: &Block| match block {
        Block::Line(tone, text) if *tone == wanted => Some(as_text(text)),
        Block::Line(..) | Block::Table { .. } => None,
    };
    html! { ul { @for text in blocks.iter().filter_map(line) { li { (text) } } } }
}

/// The blocks of a section; lines of a list become one.
fn blocks(section: &Section) -> Markup {
    let item = |block: &Block| match block {
        Block::Line(_, text) => text.strip_prefix("- ").map(as_text),
        Block::Table { .. } => None,
    };
    let runs = section.blocks.chunk_by(|a, b| item(a).is_some() == item(b).is_some());
    html! {
        @for run in runs {
            @if item(&run[0]).is_some() {
                ul { @for text in run.iter().filter_map(item) { li { (text) } } }
            } @else {
                @for block in run { (one(block, &section.title)) }
            }
        }
    }
}

fn one(block: &Block, caption: &str) -> Markup {
    match block {
        Block::Line(tone, text) => {
            let class = match tone {
                Tone::Plain => None,
                Tone::Strong => Some("strong"),
                Tone::Good => Some("good"),
                Tone::Bad => Some("bad"),
                Tone::Doubt => Some("doubt"),
            };
            html! { p class=[class] { (as_text(text)) } }
        }
        Block::Table { header, rows } => table(caption, header, rows),
    }
}

/// A text for the page, in which a number keeps its unit: no line ends between them.
fn as_text(text: &str) -> String {
    const UNITS: [&str; 7] = ["%", "h", "d", "s", "ms", "min", "days"];
    let text = shown(text);
    let mut kept = String::with_capacity(text.len());
    for (place, word) in text.split(' ').enumerate() {
        if place > 0 {
            let is_unit = UNITS.contains(&word.trim_end_matches(['.', ',', ';', ':', ')']));
            kept.push(if is_unit && kept.ends_with(|letter: char| letter.is_ascii_digit()) { '\u{a0}' } else { ' ' });
        }
        kept.push_str(word);
    }
    kept
}

/// The heading of a column: a page has more room than a terminal.
fn heading(name: &str, before: Option<&String>) -> String {
    match (name, before.map(String::as_str)) {
        ("P50", _) => "P50 (median)".to_owned(),
        ("min slow", _) => "minutes above the objective".to_owned(),
        ("outages", _) => "outages expected".to_owned(),
        ("without", _) => "the same without the migration".to_owned(),
        ("mailbox-h down", _) => "mailbox-hours of outage".to_owned(),
        ("set aside", _) => "mailboxes set aside".to_owned(),
        ("±", Some(of)) => format!("{of} ±"),
        ("", Some("last week")) => "change".to_owned(),
        ("", Some("shift")) => "verdict".to_owned(),
        _ => as_text(name),
    }
}

/// A table in a region of its own that scrolls, so that the page never has to.
fn table(caption: &str, header: &[String], rows: &[Vec<String>]) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label={ "Table: " (as_text(caption)) } {
            table {
                caption { (as_text(caption)) }
                thead { tr {
                    @for (place, name) in header.iter().enumerate() {
                        @let heading = heading(name, place.checked_sub(1).map(|before| &header[before]));
                        @if heading.is_empty() { td {} } @else { th scope="col" { (heading) } }
                    }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (place, cell) in row.iter().enumerate() {
                                @if place == 0 { th scope="row" { (as_text(cell)) } } @else { td { (as_text(cell)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Those of the charts that there are, each for wide and for narrow screens.
fn figures(pictures: &[Picture], stems: &[&str]) -> io::Result<Markup> {
    let mut all = Vec::new();
    for stem in stems {
        match pictures.iter().find(|picture| picture.stem == *stem) {
            Some(picture) => all.push(html! {
                h3 { (picture.title) }
                figure {
                    (inline(picture, Paper::PAGE, "wide")?)
                    (inline(picture, Paper::PHONE, "phone")?)
                    figcaption { (as_text(picture.subtitle())) }
                }
            }),
            None if *stem == "completion" => {
                all.push(html! { p.quiet { "No chart of completion dates: no simulation has one that lies ahead." } });
            }
            None => {}
        }
    }
    Ok(html! { @for figure in all { (figure) } })
}

/// A chart as elements of the page: as wide as there is room, with a title and a description for those who cannot see it. One for
/// wide screens is in parts, since paper is as wide; those after the first one have a title alone.
fn inline(picture: &Picture, paper: Paper, class: &str) -> io::Result<Markup> {
    let parts = if class == "wide" { picture.svg_in_parts(paper)? } else { vec![picture.svg(paper)?] };
    let one = |(number, svg): (usize, &String)| {
        let (open, rest) = svg.split_once('>').unwrap_or_default();
        let view = open.split("viewBox=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let is_first = number == 0;
        let id = format!("{}-{class}", picture.stem);
        let (id, title) = if is_first {
            (id, picture.title.to_owned())
        } else {
            (format!("{id}-{}", number + 1), format!("{}, part {}", picture.title, number + 1))
        };
        let named = if is_first { format!("{id}-title {id}-text") } else { format!("{id}-title") };
        html! {
            svg class=(class) viewBox=(view) role="img" aria-labelledby=(named) {
                title id={ (id) "-title" } { (title) }
                @if is_first { desc id={ (id) "-text" } { (picture.description) } }
                // What is drawn is plotters' markup, its texts escaped; it ends with the element's end.
                (PreEscaped(rest.trim_end().trim_end_matches("</svg>")))
            }
        }
    };
    let elements: Vec<Markup> = parts.iter().enumerate().map(one).collect();
    Ok(html! { @for element in elements { (element) } })
}

#[cfg(test)]
mod tests;
