//! `drawdown trace`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Done, Failure, ScenarioArguments, progress};
use crate::forecast::draw::uniform;
use crate::report;
use crate::report::trace::{CSV_HEADER, TraceLine, TraceLines, csv, text};
use crate::scenario::Scenario;
use crate::sim::{self, RunId};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown trace my.toml --limit 200
  drawdown trace my.toml --replication 17 --csv replication-17.csv")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Number of the replication, as the forecast's files have it
    #[arg(long, default_value_t = 0)]
    replication: u32,
    /// Write the lines to this CSV file too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Stop after this many events
    #[arg(long)]
    limit: Option<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    progress::warn(&report::remarks(&source, true));
    let seed = arguments.scenario.seed.unwrap_or(source.middle().forecast.seed);
    let run = RunId { seed, replication: arguments.replication };
    let scenario = source.realise(&mut |key| uniform(run, key));
    let mut sink = Sink::open(arguments)?;
    let mut lines = TraceLines::new(&scenario);
    // The simulation cannot be left half-way; after the limit, or when nobody reads and no file is written, its rows are dropped.
    let mut result = Ok(());
    sim::trace(&scenario, run, &mut |row| {
        if result.is_ok()
            && sink.left > 0
            && let Some(line) = lines.push(row)
        {
            result = sink.write(&scenario, &line);
        }
    });
    result?;
    if let Some(line) = lines.finish() {
        sink.write(&scenario, &line)?;
    }
    sink.flush()?;
    Ok(Done::Complete)
}

/// A file that was asked for; its name is told where it cannot be written.
struct CsvFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl CsvFile {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| failed(path, &error))?;
        let mut created = Self { path: path.to_owned(), file: BufWriter::new(file) };
        created.write(CSV_HEADER)?;
        Ok(created)
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Run(format!("{}: {error}", path.display()))
}

/// Where the lines go.
struct Sink {
    left: u64,
    /// None when nobody reads it any more and there is a file to be finished.
    text: Option<BufWriter<io::Stdout>>,
    csv: Option<CsvFile>,
}

impl Sink {
    fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let csv = arguments.csv.as_deref().map(CsvFile::create).transpose()?;
        let left = arguments.limit.unwrap_or(u64::MAX);
        Ok(Self { left, text: Some(BufWriter::new(io::stdout())), csv })
    }

    fn write(&mut self, scenario: &Scenario, line: &TraceLine) -> Result<(), Failure> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        if let Some(file) = &mut self.csv {
            file.write(&csv(scenario, line))?;
        }
        Ok(self.say(|out| out.write_all(text(scenario, line).as_bytes()))?)
    }

    /// A reader that has seen enough, such as `head`, ends the text alone: a file that was asked for is written to its end.
    fn say(&mut self, write: impl FnOnce(&mut BufWriter<io::Stdout>) -> io::Result<()>) -> io::Result<()> {
        match self.text.as_mut().map_or(Ok(()), write) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.csv.is_some() => {
                // What it still holds is for nobody, and must not be tried again.
                let _ = self.text.take().map(BufWriter::into_parts);
                Ok(())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if let Some(CsvFile { path, file }) = &mut self.csv {
            file.flush().map_err(|error| failed(path, &error))?;
        }
        Ok(self.say(BufWriter::flush)?)
    }
}
