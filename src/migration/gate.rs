//! What a lane may do until something changes: the answers to what would be asked at the end of every copy and purge.
//!
//! Samples, the pace, the calendar, turns, pauses and orders come a thousand times more rarely than copies end. Whatever
//! changes one of them closes the lane's gate; the next copy's end asks everything anew (`Lane::blocked`) and opens it
//! again. It knows nothing of jobs and mailboxes.

use super::message::Binding;
use crate::units::Time;

/// The answers for one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gate {
    /// Until then, that instant included, nothing but the number of copies keeps the lane from starting one.
    pub(super) until: Time,
    /// Copies that may be under way.
    pub(super) streams: u16,
    /// What binds once so many are.
    pub(super) full: Binding,
    /// Whether that hangs on what held the last copy back.
    pub(super) full_by_limit: bool,
    /// As long as so many wait, the lane is neither empty nor about to give way; zero while it is closed for copies.
    pub(super) plenty: u32,
    /// Until then, that instant included, old copies may be purged.
    pub(super) purges_until: Time,
}

impl Gate {
    /// Says nothing: everything is to be asked anew.
    pub(super) const CLOSED: Self = Self {
        until: Time::LONG_AGO,
        streams: 0,
        full: Binding::NotItsTurn,
        full_by_limit: false,
        plenty: 0,
        purges_until: Time::LONG_AGO,
    };

    /// Whether it has to be opened again before it says anything of copies.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.plenty == 0
    }
}
