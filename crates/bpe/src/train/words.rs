//! The distinct words as rows of symbols, merged in place.

use crate::count::Counts;
use crate::error::BpeError;
use crate::memory::prefetch;

/// Stands before, between and after words; no token has this id.
const BORDER: u32 = u32::MAX;
/// Stands where a token began that is now inside another.
const INSIDE: u32 = u32::MAX - 1;

/// A place where a pair stands: the position of its left symbol, and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub pos: u32,
    pub word: u32,
}

/// All words, byte by byte. A symbol of several bytes has its id at its first and at its last byte, so that both
/// neighbours of a symbol are found without links: the next begins after its bytes, the previous ends before them.
pub(super) struct Words {
    symbols: Vec<u32>,
    counts: Vec<u64>,
}

impl Words {
    pub fn new(counts: &Counts) -> Result<Self, BpeError> {
        let num_symbols = counts.num_bytes() + counts.len() + 1;
        if num_symbols >= INSIDE as usize {
            return Err(BpeError::CorpusTooLarge {
                bytes: num_symbols as u64,
                limit: u64::from(INSIDE),
            });
        }
        let mut symbols = Vec::with_capacity(num_symbols);
        symbols.push(BORDER);
        for (word, _) in counts.iter() {
            symbols.extend(word.iter().map(|&byte| u32::from(byte)));
            symbols.push(BORDER);
        }
        Ok(Self {
            symbols,
            counts: counts.iter().map(|(_, count)| count).collect(),
        })
    }

    /// How often `word` occurs.
    #[inline]
    pub fn count(&self, word: u32) -> u64 {
        self.counts[word as usize]
    }

    /// Calls `on_pair(left, right, place)` for all pairs of bytes, before any merge.
    pub fn for_each_byte_pair(&self, mut on_pair: impl FnMut(u32, u32, Place)) {
        let mut word = 0;
        for (pos, pair) in self.symbols.windows(2).enumerate().skip(1) {
            if pair[1] == BORDER {
                continue;
            }
            if pair[0] == BORDER {
                word += 1;
                continue;
            }
            on_pair(pair[0], pair[1], Place { pos: pos as u32, word });
        }
    }

    /// Asks for `place` to be brought near.
    #[inline]
    pub fn prefetch(&self, place: Place) {
        prefetch(&self.symbols, place.pos as usize);
        prefetch(&self.counts, place.word as usize);
    }

    /// The symbol that begins at `pos`, if one still does.
    #[inline]
    pub fn at(&self, pos: usize) -> u32 {
        self.symbols[pos]
    }

    /// The symbol that ends before `pos`, where a symbol begins.
    #[inline]
    pub fn before(&self, pos: usize) -> Option<u32> {
        let symbol = self.symbols[pos - 1];
        (symbol != BORDER).then_some(symbol)
    }

    /// The symbol that begins at `pos`, where one ends.
    #[inline]
    pub fn after(&self, pos: usize) -> Option<u32> {
        let symbol = self.symbols[pos];
        (symbol != BORDER).then_some(symbol)
    }

    /// Makes the symbols at `pos` and `middle` one, `joined`, that ends at `end`.
    #[inline]
    pub fn join(&mut self, pos: usize, middle: usize, end: usize, joined: u32) {
        self.symbols[middle] = INSIDE;
        self.symbols[pos] = joined;
        self.symbols[end - 1] = joined;
    }
}
