//! Samples of a load, row by row: instants that rise, and a number for each column.

use jiff::tz::TimeZone;

use super::columns::{Column, Columns};
use crate::scenario::inventory::block::Block;
use crate::scenario::inventory::trouble::Trouble;
use crate::scenario::inventory::value::{self, Stamp, Wrong};
use crate::scenario::quantity::{self, Measure};
use crate::units::Time;

/// No file has more rows: twenty years of samples a minute.
pub(crate) const ROWS_MAX: usize = 11_000_000;
/// No head is asked for more, in operations a second.
const OPS_MAX: f64 = 1e9;
/// No head is busier.
const UTILISATION_MAX: f64 = 10.0;

/// The samples of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// When each was taken, rising.
    pub(crate) at: Vec<Time>,
    /// By column, in operations a second or as a share of the head's capacity; not a number where a cell is empty.
    pub(crate) values: Vec<Vec<f64>>,
}

/// The rows being read.
pub(crate) struct Rows<'a> {
    columns: &'a Columns,
    zone: &'a TimeZone,
    pub(crate) series: Series,
    /// The row of the latest instant.
    latest_row: u64,
    /// The first row whose instant has no offset from UTC, and the first whose instant has one.
    kinds: [Option<u64>; 2],
}

impl<'a> Rows<'a> {
    /// `zone` is that of instants without an offset from UTC.
    pub(crate) fn new(columns: &'a Columns, zone: &'a TimeZone) -> Self {
        let values = columns.loads.iter().map(|_| Vec::new()).collect();
        Self { columns, zone, series: Series { at: Vec::new(), values }, latest_row: 0, kinds: [None; 2] }
    }

    /// Takes some rows in; what is wrong with them is told. `false` when no more are wanted.
    pub(crate) fn take(&mut self, block: &Block, trouble: &mut Trouble) -> bool {
        for (at, row) in block.rows.iter().enumerate() {
            if self.series.at.len() == ROWS_MAX {
                trouble.of_file(format!("has more than {ROWS_MAX} samples"));
                return false;
            }
            let text = block.columns[0].get(at);
            let instant = self.instant(text, *row);
            if let Err(wrong) = &instant {
                trouble.of_row(*row, Some(&self.columns.time.header), wrong);
            }
            let mut is_good = instant.is_ok();
            for (column, (load, values)) in self.columns.loads.iter().zip(&mut self.series.values).enumerate() {
                let value = load_value(block.columns[column + 1].get(at), load);
                if let Err(wrong) = &value {
                    trouble.of_row(*row, Some(&load.header), wrong);
                    is_good = false;
                }
                values.push(value.unwrap_or(f64::NAN));
            }
            if let (true, Ok(time)) = (is_good, instant) {
                self.series.at.push(time);
            } else {
                self.series.values.iter_mut().for_each(|values| values.truncate(self.series.at.len()));
            }
        }
        true
    }

    /// Tells what rows have only together.
    pub(crate) fn finish(self, trouble: &mut Trouble) -> Series {
        if let [Some(local), Some(offset)] = self.kinds {
            trouble.of_file(format!(
                "column \"{}\" has instants with an offset from UTC (row {offset}) and without one (row {local}); all must \
                 have one, or none",
                self.columns.time.header
            ));
        }
        self.series
    }

    fn instant(&mut self, text: &str, row: u64) -> Result<Time, Wrong> {
        let (time, kind) = value::stamp(text, self.zone)?;
        let place = usize::from(kind == Stamp::Offset);
        self.kinds[place] = self.kinds[place].or(Some(row));
        if kind == Stamp::Doubtful {
            let allowed = "which daylight saving skips or repeats: give instants with an offset from UTC";
            return Err(Wrong::new("skipped or repeated by daylight saving", text, allowed));
        }
        if let Some(latest) = self.series.at.last().copied().filter(|latest| time <= *latest) {
            let before = self.latest_row;
            return Err(if time == latest {
                Wrong::new("repeated instants", text, &format!("which row {before} has already"))
            } else {
                Wrong::new("out of order", text, &format!("which is before row {before}: instants must rise"))
            });
        }
        self.latest_row = row;
        Ok(time)
    }
}

/// One sample in the base unit of its column; not a number where the cell is empty, which is a gap.
fn load_value(text: &str, column: &Column) -> Result<f64, Wrong> {
    if text.is_empty() {
        return Ok(f64::NAN);
    }
    let (unit, measure) = (column.unit, if column.is_share { Measure::Share } else { Measure::OpRate });
    let read = value::number(text).map(|number| number * unit).or_else(|| quantity::parse(text, measure).ok());
    let Some(value) = read else {
        let allowed = "must be a number, in the column's unit or with one of its own; an empty cell is a gap";
        return Err(Wrong::new("not a number", text, allowed));
    };
    if value < 0.0 {
        return Err(Wrong::new("negative", text, "must not be negative"));
    }
    let max = if column.is_share { UTILISATION_MAX } else { OPS_MAX };
    if value > max {
        let most = measure.show(max);
        return Err(Wrong::new("too large", text, &format!("must be at most {most}: is the column in another unit?")));
    }
    Ok(value)
}
