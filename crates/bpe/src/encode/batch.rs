//! Many texts at once, on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Encoder, SpecialPolicy};
use crate::error::BpeError;
use crate::parallel;
use crate::progress::Progress;

/// Less text than this is encoded before another thread would have started.
const MIN_BYTES_PER_THREAD: usize = 1 << 16;

/// See [`is_large`].
const LARGE_BYTES: usize = 1 << 20;

/// The ids of texts, each with the place of its text.
type Placed = Vec<(usize, Result<Vec<u32>, BpeError>)>;

impl Encoder {
    /// The ids of every text, in order; the same for any number of threads.
    ///
    /// # Errors
    /// The error of the first text that has one, with its index.
    pub fn encode_batch(
        &self,
        texts: &[&str],
        special: SpecialPolicy,
        num_threads: usize,
        progress: &Progress,
    ) -> Result<Vec<Vec<u32>>, BpeError> {
        let num_bytes: usize = texts.iter().map(|text| text.len()).sum();
        let num_asked = num_threads;
        let num_threads = num_threads
            .min(num_bytes / MIN_BYTES_PER_THREAD)
            .min(texts.len())
            .max(1);
        // Texts are handed out a few at a time, so that short ones cost no contention and long ones spread.
        let stride = (texts.len() / (num_threads * 16)).clamp(1, 64);
        let next = AtomicUsize::new(0);
        let placed = parallel::map(0..num_threads, |_| {
            self.encode_some(texts, special, &next, stride, progress)
        });
        let mut placed: Placed = placed.into_iter().flatten().collect();
        for (index, text) in texts.iter().enumerate().filter(|(_, text)| is_large(text)) {
            placed.push((index, self.encode_on_threads(text, special, num_asked, progress)));
        }
        progress.check()?;
        placed.sort_by_key(|&(index, _)| index);
        placed
            .into_iter()
            .map(|(index, ids)| {
                ids.map_err(|error| BpeError::InText {
                    index,
                    error: Box::new(error),
                })
            })
            .collect()
    }

    /// Encodes texts from `next` on until none is left.
    fn encode_some(
        &self,
        texts: &[&str],
        special: SpecialPolicy,
        next: &AtomicUsize,
        stride: usize,
        progress: &Progress,
    ) -> Placed {
        let mut placed = Vec::new();
        self.workers.with(progress, |worker| loop {
            let first = next.fetch_add(stride, Ordering::Relaxed);
            if first >= texts.len() || progress.check().is_err() {
                return;
            }
            for (index, text) in texts.iter().enumerate().skip(first).take(stride) {
                if is_large(text) {
                    continue;
                }
                let mut ids = Vec::new();
                let encoded = self.encode_into(worker, text, special, &mut ids);
                placed.push((index, encoded.map(|()| ids)));
            }
        });
        placed
    }
}

/// Whether a text is worth all threads: they take such ones in turn, not each its own.
fn is_large(text: &str) -> bool {
    text.len() >= LARGE_BYTES
}
