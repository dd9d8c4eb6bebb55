//! The floor: what any program has to do for this job, written by hand without a framework, without a core that could run a
//! migration, and without a model beyond this job's. The ends of the copies are the leaves of a tree in which the earlier of two
//! is their parent.

use peers::{Clusters, HEADS, Job, SAMPLE_US, SETUP_US, Throttle, report, transfer_us};

/// A head never has more copies that progress.
const SLOTS: usize = 64;
/// Later than any end.
const NEVER: u64 = u64::MAX;

/// A copy that the pace has suspended, with what it has left.
struct Suspended {
    ready_us: u64,
    left_us: u64,
    serial: usize,
}

/// The head in its turn: its mailboxes, and its copies.
struct Head<'a> {
    mailboxes: &'a [u64],
    begun: usize,
    left: usize,
    /// When each of the copies that progress ends, with its slot in the last digits.
    ends: [u64; 2 * SLOTS],
    free: Vec<usize>,
    /// By slot: which copy it is, in the order of their beginnings, and when its set-up is over.
    serial: [usize; SLOTS],
    ready_us: [u64; SLOTS],
    /// The earliest begun last.
    suspended: Vec<Suspended>,
}

fn main() {
    let job = Job::from_arguments();
    let mut clusters = job.clusters();
    let mut throttles = [job.throttle(); HEADS];
    let mut now = 0;
    let mut sample_at = SAMPLE_US;
    sample(&job, &mut throttles);
    for turn in 0..HEADS {
        let mut head = Head::new(job.of_head(turn));
        head.keep_pace(now, throttles[turn].streams(), &mut clusters);
        while head.left > 0 {
            let ends_us = head.ends[1] / SLOTS as u64;
            if sample_at <= ends_us {
                now = sample_at;
                sample_at += SAMPLE_US;
                throttles[turn].sample(head.left, head.going() + head.suspended.len());
                sample(&job, &mut throttles[turn + 1..]);
            } else {
                now = ends_us;
                head.left -= 1;
                let slot = head.ends[1] as usize % SLOTS;
                // Mostly another one begins in its place.
                if head.going() == throttles[turn].streams()
                    && head.suspended.is_empty()
                    && head.begin(now, slot, &mut clusters)
                {
                    continue;
                }
                head.set(slot, NEVER);
                head.free.push(slot);
            }
            head.keep_pace(now, throttles[turn].streams(), &mut clusters);
        }
    }
    report(now, job.of_head(0).len() + job.of_head(1).len(), &throttles);
}

/// The samples of the heads that have not had their turn: the last ones of all.
fn sample(job: &Job, throttles: &mut [Throttle]) {
    let first = HEADS - throttles.len();
    for (head, throttle) in throttles.iter_mut().enumerate() {
        throttle.sample(job.of_head(first + head).len(), 0);
    }
}

impl<'a> Head<'a> {
    fn new(mailboxes: &'a [u64]) -> Self {
        Self {
            mailboxes,
            begun: 0,
            left: mailboxes.len(),
            ends: [NEVER; 2 * SLOTS],
            free: (0..SLOTS).collect(),
            serial: [0; SLOTS],
            ready_us: [0; SLOTS],
            suspended: Vec::new(),
        }
    }

    fn going(&self) -> usize {
        SLOTS - self.free.len()
    }

    /// Suspends what goes too many; lets suspended copies go on and new ones begin.
    #[cold]
    fn keep_pace(&mut self, now: u64, streams: usize, clusters: &mut Clusters) {
        while self.going() > streams {
            self.suspend(now);
        }
        while self.going() < streams {
            let Some(slot) = self.free.pop() else { return };
            if let Some(Suspended { ready_us, left_us, serial }) = self.suspended.pop() {
                self.go(slot, now.max(ready_us) + left_us, ready_us, serial);
            } else if !self.begin(now, slot, clusters) {
                return self.free.push(slot);
            }
        }
    }

    /// Begins the next copy, if there is one.
    #[inline]
    fn begin(&mut self, now: u64, slot: usize, clusters: &mut Clusters) -> bool {
        let Some(&bytes) = self.mailboxes.get(self.begun) else { return false };
        clusters.place(bytes);
        let ready_us = now + SETUP_US;
        self.go(slot, ready_us + transfer_us(bytes), ready_us, self.begun);
        self.begun += 1;
        true
    }

    #[inline]
    fn go(&mut self, slot: usize, ends_us: u64, ready_us: u64, serial: usize) {
        (self.serial[slot], self.ready_us[slot]) = (serial, ready_us);
        self.set(slot, ends_us * SLOTS as u64 + slot as u64);
    }

    /// Sets a leaf, and its parents.
    #[inline]
    fn set(&mut self, slot: usize, key: u64) {
        let mut at = SLOTS + slot;
        self.ends[at] = key;
        while at > 1 {
            self.ends[at / 2] = self.ends[at].min(self.ends[at ^ 1]);
            at /= 2;
        }
    }

    /// Suspends the copy that began last, whose set-up goes on.
    fn suspend(&mut self, now: u64) {
        let goes = |slot: &usize| self.ends[SLOTS + slot] != NEVER;
        let Some(slot) = (0..SLOTS).filter(goes).max_by_key(|slot| self.serial[*slot]) else { return };
        let (ends_us, ready_us) = (self.ends[SLOTS + slot] / SLOTS as u64, self.ready_us[slot]);
        self.suspended.push(Suspended { ready_us, left_us: ends_us - now.max(ready_us), serial: self.serial[slot] });
        self.set(slot, NEVER);
        self.free.push(slot);
    }
}
