//! Connections that are used again, and thrown away when they break.

use std::sync::{Mutex, PoisonError};

use super::error::DirectoryError;

/// So many unused connections are kept; there are as many used ones as threads that ask.
const MOST_IDLE: usize = 8;

/// A connection that can tell whether it is good for another question.
pub(super) trait Connection {
    fn usable(&self) -> bool;
}

pub(super) struct Pool<C> {
    idle: Mutex<Vec<C>>,
}

impl<C: Connection> Pool<C> {
    pub(super) fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()) }
    }

    /// Does something with a connection, an unused or a new one. One that turns out to be broken before anything was
    /// changed is replaced by a new one, once: after a restart of the database nobody needs to hear of it.
    pub(super) fn with<T>(
        &self,
        connect: impl FnOnce() -> Result<C, DirectoryError>,
        work: impl Fn(&mut C) -> Result<T, DirectoryError>,
    ) -> Result<T, DirectoryError> {
        if let Some(mut connection) = self.take() {
            let done = work(&mut connection);
            if !matches!(done, Err(DirectoryError::Lost { .. })) {
                self.give_back(connection);
                return done;
            }
            // The others have most likely gone the same way.
            self.clear();
        }
        let mut connection = connect()?;
        let done = work(&mut connection);
        self.give_back(connection);
        done
    }

    pub(super) fn give_back(&self, connection: C) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.usable() && idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }

    fn take(&self) -> Option<C> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
