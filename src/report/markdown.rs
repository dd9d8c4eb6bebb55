//! The page as Markdown, for summaries and comments of code hosts.
//!
//! What a scenario says is text and never markup: whoever may propose a scenario may not put links, mentions or HTML into
//! what others read.

use std::fmt::Write as _;

use super::wording::shown;
use super::{Block, Report, Section, Tone};

/// GitHub takes 65,536 characters in a comment, GitLab a million; a summary of GitHub's may have a megabyte.
pub const LIMIT: usize = 60_000;

/// Renders the page, at most `LIMIT` bytes: whole parts are left out from the end, and named.
#[must_use]
pub fn render(report: &Report) -> String {
    render_within(report, LIMIT)
}

fn render_within(report: &Report, limit: usize) -> String {
    let mut page = format!("# {}\n", escaped(&report.title));
    let mut left_out: Vec<&str> = Vec::new();
    // Room for the words that say what is left out.
    let room = limit.saturating_sub(500);
    for section in &report.sections {
        let part = section_text(section);
        if left_out.is_empty() && page.len() + part.len() <= room {
            page.push_str(&part);
        } else {
            left_out.push(&section.title);
        }
    }
    if !left_out.is_empty() {
        let named = left_out.iter().take(12).map(|title| escaped(title)).collect::<Vec<_>>().join(", ");
        // Writing to a string cannot fail.
        let _ = writeln!(page, "\n**Cut here, for its length.** Left out: {named}. The whole is in `forecast.json`.");
    }
    page
}

fn section_text(section: &Section) -> String {
    let mut text = String::new();
    if !section.title.is_empty() {
        let _ = writeln!(text, "\n## {}", escaped(&section.title));
    }
    let mut in_list = false;
    for block in &section.blocks {
        match block {
            Block::Line(tone, line) => {
                let (mark, body) = line.strip_prefix("- ").map_or(("", line.as_str()), |body| ("- ", body));
                // A list goes on without a gap.
                if !in_list || mark.is_empty() {
                    text.push('\n');
                }
                in_list = !mark.is_empty();
                let body = escaped(body);
                let body = match tone {
                    Tone::Plain | Tone::Good => body,
                    Tone::Strong | Tone::Bad | Tone::Doubt => format!("**{body}**"),
                };
                let _ = writeln!(text, "{mark}{body}");
            }
            Block::Table { header, rows } => {
                in_list = false;
                text.push('\n');
                row(&mut text, header);
                let _ = writeln!(text, "|---{}|", "|---:".repeat(header.len().saturating_sub(1)));
                for cells in rows {
                    row(&mut text, cells);
                }
            }
        }
    }
    text
}

fn row(text: &mut String, cells: &[String]) {
    for cell in cells {
        let _ = write!(text, "| {} ", escaped(cell));
    }
    text.push_str("|\n");
}

/// A text that stands for itself: no markup, no HTML, no link, nobody called by name, nothing that cannot be seen.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for letter in shown(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            '#' => safe.push_str("&#35;"),
            '|' => safe.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' => {
                safe.push('\\');
                safe.push(letter);
            }
            letter => safe.push(letter),
        }
    }
    // So that no address becomes a link.
    safe.replace("www.", "www&#46;").replace("://", "&#58;//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Block {
        Block::Line(Tone::Plain, text.into())
    }

    #[test]
    fn what_a_scenario_says_is_no_markup() {
        let text = escaped("<script>alert(1)</script> [x](http://a.b) @someone #12 | `c` **b** www.a.b\n\u{202e}\\");
        for markup in ["<", ">", " [", "@", " #", "|", "://", "www.", "\n", "\u{202e}"] {
            assert!(!text.contains(markup), "{markup:?} in {text}");
        }
        assert!(text.contains("\\`c\\`") && text.contains("\\*\\*b\\*\\*"), "{text}");
    }

    #[test]
    fn a_page_that_is_too_long_says_what_is_missing() {
        let part = |title: &str, lines: usize| Section {
            title: title.into(),
            blocks: (0..lines).map(|_| line("- a line of a list")).collect(),
        };
        let sections = vec![part("", 1), part("Dates", 20), part("Long", 400), part("Short", 1)];
        let report = Report { title: "A title".into(), sections };
        let whole = render_within(&report, 100_000);
        assert!(!whole.contains("Cut here") && whole.contains("## Short"), "{whole}");
        let cut = render_within(&report, 2_000);
        assert!(cut.len() <= 2_000 && cut.contains("## Dates"), "{cut}");
        assert!(cut.ends_with("Left out: Long, Short. The whole is in `forecast.json`.\n"), "{cut}");
    }

    #[test]
    fn tables_and_lists_are_as_code_hosts_take_them() {
        let table = Block::Table {
            header: vec![String::new(), "P50".into()],
            rows: vec![vec!["head-1".into(), "Oct 19".into()], vec!["a|b".into(), "n/e".into()]],
        };
        let answer = Block::Line(Tone::Strong, "head-1 is empty October 19".into());
        let blocks = vec![answer, table, line("- one"), line("- two")];
        let report = Report { title: "T".into(), sections: vec![Section { title: String::new(), blocks }] };
        let expected = "# T\n\n**head-1 is empty October 19**\n\n|  | P50 |\n|---|---:|\n| head-1 | Oct 19 |\n\
                        | a&#124;b | n/e |\n\n- one\n- two\n";
        assert_eq!(render(&report), expected);
    }
}
