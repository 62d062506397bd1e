//! Finding the pairs to watch: the most frequent ones, and all their places.
//!
//! Positions are sorted by the symbol that stands there; then one symbol after the other has its right neighbours counted,
//! so that no table of all pairs is needed. Threads share the symbols among themselves.

use std::cmp::Ordering;
use std::ops::Range;

use super::limits::Limits;
use super::pairs::{Pair, Pairs};
use super::tokens::{Tokens, BORDER};
use super::words::Words;
use crate::error::BpeError;
use crate::memory::{filled, reserve, reserve_exact};
use crate::parallel;
use crate::prefetch::prefetch;
use crate::progress::Progress;

/// The pairs watched, and the last of them where others exist: those all come behind it.
pub(super) struct Watched {
    pub pairs: Pairs,
    pub last: Option<Pair>,
}

/// The order in which pairs are merged: the greatest first.
pub(super) fn compare(a: &Pair, b: &Pair, tokens: &Tokens) -> Ordering {
    a.count
        .cmp(&b.count)
        .then_with(|| tokens.compare(a.symbols(), b.symbols()))
}

/// Watches the most frequent pairs of `words`, whose gaps are closed up.
pub(super) fn index_pairs(
    words: &Words,
    tokens: &Tokens,
    limits: &Limits,
    num_threads: usize,
    progress: &Progress,
) -> Result<Watched, BpeError> {
    let max_pairs = limits.max_pairs(words.len());
    let mut by_left = ByLeft::new(words, tokens.len(), progress)?;
    let shares = by_left.shares(num_threads);
    let counted = parallel::map(&shares, |share| {
        count_pairs(words, &by_left, share.clone(), max_pairs, tokens, progress)
    });
    let mut top = Top::new(max_pairs);
    for part in counted {
        let part = part?;
        top.pairs.extend(part.pairs);
        top.left_out |= part.left_out;
    }
    let (mut pairs, last) = top.finish(limits.span, tokens);
    pairs.sort_unstable_by_key(Pair::symbols);

    let mut starts_of_shares = Vec::new();
    let lens = {
        let mut jobs = Vec::new();
        let (mut rest_of_pairs, mut rest_of_places) = (&mut pairs[..], &mut by_left.positions[..]);
        for share in &shares {
            let num_pairs = rest_of_pairs.partition_point(|pair| pair.left < share.end);
            let (own_pairs, more_pairs) = std::mem::take(&mut rest_of_pairs).split_at_mut(num_pairs);
            let first = by_left.starts[share.start as usize];
            let num_places = by_left.starts[share.end as usize] - first;
            let (own_places, more_places) = std::mem::take(&mut rest_of_places).split_at_mut(num_places);
            (rest_of_pairs, rest_of_places) = (more_pairs, more_places);
            starts_of_shares.push(first);
            jobs.push((first, own_pairs, own_places));
        }
        parallel::map(jobs, |(first, pairs, places)| {
            sort_places(words, &by_left.starts, first, pairs, places, progress)
        })
    };
    let mut places = by_left.positions;
    let mut end = 0;
    for ((share, first), len) in shares.iter().zip(starts_of_shares).zip(lens) {
        let len = len?;
        places.copy_within(first..first + len, end);
        for pair in pairs.iter_mut().filter(|pair| share.contains(&pair.left)) {
            pair.first += end;
        }
        end += len;
    }
    places.truncate(end);
    // No more than it may grow to, and no copy on the way.
    reserve_exact(&mut places, limits.max_places(words.len()) - end)?;
    Ok(Watched {
        pairs: Pairs::new(pairs, places),
        last,
    })
}

/// The positions of all pairs, sorted by their left symbol, then as they stand.
struct ByLeft {
    positions: Vec<u32>,
    /// Where those of each symbol begin in `positions`, and at last their number.
    starts: Vec<usize>,
}

impl ByLeft {
    fn new(words: &Words, num_tokens: usize, progress: &Progress) -> Result<Self, BpeError> {
        let lefts = || {
            let pairs = words.cells().windows(2).zip(0..);
            pairs
                .filter(|(pair, _)| pair[0] != BORDER && pair[1] != BORDER)
                .map(|(pair, pos)| (pair[0] as usize, pos))
        };
        let mut starts = vec![0; num_tokens + 1];
        for (left, pos) in lefts() {
            progress.check_at(pos as usize)?;
            starts[left] += 1;
        }
        let mut end = 0;
        for start in &mut starts {
            end += std::mem::replace(start, end);
        }
        progress.check()?;
        let mut positions = filled(0, end)?;
        let mut next = starts.clone();
        for (left, pos) in lefts() {
            progress.check_at(pos as usize)?;
            positions[next[left]] = pos;
            next[left] += 1;
        }
        Ok(Self { positions, starts })
    }

    fn of(&self, left: u32) -> &[u32] {
        &self.positions[self.starts[left as usize]..self.starts[left as usize + 1]]
    }

    /// All symbols in `num_threads` ranges, each with about as many positions.
    fn shares(&self, num_threads: usize) -> Vec<Range<u32>> {
        let num_tokens = self.starts.len() - 1;
        let edge = |thread: usize| {
            let wanted = self.positions.len() / num_threads * thread;
            self.starts[..num_tokens].partition_point(|&start| start < wanted) as u32
        };
        let edges = (1..num_threads).map(edge).chain([num_tokens as u32]);
        let mut begin = 0;
        edges.map(|end| std::mem::replace(&mut begin, end)..end).collect()
    }
}

/// How many places ahead the cells are asked for.
const LOOK_AHEAD: usize = 16;

/// Counts the pairs whose left symbol is in `lefts`.
fn count_pairs(
    words: &Words,
    by_left: &ByLeft,
    lefts: Range<u32>,
    max_pairs: usize,
    tokens: &Tokens,
    progress: &Progress,
) -> Result<Top, BpeError> {
    let mut top = Top::new(max_pairs);
    let mut tally = vec![(0, 0); tokens.len()];
    let mut rights = Vec::new();
    for left in lefts {
        let positions = by_left.of(left);
        let mut cursor = words.cursor_at(positions.first().copied().unwrap_or(0));
        for (at, &pos) in positions.iter().enumerate() {
            progress.check_at(at)?;
            if let Some(&soon) = positions.get(at + LOOK_AHEAD) {
                words.prefetch(soon);
            }
            let right = words.cells()[pos as usize + 1];
            let (count, num_places) = &mut tally[right as usize];
            if *num_places == 0 {
                rights.push(right);
            }
            *count += words.count_at(pos, &mut cursor);
            *num_places += 1;
        }
        for right in rights.drain(..) {
            let (count, num_places) = std::mem::take(&mut tally[right as usize]);
            let first = 0; // not known before all are counted
            top.push(
                Pair {
                    left,
                    right,
                    count,
                    first,
                    num_places,
                },
                tokens,
            );
        }
    }
    Ok(top)
}

/// Moves the positions of `pairs`, pair by pair, to the front of `places`; returns how many there are.
///
/// `places` are the positions by left symbol from the `begin`th on; the pairs' `first` counts from there.
fn sort_places(
    words: &Words,
    starts: &[usize],
    begin: usize,
    pairs: &mut [Pair],
    places: &mut [u32],
    progress: &Progress,
) -> Result<usize, BpeError> {
    const NOT_WATCHED: u32 = u32::MAX;
    let mut ends = vec![NOT_WATCHED; starts.len()];
    let mut sorted = Vec::new();
    let mut end = 0;
    for pairs in pairs.chunk_by_mut(|a, b| a.left == b.left) {
        let left = pairs[0].left as usize;
        let positions = starts[left] - begin..starts[left + 1] - begin;
        let mut len = 0;
        for pair in &mut *pairs {
            pair.first = end + len as usize;
            ends[pair.right as usize] = len;
            len += pair.num_places;
        }
        if pairs.len() == 1 && len as usize == positions.len() {
            // Perhaps the one letter of a very long word: no copy.
            places.copy_within(positions, end);
        } else {
            sorted.clear();
            reserve(&mut sorted, len as usize)?;
            sorted.resize(len as usize, 0);
            for at in positions.clone() {
                progress.check_at(at)?;
                prefetch(words.cells(), *places.get(at + LOOK_AHEAD).unwrap_or(&0) as usize);
                let right = words.cells()[places[at] as usize + 1];
                let end = &mut ends[right as usize];
                if *end != NOT_WATCHED {
                    sorted[*end as usize] = places[at];
                    *end += 1;
                }
            }
            places[end..end + len as usize].copy_from_slice(&sorted);
        }
        for pair in &*pairs {
            ends[pair.right as usize] = NOT_WATCHED;
        }
        end += len as usize;
    }
    Ok(end)
}

/// The most frequent pairs of those seen so far.
struct Top {
    pairs: Vec<Pair>,
    max_pairs: usize,
    /// Whether there were others.
    left_out: bool,
}

impl Top {
    fn new(max_pairs: usize) -> Self {
        Self {
            pairs: Vec::new(),
            max_pairs,
            left_out: false,
        }
    }

    fn push(&mut self, pair: Pair, tokens: &Tokens) {
        self.pairs.push(pair);
        if self.pairs.len() >= 2 * self.max_pairs {
            self.cut(tokens);
        }
    }

    fn cut(&mut self, tokens: &Tokens) {
        if self.pairs.len() > self.max_pairs {
            self.pairs
                .select_nth_unstable_by(self.max_pairs - 1, |a, b| compare(b, a, tokens));
            self.pairs.truncate(self.max_pairs);
            self.left_out = true;
        }
    }

    /// At most `max_pairs`, no one `span` times rarer than the most frequent; and the last of them if others are left out.
    fn finish(mut self, span: u64, tokens: &Tokens) -> (Vec<Pair>, Option<Pair>) {
        self.cut(tokens);
        let most = self.pairs.iter().map(|pair| pair.count).max().unwrap_or(0);
        let before = self.pairs.len();
        self.pairs.retain(|pair| pair.count >= most.div_ceil(span));
        self.left_out |= self.pairs.len() < before;
        let last = self.pairs.iter().copied().min_by(|a, b| compare(a, b, tokens));
        (self.pairs, last.filter(|_| self.left_out))
    }
}
