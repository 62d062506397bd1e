//! Merging a long piece: rank by rank, the places of each rank from left to right.
//!
//! There is one bucket of places per rank, so that a megabyte of two letters is a few passes over an array and not a
//! million operations on a heap. Time O(n log n) at worst, near O(n) in practice.
//!
//! The symbols are in one array with a cell per byte of the piece, a doubly linked list without links: a symbol that
//! covers n > 1 cells has its number in the first, and `COVERED | n` in the second and in the last, so that both
//! neighbours are found in one step. The cells between those are stale, except where a symbol used to start: these are
//! marked as covered, because a bucket may still hold them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pair_table::{PairTable, Rank, Step};
use crate::error::BpeError;
use crate::memory::{filled, reserve, reserve_exact};
use crate::progress::{Progress, CHECK_EVERY};
use crate::vocab::Symbol;

/// Marks a cell inside a symbol; symbols themselves are below.
const COVERED: u32 = 1 << 31;

/// Positions and lengths must leave the mark's bit free.
pub const MAX_LONG: usize = (COVERED - 1) as usize;

const NO_BUCKET: u32 = u32::MAX;

/// The memory of a longer piece is computed beforehand and released afterwards.
const KEPT_LEN: usize = 1 << 16;

/// Scratch space of `merge`, reused from piece to piece.
#[derive(Debug, Default)]
pub struct LongMerger {
    cells: Vec<u32>,
    buckets: Buckets,
}

impl LongMerger {
    /// Applies all merges to `bytes`, at most [`MAX_LONG`] of them and each a token; passes the remaining symbols to `emit`,
    /// from left to right.
    ///
    /// # Errors
    /// [`BpeError::OutOfMemory`], [`BpeError::Interrupted`].
    pub fn merge(
        &mut self,
        pairs: &PairTable,
        bytes: &[u8],
        progress: &Progress,
        emit: impl FnMut(Symbol),
    ) -> Result<(), BpeError> {
        let merged = self.try_merge(pairs, bytes, progress, emit);
        // The buckets are not empty then.
        merged.inspect_err(|_| *self = Self::default())
    }

    fn try_merge(
        &mut self,
        pairs: &PairTable,
        bytes: &[u8],
        progress: &Progress,
        mut emit: impl FnMut(Symbol),
    ) -> Result<(), BpeError> {
        debug_assert!(bytes.len() <= MAX_LONG);
        self.cells.clear();
        reserve_exact(&mut self.cells, bytes.len())?;
        for bytes in bytes.chunks(CHECK_EVERY) {
            progress.check()?;
            self.cells.extend(bytes.iter().map(|&byte| pairs.byte_symbol(byte)));
        }
        self.buckets.prepare(pairs.num_merges());
        if bytes.len() > KEPT_LEN {
            self.buckets.reserve(pairs, bytes)?;
        }
        for (at, pair) in bytes.windows(2).enumerate() {
            progress.check_at(at)?;
            self.buckets.push(pairs.byte_step(pair[0], pair[1]), at)?;
        }
        while let Some((rank, mut places)) = self.buckets.pop() {
            let merge = pairs.merge(rank);
            let mut num_joined = 0;
            for k in 0..places.len() {
                progress.check_at(k)?;
                let at = places[k];
                if self.join(at as usize, merge.left, merge.right, merge.merged) {
                    places[num_joined] = at;
                    num_joined += 1;
                }
            }
            places.truncate(num_joined);
            self.find_new_pairs(pairs, rank, &places, progress)?;
            self.buckets.recycle(places);
        }
        let mut at = 0;
        while at < self.cells.len() {
            emit(self.cells[at]);
            at = self.next(at);
        }
        self.release();
        Ok(())
    }

    /// Replaces `left` at `at` and `right` behind it by `merged`, if both are (still) there.
    fn join(&mut self, at: usize, left: Symbol, right: Symbol, merged: Symbol) -> bool {
        if self.cells[at] != left {
            return false;
        }
        let behind = self.next(at);
        if behind >= self.cells.len() || self.cells[behind] != right {
            return false;
        }
        let end = self.next(behind);
        let length = COVERED | (end - at) as u32;
        self.cells[behind] = COVERED;
        self.cells[at] = merged;
        self.cells[at + 1] = length;
        self.cells[end - 1] = length;
        true
    }

    /// Puts the pairs that the new symbols at `places` form with their neighbours into their buckets.
    fn find_new_pairs(
        &mut self,
        pairs: &PairTable,
        rank: Rank,
        places: &[u32],
        progress: &Progress,
    ) -> Result<(), BpeError> {
        for (k, &place) in places.iter().enumerate() {
            progress.check_at(k)?;
            let at = place as usize;
            if at > 0 {
                let before = self.previous(at);
                self.buckets
                    .push(pairs.step(self.cells[before], self.cells[at], rank), before)?;
            }
            let behind = self.next(at);
            // The pair of two new neighbours is pushed once, by the right one.
            let neighbour_is_new = places.get(k + 1).is_some_and(|&other| other as usize == behind);
            if behind < self.cells.len() && !neighbour_is_new {
                self.buckets
                    .push(pairs.step(self.cells[at], self.cells[behind], rank), at)?;
            }
        }
        Ok(())
    }

    fn next(&self, at: usize) -> usize {
        match self.cells.get(at + 1) {
            Some(cell) if cell & COVERED != 0 => at + (cell & !COVERED) as usize,
            _ => at + 1,
        }
    }

    fn previous(&self, at: usize) -> usize {
        let cell = self.cells[at - 1];
        if cell & COVERED != 0 {
            at - (cell & !COVERED) as usize
        } else {
            at - 1
        }
    }

    /// Releases the memory of a piece longer than [`KEPT_LEN`].
    fn release(&mut self) {
        if self.cells.capacity() > KEPT_LEN {
            self.cells = Vec::new();
            self.buckets.spare.clear();
        }
    }
}

/// The places of each rank that has not been applied yet.
#[derive(Debug, Default)]
struct Buckets {
    /// The bucket of each rank, or [`NO_BUCKET`].
    of_rank: Vec<u32>,
    waiting: BinaryHeap<Reverse<Rank>>,
    places: Vec<Vec<u32>>,
    /// Entries of `places` that no rank uses.
    free: Vec<u32>,
    /// Emptied buckets, kept for reuse.
    spare: Vec<Vec<u32>>,
}

impl Buckets {
    fn prepare(&mut self, num_ranks: usize) {
        debug_assert!(self.waiting.is_empty());
        self.of_rank.resize(num_ranks, NO_BUCKET);
    }

    /// Reserves room for the places where pairs of bytes merge: growing by doubling would take twice the memory and time.
    fn reserve(&mut self, pairs: &PairTable, bytes: &[u8]) -> Result<(), BpeError> {
        let mut counts = filled(0_u32, 1 << 16)?;
        for pair in bytes.windows(2) {
            counts[usize::from(pair[0]) << 8 | usize::from(pair[1])] += 1;
        }
        for (&count, pair) in counts.iter().zip(0..=u16::MAX) {
            let step = pairs.byte_step((pair >> 8) as u8, pair as u8);
            if count > 0 && step != Step::NEVER {
                reserve_exact(self.places_of(step.rank()), count as usize)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, step: Step, at: usize) -> Result<(), BpeError> {
        if step != Step::NEVER {
            let places = self.places_of(step.rank());
            reserve(places, 1)?;
            places.push(at as u32);
        }
        Ok(())
    }

    /// Returns the bucket of a rank, a new one if it has none.
    fn places_of(&mut self, rank: Rank) -> &mut Vec<u32> {
        let mut bucket = self.of_rank[rank as usize];
        if bucket == NO_BUCKET {
            bucket = self.free.pop().unwrap_or_else(|| {
                self.places.push(Vec::new());
                self.places.len() as u32 - 1
            });
            self.places[bucket as usize] = self.spare.pop().unwrap_or_default();
            self.of_rank[rank as usize] = bucket;
            self.waiting.push(Reverse(rank));
        }
        &mut self.places[bucket as usize]
    }

    /// Removes the lowest rank; returns it with its places in ascending order.
    fn pop(&mut self) -> Option<(Rank, Vec<u32>)> {
        let Reverse(rank) = self.waiting.pop()?;
        let bucket = std::mem::replace(&mut self.of_rank[rank as usize], NO_BUCKET);
        self.free.push(bucket);
        let mut places = std::mem::take(&mut self.places[bucket as usize]);
        // One pass over the piece pushes in ascending order, but several passes may have pushed.
        if !places.is_sorted() {
            places.sort_unstable();
        }
        Some((rank, places))
    }

    fn recycle(&mut self, mut places: Vec<u32>) {
        if places.capacity() <= KEPT_LEN {
            places.clear();
            self.spare.push(places);
        }
    }
}
