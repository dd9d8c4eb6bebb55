//! `drawdown profile`: what is fitted to a measured load.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;

use super::{Done, Failure};
use crate::report::{self, terminal};
use crate::scenario::{LoadSummary, LoadWishes, read_load};

const EXAMPLES: &str = "\
Examples:
  drawdown profile load.csv --zone America/Toronto
  drawdown profile export.csv --zone Europe/Berlin --time Timestamp --unit % --separator ';'
  drawdown profile load.csv --zone America/Toronto --toml >> scenario.toml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The samples, CSV or Parquet: a column of instants, and each other column a load
    samples: PathBuf,
    /// The local time that hours of the week are of, and that instants without an offset from UTC are in
    #[arg(long, default_value = "UTC", value_parser = zone)]
    zone: TimeZone,
    /// The column of instants [default: time or timestamp]
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// The unit of columns whose names do not end in one: op/s or %
    #[arg(long)]
    unit: Option<String>,
    /// What stands between the values: , ; tab |
    #[arg(long, value_parser = separator, default_value = ",")]
    separator: char,
    /// Print only what was fitted, as TOML that a scenario takes in place of the file
    #[arg(long)]
    toml: bool,
    /// Where the folder of the chart and the TOML goes
    #[arg(long, default_value = "output")]
    output: PathBuf,
    /// Write no files
    #[arg(long)]
    no_files: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let wishes = LoadWishes {
        zone: arguments.zone.clone(),
        time: arguments.time.clone(),
        unit: arguments.unit.clone(),
        separator: arguments.separator,
    };
    let load = read_load(&arguments.samples, &wishes).map_err(|problems| Failure::Input(problems.to_string()))?;
    let fitted = report::load_toml(&load, &arguments.zone, true);
    if arguments.toml {
        let whole = fitted.filter(|_| load.columns.iter().all(|column| column.hours.is_ok()));
        let why = || load.columns.iter().find_map(|column| Some((&column.header, column.hours.as_ref().err()?)));
        let text = whole.ok_or_else(|| {
            let (header, why) = why().map_or(("", "nothing was fitted"), |(header, why)| (header, why));
            Failure::Input(format!("{}: column \"{header}\" {why}", arguments.samples.display()))
        })?;
        io::stdout().write_all(text.as_bytes())?;
        return Ok(Done::Complete);
    }
    let mut page = terminal::render(&report::load_page(&load, &arguments.zone));
    if let Some(text) = report::load_toml(&load, &arguments.zone, false) {
        page.push_str("\nTO PASTE, with the file beside the scenario; names must be those of its heads\n");
        page.push_str(&text);
        page.push_str("\nOr, without the file, what `--toml` prints.\n");
    }
    anstream::stdout().write_all(page.as_bytes())?;
    if !arguments.no_files {
        let folder = write(arguments, &load, fitted.as_deref())
            .map_err(|error| Failure::Run(format!("{}: {error}", arguments.output.display())))?;
        writeln!(io::stderr(), "files in {}", folder.display())?;
    }
    Ok(Done::Complete)
}

/// Writes the chart and the TOML, in place of those that were there.
fn write(arguments: &Arguments, load: &LoadSummary, fitted: Option<&str>) -> io::Result<PathBuf> {
    let stem = arguments.samples.file_stem().unwrap_or_default().to_string_lossy();
    let folder = arguments.output.join(format!("{stem}-profile"));
    fs::create_dir_all(&folder)?;
    let zone = arguments.zone.iana_name().unwrap_or("UTC");
    if let Some((svg, png)) = report::load_chart(load, zone)? {
        put(&folder, "profile.svg", svg.as_bytes())?;
        put(&folder, "profile.png", &png)?;
    }
    if let Some(text) = fitted {
        put(&folder, "profile.toml", text.as_bytes())?;
    }
    Ok(folder)
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::write(folder.join(name), bytes)
}

fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "must be an IANA time zone such as America/Toronto or UTC".to_owned())
}

fn separator(text: &str) -> Result<char, String> {
    match text {
        "tab" | "\\t" | "\t" => Ok('\t'),
        "," => Ok(','),
        ";" => Ok(';'),
        "|" => Ok('|'),
        _ => Err("must be one of , ; tab |".to_owned()),
    }
}
