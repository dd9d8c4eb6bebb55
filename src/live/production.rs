//! The host over real storage: what the machine asks for happens here, and what happens is an event.
//!
//! Each effect has a worker of its own while it lasts; how many there are at once the machine bounds. Nothing is decided
//! here but how to end: copies are given up, switches finish or back out.

mod arrival;
mod audited;
mod effects;
mod gone;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use super::ledger::Known;
use super::mover::{Arrived, Hangs, Mover, SwitchWatch, Task};
use super::pace::{Pace, Watch};
use super::recorder::Recorder;
use crate::fleet::{HeadId, MailboxId};
use crate::host::Host;
use crate::migration::message::{Command, EffectId, Event, Fault, Limit, Order, Start};
use crate::units::{Span, Time};
use arrival::sample_event;
use effects::guarded;
use gone::Watched;

pub use arrival::{Arrival, LiveError, Loss};

/// How often the host looks after what no event tells: workers that hang, the lease, the wish to close.
const LOOK: Duration = Duration::from_millis(250);
/// Of so many workers that hang on a head, the head counts as unreachable.
const HUNG_MOST: u32 = 4;
/// An answer that something cannot be reached comes no sooner: without it nothing would pass between attempts.
const REFUSED_AFTER: Span = Span::from_secs(5);
/// Between two attempts to audit a head.
const AUDIT_AGAIN: Duration = Duration::from_secs(30);
/// Switches may take so long to finish or back out when the program closes.
const CLOSES_WITHIN: Span = Span::from_secs(120);

/// What is under way for an effect.
#[derive(Debug)]
enum Job {
    Copying(Copying),
    Arrived(Box<Arrived>),
    Switching(Switching),
    Purging,
}

/// A switch under way.
#[derive(Debug)]
struct Switching {
    mailbox: MailboxId,
    head: HeadId,
    watch: Arc<SwitchWatch>,
}

/// A copy under way.
#[derive(Debug)]
struct Copying {
    mailbox: MailboxId,
    head: HeadId,
    watch: Watch,
    /// The machine has given it up: if it arrives all the same it is removed, and has failed.
    given_up: bool,
}

/// The real world as the machine's host.
#[derive(Debug)]
pub struct Production {
    recorder: Arc<Recorder>,
    clock: Clock,
    mover: Arc<Mover>,
    /// What has become of each mailbox, as far as it is recorded.
    known: Arc<Mutex<Known>>,
    /// Of those who are set aside, who seemed to be gone.
    watched: Watched,
    paces: Vec<Arc<Pace>>,
    jobs: BTreeMap<EffectId, Job>,
    /// Copies and switches of which the machine has been told that they failed, though their workers have not come back.
    hung: BTreeMap<EffectId, (HeadId, MailboxId)>,
    /// Copies that had arrived, were given up, and are being removed.
    discarded: BTreeMap<EffectId, MailboxId>,
    /// The last effect that was begun in each slot: those of a slot come in their order, each once.
    begun: Vec<EffectId>,
    sender: Sender<Arrival>,
    arrivals: Receiver<Arrival>,
    ready: VecDeque<Event>,
    /// What is told later, in order.
    later: VecDeque<(Time, Event)>,
    wish_to_close: Arc<AtomicBool>,
    /// When closing has begun, and at the latest ends.
    closes_by: Option<Time>,
    last_now: Time,
}

impl Production {
    /// A host that first tells of the start, and `then`; then what happens, and each of `later` at its time, earliest first.
    /// `wish_to_close` ends the session in order.
    #[must_use]
    pub fn new(
        recorder: Arc<Recorder>,
        clock: Clock,
        mover: Arc<Mover>,
        wish_to_close: Arc<AtomicBool>,
        start: Arc<Start>,
        then: impl IntoIterator<Item = Event>,
        later: impl IntoIterator<Item = (Time, Event)>,
    ) -> Self {
        let (sender, arrivals) = channel();
        let paces = mover.heads.iter().map(|_| Arc::new(Pace::new())).collect();
        Self {
            recorder,
            last_now: clock.now(),
            clock,
            mover,
            paces,
            jobs: BTreeMap::new(),
            hung: BTreeMap::new(),
            discarded: BTreeMap::new(),
            begun: Vec::new(),
            sender,
            arrivals,
            known: Arc::new(Mutex::new(Known::new(clock.now(), &start))),
            watched: Watched::new(clock.now()),
            ready: std::iter::once(Event::Started(start)).chain(then).collect(),
            later: later.into_iter().collect(),
            wish_to_close,
            closes_by: None,
        }
    }

    /// Where probes and operators bring what they have.
    #[must_use]
    pub fn door(&self) -> Sender<Arrival> {
        self.sender.clone()
    }

    /// What has become of each mailbox, as far as it is recorded; whoever looks at it must not keep it.
    #[must_use]
    pub fn recorded(&self) -> Arc<Mutex<Known>> {
        Arc::clone(&self.known)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on as if the system's clock had just been set by so much: no test can set it.
    pub fn as_if_clock_set(&mut self, by: Span) {
        self.clock.as_if_set(by);
    }

    /// The session cannot go on: copies are given up, and switches are waited for until they have finished or backed out.
    pub fn give_up(&mut self) {
        for (effect, job) in &self.jobs {
            if let Job::Copying(copying) = job {
                self.paces[copying.head.index()].stop(*effect);
            }
        }
        let by = self.now() + CLOSES_WITHIN;
        while self.now() < by && self.jobs.values().any(|job| matches!(job, Job::Switching(_))) {
            if let Ok(Arrival::Switched(effect, _)) = self.arrivals.recv_timeout(LOOK) {
                self.jobs.remove(&effect);
            }
        }
        self.mover.closing.store(true, Ordering::Relaxed);
    }

    /// Time never goes back for the machine.
    fn now(&mut self) -> Time {
        self.last_now = self.last_now.max(self.clock.now());
        self.last_now
    }

    fn take_in(&mut self, arrival: Arrival) -> Result<(), LiveError> {
        match arrival {
            Arrival::Copied(effect, copied, limit) => self.copied(effect, copied, limit)?,
            Arrival::Discarded(effect) => {
                self.discarded.remove(&effect);
            }
            // It was given up, and its worker has come back and backed out.
            Arrival::Switched(effect, _) if self.hung.remove(&effect).is_some() => {}
            Arrival::Switched(effect, ended) => {
                self.jobs.remove(&effect);
                self.ready.push_back(match ended {
                    Ok(()) => Event::SwitchEnded { effect },
                    Err(fault) => Event::SwitchFailed { effect, fault },
                });
            }
            Arrival::Purged(effect, ended) => {
                self.jobs.remove(&effect);
                self.ready.push_back(match ended {
                    Ok(()) => Event::PurgeEnded { effect },
                    Err(fault) => Event::PurgeFailed { effect, fault },
                });
            }
            Arrival::Audited(head, audit) => self.audited(head, &audit)?,
            Arrival::LookedFor(found) => self.looked_for(found),
            Arrival::Sampled(sampled) => {
                let held_by = |head: HeadId| self.paces[head.index()].held_by();
                self.ready.push_back(sample_event(&sampled, held_by));
            }
            Arrival::Ordered(order) => self.ready.push_back(Event::Operator(order)),
            Arrival::LeaseLost(loss) => return Err(LiveError::LeaseLost(loss)),
        }
        Ok(())
    }

    fn copied(&mut self, effect: EffectId, copied: Result<Box<Arrived>, Fault>, limit: Limit) -> Result<(), LiveError> {
        let given_up = match self.jobs.get(&effect) {
            Some(Job::Copying(copying)) => copying.given_up,
            // The machine was told long ago that it failed.
            Some(Job::Arrived(_) | Job::Switching(_) | Job::Purging) | None => true,
        };
        match copied {
            Ok(arrived) if given_up => {
                // It fails once it is removed: the next attempt comes to the same place.
                let mover = Arc::clone(&self.mover);
                return self.work("discard", move |sender| {
                    mover.discard(&arrived);
                    let _ = sender.send(Arrival::Copied(effect, Err(Fault::Abandoned), limit));
                });
            }
            Err(_) if self.hung.remove(&effect).is_some() => {}
            Ok(arrived) => {
                let totals = arrived.totals;
                self.jobs.insert(effect, Job::Arrived(arrived));
                self.ready.push_back(Event::CopyEnded {
                    effect,
                    bytes: totals.bytes,
                    messages: totals.messages,
                    limit,
                });
            }
            Err(fault) => {
                self.jobs.remove(&effect);
                self.ready.push_back(Event::CopyFailed { effect, fault });
            }
        }
        Ok(())
    }

    /// Looks after what no event tells.
    fn look_around(&mut self, now: Time) -> Result<(), LiveError> {
        if let Some(step) = self.clock.step() {
            let why = format!(
                "it was set by {step}; the session's time goes on as it was, and nothing new begins before fresh samples"
            );
            self.mover.journal.trouble("the system's clock", &why);
            self.ready.push_back(Event::ClockStepped { by: step });
        }
        let limit = self.mover.hangs_after;
        let hung: Vec<(EffectId, (HeadId, MailboxId))> = self
            .jobs
            .iter()
            .filter_map(|(effect, job)| match job {
                Job::Copying(Copying { head, mailbox, watch, .. }) if watch.at_one_piece() > limit => {
                    Some((*effect, (*head, *mailbox)))
                }
                Job::Copying(_) | Job::Arrived(_) | Job::Switching(_) | Job::Purging => None,
            })
            .collect();
        for (effect, (head, mailbox)) in hung {
            self.jobs.remove(&effect);
            self.paces[head.index()].stop(effect);
            self.hung.insert(effect, (head, mailbox));
            self.ready.push_back(Event::CopyFailed { effect, fault: Fault::Unreachable });
        }
        self.look_at_switches(limit);
        self.look_for_gone(now)?;
        while self.later.front().is_some_and(|(at, _)| *at <= now) {
            self.ready.extend(self.later.pop_front().map(|(_, event)| event));
        }
        if self.wish_to_close.load(Ordering::Relaxed) {
            self.close(now);
        }
        Ok(())
    }

    /// A switch that hangs has failed, unless it may have come true. Its user stays held: what hangs may still change files.
    fn look_at_switches(&mut self, limit: Duration) {
        let hanging: Vec<(EffectId, (HeadId, MailboxId), Hangs)> = self
            .jobs
            .iter()
            .filter_map(|(effect, job)| match job {
                Job::Switching(Switching { head, mailbox, watch }) => {
                    watch.hangs(limit).map(|hangs| (*effect, (*head, *mailbox), hangs))
                }
                Job::Copying(_) | Job::Arrived(_) | Job::Purging => None,
            })
            .collect();
        for (effect, (head, mailbox), hangs) in hanging {
            let user = self.mover.name(mailbox).map(|name| name.user).unwrap_or_default();
            let why = match hangs {
                Hangs::GivenUp(step) => {
                    self.jobs.remove(&effect);
                    self.hung.insert(effect, (head, mailbox));
                    self.ready.push_back(Event::SwitchFailed { effect, fault: Fault::Unreachable });
                    format!("it hangs while {step}: it has failed, and {user} stays held until that comes back")
                }
                Hangs::Unknown(step) => {
                    format!("it hangs while {step}: until that comes back nobody knows whether {user} has moved")
                }
            };
            self.mover.journal.trouble(&format!("switch of {user}"), &why);
        }
    }

    /// Gives up the copies, lets the switches come to their end, and ends the session.
    fn close(&mut self, now: Time) {
        let Some(by) = self.closes_by else {
            self.closes_by = Some(now + CLOSES_WITHIN);
            for head in (0..self.paces.len() as u8).map(HeadId) {
                self.ready.push_back(Event::Operator(Order::Cap { head, streams: 0 }));
            }
            for (effect, job) in &self.jobs {
                if let Job::Copying(copying) = job {
                    self.paces[copying.head.index()].stop(*effect);
                }
            }
            return;
        };
        if now >= by {
            self.mover.closing.store(true, Ordering::Relaxed);
        }
        let busy = self.jobs.values().any(|job| !matches!(job, Job::Arrived(_)));
        if (!busy || now >= by + CLOSES_WITHIN) && self.ready.is_empty() {
            self.ready.push_back(Event::Operator(Order::EndSession));
        }
    }
}

impl Host for Production {
    type Error = LiveError;

    fn record(&mut self, now: Time, event: &Event, commands: &[Command]) -> Result<(), LiveError> {
        self.recorder.record(now, event, commands)?;
        self.known().take(now, event, commands);
        Ok(())
    }

    fn perform(&mut self, _now: Time, command: &Command) -> Result<(), LiveError> {
        match *command {
            Command::StartCopy { effect, mailbox, from, to, .. } => self.start_copy(Task { effect, mailbox, from, to }),
            Command::Switch { effect } => self.switch(effect),
            Command::Abandon { effect, .. } => self.abandon(effect),
            Command::Purge { effect, batch, from } => {
                if !self.begins(effect) {
                    return Ok(());
                }
                self.jobs.insert(effect, Job::Purging);
                let mover = Arc::clone(&self.mover);
                self.work("purge", move |sender| {
                    let purge = || batch.mailboxes().iter().try_for_each(|mailbox| mover.purge(effect, *mailbox, from));
                    let _ = sender.send(Arrival::Purged(effect, guarded(purge)));
                })
            }
            Command::SetPace { head, streams, rate, .. } => {
                self.paces[head.index()].set(streams, rate);
                Ok(())
            }
            Command::SetIntake { cluster, .. } => {
                let mover = Arc::clone(&self.mover);
                self.work("intake", move |_| {
                    if let Err(error) = mover.directory.intake(&mover.clusters[cluster.index()].0) {
                        mover.journal.trouble("intake", &error.to_string());
                    }
                })
            }
            Command::SetAside { mailbox, .. } => {
                let name = self.mover.name(mailbox).map(|name| name.user).unwrap_or_default();
                let why = format!("{name} is larger than any cluster could take: set aside, and served where it is");
                self.mover.journal.trouble("placement", &why);
                Ok(())
            }
            Command::Audit { head, .. } => self.audit(head),
            // Whoever looks on says it to people.
            Command::Announce { .. } => Ok(()),
        }
    }

    fn wait(&mut self, until: Time) -> Result<(Time, Event), LiveError> {
        loop {
            let now = self.now();
            if let Some(event) = self.ready.pop_front() {
                return Ok((now, event));
            }
            self.look_around(now)?;
            if !self.ready.is_empty() {
                continue;
            }
            if now >= until {
                return Ok((now, Event::Wake));
            }
            let left = u64::try_from(until.since(now).micros()).map_or(LOOK, Duration::from_micros);
            match self.arrivals.recv_timeout(left.min(LOOK)) {
                Ok(arrival) => self.take_in(arrival)?,
                Err(RecvTimeoutError::Timeout) => {}
                // We hold a sender ourselves.
                Err(RecvTimeoutError::Disconnected) => unreachable!("the door stays open"),
            }
        }
    }
}
