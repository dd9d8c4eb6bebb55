//! What is wrong with a scenario: every problem at once, each with its place, its key and what is allowed.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::secret::hidden;

/// Problems shown in full; the rest is counted. A broken file can hold millions.
const SHOWN: usize = 100;
/// Of an inventory's rows, so many problems are kept in words; the rest is counted.
pub(crate) const ROWS_SHOWN: usize = 50;
/// Characters of a source line shown around a problem.
const LINE_SHOWN: usize = 160;

/// A text that values come from: a file or one `--set`.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The file's path as given, or `--set`.
    pub name: String,
    /// All of it.
    pub text: String,
    /// Whether it is a `--set` rather than a file.
    pub is_override: bool,
}

/// A stretch of a source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub source: Arc<SourceText>,
    /// Bytes of it.
    pub span: Range<usize>,
}

impl Place {
    /// The stretch itself, shortened to what fits in a message.
    pub(crate) fn excerpt(&self) -> String {
        let text = self.source.text.get(self.span.clone()).unwrap_or_default();
        excerpt(text)
    }

    /// Line and column, both from 1, the column in characters.
    #[must_use]
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.span.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The source line with a caret under the stretch.
    fn snippet(&self) -> String {
        let text = &self.source.text;
        let start = self.span.start.min(text.len());
        let line_start = text.get(..start).unwrap_or_default().rfind('\n').map_or(0, |at| at + 1);
        let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
        let Some(line) = text.get(line_start..line_end).map(hidden) else { return String::new() };
        let line = line.as_str();
        // A line can be as long as the file: show what lies around the caret.
        let from = floor_boundary(line, (start - line_start).saturating_sub(LINE_SHOWN / 2));
        let to = floor_boundary(line, (from + LINE_SHOWN).min(line.len()));
        let shown: String = line[from..to].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let caret_from = (start - line_start - from).min(shown.len());
        let caret_to = self.span.end.saturating_sub(line_start + from).clamp(caret_from, shown.len());
        let (caret_from, caret_to) = (floor_boundary(&shown, caret_from), floor_boundary(&shown, caret_to));
        let (line_number, _) = self.line_and_column();
        let snippet = Snippet::source(shown)
            .line_start(line_number)
            .annotation(AnnotationKind::Primary.span(caret_from..caret_to.max(caret_from)));
        Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)])
    }
}

/// The beginning of a text, as much as fits in a message.
pub(crate) fn excerpt(text: &str) -> String {
    let line = hidden(text.lines().next().unwrap_or_default().trim());
    let short: String = line.chars().take(60).collect();
    if short.len() < text.trim_end().len() { format!("{short} ...") } else { short }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_override {
            return write!(f, "--set {}", hidden(&self.source.text));
        }
        let (line, column) = self.line_and_column();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

/// One thing that is wrong, or dubious.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` when the whole file is meant.
    pub place: Option<Place>,
    /// The file, when there is no narrower place.
    pub file: String,
    /// The full key, `head.head-1.capacity`; empty when it is about no key.
    pub key: String,
    /// What is wrong, the value, and what is allowed.
    pub message: String,
    /// The nearest key that exists, for a typo.
    pub suggestion: Option<String>,
}

impl Problem {
    /// A problem of a stretch of text.
    pub(crate) fn at(place: &Place, key: &str, message: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            file: place.source.name.clone(),
            key: key.to_owned(),
            message: hidden(&message.into()),
            suggestion: None,
        }
    }

    /// A problem of a whole file.
    pub(crate) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { place: None, file: file.to_owned(), key: String::new(), message: message.into(), suggestion: None }
    }

    /// The problem in one line, without the source.
    #[must_use]
    pub fn headline(&self) -> String {
        self.told_of(&self.place.as_ref().map_or_else(|| self.file.clone(), ToString::to_string))
    }

    /// The same with the file's name alone, for what is published: its folders are this machine's affair.
    #[must_use]
    pub fn without_folders(&self) -> String {
        let name = |path: &str| {
            Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
        };
        self.told_of(&match &self.place {
            Some(place) if place.source.is_override => place.to_string(),
            Some(place) => {
                let (line, column) = place.line_and_column();
                format!("{}:{line}:{column}", name(&place.source.name))
            }
            None => name(&self.file),
        })
    }

    fn told_of(&self, place: &str) -> String {
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        let suggestion = self.suggestion.as_ref().map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
        format!("{place}: {key}{}{suggestion}", self.message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        match &self.place {
            Some(place) => writeln!(f, "{}", place.snippet().trim_end()),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a scenario, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    /// Problems beyond the list: those of an inventory's rows are kept up to a number.
    more: u64,
}

impl Problems {
    pub(crate) fn new(mut list: Vec<Problem>) -> Self {
        assert!(!list.is_empty(), "problems without a problem");
        list.sort_by_key(|problem| {
            let place = problem.place.as_ref();
            (place.map(|place| place.source.is_override), place.map(|place| place.span.start))
        });
        list.dedup();
        Self { list, more: 0 }
    }

    /// Counts problems that are not in the list.
    pub(crate) const fn and_more(mut self, more: u64) -> Self {
        self.more = more;
        self
    }

    /// Each problem, but for those of an inventory's rows beyond the first ones.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.list.iter().take(SHOWN) {
            write!(f, "{problem}")?;
        }
        let shown = self.list.len().min(SHOWN) as u64;
        match self.list.len() as u64 + self.more {
            count if count == shown => writeln!(f, "{count} problem{}", if count == 1 { "" } else { "s" }),
            count => writeln!(f, "{count} problems, the first {shown} of them above"),
        }
    }
}

impl std::error::Error for Problems {}
