//! Production: a host over real storage for the same machine that the simulator drives.
//!
//! | room | holds |
//! |---|---|
//! | [`session`] | a session from its start to its end |
//! | [`production`] | the host: effects begun, events told |
//! | [`mover`] | what a worker does: copy, switch, purge, in the order that loses nothing |
//! | [`maildir`] | one mailbox's files: copied, compared, fenced, removed |
//! | [`pace`] | how many copies may progress, and how fast |
//! | [`directory`] | who lives where, and who may change it |
//! | `facts`, `group` | what is where when a session begins, and who belongs together |
//! | [`front`] | the machines that serve mailboxes |
//! | [`probe`] | load and fill of the stores |
//! | [`clock`] | instants that never go back |
//! | [`ledger`], [`wire`] | what has happened, before anything is done about it |
//! | [`journal`], [`recorder`], [`status`], [`log`], [`lines`] | who writes that down, and what people see of it |
//! | [`control`] | the socket on which it is asked and ordered |
//! | [`metrics`] | what Prometheus is told |
//! | [`command`] | a program run with limits: time, output, no shell |
//! | [`outlook`] | what a run would do, without doing it |
//! | [`preflight`] | what has to be true before a migration begins |
//! | [`rehearsal`] | a small world to try a plan in |
//!
//! It knows nothing of the simulation, of forecasts and of reports.

pub mod clock;
pub mod command;
pub mod control;
pub mod directory;
mod facts;
pub mod front;
mod group;
pub mod journal;
pub mod ledger;
pub mod lines;
pub mod log;
pub mod maildir;
pub mod metrics;
pub mod mover;
pub mod outlook;
pub mod pace;
pub mod preflight;
pub mod probe;
pub mod production;
pub mod recorder;
pub mod rehearsal;
pub mod session;
pub mod status;
pub mod wire;
