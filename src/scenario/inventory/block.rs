//! Rows of an inventory as texts, some thousands at a time, whatever file they come from.

use polars::prelude::{Column, DataType, StringChunked};

/// Some rows.
pub(crate) struct Block {
    /// The number of each row in the file.
    pub(crate) rows: Vec<u64>,
    /// The columns that were asked for, in that order.
    pub(crate) columns: Vec<Cells>,
}

/// The cells of a column as texts.
pub(crate) struct Cells(StringChunked);

impl Cells {
    /// The cells of a column that can be shown as text.
    pub(crate) fn new(column: &Column) -> Result<Self, String> {
        let text = column.cast(&DataType::String).map_err(|error| error.to_string())?;
        let text = text.str().map_err(|error| error.to_string())?;
        Ok(Self(text.rechunk().into_owned()))
    }

    /// Cells with these texts.
    pub(crate) fn of_texts(texts: impl Iterator<Item = Option<String>>) -> Self {
        Self(texts.collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A cell without the blanks around it; empty where there is none.
    pub(crate) fn get(&self, at: usize) -> &str {
        self.0.get(at).unwrap_or_default().trim()
    }
}
