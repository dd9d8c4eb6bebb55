//! The output folder of an explanation: complete or untouched, as that of a forecast.

use std::io;
use std::path::{Path, PathBuf};

use super::super::chart::{self, Paper};
use super::super::files::write_folder;
use super::super::{html, markdown};
use super::{Explain, json, report};

/// The files that it may write.
const NAMES: [&str; 11] = [
    "explain.html",
    "explain.md",
    "explain.json",
    "held.svg",
    "held.png",
    "tornado.svg",
    "tornado.png",
    "screening.svg",
    "screening.png",
    "shares.svg",
    "shares.png",
];

/// Writes all files to `root`/`stem` and returns that folder.
///
/// # Errors
/// When a file cannot be written, or the folder holds something that is not from an explanation; the folder is untouched then.
pub fn write(root: &Path, stem: &str, explain: &Explain) -> io::Result<PathBuf> {
    let pictures = chart::of_explain(explain);
    let mut files = vec![
        ("explain.html".to_owned(), html::explain(explain, &pictures)?.into_bytes()),
        ("explain.md".to_owned(), markdown::render(&report(explain)).into_bytes()),
        ("explain.json".to_owned(), json(explain)?.into_bytes()),
    ];
    for picture in &pictures {
        files.push((format!("{}.svg", picture.stem), picture.svg(Paper::FILE)?.into_bytes()));
        files.push((format!("{}.png", picture.stem), picture.png()?));
    }
    write_folder(root, stem, &files, &|name| NAMES.iter().any(|known| *name == **known))
}
