//! The names of an inventory's mailboxes, one after the other in one text: what stands after the last `@` is kept once.

use std::hint::black_box;

use crate::fleet::MailboxId;

/// Slots of a new index.
const SLOTS_MIN: usize = 1 << 10;
/// No mailbox stands in a slot.
const FREE: u64 = u64::MAX;
/// More domains than these are kept with their names: then they do not repeat.
const DOMAINS_MAX: usize = 1 << 16;

/// Names by row, and rows by name.
#[derive(Clone, Default)]
pub(crate) struct Names {
    /// The names without their domains.
    text: Vec<u8>,
    /// Where each name ends in `text`.
    ends: Vec<u64>,
    /// By row: the domain, from 1; 0 for a name that has none, or that is kept whole.
    domain: Vec<u32>,
    domains: Vec<String>,
    domain_index: Index,
    index: Index,
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Brings in what will be read of names that are to be added: one by one, each costs a wait for memory.
    pub(crate) fn bring_in(&self, hashes: &[u64]) {
        black_box(hashes.iter().fold(0, |all, hash| all ^ self.index.first(*hash)));
    }

    /// Adds a name as the next row's; the row that has it already, if there is one. `hash` is the name's.
    pub(crate) fn add(&mut self, name: &str, hash: u64) -> Result<MailboxId, MailboxId> {
        if let Some(row) = self.find_hashed(name, hash) {
            return Err(row);
        }
        let row = self.len() as u32;
        let (text, domain) = self.split(name);
        self.text.extend_from_slice(text.as_bytes());
        self.ends.push(self.text.len() as u64);
        self.domain.push(domain);
        self.index.insert(hash, row);
        Ok(MailboxId(row))
    }

    /// The row of a name.
    pub(crate) fn find(&self, name: &str) -> Option<MailboxId> {
        self.find_hashed(name, hash(name))
    }

    /// The name of a row.
    pub(crate) fn name(&self, mailbox: MailboxId) -> Option<String> {
        let (text, domain) = self.parts(mailbox.index())?;
        let text = String::from_utf8_lossy(text);
        Some(domain.map_or_else(|| text.to_string(), |domain| format!("{text}@{domain}")))
    }

    fn find_hashed(&self, name: &str, hash: u64) -> Option<MailboxId> {
        let same = |row: u32| {
            let parts = self.parts(row as usize);
            parts.is_some_and(|(text, domain)| match domain {
                None => text == name.as_bytes(),
                Some(domain) => name.rsplit_once('@').is_some_and(|(a, b)| a.as_bytes() == text && b == domain),
            })
        };
        self.index.find(hash, same).map(MailboxId)
    }

    /// A name's text without its domain, and the domain.
    fn parts(&self, row: usize) -> Option<(&[u8], Option<&str>)> {
        let end = *self.ends.get(row)? as usize;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let domain = (self.domain[row] as usize).checked_sub(1).map(|number| self.domains[number].as_str());
        Some((&self.text[start..end], domain))
    }

    fn split<'a>(&mut self, name: &'a str) -> (&'a str, u32) {
        let Some((local, domain)) = name.rsplit_once('@') else { return (name, 0) };
        let hash = hash(domain);
        let same = |number: u32| self.domains[number as usize] == domain;
        if let Some(number) = self.domain_index.find(hash, same) {
            return (local, number + 1);
        }
        if self.domains.len() >= DOMAINS_MAX {
            return (name, 0);
        }
        let number = self.domains.len() as u32;
        self.domains.push(domain.to_owned());
        self.domain_index.insert(hash, number);
        (local, number + 1)
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} names", self.len())
    }
}

/// The hash of a name: by folded multiplication, eight bytes at a time. The same for each run, and nothing that is shown
/// depends on it.
pub(crate) fn hash(name: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(FACTOR);
        (product as u64) ^ (product >> 64) as u64
    };
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let whole = words.iter().fold(name.len() as u64 ^ FACTOR, |state, word| fold(state, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    fold(fold(whole, last), FACTOR)
}

/// Rows by hash, in open addressing: half of the hash beside each row, so that a full table is copied without the names.
#[derive(Clone, Default)]
struct Index {
    /// The lower half of the hash, and the row: at most three quarters of them are in use.
    slots: Vec<u64>,
    used: usize,
}

impl Index {
    /// What stands where a hash is looked for first.
    fn first(&self, hash: u64) -> u64 {
        self.slots.len().checked_sub(1).map_or(0, |mask| self.slots[hash as u32 as usize & mask])
    }

    fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let tag = hash as u32;
        let mut at = tag as usize & mask;
        while self.slots[at] != FREE {
            let row = self.slots[at] as u32;
            if (self.slots[at] >> 32) as u32 == tag && same(row) {
                return Some(row);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn insert(&mut self, hash: u64, row: u32) {
        if self.used * 4 >= self.slots.len() * 3 {
            let larger = vec![FREE; (self.slots.len() * 2).max(SLOTS_MIN)];
            for slot in std::mem::replace(&mut self.slots, larger) {
                if slot != FREE {
                    self.put(slot);
                }
            }
        }
        self.put(u64::from(hash as u32) << 32 | u64::from(row));
        self.used += 1;
    }

    fn put(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut at = (slot >> 32) as usize & mask;
        while self.slots[at] != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_at_its_row_and_added_once() {
        let names: Vec<String> = (0..5_000)
            .map(|row| match row % 4 {
                0 => format!("user-{row}@example.org"),
                1 => format!("user-{row}@{}.example", row % 97),
                2 => format!("user-{row}"),
                _ => format!("a@b@{row}"),
            })
            .collect();
        let mut known = Names::default();
        for (row, name) in (0..).zip(&names) {
            assert_eq!(known.add(name, hash(name)), Ok(MailboxId(row)));
        }
        for (row, name) in (0..).zip(&names) {
            assert_eq!(known.add(name, hash(name)), Err(MailboxId(row)));
            assert_eq!(known.find(name), Some(MailboxId(row)));
            assert_eq!(known.name(MailboxId(row)).as_ref(), Some(name));
        }
        assert_eq!(known.len(), names.len());
        for strange in ["", "@", "user-0", "user-0@example.com", "user-2@", "a@b"] {
            assert_eq!(known.find(strange), None, "{strange}");
        }
        assert_eq!(known.name(MailboxId(5_000)), None);
    }

    #[test]
    fn names_of_more_domains_than_are_kept_once_are_still_told_apart() {
        let mut known = Names::default();
        let name = |row: u32| format!("a@d{row}");
        let rows = DOMAINS_MAX as u32 + 100;
        for row in 0..rows {
            assert_eq!(known.add(&name(row), hash(&name(row))), Ok(MailboxId(row)));
        }
        for row in [0, 1, DOMAINS_MAX as u32 - 1, DOMAINS_MAX as u32, rows - 1] {
            assert_eq!(known.find(&name(row)), Some(MailboxId(row)));
            assert_eq!(known.name(MailboxId(row)), Some(name(row)));
        }
    }
}
