//! The chunks of several files, numbered in their order.

use std::path::PathBuf;

use super::Separator;
use crate::chunks::{Chunk, ChunkReader};
use crate::error::BpeError;
use crate::progress::Progress;
use crate::special::SpecialTokens;
use crate::split::Splitter;

/// Files of UTF-8 text, one after the other, and how to read them: the same ids for any threads and chunks.
#[derive(Clone, Copy, Debug)]
pub struct TextFiles<'a> {
    /// The files.
    pub paths: &'a [PathBuf],
    /// Bytes of the first file to leave out: the `start` of one of its blocks, or 0.
    pub start: u64,
    /// Bytes of the last file before what is left out of it, a place where text can be cut; the file's end where none.
    pub end: Option<u64>,
    /// The only special token that is looked for.
    pub separator: Separator<'a>,
    /// Whether a separator is put where the last file ends without one, as it is put where the others do.
    pub closes_last: bool,
    /// Threads that encode, beside the caller's; 0 is taken for 1.
    pub num_threads: usize,
    /// Bytes that a thread reads at a time. A longer pre-token, or with a free pattern a longer document, is held whole.
    pub chunk_bytes: usize,
}

/// Reads files one after the other, for threads that take turns.
pub(super) struct Source<'a> {
    paths: &'a [PathBuf],
    chunk_bytes: usize,
    separators: &'a SpecialTokens,
    splitter: &'a Splitter,
    progress: &'a Progress,
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
        files: &TextFiles<'a>,
        separators: &'a SpecialTokens,
        splitter: &'a Splitter,
        progress: &'a Progress,
    ) -> Self {
        Self {
            paths: files.paths,
            chunk_bytes: files.chunk_bytes.max(1),
            separators,
            splitter,
            progress,
            file_index: 0,
            start: files.start,
            end: files.end.unwrap_or(u64::MAX),
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
        let more = reader.next_chunk(chunk, self.separators, self.splitter, self.progress)?;
        self.reader = Some(reader);
        Ok(more)
    }
}
