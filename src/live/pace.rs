//! The pace as a contract: how many of a head's copies may progress now, the latest started suspended first, and how many
//! bytes a second all of them together. A change holds from the next piece of a message on.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::maildir::{Gate, Stopped};
use crate::migration::message::{EffectId, Limit};
use crate::units::Rate;

/// Unused bytes are kept for so long: a burst is never larger.
const BURST: Duration = Duration::from_millis(250);

/// Nobody waits longer without looking again: a wake-up that was missed costs no more.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The pace of one head.
#[derive(Debug)]
pub struct Pace {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    streams: u16,
    bucket: Bucket,
    /// Copies under way, in the order of their starts.
    copies: BTreeMap<EffectId, Copy>,
    /// The first copy that may not progress: all before it may.
    limit: Option<EffectId>,
}

#[derive(Debug)]
struct Copy {
    began: Instant,
    stopped: bool,
    /// For how long it has not been let.
    waited: Duration,
    /// Since when it is not let.
    waits_since: Option<Instant>,
    /// When it was last let.
    passed: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

impl Pace {
    /// No stream at all, until the machine allows some.
    #[must_use]
    pub fn new() -> Self {
        let state = State { streams: 0, bucket: Bucket::new(now()), copies: BTreeMap::new(), limit: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Sets how many copies may progress, and how fast all of them together.
    pub fn set(&self, streams: u16, rate: Rate) {
        let mut state = self.lock();
        state.streams = streams;
        state.bucket.set(now(), rate);
        state.find_limit();
        self.changed.notify_all();
    }

    /// A copy begins; it progresses as the pace allows.
    #[must_use]
    pub fn enter(self: &Arc<Self>, effect: EffectId) -> Ticket {
        let mut state = self.lock();
        let began = now();
        state
            .copies
            .insert(effect, Copy { began, waited: Duration::ZERO, waits_since: None, passed: None, stopped: false });
        state.find_limit();
        Ticket { pace: Arc::clone(self), effect, began }
    }

    /// A copy is given up: its ticket lets it do nothing more. Says whether there is such a copy.
    pub fn stop(&self, effect: EffectId) -> bool {
        let mut state = self.lock();
        let found = state.copies.get_mut(&effect).map(|copy| copy.stopped = true).is_some();
        self.changed.notify_all();
        found
    }

    /// What holds the copies under way back, where there are any: mostly their pace, or they go as fast as they can.
    #[must_use]
    pub fn held_by(&self) -> Option<Limit> {
        let (state, at) = (self.lock(), now());
        let waited = |copy: &Copy| {
            copy.waited + copy.waits_since.map_or(Duration::ZERO, |since| at.saturating_duration_since(since))
        };
        let all: Duration = state.copies.values().map(|copy| at.saturating_duration_since(copy.began)).sum();
        let waited: Duration = state.copies.values().map(waited).sum();
        (!state.copies.is_empty()).then(|| limit_of(all.saturating_sub(waited), all))
    }

    /// Copies that may progress now, and those that are suspended.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let going = state.copies.len().min(usize::from(state.streams));
        (going, state.copies.len() - going)
    }

    fn leave(&self, effect: EffectId) {
        let mut state = self.lock();
        state.copies.remove(&effect);
        state.find_limit();
        self.changed.notify_all();
    }

    /// A panic of another thread leaves nothing half-done here: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find_limit(&mut self) {
        self.limit = self.copies.keys().nth(usize::from(self.streams)).copied();
    }

    fn may_go(&self, effect: EffectId) -> bool {
        self.limit.is_none_or(|limit| effect < limit)
    }
}

/// One copy's part of the pace; it ends when this is dropped.
#[derive(Debug)]
pub struct Ticket {
    pace: Arc<Pace>,
    effect: EffectId,
    began: Instant,
}

impl Ticket {
    /// For how long it has worked: suspension and waiting for bytes do not count.
    #[must_use]
    pub fn worked(&self) -> Duration {
        worked(&self.pace, self.effect, self.began)
    }

    /// What held it back.
    #[must_use]
    pub fn held_by(&self) -> Limit {
        limit_of(self.worked(), self.age())
    }

    /// How long ago it began.
    #[must_use]
    pub fn age(&self) -> Duration {
        now().saturating_duration_since(self.began)
    }

    /// A look at how long the copy has worked, for somebody who watches over it.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { pace: Arc::clone(&self.pace), effect: self.effect, began: self.began }
    }
}

/// Watches over a copy without taking part in it.
#[derive(Clone, Debug)]
pub struct Watch {
    pace: Arc<Pace>,
    effect: EffectId,
    began: Instant,
}

impl Watch {
    /// For how long the copy has been at one piece of its work: a piece takes moments, unless its storage hangs.
    #[must_use]
    pub fn at_one_piece(&self) -> Duration {
        let state = self.pace.lock();
        let Some(copy) = state.copies.get(&self.effect).filter(|copy| copy.waits_since.is_none()) else {
            return Duration::ZERO;
        };
        now().saturating_duration_since(copy.passed.unwrap_or(self.began))
    }

    /// For how long the copy has worked; suspension and waiting for bytes do not count.
    #[must_use]
    pub fn worked(&self) -> Duration {
        worked(&self.pace, self.effect, self.began)
    }
}

/// What holds a copy back that has worked for a part of its time: mostly its pace, or it goes as fast as it can.
fn limit_of(worked: Duration, all: Duration) -> Limit {
    if worked * 2 < all { Limit::Pace } else { Limit::Own }
}

fn worked(pace: &Pace, effect: EffectId, began: Instant) -> Duration {
    let state = pace.lock();
    let all = now().saturating_duration_since(began);
    let Some(copy) = state.copies.get(&effect) else { return all };
    let waits = copy.waits_since.map_or(Duration::ZERO, |since| now().saturating_duration_since(since));
    all.saturating_sub(copy.waited + waits)
}

impl Gate for Ticket {
    fn pass(&self, bytes: u64) -> Result<(), Stopped> {
        let mut state = self.pace.lock();
        loop {
            let at = now();
            let may_go = state.may_go(self.effect);
            let State { copies, bucket, .. } = &mut *state;
            let Some(copy) = copies.get_mut(&self.effect).filter(|copy| !copy.stopped) else {
                return Err(Stopped);
            };
            let wait = if may_go { bucket.take(at, bytes) } else { Some(LOOK_AGAIN) };
            let Some(wait) = wait else {
                if let Some(since) = copy.waits_since.take() {
                    copy.waited += at.saturating_duration_since(since);
                }
                copy.passed = Some(at);
                return Ok(());
            };
            copy.waits_since.get_or_insert(at);
            let waited = self.pace.changed.wait_timeout(state, wait.min(LOOK_AGAIN));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pace.leave(self.effect);
    }
}

/// Bytes that may flow: they come in evenly, and what is not used is kept for a moment only. A piece may be larger than
/// what is there: then the bucket is in debt, and the next one waits.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// Bytes there now; below zero while in debt.
    bytes: f64,
    at: Instant,
}

impl Bucket {
    const fn new(at: Instant) -> Self {
        Self { rate: Rate::UNLIMITED, bytes: 0.0, at }
    }

    fn set(&mut self, at: Instant, rate: Rate) {
        if rate != self.rate {
            self.fill(at);
            // What an unlimited or a faster pace has left over is not spent at the new one.
            self.bytes = self.bytes.min(0.0);
            self.rate = rate;
        }
    }

    /// Takes bytes out, or says how long to wait before asking again.
    fn take(&mut self, at: Instant, bytes: u64) -> Option<Duration> {
        if self.rate == Rate::UNLIMITED {
            return None;
        }
        self.fill(at);
        if self.bytes < 0.0 {
            let rate = self.rate.bytes_per_second() as f64;
            return Some(if rate > 0.0 { Duration::from_secs_f64((-self.bytes / rate).min(60.0)) } else { LOOK_AGAIN });
        }
        self.bytes -= bytes as f64;
        None
    }

    fn fill(&mut self, at: Instant) {
        let passed = at.saturating_duration_since(self.at);
        self.at = at;
        if self.rate != Rate::UNLIMITED {
            let rate = self.rate.bytes_per_second() as f64;
            self.bytes = (self.bytes + rate * passed.as_secs_f64()).min(rate * BURST.as_secs_f64());
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "waiting is measured where it happens; nothing is decided by it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
