//! What is where after all that has been recorded: the facts that a forecast, or the next session, starts from.
//!
//! It follows the events by themselves, without running the core: they happened, whatever a core would ask for today. What
//! becomes of a mailbox after a failed attempt is judged as the core judges it.

mod last;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId, NO_GROUP};
use crate::migration::attempt::{self, Verdict};
use crate::migration::message::{
    Batch, ClustersSoFar, Command, EffectId, Event, Facts, Fault, Milestone, Order, Start, WavesSoFar,
};
use crate::migration::plan::Plan;
use crate::units::{Bytes, Time};
pub use last::LastKnown;

/// A job whose end was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// The job.
    pub effect: EffectId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Where it lived.
    pub from: HeadId,
    /// Where it was to live.
    pub to: ClusterId,
    /// How far it had come.
    pub stage: Stage,
    /// Whether it had been given up, and why.
    pub abandoned: Option<Fault>,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was copying.
    Copying,
    /// It had copied, and its switch had not been asked for.
    Copied,
    /// Its switch had been asked for.
    Switching,
}

/// Follows one session, event by event.
#[derive(Clone, Debug)]
pub struct Known {
    session: u16,
    at: Time,
    plan: Arc<Plan>,
    fleet: Fleet,
    excluded: BTreeSet<MailboxId>,
    attempts: BTreeMap<MailboxId, u8>,
    set_aside: BTreeMap<MailboxId, Fault>,
    /// Set aside since no cluster of this session could take them; the next one may have a larger cluster.
    too_large: BTreeSet<MailboxId>,
    gone: BTreeSet<MailboxId>,
    /// Old copies in the order of their switches; `None` once they are purged.
    old: Vec<Option<(MailboxId, Time)>>,
    old_place: BTreeMap<MailboxId, usize>,
    /// Old copies that an earlier session has kept for good.
    kept: Vec<MailboxId>,
    open: BTreeSet<ClusterId>,
    jobs: BTreeMap<EffectId, (InFlight, Copied)>,
    purges: BTreeMap<EffectId, Batch>,
    cohort: Time,
    /// Where the plan has waves.
    waves: Option<WavesSoFar>,
    /// Those that are closed are what they were at the start.
    clusters: ClustersSoFar,
}

/// Mailboxes that a migration has to move when it begins, of which its waves are shares.
fn to_move(plan: &Plan, facts: &Facts) -> u64 {
    let stays = plan.order.excluded.iter().chain(facts.set_aside.iter().map(|(mailbox, _)| mailbox));
    let stays: BTreeSet<MailboxId> = stays.copied().collect();
    let rows = (0..).map(MailboxId).zip(&facts.fleet.home);
    rows.filter(|(mailbox, home)| home.as_head().is_some() && !stays.contains(mailbox)).count() as u64
}

/// What a copy came to.
#[derive(Clone, Copy, Debug, Default)]
struct Copied {
    bytes: Bytes,
    messages: u32,
}

impl Known {
    /// As a session starts.
    #[must_use]
    pub fn new(now: Time, start: &Start) -> Self {
        let Start { session, plan, facts, .. } = start;
        let gone = |(mailbox, fault): &(MailboxId, Fault)| (*fault == Fault::Gone).then_some(*mailbox);
        let old: Vec<_> = facts.unpurged.iter().copied().map(Some).collect();
        Self {
            session: *session,
            at: now,
            plan: Arc::clone(plan),
            fleet: Fleet::clone(&facts.fleet),
            excluded: plan.order.excluded.iter().copied().collect(),
            attempts: facts.attempts.iter().copied().collect(),
            set_aside: facts.set_aside.iter().copied().filter(|(_, fault)| *fault != Fault::Gone).collect(),
            too_large: BTreeSet::new(),
            gone: facts.set_aside.iter().filter_map(gone).collect(),
            old_place: facts.unpurged.iter().enumerate().map(|(place, (mailbox, _))| (*mailbox, place)).collect(),
            old,
            kept: facts.kept.clone(),
            open: facts.open.iter().copied().collect(),
            jobs: BTreeMap::new(),
            purges: BTreeMap::new(),
            cohort: Time::NEVER,
            waves: (!plan.order.waves.is_empty()).then(|| {
                let left = to_move(plan, facts);
                match facts.waves {
                    Some(waves) => {
                        let over = waves.over.unwrap_or_else(|| waves.mailboxes.saturating_sub(left));
                        WavesSoFar { over: Some(over), ..waves }
                    }
                    None => WavesSoFar { mailboxes: left, over: Some(0), moved: None, go: false },
                }
            }),
            clusters: facts.clusters.clone(),
        }
    }

    /// Takes in one event, and what was asked for then.
    pub fn take(&mut self, now: Time, event: &Event, commands: &[Command]) {
        self.at = now;
        self.take_event(now, event);
        for command in commands {
            self.take_command(command);
        }
    }

    /// Mailboxes of a head that need not leave it: set aside, too large for every cluster, or excluded by the plan.
    pub fn excused(&self, head: HeadId) -> impl Iterator<Item = MailboxId> {
        self.set_aside
            .keys()
            .chain(&self.too_large)
            .chain(&self.excluded)
            .copied()
            .filter(move |mailbox| self.is_at(*mailbox, head))
    }

    /// Mailboxes on the heads that wait for a person.
    pub fn aside(&self) -> impl Iterator<Item = MailboxId> {
        let on_head = |mailbox: &MailboxId| self.home(*mailbox).and_then(Home::as_head).is_some();
        self.set_aside.keys().chain(&self.too_large).copied().filter(on_head)
    }

    /// Mailboxes whose users are neither set aside nor gone, as far as is known.
    pub fn others(&self) -> impl Iterator<Item = MailboxId> {
        let apart = |mailbox: &MailboxId| {
            self.set_aside.contains_key(mailbox) || self.too_large.contains(mailbox) || self.gone.contains(mailbox)
        };
        self.fleet.ids().filter(move |mailbox| !apart(mailbox))
    }

    /// Mailboxes of a head whose users are gone.
    pub fn gone(&self, head: HeadId) -> impl Iterator<Item = MailboxId> {
        self.gone.iter().copied().filter(move |mailbox| self.is_at(*mailbox, head))
    }

    /// Where a mailbox lives; none where nobody knows it.
    #[must_use]
    pub fn home(&self, mailbox: MailboxId) -> Option<Home> {
        self.fleet.home.get(mailbox.index()).copied()
    }

    /// Whether the user of a mailbox is gone.
    #[must_use]
    pub fn is_gone(&self, mailbox: MailboxId) -> bool {
        self.gone.contains(&mailbox)
    }

    fn is_at(&self, mailbox: MailboxId, head: HeadId) -> bool {
        self.home(mailbox).and_then(Home::as_head) == Some(head)
    }

    fn take_event(&mut self, now: Time, event: &Event) {
        match *event {
            Event::Started(_)
            | Event::Wake
            | Event::HeadSampled { .. }
            | Event::ClusterSampled { .. }
            | Event::HeadAudited { .. }
            | Event::ClockStepped { .. } => {}
            Event::ClusterOpened { cluster } => {
                self.open.insert(cluster);
            }
            Event::ClusterClosed { cluster } => {
                self.open.remove(&cluster);
            }
            Event::CopyEnded { effect, bytes, messages, .. } => self.copy_ended(effect, Copied { bytes, messages }),
            Event::CopyFailed { effect, fault } => self.job_failed(effect, Stage::Copying, fault),
            Event::SwitchEnded { effect } => self.switch_ended(now, effect),
            Event::SwitchFailed { effect, fault } => self.job_failed(effect, Stage::Switching, fault),
            Event::PurgeEnded { effect } => {
                for &mailbox in self.purges.remove(&effect).iter().flat_map(Batch::mailboxes) {
                    self.purged(mailbox);
                }
            }
            Event::PurgeFailed { effect, fault } => self.purge_failed(effect, fault),
            Event::MailboxFound { mailbox, home, bytes } => self.mailbox_found(mailbox, home, bytes),
            Event::MailboxGone { mailbox } => self.mailbox_gone(mailbox),
            Event::MailboxChanged { mailbox, bytes } => {
                if let Some(size) = self.fleet.bytes.get_mut(mailbox.index()) {
                    *size = bytes;
                }
            }
            Event::Operator(order) => self.ordered(order),
        }
    }

    fn take_command(&mut self, command: &Command) {
        match *command {
            Command::StartCopy { effect, mailbox, from, to, .. } => {
                let job = InFlight { effect, mailbox, from, to, stage: Stage::Copying, abandoned: None };
                self.jobs.insert(effect, (job, Copied::default()));
            }
            Command::Switch { effect } => {
                if let Some((job, _)) = self.jobs.get_mut(&effect) {
                    job.stage = Stage::Switching;
                }
            }
            Command::Abandon { effect, why } => match self.jobs.get_mut(&effect) {
                Some((job, _)) if job.stage == Stage::Copying => job.abandoned = Some(why),
                // Nothing more ends: it is over with this.
                Some(_) => self.give_up(effect, why),
                None => {}
            },
            Command::Purge { effect, batch, .. } => {
                self.purges.insert(effect, batch);
            }
            Command::SetAside { mailbox, .. } => {
                self.too_large.insert(mailbox);
            }
            Command::Announce { milestone: Milestone::WaveMoved { wave }, .. } => {
                if let Some(waves) = &mut self.waves {
                    (waves.moved, waves.go) = (Some((wave, self.at)), false);
                }
            }
            Command::Announce { milestone: Milestone::ClusterFull { cluster, of }, .. } => {
                let filled = &mut self.clusters.filled;
                if let Err(place) = filled.binary_search_by_key(&cluster, |(cluster, _)| *cluster) {
                    filled.insert(place, (cluster, of));
                }
            }
            Command::SetIntake { cluster, .. } => self.clusters.intake = Some(cluster),
            Command::SetPace { .. } | Command::Audit { .. } | Command::Announce { .. } => {}
        }
    }

    /// The job of an effect at a stage; late and unknown ids are ignored.
    fn job(&mut self, effect: EffectId, stage: Stage) -> Option<&mut (InFlight, Copied)> {
        self.jobs.get_mut(&effect).filter(|(job, _)| job.stage == stage)
    }

    fn copy_ended(&mut self, effect: EffectId, copied: Copied) {
        let Some((job, seen)) = self.job(effect, Stage::Copying) else { return };
        if let Some(why) = job.abandoned {
            self.give_up(effect, why);
        } else {
            (job.stage, *seen) = (Stage::Copied, copied);
        }
    }

    fn switch_ended(&mut self, now: Time, effect: EffectId) {
        let Some(&mut (job, copied)) = self.job(effect, Stage::Switching) else { return };
        self.jobs.remove(&effect);
        let row = job.mailbox.index();
        if row >= self.fleet.len() {
            return;
        }
        self.fleet.home[row] = Home::cluster(job.to);
        (self.fleet.bytes[row], self.fleet.messages[row]) = (copied.bytes, copied.messages);
        self.attempts.remove(&job.mailbox);
        if let Some(WavesSoFar { over: Some(over), .. }) = &mut self.waves {
            *over += 1;
        }
        self.old_place.insert(job.mailbox, self.old.len());
        self.old.push(Some((job.mailbox, now)));
    }

    fn job_failed(&mut self, effect: EffectId, stage: Stage, fault: Fault) {
        let Some((job, _)) = self.job(effect, stage) else { return };
        let why = attempt::cause(job.abandoned, fault);
        self.give_up(effect, why);
    }

    /// A job has not moved its mailbox: what becomes of that.
    fn give_up(&mut self, effect: EffectId, fault: Fault) {
        let Some((job, _)) = self.jobs.remove(&effect) else { return };
        let failed = self.fail(job.mailbox, attempt::counts(fault));
        match attempt::verdict(&self.plan.attempts, fault, failed) {
            Verdict::RetryAfter(_) | Verdict::Blameless(_) => {}
            Verdict::SetAside => {
                self.set_aside.insert(job.mailbox, fault);
            }
            Verdict::Forget => {
                self.gone.insert(job.mailbox);
            }
        }
    }

    /// One more failed attempt, if it counts; says how many there were.
    fn fail(&mut self, mailbox: MailboxId, counts: bool) -> u8 {
        let failed = self.attempts.entry(mailbox).or_default();
        *failed = failed.saturating_add(u8::from(counts));
        *failed
    }

    fn purged(&mut self, mailbox: MailboxId) {
        if let Some(place) = self.old_place.remove(&mailbox) {
            self.old[place] = None;
        }
    }

    fn purge_failed(&mut self, effect: EffectId, fault: Fault) {
        let Some(batch) = self.purges.remove(&effect) else { return };
        let alone = batch.mailboxes().len() == 1;
        for &mailbox in batch.mailboxes() {
            let failed = self.fail(mailbox, attempt::counts(fault) && alone);
            match attempt::verdict(&self.plan.attempts, fault, failed) {
                Verdict::Forget if alone => self.purged(mailbox),
                // Those that are kept for good in this session are tried again in the next.
                Verdict::Forget | Verdict::RetryAfter(_) | Verdict::Blameless(_) | Verdict::SetAside => {}
            }
        }
    }

    fn mailbox_found(&mut self, mailbox: MailboxId, home: Home, bytes: Bytes) {
        let unknown_head = home.as_head().is_some_and(|head| head.index() >= self.plan.heads.len());
        if mailbox.index() != self.fleet.len() || unknown_head {
            return;
        }
        let Fleet { bytes: sizes, messages, activity_micro_op_s, origin, home: homes, group } = &mut self.fleet;
        if !group.is_empty() {
            group.push(NO_GROUP);
        }
        sizes.push(bytes);
        messages.push(0);
        activity_micro_op_s.push(0);
        // One that was never on the old storage counts for none of its heads.
        origin.push(home.as_head().unwrap_or(HeadId(u8::MAX)));
        homes.push(home);
    }

    fn mailbox_gone(&mut self, mailbox: MailboxId) {
        let Some(home) = self.fleet.home.get(mailbox.index()) else { return };
        if home.is_cluster() {
            // Its old copy is purged all the same.
            self.gone.insert(mailbox);
            return;
        }
        if let Some((job, _)) = self.jobs.values_mut().find(|(job, _)| job.mailbox == mailbox) {
            // A copy that has ended is given up by the command that follows; the others say themselves how they end.
            job.abandoned = Some(Fault::Gone);
        } else {
            self.set_aside.remove(&mailbox);
            self.too_large.remove(&mailbox);
            self.gone.insert(mailbox);
        }
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Skip(mailbox) => self.skip(mailbox),
            Order::Retry(mailbox) => self.retry(mailbox),
            // What it keeps is kept for good: the next session would not know which copies those were.
            Order::StopCohort(since) => self.cohort = self.cohort.min(since),
            Order::Resume => self.go(),
            // These last as long as the session, or are in `StandingOrders`.
            Order::Pause
            | Order::Cap { .. }
            | Order::MoveNow(_)
            | Order::CloseCluster(_)
            | Order::OpenCluster(_)
            | Order::HoldPurges
            | Order::ResumePurges
            | Order::EndSession => {}
        }
    }

    /// An operator says go, if a wave waits for that.
    fn go(&mut self) {
        let Some(WavesSoFar { moved: Some((wave, at)), go, .. }) = &mut self.waves else { return };
        *go |= self.plan.order.waves.get(usize::from(*wave)).is_some_and(|wave| self.at >= *at + wave.soak);
    }

    fn skip(&mut self, mailbox: MailboxId) {
        let on_head = self.fleet.home.get(mailbox.index()).is_some_and(|home| home.as_head().is_some());
        if !on_head {
            return;
        }
        if let Some((job, _)) = self.jobs.values_mut().find(|(job, _)| job.mailbox == mailbox) {
            if job.stage != Stage::Copied && job.abandoned != Some(Fault::Gone) {
                job.abandoned = Some(Fault::Skipped);
            }
        } else if ![&self.excluded, &self.gone, &self.too_large].iter().any(|those| those.contains(&mailbox)) {
            self.set_aside.entry(mailbox).or_insert(Fault::Skipped);
        }
    }

    fn retry(&mut self, mailbox: MailboxId) {
        if let Some((job, _)) = self.jobs.values_mut().find(|(job, _)| job.mailbox == mailbox) {
            if job.abandoned == Some(Fault::Skipped) {
                job.abandoned = Some(Fault::Abandoned);
            }
        } else if !self.excluded.contains(&mailbox)
            && (self.set_aside.remove(&mailbox).is_some() | self.too_large.remove(&mailbox))
        {
            self.attempts.remove(&mailbox);
        }
    }
}
