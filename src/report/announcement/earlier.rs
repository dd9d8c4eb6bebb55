//! An earlier post, or an earlier forecast, read again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::{SCHEMA_VERSION, Told};
use crate::forecast::quantile::{P10, P50, P90, point};
use crate::forecast::since::Dates;
use crate::report::published::Published;
use crate::units::{Share, Time};

/// What a post is called when it is written.
pub const NAME: &str = "announcement.json";
/// What follows a scenario's name in the name of the folder of its post.
pub const SUFFIX: &str = "-announcement";
/// No post of ours comes near.
const SIZE_MAX: u64 = 1 << 20;

/// What was told before.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// When.
    pub(super) as_of: Time,
    /// How far its forecast looked; posts of earlier versions do not say.
    pub(super) horizon: Option<Time>,
    /// Of all mailboxes; a forecast does not say.
    pub(super) moved_share: Option<f64>,
    dates: BTreeMap<String, Told>,
}

#[derive(Deserialize)]
struct Record {
    schema_version: u32,
    as_of_utc: String,
    horizon_utc: Option<String>,
    moved_share: f64,
    dates: Vec<DateRecord>,
}

#[derive(Deserialize)]
struct DateRecord {
    milestone: String,
    state: String,
    first_utc: Option<String>,
    median_utc: Option<String>,
    last_utc: Option<String>,
}

impl Earlier {
    /// Reads what a folder holds of a scenario's earlier post, or else of an earlier forecast of it: the folder itself, or the
    /// one that has the scenario's folders.
    ///
    /// # Errors
    /// When it holds neither, or one that cannot be read, as a sentence.
    pub fn read(folder: &Path, stem: &str) -> Result<Self, String> {
        let posts = [folder.to_owned(), folder.join(format!("{stem}{SUFFIX}"))];
        if let Some(post) = posts.iter().map(|one| one.join(NAME)).find(|path| path.is_file()) {
            return read_post(&post).map_err(|why| format!("{}: {why}", post.display()));
        }
        let forecasts = [folder.to_owned(), folder.join(stem)];
        if let Some(forecast) = forecasts.iter().find(|one| one.join("manifest.json").is_file()) {
            let published = Published::read(forecast).map_err(|trouble| trouble.to_string())?;
            return published.as_ref().map(Self::of).ok_or_else(|| format!("{}: is gone", forecast.display()));
        }
        let looked: Vec<String> = posts.iter().chain(&forecasts[1..]).map(|one| one.display().to_string()).collect();
        Err(format!("no earlier post and no forecast in {}", looked.join(", nor in ")))
    }

    /// What a post made of that forecast would have told.
    fn of(published: &Published) -> Self {
        let Dates { as_of, horizon, by_milestone, .. } = &published.dates;
        let dates = by_milestone.iter().map(|(name, dates)| (name.clone(), told(dates, *as_of, *horizon))).collect();
        Self { as_of: *as_of, horizon: Some(*horizon), moved_share: None, dates }
    }

    /// When it was.
    #[must_use]
    pub const fn as_of(&self) -> Time {
        self.as_of
    }

    /// Whether it tells of any of these milestones.
    pub fn tells_of<'a>(&self, mut milestones: impl Iterator<Item = &'a str>) -> bool {
        milestones.any(|name| self.dates.contains_key(name))
    }

    pub(super) fn told(&self, milestone: &str) -> Option<Told> {
        self.dates.get(milestone).copied()
    }

    #[cfg(test)]
    pub(super) fn made(as_of: Time, moved_share: Option<f64>, dates: &[(&str, Told)]) -> Self {
        Self {
            as_of,
            horizon: None,
            moved_share,
            dates: dates.iter().map(|(name, told)| ((*name).to_owned(), *told)).collect(),
        }
    }
}

fn told(dates: &[Option<Time>], as_of: Time, horizon: Time) -> Told {
    let mut sorted: Vec<Time> = dates.iter().map(|date| date.unwrap_or(Time::NEVER)).collect();
    sorted.sort_unstable();
    if sorted.last().is_some_and(|last| *last <= as_of) {
        return Told::Done;
    }
    let at = |level| point(&sorted, level, Share::from_ppm(950_000));
    match (at(P10), at(P50), at(P90)) {
        (Some(first), Some(median), Some(last)) if last < Time::NEVER => Told::Expected { first, median, last },
        (Some(first), _, _) if first < Time::NEVER => Told::not_before(first, as_of),
        (Some(_), _, _) => Told::NotBefore(horizon),
        (None, _, _) => Told::Nothing,
    }
}

fn read_post(path: &PathBuf) -> Result<Earlier, String> {
    let read = |path: &PathBuf| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read(path).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err("is larger than 1 MiB: it is not ours".to_owned());
    }
    let record: Record = serde_json::from_slice(&bytes).map_err(|error| format!("is not ours: {error}"))?;
    if record.schema_version > SCHEMA_VERSION {
        let theirs = record.schema_version;
        return Err(format!("has shape {theirs}: this version knows shapes up to {SCHEMA_VERSION}"));
    }
    if !(0.0..=1.0).contains(&record.moved_share) {
        return Err(format!("moved_share is {}, must be from 0 to 1", record.moved_share));
    }
    let mut dates = BTreeMap::new();
    for one in record.dates {
        let told = one.told().map_err(|why| format!("\"{}\": {why}", one.milestone))?;
        dates.insert(one.milestone, told);
    }
    let horizon = record.horizon_utc.as_deref().map(instant).transpose()?;
    Ok(Earlier { as_of: instant(&record.as_of_utc)?, horizon, moved_share: Some(record.moved_share), dates })
}

impl DateRecord {
    fn told(&self) -> Result<Told, String> {
        let known = |name: &str, text: &Option<String>| {
            instant(text.as_deref().ok_or_else(|| format!("{} has no {name}", self.state))?)
        };
        match self.state.as_str() {
            "done" => Ok(Told::Done),
            "expected" => {
                let (first, median, last) = (
                    known("first_utc", &self.first_utc)?,
                    known("median_utc", &self.median_utc)?,
                    known("last_utc", &self.last_utc)?,
                );
                let is_ordered = first <= median && median <= last;
                is_ordered
                    .then_some(Told::Expected { first, median, last })
                    .ok_or_else(|| "its dates are out of order".into())
            }
            "not_before" => Ok(Told::NotBefore(known("first_utc", &self.first_utc)?)),
            "unknown" => Ok(Told::Nothing),
            other => Err(format!("state is \"{other}\", must be done, expected, not_before or unknown")),
        }
    }
}

fn instant(text: &str) -> Result<Time, String> {
    let stamp: Timestamp = text.parse().map_err(|error| format!("\"{text}\" is no time: {error}"))?;
    Ok(Time::from_unix_micros(stamp.as_microsecond()))
}
