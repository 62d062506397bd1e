//! From pre-tokens to ids, many at a time.
//!
//! Keys are made for a whole batch, the sets that they may lie in asked for, and only then looked up: so the memory works
//! on many at once. Each step is a loop of its own without a branch that depends on the text, or a loop over the few that
//! need more: guessing wrong would cost as much as all the rest.

use super::cache::{Cache, MediumKey, ShortKey, Value, MAX_KEY, MAX_MEDIUM_KEY, MAX_PACKED, MAX_SHORT_KEY, SLACK_IDS};
use super::{Encoder, Worker};
use crate::error::BpeError;
use crate::split::MAX_BATCH;

/// Scratch space for a batch.
#[derive(Debug)]
pub struct Batch {
    starts: [usize; MAX_BATCH],
    lens: [usize; MAX_BATCH],
    /// The first eight bytes of each.
    windows: [u64; MAX_BATCH],
    short_keys: [ShortKey; MAX_BATCH],
    sets: [usize; MAX_BATCH],
    values: [Value; MAX_BATCH],
    /// Those that are no short keys, and later those that were not found, by their place in the batch.
    picked: [usize; MAX_BATCH],
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
    fn look_up(&mut self, cache: &Cache, pretokens: Pretokens<'_>) {
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
            self.sets[k] = cache.short_set(key);
        }
        for &set in &self.sets[..num] {
            cache.prefetch_short(set);
        }
        let longer = &self.picked[..num_longer];
        for (&k, medium) in longer.iter().zip(&mut self.medium_keys) {
            let k = k % MAX_BATCH;
            let key = MediumKey::new(window(text, self.starts[k]), self.lens[k]);
            *medium = (key, cache.medium_set(key));
            cache.prefetch_medium(medium.1);
        }
        for ((value, &key), &set) in self.values.iter_mut().zip(&self.short_keys).zip(&self.sets[..num]) {
            *value = cache.get_short(set, key);
        }
        for (&k, &(key, set)) in longer.iter().zip(&self.medium_keys) {
            let k = k % MAX_BATCH;
            self.values[k] = cache.get_medium(set, key);
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
    fn pick_missing(&mut self, num: usize) -> usize {
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

/// Appends the ids of `values`.
#[inline(always)]
fn emit(cache: &Cache, values: &[Value], out: &mut Vec<u32>) {
    const ROOM: usize = 256;
    // Ids are gathered here, a fixed number copied for each pre-token whatever theirs, and appended many at a time.
    let mut gathered = [0; ROOM + SLACK_IDS];
    let mut len = 0;
    for &value in values {
        if len > ROOM {
            out.extend_from_slice(&gathered[..len]);
            len = 0;
        }
        match value.place() {
            None => {
                let (ids, count) = value.unpack();
                gathered[len..len + MAX_PACKED].copy_from_slice(&ids);
                len += count;
            }
            Some((place, num_ids)) if num_ids <= SLACK_IDS => {
                gathered[len..len + SLACK_IDS].copy_from_slice(&cache.ids_from(place)[..SLACK_IDS]);
                len += num_ids;
            }
            Some((place, num_ids)) => {
                out.extend_from_slice(&gathered[..len]);
                len = 0;
                out.extend_from_slice(&cache.ids_from(place)[..num_ids]);
            }
        }
    }
    out.extend_from_slice(&gathered[..len]);
}

/// Pre-tokens of a text: the first begins at `start`, each other where the one before it ends.
#[derive(Clone, Copy)]
pub struct Pretokens<'a> {
    /// The text.
    pub text: &'a [u8],
    /// Where the text stands in what the caller knows.
    pub offset: usize,
    /// Where the first begins.
    pub start: usize,
    /// Where each ends; at most [`MAX_BATCH`].
    pub ends: &'a [usize],
}

impl Encoder {
    /// Appends the ids of `pretokens`, by the widest instructions that this machine has.
    pub(super) fn encode_pretokens(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { self.encode_pretokens_avx512(worker, pretokens, out) };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { self.encode_pretokens_avx2(worker, pretokens, out) };
            }
        }
        self.encode_pretokens_by_any(worker, pretokens, out)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn encode_pretokens_avx512(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        self.encode_pretokens_by_any(worker, pretokens, out)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn encode_pretokens_avx2(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        self.encode_pretokens_by_any(worker, pretokens, out)
    }

    /// [`Encoder::encode_pretokens`], by the instructions of whoever calls it.
    #[inline(always)]
    fn encode_pretokens_by_any(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        let Pretokens { text, offset, ends, .. } = pretokens;
        worker.batch.look_up(&worker.cache, pretokens);
        let num_missing = worker.batch.pick_missing(ends.len());
        let mut num_done = 0;
        for m in 0..num_missing {
            let k = worker.batch.picked[m];
            let start = worker.batch.starts[k];
            let pretoken = &text[start..ends[k]];
            if pretoken.len() > MAX_KEY {
                emit(&worker.cache, &worker.batch.values[num_done..k], out);
                self.merge(&mut worker.long, pretoken, offset + start, |id| out.push(id))?;
                num_done = k + 1;
                continue;
            }
            let mut value = worker.cache.get(pretoken); // it may have come earlier in this batch
            if value == Value::MISSING {
                worker.merged.clear();
                let merged = &mut worker.merged;
                self.merge(&mut worker.long, pretoken, offset + start, |id| merged.push(id))?;
                value = match worker.cache.insert(pretoken, merged) {
                    Some(value) => value,
                    None => {
                        emit(&worker.cache, &worker.batch.values[num_done..k], out);
                        worker.cache.clear();
                        let ends = &ends[k..];
                        return self.encode_pretokens(
                            worker,
                            Pretokens {
                                start,
                                ends,
                                ..pretokens
                            },
                            out,
                        );
                    }
                };
            }
            worker.batch.values[k] = value;
        }
        emit(&worker.cache, &worker.batch.values[num_done..ends.len()], out);
        Ok(())
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::split::GPT2_PATTERN;

    /// Oracle: the portable way.
    #[test]
    fn every_way_gives_the_same_ids() {
        let merges = [("a", "b"), ("ab", "ab"), (" ", "ab"), ("b", "a")].map(|(l, r)| (l.into(), r.into()));
        let tokens = (0..=255).map(|byte| vec![byte]);
        let joined = merges.iter().map(|(l, r): &(Vec<u8>, Vec<u8>)| [&l[..], r].concat());
        let encoder = Encoder::new((0..).zip(tokens.chain(joined)), &merges, &[], GPT2_PATTERN, 1 << 20).unwrap();
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for k in 0..MAX_BATCH {
            let letters = b"ababbabaaabbbab".iter().cycle().skip(k % 15);
            text.extend(letters.take([1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 60, 128, 129, 300][k * k % 14]));
            ends.push(text.len());
        }
        let encode = |encode: &dyn Fn(&mut Worker, Pretokens<'_>, &mut Vec<u32>)| {
            let mut worker = encoder.new_worker();
            let mut ids = Vec::new();
            for num in [1, 7, 8, 9, 255, 256, 256] {
                let pretokens = Pretokens {
                    text: &text,
                    offset: 0,
                    start: 0,
                    ends: &ends[..num],
                };
                encode(&mut worker, pretokens, &mut ids);
            }
            ids
        };
        let expected = encode(&|worker, pretokens, ids| {
            encoder.encode_pretokens_by_any(worker, pretokens, ids).unwrap();
        });
        let decoded = encoder.vocabulary().decode(&expected).unwrap();
        assert!(decoded.starts_with(&text[..ends[0]]) && decoded.ends_with(&text));
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            let by_avx2 = encode(&|worker, pretokens, ids| {
                // SAFETY: checked in the line above.
                unsafe { encoder.encode_pretokens_avx2(worker, pretokens, ids) }.unwrap();
            });
            assert_eq!(by_avx2, expected);
        }
        if is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
            let by_avx512 = encode(&|worker, pretokens, ids| {
                // SAFETY: checked in the line above.
                unsafe { encoder.encode_pretokens_avx512(worker, pretokens, ids) }.unwrap();
            });
            assert_eq!(by_avx512, expected);
        }
    }
}
