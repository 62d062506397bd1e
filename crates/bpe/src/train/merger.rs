//! One merge after the other.

use std::ops::Range;

use super::initial_merges::InitialMerges;
use super::limits::Limits;
use super::neighbours::{Note, Side};
use super::pair_index::{compare, index_pairs, Watched};
use super::pairs::{Pair, Pairs};
use super::queue::Queue;
use super::tokens::{Tokens, BORDER};
use super::words::Words;
use super::{Merge, Ties};
use crate::count::Counts;
use crate::error::BpeError;
use crate::progress::Progress;

/// The words as they are split now, the pairs that are watched, and their order.
///
/// Only the most frequent pairs are watched. A pair's count can only fall after the step that made it, so that the others
/// need no attention before the watched ones have become as rare: then, in another round, all words are looked at again.
pub(super) struct Merger {
    words: Words,
    tokens: Tokens,
    watched: Watched,
    queue: Queue,
    before: Side,
    after: Side,
    limits: Limits,
    num_threads: usize,
}

impl Merger {
    pub fn new(
        counts: &Counts,
        known: &[Merge],
        ties: Ties,
        limits: Limits,
        num_threads: usize,
        progress: &Progress,
    ) -> Result<Self, BpeError> {
        let mut tokens = Tokens::new(ties);
        let initial = InitialMerges::new(known, &mut tokens)?;
        let words = initial.apply(counts, tokens.len(), num_threads, progress)?;
        let watched = index_pairs(&words, &tokens, &limits, num_threads, progress)?;
        Ok(Self {
            queue: Queue::new(&watched.pairs, &tokens),
            words,
            tokens,
            watched,
            before: Side::default(),
            after: Side::default(),
            limits,
            num_threads,
        })
    }

    /// Tokens beside the 256 bytes.
    pub fn num_new_tokens(&self) -> usize {
        self.tokens.num_new()
    }

    /// Merges the next pair everywhere; none where no pair is left.
    ///
    /// # Errors
    /// [`BpeError::OutOfMemory`], [`BpeError::Interrupted`]; the merger is then of no use any more.
    pub fn step(&mut self, progress: &Progress) -> Result<Option<Merge>, BpeError> {
        let Some(index) = self.next_pair(progress)? else {
            return Ok(None);
        };
        let pair = *self.watched.pairs.get(index);
        let (joined, is_new) = self.tokens.join(pair.left, pair.right)?;
        if is_new {
            self.words.add_symbol(pair.left, pair.right, joined);
        }
        if !is_new || self.limits.is_dense(pair.num_places as usize, self.words.len()) {
            // A token that was known before may already be next to these neighbours, in pairs whose count now rises.
            self.words.close_up(Some((pair.left, pair.right, joined)), progress)?;
            self.start_round(progress)?;
        } else {
            self.queue.remove_first(&self.watched.pairs, &self.tokens);
            self.join_all(index, joined, progress)?;
            let free = self.watched.pairs.clear(index);
            self.settle(&pair, joined, free)?;
        }
        Ok(Some((
            self.tokens.bytes(pair.left).clone(),
            self.tokens.bytes(pair.right).clone(),
        )))
    }

    /// The pair to merge next; it stays first in the queue.
    fn next_pair(&mut self, progress: &Progress) -> Result<Option<u32>, BpeError> {
        loop {
            let Watched { pairs, last } = &self.watched;
            let next = self.queue.next(pairs, &self.tokens);
            let is_full = pairs.num_places() > self.limits.max_places(self.words.len())
                || pairs.len() > 2 * self.limits.max_pairs(self.words.len());
            let is_certain =
                last.is_none_or(|last| next.is_some_and(|next| compare(pairs.get(next), &last, &self.tokens).is_ge()));
            if is_certain && !is_full {
                return Ok(next);
            }
            self.words.close_up(None, progress)?;
            self.start_round(progress)?;
        }
    }

    fn start_round(&mut self, progress: &Progress) -> Result<(), BpeError> {
        // What is watched no longer makes room first.
        self.watched.pairs = Default::default();
        self.queue = Queue::default();
        self.watched = index_pairs(&self.words, &self.tokens, &self.limits, self.num_threads, progress)?;
        self.queue = Queue::new(&self.watched.pairs, &self.tokens);
        Ok(())
    }

    /// Joins the symbols of `pair` wherever they still occur, from left to right, recording their neighbours.
    fn join_all(&mut self, pair: u32, joined: u32, progress: &Progress) -> Result<(), BpeError> {
        let places = self.watched.pairs.places_of(pair);
        let Pair { left, right, .. } = *self.watched.pairs.get(pair);
        let (words, before, after) = (&mut self.words, &mut self.before, &mut self.after);
        before.clear(self.tokens.len(), places.len())?;
        after.clear(self.tokens.len(), places.len())?;
        let left_len = words.cell_len(left);
        let joined_len = words.cell_len(joined);
        let mut cursor = words.cursor_at(places.first().copied().unwrap_or(0));
        let mut last_end = 0;
        for (at, &place) in places.iter().enumerate() {
            progress.check_at(at)?;
            if let Some(&soon) = places.get(at + LOOK_AHEAD) {
                words.prefetch(soon);
            }
            let pos = place as usize;
            let middle = pos + left_len;
            if words.at(pos) != left || words.at(middle) != right {
                continue;
            }
            let end = pos + joined_len;
            let count = words.count_at(place, &mut cursor);
            let symbol = words.at(pos - 1);
            // Where it was made in this very step, the pair of it and `left` was never counted.
            let lost = if last_end == pos { 0 } else { count };
            before.gain(symbol, count, lost, (pos - words.cell_len(symbol)) as u32);
            let symbol = words.at(end);
            if symbol == left && words.at(end + left_len) == right {
                // The pair of both joined ones is noted there, as what stands before.
                after.lose(symbol, count);
            } else {
                after.gain(symbol, count, count, place);
            }
            words.join(pos, middle, end, joined);
            last_end = end;
        }
        Ok(())
    }

    /// Brings pairs and queue up to date with what was noted; the places in `free` may be written over.
    fn settle(&mut self, merged: &Pair, joined: u32, mut free: Range<usize>) -> Result<(), BpeError> {
        let Self {
            watched: Watched { pairs, last },
            queue,
            tokens,
            before,
            after,
            ..
        } = self;
        let Pair { left, right, .. } = *merged;
        for note in before.notes() {
            pairs.prefetch(note.symbol, left);
        }
        for note in after.notes() {
            pairs.prefetch(right, note.symbol);
        }
        let is_merged = |symbol| left == right && symbol == left;
        for note in before.notes().iter().filter(|note| !is_merged(note.symbol)) {
            pairs.lower(note.symbol, left, note.lost);
        }
        for note in after.notes().iter().filter(|note| !is_merged(note.symbol)) {
            pairs.lower(right, note.symbol, note.lost);
        }
        let least = last.map_or(1, |last| last.count);
        let is_watched = |note: &Note| note.gained >= least && note.symbol != BORDER;
        let mut watch = |pairs: &mut Pairs, left, right, note: &Note| {
            let added = pairs.add(Pair {
                left,
                right,
                count: note.gained,
                first: note.first,
                num_places: note.num_places,
            });
            queue.push(added, pairs, tokens);
        };
        before.sort_places(pairs, &mut free, is_watched)?;
        for note in before.notes().iter().filter(|note| note.num_places > 0) {
            watch(pairs, note.symbol, joined, note);
        }
        after.sort_places(pairs, &mut free, is_watched)?;
        for note in after.notes().iter().filter(|note| note.num_places > 0) {
            watch(pairs, joined, note.symbol, note);
        }
        Ok(())
    }
}

/// How many places ahead the words are asked for.
const LOOK_AHEAD: usize = 12;
