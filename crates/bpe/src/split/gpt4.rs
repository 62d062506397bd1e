//! GPT-4's pattern (cl100k_base): as GPT-2's, but contractions in any case, any one character before letters, numbers by
//! threes, line breaks kept with the punctuation before them.

use super::gpt2::{class_run_end, space_run_end};
use super::scalar::{Cut, Pattern};
use crate::unicode::{class_at, Class};

/// `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
/// with `\s++$` before the white-space alternatives where `joins_final_space`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gpt4 {
    /// Whether white space that ends the text is one pre-token even where it holds line breaks.
    pub joins_final_space: bool,
}

impl Pattern for Gpt4 {
    #[inline]
    fn next_end(self, text: &[u8], pos: usize) -> usize {
        let first = text[pos];
        if first == b'\'' {
            if let Some(len) = contraction_len(text, pos) {
                return pos + len;
            }
        }
        let (class, len) = class_at(text, pos);
        let end = pos + len;
        match class {
            Class::Letter => return class_run_end(text, end, Class::Letter),
            Class::Number => return number_end(text, end),
            Class::Other | Class::Space => {}
        }
        let after = if end < text.len() { class_at(text, end).0 } else { class };
        if after == Class::Letter && !is_line_break(first) {
            return class_run_end(text, end, Class::Letter);
        }
        if class == Class::Other || (first == b' ' && after == Class::Other) {
            let mut end = class_run_end(text, end, Class::Other);
            while end < text.len() && is_line_break(text[end]) {
                end += 1;
            }
            return end;
        }
        self.space_end(text, pos)
    }

    fn is_safe_cut(self, before: Cut, after: Cut) -> bool {
        match before.class {
            Class::Space => false,
            // Letters and line breaks may join what stands before them.
            Class::Other => after.class == Class::Number || (after.class == Class::Space && !is_line_break(after.byte)),
            Class::Letter | Class::Number => before.class != after.class,
        }
    }
}

impl Gpt4 {
    /// `\s++$|\s*[\r\n]|\s+(?!\S)|\s` at `pos`, without the first where white space at the end is not joined.
    fn space_end(self, text: &[u8], pos: usize) -> usize {
        let run_end = class_run_end(text, pos, Class::Space);
        if run_end == text.len() && self.joins_final_space {
            return run_end;
        }
        match text[pos..run_end].iter().rposition(|&b| is_line_break(b)) {
            Some(last) => pos + last + 1,
            None => space_run_end(text, pos),
        }
    }
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Where the number that has one character before `pos` ends: after three at most.
fn number_end(text: &[u8], mut pos: usize) -> usize {
    for _ in 0..2 {
        if pos == text.len() {
            break;
        }
        let (class, len) = class_at(text, pos);
        if class != Class::Number {
            break;
        }
        pos += len;
    }
    pos
}

/// Length of the contraction whose apostrophe stands at `pos`, letters in either case. U+017F, the long s, is a case of s.
fn contraction_len(text: &[u8], pos: usize) -> Option<usize> {
    let lower = |i: usize| text.get(pos + i).map(u8::to_ascii_lowercase);
    match lower(1)? {
        b's' | b'd' | b'm' | b't' => Some(2),
        b'l' if lower(2) == Some(b'l') => Some(3),
        b'v' | b'r' if lower(2) == Some(b'e') => Some(3),
        0xC5 if text.get(pos + 2) == Some(&0xBF) => Some(3),
        _ => None,
    }
}
