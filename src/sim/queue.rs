//! Queues of the event loop. Every key ends in a slot, so that ties end in an id and never in a container's order.

use std::cell::Cell;

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

/// A new key moves past so many one by one.
const FEW: usize = 16;

/// Keys in order, the greatest first: the least is taken from the end. A new one is moved into its place. That is mostly near
/// the end, where it is looked for one by one: few things are waited for at once, and nearly all of them for about as long.
#[derive(Clone, Debug)]
pub(crate) struct SortedKeys {
    keys: Vec<Key>,
}

impl SortedKeys {
    /// No keys, and room for so many.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { keys: Vec::with_capacity(capacity) }
    }

    /// The number of keys.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The least key.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<Key> {
        if let [.., least] = self.keys[..] { Some(least) } else { None }
    }

    /// Adds a key.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: Key) {
        let last = self.keys.len();
        if last > FEW && self.keys[last - FEW] < key {
            return self.insert_far(key);
        }
        self.keys.push(key);
        // As cells, neighbours can be written without a check of any index.
        let keys = Cell::from_mut(&mut self.keys[..]).as_slice_of_cells();
        for pair in keys.windows(2).rev() {
            let before = pair[0].get();
            if before > key {
                break;
            }
            pair[0].set(key);
            pair[1].set(before);
        }
    }

    #[inline(never)]
    fn insert_far(&mut self, key: Key) {
        let place = self.keys.partition_point(|other| *other > key);
        self.keys.insert(place, key);
    }

    /// Removes the least key.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Key> {
        self.keys.pop()
    }

    /// Removes the key of a slot, wherever it is; looks at all keys, so it is for rare cases.
    pub(crate) fn remove(&mut self, slot: u16) -> Option<Key> {
        let place = self.keys.iter().position(|key| key.slot() == slot)?;
        Some(self.keys.remove(place))
    }
}

/// A queue in one piece of memory: its front is passed over, and makes room once the memory is full.
#[derive(Clone, Debug)]
pub(crate) struct Fifo<T> {
    items: Vec<T>,
    passed: usize,
}

impl<T: Copy> Fifo<T> {
    /// An empty one, with room for twice as many as there usually are.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { items: Vec::with_capacity(capacity), passed: 0 }
    }

    /// Adds an item at the end.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: T) {
        if self.items.len() == self.items.capacity() {
            self.make_room();
        }
        self.items.push(item);
    }

    #[cold]
    fn make_room(&mut self) {
        // Otherwise the memory grows: moving many for the sake of a few would have to be done again soon.
        if 2 * self.passed >= self.items.len() {
            self.items.drain(..self.passed);
            self.passed = 0;
        }
    }

    /// The first item.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<T> {
        self.items.get(self.passed).copied()
    }

    /// Takes out the first item.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let first = self.peek()?;
        self.passed += 1;
        Some(first)
    }
}

/// The due time of a place at which nothing is due.
pub(crate) const NEVER: i64 = i64::MAX >> CHILD_BITS;

/// Children of a node of `Dues`: one cache line.
const CHILDREN: usize = 1 << CHILD_BITS;
const CHILD_BITS: u32 = 3;

/// The instants of eight children, each with the child's number in its lowest bits.
type Node = [i64; CHILDREN];

/// When something is due at each of a fixed number of places, in microseconds; knows the first, and of those due at once
/// the lowest place. The first stands apart with the instant up to which it stays the first: nearly always it is its own
/// instant that changes, which then costs one comparison. The others are in a tree of least instants, eight below each.
#[derive(Clone, Debug)]
pub(crate) struct Dues {
    first: usize,
    due: i64,
    /// The latest instant of the first at which no other comes before it.
    leads_until: i64,
    /// The nodes of the others, from the places up to a single one; where the first stands it says never.
    levels: Vec<Vec<Node>>,
}

/// An instant with a child's number: of children due at once the least is that of the lowest.
#[inline]
fn child(place: usize, due: i64) -> i64 {
    (due << CHILD_BITS) | (place % CHILDREN) as i64
}

/// The least of eight.
#[inline]
fn least(&[one, two, three, four, five, six, seven, eight]: &Node) -> i64 {
    one.min(five).min(three.min(seven)).min(two.min(six).min(four.min(eight)))
}

impl Dues {
    /// So many places, at none of which anything is due.
    pub(crate) fn new(places: usize) -> Self {
        let node = std::array::from_fn(|place| child(place, NEVER));
        let mut levels = vec![vec![node; places.max(1).div_ceil(CHILDREN)]];
        while let Some(nodes) = levels.last().map(Vec::len).filter(|nodes| *nodes > 1) {
            levels.push(vec![node; nodes.div_ceil(CHILDREN)]);
        }
        Self { first: 0, due: NEVER, leads_until: NEVER, levels }
    }

    /// The place that is due first, and when.
    #[inline]
    pub(crate) fn first(&self) -> (usize, i64) {
        (self.first, self.due)
    }

    /// Sets the instant of a place, at the latest `NEVER`.
    #[inline(always)]
    pub(crate) fn set(&mut self, place: usize, due: i64) {
        if place == self.first && due <= self.leads_until {
            self.due = due;
        } else {
            self.set_another(place, due);
        }
    }

    /// `set` where the first may change, or what comes after it.
    #[inline(never)]
    fn set_another(&mut self, place: usize, due: i64) {
        if place == self.first {
            self.write(place, due);
            self.choose();
        } else if (due, place) < (self.due, self.first) {
            // What has been the first comes before all others.
            self.write(self.first, self.due);
            self.write(place, NEVER);
            self.leads_until = if place < self.first || self.due == NEVER { self.due } else { self.due - 1 };
            (self.first, self.due) = (place, due);
        } else {
            self.write(place, due);
            self.look_behind();
        }
    }

    /// Takes the first out of the tree that holds all.
    fn choose(&mut self) {
        (self.first, self.due) = self.least();
        self.write(self.first, NEVER);
        self.look_behind();
    }

    /// Finds out for how long the first stays the first.
    fn look_behind(&mut self) {
        let (next, due) = self.least();
        self.leads_until = if self.first < next || due == NEVER { due } else { due - 1 };
    }

    /// The first of the tree.
    fn least(&self) -> (usize, i64) {
        let down = self.levels.iter().rev();
        let digit = |node: &Node| (least(node) & (CHILDREN as i64 - 1)) as usize;
        let place = down.fold(0, |place, nodes| place * CHILDREN + digit(&nodes[place]));
        let due = self.levels.last().map_or(NEVER, |top| least(&top[0]) >> CHILD_BITS);
        (place, due)
    }

    fn write(&mut self, mut place: usize, mut due: i64) {
        for nodes in &mut self.levels {
            let node = &mut nodes[place / CHILDREN];
            node[place % CHILDREN] = child(place, due);
            due = least(node) >> CHILD_BITS;
            place /= CHILDREN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_out_as_from_a_list_sorted_anew(steps in prop::collection::vec((0_u8..4, 0_u64..50), 1..300)) {
            let (mut sorted, mut list) = (SortedKeys::with_capacity(4), Vec::<Key>::new());
            for (number, (kind, order)) in steps.into_iter().enumerate() {
                match kind {
                    0 => {
                        let first = (!list.is_empty()).then(|| list.remove(0));
                        prop_assert_eq!(sorted.pop(), first);
                    }
                    1 if !list.is_empty() => {
                        let key = list.remove(order as usize % list.len());
                        prop_assert_eq!(sorted.remove(key.slot()), Some(key));
                    }
                    _ => {
                        let key = Key::new(order, number as u16);
                        sorted.push(key);
                        list.push(key);
                        list.sort_unstable();
                    }
                }
                prop_assert_eq!((sorted.peek(), sorted.len()), (list.first().copied(), list.len()));
            }
        }

        #[test]
        fn a_fifo_gives_items_in_their_order(steps in prop::collection::vec(prop::bool::weighted(0.6), 1..300)) {
            let (mut fifo, mut twin, mut most) = (Fifo::with_capacity(4), std::collections::VecDeque::new(), 1);
            for (number, adds) in steps.into_iter().enumerate() {
                if adds {
                    fifo.push(number);
                    twin.push_back(number);
                } else {
                    prop_assert_eq!(fifo.pop(), twin.pop_front());
                }
                prop_assert_eq!(fifo.peek(), twin.front().copied());
                most = most.max(twin.len());
                prop_assert!(fifo.items.capacity() <= 4 * most, "{} for {most} at most", fifo.items.capacity());
            }
        }

        #[test]
        fn the_winner_is_the_least_due_and_ties_go_to_the_lower_place(
            places in prop::sample::select(vec![1_usize, 5, 8, 9, 40, 64, 65, 240, 700, 4_096]),
            steps in prop::collection::vec((0_usize..4_096, 0_i64..20), 1..200),
        ) {
            let mut tree = Dues::new(places);
            let mut due = vec![NEVER; places];
            for (place, time) in steps {
                let place = place % places;
                let time = if time == 19 { NEVER } else { time };
                tree.set(place, time);
                due[place] = time;
                let (first, when) = due.iter().enumerate().map(|(place, when)| (place, *when)).min_by_key(|(_, when)| *when).unwrap();
                if when == NEVER {
                    prop_assert_eq!(tree.first().1, NEVER);
                } else {
                    prop_assert_eq!(tree.first(), (first, when));
                }
            }
        }
    }
}
