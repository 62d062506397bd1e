//! Encoding as a whole against the definition, and every way of encoding against every other.

use std::collections::BTreeSet;
use std::sync::Arc;

use homespun_bpe::progress::Progress;
use homespun_bpe::special::Piece;
use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::{BpeError, EncodeStream, Encoder, SpecialPolicy, SpecialTokens, Splitter};
use proptest::prelude::*;

const FREE_PATTERN: &str = r"\w+(?=\s)|\w|\s+|[^\w\s]+";
const SPECIALS: [&str; 6] = ["<|end|>", "<|end|><|end|>", "<|", "|>x", " '", "\u{1F642}\n"];
const POLICIES: [SpecialPolicy; 3] = [SpecialPolicy::Encode, SpecialPolicy::Text, SpecialPolicy::Reject];
const MERGES: [(&str, &str); 18] = [
    ("l", "l"),
    ("'", "l"),
    ("'", "ll"),
    (" ", " "),
    ("  ", "  "),
    (" ", "a"),
    ("a", "a"),
    ("aa", "a"),
    ("<", "|"),
    ("\n", "\n"),
    ("e", "n"),
    ("en", "d"),
    ("<|", "end"),
    ("1", "2"),
    ("12", "1"),
    (" ", "'"),
    ("r", "e"),
    ("v", "e"),
];

fn merges() -> Vec<(Vec<u8>, Vec<u8>)> {
    MERGES
        .iter()
        .map(|(left, right)| (left.as_bytes().to_vec(), right.as_bytes().to_vec()))
        .collect()
}

fn encoder(pattern: &str, cache_bytes: usize) -> Encoder {
    let joined = merges().into_iter().map(|(left, right)| [left, right].concat());
    let tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).chain(joined).collect();
    let specials: Vec<(String, u32)> = SPECIALS.iter().map(|s| (*s).to_owned()).zip(1_000_000..).collect();
    Encoder::new((0..).zip(tokens), &merges(), &specials, pattern, cache_bytes).unwrap()
}

/// The definition: special tokens, then pre-tokens, then each merge over the whole pre-token.
fn encode_naively(encoder: &Encoder, pattern: &str, text: &str, special: SpecialPolicy) -> Vec<u32> {
    let listed: &[&str] = if special == SpecialPolicy::Text { &[] } else { &SPECIALS };
    let mut ids = Vec::new();
    for piece in SpecialTokens::new(listed.iter().copied())
        .unwrap()
        .pieces(text.as_bytes())
    {
        let document = match piece {
            Piece::Text(range) => &text[range],
            Piece::Special(_, index) => {
                ids.push(1_000_000 + index as u32);
                continue;
            }
        };
        for pretoken in Splitter::new(pattern).unwrap().split(document).unwrap() {
            let mut symbols: Vec<Vec<u8>> = document[pretoken].bytes().map(|byte| vec![byte]).collect();
            for (left, right) in merges() {
                let mut at = 0;
                while at + 1 < symbols.len() {
                    if symbols[at] == left && symbols[at + 1] == right {
                        symbols[at].extend_from_slice(&right);
                        symbols.remove(at + 1);
                    }
                    at += 1;
                }
            }
            let vocabulary = encoder.vocabulary();
            ids.extend(
                symbols
                    .iter()
                    .map(|symbol| vocabulary.id(vocabulary.symbol_of(symbol).unwrap())),
            );
        }
    }
    ids
}

/// Text made of what is hard to cut: parts of special tokens, of contractions, of line ends, runs of white space.
fn nasty_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => prop::sample::select(vec![
            "<|end|>", "<|end", "|>", "<|", "<", "|>x", "en", "d", "'", "'l", "l", "ll", "'re", "'VE", "\u{17f}", "s",
            " ", "  ", "   ", "\n", "\r\n", "\r", "\t", "\u{a0}", "\u{3000}", "a", "aaa", "Z", "12", "1", "\u{b2}", "!",
            ".\n\n", "?!", "\u{e9}", "e\u{301}", "\u{4e2d}\u{6587}", "\u{1F642}", "\u{1F642}\n", "\0",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => (prop::sample::select(vec!["a", " ", "l", "\n", "!"]), 1..200_usize).prop_map(|(s, n)| s.repeat(n)),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// Cut at the character boundaries next to `cuts`.
fn chunks<'a>(text: &'a str, cuts: &[prop::sample::Index]) -> Vec<&'a str> {
    let places: BTreeSet<usize> = cuts
        .iter()
        .map(|cut| {
            (0..=cut.index(text.len() + 1))
                .rev()
                .find(|&at| text.is_char_boundary(at))
                .unwrap_or(0)
        })
        .collect();
    let ends = places.iter().copied().chain([text.len()]);
    let mut start = 0;
    ends.map(|end| &text[std::mem::replace(&mut start, end)..end]).collect()
}

fn by_stream(stream: &mut EncodeStream, chunks: &[&str]) -> Result<Vec<u32>, BpeError> {
    let mut ids = Vec::new();
    for chunk in chunks {
        stream.push(chunk, &mut ids)?;
    }
    stream.finish(&mut ids)?;
    Ok(ids)
}

proptest! {
    #[test]
    fn encoding_follows_the_definition(text in nasty_text(), special in prop::sample::select(&POLICIES[..2])) {
        for pattern in [GPT2_PATTERN, GPT4_PATTERN, FREE_PATTERN] {
            let encoder = encoder(pattern, 1 << 20);
            let expected = encode_naively(&encoder, pattern, &text, special);
            // Twice: the second time from the cache.
            prop_assert_eq!(&encoder.encode(&text, special).unwrap(), &expected);
            prop_assert_eq!(&encoder.encode(&text, special).unwrap(), &expected);
            if pattern != FREE_PATTERN {
                prop_assert_eq!(encoder.vocabulary().decode(&expected).unwrap(), text.as_bytes());
            }
        }
    }

    #[test]
    fn a_stream_gives_the_ids_of_the_joined_text(
        text in nasty_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
        special in prop::sample::select(&POLICIES[..]),
    ) {
        for pattern in [GPT2_PATTERN, GPT4_PATTERN, FREE_PATTERN] {
            let encoder = Arc::new(encoder(pattern, 1 << 20));
            let whole = encoder.encode(&text, special).map_err(|error| error.to_string());
            let mut stream = EncodeStream::new(Arc::clone(&encoder), special);
            for _ in 0..2 {
                let joined = by_stream(&mut stream, &chunks(&text, &cuts)).map_err(|error| error.to_string());
                prop_assert_eq!(&joined, &whole);
            }
        }
    }
}

/// Oracle: a cache that holds everything. The small one must replace and empty itself many times.
#[test]
fn a_small_cache_changes_nothing() {
    let words = (0..60_000_u64).map(|i| match i % 3 {
        0 => format!(" {}", i.wrapping_mul(0x9E37_79B9) % 20_000),
        1 => format!(" aallaa{}", "l".repeat((i % 90) as usize)),
        _ => format!(
            " {}",
            char::from_u32(0x4e00 + (i % 5_000) as u32)
                .unwrap_or('x')
                .to_string()
                .repeat(7)
        ),
    });
    let text: String = words.collect();
    let expected = encoder(GPT2_PATTERN, 1 << 30)
        .encode(&text, SpecialPolicy::Text)
        .unwrap();
    let small = encoder(GPT2_PATTERN, 0);
    for _ in 0..2 {
        assert_eq!(small.encode(&text, SpecialPolicy::Text).unwrap(), expected);
    }
}

/// Oracle: one text at a time.
#[test]
fn batches_do_not_depend_on_threads() {
    let encoder = encoder(GPT4_PATTERN, 1 << 20);
    let texts: Vec<String> = (0..500)
        .map(|i| format!("aaa{i} <|end|> 'll ").repeat(i % 90))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| encoder.encode(text, SpecialPolicy::Encode).unwrap())
        .collect();
    for num_threads in [0, 1, 2, 3, 7] {
        assert_eq!(
            encoder
                .encode_batch(&texts, SpecialPolicy::Encode, num_threads, &Progress::default())
                .unwrap(),
            expected
        );
    }
    let error = encoder
        .encode_batch(&texts, SpecialPolicy::Reject, 3, &Progress::default())
        .unwrap_err();
    assert_eq!(
        error.to_string().split(';').next(),
        Some("text 1: special token \"<|end|>\" at byte 5 of the text")
    );
}

/// Each error names the place in the text as the caller knows it, however deep it was found.
#[test]
fn errors_name_the_offset() {
    let tokens = [(0, "a"), (1, " "), (2, "<|end|>")];
    let merges: [(&str, &str); 0] = [];
    let specials = [("<|end|>".to_owned(), 2)];
    let encoder = Arc::new(Encoder::new(tokens, &merges, &specials, GPT2_PATTERN, 1 << 16).unwrap());
    let mut ids = vec![7];
    let mut worker = encoder.new_worker();
    let error = encoder
        .encode_into(&mut worker, "aa<|end|> ab", SpecialPolicy::Encode, &mut ids)
        .unwrap_err();
    assert!(matches!(
        error,
        BpeError::ByteOutsideVocabulary { byte: b'b', offset: 11 }
    ));
    assert_eq!(ids, [7], "nothing is appended where there is an error");

    let mut stream = EncodeStream::new(Arc::clone(&encoder), SpecialPolicy::Reject);
    let error = by_stream(&mut stream, &["aa aa", " a<|e", "nd|>"]).unwrap_err();
    assert!(matches!(error, BpeError::SpecialTokenInText { offset: 7, .. }));
    assert_eq!(
        by_stream(&mut stream, &["a", "a"]).unwrap(),
        [0, 0],
        "ready for another text"
    );
    let long = "a".repeat(100) + "b";
    let error = by_stream(&mut stream, &["a ", "a ", &long]).unwrap_err();
    assert!(matches!(
        error,
        BpeError::ByteOutsideVocabulary {
            byte: b'b',
            offset: 104
        }
    ));
}

/// Memory, and with it time: what is held is bounded by the pre-token that is being received.
#[test]
fn a_stream_holds_little() {
    let encoder = Arc::new(encoder(GPT2_PATTERN, 1 << 20));
    let mut stream = EncodeStream::new(Arc::clone(&encoder), SpecialPolicy::Encode);
    let mut ids = Vec::new();
    for _ in 0..100_000 {
        stream.push(" aa<", &mut ids).unwrap();
        assert!(stream.num_bytes_held() < 32);
    }
    for _ in 0..300_000 {
        stream.push("aaa", &mut ids).unwrap();
    }
    stream.push(" b ", &mut ids).unwrap();
    stream.push(&" b".repeat(500_000), &mut ids).unwrap();
    assert!(stream.num_bytes_held() < 32, "{}", stream.num_bytes_held());
    stream.finish(&mut ids).unwrap();
    let text = " aa<".repeat(100_000) + &"aaa".repeat(300_000) + " b " + &" b".repeat(500_000);
    assert!(encoder.encode(&text, SpecialPolicy::Encode).unwrap() == ids);
}
