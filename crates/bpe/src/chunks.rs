//! Reads a file in chunks that end where no token can cross.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::BpeError;
use crate::special::SpecialTokens;
use crate::split::Splitter;
use crate::stable::stable_prefix;

/// Readable bytes after a chunk's text, so that 16 can be loaded from anywhere in it.
pub(crate) const PADDING: usize = 64;

/// A file, and what of it was read but not given out.
pub(crate) struct ChunkReader {
    file: File,
    path: PathBuf,
    chunk_bytes: usize,
    total_bytes: u64,
    /// Begins where a pre-token or a special token does.
    carry: Vec<u8>,
    carry_offset: u64,
    is_at_end: bool,
}

/// A stretch of text that splits on its own; its buffer is used again for the next.
#[derive(Default)]
pub(crate) struct Chunk {
    /// The text, then padding.
    bytes: Vec<u8>,
    text_len: usize,
    offset: u64,
    place: String,
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

    /// Offset in the file at which the text ends.
    pub fn end_offset(&self) -> u64 {
        self.offset + self.text_len as u64
    }
}

impl ChunkReader {
    pub fn open(path: &Path, chunk_bytes: usize) -> Result<Self, BpeError> {
        let io = |source| BpeError::Io {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        let total_bytes = file.metadata().map_err(io)?.len();
        Ok(Self {
            file,
            path: path.to_path_buf(),
            chunk_bytes,
            total_bytes,
            carry: Vec::new(),
            carry_offset: 0,
            is_at_end: false,
        })
    }

    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Fills `chunk` with the next stretch of text; false where there is none.
    pub fn next_chunk(
        &mut self,
        chunk: &mut Chunk,
        specials: &SpecialTokens,
        splitter: &Splitter,
    ) -> Result<bool, BpeError> {
        chunk.place = self.path.display().to_string();
        chunk.offset = self.carry_offset;
        chunk.bytes.clear();
        chunk.bytes.append(&mut self.carry);
        let mut target = self.chunk_bytes;
        loop {
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
        self.carry.extend_from_slice(&chunk.bytes[chunk.text_len..]);
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
        let mut filled = bytes.len();
        bytes.resize(target.max(filled), 0);
        while filled < target && !self.is_at_end {
            match self.file.read(&mut bytes[filled..]) {
                Ok(0) => self.is_at_end = true,
                Ok(num_bytes) => filled += num_bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(BpeError::Io {
                        path: self.path.clone(),
                        source,
                    })
                }
            }
        }
        bytes.truncate(filled);
        Ok(())
    }
}

/// [`stable_prefix`] of the valid beginning of `bytes`. Bytes that are no UTF-8 end it; where nothing stable precedes
/// them they are given out as they are, for [`Chunk::text`] to refuse.
fn stable_len(bytes: &[u8], specials: &SpecialTokens, splitter: &Splitter) -> usize {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => stable_prefix(text, splitter, specials),
        Err(error) if error.error_len().is_some() => bytes.len(),
        Err(error) => {
            let text = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or("");
            stable_prefix(text, splitter, specials)
        }
    }
}
