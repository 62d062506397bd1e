//! The fast way to run a hand-written pattern: 64 bytes at a time, one bit a byte.
//!
//! Every block begins at the start of a pre-token and forgets what came before, as the patterns do; so nothing is
//! carried from block to block but the place where the next one begins.

use super::beyond_ascii::{self, Wide};
use super::bits::low_bits;
use super::classify::{Classify, Masks};
use super::scalar::Pattern;

/// Up to 64 bytes of text from the start of a pre-token on.
pub(super) struct Block<'a> {
    pub text: &'a [u8],
    /// Where it begins in `text`.
    pub pos: usize,
    /// Classes; every byte of a character beyond ASCII has the class of the character.
    pub masks: Masks,
    /// Letters beyond ASCII that have no case.
    pub caseless: u64,
    pub mark: u64,
    /// All bytes but the first of each character.
    pub continuation: u64,
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

    #[inline(always)]
    fn read<C: Classify>(way: C, text: &[u8], pos: usize) -> Block<'_> {
        let rest = &text[pos..];
        match rest.first_chunk::<64>() {
            Some(bytes) => Block::of(way, text, pos, bytes, 64),
            None => {
                let mut bytes = [0; 64];
                bytes[..rest.len()].copy_from_slice(rest);
                Block::of(way, text, pos, &bytes, rest.len())
            }
        }
    }

    #[inline(always)]
    fn of<'a, C: Classify>(way: C, text: &'a [u8], pos: usize, bytes: &[u8; 64], len: usize) -> Block<'a> {
        let mut masks = way.masks(bytes);
        let mut wide = Wide { len, ..Wide::default() };
        if masks.beyond_ascii != 0 {
            wide = beyond_ascii::classify(way, bytes, len);
            masks.letter |= wide.letter;
            masks.upper |= wide.upper;
            masks.number |= wide.number;
            masks.space |= wide.space;
            masks.beyond_ascii &= low_bits(wide.len);
        }
        Block {
            text,
            pos,
            masks,
            caseless: wide.caseless,
            mark: wide.mark,
            continuation: wide.continuation,
            len: wide.len,
            is_last: pos + wide.len == text.len(),
        }
    }
}

/// Ends of pre-tokens that are found but not given out yet. Giving them out many at a time spares a mispredicted branch
/// for every block.
struct Ends {
    ends: [usize; MAX_BATCH],
    len: usize,
    /// Where the first of them begins.
    start: usize,
}

/// Pre-tokens that are given out at a time, at most.
pub const MAX_BATCH: usize = 256;

impl Ends {
    /// Appends `base` plus the place of every bit; there must be room for 64.
    #[inline(always)]
    fn push_bits(&mut self, base: usize, mut bits: u64) {
        let mut at = self.len;
        self.len += bits.count_ones() as usize;
        // Always eight at a time, so that the processor need not guess how many; what stands behind them is ignored.
        while at < self.len {
            let Some(eight) = self.ends.get_mut(at..at + 8) else {
                break;
            };
            for end in eight {
                *end = base + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
            at += 8;
        }
    }

    #[inline(always)]
    fn push(&mut self, end: usize) {
        self.ends[self.len] = end;
        self.len += 1;
    }

    #[inline(always)]
    fn give_out(&mut self, on_batch: &mut impl FnMut(usize, &[usize])) {
        if let Some(&last) = self.ends[..self.len].last() {
            on_batch(self.start, &self.ends[..self.len]);
            self.start = last;
            self.len = 0;
        }
    }

    /// Whether another block, written in whole eights, and one end more might not fit.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.len > MAX_BATCH - 72
    }
}

/// Calls `on_batch(start, ends)` for the pre-tokens, some at a time: the first of them begins at `start`, each other where
/// the one before it ends. Classes come by the instructions of `way`, for which the caller is compiled.
#[inline(always)]
pub(super) fn for_each_batch<C: Classify, P: Pattern>(
    way: C,
    pattern: P,
    text: &[u8],
    mut on_batch: impl FnMut(usize, &[usize]),
) {
    let mut ends = Ends {
        ends: [0; MAX_BATCH],
        len: 0,
        start: 0,
    };
    let mut pos = 0;
    while pos < text.len() {
        let block = Block::read(way, text, pos);
        let starts = pattern.starts(&block);
        let bits = starts.bits & low_bits(starts.certain) & !1;
        ends.push_bits(pos, bits);
        if block.is_last && starts.certain >= block.len {
            ends.push(text.len());
            break;
        }
        if bits == 0 {
            // A pre-token longer than a block.
            pos = pattern.next_end(text, pos);
            ends.push(pos);
        } else {
            pos += 63 - bits.leading_zeros() as usize;
        }
        if ends.is_full() {
            ends.give_out(&mut on_batch);
        }
    }
    ends.give_out(&mut on_batch);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gpt2::Gpt2;
    use super::super::gpt4::Gpt4;
    use super::super::o200k::O200k;
    use super::super::scalar::Pattern;
    use super::super::way::{self, Way};

    fn ends<P: Pattern>(way: Way, pattern: P, text: &str) -> Vec<usize> {
        let mut all = Vec::new();
        way::for_each_batch(way, pattern, text.as_bytes(), |start, ends| {
            assert_eq!(start, all.last().copied().unwrap_or(0));
            all.extend_from_slice(ends);
        });
        all
    }

    fn check<P: Pattern>(pattern: P, text: &str) {
        let expected = ends(Way::Scalar, pattern, text);
        for way in Way::ALL.into_iter().filter(|way| way.is_possible()) {
            assert_eq!(ends(way, pattern, text), expected, "{way:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 3000 }))]

        /// Oracle: one character after the other.
        #[test]
        fn blocks_equal_the_scalar_way(
            text in "([a-eS-VlLrRvV]{1,9}| {1,3}|'|['./!-]{1,3}|[\r\n\t]{1,3}|[\r\n/]{1,5}|[0-9]{1,9}|[\u{3000}\u{a0}\u{e9}\u{17f}\u{4e2d}\u{b2}\u{661}\u{2019}\u{1f600}\u{301}\u{2b0}\u{c9}]|a{60,70}| {60,70}){0,60}"
        ) {
            check(Gpt2, &text);
            check(Gpt4 { joins_final_space: true }, &text);
            check(Gpt4 { joins_final_space: false }, &text);
            check(O200k, &text);
        }
    }
}
