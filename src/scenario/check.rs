//! Checks the tree against the format: unknown and missing keys, types, units, ranges. Collects every problem.

use jiff::civil::{Date, DateTime, Time};

use super::item::{Item, Value, When};
use super::keys::{Key, Kind, Need, Table, Tagged};
use super::number;
use super::problems::{Place, Problem};
use super::quantity;
use super::tree::{Data, Node};

/// The check under way.
pub(crate) struct Checker {
    pub(crate) problems: Vec<Problem>,
    /// Names of the heads, for tables whose keys they are.
    heads: Vec<String>,
    /// The throttle law of all heads: a head's own throttle of the same law says only what differs.
    law: Option<String>,
    /// Whether what is missing in a table is inherited, and so neither reported nor filled in.
    inherits: bool,
}

/// The nearest of the known words, when it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = word.to_lowercase();
    let near = known.into_iter().map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then(|| best.1.to_owned())
}

impl Checker {
    /// A checker of a file whose heads are named in it.
    pub(crate) fn new(file: &Node) -> Self {
        let heads = file.get("head").map(Node::items).unwrap_or_default();
        let name = |head: &Node| head.get("name").and_then(Node::text).map(str::to_owned);
        let law = file.get("plan").and_then(|plan| plan.get("throttle")).and_then(|throttle| throttle.get("law"));
        Self {
            problems: Vec::new(),
            heads: heads.iter().filter_map(name).collect(),
            law: law.and_then(Node::text).map(str::to_owned),
            inherits: false,
        }
    }

    /// Checks a table; what it lacks is filled with defaults.
    pub(crate) fn table(&mut self, table: &'static Table, node: &Node, key: &str, tag: Option<&str>) -> Item {
        let Data::Table(entries) = &node.data else {
            let keys: Vec<&str> = table.keys().map(|known| known.name).collect();
            // A long list is for the documentation.
            let with = if keys.len() > 8 { String::new() } else { format!(", with {}", keys.join(", ")) };
            return self.bad(node, key, format!("is {}, must be a table for {}{with}", shown(node), table.what));
        };
        let mut checked = Vec::with_capacity(entries.len());
        for entry in entries {
            if Some(entry.name.as_str()) == tag {
                continue;
            }
            let full = join(key, &entry.name);
            if let Some(known) = table.keys().find(|known| known.name == entry.name) {
                checked.push((entry.name.clone(), self.item(&known.kind, &entry.node, &full)));
            } else {
                let names = || table.keys().map(|known| known.name);
                let mut problem = Problem::at(
                    &entry.name_place,
                    &full,
                    format!("unknown key of {}, allowed are {}", table.what, names().collect::<Vec<_>>().join(", ")),
                );
                problem.suggestion = nearest(&entry.name, names());
                self.problems.push(problem);
                // Whatever was meant by it has no default to be judged by.
                checked
                    .push((entry.name.clone(), Item { key: full, place: entry.node.place.clone(), value: Value::Bad }));
            }
        }
        let inherits = self.inherits;
        for known in table.keys().filter(|known| !inherits && node.get(known.name).is_none()) {
            if let Some(item) = self.missing(known, node, &join(key, known.name)) {
                checked.push((known.name.to_owned(), item));
            }
        }
        Item { key: key.to_owned(), place: node.place.clone(), value: Value::Table(checked) }
    }

    fn missing(&mut self, known: &'static Key, parent: &Node, key: &str) -> Option<Item> {
        let data = match known.need {
            Need::Optional => return None,
            Need::Unless(other) if parent.get(other).is_some() => return None,
            Need::Unless(other) => {
                let message = format!("is missing, and so is {other}: {}", lower_first(known.doc));
                return Some(self.bad(parent, key, message));
            }
            Need::Required => return Some(self.bad(parent, key, format!("is missing: {}", lower_first(known.doc)))),
            Need::Text(text) => Data::Text(text.to_owned()),
            Need::Number(number) => Data::Float(number),
            Need::Flag(flag) => Data::Flag(flag),
            Need::Empty => match known.kind {
                Kind::Table(_) | Kind::ByHead(_) => Data::Table(Vec::new()),
                Kind::Text
                | Kind::Name
                | Kind::Flag
                | Kind::When
                | Kind::Word(_)
                | Kind::Number(_)
                | Kind::List(_)
                | Kind::Pair(..)
                | Kind::Named(_)
                | Kind::Tables(_)
                | Kind::Tagged(_)
                | Kind::Choice(_) => Data::List(Vec::new()),
            },
        };
        Some(self.item(&known.kind, &Node { place: parent.place.clone(), data }, key))
    }

    /// Checks a value of any kind.
    pub(crate) fn item(&mut self, kind: &'static Kind, node: &Node, key: &str) -> Item {
        let value = match kind {
            Kind::Table(table) => return self.table(table, node, key, None),
            Kind::Tagged(tagged) => return self.tagged(tagged, node, key),
            Kind::Choice(kinds) => return self.choice(kinds, node, key),
            Kind::Number(number) => match number::read(number, node, key, &mut self.problems) {
                Some(amount) => Value::Number(amount),
                None => Value::Bad,
            },
            Kind::Text => match node.text() {
                Some("") => return self.bad(node, key, "is empty"),
                Some(text) => Value::Text(text.to_owned()),
                None => return self.bad(node, key, format!("is {}, must be a text in quotes", shown(node))),
            },
            Kind::Name => match node.text() {
                Some(text) if is_name(text) => Value::Text(text.to_owned()),
                Some(_) | None => {
                    return self.bad(
                        node,
                        key,
                        format!(
                            "is {}, must be a name of 1 to 64 letters from A to Z, digits, \"-\" and \"_\"",
                            shown(node)
                        ),
                    );
                }
            },
            Kind::Flag => match node.data {
                Data::Flag(flag) => Value::Flag(flag),
                Data::Text(_) | Data::Whole(_) | Data::Float(_) | Data::When(_) | Data::List(_) | Data::Table(_) => {
                    return self.bad(node, key, format!("is {}, must be true or false", shown(node)));
                }
            },
            Kind::When => match when(node) {
                Ok(when) => Value::When(when),
                Err(message) => return self.bad(node, key, message),
            },
            Kind::Word(words) => match node.text() {
                Some(text) if words.contains(&text) => Value::Text(text.to_owned()),
                Some(_) | None => return self.wrong_word(words, node, key),
            },
            Kind::List(kind) => match &node.data {
                Data::List(items) => {
                    let number = |(at, item)| self.item(kind, item, &join(key, &format!("{}", at + 1)));
                    Value::List(items.iter().enumerate().map(number).collect())
                }
                Data::Text(_) | Data::Whole(_) | Data::Float(_) | Data::Flag(_) | Data::When(_) | Data::Table(_) => {
                    return self.bad(node, key, format!("is {}, must be a list in brackets", shown(node)));
                }
            },
            Kind::Pair(first, second) => match node.items() {
                [a, b] => {
                    Value::List(vec![self.item(first, a, &join(key, "1")), self.item(second, b, &join(key, "2"))])
                }
                _ => return self.bad(node, key, format!("is {}, must be a list of two values", shown(node))),
            },
            Kind::Named(table) => return self.list_of(table, node, key, true),
            Kind::Tables(table) => return self.list_of(table, node, key, false),
            Kind::ByHead(kind) => return self.by_head(kind, node, key),
        };
        Item { key: key.to_owned(), place: node.place.clone(), value }
    }

    fn list_of(&mut self, table: &'static Table, node: &Node, key: &str, named: bool) -> Item {
        let Data::List(items) = &node.data else {
            return self.bad(node, key, format!("is {}, must be a list of tables: [[{key}]]", shown(node)));
        };
        let mut taken: Vec<&str> = Vec::new();
        let mut checked = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let name = item.get("name").and_then(Node::text).filter(|_| named);
            if let Some(name) = name {
                if taken.contains(&name) {
                    let place = item.get("name").map_or(&item.place, |name| &name.place);
                    let message = format!("is \"{name}\", which another {key} is called already");
                    self.problems.push(Problem::at(place, &join(key, "name"), message));
                }
                taken.push(name);
            }
            let full = join(key, &name.map_or_else(|| format!("{}", at + 1), str::to_owned));
            checked.push(self.table(table, item, &full, None));
        }
        Item { key: key.to_owned(), place: node.place.clone(), value: Value::List(checked) }
    }

    fn by_head(&mut self, kind: &'static Kind, node: &Node, key: &str) -> Item {
        let Data::Table(entries) = &node.data else {
            return self.bad(node, key, format!("is {}, must be a table by head: {{ head-1 = ... }}", shown(node)));
        };
        let (mut checked, mut known) = (Vec::with_capacity(entries.len()), true);
        for entry in entries {
            let full = join(key, &entry.name);
            if self.heads.contains(&entry.name) {
                self.inherits = matches!(kind, Kind::Tagged(tagged)
                    if self.law.is_some() && entry.node.get(tagged.tag).and_then(Node::text) == self.law.as_deref());
                checked.push((entry.name.clone(), self.item(kind, &entry.node, &full)));
                self.inherits = false;
            } else {
                // Where a head is not well named, it may be the one that is meant.
                if self.heads.iter().all(|head| is_name(head)) {
                    self.problems.push(unknown_name(&entry.name_place, &full, "head", &entry.name, &self.heads));
                }
                known = false;
            }
        }
        let value = if known { Value::Table(checked) } else { Value::Bad };
        Item { key: key.to_owned(), place: node.place.clone(), value }
    }

    fn tagged(&mut self, tagged: &'static Tagged, node: &Node, key: &str) -> Item {
        let tag_key = join(key, tagged.tag);
        let words: Vec<&str> = tagged.variants.iter().map(|variant| variant.0).collect();
        let Data::Table(_) = &node.data else {
            return self.bad(node, key, format!("is {}, must be a table with {} = ...", shown(node), tagged.tag));
        };
        let Some(tag) = node.get(tagged.tag) else {
            let message = format!("is missing, must be one of {}", words.join(", "));
            return self.bad(node, &tag_key, message);
        };
        let Some(variant) = tag.text().and_then(|word| tagged.variant(word)) else {
            return self.wrong_word(&words, tag, &tag_key);
        };
        let which = words.iter().position(|word| Some(*word) == tag.text()).unwrap_or_default();
        let inner = self.table(variant, node, key, Some(tagged.tag));
        Item { key: key.to_owned(), place: node.place.clone(), value: Value::Choice(which, Box::new(inner)) }
    }

    /// Takes the first kind that fits; when none does, reports what the nearest one lacks.
    fn choice(&mut self, kinds: &'static [Kind], node: &Node, key: &str) -> Item {
        let mut best: Option<(usize, Item, Vec<Problem>)> = None;
        for (which, kind) in kinds.iter().enumerate() {
            let mut attempt =
                Self { problems: Vec::new(), heads: self.heads.clone(), law: self.law.clone(), inherits: false };
            let item = attempt.item(kind, node, key);
            let problems = attempt.problems;
            let item =
                Item { key: key.to_owned(), place: node.place.clone(), value: Value::Choice(which, Box::new(item)) };
            if problems.is_empty() {
                return item;
            }
            let distance = distance(kind, node);
            if best.as_ref().is_none_or(|best| distance < best.0) {
                best = Some((distance, item, problems));
            }
        }
        let Some((distance, mut item, mut problems)) = best else {
            return self.bad(node, key, "has no kind");
        };
        if let (true, [problem]) = (distance >= NO_UNIT, problems.as_mut_slice()) {
            let allowed: Vec<String> = kinds.iter().map(allowed).collect();
            problem.message = format!("is {}, must be {}", shown(node), allowed.join(" or "));
        }
        self.problems.append(&mut problems);
        item.value = Value::Bad;
        item
    }

    fn wrong_word(&mut self, words: &[&str], node: &Node, key: &str) -> Item {
        let message = format!("is {}, must be one of {}", shown(node), words.join(", "));
        let mut problem = Problem::at(&node.place, key, message);
        problem.suggestion = node.text().and_then(|text| nearest(text, words.iter().copied()));
        self.problems.push(problem);
        Item { key: key.to_owned(), place: node.place.clone(), value: Value::Bad }
    }

    fn bad(&mut self, node: &Node, key: &str, message: impl Into<String>) -> Item {
        self.problems.push(Problem::at(&node.place, key, message));
        Item { key: key.to_owned(), place: node.place.clone(), value: Value::Bad }
    }
}

/// From this distance on a value resembles none of several kinds: a text whose unit is of none of them ...
const NO_UNIT: usize = 500;
/// ... or another type.
const FAR: usize = 1_000;

/// How far a value is from a kind: a table with more known keys is nearer, another type is far.
fn distance(kind: &Kind, node: &Node) -> usize {
    match (kind, &node.data) {
        (Kind::Table(table), Data::Table(entries)) => {
            let known = entries.iter().filter(|entry| table.keys().any(|key| key.name == entry.name)).count();
            if known == 0 && !entries.is_empty() { NO_UNIT - 2 } else { 100 - known.min(99) }
        }
        (Kind::Number(_), Data::Table(entries)) => {
            let known = entries.iter().filter(|entry| number::RANGE_KEYS.contains(&entry.name.as_str())).count();
            if known == 0 { FAR } else { 100 - known.min(99) }
        }
        (Kind::Number(number), Data::Text(text)) => {
            if quantity::parse(text, number.measure).is_ok() {
                NO_UNIT - 1
            } else {
                NO_UNIT
            }
        }
        (Kind::When, Data::When(_)) => 0,
        (
            Kind::Text
            | Kind::Name
            | Kind::Flag
            | Kind::When
            | Kind::Word(_)
            | Kind::Number(_)
            | Kind::List(_)
            | Kind::Pair(..)
            | Kind::Table(_)
            | Kind::Named(_)
            | Kind::Tables(_)
            | Kind::ByHead(_)
            | Kind::Tagged(_)
            | Kind::Choice(_),
            _,
        ) => FAR,
    }
}

/// What a kind allows, in a few words.
fn allowed(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Name => "a text".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::When => "a local date or date-time such as 2012-10-20".to_owned(),
        Kind::Word(words) => format!("one of \"{}\"", words.join("\", \"")),
        Kind::Number(number) => number.measure.example().to_owned(),
        Kind::List(_) | Kind::Pair(..) | Kind::Named(_) | Kind::Tables(_) => "a list".to_owned(),
        Kind::Table(table) => {
            let names: Vec<&str> = table.keys().map(|key| key.name).collect();
            format!("a table with {}", names.join(", "))
        }
        Kind::ByHead(_) | Kind::Tagged(_) | Kind::Choice(_) => "a table".to_owned(),
    }
}

/// A problem of a name that nothing has.
pub(crate) fn unknown_name(place: &Place, key: &str, what: &str, name: &str, known: &[String]) -> Problem {
    let message = if known.is_empty() {
        format!("no {what} is called \"{name}\": there is none")
    } else {
        format!("no {what} is called \"{name}\"; there are {}", known.join(", "))
    };
    let mut problem = Problem::at(place, key, message);
    problem.suggestion = nearest(name, known.iter().map(String::as_str));
    problem
}

/// The value as the file writes it, with what it is.
pub(crate) fn shown(node: &Node) -> String {
    match &node.data {
        Data::Text(text) => {
            let short: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
            format!("\"{short}{}\"", if short.len() < text.len() { "..." } else { "" })
        }
        Data::Whole(whole) => format!("{whole}"),
        Data::Float(_) => node.place.excerpt(),
        Data::Flag(flag) => format!("{flag}"),
        Data::When(when) => format!("{when}"),
        Data::List(_) | Data::Table(_) => node.what().to_owned(),
    }
}

/// A key below a key.
pub(crate) fn join(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn lower_first(text: &str) -> String {
    let is_acronym = text.chars().nth(1).is_some_and(char::is_uppercase);
    if is_acronym {
        return text.trim_end_matches('.').to_owned();
    }
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect::<String>().trim_end_matches('.').to_owned()
}

fn when(node: &Node) -> Result<When, String> {
    const ALLOWED: &str = "must be a local date or date-time such as 2012-10-20 or 2012-10-10T09:00:00, without quotes";
    let Data::When(when) = &node.data else { return Err(format!("is {}, {ALLOWED}", shown(node))) };
    if when.offset.is_some() {
        return Err(format!("is {when}, {ALLOWED} and without an offset: dates are in the scenario's time zone"));
    }
    let Some(date) = when.date else { return Err(format!("is {when}, a time without a date, {ALLOWED}")) };
    if !(1900..=2200).contains(&date.year) {
        return Err(format!("is {when}, must lie within the years 1900 to 2200"));
    }
    let civil = Date::new(date.year as i16, date.month as i8, date.day as i8)
        .map_err(|_| format!("is {when}, which is no date of the calendar"))?;
    let Some(time) = when.time else {
        return Ok(When { at: DateTime::from_parts(civil, Time::midnight()), whole_day: true });
    };
    let second = time.second.unwrap_or(0).min(59);
    let time = Time::new(time.hour as i8, time.minute as i8, second as i8, time.nanosecond.unwrap_or(0) as i32)
        .map_err(|_| format!("is {when}, which is no time of day"))?;
    Ok(When { at: DateTime::from_parts(civil, time), whole_day: false })
}
