//! What a character is to the patterns: a letter and of which case, a number, white space, a mark, or something else.

use crate::error::BpeError;
use crate::unicode_tables::{BLOCK_BITS, STAGE1, STAGE2};

pub use crate::unicode_tables::UNICODE_VERSION;

/// The classes that the patterns tell apart: `\p{L}`, `\p{N}`, `\s`, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Neither letter, number nor white space: punctuation, symbols, marks, controls, unassigned.
    Other,
    /// General category L.
    Letter,
    /// General category N.
    Number,
    /// The property White_Space. U+001C to U+001F do not have it, though Python's `str.isspace` says so.
    Space,
}

/// What the tables say of a character, in its four high bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Properties(u8);

impl Properties {
    /// The four bits, highest first: a letter; upper case or, of what is no letter, a number; lower case or white space; a
    /// mark.
    #[inline]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The class of the character.
    #[inline]
    pub fn class(self) -> Class {
        const CLASSES: [Class; 8] = {
            let mut classes = [Class::Letter; 8];
            classes[0] = Class::Other;
            classes[1] = Class::Space;
            classes[2] = Class::Number;
            classes
        };
        CLASSES[usize::from(self.0 >> 5)]
    }

    /// General category Lu or Lt.
    #[inline]
    pub fn is_upper(self) -> bool {
        self.0 & 0xC0 == 0xC0
    }

    /// General category Ll.
    #[inline]
    pub fn is_lower(self) -> bool {
        self.0 & 0xA0 == 0xA0
    }

    /// General category L or M.
    #[inline]
    pub fn is_letter_or_mark(self) -> bool {
        self.0 & 0x90 != 0
    }

    /// General category M; of [`Class::Other`].
    #[inline]
    pub fn is_mark(self) -> bool {
        self.0 & 0x10 != 0
    }
}

static ASCII: [Properties; 128] = {
    let mut table = [Properties(0); 128];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = from_stages((byte >> BLOCK_BITS) as u32, byte as u32);
        byte += 1;
    }
    table
};

/// The entry for a code point: `high` are its bits above the lowest [`BLOCK_BITS`], of which `low` may have more.
#[inline(always)]
const fn from_stages(high: u32, low: u32) -> Properties {
    let block = STAGE1[high as usize] as usize;
    Properties(STAGE2[(block << BLOCK_BITS) + (low & ((1 << BLOCK_BITS) - 1)) as usize])
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

/// Properties of a code point below U+110000.
#[inline]
pub fn properties_of(code_point: u32) -> Properties {
    from_stages(code_point >> BLOCK_BITS, code_point)
}

/// Properties of a character beyond ASCII from its UTF-8: `last` is its last byte, `high` the bits of the others.
#[inline(always)]
pub(crate) fn properties_from_utf8(high: u32, last: u8) -> Properties {
    from_stages(high, u32::from(last))
}

/// Properties and length in bytes of the character that begins at `pos`, which must be a character boundary
/// of valid UTF-8 before its end.
#[inline(always)]
pub(crate) fn properties_at(text: &[u8], pos: usize) -> (Properties, usize) {
    let byte = text[pos];
    if byte < 0x80 {
        (ASCII[byte as usize], 1)
    } else {
        let (code_point, len) = decode_multibyte(text, pos);
        (properties_of(code_point), len)
    }
}

/// Class and length of the character that begins at `pos`; see [`properties_at`].
#[inline(always)]
pub(crate) fn class_at(text: &[u8], pos: usize) -> (Class, usize) {
    let (properties, len) = properties_at(text, pos);
    (properties.class(), len)
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
            assert_eq!(properties_of(character as u32).class(), class, "{character:?}");
        }
    }

    /// Oracle: the general categories of some characters, by hand.
    #[test]
    fn cases_of_known_characters() {
        for (characters, [upper, lower, mark]) in [
            ("AZ\u{c9}\u{1c5}\u{3a3}\u{10400}", [true, false, false]), // Lu and Lt
            ("az\u{e9}\u{17f}\u{3c3}\u{10428}", [false, true, false]), // Ll
            ("\u{aa}\u{2b0}\u{5d0}\u{4e2d}\u{20000}", [false, false, false]), // Lo and Lm
            ("\u{301}\u{93f}\u{20dd}\u{fe0f}\u{e0100}", [false, false, true]), // M
            ("1 .\u{b2}\u{3000}\u{1f600}", [false, false, false]),
        ] {
            for character in characters.chars() {
                let properties = properties_of(character as u32);
                let found = [properties.is_upper(), properties.is_lower(), properties.is_mark()];
                assert_eq!(found, [upper, lower, mark], "{character:?}");
                let is_letter = properties.class() == Class::Letter;
                assert_eq!(properties.is_letter_or_mark(), is_letter || mark, "{character:?}");
            }
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
