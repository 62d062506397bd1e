//! All adjacent pairs: how often each occurs, and where.

use std::ops::Range;

use super::words::{Place, Words};
use crate::hash::hash_word;
use crate::memory::prefetch;

/// Two adjacent symbols.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub left: u32,
    pub right: u32,
    /// Occurrences in the corpus as it is split now.
    pub count: u64,
    /// The count under which it waits in the queue.
    pub queued: u64,
    /// Its places are `places[first..first + num_places]`, in ascending order; some may be out of date.
    first: usize,
    num_places: usize,
}

/// Pairs by index, and their index by symbols.
pub(super) struct Pairs {
    pairs: Vec<Pair>,
    places: Vec<Place>,
    index: Index,
}

impl Pairs {
    /// Counts the pairs of bytes of `words`.
    pub fn of_bytes(words: &Words) -> Self {
        let mut counts = vec![0u64; 1 << 16];
        let mut num_places = vec![0usize; 1 << 16];
        words.for_each_byte_pair(|left, right, place| {
            let key = (left << 8 | right) as usize;
            counts[key] += words.count(place.word);
            num_places[key] += 1;
        });
        let mut found = Self {
            pairs: Vec::new(),
            places: Vec::new(),
            index: Index::new(),
        };
        let mut next = vec![0usize; 1 << 16];
        let mut first = 0;
        for key in 0..1 << 16 {
            if num_places[key] == 0 {
                continue;
            }
            next[key] = first;
            let pair = Pair {
                left: (key >> 8) as u32,
                right: (key & 0xFF) as u32,
                count: counts[key],
                queued: 0,
                first,
                num_places: num_places[key],
            };
            found.index.insert(pair.left, pair.right, found.pairs.len() as u32);
            found.pairs.push(pair);
            first += num_places[key];
        }
        found.places = vec![Place { pos: 0, word: 0 }; first];
        words.for_each_byte_pair(|left, right, place| {
            let slot = &mut next[(left << 8 | right) as usize];
            found.places[*slot] = place;
            *slot += 1;
        });
        found
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn get(&self, pair: u32) -> &Pair {
        &self.pairs[pair as usize]
    }

    pub fn get_mut(&mut self, pair: u32) -> &mut Pair {
        &mut self.pairs[pair as usize]
    }

    /// Where `pair` stands, or stood: a range for [`Pairs::place`].
    pub fn places_of(&self, pair: u32) -> Range<usize> {
        let pair = &self.pairs[pair as usize];
        pair.first..pair.first + pair.num_places
    }

    /// All places; those of a pair are at [`Pairs::places_of`].
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Forgets a pair that was merged, and so stands nowhere; returns the places it had, which are free.
    pub fn clear(&mut self, pair: u32) -> Range<usize> {
        let free = self.places_of(pair);
        let pair = &mut self.pairs[pair as usize];
        pair.count = 0;
        pair.num_places = 0;
        free
    }

    /// Makes room for `num_places` more and returns where it begins: in `free`, places that are needed no longer, if they
    /// suffice. So the places of all pairs together hardly grow, though every merge makes new ones.
    pub fn make_room(&mut self, num_places: usize, free: &mut Range<usize>) -> (usize, &mut [Place]) {
        let first = if num_places <= free.len() {
            free.start += num_places;
            free.start - num_places
        } else {
            self.places
                .resize(self.places.len() + num_places, Place { pos: 0, word: 0 });
            self.places.len() - num_places
        };
        (first, &mut self.places[first..first + num_places])
    }

    /// Asks for what will be needed to find a pair.
    #[inline]
    pub fn prefetch(&self, left: u32, right: u32) {
        self.index.prefetch(left, right);
    }

    /// Lowers the count of a pair that exists.
    pub fn lower(&mut self, left: u32, right: u32, by: u64) {
        if let Some(pair) = self.index.get(left, right) {
            self.pairs[pair as usize].count -= by;
        }
    }

    /// Adds `count` occurrences of a pair, at places in ascending order; returns its index.
    pub fn add(&mut self, left: u32, right: u32, count: u64, new: Range<usize>) -> u32 {
        if let Some(known) = self.index.get(left, right) {
            // Only where a merge made a token whose bytes were known already.
            let old = self.places_of(known);
            let first = self.places.len();
            self.places.extend_from_within(old);
            self.places.extend_from_within(new);
            self.places[first..].sort_unstable_by_key(|place| place.pos);
            let pair = &mut self.pairs[known as usize];
            pair.first = first;
            pair.num_places = self.places.len() - first;
            pair.count += count;
            return known;
        }
        let added = self.pairs.len() as u32;
        self.pairs.push(Pair {
            left,
            right,
            count,
            queued: 0,
            first: new.start,
            num_places: new.len(),
        });
        self.index.insert(left, right, added);
        added
    }
}

/// Open-addressing map from two symbols to a pair's index.
struct Index {
    slots: Vec<(u64, u32)>,
    len: usize,
}

const NO_KEY: u64 = u64::MAX;

impl Index {
    fn new() -> Self {
        Self {
            slots: vec![(NO_KEY, 0); 1 << 14],
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

    fn get(&self, left: u32, right: u32) -> Option<u32> {
        let slot = self.slots[self.slot_of(key(left, right))];
        (slot.0 != NO_KEY).then_some(slot.1)
    }

    fn insert(&mut self, left: u32, right: u32, pair: u32) {
        if self.len * 2 >= self.slots.len() {
            let larger = vec![(NO_KEY, 0); self.slots.len() * 4];
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
