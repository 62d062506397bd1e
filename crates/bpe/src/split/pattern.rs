//! What a hand-written pre-tokenization pattern provides.

use super::bits::low_bits;
use super::classify::Masks;
use crate::unicode::Properties;

/// A pattern whose match at a position depends only on the text from that position on.
pub(super) trait Pattern: Copy {
    /// Returns the end of the pre-token that starts at `pos`. `text` must be valid UTF-8 and `pos < text.len()`.
    fn next_end(self, text: &[u8], pos: usize) -> usize;

    /// Returns where pre-tokens start in `block`, which must begin at such a start.
    fn starts(self, block: &Block<'_>) -> Starts;

    /// Returns the start of the suffix of `text` whose boundaries may change when more text arrives, white space apart.
    fn unsettled_from(self, text: &[u8]) -> usize {
        text.len()
    }

    /// Returns whether text may be cut between `before` and `after` without changing any pre-token on either side.
    fn is_safe_cut(self, before: CharInfo, after: CharInfo) -> bool;
}

/// What [`Pattern::is_safe_cut`] needs to know of a character.
#[derive(Clone, Copy)]
pub(super) struct CharInfo {
    pub properties: Properties,
    /// Its first byte.
    pub byte: u8,
}

/// Up to 64 bytes of text from the start of a pre-token on, with a bit mask per character class.
pub(super) struct Block<'a> {
    pub text: &'a [u8],
    /// The block's offset in `text`.
    pub pos: usize,
    /// Classes; every byte of a non-ASCII character has the class of the character.
    pub masks: Masks,
    /// Non-ASCII letters without case.
    pub caseless: u64,
    pub mark: u64,
    /// All bytes but the first of each character.
    pub continuation: u64,
    /// Bytes that `masks` describe; whole characters.
    pub len: usize,
    /// Whether the text ends where the block does.
    pub is_last: bool,
}

impl Block<'_> {
    /// Ones for the bytes of the block.
    #[inline(always)]
    pub fn valid(&self) -> u64 {
        low_bits(self.len)
    }
}

/// Where pre-tokens start in a block.
pub(super) struct Starts {
    /// One bit per byte.
    pub bits: u64,
    /// Bits below this one are final; those at and above it depend on text after the block.
    pub certain: usize,
}
