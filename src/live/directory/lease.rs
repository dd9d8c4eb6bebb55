//! The right to change the directory: one instance has it, for a time, under a number that only grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::error::DirectoryError;
use super::statements::{Cell, Parameter, Value, Values, Which};
use super::{Directory, Fence};
use crate::units::{Span, Time};

/// A lease that was taken. Whoever takes it after it has run out gets a higher number, and from then on the directory
/// refuses every change under this one: nothing depends on the two clocks agreeing, except how soon that can happen.
///
/// A lease that has run out and that nobody has taken is still good, and can be kept.
#[derive(Debug)]
pub struct Lease {
    directory: Arc<Directory>,
    owner: String,
    fence: Fence,
    length: Span,
    /// When it runs out, in microseconds since 1970.
    until: AtomicI64,
    refused: AtomicBool,
}

impl Lease {
    /// Takes the lease until `length` after `now`; none while another owner has it. The same owner takes it anew,
    /// by the default statements, and its earlier number is good for nothing then.
    ///
    /// # Errors
    /// The directory does not answer, or gives a number that is not higher than the last one seen here. After
    /// [`DirectoryError::Uncertain`] it may have been taken for nobody, and runs out.
    pub fn take(
        directory: &Arc<Directory>,
        owner: &str,
        now: Time,
        length: Span,
    ) -> Result<Option<Self>, DirectoryError> {
        let until = now + length;
        let which = Which::TakeLease;
        let changed = directory.database.change(
            which,
            &Values::from([
                (Parameter::Owner, Value::Text(owner.to_owned())),
                // Down here and up there, so that nobody takes a lease early.
                (Parameter::Now, Value::Whole(now.unix_micros().div_euclid(1_000_000))),
                (Parameter::Until, Value::Whole(seconds_up(until))),
            ]),
        )?;
        let fence = match changed.first {
            None if changed.rows == 0 => return Ok(None),
            Some(Cell::Null) => return Ok(None),
            Some(Cell::Whole(number)) => Fence::from_number(number),
            None | Some(Cell::Text(_) | Cell::Other(_)) => {
                return Err(which.answer("the fencing number must be a whole number"));
            }
        };
        let highest = directory.highest_fence.fetch_max(fence.number(), Ordering::AcqRel);
        if fence.number() <= highest {
            return Err(which.answer(format!("the fencing number {} comes after {highest}", fence.number())));
        }
        Ok(Some(Self {
            directory: Arc::clone(directory),
            owner: owner.to_owned(),
            fence,
            length,
            until: AtomicI64::new(until.unix_micros()),
            refused: AtomicBool::new(false),
        }))
    }

    /// The number under which this lease changes the directory.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// Extends it to as long after `now` as it was taken for.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] when it is lost, for good; otherwise the directory does not answer, and it may be tried
    /// again until [`is_lost`](Self::is_lost).
    pub fn keep(&self, now: Time) -> Result<(), DirectoryError> {
        let until = now + self.length;
        let mut values = self.values();
        values.push((Parameter::Until, Value::Whole(seconds_up(until))));
        let kept = self.directory.change(Which::KeepLease, None, &values);
        match &kept {
            // Not the later of both: a clock that was set forward by mistake, and back, must not leave us sure of it for long.
            Ok(()) => self.until.store(until.unix_micros(), Ordering::Release),
            Err(DirectoryError::Refused { .. }) => self.refused.store(true, Ordering::Release),
            Err(_) => {}
        }
        kept
    }

    /// When it runs out unless it is kept.
    #[must_use]
    pub fn until(&self) -> Time {
        Time::from_unix_micros(self.until.load(Ordering::Acquire))
    }

    /// Whether something may be done under it now. One that has run out, as it does when the clock is set forward, is good
    /// if it can be kept: then nobody has taken it.
    #[must_use]
    pub fn holds(&self, now: Time) -> bool {
        !self.is_lost(now) || (!self.refused.load(Ordering::Acquire) && self.keep(now).is_ok())
    }

    /// It has been refused, or has run out without having been kept, so that another may have it by now.
    #[must_use]
    pub fn is_lost(&self, now: Time) -> bool {
        self.refused.load(Ordering::Acquire) || now.unix_micros() >= self.until.load(Ordering::Acquire)
    }

    /// Whether the directory has refused it: another has it by now. One that is lost and was not refused has run out without an
    /// answer.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// Gives it back; its number is good for nothing from then on.
    ///
    /// # Errors
    /// The directory does not answer (then it runs out), or it was lost already.
    pub fn end(&self) -> Result<(), DirectoryError> {
        self.directory.change(Which::EndLease, None, &self.values())
    }

    fn values(&self) -> Values {
        Values::from([
            (Parameter::Owner, Value::Text(self.owner.clone())),
            (Parameter::Fence, Value::Whole(self.fence.number())),
        ])
    }
}

fn seconds_up(time: Time) -> i64 {
    time.rounded_up(Span::from_secs(1)).unix_micros() / 1_000_000
}
