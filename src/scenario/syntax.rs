//! What is wrong with a text that is no TOML, told at the place where a person has to mend it.
//!
//! After its first error the parser guesses where the text goes on, and mostly guesses wrong: of what follows only the rest of
//! the same line is told. A bracket that is never closed is told where it was opened.

use std::ops::Range;
use std::sync::Arc;

use super::problems::{Place, Problem, SourceText};

/// The deepest nesting of brackets; the format itself needs six.
pub(super) const NESTING_MAX: usize = 64;
/// Errors of one line that are told.
const MOST: usize = 3;

/// The problems of a text, from the parser's errors.
pub(super) fn problems(source: &Arc<SourceText>, mut errors: Vec<toml::de::Error>) -> Vec<Problem> {
    let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    errors.sort_by_key(start);
    let told = |span: Range<usize>, message: String| {
        Problem::at(&Place { source: Arc::clone(source), span }, "", format!("not valid TOML: {message}"))
    };
    let as_it_is = |error: &toml::de::Error| told(error.span().unwrap_or(0..0), error.message().to_owned());
    // A key twice is no guess about what was meant, and each of them is one of its own.
    let Some(first) = errors.iter().position(|error| error.message() != "duplicate key") else {
        return errors.iter().map(as_it_is).collect();
    };
    let mut found: Vec<Problem> = errors[..first].iter().map(as_it_is).collect();
    let error = &errors[first];
    let at = start(error);
    let is_string = error.message().contains("string,");
    if let Some(open) = unclosed(&source.text).filter(|open| *open <= at && !is_string) {
        let bracket = &source.text[open..=open];
        found.push(told(open..open + 1, format!("\"{bracket}\" is opened here and never closed")));
    } else if let Some(span) = unquoted(&source.text, at, error.message()).filter(|_| !is_string) {
        // Not said in words: it may be a password, which the picture of the line hides.
        found.push(told(span, "needs quotes, as texts and numbers with a unit do".to_owned()));
    } else {
        let line = source.text.get(..at).unwrap_or_default().matches('\n').count();
        let on_line =
            |error: &&toml::de::Error| source.text.get(..start(error)).is_some_and(|t| t.matches('\n').count() == line);
        found.extend(errors[first..].iter().take(MOST).take_while(on_line).map(as_it_is));
    }
    found
}

/// The bracket that is opened and not closed, or closed as if it were another one.
fn unclosed(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => at = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |more| at + more),
            quote @ (b'"' | b'\'') => at = end_of_string(bytes, at, quote),
            b'[' | b'{' => open.push((byte, at)),
            b']' | b'}' => {
                let (bracket, place) = open.pop()?;
                if (bracket == b'[') != (byte == b']') {
                    return Some(place);
                }
            }
            _ => {}
        }
        at += 1;
    }
    open.first().map(|bracket| bracket.1)
}

/// The first bracket that is nested too deep for a parser that calls itself.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at += bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at),
            quote @ (b'"' | b'\'') => at = end_of_string(bytes, at, quote),
            b'[' | b'{' => {
                depth += 1;
                if depth > NESTING_MAX {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last byte of the string that begins at `start`; a string on one line ends with the line at the latest.
fn end_of_string(bytes: &[u8], start: usize, quote: u8) -> usize {
    let long = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !long => return at,
            byte if byte == quote && !long => return at,
            byte if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 2,
            _ => {}
        }
        at += 1;
    }
    at
}

/// A value without quotes that is meant as a text, about a place of an error.
fn unquoted(text: &str, at: usize, message: &str) -> Option<Range<usize>> {
    let line_start = text.get(..at)?.rfind('\n').map_or(0, |before| before + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |after| at + after);
    let line = &text[line_start..line_end];
    if line.trim_start().starts_with('[') || message.contains("date") || message.contains("time") {
        return None;
    }
    let from = line_start + text[line_start..at].rfind(['=', '['])? + 1;
    if text[line_start..from].contains(['"', '\'']) {
        return None;
    }
    let until = text[from..line_end].find([',', ']', '}', '#', '"', '\'', '=']).map_or(line_end, |more| from + more);
    let word = text[from..until].trim();
    let is_text = word.starts_with(char::is_alphabetic)
        || (word.starts_with(|c: char| c.is_ascii_digit()) && word.contains([' ', '%']));
    let from = from + text[from..until].len() - text[from..until].trim_start().len();
    (is_text && !matches!(word, "true" | "false" | "inf" | "nan")).then_some(from..from + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let brackets = "[".repeat(100);
        assert_eq!(too_deep(&format!("a = \"{brackets}\" # {brackets}\nb = '''{brackets}\n{brackets}'''\n")), None);
        assert_eq!(too_deep(&format!("a = \"\\\"{brackets}\"")), None);
        assert_eq!(too_deep(&format!("a = {brackets}")), Some(4 + NESTING_MAX));
    }

    #[test]
    fn the_bracket_that_is_not_closed_is_found_past_strings_and_comments() {
        for (text, place) in [
            ("a = [1, 2]\nb = { c = 1 }\n[x]\n", None),
            ("a = [1, 2\nb = 3\n[x]\n", Some(4)),
            ("a = { b = [1, 2 }\n", Some(10)),
            ("a = \"[\" # [\nb = '{'\nc = \"\"\"\n[\n\"\"\"\nd = [", Some(38)),
            ("a = \"\\\"[\"\n", None),
            ("a = \"[\nb = 1\n", None),
            ("a = ]\n", None),
        ] {
            assert_eq!(unclosed(text), place, "{text}");
        }
    }
}
