//! The rows of an inventory, checked one by one and put into the columns of a fleet.

use std::collections::HashMap;

use super::Fixed;
use super::block::{Block, Cells};
use super::columns::{Columns, Field, Wishes};
use super::names::{self, Names};
use super::trouble::Trouble;
use super::value::{self, Wrong, shown};
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId, NO_GROUP};
use crate::scenario::check::nearest;
use crate::units::{Bytes, Time};

/// No mailbox has a longer name, in bytes.
const NAME_MAX: usize = 1_000;
/// No inventory has more rows, as no population has.
pub(super) const ROWS_MAX: usize = 1_000_000_000;
/// So many names are looked for ahead, together.
const AHEAD: usize = 64;

/// The rows that have been read.
pub(crate) struct Rows<'a> {
    fixed: &'a Fixed<'a>,
    wishes: &'a Wishes,
    columns: &'a Columns,
    pub(crate) fleet: Fleet,
    pub(crate) names: Names,
    /// Those that were moved at a known instant.
    pub(crate) moved: Vec<(MailboxId, Time)>,
    groups: HashMap<String, u32>,
    /// Where the numbers of rows begin anew: a mailbox, and its row in the file.
    starts: Vec<(u32, u64)>,
    next_row: u64,
    /// The first row whose instant has no offset from UTC, and the first whose instant has one.
    offsets: [Option<u64>; 2],
}

/// A row that is good.
struct Good {
    bytes: u64,
    messages: u32,
    activity: u32,
    origin: HeadId,
    home: Home,
    moved_at: Option<Time>,
}

/// A row's cells, and what is wrong with them.
struct Row<'a> {
    columns: &'a Columns,
    cells: &'a [Option<&'a Cells>; Field::COUNT],
    at: usize,
    number: u64,
    trouble: &'a mut Trouble,
    is_bad: bool,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(fixed: &'a Fixed<'a>, wishes: &'a Wishes, columns: &'a Columns) -> Self {
        Self {
            fixed,
            wishes,
            columns,
            fleet: Fleet::default(),
            names: Names::default(),
            moved: Vec::new(),
            groups: HashMap::new(),
            starts: Vec::new(),
            next_row: 0,
            offsets: [None; 2],
        }
    }

    /// Takes a block in; `false` when there are too many rows.
    pub(crate) fn take(&mut self, block: &Block, trouble: &mut Trouble) -> bool {
        let columns = self.columns;
        let mut given = block.columns.iter();
        // The cells of a block come in the order of the fields that the file has.
        let cells = Field::ALL.map(|field| columns.of(field).and_then(|_| given.next()));
        let mut hashes = [0; AHEAD];
        for (at, number) in block.rows.iter().enumerate() {
            if at.is_multiple_of(AHEAD) {
                let names = (at..block.rows.len()).take(AHEAD);
                let mailboxes = cells[Field::Mailbox as usize];
                for (hash, at) in hashes.iter_mut().zip(names) {
                    *hash = names::hash(mailboxes.map_or("", |cells| cells.get(at)));
                }
                self.names.bring_in(&hashes);
            }
            let mut row = Row { columns, cells: &cells, at, number: *number, trouble, is_bad: false };
            let good = self.check(&mut row);
            let name = row.text(Field::Mailbox);
            let is_bad = row.is_bad;
            let Some(good) = good.filter(|_| !is_bad) else { continue };
            match self.names.add(name, hashes[at % AHEAD]) {
                Ok(mailbox) => self.push(mailbox, *number, &good, row.text(Field::Group)),
                Err(first) => row.wrong(Field::Mailbox, &self.twice(name, first)),
            }
        }
        if self.names.len() > ROWS_MAX {
            trouble.of_file(format!("has more than {ROWS_MAX} rows"));
        }
        self.names.len() <= ROWS_MAX
    }

    fn twice(&self, name: &str, first: MailboxId) -> Wrong {
        let message = format!("is {}, which row {} has already", shown(name), self.row_of(first));
        Wrong { kind: "twice", message }
    }

    /// The row of the file that a mailbox comes from.
    fn row_of(&self, mailbox: MailboxId) -> u64 {
        let after = self.starts.partition_point(|start| start.0 <= mailbox.0);
        after.checked_sub(1).map_or(0, |at| self.starts[at].1 + u64::from(mailbox.0 - self.starts[at].0))
    }

    fn push(&mut self, mailbox: MailboxId, row: u64, good: &Good, group: &str) {
        if row != self.next_row {
            self.starts.push((mailbox.0, row));
        }
        self.next_row = row + 1;
        let fleet = &mut self.fleet;
        fleet.bytes.push(Bytes::new(good.bytes));
        fleet.origin.push(good.origin);
        let has = |field| self.columns.of(field).is_some();
        if has(Field::Messages) {
            fleet.messages.push(good.messages);
        }
        if has(Field::Activity) {
            fleet.activity_micro_op_s.push(good.activity);
        }
        if has(Field::MovedTo) {
            fleet.home.push(good.home);
        }
        if has(Field::Group) {
            let number = if group.is_empty() { NO_GROUP } else { number(&mut self.groups, group) };
            self.fleet.group.push(number);
        }
        self.moved.extend(good.moved_at.map(|at| (mailbox, at)));
    }

    fn check(&mut self, row: &mut Row<'_>) -> Option<Good> {
        let name = row.text(Field::Mailbox);
        if let Some(wrong) = wrong_name(name) {
            row.wrong(Field::Mailbox, &wrong);
        }
        let origin = self.head(row.text(Field::Head));
        let origin = row.keep(Field::Head, origin);
        let unit = |field: Field| row.columns.of(field).and_then(|column| column.unit);
        let (bytes_unit, activity_unit) = (unit(Field::Bytes), unit(Field::Activity));
        let bytes = value::bytes(row.text(Field::Bytes), bytes_unit);
        let bytes = row.keep(Field::Bytes, bytes);
        let messages = row.optional(Field::Messages, value::messages);
        let activity = row.optional(Field::Activity, |text| value::activity(text, activity_unit));
        let to = row.text(Field::MovedTo);
        let home = if to.is_empty() { Ok(None) } else { self.cluster(to).map(Some) };
        let home = row.keep(Field::MovedTo, home)?;
        let moved_at = self.moved_at(row, !to.is_empty());
        if row.is_bad {
            return None;
        }
        let origin = origin?;
        Some(Good {
            bytes: bytes?,
            messages: messages.unwrap_or_default(),
            activity: activity.unwrap_or_default(),
            origin,
            home: home.map_or(Home::head(origin), Home::cluster),
            moved_at,
        })
    }

    fn head(&self, text: &str) -> Result<HeadId, Wrong> {
        if let Some(place) = self.wishes.heads.iter().position(|head| head == text) {
            return Ok(HeadId(place as u8));
        }
        let known = self.wishes.heads.join(", ");
        let is_cluster = self.fixed.clusters.iter().any(|cluster| cluster == text);
        let hint = if is_cluster {
            "; that is a cluster: head says where the mailbox came from, moved_to where it is".to_owned()
        } else {
            meant(text, &self.wishes.heads)
        };
        Err(Wrong::new("unknown", text, &format!("must be the name of a head: {known}{hint}")))
    }

    fn cluster(&self, text: &str) -> Result<ClusterId, Wrong> {
        let clusters = self.fixed.clusters;
        let Some(place) = clusters.iter().position(|cluster| cluster == text) else {
            let (known, hint) = (clusters.join(", "), meant(text, clusters));
            let allowed = format!("must be the name of a cluster, or empty where nothing has moved: {known}{hint}");
            return Err(Wrong::new("unknown", text, &allowed));
        };
        if self.fixed.in_service.get(place).is_some_and(|date| *date > self.fixed.as_of) {
            return Err(Wrong::new("not in service", text, "which enters service after as_of: nothing can be there"));
        }
        Ok(ClusterId(place as u8))
    }

    fn moved_at(&mut self, row: &mut Row<'_>, has_moved: bool) -> Option<Time> {
        let text = row.text(Field::MovedAt);
        if text.is_empty() {
            return None;
        }
        let zone = self.wishes.zone.as_ref().unwrap_or(self.fixed.zone);
        let instant = value::instant(text, zone).and_then(|(at, has_offset)| {
            let first = *self.offsets[usize::from(has_offset)].get_or_insert(row.number);
            let other = self.offsets[usize::from(!has_offset)].filter(|other| *other < first);
            if let (Some(other), None) = (other, &self.wishes.zone) {
                let (own, others) = if has_offset { ("with", "without") } else { ("without", "with") };
                let allowed = format!(
                    "{own} an offset from UTC, while row {other} is {others} one: write all alike, or say by \
                     population.columns.moved_at.zone which time zone the others are in"
                );
                return Err(Wrong::new("in another form", text, &allowed));
            }
            if at > self.fixed.as_of {
                return Err(Wrong::new("after as_of", text, "which lies after as_of"));
            }
            if !has_moved {
                return Err(Wrong::new("without moved_to", text, "but moved_to is empty"));
            }
            Ok(at)
        });
        row.keep(Field::MovedAt, instant)
    }
}

impl<'a> Row<'a> {
    fn text(&self, field: Field) -> &'a str {
        self.cells[field as usize].map_or("", |cells| cells.get(self.at))
    }

    fn wrong(&mut self, field: Field, wrong: &Wrong) {
        self.is_bad = true;
        let header = self.columns.of(field).map(|column| column.header.as_str());
        self.trouble.of_row(self.number, header, wrong);
    }

    /// A value that is good.
    fn keep<T>(&mut self, field: Field, value: Result<T, Wrong>) -> Option<T> {
        value.map_err(|wrong| self.wrong(field, &wrong)).ok()
    }

    /// The value of a column that the file need not have.
    fn optional<T>(&mut self, field: Field, read: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        self.cells[field as usize]?;
        let value = read(self.text(field));
        self.keep(field, value)
    }
}

fn wrong_name(name: &str) -> Option<Wrong> {
    const ALLOWED: &str = "must be the mailbox's name: up to 1000 bytes without control characters";
    let is_good = (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    (!is_good).then(|| Wrong::new("not a name", name, ALLOWED))
}

/// A group's number: in the order in which the file names them first.
fn number(groups: &mut HashMap<String, u32>, group: &str) -> u32 {
    if let Some(number) = groups.get(group) {
        return *number;
    }
    let number = groups.len() as u32;
    groups.insert(group.to_owned(), number);
    number
}

fn meant(text: &str, known: &[String]) -> String {
    let near = nearest(text, known.iter().map(String::as_str));
    near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}
