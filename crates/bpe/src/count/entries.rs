//! Sorted entries from many sources, added up as one sorted sequence.

use crate::error::BpeError;
use crate::heap::{heapify, sift_down};
use crate::memory::extend;
use crate::progress::Progress;

/// Pre-tokens in strictly ascending order of their bytes, each with its count: a walk that begins before the first.
pub(super) trait Entries {
    /// Goes to the next entry; false where there is none.
    fn advance(&mut self) -> Result<bool, BpeError>;

    /// The pre-token here.
    fn word(&self) -> &[u8];

    /// How often it occurs.
    fn count(&self) -> u64;
}

/// Calls `on_entry(bytes, count)` for every pre-token of `sources` once, with the sum of its counts, in ascending order.
///
/// A binary heap of the sources by the pre-token where each stands, the first 16 bytes at hand as a number.
pub(super) fn merge(
    sources: Vec<Box<dyn Entries + '_>>,
    progress: &Progress,
    mut on_entry: impl FnMut(&[u8], u64) -> Result<(), BpeError>,
) -> Result<(), BpeError> {
    let mut heap = Vec::with_capacity(sources.len());
    for source in sources {
        let mut standing = Standing { prefix: 0, source };
        if standing.advance()? {
            heap.push(standing);
        }
    }
    heapify(&mut heap, Standing::is_before);
    let mut word = Vec::new();
    while let Some(first) = heap.first() {
        progress.check()?;
        word.clear();
        extend(&mut word, first.source.word())?;
        let prefix = first.prefix;
        let mut count = 0u64;
        while let Some(first) = heap
            .first_mut()
            .filter(|f| f.prefix == prefix && f.source.word() == word)
        {
            count = count
                .checked_add(first.source.count())
                .ok_or_else(|| BpeError::CountTooLarge { pretoken: word.clone() })?;
            if !first.advance()? {
                heap.swap_remove(0);
            }
            sift_down(&mut heap, 0, Standing::is_before);
        }
        on_entry(&word, count)?;
    }
    Ok(())
}

struct Standing<'a> {
    /// The first 16 bytes of the word, zeros after its end: orders as the words do, but for ties.
    prefix: u128,
    source: Box<dyn Entries + 'a>,
}

impl Standing<'_> {
    fn advance(&mut self) -> Result<bool, BpeError> {
        let is_there = self.source.advance()?;
        let word = self.source.word();
        let mut prefix = [0; 16];
        let len = word.len().min(16);
        prefix[..len].copy_from_slice(&word[..len]);
        self.prefix = u128::from_be_bytes(prefix);
        Ok(is_there)
    }

    fn is_before(&self, other: &Self) -> bool {
        self.prefix < other.prefix || self.prefix == other.prefix && self.source.word() < other.source.word()
    }
}
