//! Everything this crate refuses, each with where, what was given, and what to do.

use std::path::PathBuf;

use thiserror::Error;

/// Why a text, a pattern, a vocabulary or a file cannot be used.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "a variant's message says what its fields are")]
pub enum BpeError {
    /// The pre-tokenization pattern is not a regular expression that this crate can run.
    #[error("pattern {pattern:?} cannot be used: {reason}; check it as a regular expression with \\p{{..}} classes and look-around")]
    InvalidPattern { pattern: String, reason: String },

    /// A free pattern gave up on a text (its backtracking limit).
    #[error("pattern {pattern:?} gave up near byte {offset:?} of a document: {reason}; simplify the pattern, or use GPT-2's or GPT-4's")]
    PatternGaveUp {
        pattern: String,
        offset: usize,
        reason: String,
    },

    /// The environment names instructions that this crate is not compiled for.
    #[error("the environment variable {variable} is {value:?}; it is portable, avx2 or avx512, or unset to use all that the processor has")]
    UnknownInstructions { variable: &'static str, value: String },

    /// A special token is the empty string, which would occur everywhere.
    #[error("special token {index} is the empty string; remove it")]
    EmptySpecialToken {
        /// Its place in the list given.
        index: usize,
    },

    /// A special token is listed twice.
    #[error("special token {token:?} is given twice; each needs one id, so list it once")]
    DuplicateSpecialToken { token: String },

    /// The automaton that finds special tokens would not fit its own numbering.
    #[error("{count} special tokens cannot be searched for together: {reason}; use fewer or shorter ones")]
    TooManySpecialTokens { count: usize, reason: String },

    /// A text is not UTF-8.
    #[error("{place}: byte {offset} is not valid UTF-8; convert the text to UTF-8 first (for example with iconv)")]
    InvalidUtf8 {
        /// The file, or "text" where it came from memory.
        place: String,
        /// Offset of the first byte that belongs to no character, from the beginning of the file.
        offset: u64,
    },

    /// A corpus without a single byte.
    #[error("{place}: the file is empty; expected text of at least one character")]
    EmptyInput {
        /// The file, or "text" where it came from memory.
        place: String,
    },

    /// The operating system refused a file.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },

    /// More distinct text than positions can number.
    #[error("the distinct pre-tokens hold {bytes} bytes, more than the {limit} that training can number; train on a sample, or with a pattern that splits finer")]
    CorpusTooLarge {
        /// Bytes of all distinct pre-tokens together, one separator each included.
        bytes: u64,
        limit: u64,
    },

    /// A file of counts that is not as it was written.
    #[error("{}: not an intact file of counts: {reason}; copy it again, or count again", path.display())]
    DamagedCounts { path: PathBuf, reason: &'static str },

    /// A file of counts of a format yet to come, or given up.
    #[error("{}: a file of counts of version {version}, of which this version of homespun reads {known}; count again", path.display())]
    OtherCountsVersion { path: PathBuf, version: u32, known: u32 },

    /// Counts whose sum is no number of 64 bits.
    #[error(
        "the counts of all pre-tokens up to {} add up to more than 64 bits hold; check where they come from",
        show(pretoken)
    )]
    CountTooLarge { pretoken: Vec<u8> },

    /// More distinct pre-tokens than the memory allowed can hold.
    #[error("the counts of all distinct pre-tokens take {needed} bytes of memory, more than the {max_bytes} left for them; allow more, or count into a file")]
    CountsExceedMemory { needed: usize, max_bytes: usize },

    /// The caller asked to stop.
    #[error("stopped by the caller; nothing was kept")]
    Interrupted,

    /// The operating system refused memory whose size depends on the input.
    #[error("could not allocate {num_bytes} bytes")]
    OutOfMemory { num_bytes: usize },

    /// A token without bytes.
    #[error("token {id} of the vocabulary is empty; remove it")]
    EmptyToken { id: u32 },

    /// Two tokens with one id.
    #[error(
        "id {id} of the vocabulary is given to both {} and {}; give each its own",
        show(first),
        show(second)
    )]
    DuplicateId { id: u32, first: Vec<u8>, second: Vec<u8> },

    /// More tokens than the encoder can number.
    #[error("{num_tokens} tokens are too many; an encoder takes fewer than 2**31")]
    VocabularyTooLarge { num_tokens: usize },

    /// A merge of or into something that is no token.
    #[error("merge {index} joins {} and {}, but {} is not in the vocabulary; vocabulary and merges must come from the same tokenizer", show(left), show(right), show(missing))]
    MergeOutsideVocabulary {
        /// The merge's place in the list, from 0.
        index: usize,
        left: Vec<u8>,
        right: Vec<u8>,
        missing: Vec<u8>,
    },

    /// A text needs a byte that is no token.
    #[error("byte 0x{byte:02X} at byte {offset} of the text is not in the vocabulary, so the text cannot be encoded; add all 256 single bytes to the vocabulary")]
    ByteOutsideVocabulary { byte: u8, offset: usize },

    /// A text holds a special token where none may be.
    #[error("special token {token:?} at byte {offset} of the text; to encode it as its id pass special=\"encode\", as ordinary text special=\"text\"")]
    SpecialTokenInText { token: String, offset: usize },

    /// A pre-token longer than the encoder can number.
    #[error(
        "the pre-token at byte {offset} of the text is {num_bytes} bytes long, more than {limit}; break the text up"
    )]
    PretokenTooLong {
        offset: usize,
        num_bytes: usize,
        limit: usize,
    },

    /// An id that no token has.
    #[error("id {id} at position {position} is not in the vocabulary of {vocab_size} tokens{}; were the ids made by another tokenizer?", show_largest(*largest_id))]
    IdOutsideVocabulary {
        id: i128,
        position: usize,
        vocab_size: usize,
        largest_id: Option<u32>,
    },

    /// What is wrong with the text of one file, offsets counted from its beginning.
    #[error("{}: {error}", path.display())]
    InFile { path: PathBuf, error: Box<BpeError> },

    /// What is wrong with one of many texts.
    #[error("text {index}: {error}")]
    InText {
        /// The text's place in the list, from 0.
        index: usize,
        error: Box<BpeError>,
    },
}

/// Bytes as a person reads them: text where they are text.
fn show(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("b\"{}\"", bytes.escape_ascii()),
    }
}

fn show_largest(largest_id: Option<u32>) -> String {
    largest_id.map_or_else(String::new, |id| format!(", whose largest id is {id}"))
}
