//! Training: the merges are those that recounting everything after every merge gives, in one go or in two.

use homespun_bpe::progress::Progress;
use homespun_bpe::train::{Merge, Ties, TrainOptions, Trainer};
use homespun_bpe::Counts;

use super::input::Input;
use super::recount::recount;

/// Longer inputs would take recounting seconds.
const MAX_BYTES: usize = 256;

/// The first byte is how many tokens to make, the second after how many of them to start again with the merges so far; its
/// highest bit chooses the rule for ties. Then come words: a byte with their length and how often they occur, the word.
pub fn check(data: &[u8]) {
    let mut input = Input::new(&data[..data.len().min(MAX_BYTES)]);
    let num_tokens = usize::from(input.byte());
    let choice = input.byte();
    let ties = match choice >> 7 {
        0 => Ties::Bytes,
        _ => Ties::Ids {
            special_tokens: vec![b"<|end|>".to_vec(), b"aa".to_vec()],
        },
    };
    let mut words = Vec::new();
    while !input.is_empty() {
        let head = input.byte();
        // Small for the most part, so that there are ties; beyond 32 bits now and then.
        let count = [1, 1, 2, 3, 4, 7, 128, 1 << 40][usize::from(head >> 5)];
        words.push((input.bytes(usize::from(head & 0x1F)), count));
    }
    let counts = Counts::from_pairs(words);
    let expected = recount(&counts, num_tokens, &ties);
    let mut merges = train(&counts, &[], num_tokens.min(usize::from(choice & 0x7F)), &ties);
    merges.extend(train(&counts, &merges, num_tokens, &ties));
    assert_eq!(merges, expected);
    assert_eq!(train(&counts, &[], num_tokens, &ties), expected);
}

/// The merges after `known` until there are `num_tokens` tokens.
fn train(counts: &Counts, known: &[Merge], num_tokens: usize, ties: &Ties) -> Vec<Merge> {
    let options = TrainOptions {
        ties: ties.clone(),
        num_threads: 1,
    };
    let mut trainer = Trainer::new(counts, known, options, &Progress::default()).unwrap();
    trainer.merge(num_tokens, &Progress::default()).unwrap()
}
