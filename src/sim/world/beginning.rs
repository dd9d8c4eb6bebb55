//! What the world holds when it begins: who lives where, and what was reached before.

use super::World;
use super::stores::Place;
use crate::fleet::{self, ClusterId, HeadId, Home, MailboxId};
use crate::migration::message::{Fault, Milestone};
use crate::scenario::Scenario;
use crate::sim::recording::Outcomes;
use crate::units::{Bytes, Time};

impl<O: Outcomes> World<'_, O> {
    /// A mailbox was deleted before the start, or is to be excused when its head is audited.
    pub(super) fn set_aside_before(&mut self, mailbox: MailboxId, fault: Fault) {
        let place = &mut self.places[mailbox.index()];
        if fault != Fault::Gone {
            *place = Place(place.0 | Place::FAILED);
        } else if let Some(head) = place.head() {
            *place = Place::GONE;
            let state = &mut self.heads[head.index()];
            state.mailboxes -= 1;
            state.activity_micro_op_s -= u64::from(self.fleet.activity_micro_op_s[mailbox.index()]);
        }
    }

    pub(super) fn count_mailboxes(&mut self) {
        // By home, without a question which kind of home it is.
        let mut activity_micro_op_s = [0_u64; Home::COUNT];
        let mut bytes = [Bytes::ZERO; Home::COUNT];
        let facts = self.fleet.activity_micro_op_s.iter().zip(&self.fleet.bytes);
        for (home, (activity, size)) in self.fleet.home.iter().zip(facts) {
            let home = home.index();
            activity_micro_op_s[home] += u64::from(*activity);
            bytes[home] += *size;
        }
        let population = &self.scenario.model.population;
        // Where all was measured together, a new user is as active as the others turn out to be.
        self.intake.activity = match population.measured_activity {
            Some(_) => activity_micro_op_s.iter().sum::<u64>() as f64 / self.fleet.len().max(1) as f64,
            None => population.activity.ops_per_second() * 1e6,
        };
        for (place, head) in self.heads.iter_mut().enumerate() {
            let here = Home::head(HeadId(place as u8));
            head.mailboxes = fleet::count(&self.fleet.home, |home| *home == here);
            head.activity_micro_op_s = activity_micro_op_s[here.index()];
        }
        for (place, cluster) in self.clusters.iter_mut().enumerate() {
            let home = Home::cluster(ClusterId(place as u8)).index();
            cluster.state.settle(bytes[home], 0, activity_micro_op_s[home]);
        }
        if self.scenario.plan.placement.counts_inodes() {
            self.count_inodes();
        }
    }

    /// The inodes of those who live on clusters already.
    #[cold]
    fn count_inodes(&mut self) {
        for (home, messages) in self.fleet.home.iter().zip(&self.fleet.messages) {
            if let Some(cluster) = home.as_cluster() {
                let state = &mut self.clusters[cluster.index()].state;
                state.settle(Bytes::ZERO, u64::from(*messages), 0);
                state.add_mailboxes(1);
            }
        }
    }
}

/// When each milestone that is asked for was reached before the start, if it was.
pub(super) fn reached_before(scenario: &Scenario) -> Vec<Option<Time>> {
    let when =
        |asked: &Milestone| scenario.reached.iter().find(|(milestone, _)| milestone == asked).map(|known| known.1);
    scenario.milestones.iter().map(when).collect()
}
