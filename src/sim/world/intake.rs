//! New accounts, which go straight onto the new hardware.

use super::World;
use crate::fleet::ClusterId;
use crate::sim::recording::Outcomes;
use crate::units::Bytes;

/// New accounts and where they go. They come in parts of one at each step of the load: what is left of whole bytes, inodes and
/// millionths of an operation a second waits for the next.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Where the machine sends them.
    pub(super) cluster: Option<ClusterId>,
    /// How many come in a second.
    pub(super) accounts_s: f64,
    /// Those that wait for a cluster to be in service.
    pub(super) waiting: f64,
    /// What the user of one asks for, in millionths of an operation a second.
    pub(super) activity: f64,
    bytes_rest: f64,
    mailboxes_rest: f64,
    messages_rest: f64,
    activity_rest: f64,
}

/// The whole part of something with what was left before; the rest waits.
fn whole(amount: f64, rest: &mut f64) -> u64 {
    let all = amount + *rest;
    *rest = all.fract();
    all as u64
}

impl<O: Outcomes> World<'_, O> {
    /// Brings the new accounts that have come to their cluster. Before the machine has chosen one that is the first in
    /// service, and where none is, they wait for it.
    pub(super) fn take_in_accounts(&mut self) {
        let population = &self.scenario.model.population;
        let first = || self.clusters.iter().position(|cluster| cluster.state.in_service);
        let intake = &mut self.intake;
        let Some(at) = intake.cluster.map(ClusterId::index).or_else(first) else { return };
        let accounts = std::mem::take(&mut intake.waiting);
        let size = population.new_account_size.get() as f64;
        let bytes = whole(accounts * size, &mut intake.bytes_rest);
        let activity = whole(accounts * intake.activity, &mut intake.activity_rest);
        let state = &mut self.clusters[at].state;
        let mut messages = 0;
        if state.inodes_used().is_some() {
            // Their directories and index files, and the messages that they begin with.
            let of_each = size / population.message_mean.get().max(1) as f64;
            state.add_mailboxes(whole(accounts, &mut intake.mailboxes_rest));
            messages = whole(accounts * of_each, &mut intake.messages_rest);
        }
        state.settle(Bytes::new(bytes), messages, activity);
    }
}
