//! What merging takes, known before it begins.

use std::mem::size_of;

use super::limits::Limits;
use super::pairs::Pair;
use super::words::CountGroup;
use crate::count::Counts;

/// A position; cells and places are as wide.
const POSITION: usize = size_of::<u32>();
/// What a pair takes in the queue and, with the gaps, in the index.
const QUEUED: usize = 16;
const INDEXED: usize = 8 * 16;

/// Bytes that merging `counts` until there are `num_tokens` tokens takes at most, beside the counts, and beside what the
/// tokens spell: one may be as long as the longest word. Where merges are known already, applying them takes memory, too.
#[must_use]
pub fn memory_bytes(counts: &Counts, num_tokens: usize, num_threads: usize, has_known: bool) -> usize {
    let limits = Limits::default();
    let num_cells = counts.num_bytes() + counts.len() + 1;
    let longest_word = counts.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    let cells = POSITION * num_cells;

    // The words' order and cells. To apply merges each thread has its own cells, and the encoder its cells and buckets.
    let applying = cells + 6 * POSITION * longest_word;
    let preparing = POSITION * counts.len() + cells + if has_known { applying } else { 0 };
    // Positions by their left symbol, and those of a symbol by pair.
    let gathering = cells + 2 * cells;
    // The places, and those that a merge makes: noted on both sides, then moved.
    let num_joined = num_cells.min(limits.least_dense.max(num_cells / limits.dense));
    let merging = cells + POSITION * limits.max_places(num_cells) + 2 * num_joined * (2 * POSITION + POSITION);

    // Candidates of each thread, or what is watched; all may be copied to grow.
    let max_pairs = limits.max_pairs(num_cells).min(num_cells);
    let candidates = (num_threads + 1) * 3 * size_of::<Pair>();
    let watched = 4 * size_of::<Pair>() + 4 * QUEUED + INDEXED + INDEXED / 2;
    let pairs = max_pairs * candidates.max(watched);
    let groups = 2 * size_of::<CountGroup>() * counts.len();
    let tokens = num_tokens * (128 + 24 * num_threads);
    preparing.max(gathering).max(merging) + pairs + groups + tokens
}
