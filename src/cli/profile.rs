//! `drawdown profile`: what is fitted to a measured load.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;

use super::{Done, Failure, told};
use crate::report::{self, files, terminal};
use crate::scenario::{LoadSummary, LoadWishes, read_load};

const EXAMPLES: &str = "\
Examples:
  drawdown profile load.csv --zone America/Toronto
  drawdown profile export.csv --zone Europe/Berlin --time Timestamp --unit % --separator ';'
  drawdown profile load.csv --zone America/Toronto --toml > load.toml
What --toml prints takes the place of a scenario's own [load] table.";

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
        told::stdout().write_all(text.as_bytes())?;
        return Ok(Done::Complete);
    }
    let mut page = terminal::render(&report::load_page(&load, &arguments.zone));
    if let Some(text) = report::load_toml(&load, &arguments.zone, false) {
        page.push_str("\nTO PASTE, with the file beside the scenario; names must be those of its heads\n");
        page.push_str(&text);
        page.push_str("\nOr, without the file, what `--toml` prints.\n");
    }
    // Written before anybody reads: whoever has seen enough of the page, such as `head`, still gets the files.
    let written = (!arguments.no_files).then(|| write(arguments, &load, fitted.as_deref()));
    let printed = told::page().write_all(page.as_bytes());
    if let Some(written) = written {
        let folder = written.map_err(|error| Failure::Run(format!("{}: {error}", arguments.output.display())))?;
        writeln!(told::stderr(), "files in {}", folder.display())?;
    }
    printed?;
    Ok(Done::Complete)
}

/// The chart as a drawing and as a picture, and the TOML.
const NAMES: [&str; 3] = ["profile.svg", "profile.png", "profile.toml"];

/// Writes the chart and the TOML, in place of those that were there.
fn write(arguments: &Arguments, load: &LoadSummary, fitted: Option<&str>) -> io::Result<PathBuf> {
    let stem = arguments.samples.file_stem().unwrap_or_default().to_string_lossy();
    let zone = arguments.zone.iana_name().unwrap_or("UTC");
    let mut written = Vec::new();
    if let Some((svg, png)) = report::load_chart(load, zone)? {
        written.push((NAMES[0].to_owned(), svg.into_bytes()));
        written.push((NAMES[1].to_owned(), png));
    }
    written.extend(fitted.map(|text| (NAMES[2].to_owned(), text.as_bytes().to_vec())));
    let is_ours = |name: &OsStr| NAMES.iter().any(|known| *name == **known);
    files::write_folder(&arguments.output, &format!("{stem}-profile"), &written, &is_ours)
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
