//! The machines that serve mailboxes: sessions ended, caches emptied, deliveries waited for.
//!
//! Each thing is done on every front end at once, and every one has to acknowledge: what one still has in its cache or
//! under way would write to the old place. Nothing here knows what a front end runs, but for habits of `doveadm`,
//! which are easy to meet and costly to miss (a fourth, what `kick` does to a delivery, is met in its
//! [default commands](crate::scenario::site::FrontEnd::dovecot)):
//!
//! * it takes a name with `*` or `?` for a pattern;
//! * it takes a name that looks like an address for one, and then lists no sessions where there are some (version 2.3
//!   also takes a plain number for an address);
//! * `doveadm kick` ends with status 68 when there was nobody to kick.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::command::{self, CommandError, Output, duration};
use crate::scenario::site::FrontEnd;
use crate::units::Span;

/// Between two rounds of [`FrontEnds::quiet`]: ending a session is asynchronous and takes 30 to 230 ms, and every round is
/// time in which its user is held.
const ROUND: Span = Span::from_micros(50_000);
/// A session that has been kicked and is still there is kicked again after this.
const KICK_AGAIN: Span = Span::from_secs(2);

/// What `doveadm` ends with when it has found nobody of that name (`DOVEADM_EX_NOTFOUND`).
const NOBODY: i32 = 68;

/// The front ends of a site, with the time that each of their commands has.
#[derive(Clone, Debug)]
pub struct FrontEnds {
    machines: Vec<FrontEnd>,
    timeout: Span,
}

/// A command of a front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Forgets what it has cached about a user.
    Flush,
    /// Ends a user's sessions.
    Kick,
    /// Lists a user's sessions.
    Who,
    /// Lists deliveries under way.
    Deliveries,
}

/// One front end that has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The front end's name.
    pub front_end: String,
    /// What it was asked.
    pub action: Action,
    /// What became of it.
    pub error: CommandError,
}

/// Why a user is not known to be off every front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontError {
    /// Front ends that have not acknowledged, in the site's order.
    Failed(Vec<Failure>),
    /// Something of the user's goes on after the limit.
    StillBusy {
        /// Sessions at the last look, on all front ends.
        sessions: usize,
        /// Deliveries still waited for at the last look, on all front ends.
        deliveries: usize,
    },
    /// A name that a command could take for something else.
    Name {
        /// The name.
        user: String,
        /// What it would be taken for.
        why: &'static str,
    },
}

impl FrontEnds {
    /// Front ends whose commands have `timeout` each. Without any everything is acknowledged at once.
    #[must_use]
    pub fn new(machines: &[FrontEnd], timeout: Span) -> Self {
        Self { machines: machines.to_vec(), timeout }
    }

    /// Makes every front end forget what it has cached about a user.
    ///
    /// # Errors
    /// One of them has not acknowledged, or the name cannot be passed.
    pub fn flush(&self, user: &str) -> Result<(), FrontError> {
        self.on_all(Action::Flush, user).map(drop)
    }

    /// Ends a user's sessions on every front end. They may go on for a moment. Nobody there to kick (status 68) is fine.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn kick(&self, user: &str) -> Result<(), FrontError> {
        self.on_all(Action::Kick, user).map(drop)
    }

    /// A user's sessions on all front ends.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn sessions(&self, user: &str) -> Result<usize, FrontError> {
        let listed = self.on_all(Action::Who, user)?;
        Ok(listed.iter().map(|output| session_lines(&output.text)).sum())
    }

    /// Deliveries under way that may be for a user, on all front ends.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn deliveries(&self, user: &str) -> Result<usize, FrontError> {
        let listed = self.on_all(Action::Deliveries, user)?;
        Ok(listed.iter().map(|output| lines(&output.text).count()).sum())
    }

    /// Ends a user's sessions and waits until there are none and until every delivery of the first look has ended; for a
    /// user whose hold is committed and whose caches are flushed, so that nothing new can begin.
    ///
    /// Once there is nothing the caches are flushed and everything is looked for again: what was asked just before the
    /// hold may have been answered, and put into a cache, after the first flush, and a process that goes by such an answer
    /// may not have been listed yet.
    ///
    /// The round that is under way at the limit is ended first. A delivery is known again by the number that its line
    /// begins with (a process's), and it has ended, too, when that process had been at a message's text and is at
    /// recipients again: a busy server's processes are hardly ever seen idle. Lines without a number are all waited for.
    ///
    /// # Errors
    /// [`FrontError::StillBusy`] after `limit`; otherwise as [`flush`](Self::flush).
    #[allow(clippy::disallowed_methods, reason = "sessions of the real world are waited for")]
    pub fn quiet(&self, user: &str, limit: Span) -> Result<(), FrontError> {
        let started = Instant::now();
        let mut kicks = Kicks::default();
        let (mut open, mut again) = (self.look(user)?, true);
        loop {
            let sessions = self.sessions(user)?;
            let deliveries = open.iter().map(Open::len).sum();
            if sessions == 0 && deliveries == 0 {
                if !again {
                    return Ok(());
                }
                again = false;
                self.flush(user)?;
                open = self.look(user)?;
                continue;
            }
            if kicks.are_due(sessions, started.elapsed()) {
                self.kick(user)?;
            }
            let left = duration(limit).saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(FrontError::StillBusy { sessions, deliveries });
            }
            thread::sleep(duration(ROUND).min(left));
            if deliveries > 0 {
                open = still_open(open, &self.look(user)?);
            }
        }
    }

    /// Ends sessions that are there all the same and waits until there are none: for a user who is fenced. One that had its
    /// answer just before the hold may not have been listed for as long as its process began; whoever has opened the mailbox
    /// before the fence is listed by now, and still writes to what it has open.
    ///
    /// # Errors
    /// As [`quiet`](Self::quiet).
    #[allow(clippy::disallowed_methods, reason = "sessions of the real world are waited for")]
    pub fn no_session(&self, user: &str, limit: Span) -> Result<(), FrontError> {
        let started = Instant::now();
        let mut kicks = Kicks::default();
        loop {
            let sessions = self.sessions(user)?;
            if sessions == 0 {
                return Ok(());
            }
            if kicks.are_due(sessions, started.elapsed()) {
                self.kick(user)?;
            }
            let left = duration(limit).saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(FrontError::StillBusy { sessions, deliveries: 0 });
            }
            thread::sleep(duration(ROUND).min(left));
        }
    }

    /// The deliveries under way on each front end.
    fn look(&self, user: &str) -> Result<Vec<Open>, FrontError> {
        Ok(self.on_all(Action::Deliveries, user)?.iter().map(under_way).collect())
    }

    /// What each front end that has such a command has printed.
    fn on_all(&self, action: Action, user: &str) -> Result<Vec<Output>, FrontError> {
        let asked = self.machines.iter().flat_map(|machine| action.of(machine).iter().map(move |argv| (machine, argv)));
        let asked = asked.map(|(machine, argv)| Ok((machine, filled(argv, user)?))).collect::<Result<Vec<_>, _>>()?;
        let answers = thread::scope(|scope| {
            let run = |(machine, argv): &(&FrontEnd, Vec<String>)| {
                acknowledged(action, command::run(argv, self.timeout)).map_err(|error| {
                    let front_end = machine.name.clone();
                    Failure { front_end, action, error }
                })
            };
            let started = asked.iter().map(|one| (one, thread::Builder::new().spawn_scoped(scope, move || run(one))));
            let ended = |(one, started): (&(&FrontEnd, Vec<String>), io::Result<ScopedJoinHandle<'_, _>>)| match started
            {
                Ok(thread) => thread.join().expect("running a command does not panic"),
                // The system gives no more threads: one after the other then.
                Err(_) => run(one),
            };
            started.collect::<Vec<_>>().into_iter().map(ended).collect::<Vec<_>>()
        });
        let mut printed = Vec::new();
        let mut failures = Vec::new();
        for answer in answers {
            match answer {
                Ok(output) => printed.push(output),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() { Ok(printed) } else { Err(FrontError::Failed(failures)) }
    }
}

/// When sessions are to be kicked. A kick interrupts a Dovecot session that waits for a lock: its command fails, and so does
/// its next one at each further kick. So each session is kicked once, and again only when it has not gone for long.
#[derive(Debug, Default)]
struct Kicks {
    last: Option<(usize, Duration)>,
}

impl Kicks {
    /// Whether so many sessions are to be kicked, so long after the beginning.
    fn are_due(&mut self, sessions: usize, elapsed: Duration) -> bool {
        let due = sessions > 0
            && self.last.is_none_or(|(before, at)| sessions > before || elapsed >= at + duration(KICK_AGAIN));
        match &mut self.last {
            last if due => *last = Some((sessions, elapsed)),
            Some((before, _)) => *before = sessions,
            None => {}
        }
        due
    }
}

impl Action {
    fn of(self, machine: &FrontEnd) -> &[Vec<String>] {
        match self {
            Self::Flush => machine.flush.as_slice(),
            Self::Kick => &machine.kick,
            Self::Who => machine.who.as_slice(),
            Self::Deliveries => machine.deliveries.as_slice(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Kick => "kick",
            Self::Who => "who",
            Self::Deliveries => "deliveries",
        }
    }
}

fn acknowledged(action: Action, ended: Result<Output, CommandError>) -> Result<Output, CommandError> {
    match ended {
        Err(CommandError::Status { code: Some(NOBODY), .. }) if action == Action::Kick => {
            Ok(Output { text: String::new(), cut: false })
        }
        ended => ended,
    }
}

/// The command for a user, whose name is not checked where it is not passed.
fn filled(argv: &[String], user: &str) -> Result<Vec<String>, FrontError> {
    let (program, arguments) = argv.split_first().map_or((None, argv), |(first, rest)| (Some(first), rest));
    if arguments.iter().any(|argument| argument.contains("{user}")) {
        let way = Way { doveadm: argv.iter().any(|word| word.contains("doveadm")), shell: has_shell(argv) };
        if let Some(why) = mistakable(user, way) {
            return Err(FrontError::Name { user: user.to_owned(), why });
        }
    }
    Ok(program.cloned().into_iter().chain(arguments.iter().map(|argument| argument.replace("{user}", user))).collect())
}

/// Who reads a name on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    doveadm: bool,
    shell: bool,
}

/// A shell reads the name: one is there at the other end of ssh, whose arguments it joins, and where the name is part of a
/// script. As an argument of a script (`sh -c 'list "$1"' sh {user}`) it is safe.
fn has_shell(argv: &[String]) -> bool {
    let script = |pair: &[String]| pair[0] == "-c" && pair[1].contains("{user}");
    argv.iter().any(|word| Path::new(word).ends_with("ssh")) || argv.windows(2).any(script)
}

/// What a command could take the name for.
fn mistakable(user: &str, way: Way) -> Option<&'static str> {
    let only = |allowed: &str| user.chars().all(|letter| allowed.contains(letter));
    let address = only("0123456789./") || (user.contains(':') && only("0123456789abcdefABCDEF:./[]"));
    if user.is_empty() {
        Some("is empty")
    } else if user.starts_with('-') {
        Some("looks like an option")
    } else if user.chars().any(char::is_control) {
        Some("has a control character")
    } else if way.shell && !user.chars().all(|letter| letter.is_alphanumeric() || "._@+-=:,/%".contains(letter)) {
        Some("has a character that a shell on its way reads as its own")
    } else if way.doveadm && user.contains(['*', '?']) {
        Some("is a pattern to doveadm")
    } else if way.doveadm && address {
        Some("is an address to doveadm, which would then list nobody's sessions; give a command of your own")
    } else {
        None
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty())
}

/// Sessions listed: lines that are not blank, without a header.
fn session_lines(text: &str) -> usize {
    let header = lines(text).next().is_some_and(|line| line.split_whitespace().next() == Some("username"));
    lines(text).count() - usize::from(header)
}

/// A delivery: the number of its process, or the place of a line without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Delivery {
    Process(u32),
    Line(usize),
    /// The list was too long to be read to its end, so that nothing can be said to have left it.
    Unseen,
}

/// How far a delivery has come, in the order of LMTP's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It names its sender or its recipients.
    Recipients,
    /// It sends its text, or its line does not say.
    Text,
}

/// Deliveries under way on a front end.
type Open = BTreeMap<Delivery, Stage>;

fn under_way(output: &Output) -> Open {
    let number = |line: &str| line.split_whitespace().next().and_then(|word| word.parse().ok());
    let stage = |line: &str| {
        if line.contains("RCPT TO") || line.contains("MAIL FROM") { Stage::Recipients } else { Stage::Text }
    };
    let listed = lines(&output.text).enumerate();
    let mut open = listed
        .map(|(place, line)| (number(line).map_or(Delivery::Line(place), Delivery::Process), stage(line)))
        .collect::<Open>();
    if output.cut {
        open.insert(Delivery::Unseen, Stage::Text);
    }
    open
}

/// Of the deliveries that were waited for those that are still there, and everything that cannot be known again.
fn still_open(before: Vec<Open>, now: &[Open]) -> Vec<Open> {
    let one = |(before, now): (Open, &Open)| {
        // What a list that was cut did not show begins to be known with the next one.
        if before.contains_key(&Delivery::Unseen) {
            return now.clone();
        }
        let whole = !now.contains_key(&Delivery::Unseen);
        let mut still = before;
        still.retain(|delivery, stage| match (delivery, now.get(delivery)) {
            (Delivery::Process(_), None) => !whole,
            // The process has begun another one.
            (Delivery::Process(_), Some(Stage::Recipients)) => *stage == Stage::Recipients,
            (Delivery::Process(_), Some(Stage::Text)) => {
                *stage = Stage::Text;
                true
            }
            (Delivery::Line(_) | Delivery::Unseen, _) => false,
        });
        let unknown = now.iter().filter(|(delivery, _)| !matches!(delivery, Delivery::Process(_)));
        still.extend(unknown.map(|(delivery, stage)| (*delivery, *stage)));
        still
    };
    before.into_iter().zip(now).map(one).collect()
}

impl fmt::Display for FrontError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failures) => {
                for (place, Failure { front_end, action, error }) in failures.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "; " };
                    write!(f, "{comma}front end \"{front_end}\": {}: {error}", action.name())?;
                }
                Ok(())
            }
            Self::StillBusy { sessions, deliveries } => {
                write!(f, "still busy: {sessions} sessions, {deliveries} deliveries")
            }
            Self::Name { user, why } => write!(f, "the user name {user:?} cannot be passed to a command: it {why}"),
        }
    }
}

impl std::error::Error for FrontError {}

#[cfg(test)]
mod tests;
