//! The characters beyond ASCII among 64 bytes: which classes they have, one bit a byte.

use super::bits::{low_bits, spread};
use super::classify::Classify;
use crate::unicode::properties_from_utf8;

/// Classes of characters beyond ASCII; every byte of a character has the class of the character.
#[derive(Clone, Copy, Default)]
pub(super) struct Wide {
    pub letter: u64,
    /// Letters in upper case.
    pub upper: u64,
    /// Letters that have no case.
    pub caseless: u64,
    pub number: u64,
    pub space: u64,
    pub mark: u64,
    /// All bytes but the first of each character.
    pub continuation: u64,
    /// Bytes that are described: those of the block without a character that it cuts.
    pub len: usize,
}

/// Looks up the characters beyond ASCII among the first `len` bytes of `block`, all of which are whole where `len` is below 64.
///
/// Nothing waits for the character before: the first bytes of all characters are known from their high bits, the entries of
/// the table are put side by side, and their bits are taken in one move as those of the text were.
#[inline(always)]
pub(super) fn classify<C: Classify>(classifier: C, block: &[u8; 64], len: usize) -> Wide {
    let [bit7, bit6, bit5, bit4] = classifier.high_bits(block);
    let mut first = bit7 & bit6;
    let cut = first & (1 << 63 | bit5 & 1 << 62 | bit5 & bit4 & 1 << 61);
    let len = len.min(cut.trailing_zeros() as usize);
    first &= low_bits(len);
    let continuation = bit7 & !bit6 & low_bits(len);

    // Characters are whole, so that no index wraps round; the mask spares checks.
    let byte = |at: usize| block[at & 63];
    let bits = |at: usize, keep: u8| u32::from(byte(at) & keep);
    let mut entries = [0; 64];
    for_each_bit(first & !bit5, |at| {
        entries[at & 63] = properties_from_utf8(bits(at, 0x1F), byte(at + 1)).bits();
    });
    for_each_bit(first & bit5 & !bit4, |at| {
        let high = bits(at, 0x0F) << 6 | bits(at + 1, 0x3F);
        entries[at & 63] = properties_from_utf8(high, byte(at + 2)).bits();
    });
    for_each_bit(first & bit5 & bit4, |at| {
        let high = bits(at, 0x07) << 12 | bits(at + 1, 0x3F) << 6 | bits(at + 2, 0x3F);
        entries[at & 63] = properties_from_utf8(high, byte(at + 3)).bits();
    });
    let [bit7, bit6, bit5, bit4] = classifier.high_bits(&entries);
    let all_bytes = |first: u64| spread(first, continuation);
    Wide {
        letter: all_bytes(bit7),
        upper: all_bytes(bit7 & bit6),
        caseless: all_bytes(bit7 & !bit6 & !bit5),
        number: all_bytes(bit6 & !bit7),
        space: all_bytes(bit5 & !bit7),
        mark: all_bytes(bit4),
        continuation,
        len,
    }
}

#[inline(always)]
fn for_each_bit(mut bits: u64, mut on_bit: impl FnMut(usize)) {
    while bits != 0 {
        on_bit(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}
