//! The tokens of a vocabulary in the making, known by their bytes, and the order that decides between equal counts.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Ties;
use crate::error::BpeError;
use crate::hash::hash_bytes;
use crate::memory::check_room;

/// Separates words as if it were a token; it has no bytes and is in no pair.
pub(super) const BORDER: u32 = 256;

/// Tokens by id: the 256 bytes, [`BORDER`], then what merges made.
pub(super) struct Tokens {
    /// Shared with the merges that are handed out, for tokens may be as long as the text.
    bytes: Vec<Arc<[u8]>>,
    /// Ids by the hash of their bytes: open addressing, at most half full; [`BORDER`] where empty.
    by_bytes: Vec<u32>,
    ties: Ties,
    /// What decides a tie first: of bytes the first eight, as a number; of ids the id's complement.
    keys: Vec<u64>,
}

impl Tokens {
    pub fn new(ties: Ties) -> Self {
        let mut tokens = Self {
            bytes: Vec::new(),
            by_bytes: vec![BORDER; 1 << 10],
            ties,
            keys: Vec::new(),
        };
        for byte in 0..=u8::MAX {
            tokens.push([byte].into());
        }
        tokens.bytes.push([].into());
        tokens.keys.push(0);
        tokens
    }

    /// Ids given, [`BORDER`] included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Tokens beside the 256 bytes.
    pub fn num_new(&self) -> usize {
        self.len() - (BORDER as usize + 1)
    }

    pub fn bytes(&self, id: u32) -> &Arc<[u8]> {
        &self.bytes[id as usize]
    }

    /// Returns the id of the token with these bytes.
    pub fn id_of(&self, bytes: &[u8]) -> Option<u32> {
        Some(self.by_bytes[self.slot_of(bytes)]).filter(|&id| id != BORDER)
    }

    /// The id of `left` followed by `right`, and whether it is new.
    pub fn join(&mut self, left: u32, right: u32) -> Result<(u32, bool), BpeError> {
        let (left, right) = (self.bytes(left), self.bytes(right));
        check_room(left.len() + right.len())?;
        let joined: Arc<[u8]> = left.iter().chain(&**right).copied().collect();
        Ok(match self.id_of(&joined) {
            Some(known) => (known, false),
            None => (self.push(joined), true),
        })
    }

    /// Which of two pairs goes first where their counts are equal: the greater does.
    #[inline]
    pub fn compare(&self, a: (u32, u32), b: (u32, u32)) -> Ordering {
        self.compare_tokens(a.0, b.0)
            .then_with(|| self.compare_tokens(a.1, b.1))
    }

    #[inline]
    fn compare_tokens(&self, a: u32, b: u32) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        self.keys[a as usize]
            .cmp(&self.keys[b as usize])
            .then_with(|| self.bytes(a).cmp(self.bytes(b)))
    }

    fn push(&mut self, bytes: Arc<[u8]>) -> u32 {
        if 2 * self.len() >= self.by_bytes.len() {
            self.grow();
        }
        let id = self.len() as u32;
        let slot = self.slot_of(&bytes);
        self.by_bytes[slot] = id;
        self.keys.push(self.key_of(&bytes));
        self.bytes.push(bytes);
        id
    }

    fn key_of(&self, bytes: &[u8]) -> u64 {
        match &self.ties {
            Ties::Bytes => {
                let mut first = [0; 8];
                let len = bytes.len().min(8);
                first[..len].copy_from_slice(&bytes[..len]);
                u64::from_be_bytes(first)
            }
            Ties::Ids { special_tokens } => {
                let special = special_tokens.iter().position(|token| token == bytes);
                let id = special.unwrap_or(match bytes {
                    [byte] => special_tokens.len() + printable_order(*byte),
                    _ => special_tokens.len() + self.len(),
                });
                !(id as u64)
            }
        }
    }

    fn grow(&mut self) {
        self.by_bytes = vec![BORDER; 4 * self.by_bytes.len()];
        for id in (0..self.len() as u32).filter(|&id| id != BORDER) {
            let slot = self.slot_of(self.bytes(id));
            self.by_bytes[slot] = id;
        }
    }

    fn slot_of(&self, bytes: &[u8]) -> usize {
        let mask = self.by_bytes.len() - 1;
        let mut slot = hash_bytes(bytes) as usize & mask;
        while self.by_bytes[slot] != BORDER && **self.bytes(self.by_bytes[slot]) != *bytes {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// The place of `byte` among all, sorted by the characters that stand for them in GPT-2's printable alphabet: first what
/// Latin-1 shows, each as itself, then the rest.
fn printable_order(byte: u8) -> usize {
    let is_shown = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let before = (0..byte).filter(|&other| is_shown(other) == is_shown(byte)).count();
    let num_shown = (0..=u8::MAX).filter(|&other| is_shown(other)).count();
    if is_shown(byte) {
        before
    } else {
        num_shown + before
    }
}
