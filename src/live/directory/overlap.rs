//! Mailboxes that are one, or lie within each other: two rows of one Maildir, an alias for the most part. They would be
//! copied into each other, and what is removed of one is the other's. So it is where a mailbox has a name that a move gives
//! to what it puts beside another one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::User;
use crate::live::maildir::ENDINGS;

/// Pairs that are named, at most.
const NAMED: usize = 3;

/// Two users of whom neither can move without the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap<'a> {
    /// In whose mailbox it lies, or beside whose.
    pub outer: &'a User,
    /// Whose mailbox is the same, or lies within it or within what a move puts beside it.
    pub inner: &'a User,
}

impl fmt::Display for Overlap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outer, inner } = self;
        if outer.path == inner.path {
            write!(f, "{} and {} are both at {}", outer.name, inner.name, outer.path)
        } else if Path::new(&inner.path).starts_with(&outer.path) {
            write!(f, "that of {} at {} lies within that of {} at {}", inner.name, inner.path, outer.name, outer.path)
        } else {
            write!(
                f,
                "{} is at {}, a name that the move of {} at {} needs",
                inner.name, inner.path, outer.name, outer.path
            )
        }
    }
}

/// Users of the same store, one of `stores`, whose mailboxes lie within each other.
#[must_use]
pub fn on_one_store<'a>(users: &'a [User], stores: &[String]) -> Vec<Overlap<'a>> {
    let mut sorted: Vec<&User> = users.iter().filter(|user| stores.contains(&user.home)).collect();
    sorted.sort_by(|one, other| (&one.home, Path::new(&one.path)).cmp(&(&other.home, Path::new(&other.path))));
    within(&sorted, |one, other| one.home == other.home)
}

/// Users of different stores, one of them on a head, whose paths lie within each other: they cannot both come to one cluster.
#[must_use]
pub fn between_stores<'a>(users: &'a [User], heads: &[String], clusters: &[String]) -> Vec<Overlap<'a>> {
    let mut sorted: Vec<&User> =
        users.iter().filter(|user| heads.contains(&user.home) || clusters.contains(&user.home)).collect();
    sorted.sort_by(|one, other| Path::new(&one.path).cmp(Path::new(&other.path)));
    let mut found = within(&sorted, |_, _| true);
    found.retain(|Overlap { outer, inner }| {
        outer.home != inner.home && (heads.contains(&outer.home) || heads.contains(&inner.home))
    });
    found
}

/// Users of any of these stores, one of them on a head, of whom one has a mailbox at, or below, a name that a move gives to what
/// it puts beside the other's.
#[must_use]
pub fn with_our_names<'a>(users: &'a [User], heads: &[String], clusters: &[String]) -> Vec<Overlap<'a>> {
    let ours = |user: &&User| heads.contains(&user.home) || clusters.contains(&user.home);
    // Hardly any name ends so: looking for those, and then for the mailboxes beside them, is one look at each path.
    let mut beside: BTreeMap<PathBuf, Vec<&User>> = BTreeMap::new();
    for user in users.iter().filter(ours) {
        for path in Path::new(&user.path).ancestors() {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            for plain in ENDINGS.iter().filter_map(|ending| name.strip_suffix(ending)).filter(|plain| !plain.is_empty())
            {
                beside.entry(path.with_file_name(plain)).or_default().push(user);
            }
        }
    }
    if beside.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for outer in users.iter().filter(ours) {
        let inner = beside.get(Path::new(&outer.path)).into_iter().flatten();
        found.extend(inner.map(|inner| Overlap { outer, inner }));
    }
    found.retain(|Overlap { outer, inner }| heads.contains(&outer.home) || heads.contains(&inner.home));
    found
}

/// Some of them, in words.
#[must_use]
pub fn shown(found: &[Overlap<'_>]) -> String {
    let some: Vec<String> = found.iter().take(NAMED).map(ToString::to_string).collect();
    let more = found.len().saturating_sub(NAMED);
    if more == 0 { some.join("; ") } else { format!("{}; and {more} more", some.join("; ")) }
}

/// Whatever lies below a path comes right after it in the order of paths, part by part.
fn within<'a>(sorted: &[&'a User], comparable: impl Fn(&User, &User) -> bool) -> Vec<Overlap<'a>> {
    let mut found = Vec::new();
    let mut outermost: Option<&User> = None;
    for user in sorted {
        match outermost {
            Some(outer) if comparable(outer, user) && Path::new(&user.path).starts_with(&outer.path) => {
                found.push(Overlap { outer, inner: user });
            }
            Some(_) | None => outermost = Some(user),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::directory::State;

    fn user((name, home, path): (&str, &str, &str)) -> User {
        User {
            name: name.to_owned(),
            home: home.to_owned(),
            path: path.to_owned(),
            epoch: 0,
            state: State::Ok,
            group: None,
        }
    }

    fn stores(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn mailboxes_that_are_one_or_lie_within_each_other_are_found_by_store() {
        let users: Vec<User> = [
            ("alice", "head-1", "a/alice"),
            ("alice-1", "head-1", "a/alice-1"),
            ("bob", "head-1", "b/bob"),
            ("deep", "head-1", "a/alice/x/y"),
            ("elsewhere", "other", "a/alice"),
            ("postmaster", "head-1", "a/alice"),
            ("there", "nas-1", "a/alice"),
            ("two", "head-2", "b/bob"),
        ]
        .map(user)
        .into();
        let heads = stores(&["head-1", "head-2"]);
        let found = on_one_store(&users, &heads);
        assert_eq!(
            shown(&found),
            "alice and postmaster are both at a/alice; that of deep at a/alice/x/y lies within that of alice at a/alice"
        );
        let between = between_stores(&users, &heads, &stores(&["nas-1"]));
        assert_eq!(shown(&between), "alice and there are both at a/alice; bob and two are both at b/bob");
        assert!(on_one_store(&users[1..3], &heads).is_empty());
    }

    #[test]
    fn mailboxes_with_names_that_a_move_needs_are_found_on_any_store() {
        let users: Vec<User> = [
            ("alice", "head-1", "a/alice"),
            ("alice.arriving", "nas-1", "a/alice.arriving"),
            ("bob", "nas-1", "b/bob"),
            ("bob.purging", "head-2", "b/bob.purging/Maildir"),
            ("carol", "nas-1", "c/carol"),
            ("carol.moving", "nas-1", "c/carol.moving"),
            ("dan", "head-1", "d/dan"),
            ("dan.placed.new", "archive", "d/dan.placed.new"),
            ("dan.placed", "head-1", "d/dan.placed"),
            ("eve.moving", "head-1", "e/eve.moving"),
            ("eve.moving.fence", "head-1", "e/eve.moving.fence"),
            ("frank", "head-1", "f/.moving"),
        ]
        .map(user)
        .into();
        let found = with_our_names(&users, &stores(&["head-1", "head-2"]), &stores(&["nas-1"]));
        let pairs: Vec<&str> = found.iter().map(|pair| pair.inner.name.as_str()).collect();
        assert_eq!(pairs, ["alice.arriving", "bob.purging", "dan.placed", "eve.moving.fence"]);
        let told = found[0].to_string();
        assert_eq!(told, "alice.arriving is at a/alice.arriving, a name that the move of alice at a/alice needs");
    }

    #[test]
    fn a_look_from_the_outermost_finds_whoever_a_look_at_every_pair_finds() {
        let parts = ["a", "a-", "b", "a/b", "a/b/c", "a-/b", "b/a", "a/c", "ab"];
        for seed in 0..200_usize {
            let users: Vec<User> = (0..6)
                .map(|at| {
                    let (part, home) = ((seed * 7 + at * at * 5 + at * seed) % parts.len(), (seed >> at) % 2);
                    user((&format!("user-{at}"), ["head-1", "head-2"][home], parts[part]))
                })
                .collect();
            let heads = stores(&["head-1", "head-2"]);
            let found = on_one_store(&users, &heads);
            let inside = |user: &&User| {
                users.iter().any(|other| {
                    let below = Path::new(&user.path).starts_with(&other.path);
                    other.home == user.home && below && (other.path != user.path || other.name < user.name)
                })
            };
            let mut slow: Vec<&str> = users.iter().filter(inside).map(|user| user.name.as_str()).collect();
            let mut fast: Vec<&str> = found.iter().map(|pair| pair.inner.name.as_str()).collect();
            slow.sort_unstable();
            fast.sort_unstable();
            assert_eq!(fast, slow, "{users:?}");
        }
    }
}
