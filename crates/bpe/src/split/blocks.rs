//! The fast way to run a hand-written pattern: 64 bytes at a time, one bit a byte.
//!
//! Every block begins at the start of a pre-token and forgets what came before, as the patterns do; so nothing is
//! carried from block to block but the place where the next one begins.

use super::classify::{Classify, Masks, Portable};
use super::scalar::Pattern;
use crate::unicode::{class_of, decode_multibyte, Class};

/// Up to 64 bytes of text from the start of a pre-token on.
pub(super) struct Block<'a> {
    pub text: &'a [u8],
    /// Where it begins in `text`.
    pub pos: usize,
    /// Classes; every byte of a character beyond ASCII has the class of the character.
    pub masks: Masks,
    /// First bytes of characters beyond ASCII.
    pub leads: u64,
    /// Bytes that `masks` describe; whole characters.
    pub len: usize,
    /// Whether the text ends where the block does.
    pub is_last: bool,
}

/// Where pre-tokens begin in a block.
pub(super) struct Starts {
    /// One bit a byte.
    pub bits: u64,
    /// The bits below this one are certain.
    pub certain: usize,
}

impl Block<'_> {
    /// Ones for the bytes of the block.
    #[inline(always)]
    pub fn valid(&self) -> u64 {
        low_bits(self.len)
    }

    /// Where the character whose last byte is at bit `at` begins.
    #[inline(always)]
    pub fn char_start(&self, at: u32) -> u32 {
        if self.masks.beyond_ascii >> at & 1 == 0 {
            return at;
        }
        63 - (self.leads & (u64::MAX >> (63 - at))).leading_zeros()
    }

    #[inline(always)]
    fn read<C: Classify>(text: &[u8], pos: usize) -> Block<'_> {
        let rest = &text[pos..];
        let (masks, len) = match rest.first_chunk::<64>() {
            Some(bytes) => (C::masks(bytes), 64),
            None => {
                let mut bytes = [0; 64];
                bytes[..rest.len()].copy_from_slice(rest);
                (C::masks(&bytes), rest.len())
            }
        };
        let mut block = Block {
            text,
            pos,
            masks,
            leads: 0,
            len,
            is_last: false,
        };
        if masks.beyond_ascii != 0 {
            block.classify_beyond_ascii();
        }
        block.is_last = pos + block.len == text.len();
        block
    }

    /// Gives the bytes beyond ASCII the classes of their characters; a character cut by the end is left out.
    #[inline(never)]
    fn classify_beyond_ascii(&mut self) {
        let mut unclassified = self.masks.beyond_ascii;
        while unclassified != 0 {
            let first = unclassified.trailing_zeros() as usize;
            let (code_point, len) = decode_multibyte(self.text, self.pos + first);
            if first + len > self.len {
                self.len = first;
                let valid = self.valid();
                self.masks.beyond_ascii &= valid;
                return;
            }
            let bytes = low_bits(len) << first;
            match class_of(code_point) {
                Class::Letter => self.masks.letter |= bytes,
                Class::Number => self.masks.number |= bytes,
                Class::Space => self.masks.space |= bytes,
                Class::Other => {}
            }
            self.leads |= 1 << first;
            unclassified &= !bytes;
        }
    }
}

/// `len` ones, for `len` up to 64.
#[inline(always)]
pub(super) fn low_bits(len: usize) -> u64 {
    if len >= 64 {
        u64::MAX
    } else {
        (1 << len) - 1
    }
}

/// Calls `on_pretoken(start, end)` for every pre-token, by the widest instructions that this machine has.
#[inline]
pub(super) fn for_each<P: Pattern>(pattern: P, text: &[u8], on_pretoken: impl FnMut(usize, usize)) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("bmi2") {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { for_each_avx512(pattern, text, on_pretoken) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { for_each_avx2(pattern, text, on_pretoken) };
        }
    }
    for_each_by::<Portable, P>(pattern, text, on_pretoken);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn for_each_avx512<P: Pattern>(pattern: P, text: &[u8], on_pretoken: impl FnMut(usize, usize)) {
    for_each_by::<super::classify::Avx512, P>(pattern, text, on_pretoken);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn for_each_avx2<P: Pattern>(pattern: P, text: &[u8], on_pretoken: impl FnMut(usize, usize)) {
    for_each_by::<super::classify::Avx2, P>(pattern, text, on_pretoken);
}

/// Calls `on_pretoken(start, end)` for every pre-token, with masks made by `C`.
#[inline(always)]
pub(super) fn for_each_by<C: Classify, P: Pattern>(pattern: P, text: &[u8], mut on_pretoken: impl FnMut(usize, usize)) {
    let mut pos = 0;
    while pos < text.len() {
        let block = Block::read::<C>(text, pos);
        let starts = pattern.starts(&block);
        let mut ends = starts.bits & low_bits(starts.certain) & !1;
        let base = pos;
        while ends != 0 {
            let end = base + ends.trailing_zeros() as usize;
            on_pretoken(pos, end);
            pos = end;
            ends &= ends - 1;
        }
        if block.is_last {
            on_pretoken(pos, text.len());
            return;
        }
        if pos == base {
            // A pre-token longer than a block.
            let end = pattern.next_end(text, pos);
            on_pretoken(pos, end);
            pos = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gpt2::Gpt2;
    use super::super::gpt4::Gpt4;
    use super::super::scalar;
    use super::*;

    fn ranges(run: impl FnOnce(&mut dyn FnMut(usize, usize))) -> Vec<(usize, usize)> {
        let mut ranges = Vec::new();
        run(&mut |start, end| ranges.push((start, end)));
        ranges
    }

    fn check<P: Pattern>(pattern: P, text: &str) {
        let text = text.as_bytes();
        let expected = ranges(|note| scalar::for_each(pattern, text, note));
        assert_eq!(ranges(|note| for_each_by::<Portable, P>(pattern, text, note)), expected);
        assert_eq!(ranges(|note| for_each(pattern, text, note)), expected);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            // SAFETY: checked in the line above.
            let by_avx2 = ranges(|note| unsafe { for_each_avx2(pattern, text, note) });
            assert_eq!(by_avx2, expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        /// Oracle: one character after the other.
        #[test]
        fn blocks_equal_the_scalar_way(
            text in "([a-eS-VlLrRvV]{1,9}| {1,3}|'|['.!-]{1,3}|[\r\n\t]{1,3}|[0-9]{1,9}|[\u{3000}\u{a0}\u{e9}\u{17f}\u{4e2d}\u{b2}\u{661}\u{2019}\u{1f600}]|a{60,70}| {60,70}){0,60}"
        ) {
            check(Gpt2, &text);
            check(Gpt4 { joins_final_space: true }, &text);
            check(Gpt4 { joins_final_space: false }, &text);
        }
    }
}
