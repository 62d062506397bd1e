//! Merges that are known already, applied to all words in one pass, as an encoder would.

use std::thread;

use super::tokens::{Tokens, BORDER};
use super::words::Class;
use super::Merge;
use crate::count::Counts;
use crate::encode::mergers::Mergers;
use crate::encode::pairs::PairTable;
use crate::error::BpeError;
use crate::vocab;

/// Merges in order of creation, as an encoder keeps them; perhaps none.
pub(super) struct Known {
    pairs: Option<PairTable>,
}

impl Known {
    /// Resolves `merges`, whose tokens are added to `tokens`.
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
            let (merged, _) = tokens.join(left, right);
            resolved.push(vocab::Merge { left, right, merged });
        }
        let pairs = (!resolved.is_empty()).then(|| PairTable::new(resolved, &std::array::from_fn(|byte| byte as u32)));
        Ok(Self { pairs })
    }

    /// The words of `counts` as cells, those equally frequent together: see `Words`.
    pub fn apply(&self, counts: &Counts, num_threads: usize) -> Result<(Vec<u32>, Vec<Class>), BpeError> {
        let order = by_count(counts);
        if self.pairs.is_none() {
            return self
                .apply_to(counts, &order, counts.num_bytes() + order.len() + 1)
                .map(end_classes);
        }
        let share = order.len().div_ceil(num_threads).max(1);
        let parts: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = order
                .chunks(share)
                .map(|words| scope.spawn(move || self.apply_to(counts, words, 0)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect::<Result<_, _>>()
        })?;
        let mut parts = parts.into_iter();
        let (mut cells, mut classes): (Vec<u32>, Vec<Class>) = parts.next().unwrap_or((vec![BORDER], Vec::new()));
        for (more_cells, more_classes) in parts {
            // All positions of a part begin with a border, which stands there already.
            let offset = cells.len() as u32 - 1;
            cells.extend_from_slice(&more_cells[1..]);
            classes.extend(more_classes.into_iter().map(|class| Class {
                first: class.first + offset,
                ..class
            }));
        }
        Ok(end_classes((cells, classes)))
    }

    fn apply_to(&self, counts: &Counts, words: &[u32], room: usize) -> Result<(Vec<u32>, Vec<Class>), BpeError> {
        let mut cells = Vec::with_capacity(room);
        cells.push(BORDER);
        let mut classes: Vec<Class> = Vec::new();
        let mut mergers = Mergers::default();
        for &word in words {
            let (bytes, count) = counts.get(word as usize);
            if classes.last().is_none_or(|class| class.count != count) {
                let first = cells.len() as u32;
                classes.push(Class { first, count });
            }
            let first = cells.len();
            match &self.pairs {
                None => cells.extend(bytes.iter().map(|&byte| u32::from(byte))),
                Some(pairs) => mergers.merge(pairs, bytes, 0, |symbol| cells.push(symbol))?,
            }
            if cells.len() - first < 2 {
                cells.truncate(first);
            } else {
                cells.push(BORDER);
            }
        }
        Ok((cells, classes))
    }
}

/// Marks where the last class ends.
fn end_classes((cells, mut classes): (Vec<u32>, Vec<Class>)) -> (Vec<u32>, Vec<Class>) {
    classes.push(Class {
        first: cells.len() as u32,
        count: 0,
    });
    (cells, classes)
}

/// Words of two bytes or more, the rarest first: nearly all counts are small, and are sorted by counting them.
fn by_count(counts: &Counts) -> Vec<u32> {
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
    let mut order = vec![0; end];
    for (index, (_, count)) in words() {
        let end = &mut ends[count.min(SMALL) as usize];
        order[*end] = index as u32;
        *end += 1;
    }
    let first_large = ends[SMALL as usize - 1];
    order[first_large..].sort_by_key(|&word| counts.get(word as usize).1);
    order
}
