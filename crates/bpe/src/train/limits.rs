//! How much training does at once, and so how much memory it takes: nothing here changes its result.

/// When to watch which pairs, and when to look at all words again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Pairs this many times rarer than the most frequent are not watched.
    pub span: u64,
    /// Pairs that may always be watched.
    pub least_pairs: usize,
    /// Where a pair stands at one in so many cells, all words are gone through.
    pub dense: usize,
    /// Unless there are fewer places than this.
    pub least_dense: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            span: 512,
            least_pairs: 1 << 16,
            dense: 8,
            least_dense: 1 << 16,
        }
    }
}

impl Limits {
    /// Pairs to watch, at most; twice as many once new ones have been made, and those of one merge more.
    pub fn max_pairs(&self, num_cells: usize) -> usize {
        self.least_pairs.max(num_cells / 128)
    }

    /// Places of all pairs, out of date or not, at most, but for those of one merge.
    pub fn max_places(&self, num_cells: usize) -> usize {
        num_cells + num_cells / 2
    }

    /// Whether a pair at `num_places` is better merged by going through all cells.
    pub fn is_dense(&self, num_places: usize, num_cells: usize) -> bool {
        num_places >= self.least_dense && num_places >= num_cells / self.dense
    }
}
