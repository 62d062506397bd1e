//! What a hand-written pattern is, and the plain way to run one.

use super::blocks::{Block, Starts};
use crate::unicode::Properties;

/// A pattern that needs nothing but the text from a pre-token's start onwards.
pub(super) trait Pattern: Copy {
    /// End of the pre-token that begins at `pos` < `text.len()`; `text` is valid UTF-8.
    fn next_end(self, text: &[u8], pos: usize) -> usize;

    /// The starts of pre-tokens in `block`, which begins with one.
    fn starts(self, block: &Block<'_>) -> Starts;

    /// Where the last part of `text` begins inside which later text may move ends of pre-tokens, white space apart.
    fn unsettled_from(self, text: &[u8]) -> usize {
        text.len()
    }

    /// Whether every text is cut between characters `before` and `after`, and both sides as if they stood alone.
    fn is_safe_cut(self, before: Cut, after: Cut) -> bool;
}

/// What [`Pattern::is_safe_cut`] needs to know of a character.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub properties: Properties,
    /// Its first byte.
    pub byte: u8,
}

/// Calls `on_pretoken(start, end)` for every pre-token, one character after the other: what [`super::blocks`] must equal.
#[inline]
pub(super) fn for_each<P: Pattern>(pattern: P, text: &[u8], mut on_pretoken: impl FnMut(usize, usize)) {
    let mut start = 0;
    while start < text.len() {
        let end = pattern.next_end(text, start);
        on_pretoken(start, end);
        start = end;
    }
}
