//! Which column of a file of samples is which, and in which unit.

use jiff::tz::TimeZone;

use crate::scenario::check::nearest;
use crate::scenario::inventory::SEPARATORS;
use crate::scenario::inventory::trouble::Trouble;
use crate::scenario::inventory::value::shown;
use crate::scenario::item::Item;
use crate::scenario::quantity::{self, Measure};
use crate::scenario::reader::Reader;

/// What the column of instants is called when nothing is said.
const TIMES: [&str; 2] = ["time", "timestamp"];
/// What a column for all heads is called when nothing is said.
const ALL: &str = "load";
/// Names of a header that are shown in a message.
const NAMES_SHOWN: usize = 20;

/// A column of a file as somebody names it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) header: String,
    pub(crate) unit: Option<String>,
}

/// Which loads are wanted of a file.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// One for each of these heads, or one for all of them.
    Heads(Vec<String>),
    /// One for each head, under these names.
    Named(Vec<(String, Wish)>),
    /// One for all heads, under this name.
    One(Wish),
    /// Every column there is.
    Every,
}

/// What is said of the columns.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) time: Option<String>,
    /// Of instants without an offset from UTC; none: the scenario's.
    pub(crate) zone: Option<TimeZone>,
    pub(crate) wanted: Wanted,
    /// Of columns whose names do not end in one.
    pub(crate) unit: Option<String>,
}

impl Wishes {
    /// Reads `[load.columns]`; what is wrong goes to the reader.
    pub(crate) fn read(load: &Item, heads: &[String], reader: &mut Reader<'_>) -> Self {
        let columns = load.get("columns");
        let time = columns.and_then(|columns| columns.get("time"));
        let header = time.and_then(|time| time.text().or_else(|| time.get("column").and_then(Item::text)));
        let wanted = match (columns.and_then(|columns| columns.get("all")), columns.and_then(|c| c.get("heads"))) {
            (None, None) => Wanted::Heads(heads.to_vec()),
            (Some(all), None) => Wanted::One(wish(all)),
            (None, Some(table)) => {
                let missing: Vec<&str> =
                    heads.iter().filter(|head| table.get(head).is_none()).map(String::as_str).collect();
                if !missing.is_empty() && !table.is_bad() {
                    reader.problem(table, format!("has no column for {}: needs one for each head", missing.join(", ")));
                }
                let named = |head: &String| Some((head.clone(), wish(table.get(head)?)));
                Wanted::Named(heads.iter().filter_map(named).collect())
            }
            (Some(all), Some(_)) => {
                reader.problem(all, "one column for all heads and one for each of them cannot both be meant");
                Wanted::One(wish(all))
            }
        };
        let zone = time.and_then(|time| time.get("zone"));
        let found = zone.and_then(Item::text).and_then(|name| TimeZone::get(name).ok());
        if let (Some(zone), None) = (zone, &found) {
            let name = zone.text().unwrap_or_default();
            let allowed = "must be an IANA time zone such as \"America/Toronto\" or \"UTC\"";
            reader.problem(zone, format!("is \"{name}\", {allowed}"));
        }
        Self { time: header.map(str::to_owned), zone: found, wanted, unit: None }
    }

    /// Whether a command asks for whatever there is, and not a scenario: then its options are what can be said.
    const fn is_of_command(&self) -> bool {
        matches!(self.wanted, Wanted::Every)
    }
}

fn wish(item: &Item) -> Wish {
    let header = item.text().or_else(|| item.get("column").and_then(Item::text)).unwrap_or_default();
    Wish { header: header.to_owned(), unit: item.get("unit").and_then(Item::text).map(str::to_owned) }
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its place in the file.
    pub(crate) place: usize,
    pub(crate) header: String,
    /// The head that it is for, or its own name where it is for all of them.
    pub(crate) name: String,
    /// How much one of its numbers is, in operations a second or as a share of the capacity.
    pub(crate) unit: f64,
    /// Whether it is a share of the capacity.
    pub(crate) is_share: bool,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) time: Column,
    /// By head; one where it is for all of them.
    pub(crate) loads: Vec<Column>,
    /// Columns that are not read.
    pub(crate) unread: Vec<String>,
}

impl Columns {
    /// Finds them in a header; what is wrong is told, all of it.
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
            let shown = shown(one);
            let how = if wishes.is_of_command() {
                format!("--separator '{name}'")
            } else {
                format!("load.separator = \"{name}\"")
            };
            trouble
                .of_file(format!("has a header of one column, {shown}; if it is separated otherwise, say so: {how}"));
            return None;
        }
        if let Some(name) = header.iter().find(|name| name.chars().any(char::is_control)) {
            trouble.of_file(format!("has a column whose name has control characters: {}", shown(name)));
            return None;
        }
        for (place, name) in header.iter().enumerate() {
            if header[..place].contains(name) {
                trouble.of_file(format!("has two columns called {}", shown(name)));
            }
        }
        let time = time(header, wishes, trouble);
        let time_place = time.as_ref().map(|time| time.place);
        let loads = loads(header, wishes, time_place, trouble);
        let is_read = |place: &usize| loads.iter().any(|load| load.place == *place) || time_place == Some(*place);
        let unread = (0..header.len()).filter(|place| !is_read(place)).map(|place| header[place].clone()).collect();
        (!trouble.is_bad()).then_some(())?;
        Some(Self { time: time?, loads, unread })
    }

    /// The places of the columns that are read: the instants first.
    pub(crate) fn places(&self) -> Vec<usize> {
        [&self.time].into_iter().chain(&self.loads).map(|column| column.place).collect()
    }
}

fn time(header: &[String], wishes: &Wishes, trouble: &mut Trouble) -> Option<Column> {
    let place = match &wishes.time {
        Some(name) => header.iter().position(|known| known == name),
        None => header.iter().position(|known| TIMES.iter().any(|time| known.eq_ignore_ascii_case(time))),
    };
    let Some(place) = place else {
        let by = if wishes.is_of_command() { "--time" } else { "load.columns.time" };
        let how = match &wishes.time {
            Some(name) => format!("has no column {} for the time", shown(name)),
            None => format!("has no column called {}: say which it is by {by}", TIMES.join(" or ")),
        };
        let near = nearest(wishes.time.as_deref().unwrap_or("time"), header.iter().map(String::as_str));
        trouble.of_header(format!("{how}; it has {}", names(header)), near);
        return None;
    };
    Some(Column { place, header: header[place].clone(), name: "time".to_owned(), unit: 1.0, is_share: false })
}

fn loads(header: &[String], wishes: &Wishes, time: Option<usize>, trouble: &mut Trouble) -> Vec<Column> {
    match &wishes.wanted {
        Wanted::One(wish) => named(header, "all", wish, trouble).into_iter().collect(),
        Wanted::Named(list) => list.iter().filter_map(|(head, wish)| named(header, head, wish, trouble)).collect(),
        Wanted::Every => {
            let others = (0..header.len()).filter(|place| Some(*place) != time);
            let every = |place: usize| {
                // A name that ends in its unit knows better.
                let unit = wishes.unit.as_deref().filter(|_| bracketed(&header[place]).is_none());
                column(header, place, stem(&header[place]), unit, "--unit", trouble)
            };
            let found: Vec<Column> = others.filter_map(every).collect();
            if found.is_empty() && !trouble.is_bad() {
                trouble.of_file("has no column besides the time: needs one with a load");
            }
            found
        }
        Wanted::Heads(heads) => by_head(header, heads, time, trouble),
    }
}

/// A column for each head, or one for all: every column must be one or the other.
fn by_head(header: &[String], heads: &[String], time: Option<usize>, trouble: &mut Trouble) -> Vec<Column> {
    let others: Vec<usize> = (0..header.len()).filter(|place| Some(*place) != time).collect();
    let of = |name: &str| others.iter().copied().find(|place| stem(&header[*place]) == name);
    let for_all = of(ALL).filter(|_| !heads.iter().any(|head| of(head).is_some()));
    for place in &others {
        let name = stem(&header[*place]);
        if Some(*place) != for_all && !heads.iter().any(|head| head == name) {
            let known = heads.iter().map(String::as_str).chain([ALL]);
            let message = format!(
                "has a column {} of no head: heads are {}; name those that are to be read by load.columns.heads",
                shown(&header[*place]),
                heads.join(", ")
            );
            trouble.of_header(message, nearest(name, known));
        }
    }
    if let Some(place) = for_all {
        return column(header, place, "all", None, BY_COLUMNS, trouble).into_iter().collect();
    }
    let mut found = Vec::new();
    for head in heads {
        match of(head) {
            Some(place) => found.extend(column(header, place, head, None, BY_COLUMNS, trouble)),
            None => trouble.of_file(format!(
                "has no column for {head}: needs one called {head} (op/s) or {head} (%), or one called {ALL} for all heads"
            )),
        }
    }
    found
}

fn named(header: &[String], name: &str, wish: &Wish, trouble: &mut Trouble) -> Option<Column> {
    let Some(place) = header.iter().position(|known| *known == wish.header) else {
        let near = nearest(&wish.header, header.iter().map(String::as_str));
        let message = format!("has no column {} for {name}; it has {}", shown(&wish.header), names(header));
        trouble.of_header(message, near);
        return None;
    };
    column(header, place, name, wish.unit.as_deref(), BY_COLUMNS, trouble)
}

/// How a scenario says the unit of a column.
const BY_COLUMNS: &str = "load.columns";

/// A column with its unit: as somebody says, by `how`, or as its name ends.
fn column(
    header: &[String],
    place: usize,
    name: &str,
    unit: Option<&str>,
    how: &str,
    trouble: &mut Trouble,
) -> Option<Column> {
    let text = &header[place];
    let Some(said) = unit.or_else(|| bracketed(text).map(|parts| parts.1)) else {
        trouble.of_file(format!(
            "has a column {} without a unit: let its name end in (op/s) or (%), or say its unit by {how}",
            shown(text)
        ));
        return None;
    };
    let is_share = said.trim() == "%";
    let measure = if is_share { Measure::Share } else { Measure::OpRate };
    let Ok(unit) = quantity::parse(&format!("1 {said}"), measure) else {
        let (text, said) = (shown(text), shown(said));
        trouble.of_file(format!("has a column {text} in {said}, which is no unit of a load: must be op/s or %"));
        return None;
    };
    Some(Column { place, header: text.clone(), name: name.to_owned(), unit, is_share })
}

/// A column's name without the unit at its end.
fn stem(header: &str) -> &str {
    bracketed(header).map_or(header, |parts| parts.0)
}

/// A name that ends in a unit, `head-1 (op/s)`, as both.
fn bracketed(header: &str) -> Option<(&str, &str)> {
    let (name, rest) = header.rsplit_once(['(', '['])?;
    Some((name.trim(), rest.strip_suffix([')', ']'])?.trim()))
}

fn names(header: &[String]) -> String {
    let more = if header.len() > NAMES_SHOWN { ", ..." } else { "" };
    let columns: Vec<String> = header.iter().take(NAMES_SHOWN).map(|name| shown(name)).collect();
    format!("{}{more}", columns.join(", "))
}
