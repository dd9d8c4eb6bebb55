//! `drawdown` forecasts when a throttled storage migration will be done, and is built to run that migration.
//!
//! The layers, each of which uses only those before it:
//!
//! | layer | holds |
//! |---|---|
//! | [`units`] | time, bytes, rates, shares |
//! | [`fleet`] | what is where |
//! | [`migration`] | every decision about the migration, pure and deterministic |
//! | [`host`] | the one loop that drives the machine |
//! | [`scenario`] | the checked scenario file: plan, model, forecast settings |
//! | [`sim`] | the simulated world |
//! | [`live`] | the real world, beside `sim` |
//! | [`forecast`] | many replications turned into dates with ranges |
//! | [`report`] | the forecast as tables and files |
//! | [`cli`] | the command line |

#![forbid(unsafe_code)]

pub mod cli;
pub mod fleet;
pub mod forecast;
pub mod host;
#[cfg(target_os = "linux")]
pub mod live;
mod lock;
pub mod migration;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod units;
