//! Training: the most frequent pair is merged, again and again.
//!
//! Exact: after every merge the counts are those that recounting all words would give. A merge touches only the places
//! where its pair stands, and only the pairs beside them change.

mod merge;
mod pairs;
mod queue;
mod tokens;
mod words;

use crate::count::Counts;
use crate::error::BpeError;
use crate::progress::OnProgress;

use merge::Trainer;

/// A merge: the bytes of the left and of the right token.
pub type Merge = (Vec<u8>, Vec<u8>);

/// Merges until `num_tokens` tokens stand beside the 256 bytes, or no pair is left.
///
/// Of pairs equally frequent the one whose left bytes are greater goes first, then whose right bytes are. Tokens are
/// told apart by their bytes: a merge that yields bytes of an earlier token is listed, but adds no token.
/// `on_progress(tokens_done, num_tokens)` is called now and then.
///
/// # Errors
///
/// [`BpeError::CorpusTooLarge`], [`BpeError::Interrupted`].
pub fn train(counts: &Counts, num_tokens: usize, on_progress: OnProgress<'_>) -> Result<Vec<Merge>, BpeError> {
    let mut trainer = Trainer::new(counts)?;
    let mut merges = Vec::new();
    let mut reported = 0;
    while trainer.num_new_tokens() < num_tokens {
        let Some(merge) = trainer.step() else { break };
        merges.push(merge);
        if trainer.num_new_tokens() >= reported + PROGRESS_TOKENS {
            reported = trainer.num_new_tokens();
            if on_progress(reported as u64, num_tokens as u64).is_break() {
                return Err(BpeError::Interrupted);
            }
        }
    }
    let _ = on_progress(trainer.num_new_tokens() as u64, num_tokens as u64); // nothing is left to stop
    Ok(merges)
}

/// Tokens between two reports of progress.
const PROGRESS_TOKENS: usize = 256;
