//! What the machine asks for begins here, each effect once, in a worker of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use super::{AUDIT_AGAIN, Arrival, Copying, HUNG_MOST, Job, LiveError, Production, REFUSED_AFTER, Switching};
use crate::fleet::HeadId;
use crate::live::mover::{Name, SwitchWatch, Task};
use crate::migration::message::{EffectId, Event, Fault};

impl Production {
    pub(super) fn start_copy(&mut self, task: Task) -> Result<(), LiveError> {
        let Task { effect, mailbox, from, .. } = task;
        if !self.begins(effect) {
            return Ok(());
        }
        let hung = self.hung.values().filter(|(head, _)| *head == from).count();
        // An earlier attempt that has not come back, or is not yet removed, works in the same place as this one would.
        let is_taken = self.hung.values().any(|(_, other)| *other == mailbox)
            || self.discarded.values().any(|other| *other == mailbox);
        if hung >= HUNG_MOST as usize || is_taken || self.closes_by.is_some() {
            let fault = if self.closes_by.is_some() { Fault::Abandoned } else { Fault::Unreachable };
            let at = self.now() + REFUSED_AFTER;
            let place = self.later.partition_point(|(other, _)| *other <= at);
            self.later.insert(place, (at, Event::CopyFailed { effect, fault }));
            return Ok(());
        }
        let ticket = self.paces[from.index()].enter(effect);
        let copying = Copying { mailbox, head: from, watch: ticket.watch(), given_up: false };
        self.jobs.insert(effect, Job::Copying(copying));
        let mover = Arc::clone(&self.mover);
        self.work("copy", move |sender| {
            let copied = guarded(|| mover.copy(task, &ticket).map(Box::new));
            let limit = ticket.held_by();
            drop(ticket);
            let _ = sender.send(Arrival::Copied(effect, copied, limit));
        })
    }

    pub(super) fn switch(&mut self, effect: EffectId) -> Result<(), LiveError> {
        // Nobody is held any more once the session is to end: what has arrived is taken over by the next one.
        if self.closes_by.is_some() {
            return Ok(());
        }
        let arrived = match self.jobs.remove(&effect) {
            Some(Job::Arrived(arrived)) => arrived,
            // Asked for twice, or for what has ended.
            Some(other) => {
                self.jobs.insert(effect, other);
                return Ok(());
            }
            None => return Ok(()),
        };
        let watch = Arc::new(SwitchWatch::new());
        let switching = Switching { mailbox: arrived.mailbox, head: arrived.from, watch: Arc::clone(&watch) };
        self.jobs.insert(effect, Job::Switching(switching));
        let mover = Arc::clone(&self.mover);
        self.work("switch", move |sender| {
            let ended = guarded(|| mover.switch(effect, *arrived, &watch));
            let _ = sender.send(Arrival::Switched(effect, ended));
        })
    }

    pub(super) fn abandon(&mut self, effect: EffectId) -> Result<(), LiveError> {
        match self.jobs.get_mut(&effect) {
            Some(Job::Copying(copying)) => {
                copying.given_up = true;
                self.paces[copying.head.index()].stop(effect);
                Ok(())
            }
            Some(Job::Arrived(_)) => {
                let Some(Job::Arrived(arrived)) = self.jobs.remove(&effect) else { return Ok(()) };
                self.discarded.insert(effect, arrived.mailbox);
                let mover = Arc::clone(&self.mover);
                self.work("discard", move |sender| {
                    mover.discard(&arrived);
                    let _ = sender.send(Arrival::Discarded(effect));
                })
            }
            // Past the hold it finishes or backs out.
            Some(Job::Switching(_) | Job::Purging) | None => Ok(()),
        }
    }

    pub(super) fn audit(&self, head: HeadId) -> Result<(), LiveError> {
        let mover = Arc::clone(&self.mover);
        let known = self.known();
        let excused: Vec<Name> = known.excused(head).filter_map(|mailbox| mover.name(mailbox)).collect();
        let gone: Vec<Name> = known.gone(head).filter_map(|mailbox| mover.name(mailbox)).collect();
        drop(known);
        self.work("audit", move |sender| {
            while !mover.closing.load(Ordering::Relaxed) {
                match mover.audit(head, &excused, &gone) {
                    Ok(audit) => {
                        let _ = sender.send(Arrival::Audited(head, audit));
                        return;
                    }
                    // Each time: it must be among the last troubles as long as it lasts.
                    Err(why) => mover.journal.trouble("audit", &format!("a head cannot be looked over: {why}")),
                }
                std::thread::park_timeout(AUDIT_AGAIN);
            }
        })
    }

    /// Whether an effect is begun now, for the first time.
    pub(super) fn begins(&mut self, effect: EffectId) -> bool {
        let slot = usize::from(effect.slot());
        if self.begun.len() <= slot {
            self.begun.resize(slot + 1, EffectId::new(0, 0, 0));
        }
        let is_new = self.begun[slot] < effect;
        self.begun[slot] = self.begun[slot].max(effect);
        is_new
    }

    /// Starts a worker.
    pub(super) fn work(
        &self,
        name: &str,
        work: impl FnOnce(&Sender<Arrival>) + Send + 'static,
    ) -> Result<(), LiveError> {
        let sender = self.sender.clone();
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&sender));
        started.map(drop).map_err(LiveError::Worker)
    }
}

/// A worker that panics is our mistake; the mailbox then waits for a person, and the others go on.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Fault::Permanent))
}
