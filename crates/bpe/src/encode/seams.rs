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

    /// Calls `on_end` for the end of each piece of `text[start..end]`, the last one included.
    ///
    /// Sixty-four bytes at a time become bits, so that the processor need not guess where a piece ends.
    #[inline]
    pub fn for_each_end(&self, text: &[u8], start: usize, end: usize, mut on_end: impl FnMut(usize)) {
        let mut at = start;
        while at + 1 < end {
            let window = &text[at..end.min(at + 65)];
            let mut seams = 0_u64;
            for (pair, bit) in window.windows(2).zip(0_u32..) {
                seams |= u64::from(!self.are_joined(pair[0], pair[1])) << bit;
            }
            while seams != 0 {
                on_end(at + 1 + seams.trailing_zeros() as usize);
                seams &= seams - 1;
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
    fn pieces_end_where_nothing_joins() {
        let tokens = ["a", "b", "c", "ab", "abc", "ca"];
        let vocabulary = Vocabulary::new((0..).zip(tokens), &[]).unwrap();
        let merges = vocabulary
            .resolve_merges(&[("a", "b"), ("ab", "c"), ("c", "a")])
            .unwrap();
        let seams = Seams::new(&vocabulary, &merges);
        let pieces = |text: &str, start: usize| {
            let mut ends = vec![start];
            seams.for_each_end(text.as_bytes(), start, text.len(), |end| ends.push(end));
            let pieces: Vec<String> = ends.windows(2).map(|two| text[two[0]..two[1]].to_owned()).collect();
            pieces.join("-")
        };
        assert_eq!(pieces("abcab", 0), "abcab");
        assert_eq!(pieces("abbaacb", 1), "b-b-a-a-c-b");
        assert_eq!(pieces("cab", 2), "b");
        // Seams on both sides of a window's edge.
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
