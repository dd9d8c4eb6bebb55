//! What a scenario says about its own numbers: which are facts, which are assumed, and who says so.

use std::collections::BTreeSet;

use super::check::nearest;
use super::item::Item;
use super::reader::Reader;

/// Whether something is known or assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// Known, with a source.
    Fact,
    /// Assumed, with a reason.
    Assumption,
}

/// What a scenario says about some of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Known or assumed.
    pub kind: NoteKind,
    /// The full keys that it is about.
    pub keys: Vec<String>,
    /// What is known or assumed.
    pub text: String,
    /// Who says so, or why it is plausible.
    pub source: String,
    /// Whether the value was chosen so that the dates fit.
    pub chosen_to_fit: bool,
}

/// Reads all notes; a key that the file has not is reported.
pub(crate) fn read(file: &Item, reader: &mut Reader<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    let known: BTreeSet<&str> = keys_of(file).into_iter().collect();
    for (name, kind) in [("fact", NoteKind::Fact), ("assumption", NoteKind::Assumption)] {
        for item in file.get(name).map(Item::list).unwrap_or_default() {
            reader.section();
            let keys = item.get("keys").map(Item::list).unwrap_or_default();
            for key in keys {
                check_key(file, &known, key, reader);
            }
            notes.push(Note {
                kind,
                keys: keys.iter().filter_map(Item::text).map(str::to_owned).collect(),
                text: reader.text(item, "text").to_owned(),
                source: reader.text(item, "source").to_owned(),
                chosen_to_fit: item.get("chosen_to_fit").is_some_and(Item::flag),
            });
        }
    }
    notes
}

fn check_key(file: &Item, known: &BTreeSet<&str>, item: &Item, reader: &mut Reader<'_>) {
    let Some(key) = item.text().filter(|key| !known.contains(key)) else { return };
    // What stands below a wrong value is not known; that the value is wrong has been reported.
    let below_wrong = |bad: &str| key.strip_prefix(bad).is_some_and(|rest| rest.starts_with('.'));
    if !wrong_keys(file).into_iter().any(below_wrong) {
        let near = nearest(key, keys_of(file));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        reader.problem(item, format!("is \"{key}\", a key that the file does not have{near}"));
    }
}

/// The keys whose values are wrong.
fn wrong_keys(file: &Item) -> Vec<&str> {
    let mut keys = Vec::new();
    let mut left = vec![file];
    while let Some(item) = left.pop() {
        if item.is_bad() {
            keys.push(item.key.as_str());
        }
        left.extend(item.table().iter().map(|entry| &entry.1));
        left.extend(item.list());
    }
    keys
}

/// The keys of a checked file, tables and defaults included.
fn keys_of(file: &Item) -> Vec<&str> {
    let mut keys = Vec::new();
    let mut left = vec![file];
    while let Some(item) = left.pop() {
        keys.push(item.key.as_str());
        left.extend(item.table().iter().map(|entry| &entry.1));
        left.extend(item.list());
    }
    keys
}
