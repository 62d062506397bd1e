//! Workers waiting for their next text.

use std::sync::Mutex;

use super::cache::Cache;
use super::lookup::Batch;

use super::Worker;
use crate::merge::Mergers;
use crate::progress::Progress;

/// Workers kept between texts; further ones, at work at the same moment, are dropped when done.
const NUM_SLOTS: usize = 16;

/// A pool that nobody ever waits for: a slot is locked only to take its worker out or to put one in, and a slot
/// that happens to be locked is passed over. So a process forked in that very moment loses a slot, not its encoder.
#[derive(Debug)]
pub struct Workers {
    slots: [Mutex<Option<Box<Worker>>>; NUM_SLOTS],
    cache_bytes: usize,
}

impl Workers {
    /// A pool whose workers cache up to `cache_bytes` each.
    pub fn new(cache_bytes: usize) -> Self {
        Self {
            slots: Default::default(),
            cache_bytes,
        }
    }

    /// A worker that knows nothing yet.
    pub fn new_worker(&self) -> Worker {
        Worker {
            cache: Cache::new(self.cache_bytes),
            batch: Batch::new(),
            merged: Vec::new(),
            mergers: Mergers::default(),
        }
    }

    /// Lets a worker do some work, unless it is stopped. A worker that panics is dropped.
    pub fn with<T>(&self, progress: &Progress, work: impl FnOnce(&mut Worker) -> T) -> T {
        let taken = self.slots.iter().find_map(|slot| slot.try_lock().ok()?.take());
        let mut worker = taken.unwrap_or_else(|| Box::new(self.new_worker()));
        worker.mergers.progress = progress.clone();
        let result = work(&mut worker);
        for slot in &self.slots {
            if let Ok(mut slot) = slot.try_lock() {
                if slot.is_none() {
                    *slot = Some(worker);
                    break;
                }
            }
        }
        result
    }
}
