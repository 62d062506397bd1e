//! From pre-tokens to ids, many at a time.

#![allow(unsafe_code, reason = "calls functions compiled for wider instructions")]

use super::cache::{Cache, Value, MAX_KEY, MAX_MEDIUM_KEY, MAX_PACKED, SLACK_IDS};
use super::{Encoder, Worker};
use crate::error::BpeError;
use crate::memory::reserve;
#[cfg(target_arch = "x86_64")]
use crate::processor;
use crate::split::MAX_BATCH;

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

/// The longest pre-token that is looked up whole, without a search for boundaries: it fits an entry of the cache.
const MAX_WHOLE: usize = 15;

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

impl Pretokens<'_> {
    /// Returns whether one is longer than [`MAX_WHOLE`].
    fn has_long(&self) -> bool {
        const {
            assert!(
                (MAX_WHOLE + 1).is_power_of_two(),
                "a length above it has a bit that it has not"
            )
        };
        let first = self.ends.first().map_or(0, |end| end - self.start);
        // Not the greatest length: no processor without AVX-512 compares 64 bits for it, and all of them combine bits.
        let bits = self.ends.windows(2).fold(first, |bits, two| bits | (two[1] - two[0]));
        bits > MAX_WHOLE
    }
}

/// Pre-tokens and pieces of long ones, encoded when there are [`MAX_BATCH`].
struct Pieces<'a> {
    encoder: &'a Encoder,
    worker: &'a mut Worker,
    /// What they are of.
    pretokens: Pretokens<'a>,
    out: &'a mut Vec<u32>,
    /// Where the first begins.
    start: usize,
    ends: [usize; MAX_BATCH],
    num: usize,
    outcome: Result<(), BpeError>,
}

impl Pieces<'_> {
    #[inline(always)]
    fn push(&mut self, end: usize) {
        self.ends[self.num] = end;
        self.num += 1;
        if self.num == MAX_BATCH {
            self.encode();
        }
    }

    /// Pushes at most [`MAX_BATCH`] ends.
    #[inline(always)]
    fn extend(&mut self, ends: &[usize]) {
        let (now, later) = ends.split_at(ends.len().min(MAX_BATCH - self.num));
        self.ends[self.num..self.num + now.len()].copy_from_slice(now);
        self.num += now.len();
        if self.num == MAX_BATCH {
            self.encode();
        }
        self.ends[self.num..self.num + later.len()].copy_from_slice(later);
        self.num += later.len();
    }

    #[inline(never)]
    fn encode(&mut self) {
        let ends = &self.ends[..self.num];
        let pieces = Pretokens {
            start: self.start,
            ends,
            ..self.pretokens
        };
        if self.outcome.is_ok() && self.num > 0 {
            self.outcome = self.encoder.encode_batch_of(self.worker, pieces, self.out);
        }
        self.start = ends.last().copied().unwrap_or(self.start);
        self.num = 0;
    }
}

impl Encoder {
    /// Appends the ids of `pretokens`.
    pub(super) fn encode_pretokens(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        if !pretokens.has_long() {
            return self.encode_batch_of(worker, pretokens, out);
        }
        let mut pieces = Pieces {
            encoder: self,
            worker,
            pretokens,
            out,
            start: pretokens.start,
            ends: [0; MAX_BATCH],
            num: 0,
            outcome: Ok(()),
        };
        let mut start = pretokens.start;
        let mut first = 0; // of those that `pieces` has not
        for (k, &end) in pretokens.ends.iter().enumerate() {
            if end - start > MAX_WHOLE {
                pieces.extend(&pretokens.ends[first..k]);
                self.boundaries
                    .for_each_end(pretokens.text, start, end, |end| pieces.push(end));
                first = k + 1;
            }
            start = end;
        }
        pieces.extend(&pretokens.ends[first..]);
        pieces.encode();
        pieces.outcome
    }

    /// Appends the ids of pre-tokens, or pieces of them, by the widest instructions that this machine has.
    fn encode_batch_of(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        #[cfg(target_arch = "x86_64")]
        {
            if processor::has_avx512() {
                // SAFETY: `has_avx512` asks for all that the function is compiled for.
                return unsafe { self.encode_batch_avx512(worker, pretokens, out) };
            }
            if processor::has_avx2() {
                // SAFETY: `has_avx2` asks for all that the function is compiled for.
                return unsafe { self.encode_batch_avx2(worker, pretokens, out) };
            }
        }
        self.encode_batch_by_any(worker, pretokens, out)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    fn encode_batch_avx512(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        self.encode_batch_by_any(worker, pretokens, out)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn encode_batch_avx2(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        self.encode_batch_by_any(worker, pretokens, out)
    }

    /// [`Encoder::encode_batch_of`], by the instructions of whoever calls it.
    #[inline(always)]
    fn encode_batch_by_any(
        &self,
        worker: &mut Worker,
        pretokens: Pretokens<'_>,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        let Pretokens { text, offset, ends, .. } = pretokens;
        worker.mergers.progress.check()?;
        // What `emit` appends below, so that it cannot fail; longer pre-tokens make room themselves.
        let num_bytes = ends.last().map_or(0, |end| end - pretokens.start);
        reserve(out, num_bytes.min(MAX_BATCH * MAX_KEY))?;
        worker.batch.look_up(&worker.cache, pretokens);
        let num_missing = worker.batch.pick_missing(ends.len());
        let mut num_done = 0;
        for m in 0..num_missing {
            let k = worker.batch.picked[m];
            let start = worker.batch.starts[k];
            let pretoken = &text[start..ends[k]];
            if pretoken.len() > MAX_KEY {
                emit(&worker.cache, &worker.batch.values[num_done..k], out);
                let mut room = Ok(());
                self.merge(&mut worker.mergers, pretoken, offset + start, |id| {
                    if out.len() == out.capacity() && room.is_ok() {
                        room = reserve(out, 1);
                    }
                    if room.is_ok() {
                        out.push(id);
                    }
                })?;
                room?;
                // The pre-tokens behind it need the room made for them.
                reserve(out, num_bytes.min(MAX_BATCH * MAX_KEY))?;
                num_done = k + 1;
                continue;
            }
            // It may have come earlier in this batch; long ones hardly ever do, and take longer to look up.
            let mut value = match pretoken.len() {
                ..=MAX_MEDIUM_KEY => worker.cache.get(pretoken),
                _ => Value::MISSING,
            };
            if value == Value::MISSING {
                worker.merged.clear();
                let merged = &mut worker.merged;
                self.merge(&mut worker.mergers, pretoken, offset + start, |id| merged.push(id))?;
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
        let nums = if cfg!(miri) {
            &[1, 8, 9][..]
        } else {
            &[1, 7, 8, 9, 255, 256, 256]
        };
        let encode = |encode: &dyn Fn(&mut Worker, Pretokens<'_>, &mut Vec<u32>)| {
            let mut worker = encoder.new_worker();
            let mut ids = Vec::new();
            for &num in nums {
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
            encoder.encode_batch_by_any(worker, pretokens, ids).unwrap();
        });
        let decoded = encoder.vocabulary().decode(&expected).unwrap();
        assert!(decoded.starts_with(&text[..ends[0]]) && decoded.ends_with(&text[..ends[nums[nums.len() - 1] - 1]]));
        if processor::has_avx2() {
            let by_avx2 = encode(&|worker, pretokens, ids| {
                // SAFETY: `has_avx2` asks for all that the function is compiled for.
                unsafe { encoder.encode_batch_avx2(worker, pretokens, ids) }.unwrap();
            });
            assert_eq!(by_avx2, expected);
        }
        if processor::has_avx512() {
            let by_avx512 = encode(&|worker, pretokens, ids| {
                // SAFETY: `has_avx512` asks for all that the function is compiled for.
                unsafe { encoder.encode_batch_avx512(worker, pretokens, ids) }.unwrap();
            });
            assert_eq!(by_avx512, expected);
        }
    }
}
