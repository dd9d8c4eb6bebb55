//! Queues of the event loop. Every key ends in a slot, so that ties end in an id and never in a container's order.

/// Bits of a key that hold the slot.
pub(crate) const SLOT_BITS: u32 = 13;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// A 64-bit key: what sorts in its upper bits, a slot in its lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) u64);

impl Key {
    /// A key from an order below 2^51 and a slot.
    #[inline]
    pub(crate) fn new(order: u64, slot: u16) -> Self {
        debug_assert!(order >> (64 - SLOT_BITS) == 0, "order {order} has more than 51 bits");
        Self((order << SLOT_BITS) | u64::from(slot))
    }

    /// What it sorts by.
    #[inline]
    pub(crate) const fn order(self) -> u64 {
        self.0 >> SLOT_BITS
    }

    /// The slot.
    #[inline]
    pub(crate) const fn slot(self) -> u16 {
        (self.0 & SLOT_MASK) as u16
    }
}

/// A 4-ary heap of keys, the least first. Children of one parent share a cache line.
#[derive(Clone, Debug, Default)]
pub(crate) struct MinHeap {
    keys: Vec<Key>,
}

impl MinHeap {
    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The least key.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Key> {
        self.keys.first().copied()
    }

    /// Adds a key.
    #[inline]
    pub(crate) fn push(&mut self, key: Key) {
        self.keys.push(key);
        self.rise(self.keys.len() - 1);
    }

    /// Removes the least key.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Key> {
        let winner = *self.keys.first()?;
        let last = self.keys.pop()?;
        if let Some(first) = self.keys.first_mut() {
            *first = last;
            self.sink(0);
        }
        Some(winner)
    }

    /// Removes the key of a slot, wherever it is; looks at all keys, so it is for rare cases.
    pub(crate) fn remove(&mut self, slot: u16) -> Option<Key> {
        let place = self.keys.iter().position(|key| key.slot() == slot)?;
        let key = self.keys.swap_remove(place);
        if place < self.keys.len() {
            self.sink(place);
            self.rise(place);
        }
        Some(key)
    }

    /// Takes the same amount, a multiple of the slot's range, from all keys.
    pub(crate) fn rebase(&mut self, by: u64) {
        assert!(by & SLOT_MASK == 0, "rebasing by {by} would change slots");
        for key in &mut self.keys {
            key.0 -= by;
        }
    }

    fn rise(&mut self, mut place: usize) {
        let key = self.keys[place];
        while place > 0 {
            let parent = (place - 1) / 4;
            if self.keys[parent] <= key {
                break;
            }
            self.keys[place] = self.keys[parent];
            place = parent;
        }
        self.keys[place] = key;
    }

    fn sink(&mut self, mut place: usize) {
        let key = self.keys[place];
        loop {
            let first = place * 4 + 1;
            if first >= self.keys.len() {
                break;
            }
            let end = (first + 4).min(self.keys.len());
            let mut winner = first;
            for child in first + 1..end {
                if self.keys[child] < self.keys[winner] {
                    winner = child;
                }
            }
            if self.keys[winner] >= key {
                break;
            }
            self.keys[place] = self.keys[winner];
            place = winner;
        }
        self.keys[place] = key;
    }
}

/// A winner tree over a fixed number of places, each with an instant in microseconds; ties go to the lower place.
#[derive(Clone, Debug)]
pub(crate) struct WinnerTree {
    /// Leaves from `width` on; node `i` holds the place that wins below it.
    winners: Vec<u16>,
    due: Vec<i64>,
    width: usize,
}

/// The due time of a place at which nothing is due.
pub(crate) const NEVER: i64 = i64::MAX;

impl WinnerTree {
    /// A tree over `places` places, at none of which anything is due.
    pub(crate) fn new(places: usize) -> Self {
        let width = places.max(1).next_power_of_two();
        let mut tree = Self { winners: vec![0; 2 * width], due: vec![NEVER; width], width };
        for place in 0..width {
            tree.winners[width + place] = place as u16;
        }
        for node in (1..width).rev() {
            tree.winners[node] = tree.winners[2 * node];
        }
        tree
    }

    /// The place that is due first, and when.
    #[inline]
    pub(crate) fn first(&self) -> (usize, i64) {
        let place = usize::from(self.winners[1]);
        (place, self.due[place])
    }

    /// Sets the instant of a place.
    #[inline]
    pub(crate) fn set(&mut self, place: usize, due: i64) {
        if self.due[place] == due {
            return;
        }
        self.due[place] = due;
        let mut node = (self.width + place) >> 1;
        while node > 0 {
            let (left, right) = (self.winners[2 * node], self.winners[2 * node + 1]);
            let left_wins = self.due[usize::from(left)] <= self.due[usize::from(right)];
            self.winners[node] = if left_wins { left } else { right };
            node /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_heap_gives_the_same_as_a_sorted_list(steps in prop::collection::vec((0_u8..4, 0_u64..50), 1..300)) {
            let (mut heap, mut list) = (MinHeap::default(), Vec::<Key>::new());
            for (number, (kind, order)) in steps.into_iter().enumerate() {
                match kind {
                    0 => prop_assert_eq!(heap.pop(), (!list.is_empty()).then(|| list.remove(0))),
                    1 if !list.is_empty() => {
                        let key = list.remove(order as usize % list.len());
                        prop_assert_eq!(heap.remove(key.slot()), Some(key));
                    }
                    _ => {
                        let key = Key::new(order, number as u16);
                        heap.push(key);
                        list.push(key);
                        list.sort_unstable();
                    }
                }
                prop_assert_eq!(heap.peek(), list.first().copied());
                prop_assert_eq!(heap.len(), list.len());
            }
        }

        #[test]
        fn the_winner_is_the_least_due_and_ties_go_to_the_lower_place(
            places in 1_usize..40,
            steps in prop::collection::vec((0_usize..40, 0_i64..20), 1..200),
        ) {
            let mut tree = WinnerTree::new(places);
            let mut due = vec![NEVER; places];
            for (place, time) in steps {
                let place = place % places;
                let time = if time == 19 { NEVER } else { time };
                tree.set(place, time);
                due[place] = time;
                let (first, when) = due.iter().enumerate().map(|(place, when)| (place, *when)).min_by_key(|(_, when)| *when).unwrap();
                prop_assert_eq!(tree.first(), (first, when));
            }
        }
    }

    #[test]
    fn rebasing_keeps_order_and_slots() {
        let mut heap = MinHeap::default();
        heap.push(Key::new(9, 3));
        heap.push(Key::new(7, 5));
        heap.rebase(7 << SLOT_BITS);
        assert_eq!(heap.pop(), Some(Key::new(0, 5)));
        assert_eq!(heap.pop(), Some(Key::new(2, 3)));
    }
}
