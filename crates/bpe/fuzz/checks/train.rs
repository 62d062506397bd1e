//! Training: the merges are those that recounting everything after every merge gives.

use std::collections::{BTreeMap, HashSet};

use homespun_bpe::progress::ignore_progress;
use homespun_bpe::train::{train, Merge};
use homespun_bpe::Counts;

use super::input::Input;

/// Longer inputs would take recounting seconds.
const MAX_BYTES: usize = 512;

/// The first byte is how many tokens to make. Then come words: a byte with their length and how often they occur, the word.
pub fn check(data: &[u8]) {
    let mut input = Input::new(&data[..data.len().min(MAX_BYTES)]);
    let num_tokens = usize::from(input.byte());
    let mut words = Vec::new();
    while !input.is_empty() {
        let head = input.byte();
        // Up to 128 for the most part, so that there are ties; beyond 32 bits now and then.
        let count = [1, 1, 2, 3, 4, 7, 128, 1 << 40][usize::from(head >> 5)];
        words.push((input.bytes(usize::from(head & 0x1F)), count));
    }
    let counts = Counts::from_pairs(words);
    assert_eq!(
        train(&counts, num_tokens, &ignore_progress).unwrap(),
        recount(&counts, num_tokens)
    );
}

/// Algorithm 1 of Sennrich et al. (arXiv:1508.07909), with the greater pair of byte strings first among equals.
fn recount(counts: &Counts, num_tokens: usize) -> Vec<Merge> {
    let mut words: Vec<(Vec<Vec<u8>>, u64)> = counts
        .iter()
        .map(|(word, count)| (word.iter().map(|&byte| vec![byte]).collect(), count))
        .collect();
    let (mut merges, mut tokens) = (Vec::new(), HashSet::new());
    while tokens.len() < num_tokens {
        let mut pairs: BTreeMap<(&[u8], &[u8]), u64> = BTreeMap::new();
        for (word, count) in &words {
            for pair in word.windows(2) {
                *pairs.entry((&pair[0], &pair[1])).or_default() += count;
            }
        }
        let best = pairs.into_iter().max_by_key(|&(pair, count)| (count, pair));
        let Some((left, right)) = best.map(|((left, right), _)| (left.to_vec(), right.to_vec())) else {
            break;
        };
        for (word, _) in &mut words {
            let mut at = 0;
            while at + 1 < word.len() {
                if word[at] == left && word[at + 1] == right {
                    let right = word.remove(at + 1);
                    word[at].extend(right);
                }
                at += 1;
            }
        }
        tokens.insert([left.as_slice(), &right].concat());
        merges.push((left, right));
    }
    merges
}
