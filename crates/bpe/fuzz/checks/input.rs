//! Bytes read as numbers and texts, so that small changes of the bytes are small changes of what is checked.

/// The bytes not yet read; zeros and nothing once they are used up.
pub struct Input<'a>(&'a [u8]);

/// What bytes 0x80 to 0xBF stand for: characters on which patterns depend, and a run of each class and length.
const CHARACTERS: [char; 64] = [
    '\u{85}',
    '\u{a0}',
    '\u{1680}',
    '\u{2000}',
    '\u{2003}',
    '\u{2028}',
    '\u{202f}',
    '\u{3000}', // white space
    '\u{1c}',
    '\u{1f}',
    '\u{180e}',
    '\u{200b}',
    '\u{feff}',
    '\0',
    '\u{7f}',
    '\u{b}', // nearly white space
    '\u{e9}',
    '\u{df}',
    '\u{17f}',
    '\u{212a}',
    '\u{130}',
    '\u{131}',
    '\u{1c5}',
    '\u{2b0}', // letters of Europe
    '\u{aa}',
    '\u{5d0}',
    '\u{627}',
    '\u{905}',
    '\u{e01}',
    '\u{4e2d}',
    '\u{ac00}',
    '\u{20000}', // and of elsewhere
    '\u{10400}',
    '\u{1d400}',
    '\u{a640}',
    '\u{ff21}',
    '\u{ff41}',
    '\u{1e9e}',
    '\u{3a3}',
    '\u{3c2}', // in both cases
    '\u{b2}',
    '\u{bd}',
    '\u{661}',
    '\u{966}',
    '\u{2160}',
    '\u{3007}',
    '\u{ff11}',
    '\u{1d7ce}', // numbers
    '\u{301}',
    '\u{93f}',
    '\u{20dd}',
    '\u{fe0f}',
    '\u{200d}',
    '\u{e0100}',
    '\u{483}',
    '\u{e31}', // marks
    '\u{2019}',
    '\u{ff07}',
    '\u{20ac}',
    '\u{2026}',
    '\u{1f600}',
    '\u{fffd}',
    '\u{e000}',
    '\u{10ffff}', // others
];

/// What bytes 0xE0 to 0xFE stand for.
const FRAGMENTS: [&str; 31] = [
    "'s",
    "'S",
    "'re",
    "'LL",
    "'ve",
    "'d",
    "'\u{17f}",
    "it's ",
    "\r\n",
    "\n\n",
    " \n",
    "\n ",
    "  ",
    "\t ",
    "<|end|>",
    "<|end",
    "|>",
    "<|",
    "|>x",
    "<|end|><|end|>",
    "12",
    "123",
    " a",
    "the",
    " THE",
    "aB",
    "Ab",
    ".\n\n",
    "/\n",
    " '",
    "e\u{301}",
];

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    pub fn number(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// At most `len` bytes as they are.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        first
    }

    /// The text that the rest of the bytes stands for: ASCII for itself, 0x80 to 0xBF for one of [`CHARACTERS`], 0xC0 to
    /// 0xDF for more of the last character, 0xE0 to 0xFE for one of [`FRAGMENTS`], 0xFF for the character numbered by
    /// the next three bytes.
    pub fn text(&mut self) -> String {
        let mut text = String::new();
        while !self.is_empty() {
            match self.byte() {
                byte @ 0..=0x7F => text.push(char::from(byte)),
                byte @ 0x80..=0xBF => text.push(CHARACTERS[usize::from(byte & 0x3F)]),
                byte @ 0xC0..=0xDF => {
                    let last = text.chars().next_back().unwrap_or(' ');
                    text.extend(std::iter::repeat_n(last, 1 + 3 * usize::from(byte & 0x1F)));
                }
                byte @ 0xE0..=0xFE => text.push_str(FRAGMENTS[usize::from(byte & 0x1F)]),
                0xFF => {
                    let number = u32::from_le_bytes([self.byte(), self.byte(), self.byte(), 0]);
                    text.push(char::from_u32(number).unwrap_or('\u{fffd}'));
                }
            }
        }
        text
    }
}

/// The character boundary at or before `at`, taken round the end of the text.
pub fn boundary(text: &str, at: usize) -> usize {
    let at = at % (text.len() + 1);
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
