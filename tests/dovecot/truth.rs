//! What must be there: every message with its place, its UID and its flags, before the start and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::chown;

use super::imap::{Fetched, Imap};
use super::world::{HEADS, MAIL, World};

/// Where messages lie at the start, and how many of each.
const FOLDERS: [(&str, u32); 2] = [("INBOX", 120), ("Archive", 30)];
/// Flags and keywords that messages get, in turn.
const FLAGS: [&str; 6] =
    ["\\Seen", "", "\\Seen \\Flagged", "$Label1", "\\Answered project-x", "\\Seen $Label1 project-x $Forwarded"];

/// Begins the ids of messages that are nothing but a header.
const BARE: &str = "bare-";

/// A message from before the start.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) folder: String,
    pub(crate) validity: u32,
    pub(crate) uid: u32,
    /// What its flags may be: more than one where the server ended the connection before it answered.
    pub(crate) flags: Vec<BTreeSet<String>>,
    /// Copies that were made of it, at least and at most.
    pub(crate) copies: (u32, u32),
}

/// A user's messages from before the start, and each folder's HIGHESTMODSEQ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox {
    pub(crate) messages: Vec<Message>,
    pub(crate) modseqs: BTreeMap<String, u64>,
}

/// The text of a message: all of it follows from its id.
pub(crate) fn text(id: &str) -> Vec<u8> {
    let mix = id.bytes().fold(17_u32, |mix, byte| mix.wrapping_mul(31).wrapping_add(u32::from(byte)));
    // Mostly small, and some of a hundred times that; those of which there are very many have no lines at all.
    let lines = if id.starts_with(BARE) {
        0
    } else if mix.is_multiple_of(40) {
        1_200
    } else {
        mix % 60
    };
    let mut text = format!("From: sender@example.com\r\nSubject: {id}\r\nMessage-ID: <{id}>\r\n\r\n");
    for line in 0..lines {
        let _ = write!(text, "{line} {id} and whatever else there is to be said in a line of a message\r\n");
    }
    text.into_bytes()
}

/// Fills every mailbox, by IMAP, so that the server's own files are there.
pub(crate) fn fill(world: &World) {
    for user in &world.users {
        let mut imap = Imap::login(world.imap, user).unwrap();
        imap.command("CREATE Archive").unwrap();
        for (folder, messages) in FOLDERS {
            for number in 0..messages {
                let flags = FLAGS[number as usize % FLAGS.len()];
                imap.append(folder, flags, &text(&format!("{folder}-{number}@{user}"))).unwrap();
            }
        }
        imap.command("LOGOUT").ok();
    }
}

/// Puts so many messages into the first user's INBOX, as files: the server learns of them when it looks.
pub(crate) fn fill_files(world: &World, messages: u32) {
    let user = &world.users[0];
    let maildir = world.path(HEADS[0]).join("example.com").join(user).join("Maildir");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join(part)).unwrap();
        chown(maildir.join(part), Some(MAIL), Some(MAIL)).unwrap();
    }
    chown(&maildir, Some(MAIL), Some(MAIL)).unwrap();
    for number in 0..messages {
        let file = maildir.join(format!("cur/{}.M{number}P1.host:2,S", 1_300_000_000 + number));
        fs::write(&file, text(&format!("{BARE}{number}@{user}"))).unwrap();
        chown(&file, Some(MAIL), Some(MAIL)).unwrap();
    }
}

/// What is there at the start.
pub(crate) fn survey(world: &World) -> BTreeMap<String, Mailbox> {
    let look = |user: &String| {
        let mut mailbox = Mailbox::default();
        for (folder, (validity, modseq, found)) in everything(world, user) {
            mailbox.modseqs.insert(folder.clone(), modseq);
            mailbox.messages.extend(found.into_iter().map(|Fetched { uid, flags, id, .. }| Message {
                id,
                folder: folder.clone(),
                validity,
                uid,
                flags: vec![flags],
                copies: (0, 0),
            }));
        }
        (user.clone(), mailbox)
    };
    world.users.iter().map(look).collect()
}

/// Every folder of a user: UIDVALIDITY, HIGHESTMODSEQ, messages with their whole texts.
fn everything(world: &World, user: &str) -> BTreeMap<String, (u32, u64, Vec<Fetched>)> {
    let mut imap = Imap::login(world.imap, user).unwrap();
    let folders = imap.folders().unwrap();
    let look = |folder: String| {
        let selected = imap.select(&folder).unwrap();
        let found = if selected.exists == 0 { Vec::new() } else { imap.fetch("1:*", "BODY.PEEK[]").unwrap() };
        assert_eq!(found.len() as u32, selected.exists, "{user}: {folder}: what cannot be read");
        (folder, (selected.validity, selected.modseq, found))
    };
    folders.into_iter().map(look).collect()
}

/// What the end is compared with.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// By user.
    pub(crate) mailboxes: BTreeMap<String, Mailbox>,
    /// Deliveries that were accepted, by user and Message-ID, and how many more of each there may be, because no answer
    /// came.
    pub(crate) delivered: BTreeMap<(String, String), u32>,
    /// What clients have seen: by user, folder, UIDVALIDITY and UID the Message-ID.
    pub(crate) seen: BTreeMap<(String, String, u32, u32), String>,
}

/// What is wrong at the end: nothing, if all is well.
pub(crate) fn differences(world: &World, expected: &Expected) -> Vec<String> {
    let mut wrong = Vec::new();
    for user in &world.users {
        let there = everything(world, user);
        let mailbox = &expected.mailboxes[user];
        let mut by_place = BTreeMap::new();
        let mut count: BTreeMap<&str, u32> = BTreeMap::new();
        for (folder, (validity, _, found)) in &there {
            for message in found {
                *count.entry(&message.id).or_default() += 1;
                by_place.insert((folder.as_str(), *validity, message.uid), message);
                if !message.text.ends_with(&text(&message.id)) {
                    wrong.push(format!("{user}: {folder}: {}: its text has changed", message.id));
                }
            }
        }
        for (folder, before) in &mailbox.modseqs {
            let after = there.get(folder).map_or(0, |(_, modseq, _)| *modseq);
            if after < *before {
                wrong.push(format!("{user}: {folder}: HIGHESTMODSEQ was {before}, is {after}"));
            }
        }
        for message in &mailbox.messages {
            let Message { id, folder, validity, uid, flags, copies } = message;
            match by_place.get(&(folder.as_str(), *validity, *uid)) {
                None => wrong.push(format!("{user}: {folder}: {id}: lost or renumbered, was {validity}/{uid}")),
                Some(found) if found.id != *id => {
                    wrong.push(format!("{user}: {folder}: UID {uid} was {id}, is {}", found.id));
                }
                Some(found) if !flags.contains(&found.flags) => {
                    wrong.push(format!("{user}: {folder}: {id}: flags {:?}, not {flags:?}", found.flags));
                }
                Some(_) => {}
            }
            let found = count.remove(id.as_str()).unwrap_or(0);
            if found < 1 + copies.0 || found > 1 + copies.1 {
                wrong.push(format!("{user}: {id}: there {found} times, copied {copies:?} times"));
            }
        }
        for ((_, id), more) in expected.delivered.iter().filter(|((to, _), _)| to == user) {
            let found = count.remove(id.as_str()).unwrap_or(0);
            if found < 1 || found > 1 + more {
                wrong.push(format!("{user}: {id}: was delivered, is there {found} times"));
            }
        }
        wrong.extend(count.into_iter().map(|(id, found)| format!("{user}: {id}: there {found} times, not accepted")));
        for ((_, folder, validity, uid), id) in expected.seen.iter().filter(|((of, ..), _)| of == user) {
            let found = by_place.get(&(folder.as_str(), *validity, *uid));
            if found.is_none_or(|found| found.id != *id) {
                let found = found.map(|found| &found.id);
                wrong.push(format!("{user}: {folder}: UID {uid} was seen as {id}, is {found:?}"));
            }
        }
    }
    wrong
}
