//! Exports of other programs, from which an inventory is made: one row for each mailbox, or for each of its folders.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use super::columns::{Field, find_named};
use super::csv::Csv;
use super::trouble::Trouble;
use super::value::{self, Wrong};
use crate::scenario::problems::Problems;

/// What an export calls its columns; none: as `doveadm` or an inventory would.
#[derive(Clone, Debug, Default)]
pub struct ExportColumns {
    /// The user or mailbox.
    pub mailbox: Option<String>,
    /// Its size; in bytes when the name does not end in a unit: `Size (MB)`.
    pub bytes: Option<String>,
    /// Its messages.
    pub messages: Option<String>,
    /// What stands between the values.
    pub separator: Option<char>,
}

/// Bytes and messages of a mailbox, all its folders together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Its size.
    pub bytes: u64,
    /// Its messages; none where the export does not say.
    pub messages: Option<u32>,
}

/// What `doveadm -f tab mailbox status -A "messages vsize" '*'` calls them: there, `mailbox` is a folder.
const DOVEADM: [&str; 3] = ["username", "vsize", "messages"];
const OURS: [&str; 3] = ["mailbox", "bytes", "messages"];

/// Reads an export in CSV. Rows of the same mailbox are its folders, and are added up.
///
/// # Errors
/// Everything that is wrong with it, by row and column.
pub fn read_export(path: &Path, columns: &ExportColumns) -> Result<BTreeMap<String, Exported>, Problems> {
    let mut trouble = Trouble::new(path.display().to_string(), false);
    let found = match read(path, columns, &mut trouble) {
        Ok(found) => found,
        Err(error) => {
            trouble.of_file(format!("cannot be read: {error}"));
            BTreeMap::new()
        }
    };
    if found.is_empty() && !trouble.is_bad() {
        trouble.of_file("has a header and no mailbox: needs a row for each");
    }
    if !trouble.is_bad() {
        return Ok(found);
    }
    let found = trouble.finish();
    Err(Problems::new(found.problems).and_more(found.more))
}

fn read(path: &Path, columns: &ExportColumns, trouble: &mut Trouble) -> std::io::Result<BTreeMap<String, Exported>> {
    let mut found = BTreeMap::new();
    let mut header = None;
    // Without a word about it, values are separated by commas, or by tabs as doveadm does.
    let separators = columns.separator.map_or(vec![b',', b'\t'], |separator| vec![separator as u8]);
    for separator in &separators {
        let mut csv = Csv::new(File::open(path)?, *separator);
        let Some(names) = csv.header(trouble)? else { return Ok(found) };
        let is_last = Some(separator) == separators.last();
        if names.len() > 1 || is_last {
            header = Some((csv, names));
            break;
        }
    }
    let Some((mut csv, names)) = header else { return Ok(found) };
    if let ([one], Some(other)) = (&names[..], [';', '|'].iter().find(|other| names[0].contains(**other)))
        && columns.separator != Some(*other)
    {
        let shown = value::shown(one);
        trouble.of_file(format!(
            "has a header of one column, {shown}; if it is separated otherwise, say so: --separator '{other}'"
        ));
        return Ok(found);
    }
    let is_doveadm = DOVEADM[..2].iter().all(|known| names.iter().any(|name| name == known));
    let [mailbox, bytes, messages] = if is_doveadm { DOVEADM } else { OURS };
    let mailbox = find_named(Field::Mailbox, columns.mailbox.as_deref().unwrap_or(mailbox), &names, trouble);
    let bytes = find_named(Field::Bytes, columns.bytes.as_deref().unwrap_or(bytes), &names, trouble);
    let has_messages = columns.messages.is_some() || names.iter().any(|name| name == messages);
    let messages = columns.messages.as_deref().unwrap_or(messages);
    let messages = has_messages.then(|| find_named(Field::Messages, messages, &names, trouble)).flatten();
    let (Some(mailbox), Some(bytes)) = (mailbox, bytes) else { return Ok(found) };
    let wanted: Vec<usize> =
        [Some(&mailbox), Some(&bytes), messages.as_ref()].into_iter().flatten().map(|c| c.place).collect();
    while let Some(block) = csv.block(&wanted, trouble)? {
        for (at, row) in block.rows.iter().enumerate() {
            let mut note = |column: &str, wrong: Wrong| trouble.of_row(*row, Some(column), &wrong);
            let name = block.columns[0].get(at);
            if name.is_empty() {
                note(&mailbox.header, Wrong::new("empty", name, "must be the mailbox's name"));
                continue;
            }
            let size = value::bytes(block.columns[1].get(at), bytes.unit);
            let size = size.map_err(|wrong| note(&bytes.header, wrong)).unwrap_or_default();
            let entry: &mut Exported = found.entry(name.to_owned()).or_default();
            entry.bytes = entry.bytes.saturating_add(size);
            if let Some(column) = &messages {
                let count = value::messages(block.columns[2].get(at));
                let count = count.map_err(|wrong| note(&column.header, wrong)).unwrap_or_default();
                entry.messages = Some(entry.messages.unwrap_or_default().saturating_add(count));
            }
        }
    }
    Ok(found)
}
