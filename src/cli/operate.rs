//! `drawdown status`, `pause`, `resume` and the other words for a migration that runs.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Done, Failure, ScenarioArguments, progress, told};
use crate::live::control::{Answer, Request, ask};
use crate::live::status::Status;
use crate::scenario::Source;

/// Which migration.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// Its scenario file, which names the socket
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// Another socket than the scenario's
    #[arg(long)]
    socket: Option<PathBuf>,
    /// Leave out rows of the inventory that have problems, where it is read
    #[arg(long)]
    skip_bad_rows: bool,
    /// Let `extends`, an inventory and samples of the load lead out of the scenario's folder
    #[arg(long)]
    allow_path: bool,
}

impl Running {
    /// Its scenario.
    pub(super) fn scenario(&self) -> ScenarioArguments {
        ScenarioArguments {
            scenario: self.scenario.clone(),
            overrides: Vec::new(),
            seed: None,
            skip_bad_rows: self.skip_bad_rows,
            allow_path: self.allow_path,
        }
    }

    /// Its socket, where the scenario is this.
    pub(super) fn socket(&self, source: &Source) -> Result<PathBuf, Failure> {
        let socket = self.socket.clone().or_else(|| source.site().map(|site| site.socket.clone()));
        socket.ok_or_else(|| {
            Failure::Input(format!("{}: has no [site], so it names no socket: give --socket", self.scenario.display()))
        })
    }
}

/// How often somebody who waits for the end looks.
const LOOK: Duration = Duration::from_millis(200);

const STOP_COHORT: &str = "\
Example: the cluster that was filled since two o'clock loses mail
  drawdown stop-cohort my.toml --since 2026-11-25T14:00
  drawdown status my.toml";

/// What to say to it.
#[derive(Debug, Subcommand)]
pub(super) enum Word {
    /// Show how a running migration stands
    #[command(after_help = "Example:\n  drawdown status my.toml")]
    Status {
        #[command(flatten)]
        running: Running,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Start nothing new and suspend the copies of a running migration
    #[command(after_help = "Example:\n  drawdown pause my.toml")]
    Pause(Running),
    /// Let a running migration go on, also after an automatic stop or a wave that waits for a go
    #[command(after_help = "Example:\n  drawdown resume my.toml")]
    Resume(Running),
    /// Cap the streams of a head of a running migration, on top of its plan
    #[command(after_help = "Examples:\n  drawdown pace my.toml head-1 4\n  drawdown pace my.toml head-1 plan")]
    Pace {
        #[command(flatten)]
        running: Running,
        /// The head
        head: String,
        /// At most so many streams, or `plan` for what the plan allows
        streams: String,
    },
    /// Set a mailbox of a running migration aside
    #[command(after_help = "Example:\n  drawdown skip my.toml alice@example.com")]
    Skip {
        #[command(flatten)]
        running: Running,
        /// The user
        user: String,
    },
    /// Try a mailbox of a running migration again that was set aside
    #[command(after_help = "Example:\n  drawdown retry my.toml alice@example.com")]
    Retry {
        #[command(flatten)]
        running: Running,
        /// The user
        user: String,
    },
    /// Move a mailbox of a running migration next
    #[command(after_help = "Example:\n  drawdown move-now my.toml alice@example.com")]
    MoveNow {
        #[command(flatten)]
        running: Running,
        /// The user
        user: String,
    },
    /// Place nothing more on a cluster of a running migration; what is on its way there goes on
    #[command(after_help = "Example:\n  drawdown close-cluster my.toml nas-1")]
    CloseCluster {
        #[command(flatten)]
        running: Running,
        /// The cluster
        cluster: String,
    },
    /// Place mailboxes on a cluster of a running migration again
    #[command(after_help = "Example:\n  drawdown open-cluster my.toml nas-1")]
    OpenCluster {
        #[command(flatten)]
        running: Running,
        /// The cluster
        cluster: String,
    },
    /// Remove no old copies in a running migration until `resume-purges`; a restart does not end it
    #[command(after_help = "Example:\n  drawdown hold-purges my.toml")]
    HoldPurges(Running),
    /// Remove old copies again whose time has come
    #[command(after_help = "Example:\n  drawdown resume-purges my.toml")]
    ResumePurges(Running),
    /// Stop a running migration and keep the old copies of everything that has moved since a time
    ///
    /// No mailbox begins to move before `resume`, and no old copy of what was switched at that time or later is purged,
    /// also not after `resume`: until it is moved back by hand, or removed by hand, it stays behind its fence. What moved
    /// earlier is purged as the plan says.
    #[command(after_help = STOP_COHORT)]
    StopCohort {
        #[command(flatten)]
        running: Running,
        /// The time: 2026-11-25T14:00 in the scenario's time zone, or with an offset, 2026-11-25T14:00:00-05:00
        #[arg(long)]
        since: String,
    },
    /// End a running migration in order, and wait until it has ended: copies are given up, switches finish or back out
    #[command(after_help = "Example:\n  drawdown stop my.toml")]
    Stop(Running),
}

pub(super) fn run(word: &Word) -> Result<Done, Failure> {
    match word {
        Word::Status { running, json } => status(running, *json),
        Word::Pause(running) => order(running, &Request::Pause),
        Word::Resume(running) => order(running, &Request::Resume),
        Word::Pace { running, head, streams } => {
            let streams = match streams.as_str() {
                "plan" => None,
                number => Some(number.parse().map_err(|_| {
                    Failure::Input(format!("streams: {number} is neither a whole number up to 65,534 nor `plan`"))
                })?),
            };
            order(running, &Request::Pace { head: head.clone(), streams })
        }
        Word::Skip { running, user } => order(running, &Request::Skip { user: user.clone() }),
        Word::Retry { running, user } => order(running, &Request::Retry { user: user.clone() }),
        Word::MoveNow { running, user } => order(running, &Request::MoveNow { user: user.clone() }),
        Word::CloseCluster { running, cluster } => order(running, &Request::CloseCluster { cluster: cluster.clone() }),
        Word::OpenCluster { running, cluster } => order(running, &Request::OpenCluster { cluster: cluster.clone() }),
        Word::HoldPurges(running) => order(running, &Request::HoldPurges),
        Word::ResumePurges(running) => order(running, &Request::ResumePurges),
        Word::StopCohort { running, since } => stop_cohort(running, since),
        Word::Stop(running) => stop(running),
    }
}

fn status(running: &Running, json: bool) -> Result<Done, Failure> {
    let (socket, zone) = find(running)?;
    match answered(&socket, &Request::Status)? {
        Answer::Status(status) if json => {
            let text = serde_json::to_string_pretty(&status).map_err(io::Error::from)?;
            writeln!(told::stdout(), "{text}")?;
        }
        Answer::Status(status) => told::stdout().write_all(page(&status, &zone).as_bytes())?,
        Answer::Taken => return Err(Failure::Run("an order was answered in place of a question".to_owned())),
        Answer::Refused(why) => return Err(Failure::Run(why)),
    }
    Ok(Done::Complete)
}

fn order(running: &Running, request: &Request) -> Result<Done, Failure> {
    let (socket, _) = find(running)?;
    match answered(&socket, request)? {
        Answer::Taken => Ok(Done::Complete),
        Answer::Refused(why) => Err(Failure::Input(why)),
        Answer::Status(_) => Err(Failure::Run("a question was answered in place of an order".to_owned())),
    }
}

/// Whoever asks may end the program by force next, as service managers do: that must not come before its own end.
#[allow(clippy::disallowed_methods, reason = "a program is waited for")]
fn stop(running: &Running) -> Result<Done, Failure> {
    order(running, &Request::Close)?;
    let (socket, _) = find(running)?;
    let began = progress::now();
    let mut is_told = false;
    while ask(&socket, &Request::Status).is_ok() {
        if !is_told && began.elapsed() > Duration::from_secs(1) {
            is_told = true;
            writeln!(told::stderr(), "waiting until its switches have finished or are backed out")?;
        }
        std::thread::sleep(LOOK);
    }
    Ok(Done::Complete)
}

fn stop_cohort(running: &Running, since: &str) -> Result<Done, Failure> {
    let (socket, zone) = find(running)?;
    let at = instant(since, &zone).map_err(Failure::Input)?;
    let Answer::Status(status) = answered(&socket, &Request::Status)? else {
        return Err(Failure::Run("a question was not answered".to_owned()));
    };
    // The migration's own time, or this machine's, whichever is later: the last event may be a while ago.
    let latest = Timestamp::from_microsecond(status.at_us).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::now());
    if at > latest {
        let latest = latest.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
        return Err(Failure::Input(format!(
            "--since {since}: lies ahead, it is {latest}; nothing has moved since then"
        )));
    }
    match answered(&socket, &Request::StopCohort { since_us: at.as_microsecond() })? {
        Answer::Taken => {
            let at = at.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
            writeln!(
                told::stdout(),
                "stopped: nothing more moves before `drawdown resume`; the old copies of what was switched since {at} are kept"
            )?;
            Ok(Done::Complete)
        }
        Answer::Refused(why) => Err(Failure::Input(why)),
        Answer::Status(_) => Err(Failure::Run("a question was answered in place of an order".to_owned())),
    }
}

/// An instant with an offset, or of a local time, which must be there once.
fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Ok(stamp);
    }
    let wrong = || {
        format!("--since {text}: must be a time such as 2026-11-25T14:00, or with an offset, 2026-11-25T14:00:00-05:00")
    };
    // A date alone would be its midnight: more likely the time was forgotten.
    if !text.contains([':']) {
        return Err(wrong());
    }
    let local: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
    let once = zone.to_ambiguous_timestamp(local).unambiguous();
    once.map_err(|_| {
        format!("--since {text}: the change of daylight saving skips or repeats it; give it with an offset")
    })
}

/// The socket of the migration, and the time zone of its people.
fn find(running: &Running) -> Result<(PathBuf, TimeZone), Failure> {
    let source: Source = running.scenario().read_without_inventory()?;
    let socket = running.socket(&source)?;
    Ok((socket, source.middle().time_zone.clone()))
}

fn answered(socket: &std::path::Path, request: &Request) -> Result<Answer, Failure> {
    ask(socket, request)
        .map_err(|error| Failure::Run(format!("{}: {error}: no migration answers there", socket.display())))
}

/// Old copies that nothing removes before somebody has looked at them, where there are any.
fn kept(many: u32) -> String {
    match many {
        0 => String::new(),
        1 => "; 1 old copy kept for a person".into(),
        many => format!("; {many} old copies kept for a person"),
    }
}

/// How it stands, for people.
fn page(status: &Status, zone: &TimeZone) -> String {
    use std::fmt::Write as _;
    let mut page = String::new();
    let time = |micros: i64| {
        let stamp = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
        stamp.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let halt = status.halt();
    let _ = writeln!(page, "{}: {} of {} mailboxes left{halt}", status.name, status.left(), status.mailboxes);
    let _ = writeln!(
        page,
        "session {} since {}, as of {}: {} moved ({:.1} GB), {} attempts failed",
        status.session,
        time(status.since_us),
        time(status.at_us),
        status.moved,
        status.moved_bytes as f64 / 1e9,
        status.faults
    );
    for head in &status.heads {
        let load = head.load.map_or("no sample yet".to_owned(), |(load, latency)| {
            format!("load {:.0} %, {:.1} ms", f64::from(load) / 1e4, f64::from(latency) / 1e3)
        });
        let _ = writeln!(
            page,
            "{}: {} left, {} set aside, {} copying; {}; {load}{}",
            head.name,
            head.left,
            head.set_aside,
            head.copying,
            head.binds,
            kept(head.kept)
        );
    }
    for cluster in &status.clusters {
        let used = cluster.used.map_or("no sample yet".to_owned(), |used| {
            format!("{:.1} % of its threshold", 100.0 * used as f64 / cluster.threshold.max(1) as f64)
        });
        let inodes = cluster.inodes.map_or_else(String::new, |inodes| format!("; inodes: {}", inodes.shown()));
        let (name, way, closed) = (&cluster.name, cluster.reserved as f64 / 1e9, cluster.closed_shown());
        let _ = writeln!(page, "{name}: {used}, {way:.1} GB on the way{inodes}{closed}");
    }
    for trouble in &status.troubles {
        let _ = writeln!(page, "trouble: {trouble}");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::status::{ClusterStatus, HeadStatus};

    fn head(name: &str, left: u32, kept: u32) -> HeadStatus {
        HeadStatus {
            name: name.to_owned(),
            left,
            set_aside: 1,
            copying: 8,
            kept,
            binds: "throttle".to_owned(),
            load: Some((620_000, 4_100)),
            ..HeadStatus::default()
        }
    }

    #[test]
    fn the_page_says_first_how_much_is_left() {
        let status = Status {
            name: "A migration".to_owned(),
            session: 2,
            since_us: 1_349_874_000_000_000,
            at_us: 1_349_877_600_000_000,
            mailboxes: 400,
            moved: 30,
            moved_bytes: 2_500_000_000,
            faults: 1,
            paused: true,
            heads: vec![head("head-1", 170, 0), head("head-2", 0, 1), head("head-3", 0, 14)],
            clusters: vec![
                ClusterStatus {
                    name: "nas-1".to_owned(),
                    used: Some(4_000_000_000),
                    reserved: 100_000_000,
                    threshold: 16_000_000_000,
                    ..ClusterStatus::default()
                },
                ClusterStatus { name: "nas-2".to_owned(), closed: true, ..ClusterStatus::default() },
            ],
            troubles: vec!["copy of alice: no room".to_owned()],
            ..Status::default()
        };
        insta::assert_snapshot!(page(&status, &TimeZone::UTC), @r"
        A migration: 170 of 400 mailboxes left, paused by an operator
        session 2 since 2012-10-10 13:00:00, as of 2012-10-10 14:00:00: 30 moved (2.5 GB), 1 attempts failed
        head-1: 170 left, 1 set aside, 8 copying; throttle; load 62 %, 4.1 ms
        head-2: 0 left, 1 set aside, 8 copying; throttle; load 62 %, 4.1 ms; 1 old copy kept for a person
        head-3: 0 left, 1 set aside, 8 copying; throttle; load 62 %, 4.1 ms; 14 old copies kept for a person
        nas-1: 25.0 % of its threshold, 0.1 GB on the way
        nas-2: no sample yet, 0.0 GB on the way; closed until `open-cluster`
        trouble: copy of alice: no room
        ");
    }
}
