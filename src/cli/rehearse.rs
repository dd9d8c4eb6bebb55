//! `drawdown rehearse`: the plan on real Maildirs in a folder of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use clap::Args;

use super::run::{in_short, session_watched};
use super::{Done, Failure, ScenarioArguments, progress, told};
use crate::fleet::{Fleet, MailboxId, NO_GROUP};
use crate::live::clock::Clock;
use crate::live::ledger::Ledger;
use crate::live::rehearsal::{self, Content, Wanted};
use crate::live::session::{Accepted, Seen, Setting};
use crate::migration::message::{Command, Event, Facts, Milestone};
use crate::migration::plan::{Go, Within};
use crate::scenario::Scenario;
use crate::scenario::site::{Database, Directory, FillProbe, LoadProbe, Site, Statements, Store};
use crate::sim::{self, RunId};
use crate::units::{Bytes, Rate, Span, Time};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown rehearse my.toml
  drawdown rehearse my.toml --scale 1/200 --thin 1/50 --folder /mnt/scratch/rehearsal

Exit codes: 0 all has moved that was to, 1 something was lost or changed, 2 bad usage or
scenario, 12 it has stopped, cannot go on, or has set mailboxes aside.")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// How many of the scenario's mailboxes are made, as `1/1000` or `0.001`
    #[arg(long, default_value = "1/1000", value_parser = fraction)]
    scale: f64,
    /// How much of each mailbox is made
    #[arg(long, default_value = "1/100", value_parser = fraction)]
    thin: f64,
    /// Make it in this folder, which must not exist, and leave it there [default: a temporary folder]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
}

/// Old copies are kept for so long in a rehearsal.
const GRACE: Span = Span::from_secs(5);
/// The user database's name in the folder.
const USERS: &str = "users.db";
const SECOND: Span = Span::from_secs(1);
/// So long after the last thing that was asked for or done nobody expects anything more, with nothing under way.
const PATIENCE: Span = Span::from_secs(20);

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let source = arguments.scenario.read()?;
    super::progress::warn(&crate::report::remarks(&source, true));
    let mut scenario = source.middle().clone();
    let seed = arguments.scenario.seed.unwrap_or(scenario.forecast.seed);
    fewer(&mut scenario, arguments.scale);
    let fleet = sim::fleet(&scenario, RunId { seed, replication: 0 });
    let wanted = wanted(&scenario, &fleet, arguments.thin);
    smaller(&mut scenario, arguments.thin);
    let (folder, _temporary) = folder(arguments.folder.as_deref())?;
    let failed = |error: io::Error| Failure::Run(format!("{}: {error}", folder.display()));
    let site = make(&folder, &scenario, &wanted, arguments.quiet).map_err(failed)?;
    let before = messages(&site.heads).map_err(failed)?;
    let clock = Clock::playing_at(scenario.as_of);
    let close = super::forecast::stop_on_interrupt()?;
    let began = progress::now();
    let setting = Setting {
        scenario: &scenario,
        text: source.resolved(),
        site: &site,
        clock,
        log: None,
        accepted: Accepted::default(),
    };
    let mut stall = Stall { since: scenario.as_of, why: None };
    let ended = session_watched(setting, &close, arguments.quiet, &mut |seen| stall.look(seen, &close))?;
    let took = began.elapsed().as_secs_f64();
    if let Some(why) = stall.why {
        writeln!(told::stderr(), "ended: {why}")?;
    }
    if !ended.finished {
        return Ok(Done::Incomplete);
    }
    let after = messages(&site.clusters).map_err(failed)?;
    let left = messages(&site.heads).map_err(failed)?;
    let staying = rehearsal::paths_on(&folder.join(USERS), &scenario.heads).map_err(failed)?;
    report(&site, &before, &Found { after, left, staying }, took)?;
    let aside = ended.status.set_aside();
    if aside > 0 {
        let troubles = ended.status.troubles.join("; ");
        let those = told::counted(aside, "mailbox was", "mailboxes were");
        writeln!(told::stderr(), "{those} set aside: {troubles}")?;
        return Ok(Done::Incomplete);
    }
    Ok(Done::Complete)
}

/// Sees when a rehearsal cannot go on: nobody is there to add room, or to say that it may.
struct Stall {
    /// When something was last asked for or done.
    since: Time,
    why: Option<String>,
}

impl Stall {
    fn look(&mut self, seen: &Seen<'_>, close: &AtomicBool) {
        let is_sample = matches!(seen.event, Event::HeadSampled { .. } | Event::ClusterSampled { .. } | Event::Wake);
        if !is_sample || seen.commands.iter().any(|command| !matches!(command, Command::SetPace { .. })) {
            self.since = seen.now;
        }
        let has_stopped =
            |command: &Command| matches!(command, Command::Announce { milestone: Milestone::Stopped { .. }, .. });
        let stopped = seen.commands.iter().any(has_stopped);
        if self.why.is_none() && (stopped || seen.now.since(self.since) > PATIENCE) {
            let status = seen.status();
            let under_way = status.heads.iter().any(|head| head.copying > 0 || head.switching > 0);
            if stopped || !under_way {
                let patience = PATIENCE.secs();
                let why = if stopped { String::new() } else { format!("nothing has gone on for {patience} s; ") };
                self.why = Some(format!("{why}{}", in_short(&status)));
                close.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Fewer mailboxes, on clusters that are smaller by as much.
fn fewer(scenario: &mut Scenario, scale: f64) {
    let population = &mut Arc::make_mut(&mut scenario.model).population;
    population.mailboxes = (f64::from(population.mailboxes) * scale).round().max(1.0) as u32;
    if let Some(facts) = &scenario.facts {
        // Of an inventory some, evenly spread whatever its rows alternate between. They have other names here, so that the
        // plan can name none of them.
        let part = (scale * 2_f64.powi(64)) as u64;
        let is_taken = |id: &MailboxId| u64::from(id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) <= part;
        let rows: Vec<MailboxId> = facts.fleet.ids().filter(is_taken).collect();
        population.mailboxes = rows.len() as u32;
        let fleet = Arc::new(facts.fleet.only(&rows));
        scenario.facts = Some(Arc::new(Facts { fleet, ..Facts::default() }));
        scenario.named = Arc::default();
        let order = &mut Arc::make_mut(&mut scenario.plan).order;
        order.excluded.clear();
        order.scheduled.clear();
    }
    scale_clusters(scenario, scale);
}

/// Smaller clusters for thinner mailboxes, and everything that the plan and the probes wait for in seconds.
fn smaller(scenario: &mut Scenario, thin: f64) {
    scale_clusters(scenario, thin);
    let probe = &mut Arc::make_mut(&mut scenario.model).probe;
    (probe.every, probe.clusters_every) = (SECOND, SECOND);
    let plan = Arc::make_mut(&mut scenario.plan);
    plan.copy.purge_after = plan.copy.purge_after.map(|_| GRACE);
    (plan.attempts.backoff, plan.attempts.backoff_cap) = (SECOND, GRACE);
    if scenario.model.population.groups == 0 && plan.order.within == Within::WholeGroups {
        // There is nothing that could move whole, as in the forecast.
        plan.order.within = Within::Inventory;
    }
    // Nobody is there to see to what is set aside, or to let a wave begin; and nobody waits for days.
    plan.attempts.wait_for_person = false;
    plan.order.waves.iter_mut().for_each(|wave| (wave.soak, wave.go) = (SECOND, Go::Automatic));
    plan.order.scheduled.iter_mut().for_each(|(_, at)| *at = scenario.as_of);
    Arc::make_mut(&mut scenario.model).clusters.iter_mut().for_each(|cluster| cluster.in_service = scenario.as_of);
}

fn scale_clusters(scenario: &mut Scenario, by: f64) {
    let scaled = |bytes: Bytes| Bytes::new((bytes.get() as f64 * by).ceil() as u64);
    for cluster in &mut Arc::make_mut(&mut scenario.plan).placement.clusters {
        (cluster.rated, cluster.reserve) = (scaled(cluster.rated), scaled(cluster.reserve));
        cluster.assumed_intake = Rate::per_second(0);
    }
    for cluster in &mut Arc::make_mut(&mut scenario.model).clusters {
        cluster.used = scaled(cluster.used);
    }
}

fn folder(wanted: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    if let Some(path) = wanted {
        fs::create_dir(path).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
        return Ok((path.to_owned(), None));
    }
    let made = tempfile::Builder::new().prefix("drawdown-rehearsal-").tempdir();
    let made = made.map_err(|error| Failure::Run(format!("no temporary folder: {error}")))?;
    Ok((made.path().to_owned(), Some(made)))
}

/// The mailboxes that are on a head.
fn wanted(scenario: &Scenario, fleet: &Fleet, thin: f64) -> Vec<Wanted> {
    let digits = scenario.model.population.mailboxes.to_string().len();
    let rows = fleet.ids().filter_map(|mailbox| {
        let row = mailbox.index();
        let head = fleet.home[row].as_head()?;
        let messages = (f64::from(fleet.messages[row]) * thin).ceil().min(f64::from(fleet.messages[row]));
        let bytes = (fleet.bytes[row].get() as f64 * thin).min(fleet.bytes[row].get() as f64);
        // A name says the group, as that of a customer's user would.
        let group = fleet.group.get(row).filter(|group| **group != NO_GROUP);
        let domain = group.map_or(String::new(), |group| format!("@group-{group:0digits$}.example"));
        Some(Wanted {
            user: format!("user-{row:0digits$}{domain}"),
            head,
            bytes: Bytes::new(bytes as u64),
            messages: messages as u32,
        })
    });
    rows.collect()
}

/// Makes the stores, the mailboxes on the heads, and the user database.
fn make(folder: &Path, scenario: &Scenario, wanted: &[Wanted], quiet: bool) -> io::Result<Site> {
    let bytes: u64 = wanted.iter().map(|wanted| wanted.bytes.get()).sum();
    let messages: u64 = wanted.iter().map(|wanted| u64::from(wanted.messages)).sum();
    if !quiet {
        let megabytes = bytes as f64 / 1e6;
        let shown = folder.display();
        writeln!(
            told::stderr(),
            "making {} mailboxes, {messages} messages, {megabytes:.0} MB in {shown}",
            wanted.len()
        )?;
    }
    let store = |kind: &str, name: &String| -> io::Result<Store> {
        let root = folder.join(kind).join(name);
        fs::create_dir_all(&root)?;
        Ok(Store { root, mount: false, probe: LoadProbe::Unmeasured, fill: FillProbe::Folder })
    };
    let heads = scenario.heads.iter().map(|name| store("heads", name)).collect::<io::Result<Vec<_>>>()?;
    let clusters = scenario.clusters.iter().map(|name| store("clusters", name)).collect::<io::Result<Vec<_>>>()?;
    #[expect(clippy::disallowed_methods, reason = "messages of a rehearsal have dates in the past")]
    let now = SystemTime::now();
    for wanted in wanted {
        rehearsal::make(&heads[wanted.head.index()].root, wanted, now)?;
    }
    let users = folder.join(USERS);
    let entries = wanted.iter().map(|wanted| {
        let path = wanted.path().to_string_lossy().into_owned();
        (wanted.user.clone(), scenario.heads[wanted.head.index()].clone(), path)
    });
    rehearsal::make_directory(&users, entries)?;
    Ok(Site {
        ledger: folder.join("ledger.db"),
        socket: folder.join("drawdown.sock"),
        heads,
        clusters,
        directory: Directory { database: Database::Sqlite(users), statements: Statements::default_for_sqlite() },
        front_ends: Vec::new(),
        timeout: Span::from_secs(10),
        drain: Span::from_secs(30),
        lease: Span::from_secs(60),
        metrics: None,
        test_user: None,
    })
}

/// Every message below the stores: each one that is there under a name, with its content and date.
fn messages(stores: &[Store]) -> io::Result<BTreeMap<String, Vec<Content>>> {
    let mut found: BTreeMap<String, Vec<Content>> = BTreeMap::new();
    let mut folders: Vec<(PathBuf, PathBuf)> =
        stores.iter().map(|store| (store.root.clone(), PathBuf::new())).collect();
    while let Some((root, below)) = folders.pop() {
        for entry in fs::read_dir(root.join(&below))? {
            let entry = entry?;
            let inner = below.join(entry.file_name());
            let in_mail = below.file_name().is_some_and(|name| name == "cur" || name == "new");
            if entry.file_type()?.is_dir() {
                folders.push((root.clone(), inner));
            } else if in_mail {
                found.entry(inner.to_string_lossy().into_owned()).or_default().push(Content::of(&entry.path())?);
            }
        }
    }
    Ok(found)
}

/// What was found in the end.
struct Found {
    /// On the clusters, and on the heads.
    after: BTreeMap<String, Vec<Content>>,
    left: BTreeMap<String, Vec<Content>>,
    /// The mailboxes that the user database has on a head: excluded, or set aside.
    staying: BTreeSet<PathBuf>,
}

impl Found {
    fn stays(&self, message: &str) -> bool {
        Path::new(message).ancestors().any(|above| self.staying.contains(above))
    }

    /// A message where its user is served: an old copy does not count.
    fn served(&self, message: &String) -> Option<&Vec<Content>> {
        if self.stays(message) { self.left.get(message) } else { self.after.get(message) }
    }
}

fn report(site: &Site, before: &BTreeMap<String, Vec<Content>>, found: &Found, took: f64) -> Result<(), Failure> {
    let Found { after, left, .. } = found;
    let stayed = before.keys().filter(|name| found.stays(name)).count();
    let lost = before.keys().filter(|name| found.served(name).is_none()).count();
    let changed = before.iter().filter(|(name, was)| found.served(name).is_some_and(|found| found != *was)).count();
    let strange = after.keys().filter(|name| !before.contains_key(*name)).count();
    let reader = Ledger::read(&site.ledger).map_err(|error| Failure::Run(error.to_string()))?;
    let (mut held, mut copies) = (Vec::new(), 0);
    for session in reader.sessions().map_err(|error| Failure::Run(error.to_string()))? {
        let seen = reader.observations(session.number).map_err(|error| Failure::Run(error.to_string()))?;
        held.extend(seen.switches.iter().filter_map(|switch| switch.held).map(Span::secs));
        copies += seen.copies.len();
    }
    held.sort_by(f64::total_cmp);
    let mut out = told::stdout();
    writeln!(out, "{} messages moved in {copies} copies, {took:.1} s", after.len())?;
    writeln!(out, "lost {lost}, changed {changed}, from nowhere {strange}; left on the heads {}", left.len())?;
    if stayed > 0 {
        writeln!(out, "of these {stayed} of mailboxes that stay there: excluded, or set aside")?;
    }
    if let (Some(median), Some(worst)) = (held.get(held.len() / 2), held.last()) {
        let (median, worst) = (median * 1e3, worst * 1e3);
        writeln!(out, "a user was held for {median:.1} ms (median), {worst:.1} ms at worst")?;
    }
    if lost + changed + strange > 0 {
        return Err(Failure::Run("the clusters do not hold what the heads held".to_owned()));
    }
    Ok(())
}

/// `1/1000` or `0.001`, above 0 and up to 1.
fn fraction(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().map_err(|_| format!("{text} is no number"));
    let value = match text.split_once('/') {
        Some((above, below)) => number(above)? / number(below)?,
        None => number(text)?,
    };
    if value > 0.0 && value <= 1.0 { Ok(value) } else { Err(format!("{text} must be above 0 and at most 1")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message that is missing on the cluster is lost, whatever is left of it on the head; one of a mailbox that stays is not.
    #[test]
    fn an_old_copy_does_not_make_up_for_a_message_that_has_not_arrived() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.host");
        fs::write(&path, "mail").unwrap();
        let mail = |name: &str| BTreeMap::from([(name.to_owned(), vec![Content::of(&path).unwrap()])]);
        let (moved, stays) = ("example.com/alice/Maildir/cur/1.host", "example.com/bob/Maildir/cur/1.host");
        let left = mail(moved).into_iter().chain(mail(stays)).collect();
        let staying = BTreeSet::from([PathBuf::from("example.com/bob/Maildir")]);
        let found = Found { after: BTreeMap::new(), left, staying };
        assert_eq!(found.served(&moved.to_owned()), None);
        assert!(found.served(&stays.to_owned()).is_some() && found.stays(stays) && !found.stays(moved));
    }
}
