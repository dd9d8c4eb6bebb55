//! A directory in PostgreSQL, over a Unix socket or a network that is trusted: there is no TLS.

mod session;
mod value;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postgres::config::Host;
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Config, Statement, Transaction};

use self::session::{Connected, Gate, Session};
use self::value::encoded;
use super::error::DirectoryError;
use super::pool::Pool;
use super::statements::{Cell, Changed, Parameter, Value, Values, Which, numbered};
use super::{Database, Unusable, User, listed};
use crate::scenario::site::Statements;

/// The whole list may take so many times as long as another answer.
const LIST: u32 = 20;

/// The server gives up after the timeout; so many times as long is waited for a server that does not even do that.
const PATIENCE: u32 = 2;

/// No password is longer.
const MOST_PASSWORD: u64 = 4096;

/// What is done with a statement in a transaction, which is rolled back when it returns without a commit.
type Task<T> = fn(Which, &Values, Transaction<'_>, &(Statement, Vec<Parameter>), &Gate) -> Result<T, DirectoryError>;

type Prepared = BTreeMap<Which, (Statement, Vec<Parameter>)>;

pub(super) struct Postgres {
    /// Without the password, which is read anew for each connection, because it may be changed meanwhile.
    config: Config,
    password_file: Option<PathBuf>,
    statements: Statements,
    timeout: Duration,
    pool: Pool<Session>,
    /// As many as there are threads with a connection, and one.
    alive: Arc<()>,
}

impl Postgres {
    /// Connects, and prepares every statement.
    pub(super) fn connect(
        connection: &str,
        password_file: Option<&Path>,
        statements: &Statements,
        timeout: Duration,
    ) -> Result<Self, DirectoryError> {
        // What the library says of a string that it does not understand may quote it.
        let settings = |why: &str| DirectoryError::Settings { why: why.to_owned() };
        let mut config = connection.parse::<Config>().map_err(|_| settings("the connection string is malformed"))?;
        if config.get_password().is_some() {
            return Err(settings("the password belongs into a file of its own (`password_file`)"));
        }
        config.connect_timeout(timeout).tcp_user_timeout(timeout).keepalives_idle(timeout);
        config.keepalives_interval(Duration::from_secs(1)).keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("drawdown");
        }
        let database = Self {
            config,
            password_file: password_file.map(Path::to_owned),
            statements: statements.clone(),
            timeout,
            pool: Pool::new(),
            alive: Arc::new(()),
        };
        database.pool.give_back(database.open()?);
        Ok(database)
    }

    fn open(&self) -> Result<Session, DirectoryError> {
        let mut config = self.config.clone();
        if let Some(file) = &self.password_file {
            config.password(password(file)?);
        }
        let (statements, timeout) = (self.statements.clone(), self.timeout);
        Session::start(config, &self.alive, self.timeout * PATIENCE, move |client| {
            prepare(client, &statements, timeout)
        })
    }

    fn ask<T: Send + 'static>(&self, which: Which, values: &Values, work: Task<T>) -> Result<T, DirectoryError> {
        let limit = if which == Which::List { self.timeout * LIST } else { self.timeout };
        self.pool.with(
            || self.open(),
            |session| {
                let values = values.clone();
                session.ask(which, limit * PATIENCE, move |connected, gate| {
                    let Connected { client, prepared } = connected;
                    let statement = prepared.get(&which).ok_or_else(|| which.wrong("there is no such statement"))?;
                    let failed = |error| failed(which, &error);
                    let mut transaction = client.transaction().map_err(failed)?;
                    if which == Which::List {
                        let text = format!("SET LOCAL statement_timeout = {}", limit.as_millis());
                        transaction.batch_execute(&text).map_err(failed)?;
                    }
                    work(which, &values, transaction, statement, gate)
                })
            },
        )
    }
}

impl Database for Postgres {
    fn read(&self, which: Which, values: &Values) -> Result<Vec<Result<User, Unusable>>, DirectoryError> {
        self.ask(which, values, |which, values, mut transaction, (statement, parameters), _| {
            let failed = |error| failed(which, &error);
            let bound = bound(which, values, statement, parameters)?;
            let mut rows = transaction.query_raw(statement, bound).map_err(failed)?;
            let mut users = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                let mut cells = [const { Cell::Null }; User::COLUMNS];
                for (column, cell) in cells.iter_mut().enumerate().take(row.len()) {
                    *cell = row.try_get(column).map_err(|error| which.answer(message(&error)))?;
                }
                users.push(listed::read(which, cells));
            }
            Ok(users)
        })
    }

    fn change(&self, which: Which, values: &Values) -> Result<Changed, DirectoryError> {
        self.ask(which, values, |which, values, mut transaction, (statement, parameters), gate| {
            let failed = |error| failed(which, &error);
            let bound = bound(which, values, statement, parameters)?;
            let mut answer = transaction.query_raw(statement, bound).map_err(failed)?;
            let mut first = None;
            while let Some(row) = answer.next().map_err(failed)? {
                if first.is_none() && !row.is_empty() {
                    first = Some(row.try_get(0).map_err(|error| which.answer(message(&error)))?);
                }
            }
            let rows = answer.rows_affected().unwrap_or(0);
            drop(answer);
            if rows > 1 {
                return Err(DirectoryError::TooMany { statement: which.name(), rows });
            }
            if !gate.commit() {
                return Err(DirectoryError::Busy { why: "nobody waits any more".to_owned() });
            }
            transaction.commit().map_err(|error| uncommitted(which, &error))?;
            Ok(Changed { rows, first })
        })
    }

    fn describe(&self) -> String {
        let mut words = vec!["PostgreSQL".to_owned()];
        for host in self.config.get_hosts() {
            words.push(match host {
                Host::Tcp(name) => format!("host={name}"),
                Host::Unix(folder) => format!("host={}", folder.display()),
            });
        }
        words.extend(self.config.get_ports().iter().map(|port| format!("port={port}")));
        words.extend(self.config.get_dbname().map(|name| format!("dbname={name}")));
        words.extend(self.config.get_user().map(|name| format!("user={name}")));
        words.join(" ")
    }
}

fn prepare(client: &mut Client, statements: &Statements, timeout: Duration) -> Result<Prepared, DirectoryError> {
    let limit = timeout.as_millis();
    // A transaction of ours that hangs must not keep a user's row locked. What is committed must be on the disk, because
    // the old home is purged on the strength of it. And texts are read here as the server reads them.
    let settings = format!(
        "SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {limit}; SET standard_conforming_strings = on; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    );
    client.batch_execute(&settings).map_err(|error| unconnected(&error))?;
    let mut prepared = Prepared::new();
    for which in Which::ALL {
        let Some(text) = which.text(statements) else { continue };
        let (text, names) = numbered(text).map_err(|why| which.wrong(why))?;
        let parameters = which.parameters(names.iter().map(String::as_str))?;
        let statement = client.prepare(&text).map_err(|error| match failed(which, &error) {
            passing if passing.is_passing() => passing,
            _ => which.wrong(message(&error)),
        })?;
        for (parameter, of) in parameters.iter().zip(statement.params()) {
            let any = if parameter.is_text() { Value::Text(String::new()) } else { Value::Whole(0) };
            encoded(&any, of).map_err(|why| which.wrong(format!("`:{}` would be {why}", parameter.name())))?;
        }
        which.check_columns(statement.columns().len())?;
        prepared.insert(which, (statement, parameters));
    }
    Ok(prepared)
}

fn bound(
    which: Which,
    values: &Values,
    statement: &Statement,
    parameters: &[Parameter],
) -> Result<Vec<value::Encoded>, DirectoryError> {
    let one = |(parameter, of): (&Parameter, &postgres::types::Type)| {
        let known = values.iter().find(|(known, _)| known == parameter);
        let (_, value) = known.expect("what a statement may ask for is given");
        encoded(value, of).map_err(|why| DirectoryError::Failed { statement: which.name(), why })
    };
    parameters.iter().zip(statement.params()).map(one).collect()
}

/// The password alone, from a file that only its owner can read.
fn password(file: &Path) -> Result<String, DirectoryError> {
    let wrong = |why: String| DirectoryError::Password { file: file.to_owned(), why };
    let mut opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    let data = opened.metadata().map_err(|error| wrong(error.to_string()))?;
    if !data.is_file() {
        return Err(wrong("it is not a file".to_owned()));
    }
    if data.mode() & 0o077 != 0 {
        return Err(wrong(format!("others can read it (mode {:03o}); `chmod 600`", data.mode() & 0o777)));
    }
    let mut text = String::new();
    opened.by_ref().take(MOST_PASSWORD + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() || password.contains(['\n', '\0']) || text.len() as u64 > MOST_PASSWORD {
        return Err(wrong("it must hold the password alone, in one line".to_owned()));
    }
    Ok(password.to_owned())
}

/// A server that is not there, or does not let us in.
fn unconnected(error: &postgres::Error) -> DirectoryError {
    DirectoryError::Lost { why: message(error) }
}

fn failed(which: Which, error: &postgres::Error) -> DirectoryError {
    let why = message(error);
    let Some(code) = error.code() else { return DirectoryError::Lost { why } };
    let gone = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        // A former primary: another connection may find the present one.
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    let busy = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    if gone.contains(code) || code.code().starts_with("08") {
        DirectoryError::Lost { why }
    } else if busy.contains(code) || code.code().starts_with("53") {
        DirectoryError::Busy { why }
    } else {
        DirectoryError::Failed { statement: which.name(), why }
    }
}

/// A commit that the server has refused did not happen; of one without an answer nobody knows.
fn uncommitted(which: Which, error: &postgres::Error) -> DirectoryError {
    match failed(which, error) {
        DirectoryError::Lost { why } => DirectoryError::Uncertain { statement: which.name(), why },
        known => known,
    }
}

/// The library's own words are few; what matters is in what caused it.
fn message(error: &postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
