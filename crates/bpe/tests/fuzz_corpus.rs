//! The fuzzers' checks on the inputs that they kept (fuzz/corpus/TARGET/*), and on a few made from a seed.
//!
//! `cargo +nightly fuzz run TARGET` starts from the same inputs.

use std::fs;
use std::path::Path;

#[path = "../fuzz/checks/mod.rs"]
mod checks;

/// Inputs made at random, one of each length.
const NUM_RANDOM: usize = 200;

/// Runs `check` on every input kept for `target`, and on bytes at random, the same in every run.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "{}: the corpus is missing", corpus.display());
    for path in &paths {
        let data = fs::read(path).unwrap();
        // Shown by the harness where the check fails.
        println!("{}", path.display());
        check(&data);
    }
    // Marsaglia's xorshift64.
    let mut state = 0x243F_6A88_85A3_08D3_u64;
    for len in 0..NUM_RANDOM {
        let mut next_byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        let data: Vec<u8> = (0..len).map(|_| next_byte()).collect();
        println!("{data:?}");
        check(&data);
    }
}

macro_rules! replay {
    ($($target:ident),*) => {$(
        #[test]
        fn $target() {
            replay(stringify!($target), checks::$target::check);
        }
    )*};
}

replay!(split, encode, decode, train, counts, vocabulary);
