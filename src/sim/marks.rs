//! Where the copies of a pair end: a tree of marks, of which the least is known.

use super::queue::Key;

/// Children of a node: one cache line.
const CHILDREN: usize = 8;
/// The places that a new tree has: two levels.
const PLACES: usize = CHILDREN * CHILDREN;

/// Eight marks, or the least mark below each of eight.
type Node = [u64; CHILDREN];

/// Where there is no mark.
const NONE: u64 = u64::MAX;
const EMPTY: Node = [NONE; CHILDREN];

/// Marks at places of their own, in no order, below a tree of least marks.
///
/// A mark that is added or taken out costs the same few steps whatever the others are. In a list that is kept in order it
/// would have to find its place, which no processor can foretell: guessing that wrongly twice a copy costs more than the
/// tree does.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    /// The top node first; the node below entry `e`, counted through all nodes, is node `e + 1`.
    nodes: Vec<Node>,
    /// The first node that holds marks.
    lowest: usize,
    /// Places without a mark.
    free: Vec<u16>,
    least: u64,
}

impl Marks {
    /// No marks, and room for so many.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let (mut places, mut levels) = (PLACES, 1 + CHILDREN);
        while places < capacity {
            levels += places;
            places *= CHILDREN;
        }
        let (mut nodes, mut free) = (Vec::with_capacity(levels), Vec::with_capacity(places));
        nodes.resize(1 + CHILDREN, EMPTY);
        free.extend((0..PLACES as u16).rev());
        Self { nodes, lowest: 1, free, least: NONE }
    }

    /// Whether there is none.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.least == NONE
    }

    /// The least mark.
    #[inline(always)]
    pub(crate) fn first(&self) -> Option<Key> {
        if self.is_empty() { None } else { Some(Key(self.least)) }
    }

    /// Adds a mark; gives its place, and says whether it is the least now.
    #[inline(always)]
    pub(crate) fn add(&mut self, mark: Key) -> (u16, bool) {
        if self.free.is_empty() {
            self.grow();
        }
        let place = self.free.pop().unwrap_or_default();
        let (mut node, mut child) = self.node_of(place);
        self.nodes[node][child] = mark.0;
        while node > 0 {
            (node, child) = above(node);
            let least = &mut self.nodes[node][child];
            *least = mark.0.min(*least);
        }
        self.least = mark.0.min(self.least);
        (place, self.least == mark.0)
    }

    /// Takes out the mark at a place and gives it back.
    #[inline(always)]
    pub(crate) fn take(&mut self, place: u16) -> Key {
        let (mut node, child) = self.node_of(place);
        let mark = std::mem::replace(&mut self.nodes[node][child], NONE);
        let mut left = least(&self.nodes[node]);
        while node > 0 {
            let child;
            (node, child) = above(node);
            self.nodes[node][child] = left;
            left = least(&self.nodes[node]);
        }
        self.least = left;
        self.free.push(place);
        Key(mark)
    }

    /// Takes the same amount, a multiple of the slot's range, from all marks.
    pub(crate) fn rebase(&mut self, by: u64) {
        assert!(Key(by).slot() == 0, "rebasing by {by} would change slots");
        let all = self.nodes.iter_mut().flatten().chain([&mut self.least]);
        all.filter(|mark| **mark != NONE).for_each(|mark| *mark -= by);
    }

    /// The number of marks.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.nodes[self.lowest..].iter().flatten().filter(|mark| **mark != NONE).count()
    }

    #[inline(always)]
    fn node_of(&self, place: u16) -> (usize, usize) {
        (self.lowest + usize::from(place) / CHILDREN, usize::from(place) % CHILDREN)
    }

    /// Eight times as many places, by another level; marks stay at theirs.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let (from, places) = (self.lowest, self.nodes.len() - self.lowest);
        self.lowest = self.nodes.len();
        self.nodes.resize(self.lowest + CHILDREN * places, EMPTY);
        self.nodes.copy_within(from..self.lowest, self.lowest);
        self.nodes[from..self.lowest].fill(EMPTY);
        for node in (1..self.nodes.len()).rev() {
            let (up, child) = above(node);
            self.nodes[up][child] = least(&self.nodes[node]);
        }
        let (had, has) = (places * CHILDREN, places * CHILDREN * CHILDREN);
        self.free.extend((had as u16..has as u16).rev());
    }
}

/// The entry above a node: its node, and which of its children.
#[inline(always)]
const fn above(node: usize) -> (usize, usize) {
    ((node - 1) / CHILDREN, (node - 1) % CHILDREN)
}

#[inline(always)]
fn least(&[one, two, three, four, five, six, seven, eight]: &Node) -> u64 {
    one.min(five).min(three.min(seven)).min(two.min(six).min(four.min(eight)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::queue::SLOT_BITS;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_least_mark_is_that_of_a_list_and_marks_come_back_from_their_places(
            steps in prop::collection::vec((0_u8..5, 0_u64..50, 0_usize..1_000), 1..900),
            adds in 1_u8..5,
        ) {
            let mut marks = Marks::with_capacity(4);
            let mut list = Vec::<(Key, u16)>::new();
            for (number, (kind, order, which)) in steps.into_iter().enumerate() {
                if kind < adds || list.is_empty() {
                    let key = Key::new(order, number as u16);
                    let (place, least) = marks.add(key);
                    prop_assert!(list.iter().all(|(_, other)| *other != place), "place {place} is taken");
                    prop_assert_eq!(least, list.iter().all(|(other, _)| *other > key));
                    list.push((key, place));
                } else {
                    let (key, place) = list.swap_remove(which % list.len());
                    prop_assert_eq!(marks.take(place), key);
                }
                prop_assert_eq!(marks.first(), list.iter().map(|(key, _)| *key).min());
                prop_assert_eq!((marks.len(), marks.is_empty()), (list.len(), list.is_empty()));
            }
        }
    }

    #[test]
    fn room_for_so_many_is_enough_for_them() {
        for capacity in [0, 1, 64, 65, 512, 513, 4_096] {
            let mut marks = Marks::with_capacity(capacity);
            let room = (marks.nodes.capacity(), marks.free.capacity());
            for slot in 0..capacity {
                marks.add(Key::new(7, slot as u16));
            }
            assert_eq!((marks.nodes.capacity(), marks.free.capacity()), room, "for {capacity}");
            assert_eq!((marks.len(), marks.first()), (capacity, (capacity > 0).then(|| Key::new(7, 0))));
        }
    }

    #[test]
    fn rebasing_keeps_order_and_slots() {
        let mut marks = Marks::with_capacity(2);
        let (late, early) = (marks.add(Key::new(9, 3)).0, marks.add(Key::new(7, 5)).0);
        marks.rebase(7 << SLOT_BITS);
        assert_eq!(marks.first(), Some(Key::new(0, 5)));
        assert_eq!((marks.take(early), marks.take(late)), (Key::new(0, 5), Key::new(2, 3)));
    }
}
