//! Reads files of counts, and refuses any damage.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::entries::Entries;
use super::file::{io_error, Sums, BUFFER_BYTES, MAGIC, SHA256_BYTES, SUMS_BYTES, VERSION};
use crate::error::BpeError;
use crate::memory::reserve;
use crate::progress::Progress;

/// Reads a file of counts, entry by entry. What [`Entries::advance`] gives is sure only once it has returned false: only then
/// has the checksum been seen.
pub(super) struct CountsReader {
    path: PathBuf,
    file: File,
    sha256: Sha256,
    /// Bytes under the checksum that are still in the file.
    unread: u64,
    /// Bytes of the file, those before `at` used already.
    buffer: Vec<u8>,
    at: usize,
    /// Bytes of entries that have not been used.
    left: u64,
    header: Vec<u8>,
    word: Vec<u8>,
    count: u64,
    sums: Sums,
}

impl CountsReader {
    pub fn open(path: &Path) -> Result<Self, BpeError> {
        let file = File::open(path).map_err(io_error(path))?;
        let size = file.metadata().map_err(io_error(path))?.len();
        let mut reader = Self {
            path: path.to_path_buf(),
            file,
            sha256: Sha256::new(),
            unread: size.saturating_sub(SHA256_BYTES),
            buffer: Vec::new(),
            at: 0,
            left: size.saturating_sub(SHA256_BYTES + SUMS_BYTES),
            header: Vec::new(),
            word: Vec::new(),
            count: 0,
            sums: Sums::default(),
        };
        let mut preamble = [0; 16];
        if reader.left < preamble.len() as u64 {
            return Err(reader.damaged("it is too short to be one"));
        }
        reader.read(&mut preamble)?;
        if preamble[..8] != MAGIC {
            return Err(reader.damaged("it begins as something else"));
        }
        let number =
            |at: usize| u32::from_le_bytes([preamble[at], preamble[at + 1], preamble[at + 2], preamble[at + 3]]);
        if number(8) != VERSION {
            return Err(BpeError::OtherCountsVersion {
                path: path.to_path_buf(),
                version: number(8),
                known: VERSION,
            });
        }
        let mut header = Vec::new();
        reader.append(&mut header, u64::from(number(12)))?;
        reader.header = header;
        Ok(reader)
    }

    /// What the writer was given as header.
    pub fn into_header(self) -> Vec<u8> {
        self.header
    }

    /// Reads all that is left, so that any damage is noticed; what the entries add up to.
    pub fn verify(mut self, progress: &Progress) -> Result<Sums, BpeError> {
        while self.advance()? {
            progress.check()?;
        }
        Ok(self.sums)
    }

    fn check_end(&mut self) -> Result<(), BpeError> {
        let mut sums = [0; SUMS_BYTES as usize];
        let mut stated = [0; SHA256_BYTES as usize];
        self.left = SUMS_BYTES;
        self.read(&mut sums)?;
        self.file.read_exact(&mut stated).map_err(io_error(&self.path))?;
        if stated != <[u8; SHA256_BYTES as usize]>::from(self.sha256.finalize_reset()) {
            return Err(self.damaged("its checksum is another"));
        }
        if sums != self.sums.to_bytes() {
            return Err(self.damaged("its entries do not add up to what it says"));
        }
        Ok(())
    }

    #[inline]
    fn read_byte(&mut self) -> Result<u8, BpeError> {
        let mut byte = [0];
        self.read(&mut byte)?;
        Ok(byte[0])
    }

    fn read_varint(&mut self) -> Result<u64, BpeError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.read_byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged("a number in it has more than 64 bits"))
    }

    /// Appends the next `num_bytes` to `bytes`; no room is made for what the file has not.
    fn append(&mut self, bytes: &mut Vec<u8>, num_bytes: u64) -> Result<(), BpeError> {
        if num_bytes > self.left {
            return Err(self.damaged("a part of it runs past its end"));
        }
        let start = bytes.len();
        reserve(bytes, num_bytes as usize)?;
        bytes.resize(start + num_bytes as usize, 0);
        self.read(&mut bytes[start..])
    }

    #[inline]
    fn read(&mut self, mut bytes: &mut [u8]) -> Result<(), BpeError> {
        if bytes.len() as u64 > self.left {
            return Err(self.damaged("a part of it runs past its end"));
        }
        self.left -= bytes.len() as u64;
        while !bytes.is_empty() {
            if self.at == self.buffer.len() {
                self.fill()?;
            }
            let len = bytes.len().min(self.buffer.len() - self.at);
            let (now, later) = bytes.split_at_mut(len);
            now.copy_from_slice(&self.buffer[self.at..self.at + len]);
            self.at += len;
            bytes = later;
        }
        Ok(())
    }

    #[cold]
    fn fill(&mut self) -> Result<(), BpeError> {
        let len = self.unread.min(BUFFER_BYTES as u64);
        self.buffer.resize(len as usize, 0);
        self.file.read_exact(&mut self.buffer).map_err(io_error(&self.path))?;
        self.sha256.update(&self.buffer);
        self.unread -= len;
        self.at = 0;
        Ok(())
    }

    fn damaged(&self, reason: &'static str) -> BpeError {
        BpeError::DamagedCounts {
            path: self.path.clone(),
            reason,
        }
    }
}

impl Entries for CountsReader {
    fn advance(&mut self) -> Result<bool, BpeError> {
        if self.left == 0 {
            if self.unread + (self.buffer.len() - self.at) as u64 > 0 {
                self.check_end()?;
            }
            return Ok(false);
        }
        let shared = self.read_varint()?;
        let num_added = self.read_varint()?;
        let last_len = self.word.len();
        if shared > last_len as u64 {
            return Err(self.damaged("an entry does not fit the one before it"));
        }
        // The new bytes go behind the old word, to be compared with what they replace.
        let mut word = std::mem::take(&mut self.word);
        self.append(&mut word, num_added)?;
        if word[last_len..] <= word[shared as usize..last_len] {
            return Err(self.damaged("its entries are not in order"));
        }
        word.drain(shared as usize..last_len);
        self.word = word;
        self.count = self.read_varint()?;
        if self.count == 0 {
            return Err(self.damaged("an entry has a count of 0"));
        }
        let (word, count) = (&self.word, self.count);
        self.sums.add(word, count).map(|()| true)
    }

    fn word(&self) -> &[u8] {
        &self.word
    }

    fn count(&self) -> u64 {
        self.count
    }
}
