//! Counting files against counting by hand.

mod cuts;
mod files;
mod helpers;
mod memory;

use homespun_bpe::count::{count_file, count_text, CountOptions, Counter, Counts};
use homespun_bpe::progress::Progress;
use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::{BpeError, SpecialTokens, Splitter};
use proptest::prelude::*;

use helpers::{as_map, naive, options, TextFile};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Oracle: an ordered map over the whole text at once.
    #[test]
    fn chunks_and_threads_change_nothing(
        text in "([a-c' <|>\n]|<\\|end\\|>|\u{e9}|\u{3000}|long words without any end|\\PC){1,80}",
        num_threads in 1..4usize,
        chunk_bytes in 1..40usize,
    ) {
        let file = TextFile::new("property", text.as_bytes());
        let specials = SpecialTokens::new(["<|end|>", "<|end|><|end|>", "a b"]).unwrap();
        for pattern in [GPT2_PATTERN, GPT4_PATTERN, r"\w+|\W"] {
            let splitter = Splitter::new(pattern).unwrap();
            let expected = naive(&text, &specials, &splitter);
            let counted = count_file(&file.0, &specials, &splitter, &options(num_threads, chunk_bytes));
            prop_assert_eq!(as_map(&counted.unwrap()), expected.clone());
            prop_assert_eq!(as_map(&count_text(&text, &specials, &splitter).unwrap()), expected);
        }
    }
}

/// However many threads count, all stop, and what is left to do stops at once.
#[test]
fn counting_stops_on_request() {
    let file = TextFile::new("stopped", &b"words ".repeat(10_000));
    let splitter = Splitter::new(GPT2_PATTERN).unwrap();
    let new = || Counter::new(SpecialTokens::new([""; 0]).unwrap(), splitter.clone(), &options(3, 100));
    let progress = Progress::new();
    progress.stop();
    let is_interrupted = |outcome: Result<(), BpeError>| matches!(outcome, Err(BpeError::Interrupted));
    let mut counter = new();
    counter.set_progress(&progress);
    assert!(is_interrupted(counter.count_file(&file.0, 0..60_000).map(drop)));
    assert!(is_interrupted(counter.count_stream(&b"words"[..], &file.0)));
    let mut counter = new();
    counter.count_file(&file.0, 0..60_000).unwrap();
    counter.set_progress(&progress);
    assert!(is_interrupted(counter.finish().map(drop)));
    assert_eq!(progress.read(), (0, 0));
}

/// Oracle: arithmetic. One pre-token far longer than a chunk is read whole, in steps that double.
#[test]
fn one_endless_word_is_one_pretoken() {
    let file = TextFile::new("endless", "a".repeat(300_000).as_bytes());
    let specials = SpecialTokens::new(["<|end|>"]).unwrap();
    let splitter = Splitter::new(GPT2_PATTERN).unwrap();
    let counts = count_file(&file.0, &specials, &splitter, &options(2, 1000)).unwrap();
    assert_eq!((counts.len(), counts.total(), counts.num_bytes()), (1, 1, 300_000));
}

#[test]
fn many_distinct_words_outgrow_the_first_table() {
    let text: String = (0..50_000)
        .map(|i| format!(" word{i} a-rather-long-word-with-number{i}\n"))
        .collect();
    let file = TextFile::new("distinct", text.as_bytes());
    let specials = SpecialTokens::new(Vec::<String>::new()).unwrap();
    let splitter = Splitter::new(r"\S+").unwrap();
    let counts = count_file(&file.0, &specials, &splitter, &options(3, 4096)).unwrap();
    assert_eq!(as_map(&counts), naive(&text, &specials, &splitter));
    let gpt2 = Splitter::new(GPT2_PATTERN).unwrap();
    let counts = count_file(&file.0, &specials, &gpt2, &options(3, 4096)).unwrap();
    assert_eq!(as_map(&counts), naive(&text, &specials, &gpt2));
}

/// Oracle: where the bad byte was put, and the standard library's idea of the first bad one.
#[test]
fn invalid_utf8_is_refused_with_its_offset() {
    let specials = SpecialTokens::new(["<|end|>"]).unwrap();
    let splitter = Splitter::new(GPT2_PATTERN).unwrap();
    for (tail, chunk_bytes) in [
        (&b"\xff good"[..], 7),
        (b"\xff", 100),
        (b"\xe4\xb8", 3),
        (b"\xe4\xb8 x", 64),
    ] {
        let text = [b"some good words \xc3\xa9 ".repeat(5), tail.to_vec()].concat();
        let offset = std::str::from_utf8(&text).unwrap_err().valid_up_to() as u64;
        let file = TextFile::new("invalid", &text);
        let refused = count_file(&file.0, &specials, &splitter, &options(1, chunk_bytes));
        assert!(
            matches!(refused, Err(BpeError::InvalidUtf8 { offset: at, .. }) if at == offset),
            "{refused:?}"
        );
    }
}

#[test]
fn empty_and_missing_files_are_refused() {
    let specials = SpecialTokens::new(["<|end|>"]).unwrap();
    let splitter = Splitter::new(GPT2_PATTERN).unwrap();
    let file = TextFile::new("empty", b"");
    let count = |path: &std::path::Path| count_file(path, &specials, &splitter, &CountOptions::default());
    assert!(matches!(count(&file.0), Err(BpeError::EmptyInput { .. })));
    assert!(matches!(
        count(&file.0.with_extension("missing")),
        Err(BpeError::Io { .. })
    ));
    let only_specials = TextFile::new("specials", b"<|end|><|end|>");
    assert!(count(&only_specials.0).unwrap().is_empty());
}

#[test]
fn pairs_are_summed_and_sorted() {
    let counts = Counts::from_pairs([("b", 2), ("a", 1), ("b", 3), ("", 9), ("c", 0), ("ab", 1), ("", 1)]);
    let entries: Vec<_> = counts.iter().collect();
    assert_eq!(entries, [(&b"a"[..], 1), (b"ab", 1), (b"b", 5)]);
}
