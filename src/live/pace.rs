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
    /// For how long it has been suspended, and for how long it has waited for bytes.
    not_let: NotLet,
    /// Since when it is not let, and why.
    waits: Option<(Instant, Why)>,
    /// When it was last let.
    passed: Option<Instant>,
}

/// Why a copy is not let.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// More copies are under way than may progress: no limit of its own speed.
    Suspended,
    /// The bytes that may flow have flowed.
    Bytes,
}

/// For how long copies were not let.
#[derive(Clone, Copy, Debug, Default)]
struct NotLet {
    suspended: Duration,
    bytes: Duration,
}

impl NotLet {
    fn add(&mut self, why: Why, passed: Duration) {
        match why {
            Why::Suspended => self.suspended += passed,
            Why::Bytes => self.bytes += passed,
        }
    }
}

impl Copy {
    /// For how long it has not been let up to now.
    fn not_let(&self, at: Instant) -> NotLet {
        let mut not_let = self.not_let;
        if let Some((since, why)) = self.waits {
            not_let.add(why, at.saturating_duration_since(since));
        }
        not_let
    }

    /// It waits for this from now on, or for nothing; the wait up to now is counted by what it was for.
    fn waits_for(&mut self, why: Option<Why>, at: Instant) {
        if self.waits.map(|(_, why)| why) != why {
            self.not_let = self.not_let(at);
            self.waits = why.map(|why| (at, why));
        }
    }
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
        let copy = Copy { began, not_let: NotLet::default(), waits: None, passed: None, stopped: false };
        state.copies.insert(effect, copy);
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
        let copies = state.copies.values();
        let (mut all, mut not_let) = (Duration::ZERO, NotLet::default());
        for (age, of_one) in copies.map(|copy| (at.saturating_duration_since(copy.began), copy.not_let(at))) {
            all += age;
            not_let.add(Why::Suspended, of_one.suspended);
            not_let.add(Why::Bytes, of_one.bytes);
        }
        (!state.copies.is_empty()).then(|| limit_of(all, not_let))
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
        let (state, at) = (self.pace.lock(), now());
        let not_let = state.copies.get(&self.effect).map(|copy| copy.not_let(at)).unwrap_or_default();
        limit_of(at.saturating_duration_since(self.began), not_let)
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
        let Some(copy) = state.copies.get(&self.effect).filter(|copy| copy.waits.is_none()) else {
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

/// What holds copies back: mostly their pace, or they go as fast as they can. While they are suspended nothing does: a pause
/// must not look like a link that is full.
fn limit_of(all: Duration, not_let: NotLet) -> Limit {
    if not_let.bytes * 2 > all.saturating_sub(not_let.suspended) { Limit::Pace } else { Limit::Own }
}

fn worked(pace: &Pace, effect: EffectId, began: Instant) -> Duration {
    let state = pace.lock();
    let at = now();
    let not_let = state.copies.get(&effect).map(|copy| copy.not_let(at)).unwrap_or_default();
    at.saturating_duration_since(began).saturating_sub(not_let.suspended + not_let.bytes)
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
            let (wait, why) =
                if may_go { (bucket.take(at, bytes), Why::Bytes) } else { (Some(LOOK_AGAIN), Why::Suspended) };
            copy.waits_for(wait.map(|_| why), at);
            let Some(wait) = wait else {
                copy.passed = Some(at);
                return Ok(());
            };
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
