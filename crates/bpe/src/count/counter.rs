//! Counts texts one after the other, on many threads and in stated memory.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use super::budget::{Budget, FAN_IN};
use super::counts::Counts;
use super::documents::Documents;
use super::entries::Entries;
use super::file::Sums;
use super::runs::{write_merged, Runs};
use super::table::Table;
use super::threads::{join, Job, Shared};
use super::CountOptions;
use crate::chunks::{Chunk, ChunkReader};
use crate::error::BpeError;
use crate::progress::OnProgress;
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
        let runs = Runs::new(&options.spill_directory, FAN_IN);
        let budget = Budget::new(options);
        let num_threads = options.num_threads.max(1);
        Self {
            tables: (0..num_threads).map(|_| Table::new(budget.table_bytes)).collect(),
            shared: Shared::new(specials, splitter, runs),
            budget,
        }
    }

    /// Counts a range of a UTF-8 file between its special tokens; returns the offset reached, which is less than the
    /// range's end only where the file is shorter.
    ///
    /// The file must allow to be cut at both ends of `range`: see [`first_cut`](super::first_cut).
    /// `on_progress(offset, end)` is called after each chunk, from any thread.
    ///
    /// # Errors
    ///
    /// [`BpeError::Io`], [`BpeError::InvalidUtf8`] with the offset in the file, [`BpeError::EmptyInput`],
    /// [`BpeError::PatternGaveUp`] from free patterns, and [`BpeError::Interrupted`].
    pub fn count_file(&mut self, path: &Path, range: Range<u64>, on_progress: OnProgress<'_>) -> Result<u64, BpeError> {
        let reader = Mutex::new(ChunkReader::open_range(path, range.clone(), self.budget.chunk_bytes)?);
        let shared = &self.shared;
        let work = |table: &mut Table| {
            let mut chunk = Chunk::default();
            while !shared.is_stopped() {
                let is_filled = match reader.lock() {
                    Ok(mut reader) => reader.next_chunk(&mut chunk, &shared.specials, &shared.splitter)?,
                    // Another thread panicked; its panic is passed on when it is joined.
                    Err(_) => false,
                };
                if !is_filled {
                    break;
                }
                shared.add_text(table, &chunk)?;
                if on_progress(chunk.end_offset(), range.end).is_break() {
                    return Err(BpeError::Interrupted);
                }
            }
            Ok(())
        };
        let num_chunks = (range.end - range.start).div_ceil(self.budget.chunk_bytes as u64);
        let num_threads = self
            .tables
            .len()
            .min(num_chunks.try_into().unwrap_or(usize::MAX))
            .max(1);
        shared.on_each(&mut self.tables[..num_threads], work)?;
        Ok(reader.into_inner().unwrap_or_else(PoisonError::into_inner).offset())
    }

    /// Counts a UTF-8 text as it arrives; otherwise as [`Counter::count_file`], with `place` for the file.
    ///
    /// # Errors
    ///
    /// As [`Counter::count_file`].
    pub fn count_stream(&mut self, source: impl Read, place: &Path) -> Result<(), BpeError> {
        let mut reader = ChunkReader::new(source, place, 0, self.budget.chunk_bytes);
        let (specials, splitter) = (self.shared.specials.clone(), self.shared.splitter.clone());
        self.count_jobs(|| {
            let mut chunk = Chunk::default();
            let is_filled = reader.next_chunk(&mut chunk, &specials, &splitter)?;
            Ok(is_filled.then_some(Job::Text(chunk)))
        })
    }

    /// Counts documents in which nothing is a special token, until `next` has no more.
    ///
    /// # Errors
    ///
    /// What `next` returns, [`BpeError::PatternGaveUp`], and [`BpeError::Io`] about a run.
    pub fn count_documents(
        &mut self,
        mut next: impl FnMut() -> Result<Option<Documents>, BpeError>,
    ) -> Result<(), BpeError> {
        self.count_jobs(|| Ok(next()?.map(Job::Documents)))
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
            write_merged(entries_of(&self.tables), &path, b"", false)?;
            runs.push(path)?;
            self.tables.clear();
        }
        runs.reduce(0)?;
        let mut sources = runs.open()?;
        sources.extend(entries_of(&self.tables));
        Counts::merge(sources, self.budget.max_bytes)
    }

    /// Writes the counts to a file, without holding all of them; `header` stands at its beginning.
    ///
    /// # Errors
    ///
    /// [`BpeError::Io`], [`BpeError::CountTooLarge`].
    pub fn write(mut self, path: &Path, header: &[u8]) -> Result<Sums, BpeError> {
        self.sort_tables()?;
        let mut runs = self.shared.lock_runs();
        runs.reduce(self.tables.len())?;
        let mut sources = runs.open()?;
        sources.extend(entries_of(&self.tables));
        write_merged(sources, path, header, true)
    }

    fn sort_tables(&mut self) -> Result<(), BpeError> {
        self.shared.on_each(&mut self.tables, |table| {
            table.sort();
            Ok(())
        })
    }

    /// Hands out what `next` makes on this thread to the others.
    fn count_jobs(&mut self, mut next: impl FnMut() -> Result<Option<Job>, BpeError>) -> Result<(), BpeError> {
        let shared = &self.shared;
        let (sender, receiver) = sync_channel(self.tables.len());
        // The last thread to end closes the channel, so that this one does not wait for nobody.
        let receiver = Arc::new(Mutex::new(receiver));
        std::thread::scope(|scope| {
            let start = |table| {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || shared.stopping_others(|| shared.count_received(table, &receiver)))
            };
            let threads: Vec<_> = self.tables.iter_mut().map(start).collect();
            drop(receiver);
            let mut produce = || -> Result<(), BpeError> {
                while let Some(job) = next()? {
                    if shared.is_stopped() || sender.send(job).is_err() {
                        break;
                    }
                }
                Ok(())
            };
            let produced = produce();
            drop(sender);
            threads.into_iter().map(join).fold(produced, Result::and)
        })
    }
}

fn entries_of(tables: &[Table]) -> Vec<Box<dyn Entries + '_>> {
    let entries = |table| Box::new(Table::entries(table)) as Box<dyn Entries + '_>;
    tables.iter().map(entries).collect()
}
