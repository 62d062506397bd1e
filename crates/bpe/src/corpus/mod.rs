//! Ids of whole corpora: encoded on several threads, given out in order and in bounded memory.

mod documents;
mod files;
mod source;

pub use documents::{encode_documents, Documents};
pub use files::{encode_files, FileRange};
pub use source::TextFiles;

/// Blocks that may wait for their turn, for each thread: enough to bridge a write to the disk, at a megabyte or so each.
const BLOCKS_PER_THREAD: usize = 8;

/// What stands between documents: a special token.
#[derive(Clone, Copy, Debug)]
pub struct Separator<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its id.
    pub id: u32,
}

/// Consecutive ids.
#[derive(Clone, Copy, Debug)]
pub struct IdBlock<'a> {
    /// The ids.
    pub ids: &'a [u32],
    /// Bytes that the ids spell, separators included.
    pub num_bytes: u64,
    /// How many of the ids are separators.
    pub num_separators: u64,
}

impl<'a> IdBlock<'a> {
    fn new(ids: &'a [u32], num_bytes: u64, separator: Separator<'_>) -> Self {
        Self {
            ids,
            num_bytes,
            num_separators: ids.iter().filter(|&&id| id == separator.id).count() as u64,
        }
    }
}
