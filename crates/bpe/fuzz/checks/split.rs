//! Splitting: every backend gives the pattern's own matches, and texts are cut only where nothing changes.

use std::ops::{ControlFlow, Range};
use std::sync::LazyLock;

use homespun_bpe::special::Piece;
use homespun_bpe::split::{Backend, Splitter, GPT2_PATTERN, GPT4_PATTERN, O200K_PATTERN};
use homespun_bpe::{stable_prefix, SpecialTokens};

use super::input::{boundary, Input};

/// The patterns that are written by hand, in forms that differ in what they match.
pub const PATTERNS: [&str; 4] = [
    GPT2_PATTERN,
    GPT4_PATTERN,
    O200K_PATTERN,
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

struct Splitters {
    by_hand: Splitter,
    by_engine: Splitter,
}

static SPLITTERS: LazyLock<Vec<Splitters>> = LazyLock::new(|| {
    let splitters = |pattern: &&str| Splitters {
        by_hand: Splitter::new(pattern).unwrap(),
        by_engine: Splitter::by_engine(pattern).unwrap(),
    };
    PATTERNS.iter().map(splitters).collect()
});

static SPECIALS: LazyLock<SpecialTokens> =
    LazyLock::new(|| SpecialTokens::new(["<|end|>", "<|end|><|end|>", "<|", " '", "|>x", "a"]).unwrap());

/// The engine is asked one time in eight, and about short texts: it takes a hundred times as long as the rest.
const MAX_ENGINE_BYTES: usize = 512;

/// The first byte chooses the pattern and whether the engine is asked, the next two where the text is cut.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let Splitters { by_hand, by_engine } = &SPLITTERS[usize::from(choice & 31) % PATTERNS.len()];
    let cut = usize::from(input.byte()) << 8 | usize::from(input.byte());
    let text = input.text();
    let expected = split_by(by_hand, Backend::Scalar, &text);
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_supported()) {
        assert_eq!(split_by(by_hand, backend, &text), expected, "{backend:?}");
    }
    if choice >> 5 == 0 && text.len() <= MAX_ENGINE_BYTES {
        assert_eq!(by_engine.split(&text).unwrap(), expected, "the pattern itself");
    }

    let before = &text[..boundary(&text, cut)];
    let stable = by_hand.stable_prefix(before);
    assert!(stable <= before.len());
    assert_eq!(split_apart(by_hand, &text, stable), expected, "cut at a stable prefix");
    if let Some(safe) = by_hand.last_safe_cut(before) {
        assert_eq!(split_apart(by_hand, &text, safe), expected, "cut at a safe place");
    }

    let stable = stable_prefix(before, by_hand, &SPECIALS);
    let mut tokens = tokens(by_hand, &text[..stable], 0);
    tokens.extend(self::tokens(by_hand, &text[stable..], stable));
    assert_eq!(
        tokens,
        self::tokens(by_hand, &text, 0),
        "cut at a stable prefix, with special tokens"
    );
}

fn split_by(splitter: &Splitter, backend: Backend, text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let on_batch = |mut start, ends: &[usize]| {
        for &end in ends {
            ranges.push(start..end);
            start = end;
        }
        ControlFlow::Continue(())
    };
    splitter.try_for_each_batch(backend, text, on_batch).unwrap();
    ranges
}

/// The pre-tokens of both sides of a cut.
fn split_apart(splitter: &Splitter, text: &str, cut: usize) -> Vec<Range<usize>> {
    let mut ranges = splitter.split(&text[..cut]).unwrap();
    let after = splitter.split(&text[cut..]).unwrap();
    ranges.extend(after.iter().map(|range| range.start + cut..range.end + cut));
    ranges
}

/// Starts, ends and special tokens' numbers of all that a text at `offset` is made of.
fn tokens(splitter: &Splitter, text: &str, offset: usize) -> Vec<(usize, usize, Option<usize>)> {
    let mut tokens = Vec::new();
    for piece in SPECIALS.pieces(text.as_bytes()) {
        match piece {
            Piece::Special(range, index) => tokens.push((range.start + offset, range.end + offset, Some(index))),
            Piece::Text(range) => {
                let base = range.start + offset;
                let on_pretoken = |start, end| tokens.push((start + base, end + base, None));
                splitter.for_each(&text[range], on_pretoken).unwrap();
            }
        }
    }
    tokens
}
