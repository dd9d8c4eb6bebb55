//! What no session may begin with, because it would do something else than it says.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::SessionError;
use crate::live::directory::{User, overlap};
use crate::live::group;
use crate::live::ledger::Ledger;
use crate::scenario::Scenario;

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

/// Whoever shares a mailbox with somebody else cannot be moved: a person has to say which of the rows is one.
pub(in crate::live) fn refuse_overlaps(scenario: &Scenario, users: &[User]) -> Result<(), SessionError> {
    match overlap::on_one_store(users, &scenario.heads) {
        found if found.is_empty() => Ok(()),
        found => Err(SessionError(format!(
            "users on the heads share mailboxes: {}; let the list of [site.directory.statements] leave out who has no \
             mailbox of their own",
            overlap::shown(&found)
        ))),
    }
}

/// Groups that nobody has cannot be moved one after the other.
pub(in crate::live) fn refuse_missing_groups(scenario: &Scenario, users: &[User]) -> Result<(), SessionError> {
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
