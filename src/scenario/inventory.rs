//! An inventory: a file with a row for each mailbox, in place of a population that is drawn.
//!
//! | room | holds |
//! |---|---|
//! | `gather` | from what the scenario says to the facts |
//! | `columns` | which column of the file is which, and in which unit |
//! | `csv`, `parquet` | the file, a block of rows at a time: only these and `block` know polars |
//! | `block` | rows as texts |
//! | `value` | one cell, read |
//! | `rows` | the rows, checked and put into a fleet |
//! | `names` | the names of the mailboxes |
//! | `trouble` | what is wrong with the rows, all of it counted |
//! | `export` | exports of other programs, from which an inventory is made |
//! | `guard` | panics of a reader on a damaged file |
//!
//! A mailbox takes about 65 bytes while a file of 10 M is read: its facts, its name, and its place by name.

pub(super) mod block;
mod columns;
pub(super) mod csv;
mod export;
mod gather;
mod guard;
mod names;
mod pages;
pub(super) mod parquet;
mod rows;
pub(super) mod trouble;
pub(super) mod value;

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::files::Folder;
use super::item::Item;
use super::model::SizeLaw;
use super::problems::Problem;
use super::reader::Reader;
use super::source::Watch;
use crate::fleet::{Fleet, MailboxId};
use crate::migration::message::Facts;
use crate::units::{Bytes, OpRate, Share, Span, Time};
pub(crate) use columns::Field;
pub(super) use columns::SEPARATORS;
pub use export::{ExportColumns, Exported, read_export};
pub(super) use gather::{PARQUET_MAX, begins_as_parquet, open};
use gather::{Request, read};
pub(crate) use names::Names;
use trouble::Trouble;

/// What of a scenario a row is checked against.
pub(crate) struct Fixed<'a> {
    pub(crate) heads: &'a [String],
    pub(crate) clusters: &'a [String],
    pub(crate) in_service: &'a [Time],
    pub(crate) zone: &'a TimeZone,
    pub(crate) as_of: Time,
}

/// A file that has been read.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// What is where. A column that the file does not have is empty.
    pub(crate) fleet: Arc<Fleet>,
    /// Those that have moved at a known instant, in order of time.
    moved: Vec<(MailboxId, Time)>,
    pub(crate) names: Names,
    pub(crate) summary: InventorySummary,
    /// The law of sizes that is nearest to them.
    pub(crate) size: SizeLaw,
    /// Mean size over all messages, where the file says how many there are.
    pub(crate) message_mean: Option<Bytes>,
    /// What users ask for, mean over mailboxes, where the file says.
    pub(crate) activity: Option<OpRate>,
    pub(crate) groups: u32,
}

/// What an inventory has told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventorySummary {
    /// The file, as the scenario names it.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Mailboxes in it, without rows that were left out.
    pub mailboxes: u64,
    /// Their sizes, all together.
    pub bytes: Bytes,
    /// Rows that were left out because of what is wrong with them.
    pub skipped: u64,
    /// What is wrong with those, and how often; the most frequent first.
    pub reasons: Vec<(String, u64)>,
    /// By `HeadId`.
    pub heads: Vec<InventoryHead>,
    /// What was read, and from which column; the unit of its numbers where it has one.
    pub columns: Vec<InventoryColumn>,
    /// What the file does not say and is drawn or left out: names of columns.
    pub missing: Vec<&'static str>,
    /// Columns that were not read.
    pub unread: Vec<String>,
}

/// What an inventory says of one head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InventoryHead {
    /// Mailboxes that live on it, or did before they were moved.
    pub mailboxes: u64,
    /// Their sizes, all together.
    pub bytes: Bytes,
    /// Of the mailboxes: those that have moved.
    pub moved: u64,
}

/// A column of an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryColumn {
    /// What it is: `bytes`.
    pub name: &'static str,
    /// What the file calls it: `Size (MB)`.
    pub header: String,
    /// The unit of its numbers: `MB`.
    pub unit: Option<String>,
}

impl Inventory {
    /// Reads the inventory that the population names, if it names one; what is wrong goes to the reader.
    pub(crate) fn read(
        file: &Item,
        fixed: &Fixed<'_>,
        folder: Option<&Folder>,
        watch: Option<&Watch>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let population = file.get("population")?;
        let item = population.get("inventory")?;
        reader.section();
        let before = reader.problems.len();
        let request = Request::read(population, item, fixed, folder, reader)?;
        // A header cannot be judged by columns and a separator that are not known.
        let said = ["columns", "separator"].into_iter().filter_map(|key| population.get(key));
        if reader.problems.len() > before || fixed.heads.is_empty() || said.into_iter().any(Item::holds_bad) {
            return None;
        }
        let mut trouble = Trouble::new(request.path.display().to_string(), request.skip);
        let found = match read(&request, fixed, watch, &mut trouble) {
            Ok(found) => found,
            Err(error) => {
                trouble.of_file(format!("cannot be read: {error}"));
                None
            }
        };
        let is_bad = trouble.is_bad();
        let found = found.filter(|_| !is_bad);
        if let Some(inventory) = &found {
            inventory.compare_hash(population, reader);
            inventory.warn(&request, reader);
        }
        let mut problems = trouble.finish();
        reader.unshown += problems.more;
        reader.problems.append(&mut problems.problems);
        found
    }

    /// What a session begins with: what is where, and the old copies that are younger than the plan's grace.
    pub(crate) fn facts(&self, purge_after: Option<Span>, as_of: Time) -> Facts {
        let young = |grace| self.moved.partition_point(|(_, at)| *at + grace <= as_of);
        let first = purge_after.map_or(self.moved.len(), young);
        Facts { fleet: Arc::clone(&self.fleet), unpurged: self.moved[first..].to_vec(), ..Facts::default() }
    }

    /// Shares of the mailboxes by head, in parts of a million that add up to a million.
    pub(crate) fn split(&self) -> Vec<Share> {
        let all = self.summary.mailboxes.max(1);
        let mut before = 0;
        let ppm = |count: u64| (u128::from(count) * 1_000_000 / u128::from(all)) as u32;
        let share = |head: &InventoryHead| {
            let from = ppm(before);
            before += head.mailboxes;
            Share::from_ppm(ppm(before) - from)
        };
        self.summary.heads.iter().map(share).collect()
    }

    /// By head, the share that has moved; `None` when the file does not say.
    pub(crate) fn moved_shares(&self) -> Option<Vec<Share>> {
        let share = |head: &InventoryHead| {
            let ppm = u128::from(head.moved) * 1_000_000 / u128::from(head.mailboxes.max(1));
            // Even one that has moved counts as having begun.
            Share::from_ppm((ppm as u32).max(u32::from(head.moved > 0)))
        };
        self.has(Field::MovedTo).then(|| self.summary.heads.iter().map(share).collect())
    }

    /// The name that is nearest to another one, if one is near.
    pub(crate) fn nearest(&self, name: &str) -> Option<String> {
        let names: Vec<String> = self.fleet.ids().filter_map(|mailbox| self.names.name(mailbox)).collect();
        super::check::nearest(name, names.iter().map(String::as_str))
    }

    /// Whether the file says what a key of the scenario would.
    pub(crate) fn replaces(&self, key: &str) -> bool {
        let of = |name: &str| key == format!("population.{name}") || key.starts_with(&format!("population.{name}."));
        ["mailboxes", "split", "size"].into_iter().any(of)
            || [("message", Field::Messages), ("activity", Field::Activity), ("moved", Field::MovedTo)]
                .into_iter()
                .any(|(name, field)| self.has(field) && of(name))
            || self.has(Field::Group) && of("groups")
    }

    /// Whether the file has a column.
    pub(crate) fn has(&self, field: Field) -> bool {
        !self.summary.missing.contains(&field.name())
    }

    fn compare_hash(&self, population: &Item, reader: &mut Reader<'_>) {
        let Some(item) = population.get("inventory_sha256") else { return };
        let Some(wanted) = item.text() else { return };
        if !wanted.eq_ignore_ascii_case(&self.summary.sha256) {
            let file = &self.summary.file;
            reader.problem(item, format!("is not what {file} has: {}; the file has changed", self.summary.sha256));
        }
    }

    fn warn(&self, request: &Request, reader: &mut Reader<'_>) {
        let shown = request.path.display().to_string();
        for name in &self.summary.unread {
            let missing = self.summary.missing.iter().copied();
            if let Some(meant) = super::check::nearest(name, missing) {
                let text =
                    format!("column \"{name}\" is not read; if it is {meant}, say so by population.columns.{meant}");
                reader.warnings.push(Problem::of_file(&shown, text));
            }
        }
        if self.activity.is_some_and(|mean| mean.ops_per_second() <= 0.0) {
            let text = "column activity is 0 in every row: what users ask for is drawn as the scenario says";
            reader.warnings.push(Problem::of_file(&shown, text));
        }
    }
}

/// Bytes as text.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
