//! Users whom an interrupted session has left held: whatever else is true, nobody stays locked out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Past, Roots, SessionError, Setting, failed, on_other_file_systems, same_stores, take_lease};
use crate::live::directory::{Directory, Lease, Listed, State, User};
use crate::live::front::FrontEnds;
use crate::live::ledger::{Ledger, LedgerError, Lock, Trouble};
use crate::live::maildir::{self, Root};
use crate::live::mover::{self, Name, Neighbours, Places};

/// Mailboxes are looked at by so many at once.
const LOOKERS: usize = 8;

/// Everything that is needed to end holds that were left.
pub(super) struct Holds<'a> {
    pub(super) directory: &'a Directory,
    pub(super) front_ends: &'a FrontEnds,
    pub(super) lease: &'a Lease,
    pub(super) roots: &'a Roots,
    pub(super) past: &'a Past,
    /// Whoever the directory has, asked for or not.
    pub(super) everybody: &'a [User],
}

/// What became of the holds that were left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Whose hold has ended.
    pub users: Vec<String>,
    /// Who could not be put back, or is held by somebody else, and why.
    pub still_held: Vec<String>,
    /// Who is free, though a front end has not been told.
    pub untold: Vec<String>,
    /// Stores that were left alone, and why.
    pub left_alone: Vec<String>,
}

impl Holds<'_> {
    /// Tries everybody, whatever becomes of the others.
    pub(super) fn end_all(&self, users: &[User], say: &dyn Fn(&str)) -> Released {
        let mut released = Released::default();
        let held: Vec<&User> = users.iter().filter(|user| user.state == State::Hold).collect();
        if held.is_empty() {
            self.clear_marks(users);
            return released;
        }
        let neighbours = Neighbours::of(self.everybody);
        for user in held {
            let stores = self.roots.heads.iter().chain(&self.roots.clusters);
            let home = stores.into_iter().find(|(store, _)| *store == user.home).map(|(_, root)| root);
            let at_head = self.roots.heads.iter().any(|(store, _)| *store == user.home);
            let clusters = self.without_others(user, &neighbours, say);
            let placed = self.past.placed_on(&user.name).map(|cluster| &self.roots.clusters[cluster.index()].0);
            let placed = clusters.iter().find(|(store, _)| at_head && Some(store) == placed).map(|(_, root)| root);
            let found = Places { home, placed, clusters: &clusters, at_head };
            match mover::put_back(self.directory, self.lease.fence(), user, found) {
                Ok(()) => {
                    say(&format!("{} was left held at {}: put back and released", user.name, user.home));
                    released.users.push(user.name.clone());
                    if let Err(error) = self.front_ends.flush(&user.name) {
                        let untold = format!("{} is free, but not yet everywhere: {error}", user.name);
                        say(&untold);
                        released.untold.push(untold);
                    }
                }
                Err(why) => {
                    let still_held = format!("{} is still held: {why}", user.name);
                    say(&still_held);
                    released.still_held.push(still_held);
                }
            }
        }
        self.clear_marks(users);
        released
    }

    /// The clusters where nobody else is in the way of a user: what stands at that place, or at a name of ours beside it, would be
    /// taken for a copy, and removed. An account may have been made there since.
    fn without_others(&self, user: &User, neighbours: &Neighbours, say: &dyn Fn(&str)) -> Vec<(String, Root)> {
        let name = Name { user: user.name.clone(), path: PathBuf::from(&user.path) };
        let is_free = |(store, _): &&(String, Root)| match neighbours.in_the_way(store, &name) {
            Some(what) if user.home != *store => {
                say(&format!("{}: {what}: what stands there is left alone", user.name));
                false
            }
            Some(_) | None => true,
        };
        self.roots.clusters.iter().filter(is_free).cloned().collect()
    }

    /// Gives those their mailboxes back who are free at a head and stand behind a fence there all the same: released while
    /// their store was not there. Whose mailbox has moved is another matter: the newer one is elsewhere.
    pub(super) fn unfence_free(&self, users: &[User], say: &dyn Fn(&str)) -> Vec<String> {
        let moved = self.past.moved();
        let free: Vec<(&User, &Root)> = users
            .iter()
            .filter(|user| user.state == State::Ok && !moved.contains(user.name.as_str()))
            .filter_map(|user| Some((user, &self.roots.heads.iter().find(|(store, _)| *store == user.home)?.1)))
            .filter(|(_, root)| !root.is_absent())
            .collect();
        let look = |part: &[(&User, &Root)]| -> Vec<String> {
            let fenced = part.iter().filter(|(user, root)| {
                let path = Path::new(&user.path);
                maildir::is_behind_fence(root, path).unwrap_or(false) && maildir::unfence(root, path).is_ok()
            });
            fenced.map(|(user, _)| user.name.clone()).collect()
        };
        let parts = free.chunks(free.len().div_ceil(LOOKERS).max(1));
        let back: Vec<String> = std::thread::scope(|scope| {
            let lookers: Vec<_> = parts.map(|part| scope.spawn(move || look(part))).collect();
            lookers.into_iter().flat_map(|looker| looker.join().unwrap_or_default()).collect()
        });
        for name in &back {
            say(&format!("{name} was free, and its mailbox behind a fence: put back"));
        }
        back
    }

    /// Removes what says of a copy that nobody lives in it yet where its user has moved there just before an interruption.
    fn clear_marks(&self, users: &[User]) {
        for (mailbox, cluster) in &self.past.placed {
            let (store, root) = &self.roots.clusters[cluster.index()];
            let name = &self.past.names[mailbox.index()].name;
            if let Some(user) = users.iter().find(|user| user.name == *name && user.home == *store) {
                // One that is left means nothing: its epoch is over.
                let _ = maildir::unmark_placed(root, Path::new(&user.path));
            }
        }
    }
}

/// The ledger as nobody else's while this lives, whether it can be read or not.
enum Kept {
    Open { _ledger: Ledger },
    Damaged { _lock: Lock, why: LedgerError },
}

impl Kept {
    fn open(path: &Path) -> Result<Self, SessionError> {
        match Ledger::open(path) {
            Ok(ledger) => Ok(Self::Open { _ledger: ledger }),
            Err(
                why @ LedgerError { trouble: Trouble::Database(_) | Trouble::NotALedger | Trouble::Content(_), .. },
            ) => {
                let lock = Ledger::lock(path).map_err(|error| failed("the ledger")(&error))?;
                Ok(Self::Damaged { _lock: lock, why })
            }
            Err(error) => Err(failed("the ledger")(&error)),
        }
    }

    fn past(&self, path: &Path) -> Result<Past, SessionError> {
        match self {
            Self::Open { .. } => Past::read(path),
            Self::Damaged { why, .. } => Err(failed("the ledger")(why)),
        }
    }
}

/// Releases users that an interrupted session has left held, without beginning another one.
///
/// # Errors
/// When somebody else has the lease or the ledger, or the directory does not answer.
pub fn release(setting: Setting<'_>, only: Option<&str>, say: &dyn Fn(&str)) -> Result<Released, SessionError> {
    let Setting { scenario, site, clock, accepted, .. } = setting;
    let ledger = Kept::open(&site.ledger)?;
    let mut roots = Roots::open(scenario, site, say);
    // Whose mailbox stands behind its fence on a store that is not mounted would be free with nothing in its place.
    let others = if accepted.stores { Vec::new() } else { on_other_file_systems(scenario, site) };
    let left_alone = roots.leave_out(&others);
    for why in &left_alone {
        say(why);
    }
    let directory = Directory::connect(&site.directory, site.timeout);
    let directory = Arc::new(directory.map_err(|error| failed("the directory")(&error))?);
    let lease = take_lease(&directory, site, clock.latest())?;
    let front_ends = FrontEnds::new(&site.front_ends, site.timeout);
    same_stores(scenario, &site.ledger).map_err(|error| failed("the ledger")(&error))?;
    // Beside each copy in its place a mark says so, too: nobody has to stay held for a damaged ledger.
    let read = ledger.past(&site.ledger);
    if let Err(why) = &read {
        say(&format!("{why}; who is held is put back by what stands on the stores, who is free is left alone"));
    }
    let is_read = read.is_ok();
    let past = read.unwrap_or_default();
    let Listed { users: everybody, unusable } = directory.list().map_err(|error| failed("the directory")(&error))?;
    // What one row says keeps nobody else held.
    for row in &unusable {
        say(&row.to_string());
    }
    let users: Vec<User> = everybody.iter().filter(|user| only.is_none_or(|name| user.name == name)).cloned().collect();
    let holds = Holds {
        directory: &directory,
        front_ends: &front_ends,
        lease: &lease,
        roots: &roots,
        past: &past,
        everybody: &everybody,
    };
    let mut ended = holds.end_all(&users, say);
    // Whose mailbox has moved nothing but the ledger tells.
    if is_read {
        ended.users.extend(holds.unfence_free(&users, say));
    }
    // Otherwise it runs out by itself.
    let _ = lease.end();
    ended.left_alone = left_alone;
    Ok(ended)
}
