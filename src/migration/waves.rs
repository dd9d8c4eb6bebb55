//! Waves: how many mailboxes may begin before the next soak, and who says go after it.

use super::message::WavesSoFar;
use super::plan::{Go, Wave};
use crate::units::{Share, Span, Time};

/// Where the waves stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaveState {
    Moving,
    Soaking { until: Time, go: Go },
    WaitingForGo,
    Over,
}

/// What a wave asks for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaveStep {
    /// Nothing.
    None,
    /// This wave has moved: announce it.
    Moved(u8),
    /// The soak is over and a person must say go.
    AskGo,
    /// The next wave may begin.
    Begin,
}

/// The waves of a migration: how many mailboxes may begin before the next soak.
#[derive(Clone, Debug)]
pub(super) struct Waves {
    list: Vec<Wave>,
    current: usize,
    mailboxes: u64,
    begun: u64,
    limit: u64,
    /// Ended, of those that have begun.
    over: u64,
    state: WaveState,
    /// Whether there is a place that nobody was offered: one that had begun has found no room.
    has_place: bool,
}

impl Waves {
    pub(super) fn new(waves: &[Wave], mailboxes: u64) -> Self {
        let mut made = Self {
            list: waves.to_vec(),
            current: 0,
            mailboxes,
            begun: 0,
            limit: u64::MAX,
            over: 0,
            state: WaveState::Over,
            has_place: false,
        };
        made.enter(0);
        made
    }

    /// Goes on where an earlier session has ended; `waiting` of the migration's mailboxes are still to move.
    pub(super) fn go_on(waves: &[Wave], so_far: WavesSoFar, waiting: u64) -> Self {
        let mut made = Self::new(waves, so_far.mailboxes);
        made.begun = so_far.over.unwrap_or_else(|| so_far.mailboxes.saturating_sub(waiting));
        made.over = made.begun;
        let Some((wave, moved_at)) = so_far.moved else { return made };
        let wave = usize::from(wave);
        made.enter(wave);
        match waves.get(wave) {
            Some(Wave { soak, go, .. }) if !so_far.go => {
                made.state = WaveState::Soaking { until: moved_at + (*soak).max(Span::TICK), go: *go };
                // Of those that had begun some may have been set aside.
                made.hold();
            }
            Some(_) => made.enter(wave + 1),
            None => {}
        }
        made
    }

    fn enter(&mut self, wave: usize) {
        self.current = wave;
        let share = self.list.get(wave).map(|wave| wave.share);
        (self.limit, self.state) = match share {
            Some(share) => (share.min(Share::ONE).of_count(self.mailboxes), WaveState::Moving),
            None => (u64::MAX, WaveState::Over),
        };
    }

    /// Whether a mailbox that has not begun yet may begin.
    #[inline]
    pub(super) fn admits(&self) -> bool {
        self.begun < self.limit
    }

    #[inline]
    pub(super) fn begin(&mut self) {
        self.begun = self.begun.wrapping_add(1);
    }

    #[inline]
    pub(super) fn end(&mut self) {
        // No count of moves comes near the end of its range.
        self.over = self.over.wrapping_add(1);
        assert!(self.over <= self.begun, "{} moves are over of {} that have begun", self.over, self.begun);
    }

    /// A mailbox that had begun has found no room: the wave goes on without it, and it begins when there is some.
    pub(super) fn withdraw(&mut self) {
        self.has_place |= !self.admits();
        self.begun -= 1;
        assert!(self.over <= self.begun, "{} moves are over of {} that have begun", self.over, self.begun);
        self.hold();
    }

    /// Lets nothing begin before the next wave does, unless one is under way, however few this one had.
    fn hold(&mut self) {
        match self.state {
            WaveState::Soaking { .. } | WaveState::WaitingForGo => self.limit = self.limit.min(self.begun),
            WaveState::Moving | WaveState::Over => {}
        }
    }

    /// Whether lanes that the wave held may go on since one has made place; asked once.
    #[inline]
    pub(super) fn take_place(&mut self) -> bool {
        std::mem::take(&mut self.has_place) && self.admits()
    }

    /// A mailbox that had ended is tried again.
    pub(super) fn reopen(&mut self) {
        self.over -= 1;
    }

    /// Whether the wave's state may have to change; cheap enough to ask at every step.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.begun == self.over && self.begun >= self.limit
    }

    /// What is to be done about the waves now.
    pub(super) fn advance(&mut self, now: Time) -> WaveStep {
        match self.state {
            WaveState::Moving if self.is_full() => {
                let wave = self.list[self.current];
                self.state = WaveState::Soaking { until: now + wave.soak.max(Span::TICK), go: wave.go };
                WaveStep::Moved(self.current as u8)
            }
            WaveState::Soaking { until, go } if now >= until => match go {
                Go::Automatic => {
                    self.enter(self.current + 1);
                    WaveStep::Begin
                }
                Go::Operator => {
                    self.state = WaveState::WaitingForGo;
                    WaveStep::AskGo
                }
            },
            WaveState::Moving | WaveState::Soaking { .. } | WaveState::WaitingForGo | WaveState::Over => WaveStep::None,
        }
    }

    /// The operator says go.
    pub(super) fn go(&mut self) {
        if self.state == WaveState::WaitingForGo {
            self.enter(self.current + 1);
        }
    }

    /// Those that have begun and have not ended.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> u64 {
        self.begun - self.over
    }

    #[inline]
    pub(super) fn soak_ends(&self) -> Option<Time> {
        match self.state {
            WaveState::Soaking { until, .. } => Some(until),
            WaveState::Moving | WaveState::WaitingForGo | WaveState::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_soaks_after_its_last_mailbox_and_waits_for_a_go() {
        let wave = |percent: u32, go| Wave { share: Share::from_ppm(percent * 10_000), soak: Span::from_secs(10), go };
        let mut waves = Waves::new(&[wave(10, Go::Automatic), wave(30, Go::Operator)], 10);
        let at = |seconds| Time::from_unix_micros(0) + Span::from_secs(seconds);
        waves.begin();
        assert!(!waves.admits());
        assert_eq!(waves.advance(at(0)), WaveStep::None);
        waves.end();
        assert_eq!(waves.advance(at(1)), WaveStep::Moved(0));
        assert_eq!(waves.soak_ends(), Some(at(11)));
        assert_eq!(waves.advance(at(11)), WaveStep::Begin);
        waves.begin();
        waves.begin();
        assert!(!waves.admits());
        waves.end();
        waves.end();
        assert_eq!(waves.advance(at(20)), WaveStep::Moved(1));
        assert_eq!(waves.advance(at(30)), WaveStep::AskGo);
        assert!(!waves.admits());
        waves.go();
        assert!(waves.admits());
    }
}
