//! Who may use how much memory.

use super::file::BUFFER_BYTES;
use super::table::Table;
use super::CountOptions;

/// Runs that are read at a time.
pub(super) const FAN_IN: usize = 64;

const LEAST_CHUNK_BYTES: usize = 1 << 12;
/// Of a thread: one that it counts, one that waits for it, and what buffers hold beyond their text.
const CHUNKS_A_THREAD: usize = 4;

/// A [`CountOptions`] worked out.
pub(super) struct Budget {
    pub max_bytes: usize,
    /// For each thread's table.
    pub table_bytes: usize,
    /// Text that a thread reads at a time.
    pub chunk_bytes: usize,
}

impl Budget {
    pub fn new(options: &CountOptions) -> Self {
        let asked = options.chunk_bytes.max(1);
        let Some(max_bytes) = options.max_memory_bytes else {
            return Self {
                max_bytes: usize::MAX,
                table_bytes: usize::MAX,
                chunk_bytes: asked,
            };
        };
        let num_threads = options.num_threads.max(1);
        let share = max_bytes.saturating_sub((FAN_IN + 1) * BUFFER_BYTES) / num_threads;
        let chunk_bytes = asked.min((share / (8 * CHUNKS_A_THREAD)).max(LEAST_CHUNK_BYTES));
        Self {
            max_bytes,
            table_bytes: share
                .saturating_sub(CHUNKS_A_THREAD * chunk_bytes)
                .max(Table::LEAST_BYTES),
            chunk_bytes,
        }
    }
}
