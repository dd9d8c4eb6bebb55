//! Memory before it is needed. A mailbox's columns lie far apart, and a replication goes through them once: read one by
//! one, each costs a wait for memory. Read for a block of rows at a time, the waits pass together.

use std::hint::black_box;
use std::ops::Range;

use crate::fleet::Fleet;

/// Rows that are brought in together.
const BLOCK: usize = 64;
/// Bytes that come from memory at once, on every usual machine.
const LINE: usize = 64;

/// Where somebody is who goes through the rows, by and large upwards.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead {
    block: usize,
}

impl Ahead {
    /// Notes that a row is read: where it is the first of its block, brings in what will be read of a mailbox to be copied
    /// from the block after it.
    #[inline]
    pub(crate) fn copy(&mut self, row: usize, fleet: &Fleet) {
        if let Some(rows) = self.pass(row) {
            bring_in(&fleet.messages, &rows);
            bring_in(&fleet.activity_micro_op_s, &rows);
        }
    }

    /// The same of a mailbox whose old copy is to be purged.
    #[inline]
    pub(crate) fn purge(&mut self, row: usize, fleet: &Fleet) {
        if let Some(rows) = self.pass(row) {
            bring_in(&fleet.messages, &rows);
        }
    }

    /// The rows to bring in, if any. In an order that does not rise nothing is gained, and nothing lost for long.
    #[inline]
    fn pass(&mut self, row: usize) -> Option<Range<usize>> {
        let block = row / BLOCK;
        if block <= self.block {
            return None;
        }
        self.block = block;
        Some((block + 1) * BLOCK..(block + 2) * BLOCK)
    }
}

/// Reads from each line of memory that holds some of these rows.
#[inline(never)]
fn bring_in(column: &[u32], rows: &Range<usize>) {
    let end = rows.end.min(column.len());
    let lines = column.get(rows.start..end).unwrap_or_default().iter().step_by(LINE / size_of::<u32>());
    black_box(lines.fold(0_u32, |all, value| all ^ value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_ahead_is_brought_in_once_and_never_what_lies_behind() {
        let mut ahead = Ahead::default();
        let brought: Vec<_> = [0, 63, 64, 70, 3, 65, 128, 127, 640].map(|row| ahead.pass(row)).into();
        assert_eq!(
            brought,
            [None, None, Some(128..192), None, None, None, Some(192..256), None, Some(704..768)],
            "of rows that jump only those beyond all others count"
        );
    }

    #[test]
    fn the_fleet_may_end_anywhere() {
        for len in [0, 1, 100, 129, 191, 192] {
            let fleet = Fleet { messages: vec![1; len], activity_micro_op_s: vec![1; len], ..Fleet::default() };
            Ahead::default().copy(64, &fleet);
            Ahead::default().purge(130, &fleet);
        }
    }
}
