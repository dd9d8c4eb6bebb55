//! The reference job as far as every Rust program here has to know it: the sizes, the throttle's law, the placement. How time
//! goes by is each program's own affair, that of its framework.
//!
//! All times are whole microseconds since the start, a Monday at midnight, so that all programs agree on them exactly.

use std::path::PathBuf;

use nexosim::Message;
use serde::{Deserialize, Serialize};

/// The heads are drained in their order, each with half of the mailboxes.
pub const HEADS: usize = 2;
/// A move takes so long before its first byte.
pub const SETUP_US: u64 = 2_000_000;
/// The heads are sampled, and the throttle decides, at each of these.
pub const SAMPLE_US: u64 = 60_000_000;
/// What a stream copies in a microsecond: 20 MB/s.
const BYTES_PER_US: u64 = 20;
/// What the users of all mailboxes of the job ask for in the mean, as a share of what a head can serve: each head has half of them.
const USERS: f64 = 0.90;

/// What moving so many bytes takes after the set-up.
#[must_use]
pub const fn transfer_us(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_US)
}

/// What the command line asks for: `PROGRAM SIZES WEIGHT`, a file of sizes in bytes (eight bytes each, the lowest first) and what a
/// stream asks of its head, as a share of what that can serve: 0.005 in the reference job.
pub struct Job {
    sizes: Vec<u64>,
    stream: f64,
}

impl Job {
    /// Reads the sizes that the command line names.
    ///
    /// # Panics
    /// When it names none.
    #[must_use]
    pub fn from_arguments() -> Self {
        let mut arguments = std::env::args_os().skip(1);
        let path = PathBuf::from(arguments.next().expect("a file of sizes"));
        let stream = arguments.next().and_then(|text| text.to_str()?.parse().ok()).expect("a stream's weight");
        let bytes = std::fs::read(path).expect("a readable file");
        let (sizes, _) = bytes.as_chunks::<8>();
        Self { sizes: sizes.iter().map(|size| u64::from_le_bytes(*size)).collect(), stream }
    }

    /// The mailboxes of a head: the first one has the first half.
    #[must_use]
    pub fn of_head(&self, head: usize) -> &[u64] {
        let half = self.sizes.len().div_ceil(HEADS);
        self.sizes.chunks(half).nth(head).unwrap_or_default()
    }

    /// The throttle of each head.
    #[must_use]
    pub fn throttle(&self) -> Throttle {
        Throttle {
            pace_milli: 16 * MILLI,
            samples: 0,
            halved: 0,
            users: 0.0,
            user: USERS / self.sizes.len() as f64,
            stream: self.stream,
        }
    }

    /// The clusters, empty.
    #[must_use]
    pub fn clusters(&self) -> Clusters {
        let total: u64 = self.sizes.iter().sum();
        // Each rated 1.15 times all mailboxes, and full at 40 % of that.
        Clusters { room: [(total as f64 * 1.15 * 0.40) as u64; 3], at: 0 }
    }
}

/// The pace is kept in thousandths of a stream.
const MILLI: u32 = 1_000;

/// The throttle of one head: one more stream a minute, half of them above the limit.
#[derive(Clone, Copy, Debug, Message, Serialize, Deserialize)]
pub struct Throttle {
    pace_milli: u32,
    samples: u64,
    /// How often it has halved.
    pub halved: u64,
    users: f64,
    user: f64,
    stream: f64,
}

impl Throttle {
    /// How many copies may progress.
    #[must_use]
    pub fn streams(&self) -> usize {
        (self.pace_milli / MILLI) as usize
    }

    /// Decides on the sample of this minute. `left` mailboxes have not moved, `copies` of them are under way, suspended ones
    /// included: where those are fewer than may be, more streams would be of no use.
    pub fn sample(&mut self, left: usize, copies: usize) {
        // What users ask for changes every five minutes: a sine over the day with its peak at three in the afternoon.
        if self.samples.is_multiple_of(5) {
            let hour = (self.samples as f64 + 2.5) / 60.0;
            let weight = 1.0 + 0.25 / 0.45 * (std::f64::consts::TAU * (hour - 15.0) / 24.0).cos();
            self.users = left as f64 * self.user * weight;
        }
        self.samples += 1;
        let going = copies.min(self.streams());
        let utilisation = self.users + going as f64 * self.stream;
        if utilisation > 0.80 {
            self.pace_milli = (self.pace_milli / 2).max(MILLI);
            self.halved += 1;
        } else if copies >= self.streams() {
            self.pace_milli = (self.pace_milli + MILLI).min(64 * MILLI);
        }
    }
}

/// The clusters, filled one after the other: one is full at the first mailbox for which it has no room.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
pub struct Clusters {
    room: [u64; 3],
    at: usize,
}

impl Clusters {
    /// Takes a mailbox in.
    ///
    /// # Panics
    /// When all clusters are full.
    #[inline]
    pub fn place(&mut self, bytes: u64) {
        while self.room[self.at] < bytes {
            self.at += 1;
        }
        self.room[self.at] -= bytes;
    }
}

/// What every program prints at its end.
pub fn report(ended_us: u64, moved: usize, throttles: &[Throttle; HEADS]) {
    let halved: u64 = throttles.iter().map(|throttle| throttle.halved).sum();
    println!("ended_us={ended_us} moved={moved} halved={halved}");
}
