//! Safe boundaries: where a long pre-token can be divided without changing its ids.
//!
//! Every merge removes one boundary between two bytes: the last byte of its left token and the first byte of its right
//! token. If no merge of the list removes the boundary between bytes x and y, then x and y are never in one token, so the
//! bytes on either side merge as if they stood alone. Random letters, Chinese without spaces and lines of base64 thereby
//! become short pieces, most of which are already in the cache.

use crate::vocab::{Merge, Symbol, Vocabulary};

/// The pairs of bytes between which some merge removes the boundary.
#[derive(Debug, Clone)]
pub struct Boundaries {
    /// A bit for each pair, by 256 * left + right.
    joined: Box<[u64]>,
}

impl Boundaries {
    /// Collects the boundaries that `merges` never remove.
    pub fn new(vocabulary: &Vocabulary, merges: &[Merge]) -> Self {
        let mut joined = vec![0; (1 << 16) / 64].into_boxed_slice();
        let ends = |symbol: Symbol| {
            (
                vocabulary.symbol_bytes(symbol).first(),
                vocabulary.symbol_bytes(symbol).last(),
            )
        };
        for merge in merges {
            if let ((_, Some(&last)), (Some(&first), _)) = (ends(merge.left), ends(merge.right)) {
                joined[usize::from(last) << 2 | usize::from(first >> 6)] |= 1 << (first & 63);
            }
        }
        Self { joined }
    }

    /// Returns whether some merge joins `left` and `right`.
    #[inline(always)]
    pub fn are_joined(&self, left: u8, right: u8) -> bool {
        self.joined[usize::from(left) << 2 | usize::from(right >> 6)] >> (right & 63) & 1 != 0
    }

    /// Calls `on_end` for the end of each piece of `text[start..end]`, the last one included.
    ///
    /// 64 boundaries at a time become bits: a branch per byte would be mispredicted at nearly every end.
    #[inline]
    pub fn for_each_end(&self, text: &[u8], start: usize, end: usize, mut on_end: impl FnMut(usize)) {
        let mut at = start;
        while at + 1 < end {
            let window = &text[at..end.min(at + 65)];
            let mut boundaries = 0_u64;
            for (pair, bit) in window.windows(2).zip(0_u32..) {
                boundaries |= u64::from(!self.are_joined(pair[0], pair[1])) << bit;
            }
            while boundaries != 0 {
                on_end(at + 1 + boundaries.trailing_zeros() as usize);
                boundaries &= boundaries - 1;
            }
            at += window.len() - 1;
        }
        on_end(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derived by hand.
    #[test]
    fn pieces_end_where_no_merge_joins() {
        let tokens = ["a", "b", "c", "ab", "abc", "ca"];
        let vocabulary = Vocabulary::new((0..).zip(tokens), &[]).unwrap();
        let merges = vocabulary
            .resolve_merges(&[("a", "b"), ("ab", "c"), ("c", "a")])
            .unwrap();
        let boundaries = Boundaries::new(&vocabulary, &merges);
        let pieces = |text: &str, start: usize| {
            let mut ends = vec![start];
            boundaries.for_each_end(text.as_bytes(), start, text.len(), |end| ends.push(end));
            let pieces: Vec<String> = ends.windows(2).map(|two| text[two[0]..two[1]].to_owned()).collect();
            pieces.join("-")
        };
        assert_eq!(pieces("abcab", 0), "abcab");
        assert_eq!(pieces("abbaacb", 1), "b-b-a-a-c-b");
        assert_eq!(pieces("cab", 2), "b");
        // Boundaries on both sides of a window's edge.
        for len in 60..70 {
            let text = "abca".repeat(len / 4) + &"c".repeat(len % 4) + "bb" + &"ca".repeat(60);
            let naive = text
                .chars()
                .zip(text.chars().skip(1))
                .map(|(left, right)| match (left, right) {
                    ('a', 'b') | ('b', 'c') | ('c', 'a') => left.to_string(),
                    _ => format!("{left}-"),
                });
            let naive: String = naive.chain(text.chars().last().map(String::from)).collect();
            assert_eq!(pieces(&text, 0), naive);
        }
    }
}
