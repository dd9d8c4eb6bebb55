//! `drawdown run`: the migration itself.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::{Done, Failure, ScenarioArguments, dry_run, progress, told};
use crate::live::clock::Clock;
use crate::live::lines::Lines;
use crate::live::log::{self, Log};
use crate::live::outlook;
use crate::live::preflight::{self, Check, Verdict};
use crate::live::session::{self, Accepted, Ended, Seen, Setting};
use crate::live::status::Status;
use crate::migration::message::{Command, Event, Milestone};
use crate::scenario::{Scenario, Source};
use crate::units::Time;

/// How often the progress is told.
const EVERY: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  drawdown run my.toml --dry-run
  drawdown run my.toml
  drawdown run my.toml --quiet --log json 2>> /var/log/drawdown.json

It begins with the checks of `drawdown preflight`, and with none of them failed. It ends with 0 when everything is off
the heads and purged, 12 when it was stopped, or when mailboxes that were set aside or excluded, or old copies, are left,
1 when it cannot begin or go on.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// No progress on stderr; milestones go to stdout all the same
    #[arg(long, short)]
    quiet: bool,
    /// Log each step to stderr, with effects, users and durations, in place of the progress
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Say what would be done: which mailboxes, where to, what first, what is held back; and do nothing of it
    #[arg(long, conflicts_with = "skip_preflight")]
    dry_run: bool,
    /// Begin although nothing has been checked; the ledger keeps that it was so
    #[arg(long)]
    skip_preflight: bool,
    #[command(flatten)]
    accept: AcceptArguments,
}

/// What a session does not begin with before somebody has looked at it.
#[derive(Clone, Copy, Debug, Args)]
struct AcceptArguments {
    /// The clock is right, although it is behind what the ledger has: the session runs by it
    #[arg(long)]
    accept_clock: bool,
    /// Old copies of earlier sessions may go sooner than was planned then
    #[arg(long)]
    accept_plan: bool,
    /// The stores are the right ones, although they lie on other file systems than in the last session
    #[arg(long)]
    accept_stores: bool,
}

impl From<AcceptArguments> for Accepted {
    fn from(arguments: AcceptArguments) -> Self {
        let AcceptArguments { accept_clock: clock, accept_plan: plan, accept_stores: stores } = arguments;
        Self { clock, plan, stores }
    }
}

/// How a log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A line of words and `name=value`
    Text,
    /// A JSON object a line
    Json,
}

impl From<LogFormat> for log::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  drawdown preflight my.toml && drawdown run my.toml")]
pub(super) struct PreflightArguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown release my.toml
  drawdown release my.toml alice@example.com")]
pub(super) struct ReleaseArguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Release this user alone
    user: Option<String>,
    /// The stores are the right ones, although they lie on other file systems than in the last session
    #[arg(long)]
    accept_stores: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    let site = site(&source, &arguments.scenario.scenario)?;
    let clock = Clock::start(Time::LONG_AGO);
    let log = arguments.log.map(|format| Log::new(format.into(), source.middle(), Box::new(io::stderr())));
    let log = log.transpose()?.map(Arc::new);
    let setting = Setting {
        scenario: source.middle(),
        text: source.resolved(),
        site,
        clock,
        log: log.as_ref(),
        accepted: arguments.accept.into(),
    };
    the_same_stores(&source, &site.ledger)?;
    if arguments.dry_run {
        progress::warn(&remarks(&source));
        let outlook = outlook::look(setting).map_err(|error| Failure::Run(error.to_string()))?;
        told::stdout().write_all(dry_run::page(setting.scenario, &outlook).as_bytes())?;
        return Ok(Done::Complete);
    }
    let ended = migrate(setting, &remarks(&source), source.resolved(), arguments);
    let Some(log) = &log else { return ended };
    // Whoever reads the log reads nothing else, and knows its lines alone.
    let ended = ended.map_err(|failure| match failure {
        Failure::Run(why) => {
            log.say(clock.now(), &why);
            Failure::Logged
        }
        other => other,
    });
    log.finish();
    ended
}

fn migrate(setting: Setting<'_>, remarks: &[String], resolved: &str, arguments: &Arguments) -> Result<Done, Failure> {
    let close = super::forecast::stop_on_interrupt()?;
    free_held(setting)?;
    let messages = Lines::new(Box::new(io::stderr()))?;
    for remark in remarks {
        say(setting, &messages, &format!("warning: {remark}"));
    }
    let preflight = if arguments.skip_preflight {
        "skipped"
    } else {
        pass_preflight(setting, arguments.quiet)?;
        "passed"
    };
    // The ledger keeps it with the scenario, as a comment.
    let text = format!("# preflight: {preflight}\n{resolved}");
    let ended = session(Setting { text: &text, ..setting }, &close, arguments.quiet)?;
    let left = left(&ended);
    for line in &left {
        say(setting, &messages, line);
    }
    Ok(if left.is_empty() { Done::Complete } else { Done::Incomplete })
}

/// What is left on the heads, if anything is.
fn left(ended: &Ended) -> Vec<String> {
    let status = &ended.status;
    if !ended.finished {
        let unpurged: u64 = status.heads.iter().map(|head| head.unpurged).sum();
        let copies = told::counted(unpurged, "old copy", "old copies");
        return vec![format!(
            "ended before all was done: {} of {} mailboxes left, {copies} to be removed{}",
            status.left(),
            status.mailboxes,
            status.halt()
        )];
    }
    let mut left = Vec::new();
    let stay = "still on the heads, and served there";
    let aside = told::counted(status.set_aside(), "mailbox is", "mailboxes are");
    if status.set_aside() > 0 {
        left.push(format!("{aside} set aside: {stay}"));
    }
    let excluded = told::counted(status.excluded(), "mailbox is", "mailboxes are");
    if status.excluded() > 0 {
        left.push(format!("{excluded} excluded by the plan: {stay}"));
    }
    if status.kept() > 0 {
        let copies = told::counted(status.kept(), "old copy is", "old copies are");
        let wait = if status.kept() == 1 { "waits" } else { "wait" };
        let why = "a stopped cohort's, or such as could not be removed";
        left.push(format!("{copies} still on the heads, and {wait} for a person: {why}"));
        // One is tried with others, and then by itself.
        let troubles: BTreeSet<&String> =
            status.troubles.iter().filter(|trouble| trouble.starts_with("purge of ")).collect();
        left.extend(troubles.into_iter().cloned());
    }
    left
}

pub(super) fn preflight(arguments: &PreflightArguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    let site = site(&source, &arguments.scenario.scenario)?;
    progress::warn(&remarks(&source));
    let checks = preflight::check(source.middle(), site, Accepted::default());
    for check in &checks {
        writeln!(told::stdout(), "{}", line(check))?;
    }
    judged(&checks).map(|()| Done::Complete)
}

fn line(Check { what, verdict, found }: &Check) -> String {
    let word = match verdict {
        Verdict::Good => "good",
        Verdict::Doubt => "look",
        Verdict::Bad => "BAD ",
    };
    format!("{word}  {what}: {found}")
}

fn judged(checks: &[Check]) -> Result<(), Failure> {
    match checks.iter().filter(|check| check.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        bad => Err(Failure::Run(format!("{bad} of {} checks failed: the migration cannot begin", checks.len()))),
    }
}

/// Before anything else, which may take its time: nobody stays locked out. With a ledger that is new nobody is.
fn free_held(setting: Setting<'_>) -> Result<(), Failure> {
    if setting.site.ledger.exists() {
        let messages = Lines::new(Box::new(io::stderr()))?;
        if let Err(error) = session::release(setting, None, &|text| say(setting, &messages, text)) {
            say(setting, &messages, &format!("who was left held may still be: {error}"));
        }
    }
    Ok(())
}

/// What is not as it should be is told; with what is bad nothing begins.
fn pass_preflight(setting: Setting<'_>, quiet: bool) -> Result<(), Failure> {
    let checks = preflight::check(setting.scenario, setting.site, setting.accepted);
    // Neither a reader who is slow nor one who is gone keeps a migration from its beginning, or anybody held.
    let messages = Lines::new(Box::new(io::stderr()))?;
    let least = if quiet { Verdict::Bad } else { Verdict::Doubt };
    for check in checks.iter().filter(|check| check.verdict >= least) {
        say(setting, &messages, &line(check));
    }
    judged(&checks)
}

/// Tells people, where there is no log. Neither a reader who is slow nor one who is gone keeps anybody held.
fn say(setting: Setting<'_>, messages: &Lines, text: &str) {
    match setting.log {
        Some(log) => log.say(setting.clock.now(), text),
        None => tell(messages, text),
    }
}

pub(super) fn release(arguments: &ReleaseArguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    let site = site(&source, &arguments.scenario.scenario)?;
    let clock = Clock::start(Time::LONG_AGO);
    let setting = Setting {
        scenario: source.middle(),
        text: source.resolved(),
        site,
        clock,
        log: None,
        accepted: Accepted { stores: arguments.accept_stores, ..Accepted::default() },
    };
    the_same_stores(&source, &site.ledger)?;
    let released = session::release(setting, arguments.user.as_deref(), &|_| {});
    let released = released.map_err(|error| Failure::Run(error.to_string()))?;
    for user in &released.users {
        writeln!(told::stdout(), "{user}: released")?;
    }
    for why in &released.left_alone {
        writeln!(told::stderr(), "{why}")?;
    }
    let not_done: Vec<&str> = released.still_held.iter().chain(&released.untold).map(String::as_str).collect();
    if !not_done.is_empty() {
        return Err(Failure::Run(not_done.join("\n")));
    }
    if released.users.is_empty() {
        writeln!(told::stderr(), "nobody was held")?;
    }
    Ok(Done::Complete)
}

/// What is dubious in the scenario. Which mailboxes there are the directory says here, and no inventory.
pub(super) fn remarks(source: &Source) -> Vec<String> {
    crate::report::remarks(source, false)
}

fn site<'a>(source: &'a Source, path: &std::path::Path) -> Result<&'a crate::scenario::site::Site, Failure> {
    source.site().ok_or_else(|| {
        Failure::Input(format!("{}: has no [site], which says where the migration happens", path.display()))
    })
}

/// A scenario of other stores than the ledger's is a mistake in the scenario: trying again does not help.
pub(super) fn the_same_stores(source: &Source, ledger: &std::path::Path) -> Result<(), Failure> {
    let same = session::same_stores(source.middle(), ledger);
    same.map_err(|error| Failure::Input(format!("{}: {error}", ledger.display())))
}

/// Runs a session and tells people about it. It never waits for who does not read.
fn session(setting: Setting<'_>, close: &Arc<AtomicBool>, quiet: bool) -> Result<Ended, Failure> {
    session_watched(setting, close, quiet, &mut |_| {})
}

/// The same with somebody who looks on.
pub(super) fn session_watched(
    setting: Setting<'_>,
    close: &Arc<AtomicBool>,
    quiet: bool,
    watch: &mut dyn FnMut(&Seen<'_>),
) -> Result<Ended, Failure> {
    let (out, messages) = (Lines::new(Box::new(io::stdout()))?, Lines::new(Box::new(io::stderr()))?);
    let mut teller =
        Teller { scenario: setting.scenario, told: None, quiet, log: setting.log, out, messages: &messages };
    let say = |text: &str| {
        if setting.log.is_some() || !quiet {
            say(setting, &messages, text);
        }
    };
    let ended = session::run(setting, close, &say, &mut |seen| {
        teller.look(seen);
        watch(seen);
    });
    if let Some(log) = setting.log {
        // A worker that hangs keeps it.
        log.finish();
    }
    ended.map_err(|error| Failure::Run(error.to_string()))
}

fn tell(lines: &Lines, text: &str) {
    lines.put(format!("{text}\n"), |missed| format!("({missed} lines are missing here)\n"));
}

/// Tells people how it goes.
struct Teller<'a> {
    scenario: &'a Scenario,
    told: Option<Instant>,
    quiet: bool,
    log: Option<&'a Arc<Log>>,
    out: Lines,
    messages: &'a Lines,
}

impl Teller<'_> {
    fn look(&mut self, seen: &Seen<'_>) {
        for command in seen.commands {
            if let Command::Announce { milestone, .. } = command {
                let mut name = self.scenario.milestone_name(milestone);
                // Its heads have said how many, each by itself.
                if let (Milestone::AllEmptied, aside @ 1..) = (milestone, seen.status().set_aside()) {
                    name = format!("{name} but for {aside} set aside");
                }
                // When an earlier session came to it the ledger knows.
                if matches!(seen.event, Event::Started(start) if start.session > 1) {
                    name += ", as the session begins";
                }
                tell(&self.out, &format!("{} {name}", self.local(seen.now)));
                if *milestone == Milestone::AllEmptied && self.scenario.plan.attempts.wait_for_person {
                    self.ask_for_person(seen);
                }
            }
        }
        let due = self.told.is_none_or(|told| told.elapsed() >= EVERY);
        if due && !self.quiet {
            self.told = Some(progress::now());
            let status = seen.status();
            if let Some(log) = self.log {
                return log.progress(seen.now, status.left(), status.moved, status.faults);
            }
            tell(self.messages, &format!("{} {}", self.local(seen.now), in_short(&status)));
        }
    }

    /// Nothing is left but what was set aside, and the plan waits for whoever sees to that: somebody has to know.
    fn ask_for_person(&self, seen: &Seen<'_>) {
        let aside = seen.status().set_aside();
        if aside > 0 {
            let those = told::counted(aside, "mailbox is", "mailboxes are");
            let text = format!(
                "{those} set aside, and waited for: `drawdown retry` for each that can move again, or `drawdown stop`"
            );
            match self.log {
                Some(log) => log.say(seen.now, &text),
                None => tell(self.messages, &format!("{} {text}", self.local(seen.now))),
            }
        }
    }

    fn local(&self, time: Time) -> String {
        let stamp = Timestamp::from_microsecond(time.unix_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
        stamp.to_zoned_datetime(self.scenario.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// The progress in a line.
pub(super) fn in_short(status: &Status) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{} of {} mailboxes left{}", status.left(), status.mailboxes, status.halt());
    for head in status.heads.iter().filter(|head| head.left > 0 || head.copying > 0) {
        let _ = write!(text, "; {}: {} left, {} copying, {}", head.name, head.left, head.copying, head.binds);
    }
    if let Some(trouble) = status.troubles.last() {
        let _ = write!(text, "; last trouble: {trouble}");
    }
    text
}
