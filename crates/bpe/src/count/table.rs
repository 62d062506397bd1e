//! One thread's counts: an open-addressing table with short keys inline, kept under a stated size.

use crate::error::BpeError;
use crate::hash::{hash_bytes, hash_word};
use crate::memory::{filled, reserve, reserve_exact};
use crate::prefetch::prefetch;
use crate::split::MAX_BATCH;

/// Longest key that is kept inside its slot.
pub(super) const MAX_INLINE: usize = 15;

/// A pre-token of at most [`MAX_INLINE`] bytes, or an empty slot where `count` is 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Slot {
    /// The bytes, zeros, and in the last byte the length.
    pub(super) key: [u64; 2],
    pub(super) count: u64,
}

/// A longer pre-token, whose bytes lie in the arena, or an empty slot where `count` is 0.
#[derive(Clone, Copy, Default)]
pub(super) struct LongSlot {
    hash: u64,
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) count: u64,
}

/// Counts of pre-tokens.
pub(super) struct Table {
    pub(super) slots: Vec<Slot>,
    pub(super) num_short: usize,
    pub(super) long_slots: Vec<LongSlot>,
    pub(super) num_long: usize,
    pub(super) arena: Vec<u8>,
    max_bytes: usize,
}

/// What an unlimited table begins with.
const FIRST_CAPACITY: usize = 1 << 14;
/// The smallest that takes a batch whatever is in it.
const LEAST_CAPACITY: usize = 2 * MAX_BATCH;
/// Bytes of long pre-tokens for which there is room before a batch; only one that holds more makes the arena grow
/// unasked.
const ARENA_ROOM: usize = 1 << 12;

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

/// Doubles an open-addressing table within `allowed` bytes more, or returns false; an empty slot has no `hash`.
fn double<S: Copy + Default>(slots: &mut Vec<S>, allowed: usize, hash: impl Fn(&S) -> Option<u64>) -> bool {
    if 2 * size_of_val(&slots[..]) > allowed {
        return false;
    }
    let Ok(mut larger) = filled(S::default(), slots.len() * 2) else {
        return false;
    };
    let mask = larger.len() - 1;
    for slot in slots.iter() {
        let Some(own_hash) = hash(slot) else { continue };
        let mut index = own_hash as usize & mask;
        while hash(&larger[index]).is_some() {
            index = (index + 1) & mask;
        }
        larger[index] = *slot;
    }
    *slots = larger;
    true
}

impl Table {
    /// The least that a table needs, however little is asked for.
    pub const LEAST_BYTES: usize = LEAST_CAPACITY * (size_of::<Slot>() + size_of::<LongSlot>()) + 2 * ARENA_ROOM;

    /// An empty table that will hold no more than `max_bytes`, the copy it makes to grow included; no less than
    /// [`Table::LEAST_BYTES`], and a longer pre-token is held whole nevertheless.
    pub fn new(max_bytes: usize) -> Self {
        let roomy = FIRST_CAPACITY * size_of::<Slot>() * 2 <= max_bytes;
        let capacity = if roomy { FIRST_CAPACITY } else { LEAST_CAPACITY };
        Self {
            slots: vec![Slot::default(); capacity],
            num_short: 0,
            long_slots: vec![LongSlot::default(); LEAST_CAPACITY],
            num_long: 0,
            arena: Vec::with_capacity(2 * ARENA_ROOM),
            max_bytes,
        }
    }

    /// Memory held.
    pub fn num_bytes(&self) -> usize {
        size_of_val(&self.slots[..]) + size_of_val(&self.long_slots[..]) + self.arena.capacity()
    }

    /// Distinct pre-tokens, and at most how many bytes they hold.
    pub fn size(&self) -> (usize, usize) {
        (
            self.num_short + self.num_long,
            self.num_short * MAX_INLINE + self.arena.len(),
        )
    }

    /// Makes room for a batch more; false where that takes more memory than allowed.
    #[inline(always)]
    pub fn make_room(&mut self) -> bool {
        let has_room = (self.num_short + MAX_BATCH) * 8 <= self.slots.len() * 5
            && (self.num_long + MAX_BATCH) * 4 <= self.long_slots.len() * 3
            && self.arena.len() + ARENA_ROOM <= self.arena.capacity();
        has_room || self.grow()
    }

    /// Grows what is full, if that keeps within the memory allowed.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> bool {
        if (self.num_short + MAX_BATCH) * 8 > self.slots.len() * 5 {
            let allowed = self.allowed_bytes();
            if !double(&mut self.slots, allowed, |slot| {
                (slot.count > 0).then(|| hash_of(slot.key))
            }) {
                return false;
            }
        }
        if (self.num_long + MAX_BATCH) * 4 > self.long_slots.len() * 3 {
            let allowed = self.allowed_bytes();
            if !double(&mut self.long_slots, allowed, |slot| {
                (slot.count > 0).then_some(slot.hash)
            }) {
                return false;
            }
        }
        if self.arena.len() + ARENA_ROOM > self.arena.capacity() {
            let added = self.arena.capacity() * 2 - self.arena.len();
            return 2 * self.arena.capacity() <= self.allowed_bytes() && reserve_exact(&mut self.arena, added).is_ok();
        }
        true
    }

    /// What may still be taken.
    fn allowed_bytes(&self) -> usize {
        self.max_bytes.saturating_sub(self.num_bytes())
    }

    /// Counts pre-tokens once more: the first begins at `start` in `padded`, each other where the one before it ends, and 16
    /// bytes can be read from the start of each. There must be room: see [`Table::make_room`].
    ///
    /// # Errors
    /// [`BpeError::OutOfMemory`] for a long pre-token.
    #[inline]
    pub fn add_batch(&mut self, padded: &[u8], mut start: usize, ends: &[usize]) -> Result<(), BpeError> {
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
                self.add_long(&padded[start..end])?;
            }
            start = end;
        }
        for &(key, hash) in &keys[..num_keys] {
            self.add_short(key, hash);
        }
        Ok(())
    }

    #[inline(always)]
    fn add_short(&mut self, key: [u64; 2], hash: u64) {
        let mask = self.slots.len() - 1;
        let mut index = hash as usize & mask;
        loop {
            let slot = &mut self.slots[index];
            if slot.key == key {
                slot.count += 1;
                return;
            }
            if slot.count == 0 {
                *slot = Slot { key, count: 1 };
                self.num_short += 1;
                return;
            }
            index = (index + 1) & mask;
        }
    }

    #[inline(never)]
    fn add_long(&mut self, bytes: &[u8]) -> Result<(), BpeError> {
        let hash = hash_bytes(bytes);
        let mask = self.long_slots.len() - 1;
        let mut index = hash as usize & mask;
        loop {
            let slot = &mut self.long_slots[index];
            if slot.count == 0 {
                break;
            }
            if slot.hash == hash && self.arena[slot.start..slot.start + slot.len] == *bytes {
                slot.count += 1;
                return Ok(());
            }
            index = (index + 1) & mask;
        }
        reserve(&mut self.arena, bytes.len())?;
        self.long_slots[index] = LongSlot {
            hash,
            start: self.arena.len(),
            len: bytes.len(),
            count: 1,
        };
        self.arena.extend_from_slice(bytes);
        self.num_long += 1;
        Ok(())
    }

    /// Forgets everything and keeps the memory. Slots that were too few become more where that is allowed now that there is
    /// nothing to copy.
    pub fn clear(&mut self) {
        self.arena.clear();
        if self.num_bytes() > self.max_bytes {
            self.arena.shrink_to(2 * ARENA_ROOM);
        }
        let were_few = self.num_short * 2 > self.slots.len();
        let others = self.num_bytes() - size_of_val(&self.slots[..]);
        if were_few && 2 * (size_of_val(&self.slots[..]) + others) <= self.max_bytes {
            let capacity = 2 * self.slots.len();
            self.slots = Vec::new();
            self.slots = vec![Slot::default(); capacity];
        } else {
            self.slots.fill(Slot::default());
        }
        self.long_slots.fill(LongSlot::default());
        self.num_short = 0;
        self.num_long = 0;
    }
}
