//! The distinct words as rows of symbols, merged in place.

use super::tokens::BORDER;
use crate::error::BpeError;
use crate::prefetch::prefetch;
use crate::progress::Progress;

/// Stands where a symbol began that is now inside another.
const INSIDE: u32 = u32::MAX;

/// All words of two symbols or more, with a [`BORDER`] before and after each.
///
/// Words equally frequent stand together, so that a position alone tells how often its word occurs. A symbol made since
/// the last [`Words::close_up`] covers as many cells as its parts did and has its id in the first and in the last of
/// them, so that both neighbours are found without links: the next begins after its cells, the previous ends before them.
pub(super) struct Words {
    cells: Vec<u32>,
    /// Cells that a symbol covers, by id.
    lens: Vec<u32>,
    groups: Vec<CountGroup>,
}

/// Words equally frequent: from `first` to where the next group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CountGroup {
    pub first: u32,
    pub count: u64,
}

impl Words {
    /// Cells are numbered by `u32`, of which one value marks the inside of a symbol.
    pub const MAX_CELLS: usize = INSIDE as usize - 1;

    /// Takes the cells of all words, and the groups that they form; the last group is empty and ends the one before.
    pub fn new(cells: Vec<u32>, groups: Vec<CountGroup>, num_tokens: usize) -> Self {
        Self {
            cells,
            lens: vec![1; num_tokens],
            groups,
        }
    }

    /// Cells in all; every pair stands at one of them.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// The cells; after [`Words::close_up`] each is a symbol.
    pub fn cells(&self) -> &[u32] {
        &self.cells
    }

    /// Asks for `pos` to be brought near.
    #[inline]
    pub fn prefetch(&self, pos: u32) {
        prefetch(&self.cells, pos as usize);
    }

    /// The symbol that begins at `pos`, if one still does; a [`BORDER`] between words.
    #[inline]
    pub fn at(&self, pos: usize) -> u32 {
        self.cells[pos]
    }

    /// Cells that `symbol` covers.
    #[inline]
    pub fn cell_len(&self, symbol: u32) -> usize {
        self.lens[symbol as usize] as usize
    }

    /// Says that `joined` is `left` and `right` side by side.
    pub fn add_symbol(&mut self, left: u32, right: u32, joined: u32) {
        debug_assert_eq!(self.lens.len(), joined as usize);
        self.lens.push(self.lens[left as usize] + self.lens[right as usize]);
    }

    /// Makes the symbols at `pos` and `middle` one, `joined`, that ends at `end`.
    #[inline]
    pub fn join(&mut self, pos: usize, middle: usize, end: usize, joined: u32) {
        self.cells[middle] = INSIDE;
        self.cells[pos] = joined;
        self.cells[end - 1] = joined;
    }

    /// A cursor for [`Words::count_at`], to begin at `pos`.
    pub fn cursor_at(&self, pos: u32) -> Cursor {
        let group = self.groups.partition_point(|group| group.first <= pos);
        self.enter(group.saturating_sub(1))
    }

    /// How often the word at `pos` occurs; no position may lie before the last that `cursor` was at.
    #[inline(always)]
    pub fn count_at(&self, pos: u32, cursor: &mut Cursor) -> u64 {
        if pos >= cursor.end {
            *cursor = self.advance(pos, cursor.group);
        }
        cursor.count
    }

    /// Finds the group at `pos`, which is past `group`: by steps that double, then by halves, for most often it is near.
    #[inline(never)]
    fn advance(&self, pos: u32, group: usize) -> Cursor {
        let groups = &self.groups[group..];
        let mut reach = 1;
        while reach < groups.len() && groups[reach].first <= pos {
            reach *= 2;
        }
        let near = &groups[reach / 2..reach.min(groups.len())];
        self.enter(group + reach / 2 + near.partition_point(|group| group.first <= pos) - 1)
    }

    fn enter(&self, group: usize) -> Cursor {
        Cursor {
            group,
            end: self.groups.get(group + 1).map_or(u32::MAX, |next| next.first),
            count: self.groups[group].count,
        }
    }

    /// Closes the gaps, so that every symbol has one cell, and leaves out words of a single symbol, in which no pair stands;
    /// of a `merge`, the first two symbols are made the third on the way, from left to right.
    pub fn close_up(&mut self, merge: Option<(u32, u32, u32)>, progress: &Progress) -> Result<(), BpeError> {
        let mut num_read = 0_usize;
        let old_groups = std::mem::take(&mut self.groups);
        let (mut from, mut to) = (1, 1);
        for (group, next) in old_groups.iter().zip(&old_groups[1..]) {
            let first = to;
            while from < next.first as usize {
                let word = to;
                while self.cells[from] != BORDER {
                    progress.check_at(num_read)?;
                    num_read += 1;
                    let symbol = self.cells[from];
                    from += self.lens[symbol as usize] as usize;
                    match merge {
                        Some((left, right, joined)) if symbol == right && to > word && self.cells[to - 1] == left => {
                            self.cells[to - 1] = joined;
                        }
                        _ => {
                            self.cells[to] = symbol;
                            to += 1;
                        }
                    }
                }
                from += 1;
                if to - word < 2 {
                    to = word;
                } else {
                    self.cells[to] = BORDER;
                    to += 1;
                }
            }
            if to > first {
                self.groups.push(CountGroup {
                    first: first as u32,
                    count: group.count,
                });
            }
        }
        self.groups.push(CountGroup {
            first: to as u32,
            count: 0,
        });
        self.cells.truncate(to);
        if self.cells.len() < self.cells.capacity() / 2 {
            self.cells.shrink_to_fit();
        }
        self.lens.fill(1);
        Ok(())
    }
}

/// Where a reader of counts is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    group: usize,
    /// Where the next group begins.
    end: u32,
    count: u64,
}
