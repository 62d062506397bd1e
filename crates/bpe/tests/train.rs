//! Training against recounting everything after every merge.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use homespun_bpe::progress::ignore_progress;
use homespun_bpe::train::{train, Merge};
use homespun_bpe::{BpeError, Counts};
use proptest::prelude::*;

/// Algorithm 1 of Sennrich et al. (arXiv:1508.07909), with the greater pair of byte strings first among equals.
fn naive(counts: &Counts, num_tokens: usize) -> Vec<Merge> {
    let mut words: Vec<(Vec<Vec<u8>>, u64)> = counts
        .iter()
        .map(|(word, count)| (word.iter().map(|&byte| vec![byte]).collect(), count))
        .collect();
    let (mut merges, mut tokens) = (Vec::new(), HashSet::new());
    while tokens.len() < num_tokens {
        let mut pairs: BTreeMap<Merge, u64> = BTreeMap::new();
        for (word, count) in &words {
            for pair in word.windows(2) {
                *pairs.entry((pair[0].clone(), pair[1].clone())).or_default() += count;
            }
        }
        let Some((best, _)) = pairs
            .into_iter()
            .max_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)))
        else {
            break;
        };
        for (word, _) in &mut words {
            let mut at = 0;
            while at + 1 < word.len() {
                if word[at] == best.0 && word[at + 1] == best.1 {
                    let right = word.remove(at + 1);
                    word[at].extend(right);
                }
                at += 1;
            }
        }
        tokens.insert([best.0.clone(), best.1.clone()].concat());
        merges.push(best);
    }
    merges
}

fn merges_of(words: &[(&str, u64)], num_tokens: usize) -> Vec<String> {
    let counts = Counts::from_pairs(words.iter().copied());
    let merges = train(&counts, num_tokens, &ignore_progress).unwrap();
    merges
        .into_iter()
        .map(|(left, right)| {
            format!(
                "{} {}",
                String::from_utf8(left).unwrap(),
                String::from_utf8(right).unwrap()
            )
        })
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
    assert_eq!(train(&counts, 40, &ignore_progress).unwrap(), naive(&counts, 40));
}

/// Oracle: time, in that a quadratic trainer would not end. 4 MB of one letter, and of two in turn.
#[test]
fn long_words_take_linear_time() {
    for unit in ["a", "ab"] {
        let counts = Counts::from_pairs([(unit.repeat((4 << 20) / unit.len()), 1)]);
        let merges = train(&counts, 1000, &ignore_progress).unwrap();
        assert_eq!(merges.len(), 22, "2**22 letters, joined by doubling");
    }
}

#[test]
fn progress_ends_at_what_was_reached() {
    let last = std::sync::Mutex::new((0, 0));
    train(&Counts::from_pairs([("abcd", 2)]), 10, &|done, all| {
        *last.lock().unwrap() = (done, all);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(*last.lock().unwrap(), (3, 10));
}

#[test]
fn a_callback_can_stop_training() {
    let counts = Counts::from_pairs((0..2000).map(|i| (format!("{i}"), 1)));
    let stopped = train(&counts, 2000, &|_, _| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(BpeError::Interrupted)));
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
    fn equals_recounting(few in words("ab", 24), more in words("abcdef", 12), single in words("a", 60)) {
        for pairs in [few, more, single] {
            let counts = Counts::from_pairs(pairs);
            for num_tokens in [5, 1000] {
                prop_assert_eq!(train(&counts, num_tokens, &ignore_progress).unwrap(), naive(&counts, num_tokens));
            }
        }
    }
}
