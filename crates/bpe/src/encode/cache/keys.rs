//! Pre-tokens as the tables know them.

use super::table::Key;
use crate::hash::{hash_bytes, hash_half_word, hash_word};

/// The longest pre-token that is a [`ShortKey`].
pub const MAX_SHORT_KEY: usize = 7;
/// The longest pre-token that is a [`MediumKey`].
pub const MAX_MEDIUM_KEY: usize = 15;

/// A pre-token of 1 to 7 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShortKey(u64);

impl ShortKey {
    /// The first `len` of the eight bytes `window`; where `len` is above 7, a key that means nothing.
    #[inline(always)]
    pub fn new(window: [u8; 8], len: usize) -> Self {
        // Bytes behind the pre-token are shifted out, and make room for the length.
        let shift = 64u32.wrapping_sub(8 * len as u32);
        Self(u64::from_le_bytes(window).wrapping_shl(shift) | len as u64)
    }
}

impl Key for ShortKey {
    #[inline(always)]
    fn hash(self) -> u64 {
        hash_half_word(self.0)
    }
}

/// A pre-token of 8 to 15 bytes, with its length in the last of sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediumKey([u64; 2]);

/// `KEEP[len - 8]` has ones in the bytes of the second word that belong to a pre-token of `len` bytes.
static KEEP: [u64; 8] = {
    let mut keep = [0; 8];
    let mut len = 1;
    while len < 8 {
        keep[len] = (1 << (8 * len)) - 1;
        len += 1;
    }
    keep
};

impl MediumKey {
    /// The first `len` of the sixteen bytes `window`.
    #[inline(always)]
    pub fn new(window: [u8; 16], len: usize) -> Self {
        let word = u128::from_le_bytes(window);
        Self([word as u64, (word >> 64) as u64 & KEEP[len % 8] | (len as u64) << 56])
    }
}

impl Key for MediumKey {
    #[inline(always)]
    fn hash(self) -> u64 {
        hash_word(u128::from(self.0[1]) << 64 | u128::from(self.0[0]))
    }
}

/// The hash of a longer pre-token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LongKey(u64);

impl LongKey {
    /// The key of these bytes, and of others.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hash_bytes(bytes) | 1)
    }
}

impl Key for LongKey {
    #[inline(always)]
    fn hash(self) -> u64 {
        self.0
    }
}
