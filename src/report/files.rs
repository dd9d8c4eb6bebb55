//! The output folder of a forecast: complete or untouched.
//!
//! Everything is written to a new folder beside the old one, which then takes its place. A folder that holds anything
//! that a forecast does not write is left alone.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{About, chart, document, html, markdown, report, table};
use crate::forecast::Forecast;
use crate::migration::message::CORE_VERSION;
use crate::sim::DRAW_SCHEME;

/// The files that a forecast writes, besides those of its charts.
const NAMES: [&str; 10] = [
    "forecast.json",
    "scenario.toml",
    "report.html",
    "report.md",
    "replications.parquet",
    "replications.csv",
    "series.parquet",
    "series.csv",
    "manifest.json",
    "run.json",
];

/// What is measured while a forecast runs; it stays out of every other file.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RunFacts {
    /// Time on the wall, in seconds.
    pub wall_s: f64,
    /// Processor time of the whole program, in seconds, where the system tells.
    pub cpu_s: Option<f64>,
    /// Processor time a mailbox and replication, in nanoseconds.
    pub cpu_per_mailbox_and_replication_ns: Option<f64>,
    /// Threads that ran replications.
    pub threads: usize,
}

#[derive(Serialize)]
struct Manifest<'a> {
    schema_version: u32,
    version: &'static str,
    core_version: u32,
    draw_scheme: u32,
    scenario_file: &'a str,
    scenario_sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_sha256: Option<&'a str>,
    seed: u64,
    replications: usize,
    incomplete: bool,
    command: &'a str,
    files: Vec<FileEntry>,
}

#[derive(Serialize)]
struct FileEntry {
    name: String,
    size_bytes: usize,
    sha256: String,
}

/// Writes all files of a forecast to `root`/`stem` and returns that folder.
///
/// # Errors
/// When a file cannot be written, or the folder holds something that is not from a forecast; the folder is untouched then.
pub fn write(root: &Path, stem: &str, forecast: &Forecast, about: &About, run: &RunFacts) -> io::Result<PathBuf> {
    refuse_strangers(&root.join(stem), &is_of_a_forecast)?;
    let mut files = contents(forecast, about)?;
    let manifest = pretty(&manifest(forecast, about, &files))?;
    files.push(("manifest.json".to_owned(), manifest));
    files.push(("run.json".to_owned(), pretty(run)?));
    write_folder(root, stem, &files, &is_of_a_forecast)
}

/// Writes some files to `root`/`stem` and returns that folder; `is_ours` knows the names of what may be replaced there.
///
/// # Errors
/// As `write`.
pub fn write_folder(
    root: &Path,
    stem: &str,
    files: &[(String, Vec<u8>)],
    is_ours: &dyn Fn(&OsStr) -> bool,
) -> io::Result<PathBuf> {
    let target = root.join(stem);
    refuse_strangers(&target, is_ours)?;
    fs::create_dir_all(root)?;
    let fresh = tempfile::Builder::new().prefix(&format!(".{stem}-")).tempdir_in(root)?;
    for (name, bytes) in files {
        write_one(&fresh.path().join(name), bytes)?;
    }
    open_to_readers(fresh.path())?;
    replace(fresh, &target)?;
    Ok(target)
}

/// The SHA-256 of some bytes in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn contents(forecast: &Forecast, about: &About) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut replications = table::replications(forecast).map_err(io::Error::other)?;
    let mut series = table::series(forecast).map_err(io::Error::other)?;
    let pictures = chart::pictures(forecast, about.past.as_ref());
    // Drawing takes longer than all else.
    let draw = |picture: &chart::Picture| Ok((picture.svg(chart::Paper::FILE)?, picture.png()?));
    let (page, drawn) = rayon::join(
        || html::render(forecast, about, &pictures),
        || pictures.par_iter().map(draw).collect::<io::Result<Vec<(String, Vec<u8>)>>>(),
    );
    let files = [
        ("forecast.json", document::json(forecast, about)?.into_bytes()),
        ("scenario.toml", about.resolved.clone().into_bytes()),
        ("report.html", page?.into_bytes()),
        ("report.md", markdown::render(&report(forecast, about)).into_bytes()),
        ("replications.parquet", table::parquet(&mut replications).map_err(io::Error::other)?),
        ("replications.csv", table::csv(&mut replications).map_err(io::Error::other)?),
        ("series.parquet", table::parquet(&mut series).map_err(io::Error::other)?),
        ("series.csv", table::csv(&mut series).map_err(io::Error::other)?),
    ];
    let mut files: Vec<_> = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    for (picture, (svg, png)) in pictures.iter().zip(drawn?) {
        files.push((format!("{}.svg", picture.stem), svg.into_bytes()));
        files.push((format!("{}.png", picture.stem), png));
    }
    Ok(files)
}

fn manifest<'a>(forecast: &Forecast, about: &'a About, files: &[(String, Vec<u8>)]) -> Manifest<'a> {
    let entry = |(name, bytes): &(String, Vec<u8>)| FileEntry {
        name: name.clone(),
        size_bytes: bytes.len(),
        sha256: sha256(bytes),
    };
    Manifest {
        schema_version: document::SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        core_version: CORE_VERSION,
        draw_scheme: DRAW_SCHEME,
        scenario_file: &about.file,
        scenario_sha256: &about.scenario_sha256,
        state_sha256: about.state_sha256.as_deref(),
        inventory_file: about.inventory.as_ref().map(|known| known.file.as_str()),
        inventory_sha256: about.inventory.as_ref().map(|known| known.sha256.as_str()),
        load_file: about.load.as_ref().map(|known| known.file.as_str()),
        load_sha256: about.load.as_ref().map(|known| known.sha256.as_str()),
        seed: forecast.settings.seed,
        replications: forecast.replications.len(),
        incomplete: forecast.rule.interrupted,
        command: &about.command,
        files: files.iter().map(entry).collect(),
    }
}

fn pretty(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

fn write_one(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A temporary folder is for its owner alone; a finished one is as readable as others.
#[cfg(unix)]
fn open_to_readers(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn open_to_readers(_folder: &Path) -> io::Result<()> {
    Ok(())
}

fn is_of_a_forecast(name: &OsStr) -> bool {
    let of_a_chart = |stem: &&str| ["svg", "png"].iter().any(|ending| *name == *format!("{stem}.{ending}"));
    NAMES.iter().any(|known| *name == **known) || chart::STEMS.iter().any(of_a_chart)
}

fn refuse_strangers(target: &Path, is_ours: &dyn Fn(&OsStr) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        if !is_ours(&name) {
            let (folder, name) = (target.display(), name.display());
            let text = format!("{folder} holds {name}, which this command does not write: left as it is");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
    }
    Ok(())
}

/// Puts the fresh folder in the place of the old one; when that fails, the old one comes back.
fn replace(fresh: tempfile::TempDir, target: &Path) -> io::Result<()> {
    if !target.exists() {
        fs::rename(fresh.path(), target)?;
        let _ = fresh.keep();
        return Ok(());
    }
    let root = target.parent().unwrap_or(Path::new("."));
    let aside = tempfile::Builder::new().prefix(".replaced-").tempdir_in(root)?;
    let old = aside.path().join("old");
    fs::rename(target, &old)?;
    if let Err(error) = fs::rename(fresh.path(), target) {
        fs::rename(&old, target)?;
        return Err(error);
    }
    let _ = fresh.keep();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};

    const RUN: RunFacts = RunFacts { wall_s: 1.0, cpu_s: None, cpu_per_mailbox_and_replication_ns: None, threads: 2 };

    fn forecast() -> Forecast {
        made(40, &|r| outcome(r, days_of(r)))
    }

    #[test]
    fn the_folder_holds_every_file_and_the_manifest_their_sums() {
        let root = tempfile::tempdir().unwrap();
        let folder = write(root.path(), "small", &forecast(), &About::default(), &RUN).unwrap();
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let files = manifest["files"].as_array().unwrap();
        assert_eq!(files.len(), NAMES.len() - 2 + 2 * (chart::STEMS.len() - 1), "there is no earlier forecast");
        for file in files {
            let bytes = fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
            assert_eq!(file["sha256"], sha256(&bytes));
            assert_eq!(file["size_bytes"], bytes.len());
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "a temporary folder was left");
    }

    #[test]
    fn an_older_forecast_is_replaced_as_a_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("small");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("forecast.json"), "old").unwrap();
        write(root.path(), "small", &forecast(), &About::default(), &RUN).unwrap();
        assert_ne!(fs::read(folder.join("forecast.json")).unwrap(), b"old");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "a temporary folder was left");
    }

    #[test]
    fn a_folder_with_anything_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("small");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        let error = write(root.path(), "small", &forecast(), &About::default(), &RUN).unwrap_err();
        assert!(error.to_string().contains("notes.txt"), "{error}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
