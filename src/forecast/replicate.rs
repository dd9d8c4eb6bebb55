//! Replications in parallel: batches in a fixed order, until the rule says enough.
//!
//! The result is the same for any number of threads: replications are collected in their order, and everything after
//! that works on the ordered list.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// How many replications there shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// At least this many.
    pub minimum: u32,
    /// This many more before the rule is asked again; at least 1.
    pub batch: u32,
    /// At most this many.
    pub maximum: u32,
}

impl Amount {
    /// Exactly this many.
    #[must_use]
    pub const fn exactly(count: u32) -> Self {
        Self { minimum: count, batch: count, maximum: count }
    }
}

/// How the caller follows a forecast and ends it early.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Set to true, no further replication begins; those under way are completed and kept.
    pub stop: &'a AtomicBool,
    /// Told after every replication how many are done and how many are planned so far.
    pub progress: &'a (dyn Fn(u32, u32) + Sync),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Batches<T> {
    /// The replications, in order of their numbers and without a gap.
    pub done: Vec<T>,
    /// Whether the rule was satisfied.
    pub enough: bool,
    /// Whether the caller ended it before all planned replications had run.
    pub interrupted: bool,
}

/// Runs replications `0, 1, ...` until `enough` is satisfied after the minimum or after a batch, the maximum is reached, or
/// the watcher ends it. `W` is what a thread keeps from one replication to the next.
pub fn replicate<W, T>(
    amount: Amount,
    watch: Watch<'_>,
    one: &(dyn Fn(u32, &mut W) -> T + Sync),
    enough: &dyn Fn(&[T]) -> bool,
) -> Batches<T>
where
    W: Default,
    T: Send,
{
    let mut done = Vec::with_capacity(amount.minimum as usize);
    let (mut from, mut to) = (0, amount.minimum.min(amount.maximum));
    let finished = AtomicU32::new(0);
    loop {
        // Each thread takes the next number when it is free, so that none waits for another's share.
        let next = AtomicU64::new(u64::from(from));
        let by_thread = rayon::broadcast(|_| {
            let (mut kept, mut mine) = (W::default(), Vec::new());
            while !watch.stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= u64::from(to) {
                    break;
                }
                mine.push((number, one(number as u32, &mut kept)));
                (watch.progress)(finished.fetch_add(1, Ordering::Relaxed) + 1, to);
            }
            mine
        });
        let mut batch: Vec<Option<T>> = Vec::new();
        for (number, result) in by_thread.into_iter().flatten() {
            let place = (number - u64::from(from)) as usize;
            batch.resize_with(batch.len().max(place + 1), || None);
            batch[place] = Some(result);
        }
        let interrupted = batch.len() < (to - from) as usize;
        done.extend(batch.into_iter().flatten());
        let enough = !interrupted && enough(&done);
        if interrupted || enough || to >= amount.maximum {
            return Batches { done, enough, interrupted };
        }
        (from, to) = (to, to.saturating_add(amount.batch.max(1)).min(amount.maximum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(stop: &AtomicBool) -> Watch<'_> {
        Watch { stop, progress: &|_, _| {} }
    }

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn the_order_is_the_same_for_any_number_of_threads() {
        let stop = AtomicBool::new(false);
        let amount = Amount { minimum: 20, batch: 7, maximum: 41 };
        let run = || replicate(amount, quiet(&stop), &|r, (): &mut ()| r, &|done| done.len() > 30);
        let (one, many) = (pool(1).install(run), pool(5).install(run));
        assert_eq!(one, many);
        assert_eq!(one.done, (0..34).collect::<Vec<_>>());
        assert!(one.enough && !one.interrupted);
    }

    #[test]
    fn the_cap_ends_a_rule_that_never_holds() {
        let stop = AtomicBool::new(false);
        let amount = Amount { minimum: 10, batch: 10, maximum: 25 };
        let all = replicate(amount, quiet(&stop), &|r, (): &mut ()| r, &|_| false);
        assert_eq!((all.done.len(), all.enough, all.interrupted), (25, false, false));
    }

    #[test]
    fn a_maximum_below_the_minimum_wins() {
        let stop = AtomicBool::new(false);
        let amount = Amount { minimum: 10, batch: 10, maximum: 3 };
        assert_eq!(replicate(amount, quiet(&stop), &|r, (): &mut ()| r, &|_| true).done.len(), 3);
    }

    #[test]
    fn an_interruption_keeps_complete_replications() {
        let stop = AtomicBool::new(false);
        let one = |r: u32, (): &mut ()| {
            stop.store(r == 4, Ordering::Relaxed);
            r
        };
        let some = pool(1).install(|| replicate(Amount::exactly(100), quiet(&stop), &one, &|_| true));
        assert!(some.interrupted && !some.enough);
        assert_eq!(some.done, [0, 1, 2, 3, 4]);
        // What has begun is completed: with several threads too, the numbers that are done have no gap.
        let stop = AtomicBool::new(false);
        let one = |r: u32, (): &mut ()| {
            stop.fetch_or(r == 40, Ordering::Relaxed);
            // Those that come later wait for it, however the threads are scheduled.
            while r > 40 && !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            r
        };
        let some = pool(4).install(|| replicate(Amount::exactly(100_000), quiet(&stop), &one, &|_| true));
        assert!(some.interrupted && some.done.len() > 40);
        assert!(some.done.iter().zip(0..).all(|(done, number)| *done == number));
    }

    #[test]
    fn progress_counts_every_replication_once() {
        let (stop, sum) = (AtomicBool::new(false), AtomicU32::new(0));
        let watch = Watch {
            stop: &stop,
            progress: &|done, _| {
                sum.fetch_add(done, Ordering::Relaxed);
            },
        };
        replicate(Amount::exactly(10), watch, &|r, (): &mut ()| r, &|_| false);
        assert_eq!(sum.into_inner(), 55);
    }
}
