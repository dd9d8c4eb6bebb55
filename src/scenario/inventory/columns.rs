//! Which column of a file is which, in which unit, and what a header lacks.

use jiff::tz::TimeZone;

use super::Fixed;
use super::trouble::Trouble;
use crate::scenario::check::nearest;
use crate::scenario::item::Item;
use crate::scenario::quantity::{self, Measure};
use crate::scenario::reader::Reader;

/// What an inventory can say of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Mailbox,
    Head,
    Bytes,
    Messages,
    Activity,
    Group,
    MovedTo,
    MovedAt,
}

impl Field {
    pub(crate) const COUNT: usize = 8;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Mailbox,
        Self::Head,
        Self::Bytes,
        Self::Messages,
        Self::Activity,
        Self::Group,
        Self::MovedTo,
        Self::MovedAt,
    ];

    /// The key of it, and the column's name when the scenario gives no other.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Head => "head",
            Self::Bytes => "bytes",
            Self::Messages => "messages",
            Self::Activity => "activity",
            Self::Group => "group",
            Self::MovedTo => "moved_to",
            Self::MovedAt => "moved_at",
        }
    }

    const fn is_needed(self) -> bool {
        matches!(self, Self::Mailbox | Self::Head | Self::Bytes)
    }

    const fn measure(self) -> Option<Measure> {
        match self {
            Self::Bytes => Some(Measure::Bytes),
            Self::Activity => Some(Measure::OpRate),
            Self::Mailbox | Self::Head | Self::Messages | Self::Group | Self::MovedTo | Self::MovedAt => None,
        }
    }
}

/// What the scenario says of a column.
#[derive(Clone, Debug)]
struct Wish {
    header: String,
    /// Whether the scenario names it: then it must be there.
    is_stated: bool,
    unit: Option<String>,
}

/// What the scenario says of the columns.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    list: Vec<Wish>,
    /// Of instants without an offset from UTC, where the scenario says so.
    pub(crate) zone: Option<TimeZone>,
    /// By head: how the file calls it.
    pub(crate) heads: Vec<String>,
}

impl Wishes {
    /// Reads `[population.columns]`; what is wrong goes to the reader.
    pub(crate) fn read(population: &Item, fixed: &Fixed<'_>, reader: &mut Reader<'_>) -> Self {
        let columns = population.get("columns");
        let mut wishes = Self { list: Vec::new(), zone: None, heads: fixed.heads.to_vec() };
        for field in Field::ALL {
            let item = columns.and_then(|columns| columns.get(field.name()));
            let header = item.and_then(|item| item.text().or_else(|| item.get("column").and_then(Item::text)));
            let unit = item.and_then(|item| item.get("unit"));
            if let (Some(unit), Some(measure)) = (unit, field.measure())
                && let Some(text) = unit.text()
                && let Err(message) = quantity::parse(&format!("1 {text}"), measure)
            {
                let allowed = message.split_once(", ").map_or(message.as_str(), |parts| parts.1);
                reader.problem(unit, format!("is \"{text}\", which is no unit of it: {allowed}"));
            }
            wishes.list.push(Wish {
                header: header.unwrap_or(field.name()).to_owned(),
                is_stated: item.is_some(),
                unit: unit.and_then(Item::text).map(str::to_owned),
            });
        }
        wishes.read_zone(columns, reader);
        wishes.read_heads(columns, fixed);
        wishes
    }

    fn read_zone(&mut self, columns: Option<&Item>, reader: &mut Reader<'_>) {
        let Some(item) = columns.and_then(|columns| columns.get("moved_at")).and_then(|item| item.get("zone")) else {
            return;
        };
        let Some(name) = item.text() else { return };
        self.zone = TimeZone::get(name).ok();
        if self.zone.is_none() {
            let allowed = "must be an IANA time zone such as \"America/Toronto\" or \"UTC\"";
            reader.problem(item, format!("is \"{name}\", {allowed}"));
        }
    }

    fn read_heads(&mut self, columns: Option<&Item>, fixed: &Fixed<'_>) {
        let values = columns.and_then(|columns| columns.get("head")).and_then(|item| item.get("values"));
        for (known, called) in fixed.heads.iter().zip(&mut self.heads) {
            if let Some(text) = values.and_then(|values| values.get(known)).and_then(Item::text) {
                text.clone_into(called);
            }
        }
    }
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its place in the file.
    pub(crate) place: usize,
    pub(crate) header: String,
    /// The unit of its numbers, in the measure's base unit; none where numbers are in the base unit itself.
    pub(crate) unit: Option<f64>,
    pub(crate) unit_name: Option<String>,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    list: Vec<Option<Column>>,
    /// Columns that are not read.
    pub(crate) unread: Vec<String>,
}

impl Columns {
    /// Finds them in a header; what is wrong is told.
    pub(crate) fn find(
        header: &[String],
        wishes: &Wishes,
        separator: Option<u8>,
        trouble: &mut Trouble,
    ) -> Option<Self> {
        if let (Some(separator), [one]) = (separator, header)
            && let Some((name, _)) =
                SEPARATORS.iter().find(|(_, other)| *other != separator && one.contains(*other as char))
        {
            let shown = super::value::shown(one);
            trouble.of_file(format!("has a header of one column, {shown}; if it is separated otherwise, say so: population.separator = \"{name}\""));
            return None;
        }
        if let Some(name) = header.iter().find(|name| name.chars().any(char::is_control)) {
            trouble.of_file(format!("has a column whose name has control characters: {}", super::value::shown(name)));
            return None;
        }
        let list: Vec<Option<Column>> =
            Field::ALL.iter().zip(&wishes.list).map(|(field, wish)| find(*field, wish, header, trouble)).collect();
        let is_read = |name: &&String| !list.iter().flatten().any(|column| column.header == **name);
        let unread = header.iter().filter(is_read).cloned().collect();
        let found = Self { list, unread };
        if found.of(Field::MovedAt).is_some() && found.of(Field::MovedTo).is_none() {
            trouble.of_file("says when mailboxes were moved, moved_at, and not where to: needs a column moved_to too");
        }
        (!trouble.is_bad()).then_some(found)
    }

    /// The column of a field.
    pub(crate) fn of(&self, field: Field) -> Option<&Column> {
        self.list[field as usize].as_ref()
    }
}

/// The separators, as the scenario writes them.
pub(crate) const SEPARATORS: [(&str, u8); 4] = [(",", b','), (";", b';'), ("tab", b'\t'), ("|", b'|')];

/// A column that must be there under a name.
pub(crate) fn find_named(field: Field, name: &str, header: &[String], trouble: &mut Trouble) -> Option<Column> {
    find(field, &Wish { header: name.to_owned(), is_stated: true, unit: None }, header, trouble)
}

fn find(field: Field, wish: &Wish, header: &[String], trouble: &mut Trouble) -> Option<Column> {
    let mut places = (0..header.len()).filter(|place| header[*place] == wish.header);
    let place = places.next();
    let (name, shown) = (field.name(), super::value::shown(&wish.header));
    if places.next().is_some() {
        trouble.of_file(format!("has two columns called {shown}: which is {name} is not known"));
        return None;
    }
    let Some(place) = place else {
        if field.is_needed() || wish.is_stated {
            let more = if header.len() > 20 { ", ..." } else { "" };
            let columns: Vec<String> = header.iter().take(20).map(|name| super::value::shown(name)).collect();
            let how =
                if wish.is_stated { String::new() } else { format!("; say which it is by population.columns.{name}") };
            let message = format!("has no column {shown} for {name}; it has {}{more}{how}", columns.join(", "));
            trouble.of_header(message, nearest(&wish.header, header.iter().map(String::as_str)));
        }
        return None;
    };
    let (unit, unit_name) = unit(field, wish, trouble)?;
    Some(Column { place, header: wish.header.clone(), unit, unit_name })
}

/// The unit of a column: as the scenario says, or as its header ends: `Size (MB)`.
fn unit(field: Field, wish: &Wish, trouble: &mut Trouble) -> Option<(Option<f64>, Option<String>)> {
    let Some(measure) = field.measure() else { return Some((None, None)) };
    let in_header = || {
        let (_, rest) = wish.header.rsplit_once(['(', '['])?;
        Some(rest.strip_suffix([')', ']'])?.trim().to_owned())
    };
    let Some(name) = wish.unit.clone().or_else(in_header) else { return Some((None, None)) };
    if let Ok(unit) = quantity::parse(&format!("1 {name}"), measure) {
        return Some((Some(unit), Some(name)));
    }
    if wish.unit.is_none() {
        let shown = super::value::shown(&wish.header);
        trouble.of_file(format!(
            "has a column {shown}, of which \"{name}\" is no known unit: say which by population.columns.{} = \
             {{ column = {shown}, unit = \"...\" }}",
            field.name()
        ));
    }
    None
}
