//! What has to be true before a migration begins, looked at one by one. No user is touched, but for a test user that the site
//! names; on each store a folder is made and removed again, and a mailbox of its own moves from each head and back.

mod store;
mod trial;
mod users;

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::clock::Clock;
use super::front::FrontEnds;
use super::ledger::Ledger;
use super::probe::Probe;
use super::session::{Accepted, OTHER_FILE_SYSTEM, Past, clock_behind, on_other_file_systems, same_stores, sweep};
use crate::migration::plan::ClusterPlan;
use crate::scenario::Scenario;
use crate::scenario::site::{Site, Store};
use crate::units::{Inodes, Span, Time};
use store::look_at_store;
use trial::Unmoved;

/// With fewer free inodes a cluster is worth a second look, unless the scenario says how many it may have.
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

/// Looks at everything; what somebody has `accepted` is worth a look.
#[must_use]
pub fn check(scenario: &Scenario, site: &Site, accepted: Accepted) -> Vec<Check> {
    for store in site.heads.iter().chain(&site.clusters) {
        // What keeps it is told where the store is looked at, and the test move says what is left.
        let _ = sweep(&store.root);
    }
    let mut checks = Checks(Vec::new());
    checks.ledger(scenario, site);
    checks.clock(scenario, site, accepted);
    checks.stores(scenario, site, accepted);
    let stores_are_good = !checks.failed();
    let on_heads = checks.directory(scenario, site, stores_are_good);
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

/// What is bad, but for whom it was shown to.
const fn bad_unless(accepted: bool) -> Verdict {
    if accepted { Verdict::Doubt } else { Verdict::Bad }
}

struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, what: impl fmt::Display, verdict: Verdict, found: impl fmt::Display) {
        self.0.push(Check { what: what.to_string(), verdict, found: found.to_string() });
    }

    fn failed(&self) -> bool {
        self.0.iter().any(|check| check.verdict == Verdict::Bad)
    }

    fn ledger(&mut self, scenario: &Scenario, site: &Site) {
        let what = format!("ledger {}", site.ledger.display());
        let folder = site.ledger.parent().unwrap_or_else(|| Path::new("/"));
        let device = match fs::metadata(folder) {
            Ok(found) => found.dev(),
            Err(error) => return self.add(what, Verdict::Bad, error),
        };
        if let Err(error) = tempfile::tempfile_in(folder) {
            return self.add(what, Verdict::Bad, format!("its folder cannot be written: {error}"));
        }
        if let Err(error) = same_stores(scenario, &site.ledger) {
            return self.add(what, Verdict::Bad, error);
        }
        if site.ledger.exists()
            && let Err(error) = Past::read(&site.ledger)
        {
            return self.add(what, Verdict::Bad, error);
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
    fn clock(&mut self, scenario: &Scenario, site: &Site, accepted: Accepted) {
        let now = Clock::start(Time::LONG_AGO).now();
        // What cannot be read is told of by whoever reads the ledger next.
        let last = Ledger::read(&site.ledger).and_then(|reader| reader.last_at()).ok().flatten();
        if let Some(why) = last.and_then(|last| clock_behind(scenario, last, now)) {
            return self.add("clock", bad_unless(accepted.clock), why);
        }
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
    fn stores(&mut self, scenario: &Scenario, site: &Site, accepted: Accepted) {
        for name in on_other_file_systems(scenario, site) {
            self.add(format!("file system of {name}"), bad_unless(accepted.stores), OTHER_FILE_SYSTEM);
        }
        let names = scenario.heads.iter().chain(&scenario.clusters);
        let stores: Vec<_> = names.zip(site.heads.iter().chain(&site.clusters)).collect();
        for (name, other) in store::sharing(&stores) {
            let found = format!(
                "is the file system of {other}, too: one of them is not mounted, or both are the same; `mount = false` in its \
                 store says that it is meant so"
            );
            self.add(format!("file system of {name}"), Verdict::Bad, found);
        }
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
        let limit = plan.inodes.zip(found.inodes_used);
        let full_of_inodes = limit.filter(|(plan, used)| *used >= plan.threshold());
        let (verdict, told) = if found.used >= threshold {
            (Verdict::Doubt, format!("none: {} are used, and it counts as full at {threshold}", found.used))
        } else if let Some((plan, used)) = full_of_inodes {
            (Verdict::Doubt, format!("none: {used} are used, and it counts as full at {}", plan.threshold()))
        } else if found.inodes_free == 0 {
            (Verdict::Bad, "no more files can be made there".to_owned())
        } else if plan.rated > found.capacity {
            (Verdict::Doubt, format!("rated {} in the scenario, its file system has {}", plan.rated, found.capacity))
        } else if let Some((rated, all)) = limit
            .map(|(plan, used)| (plan.rated, Inodes::new(used.get().saturating_add(found.inodes_free))))
            .filter(|(rated, all)| rated > all)
        {
            (Verdict::Doubt, format!("rated {rated} in the scenario, its file system has {all}"))
        } else if plan.inodes.is_some() && found.inodes_used.is_none() {
            let told = "its file system has no count of inodes: the scenario's limit of them is without effect";
            (Verdict::Doubt, told.to_owned())
        } else if limit.is_none() && found.inodes_free < INODES_FEW {
            (Verdict::Doubt, format!("only {} files can be made there", found.inodes_free))
        } else {
            let inodes = limit.map_or_else(String::new, |(plan, used)| format!("; {used} of {}", plan.threshold()));
            (Verdict::Good, format!("{} used of {threshold}{inodes}", found.used))
        };
        self.add(what, verdict, told);
        found.used < threshold && full_of_inodes.is_none() && found.inodes_free > 0
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
