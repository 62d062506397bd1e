//! A vocabulary: the bytes of every id, the token of given bytes, and the merges between tokens.
//!
//! Ids may be sparse (any `u32`). Inside the encoder a token is its [`Symbol`], its place among the ids in
//! ascending order, so that tables stay small; ids appear only at the border.

use crate::error::BpeError;
use crate::hash::hash_bytes;
use crate::memory::extend;

/// A token's place among the vocabulary's ids in ascending order.
pub type Symbol = u32;

/// Symbols stay below this, so that the top bit of a word is free for marks (see `encode::long`).
pub const MAX_SYMBOLS: usize = 1 << 31;

/// Bytes of a token that decoding copies at once: up to 15 of the token, then its length.
pub(crate) const FIXED_SIZE: usize = 16;

/// In place of the length: the token has more bytes than fit.
pub(crate) const TOO_LONG: u8 = u8::MAX;

/// No symbol: an empty slot.
const EMPTY: Symbol = Symbol::MAX;

/// Two neighbouring symbols and the symbol that replaces them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge {
    /// The symbol on the left.
    pub left: Symbol,
    /// The symbol on the right.
    pub right: Symbol,
    /// The symbol of their joined bytes.
    pub merged: Symbol,
}

/// Tokens by id and by bytes.
///
/// Single bytes may be missing; encoding a text that needs one is then an error. Where several ids spell the
/// same bytes, ordinary text takes the highest one that is no special token; every id decodes.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    ids: Vec<u32>,
    /// Ids below this are their own symbols: no search.
    num_dense: u32,
    /// The bytes of all symbols, concatenated.
    bytes: Vec<u8>,
    /// Symbol `s` has `bytes[starts[s]..starts[s + 1]]`.
    starts: Vec<u32>,
    /// Symbols of ordinary text, by the hash of their bytes: open addressing, at most half full.
    by_bytes: Vec<Symbol>,
    fixed_size: Vec<[u8; FIXED_SIZE]>,
}

impl Vocabulary {
    /// Collects tokens in any order. `special_tokens` are added where their id is absent.
    ///
    /// # Errors
    /// An empty token, two tokens with one id, or a special token whose id has other bytes.
    pub fn new<Tokens, Bytes>(tokens: Tokens, special_tokens: &[(String, u32)]) -> Result<Self, BpeError>
    where
        Tokens: IntoIterator<Item = (u32, Bytes)>,
        Bytes: AsRef<[u8]>,
    {
        let ordinary: Vec<(u32, Bytes)> = tokens.into_iter().collect();
        let mut sorted: Vec<(u32, &[u8], bool)> = ordinary.iter().map(|(id, b)| (*id, b.as_ref(), false)).collect();
        sorted.extend(special_tokens.iter().map(|(text, id)| (*id, text.as_bytes(), true)));
        sorted.sort_by_key(|&(id, _, is_special)| (id, is_special));

        let mut vocabulary = Self {
            ids: Vec::with_capacity(sorted.len()),
            num_dense: 0,
            bytes: Vec::new(),
            starts: vec![0],
            by_bytes: vec![EMPTY; (sorted.len() * 2).next_power_of_two()],
            fixed_size: Vec::new(),
        };
        let mut special_symbols = Vec::with_capacity(special_tokens.len());
        for (id, bytes, is_special) in sorted {
            if bytes.is_empty() {
                return Err(BpeError::EmptyToken { id });
            }
            if vocabulary.ids.last() == Some(&id) {
                let first = vocabulary.symbol_bytes(vocabulary.len() as Symbol - 1);
                // A special token may be listed among the tokens too, but must have the same bytes there.
                if !is_special || first != bytes {
                    return Err(BpeError::DuplicateId {
                        id,
                        first: first.to_vec(),
                        second: bytes.to_vec(),
                    });
                }
                special_symbols.push(vocabulary.len() as Symbol - 1);
                continue;
            }
            if is_special {
                special_symbols.push(vocabulary.len() as Symbol);
            }
            vocabulary.ids.push(id);
            extend(&mut vocabulary.bytes, bytes)?;
            vocabulary.starts.push(vocabulary.bytes.len() as u32);
        }
        if vocabulary.len() >= MAX_SYMBOLS || vocabulary.bytes.len() > u32::MAX as usize {
            return Err(BpeError::VocabularyTooLarge {
                num_tokens: vocabulary.len(),
            });
        }
        vocabulary.fixed_size = (0..vocabulary.len() as Symbol)
            .map(|symbol| fixed_size_of(vocabulary.symbol_bytes(symbol)))
            .collect();
        vocabulary.num_dense = vocabulary
            .ids
            .iter()
            .zip(0..)
            .take_while(|&(&id, place)| id == place)
            .count() as u32;
        vocabulary.index_bytes(&special_symbols);
        Ok(vocabulary)
    }

    /// Fills `by_bytes`: ordinary tokens first, each in descending order of id; whoever comes first keeps the bytes.
    fn index_bytes(&mut self, special_symbols: &[Symbol]) {
        let is_special = |symbol: &Symbol| special_symbols.binary_search(symbol).is_ok();
        let all = (0..self.len() as Symbol).rev();
        let ordered = all
            .clone()
            .filter(|symbol| !is_special(symbol))
            .chain(all.filter(is_special));
        for symbol in ordered {
            let slot = self.slot_of(self.symbol_bytes(symbol));
            if self.by_bytes[slot] == EMPTY {
                self.by_bytes[slot] = symbol;
            }
        }
    }

    /// Where `bytes` stand in `by_bytes`, or the empty slot where they would.
    fn slot_of(&self, bytes: &[u8]) -> usize {
        let mask = self.by_bytes.len() - 1;
        let mut slot = hash_bytes(bytes) as usize & mask;
        while self.by_bytes[slot] != EMPTY && self.symbol_bytes(self.by_bytes[slot]) != bytes {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The greatest id that a token has.
    #[must_use]
    pub fn largest_id(&self) -> Option<u32> {
        self.ids.last().copied()
    }

    /// Whether there is no token at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the token that ordinary text of exactly `bytes` becomes once merged.
    #[must_use]
    pub fn symbol_of(&self, bytes: &[u8]) -> Option<Symbol> {
        Some(self.by_bytes[self.slot_of(bytes)]).filter(|&symbol| symbol != EMPTY)
    }

    /// The id of a symbol.
    #[must_use]
    pub fn id(&self, symbol: Symbol) -> u32 {
        self.ids[symbol as usize]
    }

    /// Returns the bytes of a symbol.
    #[must_use]
    pub fn symbol_bytes(&self, symbol: Symbol) -> &[u8] {
        let place = symbol as usize;
        &self.bytes[self.starts[place] as usize..self.starts[place + 1] as usize]
    }

    /// Returns the bytes of the token with this id.
    #[must_use]
    pub fn bytes_of(&self, id: u32) -> Option<&[u8]> {
        self.symbol_of_id(id).map(|symbol| self.symbol_bytes(symbol))
    }

    #[inline(always)]
    pub(crate) fn symbol_of_id(&self, id: u32) -> Option<Symbol> {
        if id < self.num_dense {
            return Some(id);
        }
        self.ids.binary_search(&id).ok().map(|place| place as Symbol)
    }

    /// Merges as symbols, in order.
    ///
    /// # Errors
    /// A merge whose part or result is no token.
    pub fn resolve_merges<Bytes: AsRef<[u8]>>(&self, merges: &[(Bytes, Bytes)]) -> Result<Vec<Merge>, BpeError> {
        let mut joined = Vec::new();
        let mut resolved = Vec::with_capacity(merges.len());
        for (index, (left, right)) in merges.iter().enumerate() {
            joined.clear();
            extend(&mut joined, left.as_ref())?;
            extend(&mut joined, right.as_ref())?;
            let find = |bytes: &[u8]| {
                self.symbol_of(bytes).ok_or_else(|| BpeError::MergeOutsideVocabulary {
                    index,
                    left: left.as_ref().to_vec(),
                    right: right.as_ref().to_vec(),
                    missing: bytes.to_vec(),
                })
            };
            resolved.push(Merge {
                left: find(left.as_ref())?,
                right: find(right.as_ref())?,
                merged: find(&joined)?,
            });
        }
        Ok(resolved)
    }

    /// Returns a symbol's bytes and, in the last byte, their number, or [`TOO_LONG`]: for nearly every token, all that
    /// decoding needs, in one load.
    #[inline(always)]
    pub(crate) fn fixed_size_bytes(&self, symbol: Symbol) -> &[u8; FIXED_SIZE] {
        &self.fixed_size[symbol as usize]
    }

    /// The error for an id at `position` that no token has.
    #[must_use]
    pub fn outside(&self, id: i128, position: usize) -> BpeError {
        BpeError::IdOutsideVocabulary {
            id,
            position,
            vocab_size: self.len(),
            largest_id: self.largest_id(),
        }
    }
}

fn fixed_size_of(token: &[u8]) -> [u8; FIXED_SIZE] {
    let mut fixed = [0; FIXED_SIZE];
    match fixed[..FIXED_SIZE - 1].get_mut(..token.len()) {
        Some(bytes) => {
            bytes.copy_from_slice(token);
            fixed[FIXED_SIZE - 1] = token.len() as u8;
        }
        None => fixed[FIXED_SIZE - 1] = TOO_LONG,
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(tokens: &[(u32, &str)], specials: &[(&str, u32)]) -> Result<Vocabulary, BpeError> {
        let specials: Vec<_> = specials.iter().map(|&(text, id)| (text.to_owned(), id)).collect();
        Vocabulary::new(tokens.iter().copied(), &specials)
    }

    #[test]
    fn ordinary_text_prefers_the_highest_ordinary_id() {
        let twice = vocabulary(&[(0, "a"), (5, "a"), (7, "a")], &[("a", 0)]).unwrap();
        assert_eq!(twice.symbol_of(b"a").map(|symbol| twice.id(symbol)), Some(7));
        let special_only = vocabulary(&[(0, "a")], &[("a", 0)]).unwrap();
        assert_eq!(
            special_only.symbol_of(b"a").map(|symbol| special_only.id(symbol)),
            Some(0)
        );
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(matches!(
            vocabulary(&[(3, "")], &[]),
            Err(BpeError::EmptyToken { id: 3 })
        ));
        assert!(matches!(
            vocabulary(&[(3, "a"), (3, "b")], &[]),
            Err(BpeError::DuplicateId { id: 3, .. })
        ));
        assert!(matches!(
            vocabulary(&[(3, "a")], &[("b", 3)]),
            Err(BpeError::DuplicateId { id: 3, .. })
        ));
        let abc = vocabulary(&[(0, "a"), (1, "b"), (2, "ab"), (3, "abb")], &[]).unwrap();
        assert!(abc.resolve_merges(&[("a", "b"), ("ab", "b")]).is_ok());
        for bad in [("b", "c"), ("c", "b"), ("b", "a")] {
            let error = abc.resolve_merges(&[("a", "b"), bad]).unwrap_err();
            assert!(
                matches!(error, BpeError::MergeOutsideVocabulary { index: 1, .. }),
                "{error}"
            );
        }
    }
}
