//! The time of a running migration: it never goes back, and a step of the system's clock is told.
//!
//! A session's time is what the clock said when it began, and how long the machine has existed since: a clock that is set
//! in between changes nothing but what `step` tells. A machine that was suspended counts the time it slept, so that after
//! waking everything that came due meanwhile is due at once, and no step is told. Timers of the standard library sleep
//! along: whoever waits long waits in slices of a few seconds.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::units::{Span, Time};

/// A difference of the two clocks beyond this is a step; less is how far apart they are read.
const STEP: Span = Span::from_secs(5);

/// The time of one session; copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The session's time when the machine's counter stood at zero.
    origin: Time,
    steps: Steps,
}

impl Clock {
    /// Starts a session now, or at `not_before` when the system's clock says less: no session tells a time before what an
    /// earlier one has recorded. `Time::LONG_AGO` for a first session.
    #[must_use]
    pub fn start(not_before: Time) -> Self {
        let readings = Readings::now();
        Self { origin: readings.origin(not_before), steps: Steps::new(readings) }
    }

    /// Starts a session now, and calls that `time`: for a rehearsal, which plays at the scenario's own time.
    #[must_use]
    pub fn playing_at(time: Time) -> Self {
        let readings = Readings::now();
        Self { origin: time - readings.since_boot, steps: Steps::new(readings) }
    }

    /// The same clock, set forward where it says less than `time`.
    #[must_use]
    pub fn not_before(self, time: Time) -> Self {
        Self { origin: self.origin.max(time - since_boot()), ..self }
    }

    /// The session's time; never less than at an earlier call.
    #[must_use]
    pub fn now(&self) -> Time {
        self.origin + since_boot()
    }

    /// What time it is at the latest, by this session or by the system's clock now: a lease has run out for whoever has it
    /// as soon as for whoever reads that clock, and wants it.
    #[must_use]
    pub fn latest(&self) -> Time {
        self.now().max(Readings::now().system)
    }

    /// By how much the system's clock has been set, forward if positive, since the last step that was told; `None` when by
    /// no more than five seconds.
    pub fn step(&mut self) -> Option<Span> {
        self.steps.look(Readings::now())
    }

    /// From now on as if the system's clock had just been set by so much.
    pub(super) fn as_if_set(&mut self, by: Span) {
        self.steps.last_origin = self.steps.last_origin - by;
    }
}

/// How long the machine has run without the time that it was suspended: for differences of its counters.
#[must_use]
pub fn awake() -> Span {
    span(clock_gettime(ClockId::Monotonic))
}

fn since_boot() -> Span {
    span(clock_gettime(ClockId::Boottime))
}

fn span(read: Timespec) -> Span {
    Span::from_secs(read.tv_sec) + Span::from_micros(read.tv_nsec / 1_000)
}

/// Both clocks, read one after the other.
#[derive(Clone, Copy, Debug)]
struct Readings {
    /// What time it is, as somebody has set it.
    system: Time,
    /// How long the machine has existed, sleep included.
    since_boot: Span,
}

impl Readings {
    fn now() -> Self {
        let system = Time::from_unix_micros(0) + span(clock_gettime(ClockId::Realtime));
        Self { system, since_boot: since_boot() }
    }

    /// When the machine's counter stood at zero, for a session that begins now.
    fn origin(self, not_before: Time) -> Time {
        self.system.max(not_before) - self.since_boot
    }
}

/// Looks for steps: both clocks run at the same speed, also while a time server makes them run faster or slower.
#[derive(Clone, Copy, Debug)]
struct Steps {
    last_origin: Time,
}

impl Steps {
    fn new(readings: Readings) -> Self {
        Self { last_origin: readings.origin(Time::LONG_AGO) }
    }

    fn look(&mut self, readings: Readings) -> Option<Span> {
        let origin = readings.origin(Time::LONG_AGO);
        let step = origin.since(self.last_origin);
        // What is not told is not forgotten either: many small steps are one large one.
        if step <= STEP && Span::ZERO - step <= STEP {
            return None;
        }
        self.last_origin = origin;
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(system_s: i64, since_boot_s: i64) -> Readings {
        let system = Time::from_unix_micros(0) + Span::from_secs(system_s);
        Readings { system, since_boot: Span::from_secs(since_boot_s) }
    }

    #[test]
    fn a_step_is_told_once_with_its_sign() {
        let mut steps = Steps::new(at(1_000_000, 50));
        assert_eq!(steps.look(at(1_000_010, 60)), None);
        assert_eq!(steps.look(at(1_003_620, 70)), Some(Span::from_secs(3_600)));
        assert_eq!(steps.look(at(1_003_630, 80)), None);
        assert_eq!(steps.look(at(1_000_040, 90)), Some(Span::from_secs(-3_600)));
    }

    #[test]
    fn small_steps_add_up() {
        let mut steps = Steps::new(at(1_000, 0));
        assert_eq!(steps.look(at(1_014, 10)), None);
        assert_eq!(steps.look(at(1_028, 20)), Some(Span::from_secs(8)));
        assert_eq!(steps.look(at(1_038, 30)), None);
        // Exactly the limit is none.
        assert_eq!(steps.look(at(1_043, 30)), None);
    }

    #[test]
    fn a_suspended_machine_has_made_no_step() {
        let mut steps = Steps::new(at(1_000, 10));
        assert_eq!(steps.look(at(1_000 + 86_400, 10 + 86_400)), None);
    }

    #[test]
    fn a_session_begins_no_earlier_than_the_last_one_ended() {
        let recorded = at(5_000, 0).system;
        let behind = at(1_000, 100);
        assert_eq!(behind.origin(recorded) + Span::from_secs(100), recorded);
        let ahead = at(9_000, 100);
        assert_eq!(ahead.origin(recorded) + Span::from_secs(100), ahead.system);
    }

    #[test]
    fn the_real_clock_tells_the_time_and_does_not_go_back() {
        let mut clock = Clock::start(Time::LONG_AGO);
        let mut last = clock.now();
        assert!(last > Time::from_unix_micros(1_600_000_000_000_000), "{last:?}");
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        assert_eq!(clock.step(), None);
        let later = last + Span::from_secs(1_000_000);
        assert!(Clock::start(later).now() >= later);
    }
}
