//! The ids of pre-tokens seen before, within a byte budget.
//!
//! Tables are set-associative, as a processor's caches are: a key may lie in the few entries of one set, and where all are
//! taken the newcomer replaces one. So look-ups are bounded whatever the text (no text is slow on purpose), memory is
//! bounded by construction, and nothing is moved or counted on a hit.
//!
//! Pre-tokens of up to 7 bytes, six in seven in English, take 16 bytes with up to three ids, four to a cache line; those of
//! up to 15 bytes take 24. Longer ones and longer results lie in arenas, emptied with all tables when full.

mod keys;
mod table;
mod value;

use keys::LongKey;
use table::Table;

use crate::memory::reserve_exact;

pub use keys::{MediumKey, ShortKey, MAX_MEDIUM_KEY, MAX_SHORT_KEY};
pub use value::{Value, MAX_PACKED};

/// The longest pre-token kept at all; longer ones hardly ever come twice.
pub const MAX_KEY: usize = 128;

/// See the head of this file.
#[derive(Debug)]
pub struct Cache {
    /// Pre-tokens of up to [`MAX_SHORT_KEY`] bytes.
    pub short: Table<ShortKey, 4>,
    /// Those of up to [`MAX_MEDIUM_KEY`].
    pub medium: Table<MediumKey, 5>,
    /// In place of values, indices into `long_entries`, plus one.
    long: Table<LongKey, 4>,
    long_entries: Vec<LongEntry>,
    long_bytes: Vec<u8>,
    ids: Vec<u32>,
    max_bytes: usize,
    /// Pre-tokens put in since all was forgotten; chooses the entry to be replaced.
    clock: usize,
}

/// A pre-token of more than [`MAX_MEDIUM_KEY`] bytes, and its ids.
#[derive(Debug, Clone, Copy)]
struct LongEntry {
    start: u32,
    len: u32,
    value: Value,
}

/// Ids that can be read behind those of a value, so that a fixed number can be copied.
pub const SLACK_IDS: usize = 16;

/// The memory is kept if it took at least one pre-token for so many entries that the tables have.
const KEPT_SHARE: usize = 8;

/// A cache takes no less.
const MIN_BYTES: usize = 1 << 16;

impl Cache {
    /// A cache that never takes more than `max_bytes` (64 KiB at least), also not while it grows.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            short: Table::new(),
            medium: Table::new(),
            long: Table::new(),
            long_entries: Vec::new(),
            long_bytes: Vec::new(),
            ids: Vec::new(),
            max_bytes: max_bytes.max(MIN_BYTES),
            clock: 0,
        }
    }

    /// The memory taken by tables and arenas, whichever of them the text needed.
    pub fn num_bytes(&self) -> usize {
        self.short.num_bytes()
            + self.medium.num_bytes()
            + self.long.num_bytes()
            + self.long_entries.capacity() * size_of::<LongEntry>()
            + self.long_bytes.capacity()
            + self.ids.capacity() * size_of::<u32>()
    }

    /// What is known of a long pre-token.
    #[inline(never)]
    pub fn get_long(&self, bytes: &[u8]) -> Value {
        let key = LongKey::new(bytes);
        let index = self.long.get(self.long.set_of(key), key).0 as usize;
        match self.long_entries.get(index.wrapping_sub(1)) {
            Some(entry) if self.long_bytes[entry.start as usize..][..entry.len as usize] == *bytes => entry.value,
            _ => Value::MISSING,
        }
    }

    /// What is known of a pre-token of up to [`MAX_KEY`] bytes.
    pub fn get(&self, bytes: &[u8]) -> Value {
        let len = bytes.len();
        if len <= MAX_SHORT_KEY {
            let key = ShortKey::new(window(bytes), len);
            self.short.get(self.short.set_of(key), key)
        } else if len <= MAX_MEDIUM_KEY {
            let key = MediumKey::new(window(bytes), len);
            self.medium.get(self.medium.set_of(key), key)
        } else {
            self.get_long(bytes)
        }
    }

    /// The ids in the arena from `place` on, and behind them [`SLACK_IDS`] that mean nothing.
    #[inline(always)]
    pub fn ids_from(&self, place: usize) -> &[u32] {
        &self.ids[place..]
    }

    /// Remembers the ids of a pre-token of up to [`MAX_KEY`] bytes; none where there is no room, see [`Cache::clear`].
    pub fn insert(&mut self, bytes: &[u8], ids: &[u32]) -> Option<Value> {
        let mut room = self.max_bytes - self.num_bytes();
        let value = match Value::pack(ids) {
            Some(value) => value,
            None => {
                let place = self.ids.len().saturating_sub(SLACK_IDS);
                reserve_within(&mut self.ids, ids.len() + SLACK_IDS, &mut room)?;
                self.ids.truncate(place);
                self.ids.extend_from_slice(ids);
                self.ids.resize(self.ids.len() + SLACK_IDS, 0);
                Value::elsewhere(place.try_into().ok()?, ids.len() as u32)
            }
        };
        self.clock += 1;
        if bytes.len() <= MAX_SHORT_KEY {
            let key = ShortKey::new(window(bytes), bytes.len());
            self.short.insert(key, value, self.clock, room);
        } else if bytes.len() <= MAX_MEDIUM_KEY {
            let key = MediumKey::new(window(bytes), bytes.len());
            self.medium.insert(key, value, self.clock, room);
        } else {
            reserve_within(&mut self.long_bytes, bytes.len(), &mut room)?;
            reserve_within(&mut self.long_entries, 1, &mut room)?;
            self.long_entries.push(LongEntry {
                start: self.long_bytes.len().try_into().ok()?,
                len: bytes.len() as u32,
                value,
            });
            self.long_bytes.extend_from_slice(bytes);
            let index = Value(self.long_entries.len() as u64);
            self.long.insert(LongKey::new(bytes), index, self.clock, room);
        }
        Some(value)
    }

    /// Forgets everything. The memory is kept if it lasted for many pre-tokens, as memory that was never touched is slow;
    /// else it is given back, since another table or arena may need it.
    pub fn clear(&mut self) {
        let num_entries = self.short.num_entries() + self.medium.num_entries() + self.long.num_entries();
        let has_room = self.long_entries.capacity() > 0
            && self.long_bytes.capacity() >= MAX_KEY
            && self.ids.capacity() >= MAX_KEY + SLACK_IDS;
        if self.clock < num_entries / KEPT_SHARE || !has_room {
            *self = Self::new(self.max_bytes);
            return;
        }
        self.clock = 0;
        self.short.clear();
        self.medium.clear();
        self.long.clear();
        self.long_entries.clear();
        self.long_bytes.clear();
        self.ids.clear();
    }
}

/// The first bytes of `bytes`, then zeros.
fn window<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    let mut window = [0; LEN];
    window[..bytes.len()].copy_from_slice(bytes);
    window
}

/// Makes room for `num` more items, doubling the memory where it is too small, if the larger piece fits into `room` beside
/// the smaller one; what the larger takes is subtracted.
fn reserve_within<T>(vec: &mut Vec<T>, num: usize, room: &mut usize) -> Option<()> {
    let len = vec.len() + num;
    if len > vec.capacity() {
        let capacity = len.max(vec.capacity() * 2);
        *room = room.checked_sub(capacity * size_of::<T>())?;
        reserve_exact(vec, capacity - vec.len()).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The pre-token number `n`, of `len` bytes at least.
    fn pretoken(n: usize, len: usize) -> Vec<u8> {
        let mut bytes = format!("{n}").into_bytes();
        bytes.resize(bytes.len().max(len), b'x');
        bytes
    }

    fn ids_of(cache: &Cache, value: Value) -> Vec<u32> {
        match value.place() {
            Some((place, num_ids)) => cache.ids_from(place)[..num_ids].to_vec(),
            None => value.unpack().0[..value.unpack().1].to_vec(),
        }
    }

    /// Oracle: a map that forgets nothing, and the budget; for pre-tokens and results of every kind.
    #[test]
    fn what_is_found_is_right_and_fits_the_budget() {
        for max_bytes in [0, 100_000, 1 << 20] {
            let mut cache = Cache::new(max_bytes);
            let mut expected = HashMap::new();
            let num = if cfg!(miri) { 200 } else { 20_000 };
            let (mut num_found, mut num_cleared) = (0, 0);
            for n in 0..num {
                let bytes = pretoken(n, [1, 7, 8, 15, 16, 17, 128][n % 7]);
                let ids: Vec<u32> = (0..[1, 2, 3, 4, 16, 17, 128][n % 11 % 7])
                    .map(|k| if n % 5 == 0 { u32::MAX - k } else { k + n as u32 })
                    .collect();
                if cache.insert(&bytes, &ids).is_none() {
                    cache.clear();
                    num_cleared += 1;
                    assert!(cache.insert(&bytes, &ids).is_some(), "an empty cache has room");
                }
                assert!(cache.num_bytes() <= max_bytes.max(MIN_BYTES));
                assert_eq!(ids_of(&cache, cache.get(&bytes)), ids);
                expected.insert(bytes, ids);
            }
            for (bytes, ids) in &expected {
                let value = cache.get(bytes);
                if value != Value::MISSING {
                    assert_eq!(&ids_of(&cache, value), ids);
                    num_found += 1;
                }
            }
            assert_eq!(cache.get(b"never put in, and long"), Value::MISSING);
            assert!(num_found > 0 && (num_cleared == 0 || max_bytes < 1 << 20 || num_found < num));
        }
    }
}
