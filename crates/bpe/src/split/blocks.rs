//! Splitting 64 bytes at a time, one bit per byte.
//!
//! Every block begins at the start of a pre-token, where no pattern depends on earlier text; so the only state carried
//! from one block to the next is the position where it begins.

use std::ops::ControlFlow;

use super::bits::low_bits;
use super::classify::Classify;
use super::non_ascii::{self, Wide};
use super::pattern::{Block, Pattern};

impl Block<'_> {
    #[inline(always)]
    fn read<C: Classify>(classifier: C, text: &[u8], pos: usize) -> Block<'_> {
        let rest = &text[pos..];
        match rest.first_chunk::<64>() {
            Some(bytes) => Block::of(classifier, text, pos, bytes, 64),
            None => {
                let mut bytes = [0; 64];
                bytes[..rest.len()].copy_from_slice(rest);
                Block::of(classifier, text, pos, &bytes, rest.len())
            }
        }
    }

    #[inline(always)]
    fn of<'a, C: Classify>(classifier: C, text: &'a [u8], pos: usize, bytes: &[u8; 64], len: usize) -> Block<'a> {
        let mut masks = classifier.masks(bytes);
        let mut wide = Wide { len, ..Wide::default() };
        if masks.non_ascii != 0 {
            wide = non_ascii::classify(classifier, bytes, len);
            masks.letter |= wide.letter;
            masks.upper |= wide.upper;
            masks.number |= wide.number;
            masks.space |= wide.space;
            masks.non_ascii &= low_bits(wide.len);
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

/// Ends of pre-tokens that wait to be passed on. Passing on many at a time saves a mispredicted branch per block.
struct Ends {
    ends: [usize; MAX_BATCH],
    len: usize,
    /// Start of the first of them.
    start: usize,
}

/// The most pre-tokens in a batch.
pub const MAX_BATCH: usize = 256;

impl Ends {
    /// Appends `base` plus the position of every bit; there must be room for 64.
    #[inline(always)]
    fn push_bits(&mut self, base: usize, mut bits: u64) {
        let mut at = self.len;
        self.len += bits.count_ones() as usize;
        // Always eight at a time: a loop over the bits alone would end on a branch that depends on the text. Entries
        // behind the last bit are overwritten or ignored.
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
    fn flush(&mut self, on_batch: &mut impl FnMut(usize, &[usize]) -> ControlFlow<()>) -> ControlFlow<()> {
        if let Some(&last) = self.ends[..self.len].last() {
            on_batch(self.start, &self.ends[..self.len])?;
            self.start = last;
            self.len = 0;
        }
        ControlFlow::Continue(())
    }

    /// Whether another block (64 ends, written in eights) and the end of one long pre-token might not fit.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.len > MAX_BATCH - 72
    }
}

/// Calls `on_batch(start, ends)` for batches of pre-tokens: the first begins at `start`, each other where the one before
/// it ends; stops where it breaks. The caller must be compiled for the instructions of `classifier`.
#[inline(always)]
pub(super) fn for_each_batch<C: Classify, P: Pattern>(
    classifier: C,
    pattern: P,
    text: &[u8],
    mut on_batch: impl FnMut(usize, &[usize]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut ends = Ends {
        ends: [0; MAX_BATCH],
        len: 0,
        start: 0,
    };
    let mut pos = 0;
    while pos < text.len() {
        let block = Block::read(classifier, text, pos);
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
            ends.flush(&mut on_batch)?;
        }
    }
    ends.flush(&mut on_batch)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::super::backend::{self, Backend};
    use super::super::gpt2::Gpt2;
    use super::super::gpt4::Gpt4;
    use super::super::o200k::O200k;
    use super::super::pattern::Pattern;

    fn ends<P: Pattern>(backend: Backend, pattern: P, text: &str) -> Vec<usize> {
        let mut all = Vec::new();
        let outcome = backend::for_each_batch(backend, pattern, text.as_bytes(), |start, ends| {
            assert_eq!(start, all.last().copied().unwrap_or(0));
            all.extend_from_slice(ends);
            ControlFlow::Continue(())
        });
        assert!(outcome.is_continue());
        all
    }

    fn check<P: Pattern>(pattern: P, text: &str) {
        let expected = ends(Backend::Scalar, pattern, text);
        for backend in Backend::ALL.into_iter().filter(|backend| backend.is_supported()) {
            assert_eq!(ends(backend, pattern, text), expected, "{backend:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 3000 }))]

        /// Oracle: one character at a time.
        #[test]
        fn blocks_equal_scalar(
            text in "([a-eS-VlLrRvV]{1,9}| {1,3}|'|['./!-]{1,3}|[\r\n\t]{1,3}|[\r\n/]{1,5}|[0-9]{1,9}|[\u{3000}\u{a0}\u{e9}\u{17f}\u{4e2d}\u{b2}\u{661}\u{2019}\u{1f600}\u{301}\u{2b0}\u{c9}]|a{60,70}| {60,70}){0,60}"
        ) {
            check(Gpt2, &text);
            check(Gpt4 { joins_final_space: true }, &text);
            check(Gpt4 { joins_final_space: false }, &text);
            check(O200k, &text);
        }
    }
}
