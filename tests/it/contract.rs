//! What a host promises, asked of both: the simulated world and production over real Maildirs. The cases speak to a host as
//! the loop does, without the machine.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for real copies")]

use std::fmt::Debug;
use std::sync::Arc;

use drawdown::fleet::{ClusterId, HeadId, Home, MailboxId};
use drawdown::host::Host;
use drawdown::live::ledger::Named;
use drawdown::live::mover::Audit;
use drawdown::live::production::Arrival;
use drawdown::migration::message::{Batch, Command, EffectId, Event, Fault};
use drawdown::units::{Bytes, Rate, Span, Time};

use crate::stages::{Real, Simulated, Stage};

/// The machine's part, played by a case.
pub(crate) struct Director<H: Host> {
    host: H,
    now: Time,
    sequence: u64,
    pub(crate) mailboxes: Vec<MailboxId>,
    quiet: Span,
    lateness: Span,
}

const HEAD: HeadId = HeadId(0);
/// A copy at this pace comes to no end.
const CRAWL: Rate = Rate::per_second(1);

impl<'a, H: Host<Error: Debug>> Director<H> {
    pub(crate) fn begin<S: Stage<Host<'a> = H>>(stage: &'a S) -> Self {
        Self::with(stage, stage.host())
    }

    /// The same with a host of the case's own.
    pub(crate) fn with<S: Stage<Host<'a> = H>>(stage: &'a S, mut host: H) -> Self {
        let (now, event) = host.wait(stage.start()).unwrap();
        let Event::Started(start) = &event else { panic!("a session begins with {event:?}") };
        let fleet = Arc::clone(&start.facts.fleet);
        let mailboxes = fleet.ids().filter(|mailbox| fleet.home[mailbox.index()] == Home::head(HEAD)).collect();
        host.record(now, &event, &[]).unwrap();
        Self { host, now, sequence: 0, mailboxes, quiet: S::QUIET, lateness: S::LATENESS }
    }

    pub(crate) fn ask(&mut self, command: Command) {
        self.host.record(self.now, &Event::Wake, &[command]).unwrap();
        self.host.perform(self.now, &command).unwrap();
    }

    /// A new effect, in a slot of its own.
    pub(crate) fn effect(&mut self) -> EffectId {
        self.sequence += 1;
        EffectId::new(1, self.sequence, self.sequence as u16)
    }

    pub(crate) fn pace(&mut self, streams: u16, rate: Rate) {
        let effect = self.effect();
        self.ask(Command::SetPace { effect, head: HEAD, streams, rate });
    }

    fn copy_command(&mut self, mailbox: usize) -> Command {
        let (effect, mailbox) = (self.effect(), self.mailboxes[mailbox]);
        Command::StartCopy { effect, mailbox, from: HEAD, to: ClusterId(0), attempt: 1, bytes: Bytes::new(100_000) }
    }

    pub(crate) fn copy(&mut self, mailbox: usize) -> EffectId {
        let command = self.copy_command(mailbox);
        self.ask(command);
        command.effect()
    }

    /// All that happens within a span; then a wake-up comes, not too early and not much too late.
    pub(crate) fn events(&mut self, within: Span) -> Vec<Event> {
        let until = self.now + within;
        let mut seen = Vec::new();
        loop {
            let (now, event) = self.host.wait(until).unwrap();
            assert!(now >= self.now, "time goes back from {:?} to {now:?}", self.now);
            self.now = now;
            match event {
                Event::Wake => {
                    assert!(now >= until && now <= until + self.lateness, "woken at {now:?}, asked for {until:?}");
                    return seen;
                }
                Event::HeadSampled { .. } | Event::ClusterSampled { .. } => panic!("nobody has sampled: {event:?}"),
                other => seen.push(other),
            }
        }
    }

    fn nothing_happens(&mut self) {
        assert_eq!(self.events(self.quiet), []);
    }

    /// The next thing that happens.
    pub(crate) fn next(&mut self) -> Event {
        for _ in 0..100 {
            let (now, event) = self.host.wait(self.now + self.quiet).unwrap();
            self.now = now;
            if event != Event::Wake {
                return event;
            }
        }
        panic!("nothing happens any more")
    }

    pub(crate) fn arrives(&mut self, effect: EffectId) {
        let event = self.next();
        assert!(matches!(event, Event::CopyEnded { effect: of, .. } if of == effect), "{event:?}");
    }

    pub(crate) fn moves(&mut self, mailbox: usize) -> EffectId {
        let effect = self.copy(mailbox);
        self.arrives(effect);
        self.ask(Command::Switch { effect });
        assert_eq!(self.next(), Event::SwitchEnded { effect });
        effect
    }
}

fn a_wake_up_comes_when_it_was_asked_for_and_time_never_goes_back<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    for part in [0, 1, 10, 1_000, 100_000] {
        let within = Span::from_micros(part);
        assert_eq!(director.events(within), []);
    }
    director.nothing_happens();
}

fn a_copy_ends_in_exactly_one_event<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(2, Rate::UNLIMITED);
    let effect = director.copy(0);
    director.arrives(effect);
    director.nothing_happens();
}

fn nothing_progresses_before_a_pace_and_without_streams<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    let first = director.copy(0);
    director.nothing_happens();
    director.pace(1, Rate::UNLIMITED);
    director.arrives(first);
    // Suspended under way it keeps its work, and goes on.
    director.pace(1, CRAWL);
    let second = director.copy(1);
    director.nothing_happens();
    director.pace(0, Rate::UNLIMITED);
    director.nothing_happens();
    director.pace(1, Rate::UNLIMITED);
    director.arrives(second);
    director.nothing_happens();
}

fn of_two_copies_the_one_that_started_first_progresses<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    let effects = [director.copy(0), director.copy(1)];
    director.pace(1, Rate::UNLIMITED);
    director.arrives(effects[0]);
    director.arrives(effects[1]);
}

fn a_copy_that_is_given_up_fails_as_abandoned<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(1, CRAWL);
    let [going, suspended] = [director.copy(0), director.copy(1)];
    director.nothing_happens();
    for effect in [suspended, going] {
        director.ask(Command::Abandon { effect, why: Fault::Skipped });
        assert_eq!(director.next(), Event::CopyFailed { effect, fault: Fault::Abandoned });
        director.ask(Command::Abandon { effect, why: Fault::Skipped });
        director.nothing_happens();
    }
    assert_eq!(stage.left_behind(), 0);
}

fn an_arrived_copy_that_is_given_up_ends_in_nothing<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(1, Rate::UNLIMITED);
    let effect = director.copy(0);
    director.arrives(effect);
    director.ask(Command::Abandon { effect, why: Fault::NoRoom });
    director.nothing_happens();
    assert_eq!(stage.left_behind(), 0);
    director.ask(Command::Switch { effect });
    director.nothing_happens();
    // Its place is free for the next attempt.
    director.moves(0);
}

fn a_copy_given_up_as_it_arrives_ends_once_and_leaves_nothing<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(2, Rate::UNLIMITED);
    for mailbox in 0..director.mailboxes.len() {
        let effect = director.copy(mailbox);
        // Long enough for some of them to arrive before, and too short for others.
        let mut ends = director.events(Span::from_micros(400 * (mailbox as i64 + 1)));
        director.ask(Command::Abandon { effect, why: Fault::Skipped });
        if ends.is_empty() {
            ends.push(director.next());
        }
        ends.extend(director.events(director.quiet));
        let of_it = |event: &Event| matches!(event, Event::CopyEnded { effect: of, .. } | Event::CopyFailed { effect: of, .. } if *of == effect);
        assert!(ends.len() == 1 && ends.iter().all(of_it), "{ends:?}");
    }
    assert_eq!(stage.left_behind(), 0);
}

fn a_copy_that_is_asked_for_again_is_made_once<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(2, Rate::UNLIMITED);
    let command = director.copy_command(0);
    let effect = command.effect();
    director.ask(command);
    director.ask(command);
    director.arrives(effect);
    director.ask(command);
    director.nothing_happens();
    director.ask(Command::Switch { effect });
    assert_eq!(director.next(), Event::SwitchEnded { effect });
    director.ask(command);
    director.nothing_happens();
}

fn a_switch_that_is_asked_for_twice_happens_once<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(2, Rate::UNLIMITED);
    let effect = director.copy(0);
    director.arrives(effect);
    director.ask(Command::Switch { effect });
    director.ask(Command::Switch { effect });
    assert_eq!(director.next(), Event::SwitchEnded { effect });
    director.ask(Command::Switch { effect });
    director.ask(Command::Abandon { effect, why: Fault::Skipped });
    director.nothing_happens();
}

fn an_effect_that_nobody_has_begun_ends_in_nothing<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(2, Rate::UNLIMITED);
    let effect = director.effect();
    director.ask(Command::Switch { effect });
    director.ask(Command::Abandon { effect, why: Fault::Skipped });
    director.nothing_happens();
}

fn a_purge_of_several_ends_once<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(2, Rate::UNLIMITED);
    for mailbox in 0..2 {
        director.moves(mailbox);
    }
    let batch = Batch::new(director.mailboxes[..2].iter().copied());
    let purge = Command::Purge { effect: director.effect(), batch, from: HEAD };
    director.ask(purge);
    director.ask(purge);
    assert_eq!(director.next(), Event::PurgeEnded { effect: purge.effect() });
    director.ask(purge);
    director.nothing_happens();
}

fn a_clock_that_was_set_is_told_once_and_stops_nothing_that_is_under_way<S: Stage>(stage: &S) {
    let mut director = Director::begin(stage);
    director.pace(1, CRAWL);
    let effect = director.copy(0);
    director.nothing_happens();
    for by in [Span::from_secs(3_600), Span::from_secs(-86_400)] {
        S::set_clock(&mut director.host, director.now, by);
        let before = director.now;
        let event = director.next();
        let Event::ClockStepped { by: told } = event else { panic!("{event:?}") };
        // Two clocks are read one after the other.
        assert!((told - by).max(by - told) < Span::from_secs(1), "{told}, not {by}");
        assert!(director.now.since(before) < Span::from_secs(60), "the session's time has gone on as it was");
        director.nothing_happens();
    }
    director.pace(1, Rate::UNLIMITED);
    director.arrives(effect);
}

/// Every case, once with either host.
macro_rules! contract {
    ($($case:ident),+ $(,)?) => {
        mod simulated {
            $(#[test] fn $case() { super::$case(&super::Simulated::new()); })+
        }
        mod production {
            $(#[test] fn $case() { super::$case(&super::Real::new()); })+
        }
    };
}

contract!(
    a_wake_up_comes_when_it_was_asked_for_and_time_never_goes_back,
    a_copy_ends_in_exactly_one_event,
    nothing_progresses_before_a_pace_and_without_streams,
    of_two_copies_the_one_that_started_first_progresses,
    a_copy_that_is_given_up_fails_as_abandoned,
    an_arrived_copy_that_is_given_up_ends_in_nothing,
    a_copy_given_up_as_it_arrives_ends_once_and_leaves_nothing,
    a_copy_that_is_asked_for_again_is_made_once,
    a_switch_that_is_asked_for_twice_happens_once,
    an_effect_that_nobody_has_begun_ends_in_nothing,
    a_purge_of_several_ends_once,
    a_clock_that_was_set_is_told_once_and_stops_nothing_that_is_under_way,
);

#[test]
fn a_user_whom_two_audits_have_found_is_taken_in_once() {
    let real = Real::new();
    let mut host = real.host();
    let named = Named { name: "new".to_owned(), path: "new/Maildir".to_owned() };
    let audit = Audit { users_left: 1, folders_left: 1, strangers: vec![(named, Bytes::new(5))], known: Vec::new() };
    for _ in 0..2 {
        host.door().send(Arrival::Audited(HeadId(0), audit.clone())).unwrap();
    }
    let mut kinds = Vec::new();
    while kinds.len() < 4 {
        let (now, event) = host.wait(real.start() + Span::from_secs(10)).unwrap();
        // The second row of one name would be an error here.
        host.record(now, &event, &[]).unwrap();
        kinds.push(event);
    }
    let found = Event::MailboxFound { mailbox: MailboxId(24), home: Home::head(HeadId(0)), bytes: Bytes::new(5) };
    let audited = Event::HeadAudited { head: HeadId(0), users_left: 1, folders_left: 1 };
    assert_eq!(kinds[1..], [found, audited.clone(), audited]);
}
