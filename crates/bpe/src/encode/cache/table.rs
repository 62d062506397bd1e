//! A set-associative table from keys to [`Value`]s, as in a processor's cache.

use super::value::Value;
use crate::memory::filled;
use crate::prefetch::prefetch;

/// What a table is searched by; the default one marks an empty entry and is never looked up.
pub trait Key: Copy + Eq + Default {
    /// Chooses the set, by its highest bits.
    fn hash(self) -> u64;
}

/// The entries that a key may lie in: whole cache lines.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Set<K, const WAYS: usize> {
    keys: [K; WAYS],
    values: [Value; WAYS],
}

impl<K: Key, const WAYS: usize> Set<K, WAYS> {
    fn empty() -> Self {
        Self {
            keys: [K::default(); WAYS],
            values: [Value::MISSING; WAYS],
        }
    }
}

/// See the head of this file. No value is [`Value::MISSING`].
#[derive(Debug)]
pub struct Table<K, const WAYS: usize> {
    sets: Vec<Set<K, WAYS>>,
    /// Bits of a hash that do not choose the set.
    shift: u32,
    num_inserted: usize,
}

/// Sets of a new table: four or eight KiB.
const FIRST_NUM_SETS: usize = 1 << 6;

impl<K: Key, const WAYS: usize> Table<K, WAYS> {
    /// An empty table.
    pub fn new() -> Self {
        Self::of_sets(vec![Set::empty(); FIRST_NUM_SETS])
    }

    fn of_sets(sets: Vec<Set<K, WAYS>>) -> Self {
        Self {
            shift: 64 - sets.len().trailing_zeros(),
            sets,
            num_inserted: 0,
        }
    }

    /// The memory it takes.
    pub fn num_bytes(&self) -> usize {
        self.sets.len() * size_of::<Set<K, WAYS>>()
    }

    /// How many entries it has, empty ones included.
    pub fn num_entries(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Forgets everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.sets.fill(Set::empty());
        self.num_inserted = 0;
    }

    /// Where `key` lies, if it does.
    #[inline(always)]
    pub fn set_of(&self, key: K) -> usize {
        (key.hash() >> self.shift) as usize
    }

    /// Asks for the memory of a set.
    #[inline(always)]
    pub fn prefetch(&self, set: usize) {
        prefetch(&self.sets, set);
    }

    /// The value of `key`, which lies in `set` if anywhere. Without a branch that depends on where it lies.
    #[inline(always)]
    pub fn get(&self, set: usize, key: K) -> Value {
        let set = &self.sets[set];
        let mut value = 0;
        for (&other, &its_value) in set.keys.iter().zip(&set.values) {
            value |= its_value.0 & u64::from(other == key).wrapping_neg();
        }
        Value(value)
    }

    /// Gives `key` this value; where its set is full, `clock` says which entry gives way. When half full the table doubles,
    /// if the larger one fits into `room` bytes beside the smaller.
    pub fn insert(&mut self, key: K, value: Value, clock: usize, room: usize) {
        if self.num_inserted * 2 > self.sets.len() * WAYS && self.num_bytes() * 2 <= room {
            self.grow();
        }
        self.num_inserted += 1;
        self.place(key, value, clock);
    }

    fn place(&mut self, key: K, value: Value, clock: usize) {
        let index = self.set_of(key);
        let set = &mut self.sets[index];
        let free = set.keys.iter().position(|&other| other == key || other == K::default());
        let way = free.unwrap_or(clock % WAYS);
        (set.keys[way], set.values[way]) = (key, value);
    }

    #[cold]
    fn grow(&mut self) {
        let Ok(larger) = filled(Set::empty(), self.sets.len() * 2) else {
            return; // too little memory: entries replace each other
        };
        let smaller = std::mem::replace(self, Self::of_sets(larger)).sets;
        for set in &smaller {
            for (&key, &value) in set.keys.iter().zip(&set.values) {
                if key != K::default() {
                    self.num_inserted += 1;
                    self.place(key, value, 0);
                }
            }
        }
    }
}
