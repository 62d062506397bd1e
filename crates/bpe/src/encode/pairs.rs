//! Which pairs of symbols merge, and in which order.
//!
//! A flat table with open addressing: most look-ups find nothing, and must find that out from one cache line.

use std::collections::HashMap;

use crate::vocab::{Merge, Symbol};

/// A merge's place in the list of merges; lower merges first.
pub type Rank = u32;

/// The rank of a pair that does not merge: greater than every rank.
pub const NO_RANK: Rank = Rank::MAX;

/// No pair of symbols has this key: symbols stay below 2**31.
const EMPTY: u64 = u64::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: u64,
    rank: Rank,
}

/// Ranks by pair.
#[derive(Debug, Clone)]
pub struct PairTable {
    slots: Box<[Slot]>,
    /// Bits of the hash that do not choose the slot.
    shift: u32,
    merges: Vec<Merge>,
    /// The further ranks of pairs that are listed more than once, ascending. Empty for every sane list.
    repeated: HashMap<u64, Vec<Rank>>,
}

impl PairTable {
    /// Index `merges`, given in order.
    #[must_use]
    pub fn new(merges: Vec<Merge>) -> Self {
        let num_slots = (merges.len() * 2).next_power_of_two().max(16);
        let mut slots = vec![
            Slot {
                key: EMPTY,
                rank: NO_RANK
            };
            num_slots
        ]
        .into_boxed_slice();
        let shift = 64 - num_slots.trailing_zeros();
        let mut repeated: HashMap<u64, Vec<Rank>> = HashMap::new();
        for (merge, rank) in merges.iter().zip(0..) {
            let key = pair_key(merge.left, merge.right);
            let mut place = slot_of(key, shift);
            while slots[place].key != EMPTY && slots[place].key != key {
                place = (place + 1) & (num_slots - 1);
            }
            if slots[place].key == key {
                repeated.entry(key).or_default().push(rank);
            } else {
                slots[place] = Slot { key, rank };
            }
        }
        Self {
            slots,
            shift,
            merges,
            repeated,
        }
    }

    /// How many merges there are.
    #[must_use]
    pub fn num_merges(&self) -> usize {
        self.merges.len()
    }

    /// The merge of a rank that this table gave.
    #[must_use]
    pub fn merge(&self, rank: Rank) -> Merge {
        self.merges[rank as usize]
    }

    /// The first rank, not below `floor`, at which this pair merges, or [`NO_RANK`].
    ///
    /// Merges apply in order, each once: a pair that comes to stand side by side only after its turn stays
    /// as it is. `floor` is the rank now being applied. (No pair does so if every merge is listed after those
    /// that make its parts, as trainers do; then `floor` changes nothing.)
    #[inline]
    #[must_use]
    pub fn rank(&self, left: Symbol, right: Symbol, floor: Rank) -> Rank {
        let key = pair_key(left, right);
        let mask = self.slots.len() - 1;
        let mut place = slot_of(key, self.shift) & mask;
        loop {
            let slot = self.slots[place];
            if slot.key == key {
                return if slot.rank >= floor {
                    slot.rank
                } else {
                    self.repeated_rank(key, floor)
                };
            }
            if slot.key == EMPTY {
                return NO_RANK;
            }
            place = (place + 1) & mask;
        }
    }

    #[cold]
    fn repeated_rank(&self, key: u64, floor: Rank) -> Rank {
        let further = self.repeated.get(&key).map_or(&[][..], Vec::as_slice);
        further.iter().copied().find(|&rank| rank >= floor).unwrap_or(NO_RANK)
    }
}

#[inline]
fn pair_key(left: Symbol, right: Symbol) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// Fibonacci hashing of the two halves; the top bits of the product are the well-mixed ones.
#[inline]
fn slot_of(key: u64, shift: u32) -> usize {
    let folded = (key ^ (key >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (folded >> shift) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_found_and_floors_respected() {
        let merge = |left, right, merged| Merge { left, right, merged };
        let table = PairTable::new(vec![merge(0, 1, 5), merge(2, 3, 6), merge(0, 1, 5), merge(1, 0, 7)]);
        assert_eq!(table.rank(0, 1, 0), 0);
        assert_eq!(table.rank(0, 1, 1), 2);
        assert_eq!(table.rank(0, 1, 3), NO_RANK);
        assert_eq!(table.rank(1, 0, 3), 3);
        assert_eq!(table.rank(2, 3, 2), NO_RANK);
        assert_eq!(table.rank(3, 2, 0), NO_RANK);
        assert_eq!(table.merge(1), merge(2, 3, 6));
        assert_eq!(PairTable::new(Vec::new()).rank(0, 0, 0), NO_RANK);
    }
}
