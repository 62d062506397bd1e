//! How long-running work reports its progress, and how it is stopped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use crate::error::BpeError;

/// How far work has come, and whether it is to stop: shared by the threads that work and one that watches them.
///
/// The default one ignores reports and never stops anything.
#[derive(Clone, Debug, Default)]
pub struct Progress(Option<Arc<State>>);

#[derive(Debug, Default)]
struct State {
    num_done: AtomicU64,
    total: AtomicU64,
    is_stopped: AtomicBool,
}

/// Simple steps between two looks at whether work is to stop: milliseconds.
pub(crate) const CHECK_EVERY: usize = 1 << 18;

impl Progress {
    /// One that can be watched, and stopped.
    #[must_use]
    pub fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Stops the work of all clones: it returns [`BpeError::Interrupted`] before long.
    pub fn stop(&self) {
        if let Some(state) = &self.0 {
            state.is_stopped.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the units done, and those in all, as far as they are known.
    #[must_use]
    pub fn read(&self) -> (u64, u64) {
        let read = |state: &Arc<State>| {
            (
                state.num_done.load(Ordering::Relaxed),
                state.total.load(Ordering::Relaxed),
            )
        };
        self.0.as_ref().map_or((0, 0), read)
    }

    /// Records that `num_done` units of `total` are done, if not more were already.
    ///
    /// # Errors
    /// As [`Progress::check`].
    pub(crate) fn report(&self, num_done: u64, total: u64) -> Result<(), BpeError> {
        if let Some(state) = &self.0 {
            state.num_done.fetch_max(num_done, Ordering::Relaxed);
            state.total.store(total, Ordering::Relaxed);
        }
        self.check()
    }

    /// Returns an error where work is to stop.
    ///
    /// # Errors
    /// [`BpeError::Interrupted`].
    #[inline]
    pub fn check(&self) -> Result<(), BpeError> {
        match &self.0 {
            Some(state) if state.is_stopped.load(Ordering::Relaxed) => Err(BpeError::Interrupted),
            _ => Ok(()),
        }
    }

    /// [`Progress::check`] at one in [`CHECK_EVERY`] steps.
    ///
    /// # Errors
    /// As [`Progress::check`].
    #[inline]
    pub(crate) fn check_at(&self, step: usize) -> Result<(), BpeError> {
        if step.is_multiple_of(CHECK_EVERY) {
            return self.check();
        }
        Ok(())
    }
}
