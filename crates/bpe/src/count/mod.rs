//! How often each pre-token occurs in a corpus.

mod budget;
mod counter;
mod counts;
mod cut;
mod documents;
mod entries;
mod file;
mod files;
mod reader;
mod runs;
mod sorted;
mod table;
mod threads;
mod writer;

use std::path::{Path, PathBuf};

use crate::error::BpeError;
use crate::special::SpecialTokens;
use crate::split::Splitter;

pub use counter::Counter;
pub use counts::Counts;
pub use cut::first_cut;
pub use documents::DocumentBatch;
pub use file::Sums;
pub use files::{merge_files, read_counts, read_header, verify_counts};

/// How to count: the same counts for any of it.
#[derive(Clone, Debug)]
pub struct CountOptions {
    /// Threads that count; 0 is taken for 1.
    pub num_threads: usize,
    /// Bytes that a thread reads at a time. A longer pre-token is held whole nevertheless.
    pub chunk_bytes: usize,
    /// Memory for everything, if it is limited: tables, text, and the counts in the end. What exceeds it spills to disk.
    pub max_memory_bytes: Option<usize>,
    /// Where it spills to: best not a file system in memory.
    pub spill_directory: PathBuf,
}

impl Default for CountOptions {
    fn default() -> Self {
        Self {
            num_threads: 1,
            chunk_bytes: 1 << 18,
            max_memory_bytes: None,
            spill_directory: std::env::temp_dir(),
        }
    }
}

/// Counts the pre-tokens of a UTF-8 file between its special tokens, which add nothing.
///
/// The file is read in chunks that end where no token can cross, so memory holds a chunk and a table a thread, and not
/// the file.
///
/// # Errors
///
/// Those of [`Counter::count_file`] and [`Counter::finish`].
pub fn count_file(
    path: &Path,
    specials: &SpecialTokens,
    splitter: &Splitter,
    options: &CountOptions,
) -> Result<Counts, BpeError> {
    let metadata = std::fs::metadata(path).map_err(file::io_error(path))?;
    let mut counter = Counter::new(specials.clone(), splitter.clone(), options);
    counter.count_file(path, 0..metadata.len())?;
    counter.finish()
}

/// Counts the pre-tokens of a text in memory.
///
/// # Errors
///
/// [`BpeError::EmptyInput`], and [`BpeError::PatternGaveUp`] from free patterns.
pub fn count_text(text: &str, specials: &SpecialTokens, splitter: &Splitter) -> Result<Counts, BpeError> {
    let mut counter = Counter::new(specials.clone(), splitter.clone(), &CountOptions::default());
    counter.count_stream(text.as_bytes(), Path::new("text"))?;
    counter.finish()
}
