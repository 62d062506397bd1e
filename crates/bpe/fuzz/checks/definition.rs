//! What encoding is, carried out naively.

use homespun_bpe::special::Piece;
use homespun_bpe::{BpeError, SpecialPolicy, SpecialTokens, Splitter};

/// A merge of two symbols, which are numbered as their author likes.
#[derive(Clone, Copy, Debug)]
pub struct NumberedMerge {
    pub left: u32,
    pub right: u32,
    pub merged: u32,
}

/// A tokenizer whose symbols are its ids.
pub struct Definition {
    pub byte_ids: [Option<u32>; 256],
    /// In order of creation, as ids.
    pub merges: Vec<NumberedMerge>,
    pub splitter: Splitter,
    pub specials: SpecialTokens,
    pub special_ids: Vec<u32>,
}

/// Why a text cannot be encoded, as far as the encoder promises to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Byte(u8, usize),
    Special(String, usize),
}

impl Refusal {
    /// The encoder's error, which must be one of these.
    pub fn of(error: BpeError) -> Self {
        match error {
            BpeError::ByteOutsideVocabulary { byte, offset } => Self::Byte(byte, offset),
            BpeError::SpecialTokenInText { token, offset } => Self::Special(token, offset),
            other => panic!("an error that no text should give: {other}"),
        }
    }
}

impl Definition {
    /// Special tokens, then pre-tokens, then every merge in order over the whole of each pre-token.
    pub fn encode(&self, text: &str, special: SpecialPolicy) -> Result<Vec<u32>, Refusal> {
        let mut ids = Vec::new();
        let add_ordinary = |range: std::ops::Range<usize>, ids: &mut Vec<u32>| {
            for pretoken in self.splitter.split(&text[range.clone()]).unwrap() {
                let start = range.start + pretoken.start;
                self.encode_pretoken(&text.as_bytes()[start..range.start + pretoken.end], start, ids)?;
            }
            Ok(())
        };
        if special == SpecialPolicy::Text {
            add_ordinary(0..text.len(), &mut ids)?;
            return Ok(ids);
        }
        for piece in self.specials.pieces(text.as_bytes()) {
            match piece {
                Piece::Text(range) => add_ordinary(range, &mut ids)?,
                Piece::Special(range, _) if special == SpecialPolicy::Reject => {
                    return Err(Refusal::Special(text[range.clone()].to_owned(), range.start));
                }
                Piece::Special(_, index) => ids.push(self.special_ids[index]),
            }
        }
        Ok(ids)
    }

    fn encode_pretoken(&self, pretoken: &[u8], offset: usize, ids: &mut Vec<u32>) -> Result<(), Refusal> {
        let mut symbols = Vec::with_capacity(pretoken.len());
        for (place, &byte) in pretoken.iter().enumerate() {
            let id = self.byte_ids[usize::from(byte)];
            symbols.push(id.ok_or(Refusal::Byte(byte, offset + place))?);
        }
        for merge in &self.merges {
            let mut num_kept = 0;
            let mut at = 0;
            while at < symbols.len() {
                let is_pair = symbols[at] == merge.left && symbols.get(at + 1) == Some(&merge.right);
                symbols[num_kept] = if is_pair { merge.merged } else { symbols[at] };
                num_kept += 1;
                at += if is_pair { 2 } else { 1 };
            }
            symbols.truncate(num_kept);
        }
        ids.extend(symbols);
        Ok(())
    }
}
