//! Writes files of counts.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::file::{io_error, Sums, BUFFER_BYTES, MAGIC, VERSION};
use crate::error::BpeError;
use crate::memory::extend;

/// Writes a file of counts, entry by entry.
pub(super) struct CountsWriter {
    path: PathBuf,
    file: File,
    sha256: Sha256,
    last: Vec<u8>,
    sums: Sums,
    /// What has not been written yet.
    buffer: Vec<u8>,
}

impl CountsWriter {
    pub fn create(path: &Path, header: &[u8]) -> Result<Self, BpeError> {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + header.len());
        buffer.extend_from_slice(&MAGIC);
        buffer.extend_from_slice(&VERSION.to_le_bytes());
        buffer.extend_from_slice(&(header.len() as u32).to_le_bytes());
        buffer.extend_from_slice(header);
        Ok(Self {
            path: path.to_path_buf(),
            file: File::create(path).map_err(io_error(path))?,
            sha256: Sha256::new(),
            last: Vec::new(),
            sums: Sums::default(),
            buffer,
        })
    }

    /// Appends an entry greater than the last.
    pub fn append(&mut self, word: &[u8], count: u64) -> Result<(), BpeError> {
        let shared = self.last.iter().zip(word).take_while(|(a, b)| a == b).count();
        let added = &word[shared..];
        push_varint(&mut self.buffer, shared as u64);
        push_varint(&mut self.buffer, added.len() as u64);
        for added in added.chunks(BUFFER_BYTES) {
            self.buffer.extend_from_slice(added);
            self.write_full_buffer()?;
        }
        push_varint(&mut self.buffer, count);
        self.last.truncate(shared);
        extend(&mut self.last, added)?;
        self.sums.add(word, count)?;
        self.write_full_buffer()
    }

    fn write_full_buffer(&mut self) -> Result<(), BpeError> {
        if self.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        self.write_buffer()
    }

    /// Ends the file; where `is_durable` it has then reached the disk.
    pub fn finish(mut self, is_durable: bool) -> Result<Sums, BpeError> {
        self.buffer.extend_from_slice(&self.sums.to_bytes());
        self.write_buffer()?;
        let digest = self.sha256.finalize_reset();
        self.file.write_all(&digest).map_err(io_error(&self.path))?;
        if is_durable {
            self.file.sync_all().map_err(io_error(&self.path))?;
        }
        Ok(self.sums)
    }

    fn write_buffer(&mut self) -> Result<(), BpeError> {
        self.sha256.update(&self.buffer);
        self.file.write_all(&self.buffer).map_err(io_error(&self.path))?;
        self.buffer.clear();
        Ok(())
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
