//! Training against recounting everything after every merge.

use homespun_bpe::progress::Progress;
use homespun_bpe::train::{Merge, Ties, TrainOptions, Trainer};
use homespun_bpe::{BpeError, Counts};
use proptest::prelude::*;

#[path = "../fuzz/checks/recount.rs"]
mod recount;

use recount::recount;

fn trainer(counts: &Counts, known: &[Merge], ties: &Ties) -> Trainer {
    let options = TrainOptions {
        ties: ties.clone(),
        num_threads: 2,
    };
    Trainer::new(counts, known, options, &Progress::default()).unwrap()
}

fn train(counts: &Counts, num_tokens: usize, ties: &Ties) -> Vec<Merge> {
    let mut trainer = trainer(counts, &[], ties);
    trainer.merge(num_tokens, &Progress::default()).unwrap()
}

fn merges_of(words: &[(&str, u64)], num_tokens: usize) -> Vec<String> {
    let counts = Counts::from_pairs(words.iter().copied());
    train(&counts, num_tokens, &Ties::Bytes)
        .into_iter()
        .map(|(left, right)| format!("{} {}", String::from_utf8_lossy(&left), String::from_utf8_lossy(&right)))
        .collect()
}

/// Oracle: the worked example of the specification (Sennrich et al., with the tie rule above).
#[test]
fn the_worked_example() {
    let words = [("low", 5), ("lower", 2), ("widest", 3), ("newest", 6)];
    assert_eq!(
        merges_of(&words, 12),
        ["s t", "e st", "o w", "l ow", "w est", "n e", "ne west", "w i", "wi d", "wid est", "low e", "lowe r"]
    );
    assert_eq!(merges_of(&words, 100).len(), 12, "stops when no pair is left");
    assert_eq!(merges_of(&words, 0).len(), 0);
}

/// Oracle: by hand. Of equal counts the greater left bytes win, then the greater right bytes.
#[test]
fn ties_go_to_the_greater_pair() {
    assert_eq!(merges_of(&[("AB", 1), ("AC", 1), ("BZZ", 1)], 1), ["Z Z"]);
    assert_eq!(merges_of(&[("AB", 1), ("AC", 1)], 1), ["A C"]);
}

/// Oracle: by hand. "aaaa" holds the pair (a, a) three times, one more than (b, c).
#[test]
fn overlapping_pairs_are_counted_each() {
    assert_eq!(merges_of(&[("aaaa", 1), ("bcx", 2)], 1), ["a a"]);
}

/// Oracle: recounting. A word of a single letter has its merges by doubling.
#[test]
fn one_long_word_of_one_letter() {
    let word = "a".repeat(1000);
    let counts = Counts::from_pairs([(word.as_bytes(), 3)]);
    assert_eq!(train(&counts, 40, &Ties::Bytes), recount(&counts, 40, &Ties::Bytes));
}

/// Oracle: time, in that a quadratic trainer would not end. 4 MB of one letter, and of two in turn.
#[test]
fn long_words_take_linear_time() {
    for unit in ["a", "ab"] {
        let counts = Counts::from_pairs([(unit.repeat((4 << 20) / unit.len()), 1)]);
        let merges = train(&counts, 1000, &Ties::Bytes);
        assert_eq!(merges.len(), 22, "2**22 letters, joined by doubling");
    }
}

#[test]
fn progress_ends_at_what_was_reached() {
    let progress = Progress::new();
    let mut trainer = trainer(&Counts::from_pairs([("abcd", 2)]), &[], &Ties::Bytes);
    trainer.merge(10, &progress).unwrap();
    assert_eq!(progress.read(), (3, 10));
}

/// Oracle: the error, before the first merge and between two.
#[test]
fn training_stops_on_request() {
    let counts = Counts::from_pairs((0..2000).map(|i| (format!("{i}"), 1)));
    let progress = Progress::new();
    let mut trainer = trainer(&counts, &[], &Ties::Bytes);
    trainer.merge(2, &progress).unwrap();
    progress.stop();
    assert!(matches!(trainer.merge(2000, &progress), Err(BpeError::Interrupted)));
    let options = TrainOptions {
        ties: Ties::Bytes,
        num_threads: 1,
    };
    let refused = Trainer::new(&counts, &[], options, &progress).err();
    assert!(matches!(refused, Some(BpeError::Interrupted)));
}

/// Oracle: the merge's number in the message.
#[test]
fn known_merges_must_follow_one_another() {
    let counts = Counts::from_pairs([("abc", 2)]);
    let known = [("a", "b"), ("bc", "a")].map(|(left, right)| (left.as_bytes().into(), right.as_bytes().into()));
    let options = TrainOptions {
        ties: Ties::Bytes,
        num_threads: 1,
    };
    let refused = Trainer::new(&counts, &known, options, &Progress::default())
        .err()
        .unwrap();
    assert!(
        refused
            .to_string()
            .starts_with("merge 1 joins \"bc\" and \"a\", but \"bc\""),
        "{refused}"
    );
}

fn words(letters: &'static str, max_len: usize) -> impl Strategy<Value = Vec<(String, u64)>> {
    let word = proptest::collection::vec(
        proptest::sample::select(letters.chars().collect::<Vec<_>>()),
        1..max_len,
    )
    .prop_map(String::from_iter);
    proptest::collection::vec((word, 1..5u64), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Oracle: recounting everything after every merge. Two letters make overlaps, ties and tokens made in two ways.
    #[test]
    fn equals_recounting(few in words("ab", 24), more in words("abc \n\u{e9}", 12), single in words("a", 60)) {
        for pairs in [few, more, single] {
            let counts = Counts::from_pairs(pairs);
            let special_tokens = ["ab", " ", "c", "caa"].map(|token| token.as_bytes().to_vec()).into();
            for ties in [Ties::Bytes, Ties::Ids { special_tokens }] {
                for num_tokens in [5, 1000] {
                    prop_assert_eq!(train(&counts, num_tokens, &ties), recount(&counts, num_tokens, &ties));
                }
            }
        }
    }

    /// Oracle: training at once. Long words and short ones are carried to where they were in two ways.
    #[test]
    fn goes_on_from_known_merges(pairs in words("abc", 90), num_known in 0..30usize) {
        let counts = Counts::from_pairs(pairs);
        for ties in [Ties::Bytes, Ties::Ids { special_tokens: Vec::new() }] {
            let whole = train(&counts, 60, &ties);
            let known = &whole[..num_known.min(whole.len())];
            let mut trainer = trainer(&counts, known, &ties);
            prop_assert_eq!(trainer.num_tokens(), known.len());
            let rest = trainer.merge(60, &Progress::default()).unwrap();
            prop_assert_eq!([known, &rest].concat(), whole);
        }
    }
}
