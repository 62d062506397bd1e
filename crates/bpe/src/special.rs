//! Special tokens: strings that stand outside BPE, found before anything else looks at a text.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::BpeError;

/// The special tokens of a tokenizer, ready to be found: leftmost first, of those that begin together the longest.
#[derive(Clone, Debug)]
pub struct SpecialTokens {
    tokens: Vec<String>,
    finder: Option<AhoCorasick>,
    max_len: usize,
}

/// Text between special tokens, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Plain text, never empty.
    Text(Range<usize>),
    /// A special token: where it stands, and its index in the list given to [`SpecialTokens::new`].
    Special(Range<usize>, usize),
}

impl SpecialTokens {
    /// Prepares `tokens`; an empty list finds nothing.
    ///
    /// # Errors
    ///
    /// [`BpeError::EmptySpecialToken`] and [`BpeError::DuplicateSpecialToken`].
    pub fn new<S: Into<String>>(tokens: impl IntoIterator<Item = S>) -> Result<Self, BpeError> {
        let tokens: Vec<String> = tokens.into_iter().map(Into::into).collect();
        let mut seen = std::collections::HashSet::new();
        for (index, token) in tokens.iter().enumerate() {
            if token.is_empty() {
                return Err(BpeError::EmptySpecialToken { index });
            }
            if !seen.insert(token.as_str()) {
                return Err(BpeError::DuplicateSpecialToken { token: token.clone() });
            }
        }
        let finder = if tokens.is_empty() {
            None
        } else {
            let built = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(&tokens);
            Some(built.map_err(|error| BpeError::TooManySpecialTokens {
                count: tokens.len(),
                reason: error.to_string(),
            })?)
        };
        let max_len = tokens.iter().map(String::len).max().unwrap_or(0);
        Ok(Self {
            tokens,
            finder,
            max_len,
        })
    }

    /// The tokens, in the order given.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Length in bytes of the longest token, 0 without any.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// The first special token at or after `from`: where it stands, and its index.
    #[inline]
    pub fn find(&self, text: &[u8], from: usize) -> Option<(Range<usize>, usize)> {
        let found = self.finder.as_ref()?.find(&text[from..])?;
        Some((from + found.start()..from + found.end(), found.pattern().as_usize()))
    }

    /// Cuts `text` at every special token.
    pub fn pieces<'a>(&'a self, text: &'a [u8]) -> Pieces<'a> {
        Pieces {
            specials: self,
            text,
            pos: 0,
            waiting: None,
        }
    }

    /// The earliest place at or after `from` at which `text` ends in the beginning of a special token, which more text
    /// could complete or lengthen; the length of `text` where there is none.
    pub fn unfinished_from(&self, text: &[u8], from: usize) -> usize {
        let earliest = text.len().saturating_sub(self.max_len.saturating_sub(1));
        (from.max(earliest)..text.len())
            .find(|&start| {
                let tail = &text[start..];
                self.tokens
                    .iter()
                    .any(|token| token.len() > tail.len() && token.as_bytes().starts_with(tail))
            })
            .unwrap_or(text.len())
    }

    /// Whether some special token begins before `cut` and ends after it.
    pub fn straddles(&self, text: &[u8], cut: usize) -> bool {
        let earliest = cut.saturating_sub(self.max_len.saturating_sub(1));
        (earliest..cut).any(|start| {
            self.tokens
                .iter()
                .any(|token| start + token.len() > cut && text[start..].starts_with(token.as_bytes()))
        })
    }
}

/// Iterator over the [`Piece`]s of a text.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    specials: &'a SpecialTokens,
    text: &'a [u8],
    pos: usize,
    waiting: Option<(Range<usize>, usize)>,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let Some((range, index)) = self.waiting.take() {
            self.pos = range.end;
            return Some(Piece::Special(range, index));
        }
        if self.pos == self.text.len() {
            return None;
        }
        match self.specials.find(self.text, self.pos) {
            None => {
                let range = self.pos..self.text.len();
                self.pos = self.text.len();
                Some(Piece::Text(range))
            }
            Some((range, index)) if range.start == self.pos => {
                self.pos = range.end;
                Some(Piece::Special(range, index))
            }
            Some((range, index)) => {
                let before = self.pos..range.start;
                self.pos = range.start;
                self.waiting = Some((range, index));
                Some(Piece::Text(before))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(tokens: &[&str], text: &str) -> Vec<String> {
        let specials = SpecialTokens::new(tokens.iter().copied()).unwrap();
        specials
            .pieces(text.as_bytes())
            .map(|piece| match piece {
                Piece::Text(range) => text[range].to_string(),
                Piece::Special(range, index) => {
                    assert_eq!(&text[range.clone()], tokens[index]);
                    format!("[{}]", &text[range])
                }
            })
            .collect()
    }

    #[test]
    fn the_longest_wins_where_tokens_overlap() {
        assert_eq!(
            pieces(&["<a>", "<a><a>"], "x<a><a><a>y"),
            ["x", "[<a><a>]", "[<a>]", "y"]
        );
        assert_eq!(pieces(&["ab", "bc"], "abc"), ["[ab]", "c"]);
        assert_eq!(pieces(&[], "abc"), ["abc"]);
        assert!(pieces(&["a"], "").is_empty());
    }

    #[test]
    fn empty_and_repeated_tokens_are_refused() {
        assert!(matches!(
            SpecialTokens::new(["a", ""]),
            Err(BpeError::EmptySpecialToken { index: 1 })
        ));
        assert!(matches!(
            SpecialTokens::new(["a", "a"]),
            Err(BpeError::DuplicateSpecialToken { .. })
        ));
    }

    #[test]
    fn unfinished_tokens_are_seen_at_the_end() {
        let specials = SpecialTokens::new(["<|end|>", "<|end|><|end|>"]).unwrap();
        assert_eq!(specials.unfinished_from(b"abc<|en", 0), 3);
        assert_eq!(specials.unfinished_from(b"abc<|end|>", 0), 3);
        assert_eq!(specials.unfinished_from(b"abc", 0), 3);
        assert!(specials.straddles(b"abc<|end|>", 5));
        assert!(!specials.straddles(b"abc<|end|>", 3));
    }
}
