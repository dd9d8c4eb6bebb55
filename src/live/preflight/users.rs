//! Who lives where, as the directory says, and whether their Maildirs are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::store::{Owner, try_owner};
use super::{Checks, Verdict};
use crate::live::directory::{Directory, Listed, State, Unusable, User, listed, overlap};
use crate::live::group;
use crate::scenario::Scenario;
use crate::scenario::site::Site;

/// Maildirs that are looked for, at most.
const LOOKED_FOR: usize = 10_000;
/// Owners of Maildirs for whom it is tried, at most.
const OWNERS: usize = 16;
/// Owners that are named, at most.
const NAMED: usize = 3;
/// With fewer users than this that all lack a Maildir, it may be meant so.
const TOO_MANY: usize = 10;

impl Checks {
    /// Says how many users are on the heads.
    pub(super) fn directory(&mut self, scenario: &Scenario, site: &Site, stores_are_good: bool) -> usize {
        let what = "directory";
        let listed = Directory::connect(&site.directory, site.timeout).and_then(|directory| directory.list());
        let Listed { users, unusable } = match listed {
            Ok(listed) => listed,
            Err(error) => {
                self.add(what, Verdict::Bad, error);
                return 0;
            }
        };
        self.unusable(scenario, &unusable);
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
        self.empty_heads(scenario, site, &by_home);
        self.overlaps(scenario, &users);
        self.groups(scenario, &users);
        let owners = self.maildirs(scenario, site, &users);
        if stores_are_good {
            self.owners(scenario, site, &owners);
        }
        users.iter().filter(|user| scenario.heads.contains(&user.home)).count()
    }

    /// A head with users, but with nothing on it at all, is one that is not there.
    fn empty_heads(&mut self, scenario: &Scenario, site: &Site, users: &BTreeMap<&str, usize>) {
        for (name, store) in scenario.heads.iter().zip(&site.heads).filter(|(_, store)| store.mount) {
            let count = users.get(name.as_str()).copied().unwrap_or(0);
            if count > 0 && is_empty(&store.root).is_ok_and(|is_empty| is_empty) {
                let found = format!("{} is empty, and {count} users live there: is it mounted?", store.root.display());
                self.add(format!("mailboxes on {name}"), Verdict::Bad, found);
            }
        }
    }

    /// A row that cannot be used keeps its user from moving, where that lives on a head; elsewhere it is none of our business.
    fn unusable(&mut self, scenario: &Scenario, rows: &[Unusable]) {
        let (on_heads, others): (Vec<&Unusable>, Vec<&Unusable>) =
            rows.iter().partition(|row| row.may_be_on(&scenario.heads));
        for (rows, verdict) in [(on_heads, Verdict::Bad), (others, Verdict::Doubt)] {
            if !rows.is_empty() {
                self.add("rows of the directory", verdict, listed::shown(&rows));
            }
        }
    }

    fn overlaps(&mut self, scenario: &Scenario, users: &[User]) {
        let what = "mailboxes of their own";
        let shared = overlap::on_one_store(users, &scenario.heads);
        let taken = overlap::with_our_names(users, &scenario.heads, &scenario.clusters);
        let between = overlap::between_stores(users, &scenario.heads, &scenario.clusters);
        if !shared.is_empty() {
            let found = format!("shared on the heads: {}", overlap::shown(&shared));
            self.add(what, Verdict::Bad, found);
        } else if !taken.is_empty() {
            self.add(what, Verdict::Bad, format!("names that a move needs for itself: {}", overlap::shown(&taken)));
        } else if !between.is_empty() {
            let found = format!("they cannot both come to one cluster: {}", overlap::shown(&between));
            self.add(what, Verdict::Doubt, found);
        } else {
            self.add(what, Verdict::Good, "no two are in one place");
        }
    }

    /// Which groups a plan that orders by them would find.
    fn groups(&mut self, scenario: &Scenario, users: &[User]) {
        let what = "groups";
        if !group::asked_for(scenario.plan.order.within) {
            return;
        }
        if group::are_missing(scenario, users) {
            return self.add(what, Verdict::Bad, group::MISSING);
        }
        let (source, sizes) = group::on_heads(scenario, users);
        let without = sizes.get(&None).copied().unwrap_or(0);
        let groups = || sizes.iter().filter_map(|(group, size)| Some((group.as_ref()?, size)));
        let from = match source {
            group::Source::List => "by the directory's list",
            group::Source::Domains | group::Source::None => "by the domains of the users' names",
        };
        let largest = groups().max_by_key(|(_, size)| **size);
        let largest =
            largest.map_or(String::new(), |(group, size)| format!("; the largest is {group} with {size} users"));
        let found = format!("{} on the heads, {from}{largest}", groups().count());
        if without > 0 {
            self.add(what, Verdict::Doubt, format!("{found}; {without} users have none, and come last"));
        } else {
            self.add(what, Verdict::Good, found);
        }
    }

    /// Says whose they are.
    fn maildirs(&mut self, scenario: &Scenario, site: &Site, users: &[User]) -> BTreeSet<Owner> {
        let on_heads = users.iter().filter_map(|user| {
            let head = scenario.heads.iter().position(|head| *head == user.home)?;
            Some((user, site.heads[head].root.join(&user.path)))
        });
        let (mut looked, mut missing, mut owners) = (0, Vec::new(), BTreeSet::new());
        for (user, path) in on_heads.take(LOOKED_FOR) {
            looked += 1;
            match fs::symlink_metadata(path) {
                Ok(found) if found.is_dir() => _ = owners.insert(Owner { uid: found.uid(), gid: found.gid() }),
                Ok(_) | Err(_) => missing.push(user.name.as_str()),
            }
        }
        if missing.is_empty() {
            self.add("Maildirs", Verdict::Good, format!("all of {looked} looked for are there"));
            return owners;
        }
        let some = missing.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let found = format!("{} of {looked} are not there, such as those of {some}", missing.len());
        self.add(
            "Maildirs",
            if missing.len() == looked && looked >= TOO_MANY { Verdict::Bad } else { Verdict::Doubt },
            found,
        );
        owners
    }

    /// Whether their files can be made and worked on on each store: what is ours anyway says nothing about that.
    fn owners(&mut self, scenario: &Scenario, site: &Site, owners: &BTreeSet<Owner>) {
        let names = scenario.heads.iter().chain(&scenario.clusters);
        let stores = names.zip(site.heads.iter().chain(&site.clusters));
        let mut tried = owners.iter().take(OWNERS).flat_map(|owner| stores.clone().map(move |store| (owner, store)));
        let failed = tried.find_map(|(owner, (name, store))| {
            try_owner(&store.root, *owner).err().map(|error| format!("{name}: {error}"))
        });
        let what = "owners of the mail";
        match failed {
            Some(why) => self.add(what, Verdict::Bad, why),
            None if owners.is_empty() => self.add(what, Verdict::Doubt, "not tried: no Maildir was found"),
            None => {
                let some: Vec<String> = owners.iter().take(NAMED).map(ToString::to_string).collect();
                let more = if owners.len() > NAMED { " and others" } else { "" };
                let found = format!("files on each store are given to {}{more}, and back", some.join(", "));
                self.add(what, Verdict::Good, found);
            }
        }
    }
}

/// Whether there is nothing in a folder but what a file system has from its beginning, or this program puts there.
fn is_empty(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != "lost+found" && !name.as_encoded_bytes().starts_with(b".drawdown-") {
            return Ok(false);
        }
    }
    Ok(true)
}
