//! From what a scenario says of its inventory to the facts: the file is found, opened, read and put together.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::columns::{Columns, Field, SEPARATORS, Wishes};
use super::csv::Csv;
use super::parquet::{self, Parquet};
use super::rows::Rows;
use super::trouble::Trouble;
use super::{Fixed, Inventory, InventoryColumn, InventoryHead, InventorySummary, Names, hexadecimal};
use crate::fleet::{Fleet, HeadId, MailboxId};
use crate::scenario::files::Folder;
use crate::scenario::item::Item;
use crate::scenario::model::SizeLaw;
use crate::scenario::reader::Reader;
use crate::scenario::source::Watch;
use crate::units::{Bytes, OpRate, Time};

/// The largest Parquet file: all of it is read into memory.
pub(crate) const PARQUET_MAX: u64 = 8_000_000_000;
/// No fleet holds more, in bytes.
const TOTAL_MAX: u128 = 1_000_000_000_000_000_000;

/// What a scenario says of its inventory.
pub(super) struct Request {
    /// As the scenario writes it.
    pub(super) file: String,
    pub(super) path: PathBuf,
    separator: u8,
    pub(super) skip: bool,
    wishes: Wishes,
}

impl Request {
    pub(super) fn read(
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
pub(super) fn read(
    request: &Request,
    fixed: &Fixed<'_>,
    watch: Option<&Watch>,
    trouble: &mut Trouble,
) -> io::Result<Option<Inventory>> {
    let (mut file, size) = open(&request.path)?;
    let Some(is_parquet) = begins_as_parquet(&mut file, &request.path, trouble)? else { return Ok(None) };
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

/// Opens a file, with its size.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    // Looked at first: to open a pipe would wait for somebody to write.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Whether a file is Parquet, by how it begins; `None` when it is only called so, which has been told.
pub(crate) fn begins_as_parquet(file: &mut File, path: &Path, trouble: &mut Trouble) -> io::Result<Option<bool>> {
    let mut begin = [0; 4];
    let known = file.by_ref().take(4).read(&mut begin)?;
    file.rewind()?;
    let is_named_so = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    let is_parquet = parquet::is_parquet(&begin[..known]);
    if is_named_so && !is_parquet {
        trouble.of_file("is no Parquet file: it does not begin as one");
        return Ok(None);
    }
    Ok(Some(is_parquet))
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
    let mut next = csv.block(&places, trouble)?;
    while let Some(block) = next {
        // The next block is read while this one is taken in; what is wrong with it is told after what is wrong with this one.
        let mut ahead = trouble.ahead();
        let (goes_on, following) = rayon::join(|| rows.take(&block, trouble), || csv.block(&places, &mut ahead));
        if !goes_on {
            break;
        }
        trouble.append(ahead);
        next = following?;
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
    let messages: u64 = fleet.messages.iter().map(|messages| u64::from(*messages)).sum();
    let message_mean = |_| Bytes::new((summary.bytes.get() / messages.max(1)).max(1));
    Some(Inventory {
        size: law(&fleet.bytes),
        message_mean: columns.of(Field::Messages).map(message_mean),
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

/// The lognormal law that sizes are nearest to: for what asks about all of them together.
fn law(sizes: &[Bytes]) -> SizeLaw {
    let max = sizes.iter().copied().max().unwrap_or_default().max(Bytes::new(1));
    let logs = sizes.iter().filter(|bytes| bytes.get() > 0).map(|bytes| (bytes.get() as f64).ln());
    let (count, sum, squares) =
        logs.fold((0_u64, 0.0, 0.0), |(count, sum, squares), log| (count + 1, sum + log, squares + log * log));
    let count = count.max(1) as f64;
    let mean = sum / count;
    let variance = (squares / count - mean * mean).max(0.0);
    let median = Bytes::new(mean.exp().round().max(1.0) as u64).min(max);
    SizeLaw { median, sigma: variance.sqrt(), max, tail: None }
}

fn groups(column: &[u32]) -> u32 {
    column.iter().filter(|group| **group != u32::MAX).max().map_or(0, |last| last + 1)
}
