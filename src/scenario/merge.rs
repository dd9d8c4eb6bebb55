//! Inheritance: what a file says over what the file it extends says.

use super::keys::{Kind, Table};
use super::tree::{Data, Entry, Node};

/// Lays a whole file over the one that it extends. Notes are added up, but an inherited note no longer speaks for a key
/// that the file itself sets or has a note about.
pub(crate) fn merge_files(table: &'static Table, mut base: Node, mut over: Node) -> Node {
    let noted: Vec<String> = NOTES.iter().flat_map(|name| note_keys(&over, name)).collect();
    for name in NOTES {
        let Some(Node { data: Data::List(items), .. }) = base.get_mut(name) else { continue };
        let mut kept = std::mem::take(items);
        for item in &mut kept {
            if let Some(Node { data: Data::List(keys), .. }) = item.get_mut("keys") {
                keys.retain(|key| key.text().is_none_or(|key| !noted.iter().any(|n| n == key) && !sets(&over, key)));
            }
        }
        kept.retain(|item| item.get("keys").is_none_or(|keys| !keys.items().is_empty()));
        match over.get_mut(name) {
            Some(Node { data: Data::List(own), .. }) => own.append(&mut kept),
            Some(_) => {}
            None => *items = kept,
        }
    }
    merge(table, base, over)
}

/// The lists of notes in a file.
const NOTES: [&str; 2] = ["fact", "assumption"];

fn note_keys(file: &Node, name: &str) -> Vec<String> {
    let notes = file.get(name).map(Node::items).unwrap_or_default();
    let keys = notes.iter().filter_map(|note| note.get("keys")).flat_map(Node::items);
    keys.filter_map(Node::text).map(str::to_owned).collect()
}

/// Whether a file sets a key itself, to something other than a part of a table or list.
fn sets(file: &Node, key: &str) -> bool {
    let mut node = file;
    for name in key.split('.') {
        let next = match &node.data {
            Data::List(items) => items.iter().find(|item| item.get("name").and_then(Node::text) == Some(name)),
            _ => node.get(name),
        };
        let Some(next) = next else { return false };
        node = next;
    }
    !matches!(node.data, Data::Table(_) | Data::List(_))
}

/// Lays a table of the format over another: tables merge key by key, lists of named tables by name, and everything
/// else (numbers, ranges, laws of another kind) is replaced as a whole.
pub(crate) fn merge(table: &'static Table, base: Node, over: Node) -> Node {
    merge_entries(&|name| table.keys().find(|key| key.name == name).map(|key| &key.kind), base, over)
}

fn merge_entries(kind_of: &dyn Fn(&str) -> Option<&'static Kind>, base: Node, over: Node) -> Node {
    match (base.data, over.data) {
        (Data::Table(mut entries), Data::Table(over_entries)) => {
            for entry in over_entries {
                match entries.iter().position(|known| known.name == entry.name) {
                    None => entries.push(entry),
                    Some(at) => {
                        let known = entries.remove(at);
                        let node = match kind_of(&entry.name) {
                            Some(kind) => merge_kind(kind, known.node, entry.node),
                            None => entry.node,
                        };
                        entries.insert(at, Entry { node, ..entry });
                    }
                }
            }
            Node { place: over.place, data: Data::Table(entries) }
        }
        (_, data) => Node { place: over.place, data },
    }
}

fn merge_kind(kind: &'static Kind, base: Node, over: Node) -> Node {
    match kind {
        Kind::Table(table) => merge(table, base, over),
        Kind::ByHead(inner) => merge_entries(&|_| Some(inner), base, over),
        Kind::Named(table) => merge_named(table, base, over),
        Kind::Tagged(tagged) => {
            let (old, new) = (base.get(tagged.tag).and_then(Node::text), over.get(tagged.tag).and_then(Node::text));
            let word = new.or(old).unwrap_or_default();
            match tagged.variant(word) {
                Some(variant) if new.is_none() || new == old => merge(variant, base, over),
                Some(_) | None => over,
            }
        }
        Kind::Choice(kinds) => {
            // The same table on both sides merges; anything else is another choice.
            let fits = |node: &Node, table: &Table| {
                !node.entries().is_empty()
                    && node.entries().iter().all(|entry| table.keys().any(|key| key.name == entry.name))
            };
            let same = kinds.iter().filter_map(Kind::table).find(|table| fits(&base, table) && fits(&over, table));
            match same {
                Some(table) => merge(table, base, over),
                None => over,
            }
        }
        Kind::Text
        | Kind::Name
        | Kind::Flag
        | Kind::When
        | Kind::Word(_)
        | Kind::Number(_)
        | Kind::List(_)
        | Kind::Pair(..)
        | Kind::Tables(_) => over,
    }
}

fn merge_named(table: &'static Table, base: Node, over: Node) -> Node {
    match (base.data, over.data) {
        (Data::List(mut items), Data::List(over_items)) => {
            for item in over_items {
                let name = item.get("name").and_then(Node::text).map(str::to_owned);
                let same = |known: &Node| name.is_some() && known.get("name").and_then(Node::text) == name.as_deref();
                match items.iter().position(same) {
                    Some(at) => {
                        let known = items.remove(at);
                        items.insert(at, merge(table, known, item));
                    }
                    None => items.push(item),
                }
            }
            Node { place: over.place, data: Data::List(items) }
        }
        (_, data) => Node { place: over.place, data },
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::source::{ReadSettings, Source};

    #[test]
    fn an_inherited_note_speaks_only_for_what_the_extending_file_leaves_alone() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/opensrs-cluster-b-backcast.toml");
        let source =
            Source::read(file.as_ref(), &ReadSettings::default()).unwrap_or_else(|problems| panic!("{problems}"));
        let about = |key: &str| source.notes().iter().filter(|note| note.keys.iter().any(|of| of == key)).count();
        assert_eq!(about("as_of"), 1, "the file's own assumption, not the inherited fact");
        assert_eq!(about("population.split"), 1);
        assert_eq!(about("population.activity"), 1, "inherited");
    }
}
