//! What no session may begin with, because it would do something else than it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Past, SessionError, not_mounted};
use crate::live::directory::{Listed, Unusable, User, listed, overlap};
use crate::live::group;
use crate::live::ledger::{LastKnown, Ledger};
use crate::scenario::Scenario;
use crate::scenario::site::{self, Site};
use crate::units::{Span, Time};

/// The machine's clock may be so far behind what the ledger has: machines that keep the same time are no further apart, and
/// no window, grace or date of a plan hangs on a minute. A session's time goes on from the ledger's then.
const BEHIND: Span = Span::from_secs(60);

/// What somebody has looked at, and found right although no session begins with it otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The machine's clock, which is behind what the ledger has.
    pub clock: bool,
    /// A plan by which old copies of earlier sessions go sooner.
    pub plan: bool,
    /// Stores on other file systems than when the last session began.
    pub stores: bool,
}

/// Says why a session may not begin at this time: it would run by the ledger's, however wrong that is.
pub(in crate::live) fn clock_behind(scenario: &Scenario, last: Time, now: Time) -> Option<String> {
    let shown = |time: Time| {
        let stamp = Timestamp::from_microsecond(time.unix_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
        stamp.to_zoned_datetime(scenario.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    };
    let behind = last.since(now);
    (behind > BEHIND).then(|| {
        format!(
            "this machine says {}, and the ledger's last event is of {}, {behind} later: set the clock, or, where it is \
             right now and was not then, begin with `--accept-clock`",
            shown(now),
            shown(last)
        )
    })
}

/// Looks whether the plan, and those whom it is about, are as a session needs them.
pub(in crate::live) fn refuse(
    scenario: &Scenario,
    past: &Past,
    listed: &Listed,
    accepted: Accepted,
) -> Result<(), SessionError> {
    let Listed { users, unusable } = listed;
    if let Some(known) = &past.known {
        refuse_sooner_purges(scenario, known, accepted)?;
        refuse_strangers(past, known, listed)?;
    }
    refuse_unusable(scenario, unusable)?;
    refuse_overlaps(scenario, users)?;
    refuse_missing_groups(scenario, users)
}

/// Looks whether the directory knows anybody of those whom the ledger has. One that knows nobody is another one, or has just been
/// set up anew: all would count as deleted, so that nobody moves and old copies go.
fn refuse_strangers(past: &Past, known: &LastKnown, listed: &Listed) -> Result<(), SessionError> {
    /// So few may well have been deleted, all of them.
    const FEW: usize = 8;
    let gone: BTreeSet<usize> = known.gone.iter().map(|mailbox| mailbox.index()).collect();
    let here: BTreeSet<&str> = listed.users.iter().map(|user| user.name.as_str()).collect();
    let unusable: BTreeSet<&str> = listed.unusable.iter().filter_map(|row| row.name.as_deref()).collect();
    let mut living =
        past.names.iter().enumerate().filter(|(row, _)| !gone.contains(row)).map(|(_, named)| &*named.name);
    let count = living.clone().count();
    if count < FEW || living.any(|name| here.contains(name) || unusable.contains(name)) {
        return Ok(());
    }
    Err(SessionError(format!(
        "the directory knows none of the {count} users whom this ledger has: most likely it is another database or an empty one; \
         if all of them have been deleted this migration is over, and a new one begins with a ledger of its own"
    )))
}

/// Looks whether old copies that earlier sessions have left would go sooner than those had planned.
fn refuse_sooner_purges(scenario: &Scenario, known: &LastKnown, accepted: Accepted) -> Result<(), SessionError> {
    let (before, now) = (known.plan.copy.purge_after, scenario.plan.copy.purge_after);
    let sooner = now.is_some_and(|now| before.is_none_or(|before| now < before));
    let copies = known.facts.unpurged.len();
    if accepted.plan || !sooner || copies == 0 {
        return Ok(());
    }
    let shown = |after: Option<Span>| after.map_or("never".to_owned(), |after| format!("after {after}"));
    Err(SessionError(format!(
        "old copies are to be purged {}, and in the ledger's last session it was {}: {copies} of them would go sooner than \
         was planned when they were left; where that is meant, begin with `--accept-plan`",
        shown(now),
        shown(before)
    )))
}

/// The file system of each store, by the store's name. What cannot be asked is left out, and so is a store at whose root
/// nothing is mounted: that one is out of service.
pub(super) fn file_systems(scenario: &Scenario, site: &Site) -> BTreeMap<String, u64> {
    let stores = scenario.heads.iter().chain(&scenario.clusters).zip(site.heads.iter().chain(&site.clusters));
    let is_there = |store: &site::Store| !store.mount || not_mounted(&store.root).is_ok_and(|above| above.is_none());
    let asked = stores.filter(|(_, store)| is_there(store)).filter_map(|(name, store)| {
        let state = rustix::fs::statvfs(&store.root).ok()?;
        Some((name.clone(), state.f_fsid))
    });
    asked.collect()
}

/// Stores that lie on other file systems than those that the ledger has noted of them: most likely one is not mounted.
pub(in crate::live) fn on_other_file_systems(scenario: &Scenario, site: &Site) -> Vec<String> {
    // What cannot be read is told of by whoever reads the ledger next.
    let noted = Ledger::read(&site.ledger).and_then(|reader| reader.stores()).unwrap_or_default();
    let found = file_systems(scenario, site);
    noted
        .into_iter()
        .filter(|(name, system)| found.get(name).is_some_and(|now| now != system))
        .map(|(name, _)| name)
        .collect()
}

/// What to do about such a store.
pub(in crate::live) const OTHER_FILE_SYSTEM: &str = "on another file system than when the last session began: mount it, or, \
     where the same mail is there all the same (it was copied there, its device has another number), begin with `--accept-stores`";

/// Looks whether each store lies where it lay.
pub(in crate::live) fn refuse_other_file_systems(
    scenario: &Scenario,
    site: &Site,
    accepted: Accepted,
) -> Result<(), SessionError> {
    match on_other_file_systems(scenario, site) {
        others if others.is_empty() || accepted.stores => Ok(()),
        others => Err(SessionError(format!("{}: {OTHER_FILE_SYSTEM}", others.join(", ")))),
    }
}

/// A ledger's stores are not the scenario's. It has them by their places in the file, and would take one for the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherStores {
    kind: &'static str,
    recorded: Vec<String>,
    named: Vec<String>,
}

impl fmt::Display for OtherStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, recorded, named } = self;
        write!(
            f,
            "the {kind}s are {}, those of the ledger's last session {}: it has them by their places, so that they keep \
             their names and their order; new ones come after them",
            named.join(", "),
            recorded.join(", ")
        )
    }
}

impl std::error::Error for OtherStores {}

/// The names in a resolved scenario.
#[derive(Debug, Deserialize)]
struct Stores {
    head: Vec<Store>,
    cluster: Vec<Store>,
}

#[derive(Debug, Deserialize)]
struct Store {
    name: String,
}

/// Looks whether a scenario has the stores of a ledger's last session in the same places, and perhaps more after them.
///
/// # Errors
/// When it has not. What cannot be read is no such error: whoever reads the ledger next tells of it.
pub fn same_stores(scenario: &Scenario, ledger: &Path) -> Result<(), OtherStores> {
    let last = Ledger::read(ledger).and_then(|reader| reader.sessions()).ok().and_then(|mut sessions| sessions.pop());
    let recorded = last.and_then(|session| toml::from_str(&session.scenario).ok());
    recorded.map_or(Ok(()), |recorded: Stores| compare(&recorded, scenario.heads.as_slice(), &scenario.clusters))
}

fn compare(recorded: &Stores, heads: &[String], clusters: &[String]) -> Result<(), OtherStores> {
    for (kind, recorded, named) in [("head", &recorded.head, heads), ("cluster", &recorded.cluster, clusters)] {
        let recorded: Vec<String> = recorded.iter().map(|store| store.name.clone()).collect();
        if !named.starts_with(&recorded) {
            return Err(OtherStores { kind, recorded, named: named.to_vec() });
        }
    }
    Ok(())
}

/// Who cannot be read and may live on a head cannot be moved, nor looked at for what they share with others.
fn refuse_unusable(scenario: &Scenario, unusable: &[Unusable]) -> Result<(), SessionError> {
    let on_heads: Vec<&Unusable> = unusable.iter().filter(|row| row.may_be_on(&scenario.heads)).collect();
    if on_heads.is_empty() {
        return Ok(());
    }
    Err(SessionError(format!("users who may be on the heads: {}", listed::shown(&on_heads))))
}

/// Whoever shares a mailbox with somebody else cannot be moved: a person has to say which of the rows is one. Nor can one beside
/// whose mailbox another one has a name that the move needs.
fn refuse_overlaps(scenario: &Scenario, users: &[User]) -> Result<(), SessionError> {
    let shared = overlap::on_one_store(users, &scenario.heads);
    if !shared.is_empty() {
        return Err(SessionError(format!(
            "users on the heads share mailboxes: {}; let the list of [site.directory.statements] leave out who has no \
             mailbox of their own",
            overlap::shown(&shared)
        )));
    }
    let taken = overlap::with_our_names(users, &scenario.heads, &scenario.clusters);
    if !taken.is_empty() {
        return Err(SessionError(format!(
            "mailboxes have names that a move needs for itself: {}; rename them, in the directory too",
            overlap::shown(&taken)
        )));
    }
    Ok(())
}

/// Groups that nobody has cannot be moved one after the other.
fn refuse_missing_groups(scenario: &Scenario, users: &[User]) -> Result<(), SessionError> {
    if group::are_missing(scenario, users) { Err(SessionError(group::MISSING.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_keep_their_places_and_new_ones_come_last() {
        let recorded: Stores = toml::from_str(
            "# preflight: passed\n[[cluster]]\nname = \"nas-1\"\nrated = \"1 TB\"\n[[head]]\nname = \"a\"\n[[head]]\nname = \"b\"\n",
        )
        .expect("a scenario");
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (heads, clusters, good) in [
            ("a b", "nas-1", true),
            ("a b c", "nas-1 nas-2", true),
            ("b a", "nas-1", false),
            ("a", "nas-1", false),
            ("a b", "nas-2 nas-1", false),
            ("c a b", "nas-1", false),
        ] {
            let compared = compare(&recorded, &names(heads), &names(clusters));
            assert_eq!(compared.is_ok(), good, "{heads}, {clusters}: {compared:?}");
        }
        let told = compare(&recorded, &names("b a"), &names("nas-1")).expect_err("swapped").to_string();
        assert!(told.starts_with("the heads are b, a, those of the ledger's last session a, b: "), "{told}");
    }
}
