//! How long-running work reports its progress, and how it is stopped.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::error::BpeError;

/// Called with (units done, units in all) now and then, from any thread. `Break` ends the work early, with
/// [`BpeError::Interrupted`](crate::BpeError::Interrupted).
pub type OnProgress<'a> = &'a (dyn Fn(u64, u64) -> ControlFlow<()> + Sync);

/// Ignores progress.
pub fn ignore_progress(_done: u64, _total: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Whether work is to stop, set from another thread: who works then returns [`BpeError::Interrupted`] before long.
#[derive(Clone, Debug, Default)]
pub struct Stop(Option<Arc<AtomicBool>>);

impl Stop {
    /// One that [`Stop::set`] can set; the default one never stops anything.
    #[must_use]
    pub fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Stops the work of all clones.
    pub fn set(&self) {
        if let Some(flag) = &self.0 {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// Returns whether work is to stop.
    #[inline]
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Returns an error where work is to stop.
    pub(crate) fn check(&self) -> Result<(), BpeError> {
        if self.is_set() {
            Err(BpeError::Interrupted)
        } else {
            Ok(())
        }
    }
}
