//! What is due next.

use super::message::Reason;
use crate::units::Time;

/// An instant at which something is due, and what.
pub(super) type Due = (Time, Reason);

/// No instant at which anything is due.
pub(super) const NOTHING_DUE: Due = (Time::NEVER, Reason::Idle);

/// The sooner of two; of two at one instant, the one whose reason counts first.
#[inline]
pub(super) fn sooner(one: Due, other: Due) -> Due {
    if one.0 < other.0 || (one.0 == other.0 && one.1 <= other.1) { one } else { other }
}
