//! One move and back, with everything that a real one has: the mover, a directory, holds, fences, the front ends.
//!
//! The mailbox is made for it, under a reserved name, and so is the directory that it lives in: nothing of the site is
//! touched but that folder, which is removed again. A test user of the site's own moves in the site's directory.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::NOBODY;
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::live::clock::Clock;
use crate::live::command::duration;
use crate::live::directory::{Directory, Lease};
use crate::live::front::FrontEnds;
use crate::live::journal::{Journal, Step};
use crate::live::ledger::LedgerError;
use crate::live::maildir::Root;
use crate::live::mover::{Left, Moved, Mover, Name, Neighbours, SwitchWatch, Task};
use crate::live::pace::Pace;
use crate::live::rehearsal::{self, Wanted};
use crate::live::session::{HANGS_AFTER, RESERVED, remove, sweep};
use crate::migration::message::{EffectId, Fault};
use crate::scenario::Scenario;
use crate::scenario::site::{Database, Directory as Place, Site, Statements};
use crate::units::{Bytes, Rate, Time};

/// The mailbox that is made: enough for both folders, new messages and flags.
const MESSAGES: u32 = 24;
const BYTES: Bytes = Bytes::new(120_000);

/// Why a test move has not been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unmoved {
    /// Something is wrong.
    Failed(String),
    /// It could not be tried now, and nothing need be wrong.
    NotTried(String),
}

impl From<String> for Unmoved {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Unmoved {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) head: usize,
    pub(super) cluster: usize,
}

/// Each head and each cluster at least once.
pub(super) fn ways(scenario: &Scenario) -> Vec<Way> {
    let (heads, clusters) = (scenario.heads.len(), scenario.clusters.len());
    (0..heads.max(clusters)).map(|way| Way { head: way % heads, cluster: way % clusters }).collect()
}

/// Moves a mailbox that is made for it, and says what was seen.
///
/// # Errors
/// What went wrong. Nothing is left of it, as far as it could be removed.
pub(super) fn of_its_own(scenario: &Scenario, site: &Site, way: Way) -> Result<String, Unmoved> {
    let roots = [&site.heads[way.head].root, &site.clusters[way.cluster].root];
    let folder = PathBuf::from(format!("{RESERVED}{}", std::process::id()));
    for root in roots {
        sweep(root).map_err(|error| format!("what an earlier preflight has left cannot be removed: {error}"))?;
    }
    let tried = made(scenario, site, way, &folder);
    let mut removed = Ok(());
    for root in roots {
        removed = removed.and(remove(&root.join(&folder)));
    }
    let found = tried?;
    removed.map_err(|error| format!("the test mailbox cannot be removed: {error}"))?;
    Ok(found)
}

fn made(scenario: &Scenario, site: &Site, way: Way, folder: &Path) -> Result<String, Unmoved> {
    let path = folder.join("Maildir");
    let wanted = Wanted { user: NOBODY.to_owned(), head: HeadId(way.head as u8), bytes: BYTES, messages: MESSAGES };
    #[expect(clippy::disallowed_methods, reason = "the messages have dates in the past")]
    let now = SystemTime::now();
    rehearsal::make_at(&site.heads[way.head].root.join(&path), &wanted, now).map_err(told)?;
    let own = tempfile::tempdir().map_err(told)?;
    let users = own.path().join("users.db");
    let user = (NOBODY.to_owned(), scenario.heads[way.head].clone(), path.to_string_lossy().into_owned());
    rehearsal::make_directory(&users, std::iter::once(user)).map_err(told)?;
    let place = Place { database: Database::Sqlite(users), statements: Statements::default_for_sqlite() };
    let directory = Arc::new(Directory::connect(&place, site.timeout).map_err(told)?);
    let trial = Trial { scenario, site, way, name: Name { user: NOBODY.to_owned(), path }, directory };
    trial.there_and_back()
}

/// Moves the site's own test user in the site's own directory, and says what was seen.
///
/// # Errors
/// What went wrong, and where the user lives now.
pub(super) fn of_a_user(scenario: &Scenario, site: &Site, user: &str) -> Result<String, Unmoved> {
    let directory = Arc::new(Directory::connect(&site.directory, site.timeout).map_err(told)?);
    let found = directory.user(user).map_err(told)?.ok_or("the directory does not know it")?;
    let head = scenario.heads.iter().position(|head| *head == found.home);
    // It may have moved with the others by now.
    let elsewhere = || Unmoved::NotTried(format!("it lives on {}, which is no head", found.home));
    let head = head.ok_or_else(elsewhere)?;
    let cluster = scenario.model.clusters.iter().position(|cluster| cluster.in_service <= clock().now());
    let way = Way { head, cluster: cluster.ok_or("no cluster is in service yet")? };
    let name = Name { user: found.name, path: found.path.into() };
    let trial = Trial { scenario, site, way, name, directory: Arc::clone(&directory) };
    trial.there_and_back().map_err(|unmoved| match (unmoved, directory.user(user)) {
        (Unmoved::NotTried(why), _) => Unmoved::NotTried(why),
        (Unmoved::Failed(why), Ok(Some(now))) => Unmoved::Failed(format!("{why}; it lives on {} now", now.home)),
        (Unmoved::Failed(why), Ok(None) | Err(_)) => {
            Unmoved::Failed(format!("{why}; where it lives now cannot be told"))
        }
    })
}

/// A mailbox to be moved and moved back.
struct Trial<'a> {
    scenario: &'a Scenario,
    site: &'a Site,
    way: Way,
    name: Name,
    directory: Arc<Directory>,
}

impl Trial<'_> {
    fn there_and_back(&self) -> Result<String, Unmoved> {
        let (head, cluster) = (&self.site.heads[self.way.head].root, &self.site.clusters[self.way.cluster].root);
        let owner = format!("preflight {}", std::process::id());
        let lease = Lease::take(&self.directory, &owner, clock().latest(), self.site.lease).map_err(told)?;
        let taken =
            || Unmoved::NotTried("a migration has the lease: it runs, or was interrupted a moment ago".to_owned());
        let lease = Arc::new(lease.ok_or_else(taken)?);
        let before = files(&head.join(&self.name.path)).map_err(told)?;
        let moved = self.move_both_ways(&lease, head, cluster);
        // Otherwise it runs out by itself.
        let _ = lease.end();
        moved?;
        let after = files(&head.join(&self.name.path)).map_err(told)?;
        // A mail server may have changed its own indexes when it was told to forget the user.
        let lost = before.iter().filter(|(path, file)| is_message(path) && after.get(*path) != Some(*file)).count();
        if lost > 0 {
            return Err(format!("{lost} messages came back changed, or not at all").into());
        }
        let messages = before.keys().filter(|path| is_message(path)).count();
        Ok(format!("{messages} messages there and back; held, fenced, verified, switched, purged twice"))
    }

    fn move_both_ways(&self, lease: &Arc<Lease>, head: &Path, cluster: &Path) -> Result<(), String> {
        let names = (&self.scenario.heads[self.way.head], &self.scenario.clusters[self.way.cluster]);
        self.move_once(lease, (names.0, head), (names.1, cluster))?;
        self.move_once(lease, (names.1, cluster), (names.0, head)).map_err(|why| format!("on the way back: {why}"))
    }

    fn move_once(&self, lease: &Arc<Lease>, from: (&String, &Path), to: (&String, &Path)) -> Result<(), String> {
        let open = |(name, path): (&String, &Path)| Root::open(path).map(|root| vec![(name.clone(), root)]);
        let troubles = Arc::new(Troubles::default());
        let mover = Mover {
            heads: open(from).map_err(told)?,
            clusters: open(to).map_err(told)?,
            names: RwLock::new(vec![self.name.clone()]),
            directory: Arc::clone(&self.directory),
            lease: Arc::clone(lease),
            clock: clock(),
            front_ends: FrontEnds::new(&self.site.front_ends, self.site.timeout),
            journal: Arc::clone(&troubles) as _,
            moved: Moved::default(),
            neighbours: Neighbours::default(),
            left: Left::default(),
            hold_at_most: duration(self.scenario.plan.copy.hold_at_most),
            drain: self.site.drain,
            hangs_after: HANGS_AFTER,
            // A directory or front end that does not answer is an answer here.
            closing: AtomicBool::new(true),
        };
        let (effect, mailbox) = (EffectId::new(1, 1, 0), MailboxId(0));
        let pace = Arc::new(Pace::new());
        pace.set(1, Rate::UNLIMITED);
        let ticket = pace.enter(effect);
        let why = |fault: Fault| troubles.last().unwrap_or_else(|| format!("{fault:?}"));
        let task = Task { effect, mailbox, from: HeadId(0), to: ClusterId(0) };
        let attempt =
            || mover.copy(task, &ticket).and_then(|arrived| mover.switch(effect, arrived, &SwitchWatch::new()));
        // Once more, as a real one would be: a delivery may have been open for long.
        attempt().or_else(|_| attempt()).map_err(why)?;
        let old = from.1.join(&self.name.path);
        if !fs::symlink_metadata(&old).is_ok_and(|found| found.is_file()) {
            return Err(format!("the fence at {} is not seen", old.display()));
        }
        mover.purge(effect, mailbox, HeadId(0)).map_err(why)
    }
}

/// What the mover says of what goes wrong.
#[derive(Debug, Default)]
struct Troubles(Mutex<Vec<String>>);

impl Troubles {
    fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }
}

impl Journal for Troubles {
    fn step(&self, _: EffectId, _: MailboxId, _: Step) -> Result<(), LedgerError> {
        Ok(())
    }

    fn trouble(&self, doing: &str, why: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{doing}: {why}"));
    }
}

fn clock() -> Clock {
    Clock::start(Time::LONG_AGO)
}

fn told(error: impl Display) -> String {
    error.to_string()
}

fn is_message(path: &Path) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|folder| folder == "cur" || folder == "new")
}

/// Content and date of every file below a folder.
fn files(folder: &Path) -> io::Result<BTreeMap<PathBuf, (Vec<u8>, SystemTime)>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let (path, kind) = (below.join(entry.file_name()), entry.metadata()?);
            if kind.is_dir() {
                folders.push(path);
            } else {
                found.insert(path, (fs::read(entry.path())?, kind.modified()?));
            }
        }
    }
    Ok(found)
}
