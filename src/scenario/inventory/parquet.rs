//! An inventory in Parquet, some rows at a time.

use std::io::Cursor;

use jiff::Timestamp;
use polars::prelude::{Column, DataFrame, DataType, ParquetReader, SerReader, TimeUnit};

use super::block::{Block, Cells};
use super::guard::guarded;
use super::pages::{self, Chunk};
use super::rows::ROWS_MAX;
use super::trouble::Trouble;

/// Rows that are read together.
const ROWS: usize = 1 << 18;
const MARK: &[u8] = b"PAR1";
/// No file has a smaller frame: the mark, the length of the footer and the mark again.
const FRAME: usize = 12;

/// Whether a file says that it is Parquet.
pub(crate) fn is_parquet(begin: &[u8]) -> bool {
    begin.starts_with(MARK)
}

/// A Parquet file, all of which is in memory: what is read cannot change meanwhile.
pub(crate) struct Parquet {
    bytes: Vec<u8>,
    names: Vec<String>,
    rows: usize,
    at: usize,
}

impl Parquet {
    /// Opens it; why it cannot be read has been told.
    pub(crate) fn open(bytes: Vec<u8>, trouble: &mut Trouble) -> Option<Self> {
        match frame(&bytes).and_then(|()| guarded(|| head(&bytes))) {
            Ok((names, rows)) => Some(Self { bytes, names, rows, at: 0 }),
            Err(message) => {
                trouble.of_file(message);
                None
            }
        }
    }

    /// The names of the columns.
    pub(crate) fn header(&self) -> Vec<String> {
        self.names.clone()
    }

    /// How much of it has been read, of all its rows.
    pub(crate) const fn progress(&self) -> (u64, u64) {
        (self.at as u64, self.rows as u64)
    }

    /// The next rows, with the cells of the wanted columns; `None` at the end. What cannot be read is told.
    pub(crate) fn block(&mut self, wanted: &[usize], trouble: &mut Trouble) -> Option<Block> {
        if self.at >= self.rows {
            return None;
        }
        let count = ROWS.min(self.rows - self.at);
        let (first, last) = (self.at as u64 + 1, (self.at + count) as u64);
        match guarded(|| self.cells(count, wanted)) {
            Ok(columns) => {
                self.at += count;
                Some(Block { rows: (first..=last).collect(), columns })
            }
            Err(error) => {
                trouble.of_file(format!("rows {first} to {last} cannot be read, the file is damaged: {error}"));
                None
            }
        }
    }

    fn cells(&self, count: usize, wanted: &[usize]) -> Result<Vec<Cells>, String> {
        let mut sorted = wanted.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let reader = ParquetReader::new(Cursor::new(self.bytes.as_slice()));
        let reader = reader.with_slice(Some((self.at, count))).with_projection(Some(sorted));
        let frame: DataFrame = reader.set_rechunk(true).finish().map_err(|error| error.to_string())?;
        let cells = |at: &usize| {
            let column = frame.column(&self.names[*at]).map_err(|error| error.to_string())?;
            let cells = cells(column)?;
            if cells.len() == count {
                Ok(cells)
            } else {
                Err(format!("column \"{}\" has {} rows of {count}", self.names[*at], cells.len()))
            }
        };
        wanted.iter().map(cells).collect()
    }
}

/// Whether the file is whole, as far as its frame says.
fn frame(bytes: &[u8]) -> Result<(), String> {
    const CUT_OFF: &str = "is a Parquet file that is cut off: it does not end with its footer";
    if bytes.len() < FRAME || !bytes.ends_with(MARK) {
        return Err(CUT_OFF.to_owned());
    }
    let at = bytes.len() - MARK.len() - 4;
    let length = bytes[at..at + 4].iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    if length > at - MARK.len() { Err(CUT_OFF.to_owned()) } else { Ok(()) }
}

/// What a footer says of the rows that are stored together; of its columns, those with the most and the fewest values, or none.
struct Counts {
    rows: usize,
    most_values: i64,
    fewest_values: i64,
}

/// The library reserves memory for as many rows as a footer says, and a reservation that fails ends the program: what a
/// damaged one says is looked at before.
fn believable(rows: usize, groups: impl Iterator<Item = Counts>) -> Result<(), String> {
    let damaged = |what: String| Err(format!("is a Parquet file whose footer is damaged: {what}"));
    if rows > ROWS_MAX {
        return damaged(format!("{rows} rows, and at most {ROWS_MAX} can be read"));
    }
    let mut found = 0_usize;
    for group in groups {
        found = found.saturating_add(group.rows);
        if usize::try_from(group.fewest_values).is_err() || group.most_values > ROWS_MAX as i64 {
            let Counts { fewest_values, most_values, rows } = group;
            return damaged(format!("{fewest_values} to {most_values} values of a column in {rows} rows"));
        }
    }
    if found == rows { Ok(()) } else { damaged(format!("{rows} rows, and {found} in its parts")) }
}

/// The names of the columns and the number of rows.
fn head(bytes: &[u8]) -> Result<(Vec<String>, usize), String> {
    let damaged = |error: polars::prelude::PolarsError| format!("is a Parquet file whose footer is damaged: {error}");
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let metadata = reader.get_metadata().map_err(damaged)?;
    let groups = metadata.row_groups.iter().map(|group| {
        let mut counts = Counts { rows: group.num_rows(), most_values: 0, fewest_values: 0 };
        for column in group.parquet_columns() {
            let values = column.num_values();
            counts.most_values = counts.most_values.max(values);
            counts.fewest_values = counts.fewest_values.min(values);
        }
        counts
    });
    believable(metadata.num_rows, groups)?;
    for group in &metadata.row_groups {
        for column in group.parquet_columns() {
            let range = column.byte_range();
            let (values, unpacked) = (column.num_values(), column.uncompressed_size());
            let chunk = Chunk { begin: range.start, end: range.end, values, unpacked };
            pages::believable(bytes, &chunk).map_err(|what| {
                let name = column.descriptor().path_in_schema.join(".");
                format!("is a Parquet file that is damaged: column \"{name}\" has {what}")
            })?;
        }
    }
    let schema = reader.schema().map_err(damaged)?;
    let names = schema.iter_values().map(|field| field.name.to_string()).collect();
    Ok((names, reader.num_rows().map_err(damaged)?))
}

/// A column's cells as texts: texts and numbers as they are, instants with their offset from UTC when they have one.
fn cells(column: &Column) -> Result<Cells, String> {
    match column.dtype() {
        DataType::Datetime(unit, zone) => {
            let each = match unit {
                TimeUnit::Nanoseconds => 1,
                TimeUnit::Microseconds => 1_000,
                TimeUnit::Milliseconds => 1_000_000,
            };
            instants(column, each, zone.is_some())
        }
        DataType::Date => instants(column, 86_400_000_000_000, false),
        DataType::String
        | DataType::Null
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64 => Cells::new(column),
        other => Err(format!("column \"{}\" holds {other}, must hold texts, numbers or instants", column.name())),
    }
}

fn instants(column: &Column, nanoseconds_each: i128, in_utc: bool) -> Result<Cells, String> {
    let failed = |error: polars::prelude::PolarsError| error.to_string();
    let counts = column.to_physical_repr().cast(&DataType::Int64).map_err(failed)?;
    let text = |count: Option<i64>| {
        // An instant beyond all calendars is shown as its number, which is then refused.
        let stamp = |count: i64| Timestamp::from_nanosecond(i128::from(count) * nanoseconds_each);
        count.map(|count| match stamp(count) {
            Ok(stamp) if in_utc => stamp.to_string(),
            Ok(stamp) => stamp.to_string().trim_end_matches('Z').to_owned(),
            Err(_) => count.to_string(),
        })
    };
    Ok(Cells::of_texts(counts.i64().map_err(failed)?.iter().map(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_that_cannot_be_true_is_not_believed() {
        let group = |rows, fewest_values, most_values| Counts { rows, most_values, fewest_values };
        let told = |rows, groups: Vec<Counts>| believable(rows, groups.into_iter());
        assert_eq!(told(30, vec![group(10, 10, 10), group(20, 0, 45)]), Ok(()));
        for (rows, groups, wrong) in [
            (
                1_usize << 61,
                vec![group(1 << 61, 1 << 61, 1 << 61)],
                "2305843009213693952 rows, and at most 1000000000 can be read",
            ),
            (10, vec![group(10, -1, 10)], "-1 to 10 values of a column in 10 rows"),
            (10, vec![group(10, 10, i64::MAX)], "10 to 9223372036854775807 values of a column in 10 rows"),
            (10, vec![group(7, 7, 7)], "10 rows, and 7 in its parts"),
            (10, vec![group(usize::MAX, 0, 0), group(11, 0, 0)], "10 rows, and 18446744073709551615 in its parts"),
        ] {
            assert_eq!(told(rows, groups), Err(format!("is a Parquet file whose footer is damaged: {wrong}")));
        }
    }
}
