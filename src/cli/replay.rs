//! `drawdown replay`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::{Done, Failure, told as people};
use crate::live::ledger::{Difference, Ledger, Replayed};
use crate::migration::message::CORE_VERSION;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// The ledger of a migration, which may be running
    ledger: PathBuf,
    /// Only this session
    #[arg(long, value_name = "N")]
    session: Option<u16>,
}

const EXAMPLE: &str = "\
Runs what a migration has recorded through the core once more, session by session: it must ask for what was
recorded, byte for byte. Nothing is moved, and the ledger is only read.

Example:
  drawdown replay /var/lib/drawdown/cluster-b.ledger --session 2

Exit codes: 0 all the same, 1 something differs or cannot be read.";

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let path = arguments.ledger.display();
    let trouble = |error: crate::live::ledger::LedgerError| Failure::Run(error.to_string());
    let reader = Ledger::read(&arguments.ledger).map_err(trouble)?;
    let mut sessions: Vec<u16> = reader.sessions().map_err(trouble)?.iter().map(|session| session.number).collect();
    if let Some(session) = arguments.session {
        if !sessions.contains(&session) {
            let last = sessions.last().map_or("there are none".to_owned(), |last| format!("the last one is {last}"));
            return Err(Failure::Run(format!("{path}: there is no session {session}; {last}")));
        }
        sessions = vec![session];
    }
    let mut differ = 0;
    let mut out = people::stdout();
    for session in &sessions {
        let replayed = reader.replay(*session).map_err(trouble)?;
        out.write_all(told(&replayed).as_bytes())?;
        differ += usize::from(!replayed.differences.is_empty());
    }
    if differ > 0 {
        return Err(Failure::Run(format!("{path}: {differ} of {} sessions differ", sessions.len())));
    }
    Ok(Done::Complete)
}

/// What a replay came to, for people.
fn told(replayed: &Replayed) -> String {
    let Replayed { session, version, events, commands, differences } = replayed;
    let (events, commands) = (grouped(*events), grouped(*commands));
    let mut text = if differences.is_empty() {
        format!("session {session}: {events} events, {commands} commands, all the same\n")
    } else {
        format!("session {session}: differs within the first {events} events\n")
    };
    if !replayed.same_version() {
        let more = format!("  recorded by version {version} of the core; this one is version {CORE_VERSION}\n");
        text.push_str(&more);
    }
    for Difference { seq, at, event, recorded, given } in differences {
        let (recorded, given) = (recorded.as_deref().unwrap_or("nothing"), given.as_deref().unwrap_or("nothing"));
        let at = jiff::Timestamp::from_microsecond(at.unix_micros()).map_or_else(|_| "?".into(), |at| at.to_string());
        let lines = format!("  event {seq} at {at}: {event}\n    recorded: {recorded}\n    given:    {given}\n");
        text.push_str(&lines);
    }
    text
}

/// A number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut groups = vec![&digits[..first]];
    groups.extend((first..digits.len()).step_by(3).map(|place| &digits[place..place + 3]));
    groups.retain(|group| !group.is_empty());
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Time;

    fn replayed() -> Replayed {
        Replayed { session: 1, version: CORE_VERSION, events: 12_345, commands: 20_102, differences: Vec::new() }
    }

    #[test]
    fn what_is_the_same_takes_one_line() {
        assert_eq!(told(&replayed()), "session 1: 12,345 events, 20,102 commands, all the same\n");
        assert_eq!([0, 7, 999, 1_000, 1_234_567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_difference_is_told_with_both_sides_and_the_versions() {
        let difference = Difference {
            seq: 4,
            at: Time::from_unix_micros(1_349_874_000_000_000),
            event: "\"wake\"".into(),
            recorded: Some("{\"switch\":{\"effect\":1}}".into()),
            given: None,
        };
        let text = told(&Replayed { version: 0, events: 4, differences: vec![difference], ..replayed() });
        let expected = format!(
            "session 1: differs within the first 4 events\n  \
            recorded by version 0 of the core; this one is version {CORE_VERSION}\n  \
            event 4 at 2012-10-10T13:00:00Z: \"wake\"\n    \
            recorded: {{\"switch\":{{\"effect\":1}}}}\n    given:    nothing\n"
        );
        assert_eq!(text, expected);
    }
}
