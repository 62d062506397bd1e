//! The pairs that are watched: how often each occurs, and where.

use std::ops::Range;

use crate::error::BpeError;
use crate::hash::hash_word;
use crate::memory::reserve;
use crate::prefetch::prefetch;

/// Two adjacent symbols.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub left: u32,
    pub right: u32,
    /// Occurrences in the corpus as it is split now.
    pub count: u64,
    /// Its places are `places[first..first + num_places]`, in ascending order; some may be out of date.
    pub first: usize,
    pub num_places: u32,
}

impl Pair {
    pub fn symbols(&self) -> (u32, u32) {
        (self.left, self.right)
    }
}

/// Pairs by index, and their index by symbols.
#[derive(Default)]
pub(super) struct Pairs {
    pairs: Vec<Pair>,
    places: Vec<u32>,
    index: Index,
}

impl Pairs {
    /// Of `pairs` that stand at `places`.
    pub fn new(pairs: Vec<Pair>, places: Vec<u32>) -> Self {
        let mut index = Index::with_room(pairs.len());
        for (pair, at) in pairs.iter().zip(0..) {
            index.insert(pair.left, pair.right, at);
        }
        Self { pairs, places, index }
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn num_places(&self) -> usize {
        self.places.len()
    }

    pub fn get(&self, pair: u32) -> &Pair {
        &self.pairs[pair as usize]
    }

    /// Where `pair` stands, or stood.
    pub fn places_of(&self, pair: u32) -> &[u32] {
        &self.places[self.range_of(pair)]
    }

    fn range_of(&self, pair: u32) -> Range<usize> {
        let pair = &self.pairs[pair as usize];
        pair.first..pair.first + pair.num_places as usize
    }

    /// Forgets a pair that was merged, and so stands nowhere; returns the range of its places, which are free.
    pub fn clear(&mut self, pair: u32) -> Range<usize> {
        let free = self.range_of(pair);
        let pair = &mut self.pairs[pair as usize];
        pair.count = 0;
        pair.num_places = 0;
        free
    }

    /// Makes room for `num_places` more and returns where it begins: in `free`, places that are needed no longer, if they
    /// suffice. So the places of all pairs together hardly grow, though every merge makes new ones.
    pub fn make_room(&mut self, num_places: usize, free: &mut Range<usize>) -> Result<usize, BpeError> {
        if num_places <= free.len() {
            free.start += num_places;
            return Ok(free.start - num_places);
        }
        reserve(&mut self.places, num_places)?;
        self.places.resize(self.places.len() + num_places, 0);
        Ok(self.places.len() - num_places)
    }

    /// All places, for writing.
    pub fn places_mut(&mut self) -> &mut [u32] {
        &mut self.places
    }

    /// Asks for what will be needed to find a pair.
    #[inline]
    pub fn prefetch(&self, left: u32, right: u32) {
        self.index.prefetch(left, right);
    }

    /// Lowers the count of a pair, if it is watched.
    #[inline]
    pub fn lower(&mut self, left: u32, right: u32, by: u64) {
        if let Some(pair) = self.index.get(left, right) {
            self.pairs[pair as usize].count -= by;
        }
    }

    /// Watches a new pair, too; returns its index.
    pub fn add(&mut self, pair: Pair) -> u32 {
        let added = self.pairs.len() as u32;
        self.index.insert(pair.left, pair.right, added);
        self.pairs.push(pair);
        added
    }
}

/// Open-addressing map from two symbols to a pair's index.
#[derive(Default)]
struct Index {
    slots: Vec<(u64, u32)>,
    len: usize,
}

const NO_KEY: u64 = u64::MAX;

impl Index {
    fn with_room(len: usize) -> Self {
        Self {
            slots: vec![(NO_KEY, 0); (4 * len).next_power_of_two().max(64)],
            len: 0,
        }
    }

    #[inline]
    fn prefetch(&self, left: u32, right: u32) {
        prefetch(&self.slots, hash(key(left, right)) as usize & (self.slots.len() - 1));
    }

    #[inline]
    fn slot_of(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(key) as usize & mask;
        while self.slots[slot].0 != NO_KEY && self.slots[slot].0 != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[inline]
    fn get(&self, left: u32, right: u32) -> Option<u32> {
        let slot = self.slots[self.slot_of(key(left, right))];
        (slot.0 != NO_KEY).then_some(slot.1)
    }

    fn insert(&mut self, left: u32, right: u32, pair: u32) {
        if self.len * 2 >= self.slots.len() {
            let larger = vec![(NO_KEY, 0); self.slots.len() * 2];
            let smaller = std::mem::replace(&mut self.slots, larger);
            for entry in smaller.into_iter().filter(|entry| entry.0 != NO_KEY) {
                let slot = self.slot_of(entry.0);
                self.slots[slot] = entry;
            }
        }
        let key = key(left, right);
        let slot = self.slot_of(key);
        self.slots[slot] = (key, pair);
        self.len += 1;
    }
}

fn key(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

#[inline]
fn hash(key: u64) -> u64 {
    hash_word(u128::from(key))
}
