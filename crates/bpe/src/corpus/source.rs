//! The chunks of several files, numbered in their order.

use std::path::PathBuf;

use crate::chunks::{Chunk, ChunkReader};
use crate::error::BpeError;
use crate::special::SpecialTokens;
use crate::split::Splitter;

/// Reads files one after the other, for threads that take turns.
pub(super) struct Source<'a> {
    paths: &'a [PathBuf],
    chunk_bytes: usize,
    separators: &'a SpecialTokens,
    splitter: &'a Splitter,
    /// The file being read, or to be read next.
    file_index: usize,
    /// Where to begin in it.
    start: u64,
    /// Where to end in the last file.
    end: u64,
    reader: Option<ChunkReader>,
    num_drawn: u64,
}

/// Which of all chunks a chunk is.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub number: u64,
    pub file_index: usize,
}

impl<'a> Source<'a> {
    pub fn new(
        paths: &'a [PathBuf],
        start: u64,
        end: Option<u64>,
        chunk_bytes: usize,
        separators: &'a SpecialTokens,
        splitter: &'a Splitter,
    ) -> Self {
        Self {
            paths,
            chunk_bytes: chunk_bytes.max(1),
            separators,
            splitter,
            file_index: 0,
            start,
            end: end.unwrap_or(u64::MAX),
            reader: None,
            num_drawn: 0,
        }
    }

    /// Reads the next chunk, and says which it is; nothing where all files are read. After an error nothing comes.
    pub fn draw(&mut self, chunk: &mut Chunk) -> Option<(Turn, Result<(), BpeError>)> {
        let outcome = loop {
            match self.read(chunk) {
                Ok(true) => break Ok(()),
                Ok(false) if self.file_index + 1 >= self.paths.len() => return None,
                Ok(false) => self.open_next(),
                Err(error) => break Err(error),
            }
        };
        let turn = Turn {
            number: self.num_drawn,
            file_index: self.file_index,
        };
        self.num_drawn += 1;
        if outcome.is_err() {
            self.stop();
        }
        Some((turn, outcome))
    }

    /// Lets nothing come any more.
    pub fn stop(&mut self) {
        self.paths = &[];
        self.reader = None;
    }

    fn open_next(&mut self) {
        self.file_index += 1;
        self.start = 0;
        self.reader = None;
    }

    fn read(&mut self, chunk: &mut Chunk) -> Result<bool, BpeError> {
        let Some(path) = self.paths.get(self.file_index) else {
            return Ok(false);
        };
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let is_last = self.file_index + 1 == self.paths.len();
                let end = if is_last { self.end } else { u64::MAX };
                ChunkReader::open_range(path, self.start..end, self.chunk_bytes)?
            }
        };
        let more = reader.next_chunk(chunk, self.separators, self.splitter)?;
        self.reader = Some(reader);
        Ok(more)
    }
}
