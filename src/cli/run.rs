//! `drawdown run`: the migration itself.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;

use super::{Done, Failure, ScenarioArguments, progress};
use crate::live::clock::Clock;
use crate::live::preflight::{self, Check, Verdict};
use crate::live::session::{self, Ended, Seen, Setting};
use crate::live::status::Status;
use crate::migration::message::Command;
use crate::scenario::{Scenario, Source};
use crate::units::Time;

/// How often the progress is told.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// No progress on stderr; milestones go to stdout all the same
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct PreflightArguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
}

#[derive(Debug, Args)]
pub(super) struct ReleaseArguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Release this user alone
    user: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    let site = site(&source, &arguments.scenario.scenario)?;
    let close = super::forecast::stop_on_interrupt()?;
    let clock = Clock::start(Time::LONG_AGO);
    let setting = Setting { scenario: source.middle(), text: source.resolved(), site, clock };
    let ended = session(setting, &close, arguments.quiet)?;
    Ok(if ended.finished { Done::Complete } else { Done::Incomplete })
}

pub(super) fn preflight(arguments: &PreflightArguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    let site = site(&source, &arguments.scenario.scenario)?;
    let checks = preflight::check(source.middle(), site);
    let mut out = io::stdout();
    for Check { what, verdict, found } in &checks {
        let word = match verdict {
            Verdict::Good => "good",
            Verdict::Doubt => "look",
            Verdict::Bad => "BAD ",
        };
        writeln!(out, "{word}  {what}: {found}")?;
    }
    let bad = checks.iter().filter(|check| check.verdict == Verdict::Bad).count();
    match bad {
        0 => Ok(Done::Complete),
        _ => Err(Failure::Run(format!("{bad} of {} checks failed: the migration cannot begin", checks.len()))),
    }
}

pub(super) fn release(arguments: &ReleaseArguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    let site = site(&source, &arguments.scenario.scenario)?;
    let clock = Clock::start(Time::LONG_AGO);
    let setting = Setting { scenario: source.middle(), text: source.resolved(), site, clock };
    let released = session::release(setting, arguments.user.as_deref());
    let released = released.map_err(|error| Failure::Run(error.to_string()))?;
    for user in &released {
        writeln!(io::stdout(), "{user}: released")?;
    }
    if released.is_empty() {
        writeln!(io::stderr(), "nobody was held")?;
    }
    Ok(Done::Complete)
}

fn site<'a>(source: &'a Source, path: &std::path::Path) -> Result<&'a crate::scenario::site::Site, Failure> {
    source.site().ok_or_else(|| {
        Failure::Input(format!("{}: has no [site], which says where the migration happens", path.display()))
    })
}

/// Runs a session and tells people about it.
pub(super) fn session(setting: Setting<'_>, close: &Arc<AtomicBool>, quiet: bool) -> Result<Ended, Failure> {
    let mut teller = Teller { scenario: setting.scenario, told: None, quiet };
    let say = |text: &str| {
        if !quiet {
            // Nobody who listens is no reason to stop.
            let _ = writeln!(io::stderr(), "{text}");
        }
    };
    let ended = session::run(setting, close, &say, &mut |seen| teller.look(seen));
    ended.map_err(|error| Failure::Run(error.to_string()))
}

/// Tells people how it goes.
struct Teller<'a> {
    scenario: &'a Scenario,
    told: Option<Instant>,
    quiet: bool,
}

impl Teller<'_> {
    fn look(&mut self, seen: &Seen<'_>) {
        for command in seen.commands {
            if let Command::Announce { milestone, .. } = command {
                let milestone = self.scenario.milestone_name(milestone);
                let _ = writeln!(io::stdout(), "{} {milestone}", self.local(seen.now));
            }
        }
        let due = self.told.is_none_or(|told| told.elapsed() >= EVERY);
        if due && !self.quiet {
            self.told = Some(progress::now());
            let _ = writeln!(io::stderr(), "{} {}", self.local(seen.now), in_short(seen.status));
        }
    }

    fn local(&self, time: Time) -> String {
        let stamp = Timestamp::from_microsecond(time.unix_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
        stamp.to_zoned_datetime(self.scenario.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// The progress in a line.
fn in_short(status: &Status) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{} of {} mailboxes left", status.left(), status.mailboxes);
    for head in status.heads.iter().filter(|head| head.left > 0 || head.copying > 0) {
        let _ = write!(text, "; {}: {} left, {} copying, {}", head.name, head.left, head.copying, head.binds);
    }
    if let Some(trouble) = status.troubles.last() {
        let _ = write!(text, "; last trouble: {trouble}");
    }
    text
}
