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
    // Large enough that a busy machine, on which a thread has its turn some fifty times a second, lets as many pass as may.
    let piece = 20_000;
    let total = || copies.pieces.iter().map(|pieces| pieces.load(Ordering::Relaxed)).sum::<u64>() * piece;
    // What is found is looked at when the copies have stopped: a test that fails in their midst would wait for them.
    let (looks, progressing) = thread::scope(|scope| {
        for copy in 0..2 {
            let copies = &copies;
            scope.spawn(move || copies.run(copy, piece));
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
    assert!(looks.iter().all(|(passed, flowed)| *flowed <= 1e6 * (passed + 0.26) + 2.0 * piece as f64), "{looks:?}");
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

#[test]
fn suspension_is_no_limit_of_the_pace() {
    let pace = Arc::new(Pace::new());
    let ticket = pace.enter(effect(0));
    let looks = thread::scope(|scope| {
        let copy = scope.spawn(|| {
            ticket.pass(1).expect("it is let in the end");
            (ticket.held_by(), ticket.worked(), ticket.age())
        });
        pause(300);
        let suspended = pace.held_by();
        pace.set(1, Rate::UNLIMITED);
        (suspended, copy.join().expect("no panic"))
    });
    let (suspended, (held_by, worked, age)) = looks;
    assert_eq!((suspended, held_by), (Some(Limit::Own), Limit::Own));
    assert!(worked + Duration::from_millis(200) < age, "{worked:?} of {age:?}");
}

#[test]
fn of_a_wait_each_part_counts_for_what_it_was_for() {
    let start = now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut copy = Copy { began: start, not_let: NotLet::default(), waits: None, passed: None, stopped: false };
    for (at, why) in [(1, Some(Why::Suspended)), (2, Some(Why::Suspended)), (100, Some(Why::Bytes)), (104, None)] {
        copy.waits_for(why, after(at));
    }
    let not_let = copy.not_let(after(105));
    assert_eq!((not_let.suspended.as_secs(), not_let.bytes.as_secs()), (99, 4));
    assert_eq!(limit_of(Duration::from_secs(105), not_let), Limit::Pace);
    assert_eq!(limit_of(Duration::from_secs(108), not_let), Limit::Own);
}
