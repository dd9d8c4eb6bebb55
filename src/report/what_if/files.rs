//! The output folder of a what-if: complete or untouched, as that of a forecast.

use std::io;
use std::path::{Path, PathBuf};

use super::super::files::write_folder;
use super::super::{html, markdown};
use super::{WhatIf, json, report};

/// The files that a what-if writes.
const NAMES: [&str; 3] = ["what-if.html", "what-if.md", "what-if.json"];

/// Writes all files to `root`/`stem` and returns that folder.
///
/// # Errors
/// When a file cannot be written, or the folder holds something that is not from a what-if; the folder is untouched then.
pub fn write(root: &Path, stem: &str, what_if: &WhatIf) -> io::Result<PathBuf> {
    let page = html::what_if(what_if);
    let text = markdown::render(&report(what_if));
    let contents = [page.into_bytes(), text.into_bytes(), json(what_if)?.into_bytes()];
    let files: Vec<(String, Vec<u8>)> = NAMES.iter().map(|name| (*name).to_owned()).zip(contents).collect();
    write_folder(root, stem, &files, &|name| NAMES.iter().any(|known| *name == **known))
}
