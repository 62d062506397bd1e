//! Applying a list of merges to a piece of text: shared by training and encoding.
//!
//! The result is defined by the list: every merge in order joins all its occurrences, from left to right. Three
//! implementations give it, chosen by the shape of the piece.

mod boundaries;
mod long;
mod pair_table;
mod repeats;
mod short;

#[cfg(test)]
mod tests;

use crate::error::BpeError;
use crate::progress::Progress;
use crate::vocab::Symbol;

use long::{LongMerger, MAX_LONG};
use repeats::merge_repeats;
use short::{ShortMerger, MAX_MERGES, MAX_SHORT};

pub(crate) use boundaries::Boundaries;
pub(crate) use pair_table::PairTable;

/// Scratch space for merging, reused from piece to piece.
#[derive(Debug, Default)]
pub(crate) struct Mergers {
    short: ShortMerger,
    long: LongMerger,
    /// Stops the merging of a long piece.
    pub progress: Progress,
}

impl Mergers {
    /// Applies all merges to `bytes`, each of which must be a token, and passes the remaining symbols to `emit`, from left
    /// to right. `offset` is the piece's place in the text, for errors.
    ///
    /// # Errors
    /// [`BpeError::PretokenTooLong`], [`BpeError::OutOfMemory`], [`BpeError::Interrupted`].
    #[inline(always)]
    pub fn merge(
        &mut self,
        pairs: &PairTable,
        bytes: &[u8],
        offset: usize,
        emit: impl FnMut(Symbol),
    ) -> Result<(), BpeError> {
        if bytes.len() <= MAX_SHORT && pairs.num_merges() <= MAX_MERGES {
            self.short.merge(pairs, bytes, emit);
        } else if bytes[1..] == bytes[..bytes.len() - 1] {
            merge_repeats(pairs, pairs.byte_symbol(bytes[0]), bytes.len(), emit);
        } else if bytes.len() <= MAX_LONG {
            self.long.merge(pairs, bytes, &self.progress, emit)?;
        } else {
            return Err(BpeError::PretokenTooLong {
                offset,
                num_bytes: bytes.len(),
                limit: MAX_LONG,
            });
        }
        Ok(())
    }
}
