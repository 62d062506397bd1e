//! GPT-4's pattern (cl100k_base): as GPT-2's, but contractions in any case, any one character before letters, numbers by
//! threes, line breaks kept with the punctuation before them.

use super::bits::{first_bytes, low_bits, spread};
use super::gpt2::{class_run_end, cut_contractions, space_run_end};
use super::pattern::{Block, CharInfo, Pattern, Starts};
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
        space_end(text, pos, self.joins_final_space)
    }

    #[inline(always)]
    fn starts(self, block: &Block<'_>) -> Starts {
        let masks = &block.masks;
        let valid = block.valid();
        let (letter, number) = (masks.letter, masks.number);
        let other = valid & !(letter | number | masks.space);
        // Line breaks after punctuation belong to it: adding its first bit clears such a run.
        let closing = masks.line_break & !masks.line_break.wrapping_add(masks.line_break & other << 1);
        let space = masks.space & !closing;
        let goes_on = letter & letter << 1
            | number & number << 1
            | space & space << 1
            | other & other << 1
            | closing & (other | closing) << 1;
        let mut bits = valid & !goes_on;
        let spaces = cut_spaces(block, space, self.joins_final_space);
        // Letters take any character before them; punctuation takes a blank.
        bits &= !(spaces.after & letter | spaces.after & other & masks.blank << 1);
        bits |= spaces.starts;
        bits &= !(letter & spread(bits & other, block.continuation) << 1);
        bits = cut_contractions(block, bits, contraction_len);
        bits |= number_starts(block);
        Starts {
            bits: bits & valid,
            certain: spaces.certain,
        }
    }

    fn is_safe_cut(self, before: CharInfo, after: CharInfo) -> bool {
        let (class, after_class) = (before.properties.class(), after.properties.class());
        match class {
            Class::Space => false,
            // Letters and line breaks may join what stands before them.
            Class::Other => after_class == Class::Number || (after_class == Class::Space && !is_line_break(after.byte)),
            Class::Letter | Class::Number => class != after_class,
        }
    }
}

/// Where white space is cut in a block.
pub(super) struct Spaces {
    /// Pre-tokens begin here.
    pub starts: u64,
    /// What follows white space that is no line break.
    pub after: u64,
    /// The bits below this one are certain: white space that reaches the end of the block is known by what follows it.
    pub certain: usize,
}

/// Cuts `space`, the white space that belongs to no punctuation before it: after its last line break, and before its last
/// character where something follows.
#[inline(always)]
pub(super) fn cut_spaces(block: &Block<'_>, space: u64, joins_final_space: bool) -> Spaces {
    let masks = &block.masks;
    let mut certain = block.len;
    if !block.is_last {
        certain -= (masks.space << (64 - block.len)).leading_ones() as usize;
        certain = (certain + 1).min(block.len);
    }
    let mut starts = 0;
    let line_break = masks.line_break & space;
    let within_line = space & !masks.line_break;
    let mut indents = within_line & line_break << 1;
    while indents != 0 {
        let at = indents.trailing_zeros();
        indents &= indents - 1;
        let end = at + (within_line >> at).trailing_ones();
        let reaches_end = end as usize >= block.len;
        let is_joined = reaches_end && block.is_last && joins_final_space;
        if !is_joined && (reaches_end || line_break >> end & 1 == 0) {
            starts |= 1 << at;
        }
    }
    let after = within_line << 1 & !masks.space & block.valid();
    starts |= first_bytes(after >> 1, block.continuation);
    Spaces { starts, after, certain }
}

/// `\s++$|\s*[\r\n]|\s+(?!\S)|\s` at `pos`, without the first where white space at the end is not joined.
pub(super) fn space_end(text: &[u8], pos: usize, joins_final_space: bool) -> usize {
    let run_end = class_run_end(text, pos, Class::Space);
    if run_end == text.len() && joins_final_space {
        return run_end;
    }
    match text[pos..run_end].iter().rposition(|&b| is_line_break(b)) {
        Some(last) => pos + last + 1,
        None => space_run_end(text, pos),
    }
}

/// The starts of every third character of numbers but the first.
#[inline(always)]
pub(super) fn number_starts(block: &Block<'_>) -> u64 {
    let number = block.masks.number;
    if number & number << 1 & number << 2 & number << 3 == 0 {
        return 0; // mostly
    }
    long_number_starts(block, number & !(number << 1))
}

#[inline(never)]
fn long_number_starts(block: &Block<'_>, mut firsts: u64) -> u64 {
    let mut starts = 0;
    let char_starts = !block.continuation;
    while firsts != 0 {
        let first = firsts.trailing_zeros();
        firsts &= firsts - 1;
        let end = first + (block.masks.number >> first).trailing_ones();
        let mut rest = char_starts & low_bits(end as usize) & !low_bits(first as usize + 1);
        let mut index = 1;
        while rest != 0 {
            if index % 3 == 0 {
                starts |= rest & rest.wrapping_neg();
            }
            rest &= rest - 1;
            index += 1;
        }
    }
    starts
}

pub(super) fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Where the number that has one character before `pos` ends: after three at most.
pub(super) fn number_end(text: &[u8], mut pos: usize) -> usize {
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
pub(super) fn contraction_len(text: &[u8], pos: usize) -> Option<usize> {
    let lower = |i: usize| text.get(pos + i).map(u8::to_ascii_lowercase);
    match lower(1)? {
        b's' | b'd' | b'm' | b't' => Some(2),
        b'l' if lower(2) == Some(b'l') => Some(3),
        b'v' | b'r' if lower(2) == Some(b'e') => Some(3),
        0xC5 if text.get(pos + 2) == Some(&0xBF) => Some(3),
        _ => None,
    }
}
