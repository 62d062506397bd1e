//! Pre-tokenization: a text is cut into pre-tokens, the pieces inside which merges happen.
//!
//! The patterns of GPT-2, GPT-4 and GPT-4o are written by hand; any other runs on fancy-regex. All give the
//! pattern's leftmost matches, one after the other, and the text between them.

mod backend;
mod bits;
mod blocks;
mod classify;
mod custom;
mod gpt2;
mod gpt4;
mod non_ascii;
mod o200k;
mod pattern;
mod safe_cuts;
mod scalar;

use std::ops::{ControlFlow, Range};

use crate::error::BpeError;
use crate::processor::check_limit;

use custom::CustomPattern;
use gpt2::Gpt2;
use gpt4::Gpt4;
use o200k::O200k;

pub use backend::Backend;
pub use blocks::MAX_BATCH;
pub use safe_cuts::LOOK_BACK_BYTES;

/// GPT-2's pattern.
pub const GPT2_PATTERN: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// GPT-4's pattern as tiktoken's cl100k_base runs it. White space at the end of a text is one pre-token.
pub const GPT4_PATTERN: &str = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s";

/// GPT-4o's pattern, o200k_base.
pub const O200K_PATTERN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// Other forms of GPT-2's pattern: the original, and tiktoken's.
const GPT2_SPELLINGS: [&str; 3] = [
    GPT2_PATTERN,
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
];

/// GPT-4's pattern as first published, and minbpe's form of it. They cut white space at the end of a text after its last
/// line break, as everywhere else.
const GPT4_EARLY_SPELLINGS: [&str; 3] = [
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// Cuts texts into pre-tokens by one pattern.
#[derive(Clone, Debug)]
pub struct Splitter(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Gpt2(Gpt2),
    Gpt4(Gpt4),
    O200k(O200k),
    Custom(Box<CustomPattern>),
}

/// Evaluates an expression with the hand-written pattern of a [`Splitter`], or another with its custom pattern.
macro_rules! with_pattern {
    ($splitter:expr, $pattern:ident => $by_hand:expr, $custom:pat => $by_engine:expr) => {
        match &$splitter.0 {
            Kind::Gpt2($pattern) => $by_hand,
            Kind::Gpt4($pattern) => $by_hand,
            Kind::O200k($pattern) => $by_hand,
            Kind::Custom($custom) => $by_engine,
        }
    };
}

impl Splitter {
    /// The splitter for `pattern`: by hand where it is one of those, letter for letter, otherwise compiled.
    ///
    /// # Errors
    ///
    /// [`BpeError::InvalidPattern`]; [`BpeError::UnknownInstructions`], as everything that runs on chosen instructions
    /// has a splitter.
    pub fn new(pattern: &str) -> Result<Self, BpeError> {
        check_limit()?;
        let kind = if GPT2_SPELLINGS.contains(&pattern) {
            Kind::Gpt2(Gpt2)
        } else if pattern == GPT4_PATTERN {
            Kind::Gpt4(Gpt4 {
                joins_final_space: true,
            })
        } else if GPT4_EARLY_SPELLINGS.contains(&pattern) {
            Kind::Gpt4(Gpt4 {
                joins_final_space: false,
            })
        } else if pattern == O200K_PATTERN {
            Kind::O200k(O200k)
        } else {
            Kind::Custom(Box::new(CustomPattern::new(pattern)?))
        };
        Ok(Self(kind))
    }

    /// Runs `pattern` on the regular-expression engine even where it could be split by hand: the oracle of tests.
    ///
    /// # Errors
    ///
    /// [`BpeError::InvalidPattern`].
    pub fn by_engine(pattern: &str) -> Result<Self, BpeError> {
        Ok(Self(Kind::Custom(Box::new(CustomPattern::new(pattern)?))))
    }

    /// Whether pre-tokens are certain before their document ends; a custom pattern may look ahead any distance.
    pub fn is_streamable(&self) -> bool {
        !matches!(self.0, Kind::Custom(_))
    }

    /// Calls `on_pretoken(start, end)` for every pre-token of `text`, which holds no special token, in order.
    ///
    /// The text between two matches of a custom pattern is a pre-token too.
    ///
    /// # Errors
    ///
    /// [`BpeError::PatternGaveUp`], from custom patterns only.
    #[inline]
    pub fn for_each(&self, text: &str, mut on_pretoken: impl FnMut(usize, usize)) -> Result<(), BpeError> {
        self.for_each_batch(text, |mut start, ends| {
            for &end in ends {
                on_pretoken(start, end);
                start = end;
            }
        })
    }

    /// Calls `on_batch(start, ends)` for the pre-tokens of `text`, at most [`MAX_BATCH`] at a time: the first of them begins
    /// at `start`, each other where the one before it ends. Otherwise as [`Splitter::for_each`], and faster.
    ///
    /// # Errors
    ///
    /// [`BpeError::PatternGaveUp`], from custom patterns only.
    #[inline]
    pub fn for_each_batch(&self, text: &str, mut on_batch: impl FnMut(usize, &[usize])) -> Result<(), BpeError> {
        self.try_for_each_batch(Backend::detect(), text, |start, ends| {
            on_batch(start, ends);
            ControlFlow::Continue(())
        })
    }

    /// [`Splitter::for_each_batch`] on a given backend, or on [`Backend::Portable`] where this processor does not support
    /// it, until `on_batch` breaks. A custom pattern has one implementation only.
    ///
    /// # Errors
    ///
    /// [`BpeError::PatternGaveUp`], from custom patterns only.
    #[inline]
    pub fn try_for_each_batch(
        &self,
        backend: Backend,
        text: &str,
        mut on_batch: impl FnMut(usize, &[usize]) -> ControlFlow<()>,
    ) -> Result<(), BpeError> {
        with_pattern!(self, pattern => {
            let _ = backend::for_each_batch(backend, *pattern, text.as_bytes(), on_batch);
            Ok(())
        }, pattern => pattern.for_each(text, |range| on_batch(range.start, &[range.end])))
    }

    /// The pre-tokens of `text` as byte ranges.
    ///
    /// # Errors
    ///
    /// [`BpeError::PatternGaveUp`], from custom patterns only.
    pub fn split(&self, text: &str) -> Result<Vec<Range<usize>>, BpeError> {
        let mut ranges = Vec::new();
        self.for_each(text, |start, end| ranges.push(start..end))?;
        Ok(ranges)
    }

    /// Length of the longest prefix found of `text` whose pre-tokens no later text can change, `text` beginning at the
    /// start of a pre-token and holding no special token. It ends at the end of a pre-token, and what follows it splits
    /// on its own as it would after it. Short of the longest such prefix by at most one pre-token or a few bytes, so
    /// that progress is sure; always 0 for a custom pattern.
    pub fn stable_prefix(&self, text: &str) -> usize {
        with_pattern!(self, pattern => safe_cuts::stable_prefix(*pattern, text.as_bytes()), _ => 0)
    }

    /// The first place in `text`, at or after `from` and not at its beginning, at which it may be cut whatever stands before
    /// and after; none for a custom pattern.
    pub fn first_safe_cut(&self, text: &str, from: usize) -> Option<usize> {
        with_pattern!(self, pattern => safe_cuts::first_safe_cut(*pattern, text, from), _ => None)
    }

    /// The last place in `text` at which it may be cut whatever stands before and after, looking back at most
    /// [`LOOK_BACK_BYTES`] from its end; none for a custom pattern.
    pub fn last_safe_cut(&self, text: &str) -> Option<usize> {
        with_pattern!(self, pattern => safe_cuts::last_safe_cut(*pattern, text.as_bytes()), _ => None)
    }

    /// The last place in `text`, looking back at most [`LOOK_BACK_BYTES`] from its end, at which a pre-token can be divided:
    /// split apart there, any text that begins with this one has the same pre-tokens, but that one of them is two. Only
    /// places between two bytes that `may_cut` allows; none for a custom pattern.
    pub fn last_cut_of_word(&self, text: &str, may_cut: impl Fn(u8, u8) -> bool) -> Option<usize> {
        with_pattern!(self, _pattern => safe_cuts::last_cut_of_word(text.as_bytes(), may_cut), _ => None)
    }
}
