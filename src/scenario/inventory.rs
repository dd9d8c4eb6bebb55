//! An inventory: a file with a row for each mailbox, in place of a population that is drawn.
//!
//! | room | holds |
//! |---|---|
//! | `columns` | which column of the file is which, and in which unit |
//! | `csv`, `parquet` | the file, a block of rows at a time: only these and `block` know polars |
//! | `block` | rows as texts |
//! | `value` | one cell, read |
//! | `rows` | the rows, checked and put into a fleet |
//! | `names` | the names of the mailboxes |
//! | `trouble` | what is wrong with the rows, all of it counted |
//! | `guard` | panics of a reader on a damaged file |
//!
//! A mailbox takes about 80 bytes while a file is read and 60 after it: its facts, its name, and its place by name.

mod block;
mod columns;
mod csv;
mod guard;
mod names;
mod parquet;
mod rows;
mod trouble;
mod value;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::files::Folder;
use super::item::Item;
use super::model::SizeLaw;
use super::problems::Problem;
use super::reader::Reader;
use super::source::Watch;
use crate::fleet::{Fleet, HeadId, MailboxId};
use crate::migration::message::Facts;
use crate::units::{Bytes, OpRate, Share, Time};
use columns::{Columns, Wishes};
pub(crate) use columns::{Field, SEPARATORS};
use csv::Csv;
pub(crate) use names::Names;
use parquet::Parquet;
use rows::Rows;
use trouble::Trouble;

/// The largest Parquet file: all of it is read into memory.
const PARQUET_MAX: u64 = 8_000_000_000;
/// No fleet holds more, in bytes.
const TOTAL_MAX: u128 = 1_000_000_000_000_000_000;

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

/// What a scenario says of its inventory.
struct Request {
    /// As the scenario writes it.
    file: String,
    path: PathBuf,
    separator: u8,
    skip: bool,
    wishes: Wishes,
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
        if reader.problems.len() > before || fixed.heads.is_empty() {
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
    pub(crate) fn facts(&self, purge_after: Option<crate::units::Span>, as_of: Time) -> Facts {
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

impl Request {
    fn read(
        population: &Item,
        item: &Item,
        fixed: &Fixed<'_>,
        folder: Option<&Folder>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let wishes = Wishes::read(population, fixed, reader);
        let file = item.text()?;
        let Some(folder) = folder else {
            reader.problem(item, "a text without a folder cannot have an inventory");
            return None;
        };
        let path = match folder.beside(&item.place, file) {
            Ok(path) => path,
            Err(message) => {
                reader.problem(item, message);
                return None;
            }
        };
        let separator = population.get("separator").and_then(Item::text).unwrap_or(",");
        let separator = SEPARATORS.iter().find(|known| known.0 == separator).map_or(b',', |known| known.1);
        let skip = population.get("skip_bad_rows").is_some_and(Item::flag);
        Some(Self { file: file.to_owned(), path, separator, skip, wishes })
    }
}

/// Reads a file; what is wrong with it is told.
fn read(
    request: &Request,
    fixed: &Fixed<'_>,
    watch: Option<&Watch>,
    trouble: &mut Trouble,
) -> io::Result<Option<Inventory>> {
    let (mut file, size) = open(&request.path)?;
    let mut begin = [0; 4];
    let known = file.by_ref().take(4).read(&mut begin)?;
    file.rewind()?;
    let is_named_so = request.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    let is_parquet = parquet::is_parquet(&begin[..known]);
    if is_named_so && !is_parquet {
        trouble.of_file("is no Parquet file: it does not begin as one");
        return Ok(None);
    }
    let tell = |done: u64, all: u64| {
        if let Some(watch) = watch {
            watch.tell(&request.file, done, all);
        }
    };
    if is_parquet {
        read_parquet(file, size, request, fixed, &tell, trouble)
    } else {
        read_csv(file, size, request, fixed, &tell, trouble)
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    // Looked at first: to open a pipe would wait for somebody to write.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn read_csv(
    file: File,
    size: u64,
    request: &Request,
    fixed: &Fixed<'_>,
    tell: &dyn Fn(u64, u64),
    trouble: &mut Trouble,
) -> io::Result<Option<Inventory>> {
    let mut csv = Csv::new(file, request.separator);
    let Some(header) = csv.header(trouble)? else { return Ok(None) };
    let Some(columns) = Columns::find(&header, &request.wishes, Some(request.separator), trouble) else {
        return Ok(None);
    };
    let mut rows = Rows::new(fixed, &request.wishes, &columns);
    let places = places(&columns);
    while let Some(block) = csv.block(&places, trouble)? {
        if !rows.take(&block, trouble) {
            break;
        }
        tell(csv.read, size);
    }
    let Rows { fleet, names, moved, .. } = rows;
    let sha256 = csv.finish()?;
    Ok(finish(request, fixed, &columns, sha256, (fleet, names, moved), trouble))
}

fn read_parquet(
    file: File,
    size: u64,
    request: &Request,
    fixed: &Fixed<'_>,
    tell: &dyn Fn(u64, u64),
    trouble: &mut Trouble,
) -> io::Result<Option<Inventory>> {
    if size > PARQUET_MAX {
        trouble.of_file(format!("has {size} bytes, a Parquet file has at most {PARQUET_MAX}"));
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(PARQUET_MAX).read_to_end(&mut bytes)?;
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    let Some(mut parquet) = Parquet::open(bytes, trouble) else { return Ok(None) };
    let Some(columns) = Columns::find(&parquet.header(), &request.wishes, None, trouble) else { return Ok(None) };
    let mut rows = Rows::new(fixed, &request.wishes, &columns);
    let places = places(&columns);
    while let Some(block) = parquet.block(&places, trouble) {
        if !rows.take(&block, trouble) {
            break;
        }
        let (done, all) = parquet.progress();
        tell(done, all);
    }
    let Rows { fleet, names, moved, .. } = rows;
    Ok(finish(request, fixed, &columns, sha256, (fleet, names, moved), trouble))
}

/// The places of the columns that are read, in the order of the fields.
fn places(columns: &Columns) -> Vec<usize> {
    Field::ALL.into_iter().filter_map(|field| columns.of(field)).map(|column| column.place).collect()
}

/// Puts together what came of the rows.
fn finish(
    request: &Request,
    fixed: &Fixed<'_>,
    columns: &Columns,
    sha256: String,
    (mut fleet, names, mut moved): (Fleet, Names, Vec<(MailboxId, Time)>),
    trouble: &mut Trouble,
) -> Option<Inventory> {
    let total: u128 = fleet.bytes.iter().map(|bytes| u128::from(bytes.get())).sum();
    if total > TOTAL_MAX {
        trouble.of_file("has mailboxes of more than 1 EB, all together: is their size in another unit?");
    } else if fleet.is_empty() && !trouble.is_bad() {
        let rows = trouble.rows();
        let none = "has a header and no mailbox: needs a row for each";
        let text = if rows > 0 { format!("has no good row: all {rows} were skipped") } else { none.to_owned() };
        trouble.of_file(text);
    }
    if trouble.is_bad() {
        return None;
    }
    moved.sort_unstable_by_key(|(mailbox, at)| (*at, *mailbox));
    for column in [&mut fleet.messages, &mut fleet.activity_micro_op_s, &mut fleet.group] {
        column.shrink_to_fit();
    }
    let activity: u64 = fleet.activity_micro_op_s.iter().map(|activity| u64::from(*activity)).sum();
    let mean = activity as f64 / fleet.len().max(1) as f64 / 1e6;
    let read = Field::ALL.into_iter().filter_map(|field| Some((field, columns.of(field)?)));
    let summary = InventorySummary {
        file: request.file.clone(),
        sha256,
        mailboxes: fleet.len() as u64,
        bytes: Bytes::new(total as u64),
        skipped: trouble.rows(),
        reasons: trouble.reasons(),
        heads: by_head(&fleet, fixed.heads.len()),
        columns: read
            .map(|(field, column)| InventoryColumn {
                name: field.name(),
                header: column.header.clone(),
                unit: column.unit_name.clone(),
            })
            .collect(),
        missing: Field::ALL.into_iter().filter(|field| columns.of(*field).is_none()).map(Field::name).collect(),
        unread: columns.unread.clone(),
    };
    Some(Inventory {
        size: law(&fleet.bytes),
        activity: columns.of(Field::Activity).map(|_| OpRate::per_second(mean)),
        groups: groups(&fleet.group),
        moved,
        names,
        summary,
        fleet: Arc::new(fleet),
    })
}

fn by_head(fleet: &Fleet, heads: usize) -> Vec<InventoryHead> {
    let mut list = vec![InventoryHead::default(); heads];
    for (origin, bytes) in fleet.origin.iter().zip(&fleet.bytes) {
        let head = &mut list[origin.index()];
        head.mailboxes += 1;
        head.bytes += *bytes;
    }
    if !fleet.home.is_empty() {
        for (place, head) in list.iter_mut().enumerate() {
            head.moved = fleet.counts(HeadId(place as u8)).1;
        }
    }
    list
}

/// The lognormal law that sizes are nearest to: for what is correlated with size.
fn law(sizes: &[Bytes]) -> SizeLaw {
    let max = sizes.iter().copied().max().unwrap_or_default().max(Bytes::new(1));
    let logs = || sizes.iter().filter(|bytes| bytes.get() > 0).map(|bytes| (bytes.get() as f64).ln());
    let count = logs().count().max(1) as f64;
    let mean = logs().sum::<f64>() / count;
    let variance = logs().map(|log| (log - mean).powi(2)).sum::<f64>() / count;
    let median = Bytes::new(mean.exp().round().max(1.0) as u64).min(max);
    SizeLaw { median, sigma: variance.sqrt(), max, tail: None }
}

fn groups(column: &[u32]) -> u32 {
    column.iter().filter(|group| **group != u32::MAX).max().map_or(0, |last| last + 1)
}

/// Bytes as text.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
