//! Merging a short piece: an array of the ranks of its pairs, scanned for the minimum.
//!
//! Quadratic, but faster than a heap for a word of ten letters, and no symbol is moved.

use super::pair_table::{PairTable, Rank, Step};
use crate::vocab::Symbol;

/// The longest piece: with a border on either side, its places are the bits of a `u64`.
pub const MAX_SHORT: usize = 62;

/// Precedes and follows the piece; merges with nothing.
const BORDER: Symbol = Symbol::MAX;

/// Ranks that are compared at a time: AVX2 has the minimum of eight numbers of 32 bits, and none of numbers of 64.
const LANES: usize = 8;

/// Bits of a step that say where its pair is.
const PLACE_BITS: u32 = 6;

/// The most merges whose ranks leave room for the place.
pub const MAX_MERGES: usize = (1 << (u32::BITS - PLACE_BITS)) - 1;

/// No pair at this place merges; greater than every other step.
const NEVER: u32 = u32::MAX;

/// Scratch space of `merge`, reused from piece to piece.
#[derive(Debug)]
pub struct ShortMerger {
    /// For each place, the rank of the pair of its symbol and the next, then the place in the low bits: the minimum is the
    /// leftmost pair of the lowest rank. [`NEVER`] everywhere between two calls of `merge`.
    steps: [u32; 64],
    /// The symbol that this pair becomes.
    merged: [Symbol; 64],
    symbols: [Symbol; 64],
}

impl Default for ShortMerger {
    fn default() -> Self {
        Self {
            steps: [NEVER; 64],
            merged: [0; 64],
            symbols: [BORDER; 64],
        }
    }
}

impl ShortMerger {
    /// Applies all merges, at most [`MAX_MERGES`], to `bytes`, at most [`MAX_SHORT`] of them and each a token; passes the
    /// remaining symbols to `emit`, from left to right.
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
            if first == NEVER {
                break;
            }
            let rank: Rank = first >> PLACE_BITS;
            let at = first as usize & MASK;
            let gone = next(alive, at) & MASK;
            alive &= !(1 << gone);
            let before = (63 - (alive & ((1 << at) - 1)).leading_zeros() as usize) & MASK;
            let behind = next(alive, at) & MASK;
            let symbol = self.merged[at];
            self.symbols[at] = symbol;
            self.steps[gone] = NEVER;
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
        self.steps[place] = if step == Step::NEVER {
            NEVER
        } else {
            step.rank() << PLACE_BITS | place as u32
        };
        self.merged[place] = step.merged();
    }

    /// Returns the lowest of the steps at places up to `len`.
    #[inline(always)]
    fn first(&self, len: usize) -> u32 {
        let mut lowest = [NEVER; LANES];
        for steps in self.steps[..(len + 1).next_multiple_of(LANES)].chunks_exact(LANES) {
            for (lowest, &step) in lowest.iter_mut().zip(steps) {
                *lowest = step.min(*lowest);
            }
        }
        lowest.into_iter().min().unwrap_or(NEVER)
    }
}

/// Returns the place of the first bit above the one at `at`.
#[inline(always)]
fn next(alive: u64, at: usize) -> usize {
    at + 1 + (alive >> at >> 1).trailing_zeros() as usize
}
