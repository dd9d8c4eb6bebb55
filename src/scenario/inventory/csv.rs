//! An inventory in CSV, a block at a time: which rows are whole is found here, polars takes them apart.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use polars::prelude::{CsvParseOptions, CsvReadOptions, DataType, Field as PolarsField, NullValues, Schema, SerReader};
use sha2::{Digest, Sha256};

use super::block::{Block, Cells};
use super::guard::guarded;
use super::trouble::Trouble;
use super::value::Wrong;

/// As much of the file is looked at together.
const BLOCK: usize = 4 << 20;
/// No row is longer: a quote that is never closed would take the rest of the file in.
const ROW_MAX: usize = 1 << 20;
/// No inventory has more columns.
pub(crate) const COLUMNS_MAX: usize = 1_000;

/// A CSV file being read.
pub(crate) struct Csv<R> {
    file: R,
    separator: u8,
    text: Vec<u8>,
    /// What of `text` has been taken.
    taken: usize,
    ended: bool,
    /// Columns of the header.
    width: usize,
    /// The last row that was taken; the header is row 1, as spreadsheets count.
    row: u64,
    hash: Sha256,
    /// What a row stands for, in messages.
    each: &'static str,
    /// Bytes read so far.
    pub(crate) read: u64,
}

impl<R: Read> Csv<R> {
    pub(crate) fn new(file: R, separator: u8) -> Self {
        Self {
            file,
            separator,
            text: Vec::new(),
            taken: 0,
            ended: false,
            width: 0,
            row: 0,
            hash: Sha256::new(),
            each: "mailbox",
            read: 0,
        }
    }

    /// The same file, each of whose rows stands for something else than a mailbox.
    pub(crate) const fn with_each(mut self, each: &'static str) -> Self {
        self.each = each;
        self
    }

    /// The names of the columns; `None` when there is no header, which has been told.
    pub(crate) fn header(&mut self, trouble: &mut Trouble) -> io::Result<Option<Vec<String>>> {
        self.fill()?;
        if let Some(message) = no_text(&self.text, self.each) {
            trouble.of_file(message);
            return Ok(None);
        }
        if self.text.starts_with(b"\xef\xbb\xbf") {
            self.taken = 3;
        }
        let Some((start, record)) = self.next_record()? else {
            trouble.of_file(empty(self.each));
            return Ok(None);
        };
        let line = &self.text[start..start + record.length];
        if let Some(fault) = record.fault {
            let row =
                if line.contains(&b'\r') { "its lines end in CR alone, must end in LF or CRLF" } else { fault.message };
            trouble.of_file(format!("its header cannot be read: {row}"));
            return Ok(None);
        }
        if record.fields > COLUMNS_MAX {
            trouble.of_file(format!("has {} columns, at most {COLUMNS_MAX} are read", record.fields));
            return Ok(None);
        }
        self.width = record.fields;
        let line = line.to_vec();
        match self.parse(&line, 0, &(0..record.fields).collect::<Vec<_>>()) {
            Ok(columns) => {
                let names = columns.iter().map(|column| column.get(0).to_owned());
                Ok(Some(names.collect()))
            }
            Err(error) => {
                trouble.of_file(format!("its header cannot be read: {error}"));
                Ok(None)
            }
        }
    }

    /// The next rows, with the cells of the wanted columns; `None` at the end. Rows that cannot be taken apart are told.
    pub(crate) fn block(&mut self, wanted: &[usize], trouble: &mut Trouble) -> io::Result<Option<Block>> {
        let mut text = Vec::with_capacity(BLOCK + ROW_MAX);
        let mut rows = Vec::new();
        while text.len() < BLOCK {
            let Some((start, record)) = self.next_record()? else { break };
            let line = &self.text[start..start + record.length];
            if let Some(fault) = record.fault {
                trouble.of_row(self.row, None, &Wrong { kind: fault.kind, message: fault.message.to_owned() });
                if fault.kind == ENDLESS.kind {
                    trouble.of_file(format!("row {} is where reading ends", self.row));
                    self.ended = true;
                    self.taken = self.text.len();
                }
            } else if record.fields != self.width {
                let message = format!("has {} values, the header has {} columns", record.fields, self.width);
                trouble.of_row(self.row, None, &Wrong { kind: "rows with another number of values", message });
            } else if std::str::from_utf8(line).is_err() {
                let message = "is not UTF-8 text".to_owned();
                trouble.of_row(self.row, None, &Wrong { kind: "rows that are no UTF-8 text", message });
            } else {
                text.extend_from_slice(line);
                text.push(b'\n');
                rows.push(self.row);
            }
        }
        if rows.is_empty() {
            return if self.at_end() { Ok(None) } else { Ok(Some(Block { rows, columns: Vec::new() })) };
        }
        match self.parse(&text, rows.len(), wanted) {
            Ok(columns) => Ok(Some(Block { rows, columns })),
            Err(error) => {
                let (first, last) =
                    (rows.first().copied().unwrap_or_default(), rows.last().copied().unwrap_or_default());
                trouble.of_file(format!("rows {first} to {last} cannot be read: {error}"));
                Ok(None)
            }
        }
    }

    /// SHA-256 of the file, once all of it has been read.
    pub(crate) fn finish(mut self) -> io::Result<String> {
        while !self.ended {
            self.taken = self.text.len();
            self.fill()?;
        }
        Ok(super::hexadecimal(&self.hash.finalize()))
    }

    fn at_end(&self) -> bool {
        self.ended && self.taken == self.text.len()
    }

    /// The next row that is not an empty line: where it begins in the text, and what it is.
    fn next_record(&mut self) -> io::Result<Option<(usize, Record)>> {
        loop {
            let left = &self.text[self.taken..];
            if left.is_empty() && self.ended {
                return Ok(None);
            }
            let Some(record) = scan(left, self.separator, self.ended) else {
                if left.len() <= ROW_MAX {
                    self.fill()?;
                    continue;
                }
                self.row += 1;
                let record = Record { length: 0, next: left.len(), fields: 0, fault: Some(ENDLESS) };
                return Ok(Some((self.taken, record)));
            };
            let start = self.taken;
            self.taken += record.next;
            self.row += 1;
            if record.length > 0 {
                return Ok(Some((start, record)));
            }
        }
    }

    /// Reads on, and forgets what has been taken.
    fn fill(&mut self) -> io::Result<()> {
        self.text.drain(..self.taken);
        self.taken = 0;
        let before = self.text.len();
        let count = self.file.by_ref().take(BLOCK as u64).read_to_end(&mut self.text)?;
        self.hash.update(&self.text[before..]);
        self.read += count as u64;
        self.ended = count == 0;
        Ok(())
    }

    /// Takes rows apart: the cells of the wanted columns. `count` rows are expected, any number when it is 0.
    fn parse(&self, text: &[u8], count: usize, wanted: &[usize]) -> Result<Vec<Cells>, String> {
        guarded(|| {
            // A row of ours comes first, so that no name looks like the mark of a compressed file.
            let mut whole = vec![self.separator; self.width.saturating_sub(1)];
            whole.splice(0..0, *b"0");
            whole.push(b'\n');
            whole.extend_from_slice(text);
            let schema: Schema =
                (0..self.width).map(|at| PolarsField::new(at.to_string().into(), DataType::String)).collect();
            let mut sorted = wanted.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            let options = CsvReadOptions::default()
                .with_has_header(false)
                .with_infer_schema_length(Some(0))
                .with_schema(Some(Arc::new(schema)))
                .with_projection(Some(Arc::new(sorted)))
                .with_rechunk(true)
                .with_parse_options(
                    CsvParseOptions::default()
                        .with_separator(self.separator)
                        .with_null_values(None::<NullValues>)
                        .with_missing_is_null(false),
                );
            let frame = options.into_reader_with_file_handle(Cursor::new(whole)).finish();
            let frame = frame.map_err(|error| error.to_string())?;
            if count > 0 && frame.height() != count + 1 {
                return Err(format!("{} rows were found where there are {count}", frame.height().saturating_sub(1)));
            }
            let cells = |at: &usize| {
                let column = frame.column(&at.to_string()).map_err(|error| error.to_string())?;
                let column = column.slice(1, frame.height().saturating_sub(1));
                Cells::new(&column)
            };
            wanted.iter().map(cells).collect()
        })
    }
}

/// A row as it stands in the text.
struct Record {
    /// Bytes of it, without the end of its line; 0 for an empty line.
    length: usize,
    /// Where the next one begins, from its beginning.
    next: usize,
    fields: usize,
    fault: Option<Fault>,
}

/// Why a row cannot be taken apart.
#[derive(Clone, Copy)]
struct Fault {
    kind: &'static str,
    message: &'static str,
}

const ENDLESS: Fault =
    Fault { kind: "rows without an end", message: "has more than 1 MiB: is a quote opened and never closed?" };
const STRAY_QUOTE: Fault = Fault {
    kind: "rows with a stray quote",
    message: "has a quote within a text that does not begin with one; quote the whole text and double the quote in it",
};
const AFTER_QUOTE: Fault = Fault {
    kind: "rows with text after a quote",
    message: "has text between a closing quote and the separator: is a quote opened and never closed?",
};
const OPEN_QUOTE: Fault = Fault { kind: "rows with an open quote", message: "opens a quote that is never closed" };
const CONTROL: Fault = Fault { kind: "rows with control characters", message: "has a control character" };

/// Finds the end of the first row; `None` when it lies beyond the text, which goes on.
fn scan(text: &[u8], separator: u8, is_all: bool) -> Option<Record> {
    let (mut at, mut fields, mut fault) = (0, 1, None);
    loop {
        if text.get(at) == Some(&b'"') {
            match close(text, at + 1) {
                Some(after) => at = after,
                None if is_all => {
                    return Some(Record { length: text.len(), next: text.len(), fields, fault: Some(OPEN_QUOTE) });
                }
                None => return None,
            }
            let ends =
                text[at..].starts_with(b"\r\n") || text.get(at).is_none_or(|byte| [separator, b'\n'].contains(byte));
            if !ends && text[at..] != *b"\r" {
                fault = fault.or(Some(AFTER_QUOTE));
            }
        }
        // What follows is no quoted text, or the rest of a broken one.
        let rest = &text[at..];
        let special = |byte: u8| byte == separator || byte < b' ' && byte != b'\t' || byte == b'"';
        let Some(found) = rest.iter().position(|byte| special(*byte)) else {
            return is_all.then_some(Record { length: text.len(), next: text.len(), fields, fault });
        };
        at += found;
        match text[at] {
            byte if byte == separator => {
                (at, fields) = (at + 1, fields + 1);
            }
            b'\n' => return Some(Record { length: at, next: at + 1, fields, fault }),
            b'\r' if text.get(at + 1) == Some(&b'\n') => {
                return Some(Record { length: at, next: at + 2, fields, fault });
            }
            b'\r' if at + 1 == text.len() => {
                return is_all.then_some(Record { length: at, next: at + 1, fields, fault });
            }
            byte => {
                fault = fault.or(Some(if byte == b'"' { STRAY_QUOTE } else { CONTROL }));
                at = skip(text, at + 1, separator);
                if at == text.len() {
                    return is_all.then_some(Record { length: at, next: at, fields, fault });
                }
            }
        }
    }
}

/// The byte after the quote that closes a quoted text, which begins here.
fn close(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += text.get(at..)?.iter().position(|byte| *byte == b'"')?;
        match text.get(at + 1) {
            Some(b'"') => at += 2,
            _ => return Some(at + 1),
        }
    }
}

/// The end of a broken value: the next separator or end of a line.
fn skip(text: &[u8], from: usize, separator: u8) -> usize {
    let rest = &text[from..];
    from + rest.iter().position(|byte| [separator, b'\n', b'\r'].contains(byte)).unwrap_or(rest.len())
}

/// Why a file is no CSV text at all, by how it begins.
fn no_text(text: &[u8], each: &str) -> Option<String> {
    const MARKS: [(&[u8], &str); 6] = [
        (b"\xff\xfe", "is UTF-16 text, must be UTF-8: save it as \"CSV UTF-8\""),
        (b"\xfe\xff", "is UTF-16 text, must be UTF-8: save it as \"CSV UTF-8\""),
        (b"\x1f\x8b", "is compressed by gzip: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "is compressed by zstd: unpack it first"),
        (b"PK\x03\x04", "is a zip archive or a spreadsheet: save it as \"CSV UTF-8\""),
        (b"\xd0\xcf\x11\xe0", "is a spreadsheet: save it as \"CSV UTF-8\""),
    ];
    let blank = |text: &[u8]| text.iter().all(u8::is_ascii_whitespace);
    if blank(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)) {
        return Some(empty(each));
    }
    let mark = MARKS.iter().find(|(mark, _)| text.starts_with(mark)).map(|mark| mark.1);
    mark.or_else(|| text.contains(&0).then_some("is a binary file, must be CSV text or Parquet")).map(str::to_owned)
}

fn empty(each: &str) -> String {
    format!("is empty: needs a header and a row for each {each}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows by the rules, one byte after the other.
    fn slow(text: &[u8]) -> Vec<(Vec<u8>, usize)> {
        let (mut rows, mut row, mut fields, mut quoted) = (Vec::new(), Vec::new(), 1, false);
        for byte in text {
            match byte {
                b'"' => quoted = !quoted,
                b',' if !quoted => fields += 1,
                b'\n' if !quoted => {
                    rows.push((std::mem::take(&mut row), fields));
                    fields = 1;
                    continue;
                }
                _ => {}
            }
            row.push(*byte);
        }
        rows
    }

    #[test]
    fn rows_that_are_well_formed_end_where_they_should() {
        let text = b"a,b\n\"x, y\",\"say \"\"no\"\"\"\n,\n\"line\nbreak\",1\n\"\",\"\"\n";
        let mut rows = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let record = scan(&text[at..], b',', true).unwrap();
            assert!(record.fault.is_none());
            rows.push((text[at..at + record.length].to_vec(), record.fields));
            at += record.next;
        }
        assert_eq!(rows, slow(text));
    }

    #[test]
    fn broken_rows_have_a_fault_and_the_next_row_has_none() {
        for (row, kind) in [
            ("a\"b,1", STRAY_QUOTE.kind),
            ("\"a\"b,1", AFTER_QUOTE.kind),
            ("a,\u{7},1", CONTROL.kind),
            ("a\rb,1", CONTROL.kind),
        ] {
            let text = format!("{row}\r\nnext,1\n");
            let record = scan(text.as_bytes(), b',', true).unwrap();
            assert_eq!(record.fault.map(|fault| fault.kind), Some(kind), "{row}");
            assert_eq!(&text[record.next..], "next,1\n", "{row}");
        }
        assert_eq!(scan(b"\"a,1\n2,3\n", b',', true).unwrap().fault.map(|fault| fault.kind), Some(OPEN_QUOTE.kind));
    }

    #[test]
    fn a_row_that_goes_on_beyond_the_text_is_waited_for() {
        for text in ["a,1", "\"a", "\"a\"", "\"a\"\r", "a,1\r", "a\"b"] {
            let found = scan(text.as_bytes(), b',', false);
            // A quote at the end may be the first of two.
            assert!(found.is_none(), "{text:?}");
        }
    }
}
