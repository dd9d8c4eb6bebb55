//! The keys of an inventory: a file with a row for each mailbox.

use super::keys::{Key, Kind, Need, Table, may, need, or};

/// What `[population]` says of its inventory.
pub(crate) const INVENTORY: &[Key] = &[
    may(
        "inventory",
        Kind::Text,
        "A CSV or Parquet file with a row for each mailbox, relative to this file; in place of `mailboxes`, `split` and \
         `size`, and of what else it says.",
    ),
    or("columns", Kind::Table(&COLUMNS), Need::Empty, "What the inventory calls its columns, where it is not as here."),
    or(
        "separator",
        Kind::Word(&[",", ";", "tab", "|"]),
        Need::Text(","),
        "What stands between the values of an inventory in CSV.",
    ),
    or(
        "skip_bad_rows",
        Kind::Flag,
        Need::Flag(false),
        "Whether rows with problems are left out and counted, in place of refusing the inventory.",
    ),
    may("inventory_sha256", Kind::Text, "SHA-256 that the inventory must have, in hexadecimal."),
];

static COLUMNS: Table = Table {
    what: "the columns of an inventory",
    keys: &[&[
        may("mailbox", NAMED, "The mailbox's name, which no other has."),
        may(
            "head",
            Kind::Choice(&[Kind::Text, Kind::Table(&HEAD)]),
            "The head that it lives on, or did before it moved.",
        ),
        may(
            "bytes",
            MEASURED,
            "Its size; in bytes when no unit is given and the name does not end in one: \"Size (MB)\".",
        ),
        may("messages", NAMED, "Messages in it."),
        may("activity", MEASURED, "Operations a second of its user, mean of a week; in op/s when no unit is given."),
        may("group", NAMED, "The group that it belongs to."),
        may("moved_to", NAMED, "The cluster that it has moved to; empty for one that has not."),
        may("moved_at", Kind::Choice(&[Kind::Text, Kind::Table(&INSTANT)]), "When it has moved."),
    ]],
};

const NAMED: Kind = Kind::Text;
const MEASURED: Kind = Kind::Choice(&[Kind::Text, Kind::Table(&MEASURE)]);

static MEASURE: Table = Table {
    what: "a column with a unit",
    keys: &[&[
        need("column", Kind::Text, "Its name in the file's header."),
        need("unit", Kind::Text, "The unit of its numbers: \"MB\", \"op/h\"."),
    ]],
};

static HEAD: Table = Table {
    what: "the column of heads",
    keys: &[&[
        need("column", Kind::Text, "Its name in the file's header."),
        need("values", Kind::ByHead(&Kind::Text), "By head: what the file calls it."),
    ]],
};

static INSTANT: Table = Table {
    what: "a column of instants",
    keys: &[&[
        need("column", Kind::Text, "Its name in the file's header."),
        need("zone", Kind::Text, "IANA time zone of instants without an offset from UTC; else the scenario's."),
    ]],
};
