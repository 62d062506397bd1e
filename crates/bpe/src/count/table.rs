//! One thread's counts: an open-addressing table with short keys inline.

use crate::hash::{hash_bytes, hash_word};
use crate::memory::prefetch;
use crate::split::MAX_BATCH;

/// Longest key that is kept inside its slot.
const MAX_INLINE: usize = 15;

/// A pre-token of at most [`MAX_INLINE`] bytes, or an empty slot where `count` is 0.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The bytes, zeros, and in the last byte the length.
    key: [u64; 2],
    count: u64,
}

/// A longer pre-token, whose bytes lie in the arena, or an empty slot where `count` is 0.
#[derive(Clone, Copy, Default)]
struct LongSlot {
    hash: u64,
    start: usize,
    len: usize,
    count: u64,
}

/// Counts of pre-tokens.
pub(super) struct Table {
    slots: Vec<Slot>,
    num_short: usize,
    long_slots: Vec<LongSlot>,
    num_long: usize,
    arena: Vec<u8>,
}

const FIRST_CAPACITY: usize = 1 << 14;
const FIRST_LONG_CAPACITY: usize = 1 << 10;

/// `KEEP[len]` has ones in the low `len` bytes.
static KEEP: [[u64; 2]; MAX_INLINE + 1] = {
    let mut keep = [[0; 2]; MAX_INLINE + 1];
    let mut len = 1;
    while len <= MAX_INLINE {
        let ones: u128 = (1 << (8 * len)) - 1;
        keep[len] = [ones as u64, (ones >> 64) as u64];
        len += 1;
    }
    keep
};

#[inline(always)]
fn hash_of(key: [u64; 2]) -> u64 {
    hash_word(u128::from(key[1]) << 64 | u128::from(key[0]))
}

#[inline(always)]
fn load(bytes: &[u8], at: usize) -> [u64; 2] {
    let word = |from: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[from..from + 8]);
        u64::from_le_bytes(word)
    };
    [word(at), word(at + 8)]
}

impl Table {
    pub fn new() -> Self {
        Self {
            slots: vec![Slot::default(); FIRST_CAPACITY],
            num_short: 0,
            long_slots: vec![LongSlot::default(); FIRST_LONG_CAPACITY],
            num_long: 0,
            arena: Vec::new(),
        }
    }

    /// Counts pre-tokens once more: the first begins at `start` in `padded`, each other where the one before it ends, and 16
    /// bytes can be read from the start of each.
    pub fn add_batch(&mut self, padded: &[u8], mut start: usize, ends: &[usize]) {
        let mut keys = [([0; 2], 0); MAX_BATCH];
        let mut num_keys = 0;
        for &end in ends {
            let len = end - start;
            if len <= MAX_INLINE {
                let mut key = load(padded, start);
                key[0] &= KEEP[len][0];
                key[1] = key[1] & KEEP[len][1] | (len as u64) << 56;
                let hash = hash_of(key);
                // Looked up only when all are on their way: the memory works on many at a time.
                prefetch(&self.slots, hash as usize & (self.slots.len() - 1));
                keys[num_keys] = (key, hash);
                num_keys += 1;
            } else {
                self.add_long(&padded[start..end], 1);
            }
            start = end;
        }
        for &(key, hash) in &keys[..num_keys] {
            self.add_short(key, hash, 1);
        }
    }

    #[inline(always)]
    fn add_short(&mut self, key: [u64; 2], hash: u64, count: u64) {
        let mask = self.slots.len() - 1;
        let mut index = hash as usize & mask;
        loop {
            let slot = &mut self.slots[index];
            if slot.key == key {
                slot.count += count;
                return;
            }
            if slot.count == 0 {
                *slot = Slot { key, count };
                self.num_short += 1;
                if self.num_short * 8 > self.slots.len() * 5 {
                    self.grow();
                }
                return;
            }
            index = (index + 1) & mask;
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let larger = vec![Slot::default(); self.slots.len() * 2];
        let mask = larger.len() - 1;
        let smaller = std::mem::replace(&mut self.slots, larger);
        for slot in smaller.into_iter().filter(|slot| slot.count > 0) {
            let mut index = hash_of(slot.key) as usize & mask;
            while self.slots[index].count > 0 {
                index = (index + 1) & mask;
            }
            self.slots[index] = slot;
        }
    }

    #[inline(never)]
    fn add_long(&mut self, bytes: &[u8], count: u64) {
        let hash = hash_bytes(bytes);
        let mask = self.long_slots.len() - 1;
        let mut index = hash as usize & mask;
        loop {
            let slot = &mut self.long_slots[index];
            if slot.count == 0 {
                break;
            }
            if slot.hash == hash && self.arena[slot.start..slot.start + slot.len] == *bytes {
                slot.count += count;
                return;
            }
            index = (index + 1) & mask;
        }
        self.long_slots[index] = LongSlot {
            hash,
            start: self.arena.len(),
            len: bytes.len(),
            count,
        };
        self.arena.extend_from_slice(bytes);
        self.num_long += 1;
        if self.num_long * 2 > self.long_slots.len() {
            self.grow_long();
        }
    }

    #[cold]
    fn grow_long(&mut self) {
        let larger = vec![LongSlot::default(); self.long_slots.len() * 4];
        let mask = larger.len() - 1;
        let smaller = std::mem::replace(&mut self.long_slots, larger);
        for slot in smaller.into_iter().filter(|slot| slot.count > 0) {
            let mut index = slot.hash as usize & mask;
            while self.long_slots[index].count > 0 {
                index = (index + 1) & mask;
            }
            self.long_slots[index] = slot;
        }
    }

    /// Adds the counts of `other`.
    pub fn absorb(&mut self, other: &Self) {
        for slot in other.slots.iter().filter(|slot| slot.count > 0) {
            self.add_short(slot.key, hash_of(slot.key), slot.count);
        }
        for slot in other.long_slots.iter().filter(|slot| slot.count > 0) {
            self.add_long(&other.arena[slot.start..slot.start + slot.len], slot.count);
        }
    }

    /// Distinct pre-tokens.
    pub fn len(&self) -> usize {
        self.num_short + self.num_long
    }

    /// Calls `on_entry(bytes, count)` for every pre-token, in no particular order.
    pub fn for_each(&self, mut on_entry: impl FnMut(&[u8], u64)) {
        for slot in self.slots.iter().filter(|slot| slot.count > 0) {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&slot.key[0].to_le_bytes());
            bytes[8..].copy_from_slice(&slot.key[1].to_le_bytes());
            on_entry(&bytes[..bytes[15] as usize], slot.count);
        }
        for slot in self.long_slots.iter().filter(|slot| slot.count > 0) {
            on_entry(&self.arena[slot.start..slot.start + slot.len], slot.count);
        }
    }
}
