//! Merging a short piece: an array of the ranks of its pairs, scanned for the minimum.
//!
//! Quadratic, but faster than a heap for a word of ten letters, and no symbol is moved.

use super::pair_table::{PairTable, Rank, Step};
use crate::vocab::Symbol;

/// The longest piece: with a border on either side, its places are the bits of a `u64`.
pub const MAX_SHORT: usize = 62;

/// Precedes and follows the piece; merges with nothing.
const BORDER: Symbol = Symbol::MAX;

/// Ranks that are compared at a time.
const LANES: usize = 8;

/// Scratch space of `merge`, reused from piece to piece.
#[derive(Debug)]
pub struct ShortMerger {
    /// For each place, the rank of the pair of its symbol and the next in the high half, the place in the low half: the
    /// minimum is the leftmost pair of the lowest rank. `u64::MAX` everywhere between two calls of `merge`.
    steps: [u64; 64],
    /// The symbol that this pair becomes.
    merged: [Symbol; 64],
    symbols: [Symbol; 64],
}

impl Default for ShortMerger {
    fn default() -> Self {
        Self {
            steps: [u64::MAX; 64],
            merged: [0; 64],
            symbols: [BORDER; 64],
        }
    }
}

impl ShortMerger {
    /// Applies all merges to `bytes`, at most [`MAX_SHORT`] of them and each a token; passes the remaining symbols to `emit`,
    /// from left to right.
    #[inline(always)]
    pub fn merge(&mut self, pairs: &PairTable, bytes: &[u8], mut emit: impl FnMut(Symbol)) {
        const MASK: usize = 63; // so that the compiler omits bounds checks
        let len = bytes.len().min(MAX_SHORT);
        for (place, &byte) in (1..).zip(bytes) {
            self.symbols[place & MASK] = pairs.byte_symbol(byte);
        }
        self.symbols[(len + 1) & MASK] = BORDER;
        for (place, pair) in (1..).zip(bytes.windows(2)) {
            self.put(pairs.byte_step(pair[0], pair[1]), place & MASK);
        }
        // A bit for each place at which a symbol begins, borders included.
        let mut alive = (4_u64 << len).wrapping_sub(1);
        loop {
            let first = self.first(len);
            let rank = (first >> 32) as Rank;
            if rank == Step::NEVER.rank() {
                break;
            }
            let at = first as usize & MASK;
            let gone = next(alive, at) & MASK;
            alive &= !(1 << gone);
            let before = (63 - (alive & ((1 << at) - 1)).leading_zeros() as usize) & MASK;
            let behind = next(alive, at) & MASK;
            let symbol = self.merged[at];
            self.symbols[at] = symbol;
            self.steps[gone] = u64::MAX;
            self.put(pairs.step(symbol, self.symbols[behind], rank), at);
            self.put(pairs.step(self.symbols[before], symbol, rank), before);
        }
        let mut left = alive & !1 & !(2 << len);
        while left != 0 {
            emit(self.symbols[left.trailing_zeros() as usize & MASK]);
            left &= left - 1;
        }
    }

    #[inline(always)]
    fn put(&mut self, step: Step, place: usize) {
        self.steps[place] = u64::from(step.rank()) << 32 | place as u64;
        self.merged[place] = step.merged();
    }

    /// Returns the lowest of the steps at places up to `len`.
    #[inline(always)]
    fn first(&self, len: usize) -> u64 {
        let mut lowest = [u64::MAX; LANES];
        for steps in self.steps[..(len + 1).next_multiple_of(LANES)].chunks_exact(LANES) {
            for (lowest, &step) in lowest.iter_mut().zip(steps) {
                *lowest = step.min(*lowest);
            }
        }
        lowest.into_iter().min().unwrap_or(u64::MAX)
    }
}

/// Returns the place of the first bit above the one at `at`.
#[inline(always)]
fn next(alive: u64, at: usize) -> usize {
    at + 1 + (alive >> at >> 1).trailing_zeros() as usize
}
