//! How a session begins: from facts, whether they come from a ledger, an inventory or a drawn population.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Session;
use super::attempt::FaultRate;
use super::group;
use super::jobs::Jobs;
use super::lane::Lane;
use super::mailbox::{Mailboxes, Phase};
use super::memory::{LaneMemory, Memory};
use super::message::{ClustersSoFar, Command, Fault, Milestone, Reason, Start};
use super::order::{self, Queue};
use super::place::Clusters;
use super::plan::{Plan, Within};
use super::progress::Shares;
use super::purge::Purges;
use super::waves::Waves;
use super::window::WARNING;
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::units::Time;

impl Session {
    pub(super) fn new(now: Time, start: &Start, memory: Memory) -> Self {
        let (plan, facts) = (&start.plan, &start.facts);
        let mut mailboxes = Mailboxes::new(&facts.fleet, memory.states);
        for &(mailbox, attempts) in &facts.attempts {
            mailboxes.set_attempts(mailbox, attempts);
        }
        for &mailbox in plan.order.excluded.iter().filter(|id| id.index() < facts.fleet.len()) {
            leave(&mut mailboxes, mailbox, Phase::Excluded);
        }
        let mut counts: Vec<(u64, u64)> =
            (0..plan.heads.len()).map(|head| facts.fleet.counts(HeadId(head as u8))).collect();
        for &(mailbox, fault) in &facts.set_aside {
            if fault != Fault::Gone {
                leave(&mut mailboxes, mailbox, Phase::SetAside);
            } else if leave(&mut mailboxes, mailbox, Phase::Gone)
                && let Some(head) = mailboxes.head(mailbox)
            {
                // Who was deleted in an earlier session has left, as who is deleted in this one.
                counts[head.index()].1 += 1;
            }
        }
        let mut lanes = lanes(now, start, &mailboxes, &counts, memory.lanes);
        // A plan may name one twice.
        let excluded: BTreeSet<MailboxId> = plan.order.excluded.iter().copied().collect();
        for mailbox in excluded.into_iter().filter(|id| id.index() < facts.fleet.len()) {
            if let (Phase::Excluded, Some(head)) = (mailboxes.phase(mailbox), mailboxes.head(mailbox)) {
                lanes[head.index()].excluded += 1;
            }
        }
        if !facts.set_aside.is_empty() {
            for mailbox in facts.fleet.ids().filter(|id| mailboxes.phase(*id) == Phase::SetAside) {
                if let Some(head) = mailboxes.head(mailbox) {
                    lanes[head.index()].set_aside += 1;
                }
            }
        }
        let mut clusters = Clusters::new(now, &plan.placement, &facts.open);
        for &cluster in known(plan, &facts.clusters.closed) {
            clusters.set_closed(cluster, true);
        }
        let waiting = lanes.iter().map(|lane| u64::from(lane.waiting)).sum();
        let (origins, moved) = counts.iter().fold((0, 0), |all, head| (all.0 + head.0, all.1 + head.1));
        Self {
            number: start.session,
            sequence: 0,
            plan: Arc::clone(plan),
            purge_after: plan.copy.purge_after,
            purge_streams: plan.copy.purge_streams,
            switches: plan.copy.switches,
            mailboxes,
            lanes,
            clusters,
            jobs: Jobs::new(most_jobs(plan)),
            faults: FaultRate::default(),
            waves: match facts.waves {
                Some(so_far) => Waves::go_on(&plan.order.waves, so_far, waiting),
                None => Waves::new(&plan.order.waves, waiting),
            },
            shares: Shares::new(None, &plan.milestones, origins, moved),
            front: 0,
            paused_by_operator: false,
            stopped: None,
            purges_held: false,
            cohort: Time::NEVER,
            intake: None,
            samples_since: Time::LONG_AGO,
            opened: 0,
            filled: 0,
            windows_end_warning: plan.heads.iter().filter_map(|head| head.windows.end).min().map(|end| end - WARNING),
            all_emptied: false,
            decommissioned: false,
            beyond_help: BTreeSet::new(),
            ended: false,
            wake: (now, Reason::Throttle),
            unsettled: false,
        }
    }

    /// The first commands of a session.
    pub(super) fn begin(&mut self, now: Time, start: &Start, out: &mut Vec<Command>) {
        if let Some(purge_after) = self.plan.copy.purge_after {
            for &(mailbox, switched) in &start.facts.unpurged {
                self.mailboxes.set_phase(mailbox, Phase::Moved);
                let origin = start.facts.fleet.origin[mailbox.index()];
                self.lanes[origin.index()].purges.push(switched + purge_after, mailbox);
            }
            for mailbox in &start.facts.kept {
                self.lanes[start.facts.fleet.origin[mailbox.index()].index()].purges.kept += 1;
            }
        }
        if let Some(&first) = self.plan.order.heads.first() {
            self.lanes[first.index()].turn = true;
        }
        self.begin_intake(&start.facts.clusters, out);
        self.announce_opened(&start.facts.fleet, out);
        for head in 0..self.lanes.len() {
            self.announce_shares(HeadId(head as u8), out);
            self.check_emptied(HeadId(head as u8), out);
        }
        self.refresh_all(now, out);
    }
}

impl Session {
    /// Announces the clusters that have been full, and sends new accounts where they went before, unless a session that has
    /// known all this would send them elsewhere.
    fn begin_intake(&mut self, before: &ClustersSoFar, out: &mut Vec<Command>) {
        let clusters = self.clusters.len();
        for &(cluster, of) in before.filled.iter().filter(|(cluster, _)| cluster.index() < clusters) {
            self.filled |= 1 << cluster.index();
            self.announce(Milestone::ClusterFull { cluster, of }, out);
        }
        let last = before.intake.filter(|cluster| cluster.index() < clusters);
        let cluster = last.filter(|cluster| self.is_for_intake(*cluster));
        self.send_intake(cluster.or_else(|| self.clusters.intake(self.filled, last)), out);
    }

    /// Announces the clusters that hold mailboxes already, as shares that have been reached already are announced too.
    fn announce_opened(&mut self, fleet: &Fleet, out: &mut Vec<Command>) {
        let mut held = [false; Home::COUNT];
        for home in &fleet.home {
            held[home.index()] = true;
        }
        self.opened = (0..self.plan.placement.clusters.len())
            .filter(|place| held[Home::cluster(ClusterId(*place as u8)).index()])
            .fold(0, |opened, place| opened | 1 << place);
        for place in 0..self.plan.placement.clusters.len() {
            if self.opened & (1 << place) != 0 {
                self.announce(Milestone::ClusterOpened { cluster: ClusterId(place as u8) }, out);
            }
        }
    }
}

/// Those of the clusters that the plan knows.
fn known<'a>(plan: &Plan, clusters: &'a [ClusterId]) -> impl Iterator<Item = &'a ClusterId> {
    let count = plan.placement.clusters.len();
    clusters.iter().filter(move |cluster| cluster.index() < count)
}

/// Takes a mailbox out of what waits; says whether it was there.
fn leave(mailboxes: &mut Mailboxes, mailbox: MailboxId, phase: Phase) -> bool {
    let waits = mailboxes.phase(mailbox) == Phase::Waiting;
    if waits {
        mailboxes.set_phase(mailbox, phase);
    }
    waits
}

fn lanes(
    now: Time,
    start: &Start,
    mailboxes: &Mailboxes,
    counts: &[(u64, u64)],
    mut memory: Vec<LaneMemory>,
) -> Vec<Lane> {
    let (plan, facts, fleet) = (&start.plan, &start.facts, &start.facts.fleet);
    // One pass over the fleet for all heads.
    memory.resize_with(counts.len(), LaneMemory::default);
    for (lane, (all, left)) in memory.iter_mut().zip(counts) {
        lane.order.reserve_exact((all - left) as usize);
    }
    for (row, home) in fleet.home.iter().enumerate() {
        if let Some(head) = home.as_head() {
            memory[head.index()].order.push(MailboxId(row as u32));
        }
    }
    let all_wait = plan.order.excluded.is_empty() && facts.set_aside.is_empty();
    let lane = |(head, LaneMemory { order: mut waiting, due }): (HeadId, LaneMemory)| {
        if !all_wait {
            waiting.retain(|id| mailboxes.phase(*id) == Phase::Waiting);
        }
        // Rows come in the order of the inventory.
        if plan.order.within != Within::Inventory {
            order::sort(plan.order.within, fleet, &mut waiting);
        }
        if plan.order.within == Within::WholeGroups {
            group::begun_first(fleet, head, &mut waiting);
        }
        let of_head = |(id, _): &&(MailboxId, Time)| {
            fleet.home.get(id.index()).is_some_and(|home| home.as_head() == Some(head))
                && mailboxes.phase(*id) == Phase::Waiting
        };
        let scheduled: Vec<(Time, MailboxId)> =
            plan.order.scheduled.iter().filter(of_head).map(|(id, at)| (*at, *id)).collect();
        let count = waiting.len() as u32;
        if !scheduled.is_empty() {
            let by_hand: BTreeSet<MailboxId> = scheduled.iter().map(|(_, id)| *id).collect();
            waiting.retain(|id| !by_hand.contains(id));
        }
        let (origins, moved) = counts[head.index()];
        let shares = Shares::new(Some(head), &plan.milestones, origins, moved);
        let mut queue = Queue::new(waiting, scheduled);
        if plan.order.within == Within::WholeGroups {
            queue = queue.with_whole_groups(fleet);
        }
        let mut lane = Lane::new(&plan.heads[head.index()], now, queue, shares);
        lane.waiting = count;
        if plan.copy.purge_after.is_some() {
            lane.purges = Purges::new(count, due);
        }
        lane
    };
    memory.into_iter().enumerate().map(|(head, memory)| lane((HeadId(head as u8), memory))).collect()
}

fn most_jobs(plan: &Plan) -> usize {
    let copies: usize = plan.heads.iter().map(|head| usize::from(head.throttle.ceiling())).sum();
    // A copy that has ended gives its stream to the next one while it waits to switch: as many again.
    2 * copies + plan.heads.len() * (usize::from(plan.copy.switches) + usize::from(plan.copy.purge_streams))
}
