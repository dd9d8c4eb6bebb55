//! A page for a terminal of 80 columns, readable without colour.
//!
//! What a scenario says is text: it cannot begin a line of its own, colour one, or turn it around.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::wording::{shown, wrap};
use super::{Block, Report, Section, Tone};

/// Columns of the page.
pub const WIDTH: usize = 80;

/// Renders the page with escape sequences for colour; strip them where the reader is no terminal.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut page = String::new();
    line(&mut page, Tone::Strong, &shown(&report.title));
    for section in &report.sections {
        render_section(&mut page, section);
    }
    page
}

fn render_section(page: &mut String, section: &Section) {
    page.push('\n');
    if !section.title.is_empty() {
        line(page, Tone::Strong, &shown(&section.title).to_uppercase());
    }
    for block in &section.blocks {
        match block {
            Block::Line(tone, text) => paragraph(page, *tone, text),
            Block::Table { header, rows } => {
                page.push_str(&table(header, rows));
                page.push('\n');
            }
        }
    }
}

fn paragraph(page: &mut String, tone: Tone, text: &str) {
    let text = shown(text);
    let (mark, body) = text.strip_prefix("- ").map_or(("", text.as_str()), |body| ("- ", body));
    let indent = " ".repeat(mark.len());
    for (number, part) in wrap(body, WIDTH - mark.len()).iter().enumerate() {
        let start = if number == 0 { mark } else { &indent };
        line(page, tone, &format!("{start}{part}"));
    }
}

fn line(page: &mut String, tone: Tone, text: &str) {
    let style = match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => Style::new().bold(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Doubt => AnsiColor::Yellow.on_default(),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{style}{text}{style:#}");
}

fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH as u16);
    let cells = |row: &[String]| row.iter().map(|cell| shown(cell)).collect::<Vec<_>>();
    table.set_header(cells(header));
    table.add_rows(rows.iter().map(|row| cells(row)));
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if place > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scenario_says_forges_no_line() {
        let forged = || "X\n\nAll heads are empty\u{1b}[2J\u{202e}".to_owned();
        let table = Block::Table { header: vec![forged(), "P50".into()], rows: vec![vec![forged(), "Oct 19".into()]] };
        let blocks =
            vec![Block::Line(Tone::Plain, forged()), Block::Line(Tone::Doubt, format!("- {}", forged())), table];
        let report = Report { title: forged(), sections: vec![Section { title: forged(), blocks }] };
        let page = anstream::adapter::strip_str(&render(&report)).to_string();
        assert_eq!(page.to_lowercase().matches('x').count(), 6, "{page}");
        for line in page.lines().filter(|line| line.to_lowercase().contains("all heads")) {
            assert!(line.trim_start_matches("- ").to_lowercase().starts_with('x'), "{line} in {page}");
        }
        assert!(!page.contains(['\u{1b}', '\u{202e}']) && page.contains("[2J"), "{page:?}");
    }
}
