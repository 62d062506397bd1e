//! Merging a short piece: an array of pair ranks, scanned for its minimum.
//!
//! Quadratic, but a word of ten letters fits one cache line and needs no heap. See `long` for the rest.

use super::pairs::{PairTable, NO_RANK};
use crate::vocab::Symbol;

/// Pieces of at most this many bytes are merged here (measured, see `benches/encode.rs`).
pub const MAX_SHORT: usize = 64;

/// Apply all merges to `symbols[..len]` in place.
///
/// Returns how many symbols are left.
pub fn merge_short(pairs: &PairTable, symbols: &mut [Symbol; MAX_SHORT], len: usize) -> usize {
    // ranks[i] is that of (symbols[i], symbols[i + 1]).
    let mut ranks = [NO_RANK; MAX_SHORT];
    for i in 1..len {
        ranks[i - 1] = pairs.rank(symbols[i - 1], symbols[i], 0);
    }
    let mut len = len;
    loop {
        let num_pairs = len.saturating_sub(1);
        let lowest = ranks[..num_pairs].iter().copied().min().unwrap_or(NO_RANK);
        if lowest == NO_RANK {
            return len;
        }
        // The leftmost of the lowest: within a rank, merges go from left to right.
        let at = ranks[..num_pairs].iter().position(|&rank| rank == lowest).unwrap_or(0);
        symbols[at] = pairs.merge(lowest).merged;
        symbols.copy_within(at + 2..len, at + 1);
        ranks.copy_within(at + 1..num_pairs, at);
        len -= 1;
        if at > 0 {
            ranks[at - 1] = pairs.rank(symbols[at - 1], symbols[at], lowest);
        }
        if at + 1 < len {
            ranks[at] = pairs.rank(symbols[at], symbols[at + 1], lowest);
        }
    }
}
