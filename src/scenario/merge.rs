//! Inheritance: what a file says over what the file it extends says.

use super::keys::{Kind, Table};
use super::tree::{Data, Entry, Node};

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
            let same = kinds.iter().find_map(|kind| match kind {
                Kind::Table(table) if fits(&base, table) && fits(&over, table) => Some(*table),
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
                | Kind::Choice(_) => None,
            });
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
