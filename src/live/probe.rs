//! Load and fill of the stores.
//!
//! A probe reads counters twice: its load is what happened between this sample and the last one. What no counter tells is
//! a missing sample, never a guess; whoever decides looks at the age of the last one. Texts of the kernel are parsed by
//! functions that open nothing.

mod command;
mod disk;
mod fill;
mod nfs;
mod pressure;
mod prometheus;
mod watch;

pub use watch::{ProbeStatus, Prober, Sampled, StoreId, Watched};

use std::fmt;
use std::fs;
use std::path::PathBuf;

use super::clock::awake;
use crate::scenario::site::{FillProbe, LoadProbe, Store};
use crate::units::{Bytes, Inodes, Latency, Share, Span};

/// What a store looked like since the last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Busy share of the time. Zero where the probe says none: an NFS mount.
    pub utilisation: Share,
    /// Mean time of an operation. Zero where the probe says none, pressure, and where there was no operation.
    pub latency: Latency,
    /// Bytes in use on the store's file system, whoever uses them.
    pub used: Bytes,
    /// Bytes of the store's file system.
    pub capacity: Bytes,
    /// Inodes in use there, whoever uses them; `None` where the file system has no count of them.
    pub inodes_used: Option<Inodes>,
    /// Files that can still be made; `u64::MAX` where the file system has no such limit.
    pub inodes_free: u64,
    /// How old the load was already when it was read: a server may have it from earlier.
    pub age: Span,
}

/// Why there is no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeError {
    /// Nothing is wrong, but there is nothing to compare with: it is the first sample, or the counters have begun anew.
    Missing(String),
    /// The store or its probe does not answer, or what it says makes no sense.
    Failed(String),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ProbeError {}

/// The load of a store between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    utilisation: Share,
    latency: Latency,
    age: Span,
}

/// The probe of one store.
#[derive(Clone, Debug)]
pub struct Probe {
    root: PathBuf,
    timeout: Span,
    kind: Kind,
    fill: FillProbe,
    /// The file system that stood at the root at first: another one there is not the store.
    file_system: Option<u64>,
}

/// What is read, and what was read last, with the time that the machine had been awake then.
#[derive(Clone, Debug)]
enum Kind {
    Disk { device: String, last: Option<(Span, disk::Counters)> },
    Nfs { last: Option<nfs::Counters> },
    Pressure { last: Option<(Span, pressure::Stalled)> },
    Prometheus(Box<prometheus::Asker>),
    Command(Vec<String>),
    Unmeasured,
}

impl Probe {
    /// A probe of the store; a command of it that runs longer than `timeout` is ended.
    #[must_use]
    pub fn new(store: &Store, timeout: Span) -> Self {
        let kind = match &store.probe {
            LoadProbe::Disk(device) => Kind::Disk { device: device.clone(), last: None },
            LoadProbe::Nfs => Kind::Nfs { last: None },
            LoadProbe::Pressure => Kind::Pressure { last: None },
            LoadProbe::Prometheus(asked) => Kind::Prometheus(Box::new(prometheus::Asker::new(asked, timeout))),
            LoadProbe::Command(argv) => Kind::Command(argv.clone()),
            LoadProbe::Unmeasured => Kind::Unmeasured,
        };
        Self { root: store.root.clone(), timeout, kind, fill: store.fill, file_system: None }
    }

    /// Takes a sample. It may hang where the kernel waits for a server that is gone.
    ///
    /// # Errors
    /// `Missing` at first, and whenever counters have begun anew; `Failed` when the store or the probe does not answer.
    pub fn sample(&mut self) -> Result<Reading, ProbeError> {
        // The fill first: a file system that is gone makes its counters say nothing.
        let mut fill = fill::read(&self.root, &mut self.file_system)?;
        if self.fill == FillProbe::Folder {
            let (bytes, inodes) = fill::below(&self.root)?;
            (fill.used, fill.inodes_used) = (bytes, fill.inodes_used.map(|_| inodes));
        }
        let load = self.load()?;
        Ok(Reading {
            utilisation: load.utilisation,
            latency: load.latency,
            used: fill.used,
            capacity: fill.capacity,
            inodes_used: fill.inodes_used,
            inodes_free: fill.inodes_free,
            age: load.age,
        })
    }

    fn load(&mut self) -> Result<Load, ProbeError> {
        match &mut self.kind {
            Kind::Disk { device, last } => {
                let now = (awake(), disk::find(&kernel_text("/proc/diskstats")?, device).map_err(ProbeError::Failed)?);
                let (before, counters) = last.replace(now).ok_or_else(first)?;
                disk::between(counters, now.1, now.0 - before)
            }
            Kind::Nfs { last } => {
                let now = nfs::find(&kernel_text("/proc/self/mountstats")?, &self.root).map_err(ProbeError::Failed)?;
                nfs::between(last.replace(now).ok_or_else(first)?, now)
            }
            Kind::Pressure { last } => {
                let now = (awake(), pressure::parse(&kernel_text("/proc/pressure/io")?).map_err(ProbeError::Failed)?);
                let (before, stalled) = last.replace(now).ok_or_else(first)?;
                pressure::between(stalled, now.1, now.0 - before)
            }
            Kind::Prometheus(asker) => asker.ask().map_err(ProbeError::Failed),
            Kind::Command(argv) => command::ask(argv, self.timeout).map_err(ProbeError::Failed),
            Kind::Unmeasured => Ok(Load::default()),
        }
    }
}

fn first() -> ProbeError {
    ProbeError::Missing("the first sample has nothing to compare with".to_owned())
}

/// What the counters say when they do not rise.
fn anew(what: &str) -> ProbeError {
    ProbeError::Missing(format!("{what} has begun to count anew"))
}

fn kernel_text(path: &str) -> Result<String, ProbeError> {
    // Names in it may be any bytes; those of a site are UTF-8.
    let bytes = fs::read(path).map_err(|error| ProbeError::Failed(format!("{path} cannot be read: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The part that `busy` is of a stretch of time, at most all of it.
fn busy_share(busy: Span, elapsed: Span) -> Result<Share, ProbeError> {
    if elapsed <= Span::ZERO {
        return Err(ProbeError::Missing("no time has passed since the last sample".to_owned()));
    }
    // The kernel counts in its own steps, a little more than there was time for.
    Ok(Share::from_fraction_up(busy.secs() / elapsed.secs()).min(Share::ONE))
}

/// The mean time of an operation; none took none.
fn mean_latency(total_ms: u64, operations: u64) -> Latency {
    if operations == 0 {
        return Latency::default();
    }
    Latency::from_secs_up(total_ms as f64 / 1e3 / operations as f64)
}

#[cfg(test)]
#[path = "probe/tests.rs"]
mod tests;
