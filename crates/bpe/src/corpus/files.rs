//! Text files to ids.

use std::sync::{Mutex, PoisonError};

use super::source::{Source, TextFiles};
use super::{IdBlock, BLOCKS_PER_THREAD};
use crate::chunks::Chunk;
use crate::encode::{Encoder, SpecialPolicy, Worker};
use crate::error::BpeError;
use crate::parallel::{in_order, Outlet};
use crate::progress::Progress;
use crate::special::{Piece, SpecialTokens};

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRange {
    /// The file's place in the list.
    pub file_index: usize,
    /// Bytes of the file before it. Encoding the file from here on gives the same ids from here on.
    pub start: u64,
    /// Bytes of the file before what follows it.
    pub end: u64,
}

/// The ids of one chunk.
struct Encoded {
    range: FileRange,
    num_bytes: u64,
    ids: Vec<u32>,
}

/// Gives the ids of `files` to `on_block`, on the caller's thread, while the next are made on others.
///
/// # Errors
///
/// [`BpeError::Io`], [`BpeError::EmptyInput`], [`BpeError::InvalidUtf8`] with the offset in the file, [`BpeError::InFile`]
/// for a text that cannot be encoded, and what `on_block` returns. Of several errors it is the first in the text, and the chunks before it have been given to `on_block`.
pub fn encode_files(
    encoder: &Encoder,
    files: &TextFiles<'_>,
    progress: &Progress,
    mut on_block: impl FnMut(FileRange, IdBlock<'_>) -> Result<(), BpeError>,
) -> Result<(), BpeError> {
    // A chunk may end inside neither the separator nor a token that is found in ordinary text.
    let (added, added_ids) = encoder.tokens_found(SpecialPolicy::Text);
    let mut tokens = vec![files.separator.text.to_owned()];
    let mut ids = vec![files.separator.id];
    for (token, &id) in added.tokens().iter().zip(added_ids) {
        if token != files.separator.text {
            tokens.push(token.clone());
            ids.push(id);
        }
    }
    let separators = SpecialTokens::new(tokens)?;
    let source = Source::new(files, &separators, encoder.splitter(), progress);
    let job = Job {
        encoder,
        files,
        separators: &separators,
        ids: &ids,
        source: Mutex::new(source),
        spare: Mutex::new(Vec::new()),
    };
    in_order(
        files.num_threads,
        files.num_threads.max(1) * BLOCKS_PER_THREAD,
        |outlet| encoder.with_worker(progress, |worker| job.work(worker, outlet)),
        |encoded: Result<Encoded, BpeError>| {
            let Encoded { range, num_bytes, ids } = encoded?;
            on_block(range, IdBlock::new(&ids, num_bytes, files.separator))?;
            job.keep(ids);
            Ok(())
        },
    )
}

/// What the threads share.
struct Job<'a> {
    encoder: &'a Encoder,
    files: &'a TextFiles<'a>,
    /// The separator, then the tokens that are found in ordinary text; and their ids.
    separators: &'a SpecialTokens,
    ids: &'a [u32],
    source: Mutex<Source<'a>>,
    /// Buffers to use again: memory that was never touched is slow.
    spare: Mutex<Vec<Vec<u32>>>,
}

impl Job<'_> {
    /// Reads and encodes chunks until there are none.
    fn work(&self, worker: &mut Worker, outlet: &Outlet<Result<Encoded, BpeError>>) {
        let mut chunk = Chunk::default();
        loop {
            let drawn = self
                .source
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .draw(&mut chunk);
            let Some((turn, read)) = drawn else { return };
            let encoded = read.and_then(|()| self.encode(worker, &chunk, turn.file_index));
            if encoded.is_err() {
                // What follows an error is not wanted.
                self.source.lock().unwrap_or_else(PoisonError::into_inner).stop();
            }
            if outlet.put(turn.number, encoded).is_break() {
                return;
            }
        }
    }

    fn encode(&self, worker: &mut Worker, chunk: &Chunk, file_index: usize) -> Result<Encoded, BpeError> {
        let text = chunk.text()?;
        let separator = self.files.separator;
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut ids = spare.unwrap_or_default();
        let mut is_open = true;
        for piece in self.separators.pieces(text.as_bytes()) {
            is_open = !matches!(piece, Piece::Special(_, 0));
            match piece {
                Piece::Special(_, index) => ids.push(self.ids[index]),
                Piece::Text(range) => {
                    let offset = chunk.start_offset() as usize + range.start;
                    self.encoder
                        .encode_by(worker, &text[range], SpecialPolicy::Text, offset, &mut ids)
                        .map_err(|error| BpeError::InFile {
                            path: self.files.paths[file_index].clone(),
                            error: Box::new(error),
                        })?;
                }
            }
        }
        let mut num_bytes = text.len() as u64;
        let is_last_file = file_index + 1 == self.files.paths.len();
        if chunk.is_last() && is_open && (self.files.closes_last || !is_last_file) {
            ids.push(separator.id);
            num_bytes += separator.text.len() as u64;
        }
        let range = FileRange {
            file_index,
            start: chunk.start_offset(),
            end: chunk.end_offset(),
        };
        Ok(Encoded { range, num_bytes, ids })
    }

    /// Keeps a buffer for the next chunk; that of an uncommonly long chunk is given back to the system.
    fn keep(&self, mut ids: Vec<u32>) {
        if ids.capacity() <= self.files.chunk_bytes {
            ids.clear();
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(ids);
        }
    }
}
