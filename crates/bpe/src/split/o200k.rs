//! GPT-4o's pattern (o200k_base): as GPT-4's, but words end where upper case follows lower case, marks belong to words, a
//! contraction to the word before it, and slashes to line breaks after punctuation.

use super::bits::{flood, low_bits, spread};
use super::gpt2::class_run_end;
use super::gpt4::{contraction_len, cut_spaces, is_line_break, number_end, number_starts, space_end};
use super::pattern::{Block, CharInfo, Pattern, Starts};
use crate::unicode::{char_start, properties_at, Class};

/// `[^\r\n\p{L}\p{N}]?UPPER*LOWER+CONTRACTION?|[^\r\n\p{L}\p{N}]?UPPER+LOWER*CONTRACTION?|\p{N}{1,3}|`
/// ` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`, where UPPER is `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, LOWER is
/// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]` and CONTRACTION is `(?i:'s|'t|'re|'ve|'m|'ll|'d)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct O200k;

impl Pattern for O200k {
    #[inline]
    fn next_end(self, text: &[u8], pos: usize) -> usize {
        let first = text[pos];
        let (properties, len) = properties_at(text, pos);
        let class = properties.class();
        let end = pos + len;
        if class == Class::Number {
            return number_end(text, end);
        }
        let after = (end < text.len()).then(|| properties_at(text, end).0);
        if properties.is_letter_or_mark() {
            return word_end(text, pos);
        }
        if after.is_some_and(|after| after.is_letter_or_mark()) && !is_line_break(first) {
            return word_end(text, end);
        }
        if class == Class::Other || (first == b' ' && after.is_some_and(|after| after.class() == Class::Other)) {
            let mut end = class_run_end(text, end, Class::Other);
            while end < text.len() && (is_line_break(text[end]) || text[end] == b'/') {
                end += 1;
            }
            return end;
        }
        space_end(text, pos, false)
    }

    #[inline(always)]
    fn starts(self, block: &Block<'_>) -> Starts {
        let masks = &block.masks;
        let valid = block.valid();
        let (number, upper) = (masks.number, masks.upper);
        let word = masks.letter | block.mark;
        let lower = masks.letter & !upper & !block.caseless;
        let mut other = valid & !(word | number | masks.space);
        // What these are part of is known by what stands far before or behind them.
        let unclear = upper & (block.caseless | block.mark) << 1 | block.mark & other << 1;
        // Line breaks after punctuation belong to it, and slashes after these.
        let closing = flood(masks.line_break & other << 1, masks.line_break | masks.slash);
        other &= !closing;
        let space = masks.space & !closing;
        let goes_on = word & word << 1 & !(upper & lower << 1)
            | number & number << 1
            | space & space << 1
            | other & other << 1
            | closing & (other | closing) << 1;
        let mut bits = valid & !goes_on;
        let spaces = cut_spaces(block, space, false);
        bits &= !(spaces.after & word | spaces.after & other & masks.blank << 1);
        bits |= spaces.starts;
        bits &= !(word & spread(bits & other, block.continuation) << 1);

        let mut apostrophes = masks.apostrophe & word << 1;
        let mut last_end = 0;
        while apostrophes != 0 {
            let at = apostrophes.trailing_zeros() as usize;
            apostrophes &= apostrophes - 1;
            // After a contraction a new word begins, even with an apostrophe.
            if at == last_end {
                continue;
            }
            if let Some(len) = contraction_len(block.text, block.pos + at) {
                last_end = at + len;
                bits &= !(low_bits(last_end) & !low_bits(at));
                bits |= (1u64 << at) << len;
            }
        }
        bits |= number_starts(block);
        let mut certain = spaces.certain;
        if unclear != 0 {
            // The next block begins with the pre-token before, and if it is still unclear that one goes by characters.
            let before = bits & low_bits(unclear.trailing_zeros() as usize);
            certain = certain.min(64 - before.leading_zeros() as usize);
        }
        Starts {
            bits: bits & valid,
            certain,
        }
    }

    fn is_safe_cut(self, before: CharInfo, after: CharInfo) -> bool {
        match before.properties.class() {
            Class::Space => false,
            Class::Number => after.properties.class() != Class::Number,
            // A contraction or a mark may belong to the word.
            Class::Letter => match after.properties.class() {
                Class::Letter => false,
                Class::Number | Class::Space => true,
                Class::Other => !after.properties.is_mark() && after.byte != b'\'',
            },
            // Letters, marks and line breaks may join what stands before them.
            Class::Other => match after.properties.class() {
                Class::Letter | Class::Other => false,
                Class::Number => true,
                Class::Space => !is_line_break(after.byte),
            },
        }
    }

    fn unsettled_from(self, text: &[u8]) -> usize {
        // Lower case behind all this would make one word of it.
        let mut start = text.len();
        while start > 0 {
            let before = char_start(text, start);
            let properties = properties_at(text, before).0;
            if !properties.is_letter_or_mark() || properties.is_lower() {
                break;
            }
            start = before;
        }
        start
    }
}

/// `UPPER*LOWER+CONTRACTION?|UPPER+LOWER*CONTRACTION?` at `pos`, where a letter or a mark stands.
fn word_end(text: &[u8], pos: usize) -> usize {
    let mut end = pos;
    // Behind the last character that is of both kinds: what is left to LOWER where no lower case follows.
    let mut both_end = pos;
    let mut next = None;
    while end < text.len() {
        let (properties, len) = properties_at(text, end);
        if !properties.is_letter_or_mark() || properties.is_lower() {
            next = Some(properties);
            break;
        }
        end += len;
        if !properties.is_upper() {
            both_end = end;
        }
    }
    if next.is_some_and(|next| next.is_lower()) {
        while end < text.len() {
            let (properties, len) = properties_at(text, end);
            if !properties.is_letter_or_mark() || properties.is_upper() {
                break;
            }
            end += len;
        }
    } else if both_end > pos {
        end = both_end;
    }
    if text.get(end) == Some(&b'\'') {
        end += contraction_len(text, end).unwrap_or(0);
    }
    end
}
