//! Merging one piece in the way that suits it.

use super::long::{LongMerger, MAX_LONG};
use super::pairs::PairTable;
use super::runs::merge_run;
use super::short::{ShortMerger, MAX_SHORT};
use crate::error::BpeError;
use crate::vocab::Symbol;

/// Scratch space for merging, kept from piece to piece.
#[derive(Debug, Default)]
pub struct Mergers {
    short: ShortMerger,
    long: LongMerger,
}

impl Mergers {
    /// Apply all merges to `bytes`, tokens all; hand each symbol that is left to `emit`, from left to right. The piece stands
    /// at `offset`.
    ///
    /// # Errors
    /// [`BpeError::PretokenTooLong`].
    #[inline(always)]
    pub fn merge(
        &mut self,
        pairs: &PairTable,
        bytes: &[u8],
        offset: usize,
        emit: impl FnMut(Symbol),
    ) -> Result<(), BpeError> {
        if bytes.len() <= MAX_SHORT {
            self.short.merge(pairs, bytes, emit);
        } else if bytes[1..] == bytes[..bytes.len() - 1] {
            merge_run(pairs, pairs.byte_symbol(bytes[0]), bytes.len(), emit);
        } else if bytes.len() <= MAX_LONG {
            self.long.merge(pairs, bytes, emit);
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
