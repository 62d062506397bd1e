//! What the cache knows of a batch of pre-tokens.
//!
//! Keys are made for the whole batch, the sets that they may lie in asked for, and only then looked up: so the memory works
//! on many at once. Each step is a loop of its own without a branch that depends on the text, or a loop over the few that
//! need more: guessing wrong would cost as much as all the rest.

use super::cache::{Cache, MediumKey, ShortKey, Value, MAX_KEY, MAX_MEDIUM_KEY, MAX_SHORT_KEY};
use super::pretokens::Pretokens;
use crate::split::MAX_BATCH;

/// Scratch space for a batch.
#[derive(Debug)]
pub struct Batch {
    pub starts: [usize; MAX_BATCH],
    lens: [usize; MAX_BATCH],
    /// The first eight bytes of each.
    windows: [u64; MAX_BATCH],
    short_keys: [ShortKey; MAX_BATCH],
    sets: [usize; MAX_BATCH],
    pub values: [Value; MAX_BATCH],
    /// Those that are no short keys, and later those that were not found, by their place in the batch.
    pub picked: [usize; MAX_BATCH],
    /// Keys of the picked ones that are medium, and where they may lie.
    medium_keys: [(MediumKey, usize); MAX_BATCH],
}

impl Batch {
    pub fn new() -> Box<Self> {
        Box::new(Self {
            starts: [0; MAX_BATCH],
            lens: [0; MAX_BATCH],
            windows: [0; MAX_BATCH],
            short_keys: [ShortKey::default(); MAX_BATCH],
            sets: [0; MAX_BATCH],
            values: [Value::MISSING; MAX_BATCH],
            picked: [0; MAX_BATCH],
            medium_keys: [(MediumKey::default(), 0); MAX_BATCH],
        })
    }

    /// Puts what the cache knows of these pre-tokens into `values`.
    #[inline(always)]
    pub fn look_up(&mut self, cache: &Cache, pretokens: Pretokens<'_>) {
        let Pretokens { text, ends, .. } = pretokens;
        let num = ends.len();
        let mut num_longer = 0;
        let mut from = pretokens.start;
        for (k, &end) in ends.iter().enumerate() {
            let k = k % MAX_BATCH;
            let len = end - from;
            self.windows[k] = u64::from_le_bytes(window(text, from));
            self.starts[k] = from;
            self.lens[k] = len;
            self.picked[num_longer % MAX_BATCH] = k;
            num_longer += usize::from(len > MAX_SHORT_KEY);
            from = end;
        }
        // Whole eights, so that vectors of eight need no rest; what stands behind the last means nothing.
        let eights = num.next_multiple_of(8).min(MAX_BATCH);
        for k in 0..eights {
            let key = ShortKey::new(self.windows[k].to_le_bytes(), self.lens[k]);
            self.short_keys[k] = key;
            self.sets[k] = cache.short.set_of(key);
        }
        for &set in &self.sets[..num] {
            cache.short.prefetch(set);
        }
        let longer = &self.picked[..num_longer];
        for (&k, medium) in longer.iter().zip(&mut self.medium_keys) {
            let k = k % MAX_BATCH;
            let key = MediumKey::new(window(text, self.starts[k]), self.lens[k]);
            *medium = (key, cache.medium.set_of(key));
            cache.medium.prefetch(medium.1);
        }
        for ((value, &key), &set) in self.values.iter_mut().zip(&self.short_keys).zip(&self.sets[..num]) {
            *value = cache.short.get(set, key);
        }
        for (&k, &(key, set)) in longer.iter().zip(&self.medium_keys) {
            let k = k % MAX_BATCH;
            self.values[k] = cache.medium.get(set, key);
            if self.lens[k] > MAX_MEDIUM_KEY {
                self.values[k] = if self.lens[k] <= MAX_KEY {
                    cache.get_long(&text[self.starts[k]..][..self.lens[k]])
                } else {
                    Value::MISSING
                };
            }
        }
    }

    /// Picks those of the first `num` that are missing; returns how many they are.
    #[inline(always)]
    pub fn pick_missing(&mut self, num: usize) -> usize {
        let mut num_missing = 0;
        for (k, &value) in self.values[..num].iter().enumerate() {
            self.picked[num_missing % MAX_BATCH] = k;
            num_missing += usize::from(value == Value::MISSING);
        }
        num_missing
    }
}

/// `text[start..start + LEN]`, with zeros for what lies behind the text.
#[inline(always)]
fn window<const LEN: usize>(text: &[u8], start: usize) -> [u8; LEN] {
    match text[start..].first_chunk() {
        Some(window) => *window,
        None => partial_window(&text[start..]),
    }
}

#[cold]
#[inline(never)]
fn partial_window<const LEN: usize>(rest: &[u8]) -> [u8; LEN] {
    let mut window = [0; LEN];
    window[..rest.len()].copy_from_slice(rest);
    window
}
