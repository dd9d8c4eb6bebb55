//! What a value was and is, in few words.

use super::{Data, Node, shown};

/// A value that is no longer is shown whole.
const SHORT: usize = 60;
/// No text is longer: what follows is cut off, with dots.
const LONGEST: usize = 160;

/// A value for people: a range by its three numbers, anything else that is large by what it is.
pub(super) fn said(node: &Node) -> String {
    range(node).or_else(|| short(node)).unwrap_or_else(|| shown(node))
}

/// Two values of one key: of lists and tables that are large, what differs.
pub(super) fn said_both(old: &Node, new: &Node) -> (String, String) {
    if let (Some(old), Some(new)) = (range(old).or_else(|| short(old)), range(new).or_else(|| short(new))) {
        return (old, new);
    }
    let (before, after) = match (&old.data, &new.data) {
        (Data::List(was), Data::List(is)) if was.len() == is.len() => {
            let differ = |at: &usize| !is_same(&was[*at], &is[*at]);
            let places: Vec<usize> = (0..was.len()).filter(differ).collect();
            let told = |list: &[Node]| list_of(places.iter().map(|at| format!("no. {} {}", at + 1, line(&list[*at]))));
            (told(was), told(is))
        }
        (Data::List(was), Data::List(is)) => (beside(was, is), beside(is, was)),
        (Data::Table(was), Data::Table(is)) => {
            let (mut before, mut after) = (Vec::new(), Vec::new());
            for entry in was {
                match new.get(&entry.name) {
                    Some(other) if is_same(&entry.node, other) => {}
                    Some(other) => {
                        let (was, is) = said_both(&entry.node, other);
                        before.push(format!("{} = {was}", entry.name));
                        after.push(format!("{} = {is}", entry.name));
                    }
                    None => before.push(format!("{} = {}", entry.name, said(&entry.node))),
                }
            }
            let more = is.iter().filter(|entry| old.get(&entry.name).is_none());
            after.extend(more.map(|entry| format!("{} = {}", entry.name, said(&entry.node))));
            (side(before), side(after))
        }
        _ => (said(old), said(new)),
    };
    (cut(&before), cut(&after))
}

/// How many there are, and those of them that the other list does not have.
fn beside(list: &[Node], other: &[Node]) -> String {
    let own = list.iter().filter(|item| !other.iter().any(|known| is_same(item, known)));
    let own = list_of(own.map(line));
    let count = format!("a list of {}", list.len());
    if own.is_empty() { count } else { format!("{count}, with {own}") }
}

fn side(parts: Vec<String>) -> String {
    if parts.is_empty() { "not said".to_owned() } else { list_of(parts.into_iter()) }
}

fn list_of(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn is_same(one: &Node, other: &Node) -> bool {
    one.canonical() == other.canonical()
}

fn range(node: &Node) -> Option<String> {
    match ["low", "mid", "high"].map(|end| node.get(end).map(shown)) {
        [Some(low), Some(middle), Some(high)] => Some(format!("{low} to {high}, middle {middle}")),
        [Some(low), None, Some(high)] => Some(format!("{low} to {high}")),
        _ => None,
    }
}

fn short(node: &Node) -> Option<String> {
    let line = line(node);
    (line.chars().count() <= SHORT).then_some(line)
}

fn line(node: &Node) -> String {
    node.canonical().to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
