//! Looks after the probes: one that begins to fail, or hangs, is told of with its reason.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::live::clock::Clock;
use crate::live::journal::Journal as _;
use crate::live::probe::{ProbeStatus, Prober};
use crate::live::recorder::Recorder;
use crate::units::{Span, Time};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// One that answers and fails in turn is told of no sooner than so long after the last time.
const AGAIN: Span = Span::from_secs(600);

/// Looks after them in a thread of its own.
pub(super) struct Care {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Care {
    /// Ends the looks, and the probes.
    pub(super) fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// Looks until it is stopped; `names` are those of the stores, in the order in which their probes were started.
///
/// # Errors
/// A thread cannot be started.
pub(super) fn look_after(
    prober: Prober,
    names: Vec<String>,
    clock: Clock,
    recorder: Arc<Recorder>,
) -> io::Result<Care> {
    let (stop, stopped) = channel();
    let mut courses: Vec<Course> = names.iter().map(|_| Course::default()).collect();
    let thread = std::thread::Builder::new().name("probes".to_owned()).spawn(move || {
        while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            for ((name, course), status) in names.iter().zip(&mut courses).zip(prober.status()) {
                if let Some(why) = course.look(clock.now(), &status) {
                    recorder.trouble(&format!("probe of {name}"), &why);
                }
            }
        }
    })?;
    Ok(Care { stop, thread })
}

/// What has been seen of a probe.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    /// Its last good sample, and how many had been missing when that was first seen.
    last: Option<Time>,
    missed: u64,
    /// Whether it has been told of since that sample, and when it was the last time.
    is_told: bool,
    told: Option<Time>,
}

impl Course {
    /// Why its samples are missing, if that is news.
    fn look(&mut self, now: Time, status: &ProbeStatus) -> Option<String> {
        if status.last != self.last {
            *self = Self { last: status.last, missed: status.missed, is_told: false, told: self.told };
            return None;
        }
        let is_due = self.told.is_none_or(|told| now.since(told) >= AGAIN);
        if self.is_told || !is_due || status.missed <= self.missed {
            return None;
        }
        (self.is_told, self.told) = (true, Some(now));
        status.last_error.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::HeadId;
    use crate::live::probe::StoreId;

    #[test]
    fn a_probe_is_told_of_when_it_begins_to_fail_and_not_at_each_sample() {
        let at = |second: i64| Time::from_unix_micros(second * 1_000_000);
        let status = |last: Option<i64>, missed, error: &str| ProbeStatus {
            store: StoreId::Head(HeadId(0)),
            last: last.map(at),
            missed,
            last_error: Some(error.to_owned()),
            hangs_since: None,
        };
        let mut course = Course::default();
        for (second, status, told) in [
            (0, status(None, 0, "first"), None),
            (1, status(None, 1, "no route"), Some("no route")),
            (2, status(None, 2, "no route"), None),
            (3, status(Some(3), 2, "no route"), None),
            // Within ten minutes of the last time, and then.
            (4, status(Some(3), 3, "gone"), None),
            (300, status(Some(3), 40, "gone"), None),
            (601, status(Some(3), 70, "gone"), Some("gone")),
            (1_500, status(Some(3), 150, "gone"), None),
            (1_600, status(Some(1_600), 150, "gone"), None),
            (1_601, status(Some(1_600), 150, "gone"), None),
            (1_602, status(Some(1_600), 151, "gone again"), Some("gone again")),
        ] {
            assert_eq!(course.look(at(second), &status).as_deref(), told, "at {second}: {status:?}");
        }
    }
}
