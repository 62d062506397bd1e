//! What the threads of a counter do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ScopedJoinHandle;

use super::documents::Documents;
use super::runs::{write_merged, Runs};
use super::table::Table;
use crate::chunks::Chunk;
use crate::error::BpeError;
use crate::special::{Piece, SpecialTokens};
use crate::split::Splitter;

/// What the threads have in common.
pub(super) struct Shared {
    pub specials: SpecialTokens,
    pub splitter: Splitter,
    runs: Mutex<Runs>,
    /// One thread's error ends the others' work too.
    stop: AtomicBool,
}

/// What a thread is given to count.
pub(super) enum Job {
    Text(Chunk),
    Documents(Documents),
}

impl Shared {
    pub fn new(specials: SpecialTokens, splitter: Splitter, runs: Runs) -> Self {
        Self {
            specials,
            splitter,
            runs: Mutex::new(runs),
            stop: AtomicBool::new(false),
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub fn stopping_others(&self, work: impl FnOnce() -> Result<(), BpeError>) -> Result<(), BpeError> {
        let result = work();
        if result.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Does `work` with every table on a thread of its own, with the first on this one.
    pub fn on_each(
        &self,
        tables: &mut [Table],
        work: impl Fn(&mut Table) -> Result<(), BpeError> + Sync,
    ) -> Result<(), BpeError> {
        let work = &work;
        let Some((first, others)) = tables.split_first_mut() else {
            return Ok(());
        };
        std::thread::scope(|scope| {
            let start = |table| scope.spawn(move || self.stopping_others(|| work(table)));
            let threads: Vec<_> = others.iter_mut().map(start).collect();
            let result = self.stopping_others(|| work(first));
            threads.into_iter().map(join).fold(result, Result::and)
        })
    }

    /// Counts what comes in until nothing more can.
    pub fn count_received(&self, table: &mut Table, receiver: &Mutex<Receiver<Job>>) -> Result<(), BpeError> {
        loop {
            let received = receiver.lock().map(|receiver| receiver.recv());
            match received {
                Ok(Ok(Job::Text(chunk))) => self.add_text(table, &chunk)?,
                Ok(Ok(Job::Documents(documents))) => {
                    documents.for_each(|text, padded| self.add_document(table, text, padded))?;
                }
                // Either there is no more, or another thread panicked; its panic is passed on when it is joined.
                _ => return Ok(()),
            }
        }
    }

    /// Adds the pre-tokens of a text between its special tokens.
    pub fn add_text(&self, table: &mut Table, chunk: &Chunk) -> Result<(), BpeError> {
        let text = chunk.text()?;
        for piece in self.specials.pieces(text.as_bytes()) {
            if let Piece::Text(range) = piece {
                self.add_document(table, &text[range.clone()], &chunk.padded()[range.start..])?;
            }
        }
        Ok(())
    }

    /// Adds the pre-tokens of `text`; `padded` begins with it, and 16 bytes can be read from anywhere in it.
    fn add_document(&self, table: &mut Table, text: &str, padded: &[u8]) -> Result<(), BpeError> {
        let mut spilled = Ok(());
        self.splitter.for_each_batch(text, |start, ends| {
            if !table.make_room() && spilled.is_ok() {
                spilled = self.spill(table);
            }
            if spilled.is_ok() {
                spilled = table.add_batch(padded, start, ends);
            }
        })?;
        spilled
    }

    #[cold]
    fn spill(&self, table: &mut Table) -> Result<(), BpeError> {
        table.sort();
        let path = self.lock_runs().new_path()?;
        write_merged(vec![Box::new(table.entries())], &path, b"", false)?;
        table.clear();
        self.lock_runs().push(path)
    }

    pub fn lock_runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what a thread returned, or resumes its panic in this one.
pub(super) fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
