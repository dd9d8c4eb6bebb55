//! A switch as its host sees it: what it is at and since when, and who has the last word on it.
//!
//! A worker can hang in the kernel, where nothing ends it: then its user stays held, since files may change under it at any
//! instant. The host may give such a switch up as long as nothing of it counts yet. A worker that comes back asks before
//! each step, and then backs out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::now;

/// Shared by the worker of a switch and its host.
#[derive(Debug)]
pub struct SwitchWatch(Mutex<State>);

#[derive(Debug)]
struct State {
    step: &'static str,
    since: Instant,
    fate: Fate,
    told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    /// It comes true, or the directory says that it does not.
    Committed,
    /// The machine has been told that it failed.
    GivenUp,
    /// Its user is free again; what is left to be done may take its time.
    Over,
}

/// What is to be done about a switch that hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangs {
    /// It was given up: it has failed, and its worker backs out when it comes back.
    GivenUp(&'static str),
    /// It may have come true: nobody but its worker can say. Told once.
    Unknown(&'static str),
}

impl SwitchWatch {
    /// A switch that begins.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(State { step: "beginning", since: now(), fate: Fate::Open, told: false }))
    }

    /// Says what is done next; false when the switch was given up.
    pub(super) fn at(&self, step: &'static str) -> bool {
        let mut state = self.lock();
        (state.step, state.since) = (step, now());
        state.fate != Fate::GivenUp
    }

    /// From here on it may come true; false when the switch was given up.
    pub(super) fn commit(&self) -> bool {
        let mut state = self.lock();
        if state.fate == Fate::Open {
            state.fate = Fate::Committed;
        }
        state.fate == Fate::Committed
    }

    /// It has not come true and will not: it is backed out from here.
    pub(super) fn fail(&self) {
        let mut state = self.lock();
        if state.fate == Fate::Committed {
            state.fate = Fate::Open;
        }
    }

    /// Its user is free again: whatever is still done, such as removing the copy, holds nobody.
    pub(super) fn over(&self) {
        let mut state = self.lock();
        if state.fate != Fate::GivenUp {
            state.fate = Fate::Over;
        }
    }

    /// What is to be done when it has been at one step for longer than `limit`.
    pub fn hangs(&self, limit: Duration) -> Option<Hangs> {
        let mut state = self.lock();
        if now().saturating_duration_since(state.since) <= limit {
            return None;
        }
        match state.fate {
            Fate::Open => {
                state.fate = Fate::GivenUp;
                Some(Hangs::GivenUp(state.step))
            }
            Fate::Committed if !state.told => {
                state.told = true;
                Some(Hangs::Unknown(state.step))
            }
            Fate::Committed | Fate::GivenUp | Fate::Over => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SwitchWatch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_giving_up_and_committing_only_one_happens() {
        let watch = SwitchWatch::new();
        assert_eq!(watch.hangs(Duration::from_mins(1)), None);
        assert!(watch.at("fencing"));
        assert_eq!(watch.hangs(Duration::ZERO), Some(Hangs::GivenUp("fencing")));
        assert_eq!(watch.hangs(Duration::ZERO), None, "once");
        assert!(!watch.at("verifying") && !watch.commit());

        let watch = SwitchWatch::new();
        assert!(watch.commit() && watch.at("flipping"));
        assert_eq!(watch.hangs(Duration::ZERO), Some(Hangs::Unknown("flipping")));
        assert_eq!(watch.hangs(Duration::ZERO), None, "told once");
        watch.fail();
        assert!(watch.at("backing out"));
        assert_eq!(watch.hangs(Duration::ZERO), Some(Hangs::GivenUp("backing out")));

        let watch = SwitchWatch::new();
        watch.fail();
        watch.over();
        assert_eq!(watch.hangs(Duration::ZERO), None, "the removal of a large copy takes its time");
    }
}
