//! Tests of the whole program from outside, one binary.

mod bad_input;
mod cli;
mod closed_form;
#[cfg(target_os = "linux")]
mod contract;
mod founding;
#[cfg(target_os = "linux")]
mod front_ends;
mod good_file;
#[cfg(target_os = "linux")]
mod hanging_switch;
#[cfg(target_os = "linux")]
mod last_known;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod operation;
#[cfg(target_os = "linux")]
mod parity;
#[cfg(target_os = "linux")]
mod production;
#[cfg(target_os = "linux")]
mod production_faults;
mod site;
#[cfg(target_os = "linux")]
mod site_world;
