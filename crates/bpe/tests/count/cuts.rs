//! Files cut into parts that are counted apart.

use std::collections::BTreeMap;

use homespun_bpe::count::{first_cut, CountOptions, Counter};
use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::{SpecialTokens, Splitter};
use proptest::prelude::*;

use crate::helpers::{as_map, naive, TextFile};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Oracle: an ordered map over the whole text at once.
    #[test]
    fn parts_add_up_to_the_whole(
        text in "([a-c' <|>\n]|<\\|end\\|>|aa|ab|\u{e9}|\u{3000}|long words without any end|\\PC){1,80}",
        places in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let file = TextFile::new("cuts.txt", text.as_bytes());
        let size = text.len() as u64;
        for specials in [&["<|end|>", "<|end|><|end|>", "a b", "aa", "aba"][..], &[]] {
            let specials = SpecialTokens::new(specials.iter().copied()).unwrap();
            for pattern in [GPT2_PATTERN, GPT4_PATTERN, r"\w+|\W"] {
                let splitter = Splitter::new(pattern).unwrap();
                let cut = |from: u64| first_cut(&file.0, from, &specials, &splitter).unwrap();
                let mut cuts: Vec<u64> = places.iter().map(|place| place.index(text.len() + 1) as u64).collect();
                cuts.extend([0, size]);
                cuts.sort_unstable();
                let cuts: Vec<u64> = cuts.into_iter().map(|from| {
                    let found = cut(from);
                    assert!((from..=size).contains(&found));
                    found
                }).collect();
                let mut sum = BTreeMap::new();
                for part in cuts.windows(2).filter(|part| part[0] < part[1]) {
                    let mut counter = Counter::new(specials.clone(), splitter.clone(), &CountOptions::default());
                    counter.count_file(&file.0, part[0]..part[1]).unwrap();
                    for (word, count) in as_map(&counter.finish().unwrap()) {
                        *sum.entry(word).or_insert(0) += count;
                    }
                }
                prop_assert_eq!(&sum, &naive(&text, &specials, &splitter), "cut at {:?}", cuts);
            }
        }
    }
}

/// Derived by hand. The search continues beyond one read, which may end within a character.
#[test]
fn a_far_cut_is_found() {
    let specials = SpecialTokens::new(["<|end|>"]).unwrap();
    let splitter = Splitter::new(GPT2_PATTERN).unwrap();
    for num_characters in [65_530, 65_535, 65_536, 65_537, 200_000] {
        for character in ["a", "\u{e9}", "\u{4e2d}", "\u{1f600}"] {
            let text = format!("start {}\u{a0}b end", character.repeat(num_characters));
            let file = TextFile::new("far.txt", text.as_bytes());
            let cut = first_cut(&file.0, 7, &specials, &splitter).unwrap();
            assert_eq!(&text[cut as usize..], "\u{a0}b end");
            let whole = TextFile::new("none.txt", character.repeat(num_characters).as_bytes());
            let size = (character.len() * num_characters) as u64;
            assert_eq!(first_cut(&whole.0, 1, &specials, &splitter).unwrap(), size);
        }
    }
    let free = Splitter::new(r"\w+").unwrap();
    let text = format!("{}<|end|>{}", "a ".repeat(100_000), "b ".repeat(100));
    let file = TextFile::new("free.txt", text.as_bytes());
    assert_eq!(first_cut(&file.0, 5, &specials, &free).unwrap(), 200_000);
    assert_eq!(
        first_cut(&file.0, 200_001, &specials, &free).unwrap(),
        text.len() as u64
    );
}
