//! Documents in memory to ids.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{IdBlock, Separator, BLOCKS_PER_THREAD};
use crate::encode::{Encoder, SpecialPolicy, Worker};
use crate::error::BpeError;
use crate::parallel::in_order;
use crate::progress::Progress;

/// Documents are handed out in batches of about so many bytes: short ones cost no contention, long ones spread.
const BATCH_BYTES: usize = 1 << 17;

/// Documents in memory: the same ids for any number of threads.
#[derive(Clone, Copy, Debug)]
pub struct Documents<'a> {
    /// Their texts, in which a special token is ordinary text.
    pub texts: &'a [&'a str],
    /// What is put after each.
    pub separator: Separator<'a>,
    /// Whether it is put after the last too.
    pub closes_last: bool,
    /// Threads that encode, beside the caller's; 0 is taken for 1.
    pub num_threads: usize,
}

/// Gives the ids of `documents` to `on_block`, on the caller's thread, while the next are made on others.
///
/// # Errors
///
/// [`BpeError::InText`] for the first document that cannot be encoded, and what `on_block` returns.
pub fn encode_documents(
    encoder: &Encoder,
    documents: &Documents<'_>,
    progress: &Progress,
    mut on_block: impl FnMut(IdBlock<'_>) -> Result<(), BpeError>,
) -> Result<(), BpeError> {
    let batches = divide(documents.texts);
    let next = AtomicUsize::new(0);
    let num_threads = documents.num_threads.clamp(1, batches.len().max(1));
    in_order(
        num_threads,
        num_threads * BLOCKS_PER_THREAD,
        |outlet| {
            encoder.with_worker(progress, |worker| loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(batch) = batches.get(number) else { return };
                let encoded = encode_batch(encoder, worker, documents, batch.clone());
                if outlet.put(number as u64, encoded).is_break() {
                    return;
                }
            });
        },
        |encoded| {
            let (ids, num_bytes) = encoded?;
            on_block(IdBlock::new(&ids, num_bytes, documents.separator))
        },
    )
}

/// Divides texts into batches, each by the places of its texts.
fn divide(texts: &[&str]) -> Vec<Range<usize>> {
    let (mut batches, mut first, mut num_bytes) = (Vec::new(), 0, 0);
    for (index, text) in texts.iter().enumerate() {
        num_bytes += text.len();
        if num_bytes >= BATCH_BYTES || index + 1 == texts.len() {
            batches.push(first..index + 1);
            (first, num_bytes) = (index + 1, 0);
        }
    }
    batches
}

/// Returns the ids of a batch, and how many bytes they spell.
fn encode_batch(
    encoder: &Encoder,
    worker: &mut Worker,
    documents: &Documents<'_>,
    batch: Range<usize>,
) -> Result<(Vec<u32>, u64), BpeError> {
    let (mut ids, mut num_bytes) = (Vec::new(), 0);
    for (index, text) in documents.texts.iter().enumerate().take(batch.end).skip(batch.start) {
        encoder
            .encode_into(worker, text, SpecialPolicy::Text, &mut ids)
            .map_err(|error| BpeError::InText {
                index,
                error: Box::new(error),
            })?;
        num_bytes += text.len() as u64;
        if documents.closes_last || index + 1 < documents.texts.len() {
            ids.push(documents.separator.id);
            num_bytes += documents.separator.text.len() as u64;
        }
    }
    Ok((ids, num_bytes))
}
