//! Production: a host over real storage for the same machine that the simulator drives.
//!
//! | room | holds |
//! |---|---|
//! | [`clock`] | instants that never go back |
//! | [`probe`] | load and fill of the stores |
//! | [`maildir`] | one mailbox's files: copied, compared, fenced, removed |
//! | [`pace`] | how many copies may progress, and how fast |
//! | [`directory`] | who lives where, and who may change it |
//! | [`front`] | the machines that serve mailboxes |
//! | [`command`] | a program run with limits: time, output, no shell |
//! | [`ledger`] | what has happened, before anything is done about it |
//!
//! It knows nothing of the simulation, of forecasts and of reports.

pub mod clock;
pub mod command;
pub mod directory;
pub mod front;
pub mod ledger;
pub mod maildir;
pub mod pace;
pub mod probe;
pub mod wire;
