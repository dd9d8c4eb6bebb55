//! The layer order, read from the sources: a module uses only modules of its own layer and of those before it.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. `live` and `sim` stand side by side: neither knows the other. `main` only calls `cli`.
const LAYERS: [&str; 11] =
    ["units", "lock", "fleet", "migration", "host", "scenario", "live", "sim", "forecast", "report", "cli"];
/// Layers that know nothing of `live`, though it stands before them.
const APART_FROM_LIVE: [&str; 3] = ["sim", "forecast", "report"];

/// A crate that only some layers may name, and which.
const OWNERS: [(&str, &[&str]); 13] = [
    ("polars", &["scenario", "report"]),
    ("polars_parquet_format", &["scenario"]),
    ("plotters", &["report"]),
    ("maud", &["report"]),
    ("minijinja", &["report"]),
    ("clap", &["cli"]),
    ("annotate_snippets", &["scenario"]),
    ("rusqlite", &["live"]),
    ("postgres", &["live"]),
    ("blake3", &["live"]),
    ("ureq", &["live"]),
    ("tiny_http", &["live"]),
    ("sobol_burley", &["forecast"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable source folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The layer of a source file: its first folder or file name below `src`.
fn layer(path: &Path) -> Option<usize> {
    let below = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).expect("a path below src");
    let first = below.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs");
    LAYERS.iter().position(|layer| *layer == first)
}

/// The layers that a line of code names through `crate::`, also in a list: `crate::{fleet::X, units::Y}`.
fn named(line: &str) -> Vec<usize> {
    let code = line.split("//").next().unwrap_or_default();
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = rest.strip_prefix('{').map_or(rest.to_owned(), |list| list.replace(',', " "));
        let words: Vec<&str> = if rest.starts_with('{') {
            names.split_whitespace().map(|word| word.split("::").next().unwrap_or_default()).collect()
        } else {
            rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).take(1).collect()
        };
        found.extend(words.iter().filter_map(|word| LAYERS.iter().position(|layer| layer == word)));
    }
    found
}

#[test]
fn no_layer_knows_a_later_one() {
    let mut files = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in &files {
        let Some(own) = layer(file) else { continue };
        checked += 1;
        let text = fs::read_to_string(file).expect("a readable source file");
        for (number, line) in text.lines().enumerate() {
            let barred =
                |other: &usize| *other > own || LAYERS[*other] == "live" && APART_FROM_LIVE.contains(&LAYERS[own]);
            for other in named(line).into_iter().filter(barred) {
                wrong.push(format!("{}:{}: {} uses {}", file.display(), number + 1, LAYERS[own], LAYERS[other]));
            }
            for (library, owners) in OWNERS {
                let names = line.split("//").next().unwrap_or_default().contains(&format!("{library}::"));
                if names && !owners.contains(&LAYERS[own]) {
                    let owners = owners.join(" and ");
                    wrong.push(format!("{}:{}: only {owners} may name {library}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(checked >= LAYERS.len(), "only {checked} source files belong to a layer");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_reaches_for_no_clock_no_thread_and_no_file() {
    let mut files = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/migration")), &mut files);
    files.push(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/migration.rs")).to_path_buf());
    let banned =
        ["std::fs", "std::io", "std::net", "std::thread", "std::time", "std::env", "rand", "HashMap", "println!"];
    for file in files.iter().filter(|file| !file.to_string_lossy().contains("tests")) {
        let text = fs::read_to_string(file).expect("a readable source file");
        // Tests at the end of a file may draw at random.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in banned {
                let found = code
                    .split(|c: char| !(c.is_alphanumeric() || ":_!".contains(c)))
                    .any(|token| token.starts_with(word));
                assert!(!found, "{}:{}: the core names {word}", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_reader_of_layers_sees_single_and_listed_uses() {
    let position = |name: &str| LAYERS.iter().position(|layer| *layer == name).expect("a layer");
    assert_eq!(named("use crate::units::{Time, Span};"), [position("units")]);
    assert_eq!(named("use crate::{sim::World, units::Time};"), [position("sim"), position("units")]);
    assert_eq!(named("// crate::cli is not used here"), Vec::<usize>::new());
}
