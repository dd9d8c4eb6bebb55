//! Every store's probe at its interval, each in a thread of its own: one that hangs holds up no other, and is not asked
//! again before it has come back.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Probe, ProbeError, Reading};
use crate::fleet::{ClusterId, HeadId};
use crate::live::clock::{Clock, awake};
use crate::units::{Span, Time};

/// A sample that only gave something to compare with is followed by the next one after this.
const AFTER_FIRST: Span = Span::from_secs(1);

/// A store of the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreId {
    /// Old storage.
    Head(HeadId),
    /// New hardware.
    Cluster(ClusterId),
}

/// A store to be probed.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Which store.
    pub store: StoreId,
    /// The time from one sample to the next; above zero.
    pub every: Span,
    /// Its probe.
    pub probe: Probe,
}

/// A sample of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Which store.
    pub store: StoreId,
    /// When the sample was begun, in the session's time; earlier by as much as the load was old then.
    pub measured_at: Time,
    /// What was found.
    pub reading: Reading,
}

/// How a store's probe is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeStatus {
    /// Which store.
    pub store: StoreId,
    /// When the last good sample was begun.
    pub last: Option<Time>,
    /// Samples that are missing: failed, late, or not begun because an earlier one hangs.
    pub missed: u64,
    /// Why the last missing sample is missing; kept when later ones are good.
    pub last_error: Option<String>,
    /// When the sample under way was begun, if it should have ended by now.
    pub hangs_since: Option<Time>,
}

/// The probes of all stores. They stop when it is dropped: at once between samples, otherwise after the one under way.
#[derive(Debug)]
pub struct Prober {
    stores: Vec<Store>,
    clock: Clock,
    timeout: Span,
}

#[derive(Debug)]
struct Store {
    id: StoreId,
    every: Span,
    state: Arc<Mutex<State>>,
    /// Nothing is ever sent: that it is gone ends the thread.
    _alive: Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Time>,
    missed: u64,
    last_error: Option<String>,
    begun: Option<Time>,
}

impl Prober {
    /// Starts to probe. Good samples go to `tell`, from the store's thread; one that takes longer than `timeout` is missing,
    /// whatever it says in the end: nobody knows when it was measured.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start<T>(watched: Vec<Watched>, timeout: Span, clock: Clock, tell: &T) -> io::Result<Self>
    where
        T: Fn(Sampled) + Clone + Send + 'static,
    {
        let mut prober = Self { stores: Vec::with_capacity(watched.len()), clock, timeout };
        for Watched { store, every, mut probe } in watched {
            prober.watch(store, every, move || probe.sample(), tell.clone())?;
        }
        Ok(prober)
    }

    /// How each store's probe is doing, in the order of the start.
    #[must_use]
    pub fn status(&self) -> Vec<ProbeStatus> {
        let now = self.clock.now();
        self.stores.iter().map(|store| store.status(now, self.timeout)).collect()
    }

    fn watch<S, T>(&mut self, id: StoreId, every: Span, sample: S, tell: T) -> io::Result<()>
    where
        S: FnMut() -> Result<Reading, ProbeError> + Send + 'static,
        T: Fn(Sampled) + Send + 'static,
    {
        assert!(every > Span::ZERO, "{id:?} is probed every {every}");
        let state = Arc::new(Mutex::new(State::default()));
        let (alive, stop) = channel();
        let watch = Watch { id, every, timeout: self.timeout, clock: self.clock, state: Arc::clone(&state), stop };
        thread::Builder::new().name("probe".to_owned()).spawn(move || watch.run(sample, tell))?;
        self.stores.push(Store { id, every, state, _alive: alive });
        Ok(())
    }
}

impl Store {
    fn status(&self, now: Time, timeout: Span) -> ProbeStatus {
        let state = locked(&self.state);
        let hangs_since = state.begun.filter(|begun| now.since(*begun) > timeout);
        // The one that hangs, and those that would have been begun since.
        let hanging = hangs_since.map_or(0, |begun| 1 + (now.since(begun).micros() / self.every.micros()) as u64);
        ProbeStatus {
            store: self.id,
            last: state.last,
            missed: state.missed + hanging,
            last_error: match hangs_since {
                Some(begun) => Some(format!("has not answered for {}", now.since(begun))),
                None => state.last_error.clone(),
            },
            hangs_since,
        }
    }
}

/// What a store's thread needs.
struct Watch {
    id: StoreId,
    every: Span,
    timeout: Span,
    clock: Clock,
    state: Arc<Mutex<State>>,
    stop: Receiver<()>,
}

impl Watch {
    fn run<S, T>(&self, mut sample: S, tell: T)
    where
        S: FnMut() -> Result<Reading, ProbeError>,
        T: Fn(Sampled),
    {
        let mut due = awake();
        let mut is_first = true;
        loop {
            let (measured_at, began) = (self.clock.now(), awake());
            locked(&self.state).begun = Some(measured_at);
            let result = sample();
            let took = awake() - began;
            let primed = matches!(result, Err(ProbeError::Missing(_)));
            let intervals = (took.micros() / self.every.micros()).max(0) as u64;
            let late = || ProbeError::Failed(format!("answered after {took}, which is later than {}", self.timeout));
            let result = result.and_then(|reading| if took > self.timeout { Err(late()) } else { Ok(reading) });
            self.note(measured_at, &result, intervals, is_first && primed);
            if let Ok(reading) = result {
                tell(Sampled { store: self.id, measured_at: measured_at - reading.age, reading });
            }
            is_first = false;
            let now = awake();
            due = if primed { now + self.every.min(AFTER_FIRST) } else { next(due, now, self.every) };
            let wait = Duration::from_micros((due - now).micros().max(0) as u64);
            match self.stop.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Notes how a sample ended that took so many whole intervals.
    fn note(&self, at: Time, result: &Result<Reading, ProbeError>, intervals: u64, is_prime: bool) {
        let mut state = locked(&self.state);
        state.begun = None;
        match result {
            Ok(_) => state.last = Some(at),
            // The first one only gave something to compare with.
            Err(_) if is_prime => {}
            Err(error) => {
                state.missed += 1 + intervals;
                state.last_error = Some(error.to_string());
            }
        }
    }
}

/// The first instant after `now` that is a whole number of intervals after `due`.
fn next(due: Span, now: Span, every: Span) -> Span {
    let past = (now - due).micros().max(0);
    due + every.times(past / every.micros() + 1)
}

/// A panic elsewhere leaves the state as it was.
fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};

    use super::*;
    use crate::units::{Bytes, Latency, Share};

    const HEAD: StoreId = StoreId::Head(HeadId(0));
    const CLUSTER: StoreId = StoreId::Cluster(ClusterId(1));
    const PATIENCE: Duration = Duration::from_secs(20);

    fn reading(used: u64) -> Reading {
        Reading {
            utilisation: Share::ZERO,
            latency: Latency::default(),
            used: Bytes::new(used),
            capacity: Bytes::new(1_000),
            inodes_used: None,
            inodes_free: 1,
            age: Span::ZERO,
        }
    }

    fn millis(millis: i64) -> Span {
        Span::from_micros(millis * 1_000)
    }

    fn prober(timeout: Span) -> Prober {
        Prober { stores: Vec::new(), clock: Clock::start(Time::LONG_AGO), timeout }
    }

    fn to(sender: &Sender<Sampled>) -> impl Fn(Sampled) + Send + 'static {
        let sender = sender.clone();
        move |sampled| sender.send(sampled).unwrap_or_default()
    }

    /// Waits until the status of the first store is as wanted.
    fn until(prober: &Prober, wanted: impl Fn(&ProbeStatus) -> bool) -> ProbeStatus {
        let end = awake() + Span::from_secs(20);
        loop {
            let status = prober.status().remove(0);
            if wanted(&status) {
                return status;
            }
            assert!(awake() < end, "{status:?}");
            thread::yield_now();
        }
    }

    #[test]
    fn samples_come_at_their_interval_and_stop_with_the_prober() {
        let (sender, samples) = mpsc::channel();
        let mut prober = prober(Span::from_secs(10));
        let mut count = 0;
        let sample = move || {
            count += 1;
            Ok(reading(count))
        };
        prober.watch(CLUSTER, millis(20), sample, to(&sender)).unwrap();
        let got: Vec<Sampled> = (0..4).map(|_| samples.recv_timeout(PATIENCE).unwrap()).collect();
        assert!(
            got.iter().zip(1..).all(|(sampled, count)| sampled.store == CLUSTER && sampled.reading == reading(count))
        );
        assert!(got.windows(2).all(|pair| pair[0].measured_at < pair[1].measured_at));
        assert!(got[3].measured_at.since(got[0].measured_at) >= millis(50));
        drop((prober, sender));
        // The thread ends, and with it the sender that it holds.
        while samples.recv_timeout(PATIENCE).is_ok() {}
        assert_eq!(samples.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }

    #[test]
    fn the_first_sample_only_compares_and_is_not_missing() {
        let (sender, samples) = mpsc::channel();
        let mut prober = prober(Span::from_secs(10));
        let mut results = vec![Ok(reading(2)), Err(ProbeError::Missing("nothing yet".to_owned()))];
        let sample = move || results.pop().unwrap_or_else(|| Err(ProbeError::Failed("gone".to_owned())));
        prober.watch(HEAD, millis(10), sample, to(&sender)).unwrap();
        let good = samples.recv_timeout(PATIENCE).unwrap();
        assert_eq!(good.reading, reading(2));
        let status = until(&prober, |status| status.missed >= 2);
        assert_eq!((status.last, status.hangs_since), (Some(good.measured_at), None));
        assert_eq!(status.last_error.as_deref(), Some("gone"));
    }

    #[test]
    fn a_probe_that_hangs_holds_up_no_other_and_is_not_asked_again() {
        let (sender, samples) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let mut prober = prober(millis(30));
        let mut asked = 0;
        let hanging = move || {
            asked += 1;
            if asked == 1 {
                let _ = held.recv();
            }
            Ok(reading(asked))
        };
        prober.watch(HEAD, millis(10), hanging, to(&sender)).unwrap();
        prober.watch(CLUSTER, millis(10), || Ok(reading(9)), to(&sender)).unwrap();
        let status = until(&prober, |status| status.missed >= 5);
        assert!(status.hangs_since.is_some() && status.last.is_none());
        assert!(status.last_error.is_some_and(|error| error.contains("has not answered")));
        let others: Vec<Sampled> = (0..5).map(|_| samples.recv_timeout(PATIENCE).unwrap()).collect();
        assert!(others.iter().all(|sampled| sampled.store == CLUSTER));
        release.send(()).unwrap();
        // What it says at last is too old; the second one counts.
        let first = samples.iter().find(|sampled| sampled.store == HEAD).unwrap();
        assert_eq!(first.reading, reading(2));
        let status = until(&prober, |status| status.last.is_some());
        assert_eq!(status.hangs_since, None);
        assert!(status.missed >= 5 && status.last_error.is_some_and(|error| error.contains("later than 0.0 s")));
    }

    #[test]
    fn an_interval_that_has_passed_is_skipped_rather_than_made_up_for() {
        let second = Span::from_secs;
        assert_eq!(next(second(100), second(101), second(10)), second(110));
        assert_eq!(next(second(100), second(135), second(10)), second(140));
        assert_eq!(next(second(100), second(140), second(10)), second(150));
        assert_eq!(next(second(100), second(100), second(10)), second(110));
    }
}
