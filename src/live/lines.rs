//! Lines for people who may not be reading: a pipe that nobody empties, a terminal that somebody has stopped.
//!
//! Whoever has a line puts it down and goes on; one thread writes. Lines that find no place are counted, and where they are
//! missing it is said how many.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lines that wait, at most; what is being written comes on top, and is no more than that.
const MOST: usize = 10_000;
/// At the end, whoever reads slowly has so long for the rest.
const LAST: Duration = Duration::from_secs(2);

/// Where lines are put down. Each is written whole, in their order.
pub struct Lines {
    queue: Arc<Queue>,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<String>,
    writing: bool,
    /// Lines that are missing after the last one that waits.
    missed: u64,
    /// What is said of them.
    notice: String,
    over: bool,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(out: Box<dyn Write + Send>) -> io::Result<Self> {
        let queue = Arc::new(Queue { state: Mutex::default(), changed: Condvar::new() });
        let writer = Arc::clone(&queue);
        std::thread::Builder::new().name("lines".to_owned()).spawn(move || writer.write(out))?;
        Ok(Self { queue })
    }

    /// Puts down a line, which ends as lines end; never waits for whoever reads. If it has no place, `notice` says in a line
    /// how many are missing by now.
    pub fn put(&self, line: String, notice: impl FnOnce(u64) -> String) {
        let mut state = self.queue.state();
        if state.waiting.len() >= MOST {
            state.missed += 1;
            state.notice = notice(state.missed);
            return;
        }
        state.tell_missed();
        state.waiting.push_back(line);
        drop(state);
        self.queue.changed.notify_all();
    }

    /// Waits until everything is written, but not for long.
    pub fn finish(&self) {
        let mut state = self.queue.state();
        state.tell_missed();
        self.queue.changed.notify_all();
        let is_busy = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.queue.changed.wait_timeout_while(state, LAST, is_busy));
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.finish();
        self.queue.state().over = true;
        self.queue.changed.notify_all();
    }
}

impl State {
    fn tell_missed(&mut self) {
        if self.missed > 0 {
            self.waiting.push_back(std::mem::take(&mut self.notice));
            self.missed = 0;
        }
    }
}

impl Queue {
    fn write(&self, mut out: Box<dyn Write + Send>) {
        loop {
            let is_idle = |state: &mut State| state.waiting.is_empty() && !state.over;
            let waited = self.changed.wait_while(self.state(), is_idle);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            if state.waiting.is_empty() {
                return;
            }
            let lines = std::mem::take(&mut state.waiting);
            state.writing = true;
            drop(state);
            for line in lines {
                // Nobody who listens is no reason to stop.
                let _ = out.write_all(line.as_bytes());
            }
            let _ = out.flush();
            self.state().writing = false;
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// Takes a piece only when somebody asks for it.
    struct Pipe(SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.0.send(text).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn unread() -> (Lines, Receiver<String>) {
        let (sender, pipe) = sync_channel(0);
        (Lines::new(Box::new(Pipe(sender))).expect("a thread"), pipe)
    }

    fn put(lines: &Lines, text: &str) {
        lines.put(format!("{text}\n"), |missed| format!("{missed} missing\n"));
    }

    #[test]
    fn nobody_waits_for_who_does_not_read_and_missing_lines_are_counted_in_their_place() {
        let (lines, pipe) = unread();
        let all = 3 * MOST;
        put(&lines, "0");
        // A writer that begins late would take what has been missed by then for one notice, and the rest for another.
        while !lines.queue.state().waiting.is_empty() {
            std::thread::yield_now();
        }
        for number in 1..all {
            put(&lines, &number.to_string());
        }
        let read = pipe.recv().expect("the first line");
        assert_eq!(read, "0\n");
        // What was kept is written in its order; then how many are missing, and what came after them.
        let mut next = 1;
        let notice = loop {
            let line = pipe.recv().expect("a line");
            if line.contains("missing") {
                break line;
            }
            assert_eq!(line, format!("{next}\n"));
            next += 1;
            if next == MOST {
                put(&lines, "again");
            }
        };
        assert_eq!(next, MOST + 1, "one was being written, and as many as can waited");
        assert_eq!(notice, format!("{} missing\n", all - next));
        assert_eq!(pipe.recv().as_deref(), Ok("again\n"));
    }

    #[test]
    fn the_end_waits_for_the_rest_but_not_for_ever() {
        let (lines, pipe) = unread();
        put(&lines, "one");
        put(&lines, "two");
        let reader = std::thread::spawn(move || pipe.iter().collect::<String>());
        drop(lines);
        assert_eq!(reader.join().expect("no panic"), "one\ntwo\n");
        let (lines, pipe) = unread();
        put(&lines, "one");
        drop(lines);
        drop(pipe);
    }

    #[test]
    fn without_a_reader_lines_are_lost_and_nothing_else_happens() {
        let (lines, pipe) = unread();
        drop(pipe);
        (0..10).for_each(|_| put(&lines, "one"));
    }
}
