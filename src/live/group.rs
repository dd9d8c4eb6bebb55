//! To which group the users belong, for plans that order by group or move groups whole: what the directory's list says, or
//! else the domains of their names.

use std::collections::{BTreeMap, BTreeSet};

use super::directory::User;
use super::ledger::Named;
use crate::fleet::NO_GROUP;
use crate::migration::plan::Within;
use crate::scenario::Scenario;

/// Where the groups come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The sixth column of the directory's list.
    List,
    /// What follows the last `@` of the names: the list says nothing of anybody.
    Domains,
    /// Nobody asks.
    None,
}

impl Source {
    /// Where they come from: the list where it says so of anybody, else the names where the plan asks for groups.
    pub(super) fn of(within: Within, users: &[User]) -> Self {
        if users.iter().any(|user| user.group.is_some()) {
            Self::List
        } else if asked_for(within) {
            Self::Domains
        } else {
            Self::None
        }
    }

    /// The group of a user whom the directory has, by its name.
    pub(super) fn group(self, user: &User) -> Option<String> {
        match self {
            Self::List => user.group.clone(),
            Self::Domains => domain(&user.name),
            Self::None => None,
        }
    }
}

/// Whether a plan's order is one by groups.
pub(super) fn asked_for(within: Within) -> bool {
    match within {
        Within::Group | Within::WholeGroups => true,
        Within::Inventory | Within::Smallest | Within::Largest | Within::Busiest | Within::Idlest => false,
    }
}

/// The groups of a session's rows as numbers, in the order of the groups' names; no column where nobody has one.
pub(super) fn column(within: Within, users: &[User], names: &[Named]) -> Vec<u32> {
    let source = Source::of(within, users);
    let of_users: BTreeMap<&str, String> =
        users.iter().filter_map(|user| Some((user.name.as_str(), source.group(user)?))).collect();
    // A user who is gone has no row in the list, but a name in the ledger.
    let of_row = |named: &Named| match source {
        Source::Domains => domain(&named.name),
        Source::List | Source::None => of_users.get(named.name.as_str()).cloned(),
    };
    let rows: Vec<Option<String>> = names.iter().map(of_row).collect();
    let groups: BTreeSet<&String> = rows.iter().flatten().collect();
    if groups.is_empty() {
        return Vec::new();
    }
    let numbers: BTreeMap<&String, u32> = groups.into_iter().zip(0..).collect();
    let number = |group: &Option<String>| group.as_ref().and_then(|group| numbers.get(group)).copied();
    rows.iter().map(|group| number(group).unwrap_or(NO_GROUP)).collect()
}

/// What the groups of those are who are on the heads: by size.
pub(super) fn on_heads(scenario: &Scenario, users: &[User]) -> (Source, BTreeMap<Option<String>, usize>) {
    let source = Source::of(scenario.plan.order.within, users);
    let mut sizes = BTreeMap::new();
    for user in users.iter().filter(|user| scenario.heads.contains(&user.home)) {
        *sizes.entry(source.group(user)).or_default() += 1;
    }
    (source, sizes)
}

/// Whether the plan asks for groups where none of those on the heads has one.
pub(super) fn are_missing(scenario: &Scenario, users: &[User]) -> bool {
    let (_, sizes) = on_heads(scenario, users);
    asked_for(scenario.plan.order.within) && !sizes.is_empty() && sizes.keys().all(Option::is_none)
}

/// What is to be done where they are missing.
pub(super) const MISSING: &str = "the plan orders by group, and none of the users on the heads has one: their names have no `@` with a \
     domain after it, and the list of [site.directory.statements] gives no sixth column, a group";

/// The domain of a name, in small letters: domains know no others.
fn domain(name: &str) -> Option<String> {
    name.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).filter(|domain| !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::directory::State;

    fn user(name: &str, group: Option<&str>) -> User {
        let (home, path, group) = ("head-1".to_owned(), name.to_owned(), group.map(str::to_owned));
        User { name: name.to_owned(), home, path, epoch: 0, state: State::Ok, group }
    }

    fn names(names: &[&str]) -> Vec<Named> {
        names.iter().map(|name| Named { name: (*name).to_owned(), path: (*name).to_owned() }).collect()
    }

    #[test]
    fn domains_are_groups_where_the_plan_asks_and_the_list_says_nothing() {
        let users = ["ann@zeta.org", "bob@alpha.org", "carl", "dora@Zeta.ORG", "odd@", "a@b@alpha.org"]
            .map(|name| user(name, None));
        // One of the ledger's is gone from the directory.
        let rows = names(&[
            "ann@zeta.org",
            "eva@alpha.org",
            "bob@alpha.org",
            "carl",
            "dora@Zeta.ORG",
            "odd@",
            "a@b@alpha.org",
        ]);
        let expected = [1, 0, 0, NO_GROUP, 1, NO_GROUP, 0];
        assert_eq!(column(Within::WholeGroups, &users, &rows), expected);
        assert_eq!(column(Within::Group, &users, &rows), expected);
        assert_eq!(column(Within::Smallest, &users, &rows), [0; 0]);
        assert_eq!(column(Within::Group, &[user("carl", None)], &names(&["carl"])), [0; 0]);
    }

    #[test]
    fn what_the_list_says_counts_alone_and_is_kept_for_any_order() {
        let users = [user("ann@b.org", Some("first")), user("bob@a.org", None), user("carl", Some("Second"))];
        let rows = names(&["bob@a.org", "carl", "ann@b.org", "gone@a.org"]);
        for within in [Within::WholeGroups, Within::Smallest] {
            assert_eq!(column(within, &users, &rows), [NO_GROUP, 0, 1, NO_GROUP]);
        }
    }
}
