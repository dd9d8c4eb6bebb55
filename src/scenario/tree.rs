//! The file as a tree of values, each with its place in the text. It knows nothing of what the keys mean.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::problems::{Place, Problem, SourceText};
use super::syntax;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Text(String),
    Whole(i64),
    /// Also whole numbers beyond 64 bits, as infinity: their text is in the place.
    Float(f64),
    Flag(bool),
    When(Datetime),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) name_place: Place,
    pub(crate) node: Node,
}

impl Node {
    /// The value of a key, when this is a table that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.name == name).map(|entry| &entry.node)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Data::Table(entries) = &mut self.data else { return None };
        entries.iter_mut().find(|entry| entry.name == name).map(|entry| &mut entry.node)
    }

    /// The entries of a table; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Table(entries) => entries,
            Data::Text(_) | Data::Whole(_) | Data::Float(_) | Data::Flag(_) | Data::When(_) | Data::List(_) => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            Data::Text(_) | Data::Whole(_) | Data::Float(_) | Data::Flag(_) | Data::When(_) | Data::Table(_) => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            Data::Whole(_) | Data::Float(_) | Data::Flag(_) | Data::When(_) | Data::List(_) | Data::Table(_) => None,
        }
    }

    /// What it is, for messages.
    pub(crate) const fn what(&self) -> &'static str {
        match &self.data {
            Data::Text(_) => "a text",
            Data::Whole(_) | Data::Float(_) => "a bare number",
            Data::Flag(_) => "true or false",
            Data::When(_) => "a date",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }

    /// The tree as plain TOML with sorted keys: the same meaning gives the same text.
    pub(crate) fn canonical(&self) -> toml::Value {
        match &self.data {
            Data::Text(text) => toml::Value::String(text.clone()),
            Data::Whole(whole) => toml::Value::Integer(*whole),
            Data::Float(float) => toml::Value::Float(*float),
            Data::Flag(flag) => toml::Value::Boolean(*flag),
            Data::When(when) => toml::Value::Datetime(*when),
            Data::List(items) => toml::Value::Array(items.iter().map(Self::canonical).collect()),
            Data::Table(entries) => {
                let mut sorted: Vec<&Entry> = entries.iter().collect();
                sorted.sort_by(|a, b| a.name.cmp(&b.name));
                let pairs = sorted.into_iter().map(|entry| (entry.name.clone(), entry.node.canonical()));
                toml::Value::Table(pairs.collect())
            }
        }
    }
}

/// Reads a whole text; syntax errors go to `problems`.
pub(crate) fn parse(source: &Arc<SourceText>, problems: &mut Vec<Problem>) -> Node {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    problems.extend(syntax::problems(source, errors));
    let span = table.span();
    convert_table(source, 0, table.into_inner(), span)
}

/// Reads one value that stands `offset` bytes into the source text; `None` when it is no TOML value.
pub(crate) fn parse_value(source: &Arc<SourceText>, offset: usize) -> Option<Node> {
    let value = DeValue::parse(source.text.get(offset..)?).ok()?;
    let span = value.span();
    Some(convert(source, offset, value.into_inner(), span))
}

fn convert(source: &Arc<SourceText>, offset: usize, value: DeValue<'_>, span: Range<usize>) -> Node {
    let data = match value {
        DeValue::String(text) => Data::Text(text.into_owned()),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            parsed.map_or(Data::Float(f64::INFINITY), Data::Whole)
        }
        DeValue::Float(float) => Data::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Data::Flag(flag),
        DeValue::Datetime(when) => Data::When(when),
        DeValue::Array(items) => Data::List(
            items
                .into_iter()
                .map(|item| {
                    let span = item.span();
                    convert(source, offset, item.into_inner(), span)
                })
                .collect(),
        ),
        DeValue::Table(table) => return convert_table(source, offset, table, span),
    };
    Node { place: place(source, offset, span), data }
}

fn convert_table(source: &Arc<SourceText>, offset: usize, table: DeTable<'_>, span: Range<usize>) -> Node {
    let entries = table
        .into_iter()
        .map(|(name, value)| {
            let (name_span, value_span) = (name.span(), value.span());
            Entry {
                name: name.into_inner().into_owned(),
                name_place: place(source, offset, name_span),
                node: convert(source, offset, value.into_inner(), value_span),
            }
        })
        .collect();
    Node { place: place(source, offset, span), data: Data::Table(entries) }
}

fn place(source: &Arc<SourceText>, offset: usize, span: Range<usize>) -> Place {
    Place { source: Arc::clone(source), span: span.start + offset..span.end + offset }
}
