//! A switch whose worker hangs: what the machine is told, what becomes of the user, and that nothing of it comes true later.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for real copies")]

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use drawdown::fleet::MailboxId;
use drawdown::live::journal::{Journal, Step};
use drawdown::live::ledger::{self, LedgerError};
use drawdown::live::production::Production;
use drawdown::live::recorder::Recorder;
use drawdown::migration::message::{Command, EffectId, Event, Fault};
use drawdown::units::{Rate, Span};

use crate::contract::Director;
use crate::site_world::{self, waits};
use crate::stages::{Limits, Real, Stage};

/// On a busy machine a piece of work takes its time, too.
const HANGS_AFTER: Duration = Duration::from_secs(1);
const LONGER: Span = Span::from_secs(4);

/// Hangs at a step until it is let go, and keeps what is told to people.
#[derive(Debug)]
struct Hanging {
    inner: Arc<Recorder>,
    at: ledger::Step,
    reached: Mutex<bool>,
    free: Mutex<bool>,
    freed: Condvar,
    told: Mutex<Vec<String>>,
}

impl Journal for Hanging {
    fn step(&self, effect: EffectId, mailbox: MailboxId, step: Step) -> Result<(), LedgerError> {
        if step.name() == self.at {
            *self.reached.lock().unwrap() = true;
            drop(self.freed.wait_while(self.free.lock().unwrap(), |free| !*free).unwrap());
        }
        self.inner.step(effect, mailbox, step)
    }

    fn trouble(&self, doing: &str, why: &str) {
        self.told.lock().unwrap().push(format!("{doing}: {why}"));
    }
}

impl Hanging {
    fn let_go(&self) {
        *self.free.lock().unwrap() = true;
        self.freed.notify_all();
    }
}

/// A host on which the first switch hangs at a step.
struct Hangs {
    real: Real,
    at: ledger::Step,
    journal: Mutex<Option<Arc<Hanging>>>,
}

impl Hangs {
    fn new(at: ledger::Step) -> Self {
        Self { real: Real::new(), at, journal: Mutex::new(None) }
    }

    fn journal(&self) -> Arc<Hanging> {
        Arc::clone(self.journal.lock().unwrap().as_ref().unwrap())
    }

    fn held(&self) -> Vec<String> {
        self.real.world.held()
    }
}

impl Stage for Hangs {
    type Host<'a> = Production;
    const QUIET: Span = Real::QUIET;
    const LATENESS: Span = Real::LATENESS;

    fn host(&self) -> Production {
        self.real.host_with(Limits { hangs_after: HANGS_AFTER, ..Limits::default() }, |inner| {
            let (reached, free) = (Mutex::new(false), Mutex::new(false));
            let told = Mutex::new(Vec::new());
            let journal = Arc::new(Hanging { inner, at: self.at, reached, free, freed: Condvar::new(), told });
            *self.journal.lock().unwrap() = Some(Arc::clone(&journal));
            journal
        })
    }

    fn start(&self) -> drawdown::units::Time {
        self.real.start()
    }

    fn set_clock(host: &mut Production, now: drawdown::units::Time, by: drawdown::units::Span) {
        Real::set_clock(host, now, by);
    }

    fn left_behind(&self) -> usize {
        self.real.left_behind()
    }
}

fn fences(stage: &Hangs) -> Vec<PathBuf> {
    let all = site_world::entries(&stage.real.world.path("head-1"));
    all.into_iter().filter(|path| path.to_string_lossy().ends_with(".moving")).collect()
}

#[test]
fn a_switch_that_hangs_has_failed_and_backs_out_when_it_comes_back() {
    for at in [ledger::Step::Hold, ledger::Step::Fence] {
        let stage = Hangs::new(at);
        let mut director = Director::begin(&stage);
        director.pace(2, Rate::UNLIMITED);
        let effect = director.copy(0);
        director.arrives(effect);
        director.ask(Command::Switch { effect });
        assert_eq!(director.next(), Event::SwitchFailed { effect, fault: Fault::Unreachable });
        // Its user stays held: what hangs may still change the files.
        assert_eq!(stage.held(), ["user-000"]);
        let told = stage.journal().told.lock().unwrap().join("\n");
        assert!(told.contains("user-000 stays held"), "{told}");
        // No other attempt works in the same place meanwhile, and others go on.
        let again = director.copy(0);
        assert_eq!(director.next(), Event::CopyFailed { effect: again, fault: Fault::Unreachable });
        let other = director.copy(1);
        director.arrives(other);
        stage.journal().let_go();
        assert!(waits(Duration::from_secs(20), || stage.held().is_empty() && fences(&stage).is_empty()), "{at:?}");
        assert_eq!(director.events(LONGER), [], "its end was told");
        // The next attempt finds nothing in its way.
        director.moves(0);
        assert_eq!(stage.held(), Vec::<String>::new());
    }
}

#[test]
fn a_switch_that_may_have_come_true_is_waited_for() {
    let stage = Hangs::new(ledger::Step::Placed);
    let mut director = Director::begin(&stage);
    director.pace(2, Rate::UNLIMITED);
    let effect = director.copy(0);
    director.arrives(effect);
    director.ask(Command::Switch { effect });
    assert!(waits(Duration::from_secs(20), || *stage.journal().reached.lock().unwrap()));
    assert_eq!(director.events(LONGER), [], "nobody says that it has failed");
    let told = stage.journal().told.lock().unwrap().clone();
    assert!(told.len() == 1 && told[0].contains("nobody knows whether user-000 has moved"), "{told:?}");
    stage.journal().let_go();
    assert_eq!(director.next(), Event::SwitchEnded { effect });
    assert_eq!(stage.held(), Vec::<String>::new());
}
