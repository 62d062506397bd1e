//! What the threads of a counter do.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::runs::{write_merged, Runs};
use super::table::Table;
use crate::chunks::Chunk;
use crate::error::BpeError;
use crate::progress::Progress;
use crate::special::{Piece, SpecialTokens};
use crate::split::Splitter;

/// What the threads have in common.
pub(super) struct Shared {
    pub specials: SpecialTokens,
    pub splitter: Splitter,
    pub progress: Progress,
    runs: Mutex<Runs>,
}

impl Shared {
    pub fn new(specials: SpecialTokens, splitter: Splitter, runs: Runs) -> Self {
        Self {
            specials,
            splitter,
            progress: Progress::default(),
            runs: Mutex::new(runs),
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
    pub fn add_document(&self, table: &mut Table, text: &str, padded: &[u8]) -> Result<(), BpeError> {
        let mut spilled = Ok(());
        self.splitter.for_each_batch(text, |start, ends| {
            if spilled.is_ok() {
                spilled = self.progress.check();
            }
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
        write_merged(vec![Box::new(table.entries())], &path, b"", false, &self.progress)?;
        table.clear();
        self.lock_runs().push(path, &self.progress)
    }

    pub fn lock_runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
