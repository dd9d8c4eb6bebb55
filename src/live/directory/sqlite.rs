//! A directory in a SQLite file. Values are bound by their names, which SQLite knows itself.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Statement, TransactionBehavior};

use super::error::DirectoryError;
use super::pool::{self, Pool};
use super::statements::{Cell, Changed, Parameter, Value, Values, Which};
use super::{Database, Unusable, User, listed};
use crate::scenario::site::Statements;

pub(super) struct Sqlite {
    file: PathBuf,
    statements: Statements,
    timeout: Duration,
    pool: Pool<Open>,
}

/// An open file, and which one it was: a restored copy takes its name but not its number.
struct Open {
    connection: Connection,
    file: PathBuf,
    number: (u64, u64),
    broken: bool,
}

impl Sqlite {
    /// Opens the file, which must be there, and checks every statement.
    pub(super) fn connect(file: &Path, statements: &Statements, timeout: Duration) -> Result<Self, DirectoryError> {
        let (file, statements) = (file.to_owned(), statements.clone());
        let database = Self { file, statements, timeout, pool: Pool::new() };
        let open = database.open()?;
        for which in Which::ALL {
            if let Some(text) = which.text(&database.statements) {
                check(which, &open.connection, text)?;
            }
        }
        database.pool.give_back(open);
        Ok(database)
    }

    fn open(&self) -> Result<Open, DirectoryError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let number = number(&self.file)?;
        let open = |error: rusqlite::Error| DirectoryError::Lost { why: format!("{}: {error}", self.file.display()) };
        let connection = Connection::open_with_flags(&self.file, flags).map_err(open)?;
        connection.busy_timeout(self.timeout).map_err(open)?;
        // What is committed must be on the disk: a fence stands, and the old home is purged, on the strength of it. With less a
        // power cut may bring the journal back that a commit has removed, and with it the state before.
        connection.pragma_update(None, "synchronous", "EXTRA").map_err(open)?;
        Ok(Open { connection, file: self.file.clone(), number, broken: false })
    }

    fn with<T>(
        &self,
        which: Which,
        work: impl Fn(&mut Connection, &str) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        let text = which.text(&self.statements).ok_or_else(|| which.wrong("there is no such statement"))?;
        self.pool.with(|| self.open(), |open| open.ask(|connection| work(connection, text)))
    }
}

impl Database for Sqlite {
    fn read(&self, which: Which, values: &Values) -> Result<Vec<Result<User, Unusable>>, DirectoryError> {
        self.with(which, |connection, text| {
            let failed = |error: rusqlite::Error| failed(which, &error);
            let mut statement = connection.prepare(text).map_err(failed)?;
            bind(&mut statement, values).map_err(failed)?;
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            let mut users = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                let mut cells = [const { Cell::Null }; User::COLUMNS];
                for (column, cell) in cells.iter_mut().enumerate().take(columns) {
                    *cell = read(row, column).map_err(failed)?;
                }
                users.push(listed::read(which, cells));
            }
            Ok(users)
        })
    }

    fn change(&self, which: Which, values: &Values) -> Result<Changed, DirectoryError> {
        self.with(which, |connection, text| {
            let broke = |error: rusqlite::Error| failed(which, &error);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broke)?;
            let mut statement = transaction.prepare(text).map_err(broke)?;
            bind(&mut statement, values).map_err(broke)?;
            let mut first = None;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().map_err(broke)? {
                if first.is_none() {
                    first = Some(read(row, 0).map_err(broke)?);
                }
            }
            drop(rows);
            drop(statement);
            let changed = Changed { rows: transaction.changes(), first };
            if changed.rows > 1 {
                transaction.rollback().map_err(broke)?;
                return Err(DirectoryError::TooMany { statement: which.name(), rows: changed.rows });
            }
            transaction.commit().map_err(|error| match failed(which, &error) {
                // A lock only: it has been rolled back.
                busy @ DirectoryError::Busy { .. } => busy,
                _ => DirectoryError::Uncertain { statement: which.name(), why: error.to_string() },
            })?;
            Ok(changed)
        })
    }

    fn describe(&self) -> String {
        format!("SQLite, {}", self.file.display())
    }
}

impl Open {
    fn ask<T>(&mut self, work: impl FnOnce(&mut Connection) -> Result<T, DirectoryError>) -> Result<T, DirectoryError> {
        let now = number(&self.file);
        let done = if now.as_ref().is_ok_and(|now| *now != self.number) {
            Err(DirectoryError::Lost { why: format!("{} is another file now", self.file.display()) })
        } else {
            now.and_then(|_| work(&mut self.connection))
        };
        self.broken = matches!(done, Err(DirectoryError::Lost { .. } | DirectoryError::Uncertain { .. }));
        done
    }
}

impl pool::Connection for Open {
    fn usable(&self) -> bool {
        !self.broken
    }
}

fn number(file: &Path) -> Result<(u64, u64), DirectoryError> {
    let lost = |error| DirectoryError::Lost { why: format!("{}: {error}", file.display()) };
    file.metadata().map(|data| (data.dev(), data.ino())).map_err(lost)
}

fn check(which: Which, connection: &Connection, text: &str) -> Result<(), DirectoryError> {
    let statement = connection.prepare(text).map_err(|error| match failed(which, &error) {
        passing if passing.is_passing() => passing,
        _ => which.wrong(error.to_string()),
    })?;
    let names = (1..=statement.parameter_count()).map(|place| {
        let name = statement.parameter_name(place).and_then(|name| name.strip_prefix(':'));
        name.ok_or_else(|| which.wrong("it has a parameter without a name; write `:user` and so on"))
    });
    which.parameters(names.collect::<Result<Vec<_>, _>>()?)?;
    which.check_columns(statement.column_count())?;
    if which.changes() == statement.readonly() {
        return Err(which.wrong(if which.changes() { "it changes nothing" } else { "it changes something" }));
    }
    Ok(())
}

fn bind(statement: &mut Statement<'_>, values: &Values) -> rusqlite::Result<()> {
    for (parameter, value) in values {
        if let Some(place) = statement.parameter_index(&format!(":{}", Parameter::name(*parameter)))? {
            match value {
                Value::Text(text) => statement.raw_bind_parameter(place, text)?,
                Value::Whole(number) => statement.raw_bind_parameter(place, number)?,
            }
        }
    }
    Ok(())
}

fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Cell> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Whole(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Other("text that is not UTF-8".to_owned()),
        },
        ValueRef::Real(number) => Cell::Other(format!("the number {number}")),
        ValueRef::Blob(_) => Cell::Other("a blob".to_owned()),
    })
}

fn failed(which: Which, error: &rusqlite::Error) -> DirectoryError {
    let why = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => DirectoryError::Busy { why },
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::ReadOnly,
        ) => DirectoryError::Lost { why },
        _ => DirectoryError::Failed { statement: which.name(), why },
    }
}
