//! One replication as lines: local time, event, the commands that followed, what binds.

use super::table::inert;
use super::wording::{Calendar, utc};
use crate::migration::message::{Binding, Command, Event};
use crate::scenario::Scenario;
use crate::sim::{TraceItem, TraceRow};
use crate::units::{Rate, Time};

/// One event of a trace in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    now: Time,
    event: String,
    commands: Vec<String>,
    binds: String,
}

/// Gathers the rows of a trace into lines: an event and the commands that followed it.
pub struct TraceLines<'a> {
    scenario: &'a Scenario,
    pending: Option<TraceLine>,
}

impl<'a> TraceLines<'a> {
    /// No line yet.
    #[must_use]
    pub const fn new(scenario: &'a Scenario) -> Self {
        Self { scenario, pending: None }
    }

    /// Takes in a row; returns the line that it completes.
    pub fn push(&mut self, row: &TraceRow<'_>) -> Option<TraceLine> {
        let words = self.words(row);
        match row.item {
            TraceItem::Event(_) => {
                let binds = self.binds(row.bindings);
                self.pending.replace(TraceLine { now: row.now, event: words, commands: Vec::new(), binds })
            }
            TraceItem::Command(_) => {
                if let Some(line) = &mut self.pending {
                    line.commands.push(words);
                }
                None
            }
        }
    }

    /// The last line.
    pub fn finish(&mut self) -> Option<TraceLine> {
        self.pending.take()
    }

    fn words(&self, row: &TraceRow<'_>) -> String {
        let mut words = vec![row.kind.to_owned()];
        words.extend(row.mailbox.map(|mailbox| format!("mailbox {}", mailbox.0)));
        words.extend(row.head.and_then(|head| self.scenario.heads.get(head.index()).cloned()));
        words.extend(row.cluster.and_then(|cluster| self.scenario.clusters.get(cluster.index()).cloned()));
        let detail = match row.item {
            TraceItem::Event(event) => event_detail(event),
            TraceItem::Command(command) => self.command_detail(command),
        };
        words.extend(detail);
        words.join(" ")
    }

    fn command_detail(&self, command: &Command) -> Option<String> {
        match command {
            Command::StartCopy { attempt, bytes, .. } => Some(format!("({bytes}, attempt {attempt})")),
            Command::Abandon { why, .. } => Some(format!("({why:?})")),
            Command::SetPace { streams, rate, .. } if *rate == Rate::UNLIMITED => Some(format!("({streams} streams)")),
            Command::SetPace { streams, rate, .. } => {
                Some(format!("({streams} streams, {:.1} MB/s)", rate.bytes_per_second() as f64 / 1e6))
            }
            Command::Announce { milestone, .. } => Some(format!("({})", self.scenario.milestone_name(milestone))),
            Command::Purge { batch, .. } => match batch.mailboxes().len() {
                1 => None,
                many => Some(format!("and {} more", many - 1)),
            },
            Command::SetAside { .. } => Some("(no cluster could take it)".to_owned()),
            Command::Switch { .. } | Command::SetIntake { .. } | Command::Audit { .. } => None,
        }
    }

    fn binds(&self, bindings: &[Binding]) -> String {
        let heads = self.scenario.heads.iter().zip(bindings);
        heads.map(|(head, binding)| format!("{head}: {}", binding.name())).collect::<Vec<_>>().join(", ")
    }
}

fn event_detail(event: &Event) -> Option<String> {
    match event {
        Event::HeadSampled { utilisation, latency, held_by, .. } => {
            let held = held_by.map_or_else(String::new, |limit| format!(", limit {limit:?}"));
            Some(format!("({utilisation}, {:.2} ms{held})", latency.secs() * 1e3))
        }
        Event::ClusterSampled { used, inodes, utilisation, latency, .. } => {
            let inodes = inodes.get().map_or_else(String::new, |inodes| format!("{inodes}, "));
            Some(format!("({used}, {inodes}{utilisation}, {:.2} ms)", latency.secs() * 1e3))
        }
        Event::CopyEnded { bytes, messages, limit, .. } => {
            Some(format!("({bytes}, {messages} messages, limit {limit:?})"))
        }
        Event::CopyFailed { fault, .. } | Event::SwitchFailed { fault, .. } | Event::PurgeFailed { fault, .. } => {
            Some(format!("({fault:?})"))
        }
        Event::MailboxFound { bytes, .. } | Event::MailboxChanged { bytes, .. } => Some(format!("({bytes})")),
        Event::HeadAudited { users_left, folders_left, .. } => {
            Some(format!("({users_left} users, {folders_left} folders left)"))
        }
        Event::ClockStepped { by } => Some(format!("({by})")),
        Event::Operator(order) => Some(format!("({order:?})")),
        Event::Started(_)
        | Event::Wake
        | Event::ClusterOpened { .. }
        | Event::ClusterClosed { .. }
        | Event::SwitchEnded { .. }
        | Event::PurgeEnded { .. }
        | Event::MailboxGone { .. } => None,
    }
}

/// The line as text.
#[must_use]
pub fn text(scenario: &Scenario, line: &TraceLine) -> String {
    let now = Calendar::new(scenario).stamp(line.now);
    let commands = if line.commands.is_empty() { String::new() } else { format!(" => {}", line.commands.join("; ")) };
    format!("{now}  {}{commands}  [{}]\n", line.event, line.binds)
}

/// Names of the columns of `csv`.
pub const CSV_HEADER: &str = "time_utc,time_local,event,commands,binds\n";

/// The line as CSV; commands are divided by semicolons.
#[must_use]
pub fn csv(scenario: &Scenario, line: &TraceLine) -> String {
    let cells = [
        utc(line.now),
        Calendar::new(scenario).stamp(line.now),
        line.event.clone(),
        line.commands.join("; "),
        line.binds.clone(),
    ];
    let quoted = cells.map(|cell| format!("\"{}\"", inert(&cell).replace('"', "\"\"")));
    quoted.join(",") + "\n"
}
