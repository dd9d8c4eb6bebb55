//! What happens after a failure: back-off, setting aside, and the stop when too much fails.

use super::message::Fault;
use super::plan::AttemptPlan;
use crate::units::{Share, Span};

/// What to do with a mailbox after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again after this time; the attempt counts.
    RetryAfter(Span),
    /// Try again after this time; the mailbox is not to blame.
    Blameless(Span),
    /// It waits for a person.
    SetAside,
    /// It is gone.
    Forget,
}

/// Decides after `failed` attempts, this one included.
pub(crate) fn verdict(plan: &AttemptPlan, fault: Fault, failed: u8) -> Verdict {
    match fault {
        Fault::Gone => Verdict::Forget,
        Fault::Permanent | Fault::Skipped | Fault::VerifyFailed => Verdict::SetAside,
        Fault::Unreachable | Fault::NoRoom | Fault::Abandoned => Verdict::Blameless(backoff(plan, 1)),
        Fault::Transient | Fault::HoldTooLong => {
            if failed >= plan.limit {
                Verdict::SetAside
            } else {
                Verdict::RetryAfter(backoff(plan, failed))
            }
        }
    }
}

/// The wait after this many failed attempts: doubled each time up to the cap, for a wait without one once reached 11 hours.
/// Never nothing: whatever fails at once would be tried again at once, for ever.
pub(super) fn backoff(plan: &AttemptPlan, failed: u8) -> Span {
    let doublings = u32::from(failed.saturating_sub(1)).min(40);
    plan.backoff.times(1_i64 << doublings).min(plan.backoff_cap).max(Span::TICK)
}

/// Whether a fault says something about how well moving works.
pub(crate) fn counts(fault: Fault) -> bool {
    match fault {
        Fault::Transient | Fault::Permanent | Fault::VerifyFailed | Fault::HoldTooLong => true,
        Fault::Unreachable | Fault::NoRoom | Fault::Abandoned | Fault::Skipped | Fault::Gone => false,
    }
}

/// Why a job is over: what it was given up for, where that says more than the attempt's own end.
pub(crate) fn cause(abandoned: Option<Fault>, fault: Fault) -> Fault {
    match abandoned {
        Some(Fault::Gone) => Fault::Gone,
        Some(Fault::Skipped) if fault != Fault::Gone => Fault::Skipped,
        Some(why) if fault == Fault::Abandoned => why,
        Some(_) | None => fault,
    }
}

/// The results of the last attempts, a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FaultRate {
    failed: u64,
    seen: u8,
    /// Successes since the last failure: nothing hangs on them before the next one.
    passed: u64,
}

impl FaultRate {
    /// Takes in a success.
    #[inline]
    pub(super) fn pass(&mut self) {
        // No count of attempts comes near the end of this range.
        self.passed = self.passed.wrapping_add(1);
    }

    /// Takes in a failure; says whether too many of the last attempts failed.
    pub(super) fn fail(&mut self, plan: &AttemptPlan) -> bool {
        let passed = std::mem::take(&mut self.passed).min(64) as u32;
        self.failed = (self.failed.checked_shl(passed).unwrap_or(0) << 1) | 1;
        self.seen = self.seen.saturating_add(passed as u8 + 1);
        if self.seen < plan.fault_window {
            return false;
        }
        let window = u64::from(plan.fault_window.clamp(1, 64));
        let mask = u64::MAX >> (64 - window);
        let limit = window * u64::from(plan.fault_rate.ppm());
        u64::from((self.failed & mask).count_ones()) * u64::from(Share::ONE.ppm()) > limit
    }

    /// Forgets, after a person has looked.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: AttemptPlan = AttemptPlan {
        limit: 4,
        backoff: Span::from_secs(60),
        backoff_cap: Span::from_secs(200),
        fault_rate: Share::from_ppm(250_000),
        fault_window: 8,
        wait_for_person: false,
    };

    #[test]
    fn the_wait_doubles_up_to_its_cap_for_any_number_of_failures() {
        let waits: Vec<i64> = [1, 2, 3, 4, 255].map(|failed| backoff(&PLAN, failed).micros() / 1_000_000).into();
        assert_eq!(waits, [60, 120, 200, 200, 200]);
    }

    #[test]
    fn a_mailbox_is_set_aside_at_the_limit_and_at_once_when_trying_again_cannot_help() {
        assert_eq!(verdict(&PLAN, Fault::Transient, 3), Verdict::RetryAfter(Span::from_secs(200)));
        assert_eq!(verdict(&PLAN, Fault::Transient, 4), Verdict::SetAside);
        assert_eq!(verdict(&PLAN, Fault::Permanent, 1), Verdict::SetAside);
        assert_eq!(verdict(&PLAN, Fault::Unreachable, 200), Verdict::Blameless(Span::from_secs(60)));
    }

    #[test]
    fn more_than_the_limit_of_the_last_attempts_must_fail_before_the_machine_stops() {
        let mut rate = FaultRate::default();
        let mut stops = Vec::new();
        for failed in [true, true, true, false, false, false, false, false, true, true, true] {
            if !failed {
                rate.pass();
            }
            stops.push(failed && rate.fail(&PLAN));
        }
        assert_eq!(stops.iter().position(|stop| *stop), Some(8), "{stops:?}: the window is full from the eighth on");
    }
}
