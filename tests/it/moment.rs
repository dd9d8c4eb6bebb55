//! What has to be true at any moment, also of a program that has just been killed.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use drawdown::fleet::MailboxId;
use drawdown::live::wire;
use drawdown::migration::message::{Command, EffectId};
use rusqlite::Connection;

use crate::site_world::{CLUSTERS, HEADS, World, mail};

/// Users for whom the ledger has asked for something.
#[derive(Debug, Default)]
struct Asked {
    copies: BTreeSet<String>,
    switches: BTreeSet<String>,
    purges: BTreeSet<String>,
}

/// Whoever the database has at its head has all mail there; whoever it has on a cluster, has all there, under its final
/// names. Whatever a cluster has under a message's name is whole. Nothing is copied, fenced or removed that the ledger has
/// not asked for, and what no purge was asked of is at its head as it was.
pub(crate) fn check(world: &World, at: &impl Debug) {
    let [heads, clusters] = [&HEADS, &CLUSTERS].map(|stores| mail(&stores.map(|store| world.path(store))));
    let plain = |name: &str| name.replace(".moving/", "/").replace(".arriving/", "/");
    let asked = asked(world);
    for (name, text) in &clusters {
        assert!(world.before.get(&plain(name)) == Some(text), "{at:?}: {name} is not whole");
        assert!(asked.copies.contains(user(name)), "{at:?}: nobody has asked for a copy of {name}");
    }
    let at_heads: BTreeMap<String, &Vec<u8>> = heads.iter().map(|(name, text)| (plain(name), text)).collect();
    assert_eq!(at_heads.len(), heads.len(), "{at:?}: a message is twice at a head");
    for name in heads.keys().filter(|name| name.contains(".moving/")) {
        assert!(asked.switches.contains(user(name)), "{at:?}: nobody has asked for a switch of {name}");
    }
    let homes = homes(world);
    for (name, text) in &world.before {
        let moved = homes[user(name)].starts_with("nas");
        assert!(!moved || clusters.get(name) == Some(text), "{at:?}: {name} is lost on its cluster");
        if !moved || !asked.purges.contains(user(name)) {
            assert!(at_heads.get(name) == Some(&text), "{at:?}: {name} is lost at its head");
        }
    }
}

fn user(name: &str) -> &str {
    Path::new(name).components().nth(1).unwrap().as_os_str().to_str().unwrap()
}

/// A copy of a database as it stands: whoever opens the file itself puts it in order, which is for the program to do.
fn opened(world: &World, name: &str) -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = world.database(name);
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with(name) && entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    let database = Connection::open(folder.path().join(name)).unwrap();
    (folder, database)
}

fn homes(world: &World) -> BTreeMap<String, String> {
    let (_folder, users) = opened(world, "users.db");
    let mut homes = users.prepare("SELECT name, home FROM mailbox").unwrap();
    let homes = homes.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    homes.map(Result::unwrap).collect()
}

fn asked(world: &World) -> Asked {
    let (_folder, ledger) = opened(world, "ledger.db");
    let mut asked = Asked::default();
    // Without tables it has not come to begin a session.
    let Ok(mut names) = ledger.prepare("SELECT id, name FROM mailbox") else { return asked };
    let names = names.query_map((), |row| Ok((MailboxId(row.get(0)?), row.get::<_, String>(1)?))).unwrap();
    let names: BTreeMap<MailboxId, String> = names.map(Result::unwrap).collect();
    let mut commands = ledger.prepare("SELECT body FROM command ORDER BY session, seq, n").unwrap();
    let commands = commands.query_map((), |row| row.get::<_, String>(0)).unwrap();
    let mut copied: BTreeMap<EffectId, MailboxId> = BTreeMap::new();
    for command in commands {
        match wire::read_command(&command.unwrap()).unwrap() {
            Command::StartCopy { effect, mailbox, .. } => {
                copied.insert(effect, mailbox);
                asked.copies.insert(names[&mailbox].clone());
            }
            Command::Switch { effect } => {
                asked.switches.insert(names[&copied[&effect]].clone());
            }
            Command::Purge { batch, .. } => {
                asked.purges.extend(batch.mailboxes().iter().map(|mailbox| names[mailbox].clone()));
            }
            _ => {}
        }
    }
    asked
}
