//! Whose place it is where a copy arrives and goes to. A Maildir that stands there is seen; a row of the directory may be there
//! before its Maildir, and two mailboxes of one path may be on their way to one cluster at the same time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::problem::Problem;
use super::{Name, now};
use crate::live::directory::{Directory, DirectoryError, User};
use crate::live::maildir;

/// The list is read again when it is so many times as old as it took to read: all of the lists together take a small part of
/// the time, however many users there are.
const RARELY: u32 = 50;

/// Who is at which path.
type Places = BTreeMap<PathBuf, String>;

/// Places that are somebody's, by store.
#[derive(Debug, Default)]
pub struct Neighbours {
    state: Mutex<State>,
    /// Held by whoever reads the list.
    reading: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// What the directory has said.
    rows: BTreeMap<String, Places>,
    /// When it has, and how long it took; none before it was asked.
    read: Option<(Instant, Duration)>,
    /// Where copies of this session go.
    claimed: BTreeMap<String, Places>,
}

impl Neighbours {
    /// Claims a place on a store for a mailbox, with all names that its move needs there; fine where it has it. What the
    /// directory says is asked for `anew` if wanted, otherwise where it is old.
    ///
    /// # Errors
    /// Where it is somebody else's; and where the directory has never answered, or is to be asked anew and does not.
    pub(super) fn claim(&self, directory: &Directory, store: &str, name: &Name, anew: bool) -> Result<(), Problem> {
        self.refresh(directory, anew)?;
        if !anew && self.in_the_way(store, name).is_some() {
            // Somebody may have been given another path since.
            self.refresh(directory, true)?;
        }
        let mut state = self.lock();
        if let Some(what) = state.in_the_way(store, name) {
            return Err(Problem::Claimed(what));
        }
        state.claimed.entry(store.to_owned()).or_default().insert(name.path.clone(), name.user.clone());
        Ok(())
    }

    /// The places of these users.
    #[must_use]
    pub fn of(users: &[User]) -> Self {
        Self { state: Mutex::new(State { rows: rows(users), ..State::default() }), reading: Mutex::default() }
    }

    /// What of somebody else's is in a mailbox's way on a store, in words.
    #[must_use]
    pub fn in_the_way(&self, store: &str, name: &Name) -> Option<String> {
        self.lock().in_the_way(store, name)
    }

    /// Nothing of a mailbox goes to its place any more.
    pub(super) fn give_back(&self, store: &str, name: &Name) {
        if let Some(places) = self.lock().claimed.get_mut(store)
            && places.get(&name.path) == Some(&name.user)
        {
            places.remove(&name.path);
        }
    }

    /// A mailbox has moved to its place.
    pub(super) fn moved(&self, store: &str, name: &Name) {
        self.give_back(store, name);
        self.lock().rows.entry(store.to_owned()).or_default().insert(name.path.clone(), name.user.clone());
    }

    /// Reads the list where it is too old, one caller at a time: lists are large.
    fn refresh(&self, directory: &Directory, anew: bool) -> Result<(), DirectoryError> {
        let (asked, is_known) = (now(), self.lock().read.is_some());
        let is_good = |state: &State| if anew { state.is_of(asked) } else { state.is_fresh() };
        let waits = anew || !is_known;
        let one = if waits { self.reading.lock().ok() } else { self.reading.try_lock().ok() };
        // Somebody else reads it, or has read it meanwhile.
        if (one.is_none() && !waits) || is_good(&self.lock()) {
            return Ok(());
        }
        let began = now();
        match directory.list() {
            Ok(listed) => {
                let rows = rows(&listed.users);
                let mut state = self.lock();
                (state.rows, state.read) = (rows, Some((began, began.elapsed())));
                Ok(())
            }
            // Copies go on where it does not answer: what it said last has to do.
            Err(_) if !waits => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_fresh(&self) -> bool {
        self.read.is_some_and(|(at, took)| at.elapsed() < took * RARELY)
    }

    /// Whether it says what was so then, or later.
    fn is_of(&self, then: Instant) -> bool {
        self.read.is_some_and(|(at, _)| at >= then)
    }

    fn in_the_way(&self, store: &str, name: &Name) -> Option<String> {
        let by = |places: Option<&Places>, whose: &str| {
            let (path, user, is_needed) = other(places?, name)?;
            let needed = if is_needed { ", a name that the move needs" } else { "" };
            Some(format!("{}, {whose} {user}{needed}", Path::new(store).join(path).display()))
        };
        let row = by(self.rows.get(store), "the mailbox of");
        row.or_else(|| by(self.claimed.get(store), "where a copy goes of the mailbox of"))
    }
}

fn rows(users: &[User]) -> BTreeMap<String, Places> {
    let mut rows: BTreeMap<String, Places> = BTreeMap::new();
    for user in users {
        rows.entry(user.home.clone()).or_default().insert(user.path.clone().into(), user.name.clone());
    }
    rows
}

/// Who else is in the way of a mailbox: at its path, above or below it, or at a name that its move needs, which is said then.
fn other<'p>(places: &'p Places, name: &Name) -> Option<(&'p Path, &'p str, bool)> {
    let is_other = |place: &(&'p PathBuf, &'p String)| *place.1 != name.user;
    // Whatever lies below a path comes right after it in the order of paths, part by part.
    let from = |path: &Path| {
        let path = path.to_owned();
        places.range(path.clone()..).take_while(move |place| place.0.starts_with(&path)).find(is_other)
    };
    let above = || name.path.ancestors().skip(1).filter_map(|path| places.get_key_value(path)).find(is_other);
    let beside = || {
        maildir::ENDINGS.iter().find_map(|ending| {
            let mut beside = name.path.as_os_str().to_owned();
            beside.push(ending);
            from(Path::new(&beside))
        })
    };
    let found = from(&name.path).or_else(above).map(|place| (place, false));
    found.or_else(|| beside().map(|place| (place, true))).map(|((path, user), needed)| (&**path, &**user, needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_way_is_at_the_path_above_or_below_it_or_at_a_name_of_ours() {
        let name = Name { user: "alice".into(), path: "d/alice".into() };
        for (path, needed) in [
            ("d/alice", Some(false)),
            ("d/alice/x/y", Some(false)),
            ("d", Some(false)),
            ("d/alice.arriving", Some(true)),
            ("d/alice.placed/x", Some(true)),
            ("d/alice-1", None),
            ("d/alice.x", None),
            ("d/alic", None),
            ("e", None),
        ] {
            let mut places = Places::from([("d/alice!".into(), "other".into()), (path.into(), "bob".into())]);
            assert_eq!(other(&places, &name), needed.map(|needed| (Path::new(path), "bob", needed)), "{path}");
            places.insert(path.into(), "alice".into());
            assert_eq!(other(&places, &name), None, "{path}: their own");
        }
    }
}
