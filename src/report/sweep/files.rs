//! The output folder of a sweep: complete or untouched, as that of a forecast.

use std::io;
use std::path::{Path, PathBuf};

use super::super::chart::{self, Paper};
use super::super::files::write_folder;
use super::super::{html, markdown, table};
use super::table::points;
use super::{Sweep, json, report};

/// The files that it may write.
const NAMES: [&str; 9] = [
    "sweep.html",
    "sweep.md",
    "sweep.json",
    "sweep.parquet",
    "sweep.csv",
    "values.svg",
    "values.png",
    "frontier.svg",
    "frontier.png",
];

/// Writes all files to `root`/`stem` and returns that folder.
///
/// # Errors
/// When a file cannot be written, or the folder holds something that is not from a sweep; the folder is untouched then.
pub fn write(root: &Path, stem: &str, sweep: &Sweep) -> io::Result<PathBuf> {
    let pictures = chart::of_sweep(sweep);
    let mut rows = points(sweep).map_err(io::Error::other)?;
    let mut files = vec![
        ("sweep.html".to_owned(), html::sweep(sweep, &pictures)?.into_bytes()),
        ("sweep.md".to_owned(), markdown::render(&report(sweep)).into_bytes()),
        ("sweep.json".to_owned(), json(sweep)?.into_bytes()),
        ("sweep.parquet".to_owned(), table::parquet(&mut rows).map_err(io::Error::other)?),
        ("sweep.csv".to_owned(), table::csv(&mut rows).map_err(io::Error::other)?),
    ];
    for picture in &pictures {
        files.push((format!("{}.svg", picture.stem), picture.svg(Paper::FILE)?.into_bytes()));
        files.push((format!("{}.png", picture.stem), picture.png()?));
    }
    write_folder(root, stem, &files, &|name| NAMES.iter().any(|known| *name == **known))
}
