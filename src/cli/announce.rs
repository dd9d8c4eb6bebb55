//! `drawdown announce`.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::forecast::{self, Made, stem, stop_on_interrupt};
use super::{Done, Failure, ScenarioArguments, progress, simulate, told};
use crate::report::announcement::earlier::{self, Earlier};
use crate::report::announcement::template::{Form, Template};
use crate::report::announcement::{Announcement, EVERY_MAX};
use crate::report::files;
use crate::scenario::{Scenario, parse_span};
use crate::units::Span;

/// The texts of a post, by form.
const FILES: [(Form, &str); 2] = [(Form::Markdown, "announcement.md"), (Form::Text, "announcement.txt")];

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown announce my.toml
  drawdown announce my.toml --from ledger.sqlite --since posts/october-3 --output posts/october-10
  drawdown announce my.toml --template post.md.j2 --markdown

Dates are told as the range that 80 % of the replications fall in. docs/announce.md has what a template can say.")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Exactly this many replications, in place of the file's stop rule
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    replications: Option<u32>,
    /// Threads to simulate on; the result does not depend on it [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Start from where a running migration stands: its ledger
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "LEDGER")]
    from: Option<PathBuf>,
    /// Tell what has changed since the last post: its folder, or that of a forecast
    #[arg(long, value_name = "DIR")]
    since: Option<PathBuf>,
    /// The next post is due after so long; ten days at most
    #[arg(long, value_name = "SPAN", default_value = "10 days", value_parser = every)]
    every: Span,
    /// In place of a built-in template: one whose name ends in .md or .txt, or in .md.j2 or .txt.j2; once for each form
    #[arg(long, value_name = "FILE")]
    template: Vec<PathBuf>,
    /// Where the folder of the post's files goes
    #[arg(long, default_value = "output")]
    output: PathBuf,
    #[command(flatten)]
    printed: Printed,
    /// Write no files
    #[arg(long)]
    no_files: bool,
    /// No progress and no measurements on stderr
    #[arg(long, short)]
    quiet: bool,
}

/// What stdout gets.
#[derive(Clone, Copy, Debug, Args)]
struct Printed {
    /// Print Markdown in place of text
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON in place of text: what a later post is held against
    #[arg(long)]
    json: bool,
}

/// A day at least, and no more than readers may be left without word.
fn every(text: &str) -> Result<Span, String> {
    let span = parse_span(text)?;
    if span < Span::from_secs(86_400) || span > EVERY_MAX {
        return Err(format!("{text} is not from 1 day to {:.0} days", EVERY_MAX.days()));
    }
    Ok(span)
}

impl Arguments {
    fn forecast(&self) -> forecast::Arguments {
        forecast::Arguments {
            scenario: self.scenario.clone(),
            replications: self.replications,
            shares: None,
            threads: self.threads,
            #[cfg(target_os = "linux")]
            from: self.from.clone(),
            baseline: None,
            output: self.output.clone(),
            json: false,
            no_files: true,
            quiet: self.quiet,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let asked = arguments.forecast();
    // What is wrong with any of it comes before anything is simulated.
    let (templates, earlier) = read(arguments)?;
    let from = simulate::read(&asked)?;
    if let Some(earlier) = &earlier {
        refuse(earlier, from.0.middle())?;
    }
    let stop = stop_on_interrupt()?;
    // What is dubious is said as it is read, and in no post: posts are public.
    let Made { forecast, facts, .. } = forecast::make_from(&asked, from, None, &stop)?;
    if forecast.rule.interrupted {
        writeln!(told::stderr(), "ended early: no post is made of it")?;
        return Ok(Done::Incomplete);
    }
    let post = Announcement::new(&forecast, earlier.as_ref(), arguments.every);
    let [markdown, text] = templates.map(|template| template.render(&post));
    let (markdown, text) = (markdown.map_err(Failure::Input)?, text.map_err(Failure::Input)?);
    let json = post.json().map_err(io::Error::from)?;
    let shown = match (arguments.printed.json, arguments.printed.markdown) {
        (true, _) => &json,
        (_, true) => &markdown,
        _ => &text,
    };
    let printed = told::stdout().write_all(shown.as_bytes());
    let began = progress::now();
    let folder = if arguments.no_files { None } else { Some(write(arguments, &markdown, &text, &json)?) };
    let files = folder.map(|folder| (folder, began.elapsed()));
    if !arguments.quiet {
        forecast::measurements(&forecast, &facts, files.as_ref().map(|(folder, took)| (folder.as_path(), *took)));
    }
    printed?;
    Ok(Done::Complete)
}

/// The templates by form, Markdown first, and the earlier post; all that is wrong with them at once.
fn read(arguments: &Arguments) -> Result<([Template; 2], Option<Earlier>), Failure> {
    let mut wrong = Vec::new();
    let mut templates = FILES.map(|(form, _)| (Template::built_in(form), None::<&Path>));
    for path in &arguments.template {
        match Template::read(path) {
            Ok(template) => {
                let place = usize::from(template.form() == Form::Text);
                if let Some(other) = templates[place].1.replace(path) {
                    wrong.push(format!("--template: {} and {} make the same form", other.display(), path.display()));
                }
                templates[place].0 = template;
            }
            Err(why) => wrong.push(why),
        }
    }
    let since = arguments.since.as_ref().map(|folder| Earlier::read(folder, &stem(&arguments.scenario.scenario)));
    let earlier = since.transpose().unwrap_or_else(|why| {
        wrong.push(format!("--since: {why}"));
        None
    });
    if wrong.is_empty() {
        Ok((templates.map(|(template, _)| template), earlier))
    } else {
        Err(Failure::Input(wrong.join("\n")))
    }
}

/// A post of another migration, or of a later day, is none that this one follows.
fn refuse(earlier: &Earlier, scenario: &Scenario) -> Result<(), Failure> {
    let names: Vec<String> = scenario.milestones.iter().map(|one| scenario.milestone_name(one)).collect();
    if earlier.as_of() > scenario.as_of {
        let (then, now) = (earlier.as_of(), scenario.as_of);
        let later = format!("{:.1}", then.since(now).days());
        return Err(Failure::Input(format!(
            "--since: that post is {later} days later than the start of this forecast"
        )));
    }
    // Each migration has "all emptied".
    if !earlier.tells_of(names.iter().map(String::as_str).filter(|name| *name != "all emptied")) {
        return Err(Failure::Input("--since: that post tells of no head or cluster of this scenario".to_owned()));
    }
    Ok(())
}

fn write(arguments: &Arguments, markdown: &str, text: &str, json: &str) -> Result<PathBuf, Failure> {
    let folder = format!("{}{}", stem(&arguments.scenario.scenario), earlier::SUFFIX);
    let names = FILES.map(|(_, name)| name);
    let files = [(names[0], markdown), (names[1], text), (earlier::NAME, json)];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let is_ours = |name: &OsStr| files.iter().any(|(ours, _)| *name == **ours);
    let written = files::write_folder(&arguments.output, &folder, &files, &is_ours);
    written.map_err(|error| Failure::Run(format!("{}: {error}", arguments.output.display())))
}
