//! The simulator, the throttle laws and the statistics against results that nobody here wrote: queueing theory, closed
//! forms, published measurements. `docs/validation.md` shows what comes out, table by table; each table is made by a test
//! here, which fails when the document says anything else. With `DRAWDOWN_UPDATE_DOCS=1` it writes the table instead.

#![allow(clippy::unwrap_used, reason = "tests")]

mod aimd;
mod aqueduct;
mod balance;
mod curves;
mod document;
mod feedback;
mod growth;
mod integral;
mod metamorphic;
mod queues;
mod setup;
mod statistics;
