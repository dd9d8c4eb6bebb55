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
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    fn effect(sequence: u64) -> EffectId {
        EffectId::new(1, sequence, 0)
    }

    fn pause(millis: u64) {
        thread::park_timeout(Duration::from_millis(millis));
    }

    /// Copies that count their pieces until they are stopped.
    struct Copies<'a> {
        pace: &'a Arc<Pace>,
        pieces: Vec<AtomicU64>,
    }

    impl<'a> Copies<'a> {
        fn new(pace: &'a Arc<Pace>, count: usize) -> Self {
            Self { pace, pieces: (0..count).map(|_| AtomicU64::new(0)).collect() }
        }

        fn run(&self, copy: usize, bytes: u64) {
            let ticket = self.pace.enter(effect(copy as u64));
            while ticket.pass(bytes).is_ok() {
                self.pieces[copy].fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
            }
        }

        /// Which copies progress within a moment.
        fn progressing(&self) -> Vec<bool> {
            pause(20);
            let before: Vec<u64> = self.pieces.iter().map(|pieces| pieces.load(Ordering::Relaxed)).collect();
            pause(60);
            self.pieces.iter().zip(before).map(|(pieces, before)| pieces.load(Ordering::Relaxed) > before).collect()
        }

        fn stop(&self) {
            for copy in 0..self.pieces.len() {
                while !self.pace.stop(effect(copy as u64)) {
                    thread::yield_now();
                }
            }
        }
    }

    #[test]
    fn the_streams_that_started_first_progress_and_the_others_keep_their_work() {
        let pace = Arc::new(Pace::new());
        let copies = Copies::new(&pace, 4);
        thread::scope(|scope| {
            for copy in 0..4 {
                let copies = &copies;
                scope.spawn(move || copies.run(copy, 1));
            }
            while pace.counts().1 < 4 {
                thread::yield_now();
            }
            assert_eq!(copies.progressing(), [false; 4]);
            pace.set(2, Rate::UNLIMITED);
            assert_eq!(copies.progressing(), [true, true, false, false]);
            pace.set(3, Rate::UNLIMITED);
            assert_eq!(copies.progressing(), [true, true, true, false]);
            // One that is given up makes room for the next.
            pace.stop(effect(0));
            while pace.counts().0 + pace.counts().1 > 3 {
                thread::yield_now();
            }
            assert_eq!(copies.progressing(), [false, true, true, true]);
            pace.set(0, Rate::UNLIMITED);
            assert_eq!(copies.progressing(), [false; 4]);
            for copy in 1..4 {
                pace.stop(effect(copy));
            }
        });
        assert_eq!(pace.counts(), (0, 0));
    }

    #[test]
    fn the_rate_caps_the_sum_of_all_copies_and_a_change_holds_at_once() {
        let pace = Arc::new(Pace::new());
        pace.set(2, Rate::per_second(1_000_000));
        let copies = Copies::new(&pace, 2);
        let total = || copies.pieces.iter().map(|pieces| pieces.load(Ordering::Relaxed)).sum::<u64>() * 1_000;
        // What is found is looked at when the copies have stopped: a test that fails in their midst would wait for them.
        let (looks, progressing) = thread::scope(|scope| {
            for copy in 0..2 {
                let copies = &copies;
                scope.spawn(move || copies.run(copy, 1_000));
            }
            // What is busy with something else for a moment is looked at again.
            let mut looks: Vec<(f64, f64)> = Vec::new();
            while looks.len() < 5 && looks.last().is_none_or(|(passed, flowed)| *flowed < 0.5e6 * passed) {
                let (began, before) = (now(), total());
                pause(600);
                let passed = began.elapsed().as_secs_f64();
                looks.push((passed, (total() - before) as f64));
            }
            pace.set(2, Rate::per_second(0));
            let progressing = copies.progressing();
            copies.stop();
            (looks, progressing)
        });
        // A burst at the start, and one piece of each copy.
        assert!(looks.iter().all(|(passed, flowed)| *flowed <= 1e6 * (passed + 0.26) + 2e3), "{looks:?}");
        assert!(looks.iter().any(|(passed, flowed)| *flowed >= 0.5e6 * passed), "{looks:?}");
        assert_eq!(progressing, [false; 2]);
    }

    #[test]
    fn a_piece_larger_than_the_bucket_is_a_debt_that_the_next_one_waits_for() {
        let start = now();
        let mut bucket = Bucket::new(start);
        bucket.set(start, Rate::per_second(1_000));
        assert_eq!(bucket.take(start, 5_000), None);
        assert_eq!(bucket.take(start, 1), Some(Duration::from_secs(5)));
        assert_eq!(bucket.take(start + Duration::from_secs(4), 1), Some(Duration::from_secs(1)));
        assert_eq!(bucket.take(start + Duration::from_secs(5), 250), None);
        // An hour of rest is worth no more than a burst.
        let later = start + Duration::from_hours(1);
        assert_eq!(bucket.take(later, 250), None);
        assert_eq!(bucket.take(later, 1), None);
        assert_eq!(bucket.take(later, 1), Some(Duration::from_millis(1)));
    }

    #[test]
    fn suspension_does_not_count_as_work() {
        let pace = Arc::new(Pace::new());
        let ticket = pace.enter(effect(1));
        let watch = ticket.watch();
        thread::scope(|scope| {
            scope.spawn(|| ticket.pass(1));
            pause(150);
            assert!(watch.worked() < Duration::from_millis(100), "{:?}", watch.worked());
            pace.set(1, Rate::UNLIMITED);
        });
        assert!(ticket.worked() < Duration::from_millis(100), "{:?}", ticket.worked());
    }

    #[test]
    fn a_copy_that_hangs_at_one_piece_is_seen() {
        let pace = Arc::new(Pace::new());
        let ticket = pace.enter(effect(1));
        let watch = ticket.watch();
        pace.set(1, Rate::UNLIMITED);
        assert_eq!(ticket.pass(1), Ok(()));
        pause(80);
        assert!(watch.at_one_piece() >= Duration::from_millis(70), "{:?}", watch.at_one_piece());
        assert_eq!(ticket.pass(1), Ok(()));
        assert!(watch.at_one_piece() < Duration::from_millis(70), "{:?}", watch.at_one_piece());
    }

    #[test]
    fn a_copy_that_is_given_up_stops_also_while_it_is_suspended() {
        let pace = Arc::new(Pace::new());
        let ticket = pace.enter(effect(1));
        thread::scope(|scope| {
            let waits = scope.spawn(|| ticket.pass(1));
            pause(30);
            assert!(pace.stop(effect(1)));
            assert_eq!(waits.join().unwrap(), Err(Stopped));
        });
        assert_eq!(ticket.pass(1), Err(Stopped));
        drop(ticket);
        assert!(!pace.stop(effect(1)), "it is over");
    }
}
