//! A machine told one event at a time, for the tests of single rules.

use std::sync::Arc;

use super::plans::{at, fleet, percent, plain};
use crate::fleet::{ClusterId, HeadId};
use crate::migration::Migration;
use crate::migration::message::{
    Binding, CORE_VERSION, Command, EffectId, Event, Facts, Limit, Milestone, Next, Order, Start,
};
use crate::migration::plan::{InodePlan, Law, Level, Plan};
use crate::units::{Bytes, Inodes, Latency, Share, Time};

pub(super) const HEAD: HeadId = HeadId(0);
pub(super) const A: ClusterId = ClusterId(0);
pub(super) const B: ClusterId = ClusterId(1);

/// A machine told one event at a time.
pub(super) struct Desk {
    pub(super) machine: Migration,
    pub(super) now: Time,
    pub(super) said: Vec<Command>,
}

impl Desk {
    /// Ten mailboxes of 100 bytes on one head; both clusters are open and sampled.
    pub(super) fn open(plan: Plan) -> Self {
        Self::with(plan, &[(0, 100); 10])
    }

    pub(super) fn with(plan: Plan, rows: &[(u8, u64)]) -> Self {
        let facts = Facts { fleet: Arc::new(fleet(rows)), open: vec![A, B], ..Facts::default() };
        Self::started(plan, facts)
    }

    pub(super) fn started(plan: Plan, facts: Facts) -> Self {
        let mut desk = Self { machine: Migration::new(), now: at(0), said: Vec::new() };
        let start = Start { session: 1, version: CORE_VERSION, plan: Arc::new(plan), facts };
        desk.tell(0, Event::Started(Arc::new(start)));
        desk.fill(0, A, 0);
        desk.fill(0, B, 0);
        desk
    }

    /// What a session announces as it begins.
    pub(super) fn first_words(plan: Plan, facts: Facts) -> Vec<Milestone> {
        let mut desk = Self { machine: Migration::new(), now: at(0), said: Vec::new() };
        let start = Start { session: 1, version: CORE_VERSION, plan: Arc::new(plan), facts };
        desk.tell(0, Event::Started(Arc::new(start)));
        let announced = |command: &Command| match command {
            Command::Announce { milestone, .. } => Some(*milestone),
            _ => None,
        };
        desk.said.iter().filter_map(announced).collect()
    }

    #[allow(clippy::needless_pass_by_value, reason = "every caller makes the event on the spot")]
    pub(super) fn tell(&mut self, second: i64, event: Event) -> Next {
        self.now = at(second);
        self.said.clear();
        self.machine.step(self.now, &event, &mut self.said)
    }

    pub(super) fn fill(&mut self, second: i64, cluster: ClusterId, used: u64) {
        self.fill_both(second, cluster, used, None);
    }

    pub(super) fn fill_both(&mut self, second: i64, cluster: ClusterId, used: u64, inodes: Option<u64>) {
        let (utilisation, latency, measured_at) = (Share::ZERO, Latency::default(), at(second));
        let (used, inodes) = (Bytes::new(used), inodes.map(Inodes::new).into());
        self.tell(second, Event::ClusterSampled { cluster, measured_at, used, inodes, utilisation, latency });
    }

    pub(super) fn sample(&mut self, second: i64, utilisation: u32) {
        let (latency, utilisation) = (Latency::from_micros(1_000), percent(utilisation));
        self.tell(
            second,
            Event::HeadSampled { head: HEAD, measured_at: at(second), utilisation, latency, held_by: None },
        );
    }

    pub(super) fn order(&mut self, second: i64, order: Order) {
        self.tell(second, Event::Operator(order));
    }

    pub(super) fn started_copies(&self) -> Vec<EffectId> {
        let starts = self.said.iter().filter(|command| matches!(command, Command::StartCopy { .. }));
        starts.map(Command::effect).collect()
    }

    pub(super) fn pace(&self) -> Option<u16> {
        self.said.iter().find_map(|command| match command {
            Command::SetPace { streams, .. } => Some(*streams),
            _ => None,
        })
    }

    pub(super) fn announced(&self, milestone: Milestone) -> bool {
        self.said
            .iter()
            .any(|command| matches!(command, Command::Announce { milestone: said, .. } if *said == milestone))
    }

    pub(super) fn abandoned(&self) -> Vec<EffectId> {
        self.said.iter().filter(|command| matches!(command, Command::Abandon { .. })).map(Command::effect).collect()
    }

    pub(super) fn copied(&mut self, second: i64, effect: EffectId, limit: Limit) {
        self.tell(second, Event::CopyEnded { effect, bytes: Bytes::new(100), messages: 1, limit });
    }

    pub(super) fn binding(&self) -> Binding {
        self.machine.binding(HEAD)
    }
}

pub(super) fn aimd() -> Plan {
    let mut plan = plain(1);
    let target = Level::Utilisation(percent(80));
    plan.heads[0].throttle.law = Law::Aimd { target, start: 4, hysteresis: percent(90) };
    plan.heads[0].throttle.pause_above = Some(Level::Utilisation(percent(90)));
    plan.heads[0].throttle.abort_above = Some(Level::Utilisation(percent(95)));
    plan
}

/// Clusters of 100 inodes that may be filled with 40 and take mailboxes again at 20, for mailboxes that take eleven each.
pub(super) fn of_few_inodes() -> Plan {
    let mut plan = plain(1);
    plan.placement.reopen_below = percent(20);
    plan.placement.inodes_per_mailbox = Inodes::new(10);
    for cluster in &mut plan.placement.clusters {
        let (rated, full_at) = (Inodes::new(100), percent(40));
        cluster.inodes = Some(InodePlan { rated, full_at, assumed_a_day: Inodes::ZERO });
    }
    plan
}
