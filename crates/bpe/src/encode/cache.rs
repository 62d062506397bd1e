//! The ids of pre-tokens seen before, within a byte budget.
//!
//! A set-associative cache, as in a processor: a key may lie in the few entries of one set, and where all are
//! taken the newcomer replaces one. So look-ups are bounded whatever the text (no text is slow on purpose),
//! memory is bounded by construction, and nothing is ever moved or counted on a hit.
//!
//! Pre-tokens of up to 15 bytes, nearly all of them in most languages, lie in their entry (32 bytes, two to a cache line) with up
//! to three ids. Longer ones and longer results lie in an arena, emptied with the whole cache when full.

use crate::hash::{hash_bytes, hash_word};

/// The longest pre-token kept in its entry.
pub const MAX_INLINE_KEY: usize = 15;
/// The longest pre-token kept at all; longer ones hardly ever come twice.
pub const MAX_KEY: usize = 128;
/// The most ids kept in an entry.
pub const MAX_INLINE_IDS: usize = 3;

/// Entries that a key may lie in: two cache lines.
const WAYS: usize = 4;
const FIRST_NUM_SETS: usize = 1 << 8;

/// A pre-token as the cache knows it: its bytes, or for a long one its hash, and the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Key(u128);

impl Key {
    /// The key of `text[start..end]`.
    #[inline]
    #[must_use]
    pub fn new(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        if len > MAX_INLINE_KEY {
            return Self(u128::from(hash_bytes(&text[start..end])) | 0xff << 120);
        }
        let word = match text.get(start..start + 16) {
            // One load; the bytes behind the pre-token are masked off.
            Some(window) => u128::from_le_bytes(window.try_into().unwrap_or_default()) & !(u128::MAX << (8 * len)),
            None => {
                let mut window = [0; 16];
                window[..len].copy_from_slice(&text[start..end]);
                u128::from_le_bytes(window)
            }
        };
        Self(word | (len as u128) << 120)
    }

    #[inline]
    fn hash(self) -> u64 {
        hash_word(self.0)
    }

    fn is_long(self) -> bool {
        self.0 >> 120 == 0xff
    }
}

/// `ids[..count]`; of a long key or where `count` is above [`MAX_INLINE_IDS`], instead `[place in the id arena,
/// place in the byte arena, bytes there]`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(32))]
struct Entry {
    key: Key,
    ids: [u32; MAX_INLINE_IDS],
    count: u32,
}

#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(128))]
struct Set([Entry; WAYS]);

/// What the cache knows about a pre-token.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// This many of these ids; the others are padding, so that three can be copied whatever the number.
    Inline([u32; MAX_INLINE_IDS], usize),
    /// These ids.
    Spilled(&'a [u32]),
    /// Nothing.
    Missing,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Cache {
    sets: Vec<Set>,
    max_num_sets: usize,
    num_inserted: usize,
    /// Chooses the entry to be replaced.
    clock: usize,
    spilled_ids: Vec<u32>,
    long_keys: Vec<u8>,
    max_arena_bytes: usize,
}

impl Cache {
    /// A cache that grows to about `max_bytes` (the smallest takes 64 KiB).
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        let half = max_bytes / 2;
        let max_num_sets = (half / size_of::<Set>()).max(FIRST_NUM_SETS);
        Self {
            sets: vec![Set::default(); FIRST_NUM_SETS],
            max_num_sets: 1 << max_num_sets.ilog2(),
            num_inserted: 0,
            clock: 0,
            spilled_ids: Vec::new(),
            long_keys: Vec::new(),
            max_arena_bytes: half.clamp(1 << 15, u32::MAX as usize),
        }
    }

    /// Ask for the set's memory before it is needed.
    #[inline]
    pub fn prefetch(&self, key: Key) {
        prefetch(&self.sets[key.hash() as usize & (self.sets.len() - 1)]);
    }

    /// Look up the pre-token with this key and these bytes.
    #[inline]
    #[must_use]
    pub fn get(&self, key: Key, bytes: &[u8]) -> Found<'_> {
        let set = &self.sets[key.hash() as usize & (self.sets.len() - 1)];
        for entry in &set.0 {
            if entry.key == key {
                if entry.count <= MAX_INLINE_IDS as u32 && !key.is_long() {
                    return Found::Inline(entry.ids, entry.count as usize);
                }
                return self.get_spilled(entry, bytes);
            }
        }
        Found::Missing
    }

    fn get_spilled(&self, entry: &Entry, bytes: &[u8]) -> Found<'_> {
        let [ids_at, key_at, key_len] = entry.ids.map(|place| place as usize);
        if entry.key.is_long() && &self.long_keys[key_at..key_at + key_len] != bytes {
            return Found::Missing; // another one with the same hash
        }
        Found::Spilled(&self.spilled_ids[ids_at..ids_at + entry.count as usize])
    }

    /// Remember the ids of a pre-token that was missing.
    pub fn insert(&mut self, key: Key, bytes: &[u8], ids: &[u32]) {
        if bytes.len() > MAX_KEY {
            return;
        }
        if self.num_inserted * 2 > self.sets.len() * WAYS && self.sets.len() < self.max_num_sets {
            self.grow();
        }
        let mut entry = Entry {
            key,
            count: ids.len() as u32,
            ..Entry::default()
        };
        if ids.len() <= MAX_INLINE_IDS && !key.is_long() {
            entry.ids[..ids.len()].copy_from_slice(ids);
        } else {
            if self.spilled_ids.len() * 4 + self.long_keys.len() + MAX_KEY * 5 > self.max_arena_bytes {
                self.clear();
            }
            entry.ids = [self.spilled_ids.len() as u32, self.long_keys.len() as u32, 0];
            self.spilled_ids.extend_from_slice(ids);
            if key.is_long() {
                self.long_keys.extend_from_slice(bytes);
                entry.ids[2] = bytes.len() as u32;
            }
        }
        self.num_inserted += 1;
        self.clock += 1;
        place(&mut self.sets, entry, self.clock);
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.sets);
        self.sets = vec![Set::default(); old.len() * 2];
        let entries = old
            .iter()
            .flat_map(|set| &set.0)
            .filter(|entry| entry.key != Key::default());
        for (entry, clock) in entries.zip(0..) {
            place(&mut self.sets, *entry, clock);
        }
    }

    fn clear(&mut self) {
        self.sets.fill(Set::default());
        self.num_inserted = 0;
        self.spilled_ids.clear();
        self.long_keys.clear();
    }
}

/// Put `entry` into its set, in the place of its key or of nothing, else of whichever `clock` says.
fn place(sets: &mut [Set], entry: Entry, clock: usize) {
    let mask = sets.len() - 1;
    let set = &mut sets[entry.key.hash() as usize & mask].0;
    let free = set
        .iter()
        .position(|other| other.key == entry.key || other.key == Key::default());
    set[free.unwrap_or(clock % WAYS)] = entry;
}

/// Have the processor fetch both cache lines of a set.
#[inline]
fn prefetch(set: &Set) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        let line = std::ptr::from_ref(set).cast::<i8>();
        // SAFETY: prefetching is a hint that neither reads nor faults, whatever the address; both lie within `set`.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line);
            _mm_prefetch::<_MM_HINT_T0>(line.add(size_of::<Set>() / 2));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = set;
}
