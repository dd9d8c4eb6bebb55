//! The migration core: every decision about the migration, pure and deterministic.
//!
//! No I/O, clock, generator, thread or log: time is an argument, and the same events give the same commands. Production
//! and simulation run this unchanged.
//!
//! [`Migration::step`] takes in one event and says what is to be done about it. The modules compute and return: which
//! mailbox next (`order`), to which cluster (`place`) and how full it may be by now (`fill`, and of many side by side `level`), how
//! fast (`throttle`), when (`window`), what after a failure (`attempt`), how far (`progress`); the branches are here and in `react` (events),
//! `dispatch` (what to start) and `purge` (old copies).
//!
//! Nearly every step is the end of a copy, a switch or a purge after which things go on as before. What would be asked then
//! is worked out once (`gate`), and every short cut falls back on the way that asks everything.

pub(crate) mod attempt;
mod dispatch;
mod due;
mod fill;
mod gate;
mod group;
mod jobs;
mod lane;
mod level;
mod mailbox;
mod memory;
pub mod message;
mod operator;
pub(crate) mod order;
mod place;
pub mod plan;
mod progress;
mod purge;
mod react;
mod start;
mod throttle;
mod waves;
mod window;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::units::{Rate, Room, Span, Time};
use attempt::FaultRate;
use due::{Due, NOTHING_DUE, sooner};
use jobs::Jobs;
use lane::Lane;
use mailbox::Mailboxes;
use message::{Binding, Command, EffectId, Event, Milestone, Next, Reason, Start, StopCause};
use place::Clusters;
use plan::Plan;
use progress::Shares;
use waves::Waves;

pub use mailbox::Phase;
pub use memory::Memory;

/// The machine.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// `None` until `Started`.
    session: Option<Box<Session>>,
    /// For the session that is to begin.
    memory: Memory,
}

/// Everything that a session knows.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, not the states of one thing")]
struct Session {
    number: u16,
    sequence: u64,
    plan: Arc<Plan>,
    /// What the plan says of purges and switches: asked too often to be looked up there.
    purge_after: Option<Span>,
    purge_streams: u16,
    switches: u16,
    mailboxes: Mailboxes,
    lanes: Vec<Lane>,
    clusters: Clusters,
    jobs: Jobs,
    faults: FaultRate,
    waves: Waves,
    shares: Shares,
    /// Place in the plan's order of the last head that has its turn.
    front: usize,
    paused_by_operator: bool,
    stopped: Option<StopCause>,
    purges_held: bool,
    /// Old copies of what was switched from here on are kept.
    cohort: Time,
    intake: Option<ClusterId>,
    /// Samples that were measured earlier say nothing: when the clock was last set.
    samples_since: Time,
    /// Clusters on which something was placed, a bit each.
    opened: u64,
    /// Clusters that have been full, a bit each.
    filled: u64,
    /// When the end of the first calendar to end is to be announced; `None` once that has been done.
    windows_end_warning: Option<Time>,
    all_emptied: bool,
    decommissioned: bool,
    /// Set aside, and no person can change that in this session: too large for every cluster.
    beyond_help: BTreeSet<MailboxId>,
    ended: bool,
    /// The earliest instant at which something is due, and what; possibly too early, never too late.
    wake: Due,
    /// Whether something has changed that `wake` or the heads' turns depend on.
    unsettled: bool,
}

impl Migration {
    /// A machine that waits for `Started`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with memory that an earlier session has left: nothing but the time that it takes to begin hangs on it.
    #[must_use]
    pub fn with_memory(memory: Memory) -> Self {
        Self { session: None, memory }
    }

    /// The memory of this machine, for another one.
    #[must_use]
    pub fn into_memory(self) -> Memory {
        self.session.map_or(self.memory, |session| Memory::of(*session))
    }

    /// Takes in one event and says what is to be done about it; `now` never goes back. Events before `Started` change
    /// nothing.
    #[inline(always)]
    pub fn step(&mut self, now: Time, event: &Event, out: &mut Vec<Command>) -> Next {
        // Nearly always nothing is due yet, and nothing is left to be settled afterwards.
        let finished = if let Some(session) = &mut self.session
            && now < session.wake.0
            && session.react(now, event, out)
        {
            !session.is_settled(now) && session.settle(now, false, out)
        } else {
            self.step_due(now, event, out)
        };
        match &self.session {
            Some(_) if finished => Next::Finished,
            Some(session) => Next::Wait { until: session.wake.0, why: session.wake.1 },
            None => Next::Wait { until: Time::NEVER, why: Reason::Idle },
        }
    }

    /// A step at which something is due, or with which a session begins, or before the first one or after the last. Says
    /// whether nothing is left to be done.
    #[inline(never)]
    fn step_due(&mut self, now: Time, event: &Event, out: &mut Vec<Command>) -> bool {
        if let Event::Started(start) = event {
            self.begin(now, start, out);
        }
        let Some(session) = &mut self.session else { return false };
        if session.ended {
            return true;
        }
        // First the calendar: nothing may start on a pace that a window has just taken back. An order of the same instant
        // comes before it, and everything else that is due comes after the event, which may stop it.
        let due = now >= session.wake.0;
        if due && !matches!(event, Event::Operator(_)) {
            session.set_paces(now, out);
        }
        session.react(now, event, out);
        session.settle(now, due, out)
    }

    #[cold]
    fn begin(&mut self, now: Time, start: &Start, out: &mut Vec<Command>) {
        let memory = std::mem::take(&mut self.memory);
        let session = self.session.insert(Box::new(Session::new(now, start, memory)));
        session.begin(now, start, out);
    }

    /// What binds a head now.
    #[must_use]
    pub fn binding(&self, head: HeadId) -> Binding {
        self.lane(head).map_or(Binding::NotItsTurn, |lane| lane.account.binding())
    }

    /// How long each cause has bound a head until `now`; together the time since the session began.
    #[must_use]
    pub fn bound(&self, head: HeadId, now: Time) -> [Span; Binding::COUNT] {
        self.lane(head).map_or([Span::ZERO; Binding::COUNT], |lane| lane.account.bound(now))
    }

    /// Mailboxes of a head that wait for a person.
    #[must_use]
    pub fn set_aside(&self, head: HeadId) -> u32 {
        self.lane(head).map_or(0, |lane| lane.set_aside)
    }

    /// Mailboxes of a head that the plan leaves there.
    #[must_use]
    pub fn excluded(&self, head: HeadId) -> u32 {
        self.lane(head).map_or(0, |lane| lane.excluded)
    }

    /// Mailboxes that are still to leave a head.
    #[must_use]
    pub fn left(&self, head: HeadId) -> u32 {
        self.lane(head).map_or(0, Lane::left)
    }

    /// Mailboxes of a head that wait for their copy.
    #[must_use]
    pub fn waiting(&self, head: HeadId) -> u32 {
        self.lane(head).map_or(0, |lane| lane.waiting)
    }

    /// Moved mailboxes of a head whose old copies are still to be removed.
    #[must_use]
    pub fn unpurged(&self, head: HeadId) -> u64 {
        self.lane(head).map_or(0, |lane| lane.purges.left())
    }

    /// Old copies on a head that stay there for a person: a stopped cohort's, and those that could not be purged.
    #[must_use]
    pub fn kept(&self, head: HeadId) -> u32 {
        self.lane(head).map_or(0, |lane| lane.purges.kept)
    }

    /// The pace last asked for on a head: copies that may progress, and the cap on the sum of their speeds.
    #[must_use]
    pub fn pace(&self, head: HeadId) -> Option<(u16, Rate)> {
        self.lane(head)?.pace.map(|pace| (pace.streams, pace.rate))
    }

    /// Copies under way from a head, suspended ones included.
    #[must_use]
    pub fn copying(&self, head: HeadId) -> u16 {
        self.lane(head).map_or(0, |lane| lane.copying)
    }

    /// Where a mailbox stands; `None` for one that is not known.
    #[must_use]
    pub fn phase(&self, mailbox: MailboxId) -> Option<Phase> {
        let session = self.session.as_ref()?;
        session.mailboxes.knows(mailbox).then(|| session.mailboxes.phase(mailbox))
    }

    /// The number of mailboxes known.
    #[must_use]
    pub fn mailboxes(&self) -> usize {
        self.session.as_ref().map_or(0, |session| session.mailboxes.len())
    }

    /// What is reserved on a cluster for what is in flight to it; no inodes where no cluster has a limit of them.
    #[must_use]
    pub fn reserved(&self, cluster: ClusterId) -> Room {
        self.session.as_ref().map_or(Room::ZERO, |session| session.clusters.reserved(cluster))
    }

    /// What is in flight: mailbox, target and reservation of every job that has not ended.
    pub fn in_flight(&self) -> impl Iterator<Item = (MailboxId, ClusterId, Room)> {
        let jobs = self.session.iter().flat_map(|session| session.jobs.iter());
        jobs.filter(|job| job.stage != jobs::Stage::Purging).map(|job| (job.mailbox, job.cluster, job.reserved))
    }

    /// How full a cluster may be by now, everything on its way included.
    #[must_use]
    pub fn fill_estimate(&self, now: Time, cluster: ClusterId) -> Room {
        self.session.as_ref().map_or(Room::ZERO, |session| session.clusters.estimate(now, cluster))
    }

    fn lane(&self, head: HeadId) -> Option<&Lane> {
        self.session.as_ref()?.lanes.get(head.index())
    }
}

impl Session {
    fn paused(&self) -> bool {
        self.paused_by_operator || self.stopped.is_some()
    }

    /// The id of an effect without a job.
    fn effect(&mut self) -> EffectId {
        self.sequence += 1;
        EffectId::new(self.number, self.sequence, EffectId::NO_SLOT)
    }

    fn announce(&mut self, milestone: Milestone, out: &mut Vec<Command>) {
        let effect = self.effect();
        out.push(Command::Announce { effect, milestone });
    }

    fn stop(&mut self, now: Time, why: StopCause, out: &mut Vec<Command>) {
        if self.stopped.is_none() {
            self.stopped = Some(why);
            self.announce(Milestone::Stopped { why }, out);
            self.refresh_all(now, out);
        }
    }

    /// Whether an event has left nothing to be done but to wait.
    #[inline(always)]
    fn is_settled(&self, now: Time) -> bool {
        now < self.wake.0 && !self.unsettled && !self.waves.is_full() && (!self.all_emptied || !self.purged())
    }

    /// What few events call for: waves, what is due, the next head's turn, the next wake-up. Says whether nothing is left to
    /// be done.
    #[inline(never)]
    fn settle(&mut self, now: Time, due: bool, out: &mut Vec<Command>) -> bool {
        // The event may have brought something that is due at once: the next wake-up no longer tells of it.
        let due = due || now >= self.wake.0;
        if !self.ended && (due || self.unsettled || self.waves.is_full()) {
            if self.waves.is_full() {
                self.advance_waves(now, out);
            }
            if self.unsettled {
                self.renew_wake(now);
            }
            if due || now >= self.wake.0 {
                self.due(now, out);
            }
            self.pass_turn(now, out);
            self.offer_place(now, out);
            if self.unsettled {
                self.renew_wake(now);
            }
        }
        if self.ended || (self.all_emptied && self.purged() && !self.waits_for_person()) {
            return true;
        }
        let (until, why) = self.wake;
        assert!(until > now, "a wake-up for {why:?} at {until:?} does not lie ahead of {now:?}");
        false
    }

    /// Gives the next head its turn where the plan's overlap allows.
    fn pass_turn(&mut self, now: Time, out: &mut Vec<Command>) {
        while let Some(&next) = self.plan.order.heads.get(self.front + 1) {
            let current = self.plan.order.heads[self.front];
            if !self.lanes[current.index()].gives_way(self.plan.order.overlap) {
                return;
            }
            self.front += 1;
            self.lanes[next.index()].turn = true;
            self.refresh(now, next, out);
        }
    }

    /// Offers the place in a wave of one that has found no room to whoever waits for it, and takes the wave on where it was
    /// the last one.
    fn offer_place(&mut self, now: Time, out: &mut Vec<Command>) {
        if self.waves.is_full() {
            self.advance_waves(now, out);
        }
        // Each time a copy has been given up.
        while self.waves.take_place() {
            self.refresh_all(now, out);
            self.pass_turn(now, out);
        }
    }

    #[inline(never)]
    fn purged(&self) -> bool {
        self.purge_after.is_none() || self.lanes.iter().all(|lane| lane.purges.is_empty())
    }

    /// Whether a mailbox of any head waits for a person for whom the plan waits.
    fn waits_for_person(&self) -> bool {
        (0..self.lanes.len()).any(|head| self.waits_for_person_on(HeadId(head as u8)))
    }

    /// The same of one head.
    #[inline]
    fn waits_for_person_on(&self, head: HeadId) -> bool {
        let set_aside = self.lanes[head.index()].set_aside as usize;
        self.plan.attempts.wait_for_person && set_aside > 0 && {
            let beyond = self.beyond_help.iter().filter(|mailbox| self.mailboxes.head(**mailbox) == Some(head));
            set_aside > beyond.count()
        }
    }

    /// Computes `wake` anew, after everything due until `now` has been done. Once a step is enough, however much of what it
    /// depends on has changed.
    fn renew_wake(&mut self, now: Time) {
        self.unsettled = false;
        let soak = self.waves.soak_ends().map_or(NOTHING_DUE, |end| (end, Reason::Soak));
        let warning = self.windows_end_warning.map_or(NOTHING_DUE, |at| (at, Reason::Window));
        let mut wake = sooner(soak, warning);
        for lane in &self.lanes {
            wake = sooner(lane.next_due(now), wake);
        }
        self.wake = wake;
    }
}

#[cfg(test)]
mod tests;
