//! Merging a short piece: an array of when its pairs merge, scanned for the first.
//!
//! Quadratic, but a word of ten letters needs no heap, and nothing is moved. See `long` for the rest.

use super::pairs::{PairTable, Rank, Step};
use crate::vocab::Symbol;

/// Pieces of at most this many bytes are merged here: with a border on either side, a bit each in a word.
pub const MAX_SHORT: usize = 62;

/// Stands before and behind the piece, and merges with nothing.
const BORDER: Symbol = Symbol::MAX;

/// Steps that are compared at a time.
const LANES: usize = 8;

/// Scratch space of `merge`, kept from piece to piece.
#[derive(Debug)]
pub struct ShortMerger {
    /// The rank of what (symbols[place], its right neighbour) becomes and, below it, the place: so the lowest is the leftmost
    /// of the first. Between pieces nothing merges.
    steps: [u64; 64],
    /// What that pair becomes.
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
    /// Apply all merges to `bytes`, at most [`MAX_SHORT`], tokens all; hand each symbol that is left to `emit`, from left to
    /// right.
    #[inline(always)]
    pub fn merge(&mut self, pairs: &PairTable, bytes: &[u8], mut emit: impl FnMut(Symbol)) {
        const MASK: usize = 63; // tells the compiler that places are in bounds
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

    /// The lowest of the steps at places up to `len`.
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

/// The place of the first bit behind the one at `at`.
#[inline(always)]
fn next(alive: u64, at: usize) -> usize {
    at + 1 + (alive >> at >> 1).trailing_zeros() as usize
}
