//! Where a text may be cut, so that its parts can be read or split apart.

use std::ops::ControlFlow;

use super::pattern::{CharInfo, Pattern};
use super::scalar;
use crate::unicode::{char_start, class_at, properties_at, Class};

/// How far back from its end a text is searched for a safe cut; where there is none it is split from its beginning instead.
pub const LOOK_BACK_BYTES: usize = 1024;

/// No pre-token depends on more than this many bytes after its end, but for white space and what a pattern says itself:
/// a word waits for `'re`, and for a long s of two bytes.
const LOOK_AHEAD_BYTES: usize = 3;

/// See [`super::Splitter::stable_prefix`].
pub(super) fn stable_prefix<P: Pattern>(pattern: P, text: &[u8]) -> usize {
    if let Some(cut) = last_safe_cut(pattern, text) {
        return cut;
    }
    let final_space = final_space_start(text);
    let unsettled = pattern.unsettled_from(text);
    let mut stable = 0;
    let mut is_certain = true;
    let _ = scalar::for_each(pattern, text, |start, end| {
        is_certain &= start < final_space && end <= unsettled && end + LOOK_AHEAD_BYTES <= text.len();
        // White space at the end of a text is not divided, so a prefix that ends there would not split alike.
        if is_certain && !is_space(text, start, end) {
            stable = end;
        }
        ControlFlow::Continue(())
    });
    stable
}

/// See [`super::Splitter::last_safe_cut`].
pub(super) fn last_safe_cut<P: Pattern>(pattern: P, text: &[u8]) -> Option<usize> {
    let least = text.len().saturating_sub(LOOK_BACK_BYTES);
    let mut end = text.len();
    let mut after: Option<CharInfo> = None;
    while end > least {
        let start = char_start(text, end);
        let before = CharInfo {
            properties: properties_at(text, start).0,
            byte: text[start],
        };
        if after.is_some_and(|after| pattern.is_safe_cut(before, after)) {
            return Some(end);
        }
        after = Some(before);
        end = start;
    }
    None
}

/// See [`super::Splitter::last_cut_of_word`].
///
/// The lowercase letters on both sides belong to one pre-token: a pattern cuts between two of them only at the end of a
/// contraction, which has at most two letters, and three precede the cut. How the text before the pre-token is split
/// depends on at most those three. And every pattern matches lowercase letters at the start of a text to the same end as
/// behind other lowercase letters.
pub(super) fn last_cut_of_word(text: &[u8], may_cut: impl Fn(u8, u8) -> bool) -> Option<usize> {
    let rest = &text[text.len().saturating_sub(LOOK_BACK_BYTES)..];
    let cut = rest.windows(4).rposition(|four| {
        let &[_, _, before, after] = four else { return false };
        may_cut(before, after) && four.iter().all(u8::is_ascii_lowercase)
    })?;
    Some(text.len() - rest.len() + cut + 3)
}

/// See [`super::Splitter::first_safe_cut`].
pub(super) fn first_safe_cut<P: Pattern>(pattern: P, text: &str, from: usize) -> Option<usize> {
    let from = (from.max(1)..text.len()).find(|&at| text.is_char_boundary(at))?;
    let bytes = text.as_bytes();
    let char_at = |start: usize| CharInfo {
        properties: properties_at(bytes, start).0,
        byte: bytes[start],
    };
    let mut before = char_at(char_start(bytes, from));
    for (at, _) in text[from..].char_indices() {
        let after = char_at(from + at);
        if pattern.is_safe_cut(before, after) {
            return Some(from + at);
        }
        before = after;
    }
    None
}

/// Whether the pre-token is nothing but white space: no other holds two, or ends with its first.
fn is_space(text: &[u8], start: usize, end: usize) -> bool {
    let (class, len) = class_at(text, start);
    class == Class::Space && (start + len == end || class_at(text, start + len).0 == Class::Space)
}

/// Where the white space that ends `text` begins.
fn final_space_start(text: &[u8]) -> usize {
    let mut end = text.len();
    while end > 0 {
        let start = char_start(text, end);
        if class_at(text, start).0 != Class::Space {
            break;
        }
        end = start;
    }
    end
}
