//! What two resolved scenarios differ in, key by key, and a scenario with some of that put back.
//!
//! Both are texts as [`Source::resolved`](super::Source::resolved) gives them. Tables are compared key by key, named tables by
//! their names; a number with its range, a law of another kind, or a list is one value.

mod words;

use super::check::{join, shown};
use super::files;
use super::format::FILE;
use super::keys::{Kind, Table};
use super::problems::Problems;
use super::tree::{Data, Entry, Node};

/// What no date of a forecast depends on: what a scenario is called, what is said about it, what is expected of it, and how many
/// replications are made with which seed.
const ABOUT_NO_DATE: [&str; 8] = ["name", "description", "fact", "assumption", "expect", "forecast", "price", "users"];

/// Keys of a resolved scenario that tell a file beside it by its content.
const CONTENTS: [(&str, &str, &str); 2] =
    [("population", "inventory", "inventory_sha256"), ("load", "csv", "csv_sha256")];

/// One key that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The full key; of a named table, with its name.
    pub key: String,
    /// What it was; `None` where it was not there.
    pub before: Option<String>,
    /// What it is; `None` where it is not there any more.
    pub after: Option<String>,
    path: Vec<String>,
    old: Old,
}

#[derive(Clone, Debug)]
enum Old {
    /// A value; none where there was none.
    Value(Option<Node>),
    /// A named table that is gone, and the names of those before it.
    Item(Vec<String>, Node),
    /// The names of a list in their old order, those that are gone too.
    Order(Vec<String>),
}

/// Two resolved scenarios, taken apart.
#[derive(Clone, Debug)]
pub struct Differences {
    /// In the order of the format.
    pub keys: Vec<Difference>,
    /// Keys that name a file beside the scenario whose content is another one.
    pub contents: Vec<String>,
    /// Milestones that either scenario asks for.
    milestones: Vec<String>,
    old: Node,
    new: Node,
}

impl Differences {
    /// Compares two resolved scenarios.
    ///
    /// # Errors
    /// When one of them is no TOML.
    pub fn between(old: &str, new: &str) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let old = files::load_text("the earlier scenario", old, &mut problems);
        let new = files::load_text("the scenario", new, &mut problems);
        let (Some(mut old), Some(mut new)) = (old, new) else { return Err(Problems::new(problems)) };
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        let mut contents = Vec::new();
        for (table, key, sha256) in CONTENTS {
            let was = old.get_mut(table).and_then(|table| files::take(table, sha256));
            let is = new.get_mut(table).and_then(|table| files::take(table, sha256));
            if let (Some(was), Some(is)) = (was, is)
                && was.text() != is.text()
            {
                contents.push(format!("{table}.{key}"));
            }
        }
        let mut walk = Walk { path: Vec::new(), found: Vec::new() };
        let kind_of = |name: &str| kind_in(&FILE, name);
        walk.entries(&kind_of, &old, &new);
        let mut keys = walk.found;
        keys.retain(|one| !ABOUT_NO_DATE.contains(&one.path[0].as_str()));
        let rank = |one: &Difference| FILE.keys().position(|key| key.name == one.path[0]);
        keys.sort_by_key(rank);
        let mut milestones: Vec<String> = [&old, &new].into_iter().flat_map(asked_for).collect();
        milestones.sort();
        milestones.dedup();
        for node in [&mut old, &mut new] {
            // What is said about keys, or expected of stores, would be wrong in a scenario that does not have them.
            for name in ["fact", "assumption", "expect", "price"] {
                files::take(node, name);
            }
        }
        Ok(Self { keys, contents, milestones, old, new })
    }

    /// The earlier scenario as a text that can be read.
    #[must_use]
    pub fn earlier(&self) -> String {
        self.text(self.old.clone())
    }

    /// The present scenario with some of its keys put back to what they were.
    #[must_use]
    pub fn with_put_back(&self, keys: &[&Difference]) -> String {
        let mut node = self.new.clone();
        for one in keys {
            put_back(&mut node, &one.path, &one.old);
        }
        self.text(node)
    }

    /// A scenario with all milestones that either asks for, as far as it has their heads.
    fn text(&self, mut node: Node) -> String {
        let heads: Vec<String> = node.get("head").map(Node::items).unwrap_or_default().iter().map(name_of).collect();
        let is_known = |milestone: &&String| match milestone.split_whitespace().collect::<Vec<_>>()[..] {
            [head, _, "%", "moved"] => heads.iter().any(|known| known == head),
            _ => true,
        };
        let place = node.place.clone();
        let value = |data| Node { place: place.clone(), data };
        let names = self.milestones.iter().filter(is_known).map(|name| value(Data::Text(name.clone()))).collect();
        let list = value(Data::List(names));
        let entry = |name: &str, node| Entry { name: name.to_owned(), name_place: place.clone(), node };
        if let Some(forecast) = node.get_mut("forecast") {
            files::take(forecast, "milestones");
            if let Data::Table(entries) = &mut forecast.data {
                entries.push(entry("milestones", list));
            }
        } else if let Data::Table(entries) = &mut node.data {
            entries.push(entry("forecast", value(Data::Table(vec![entry("milestones", list)]))));
        }
        toml::to_string(&node.canonical()).unwrap_or_default()
    }
}

/// The milestones that a scenario names, besides those that every one has: shares that have moved.
fn asked_for(file: &Node) -> Vec<String> {
    let listed = file.get("forecast").and_then(|forecast| forecast.get("milestones")).map(Node::items);
    let expected = file.get("expect").map(Node::items).unwrap_or_default();
    let expected = expected.iter().filter_map(|one| one.get("milestone"));
    let names = listed.unwrap_or_default().iter().chain(expected).filter_map(Node::text);
    names.filter(|name| name.trim_end().ends_with("moved")).map(str::to_owned).collect()
}

fn kind_in(table: &'static Table, name: &str) -> Option<&'static Kind> {
    table.keys().find(|key| key.name == name).map(|key| &key.kind)
}

struct Walk {
    path: Vec<String>,
    found: Vec<Difference>,
}

impl Walk {
    /// Two tables, key by key.
    fn entries(&mut self, kind_of: &dyn Fn(&str) -> Option<&'static Kind>, old: &Node, new: &Node) {
        let gone = old.entries().iter().filter(|entry| new.get(&entry.name).is_none());
        let names: Vec<String> = new.entries().iter().chain(gone).map(|entry| entry.name.clone()).collect();
        for name in names {
            self.path.push(name.clone());
            match (old.get(&name), new.get(&name)) {
                (Some(old), Some(new)) => self.values(kind_of(&name), old, new),
                (old, new) => self.value(old, new),
            }
            self.path.pop();
        }
    }

    /// Two values of one key.
    fn values(&mut self, kind: Option<&'static Kind>, old: &Node, new: &Node) {
        match kind {
            Some(Kind::Table(table)) => self.entries(&|name| kind_in(table, name), old, new),
            Some(Kind::ByHead(inner)) => self.entries(&|_| Some(inner), old, new),
            Some(Kind::Named(table)) => self.named(table, old, new),
            Some(Kind::Tagged(tagged)) => {
                let word = |node: &Node| node.get(tagged.tag).and_then(Node::text).map(str::to_owned);
                match tagged.variant(&word(new).unwrap_or_default()) {
                    Some(variant) if word(old) == word(new) => self.entries(&|name| kind_in(variant, name), old, new),
                    Some(_) | None => self.value(Some(old), Some(new)),
                }
            }
            _ => self.value(Some(old), Some(new)),
        }
    }

    fn value(&mut self, old: Option<&Node>, new: Option<&Node>) {
        if old.map(Node::canonical) != new.map(Node::canonical) {
            self.add(old, new, Old::Value(old.cloned()));
        }
    }

    fn named(&mut self, table: &'static Table, old: &Node, new: &Node) {
        let find = |list: &Node, name: &str| list.items().iter().position(|item| name_of(item) == name);
        for item in new.items() {
            self.path.push(name_of(item));
            match find(old, &name_of(item)) {
                Some(at) => self.entries(&|name| kind_in(table, name), &old.items()[at], item),
                None => self.add(None, Some(item), Old::Value(None)),
            }
            self.path.pop();
        }
        for (at, item) in old.items().iter().enumerate() {
            if find(new, &name_of(item)).is_none() {
                self.path.push(name_of(item));
                let before = old.items()[..at].iter().map(name_of).collect();
                self.add(Some(item), None, Old::Item(before, item.clone()));
                self.path.pop();
            }
        }
        let common = |list: &Node, other: &Node| -> Vec<String> {
            list.items().iter().map(name_of).filter(|name| find(other, name).is_some()).collect()
        };
        let (was, is) = (common(old, new), common(new, old));
        if was != is {
            let (key, before, after) = (self.path.join("."), Some(was.join(", ")), Some(is.join(", ")));
            let order = old.items().iter().map(name_of).collect();
            self.found.push(Difference { key, before, after, path: self.path.clone(), old: Old::Order(order) });
        }
    }

    fn add(&mut self, before: Option<&Node>, after: Option<&Node>, old: Old) {
        let key = self.path.iter().fold(String::new(), |key, name| join(&key, name));
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => {
                let (before, after) = words::said_both(before, after);
                (Some(before), Some(after))
            }
            (before, after) => (before.map(words::said), after.map(words::said)),
        };
        self.found.push(Difference { key, before, after, path: self.path.clone(), old });
    }
}

fn name_of(item: &Node) -> String {
    item.get("name").and_then(Node::text).unwrap_or_default().to_owned()
}

fn put_back(node: &mut Node, path: &[String], old: &Old) {
    let Some((name, rest)) = path.split_first() else {
        if let (Old::Order(names), Data::List(items)) = (old, &mut node.data) {
            items.sort_by_key(|item| names.iter().position(|known| *known == name_of(item)).unwrap_or(names.len()));
        }
        return;
    };
    let place = node.place.clone();
    match &mut node.data {
        Data::Table(entries) => {
            let at = entries.iter().position(|entry| entry.name == *name);
            match (at, old) {
                (Some(at), Old::Value(None)) if rest.is_empty() => {
                    entries.remove(at);
                }
                (Some(at), Old::Value(Some(value))) if rest.is_empty() => entries[at].node = value.clone(),
                (None, Old::Value(Some(value))) if rest.is_empty() => {
                    entries.push(Entry { name: name.clone(), name_place: place, node: value.clone() });
                }
                (Some(at), _) => put_back(&mut entries[at].node, rest, old),
                (None, _) => {}
            }
        }
        Data::List(items) => {
            let at = items.iter().position(|item| name_of(item) == *name);
            match (at, old) {
                (Some(at), Old::Value(None)) if rest.is_empty() => {
                    items.remove(at);
                }
                (None, Old::Item(before, item)) => {
                    let last = items.iter().rposition(|known| before.contains(&name_of(known)));
                    items.insert(last.map_or(0, |last| last + 1), item.clone());
                }
                (Some(at), _) => put_back(&mut items[at], rest, old),
                (None, _) => {}
            }
        }
        Data::Text(_) | Data::Whole(_) | Data::Float(_) | Data::Flag(_) | Data::When(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{ReadSettings, Source};

    fn resolved(overrides: &[&str]) -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/opensrs-cluster-b.toml");
        let overrides = overrides.iter().map(|one| (*one).to_owned()).collect();
        let settings = ReadSettings { overrides, ..ReadSettings::default() };
        Source::read(std::path::Path::new(path), &settings).unwrap_or_else(|all| panic!("{all}")).resolved().to_owned()
    }

    fn keys(differences: &Differences) -> Vec<&str> {
        differences.keys.iter().map(|one| one.key.as_str()).collect()
    }

    #[test]
    fn each_changed_key_is_found_and_can_be_put_back_alone() {
        let old = resolved(&[]);
        let new = resolved(&[
            "plan.throttle.max=24",
            "population.size.median=40 MB",
            "faults.transient=2 %",
            "cluster.nas-2.in_service=2012-10-20",
            "population.growth=0.1 % / day",
            "forecast.seed=9",
            "users.objective=12 ms",
        ]);
        let all = Differences::between(&old, &new).unwrap();
        let expected = [
            "cluster.nas-2.in_service",
            "population.size.median",
            "faults.transient",
            "population.growth",
            "plan.throttle.max",
        ];
        let mut found = keys(&all);
        found.sort_unstable();
        let mut wanted = expected.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        let median = all.keys.iter().find(|one| one.key == "population.size.median").unwrap();
        assert_eq!(median.before.as_deref(), Some("\"33 MB\" to \"37 MB\", middle \"35 MB\""));
        assert_eq!(median.after.as_deref(), Some("\"40 MB\""));
        // One alone: what is left differs in the others.
        let one = all.with_put_back(&[median]);
        let rest = Differences::between(&old, &one).unwrap();
        assert_eq!(rest.keys.len(), 4);
        assert!(!keys(&rest).contains(&"population.size.median"));
        // All: nothing is left, and it can be read.
        let back = all.with_put_back(&all.keys.iter().collect::<Vec<_>>());
        assert!(Differences::between(&old, &back).unwrap().keys.is_empty());
        assert!(Source::from_text("back.toml", &back, &ReadSettings::default()).is_ok());
        assert!(Differences::between(&old, &old).unwrap().keys.is_empty());
    }

    #[test]
    fn named_tables_come_go_and_change_places() {
        let old = resolved(&[]);
        let cluster = |name: &str| {
            format!(
                "{{ name = '{name}', rated = '48 TB', full_at = '40 %', ingest = '400 MB/s', capacity = '60000 op/s', \
                 latency = {{ preset = 'specsfs2008-fas3160' }} }}"
            )
        };
        let list = ["nas-3", "nas-1", "nas-9"].map(cluster).join(", ");
        let new = resolved(&[&format!("cluster=[{list}]"), "fact=[]", "assumption=[]"]);
        let all = Differences::between(&old, &new).unwrap();
        for key in ["cluster", "cluster.nas-9", "cluster.nas-2", "cluster.nas-3.in_service"] {
            assert!(keys(&all).contains(&key), "{:?}", keys(&all));
        }
        let gone = all.keys.iter().find(|one| one.key == "cluster.nas-2").unwrap();
        assert!(gone.before.is_some() && gone.after.is_none());
        let back = all.with_put_back(&all.keys.iter().collect::<Vec<_>>());
        assert!(Differences::between(&old, &back).unwrap().keys.is_empty(), "{back}");
        for text in [all.earlier(), all.with_put_back(&[])] {
            let read = Source::from_text("one.toml", &text, &ReadSettings::default());
            assert!(read.is_ok(), "{}", read.unwrap_err());
        }
    }

    #[test]
    fn milestones_that_are_only_expected_are_simulated_on_both_sides() {
        let old = resolved(&[]);
        let new = resolved(&["plan.throttle.max=24", "forecast.milestones=['head-1 70 % moved', '30 % moved']"]);
        let all = Differences::between(&old, &new).unwrap();
        for text in [all.earlier(), all.with_put_back(&[&all.keys[0]])] {
            let source =
                Source::from_text("one.toml", &text, &ReadSettings::default()).unwrap_or_else(|all| panic!("{all}"));
            let names: Vec<String> =
                source.middle().milestones.iter().map(|one| source.middle().milestone_name(one)).collect();
            assert!(names.contains(&"head-1 70 % moved".into()) && names.contains(&"30 % moved".into()), "{names:?}");
        }
    }

    #[test]
    fn of_a_list_it_is_said_what_has_changed_in_it() {
        let pair = |number: &str| {
            format!("{{ inputs = ['population.activity.mean', 'cost.head_per_message'], correlation = {number} }}")
        };
        let change = |old: &str, new: &str| {
            let (old, new) =
                (resolved(&[&format!("correlation=[{old}]")]), resolved(&[&format!("correlation=[{new}]")]));
            let all = Differences::between(&old, &new).unwrap();
            assert_eq!(keys(&all), ["correlation"]);
            (all.keys[0].before.clone().unwrap_or_default(), all.keys[0].after.clone().unwrap_or_default())
        };
        let said = |number: &str| {
            format!(
                r#"no. 1 {{ correlation = {number}, inputs = ["population.activity.mean", "cost.head_per_message"] }}"#
            )
        };
        assert_eq!(change(&pair("0.5"), &pair("0.7")), (said("0.5"), said("0.7")));
        // Of a list in a long table, the same: what differs, or what is new.
        let curve = |more: &str, last: &str| {
            let points = format!("['10 %', '0.9 ms'], ['30 %', '1.2 ms'], ['50 %', '2 ms'], {more}['80 %', '{last}']");
            resolved(&[&format!("head.head-1.latency={{ points = [{points}] }}")])
        };
        let change = |old: &str, new: &str| {
            let all = Differences::between(old, new).unwrap();
            (all.keys[0].before.clone().unwrap_or_default(), all.keys[0].after.clone().unwrap_or_default())
        };
        let (before, after) = change(&curve("", "4 ms"), &curve("", "5 ms"));
        let told = |last: &str| format!(r#"no. 4 ["80 %", "{last}"]"#);
        assert!(before.ends_with(&told("4 ms")) && after.ends_with(&told("5 ms")), "{before} -> {after}");
        let (before, after) = change(&curve("", "4 ms"), &curve("['60 %', '3 ms'], ", "4 ms"));
        let more = r#"a list of 5, with ["60 %", "3 ms"]"#;
        assert!(before.ends_with("a list of 4") && after.ends_with(more), "{before} -> {after}");
    }

    #[test]
    fn a_law_of_another_kind_is_one_value() {
        let old = resolved(&[]);
        let new = resolved(&["plan.throttle={ law = 'fixed', streams = 8 }"]);
        let all = Differences::between(&old, &new).unwrap();
        assert_eq!(keys(&all), ["plan.throttle"]);
        let back = all.with_put_back(&[&all.keys[0]]);
        assert!(Differences::between(&old, &back).unwrap().keys.is_empty());
    }
}
