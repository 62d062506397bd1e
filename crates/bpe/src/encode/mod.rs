//! Encoding: text to ids.
//!
//! A text is cut at its special tokens, what lies between into pre-tokens, and each pre-token becomes the symbols
//! that are left when every merge, in order, has joined all its occurrences from left to right. Nine in ten
//! pre-tokens have been seen before: a [`Worker`] remembers their ids.

mod batch;
mod cache;
mod lookup;
mod offsets;
mod pretokens;
mod threads;
mod workers;

use std::ops::ControlFlow;

use crate::error::BpeError;
use crate::merge::{Boundaries, Mergers, PairTable};
use crate::progress::Progress;
use crate::special::SpecialTokens;
use crate::split::{Backend, Splitter};
use crate::vocab::{Symbol, Vocabulary};

use cache::Cache;
use lookup::Batch;
use pretokens::Pretokens;
use workers::Workers;

pub use offsets::{spans_in_characters, Span};

/// Stands for a byte that is no token.
const NO_SYMBOL: Symbol = Symbol::MAX;

/// What a special token's text in the input becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialPolicy {
    /// The special token's id.
    Encode,
    /// Ordinary text, like everything else.
    Text,
    /// An error.
    Reject,
}

/// One vocabulary, pattern and set of special tokens, ready to encode. Shared freely between threads.
#[derive(Debug)]
pub struct Encoder {
    vocabulary: Vocabulary,
    pairs: PairTable,
    /// Whether every byte is a token.
    spells_every_byte: bool,
    boundaries: Boundaries,
    splitter: Splitter,
    special_tokens: SpecialTokens,
    special_ids: Vec<u32>,
    /// Those of them that are found under every policy: see [`Encoder::with_added_tokens`].
    added_tokens: SpecialTokens,
    added_ids: Vec<u32>,
    workers: Workers,
}

/// What one thread needs to encode: a cache and scratch space. Any worker gives the same ids.
#[derive(Debug)]
pub struct Worker {
    cache: Cache,
    batch: Box<Batch>,
    /// The ids of the pre-token merged last.
    merged: Vec<u32>,
    mergers: Mergers,
}

impl Encoder {
    /// Prepares a vocabulary. `special_tokens` are added to it where their ids are absent. A worker's cache takes
    /// up to `cache_bytes`.
    ///
    /// # Errors
    /// What [`Vocabulary`], [`Splitter`] and [`SpecialTokens`] refuse.
    pub fn new<Bytes: AsRef<[u8]>>(
        tokens: impl IntoIterator<Item = (u32, Bytes)>,
        merges: &[(Bytes, Bytes)],
        special_tokens: &[(String, u32)],
        pattern: &str,
        cache_bytes: usize,
    ) -> Result<Self, BpeError> {
        let vocabulary = Vocabulary::new(tokens, special_tokens)?;
        let mut byte_symbols = [NO_SYMBOL; 256];
        for (symbol, byte) in byte_symbols.iter_mut().zip(0..=u8::MAX) {
            *symbol = vocabulary.symbol_of(&[byte]).unwrap_or(NO_SYMBOL);
        }
        let merges = vocabulary.resolve_merges(merges)?;
        let boundaries = Boundaries::new(&vocabulary, &merges);
        let pairs = PairTable::new(merges, &byte_symbols);
        Ok(Self {
            vocabulary,
            pairs,
            spells_every_byte: !byte_symbols.contains(&NO_SYMBOL),
            boundaries,
            splitter: Splitter::new(pattern)?,
            special_tokens: SpecialTokens::new(special_tokens.iter().map(|(text, _)| text.as_str()))?,
            special_ids: special_tokens.iter().map(|&(_, id)| id).collect(),
            added_tokens: SpecialTokens::new([""; 0])?,
            added_ids: Vec::new(),
            workers: Workers::new(cache_bytes),
        })
    }

    /// Marks some of the special tokens as ordinary words of the vocabulary that are found before merging: under every
    /// policy their text becomes their id. Hugging Face calls them added tokens with `special: false`.
    ///
    /// # Errors
    /// What [`SpecialTokens`] refuses.
    pub fn with_added_tokens(mut self, added: &[String]) -> Result<Self, BpeError> {
        let known = self.special_tokens.tokens().iter().zip(&self.special_ids);
        let (tokens, ids): (Vec<_>, Vec<_>) = known.filter(|(token, _)| added.contains(token)).unzip();
        self.added_tokens = SpecialTokens::new(tokens)?;
        self.added_ids = ids;
        Ok(self)
    }

    /// The vocabulary, special tokens included.
    #[must_use]
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// What cuts text into pre-tokens.
    #[must_use]
    pub fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    /// The special tokens.
    #[must_use]
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special_tokens
    }

    /// The tokens that are looked for under `policy`, and their ids.
    pub(crate) fn tokens_found(&self, policy: SpecialPolicy) -> (&SpecialTokens, &[u32]) {
        match policy {
            SpecialPolicy::Text => (&self.added_tokens, &self.added_ids),
            SpecialPolicy::Encode | SpecialPolicy::Reject => (&self.special_tokens, &self.special_ids),
        }
    }

    /// A worker for `encode_into`, with an empty cache.
    #[must_use]
    pub fn new_worker(&self) -> Worker {
        self.workers.new_worker()
    }

    /// Lends out a worker that remembers earlier texts.
    pub(crate) fn with_worker<T>(&self, progress: &Progress, work: impl FnOnce(&mut Worker) -> T) -> T {
        self.workers.with(progress, work)
    }

    /// Returns the ids of `text`, by a worker that remembers earlier texts.
    ///
    /// # Errors
    /// See [`Encoder::encode_into`].
    pub fn encode(&self, text: &str, special: SpecialPolicy) -> Result<Vec<u32>, BpeError> {
        self.encode_on_threads(text, special, 1, &Progress::default())
    }

    /// Appends the ids of `text` to `out`.
    ///
    /// # Errors
    /// A byte that the vocabulary cannot spell, a special token where they are rejected, or a free pattern
    /// that gave up; `out` is then as before.
    pub fn encode_into(
        &self,
        worker: &mut Worker,
        text: &str,
        special: SpecialPolicy,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        self.encode_by(worker, text, special, 0, out)
    }

    /// `encode_into` for a text that stands at `offset` of what the caller knows.
    pub(crate) fn encode_by(
        &self,
        worker: &mut Worker,
        text: &str,
        special: SpecialPolicy,
        offset: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        let before = out.len();
        let encoded = self.encode_pieces(worker, text, special, offset, out);
        if encoded.is_err() {
            out.truncate(before);
        }
        encoded
    }

    fn encode_pieces(
        &self,
        worker: &mut Worker,
        text: &str,
        special: SpecialPolicy,
        offset: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        let mut at = 0;
        let (tokens, ids) = self.tokens_found(special);
        while let Some((found, index)) = tokens.find(text.as_bytes(), at) {
            self.encode_ordinary(worker, &text[at..found.start], offset + at, out)?;
            if special == SpecialPolicy::Reject {
                self.check_may_stand(index, offset + found.start)?;
            }
            out.push(ids[index]);
            at = found.end;
        }
        self.encode_ordinary(worker, &text[at..], offset + at, out)
    }

    /// Refuses a special token in the text, which stands at `offset`, unless it is an added token.
    fn check_may_stand(&self, index: usize, offset: usize) -> Result<(), BpeError> {
        let token = &self.special_tokens.tokens()[index];
        if self.added_tokens.tokens().contains(token) {
            return Ok(());
        }
        Err(BpeError::SpecialTokenInText {
            token: token.clone(),
            offset,
        })
    }

    /// Appends the ids of a text without special tokens, which stands at `offset`.
    fn encode_ordinary(
        &self,
        worker: &mut Worker,
        text: &str,
        offset: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), BpeError> {
        let mut outcome = Ok(());
        self.splitter
            .try_for_each_batch(Backend::detect(), text, |start, ends| {
                let text = text.as_bytes();
                let pretokens = Pretokens {
                    text,
                    offset,
                    start,
                    ends,
                };
                outcome = self.encode_pretokens(worker, pretokens, out);
                match outcome {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
        outcome
    }

    /// Hands each id of one pre-token, which stands at `offset`, to `emit`, by merging.
    #[inline(always)]
    fn merge(
        &self,
        mergers: &mut Mergers,
        pretoken: &[u8],
        offset: usize,
        mut emit: impl FnMut(u32),
    ) -> Result<(), BpeError> {
        if !self.spells_every_byte {
            self.check_bytes(pretoken, offset)?;
        }
        mergers.merge(&self.pairs, pretoken, offset, |symbol| emit(self.vocabulary.id(symbol)))
    }

    /// Refuses a pre-token, which stands at `offset`, that holds a byte that is no token.
    #[cold]
    fn check_bytes(&self, pretoken: &[u8], offset: usize) -> Result<(), BpeError> {
        let is_unknown = |&byte: &u8| self.pairs.byte_symbol(byte) == NO_SYMBOL;
        match pretoken.iter().position(is_unknown) {
            Some(place) => Err(BpeError::ByteOutsideVocabulary {
                byte: pretoken[place],
                offset: offset + place,
            }),
            None => Ok(()),
        }
    }
}
