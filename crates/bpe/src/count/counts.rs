//! The counts of a whole corpus.

use super::entries::{merge, Entries};
use super::file::Sums;
use crate::error::BpeError;
use crate::memory::reserve;
use crate::progress::Progress;

/// Distinct pre-tokens in ascending order of their bytes, with how often each occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The pre-tokens one after the other.
    bytes: Vec<u8>,
    /// Where each ends in `bytes`.
    ends: Vec<usize>,
    counts: Vec<u64>,
}

impl Counts {
    /// Sums `pairs` of pre-token and count; empty pre-tokens and zero counts are left out.
    pub fn from_pairs<B: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (B, u64)>) -> Self {
        let mut pairs: Vec<(B, u64)> = pairs
            .into_iter()
            .filter(|(word, count)| !word.as_ref().is_empty() && *count > 0)
            .collect();
        pairs.sort_unstable_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        let mut counts = Self::default();
        for (word, count) in &pairs {
            counts.push(word.as_ref(), *count);
        }
        counts
    }

    /// Sums `sources`.
    ///
    /// # Errors
    ///
    /// [`BpeError::CountsExceedMemory`] where the result takes more than `max_bytes`, and says how much.
    pub(super) fn merge(
        sources: Vec<Box<dyn Entries + '_>>,
        max_bytes: usize,
        progress: &Progress,
    ) -> Result<Self, BpeError> {
        let mut counts = Self::default();
        let mut sums = Sums::default();
        let mut needed = 0;
        merge(sources, progress, |word, count| {
            sums.add(word, count)?;
            needed = Self::memory_bytes(sums.num_entries as usize, sums.num_bytes as usize);
            if needed <= max_bytes {
                reserve(&mut counts.bytes, word.len())?;
                reserve(&mut counts.ends, 1)?;
                reserve(&mut counts.counts, 1)?;
                counts.push(word, count);
            } else if !counts.is_empty() {
                counts = Self::default();
            }
            Ok(())
        })?;
        if needed > max_bytes {
            return Err(BpeError::CountsExceedMemory { needed, max_bytes });
        }
        Ok(counts)
    }

    /// Memory of so many pre-tokens with so many bytes together.
    pub fn memory_bytes(num_words: usize, num_bytes: usize) -> usize {
        num_bytes + num_words * (size_of::<usize>() + size_of::<u64>())
    }

    /// Appends a word not less than the last, or adds to the last.
    fn push(&mut self, word: &[u8], count: u64) {
        let last_start = self.ends.len().checked_sub(2).map_or(0, |i| self.ends[i]);
        if let (Some(last), false) = (self.counts.last_mut(), self.ends.is_empty()) {
            if &self.bytes[last_start..] == word {
                *last += count;
                return;
            }
        }
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
        self.counts.push(count);
    }

    /// Distinct pre-tokens.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Occurrences of all pre-tokens.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Bytes of all distinct pre-tokens together.
    pub fn num_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The pre-token at `index` of the order of [`Counts::iter`], and its count.
    pub fn get(&self, index: usize) -> (&[u8], u64) {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        (&self.bytes[start..self.ends[index]], self.counts[index])
    }

    /// Pre-tokens and counts, in ascending order of the bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .zip(&self.counts)
            .map(|((start, &end), &count)| (&self.bytes[start..end], count))
    }
}
