//! Training: the most frequent pair is merged, again and again.
//!
//! Exact: every merge is the one that recounting all words after the last would give. A merge touches only the places
//! where its pair stands, and only the pairs beside them change.

mod initial_merges;
mod limits;
mod memory;
mod merger;
mod neighbours;
mod pair_index;
mod pairs;
mod queue;
mod tokens;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::count::Counts;
use crate::error::BpeError;
use crate::progress::Progress;

pub use memory::memory_bytes;

use limits::Limits;
use merger::Merger;

/// A merge: the bytes of the left and of the right token.
pub type Merge = (Arc<[u8]>, Arc<[u8]>);

/// Which of several pairs equally frequent is merged first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ties {
    /// The one whose left token's bytes are greater, then whose right token's are.
    #[default]
    Bytes,
    /// The one whose left token's id is smaller, then whose right token's is, as Hugging Face's trainer numbers tokens:
    /// special tokens, then bytes by the characters of GPT-2's printable alphabet, then what merges make. A token that is
    /// with the text of a special one has the special one's id.
    Ids {
        /// What the special tokens spell in the printable alphabet, but for those with characters that are not in it.
        special_tokens: Vec<Vec<u8>>,
    },
}

/// How to train; but for `ties`, nothing here changes the result.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Which of several pairs equally frequent is merged first.
    pub ties: Ties,
    /// Threads that look through all words where that is needed; one merges.
    pub num_threads: usize,
}

/// Training that can be carried on: the words as they are split now.
pub struct Trainer {
    merger: Merger,
}

impl Trainer {
    /// Prepares to merge `counts`, to which the merges of `known` have been applied, in their order, by an earlier trainer
    /// or another. Merges that this trainer would have made itself lead to where it would be.
    ///
    /// # Errors
    ///
    /// [`BpeError::CorpusTooLarge`]; [`BpeError::MergeOutsideVocabulary`] where a known merge joins what no earlier one makes;
    /// [`BpeError::OutOfMemory`] and [`BpeError::Interrupted`].
    pub fn new(counts: &Counts, known: &[Merge], options: TrainOptions, progress: &Progress) -> Result<Self, BpeError> {
        let num_threads = options.num_threads.max(1);
        let merger = Merger::new(counts, known, options.ties, Limits::default(), num_threads, progress)?;
        Ok(Self { merger })
    }

    /// Tokens beside the 256 bytes, those of known merges included.
    #[must_use]
    pub fn num_tokens(&self) -> usize {
        self.merger.num_new_tokens()
    }

    /// Merges until there are `num_tokens` tokens besides the 256 bytes, or no pair is left; returns the merges made.
    ///
    /// Tokens are distinguished by their bytes: a merge that yields bytes of an earlier token is listed, but adds no token.
    /// Progress is in tokens. After an error a trainer is of no use any more.
    ///
    /// # Errors
    ///
    /// [`BpeError::OutOfMemory`] and [`BpeError::Interrupted`].
    pub fn merge(&mut self, num_tokens: usize, progress: &Progress) -> Result<Vec<Merge>, BpeError> {
        let mut merges = Vec::new();
        while self.num_tokens() < num_tokens {
            let Some(merge) = self.merger.step(progress)? else {
                break;
            };
            merges.push(merge);
            if merges.len().is_multiple_of(MERGES_BETWEEN_REPORTS) {
                progress.report(self.num_tokens() as u64, num_tokens as u64)?;
            }
        }
        // Where nothing was left to do, too.
        progress.report(self.num_tokens() as u64, num_tokens as u64)?;
        Ok(merges)
    }
}

/// Merges between two reports of progress.
const MERGES_BETWEEN_REPORTS: usize = 64;
