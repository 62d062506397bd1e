//! The counts of a whole corpus.

use super::table::Table;

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

    /// Sums the threads' tables.
    pub(super) fn from_tables(tables: Vec<Table>) -> Self {
        let mut tables = tables.into_iter();
        let Some(mut sum) = tables.next() else {
            return Self::default();
        };
        for table in tables {
            sum.absorb(&table);
        }
        let mut bytes = Vec::new();
        let mut entries: Vec<Entry> = Vec::with_capacity(sum.len());
        sum.for_each(|word, count| {
            let mut prefix = [0; 16];
            let len = word.len().min(16);
            prefix[..len].copy_from_slice(&word[..len]);
            entries.push(Entry {
                prefix: u128::from_be_bytes(prefix),
                start: bytes.len(),
                len: word.len(),
                count,
            });
            bytes.extend_from_slice(word);
        });
        let word = |entry: &Entry| &bytes[entry.start..entry.start + entry.len];
        entries.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| word(a).cmp(word(b))));
        let mut counts = Self {
            bytes: Vec::with_capacity(bytes.len()),
            ends: Vec::with_capacity(entries.len()),
            counts: Vec::with_capacity(entries.len()),
        };
        for entry in &entries {
            counts.push(word(entry), entry.count);
        }
        counts
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

    /// Pre-tokens and counts, in ascending order of the bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .zip(&self.counts)
            .map(|((start, &end), &count)| (&self.bytes[start..end], count))
    }
}

struct Entry {
    /// The first 16 bytes as a number, so that most comparisons need no more.
    prefix: u128,
    start: usize,
    len: usize,
    count: u64,
}
