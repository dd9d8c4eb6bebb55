//! From what a scenario says of its samples to what was fitted: the file is found, opened, read and fitted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::columns::{Columns, Wishes};
use super::series::{Rows, Series};
use super::{LoadColumn, LoadFit, LoadLevel, LoadSummary, days, fit, look};
use crate::scenario::calendar;
use crate::scenario::files::Folder;
use crate::scenario::inventory::csv::Csv;
use crate::scenario::inventory::parquet::Parquet;
use crate::scenario::inventory::trouble::Trouble;
use crate::scenario::inventory::{PARQUET_MAX, SEPARATORS, begins_as_parquet, hexadecimal, open};
use crate::scenario::item::Item;
use crate::scenario::reader::Reader;
use crate::units::{Span, Time};

/// What a scenario says of its file of samples.
pub(super) struct Request {
    /// As the scenario writes it.
    pub(super) file: String,
    pub(super) path: PathBuf,
    pub(super) separator: u8,
    pub(super) wishes: Wishes,
    pub(super) fit: LoadFit,
    pub(super) level: LoadLevel,
}

impl Request {
    pub(super) fn of(
        load: &Item,
        item: &Item,
        heads: &[String],
        folder: Option<&Folder>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let wishes = Wishes::read(load, heads, reader);
        let fit = match load.get("fit").and_then(Item::text) {
            Some("hours") => LoadFit::Hours,
            Some(_) => LoadFit::Days,
            None => {
                if load.get("fit").is_none() {
                    let choice = "\"hours\" (means by the hour of the week, with noise) or \"days\" (measured days, drawn by weekday)";
                    reader.problem(load, format!("needs `fit` beside csv: {choice}"));
                }
                return None;
            }
        };
        let level = match load.get("level").and_then(Item::text) {
            Some("measured") => LoadLevel::Measured,
            Some("measured-with-moved") => LoadLevel::MeasuredWithMoved,
            Some(_) | None => LoadLevel::Population,
        };
        let file = item.text()?;
        let Some(folder) = folder else {
            reader.problem(item, "a text without a folder cannot have a file of samples");
            return None;
        };
        let path = match folder.beside(&item.place, file) {
            Ok(path) => path,
            Err(message) => {
                reader.problem(item, message);
                return None;
            }
        };
        let separator = load.get("separator").and_then(Item::text).unwrap_or(",");
        let separator = SEPARATORS.iter().find(|known| known.0 == separator).map_or(b',', |known| known.1);
        Some(Self { file: file.to_owned(), path, separator, wishes, fit, level })
    }

    /// Reads the file and fits it; what is wrong is told.
    pub(super) fn read(&self, zone: &TimeZone, trouble: &mut Trouble) -> Option<LoadSummary> {
        let stamps = self.wishes.zone.clone().unwrap_or_else(|| zone.clone());
        match self.samples(&stamps, trouble) {
            Ok(Some((columns, series, sha256))) if !trouble.is_bad() => {
                self.summary(&columns, &series, sha256, zone, trouble)
            }
            Ok(_) => None,
            Err(error) => {
                trouble.of_file(format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn samples(&self, zone: &TimeZone, trouble: &mut Trouble) -> io::Result<Option<(Columns, Series, String)>> {
        let (mut file, size) = open(&self.path)?;
        let Some(is_parquet) = begins_as_parquet(&mut file, &self.path, trouble)? else { return Ok(None) };
        if is_parquet { self.parquet(file, size, zone, trouble) } else { self.csv(file, zone, trouble) }
    }

    fn csv(&self, file: File, zone: &TimeZone, trouble: &mut Trouble) -> io::Result<Option<(Columns, Series, String)>> {
        let mut csv = Csv::new(file, self.separator).with_each("sample");
        let Some(header) = csv.header(trouble)? else { return Ok(None) };
        let Some(columns) = Columns::find(&header, &self.wishes, Some(self.separator), trouble) else {
            return Ok(None);
        };
        let mut rows = Rows::new(&columns, zone);
        let places = columns.places();
        while let Some(block) = csv.block(&places, trouble)? {
            if !rows.take(&block, trouble) {
                break;
            }
        }
        let series = rows.finish(trouble);
        Ok(Some((columns, series, csv.finish()?)))
    }

    fn parquet(
        &self,
        file: File,
        size: u64,
        zone: &TimeZone,
        trouble: &mut Trouble,
    ) -> io::Result<Option<(Columns, Series, String)>> {
        if size > PARQUET_MAX {
            trouble.of_file(format!("has {size} bytes, a Parquet file has at most {PARQUET_MAX}"));
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(size as usize);
        file.take(PARQUET_MAX).read_to_end(&mut bytes)?;
        let sha256 = hexadecimal(&Sha256::digest(&bytes));
        let Some(mut parquet) = Parquet::open(bytes, trouble) else { return Ok(None) };
        let Some(columns) = Columns::find(&parquet.header(), &self.wishes, None, trouble) else { return Ok(None) };
        let mut rows = Rows::new(&columns, zone);
        let places = columns.places();
        while let Some(block) = parquet.block(&places, trouble) {
            if !rows.take(&block, trouble) {
                break;
            }
        }
        let series = rows.finish(trouble);
        Ok(Some((columns, series, sha256)))
    }

    fn summary(
        &self,
        columns: &Columns,
        series: &Series,
        sha256: String,
        zone: &TimeZone,
        trouble: &mut Trouble,
    ) -> Option<LoadSummary> {
        let interval = look::interval(&series.at).map_err(|message| trouble.of_file(message)).ok()?;
        let (from, until) = (*series.at.first()?, *series.at.last()?);
        let offsets = calendar::offsets(zone, from, until);
        let local_s = local_seconds(&series.at, &offsets);
        let grid = look::grid(&series.at, interval);
        let mut found = Vec::with_capacity(columns.loads.len());
        for (column, values) in columns.loads.iter().zip(&series.values) {
            if values.iter().all(|value| value.is_nan()) {
                trouble.of_file(format!("column \"{}\" is empty", column.header));
                continue;
            }
            let samples = fit::Samples { local_s: &local_s, grid: &grid, values, interval };
            let hours = fit::hours(&samples);
            let spikes = hours.as_ref().map(|fit| fit.1.clone()).unwrap_or_default();
            let days = days::Samples { at: &series.at, values, offsets: &offsets, interval };
            found.push(LoadColumn {
                name: column.name.clone(),
                header: column.header.clone(),
                is_share: column.is_share,
                max: values.iter().copied().fold(0.0, f64::max),
                zeros: values.iter().filter(|value| **value == 0.0).count() as u64,
                gaps: look::gaps(&series.at, values, interval),
                spikes: spikes.len() as u64,
                highest: look::highest(&series.at, values, &spikes),
                hours: hours.map(|fit| fit.0),
                days: days::days(&days),
            });
        }
        Some(LoadSummary {
            file: self.file.clone(),
            sha256,
            fit: self.fit,
            level: self.level,
            samples: series.at.len() as u64,
            from,
            until,
            interval,
            columns: found,
            unread: columns.unread.clone(),
        })
    }
}

/// Local seconds since 1970-01-01 of instants that rise.
fn local_seconds(at: &[Time], offsets: &[(Time, Span)]) -> Vec<i64> {
    let mut change = 0;
    let local = |at: &Time| {
        while offsets.get(change + 1).is_some_and(|(from, _)| from <= at) {
            change += 1;
        }
        let offset = offsets.get(change).map_or(0, |(_, offset)| offset.micros());
        (at.unix_micros() + offset).div_euclid(1_000_000)
    };
    at.iter().map(local).collect()
}
