//! What a run does, a line each, for a journal or a log collector: text that people read, or JSON that programs do.
//!
//! It tells no more than the ledger has, and nothing hangs on it: a line that cannot be written is lost, and nobody waits
//! for whoever reads it.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use serde_json::{Map, Value, json};

use super::journal::Step;
use super::lines::Lines;
use super::wire;
use crate::fleet::MailboxId;
use crate::migration::message::{Batch, Command, EffectId, Event};
use crate::scenario::Scenario;
use crate::units::Time;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-25T14:00:00.000000Z info flip effect=1125899906850816 user=alice held_s=0.52`
    Text,
    /// An object a line, with the same names.
    Json,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Info,
    Warning,
}

/// Where lines go. They come from many threads, and each is whole.
pub struct Log {
    format: Format,
    out: Lines,
    /// By `MailboxId`.
    users: RwLock<Vec<String>>,
    stores: [Vec<String>; 2],
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Log {
    /// A log of a scenario's migration.
    ///
    /// # Errors
    /// When the system gives no thread to write it.
    pub fn new(format: Format, scenario: &Scenario, out: Box<dyn Write + Send>) -> io::Result<Self> {
        let stores = [scenario.heads.clone(), scenario.clusters.clone()];
        Ok(Self { format, out: Lines::new(out)?, users: RwLock::default(), stores })
    }

    /// Waits until what is logged is written, but not for long.
    pub fn finish(&self) {
        self.out.finish();
    }

    /// Who the mailboxes are from now on.
    pub(super) fn know(&self, users: impl IntoIterator<Item = String>) {
        self.users.write().unwrap_or_else(PoisonError::into_inner).extend(users);
    }

    /// Something for people.
    pub fn say(&self, now: Time, text: &str) {
        self.line(now, Level::Info, "says", [("text", json!(text))]);
    }

    /// How far it is.
    pub fn progress(&self, now: Time, left: u64, moved: u64, faults: u64) {
        let fields = [("left", json!(left)), ("moved", json!(moved)), ("faults", json!(faults))];
        self.line(now, Level::Info, "progress", fields);
    }

    /// Something has gone wrong.
    pub(super) fn trouble(&self, now: Time, doing: &str, why: &str) {
        self.line(now, Level::Warning, "trouble", [("doing", json!(doing)), ("why", json!(why))]);
    }

    /// A worker has done a step.
    pub(super) fn step(&self, now: Time, effect: EffectId, mailbox: MailboxId, step: &Step) {
        let mut fields = vec![("effect", json!(effect)), ("user", self.user(mailbox))];
        let detail = step.detail();
        let details = detail.as_object().into_iter().flatten();
        fields.extend(details.map(|(name, value)| (name.as_str(), value.clone())));
        self.line(now, Level::Info, step.name().name(), fields);
    }

    /// An event that says how something has ended or that the world has changed, and what is asked for then. Samples and
    /// wake-ups are left out.
    pub(super) fn recorded(&self, now: Time, event: &Event, commands: &[Command]) {
        let kind = wire::event_kind(event);
        match *event {
            Event::Wake | Event::HeadSampled { .. } | Event::ClusterSampled { .. } => {}
            Event::Started(ref start) => {
                let fields = [("session", json!(start.session)), ("mailboxes", json!(start.facts.fleet.len()))];
                self.line(now, Level::Info, kind, fields);
            }
            Event::CopyEnded { effect, bytes, messages, .. } => {
                let fields = [("effect", json!(effect)), ("bytes", json!(bytes)), ("messages", json!(messages))];
                self.line(now, Level::Info, kind, fields);
            }
            Event::SwitchEnded { effect } | Event::PurgeEnded { effect } => {
                self.line(now, Level::Info, kind, [("effect", json!(effect))]);
            }
            Event::CopyFailed { effect, fault }
            | Event::SwitchFailed { effect, fault }
            | Event::PurgeFailed { effect, fault } => {
                let fields = [("effect", json!(effect)), ("fault", json!(wire::fault_name(fault)))];
                self.line(now, Level::Warning, kind, fields);
            }
            Event::ClockStepped { by } => self.line(now, Level::Warning, kind, [("by_s", json!(by.secs()))]),
            Event::HeadAudited { head, users_left, folders_left } => {
                let head = json!(self.stores[0][head.index()]);
                let fields = [("head", head), ("users_left", json!(users_left)), ("folders_left", json!(folders_left))];
                self.line(now, Level::Info, kind, fields);
            }
            Event::ClusterOpened { cluster } | Event::ClusterClosed { cluster } => {
                self.line(now, Level::Info, kind, [("cluster", json!(self.stores[1][cluster.index()]))]);
            }
            Event::MailboxFound { mailbox, bytes, .. } | Event::MailboxChanged { mailbox, bytes } => {
                self.line(now, Level::Info, kind, [("user", self.user(mailbox)), ("bytes", json!(bytes))]);
            }
            Event::MailboxGone { mailbox } => self.line(now, Level::Info, kind, [("user", self.user(mailbox))]),
            Event::Operator(order) => self.line(now, Level::Info, kind, [("order", json!(order))]),
        }
        for command in commands {
            self.asked(now, command);
        }
    }

    fn asked(&self, now: Time, command: &Command) {
        let mut fields = vec![("effect", json!(command.effect()))];
        match *command {
            Command::StartCopy { mailbox, from, to, attempt, bytes, .. } => fields.extend([
                ("user", self.user(mailbox)),
                ("from", json!(self.stores[0][from.index()])),
                ("to", json!(self.stores[1][to.index()])),
                ("attempt", json!(attempt)),
                ("bytes", json!(bytes)),
            ]),
            Command::Switch { .. } => {}
            Command::Abandon { why, .. } => fields.push(("why", json!(wire::fault_name(why)))),
            Command::Purge { batch, from, .. } => fields
                .extend([("users", Value::Array(self.batch(&batch))), ("from", json!(self.stores[0][from.index()]))]),
            Command::SetPace { head, streams, rate, .. } => fields.extend([
                ("head", json!(self.stores[0][head.index()])),
                ("streams", json!(streams)),
                ("rate", json!(rate)),
            ]),
            Command::SetIntake { cluster, .. } => fields.push(("cluster", json!(self.stores[1][cluster.index()]))),
            Command::SetAside { mailbox, .. } => fields.push(("user", self.user(mailbox))),
            Command::Audit { head, .. } => fields.push(("head", json!(self.stores[0][head.index()]))),
            Command::Announce { milestone, .. } => fields.push(("milestone", json!(milestone))),
        }
        let level = if matches!(command, Command::SetAside { .. }) { Level::Warning } else { Level::Info };
        self.line(now, level, wire::command_kind(command), fields);
    }

    fn batch(&self, batch: &Batch) -> Vec<Value> {
        batch.mailboxes().iter().map(|mailbox| self.user(*mailbox)).collect()
    }

    fn user(&self, mailbox: MailboxId) -> Value {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.get(mailbox.index()).map_or(Value::Null, |name| json!(name))
    }

    fn line<'n>(&self, now: Time, level: Level, what: &str, fields: impl IntoIterator<Item = (&'n str, Value)>) {
        let line = self.shown(now, level, what, fields);
        self.out.put(line, |missed| self.shown(now, Level::Warning, "missed", [("lines", json!(missed))]));
    }

    fn shown<'n>(
        &self,
        now: Time,
        level: Level,
        what: &str,
        fields: impl IntoIterator<Item = (&'n str, Value)>,
    ) -> String {
        let stamp = jiff::Timestamp::from_microsecond(now.unix_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let level = match level {
            Level::Info => "info",
            Level::Warning => "warning",
        };
        let mut line = match self.format {
            Format::Json => {
                let mut object = Map::new();
                object.insert("time".to_owned(), json!(format!("{stamp:.6}")));
                object.insert("level".to_owned(), json!(level));
                object.insert("event".to_owned(), json!(what));
                object.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
                Value::Object(object).to_string()
            }
            Format::Text => {
                let mut line = format!("{stamp:.6} {level} {what}");
                for (name, value) in fields {
                    let _ = write!(line, " {name}={}", bare(&value));
                }
                line
            }
        };
        line.push('\n');
        line
    }
}

/// A value without quotes where it is one word of plain letters; as JSON otherwise, so that a line stays a line.
fn bare(value: &Value) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@+:/".contains(c);
    match value {
        Value::String(text) if !text.is_empty() && text.chars().all(is_plain) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;
    use crate::migration::message::Fault;
    use crate::units::Bytes;

    struct Pipe(mpsc::Sender<u8>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            for byte in bytes {
                self.0.send(*byte).expect("a reader");
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What a log in a format says of a move that goes wrong in the end.
    fn told(format: Format) -> String {
        let (sender, bytes) = mpsc::channel();
        let log = Log {
            format,
            out: Lines::new(Box::new(Pipe(sender))).expect("a thread"),
            users: RwLock::default(),
            stores: [vec!["head-1".to_owned()], vec!["nas-1".to_owned()]],
        };
        log.know(["alice@example.com".to_owned(), "a \"b\"\nc".to_owned()]);
        let (now, effect) = (Time::from_unix_micros(1_349_874_000_000_250), EffectId::new(1, 2, 3));
        let (from, to, bytes_) = (crate::fleet::HeadId(0), crate::fleet::ClusterId(0), Bytes::new(500));
        let start = Command::StartCopy { effect, mailbox: MailboxId(0), from, to, attempt: 1, bytes: bytes_ };
        log.recorded(now, &Event::Wake, &[start]);
        log.step(now, effect, MailboxId(0), &Step::BackedOut { held: Duration::from_millis(520) });
        log.recorded(now, &Event::SwitchFailed { effect, fault: Fault::HoldTooLong }, &[]);
        log.trouble(now, "switch of alice", "line one\nline two");
        log.step(now, effect, MailboxId(1), &Step::Hold);
        drop(log);
        String::from_utf8(bytes.iter().collect()).expect("text")
    }

    #[test]
    fn a_line_of_text_is_one_line_whatever_is_in_it() {
        insta::assert_snapshot!(told(Format::Text), @r#"
        2012-10-10T13:00:00.000250Z info start_copy effect=1125899906859011 user=alice@example.com from=head-1 to=nas-1 attempt=1 bytes=500
        2012-10-10T13:00:00.000250Z info backed_out effect=1125899906859011 user=alice@example.com held_s=0.52
        2012-10-10T13:00:00.000250Z warning switch_failed effect=1125899906859011 fault=hold_too_long
        2012-10-10T13:00:00.000250Z warning trouble doing="switch of alice" why="line one\nline two"
        2012-10-10T13:00:00.000250Z info hold effect=1125899906859011 user="a \"b\"\nc"
        "#);
    }

    #[test]
    fn each_line_of_json_is_an_object_with_time_level_event_and_user() {
        let lines: Vec<Value> =
            told(Format::Json).lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert_eq!(lines.len(), 5);
        for line in &lines {
            assert_eq!(line["time"], "2012-10-10T13:00:00.000250Z");
        }
        let of = |place: usize, name: &str| lines[place][name].clone();
        assert_eq!(
            (of(0, "event"), of(0, "user"), of(0, "to")),
            (json!("start_copy"), json!("alice@example.com"), json!("nas-1"))
        );
        assert_eq!((of(1, "event"), of(1, "held_s")), (json!("backed_out"), json!(0.52)));
        assert_eq!((of(2, "level"), of(2, "fault")), (json!("warning"), json!("hold_too_long")));
        assert_eq!(of(2, "effect"), of(0, "effect"));
        assert_eq!(of(4, "user"), json!("a \"b\"\nc"));
    }

    #[test]
    fn lines_of_many_threads_are_whole() {
        let (sender, bytes) = mpsc::channel();
        let stores = [Vec::new(), Vec::new()];
        let out = Lines::new(Box::new(Pipe(sender))).expect("a thread");
        let log = Arc::new(Log { format: Format::Json, out, users: RwLock::default(), stores });
        let writers: Vec<_> = (0..8)
            .map(|number| {
                let log = Arc::clone(&log);
                std::thread::spawn(move || (0..50).for_each(|_| log.say(Time::default(), &"x".repeat(number * 7))))
            })
            .collect();
        for writer in writers {
            writer.join().expect("no panic");
        }
        drop(log);
        let text = String::from_utf8(bytes.iter().collect()).expect("text");
        assert_eq!(text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 400);
    }
}
