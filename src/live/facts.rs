//! What is where when a session begins: from the directory, which knows; from the ledger, which remembers; and from the
//! Maildirs themselves, for those that nobody has looked at yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::directory::{Listed, Unusable, User};
use super::group;
use super::ledger::Named;
use super::maildir::{self, MailError, Totals};
use super::session::{Past, Roots};
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::migration::message::{Facts, Fault, WavesSoFar};
use crate::scenario::Scenario;
use crate::units::{Bytes, Time};

/// Maildirs are looked at by so many at once.
const LOOKERS: usize = 8;
/// Users that are named, at most.
const NAMED: usize = 3;

/// The facts of a session, and who the rows are.
pub(super) struct Gathered {
    pub(super) facts: Facts,
    pub(super) names: Vec<Named>,
    /// Who is set aside because the directory has them where nobody can look.
    pub(super) elsewhere: Vec<String>,
}

/// Gathers the facts. Whoever the ledger knows keeps its number; users on the heads whom it does not know come after them,
/// by name. Users who already live elsewhere are none of the migration's business.
pub(super) fn gather(
    scenario: &Scenario,
    past: &Past,
    listed: &Listed,
    roots: &Roots,
    now: Time,
    say: &dyn Fn(&str),
) -> Gathered {
    let users = &listed.users;
    let mut rows = Rows::new(scenario, past, listed, now);
    rows.tell_missing(say);
    rows.measure(roots, say);
    rows.forget_removed(roots);
    // Anew in each session: what the ledger has are numbers.
    rows.fleet.group = group::column(scenario.plan.order.within, users, &rows.names);
    let open = (0..).map(ClusterId).zip(&scenario.model.clusters);
    let open = open.filter(|(_, model)| model.in_service <= now).map(|(cluster, _)| cluster).collect();
    rows.finish(open)
}

/// The rows as they come together.
struct Rows {
    names: Vec<Named>,
    fleet: Fleet,
    facts: Facts,
    /// Who waits for a person: the facts' own, by mailbox while they change.
    set_aside: BTreeMap<MailboxId, Fault>,
    /// Those that have come back to a head: what is there is no old copy.
    back: BTreeSet<MailboxId>,
    /// Rows on a head whose Maildirs have to be looked at.
    unknown: Vec<usize>,
    /// Users whom the directory has where nobody can look, and why nobody can.
    elsewhere: Vec<String>,
    /// Users on the heads whom the directory does not have any more, since this session.
    missing: Vec<String>,
}

impl Rows {
    fn new(scenario: &Scenario, past: &Past, listed: &Listed, now: Time) -> Self {
        let Listed { users, unusable } = listed;
        let store = |name: &str| {
            let place = |names: &[String]| names.iter().position(|known| known == name).map(|place| place as u8);
            place(&scenario.heads)
                .map(|head| Home::head(HeadId(head)))
                .or_else(|| place(&scenario.clusters).map(|cluster| Home::cluster(ClusterId(cluster))))
        };
        let by_name: BTreeMap<&str, &User> = users.iter().map(|user| (user.name.as_str(), user)).collect();
        let named = |row: &'_ Unusable| row.name.clone().map(|name| (name, row.to_string()));
        let unusable: BTreeMap<String, String> = unusable.iter().filter_map(named).collect();
        let mut rows = Self {
            names: Vec::new(),
            fleet: Fleet::default(),
            facts: Facts::default(),
            set_aside: BTreeMap::new(),
            back: BTreeSet::new(),
            unknown: Vec::new(),
            elsewhere: Vec::new(),
            missing: Vec::new(),
        };
        if let Some(known) = &past.known {
            rows.facts = known.facts.clone();
            rows.facts.clusters.plan_anew(&known.plan.placement, &scenario.plan.placement);
            rows.fleet = Fleet::clone(&known.facts.fleet);
            rows.set_aside = known.facts.set_aside.iter().copied().collect();
        }
        let cohort = past.known.as_ref().map_or(Time::NEVER, |known| known.cohort);
        let told = past.known.as_ref().map_or(0, |known| known.told);
        for (row, named) in past.names.iter().enumerate() {
            let found = by_name.get(named.name.as_str());
            let home = found.and_then(|user| store(&user.home));
            // Of who has moved the path is where the old copy is: on its cluster the mailbox may have got another one since.
            let at_head = found.filter(|_| !home.is_some_and(Home::is_cluster));
            let path = at_head.map_or(&named.path, |user| &user.path).clone();
            rows.names.push(Named { name: named.name.clone(), path });
            let was_gone = rows.is_gone(row);
            match home.filter(|home| row >= told && home.is_cluster()) {
                // Nothing was ever begun for it: somebody else has moved it, and what may be left on its head is no old copy.
                Some(moved) => rows.fleet.home[row] = moved,
                None => rows.place_known(row, home, now, cohort),
            }
            let elsewhere = found
                .filter(|_| home.is_none())
                .map(|user| format!("the directory has it at {}, which is none of the scenario's stores", user.home));
            if !was_gone && rows.is_gone(row) && found.is_none() && !unusable.contains_key(&named.name) {
                rows.missing.push(named.name.clone());
            }
            if let Some(why) = elsewhere.or_else(|| unusable.get(&named.name).cloned()) {
                rows.set_elsewhere_aside(row, &why);
            }
        }
        let known: BTreeSet<&str> = past.names.iter().map(|named| named.name.as_str()).collect();
        for user in users.iter().filter(|user| !known.contains(user.name.as_str())) {
            if let Some(head) = store(&user.home).and_then(Home::as_head) {
                rows.add(user, head);
            }
        }
        rows
    }

    fn is_gone(&self, row: usize) -> bool {
        self.set_aside.get(&MailboxId(row as u32)) == Some(&Fault::Gone)
    }

    /// A directory that has lost some of its rows looks like one of which some users were deleted.
    fn tell_missing(&self, say: &dyn Fn(&str)) {
        if self.missing.is_empty() {
            return;
        }
        let first = self.missing.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.missing.len() > NAMED { ", and others" } else { "" };
        say(&format!(
            "{} users on the heads are not in the directory any more, and count as deleted in this session: {first}{more}; nothing \
             of theirs is touched",
            self.missing.len()
        ));
    }

    /// Where a mailbox that the ledger knows lives by now.
    fn place_known(&mut self, row: usize, home: Option<Home>, now: Time, cohort: Time) {
        let mailbox = MailboxId(row as u32);
        let was = self.fleet.home[row];
        let Some(home) = home else {
            // Deleted, or at a store that is none of ours: its row stays. Where it has moved, the old copy is still ours to
            // remove, as in the session in which it goes; otherwise nothing is done about it.
            if was.is_cluster() {
                return;
            }
            self.fleet.home[row] = Home::head(self.fleet.origin[row]);
            self.set_aside.insert(mailbox, Fault::Gone);
            self.back.insert(mailbox);
            return;
        };
        self.fleet.home[row] = home;
        let moved_unseen = home.is_cluster() && !was.is_cluster();
        if let Some(WavesSoFar { over: Some(over), .. }) = &mut self.facts.waves {
            let came_back = was.is_cluster() && !home.is_cluster();
            *over = (*over + u64::from(moved_unseen)).saturating_sub(u64::from(came_back));
        }
        // Flipped just before an interruption: its old copy is kept as long as any other.
        if moved_unseen && now < cohort {
            self.facts.unpurged.push((mailbox, now));
        } else if moved_unseen {
            self.facts.kept.push(mailbox);
        }
        if let Some(head) = home.as_head() {
            self.fleet.origin[row] = head;
            self.back.insert(mailbox);
            if self.fleet.messages[row] == 0 {
                self.unknown.push(row);
            }
        }
        // It may have come back.
        if home.is_cluster() || self.set_aside.get(&mailbox) == Some(&Fault::Gone) {
            self.set_aside.remove(&mailbox);
        }
    }

    /// Whom the directory has where nobody can look is not gone: a person has to see to what is here.
    fn set_elsewhere_aside(&mut self, row: usize, why: &str) {
        if self.fleet.home[row].is_cluster() {
            return;
        }
        self.set_aside.insert(MailboxId(row as u32), Fault::Permanent);
        self.elsewhere.push(format!("{} is set aside: {why}", self.names[row].name));
    }

    fn add(&mut self, user: &User, head: HeadId) {
        self.unknown.push(self.names.len());
        self.names.push(Named { name: user.name.clone(), path: user.path.clone() });
        self.fleet.bytes.push(Bytes::ZERO);
        self.fleet.messages.push(0);
        self.fleet.activity_micro_op_s.push(0);
        self.fleet.origin.push(head);
        self.fleet.home.push(Home::head(head));
    }

    /// Looks at the Maildirs of which nobody knows the size.
    fn measure(&mut self, roots: &Roots, say: &dyn Fn(&str)) {
        // The next session will, where a store is out of service.
        let is_there = |head: HeadId| roots.heads.get(head.index()).is_some_and(|(_, root)| !root.is_absent());
        self.unknown.retain(|row| is_there(self.fleet.origin[*row]));
        if self.unknown.is_empty() {
            return;
        }
        say(&format!("looking at {} Maildirs", self.unknown.len()));
        let next = AtomicUsize::new(0);
        let look = || {
            let mut seen = Vec::new();
            while let Some(row) = self.unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
                let head = self.fleet.origin[*row];
                let path = Path::new(&self.names[*row].path);
                seen.push((*row, maildir::measure(&roots.heads[head.index()].1, path)));
            }
            seen
        };
        let seen: Vec<(usize, Result<Totals, MailError>)> = std::thread::scope(|scope| {
            let lookers: Vec<_> = (0..LOOKERS).map(|_| scope.spawn(look)).collect();
            lookers.into_iter().flat_map(|looker| looker.join().unwrap_or_default()).collect()
        });
        for (row, totals) in seen {
            match totals {
                Ok(totals) => {
                    self.fleet.bytes[row] = totals.bytes;
                    self.fleet.messages[row] = totals.messages;
                }
                // A user without a Maildir yet, or one that cannot be read: its copy will tell.
                Err(error) => say(&format!("{}: {error}", self.names[row].name)),
            }
        }
    }

    /// Forgets old copies that were kept for a person, and that a person has removed.
    fn forget_removed(&mut self, roots: &Roots) {
        let Self { names, fleet, facts, .. } = self;
        facts.kept.retain(|mailbox| {
            let root = roots.heads.get(fleet.origin[mailbox.index()].index());
            let path = Path::new(&names[mailbox.index()].path);
            // What cannot be looked at may still be there.
            root.is_none_or(|(_, root)| maildir::has_old_copy(root, path).unwrap_or(true))
        });
    }

    fn finish(self, open: Vec<ClusterId>) -> Gathered {
        let set_aside = self.set_aside.into_iter().collect();
        let mut facts = Facts { fleet: Arc::new(self.fleet), open, set_aside, ..self.facts };
        facts.unpurged.retain(|(mailbox, _)| !self.back.contains(mailbox));
        facts.kept.retain(|mailbox| !self.back.contains(mailbox));
        facts.attempts.retain(|(mailbox, _)| facts.fleet.home[mailbox.index()].as_head().is_some());
        Gathered { facts, names: self.names, elsewhere: self.elsewhere }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::directory::State;
    use crate::live::ledger::LastKnown;
    use crate::migration::message::{ClustersSoFar, FullOf};
    use crate::scenario::{ReadSettings, Source, starter};

    const NOW: Time = Time::from_unix_micros(2_000_000_000_000_000);
    const HEAD: Home = Home::head(HeadId(0));
    const CLUSTER: Home = Home::cluster(ClusterId(0));

    fn source() -> Source {
        Source::from_text("starter", starter(), &ReadSettings::default()).expect("a scenario")
    }

    fn name(row: usize) -> String {
        format!("user-{row:06}")
    }

    /// A ledger that has these mailboxes there, all of them from the first head.
    fn past(scenario: &Scenario, homes: &[Home]) -> Past {
        let rows = homes.len();
        let fleet = Fleet {
            bytes: vec![Bytes::new(1); rows],
            messages: vec![1; rows],
            activity_micro_op_s: vec![0; rows],
            origin: vec![HeadId(0); rows],
            home: homes.to_vec(),
            group: Vec::new(),
        };
        let mut past = Past::default();
        past.names = (0..rows).map(|row| Named { name: name(row), path: format!("u/{row}") }).collect();
        past.known = Some(LastKnown {
            session: 1,
            at: NOW,
            clean_end: true,
            plan: Arc::clone(&scenario.plan),
            told: rows,
            facts: Facts { fleet: Arc::new(fleet), ..Facts::default() },
            cohort: Time::NEVER,
            gone: Vec::new(),
            too_large: Vec::new(),
            in_flight: Vec::new(),
        });
        past
    }

    fn user(scenario: &Scenario, row: usize, home: Home) -> User {
        let home = home.as_head().map_or(&scenario.clusters[0], |head| &scenario.heads[head.index()]).clone();
        User { name: name(row), home, path: format!("u/{row}"), epoch: 0, state: State::Ok, group: None }
    }

    #[test]
    fn the_old_copy_of_one_that_was_deleted_after_its_move_is_still_purged() {
        let source = source();
        let scenario = source.middle();
        let mut past = past(scenario, &[CLUSTER, HEAD, CLUSTER, CLUSTER]);
        let known = past.known.as_mut().expect("known");
        let switched = NOW - crate::units::Span::from_secs(5);
        known.facts.unpurged = [0, 2, 3].map(|row| (MailboxId(row), switched)).into();
        // The first two are deleted, the last one has been moved back by hand.
        let users = [user(scenario, 2, CLUSTER), user(scenario, 3, HEAD)];
        let Gathered { facts, .. } =
            Rows::new(scenario, &past, &Listed { users: users.to_vec(), unusable: Vec::new() }, NOW).finish(Vec::new());
        assert_eq!(facts.unpurged, [0, 2].map(|row| (MailboxId(row), switched)));
        assert_eq!(facts.set_aside, [(MailboxId(1), Fault::Gone)]);
        assert_eq!(facts.fleet.home, [CLUSTER, HEAD, CLUSTER, HEAD]);
    }

    #[test]
    fn who_is_not_in_the_directory_any_more_is_told_at_the_first_start_without_them() {
        let source = source();
        let scenario = source.middle();
        let mut past = past(scenario, &[HEAD; 6]);
        past.known.as_mut().expect("known").facts.set_aside.push((MailboxId(0), Fault::Gone));
        let said = std::cell::RefCell::new(String::new());
        let listed = Listed { users: vec![user(scenario, 5, HEAD)], unusable: Vec::new() };
        Rows::new(scenario, &past, &listed, NOW).tell_missing(&|text| said.borrow_mut().push_str(text));
        let said = said.into_inner();
        assert!(said.starts_with("4 users on the heads are not in the directory any more"), "{said}");
        assert!(said.contains(": user-000001, user-000002, user-000003, and others; nothing"), "{said}");
    }

    #[test]
    fn the_path_of_one_who_has_moved_is_that_of_the_old_copy_wherever_the_mailbox_went_since() {
        let source = source();
        let scenario = source.middle();
        let past = past(scenario, &[CLUSTER, HEAD, HEAD, CLUSTER]);
        // The second one was flipped unseen, the last one has been moved back.
        let mut users = [(0, CLUSTER), (1, CLUSTER), (2, HEAD), (3, HEAD)].map(|(row, home)| user(scenario, row, home));
        for user in &mut users {
            user.path.push_str("-new");
        }
        let listed = Listed { users: users.to_vec(), unusable: Vec::new() };
        let Gathered { names, .. } = Rows::new(scenario, &past, &listed, NOW).finish(Vec::new());
        let paths: Vec<&str> = names.iter().map(|named| named.path.as_str()).collect();
        assert_eq!(paths, ["u/0", "u/1", "u/2-new", "u/3-new"]);
    }

    #[test]
    fn one_of_whom_only_the_name_is_known_has_no_old_copy_wherever_they_went() {
        let source = source();
        let scenario = source.middle();
        let mut past = past(scenario, &[HEAD; 5]);
        past.known.as_mut().expect("known").told = 2;
        // The second one was flipped unseen; of the last three one was moved by somebody else, one stays, one is gone.
        let users = [user(scenario, 1, CLUSTER), user(scenario, 2, CLUSTER), user(scenario, 3, HEAD)];
        let Gathered { facts, names, .. } =
            Rows::new(scenario, &past, &Listed { users: users.to_vec(), unusable: Vec::new() }, NOW).finish(Vec::new());
        assert_eq!((names.len(), facts.fleet.len()), (5, 5));
        assert_eq!(facts.fleet.home, [HEAD, CLUSTER, CLUSTER, HEAD, HEAD]);
        assert_eq!((facts.unpurged, facts.kept), (vec![(MailboxId(1), NOW)], Vec::new()));
        assert_eq!(facts.set_aside, [(MailboxId(0), Fault::Gone), (MailboxId(4), Fault::Gone)]);
    }

    #[test]
    fn who_was_flipped_unseen_has_moved_and_what_has_grown_since_is_not_full() {
        let source = source();
        let scenario = source.middle();
        let mut past = past(scenario, &[HEAD, CLUSTER, CLUSTER, HEAD]);
        let known = past.known.as_mut().expect("known");
        known.facts.waves = Some(WavesSoFar { mailboxes: 4, over: Some(2), moved: None, go: false });
        let filled = vec![(ClusterId(0), FullOf::Bytes)];
        known.facts.clusters = ClustersSoFar { filled: filled.clone(), ..ClustersSoFar::default() };
        let gather = |past: &Past, homes: [Home; 4]| {
            let users: Vec<User> = homes.iter().enumerate().map(|(row, home)| user(scenario, row, *home)).collect();
            Rows::new(scenario, past, &Listed { users, unusable: Vec::new() }, NOW).finish(Vec::new()).facts
        };
        let over = |homes| gather(&past, homes).waves.and_then(|waves| waves.over);
        assert_eq!(over([HEAD, CLUSTER, CLUSTER, HEAD]), Some(2));
        assert_eq!(over([CLUSTER, CLUSTER, CLUSTER, HEAD]), Some(3));
        assert_eq!(over([HEAD, HEAD, CLUSTER, HEAD]), Some(1));
        assert_eq!(gather(&past, [HEAD; 4]).clusters.filled, filled);
        let mut smaller = crate::migration::plan::Plan::clone(&scenario.plan);
        smaller.placement.clusters[0].reserve += Bytes::new(1);
        past.known.as_mut().expect("known").plan = Arc::new(smaller);
        assert_eq!(gather(&past, [HEAD; 4]).clusters.filled, []);
    }

    #[test]
    fn a_start_late_in_a_large_migration_looks_at_each_mailbox_once() {
        // A look through all that is unpurged for each of these would be ten thousand million steps: hours, here.
        let rows = 100_000;
        let source = source();
        let scenario = source.middle();
        let mut past = past(scenario, &vec![CLUSTER; rows]);
        let known = past.known.as_mut().expect("known");
        known.facts.unpurged = (0..rows as u32).map(|row| (MailboxId(row), NOW)).collect();
        known.facts.set_aside = (0..rows as u32).step_by(3).map(|row| (MailboxId(row), Fault::Permanent)).collect();
        // All have been moved back, and every third is set aside still.
        let users: Vec<User> = (0..rows).map(|row| user(scenario, row, HEAD)).collect();
        let set_aside = known.facts.set_aside.clone();
        let Gathered { facts, .. } =
            Rows::new(scenario, &past, &Listed { users: users.clone(), unusable: Vec::new() }, NOW).finish(Vec::new());
        assert!(facts.unpurged.is_empty());
        assert_eq!(facts.set_aside, set_aside);
    }
}
