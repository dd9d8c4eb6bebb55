//! `drawdown watch`: a running migration on a page of its own, with the forecast from where it stands.
//!
//! Nothing here touches the migration: it is asked over its socket as `status` asks it, and its ledger is read as
//! `forecast --from` reads it.

pub(super) mod course;
mod screen;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::operate::Running;
use super::{Done, Failure, ScenarioArguments, progress};
use crate::live::control::{Answer, Request, ask};
use course::Course;
use screen::Page;

const EXAMPLES: &str = "\
Examples:
  drawdown watch my.toml
  drawdown watch my.toml --forecast-every 60 --replications 200

q ends the page and leaves the migration as it is.";

/// How often the migration is asked how it stands.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A ledger that cannot be read, or has no session yet, is read again after this.
const AGAIN: Duration = Duration::from_secs(20);
/// How long a key may wait for its answer.
const KEYS_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    running: Running,
    /// Another ledger than the scenario's, to forecast from
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// Forecast anew after so many minutes, on one thread; 0: never
    #[arg(long, default_value_t = 10, value_name = "MINUTES")]
    forecast_every: u32,
    /// Replications of each forecast
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    replications: u32,
}

/// What the page is told.
enum News {
    /// The migration's answer, or why there is none.
    Status(Result<Answer, String>),
    /// What the ledger says and what may come of it, or why that is not known.
    Course(Result<Course, String>),
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let scenario = arguments.running.scenario();
    let source = scenario.read()?;
    let socket = arguments.running.socket(&source)?;
    let ledger = arguments.ledger.clone().or_else(|| source.site().map(|site| site.ledger.clone()));
    if !std::io::stdout().is_terminal() {
        return Err(Failure::Input("watch: needs a terminal; `drawdown status` prints how it stands".to_owned()));
    }
    // As `run` says it: it stands above where the page was, once that has ended.
    progress::warn(&super::run::remarks(&source));
    let (tell, news) = channel();
    start("asks", follow_status(socket, tell.clone()))?;
    if let Some(ledger) = ledger.filter(|_| arguments.forecast_every > 0) {
        let every = Duration::from_mins(u64::from(arguments.forecast_every));
        start("forecasts", follow_course(scenario, ledger, arguments.replications, every, tell))?;
    }
    let page = Page::new(source.middle().name.clone(), source.middle().time_zone.clone());
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, page, &news);
    ratatui::try_restore()?;
    shown.map(|()| Done::Complete)
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    // It ends with the program: what it waits for may never come.
    thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(())
}

fn show(terminal: &mut ratatui::DefaultTerminal, mut page: Page, news: &Receiver<News>) -> Result<(), Failure> {
    loop {
        for told in news.try_iter() {
            match told {
                News::Status(Ok(Answer::Status(status))) => page.stands(*status),
                News::Status(Ok(Answer::Refused(why)) | Err(why)) => page.silent(why),
                News::Status(Ok(Answer::Taken)) => {}
                News::Course(course) => page.course(course),
            }
        }
        terminal.draw(|frame| page.draw(frame))?;
        if event::poll(KEYS_EVERY)?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(());
            }
        }
    }
}

fn follow_status(socket: PathBuf, tell: Sender<News>) -> impl FnOnce() {
    move || loop {
        let answer = ask(&socket, &Request::Status).map_err(|error| format!("{}: {error}", socket.display()));
        if tell.send(News::Status(answer)).is_err() {
            return;
        }
        thread::park_timeout(ASK_EVERY);
    }
}

fn follow_course(
    scenario: ScenarioArguments,
    ledger: PathBuf,
    replications: u32,
    every: Duration,
    tell: Sender<News>,
) -> impl FnOnce() {
    move || loop {
        let course = look(&scenario, &ledger, replications);
        let wait = if course.is_ok() { every } else { AGAIN };
        if tell.send(News::Course(course)).is_err() {
            return;
        }
        thread::park_timeout(wait);
    }
}

fn look(scenario: &ScenarioArguments, ledger: &Path, replications: u32) -> Result<Course, String> {
    let said = |failure| match failure {
        Failure::Input(why) | Failure::Run(why) => why,
        Failure::Logged => "the log says why".to_owned(),
        Failure::ClosedPipe => "nobody reads any more".to_owned(),
    };
    let past = course::past(ledger)?;
    let never = AtomicBool::new(false);
    let forecast = super::forecast::from_ledger(scenario, ledger, replications, &never).map_err(said)?;
    Ok(Course::new(past, &forecast))
}
