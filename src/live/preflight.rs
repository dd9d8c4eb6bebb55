//! What has to be true before a migration begins, looked at one by one. No user is touched, but for a test user that the site
//! names; on each store a folder is made and removed again, and a mailbox of its own moves from each head and back.

mod trial;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::clock::Clock;
use super::directory::{Directory, State, User};
use super::front::FrontEnds;
use super::maildir::Root;
use super::probe::{Probe, ProbeError};
use crate::migration::plan::ClusterPlan;
use crate::scenario::Scenario;
use crate::scenario::site::{Site, Store};
use crate::units::{Span, Time};
use trial::Unmoved;

/// Maildirs that are looked for, at most.
const LOOKED_FOR: usize = 10_000;
/// With fewer free inodes a cluster is worth a second look.
const INODES_FEW: u64 = 1_000_000;
/// A store whose clock differs by more than this from ours makes dates that are worth a look.
const SKEW: Span = Span::from_secs(5);
/// With fewer users than this that all lack a Maildir, it may be meant so.
const TOO_MANY: usize = 10;
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

/// Looks at everything.
#[must_use]
pub fn check(scenario: &Scenario, site: &Site) -> Vec<Check> {
    let mut checks = Checks(Vec::new());
    checks.ledger(site);
    checks.clock(scenario);
    checks.stores(scenario, site);
    let stores_are_good = !checks.failed();
    let on_heads = checks.directory(scenario, site);
    checks.room(scenario, site, on_heads);
    checks.front_ends(site);
    checks.metrics(site);
    if stores_are_good {
        checks.trials(scenario, site);
    } else {
        checks.add("test move", Verdict::Doubt, "not tried before the stores are good");
    }
    checks.0
}

struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, what: impl fmt::Display, verdict: Verdict, found: impl fmt::Display) {
        self.0.push(Check { what: what.to_string(), verdict, found: found.to_string() });
    }

    fn failed(&self) -> bool {
        self.0.iter().any(|check| check.verdict == Verdict::Bad)
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

    /// The session's time is what this machine's clock says when it begins.
    fn clock(&mut self, scenario: &Scenario) {
        let now = Clock::start(Time::LONG_AGO).now();
        let stamp = jiff::Timestamp::from_microsecond(now.unix_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let shown = stamp.to_zoned_datetime(scenario.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
        let (verdict, found) = if now < scenario.as_of {
            (
                Verdict::Doubt,
                format!("{shown}, which is before the scenario begins: windows and dates by hand lie ahead"),
            )
        } else if now > scenario.horizon {
            (Verdict::Doubt, format!("{shown}, which is past the scenario's horizon"))
        } else {
            (Verdict::Good, shown)
        };
        self.add("clock", verdict, found);
    }

    /// All of them at once: some counters have to be read twice, a second apart.
    fn stores(&mut self, scenario: &Scenario, site: &Site) {
        let names = scenario.heads.iter().chain(&scenario.clusters);
        let stores: Vec<_> = names.zip(site.heads.iter().chain(&site.clusters)).collect();
        let looked = std::thread::scope(|scope| {
            let mut looks = Vec::with_capacity(stores.len());
            for (name, store) in stores {
                looks.push(scope.spawn(move || look_at_store(name, store, site.timeout)));
            }
            looks.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for checks in looked {
            match checks {
                Ok(checks) => self.0.extend(checks.0),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    }

    /// A cluster that is full is as it should be; without any that has room nothing can move.
    fn room(&mut self, scenario: &Scenario, site: &Site, on_heads: usize) {
        let clusters = scenario.clusters.iter().zip(&site.clusters).zip(&scenario.plan.placement.clusters);
        let mut with_room = 0;
        for ((name, store), plan) in clusters {
            with_room += usize::from(self.room_on(name, store, plan, site.timeout));
        }
        if with_room == 0 && on_heads > 0 {
            let found = format!("no cluster has any, and {on_heads} users are still on the heads");
            self.add("room", Verdict::Bad, found);
        }
    }

    /// Says whether there is room.
    fn room_on(&mut self, name: &str, store: &Store, plan: &ClusterPlan, timeout: Span) -> bool {
        let what = format!("room on {name}");
        let unmeasured = Store { probe: crate::scenario::site::LoadProbe::Unmeasured, ..store.clone() };
        let found = match Probe::new(&unmeasured, timeout).sample() {
            Ok(found) => found,
            Err(error) => {
                self.add(what, Verdict::Bad, error);
                return false;
            }
        };
        let threshold = plan.threshold();
        let (verdict, told) = if found.used >= threshold {
            (Verdict::Doubt, format!("none: {} are used, and it counts as full at {threshold}", found.used))
        } else if found.inodes_free == 0 {
            (Verdict::Bad, "no more files can be made there".to_owned())
        } else if plan.rated > found.capacity {
            (Verdict::Doubt, format!("rated {} in the scenario, its file system has {}", plan.rated, found.capacity))
        } else if found.inodes_free < INODES_FEW {
            (Verdict::Doubt, format!("only {} files can be made there", found.inodes_free))
        } else {
            (Verdict::Good, format!("{} used of {threshold}", found.used))
        };
        self.add(what, verdict, told);
        found.used < threshold && found.inodes_free > 0
    }

    /// Whether metrics can be told where they should be; while a migration runs, it has the address itself.
    fn metrics(&mut self, site: &Site) {
        let Some(address) = site.metrics else { return };
        let what = format!("metrics at {address}");
        match std::net::TcpListener::bind(address) {
            Ok(_) => self.add(what, Verdict::Good, "the address is free"),
            Err(error) => self.add(what, Verdict::Bad, error),
        }
    }

    /// A move and back, on each head and each cluster.
    fn trials(&mut self, scenario: &Scenario, site: &Site) {
        for way in trial::ways(scenario) {
            let what =
                format!("test move, {} to {} and back", scenario.heads[way.head], scenario.clusters[way.cluster]);
            self.trial(what, trial::of_its_own(scenario, site, way));
        }
        if let Some(user) = &site.test_user {
            self.trial(format!("test user {user}"), trial::of_a_user(scenario, site, user));
        }
    }

    fn trial(&mut self, what: String, moved: Result<String, Unmoved>) {
        match moved {
            Ok(found) => self.add(what, Verdict::Good, found),
            Err(Unmoved::NotTried(why)) => self.add(what, Verdict::Doubt, format!("not tried: {why}")),
            Err(Unmoved::Failed(why)) => self.add(what, Verdict::Bad, why),
        }
    }

    /// Says how many users are on the heads.
    fn directory(&mut self, scenario: &Scenario, site: &Site) -> usize {
        let what = "directory";
        let listed = Directory::connect(&site.directory, site.timeout).and_then(|directory| directory.list());
        let users = match listed {
            Ok(users) => users,
            Err(error) => {
                self.add(what, Verdict::Bad, error);
                return 0;
            }
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
        users.iter().filter(|user| scenario.heads.contains(&user.home)).count()
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
        self.add(
            "Maildirs",
            if missing.len() == looked && looked >= TOO_MANY { Verdict::Bad } else { Verdict::Doubt },
            found,
        );
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

fn look_at_store(name: &str, store: &Store, timeout: Span) -> Checks {
    let mut checks = Checks(Vec::new());
    let what = format!("{name} at {}", store.root.display());
    match Root::open(&store.root).and_then(|_| try_rights(&store.root)) {
        Ok(skew) if skew > SKEW || Span::ZERO - skew > SKEW => {
            checks.add(&what, Verdict::Doubt, format!("can be worked on; its clock is {skew} ahead of this machine's"));
        }
        Ok(_) => {
            checks.add(&what, Verdict::Good, "files are made, owned, dated, linked, renamed, synced and removed");
        }
        Err(error) => {
            checks.add(what, Verdict::Bad, error);
            return checks;
        }
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
            let age = if found.age > Span::ZERO { format!(", {} ago", found.age) } else { String::new() };
            checks.add(format!("probe of {name}"), Verdict::Good, format!("load {load}, {latency:.2} ms{age}"));
        }
        Err(error) => checks.add(format!("probe of {name}"), Verdict::Bad, error),
    }
    checks
}

/// Does with files of its own what a move does with others', and says by how much the store's clock is ahead of ours.
fn try_rights(root: &Path) -> io::Result<Span> {
    let folder = tempfile::Builder::new().prefix(".drawdown-preflight-").tempdir_in(root)?;
    let [one, two, three] = ["one", "two", "three"].map(|name| folder.path().join(name));
    fs::write(&one, "drawdown")?;
    let ours = Clock::start(Time::LONG_AGO).now();
    let file = fs::File::options().write(true).open(&one)?;
    let found = file.metadata()?;
    let theirs = Time::from_unix_micros(found.mtime() * 1_000_000 + found.mtime_nsec() / 1_000);
    file.set_times(fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH))?;
    file.sync_all()?;
    std::os::unix::fs::chown(&one, Some(file.metadata()?.uid()), Some(file.metadata()?.gid()))?;
    fs::hard_link(&one, &two)?;
    fs::create_dir(&three)?;
    fs::rename(&two, folder.path().join("four"))?;
    fs::File::open(folder.path())?.sync_all()?;
    folder.close()?;
    Ok(theirs.since(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_tried_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let skew = try_rights(root.path()).unwrap();
        assert!(skew < SKEW && Span::ZERO - skew < SKEW, "{skew}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(try_rights(&root.path().join("nowhere")).is_err());
    }
}
