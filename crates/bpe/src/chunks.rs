//! Reads a text in chunks that end where no token can cross.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::BpeError;
use crate::memory::{extend, reserve};
use crate::progress::Progress;
use crate::special::SpecialTokens;
use crate::split::Splitter;
use crate::stable::{cut_context_bytes, last_cut, stable_prefix};

/// Readable bytes after a chunk's text, so that 16 can be loaded from anywhere in it.
pub(crate) const PADDING: usize = 64;

/// A text, and what of it was read but not given out.
pub(crate) struct ChunkReader<R = Take<File>> {
    source: R,
    place: PathBuf,
    chunk_bytes: usize,
    /// Begins where a pre-token or a special token does.
    carry: Vec<u8>,
    carry_offset: u64,
    is_at_end: bool,
}

/// Text that can be split on its own; its buffer is reused for the next chunk.
#[derive(Default)]
pub(crate) struct Chunk {
    /// The text, then padding.
    bytes: Vec<u8>,
    text_len: usize,
    offset: u64,
    place: String,
    is_last: bool,
}

impl Chunk {
    /// The text, checked to be UTF-8.
    pub fn text(&self) -> Result<&str, BpeError> {
        simdutf8::basic::from_utf8(&self.bytes[..self.text_len]).map_err(|_| {
            let valid = simdutf8::compat::from_utf8(&self.bytes[..self.text_len])
                .map_or_else(|error| error.valid_up_to(), str::len);
            BpeError::InvalidUtf8 {
                place: self.place.clone(),
                offset: self.offset + valid as u64,
            }
        })
    }

    /// The text and [`PADDING`] bytes more.
    pub fn padded(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the file ends with it.
    pub fn is_last(&self) -> bool {
        self.is_last
    }

    /// Offset in the file at which the text begins.
    pub fn start_offset(&self) -> u64 {
        self.offset
    }

    /// Offset in the file at which the text ends.
    pub fn end_offset(&self) -> u64 {
        self.offset + self.text_len as u64
    }
}

impl ChunkReader {
    /// Reads a range of a file whose ends are safe cuts.
    pub fn open_range(path: &Path, range: Range<u64>, chunk_bytes: usize) -> Result<Self, BpeError> {
        let io = |source| BpeError::Io {
            path: path.to_path_buf(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        file.seek(SeekFrom::Start(range.start)).map_err(io)?;
        let source = file.take(range.end.saturating_sub(range.start));
        Ok(Self::new(source, path, range.start, chunk_bytes))
    }
}

impl<R: Read> ChunkReader<R> {
    /// Reads what `source` gives, which begins `offset` bytes into the text of `place`.
    pub fn new(source: R, place: &Path, offset: u64, chunk_bytes: usize) -> Self {
        Self {
            source,
            place: place.to_path_buf(),
            chunk_bytes,
            carry: Vec::new(),
            carry_offset: offset,
            is_at_end: false,
        }
    }

    /// Where the next chunk begins, in bytes from the beginning of the text.
    pub fn offset(&self) -> u64 {
        self.carry_offset
    }

    /// Fills `chunk` with the next text; returns false if there is none.
    pub fn next_chunk(
        &mut self,
        chunk: &mut Chunk,
        specials: &SpecialTokens,
        splitter: &Splitter,
        progress: &Progress,
    ) -> Result<bool, BpeError> {
        chunk.place = self.place.display().to_string();
        chunk.offset = self.carry_offset;
        chunk.bytes.clear();
        chunk.bytes.append(&mut self.carry);
        let mut target = self.chunk_bytes;
        loop {
            progress.check()?;
            self.fill(&mut chunk.bytes, target)?;
            chunk.text_len = chunk.bytes.len();
            if self.is_at_end {
                break;
            }
            chunk.text_len = stable_len(&chunk.bytes, specials, splitter);
            if chunk.text_len > 0 {
                break;
            }
            target = chunk.bytes.len() * 2;
        }
        extend(&mut self.carry, &chunk.bytes[chunk.text_len..])?;
        if self.carry.is_empty() {
            // A look further, so that the last chunk is known to be the last.
            let mut carry = std::mem::take(&mut self.carry);
            self.fill(&mut carry, 1)?;
            self.carry = carry;
        }
        chunk.is_last = self.is_at_end && self.carry.is_empty();
        self.carry_offset += chunk.text_len as u64;
        chunk.bytes.resize(chunk.text_len + PADDING, 0);
        if chunk.text_len == 0 && self.carry_offset == 0 {
            return Err(BpeError::EmptyInput {
                place: chunk.place.clone(),
            });
        }
        Ok(chunk.text_len > 0)
    }

    /// Reads until `bytes` holds `target` bytes or the file ends.
    fn fill(&mut self, bytes: &mut Vec<u8>, target: usize) -> Result<(), BpeError> {
        let missing = target.saturating_sub(bytes.len());
        reserve(bytes, missing)?;
        if missing == 0 || self.is_at_end {
            return Ok(());
        }
        // Into memory that nobody has filled with zeros before.
        let read = self.source.by_ref().take(missing as u64).read_to_end(bytes);
        let num_read = read.map_err(|source| BpeError::Io {
            path: self.place.clone(),
            source,
        })?;
        self.is_at_end = num_read < missing;
        Ok(())
    }
}

/// [`stable_prefix`] of the valid beginning of `bytes`. Bytes that are no UTF-8 end it; where nothing stable precedes
/// them they are given out as they are, for [`Chunk::text`] to refuse.
fn stable_len(bytes: &[u8], specials: &SpecialTokens, splitter: &Splitter) -> usize {
    if let Some(cut) = cut_near_end(bytes, specials, splitter) {
        return cut;
    }
    valid_start(bytes).map_or(bytes.len(), |text| stable_prefix(text, splitter, specials))
}

/// A cut that the end of `bytes` alone shows: threads wait for their turn to read while it is searched.
fn cut_near_end(bytes: &[u8], specials: &SpecialTokens, splitter: &Splitter) -> Option<usize> {
    let mut start = bytes.len().checked_sub(cut_context_bytes(specials))?;
    while bytes.get(start).is_some_and(|byte| byte & 0xc0 == 0x80) {
        start += 1;
    }
    let cut = last_cut(valid_start(&bytes[start..])?, splitter, specials)?;
    Some(start + cut)
}

/// `bytes` as text, short of a character that is not complete at the end; none where they are no UTF-8.
fn valid_start(bytes: &[u8]) -> Option<&str> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_some() => None,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
    }
}
