//! When: the plan's calendar, read along with time.

use super::plan::{WindowLimit, Windows};
use crate::units::{Span, Time};

/// How long before its end the calendar's end is announced.
pub(super) const WARNING: Span = Span::from_secs(7 * 86_400);

/// A place in a calendar that only moves forward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// Changes that have passed.
    passed: usize,
    /// When the limit last read may change; long ago before the calendar has been read.
    until: Time,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { passed: 0, until: Time::LONG_AGO }
    }
}

impl Cursor {
    /// The limit at `now`. Past the calendar's end nothing may move: nobody said what holds there.
    pub(super) fn limit(&mut self, windows: &Windows, now: Time) -> WindowLimit {
        let limit = self.read(windows, now);
        self.until = self.read_next_change(windows, now).unwrap_or(Time::NEVER);
        limit
    }

    /// Whether the limit may be another one than when it was last read.
    #[inline]
    pub(super) fn may_change(&self, now: Time) -> bool {
        now >= self.until
    }

    fn read(&mut self, windows: &Windows, now: Time) -> WindowLimit {
        if windows.end.is_some_and(|end| now >= end) {
            return WindowLimit { streams: 0, ..WindowLimit::OPEN };
        }
        while windows.changes.get(self.passed).is_some_and(|(at, _)| *at <= now) {
            self.passed += 1;
        }
        self.passed.checked_sub(1).map_or(WindowLimit::OPEN, |last| windows.changes[last].1)
    }

    /// When the limit may change after it was last read; never where nothing changes any more.
    #[inline]
    pub(super) fn next_change(self) -> Time {
        self.until
    }

    fn read_next_change(self, windows: &Windows, now: Time) -> Option<Time> {
        let change = windows.changes.get(self.passed).map(|(at, _)| *at);
        let next = match (change, windows.end) {
            (Some(change), Some(end)) => Some(change.min(end)),
            (change, end) => change.or(end),
        };
        next.filter(|next| windows.end.is_none_or(|end| now < end) || *next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    #[test]
    fn a_limit_holds_from_its_instant_and_the_end_of_the_calendar_pauses() {
        let at = |seconds| Time::from_unix_micros(0) + Span::from_secs(seconds);
        let twelve = WindowLimit { streams: 12, rate: Rate::UNLIMITED };
        let windows = Windows { changes: vec![(at(10), twelve), (at(20), WindowLimit::OPEN)], end: Some(at(30)) };
        let mut cursor = Cursor::default();
        let seen: Vec<u16> = [0, 9, 10, 19, 20, 29, 30].map(|s| cursor.limit(&windows, at(s)).streams).into();
        assert_eq!(seen, [u16::MAX, u16::MAX, 12, 12, u16::MAX, u16::MAX, 0]);
    }

    #[test]
    fn the_next_change_lies_ahead() {
        let at = |seconds| Time::from_unix_micros(0) + Span::from_secs(seconds);
        let windows = Windows { changes: vec![(at(10), WindowLimit::OPEN)], end: Some(at(30)) };
        let mut cursor = Cursor::default();
        let mut next_after = |second| {
            cursor.limit(&windows, at(second));
            cursor.next_change()
        };
        assert_eq!([0, 9, 10, 29].map(&mut next_after), [at(10), at(10), at(30), at(30)]);
        assert_eq!(next_after(30), Time::NEVER, "nothing changes past the end");
        let mut cursor = Cursor::default();
        cursor.limit(&Windows::default(), at(0));
        assert_eq!(cursor.next_change(), Time::NEVER);
    }
}
