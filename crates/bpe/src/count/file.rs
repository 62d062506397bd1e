//! Counts on disk: sorted entries, each told by what it adds to the one before it, and a checksum over everything.
//!
//! `docs/design/formats.md` has the format to the byte. A header, which is the caller's and only kept here, stands before the
//! entries; their sums and the sha256 of all that precedes it, after them.

use std::path::Path;

use crate::error::BpeError;

pub(super) const MAGIC: [u8; 8] = *b"hscounts";
pub(super) const VERSION: u32 = 1;
pub(super) const SUMS_BYTES: u64 = 24;
pub(super) const SHA256_BYTES: u64 = 32;
/// Files are read and written in helpings of so many bytes.
pub(super) const BUFFER_BYTES: usize = 1 << 15;

/// What the entries of a file add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Distinct pre-tokens.
    pub num_entries: u64,
    /// Bytes of all distinct pre-tokens together.
    pub num_bytes: u64,
    /// Occurrences of all pre-tokens.
    pub total: u64,
}

impl Sums {
    pub(super) fn add(&mut self, word: &[u8], count: u64) -> Result<(), BpeError> {
        self.num_entries += 1;
        self.num_bytes += word.len() as u64;
        self.total = self.total.checked_add(count).ok_or_else(|| BpeError::CountTooLarge {
            pretoken: word.to_vec(),
        })?;
        Ok(())
    }

    pub(super) fn to_bytes(self) -> [u8; SUMS_BYTES as usize] {
        let mut bytes = [0; SUMS_BYTES as usize];
        for (chunk, number) in bytes.chunks_mut(8).zip([self.num_entries, self.num_bytes, self.total]) {
            chunk.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> BpeError + '_ {
    |source| BpeError::Io {
        path: path.to_path_buf(),
        source,
    }
}
