//! GPT-2's pattern: contractions; letters, numbers or other characters with at most one space before; white space.

use super::bits::first_bytes;
use super::pattern::{Block, CharInfo, Pattern, Starts};
use crate::unicode::{class_at, Class};

/// `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
#[derive(Clone, Copy, Debug)]
pub(super) struct Gpt2;

impl Pattern for Gpt2 {
    #[inline]
    fn next_end(self, text: &[u8], pos: usize) -> usize {
        let first = text[pos];
        if first == b'\'' {
            if let Some(len) = contraction_len(text, pos) {
                return pos + len;
            }
        }
        let (mut class, mut len) = class_at(text, pos);
        let mut end = pos + len;
        if class == Class::Space {
            if end == text.len() {
                return end;
            }
            let (after, after_len) = class_at(text, end);
            if after == Class::Space {
                return space_run_end(text, pos);
            }
            if first != b' ' {
                return end;
            }
            (class, len) = (after, after_len);
            end += len;
        }
        class_run_end(text, end, class)
    }

    #[inline(always)]
    fn starts(self, block: &Block<'_>) -> Starts {
        let masks = &block.masks;
        let valid = block.valid();
        let (letter, number, space) = (masks.letter, masks.number, masks.space);
        let other = valid & !(letter | number | space);
        let goes_on = letter & letter << 1 | number & number << 1 | space & space << 1 | other & other << 1;
        let mut bits = valid & !goes_on;
        // The last of some white space stands alone before what follows, or, a blank, belongs to it.
        let after_space = space << 1 & !space & valid;
        bits |= first_bytes(after_space >> 1, block.continuation);
        bits &= !(after_space & masks.blank << 1);
        bits = cut_contractions(block, bits, contraction_len);
        // White space at the very end of the block may have more after it.
        let unknown = match (block.is_last, masks.non_ascii) {
            (true, _) => 0,
            (false, 0) => 1,
            (false, _) => MAX_SPACE_LEN,
        };
        Starts {
            bits: bits & valid,
            certain: block.len.saturating_sub(unknown),
        }
    }

    fn is_safe_cut(self, before: CharInfo, after: CharInfo) -> bool {
        let (class, after_class) = (before.properties.class(), after.properties.class());
        match class {
            // The last character of a white-space run may belong to what follows it.
            Class::Space => false,
            // An apostrophe may begin a contraction.
            Class::Other => class != after_class && before.byte != b'\'',
            Class::Letter | Class::Number => class != after_class,
        }
    }
}

/// Moves the cut behind each apostrophe that begins a pre-token, one of `bits`, to the end of its contraction.
#[inline(always)]
pub(super) fn cut_contractions(
    block: &Block<'_>,
    mut bits: u64,
    contraction_len: impl Fn(&[u8], usize) -> Option<usize>,
) -> u64 {
    let mut apostrophes = block.masks.apostrophe & bits;
    while apostrophes != 0 {
        let at = apostrophes.trailing_zeros() as usize;
        apostrophes &= apostrophes - 1;
        if let Some(len) = contraction_len(block.text, block.pos + at) {
            bits &= !(2 << at);
            bits |= (1u64 << at) << len;
        }
    }
    bits
}

/// Bytes of the longest white-space character.
pub(super) const MAX_SPACE_LEN: usize = 3;

/// Length of the contraction whose apostrophe stands at `pos`.
#[inline]
pub(super) fn contraction_len(text: &[u8], pos: usize) -> Option<usize> {
    match text.get(pos + 1)? {
        b's' | b'd' | b'm' | b't' => Some(2),
        b'l' if text.get(pos + 2) == Some(&b'l') => Some(3),
        b'v' | b'r' if text.get(pos + 2) == Some(&b'e') => Some(3),
        _ => None,
    }
}

/// Where the characters of `class` that begin at `pos` end.
#[inline]
pub(super) fn class_run_end(text: &[u8], mut pos: usize, class: Class) -> usize {
    while pos < text.len() {
        let (next, len) = class_at(text, pos);
        if next != class {
            break;
        }
        pos += len;
    }
    pos
}

/// `\s+(?!\S)|\s+` at `pos`: the whole run at the end of the text, otherwise all but its last character, but one at least.
#[inline]
pub(super) fn space_run_end(text: &[u8], pos: usize) -> usize {
    let mut last = pos;
    let mut end = pos;
    while end < text.len() {
        let (class, len) = class_at(text, end);
        if class != Class::Space {
            return if last == pos { end } else { last };
        }
        last = end;
        end += len;
    }
    end
}
