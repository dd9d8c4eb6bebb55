//! The JSON Schema of the file format, for editors: made from the description that checks files.

use serde_json::{Map, Value, json};

use super::format::FILE;
use super::keys::{Key, Kind, Need, Number, Table, Tagged};

/// The JSON Schema of a scenario file. Dates are TOML's own; tools show them to a schema as texts.
///
/// A file that extends another may leave out what it inherits, so that nothing is required of it.
#[must_use]
pub fn schema() -> Value {
    let whole = table(&FILE, true, &[]);
    let part = table(&FILE, false, &[]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "drawdown scenario",
        "if": { "required": ["extends"] },
        "then": part,
        "else": whole,
    })
}

fn table(table: &Table, complete: bool, more: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    for (name, schema) in more {
        properties.insert((*name).to_owned(), schema.clone());
    }
    for key in table.keys() {
        properties.insert(key.name.to_owned(), documented(key, complete));
    }
    let mut required: Vec<&str> = more.iter().map(|entry| entry.0).collect();
    required.extend(table.keys().filter(|key| matches!(key.need, Need::Required)).map(|key| key.name));
    if !complete {
        required.clear();
    }
    let mut schema =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    if let (true, Value::Object(object)) = (complete, &mut schema) {
        conditions(table, object);
    }
    schema
}

/// What is required where another key is missing.
fn conditions(table: &Table, schema: &mut Map<String, Value>) {
    let unless = |key: &'static Key| if let Need::Unless(other) = key.need { Some((other, key.name)) } else { None };
    let pairs: Vec<(&str, &str)> = table.keys().filter_map(unless).collect();
    if let Some(&(other, _)) = pairs.first() {
        let names: Vec<&str> = pairs.iter().filter(|pair| pair.0 == other).map(|pair| pair.1).collect();
        schema.insert("if".to_owned(), json!({ "required": [other] }));
        schema.insert("else".to_owned(), json!({ "required": names }));
    }
}

fn documented(key: &Key, complete: bool) -> Value {
    let mut schema = kind(&key.kind, complete);
    let default = match key.need {
        Need::Text(text) => Some(json!(text)),
        Need::Number(number) => Some(json!(number)),
        Need::Flag(flag) => Some(json!(flag)),
        Need::Required | Need::Unless(_) | Need::Optional | Need::Empty => None,
    };
    if let Value::Object(object) = &mut schema {
        object.insert("description".to_owned(), json!(key.doc));
        if let Some(default) = default {
            object.insert("default".to_owned(), default);
        }
    }
    schema
}

fn kind(of: &Kind, complete: bool) -> Value {
    match of {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::When => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]+)?)?)?$",
        }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Number(described) => number(described),
        Kind::List(item) => json!({ "type": "array", "items": kind(item, complete) }),
        Kind::Pair(first, second) => json!({
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [kind(first, complete), kind(second, complete)],
        }),
        Kind::Table(inner) => table(inner, complete, &[]),
        Kind::Named(inner) | Kind::Tables(inner) => {
            json!({ "type": "array", "items": table(inner, complete, &[]) })
        }
        // What stands there for one head may leave out what holds for all.
        Kind::ByHead(inner @ Kind::Tagged(_)) => {
            json!({ "type": "object", "additionalProperties": kind(inner, false) })
        }
        Kind::ByHead(inner) => json!({ "type": "object", "additionalProperties": kind(inner, complete) }),
        Kind::Tagged(tagged) => variants(tagged, complete),
        Kind::Choice(kinds) => {
            json!({ "anyOf": kinds.iter().map(|inner| kind(inner, complete)).collect::<Vec<_>>() })
        }
    }
}

fn variants(tagged: &Tagged, complete: bool) -> Value {
    let variant = |(word, inner): &(&'static str, &'static Table)| {
        table(inner, complete, &[(tagged.tag, json!({ "const": word, "description": tagged.doc }))])
    };
    json!({ "anyOf": tagged.variants.iter().map(variant).collect::<Vec<_>>() })
}

/// One value, or a range of it.
fn number(described: &Number) -> Value {
    let one = one_value(described);
    if described.single {
        return one;
    }
    let sigma = json!({ "type": "number", "minimum": 0 });
    let form = |parts: &[(&str, &Value)]| {
        let properties: Map<String, Value> =
            parts.iter().map(|(name, part)| ((*name).to_owned(), (*part).clone())).collect();
        let required: Vec<&str> = parts.iter().map(|part| part.0).collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    };
    let deviation = if described.measure.is_bare() { sigma.clone() } else { one.clone() };
    json!({ "anyOf": [
        one,
        form(&[("low", &one), ("mid", &one), ("high", &one)]),
        form(&[("low", &one), ("high", &one)]),
        form(&[("median", &one), ("sigma", &sigma)]),
        form(&[("mean", &one), ("sd", &deviation)]),
    ] })
}

fn one_value(described: &Number) -> Value {
    let measure = described.measure;
    if !measure.is_bare() {
        return json!({ "type": "string", "pattern": measure.pattern() });
    }
    let kind = if measure == super::quantity::Measure::Count { "integer" } else { "number" };
    let lower = if described.above_min { "exclusiveMinimum" } else { "minimum" };
    json!({ "type": kind, lower: described.min, "maximum": described.max })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::scenario::{ReadSettings, Source, starter};

    /// A TOML text as a schema sees it: dates are texts.
    fn as_json(value: &toml::Value) -> Value {
        match value {
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(whole) => json!(whole),
            toml::Value::Float(float) => json!(float),
            toml::Value::Boolean(flag) => json!(flag),
            toml::Value::Datetime(when) => json!(when.to_string()),
            toml::Value::Array(items) => Value::Array(items.iter().map(as_json).collect()),
            toml::Value::Table(table) => {
                Value::Object(table.iter().map(|(name, part)| (name.clone(), as_json(part))).collect())
            }
        }
    }

    fn faults(text: &str) -> Vec<String> {
        static VALIDATOR: LazyLock<jsonschema::Validator> =
            LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());
        let document = as_json(&text.parse::<toml::Table>().map(toml::Value::Table).unwrap());
        VALIDATOR.iter_errors(&document).map(|error| error.to_string()).collect()
    }

    #[test]
    fn every_scenario_of_the_project_satisfies_the_schema() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                assert_eq!(faults(&std::fs::read_to_string(&path).unwrap()), [""; 0], "{}", path.display());
                seen += 1;
            }
        }
        assert!(seen >= 4, "{seen}");
        assert_eq!(faults(include_str!("../../tests/it/every-key.toml")), [""; 0]);
        assert_eq!(faults(include_str!("../../tests/it/site.toml")), [""; 0]);
        assert_eq!(faults(starter()), [""; 0]);
    }

    #[test]
    fn the_schema_refuses_what_the_program_refuses() {
        let good = starter();
        for (from, to) in [
            ("capacity = \"9000 op/s\"", "capacity = 9000"),
            ("capacity = \"9000 op/s\"", "capacity = \"9000 MB\""),
            ("full_at = \"40 %\"", "full = \"40 %\""),
            ("law = \"aimd\"", "law = \"amid\""),
            ("mailboxes = 50_000", "mailboxes = \"50000\""),
            ("time_zone = \"America/Toronto\"", ""),
        ] {
            assert!(good.contains(from), "{from}");
            let bad = good.replacen(from, to, 1);
            assert!(!faults(&bad).is_empty(), "{to}");
            assert!(Source::from_text("bad.toml", &bad, &ReadSettings::default()).is_err(), "{to}");
        }
    }
}
