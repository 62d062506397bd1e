//! What the tests of counting have in common.

use std::collections::BTreeMap;
use std::path::PathBuf;

use homespun_bpe::count::{CountOptions, Counts};
use homespun_bpe::special::Piece;
use homespun_bpe::{SpecialTokens, Splitter};

/// A file that goes away with its test.
pub struct TextFile(pub PathBuf);

impl TextFile {
    pub fn new(name: &str, text: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("homespun-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

/// A directory that goes away with its test.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("homespun-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// The names of what is in it.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

pub fn naive(text: &str, specials: &SpecialTokens, splitter: &Splitter) -> BTreeMap<Vec<u8>, u64> {
    let mut counts = BTreeMap::new();
    for piece in specials.pieces(text.as_bytes()) {
        if let Piece::Text(range) = piece {
            let document = &text[range];
            for token in splitter.split(document).unwrap() {
                *counts.entry(document.as_bytes()[token].to_vec()).or_default() += 1;
            }
        }
    }
    counts
}

pub fn as_map(counts: &Counts) -> BTreeMap<Vec<u8>, u64> {
    let entries: Vec<_> = counts.iter().map(|(word, count)| (word.to_vec(), count)).collect();
    assert!(
        entries.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "not in ascending order"
    );
    entries.into_iter().collect()
}

pub fn options(num_threads: usize, chunk_bytes: usize) -> CountOptions {
    CountOptions {
        num_threads,
        chunk_bytes,
        ..CountOptions::default()
    }
}
