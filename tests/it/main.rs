//! Tests of the whole program from outside, one binary.

mod announce;
mod bad_input;
mod baseline;
mod calendar;
mod check;
mod cli;
mod closed_form;
mod coarse;
#[cfg(target_os = "linux")]
mod contract;
mod explain;
mod founding;
#[cfg(target_os = "linux")]
mod front_ends;
mod good_file;
#[cfg(target_os = "linux")]
mod hanging_switch;
#[cfg(target_os = "linux")]
mod images;
mod inodes;
mod inventory;
mod inventory_command;
#[cfg(target_os = "linux")]
mod last_known;
#[cfg(target_os = "linux")]
mod ledger;
mod links;
mod load;
#[cfg(target_os = "linux")]
mod lost_lease;
#[cfg(target_os = "linux")]
mod moment;
#[cfg(target_os = "linux")]
mod old_copies;
#[cfg(target_os = "linux")]
mod operation;
#[cfg(target_os = "linux")]
mod operation_refused;
#[cfg(target_os = "linux")]
mod parity;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod points;
#[cfg(target_os = "linux")]
mod production;
#[cfg(target_os = "linux")]
mod production_faults;
#[cfg(target_os = "linux")]
mod production_fill;
#[cfg(target_os = "linux")]
mod production_gone;
#[cfg(target_os = "linux")]
mod production_groups;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod production_injected;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod production_kills;
#[cfg(target_os = "linux")]
mod production_left;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod production_power;
#[cfg(target_os = "linux")]
mod production_rows;
mod recommend;
mod rehearse;
mod report_page;
mod site;
#[cfg(target_os = "linux")]
mod site_world;
#[cfg(target_os = "linux")]
mod stages;
mod sweep;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod throttle;
mod tracer;
mod warnings;
mod what_if;
