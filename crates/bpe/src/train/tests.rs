//! That the limits change nothing.

use proptest::prelude::*;

use super::limits::Limits;
use super::merger::Merger;
use super::{Merge, Ties};
use crate::count::Counts;
use crate::progress::Progress;

fn merges(counts: &Counts, known: &[Merge], limits: Limits, num_threads: usize) -> Vec<Merge> {
    let mut merger = Merger::new(counts, known, Ties::Bytes, limits, num_threads, &Progress::default()).unwrap();
    std::iter::from_fn(|| merger.step(&Progress::default()).unwrap())
        .take(300)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Oracle: all pairs watched from the beginning, which `tests/train.rs` holds to recounting.
    #[test]
    fn limits_change_nothing(
        words in proptest::collection::vec(("[a-d]{1,20}", 1..1000u64), 1..40),
        span in 1..40u64,
        least_pairs in 1..20usize,
        dense in 1..40usize,
        num_threads in 1..5usize,
    ) {
        let counts = Counts::from_pairs(words);
        let all = Limits { span: u64::MAX, least_pairs: usize::MAX / 4, dense: 1, least_dense: usize::MAX };
        let expected = merges(&counts, &[], all, 1);
        for least_dense in [0, usize::MAX] {
            let limits = Limits { span, least_pairs, dense, least_dense };
            prop_assert_eq!(&merges(&counts, &[], limits, num_threads), &expected);
        }
    }

    /// Oracle: recounting, by way of limits that go through all words after every merge. InitialMerges merges of another trainer may
    /// make a token that its own bytes do not, and then a later merge makes it again.
    #[test]
    fn foreign_merges_are_gone_on_from(
        words in proptest::collection::vec(("[ab]{1,16}", 1..9u64), 1..20),
        others in proptest::collection::vec("[ab]{1,16}", 1..4),
        num_known in 0..9usize,
    ) {
        let counts = Counts::from_pairs(words);
        let others = Counts::from_pairs(others.iter().map(|word| (word, 1)));
        let mut known = merges(&others, &[], Limits::default(), 1);
        known.truncate(num_known);
        // "aab" is made of "aa" and "b" in texts, so that "a" and "ab" side by side, were they ever, would make it again.
        known.insert(0, ((*b"a").into(), (*b"b").into()));
        known.insert(1, ((*b"b").into(), (*b"a").into()));
        known.dedup();
        let always = Limits { span: 1, least_pairs: 1, dense: usize::MAX, least_dense: 0 };
        prop_assert_eq!(merges(&counts, &known, Limits::default(), 1), merges(&counts, &known, always, 1));
    }
}
