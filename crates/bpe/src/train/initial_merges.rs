//! The words of a corpus with earlier merges applied, in one pass, as an encoder would.

use super::tokens::{Tokens, BORDER};
use super::words::{CountGroup, Words};
use super::Merge;
use crate::count::Counts;
use crate::error::BpeError;
use crate::memory;
use crate::merge::{Mergers, PairTable};
use crate::parallel;
use crate::progress::{Progress, CHECK_EVERY};
use crate::vocab;

/// Merges in order of creation, indexed as for encoding; possibly none.
pub(super) struct InitialMerges {
    pairs: Option<PairTable>,
}

impl InitialMerges {
    /// Indexes `merges`, and adds their tokens to `tokens`.
    pub fn new(merges: &[Merge], tokens: &mut Tokens) -> Result<Self, BpeError> {
        let mut resolved = Vec::with_capacity(merges.len());
        for (index, (left, right)) in merges.iter().enumerate() {
            let id_of = |token: &[u8]| {
                tokens.id_of(token).ok_or_else(|| BpeError::MergeOutsideVocabulary {
                    index,
                    left: left.to_vec(),
                    right: right.to_vec(),
                    missing: token.to_vec(),
                })
            };
            let (left, right) = (id_of(left)?, id_of(right)?);
            let (merged, _) = tokens.join(left, right)?;
            resolved.push(vocab::Merge { left, right, merged });
        }
        let pairs = (!resolved.is_empty()).then(|| PairTable::new(resolved, &std::array::from_fn(|byte| byte as u32)));
        Ok(Self { pairs })
    }

    /// Lays out the words of `counts`, those equally frequent together, and applies the merges to them.
    ///
    /// # Errors
    /// [`BpeError::CorpusTooLarge`], [`BpeError::OutOfMemory`], [`BpeError::Interrupted`].
    pub fn apply(
        &self,
        counts: &Counts,
        num_tokens: usize,
        num_threads: usize,
        progress: &Progress,
    ) -> Result<Words, BpeError> {
        let num_cells = counts.num_bytes() + counts.len() + 1;
        if num_cells > Words::MAX_CELLS {
            return Err(BpeError::CorpusTooLarge {
                bytes: num_cells as u64,
                limit: Words::MAX_CELLS as u64,
            });
        }
        let order = by_count(counts)?;
        let (cells, mut groups) = if self.pairs.is_none() {
            self.apply_to(counts, &order, num_cells, progress)?
        } else {
            let share = order.len().div_ceil(num_threads).max(1);
            let parts = parallel::map(order.chunks(share), |words| self.apply_to(counts, words, 0, progress));
            concatenate(parts.into_iter().collect::<Result<_, _>>()?)?
        };
        groups.push(CountGroup {
            first: cells.len() as u32,
            count: 0,
        });
        Ok(Words::new(cells, groups, num_tokens))
    }

    /// Returns the cells and groups of `words`, without the last group that ends them.
    fn apply_to(
        &self,
        counts: &Counts,
        words: &[u32],
        room: usize,
        progress: &Progress,
    ) -> Result<(Vec<u32>, Vec<CountGroup>), BpeError> {
        let mut cells = Vec::new();
        memory::reserve_exact(&mut cells, room.max(1))?;
        cells.push(BORDER);
        let mut groups: Vec<CountGroup> = Vec::new();
        let mut mergers = Mergers::default();
        mergers.progress = progress.clone();
        for &word in words {
            progress.check()?;
            let (bytes, count) = counts.get(word as usize);
            if groups.last().is_none_or(|group| group.count != count) {
                let first = cells.len() as u32;
                groups.push(CountGroup { first, count });
            }
            let first = cells.len();
            memory::reserve(&mut cells, bytes.len() + 1)?;
            match &self.pairs {
                None => {
                    for chunk in bytes.chunks(CHECK_EVERY) {
                        progress.check()?;
                        cells.extend(chunk.iter().map(|&byte| u32::from(byte)));
                    }
                }
                Some(pairs) => mergers.merge(pairs, bytes, 0, |symbol| cells.push(symbol))?,
            }
            if cells.len() - first < 2 {
                cells.truncate(first);
            } else {
                cells.push(BORDER);
            }
        }
        Ok((cells, groups))
    }
}

/// Joins the cells and groups of consecutive words.
fn concatenate(parts: Vec<(Vec<u32>, Vec<CountGroup>)>) -> Result<(Vec<u32>, Vec<CountGroup>), BpeError> {
    let mut parts = parts.into_iter();
    let (mut cells, mut groups) = parts.next().unwrap_or((vec![BORDER], Vec::new()));
    for (more_cells, more_groups) in parts {
        // Every part begins with a border; the cells so far end with one already.
        let offset = cells.len() as u32 - 1;
        memory::extend(&mut cells, &more_cells[1..])?;
        groups.extend(more_groups.into_iter().map(|group| CountGroup {
            first: group.first + offset,
            ..group
        }));
    }
    Ok((cells, groups))
}

/// Returns the words of two bytes or more, the rarest first, by a counting sort: nearly all counts are small.
fn by_count(counts: &Counts) -> Result<Vec<u32>, BpeError> {
    const SMALL: u64 = 1 << 12;
    let words = || counts.iter().enumerate().filter(|(_, (word, _))| word.len() > 1);
    let mut ends = vec![0; SMALL as usize + 1];
    for (_, (_, count)) in words() {
        ends[count.min(SMALL) as usize] += 1;
    }
    let mut end = 0;
    for entry in &mut ends {
        end += std::mem::replace(entry, end);
    }
    let mut order = memory::filled(0, end)?;
    for (index, (_, count)) in words() {
        let end = &mut ends[count.min(SMALL) as usize];
        order[*end] = index as u32;
        *end += 1;
    }
    let first_large = ends[SMALL as usize - 1];
    order[first_large..].sort_by_key(|&word| counts.get(word as usize).1);
    Ok(order)
}
