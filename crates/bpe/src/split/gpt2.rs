//! GPT-2's pattern: contractions; letters, numbers or other characters with at most one space before; white space.

use super::scalar::{Cut, Pattern};
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

    fn is_safe_cut(self, before: Cut, after: Cut) -> bool {
        match before.class {
            // The last character of a white-space run may belong to what follows it.
            Class::Space => false,
            // An apostrophe may begin a contraction.
            Class::Other => before.class != after.class && before.byte != b'\'',
            Class::Letter | Class::Number => before.class != after.class,
        }
    }
}

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
