//! What is at the target, as far as this copy put or found it there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blake3::Hash;

use super::super::audit::Totals;
use super::super::dir::Stamp;
use super::super::name::{Part, Place, base};
use super::super::walk::Seen;

/// A message at the target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// At the source.
    pub(super) inode: u64,
    /// At the source, when it was read.
    pub(super) stamp: Stamp,
    /// Of the stream that was read at the source.
    pub(super) hash: Hash,
    /// The target gave the same content back, not from a cache of ours.
    pub(super) verified: bool,
}

/// The messages of a folder at the target.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) at: BTreeMap<Place, Message>,
    /// What else is there: left by an earlier copy, or set aside. None: not listed yet.
    pub(super) found: Option<BTreeSet<Place>>,
}

/// Where a message of the source is at the target.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Under its name.
    Here,
    /// Under a name that it no longer has.
    Under(Place),
    /// Not there, or not as it is now.
    Nowhere,
}

/// Where each inode of the source is at the target: folder and place, newest last.
type Index = HashMap<u64, Vec<(Arc<Path>, Place)>>;

/// All that is held, by folder.
#[derive(Debug, Default)]
pub(super) struct Held {
    folders: BTreeMap<PathBuf, Messages>,
    /// Made when a pass first asks for it. Entries may be stale, each is checked against `folders`.
    index: Option<Index>,
}

impl Messages {
    /// Where the message is that has this place, inode and stamp at the source.
    pub(super) fn whereabouts(&self, place: &Place, inode: u64, stamp: Stamp, seen: &Seen) -> Whereabouts {
        let same = |message: &Message| message.inode == inode && message.stamp == stamp;
        if self.at.get(place).is_some_and(same) {
            return Whereabouts::Here;
        }
        // A place that the source still has belongs to another of its names, as after a link that was not followed by an
        // unlink.
        let under = names(&self.at, base(&place.name)).find(|(old, message)| same(message) && !seen.contains_key(*old));
        under.map_or(Whereabouts::Nowhere, |(old, _)| Whereabouts::Under(old.clone()))
    }

    /// Sets aside what the source no longer has, or a listing missed: a message that comes back, perhaps as a further name
    /// of another, is compared first.
    pub(super) fn set_aside(&mut self, seen: &Seen) {
        let gone: Vec<_> =
            self.at.extract_if(.., |place, _| !seen.contains_key(place)).map(|(place, _)| place).collect();
        self.found.get_or_insert_default().extend(gone);
    }

    /// What an earlier copy left of a message.
    pub(super) fn left(&self, place: &Place) -> Vec<Place> {
        let wanted = base(&place.name);
        let from = Place { name: wanted.to_vec(), part: Part::New };
        let left = self.found.iter().flat_map(|found| found.range(from.clone()..));
        left.take_while(|left| left.name.starts_with(wanted))
            .filter(|left| base(&left.name) == wanted)
            .cloned()
            .collect()
    }
}

impl Held {
    pub(super) fn folder(&mut self, path: &Path) -> &mut Messages {
        // Two look-ups rather than a path allocated for each message.
        if !self.folders.contains_key(path) {
            self.folders.insert(path.to_owned(), Messages::default());
        }
        self.folders.get_mut(path).expect("the folder has just been put in")
    }

    pub(super) fn get(&self, folder: &Path, place: &Place) -> Option<&Message> {
        self.folders.get(folder)?.at.get(place)
    }

    pub(super) fn put(&mut self, folder: &Arc<Path>, place: Place, message: Message) {
        if let Some(index) = &mut self.index {
            index.entry(message.inode).or_default().push((Arc::clone(folder), place.clone()));
        }
        let messages = self.folder(folder);
        if let Some(found) = &mut messages.found {
            found.remove(&place);
        }
        messages.at.insert(place, message);
    }

    pub(super) fn forget(&mut self, folder: &Path, place: &Place) -> Option<Message> {
        self.folders.get_mut(folder)?.at.remove(place)
    }

    /// Forgets the folders that the source no longer has.
    pub(super) fn keep_folders(&mut self, kept: &BTreeSet<&Path>) {
        self.folders.retain(|folder, _| kept.contains(&**folder));
    }

    pub(super) fn forget_folder(&mut self, folder: &Path) {
        self.folders.remove(folder);
    }

    pub(super) fn forget_index(&mut self) {
        self.index = None;
    }

    /// Where the target holds an inode of the source that still looks like this.
    pub(super) fn links(&mut self, inode: u64, stamp: Stamp) -> Option<(Arc<Path>, Place, Hash)> {
        let folders = &self.folders;
        let index = self.index.get_or_insert_with(|| index(folders));
        index.get(&inode)?.iter().rev().find_map(|(folder, place)| {
            let message = folders.get(&**folder)?.at.get(place)?;
            let same = message.inode == inode && message.stamp == stamp;
            same.then(|| (Arc::clone(folder), place.clone(), message.hash))
        })
    }

    /// Everything that has not been read back yet.
    pub(super) fn unverified(&self) -> Vec<(PathBuf, Place)> {
        let all =
            self.folders.iter().flat_map(|(folder, held)| held.at.iter().map(move |(place, one)| (folder, place, one)));
        all.filter(|(_, _, message)| !message.verified)
            .map(|(folder, place, _)| (folder.clone(), place.clone()))
            .collect()
    }

    pub(super) fn verified(&mut self, folder: &Path, place: &Place) {
        if let Some(message) = self.folders.get_mut(folder).and_then(|held| held.at.get_mut(place)) {
            message.verified = true;
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { folders: self.folders.len() as u32, ..Totals::default() };
        for message in self.folders.values().flat_map(|held| held.at.values()) {
            totals.count(message.stamp.size);
        }
        totals
    }
}

fn index(folders: &BTreeMap<PathBuf, Messages>) -> Index {
    let mut index = Index::new();
    for (folder, held) in folders {
        let folder: Arc<Path> = folder.as_path().into();
        for (place, message) in &held.at {
            index.entry(message.inode).or_default().push((Arc::clone(&folder), place.clone()));
        }
    }
    index
}

/// The places whose names have this base.
fn names<'m, 'b: 'm>(
    at: &'m BTreeMap<Place, Message>,
    wanted: &'b [u8],
) -> impl Iterator<Item = (&'m Place, &'m Message)> + use<'m, 'b> {
    at.range(Place { name: wanted.to_vec(), part: Part::New }..)
        .take_while(move |(place, _)| place.name.starts_with(wanted))
        .filter(move |(place, _)| base(&place.name) == wanted)
}
