//! Masks of one bit a byte, the first byte lowest.

/// `len` ones, for `len` up to 64.
#[inline(always)]
pub(super) fn low_bits(len: usize) -> u64 {
    if len >= 64 {
        u64::MAX
    } else {
        (1 << len) - 1
    }
}

/// The bytes of all characters whose first bytes are `first`, given the continuation bytes.
#[inline(always)]
pub(super) fn spread(first: u64, continuation: u64) -> u64 {
    // A carry runs through the continuation bytes of a character, and stops behind them.
    first | (continuation.wrapping_add(first << 1) ^ continuation) & continuation
}

/// The first bytes of characters of which `bits` has one byte each.
#[inline(always)]
pub(super) fn first_bytes(mut bits: u64, continuation: u64) -> u64 {
    if bits & continuation == 0 {
        return bits;
    }
    for _ in 1..char::MAX.len_utf8() {
        let inside = bits & continuation;
        bits = bits & !continuation | inside >> 1;
    }
    bits
}

/// The bits of `run` from those of `starts` on, to the end of each run of bits in `run`.
#[inline(always)]
pub(super) fn flood(starts: u64, run: u64) -> u64 {
    let (mut filled, mut open) = (starts & run, run);
    for shift in [1, 2, 4, 8, 16, 32] {
        filled |= open & filled << shift;
        open &= open << shift;
    }
    filled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Oracle: bit by bit.
        #[test]
        fn masks_equal_loops(starts: u64, run: u64, lens in proptest::collection::vec(1..=4usize, 64)) {
            let mut filled: u64 = 0;
            for at in 0..64 {
                let is_reached = starts >> at & 1 == 1 || (at > 0 && filled >> (at - 1) & 1 == 1);
                if is_reached && run >> at & 1 == 1 {
                    filled |= 1 << at;
                }
            }
            prop_assert_eq!(flood(starts, run), filled);

            // Characters of these lengths, every other one meant.
            let (mut at, mut first, mut all, mut last, mut continuation) = (0, 0, 0, 0, 0);
            for (index, len) in lens.into_iter().enumerate() {
                if at + len > 64 {
                    break;
                }
                let bytes = low_bits(len) << at;
                continuation |= bytes & !(1 << at);
                if index % 2 == 0 {
                    first |= 1 << at;
                    all |= bytes;
                    last |= 1 << (at + len - 1);
                }
                at += len;
            }
            prop_assert_eq!(spread(first, continuation), all);
            prop_assert_eq!(first_bytes(last, continuation), first);
        }
    }
}
