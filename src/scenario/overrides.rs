//! `--set any.key=value`: a value that is laid over what the files say.

use std::sync::Arc;

use super::check::unknown_name;
use super::problems::{Place, Problem, SourceText};
use super::tree::{self, Data, Entry, Node};

/// Lays one `key=value` over the tree.
pub(crate) fn apply(file: &mut Node, setting: &str, problems: &mut Vec<Problem>) {
    let source = Arc::new(SourceText { name: "--set".to_owned(), text: setting.to_owned(), is_override: true });
    let whole = Place { source: Arc::clone(&source), span: 0..setting.len() };
    let Some(equals) = setting.find('=') else {
        problems.push(Problem::at(&whole, "", "must be key=value: plan.throttle.max=24"));
        return;
    };
    let key = setting[..equals].trim();
    let Some(path) = split_path(key) else {
        problems.push(Problem::at(&whole, key, "must be a key with dots, such as head.head-1.capacity"));
        return;
    };
    let start = equals + 1;
    let value = tree::parse_value(&source, start).unwrap_or_else(|| {
        // What is no TOML value is meant as a text: --set plan.move.stream="6 MB/s" after a shell took the quotes.
        let text = setting[start..].trim().to_owned();
        Node { place: Place { source: Arc::clone(&source), span: start..setting.len() }, data: Data::Text(text) }
    });
    let value = match too_wide(&value) {
        Some(message) => {
            problems.push(Problem::at(&whole, key, message));
            return;
        }
        None => value,
    };
    let key_place = Place { source, span: 0..equals };
    if let Err(problem) = set(file, &path, &mut Vec::new(), &key_place, value) {
        problems.push(*problem);
    }
}

fn too_wide(value: &Node) -> Option<&'static str> {
    (value.place.span.len() > 100_000).then_some("is too long for a setting")
}

/// Splits a dotted key; parts in quotes may hold dots. None where it is no key.
#[must_use]
pub fn split_path(key: &str) -> Option<Vec<String>> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in key.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    let parts: Vec<String> = parts.into_iter().map(|part| part.trim().to_owned()).collect();
    (!quoted && parts.len() <= 16 && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

fn set(
    node: &mut Node,
    path: &[String],
    above: &mut Vec<String>,
    place: &Place,
    value: Node,
) -> Result<(), Box<Problem>> {
    let Some((name, rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    let so_far = above.join(".");
    above.push(name.clone());
    let what = node.what();
    match &mut node.data {
        Data::Table(entries) => {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.name == *name) {
                return set(&mut entry.node, rest, above, place, value);
            }
            let mut made = Node { place: place.clone(), data: Data::Table(Vec::new()) };
            set(&mut made, rest, above, place, value)?;
            entries.push(Entry { name: name.clone(), name_place: place.clone(), node: made });
            Ok(())
        }
        Data::List(items) => {
            let names: Vec<String> =
                items.iter().filter_map(|item| item.get("name").and_then(Node::text)).map(str::to_owned).collect();
            let by_name = names.iter().position(|known| known == name).filter(|_| names.len() == items.len());
            let by_number = name.parse::<usize>().ok().filter(|number| (1..=items.len()).contains(number));
            match by_name.or_else(|| by_number.map(|number| number - 1)) {
                Some(at) => set(&mut items[at], rest, above, place, value),
                None => Err(Box::new(unknown_name(place, &above.join("."), &so_far, name, &names))),
            }
        }
        Data::Text(_) | Data::Whole(_) | Data::Float(_) | Data::Flag(_) | Data::When(_) => {
            Err(Box::new(Problem::at(place, &above.join("."), format!("{so_far} is {what}, it has no keys"))))
        }
    }
}
