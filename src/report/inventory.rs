//! What an inventory has told, in words and as a part of documents.

use serde::Serialize;

use super::wording::count;
use crate::scenario::{InventoryColumn, InventorySummary, Scenario};

/// What came from the file, what was left out of it, and what is drawn or assumed instead: a sentence each.
#[must_use]
pub fn sentences(inventory: &InventorySummary, scenario: &Scenario) -> Vec<String> {
    let (file, hash) = (&inventory.file, inventory.sha256.get(..12).unwrap_or_default());
    let mailboxes = count(inventory.mailboxes as f64);
    let mut lines = vec![format!("From {file} ({hash}): {mailboxes} mailboxes, {}.", inventory.bytes)];
    let has_moved = inventory.heads.iter().any(|head| head.moved > 0);
    for (name, head) in scenario.heads.iter().zip(&inventory.heads) {
        let moved =
            if has_moved { format!(", {} of them moved already", count(head.moved as f64)) } else { String::new() };
        lines.push(format!("{name}: {} mailboxes, {}{moved}.", count(head.mailboxes as f64), head.bytes));
    }
    lines.push(format!("Facts of the file: {}.", inventory.columns.iter().map(column).collect::<Vec<_>>().join(", ")));
    let drawn: Vec<&str> = inventory.missing.iter().filter_map(|name| instead(name, inventory, scenario)).collect();
    if !drawn.is_empty() {
        lines.push(format!("Not in the file: {}.", drawn.join("; ")));
    }
    if !inventory.unread.is_empty() {
        lines.push(format!("Columns that are not read: {}.", inventory.unread.join(", ")));
    }
    if inventory.skipped > 0 {
        let rows = if inventory.skipped == 1 { "row" } else { "rows" };
        let (skipped, reasons) = (count(inventory.skipped as f64), reasons(inventory));
        lines.push(format!("Left out of the file, as asked for: {skipped} {rows} with problems ({reasons})."));
    }
    lines
}

/// What readers have to know of an inventory of which rows were left out.
pub(super) fn left_out(inventory: &InventorySummary) -> Option<String> {
    let rows = inventory.mailboxes + inventory.skipped;
    let (skipped, rows) = (count(inventory.skipped as f64), count(rows as f64));
    let text =
        || format!("{}: {skipped} of {rows} rows left out, as asked for ({})", inventory.file, reasons(inventory));
    (inventory.skipped > 0).then(text)
}

fn reasons(inventory: &InventorySummary) -> String {
    let reason = |(reason, times): &(String, u64)| format!("{reason} {}", count(*times as f64));
    inventory.reasons.iter().map(reason).collect::<Vec<_>>().join(", ")
}

fn column(column: &InventoryColumn) -> String {
    let unit = column.unit.as_ref().map_or_else(String::new, |unit| format!(" in {unit}"));
    if column.name == column.header {
        format!("{}{unit}", column.name)
    } else {
        format!("{} ({}){unit}", column.name, column.header)
    }
}

/// What stands in place of a column that the file does not have.
fn instead(missing: &str, inventory: &InventorySummary, scenario: &Scenario) -> Option<&'static str> {
    let population = &scenario.model.population;
    match missing {
        "messages" => Some("messages, drawn from sizes and population.message"),
        "activity" => Some("activity, drawn from population.activity"),
        "group" if population.groups > 0 => Some("group, drawn from population.groups"),
        "moved_to" if population.moved.iter().any(|share| share.ppm() > 0) => {
            Some("moved_to, the first of each head's order as population.moved says")
        }
        "moved_at" if inventory.heads.iter().any(|head| head.moved > 0) => {
            Some("moved_at, old copies of what has moved count as purged")
        }
        _ => None,
    }
}

/// An inventory as documents have it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "InventoryPart"))]
pub(super) struct Part {
    file: String,
    sha256: String,
    mailboxes: u64,
    bytes: u64,
    skipped_rows: u64,
    skipped: Vec<ReasonPart>,
    heads: Vec<HeadPart>,
    columns: Vec<ColumnPart>,
    missing: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "InventoryReasonPart"))]
struct ReasonPart {
    reason: String,
    times: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "InventoryHeadPart"))]
struct HeadPart {
    name: String,
    mailboxes: u64,
    bytes: u64,
    moved: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "InventoryColumnPart"))]
struct ColumnPart {
    name: &'static str,
    header: String,
    unit: Option<String>,
}

/// The part of an inventory in a document.
pub(super) fn part(inventory: &InventorySummary, heads: &[String]) -> Part {
    let reason = |(reason, times): &(String, u64)| ReasonPart { reason: reason.clone(), times: *times };
    let head = |(name, head): (&String, &crate::scenario::InventoryHead)| HeadPart {
        name: name.clone(),
        mailboxes: head.mailboxes,
        bytes: head.bytes.get(),
        moved: head.moved,
    };
    let column = |column: &InventoryColumn| ColumnPart {
        name: column.name,
        header: column.header.clone(),
        unit: column.unit.clone(),
    };
    Part {
        file: inventory.file.clone(),
        sha256: inventory.sha256.clone(),
        mailboxes: inventory.mailboxes,
        bytes: inventory.bytes.get(),
        skipped_rows: inventory.skipped,
        skipped: inventory.reasons.iter().map(reason).collect(),
        heads: heads.iter().zip(&inventory.heads).map(head).collect(),
        columns: inventory.columns.iter().map(column).collect(),
        missing: inventory.missing.clone(),
    }
}
