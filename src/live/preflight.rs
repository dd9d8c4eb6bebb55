//! What has to be true before a migration begins, looked at one by one. Nothing is held, moved or sent away; on each store a
//! folder is made and removed again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::directory::{Directory, State, User};
use super::front::FrontEnds;
use super::maildir::Root;
use super::probe::{Probe, ProbeError};
use crate::migration::plan::ClusterPlan;
use crate::scenario::Scenario;
use crate::scenario::site::{Site, Store};
use crate::units::Span;

/// Maildirs that are looked for, at most.
const LOOKED_FOR: usize = 10_000;
/// With fewer free inodes a cluster is worth a second look.
const INODES_FEW: u64 = 1_000_000;
/// Nobody has this name: caches and sessions of it are nobody's.
const NOBODY: &str = "drawdown-preflight-nobody";

/// How a check has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It may be meant so; somebody should look.
    Doubt,
    /// The migration cannot begin.
    Bad,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How it has ended.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
}

/// Looks at everything that can be looked at without moving anything.
#[must_use]
pub fn check(scenario: &Scenario, site: &Site) -> Vec<Check> {
    let mut checks = Checks(Vec::new());
    checks.ledger(site);
    let heads = scenario.heads.iter().zip(&site.heads);
    for (name, store) in heads {
        checks.store(name, store, site.timeout);
    }
    let clusters = scenario.clusters.iter().zip(&site.clusters).zip(&scenario.plan.placement.clusters);
    for ((name, store), plan) in clusters {
        checks.store(name, store, site.timeout);
        checks.room(name, store, plan, site.timeout);
    }
    checks.directory(scenario, site);
    checks.front_ends(site);
    checks.0
}

struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, what: impl fmt::Display, verdict: Verdict, found: impl fmt::Display) {
        self.0.push(Check { what: what.to_string(), verdict, found: found.to_string() });
    }

    fn ledger(&mut self, site: &Site) {
        let what = format!("ledger {}", site.ledger.display());
        let folder = site.ledger.parent().unwrap_or_else(|| Path::new("/"));
        let device = match fs::metadata(folder) {
            Ok(found) => found.dev(),
            Err(error) => return self.add(what, Verdict::Bad, error),
        };
        if let Err(error) = tempfile::tempfile_in(folder) {
            return self.add(what, Verdict::Bad, format!("its folder cannot be written: {error}"));
        }
        let stores = site.heads.iter().chain(&site.clusters);
        let shared = stores.filter(|store| fs::metadata(&store.root).is_ok_and(|found| found.dev() == device)).count();
        if shared > 0 {
            let found =
                format!("lies on the file system of {shared} of the stores: a full or failing one would stop it");
            return self.add(what, Verdict::Doubt, found);
        }
        self.add(what, Verdict::Good, "can be written, on storage of its own");
    }

    fn store(&mut self, name: &str, store: &Store, timeout: Span) {
        let what = format!("{name} at {}", store.root.display());
        match Root::open(&store.root).and_then(|_| try_rights(&store.root)) {
            Ok(()) => {
                self.add(&what, Verdict::Good, "files are made, owned, dated, linked, renamed, synced and removed");
            }
            Err(error) => return self.add(what, Verdict::Bad, error),
        }
        let mut probe = Probe::new(store, timeout);
        let mut sample = probe.sample();
        if let Err(ProbeError::Missing(_)) = sample {
            std::thread::park_timeout(std::time::Duration::from_secs(1));
            sample = probe.sample();
        }
        match sample {
            Ok(found) => {
                let (load, latency) = (found.utilisation, found.latency.secs() * 1e3);
                self.add(format!("probe of {name}"), Verdict::Good, format!("load {load}, {latency:.2} ms"));
            }
            Err(error) => self.add(format!("probe of {name}"), Verdict::Bad, error),
        }
    }

    fn room(&mut self, name: &str, store: &Store, plan: &ClusterPlan, timeout: Span) {
        let what = format!("room on {name}");
        let unmeasured = Store { probe: crate::scenario::site::LoadProbe::Unmeasured, ..store.clone() };
        let found = match Probe::new(&unmeasured, timeout).sample() {
            Ok(found) => found,
            Err(error) => return self.add(what, Verdict::Bad, error),
        };
        let threshold = plan.threshold();
        if found.used >= threshold {
            let found = format!("{} are used already, and it counts as full at {threshold}", found.used);
            return self.add(what, Verdict::Bad, found);
        }
        if plan.rated > found.capacity {
            let found = format!("rated {} in the scenario, its file system has {}", plan.rated, found.capacity);
            return self.add(what, Verdict::Doubt, found);
        }
        if found.inodes_free < INODES_FEW {
            return self.add(what, Verdict::Doubt, format!("only {} files can be made there", found.inodes_free));
        }
        self.add(what, Verdict::Good, format!("{} used of {threshold}", found.used));
    }

    fn directory(&mut self, scenario: &Scenario, site: &Site) {
        let what = "directory";
        let directory = match Directory::connect(&site.directory, site.timeout) {
            Ok(directory) => directory,
            Err(error) => return self.add(what, Verdict::Bad, error),
        };
        let users = match directory.list() {
            Ok(users) => users,
            Err(error) => return self.add(what, Verdict::Bad, error),
        };
        let mut by_home: BTreeMap<&str, usize> = BTreeMap::new();
        for user in &users {
            *by_home.entry(&user.home).or_default() += 1;
        }
        let known = |name: &str| scenario.heads.iter().chain(&scenario.clusters).any(|store| store == name);
        let counts: Vec<String> = by_home.iter().map(|(home, count)| format!("{count} on {home}")).collect();
        let strange = by_home.keys().any(|home| !known(home));
        let verdict = if strange || users.is_empty() { Verdict::Doubt } else { Verdict::Good };
        let elsewhere = if strange { "; stores that the scenario does not name are left alone" } else { "" };
        self.add(what, verdict, format!("{} users: {}{elsewhere}", users.len(), counts.join(", ")));
        let held = users.iter().filter(|user| user.state == State::Hold).count();
        if held > 0 {
            self.add("held users", Verdict::Doubt, format!("{held}: the start puts them back and releases them"));
        }
        self.maildirs(scenario, site, &users);
    }

    fn maildirs(&mut self, scenario: &Scenario, site: &Site, users: &[User]) {
        let on_heads = users.iter().filter_map(|user| {
            let head = scenario.heads.iter().position(|head| *head == user.home)?;
            Some((user, site.heads[head].root.join(&user.path)))
        });
        let (mut looked, mut missing) = (0, Vec::new());
        for (user, path) in on_heads.take(LOOKED_FOR) {
            looked += 1;
            if !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
                missing.push(user.name.as_str());
            }
        }
        if missing.is_empty() {
            return self.add("Maildirs", Verdict::Good, format!("all of {looked} looked for are there"));
        }
        let some = missing.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let found = format!("{} of {looked} are not there, such as those of {some}", missing.len());
        self.add("Maildirs", if missing.len() == looked { Verdict::Bad } else { Verdict::Doubt }, found);
    }

    fn front_ends(&mut self, site: &Site) {
        if site.front_ends.is_empty() {
            let found = "none: nobody's sessions are ended, and no delivery is waited for";
            return self.add("front ends", Verdict::Doubt, found);
        }
        for machine in &site.front_ends {
            let one = FrontEnds::new(std::slice::from_ref(machine), site.timeout);
            let asked = one.flush(NOBODY).and_then(|()| one.sessions(NOBODY)).and_then(|_| one.deliveries(NOBODY));
            let lacks: Vec<&str> = [
                ("flush", machine.flush.is_none()),
                ("kick", machine.kick.is_empty()),
                ("who", machine.who.is_none()),
                ("deliveries", machine.deliveries.is_none()),
            ]
            .into_iter()
            .filter_map(|(name, lacks)| lacks.then_some(name))
            .collect();
            let what = format!("front end {}", machine.name);
            match asked {
                Err(error) => self.add(what, Verdict::Bad, error),
                Ok(_) if lacks.is_empty() => self.add(what, Verdict::Good, "answers"),
                Ok(_) => self.add(what, Verdict::Doubt, format!("answers; it has no command for {}", lacks.join(", "))),
            }
        }
    }
}

/// Does with files of its own what a move does with others'.
fn try_rights(root: &Path) -> io::Result<()> {
    let folder = tempfile::Builder::new().prefix(".drawdown-preflight-").tempdir_in(root)?;
    let [one, two, three] = ["one", "two", "three"].map(|name| folder.path().join(name));
    fs::write(&one, "drawdown")?;
    let file = fs::File::options().write(true).open(&one)?;
    file.set_times(fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH))?;
    file.sync_all()?;
    std::os::unix::fs::chown(&one, Some(file.metadata()?.uid()), Some(file.metadata()?.gid()))?;
    fs::hard_link(&one, &two)?;
    fs::create_dir(&three)?;
    fs::rename(&two, folder.path().join("four"))?;
    fs::File::open(folder.path())?.sync_all()?;
    folder.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_tried_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        try_rights(root.path()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(try_rights(&root.path().join("nowhere")).is_err());
    }
}
