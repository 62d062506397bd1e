//! All mergers against the definition: every merge in order, all its occurrences from left to right.

use proptest::prelude::*;

use super::long::LongMerger;
use super::pair_table::PairTable;
use super::repeats::merge_repeats;
use super::short::{ShortMerger, MAX_SHORT};
use crate::encode::{Encoder, SpecialPolicy};
use crate::progress::Progress;
use crate::split::GPT2_PATTERN;
use crate::vocab::{Merge, Symbol, Vocabulary};

/// Merges between symbols 0, 1, 2 and those that merges make, listed as a trainer does: parts first.
///
/// Symbols are distinguished by their bytes, so that two merges may make the same one, as in trained lists.
fn orderly_merges() -> impl Strategy<Value = Vec<Merge>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..24).prop_map(|choices| {
        let mut tokens_bytes: Vec<Vec<u8>> = vec![vec![0], vec![1], vec![2]];
        let mut merges = Vec::new();
        for (left, right) in choices {
            let (left, right) = (left.index(tokens_bytes.len()), right.index(tokens_bytes.len()));
            let joined = [tokens_bytes[left].clone(), tokens_bytes[right].clone()].concat();
            if joined.len() > 24 {
                continue;
            }
            let known = tokens_bytes.iter().position(|bytes| *bytes == joined);
            let merged = known.unwrap_or_else(|| {
                tokens_bytes.push(joined);
                tokens_bytes.len() - 1
            });
            merges.push(Merge {
                left: left as Symbol,
                right: right as Symbol,
                merged: merged as Symbol,
            });
        }
        merges
    })
}

/// Lists in any order, with repetitions: nothing a trainer would write, but a file may hold it.
fn disorderly_merges() -> impl Strategy<Value = Vec<Merge>> {
    orderly_merges().prop_flat_map(|merges| {
        let twice: Vec<Merge> = merges.iter().chain(&merges).copied().collect();
        Just(twice).prop_shuffle()
    })
}

/// The definition.
fn merge_naively(merges: &[Merge], symbols: &[Symbol]) -> Vec<Symbol> {
    let mut symbols = symbols.to_vec();
    for merge in merges {
        let mut at = 0;
        while at + 1 < symbols.len() {
            if symbols[at] == merge.left && symbols[at + 1] == merge.right {
                symbols[at] = merge.merged;
                symbols.remove(at + 1);
            }
            at += 1;
        }
    }
    symbols
}

/// Every byte is its own symbol.
fn table(merges: Vec<Merge>) -> PairTable {
    PairTable::new(merges, &std::array::from_fn(|byte| byte as Symbol))
}

fn bytes_of(symbols: &[Symbol]) -> Vec<u8> {
    symbols.iter().map(|&symbol| symbol as u8).collect()
}

fn by_long(merger: &mut LongMerger, pairs: &PairTable, symbols: &[Symbol]) -> Vec<Symbol> {
    let mut merged = Vec::new();
    let bytes = bytes_of(symbols);
    merger
        .merge(pairs, &bytes, &Progress::default(), |symbol| merged.push(symbol))
        .unwrap();
    merged
}

fn by_short(merger: &mut ShortMerger, pairs: &PairTable, symbols: &[Symbol]) -> Vec<Symbol> {
    let mut merged = Vec::new();
    merger.merge(pairs, &bytes_of(symbols), |symbol| merged.push(symbol));
    merged
}

/// Pieces with runs in them, where merges overlap most.
fn symbols(max_runs: usize) -> impl Strategy<Value = Vec<Symbol>> {
    prop::collection::vec((0..3_u32, 1..6_usize), 0..max_runs)
        .prop_map(|runs| runs.into_iter().flat_map(|(symbol, len)| vec![symbol; len]).collect())
}

proptest! {
    #[test]
    fn short_and_long_follow_the_definition(
        merges in prop_oneof![orderly_merges(), disorderly_merges()],
        pieces in prop::collection::vec(symbols(60), 1..4),
    ) {
        let pairs = table(merges.clone());
        let (mut short_merger, mut long_merger) = (ShortMerger::default(), LongMerger::default());
        for piece in pieces {
            let expected = merge_naively(&merges, &piece);
            prop_assert_eq!(&by_long(&mut long_merger, &pairs, &piece), &expected);
            let short = &piece[..piece.len().min(MAX_SHORT)];
            prop_assert_eq!(by_short(&mut short_merger, &pairs, short), merge_naively(&merges, short));
            let run = vec![piece.first().copied().unwrap_or(0); piece.len().max(1)];
            let mut merged = Vec::new();
            merge_repeats(&pairs, run[0], run.len(), |symbol| merged.push(symbol));
            prop_assert_eq!(merged, merge_naively(&merges, &run));
        }
    }
}

type Bytes = Vec<u8>;

/// Merges between the letters a to d and what they make, as a trainer lists them; ids are symbols.
fn lettered(choices: &[(prop::sample::Index, prop::sample::Index)]) -> (Vec<Bytes>, Vec<(Bytes, Bytes)>) {
    let mut tokens: Vec<Bytes> = (0..=255).map(|byte| vec![byte]).collect();
    let mut merges = Vec::new();
    for (left, right) in choices {
        let ours = |index: &prop::sample::Index| match index.index(tokens.len() - 252) {
            letter @ 0..4 => usize::from(b'a') + letter,
            made => 252 + made,
        };
        let (left, right) = (tokens[ours(left)].clone(), tokens[ours(right)].clone());
        let joined = [&left[..], &right].concat();
        if joined.len() <= 24 && !tokens.contains(&joined) {
            tokens.push(joined);
            merges.push((left, right));
        }
    }
    (tokens, merges)
}

proptest! {
    /// Oracle: the definition; on vocabularies that leave boundaries in some places, words of any length, twice in one text and
    /// once more, by a cache that holds everything and one that holds next to nothing.
    #[test]
    fn any_vocabulary_encodes_as_defined(
        choices in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
        words in prop::collection::vec("(a{1,9}|b{1,9}|[a-d]{1,80}){1,6}", 1..9),
    ) {
        let (tokens, merges) = lettered(&choices);
        let text = [&words[..], &words].concat().join("!");
        let mut symbols = Vec::new();
        let vocabulary = Vocabulary::new((0..).zip(&tokens), &[]).unwrap();
        let resolved = vocabulary.resolve_merges(&merges).unwrap();
        for piece in text.split_inclusive('!') {
            // The pattern cuts off the mark, which merges with nothing.
            symbols.extend(merge_naively(&resolved, &piece.bytes().map(Symbol::from).collect::<Vec<_>>()));
        }
        for cache_bytes in [0, 1 << 24] {
            let encoder = Encoder::new((0..).zip(&tokens), &borrowed(&merges), &[], GPT2_PATTERN, cache_bytes).unwrap();
            for _ in 0..2 {
                prop_assert_eq!(&encoder.encode(&text, SpecialPolicy::Text).unwrap(), &symbols);
            }
        }
    }
}

fn borrowed(merges: &[(Bytes, Bytes)]) -> Vec<(&Bytes, &Bytes)> {
    merges.iter().map(|(left, right)| (left, right)).collect()
}

/// Derived by hand: a run of n letters halves with every merge, the odd one out staying behind.
#[test]
fn long_runs_halve() {
    let merges: Vec<Merge> = (0..20)
        .map(|level| Merge {
            left: level,
            right: level,
            merged: level + 1,
        })
        .collect();
    let pairs = table(merges);
    let merged = by_long(&mut LongMerger::default(), &pairs, &vec![0; (1 << 20) + (1 << 7) + 1]);
    assert_eq!(merged, [20, 7, 0]);
}
