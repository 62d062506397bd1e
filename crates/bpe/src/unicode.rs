//! What a character is to the patterns: a letter, a number, white space, or something else.

use crate::error::BpeError;
use crate::unicode_tables::{BLOCK_BITS, STAGE1, STAGE2};

pub use crate::unicode_tables::UNICODE_VERSION;

/// The classes that the patterns tell apart: `\p{L}`, `\p{N}`, `\s`, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Neither letter, number nor white space: punctuation, symbols, marks, controls, unassigned.
    Other = 0,
    /// General category L.
    Letter = 1,
    /// General category N.
    Number = 2,
    /// The property White_Space. U+001C to U+001F do not have it, though Python's `str.isspace` says so.
    Space = 3,
}

impl Class {
    const fn from_table(entry: u8) -> Self {
        match entry {
            1 => Self::Letter,
            2 => Self::Number,
            3 => Self::Space,
            _ => Self::Other,
        }
    }
}

static ASCII: [Class; 128] = {
    let mut table = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = class_from_stages(byte as u32);
        byte += 1;
    }
    table
};

const fn class_from_stages(code_point: u32) -> Class {
    let block = STAGE1[(code_point >> BLOCK_BITS) as usize] as usize;
    let entry = (block << BLOCK_BITS) + (code_point & ((1 << BLOCK_BITS) - 1)) as usize;
    Class::from_table(STAGE2[entry])
}

/// `bytes` as text, checked faster than it is read.
///
/// # Errors
/// [`BpeError::InvalidUtf8`] with the offset.
pub fn text_of(bytes: &[u8]) -> Result<&str, BpeError> {
    simdutf8::compat::from_utf8(bytes).map_err(|error| BpeError::InvalidUtf8 {
        place: "text".to_owned(),
        offset: error.valid_up_to() as u64,
    })
}

/// Class of a code point below U+110000.
#[inline]
pub fn class_of(code_point: u32) -> Class {
    class_from_stages(code_point)
}

/// Class and length in bytes of the character that begins at `pos`, which must be a character boundary
/// of valid UTF-8 before its end.
#[inline(always)]
pub(crate) fn class_at(text: &[u8], pos: usize) -> (Class, usize) {
    let byte = text[pos];
    if byte < 0x80 {
        (ASCII[byte as usize], 1)
    } else {
        let (code_point, len) = decode_multibyte(text, pos);
        (class_from_stages(code_point), len)
    }
}

/// Code point and length of the character of two to four bytes that begins at `pos`.
#[inline]
pub(crate) fn decode_multibyte(text: &[u8], pos: usize) -> (u32, usize) {
    let lead = u32::from(text[pos]);
    // Valid UTF-8 never runs out here; 0 stands in so that no path can panic.
    let tail = |i: usize| u32::from(text.get(pos + i).copied().unwrap_or(0)) & 0x3F;
    match lead {
        0..=0xDF => ((lead & 0x1F) << 6 | tail(1), 2),
        0xE0..=0xEF => ((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), 3),
        _ => ((lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4),
    }
}

/// Where the character that ends at `end` begins.
#[inline]
pub(crate) fn char_start(text: &[u8], end: usize) -> usize {
    let mut start = end - 1;
    while start > 0 && text[start] & 0xC0 == 0x80 {
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the definition of each class, by hand.
    #[test]
    fn classes_of_known_characters() {
        for (character, class) in [
            ('a', Class::Letter),
            ('7', Class::Number),
            (' ', Class::Space),
            ('\u{1c}', Class::Other),
            ('\u{85}', Class::Space),
            ('\u{a0}', Class::Space),
            ('\u{3000}', Class::Space),
            ('\u{200b}', Class::Other),
            ('\u{301}', Class::Other),
            ('\u{17f}', Class::Letter),
            ('\u{4e2d}', Class::Letter),
            ('\u{b2}', Class::Number),
            ('\u{10ffff}', Class::Other),
        ] {
            assert_eq!(class_of(character as u32), class, "{character:?}");
        }
    }

    /// Oracle: the standard library's decoding.
    #[test]
    fn every_character_decodes_to_itself() {
        for character in ('\u{80}'..=char::MAX).step_by(7) {
            let mut buffer = [0; 4];
            let encoded = character.encode_utf8(&mut buffer).as_bytes();
            assert_eq!(decode_multibyte(encoded, 0), (character as u32, encoded.len()));
            assert_eq!(char_start(encoded, encoded.len()), 0);
        }
    }
}
