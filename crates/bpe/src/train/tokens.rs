//! The tokens of a vocabulary in the making, known by their bytes.

use std::cmp::Ordering;
use std::collections::HashMap;

/// Tokens by id: 0 to 255 the bytes, then what merges made.
pub(super) struct Tokens {
    bytes: Vec<u8>,
    /// Where each token begins in `bytes`, and at last where the last ends.
    starts: Vec<usize>,
    ids: HashMap<Box<[u8]>, u32>,
}

impl Tokens {
    pub fn new() -> Self {
        Self {
            bytes: (0..=255).collect(),
            starts: (0..=256).collect(),
            ids: (0..=255u8).map(|byte| ([byte].into(), u32::from(byte))).collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn bytes(&self, id: u32) -> &[u8] {
        &self.bytes[self.starts[id as usize]..self.starts[id as usize + 1]]
    }

    #[inline]
    pub fn byte_len(&self, id: u32) -> usize {
        self.starts[id as usize + 1] - self.starts[id as usize]
    }

    /// The id of `left` followed by `right`, and whether it is new.
    pub fn join(&mut self, left: u32, right: u32) -> (u32, bool) {
        let joined: Box<[u8]> = [self.bytes(left), self.bytes(right)].concat().into();
        if let Some(&id) = self.ids.get(&joined) {
            return (id, false);
        }
        let id = self.len() as u32;
        self.bytes.extend_from_slice(&joined);
        self.starts.push(self.bytes.len());
        self.ids.insert(joined, id);
        (id, true)
    }

    /// Order of two pairs by the bytes of the left tokens, then of the right.
    pub fn compare(&self, a: (u32, u32), b: (u32, u32)) -> Ordering {
        self.bytes(a.0)
            .cmp(self.bytes(b.0))
            .then_with(|| self.bytes(a.1).cmp(self.bytes(b.1)))
    }
}
