//! The texts of the benchmarks, and a vocabulary trained on each.

use homespun_bpe::count::count_text;
use homespun_bpe::progress::Progress;
use homespun_bpe::split::GPT2_PATTERN;
use homespun_bpe::train::{Merge, TrainOptions, Trainer};
use homespun_bpe::{Counts, Encoder, SpecialTokens, Splitter};

/// Separates documents.
pub const SEPARATOR: &str = "<|endoftext|>";

/// New tokens of the vocabularies: as many as a small model has.
pub const NUM_TOKENS: usize = 8_000;

/// A text with its name in the figures.
pub struct Text {
    pub name: &'static str,
    pub content: String,
}

/// The file that `HOMESPUN_BENCH_TEXT` names, or else two generated texts, the same in every run.
pub fn texts() -> Vec<Text> {
    if let Ok(path) = std::env::var("HOMESPUN_BENCH_TEXT") {
        let content =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("HOMESPUN_BENCH_TEXT={path}: {error}"));
        return vec![Text { name: "file", content }];
    }
    // First letters of the alphabets and how many of their letters are used: Latin; then Cyrillic, Hindi and Chinese too.
    let (latin, cyrillic, hindi, chinese) = (('a', 26), ('\u{430}', 32), ('\u{905}', 48), ('\u{4e00}', 2_000));
    vec![
        Text {
            name: "latin",
            content: generate(&[latin]),
        },
        Text {
            name: "mixed",
            content: generate(&[latin, cyrillic, hindi, chinese]),
        },
    ]
}

/// Counts of the pre-tokens of `text`.
pub fn counts_of(text: &str) -> Counts {
    count_text(text, &specials(), &splitter()).expect("generated text counts")
}

/// Trains a vocabulary of `NUM_TOKENS` on `counts`.
pub fn train(counts: &Counts) -> Vec<Merge> {
    let options = TrainOptions {
        ties: Default::default(),
        num_threads: 1,
    };
    let mut trainer = Trainer::new(counts, &[], options, &Progress::default()).expect("the counts fit");
    trainer
        .merge(NUM_TOKENS, &Progress::default())
        .expect("nothing interrupts")
}

/// An encoder with a vocabulary trained on `text`.
pub fn encoder_for(text: &str) -> Encoder {
    let merges = train(&counts_of(text));
    let joined = merges.iter().map(|(left, right)| [&left[..], right].concat());
    let tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).chain(joined).collect();
    let specials = [(SEPARATOR.to_owned(), tokens.len() as u32)];
    let merges: Vec<_> = merges.iter().map(|(l, r)| (l.to_vec(), r.to_vec())).collect();
    Encoder::new((0..).zip(tokens), &merges, &specials, GPT2_PATTERN, CACHE_BYTES).expect("a whole vocabulary")
}

/// A generated text has 2 to the power of this many words.
const NUM_WORD_BITS: u32 = 14;

/// Size of a worker's cache: more than the words of a generated text need.
const CACHE_BYTES: usize = 64 << 20;

pub fn specials() -> SpecialTokens {
    SpecialTokens::new([SEPARATOR]).expect("one token")
}

pub fn splitter() -> Splitter {
    Splitter::new(GPT2_PATTERN).expect("a known pattern")
}

/// Writes about 4 MB of documents in words of the alphabets, as frequent as Zipf's law says of languages.
fn generate(alphabets: &[(char, u32)]) -> String {
    let mut random = Random(1);
    let words: Vec<String> = (0..1 << NUM_WORD_BITS)
        .map(|index| {
            let (first, size) = alphabets[index % alphabets.len()];
            let letter = |offset| char::from_u32(first as u32 + offset).expect("letters of one block");
            (0..1 + random.below(10)).map(|_| letter(random.below(size))).collect()
        })
        .collect();
    let mut text = String::new();
    while text.len() < 4 << 20 {
        for _ in 0..5 + random.below(20) {
            // Below 2**0, 2**1, ... with equal probability: the k-th word comes up about 1 / k times as often as the first.
            let num_bits = random.below(NUM_WORD_BITS + 1);
            let index = random.below(1 << num_bits);
            text.push_str(&words[index as usize]);
            text.push_str(if random.below(12) == 0 { ", " } else { " " });
        }
        match random.below(8) {
            0 => text.push_str(SEPARATOR),
            1 => text.push_str(&format!("{}.\n\n", random.below(3_000))),
            _ => text.push_str("it's so.\n"),
        }
    }
    text
}

/// A 64-bit linear congruential generator (Knuth's MMIX): the texts must not change with a library's version.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 32) % u64::from(end)) as u32
    }
}
