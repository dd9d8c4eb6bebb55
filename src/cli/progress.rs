//! Progress on stderr: a bar with the time left on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::scenario::Watch;

/// How often a line is written where stderr is no terminal.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// Shows how far a forecast is.
pub(super) enum Progress {
    /// Says nothing.
    Quiet,
    /// Draws a bar.
    Bar(ProgressBar),
    /// Writes lines of what is counted.
    Lines(&'static str, Mutex<Lines>),
}

/// How fast it goes, where lines are written.
pub(super) struct Lines {
    /// When the last one was written.
    said: Instant,
    /// When this counting began, and what was done then.
    began: (Instant, u32),
    /// The most that was done in it.
    most: u32,
}

impl Lines {
    fn new(now: Instant) -> Self {
        Self { said: now, began: (now, 0), most: 0 }
    }

    /// How long the rest will take at the pace so far. What counts from the beginning again, as the replications of chance alone do
    /// after all others, has a pace of its own; threads that tell of theirs a little late do not begin anew.
    fn left(&mut self, now: Instant, done: u32, planned: u32) -> Duration {
        if done < self.most / 2 {
            (self.began, self.most) = ((now, done), done);
        }
        self.most = self.most.max(done);
        let (since, from) = self.began;
        let rest = f64::from(planned.saturating_sub(done)) / f64::from(done.saturating_sub(from).max(1));
        now.saturating_duration_since(since).mul_f64(rest)
    }
}

impl Progress {
    /// Counts replications.
    pub(super) fn new(quiet: bool) -> Self {
        Self::counting(quiet, "replications")
    }

    pub(super) fn counting(quiet: bool, what: &'static str) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines(what, Mutex::new(Lines::new(now())));
        }
        let bar = ProgressBar::new(0);
        let template = format!("{{bar:30}} {{pos}} of {{len}} {what}, {{eta}} left");
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bar(bar)
    }

    pub(super) fn show(&self, done: u32, planned: u32) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_length(u64::from(planned));
                bar.set_position(u64::from(done));
            }
            Self::Lines(what, lines) => {
                let Ok(mut lines) = lines.try_lock() else { return };
                let now = now();
                let left = HumanDuration(lines.left(now, done, planned));
                if now.saturating_duration_since(lines.said) >= EVERY {
                    lines.said = now;
                    // A reader that has gone away is no reason to stop the forecast.
                    let _ = writeln!(std::io::stderr(), "{done} of {planned} {what}, about {left} left");
                }
            }
        }
    }

    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Says what is dubious in a scenario. It is no progress: whoever wants that quiet has to know this all the same.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        // A reader that has gone away is no reason to fail.
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
}

/// Says on stderr what was done, what it took, and where its files are.
pub(super) fn say_done(what: &str, folder: Option<&Path>) {
    let cpu = cpu_s().map_or_else(String::new, |cpu_s| format!("; CPU {cpu_s:.1} s"));
    let files = folder.map_or_else(String::new, |folder| format!("; files in {}", folder.display()));
    // A reader that has gone away is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{what}{cpu}{files}");
}

/// From here on a reading says how far it is.
const SAID_AFTER: Duration = Duration::from_secs(1);

/// Shows how far an inventory has been read, once that takes a while.
pub(super) fn reading() -> Watch {
    let reading = Mutex::new(Reading { start: now(), said: None, bar: None });
    Watch::new(move |file, done, all| {
        if let Ok(mut reading) = reading.try_lock() {
            reading.show(file, done, all);
        }
    })
}

struct Reading {
    start: Instant,
    said: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Reading {
    fn show(&mut self, file: &str, done: u64, all: u64) {
        if self.start.elapsed() < SAID_AFTER {
            return;
        }
        if std::io::stderr().is_terminal() {
            let style = || ProgressStyle::with_template("{bar:30} {percent} % of {msg}");
            let bar = self.bar.get_or_insert_with(|| {
                let bar = ProgressBar::new(all).with_message(file.to_owned());
                bar.with_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()))
            });
            bar.set_position(done);
        } else if self.said.is_none_or(|said| said.elapsed() >= EVERY) {
            self.said = Some(now());
            let percent = done.saturating_mul(100) / all.max(1);
            // A reader that has gone away is no reason to stop.
            let _ = writeln!(std::io::stderr(), "reading {file}: {percent} %");
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Now, for measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "only the command line looks at a clock, and only to measure")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Processor time of the whole program so far, in seconds, where the system tells.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems do not tell")]
pub(super) fn cpu_s() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
}

/// Processor time of the whole program so far, in seconds, where the system tells.
#[cfg(not(unix))]
pub(super) fn cpu_s() -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_from_the_beginning_again_has_a_pace_of_its_own() {
        let start = now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lines = Lines::new(start);
        assert_eq!(lines.left(at(5), 50, 200), Duration::from_secs(15));
        assert_eq!(lines.left(at(10), 101, 202), Duration::from_secs(10));
        // One thread tells of its replication after another has told of the next.
        assert_eq!(lines.left(at(10), 100, 200), Duration::from_secs(10));
        assert_eq!(lines.left(at(20), 200, 200), Duration::ZERO);
        // Forty more of another kind.
        let _ = lines.left(at(20), 0, 40);
        assert_eq!(lines.left(at(21), 10, 40), Duration::from_secs(3));
    }
}
