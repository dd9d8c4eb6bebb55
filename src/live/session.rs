//! A session of the migration, from its start to its end: who may run it, what is where, and everybody who takes part.
//!
//! Users that an earlier session has left held come first: whatever else is true, nobody stays locked out.

mod holds;
mod keeper;
mod past;
mod probes;
mod refuse;
mod remains;
mod roots;

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::clock::Clock;
use super::command::duration;
use super::control::{Desk, Socket};
use super::directory::{Directory, Lease};
use super::facts::{self, Gathered};
use super::front::FrontEnds;
use super::journal::Journal as _;
use super::ledger::{Ledger, Named, NewSession};
use super::log::Log;
use super::maildir;
use super::metrics::Metrics;
use super::mover::{Left, Moved, Mover, Name, Neighbours};
use super::probe::{Probe, Prober, StoreId, Watched};
use super::production::{Arrival, LiveError, Production};
use super::recorder::Recorder;
use super::status::{Moving, Status};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::host;
use crate::migration::Migration;
use crate::migration::message::{CORE_VERSION, Command, Event, Facts, Order, Start};
use crate::migration::plan::Plan;
use crate::scenario::Scenario;
use crate::scenario::site::{Site, Store};
use crate::units::Time;

pub use holds::{Released, release};
pub use refuse::{Accepted, OtherStores, same_stores};

use holds::Holds;
pub(super) use past::Past;
pub(super) use refuse::{OTHER_FILE_SYSTEM, clock_behind, on_other_file_systems, refuse, refuse_other_file_systems};
pub(super) use remains::{RESERVED, remove, sweep};
pub(super) use roots::{Roots, not_mounted};

/// A worker that has been at one piece of its work for so long hangs. No command of a site may take as long.
pub(super) const HANGS_AFTER: Duration = Duration::from_mins(2);

/// What a session needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// What is to be done.
    pub scenario: &'a Scenario,
    /// The scenario's text as it was resolved.
    pub text: &'a str,
    /// Where it is to be done.
    pub site: &'a Site,
    /// The session's time.
    pub clock: Clock,
    /// Where each step is logged, if anywhere.
    pub log: Option<&'a Arc<Log>>,
    /// What somebody has looked at.
    pub accepted: Accepted,
}

/// What has happened in a step, for those who look on.
#[derive(Debug)]
pub struct Seen<'a> {
    /// When.
    pub now: Time,
    /// What has happened.
    pub event: &'a Event,
    /// What is to be done now.
    pub commands: &'a [Command],
    standing: &'a Mutex<Status>,
}

impl Seen<'_> {
    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why there is no session, or why it has ended before it was done.
#[derive(Debug)]
pub struct SessionError(String);

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SessionError {}

/// Makes a session's error of another one.
pub(super) fn failed(doing: impl fmt::Display) -> impl FnOnce(&dyn fmt::Display) -> SessionError {
    move |error| SessionError(format!("{doing}: {error}"))
}

/// How a session has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How it stood.
    pub status: Status,
    /// Whether nothing is left to be done; otherwise somebody has closed it.
    pub finished: bool,
}

/// Runs a session until nothing is left to be done, or until `close` is set. `say` is told what the start is about; `look`
/// sees every step.
///
/// # Errors
/// Why it cannot begin or go on. What was under way has ended or was backed out as far as possible.
pub fn run(
    setting: Setting<'_>,
    close: &Arc<AtomicBool>,
    say: &dyn Fn(&str),
    look: &mut dyn FnMut(&Seen<'_>),
) -> Result<Ended, SessionError> {
    let Setting { scenario, site, clock, accepted, .. } = setting;
    let mut ledger = Ledger::open(&site.ledger).map_err(|error| failed("the ledger")(&error))?;
    refuse_other_file_systems(scenario, site, accepted)?;
    let roots = Roots::open(scenario, site, say);
    let directory = Directory::connect(&site.directory, site.timeout);
    let directory = Arc::new(directory.map_err(|error| failed("the directory")(&error))?);
    let lease = Arc::new(take_lease(&directory, site, clock.latest())?);
    for (store, (name, root)) in site.heads.iter().chain(&site.clusters).zip(roots.heads.iter().chain(&roots.clusters))
    {
        if let Some(error) = (!root.is_absent()).then(|| sweep(&store.root).err()).flatten() {
            say(&format!("{name}: {error}: what an interrupted preflight has left there stays"));
        }
    }
    for (name, root) in roots.heads.iter().filter(|(_, root)| !root.is_absent()) {
        if let Err(error) = maildir::keep_spare(root) {
            say(&format!("{name}: {error}: it has no spare fence, for when it is full"));
        }
    }
    let front_ends = FrontEnds::new(&site.front_ends, site.timeout);
    let number = ledger.next_session().map_err(|error| failed("the ledger")(&error))?;
    let status = Arc::new(Mutex::new(Status::new(scenario, number, clock.now())));

    same_stores(scenario, &site.ledger).map_err(|error| failed("the ledger")(&error))?;
    let mut past = Past::read(&site.ledger)?;
    let session_clock = past.go_on(scenario, clock, accepted);
    let listed = directory.list().map_err(|error| failed("the directory")(&error))?;
    for row in &listed.unusable {
        say(&row.to_string());
    }
    let hold = Holds {
        directory: &directory,
        front_ends: &front_ends,
        lease: &lease,
        roots: &roots,
        past: &past,
        everybody: &listed.users,
    };
    // Whoever cannot be put back now is no reason for the others to wait.
    hold.end_all(&listed.users, say);
    hold.unfence_free(&listed.users, say);
    let clock = session_clock?;
    refuse(scenario, &past, &listed, accepted)?;
    let Gathered { facts, names, elsewhere } = facts::gather(scenario, &past, &listed, &roots, clock.now(), say);
    let plan = plan(scenario, &names, say);
    // Whatever may fail comes before the session is in the ledger.
    let doors = Doors::open(site, &status)?;
    past.tell_standing(scenario, say);
    if let Some(why) = past.stopped() {
        status.lock().unwrap_or_else(PoisonError::into_inner).stays_stopped(why);
    }
    let start = Start { session: number, version: CORE_VERSION, plan, facts };
    let program = env!("CARGO_PKG_VERSION");
    let new = NewSession { start: &start, mailboxes: &names, scenario: setting.text, program };
    ledger.note_stores(&refuse::file_systems(scenario, site)).map_err(|error| failed("the ledger")(&error))?;
    ledger.begin_session(clock.now(), &new).map_err(|error| failed("the ledger")(&error))?;

    if let Some(log) = setting.log {
        log.know(names.iter().map(|named| named.name.clone()));
    }
    let recorder = Recorder::new(ledger, clock, Arc::clone(&status)).with_log(setting.log.cloned());
    let recorder = Arc::new(recorder);
    for why in &elsewhere {
        recorder.trouble("the directory", why);
    }
    let mover = Arc::new(Mover {
        heads: roots.heads,
        clusters: roots.clusters,
        names: RwLock::new(names.iter().map(name_of).collect()),
        directory,
        lease: Arc::clone(&lease),
        clock,
        front_ends,
        journal: Arc::clone(&recorder) as _,
        moved: Moved::known(std::mem::take(&mut past.switched)),
        neighbours: Neighbours::default(),
        left: Left::known(past.in_flight()),
        hold_at_most: duration(scenario.plan.copy.hold_at_most),
        drain: site.drain,
        hangs_after: HANGS_AFTER,
        closing: AtomicBool::new(false),
    });
    mover.remove_left_of(stay(&start));
    let later = openings(scenario, clock.now());
    let mut host = Production::new(
        Arc::clone(&recorder),
        clock,
        Arc::clone(&mover),
        Arc::clone(close),
        Arc::new(start),
        past.standing(),
        later,
    );
    let session =
        Session { setting: Setting { clock, ..setting }, host: &mut host, recorder: &recorder, lease, status: &status };
    session.run(doors, close, &names, look)
}

/// Where others come to a session.
struct Doors {
    socket: Socket,
    metrics: Option<Metrics>,
}

impl Doors {
    fn open(site: &Site, status: &Arc<Mutex<Status>>) -> Result<Self, SessionError> {
        let socket = Socket::make(&site.socket).map_err(|error| failed(site.socket.display())(&error))?;
        let metrics = site.metrics.map(|address| Metrics::open(address, Arc::clone(status)));
        Ok(Self { socket, metrics: metrics.transpose().map_err(|error| failed("the metrics")(&error))? })
    }
}

/// A session in which all is known.
struct Session<'a> {
    setting: Setting<'a>,
    host: &'a mut Production,
    recorder: &'a Arc<Recorder>,
    lease: Arc<Lease>,
    status: &'a Arc<Mutex<Status>>,
}

impl Session<'_> {
    fn run(
        self,
        doors: Doors,
        close: &Arc<AtomicBool>,
        names: &[Named],
        look: &mut dyn FnMut(&Seen<'_>),
    ) -> Result<Ended, SessionError> {
        let Setting { scenario, site, clock, .. } = self.setting;
        let desk = Desk {
            door: self.host.door(),
            status: Arc::clone(self.status),
            heads: scenario.heads.clone(),
            clusters: scenario.clusters.clone(),
            users: names.iter().zip(0..).map(|(named, row)| (named.name.clone(), MailboxId(row))).collect(),
            known: self.host.recorded(),
            close: Arc::clone(close),
        };
        let Doors { socket, metrics } = doors;
        let control = socket.answer(desk).map_err(|error| failed(site.socket.display())(&error))?;
        let prober = probe(scenario, site, clock, self.host.door()).map_err(|error| failed("the probes")(&error))?;
        let lease = self.lease;
        self.recorder.leased(&lease);
        let stores = scenario.heads.iter().chain(&scenario.clusters).cloned().collect();
        let care = probes::look_after(prober, stores, clock, Arc::clone(self.recorder));
        let care = care.map_err(|error| failed("the probes")(&error))?;
        let keeper = keeper::keep(Arc::clone(&lease), site.lease, clock, self.host.door(), Arc::clone(self.recorder));
        let mut machine = Migration::new();
        let (mut moving, mut finished) = (Moving::default(), true);
        let ended = host::run_observed(&mut machine, self.host, clock.now(), |machine, now, event, commands| {
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            status.stepped(machine, now, event, commands, &mut moving);
            // Workers tell their troubles there, and must not wait for whoever looks on.
            drop(status);
            finished &= *event != Event::Operator(Order::EndSession);
            look(&Seen { now, event, commands, standing: self.status });
        });
        drop((control, metrics));
        care.stop();
        keeper.stop();
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match ended {
            Ok(now) => {
                self.recorder.end_session(now).map_err(|error| failed("the ledger")(&error))?;
                // Otherwise it runs out by itself.
                let _ = lease.end();
                Ok(Ended { status, finished })
            }
            Err(error) => {
                self.host.give_up();
                Err(match error {
                    LiveError::Ledger(_) | LiveError::LeaseLost(_) | LiveError::Worker(_) => {
                        SessionError(error.to_string())
                    }
                })
            }
        }
    }
}

/// The plan, with the mailboxes that it names as the session's rows. One that is not on the heads has nothing to be left out of.
pub(super) fn plan(scenario: &Scenario, names: &[Named], say: &dyn Fn(&str)) -> Arc<Plan> {
    let rows: BTreeMap<&str, MailboxId> =
        names.iter().map(|named| named.name.as_str()).zip((0..).map(MailboxId)).collect();
    let (plan, missing) = scenario.plan_for(&|name| rows.get(name).copied());
    for name in missing {
        say(&format!("{name}: named by the plan, and none of the users on the heads"));
    }
    plan
}

/// Takes the lease in the ledger's name: whoever has the ledger open is the only one, so that an earlier process of it is
/// no more, even where its lease has not run out.
fn take_lease(directory: &Arc<Directory>, site: &Site, now: Time) -> Result<Lease, SessionError> {
    let Site { ledger, lease: length, .. } = site;
    let file = std::fs::metadata(ledger).map_err(|error| failed(ledger.display())(&error))?;
    let host = rustix::system::uname();
    // A file system keeps this number over a start of the machine, which may give its device another one.
    let system = rustix::fs::statvfs(ledger.as_path()).map_err(|error| failed(ledger.display())(&error))?.f_fsid;
    let owner = format!("{} {} {system:x}:{}", host.nodename().to_string_lossy(), ledger.display(), file.ino());
    let taken = Lease::take(directory, &owner, now, *length).map_err(|error| failed("the lease")(&error))?;
    taken.ok_or_else(|| {
        SessionError(format!(
            "another ledger's migration has the lease in {}: it runs, or it was interrupted less than {length} ago",
            directory.describe()
        ))
    })
}

/// Mailboxes that do not move as a session begins: they have moved, or are set aside.
fn stay(start: &Start) -> impl Iterator<Item = MailboxId> {
    let Facts { fleet, set_aside, .. } = &start.facts;
    let moved = fleet.ids().filter(|mailbox| fleet.home[mailbox.index()].is_cluster());
    moved.chain(set_aside.iter().map(|(mailbox, _)| *mailbox))
}

/// Clusters that enter service later.
pub(super) fn openings(scenario: &Scenario, now: Time) -> Vec<(Time, Event)> {
    let clusters = (0..).map(ClusterId).zip(&scenario.model.clusters);
    let mut later: Vec<(Time, Event)> = clusters
        .filter(|(_, model)| model.in_service > now)
        .map(|(cluster, model)| (model.in_service, Event::ClusterOpened { cluster }))
        .collect();
    later.sort_by_key(|(at, _)| *at);
    later
}

/// Asks every store at the scenario's intervals.
fn probe(scenario: &Scenario, site: &Site, clock: Clock, door: Sender<Arrival>) -> std::io::Result<Prober> {
    let intervals = &scenario.model.probe;
    let watched =
        |store, site_store: &Store, every| Watched { store, every, probe: Probe::new(site_store, site.timeout) };
    let heads = (0..).map(HeadId).zip(&site.heads);
    let heads = heads.map(|(head, store)| watched(StoreId::Head(head), store, intervals.every));
    let clusters = (0..).map(ClusterId).zip(&site.clusters);
    let clusters = clusters.map(|(cluster, store)| watched(StoreId::Cluster(cluster), store, intervals.clusters_every));
    Prober::start(heads.chain(clusters).collect(), site.timeout, clock, &move |sampled| {
        let _ = door.send(Arrival::Sampled(sampled));
    })
}

fn name_of(named: &Named) -> Name {
    Name { user: named.name.clone(), path: PathBuf::from(&named.path) }
}
