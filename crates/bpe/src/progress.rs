//! How long work tells its caller how far it is, and hears whether to go on.

use std::ops::ControlFlow;

/// Called with (units done, units in all) now and then, from any thread. `Break` ends the work early, with
/// [`BpeError::Interrupted`](crate::BpeError::Interrupted).
pub type OnProgress<'a> = &'a (dyn Fn(u64, u64) -> ControlFlow<()> + Sync);

/// Goes on whatever the news.
pub fn ignore_progress(_done: u64, _total: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
