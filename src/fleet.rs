//! What is where: identities of mailboxes, heads and clusters, and the facts about a fleet of mailboxes.
//!
//! The facts lie in columns (a structure of arrays), 18 bytes a mailbox, are immutable once built and shared between
//! the migration core and whoever hosts it. This module knows nothing of plans or of time going by.

use serde::{Deserialize, Serialize};

use crate::units::Bytes;

/// A mailbox: its row in the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailboxId(pub u32);

/// A controller of the old storage: its place in the scenario's list of heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeadId(pub u8);

/// A NAS cluster: its place in the scenario's list of clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub u8);

/// The largest number of heads, and of clusters, in one scenario.
pub const STORES_MAX: usize = 64;

impl MailboxId {
    /// The mailbox's row.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl HeadId {
    /// The head's place in lists by head.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl ClusterId {
    /// The cluster's place in lists by cluster.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a mailbox lives, in one byte: a head or a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "HomeText", into = "HomeText")]
pub struct Home(u8);

/// A home as other programs read it: `{"head": 0}`, `{"cluster": 2}`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HomeText {
    Head(HeadId),
    Cluster(ClusterId),
}

impl From<Home> for HomeText {
    fn from(home: Home) -> Self {
        match home.as_cluster() {
            Some(cluster) => Self::Cluster(cluster),
            None => Self::Head(HeadId(home.0)),
        }
    }
}

impl TryFrom<HomeText> for Home {
    type Error = String;

    fn try_from(text: HomeText) -> Result<Self, String> {
        let (HomeText::Head(HeadId(number)) | HomeText::Cluster(ClusterId(number))) = text;
        if usize::from(number) >= STORES_MAX {
            return Err(format!("store {number}, where there are {STORES_MAX} at most"));
        }
        Ok(match text {
            HomeText::Head(head) => Self::head(head),
            HomeText::Cluster(cluster) => Self::cluster(cluster),
        })
    }
}

impl Home {
    const CLUSTER: u8 = 0x80;

    /// How many homes there can be: for lists by home.
    pub const COUNT: usize = 1 << u8::BITS;

    /// On the old storage.
    #[must_use]
    #[inline]
    pub const fn head(head: HeadId) -> Self {
        Self(head.0)
    }

    /// On the new hardware.
    #[must_use]
    #[inline]
    pub const fn cluster(cluster: ClusterId) -> Self {
        Self(cluster.0 | Self::CLUSTER)
    }

    /// The home's place in lists by home.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether it has left the old storage.
    #[must_use]
    #[inline]
    pub const fn is_cluster(self) -> bool {
        self.0 & Self::CLUSTER != 0
    }

    /// The cluster, for a mailbox that has left the old storage.
    #[must_use]
    #[inline]
    pub const fn as_cluster(self) -> Option<ClusterId> {
        if self.0 & Self::CLUSTER == 0 { None } else { Some(ClusterId(self.0 & !Self::CLUSTER)) }
    }

    /// The head, for a mailbox still on the old storage.
    #[must_use]
    #[inline]
    pub const fn as_head(self) -> Option<HeadId> {
        if self.0 & Self::CLUSTER == 0 { Some(HeadId(self.0)) } else { None }
    }
}

/// A place of a list by head, by cluster, by mailbox or by job, which is known to be there. The simulator looks up
/// thirty-five of them for each mailbox: this costs two instructions, where an index costs three and holds two registers
/// for its message.
#[inline(always)]
#[track_caller]
pub(crate) fn at<T>(list: &[T], place: usize) -> &T {
    match list.get(place) {
        Some(item) => item,
        None => nowhere(),
    }
}

/// The same to be changed.
#[inline(always)]
#[track_caller]
pub(crate) fn at_mut<T>(list: &mut [T], place: usize) -> &mut T {
    match list.get_mut(place) {
        Some(item) => item,
        None => nowhere(),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn nowhere() -> ! {
    panic!("a place beyond the end of its list")
}

/// Rows that are counted at a time: no more than a byte can count, and whole vectors of 16 bytes.
const COUNTED: usize = 240;

/// Counts the rows of a column of single bytes that pass a test: several at once.
#[inline]
pub fn count<T>(column: &[T], passes: impl Fn(&T) -> bool) -> u32 {
    let block = |rows: &[T]| rows.iter().fold(0_u8, |count, row| count.wrapping_add(u8::from(passes(row))));
    column.chunks(COUNTED).map(|rows| u32::from(block(rows))).sum()
}

/// Facts about the mailboxes at one moment, a column a fact; row `i` is `MailboxId(i)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Size of the mailbox.
    pub bytes: Vec<Bytes>,
    /// Messages in it.
    pub messages: Vec<u32>,
    /// What its user asks of the storage, in millionths of an operation a second, mean of a week.
    pub activity_micro_op_s: Vec<u32>,
    /// The head it lived on before the migration began.
    pub origin: Vec<HeadId>,
    /// Where it lives now.
    pub home: Vec<Home>,
    /// The group (a customer's domain) it belongs to, or [`NO_GROUP`]; empty when there are no groups.
    pub group: Vec<u32>,
}

/// The group of a mailbox that has none, where others have one.
pub const NO_GROUP: u32 = u32::MAX;

impl Fleet {
    /// The number of mailboxes.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no mailbox at all.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Every mailbox, in the order of the inventory.
    #[inline]
    pub fn ids(&self) -> impl Iterator<Item = MailboxId> + use<> {
        (0..self.len()).map(|row| MailboxId(row as u32))
    }

    /// Some of the mailboxes, in the given order. Columns that are empty stay so.
    #[must_use]
    pub fn only(&self, rows: &[MailboxId]) -> Self {
        fn picked<T: Copy>(column: &[T], rows: &[MailboxId]) -> Vec<T> {
            if column.is_empty() { Vec::new() } else { rows.iter().map(|row| column[row.index()]).collect() }
        }
        Self {
            bytes: picked(&self.bytes, rows),
            messages: picked(&self.messages, rows),
            activity_micro_op_s: picked(&self.activity_micro_op_s, rows),
            origin: picked(&self.origin, rows),
            home: picked(&self.home, rows),
            group: picked(&self.group, rows),
        }
    }

    /// Of the mailboxes that lived on a head before the migration began: all, and those that have left the old storage.
    #[must_use]
    pub fn counts(&self, head: HeadId) -> (u64, u64) {
        let all = count(&self.origin, |origin| *origin == head);
        let left = self.origin.chunks(COUNTED).zip(self.home.chunks(COUNTED)).map(|(origins, homes)| {
            let left = |(origin, home): (&HeadId, &Home)| u8::from((*origin == head) & home.is_cluster());
            u64::from(origins.iter().zip(homes).map(left).fold(0_u8, u8::wrapping_add))
        });
        (u64::from(all), left.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_the_mailboxes_keep_their_facts() {
        let fleet =
            Fleet { bytes: [1, 2, 3].map(Bytes::new).into(), origin: [0, 1, 2].map(HeadId).into(), ..Fleet::default() };
        let only = fleet.only(&[MailboxId(2), MailboxId(0)]);
        assert_eq!((only.bytes, only.origin), ([3, 1].map(Bytes::new).into(), [2, 0].map(HeadId).into()));
        assert!(only.messages.is_empty() && only.home.is_empty());
    }

    #[test]
    fn counts_are_those_of_a_loop() {
        for rows in [0, 1, 239, 240, 241, 2_500] {
            let head = |row: u32| HeadId((row % 7 % 3) as u8);
            let home =
                |row: u32| if row % 5 < 2 { Home::cluster(ClusterId((row % 2) as u8)) } else { Home::head(head(row)) };
            let (origin, home): (Vec<_>, Vec<_>) = (0..rows).map(|row| (head(row), home(row))).unzip();
            let fleet = Fleet { origin, home, ..Fleet::default() };
            for head in (0..4).map(HeadId) {
                let of_head: Vec<&Home> = fleet
                    .origin
                    .iter()
                    .zip(&fleet.home)
                    .filter(|(origin, _)| **origin == head)
                    .map(|(_, home)| home)
                    .collect();
                let left = of_head.iter().filter(|home| home.as_cluster().is_some()).count();
                assert_eq!(fleet.counts(head), (of_head.len() as u64, left as u64), "{head:?} of {rows}");
            }
        }
    }
}
