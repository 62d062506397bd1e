//! Which pairs of symbols merge, into what, and in which order.

use std::collections::HashMap;

use crate::vocab::{Merge, Symbol};

/// A merge's index in the list of merges; the lowest applies first.
pub type Rank = u32;

/// The rank at which a pair merges, in the high half, and the symbol it becomes: the lowest number merges first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(u64);

impl Step {
    /// The pair does not merge; greater than every other step.
    pub const NEVER: Self = Self(u64::MAX);

    fn new(rank: Rank, merged: Symbol) -> Self {
        Self(u64::from(rank) << 32 | u64::from(merged))
    }

    /// Returns the rank at which the pair merges.
    #[inline]
    pub fn rank(self) -> Rank {
        (self.0 >> 32) as Rank
    }

    /// Returns the symbol that the pair becomes.
    #[inline]
    pub fn merged(self) -> Symbol {
        self.0 as Symbol
    }
}

/// No pair of symbols has this key: symbols stay below 2**31.
const EMPTY: u64 = u64::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: u64,
    step: Step,
}

/// Steps by pair: an open-addressing table behind a one-hash Bloom filter.
///
/// Most look-ups find nothing, and the filter answers nearly all of these. It fits the second-level cache; the slots do
/// not.
#[derive(Debug, Clone)]
pub struct PairTable {
    slots: Box<[Slot]>,
    /// The filter: sixteen bits per merge.
    filter: Box<[u64]>,
    /// The first step of every pair of bytes, by 256 * left + right: the most frequent look-up.
    byte_steps: Box<[Step]>,
    /// The symbols of the bytes.
    byte_symbols: [Symbol; 256],
    /// Bits of the hash that do not choose the slot.
    slot_shift: u32,
    /// Bits of the hash that do not choose the bit of the filter.
    filter_shift: u32,
    merges: Vec<Merge>,
    /// The further ranks of pairs that are listed more than once, ascending. Empty for trained lists.
    repeated: HashMap<u64, Vec<Rank>>,
}

impl PairTable {
    /// Indexes `merges`, given in order. `byte_symbols` are the symbols of the 256 bytes.
    #[must_use]
    pub fn new(merges: Vec<Merge>, byte_symbols: &[Symbol; 256]) -> Self {
        let num_slots = (merges.len() * 2).next_power_of_two().max(16);
        let empty = Slot {
            key: EMPTY,
            step: Step::NEVER,
        };
        let mut slots = vec![empty; num_slots + 1].into_boxed_slice();
        let slot_shift = 64 - num_slots.trailing_zeros();
        let mut filter = vec![0; num_slots / 8].into_boxed_slice();
        let filter_shift = slot_shift - 3;
        let mut repeated: HashMap<u64, Vec<Rank>> = HashMap::new();
        for (merge, rank) in merges.iter().zip(0..) {
            let key = pair_key(merge.left, merge.right);
            let hash = hash_pair(key);
            let bit = (hash >> filter_shift) as usize;
            filter[bit / 64] |= 1 << (bit % 64);
            let mut place = (hash >> slot_shift) as usize + 1;
            while slots[place].key != EMPTY && slots[place].key != key {
                place = place % num_slots + 1;
            }
            if slots[place].key == key {
                repeated.entry(key).or_default().push(rank);
            } else {
                slots[place] = Slot {
                    key,
                    step: Step::new(rank, merge.merged),
                };
            }
        }
        let byte_steps = vec![Step::NEVER; 1 << 16].into_boxed_slice();
        let mut table = Self {
            slots,
            filter,
            byte_steps,
            byte_symbols: *byte_symbols,
            slot_shift,
            filter_shift,
            merges,
            repeated,
        };
        for (left, &left_symbol) in byte_symbols.iter().enumerate() {
            for (right, &right_symbol) in byte_symbols.iter().enumerate() {
                table.byte_steps[left << 8 | right] = table.step(left_symbol, right_symbol, 0);
            }
        }
        table
    }

    /// Returns the symbol of a byte.
    #[inline]
    #[must_use]
    pub fn byte_symbol(&self, byte: u8) -> Symbol {
        self.byte_symbols[usize::from(byte)]
    }

    /// Returns the first step at which two bytes, both tokens, merge.
    #[inline]
    #[must_use]
    pub fn byte_step(&self, left: u8, right: u8) -> Step {
        self.byte_steps[usize::from(left) << 8 | usize::from(right)]
    }

    /// Returns the number of merges.
    #[must_use]
    pub fn num_merges(&self) -> usize {
        self.merges.len()
    }

    /// Returns the merge of a rank.
    #[must_use]
    pub fn merge(&self, rank: Rank) -> Merge {
        self.merges[rank as usize]
    }

    /// Returns the first step, not before rank `floor`, at which this pair merges.
    ///
    /// Merges apply in order, each once: a pair that is formed only after its rank was applied does not merge. `floor` is
    /// the rank now being applied. (In a trained list every merge follows those that make its parts, so `floor` changes
    /// nothing.)
    #[inline]
    #[must_use]
    pub fn step(&self, left: Symbol, right: Symbol, floor: Rank) -> Step {
        let key = pair_key(left, right);
        let hash = hash_pair(key);
        let bit = (hash >> self.filter_shift) as usize;
        let is_listed = self.filter[bit / 64] >> (bit % 64) & 1;
        // No branch on what the filter says, which nobody can guess: a pair that is not listed is looked for in the empty
        // slot, which is always near.
        let place = ((hash >> self.slot_shift) as usize + 1) & (is_listed as usize).wrapping_neg();
        let slot = self.slots[place];
        if slot.key != key && slot.key != EMPTY {
            return self.step_behind(place, key, floor);
        }
        // All ones, which is `Step::NEVER`, where the slot is empty.
        let step = Step(slot.step.0 | u64::from(slot.key == key).wrapping_sub(1));
        if step.rank() < floor {
            return self.repeated_step(key, floor);
        }
        step
    }

    /// [`PairTable::step`] where another pair is in the first slot, at `place`.
    #[inline(never)]
    fn step_behind(&self, mut place: usize, key: u64, floor: Rank) -> Step {
        let num_slots = self.slots.len() - 1;
        loop {
            place = place % num_slots + 1;
            let slot = self.slots[place];
            if slot.key == EMPTY {
                return Step::NEVER;
            }
            if slot.key == key {
                return if slot.step.rank() < floor {
                    self.repeated_step(key, floor)
                } else {
                    slot.step
                };
            }
        }
    }

    #[cold]
    fn repeated_step(&self, key: u64, floor: Rank) -> Step {
        let further = self.repeated.get(&key).map_or(&[][..], Vec::as_slice);
        let next = further.iter().copied().find(|&rank| rank >= floor);
        next.map_or(Step::NEVER, |rank| Step::new(rank, self.merge(rank).merged))
    }
}

#[inline]
fn pair_key(left: Symbol, right: Symbol) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// Multiplicative hashing of the two halves; the top bits of the product are the well-mixed ones.
#[inline]
fn hash_pair(key: u64) -> u64 {
    (key ^ (key >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_and_floors_respected() {
        let merge = |left, right, merged| Merge { left, right, merged };
        let byte_symbols = std::array::from_fn(|byte| byte as Symbol);
        let table = PairTable::new(
            vec![merge(0, 1, 5), merge(2, 3, 6), merge(0, 1, 5), merge(1, 0, 7)],
            &byte_symbols,
        );
        assert_eq!(table.step(0, 1, 0), Step::new(0, 5));
        assert_eq!(table.step(0, 1, 1), Step::new(2, 5));
        assert_eq!(table.step(0, 1, 3), Step::NEVER);
        assert_eq!(table.step(1, 0, 3), Step::new(3, 7));
        assert_eq!(table.step(2, 3, 2), Step::NEVER);
        assert_eq!(table.step(3, 2, 0), Step::NEVER);
        assert_eq!(table.merge(1), merge(2, 3, 6));
        assert_eq!(
            [table.byte_step(1, 0), table.byte_step(3, 2)],
            [Step::new(3, 7), Step::NEVER]
        );
        assert_eq!(PairTable::new(Vec::new(), &byte_symbols).step(0, 0, 0), Step::NEVER);
    }
}
