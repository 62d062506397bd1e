//! Merging a short piece: an array of what its pairs become, scanned for the first to merge.
//!
//! Quadratic, but a word of ten letters needs no heap, and nothing is moved. See `long` for the rest.

use super::pairs::{PairTable, Step};
use crate::vocab::Symbol;

/// Pieces of at most this many bytes are merged here; positions fit in six bits.
pub const MAX_SHORT: usize = 64;

/// Symbols of a short piece, linked so that those that are merged away need not be closed up.
pub struct ShortPiece {
    symbols: [Symbol; MAX_SHORT],
    /// What (symbols[i], its right neighbour) becomes.
    steps: [Step; MAX_SHORT],
    next: [u8; MAX_SHORT],
    previous: [u8; MAX_SHORT],
    len: usize,
}

impl ShortPiece {
    /// A piece of no symbol.
    pub fn new() -> Self {
        Self {
            symbols: [0; MAX_SHORT],
            steps: [Step::NEVER; MAX_SHORT],
            next: [0; MAX_SHORT],
            previous: [0; MAX_SHORT],
            len: 0,
        }
    }

    /// Append a byte, which is this symbol; at most [`MAX_SHORT`].
    pub fn push(&mut self, symbol: Symbol) {
        self.symbols[self.len] = symbol;
        self.previous[self.len] = self.len.wrapping_sub(1) as u8;
        self.len += 1;
        self.next[self.len - 1] = self.len as u8;
    }

    /// Apply all merges to the symbols pushed, those of `bytes`; hand each that is left to `emit`, from left to right.
    pub fn merge(&mut self, pairs: &PairTable, bytes: &[u8], mut emit: impl FnMut(Symbol)) {
        const MASK: usize = MAX_SHORT - 1; // tells the compiler that positions are in bounds
        let len = self.len;
        for (step, pair) in self.steps.iter_mut().zip(bytes.windows(2)) {
            *step = pairs.byte_step(pair[0], pair[1]);
        }
        loop {
            // The leftmost of the lowest: within a rank, merges go from left to right.
            let (mut first, mut at) = (Step::NEVER, 0);
            for (place, &step) in self.steps[..len].iter().enumerate() {
                if step < first {
                    (first, at) = (step, place);
                }
            }
            if first == Step::NEVER {
                break;
            }
            let gone = self.next[at] as usize & MASK;
            let after = self.next[gone] as usize;
            self.symbols[at] = first.merged();
            self.next[at] = after as u8;
            self.steps[gone] = Step::NEVER;
            self.steps[at] = Step::NEVER;
            if after < len {
                self.previous[after & MASK] = at as u8;
                self.steps[at] = pairs.step(self.symbols[at], self.symbols[after & MASK], first.rank());
            }
            if at > 0 {
                let before = self.previous[at] as usize & MASK;
                self.steps[before] = pairs.step(self.symbols[before], self.symbols[at], first.rank());
            }
        }
        let mut at = 0;
        while at < len {
            emit(self.symbols[at & MASK]);
            at = self.next[at & MASK] as usize;
        }
    }
}
