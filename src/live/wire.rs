//! Events and commands as text, for the ledger: the same bytes for the same message.
//!
//! The text is JSON that other programs can read. A message is an object with one key, its kind (`{"switch_ended":
//! {"effect": 1125899906850816}}`), or its kind alone where it has nothing more to say (`"wake"`). All numbers are whole:
//! instants in microseconds since 1970-01-01 00:00 UTC, spans and latencies in microseconds, sizes in bytes, rates in bytes
//! a second, shares in millionths; mailboxes, heads and clusters by their number, effects by their id. Whatever this
//! version does not know is an error: nothing is dropped in silence.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fleet::{HeadId, Home, MailboxId};
use crate::migration::message::{Command, EffectId, Event, Fault, Start};
use crate::migration::plan::Plan;

/// The version of this text. It goes up whenever a message of an older program would be read as another one, or not at all,
/// and whenever there is a message that an older program does not know.
pub const FORM: u32 = 5;

/// The oldest form that is still read: form 1 has no `clock_stepped`, form 2 no inodes and no `held_by`, form 3 no
/// `set_aside` among the commands, form 4 neither what is known of the clusters nor how many have moved in waves, and all else
/// is in common.
const OLDEST: u32 = 1;

/// A text that cannot be what it is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    what: &'static str,
    why: String,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}: {}", self.what, self.why)
    }
}

impl std::error::Error for WireError {}

/// Whether texts of this form can be read.
///
/// # Errors
/// When they were written by a program that is newer than this one, or much older.
pub fn check_form(form: u32) -> Result<(), WireError> {
    if (OLDEST..=FORM).contains(&form) {
        return Ok(());
    }
    let why = format!("it is written in form {form}, and this program reads forms {OLDEST} to {FORM}");
    Err(WireError { what: "a text that this program knows", why })
}

/// An event as text. That of `Started` holds all its facts.
#[must_use]
pub fn event(event: &Event) -> String {
    text(event)
}

/// An event from its text.
///
/// # Errors
/// When the text is no event, or one that this program does not know, or a start whose facts do not fit together.
pub fn read_event(text: &str) -> Result<Event, WireError> {
    let event = read("an event", text)?;
    if let Event::Started(start) = &event {
        check_start(start)?;
    }
    Ok(event)
}

/// A command as text.
#[must_use]
pub fn command(command: &Command) -> String {
    text(command)
}

/// A command from its text.
///
/// # Errors
/// When the text is no command, or one that this program does not know.
pub fn read_command(text: &str) -> Result<Command, WireError> {
    read("a command", text)
}

/// A plan as text.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    text(plan)
}

/// A plan from its text.
///
/// # Errors
/// When the text is no plan, or one that this program does not know.
pub fn read_plan(text: &str) -> Result<Plan, WireError> {
    read("a plan", text)
}

/// The number of an effect: what its id is in a text.
#[must_use]
pub fn effect_number(effect: EffectId) -> u64 {
    let number = serde_json::to_value(effect).ok().and_then(|value| value.as_u64());
    number.expect("an effect's id that is no number")
}

/// The effect of a number.
#[must_use]
pub fn read_effect(number: u64) -> EffectId {
    serde_json::from_value(number.into()).expect("a number that is no effect's id")
}

/// Whether a start's columns are equally long and name only mailboxes, heads and clusters that there are.
///
/// # Errors
/// When they do not: the machine counts on it.
pub fn check_start(start: &Start) -> Result<(), WireError> {
    let wrong = |why: String| Err(WireError { what: "a start", why });
    let (plan, facts) = (&start.plan, &start.facts);
    let (fleet, heads, clusters) = (&facts.fleet, plan.heads.len(), plan.placement.clusters.len());
    let rows = fleet.bytes.len();
    let columns = [
        fleet.messages.len(),
        fleet.activity_micro_op_s.len(),
        fleet.origin.len(),
        fleet.home.len(),
        fleet.group.len(),
    ];
    // There may be no groups at all.
    let groups = fleet.group.len();
    if columns[..4].iter().any(|length| *length != rows) || (groups != 0 && groups != rows) {
        return wrong(format!("its columns have {rows} and {columns:?} rows"));
    }
    let mut order = plan.order.heads.clone();
    order.sort_unstable();
    if order != (0..heads).map(|head| HeadId(head as u8)).collect::<Vec<_>>() {
        return wrong(format!("the order of heads is {:?}, where there are {heads}", plan.order.heads));
    }
    let exists = |home: &Home| match home.as_cluster() {
        Some(cluster) => cluster.index() < clusters,
        None => home.as_head().is_some_and(|head| head.index() < heads),
    };
    if let Some(row) = fleet.home.iter().position(|home| !exists(home)) {
        return wrong(format!("mailbox {row} lives where there is nothing: {:?}", fleet.home[row]));
    }
    let set_aside = facts.set_aside.iter().map(|(mailbox, _)| mailbox);
    let attempts = facts.attempts.iter().map(|(mailbox, _)| mailbox);
    let unpurged = facts.unpurged.iter().map(|(mailbox, _)| mailbox);
    let unknown = |mailbox: &&MailboxId| mailbox.index() >= rows;
    if let Some(mailbox) = set_aside.chain(attempts).chain(unpurged).chain(&facts.kept).find(unknown) {
        return wrong(format!("it names mailbox {}, where there are {rows}", mailbox.0));
    }
    let mut old = facts.unpurged.iter().map(|(mailbox, _)| mailbox).chain(&facts.kept);
    if let Some(mailbox) = old.find(|mailbox| fleet.origin[mailbox.index()].index() >= heads) {
        return wrong(format!("the old copy of mailbox {} is on no head that there is", mailbox.0));
    }
    if let Some(cluster) = facts.open.iter().find(|cluster| cluster.index() >= clusters) {
        return wrong(format!("cluster {} is open, where there are {clusters}", cluster.0));
    }
    let before = &facts.clusters;
    let named = before.closed.iter().chain(before.filled.iter().map(|(cluster, _)| cluster)).chain(&before.intake);
    if let Some(cluster) = named.into_iter().find(|cluster| cluster.index() >= clusters) {
        return wrong(format!("it tells of cluster {}, where there are {clusters}", cluster.0));
    }
    Ok(())
}

/// The name of a fault in a text.
#[must_use]
pub fn fault_name(fault: Fault) -> String {
    text(&fault).trim_matches('"').to_owned()
}

/// The kind of an event: the key of its text.
#[must_use]
pub const fn event_kind(event: &Event) -> &'static str {
    match event {
        Event::Started(_) => "started",
        Event::Wake => "wake",
        Event::HeadSampled { .. } => "head_sampled",
        Event::ClusterSampled { .. } => "cluster_sampled",
        Event::ClusterOpened { .. } => "cluster_opened",
        Event::ClusterClosed { .. } => "cluster_closed",
        Event::CopyEnded { .. } => "copy_ended",
        Event::CopyFailed { .. } => "copy_failed",
        Event::SwitchEnded { .. } => "switch_ended",
        Event::SwitchFailed { .. } => "switch_failed",
        Event::PurgeEnded { .. } => "purge_ended",
        Event::PurgeFailed { .. } => "purge_failed",
        Event::MailboxFound { .. } => "mailbox_found",
        Event::MailboxGone { .. } => "mailbox_gone",
        Event::MailboxChanged { .. } => "mailbox_changed",
        Event::HeadAudited { .. } => "head_audited",
        Event::ClockStepped { .. } => "clock_stepped",
        Event::Operator(_) => "operator",
    }
}

/// The kind of a command: the key of its text.
#[must_use]
pub const fn command_kind(command: &Command) -> &'static str {
    match command {
        Command::StartCopy { .. } => "start_copy",
        Command::Switch { .. } => "switch",
        Command::Abandon { .. } => "abandon",
        Command::Purge { .. } => "purge",
        Command::SetPace { .. } => "set_pace",
        Command::SetIntake { .. } => "set_intake",
        Command::SetAside { .. } => "set_aside",
        Command::Audit { .. } => "audit",
        Command::Announce { .. } => "announce",
    }
}

/// What can be written as a whole: every message is made of numbers, names and lists.
pub(super) fn text<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("a message that is not text")
}

pub(super) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|error| WireError { what, why: error.to_string() })
}

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod tests;
