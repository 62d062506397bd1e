//! The plain way: eight bytes at a time in ordinary registers.

use super::{Classify, Masks};

/// What any processor can do.
#[derive(Clone, Copy)]
pub(in super::super) struct Portable;

impl Classify for Portable {
    #[inline]
    fn masks(self, block: &[u8; 64]) -> Masks {
        let mut masks = Masks::default();
        for (i, word) in words(block).enumerate() {
            let put = |mask: &mut u64, highs: u64| *mask |= gather(highs) << (8 * i);
            let ascii = !word & HIGHS;
            put(&mut masks.non_ascii, word);
            let low = word & !HIGHS;
            let upper = between(low, b'A', b'Z') & ascii;
            put(&mut masks.upper, upper);
            put(&mut masks.letter, upper | between(low, b'a', b'z') & ascii);
            put(&mut masks.number, between(low, b'0', b'9') & ascii);
            let blank = between(low, b' ', b' ') & ascii;
            put(&mut masks.blank, blank);
            put(&mut masks.space, blank | between(low, 9, 13) & ascii);
            let line_break = between(low, b'\n', b'\n') | between(low, b'\r', b'\r');
            put(&mut masks.line_break, line_break & ascii);
            put(&mut masks.apostrophe, between(low, b'\'', b'\'') & ascii);
            put(&mut masks.slash, between(low, b'/', b'/') & ascii);
        }
        masks
    }

    #[inline]
    fn high_bits(self, block: &[u8; 64]) -> [u64; 4] {
        let mut bits = [0; 4];
        for (i, word) in words(block).enumerate() {
            for (shift, bits) in bits.iter_mut().enumerate() {
                *bits |= gather(word << shift) << (8 * i);
            }
        }
        bits
    }
}

/// The block as eight numbers, the first byte of each lowest.
#[inline(always)]
fn words(block: &[u8; 64]) -> impl Iterator<Item = u64> + '_ {
    block.chunks_exact(8).map(|bytes| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        u64::from_le_bytes(word)
    })
}

/// The highest bit of each byte.
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The highest bit of each byte of `word` that lies between `first` and `last`; all bytes must be below 128.
#[inline(always)]
fn between(word: u64, first: u8, last: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let reaches_first = word + ONES * u64::from(128 - first);
    let exceeds_last = word + ONES * u64::from(127 - last);
    reaches_first & !exceeds_last & HIGHS
}

/// The highest bits of the eight bytes side by side.
#[inline(always)]
fn gather(highs: u64) -> u64 {
    ((highs & HIGHS) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
