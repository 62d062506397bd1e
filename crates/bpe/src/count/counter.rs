//! Counts texts one after the other, on many threads and in stated memory.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

use super::budget::Budget;
use super::counts::Counts;
use super::documents::DocumentBatch;
use super::entries::Entries;
use super::file::Sums;
use super::runs::{write_merged, Runs};
use super::table::Table;
use super::threads::Shared;
use super::CountOptions;
use crate::chunks::{Chunk, ChunkReader};
use crate::error::BpeError;
use crate::parallel;
use crate::progress::Progress;
use crate::special::SpecialTokens;
use crate::split::Splitter;

/// The counts of several texts together, as they come in.
///
/// Each thread counts into a table of its own. One that is full is sorted, spilled to disk as a run, and cleared; in the
/// end runs and tables are merged. The result is the same whatever the memory, threads and chunks.
/// After an error a counter is of no use any more.
pub struct Counter {
    tables: Vec<Table>,
    shared: Shared,
    budget: Budget,
}

impl Counter {
    /// A counter that spills, if it must, into a directory of its own in `options.spill_directory`, which is removed with
    /// the counter.
    pub fn new(specials: SpecialTokens, splitter: Splitter, options: &CountOptions) -> Self {
        let budget = Budget::new(options);
        let num_threads = options.num_threads.max(1);
        Self {
            tables: (0..num_threads).map(|_| Table::new(budget.table_bytes)).collect(),
            shared: Shared::new(specials, splitter, Runs::new(&options.spill_directory)),
            budget,
        }
    }

    /// Reports to `progress` from now on, in offsets of a file, and stops when it says so.
    pub fn set_progress(&mut self, progress: &Progress) {
        self.shared.progress = progress.clone();
    }

    /// Counts a range of a UTF-8 file between its special tokens; returns the offset reached, which is less than the
    /// range's end only where the file is shorter.
    ///
    /// The file must allow to be cut at both ends of `range`: see [`first_cut`](super::first_cut).
    ///
    /// # Errors
    ///
    /// [`BpeError::Io`], [`BpeError::InvalidUtf8`] with the offset in the file, [`BpeError::EmptyInput`],
    /// [`BpeError::PatternGaveUp`] from free patterns, and [`BpeError::Interrupted`].
    pub fn count_file(&mut self, path: &Path, range: Range<u64>) -> Result<u64, BpeError> {
        let mut reader = ChunkReader::open_range(path, range.clone(), self.budget.chunk_bytes)?;
        let num_chunks = (range.end - range.start).div_ceil(self.budget.chunk_bytes as u64);
        self.count_chunks(&mut reader, num_chunks, range.end)?;
        Ok(reader.offset())
    }

    /// Counts a UTF-8 text as it arrives; otherwise as [`Counter::count_file`], with `place` for the file.
    ///
    /// # Errors
    ///
    /// As [`Counter::count_file`].
    pub fn count_stream(&mut self, source: impl Read + Send, place: &Path) -> Result<(), BpeError> {
        let mut reader = ChunkReader::new(source, place, 0, self.budget.chunk_bytes);
        self.count_chunks(&mut reader, u64::MAX, u64::MAX)
    }

    /// Counts documents in which nothing is a special token, until `next` has no more.
    ///
    /// # Errors
    ///
    /// What `next` returns, [`BpeError::PatternGaveUp`], and [`BpeError::Io`] about a run.
    pub fn count_documents(
        &mut self,
        mut next: impl FnMut() -> Result<Option<DocumentBatch>, BpeError> + Send,
    ) -> Result<(), BpeError> {
        let shared = &self.shared;
        let mut is_over = false;
        let next = |documents: &mut DocumentBatch| {
            if !is_over {
                is_over = true; // unless there are more
                if let Some(more) = next()? {
                    *documents = more;
                    is_over = false;
                }
            }
            Ok(!is_over)
        };
        count_by_turns(&mut self.tables, next, |table, documents| {
            documents.for_each(|text, padded| shared.add_document(table, text, padded))
        })
    }

    fn count_chunks<R: Read + Send>(
        &mut self,
        reader: &mut ChunkReader<R>,
        max_chunks: u64,
        end: u64,
    ) -> Result<(), BpeError> {
        let shared = &self.shared;
        let num_threads = self
            .tables
            .len()
            .min(max_chunks.max(1).try_into().unwrap_or(usize::MAX));
        let next = |chunk: &mut Chunk| reader.next_chunk(chunk, &shared.specials, &shared.splitter, &shared.progress);
        count_by_turns(&mut self.tables[..num_threads], next, |table, chunk| {
            shared.add_text(table, chunk)?;
            shared.progress.report(chunk.end_offset(), end)
        })
    }

    /// The counts.
    ///
    /// # Errors
    ///
    /// [`BpeError::Io`] about a run, [`BpeError::CountTooLarge`], and [`BpeError::CountsExceedMemory`].
    pub fn finish(mut self) -> Result<Counts, BpeError> {
        self.sort_tables()?;
        let mut runs = self.shared.lock_runs();
        let held: usize = self.tables.iter().map(Table::num_bytes).sum();
        let (num_words, num_bytes) = self
            .tables
            .iter()
            .map(Table::size)
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        if !runs.is_empty() || held + Counts::memory_bytes(num_words, num_bytes) > self.budget.max_bytes {
            let path = runs.new_path()?;
            write_merged(entries_of(&self.tables), &path, b"", false, &self.shared.progress)?;
            runs.push(path, &self.shared.progress)?;
            self.tables.clear();
        }
        runs.reduce(0, &self.shared.progress)?;
        let mut sources = runs.open()?;
        sources.extend(entries_of(&self.tables));
        Counts::merge(sources, self.budget.max_bytes, &self.shared.progress)
    }

    /// Writes the counts to a file, without holding all of them; `header` stands at its beginning.
    ///
    /// # Errors
    ///
    /// [`BpeError::Io`], [`BpeError::CountTooLarge`].
    pub fn write(mut self, path: &Path, header: &[u8]) -> Result<Sums, BpeError> {
        self.sort_tables()?;
        let mut runs = self.shared.lock_runs();
        runs.reduce(self.tables.len(), &self.shared.progress)?;
        let mut sources = runs.open()?;
        sources.extend(entries_of(&self.tables));
        write_merged(sources, path, header, true, &self.shared.progress)
    }

    fn sort_tables(&mut self) -> Result<(), BpeError> {
        on_each(&mut self.tables, |table| {
            table.sort();
            Ok(())
        })
    }
}

/// Does `work` with every table on a thread of its own; returns the error of the first table that has one.
fn on_each(tables: &mut [Table], work: impl Fn(&mut Table) -> Result<(), BpeError> + Sync) -> Result<(), BpeError> {
    parallel::map(tables, work).into_iter().collect()
}

/// Counts into each table on a thread of its own: a thread whose turn it is has `next` fill its buffer, until that returns
/// false, and counts it by `count` while others have theirs filled.
fn count_by_turns<Text: Default>(
    tables: &mut [Table],
    next: impl FnMut(&mut Text) -> Result<bool, BpeError> + Send,
    count: impl Fn(&mut Table, &mut Text) -> Result<(), BpeError> + Sync,
) -> Result<(), BpeError> {
    let next = Mutex::new(next);
    let has_failed = AtomicBool::new(false);
    let fill = |text: &mut Text| match next.lock() {
        Ok(mut next) if !has_failed.load(Ordering::Relaxed) => next(text),
        // Another thread failed, or panicked; its panic is passed on when it is joined.
        _ => Ok(false),
    };
    let count_all = |table: &mut Table| {
        let mut text = Text::default();
        while fill(&mut text)? {
            count(table, &mut text)?;
        }
        Ok(())
    };
    on_each(tables, |table| {
        count_all(table).inspect_err(|_| has_failed.store(true, Ordering::Relaxed))
    })
}

fn entries_of(tables: &[Table]) -> Vec<Box<dyn Entries + '_>> {
    let entries = |table| Box::new(Table::entries(table)) as Box<dyn Entries + '_>;
    tables.iter().map(entries).collect()
}
