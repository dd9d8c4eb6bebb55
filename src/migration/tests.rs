//! Tests of the machine as a whole: a naive world, an oracle that checks that world, and the rules one by one.

mod attempts;
mod audits;
mod binding;
mod desk;
mod dice;
mod facts;
mod oracle;
mod plans;
mod properties;
mod purges;
mod rules;
mod scenarios;
mod sessions;
mod trouble;
mod turns;
mod waves;
mod world;
