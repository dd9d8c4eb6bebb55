//! A forecast that was published, read again: what a later one is held against.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Cursor, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use polars::prelude::{CsvReadOptions, DataFrame, SerReader as _};
use serde::Deserialize;

use super::document::SCHEMA_VERSION;
use super::files::sha256;
use super::table::LEFT;
use crate::forecast::quantile::When;
use crate::forecast::series::DayQuantiles;
use crate::forecast::since::Dates;
use crate::scenario::column_name;
use crate::units::Time;

/// A published forecast.
#[derive(Clone, Debug)]
pub struct Published {
    /// Version of the program that made it.
    pub version: String,
    /// Version of its draws.
    pub draw_scheme: u32,
    /// Its seed.
    pub seed: u64,
    /// The command that repeats it.
    pub command: String,
    /// Whether somebody ended it early.
    pub incomplete: bool,
    /// Its resolved scenario.
    pub resolved: String,
    /// SHA-256 of the state that a ledger told.
    pub state_sha256: Option<String>,
    /// The dates of its replications.
    pub dates: Dates,
    /// By milestone, the median; none where there were too few replications for one.
    pub medians: BTreeMap<String, Option<When>>,
    /// Mailboxes left on all heads at the ends of its days; empty where it does not tell.
    pub left: Vec<DayQuantiles>,
}

/// Why a folder cannot be held against.
#[derive(Debug)]
pub struct Unreadable {
    path: PathBuf,
    why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

#[derive(Deserialize)]
struct Manifest {
    schema_version: u32,
    version: String,
    draw_scheme: Option<u32>,
    seed: u64,
    command: String,
    replications: usize,
    incomplete: bool,
    state_sha256: Option<String>,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: String,
    sha256: String,
}

#[derive(Deserialize)]
struct Document {
    scenario: Scenario,
    milestones: Vec<Milestone>,
}

#[derive(Deserialize)]
struct Scenario {
    as_of: Instant,
    horizon: Instant,
}

#[derive(Deserialize)]
struct Instant {
    utc: String,
}

#[derive(Deserialize)]
struct Milestone {
    name: String,
    quantiles: Vec<Quantile>,
}

#[derive(Deserialize)]
struct Quantile {
    level: f64,
    value: Option<Value>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Value {
    Date { utc: String },
    AfterHorizon,
    Never,
}

impl Published {
    /// Reads the folder that a forecast has written; none where there is no such folder.
    ///
    /// # Errors
    /// When a file is missing or is not what the folder's manifest says, or when a version of the program made it that says
    /// too little, or that this one does not know.
    pub fn read(folder: &Path) -> Result<Option<Self>, Unreadable> {
        let trouble = |name: &str, why: String| Unreadable { path: folder.join(name), why };
        let read = |name: &str| read_file(&folder.join(name), most(name)).map_err(|why| trouble(name, why));
        if folder.symlink_metadata().is_err() {
            return Ok(None);
        }
        let missing = |name: &str| trouble(name, "is missing: this is no folder that a forecast has written".into());
        let bytes = read(MANIFEST)?.ok_or_else(|| missing(MANIFEST))?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| trouble(MANIFEST, format!("is not ours: {error}")))?;
        if manifest.schema_version > SCHEMA_VERSION {
            let (theirs, version) = (manifest.schema_version, &manifest.version);
            let why =
                format!("has shape {theirs}, from version {version}: this one knows shapes up to {SCHEMA_VERSION}");
            return Err(trouble(MANIFEST, why));
        }
        let Some(draw_scheme) = manifest.draw_scheme else {
            let why = "does not say how its numbers were drawn: it is from before forecasts could be compared".into();
            return Err(trouble(MANIFEST, why));
        };
        let part = |name: &str| -> Result<Vec<u8>, Unreadable> {
            let bytes = read(name)?.ok_or_else(|| missing(name))?;
            let known = manifest.files.iter().find(|file| file.name == name);
            if known.is_some_and(|file| file.sha256 == sha256(&bytes)) {
                Ok(bytes)
            } else {
                Err(trouble(name, format!("is not the file that {MANIFEST} names: it was changed since")))
            }
        };
        let document: Document = serde_json::from_slice(&part(DOCUMENT)?)
            .map_err(|error| trouble(DOCUMENT, format!("is not ours: {error}")))?;
        let resolved = String::from_utf8(part(SCENARIO)?).map_err(|error| trouble(SCENARIO, error.to_string()))?;
        let dates = dates(&document, part(REPLICATIONS)?).map_err(|why| trouble(REPLICATIONS, why))?;
        let medians = medians(&document).map_err(|why| trouble(DOCUMENT, why))?;
        // Whoever keeps no series can be held against all the same.
        let series = if folder.join(SERIES).exists() { left(part(SERIES)?) } else { Ok(Vec::new()) };
        let left = series.map_err(|why| trouble(SERIES, why))?;
        if dates.count() != manifest.replications {
            let (rows, told) = (dates.count(), manifest.replications);
            return Err(trouble(REPLICATIONS, format!("has {rows} rows, {MANIFEST} tells {told} replications")));
        }
        let Manifest { version, seed, command, incomplete, state_sha256, .. } = manifest;
        Ok(Some(Self { version, draw_scheme, seed, command, incomplete, resolved, state_sha256, dates, medians, left }))
    }
}

const MANIFEST: &str = "manifest.json";
const DOCUMENT: &str = "forecast.json";
const SCENARIO: &str = "scenario.toml";
const REPLICATIONS: &str = "replications.csv";
const SERIES: &str = "series.csv";

/// No text of ours comes near this size ...
const TEXT_MAX: u64 = 16_000_000;
/// ... nor a table: a million replications of sixteen heads and clusters have less.
const TABLE_MAX: u64 = 2_000_000_000;

fn most(name: &str) -> u64 {
    if name == REPLICATIONS || name == SERIES { TABLE_MAX } else { TEXT_MAX }
}

/// A file as a whole; none where there is none. Whoever published it may not be to be trusted.
fn read_file(path: &Path, most: u64) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(unreadable)?,
    };
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    let too_large = |size: u64| format!("has {size} bytes, at most {most} are read");
    if metadata.len() > most {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(unreadable)?.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let size = bytes.len() as u64;
    if size > most { Err(too_large(size)) } else { Ok(Some(bytes)) }
}

/// A table of texts.
fn frame(bytes: Vec<u8>) -> Result<DataFrame, String> {
    let options =
        CsvReadOptions::default().with_has_header(true).with_infer_schema_length(Some(0)).with_n_threads(Some(1));
    options.into_reader_with_file_handle(Cursor::new(bytes)).finish().map_err(|error| error.to_string())
}

/// What was left on all heads together, in the order of the days.
fn left(bytes: Vec<u8>) -> Result<Vec<DayQuantiles>, String> {
    let frame = frame(bytes)?;
    let texts = |name: &str| frame.column(name).and_then(|column| column.str()).map_err(|error| error.to_string());
    let number = |text: Option<&str>| match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
            _ => Err(format!("\"{text}\" is no number of mailboxes")),
        },
    };
    let count = |text: Option<&str>| {
        text.unwrap_or_default().parse::<u32>().map_err(|error| format!("\"{}\": {error}", text.unwrap_or_default()))
    };
    let (quantities, day, replications) = (texts("quantity")?, texts("day")?, texts("replications")?);
    let (p10, p50, p90) = (texts("p10")?, texts("p50")?, texts("p90")?);
    let rows = (0..frame.height()).filter(|row| quantities.get(*row) == Some(LEFT));
    let one = |row: usize| {
        Ok(DayQuantiles {
            day: count(day.get(row))?,
            replications: count(replications.get(row))?,
            p10: number(p10.get(row))?,
            p50: number(p50.get(row))?,
            p90: number(p90.get(row))?,
        })
    };
    let days: Vec<DayQuantiles> = rows.map(one).collect::<Result<_, String>>()?;
    if days.is_sorted_by(|one, next| one.day < next.day) { Ok(days) } else { Err("its days are out of order".into()) }
}

fn dates(document: &Document, bytes: Vec<u8>) -> Result<Dates, String> {
    let frame = frame(bytes)?;
    let mut by_milestone = BTreeMap::new();
    for milestone in &document.milestones {
        by_milestone.insert(milestone.name.clone(), column(&frame, &milestone.name)?);
    }
    let order = document.milestones.iter().map(|milestone| milestone.name.clone()).collect();
    let Scenario { as_of, horizon } = &document.scenario;
    Ok(Dates { as_of: instant(&as_of.utc)?, horizon: instant(&horizon.utc)?, order, by_milestone })
}

fn medians(document: &Document) -> Result<BTreeMap<String, Option<When>>, String> {
    let median = |milestone: &Milestone| {
        let is_median = |quantile: &&Quantile| (quantile.level - 0.5).abs() < 1e-9;
        let value = milestone.quantiles.iter().find(is_median).and_then(|quantile| quantile.value.as_ref());
        value.map_or(Ok(None), |value| match value {
            Value::Date { utc } => instant(utc).map(|time| Some(When::At(time))),
            Value::AfterHorizon => Ok(Some(When::AfterHorizon)),
            Value::Never => Ok(Some(When::Never)),
        })
    };
    document.milestones.iter().map(|one| Ok((one.name.clone(), median(one)?))).collect()
}

/// When a milestone was reached, by replication.
fn column(frame: &DataFrame, milestone: &str) -> Result<Vec<Option<Time>>, String> {
    let name = format!("{}_utc", column_name(milestone));
    let column = frame.column(&name).and_then(|column| column.str()).map_err(|error| error.to_string())?;
    column.iter().map(|cell| cell.filter(|cell| !cell.is_empty()).map(instant).transpose()).collect()
}

fn instant(text: &str) -> Result<Time, String> {
    let stamp: Timestamp = text.parse().map_err(|error| format!("\"{text}\" is no time: {error}"))?;
    Ok(Time::from_unix_micros(stamp.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::Forecast;
    use crate::forecast::quantile::P50;
    use crate::forecast::series::left_on_heads;
    use crate::forecast::testing::{days_of, made, outcome};
    use crate::report::About;
    use crate::report::files::{RunFacts, write};

    const RUN: RunFacts = RunFacts { wall_s: 1.0, cpu_s: None, cpu_per_mailbox_and_replication_ns: None, threads: 2 };

    fn published(root: &Path) -> (Forecast, PathBuf) {
        let forecast = made(40, &|r| outcome(r, days_of(r)));
        let about = About { resolved: "name = \"small\"\n".into(), ..About::default() };
        let folder = write(root, "small", &forecast, &about, &RUN).unwrap();
        (forecast, folder)
    }

    #[test]
    fn what_was_published_is_read_to_the_microsecond() {
        let root = tempfile::tempdir().unwrap();
        let (forecast, folder) = published(root.path());
        let read = Published::read(&folder).unwrap().unwrap();
        assert_eq!(read.dates, Dates::of(&forecast.scenario, &forecast.replications));
        assert!(read.dates.by_milestone["nas-1 full"].contains(&None));
        let left = left_on_heads(&forecast.replications, forecast.settings.confidence);
        assert!(left.len() > 20 && read.left == left, "{:?} and {left:?}", read.left);
        assert_eq!(read.medians["nas-2 full"], Some(When::Never));
        for one in &forecast.milestones {
            let known = one.at(P50).map(|estimate| estimate.value);
            let close = match (known, read.medians[&forecast.scenario.milestone_name(&one.milestone)]) {
                (Some(When::At(one)), Some(When::At(two))) => one.since(two).secs().abs() < 1.0,
                (one, two) => one == two,
            };
            assert!(close, "{:?}", one.milestone);
        }
        assert_eq!((read.resolved.as_str(), read.seed), ("name = \"small\"\n", 1));
        assert!(Published::read(&root.path().join("elsewhere")).unwrap().is_none());
    }

    #[test]
    fn a_folder_that_is_not_whole_is_named_and_why() {
        let root = tempfile::tempdir().unwrap();
        let (_, folder) = published(root.path());
        let refused = || Published::read(&folder).unwrap_err().to_string();
        let manifest = fs::read_to_string(folder.join(MANIFEST)).unwrap();
        fs::write(folder.join(MANIFEST), manifest.replace("\"schema_version\": 1", "\"schema_version\": 99")).unwrap();
        assert!(refused().contains("manifest.json: has shape 99"), "{}", refused());
        fs::write(folder.join(MANIFEST), manifest.replace("\"draw_scheme\"", "\"other\"")).unwrap();
        assert!(refused().contains("from before forecasts could be compared"), "{}", refused());
        fs::File::create(folder.join(MANIFEST)).unwrap().set_len(TEXT_MAX + 1).unwrap();
        assert!(refused().contains("manifest.json: has 16000001 bytes, at most 16000000 are read"), "{}", refused());
        fs::remove_file(folder.join(MANIFEST)).unwrap();
        fs::create_dir(folder.join(MANIFEST)).unwrap();
        assert!(refused().contains("manifest.json: is no file"), "{}", refused());
        fs::remove_dir(folder.join(MANIFEST)).unwrap();
        fs::write(folder.join(MANIFEST), "{").unwrap();
        assert!(refused().contains("is not ours"), "{}", refused());
        fs::write(folder.join(MANIFEST), &manifest).unwrap();
        let rows = fs::read_to_string(folder.join(REPLICATIONS)).unwrap();
        fs::write(folder.join(REPLICATIONS), rows.replacen("2012", "2013", 1)).unwrap();
        assert!(refused().contains("replications.csv: is not the file that manifest.json names"), "{}", refused());
        fs::remove_file(folder.join(REPLICATIONS)).unwrap();
        assert!(refused().contains("replications.csv: is missing"), "{}", refused());
    }
}
