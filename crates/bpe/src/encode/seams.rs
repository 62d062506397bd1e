//! Where a long pre-token falls apart: between two bytes that no merge ever joins.
//!
//! A merge removes one boundary, that between the last byte of its left part and the first of its right part. Two bytes
//! that are so joined by no merge of the list stay apart wherever they meet, so what stands on either side merges as if
//! it stood alone. Random letters, Chinese without spaces or a line of base64 thereby become short pieces, most of which
//! have been seen before.

use crate::vocab::{Merge, Symbol, Vocabulary};

/// Pairs of bytes that some merge joins.
#[derive(Debug, Clone)]
pub struct Seams {
    /// A bit for each pair, by 256 * left + right.
    joined: Box<[u64]>,
}

impl Seams {
    /// The seams that `merges` leave.
    pub fn new(vocabulary: &Vocabulary, merges: &[Merge]) -> Self {
        let mut joined = vec![0; (1 << 16) / 64].into_boxed_slice();
        let ends = |symbol: Symbol| (vocabulary.spelling(symbol).first(), vocabulary.spelling(symbol).last());
        for merge in merges {
            if let ((_, Some(&last)), (Some(&first), _)) = (ends(merge.left), ends(merge.right)) {
                joined[usize::from(last) << 2 | usize::from(first >> 6)] |= 1 << (first & 63);
            }
        }
        Self { joined }
    }

    /// Whether some merge joins `left` and `right`.
    #[inline(always)]
    fn are_joined(&self, left: u8, right: u8) -> bool {
        self.joined[usize::from(left) << 2 | usize::from(right >> 6)] >> (right & 63) & 1 != 0
    }

    /// How many of the first bytes of `bytes` stand before the first seam; all of them where there is none.
    #[inline]
    pub fn first_piece(&self, bytes: &[u8]) -> usize {
        let seam = bytes.windows(2).position(|pair| !self.are_joined(pair[0], pair[1]));
        seam.map_or(bytes.len(), |at| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derived by hand.
    #[test]
    fn pieces_end_where_nothing_joins() {
        let tokens = ["a", "b", "c", "ab", "abc", "ca"];
        let vocabulary = Vocabulary::new((0..).zip(tokens), &[]).unwrap();
        let merges = vocabulary
            .resolve_merges(&[("a", "b"), ("ab", "c"), ("c", "a")])
            .unwrap();
        let seams = Seams::new(&vocabulary, &merges);
        for (bytes, expected) in [("abcab", 5), ("abba", 2), ("ba", 1), ("a", 1), ("caab", 2), ("", 0)] {
            assert_eq!(seams.first_piece(bytes.as_bytes()), expected, "{bytes}");
        }
    }
}
