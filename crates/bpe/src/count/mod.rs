//! How often each pre-token occurs in a corpus.

mod counts;
mod table;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

use crate::chunks::{Chunk, ChunkReader, PADDING};
use crate::error::BpeError;
use crate::progress::OnProgress;
use crate::special::{Piece, SpecialTokens};
use crate::split::Splitter;

pub use counts::Counts;
use table::Table;

/// How to count: the same counts for any of it.
#[derive(Clone, Copy, Debug)]
pub struct CountOptions {
    /// Threads that count; 0 is taken for 1.
    pub num_threads: usize,
    /// Bytes that a thread reads at a time. A longer pre-token is held whole nevertheless.
    pub chunk_bytes: usize,
}

impl Default for CountOptions {
    fn default() -> Self {
        Self {
            num_threads: 1,
            chunk_bytes: 1 << 18,
        }
    }
}

/// Counts the pre-tokens of a UTF-8 file between its special tokens, which add nothing.
///
/// The file is read in chunks that end where no token can cross, so memory holds a chunk and a table a thread, and not
/// the file. `on_progress(bytes_done, bytes_in_all)` is called after each chunk, from any thread.
///
/// # Errors
///
/// [`BpeError::Io`], [`BpeError::InvalidUtf8`] with the offset in the file, [`BpeError::EmptyInput`],
/// [`BpeError::PatternGaveUp`] from free patterns, and [`BpeError::Interrupted`].
pub fn count_file(
    path: &Path,
    specials: &SpecialTokens,
    splitter: &Splitter,
    options: CountOptions,
    on_progress: OnProgress<'_>,
) -> Result<Counts, BpeError> {
    let reader = ChunkReader::open(path, options.chunk_bytes.max(1))?;
    count_chunks(reader, specials, splitter, options.num_threads, on_progress)
}

/// Counts the pre-tokens of a text in memory.
///
/// # Errors
///
/// [`BpeError::EmptyInput`], and [`BpeError::PatternGaveUp`] from free patterns.
pub fn count_text(text: &str, specials: &SpecialTokens, splitter: &Splitter) -> Result<Counts, BpeError> {
    if text.is_empty() {
        return Err(BpeError::EmptyInput {
            place: "text".to_string(),
        });
    }
    let mut padded = Vec::with_capacity(text.len() + PADDING);
    padded.extend_from_slice(text.as_bytes());
    padded.resize(text.len() + PADDING, 0);
    let mut table = Table::new();
    add_text(&mut table, text, &padded, specials, splitter)?;
    Ok(Counts::from_tables(vec![table]))
}

fn count_chunks(
    reader: ChunkReader,
    specials: &SpecialTokens,
    splitter: &Splitter,
    num_threads: usize,
    on_progress: OnProgress<'_>,
) -> Result<Counts, BpeError> {
    let total_bytes = reader.total_bytes();
    let reader = Mutex::new(reader);
    // One thread's error ends the others' work too.
    let stop = AtomicBool::new(false);
    let count_until_stopped = || -> Result<Table, BpeError> {
        let mut table = Table::new();
        let mut chunk = Chunk::default();
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(table);
            }
            let more = match reader.lock() {
                Ok(mut reader) => reader.next_chunk(&mut chunk, specials, splitter)?,
                // Another thread panicked; its panic is passed on when it is joined.
                Err(_) => false,
            };
            if !more {
                return Ok(table);
            }
            let text = chunk.text()?;
            add_text(&mut table, text, chunk.padded(), specials, splitter)?;
            if on_progress(chunk.end_offset(), total_bytes).is_break() {
                return Err(BpeError::Interrupted);
            }
        }
    };
    let work = || {
        let result = count_until_stopped();
        if result.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        result
    };
    let results: Vec<Result<Table, BpeError>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..num_threads).map(|_| scope.spawn(work)).collect();
        let mut results = vec![work()];
        results.extend(
            others
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
        );
        results
    });
    let tables = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Counts::from_tables(tables))
}

/// Adds the pre-tokens of `text`; `padded` is `text` with [`PADDING`] more bytes, which are read but never used.
fn add_text(
    table: &mut Table,
    text: &str,
    padded: &[u8],
    specials: &SpecialTokens,
    splitter: &Splitter,
) -> Result<(), BpeError> {
    for piece in specials.pieces(text.as_bytes()) {
        if let Piece::Text(range) = piece {
            let document = &padded[range.start..];
            splitter.for_each_batch(&text[range], |start, ends| table.add_batch(document, start, ends))?;
        }
    }
    Ok(())
}
