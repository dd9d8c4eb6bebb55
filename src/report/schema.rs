//! The JSON Schemas of what is written as JSON. They are published in `docs/`, and the program prints the same files; only
//! tests know how they follow from the types.

/// Of `forecast.json`.
pub const FORECAST: &str = include_str!("../../docs/forecast.schema.json");
/// Of the gates of `check`.
pub const CHECK: &str = include_str!("../../docs/check.schema.json");
/// Of `what-if.json`.
pub const WHAT_IF: &str = include_str!("../../docs/what-if.schema.json");
/// Of `recommend.json`.
pub const RECOMMEND: &str = include_str!("../../docs/recommend.schema.json");
/// Of `announcement.json`.
pub const ANNOUNCEMENT: &str = include_str!("../../docs/announcement.schema.json");
/// Of `explain.json`.
pub const EXPLAIN: &str = include_str!("../../docs/explain.schema.json");
/// Of `sweep.json`.
pub const SWEEP: &str = include_str!("../../docs/sweep.schema.json");

/// The JSON Schema of a type.
#[cfg(test)]
pub(super) fn of<T: schemars::JsonSchema>(title: &str, version: u32) -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    if let Some(known) = schema.pointer_mut("/properties/schema_version").and_then(serde_json::Value::as_object_mut) {
        known.insert("const".to_owned(), version.into());
    }
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::super::{announcement, document, explain, gate, recommend, sweep, what_if};
    use super::*;

    /// After a change of what is written: `RENEW_SCHEMAS=1 cargo test --lib the_published_schemas`.
    #[test]
    fn the_published_schemas_are_those_of_what_is_written() {
        for (name, published, schema) in [
            ("forecast", FORECAST, document::schema()),
            ("check", CHECK, gate::schema()),
            ("what-if", WHAT_IF, what_if::schema()),
            ("recommend", RECOMMEND, recommend::schema()),
            ("announcement", ANNOUNCEMENT, announcement::schema()),
            ("explain", EXPLAIN, explain::schema()),
            ("sweep", SWEEP, sweep::schema()),
        ] {
            let path = format!("{}/docs/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            if std::env::var_os("RENEW_SCHEMAS").is_some() {
                std::fs::write(&path, text).unwrap();
            } else {
                assert!(published == text, "{path} is not of what is written");
            }
        }
    }
}
