//! On which file systems the stores lay when a session last began: where a store is not mounted the folder belongs to another.

use std::collections::BTreeMap;

use rusqlite::params;

use super::Ledger;
use super::error::LedgerError;
use super::reader::Reader;

/// Ledgers of earlier programs have no such table, and those programs need none.
const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS store (name TEXT PRIMARY KEY, file_system INTEGER NOT NULL) STRICT, WITHOUT ROWID";

impl Ledger {
    /// Notes the file system of each store, by the store's name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_stores(&self, stores: &BTreeMap<String, u64>) -> Result<(), LedgerError> {
        self.writer.with("note the stores", |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(TABLE, ())?;
            for (name, system) in stores {
                // The same 64 bits, which the database takes for a signed number.
                transaction.execute("REPLACE INTO store VALUES (?1, ?2)", params![name, *system as i64])?;
            }
            Ok(transaction.commit()?)
        })
    }
}

impl Reader {
    /// The file system of each store that is known, by the store's name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stores(&self) -> Result<BTreeMap<String, u64>, LedgerError> {
        const KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'store')";
        self.read("read its stores", |connection| {
            if !connection.query_row(KNOWN, (), |row| row.get(0))? {
                return Ok(BTreeMap::new());
            }
            let mut select = connection.prepare("SELECT name, file_system FROM store")?;
            let rows = select.query_map((), |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)));
            Ok(rows?.collect::<Result<_, _>>()?)
        })
    }
}
