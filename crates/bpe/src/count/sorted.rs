//! A table's entries in order.

use super::entries::Entries;
use super::table::{LongSlot, Slot, Table, MAX_INLINE};
use crate::error::BpeError;

impl Slot {
    /// A number that orders as the bytes do: the zeros behind them are as small as can be, and the length decides between
    /// them and bytes that are zero.
    #[inline(always)]
    fn order(&self) -> u128 {
        u128::from(self.key[0].swap_bytes()) << 64 | u128::from(self.key[1].swap_bytes())
    }
}

impl Table {
    /// Puts the entries into ascending order of their bytes, in place; until [`Table::clear`] the table counts no more.
    pub fn sort(&mut self) {
        compact(&mut self.slots, |slot| slot.count > 0);
        self.slots[..self.num_short].sort_unstable_by_key(Slot::order);
        compact(&mut self.long_slots, |slot| slot.count > 0);
        let bytes = |slot: &LongSlot| &self.arena[slot.start..slot.start + slot.len];
        self.long_slots[..self.num_long].sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
    }

    /// The entries of a table that is sorted.
    pub fn entries(&self) -> TableEntries<'_> {
        TableEntries {
            table: self,
            next_short: 0,
            next_long: 0,
            short: [0; 16],
            word: Word::Short(0),
            count: 0,
        }
    }
}

/// Moves what is `kept` to the front.
fn compact<T>(slots: &mut [T], kept: impl Fn(&T) -> bool) {
    let mut num_kept = 0;
    for index in 0..slots.len() {
        if kept(&slots[index]) {
            slots.swap(num_kept, index);
            num_kept += 1;
        }
    }
}

/// A walk through a sorted [`Table`].
pub(super) struct TableEntries<'a> {
    table: &'a Table,
    next_short: usize,
    next_long: usize,
    short: [u8; 16],
    word: Word<'a>,
    count: u64,
}

enum Word<'a> {
    /// So many bytes of `short`.
    Short(usize),
    Long(&'a [u8]),
}

impl Entries for TableEntries<'_> {
    fn advance(&mut self) -> Result<bool, BpeError> {
        let short = self.table.slots[..self.table.num_short].get(self.next_short);
        let long = self.table.long_slots[..self.table.num_long].get(self.next_long);
        let long = long.map(|slot| (&self.table.arena[slot.start..slot.start + slot.len], slot.count));
        if let Some(slot) = short {
            let bytes = slot.order().to_be_bytes();
            let len = usize::from(bytes[MAX_INLINE]);
            if long.is_none_or(|(word, _)| &bytes[..len] < word) {
                self.short = bytes;
                self.word = Word::Short(len);
                self.count = slot.count;
                self.next_short += 1;
                return Ok(true);
            }
        }
        let Some((word, count)) = long else { return Ok(false) };
        self.word = Word::Long(word);
        self.count = count;
        self.next_long += 1;
        Ok(true)
    }

    fn word(&self) -> &[u8] {
        match self.word {
            Word::Short(len) => &self.short[..len],
            Word::Long(word) => word,
        }
    }

    fn count(&self) -> u64 {
        self.count
    }
}
