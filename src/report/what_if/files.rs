//! The output folder of a what-if: complete or untouched, as that of a forecast.

use std::io;
use std::path::{Path, PathBuf};

use super::super::chart::{self, Paper};
use super::super::files::write_folder;
use super::super::{html, markdown};
use super::{WhatIf, json, report};

/// The files that a what-if may write.
const NAMES: [&str; 5] = ["what-if.html", "what-if.md", "what-if.json", "shifts.svg", "shifts.png"];

/// Writes all files to `root`/`stem` and returns that folder.
///
/// # Errors
/// When a file cannot be written or a chart not drawn, or the folder holds something that is not from a what-if; the folder is untouched then.
pub fn write(root: &Path, stem: &str, what_if: &WhatIf) -> io::Result<PathBuf> {
    let pictures = chart::of_what_if(what_if);
    let mut files = vec![
        ("what-if.html".to_owned(), html::what_if(what_if, &pictures)?.into_bytes()),
        ("what-if.md".to_owned(), markdown::render(&report(what_if)).into_bytes()),
        ("what-if.json".to_owned(), json(what_if)?.into_bytes()),
    ];
    for picture in &pictures {
        files.push((format!("{}.svg", picture.stem), picture.svg(Paper::FILE)?.into_bytes()));
        files.push((format!("{}.png", picture.stem), picture.png()?));
    }
    write_folder(root, stem, &files, &|name| NAMES.iter().any(|known| *name == **known))
}
